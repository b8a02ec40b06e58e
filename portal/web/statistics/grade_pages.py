"""信用等级分布: how many enterprises have which grade, by bureau, scheme and year."""

from __future__ import annotations

from starlette.responses import Response

from portal.statistics.grades import distributions
from portal.web.asking import Ask
from portal.web.pages import page
from portal.web.statistics.overview import bureau_names
from schemas.ratings import rating_schemes


def grades(ask: Ask) -> Response:
    """Show the distribution of one year; without a choice of the newest."""
    found = distributions(ask.site.places)
    years = sorted({one.year for one in found}, reverse=True)
    said = ask.query.get("year", "")
    year = (
        int(said)
        if said.isascii() and said.isdigit() and len(said) == 4 and int(said) in years
        else next(iter(years), 0)
    )
    here = [one for one in found if one.year == year]
    return page(
        ask, "statistics/grades.html",
        found=here, years=years, year=year, names=bureau_names(ask, {one.bureau for one in here}),
        schemes={code: scheme.title_zh for code, scheme in rating_schemes().items()},
        most=max((grade.count for one in here for grade in one.grades), default=1) or 1,
    )  # fmt: skip
