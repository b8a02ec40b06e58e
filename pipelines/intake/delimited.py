"""Comma, tab and semicolon tables; every record's field count is checked, and nothing is ever shifted.

Arrow parses (RFC 4180 quoting); records whose field count does not fit are handed out one by one and sorted into
title and footer lines (kept, padded), lines whose surplus fields are empty (kept) and broken lines (reported).
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from pipelines.batch import BrokenLine, Normalisation, ReadLimits, Sheet
from pipelines.errors import UnreadableFile
from pipelines.intake import grid
from pipelines.intake.text import SENTINEL, Decoded

SAMPLE_BYTES = 512 * 2**10
SAMPLE_RECORDS = 200
DELIMITERS = {",": ("逗号", "comma"), "\t": ("制表符", "tab"), ";": ("分号", "semicolon")}
TEXT_KEPT = 500
"""Characters of a broken line that are kept for the report."""


def read(decoded: Decoded, limits: ReadLimits) -> tuple[Sheet, list[Normalisation]]:
    """Read spooled text as a table.

    Parameters
    ----------
    decoded : Decoded
        UTF-8 text with the sentinel as its last line.
    limits : ReadLimits
        Rows, columns and cells allowed.

    Returns
    -------
    sheet : Sheet
        Title and footer lines padded with ``""``; ``broken`` holds the records that do not fit.
    notes : list of Normalisation
        ``delimiter`` (not a comma), ``trailing-comma``, ``blank-row``.

    Raises
    ------
    TooLarge
        Too many rows or columns.
    UnreadableFile
        Nothing but blanks, or a quotation mark that is never closed.
    """
    sample, whole = _sample(decoded.path)
    delimiter, records = _delimiter(sample, whole)
    width, declared = _width(records)
    grid.check_size(0, width, limits)
    table, odd = _parse(decoded, delimiter, width, limits)
    fits = np.ones(table.num_rows + len(odd), dtype=bool)
    fits[[row - 1 for row, _, _ in odd]] = False
    full, rows = grid.drop_blank(table, (np.flatnonzero(fits) + 1).astype(np.int32))
    blanks = table.num_rows - full.num_rows
    kept, broken, trailing = _sort(odd, rows, delimiter, width)
    blanks += len(odd) - len(kept) - len(broken)
    if kept:
        extra = grid.encode([[fields[i] for _, fields in kept] for i in range(width)])
        order = np.concatenate([rows, np.array([row for row, _ in kept], dtype=np.int32)])
        turn = np.argsort(order, kind="stable")
        full = grid.gather([full, extra]).take(pa.array(turn)).combine_chunks()
        rows = order[turn]
    full, rows, surplus, emptied = _surplus(full, rows, declared, delimiter)
    if not full.num_rows and not broken and not surplus:
        raise grid.no_rows()
    notes = grid.blank_rows(blanks)
    if delimiter != ",":
        notes.append(Normalisation("delimiter", f"分隔符是{DELIMITERS[delimiter][0]}，不是逗号", 1))
    if trailing or emptied:
        notes.append(Normalisation("trailing-comma", "行末多余的空列未读", trailing or emptied))
    every = tuple(sorted(broken + surplus, key=lambda line: line.row))
    return Sheet(None, full, rows, broken=every), notes


def _sample(path: Path) -> tuple[str, bool]:
    with path.open("rb") as file:
        head = file.read(SAMPLE_BYTES)
    whole = len(head) < SAMPLE_BYTES
    if whole:
        head = head[: head.rfind(SENTINEL)]
    return head.decode("utf-8", "ignore"), whole


def _records(sample: str, delimiter: str, whole: bool) -> list[list[str]]:
    csv.field_size_limit(2**31 - 1)
    found = []
    for record in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter):
        if any(field.strip() for field in record):
            found.append(record)
        if len(found) == SAMPLE_RECORDS:
            return found
    return found if whole else found[:-1] or found


def _delimiter(sample: str, whole: bool) -> tuple[str, list[list[str]]]:
    """Choose the delimiter that explains most: records of the commonest field count, times their delimiters."""
    best, chosen, records = 0, ",", _records(sample, ",", whole)
    for delimiter in DELIMITERS:
        candidate = records if delimiter == "," else _records(sample, delimiter, whole)
        count, times = _common(candidate)
        if times * (count - 1) > best:
            best, chosen, kept = times * (count - 1), delimiter, candidate
    return (chosen, kept) if best else (",", records)


def _common(records: list[list[str]]) -> tuple[int, int]:
    """Give the commonest field count above one, and how often it is met."""
    counts = Counter(len(record) for record in records if len(record) > 1)
    if not counts:
        return 1, len(records)
    return max(counts.items(), key=lambda item: (item[1], item[0]))


def _width(records: list[list[str]]) -> tuple[int, int]:
    """Give the width to parse with, and the width that the header declares.

    A line of nearly as many fields just before the first full record is the header; where it has fewer fields than
    the records, the surplus fields of the records must be empty, and where it has more, no record fits.
    """
    width, _ = _common(records)
    first = next((i for i, record in enumerate(records) if len(record) == width), 0)
    if not first:
        return width, width
    header = records[first - 1]
    named = max((i + 1 for i, field in enumerate(header) if field.strip()), default=0)
    if named > width:
        return named, named
    if len(header) < width and len(header) > 1 and len(header) * 2 > width and all(f.strip() for f in header):
        return width, len(header)
    return width, width


def _parse(
    decoded: Decoded, delimiter: str, width: int, limits: ReadLimits
) -> tuple[pa.Table, list[tuple[int, int, str]]]:
    """Parse with Arrow; give the records of the width, and the others as (row, fields, text)."""
    odd: list[tuple[int, int, str]] = []

    def keep(row: pacsv.InvalidRow) -> str:
        odd.append((row.number, row.actual_columns, row.text))
        return "skip"

    names = [f"c{i}" for i in range(width)]
    batches, total = [], 0
    try:
        with pacsv.open_csv(decoded.path, **_options(names, delimiter, decoded.quotes, keep)) as stream:
            for batch in stream:
                batches.append(batch)
                total += batch.num_rows
                if total + len(odd) > limits.rows + SAMPLE_RECORDS:
                    grid.check_size(limits.rows + 1, width, limits)
    except pa.ArrowInvalid as error:
        raise _never_closed(decoded, delimiter) from error
    table = pa.Table.from_batches(batches, schema=pa.schema([(name, grid.TEXT) for name in names]))
    sentinel = SENTINEL.decode()
    if odd and odd[-1][2] == sentinel:
        odd.pop()
    elif width == 1 and table.num_rows and table.column(0)[-1].as_py() == sentinel:
        table = table.slice(0, table.num_rows - 1)
    else:
        raise _never_closed(decoded, delimiter)
    grid.check_size(table.num_rows - 1, width, limits)
    return table.unify_dictionaries().combine_chunks(), odd


def _options(
    names: list[str], delimiter: str, quotes: bool, keep: Callable[[pacsv.InvalidRow], str]
) -> dict[str, object]:
    return {
        "read_options": pacsv.ReadOptions(column_names=names, use_threads=False, block_size=4 * 2**20),
        "parse_options": pacsv.ParseOptions(
            delimiter=delimiter, newlines_in_values=quotes, ignore_empty_lines=False, invalid_row_handler=keep
        ),
        "convert_options": pacsv.ConvertOptions(
            check_utf8=False,
            column_types=dict.fromkeys(names, grid.TEXT),
            strings_can_be_null=False,
            quoted_strings_can_be_null=False,
            null_values=[],
        ),
    }


def _never_closed(decoded: Decoded, delimiter: str) -> UnreadableFile:
    """Name the record in which a quotation mark is opened and never closed."""
    row = 0
    with decoded.path.open(encoding="utf-8", newline="") as file:
        for _ in csv.reader(file, delimiter=delimiter):
            row += 1
    return UnreadableFile(
        "open-quote",
        f'第 {row} 行的引号 " 没有配对，其后的内容无法分行；请补上或删去这个引号',
        f'the quotation mark " in row {row} is never closed; close or remove it',
        row=row,
    )


def _sort(
    odd: list[tuple[int, int, str]], rows: np.ndarray, delimiter: str, width: int
) -> tuple[list[tuple[int, list[str]]], list[BrokenLine], int]:
    """Sort records of another width into those kept (padded or trimmed) and those broken; count the trimmed.

    Records of blanks alone are in neither.
    """
    kept: list[tuple[int, list[str]]] = []
    broken: list[BrokenLine] = []
    trailing = 0
    first, last = (int(rows[0]), int(rows[-1])) if rows.size else (np.iinfo(np.int32).max, 0)
    for row, count, text in odd:
        fields = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [""])
        if not any(field.strip() for field in fields):
            continue
        if count < width and (row < first or (row > last and _closing(fields))):
            kept.append((row, fields + [""] * (width - len(fields))))
        elif count > width and not any(field.strip() for field in fields[width:]):
            kept.append((row, fields[:width]))
            trailing += 1
        else:
            broken.append(BrokenLine(row, count, width, text[:TEXT_KEPT]))
    return kept, broken, trailing


def _closing(fields: list[str]) -> bool:
    """Tell a closing line (制表人：…, 合计) from a record that was cut off."""
    filled = [field for field in fields if field.strip()]
    return len(filled) <= 2 or all("：" in field for field in filled)


def _surplus(
    cells: pa.Table, rows: np.ndarray, declared: int, delimiter: str
) -> tuple[pa.Table, np.ndarray, list[BrokenLine], int]:
    """Take away columns the header does not name; a record with text there is broken."""
    trimmed = grid.trim_right(cells) if cells.num_rows else cells
    emptied = cells.num_rows if trimmed.num_columns < cells.num_columns else 0
    if trimmed.num_columns <= declared:
        return trimmed, rows, [], emptied
    over = grid.written(trimmed.select([f"c{i}" for i in range(declared, trimmed.num_columns)]))
    lines = trimmed.filter(pa.array(over)).to_pylist()
    broken = [
        BrokenLine(int(row), trimmed.num_columns, declared, delimiter.join(line.values())[:TEXT_KEPT])
        for row, line in zip(rows[over], lines, strict=True)
    ]
    keep = trimmed.filter(pa.array(~over)).select([f"c{i}" for i in range(declared)]).combine_chunks()
    return keep, rows[~over], broken, emptied
