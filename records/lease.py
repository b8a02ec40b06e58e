"""The lease: which process does the work, and the fence that keeps a process that lost it from writing.

One row per name. Whoever takes it raises ``fence``; the holder raises ``beat`` again and again. A contender judges
by its own monotonic clock: the same (fence, beat) seen for long enough means that the holder is gone. Wall clocks
decide nothing, they may jump. A lease that was given back, or whose holder is known to be dead on this host, is free
at once. Being judged dead by mistake costs a holder its work, never the data: every write of the work goes through
:func:`fenced`, which looks at the fence inside the write transaction, so a process that was stopped and comes back
fails at its next write (Kleppmann, How to do distributed locking, 2016).
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, insert, select, update

from records import models
from records.database import Database
from records.errors import LeaseLost
from records.store import Records

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease as somebody holds it; an empty ``holder`` gave it back."""

    name: str
    holder: str
    fence: int
    beat: int


class Contender:
    """One process that wants a lease, with what it has seen of it so far."""

    def __init__(
        self,
        records: Records,
        name: str,
        holder: str,
        *,
        seconds: float = 20.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.records = records
        self.name = name
        self.holder = holder
        self.seconds = seconds
        self._monotonic = monotonic
        self._seen: Lease | None = None
        self._seen_at = 0.0

    def try_take(self, now: datetime) -> Lease | None:
        """Take the lease if it is free: never held, given back, its holder dead, or without a beat for too long.

        Raises
        ------
        BusyDatabase
            A writer held the database too long to tell; try again.
        """
        found = lease_now(self.records, self.name)
        if found is not None and not self._is_free(found):
            return None
        taken = self._take(found, now)
        self._seen, self._seen_at = taken, self._monotonic()
        return taken

    def _is_free(self, found: Lease) -> bool:
        if found.holder == "" or is_dead(found.holder):
            return True
        if found != self._seen:
            self._seen, self._seen_at = found, self._monotonic()
            return False
        return self._monotonic() - self._seen_at >= self.seconds

    def _take(self, found: Lease | None, now: datetime) -> Lease | None:
        """Take it if it is still as it was found: of several contenders at once exactly one gets it."""
        mine = Lease(self.name, self.holder, found.fence + 1 if found else 1, 0)
        values = {
            "holder": mine.holder, "fence": mine.fence, "beat": 0, "taken_at": now, "beat_at": now, "asked_by": "",
        }  # fmt: skip
        with self.records.database.write() as connection:
            if _read(connection, self.name) != found:
                return None
            if found is None:
                connection.execute(insert(models.lease).values(name=self.name, **values))
            else:
                connection.execute(update(models.lease).where(models.lease.c.name == self.name).values(**values))
        return mine

    def ask(self) -> None:
        """Ask whoever holds the lease to give it up when it is idle; the newest question stands."""
        row = models.lease.c
        with self.records.database.write() as connection:
            connection.execute(update(models.lease).where(row.name == self.name).values(asked_by=self.holder))

    def is_asked(self) -> bool:
        """Tell whether another living process asks for the lease."""
        row = models.lease.c
        with self.records.database.read() as connection:
            by = connection.execute(select(row.asked_by).where(row.name == self.name)).scalar_one_or_none()
        return by not in (None, "", self.holder) and not is_dead(by)

    def renew(self, lease: Lease, now: datetime) -> Lease:
        """Beat once.

        Raises
        ------
        LeaseLost
            Another process took the lease.
        BusyDatabase
            A writer held the database too long; the lease may still be ours.
        """
        with self.records.database.write() as connection:
            _check(connection, lease)
            beat = _read_beat(connection, lease) + 1
            connection.execute(
                update(models.lease).where(models.lease.c.name == lease.name).values(beat=beat, beat_at=now)
            )
        return replace(lease, beat=beat)

    def release(self, lease: Lease, now: datetime) -> None:
        """Give the lease back; nothing happens where another process has it by now."""
        row = models.lease.c
        ours = (row.name == lease.name) & (row.fence == lease.fence) & (row.holder == lease.holder)
        with self.records.database.write() as connection:
            connection.execute(update(models.lease).where(ours).values(holder="", beat_at=now))


def lease_now(records: Records, name: str) -> Lease | None:
    """Tell who holds a lease."""
    with records.database.read() as connection:
        return _read(connection, name)


def still_ours(records: Records, lease: Lease) -> bool:
    """Tell whether nobody has taken the lease from us; asks without writing."""
    found = lease_now(records, lease.name)
    return found is not None and (found.fence, found.holder) == (lease.fence, lease.holder)


def fenced(records: Records, lease: Lease) -> Records:
    """Give the same records, every write of which first checks that the lease is still ours.

    The check runs under the writer lock, in the transaction it protects: no takeover comes between. A write raises
    :class:`records.errors.LeaseLost` and changes nothing once the lease was taken or given back.
    """
    return Records(Database(records.database.engine, lambda connection: _check(connection, lease)))


def _check(connection: Connection, lease: Lease) -> None:
    found = _read(connection, lease.name)
    if found is None or (found.fence, found.holder) != (lease.fence, lease.holder):
        raise LeaseLost(
            f"租约 {lease.name} 已由其他进程接手（本进程第 {lease.fence} 任，现为第 {found.fence if found else 0} 任），"
            "本进程停止写入",
            f"lease {lease.name} was taken over (ours was fence {lease.fence}, now {found.fence if found else 0});"
            " this process writes no more",
        )


def _read(connection: Connection, name: str) -> Lease | None:
    row = models.lease.c
    query = select(row.name, row.holder, row.fence, row.beat).where(row.name == name)
    found = connection.execute(query).one_or_none()
    return None if found is None else Lease(*found)


def _read_beat(connection: Connection, lease: Lease) -> int:
    return connection.execute(select(models.lease.c.beat).where(models.lease.c.name == lease.name)).scalar_one()


@cache
def _this_host() -> str:
    """Name the host, its boot and the process namespace: only within all three does a process number mean anything.

    Two containers of one host may share its name but not the namespace.
    """
    try:
        boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
        space = os.readlink(PROC / "self/ns/pid").strip("pid:[]")
    except OSError:  # no Linux: never judged dead, only outwaited
        return f"{socket.gethostname()}/?/?"
    return f"{socket.gethostname()}/{boot}/{space}"


def _start_ticks(pid: int) -> str | None:
    """Tell when a process started, in ticks since boot; None if it is not there, or dead and not yet reaped."""
    try:
        stat = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()  # proc(5): the name, in brackets, may hold anything
    return None if fields[0] in "ZX" else fields[19]


def holder_of_this_process() -> str:
    """Name this process so that another one can tell whether it still lives: ``host/boot/namespace:pid:start``."""
    return f"{_this_host()}:{os.getpid()}:{_start_ticks(os.getpid()) or '?'}"


def is_dead(holder: str) -> bool:
    """Tell whether a holder surely no longer lives; False where that cannot be known from here."""
    host, _, process = holder.partition(":")
    pid, _, started = process.partition(":")
    if host != _this_host() or not pid.isdigit() or started in ("", "?"):
        return False
    return _start_ticks(int(pid)) != started
