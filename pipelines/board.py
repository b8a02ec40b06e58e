"""The board: per source and day what was expected, what came, and what became of it.

It is read from what the records hold, in a handful of queries: batches and visits. All days are days of China. A due
belongs to the day on which its time ends, a file to the day on which it was received.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from pipelines.awaited import CHINA, DAY, DueState, expected, follow
from records.runs import Visit, visits
from records.store import BatchRecord, Records
from schemas.sources import Source
from schemas.timetables import Due

NIGHT = "night:"
LOOKBACK = 40 * DAY
"""How long before the first day a batch may have brought what is due in it; a longer period is looked up by itself."""

STATES = (
    "failed", "missing", "empty", "refused", "unchanged", "late", "partial", "pending", "ok", "quiet", "disabled",
)  # fmt: skip
"""The worst first.

failed: the last visit of the day failed. missing: something due did not come. empty, unchanged: the same, and the
last visit shows why: the source had no rows, or its one file was still the old one (empty also where no timetable says
when rows are due). refused: a batch was refused, or nothing of the day passed. late: it came after its time. partial:
some results passed, some did not. pending: its time is still to come. ok: it came. quiet: nothing due, nothing came.
disabled: the source is switched off.
"""


@dataclass(frozen=True, slots=True)
class Cell:
    """One source on one day."""

    source: str
    bureau: str
    title: str
    day: date
    state: str
    expected: int = 0
    """Dues of this day: ``received`` (``late`` among them) + ``missing`` + ``pending``."""
    received: int = 0
    late: int = 0
    missing: int = 0
    pending: int = 0
    files: int = 0
    """Batches received on this day, ``batches_refused`` among them."""
    batches_refused: int = 0
    results_read: int = 0
    accepted: int = 0
    refused: int = 0
    """Results of these batches."""
    empty: int = 0
    unchanged: int = 0
    failed: int = 0
    """Visits of this day that ended so."""
    codes: tuple[str, ...] = ()
    dues: tuple[DueState, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Give one entry of ``cells``."""
        told: dict[str, Any] = {name: getattr(self, name) for name in Cell.__slots__}
        return told | {
            "day": self.day.isoformat(), "codes": list(self.codes), "dues": [due.as_json() for due in self.dues],
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Board:
    """Cells by source and day, and how each source stands now."""

    since: date
    until: date
    at: datetime
    cells: tuple[Cell, ...]
    lag: dict[str, float | None]
    """Hours since the newest accepted content; None where there is none."""
    newest: dict[str, DueState] = field(default_factory=dict)
    """The newest due whose time is past, however long ago."""
    last: dict[str, Visit] = field(default_factory=dict)
    """The last finished visit within these days."""

    def as_json(self) -> dict[str, Any]:
        """Give the board for programs and pages."""
        return {
            "since": self.since.isoformat(), "until": self.until.isoformat(), "at": self.at.isoformat(),
            "lag_hours": self.lag, "cells": [cell.as_json() for cell in self.cells],
        }  # fmt: skip


def board(records: Records, found: Mapping[str, Source], since: date, until: date, now: datetime) -> Board:
    """Make the board of the days ``since`` to ``until``, both included."""
    start, end = midnight(since), midnight(until + DAY)
    looks = visits(records, since=start, until=end)
    awaited = {key: _awaited(source, start, end, now) for key, source in found.items()}
    came = _batches(records, found, awaited, start, now)
    own = {key: [one for one in batches if one.submitted_by == f"{NIGHT}{key}"] for key, batches in came.items()}
    _add_known_bytes(records, came, looks)
    by_day = _by_day(looks)
    cells: list[Cell] = []
    newest: dict[str, DueState] = {}
    for key, source in found.items():
        states = follow(awaited[key], came[key], now, source.kind)
        past = [due for due in states if due.at <= now]
        if past:
            newest[key] = past[-1]
        cells += _cells(source, states, own[key], by_day, (since, until))
    last: dict[str, Visit] = {}
    for visit in looks:  # the newest first
        if visit.state != "running":
            last.setdefault(visit.source, visit)
    lag = {key: _lag(source, own[key], now) for key, source in found.items()}
    return Board(since, until, now, tuple(cells), lag, newest, last)


def midnight(day: date) -> datetime:
    """Give the instant at which a day of China begins."""
    return datetime.combine(day, time(0), CHINA).astimezone(UTC)


def china_day(at: datetime) -> date:
    """Give the day of China at an instant."""
    return at.astimezone(CHINA).date()


# -- what came ------------------------------------------------------------------------------------------------


def _awaited(source: Source, start: datetime, end: datetime, now: datetime) -> tuple[Due, ...]:
    """Give the dues of the days and up to now, with their neighbours."""
    if source.timetable is None or not source.enabled:
        return ()
    return expected(source.timetable, min(start, now), max(end, now))


def _batches(
    records: Records,
    found: Mapping[str, Source],
    awaited: Mapping[str, Sequence[Due]],
    start: datetime,
    now: datetime,
) -> dict[str, list[BatchRecord]]:
    came: dict[str, list[BatchRecord]] = {key: [] for key in found}
    for batch in records.batches_between(start - LOOKBACK, now + DAY, NIGHT):
        if batch.submitted_by.removeprefix(NIGHT) in came:
            came[batch.submitted_by.removeprefix(NIGHT)].append(batch)
    for key, source in found.items():
        oldest = min((midnight(due.first) for due in awaited[key]), default=start)
        if source.stale_hours is not None:
            oldest = min(oldest, now - timedelta(hours=source.stale_hours))
        if oldest < start - LOOKBACK:
            earlier = records.batches_between(oldest, start - LOOKBACK, f"{NIGHT}{key}")
            came[key] = [one for one in earlier if one.submitted_by == f"{NIGHT}{key}"] + came[key]
    return came


def _add_known_bytes(records: Records, came: dict[str, list[BatchRecord]], looks: Sequence[Visit]) -> None:
    """Count what a source published for its dues although the same bytes had been handed in by somebody before."""
    known = {batch.batch_id: batch for batches in came.values() for batch in batches}
    for visit in looks:
        if visit.source not in came:
            continue
        there = {batch.batch_id for batch in came[visit.source]}
        strange = [number for number in visit.batches if number not in there]
        if strange:
            for number in strange:
                known.setdefault(number, records.batch(number))
            added = came[visit.source] + [known[number] for number in strange]
            came[visit.source] = sorted(added, key=lambda batch: (batch.received_at, batch.batch_id))


def _lag(source: Source, batches: Sequence[BatchRecord], now: datetime) -> float | None:
    """Hours since the end of the newest day (for hourly data: hour) of which something was accepted."""
    hourly = source.timetable is not None and source.timetable.every == "hour"
    ends = []
    for batch in batches:
        if batch.state == "published" and not batch.covers:
            ends.append(batch.received_at)
        ends += [
            midnight(date.fromisoformat(day)) + timedelta(hours=mask.bit_length() if hourly else 24)
            for day, (_, went, mask) in batch.covers.items()
            if went and batch.state == "published"
        ]
    return max((now - max(ends)).total_seconds() / 3600, 0.0) if ends else None


# -- cells ----------------------------------------------------------------------------------------------------


def _by_day(looks: Sequence[Visit]) -> dict[tuple[str, date], list[Visit]]:
    found: dict[tuple[str, date], list[Visit]] = defaultdict(list)
    for visit in looks:
        if visit.state != "running":
            found[visit.source, china_day(visit.started_at)].append(visit)
    return found


def _cells(
    source: Source,
    states: Sequence[DueState],
    batches: Sequence[BatchRecord],
    by_day: Mapping[tuple[str, date], Sequence[Visit]],
    span: tuple[date, date],
) -> list[Cell]:
    first, last = span
    awaited: dict[date, list[DueState]] = defaultdict(list)
    for due in states:
        awaited[china_day(due.at)].append(due)
    came: dict[date, list[BatchRecord]] = defaultdict(list)
    for batch in batches:
        came[china_day(batch.received_at)].append(batch)
    days = (first + n * DAY for n in range((last - first).days + 1))
    return [
        _cell(source, day, awaited.get(day, ()), came.get(day, ()), by_day.get((source.key, day), ())) for day in days
    ]


def _cell(
    source: Source, day: date, awaited: Sequence[DueState], came: Sequence[BatchRecord], looks: Sequence[Visit]
) -> Cell:
    due, seen = Counter(one.state for one in awaited), Counter(look.state for look in looks)
    results: Counter[str] = Counter()
    for batch in came:
        results.update({name: batch.results.get(name, 0) for name in ("read", "published", "quarantined")})
    refused = sum(batch.state == "refused" for batch in came)
    return Cell(
        source=source.key,
        bureau=source.bureau,
        title=source.title,
        day=day,
        state=_state(source, awaited, looks, len(came), refused, results),
        expected=len(awaited),
        received=due["received"] + due["late"],
        late=due["late"],
        missing=due["missing"],
        pending=due["pending"],
        files=len(came),
        batches_refused=refused,
        results_read=results["read"],
        accepted=results["published"],
        refused=results["quarantined"],
        empty=seen["empty"],
        unchanged=seen["unchanged"],
        failed=seen["failed"],
        codes=tuple(sorted({look.code for look in looks if look.code})),
        dues=tuple(awaited),
    )


def _state(
    source: Source,
    awaited: Sequence[DueState],
    looks: Sequence[Visit],
    files: int,
    refused: int,
    results: Mapping[str, int],
) -> str:
    """Say the worst that is true of a day; see :data:`STATES`."""
    last = looks[0].state if looks else ""
    if not source.enabled and not looks and not files:
        return "disabled"
    if last in ("failed", "skipped"):
        return "failed"
    states = {due.state for due in awaited}
    if "missing" in states:
        return _explained(source, last) or "missing"
    if last == "empty" and source.timetable is None and not files and not source.empty_is_fine:
        return "empty"
    if refused or any(due.refused for due in awaited) or (results["quarantined"] and not results["published"]):
        return "refused"
    if "late" in states:
        return "late"
    if results["quarantined"]:
        return "partial"
    if "pending" in states:
        return "pending"
    return "ok" if files or "received" in states else "quiet"


def _explained(source: Source, last: str) -> str:
    """Name what the last visit showed in place of what is missing: no rows, or the one thing there is as it was."""
    if last == "empty" and not source.empty_is_fine:
        return "empty"
    return "unchanged" if last == "unchanged" and source.kind in ("file", "api") else ""
