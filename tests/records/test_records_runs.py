"""The ledger: one run per slot, visits, items, exchanges; what a crash leaves and who takes it up."""

import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from records.chain import verify_chain
from records.errors import IllegalState, LeaseLost
from records.lease import Contender, fenced, holder_of_this_process
from records.runs import (
    Exchange,
    FinishedVisit,
    Item,
    all_items,
    begin_run,
    begin_visits,
    clock_ahead,
    coalesce,
    exchanges,
    finish_run,
    finish_visits,
    forget_exchanges,
    interrupted,
    items,
    newest_slot,
    runs,
    save_arrival,
    save_looks,
    visits,
)

PROJECT = Path(__file__).resolve().parents[2]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ME = holder_of_this_process()


@pytest.fixture
def begin(records, now):
    def make(slot="2026-04-01", fence=1, holder=ME, job="night", kind="scheduled", due=None):
        return begin_run(records, job, slot, kind, due or now, now, holder, fence)

    return make


@pytest.fixture
def visit(records, begin, now):
    """A visit at beibei/air."""
    return begin_visits(records, begin().run_id, [("beibei/air", "beibei")], now)["beibei/air"]


@pytest.fixture
def thing(now):
    def make(name="空气.csv", source="beibei/air", sha256="1" * 64, **more):
        return Item(source, name, '"e1"', "Wed, 01 Apr 2026 00:00:00 GMT", 8, sha256, now, now, now, **more)

    return make


@pytest.fixture
def asked(now):
    def make(item="空气.csv", status=200, at=now, **more):
        told = {"url": "https://a.example/空气.csv", "sha256": "1" * 64, "error": ""} | more
        return Exchange(item, "GET", told["url"], at, 0.25, status, {"accept": "*/*"}, {"etag": '"e1"'}, 8,
                        told["sha256"], told["error"])  # fmt: skip

    return make


# -- runs ----------------------------------------------------------------------------------------------------------------


def test_a_slot_is_run_once(records, begin, now):
    run = begin()
    assert (run.state, run.attempts, run.finished_at, run.summary) == ("running", 1, None, {})
    assert begin() is None, "a living process has it"
    done = finish_run(records, run.run_id, "done", now + HOUR, {"files": 3})
    assert (done.state, done.finished_at, done.summary) == ("done", now + HOUR, {"files": 3})
    assert begin(fence=9) is None, "it is over"
    assert runs(records) == [done]


@pytest.mark.parametrize("state", ["done", "failed"])
def test_an_ended_run_stays_as_it_ended(records, begin, now, state):
    run = begin()
    ended = finish_run(records, run.run_id, state, now, {"files": 3}, {"code": "unreachable"})
    assert finish_run(records, run.run_id, "done", now + DAY, {"files": 4}) == ended
    assert begin(fence=9) is None
    assert len(records.events()) == 1


def test_the_end_of_a_run_is_on_the_chain_with_its_figures(records, begin, now):
    finish_run(records, begin().run_id, "failed", now, {"files": 3, "seconds": 1.5}, {"code": "disk-space"})
    (event,) = records.events()
    told = json.loads(event.payload)
    assert (event.kind, told["slot"], told["state"], told["error"]) == ("run", "2026-04-01", "failed", "disk-space")
    assert told["summary"] == {"files": 3, "seconds": "1.5"}
    assert verify_chain(records).ok


def test_a_run_nobody_began_cannot_end(records, now):
    with pytest.raises(IllegalState, match="no run 7"):
        finish_run(records, 7, "done", now, {})


def test_a_run_of_an_older_fence_is_taken_over_and_one_of_a_newer_is_not(records, begin, now):
    first = begin(fence=3)
    assert begin(fence=2) is None
    assert interrupted(records, 3) == []
    assert interrupted(records, 4) == [first]
    second = begin(fence=4)
    assert second == replace(first, fence=4, attempts=2)
    assert interrupted(records, 4) == []


def test_a_run_of_a_dead_process_is_taken_over_under_the_same_fence(records, begin):
    gone = ME.rpartition(":")[0] + ":1"
    first = begin(holder=gone)
    assert interrupted(records, 1) == [first] and interrupted(records, 0) == []
    assert begin() == replace(first, holder=ME, attempts=2)


def test_a_zombie_cannot_end_the_run_another_took_over(records, begin, now):
    old = Contender(records, "night", "a:1:1", seconds=0.0)
    lease = old.try_take(now)
    run = begin(fence=lease.fence, holder="a:1:1")
    other = Contender(records, "night", "b:1:1", seconds=0.0)
    assert other.try_take(now) is None
    newer = other.try_take(now)
    assert begin(fence=newer.fence, holder="b:1:1").attempts == 2
    with pytest.raises(LeaseLost):
        finish_run(fenced(records, lease), run.run_id, "done", now, {})
    assert runs(records)[0].state == "running"


def test_of_many_threads_at_once_exactly_one_gets_a_slot(begin):
    start = threading.Barrier(12)

    def enter(_):
        start.wait()
        return begin()

    with ThreadPoolExecutor(12) as pool:
        assert sum(run is not None for run in pool.map(enter, range(12))) == 1


def test_of_two_processes_at_once_exactly_one_gets_each_slot(records, database_url):
    code = (
        "import sys; from datetime import UTC, datetime\n"
        "from records.lease import holder_of_this_process\n"
        "from records.runs import begin_run\n"
        "from records.store import Records\n"
        "now = datetime.now(UTC); opened = Records.open(sys.argv[1]); input()\n"
        "for i in range(40):\n"
        "    if begin_run(opened, 'hour', str(i), 'scheduled', now, now, holder_of_this_process(), 1): print(i)\n"
        "print('end', flush=True); sys.stdin.read()\n"  # the runs of a process that has ended are free again
    )
    command = [sys.executable, "-c", code, database_url]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    pair = [subprocess.Popen(command, cwd=PROJECT, **pipes) for _ in range(2)]
    for process in pair:
        process.stdin.write("\n")
        process.stdin.flush()
    got = [list(iter(process.stdout.readline, "end\n")) for process in pair]
    assert sorted(map(int, got[0] + got[1])) == list(range(40))
    assert len(runs(records, limit=None)) == 40
    for process in pair:
        process.communicate()


def test_missed_slots_are_written_down_as_done_by_one_run(records, begin, now):
    slots = [(f"2026-04-01T{hour:02}", now + hour * HOUR) for hour in range(5)]
    begin("2026-04-01T01", job="hour", due=slots[1][1])
    last = begin("2026-04-01T04", job="hour", kind="catch-up", due=slots[4][1])
    coalesce(records, "hour", slots[:4], last.run_id, now + DAY)
    coalesce(records, "hour", slots[:4], last.run_id, now + DAY)
    found = {run.slot: (run.state, run.due_at) for run in runs(records, "hour")}
    states = ["coalesced", "running", "coalesced", "coalesced", "running"]
    assert found == {slot: (state, at) for (slot, at), state in zip(slots, states, strict=True)}
    assert runs(records, "hour")[-1].summary == {"into": last.run_id}
    assert begin("2026-04-01T00", job="hour", fence=9) is None
    (event,) = records.events()
    assert json.loads(event.payload)["slots"] == 3


def test_runs_are_listed_newest_first_by_job_and_time(records, begin, now):
    for number in range(4):
        begin(f"2026-04-0{number + 1}", due=now + number * DAY)
    begin("2026-04-01T00", job="hour")
    begin("by hand", kind="manual", due=now + 9 * DAY)
    assert [run.slot for run in runs(records, "night", limit=2)] == ["by hand", "2026-04-04"]
    assert [run.slot for run in runs(records, "night", since=now + 3 * DAY)] == ["by hand", "2026-04-04"]
    assert newest_slot(records, "night") == "2026-04-04"
    assert newest_slot(records, "week") is None


# -- visits --------------------------------------------------------------------------------------------------------------


def test_visits_begun_again_come_back_as_they_are(records, begin, now):
    run = begin()
    first = begin_visits(records, run.run_id, [("beibei/air", "beibei")], now)
    finish_visits(records, [FinishedVisit(first["beibei/air"].visit_id, "empty", "no-rows", seen=2)], now + HOUR)
    again = begin_visits(records, run.run_id, [("beibei/air", "beibei"), ("mianyang/air", "mianyang")], now + DAY)
    assert again["beibei/air"].visit_id == first["beibei/air"].visit_id
    assert (again["beibei/air"].state, again["beibei/air"].code, again["beibei/air"].seen) == ("empty", "no-rows", 2)
    assert again["beibei/air"].finished_at == now + HOUR
    assert (again["mianyang/air"].state, again["mianyang/air"].started_at) == ("running", now + DAY)


def test_visits_are_found_by_source_time_and_run(records, begin, now):
    for number in range(3):
        run = begin(f"2026-04-0{number + 1}")
        begin_visits(records, run.run_id, [("beibei/air", "beibei"), ("mianyang/air", "mianyang")], now + number * DAY)
    assert [visit.started_at for visit in visits(records, source="beibei/air")] == [now + 2 * DAY, now + DAY, now]
    assert len(visits(records, since=now + DAY, until=now + 2 * DAY)) == 2
    assert {visit.source for visit in visits(records, run_id=run.run_id)} == {"beibei/air", "mianyang/air"}
    assert len(visits(records, limit=4)) == 4


def test_what_arrived_before_a_crash_still_counts_when_the_visit_ends(records, visit, thing, asked, hand_in, now):
    batch, _ = hand_in()
    save_arrival(records, visit, thing(), [asked()], [batch.batch_id], now)
    second, _ = hand_in("another")
    ended = FinishedVisit(visit.visit_id, "new", arrived=1, batches=(second.batch_id,), requests=4, skew_seconds=-0.5)
    finish_visits(records, [ended], now)
    (kept,) = visits(records)
    assert (kept.arrived, kept.batches) == (1, [batch.batch_id, second.batch_id])
    assert (kept.state, kept.requests, kept.skew_seconds) == ("new", 4, -0.5)


def test_a_quiet_night_of_two_hundred_sources_is_one_cheap_transaction(records, begin, thing, asked, now):
    run = begin()
    sources = [(f"beibei/s{number}", "beibei") for number in range(200)]
    begun = begin_visits(records, run.run_id, sources, now)
    looks = [(begun[key], [thing(source=key)], [asked(status=304)]) for key, _ in sources]
    taken = time.perf_counter()
    save_looks(records, looks, now)
    finish_visits(records, [FinishedVisit(one.visit_id, "unchanged", seen=1) for one in begun.values()], now)
    taken = time.perf_counter() - taken
    assert {visit.state for visit in visits(records)} == {"unchanged"}
    assert len(all_items(records)) == 200 and len(exchanges(records)) == 200
    assert taken < 2.0, taken  # about 0.05 s when nothing else runs


# -- items and exchanges -------------------------------------------------------------------------------------------------


def test_an_arrival_is_remembered_with_how_it_came(records, visit, thing, asked, hand_in, now):
    batch, _ = hand_in()
    tries = [asked(status=None, sha256=None, error="reset"), asked()]
    save_arrival(records, visit, thing(mark={"page": 3}), tries, [batch.batch_id], now)
    assert items(records, "beibei/air") == {"空气.csv": thing(mark={"page": 3}, batches=(batch.batch_id,))}
    assert exchanges(records, batch_id=batch.batch_id) == tries == exchanges(records, visit_id=visit.visit_id)
    event = records.events(batch_id=batch.batch_id)[-1]
    assert event.kind == "fetched" and event.bureau == "beibei"
    assert json.loads(event.payload) == {
        "source": "beibei/air", "item": "空气.csv", "sha256": "1" * 64, "bytes": 8, "batches": [batch.batch_id],
        "url": "https://a.example/空气.csv", "status": 200,
    }  # fmt: skip
    assert records.position(batch.batch_id).seq == 1, "the receipt does not move"


def test_an_archive_with_two_members_is_evidence_of_both(records, visit, thing, asked, hand_in, now):
    pair = [hand_in(text)[0].batch_id for text in ("one", "two")]
    save_arrival(records, visit, thing(), [asked()], pair, now)
    assert exchanges(records, batch_id=pair[0]) == exchanges(records, batch_id=pair[1]) == [asked()]
    assert exchanges(records, visit_id=visit.visit_id) == [asked()]
    assert items(records, "beibei/air")["空气.csv"].batches == tuple(pair)


def test_a_file_from_a_folder_has_no_exchange(records, visit, thing, hand_in, now):
    batch, _ = hand_in()
    save_arrival(records, visit, thing(), [], [batch.batch_id], now)
    assert exchanges(records) == []
    assert json.loads(records.events()[-1].payload)["url"] is None


def test_an_item_seen_again_is_brought_up_to_date(records, visit, thing, now):
    save_looks(records, [(visit, [thing(), thing("b.csv")], [])], now)
    first = items(records, "beibei/air")
    changed = replace(first["b.csv"], sha256="2" * 64, changed_at=now + DAY)
    save_looks(records, [(visit, [changed], [])], now + DAY)
    after = items(records, "beibei/air")
    assert after["空气.csv"] == first["空气.csv"]
    assert after["b.csv"] == replace(changed, last_seen=now + DAY) and after["b.csv"].first_seen == now
    assert all_items(records) == {"beibei/air": after}
    assert items(records, "mianyang/air") == {}


def test_names_no_database_takes_become_escapes(records, visit, thing, asked, hand_in, now):
    batch, _ = hand_in()
    bad = "a\0b\udcff.csv"
    save_arrival(records, visit, thing(bad), [asked(bad, error=bad)], [batch.batch_id], now)
    assert list(items(records, "beibei/air")) == ["a\\x00b\\udcff.csv"]
    assert exchanges(records)[0].error == "a\\x00b\\udcff.csv"
    assert verify_chain(records).ok


def test_evidence_outlives_the_noise(records, visit, thing, asked, hand_in, now):
    batch, _ = hand_in()
    save_arrival(records, visit, thing(), [asked(at=now - 90 * DAY)], [batch.batch_id], now)
    noise = [asked(status=304, at=now - days * DAY) for days in (90, 60, 1)]
    save_looks(records, [(visit, [], noise)], now)
    assert forget_exchanges(records, now - 30 * DAY) == 2
    assert [one.status for one in exchanges(records)] == [200, 304]
    assert forget_exchanges(records, now - 30 * DAY) == 0


def test_a_failed_save_leaves_neither_item_nor_event(records, visit, thing, asked, now):
    with pytest.raises(Exception, match="(?i)foreign key"):
        save_arrival(records, visit, thing(), [asked()], ["b-20260401-000000000000"], now)
    assert items(records, "beibei/air") == {} and exchanges(records) == [] and records.events() == []


def test_a_clock_set_back_is_seen_even_after_further_events(records, now):
    assert clock_ahead(records, now) == 0
    records.append("test", now + 90 * timedelta(seconds=1))
    records.append("test", now)
    assert clock_ahead(records, now) == 90
    assert clock_ahead(records, now + DAY) == 0
