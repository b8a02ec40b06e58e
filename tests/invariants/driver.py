"""Walk files into a home in a process of its own, so that it can be killed; or watch the tables while that happens.

``driver.py walk PLAN`` takes up what a crash left, then hands in the files of the plan that are not yet marked as
done, and says in a log (synced before it goes on) what it acknowledged and what it finished. It can end itself with
SIGKILL at the n-th time it comes to a named point, just before or just after it: the functions that make something
durable are wrapped here, in this process, and call the real ones. ``driver.py watch PLAN`` asks the shared tables the
same question over and over.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any

TABLES = ("air_observation", "water_result", "credit_rating")
DURABLE = {
    "os": ("fsync", "replace"),
    "pipelines.validate.keep": ("keep",),
    "pipelines.publish.catalogue": ("write_catalogue",),
    "pipelines.publish.commit": ("publish_table",),
    "pipelines.publish.store:Shared": ("add", "commit", "sweep"),
    "records.store:Records": (
        "receive",
        "advance",
        "add_verdict",
        "begin_publication",
        "finish_publication",
    ),
}


class Log:
    """A file of lines, each on the disk before the next step."""

    def __init__(self, path: Path) -> None:
        self.handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.sync = os.fsync

    def say(self, **facts: object) -> None:
        """Write a line and sync it."""
        os.write(self.handle, json.dumps(facts).encode() + b"\n")
        self.sync(self.handle)


def die() -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


class Points:
    """Counts the points passed, by name, and dies at one of them.

    ``kill`` is (name, number, ``before`` or ``after``).
    """

    def __init__(self, kill: tuple[str, int, str] | None, log: Log) -> None:
        self.kill = kill
        self.log = log
        self.passed: Counter[str] = Counter()
        self.lock = threading.Lock()

    def wrap(self, owner: Any, name: str) -> None:
        """Put a point before and after a function."""
        original: Callable[..., Any] = getattr(owner, name)

        @wraps(original)
        def through(*args: Any, **kwargs: Any) -> Any:
            point = _named(name, args)
            with self.lock:
                self.passed[point] += 1
                here = (point, self.passed[point])
            if self.kill == (*here, "before"):
                die()
            answer = original(*args, **kwargs)
            if name == "receive" and not answer[1]:
                batch = answer[0]
                self.log.say(acknowledged=batch.batch_id, receipt=batch.receipt_number, sha256=batch.sha256)
            if self.kill == (*here, "after"):
                die()
            return answer

        setattr(owner, name, through)


def _named(name: str, args: tuple[Any, ...]) -> str:
    """Name a point; states and tables tell more than the name of the function."""
    if name == "advance":
        return f"advance {args[2]}"
    if name in ("add", "commit", "sweep"):
        return f"{name} {args[0].table.table}"
    if name == "publish_table":
        return f"{name} {args[1].table}"
    return name


def walk(plan: dict[str, Any]) -> None:
    """Take up, hand in, log."""
    from importlib import import_module

    from home_model import OpenGate

    from pipelines.batch import Places
    from pipelines.errors import GateRefused
    from pipelines.sync import Road, resume, submit
    from pipelines.validate.gate import Gate
    from records.store import Records

    class Keeper(OpenGate):
        """Lets everything pass but soil, so that the state ``held`` is met."""

        def run(self, *about: Any, **__: object) -> Any:
            if about[0].batch.dataset == "soil":
                raise GateRefused("gate-refused", "土壤不放行", "soil is held")

    log = Log(Path(plan["log"]))
    kill = tuple(plan["kill"]) if plan["kill"] else None
    points = Points(kill, log)  # type: ignore[arg-type]
    for place, names in DURABLE.items():
        module, _, member = place.partition(":")
        owner = import_module(module)
        for name in names:
            points.wrap(getattr(owner, member) if member else owner, name)
    if plan["kill_in_gate"]:
        began = Gate.run

        @wraps(began)
        def dying(*args: Any, **kwargs: Any) -> Any:
            threading.Timer(plan["kill_in_gate"], die).start()
            return began(*args, **kwargs)

        Gate.run = dying  # type: ignore[method-assign]
    home = Path(plan["home"])
    places = Places(home, plan["database"], str(home / "tables"))
    with Records.open(places.database_url) as records, Road(places, lambda: datetime.now(UTC), records) as road:
        if not plan["kill_in_gate"]:
            road.gate = Keeper(places.docs)
        if plan["here"]:
            from here_reader import HereReader

            road.reader = HereReader(road.limits)
        os.write(1, b"!")
        for outcome in resume(road):
            log.say(resumed=outcome.batch_id, state=outcome.state, receipt=outcome.receipt)
        for file, bureau in plan["files"]:
            for outcome in submit(road, Path(file), bureau):
                log.say(done=file, state=outcome.state, receipt=outcome.receipt, batch=outcome.batch_id)
    log.say(passed=dict(points.passed))


def watch(plan: dict[str, Any]) -> None:
    """Ask again and again which batches opened how many rows, and whether a key stands twice; write what is new."""
    from pipelines.publish.reading import ask, current
    from schemas.contracts import tables

    seen: dict[str, object] = {}
    while os.getppid() == plan["parent"]:
        with current(plan["tables"]) as connection:
            for name in TABLES:
                keys = ", ".join(tables()[name].key)
                answer = ask(
                    connection,
                    f"""SELECT batch_id, count(*) AS rows, count(*) FILTER (recorded_until IS NULL) AS current,
                        (SELECT count(*) - count(DISTINCT ({keys})) FROM {name}) AS twice
                    FROM {name}_history GROUP BY batch_id ORDER BY batch_id""",
                ).to_pylist()
                if seen.get(name) != answer:
                    seen[name] = answer
                    os.write(1, json.dumps({"table": name, "batches": answer}).encode() + b"\n")
        time.sleep(0.5)


if __name__ == "__main__":
    {"walk": walk, "watch": watch}[sys.argv[1]](json.loads(sys.argv[2]))
