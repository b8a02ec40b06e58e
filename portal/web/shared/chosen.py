"""What the form of a download asks for: columns, filters, a time, a form; each mistake at its field."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from pipelines.errors import PublishError
from pipelines.publish.reading import moment
from portal.exports import Choice, RowFilter, choose, table_of
from portal.web.asking import Ask
from schemas.contracts import Table
from schemas.files import fold
from schemas.quantities import parameters

FORMS = ("parquet", "csv", "xlsx")
FIELDS = ("bureau", "place", "parameter", "subject", "since", "until", "as_of", "form")
COLUMN = "c."
"""Before the name of a column in the address: ``c.value=on``; none ticked is all."""
MOST_WORDS, LONGEST = 50, 2000
FIRST_YEAR, LAST_YEAR = 1900, 2999


@dataclass(frozen=True, slots=True)
class Asked:
    """What a form asked for, and what is wrong with it, by field."""

    choice: Choice | None
    form: str
    faults: dict[str, str]


def read(ask: Ask, name: str) -> Asked:
    """Read the form of a table's download."""
    table = table_of(name)
    faults: dict[str, str] = {}
    form = ask.query.get("form", "")
    if form not in FORMS:
        faults["form"] = ask.words("格式：未选择。请选择 Parquet、CSV 或 Excel", "Format: choose Parquet, CSV or Excel")
    since, until = (_day(ask, field, faults) for field in ("since", "until"))
    if since and until and since > until:
        faults["until"] = ask.words("结束日期：早于开始日期。请更正", "Until: lies before since; correct it")
    wanted = RowFilter(
        bureaus=_words(ask, "bureau"), places=_words(ask, "place"), subjects=_words(ask, "subject"),
        parameters=tuple(code for word in _words(ask, "parameter") for code in codes_of(table, word)),
        since=since, until=until,
    )  # fmt: skip
    columns = tuple(field.removeprefix(COLUMN) for field in ask.query if field.startswith(COLUMN))
    as_of = _instant(ask, faults)
    if faults:
        return Asked(None, form, faults)
    return Asked(choose(ask.site.places, name, wanted, columns, as_of), form, faults)


def codes_of(table: Table, word: str) -> tuple[str, ...]:
    """Give the parameter codes a word names: a code, or a Chinese or other name of the table's medium."""
    medium = table.table.partition("_")[0]
    known = [one for one in parameters().values() if one.medium == medium]
    if any(one.parameter == word for one in known):
        return (word,)
    wanted = fold(word).casefold()
    named = [
        one for one in known if wanted in {fold(name).casefold() for name in (one.name_zh, one.name_en, *one.aliases)}
    ]
    return tuple(one.parameter for one in named) or (word,)


def _words(ask: Ask, field: str) -> tuple[str, ...]:
    said = ask.query.get(field, "")[:LONGEST].replace("，", ",").replace("、", ",").split(",")
    return tuple(dict.fromkeys(word.strip() for word in said if word.strip()))[:MOST_WORDS]


def _day(ask: Ask, field: str, faults: dict[str, str]) -> date | None:
    text = ask.query.get(field, "").strip()
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
        if not FIRST_YEAR <= day.year <= LAST_YEAR:
            raise ValueError(text)
        return day
    except ValueError:
        name = {"since": ("开始日期", "Since"), "until": ("结束日期", "Until")}[field]
        faults[field] = ask.words(
            f"{name[0]}：“{text[:20]}”不是日期。请写成 2026-04-08",
            f"{name[1]}: {text[:20]!r} is no day; write 2026-04-08",
        )
        return None


def _instant(ask: Ask, faults: dict[str, str]) -> datetime | None:
    text = ask.query.get("as_of", "").strip()
    if not text:
        return None
    try:
        at = moment(text[:40])
        if not FIRST_YEAR <= at.year <= LAST_YEAR:
            raise ValueError(text)
        return at
    except (PublishError, ValueError):
        faults["as_of"] = ask.words(
            f"截至时间：“{text[:20]}”不是时间。请写成 2026-04-14 或 2026-04-14T12:00",
            f"As of: {text[:20]!r} is no time; write 2026-04-14 or 2026-04-14T12:00",
        )
        return None
