"""A copy of the records at one moment: always an SQLite file, whichever database they live in.

An SQLite database is copied by ``VACUUM INTO``: every page is read, and writers go on. Of another database all rows of
one transaction go into an SQLite file of the same schema. Such a file restores into either kind.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, delete, func, insert, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError

from records.account_sessions import forget_sessions
from records.database import Database
from records.errors import RecordsError
from records.gap_models import metadata
from records.models import chain_head
from records.store import Records

ROWS = 5_000


class NotEmpty(RecordsError):
    """The database to restore into holds something already."""

    code = "not-empty"


def address_of(file: Path) -> str:
    """Give the address of a snapshot as a database."""
    return f"sqlite:///{file}"


def snapshot(records: Records, target: Path) -> None:
    """Copy the records of this moment into a new SQLite file and bring it to the disk; only we can read it."""
    if records.database.engine.dialect.name == "sqlite":
        with closing(records.database.engine.raw_connection()) as connection:
            connection.cursor().execute("VACUUM INTO ?", (str(target),))
    else:
        with closing(Database.open(address_of(target), create=True)) as copy, records.database.read() as source:
            with copy.write() as connection:
                _copy(source, connection)
    target.chmod(0o600)
    handle = os.open(target, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def soundness(file: Path) -> list[str]:
    """Say what is wrong with a snapshot, also where it cannot even be opened; one of an older edition is migrated."""
    try:
        with Records.open(address_of(file), create=True) as records:
            return records.integrity()
    except RecordsError as error:
        return [error.message_en]
    except (DatabaseError, sqlite3.DatabaseError) as error:
        return [str(getattr(error, "orig", error))]


def restore(file: Path, url: str) -> None:
    """Bring a snapshot into a new SQLite file, or into an empty database, and up to this program's schema.

    Nobody is logged in afterwards: sessions that ended after the snapshot was made must not live again.

    Raises
    ------
    NotEmpty
        There is something at the address already.
    NewDatabase
        The snapshot was made by a newer edition of the program.
    """
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        target = Path(address.database or "")
        if target.exists():
            raise _not_empty(str(target))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
        target.chmod(0o600)
        with Records.open(url, create=True) as records:
            forget_sessions(records)
        return
    with (
        closing(Database.open(address_of(file), create=True)) as source,
        closing(Database.open(url, create=True)) as target_database,
        source.read() as rows,
        target_database.write() as connection,
    ):
        if _filled(connection):
            raise _not_empty(address.render_as_string(hide_password=True))
        _copy(rows, connection)
        connection.execute(delete(metadata.tables["session"]))
        _set_sequences(connection)


def is_free(url: str) -> bool:
    """Whether a snapshot could be restored at this address."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        return not Path(address.database or "").exists()
    with closing(Database.open(url, create=True)) as database, database.read() as connection:
        return not _filled(connection)


def _filled(connection: Connection) -> bool:
    tables = [table for table in metadata.sorted_tables if table is not chain_head]
    return any(connection.execute(select(table).limit(1)).first() is not None for table in tables)


def _copy(source: Connection, target: Connection) -> None:
    """Copy every row, parents first; the one row a new database has makes room."""
    target.execute(delete(chain_head))
    for table in metadata.sorted_tables:
        found = source.execution_options(yield_per=ROWS).execute(select(table))
        for rows in found.mappings().partitions(ROWS):
            target.execute(insert(table), [dict(row) for row in rows])


def _set_sequences(connection: Connection) -> None:
    """Let keys the database numbers by itself go on behind those that were copied."""
    for table in metadata.sorted_tables:
        column = table.autoincrement_column
        if column is not None:
            last = connection.execute(select(func.max(column))).scalar()
            named = {"table": f'"{table.name}"', "column": column.name, "last": last or 1, "used": last is not None}
            connection.execute(text("SELECT setval(pg_get_serial_sequence(:table, :column), :last, :used)"), named)


def _not_empty(where: str) -> NotEmpty:
    return NotEmpty(
        f"{where} 中已有记录，不能覆盖；请恢复到空的数据库", f"{where} holds records already; restore into an empty one"
    )
