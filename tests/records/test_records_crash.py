"""kill -9 while batches walk their road: nothing acknowledged is lost, the chain stays whole."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from records.chain import verify_chain
from records.store import MOVES, Records

PROJECT = Path(__file__).resolve().parents[2]
WORKER = """
import hashlib, os, sys
from datetime import UTC, datetime
from records.chain import sm3_hex
from records.store import DataFile, Records

records = Records.open(sys.argv[1])
now = datetime.now(UTC)
TABLE = {"table": "air_observation", "version": 1, "added": 1, "corrected": 0, "unchanged": 0}

def say(*words):
    os.write(1, (" ".join(words) + "\\n").encode())

def go_on(batch):
    state = batch.state
    if state == "received":
        records.advance(batch.batch_id, "read", now, dataset="air"); say("read", batch.batch_id)
        state = "read"
    if state == "read":
        records.advance(batch.batch_id, "judged", now, rows={"read": 1}); say("judged", batch.batch_id)
    records.begin_publication(batch.batch_id, now)
    file = DataFile("air_observation", batch.batch_id + ".parquet", batch.sha256, 1)
    records.finish_publication(batch.batch_id, [TABLE], [file], now); say("published", batch.batch_id)

for batch in records.unfinished():
    go_on(batch)
while True:
    data = os.urandom(16)
    digest = hashlib.sha256(data).hexdigest()
    batch, repeated = records.receive("beibei", "a.csv", digest, sm3_hex(data), 16, now, "op", "sha256:one")
    say("received", batch.batch_id, batch.receipt_number, batch.sha256)
    go_on(batch)
"""


@pytest.mark.parametrize("kills", [20])
def test_no_acknowledged_receipt_is_lost_by_a_kill(records, database_url, kills):
    rng = random.Random(9)
    received: dict[str, tuple[str, str]] = {}
    furthest: dict[str, str] = {}
    for _ in range(kills):
        process = subprocess.Popen(
            [sys.executable, "-c", WORKER, database_url],
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(PROJECT)},
        )
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(rng.random() * 0.15)
        process.kill()
        lines = [first, *process.stdout.read().splitlines(keepends=True)]
        process.wait()
        process.stdout.close()
        for words in (line.decode().split() for line in lines if line.endswith(b"\n")):
            furthest[words[1]] = words[0]
            if words[0] == "received":
                received[words[1]] = (words[2], words[3])
        assert records.integrity() == []
    order = list(MOVES)
    kept = {batch.batch_id: batch for batch in records.batches(limit=None)}
    for batch_id, (number, sha256) in received.items():
        assert (kept[batch_id].receipt_number, kept[batch_id].sha256) == (number, sha256)
    assert len(received) >= kills / 2
    for batch_id, state in furthest.items():
        reached = [change.state for change in records.states(batch_id)]
        assert state in reached and reached == sorted(set(reached), key=order.index)
    report = verify_chain(records)
    assert report.ok, report
    events = records.events(limit=None)
    assert len(events) == sum(len(records.states(batch_id)) for batch_id in kept)
    published = [batch for batch in kept.values() if batch.state == "published"]
    assert len(records.files()) == len(records.table_versions()) == len(records.publications()) == len(published)
    assert len(records.unfinished()) <= 1


def test_a_kill_while_the_database_is_made_leaves_one_that_can_be_made(database_url):
    code = (
        "import os, sys; from records.store import Records; os.write(1, b'!'); Records.open(sys.argv[1], create=True)"
    )
    rng = random.Random(7)
    for _ in range(8):
        process = subprocess.Popen([sys.executable, "-c", code, database_url], cwd=PROJECT, stdout=subprocess.PIPE)
        assert process.stdout is not None and process.stdout.read(1) == b"!"
        time.sleep(rng.random() * 0.25)
        process.kill()
        process.wait()
        process.stdout.close()
    with Records.open(database_url, create=True) as records:
        assert records.head().seq == 0 and records.integrity() == [] and records.batches() == []
