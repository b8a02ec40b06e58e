"""Missing hours: counted hour by hour against the table, and what a bureau says about them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from portal_home import MORNING
from portal_web import lively_home

from pipelines.batch import Places
from portal.gaps import CHINA, BadGap, declared_stops, explain, missing_spans, strip_of
from portal.statistics.shared_rows import current_rows
from records.chain import verify_chain
from records.errors import UnknownGap
from records.gaps import Told, gap_of, gaps, tell_gap, withdraw_gap
from records.statistics import deliveries
from records.store import Records
from schemas.places import stations
from schemas.statistics import due_slots

NOW = MORNING + timedelta(hours=6)
DAY = date(2026, 4, 8)


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Places:
    return lively_home(tmp_path_factory.mktemp("gaps"))


def hours_of(lived: Places, station_id: str, told=(), bureau: str = "mianyang"):
    station = next(one for one in stations(bureau) if one.station_id == station_id)
    with Records.open(lived.database_url) as records:
        came = deliveries(records, NOW - timedelta(days=90), NOW)
    return strip_of(lived, station, due_slots(), came, told, (DAY, DAY), NOW)


def valid_in_table(lived: Places, station_id: str) -> dict[datetime, int]:
    """Counted without the code that is tried."""
    with current_rows(lived, "air_observation") as (ask_for, table):
        rows = ask_for(
            f"SELECT period_start, count(*) FROM {table} WHERE station_id = '{station_id}' AND flag = 1 "
            "AND averaging_period = '1h' AND parameter IN ('SO2','NO2','CO','O3','PM10','PM2.5') GROUP BY 1"
        )
    return {at.astimezone(CHINA): count for at, count in rows}


def test_every_due_hour_has_as_many_valid_slots_as_the_table(lived):
    for station_id in ("1878A", "1879A"):
        hours = hours_of(lived, station_id)
        counted = valid_in_table(lived, station_id)
        assert len(hours) == 24 and {hour.due for hour in hours} == {6}
        assert {hour.at: hour.valid for hour in hours} == {hour.at: counted.get(hour.at, 0) for hour in hours}
        assert any(hour.valid for hour in hours)


def test_hours_before_the_first_delivery_and_after_yesterday_are_not_due(lived):
    station = next(one for one in stations("mianyang") if one.station_id == "1878A")
    with Records.open(lived.database_url) as records:
        came = deliveries(records, NOW - timedelta(days=90), NOW)
    found = strip_of(lived, station, due_slots(), came, (), (DAY - timedelta(days=7), DAY + timedelta(days=7)), NOW)
    days = {hour.at.date() for hour in found}
    assert min(days) >= DAY - timedelta(days=1) and max(days) <= NOW.astimezone(CHINA).date() - timedelta(days=1)


def test_neighbouring_missing_hours_are_one_span_and_a_word_on_some_of_them_divides_it(lived):
    hours = [replace(hour, valid=6) for hour in hours_of(lived, "1878A")]
    for at in (5, 6, 7, 8, 20):
        hours[at] = replace(hours[at], valid=0)
    assert [(span.since.hour, span.hours) for span in missing_spans(hours)] == [(5, 4), (20, 1)]
    with Records.open(lived.database_url) as records:
        since = datetime(2026, 4, 8, 7, tzinfo=CHINA)
        gap = tell_gap(
            records,
            Told("mianyang", "air", "1878A", since, since + timedelta(hours=2), "stop", "绵环函〔2026〕1 号"),
            "u-1",
            NOW,
        )
        assert records.events(limit=None)[-1].kind == "gap-told" and verify_chain(records).ok
        told = gaps(records, since, since + timedelta(hours=1), "mianyang")
        assert [one.id for one in told] == [gap.id] and declared_stops(told)[0][:2] == ("mianyang", "1878A")
        spoken = hours_of(lived, "1878A", told)
        assert [hour.told.id for hour in spoken if hour.told] == [gap.id] * 2
        withdraw_gap(records, gap.id, "u-1", NOW)
        again = withdraw_gap(records, gap.id, "u-2", NOW)
        assert again.withdrawn_by == "u-1" and gaps(records, since, since + timedelta(hours=1)) == []
        assert len(gaps(records, since, since + timedelta(hours=1), withdrawn=True)) == 1
        with pytest.raises(UnknownGap):
            gap_of(records, 10**9)


GOOD = {
    "station": "1878A", "since": "2026-04-08T05:00", "until": "2026-04-08T09:00", "reason": "fault", "text": "更换灯源",
}  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"station": "1414A"}, "station"), ({"station": ""}, "station"), ({"reason": "war"}, "reason"),
        ({"since": "2026-02-30T01:00"}, "since"), ({"since": "2026-04-08T05:30"}, "since"), ({"until": "x"}, "until"),
        ({"until": "2026-04-08T05:00"}, "until"), ({"until": "2027-04-08T05:00"}, "until"),
        ({"since": "2026-05-08T05:00", "until": "2026-05-08T06:00"}, "until"),
        ({"reason": "stop", "text": ""}, "text"), ({"reason": "other", "text": "  "}, "text"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_names_its_field_in_both_languages(lived, wrong, place):
    known = {one.station_id: one for one in stations("mianyang")}
    with Records.open(lived.database_url) as records, pytest.raises(BadGap) as caught:
        explain(records, "mianyang", known, GOOD | wrong, "u-1", NOW)
    assert caught.value.place == place and caught.value.message and caught.value.message_en


def test_the_same_word_told_twice_is_one(lived):
    known = {one.station_id: one for one in stations("mianyang")}
    with Records.open(lived.database_url) as records:
        one = explain(records, "mianyang", known, GOOD, "u-1", NOW)
        other = explain(records, "mianyang", known, GOOD, "u-1", NOW)
    assert one.id == other.id and one.since == datetime(2026, 4, 7, 21, tzinfo=UTC)
