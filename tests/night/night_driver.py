"""Do one night in a process of its own that can be killed: the service with its ledger, its lease and its jobs.

The process reads plans from its input, one a line, and forks for each: what is imported is imported once, and every
night still is a process that SIGKILL ends. It answers with the number of the process, and then with how that ended.
A night may end itself just before or just after the n-th time it comes to one of some named points; the functions that make
something durable are wrapped here and call the real ones. Points passed while a crash is being taken up have a
second name (``resume …``).
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from datetime import time as time_of_day
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any

from driver import Log, die

DURABLE = {
    "os": ("fsync", "replace", "rename", "link"),
    "pipelines.backup": ("snapshot", "write_manifest", "prune"),
    "pipelines.chores": ("back_up", "checkpoint", "seal_day", "verify_backup"),
    "pipelines.night": ("begin_visits", "finish_visits", "keep", "save_arrival", "save_looks", "tell"),
    "pipelines.publish.catalogue": ("write_catalogue",),
    "pipelines.publish.commit": ("publish_table",),
    "pipelines.publish.store:Shared": ("add", "commit", "settle", "sweep"),
    "pipelines.schedule": ("begin_run", "finish_run"),
    "pipelines.validate.keep": ("keep",),
    "portal.nightpage": ("write_night",),
    "records.chain": ("append",),
    "records.store:Records": (
        "add_files",
        "add_verdict",
        "advance",
        "begin_publication",
        "finish_publication",
        "receive",
        "retire_files",
    ),
}
ALSO_USED = (
    "pandas", "pyarrow.csv", "pyarrow.dataset", "deltalake", "duckdb", "jinja2", "python_calamine", "xml.etree.ElementTree",
    "tantivy", "pypinyin", "opencc", "stdnum.cn.uscc", "pipelines.standardise", "pipelines.validate.judge", "portal.nightly",
    "portal.credit", "pipelines.intake.kinds", "credit_registry.store", "credit_registry.index",
)  # fmt: skip
"""What a night imports when it comes to it: paid once here, not by each of a hundred processes."""
LONGEST = 120.0


class Points:
    """Counts the points passed, by name, and dies at the first that is named: (name, number, ``before``/``after``)."""

    def __init__(self, kills: list[list[Any]], log: Log) -> None:
        self.kills = kills
        self.log = log
        self.phase = ""
        self.passed: Counter[str] = Counter()
        self.lock = threading.Lock()

    def wrap(self, owner: Any, name: str) -> None:
        """Put a point before and after a function."""
        setattr(owner, name, self.around(getattr(owner, name), name))

    def around(self, original: Callable[..., Any], name: str) -> Callable[..., Any]:
        """Give a function with a point before and after it."""

        @wraps(original)
        def through(*args: Any, **kwargs: Any) -> Any:
            here = _named(name, args)
            with self.lock:
                names = {here, self.phase + here}
                self.passed.update(names)
                passing = [(one, self.passed[one]) for one in names]
            self.die_if_named(passing, "before")
            answer = original(*args, **kwargs)
            if name == "receive" and not answer[1]:
                batch = answer[0]
                self.log.say(acknowledged=batch.batch_id, receipt=batch.receipt_number, sha256=batch.sha256)
            self.die_if_named(passing, "after")
            return answer

        return through

    def die_if_named(self, passing: list[tuple[str, int]], side: str) -> None:
        """Say where, and die."""
        for name, number in passing:
            if [name, number, side] in self.kills:
                self.log.say(killed=[name, number, side])
                die()


def _named(name: str, args: tuple[Any, ...]) -> str:
    """Name a point; states, tables and events tell more than the name of the function."""
    if name == "advance":
        return f"advance {args[2]}"
    if name == "append":
        return f"event {args[1]}"
    if name == "save_arrival":
        return f"save_arrival {args[2].source}"
    if name in ("add", "commit", "settle", "sweep"):
        return f"{name} {args[0].table.table}"
    if name == "publish_table":
        return f"{name} {args[1].table}"
    return name


def put_points(points: Points) -> None:
    """Wrap everything that makes something durable, the chores, and the taking up of what a crash left."""
    from pipelines import chores, night

    for place, names in DURABLE.items():
        module, _, member = place.partition(":")
        owner = import_module(module)
        for name in names:
            points.wrap(getattr(owner, member) if member else owner, name)
    for name, work in chores.CHORES.items():
        chores.CHORES[name] = points.around(work, f"chore {name}")
    resume = night.resume

    def taking_up(road: Any) -> Iterator[Any]:
        points.phase = "resume "
        yield from resume(road)
        points.phase = ""

    night.resume = taking_up


def open_the_gate() -> None:
    """Let everything pass but soil, so that the state ``held`` is met; read in this process."""
    from here_reader import HereReader
    from home_model import OpenGate

    from pipelines.errors import GateRefused
    from portal import nightly

    class Keeper(OpenGate):
        """Holds soil."""

        def run(self, *about: Any, **__: object) -> Any:
            if about[0].batch.dataset == "soil":
                raise GateRefused("gate-refused", "土壤不放行", "soil is held")

        def build_docs(self, since: datetime) -> int:
            return 0

    night_of = nightly.night_of

    @contextmanager
    def opened(*args: Any, **kwargs: Any) -> Iterator[Any]:
        with night_of(*args, **kwargs) as night:
            night.road.reader = HereReader(night.road.limits)
            night.road.gate = Keeper(night.road.places.docs)
            yield night

    nightly.night_of = opened


def die_in_the_gate(what: str, seconds: float) -> None:
    """End this process while the real gate is at work."""
    from pipelines.validate.gate import Gate

    began = getattr(Gate, what)

    @wraps(began)
    def dying(*args: Any, **kwargs: Any) -> Any:
        threading.Timer(seconds, die).start()
        return began(*args, **kwargs)

    setattr(Gate, what, dying)


def night(plan: dict[str, Any]) -> int:
    """Serve until the slot of the plan is over; 0 if it was done."""
    from pipelines.batch import Places
    from pipelines.intake import folder
    from pipelines.schedule import Service
    from portal.nightly import service_jobs
    from portal.settings import NightSettings
    from records.runs import runs
    from records.store import Records

    log = Log(Path(plan["log"]))
    points = Points(plan["kills"], log)
    put_points(points)
    folder.SETTLE = 0.1
    if not plan["gate"]:
        open_the_gate()
    if plan["kill_in_gate"]:
        die_in_the_gate(*plan["kill_in_gate"])
    began, base = time.monotonic(), datetime.fromisoformat(plan["now"])

    def clock() -> datetime:
        return base + timedelta(seconds=time.monotonic() - began)

    home = Path(plan["home"])
    places = Places(home, plan["database"], str(home / "tables"))
    settings = NightSettings(time_of_day(2), 0, Path(plan["backups"]), None, "", home / "secrets.toml")
    stop, over = threading.Event(), threading.Timer(LONGEST, os.abort)
    over.daemon = True
    over.start()
    with Records.open(places.database_url) as records:

        def state() -> str:
            return next((run.state for run in runs(records, "night") if run.slot == plan["slot"]), "")

        def look() -> None:
            if state() not in ("", "running"):
                stop.set()

        jobs = [job for job in service_jobs(places, settings, clock) if job.name == "night"]
        Service(records, jobs, clock, tick=0.1, between=look, pause=0.1).serve(stop)
        log.say(passed=dict(points.passed))
        return 0 if state() == "done" else 3


def serve() -> None:
    """Fork a night for each plan."""
    for module in (*ALSO_USED, *(place.partition(":")[0] for place in DURABLE)):
        import_module(module)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            code = 2
            try:
                code = night(json.loads(line))
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    serve()
