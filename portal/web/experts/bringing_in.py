"""A bureau's expert list comes in: read in memory, judged and taken over as the command line does, told row by row.

Of the file nothing is kept but the sealed copy the registry makes; its name is forgotten, it may be a person's.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path, PurePath
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from expert_registry.errors import IncompleteExpert
from expert_registry.privacy.vault import write_private
from pipelines.memory_scratch import memory_scratch
from portal.expert_desk import Office
from portal.expert_import import BroughtIn, bring_in
from portal.template import write_template
from portal.web.asking import Ask
from portal.web.errors import Problem
from portal.web.experts.counter import Fault, day_of, office, told, tried
from portal.web.experts.one_file import Sent, one_file
from portal.web.experts.wording import Wording
from portal.web.pages import page

MOST = 5 * 2**20
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ENDINGS = (".xlsx", ".csv")
ROWS = 500
"""Rows of a report shown on the page."""


def blank(ask: Ask) -> Response:
    """Show the form."""
    return _page(ask, [])


def template(ask: Ask) -> Response:
    """Give the workbook a list is written in; it is the same for everybody and names nobody."""
    facts = ask.site.places.site_facts
    with tempfile.TemporaryDirectory(prefix="gongzhi-template-") as scratch:
        made = Path(scratch) / "experts.xlsx"
        write_template("experts", made, ask.me.bureau, facts if facts.is_dir() else None)
        content = made.read_bytes()
    named = "attachment; filename=\"experts.xlsx\"; filename*=UTF-8''" + quote("专家名册模板.xlsx")
    return Response(content, media_type=XLSX, headers={"content-disposition": named})


async def upload(ask: Ask) -> Response:
    """Take a list."""
    sent = await one_file(ask, MOST)
    return await run_in_threadpool(_taken, ask, sent)


def _taken(ask: Ask, sent: Sent) -> Response:
    ending = PurePath(sent.name).suffix.lower()
    fault = _refused(ask, sent, ending)
    found: list[BroughtIn] = []
    if fault is None:
        ask = replace(ask, form=sent.fields)
        fault = tried(ask, lambda: found.extend(_brought_in(ask, office(ask), sent.data, ending)))
    return _page(ask, found, fault)


def _refused(ask: Ask, sent: Sent, ending: str) -> Fault | None:
    if not sent.name or not sent.data:
        words = ask.words(
            "没有选择文件，或文件是空的。请选择一个名册文件", "no file was chosen, or it is empty: choose a list"
        )
        return Fault(words, 422)
    if ending not in ENDINGS:
        words = ask.words(
            "只接受 .xlsx 和 .csv。请另存为其中一种再上传", "only .xlsx and .csv are taken: save it as one of them"
        )
        return Fault(words, 422)
    return None


def _brought_in(ask: Ask, desk: Office, data: bytes, ending: str) -> list[BroughtIn]:
    term = (told(ask, "appointed"), day_of(ask, "since"), day_of(ask, "until"))
    if any(term) and not all(term):
        raise IncompleteExpert(
            "接收已聘专家须同时写明聘任文件、聘期起止日",
            "appointed experts need the document and both days of the term",
        )
    if not ask.site.heavy.acquire(timeout=20):
        raise Problem(503, headers={"retry-after": "30"})
    try:
        otherwise = ask.site.places.home / "scratch"
        otherwise.mkdir(parents=True, exist_ok=True)
        with memory_scratch(len(data), otherwise) as scratch:
            path = scratch / f"list{ending}"
            write_private(path, data)
            taken = (term[0], term[1], term[2]) if term[0] and term[1] and term[2] else None
            return list(bring_in(desk, [path], ask.me.bureau, taken))
    finally:
        ask.site.heavy.release()


def _page(ask: Ask, found: list[BroughtIn], fault: Fault | None = None) -> Response:
    status = fault.status if fault else 200 if all(one.good for one in found) else 422
    return page(
        ask, "experts/import.html", status, found=found, fault=fault, most=MOST // 2**20, rows=ROWS,
        told=Wording(ask), good=bool(found) and all(one.good for one in found), term=ask.form,
    )  # fmt: skip
