"""How rows of text become a :class:`pipelines.batch.Sheet`, whatever format they came from.

Every reader ends here, so that a grid has one shape: columns ``c0, c1, …`` of dictionary text, never null, and
beside them the row each record has in Excel. Rows without a single visible character are left out and counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.batch import CellMark, Normalisation, ReadLimits, Sheet
from pipelines.errors import TooLarge, UnreadableFile

TEXT = pa.dictionary(pa.int32(), pa.string())
CHUNK = 50_000
"""Rows held as Python texts before they are put away as Arrow dictionaries."""


@dataclass
class Seen:
    """What a workbook says about the cells of one sheet beside their values."""

    marks: list[CellMark] = field(default_factory=list)
    texts: dict[int, dict[int, str]] = field(default_factory=dict)
    """Texts to put into cells that calamine leaves blank, by row from 0 and column from 0."""
    merged: list[tuple[int, int, int, int]] = field(default_factory=list)


def check_size(rows: int, columns: int, limits: ReadLimits) -> None:
    """Refuse a grid beyond the limits of rows, columns or cells."""
    if columns > limits.columns:
        raise TooLarge(
            "too-many-columns",
            f"表格有 {columns} 列，上限为 {limits.columns} 列；请删去多余的列后再交",
            f"the table has {columns} columns, at most {limits.columns} are read; remove the surplus ones",
        )
    if rows > limits.rows:
        raise TooLarge(
            "too-many-rows",
            f"文件超过 {limits.rows} 行的上限；请按时间段拆成几个文件后再交",
            f"the file has more than {limits.rows} rows; split it by period",
        )
    if rows * columns > limits.cells:
        raise TooLarge(
            "too-many-cells",
            f"表格范围过大：{rows} 行 × {columns} 列，上限为 {limits.cells} 个单元格；请检查是否有误填到很远处的单元格",
            f"the table spans {rows} rows x {columns} columns, at most {limits.cells} cells are read; "
            "look for a cell written far away from the others",
        )


def no_rows() -> UnreadableFile:
    """Make the refusal of a file in which nothing is written."""
    return UnreadableFile(
        "no-rows", "没有数据行：文件里只有空白；请检查后重新导出", "no data rows: the file holds nothing but blanks"
    )


def encode(columns: Sequence[Sequence[str]]) -> pa.Table:
    """Put columns of text away as Arrow dictionary columns.

    Parameters
    ----------
    columns : sequence of sequence of str
        One sequence per column, all of one length.

    Returns
    -------
    pyarrow.Table
        Columns ``c0, c1, …`` of ``dictionary<int32, string>``, never null.
    """
    arrays = [pa.array(column, pa.string()).dictionary_encode() for column in columns]
    return pa.table(arrays, [f"c{i}" for i in range(len(arrays))])


def gather(tables: Sequence[pa.Table]) -> pa.Table:
    """Join pieces of one grid into a table with one dictionary per column."""
    return pa.concat_tables(tables).unify_dictionaries().combine_chunks()


def written(cells: pa.Table) -> np.ndarray:
    """Tell which rows have at least one visible character.

    Parameters
    ----------
    cells : pyarrow.Table, shape (n, width)
        Dictionary columns of one chunk each.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    some = np.zeros(cells.num_rows, dtype=bool)
    for column in cells.columns:
        for chunk, offset in _chunks(column):
            visible = np.array([bool(text.strip()) for text in chunk.dictionary.to_pylist()], dtype=bool)
            if visible.size:
                some[offset : offset + len(chunk)] |= visible[chunk.indices.to_numpy()]
        if some.all():
            break
    return some


def _chunks(column: pa.ChunkedArray) -> Iterable[tuple[Any, int]]:
    offset = 0
    for chunk in column.chunks:
        yield chunk, offset
        offset += len(chunk)


def drop_blank(cells: pa.Table, rows: np.ndarray) -> tuple[pa.Table, np.ndarray]:
    """Leave out the rows in which nothing is written."""
    some = written(cells)
    if some.all():
        return cells, rows
    return cells.filter(pa.array(some)).combine_chunks(), rows[some]


def blank_rows(count: int) -> list[Normalisation]:
    """Name the rows left out because nothing is written in them."""
    return [Normalisation("blank-row", "空行未读", count)] if count else []


def trim_right(cells: pa.Table) -> pa.Table:
    """Leave out the columns at the right end in which nothing is written."""
    width = cells.num_columns
    while width > 1 and not any(text.strip() for text in pc.unique(cells.column(width - 1)).to_pylist()):
        width -= 1
    return cells.select([f"c{i}" for i in range(width)])


def sheet_of(
    records: Iterable[Sequence[str]], limits: ReadLimits, name: str | None = None, typed: bool = False
) -> Sheet:
    """Make a sheet of records whose rows count from 1, filling short records with empty cells.

    Parameters
    ----------
    records : iterable of sequence of str
        The grid, its header first.
    limits : ReadLimits
        Rows, columns and cells allowed.
    name, typed
        As in :class:`pipelines.batch.Sheet`.

    Returns
    -------
    Sheet
        Blank records are left out; the others keep their row.
    """
    pieces: list[list[Sequence[str]]] = [[]]
    width, count = 0, 0
    for record in records:
        count += 1
        width = max(width, len(record))
        if count > limits.rows + 1 or width > limits.columns:
            check_size(count - 1, width, limits)
        if len(pieces[-1]) == CHUNK:
            pieces.append([])
        pieces[-1].append(record)
    check_size(max(count - 1, 0), width, limits)
    if not width:
        raise no_rows()
    tables = [
        encode([[record[i] if i < len(record) else "" for record in piece] for i in range(width)]) for piece in pieces
    ]
    cells, rows = drop_blank(gather(tables), np.arange(1, count + 1, dtype=np.int32))
    if not cells.num_rows:
        raise no_rows()
    return Sheet(name, cells, rows, typed)
