"""Timetables: what is due when, over leap days, month ends and years; and what holds for each of them."""

from __future__ import annotations

import datetime as dt
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.sources import Timetable
from schemas.timetables import CHINA, dues, periods_of


def table(every: str, by: str = "06:00", lag: int = 1, **more) -> Timetable:
    blank = {"day": None, "month": None, "since": None, "until": None}
    return Timetable(every, time.fromisoformat(by), lag, **(blank | more))


def china(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=CHINA)


@pytest.mark.parametrize(
    ("timetable", "period", "at"),
    [
        (table("hour", "00:20", lag=0), "2026-04-06T03", "2026-04-06T04:20"),
        (table("hour", "00:20", lag=0), "2026-12-31T23", "2027-01-01T00:20"),
        (table("day"), "2026-04-06", "2026-04-07T06:00"),
        (table("day", "23:59"), "2028-02-28", "2028-02-29T23:59"),
        (table("day", "23:59"), "2028-02-29", "2028-03-01T23:59"),
        (table("day", "00:00"), "2026-12-31", "2027-01-01T00:00"),
        (table("day", lag=3), "2026-02-27", "2026-03-02T06:00"),
        (table("week"), "2026-W15", "2026-04-13T06:00"),
        (table("week", day=3), "2026-W53", "2027-01-06T06:00"),
        (table("month", day=31), "2026-01", "2026-02-28T06:00"),
        (table("month", day=31), "2028-01", "2028-02-29T06:00"),
        (table("month", day=8), "2026-12", "2027-01-08T06:00"),
        (table("month", lag=10), "2026-03", "2026-04-10T06:00"),
        (table("year", day=30, month=4), "2025", "2026-04-30T06:00"),
        (table("year", day=29, month=2), "2026", "2027-02-28T06:00"),
        (table("year", day=29, month=2), "2027", "2028-02-29T06:00"),
        (table("year"), "2025", "2026-01-01T06:00"),
    ],
)
def test_a_period_is_due_when_its_timetable_says(timetable, period, at):
    moment = china(at)
    (found,) = dues(timetable, moment, moment + timedelta(minutes=1))
    assert (found.period, found.at) == (period, moment) and found.at.tzinfo is UTC
    assert dues(timetable, moment + timedelta(microseconds=1), moment + timedelta(minutes=1)) == []
    assert dues(timetable, moment - timedelta(minutes=1), moment) == []


def test_only_periods_wholly_within_the_dates_count():
    monthly = table("month", day=5, since=date(2026, 1, 15), until=date(2026, 3, 31))
    assert [due.period for due in periods_of(monthly, date(2025, 1, 1), date(2027, 1, 1))] == ["2026-02", "2026-03"]


def test_a_range_of_days_gives_the_periods_that_meet_it():
    assert [due.period for due in periods_of(table("week"), date(2026, 4, 5), date(2026, 4, 6))] == [
        "2026-W14",
        "2026-W15",
    ]
    hourly = periods_of(table("hour", lag=0), date(2028, 2, 29), date(2028, 2, 29))
    assert [due.hour for due in hourly] == list(range(24)) and hourly[-1].at == china("2028-03-01T06:00") - timedelta(
        hours=6
    )


days = st.dates(date(1995, 1, 1), date(2095, 12, 31))


@st.composite
def timetables(draw) -> Timetable:
    every = draw(st.sampled_from(("hour", "day", "week", "month", "year")))
    by = draw(st.times().map(lambda at: at.replace(second=0, microsecond=0)))
    if every in ("week", "month", "year") and draw(st.booleans()):
        day = draw(st.integers(1, 7 if every == "week" else 31))
        month = draw(st.integers(1, 12)) if every == "year" else None
        return Timetable(every, by, 1, day, month, None, None)
    return Timetable(every, by, draw(st.integers(0 if every == "hour" else 1, 400)), None, None, None, None)


@settings(max_examples=60, deadline=None)
@given(timetables(), days, st.integers(0, 800))
def test_dues_are_in_order_each_period_once_and_never_before_its_end(timetable, first, length):
    since = datetime.combine(first, time(0), CHINA)
    until = since + timedelta(days=min(length, 30) if timetable.every == "hour" else length)
    found = dues(timetable, since, until)
    assert [due.at for due in found] == sorted({due.at for due in found})
    assert len({due.period for due in found}) == len(found)
    for due in found:
        end = datetime.combine(due.last + timedelta(days=1), time(0), CHINA)
        if due.hour is not None:
            end = datetime.combine(due.first, time(due.hour), CHINA) + timedelta(hours=1)
        assert end <= due.at and since <= due.at < until


@settings(max_examples=40, deadline=None)
@given(timetables(), days, st.integers(0, 60), st.integers(0, 60))
def test_cutting_a_span_in_two_loses_and_doubles_nothing(timetable, first, left, right):
    start = datetime.combine(first, time(0), CHINA)
    middle, end = start + timedelta(days=left, hours=5), start + timedelta(days=left + right, hours=7)
    assert dues(timetable, start, middle) + dues(timetable, middle, end) == dues(timetable, start, end)


@settings(max_examples=40, deadline=None)
@given(timetables(), days)
def test_every_period_falls_due_exactly_once(timetable, day):
    for period in periods_of(timetable, day, day):
        at = period.at
        assert dues(timetable, at, at + dt.timedelta(microseconds=1)) == [period]
