"""Write the exchange template of a dataset: a blank workbook that tells its reader what to write where.

Headers, meanings and choices are facts (``schemas/templates``, ``schemas/layouts``), stations and levels those of the
bureau. The example row begins with a mark, so that it is never taken for data.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.batch import letter
from pipelines.workbook import new_workbook, put, sheet_name
from schemas.layouts import MEDIA
from schemas.loaders import bureaus, rating_schemes, stations
from schemas.templates import EXAMPLE_MARK, Template, TemplateColumn, read_template

HELP_SHEET = "填表说明"
CODES_SHEET = "代码表"
LAST_ROW = 1_048_575
_UNLOCKED = {
    name: True
    for name in (
        "format_cells",
        "format_columns",
        "format_rows",
        "insert_columns",
        "insert_rows",
        "delete_columns",
        "delete_rows",
        "sort",
        "autofilter",
        "insert_hyperlinks",
    )
}


@dataclass(frozen=True, slots=True)
class CodeList:
    """One column of the sheet of codes, under the header it serves."""

    title: str
    texts: tuple[str, ...]


def write_template(dataset: str, out: Path, bureau: str | None = None, site: Path | None = None) -> None:
    """Write the template of a dataset to ``out``, whole or not at all.

    Parameters
    ----------
    dataset : str
        ``air``, ``water``, ``soil``, ``credit``, ``penalty`` or ``experts``.
    out : Path
        The xlsx to write.
    bureau : str, optional
        Its stations and rating levels fill the drop-downs; without it levels are those of every bureau.
    site : Path, optional
        Facts of the site, which win over the shipped ones.

    Raises
    ------
    ValueError
        The dataset or the bureau is not known.
    """
    template = read_template(dataset)
    if bureau is not None and bureau not in bureaus(site):
        raise ValueError(f"bureau {bureau!r} is none of {', '.join(sorted(bureaus(site)))}")
    lists = _code_lists(template, bureau, site)
    with new_workbook(out) as workbook:
        workbook.set_properties(
            {"title": template.layout.title, "subject": dataset, "comments": template.layout.title_en}
        )
        workbook.set_custom_property("模板版本", template.edition, "text")
        page = workbook.add_worksheet(sheet_name(template.layout.title, set()))
        _write_data_sheet(workbook, page, template, lists)
        _write_help(workbook, workbook.add_worksheet(HELP_SHEET), template)
        if lists:
            _write_codes(workbook, workbook.add_worksheet(CODES_SHEET), lists)


def _code_lists(template: Template, bureau: str | None, site: Path | None) -> dict[str, CodeList]:
    """Give the texts of each drop-down by header; closed choices, stations of the bureau, levels of its schemes."""
    lists = {}
    for column in template.columns:
        texts = column.choices
        if column.list_of == "levels":
            texts = _levels(bureau, site)
        elif column.list_of is not None and bureau is not None:
            texts = _stations(template.dataset, column.list_of, bureau, site)
        if texts:
            lists[column.header] = CodeList(column.header, texts)
    return lists


def _levels(bureau: str | None, site: Path | None) -> tuple[str, ...]:
    known = bureaus(site)
    senders = [known[bureau]] if bureau else [one for one in known.values() if one.kind == "bureau"]
    schemes = rating_schemes()
    # Several editions share a level's name: each name is offered once, in the order of its rank.
    levels = [level for sender in senders for code in sender.schemes[:1] for level in schemes[code].levels]
    return tuple(dict.fromkeys(level.level_zh for level in sorted(levels, key=lambda level: level.rank)))


def _stations(dataset: str, what: str, bureau: str, site: Path | None) -> tuple[str, ...]:
    open_ones = [s for s in stations(bureau, site) if s.medium == MEDIA.get(dataset) and s.until is None]
    return tuple(dict.fromkeys(s.station_id if what == "stations" else s.name_zh for s in open_ones))


def _write_data_sheet(workbook: Any, page: Any, template: Template, lists: dict[str, CodeList]) -> None:
    header = workbook.add_format({"bold": True, "bg_color": "#DDEBF7", "border": 1, "text_wrap": True})
    needed = workbook.add_format({"bold": True, "bg_color": "#FCE4D6", "border": 1, "text_wrap": True})
    text = workbook.add_format({"num_format": "@", "locked": False})
    number = workbook.add_format({"locked": False})
    example = workbook.add_format({"italic": True, "font_color": "#808080", "num_format": "@", "locked": False})
    page.set_column(len(template.columns), 16_383, 14, number)
    for at, column in enumerate(template.columns):
        page.set_column(at, at, max(12, 2 * len(column.header) + 2), number if column.number else text)
        put(page, 0, at, column.header, needed if column.required else header)
        page.write_comment(0, at, _hint(column), {"width": 260, "height": 110})
        _write_example(page, at, column, example)
        if column.header in lists:
            _add_choices(page, at, column, lists, template.dataset)
    page.set_row(0, 30)
    page.freeze_panes(1, 0)
    page.protect("", _UNLOCKED)


def _hint(column: TemplateColumn) -> str:
    unit = f"\n单位：{column.unit}" if column.unit and column.unit != "-" else ""
    return f"{'必填。' if column.required else ''}{column.meaning}{unit}\n{column.form}\n{column.meaning_en}"


def _write_example(page: Any, at: int, column: TemplateColumn, style: Any) -> None:
    put(page, 1, at, EXAMPLE_MARK + column.example if at == 0 else column.example, style)


def _add_choices(page: Any, at: int, column: TemplateColumn, lists: dict[str, CodeList], dataset: str) -> None:
    place = letter(list(lists).index(column.header))
    count = len(lists[column.header].texts)
    page.data_validation(
        1,
        at,
        LAST_ROW,
        at,
        {
            "validate": "list",
            "source": f"='{CODES_SHEET}'!${place}$2:${place}${count + 1}",
            "error_type": "information" if column.open else "stop",
            "error_title": "取值不在列表",
            "error_message": f"“{column.header}”请从列表中选择（见“{CODES_SHEET}”）。",
        },
    )


def _write_help(workbook: Any, page: Any, template: Template) -> None:
    bold = workbook.add_format({"bold": True})
    wrapped = workbook.add_format({"text_wrap": True, "valign": "top"})
    put(page, 0, 0, f"{template.layout.title}填表说明", bold)
    put(page, 1, 0, f"模板版本 {template.edition}")
    lines = [
        "表头请勿改动；红底为必填列。第 2 行是示例（以“示例：”开头），系统不读取，填写时可删除或覆盖。",
        "编码、日期、代码各列按文本填写；数值只写数字，不写单位；不使用公式。",
    ]
    if template.layout.further:
        lines.append("可在最后一列之后增加监测项目，表头写作“监测项目(单位)”，如“总氮(mg/L)”，项目须在监测项目表内。")
    for number, line in enumerate(lines, start=2):
        put(page, number, 0, line)
    top = len(lines) + 3
    heads = ("列名", "含义", "Meaning", "单位", "填写格式", "必填", "允许的缺测标记", "示例")
    for at, head in enumerate(heads):
        put(page, top, at, head, bold)
    rows = [(column, "是" if column.required else "") for column in template.columns]
    rows += [(column, "可增加的列") for column in template.further]
    for number, (column, needed) in enumerate(rows, start=top + 1):
        missing = "空白 " + " ".join(column.missing) if column.missing else ("" if column.required else "空白")
        unit = "" if column.unit == "-" else column.unit
        cells = (column.header, column.meaning, column.meaning_en, unit, column.form, needed, missing, column.example)
        for at, text in enumerate(cells):
            put(page, number, at, text, wrapped)
    for at, width in enumerate((22, 44, 34, 10, 40, 10, 40, 24)):
        page.set_column(at, at, width)


def _write_codes(workbook: Any, page: Any, lists: dict[str, CodeList]) -> None:
    bold = workbook.add_format({"bold": True})
    for at, codes in enumerate(lists.values()):
        put(page, 0, at, codes.title, bold)
        for row, text in enumerate(codes.texts, start=1):
            put(page, row, at, text)
    page.set_column(0, max(len(lists) - 1, 0), 24)
