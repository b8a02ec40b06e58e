"""Opening, migrating, refusing; the pragmas; the import cost."""

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, text

from records.chain import verify_chain
from records.database import MIGRATIONS, Database, known_revisions, make_engine
from records.errors import BusyDatabase, NewDatabase, NoDatabase, OldDatabase, UnsafeDatabase
from records.export_models import metadata
from records.models import write_time
from records.store import Records

PROJECT = Path(__file__).resolve().parents[2]


def test_the_migrations_make_what_the_models_say(records):
    with records.database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_the_file_names_tell_the_same_revisions_as_alembic():
    script = ScriptDirectory(str(MIGRATIONS))
    assert known_revisions() == sorted(revision.revision for revision in script.walk_revisions())
    assert script.get_current_head() == known_revisions()[-1]


def test_opening_again_changes_nothing(records, database_url, hand_in):
    batch, _ = hand_in()
    with Records.open(database_url, create=True) as again:
        assert again.batches() == [batch]


def test_a_database_never_set_up_is_refused(database_url):
    with pytest.raises(NoDatabase, match="gongzhi init"):
        Records.open(database_url)


def test_a_database_of_a_newer_program_is_refused(records, database_url):
    with records.database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for create in (False, True):
        with pytest.raises(NewDatabase, match=r"9999.*升级程序.*upgrade the program"):
            Records.open(database_url, create=create)


def test_a_database_without_a_revision_is_refused_unless_it_is_to_be_made(records, database_url):
    with records.database.write() as connection:
        connection.execute(text("DELETE FROM alembic_version"))
    with pytest.raises((NoDatabase, OldDatabase)):
        Records.open(database_url)


def test_ten_first_openings_at_once_make_one_database(database_url):
    def open_and_close(_):
        with Records.open(database_url, create=True) as opened:
            return opened.head().seq

    with ThreadPoolExecutor(10) as pool:
        assert list(pool.map(open_and_close, range(10))) == [0] * 10


def test_processes_opening_first_at_once_make_one_database(database_url):
    code = "import sys; from records.store import Records; print(Records.open(sys.argv[1], create=True).head().seq)"
    command = [sys.executable, "-c", code, database_url]
    started = [subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert [process.communicate()[0].strip() for process in started] == ["0"] * 4


def test_a_database_of_the_first_edition_is_brought_up_to_date_with_what_is_in_it(database_url, now):
    """The rows were written by the first edition's columns; they stay, and the program goes on with them."""
    engine = make_engine(database_url)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        tables = MetaData()
        tables.reflect(connection, only=["batch", "batch_state", "event", "chain_head"])
        at = now if connection.dialect.name == "postgresql" else write_time(now)
        old = {
            "batch_id": "b-20260401-000000000001", "receipt_number": "Rbeibei-20260401-A", "bureau": "beibei",
            "file_name": "空气.csv", "sha256": "1" * 64, "sm3": "2" * 64, "bytes": 8, "received_at": at,
            "state": "received", "dataset_asked": "", "attempt": 1, "rules_hash": "sha256:one", "rows": {},
            "results": {}, "tables": [], "normalised": [], "submitted_by": "op-1",
        }  # fmt: skip
        connection.execute(tables.tables["batch"].insert().values(old))
        connection.execute(
            tables.tables["batch_state"].insert().values(batch_id=old["batch_id"], state="received", at=at)
        )
    engine.dispose()
    with pytest.raises(OldDatabase, match="gongzhi init"):
        Records.open(database_url)
    with Records.open(database_url, create=True) as records:
        (batch,) = records.batches()
        assert (batch.batch_id, batch.file_name, batch.received_at) == (old["batch_id"], "空气.csv", now)
        assert (batch.layout_asked, batch.covers) == (None, {})
        assert [change.state for change in records.states(batch.batch_id)] == ["received"]
        assert records.advance(batch.batch_id, "read", now, covers={"2026-04-01": [1, 1, 1]}).state == "read"
        assert records.integrity() == [] and verify_chain(records).ok


def test_a_failed_write_leaves_nothing(records):
    with pytest.raises(ZeroDivisionError), records.database.write() as connection:
        connection.execute(text("UPDATE chain_head SET seq = 5"))
        raise ZeroDivisionError
    assert records.head().seq == 0


def test_a_missing_file_is_named_and_not_made(tmp_path):
    path = tmp_path / "nowhere" / "records.db"
    with pytest.raises(NoDatabase, match="nowhere"):
        Records.open(f"sqlite:///{path}")
    assert not path.parent.exists()


def test_a_database_in_memory_is_refused():
    with pytest.raises(NoDatabase):
        Records.open("sqlite://", create=True)


def test_sqlite_runs_as_safely_as_it_can(tmp_path):
    database = Database.open(f"sqlite:///{tmp_path / 'r.db'}", create=True)
    with database.read() as connection:
        pragmas = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        said = {name: connection.execute(text(f"PRAGMA {name}")).scalar() for name in pragmas}
    assert said == {"journal_mode": "delete", "synchronous": 3, "foreign_keys": 1, "busy_timeout": 30000}


def test_a_database_in_wal_mode_is_taken_back_and_that_is_said(tmp_path, caplog):
    path = tmp_path / "r.db"
    Records.open(f"sqlite:///{path}", create=True).close()
    raw = sqlite3.connect(path)
    raw.execute("PRAGMA journal_mode=WAL")
    raw.close()
    Records.open(f"sqlite:///{path}").close()
    assert "WAL" in caplog.text
    raw = sqlite3.connect(path)
    assert raw.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    raw.close()


def test_a_database_in_wal_mode_and_in_use_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("records.database.BUSY_SECONDS", 0)
    path = tmp_path / "r.db"
    Records.open(f"sqlite:///{path}", create=True).close()
    raw = sqlite3.connect(path)
    raw.execute("PRAGMA journal_mode=WAL")
    raw.execute("SELECT * FROM chain_head").fetchall()
    with pytest.raises(UnsafeDatabase, match="WAL"):
        Records.open(f"sqlite:///{path}")
    raw.close()


def test_a_database_held_by_another_is_named_busy(database_url, monkeypatch):
    monkeypatch.setattr("records.database.BUSY_SECONDS", 1)
    holder = Database.open(database_url, create=True)
    waiter = Database.open(database_url)
    with holder.write(), pytest.raises(BusyDatabase, match="try again"), waiter.write():
        pass
    with waiter.write() as connection:
        connection.execute(text("UPDATE chain_head SET seq = 0"))
    holder.close()
    waiter.close()


def test_a_damaged_file_is_found_by_the_integrity_check(tmp_path):
    path = tmp_path / "r.db"
    with Records.open(f"sqlite:///{path}", create=True) as records:
        assert records.integrity() == []
    data = bytearray(path.read_bytes())
    page = int.from_bytes(data[16:18], "big")
    data[2 * page : 3 * page] = b"\x00" * page
    path.write_bytes(data)
    with Records.open(f"sqlite:///{path}") as records:
        assert records.integrity() != []


def test_importing_the_door_does_not_load_what_only_some_commands_need():
    code = (
        "import sys; import records.store, records.receipts, records.waivers\n"
        "print([n for n in ('alembic', 'sqlalchemy.orm', 'psycopg', 'pandas') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
