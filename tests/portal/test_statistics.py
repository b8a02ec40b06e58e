"""The figures, held against numbers reckoned by hand on a small home, and against a count of another kind."""

from __future__ import annotations

import io
import sqlite3
import time
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from portal_home import new_home
from portal_year import SIX, Sent, china, day_hours, hours, observed, publish, put

from pipelines.batch import Places
from pipelines.validate.keep import QUARANTINE
from portal.statistics.almanac import Almanac
from portal.statistics.export import as_csv, as_workbook
from portal.statistics.figures import Statistics, months_back
from portal.statistics.series import Line, Point, days_of, limit_lines, lines, points, with_gaps
from portal.statistics.slots import Stop, count_slots, due_spans, stopped_hours
from portal.statistics.threads import threads
from records.gaps import Told, tell_gap, withdraw_gap
from records.runs import begin_run
from records.statistics import deliveries, first_received, newest_change, run_of
from records.store import Records
from schemas.places import stations
from schemas.statistics import due_slots, figures

NOW = china("2026-04-08T10:00")
FULL = hours(*range(24))
SOURCE = """[[sources]]
name = "watched"
title = "日报投递"
kind = "folder"
path = "inbox/beibei-daily"
dataset = "air"
source = "tests"
[sources.due]
every = "day"
by = "09:00"
lag = 1
"""
SENT = (
    # 04-06, hours 0–11: two results quarantined, mended twelve hours later under another name
    Sent("beibei", "a.csv", china("2026-04-07T01:00"), results={"read": 218, "published": 216, "quarantined": 2},
         covers={"2026-04-06": [218, 216, hours(*range(12))]}),
    # unreadable, mended three hours later under the same name; other hours of the same day
    Sent("beibei", "x.csv", china("2026-04-07T02:00"), "refused", None),
    Sent("beibei", "x.csv", china("2026-04-07T05:00"), results={"read": 9, "published": 9},
         covers={"2026-04-06": [9, 9, hours(*range(12, 24))]}),
    # refused and never sent again
    Sent("beibei", "y.csv", china("2026-04-07T06:00"), "refused", results={"read": 3, "quarantined": 3}),
    Sent("beibei", "a_更正.csv", china("2026-04-07T13:00"), results={"read": 218, "published": 218},
         covers={"2026-04-06": [218, 218, hours(*range(12))]}, changes={"unchanged": 216}),
    # 04-07: due at nine, half an hour late
    Sent("beibei", "b.csv", china("2026-04-08T09:30"), results={"read": 144, "published": 144},
         covers={"2026-04-07": [144, 144, FULL]}),
    Sent("beibei", "c.csv", china("2026-04-08T09:40"), dataset="credit",
         results={"read": 10, "repeated": 1, "published": 8, "flagged": 2}),
    # a live feed: one name, another hour each time; the first of them is of March by UTC, of April in China
    Sent("mianyang", "live.json", china("2026-04-01T00:30"), results={"read": 6, "published": 6},
         covers={"2026-03-31": [6, 6, hours(23)]}),
    Sent("mianyang", "live.json", china("2026-04-01T01:30"), results={"read": 6, "published": 6},
         covers={"2026-04-01": [6, 6, hours(0)]}),
)  # fmt: skip


def small(places: Places, records: Records) -> None:
    """Three stations of 北碚 on two days; what is published, quarantined and stopped is counted below by hand."""
    folder = places.site_facts / "beibei"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sources.toml").write_text(SOURCE, encoding="utf-8")
    first = [put(records, sent) for sent in SENT][0]
    sixth, seventh = date(2026, 4, 6), date(2026, 4, 7)
    rows = [*observed("beibei", "1414A", day_hours(sixth)), *observed("beibei", "1414A", day_hours(seventh))]
    for row in rows[30:40]:  # hours 5 and 6 of the first day
        row["flag"] = 3
    rows += observed("beibei", "1416A", day_hours(sixth, *range(12)))
    rows += observed("beibei", "1414A", day_hours(sixth, 0), stage="audited")  # the same slots once more
    rows += observed("beibei", "1428A", day_hours(sixth))  # no station of the bureau since November
    rows += observed("beibei", "1416A", day_hours(seventh, 3), ("TSP",))  # not due
    rows += observed("beibei", "1416A", day_hours(date(2026, 4, 8), 0, 1))  # today is not over
    publish(places, rows, "b-1", NOW)
    lost = {
        "key": ["1416A 2026-04-06T12:00+08:00", "1416A 2026-04-06T00:00+08:00", "BBQ03 unreadable"],
        "parameter": ["PM2.5", "PM2.5", "O3"], "averaging_period": ["1h"] * 3,
    }  # fmt: skip
    (places.batches / first).mkdir(parents=True)
    pq.write_table(pa.table(lost), places.batches / first / QUARANTINE)
    told = [("BBQ03", "2026-04-07T00:00", "2026-04-07T12:00"), ("1414A", "2026-04-06T00:00", "2026-04-06T02:00")]
    for station, since, until in told:
        tell_gap(records, Told("beibei", "air", station, china(since), china(until), "stop", "批准停测"), "tests", NOW)
    fault = Told("beibei", "air", "BBQ03", china("2026-04-07T12:00"), china("2026-04-07T20:00"), "fault", "")
    tell_gap(records, fault, "tests", NOW)
    gone = Told("beibei", "air", "BBQ03", china("2026-04-06T00:00"), china("2026-04-06T20:00"), "stop", "误填")
    withdraw_gap(records, tell_gap(records, gone, "tests", NOW).id, "tests", NOW)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Any:
    places = new_home(tmp_path_factory.mktemp("small"))
    with Records.open(places.database_url) as records:
        small(places, records)
        yield places, records


@pytest.fixture(scope="module")
def known(home: Any) -> Statistics:
    return Almanac(*home).statistics(NOW)


BY_HAND = {
    # three stations × two days × 24 hours × six parameters are due: 864
    # 1414A 144 + 144, 1416A 72, and the one quarantined slot nothing took the place of: 361; ten of 1414A are suspect
    ("beibei", "air", "transmission"): (361, 864),
    ("beibei", "air", "validity"): (350, 361),
    ("beibei", "air", "transmission_validity"): (350, 864),
    # stops: BBQ03 12 h and 1414A 2 h, six slots each: 84 fewer are due, of which 12 had come and were valid
    ("beibei", "air", "completeness"): (338, 780),
    # a, x and y failed at first, b passed; the corrections are no first uploads
    ("beibei", "air", "first_pass"): (1, 4),
    # a took 12 hours, x 3; y is open
    ("beibei", "air", "mending"): (15, 2),
    # the 6th came in time, the 7th half an hour late; deadlines before the first delivery do not count
    ("beibei", "air", "timely"): (1, 2),
    ("beibei", "credit", "validity"): (6, 9),
    ("beibei", "credit", "first_pass"): (1, 1),
    ("mianyang", "air", "first_pass"): (2, 2),
}


@pytest.mark.parametrize("place", BY_HAND, ids=" ".join)
def test_a_figure_is_what_was_reckoned_by_hand(known, place):
    bureau, dataset, figure = place
    found = known.of(bureau, dataset, ("2026-04",), figure)
    assert (found.above, found.below) == BY_HAND[place]
    assert found.value == pytest.approx(BY_HAND[place][0] / BY_HAND[place][1])


def test_what_is_open_is_counted_beside_and_nothing_else_is_there(known):
    assert known.of("beibei", "air", ("2026-04",), "mending").open == 1
    assert known.deliveries_in("beibei", "air", known.months) == 5
    assert known.deliveries_in("beibei", "", known.months) == 1  # nobody could read it
    assert known.of("beibei", "credit", known.months, "transmission").value is None
    assert known.of("mianyang", "air", ("2026-03",), "first_pass").below == 0  # received in April, in China
    told = {(place.bureau, place.dataset, figure) for place, figure in known.ratios if place.month == "2026-04"}
    own = {key for key in told if key[0] == "beibei"}
    assert own == {key for key in BY_HAND if key[0] == "beibei"}


def test_every_figure_is_defined_and_every_definition_computed(known):
    assert {figure for _, figure in known.ratios} == set(figures())
    for one in figures().values():
        assert all(getattr(one, name) for name in one.__slots__)


def test_the_product_of_the_two_rates_is_the_third(known):
    for bureau in ("beibei", "mianyang"):
        both = [known.of(bureau, "air", ("2026-04",), name).value for name in ("transmission", "validity")]
        third = known.of(bureau, "air", ("2026-04",), "transmission_validity").value
        assert third == pytest.approx((both[0] or 0) * (both[1] or 0))


def test_the_strip_by_hour_adds_up_to_the_strip_by_day(home):
    places, records = home
    ground = Almanac(places, records).ground(china("2026-04-01T00:00"), NOW)
    due = due_slots()
    spans = due_spans(ground.stations, due, {"beibei": date(2026, 4, 6)}, date(2026, 4, 7))
    days = (date(2026, 4, 1), date(2026, 4, 30))
    by_day = count_slots(places, due, spans, ground.lost, days)
    by_hour = count_slots(places, due, spans, ground.lost, days, by_hour=True)
    assert sum(one.valid for one in by_day) == sum(one.valid for one in by_hour) == 350
    assert {(one.station_id, one.day, one.hour): one.received for one in by_hour}["1416A", date(2026, 4, 6), 12] == 1
    assert [one.received for one in by_day if one.station_id == "1416A"] == [73]


def test_hours_told_twice_are_stopped_once_and_days_not_due_not_at_all():
    (station,) = [one for one in stations("beibei") if one.station_id == "1414A"]
    (span,) = due_spans([station], due_slots(), {"beibei": date(2026, 4, 6)}, date(2026, 4, 7))
    told = [("2026-04-05T20:00", "2026-04-06T03:00"), ("2026-04-06T02:00", "2026-04-06T04:30")]
    stops = [Stop("beibei", "air", "1414A", china(since), china(until)) for since, until in told]
    assert stopped_hours(stops, span, date(2026, 4, 1), date(2026, 4, 30)) == 5


def test_the_figures_stay_until_something_comes(home):
    places, records = home
    book = Almanac(places, records)
    first = book.statistics(NOW)
    assert book.statistics(NOW + timedelta(minutes=30)) is first
    assert book.statistics(NOW + timedelta(hours=1)) is not first
    again = book.statistics(NOW + timedelta(hours=1))
    (places.site_facts / "beibei/sources.toml").write_text(SOURCE + "# changed\n", encoding="utf-8")
    assert book.statistics(NOW + timedelta(hours=1)) is not again


def test_a_bureau_that_never_delivered_is_held_to_its_deadlines(tmp_path):
    places = new_home(tmp_path)
    folder = places.site_facts / "beibei"
    folder.mkdir(parents=True)
    (folder / "sources.toml").write_text(SOURCE + 'since = "2026-04-01"\n', encoding="utf-8")
    with Records.open(places.database_url) as records:
        found = Almanac(places, records).statistics(NOW).of("beibei", "air", ("2026-04",), "timely")
    assert (found.above, found.below) == (0, 7)  # of the days 1 to 7, the last due today at nine


# -- a count of another kind ----------------------------------------------------------------------------------


def test_a_recount_with_other_means_gives_the_same(town):
    """Straight from the Parquet files and the rows of the database, without a line of what is tested."""
    months = months_back(town.clock.at, 12)
    known = Almanac(town.places, town.records).statistics(town.clock.at)
    files = sorted((Path(town.places.tables) / "air_observation").rglob("*.parquet"))
    frame = pd.concat([pq.ParquetFile(path).read().to_pandas() for path in files])
    frame = frame[frame["recorded_until"].isna() & (frame["averaging_period"] == "1h") & frame["parameter"].isin(SIX)]
    there = {"beibei": {"1414A", "1416A", "BBQ03"}, "mianyang": {"1878A", "1879A", "1880A", "1881A"}}
    for bureau, own in there.items():
        part = frame[(frame["bureau"] == bureau) & frame["station_id"].isin(own)]
        slots = part.groupby(["station_id", "parameter", "period_start"])["flag"].apply(
            lambda flags: (flags == 1).any()
        )
        expected = len(own) * 24 * 6  # one day, the 8th; the 9th is not over
        sent = known.of(bureau, "air", months, "transmission")
        assert (sent.above, sent.below) == (len(slots), expected)
        assert known.of(bureau, "air", months, "completeness").above == int(slots.sum())
    if town.places.database_url.startswith("sqlite"):
        rows = sqlite3.connect(town.places.database_url.partition("///")[2]).execute(
            "SELECT bureau, coalesce(dataset, dataset_asked), state, json_extract(results, '$.quarantined') FROM batch"
        )
        told = [(bureau, dataset, state == "published" and not bad) for bureau, dataset, state, bad in rows]
        for bureau, dataset in {(bureau, dataset) for bureau, dataset, _ in told}:
            passed = [good for one, other, good in told if (one, other) == (bureau, dataset)]
            found = known.of(bureau, dataset, months, "first_pass")
            assert (found.above, found.below) == (sum(passed), len(passed))


def test_the_records_tell_the_same_over_either_database(tmp_path, database_url):
    places = replace(new_home(tmp_path), database_url=database_url)
    with Records.open(database_url, create=True) as records:
        before = newest_change(records)
        numbers = [put(records, sent) for sent in SENT]
        run = begin_run(records, "night", "slot", "manual", NOW, NOW, "tests", 1)
        assert run is not None and run_of(records, run.run_id) == run and run_of(records, 999_999) is None
        found = deliveries(records, NOW - timedelta(days=30), NOW)
        assert sorted(one.batch_id for one in found) == sorted(numbers)
        assert [one.dataset for one in found].count("") == 1 and found == sorted(found, key=lambda one: one.received_at)
        assert first_received(records)["beibei"] == SENT[0].at and newest_change(records) > before
        sums = Almanac(places, records).statistics(NOW)
        assert sums.of("beibei", "air", ("2026-04",), "first_pass").below == 4


# -- threads --------------------------------------------------------------------------------------------------


def test_another_station_of_the_same_day_is_a_first_upload_and_a_restatement_is_none(tmp_path):
    places = new_home(tmp_path)
    day = {"2026-04-06": [144, 144, FULL]}
    with Records.open(places.database_url) as records:
        for name, minute, changes in (("一.csv", 0, {}), ("二.csv", 1, {}), ("一_更正.csv", 2, {"corrected": 3})):
            put(records, Sent("beibei", name, NOW + timedelta(minutes=minute), covers=day, changes=changes))
        found = threads(deliveries(records, NOW - timedelta(days=1), NOW + timedelta(days=1)))
    assert [[one.file_name for one in thread.sent] for thread in found] == [["一.csv"], ["二.csv", "一_更正.csv"]]
    assert all(thread.passed_at_first and thread.mended_at is None for thread in found)


# -- series ---------------------------------------------------------------------------------------------------


def test_a_series_knows_its_gaps_its_suspects_and_the_limit_of_each_day(home):
    places, _ = home
    line = next(one for one in lines(places) if (one.station_id, one.parameter) == ("1416A", "PM10"))
    found = points(places, line, date(2026, 4, 6), date(2026, 4, 8))
    assert len(found) == 14 and list(with_gaps(found, line.period)).count(None) == 1
    other = next(one for one in lines(places) if (one.station_id, one.parameter) == ("1414A", "O3"))
    seen = points(places, other, date(2026, 4, 6), date(2026, 4, 7))
    assert len(seen) == 48 and sum(one.flag == 3 for one in seen) == 2


def test_the_limit_is_that_of_the_edition_in_force_on_the_day():
    line = Line("air", "beibei", "1414A", "缙云山", "PM2.5", "24h", "ug/m3", NOW)
    found = limit_lines(line, date(2026, 2, 27), date(2026, 3, 2))
    assert [(one.first, one.last, one.high, one.standard) for one in found] == [
        (date(2026, 2, 27), date(2026, 2, 28), 75.0, "GB 3095-2012"),
        (date(2026, 3, 1), date(2026, 3, 2), 60.0, "GB 3095-2026"),
    ]
    values = [Point(china(f"2026-{day}T01:00"), 70.0, "", 1) for day in ("02-28", "03-01")]
    assert [row.over for row in days_of(values, found)] == [1, 0]
    oxygen = replace(line, medium="water", parameter="DO", period="", unit="mg/L")
    assert [(one.low, one.high) for one in limit_lines(oxygen, date(2026, 4, 1), date(2026, 4, 2))] == [(5.0, None)]


# -- files ----------------------------------------------------------------------------------------------------


def test_nothing_in_an_export_is_computed():
    rows = [["=1+1", 0.5, None], ["+cmd|' /C calc'!A0", 3, "@SUM(A1)"], ["-1", 2, "北碚"]]
    text = as_csv(["甲", "乙", "丙"], rows).decode("utf-8-sig")
    assert text.splitlines()[1:] == ["'=1+1,0.5,", "'+cmd|' /C calc'!A0,3,'@SUM(A1)", "-1,2,北碚"]
    book = openpyxl.load_workbook(io.BytesIO(as_workbook("统计", ["甲", "乙", "丙"], rows, [["=2", "说明"]])))
    cells = [cell for sheet in book.worksheets for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} == {"s", "n"} and cells[3].value == "=1+1"
    assert book.sheetnames == ["统计", "说明"]
    book.close()


# -- a year ---------------------------------------------------------------------------------------------------


def test_a_year_of_deliveries_is_counted_within_half_a_second_of_work(tmp_path):
    places = new_home(tmp_path)
    last = date(2026, 4, 7)
    year = [last - timedelta(days=n) for n in reversed(range(365))]
    with Records.open(places.database_url) as records:
        fill_year(places, records, year)
        spent = []
        for _ in range(2):  # the better of two: the first also imports, and others work on this machine
            book = Almanac(places, records)
            began = time.process_time()
            known = book.statistics(NOW)
            spent.append(time.process_time() - began)
        began = time.process_time()
        assert book.statistics(NOW) is known
        warm = time.process_time() - began
    found = known.of("beibei", "air", known.months, "transmission")
    counted = [day for day in year if f"{day:%Y-%m}" in known.months]
    due = sum(3 + (day <= date(2025, 11, 5)) for day in counted)  # 1428A stood until then
    assert (found.above, found.below) == (len(counted) * 2 * 144, due * 144)
    assert known.deliveries_in("beibei", "air", known.months) == len(counted)
    assert min(spent) <= 0.5 and warm <= 0.1, (spent, warm)


def fill_year(places: Places, records: Records, year: list[date]) -> None:
    """Two stations of each bureau each hour, three deliveries a day: 365 × 6 batches, 420,480 observations."""
    from sqlalchemy import insert

    from records import models

    rows = []
    for day in year:
        for number, (bureau, dataset) in enumerate(
            (bureau, dataset) for bureau in ("beibei", "mianyang") for dataset in ("air", "water", "credit")
        ):
            key = f"{day:%Y%m%d}{number}"
            at = datetime(day.year, day.month, day.day, 12, tzinfo=NOW.tzinfo)
            rows.append(
                {"batch_id": f"b-{key}", "receipt_number": f"R{key}", "bureau": bureau, "file_name": f"{key}.csv",
                 "sha256": key.rjust(64, "0"), "sm3": key.rjust(64, "0"), "bytes": 1, "received_at": at,
                 "state": "published", "dataset_asked": "", "attempt": 1, "dataset": dataset, "rules_hash": "r",
                 "rows": {}, "results": {"read": 288, "published": 288, "quarantined": 0}, "tables": [],
                 "normalised": [], "covers": {day.isoformat(): [288, 288, FULL]}, "submitted_by": "tests"}
            )  # fmt: skip
    with records.database.write() as connection:
        connection.execute(insert(models.batch), rows)
    for number, month in enumerate(sorted({f"{day:%Y-%m}" for day in year})):
        days = [day for day in year if f"{day:%Y-%m}" == month]
        starts = [hour for day in days for hour in day_hours(day)]
        made = [
            row
            for bureau, station in (
                ("beibei", "1414A"),
                ("beibei", "1416A"),
                ("mianyang", "1878A"),
                ("mianyang", "1879A"),
            )
            for row in observed(bureau, station, starts)
        ]
        publish(places, made, f"b-{number}", NOW - timedelta(days=400) + timedelta(hours=number))
