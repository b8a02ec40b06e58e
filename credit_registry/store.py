"""The register file: built from the shared tables in a new folder, switched in by one rename.

A build reads every row of all record times into an SQLite file, lets :mod:`credit_registry.index` add what searching
needs, brings all of it to the disk and only then points ``current`` at it. Whoever reads goes on reading the file
opened; the one before is kept until the next build. One builds at a time; whoever waited finds it done.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import UTC, date, datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from credit_registry.dossier import Borne, names_of
from credit_registry.indexing import build_index
from credit_registry.published import TABLES, Published, open_all
from credit_registry.register import CURRENT, EDITION, FILE, PENALTY_COLUMNS, RATING_COLUMNS, current, instant

SHORT = {"credit_rating": "rating", "penalty_decision": "penalty", "enterprise_name": "name"}
"""The register's table for each shared one."""

COLUMNS: dict[str, tuple[str, ...]] = {
    "credit_rating": tuple("enterprise_name" if name == "name" else name for name in RATING_COLUMNS),
    "penalty_decision": tuple("party_name" if name == "name" else name for name in PENALTY_COLUMNS),
    "enterprise_name": ("uscc", "enterprise_name", "since", "bureau", "source", "recorded_from", "recorded_until"),
}
NAMES = "subject, name, since, bureau, source, recorded_from, recorded_until"
LAYOUT = f"""
CREATE TABLE rating ({", ".join(RATING_COLUMNS)});
CREATE TABLE penalty ({", ".join(PENALTY_COLUMNS)});
CREATE TABLE name ({NAMES});
CREATE TABLE source (bureau, tbl, last_recorded, rows, PRIMARY KEY (bureau, tbl)) WITHOUT ROWID;
CREATE TABLE meta (key PRIMARY KEY, value) WITHOUT ROWID;
"""
INDEXES = "\n".join(f"CREATE INDEX {table}_subject ON {table} (subject);" for table in SHORT.values())
SOURCES = "\n".join(
    f"""INSERT INTO source SELECT bureau, '{shared}', max(max(recorded_from), coalesce(max(recorded_until), 0)),
    sum(recorded_until IS NULL) FROM {own} GROUP BY bureau;"""
    for shared, own in SHORT.items()
)
BORNE = """
SELECT subject, subject, name, since, NULL, recorded_from, recorded_until IS NULL FROM name UNION ALL
SELECT subject, uscc, name, NULL, coalesce(published_date, rated_year || '-12-31'), recorded_from,
recorded_until IS NULL FROM rating UNION ALL
SELECT subject, uscc, name, NULL, coalesce(decision_date, act_date), recorded_from, recorded_until IS NULL FROM penalty
ORDER BY 1
"""
IN_MEMORY = ("journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE", "temp_store=MEMORY", "cache_size=-262144")
"""While it is built nobody reads the file, and a build that dies is thrown away."""


def build(
    tables_root: str | Path,
    folder: Path,
    now: datetime,
    storage_options: Mapping[str, str] | None = None,
    *,
    force: bool = False,
) -> Path:
    """Build the register of the newest shared tables, unless the one in use is of just these.

    Parameters
    ----------
    folder : Path
        Where registers are built; ``folder/current`` points to the one in use.

    Returns
    -------
    Path
        The folder of the register in use now, with ``register.db`` and the index in it.

    Raises
    ------
    DamagedTable
        The register in use stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        tables = open_all(tables_root, storage_options)
        before = current(folder)
        if before is not None and not force and _built_of(before) == _editions(tables):
            return before
        target = folder / f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
        target.mkdir()
        try:
            _fill(target, tables, now)
            _flush(target)
        except BaseException:
            shutil.rmtree(target, ignore_errors=True)
            raise
        _switch(folder, target)
        _sweep(folder, {target, before})
    return target


def outdated(tables_root: str | Path, folder: Path, storage_options: Mapping[str, str] | None = None) -> bool:
    """Tell whether the shared tables have gone on since the register in use was built, or there is none."""
    built = current(folder)
    return built is None or _built_of(built) != _editions(open_all(tables_root, storage_options))


def _editions(tables: Mapping[str, Published | None]) -> dict[str, Any]:
    opened = {name: asdict(table.edition) if table else None for name, table in tables.items()}
    return {"register": EDITION, **opened}


def _built_of(built: Path) -> dict[str, Any] | None:
    """Say which tables a register was built of; None where it cannot be read."""
    try:
        with closing(sqlite3.connect(f"{(built / FILE).as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            (text,) = connection.execute("SELECT value FROM meta WHERE key = 'editions'").fetchone()
            return dict(json.loads(text))
    except (sqlite3.Error, TypeError, ValueError):
        return None


def _version(editions: Mapping[str, Any]) -> str:
    """Name the data: the versions of the tables, and four characters that tell a rebuilt table from the one before."""
    numbers = [f"{SHORT[name][0]}{editions[name]['version'] if editions[name] else '-'}" for name in TABLES]
    mark = hashlib.sha256(json.dumps(editions, sort_keys=True).encode()).hexdigest()[:4]
    return ".".join([*numbers, mark])


# -- filling -----------------------------------------------------------------------------------------------------------


def _fill(target: Path, tables: Mapping[str, Published | None], now: datetime) -> None:
    editions = _editions(tables)
    with closing(sqlite3.connect(target / FILE)) as connection:
        for pragma in IN_MEMORY:
            connection.execute(f"PRAGMA {pragma}")
        connection.executescript(LAYOUT)
        for name, table in tables.items():
            if table is not None:
                _copy(connection, name, table)
        connection.executescript(INDEXES + SOURCES)
        build_index(_bearers(connection), connection, target)
        told = {"version": _version(editions), "made_at": now.isoformat(), "editions": json.dumps(editions)}
        connection.executemany("INSERT INTO meta VALUES (?, ?)", told.items())
        connection.commit()


def _copy(connection: sqlite3.Connection, name: str, table: Published) -> None:
    columns = COLUMNS[name]
    marks = ", ".join("?" * len(columns))
    for rows in table.rows(columns):
        connection.executemany(f"INSERT INTO {SHORT[name]} VALUES ({marks})", rows)


def _bearers(connection: sqlite3.Connection) -> Iterator[tuple[str, str, str, bool, str]]:
    """Give (uscc, subject, name, is it a former name, division) of every name, by subject.

    What only closed rows say, a record since corrected or replaced, is no current name, but whoever has an old paper in
    hand types it: it is a former one. A subject without any open row is not given; nothing is held on it today.
    """
    for subject, rows in groupby(connection.execute(BORNE), key=itemgetter(0)):
        first, *more = rows
        if not more:  # nearly always
            if first[6]:
                yield first[1], subject, first[2], False, first[1][2:8]
            continue
        held = (first, *more)
        uscc = next((row[1] for row in held if row[1] and row[6]), "")
        current = [name.name for name in names_of(_sign(row) for row in held if row[6])]
        closed = [name.name for name in names_of(_sign(row) for row in held if not row[6])]
        for place, written in enumerate(dict.fromkeys(current + closed) if current else ()):
            yield uscc, subject, written, place > 0, uscc[2:8]


def _sign(row: Sequence[Any]) -> Borne:
    _, _, name, since, seen, recorded_from, _ = row
    return Borne(name, _day(since), _day(seen), "", "", instant(recorded_from))


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


# -- switching ---------------------------------------------------------------------------------------------------------


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Build alone; another process waits here until this one is done or dead."""
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _flush(target: Path) -> None:
    """Bring all files and folders of a build to the disk."""
    for path in [*target.rglob("*"), target]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _switch(folder: Path, target: Path) -> None:
    part = folder / f".{CURRENT}.part"
    part.unlink(missing_ok=True)
    part.symlink_to(target.name)
    if (folder / CURRENT).is_dir() and not (folder / CURRENT).is_symlink():  # a copied home: links became folders
        shutil.rmtree(folder / CURRENT)
    part.replace(folder / CURRENT)
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sweep(folder: Path, keep: set[Path | None]) -> None:
    """Remove the registers nobody is pointed to any more, and what a killed build left."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink() and path.resolve() not in {one and one.resolve() for one in keep}:
            shutil.rmtree(path, ignore_errors=True)
