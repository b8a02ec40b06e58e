"""A publisher that is stopped, swept or no longer entitled neither blocks the others nor harms the table."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from made_rows import AIR, T0, air, frame_of, publish

from pipelines.errors import PublishError
from pipelines.publish import commit, publish_table
from pipelines.publish.reading import query
from pipelines.publish.store import open_table

PROJECT = Path(__file__).resolve().parents[3]

STOPPING = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_publish_turn import AIR, T0, air, frame_of, publish_table
asked = []
def stop():
    asked.append(1)
    if len(asked) == 1:
        print("writing", flush=True)
        os.kill(os.getpid(), signal.SIGSTOP)
root = Path(sys.argv[2])
done = publish_table(frame_of(AIR, [air("1414A", 0, 1), air("1414A", 1, 1)], "slow"), AIR, str(root), batch_id="slow",
                     recorded_at=T0, lock_dir=root.parent / "locks", confirm=stop)
print(done.change.version, len(asked), flush=True)
"""


def entitled(root: Path, batch: str, confirm) -> commit.Committed:
    rows = frame_of(AIR, [air("1414A", 0, 1)], batch)
    return publish_table(
        rows, AIR, str(root), batch_id=batch, recorded_at=T0 + timedelta(minutes=1), lock_dir=root.parent / "locks",
        confirm=confirm,
    )  # fmt: skip


def test_a_stopped_publisher_is_passed_and_finds_its_way_when_it_goes_on(tmp_path, monkeypatch):
    root = tmp_path / "tables"
    publish(root, [air("1414A", 5, 5)], "b0", at=-1)
    monkeypatch.setattr(commit, "TURN_SECONDS", 1.0)
    command = [sys.executable, "-c", STOPPING, str(Path(__file__).parent), str(root)]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as slow:
        assert slow.stdout is not None and slow.stdout.readline() == "writing\n"
        began = time.monotonic()
        done = publish(root, [air("1414A", 1, 2)], "quick", at=1)
        assert done.change.version == 2 and 1.0 <= time.monotonic() - began < 5
        os.kill(slow.pid, signal.SIGCONT)
        assert slow.stdout.readline() == "3 2\n", "the very next version, decided again"
    rows = query("SELECT period_start, value FROM air_observation WHERE value < 5 ORDER BY 1", str(root)).to_pylist()
    assert [row["value"] for row in rows] == [1, 2], "what was recorded later stands"


def test_what_is_not_confirmed_is_not_published_and_leaves_nothing(tmp_path):
    root = tmp_path / "tables"
    publish(root, [air("1414A", 5, 5)], "b0")

    def lost() -> None:
        raise PermissionError("the lease is gone")

    with pytest.raises(Exception, match="lease"):
        entitled(root, "b1", lost)
    shared = open_table(AIR, str(root))
    assert shared is not None and shared.version == 1
    assert [p.name for p in (root / "air_observation").glob("month=*/*")] == [Path(f.path).name for f in shared.files]


def test_a_committed_version_stands_when_its_line_cannot_be_flushed(tmp_path, monkeypatch):
    root = tmp_path / "tables"
    publish(root, [air("1414A", 5, 5)], "b0")
    real = os.fsync

    def fail_on_the_log(handle: int) -> None:
        if "_delta_log" in os.readlink(f"/proc/self/fd/{handle}"):
            raise OSError(errno.EIO, "Input/output error")
        real(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail_on_the_log)
        with pytest.raises(PublishError) as caught:
            publish(root, [air("1414A", 6, 6)], "b1", at=1)
    assert caught.value.code == "storage"
    shared = open_table(AIR, str(root))
    assert shared is not None and shared.has("b1") and shared.broken() == []
    assert publish(root, [air("1414A", 6, 6)], "b1", at=1).change.version == 2


def test_files_swept_while_a_publisher_was_stopped_are_written_again(tmp_path):
    root = tmp_path / "tables"
    publish(root, [air("1414A", 5, 5)], "b0")
    asked = []

    def sweep() -> None:
        asked.append([p.unlink() for p in (root / "air_observation").glob("*/b1-*") if not asked])

    assert entitled(root, "b1", sweep).change.version == 2
    assert len(asked) == 2 and asked[0] == [None]
    shared = open_table(AIR, str(root))
    assert shared is not None and shared.broken() == [] and shared.has("b1")
