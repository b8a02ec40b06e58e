"""Exchange templates: one TOML per dataset says which headers a blank workbook gets and what its reader is told.

The layout of the same dataset (``layouts/<dataset>_template.toml``) says how the filled workbook is read; a header that
it does not know, or one it needs and the template lacks, stops the start.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from schemas.files import SCHEMAS, MalformedFact, line_of, read_toml
from schemas.layouts import DATASETS, Layout, read_layout
from schemas.loaders import parameters, units

_KEYS = {"layout", "source", "column", "further"}
_COLUMN_KEYS = {"header", "meaning", "meaning_en", "format", "example", "choices", "open", "number", "required"}
LISTS = ("stations", "station-names", "levels")
EXAMPLE_MARK = "示例："
"""How the first cell of the example row begins: a row that begins so is never data."""


@dataclass(frozen=True, slots=True)
class TemplateColumn:
    """One column of a template.

    ``choices`` are the texts of a drop-down; ``list_of`` says instead which list of the exchange fills it
    (``stations``, ``station-names``, ``levels``). ``open``: other texts may be written as well.
    """

    header: str
    meaning: str
    meaning_en: str
    unit: str
    form: str
    example: str
    choices: tuple[str, ...]
    list_of: str | None
    open: bool
    number: bool
    required: bool
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Template:
    """A blank workbook of one dataset; ``further`` columns may be added by the person who fills it in."""

    dataset: str
    layout: Layout
    edition: str
    columns: tuple[TemplateColumn, ...]
    further: tuple[TemplateColumn, ...]
    source: str


@lru_cache
def read_template(dataset: str, root: Path = SCHEMAS) -> Template:
    """Read the template of a dataset.

    Raises
    ------
    MalformedFact
        A key or header is unknown, or the layout needs a header the template lacks.
    ValueError
        ``dataset`` is none of ``DATASETS``.
    """
    if dataset not in DATASETS:
        raise ValueError(f"{dataset!r} is none of {', '.join(DATASETS)}")
    path = root / "templates" / f"{dataset}.toml"
    raw = read_toml(path)

    def refuse(reason: str, *at: str) -> MalformedFact:
        return MalformedFact(path, line_of(path, *at), reason)

    for key in raw:
        if key not in _KEYS:
            raise refuse(f"unknown key {key!r}; known: {', '.join(sorted(_KEYS))}", key)
    for key in ("layout", "source", "column"):
        if not raw.get(key):
            raise refuse(f"{key!r} is missing", key)
    layout = read_layout(root / "layouts" / f"{raw['layout']}.toml")
    if not layout.edition:
        raise refuse(f"layout {raw['layout']!r} has no edition", "layout")
    columns = tuple(_column(entry, layout, path) for entry in raw["column"])
    further = tuple(_column(entry, layout, path) for entry in raw.get("further", ()))
    headers = [column.header for column in (*columns, *further)]
    for header in headers:
        if headers.count(header) > 1:
            raise refuse(f"column {header!r} stands twice", header)
    time = layout.time.columns if layout.time else ()
    for header in (*layout.columns.values(), *time, *(result.column for result in layout.results)):
        if header not in [column.header for column in columns]:
            raise refuse(f"layout {layout.layout!r} needs the column {header!r}", "column")
    return Template(dataset, layout, layout.edition, columns, further, raw["source"])


def _column(entry: dict[str, Any], layout: Layout, path: Path) -> TemplateColumn:
    header = str(entry.get("header", ""))

    def refuse(reason: str) -> MalformedFact:
        return MalformedFact(path, line_of(path, header or "column"), f"column {header!r}: {reason}")

    for key in entry:
        if key not in _COLUMN_KEYS:
            raise refuse(f"unknown key {key!r}; known: {', '.join(sorted(_COLUMN_KEYS))}")
    result = next((result for result in layout.results if result.column == header), None)
    time = layout.time.columns if layout.time else ()
    if result is None and header not in (*layout.columns.values(), *layout.optional.values(), *time):
        raise refuse(f"layout {layout.layout!r} does not know it")
    if result is None and not (entry.get("meaning") and entry.get("meaning_en") and entry.get("format")):
        raise refuse("'meaning', 'meaning_en' and 'format' must say what to write")
    choices = entry.get("choices", ())
    if isinstance(choices, str) and choices not in LISTS:
        raise refuse(f"choices {choices!r} is none of {', '.join(LISTS)}")
    if not isinstance(choices, str) and choices and entry.get("example") not in choices:
        raise refuse(f"the example {entry.get('example')!r} is none of the choices")
    parameter = parameters()[result.parameter] if result else None
    unit = (result.unit if result else None) or (parameter.unit if parameter else "")
    return TemplateColumn(
        header=header,
        meaning=entry.get("meaning") or (parameter.name_zh if parameter else ""),
        meaning_en=entry.get("meaning_en") or (parameter.name_en if parameter else ""),
        unit=(units()[unit].symbol or unit) if unit in units() else unit,
        form=entry.get("format", "数字；低于检出限写检出限加 L，如 0.004L"),
        example=str(entry.get("example", "")),
        choices=() if isinstance(choices, str) else tuple(choices),
        list_of=choices if isinstance(choices, str) else None,
        open=bool(entry.get("open", False)),
        number=bool(entry.get("number", result is not None)),
        required=bool(entry.get("required", False)),
        missing=tuple(marker for marker in layout.missing if marker) if result else (),
    )
