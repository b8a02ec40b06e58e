"""A backup is whole, fits together, shares what did not change with the one before, and restores."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from made_home import Home, flip, open_home, places_of

from pipelines import backup as backup_room
from pipelines.backup import back_up, newest, newest_backup, restore, verify_backup
from pipelines.disk import digest
from pipelines.errors import Stopped
from pipelines.manifest import BackupError, read_manifest
from records.chain import verify_chain
from records.store import Records

PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = open_home(tmp_path / "home")
    for _ in range(3):
        made.give()
    yield made
    made.records.close()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "backups"


def save(home: Home, target: Path, **more: object) -> backup_room.Backup:
    return back_up(home.places, home.records, target, home.now, **more)  # type: ignore[arg-type]


def inode(path: Path) -> int:
    return path.stat().st_ino


def test_a_backup_holds_what_cannot_be_made_again_each_file_with_its_hash(home, target):
    (home.places.site_facts / "beibei").mkdir()
    (home.places.site_facts / "beibei" / "own.toml").write_text("title = 'x'")
    (home.places.home / "notify.toml").write_text("[log]")
    (home.places.uploads / ".incoming-1").write_bytes(b"half")
    made = save(home, target)
    assert made.folder.name == "2026-04-08T023000" and newest(target) == made.folder
    assert newest_backup(target) == home.now and made.damaged == () and made.removed == ()
    manifest = read_manifest(made.folder)
    on_disk = {p.relative_to(made.folder).as_posix() for p in made.folder.rglob("*") if p.is_file()}
    assert on_disk == {*manifest.files, "manifest.json"} and made.files == len(manifest.files)
    for path, entry in manifest.files.items():
        assert (digest(made.folder / path), (made.folder / path).stat().st_size) == (entry.sha256, entry.bytes)
    assert {"records.db", "notify.toml", "bureaus/beibei/own.toml"} <= on_disk
    assert sum(path.startswith("uploads/") for path in on_disk) == 3 and "uploads/.incoming-1" not in on_disk
    (key,) = (made.folder / "keys").glob("*.pem")
    assert key.stat().st_mode & 0o777 == 0o600 and target.stat().st_mode & 0o777 == 0o700
    assert manifest.facts["tables"] == {"air_observation": 3} and manifest.facts["seq"] == home.records.head().seq
    assert verify_backup(made.folder, target, full=True) == []


def test_what_did_not_change_is_shared_with_the_backup_before_and_never_with_the_live_home(home, target):
    first = save(home, target)
    home.later(days=1)
    batch = home.give()
    second = save(home, target)
    old, new = read_manifest(first.folder).files, read_manifest(second.folder).files
    copied = {path for path, entry in new.items() if entry.since == second.folder.name}
    assert copied == {"records.db", *(new.keys() - old.keys())} and second.new_files == len(copied) == 5
    assert any(batch.batch_id in path for path in copied)
    for path in new.keys() - copied:
        assert inode(second.folder / path) == inode(first.folder / path) != inode(home.places.home / path)
    for path in copied - {"records.db"}:
        assert inode(second.folder / path) != inode(home.places.home / path)
    assert verify_backup(second.folder, target, full=True) == []


def test_a_fact_edited_with_the_same_size_and_time_is_copied(home, target):
    fact = home.places.site_facts / "a.toml"
    fact.write_text("limit = 1")
    save(home, target)
    times = fact.stat().st_atime_ns, fact.stat().st_mtime_ns
    fact.write_text("limit = 2")
    os.utime(fact, ns=times)
    home.later(days=1)
    assert (save(home, target).folder / "bureaus" / "a.toml").read_text() == "limit = 2"


@pytest.mark.parametrize("damage", ["data file", "upload"])
def test_damage_of_the_live_home_does_not_spread_into_a_backup(home, target, damage):
    first = save(home, target)
    victim = home.data_files()[1] if damage == "data file" else next(home.places.uploads.glob("??/*"))
    path = victim.relative_to(home.places.home).as_posix()
    flip(victim)
    home.later(days=1)
    second = save(home, target)
    assert second.damaged == (path,)
    assert inode(second.folder / path) == inode(first.folder / path)
    assert verify_backup(second.folder, target, full=True) == []


def test_a_home_restored_is_the_home_that_was_saved_and_goes_on(home, target, tmp_path):
    made = save(home, target)
    where = places_of(tmp_path / "new")
    restore(made.folder, where, home.now)
    with Records.open(where.database_url) as records:
        back = Home(where, records, home.now + timedelta(hours=1), given=50)
        assert back.content() == home.content() and back.version() == home.version()
        assert [b.receipt_number for b in records.batches()] == [b.receipt_number for b in home.records.batches()]
        assert verify_chain(records).ok and records.events(limit=None)[-1].kind == "restored"
        back.give()
        assert back.version() == home.version() + 1
    assert (where.keys.stat().st_mode & 0o777, where.home.stat().st_mode & 0o777) == (0o700, 0o750)
    assert not list(where.home.rglob(".restoring"))


def test_records_on_any_database_are_saved_and_restored(database_url, postgresql, target, tmp_path):
    home = open_home(tmp_path / "home", database_url)
    home.give()
    made = save(home, target)
    assert verify_backup(made.folder, target) == []
    if database_url.startswith("sqlite"):
        where = places_of(tmp_path / "new")
    else:
        import psycopg

        server = postgresql("postgres").replace("+psycopg", "")
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute("CREATE DATABASE home_restored")
        where = places_of(tmp_path / "new", postgresql("home_restored"))
    restore(made.folder, where)
    with Records.open(where.database_url) as records:
        assert verify_chain(records).ok and records.head() == home.records.head()
        back = Home(where, records, home.now, given=9)
        back.give()
    home.records.close()


def test_a_table_with_checkpoints_restores(home, target, tmp_path):
    for _ in range(53):
        home.give(size=1)
    log = Path(home.places.tables) / "air_observation" / "_delta_log"
    assert list(log.glob("*.checkpoint.parquet")), "there is a checkpoint to save"
    made = save(home, target)
    assert verify_backup(made.folder, target) == []
    where = places_of(tmp_path / "new")
    restore(made.folder, where)
    with Records.open(where.database_url) as records:
        back = Home(where, records, home.now)
        assert back.content() == home.content() and back.version() == home.version() == 56


def test_a_publication_that_begins_while_the_backup_runs_is_left_out(home, target, tmp_path, monkeypatch):
    before, version = home.content(), home.version()
    real = backup_room.snapshot

    def then_give(records: Records, file: Path) -> None:
        real(records, file)
        home.give()

    monkeypatch.setattr(backup_room, "snapshot", then_give)
    made = save(home, target)
    assert home.version() == version + 1 and read_manifest(made.folder).facts["tables"] == {"air_observation": version}
    assert verify_backup(made.folder, target) == []
    where = places_of(tmp_path / "new")
    restore(made.folder, where)
    with Records.open(where.database_url) as records:
        assert Home(where, records).content() == before


def test_a_publication_under_way_is_in_a_backup_and_ends_after_the_restore(home, target, tmp_path):
    batch, done = home.begin()
    made = save(home, target)
    assert verify_backup(made.folder, target) == []
    where = places_of(tmp_path / "new")
    restore(made.folder, where)
    with Records.open(where.database_url) as records:
        assert [b.batch_id for b in records.unfinished()] == [batch.batch_id]
        assert Home(where, records).version() == done.change.version


def test_every_kind_of_damage_to_a_backup_is_found(home, target):
    pristine = save(home, target).folder
    manifest = read_manifest(pristine)

    def faults(harm) -> str:
        folder = target / "9999-01-01T000000"
        shutil.copytree(pristine, folder)
        harm(folder)
        found = verify_backup(folder, target)
        shutil.rmtree(folder)
        return "\n".join(found)

    def enter(folder: Path, path: str) -> None:
        """Make the manifest agree with what is there."""
        raw = json.loads((folder / "manifest.json").read_text())
        for entry in raw["files"]:
            if entry[0] == path:
                entry[1:3] = [(folder / path).stat().st_size, digest(folder / path)]
        (folder / "manifest.json").write_text(json.dumps(raw))

    def doctored(path: str):
        def harm(folder: Path) -> None:
            flip(folder / path)
            enter(folder, path)

        return harm

    def forget(path: str):
        def harm(folder: Path) -> None:
            raw = json.loads((folder / "manifest.json").read_text())
            raw["files"] = [entry for entry in raw["files"] if entry[0] != path]
            (folder / "manifest.json").write_text(json.dumps(raw))

        return harm

    data = next(path for path in manifest.files if path.endswith(".parquet"))
    upload = next(path for path in manifest.files if path.startswith("uploads/"))
    line = "tables/air_observation/_delta_log/00000000000000000003.json"
    assert faults(lambda folder: None) == ""
    assert data in faults(lambda folder: flip(folder / data))
    assert upload in faults(lambda folder: (folder / upload).unlink())
    assert data in faults(doctored(data)), "its bytes are not what the records say"
    assert "数据库" in faults(lambda folder: (os.truncate(folder / "records.db", 8192), enter(folder, "records.db")))
    assert upload in faults(forget(upload))
    assert "不是完整的备份" in faults(lambda folder: (folder / "manifest.json").unlink())
    third = home.records.table_versions()[-1].batch_id
    assert third in faults(lambda folder: (forget(line)(folder), (folder / line).unlink()))


def test_rot_in_an_older_copy_is_found_by_a_full_look_and_copied_anew(home, target):
    first = save(home, target)
    home.later(days=1)
    second = save(home, target)
    victim = next(path for path in read_manifest(second.folder).files if path.startswith("uploads/"))
    flip(first.folder / victim)
    assert verify_backup(second.folder, target) == [] and len(verify_backup(second.folder, target, full=True)) == 1
    home.later(days=1)
    third = save(home, target, distrust={victim})
    assert verify_backup(third.folder, target, full=True) == [] and third.damaged == ()


def test_old_backups_go_by_day_week_and_month(home, target):
    for _ in range(119):
        folder = target / (home.now + timedelta(hours=8)).strftime("%Y-%m-%dT%H%M%S")
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text("{}")
        home.later(days=1)
    (target / "2026-05-05T023000").rename(target / "2026-05-05 kept by somebody")
    made = save(home, target)
    assert len(made.removed) == 106 and (target / "2026-05-05 kept by somebody").is_dir()
    kept = [folder.name[:10] for folder in sorted(target.glob("[0-9]*T*"))]
    assert kept == [
        "2026-04-30", "2026-05-31", "2026-06-30", "2026-07-12", "2026-07-19", "2026-07-26", "2026-07-30", "2026-07-31",
        "2026-08-01", "2026-08-02", "2026-08-03", "2026-08-04", "2026-08-05",
    ]  # fmt: skip
    assert verify_backup(target / newest(target).name, target, full=True) == []


def test_two_backups_of_one_second_are_two(home, target):
    assert [save(home, target).folder.name[-6:] for _ in range(2)] == ["023000", "023001"]


def test_one_asked_to_stop_leaves_no_half_backup(home, target):
    asked = iter([False] * 4)
    with pytest.raises(Stopped):
        save(home, target, stopping=lambda: next(asked, True))
    assert [path.name for path in target.iterdir()] == [".lock"]


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from made_home import open_home
from pipelines.backup import back_up
home = open_home(Path(sys.argv[2]))
asked = []
def stopping():
    asked.append(1)
    if len(asked) == 6:
        os.kill(os.getpid(), signal.SIGKILL)
back_up(home.places, home.records, Path(sys.argv[3]), home.now, stopping=stopping)
"""


def test_one_killed_leaves_nothing_that_looks_like_a_backup(home, target):
    command = [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(home.places.home), str(target)]
    assert subprocess.run(command, cwd=PROJECT, check=False).returncode == -signal.SIGKILL
    assert newest(target) is None and len(list(target.glob(".part-*"))) == 1
    made = save(home, target)
    assert verify_backup(made.folder, target, full=True) == [] and not list(target.glob(".part-*"))


def test_nothing_is_restored_over_something_or_from_damage(home, target, tmp_path):
    made = save(home, target)
    with pytest.raises(BackupError) as refused:
        restore(made.folder, home.places)
    assert refused.value.code == "restore-refused"
    flip(next((made.folder / "uploads").glob("??/*")))
    where = places_of(tmp_path / "new")
    with pytest.raises(BackupError) as damaged:
        restore(made.folder, where)
    assert damaged.value.code == "damaged-backup"
    assert not where.home.exists() or not [path for path in where.home.rglob("*") if path.is_file()]
    with pytest.raises(BackupError) as nothing:
        restore(tmp_path, where)
    assert nothing.value.code == "no-backup"


def test_two_backups_at_once_do_not_disturb_each_other(home, target):
    def second() -> bool:
        with pytest.raises(BackupError) as busy:
            save(home, target)
        assert busy.value.code == "backup-busy"
        return False

    assert verify_backup(save(home, target, stopping=second).folder, target) == []
