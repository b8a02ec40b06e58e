"""Credit for programs: look-ups by code, candidates by name, screening of a list; what the pages and the command line ask.

A name never opens a record. Who asks and why is kept before anything is shown, under the owner of the key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from starlette.responses import Response

from credit_registry.answers import ANSWER, is_name
from credit_registry.screening import Line
from credit_registry.wording import MATCHED, STATUSES
from portal.credit_uses import CANDIDATES, Counter, GivenList, kept_by_name, screen_list
from portal.credit_uses import search as find
from portal.web.api.answering import JSON, busy, offered, told, written
from portal.web.api.questions import LONGEST_TEXT, number, read_day, switch, text, wrong
from portal.web.api.shapes import (
    DAY,
    MAYBE_OPEN,
    NUMBER,
    OPEN,
    TEXT,
    WHOLE,
    by_name,
    limit,
    many,
    needed,
    one_of,
    thing,
    words,
)
from portal.web.api.shapes import switch as on_or_off
from portal.web.asking import ApiDoc, Ask
from portal.web.credit.standing import Moment, asker, look_for_bulk_use, refuse_scraping, register_of
from records.credit_desk import Errand
from records.store import storable
from schemas.api_rules import api_rules
from schemas.credit_facts import purposes
from schemas.files import fold

RULES = api_rules()
PAGES, MOST_LINES = RULES.pages, RULES.bodies.screen_lines
WHY = ("purpose", "plan", "certificate")
WAIT = 20.0
"""Seconds a screening waits for its turn."""


@contextmanager
def counter(ask: Ask, said: Mapping[str, str]) -> Iterator[Counter]:
    """Stand before the open register; the bureau is that of the key, the user its owner."""
    who = asker(ask, Errand(*(said.get(name, "") for name in WHY)))
    with register_of(ask).desk() as desk:
        yield Counter(desk, who, ask.me.bureau, ask.at)


def as_of(said: Mapping[str, str]) -> Moment:
    """Read both clocks: valid on, and known at the end of."""
    known = read_day(said.get("known", ""), "known")
    return Moment(read_day(said.get("on", ""), "on"), known.isoformat() if known else None)


def lookup(ask: Ask) -> Response:
    """Answer for a code; for a name give candidates with their codes."""
    refuse_scraping(ask, "daily-lookups")
    code, name = text(ask, "code"), text(ask, "name")
    if bool(fold(code)) == bool(fold(name)):
        raise wrong("code", "请写 code 或 name 之一", "name either code or name")
    if code and is_name(code):
        raise wrong("code", "不是统一社会信用代码。按名称查请用 name", "is no code; ask by name with 'name'")
    if name and not is_name(name):
        raise wrong("name", "这是代码。按代码查请用 code", "is a code; ask by code with 'code'")
    said = {part: text(ask, part) for part in WHY}
    when = as_of(ask.query)
    with counter(ask, said) as at_desk:
        if code or (switch(ask, "no_code") and kept_by_name(at_desk.desk, name)):
            document = at_desk.answer(code or name, when, "lookup")
        else:
            _, document = find(at_desk, name, "lookup", PAGES.hits)
    look_for_bulk_use(ask)
    return told(document)


def search(ask: Ask) -> Response:
    """List the enterprises a text may mean, best first; opens no record."""
    refuse_scraping(ask, "daily-searches")
    wanted, most = text(ask, "q"), number(ask, "limit", PAGES.hits, PAGES.most_hits)
    if not fold(wanted):
        raise wrong("q", "请写名称、代码或拼音", "write a name, a code or pinyin")
    with counter(ask, {part: text(ask, part) for part in WHY}) as at_desk:
        _, document = find(at_desk, wanted, "search", most)
    return told(document)


def screen(ask: Ask) -> Response:
    """Screen a list; order and numbers of the lines stay, the signed result is kept as that of the command line is."""
    refuse_scraping(ask, "daily-lines")
    said, lines = read_list(ask.body)
    when = as_of(said)
    mark = hashlib.sha256(written(lines)).hexdigest()
    given = GivenList(said.get("name") or "api", mark, list(enumerate(lines, start=1)))
    if not ask.site.heavy.acquire(timeout=WAIT):
        raise busy()
    try:
        with counter(ask, said) as at_desk:
            screened = screen_list(at_desk, given, when, most=MOST_LINES)
            sources, version = at_desk.sources(), at_desk.desk.version
    finally:
        ask.site.heavy.release()
    look_for_bulk_use(ask)
    return told(
        {
            "screening": screened.number,
            "version": version,
            "counts": screened.found.counts,
            "sources": sources,
            "lines": [_line(one) for one in screened.found.lines],
        }  # fmt: skip
    )


def read_list(body: Any) -> tuple[dict[str, str], list[str]]:
    """Read what is to be screened, and who asks why.

    Raises
    ------
    Problem
        It is not as the document says.
    """
    if not isinstance(body, dict) or not isinstance(body.get("lines"), list):
        raise wrong(
            "lines",
            '请发送 {"lines": [代码或名称, …], "purpose": …}',
            'send {"lines": [code or name, …], "purpose": …}',
        )
    lines = body["lines"]
    if len(lines) > MOST_LINES:
        raise wrong(
            "lines", f"共 {len(lines)} 行，最多 {MOST_LINES} 行。请分批", f"{len(lines)} lines, at most {MOST_LINES}"
        )
    for place, line in enumerate(lines, start=1):
        if not isinstance(line, str) or len(line) > LONGEST_TEXT or storable(line) != line:
            raise wrong(
                "lines",
                f"第 {place} 行不是不超过 {LONGEST_TEXT} 字的文字",
                f"line {place} is no text of at most {LONGEST_TEXT} characters",
            )
    said = {name: body[name] for name in (*WHY, "on", "known", "name") if body.get(name) is not None}
    for name, value in said.items():
        if not isinstance(value, str) or len(value) > LONGEST_TEXT or storable(value) != value:
            raise wrong(
                name, f"应为不超过 {LONGEST_TEXT} 字的文字", f"must be a text of at most {LONGEST_TEXT} characters"
            )
    return said, lines


def _line(one: Line) -> dict[str, Any]:
    hits = [
        {
            "uscc": hit.uscc, "subject": hit.subject, "name": hit.name, "current_name": hit.current_name,
            "matched": hit.matched_field, "score": round(hit.score, 1), "why": hit.why_zh, "why_en": hit.why_en,
            "region": hit.region,
        }
        for hit in one.candidates
    ]  # fmt: skip
    whole = {
        name: getattr(one, name)
        for name in ("line", "text", "status", "why", "why_en", "uscc", "subject", "name", "matched", "first")
    }
    return whole | {"candidates": hits, "summary": None if one.summary is None else asdict(one.summary)}


HIT = thing(
    uscc=TEXT, subject=TEXT, name=TEXT, current_name=TEXT, matched=one_of(MATCHED), score=NUMBER, why=TEXT, why_en=TEXT,
    region=TEXT,
)  # fmt: skip
FOUND = thing(
    document={"const": CANDIDATES}, state=TEXT, message=TEXT, query=OPEN, sources=many(OPEN), candidates=many(HIT)
)
ANSWERED = thing(
    document={"const": ANSWER}, state=TEXT, query=OPEN, identity=OPEN, ratings=OPEN, penalties=OPEN, in_progress=OPEN,
    supervision=OPEN, unknown=OPEN, as_of=OPEN, attention=OPEN,
)  # fmt: skip
ASKED = {
    "purpose": needed(one_of(purposes(), "why; kept with the look-up")),
    "plan": words("number of the plan or case; some purposes need it"),
    "certificate": words("certificate of the officer"),
}
CLOCKS = {"on": words("valid on that day; today", DAY), "known": words("as known at the end of that day; now", DAY)}
SCREENED = thing(
    screening=TEXT, version=TEXT, counts=by_name(WHOLE), sources=many(OPEN),
    lines=many(
        thing(
            line=WHOLE, text=TEXT, status=one_of(STATUSES), why=TEXT, why_en=TEXT, uscc=TEXT, subject=TEXT, name=TEXT,
            matched=TEXT, first=WHOLE, candidates=many(HIT), summary=MAYBE_OPEN,
        )
    ),
)  # fmt: skip
LIST = {
    "type": "object",
    "required": ["lines", "purpose"],
    "properties": {
        "lines": {
            "type": "array", "maxItems": MOST_LINES, "items": {"type": "string", "maxLength": LONGEST_TEXT},
            "description": "codes or names; blank lines keep their number",
        },
        "purpose": one_of(purposes()), "plan": TEXT, "certificate": TEXT, "on": DAY, "known": DAY,
        "name": words("what the list is called in the trace"),
    },
}  # fmt: skip
ROUTES = (
    offered(
        "GET", "/credit/lookup", "credit.lookup", lookup,
        ApiDoc(
            "What both bureaus have on an enterprise, by code; a name gives candidates only (docs/credit-json.md)",
            query={
                "code": words("unified social credit code"), "name": words("instead of a code: gives candidates"),
                "no_code": on_or_off("open a record kept under just this name that bears no code"), **ASKED, **CLOCKS,
            },
            answers={JSON: {"anyOf": [ANSWERED, FOUND]}},
        ),
    ),
    offered(
        "GET", "/credit/search", "credit.lookup", search,
        ApiDoc(
            "Enterprises a text may mean, best first: code, name, former name, pinyin; opens no record",
            query={"q": needed(TEXT), "limit": limit(PAGES.hits, PAGES.most_hits), **ASKED},
            answers={JSON: FOUND},
        ),
    ),
    offered(
        "POST", "/credit/screen", "credit.screen", screen,
        ApiDoc(
            f"Screen a list of at most {MOST_LINES} codes or names, line by line",
            body=LIST,
            answers={JSON: SCREENED},
        ),
        group="heavy",
        most=RULES.bodies.screen_bytes,
    ),
)  # fmt: skip
