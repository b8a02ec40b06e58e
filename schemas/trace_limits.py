"""Limits of using the credit register (bulk use, old sources), and the sources an answer must own up to not reading.

They stand in ``vocabularies/trace_limits.csv`` and ``not_connected.csv``; who wants others changes these files.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from schemas.files import SCHEMAS, MalformedFact, once, read_rows

UNITS = ("enterprises", "searches", "lines", "tries", "minutes", "days")
NEEDED = (
    "bulk-lookups", "bulk-window", "source-old", "daily-lookups", "daily-searches", "daily-lines",
    "searches-a-second", "slip-checks-a-minute",
)  # fmt: skip
_COLUMNS = ("limit", "value", "unit", "kinds", "meaning_zh", "meaning_en", "source")


@dataclass(frozen=True, slots=True)
class TraceLimit:
    """One figure; ``kinds`` are the kinds of access it counts."""

    limit: str
    value: int
    unit: str
    kinds: tuple[str, ...]
    meaning_zh: str
    meaning_en: str
    source: str


@once
def trace_limits(root: Path = SCHEMAS) -> dict[str, TraceLimit]:
    """Read ``vocabularies/trace_limits.csv``: name of the limit → limit.

    Raises
    ------
    MalformedFact
        A limit the program needs is missing or stands twice, or a value is no whole number above 0.
    """
    path = root / "vocabularies" / "trace_limits.csv"
    rows = read_rows(path, _COLUMNS)
    found: dict[str, TraceLimit] = {}
    for row in rows:
        name, value = row.need("limit"), row.need("value")
        if not (value.isascii() and value.isdigit() and int(value)):
            raise row.fail(f"value {value!r} is not a whole number above 0")
        if name in found or name not in NEEDED:
            raise row.fail(f"limit {name!r} stands twice or is not used; used: {', '.join(NEEDED)}")
        words = (row.need("meaning_zh"), row.need("meaning_en"), row.need("source"))
        found[name] = TraceLimit(name, int(value), row.one_of("unit", UNITS), row.many("kinds"), *words)
    for name in NEEDED:
        if name not in found:
            raise MalformedFact(path, 1, f"limit {name!r} is missing")
    return found


@dataclass(frozen=True, slots=True)
class NotConnected:
    """Something an inspector may expect in an answer that this exchange does not read."""

    code: str
    title_zh: str
    title_en: str
    source: str


@once
def not_connected(root: Path = SCHEMAS) -> tuple[NotConnected, ...]:
    """Read ``vocabularies/not_connected.csv``."""
    columns = ("code", "title_zh", "title_en", "source")
    rows = read_rows(root / "vocabularies" / "not_connected.csv", columns)
    return tuple(NotConnected(*(row.need(name) for name in columns)) for row in rows)
