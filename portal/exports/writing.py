"""Rows into a file: Parquet, CSV, Excel, JSON or Arrow, a batch at a time, with who took them and under which terms.

No file that leaves holds a formula: cells of a workbook are written as texts and numbers only, and a text in CSV that a
spreadsheet would compute gets an apostrophe, as in our error lists. The note travels inside: in the metadata of Parquet
and Arrow, on a sheet of the workbook, in CSV as a last column with the number of the export on every row (anything else
would break the programs that read it); the log and the chain tell whose number it is.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.ipc
import pyarrow.parquet as pq

from pipelines.publish.reading import CHINA, rows_of
from pipelines.workbook import new_workbook, put
from schemas.contracts import Table

MARK = "export"
"""The column of CSV with the number of the export."""
BOM = b"\xef\xbb\xbf"
MEDIA = {
    "parquet": "application/vnd.apache.parquet",
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "json": "application/json",
    "arrow": "application/vnd.apache.arrow.stream",
}
_COMPUTED = r"^[\s\x{85}\p{Z}\p{Cf}\p{Cc}]*[=+\-@＝＋－＠\t\r]"
_PLAIN_NUMBER = r"^[+-]?[0-9]+(\.[0-9]+)?$"
_INSTANT, _DAY = "yyyy-mm-dd hh:mm:ss", "yyyy-mm-dd"
_WIDTH = 14


@dataclass(frozen=True, slots=True)
class ExportNote:
    """What travels with an export: its number, who took it, what was wanted, and the terms."""

    number: str
    lines: tuple[tuple[str, str, str], ...]
    """Label in Chinese, label in English, text."""

    def metadata(self) -> dict[str, str]:
        """Give the note as metadata of a file."""
        return {f"gongzhi.{en.replace(' ', '_')}": text for _, en, text in self.lines} | {"gongzhi.export": self.number}


def write_rows(
    batches: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    form: str,
    path: Path,
    note: ExportNote | None = None,
    table: Table | None = None,
) -> int:
    """Write rows to a file and count them.

    Parameters
    ----------
    form : str
        ``parquet``, ``csv`` (UTF-8 with BOM), ``xlsx``, ``json`` (a list of objects) or ``arrow`` (IPC stream).
    note : ExportNote, optional
        Goes into the file; see the module.
    table : Table, optional
        The contract: a workbook then has Chinese headings, and the dictionary on its second sheet.
    """
    write = {"parquet": _parquet, "csv": _csv, "xlsx": _xlsx, "json": _json, "arrow": _arrow}[form]
    counted = _Counted(batches)
    write(counted, schema, path, note, table)
    return counted.rows


class _Counted:
    """Batches that are counted as they pass."""

    def __init__(self, batches: Iterable[pa.RecordBatch]) -> None:
        self.batches = batches
        self.rows = 0

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for batch in self.batches:
            self.rows += batch.num_rows
            yield batch


def _noted(schema: pa.Schema, note: ExportNote | None) -> pa.Schema:
    return schema if note is None else schema.with_metadata({**(schema.metadata or {}), **note.metadata()})


def _parquet(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, path: Path, note: ExportNote | None, table: Table | None
) -> None:
    with pq.ParquetWriter(path, _noted(schema, note), compression="zstd", write_page_checksum=True) as writer:
        for batch in batches:
            writer.write_batch(batch)


def _arrow(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, path: Path, note: ExportNote | None, table: Table | None
) -> None:
    noted = _noted(schema, note)
    with pa.OSFile(str(path), "wb") as sink, pyarrow.ipc.new_stream(sink, noted) as writer:
        for batch in batches:
            writer.write_batch(pa.RecordBatch.from_arrays(batch.columns, schema=noted))


def _json(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, path: Path, note: ExportNote | None, table: Table | None
) -> None:
    with path.open("w", encoding="utf-8", errors="backslashreplace") as target:
        target.write("[")
        for number, row in enumerate(row for batch in batches for row in rows_of(pa.Table.from_batches([batch]))):
            target.write((",\n " if number else "\n ") + json.dumps(row, ensure_ascii=False))
        target.write("\n]\n")


# -- CSV ----------------------------------------------------------------------------------------------------------


def _csv(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, path: Path, note: ExportNote | None, table: Table | None
) -> None:
    marked = note is not None
    names = [*schema.names, MARK] if marked else schema.names
    texts = pa.schema([pa.field(name, pa.string() if _as_text(t) else t) for name, t in _types(schema, marked)])
    with path.open("wb") as target:
        target.write(BOM)
        with pyarrow.csv.CSVWriter(target, texts) as writer:
            for batch in batches:
                columns = [safe_texts(column) if _as_text(column.type) else column for column in batch.columns]
                if note is not None:
                    columns.append(pa.repeat(note.number, batch.num_rows))
                writer.write_batch(pa.RecordBatch.from_arrays(columns, names=names).cast(texts))


def _types(schema: pa.Schema, marked: bool) -> list[tuple[str, pa.DataType]]:
    return [(field.name, field.type) for field in schema] + ([(MARK, pa.string())] if marked else [])


def _as_text(kind: pa.DataType) -> bool:
    return not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def safe_texts(column: pa.Array) -> pa.Array:
    """Give a column as texts that no spreadsheet computes; instants in China time.

    Examples
    --------
    >>> safe_texts(pa.array(["=1+1", "-1", " @x", "缙云山", None])).to_pylist()
    ["'=1+1", '-1', "' @x", '缙云山', None]
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        return safe_texts(column.cast(kind.value_type))
    if pa.types.is_timestamp(kind):
        return _instants(column)
    if pa.types.is_date32(kind) or pa.types.is_decimal(kind):
        return column.cast(pa.string())
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        column = pa.array([None if one is None else str(one) for one in column.to_pylist()], pa.string())
    computed = pc.and_not(pc.match_substring_regex(column, _COMPUTED), pc.match_substring_regex(column, _PLAIN_NUMBER))
    return pc.if_else(computed, pc.binary_join_element_wise("'", column, ""), column)


def _instants(column: pa.Array) -> pa.Array:
    """Write instants as people read them: to the second where all are whole."""
    if column.type.tz is None:
        return column.cast(pa.string())
    fine = column.cast(pa.timestamp("us", "UTC"))
    local = pc.add(fine, pa.scalar(CHINA.utcoffset(None), pa.duration("us")))
    whole = pc.all(pc.equal(fine, pc.floor_temporal(fine, unit="second")), min_count=0).as_py()
    shown = local.cast(pa.timestamp("s", "UTC")) if whole is not False else local
    return pc.strftime(shown, format="%Y-%m-%dT%H:%M:%S+08:00")


# -- workbook -----------------------------------------------------------------------------------------------------


def _xlsx(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, path: Path, note: ExportNote | None, table: Table | None
) -> None:
    with new_workbook(path, rows_in_order=True) as workbook:
        head = workbook.add_format({"bold": True, "bottom": 1})
        styles = {
            "instant": workbook.add_format({"num_format": _INSTANT}),
            "day": workbook.add_format({"num_format": _DAY}),
        }
        sheet = workbook.add_worksheet("数据")
        sheet.freeze_panes(1, 0)
        for column, name in enumerate(schema.names):
            sheet.set_column(column, column, _WIDTH)
            put(sheet, 0, column, _heading(name, table), head)
        line = 1
        for batch in batches:
            columns = [column.to_pylist() for column in batch.columns]
            cells = [_cell_writer(sheet, kind, styles) for kind in batch.schema.types]
            for values in zip(*columns, strict=True):
                for column, (write, value) in enumerate(zip(cells, values, strict=True)):
                    if value is not None and value != "":
                        write(line, column, value)
                line += 1
        sheet.autofilter(0, 0, max(line - 1, 0), max(len(schema.names) - 1, 0))
        _explained(workbook, schema, note, table, head)


def _heading(name: str, table: Table | None) -> str:
    return table.column(name).title_zh if table is not None else name


def _cell_writer(sheet: Any, kind: pa.DataType, styles: dict[str, Any]) -> Callable[[int, int, Any], None]:
    """Give what writes cells of a column: numbers and days as such, everything else as text, nothing as a formula."""

    def number(row: int, column: int, value: float) -> None:
        if math.isfinite(value) and abs(value) < 10**15:
            sheet.write_number(row, column, value)
        else:
            put(sheet, row, column, str(value))

    def instant(row: int, column: int, value: datetime) -> None:
        local = value.astimezone(CHINA).replace(tzinfo=None) if value.tzinfo else value
        _moment(row, column, local, styles["instant"])

    def day(row: int, column: int, value: date) -> None:
        _moment(row, column, datetime(value.year, value.month, value.day), styles["day"])

    def _moment(row: int, column: int, value: datetime, style: Any) -> None:
        if value.year >= 1900:
            sheet.write_datetime(row, column, value, style)
        else:  # before the calendar of a workbook begins
            put(sheet, row, column, value.isoformat())

    def text(row: int, column: int, value: Any) -> None:
        put(sheet, row, column, value if isinstance(value, str) else str(value))

    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return number
    if pa.types.is_timestamp(kind):
        return instant
    return day if pa.types.is_date32(kind) else text


def _explained(workbook: Any, schema: pa.Schema, note: ExportNote | None, table: Table | None, head: Any) -> None:
    """Write the second sheet: the note, and what each column means."""
    sheet = workbook.add_worksheet("说明")
    sheet.set_column(0, 1, 22)
    sheet.set_column(2, 4, 46)
    line = 0
    for zh, en, text in note.lines if note is not None else ():
        for column, words in enumerate((zh, en, text)):
            put(sheet, line, column, words, head if column == 0 else None)
        line += 1
    line += 1
    for column, words in enumerate(("列名", "column", "含义", "meaning", "单位 unit")):
        put(sheet, line, column, words, head)
    for name in schema.names:
        line += 1
        told = table.column(name) if table is not None else None
        meant = (told.title_zh, name, told.meaning_zh, told.meaning_en, told.unit or "") if told else (name, name)
        for column, word in enumerate(meant):
            put(sheet, line, column, word)
