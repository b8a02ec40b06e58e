"""A recognised grid to the exchange's own words: rename, wide to long, text to value, unit, time, place.

The frame of results comes in blocks, one per column of the sheet, each in the order of the rows; what is distinct is
worked on once and spread by codes, so that a million rows cost little more than their distinct texts.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipelines.batch import HeaderColumn, Normalisation, RawBatch, Recognised, Sheet, StandardBatch
from pipelines.errors import MissingColumn
from pipelines.frames import coded, stacked
from pipelines.standardise import places, times, units
from pipelines.standardise.registers import read_register
from pipelines.standardise.results import read_results
from pipelines.standardise.text import Changes, TextColumn, categorical, notes_of
from schemas.files import fold
from schemas.layouts import Layout, habits
from schemas.loaders import (
    Bureau,
    Parameter,
    find_parameter,
    parameter_by_hj_code,
    parameters,
    regions,
    tables,
)
from schemas.states import message_periods, missing_reason
from schemas.templates import EXAMPLE_MARK

PLACE_COLUMNS = {
    "air": ("station_id", "station_name"),
    "water": ("section_id", "section_name"),
    "soil": ("point_id", "point_name"),
}
_MARK_STATUS = {
    "error-cell": "error-cell",
    "formula-blank": "formula-blank",
    "external-formula": "external-formula",
    "percent": "percent",
    "long-number": "long-number",
}


@dataclass
class Grid:
    """The records of one sheet that are data, by column."""

    found: Recognised
    keep: np.ndarray
    rows: np.ndarray
    columns: dict[int, TextColumn]
    notes: list[Normalisation]

    @property
    def size(self) -> int:
        """Number of records."""
        return len(self.rows)


def to_table(
    found: tuple[Recognised, ...], raw: RawBatch, bureau: Bureau, received: dt.date, site: Path | None = None
) -> StandardBatch:
    """Bring a recognised file into the exchange's own words.

    Parameters
    ----------
    found : tuple of Recognised
        Sheets of one layout.
    raw : RawBatch
        The file they come from.
    bureau : Bureau
        The sender, whose stations and schemes count.
    received : date
        Day of receipt; stamps without a year are read before it.
    site : Path, optional
        Facts of this home.

    Returns
    -------
    StandardBatch
        Rows and results before judgement; nothing is dropped but missing cells, which are counted.
    """
    layout = found[0].layout
    parts = []
    for one in found:
        grid = data_grid(one)
        if layout.medium is None:
            parts.append(read_register(one, grid.columns, grid.rows, bureau, received))
            part_notes = parts[-1].normalised
        else:
            parts.append(_measurements(grid, raw, bureau, received, site))
            part_notes = parts[-1].normalised
        parts[-1] = _with_notes(parts[-1], [*grid.notes, *part_notes])
    return parts[0] if len(parts) == 1 else _stacked(parts)


def _with_notes(batch: StandardBatch, notes: list[Normalisation]) -> StandardBatch:
    return StandardBatch(
        batch.dataset, batch.table, batch.layout, batch.bureau, batch.rows, batch.results, batch.columns, batch.missing,
        tuple(notes), batch.answers,
    )  # fmt: skip


def _stacked(parts: list[StandardBatch]) -> StandardBatch:
    rows, results, at = [], [], 0
    for part in parts:
        rows.append(part.rows)
        results.append(part.results.assign(row=part.results["row"] + np.int32(at)))
        at += len(part.rows)
    return StandardBatch(
        parts[0].dataset,
        parts[0].table,
        parts[0].layout,
        parts[0].bureau,
        _concat(rows),
        _concat(results),
        parts[0].columns,
        sum(part.missing for part in parts),
        tuple(note for part in parts for note in part.normalised),
        {key: text for part in parts for key, text in part.answers.items()},
    )


def _concat(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """Stack frames; categoricals get the union of their words."""
    if len(frames) == 1:
        return frames[0]
    columns = {}
    for name in frames[0].columns:
        pieces = [frame[name] for frame in frames]
        if isinstance(pieces[0].dtype, pd.CategoricalDtype):
            columns[name] = pd.Series(stacked([p.array for p in pieces]))
        else:
            columns[name] = pd.concat(pieces, ignore_index=True)
    return pd.DataFrame(columns)


def data_grid(found: Recognised) -> Grid:
    """Pick the records that are data: below the header, not blank, not a note or a total at the end."""
    sheet, first = found.sheet, found.first
    size = len(sheet.rows)
    everything = np.ones(size, dtype=bool)
    blank = np.ones(size, dtype=bool)
    for position in range(sheet.cells.num_columns):
        column = sheet.cells.column(position).combine_chunks()
        empty = np.array([not fold(t) for t in column.dictionary.to_pylist()], dtype=bool)
        if len(empty):
            blank &= empty[column.indices.to_numpy(zero_copy_only=False)]
    keep = everything & ~blank
    keep[:first] = False
    notes = []
    footers = _footers(found, keep)
    if footers:
        keep[footers] = False
        where = "、".join(f"第 {int(sheet.rows[at])} 行" for at in sorted(footers)[:5])
        notes.append(Normalisation("footer-row", "表尾的注、合计等行不作为数据", len(footers), where))
    example = _examples(found, keep)
    if example:
        keep[example] = False
        notes.append(Normalisation("example-row", "模板的示例行不作为数据", len(example)))
    inner = int((blank[first:] & (np.cumsum(keep[::-1])[::-1][first:] > 0)).sum()) if keep.any() else 0
    if inner:
        notes.append(Normalisation("blank-row", "空行", inner))
    tally = Changes()
    columns = {}
    for header in found.columns:
        if header.position not in columns:
            columns[header.position] = TextColumn.of(sheet, header.position, keep, first)
            if not header.ignored:
                columns[header.position].fold_notes(tally, header.letter, sheet.rows[keep])
    return Grid(found, keep, sheet.rows[keep], columns, notes + notes_of(tally))


def _footers(found: Recognised, keep: np.ndarray) -> list[int]:
    """Find notes and totals below the last record."""
    words = tuple(fold(word) for word in habits().footers)
    sheet = found.sheet
    identity = {c.position for c in found.columns if c.field in ("@time0", "period_start", "uscc", "identity_number")}
    found_rows = []
    for at in np.flatnonzero(keep)[::-1][:30].tolist():
        texts = [fold(sheet.cells.column(i)[at].as_py() or "") for i in range(sheet.cells.num_columns)]
        filled = [i for i, text in enumerate(texts) if text]
        others = [texts[i] for i in identity if i != filled[0]] if filled else []
        if not filled or not texts[filled[0]].startswith(words) or any(t and not t.startswith(words) for t in others):
            break
        found_rows.append(at)
    return found_rows


def _examples(found: Recognised, keep: np.ndarray) -> list[int]:
    """Find the example rows of a template, just below its header."""
    texts = [found.sheet.cells.column(0)[at].as_py() or "" for at in np.flatnonzero(keep)[:3].tolist()]
    marked = [
        at
        for at, text in zip(np.flatnonzero(keep)[:3].tolist(), texts, strict=True)
        if fold(text).startswith(fold(EXAMPLE_MARK))
    ]
    return marked


def _field(grid: Grid, name: str) -> TextColumn | None:
    for header in grid.found.columns:
        if header.field == name:
            return grid.columns[header.position]
    return None


def _measurements(grid: Grid, raw: RawBatch, bureau: Bureau, received: dt.date, site: Path | None) -> StandardBatch:
    layout = grid.found.layout
    assert layout.medium is not None
    notes: list[Normalisation] = []
    stamps, time_status, time_text = _stamps(grid, raw, received, notes)
    joined = _joined(grid)
    area = _field(grid, "area")
    if area is None and "area" in layout.fixed:
        area = TextColumn.constant(_area(layout, raw.file), grid.size)
    id_column, name_column = PLACE_COLUMNS[layout.dataset]
    code, name = _field(grid, id_column), _field(grid, name_column)
    if code is not None and "area" in layout.fixed and bureau.open_stations:
        # numbers of the file's own: only together with whose file it is do they name a place
        name = name or code
        code = TextColumn(code.codes, [f"{_area(layout, raw.file)}:{text}" if text else "" for text in code.folded])
    resolved = places.resolve(code, name, area, stamps, bureau, layout.medium, site)
    shown = code if code is not None else name
    assert shown is not None
    rows = {
        "source_row": grid.rows.astype(np.int32),
        "sheet": coded(np.zeros(grid.size, np.int8), [grid.found.sheet.name or ""]),
        "place_id": categorical(resolved.ids, resolved.codes),
        "place_name": categorical(resolved.names, resolved.codes),
        "place_status": pd.Categorical(resolved.status),
        "place_text": shown.category(),
        "place_hint": categorical(resolved.hints, resolved.codes),
        "area": (area or TextColumn.constant("", grid.size)).category(),
        "stamp": stamps,
        "time_status": pd.Categorical(time_status),
        "time_text": time_text.written(),
        "record_status": _record_status(grid),
    }
    rows |= _row_extras(grid, layout, joined)
    if layout.long is not None:
        results, missing = _long_results(grid, layout, rows, notes)
    else:
        results, missing = _wide_results(grid, layout, rows, stamps, notes)
    frame = pd.DataFrame(rows)
    frame, stamps = _with_broken(frame, grid.found.sheet, stamps)
    return StandardBatch(
        layout.dataset,
        tables()[layout.table],
        layout,
        bureau.bureau,
        frame,
        results,
        grid.found.columns,
        missing,
        tuple(notes),
        _answers(grid),
    )


def _stamps(
    grid: Grid, raw: RawBatch, received: dt.date, notes: list[Normalisation]
) -> tuple[np.ndarray, np.ndarray, TextColumn]:
    layout = grid.found.layout
    assert layout.time is not None
    if not layout.time.columns:
        fixed = layout.fixed["sample_date"]
        day = dt.datetime(fixed.year, fixed.month, fixed.day, tzinfo=times.CST)
        stamps = np.full(grid.size, int(day.timestamp()) * 1_000_000, dtype=np.int64)
        return stamps, np.full(grid.size, "", dtype=object), TextColumn.constant(str(fixed), grid.size)
    parts = [_field(grid, f"@time{number}") for number in range(len(layout.time.columns))]
    column = TextColumn.joined([part for part in parts if part is not None])
    reference = _date_in(raw.file) or received if layout.time.year else None
    read = times.read_times(
        column.texts,
        layout.time.formats,
        typed=grid.found.sheet.typed,
        hour24=layout.time.hour24,
        reference=reference,
    )
    words = {
        "hour24": "24:00 记为次日 00:00",
        "excel-serial": "Excel 序列日期",
        "zone": "带时区的时刻换算为北京时间",
        "year-added": f"时刻无年份，按 {reference} 之前最近的年份补足",
    }
    for kind, meaning in words.items():
        count = int(column.counts[read.notes == kind].sum())
        if count:
            notes.append(Normalisation(kind, meaning, count))
    return read.micros[column.codes], read.status[column.codes], column


def _date_in(file: str) -> dt.date | None:
    """Find a day YYYYMMDD or YYYY-MM-DD in a file name."""
    match = re.search(r"(?<!\d)(20\d{2})-?(\d{2})-?(\d{2})(?!\d)", file)
    try:
        return dt.date(int(match[1]), int(match[2]), int(match[3])) if match else None
    except ValueError:
        return None


def _area(layout: Layout, file: str) -> str:
    """Take the area from the file name where the feed has none in the file."""
    fixed = layout.fixed["area"]
    if not isinstance(fixed, dict):
        return str(fixed)
    stem = re.sub(r"\.[^.]*$", "", re.split(r"[/!]", file)[-1])
    words = [w for w in re.split(r"[_\-\s.]+|(?<=\d)(?=\D)|(?<=\D)(?=\d)", stem) if w and not w.isdigit()]
    words = [w for w in words if w.lower() not in fixed.get("without", ())]
    if not words:
        raise MissingColumn(
            "area-unknown",
            f"文件里没有城市，也不能从文件名“{file}”得知；请把城市名写进文件名，如 绵阳.csv",
            f"the file has no city and its name {file!r} tells none; put the city into the name, e.g. mianyang.csv",
        )
    for region in regions():
        for word in words:
            if word.lower() == region.name_en.lower() or (len(word) > 1 and region.name_zh.startswith(word)):
                return region.name_zh
    return "-".join(words)


def _joined(grid: Grid) -> dict[str, TextColumn]:
    """Look the facts of a second sheet up by its key; a record without partner has blanks."""
    found = grid.found
    if found.joined is None or found.layout.join is None:
        return {}
    places_of = dict(found.joined_columns)
    first = places_of.pop("@first")
    on = places_of.pop("@on")
    table = found.joined.cells
    keys = [fold(text or "") for text in table.column(on).to_pylist()][first:]
    at = {key: number for number, key in enumerate(keys) if key}
    mine = next(c for c in found.columns if c.header == fold(found.layout.join.on))
    own = grid.columns[mine.position]
    partner = np.array([at.get(text, -1) for text in own.folded], dtype=np.int64)
    joined = {}
    for name, position in places_of.items():
        texts = [fold(text or "") for text in table.column(position).to_pylist()][first:] + [""]
        joined[name] = TextColumn(partner.astype(np.int32)[own.codes] % len(texts), texts)
    return joined


def _record_status(grid: Grid) -> pd.Categorical:
    """Tell records with a cell that is no value where the record's identity stands."""
    status = np.zeros(grid.size, dtype=np.int8)
    words = ["", "bad-cell"]
    identity = {
        c.position for c in grid.found.columns if c.field and not c.field.startswith(("@unit", "@value", "remark"))
    }
    rows = {
        m.row
        for m in grid.found.sheet.marks
        if m.column in identity and m.kind in ("error-cell", "formula-blank", "external-formula")
    }
    if rows:
        status[np.isin(grid.rows, list(rows))] = 1
    return coded(status, words)


def _row_extras(grid: Grid, layout: Layout, joined: dict[str, TextColumn]) -> dict[str, object]:
    """Give the further columns of the record: remark, depth, land use, and what a packet says of itself."""
    extras: dict[str, object] = {}
    texts = ("remark", "land_use", "area_text", "system_code", "command_code", "longitude", "latitude")
    for name in texts:
        column = joined.get(name) or _field(grid, name)
        if column is None and name in layout.fixed:
            column = TextColumn.constant(str(layout.fixed[name]), grid.size)
        if column is not None:
            codes = layout.codes.get(name)
            extras[name] = column.category((lambda t, c=codes: c.get(t, t)) if codes else None)  # type: ignore[misc]
    for name in ("depth_from_cm", "depth_to_cm", "depth_m"):
        column = _field(grid, name)
        if column is not None:
            read = read_results(pd.Series(column.texts), layout.missing)
            extras[name] = read["value"].to_numpy()[column.codes]
            extras[name + "_text"] = column.category()
            status = read["status"].to_numpy(dtype=object, copy=True)
            # "<20" is a result, but no depth
            status[(status == "") & (read["qualifier"] != "").to_numpy()] = "unreadable"
            extras[name + "_status"] = pd.Categorical(status[column.codes])
        elif name in layout.fixed:
            extras[name] = np.full(grid.size, float(layout.fixed[name]))
            extras[name + "_text"] = TextColumn.constant(str(layout.fixed[name]), grid.size).category()
            extras[name + "_status"] = coded(np.zeros(grid.size, np.int8), [""])
    for name, one, other in (
        ("crc_status", "crc_declared", "crc_computed"),
        ("length_status", "length_declared", "length_actual"),
    ):
        a, b = _field(grid, one), _field(grid, other)
        if a is not None and b is not None:
            pair = TextColumn.joined([a, b], "|")
            words = ["" if _same(text) else "bad" for text in pair.texts]
            extras[name] = categorical(words, pair.codes)
    return extras


def _same(pair: str) -> bool:
    one, _, other = pair.partition("|")
    return one.strip().upper().lstrip("0") == other.strip().upper().lstrip("0")


@dataclass
class _Told:
    """What reading the results changed, counted for the report."""

    missing: Counter[str] = field(default_factory=Counter)
    units: Counter[str] = field(default_factory=Counter)
    notation: int = 0

    def notes(self) -> list[Normalisation]:
        """Give it as the report names it."""
        found = []
        for marker, count in self.missing.most_common():
            known = missing_reason(marker)
            reason = f"（{known.name_zh}）" if known else ""
            found.append(Normalisation("missing-marker", f"缺测标记“{marker}”按缺测处理{reason}", count))
        for unit, count in self.units.most_common():
            found.append(Normalisation("unit-in-cell", f"数值后写有单位 {unit}，按该单位理解", count))
        if self.notation:
            found.append(Normalisation("notation", "千分位、科学计数等写法读作数值", self.notation))
        return found


class _Blocks:
    """Results under construction, one block per column."""

    def __init__(self) -> None:
        self.pieces: list[dict[str, np.ndarray]] = []
        self.texts: list[str] = []
        self.proposals: dict[str, str] = {}

    def add(self, **arrays: np.ndarray) -> None:
        self.pieces.append(arrays)

    def text_codes(self, column: TextColumn) -> np.ndarray:
        """Give the texts of a column their place in the common dictionary."""
        base = len(self.texts)
        self.texts.extend(column.texts)
        return column.codes + np.int32(base)

    def frame(self, words: dict[str, list[str]]) -> pd.DataFrame:
        """Stack the blocks; ``words`` are the categories of the coded columns."""
        if not self.pieces:
            self.add(**{name: np.array([], dtype=kind) for name, kind in _RESULT_TYPES.items()})
        stacked = {name: np.concatenate([piece[name] for piece in self.pieces]) for name in self.pieces[0]}
        frame: dict[str, object] = {}
        for name, values in stacked.items():
            if name == "result_text":
                frame[name] = (
                    categorical(self.texts, values)
                    if self.texts
                    else pd.Categorical([], categories=pd.Index([], dtype="str"))
                )
            elif name in words:
                frame[name] = coded(values, words[name])
            else:
                frame[name] = values
        return pd.DataFrame(frame)


_RESULT_TYPES: dict[str, Any] = {
    "row": np.int32,
    "column": np.int16,
    "parameter": np.int16,
    "averaging_period": np.int8,
    "value": np.float64,
    "qualifier": np.int8,
    "detection_limit": np.float64,
    "unit": np.int16,
    "unit_text": np.int16,
    "status": np.int8,
    "mark": np.int8,
    "result_text": np.int32,
}
ENCRYPTED = "encrypted"
"""Kind of value under which reading names a packet whose data area it cannot read."""
QUALIFIERS = ["", "<", ">", ">="]
STATUSES = [
    "", "unreadable", "marked", "error-cell", "formula-blank", "external-formula", "percent", "unit-unknown",
    "unit-inconvertible", "unit-needs-state", "parameter-unknown", "encrypted", "long-number",
]  # fmt: skip
_QUALIFIER_CODE = {word: at for at, word in enumerate(QUALIFIERS)}
_STATUS_CODE = {word: at for at, word in enumerate(STATUSES)}


def _wide_results(
    grid: Grid, layout: Layout, rows: dict[str, object], stamps: np.ndarray, notes: list[Normalisation]
) -> tuple[pd.DataFrame, int]:
    specs = {spec.parameter: spec for spec in layout.results}
    known = parameters()
    blocks = _Blocks()
    words: dict[str, list[str]] = {
        "parameter": [], "averaging_period": [], "unit": [], "unit_text": [], "status": STATUSES,
        "qualifier": QUALIFIERS, "mark": [""],
    }  # fmt: skip
    told = _Told()
    headers = [c for c in grid.found.columns if c.parameter]
    texts_of = {id(c): grid.columns[c.position] for c in headers}
    places_of = {id(c): np.full(grid.size, index_of(grid.found.columns, c), dtype=np.int16) for c in headers}
    _swap(grid, layout, headers, stamps, texts_of, places_of, notes)
    total_missing = 0
    state = str(layout.fixed.get("reference_state", ""))
    for header in headers:
        assert header.parameter is not None and layout.time is not None
        parameter = known[header.parameter]
        spec = specs.get(header.parameter)
        column = texts_of[id(header)]
        unit_text = header.unit_text if header.unit_text is not None else (spec.unit if spec else None) or ""
        way = units.resolve(parameter, unit_text, state)
        if way.plain is False and way.status == "":
            notes.append(
                Normalisation("unit", f"单位换算 {unit_text} → {parameter.unit}", grid.size, f"{header.letter} 列")
            )
        if spec is not None and spec.part is not None:
            column = TextColumn(column.codes, [_part(text, spec.part) for text in column.folded])
        block, missing = _read_block(
            column,
            (*layout.missing, *(spec.missing if spec else ())),
            way,
            grid,
            header.position,
            told,
            parameter=parameter,
            state=state,
        )
        total_missing += missing
        keep = block.pop("keep")
        size = len(keep)
        period = (spec.period if spec else None) or parameter.averaging_period or layout.time.period
        if parameter.publisher is False and spec is not None and spec.period is None:
            period = layout.time.period
        blocks.add(
            row=keep.astype(np.int32),
            column=places_of[id(header)][keep],
            parameter=np.full(size, _code(words["parameter"], header.parameter), np.int16),
            averaging_period=np.full(size, _code(words["averaging_period"], period), np.int8),
            value=block["value"],
            qualifier=block["qualifier"],
            detection_limit=block["detection_limit"],
            unit=np.full(size, _code(words["unit"], parameter.unit), np.int16),
            unit_text=np.full(size, _code(words["unit_text"], unit_text), np.int16),
            status=block["status"],
            mark=_colours(grid, layout, header.position, words["mark"])[keep],
            result_text=blocks.text_codes(column)[keep],
        )
    notes.extend(told.notes())
    return blocks.frame(words), total_missing


def _colours(grid: Grid, layout: Layout, position: int, words: list[str]) -> np.ndarray:
    """Give each cell of a column the mark that its font colour means in this layout."""
    marks = np.zeros(grid.size, np.int8)
    if not layout.colours:
        return marks
    said = {
        m.row: layout.colours[m.text]
        for m in grid.found.sheet.marks
        if m.column == position and m.kind == "font-colour" and m.text in layout.colours
    }
    for at in np.flatnonzero(np.isin(grid.rows, list(said))).tolist():
        marks[at] = _code(words, said[int(grid.rows[at])])
    return marks


def index_of(columns: tuple[HeaderColumn, ...], wanted: HeaderColumn) -> int:
    """Give the place of a header among the columns understood."""
    return next(at for at, column in enumerate(columns) if column is wanted)


def _part(text: str, part: int) -> str:
    pieces = re.split(r"[~～]", text)
    return pieces[part].strip() if len(pieces) == 2 else text


def _code(words: list[str], word: str) -> int:
    if word not in words:
        words.append(word)
    return words.index(word)


def _swap(
    grid: Grid,
    layout: Layout,
    headers: list[HeaderColumn],
    stamps: np.ndarray,
    texts_of: dict[int, TextColumn],
    places_of: dict[int, np.ndarray],
    notes: list[Normalisation],
) -> None:
    """Exchange columns the publisher is known to confuse, in the dates the layout gives."""
    for swap in layout.swaps:
        pair = [next((h for h in headers if fold(h.header).lower() == name.lower()), None) for name in swap.columns]
        if pair[0] is None or pair[1] is None:
            continue
        low = int(dt.datetime.combine(swap.since, dt.time(), times.CST).timestamp()) * 1_000_000
        high = int(dt.datetime.combine(swap.until, dt.time(), times.CST).timestamp()) * 1_000_000 + times.DAY
        inside = (stamps >= low) & (stamps < high)
        if not inside.any():
            continue
        one, other = texts_of[id(pair[0])], texts_of[id(pair[1])]
        words = one.texts + other.texts
        a, b = one.codes, other.codes + np.int32(len(one.texts))
        texts_of[id(pair[0])] = TextColumn(np.where(inside, b, a), words)
        texts_of[id(pair[1])] = TextColumn(np.where(inside, a, b), words)
        left, right = places_of[id(pair[0])], places_of[id(pair[1])]
        places_of[id(pair[0])] = np.where(inside, right, left).astype(np.int16)
        places_of[id(pair[1])] = np.where(inside, left, right).astype(np.int16)
        notes.append(
            Normalisation(
                "swapped-columns",
                f"发布方把 {swap.columns[0]} 与 {swap.columns[1]} 两列互换，已按格式的起止日期换回",
                int(inside.sum()),
                f"{swap.since}—{swap.until}",
            )
        )


def _read_block(
    column: TextColumn,
    missing: tuple[str, ...],
    way: units.Conversion,
    grid: Grid,
    position: int,
    told: _Told,
    stays: np.ndarray | None = None,
    parameter: Parameter | None = None,
    state: str = "",
) -> tuple[dict[str, np.ndarray], int]:
    """Read one column of results; give arrays of the cells that hold a result, and of those that stay though blank."""
    read = read_results(pd.Series(column.texts, dtype=object), missing)
    values = read["value"].to_numpy(copy=True)
    limits = read["detection_limit"].to_numpy(copy=True)
    words = read["status"].tolist()
    for place in np.flatnonzero(read["notation"].to_numpy()):
        if column.folded[place] == column.texts[place]:
            told.notation += int(column.counts[place])
    inside = read["unit"].tolist()
    ways = _cell_ways(inside, words, parameter, state)
    for own in ways:
        told.units[inside[own]] += int(column.counts[own])
    for array in (values, limits):
        for at in np.flatnonzero(~np.isnan(array)) if not way.plain or ways else ():
            here = ways.get(int(at), way)
            array[at] = here.apply(float(array[at])) if here.status == "" else np.nan
    is_missing = np.array([word == "missing" for word in words], dtype=bool)
    status = np.array([_STATUS_CODE.get(word, 0) for word in words], dtype=np.int8)
    if way.status:
        bare = np.array([place not in ways for place in range(len(words))], dtype=bool)
        status[~is_missing & (status == 0) & bare] = _STATUS_CODE["unit-" + way.status]
    qualifier = np.array([_QUALIFIER_CODE[word] for word in read["qualifier"].tolist()], dtype=np.int8)
    gone = is_missing[column.codes]
    cell_status = status[column.codes]
    for row, kind in _marks(grid, position):
        if kind in _MARK_STATUS:
            cells = np.flatnonzero(grid.rows == row)
            cell_status[cells] = _STATUS_CODE[_MARK_STATUS[kind]]
            if kind != "percent":
                gone[cells] = False
    if stays is not None:
        gone &= ~stays
    for at in np.flatnonzero(is_missing):
        if column.counts[at] and column.folded[at]:
            told.missing[column.folded[at]] += int(column.counts[at])
    keep = np.flatnonzero(~gone)
    codes = column.codes[keep]
    return {
        "keep": keep,
        "value": values[codes],
        "detection_limit": limits[codes],
        "qualifier": qualifier[codes],
        "status": cell_status[keep],
    }, int(gone.sum())


def _cell_ways(
    written: list[str], words: list[str], parameter: Parameter | None, state: str
) -> dict[int, units.Conversion]:
    """Find the way of each distinct text that carries its own unit; without a parameter it cannot be read."""
    ways: dict[int, units.Conversion] = {}
    for at, text in enumerate(written):
        if not text:
            continue
        if parameter is None:
            words[at] = "unreadable"
            continue
        ways[at] = units.resolve(parameter, text, state)
        if ways[at].status:
            words[at] = "unit-" + ways[at].status
    return ways


def _marks(grid: Grid, position: int) -> list[tuple[int, str]]:
    return [(m.row, m.kind) for m in grid.found.sheet.marks if m.column == position]


def _long_results(
    grid: Grid, layout: Layout, rows: dict[str, object], notes: list[Normalisation]
) -> tuple[pd.DataFrame, int]:
    assert layout.long is not None and layout.medium is not None and layout.time is not None
    names, values = _field(grid, "@parameter"), _field(grid, "@value")
    assert names is not None and values is not None
    kinds, unit_column, mark = _field(grid, "@kind"), _field(grid, "@unit"), _field(grid, "@mark")
    by_name = [_parameter_of(text, layout.long.coding, layout.medium) for text in names.folded]
    words: dict[str, list[str]] = {
        "parameter": [], "averaging_period": [], "unit": [], "unit_text": [], "status": STATUSES,
        "qualifier": QUALIFIERS, "mark": [""],
    }  # fmt: skip
    unit_texts = unit_column or TextColumn.constant("", grid.size)
    pair = TextColumn.joined([names, unit_texts], "\x00")
    position = next(c.position for c in grid.found.columns if c.field == "@value")
    told = _Told()
    hidden = np.zeros(grid.size, dtype=bool)
    if kinds is not None:
        hidden = np.array([text == ENCRYPTED for text in kinds.folded], dtype=bool)[kinds.codes]
    plain = units.Conversion("", 1.0, 0.0, "")
    block, missing = _read_block(values, layout.missing, plain, grid, position, told, hidden)
    notes.extend(told.notes())
    keep = block["keep"]
    if kinds is not None:
        taken = np.array([text in ("Rtd", "Avg", ENCRYPTED) for text in kinds.folded], dtype=bool)
        filled = np.array([bool(text) for text in names.folded], dtype=bool)[names.codes] | hidden
        left_out = Counter[str]()
        for at, text in enumerate(kinds.folded):
            if text and not taken[at]:
                left_out[text] += int(kinds.counts[at])
        if left_out:
            listed = "、".join(f"{kind}×{count}" for kind, count in left_out.most_common())
            notes.append(Normalisation("other-kind", f"报文中的极值、累积量等不进入均值表：{listed}", left_out.total()))
        inside = (taken[kinds.codes] & filled)[keep]
        block = {name: array[inside] for name, array in block.items()}
        keep = block["keep"]
        missing = int((taken[kinds.codes] & filled).sum()) - len(keep)
    status = block["status"].copy()
    value, limit = block["value"].copy(), block["detection_limit"].copy()
    parameter_code = np.zeros(len(names.texts), dtype=np.int16)
    unit_code = np.zeros(len(names.texts), dtype=np.int16)
    for at, (text, parameter) in enumerate(zip(names.folded, by_name, strict=True)):
        parameter_code[at] = _code(words["parameter"], parameter.parameter if parameter else f"?{text}")
        unit_code[at] = _code(words["unit"], parameter.unit if parameter else "")
    state = str(layout.fixed.get("reference_state", ""))
    unit_text_code = np.array([_code(words["unit_text"], text) for text in unit_texts.folded], dtype=np.int16)
    for at, text in enumerate(pair.texts):
        inside = pair.codes[keep] == at
        if not inside.any():
            continue
        name, _, unit = text.partition("\x00")
        parameter = _parameter_of(name, layout.long.coding, layout.medium)
        if parameter is None:
            status[inside] = _STATUS_CODE["parameter-unknown"]
            value[inside] = np.nan
            continue
        if unit_column is None:
            continue
        way = units.resolve(parameter, unit, state)
        if way.status:
            status[inside & (status == 0)] = _STATUS_CODE["unit-" + way.status]
            value[inside] = np.nan
        elif not way.plain:
            for array in (value, limit):
                array[inside] = [way.apply(v) if v == v else v for v in array[inside].tolist()]
    status[hidden[keep]] = _STATUS_CODE[ENCRYPTED]
    period = np.full(grid.size, _code(words["averaging_period"], layout.time.period), np.int8)
    command = _field(grid, "command_code")
    if command is not None:
        by_code = [_code(words["averaging_period"], message_periods().get(text, "")) for text in command.folded]
        period = np.array(by_code, dtype=np.int8)[command.codes]
    if unit_column is None and layout.long.coding == "hj212" and len(keep):
        notes.append(Normalisation("unit-assumed", "报文不含单位，按本项目规定单位理解", len(keep)))
    marks = np.zeros(grid.size, np.int8)
    if mark is not None:
        marks = np.array([_code(words["mark"], text) for text in mark.folded], dtype=np.int8)[mark.codes]
    blocks = _Blocks()
    place = index_of(grid.found.columns, next(c for c in grid.found.columns if c.field == "@value"))
    blocks.add(
        row=keep.astype(np.int32),
        column=np.full(len(keep), place, np.int16),
        parameter=parameter_code[names.codes[keep]],
        averaging_period=period[keep],
        value=value,
        qualifier=block["qualifier"],
        detection_limit=limit,
        unit=unit_code[names.codes[keep]],
        unit_text=unit_text_code[unit_texts.codes[keep]],
        status=status,
        mark=marks[keep],
        result_text=blocks.text_codes(values)[keep],
    )
    return blocks.frame(words), missing


def _parameter_of(text: str, coding: str, medium: str) -> Parameter | None:
    if coding == "hj212":
        return parameter_by_hj_code(text, medium) or find_parameter(medium, text)
    return find_parameter(medium, text)


def _with_broken(frame: pd.DataFrame, sheet: Sheet, stamps: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
    """Add the records whose field count does not fit: they are rows, with no results."""
    if not sheet.broken:
        return frame, stamps
    size = len(sheet.broken)
    extra: dict[str, object] = {}
    for name in frame.columns:
        kind = frame[name].dtype
        if name == "source_row":
            extra[name] = np.array([b.row for b in sheet.broken], dtype=np.int32)
        elif name == "record_status":
            extra[name] = pd.Categorical(["broken"] * size)
        elif name == "place_text":
            extra[name] = pd.Categorical([b.text[:200] for b in sheet.broken])
        elif name == "place_hint":
            extra[name] = pd.Categorical(
                [f"该行 {b.fields} 个字段，表头 {b.expected} 个{_comma_hint(b.text)}" for b in sheet.broken]
            )
        elif name == "stamp":
            extra[name] = np.full(size, times.NOT_A_TIME, dtype=np.int64)
        elif isinstance(kind, pd.CategoricalDtype):
            extra[name] = pd.Categorical([""] * size)
        else:
            extra[name] = np.full(size, np.nan)
    joined = _concat([frame, pd.DataFrame(extra)])
    return joined, joined["stamp"].to_numpy()


def _comma_hint(text: str) -> str:
    return "；该行有全角逗号“，”，请改为半角逗号" if "，" in text else ""


def _answers(grid: Grid) -> dict[tuple[int, str], str]:
    """Read the uploader's explanations back from an annotated copy."""
    position = grid.found.answer_column
    if position is None:
        return {}
    column = TextColumn.of(grid.found.sheet, position, grid.keep, grid.found.first)
    return {
        (int(grid.rows[at]), ""): column.folded[column.codes[at]] for at in np.flatnonzero(~column.blank()).tolist()
    }
