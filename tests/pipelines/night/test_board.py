"""The board: what was expected of each source on each day, and what became of it; with real records."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from made_ledger import Ledger, china, due, source, whole

from pipelines.board import STATES, board

APRIL = date(2026, 4, 6)
DAY = timedelta(days=1)


@pytest.fixture
def ledger(records):
    return Ledger(records)


@pytest.fixture
def cells(records):
    def make(one, now="2026-04-09T12:00", since=APRIL, until=date(2026, 4, 9)):
        made = board(records, {one.key: one}, since, until, china(now))
        assert [cell.day for cell in made.cells] == [since + n * DAY for n in range((until - since).days + 1)]
        assert all(cell.state in STATES for cell in made.cells)
        assert all(cell.expected == cell.received + cell.missing + cell.pending for cell in made.cells)
        return {cell.day.day: cell for cell in made.cells}

    return make


def test_a_month_of_trouble_is_told_day_by_day(ledger, cells):
    air = source(timetable=due())
    ledger.file(air, china("2026-04-06T02:30"), whole("2026-04-05"))
    ledger.file(air, china("2026-04-07T09:00"), whole("2026-04-06"))
    ledger.visit(air, china("2026-04-08T02:30"), "unchanged")
    seen = cells(air)
    assert {day: cell.state for day, cell in seen.items()} == {6: "ok", 7: "late", 8: "missing", 9: "missing"}
    assert (seen[6].expected, seen[6].received, seen[6].late, seen[6].files, seen[6].accepted) == (1, 1, 0, 1, 24)
    assert (seen[7].received, seen[7].late, seen[7].files) == (1, 1, 1)
    assert (seen[8].missing, seen[8].unchanged, seen[8].dues[0].period) == (1, 1, "2026-04-07")


def test_what_is_not_due_yet_is_pending_and_a_day_without_dues_quiet(cells):
    seen = cells(source(timetable=due()), now="2026-04-09T05:59")
    assert (seen[8].state, seen[9].state, seen[9].pending) == ("missing", "pending", 1)
    assert {cell.state for cell in cells(source()).values()} == {"quiet"}
    tomorrow = cells(source(timetable=due("month", day=8)))
    assert [tomorrow[day].state for day in (6, 7, 8, 9)] == ["quiet", "quiet", "missing", "quiet"]


def test_a_late_file_received_days_after_still_meets_its_due(ledger, cells):
    air = source(timetable=due())
    ledger.file(air, china("2026-04-09T02:30"), {**whole("2026-04-06"), **whole("2026-04-07"), **whole("2026-04-08")})
    seen = cells(air)
    assert [seen[day].state for day in (7, 8, 9)] == ["late", "late", "ok"]
    assert [seen[day].files for day in (7, 8, 9)] == [0, 0, 1] and seen[9].results_read == 72


@pytest.mark.parametrize(
    ("kind", "visit", "state"),
    [
        ("api", "empty", "empty"),
        ("listing", "empty", "empty"),
        ("file", "unchanged", "unchanged"),
        ("api", "unchanged", "unchanged"),
        ("listing", "unchanged", "missing"),
        ("folder", "unchanged", "missing"),
        ("api", "failed", "failed"),
        ("api", "skipped", "failed"),
    ],
)
def test_the_last_visit_says_why_something_is_missing(ledger, cells, kind, visit, state):
    one = source(kind=kind, timetable=due())
    ledger.visit(one, china("2026-04-08T02:30"), "new")
    ledger.visit(one, china("2026-04-08T07:20"), visit, code="dns" if visit == "failed" else "")
    seen = cells(one)
    assert (seen[8].state, seen[8].missing, seen[9].state) == (state, 1, "missing")
    assert seen[8].codes == (("dns",) if visit == "failed" else ())


def test_a_failure_that_was_made_good_the_same_day_is_only_counted(ledger, cells):
    air = source(timetable=due())
    ledger.visit(air, china("2026-04-08T02:30"), "failed", code="server-error")
    ledger.visit(air, china("2026-04-08T03:20"), "new")
    ledger.file(air, china("2026-04-08T03:20"), whole("2026-04-07"))
    assert (cells(air)[8].state, cells(air)[8].failed) == ("ok", 1)


def test_an_empty_source_without_a_timetable_is_empty_unless_that_is_fine(ledger, cells):
    one, fine = source(), source(empty_is_fine=True)
    ledger.visit(one, china("2026-04-08T02:30"), "empty")
    assert (cells(one)[8].state, cells(one)[8].empty, cells(fine)[8].state) == ("empty", 1, "quiet")


def test_refused_and_partly_refused_days(ledger, cells):
    air = source(timetable=due())
    ledger.file(air, china("2026-04-07T02:30"), {"2026-04-06": [24, 20, 1]}, results=(20, 4))
    ledger.file(air, china("2026-04-08T02:30"), {"2026-04-07": [24, 0, 0]}, state="refused", results=(0, 24))
    ledger.file(air, china("2026-04-09T02:30"), state="unreadable")
    seen = cells(air)
    assert [seen[day].state for day in (7, 8, 9)] == ["partial", "refused", "refused"]
    assert [(seen[day].accepted, seen[day].refused) for day in (7, 8, 9)] == [(20, 4), (0, 24), (0, 0)]
    assert [(seen[day].received, seen[day].missing, seen[day].batches_refused) for day in (7, 8, 9)] == [
        (1, 0, 0), (1, 0, 1), (1, 0, 1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "came", "results"),
    [
        ("listing", [[12, 12, 0xFFF], [12, 12, 0xFFF]], 24),
        ("api", [[12, 12, 0xFFF], [12, 12, 0xFFF]], 12),
        ("api", [[12, 12, 0xFFF], [24, 24, 0xFFFFFF]], 24),
        ("api", [[12, 12, 0xFFF], [13, 13, 0xFFF800]], 24),
        ("file", [[12, 0, 0], [12, 10, 0x3FF]], 12),
    ],
)
def test_what_an_answer_repeats_of_earlier_ones_counts_once(ledger, cells, kind, came, results):
    air = source(kind=kind, timetable=due())
    for hour, told in enumerate(came):
        ledger.file(air, china(f"2026-04-08T0{hour}:30"), {"2026-04-07": told})
    assert cells(air)[8].dues[0].results == results


def test_a_correction_makes_a_refused_period_good(ledger, cells):
    air = source(timetable=due())
    ledger.file(air, china("2026-04-08T02:30"), state="unreadable")
    ledger.file(air, china("2026-04-09T02:30"), {**whole("2026-04-07"), **whole("2026-04-08")})
    seen = cells(air)
    assert seen[8].dues[0].state == "late" and not seen[8].dues[0].refused
    assert (seen[8].state, seen[9].state) == ("refused", "ok")


def test_an_unreadable_file_never_stands_for_a_period_that_is_still_going_on(ledger, cells):
    air = source(timetable=due())
    ledger.file(air, china("2026-04-08T02:30"), whole("2026-04-07"))
    ledger.file(air, china("2026-04-08T15:00"), state="unreadable")
    assert cells(air)[9].state == "missing"


def test_hours_are_met_one_by_one(ledger, cells):
    one = source(timetable=due("hour", "00:20"), kind="api")
    for hour in (0, 1, 3):
        ledger.file(one, china(f"2026-04-08T0{hour + 1}:10"), {"2026-04-08": [7, 7, 1 << hour]})
    ledger.file(one, china("2026-04-08T05:30"), {"2026-04-08": [7, 7, 1 << 4]})
    day = cells(one, now="2026-04-08T06:10", since=date(2026, 4, 8), until=date(2026, 4, 8))[8]
    assert (day.expected, day.received, day.late, day.missing, day.pending) == (24, 4, 1, 2, 18)
    assert [each.period[-2:] for each in day.dues if each.state == "missing"] == ["23", "02"]
    assert {each.results for each in day.dues if each.batch_id} == {7}


@pytest.mark.parametrize(
    ("came", "states"),
    [
        (["04-07T02:30", "04-08T02:30", "04-09T02:30"], ["ok", "ok", "ok"]),
        (["04-07T02:30", "04-09T02:30"], ["ok", "missing", "ok"]),
        (["04-07T02:30", "04-08T10:00", "04-09T02:30"], ["ok", "late", "ok"]),
        (["04-06T20:00", "04-07T20:00", "04-08T20:00"], ["ok", "ok", "ok"]),
        (["04-07T02:30", "04-07T03:00", "04-07T03:30"], ["ok", "missing", "missing"]),
        (["04-07T02:30", "04-07T20:00"], ["ok", "ok", "missing"]),
    ],
)
def test_registers_name_no_days_and_count_by_when_they_came(ledger, cells, came, states):
    register = source(dataset="credit", timetable=due())
    ledger.file(register, china("2026-04-05T02:30"), results=(3, 0))
    ledger.file(register, china("2026-04-06T02:30"), results=(3, 0))
    for at in came:
        ledger.file(register, china(f"2026-{at}"), results=(3, 0))
    seen = cells(register)
    assert [seen[day].state for day in (7, 8, 9)] == states


def test_a_month_is_met_by_a_file_of_any_of_its_days_and_a_year_long_after_its_delivery(ledger, cells):
    water = source("water", timetable=due("month", day=8))
    ledger.file(water, china("2026-03-20T02:30"), {"2026-03-05": [9, 9, 1]})
    assert (cells(water)[8].state, cells(water)[8].dues[0].results) == ("ok", 9)
    soil = source("soil", timetable=due("year", month=4, day=7))
    ledger.file(soil, china("2025-11-20T02:30"), {"2025-08-05": [9, 9, 1]})
    assert cells(soil)[7].state == "ok"


def test_bytes_that_were_handed_in_before_count_for_the_source_that_publishes_them_too(ledger, cells):
    air = source(timetable=due())
    known = ledger.file(air, china("2026-04-08T01:00"), whole("2026-04-07"), by="cli")
    assert cells(air)[8].state == "missing"
    ledger.visit(air, china("2026-04-08T02:30"), "new", arrived=1, batches=(known,))
    seen = cells(air)
    assert (seen[8].state, seen[8].received, seen[8].files) == ("ok", 1, 0)


def test_a_source_that_is_switched_off_expects_nothing(ledger, cells):
    off = source(timetable=due(), enabled=False)
    ledger.visit(off, china("2026-04-07T02:30"), "failed", code="dns")
    assert [cells(off)[day].state for day in (6, 7, 8)] == ["disabled", "failed", "disabled"]


def test_one_source_does_not_take_what_belongs_to_another_of_a_longer_name(ledger, records):
    short, long = (
        source("air", timetable=due("year", day=7, month=4)),
        source("air2", timetable=due("year", day=7, month=4)),
    )
    ledger.file(long, china("2025-11-20T02:30"), {"2025-08-05": [9, 9, 1]})
    made = board(records, {one.key: one for one in (short, long)}, APRIL, date(2026, 4, 9), china("2026-04-09T12:00"))
    assert {cell.source: cell.state for cell in made.cells if cell.day.day == 7} == {
        "beibei/air": "missing", "beibei/air2": "ok",
    }  # fmt: skip


def test_the_lag_is_the_age_of_the_newest_accepted_content(ledger, records):
    hourly, daily, none = source("h", timetable=due("hour")), source("d", timetable=due()), source("n")
    ledger.file(hourly, china("2026-04-09T04:00"), {"2026-04-09": [2, 2, 0b110]})
    ledger.file(daily, china("2026-04-09T04:00"), {"2026-04-08": [2, 2, 1]})
    ledger.file(daily, china("2026-04-09T05:00"), {"2026-04-09": [2, 0, 0]}, state="refused", results=(0, 2))
    found = {one.key: one for one in (hourly, daily, none)}
    made = board(records, found, APRIL, date(2026, 4, 9), china("2026-04-09T12:00"))
    assert made.lag == {"beibei/h": 9.0, "beibei/d": 12.0, "beibei/n": None}


def test_the_newest_past_due_is_known_however_long_ago(ledger, records):
    soil = source("soil", timetable=due("year", month=4, day=7))
    made = board(records, {soil.key: soil}, date(2026, 12, 1), date(2026, 12, 31), china("2026-12-31T12:00"))
    assert (made.newest[soil.key].period, made.newest[soil.key].state) == ("2025", "missing")
    ledger.file(soil, china("2026-02-20T02:30"), {"2025-08-05": [9, 9, 1]})
    made = board(records, {soil.key: soil}, date(2026, 12, 1), date(2026, 12, 31), china("2026-12-31T12:00"))
    assert made.newest[soil.key].state == "received"


def test_the_board_is_json(ledger, records):
    air = source(timetable=due())
    ledger.file(air, china("2026-04-08T02:30"), whole("2026-04-07"))
    import json

    made = board(records, {air.key: air}, APRIL, date(2026, 4, 9), china("2026-04-09T12:00")).as_json()
    told = json.loads(json.dumps(made))
    assert told["cells"][2]["dues"][0]["state"] == "received" and told["lag_hours"] == {"beibei/air": 36.0}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_two_hundred_sources_over_a_month_are_read_with_a_handful_of_queries(records):
    from sqlalchemy import event

    from records.models import batch, visit

    found = {one.key: one for one in (source(f"s{n:03}", timetable=due()) for n in range(200))}
    days = [date(2026, 3, 1) + n * DAY for n in range(40)]
    runs = {day: Ledger(records).run(china(f"{day}T02:00")) for day in days}
    rows, looks = [], []
    for key in found:
        for day in days:
            at = china(f"{day}T02:30")
            name = f"{key} {day}"
            rows.append(
                {"batch_id": name[-40:], "receipt_number": name, "bureau": "beibei", "file_name": "f", "sha256": name,
                 "sm3": "", "bytes": 1, "received_at": at, "state": "published", "dataset_asked": "", "attempt": 1,
                 "rules_hash": "r", "rows": {"read": 24}, "results": {"read": 24, "published": 24, "quarantined": 0},
                 "tables": [], "normalised": [], "submitted_by": f"night:{key}", "layout_asked": "",
                 "covers": whole(day - DAY)}
            )  # fmt: skip
            looks.append(
                {"run_id": runs[day], "source": key, "bureau": "beibei", "started_at": at, "finished_at": at,
                 "state": "new", "code": "", "message": "", "message_en": "", "seen": 1, "arrived": 1, "requests": 2,
                 "bytes": 10, "batches": [name[-40:]]}
            )  # fmt: skip
    with records.database.write() as connection:
        connection.execute(batch.insert(), rows)
        connection.execute(visit.insert(), looks)
    asked: list[str] = []
    event.listen(records.database.engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
    made = board(records, found, date(2026, 3, 10), date(2026, 4, 9), china("2026-04-09T12:00"))
    assert len(made.cells) == 200 * 31 and {cell.state for cell in made.cells} == {"ok"}
    assert 0 < len(asked) <= 12, asked
