"""A publisher killed at any moment leaves whole versions, and its batch goes out exactly once when it comes again."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from made_rows import AIR, air, publish

from pipelines.publish.reading import query
from pipelines.publish.store import open_table

PROJECT = Path(__file__).resolve().parents[3]
HOURS = 40
STEP = 10

NURSERY = f"""
import os, sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_publish_crash import batch, publish
root, told = Path(sys.argv[1]), os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        for n in range(int(line), 1000):
            publish(root, batch(n), f"b{{n}}", at=n)
            os.write(told, b"%d\\n" % n)
        os._exit(0)
    print(child, flush=True)
    os.waitpid(child, 0)
    print("gone", flush=True)
"""


def batch(n: int) -> list[dict[str, object]]:
    """Every batch corrects the hours it shares with the one before and adds some, in two months."""
    return [air("1414A", hour, n * 1000 + hour) for hour in range(700 + n * STEP, 700 + n * STEP + HOURS)]


def expected(last: int) -> dict[int, float]:
    """Hour → value when batches up to this one are out."""
    return {hour: value for n in range(last + 1) for hour, value in
            ((h, n * 1000 + h) for h in range(700 + n * STEP, 700 + n * STEP + HOURS))}  # fmt: skip


def read(root: Path) -> dict[int, float]:
    """Hour → value of the current rows; one key never has two."""
    found = query(
        "SELECT date_diff('hour', TIMESTAMPTZ '2026-04-01 00:00+08', period_start) AS hour, value FROM air_observation",
        str(root),
    ).to_pylist()
    made = {row["hour"]: row["value"] for row in found}
    assert len(made) == len(found), "one key has two current rows"
    return made


class Reader(threading.Thread):
    """Reads all the time and keeps what was no whole version."""

    def __init__(self, root: Path) -> None:
        super().__init__(daemon=True)
        self.root = root
        self.done = threading.Event()
        self.reads = 0
        self.mixed: list[object] = []

    def run(self) -> None:
        while not self.done.is_set():
            try:
                seen = read(self.root)
                last = int(max(seen.values(), default=-1000) // 1000)
                if seen != expected(last):
                    self.mixed.append(seen)
            except Exception as error:
                self.mixed.append(error)
            self.reads += 1
            time.sleep(0.01)


def test_forty_kills_at_random_lose_double_and_mix_nothing(tmp_path):
    root, told = tmp_path / "tables", tmp_path / "told"
    choose = random.Random(1)
    reader = Reader(root)
    reader.start()
    begin, acknowledged = 0, -1
    nursery = subprocess.Popen(
        [sys.executable, "-c", NURSERY, str(root), str(told)],
        cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
    )  # fmt: skip
    with nursery:
        assert nursery.stdin is not None and nursery.stdout is not None
        for kill in range(40):
            size = told.stat().st_size if told.exists() else 0
            nursery.stdin.write(f"{begin}\n")
            child = int(nursery.stdout.readline())
            while kill % 2 and (not told.exists() or told.stat().st_size == size):
                time.sleep(0.002)
            time.sleep(choose.random() * 0.12)
            os.kill(child, signal.SIGKILL)
            assert nursery.stdout.readline() == "gone\n"
            out = read(root)
            done = int(max(out.values(), default=-1000) // 1000)
            assert out == expected(done)
            acknowledged = max([-1, *map(int, told.read_text().split())]) if told.exists() else -1
            assert acknowledged <= done, "an acknowledged batch is not there"
            begin = max(0, done + choose.choice((-1, 0, 1)))
        nursery.stdin.close()
    reader.done.set()
    reader.join()
    assert reader.mixed == [] and reader.reads > 20

    last = int(max(read(root).values()) // 1000)
    assert last >= 5
    for n in range(last + 1):
        publish(root, batch(n), f"b{n}", at=n)
    assert read(root) == expected(last)
    history = query("SELECT batch_id, count(*) AS n FROM air_observation_history GROUP BY 1", str(root)).to_pylist()
    assert {row["batch_id"]: row["n"] for row in history} == {f"b{n}": HOURS for n in range(last + 1)}


def test_a_batch_that_comes_again_clears_what_its_killed_try_left(tmp_path):
    root = tmp_path / "tables"
    publish(root, batch(0), "b0")
    month = root / "air_observation" / "month=2026-04"
    (month / ".b1-0000-0123abcd.parquet.part").write_bytes(b"PAR1")
    (month / "b1-0001-0123abcd.parquet").write_bytes(b"PAR1")
    (month / "b1-x-0001-0123abcd.parquet").write_bytes(b"PAR1")
    publish(root, batch(1), "b1", at=1)
    shared = open_table(AIR, str(root))
    assert shared is not None and shared.broken() == []
    assert sorted(p.name for p in month.glob("*b1-*0123abcd*")) == ["b1-x-0001-0123abcd.parquet"]
