"""Timetables: which periods are due, and when; plain arithmetic of dates.

A period is an hour, day, week, month or year of China time; the country has kept one offset, UTC+8, since 1991. A due is
never before its period has ended.
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from schemas.sources import Timetable

CHINA = dt.timezone(dt.timedelta(hours=8))
DAY = dt.timedelta(days=1)
LENGTH = {"hour": 1, "day": 1, "week": 7, "month": 31, "year": 366}
"""Most days of a period; ``day`` lies at most as many behind its end."""


@dataclass(frozen=True, slots=True)
class Due:
    """One period and the instant by which it must have come."""

    period: str
    """``2026-04-06T03``, ``2026-04-06``, ``2026-W15``, ``2026-03`` or ``2025``."""
    first: dt.date
    last: dt.date
    hour: int | None
    at: dt.datetime


def dues(timetable: Timetable, since: dt.datetime, until: dt.datetime) -> list[Due]:
    """Give what falls due in ``[since, until)``, in order.

    Examples
    --------
    >>> monthly = Timetable("month", dt.time(12), 1, 31, None, None, None)
    >>> [due.at.isoformat() for due in dues(monthly, _utc(2026, 1, 1), _utc(2026, 3, 1))]
    ['2026-01-31T04:00:00+00:00', '2026-02-28T04:00:00+00:00']
    """
    if until <= since:
        return []
    length = LENGTH[timetable.every]
    reach = length + max(timetable.lag, length) + 1
    first = since.astimezone(CHINA).date() - reach * DAY
    found = periods_of(timetable, first, until.astimezone(CHINA).date())
    return [due for due in found if since <= due.at < until]


def periods_of(timetable: Timetable, first: dt.date, last: dt.date) -> list[Due]:
    """Give the periods whose days meet ``[first, last]``, in order."""
    since, until = timetable.since or dt.date.min, timetable.until or dt.date.max
    return [
        _due(timetable, start, end, hour)
        for start, end, hour in _periods(timetable.every, first, last)
        if since <= start and end <= until
    ]


def _periods(every: str, first: dt.date, last: dt.date) -> Iterator[tuple[dt.date, dt.date, int | None]]:
    start = _start(every, first)
    while start <= last:
        end = _end(every, start)
        if every == "hour":
            for hour in range(24):
                yield start, end, hour
        else:
            yield start, end, None
        start = end + DAY


def _start(every: str, day: dt.date) -> dt.date:
    if every == "week":
        return day - day.weekday() * DAY
    if every == "month":
        return day.replace(day=1)
    return day.replace(month=1, day=1) if every == "year" else day


def _end(every: str, start: dt.date) -> dt.date:
    if every == "week":
        return start + 6 * DAY
    if every == "month":
        return _day_of(start.year, start.month, 31)
    return start.replace(month=12, day=31) if every == "year" else start


def _day_of(year: int, month: int, day: int) -> dt.date:
    return dt.date(year, month, min(day, calendar.monthrange(year, month)[1]))


def _due(timetable: Timetable, start: dt.date, end: dt.date, hour: int | None) -> Due:
    if hour is not None:
        ends = dt.datetime.combine(start, dt.time(hour), CHINA) + dt.timedelta(hours=1)
        at = ends + timetable.lag * DAY + dt.timedelta(minutes=timetable.by.minute)
        return Due(f"{start}T{hour:02}", start, end, hour, at.astimezone(dt.UTC))
    at = dt.datetime.combine(_day_due(timetable, end), timetable.by, CHINA)
    return Due(_name(timetable.every, start), start, end, None, at.astimezone(dt.UTC))


def _day_due(timetable: Timetable, end: dt.date) -> dt.date:
    if timetable.day is None:
        return end + timetable.lag * DAY
    after = end + DAY
    if timetable.every == "week":
        return after + (timetable.day - 1) * DAY
    return _day_of(after.year, timetable.month or after.month, timetable.day)


def _name(every: str, start: dt.date) -> str:
    if every == "week":
        year, week, _ = start.isocalendar()
        return f"{year}-W{week:02}"
    return start.isoformat()[: {"day": 10, "month": 7, "year": 4}[every]]


def _utc(year: int, month: int, day: int) -> dt.datetime:
    return dt.datetime(year, month, day, tzinfo=dt.UTC)
