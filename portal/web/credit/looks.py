"""Who looked: an inspector reads back what he asked; reviewers and auditors of a bureau see who looked at its records."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from starlette.responses import Response

from portal.boards import CHINA
from portal.credit import end_of_day
from portal.web.asking import Ask
from portal.web.pages import page
from records.credit import Access, accesses
from schemas.credit_facts import purposes

PER_PAGE = 100
KINDS = {
    "lookup": ("查询", "look-up"), "search": ("检索", "search"), "history": ("沿革", "history"),
    "screen": ("批量核查", "screening"), "slip": ("查询单", "slip"), "draw": ("抽取", "draw"), "export": ("导出", "export"),
}  # fmt: skip


def looks(ask: Ask) -> Response:
    """List look-ups of the caller, or all that showed records of his bureau where he may see those."""
    all_of_bureau = ask.may("credit.readers", ask.me.bureau).ok
    mine = not all_of_bureau or ask.query.get("whose") == "mine"
    since, until = (_day(ask.query.get(name, "")) for name in ("since", "until"))
    first = datetime.combine(since, time(), CHINA) if since else None
    last = end_of_day(until) + timedelta(microseconds=1) if until else None
    found: list[Access] = (
        accesses(ask.site.records, user=ask.me.login, since=first, until=last, limit=PER_PAGE + 1)
        if mine
        else accesses(ask.site.records, owner=ask.me.bureau, since=first, until=last, limit=PER_PAGE + 1)
    )
    shown = found[:PER_PAGE]
    return page(
        ask, "credit/looks.html", looks=shown, mine=mine, all_of_bureau=all_of_bureau, since=since, until=until,
        more=len(found) > PER_PAGE, kinds=KINDS, purposes=purposes(), most=PER_PAGE,
    )  # fmt: skip


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text[:10]) if text else None
    except ValueError:
        return None
