"""Write the grid as it was read into a new workbook and mark it: for text files, JSON, xls and large workbooks.

Every cell is text, exactly as read; rows keep the numbers the findings speak of.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.batch import RawBatch, Sheet
from pipelines.validate.notes import (
    ANSWER_COLOUR,
    ANSWER_COLUMN,
    COLOURS,
    COMMENT_AUTHOR,
    ERROR_COLUMN,
    SUMMARY_SHEET,
    SUMMARY_TITLE,
    Notes,
    RowNote,
    own_column,
    summary_lines,
)
from pipelines.workbook import SHEET_ROWS, new_workbook, put, sheet_name, shown

_LINES_AT_ONCE = 20_000


def write_marked_copy(
    raw: RawBatch, notes: Notes, explained: dict[int, str], out: Path, header_rows: dict[str | None, int]
) -> None:
    """Write all sheets of ``raw`` with their notes to ``out``, whole or not at all."""
    sheets = [sheet for sheet in raw.sheets if not _is_summary(sheet)]
    taken: set[str] = set()
    with new_workbook(out, rows_in_order=True) as workbook:
        styles = {name: workbook.add_format({"bg_color": "#" + colour}) for name, colour in COLOURS.items()}
        styles["answer"] = workbook.add_format({"bg_color": "#" + ANSWER_COLOUR, "text_wrap": True, "locked": False})
        styles["header"] = workbook.add_format({"bold": True})
        for sheet in sheets:
            page = workbook.add_worksheet(sheet_name(sheet.name or "数据", taken))
            _write_sheet(page, sheet, notes, explained, header_rows.get(sheet.name), styles)
        names = {sheet.name for sheet in sheets}
        notes.unplaced += sum(len(rows) for name, rows in notes.sheets.items() if name not in names)
        _write_summary(workbook.add_worksheet(sheet_name(SUMMARY_SHEET, taken)), notes, raw.file)


def _is_summary(sheet: Sheet) -> bool:
    return bool(sheet.cells.num_rows and sheet.cells.num_columns) and sheet.cells.column(0)[0].as_py() == SUMMARY_TITLE


def _write_sheet(
    page: Any,
    sheet: Sheet,
    notes: Notes,
    explained: dict[int, str],
    header_row: int | None,
    styles: dict[str, Any],
) -> None:
    """Write one sheet from top to bottom; the rows must come in order, because written rows leave the memory."""
    rows = notes.sheets.get(sheet.name, {})
    header_row = header_row if header_row is not None else (1 if rows else None)
    width = max([sheet.cells.num_columns, *(max(note.cells) + 1 for note in rows.values() if note.cells)])
    error_at, answer_at = _own_columns(sheet, header_row, width)
    page.ignore_errors({"number_stored_as_text": "A1:XFD1048576"})
    page.set_column(0, max(width - 1, 0), 14)
    if header_row is not None:
        page.set_column(error_at, error_at, 60)
        page.set_column(answer_at, answer_at, 30)
        if header_row < 30:
            page.freeze_panes(header_row, 0)
    seen: set[int] = set()
    for place, number, texts in _lines(sheet, rows, header_row):
        if place > SHEET_ROWS:
            notes.remarks.append(f"文件超过 Excel 的 {SHEET_ROWS} 行，其后的行未写入，问题见错误清单 CSV。")
            break
        note = rows.get(number) if number not in seen else None
        seen.add(number)
        cells = note.cells if note else {}
        below = header_row is not None and number > header_row
        for at, text in enumerate(texts):
            if (text or at in cells) and not (below and at == error_at):
                _write_cell(page, place, at, text, cells, styles)
        for at in cells:
            if at >= len(texts):
                _write_cell(page, place, at, "", cells, styles)
            if notes.may_comment():
                _comment(page, place, at, cells[at].comment())
        if number == header_row:
            put(page, place - 1, error_at, ERROR_COLUMN, styles["header"])
            put(page, place - 1, answer_at, ANSWER_COLUMN, styles["header"])
        elif below:
            if note:
                put(page, place - 1, error_at, note.sentence(), styles[note.severity])
            written = texts[answer_at] if answer_at < len(texts) else ""
            put(page, place - 1, answer_at, explained.get(number, written), styles["answer"] if note else None)
    notes.unplaced += len(rows.keys() - seen)


def _write_cell(page: Any, place: int, at: int, text: str, cells: dict[int, Any], styles: dict[str, Any]) -> None:
    put(page, place - 1, at, text, styles[cells[at].severity] if at in cells else None)


def _comment(page: Any, place: int, at: int, text: str) -> None:
    height = 40 + 20 * (text.count("\n") + len(text) // 22)
    page.write_comment(place - 1, at, text, {"author": COMMENT_AUTHOR, "width": 320, "height": height})


def _own_columns(sheet: Sheet, header_row: int | None, width: int) -> tuple[int, int]:
    """Give the columns of 错误说明 and of the answers, from 0: those of an earlier report, or new last ones."""
    found: dict[str, int] = {}
    at_row: np.ndarray | list[int] = (
        np.flatnonzero(np.asarray(sheet.rows) == header_row) if header_row is not None else []
    )
    if len(at_row):
        for at in range(sheet.cells.num_columns):
            kind = own_column(sheet.cells.column(at)[int(at_row[0])].as_py())
            if kind:
                found.setdefault(kind, at)
    error_at = found.get(ERROR_COLUMN, width)
    return error_at, found.get(ANSWER_COLUMN, max(width - 1, error_at) + 1)


def _lines(sheet: Sheet, noted: dict[int, RowNote], header_row: int | None) -> Iterator[tuple[int, int, list[str]]]:
    """Give each line's place on the page, its row in the source and its texts, from top to bottom.

    Broken lines, noted empty rows and a header row that is not there stand in their places. Where several lines have
    one row in the source (a packet with many values), the places are counted anew.
    """
    numbers = np.asarray(sheet.rows).tolist()
    places = numbers
    extra: dict[int, list[str]] = {}
    if all(above < below for above, below in pairwise(numbers)):
        have = set(numbers)
        extra = {row: [] for row in (*noted, header_row) if row is not None and row not in have}
        extra |= {line.row: [line.text] for line in sheet.broken if line.row not in have}
    else:
        places = list(range(1, len(numbers) + 1))
    between = sorted(extra, reverse=True)
    columns = [_texts(sheet, at) for at in range(sheet.cells.num_columns)]
    for start in range(0, len(numbers), _LINES_AT_ONCE):
        part = slice(start, start + _LINES_AT_ONCE)
        cut = [texts[indices[part]].tolist() for texts, indices in columns]
        for place, number, *texts in zip(places[part], numbers[part], *cut, strict=True):
            while between and between[-1] < place:
                row = between.pop()
                yield row, row, extra[row]
            yield place, number, texts
    for row in reversed(between):
        yield row, row, extra[row]


def _texts(sheet: Sheet, at: int) -> tuple[np.ndarray, np.ndarray]:
    """Give the distinct texts of a column, cleaned once each, and the index of each row into them."""
    column = sheet.cells.column(at).unify_dictionaries().combine_chunks()
    distinct = np.array([shown(text) for text in column.dictionary.to_pylist()], dtype=object)
    return distinct, column.indices.to_numpy(zero_copy_only=False)


def _write_summary(page: Any, notes: Notes, name: str) -> None:
    for number, line in enumerate(summary_lines(notes, name)):
        for at, text in enumerate(line):
            put(page, number, at, text)
    for at, width in enumerate((16, 18, 18, 60, 60, 20)):
        page.set_column(at, at, width)
