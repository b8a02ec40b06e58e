"""Papers of a draw: its minutes as PDF, and what goes to and comes from the home of the other bureau."""

from __future__ import annotations

import json
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from expert_registry.draw.exchange import export as packet
from expert_registry.draw.exchange import take_in
from expert_registry.draw.verification import read
from expert_registry.errors import BadDraw, ExpertError
from expert_registry.panel.minutes import minutes
from portal.expert_desk import POOL_STAFF
from portal.web.asking import Ask, see
from portal.web.errors import Problem
from portal.web.experts.counter import Fault, office, purpose_of, role_of, tried
from portal.web.experts.one_file import one_file
from portal.web.experts.pool import ask_why
from portal.web.experts.wording import Wording
from portal.web.pages import page
from records import expert_drawbook
from records.expert_draws import Draw

MOST = 16 * 2**20
NAMED = (POOL_STAFF, "auditor")
"""Whose minutes may name people; who confirms a draw, and the other bureau, have them without."""


def record_sheet(ask: Ask) -> Response:
    """Give the minutes the caller's role may have, as PDF; names in them are recorded looks."""
    from expert_registry.panel.minutes_page import print_minutes

    draw = expert_drawbook.draw(ask.site.records, ask.path["draw"])
    role = role_of(ask) if draw.bureau == ask.me.bureau and role_of(ask) in NAMED else "peer_before"
    if role != POOL_STAFF and not purpose_of(ask):
        return ask_why(ask)
    desk = office(ask, purpose_of(ask), role)
    made: list[dict[str, Any]] = []
    if fault := tried(ask, lambda: made.append(minutes(desk.desk, draw.draw_id, desk.looker(), desk.at))):
        raise Problem(fault.status, "no-minutes", fault.words, fault.words)
    if not ask.site.heavy.acquire(timeout=20):
        raise Problem(503, headers={"retry-after": "30"})
    try:
        address = f"{ask.site.settings.address}/public/draws" if ask.site.settings.address else ""
        printed = print_minutes(made[0], address=address)
    finally:
        ask.site.heavy.release()
    named = f'attachment; filename="{draw.draw_id}-minutes.pdf"'
    return Response(printed, media_type="application/pdf", headers={"content-disposition": named})


def export(ask: Ask) -> Response:
    """Give the signed file for the home of the other bureau; it names nobody."""
    draw = expert_drawbook.draw(ask.site.records, ask.path["draw"])
    desk = office(ask)
    made: list[dict[str, Any]] = []
    if fault := tried(ask, lambda: made.append(packet(desk.desk, draw.draw_id, ask.me.bureau, desk.at))):
        raise Problem(fault.status, "no-papers", fault.words, fault.words)
    return as_file(made[0], f"{draw.draw_id}-papers-{ask.me.bureau}.json")


async def take(ask: Ask) -> Response:
    """Take in a file of the other bureau's home."""
    sent = await one_file(ask, MOST)
    return await run_in_threadpool(_taken, ask, sent.data)


def exchange(ask: Ask) -> Response:
    """Show where papers of the other bureau's home are handed in."""
    return _page(ask)


def _taken(ask: Ask, data: bytes) -> Response:
    desk = office(ask)
    found: list[Draw] = []

    def keep() -> None:
        try:
            found.append(take_in(desk.desk, read(data), by=desk.by, at=desk.at))
        except ExpertError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadDraw(
                "不是对方的交换文件，请让对方重新导出", "this is no exchange file: let it be exported again"
            ) from error

    fault = tried(ask, keep)
    return _page(ask, fault) if fault else see(f"/draws/{found[0].draw_id}", done="import")


def _page(ask: Ask, fault: Fault | None = None) -> Response:
    desk = office(ask)
    return page(
        ask, "experts/exchange.html", fault.status if fault else 200, fault=fault, told=Wording(ask),
        plays=desk.desk.plays, others=[one for one in desk.bureaus if one not in desk.desk.plays],
        key=desk.desk.signer.public_key, most=MOST // 2**20,
    )  # fmt: skip


def as_file(document: dict[str, Any], name: str) -> Response:
    """Give a document as the command line writes it."""
    text = json.dumps(document, ensure_ascii=False, sort_keys=True, indent=1) + "\n"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(text.encode(), media_type="application/json", headers=headers)
