"""JSON and XML deliveries as grids: records become rows, their names the header in row 1.

Numbers keep their literal text. What a delivery announces but does not hold (pages of a longer answer) is noted.
"""

from __future__ import annotations

import html
import json
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any
from xml.etree import ElementTree

from pipelines.batch import Normalisation, ReadLimits, Sheet
from pipelines.errors import UnreadableFile, UnreadableText
from pipelines.intake import grid
from pipelines.intake.text import SENTINEL, Decoded

DEPTH = 50
TOTALS = ("records", "totalCount", "TotalCount", "total", "count")
"""Names under which deliveries announce how many records there are."""
_TAG = re.compile(r"<[^<>]*>")
_TITLE = re.compile(r"<span\b[^<>]*\btitle\s*=\s*['\"]([^'\"<>]*)['\"][^<>]*>")
_ENTITY = re.compile(r"&(?!(?:amp|lt|gt|quot|apos);)(?=[A-Za-z][A-Za-z0-9]*;)")


def read_json(decoded: Decoded, limits: ReadLimits) -> tuple[str, Sheet, list[Normalisation]]:
    """Read spooled JSON.

    Parameters
    ----------
    decoded : Decoded
        UTF-8 text with the sentinel as its last line.
    limits : ReadLimits
        Rows, columns and cells allowed.

    Returns
    -------
    kind : str
        ``geojson``, ``cnemc-water-json`` or ``json``.
    sheet : Sheet
        Header in row 1; record ``i`` (from 1) in row ``i + 1``.
    notes : list of Normalisation
        ``declared-total``.

    Raises
    ------
    UnreadableFile
        No JSON, a name twice in one object, NaN, nesting beyond 50, or no list of records.
    """
    text = _text(decoded)
    try:
        data = json.loads(text, parse_float=str, parse_int=str, parse_constant=_constant, object_pairs_hook=_object)
        _check_depth(data)
    except json.JSONDecodeError as error:
        raise UnreadableFile(
            "damaged",
            f"JSON 第 {error.lineno} 行第 {error.colno} 个字符处有误，文件可能不完整；请重新导出",
            f"the JSON is broken at line {error.lineno}, character {error.colno}: {error.msg}",
            row=error.lineno,
        ) from error
    except RecursionError as error:
        raise _too_deep() from error
    kind, records, totals = _grid(data)
    if len(records) < 2:
        raise grid.no_rows()
    try:
        sheet = grid.sheet_of(records, limits)
    except UnicodeEncodeError as error:
        raise UnreadableText(
            "bad-text",
            "JSON 中含有不成对的代理码位（\\uD800–\\uDFFF），不是有效文字；请重新导出",
            "the JSON holds a lone surrogate, which is no character",
        ) from error
    return kind, sheet, _declared(totals, len(records) - 1)


def _text(decoded: Decoded) -> str:
    return decoded.path.read_bytes().removesuffix(SENTINEL).decode()


def _constant(name: str) -> str:
    raise UnreadableFile(
        "json-constant",
        f"JSON 中含有 {name}，不是有效数值；缺测请写 null 或空文本",
        f"the JSON holds {name}, which is no number; write null for a missing value",
    )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        raise UnreadableFile(
            "json-twice",
            f"JSON 的一个对象中“{twice}”出现了两次，无法确定取哪个值；请改正后重新导出",
            f"'{twice}' stands twice in one JSON object",
        )
    return found


def _check_depth(data: Any) -> None:
    level = [data]
    for _ in range(DEPTH):
        level = (
            [
                child
                for item in level
                for child in (item.values() if isinstance(item, dict) else item)
                if isinstance(child, (dict, list))
            ]
            if isinstance(data, (dict, list))
            else []
        )
        if not level:
            return
    raise _too_deep()


def _too_deep() -> UnreadableFile:
    return UnreadableFile("json-depth", f"JSON 嵌套超过 {DEPTH} 层；请重新导出", f"the JSON nests deeper than {DEPTH}")


def _grid(data: Any) -> tuple[str, list[list[str]], dict[str, Any]]:
    """Find the records in a document: kind, header and rows, and the object that may announce a total."""
    if isinstance(data, dict):
        if data.get("type") == "FeatureCollection" and isinstance(data.get("features"), list):
            return "geojson", _of_objects([_feature(feature) for feature in data["features"]]), data
        if isinstance(data.get("thead"), list) and isinstance(data.get("tbody"), list):
            header = [_bare(str(name)) for name in data["thead"]]
            return "cnemc-water-json", [header, *([_shown(cell) for cell in row] for row in data["tbody"])], data
        for names, rows in (("headers", "rows"), ("columns", "rows"), ("columns", "data")):
            if _is_list_of(data.get(names), str) and _is_list_of(data.get(rows), list):
                return "json", [data[names], *([_cell(cell) for cell in row] for row in data[rows])], data
        for value in data.values():
            if _is_list_of(value, dict):
                return "json", _of_objects(value), data
        for value in data.values():
            if isinstance(value, dict) and any(_is_list_of(inner, (dict, list)) for inner in value.values()):
                return _grid(value)
    if _is_list_of(data, dict):
        return "json", _of_objects(data), {}
    if _is_list_of(data, list):
        return "json", [[_cell(cell) for cell in row] for row in data], {}
    raise UnreadableFile(
        "json-shape",
        'JSON 中没有记录列表；请给出对象列表，或 {"headers": […], "rows": [[…]]}',
        'the JSON holds no list of records; send a list of objects, or {"headers": […], "rows": [[…]]}',
    )


def _is_list_of(value: Any, kind: type | tuple[type, ...]) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, kind) for item in value)


def _feature(feature: Any) -> dict[str, Any]:
    if not isinstance(feature, dict) or not isinstance(feature.get("properties"), dict):
        raise UnreadableFile("json-shape", "GeoJSON 的要素没有 properties；请重新导出", "a feature has no properties")
    record = dict(feature["properties"])
    place = feature.get("geometry")
    if isinstance(place, dict) and place.get("type") == "Point" and len(place.get("coordinates", ())) >= 2:
        record.setdefault("longitude", place["coordinates"][0])
        record.setdefault("latitude", place["coordinates"][1])
    return record


def _of_objects(objects: Iterable[dict[str, Any]]) -> list[list[str]]:
    flat = [_flat(item) for item in objects]
    names = list(dict.fromkeys(name for item in flat for name in item))
    return [names, *([item.get(name, "") for name in names] for item in flat)]


def _flat(item: dict[str, Any], prefix: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in item.items():
        if isinstance(value, dict):
            found.update(_flat(value, f"{prefix}{name}."))
        else:
            found[prefix + name] = _cell(value)
    return found


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return json.dumps(value, ensure_ascii=False)


def _bare(text: str) -> str:
    """Take the markup away.

    Examples
    --------
    >>> _bare("水温<br/><span class='unit'>(℃)</span>")
    '水温(℃)'
    """
    return html.unescape(_TAG.sub("", text)) if "<" in text else text


def _shown(value: Any) -> str:
    """Write a cell with markup as text; what its title says follows in brackets.

    Examples
    --------
    >>> _shown("<span title='原始值：26.58'>26.6</span>"), _shown("--")
    ('26.6（原始值：26.58）', '--')
    """
    text = _cell(value)
    title = _TITLE.search(text)
    return f"{_bare(text)}（{html.unescape(title[1])}）" if title else _bare(text)


def _declared(facts: dict[str, Any], read: int) -> list[Normalisation]:
    numbers = [int(facts[name]) for name in TOTALS if re.fullmatch(r"\d{1,12}", str(facts.get(name, "")))]
    if not numbers or max(numbers) == read:
        return []
    total = max(numbers)
    return [Normalisation("declared-total", f"声明共 {total} 条记录，本文件有 {read} 条", abs(total - read))]


def read_xml(decoded: Decoded, limits: ReadLimits) -> tuple[str, Sheet, list[Normalisation]]:
    """Read spooled XML whose records are repeated elements.

    Parameters
    ----------
    decoded, limits
        As for JSON.

    Returns
    -------
    kind : str
        ``cnemc-xml`` or ``xml``.
    sheet : Sheet
        Element names as headers in row 1; nested elements as ``outer.inner``; an entity nobody declared
        (``&mdash;``) stays as written.
    notes : list of Normalisation
        ``declared-total``.

    Raises
    ------
    UnreadableFile
        Not well formed, with a document type declaration, or without repeated records.
    """
    text = _text(decoded)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise UnreadableFile(
            "hostile-xml", "XML 含有 DOCTYPE 声明，不接收；请去掉后再交", "XML with a DOCTYPE is not taken"
        )
    try:
        root = ElementTree.fromstring(_ENTITY.sub("&amp;", text))
    except (ElementTree.ParseError, ValueError) as error:
        row = getattr(error, "position", (None, 0))[0]
        raise UnreadableFile(
            "damaged",
            f"XML 第 {row} 行有误，文件可能不完整；请重新导出",
            f"the XML is broken: {error}",
            row=row,
        ) from error
    records, name = _repeated(root)
    if not records:
        raise UnreadableFile("xml-shape", "XML 中没有重复的记录；请检查文件", "the XML holds no repeated records")
    flat = [_leaves(record) for record in records]
    names = list(dict.fromkeys(key for item in flat for key in item))
    sheet = grid.sheet_of([names, *([item.get(key, "") for key in names] for item in flat)], limits)
    totals = {_local(element): element.text or "" for element in root.iter() if _local(element) in TOTALS}
    kind = "cnemc-xml" if name == "AQIDataPublishLive" else "xml"
    return kind, sheet, _declared(totals, len(records))


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _repeated(root: ElementTree.Element) -> tuple[list[ElementTree.Element], str]:
    """Find the children of one name and one parent, with children of their own, that are most numerous."""
    best: list[ElementTree.Element] = []
    for parent in root.iter():
        counts = Counter(child.tag for child in parent if len(child))
        for tag, times in counts.items():
            if times > len(best):
                best = [child for child in parent if child.tag == tag]
    return best, _local(best[0]) if best else ""


def _leaves(record: ElementTree.Element) -> dict[str, str]:
    found: dict[str, str] = {}
    open_elements = [(child, _local(child)) for child in reversed(record)]
    while open_elements:
        element, name = open_elements.pop()
        if len(element):
            open_elements += [(child, f"{name}.{_local(child)}") for child in reversed(element)]
        else:
            text = element.text or ""
            found[name] = f"{found[name]}\n{text}" if name in found else text
    return found
