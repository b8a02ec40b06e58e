"""Mark the uploader's own workbook, keeping its layout: the one door to openpyxl.

Formulas are loaded by their stored values and never written back; links to other workbooks are dropped. What an
earlier report added (colours, comments, 错误说明, the summary sheet) is taken away first, so that a corrected copy
can be sent and annotated again without doubling anything.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from openpyxl import load_workbook
from openpyxl.cell.cell import MergedCell
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, PatternFill, Protection
from openpyxl.utils.exceptions import InvalidFileException

from pipelines.validate.notes import (
    ANSWER_COLOUR,
    ANSWER_COLUMN,
    COLOURS,
    COMMENT_AUTHOR,
    COMMENT_CHARACTERS,
    ERROR_COLUMN,
    SUMMARY_SHEET,
    SUMMARY_TITLE,
    Notes,
    RowNote,
    own_column,
    summary_lines,
)
from pipelines.workbook import sheet_name, shown

_FILLS = {name: PatternFill("solid", start_color="FF" + colour) for name, colour in COLOURS.items()}
_ANSWER_FILL = PatternFill("solid", start_color="FF" + ANSWER_COLOUR)
_OUR_COLOURS = {"FF" + colour for colour in (*COLOURS.values(), ANSWER_COLOUR)}
_WRAPPED = Alignment(wrap_text=True, vertical="top")
_DAMAGES = (
    InvalidFileException,
    zipfile.BadZipFile,
    ParseError,
    OSError,
    ValueError,
    KeyError,
    TypeError,
    IndexError,
    AttributeError,
    AssertionError,
)


class NotMarkable(Exception):
    """The workbook cannot be loaded with its layout; the caller writes a copy instead."""


def write_marked_original(
    upload: Path,
    name: str,
    notes: Notes,
    explained: dict[int, str],
    out: Path,
    header_rows: dict[str | None, int],
    most_bytes: int,
) -> None:
    """Load the upload, mark it and write it to ``out``, whole or not at all.

    Raises
    ------
    NotMarkable
        openpyxl does not understand the file, or its parts inflate beyond ``most_bytes``.
    """
    part = out.with_name(out.name + ".part")
    try:
        with _damage_told():
            _refuse_large(upload, most_bytes)
            workbook = load_workbook(upload, data_only=True, keep_links=False)
        _drop_summary(workbook)
        _drop_outside_names(workbook)
        for sheet in workbook.worksheets:
            _clean(sheet)
            rows = notes.sheets.get(sheet.title) or {}
            header_row = header_rows.get(sheet.title)
            if rows or header_row is not None:
                _mark(sheet, rows, notes, explained, header_row or 1)
        notes.unplaced += sum(len(rows) for title, rows in notes.sheets.items() if title not in workbook.sheetnames)
        _add_summary(workbook, notes, name)
        with _damage_told():
            workbook.save(part)
        os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _damage_told() -> Iterator[None]:
    """Turn what openpyxl raises on a part it does not understand into ``NotMarkable``; it has no error of its own."""
    try:
        yield
    except _DAMAGES as error:
        raise NotMarkable(f"{type(error).__name__}: {error}") from error


def _refuse_large(upload: Path, most_bytes: int) -> None:
    with zipfile.ZipFile(upload) as parts:
        if sum(part.file_size for part in parts.infolist()) > most_bytes:
            raise NotMarkable("too large to keep the layout")


def _drop_summary(workbook: Any) -> None:
    for sheet in list(workbook.worksheets):
        if sheet["A1"].value == SUMMARY_TITLE and len(workbook.worksheets) > 1:
            workbook.remove(sheet)


def _drop_outside_names(workbook: Any) -> None:
    """Take away defined names that reach into other files or programs."""
    for names in (workbook.defined_names, *(sheet.defined_names for sheet in workbook.worksheets)):
        for key in [key for key, name in names.items() if any(sign in (name.attr_text or "") for sign in "[|")]:
            del names[key]


def _clean(sheet: Any) -> None:
    """Take away what would compute or call out, and the marks of an earlier report."""
    for cell in _cells(sheet):
        if cell.data_type == "f":
            _put(cell, str(getattr(cell.value, "text", cell.value) or ""))
        if cell.hyperlink is not None:
            cell.hyperlink = None
        if cell.has_style and cell.fill.fill_type == "solid" and cell.fill.start_color.rgb in _OUR_COLOURS:
            cell.fill = PatternFill()
        if cell.comment is not None and cell.comment.author == COMMENT_AUTHOR:
            cell.comment = None


def _cells(sheet: Any) -> list[Any]:
    """Give the cells that are there: ``iter_rows`` would make one for every place down to a formatted last row."""
    return list(sheet._cells.values())


def _mark(sheet: Any, rows: dict[int, RowNote], notes: Notes, explained: dict[int, str], header_row: int) -> None:
    error_at, answer_at = _own_columns(sheet, header_row, rows)
    _put(sheet.cell(header_row, error_at), ERROR_COLUMN)
    _put(sheet.cell(header_row, answer_at), ANSWER_COLUMN)
    sheet.column_dimensions[sheet.cell(1, error_at).column_letter].width = 60
    sheet.column_dimensions[sheet.cell(1, answer_at).column_letter].width = 30
    for number, note in sorted(rows.items()):
        for at, cell_note in note.cells.items():
            cell = _written_cell(sheet, number, at + 1)
            cell.fill = _FILLS[cell_note.severity]
            if notes.may_comment():
                _comment(cell, cell_note.comment())
        if number > header_row:
            error = sheet.cell(number, error_at)
            _put(error, note.sentence())
            error.fill = _FILLS[note.severity]
            error.alignment = _WRAPPED
            answer = sheet.cell(number, answer_at)
            answer.fill = _ANSWER_FILL
            answer.protection = Protection(locked=False)
    for number, text in explained.items():
        if number > header_row:
            _put(sheet.cell(number, answer_at), text)


def _own_columns(sheet: Any, header_row: int, rows: dict[int, RowNote]) -> tuple[int, int]:
    """Give the columns of 错误说明 and of the answers, from 1: those of an earlier report or new last ones."""
    cells = [cell for cell in _cells(sheet) if cell.value not in (None, "")]
    merged = [area.max_col for area in sheet.merged_cells.ranges if area.max_row >= header_row]
    noted = [at + 1 for note in rows.values() for at in note.cells]
    last = max([0, *(cell.column for cell in cells), *merged, *noted])
    found: dict[str, int] = {}
    for cell in cells:
        kind = own_column(str(cell.value)) if cell.row == header_row else None
        if kind:
            found.setdefault(kind, cell.column)
    for cell in cells:
        if cell.row > header_row and cell.column == found.get(ERROR_COLUMN):
            cell.value = None
    error_at = found.get(ERROR_COLUMN, last + 1)
    return error_at, found.get(ANSWER_COLUMN, max(last, error_at) + 1)


def _put(cell: Any, text: str) -> None:
    """Write a text as text: openpyxl alone would make a formula of what starts with ``=``."""
    cell.value = shown(text)
    cell.data_type = "s"


def _written_cell(sheet: Any, row: int, column: int) -> Any:
    """Give a cell, or the first of the merged range it is hidden in: only that one can hold a comment."""
    cell = sheet.cell(row, column)
    if isinstance(cell, MergedCell):
        for merged in sheet.merged_cells.ranges:
            if cell.coordinate in merged:
                return sheet.cell(merged.min_row, merged.min_col)
    return cell


def _comment(cell: Any, text: str) -> None:
    """Add a comment; one the uploader wrote stays above ours."""
    if cell.comment is not None:
        text = shown(f"{cell.comment.text}\n{text}", COMMENT_CHARACTERS)
    cell.comment = Comment(text, COMMENT_AUTHOR, height=40 + 20 * (text.count("\n") + len(text) // 22), width=320)


def _add_summary(workbook: Any, notes: Notes, name: str) -> None:
    taken = {sheet.title.lower() for sheet in workbook.worksheets}
    sheet = workbook.create_sheet(sheet_name(SUMMARY_SHEET, taken))
    for number, line in enumerate(summary_lines(notes, name), start=1):
        for at, text in enumerate(line, start=1):
            _put(sheet.cell(number, at), text)
    for column, width in zip("ABCDEF", (16, 18, 18, 60, 60, 20), strict=True):
        sheet.column_dimensions[column].width = width
