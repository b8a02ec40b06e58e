"""The freezing of a list: the second person looks at who can be drawn, approves what needs it, and the list stands.

The list is made from the pool as it is at that instant and from the request as it was asked; its hash goes on the chain.
What shows each exclusion is kept beside it, sealed: the list itself has codes only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from expert_registry.draw import candidates, protocol
from expert_registry.draw.candidates import Entry, PoolView
from expert_registry.draw.desk import Desk, latest, need_second, paper_of
from expert_registry.draw.publication import ever_drawn
from expert_registry.draw.requests import PanelRequest, matter_key, read_request, seats_for_others
from expert_registry.errors import BadDraw, NeedsSecondPerson
from expert_registry.people import Expert, Matter
from expert_registry.privacy.vault import DRAW_KEY
from expert_registry.recusal.reasons import RecusalFacts
from expert_registry.roster.pool import load
from records import expert_drawbook, expert_draws, expert_listing
from records.expert_draws import Draw, NewPaper
from records.keys import sign_document
from records.models import write_time
from schemas.experts import add_years

APPROVAL = "gongzhi-expert-approval/1"
REDRAW, FEW = "redraw", "few-candidates"
"""What a second person may have to approve when a list is frozen."""
EXCLUSIONS = "exclusions"


def freeze(
    desk: Desk,
    draw_id: str,
    *,
    by: str,
    at: datetime,
    approves: Mapping[str, str] | None = None,
    facts: RecusalFacts | None = None,
) -> Draw:
    """Freeze the list of candidates, as the second person.

    Parameters
    ----------
    approves : mapping of code to words
        ``redraw`` and ``few-candidates``, with the reason, where they are needed.
    facts : RecusalFacts, optional
        Names on record and the like; the rule between the bureaus and earlier opinions are added here.

    Raises
    ------
    NeedsSecondPerson
        By whom the draw was asked for, or something must be approved that was not.
    """
    draw = expert_drawbook.draw(desk.records, draw_id)
    if draw.list_hash:
        return draw
    need_second(draw, by)
    asked = read_request(paper_of(desk, draw_id, "request"))
    cutoff = at - timedelta(days=desk.rules.entry_cutoff_days)
    found = _entries(desk, draw, asked, facts or RecusalFacts(), at, cutoff)
    counts, short = candidates.enough(found, asked.seats, desk.rules.candidate_ratio)
    given = {code: words.strip() for code, words in (approves or {}).items() if words.strip()}
    _refuse_unapproved(desk, draw, counts, short, given)
    frozen = protocol.freeze(
        _terms(desk, asked, at, cutoff),
        [one.candidate for one in found],
        draw_id=draw_id,
        request_id=draw.request_id,
        bureaus=desk.bureaus,
        rules_edition=desk.rules.edition,
        at=at,
        sequence=draw.sequence,
        replaces=draw.replaces,
        reason=draw.reason,
        algorithm=desk.rules.draw_hash,
    )
    L = protocol.list_hash(frozen)
    told = {"list_hash": L, "eligible": counts[""], "listed": len(found)}
    approval = {
        "document": APPROVAL,
        "draw_id": draw_id,
        "list_hash": L,
        "counts": counts,
        "ratio": desk.rules.candidate_ratio,
        "too_few": short,
        "excluded": candidates.counts_of_reasons(found),
        "approves": given,
        "approved_by": by,
        "approved_at": write_time(at),
    }
    evidence = {one.candidate.id: [[r.code, r.evidence, r.evidence_en] for r in one.reasons] for one in found}
    sealed = desk.vault.seal(draw_id, EXCLUSIONS, json.dumps(evidence, ensure_ascii=False))
    return expert_draws.add_papers(
        desk.records,
        draw_id,
        [
            NewPaper("list", "", frozen, "draw-frozen", told),
            NewPaper("approval", "freeze", sign_document(approval, desk.signer), "draw-frozen", {"list_hash": L}),
            NewPaper(EXCLUSIONS, "", {"sealed": sealed}, "draw-frozen", {"list_hash": L}),
        ],
        at=at,
        by=by,
        state="frozen",
        list_hash=L,
    )


def _refuse_unapproved(
    desk: Desk, draw: Draw, counts: Mapping[str, int], short: Sequence[str], given: Mapping[str, str]
) -> None:
    if not counts[""]:
        raise BadDraw("没有可抽取的候选人，请核对席位与专家库", "nobody can be drawn; look at the seats and the pool")
    if short and FEW not in given:
        told = "、".join(f"{name or '合计'} {counts[name]}" for name in short)
        raise NeedsSecondPerson(
            f"候选人不足席位的 {desk.rules.candidate_ratio} 倍（{told}），须由确认人写明理由批准 {FEW}",
            f"fewer candidates than {desk.rules.candidate_ratio} per seat ({told}); who confirms approves {FEW}",
        )
    if draw.replaces and REDRAW not in given:
        raise NeedsSecondPerson(
            f"{draw.draw_id} 是 {draw.replaces} 的重新抽取（{draw.reason}），须由确认人写明理由批准 {REDRAW}",
            f"{draw.draw_id} draws again for {draw.replaces}; who confirms approves {REDRAW} with a reason",
        )


def _terms(desk: Desk, asked: PanelRequest, at: datetime, cutoff: datetime) -> protocol.Terms:
    return protocol.Terms(
        title=asked.matter.title,
        bureau=asked.matter.bureau,
        held_on=asked.matter.on,
        seats=asked.seats,
        per_employer=desk.rules.per_employer,
        other_side=seats_for_others(asked, desk.rules),
        odd=True,
        cutoff=cutoff,
        opens_at=asked.opens_at,
        reveal_by=at + timedelta(hours=desk.rules.reveal_hours),
        links=desk.rules.chain_links,
    )


def _entries(
    desk: Desk, draw: Draw, asked: PanelRequest, facts: RecusalFacts, at: datetime, cutoff: datetime
) -> list[Entry]:
    records, matter = desk.records, asked.matter
    experts = load_persons(desk, [seat.specialty for seat in asked.seats])
    since = add_years(matter.on, -1) + timedelta(days=1)
    counted = dict(expert_listing.uses(records, since, matter.on))
    for name in _drawn_unopened(desk, list(experts), since, matter):
        counted[name] = counted.get(name, 0) + 1
    view = PoolView(
        experts=[experts[name] for name in sorted(experts)],
        changed=expert_listing.late_changes(records, cutoff),
        uses=counted,
        doubtful=expert_listing.doubtful(records),
    )
    known = replace(
        facts,
        cross_bureau_rule=desk.rules.cross_bureau_rule,
        opined=facts.opined | opined(desk, matter),
    )
    key = desk.vault.open_(draw.draw_id, DRAW_KEY, draw.key_sealed)
    return candidates.entries(view, matter, asked.seats, desk.rules, key=key, at=at, cutoff=cutoff, facts=known)


def load_persons(desk: Desk, specialties: Sequence[str]) -> dict[str, Expert]:
    """Load who has one of the specialties, with all records of the same person."""
    experts = {one.expert_id: one for one in load(desk.records, specialties=specialties)}
    merges = expert_listing.merges(desk.records)
    while missing := {
        name for pair in merges.items() if set(pair) & set(experts) for name in pair if name not in experts
    }:
        more = load(desk.records, ids=missing)
        if not more:
            break
        experts |= {one.expert_id: one for one in more}
    return experts


def _drawn_unopened(desk: Desk, expert_ids: Sequence[str], since: date, matter: Matter) -> list[str]:
    """Name those drawn for meetings within the twelve months whose names nobody has seen yet."""
    found: list[str] = []
    editions, opened = (expert_drawbook.parts(desk.records, kind) for kind in ("draw", "opened"))
    for one in expert_drawbook.draws(desk.records):
        waits = bool(editions.get(one.draw_id, set()) - opened.get(one.draw_id, set()))
        if waits and one.state != "abandoned" and one.key_sealed and since <= one.held_on <= matter.on:
            published = latest(desk, one.draw_id)
            seated = {row.opaque_id for row in expert_listing.seats_of(desk.records, [one.draw_id])}
            key, waiting = desk.vault.open_(one.draw_id, DRAW_KEY, one.key_sealed), ever_drawn(published) - seated
            ids = {name: protocol.opaque_id(key, name, published["list"]["hash"]) for name in expert_ids}
            found += [name for name, opaque in ids.items() if opaque in waiting]
    return found


def opined(desk: Desk, matter: Matter) -> frozenset[str]:
    """Name those who signed an opinion on this matter before."""
    key = matter_key(matter.matter_id)
    same = [one.draw_id for one in expert_drawbook.draws(desk.records) if one.detail.get("matter") == key]
    return frozenset(expert_listing.opined(desk.records, same))
