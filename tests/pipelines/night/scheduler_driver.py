"""A scheduler in a process of its own, so that it can be stopped, killed, and given a wrong clock.

``scheduler_driver.py PLAN`` runs a service whose one job has a slot every few dozen milliseconds. Its clock is the
machine's plus the seconds written in a file. The work of a slot is a batch that goes from its receipt to its
publication through the records of its run. The bytes are other bytes at every attempt, so nothing but the ledger and
the fence keeps two workers at one slot from publishing twice.
"""

from __future__ import annotations

import json
import logging
import secrets
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

from pipelines.errors import Stopped
from pipelines.schedule import Job, Service, Work
from pipelines.slots import Slot
from records.store import Records

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def every(milliseconds: int) -> Callable[[datetime, datetime], list[Slot]]:
    """A slot at each multiple of some milliseconds, named by its number."""
    step = timedelta(milliseconds=milliseconds)

    def slots(since: datetime, until: datetime) -> list[Slot]:
        numbers = range((since - EPOCH) // step + 1, (until - EPOCH) // step + 1)
        return [(f"{number:012d}", EPOCH + number * step) for number in numbers]

    return slots


def clock_of(offset: Path) -> Callable[[], datetime]:
    """The machine's clock, off by the seconds in a file."""

    def clock() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=float(offset.read_text()))

    return clock


def publish(work: Work, clock: Callable[[], datetime], pause: float) -> dict[str, Any]:
    """Publish a new batch for a slot, unless an earlier attempt came to publish one; ``pause`` seconds of it idle."""
    records, slot = work.records, work.run.slot
    if records.batches(bureau=slot, state="published"):
        return {"fence": work.lease.fence}
    once = secrets.token_hex(32)
    batch, _ = records.receive(slot, f"{slot}.csv", once, once, 1, clock(), f"night:{slot}", "rules")
    for state in ("read", "judged"):
        if work.stopping():
            raise Stopped
        records.advance(batch.batch_id, state, clock())
    time.sleep(pause)
    records.begin_publication(batch.batch_id, clock())
    records.finish_publication(batch.batch_id, [], [], clock())
    return {"fence": work.lease.fence}


def main(plan: dict[str, Any]) -> None:
    """Serve until SIGTERM."""
    logging.basicConfig(filename=plan["log"], level=logging.INFO, format="%(asctime)s %(process)d %(message)s")
    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    logging.info("ready")
    clock = clock_of(Path(plan["offset"]))
    job = Job(
        "tick",
        every(plan["slot_ms"]),
        lambda work: publish(work, clock, plan["pause"]),
        catch_up=timedelta(seconds=plan["catch_up"]),
    )
    with Records.open(plan["database"]) as records:
        Service(records, [job], clock, tick=plan["tick"], lease_seconds=plan["lease_seconds"]).serve(stop)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
