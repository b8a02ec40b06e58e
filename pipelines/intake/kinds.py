"""Which reader reads which kind of file; runs in the reading child."""

from __future__ import annotations

from pathlib import Path

import pyarrow.compute as pc

from pipelines.batch import Normalisation, RawBatch, ReadLimits, Sheet, letter
from pipelines.errors import UnreadableText
from pipelines.intake import delimited, packets, sniff, structured, text, workbook

HEAD = 4096


def read(path: Path, name: str, scratch: Path, limits: ReadLimits) -> RawBatch:
    """Read one file into grids of text.

    Parameters
    ----------
    path : Path
        The bytes.
    name : str
        Name as uploaded.
    scratch : Path
        Folder for the spooled text.
    limits : ReadLimits
        What the file may cost.

    Returns
    -------
    RawBatch
        ``sha256`` is empty: the parent counts it itself.

    Raises
    ------
    IntakeError
        The file cannot become a grid of text.
    """
    batch = _read(path, name, scratch, limits)
    for sheet in batch.sheets:
        _refuse_nul(sheet)
    return batch


def _read(path: Path, name: str, scratch: Path, limits: ReadLimits) -> RawBatch:
    with path.open("rb") as file:
        kind = sniff.sniff(file.read(HEAD), name)
    notes = sniff.renamed(kind, name)
    if kind in ("zip", "ole"):
        sheets, more = workbook.read(path, kind, limits)
        return RawBatch(name, "", "xlsx" if kind == "zip" else "xls", None, sheets, (*notes, *more))
    decoded = text.decode(path, scratch / "text", limits, lines=kind == "text")
    sheet: Sheet
    found: list[Normalisation]
    if kind == "hj212":
        sheet, found = packets.read(decoded, limits)
    elif kind == "json":
        kind, sheet, found = structured.read_json(decoded, limits)
    elif kind == "xml":
        kind, sheet, found = structured.read_xml(decoded, limits)
    else:
        kind = "csv"
        sheet, found = delimited.read(decoded, limits)
    return RawBatch(name, "", kind, decoded.encoding, (sheet,), (*notes, *decoded.normalised, *found))


def _refuse_nul(sheet: Sheet) -> None:
    """Stop a NUL that an escape smuggled in: it must reach no table, database or log."""
    for i, column in enumerate(sheet.cells.columns):
        for chunk in column.chunks:
            if pc.any(pc.match_substring(chunk.dictionary, "\0")).as_py():
                place = letter(i)
                raise UnreadableText(
                    "nul",
                    f"{place} 列含有 NUL 字符，不是表格文本；请清理后重新导出",
                    f"column {place} holds a NUL character",
                    sheet=sheet.name,
                    column=place,
                )
