"""What the tests of the road share: a warm reader, a walk as far as the verdict, the command line, measured."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest

from pipelines.batch import Outcome, Places, RawBatch, Verdict
from pipelines.disk import digest
from pipelines.errors import RoadError
from pipelines.sync import Road, judge_file, scratch_of
from pipelines.validate.shapes import publishable
from schemas.loaders import bureaus

PROJECT = Path(__file__).resolve().parents[2]
RECEIVED = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
"""The day these files are handed in; later than every stamp in them."""


@dataclass
class Walked:
    """One file walked as far as the verdict: its error, or its verdict and what would be published."""

    file: str
    error: RoadError | None = None
    raw: RawBatch | None = None
    verdict: Verdict | None = None
    notes: tuple[Any, ...] = ()

    @property
    def state(self) -> str:
        return "refused" if self.verdict is None else self.verdict.state

    @property
    def table(self) -> pd.DataFrame:
        """What would be published, texts as plain texts."""
        assert self.verdict is not None, self.error
        frame = publishable(self.verdict, "b-0")
        return frame.astype({n: "str" for n in frame if isinstance(frame[n].dtype, pd.CategoricalDtype)})

    @property
    def findings(self) -> pd.DataFrame:
        assert self.verdict is not None, self.error
        return self.verdict.findings

    def found(self, rule: str) -> list[str]:
        """Cells (or rows) that a rule names, as ``D3`` or ``3``."""
        mine = self.findings[self.findings["rule"] == rule]
        return [f"{column or ''}{row}" for column, row in zip(mine["column"], mine["row"], strict=True)]

    def noted(self, what: str) -> int:
        return sum(note.count for note in self.notes if note.what == what)

    def refused(self) -> dict[str, set[int]]:
        """Rows with a refused row or value, by severity."""
        mine = self.findings[self.findings["severity"].str.startswith("refuse")]
        return {str(severity): set(group["row"].tolist()) for severity, group in mine.groupby("severity")}


@pytest.fixture(scope="session")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Walked]]:
    """Walk a file as far as the verdict in this process; reading stays in its child."""
    home = tmp_path_factory.mktemp("walk")
    road = Road(Places(home, "", str(home / "tables")), lambda: RECEIVED, warm=True)
    seen: dict[tuple[Path, str, str | None], Walked] = {}

    def walked(path: Path, bureau: str, dataset: str | None = None) -> Walked:
        key = (path, bureau, dataset)
        if key not in seen:
            one = Walked(path.name)
            with scratch_of(road) as scratch:
                try:
                    sender = bureaus()[bureau]
                    one.raw, one.verdict, notes = judge_file(road, path, path.name, sender, dataset, RECEIVED, scratch)
                    one.notes = tuple(notes)
                except RoadError as error:
                    one.error = error
            seen[key] = one
        return seen[key]

    with road:
        yield walked


@dataclass
class Ran:
    """What one run of the command line said and cost."""

    exit: int
    out: str
    err: str
    seconds: float
    cpu_seconds: float
    peak_mb: float

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines() if line.startswith("{")]


def tree_rss(process: psutil.Process) -> int:
    """Private memory of a process and its children; what they map together counts once."""
    total = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            total += one.memory_full_info().uss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total


def work_of_children() -> float:
    """Seconds of work of all processes started here that have ended, with their own."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run_gongzhi(
    *words: str | Path, home: Path | None = None, lang: str = "zh", cwd: Path = PROJECT, **more: str
) -> Ran:
    """Run the command line as its users do, and measure the whole tree of processes."""
    known = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH")}
    env = {**known, "GONGZHI_LANG": lang, "PYTHONUTF8": "1", "PYTHONPATH": str(PROJECT), **more}
    if home is not None:
        env["GONGZHI_HOME"] = str(home)
    begun, used = time.monotonic(), work_of_children()
    with subprocess.Popen(
        [sys.executable, "-c", "from portal.cli import main; main()", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        env=env,
        cwd=cwd,
    ) as child:
        peak = 0
        ended = threading.Event()

        def watch() -> None:
            nonlocal peak
            try:
                process = psutil.Process(child.pid)
                while not ended.wait(0.03):
                    peak = max(peak, tree_rss(process))
            except psutil.NoSuchProcess:
                return

        watcher = threading.Thread(target=watch)
        watcher.start()
        out, err = child.communicate(timeout=300)
        ended.set()
        watcher.join()
    cost = (time.monotonic() - begun, work_of_children() - used, peak / 2**20)
    return Ran(child.returncode, out, err, *cost)


@pytest.fixture(scope="session")
def gongzhi() -> Callable[..., Ran]:
    """Run the command line."""
    return run_gongzhi


@pytest.fixture(scope="session")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home just made, to copy from."""
    home = tmp_path_factory.mktemp("made") / "home"
    ran = run_gongzhi("init", "--home", home)
    assert ran.exit == 0, ran.err
    return home


@pytest.fixture
def home(empty_home: Path, tmp_path: Path) -> Path:
    """A home of this test alone."""
    return Path(shutil.copytree(empty_home, tmp_path / "home"))


def outcome_of(path: Path, bureau: str, one: Walked) -> dict[str, Any]:
    """What ``check --json`` says of a file that was walked here."""
    from pipelines.sync import _tell

    outcome = Outcome(path.name, bureau=bureau, sha256=digest(path))
    if one.verdict is not None and one.raw is not None:
        _tell(outcome, one.raw, one.verdict, list(one.notes))
        outcome.state = one.verdict.state
    elif one.error is not None:
        outcome.error = one.error.as_json()
    return outcome.as_json()
