"""A home with two bureaus that lives under a clock set by hand, and what can be seen of it: rows, memory, the log."""

from __future__ import annotations

import importlib
import logging
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from typing import Any

import psutil
from hostile_bureau import CHINA, DAYS, KINDS, PAGING, Bureau, day_of
from hostile_troubles import KEY_OF_SOURCE, Trouble

from pipelines.intake.fetch import Secret
from pipelines.night import Night
from pipelines.publish.reading import query
from pipelines.sync import Road
from portal.nightly import write_page
from records.alarms import alarms
from records.runs import begin_run, finish_run
from schemas.sources import Source, sources

sys.path.append(str(Path(__file__).parents[1] / "invariants"))
HereReader = importlib.import_module("here_reader").HereReader
model = importlib.import_module("home_model")

BESIDE = "beibei/water"
OURS = ("batch_id", "source_row", "source_column", "recorded_from", "recorded_until")
"""Columns that say how a row came, not what it says."""
SOURCE = """[[sources]]
name = "{name}"
{kind}
networks = ["127.0.0.0/8", "::1/128"]
{more}
seconds = 1
megabytes = 1
inflated_megabytes = 16
source = "a test"
{paging}
[sources.due]
every = "day"
by = "{by}"
since = {since}
until = {until}
"""

Row = tuple[tuple[str, Any], ...]


@dataclass
class Clock:
    """Time goes on as it does, from where it was set."""

    start: datetime = datetime(2026, 4, 6, tzinfo=CHINA)
    set_at: float = field(default_factory=time.monotonic)

    def __call__(self) -> datetime:
        return self.start + timedelta(seconds=time.monotonic() - self.set_at)

    def set(self, day: date, at: str) -> None:
        self.start, self.set_at = datetime.combine(day, time_of_day.fromisoformat(at), CHINA), time.monotonic()


@dataclass
class Home:
    """A home under a clock that is set by hand."""

    road: Road
    clock: Clock

    def run(self, day: date, at: str, walk: Callable[[Night, Any], dict[str, Any]], job: str = "night") -> int:
        """Do a run at a time of China; gives its number."""
        self.clock.set(day, at)
        road, now = self.road, self.clock()
        run = begin_run(road.kept, job, now.isoformat(), "scheduled", now, now, "here:1:1", 1)
        assert run is not None
        found = self.sources()
        night = Night(
            road, found, secret=lambda name: Secret(token=KEY_OF_SOURCE),
            told=lambda summary: write_page(road.places, road.kept, found, summary, self.clock()),
        )  # fmt: skip
        finish_run(road.kept, run.run_id, "done", self.clock(), walk(night, run))
        return run.run_id

    def sources(self) -> dict[str, Source]:
        found, faults = sources(self.road.places.site_facts)
        assert not faults, faults
        return found

    def declare(self, bureau: str, blocks: Sequence[str]) -> None:
        path = self.road.places.site_facts / bureau / "sources.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(blocks), encoding="utf-8")

    def alarms(self) -> set[tuple[str, str]]:
        return {(alarm.code, alarm.source) for alarm in alarms(self.road.kept)}

    def rows(self) -> Counter[Row]:
        return Counter(
            tuple(sorted(row.items()))
            for table in ("water_result", "air_observation")
            for row in query(f"SELECT * FROM {table}", self.road.places.tables).to_pylist()
        )


class StillGate(model.OpenGate):
    """An open gate that has no pages to build."""

    def build_docs(self, since: datetime) -> int:
        return 0


@contextmanager
def home_in(folder: Path) -> Iterator[Home]:
    clock = Clock()
    with model.home_at(folder, f"sqlite:///{folder / 'records.db'}", clock) as road:
        road.reader, road.gate = HereReader(road.limits), StillGate(road.places.docs)
        yield Home(road, clock)


def declaration(bureau: Bureau, trouble: Trouble) -> str:
    kind = KINDS[bureau.kind].format(url=bureau.partner.url(""))
    return SOURCE.format(
        name=bureau.key.partition("/")[2], kind=kind, paging=PAGING.get(bureau.kind, ""), by=trouble.by,
        since=day_of(bureau.first), until=day_of(DAYS - 1), more='credentials = "canary"' + f'\nca = "{bureau.number}.pem"' * trouble.tls,
    )  # fmt: skip


def content(rows: Counter[Row]) -> Counter[Row]:
    """What the rows say, however they came."""
    told: Counter[Row] = Counter()
    for row, count in rows.items():
        told[tuple(cell for cell in row if cell[0] not in OURS)] += count
    return told


def place_of(row: Row) -> tuple[str, int, int, str]:
    """Where a row belongs: whose it is, its slot, its night, its section (of water)."""
    told = dict(row)
    when = (told.get("sample_time") or told["period_start"]).astimezone(CHINA)
    night = (when.date() - day_of(0)).days
    if "section_id" in told:
        return told["bureau"], when.minute, night, told["section_id"][-1]
    return "air", when.hour, night, ""


@contextmanager
def logged() -> Iterator[list[str]]:
    """Keep everything that is logged, to the last word."""
    lines: list[str] = []
    handler, root = logging.Handler(), logging.getLogger()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


class Memory:
    """Watches how much memory this process takes, many times a second."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._over = threading.Event()
        self._first = self._most = self._process.memory_info().rss
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def grown(self) -> int:
        return self._most - self._first

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            self._most = max(self._most, self._process.memory_info().rss)
