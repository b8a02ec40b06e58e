"""A table of figures as a file to take home: CSV or workbook, text as text and numbers as numbers, never a formula."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from pipelines.validate.report import neutralised
from pipelines.workbook import new_workbook, put

Cell = str | float | int | None
Rows = Sequence[Sequence[Cell]]


def as_csv(head: Sequence[str], rows: Rows) -> bytes:
    """Write UTF-8 with a mark of order, as Excel in Chinese wants it; what a spreadsheet would compute is made text."""
    out = io.StringIO()
    frame = pd.DataFrame([[_text(cell) for cell in row] for row in rows], columns=list(head), dtype="str")
    safe = pd.DataFrame({name: neutralised(frame[name]) for name in frame}, columns=list(head))
    safe.to_csv(out, index=False, lineterminator="\r\n")
    return out.getvalue().encode("utf-8-sig")


def as_workbook(title: str, head: Sequence[str], rows: Rows, notes: Rows) -> bytes:
    """Write a workbook of two sheets: the table, and what it is."""
    with tempfile.TemporaryDirectory(prefix="gongzhi-export-") as folder:
        path = Path(folder) / "export.xlsx"
        with new_workbook(path, rows_in_order=True) as book:
            bold = book.add_format({"bold": True})
            for name, lines in ((title, [head, *rows]), ("说明", list(notes))):
                page = book.add_worksheet(name)
                page.set_column(0, len(head), 18)
                for number, line in enumerate(lines):
                    for column, cell in enumerate(line):
                        if isinstance(cell, str):
                            put(page, number, column, cell, bold if number == 0 else None)
                        elif cell is not None:
                            page.write_number(number, column, cell)
        return path.read_bytes()


def _text(cell: Cell) -> str:
    return "" if cell is None else f"{cell:g}" if isinstance(cell, float) else str(cell)
