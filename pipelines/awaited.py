"""Which batch brought which period: what a timetable expects, held against what came.

A batch that says which days it covers brings the periods that hold them. One that does not (a register, an unreadable
file) can only be placed by when it came: see :func:`_place_undated`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta, timezone
from functools import lru_cache

from records.store import BatchRecord
from schemas.sources import Timetable
from schemas.timetables import Due, dues

CHINA = timezone(timedelta(hours=8))
DAY = timedelta(days=1)
REACH = {"hour": 2, "day": 3, "week": 22, "month": 70, "year": 740}
"""Days within which at least two dues of a timetable lie, its lag aside."""


@dataclass(frozen=True, slots=True)
class DueState:
    """What became of one due period.

    ``state``: received (in time), late, missing (its time is past), pending.
    """

    period: str
    at: datetime
    ended: datetime
    """When the period was over: before, its data could not be whole."""
    state: str
    received_at: datetime | None = None
    batch_id: str | None = None
    refused: bool = False
    """It came, but nothing of it was accepted."""
    results: int = 0
    """What the source has of it; what was sent again, corrected or within a longer answer, counts once."""

    def as_json(self) -> dict[str, object]:
        """Give one entry of ``dues``."""
        return {
            "period": self.period, "at": self.at.isoformat(), "state": self.state, "batch_id": self.batch_id,
            "received_at": self.received_at.isoformat() if self.received_at else None,
            "refused": self.refused, "results": self.results,
        }  # fmt: skip


@lru_cache(maxsize=256)
def expected(timetable: Timetable, start: datetime, end: datetime) -> tuple[Due, ...]:
    """Give the dues of ``[start, end)``, the two before them and the one after."""
    reach = (REACH[timetable.every] + timetable.lag) * DAY
    found = dues(timetable, start - reach, end + reach)
    first = next((n for n, due in enumerate(found) if due.at >= start), len(found))
    after = next((n for n, due in enumerate(found) if due.at >= end), len(found))
    return tuple(found[max(first - 2, 0) : after + 1])


def ended(due: Due) -> datetime:
    """Say when a period was over."""
    if due.hour is not None:
        return datetime.combine(due.first, time(due.hour), CHINA).astimezone(UTC) + timedelta(hours=1)
    return datetime.combine(due.last + DAY, time(0), CHINA).astimezone(UTC)


def follow(awaited: Sequence[Due], batches: Sequence[BatchRecord], now: datetime, kind: str) -> list[DueState]:
    """Say what became of each due of a source of this kind; dues and batches are in the order of time."""
    hourly = any(due.hour is not None for due in awaited)
    by_day: dict[str, list[BatchRecord]] = {}
    undated = []
    for batch in batches:
        if not batch.covers or (hourly and not any(mask for _, _, mask in batch.covers.values())):
            undated.append(batch)
        for day in batch.covers:
            by_day.setdefault(day, []).append(batch)
    states = [_of_dated(due, by_day, now, kind in ("api", "file")) for due in awaited]
    return _place_undated(states, undated)


def _of_dated(due: Due, by_day: dict[str, list[BatchRecord]], now: datetime, again: bool) -> DueState:
    """Say what became of a due; ``again``: each answer of the source holds what earlier ones held."""
    found: dict[str, BatchRecord] = {}
    read = published = 0
    for day in _days(due):
        told: list[tuple[str, int, int]] = []
        for batch in by_day.get(day, ()):
            came, went, mask = batch.covers[day]
            if due.hour is not None:
                if not mask >> due.hour & 1:
                    continue
                came, mask = came // mask.bit_count(), 1 << due.hour
            if came:
                found[batch.batch_id] = batch
                told.append((batch.file_name, came, mask))
                published += went if batch.state == "published" else 0
        read += _once(told) if again else sum({name: came for name, came, _ in told}.values())
    over = ended(due)
    if not found:
        return DueState(due.period, due.at, over, "pending" if due.at > now else "missing")
    first = min(found.values(), key=lambda batch: (batch.received_at, batch.batch_id))
    return _brought(DueState(due.period, due.at, over, "", refused=not published, results=read), first)


def _once(told: Sequence[tuple[str, int, int]]) -> int:
    """Count the results of a day that several answers hold: each hour by the fullest of them."""
    hours: dict[int, float] = {}
    for _, came, mask in told:
        for hour in range(24):
            if mask >> hour & 1:
                hours[hour] = max(hours.get(hour, 0.0), came / mask.bit_count())
    return max([round(sum(hours.values())), *(came for _, came, _ in told)])


def _days(due: Due) -> Iterable[str]:
    if due.first == due.last:
        return (due.first.isoformat(),)
    return ((due.first + n * DAY).isoformat() for n in range((due.last - due.first).days + 1))


def _brought(due: DueState, batch: BatchRecord) -> DueState:
    state = "received" if batch.received_at <= due.at else "late"
    return replace(due, state=state, received_at=batch.received_at, batch_id=batch.batch_id)


def _place_undated(states: list[DueState], batches: Iterable[BatchRecord]) -> list[DueState]:
    """Give each batch that names no days to one due: the next one, or as late the one before.

    The one before is meant while it is unmet and the next period is not over yet. Were it always preferred, one missed
    file would make all later ones late. A refused file never counts for a period that is still going on.
    """
    times = [due.at for due in states]
    for batch in batches:
        at, good = batch.received_at, batch.state == "published"
        place = bisect_left(times, at)
        before, after = place - 1, place
        if after < len(states) and _open(states[after]) and states[after].ended <= at:
            chosen = after
        elif before >= 0 and _open(states[before]):
            chosen = before
        elif after < len(states) and _open(states[after]) and good and before >= 0:
            chosen = after
        else:
            # A corrected file for a period whose first file was refused.
            again = next((n for n in (after, before) if 0 <= n < len(states) and states[n].refused), None)
            if again is not None and good and states[again].ended <= at:
                states[again] = replace(states[again], refused=False, results=batch.results.get("read", 0))
            continue
        due = replace(states[chosen], refused=not good, results=batch.results.get("read", 0))
        states[chosen] = _brought(due, batch)
    return states


def _open(due: DueState) -> bool:
    return due.batch_id is None
