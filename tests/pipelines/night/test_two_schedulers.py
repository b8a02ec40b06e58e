"""Two schedulers on one home: each slot has one effect, whatever happens to them (R7; SCH-01, 05, 08 to 12).

The nemesis stops the one that works for longer than its lease and lets it go on, kills it and starts it anew, and sets
either clock forward and back by seconds and by hours. At the end every slot of the time must stand in the ledger once,
done or merged into another that is done, and must have been published once, or not at all where it was merged. With
``CI=true`` there are 1,000 slots, else 200. They mostly wait, so both kinds of database are tried at the same time.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Timer
from typing import Any

from records.chain import verify_chain
from records.runs import Run, runs
from records.store import Records

HERE = Path(__file__).parent
PROJECT = HERE.parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(PROJECT)}
SLOTS = 1000 if os.environ.get("CI") == "true" else 200
SLOT_MS = 75
LEASE = 1.0
JUMPS = (2.0, 30.0, 600.0, 3600.0, 5 * 3600.0)


class Scheduler:
    """One scheduler process after another, with a clock of their own."""

    def __init__(self, number: int, folder: Path, database: str) -> None:
        self.offset = folder / f"offset-{number}"
        self.log = folder / f"log-{number}"
        self.plan = {
            "database": database,
            "offset": str(self.offset),
            "log": str(self.log),
            "slot_ms": SLOT_MS,
            "catch_up": 120.0,
            "pause": 0.03,
            "tick": 0.05,
            "lease_seconds": LEASE,
        }
        self.set_clock(0.0)
        self.start()

    def start(self) -> None:
        command = [sys.executable, str(HERE / "scheduler_driver.py"), json.dumps(self.plan)]
        with self.log.open("ab") as errors:
            self.process = subprocess.Popen(command, env=ENVIRONMENT, stderr=errors)

    def set_clock(self, seconds: float) -> None:
        new = self.offset.with_suffix(".new")
        new.write_text(str(seconds))
        new.replace(self.offset)

    def freeze(self, seconds: float) -> Timer:
        """Stop the process; a timer lets it go on, whatever the test waits for."""
        self.process.send_signal(signal.SIGSTOP)
        timer = Timer(seconds, self.process.send_signal, (signal.SIGCONT,))
        timer.start()
        return timer

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.start()

    def end(self) -> float:
        """Stop as systemd would, one that listens; the seconds it took."""
        self.process.send_signal(signal.SIGCONT)
        until(lambda: f" {self.process.pid} ready\n" in self.log.read_text(), 20)
        began = time.monotonic()
        self.process.terminate()
        assert self.process.wait(20) == 0, self.log.read_text()[-2000:]
        return time.monotonic() - began


@contextmanager
def pair_on(database: str, folder: Path) -> Iterator[tuple[list[Scheduler], Records]]:
    """Two schedulers on one empty database."""
    folder.mkdir()
    with Records.open(database) as records:
        both = [Scheduler(number, folder, database) for number in (1, 2)]
        try:
            yield both, records
        finally:
            for one in both:
                one.process.send_signal(signal.SIGCONT)
                one.process.kill()
                one.process.wait()


def on_both(databases: dict[str, str], folder: Path, story: Callable[[list[Scheduler], Records], None]) -> None:
    """Tell a story on each kind of database, at the same time."""

    def tell(kind: str) -> None:
        with pair_on(databases[kind], folder / kind) as (pair, records):
            try:
                story(pair, records)
            except BaseException as error:
                error.add_note(f"on {kind}")
                raise

    for address in databases.values():  # alembic knows one migration at a time
        Records.open(address, create=True).close()
    with ThreadPoolExecutor(len(databases)) as pool:
        ends = [pool.submit(tell, kind) for kind in databases]
    for end in ends:
        end.result()


def until(true: Callable[[], Any], seconds: float, every: float = 0.05) -> Any:
    """Wait until something is so, and give it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := true():
            return found
        time.sleep(every)
    raise AssertionError("it did not come about in time")


def number_now() -> int:
    return int(datetime.now(UTC).timestamp() * 1000) // SLOT_MS


def leader_of(pair: list[Scheduler], newest: Run) -> Scheduler:
    """The one whose process entered the newest run."""
    pid = int(newest.holder.split(":")[-2])
    return next((one for one in pair if one.process.pid == pid), pair[0])


def torment(pair: list[Scheduler], records: Records, last: int, dice: random.Random) -> Counter[str]:
    """Disturb the two until a slot has come, and tell what was done to them."""
    done: Counter[str] = Counter()
    while number_now() < last:
        time.sleep(dice.uniform(0.2, 1.0))
        leader = leader_of(pair, runs(records, limit=1)[0])
        deed = dice.choices(("freeze", "kill", "jump"), (4, 2, 4))[0]
        if deed == "freeze":
            leader.freeze(dice.uniform(1.5, 2.5) * LEASE).join()
        elif deed == "kill":
            leader.kill()
        else:
            dice.choice(pair).set_clock(dice.choice((-1, 1)) * dice.choice(JUMPS))
            time.sleep(dice.uniform(0.3, 1.0))
            for one in pair:
                one.set_clock(0.0)
        done[deed] += 1
    return done


def wanted(records: Records, first: int, last: int) -> dict[int, Run] | None:
    """The runs of the slots asked for, once all have ended."""
    found = {int(run.slot): run for run in runs(records, limit=None)}
    slots = range(first, last + 1)
    if all(slot in found and found[slot].state in ("done", "coalesced") for slot in slots):
        return {slot: found[slot] for slot in slots}
    return None


def test_every_slot_has_one_effect_whatever_happens_to_the_schedulers(both_databases, tmp_path):
    on_both(both_databases, tmp_path, every_slot_has_one_effect)


def every_slot_has_one_effect(pair: list[Scheduler], records: Records) -> None:
    first = int(until(lambda: runs(records), 20)[-1].slot)
    last = first + SLOTS - 1
    deeds = torment(pair, records, last, random.Random(7))
    ledger = until(lambda: wanted(records, first, last), 40)
    stops = [one.end() for one in pair]

    everything = runs(records, limit=None)
    assert len({run.slot for run in everything}) == len(everything)
    over = [run for run in everything if run.state != "running"]
    assert len(everything) - len(over) <= 1, "only the run the last stop interrupted may be open"
    assert {run.state for run in over} == {"done", "coalesced"}
    published = Counter(batch.bureau for batch in records.batches(limit=None, state="published"))
    effects = {run.slot: int(run.state == "done") for run in over}
    assert {slot: published[slot] for slot in effects} == effects, "a publication was lost or made twice"
    assert max(published.values()) == 1
    merged = {run.summary["into"] for run in ledger.values() if run.state == "coalesced"}
    assert merged <= {run.run_id for run in everything if run.state != "coalesced"}
    assert verify_chain(records).ok
    assert max(stops) < 10
    states = Counter(run.state for run in ledger.values())
    taken_over = sum(run.attempts > 1 for run in everything)
    refused = sum(one.log.read_text().count("this process writes no more") for one in pair)
    print(f"\n{SLOTS} slots: {dict(states)}, {dict(deeds)}, taken over {taken_over}, refused by the fence {refused}")
    assert sum(deeds.values()) >= SLOTS * SLOT_MS / 1000 / 5 and taken_over > 0


def test_a_leader_stopped_in_its_work_cannot_publish_over_the_one_who_took_over(both_databases, tmp_path):
    on_both(both_databases, tmp_path, a_leader_stopped_cannot_publish)


def a_leader_stopped_cannot_publish(pair: list[Scheduler], records: Records) -> None:
    until(lambda: len(runs(records)) >= 5, 20)
    successors = []
    for _ in range(5):
        before = until(lambda: _about_to_publish(records), 20, every=0.002)
        zombie = leader_of(pair, before)
        zombie.freeze(2.5 * LEASE).join()
        newest = until(lambda fence=before.fence: _under_a_newer_fence(records, fence), 20)
        successors.append(leader_of(pair, newest) is not zombie)
    for one in pair:
        one.end()
    published = Counter(batch.bureau for batch in records.batches(limit=None, state="published"))
    assert published and max(published.values()) == 1
    assert any(successors), "stopped inside a write every time, the other could never take over"


def _about_to_publish(records: Records) -> Run | None:
    newest = runs(records, limit=1)[0]
    judged = newest.state == "running" and records.batches(bureau=newest.slot, state="judged")
    return newest if judged else None


def _under_a_newer_fence(records: Records, fence: int) -> Run | None:
    newest = runs(records, limit=1)[0]
    return newest if newest.fence > fence and newest.state == "done" else None
