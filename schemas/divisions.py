"""Every province, city and county of the country with its years: GB/T 2260 as ``vocabularies/divisions.csv`` has it.

``places`` holds the regions the two bureaus work in; here stands the whole list, former names included, because an
enterprise of either place may be registered anywhere and bear any region in its name. Years are those of the change:
where one name gave way to another in a year, both count in that year. Blank: since the list began, or to this day.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from schemas.files import SCHEMAS, Row, once, read_rows

LEVELS = ("province", "city", "county")


@dataclass(frozen=True, slots=True)
class Division:
    """One name of one code between two years."""

    division: str
    name_zh: str
    short_zh: str
    """Without 省, 市, 自治州 …; blank where that leaves a single character (``忠县``)."""
    level: str
    since: int | None
    until: int | None
    source: str


@once
def divisions(root: Path = SCHEMAS) -> tuple[Division, ...]:
    """Read ``vocabularies/divisions.csv``."""
    columns = ("division", "name_zh", "short_zh", "level", "since", "until", "source")
    found: list[Division] = []
    seen: set[tuple[str, str, str]] = set()
    for row in read_rows(root / "vocabularies" / "divisions.csv", columns):
        code, name, short = row["division"], row.need("name_zh"), row["short_zh"]
        if not re.fullmatch(r"\d{6}", code):
            raise row.fail(f"division {code!r} has not 6 digits")
        if short and (len(short) < 2 or not name.startswith(short)):
            raise row.fail(f"short_zh {short!r} is no beginning of {name!r}, or a single character")
        if (code, name, row["since"]) in seen:
            raise row.fail(f"{code} {name} stands twice")
        seen.add((code, name, row["since"]))
        since, until = _years(row)
        level = row.one_of("level", LEVELS)
        found.append(Division(code, name, short, level, since, until, row.need("source")))
    return tuple(found)


def _years(row: Row) -> tuple[int | None, int | None]:
    for name in ("since", "until"):
        if row[name] and not re.fullmatch(r"(19|20)\d\d", row[name]):
            raise row.fail(f"{name} {row[name]!r} is not a year")
    since, until = (int(row[name]) if row[name] else None for name in ("since", "until"))
    if since and until and since > until:
        raise row.fail(f"since {since} is after until {until}")
    return since, until


@once
def _by_code(root: Path = SCHEMAS) -> dict[str, tuple[Division, ...]]:
    found: dict[str, list[Division]] = {}
    for division in divisions(root):
        found.setdefault(division.division, []).append(division)
    return {code: tuple(names) for code, names in found.items()}


def find_division(code: str, year: int | None = None, root: Path = SCHEMAS) -> Division | None:
    """Find what a code (6 digits) meant in a year; without a year its latest meaning.

    Examples
    --------
    >>> find_division("500110").name_zh, find_division("500110", 2005).name_zh
    ('綦江区', '万盛区')
    """
    names = _by_code(root).get(code, ())
    if year is not None:
        names = tuple(one for one in names if (one.since or 0) <= year <= (one.until or 9999))
    return max(names, key=lambda one: (one.until or 9999, one.since or 0), default=None)


@lru_cache(maxsize=4096)
def division_path(code: str, year: int | None = None, root: Path = SCHEMAS) -> tuple[str, ...]:
    """Name a code from the province down; levels nobody knows are left out.

    Examples
    --------
    >>> division_path("510703"), division_path("500109")
    (('四川省', '绵阳市', '涪城区'), ('重庆市', '北碚区'))
    """
    found = (find_division(one, year, root) for one in dict.fromkeys((code[:2] + "0000", code[:4] + "00", code)))
    return tuple(one.name_zh for one in found if one is not None)


@once
def region_words(root: Path = SCHEMAS) -> dict[str, tuple[str, ...]]:
    """Give every word that names a region, full or short, of today or before: word → codes, those of today first.

    Names that say nothing of where (郊区, 城区, 矿区, 林区) are left out.

    Examples
    --------
    >>> region_words()["北碚"], region_words()["北碚区"]
    (('500109', '510215'), ('500109', '510215'))
    """
    found: dict[str, dict[str, bool]] = {}
    for one in divisions(root):
        for word in filter(None, (one.name_zh, one.short_zh)):
            if len(word) == 2 and word.endswith("区"):
                continue
            codes = found.setdefault(word, {})
            codes[one.division] = codes.get(one.division, False) or one.until is None
    return {word: tuple(sorted(codes, key=lambda code: (not codes[code], code))) for word, codes in found.items()}
