"""``python -m portal.filing.worker``: one process that takes jobs until whoever started it goes away.

One line of JSON on standard input says which home; the end of standard input means: finish the job and leave. A job may
take so long and no longer: the alarm of the system ends the process whatever it is doing, and the job is tried again
elsewhere. After many jobs, or grown too large, it leaves by itself and is replaced.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pipelines.batch import Places
from portal.filing.desk import open_desk
from portal.filing.jobs import Bench, do, open_bench, take
from records.errors import BusyDatabase, LostDatabase
from records.filing_jobs import Job, beat
from records.store import Records

LOOK_SECONDS = 0.25
NICE = 10
"""Pages come first where files are judged on the same processors."""
BEATS_IN_SILENCE = 6
"""How often a holder beats in the time after which it counts as silent."""

log = logging.getLogger("gongzhi.filing")


def main() -> int:
    """Work as the first line of standard input says."""
    told = json.loads(sys.stdin.readline())
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started us decides, not the keyboard
    os.nice(NICE)
    ahead = timedelta(seconds=told["ahead"])
    with Records.open(told["database_url"]) as records:
        desk = open_desk(Places(Path(told["home"]), told["database_url"], told["tables"]), records)
        bench = open_bench(desk, lambda: datetime.now(UTC) + ahead)
        try:
            warm_up(bench)
            work(bench, lambda: _told_to_leave())
        finally:
            bench.close()
    return 0


def warm_up(bench: Bench) -> None:
    """Import what every file needs, before the first one comes."""
    import pipelines.standardise  # noqa: F401
    import pipelines.validate.judge
    import pipelines.validate.keep
    import pipelines.validate.shapes  # noqa: F401

    bench.road.start(gate=False)
    bench.keen = True


def work(bench: Bench, leave: Callable[[], bool]) -> None:
    """Take jobs until told to leave, or until this process has done its share."""
    rules, done = bench.desk.rules.workers, 0
    while not leave() and done < rules.jobs and _resident_mb() < rules.resident_mb:
        try:
            job = take(bench)
        except (BusyDatabase, LostDatabase):
            log.warning("数据库忙，稍后再试 / the database is busy, trying again")
            continue
        if job is None:
            continue
        done += 1
        signal.alarm(rules.seconds)
        with beating(bench, job):
            do(bench, job)
        signal.alarm(0)


@contextmanager
def beating(bench: Bench, job: Job) -> Iterator[None]:
    """Say again and again that a job is worked on."""
    done = threading.Event()
    pause = bench.desk.rules.workers.silent_seconds / BEATS_IN_SILENCE

    def go_on() -> None:
        while not done.wait(pause):
            try:
                if not beat(bench.desk.records, job):
                    return
            except (BusyDatabase, LostDatabase):
                continue

    thread = threading.Thread(target=go_on, daemon=True, name="beat")
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _told_to_leave() -> bool:
    """Wait a moment; say whether standard input ended meanwhile."""
    ready: list[Any] = select.select([sys.stdin], [], [], LOOK_SECONDS)[0]
    return bool(ready) and not sys.stdin.readline()


def _resident_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
