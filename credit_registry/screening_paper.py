"""Print a screening: every line with its status on as many A4 pages as it takes, black only.

The page shows what the workbook holds in short; who asked, why and as of when stand on the first page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from credit_registry.wording import LEFT_OUT, STATUSES
from records.paper import print_page

TEMPLATE = Path(__file__).parent / "templates" / "screening.typ"
TITLE = "企业环境信用批量核查结果"
HEAD = ("行", "原文", "状态", "企业与代码", "信用评价", "关注等级", "行政处罚")
LONGEST = 90


def print_screening(
    number: str,
    at: datetime,
    facts: Mapping[str, str],
    counts: Mapping[str, int],
    lines: Sequence[Mapping[str, Any]],
    *,
    folders: Sequence[Path] = (),
) -> bytes:
    """Print a screening as PDF.

    Parameters
    ----------
    facts : mapping of title to text
        Who asked, why, as of when, as they stand on the last sheet of the workbook.
    lines : sequence of mapping
        :class:`~credit_registry.screening.Line` as plain values.

    Raises
    ------
    NoChineseFont
    """
    page = {
        "title": TITLE,
        "number": number,
        "facts": [[name, text] for name, text in facts.items()],
        "counts": "　".join(f"{STATUSES[status]} {count}" for status, count in counts.items() if count),
        "note": LEFT_OUT,
        "rows": [HEAD, *(_row(line) for line in lines)],
    }
    return print_page(TEMPLATE, [page], qr_text=f"GONGZHI-SCREENING/1 {number.upper()}", at=at, folders=folders)


def _row(line: Mapping[str, Any]) -> list[str]:
    found = line["summary"]
    said = [_cut(found[name]) for name in ("ratings", "attention", "penalties")] if found else ["—", "—", "—"]
    who = " ".join(filter(None, (line["name"], line["uscc"]))) or "—"
    return [str(line["line"]), _cut(line["text"]), f"{STATUSES[line['status']]}：{_cut(line['why'])}", who, *said]


def _cut(text: str) -> str:
    flat = "；".join(filter(None, text.split("\n")))
    return flat if len(flat) <= LONGEST else flat[: LONGEST - 1] + "…"
