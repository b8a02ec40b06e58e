"""Publish a judged frame to its shared table: compare, close, open, in one version and once.

A row whose key is not on record is added; one whose content differs closes the row on record and opens a new one;
one with the same content is left alone. Publishers of one table take turns by a file lock, and where they share no
file system by the log itself: a commit is only ever the very next version, else everything is read and decided again.
The turns only spare work: a stopped process keeps its lock, so nobody waits for one longer than half a minute.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.batch import TableChange
from pipelines.errors import PublishError
from pipelines.publish import datafiles, reading
from pipelines.publish.store import DataFile, LiveFile, Overtaken, Shared, create_table
from schemas.contracts import Table

if TYPE_CHECKING:
    import pandas as pd

ATTEMPTS = 50
TURN_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Committed:
    """What a publication did to a table, and to its data files (paths below the folder of the table)."""

    change: TableChange
    files_added: tuple[DataFile, ...]
    files_removed: tuple[str, ...]


def publish_table(
    frame: pd.DataFrame,
    table: Table,
    tables_root: str,
    *,
    batch_id: str,
    recorded_at: datetime,
    lock_dir: Path,
    storage_options: dict[str, str] | None = None,
    confirm: Callable[[], None] = lambda: None,
) -> Committed:
    """Bring a judged frame into its shared table, in one version; asked again, the same answer and no second effect.

    Parameters
    ----------
    frame : DataFrame, shape (n, …)
        The columns of the contract but ``recorded_from`` and ``recorded_until``; text as categoricals.
    recorded_at : datetime
        Aware; later than that of every publication that began before. One that was overtaken is filed at its own
        time: it becomes history where a later one has spoken since.
    lock_dir : Path
        Folder for the lock files of this machine.
    confirm : callable
        Called when all is written and only the commit is missing; what it raises abandons the publication.

    Raises
    ------
    PublishError
        ``null-in-column``, ``repeated-key``, ``missing-column``: the frame is not what the contract asks for;
        ``storage``: the disk or bucket failed; ``damaged-file``, ``damaged-log``. Nothing is published then.
    """
    incoming = datafiles.to_arrow(frame, table)
    order = datafiles.arrange(incoming, table)
    with _turn(lock_dir, table.table):
        try:
            for _ in range(ATTEMPTS):
                shared = create_table(table, tables_root, storage_options)
                done = _already(shared, batch_id)
                if done is not None:
                    return done
                try:
                    return _publish(shared, incoming, order, batch_id, recorded_at.astimezone(UTC), confirm)
                except Overtaken:
                    continue
        except (OSError, pa.ArrowException) as error:
            raise PublishError(
                "storage",
                f"共享表 {table.table} 写入失败：{error}；原有版本未受影响，排除故障后会自动继续",
                f"writing the shared table {table.table} failed: {error}; the old version stands, it can be tried again",
            ) from error
    raise PublishError(
        "overtaken",
        f"共享表 {table.table} 连续 {ATTEMPTS} 次被其他发布抢先，请稍后再试",
        f"other publications came first {ATTEMPTS} times on {table.table}; try again later",
    )


@contextmanager
def _turn(lock_dir: Path, name: str) -> Iterator[None]:
    """Wait for the turn of this process on a table, but not for ever; the lock of a dead process is free."""
    lock_dir.mkdir(parents=True, exist_ok=True)
    handle = os.open(lock_dir / f"publish-{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    until = time.monotonic() + TURN_SECONDS
    try:
        while time.monotonic() < until:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.02)
        yield
    finally:
        os.close(handle)


def _already(shared: Shared, batch_id: str) -> Committed | None:
    found = shared.committed(batch_id)
    if found is None:
        return None
    version, noted = found
    counts = {name: int(noted[name]) for name in ("added", "corrected", "unchanged")}
    return Committed(
        TableChange(shared.table.table, version, **counts),
        tuple(DataFile(**file) for file in noted["files"]),
        tuple(noted["removed"]),
    )


def _publish(
    shared: Shared,
    incoming: pa.Table,
    order: np.ndarray,
    batch_id: str,
    recorded_at: datetime,
    confirm: Callable[[], None],
) -> Committed:
    size = incoming.num_rows
    opened = np.ones(size, dtype=bool)
    corrected = 0
    stops: dict[str, dict[int, datetime]] = {}
    until: dict[int, datetime] = {}
    for positions, files in _meetings(shared, incoming, order):
        if len(positions) == size:
            some, numbers = incoming, np.arange(size)
        else:
            some, numbers = incoming.take(pa.array(positions)), positions
        known = reading.compare(shared, files, some.append_column("pos", pa.array(numbers)), recorded_at)
        opened[known.same] = False
        corrected += len(known.changed)
        until.update(known.until)
        for path, row in known.stands:
            stops.setdefault(path, {})[row] = recorded_at
    added = int(opened.sum()) - corrected
    change = TableChange(shared.table.table, shared.version, added, corrected, size - added - corrected)
    if not added and not corrected:
        return Committed(change, (), ())
    return _write(shared, incoming, order[opened[order]], stops, until, change, batch_id, recorded_at, confirm)


def _meetings(shared: Shared, incoming: pa.Table, order: np.ndarray) -> Iterator[tuple[np.ndarray, list[LiveFile]]]:
    """Give, partition by partition, the incoming positions and the data files that may hold their keys."""
    for partition, positions in _partitions(incoming, order, shared.table):
        files = [file for file in shared.files if file.partition == partition]
        if files:
            span = _span(incoming, positions, shared.table)
            files = [file for file in files if _may_hold(file, span)]
        if files:
            yield positions, files


def _partitions(incoming: pa.Table, order: np.ndarray, table: Table) -> Iterator[tuple[str | None, np.ndarray]]:
    """Cut ordered positions into partitions, which lead the order."""
    if table.partition is None or not len(order):
        if len(order):
            yield None, order
        return
    column = incoming.column(table.partition).combine_chunks()
    codes = column.indices.to_numpy()[order]
    edges = [0, *(np.flatnonzero(codes[1:] != codes[:-1]) + 1).tolist(), len(codes)]
    for start, end in zip(edges, edges[1:], strict=False):
        yield column.dictionary[int(codes[start])].as_py(), order[start:end]


def _span(incoming: pa.Table, positions: np.ndarray, table: Table) -> dict[str, tuple[Any, Any]]:
    """Smallest and largest value of each key column among these rows."""
    span = {}
    for name in table.key:
        column = incoming.column(name).combine_chunks()
        if pa.types.is_dictionary(column.type):
            used = np.unique(column.indices.to_numpy()[positions])
            column = column.dictionary.take(pa.array(used))
        else:
            column = column.take(pa.array(positions))
        if column.null_count == 0:
            limits = pc.min_max(column).as_py()
            span[name] = (limits["min"], limits["max"])
    return span


def _may_hold(file: LiveFile, span: dict[str, tuple[Any, Any]]) -> bool:
    for name, (low, high) in span.items():
        least, most = file.low.get(name), file.high.get(name)
        if least is not None and most is not None and (most < low or least > high):
            return False
    return True


def _write(
    shared: Shared,
    incoming: pa.Table,
    opening: np.ndarray,
    stops: dict[str, dict[int, datetime]],
    until: dict[int, datetime],
    change: TableChange,
    batch_id: str,
    recorded_at: datetime,
    confirm: Callable[[], None],
) -> Committed:
    """Write the rows to open and the files in which rows close, then commit both as one version."""
    shared.sweep(batch_id)
    removed = [file for file in shared.files if file.path in stops]
    stamp = pa.scalar(recorded_at, datafiles.INSTANT)
    partition = shared.table.partition
    rows = incoming.drop_columns([partition]) if partition else incoming

    def fresh(positions: np.ndarray) -> Iterator[pa.Table]:
        start = 0
        for chunk in datafiles.chunks(rows, positions):
            here = positions[start : start + chunk.num_rows]
            start += chunk.num_rows
            ends = [until.get(int(position)) for position in here] if until else [None] * len(here)
            chunk = chunk.append_column("recorded_from", pa.repeat(stamp, len(here)))
            yield chunk.append_column("recorded_until", pa.array(ends, datafiles.INSTANT))

    jobs: list[tuple[str | None, Iterator[pa.Table]]] = [
        (name, fresh(positions[start : start + datafiles.FILE_ROWS]))
        for name, positions in _partitions(incoming, opening, shared.table)
        for start in range(0, len(positions), datafiles.FILE_ROWS)
    ]
    jobs += [
        (file.partition, datafiles.closed(shared.local(file.path), stops[file.path], shared.table)) for file in removed
    ]
    written = []
    failed: list[Exception] = []
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        running = [pool.submit(shared.add, batch_id, name, groups, n) for n, (name, groups) in enumerate(jobs)]
        for job in running:
            try:
                written.append(job.result())
            except Exception as error:  # every job must have ended before what was written is taken back
                failed.append(error)
    paths = [file.path for _, file in written]
    if failed:
        shared.discard(paths)
        raise failed[0]
    notes = {
        "batch_id": batch_id,
        "recorded_at": recorded_at.isoformat(),
        "added": change.added,
        "corrected": change.corrected,
        "unchanged": change.unchanged,
    }
    try:
        confirm()
    except BaseException:
        shared.discard(paths)
        raise
    try:
        version = shared.commit(batch_id, written, removed, notes)
    except (Overtaken, OSError):
        shared.discard(paths)
        raise
    shared.settle(version)
    return Committed(
        TableChange(change.table, version, change.added, change.corrected, change.unchanged),
        tuple(file for _, file in written),
        tuple(file.path for file in removed),
    )
