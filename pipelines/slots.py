"""The slots of a job: its scheduled moments, their names in China time, and which of them are due."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime, time, timedelta

from records.store import CHINA

Slot = tuple[str, datetime]
Slots = Callable[[datetime, datetime], list[Slot]]
"""Gives the slots after the first and up to the second moment, in order; their names sort like their times."""


def nightly(at: time) -> Slots:
    """One slot a day, named by the China day, at a China time of day."""

    def slots(since: datetime, until: datetime) -> list[Slot]:
        first, last = since.astimezone(CHINA).date(), until.astimezone(CHINA).date()
        days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
        moments = [(day.isoformat(), datetime.combine(day, at, CHINA).astimezone(UTC)) for day in days]
        return [(name, moment) for name, moment in moments if since < moment <= until]

    return slots


def hourly(minute: int) -> Slots:
    """One slot an hour, named by the China hour it lies in, at a minute of the hour."""

    def slots(since: datetime, until: datetime) -> list[Slot]:
        first = since.astimezone(CHINA).replace(minute=minute, second=0, microsecond=0)
        hours = [first + timedelta(hours=number) for number in range(int((until - first) / timedelta(hours=1)) + 1)]
        return [(f"{hour:%Y-%m-%dT%H}", hour.astimezone(UTC)) for hour in hours if since < hour <= until]

    return slots


def due(slots: Slots, catch_up: timedelta, known: Collection[str], now: datetime) -> list[Slot]:
    """Slots that have come and are not in the ledger, at most ``catch_up`` back.

    Not simply those after the newest one known: a clock that once ran ahead would then silence the job until the time
    it showed. Where the ledger holds nothing as old as this (a first start, or a clock that was wrong before), only
    the newest: what came before was never promised.

    Examples
    --------
    >>> from datetime import UTC, datetime, time, timedelta
    >>> now = datetime(2026, 4, 6, 0, tzinfo=UTC)
    >>> [name for name, at in due(nightly(time(2)), timedelta(days=7), {"2026-04-03", "2026-04-05"}, now)]
    ['2026-04-04', '2026-04-06']
    """
    found = slots(now - catch_up, now)
    first = min(known, default=None)
    if not found or first is None or first > found[-1][0]:
        return found[-1:]
    return [slot for slot in found if slot[0] > first and slot[0] not in known]


def upcoming(slots: Slots, now: datetime) -> Slot | None:
    """Give the next slot, if there is one within about a year."""
    for ahead in (timedelta(minutes=1), timedelta(days=2), timedelta(days=400)):
        for slot in slots(now, now + ahead):
            return slot
    return None
