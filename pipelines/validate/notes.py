"""Findings gathered into notes: what is said of a cell, of a row and of a whole file.

Both annotated workbooks (the uploader's own and the copy) ask these notes, so that they say the same. The words are
Chinese, because the report goes back to the person who filled the sheet in; the English message stands in the CSV and
on the summary sheet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pandas as pd

from pipelines.workbook import position, shown
from schemas.files import fold
from schemas.layouts import habits

SEVERITIES = ("refuse_batch", "refuse_row", "refuse_value", "flag", "note")
SEVERITY_ZH = {
    "refuse_batch": "整份不收",
    "refuse_row": "整行不收",
    "refuse_value": "该值不收",
    "flag": "存疑",
    "note": "提示",
}
COLOURS = {
    "refuse_batch": "F8A5A6",
    "refuse_row": "F8A5A6",
    "refuse_value": "FFC7CF",
    "flag": "FFEB9D",
    "note": "DCEBF6",
}
ANSWER_COLOUR = "FFFFE1"
ERROR_COLUMN = habits().error_column
ANSWER_COLUMN = habits().answer_column
SUMMARY_SHEET = "汇总"
SUMMARY_TITLE = "共治校验结果汇总（本表由系统生成，再次上报时不读取）"
COMMENT_AUTHOR = "gongzhi"

MARKED_FINDINGS = 200_000
COMMENTS = 20_000
COMMENT_CHARACTERS = 1_000
ROW_CHARACTERS = 4_000


def own_column(header: str) -> str | None:
    """Say whether a header is one the report itself added to an earlier copy.

    >>> own_column("错误说明 "), own_column("说明(填报人填写)") == ANSWER_COLUMN, own_column("说明")
    ('错误说明', True, None)
    """
    plain = fold(header).replace(" ", "")
    return next((name for name in (ERROR_COLUMN, ANSWER_COLUMN) if plain == fold(name)), None)


@dataclass(slots=True)
class CellNote:
    """What is said of one cell."""

    severity: str
    lines: list[str] = field(default_factory=list)

    def comment(self) -> str:
        """Give the text of the comment."""
        return shown("\n".join(dict.fromkeys(self.lines)), COMMENT_CHARACTERS)


@dataclass(slots=True)
class RowNote:
    """What is said of one row; ``cells`` by position of the column, from 0."""

    severity: str
    cells: dict[int, CellNote] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def sentence(self) -> str:
        """Give the text of the column 错误说明."""
        return shown("；".join(dict.fromkeys(self.lines)), ROW_CHARACTERS)


@dataclass(slots=True)
class Notes:
    """Notes of a whole file.

    ``sheets``: by sheet name (``None``: the only sheet of a text file), then by row as Excel numbers it.
    ``left_out``: findings beyond the most severe ``MARKED_FINDINGS``, counted on the summary sheet only.
    """

    sheets: dict[str | None, dict[int, RowNote]]
    rules: list[tuple[str, str, str, str, str, str]]
    whole_file: list[tuple[str, str, str]]
    total: int
    left_out: int
    comments_left: int = COMMENTS
    comments_left_out: int = 0
    unplaced: int = 0
    remarks: list[str] = field(default_factory=list)

    def may_comment(self) -> bool:
        """Take one comment from the budget; beyond it a cell is only coloured."""
        if self.comments_left > 0:
            self.comments_left -= 1
            return True
        self.comments_left_out += 1
        return False


def most_severe_first(findings: pd.DataFrame) -> pd.DataFrame:
    """Order findings by severity, then by sheet, row and column as they stand in the file.

    Parameters
    ----------
    findings : DataFrame
        Columns ``FINDING_COLUMNS``; ``row`` missing where a finding concerns the whole file.

    Returns
    -------
    DataFrame
        The same findings, with a fresh index, ``row`` as Int64 and every text without missing values.

    Raises
    ------
    ValueError
        A severity is not one of ``SEVERITIES``.
    """
    frame = findings.reset_index(drop=True)
    unknown = set(frame["severity"].dropna().unique()) - set(SEVERITIES)
    if unknown or frame["severity"].isna().any():
        raise ValueError(f"unknown severity in the findings: {sorted(unknown) or 'missing'}")
    texts = {name: frame[name].astype("object").where(frame[name].notna(), "") for name in frame if name != "row"}
    frame = pd.DataFrame({**texts, "row": pd.to_numeric(frame["row"]).astype("Int64")})[list(frame)]
    frame["_rank"] = frame["severity"].map({name: rank for rank, name in enumerate(SEVERITIES)}).astype("int64")
    frame["_long"] = frame["column"].str.len().astype("Int64")
    order = ["_rank", "sheet", "row", "_long", "column", "rule"]
    return frame.sort_values(order, kind="stable").drop(columns=["_rank", "_long"]).reset_index(drop=True)


def gather(findings: pd.DataFrame) -> Notes:
    """Gather findings into notes per cell, row and file.

    Parameters
    ----------
    findings : DataFrame
        Columns ``FINDING_COLUMNS``, in any order of rows.

    Returns
    -------
    gathered : Notes
        At most ``MARKED_FINDINGS`` of them placed on cells, the most severe ones; all of them counted by rule.
    """
    ordered = most_severe_first(findings)
    placed = ordered[ordered["row"].notna()].head(MARKED_FINDINGS)
    left_out = int(ordered["row"].notna().sum()) - len(placed)
    notes = Notes({}, _by_rule(ordered), _whole_file(ordered), len(ordered), left_out)
    for severity, rule, sheet, row, column, header, expected, message, clause in _records(placed):
        rows = notes.sheets.setdefault(sheet or None, {})
        note = rows.get(row)
        if note is None:
            note = rows[row] = RowNote(severity)
        place = f"{column}列 {header}" if column else "本行"
        note.lines.append(f"[{rule}] {place}：{message}")
        at = position(column) if column else 0
        cell = note.cells.get(at)
        if cell is None:
            cell = note.cells[at] = CellNote(severity)
        cell.lines.append(_comment_line(rule, severity, message, expected, clause))
    return notes


def _records(placed: pd.DataFrame) -> Iterator[tuple[str, str, str, int, str, str, str, str, str]]:
    names = ["severity", "rule", "sheet", "row", "column", "header", "expected", "message", "clause"]
    return zip(*(placed[name].tolist() for name in names), strict=True)  # type: ignore[return-value]


def _comment_line(rule: str, severity: str, message: str, expected: str, clause: str) -> str:
    line = f"【{SEVERITY_ZH[severity]}】{rule} {message}"
    if expected and str(expected) not in message:
        line += f"\n应为：{expected}"
    if clause:
        line += f"\n依据：{clause}"
    return line


def _by_rule(ordered: pd.DataFrame) -> list[tuple[str, str, str, str, str, str]]:
    """Give rule, severity, count, Chinese and English message of the first, and its place."""
    counted = []
    for (rule, severity), group in ordered.groupby(["rule", "severity"], sort=False):
        first = group.iloc[0]
        place = f"{first['sheet']} " if first["sheet"] else ""
        place += f"第 {first['row']} 行 {first['column']}" if not pd.isna(first["row"]) else "整份文件"
        message = (str(first["message"]), str(first["message_en"]))
        counted.append((str(rule), SEVERITY_ZH[str(severity)], str(len(group)), *message, place.strip()))
    return counted


def _whole_file(ordered: pd.DataFrame) -> list[tuple[str, str, str]]:
    whole = ordered[ordered["row"].isna()].head(1000)
    return [(str(f.rule), str(f.message), str(f.message_en)) for f in whole.itertuples()]


def answers_by_row(answers: Mapping[tuple[int, str], str]) -> dict[int, str]:
    """Join the uploader's explanations of one row.

    >>> answers_by_row({(5, "pH"): "已复测", (5, "氨氮"): "已复测", (7, "pH"): ""})
    {5: '已复测'}
    """
    rows: dict[int, list[str]] = {}
    for (row, _), text in answers.items():
        if text:
            rows.setdefault(row, []).append(text)
    return {row: "；".join(dict.fromkeys(texts)) for row, texts in rows.items()}


def summary_lines(notes: Notes, name: str) -> list[list[str]]:
    """Give the summary sheet, line by line; the first line is its mark, the sixth the head of the table of rules."""
    head = ["规则", "级别", "条数", "说明（首条）", "English (first)", "首条位置"]
    remarks = list(notes.remarks)
    if notes.left_out:
        remarks.append(
            f"问题较多：单元格上只标注最严重的 {MARKED_FINDINGS} 条，另有 {notes.left_out} 条见错误清单 CSV。"
        )
    if notes.comments_left_out:
        remarks.append(
            f"批注上限 {COMMENTS} 个：另有 {notes.comments_left_out} 个单元格只着色，说明见“{ERROR_COLUMN}”列。"
        )
    if notes.unplaced:
        remarks.append(f"有 {notes.unplaced} 行的问题无法标注在表内（所在工作表或行不在本文件中），见错误清单 CSV。")
    lines = [[SUMMARY_TITLE], ["文件", name], ["问题合计", str(notes.total)]]
    lines.append(["颜色", "红：不收", "黄：存疑，请确认", "蓝：提示"])
    lines.append([])
    lines.append(head)
    lines += [list(rule) for rule in notes.rules]
    if notes.whole_file:
        lines += [[], ["整份文件的问题"], *(list(line) for line in notes.whole_file)]
    if remarks:
        lines += [[], ["备注"], *([remark] for remark in remarks)]
    return lines
