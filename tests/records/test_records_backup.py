"""A snapshot is the records of one moment, whichever database they live in, and restores into either kind."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from records.backup import NotEmpty, address_of, is_free, restore, snapshot, soundness
from records.chain import verify_chain
from records.models import metadata
from records.seals import seal_day
from records.store import DataFile, Records


def content(records: Records) -> dict[str, list[Any]]:
    with records.database.read() as connection:
        return {t.name: sorted(map(repr, connection.execute(select(t)))) for t in metadata.sorted_tables}


@pytest.fixture
def lived(records, judged, hand_in, signer, now) -> Records:
    """Records with something in most tables, odd text among it."""
    batch = judged("1414A,35")
    records.begin_publication(batch.batch_id, now)
    change = {"table": "air_observation", "version": 1, "added": 1, "corrected": 0, "unchanged": 0}
    file = DataFile("air_observation", "month=2026-04/a.parquet", "0" * 64, 10)
    records.finish_publication(batch.batch_id, [change], [file], now)
    odd = {"code": "x", "message": '坏字节 \udc80 与 "引号"'}
    other = judged("1414A,36")
    records.advance(other.batch_id, "refused", now, error=odd)
    seal_day(records, now.date(), now, signer)
    return records


@pytest.fixture(params=["into sqlite", "into postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "into sqlite":
        yield f"sqlite:///{tmp_path / 'elsewhere' / 'records.db'}"
        return
    import psycopg

    address = request.getfixturevalue("postgresql")
    with psycopg.connect(address("postgres").replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("CREATE DATABASE restored")
        yield address("restored")
        connection.execute("DROP DATABASE restored WITH (FORCE)")


def test_a_snapshot_holds_every_row_and_the_whole_chain(lived, ring, tmp_path):
    file = tmp_path / "snapshot.db"
    snapshot(lived, file)
    assert soundness(file) == [] and file.stat().st_mode & 0o777 == 0o600
    with Records.open(address_of(file)) as copy:
        assert content(copy) == content(lived)
        report = verify_chain(copy, ring.public_keys())
    assert report.ok and report.events == lived.head().seq > 5 and report.seals == 1


def test_a_snapshot_restores_into_either_kind_and_the_records_go_on(lived, empty_url, tmp_path, hand_in, now):
    file = tmp_path / "snapshot.db"
    snapshot(lived, file)
    assert is_free(empty_url)
    restore(file, empty_url)
    with Records.open(empty_url) as back:
        assert content(back) == content(lived)
        for text in ("new one", "new two"):  # numbers the database gives go on behind the old ones
            back.receive("beibei", text, text[:1] * 64, "0" * 64, 3, now, "op", "sha256:one", dataset=text[-3:])
        assert verify_chain(back).ok and len(back.batches()) == len(lived.batches()) + 2


def test_what_holds_something_is_not_restored_into(lived, empty_url, tmp_path, now):
    file = tmp_path / "snapshot.db"
    snapshot(lived, file)
    with Records.open(empty_url, create=True) as taken:
        taken.append("home-made", now)
    assert not is_free(empty_url)
    with pytest.raises(NotEmpty):
        restore(file, empty_url)
    with Records.open(empty_url) as taken:
        assert taken.head().seq == 1


def test_a_snapshot_taken_while_others_write_is_of_one_moment(lived, tmp_path, now):
    ended = threading.Event()
    written = 0

    def write() -> None:
        nonlocal written
        with Records.open(lived.database.engine.url.render_as_string(hide_password=False)) as other:
            while not ended.is_set():
                other.append("look-up", now, payload={"n": written})
                written += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            file = tmp_path / f"snapshot-{number}.db"
            snapshot(lived, file)
            with Records.open(address_of(file)) as copy:
                assert copy.integrity() == [] and verify_chain(copy).ok
    finally:
        ended.set()
        writer.join()
    assert written > 5


def test_a_database_file_copied_while_it_is_written_is_found_out(tmp_path, now):
    live = tmp_path / "live.db"
    with Records.open(address_of(live), create=True) as records:
        for number in range(400):
            records.append("look-up", now, payload={"n": number, "text": "x" * 200})
    copied, backup = tmp_path / "copied.db", tmp_path / "backup.db"
    connection = sqlite3.connect(live, isolation_level=None)
    try:
        connection.execute("PRAGMA cache_size = 5")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("DELETE FROM event WHERE seq % 3 = 0")
        shutil.copyfile(live, copied)  # half of the change is in the file, the way back in its journal
    finally:
        connection.rollback()
        connection.close()
    with Records.open(address_of(live)) as records:
        snapshot(records, backup)
    assert soundness(copied), "a plain copy is torn"
    assert soundness(backup) == []


def test_bytes_that_are_no_database_are_found_out(tmp_path):
    file = tmp_path / "records.db"
    file.write_bytes(b"SQLite format 3\0" + bytes(range(256)) * 64)
    assert soundness(file)
