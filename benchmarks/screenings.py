"""A list of 5,000 lines screened among a million and a half enterprises, and one enterprise as it was known years ago.

The home is a real one: every enterprise has a rating, a thousand of them one for each of ten years, published by the
road's own last step; the register is built of that. The list is screened by ``gongzhi credit screen`` as a whole process,
from the file to the signed workbook: half codes, a quarter whole names, a quarter names as people get them wrong.
"""

from __future__ import annotations

import csv
import json
import random
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.cases import GONGZHI, Bench, last_line_whole
from benchmarks.enterprises import SLIPS, SOUNDING, Enterprise, enterprises, percentile, slips
from benchmarks.lookups import NUMBER, QUICK
from benchmarks.measure import Figure, Run, figure, last_line, run
from schemas.contracts import Table, tables

LINES, QUICK_LINES = 5_000, 200
YEARS = tuple(range(2016, 2026))
LONG_RATED = 1_000
RECORDED = datetime(2026, 6, 30, tzinfo=UTC)
WHO = ("--unit", "beibei/执法支队", "--purpose", "随机抽查", "--plan", "2026-04")


def screenings(bench: Bench) -> Iterator[Figure]:
    """Screen a list, then ask for enterprises as they were known in the middle of ten years."""
    number, lines = (QUICK, QUICK_LINES) if bench.quick else (NUMBER, LINES)
    home = bench.home()
    try:
        made = run([sys.executable, "-m", "benchmarks.screenings", "build", str(home), str(number), str(lines)])
        yield _line(f"register of {number:,} rated enterprises", made, "seconds", number)
        command = [GONGZHI, "credit", "screen", home / "list.csv", "-o", home / "result.xlsx", *WHO, "--home", home]
        yield figure(
            f"screening of {lines:,} lines, whole process", bench.short_runs, lambda _: run(command), rows=lines,
            judge=lambda done: _finished(done, home / "result.xlsx"),
        )  # fmt: skip
        asked = run([sys.executable, "-m", "benchmarks.screenings", "ask", str(home)])
        yield _line("as known years ago, ten yearly ratings", asked, "p50")
        yield _line("as known years ago, ten yearly ratings, p99", asked, "p99")
    finally:
        bench.drop(home)


def _finished(done: Run, result: Path) -> str:
    """Exit 1 says that some lines have several hits or none, as they do."""
    return "" if done.code in (0, 1) and result.exists() else f"exit {done.code}: {last_line(done.err)}"


def _line(name: str, done: Run, value: str, rows: int = 0) -> Figure:
    told: dict[str, Any] = json.loads(last_line_whole(done.out)) if done.code == 0 else {}
    trouble = "" if done.code == 0 else f"exit {done.code}: {last_line(done.err)}"
    seconds = [told[value]] if told else []
    note = str(told.get("note", ""))
    return Figure(name, seconds, rows, done.peak, done.private, done.load, inside=True, note=note, trouble=trouble)


# -- in a process of its own ----------------------------------------------------------------------------------------


def build(home: str, number: str, lines: str) -> dict[str, Any]:
    """Publish the ratings, build the register, write the list."""
    from credit_registry.store import build as build_register
    from pipelines.publish import publish_table

    place = Path(home)
    invented = list(enterprises(int(number)))
    table = tables()["credit_rating"]
    for step, (year, rated) in enumerate(
        [*((year, invented[:LONG_RATED]) for year in YEARS[:-1]), (YEARS[-1], invented)]
    ):
        publish_table(
            _ratings(table, rated, year), table, str(place / "tables"), batch_id=f"b{year}",
            recorded_at=RECORDED - timedelta(days=365 * (len(YEARS) - 1 - step)), lock_dir=place / "locks",
        )  # fmt: skip
    began = time.perf_counter()
    built = build_register(str(place / "tables"), place / "credit" / "register", RECORDED)
    seconds = time.perf_counter() - began
    _write_list(place / "list.csv", invented, int(lines))
    (place / "long-rated.json").write_text(json.dumps([one.uscc for one in invented[:LONG_RATED]]))
    size = sum(path.stat().st_size for path in built.rglob("*") if path.is_file())
    return {"seconds": seconds, "note": f"{size / 1e6:,.0f} MB with its index"}


def ask(home: str) -> dict[str, Any]:
    """Ask for enterprises with ten yearly ratings, valid and known in the middle of them."""
    from credit_registry.answers import compose
    from credit_registry.register import Register
    from schemas.crosswalks import crosswalks

    books = crosswalks()
    wall, processor = [], []
    with Register.open(Path(home) / "credit" / "register") as register:
        for uscc in json.loads((Path(home) / "long-rated.json").read_text()):
            began, used = time.perf_counter(), time.thread_time()
            document, _ = compose(
                register, (), uscc, "mianyang", date(2021, 9, 1), datetime(2021, 9, 1, tzinfo=UTC),
                now=datetime(2026, 7, 1, tzinfo=UTC), editions=books,
            )  # fmt: skip
            processor.append(time.thread_time() - used)
            wall.append(time.perf_counter() - began)
            assert document["state"] == "found"
    note = f"processor p50 {percentile(processor, 50):.2f} p99 {percentile(processor, 99):.2f} ms"
    return {"p50": percentile(wall, 50) / 1000, "p99": percentile(wall, 99) / 1000, "note": note}


def _ratings(table: Table, rated: list[Enterprise], year: int) -> pd.DataFrame:
    """One rating each; what a column does not say is blank."""
    size = len(rated)
    said: dict[str, list[Any]] = {
        "uscc": [one.uscc for one in rated], "uscc_text": [one.uscc for one in rated],
        "subject": [one.uscc for one in rated], "enterprise_name": [one.name for one in rated],
        "bureau": ["beibei"] * size, "uscc_status": ["valid"] * size, "scheme": ["CQ-2021"] * size,
        "issuer": ["重庆市北碚区生态环境局"] * size, "tier": ["district"] * size, "rated_year": [year] * size,
        "level_code": ["B"] * size, "level_text": ["环保良好企业"] * size, "state": ["final"] * size,
        "published_date": [f"{year + 1}-05-30"] * size, "batch_id": [f"b{year}"] * size,
        "source_row": list(range(2, size + 2)), "flag": [1] * size,
    }  # fmt: skip
    columns: dict[str, Any] = {}
    for column in table.columns:
        if column.name in ("recorded_from", "recorded_until"):
            continue
        values = said.get(column.name)
        if column.type == "string":
            columns[column.name] = pd.Categorical(values or [""] * size)
        elif column.type == "date":
            columns[column.name] = np.array(values or ["NaT"] * size, dtype="datetime64[s]")
        elif column.type == "float64":
            columns[column.name] = np.full(size, np.nan)
        else:
            columns[column.name] = np.array(values or [0] * size, dtype=column.type)
    return pd.DataFrame(columns)


def _write_list(path: Path, invented: list[Enterprise], lines: int) -> None:
    draw = random.Random(11)
    chosen = draw.sample(invented, lines)
    texts = [one.uscc for one in chosen[: lines // 2]] + [one.name for one in chosen[lines // 2 : lines * 3 // 4]]
    kinds = [kind for kind in SLIPS if kind not in SOUNDING]
    for place, one in enumerate(chosen[lines * 3 // 4 :]):
        wrong = slips([one], kinds[place % len(kinds)], place)
        texts.append(wrong[0][0] if wrong else one.name)
    draw.shuffle(texts)
    with path.open("w", encoding="gb18030", newline="") as file:
        csv.writer(file).writerows([["企业名称"], *([text] for text in texts)])


TASKS = {"build": build, "ask": ask}
CASES = {"screenings": screenings}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(TASKS[sys.argv[1]](*sys.argv[2:]), ensure_ascii=False) + "\n")
