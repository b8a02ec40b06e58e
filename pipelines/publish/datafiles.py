"""Parquet data files of the shared tables: their schema, their order, how they are written and how rows in them are closed.

A file is written beside its place under a temporary name, flushed to the disk, read back and only then renamed (a
plain write was found damaged in 23 of 25 kills). Pages carry checksums, and the SHA-256 of every file goes to the
records. Text stays dictionary-encoded from the frame to the page, so that a million repeated codes are never a
million strings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.disk import digest, flush
from pipelines.errors import PublishError
from schemas.contracts import Table

if TYPE_CHECKING:
    import pandas as pd

GROUP_ROWS = 131_072
FILE_ROWS = 24 * GROUP_ROWS
TEXT = 64
INSTANT = pa.timestamp("us", tz="UTC")
RECORD_TIME = ("recorded_from", "recorded_until")
_ARROW = {
    "string": pa.string(),
    "float64": pa.float64(),
    "int32": pa.int32(),
    "int8": pa.int8(),
    "bool": pa.bool_(),
    "date": pa.date32(),
    "timestamp": INSTANT,
}


def arrow_schema(table: Table) -> pa.Schema:
    """Give the Arrow schema of a contract, with the meaning of each column as its comment."""
    return pa.schema(
        [
            pa.field(
                column.name,
                _ARROW[column.type],
                nullable=column.nullable,
                metadata={"comment": f"{column.meaning_zh} / {column.meaning_en}"},
            )
            for column in table.columns
        ]
    )


def to_arrow(frame: pd.DataFrame, table: Table) -> pa.Table:
    """Bring a judged frame into the types of its contract, without record time.

    Parameters
    ----------
    frame : DataFrame, shape (n, …)
        The columns of the contract but ``recorded_from`` and ``recorded_until``; text as categoricals. Naive times
        are UTC; a missing number is NaN, a missing date NaT.

    Returns
    -------
    Table, shape (n, …)
        Text as ``dictionary<int32, string>``; missing is null.

    Raises
    ------
    PublishError
        ``missing-column``, or ``null-in-column`` where the contract allows none.
    """
    columns = {}
    for column in table.columns:
        if column.name in RECORD_TIME:
            continue
        if column.name not in frame:
            raise PublishError(
                "missing-column",
                f"待发布的 {table.table} 缺少列 {column.name}，请报告管理员",
                f"the frame for {table.table} lacks the column {column.name!r}; tell the maintainers",
            )
        made = _column(frame[column.name], column.type)
        if made.null_count and not column.nullable:
            raise PublishError(
                "null-in-column",
                f"待发布的 {table.table} 的列 {column.name} 有 {made.null_count} 个空值，表约定不允许为空；未发布",
                f"{table.table}.{column.name} may not be null, {made.null_count} rows are; nothing was published",
            )
        columns[column.name] = made
    return pa.table(columns)


def _column(series: pd.Series, kind: str) -> pa.Array:
    categories = getattr(series.dtype, "categories", None)
    if kind == "string" and categories is not None:
        codes = series.array.codes.astype(np.int32)  # type: ignore[attr-defined]
        words = pa.array(categories, pa.string(), from_pandas=True)
        return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), words)
    if kind == "string":
        return pa.array(series, pa.string(), from_pandas=True).dictionary_encode()
    values = series.to_numpy()
    if kind in ("int8", "int32") and values.dtype.kind == "f":
        return pa.array(values, from_pandas=True).cast(_ARROW[kind])
    if kind == "timestamp":
        if values.dtype.kind != "M":  # aware instants arrive as objects
            return pa.array(series, INSTANT, from_pandas=True)
        return pa.array(values.astype("datetime64[us]"), pa.timestamp("us")).cast(INSTANT)
    if kind == "date":
        return pa.array(values.astype("datetime64[D]"), pa.date32())
    return pa.array(values, _ARROW[kind], from_pandas=True)


def arrange(rows: pa.Table, table: Table) -> np.ndarray:
    """Order rows by partition, then by the sort columns of the contract, then by its key.

    The columns are folded into one integer, so that millions of rows are sorted once and not column by column.

    Returns
    -------
    ndarray of int64, shape (n,)
        Positions of ``rows`` in order.

    Raises
    ------
    PublishError
        ``repeated-key``: two rows have the same key.
    """
    names = dict.fromkeys(([table.partition] if table.partition else []) + list(table.sort) + list(table.key))
    folded = np.zeros(rows.num_rows, dtype=np.int64)
    size = 1
    for name in names:
        ranks, distinct = _ranks(rows.column(name))
        if size * distinct >= 2**62:
            seen, folded = np.unique(folded, return_inverse=True)
            size = len(seen)
        folded = folded * distinct + ranks
        size *= distinct
    order = np.argsort(folded, kind="stable")
    _no_repeats(rows, table, folded[order], order)
    return order


def _ranks(column: pa.ChunkedArray) -> tuple[np.ndarray, int]:
    """Rank the distinct values of a column, missing first."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    encoded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    rank = np.zeros(len(encoded.dictionary) + 1, dtype=np.int64)  # the last one is for missing
    rank[pc.array_sort_indices(encoded.dictionary).to_numpy()] = np.arange(1, len(rank))
    return rank[encoded.indices.fill_null(-1).to_numpy()], len(rank)


def _no_repeats(rows: pa.Table, table: Table, ordered: np.ndarray, order: np.ndarray) -> None:
    """Refuse two rows of one key; sort columns outside the key make equal keys differ, so then the key alone counts."""
    if set(table.sort) - set(table.key):
        key = np.zeros(rows.num_rows, dtype=np.int64)
        for name in table.key:
            ranks, distinct = _ranks(rows.column(name))
            key = np.unique(key * distinct + ranks, return_inverse=True)[1]
        order = np.argsort(key, kind="stable")
        ordered = key[order]
    twice = np.flatnonzero(ordered[1:] == ordered[:-1])
    if len(twice):
        first = rows.select(list(table.key)).slice(int(order[twice[0]]), 1).to_pylist()[0]
        named = ", ".join(f"{name}={value}" for name, value in first.items())
        raise PublishError(
            "repeated-key",
            f"同一批次中 {table.table} 有 {len(twice)} 个重复的键，例如 {named}；未发布",
            f"{len(twice)} keys stand twice in one batch of {table.table}, e.g. {named}; nothing was published",
        )


def chunks(rows: pa.Table, positions: np.ndarray) -> Iterator[pa.Table]:
    """Give the rows at these positions, a row group at a time; long dictionaries become plain text."""
    plain = [
        field.name
        for field in rows.schema
        if pa.types.is_dictionary(field.type)
        and max((len(c.dictionary) for c in rows.column(field.name).chunks), default=0) > GROUP_ROWS // 4
    ]
    for start in range(0, len(positions), GROUP_ROWS):
        chunk = rows.take(pa.array(positions[start : start + GROUP_ROWS]))
        for name in plain:
            chunk = chunk.set_column(chunk.schema.get_field_index(name), name, chunk.column(name).cast(pa.string()))
        yield chunk


def closed(source: Path, stops: dict[int, datetime], table: Table) -> Iterator[pa.Table]:
    """Give the rows of a data file again, some of them closed.

    Parameters
    ----------
    stops : dict of int to datetime
        Row of the file → its new ``recorded_until``.
    """
    texts = [c.name for c in table.columns if c.type == "string" and c.name != table.partition]
    with pq.ParquetFile(source, read_dictionary=texts, page_checksum_verification=True) as file:
        rows = np.fromiter(stops, dtype=np.int64, count=len(stops))
        order = np.argsort(rows)
        rows, times = rows[order], np.array([micros(at) for at in stops.values()], dtype=np.int64)[order]
        begin = 0
        for group in range(file.num_row_groups):
            chunk = file.read_row_group(group)
            first, last = np.searchsorted(rows, (begin, begin + chunk.num_rows))
            if first < last:
                place = chunk.schema.get_field_index("recorded_until")
                column = chunk.column(place).combine_chunks()
                until = column.cast(pa.int64()).fill_null(0).to_numpy().copy()
                missing = column.is_null().to_numpy(zero_copy_only=False).copy()
                until[rows[first:last] - begin] = times[first:last]
                missing[rows[first:last] - begin] = False
                chunk = chunk.set_column(place, "recorded_until", pa.array(until, mask=missing).cast(INSTANT))
            begin += chunk.num_rows
            yield chunk


def micros(at: datetime) -> int:
    """Microseconds since 1970 of an aware instant, exactly."""
    return int(pa.scalar(at, INSTANT).value)


@dataclass(frozen=True, slots=True)
class Written:
    """What a finished data file is: its rows, size and hash, and the statistics the log carries."""

    rows: int
    bytes: int
    sha256: str
    stats: dict[str, Any]


def write(target: Path, groups: Iterable[pa.Table], table: Table) -> Written:
    """Write row groups to a new file, flush it to the disk, read it back and give what it is."""
    writer = None
    rows = 0
    stats = _Stats(_filtered(table))
    try:
        for group in groups:
            if writer is None:
                writer = _writer(target, group.schema, table)
            writer.write_table(group, row_group_size=GROUP_ROWS)
            stats.see(group)
            rows += group.num_rows
    finally:
        if writer is not None:
            writer.close()
    flush(target)
    metadata = pq.read_metadata(target)
    if metadata.num_rows != rows:
        raise OSError(f"{target.name} holds {metadata.num_rows} rows after writing {rows}")
    return Written(rows, target.stat().st_size, digest(target), stats.as_log())


def _writer(target: Path, schema: pa.Schema, table: Table) -> pq.ParquetWriter:
    """Open a new file: text and numbers by dictionary, times and row numbers by their differences (40 times smaller).

    Statistics are kept for the columns people filter by; for the others they would double the time of writing.
    """
    steps = [f.name for f in schema if pa.types.is_timestamp(f.type) or pa.types.is_int32(f.type)]
    return pq.ParquetWriter(
        target,
        schema,
        compression="zstd",
        store_schema=False,
        write_page_checksum=True,
        write_statistics=[name for name in schema.names if name in _filtered(table)],
        use_dictionary=[name for name in schema.names if name not in steps],
        column_encoding=dict.fromkeys(steps, "DELTA_BINARY_PACKED"),
    )


def _filtered(table: Table) -> set[str]:
    """Columns by which a reader may skip files and row groups."""
    return {*table.key, *table.sort, *RECORD_TIME}


class _Stats:
    """Least, greatest and missing of every column, as the Delta log carries them.

    Every column must be there: delta-rs reads a missing limit as null and then finds nothing in a filter on that
    column. The limits are exact for the columns people filter by; of other text they enclose the values.
    """

    def __init__(self, exact: set[str]) -> None:
        self.exact = exact
        self.rows = 0
        self.low: dict[str, Any] = {}
        self.high: dict[str, Any] = {}
        self.nulls: dict[str, int] = {}

    def see(self, group: pa.Table) -> None:
        """Take in one row group."""
        self.rows += group.num_rows
        for name, column in zip(group.column_names, group.columns, strict=True):
            self.nulls[name] = self.nulls.get(name, 0) + column.null_count
            for chunk in column.chunks:
                values = chunk
                if pa.types.is_dictionary(chunk.type):
                    values = chunk.dictionary
                    if name in self.exact:
                        values = values.take(pc.unique(chunk.indices))
                limits = pc.min_max(values)
                if limits["min"].is_valid and chunk.null_count < len(chunk):
                    low, high = limits["min"].as_py(), limits["max"].as_py()
                    self.low[name] = min(low, self.low.get(name, low))
                    self.high[name] = max(high, self.high.get(name, high))

    def as_log(self) -> dict[str, Any]:
        """Give the statistics as the log writes them; long text is cut, the greatest marked so that it stays above."""
        low = {name: value[:TEXT] if isinstance(value, str) else _stat(value) for name, value in self.low.items()}
        high = {
            name: (value if len(value) <= TEXT else value[:TEXT] + "\U0010ffff")
            if isinstance(value, str)
            else _stat(value)
            for name, value in self.high.items()
        }
        return {"numRecords": self.rows, "minValues": low, "maxValues": high, "nullCount": self.nulls}


def _stat(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if isinstance(value, date):
        return value.isoformat()
    return value
