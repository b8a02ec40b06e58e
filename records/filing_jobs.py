"""The jobs of the workers: each is taken by one process, and taken over where that process surely died or fell silent.

Whoever takes a job writes his name (``records.lease.holder_of_this_process``) and raises ``beat`` while he works. A
taken job is free again when its holder is dead on this host, or when its beat did not move for long enough on the
watcher's own monotonic clock: wall clocks decide nothing. Everything a job writes is written under :func:`mine`, in the
same transaction, so that a worker that was stopped and comes back changes nothing any more.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from records import filing_models as models
from records.errors import LeaseLost
from records.lease import is_dead
from records.store import Records

WAITING, TAKEN, DONE, FAILED = "waiting", "taken", "done", "failed"
CHECK, WALK = "check", "walk"
_COLUMNS = tuple(
    models.filing_job.c[name] for name in ("job_id", "filing_id", "kind", "state", "tries", "holder", "beat")
)


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work on a filing: ``check`` it, or ``walk`` its batch; ``tries`` counts how often it was taken."""

    job_id: int
    filing_id: str
    kind: str
    state: str
    tries: int
    holder: str
    beat: int


@dataclass
class Watcher:
    """Sees which holders fell silent; each worker has one of its own."""

    seconds: float
    monotonic: Callable[[], float] = time.monotonic
    seen: dict[int, tuple[Job, float]] = field(default_factory=dict)

    def is_left(self, job: Job) -> bool:
        """Say whether a taken job has nobody any more."""
        if is_dead(job.holder):
            return True
        known = self.seen.get(job.job_id)
        if known is None or known[0] != job:
            self.seen[job.job_id] = (job, self.monotonic())
            return False
        return self.monotonic() - known[1] >= self.seconds


def add_job(connection: Connection, filing_id: str, kind: str, at: datetime) -> None:
    """Put a job into the queue, inside the caller's transaction."""
    values = {"state": WAITING, "tries": 0, "holder": "", "beat": 0, "made_at": at}
    connection.execute(insert(models.filing_job).values(filing_id=filing_id, kind=kind, **values))


def claim(records: Records, holder: str, watcher: Watcher, at: datetime) -> Job | None:
    """Take the oldest job that is free; None where there is none. Of several takers one gets it."""
    for found in open_jobs(records):
        if found.state == TAKEN and not watcher.is_left(found):
            continue
        j = models.filing_job.c
        still = (j.job_id == found.job_id, j.state == found.state, j.holder == found.holder, j.beat == found.beat)
        values = {"state": TAKEN, "holder": holder, "beat": found.beat + 1, "tries": found.tries + 1, "taken_at": at}
        with records.database.write() as connection:
            if connection.execute(update(models.filing_job).where(*still).values(**values)).rowcount == 1:
                return Job(found.job_id, found.filing_id, found.kind, TAKEN, found.tries + 1, holder, found.beat + 1)
    return None


def open_jobs(records: Records) -> list[Job]:
    """List the jobs that wait or are being done, the oldest first."""
    j = models.filing_job.c
    query = select(*_COLUMNS).where(j.state.in_((WAITING, TAKEN))).order_by(j.job_id)
    with records.database.read() as connection:
        return [Job(*row) for row in connection.execute(query)]


def place_of(records: Records, filing_id: str) -> int:
    """Give the place of a filing in the queue: 1 is next, 0 does not wait."""
    j = models.filing_job.c
    waiting = j.state == WAITING
    with records.database.read() as connection:
        first = connection.execute(select(func.min(j.job_id)).where(waiting, j.filing_id == filing_id)).scalar()
        if first is None:
            return 0
        return int(connection.execute(select(func.count()).where(waiting, j.job_id <= first)).scalar_one())


def beat(records: Records, job: Job) -> bool:
    """Say that a job is still worked on; False where it is not ours any more."""
    j = models.filing_job.c
    with records.database.write() as connection:
        return connection.execute(_ours(job).values(beat=j.beat + 1)).rowcount == 1


def mine(connection: Connection, job: Job | None) -> None:
    """See that a job is still ours, inside the transaction that writes what came of it.

    Raises
    ------
    LeaseLost
    """
    if job is None:
        return
    j = models.filing_job.c
    query = select(j.job_id).where(j.job_id == job.job_id, j.state == TAKEN, j.holder == job.holder)
    if connection.execute(query.where(j.tries == job.tries)).one_or_none() is None:
        raise LeaseLost(
            f"任务 {job.job_id} 已由其他进程接手，本进程停止写入",
            f"job {job.job_id} was taken over by another process; this one writes no more",
        )


def end_job(records: Records, job: Job, state: str, at: datetime) -> None:
    """End a job, or put it back (:data:`WAITING`); one that another process took over is left to it."""
    values: dict[str, Any] = {"state": state, "holder": ""} if state == WAITING else {"state": state, "ended_at": at}
    with records.database.write() as connection:
        connection.execute(_ours(job).values(**values))


def drop_jobs(connection: Connection, filing_id: str, at: datetime) -> None:
    """End what waits for a filing nobody wants any more, inside the caller's transaction."""
    j = models.filing_job.c
    waiting = update(models.filing_job).where(j.filing_id == filing_id, j.state == WAITING)
    connection.execute(waiting.values(state=DONE, ended_at=at))


def _ours(job: Job) -> Any:
    j = models.filing_job.c
    taken = (j.job_id == job.job_id, j.state == TAKEN, j.holder == job.holder, j.tries == job.tries)
    return update(models.filing_job).where(*taken)
