"""The database: how it is opened, how one writer at a time is kept, how its schema grows.

SQLite runs with a rollback journal (never WAL: the WAL-reset error is in all versions before 3.51.3),
``BEGIN IMMEDIATE`` for writers, foreign keys on and ``synchronous=EXTRA``, which is FULL and also makes the
removal of the journal durable: without it a power cut just after a commit can roll the commit back. What is deleted
or overwritten is overwritten with zeros in the file too (``secure_delete``): an erased person must not stay in it.
PostgreSQL writers take one advisory lock, so that both databases have the same single-writer order; one that
stops in the middle of a transaction (SIGSTOP, a dead network) is cut off after a minute and loses the lock.
Alembic is imported only when there is something to migrate.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import NullPool

from records.errors import BusyDatabase, LostDatabase, NewDatabase, NoDatabase, OldDatabase, UnsafeDatabase

BUSY_SECONDS = 30
IDLE_SECONDS = 60
MIGRATIONS = Path(__file__).parent / "migrations"
WRITER_LOCK = 0x676F6E67
MIGRATION_LOCK = 0x676F6E68
WRITES = "gongzhi_writes"

log = logging.getLogger("records")


def known_revisions() -> list[str]:
    """Revisions this edition of the program can bring a database to, oldest first, from the file names."""
    return sorted(path.name.split("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()


def make_engine(url: str | URL) -> Engine:
    """Make the engine for an address; nothing is opened yet."""
    address = make_url(url)
    if address.get_backend_name() != "sqlite":
        return create_engine(address, json_serializer=_dump, pool_size=5, max_overflow=20, pool_pre_ping=True)
    engine = create_engine(
        address, json_serializer=_dump, poolclass=NullPool, connect_args={"timeout": BUSY_SECONDS, "uri": False}
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        for pragma in (
            "foreign_keys=ON",
            "synchronous=EXTRA",
            "secure_delete=ON",
            f"busy_timeout={BUSY_SECONDS * 1000}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


class Database:
    """An opened database whose schema fits this program.

    ``guard`` is asked at the start of every write, under the writer lock; what it raises ends the write.
    """

    def __init__(self, engine: Engine, guard: Callable[[Connection], None] | None = None) -> None:
        self.engine = engine
        self.guard = guard

    @classmethod
    def open(cls, url: str, *, create: bool = False) -> Database:
        """Open the database; with ``create`` make or migrate it, else refuse one that does not fit.

        Raises
        ------
        NoDatabase, OldDatabase, NewDatabase, UnsafeDatabase
        """
        address = make_url(url)
        sqlite = address.get_backend_name() == "sqlite"
        if sqlite:
            _find_file(address, create)
        database = cls(make_engine(address))
        try:
            if sqlite:
                _leave_wal(database.engine)
            database._fit(create)
        except BaseException:
            database.close()
            raise
        return database

    def _fit(self, create: bool) -> None:
        """See that the schema is the one this program knows, or make it so."""
        revision, known = self.revision(), known_revisions()
        if revision is not None and revision not in known:
            raise NewDatabase(
                f"数据库版本 {revision} 比本程序（{known[-1]}）新，请升级程序后再打开",
                f"the database is at revision {revision}, newer than this program ({known[-1]}); upgrade the program",
            )
        if revision == known[-1]:
            return
        if create:
            self.migrate()
            return
        raise (NoDatabase if revision is None else OldDatabase)(
            f"数据库尚未初始化或需要升级（现为 {revision}，需要 {known[-1]}），请先运行 gongzhi init",
            f"the database is not set up or must be migrated (at {revision}, wanted {known[-1]}); run gongzhi init",
        )

    def revision(self) -> str | None:
        """Revision of the schema, or None where there is none."""
        with self.read() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
            return None if found is None else str(found)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Read in one transaction, all of it of the same moment."""
        with _cut_is_told(), self.engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Write in one transaction; no other writer runs meanwhile; committed is durable.

        Raises
        ------
        BusyDatabase
            Another writer held the database longer than half a minute.
        LostDatabase
            The server cut the connection; cut while committing, the write may be there.
        """
        with _cut_is_told(), self.engine.connect() as connection:
            connection = connection.execution_options(**{WRITES: True})
            try:
                transaction = connection.begin()
                self._lock(connection, WRITER_LOCK)
            except OperationalError as error:
                if _is_busy(error):
                    raise BusyDatabase(
                        f"数据库被其他进程占用超过 {BUSY_SECONDS} 秒，请稍后重试",
                        f"another process held the database for more than {BUSY_SECONDS} s; try again later",
                    ) from error
                raise
            with transaction:
                if self.guard is not None:
                    self.guard(connection)
                yield connection

    def _lock(self, connection: Connection, number: int) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SET LOCAL lock_timeout = '{BUSY_SECONDS}s'"))
            connection.execute(text(f"SET LOCAL idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})

    def migrate(self) -> None:
        """Bring the schema to the newest revision, in one transaction; others wait and then find it done."""
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        with self.engine.connect() as connection:
            connection = connection.execution_options(**{WRITES: True})
            with connection.begin():
                self._lock(connection, MIGRATION_LOCK)
                config.attributes["connection"] = connection
                command.upgrade(config, "head")

    def close(self) -> None:
        """Close what is open."""
        self.engine.dispose()


@contextmanager
def _cut_is_told() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        raise LostDatabase(
            "与数据库的连接中断，本次操作未确认，请重试",
            "the connection to the database was cut; what was being done is not confirmed, try again",
        ) from error


def _is_busy(error: OperationalError) -> bool:
    return "locked" in str(error.orig) or "lock timeout" in str(error.orig)


def _find_file(address: URL, create: bool) -> None:
    if not address.database or address.database == ":memory:":
        raise NoDatabase(
            "数据库地址须指向一个文件，例如 sqlite:////var/lib/gongzhi/records.db",
            "the database address must name a file, e.g. sqlite:////var/lib/gongzhi/records.db",
        )
    path = Path(address.database)
    if create:
        path.parent.mkdir(parents=True, exist_ok=True)
    elif not path.is_file():
        raise NoDatabase(
            f"没有找到数据库文件 {path}，请先运行 gongzhi init",
            f"there is no database file {path}; run gongzhi init first",
        )


def _leave_wal(engine: Engine) -> None:
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            return
        try:
            mode = cursor.execute("PRAGMA journal_mode=DELETE").fetchone()[0]
        except sqlite3.OperationalError:
            mode = "wal"
        if mode != "delete":
            raise UnsafeDatabase(
                f"数据库处于 WAL 模式（SQLite {sqlite3.sqlite_version}），且正被其他程序使用，无法改回回滚日志模式；"
                "请关闭其他程序后重试",
                f"the database is in WAL mode (SQLite {sqlite3.sqlite_version}) and in use, so it cannot be taken back"
                " to a rollback journal; close the other program and try again",
            )
        log.warning(
            "数据库原为 WAL 模式，已改回回滚日志模式 / the database was in WAL mode; it now has a rollback journal"
        )
    finally:
        raw.close()
