"""A publisher killed at any moment leaves whole versions, and its batch goes out exactly once when it comes again."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from made_rows import AIR, air, publish

from pipelines.publish.reading import query
from pipelines.publish.store import open_table

PROJECT = Path(__file__).resolve().parents[3]
HOURS = 40
STEP = 10

PUBLISHER = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_publish_crash import batch, publish
print("ready", flush=True)
for n in range(int(sys.argv[2]), 1000):
    publish(Path(sys.argv[1]), batch(n), f"b{{n}}", at=n)
    print(n, flush=True)
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


@pytest.mark.parametrize("seed", [1])
def test_thirty_kills_at_random_lose_double_and_mix_nothing(tmp_path, seed):
    root = tmp_path / "tables"
    choose = random.Random(seed)
    acknowledged = -1
    reader = Reader(root)
    reader.start()
    kills = 0
    while kills < 30:
        process = subprocess.Popen(
            [sys.executable, "-c", PUBLISHER, str(root), str(acknowledged + 1)],
            cwd=PROJECT, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        for _ in range(choose.randrange(0, 2)):
            process.stdout.readline()
        time.sleep(choose.random() * 0.15)
        process.send_signal(signal.SIGKILL)
        told = process.stdout.read().split()
        process.wait()
        kills += 1
        out = read(root)
        done = int(max(out.values(), default=-1000) // 1000)
        assert out == expected(done)
        acknowledged = max([acknowledged, *map(int, told)])
        assert acknowledged <= done <= acknowledged + 2, "an acknowledged batch is not there"
        acknowledged = done if choose.random() < 0.5 else max(acknowledged, done - 1)
    reader.done.set()
    reader.join()
    assert reader.mixed == [] and reader.reads > 20

    last = int(max(read(root).values()) // 1000)
    assert last > 10
    for n in range(last + 1):
        assert (
            publish(root, batch(n), f"b{n}", at=n).change.added
            + publish(root, batch(n), f"b{n}", at=n).change.corrected
        )
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
