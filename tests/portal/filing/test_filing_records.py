"""Filings and jobs in the records, on both databases: one batch however often it is asked, one taker of each job."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from records.chain import verify_chain
from records.errors import IllegalState, KeyUsed, LeaseLost, QuotaReached, UnknownFiling
from records.filing_jobs import CHECK, DONE, WAITING, WALK, Watcher, beat, claim, end_job, open_jobs
from records.filings import (
    Allowance,
    HandIn,
    NewFiling,
    WantedFilings,
    add_filing,
    approve,
    filing,
    filing_events,
    filing_of_batch,
    filings,
    hand_in,
    in_review,
    move,
    new_filing_id,
    queue_place,
    send_back,
    settle,
    withdraw,
)
from records.lease import holder_of_this_process

ERROR = {"code": "returned-by-reviewer", "message": "退回", "message_en": "returned"}


def new(text: str = "a", **more: object) -> NewFiling:
    sha = hashlib.sha256(text.encode()).hexdigest()
    one = NewFiling(
        new_filing_id(), "beibei", "u-1", "zhang", "张\0工", "空气.csv", sha, "3" * 64, 10, "file", "", "2026-04", "", "", ""
    )  # fmt: skip
    return replace(one, **more)


def allowance(now, **more: object) -> Allowance:
    return replace(Allowance(now - timedelta(hours=1), 5, 1000, now - timedelta(hours=1), "sha256:one"), **more)


def what(one: NewFiling, *, review: bool = False) -> HandIn:
    return HandIn("空气.csv", one.sha256, "3" * 64, 10, "sha256:one", None, review, True, {"AIR-040": "核实"})


def judged(records, now, text: str = "a", **values: object) -> NewFiling:
    one = new(text)
    add_filing(records, one, allowance(now, files=100), now)
    move(records, one.filing_id, "checking", "worker", now)
    summary = {"summary": {"dataset": "air", "rules": "sha256:one"}, "findings_total": 3}
    move(records, one.filing_id, "checked", "worker", now, **(summary | values))
    return one


def test_a_number_has_130_random_bits_and_is_never_drawn_twice():
    drawn = {new_filing_id() for _ in range(1000)}
    assert len(drawn) == 1000 and all(len(one) == 27 and one[0] == "F" and one.isalnum() for one in drawn)


def test_a_filing_is_read_as_it_was_written_and_queued(records, now):
    one, made = add_filing(records, new(), allowance(now), now)
    assert made and filing(records, one.filing_id) == one
    assert (one.state, one.person, one.period, one.summary, one.error) == ("queued", "张\\x00工", "2026-04", {}, None)
    assert [(event.state, event.by) for event in filing_events(records, one.filing_id)] == [("queued", "u-1")]
    assert [(job.kind, job.state) for job in open_jobs(records)] == [(CHECK, WAITING)]
    with pytest.raises(UnknownFiling):
        filing(records, "F0")


def test_the_same_bytes_are_the_same_filing_until_they_are_handed_in(records, now):
    first, _ = add_filing(records, new(), allowance(now), now)
    assert add_filing(records, new(), allowance(now), now) == (first, False)
    others = [new("b"), new(purpose="check"), new(bureau="mianyang"), new(period="2026-05"), new(dataset="air")]
    assert all(add_filing(records, other, allowance(now, files=50), now)[1] for other in others)
    move(records, first.filing_id, "checking", "worker", now)
    move(records, first.filing_id, "checked", "worker", now, summary={"rules": "sha256:one"})
    assert not add_filing(records, new(), allowance(now, files=50), now)[1]
    assert add_filing(records, new(), allowance(now, files=50, facts="sha256:two"), now)[1], (
        "other rules, other findings"
    )
    later = now + timedelta(hours=2)
    assert add_filing(records, new(), allowance(later, files=50), later)[1], "not for ever"


def test_a_key_is_one_filing_and_one_file(records, now):
    first, _ = add_filing(records, new(key="k-1"), allowance(now), now)
    move(records, first.filing_id, "checking", "worker", now)
    move(records, first.filing_id, "failed", "worker", now)
    again, made = add_filing(records, new(key="k-1"), allowance(now), now)
    assert not made and again.filing_id == first.filing_id
    with pytest.raises(KeyUsed, match="幂等键"):
        add_filing(records, new("b", key="k-1"), allowance(now), now)
    assert add_filing(records, new("b", key="k-1", account_id="u-2"), allowance(now), now)[1], "keys are each one's own"


def test_a_hundred_parallel_beginnings_with_one_key_are_one_filing(records, now):
    with ThreadPoolExecutor(20) as pool:
        made = list(pool.map(lambda _: add_filing(records, new(key="k"), allowance(now), now), range(100)))
    assert len({one.filing_id for one, _ in made}) == 1 and sum(fresh for _, fresh in made) == 1


def test_a_quota_counts_files_and_bytes_of_one_account_in_one_day(records, now):
    """UPL-26."""
    for text in "abc":
        add_filing(records, new(text), allowance(now, files=3), now)
    with pytest.raises(QuotaReached, match="今日上传已达上限（3 个文件"):
        add_filing(records, new("d"), allowance(now, files=3), now)
    with pytest.raises(QuotaReached):
        add_filing(records, new("d"), allowance(now, bytes=39), now)
    assert add_filing(records, new("d"), allowance(now, bytes=40), now)[1]
    assert not add_filing(records, new("d"), allowance(now, files=1), now)[1], "what is there already costs nothing"
    assert add_filing(records, new("e", account_id="u-2"), allowance(now, files=3), now)[1], "others are not touched"
    tomorrow = now + timedelta(days=1)
    assert add_filing(records, new("f"), allowance(tomorrow, files=1), tomorrow)[1]


def test_twenty_parallel_hand_ins_are_one_batch_one_receipt_and_one_job(records, now):
    one = judged(records, now)
    with ThreadPoolExecutor(20) as pool:
        done = list(pool.map(lambda _: hand_in(records, one.filing_id, what(one), "u-1", now), range(20)))
    assert {each.receipt for each in done} == {records.batches()[0].receipt_number}
    assert len(records.batches()) == 1 and [job.kind for job in open_jobs(records)] == [CHECK, WALK]
    assert filing_of_batch(records, done[0].batch_id).confirmations == {"AIR-040": "核实"}
    assert [event.kind for event in records.events()].count("received") == 1


def test_the_same_bytes_delivered_before_are_told_as_a_repeat(records, now):
    first, second = judged(records, now), judged(records, now + timedelta(hours=2))
    handed = hand_in(records, first.filing_id, what(first), "u-1", now)
    again = hand_in(records, second.filing_id, what(second), "u-1", now)
    assert again.state == "repeated" and again.receipt == handed.receipt and len(records.batches()) == 1
    assert filing_of_batch(records, handed.batch_id).filing_id == first.filing_id


def test_a_batch_waits_for_its_reviewer_and_no_crash_takes_it_up(records, now):
    one = judged(records, now)
    handed = hand_in(records, one.filing_id, what(one, review=True), "u-1", now)
    assert handed.state == "in_review" and records.batch(handed.receipt).review == "awaited"
    assert (
        records.unfinished() == [] and in_review(records, "beibei") == [handed] and not in_review(records, "mianyang")
    )
    approved = approve(records, one.filing_id, "u-2", now)
    assert (approved.state, approved.decision, approved.decided_by) == ("handing_in", "approved", "u-2")
    assert [batch.batch_id for batch in records.unfinished()] == [handed.batch_id]
    with pytest.raises(IllegalState):
        approve(records, one.filing_id, "u-2", now)


def test_what_is_sent_back_or_withdrawn_is_refused_and_may_come_again(records, now):
    one, other = judged(records, now), judged(records, now, "b")
    for each in (one, other):
        hand_in(records, each.filing_id, what(each, review=True), "u-1", now)
    back = send_back(records, one.filing_id, "incomplete", "缺 4 月 3 日", ERROR, "u-2", now)
    gone = withdraw(records, other.filing_id, ERROR | {"code": "withdrawn-by-submitter"}, "u-1", now, "")
    assert (back.state, back.decision_text, gone.state) == ("returned", "缺 4 月 3 日", "withdrawn")
    assert {records.batch(each.batch_id).state for each in (back, gone)} == {"refused"}
    again = judged(records, now + timedelta(hours=2))
    handed = hand_in(records, again.filing_id, what(again, review=True), "u-1", now)
    assert handed.state == "in_review" and handed.batch_id != back.batch_id
    text = "".join(event.payload for event in records.events())
    assert "缺 4 月" not in text and "张" not in text and verify_chain(records).ok
    kinds = [json.loads(event.payload) for event in records.events() if event.kind == "filing"]
    assert {"returned", "withdrawn", "in_review", "queued"} == {told["state"] for told in kinds}


def test_no_move_is_made_that_the_table_does_not_know(records, now):
    one = judged(records, now)
    for state in ("checking", "published", "held", "returned"):
        with pytest.raises(IllegalState, match=one.filing_id):
            move(records, one.filing_id, state, "worker", now)
    withdraw(records, one.filing_id, ERROR, "u-1", now, "")
    assert withdraw(records, one.filing_id, ERROR, "u-1", now, "").state == "withdrawn", "asked again: nothing happens"
    with pytest.raises(IllegalState):
        hand_in(records, one.filing_id, what(one), "u-1", now)
    assert records.batches() == []


def test_withdrawing_takes_the_waiting_job_away_and_stops_the_one_that_runs(records, now):
    """UPL-19."""
    waiting, _ = add_filing(records, new(), allowance(now), now)
    withdraw(records, waiting.filing_id, ERROR, "u-1", now, "")
    assert open_jobs(records) == []
    running, _ = add_filing(records, new("b"), allowance(now), now)
    job = claim(records, "h:1:1", Watcher(30), now)
    move(records, running.filing_id, "checking", "worker", now, job=job)
    withdraw(records, running.filing_id, ERROR, "u-1", now, "")
    with pytest.raises(IllegalState):
        move(records, running.filing_id, "checked", "worker", now, job=job, summary={})


def test_filings_go_where_their_batches_went_whoever_walked_them(records, now):
    one = judged(records, now)
    handed = hand_in(records, one.filing_id, what(one), "u-1", now)
    assert settle(records, now) == 0
    records.advance(handed.batch_id, "refused", now, error={"code": "x", "message": "坏", "message_en": "bad"})
    assert settle(records, now) == 1 and settle(records, now) == 0
    assert (filing(records, one.filing_id).state, filing(records, one.filing_id).error["code"]) == ("refused", "x")


def test_lists_are_of_one_bureau_and_chosen_by_what_is_asked(records, now):
    one = judged(records, now)
    add_filing(records, new("b", bureau="mianyang"), allowance(now), now)
    add_filing(records, new("c", account_id="u-9", file_name="水_100%.csv"), allowance(now), now + timedelta(minutes=1))

    def found(**more: object) -> list[str]:
        page = filings(records, WantedFilings("beibei", **more), 0, 10)
        assert page.total == len(page.filings)
        return [each.file_name for each in page.filings]

    assert found() == ["水_100%.csv", "空气.csv"]
    assert found(dataset="air") == found(account_id="u-1") == found(state="checked") == ["空气.csv"]
    assert found(states=("queued", "checking")) == found(text="0%") == ["水_100%.csv"]
    assert found(text=one.filing_id) == ["空气.csv"] and found(text="_1") == ["水_100%.csv"] and found(text="x_") == []
    assert filings(records, WantedFilings("beibei"), 1, 1).total == 2


# -- jobs -----------------------------------------------------------------------------------------------------


def test_a_place_in_the_queue_counts_who_waits_before(records, now):
    made = [add_filing(records, new(text), allowance(now), now)[0].filing_id for text in "abc"]
    assert [queue_place(records, one) for one in made] == [1, 2, 3]
    job = claim(records, "h:1:1", Watcher(30), now)
    assert [queue_place(records, one) for one in made] == [0, 1, 2] and job.filing_id == made[0]


def test_many_takers_get_each_job_once(records, now):
    for text in "abcde":
        add_filing(records, new(text), allowance(now), now)
    with ThreadPoolExecutor(10) as pool:
        taken = list(pool.map(lambda at: claim(records, f"h:{at}:1", Watcher(30), now), range(10)))
    assert sorted(job.job_id for job in taken if job) == sorted(job.job_id for job in open_jobs(records))
    assert len([job for job in taken if job]) == 5


def test_a_job_of_a_dead_process_is_free_at_once_and_of_a_silent_one_after_a_while(records, now):
    add_filing(records, new(), allowance(now), now)
    code = "from records.lease import holder_of_this_process as h; print(h())"
    dead = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    first = claim(records, dead, Watcher(30), now)
    second = claim(records, holder_of_this_process(), Watcher(30), now)
    assert second is not None and (second.job_id, second.tries) == (first.job_id, 2)
    ticks = [0.0]
    watcher = Watcher(30, lambda: ticks[0])
    assert claim(records, "other", watcher, now) is None
    ticks[0] = 29
    assert beat(records, second) and claim(records, "other", watcher, now) is None, "it beat: the time begins anew"
    ticks[0] = 58
    assert claim(records, "other", watcher, now) is None
    ticks[0] = 60
    third = claim(records, "other", watcher, now)
    assert third is not None and third.tries == 3 and not beat(records, second)


def test_who_lost_a_job_writes_nothing_any_more(records, now):
    one, _ = add_filing(records, new(), allowance(now), now)
    old = claim(records, "h:1:1", Watcher(30), now)
    end_job(records, old, WAITING, now)
    fresh = claim(records, "h:2:1", Watcher(30), now)
    with pytest.raises(LeaseLost):
        move(records, one.filing_id, "checking", "worker", now, job=old)
    end_job(records, old, DONE, now)
    assert [job.holder for job in open_jobs(records)] == ["h:2:1"]
    assert move(records, one.filing_id, "checking", "worker", now, job=fresh).state == "checking"
