"""The clock at work: which slot runs when, in which of several processes, and never twice.

APScheduler only wakes the service; what is due is read from the ledger of runs, so that a clock set back repeats
nothing and a clock set forward, a stop or a crash loses nothing. A process works only while it holds the lease of the
records (``stint.py``), and gives it up between two runs to one that asks (a run at the terminal); a run that a stint
leaves behind stays ``running`` and is taken over by the next stint, wherever that is.

One daemon thread does the work, one renews the lease, one decides; ``serve`` itself only waits, so it can always
return within ten seconds of being asked to. Python cannot end a thread: a run far beyond its limit ends ``serve`` with
an error, and whoever started the process starts it again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from threading import Event, Thread
from typing import Any

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED  # type: ignore[import-untyped]
from apscheduler.schedulers.background import BackgroundScheduler  # type: ignore[import-untyped]

from pipelines.errors import RoadError, Stopped
from pipelines.slots import due, hourly, nightly, upcoming
from pipelines.stint import Job, Stint, Work, Worker
from records.errors import LeaseLost, RecordsError
from records.lease import Contender, holder_of_this_process
from records.runs import Run, begin_run, coalesce, finish_run, interrupted, runs
from records.store import Records

__all__ = ["LEASE", "Job", "Service", "Work", "hourly", "nightly"]

LEASE = "night"
PATIENCE = 9.0
"""Seconds a stop waits for the work to come to a safe point."""
WAY = 60.0
"""Seconds for which the lease is left to a process that asks; one that never takes it must not silence the nights."""
ON_TIME = timedelta(minutes=10)
"""A slot begun later than this is caught up, not on schedule."""
STANDSTILL = 60.0
"""Seconds by which a pause, or a jump of the clock, is worth a line in the log."""

log = logging.getLogger("gongzhi.schedule")


class Service:
    """Runs jobs at their slots while this process holds the lease, and stands by while another one does.

    Parameters
    ----------
    records : Records
        Where the lease and the ledger are.
    jobs : sequence of Job
        Where several are due, the first goes first.
    clock : callable
        The time now, aware.
    tick : float
        Seconds between two looks at what is due.
    lease_seconds : float
        How long a silent holder keeps the lease.
    between : callable
        Called about every ``pause`` seconds while the lease is held.
    failures : callable
        Told of each run that was recorded as failed.
    grace : float
        Seconds after its limit in which a run may still come to an end.
    """

    def __init__(
        self,
        records: Records,
        jobs: Sequence[Job],
        clock: Callable[[], datetime],
        *,
        tick: float = 1.0,
        lease_seconds: float = 20.0,
        between: Callable[[], None] = lambda: None,
        pause: float = 60.0,
        failures: Callable[[Run], None] = lambda run: None,
        grace: float = 120.0,
    ) -> None:
        self.records = records
        self.jobs = {job.name: job for job in jobs}
        self.holder = holder_of_this_process()
        self._clock = clock
        self._tick = tick
        self._lease_seconds = lease_seconds
        self._contender = Contender(records, LEASE, self.holder, seconds=lease_seconds)
        self._between, self._pause, self._next_pause = between, pause, 0.0
        self._failures = failures
        self._grace = grace
        self._wake = Event()
        self._stint: Stint | None = None
        self._worker: Worker | None = None
        self._trouble = ""
        self._stuck: RoadError | None = None
        self._asked_at: float | None = None

    def serve(self, stop: Event) -> None:
        """Work until ``stop`` is set; returns within ten seconds of that, even where the work does not end.

        Raises
        ------
        RoadError
            ``worker-stuck``: a run goes on far beyond its limit; the process has to be replaced.
        """
        loop = Thread(target=self._keep, args=(stop,), name="schedule", daemon=True)
        waking = self._start_waking()
        loop.start()
        try:
            while loop.is_alive() and not stop.wait(self._tick):
                pass
            self._wake.set()
            loop.join(PATIENCE)
        finally:
            waking.shutdown(wait=False)
            if self._stint is not None:
                self._stint.end()
        if self._stuck is not None:
            raise self._stuck
        if self._worker is not None:
            log.warning("未能在安全点停下，下次启动时继续 / no safe point was reached; taken up at the next start")

    def status(self) -> dict[str, Any]:
        """What health and metrics tell: who leads, what runs, how each job went last and when it is next."""
        stint, worker, now = self._stint, self._worker, self._clock()
        last = {name: runs(self.records, name, limit=1) for name in self.jobs}
        coming = {name: upcoming(job.slots, now) for name, job in self.jobs.items()}
        return {
            "holder": self.holder,
            "leader": stint is not None and stint.held(),
            "fence": None if stint is None else stint.lease.fence,
            "running": None if worker is None else _told(worker.run),
            "last": {name: _told(found[0]) if found else None for name, found in last.items()},
            "next": {name: slot and {"slot": slot[0], "at": slot[1].isoformat()} for name, slot in coming.items()},
        }

    # -- the loop --------------------------------------------------------------------------------------------

    def _start_waking(self) -> BackgroundScheduler:
        """Start APScheduler; it keeps to the wall clock, so the loop also looks by itself should that be set back."""
        logging.getLogger("apscheduler").setLevel(logging.WARNING)
        waking = BackgroundScheduler(timezone="Asia/Shanghai")
        waking.add_job(self._wake.set, "interval", seconds=self._tick, coalesce=True, misfire_grace_time=None)
        waking.add_listener(self._missed, EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)
        waking.start()
        return waking

    def _missed(self, event: Any) -> None:
        log.warning("时钟错过一次唤醒 / the clock missed a wake-up: %s", event)
        self._wake.set()

    def _keep(self, stop: Event) -> None:
        looked = self._clock(), time.monotonic()
        while not stop.is_set() and self._stuck is None:
            try:
                self._step(stop)
                self._trouble = ""
            except Exception as error:  # the ledger is the truth: end the stint and read it anew
                self._say_trouble(error)
                if self._stint is not None:
                    self._stint.end()
            self._wake.wait(5 * self._tick)
            self._wake.clear()
            looked = _tell_standstill(looked, (self._clock(), time.monotonic()))
        self._leave()

    def _step(self, stop: Event) -> None:
        if self._worker is not None:
            self._look_after(self._worker)
        if self._worker is None and self._stint is not None and not self._stint.held():
            log.warning("租约中断，转为待命 / the lease was interrupted; standing by")
            self._stint.release()
            self._stint = None
        if self._worker is None and self._gives_way():
            return
        if self._stint is None:
            self._stint = self._take()
        if self._stint is None or stop.is_set() or not self._stint.held():
            return
        if self._worker is None:
            self._worker = self._begin(self._stint, stop)
        if time.monotonic() >= self._next_pause:
            self._next_pause = time.monotonic() + self._pause
            _unharmed(self._between)

    def _gives_way(self) -> bool:
        """Leave the lease for a while to a process that asks for it; taking it again ends what was asked."""
        if not self._contender.is_asked():
            self._asked_at = None
            return False
        if self._asked_at is None:
            log.info("让出租约 / giving way to a process that asks for the lease")
            self._asked_at = time.monotonic()
        if self._stint is not None:
            self._stint.release()
            self._stint = None
        return time.monotonic() - self._asked_at < WAY

    def _take(self) -> Stint | None:
        asked = time.monotonic()
        lease = self._contender.try_take(self._clock())
        if lease is None:
            return None
        log.info("取得租约，序号 %d / took the lease, fence %d", lease.fence, lease.fence)
        return Stint(self._contender, lease, asked, self.records, self._clock, self._lease_seconds)

    def _leave(self) -> None:
        """Wait for the work, keep what it gave, and give the lease back; work that does not end keeps it."""
        if self._worker is not None and not self._worker.ended.wait(0 if self._stuck else 0.8 * PATIENCE):
            return
        try:
            if self._worker is not None:
                self._look_after(self._worker)
        except Exception as error:
            self._say_trouble(error)
        if self._stint is not None:
            self._stint.release()
            self._stint = None

    def _say_trouble(self, error: Exception) -> None:
        if str(error) != self._trouble:  # once, not every second
            known = isinstance(error, RecordsError)
            log.error("调度受阻，稍后重试 / held up, trying again: %s", error, exc_info=None if known else error)
        self._trouble = str(error)

    # -- the runs --------------------------------------------------------------------------------------------

    def _begin(self, stint: Stint, stop: Event) -> Worker | None:
        """Take over what an earlier stint left, else begin what is due."""
        run = self._left_run(stint)
        for job in self.jobs.values():
            run = run or self._due_run(job, stint)
        if run is None:
            return None
        log.info("开始 %s %s（第 %d 次）/ begun, attempt %d", run.job, run.slot, run.attempts, run.attempts)
        worker = Worker(self.jobs[run.job], run, stint, stop, self._wake)
        worker.start()
        return worker

    def _left_run(self, stint: Stint) -> Run | None:
        if stint.left is None:
            stint.left = interrupted(stint.records, stint.lease.fence)
        while stint.left:
            old = stint.left.pop(0)
            run = self._enter(stint, old.job, old.slot, old.kind, old.due_at)
            if run is not None and old.job in self.jobs:
                return run
            if run is not None:
                self._end_failed(stint, run, _unknown(run))
        return None

    def _due_run(self, job: Job, stint: Stint) -> Run | None:
        """Enter the newest slot that is due, and the older ones as done by it."""
        if job.name not in stint.known:
            entered = runs(stint.records, job.name, limit=None)
            stint.known[job.name] = {run.slot for run in entered if run.kind not in ("manual", "backfill")}
        now, known = self._clock(), stint.known[job.name]
        found = due(job.slots, job.catch_up, known, now)
        if not found:
            return None
        slot, at = found[-1]
        on_time = len(found) == 1 and now - at <= ON_TIME
        run = self._enter(stint, job.name, slot, "scheduled" if on_time else "catch-up", at)
        known.add(slot)
        if run is not None and found[:-1]:
            coalesce(stint.records, job.name, found[:-1], run.run_id, now)
            known.update(name for name, _ in found[:-1])
            log.warning("%s 补做 %s，合并 %d 个时点 / catching up, slots merged", job.name, slot, len(found) - 1)
        return run

    def _enter(self, stint: Stint, job: str, slot: str, kind: str, at: datetime) -> Run | None:
        return begin_run(stint.records, job, slot, kind, at, self._clock(), self.holder, stint.lease.fence)

    def _look_after(self, worker: Worker) -> None:
        """Record how a run ended, or that it takes too long."""
        if worker.ended.is_set():
            try:
                self._settle(worker)
            except LeaseLost:
                log.warning("租约已失，结果不记 / the lease is lost, nothing recorded: %s", worker.run.slot)
                worker.stint.end()
            self._worker = None
        elif worker.beyond(self._grace):
            self._stuck = _stuck(worker.run)
        elif worker.beyond() and not worker.cancelled.is_set():
            worker.cancelled.set()
            self._end_failed(worker.stint, worker.run, _too_long(worker.job))
            worker.recorded = True

    def _settle(self, worker: Worker) -> None:
        run, error = worker.run, worker.error
        if worker.recorded:
            return
        if error is None:
            finish_run(worker.stint.records, run.run_id, "done", self._clock(), worker.summary or {})
            log.info("完成 %s %s / done", run.job, run.slot)
        elif isinstance(error, Stopped | LeaseLost) or not worker.stint.held():
            log.warning("%s %s 未完成，将被接续 / left to be taken over: %s", run.job, run.slot, error)
            worker.stint.end()
        else:
            log.error("%s %s 失败 / failed", run.job, run.slot, exc_info=error)
            self._end_failed(worker.stint, run, _told_error(error))

    def _end_failed(self, stint: Stint, run: Run, error: dict[str, Any]) -> None:
        failed = finish_run(stint.records, run.run_id, "failed", self._clock(), {}, error)
        _unharmed(lambda: self._failures(failed))


def _unharmed(call: Callable[[], None]) -> None:
    """Call what must not stop the clock."""
    try:
        call()
    except Exception:
        log.exception("附带工作出错 / an error beside the runs")


def _tell_standstill(before: tuple[datetime, float], here: tuple[datetime, float]) -> tuple[datetime, float]:
    """Say in the log when the process stood still, or the wall clock was set."""
    passed = here[1] - before[1]
    jumped = (here[0] - before[0]).total_seconds() - passed
    if passed > STANDSTILL:
        log.warning("调度停顿 %.0f 秒 / nothing was looked at for %.0f s", passed, passed)
    if abs(jumped) > STANDSTILL:
        log.warning("系统时钟跳变 %+.0f 秒 / the clock was set by %+.0f s", jumped, jumped)
    return here


def _told(run: Run) -> dict[str, Any]:
    return {
        "job": run.job,
        "slot": run.slot,
        "kind": run.kind,
        "state": run.state,
        "attempts": run.attempts,
        "started_at": run.started_at.isoformat(),
        "finished_at": run.finished_at.isoformat() if run.finished_at else None,
    }


def _told_error(error: BaseException) -> dict[str, Any]:
    if isinstance(error, RoadError | RecordsError):
        return error.as_json()
    return {"code": "our-fault", "message": f"程序错误：{error!r}", "message_en": f"a fault of the program: {error!r}"}


def _too_long(job: Job) -> dict[str, Any]:
    return {
        "code": "too-long",
        "message": f"运行超过时限 {job.limit}，已要求停止",
        "message_en": f"ran longer than {job.limit}; it was told to stop",
    }


def _unknown(run: Run) -> dict[str, Any]:
    return {
        "code": "unknown-job",
        "message": f"本程序没有任务 {run.job}，中断的运行不再继续",
        "message_en": f"this program has no job {run.job}; the interrupted run is not taken up",
    }


def _stuck(run: Run) -> RoadError:
    return RoadError(
        "worker-stuck",
        f"任务 {run.job} {run.slot} 超过时限仍不停止，须重启进程",
        f"run {run.job} {run.slot} does not end though it is beyond its limit; the process has to be started anew",
    )
