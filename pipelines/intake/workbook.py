"""Excel workbooks as grids of text: python-calamine for the cells, and a look at the XML for what it does not tell.

calamine gives ``""`` for error cells and for formulas without a stored value, reserves memory for the whole span of
a sheet, and knows neither percent formats nor where a formula points. So the sheet XML is scanned as bytes first.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import python_calamine

from pipelines.batch import CellMark, Normalisation, ReadLimits, Sheet, letter
from pipelines.errors import TooLarge, UnreadableFile
from pipelines.intake import biff, grid
from pipelines.intake.container import Container, damaged
from pipelines.intake.grid import Seen

ROW_BYTES = 32 * 2**20
LONG = 1e15
COLOURS = 20_000
"""Coloured cells told of one sheet; where there are more, colour is decoration and none is told."""
PERCENT_BUILTIN = {9: 0, 10: 2}
_CELL = re.compile(rb"<(?:\w+:)?c\b([^>]*?)(/?)>")
_ADDRESS = re.compile(rb"\br\s*=\s*[\"']([A-Z]{1,3})(\d{1,7})[\"']")
_QUICK_COLUMNS = re.compile(rb' r="([A-Z]+)\d')
_QUICK_ROWS = re.compile(rb' r="[A-Z]+(\d+)"')
_COLUMNS = re.compile(rb"<(?:\w+:)?c\s[^>]*?\br\s*=\s*[\"']([A-Z]+)")
_ROWS = re.compile(rb"<(?:\w+:)?c\s[^>]*?\br\s*=\s*[\"'][A-Z]+(\d+)")
_VALUED = re.compile(rb"<(?:\w+:)?(?:v|is|t)[\s>]")
_FORMULA = re.compile(rb"<(?:\w+:)?f(?:\s[^>]*)?(?:/>|>([^<]*)</(?:\w+:)?f>)")
_VALUE = re.compile(rb"<(?:\w+:)?v(?:\s[^>]*)?>([^<]*)<")
_ERROR = re.compile(rb"<(?:\w+:)?c\s[^>]*?\bt\s*=\s*[\"']e[\"']")
_STYLE = re.compile(rb"\bs\s*=\s*[\"'](\d+)[\"']")
_TYPE = re.compile(rb"\bt\s*=\s*[\"'](\w+)[\"']")
_MERGE = re.compile(rb"<(?:\w+:)?mergeCell\s[^>]*?ref\s*=\s*[\"']([A-Z]+)(\d+):([A-Z]+)(\d+)[\"']")
_EXTERNAL = re.compile(rb"\[\d+\]|\[[^\]]+\.xl\w+\]|\|")
_ROW_END = re.compile(rb"</(?:\w+:)?row\s*>")


def read(path: Path, kind: str, limits: ReadLimits) -> tuple[tuple[Sheet, ...], list[Normalisation]]:
    """Read the visible sheets of a workbook.

    Parameters
    ----------
    path : Path
        The file.
    kind : str
        ``zip`` (xlsx) or ``ole`` (xls).
    limits : ReadLimits
        Container, rows, columns, cells.

    Returns
    -------
    sheets : tuple of Sheet
        Typed; numbers as their shortest text, times as ``YYYY-MM-DD HH:MM:SS`` rounded to the second, error cells
        as ``#N/A`` …; blank rows left out.
    notes : list of Normalisation
        ``hidden-sheet``, ``blank-row``.

    Raises
    ------
    UnreadableFile
        Not a workbook, damaged, encrypted, with macros or a document type declaration.
    TooLarge
        Inflation, span or cells beyond the limits.
    """
    xls = biff.look(path) if kind == "ole" else []
    seen = _look_xlsx(path, limits) if kind == "zip" else {}
    try:
        workbook = python_calamine.CalamineWorkbook.from_path(str(path))
        metadata = workbook.sheets_metadata
    except (python_calamine.CalamineError, OSError, ValueError) as error:
        raise damaged(error) from error
    if kind == "ole" and len(xls) == len(metadata):
        seen = dict(zip((facts.name for facts in metadata), xls, strict=True))
    elif kind == "ole":
        raise damaged(ValueError("the sheets cannot be told apart"))
    sheets, hidden, blanks = [], [], 0
    for facts in metadata:
        if facts.name not in seen:
            raise damaged(KeyError(facts.name))
        if facts.typ != python_calamine.SheetTypeEnum.WorkSheet:
            continue
        if facts.visible != python_calamine.SheetVisibleEnum.Visible:
            hidden.append(facts.name)
            continue
        try:
            source = workbook.get_sheet_by_name(facts.name)
        except (python_calamine.CalamineError, OSError, ValueError) as error:
            raise damaged(error) from error
        sheet, left_out = _sheet(source, facts.name, seen[facts.name], limits)
        blanks += left_out
        if sheet is not None:
            sheets.append(sheet)
    if not sheets:
        raise grid.no_rows()
    notes = grid.blank_rows(blanks)
    if hidden:
        notes.append(Normalisation("hidden-sheet", "隐藏的工作表未读", len(hidden), ", ".join(hidden)[:200]))
    return tuple(sheets), notes


def _sheet(source: Any, name: str, seen: Seen, limits: ReadLimits) -> tuple[Sheet | None, int]:
    if source.end is None:
        return None, 0
    height, width, left = source.end[0] + 1, source.end[1] + 1, source.start[1]
    grid.check_size(height - 1, width, limits)
    long: list[CellMark] = []
    tables, count, records = [], 0, iter(source.iter_rows())
    while block := list(islice(records, grid.CHUNK)):
        # calamine leaves out the columns before the first one in use, but not the rows
        columns = [[""] * len(block) for _ in range(left)]
        columns += [_texts(values, count + 1, left + i, long) for i, values in enumerate(zip(*block, strict=True))]
        for row, said in seen.texts.items():
            if count <= row < count + len(block):
                for i, text in said.items():
                    if i < width and not columns[i][row - count]:
                        columns[i][row - count] = text
        tables.append(grid.encode(columns))
        count += len(block)
    if not tables:
        return None, 0
    cells, rows = grid.drop_blank(grid.gather(tables), np.arange(1, count + 1, dtype=np.int32))
    if not cells.num_rows:
        return None, count
    merged = seen.merged or [(a + 1, b, c + 1, d) for (a, b), (c, d) in source.merged_cell_ranges or ()]
    marks = sorted(seen.marks + long, key=lambda mark: (mark.row, mark.column))
    return Sheet(name, cells, rows, True, (), tuple(marks), tuple(merged)), count - cells.num_rows


def _texts(values: Sequence[Any], row: int, column: int, long: list[CellMark]) -> list[str]:
    """Write a run of one column as text, each distinct value once; note the numbers whose digits are lost."""
    kinds = set(map(type, values))
    if kinds == {str}:
        return list(values)
    if bool in kinds:
        # True == 1.0, so distinct values cannot be told by equality
        texts = [_text(value) for value in values]
    else:
        known = {value: _text(value) for value in set(values)}
        texts = [known[value] for value in values]
    if any(kind in (int, float) for kind in kinds):
        large = [i for i, value in enumerate(values) if type(value) in (int, float) and abs(value) >= LONG]
        long.extend(CellMark(row + i, column, "long-number", texts[i]) for i in large)
    return texts


def _text(value: Any) -> str:
    """Write a cell's value as text.

    Examples
    --------
    >>> _text(35.0), _text(0.1), _text(1e-05), _text(True), _text(datetime(2020, 4, 1, 7, 59, 59, 997000))
    ('35', '0.1', '0.00001', 'TRUE', '2020-04-01 08:00:00')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        text = repr(value)
        if text.endswith(".0"):
            return text[:-2]
        return f"{Decimal(text):f}" if "e" in text else text
    if isinstance(value, datetime):
        return str((value + timedelta(microseconds=500_000)).replace(microsecond=0))
    if isinstance(value, date):
        return f"{value} 00:00:00"
    if isinstance(value, time):
        second = round(value.hour * 3600 + value.minute * 60 + value.second + value.microsecond / 1e6)
        return f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
    if isinstance(value, timedelta):
        second = round(value.total_seconds())
        return f"{second // 3600}:{second // 60 % 60:02d}:{second % 60:02d}"
    return "" if value is None else str(value)


def _look_xlsx(path: Path, limits: ReadLimits) -> dict[str, Seen]:
    with Container(path, limits) as container:
        names = container.names()
        _refuse_others(names)
        _check_root(container)
        sheets = {part.lower() for part in _sheet_parts(container).values()}
        percent: dict[int, int] | None = None
        colours: dict[int, str] = {}
        found: dict[str, Seen] = {}
        for entry in container.entries:
            if entry.is_dir():
                continue
            if entry.filename.lower() in sheets:
                if percent is None:
                    percent, colours = _percent_styles(container), _coloured_styles(container)
                found[entry.filename.lower()] = _look(_no_doctype(container.pieces(entry)), percent, limits, colours)
            elif entry.filename.lower().endswith((".xml", ".rels", ".vml")):
                for _ in _no_doctype(container.pieces(entry)):
                    pass
        try:
            return {name: found[part.lower()] for name, part in _sheet_parts(container).items()}
        except KeyError as error:
            raise damaged(error) from error


def _refuse_others(names: set[str]) -> None:
    lower = {name.lower() for name in names}
    if any(name.endswith("vbaproject.bin") for name in lower):
        raise UnreadableFile(
            "macros", "工作簿含有宏；请另存为不含宏的 xlsx 后再交", "the workbook has macros; save it as xlsx without"
        )
    if any(name.startswith("xl/workbook") and name.endswith(".xml") for name in lower):
        return
    for prefix, zh, en in (
        ("word/", "Word 文档", "a Word document"),
        ("ppt/", "PowerPoint 演示文稿", "a PowerPoint file"),
        ("xl/workbook.bin", "Excel 二进制工作簿（xlsb）", "an xlsb workbook"),
        ("content.xml", "OpenDocument 文档", "an OpenDocument file"),
    ):
        if any(name.startswith(prefix) for name in lower):
            raise UnreadableFile(
                "file-type",
                f"文件内容实为{zh}，不能作为数据文件；请另存为 xlsx 后再交",
                f"the file is {en}; save it as xlsx",
            )
    raise UnreadableFile(
        "file-type", "压缩包里没有 Excel 工作簿；请另存为 xlsx 后再交", "the archive holds no Excel workbook"
    )


def _no_doctype(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Pass XML on, and refuse any document type or entity declaration."""
    tail, first = b"", True
    for piece in pieces:
        if first and (piece[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in piece[:4]):
            raise _hostile("部件不是 UTF-8", "a part is not UTF-8")
        window = tail + piece
        if b"<!DOCTYPE" in window or b"<!ENTITY" in window:
            raise _hostile("含有 DOCTYPE 声明", "a part has a DOCTYPE")
        tail, first = window[-16:], False
        yield piece


def _hostile(zh: str, en: str) -> UnreadableFile:
    return UnreadableFile(
        "hostile-workbook",
        f"工作簿不正常：{zh}；请在 Excel 中打开后另存为 xlsx 再交",
        f"the workbook is refused: {en}; save it again in Excel",
    )


def _xml(container: Container, name: str) -> ElementTree.Element | None:
    entry = next((item for item in container.entries if item.filename.lower() == name), None)
    if entry is None:
        return None
    try:
        return ElementTree.fromstring(b"".join(_no_doctype(container.pieces(entry))))
    except ElementTree.ParseError as error:
        raise damaged(error) from error


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _check_root(container: Container) -> None:
    """See that the workbook part is where calamine and this module look for it, and the only one."""
    links = _xml(container, "_rels/.rels")
    targets = [
        link.get("Target", "")
        for link in (links if links is not None else ())
        if link.get("Type", "").endswith("/officeDocument")
    ]
    if [posixpath.normpath(posixpath.join("/", target)).lower() for target in targets] != ["/xl/workbook.xml"]:
        raise _hostile("找不到唯一的工作簿部件", "there is not one workbook part")


def _sheet_parts(container: Container) -> dict[str, str]:
    """Give the part in which each sheet of the workbook is kept."""
    book, links = _xml(container, "xl/workbook.xml"), _xml(container, "xl/_rels/workbook.xml.rels")
    if book is None or links is None:
        raise damaged(ValueError("no workbook part"))
    targets = {link.get("Id"): link.get("Target", "") for link in links}
    parts = {}
    for sheet in book.iter():
        if _local(sheet) == "sheet":
            key = next((value for name, value in sheet.items() if name.endswith("}id")), None)
            target = targets.get(key, "")
            parts[sheet.get("name", "")] = posixpath.normpath(posixpath.join("/xl", target)).lstrip("/")
    return parts


def _percent_styles(container: Container) -> dict[int, int]:
    """Give the decimals shown by each cell style that is a percentage."""
    styles = _xml(container, "xl/styles.xml")
    if styles is None:
        return {}
    formats = dict(PERCENT_BUILTIN)
    found: dict[int, int] = {}
    for element in styles.iter():
        code = element.get("formatCode", "")
        if _local(element) == "numFmt" and "%" in re.sub(r'"[^"]*"|\\.', "", code):
            formats[int(element.get("numFmtId", "-1"))] = len(code.partition(".")[2].partition("%")[0])
    for element in styles:
        if _local(element) == "cellXfs":
            for i, style in enumerate(element):
                number = int(style.get("numFmtId", "0"))
                if number in formats:
                    found[i] = formats[number]
    return found


def _coloured_styles(container: Container) -> dict[int, str]:
    """Give the colour (RRGGBB) of each cell style whose font has one of its own that is not black."""
    styles = _xml(container, "xl/styles.xml")
    fonts: list[str] = []
    found: dict[int, str] = {}
    for element in styles if styles is not None else ():
        if _local(element) == "fonts":
            for font in element:
                colour = next((part.get("rgb", "") for part in font if _local(part) == "color"), "")
                fonts.append(colour[-6:].upper() if len(colour) in (6, 8) else "")
    for element in styles if styles is not None else ():
        if _local(element) == "cellXfs":
            for i, style in enumerate(element):
                number = int(style.get("fontId", "0"))
                if number < len(fonts) and fonts[number] not in ("", "000000"):
                    found[i] = fonts[number]
    return found


def _of_style(styles: Iterable[int]) -> re.Pattern[bytes] | None:
    numbers = b"|".join(str(style).encode() for style in styles)
    return re.compile(rb"<(?:\w+:)?c\s[^>]*?\bs\s*=\s*[\"'](?:%s)[\"']" % numbers) if numbers else None


def _colour_marks(run: bytes, pattern: re.Pattern[bytes], colours: dict[int, str]) -> Iterator[CellMark]:
    """Tell the coloured cells of a run that have a value."""
    for match in pattern.finditer(run):
        attributes, content = _element(run, match.start())
        address, style = _ADDRESS.search(attributes), _STYLE.search(attributes)
        if address is not None and style is not None and _VALUED.search(content):
            yield CellMark(int(address[2]), _position(address[1]), "font-colour", colours[int(style[1])])


def _look(
    pieces: Iterable[bytes], percent: dict[int, int], limits: ReadLimits, colours: dict[int, str] | None = None
) -> Seen:
    """Scan the XML of one sheet, a run of whole rows at a time."""
    seen = Seen()
    styled, coloured = _of_style(percent), _of_style(colours or {})
    tinted: list[CellMark] = []
    needles = [b"s=%s%d%s" % (quote, style, quote) for style in colours or {} for quote in (b'"', b"'")]
    span = [0, 0]
    for run in _runs(pieces):
        _measure(run, span, limits)
        wanted: set[int] = set()
        if b'"e"' in run or b"'e'" in run:
            wanted.update(match.start() for match in _ERROR.finditer(run))
        if b"<f" in run or b":f" in run:
            # a formula is the first child of its cell: the tag before it is the cell's
            wanted.update(run.rfind(b"<", 0, match.start()) for match in _FORMULA.finditer(run))
        if styled:
            wanted.update(match.start() for match in styled.finditer(run))
        for start in sorted(wanted):
            _note(run, start, percent, seen)
        if coloured is not None and len(tinted) <= COLOURS and any(needle in run for needle in needles):
            tinted.extend(islice(_colour_marks(run, coloured, colours or {}), COLOURS + 1))
        for match in _MERGE.finditer(run):
            a, b, c, d = match.groups()
            seen.merged.append((int(b), _position(a), int(d), _position(c)))
    if len(tinted) <= COLOURS:
        seen.marks.extend(tinted)
    return seen


def _runs(pieces: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        rest += piece
        end = rest.rfind(b"row>")
        if end >= 0:
            yield rest[: end + 4]
            rest = rest[end + 4 :]
        elif len(rest) > ROW_BYTES:
            raise TooLarge(
                "row-too-long", "工作表有一行过长；请检查文件是否正常", "one row of a sheet is too long to be read"
            )
    yield rest


def _measure(run: bytes, span: list[int], limits: ReadLimits) -> None:
    """Keep the span of the cells that have a value; calamine reserves memory for all of it."""
    plain = not (b"='" in run or b" =" in run or b"= " in run or b":c" in run or b"\nr=" in run or b"\tr=" in run)
    columns = max(map(_position, set((_QUICK_COLUMNS if plain else _COLUMNS).findall(run))), default=-1) + 1
    rows = max(map(int, set((_QUICK_ROWS if plain else _ROWS).findall(run))), default=0)
    if max(columns, span[1]) > limits.columns or max(rows, span[0]) * max(columns, span[1]) > limits.cells:
        columns = rows = 0
        for start, address in ((m.start(), _ADDRESS.search(m[1])) for m in _CELL.finditer(run)):
            if address and _valued(run, start):
                columns = max(columns, _position(address[1]) + 1)
                rows = max(rows, int(address[2]))
    span[0], span[1] = max(rows, span[0]), max(columns, span[1])
    grid.check_size(0, 0, limits)
    if span[0] * span[1] > limits.cells or span[1] > limits.columns:
        raise TooLarge(
            "too-many-cells",
            f"表格范围过大：写到了第 {span[0]} 行、{letter(span[1] - 1)} 列；请删去远处误填的单元格后再交",
            f"the table spans {span[0]} rows and {span[1]} columns; remove the cells written far away",
        )


def _element(run: bytes, start: int) -> tuple[bytes, bytes]:
    """Give attributes and content of the cell that starts at a place."""
    match = _CELL.match(run, start)
    if match is None or match[2]:
        return (match[1] if match else b""), b""
    following = _CELL.search(run, match.end())
    row = _ROW_END.search(run, match.end(), following.start() if following else len(run))
    end = row.start() if row else following.start() if following else len(run)
    return match[1], run[match.end() : end]


def _valued(run: bytes, start: int) -> bool:
    return bool(_VALUED.search(_element(run, start)[1]))


def _note(run: bytes, start: int, percent: dict[int, int], seen: Seen) -> None:
    """Mark one cell that is an error, a formula or a percentage."""
    attributes, content = _element(run, start)
    address = _ADDRESS.search(attributes)
    if address is None:
        raise _hostile("有单元格没有地址", "a formula or error cell has no address")
    row, column = int(address[2]), _position(address[1])
    stored = _VALUE.search(content)
    value = stored[1].decode("utf-8", "ignore") if stored else ""
    kind = _TYPE.search(attributes)
    if kind and kind[1] == b"e":
        value = value or "#VALUE!"
        seen.marks.append(CellMark(row, column, "error-cell", value))
        seen.texts.setdefault(row - 1, {})[column] = value
    formula = _FORMULA.search(content)
    if formula:
        outside = _EXTERNAL.search(formula[1] or b"")
        what = "external-formula" if outside else "formula" if value else "formula-blank"
        seen.marks.append(CellMark(row, column, what))
    style = _STYLE.search(attributes)
    if style and int(style[1]) in percent and (not kind or kind[1] == b"n") and value:
        seen.marks.append(CellMark(row, column, "percent", _shown(value, percent[int(style[1])])))


def _shown(value: str, decimals: int) -> str:
    try:
        return f"{float(value) * 100:.{decimals}f}%"
    except ValueError:
        return ""


def _position(letters: bytes) -> int:
    number = 0
    for byte in letters:
        number = number * 26 + byte - 64
    return number - 1
