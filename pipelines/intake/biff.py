"""Old Excel workbooks (xls): the OLE container walked with every chain checked, and the cells calamine leaves blank.

A looping sector chain makes parsers grow until memory ends, so the chains are followed here first. Then the BIFF
records are walked for error cells, formulas and percent formats.

Source: MS-CFB 2.1-2.6 (compound file), MS-XLS 2.4 (records).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.batch import CellMark
from pipelines.errors import UnreadableFile
from pipelines.intake.container import damaged
from pipelines.intake.grid import Seen

HEADER = 512
MINI_CUTOFF = 4096
LAST_SECTOR = 0xFFFFFFFA
ERRORS = {0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?", 0x24: "#NUM!", 0x2A: "#N/A"}
BOF, EOF, FORMULA, BOUNDSHEET, SUPBOOK = 0x0809, 0x000A, 0x0006, 0x0085, 0x01AE
XF, FORMAT, NUMBER, RK, MULRK, BOOLERR = 0x00E0, 0x041E, 0x0203, 0x027E, 0x00BD, 0x0205
_OUTSIDE = re.compile(rb"[\x39\x3a\x3b\x59\x5a\x5b\x79\x7a\x7b]")
"""Formula tokens that point into another sheet or book."""


def look(path: Path) -> list[Seen]:
    """Check an OLE file and give what its sheets hold beside values, in the order of the sheets.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    list of Seen
        One per sheet of the workbook.

    Raises
    ------
    UnreadableFile
        Damaged, encrypted, with macros, or no workbook.
    """
    try:
        ole = _Ole(path.read_bytes())
        streams = ole.streams()
        if "EncryptedPackage" in streams:
            raise _encrypted()
        if "_VBA_PROJECT_CUR" in streams or "_VBA_PROJECT" in streams:
            raise UnreadableFile(
                "macros",
                "工作簿含有宏；请另存为不含宏的 xlsx 后再交",
                "the workbook has macros; save it as xlsx without",
            )
        name = next((name for name in ("Workbook", "Book", "WORKBOOK", "BOOK") if name in streams), None)
        if name is None:
            raise UnreadableFile(
                "file-type",
                "文件不是 Excel 工作簿（可能是 Word、PPT 或邮件）；请另存为 xlsx 后再交",
                "the file is no Excel workbook; save it as xlsx",
            )
        return _sheets(ole.read(*streams[name]))
    except (struct.error, IndexError, ValueError) as error:
        raise damaged(error) from error


def _encrypted() -> UnreadableFile:
    return UnreadableFile("encrypted", "文件已加密；请去掉密码后再交", "the file is encrypted; remove the password")


class _Ole:
    """A compound file whose chains end."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        shift, mini_shift = struct.unpack_from("<HH", data, 30)
        if shift not in (9, 12) or mini_shift != 6:
            raise ValueError("sector size")
        self.size = 1 << shift
        first_directory, _, cutoff, first_mini, _, difat, _ = struct.unpack_from("<IIIIIII", data, 48)
        if cutoff != MINI_CUTOFF:
            raise ValueError("cutoff")
        numbers = list(struct.unpack_from("<109I", data, 76))
        seen: set[int] = set()
        while difat < LAST_SECTOR:
            if difat in seen:
                raise ValueError("loop in the DIFAT")
            seen.add(difat)
            *more, difat = struct.unpack(f"<{self.size // 4}I", self._sector(difat))
            numbers += more
        table = b"".join(self._sector(number) for number in numbers if number < LAST_SECTOR)
        self.fat = struct.unpack(f"<{len(table) // 4}I", table)
        mini = self._chain(first_mini)
        self.mini_fat = struct.unpack(f"<{len(mini) // 4}I", mini)
        self.directory = self._chain(first_directory)
        self.mini_stream = b""
        root = struct.unpack_from("<I", self.directory, 116)[0]
        if root < LAST_SECTOR:
            self.mini_stream = self._chain(root)

    def _sector(self, number: int) -> bytes:
        start = (number + 1) * self.size
        sector = self.data[start : start + self.size]
        if not sector:
            raise ValueError("a sector beyond the end")
        return sector.ljust(self.size, b"\0")

    def _chain(self, number: int) -> bytes:
        found, seen = [], set()
        while number < LAST_SECTOR:
            if number in seen:
                raise ValueError("loop in a sector chain")
            seen.add(number)
            found.append(self._sector(number))
            number = self.fat[number]
        return b"".join(found)

    def _mini_chain(self, number: int) -> bytes:
        found, seen = [], set()
        while number < LAST_SECTOR:
            if number in seen:
                raise ValueError("loop in a sector chain")
            seen.add(number)
            found.append(self.mini_stream[number * 64 : number * 64 + 64])
            number = self.mini_fat[number]
        return b"".join(found)

    def streams(self) -> dict[str, tuple[int, int]]:
        """Give first sector and size of every entry by name; all chains are followed."""
        found = {}
        for start in range(0, len(self.directory), 128):
            entry = self.directory[start : start + 128]
            length, kind = struct.unpack_from("<H", entry, 64)[0], entry[66]
            if kind not in (1, 2):
                continue
            name = entry[: max(min(length, 64) - 2, 0)].decode("utf-16-le", "ignore")
            first, size = struct.unpack_from("<II", entry, 116)
            if kind == 2:
                self.read(first, size)
            found[name] = (first, size)
        return found

    def read(self, first: int, size: int) -> bytes:
        """Read a stream."""
        chain = self._mini_chain(first) if size < MINI_CUTOFF else self._chain(first)
        if len(chain) < size:
            raise ValueError("a stream is cut off")
        return chain[:size]


@dataclass
class _Book:
    """What the first part of a workbook stream says."""

    sheets: list[int] = field(default_factory=list)
    styles: list[int] = field(default_factory=list)
    """Number format of each cell style."""
    formats: dict[int, int] = field(default_factory=lambda: {9: 0, 10: 2})
    """Decimals of the percent formats."""
    outside: bool = False
    """Another workbook is referred to."""


def _records(stream: bytes, start: int) -> Iterator[tuple[int, bytes]]:
    """Walk the records from a BOF to its EOF, nested ones included."""
    depth = 0
    while start + 4 <= len(stream):
        number, length = struct.unpack_from("<HH", stream, start)
        yield number, stream[start + 4 : start + 4 + length]
        depth += (number == BOF) - (number == EOF)
        if depth <= 0:
            return
        start += 4 + length


def _sheets(stream: bytes) -> list[Seen]:
    book, wide = _Book(), True
    for number, body in _records(stream, 0):
        if number == BOF:
            wide = body[:2] == b"\x00\x06"
        elif number == 0x002F:
            raise _encrypted()
        elif number == BOUNDSHEET:
            book.sheets.append(struct.unpack_from("<I", body)[0])
        elif number == XF:
            book.styles.append(struct.unpack_from("<H", body, 2)[0])
        elif number == FORMAT:
            code = body[5:] if wide else body[3:]
            text = code.decode("utf-16-le" if wide and body[4] & 1 else "latin-1", "ignore")
            if "%" in re.sub(r'"[^"]*"|\\.', "", text):
                book.formats[struct.unpack_from("<H", body)[0]] = len(text.partition(".")[2].partition("%")[0])
        elif number == SUPBOOK:
            book.outside = book.outside or body[2:4] not in (b"\x01\x04", b"\x01\x3a")
    return [_look(stream, start, book) for start in book.sheets]


def _look(stream: bytes, start: int, book: _Book) -> Seen:
    seen = Seen()
    for number, body in _records(stream, start):
        if number == BOOLERR and body[7]:
            row, column = struct.unpack_from("<HH", body)
            _error(seen, row, column, body[6])
        elif number == FORMULA:
            _formula(seen, body, book)
        elif number == NUMBER:
            row, column, style, value = struct.unpack_from("<HHHd", body)
            _percent(seen, row, column, style, value, book)
        elif number == RK:
            row, column, style, value = struct.unpack_from("<HHHI", body)
            _percent(seen, row, column, style, _rk(value), book)
        elif number == MULRK:
            row, column = struct.unpack_from("<HH", body)
            for i in range((len(body) - 6) // 6):
                style, value = struct.unpack_from("<HI", body, 4 + 6 * i)
                _percent(seen, row, column + i, style, _rk(value), book)
    return seen


def _formula(seen: Seen, body: bytes, book: _Book) -> None:
    row, column, style = struct.unpack_from("<HHH", body)
    result = body[6:14]
    blank = result[6:] == b"\xff\xff" and result[0] == 3
    if book.outside and _OUTSIDE.search(body[22:]):
        kind = "external-formula"
    else:
        kind = "formula-blank" if blank else "formula"
    seen.marks.append(CellMark(row + 1, column, kind))
    if result[6:] == b"\xff\xff" and result[0] == 2:
        _error(seen, row, column, result[2])
    elif result[6:] != b"\xff\xff":
        _percent(seen, row, column, style, struct.unpack("<d", result)[0], book)


def _error(seen: Seen, row: int, column: int, code: int) -> None:
    text = ERRORS.get(code, "#VALUE!")
    seen.marks.append(CellMark(row + 1, column, "error-cell", text))
    seen.texts.setdefault(row, {})[column] = text


def _percent(seen: Seen, row: int, column: int, style: int, value: float, book: _Book) -> None:
    decimals = book.formats.get(book.styles[style]) if style < len(book.styles) else None
    if decimals is not None:
        seen.marks.append(CellMark(row + 1, column, "percent", f"{value * 100:.{decimals}f}%"))


def _rk(value: int) -> float:
    """Unpack a short number (MS-XLS 2.5.217)."""
    number: float
    if value & 2:
        number = float(struct.unpack("<i", struct.pack("<I", value & 0xFFFFFFFC))[0] >> 2)
    else:
        number = struct.unpack("<d", struct.pack("<Q", (value & 0xFFFFFFFC) << 32))[0]
    return number / 100 if value & 1 else number
