"""Why somebody may or may not sit: as a list made now would say it, and of a frozen list once its names may be seen."""

from __future__ import annotations

import re
from typing import Any

from starlette.responses import Response

from expert_registry.draw.desk import papers_of
from expert_registry.draw.requests import read_request
from portal import expert_views
from portal.web.asking import Ask
from portal.web.errors import Problem
from portal.web.experts.counter import Fault, must_say_why, office, purpose_of, said, tried
from portal.web.experts.pool import ask_why
from portal.web.experts.wording import Wording
from portal.web.pages import page
from records import expert_drawbook

NUMBER = re.compile(r"e-[0-9a-z-]{3,40}")


def recusal(ask: Ask) -> Response:
    """Answer for one expert and one draw of the caller's bureau."""
    if must_say_why(ask):
        return ask_why(ask)
    records, expert, draw_id = ask.site.records, said(ask, "expert"), said(ask, "draw")
    mine = [one for one in expert_drawbook.draws(records, bureau=ask.me.bureau) if one.detail.get("kind") == "draw"]
    if draw_id and draw_id not in {one.draw_id for one in mine}:
        raise Problem(404)
    answer: list[dict[str, Any]] = []
    fault: Fault | None = None
    if draw_id and expert:
        fault = (
            tried(ask, lambda: answer.append(_answer(ask, draw_id, expert)))
            if NUMBER.fullmatch(expert)
            else _wrong(ask)
        )
    return page(
        ask, "experts/recusal.html", fault.status if fault else 200,
        draws=mine[::-1], draw_id=draw_id, expert=expert, fault=fault, told=Wording(ask), purpose=purpose_of(ask),
        answer=answer[0] if answer else None, frozen={one.draw_id for one in mine if one.list_hash},
    )  # fmt: skip


def _answer(ask: Ask, draw_id: str, expert: str) -> dict[str, Any]:
    desk = office(ask, purpose_of(ask))
    if expert_drawbook.draw(desk.records, draw_id).list_hash:
        return expert_views.why_not(desk, expert, None, draw_id)
    return expert_views.would_sit(desk, expert, read_request(papers_of(desk.desk, draw_id, "request")[""]))


def _wrong(ask: Ask) -> Fault:
    words = (
        "专家编号应写作 e-20260414-0123456789ab。请从名册复制",
        "a number is e-20260414-0123456789ab: copy it from the list",
    )
    return Fault(ask.words(*words), 422)
