"""Lists and papers of the credit register: screening, query slips, inspection draws, put together from its rooms."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from credit_registry.answers import compose, is_name, read_subject
from credit_registry.errors import BadCode, BadDraw, BadList, NoRegister
from credit_registry.inspection_plan import InspectionObject, with_answer
from credit_registry.slip import SlipCheck, verify_slip
from pipelines.batch import RawBatch, ReadLimits
from pipelines.intake.read import Reader
from portal.credit import Desk
from records.credit import Message, messages
from records.keys import KeyRing
from schemas.files import fold

CODE_HEADERS = ("统一社会信用代码", "信用代码", "社会信用代码", "uscc", "代码")
NAME_HEADERS = ("企业名称", "单位名称", "名称", "name", "对象名称", "当事人名称")


def read_list(path: Path) -> RawBatch:
    """Read a spreadsheet as the road reads its files: in a child process, with its limits."""
    with tempfile.TemporaryDirectory() as scratch, Reader(ReadLimits()) as reader:
        return reader.read(path, path.name, Path(scratch))


def lines_of(batch: RawBatch) -> list[tuple[int, str]]:
    """Give (row as Excel numbers it, code or name) of the first sheet.

    A header names the columns of codes and names; the code goes before the name. Without such a header every row is a
    line and its first cell is what is asked.
    """
    rows = _rows(batch)
    for place, (_, cells) in enumerate(rows[:20]):
        heads = [fold(cell).lower() for cell in cells]
        code = next((heads.index(name) for name in CODE_HEADERS if name in heads), None)
        name = next((heads.index(name) for name in NAME_HEADERS if name in heads), None)
        if code is not None or name is not None:
            chosen = [column for column in (code, name) if column is not None]
            return [(row, _first(cells, chosen)) for row, cells in rows[place + 1 :]]
    return [(row, _first(cells, range(len(cells)))) for row, cells in rows]


def tables_of(path: Path) -> list[dict[str, str]]:
    """Give the rows of a list with one header row, by header."""
    (_, head), *rows = _rows(read_list(path)) or [(0, [])]
    return [dict(zip(map(fold, head), cells, strict=True)) for _, cells in rows if any(map(fold, cells))]


def _rows(batch: RawBatch) -> list[tuple[int, list[str]]]:
    if not batch.sheets:
        raise BadList("文件里没有表格", "the file holds no sheet")
    sheet = batch.sheets[0]
    columns = [sheet.cells.column(place).to_pylist() for place in range(sheet.cells.num_columns)]
    found = [(int(row), list(cells)) for row, cells in zip(sheet.rows, zip(*columns, strict=True), strict=True)]
    return list(_gaps_filled(found))


def _gaps_filled(rows: Sequence[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
    """Give blank rows back that the reader passed over: a list keeps all its lines."""
    before = rows[0][0] - 1 if rows else 0
    for row, cells in rows:
        yield from ((blank, [""] * len(cells)) for blank in range(before + 1, row))
        yield row, cells
        before = row


def _first(cells: Sequence[str], columns: Sequence[int]) -> str:
    return next((cells[column] for column in columns if fold(cells[column])), "")


def answering(
    desk: Desk, viewer: str, on: date, known: datetime | None, now: datetime
) -> Callable[[str], dict[str, Any]]:
    """Give what answers one code or subject without a trace of its own: the whole list is one access.

    Raises
    ------
    NoRegister
        Nobody ever sent anything: nothing found would say nothing.
    """
    if not desk.has_data:
        raise NoRegister(
            "来源不可用：还没有任何单位的信用数据；查不到不等于没有记录",
            "source unavailable: nobody sent credit data yet; finding nothing says nothing",
        )
    heard: dict[str, list[Message]] = defaultdict(list)
    for one in messages(desk.records):  # all: what was repaired since is out of view for an earlier known too
        heard[one.uscc].append(one)

    def answer(code: str) -> dict[str, Any]:
        told = heard.get(read_subject(code)[0], ())
        return compose(desk.register, list(told), code, viewer, on, known, now=now, editions=desk.editions)[0]

    return answer


def sha256_of(path: Path) -> str:
    """Hash a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def keys_of(folder: Path) -> dict[str, str] | None:
    """Give the public keys of a home, None where it has none."""
    return KeyRing.open(folder).public_keys() if (folder / "current").exists() else None


def check_slip(path: Path, keys: Mapping[str, str] | None, desk: Desk | None, now: datetime) -> SlipCheck:
    """Check a slip off line; with a register also whether what it shows is still so."""
    written = path.read_bytes()
    if written.startswith(b"%PDF"):
        paper = path.with_suffix(".json").name
        return SlipCheck(
            "invalid", f"这是打印页；请核验同名的 {paper}", f"this is the printed page; verify {paper} beside it"
        )
    try:
        document = json.loads(written)
    except ValueError as error:
        return SlipCheck("invalid", f"不是查询单：{error}", f"this is no query slip: {error}")
    if not isinstance(document, dict):
        return SlipCheck("invalid", "不是查询单", "this is no query slip")
    check = verify_slip(document, keys)
    if check.status != "valid" or desk is None or not desk.has_data:
        return check
    then = document["answer"]
    code = then["identity"]["uscc"] or then["identity"]["subject"]
    on = date.fromisoformat(then["as_of"]["on"])
    current = answering(desk, then["query"]["viewer"], on, None, now)(code)
    return verify_slip(document, keys, current)


def with_register(
    objects: Sequence[InspectionObject], answer: Callable[[str], dict[str, Any]], bureau: str
) -> list[InspectionObject]:
    """Add to each object of an inspection by ``bureau`` what the register has on it; its id is the code.

    Raises
    ------
    BadDraw
        The id of an object would be a code but is none: its ratings cannot be known.
    """
    return [_known(item, answer, bureau) for item in objects]


def _known(item: InspectionObject, answer: Callable[[str], dict[str, Any]], bureau: str) -> InspectionObject:
    if is_name(item.object_id):  # a place or project of its own number: nothing is kept under it
        return item
    try:
        return with_answer(item, answer(item.object_id), bureau)
    except BadCode as error:
        raise BadDraw(
            f"对象 {item.object_id} 的代码有误：{error.message}", f"object {item.object_id}: {error.message_en}"
        ) from error
