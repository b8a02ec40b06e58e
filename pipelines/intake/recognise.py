"""Which layout is this: headers against the layouts a bureau may send.

A header is looked for under title rows, in one, two or three joined rows (merged headers give the group, the row
below gives the parameter or its unit). Every column of the file must then be mapped, ignored by name, or empty:
the unknown is never dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache

import numpy as np

from pipelines.batch import HeaderColumn, Normalisation, RawBatch, Recognised, Sheet, letter
from pipelines.errors import (
    AmbiguousLayout,
    LayoutError,
    MissingColumn,
    OldTemplate,
    RepeatedColumn,
    UnknownColumn,
    UnknownLayout,
)
from schemas.files import fold
from schemas.layouts import Layout, habits
from schemas.loaders import find_parameter, find_unit, parameters

_UNIT_GLYPHS = str.maketrans(
    {"μ": "u", "µ": "u", "³": "3", "²": "2", "㎥": "m3", "℃": "c", "（": "(", "）": ")", "₂": "2", "₃": "3"}
)
_TAIL = re.compile(r"^(?P<name>.*?)\s*[(\[](?P<unit>[^()\[\]]*)[)\]]$", re.DOTALL)
_EDITION = re.compile(r"(\d{4})[-年.](\d{1,2})")


@lru_cache(maxsize=16_384)
def key_of(header: str) -> str:
    """Fold a header for comparison: full-width, blanks, case and the ways to write μ and ³ do not count."""
    folded = fold(header).translate(_UNIT_GLYPHS)
    folded = re.sub(r"m\?", "m3", folded.lower())
    return re.sub(r"\s+", "", folded).replace("^", "")


@lru_cache(maxsize=16_384)
def split_unit(header: str) -> tuple[str, str | None]:
    """Split ``氨氮(mg/L)`` into name and unit; brackets that hold no unit stay in the name."""
    match = _TAIL.match(fold(header))
    if match and match["unit"] and find_unit(match["unit"]) is not None:
        return match["name"].strip(), match["unit"]
    return fold(header), None


def top_rows(sheet: Sheet, count: int) -> list[list[str]]:
    """Give the first records of a sheet as lists of text."""
    head = sheet.cells.slice(0, count)
    columns = [[value if value is not None else "" for value in column.to_pylist()] for column in head.itercolumns()]
    return [list(row) for row in zip(*columns, strict=True)] if columns else []


def _fill_merged(rows: list[list[str]], sheet: Sheet) -> list[list[str]]:
    """Spread the text of a merged range over its cells."""
    filled = [list(row) for row in rows]
    position = {int(number): at for at, number in enumerate(sheet.rows[: len(rows)])}
    for top, left, bottom, right in sheet.merged:
        at = position.get(top)
        if at is None or left >= len(filled[at]):
            continue
        text = filled[at][left]
        for number in range(top, bottom + 1):
            where = position.get(number)
            if where is None:
                continue
            for column in range(left, min(right, len(filled[where]) - 1) + 1):
                filled[where][column] = text
    return filled


def _joined(rows: list[list[str]], merged: list[list[str]], at: int, depth: int) -> list[tuple[str, ...]]:
    """Give the ways to read the header of each column from ``depth`` rows."""
    if depth == 1:
        return [(text,) for text in rows[at]]
    ways: list[tuple[str, ...]] = []
    for column in range(len(rows[at])):
        stack: list[str] = []
        for step in range(depth):
            text = merged[at + step][column]
            if fold(text) and (not stack or stack[-1] != text):
                stack.append(text)
        if not stack:
            ways.append(("",))
        elif len(stack) == 1:
            ways.append((stack[0],))
        else:
            upper, lower = stack[-2], stack[-1]
            bare = fold(lower).strip("()[]")
            if find_unit(bare) is not None and bare:
                ways.append((f"{upper}({bare})", lower))
            else:
                ways.append((lower, upper + lower, f"{upper}({lower})", "".join(stack)))
    return ways


@dataclass(frozen=True)
class _Match:
    layout: Layout
    at: int
    depth: int
    columns: tuple[HeaderColumn, ...] | None
    error: LayoutError | None
    answer: int | None = None


def _map_columns(layout: Layout, ways: list[tuple[str, ...]], sheet: Sheet, header_row: int, first: int) -> _Match:
    """Map each column of the file, or say which one cannot be."""
    words = habits()
    wanted: dict[str, HeaderColumn] = {}

    def want(header: str, **feeds: object) -> None:
        wanted.setdefault(key_of(header), HeaderColumn(-1, "", header, **feeds))  # type: ignore[arg-type]

    for field, header in {**layout.columns, **layout.optional}.items():
        want(header, field=field)
    if layout.time:
        for number, header in enumerate(layout.time.columns):
            want(header, field=f"@time{number}")
    if layout.long:
        want(layout.long.parameter, field="@parameter")
        want(layout.long.value, field="@value")
        for field, long_header in (
            ("@unit", layout.long.unit),
            ("@kind", layout.long.kind),
            ("@mark", layout.long.mark),
        ):
            if long_header:
                want(long_header, field=field)
    by_parameter: dict[str, str] = {}
    parts: dict[str, list[str]] = {}
    for spec in layout.results:
        parts.setdefault(key_of(spec.column), []).append(spec.parameter)
        want(spec.column, parameter=spec.parameter)
        by_parameter.setdefault(spec.parameter, key_of(spec.column))
    for header in layout.ignore:
        want(header, ignored=True)
    want(words.error_column, ignored=True)
    found: list[HeaderColumn] = []
    taken: dict[str, int] = {}
    unknown: list[tuple[int, str]] = []
    answer: int | None = None
    side_from: int | None = None

    def refuse(kind: type[LayoutError], code: str, zh: str, en: str, column: int | None = None) -> _Match:
        return _Match(
            layout,
            first,
            0,
            None,
            kind(
                code,
                zh,
                en,
                sheet=sheet.name,
                row=header_row or None,
                column=None if column is None else letter(column),
            ),
        )

    place = f"工作表 {sheet.name}，" if sheet.name else ""
    place_en = f"sheet {sheet.name}, " if sheet.name else ""
    for position, names in enumerate(ways):
        header = names[0]
        if not any(fold(name) for name in names):
            if not _blank_below(sheet, position, first):
                unknown.append((position, ""))
            continue
        if key_of(header) == key_of(words.answer_column):
            answer = position
            continue
        match = next((wanted[key_of(name)] for name in names if key_of(name) in wanted), None)
        key = key_of(match.header) if match else None
        unit_text: str | None = None
        if match is None and layout.medium and (layout.further or layout.results):
            for name in names:
                base, unit = split_unit(name)
                parameter = find_parameter(layout.medium, base)
                if parameter is None:
                    continue
                if parameter.parameter in by_parameter:
                    key = by_parameter[parameter.parameter]
                    match, unit_text, header = wanted[key], unit, name
                elif layout.further:
                    key = "parameter:" + parameter.parameter
                    match, unit_text, header = HeaderColumn(-1, "", name, parameter=parameter.parameter), unit, name
                break
        elif match is not None and match.parameter:
            for name in names:
                if key_of(name) == key:
                    unit_text = split_unit(name)[1]
        if match is None or key is None:
            unknown.append((position, header))
            continue
        if key in taken:
            if layout.join and layout.join.side_table and key_of(layout.join.side_table) == key:
                side_from = position
                break
            if match.ignored:
                continue
            other = letter(taken[key])
            return refuse(
                RepeatedColumn,
                "repeated-column",
                f"{place}列名重复：“{fold(header)}”（{other} 列与 {letter(position)} 列）；请删去或改名其中一列",
                f"{place_en}columns {other} and {letter(position)} have the same header {fold(header)!r}; delete or rename one",
                position,
            )
        taken[key] = position
        found.append(
            HeaderColumn(
                position, letter(position), fold(header), match.field, match.parameter, None, unit_text, match.ignored
            )
        )
    required = [
        header
        for key, header in (
            [(key_of(h), h) for h in layout.columns.values()]
            + [(key_of(h), h) for h in (layout.time.columns if layout.time else ())]
            + [(key_of(s.column), s.column) for s in layout.results]
            + (
                [(key_of(h), h) for h in (layout.long.parameter, layout.long.value, layout.long.unit) if h]
                if layout.long
                else []
            )
        )
        if key not in taken
    ]
    known = sorted({c.header for c in wanted.values()})
    if unknown and side_from is None:
        named = "；".join(
            f"{letter(p)} 列“{fold(h)}”" if fold(h) else f"{letter(p)} 列（无列名但有数据）" for p, h in unknown
        )
        near: list[str] = []
        vocabulary = known + (
            [p.name_zh for p in parameters().values() if p.medium == layout.medium] if layout.medium else []
        )
        for _, h in unknown:
            near += get_close_matches(split_unit(h)[0], vocabulary, n=3, cutoff=0.4)
        near_text = "、".join(dict.fromkeys(near))
        missing_too = f"；并且缺少列：{'、'.join(required)}" if required else ""
        return refuse(
            UnknownColumn,
            "unknown-column",
            f"{place}不认识的列：{named}{missing_too}。"
            + (f"最接近的已知名称：{near_text}。" if near_text else "")
            + "请改正列名，或用 gongzhi propose 起草格式",
            f"{place_en}columns nobody mapped: {', '.join(f'{letter(p)} {fold(h)!r}' for p, h in unknown)}; "
            f"nearest known names: {', '.join(dict.fromkeys(near)) or 'none'}; rename them or draft a layout with gongzhi propose",
            unknown[0][0],
        )
    if required:
        return refuse(
            MissingColumn,
            "missing-column",
            f"{place}缺少列：{'、'.join(dict.fromkeys(required))}；文件中的列：{'、'.join(fold(w[0]) for w in ways if fold(w[0]))}",
            f"{place_en}missing columns: {', '.join(dict.fromkeys(required))}; present: {', '.join(fold(w[0]) for w in ways if fold(w[0]))}",
        )
    split = [
        HeaderColumn(c.position, c.letter, c.header, c.field, name, None, c.unit_text, c.ignored)
        for c in found
        if c.parameter and len(parts.get(key_of(c.header), [])) > 1
        for name in parts[key_of(c.header)][1:]
    ]
    return _Match(layout, first, 0, tuple(found + split), None, answer)


def _blank_below(sheet: Sheet, position: int, first: int) -> bool:
    column = sheet.cells.column(position).combine_chunks()
    texts = np.array([bool(fold(t)) for t in column.dictionary.to_pylist()], dtype=bool)
    codes = column.indices.to_numpy(zero_copy_only=False)[first:]
    return not bool(texts[codes].any()) if len(texts) and len(codes) else True


def _has_value(sheet: Sheet, position: int, values: Iterable[str]) -> bool:
    column = sheet.cells.column(position).combine_chunks()
    return bool(set(values) & {fold(t) for t in column.dictionary.to_pylist()})


_Ways = list[tuple[int, int, list[tuple[str, ...]], frozenset[str]]]


def _ways(rows: list[list[str]], merged: list[list[str]]) -> _Ways:
    """Read a header at every row from one, two and three rows: row, depth, ways per column, all names."""
    found: _Ways = []
    for depth in (1, 2, 3):
        for at in range(len(rows) - depth + 1):
            ways = _joined(rows, merged, at, depth)
            found.append((at, depth, ways, frozenset(key_of(name) for names in ways for name in names)))
    return found


def _match_header(layout: Layout, sheet: Sheet, rows: list[list[str]], read: _Ways) -> _Match | None:
    needed = [key_of(name) for name in layout.recognise]
    best: _Match | None = None
    tried = 0
    for at, depth, ways, standing in read:
        if depth == tried or not all(name in standing for name in needed):
            continue
        for column, values in layout.recognise_values.items():
            where = next((i for i, names in enumerate(ways) if key_of(column) in map(key_of, names)), None)
            if where is None or not _has_value(sheet, where, values):
                return None
        first = at + depth
        match = _map_columns(layout, ways, sheet, int(sheet.rows[first - 1]), first)
        match = _Match(layout, first, depth, match.columns, match.error, match.answer)
        if match.error is None:
            return _with_unit_row(match, rows)
        best, tried = best or match, depth
    return best


def _with_unit_row(match: _Match, rows: list[list[str]]) -> _Match:
    """Take a row of nothing but units below the header as part of it; it says more than the layout."""
    if match.at >= len(rows) or match.columns is None:
        return match
    bare = [fold(text).strip("()[]") for text in rows[match.at]]
    measured = {c.position for c in match.columns if c.parameter}
    filled = [i for i, text in enumerate(bare) if text]
    if not set(filled) & measured or any(find_unit(bare[i]) is None or bare[i].isdigit() for i in filled):
        return match
    columns = tuple(
        replace(c, unit_text=c.unit_text or bare[c.position]) if c.parameter and bare[c.position] else c
        for c in match.columns
    )
    return replace(match, at=match.at + 1, depth=match.depth + 1, columns=columns)


def _match_shape(layout: Layout, sheet: Sheet, rows: list[list[str]]) -> _Match | None:
    if sheet.cells.num_columns != len(layout.names) or not rows:
        return None
    patterns = [re.compile(p.replace(r"\p{Han}", "[\u3400-\u9fff]")) for p in layout.shape]
    for row in rows[:5]:
        if not all(p.match(fold(text)) for p, text in zip(patterns, row, strict=True)):
            return None
    match = _map_columns(layout, [(name,) for name in layout.names], sheet, 0, 0)
    return _Match(layout, 0, 0, match.columns, match.error)


def _old_template(raw: RawBatch, candidates: tuple[Layout, ...]) -> OldTemplate | None:
    """Find the edition stamp of a template that is no longer taken."""
    editions = {layout.edition for layout in candidates if layout.edition}
    if not editions:
        return None
    current = max(editions)
    for sheet in raw.sheets:
        for number, row in enumerate(top_rows(sheet, 5)):
            for position, text in enumerate(row):
                folded = fold(text)
                if not any(word in folded for word in habits().edition_words):
                    continue
                near = folded + " " + (fold(row[position + 1]) if position + 1 < len(row) else "")
                stamp = _EDITION.search(near)
                if stamp and f"{stamp[1]}-{int(stamp[2]):02d}" not in editions:
                    seen = f"{stamp[1]}-{int(stamp[2]):02d}"
                    return OldTemplate(
                        "old-template",
                        f"模板版本过旧（{seen}），现行版本为 {current}；请重新下载模板：gongzhi template <数据集> -o 模板.xlsx",
                        f"template edition {seen} is no longer taken, the current one is {current}; "
                        "write a new one with gongzhi template DATASET -o template.xlsx",
                        sheet=sheet.name,
                        row=int(sheet.rows[number]),
                        column=letter(position),
                    )
    return None


def _looks_like_data(row: list[str]) -> bool:
    filled = [fold(text) for text in row if fold(text)]
    return bool(filled) and sum(bool(re.match(r"^[-+]?[\d.]+|^\d{4}[-/年.]", text)) for text in filled) * 2 >= len(
        filled
    )


def recognise(
    raw: RawBatch, layouts: tuple[Layout, ...], dataset: str | None = None
) -> tuple[tuple[Recognised, ...], tuple[Normalisation, ...]]:
    """Find the layout of a file among those its bureau may send.

    Raises
    ------
    UnknownLayout, AmbiguousLayout, OldTemplate, UnknownColumn, MissingColumn, RepeatedColumn
        With the place, what stands there and what to do.
    """
    words = habits()
    candidates = tuple(
        layout for layout in layouts if raw.kind in layout.kinds and (dataset is None or layout.dataset == dataset)
    )
    notes: list[Normalisation] = []
    recognised: list[Recognised] = []
    failed: list[_Match] = []
    strangers: list[Sheet] = []
    for sheet in raw.sheets:
        if sheet.name is not None and sheet.name.startswith(words.side_sheets) and len(raw.sheets) > 1:
            notes.append(Normalisation("side-sheet", "未读的附表（说明类）", 1, sheet.name))
            continue
        rows = top_rows(sheet, words.header_rows)
        read = _ways(rows, _fill_merged(rows, sheet))
        matches = []
        for layout in candidates:
            if layout.sheets and sheet.name not in layout.sheets:
                continue
            match = (
                _match_shape(layout, sheet, rows)
                if layout.header == "none"
                else _match_header(layout, sheet, rows, read)
            )
            if match is not None:
                matches.append(match)
        good = [m for m in matches if m.error is None]
        if len(good) > 1:
            nearest = [m for m in good if m.layout.bureau is not None]
            good = nearest or good
        if len(good) > 1:
            names = "、".join(m.layout.layout for m in good)
            raise AmbiguousLayout(
                "ambiguous-layout",
                f"有多个格式同样相符：{names}；请用 --dataset 指明数据集",
                f"several layouts fit equally: {names}; name the data set with --dataset",
                sheet=sheet.name,
            )
        if good:
            assert good[0].columns is not None
            header_row = int(sheet.rows[good[0].at - 1]) if good[0].at else 0
            recognised.append(
                Recognised(sheet, good[0].layout, good[0].columns, header_row, good[0].at, answer_column=good[0].answer)
            )
            if good[0].depth and good[0].at > good[0].depth:
                notes.append(
                    Normalisation(
                        "title-rows", "表头之上的标题行", good[0].at - good[0].depth, f"表头在第 {header_row} 行"
                    )
                )
        elif matches:
            failed.append(matches[0])
        else:
            strangers.append(sheet)
    kinds = {r.layout.layout for r in recognised}
    if len(kinds) > 1:
        names = "、".join(sorted(kinds))
        raise AmbiguousLayout(
            "several-layouts",
            f"一个文件里有多种格式：{names}；请分成几个文件",
            f"one workbook holds several layouts: {names}; split it",
        )
    old = _old_template(raw, candidates)
    if old is not None:
        raise old
    if failed:
        assert failed[0].error is not None
        raise failed[0].error
    if recognised:
        recognised, left = _take_side_sheets(recognised, strangers, notes)
        if left:
            raise UnknownLayout(
                "unknown-sheet",
                f"工作表“{left[0].name}”不属于格式 {recognised[0].layout.layout}；请删去或单独上报该表",
                f"sheet {left[0].name!r} is no part of layout {recognised[0].layout.layout}; delete it or send it apart",
                sheet=left[0].name,
            )
        return tuple(recognised), tuple(notes)
    raise _unknown(raw, strangers, candidates, dataset)


def _take_side_sheets(
    recognised: list[Recognised], strangers: list[Sheet], notes: list[Normalisation]
) -> tuple[list[Recognised], list[Sheet]]:
    """Join or pass over the sheets the layout names; give those it does not."""
    left = []
    layout = recognised[0].layout
    for sheet in strangers:
        if sheet.name in layout.ignore_sheets:
            notes.append(Normalisation("ignored-sheet", "格式声明不读的工作表", 1, str(sheet.name)))
        elif layout.join and sheet.name == layout.join.sheet:
            rows = top_rows(sheet, habits().header_rows)
            keys = {key_of(layout.join.on)} | {key_of(h) for h in layout.join.columns.values()}
            at = next((i for i, row in enumerate(rows) if keys <= {key_of(t) for t in row}), None)
            if at is None:
                left.append(sheet)
                continue
            where = [
                (field, [key_of(t) for t in rows[at]].index(key_of(h))) for field, h in layout.join.columns.items()
            ]
            where.insert(0, ("@on", [key_of(t) for t in rows[at]].index(key_of(layout.join.on))))
            base = recognised[0]
            recognised[0] = Recognised(
                base.sheet, base.layout, base.columns, base.header_row, base.first, sheet, (("@first", at + 1), *where)
            )
            if layout.join.side_table:
                notes.append(Normalisation("side-table", "旁边的代码小表（不是数据）", 1, str(sheet.name)))
        elif _sheet_blank(sheet):
            continue
        else:
            left.append(sheet)
    return recognised, left


def _sheet_blank(sheet: Sheet) -> bool:
    return all(_blank_below(sheet, i, 0) for i in range(sheet.cells.num_columns))


def _unknown(
    raw: RawBatch, strangers: list[Sheet], candidates: tuple[Layout, ...], dataset: str | None
) -> UnknownLayout:
    sheet = next((s for s in strangers if not _sheet_blank(s)), None)
    if sheet is None:
        return UnknownLayout("no-rows", "没有数据行：文件里只有空白", "no data rows: the file holds nothing but blanks")
    rows = top_rows(sheet, habits().header_rows)
    at = next((i for i, row in enumerate(rows) if any(fold(t) for t in row)), 0)
    seen = [fold(text) for text in rows[at] if fold(text)]
    best, overlap = None, 0
    for layout in (one for one in candidates if one.recognise):
        names = {key_of(n) for n in (*layout.columns.values(), *layout.recognise, *(r.column for r in layout.results))}
        count = max((len(names & {key_of(t) for t in row}) for row in rows), default=0)
        if count > overlap:
            best, overlap = layout, count
    number = int(sheet.rows[at]) if len(sheet.rows) else None
    if overlap == 0 and _looks_like_data(rows[at]):
        return UnknownLayout(
            "no-header",
            f"缺少表头：第 {number} 行已是数据（{'、'.join(seen[:4])}…）；请补上模板的表头行",
            f"the header is missing: row {number} is data already ({', '.join(seen[:4])} …); add the header row of the template",
            sheet=sheet.name,
            row=number,
        )
    close = ""
    if best is not None and overlap > 1:
        lacking = [h for h in best.recognise if key_of(h) not in {key_of(t) for row in rows for t in row}]
        close = f"；最接近的格式是 {best.layout}（{best.title}），缺 {'、'.join(lacking) or '—'}"
    asked = f"（数据集 {dataset}）" if dataset else ""
    return UnknownLayout(
        "unknown-layout",
        f"不认识的格式{asked}：第 {number} 行的列名 {'、'.join(seen[:20])}{close}。"
        "请使用模板（网页“上传数据”或 gongzhi template），或为它配置格式（网页“格式配置”或 gongzhi propose）",
        f"no layout recognises the headers of row {number}: {', '.join(seen[:20])}; "
        f"nearest layout: {best.layout if close and best else 'none'}; use the template (page Upload, "
        "or gongzhi template) or describe the file (page Layouts, or gongzhi propose)",
        sheet=sheet.name,
        row=number,
    )
