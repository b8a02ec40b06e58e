"""The result of a screening as a workbook, and its keeping: every cell is text, nothing is computed, nothing links.

The input is somebody else's list: ``=1+1``, ``@SUM`` and ``http://…`` are shown as they were written (OWASP, *CSV
Injection*). The workbook is kept with a signed document that holds its SHA-256, so that a copy can be shown to be
the one the system made.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import xlsxwriter

from credit_registry.errors import BadList
from credit_registry.nothing import KINDS
from credit_registry.screening import Line, Screening, how_matched
from credit_registry.wording import LEFT_OUT, STATUSES
from records.chain import canonical
from records.keys import Signer, sign_document

SCREENING = "gongzhi-screening/1"
LONGEST = 32_767
_NEVER = "未查询"
_ID = re.compile(r"[A-Za-z0-9._-]{1,80}")
_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff\ud800-\udfff]")
_MADE = datetime(2000, 1, 1, tzinfo=UTC)
"""Stands in the file's properties: the same screening gives the same bytes."""
RESULT_HEAD = (
    "行号", "原文", "状态", "说明", "统一社会信用代码", "企业名称", "匹配方式",
    "信用评价", "关注等级", "行政处罚", "不予展示",
)  # fmt: skip
CANDIDATE_HEAD = ("行号", "原文", "候选企业", "现用名", "统一社会信用代码", "登记地", "匹配方式", "相似度", "匹配说明")


@dataclass(frozen=True, slots=True)
class Kept:
    """A kept screening: its files and the signed document."""

    workbook: Path
    document_file: Path
    document: dict[str, Any]


def text_cell(text: str) -> str:
    r"""Give a text as a cell can hold it: control and direction characters spelt out, cut where Excel ends.

    >>> text_cell("a\x01b")
    'a‹U+0001›b'
    """
    shown = _HIDDEN.sub(lambda match: f"‹U+{ord(match[0]):04X}›", text)
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "…"


def workbook_of(screening: Screening, facts: Mapping[str, str]) -> bytes:
    """Write the workbook: results, candidates, and what it is.

    Parameters
    ----------
    facts : mapping of title to text
        Who asked, why, when, as of when, data version …, for the sheet 说明.
    """
    out = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book = xlsxwriter.Workbook(out, options)
    book.set_properties({"title": "企业环境信用批量核查", "created": _MADE})
    head = book.add_format({"bold": True, "text_wrap": True, "border": 1, "valign": "top"})
    body = book.add_format({"text_wrap": True, "num_format": "@", "valign": "top"})
    for title, widths, rows in (
        ("核查结果", (6, 34, 14, 30, 22, 34, 10, 60, 24, 50, 20), [RESULT_HEAD, *map(_result, screening.lines)]),
        ("候选企业", (6, 34, 34, 34, 22, 24, 10, 8, 34), [CANDIDATE_HEAD, *_candidates(screening.lines)]),
        ("说明", (22, 100), list(_notes(screening, facts))),
    ):
        sheet = book.add_worksheet(title)
        for column, width in enumerate(widths):
            sheet.set_column(column, column, width)
        for row, cells in enumerate(rows):
            for column, text in enumerate(cells):
                sheet.write_string(row, column, text_cell(text), head if row == 0 else body)
        sheet.freeze_panes(1, 0)
    book.close()
    return out.getvalue()


def _result(line: Line) -> tuple[str, ...]:
    found = line.summary
    words = (found.ratings, found.attention, found.penalties, found.withheld) if found else (_NEVER,) * 4
    matched = how_matched(line.matched) if line.matched else "—"
    name = (line.uscc or "—", line.name or "—", matched)
    return (str(line.line), line.text, STATUSES[line.status], line.why, *name, *words)


def _candidates(lines: Sequence[Line]) -> Iterator[tuple[str, ...]]:
    for line in lines:
        for hit in line.candidates:
            yield (
                str(line.line), line.text, hit.name, hit.current_name or hit.name, hit.uscc or "无代码", hit.region,
                how_matched(hit.matched_field), f"{hit.score:.1f}", hit.why_zh,
            )  # fmt: skip


def _notes(screening: Screening, facts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    yield "项目", "内容"
    yield from facts.items()
    for status, count in screening.counts.items():
        yield STATUSES[status], f"{count} 行"
    yield "注意", LEFT_OUT
    for state, (words, _) in KINDS.items():
        yield f"“没有”的种类：{state}", words


def keep(
    folder: Path,
    screening_id: str,
    screening: Screening,
    workbook: bytes,
    facts: Mapping[str, Any],
    signer: Signer,
    at: datetime,
) -> Kept:
    """Keep a screening: the workbook, then the signed document that names its hash; never over another one.

    Parameters
    ----------
    facts : mapping
        Query, input file (name, SHA-256), clocks and version: text and whole numbers only.
    """
    if not _ID.fullmatch(screening_id) or screening_id.startswith("."):
        raise BadList(f"核查编号 {screening_id!r} 不能作文件名", f"the id {screening_id!r} cannot name a file")
    document = sign_document(
        {
            "document": SCREENING,
            "screening_id": screening_id,
            "made_at": at.isoformat(),
            **facts,
            "counts": screening.counts,
            "lines": len(screening.lines),
            "owners": list(screening.owners),
            "workbook": {"bytes": len(workbook), "sha256": hashlib.sha256(workbook).hexdigest()},
        },
        signer,
    )
    folder.mkdir(parents=True, exist_ok=True)
    book, paper = folder / f"{screening_id}.xlsx", folder / f"{screening_id}.json"
    _write(book, workbook)
    _write(paper, canonical(document).encode() + b"\n")
    return Kept(book, paper, document)


def _write(path: Path, data: bytes) -> None:
    """Write a new file whole or not at all; one that is there already stays."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(draft, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError as error:
        raise BadList(f"{path.name} 已存在，不覆盖", f"{path.name} is there already and stays") from error
    finally:
        draft.unlink(missing_ok=True)
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
