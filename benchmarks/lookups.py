"""Looking enterprises up among a million and a half, as inspectors type them; beside what everybody would try first.

The index is built in a process of its own, searches run in another one that only has the finished files. Times of one
look-up are taken inside that process; a line's seconds are the median, its note has the 99th percentile, how often the
right enterprise was among the first ten (recall@10) and first. All of it once more with words search was not written
with (:mod:`benchmarks.held_out`): what is found only among the usual ones was learned by heart.
"""

from __future__ import annotations

import json
import os
import pickle
import random
import resource
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.cases import Bench, last_line_whole
from benchmarks.enterprises import SLIPS, SOUNDING, USUAL, Enterprise, Words, enterprises, percentile, slips
from benchmarks.held_out import HELD_OUT
from benchmarks.measure import Figure, Run, last_line, run

NUMBER, QUICK = 1_500_000, 20_000
ASKED, ASKED_SLOW = 1_000, 15
WARM = 50
"""Look-ups before the clock runs: the files come into the page cache, the tables of readings into memory."""
FIND = Callable[[str], list[str]]
STOCKS: dict[str, tuple[int, Words]] = {"usual": (20261123, USUAL), "held-out": (20271011, HELD_OUT)}
"""Seed and words of the enterprises."""


def lookups(bench: Bench) -> Iterator[Figure]:
    """Build time and size, then latency and recall: exactly, by pinyin, by everything people get wrong."""
    asked = QUICK // 400 if bench.quick else ASKED
    for stock in STOCKS:
        folder = bench.folder / "lookups" / stock
        folder.mkdir(parents=True, exist_ok=True)
        of = "" if stock == "usual" else f", {stock}"
        yield from _built(folder, stock, of, QUICK if bench.quick else NUMBER)
        yield from _asked(folder, stock, "gongzhi", of, asked)
    for engine in ("FTS5 trigram", "rapidfuzz scan"):
        yield from _asked(bench.folder / "lookups" / "usual", "usual", engine, f" ({engine})", min(asked, ASKED_SLOW))


def _built(folder: Path, stock: str, of: str, number: int) -> Iterator[Figure]:
    built = _task("build", folder, number, stock)
    made = _told(built)
    note = (
        f"{made.get('bytes', 0) / 1e6:,.0f} MB on disk, {made.get('names', 0):,} names, "
        f"{made.get('processor', 0):.0f} s of processor, {made.get('own', 0):.0f} of them its own"
    )
    yield _line(f"index of {number:,} enterprises{of}", built, [made.get("seconds", 0.0)], note, made.get("names", 0))
    yield _measure(f"index size in 100 MB{of}", built, made.get("bytes", 0) / 1e8)


def _asked(folder: Path, stock: str, engine: str, of: str, asked: int) -> Iterator[Figure]:
    done = _task("ask", folder, engine, asked, stock)
    for kind, one in (_told(done) or {"nothing": {}}).items():
        name = f"find, {kind}{of}"
        note = (
            f"{one.get('asked')} asked, p99 {one.get('p99', 0):.2f} ms, processor p50 {one.get('cpu_p50', 0):.2f} "
            f"p99 {one.get('cpu_p99', 0):.2f} ms, recall@10 {one.get('recall', 0):.3f}, first {one.get('first', 0):.3f}"
        )
        yield _line(name, done, one.get("seconds", []), note)
        if engine == "gongzhi":
            yield _line(f"{name}, p99", done, [one["p99"] / 1000] if one else [], "")
            yield _measure(f"{name}, recall@10", done, one.get("recall", 0.0))


def _line(name: str, done: Run, seconds: list[float], note: str, rows: int = 0) -> Figure:
    trouble = "" if done.code == 0 else f"exit {done.code}: {last_line(done.err)}"
    return Figure(name, seconds, rows, done.peak, done.private, done.load, inside=True, note=note, trouble=trouble)


def _measure(name: str, done: Run, value: float) -> Figure:
    return Figure(name, ratio=value, trouble="" if done.code == 0 else f"exit {done.code}: {last_line(done.err)}")


def _task(*words: object) -> Run:
    return run([sys.executable, "-m", "benchmarks.lookups", *map(str, words)])


def _told(done: Run) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(last_line_whole(done.out)) if done.code == 0 else {}
    return found


# -- in a process of its own ----------------------------------------------------------------------------------------


def build(folder: str, number: str, stock: str) -> dict[str, Any]:
    """Invent the enterprises and build the index of them; the clock runs from the first name to the last byte."""
    from credit_registry.indexing import build_index

    place = Path(folder)
    seed, words = STOCKS[stock]
    invented = list(enterprises(int(number), seed, words))
    (place / "enterprises").write_bytes(pickle.dumps(invented))
    rows = [(one.uscc, one.uscc, one.name, False, one.division) for one in invented]
    rows += [(one.uscc, one.uscc, one.former, True, one.division) for one in invented if one.former]
    register = place / "register"
    register.mkdir()
    with closing(sqlite3.connect(register / "register.db")) as connection:
        connection.executescript("pragma journal_mode = off; pragma synchronous = off")
        began, used = time.perf_counter(), os.times()
        build_index(iter(rows), connection, register)
        seconds, now = time.perf_counter() - began, os.times()
    own = now.user + now.system - used.user - used.system
    processor = own + now.children_user + now.children_system - used.children_user - used.children_system
    size = sum(path.stat().st_size for path in register.rglob("*") if path.is_file())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": seconds, "processor": processor, "own": own, "names": len(rows), "bytes": size, "peak": peak}


def ask(folder: str, engine: str, asked: str, stock: str) -> dict[str, Any]:
    """Ask one engine for names that were got wrong in every way."""
    place = Path(folder)
    invented: list[Enterprise] = pickle.loads((place / "enterprises").read_bytes())
    chosen = random.Random(7).sample(invented, int(asked))
    find = ENGINES[engine](place, invented)
    questions: dict[str, list[tuple[str, Enterprise]]] = {}
    if engine == "gongzhi":
        questions["exact code"] = [(one.uscc, one) for one in chosen]
        questions["exact name"] = [(one.name, one) for one in chosen]
        questions["former name"] = [(one.former, one) for one in invented[:50_000] if one.former][: len(chosen)]
    questions |= {kind: slips(chosen, kind, 1, STOCKS[stock][1]) for kind in SLIPS}
    if engine != "gongzhi":  # neither knows how a name sounds
        questions = {kind: texts for kind, texts in questions.items() if kind not in SOUNDING}
    for _, texts in questions.items():
        for text, _ in texts[: min(WARM, len(texts) // 10)]:
            find(text)
    return {kind: _timed(find, texts) for kind, texts in questions.items() if texts}


def _timed(find: FIND, texts: list[tuple[str, Enterprise]]) -> dict[str, Any]:
    wall, processor, places = [], [], []
    for text, one in texts:
        began, used = time.perf_counter(), time.thread_time()
        found = find(text)
        processor.append(time.thread_time() - used)
        wall.append(time.perf_counter() - began)
        places.append(found.index(one.uscc) if one.uscc in found else -1)
    return {
        "asked": len(texts),
        "seconds": [percentile(wall, 50) / 1000],
        "p99": percentile(wall, 99),
        "cpu_p50": percentile(processor, 50),
        "cpu_p99": percentile(processor, 99),
        "recall": sum(place >= 0 for place in places) / len(places),
        "first": sum(place == 0 for place in places) / len(places),
    }


def _gongzhi(place: Path, invented: list[Enterprise]) -> FIND:
    from credit_registry.search import Finder

    finder = Finder(place / "register")
    return lambda text: [hit.uscc for hit in finder.find(text)]


def _trigrams(place: Path, invented: list[Enterprise]) -> FIND:
    """Make an FTS5 index of trigrams and ask for any of them, by its own order."""
    path = place / "trigrams.db"
    new = not path.exists()
    connection = sqlite3.connect(path)
    if new:
        connection.execute("create virtual table names using fts5(name, tokenize = 'trigram', content = '')")
        connection.executemany(
            "insert into names (rowid, name) values (?, ?)", ((n, one.name) for n, one in enumerate(invented))
        )
        connection.commit()

    def find(text: str) -> list[str]:
        grams = {text[at : at + 3] for at in range(len(text) - 2)}
        asked = " OR ".join('"' + gram.replace('"', "") + '"' for gram in sorted(grams))
        if not asked:
            return []
        sql = "select rowid from names where names match ? order by rank limit 10"
        return [invented[row].uscc for (row,) in connection.execute(sql, (asked,))]

    return find


def _scan(place: Path, invented: list[Enterprise]) -> FIND:
    """Compare with every name."""
    from rapidfuzz.fuzz import ratio
    from rapidfuzz.process import extract

    names = [one.name for one in invented]
    return lambda text: [invented[at].uscc for _, _, at in extract(text, names, scorer=ratio, limit=10)]


ENGINES: dict[str, Callable[[Path, list[Enterprise]], FIND]] = {
    "gongzhi": _gongzhi, "FTS5 trigram": _trigrams, "rapidfuzz scan": _scan,
}  # fmt: skip
TASKS: dict[str, Callable[..., dict[str, Any]]] = {"build": build, "ask": ask}
CASES = {"lookups": lookups}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(TASKS[sys.argv[1]](*sys.argv[2:]), ensure_ascii=False) + "\n")
