"""Run a process and say how long it took and how much memory its whole tree held.

Memory is the sum of the resident sets of the process and all its descendants, sampled; pages that several of them
share (libraries, mapped files) count once for each, so the sum is an upper bound. ``private`` leaves them out.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parents[1]
SAMPLE_SECONDS = 0.02
TREE_EVERY = 5
"""The list of descendants is read anew at every fifth sample: that reads all of ``/proc``."""


@dataclass(frozen=True, slots=True)
class Run:
    """One process, from its start to its end."""

    seconds: float
    cpu: float
    """Processor seconds of the whole tree (of children that were waited for): what a busy machine changes least."""
    peak: int
    private: int
    load: float
    """Load average of the machine when it began: others may work on it too."""
    code: int
    out: str
    err: str


@dataclass
class Figure:
    """One line of the table.

    Attributes
    ----------
    seconds : list of float
        Of each run; the median is shown.
    rows : int
        Rows of the file, or of what the line says; 0 where rows are not the point.
    inside : bool
        The seconds were taken inside a running process, imports apart.
    ratio : float
        For lines that compare two others; they have no seconds.
    trouble : str
        Why the figure is worthless, if it is.
    """

    name: str
    seconds: list[float] = field(default_factory=list)
    rows: int = 0
    peak: int = 0
    private: int = 0
    load: float = 0.0
    cpu: list[float] = field(default_factory=list)
    inside: bool = False
    ratio: float | None = None
    note: str = ""
    trouble: str = ""

    @property
    def median(self) -> float:
        """Median of the runs."""
        return statistics.median(self.seconds)

    @property
    def rows_per_second(self) -> float | None:
        """Rows by the median, where there are rows."""
        return self.rows / self.median if self.rows and self.seconds else None

    def as_json(self) -> dict[str, Any]:
        """Give the line of ``results.json``."""
        return {
            "name": self.name,
            "seconds": [round(one, 4) for one in self.seconds],
            "median": round(self.median, 4) if self.seconds else None,
            "processor_seconds": [round(one, 3) for one in self.cpu],
            "rows": self.rows,
            "rows_per_second": self.rows_per_second,
            "peak_bytes": self.peak,
            "private_bytes": self.private,
            "load_at_start": self.load,
            "inside_a_process": self.inside,
            "ratio": self.ratio,
            "note": self.note,
            "trouble": self.trouble,
        }


class Memory(threading.Thread):
    """Watch a process tree until told to stop."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid = pid
        self.peak = self.private = 0
        self.done = threading.Event()

    def run(self) -> None:
        """Sample."""
        tree: list[psutil.Process] = []
        number = 0
        while True:
            if number % TREE_EVERY == 0:
                tree = self._tree()
            number += 1
            self._sample(tree)
            if self.done.wait(SAMPLE_SECONDS):
                return

    def _tree(self) -> list[psutil.Process]:
        try:
            root = psutil.Process(self.pid)
            return [root, *root.children(recursive=True)]
        except psutil.Error:
            return []

    def _sample(self, tree: list[psutil.Process]) -> None:
        whole = own = 0
        for process in tree:
            try:
                memory = process.memory_info()
            except psutil.Error:
                continue
            whole += memory.rss
            own += memory.rss - getattr(memory, "shared", 0)
        self.peak, self.private = max(self.peak, whole), max(self.private, own)


def run(command: Sequence[str | Path], environment: dict[str, str] | None = None) -> Run:
    """Run a command to its end."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("GONGZHI_")}
    env |= {"GONGZHI_LANG": "en", **(environment or {})}
    load = os.getloadavg()[0]
    with tempfile.TemporaryFile("w+b") as out, tempfile.TemporaryFile("w+b") as err:
        used = _children_cpu()
        began = time.perf_counter()
        process = subprocess.Popen([str(word) for word in command], stdout=out, stderr=err, cwd=ROOT, env=env)
        memory = Memory(process.pid)
        memory.start()
        code = process.wait()
        seconds = time.perf_counter() - began
        memory.done.set()
        memory.join()
        out.seek(0)
        err.seek(0)
        text, words = out.read().decode(errors="replace"), err.read().decode(errors="replace")
    return Run(seconds, _children_cpu() - used, memory.peak, memory.private, load, code, text, words)


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def figure(
    name: str,
    runs: int,
    once: Callable[[int], Run],
    *,
    rows: int = 0,
    judge: Callable[[Run], str] = lambda run: "" if run.code == 0 else f"exit {run.code}: {last_line(run.err)}",
    note: str = "",
) -> Figure:
    """Run something several times; a run that did not do its work spoils the figure."""
    made = Figure(name, rows=rows, note=note)
    for number in range(runs):
        done = once(number)
        made.seconds.append(done.seconds)
        made.cpu.append(done.cpu)
        made.peak, made.private = max(made.peak, done.peak), max(made.private, done.private)
        made.load = max(made.load, done.load)
        made.trouble = judge(done)
        if made.trouble:
            break
    return made


def last_line(text: str) -> str:
    """Give the last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""
