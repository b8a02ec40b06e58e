"""The chores are done in order, one that fails stops no other, and a quiet night has nothing to do."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from made_home import NOW, Home, flip, open_home, rows
from sqlalchemy import text

from pipelines.backup import newest, verify_backup
from pipelines.chores import CHORES, Chore, chores
from pipelines.errors import Stopped
from pipelines.manifest import read_manifest
from pipelines.publish import publish_table
from pipelines.publish.catalogue import is_current
from pipelines.validate.gate import Gate
from records.chain import verify_chain
from records.errors import LeaseLost
from records.keys import KeyRing
from records.store import DataFile
from schemas.contracts import tables

WATER = tables()["water_result"]
ORDER = ["seal", "checkpoint", "docs", "compact", "vacuum", "scrub", "chain", "backup", "space"]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = open_home(tmp_path / "home", now=NOW - timedelta(hours=12))
    for _ in range(10):
        made.give()
    made.now = NOW
    yield made
    made.records.close()


def no_gate() -> Gate:
    raise AssertionError("the gate was asked for")


def night(home: Home, *, full: bool = False, day: date | None = None, gate=None, **more) -> dict[str, Chore]:
    """One night's chores on a home whose backups lie beside it."""
    with Gate(home.places.docs) as own:
        found = chores(
            home.records, home.places, home.clock, gate=gate or (lambda: own),
            backups=home.places.home.parent / "backups", stopping=lambda: False,
            day=day or (home.now - timedelta(hours=16)).date(), full=full, **more,
        )  # fmt: skip
        return {chore.name: chore for chore in found}


def pages_are_built(home: Home) -> None:
    """Spare a test the seconds of the gate: to the chores the pages are up to date."""
    (home.places.home / "chores.json").write_text(json.dumps({"docs": home.records.head().seq}))


def test_the_chores_of_a_night_are_done_in_order_and_tell_what_they_did(home):
    was = home.content()
    done = night(home)
    assert list(done) == ORDER == list(CHORES)
    assert [name for name, chore in done.items() if not chore.ok] == []
    assert [name for name, chore in done.items() if chore.skipped] == []
    assert done["seal"].told["day"] == "2026-04-07" and done["seal"].told["seq"] == home.records.head().seq
    assert done["compact"].told["tables"][0]["files_after"] == 1 and len(home.data_files()) == 1
    assert done["scrub"].told == {"files": 1, "of": 1, "bad": []} and home.content() == was
    assert done["chain"].told["events"] == home.records.head().seq and done["chain"].told["seals"] == 1
    folder = newest(home.places.home.parent / "backups")
    assert folder is not None and done["backup"].told["backup"] == folder.name
    assert read_manifest(folder).facts["tables"] == {"air_observation": home.version()}
    assert all(chore.message and chore.message_en and chore.seconds >= 0 for chore in done.values())
    assert json.loads(json.dumps({name: chore.as_json() for name, chore in done.items()}))["backup"]["ok"] is True
    package = json.loads((home.places.catalogue / "datapackage.json").read_text())
    (air,) = [resource for resource in package["resources"] if resource["table"] == "air_observation"]
    assert air["version"] == home.version()


def test_both_bureaus_get_the_checkpoint_and_it_binds_the_chain(home):
    pages_are_built(home)
    done = night(home)
    assert done["checkpoint"].told["bureaus"] == ["beibei", "mianyang"]
    root = home.places.home / "checkpoints"
    files = [root / "2026-04-07.json", root / "beibei" / "2026-04-07.json", root / "mianyang" / "2026-04-07.json"]
    assert sorted(path for path in root.rglob("*") if path.is_file()) == sorted(files)
    (told,) = {path.read_text("utf-8") for path in files}
    keys = KeyRing.open(home.places.keys).public_keys()
    assert verify_chain(home.records, keys, [json.loads(told)]).ok
    with home.records.database.write() as connection:  # somebody shortens the history, seals and all
        connection.execute(text("DELETE FROM seal"))
        connection.execute(text("DELETE FROM event WHERE seq > 3"))
        connection.execute(
            text("UPDATE chain_head SET (seq, sha256, sm3) = (SELECT seq, sha256, sm3 FROM event WHERE seq = 3)")
        )
    assert verify_chain(home.records, keys).ok and not verify_chain(home.records, keys, [json.loads(told)]).ok


def test_a_quiet_night_has_nothing_to_do_and_costs_less_than_a_second(tmp_path):
    home = open_home(tmp_path / "home")
    for _ in range(30):  # in a partition each: nothing to compact
        home.give()
        home.given += 31 * 24
    pages_are_built(home)
    night(home)
    home.later(days=1)
    home.records.append("run", home.now)
    version, files = home.version(), home.data_files()
    began = time.monotonic()
    done = night(home, gate=no_gate)
    took = time.monotonic() - began
    quiet = {name for name, chore in done.items() if chore.skipped}
    assert quiet == {"docs", "compact", "vacuum", "backup"} and all(chore.ok for chore in done.values())
    assert home.version() == version and home.data_files() == files and len(files) == 30
    assert took < 1, {name: chore.seconds for name, chore in done.items()}
    home.records.close()


def test_what_came_ends_the_quiet(home):
    pages_are_built(home)
    night(home)
    home.give()
    home.later(hours=1)
    pages_are_built(home)
    done = night(home)
    assert not done["backup"].skipped and not done["vacuum"].skipped and done["compact"].skipped
    home.later(hours=1)
    assert night(home, gate=no_gate)["backup"].skipped
    home.later(hours=36)
    assert not night(home, gate=no_gate)["backup"].skipped, "even in quiet times a backup does not grow old"


def test_one_chore_that_fails_stops_no_other(home):
    pages_are_built(home)
    shutil.rmtree(home.places.keys)
    (home.places.home.parent / "backups").write_text("no folder")
    done = night(home)
    assert list(done) == ORDER
    assert [name for name, chore in done.items() if not chore.ok] == ["seal", "chain", "backup"]
    assert done["seal"].told == {"code": "key-trouble"} and "gongzhi init" in done["seal"].message
    assert "FileExistsError" in done["backup"].message_en
    assert done["checkpoint"].skipped, "nothing was ever sealed"


def test_a_damaged_file_is_told_and_the_backup_keeps_the_good_copy(home):
    pages_are_built(home)
    night(home)
    home.give()
    pages_are_built(home)
    home.later(days=1)
    (victim, _) = sorted(home.data_files(), key=lambda path: "compact" not in path.name)
    flip(victim)
    done = night(home)
    assert [name for name, chore in done.items() if not chore.ok] == ["scrub", "backup"]
    assert victim.name in done["scrub"].message and done["scrub"].told["bad"][0].endswith(": hash")
    folder = newest(home.places.home.parent / "backups")
    assert folder is not None and victim.name in done["backup"].message
    assert verify_backup(folder, folder.parent, full=True) == []


def test_a_table_that_cannot_be_compacted_is_told_and_the_others_are_compacted(home):
    pages_are_built(home)
    for n in range(10):
        publish(home, n)
    (victim, *_) = home.data_files()
    flip(victim)
    done = night(home)
    assert not done["compact"].ok and victim.name in done["compact"].message
    assert [victim.name in told for told in done["compact"].told["damaged"]] == [True]
    assert [(one["table"], one["files_before"], one["files_after"]) for one in done["compact"].told["tables"]] == [
        ("water_result", 10, 1)
    ]
    assert is_current(home.places.tables, home.places.catalogue)
    home.later(days=1)
    assert not night(home)["compact"].ok, "it is tried again, though nothing came"


def publish(home: Home, number: int) -> None:
    """One small file of river water."""
    moment = (home.now + timedelta(hours=number)).replace(tzinfo=None)
    water = {"section_id": "BBW01", "parameter": "NH3N", "sample_time": moment, "month": "2026-04"}
    frame = rows.frame_of(WATER, [water], f"w{number}")
    done = publish_table(
        frame, WATER, home.places.tables, batch_id=f"w{number}", recorded_at=home.now,
        lock_dir=home.places.home / "locks",
    )  # fmt: skip
    home.records.add_files([DataFile(f.table, f.path, f.sha256, f.bytes) for f in done.files_added], home.now)


def test_rot_in_the_backups_is_found_on_the_weekly_round_and_mended(home):
    pages_are_built(home)
    night(home)
    backups = home.places.home.parent / "backups"
    first = newest(backups)
    assert first is not None
    victim = next((first / "uploads").glob("??/*"))
    flip(victim)
    home.later(days=1)
    done = night(home, full=True, gate=no_gate)
    assert done["backup"].ok and done["backup"].told["copied_again"] == [victim.relative_to(first).as_posix()]
    last = newest(backups)
    assert last is not None and last != first and verify_backup(last, backups, full=True) == []


def test_every_old_file_is_read_once_in_seven_nights_and_all_on_the_weekly_round(tmp_path):
    home = open_home(tmp_path / "home")
    for _ in range(6):  # in a partition each, so that they stay as they are
        home.give()
        home.later(days=31)
        home.given += 31 * 24
    for path in home.data_files():
        os.utime(path, (home.now.timestamp() - 30 * 86400,) * 2)
    pages_are_built(home)
    read = []
    for _ in range(7):
        home.later(days=1)
        read.append(night(home, gate=no_gate)["scrub"].told["files"])
    assert sum(read) == 6 and max(read) < 6
    shown = night(home, full=True, gate=no_gate)
    assert shown["scrub"].told["files"] == 6
    home.records.close()


def test_an_altered_event_is_found_and_stays_found(home):
    pages_are_built(home)
    night(home)
    home.give()
    with home.records.database.write() as connection:
        connection.execute(text("UPDATE event SET payload = '{}' WHERE seq = 7"))
    pages = home.records.head().seq
    for full, well in ((False, True), (True, False), (False, False)):
        state = json.loads((home.places.home / "chores.json").read_text()) | {"docs": pages}
        (home.places.home / "chores.json").write_text(json.dumps(state))
        done = night(home, full=full, gate=no_gate)
        assert done["chain"].ok is well
    assert done["chain"].told["first_bad"] == 7


def test_one_asked_to_stop_stops_between_chores_and_the_next_night_does_the_rest(home):
    pages_are_built(home)
    asked = iter([False] * 4)
    done = []
    with pytest.raises(Stopped):
        for chore in chores(
            home.records, home.places, home.clock, gate=no_gate, backups=home.places.home.parent / "backups",
            stopping=lambda: next(asked, True), day=date(2026, 4, 7), full=False,
        ):  # fmt: skip
            done.append(chore.name)
    assert done == ORDER[:3] and newest(home.places.home.parent / "backups") is None
    again = night(home, gate=no_gate)
    assert all(chore.ok for chore in again.values()) and not again["compact"].skipped


def test_without_the_lease_nothing_more_is_done(home):
    pages_are_built(home)
    calls = iter([None] * 5)
    version = home.version()

    def confirm() -> None:
        if next(calls, "gone") == "gone":
            raise LeaseLost("任务已被接管", "taken over")

    with pytest.raises(LeaseLost):
        night(home, gate=no_gate, confirm=confirm)
    assert home.version() == version + 1, "the compaction before was still ours"
    assert newest(home.places.home.parent / "backups") is None


def test_without_a_place_for_backups_none_is_made(home):
    pages_are_built(home)
    found = chores(
        home.records, home.places, home.clock, gate=no_gate, backups=None, stopping=lambda: False,
        day=date(2026, 4, 7), full=False,
    )  # fmt: skip
    done = {chore.name: chore for chore in found}
    assert done["backup"].skipped and done["backup"].ok
