"""专家库: a page of the pool and one expert, each as the role of the caller may see it; every look is on record."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from portal import expert_views
from portal.expert_desk import POOL_STAFF
from portal.expert_words import COLUMNS, LISTED
from portal.web.asking import Ask
from portal.web.experts.counter import Fault, must_say_why, office, purpose_of, role_of, said
from portal.web.experts.wording import CHANGE_WORDS, CONSENT_WORDS, LOOKS, TONES, Wording
from portal.web.pages import page
from records import expert_pages
from records.expert_matches import matches
from schemas.experts import CONSENTS, expert_roles, expert_states
from schemas.recusal_facts import recusal_reasons, tie_kinds
from schemas.specialties import specialties

PER_PAGE = 25
LATEST = 60
"""Changes and looks shown of one expert, the newest first."""
TERSE = ("expert_id", "bureau", "state", "name")
"""Fields of a list that stand elsewhere in its row than in a column of their own."""
ACTS = {
    "suspended": ("暂停", "suspend"), "expired": ("到期", "let expire"), "withdrawn": ("退出", "withdraw"),
    "removed": ("移出", "remove"), "checked": ("审核通过", "check"), "publicised": ("公示", "publicise"),
    "applied": ("重新申报", "apply again"), "appointed": ("聘任", "appoint"),
}  # fmt: skip


def listing(ask: Ask) -> Response:
    """List a page of the pool."""
    if must_say_why(ask):
        return ask_why(ask)
    asked = {name: said(ask, name) for name in ("q", "bureau", "state", "specialty", "after")}
    desk, purpose = office(ask, purpose_of(ask)), purpose_of(ask)
    known = {"bureau": desk.bureaus, "state": expert_states(), "specialty": specialties()}
    chosen = {name: asked[name] if asked[name] in words else None for name, words in known.items()}
    found = expert_views.page(desk, asked["q"], limit=PER_PAGE, after=asked["after"], **chosen)
    kept = {"q": asked["q"], "purpose": purpose} | {name: one or "" for name, one in chosen.items()}
    total = _total(ask, chosen) if not asked["q"] else None
    return page(
        ask, "experts/list.html",
        people=found.people, after=found.after, asked=asked | {"purpose": purpose}, chosen=chosen, total=total,
        query=urlencode({name: value for name, value in kept.items() if value}),
        columns=[name for name in LISTED if name not in TERSE and any(name in one for one in found.people)],
        waiting=len(matches(ask.site.records, "proposed")),
        bureaus=desk.bureaus, states=expert_states(), fields=specialties(), tones=TONES, told=Wording(ask),
        why=f"?{urlencode({'purpose': purpose})}" if purpose else "", staff=role_of(ask) == POOL_STAFF,
    )  # fmt: skip


def _total(ask: Ask, chosen: dict[str, str | None]) -> int:
    return expert_pages.count(
        ask.site.records, bureau=chosen["bureau"], state=chosen["state"], specialty=chosen["specialty"]
    )


def ask_why(ask: Ask) -> Response:
    """Ask who is not of the pool's staff what he looks for."""
    return page(ask, "experts/purpose.html", kept={name: said(ask, name) for name in ("q", "draw", "expert")})


def one(ask: Ask) -> Response:
    """Show one expert."""
    return ask_why(ask) if must_say_why(ask) else shown(ask, ask.path["expert"])


def shown(ask: Ask, expert_id: str, fault: Fault | None = None) -> Response:
    """Show one expert, with what hindered the last step."""
    desk = office(ask, purpose_of(ask))
    document = expert_views.whole(desk, expert_id, changes=True, looks=True)
    fields: dict[str, Any] = document["expert"]
    writes = ask.may("expert.write", str(fields["bureau"]))
    now = expert_states()[str(fields["state"])]
    return page(
        ask, "experts/expert.html", fault.status if fault else 200,
        expert_id=expert_id, document=document, fields=fields, fault=fault,
        names=[name for name in COLUMNS if name in fields and name not in TERSE],
        state=fields["state"], tone=TONES.get(str(fields["state"]), ""),
        writes=writes.ok, needs_factor=writes.code == "second-factor",
        moves=[(code, _act(ask, str(fields["state"]), code), expert_states()[code].needs) for code in now.leads_to],
        changes=document.get("changes", [])[::-1][:LATEST], looks=document.get("looks", [])[:LATEST],
        pairs=matches(ask.site.records, expert_id=expert_id) if role_of(ask) == POOL_STAFF else [],
        consents=CONSENTS, consent_words=CONSENT_WORDS, change_words=CHANGE_WORDS, look_words=LOOKS,
        kinds={code: recusal_reasons()[code] for code in tie_kinds()}, roles=expert_roles(), told=Wording(ask),
        done=ask.query.get("done", "") in ("state", "told"),
    )  # fmt: skip


def _act(ask: Ask, state: str, to: str) -> str:
    """Name a move by what it does: out of a suspension one comes back, a term that runs is renewed."""
    if to == "appointed" and state == "suspended":
        return ask.words("恢复", "take back into use")
    if to == "appointed" and state == "appointed":
        return ask.words("续聘", "renew the term")
    return ask.words(*ACTS[to])
