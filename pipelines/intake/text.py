"""From bytes to UTF-8 text: BOM, then strict UTF-8, then strict GB18030, over the whole file; never a guess.

The text is spooled as UTF-8 beside the child's other output, in pieces, so that the memory needed does not grow
with the file. What stops the decoding is named by row and byte. Nothing is replaced: no U+FFFD ever comes from here.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from pathlib import Path

from pipelines.batch import Normalisation, ReadLimits
from pipelines.errors import IntakeError, TooLarge, UnreadableText

PIECE = 4 * 2**20
SENTINEL = b"\x02end-of-text"
"""Last line of the spooled text: a quote never closed would swallow it, and so be noticed."""

BOMS = (
    (codecs.BOM_UTF8, "utf-8", "UTF-8 BOM"),
    (codecs.BOM_UTF32_LE, "utf-32-le", "UTF-32LE"),
    (codecs.BOM_UTF32_BE, "utf-32-be", "UTF-32BE"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16LE"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16BE"),
)
TRUNCATED = ("incomplete multibyte sequence", "unexpected end of data", "truncated data")


@dataclass(frozen=True, slots=True)
class Decoded:
    """The spooled text and what was seen on the way."""

    path: Path
    encoding: str
    quotes: bool
    size: int
    normalised: tuple[Normalisation, ...]


def decode(source: Path, target: Path, limits: ReadLimits, lines: bool = True) -> Decoded:
    """Spool a text file as UTF-8, with the sentinel line at its end.

    Parameters
    ----------
    source, target : Path
        The file as uploaded; where the UTF-8 goes.
    limits : ReadLimits
        ``line_bytes`` and ``rows`` are kept here already.
    lines : bool
        The text is made of lines: their length and number are limited.

    Returns
    -------
    Decoded

    Raises
    ------
    UnreadableText
        The bytes are in none of the encodings, are cut in the middle of a character, or hold NUL.
    TooLarge
        A line is too long, or there are too many.
    """
    with source.open("rb") as file:
        head = file.read(8)
    for bom, codec, name in BOMS:
        if head.startswith(bom):
            return _spool(source, target, limits, codec, name, len(bom), lines)
    try:
        return _spool(source, target, limits, "utf-8", "UTF-8", 0, lines)
    except UnreadableText as utf8:
        if utf8.code == "nul" or _damaged_utf8(source):
            raise
    return _spool(source, target, limits, "gb18030", "GB18030", 0, lines)


def _spool(source: Path, target: Path, limits: ReadLimits, codec: str, name: str, skip: int, lines: bool) -> Decoded:
    decoder = codecs.getincrementaldecoder(codec)("strict")
    rows, position, size, boms, quotes, tail = 1, skip, 0, 1 if skip else 0, False, b""
    with source.open("rb") as file, target.open("wb") as spool:
        file.seek(skip)
        while True:
            piece = file.read(PIECE)
            pending = len(decoder.getstate()[0])
            try:
                text = decoder.decode(piece, final=not piece)
                while not size and text.startswith("\ufeff"):
                    text, boms = text[1:], boms + 1
                out = text.encode()
            except UnicodeDecodeError as error:
                before = error.object[: error.start]
                row = rows + before.decode(codec, "ignore").count("\n")
                raise _undecodable(name, row, position - pending + error.start, error, not piece) from None
            nul = out.find(b"\0")
            if nul >= 0:
                raise _nul(rows + out.count(b"\n", 0, nul), position - pending + nul, piece)
            quotes = quotes or b'"' in out
            if lines:
                tail = _check_lines(tail, out, rows, limits)
            rows += out.count(b"\n")
            if lines and not quotes and rows > limits.rows + 10_000:
                raise TooLarge(
                    "too-many-rows",
                    f"文件超过 {limits.rows} 行的上限；请按时间段拆成几个文件后再交",
                    f"the file has more than {limits.rows} rows; split it by period",
                )
            spool.write(out)
            size += len(out)
            if out:
                last = out[-1:]
            position += len(piece)
            if not piece:
                break
        if size and last not in b"\r\n":
            spool.write(b"\n")
        spool.write(SENTINEL)
    notes = []
    if boms > 1:
        notes.append(Normalisation("double-bom", "文件开头有多个 BOM 标记，已去除", boms))
    return Decoded(target, name.removesuffix(" BOM"), quotes, size, tuple(notes))


def _check_lines(tail: bytes, out: bytes, rows: int, limits: ReadLimits) -> bytes:
    """Look in steps of the limit for a line end; give what follows the last one."""
    window = tail + out
    start = 0
    while len(window) - start > limits.line_bytes:
        stop = start + limits.line_bytes + 1
        end = max(window.rfind(b"\n", start, stop), window.rfind(b"\r", start, stop))
        if end < 0:
            row = rows + window.count(b"\n", len(tail), max(start, len(tail)))
            line = window[start:stop]
            fields = max(line.count(mark) for mark in (b",", b"\t", b";")) + 1
            if fields > limits.columns:
                raise TooLarge(
                    "too-many-columns",
                    f"第 {row} 行至少有 {fields} 列，上限为 {limits.columns} 列；请检查文件是否导出有误",
                    f"row {row} has at least {fields} columns, at most {limits.columns} are read",
                    row=row,
                )
            raise TooLarge(
                "line-too-long",
                f"第 {row} 行超过 {limits.line_bytes // 2**20} MiB 仍未换行；请检查文件是否为表格文本",
                f"row {row} goes on for more than {limits.line_bytes} bytes without a line end",
                row=row,
            )
        start = end + 1
    end = max(window.rfind(b"\n", start), window.rfind(b"\r", start))
    return window[max(end + 1, start) :]


def _damaged_utf8(source: Path) -> bool:
    """Tell whether bytes that are not UTF-8 were once: nine of ten non-ASCII bytes still form UTF-8 characters."""
    kept = written = 0
    with source.open("rb") as file:
        while piece := file.read(PIECE):
            written += len(piece.translate(None, _ASCII))
            kept += len(piece.decode("utf-8", "ignore").encode().translate(None, _ASCII))
    return kept > 0.9 * written


_ASCII = bytes(range(128))


def _undecodable(name: str, row: int, byte: int, error: UnicodeDecodeError, final: bool) -> IntakeError:
    if final and error.reason in TRUNCATED:
        return UnreadableText(
            "truncated",
            f"文件在第 {row} 行（第 {byte} 字节）处被截断：最后一个汉字不完整；请重新导出或重新传送完整文件",
            f"the file is cut off in row {row} (byte {byte}), in the middle of a character; send the whole file",
            row=row,
        )
    wrong = error.object[error.start : error.start + 4].hex(" ").upper()
    return UnreadableText(
        "bad-text",
        f"第 {row} 行（第 {byte} 字节，{wrong}）不是有效的 {name} 文字；请用原程序另存为 CSV UTF-8 后再交",
        f"row {row} (byte {byte}, {wrong}) is not valid {name}; save the file again as CSV UTF-8",
        row=row,
    )


def _nul(row: int, byte: int, piece: bytes) -> IntakeError:
    hint = "；文件可能是没有标记的 UTF-16，请另存为 CSV UTF-8" if piece.count(b"\0") * 5 > len(piece) else ""
    return UnreadableText(
        "nul",
        f"第 {row} 行（第 {byte} 字节）含有 NUL 字节，不是表格文本{hint or '；请重新导出'}",
        f"row {row} (byte {byte}) holds a NUL byte; export the file again as CSV UTF-8",
        row=row,
    )
