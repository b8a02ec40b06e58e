"""kill -9 at every state of a batch and at every step of a publication, and at any time (invariants 2 and 3).

A process (``driver.py``) walks files into a home; it is killed, started again, killed again … on one home, so that what
a crash left is taken up by a run that dies too. The kills come just before and just after each point that makes
something durable, and at random times, where they also hit the databases' and Delta's own writes. The gate stands
open in these runs, but for soil, which it holds, so that this state is met too; a kill while the real gate works has
its own test. Reading happens in the driver's process but for the random kills. With ``CI=true`` there are more than
50 kills, else a sample. All the time another process asks the tables and must only ever see whole versions.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import generated_files as makers
import psutil
import pytest
from driver import TABLES
from generated_files import Form, Made
from home_model import Model, home_at

from pipelines.publish.content import content_hash
from pipelines.publish.store import open_table, scrub
from pipelines.rebuild import rebuild
from pipelines.sync import Road
from records.chain import verify_chain
from records.store import MOVES, Records
from schemas.contracts import tables

CI = os.environ.get("CI") == "true"
HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
LONGEST = 120.0
MUST_BE_MET = (
    "receive",
    "advance read",
    "advance judged",
    "begin_publication",
    "finish_publication",
    "fsync",
    "replace",
)
SIDE = ("station", "enterprise_name")
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(PROJECT), str(HERE)])}


class Home:
    """A home that processes are started on and killed in."""

    def __init__(self, folder: Path, database: str) -> None:
        self.folder = folder
        self.database = database
        self.home = folder / "home"
        self.log = folder / "log.jsonl"
        self.files: list[tuple[Path, Made]] = []
        with home_at(self.home, database, datetime.now(UTC)):
            pass

    def hand_in(self, *made: Made) -> None:
        """Put files where the driver finds them."""
        for one in made:
            path = self.folder / f"{len(self.files):04d}-{one.name}"
            path.write_bytes(one.data)
            self.files.append((path, one))

    def said(self) -> list[dict[str, Any]]:
        """What the driver logged; a line cut by a kill was not said."""
        if not self.log.exists():
            return []
        return [json.loads(line) for line in self.log.read_bytes().split(b"\n")[:-1]]

    def plan(self, **more: object) -> dict[str, object]:
        done = {line["done"] for line in self.said() if "done" in line}
        left = [(str(path), one.delivery.bureau) for path, one in self.files if str(path) not in done]
        base = {"home": str(self.home), "database": self.database, "log": str(self.log), "files": left}
        return {**base, "kill": None, "kill_in_gate": 0, "here": True, **more}

    def start(self, **more: object) -> subprocess.Popen[bytes]:
        """Start a driver on the files that are left."""
        with (self.folder / "errors.txt").open("ab") as errors:
            return subprocess.Popen(
                [sys.executable, str(HERE / "driver.py"), "walk", json.dumps(self.plan(**more))],
                cwd=PROJECT,
                env=ENVIRONMENT,
                stdout=subprocess.PIPE,
                stderr=errors,
            )

    def run(self, **more: object) -> int:
        """Run a driver to its end; -9 if it was killed."""
        with self.start(**more) as process:
            code = process.wait(LONGEST)
        assert code in (0, -9), (code, (self.folder / "errors.txt").read_text())
        return code

    def killed_after(self, seconds: float, **more: object) -> bool:
        """Run a driver and kill it some time after it began to work; tell whether it was still at work."""
        with self.start(**more) as process:
            assert process.stdout is not None
            process.stdout.read(1)
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.kill()
            return process.wait(LONGEST) == -9


WORDS = {"water": "water", "credit": "credit", "enterprise": "credit", "refused": "refused", "held": "soil"}
EVERYTHING = ("water", "credit", "refused", "soil")


def a_series(rng: random.Random, number: int, wanted: Iterable[str] = ()) -> list[Made]:
    """Files as they come in a night: hourly values that correct earlier ones, and what else is wanted."""
    air = makers.measured_delivery(rng, "mianyang", "air", good=True, plain_headers=True, most=4)
    others = {
        "water": makers.measured_delivery(rng, "beibei", "water", good=True, plain_headers=True),
        "credit": makers.registered_delivery(rng, "mianyang", "credit", good=True),
        "refused": makers.Delivery("beibei", "air", air.headers, air.lines, air.measured),  # Mianyang's stations
        "soil": makers.measured_delivery(rng, "beibei", "soil", good=True),
    }
    form = Form(titles=(f"第 {number} 批",))
    series = [air, *(others[one] for one in wanted)]
    return [makers.write(one, form, f"{number}-{at}-{one.dataset}") for at, one in enumerate(series)]


def series_for(rng: random.Random, number: int, point: str) -> list[Made]:
    """Make a series that comes to a point: hourly values, and the kind of file the point is about."""
    word = next((file for word, file in WORDS.items() if word in point), rng.choice(EVERYTHING))
    return a_series(rng, number, [word])


def published_truth(home: Home) -> Model:
    """The model after all files of a home: soil is held, the file of foreign stations refused."""
    model = Model()
    for _, made in home.files:
        if made.delivery.dataset != "soil" and not foreign(made):
            model.take(made)
    return model


def foreign(made: Made) -> bool:
    return made.delivery.bureau == "beibei" and made.delivery.dataset == "air"


def check_after_a_kill(home: Home, records: Records) -> None:
    """What must be true at once, before anything is taken up."""
    kept = {batch.batch_id: batch for batch in records.batches(limit=None)}
    for line in home.said():
        if "acknowledged" in line:
            batch = kept[line["acknowledged"]]
            assert (batch.receipt_number, batch.sha256) == (line["receipt"], line["sha256"])
            upload = home.home / "uploads" / batch.sha256[:2] / batch.sha256
            assert upload.stat().st_size == batch.bytes
        if "done" in line:
            assert kept[line["batch"]].receipt_number == line["receipt"]
            assert kept[line["batch"]].state in ("published", "refused", "held")
    assert records.integrity() == []
    assert len(records.unfinished()) <= 1


def check_at_the_end(home: Home, records: Records, road: Road) -> None:
    """After the last run: nothing lost, nothing twice, the same as if nothing had happened."""
    model = published_truth(home)
    assert model.current() == model.published(road)
    assert model.history() == model.published_history(road)
    report = verify_chain(records)
    assert report.ok, report
    assert records.unfinished() == []
    batches = records.batches(limit=None)
    assert len(batches) == len(home.files)
    order = list(MOVES)
    for batch in batches:
        reached = [change.state for change in records.states(batch.batch_id)]
        assert reached == sorted(set(reached), key=order.index) and reached[-1] == batch.state
    by_state = Counter(batch.state for batch in batches)
    held = sum(made.delivery.dataset == "soil" for _, made in home.files)
    refused = sum(foreign(made) for _, made in home.files)
    assert by_state == Counter(published=len(home.files) - held - refused, held=held, refused=refused)
    published = [batch for batch in batches if batch.state == "published"]
    publications = records.publications(unfinished=True)
    assert len(publications) == len(published) and all(one.finished_at for one in publications)
    assert len(records.table_versions()) == 2 * len(published), "each batch has its own table and a side table"
    files = records.files()
    assert scrub(road.places.tables, files) == []
    on_record = {(file.table, file.path) for file in files}
    in_use = set()
    for name, table in tables().items():
        shared = open_table(table, road.places.tables)
        in_use |= {(name, file.path) for file in shared.files} if shared else set()
    assert on_record == in_use
    known = {(file.table, file.path) for file in records.files(retired=True)}
    root = Path(road.places.tables)
    on_disk = {
        (p.relative_to(root).parts[0], "/".join(p.relative_to(root).parts[1:])) for p in root.rglob("*.parquet*")
    }
    assert {(table, path) for table, path in on_disk if "_delta_log" not in path} <= known, "a killed try left files"


def check_watched(seen: list[dict[str, Any]], records: Records) -> None:
    """Each answer of the watching process was the state after some number of whole publications."""
    order = [one.batch_id for one in records.publications()]
    for table in TABLES:
        versions = {one.batch_id: one for one in records.table_versions(table)}
        mine = [batch for batch in order if batch in versions]
        answers = [line["batches"] for line in seen if line["table"] == table]
        for answer in answers:
            rows = {entry["batch_id"]: entry["rows"] for entry in answer}
            assert all(entry["twice"] == 0 for entry in answer)
            opened = {b: versions[b].added + versions[b].corrected for b in mine}
            wrote = [batch for batch in mine if opened[batch]]
            count = len(rows)
            assert rows == {batch: opened[batch] for batch in wrote[:count]}, "a reader saw part of a publication"
            until = wrote.index(wrote[count - 1]) if count else 0
            current = sum(versions[batch].added for batch in wrote[: until + 1]) if count else 0
            assert sum(entry["current"] for entry in answer) == current


@pytest.fixture
def home(database_url: str, tmp_path: Path) -> Home:
    return Home(tmp_path, database_url)


@pytest.fixture
def watched(home: Home) -> Iterator[None]:
    """Another process that reads the tables all the time."""
    plan = {"tables": str(home.home / "tables"), "parent": os.getpid()}
    with (home.folder / "watched.jsonl").open("wb") as out, (home.folder / "watch-errors.txt").open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, str(HERE / "driver.py"), "watch", json.dumps(plan)],
            cwd=PROJECT,
            env=ENVIRONMENT,
            stdout=out,
            stderr=errors,
        )
        yield
        process.kill()
        process.wait()


def answers_of(home: Home) -> list[dict[str, Any]]:
    """What the watching process has said; it must not have failed."""
    assert (home.folder / "watch-errors.txt").read_text() == ""
    return [json.loads(line) for line in (home.folder / "watched.jsonl").read_bytes().split(b"\n")[:-1]]


def kill_points(passed: dict[str, int], part: int) -> list[tuple[str, int, str]]:
    """Choose for each kind of point a time that every series comes to, before it or after it in turn.

    ``passed`` was counted over ten files. Each database meets every second point: ``part`` says which. Places and names
    are new only at first, so that the data files of their tables need not be met.
    """
    rng = random.Random(part)
    side = {f"{what} {table}" for what in ("add", "commit", "sweep") for table in SIDE}
    names = [name for name in sorted(passed) if name not in side] + ["fsync", "replace"] * 2
    points = [
        (name, rng.randint(1, max(passed[name] // 10, 1)), ("before", "after")[number // 2 % 2])
        for number, name in enumerate(names)
    ][part::2]
    rng.shuffle(points)
    return points if CI else points[:2]


def test_a_kill_at_any_point_loses_nothing_and_doubles_nothing(home: Home, watched: None) -> None:
    part = int(home.database.startswith("postgresql"))
    rng = random.Random(4 + part)
    home.hand_in(*a_series(rng, 0, EVERYTHING), *a_series(rng, 1, EVERYTHING))
    assert home.run() == 0
    passed = home.said()[-1]["passed"]
    assert {f"advance {state}" for state in ("read", "judged", "refused", "held")} <= passed.keys()
    points = kill_points(passed, part)
    random_kills = 3 if CI else 1
    kills = 0
    with Records.open(home.database) as records:
        for number, point in enumerate(points, 2):
            home.hand_in(*series_for(rng, number, point[0]))
            killed = home.run(kill=point) == -9
            assert killed or point[0] not in MUST_BE_MET, f"{point} was not met"
            kills += killed
            check_after_a_kill(home, records)
        for number in range(100, 100 + random_kills):
            home.hand_in(*a_series(rng, number, EVERYTHING))
            kills += home.killed_after(rng.random() * 2.0, here=False)
            check_after_a_kill(home, records)
        assert home.run() == 0
        finish_and_check(home, records)
    assert kills >= len(points) - 2, "too few points were met"


def finish_and_check(home: Home, records: Records) -> None:
    """Check the end, then hand everything in again: the first receipts come back and nothing changes."""
    with home_at(home.home, home.database, datetime.now(UTC)) as road:
        check_at_the_end(home, records, road)
        time.sleep(1.0)
        if (home.folder / "watched.jsonl").exists():
            check_watched(answers_of(home), records)
        before = {name: content_hash(table, road.places.tables) for name, table in tables().items()}
        first = {line["done"]: line["receipt"] for line in home.said() if "done" in line}
        home.log.rename(home.folder / "log-before.jsonl")
        assert home.run() == 0
        again = [line for line in home.said() if "done" in line]
        assert {line["state"] for line in again} == {"repeated"}
        assert {line["done"]: line["receipt"] for line in again} == first
        assert {name: content_hash(table, road.places.tables) for name, table in tables().items()} == before
        if len(home.files) < 10:  # elsewhere the property tests rebuild
            told = list(rebuild(road))
            assert all(good for *_, good in told), told


def test_a_kill_while_the_gate_works_is_taken_up(home: Home) -> None:
    rng = random.Random(8)
    home.hand_in(*a_series(rng, 0))
    assert home.run(kill_in_gate=0.5, here=False) == -9
    with Records.open(home.database) as records:
        check_after_a_kill(home, records)
        assert [batch.state for batch in records.unfinished()] == ["judged"]
        assert records.publications(unfinished=True) == []
        orphans_end()
        assert home.run() == 0
        finish_and_check(home, records)


def orphans_end() -> None:
    """The children of a killed process find their pipe closed and end by themselves."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        left = [
            process
            for process in psutil.process_iter(["ppid", "cmdline"])
            if process.info["ppid"] == 1
            and {"pipelines.intake.child", "pipelines.validate.gate"} & set(process.info["cmdline"] or ())
        ]
        if not left:
            return
        time.sleep(0.2)
    raise AssertionError(f"children outlive their parent: {left}")
