"""The cases: each runs some processes and gives lines of the table."""

from __future__ import annotations

import json
import shutil
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.deliveries import BUREAU, Deliveries, make_bureau, national_day, template
from benchmarks.measure import Figure, Run, figure, last_line, run
from schemas.layouts import layouts

GONGZHI = Path(sys.executable).with_name("gongzhi")
FRICTIONLESS_ROWS = 100_000
BASE_STATIONS, BASE_MONTHS = 192, 12
REVISED = 100_000
PAUSE = 4
"""Seconds a waiting worker waits in the warm case."""
ENCODINGS = {"GB18030": "gb18030", "UTF-8": "utf-8"}
Case = Callable[["Bench"], Iterator[Figure]]


@dataclass
class Bench:
    """A folder to work in, how often to run, and what was found so far."""

    folder: Path
    short_runs: int = 3
    long_runs: int = 2
    quick: bool = False
    found: dict[str, Figure] = field(default_factory=dict)
    homes: int = 0

    def __post_init__(self) -> None:
        data = self.folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        self.data = Deliveries(data)

    def home(self) -> Path:
        """Make a new home that knows our bureau."""
        self.homes += 1
        home = self.folder / f"home-{self.homes}"
        made = run([GONGZHI, "init", "--home", home])
        assert made.code == 0, made.err
        make_bureau(home / "bureaus")
        return home

    def drop(self, home: Path) -> None:
        """Forget a home: a million rows take room."""
        shutil.rmtree(home, ignore_errors=True)

    def runs(self, rows: int) -> int:
        """How often a file of so many rows is run."""
        return self.short_runs if rows <= 100_000 else self.long_runs

    def path(self, rows: int, form: str, part: int = 0) -> Path:
        """Give a file: ``csv GB18030``, ``csv UTF-8`` or ``xlsx``."""
        return self.data.xlsx(rows) if form == "xlsx" else self.data.csv(rows, ENCODINGS[form.split()[1]], part)


def outcome(done: Run) -> dict[str, Any]:
    """Give the object a check or submit printed."""
    try:
        told: dict[str, Any] = json.loads(last_line_whole(done.out))
    except ValueError:
        return {"state": "none", "rows": {}, "error": last_line(done.err)}
    return told


def last_line_whole(text: str) -> str:
    """Give the last line, uncut."""
    return text.strip().rsplit("\n", 1)[-1]


def expect(rows: int, state: str) -> Callable[[Run], str]:
    """Say what is wrong with a run that did not read all rows or did not end as it should."""

    def trouble(done: Run) -> str:
        told = outcome(done)
        if told["state"] == state and told["rows"].get("read") == rows:
            return ""
        return f"exit {done.code}, {told['state']}, {told['rows'].get('read')} rows: {told.get('error')}"[:300]

    return trouble


def task(name: str, *arguments: object) -> Run:
    """Run one of our tasks in a process of its own."""
    return run([sys.executable, "-m", "benchmarks.tasks", name, *map(str, arguments)])


def told(done: Run) -> dict[str, Any]:
    """Give what a task printed; nothing where it failed."""
    made: dict[str, Any] = json.loads(last_line_whole(done.out)) if done.code == 0 else {}
    return made


def inside(name: str, done: Run, seconds: list[float], rows: int = 0, note: str = "", trouble: str = "") -> Figure:
    """Give a line whose time was taken inside the process."""
    wrong = trouble or ("" if done.code == 0 else f"exit {done.code}: {last_line(done.err)}")
    return Figure(name, seconds, rows, done.peak, done.private, done.load, inside=True, note=note, trouble=wrong)


# -- the road, as a person runs it ----------------------------------------------------------------------------------


def _check(bench: Bench, rows: int, form: str) -> Figure:
    path, home = bench.path(rows, form), bench.home()

    def once(number: int) -> Run:
        return run([GONGZHI, "check", path, "--bureau", BUREAU, "--home", home, "--json"])

    made = figure(f"check {rows:,} rows {form}", bench.runs(rows), once, rows=rows, judge=expect(rows, "accepted"))
    bench.drop(home)
    return made


def _submit(bench: Bench, rows: int, form: str, *, suffix: str = "", keep: bool = False) -> Figure:
    homes: list[Path] = []
    files: dict[str, int] = {}

    def once(number: int) -> Run:
        homes.append(bench.home())
        done = run([GONGZHI, "submit", bench.path(rows, form), "--bureau", BUREAU, "--home", homes[-1], "--json"])
        shared = list((homes[-1] / "tables").rglob("*.parquet"))
        files.update(files=len(shared), bytes=sum(path.stat().st_size for path in shared))
        if number or not keep:
            bench.drop(homes[-1])
        return done

    bench.path(rows, form)
    name = f"submit {rows:,} rows {form}{suffix}"
    made = figure(name, bench.runs(rows), once, rows=rows, judge=expect(rows, "published"))
    made.note = f"{files['bytes'] / 1e6:,.1f} MB Parquet"
    if keep and not made.trouble:
        made_home = homes[0]
        sql = (
            "select avg(value) from air_observation where station_id = '9007A' and parameter = 'PM2.5' "
            "and month = '2025-03'"
        )
        asked = figure(
            f"gongzhi query, one station and month of {rows * 6:,} results",
            bench.short_runs,
            lambda number: run([GONGZHI, "query", sql, "--home", made_home, "-f", "json"]),
        )
        bench.found[asked.name] = asked
        bench.drop(made_home)
    return made


def check(bench: Bench) -> Iterator[Figure]:
    """``gongzhi check`` of small and middle files, whole process."""
    for rows, form in (
        (100, "csv GB18030"),
        (10_000, "csv GB18030"),
        (100_000, "csv GB18030"),
        (100_000, "csv UTF-8"),
        (10_000, "xlsx"),
        (100_000, "xlsx"),
    ):
        yield _check(bench, rows, form)


def check_million(bench: Bench) -> Iterator[Figure]:
    """``gongzhi check`` of a million rows."""
    for form in ("csv GB18030", "csv UTF-8"):
        yield _check(bench, 1_000_000, form)


def submit(bench: Bench) -> Iterator[Figure]:
    """``gongzhi submit`` of small and middle files, whole process, a new home each time."""
    yield _submit(bench, 100, "csv GB18030", suffix=", cold")
    yield _submit(bench, 10_000, "csv GB18030")
    yield _submit(bench, 100_000, "csv GB18030")
    yield _submit(bench, 100_000, "xlsx")


def submit_million(bench: Bench) -> Iterator[Figure]:
    """``gongzhi submit`` of a million rows."""
    yield _submit(bench, 1_000_000, "csv GB18030", keep=True)


def warm(bench: Bench) -> Iterator[Figure]:
    """Submit small files in a worker that stays."""
    home = bench.home()
    paths = [bench.path(100, "csv GB18030", part) for part in range(7)]
    done = task("warm", home, PAUSE, *paths)
    made = told(done)
    wrong = "" if set(made.get("states", ["failed"])) == {"published"} else f"states {made.get('states')}"
    note = f"each {PAUSE} s after the last; the first of the worker took {made['first']:.2f} s" if made else ""
    yield inside("submit 100 rows, warm worker", done, made.get("paused", []), 100, note, wrong)
    yield inside(
        "submit 100 rows, warm worker, one upon the other", done, made.get("at_once", []), 100, "no pause", wrong
    )
    bench.drop(home)


def commands(bench: Bench) -> Iterator[Figure]:
    """Commands that move no data: on a home with one published file."""
    home = bench.home()
    sent = outcome(run([GONGZHI, "submit", bench.path(100, "csv GB18030"), "-b", BUREAU, "--home", home, "--json"]))
    sql = "select station_name, avg(value) from air_observation where parameter = 'PM2.5' group by 1"
    lines: dict[str, list[Any]] = {
        "gongzhi --help": ["--help"],
        "gongzhi template air": ["template", "air", "-o", bench.folder / "t.xlsx"],
        "gongzhi query": ["query", sql, "--home", home],
        "gongzhi tables": ["tables", "--home", home],
        "gongzhi receipt": ["receipt", sent.get("batch_id") or "none", "--home", home],
        "gongzhi batches": ["batches", "--home", home],
        "gongzhi changes": ["changes", "air_observation", "--home", home],
    }
    for name, words in lines.items():
        yield figure(name, max(bench.short_runs, 5) if not bench.quick else 1, _command(words))
    bench.drop(home)


def _command(words: list[Any]) -> Callable[[int], Run]:
    return lambda number: run([GONGZHI, *words])


def national(bench: Bench) -> Iterator[Figure]:
    """One day of the national feed: 1,700 stations, 24 hours, 15 columns."""
    path = bench.folder / "national.csv"
    rows = national_day(path, next(layout for layout in layouts("cnemc") if layout.layout == "cnemc_hourly_csv"))
    home = bench.home()

    def once(verb: str) -> Callable[[int], Run]:
        return lambda number: run([GONGZHI, verb, path, "--bureau", "cnemc", "--home", home, "--json"])

    name = f"national day, {rows:,} rows of 15 results"
    yield figure(f"check {name}", bench.short_runs, once("check"), rows=rows, judge=expect(rows, "accepted"))
    yield figure(f"submit {name}", 1, once("submit"), rows=rows, judge=expect(rows, "published"))
    bench.drop(home)


# -- beside it, in the same run -------------------------------------------------------------------------------------


def floor(bench: Bench) -> Iterator[Figure]:
    """The floor: pyarrow reads, gives types and writes Parquet; it checks nothing."""
    rows = 100_000 if bench.quick else 1_000_000
    path, layout = bench.path(rows, "csv GB18030"), template()
    assert layout.time is not None
    headers = [layout.time.columns[0], *(result.column for result in layout.results)]
    for shape, words in (("wide", "as they are"), ("long", "one result a row")):
        yield figure(
            f"floor {rows:,} rows csv GB18030, {words}",
            bench.short_runs,
            _task("floor", path, "gb18030", bench.folder / "floor.parquet", shape, *headers),
            rows=rows,
            note="pyarrow read, types, Parquet write; no checks",
        )


def _task(name: str, *arguments: object) -> Callable[[int], Run]:
    return lambda number: task(name, *arguments)


def frictionless(bench: Bench) -> Iterator[Figure]:
    """``frictionless validate`` with the same field rules: whole process, and its start apart."""
    site = bench.folder / "site"
    make_bureau(site)
    sizes = ((10_000, 1),) if bench.quick else ((100_000, bench.long_runs), (1_000_000, 1))
    for rows, runs in sizes:
        path = bench.path(rows, "csv GB18030")
        answers: list[dict[str, Any]] = []

        def once(number: int, path: Path = path, answers: list[dict[str, Any]] = answers) -> Run:
            done = task("frictionless", path, "gb18030", site)
            answers.append(told(done))
            return done

        made = figure(f"frictionless validate {rows:,} rows csv GB18030", runs, once, rows=rows)
        last = answers[-1]
        if last:
            made.note = f"{last['findings']} findings: {', '.join(last['kinds'])}"
            made.trouble = "" if last["rows"] == rows else f"{last['rows']} rows"
        yield made
        if last and rows <= FRICTIONLESS_ROWS:
            seconds = [one["seconds"] for one in answers]
            name = f"frictionless validate, start apart, {rows:,} rows"
            yield Figure(name, seconds, rows, made.peak, made.private, made.load, inside=True)


def rules(bench: Bench) -> Iterator[Figure]:
    """The judge, native Great Expectations and pandera on the same 100,000 rows."""
    rows = 10_000 if bench.quick else 100_000
    home = bench.home()
    path = bench.path(rows, "csv GB18030")
    done = [task("judge", path, home) for _ in range(bench.short_runs)]
    made = [told(one) for one in done]
    note = ""
    if all(made):
        note = (
            f"{made[-1]['rules']} rules, {made[-1]['findings']} findings; before it read {made[-1]['read']:.2f} s, "
            f"standardise {made[-1]['standardise']:.2f} s"
        )
    whole = [one["whole"] for one in made if one]
    yield inside(f"check, start apart, {rows:,} rows", done[-1], whole, rows, "read, standardise, judge")
    yield inside(f"judge {rows:,} rows", done[-1], [one["seconds"] for one in made if one], rows, note)
    for name in ("gx", "pandera"):
        done = [task(name, path, "gb18030", home / "bureaus") for _ in range(bench.short_runs)]
        if name == "pandera" and "No module named 'pandera'" in done[-1].err:
            print("pandera is not installed (extra `bench`): its line is left out", file=sys.stderr)
            continue
        made = [told(one) for one in done]
        note = f"field rules only, {made[-1]['findings']} findings" if made[-1] else ""
        label = {"gx": "Great Expectations, native", "pandera": "pandera"}[name]
        yield inside(f"{label} {rows:,} rows", done[-1], [one["seconds"] for one in made if one], rows, note)
    bench.drop(home)


def merge(bench: Bench) -> Iterator[Figure]:
    """A table of ten million rows: 100,000 revised, and one station's month read."""
    home = bench.folder / "base"
    months = 2 if bench.quick else BASE_MONTHS
    done = task("base", home, BASE_STATIONS, months)
    made = told(done)
    rows = made.get("rows", 0)
    note = f"{months} batches, the slowest {made['slowest']:.1f} s" if made else ""
    yield inside(f"publish {rows:,} results, a month a batch", done, [made["seconds"]] if made else [], rows, note)
    serials = count(1)
    for label, chosen in (("one month", [months - 1]), ("every month", list(range(months)))):
        words = ",".join(map(str, chosen))
        runs = [task("merge", home, BASE_STATIONS, words, REVISED, next(serials)) for _ in range(bench.long_runs)]
        answers = [told(one) for one in runs]
        sent = sum(one.get("rows", 0) for one in answers)
        wrong = (
            "" if sent and sum(one.get("corrected", 0) for one in answers) == sent else f"not all corrected: {answers}"
        )
        seconds = [one["seconds"] for one in answers if one]
        size = sent // len(runs)
        yield inside(f"merge {size:,} revised of {label} into {rows:,}", runs[-1], seconds, size, "", wrong)
    done = task("lookup", home, "9007A", f"2025-{months:02d}")
    made = told(done)
    for engine in made.get("times", {}):
        name = f"read one station and month of {rows:,} with {engine}"
        yield inside(name, done, made["times"][engine], 0, f"{made['counts']} rows; opening the table included")
    if not made:
        yield inside("read one station and month", done, [])
    bench.drop(home)


CASES: dict[str, Case] = {
    "commands": commands,
    "check": check,
    "check-million": check_million,
    "submit": submit,
    "submit-million": submit_million,
    "warm": warm,
    "floor": floor,
    "frictionless": frictionless,
    "rules": rules,
    "national": national,
    "merge": merge,
}
NOT_QUICK = ("check-million", "submit-million")


RATIOS = (
    (
        "frictionless / check, per row, 1,000,000 rows",
        "frictionless validate 1,000,000 rows csv GB18030",
        "check 1,000,000 rows csv GB18030",
    ),
    (
        "frictionless / check, per row, start apart, 100,000 rows",
        "frictionless validate, start apart, 100,000 rows",
        "check, start apart, 100,000 rows",
    ),
    (
        "frictionless / check, whole process, 100,000 rows",
        "frictionless validate 100,000 rows csv GB18030",
        "check 100,000 rows csv GB18030",
    ),
    (
        "check / floor, 1,000,000 rows",
        "check 1,000,000 rows csv GB18030",
        "floor 1,000,000 rows csv GB18030, as they are",
    ),
    (
        "submit / floor, 1,000,000 rows",
        "submit 1,000,000 rows csv GB18030",
        "floor 1,000,000 rows csv GB18030, one result a row",
    ),
    ("Great Expectations / judge, 100,000 rows", "Great Expectations, native 100,000 rows", "judge 100,000 rows"),
    ("pandera / judge, 100,000 rows", "pandera 100,000 rows", "judge 100,000 rows"),
)


def ratios(found: dict[str, Figure], pairs: tuple[tuple[str, str, str], ...]) -> Iterator[Figure]:
    """Compare lines of this run, all of the same file, by the wall clock; processor seconds stand in the note."""
    for name, above, below in pairs:
        over, under = found.get(above), found.get(below)
        if over is None or under is None or over.trouble or under.trouble or not (over.seconds and under.seconds):
            continue
        made = Figure(name, ratio=over.median / under.median)
        if over.cpu and under.cpu:
            made.note = f"by processor seconds {statistics.median(over.cpu) / statistics.median(under.cpu):.1f} ×"
        yield made
