"""The same person in both lists: what speaks for and against it, and a person's decision, which can be taken back."""

from __future__ import annotations

from starlette.responses import Response

from expert_registry.roster import merging
from expert_registry.roster.pool import load
from portal import expert_views
from portal.web.asking import Ask, see
from portal.web.errors import Problem
from portal.web.experts.counter import Fault, free_text, must_say_why, office, purpose_of, said, told, tried
from portal.web.experts.pool import ask_why
from portal.web.experts.wording import Wording
from portal.web.pages import page
from records.expert_matches import match
from schemas.match_facts import match_evidence

STATES = {
    "proposed": ("待核定", "to be decided"), "same": ("同一人", "one person"), "different": ("不是同一人", "two persons"),
    "lapsed": ("已失效", "lapsed"),
}  # fmt: skip
SHOWN = ("bureau", "name", "employer", "title", "identity", "phone", "state")
MOST = 100


def pairs(ask: Ask) -> Response:
    """List pairs of a state."""
    return ask_why(ask) if must_say_why(ask) else _page(ask)


def decide(ask: Ask) -> Response:
    """Decide a pair, or take a decision back."""
    desk, pair, reason = office(ask), told(ask, "pair", 60), free_text(told(ask, "reason"))
    _need_own(ask, pair)
    decision, keep = told(ask, "decision", 20), told(ask, "keep", 60)

    def settle() -> object:
        if decision == "undo":
            return merging.undo(desk.records, pair, desk.by, desk.at, reason)
        return merging.decide(desk.records, pair, decision, desk.by, desk.at, reason, keep or None)

    fault = tried(ask, settle)
    return _page(ask, fault) if fault else see("/experts/matches", done="yes")


def _need_own(ask: Ask, pair: str) -> None:
    """Leave a pair alone in which nobody is on a list of the caller's bureau."""
    found = match(ask.site.records, pair)
    sides = load(ask.site.records, ids=[found.first, found.second]) if found else []
    if ask.me.bureau not in {one.bureau for one in sides}:
        raise Problem(404)


def _page(ask: Ask, fault: Fault | None = None) -> Response:
    state = said(ask, "state")
    state = state if state in STATES else "proposed"
    found = expert_views.pairs(office(ask, purpose_of(ask)), state)
    return page(
        ask, "experts/matches.html", fault.status if fault else 200,
        found=found[:MOST], total=len(found), state=state, states=STATES, fault=fault, shown=SHOWN,
        signs=match_evidence(), writes=ask.may("expert.write", ask.me.bureau), told=Wording(ask),
        done=ask.query.get("done") == "yes", purpose=purpose_of(ask),
    )  # fmt: skip
