"""What staff tell of an expert of their bureau: another state, employments, ties, consents, leave. Nothing is overwritten."""

from __future__ import annotations

from collections.abc import Callable

from starlette.responses import Response

from expert_registry.errors import IncompleteExpert
from expert_registry.people import Consent, Employment, Expert, Leave, Tie
from expert_registry.roster import declarations
from expert_registry.roster.life_cycle import move_all
from expert_registry.roster.pool import load_one
from portal.expert_desk import POOL_STAFF, Office
from portal.web.asking import Ask, see
from portal.web.errors import Problem
from portal.web.experts.counter import day_of, free_text, office, role_of, told, tried
from portal.web.experts.pool import shown
from records.store import CHINA
from schemas.recusal_facts import recusal_reasons


def state(ask: Ask) -> Response:
    """Bring an expert into another state."""

    def move(desk: Office, expert: Expert) -> None:
        reason = free_text(told(ask, "reason"))
        if not reason:
            raise IncompleteExpert("变更状态须写明理由", "a change of state says why")
        move_all(
            desk.records, [expert.expert_id], told(ask, "state", 20), desk.by, desk.at, desk.rules, reason=reason,
            term_start=day_of(ask, "since"), term_end=day_of(ask, "until"), bar_until=day_of(ask, "bar_until"),
            vault=desk.vault,
        )  # fmt: skip

    return _tell(ask, move, "state")


def employment(ask: Ask) -> Response:
    """Tell of an employment, or that one on record ended."""

    def tell(desk: Office, expert: Expert) -> None:
        employer, code, until = told(ask, "employer"), told(ask, "code", 40), day_of(ask, "until")
        if told(ask, "ended"):
            if until is None:
                raise IncompleteExpert("登记离任须写截止日", "an employment that ended has its last day")
            reason, name = free_text(told(ask, "source")), code or employer
            if not declarations.end_employment(desk.records, expert.expert_id, name, until, desk.by, desk.at, reason):
                raise IncompleteExpert(f"没有在任的 {name}，请核对单位名称或代码", f"no open employment with {name}")
            return
        work = Employment(employer, code, told(ask, "role", 20), day_of(ask, "since"), until, told(ask, "source"))
        declarations.declare_employment(desk.records, expert.expert_id, work, desk.by, desk.at)

    return _tell(ask, tell)


def tie(ask: Ask) -> Response:
    """Tell of a tie, take one back, or tell a clearance, which pool staff alone may, with its reason."""

    def tell(desk: Office, expert: Expert) -> None:
        kind, reason, number = told(ask, "kind", 60), told(ask, "reason"), told(ask, "take_back", 12)
        if number:
            declarations.clear_tie(desk.records, expert.expert_id, _number(number), desk.by, desk.at, free_text(reason))
            return
        known = recusal_reasons().get(kind)
        if known is not None and known.clears and (role_of(ask) != POOL_STAFF or not reason):
            raise IncompleteExpert(
                f"{known.title_zh}只能由专家库管理人员写明理由后登记",
                f"{known.title_en} is told by pool staff, with a reason",
            )
        one = Tie(
            kind, told(ask, "code", 40), told(ask, "party"), told(ask, "matter"), day_of(ask, "since"),
            day_of(ask, "until"), None, reason, told(ask, "source"),
        )  # fmt: skip
        declarations.declare_tie(desk.records, expert.expert_id, one, desk.by, desk.at)

    return _tell(ask, tell)


def consent(ask: Ask) -> Response:
    """Keep a separate consent, or end it from a day on."""

    def tell(desk: Office, expert: Expert) -> None:
        kind, on = told(ask, "kind", 20), day_of(ask, "on") or desk.at.astimezone(CHINA).date()
        document = free_text(told(ask, "document"))
        if told(ask, "revoke"):
            declarations.revoke_consent(desk.records, expert.expert_id, kind, on, desk.by, desk.at, document)
        else:
            declarations.give_consent(
                desk.records, expert.expert_id, Consent(kind, on, None, document), desk.by, desk.at
            )

    return _tell(ask, tell)


def leave(ask: Ask) -> Response:
    """Keep days on which the expert cannot be asked."""

    def tell(desk: Office, expert: Expert) -> None:
        since, until = day_of(ask, "since"), day_of(ask, "until")
        if since is None or until is None:
            raise IncompleteExpert("请假须写起止日", "leave has its first and its last day")
        days = Leave(since, until, told(ask, "reason"))
        declarations.take_leave(desk.records, expert.expert_id, days, desk.by, desk.at)

    return _tell(ask, tell)


def _tell(ask: Ask, tell: Callable[[Office, Expert], None], what: str = "told") -> Response:
    """Do it for an expert of the caller's bureau; for anybody else there is no such expert."""
    expert = load_one(ask.site.records, ask.path["expert"])
    ask.need("expert.write", expert.bureau)
    desk = office(ask)
    fault = tried(ask, lambda: tell(desk, expert))
    return shown(ask, expert.expert_id, fault) if fault else see(f"/experts/{expert.expert_id}", done=what)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise Problem(400)
    return int(text)
