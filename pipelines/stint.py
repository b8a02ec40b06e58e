"""A stint, the time a process holds the lease, and a worker, one run at work during a stint.

A stint ends with the lease, when the lease could not be renewed for 60 % of its time, and after any trouble with the
database. It never comes back: the next one has a higher fence. Everything a run writes goes through records that
check the fence, so a process that was stopped for an hour cannot publish over its successor.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event, Thread
from typing import Any

from pipelines.slots import Slots
from records.errors import LeaseLost
from records.lease import Contender, Lease, fenced, holder_of_this_process
from records.runs import Run
from records.store import Records

SURE = 0.6
"""The part of the lease's time after its last renewal in which nobody else can have taken it."""
RENEWALS = 5
"""Renewals in the time of a lease."""
ASK_EVERY = 5.0
"""Seconds between two questions for the lease: whoever takes it meanwhile has not heard the one before."""

log = logging.getLogger("gongzhi.schedule")


class Stint:
    """One time of holding the lease; once over, it stays over.

    Parameters
    ----------
    contender : Contender
        Took the lease, and renews it here.
    lease : Lease
        What was taken.
    asked : float
        Monotonic time just before it was asked for.
    records : Records
        What the fence is put around.
    clock : callable
        The time now, aware; only written down.
    seconds : float
        How long the lease lasts unrenewed.
    """

    def __init__(
        self,
        contender: Contender,
        lease: Lease,
        asked: float,
        records: Records,
        clock: Callable[[], datetime],
        seconds: float,
    ) -> None:
        self.lease = lease
        self.records = fenced(records, lease)
        self.left: list[Run] | None = None
        self.known: dict[str, set[str]] = {}
        self._contender = contender
        self._clock = clock
        self._seconds = seconds
        self._renewed = asked
        self._over = Event()
        Thread(target=self._renew, name=f"lease-{lease.fence}", daemon=True).start()

    def held(self) -> bool:
        """Tell whether the lease is surely still ours, by a clock that nobody sets."""
        if time.monotonic() - self._renewed > SURE * self._seconds:
            self._over.set()
        return not self._over.is_set()

    def end(self) -> None:
        """Give up: no renewals and no new work from now on."""
        self._over.set()

    def release(self) -> None:
        """Let others have the lease at once; where that fails they get it a little later."""
        self.end()
        try:
            self._contender.release(self.lease, self._clock())
        except Exception as error:
            log.warning("租约未能交还，到期后自动失效 / the lease was not released, it will expire: %s", error)

    def _renew(self) -> None:
        lease = self.lease
        while not self._over.wait(self._seconds / RENEWALS):
            asked = time.monotonic()
            try:
                lease = self._contender.renew(lease, self._clock())
            except LeaseLost:
                self._over.set()
            except Exception as error:  # the database is busy or away: ask again until the time is up
                log.warning("租约续期失败 / the lease could not be renewed: %s", error)
            else:
                self._renewed = asked


@contextmanager
def stint_now(
    records: Records,
    name: str,
    clock: Callable[[], datetime],
    *,
    seconds: float = 20.0,
    waiting: Callable[[], None] = lambda: None,
) -> Iterator[Stint]:
    """Hold the lease for one piece of work: an idle holder gives it up, one at work is waited for (``waiting`` once)."""
    contender = Contender(records, name, holder_of_this_process(), seconds=seconds)
    asked_at = -ASK_EVERY
    while True:
        asked = time.monotonic()
        lease = contender.try_take(clock())
        if lease is not None:
            break
        if asked_at < 0:
            waiting()
        if asked - asked_at >= ASK_EVERY:
            contender.ask()
            asked_at = asked
        time.sleep(0.1)
    stint = Stint(contender, lease, asked, records, clock, seconds)
    try:
        yield stint
    finally:
        stint.release()


@dataclass(frozen=True, slots=True)
class Work:
    """What a job gets: its run, the records it may write to, and a question to ask at every safe point."""

    run: Run
    records: Records
    lease: Lease
    stopping: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Job:
    """Something done once for each slot; ``work`` may be called again for the same run and must then go on with it."""

    name: str
    slots: Slots
    work: Callable[[Work], dict[str, Any]]
    catch_up: timedelta = timedelta(days=7)
    limit: timedelta = timedelta(hours=4)


@dataclass
class Worker:
    """One run at work in a thread of its own; ``wake`` is set when it has ended."""

    job: Job
    run: Run
    stint: Stint
    stop: Event
    wake: Event
    began: float = field(default_factory=time.monotonic)
    ended: Event = field(default_factory=Event)
    cancelled: Event = field(default_factory=Event)
    recorded: bool = False
    summary: dict[str, Any] | None = None
    error: BaseException | None = None

    def start(self) -> None:
        """Begin the work."""
        Thread(target=self._work, name=f"run-{self.run.run_id}", daemon=True).start()

    def _work(self) -> None:
        try:
            self.summary = self.job.work(Work(self.run, self.stint.records, self.stint.lease, self._stopping))
        except BaseException as error:  # whatever ends the thread must not end it unseen
            self.error = error
        finally:
            self.ended.set()
            self.wake.set()

    def _stopping(self) -> bool:
        return self.stop.is_set() or self.cancelled.is_set() or not self.stint.held()

    def beyond(self, grace: float = 0.0) -> bool:
        """Tell whether the work still goes on this many seconds after its limit."""
        limit = self.job.limit.total_seconds()
        return not self.ended.is_set() and time.monotonic() - self.began > limit + grace
