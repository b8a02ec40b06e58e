"""监测过程线: one parameter at one place over time, drawn on the server, and as numbers for a script and a table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from starlette.responses import JSONResponse, Response

from portal.statistics.drawn_map import SHOWN
from portal.statistics.series import (
    STEPS,
    SUSPECT,
    LimitLine,
    Line,
    Point,
    days_of,
    limit_lines,
    lines,
    points,
)
from portal.statistics.slots import CHINA, DAY
from portal.web.asking import Ask
from portal.web.errors import Problem
from portal.web.pages import page
from portal.web.statistics.charts import curve
from portal.web.statistics.overview import bureau_names
from schemas.quantities import parameters

SPANS = {"7": 7, "31": 31, "92": 92, "366": 366}
MEDIA_WORDS = {"air": ("空气", "air"), "water": ("地表水", "surface water")}


@dataclass(frozen=True, slots=True)
class Chosen:
    """A series and the days of it."""

    line: Line
    first: date
    last: date
    days: int


def series(ask: Ask) -> Response:
    """Show a series; without a choice the first there is."""
    known = lines(ask.site.places)
    wanted = _chosen(ask, known)
    if wanted is None:
        return page(ask, "statistics/series.html", wanted=None, known=(), stations=(), names={}, spans=SPANS)
    line = wanted.line
    found = points(ask.site.places, line, wanted.first, wanted.last)
    bounds = limit_lines(line, wanted.first, wanted.last)
    words = [ask.words("可疑", "suspect"), ask.words("检出限", "detection limit")]
    stations = {(one.bureau, one.station_id): one for one in known}
    return page(
        ask, "statistics/series.html",
        wanted=wanted, known=sorted((one for one in known if _same_place(one, line)), key=_rank), stations=list(stations.values()),
        drawn=curve(found, bounds, line.period, (wanted.first, wanted.last), words) if found else None,
        days=days_of(found, bounds), bounds=bounds, total=len(found), gaps=_gaps(found, line),
        suspects=[one for one in found if one.flag in SUSPECT][:200], names=bureau_names(ask, {one.bureau for one in known}),
        titles={one.parameter: _title(ask, one.parameter) for one in known}, spans=SPANS, media=MEDIA_WORDS, zone=CHINA,
    )  # fmt: skip


def series_json(ask: Ask) -> Response:
    """Give the same series for the script that draws it; a gap is a null between the values beside it."""
    wanted = _chosen(ask, lines(ask.site.places))
    if wanted is None:
        raise Problem(404)
    found = points(ask.site.places, wanted.line, wanted.first, wanted.last)
    bounds = limit_lines(wanted.line, wanted.first, wanted.last)
    told = _columns(found, bounds, wanted.line)
    title = _title(ask, wanted.line.parameter)
    labels = {
        "time": ask.words("时间", "time"), "value": f"{title} ({wanted.line.unit})",
        "suspect": ask.words("可疑", "suspect"), "high": ask.words("限值", "limit"),
        "low": ask.words("限值下限", "lower limit"),
    }  # fmt: skip
    return JSONResponse({"labels": labels, **told}, headers={"cache-control": "no-store"})


def _columns(found: list[Point], bounds: list[LimitLine], line: Line) -> dict[str, list[float | None]]:
    """Lay the series out in columns, the limits of its day beside each value."""
    x: list[float | None] = []
    value: list[float | None] = []
    suspect: list[float | None] = []
    high: list[float | None] = []
    low: list[float | None] = []
    step, before = STEPS.get(line.period), None
    for point in found:
        if step is not None and before is not None and point.at - before > step:
            for column, told in (
                (x, (before + step).timestamp()),
                (value, None),
                (suspect, None),
                (high, None),
                (low, None),
            ):
                column.append(told)
        day = point.at.astimezone(CHINA).date()
        here = next((each for each in bounds if each.first <= day <= each.last), None)
        x.append(point.at.timestamp())
        value.append(point.value)
        suspect.append(point.value if point.flag in SUSPECT else None)
        high.append(here.high if here else None)
        low.append(here.low if here else None)
        before = point.at
    return {"x": x, "value": value, "suspect": suspect, "high": high, "low": low}


def _chosen(ask: Ask, known: list[Line]) -> Chosen | None:
    """Read which series is wanted; what is not there is as if not chosen."""
    if not known:
        return None
    said = {name: ask.query.get(name, "") for name in ("station", "parameter", "days", "until")}
    bureau, _, station = said["station"].partition("/")
    here = [one for one in known if (one.bureau, one.station_id) == (bureau, station)]
    here = here or [one for one in known if _same_place(one, _first(ask, known))]
    here = sorted(here, key=_rank)
    line = next((one for one in here if f"{one.parameter}/{one.period}" == said["parameter"]), here[0])
    days = SPANS.get(said["days"], 31)
    last = _day(said["until"]) or line.newest.astimezone(CHINA).date()
    return Chosen(line, last - (days - 1) * DAY, last, days)


def _first(ask: Ask, known: list[Line]) -> Line:
    """Begin with a place of the reader's own bureau."""
    return next((one for one in known if one.bureau == ask.me.bureau), known[0])


def _rank(line: Line) -> tuple[int, str]:
    """Put what is looked at most first, as the map does."""
    first = SHOWN[line.medium]
    return first.index(line.parameter) if line.parameter in first else len(first), line.parameter


def _same_place(one: Line, other: Line) -> bool:
    return (one.bureau, one.station_id, one.medium) == (other.bureau, other.station_id, other.medium)


def _day(text: str) -> date | None:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if 1990 <= found.year <= 2100 else None


def _title(ask: Ask, parameter: str) -> str:
    known = parameters().get(parameter)
    return parameter if known is None else f"{ask.words(known.name_zh, known.name_en)} {parameter}"


def _gaps(found: list[Point], line: Line) -> list[tuple[Point, Point, int]]:
    """List the gaps: the value before, the value after, and how many are lacking between them."""
    step = STEPS.get(line.period)
    if step is None:
        return []
    return [
        (one, other, round((other.at - one.at) / step) - 1)
        for one, other in zip(found[:-1], found[1:], strict=True)
        if other.at - one.at > step + timedelta(minutes=1)
    ]
