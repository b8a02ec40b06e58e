"""The crew: worker processes kept running beside the pages, and the broom that goes after them.

A worker that ends, however it does, is replaced; one that ends at once again and again is replaced ever more slowly.
"""

from __future__ import annotations

import contextlib
import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import portal
from pipelines.batch import Places
from portal.filing.desk import FilingDesk, open_desk
from portal.filing.drafts import sweep
from portal.settings import PortalSettings
from records.errors import RecordsError
from records.filings import settle
from records.store import Records

LOOK_SECONDS = 0.2
SETTLE_SECONDS, SWEEP_SECONDS = 5.0, 600.0
LEAVE_SECONDS = 10.0
SHORT_LIFE, LONGEST_PAUSE = 5.0, 30.0
WORKER = (sys.executable, "-P", "-m", "portal.filing.worker")

log = logging.getLogger("gongzhi.filing")


def utc_now() -> datetime:
    """Give the time."""
    return datetime.now(UTC)


@dataclass
class Seat:
    """One worker's place: who sits there, since when, and when somebody may sit down again."""

    process: subprocess.Popen[str] | None = None
    since: float = 0.0
    free_from: float = 0.0
    pause: float = 0.0


class Crew:
    """Keeps ``count`` workers of a home running until :meth:`stop`."""

    def __init__(
        self, places: Places, count: int, clock: Callable[[], datetime] = utc_now, command: Sequence[str] = WORKER
    ) -> None:
        self.places = places
        self.clock = clock
        self.command = command
        self.seats = [Seat() for _ in range(count)]
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._look_after, daemon=True, name="filing-crew")

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Let each worker finish its job for a moment, then end it: whatever it leaves is taken up again."""
        self._ending.set()
        self._thread.join()

    def pids(self) -> list[int]:
        """Give the numbers of the processes that work."""
        return [seat.process.pid for seat in self.seats if seat.process is not None and seat.process.poll() is None]

    def _look_after(self) -> None:
        settled = swept = float("-inf")
        try:
            with Records.open(self.places.database_url) as records:
                desk = open_desk(self.places, records)
                while not self._ending.is_set():
                    now = time.monotonic()
                    for seat in self.seats:
                        self._fill(seat, now)
                    if now - settled >= SETTLE_SECONDS:
                        settled = now
                        _quietly(lambda: settle(records, self.clock()))
                    if now - swept >= SWEEP_SECONDS:
                        swept = now
                        _quietly(lambda: self._sweep(desk))
                    self._ending.wait(LOOK_SECONDS)
        finally:
            self._dismiss()

    def _sweep(self, desk: FilingDesk) -> None:
        # files have the time of this machine, filings that of the portal: the same but in a test
        sweep(desk, self.clock(), utc_now())

    def _fill(self, seat: Seat, now: float) -> None:
        if seat.process is not None:
            code = seat.process.poll()
            if code is None:
                return
            log.log(logging.INFO if code == 0 else logging.WARNING, "worker %s ended: %s", seat.process.pid, code)
            seat.pause = min(max(2 * seat.pause, 1.0), LONGEST_PAUSE) if now - seat.since < SHORT_LIFE else 0.0
            _hang_up(seat.process)
            seat.process, seat.free_from = None, now + seat.pause
        if now >= seat.free_from:
            seat.process, seat.since = self._spawn(), now

    def _spawn(self) -> subprocess.Popen[str]:
        worker = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            cwd=Path(portal.__file__).resolve().parent.parent,
            start_new_session=True,
        )
        assert worker.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it died already: the next look finds that
            worker.stdin.write(json.dumps(self._told()) + "\n")
            worker.stdin.flush()
        return worker

    def _told(self) -> dict[str, object]:
        ahead = (self.clock() - utc_now()).total_seconds()
        return {
            "home": str(self.places.home), "database_url": self.places.database_url, "tables": self.places.tables,
            "ahead": ahead if abs(ahead) > 1 else 0.0,
        }  # fmt: skip

    def _dismiss(self) -> None:
        working = [seat.process for seat in self.seats if seat.process is not None]
        for process in working:
            _hang_up(process)
        until = time.monotonic() + LEAVE_SECONDS
        for process in working:
            try:
                process.wait(max(until - time.monotonic(), 0.0))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def start(places: Places, settings: PortalSettings, clock: Callable[[], datetime] = utc_now) -> Callable[[], None]:
    """Start the workers a portal has by its settings; give what ends them."""
    crew = Crew(places, settings.workers, clock)
    crew.start()
    return crew.stop


def _hang_up(process: subprocess.Popen[str]) -> None:
    """Tell a worker to leave, or let go of one that has left."""
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()


def _quietly(what: Callable[[], object]) -> None:
    """Do what may fail now and is done again soon."""
    try:
        what()
    except (RecordsError, OSError):
        log.exception("整理未完成，稍后再试 / tidying failed, it is tried again")
