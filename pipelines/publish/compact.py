"""Compaction and vacuum: many small data files of a month become few, and files nobody needs any more go.

History is data here: a row that was corrected stays as a row with its record time, so a compaction only lays the same
rows into other files and says so in the log. Whoever publishes meanwhile wins; what was rewritten is dropped and the
next night tries again. A kill leaves the old version as it was.
"""

from __future__ import annotations

import fcntl
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines.disk import digest
from pipelines.errors import PublishError, Stopped
from pipelines.publish import datafiles
from pipelines.publish.reading import asking, scan_of
from pipelines.publish.store import DataFile, LiveFile, Overtaken, Shared, damaged_file, open_table
from records.store import DataFile as KeptFile
from records.store import Records
from schemas.contracts import Table

CHINA = timezone(timedelta(hours=8))
SMALL = 32 * 2**20
TARGET = 128 * 2**20
WORTHWHILE = 8
"""So many small files of one partition are worth rewriting."""
RETENTION = timedelta(days=7)
"""How long a reader may hold on to a version: record time lives in the rows, nothing else needs old files."""
NAME = "compact"


@dataclass(frozen=True, slots=True)
class Compacted:
    """What a compaction did to one table; ``version`` is None where a publication came first."""

    table: str
    version: int | None
    rows: int
    files_before: int
    files_after: int
    bytes_before: int
    bytes_after: int


def compact(
    table: Table,
    tables_root: str,
    records: Records,
    lock_dir: Path,
    now: datetime,
    *,
    confirm: Callable[[], None] = lambda: None,
    stopping: Callable[[], bool] = lambda: False,
    storage_options: dict[str, str] | None = None,
) -> Compacted | None:
    """Rewrite the small files of a table, where that is worthwhile, as one version; else give None.

    Parameters
    ----------
    confirm : callable
        Called just before the commit; what it raises abandons the compaction.

    Raises
    ------
    PublishError
        ``damaged-file``: a file is not what the records say; damage is not carried into new files.
    Stopped
        Asked to stop; nothing is committed.
    """
    with _alone(lock_dir, table.table) as alone:
        kept = {file.path: file for file in records.files(table.table)}  # before the log: what it lacks is gone
        shared = open_table(table, tables_root, storage_options)
        if shared is None or not alone:
            return None
        _catch_up(shared, records, kept, now)
        bins = list(_bins(shared, kept))
        if not bins:
            return None
        return _compact(shared, bins, kept, records, now, confirm, stopping)


@contextmanager
def _alone(lock_dir: Path, name: str) -> Iterator[bool]:
    """Whether no other process of this machine compacts the table."""
    lock_dir.mkdir(parents=True, exist_ok=True)
    handle = os.open(lock_dir / f"{NAME}-{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            alone = True
        except BlockingIOError:
            alone = False
        yield alone
    finally:
        os.close(handle)


def _catch_up(shared: Shared, records: Records, kept: dict[str, KeptFile], now: datetime) -> None:
    """Let the records know what a compaction did that was killed between its commit and its entry."""
    live = {file.path for file in shared.files}
    strangers = [path for path in live - kept.keys() if Path(path).name.startswith(f"{NAME}-")]
    for transaction in sorted({Path(path).name.rsplit("-", 2)[0] for path in strangers}):
        done = shared.committed(transaction)
        if done is not None:
            came = [KeptFile(**file) for file in done[1]["files"] if file["path"] in live]
            records.add_files(came, now)
            kept.update((file.path, file) for file in came)
    gone = [(shared.table.table, path) for path in sorted(kept.keys() - live)]
    if gone:
        records.retire_files(gone, now)


def _bins(shared: Shared, kept: dict[str, KeptFile]) -> Iterator[tuple[str | None, list[LiveFile]]]:
    """Give the files that go into one new file each, where a partition has enough small ones."""
    small: dict[str | None, list[LiveFile]] = defaultdict(list)
    for file in shared.files:  # many rows pack into few bytes: a file that is full of rows is not small
        if file.bytes < SMALL and file.rows < datafiles.FILE_ROWS // 2 and file.path in kept:
            small[file.partition].append(file)
    for partition, files in small.items():
        if len(files) < WORTHWHILE:
            continue
        one: list[LiveFile] = []
        for file in files:
            full = sum(f.bytes for f in one) + file.bytes > TARGET
            if one and (full or sum(f.rows for f in one) + file.rows > datafiles.FILE_ROWS):
                yield partition, one
                one = []
            one.append(file)
        if len(one) > 1:
            yield partition, one


def _compact(
    shared: Shared,
    bins: list[tuple[str | None, list[LiveFile]]],
    kept: dict[str, KeptFile],
    records: Records,
    now: datetime,
    confirm: Callable[[], None],
    stopping: Callable[[], bool],
) -> Compacted:
    transaction = _free_name(shared, now)
    shared.sweep(transaction)
    removed = [file for _, files in bins for file in files]
    written: list[tuple[Any, DataFile]] = []
    try:
        for number, (partition, files) in enumerate(bins):
            _see_whole(shared, files, kept)
            written.append(shared.add(transaction, partition, _rows(shared, files, stopping), number))
            _same_rows(shared, files, partition, written[-1][1])
        confirm()
    except BaseException:
        shared.discard(file.path for _, file in written)
        raise
    came = [file for _, file in written]
    notes = {"compaction": transaction, "recorded_at": now.astimezone(UTC).isoformat()}
    try:
        version = shared.commit(transaction, written, removed, notes, changes=False)
    except Overtaken:
        shared.discard(file.path for file in came)
        return _told(shared, None, removed, removed)
    except OSError:
        shared.discard(file.path for file in came)
        raise
    shared.settle(version)
    records.add_files([KeptFile(f.table, f.path, f.sha256, f.bytes) for f in came], now)
    records.retire_files([(shared.table.table, file.path) for file in removed], now)
    return _told(shared, version, removed, came)


def _told(
    shared: Shared, version: int | None, before: list[LiveFile], after: list[LiveFile] | list[DataFile]
) -> Compacted:
    sizes = [sum(file.bytes for file in files) for files in (before, after)]
    rows = sum(file.rows for file in before)
    return Compacted(shared.table.table, version, rows, len(before), len(after), sizes[0], sizes[1])


def _free_name(shared: Shared, now: datetime) -> str:
    day = now.astimezone(CHINA).date()
    number = 1
    while shared.committed(f"{NAME}-{day}-{number}") is not None:
        number += 1
    return f"{NAME}-{day}-{number}"


def _see_whole(shared: Shared, files: list[LiveFile], kept: dict[str, KeptFile]) -> None:
    for file in files:
        path = shared.local(file.path)
        if not path.is_file() or digest(path) != kept[file.path].sha256:
            raise damaged_file(f"{shared.table.table}/{file.path}")


def _rows(shared: Shared, files: list[LiveFile], stopping: Callable[[], bool]) -> Iterator[pa.Table]:
    """Give the rows of several files in the order of the table, a row group at a time; DuckDB spills what is large."""
    table = shared.table
    schema = pa.schema([(f.name, f.type) for f in datafiles.arrow_schema(table) if f.name != table.partition])
    order = ", ".join(f"{name} NULLS FIRST" for name in dict.fromkeys((*table.sort, *table.key, "recorded_from")))
    with asking() as ask_for:
        asked = f"SELECT {', '.join(schema.names)} FROM {scan_of(shared, files)} ORDER BY {order}"
        for rows in _regrouped(ask_for(asked).to_arrow_reader(datafiles.GROUP_ROWS)):
            if stopping():
                raise Stopped
            yield rows.cast(schema)


def _regrouped(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    rest: list[pa.RecordBatch] = []
    for batch in batches:
        rest.append(batch)
        while sum(part.num_rows for part in rest) >= datafiles.GROUP_ROWS:
            rows = pa.Table.from_batches(rest)
            yield rows.slice(0, datafiles.GROUP_ROWS)
            rest = rows.slice(datafiles.GROUP_ROWS).to_batches()
    if rest:
        yield pa.Table.from_batches(rest)


def _same_rows(shared: Shared, files: list[LiveFile], partition: str | None, made: DataFile) -> None:
    """See that what came out is what went in, whatever its order."""
    new = LiveFile(made.path, made.bytes, 0, partition, {}, {}, {})
    asked = "SELECT count(*) AS rows, sum(hash({})::HUGEINT)::VARCHAR AS content FROM {}"
    names = ", ".join(shared.table.names)
    with asking() as ask_for:
        before, after = (ask_for(asked.format(names, scan_of(shared, f))).fetchall() for f in (files, [new]))
    if before != after:
        raise PublishError(
            "compaction-differs",
            f"合并 {shared.table.table} 的小文件后内容与合并前不符，已放弃，原文件未动；请报告管理员",
            f"compacting {shared.table.table} changed its rows; abandoned, the old files stand; tell the maintainers",
        )


def vacuum(
    table: Table,
    tables_root: str,
    retention: timedelta = RETENTION,
    storage_options: dict[str, str] | None = None,
) -> list[str]:
    """Remove data files that no version younger than the retention refers to, and what crashes left; give their paths.

    The lines of the log stay: they say what every publication did.
    """
    shared = open_table(table, tables_root, storage_options)
    if shared is None:
        return []
    gone = shared.unused(retention)
    shared.discard(gone)
    return gone
