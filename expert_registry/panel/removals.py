"""Proposals to remove an expert: raised by a rule, explained, decided by a person (PIPL Art. 24).

Two rules raise one: so many unexplained refusals in a row, so many poor appraisals within the period. A refusal is an
invitation declined, not answered in time, or accepted and not kept; it is unexplained where no code stands or the code
says so (``expert_decline_reasons.csv``). Any other answer, an explained refusal too, ends the row. Records of one person
that were merged count together. Appraisals count by the user unit only, told in time, the last one on or before the end
of the period that began with the first (民法典 Arts 201-202: the same day of the last month is within).

Nothing happens to the expert by the rule itself. The expert may add a statement; whoever appraised cannot decide.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from expert_registry.draw.desk import Desk
from expert_registry.errors import IncompleteExpert, NeedsSecondPerson, NoExpert, UnknownWord, WrongState
from expert_registry.panel.afterwards import in_time
from expert_registry.roster import life_cycle
from expert_registry.roster.pool import find
from records import expert_appraisals, expert_drawbook, expert_listing, expert_seats
from records.expert_appraisals import Appraisal, Proposal
from records.expert_seats import Seat, SeatChange
from records.models import write_time
from records.store import CHINA
from schemas.expert_seat_facts import appraisal_grades, decline_reasons
from schemas.files import fold
from schemas.personal import without_numbers
from schemas.recusal_facts import term_end

REMOVE = "remove"
REFUSALS, POOR = "refusals", "poor-appraisals"
DECISIONS = ("upheld", "dismissed")
REFUSED = ("declined", "no_answer", "absent")
KEPT = ("accepted", "attended", "opinion_signed")


@dataclass(frozen=True, slots=True)
class Explained:
    """A proposal in words, for the expert and for who decides."""

    proposal: Proposal
    words: str
    words_en: str


def propose(desk: Desk, at: datetime) -> list[Proposal]:
    """Look over all uses and write down the proposals the rules raise; those that stand already are left as they are.

    A proposal that was dismissed comes back only with another refusal or appraisal in its evidence.
    """
    found = []
    seats = expert_seats.seats(desk.records)
    person = _persons(desk)
    gone = {one.draw_id for one in expert_drawbook.draws(desk.records) if one.state == "abandoned"}
    for expert_id, evidence in [*_refusals(desk, seats, person, gone), *_poor(desk, seats, person, gone)]:
        proposal = _proposal(expert_id, evidence, at)
        if _in_pool(desk, expert_id) and expert_appraisals.add_proposal(desk.records, proposal):
            found.append(proposal)
    return found


def explain(desk: Desk, proposal_id: str) -> Explained:
    """Say why a proposal was raised, by which rule, and what the expert may do about it.

    Raises
    ------
    WrongState
        There is none of this number.
    """
    proposal = _find(desk, proposal_id)
    rules, uses = desk.rules, proposal.evidence["uses"]
    if proposal.cause == REFUSALS:
        rule = f"连续 {rules.removal_refusals} 次无理由拒绝", f"{rules.removal_refusals} unexplained refusals in a row"
        source = rules.sources["removal_refusals"]
    else:
        period = rules.removal_poor_months
        rule = f"{period} 个月内 {rules.removal_poor} 次评价为差", f"{rules.removal_poor} poor in {period} months"
        source = rules.sources["removal_poor"]
    told = "；".join(f"{one['draw']}（{one['held_on']}，{one['state']}）" for one in uses)
    told_en = "; ".join(f"{one['draw']} ({one['held_on']}, {one['state']})" for one in uses)
    return Explained(
        proposal,
        f"建议移出 {proposal.expert_id}：{rule[0]}（依据：{source}）。涉及：{told}。系统只提出建议，由人决定；"
        "本人可以陈述意见，并有权拒绝仅由自动化方式作出的决定（个人信息保护法第二十四条）。",
        f"proposal to remove {proposal.expert_id}: {rule[1]} (source: {source}); {told_en}. The system only proposes, a "
        "person decides; the expert may make a statement and may refuse a purely automatic decision (PIPL Art. 24).",
    )


def state_opinion(desk: Desk, proposal_id: str, words: str, *, by: str, at: datetime) -> Proposal:
    """Add what the expert says to a proposal; who decides has it before them.

    Raises
    ------
    WrongState, IncompleteExpert
    """
    if not words.strip() or not by.strip():
        raise IncompleteExpert("陈述意见须有内容和记录人", "a statement has words, and who wrote them down")
    proposal = _find(desk, proposal_id)
    said = {"words": without_numbers(words.strip()), "by": by.strip(), "at": write_time(at)}
    evidence = {**proposal.evidence, "statements": [*proposal.evidence.get("statements", []), said]}
    return expert_appraisals.amend_proposal(desk.records, proposal_id, at=at, evidence=evidence)


def decide(desk: Desk, proposal_id: str, decision: str, *, by: str, at: datetime, reason: str) -> Proposal:
    """Decide a proposal, as a named person: ``upheld`` removes the expert from the pool, ``dismissed`` does not.

    Asked for again after a stop it goes on; decided already the same way, it is given as it stands.

    Raises
    ------
    UnknownWord, IncompleteExpert
    NeedsSecondPerson
        Whoever gave one of the appraisals in the evidence.
    WrongState
        It was decided the other way, or the expert's state leads to no removal.
    """
    if decision not in DECISIONS:
        raise UnknownWord(f"决定应为 {'、'.join(DECISIONS)}", f"a decision is one of {', '.join(DECISIONS)}")
    if not by.strip() or not reason.strip():
        raise IncompleteExpert("决定须写明决定人和理由", "a decision names who decides, and why")
    proposal = _find(desk, proposal_id)
    if proposal.state == decision:
        return proposal
    if proposal.state != "open":
        raise WrongState(f"{proposal_id} 已决定：{proposal.state}", f"{proposal_id} was decided: {proposal.state}")
    if _same_person(by, (one["by"] for one in proposal.evidence["uses"])):
        raise NeedsSecondPerson(
            f"{by} 作出了其中的评价或记录，须由另一人决定", f"{by} told what this rests on: another person decides"
        )
    row = find(desk.records, proposal.expert_id)
    if decision == "upheld" and row.state != "removed":  # removed already: stopped between the two steps
        life_cycle.move(desk.records, row.expert_id, "removed", by, at, desk.rules, reason=f"{proposal_id}：{reason}")
    return expert_appraisals.amend_proposal(
        desk.records, proposal_id, at=at, state=decision, decided_at=at, decided_by=by.strip(),
        reason=without_numbers(reason.strip()),
    )  # fmt: skip


def _refusals(
    desk: Desk, seats: Sequence[Seat], person: dict[str, str], gone: set[str]
) -> list[tuple[str, dict[str, Any]]]:
    changes: dict[tuple[str, str], list[SeatChange]] = {}
    for one in expert_seats.seat_changes(desk.records):
        changes.setdefault((one.draw_id, one.expert_id), []).append(one)
    answered: dict[str, list[tuple[datetime, Seat, SeatChange]]] = {}
    for seat in seats:
        told = changes.get((seat.draw_id, seat.expert_id), [])
        invited = next((one.at for one in told if one.state == "invited"), None)
        if invited is not None and seat.draw_id not in gone and seat.state in (*REFUSED, *KEPT):
            answered.setdefault(person.get(seat.expert_id, seat.expert_id), []).append((invited, seat, told[-1]))
    found = []
    for expert_id, uses in answered.items():
        row: list[dict[str, Any]] = []
        for _, seat, last in sorted(uses, key=lambda one: (one[0], one[1].draw_id)):
            unexplained = seat.state in REFUSED and not _explained(last.code)
            row = [*row, _use(seat, seat.state, last.by)] if unexplained else []
        if len(row) >= desk.rules.removal_refusals:
            found.append((expert_id, {"cause": REFUSALS, "uses": row}))
    return found


def _poor(
    desk: Desk, seats: Sequence[Seat], person: dict[str, str], gone: set[str]
) -> list[tuple[str, dict[str, Any]]]:
    places = {(one.draw_id, one.expert_id): one for one in seats}
    poor: dict[str, list[tuple[Appraisal, Seat]]] = {}
    for one in expert_appraisals.appraisals(desk.records):
        seat = places[one.draw_id, one.expert_id]
        counts = one.kind == "by-user" and appraisal_grades()[one.grade].poor and in_time(one, seat.held_on, desk.rules)
        if counts and one.draw_id not in gone:
            poor.setdefault(person.get(one.expert_id, one.expert_id), []).append((one, seat))
    found, least = [], desk.rules.removal_poor
    for expert_id, told in poor.items():
        told.sort(key=lambda pair: (pair[0].at, pair[0].draw_id))
        for some in (told[start : start + least] for start in range(len(told) - least, -1, -1)):
            first, last = (one[0].at.astimezone(CHINA).date() for one in (some[0], some[-1]))
            if last <= term_end(first, desk.rules.removal_poor_months):
                uses = [_use(seat, one.grade, one.by) for one, seat in some]
                found.append((expert_id, {"cause": POOR, "uses": uses}))
                break  # the newest of them: an older one was proposed when it came about
    return found


def _use(seat: Seat, state: str, by: str) -> dict[str, Any]:
    return {"draw": seat.draw_id, "held_on": seat.held_on.isoformat(), "state": state, "by": by}


def _explained(code: str) -> bool:
    return code in decline_reasons() and decline_reasons()[code].explained


def _proposal(expert_id: str, evidence: dict[str, Any], at: datetime) -> Proposal:
    cause, draws = evidence["cause"], [one["draw"] for one in evidence["uses"]]
    number = hashlib.sha256("|".join((expert_id, cause, *draws)).encode()).hexdigest()[:16]
    return Proposal(f"p-{number}", expert_id, REMOVE, cause, {"uses": evidence["uses"]}, at)


def _persons(desk: Desk) -> dict[str, str]:
    """Give for every merged record the one its person lives on under, to the end of the way."""
    merged = expert_listing.merges(desk.records)
    found = {}
    for name in merged:
        last, seen = name, {name}
        while last in merged and merged[last] not in seen:
            last = merged[last]
            seen.add(last)
        found[name] = last
    return found


def _in_pool(desk: Desk, expert_id: str) -> bool:
    try:
        return find(desk.records, expert_id).state not in ("removed", "withdrawn")
    except NoExpert:  # erased on request: nobody is left to be removed
        return False


def _same_person(by: str, others: Iterable[str]) -> bool:
    return fold(by).casefold() in {fold(one).casefold() for one in others}


def _find(desk: Desk, proposal_id: str) -> Proposal:
    found = expert_appraisals.proposals(desk.records, proposal_id=proposal_id)
    if not found:
        raise WrongState(f"没有移出建议 {proposal_id}", f"there is no proposal {proposal_id}")
    return found[0]
