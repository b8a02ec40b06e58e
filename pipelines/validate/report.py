"""Hand the findings back: as a CSV of all of them, and on a copy of the uploader's own workbook.

The workbook keeps the layout of the upload where it can (an xlsx of moderate size); otherwise, for text files, JSON,
old xls and large workbooks, the grid as it was read is written anew. Cells are coloured by severity and carry a
comment; the last columns say what is wrong (错误说明) and leave room for an answer (说明（填报人填写）), which is read
back on the next upload. Nothing in either file is a formula, whatever the upload held.
"""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from pipelines.batch import RawBatch
from pipelines.validate.notes import SEVERITY_ZH, Notes, answers_by_row, gather, most_severe_first

OWN_ROWS = 20_000
OWN_CELLS = 400_000
OWN_XML_BYTES = 64 * 2**20

CSV_HEADINGS = {
    "severity": "级别",
    "rule": "规则",
    "sheet": "工作表",
    "row": "行",
    "column": "列",
    "header": "列名",
    "key": "记录",
    "value": "原值",
    "expected": "应为",
    "message": "说明",
    "message_en": "说明（英文）",
    "clause": "依据",
}
_STARTS_FORMULA = r"^\s*[=+\-@＝＋－＠\t\r]"
_PLAIN_NUMBER = r"^[+-]?\d+(?:\.\d+)?$"


def neutralised(texts: pd.Series) -> pd.Series:
    """Put an apostrophe before every text a spreadsheet would compute.

    Parameters
    ----------
    texts : Series of str, shape (n,)
        No missing values.

    Returns
    -------
    Series of str, shape (n,), index of ``texts``
        Plain numbers such as ``-1`` stay as they are.

    Examples
    --------
    >>> neutralised(pd.Series(["=1+1", "-1", "-1+cmd", "缙云山"])).tolist()
    ["'=1+1", '-1', "'-1+cmd", '缙云山']
    """
    text = texts.astype("str")
    risky = text.str.match(_STARTS_FORMULA) & ~text.str.match(_PLAIN_NUMBER)
    return text.mask(risky, "'" + text)


def write_csv(findings: pd.DataFrame, path: Path) -> None:
    """Write all findings, most severe first, as a CSV that Excel opens in Chinese.

    Parameters
    ----------
    findings : DataFrame
        Columns ``FINDING_COLUMNS``.
    path : Path
        Written whole or not at all; UTF-8 with BOM.
    """
    ordered = most_severe_first(findings)
    ordered["severity"] = ordered["severity"].map(SEVERITY_ZH)
    columns = {zh: ordered[name] if name == "row" else neutralised(ordered[name]) for name, zh in CSV_HEADINGS.items()}
    part = path.with_name(path.name + ".part")
    try:
        pd.DataFrame(columns).to_csv(part, index=False, encoding="utf-8-sig", lineterminator="\r\n")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def annotate(
    upload: Path,
    raw: RawBatch,
    findings: pd.DataFrame,
    answers: dict[tuple[int, str], str],
    out: Path,
    header_rows: dict[str | None, int],
) -> None:
    """Write the uploader's workbook with the findings on its cells.

    Parameters
    ----------
    upload : Path
        The kept upload.
    raw : RawBatch
        The upload as it was read.
    findings : DataFrame
        Columns ``FINDING_COLUMNS``; ``row`` and ``column`` as Excel names them.
    answers : dict
        Explanations already given, by row and header; written into 说明（填报人填写）.
    out : Path
        The xlsx to write, whole or not at all.
    header_rows : dict
        Last row of the header of each sheet that has one, as Excel numbers it.
    """
    notes = gather(findings)
    # Answers name their row but not their sheet: with several sheets those written in the upload stand where they are.
    explained = answers_by_row(answers) if len(header_rows) <= 1 else {}
    if raw.kind == "xlsx":
        if _is_moderate(raw) and _marked_own(upload, raw, notes, explained, out, header_rows):
            return
        notes = gather(findings)
        notes.remarks.append("本文件较大或版式特殊，标注在数据副本上（原格式未保留，内容不变）。")
    # Only the annotated copy needs a writer of workbooks: a batch without report imports none.
    from pipelines.validate.copied_workbook import write_marked_copy

    write_marked_copy(raw, notes, explained, out, header_rows)


def _is_moderate(raw: RawBatch) -> bool:
    rows = sum(sheet.cells.num_rows for sheet in raw.sheets)
    cells = sum(sheet.cells.num_rows * sheet.cells.num_columns for sheet in raw.sheets)
    return bool(rows <= OWN_ROWS and cells <= OWN_CELLS)


def _marked_own(
    upload: Path,
    raw: RawBatch,
    notes: Notes,
    explained: dict[int, str],
    out: Path,
    header_rows: dict[str | None, int],
) -> bool:
    from pipelines.validate.own_workbook import NotMarkable, write_marked_original

    try:
        write_marked_original(upload, raw.file, notes, explained, out, header_rows, OWN_XML_BYTES)
    except NotMarkable:
        return False
    return True
