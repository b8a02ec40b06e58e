"""I3: a list screened before a campaign: pasted or uploaded, answered line by line, mended in place, taken home.

The work is done in a process of its own, so that the pages of others do not wait for 5,000 searches. What was found is
kept under the number of the access; lines that are not settled can be chosen or typed anew and the list is screened
again, under a new number: a result is never changed.
"""

from __future__ import annotations

import hashlib
import math
import re
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import Response

from credit_registry.wording import STATUSES
from portal.apart import Refused, TooLong, apart
from portal.credit_lists import CODE_HEADERS, NAME_HEADERS
from portal.credit_screening import KeptScreening, ScreeningTask, print_task, read_screening, screen_task, workbook_file
from portal.web.asking import Ask, see
from portal.web.credit.slips import file_answer
from portal.web.credit.standing import NoErrand, errand, look_for_bulk_use, refuse_scraping, unit_of
from portal.web.errors import Problem
from portal.web.guard import TOKEN_HEADER, check_token
from portal.web.pages import page
from records.credit_desk import Errand
from schemas.api_rules import api_rules
from schemas.credit_facts import purposes
from schemas.files import fold
from schemas.identifiers import read_uscc

T = TypeVar("T")
MOST_BYTES = 5 * 2**20
SECONDS = 90.0
PER_PAGE, PER_MENDING = 100, 25
"""Lines of a page; where each can be mended it has two fields, and a form has no more than sixty."""
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
KINDS = (".xlsx", ".xls", ".csv")
OPEN = ("several", "none", "bad_code")
TONES = {"hit": "good", "several": "warn", "none": "", "bad_code": "bad", "duplicate": "", "blank": ""}
STATUSES_EN = {
    "hit": "found", "several": "several or similar", "none": "not found", "bad_code": "bad code",
    "duplicate": "duplicate", "blank": "blank",
}  # fmt: skip
_NUMBER = re.compile(r"q-\d{8}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Given:
    """A list as it came: pasted lines, or the bytes of a file."""

    name: str
    content: bytes
    lines: tuple[tuple[int, str], ...] = ()


def ask_list(ask: Ask) -> Response:
    """Show where a list is pasted or chosen."""
    try:
        return _asked(ask, errand(ask), "")
    except NoErrand:
        return see("/credit")


async def screen(ask: Ask) -> Response:
    """Take a list in and screen it."""
    given = await _given(ask)
    return await run_in_threadpool(_screen, ask, given)


def _screen(ask: Ask, given: Given | str) -> Response:
    try:
        why = errand(ask)
    except NoErrand:
        return see("/credit")
    if isinstance(given, str):
        return _asked(ask, why, given, 422)
    refuse_scraping(ask, "daily-lines")
    with tempfile.TemporaryDirectory(prefix="gongzhi-list-") as scratch:
        file = None
        if not given.lines:
            file = Path(scratch) / f"list{PurePosixPath(given.name).suffix.lower()}"
            file.write_bytes(given.content)
        try:
            number = _apart(ask, screen_task, _task(ask, why, given, file))
        except Refused as error:
            return _asked(ask, why, ask.words(error.message, error.message_en), 422)
    look_for_bulk_use(ask)
    return see(f"/credit/screenings/{number}")


def _task(ask: Ask, why: Errand, given: Given, file: Path | None) -> ScreeningTask:
    return ScreeningTask(
        places=ask.site.places, viewer=ask.me.bureau, user=ask.me.login, unit=unit_of(ask), purpose=why.purpose,
        plan=why.plan, certificate=why.certificate, at=ask.at, most=api_rules().bodies.screen_lines,
        name=given.name, sha256=hashlib.sha256(given.content).hexdigest(), file=file, lines=given.lines,
    )  # fmt: skip


def _apart(ask: Ask, work: Callable[..., T], *told: Any) -> T:
    """Do heavy work in a process of its own, few at a time."""
    if not ask.site.heavy.acquire(timeout=20):
        raise Problem(503, headers={"retry-after": "30"})
    try:
        return apart(work, *told, seconds=SECONDS)
    except TooLong:
        raise Problem(
            503, "too-long", f"核查没有在 {SECONDS:.0f} 秒内完成。请把名单分批后再试",
            f"the screening was not done in {SECONDS:.0f} s; split the list and try again",
        ) from None  # fmt: skip
    finally:
        ask.site.heavy.release()


def _asked(ask: Ask, why: Errand, fault: str, status: int = 200) -> Response:
    return page(
        ask, "credit/screen.html", status, why=why, purpose=purposes()[why.purpose], fault=fault,
        most=api_rules().bodies.screen_lines,
    )  # fmt: skip


# -- what comes in ------------------------------------------------------------------------------------------------


async def _given(ask: Ask) -> Given | str:
    """Read the form with its list; give what is wrong with it in words where something is."""
    assert ask.request is not None, "the route takes a stream"
    if not ask.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        check_token(ask, ask.headers.get(TOKEN_HEADER, ""))  # no page of ours sends such a form
        raise Problem(415)
    form = await _read(ask.request)
    try:
        return await _from_form(ask, form)
    finally:
        await form.close()


async def _from_form(ask: Ask, form: FormData) -> Given | str:
    token = form.get("csrf", "")
    check_token(ask, token if isinstance(token, str) else "")
    file, pasted = form.get("file"), form.get("list", "")
    say = ask.words
    if isinstance(file, UploadFile) and file.filename:
        name = clean_name(file.filename)
        content = await file.read()
        if PurePosixPath(name).suffix.lower() not in KINDS:
            return say(
                f"“{name}”：不是 Excel 或 CSV。请选 .xlsx、.xls 或 .csv 文件", f"{name}: choose .xlsx, .xls or .csv"
            )
        return (
            Given(name, content) if content else say(f"“{name}”：文件是空的。请重新选择", f"{name}: the file is empty")
        )
    lines = pasted_lines(pasted if isinstance(pasted, str) else "")
    if not lines:
        return say("名单：是空的。请粘贴名单，或选择一个文件", "the list is empty: paste it, or choose a file")
    return Given(say("粘贴的名单", "pasted list"), str(pasted).encode(), lines)


async def _read(request: Request) -> FormData:
    """Read a multipart body of bounded length."""
    said = request.headers.get("content-length", "")
    if said.isdigit() and int(said) > MOST_BYTES:
        raise Problem(413)

    async def bounded() -> AsyncIterator[bytes]:
        taken = 0
        async for part in request.stream():
            taken += len(part)
            if taken > MOST_BYTES:
                raise Problem(413)
            yield part

    try:
        parser = MultiPartParser(request.headers, bounded(), max_files=1, max_fields=4, max_part_size=MOST_BYTES)  # type: ignore[arg-type]
        return await parser.parse()
    except (MultiPartException, KeyError):
        raise Problem(400) from None


def clean_name(name: str) -> str:
    """Give the last part of a file's name, printable and short."""
    last = re.split(r"[/\\]", name)[-1]
    return "".join(one for one in last if one.isprintable()).strip()[-120:] or "list"


def pasted_lines(text: str) -> tuple[tuple[int, str], ...]:
    r"""Give the lines of a pasted list with their numbers; of cells beside each other the code counts, else the first.

    Examples
    --------
    >>> pasted_lines("企业名称\n甲公司\n\n乙公司\t91500109MAYY00018G\n")
    ((2, '甲公司'), (3, ''), (4, '91500109MAYY00018G'))
    """
    rows = [[fold(cell) for cell in re.split(r"\t|(?<=[0-9A-Za-z])[,，]|[,，](?=[0-9A-Za-z])", line)] for line in text.splitlines()]  # fmt: skip
    while rows and not any(rows[-1]):
        rows.pop()
    heads = {*CODE_HEADERS, *NAME_HEADERS}
    first = 1 if rows and any(cell.lower() in heads for cell in rows[0]) else 0
    return tuple((number, _asked_by(cells)) for number, cells in enumerate(rows[first:], first + 1))


def _asked_by(cells: list[str]) -> str:
    code = next((cell for cell in cells if read_uscc(cell).code), "")
    return code or next(filter(None, cells), "")


# -- what was found -----------------------------------------------------------------------------------------------


def result(ask: Ask) -> Response:
    """Show a screening line by line, filtered, a page at a time."""
    kept = own_screening(ask)
    wanted = ask.query.get("status", "")
    wanted = wanted if wanted in STATUSES or wanted == "open" else ""
    chosen = [one for one in kept.lines if _fits(one["status"], wanted)]
    per_page = PER_MENDING if wanted == "open" else PER_PAGE
    pages = max(1, math.ceil(len(chosen) / per_page))
    said = ask.query.get("page", "1")
    number = min(int(said), pages) if re.fullmatch(r"[1-9]\d{0,4}", said) else 1
    return page(
        ask, "credit/screening.html",
        kept=kept, wanted=wanted, rows=chosen[(number - 1) * per_page : number * per_page], total=len(chosen),
        page_number=number, pages=pages, statuses={code: (zh, STATUSES_EN[code]) for code, zh in STATUSES.items()},
        tones=TONES, open_lines=sum(kept.counts[status] for status in OPEN), mending=wanted == "open",
    )  # fmt: skip


def _fits(status: str, wanted: str) -> bool:
    return not wanted or status == wanted or (wanted == "open" and status in OPEN)


def mend(ask: Ask) -> Response:
    """Screen a list again with some of its lines chosen or typed anew."""
    kept = own_screening(ask)
    refuse_scraping(ask, "daily-lines")
    try:
        why = errand(ask)
    except NoErrand:
        return see("/credit")
    lines = tuple((int(one["line"]), _mended(ask, one)) for one in kept.lines)
    if lines == tuple((int(one["line"]), one["text"]) for one in kept.lines):
        return see(f"/credit/screenings/{kept.number}", status="open")
    name = kept.name if kept.name.endswith("（更正）") else f"{kept.name}（更正）"
    given = Given(name, "\n".join(text for _, text in lines).encode(), lines)
    try:
        number = _apart(ask, screen_task, _task(ask, why, given, None))
    except Refused as error:
        raise Problem(422, error.code, error.message, error.message_en) from error
    return see(f"/credit/screenings/{number}")


def _mended(ask: Ask, line: dict[str, Any] | Any) -> str:
    picked, typed = (fold(ask.form.get(f"{name}-{line['line']}", ""))[:200] for name in ("pick", "line"))
    return picked or typed or str(line["text"])


def workbook(ask: Ask) -> Response:
    """Give the workbook as it was kept."""
    kept = own_screening(ask)
    file = workbook_file(ask.site.places.home, kept.number)
    if not file.is_file():
        raise Problem(404)
    return file_answer(file.read_bytes(), XLSX, f"批量核查-{kept.number}.xlsx")


def paper(ask: Ask) -> Response:
    """Give the lines as PDF."""
    kept = own_screening(ask)
    made = _apart(ask, print_task, ask.site.places.home, kept.number)
    return file_answer(made, "application/pdf", f"批量核查-{kept.number}.pdf")


def own_screening(ask: Ask) -> KeptScreening:
    """Find the screening an address names; one of another bureau does not exist for the caller."""
    number = ask.path["screening"]
    kept = read_screening(ask.site.places.home, number) if _NUMBER.fullmatch(number) else None
    if kept is None or kept.bureau != ask.me.bureau:
        raise Problem(404)
    return kept
