"""Compaction lays the same rows into fewer files, in one version, and gives way to whoever publishes."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
import time_machine
from made_rows import AIR, T0, air, publish

from pipelines.errors import PublishError, Stopped
from pipelines.publish.changes import changes
from pipelines.publish.compact import Compacted, compact, vacuum
from pipelines.publish.content import content_hash
from pipelines.publish.reading import query
from pipelines.publish.store import open_table, scrub, tables_status
from records.store import DataFile, Records

PROJECT = Path(__file__).resolve().parents[3]
FILES = 12


@pytest.fixture
def records(tmp_path: Path):
    with Records.open(f"sqlite:///{tmp_path / 'records.db'}", create=True) as opened:
        yield opened


def put(root: Path, records: Records, rows: list[dict[str, object]], batch: str, at: int) -> None:
    """Publish and let the records know, as the road does."""
    done = publish(root, rows, batch, at)
    records.add_files([DataFile(f.table, f.path, f.sha256, f.bytes) for f in done.files_added], T0)
    records.retire_files([("air_observation", path) for path in done.files_removed], T0)


def fill(root: Path, records: Records, count: int = FILES) -> None:
    """April in many small files, each batch correcting an hour of the one before; May in two."""
    for n in range(count):
        rows = [air(f"S{s}", n * 2 + h, n + h / 10, result_text=f"{n}.{h}") for s in range(5) for h in range(2)]
        put(root, records, rows + ([air("S0", n * 2 - 1, 99)] if n else []), f"b{n}", n)
    for n in range(2):
        put(root, records, [air("S0", 800 + n, n)], f"m{n}", count + n)


def squeeze(root: Path, records: Records, **more: object) -> Compacted | None:
    return compact(AIR, str(root), records, root.parent / "locks", T0 + timedelta(days=1), **more)  # type: ignore[arg-type]


def opened(root: Path):
    shared = open_table(AIR, str(root))
    assert shared is not None
    return shared


def lying_about(root: Path) -> list[str]:
    """Data files on the disk that are not part of the newest version nor of the one before a compaction."""
    folder = root / "air_observation"
    return sorted(p.relative_to(folder).as_posix() for p in folder.glob("*/*") if "compact-" in p.name)


def test_small_files_of_a_month_become_one_and_every_row_of_every_time_stays(tmp_path, records):
    root = tmp_path / "tables"
    fill(root, records)
    before, was = opened(root), content_hash(AIR, str(root))
    then = query("SELECT * FROM air_observation ORDER BY ALL", str(root), as_of=T0 + timedelta(minutes=5))
    done = squeeze(root, records)
    assert done is not None and done.version == before.version + 1 and done.files_after == 1
    assert done.files_before == sum(file.partition == "2026-04" for file in before.files) >= FILES
    shared = opened(root)
    assert sorted(file.partition or "" for file in shared.files) == ["2026-04", "2026-05", "2026-05"]
    assert content_hash(AIR, str(root)) == was
    assert query("SELECT * FROM air_observation ORDER BY ALL", str(root), as_of=T0 + timedelta(minutes=5)) == then
    assert {f.path for f in records.files()} == {f.path for f in shared.files} and not scrub(str(root), records.files())


def test_a_table_at_an_address_is_compacted_and_swept_too(tmp_path, records):
    address = f"file://{tmp_path / 'bucket'}"
    (tmp_path / "bucket").mkdir()
    fill(address, records)  # type: ignore[arg-type]
    was = content_hash(AIR, address)
    done = compact(AIR, address, records, tmp_path / "locks", T0 + timedelta(days=1))
    assert done is not None and done.files_after == 1 and content_hash(AIR, address) == was
    gone = vacuum(AIR, address, timedelta(0))
    assert len(gone) >= done.files_before and content_hash(AIR, address) == was
    assert {f.path for f in records.files()} == {f.path for f in opened(address).files}  # type: ignore[arg-type]


def test_the_log_says_that_no_row_changed_and_has_the_limits_of_every_column(tmp_path, records):
    root = tmp_path / "tables"
    fill(root, records)
    done = squeeze(root, records)
    assert done is not None
    line = (root / "air_observation" / "_delta_log" / f"{done.version:020d}.json").read_text()
    actions = [json.loads(text) for text in line.splitlines()]
    assert [a["add"]["dataChange"] for a in actions if "add" in a] == [False]
    assert {a["remove"]["dataChange"] for a in actions if "remove" in a} == {False}
    assert [a["txn"]["appId"] for a in actions if "txn" in a] == ["compact-2026-04-21-1"]
    stats = json.loads(next(a["add"]["stats"] for a in actions if "add" in a))
    columns = {name for name in AIR.names if name != "month"}
    assert set(stats["nullCount"]) == columns and stats["numRecords"] == done.rows
    assert set(stats["minValues"]) == {name for name in columns if stats["nullCount"][name] < done.rows}
    assert pl.scan_delta(str(root / "air_observation")).filter(pl.col("remark") == "").collect().height == done.rows + 2


def test_the_rows_of_a_compacted_file_are_in_the_order_of_the_table_with_page_checksums(tmp_path, records):
    root = tmp_path / "tables"
    fill(root, records)
    squeeze(root, records)
    (file,) = [f for f in opened(root).files if f.partition == "2026-04"]
    path = root / "air_observation" / file.path
    order = list(dict.fromkeys((*AIR.sort, *AIR.key, "recorded_from")))
    rows = pq.read_table(path, page_checksum_verification=True, partitioning=None)
    assert rows.equals(rows.sort_by([(name, "ascending") for name in order]))


def test_what_publications_did_is_still_known(tmp_path, records):
    root = tmp_path / "tables"
    fill(root, records)
    status = {e["table"]: e for e in tables_status(str(root))}["air_observation"]
    told, found = changes(AIR, str(root)), opened(root).committed("b3")
    squeeze(root, records)
    now = {e["table"]: e for e in tables_status(str(root))}["air_observation"]
    assert {name for name in status if status[name] != now[name]} == {"version", "files", "bytes"}
    assert changes(AIR, str(root)) == told and opened(root).committed("b3") == found
    again = publish(root, [air("S0", 1, 5)], "b3", 3)
    assert again.change.version == found[0] and opened(root).version == now["version"]
    put(root, records, [air("S0", 1, 123)], "late", 60)
    assert opened(root).version == now["version"] + 1
    answer = query("SELECT value FROM air_observation WHERE station_id = 'S0' AND batch_id = 'late'", str(root))
    assert answer.column("value").to_pylist() == [123]


def test_few_files_are_left_alone(tmp_path, records):
    root = tmp_path / "tables"
    for n in range(7):
        put(root, records, [air("S0", n, n)], f"b{n}", n)
    assert squeeze(root, records) is None and opened(root).version == 7
    put(root, records, [air("S0", 7, 7)], "b7", 7)
    assert squeeze(root, records) is not None and squeeze(root, records) is None


def test_a_publication_meanwhile_wins_and_the_next_night_compacts(tmp_path, records):
    root = tmp_path / "tables"
    fill(root, records)
    done = squeeze(root, records, confirm=lambda: put(root, records, [air("S9", 0, 1)], "meanwhile", 90))
    assert done is not None and done.version is None and lying_about(root) == []
    assert opened(root).has("meanwhile")
    was = content_hash(AIR, str(root))
    again = squeeze(root, records)
    assert again is not None and again.version is not None and content_hash(AIR, str(root)) == was


def test_one_asked_to_stop_or_without_its_lease_leaves_nothing(tmp_path, records):
    root = tmp_path / "tables"
    fill(root, records)
    version = opened(root).version

    def lost() -> None:
        raise RuntimeError("the lease is gone")

    with pytest.raises(RuntimeError, match="lease"):
        squeeze(root, records, confirm=lost)
    with pytest.raises(Stopped):
        squeeze(root, records, stopping=lambda: True)
    assert opened(root).version == version and lying_about(root) == []
    assert list(root.rglob("*.part")) == []


def test_damage_is_not_carried_into_a_new_file(tmp_path, records):
    root = tmp_path / "tables"
    fill(root, records)
    victim = root / "air_observation" / opened(root).files[3].path
    data = bytearray(victim.read_bytes())
    data[len(data) // 3] ^= 4
    victim.write_bytes(data)
    with pytest.raises(PublishError) as caught:
        squeeze(root, records)
    assert caught.value.code == "damaged-file" and victim.name in caught.value.message
    assert lying_about(root) == [] and opened(root).version == FILES + 2


def test_unused_files_go_after_the_retention_and_not_before(tmp_path, records):
    root = tmp_path / "tables"
    with time_machine.travel(datetime.now(UTC) - timedelta(days=8), tick=True):
        fill(root, records)
    folder = root / "air_observation"
    was = content_hash(AIR, str(root))
    old = opened(root)
    superseded = {p.relative_to(folder).as_posix() for p in folder.glob("*/*.parquet")} - {f.path for f in old.files}
    with time_machine.travel(datetime.now(UTC) - timedelta(days=6), tick=True):
        squeeze(root, records)
    now = time.time()
    for name, days in (
        ("crashed-0000-0123abcd.parquet", 8),
        (".x-0000-01234567.parquet.part", 8),
        ("fresh.parquet", 6),
    ):
        path = folder / "month=2026-04" / name
        path.write_bytes(b"PAR1")
        os.utime(path, (now - days * 86400,) * 2)
    gone = vacuum(AIR, str(root))
    crashed = {f"month=2026-04/{name}" for name in (".x-0000-01234567.parquet.part", "crashed-0000-0123abcd.parquet")}
    assert set(gone) == crashed | superseded and superseded
    assert all((folder / file.path).exists() for file in old.files), "a reader may still hold the old version"
    gone = vacuum(AIR, str(root), timedelta(days=5))
    fresh = "month=2026-04/fresh.parquet"
    assert gone == sorted({fresh, *(f.path for f in old.files if f.partition == "2026-04")})
    live = {file.path for file in opened(root).files}
    assert {p.relative_to(folder).as_posix() for p in folder.glob("*/*.parquet")} == live
    assert content_hash(AIR, str(root)) == was
    found = opened(root).committed("b0")
    assert found is not None and found[0] == 1 and changes(AIR, str(root)).num_rows > 0


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_compact import AIR, T0, Records, compact, timedelta

class Dying(Records):
    def add_files(self, *args, **more):
        os.kill(os.getpid(), signal.SIGKILL)

def die():
    os.kill(os.getpid(), signal.SIGKILL)

root, url, where = Path(sys.argv[2]), sys.argv[3], sys.argv[4]
records = (Dying if where == "records" else Records).open(url)
compact(AIR, str(root), records, root.parent / "locks", T0 + timedelta(days=1),
        confirm=die if where == "commit" else lambda: None)
"""


def killed_at(root: Path, records: Records, where: str) -> None:
    url = str(records.database.engine.url)
    command = [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(root), url, where]
    assert subprocess.run(command, cwd=PROJECT, check=False).returncode == -signal.SIGKILL


def test_one_killed_before_its_commit_is_swept_by_the_next_one(tmp_path, records):
    root = tmp_path / "tables"
    fill(root, records)
    was, version = content_hash(AIR, str(root)), opened(root).version
    killed_at(root, records, "commit")
    assert opened(root).version == version and len(lying_about(root)) == 1
    assert content_hash(AIR, str(root)) == was and opened(root).broken() == []
    left = lying_about(root)
    squeeze(root, records)
    assert len(lying_about(root)) == 1 and lying_about(root) != left
    assert content_hash(AIR, str(root)) == was


def test_the_records_catch_up_with_one_killed_after_its_commit(tmp_path, records):
    root = tmp_path / "tables"
    fill(root, records)
    was = content_hash(AIR, str(root))
    killed_at(root, records, "records")
    assert {f.path for f in records.files()} != {f.path for f in opened(root).files}
    assert squeeze(root, records) is None, "nothing is left to compact"
    assert {f.path for f in records.files()} == {f.path for f in opened(root).files}
    assert not scrub(str(root), records.files()) and content_hash(AIR, str(root)) == was


NURSERY = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_compact import AIR, T0, Records, compact, timedelta
root, url = Path(sys.argv[2]), sys.argv[3]
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        records = Records.open(url)
        compact(AIR, str(root), records, root.parent / "locks", T0 + timedelta(days=1))
        os._exit(0)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def test_kills_at_random_leave_whole_versions_with_the_same_rows(tmp_path, records):
    root = tmp_path / "tables"
    fill(root, records)
    choose = random.Random(3)
    killed = 0
    command = [sys.executable, "-c", NURSERY, str(Path(__file__).parent), str(root), str(records.database.engine.url)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    with subprocess.Popen(command, cwd=PROJECT, **pipes) as nursery:  # type: ignore[call-overload]
        assert nursery.stdin is not None and nursery.stdout is not None
        for kill in range(15):
            was = content_hash(AIR, str(root))
            nursery.stdin.write("go\n")
            child = int(nursery.stdout.readline())
            time.sleep(choose.random() * 0.25)
            try:
                os.kill(child, signal.SIGKILL)
            except ProcessLookupError:
                pass
            killed += int(nursery.stdout.readline()) == -signal.SIGKILL
            assert content_hash(AIR, str(root)) == was and opened(root).broken() == []
            for n in range(8):  # something to compact again
                put(root, records, [air(f"K{kill}", n, n)], f"k{kill}-{n}", 1000 + kill * 8 + n)
        nursery.stdin.close()
    assert killed >= 5
    was = content_hash(AIR, str(root))
    squeeze(root, records)
    assert content_hash(AIR, str(root)) == was and not scrub(str(root), records.files())
    assert {f.path for f in records.files()} == {f.path for f in opened(root).files}
