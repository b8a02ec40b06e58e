"""One job, done: a filing checked, or its batch walked; in a worker, or in this process for :func:`work_off`.

Every step can be repeated: a job left by a worker that died is done again by the next, with one outcome. The judgement
has the clock of when the file came, the batch that of when it was handed in.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipelines.sync import Road, take_up
from portal.filing import drafts
from portal.filing.actions import deliver
from portal.filing.beginning import facts_now
from portal.filing.checking import check_filing
from portal.filing.desk import FilingDesk
from records.errors import IllegalState, LeaseLost
from records.filing_jobs import CHECK, DONE, FAILED, WAITING, Job, Watcher, claim, end_job
from records.filings import WORKER, Filing, filing, move, set_stage, settle
from records.lease import holder_of_this_process

log = logging.getLogger("gongzhi.filing")

GIVEN_UP = {
    "code": "worker-died",
    "message": "系统未能处理此文件（多次中断），已停止；文件可能有异常，请在 Excel 中打开确认后另存再上传，或告知管理员",
    "message_en": "the file could not be processed after several tries; save it again and send it, or tell the administrator",
    "row": None,
    "column": None,
}
ENDED = ("published", "refused", "repeated", "withdrawn")


class NotDone(Exception):
    """The batch could not be brought to its end this time; the job is tried again."""


@dataclass
class Bench:
    """Where jobs are done: the desk, a road that stays warm, the clock, and how long a silent holder is waited for."""

    desk: FilingDesk
    road: Road
    clock: Callable[[], datetime]
    watcher: Watcher
    keen: bool = False
    """Start the gate as soon as a file was checked that may be handed in."""

    def close(self) -> None:
        """End the children of the road."""
        self.road.close()


def open_bench(desk: FilingDesk, clock: Callable[[], datetime]) -> Bench:
    """Make a bench; nothing runs yet."""
    road = Road(desk.places, clock, desk.records, warm=True)
    return Bench(desk, road, clock, Watcher(desk.rules.workers.silent_seconds))


def take(bench: Bench) -> Job | None:
    """Take the next job, None where there is none."""
    return claim(bench.desk.records, holder_of_this_process(), bench.watcher, bench.clock())


def do(bench: Bench, job: Job) -> None:
    """Do a job that was taken; a fault puts it back until it was tried often enough."""
    records, rules = bench.desk.records, bench.desk.rules.workers
    if job.tries > rules.tries:
        _give_up(bench, job)
        return
    try:
        found = filing(records, job.filing_id)
        (_check if job.kind == CHECK else _walk)(bench, job, found)
    except (LeaseLost, IllegalState):  # taken over, or withdrawn meanwhile
        end_job(records, job, DONE, bench.clock())
    except Exception:
        log.exception("任务 %s 未完成 / job %s was not done", job.job_id, job.job_id)
        if job.tries < rules.tries:
            end_job(records, job, WAITING, bench.clock())
        else:
            _give_up(bench, job)
    else:
        end_job(records, job, DONE, bench.clock())


def work_off(desk: FilingDesk, clock: Callable[[], datetime]) -> int:
    """Do all jobs that wait in this process; give how many were done."""
    bench = open_bench(desk, clock)
    try:
        return clear(bench)
    finally:
        bench.close()


def clear(bench: Bench) -> int:
    """Do all jobs that wait at a bench that stays open; give how many were done."""
    done = 0
    while (job := take(bench)) is not None:
        do(bench, job)
        done += 1
    return done


def _check(bench: Bench, job: Job, found: Filing) -> None:
    records, at = bench.desk.records, found.created_at
    if found.state == "queued":
        found = move(records, found.filing_id, "checking", WORKER, bench.clock(), job=job)
    if found.state == "checking":
        bench.road.clock = lambda: at
        bench.road.progress = lambda stage: set_stage(records, found.filing_id, stage, bench.clock())
        try:
            checked = check_filing(bench.road, found, facts_now(bench.desk, found.bureau, at))
        finally:
            bench.road.clock = bench.clock
        to = "refused" if checked.dropped else "checked"
        found = move(records, found.filing_id, to, WORKER, bench.clock(), job=job, **checked.values)
    if bench.keen and found.purpose != "check":
        bench.road.start(gate=True)
    if found.state == "checked" and found.purpose == "straight":
        _straight_on(bench, job, found)


def _straight_on(bench: Bench, job: Job, found: Filing) -> None:
    """Hand in what a program sent, unless nothing of it may go out."""
    if found.error is not None:
        move(bench.desk.records, found.filing_id, "refused", WORKER, bench.clock(), job=job)
        return
    handed = deliver(bench.desk, found, found.account_id, bench.clock(), statement=True, confirmations={})
    _tidy(bench.desk, handed)


def _walk(bench: Bench, job: Job, found: Filing) -> None:
    records = bench.desk.records
    bench.road.clock = bench.clock
    bench.road.progress = lambda stage: set_stage(records, found.filing_id, stage, bench.clock())
    outcome = take_up(bench.road, found.batch_id)
    settle(records, bench.clock())
    found = filing(records, found.filing_id)
    if found.state == "handing_in":
        raise NotDone(f"batch {found.batch_id} is {outcome.state}: {outcome.error}")
    _tidy(bench.desk, found)


def _tidy(desk: FilingDesk, found: Filing) -> None:
    """Remove the draft of a filing whose findings and bytes now stand with its batch."""
    if found.state in ENDED and found.batch_id:
        drafts.drop(desk.places, found.filing_id)


def _give_up(bench: Bench, job: Job) -> None:
    records, at = bench.desk.records, bench.clock()
    values: dict[str, Any] = {"error": GIVEN_UP, "stage": ""}
    try:
        move(records, job.filing_id, "failed", WORKER, at, note=f"{job.tries} tries", job=job, **values)
    except (IllegalState, LeaseLost):  # it came to an end another way
        log.info("job %s is not given up: its filing went on", job.job_id)
    end_job(records, job, FAILED, at)
