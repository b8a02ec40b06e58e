"""Write workbooks in which text stays text: the one door to XlsxWriter.

Every cell the exchange writes goes through ``put``: ``=1+1`` is shown, never computed, an address is no link,
and what XML cannot hold is spelt out. Used by the annotated copy of an upload and by the exchange templates;
it imports no pandas, so that a template is written at once.

Source: pitfall of spreadsheets known as CSV or formula injection (OWASP, *CSV Injection*).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import xlsxwriter

CELL_CHARACTERS = 32_767
SHEET_ROWS = 1_048_576
SHEET_COLUMNS = 16_384
_HIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff\ud800-\udfff]")
_NOT_IN_NAMES = re.compile(r"[\[\]:*?/\\\x00-\x1f]")


def shown(text: str, longest: int = CELL_CHARACTERS) -> str:
    r"""Give a text as a cell or comment can hold it: control and direction characters spelt out, cut at ``longest``.

    >>> shown("a\x01b"), shown("abcdef", 4)
    ('a‹U+0001›b', 'abc…')
    """
    if not text.isascii() or not text.isprintable():
        text = _HIDDEN.sub(lambda match: f"‹U+{ord(match[0]):04X}›", text)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def sheet_name(wanted: str, taken: set[str]) -> str:
    """Give a sheet name Excel accepts, not yet in ``taken`` (lower case), and add it there.

    >>> sheet_name("a/b", set()), sheet_name("数据", {"数据"})
    ('a_b', '数据 (2)')
    """
    plain = _NOT_IN_NAMES.sub("_", wanted).strip("' ")[:31] or "数据"
    name, count = plain, 1
    while name.lower() in taken or name.lower() == "history":
        count += 1
        ending = f" ({count})"
        name = plain[: 31 - len(ending)] + ending
    taken.add(name.lower())
    return name


def position(letters: str) -> int:
    """Give the position of a column by its letters, counting from 0.

    >>> position("A"), position("AA")
    (0, 26)
    """
    number = 0
    for character in letters.upper():
        if not "A" <= character <= "Z":
            raise ValueError(f"{letters!r} is not a column of a sheet")
        number = number * 26 + ord(character) - 64
    return number - 1


def put(sheet: Any, row: int, column: int, text: str, style: Any = None) -> None:
    """Write one text, row and column counted from 0."""
    if text:
        sheet.write_string(row, column, shown(text), style)
    elif style is not None:
        sheet.write_blank(row, column, None, style)


@contextmanager
def new_workbook(out: Path, *, rows_in_order: bool = False) -> Iterator[Any]:
    """Open a new workbook that appears at ``out`` whole or not at all.

    ``rows_in_order``: the caller writes each row after the one above it; then memory does not grow with the rows.
    """
    part = out.with_name(out.name + ".part")
    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with TemporaryDirectory() as rows_folder:
        workbook = xlsxwriter.Workbook(str(part), {**options, "constant_memory": rows_in_order, "tmpdir": rows_folder})
        try:
            yield workbook
            workbook.close()
            os.replace(part, out)
        finally:
            for page in workbook.worksheets():
                if page.row_data_fh is not None:
                    page.row_data_fh.close()
            part.unlink(missing_ok=True)
