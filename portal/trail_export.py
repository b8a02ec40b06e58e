"""What an auditor takes home of the trail: a workbook or a CSV in which every cell is text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from pipelines.workbook import new_workbook, put
from portal.boards import CHINA
from portal.trail import Line
from schemas.event_kinds import event_kinds

HEAD = (
    "编号 number",
    "时间 time (UTC+8)",
    "种类 kind",
    "说明 meaning",
    "人员 who",
    "批次 batch",
    "内容 content",
    "SHA-256",
)
MOST = 50_000
"""Rows of one export; a narrower question gives the rest."""


def rows_of(lines: Iterable[Line]) -> Iterator[tuple[str, ...]]:
    """Write each event as texts."""
    for line in islice(lines, MOST):
        event, known = line.event, event_kinds().get(line.event.kind)
        yield (
            str(event.seq), event.at.astimezone(CHINA).isoformat(timespec="seconds"), event.kind,
            known.title_zh if known else "", line.by, event.batch_id or "",
            json.dumps(line.facts, ensure_ascii=False, sort_keys=True), event.sha256,
        )  # fmt: skip


def write_trail(lines: Iterable[Line], path: Path, about: str) -> int:
    """Write events into ``.xlsx`` or ``.csv``, with a line on who took them and why; give how many."""
    rows = list(rows_of(lines))
    if path.suffix == ".csv":
        _write_csv(rows, path)
        return len(rows)
    with new_workbook(path, rows_in_order=True) as book:
        sheet = book.add_worksheet("审计记录")
        bold = book.add_format({"bold": True})
        put(sheet, 0, 0, about)
        for column, (title, width) in enumerate(zip(HEAD, (10, 26, 20, 18, 24, 26, 80, 68), strict=True)):
            sheet.set_column(column, column, width)
            put(sheet, 1, column, title, bold)
        for number, row in enumerate(rows, start=2):
            for column, text in enumerate(row):
                put(sheet, number, column, text)
    return len(rows)


def _write_csv(rows: list[tuple[str, ...]], path: Path) -> None:
    import pandas as pd

    from pipelines.validate.report import neutralised

    frame = pd.DataFrame(rows, columns=pd.Index(HEAD), dtype="str")
    frame.apply(neutralised).to_csv(path, index=False, encoding="utf-8-sig", lineterminator="\r\n")
