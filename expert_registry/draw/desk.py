"""The desk that walks a draw through its steps: here the request, and its end without a panel.

The list is frozen in ``freezing.py``; commitments, reveals and the draw itself are in ``rounds.py``, replacements in
``replacing.py``, the names in ``opening.py``, papers from and to the other bureau in ``exchange.py``. Every step is one
transaction, and asked for again it gives what stands: after a stop anywhere one simply goes on. Who asked for a draw can
neither freeze nor run it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from expert_registry.draw import protocol
from expert_registry.draw.papers import KeyBook
from expert_registry.draw.requests import (
    PanelRequest,
    Redraw,
    check_redraw,
    check_request,
    matter_key,
    request_paper,
    series,
)
from expert_registry.errors import BadDraw, BadRequest, NeedsSecondPerson, WrongState
from expert_registry.people import Matter
from expert_registry.privacy.vault import DRAW_KEY, Vault
from records import expert_drawbook, expert_draws
from records.expert_draws import Draw, NewPaper, Opening
from records.keys import Signer, Verifier, sign_document
from records.models import write_time
from records.store import Records, storable
from schemas.expert_draw_facts import draw_reasons
from schemas.experts import ExpertRules
from schemas.files import fold

ABANDONED = "gongzhi-expert-abandonment/1"
ENDED = ("published", "abandoned")


@dataclass(frozen=True, slots=True)
class Desk:
    """One home at its draws: its records, vault and key, the bureaus it plays, and the keys it trusts.

    ``bureaus`` are all who take part; ``plays`` those whose part this home has: one, or on a single machine all.
    ``trusted`` are the public keys of each bureau; this home's own key counts for those it plays.
    """

    records: Records
    vault: Vault
    signer: Signer
    plays: tuple[str, ...]
    bureaus: tuple[str, ...]
    rules: ExpertRules
    trusted: Mapping[str, Collection[str]] = field(default_factory=dict)
    verifiers: Mapping[str, Verifier] | None = None

    @property
    def keys(self) -> KeyBook:
        """The keys each bureau may sign with."""
        own = {bureau: {self.signer.public_key} for bureau in self.plays}
        known = {name: {*self.trusted.get(name, ()), *own.get(name, ())} for name in {*self.trusted, *own}}
        return KeyBook(known, self.verifiers)


def request(desk: Desk, asked: PanelRequest, *, by: str, at: datetime, redraw: Redraw | None = None) -> Draw:
    """Ask for a draw; it gets its number here, and keeps it whatever comes of it.

    Asked for again with the same words before anything else happened, it is the same draw.

    Raises
    ------
    StatutoryPanel, BadRequest
        See :func:`expert_registry.draw.requests.check_request`; or the matter was drawn for and no reason is given.
    WrongState
        The draw before has not come to its end.
    """
    again, matter = redraw or Redraw(), asked.matter
    if matter.bureau not in desk.plays or not by.strip():
        raise BadRequest(
            f"须由 {matter.bureau} 自己的系统受理，并写明申请人",
            f"{matter.bureau} asks in its own home, by a named person",
        )
    check_request(asked, desk.bureaus, desk.rules, at)
    check_redraw(again)
    request_id = series("draw", matter.bureau, matter.matter_id)
    earlier = sorted(expert_drawbook.draws(desk.records, request_id=request_id), key=lambda one: one.sequence)
    everything = expert_drawbook.draws(desk.records)
    if earlier and _same_request(desk, earlier[-1], asked, again, by):
        return earlier[-1]
    _refuse_hidden_redraw(earlier, everything, matter, again)
    codes = sorted({party.uscc for party in matter.parties if party.uscc})
    related = [one.draw_id for one in everything if set(codes) & set(one.detail.get("parties", ()))]

    def make(draw_id: str, sequence: int) -> Opening:
        paper = request_paper(asked, draw_id, again, related, by, at)
        told = {"request": request_id, "sequence": sequence, "replaces": again.replaces, "reason": again.code}
        detail = {"kind": "draw", "home": True, "matter": matter_key(matter.matter_id), "parties": codes}
        return Opening(
            title=storable(matter.title.strip()),
            held_on=matter.on,
            key_sealed=desk.vault.seal(draw_id, DRAW_KEY, protocol.new_key()),
            detail=detail | {"purpose": asked.purpose},
            papers=[NewPaper("request", "", paper, "draw-requested", told)],
        )

    return expert_draws.open_draw(
        desk.records,
        request_id=request_id,
        bureau=matter.bureau,
        at=at,
        by=by,
        replaces=again.replaces,
        reason=f"{again.code}: {again.words.strip()}" if again.replaces else "",
        make=make,
    )


def _same_request(desk: Desk, draw: Draw, asked: PanelRequest, redraw: Redraw, by: str) -> bool:
    paper = paper_of(desk, draw.draw_id, "request")
    mine = request_paper(asked, draw.draw_id, redraw, paper["related"], by, draw.requested_at)
    return draw.state == "requested" and mine == paper


def _refuse_hidden_redraw(earlier: Sequence[Draw], everything: Sequence[Draw], matter: Matter, redraw: Redraw) -> None:
    newest = earlier[-1] if earlier else None
    if redraw.replaces != (newest.draw_id if newest else ""):
        told = newest.draw_id if newest else "无"
        raise BadRequest(
            f"该事项已抽取过，最近一次为 {told}；重新抽取须写明它和原因",
            f"the newest draw for this matter is {told}: a redraw names it, with a reason",
        )
    if newest and newest.state not in ENDED:
        raise WrongState(
            f"{newest.draw_id} 尚未结束（{newest.state}），请先公布或中止",
            f"{newest.draw_id} has not ended ({newest.state}); publish or abandon it first",
        )
    key = matter_key(matter.matter_id)
    for one in everything:
        kind = one.detail.get("kind"), one.detail.get("matter")
        if kind == ("draw", key) and one.bureau != matter.bureau and one.state != "abandoned":
            raise BadRequest(
                f"该事项已由 {one.bureau} 抽取（{one.draw_id}）", f"{one.bureau} draws for this matter: {one.draw_id}"
            )


def abandon(desk: Desk, draw_id: str, code: str, words: str, *, by: str, at: datetime) -> Draw:
    """End a draw without a panel; its number and papers stay, and say how far it had come.

    Once secrets may be known the one who asked cannot do it alone: an outcome that does not please is no reason.

    Raises
    ------
    BadDraw
        No reason of the vocabulary, or no words.
    NeedsSecondPerson
    """
    draw = expert_drawbook.draw(desk.records, draw_id)
    if draw.state == "abandoned":
        return draw
    if draw.bureau not in desk.plays:
        raise BadDraw(f"{draw_id} 由 {draw.bureau} 中止", f"{draw.bureau} abandons {draw_id}, in its own home")
    if code not in draw_reasons("abandon") or not words.strip():
        codes = "、".join(draw_reasons("abandon"))
        raise BadDraw(f"中止须给出原因代码（{codes}）和说明", f"to abandon needs a reason code ({codes}) and words")
    if draw.state not in ("requested", "frozen"):
        need_second(draw, by)
    there = {paper.part for paper in expert_drawbook.papers(desk.records, draw_id, "commitment")}
    body = {
        "document": ABANDONED,
        "draw_id": draw_id,
        "state_before": draw.state,
        "code": code,
        "words": storable(words.strip()),
        "silent": sorted(set(desk.bureaus) - there) if draw.state == "frozen" else [],
        "abandoned_by": by,
        "abandoned_at": write_time(at),
    }
    paper = NewPaper("abandoned", "", sign_document(body, desk.signer), "draw-abandoned", {"reason": code})
    return expert_draws.add_papers(desk.records, draw_id, [paper], at=at, by=by, state="abandoned")


def need_second(draw: Draw, by: str) -> None:
    """Refuse the one who asked for the draw; how a user name is written does not make two persons.

    Raises
    ------
    NeedsSecondPerson
    """
    if not by.strip() or fold(by).casefold() == fold(draw.requested_by).casefold():
        raise NeedsSecondPerson(
            f"{draw.draw_id} 由 {draw.requested_by} 申请，此步须由另一人办理",
            f"{draw.requested_by} asked for {draw.draw_id}: this step needs another person",
        )


def paper_of(desk: Desk, draw_id: str, kind: str, part: str = "") -> dict[str, Any]:
    """Give a paper that must be there.

    Raises
    ------
    WrongState
    """
    found = papers_of(desk, draw_id, kind).get(part)
    if found is None:
        raise WrongState(f"{draw_id} 还没有 {kind} {part}", f"{draw_id} has no {kind} {part} yet")
    return found


def papers_of(desk: Desk, draw_id: str, kind: str) -> dict[str, dict[str, Any]]:
    """Give the papers of a kind by their part."""
    return {paper.part: paper.document for paper in expert_drawbook.papers(desk.records, draw_id, kind)}


def latest(desk: Desk, draw_id: str) -> dict[str, Any]:
    """Give the newest edition of the result of a draw.

    Raises
    ------
    WrongState
        Nothing was drawn yet.
    """
    editions = papers_of(desk, draw_id, "draw")
    return paper_of(desk, draw_id, "draw", str(max(map(int, editions), default=0)))
