"""I1: one field for a code, a name or its pinyin; candidates as one types; a name never opens a record by itself.

The same list is drawn for the page and for the script that fetches it while somebody types.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from credit_registry.search import Hit
from portal.credit_uses import search
from portal.web.asking import Ask, see
from portal.web.credit.grades import graded
from portal.web.credit.standing import (
    NoErrand,
    counter,
    errand,
    keep_pace,
    refuse_scraping,
    register_of,
)
from portal.web.errors import Problem
from portal.web.pages import page
from records.credit_desk import Errand, keep_errand
from schemas.credit_facts import purposes
from schemas.files import fold
from schemas.identifiers import read_uscc

SHOWN = 8
LONGEST = 100
LEAST = 2
"""Characters from which candidates are given."""
LONGEST_PLAN = 120


def desk(ask: Ask) -> Response:
    """Show the field, and what was found where something was asked."""
    text = typed(ask)
    try:
        why = errand(ask)
    except NoErrand:
        return _ask_why(ask, Errand("", "", ""), {}, text)
    if "change" in ask.query:
        return _ask_why(ask, why, {}, text)
    code = read_uscc(text).code
    if code:  # who has the code asks for the enterprise, not for a list
        return see(f"/credit/enterprises/{code}")
    found = candidates(ask, text) if len(text) >= LEAST else None
    with register_of(ask).desk() as opened:
        stale = opened.behind
        made_at = opened.register.made_at if opened.register else None
        has_data = opened.has_data
    return page(
        ask, "credit/desk.html", why=why, purpose=purposes()[why.purpose], text=text, found=found, least=LEAST,
        stale=stale, made_at=made_at, has_data=has_data,
    )  # fmt: skip


def suggest(ask: Ask) -> Response:
    """Give the candidates alone, while somebody types."""
    keep_pace(ask, "searches-a-second", 1)
    text = typed(ask)
    try:
        found = candidates(ask, text) if len(text) >= LEAST else None
    except NoErrand:
        raise Problem(
            409, "no-errand", "请先写明查询目的", "say first what the look-up is for", {"hx-redirect": "/credit"}
        ) from None
    return page(ask, "credit/hits.html", text=text, found=found, least=LEAST)


def candidates(ask: Ask, text: str) -> dict[str, Any]:
    """Search, trace it, and give the hits with their grades.

    Raises
    ------
    NoErrand
    Problem
        The daily limit is reached.
    """
    refuse_scraping(ask, "daily-searches")
    with counter(ask) as stood:
        hits, document = search(stood, text, "search", SHOWN)
        return {"hits": graded(stood, hits), "document": document, "state": document["state"]}


def set_errand(ask: Ask) -> Response:
    """Keep why this session asks."""
    given = Errand(*(fold(ask.form.get(name, ""))[:LONGEST_PLAN] for name in ("purpose", "plan", "certificate")))
    onward = typed(ask)
    faults = _faults(ask, given)
    if faults:
        return _ask_why(ask, given, faults, onward, 422)
    keep_errand(ask.site.records, ask.me.session_id, given, ask.at)
    code = read_uscc(onward).code
    return see(f"/credit/enterprises/{code}") if code else see("/credit", q=onward)


def typed(ask: Ask) -> str:
    """Give what was typed: folded, without blanks at the ends, cut where no name goes on."""
    said = ask.form if ask.method == "POST" else ask.query
    return fold(said.get("q", "")[: 4 * LONGEST])[:LONGEST]


def tail_of(hit: Hit) -> str:
    """Give the end of a code, enough to tell two enterprises of one name apart."""
    return f"…{hit.uscc[-6:]}" if hit.uscc else ""


def ask_why(ask: Ask, code: str = "") -> Response:
    """Send somebody to say why he asks, and back to the enterprise afterwards."""
    return see("/credit", q=code)


def _ask_why(ask: Ask, why: Errand, faults: dict[str, str], text: str, status: int = 200) -> Response:
    return page(ask, "credit/why.html", status, why=why, purposes=purposes(), faults=faults, text=text)


def _faults(ask: Ask, given: Errand) -> dict[str, str]:
    say = ask.words
    purpose = purposes().get(given.purpose)
    if purpose is None:
        return {"purpose": say("“查询目的”：还没有选。请选一项", "purpose: nothing is chosen; choose one")}
    if purpose.needs_plan and not given.plan:
        zh = f"“计划或事由”：目的为“{purpose.title_zh}”时必填。请写明{purpose.plan_zh.replace('（必填）', '')}"
        return {"plan": say(zh, f"plan or reason: needed for this purpose. Give: {purpose.plan_en}")}
    return {}
