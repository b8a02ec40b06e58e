"""Findings as a person works through them: by what they ask of him, then by rule, each with its first cells.

A page shows at most a thousand rows, whatever the file holds; all of them are in the downloads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from portal.web.words import CLASS_OF, CLASSES, Words

if TYPE_CHECKING:
    import pandas as pd

ROWS = 1000
"""Findings shown on a page."""
PER_RULE = 200
"""Of one rule, where several share the page."""
LONGEST_TEXT = 120


@dataclass(frozen=True, slots=True)
class Group:
    """The findings of one rule; ``rows`` are the first of ``count``."""

    rule: str
    severity: str
    message: str
    clause: str
    count: int
    rows: tuple[Mapping[str, Any], ...]

    @property
    def kind(self) -> str:
        """Say what they ask for: ``must``, ``confirm`` or ``inform``."""
        return CLASS_OF.get(self.severity, "inform")


@dataclass(frozen=True, slots=True)
class Sorted:
    """All findings of a file, by what they ask for."""

    groups: Mapping[str, tuple[Group, ...]]
    total: int
    shown: int
    rule: str = ""
    text: str = ""

    def count(self, kind: str) -> int:
        """Count the findings of a class."""
        return sum(group.count for group in self.groups[kind])


def sort_findings(frame: pd.DataFrame, words: Words, rule: str = "", text: str = "") -> Sorted:
    """Sort findings; ``rule`` and ``text`` choose those of one rule, or with a text in their cells."""
    rule, text = rule[:LONGEST_TEXT], text.strip()[:LONGEST_TEXT]
    total = len(frame)
    if rule:
        frame = frame[frame["rule"] == rule]
    if text:
        frame = frame[_holds(frame, text)]
    groups = tuple(_groups(frame, words, ROWS if rule else PER_RULE))
    by_kind = {kind: tuple(group for group in groups if group.kind == kind) for kind in CLASSES}
    return Sorted(by_kind, total, sum(len(group.rows) for group in groups), rule, text)


def _holds(frame: pd.DataFrame, text: str) -> pd.Series:
    """Say which findings have a text in value, record, header, message, rule or row number."""
    found = frame["row"].astype("string").fillna("") == text
    for name in ("value", "key", "header", "message", "rule"):
        found |= frame[name].astype("string").fillna("").str.contains(text, case=False, regex=False)
    return found


def _groups(frame: pd.DataFrame, words: Words, most: int) -> Iterator[Group]:
    """Give a group for each rule, the most severe first; the rows of all together stay within bounds."""
    room = ROWS
    for (rule, severity), part in frame.groupby(["rule", "severity"], sort=False, observed=True):
        rows = [_plain(row) for row in part.head(max(min(most, room), 1)).to_dict("records")]
        room -= len(rows)
        message = str(words(rows[0]["message"] or "", rows[0]["message_en"] or ""))
        yield Group(str(rule), str(severity), message, str(rows[0]["clause"] or ""), len(part), tuple(rows))


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Give a row without the marks of missing values; a row of the file is a whole number."""
    told = {str(name): None if value is None or value != value else value for name, value in row.items()}
    return told | {"row": None if told["row"] is None else int(told["row"])}
