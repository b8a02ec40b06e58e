"""Alarms: what each code means and what to do about it, as ``alarms.csv`` says; ``docs/alarms.md`` is made from it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from schemas.files import SCHEMAS, once, read_rows

SEVERITIES = ("warning", "error")
ENDS = ("", "handled")
"""How an alarm ends: by itself once its trouble is gone, or by a person who looked into it."""
_COLUMNS = (
    "code",
    "severity",
    "title_zh",
    "title_en",
    "meaning_zh",
    "meaning_en",
    "remedy_zh",
    "remedy_en",
    "source",
)


@dataclass(frozen=True, slots=True)
class AlarmKind:
    """One kind of trouble, in words an operator acts on."""

    code: str
    severity: str
    title_zh: str
    title_en: str
    meaning_zh: str
    meaning_en: str
    remedy_zh: str
    remedy_en: str
    source: str
    handled: bool
    """Whether only a person ends it: that it is not seen again says nothing."""


@once
def alarm_kinds(root: Path = SCHEMAS) -> dict[str, AlarmKind]:
    """Read ``alarms.csv``: code → kind, in the order of the file."""
    found: dict[str, AlarmKind] = {}
    for row in read_rows(root / "alarms.csv", (*_COLUMNS, "ends")):
        if not re.fullmatch(r"[a-z]+(-[a-z]+)*", row["code"]):
            raise row.fail(f"code {row['code']!r} is not lower-case words joined by '-'")
        if row["code"] in found:
            raise row.fail(f"code {row['code']!r} stands twice")
        row.one_of("severity", SEVERITIES)
        row.one_of("ends", ENDS)
        found[row["code"]] = AlarmKind(**{name: row.need(name) for name in _COLUMNS}, handled=row["ends"] == "handled")
    return found
