"""A period that never came is told for a week; then its alarm ends as given up, and the board keeps the gap."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta

import pytest
from made_ledger import Ledger, china, due, source, whole

from pipelines.alarms import troubles
from pipelines.board import board, china_day
from pipelines.lapsed import carry_lapsed
from records.alarms import alarms, outbox, tell

DAY = timedelta(days=1)
AIR = source(timetable=due(since=date(2026, 4, 1)))
OFF = source(timetable=due(since=date(2026, 4, 1)), enabled=False)


@pytest.fixture
def ledger(records):
    return Ledger(records)


@pytest.fixture
def judge(records):
    """Judge at a moment as a night does; gives the kinds of the notices made, by code."""
    known = set()

    def at(now: datetime, one=AIR):
        seen = board(records, {one.key: one}, china_day(now) - 31 * DAY, china_day(now), now)
        found = [each for each in troubles(records, {one.key: one}, (), seen, {}, now) if each.source == one.key]
        found, given_up = carry_lapsed(found, alarms(records), seen)
        tell(records, found, {one.key}, now, ["log"], given_up=given_up)
        made = [each for each in outbox(records, now) if each.event_id not in known]
        known.update(each.event_id for each in made)
        return {(alarm["code"], each.kind) for each in made for alarm in each.alarms}

    return at


def come(ledger, *days: int, at: str = "") -> None:
    for day in days:
        when = china(at) if at else china(f"2026-04-{day + 1:02}T02:30")
        ledger.file(AIR, when, whole(f"2026-04-{day:02}"))


def noon(day: int) -> datetime:
    return china(f"2026-04-{day:02}T12:00")


def test_what_never_came_is_given_up_after_a_week_and_stays_on_the_board(ledger, judge, records):
    come(ledger, 1, 3, 4, 5, 6, 7, 8, 9)
    assert judge(noon(3)) == {("missing", "opened")}
    assert judge(noon(9)) == {("missing", "reminder")}
    assert judge(noon(10)) == {("missing", "given-up")}
    (alarm,) = alarms(records, open_only=False)
    assert alarm.closed_at == noon(10) and alarm.detail["given_up"] == ["2026-04-02"]
    closed = [json.loads(event.payload) for event in records.events(limit=None) if event.kind == "alarm-closed"]
    assert [one["given_up"] for one in closed] == [["2026-04-02"]]
    (gap,) = [
        cell for cell in board(records, {AIR.key: AIR}, date(2026, 4, 2), date(2026, 4, 10), noon(10)).cells
        if cell.missing
    ]  # fmt: skip
    assert (gap.day, gap.state) == (date(2026, 4, 3), "missing")


def test_what_came_in_the_end_has_recovered(ledger, judge, records):
    come(ledger, 1, 3, 4, 5, 6, 7, 8)
    assert judge(noon(3)) == {("missing", "opened")}
    come(ledger, 2, at="2026-04-08T15:00")
    assert judge(noon(9)) == {("missing", "recovered")}
    assert "given_up" not in alarms(records, open_only=False)[0].detail


def test_a_gap_under_an_alarm_that_lasts_for_another_is_told_at_its_end(ledger, judge, records):
    come(ledger, 1, 3, 4, 5, 6, 8, 9, 10)
    assert judge(noon(3)) == {("missing", "opened")}
    judge(noon(8))
    judge(noon(10))
    (alarm,) = alarms(records)
    assert (alarm.detail["periods"], alarm.detail["given_up"]) == (["2026-04-07"], ["2026-04-02"])
    come(ledger, 7, at="2026-04-10T15:00")
    assert judge(noon(11)) == {("missing", "given-up")}
    assert alarms(records, open_only=False)[0].detail["given_up"] == ["2026-04-02"]


def test_a_gap_that_is_filled_after_all_is_no_longer_given_up(ledger, judge, records):
    come(ledger, 1, 3, 4, 5, 6, 8, 9, 10)
    for day in (3, 8, 10):
        judge(noon(day))
    come(ledger, 2, 7, at="2026-04-10T15:00")
    assert judge(noon(11)) == {("missing", "recovered")}
    assert "given_up" not in alarms(records, open_only=False)[0].detail


def test_the_newest_is_not_given_up_before_the_next_is_due(ledger, records, judge):
    monthly = source(timetable=due("month", day=8, since=date(2026, 3, 1), until=date(2026, 5, 31)))
    assert judge(noon(8), monthly) == {("missing", "opened")}
    assert judge(china("2026-05-07T12:00"), monthly) == {("missing", "reminder")}
    ledger.file(monthly, china("2026-05-08T05:00"), {"2026-04-05": [9, 9, 1]})
    assert judge(china("2026-05-08T12:00"), monthly) == {("missing", "given-up")}


def test_where_nothing_is_expected_any_more_nothing_is_given_up(judge):
    assert judge(noon(3)) == {("missing", "opened")}
    assert judge(noon(4), OFF) == {("missing", "recovered"), ("disabled", "opened")}
