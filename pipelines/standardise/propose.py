"""Draft a layout for a file nobody knows: headers against what the exchange knows, for a person to confirm.

Nothing is guessed silently: what a header, a unit or a stamp left open stands in the draft as a ``TODO`` with the
nearest known names, and a column that is not mapped stays unmapped, so that the draft refuses the file until it is.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from pipelines.batch import RawBatch, Sheet
from pipelines.standardise.times import read_times
from schemas.files import SCHEMAS, fold
from schemas.header_words import HeaderWords, header_words
from schemas.layouts import DATASETS, MEDIA, Layout, habits, layouts, read_layout
from schemas.loaders import Parameter, conversion, find_parameter, find_unit, nearest, parameters, units
from schemas.personal import without_numbers

PLACES = {
    "air": ("station_id", "station_name"),
    "water": ("section_id", "section_name"),
    "soil": ("point_id", "point_name"),
}
SAMPLE_ROWS = 5_000
SAMPLE_STAMPS = 500
_ANY_DAY = dt.date(2000, 12, 31)
"""Stamps without a year need a day to be read before; only their form is looked at here."""
_TABULAR = ("csv", "xlsx", "xls")
_TAIL = re.compile(r"^(?P<name>.*?)\s*[(\[](?P<unit>[^()\[\]]*)[)\]]$", re.DOTALL)
_SIGNS = str.maketrans({"μ": "u", "µ": "u", "³": "3", "²": "2", "㎥": "m3", "℃": "c", "₂": "2", "₃": "3"})


@dataclass(frozen=True, slots=True)
class _Column:
    """One column of the sheet: the ways to read its header (the one a layout would name first) and its texts."""

    at: int
    names: tuple[str, ...]
    texts: tuple[str, ...]

    @property
    def header(self) -> str:
        return self.names[0]


@dataclass(slots=True)
class _Draft:
    """What was understood of one sheet as one dataset."""

    dataset: str
    words: HeaderWords
    columns: tuple[_Column, ...]
    fields: dict[str, _Column] = field(default_factory=dict)
    results: dict[str, tuple[_Column, str | None]] = field(default_factory=dict)
    long: dict[str, _Column] = field(default_factory=dict)
    ignored: list[_Column] = field(default_factory=list)
    repeated: list[tuple[_Column, str]] = field(default_factory=list)
    unknown: list[_Column] = field(default_factory=list)
    rivals: tuple[str, ...] = ()
    """Other datasets whose words fit equally well."""

    @property
    def score(self) -> int:
        """Weigh what was understood; a draft without place, time or name is worth little."""
        identity = sum(1 for name in self.fields if name not in ("remark", "hour"))
        worth = 0
        for name, (_, unit) in self.results.items():
            worth += 1 if unit is None else 2 if _unit_of(name, unit) else 0
        return 3 * identity + worth + 3 * len(self.long)


@dataclass(frozen=True, slots=True)
class SketchColumn:
    """One column of a sheet, and what it seems to mean.

    ``means`` is ``columns.<name>`` (an identity column of the table), ``result.<parameter>``, ``long.<part>``, ``time``,
    ``hour``, ``ignore``, or blank where nothing was recognised; ``unit`` the code of the unit the header names, blank
    where it names none that converts.
    """

    header: str
    means: str
    unit: str
    near: tuple[str, ...]
    sample: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sketch:
    """What was understood of a file nobody knows, for a person to go through."""

    dataset: str
    rivals: tuple[str, ...]
    kind: str
    sheet: str
    others: tuple[str, ...]
    """Names of the other sheets with cells."""
    header_row: int
    """As Excel numbers it; 0: there is none."""
    columns: tuple[SketchColumn, ...]
    formats: tuple[str, ...]
    """Those of ``known_formats`` that read the stamps found."""
    known_formats: tuple[str, ...]
    unread: tuple[str, ...]
    """Stamps that none of them reads."""
    hourly: bool
    hour24: bool
    rows: tuple[tuple[str, ...], ...]
    """The first records as they stand, below the header."""


def sketch(raw: RawBatch, bureau: str, dataset: str | None = None, site: Path | None = None) -> Sketch:
    """Understand a file as far as it goes: the same as :func:`propose`, as facts instead of a text.

    Raises
    ------
    ValueError
        The dataset is not known, or the file holds no cells.
    """
    sheet, draft, header_row, others = _best_sheet(raw, dataset)
    template = read_layout(SCHEMAS / "layouts" / f"{draft.dataset}_template.toml")
    known = _formats(template, bureau, site)
    clock = "time" if "time" in draft.fields else "hour"
    stamped = [column for name, column in draft.fields.items() if name == clock or name.endswith(("date", "until"))]
    if not stamped and draft.dataset in MEDIA:  # no header says time: the columns whose texts read as times do
        stamped = [c for c in draft.unknown if c.texts and not _used_formats(c.texts, known, sheet.typed)[1]]
    used, unread = _used_formats(tuple(dict.fromkeys(t for c in stamped for t in c.texts)), known, sheet.typed)
    hours = draft.fields.get("hour") if clock == "time" else None
    if draft.dataset in MEDIA and hours is not None and used and not any("%H" in form for form in used):
        used = [f"{form} {end}" for form in used for end in _hour_forms(hours.texts)]
    texts = [text for column in (*stamped, *([hours] if hours else [])) for text in column.texts]
    return Sketch(
        dataset=draft.dataset,
        rivals=draft.rivals,
        kind=raw.kind,
        sheet=str(sheet.name or ""),
        others=tuple(others),
        header_row=header_row,
        columns=tuple(_sketched(draft, column) for column in draft.columns),
        formats=tuple(used),
        known_formats=tuple(dict.fromkeys([*used, *known])),
        unread=tuple(without_numbers(text) for text in unread[:20]),
        hourly=any("%H" in form for form in used),
        hour24=any(re.search(r"(^|\s)24(:00|时|点|$)", text) for text in texts),
        rows=tuple(_first_records(sheet, header_row)),
    )


def _first_records(sheet: Sheet, header_row: int) -> Iterator[tuple[str, ...]]:
    for number, row in zip(sheet.rows.tolist(), _top(sheet, 100), strict=False):
        if number > header_row and any(row):
            yield tuple(without_numbers(text or "") for text in row)


def _sketched(draft: _Draft, column: _Column) -> SketchColumn:
    """Say what one column seems to mean."""
    written = _split(column.header)[1]
    named = find_unit(written) if written else None
    means, unit = "", named.unit if named else ""
    for name, found in draft.fields.items():
        if found is column:
            means = name if name in ("time", "hour") else f"columns.{name}"
    if means == "hour" and "time" not in draft.fields:
        means = "time"
    for name, (found, told) in draft.results.items():
        if found is column:
            means, unit = f"result.{name}", (_unit_of(name, told) or "") if told else ""
    for name, found in draft.long.items():
        if found is column:
            means = f"long.{name}"
    if any(found is column for found in draft.ignored):
        means = "ignore"
    medium = MEDIA.get(draft.dataset)
    words = [word for said in draft.words.fields.values() for word in said]
    words += [one.name_zh for one in parameters().values() if one.medium == medium]
    near = () if means or not column.header else nearest(_split(column.header)[0], words)
    return SketchColumn(column.header, means, unit, tuple(near), tuple(map(without_numbers, column.texts[:3])))


def propose(raw: RawBatch, bureau: str, dataset: str | None = None, site: Path | None = None) -> str:
    """Draft a layout of a file as TOML.

    Parameters
    ----------
    raw : RawBatch
        The file as it was read.
    bureau : str
        The sender for whom the layout is meant.
    dataset : str, optional
        One of ``DATASETS``; without it, the one whose words fit the headers best.
    site : Path, optional
        Facts of this home, whose layouts of the bureau are looked at for words and time formats.

    Returns
    -------
    str
        Text of a TOML file; confirmed, it goes to ``bureaus/<bureau>/<name>.toml`` of the home. What is open is marked
        ``TODO``.

    Raises
    ------
    ValueError
        The dataset is not known, or the file holds no cells.
    """
    sheet, draft, header_row, others = _best_sheet(raw, dataset)
    return "\n".join(_lines(raw, bureau, site, sheet, draft, header_row, others)) + "\n"


def _best_sheet(raw: RawBatch, dataset: str | None) -> tuple[Sheet, _Draft, int, list[str]]:
    """Find the sheet most is understood of, the row of its header, and the names of the others."""
    if dataset is not None and dataset not in DATASETS:
        raise ValueError(f"{dataset!r} is none of {', '.join(DATASETS)}")
    sheets = [sheet for sheet in raw.sheets if sheet.cells.num_rows and not _is_side(sheet, raw)]
    if not sheets:
        raise ValueError("the file holds no cells to draft a layout from")
    tried = [(sheet, *_best_draft(sheet, (dataset,) if dataset else DATASETS)) for sheet in sheets]
    sheet, draft, header_row = max(tried, key=lambda one: one[1].score)
    return sheet, draft, header_row, [str(other.name) for other in sheets if other is not sheet]


def _is_side(sheet: Sheet, raw: RawBatch) -> bool:
    return len(raw.sheets) > 1 and sheet.name in habits().side_sheets


@lru_cache(maxsize=65_536)
def _key(text: str) -> str:
    return re.sub(r"\s+", "", fold(text).translate(_SIGNS).lower()).replace("^", "")


def _split(text: str) -> tuple[str, str | None]:
    """Split a unit off a header; brackets that hold none stay in the name."""
    match = _TAIL.match(fold(text))
    if match and match["unit"] and find_unit(match["unit"]) is not None:
        return match["name"].strip(), match["unit"]
    return fold(text), None


def _best_draft(sheet: Sheet, datasets: tuple[str, ...]) -> tuple[_Draft, int]:
    """Try every place and depth of a header; give the best draft and the row of its header, 0 without one."""
    rows = _top(sheet, habits().header_rows)
    merged = _spread(rows, sheet)
    tried: list[tuple[tuple[int, int, int], _Draft, int, int]] = []
    for depth in (1, 2, 3):
        for at in range(len(rows) - depth + 1):
            if _mostly_numbers(rows[at + depth - 1]):
                continue
            names = _names(rows, merged, at, depth)
            for dataset in datasets:
                columns = tuple(_Column(i, ways, ()) for i, ways in enumerate(names))
                draft = _understand(dataset, columns)
                tried.append(((draft.score, -depth, -at), draft, at, depth))
    if not tried:
        tried = [((0, 0, 0), _understand(datasets[0], ()), 0, 1)]
    _, draft, at, depth = max(tried, key=lambda one: one[0])
    equal = [one.dataset for rank, one, *_ in tried if rank == (draft.score, -depth, -at)]
    header_row = int(sheet.rows[at + depth - 1])
    if draft.score == 0:
        at = _likely_header(rows)
        depth, header_row = (0, 0) if at < 0 else (1, int(sheet.rows[at]))
        at = max(at, 0)
    names = _names(rows, merged, at, depth) if depth else [(f"列{i + 1}",) for i in range(sheet.cells.num_columns)]
    columns = tuple(_Column(i, ways, _sample(sheet, i, at + depth)) for i, ways in enumerate(names))
    understood = _understand(draft.dataset, tuple(c for c in columns if c.header or c.texts))
    understood.rivals = tuple(name for name in equal if name != draft.dataset)
    return understood, header_row


def _top(sheet: Sheet, count: int) -> list[list[str]]:
    columns = [column.to_pylist() for column in sheet.cells.slice(0, count).itercolumns()]
    return [list(row) for row in zip(*columns, strict=True)]


def _spread(rows: list[list[str]], sheet: Sheet) -> list[list[str]]:
    """Give every cell of a merged range its text."""
    filled = [list(row) for row in rows]
    where = {int(number): at for at, number in enumerate(sheet.rows[: len(rows)].tolist())}
    for top, left, bottom, right in sheet.merged:
        if top not in where or left >= len(rows[where[top]]):
            continue
        for number in range(top, bottom + 1):
            if number in where:
                for column in range(left, min(right + 1, len(rows[where[number]]))):
                    filled[where[number]][column] = rows[where[top]][left]
    return filled


def _names(rows: list[list[str]], merged: list[list[str]], at: int, depth: int) -> list[tuple[str, ...]]:
    """Give the ways to read each header; where the lowest row repeats, the joined text comes first."""
    if depth == 1:
        return [(fold(text),) for text in rows[at]]
    ways: list[tuple[str, ...]] = []
    for column in range(len(rows[at])):
        stack: list[str] = []
        for step in range(depth):
            text = fold(merged[at + step][column])
            if text and (not stack or stack[-1] != text):
                stack.append(text)
        if len(stack) < 2:
            ways.append((stack[0] if stack else "",))
            continue
        upper, lower = stack[-2], stack[-1]
        bare = lower.strip("()[]")
        ways.append((f"{upper}({bare})",) if bare and find_unit(bare) else (lower, upper + lower, upper))
    first = [_key(names[0]) for names in ways]
    return [
        (names[1], names[0], *names[2:]) if len(names) > 1 and first.count(_key(names[0])) > 1 else names
        for names in ways
    ]


def _likely_header(rows: list[list[str]]) -> int:
    """Find the first row that is mostly words and nearly full; -1 where data start at once."""
    widest = max((sum(bool(fold(text)) for text in row) for row in rows), default=0)
    for at, row in enumerate(rows):
        filled = [fold(text) for text in row if fold(text)]
        if len(filled) * 5 >= widest * 4:
            return -1 if _mostly_numbers(row) else at
    return -1


def _mostly_numbers(row: list[str]) -> bool:
    """Tell a record from a header: more than a quarter of its cells begin with a digit."""
    filled = [fold(text) for text in row if fold(text)]
    return sum(bool(re.match(r"^[-+]?\d", text)) for text in filled) * 4 > len(filled)


def _sample(sheet: Sheet, at: int, first: int) -> tuple[str, ...]:
    """Give the distinct texts of the first records of a column, folded, blank ones left out."""
    column = sheet.cells.column(at).slice(first, SAMPLE_ROWS)
    texts = {fold(text): None for text in column.unique().to_pylist() if text is not None}
    return tuple(text for text in texts if text)


def _understand(dataset: str, columns: tuple[_Column, ...]) -> _Draft:
    """Map each column to what its header says in one dataset: known words first, then parameters, then to ignore."""
    draft = _Draft(dataset, header_words(dataset), columns)
    medium = MEDIA.get(dataset)
    by_key: dict[str, str] = {}
    for name, words in draft.words.fields.items():
        for word in words:
            by_key.setdefault(_key(word), name)
    long = {_key(word): name for name, words in draft.words.long.items() for word in words} if medium else {}
    ignored = {_key(word) for word in (*draft.words.ignore, habits().error_column)}
    rest = []
    for column in columns:
        keys = [_key(name) for name in column.names]
        known = next((by_key[key] for key in keys if key in by_key), None)
        if known is not None and known not in draft.fields:
            draft.fields[known] = column
        elif known is not None:
            draft.repeated.append((column, known))
        elif _key(habits().answer_column) not in keys:
            rest.append(column)
    for column in rest:
        parameter, unit = _parameter(medium, column.names) if medium else (None, None)
        key = _key(column.header)
        if parameter is not None and parameter.parameter in draft.results:
            draft.repeated.append((column, parameter.parameter))
        elif parameter is not None:
            draft.results[parameter.parameter] = (column, unit)
        elif key in long and long[key] not in draft.long:
            draft.long[long[key]] = column
        elif key in ignored:
            draft.ignored.append(column)
        else:
            draft.unknown.append(column)
    if draft.results or not {"parameter", "value"} <= draft.long.keys():
        draft.unknown += draft.long.values()
        draft.long = {}
    return draft


@lru_cache(maxsize=65_536)
def _parameter(medium: str, names: tuple[str, ...]) -> tuple[Parameter | None, str | None]:
    """Find the parameter a header names, and the unit it names."""
    unit = next((unit for name in names if (unit := _split(name)[1])), None)
    for name in names:
        for publisher in (False, True):
            found = find_parameter(medium, _split(name)[0], publisher=publisher) if name else None
            if found is not None:
                return found, unit
    return None, unit


def _unit_of(parameter: str, written: str) -> str | None:
    """Give the code of a unit as written, if it converts to the parameter's own."""
    unit = find_unit(written)
    return unit.unit if unit is not None and conversion(parameters()[parameter], unit) is not None else None


def _text(value: str) -> str:
    """Write a TOML basic string."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _list(values: list[str] | tuple[str, ...]) -> str:
    return "[" + ", ".join(_text(value) for value in values) + "]"


def _note(value: str) -> str:
    """Write a text into a comment: one line, nothing that TOML forbids there."""
    return re.sub(r"[\x00-\x08\x0a-\x1f\x7f]", " ", value)


def _lines(
    raw: RawBatch, bureau: str, site: Path | None, sheet: Sheet, draft: _Draft, header_row: int, others: list[str]
) -> Iterator[str]:
    """Write the draft, section by section."""
    template = read_layout(SCHEMAS / "layouts" / f"{draft.dataset}_template.toml")
    yield from _head(raw, bureau, draft, template, header_row)
    yield from _reader(raw, sheet, draft, header_row, others)
    yield from _time(draft, template, sheet, bureau, site)
    if template.fixed:
        yield "[fixed]"
        yield from (f"{name} = {_text(str(value))}" for name, value in template.fixed.items())
        yield ""
    yield from _identity(draft, template)
    if draft.dataset in MEDIA:
        yield from _results(draft)
    if template.all_or_nothing:
        yield from ("[judge]", "all_or_nothing = true", "")
    yield from _open_columns(draft)


def _head(raw: RawBatch, bureau: str, draft: _Draft, template: Layout, header_row: int) -> Iterator[str]:
    yield f"# 格式草稿：{_note(raw.file)}（{_note(bureau)}）。请核对每一处 TODO，改好后存入站点目录"
    yield f"# bureaus/{_note(bureau)}/<格式名>.toml，此后该单位的同类文件按此格式读取。"
    yield "# Draft of a layout: settle every TODO, then save it as bureaus/<bureau>/<layout>.toml of the home."
    yield f"title    = {_text(Path(raw.file).stem or '草稿')}"
    yield f"title_en = {_text('drafted layout: ' + (Path(raw.file).stem or 'file'))}"
    rivals = (
        f"  # TODO: 也可能是 {'、'.join(draft.rivals)}，请用 --dataset 指明。may be another" if draft.rivals else ""
    )
    yield f"dataset  = {_text(draft.dataset)}{rivals}"
    yield f"table    = {_text(template.table)}"
    yield f"source   = {_text(f'drafted from {raw.file}, to be confirmed by {bureau}')}"
    if header_row:
        telling = [column.header for name, column in draft.fields.items() if name not in ("remark", "hour")]
        telling += [column.header for column in draft.long.values()]
        telling += [column.header for column, _ in list(draft.results.values())[:3]]
        if not telling:
            yield "# TODO: 没有认出任何列，以下按原列名识别。no column was recognised; the headers as they stand:"
            telling = [column.header for column in draft.columns if column.header][:3]
        yield f"recognise = {_list(telling)}"
    ignored = [column.header for column in draft.ignored if column.header != habits().error_column]
    yield f"ignore    = {_list(ignored)}"
    texts = {text for column, _ in draft.results.values() for text in column.texts}
    texts |= set(draft.long["value"].texts) if "value" in draft.long else set()
    seen = list(dict.fromkeys(fold(marker) for marker in template.missing if marker and fold(marker) in texts))
    yield f"missing   = {_list(['', *seen])}  # 文件中出现的缺测标记，请核对。missing markers seen in the file"
    yield ""


def _reader(raw: RawBatch, sheet: Sheet, draft: _Draft, header_row: int, others: list[str]) -> Iterator[str]:
    kinds = _TABULAR if raw.kind in _TABULAR else (raw.kind,)
    yield "[reader]"
    yield f"kinds  = {_list(kinds)}"
    if header_row:
        yield f'header = "found"  # 表头在第 {header_row} 行。header in row {header_row}'
    else:
        yield "# TODO: 文件没有表头，请为每一列命名并核对形状。no header: name every column and check the shapes"
        yield 'header  = "none"'
        yield f"columns = {_list([column.header for column in draft.columns])}"
        yield f"shape   = {_list([_shape(column.texts) for column in draft.columns])}"
    if others:
        yield f"sheets = {_list([str(sheet.name)])}"
        yield "# TODO: 其他工作表不是数据时去掉下一行行首的 #。uncomment if the other sheets are no data"
        yield f"# ignore_sheets = {_list(others)}"
    yield ""


def _shape(texts: tuple[str, ...]) -> str:
    for shape in (r"^(-?\d+(\.\d+)?)?$", r"^\d{4}[-/]\d{1,2}[-/]\d{1,2}.*$"):
        if texts and all(re.match(shape, text) for text in texts):
            return shape
    return "^.*$"


def _time(draft: _Draft, template: Layout, sheet: Sheet, bureau: str, site: Path | None) -> Iterator[str]:
    """Write how stamps are read; for records without measurements the formats of their dates."""
    known = _formats(template, bureau, site)
    yield "[time]"
    if draft.dataset not in MEDIA:
        dates = [draft.fields[name].texts for name in draft.fields if name.endswith(("date", "until"))]
        texts = tuple(dict.fromkeys(text for column in dates for text in column))
        used, unread = _used_formats(texts, known, sheet.typed)
        yield from _unread(unread)
        yield f"formats = {_list(used or known)}"
        yield ""
        return
    day, hour = draft.fields.get("time"), draft.fields.get("hour")
    if day is None:
        yield from _todo_time(draft, known, sheet)
        day = hour
        hour = None
    texts = day.texts if day else ()
    used, unread = _used_formats(texts, known, sheet.typed)
    if day and hour and used and not any("%H" in form for form in used):
        used = [f"{form} {end}" for form in used for end in _hour_forms(hour.texts)]
        yield f"columns = {_list([day.header, hour.header])}"
    else:
        yield f"column  = {_text(day.header if day else 'TODO')}"
    yield from _unread(unread)
    yield f"formats = {_list(used or known)}"
    yield 'stamp   = "begin"  # TODO: begin 时段开始 / end 时段结束，请核对。beginning or end of the period?'
    hourly = not used or any("%H" in form for form in used)
    period = ("1h" if hourly else "24h") if draft.dataset == "air" else ""
    yield f"period  = {_text(period)}" + ("  # TODO: 请核对平均时间。averaging period?" if period else "")
    late = any(re.search(r"(^|\s)24(:00|时|点|$)", text) for text in (*texts, *(hour.texts if hour else ())))
    told = "  # TODO: 文件中有 24 时，视为次日 0 时，请核对。24:00 is 00:00 of the next day" if late else ""
    yield f"hour24  = {str(late).lower()}{told}"
    if used and not any("%Y" in form for form in used):
        yield 'year    = "received"  # 时间没有年份，取收到之日以前最近的年份。stamps have no year'
    yield ""


def _todo_time(draft: _Draft, known: list[str], sheet: Sheet) -> Iterator[str]:
    """Name the columns whose texts read as times, where no header says so."""
    like = [c.header for c in draft.unknown if c.texts and not _used_formats(c.texts, known, sheet.typed)[1]]
    hint = f"；像是时间的列：{'、'.join(map(_note, like))}" if like else ""
    yield f"# TODO: 没有认出时间列{hint}。no column of times was recognised"


def _formats(template: Layout, bureau: str, site: Path | None) -> list[str]:
    """Give the explicit formats of all layouts the bureau may send, those of the template first."""
    found = list(template.time.formats) if template.time else []
    for layout in (*layouts(bureau, site), *layouts()):
        found += layout.time.formats if layout.time else ()
    return list(dict.fromkeys(found))


def _used_formats(texts: tuple[str, ...], known: list[str], typed: bool) -> tuple[list[str], list[str]]:
    """Give the formats that read the texts, each only if it reads one the earlier do not, and what is left."""
    used: list[str] = []
    left = list(texts[:SAMPLE_STAMPS])
    for form in sorted(known, key=lambda form: "%Y" not in form):
        if not left:
            break
        status = read_times(left, (form,), typed=False, hour24=True, reference=_ANY_DAY).status
        rest = [text for text, state in zip(left, status, strict=True) if state in ("unreadable", "ambiguous")]
        if len(rest) < len(left):
            used.append(form)
            left = rest
    if typed and left:
        status = read_times(left, (), typed=True, hour24=True).status
        left = [text for text, state in zip(left, status, strict=True) if state]
    return used, left


def _hour_forms(texts: tuple[str, ...]) -> list[str]:
    forms = []
    for form, pattern in (
        ("%H", r"\d{1,2}"),
        ("%H:%M", r"\d{1,2}:\d{2}"),
        ("%H:%M:%S", r"\d{1,2}:\d{2}:\d{2}"),
        ("%H时", r"\d{1,2}时"),
    ):
        if any(re.fullmatch(pattern, text) for text in texts):
            forms.append(form)
    return forms or ["%H"]


def _unread(unread: list[str]) -> Iterator[str]:
    if unread:
        shown = "、".join(_note(without_numbers(text)) for text in unread[:5])  # of an expert list too
        yield f"# TODO: 有 {len(unread)} 种时间写法未认出：{shown}。stamps no known format reads; add one to formats"


def _identity(draft: _Draft, template: Layout) -> Iterator[str]:
    """Write the identity columns: those the template requires, then the others, then what was not found."""
    needed = [name for name in template.columns if name in draft.fields]
    places = PLACES.get(draft.dataset, ())
    yield "[columns]"
    yield from (f"{name} = {_text(draft.fields[name].header)}" for name in needed)
    lacking = [name for name in template.columns if name not in draft.fields]
    if places and any(name in draft.fields for name in places):
        lacking = [name for name in lacking if name not in places]
    for name in lacking:
        near = nearest(template.columns[name], [column.header for column in draft.unknown if column.header])
        hint = f"；相近：{'、'.join(map(_note, near))}" if near else ""
        yield f"# TODO: {name} = {_text(template.columns[name])}（没有认出{hint}）。not found"
    yield ""
    more = [name for name in draft.fields if name not in (*needed, "time", "hour")]
    if more:
        yield "[optional]"
        yield from (f"{name} = {_text(draft.fields[name].header)}" for name in more)
        yield ""


def _results(draft: _Draft) -> Iterator[str]:
    if draft.long:
        yield "[long]"
        yield from (f"{name} = {_text(column.header)}" for name, column in draft.long.items())
        yield 'coding = "name"'
        yield ""
        return
    yield "[results]"
    if not draft.results:
        yield "# TODO: 没有认出监测项目；写法如下。no parameter was recognised; write them like this:"
        yield '# "PM2.5" = { column = "列名", unit = "ug/m3" }'
    for name, (column, written) in draft.results.items():
        parameter = parameters()[name]
        fits = _unit_of(name, written) if written is not None else None
        use = fits or parameter.unit
        todo = ""
        if written is None and units()[parameter.unit].dimension != "dimensionless":
            todo = f"  # TODO: 列名没有单位，暂按 {use}，请核对。no unit in the header"
        elif written is not None and fits is None:
            todo = f"  # TODO: 单位 {_note(written)} 不能换算为 {parameter.unit}，请核对。unit does not convert"
        yield f"{_text(name)} = {{ column = {_text(column.header)}, unit = {_text(use)} }}{todo}"
    yield ""


def _open_columns(draft: _Draft) -> Iterator[str]:
    """Say of every column that is not mapped what it might be."""
    medium = MEDIA.get(draft.dataset)
    known = [word for words in draft.words.fields.values() for word in words]
    known += [p.name_zh for p in parameters().values() if p.medium == medium]
    for column, name in draft.repeated:
        header = _note(column.header)
        yield f"# TODO: 列“{header}”与另一列同为 {name}，请把其中一列写入 ignore。a second column of the same"
    for column in draft.unknown:
        texts = "、".join(_note(text) for text in column.texts[:3])
        if not column.header:
            yield f"# TODO: 第 {column.at + 1} 列没有列名但有数据（{texts}）。column without a header"
            continue
        near = nearest(_split(column.header)[0], known)
        hint = f"；相近：{'、'.join(near)}" if near else ""
        what = f"列“{_note(column.header)}”（如 {texts or '空'}）没有认出{hint}"
        yield f"# TODO: {what}；请写入 [columns]、[results] 或 ignore。not recognised: map it or ignore it"
