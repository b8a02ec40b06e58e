"""The table store: Delta Lake, all or nothing, versions. No other module touches it.

A table lies in a local folder or at an address like ``s3://bucket/tables``. Data files are immutable; a version is
one line of the log. Two facts the log keeps for us: each publication is an application transaction under its batch
id (so that it happens once), and the commit names the files it added with their SHA-256.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.fs import DeltaStorageHandler
from deltalake.transaction import AddAction, RemoveAction

from pipelines.disk import digest, flush
from pipelines.errors import PublishError
from pipelines.publish import datafiles
from schemas.contracts import Table, tables

BLOCK = 2**20
CONFIGURATION = {"delta.enableExpiredLogCleanup": "false", "delta.checkpointInterval": "50"}


class Overtaken(Exception):
    """Somebody else committed first; read again and decide again."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """One data file of a shared table, with the hash the nightly scrub compares."""

    table: str
    path: str
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class LiveFile:
    """A data file of the opened version, with what the log says of it."""

    path: str
    bytes: int
    rows: int
    partition: str | None
    low: dict[str, Any]
    high: dict[str, Any]
    nulls: dict[str, int]


class _Bucket(DeltaStorageHandler):  # type: ignore[misc]
    """The store behind an address, by whole files; its streams take and give bytes only, not Arrow's buffers."""

    def put(self, source: Path, path: str) -> None:
        """Bring a local file there."""
        target = self._handler.open_output_stream(path, None)
        with open(source, "rb") as file:
            while block := file.read(BLOCK):
                target.write(block)
        target.close()

    def fetch(self, path: str, target: Path) -> None:
        """Bring a file here."""
        source = self._handler.open_input_file(path)
        with open(target, "wb") as file:
            while block := source.read(BLOCK):
                file.write(block)


class Shared:
    """One shared table at one version."""

    def __init__(self, delta: DeltaTable, table: Table, address: str, options: dict[str, str] | None) -> None:
        self.delta = delta
        self.table = table
        self.address = address
        self.options = options
        self.folder = None if "://" in address else Path(address)
        self._files: list[LiveFile] | None = None

    @property
    def version(self) -> int:
        """The version that is open."""
        return int(self.delta.version())

    @property
    def files(self) -> list[LiveFile]:
        """The data files of the version, by path."""
        if self._files is None:
            self._files = _live(self.delta, self.table)
        return self._files

    def broken(self) -> list[LiveFile]:
        """List data files that are missing or have another size than the log says (flipped bits: see :func:`scrub`)."""
        return [file for file in self.files if not _whole(self.local(file.path), file.bytes)]

    # -- what publications did --------------------------------------------------------------------------------

    def committed(self, batch_id: str) -> tuple[int, dict[str, Any]] | None:
        """Find the version a batch made, with what was noted on it."""
        version = self.delta.transaction_version(batch_id)
        if version is None:
            return None
        newest_first = self.delta.history(self.version - version + 1)
        return version, newest_first[-1]

    def publications(self, after: int = -1) -> list[tuple[int, dict[str, Any]]]:
        """List the commits of batches after a version, in order, each with what was noted on it."""
        missing = self.version - after
        history = self.delta.history(missing) if missing > 0 else []
        return [(int(entry["version"]), entry) for entry in reversed(history) if "batch_id" in entry]

    def newest_first(self) -> Iterator[dict[str, Any]]:
        """Give what was noted on each commit, the newest first; the log is read no further than asked."""
        given, looked = 0, 8
        while given <= self.version:
            entries = self.delta.history(looked)
            yield from entries[given:]
            given, looked = max(len(entries), looked), looked * 8

    def has(self, batch_id: str) -> bool:
        """Whether a batch made a version of the table."""
        return self.delta.transaction_version(batch_id) is not None

    def log_files(self) -> list[str]:
        """List the lines and checkpoints of a local table's log up to the opened version, below its folder."""
        assert self.folder is not None
        names = sorted(path.name for path in (self.folder / "_delta_log").iterdir())
        return [
            f"_delta_log/{name}" for name in names if re.match(r"\d{20}\.", name) and int(name[:20]) <= self.version
        ]

    # -- files ------------------------------------------------------------------------------------------------

    def local(self, path: str) -> Path:
        """Where a data file can be read; a remote one is fetched once."""
        if self.folder is not None:
            return self.folder / path
        kept = Path(tempfile.gettempdir()) / f"gongzhi-{os.getuid()}" / self.table.table / path
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            part = kept.with_name(f".{uuid.uuid4().hex}.part")
            self._bucket().fetch(path, part)
            part.replace(kept)
        return kept

    def add(
        self, batch_id: str, partition: str | None, groups: Iterable[pa.Table], number: int
    ) -> tuple[AddAction, DataFile]:
        """Write one data file and bring it to its place; it counts only once it is committed."""
        prefix = f"{self.table.partition}={partition}/" if self.table.partition else ""
        path = f"{prefix}{_stem(batch_id)}-{number:04d}-{uuid.uuid4().hex[:8]}.parquet"
        with tempfile.TemporaryDirectory() if self.folder is None else _nothing() as staging:
            place = (self.folder or Path(staging or "")) / path
            place.parent.mkdir(parents=True, exist_ok=True)
            part = place.with_name(f".{place.name}.part")
            try:
                made = datafiles.write(part, groups, self.table)
                os.replace(part, place)
            finally:
                part.unlink(missing_ok=True)
            for folder in (place.parent, place.parent.parent):
                flush(folder)
            if self.folder is None:
                self._bucket().put(place, path)
        values = {self.table.partition: partition} if self.table.partition else {}
        action = AddAction(path, made.bytes, values, int(time.time() * 1000), True, json.dumps(made.stats))
        return action, DataFile(self.table.table, path, made.sha256, made.bytes)

    def discard(self, paths: Iterable[str]) -> None:
        """Remove files that were written and never committed."""
        for path in paths:
            if self.folder is not None:
                (self.folder / path).unlink(missing_ok=True)
            else:
                with suppress(FileNotFoundError):
                    self._bucket().delete_file(path)

    def sweep(self, batch_id: str) -> None:
        """Remove what an earlier, killed try of this batch left behind in a local folder."""
        if self.folder is None:
            return
        live = {file.path for file in self.files}
        ours = re.compile(rf"\.?{re.escape(_stem(batch_id))}-\d{{4}}-[0-9a-f]{{8}}\.parquet(\.part)?")
        for found in self.folder.glob("*/*.parquet*" if self.table.partition else "*.parquet*"):
            if ours.fullmatch(found.name) and found.relative_to(self.folder).as_posix() not in live:
                found.unlink(missing_ok=True)

    def unused(self, retention: timedelta) -> list[str]:
        """List data files that no version younger than the retention refers to, and what crashes left before it."""
        hours = int(retention.total_seconds() // 3600)
        found = sorted(self.delta.vacuum(hours, dry_run=True, enforce_retention_duration=False, full=True))
        return [path for path in found if self.folder is None or (self.folder / path).exists()]  # some went before

    def _bucket(self) -> _Bucket:
        return _Bucket(self.address, self.options)

    # -- one commit -------------------------------------------------------------------------------------------

    def commit(
        self,
        transaction: str,
        added: list[tuple[AddAction, DataFile]],
        removed: list[LiveFile],
        notes: Mapping[str, Any],
        *,
        changes: bool = True,
    ) -> int:
        """Make the next version; exactly one after the opened one, or :class:`Overtaken`.

        Parameters
        ----------
        transaction : str
            The commit happens once under this name: the batch of a publication.
        changes : bool
            Whether rows come or go; a compaction only lays the same rows into other files.
        """
        if self.folder is not None and not all(_whole(self.folder / file.path, file.bytes) for _, file in added):
            raise Overtaken("files were swept while this process was stopped")
        version = self.version + 1
        now = int(time.time() * 1000)
        actions: list[Any] = [replace(action, data_change=changes) for action, _ in added]
        for file in removed:
            values = {self.table.partition: file.partition} if self.table.partition else {}
            actions.append(RemoveAction(file.path, changes, now, file.bytes, values))
        metadata = {
            **notes,
            "files": [asdict(file) for _, file in added],
            "removed": [file.path for file in removed],
        }
        properties = CommitProperties(
            custom_metadata=metadata, max_commit_retries=0, app_transactions=[Transaction(transaction, version)]
        )
        partition = [self.table.partition] if self.table.partition else []
        try:
            self.delta.create_write_transaction(
                actions, "append", self.delta.schema(), partition, commit_properties=properties
            )
        except (DeltaError, OSError) as error:  # the log alone says what became of it
            newest = open_table(self.table, self.address.rsplit("/", 1)[0], self.options)
            if newest is None or newest.version == self.version:
                raise OSError(str(error)) from error
            if newest.delta.transaction_version(transaction) is None:
                raise Overtaken(str(error)) from error
        return version

    def settle(self, version: int) -> None:
        """Bring a committed version to the disk; when that fails the version stands all the same."""
        if self.folder is not None:
            log = self.folder / "_delta_log"
            flush(log / f"{version:020d}.json")
            flush(log)


def _whole(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except FileNotFoundError:
        return False


def damaged_file(name: str) -> PublishError:
    """Say which data file is damaged and what to do."""
    return PublishError(
        "damaged-file",
        f"数据文件 {name} 已损坏或缺失，其余文件不受影响；请运行 gongzhi verify tables 核对，再用 gongzhi rebuild 重建",
        f"the data file {name} is damaged or missing, the others are fine; run gongzhi verify tables, then gongzhi rebuild",
    )


def _stem(batch_id: str) -> str:
    return re.sub(r"[^A-Za-z0-9-]", "_", batch_id)


class _nothing:
    def __enter__(self) -> None:
        return None

    def __exit__(self, *args: object) -> None:
        return None


def address_of(table: str, tables_root: str) -> str:
    """Where a table lies below the root."""
    return f"{tables_root.rstrip('/')}/{table}"


def open_table(
    table: Table, tables_root: str, storage_options: dict[str, str] | None = None, version: int | None = None
) -> Shared | None:
    """Open the newest version of a table (or the one asked for), if there is one.

    Raises
    ------
    PublishError
        ``damaged-log``: the log cannot be read.
    """
    address = address_of(table.table, tables_root)
    try:
        delta = DeltaTable(address, version=version, storage_options=storage_options)
    except TableNotFoundError:
        return None
    except (DeltaError, OSError) as error:
        raise PublishError(
            "damaged-log",
            f"共享表 {table.table} 的日志无法读取：{error}；请用备份恢复或 gongzhi rebuild 重建",
            f"the log of the shared table {table.table} cannot be read: {error}; restore it or run gongzhi rebuild",
        ) from error
    return Shared(delta, table, address, storage_options)


def newest_version(table: Table, tables_root: str) -> int | None:
    """Give the newest version of a table, read from the names of its log where that is local."""
    if "://" in tables_root:
        shared = open_table(table, tables_root)
        return None if shared is None else shared.version
    log = Path(address_of(table.table, tables_root)) / "_delta_log"
    return max((int(path.stem) for path in log.glob("*.json") if re.fullmatch(r"\d{20}", path.stem)), default=None)


def create_table(table: Table, tables_root: str, storage_options: dict[str, str] | None = None) -> Shared:
    """Open a table; one that does not exist is made, empty, as version 0."""
    found = open_table(table, tables_root, storage_options)
    if found is not None:
        return found
    address = address_of(table.table, tables_root)
    if "://" not in address:
        Path(address).mkdir(parents=True, exist_ok=True)
    DeltaTable.create(
        address,
        schema=datafiles.arrow_schema(table),
        mode="ignore",
        partition_by=[table.partition] if table.partition else None,
        name=table.table,
        description=f"{table.title_zh} / {table.title_en}",
        configuration=CONFIGURATION,
        storage_options=storage_options,
    )
    found = open_table(table, tables_root, storage_options)
    assert found is not None
    return found


def _live(delta: DeltaTable, table: Table) -> list[LiveFile]:
    rows = pa.table(delta.get_add_actions(flatten=True)).to_pylist()

    def under(row: dict[str, Any], prefix: str) -> dict[str, Any]:
        return {name.removeprefix(prefix): value for name, value in row.items() if name.startswith(prefix)}

    return sorted(
        (
            LiveFile(
                path=row["path"],
                bytes=row["size_bytes"],
                rows=row["num_records"],
                partition=row.get(f"partition.{table.partition}"),
                low=under(row, "min."),
                high=under(row, "max."),
                nulls=under(row, "null_count."),
            )
            for row in rows
        ),
        key=lambda file: file.path,
    )


def tables_status(tables_root: str, storage_options: dict[str, str] | None = None) -> list[dict[str, Any]]:
    """Say of every shared table its version, files, rows, bytes, last batch and the time its rows span."""
    return [_status(table, open_table(table, tables_root, storage_options)) for table in tables().values()]


def _last_publication(shared: Shared) -> dict[str, Any]:
    return next((entry for entry in shared.newest_first() if "batch_id" in entry), {})


def _status(table: Table, shared: Shared | None) -> dict[str, Any]:
    files = shared.files if shared is not None else []
    newest = _last_publication(shared) if shared is not None else {}
    clock = next((c.name for c in table.columns if c.name in table.key and c.type in ("timestamp", "date")), None)
    low = [file.low[clock] for file in files if clock and file.low.get(clock) is not None]
    high = [file.high[clock] for file in files if clock and file.high.get(clock) is not None]
    return {
        "table": table.table,
        "title_zh": table.title_zh,
        "title_en": table.title_en,
        "version": shared.version if shared is not None else None,
        "files": len(files),
        "rows": sum(file.nulls.get("recorded_until") or 0 for file in files),
        "rows_history": sum(file.rows for file in files),
        "bytes": sum(file.bytes for file in files),
        "last_batch": newest.get("batch_id"),
        "recorded_at": newest.get("recorded_at"),
        "since": min(low, default=None),
        "until": max(high, default=None),
    }


def scrub(
    tables_root: str, files: Iterable[Any], storage_options: dict[str, str] | None = None
) -> list[tuple[Any, str]]:
    """Compare data files with the hashes the records keep.

    Parameters
    ----------
    files : iterable
        Objects with ``table``, ``path``, ``sha256`` and ``bytes``.

    Returns
    -------
    list of (file, reason)
        The bad ones; ``missing``, ``size`` or ``hash``.
    """
    bad = []
    known = tables()
    opened: dict[str, Shared | None] = {}
    for file in files:
        if "://" in tables_root:
            if file.table not in opened:
                opened[file.table] = open_table(known[file.table], tables_root, storage_options)
            shared = opened[file.table]
            path = shared.local(file.path) if shared is not None else Path()
        else:
            path = Path(address_of(file.table, tables_root)) / file.path
        if not path.is_file():
            bad.append((file, "missing"))
        elif path.stat().st_size != file.bytes:
            bad.append((file, "size"))
        elif digest(path) != file.sha256:
            bad.append((file, "hash"))
    return bad
