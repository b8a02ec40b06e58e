"""What is an alarm, and when it is over: silence above all; judged over real records and told through them."""

from __future__ import annotations

import ast
from datetime import date, timedelta
from pathlib import Path

import pytest
from made_ledger import Ledger, china, due, source, whole

import pipelines.errors
from pipelines.alarms import circuit_open, circuits_open, lacking, troubles
from pipelines.board import board, china_day
from records.alarms import alarms, outbox, tell
from records.runs import begin_run, coalesce, finish_run, visits
from schemas.alarms import alarm_kinds
from schemas.files import MalformedFact

NOON = china("2026-04-09T12:00")
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.fixture
def ledger(records):
    return Ledger(records)


@pytest.fixture
def judge(records):
    def make(*found, now=NOON, faults=(), chores=None, ends=None):
        by_key = {one.key: one for one in found}
        seen = board(records, by_key, china_day(now) - 31 * DAY, china_day(now), now)
        told = troubles(records, by_key, faults, seen, chores or {}, now, ends)
        assert all(each.severity == alarm_kinds()[each.code].severity for each in told)
        assert all(each.message and each.message_en.isascii() for each in told)
        return {(each.code, each.source): each for each in told}

    return make


def whole_month(ledger, one, until="2026-04-08", hour="02:30"):
    day = date(2026, 3, 1)
    while day <= date.fromisoformat(until):
        ledger.file(one, china(f"{day + DAY}T{hour}"), whole(day))
        day += DAY


def test_all_well_is_no_trouble(ledger, judge):
    air = source(timetable=due(), stale_hours=30.0, least=20, most=30)
    whole_month(ledger, air)
    ledger.run(china("2026-04-09T02:30"))
    ledger.visit(air, china("2026-04-09T02:30"), "new", skew_seconds=1.5)
    assert judge(air) == {}


@pytest.mark.parametrize(
    ("kind", "look", "code"),
    [("listing", "unchanged", "missing"), ("api", "empty", "no-rows"), ("file", "unchanged", "unchanged")],
)
def test_silence_is_an_alarm(ledger, judge, kind, look, code):
    air = source(kind=kind, timetable=due(since=date(2026, 4, 1)))
    whole_month(ledger, air, "2026-04-07")
    assert judge(air, now=china("2026-04-09T05:59")) == {}
    ledger.visit(air, china("2026-04-09T07:20"), look)
    told = judge(air)
    assert set(told) == {(code, "beibei/air")} and told[code, "beibei/air"].detail["periods"] == ["2026-04-08"]


def test_a_source_nobody_visited_is_missing_too(judge):
    told = judge(source(timetable=due(since=date(2026, 4, 7))))
    assert told["missing", "beibei/air"].detail["periods"] == ["2026-04-07", "2026-04-08"]


def test_a_month_that_never_came_stays_an_alarm_until_it_comes(ledger, judge):
    water = source("water", timetable=due("month", day=8))
    assert ("missing", "beibei/water") in judge(water, now=china("2026-05-07T12:00"))
    ledger.file(water, china("2026-05-07T13:00"), {"2026-03-05": [9, 9, 1]})
    assert set(judge(water, now=china("2026-05-07T14:00"))) == {("late", "beibei/water")}


def test_zero_rows_without_a_timetable(ledger, judge):
    ledger.visit(source(kind="api"), china("2026-04-09T02:30"), "empty")
    assert set(judge(source(kind="api"))) == {("no-rows", "beibei/air")}
    assert judge(source(kind="api", empty_is_fine=True)) == {}


def test_late_stale_and_volume(ledger, judge):
    air = source(timetable=due(), stale_hours=10.0, least=30)
    whole_month(ledger, air, hour="08:00")
    assert set(judge(air)) == {("late", "beibei/air"), ("stale", "beibei/air"), ("volume-low", "beibei/air")}
    assert judge(source(timetable=due(), most=20))["volume-high", "beibei/air"].detail == {
        "period": "2026-04-08", "results": 24,
    }  # fmt: skip
    assert ("stale", "beibei/other") in judge(source("other", stale_hours=10.0))


def test_a_refused_day_is_an_alarm_until_a_day_without_refusals(ledger, judge):
    air = source()
    ledger.file(air, china("2026-04-07T02:30"), state="unreadable")
    assert set(judge(air)) == {("refused", "beibei/air")}
    ledger.file(air, china("2026-04-08T02:30"), {"2026-04-07": [24, 0, 0]}, results=(0, 24))
    assert set(judge(air)) == {("refused", "beibei/air")}
    ledger.file(air, china("2026-04-09T02:30"), {"2026-04-08": [24, 23, 0]}, results=(23, 1))
    assert judge(air) == {}


def test_a_held_batch_and_a_source_that_is_switched_off(ledger, judge):
    air = source()
    held = ledger.file(air, china("2026-04-09T02:30"), whole("2026-04-08"), state="held")
    assert judge(air)["held", "beibei/air"].detail == {"batch": held}
    assert set(judge(source(enabled=False, timetable=due()))) == {("disabled", "beibei/air")}


def test_a_failed_visit_is_told_under_its_own_code_and_gone_with_the_next_good_one(ledger, judge):
    air = source(kind="api")
    ledger.visit(air, china("2026-04-09T02:30"), "failed", code="unauthorised", message="密钥", message_en="key")
    assert set(judge(air)) == {("unauthorised", "beibei/air")}
    ledger.visit(air, china("2026-04-09T03:20"), "failed", code="never-heard-of", message="怪", message_en="odd")
    assert judge(air)["visit-failed", "beibei/air"].detail["error"] == "never-heard-of"
    ledger.visit(air, china("2026-04-09T04:20"), "unchanged")
    assert judge(air) == {}


def test_the_circuit_opens_after_five_failures_and_tries_every_six_hours(ledger, judge, records):
    air, at = source(kind="api"), china("2026-04-09T02:00")
    for n in range(5):
        assert circuits_open(records, at + n * HOUR) == set()
        ledger.visit(air, at + n * HOUR, "failed", code="dns", message="无", message_en="none")
    last = at + 4 * HOUR
    assert circuits_open(records, last + HOUR) == {"beibei/air"}
    ledger.visit(air, last + HOUR, "skipped", code="circuit-open")
    of_air = visits(records, source="beibei/air")
    assert circuit_open(of_air, last + 6 * HOUR - timedelta(seconds=1)) and not circuit_open(of_air, last + 6 * HOUR)
    told = judge(air)
    assert set(told) == {("circuit-open", "beibei/air"), ("dns", "beibei/air")}
    assert told["circuit-open", "beibei/air"].detail == {"failures": 5}
    ledger.visit(air, last + 6 * HOUR, "unchanged")
    assert circuits_open(records, last + 7 * HOUR) == set() and judge(air) == {}


def test_a_malformed_declaration_is_told_with_file_and_line(judge):
    fault = MalformedFact(Path("home/beibei/sources.toml"), 4, "kind 'ftp' is none of api, file")
    (told,) = judge(faults=[fault]).values()
    assert (told.code, told.source) == ("malformed-source", "") and "beibei/sources.toml:4" in told.message


@pytest.mark.parametrize(("skews", "found"), [((61.0,), True), ((-75.0, -70.0, 0.5), True), ((900.0, 0.2, 0.4), False)])
def test_the_clock_is_off_when_the_median_server_says_so(ledger, judge, skews, found):
    several = [source(f"s{n}", kind="api") for n in range(len(skews))]
    for one, skew in zip(several, skews, strict=True):
        ledger.visit(one, china("2026-04-09T02:30"), "unchanged", skew_seconds=skew)
    assert (("clock", "") in judge(*several)) is found


def test_the_clock_is_off_when_events_lie_in_the_future(ledger, judge):
    ledger.run(NOON + timedelta(seconds=90), job="look")
    assert judge()["clock", ""].detail == {"ahead_seconds": 90}
    assert judge(now=NOON + timedelta(seconds=31)) == {}


def test_nobody_ran_the_night(ledger, judge):
    ledger.run(china("2026-04-07T02:30"))
    ledger.run(china("2026-04-08T02:30"))
    assert judge(now=china("2026-04-09T04:29")) == {}
    assert set(judge(now=china("2026-04-09T04:31"))) == {("night-missed", "")}
    ledger.run(china("2026-04-09T02:30"), state=None)
    assert judge(now=china("2026-04-09T04:31")) == {}


def test_nights_missed_while_nothing_ran_are_told_after_the_start_until_a_night_in_time(ledger, judge, records):
    ledger.run(china("2026-04-06T02:30"))
    start = china("2026-04-09T08:00")
    run = begin_run(records, "night", "2026-04-09", "catch-up", china("2026-04-09T02:30"), start, "h:1:1", 1)
    coalesce(
        records, "night", [(day, china(f"{day}T02:30")) for day in ("2026-04-07", "2026-04-08")], run.run_id, start
    )
    told = judge(now=start)
    assert set(told) == {("night-missed", "")}
    assert told["night-missed", ""].detail == {"hours": 78, "slots": ["2026-04-07", "2026-04-08", "2026-04-09"]}
    finish_run(records, run.run_id, "done", start, {})
    assert set(judge(now=china("2026-04-10T02:00"))) == {("night-missed", "")}
    ledger.run(china("2026-04-10T02:30"))
    assert judge(now=china("2026-04-10T02:31")) == {}


def test_a_night_a_little_late_is_not_missed(ledger, judge, records):
    ledger.run(china("2026-04-08T02:30"))
    at = china("2026-04-09T04:29")
    assert begin_run(records, "night", "2026-04-09", "catch-up", china("2026-04-09T02:30"), at, "h:1:1", 1)
    assert judge(now=at) == {}


def test_damage_found_by_the_compaction_is_told_as_damage(judge):
    found = chore("compact", ok=False, damaged=["a file is damaged"]) | chore("vacuum", ok=False)
    assert {code for code, _ in judge(chores=found)} == {"scrub-damaged", "upkeep-failed"}


def test_the_hours_run_but_no_night_ever(ledger, judge):
    ledger.run(china("2026-04-07T02:20"), job="hour")
    ledger.run(china("2026-04-09T02:20"), job="hour")
    assert set(judge()) == {("night-missed", "")}


def test_a_run_that_failed_or_was_interrupted(ledger, judge, records):
    at = china("2026-04-09T02:30")
    ledger.run(at, state="failed", error={"code": "x", "message": "坏了", "message_en": "broken"})
    assert "坏了" in judge()["run-failed", ""].message
    ledger.run(at + HOUR, job="hour", state=None)
    begin_run(records, "hour", f"{at + HOUR:%Y-%m-%dT%H%M%S}", "scheduled", at, at, "other:1:1", 2)
    assert set(judge()) == {("run-failed", ""), ("run-interrupted", "")}


def chore(name, ok=True, skipped=False, **told):
    return {name: {"name": name, "ok": ok, "skipped": skipped, "told": told, "message": "坏", "message_en": "bad"}}


def test_a_failed_chore_is_an_alarm_until_the_next_night(ledger, judge):
    every = ("seal", "checkpoint", "docs", "compact", "vacuum", "scrub", "chain", "backup", "space")
    bad = {name: value for each in every for name, value in chore(each, ok=False).items()}
    codes = {
        "seal-late",
        "docs-failed",
        "upkeep-failed",
        "scrub-damaged",
        "chain-broken",
        "backup-failed",
        "disk-space",
    }
    assert {code for code, _ in judge(chores=bad)} == codes
    ledger.run(china("2026-04-09T02:30"), summary={"chores": bad})
    assert {code for code, _ in judge()} == codes
    good = {name: value for each in every for name, value in chore(each).items()}
    assert judge(chores=good) == {}


def test_damage_found_by_a_night_that_read_a_share_stays_until_all_files_were_read(ledger, judge):
    ledger.run(china("2026-04-08T02:30"), summary={"chores": chore("scrub", ok=False, files=3, of=20)})
    ledger.run(china("2026-04-09T02:30"), summary={"chores": chore("scrub", files=4, of=20)})
    assert set(judge(chores=chore("scrub", files=5, of=20))) == {("scrub-damaged", "")}
    assert judge(chores=chore("scrub", files=20, of=20)) == {}


@pytest.mark.parametrize(
    ("days", "code"),
    [
        (31, None),
        (29.5, "certificate-ends"),
        (6, "certificate-ends"),
        (0.5, "certificate-ends"),
        (-1, "certificate-expired"),
    ],
)
def test_a_certificate_that_ends(judge, days, code):
    air = source(kind="api")
    assert {told for told, _ in judge(air, ends={air.key: NOON + days * DAY})} == ({code} if code else set())


def test_backfill_asks_only_the_sources_that_lack_something(ledger, records):
    full, gap, late, off = (source(name, timetable=due()) for name in ("full", "gap", "late", "off"))
    free = source("free")
    for day in ("2026-04-06", "2026-04-07"):
        for one in (full, free):
            ledger.file(one, china("2026-04-09T02:30"), whole(day))
    ledger.file(gap, china("2026-04-09T02:30"), whole("2026-04-06"))
    ledger.file(late, china("2026-04-09T02:30"), {"2026-04-06": [9, 0, 0], "2026-04-07": [9, 9, 1]})
    assert lacking(records, [full, gap, late, off, free], date(2026, 4, 6), date(2026, 4, 7)) == {
        "beibei/gap", "beibei/late", "beibei/off",
    }  # fmt: skip
    assert "beibei/free" in lacking(records, [free], date(2026, 4, 6), date(2026, 4, 8))


def test_troubles_become_alarms_and_their_end_is_told(ledger, judge, records):
    air = source(timetable=due(since=date(2026, 4, 1)))
    whole_month(ledger, air, "2026-04-07")
    tell(records, list(judge(air).values()), [air.key, ""], NOON, ["log"])
    assert [(alarm.code, alarm.source) for alarm in alarms(records)] == [("missing", "beibei/air")]
    ledger.file(air, NOON + HOUR, whole("2026-04-08"))
    later = NOON + 2 * HOUR
    tell(records, list(judge(air, now=later).values()), [air.key, ""], later, ["log"])
    assert [alarm.code for alarm in alarms(records)] == ["late"]
    assert sorted(notice.kind for notice in outbox(records, later)) == ["opened", "opened", "recovered"]


def test_every_code_a_fetch_may_end_with_is_explained():
    kinds = {name for name, kind in vars(pipelines.errors).items()
             if isinstance(kind, type) and issubclass(kind, pipelines.errors.FetchError)}  # fmt: skip
    intake = Path(pipelines.errors.__file__).parent / "intake"
    codes = {
        call.args[0].value
        for path in intake.glob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in kinds
        and call.args and isinstance(call.args[0], ast.Constant)
    }  # fmt: skip
    assert {"address-refused", "paging-loop", "folder-missing"} <= codes <= set(alarm_kinds())
