"""The seats of a draw once its names may be seen: who is asked, who comes, who is replaced, and the appraisal afterwards.

Names are shown to the bureau that asked, each look on record. Telephone numbers are opened for a purpose that is said.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.responses import Response

from expert_registry.draw.desk import latest, papers_of
from expert_registry.errors import WrongState
from expert_registry.panel import afterwards
from portal.expert_desk import Office
from portal.expert_rounds import seats_shown
from portal.web.asking import Ask, see
from portal.web.experts.counter import ORGANISER, Fault, free_text, office, told, tried
from portal.web.experts.steps import source, step
from portal.web.experts.wording import SEAT_TONES, Wording
from portal.web.pages import page
from records import expert_drawbook, expert_seats
from records.expert_appraisals import appraisals
from records.expert_draws import Draw
from records.store import CHINA
from schemas.expert_draw_facts import draw_reasons
from schemas.expert_seat_facts import appraisal_grades, decline_reasons, seat_states

KINDS = {
    "by-user": ("用户单位评专家", "user on expert"), "of-organiser": ("专家评组织方", "expert on organiser"),
}  # fmt: skip
DONE = {
    "invite": ("已登记邀请。", "Invitations are on record."), "answer": ("已登记。", "Kept."),
    "appraise": ("评价已登记。", "The appraisal is kept."),
}  # fmt: skip


def seats(ask: Ask) -> Response:
    """Show the seats."""
    return _shown(ask, _own(ask))


def phones(ask: Ask) -> Response:
    """Show the seats with the telephone numbers, for a purpose."""
    draw, purpose = _own(ask), free_text(told(ask, "purpose", 120))
    if not purpose:
        words = ask.words("显示电话前请写明用途。请填写后重试", "say what the numbers are needed for")
        return _shown(ask, draw, Fault(words, 422))
    return _shown(ask, draw, purpose=purpose)


def invite(ask: Ask) -> Response:
    """Record invitations to all who wait for one."""

    def act(desk: Office, draw: Draw) -> None:
        document = free_text(told(ask, "document"))
        waiting = [one for one in expert_seats.seats(desk.records, draw_ids=[draw.draw_id]) if one.state == "drawn"]
        if not waiting:
            raise WrongState("没有待邀请的席位", "nobody waits to be invited")
        for one in waiting:
            afterwards.tell(
                desk.desk, draw.draw_id, one.expert_id, "invited", by=desk.by, at=desk.at, document=document
            )  # fmt: skip

    return _done(ask, act, "invite")


def answer(ask: Ask) -> Response:
    """Record what became of a seat, or the reason that was missing."""

    def act(desk: Office, draw: Draw) -> object:
        texts = {"reason": free_text(told(ask, "reason")), "document": free_text(told(ask, "document"))}
        expert, state, code = told(ask, "expert", 60), told(ask, "state", 20), told(ask, "code", 60)
        if state == "explain":
            return afterwards.explain(desk.desk, draw.draw_id, expert, code, by=desk.by, at=desk.at, **texts)
        return afterwards.tell(desk.desk, draw.draw_id, expert, state, code=code, by=desk.by, at=desk.at, **texts)

    return _done(ask, act, "answer")


def vacancy(ask: Ask) -> Response:
    """Open the replacement of somebody whose seat is free."""

    def act(desk: Office, draw: Draw) -> object:
        expert, fallback = told(ask, "expert", 60), source(ask, "source", "due")
        return afterwards.open_vacancy(
            desk.desk, draw.draw_id, expert, fallback_source=fallback, by=desk.by, at=desk.at
        )  # fmt: skip

    return step(ask, "expert.draw", act, "vacancy")


def appraise(ask: Ask) -> Response:
    """Appraise one use."""

    def act(desk: Office, draw: Draw) -> object:
        words, grade = free_text(told(ask, "reason")), told(ask, "grade", 20)
        return afterwards.appraise(
            desk.desk, draw.draw_id, told(ask, "expert", 60), told(ask, "kind", 20), grade,
            by=desk.by, at=desk.at, remark=words,
        )  # fmt: skip

    return _done(ask, act, "appraise")


def _own(ask: Ask) -> Draw:
    """Find the draw of an address, if it is the caller's bureau's."""
    draw = expert_drawbook.draw(ask.site.records, ask.path["draw"])
    ask.need("expert.draw", draw.bureau)
    return draw


def _done(ask: Ask, act: Callable[[Office, Draw], object], what: str) -> Response:
    draw, desk = _own(ask), office(ask)
    fault = tried(ask, lambda: act(desk, draw))
    return _shown(ask, draw, fault) if fault else see(f"/draws/{draw.draw_id}/seats", done=what)


def _shown(ask: Ask, draw: Draw, fault: Fault | None = None, *, purpose: str = "") -> Response:
    desk = office(ask, purpose, ORGANISER if purpose else "")
    found: list[dict[str, Any]] = []
    sealed = tried(ask, lambda: found.extend(seats_shown(desk, draw.draw_id)))
    called = draw.state == "called"
    given = appraisals(ask.site.records, draw_ids=[draw.draw_id])
    return page(
        ask, "experts/seats.html", fault.status if fault else sealed.status if sealed else 200,
        draw=draw, seats=found, fault=fault, sealed=sealed, told=Wording(ask), tones=SEAT_TONES, phones=bool(purpose),
        states=seat_states(), leads={one["id"]: _leads(str(one["seat_state"])) for one in found},
        codes=decline_reasons(), vacancies=draw_reasons("vacancy"), grades=appraisal_grades(), kinds=KINDS,
        given={(one.expert_id, one.kind): one for one in given}, called=called,
        due={(one.expert_id, one.kind): one.last_day for one in afterwards.due(desk.desk, [draw.draw_id])},
        replaced={one["out"] for one in papers_of(desk.desk, draw.draw_id, "vacancy").values()},
        open=_is_open(desk, draw), hours=desk.rules.answer_hours, left=afterwards.LEFT, used=afterwards.USED,
        today=ask.at.astimezone(CHINA).date(), done=ask.words(*DONE.get(ask.query.get("done", ""), ("", ""))),
    )  # fmt: skip


def _leads(state: str) -> list[str]:
    """Say into which states a seat may be brought by hand; inviting goes for all at once."""
    return [one for one in seat_states()[state].leads_to if one != "invited"]


def _is_open(desk: Office, draw: Draw) -> bool:
    if draw.state != "published":
        return False
    part = str(len(latest(desk.desk, draw.draw_id)["replacements"]) + 1)
    return part in papers_of(desk.desk, draw.draw_id, "vacancy")
