"""The emergency call-out: named people, chosen by a named person for a recorded reason, signed. It is not a draw.

Experts are ranked by their fields, then by how near they are, then by how seldom they were used; who cannot come or has a
reason for recusal stands last, with why. Whoever calls somebody in spite of that says why too. A call-out takes its
number in the same row as the draws, so that it is seen beside them. Distance is by division, as no homes are on record:
same county 0, same city 1, same province 2, elsewhere 3, unknown 4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from expert_registry.draw.candidates import Entry, PoolView, entries
from expert_registry.draw.desk import Desk, papers_of
from expert_registry.draw.freezing import load_persons
from expert_registry.draw.protocol import Seat, new_key, opaque_id
from expert_registry.draw.requests import matter_key, series
from expert_registry.errors import BadRequest
from expert_registry.people import Expert, Matter
from expert_registry.privacy.vault import DRAW_KEY
from expert_registry.recusal.reasons import RecusalFacts
from records import expert_drawbook, expert_draws, expert_listing
from records.expert_draws import Draw, NewPaper, NewSeat, Opening
from records.keys import sign_document
from records.models import write_time
from records.store import storable
from schemas.expert_draw_facts import draw_reasons
from schemas.experts import add_years
from schemas.specialties import specialties

CALLOUT = "gongzhi-expert-callout/1"
IN_SPITE = ("cooling", "late_entry", "late_change")
"""Rules that keep a draw fair; in an emergency they keep nobody away."""


@dataclass(frozen=True, slots=True)
class CallOut:
    """An emergency: the matter, a code of the step ``callout`` with words, where it is, and the fields wanted."""

    matter: Matter
    code: str
    words: str
    division: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ranked:
    """One expert at a place in the ranking; ``reasons`` are the codes of what speaks against calling."""

    expert: Expert
    fields: tuple[str, ...]
    distance: int
    uses: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Called:
    """One who is called: for which field, and why in spite of what speaks against it."""

    expert_id: str
    field: str
    despite: str = ""


def distance(division: str, place: str) -> int:
    """Tell how near two divisions are.

    >>> [distance(one, "500109") for one in ("500109", "500106", "510703", "")]
    [0, 1, 3, 4]
    """
    if not (division and place):
        return 4
    return next((near for near, length in enumerate((6, 4, 2)) if division[:length] == place[:length]), 3)


def ranking(desk: Desk, asked: CallOut, at: datetime, facts: RecusalFacts | None = None) -> list[Ranked]:
    """Rank everybody with one of the fields, the first to be called first; equal ones by their number."""
    rules, on = desk.rules, asked.matter.on
    experts = load_persons(desk, asked.fields)
    uses = expert_listing.uses(desk.records, add_years(on, -1) + timedelta(days=1), on)
    view = PoolView([experts[name] for name in sorted(experts)], doubtful=expert_listing.doubtful(desk.records))
    wanted = [Seat(code, 1) for code in asked.fields]
    known = facts or RecusalFacts()
    found = entries(view, asked.matter, wanted, rules, key="00" * 32, at=at, cutoff=at, facts=known)
    ranked = [_ranked(one, asked.division, uses) for one in found]
    return sorted(ranked, key=_place)


def _ranked(entry: Entry, division: str, uses: Mapping[str, int]) -> Ranked:
    expert = entry.person.expert
    used = sum(uses.get(one.expert_id, 0) for one in entry.person.records)
    reasons = tuple(code for code in entry.candidate.reasons if code not in IN_SPITE)
    return Ranked(expert, entry.candidate.specialties, distance(expert.division, division), used, reasons)


def _place(one: Ranked) -> tuple[bool, int, int, int, str]:
    return (bool(one.reasons), -len(one.fields), one.distance, one.uses, one.expert.expert_id)


def call_out(
    desk: Desk, asked: CallOut, called: Sequence[Called], *, by: str, at: datetime, facts: RecusalFacts | None = None
) -> Draw:
    """Call named experts to an emergency, with number, reason and signature; the same call asked for again is the same.

    Raises
    ------
    BadRequest
        No reason, nobody called, somebody who does not rank, or one something speaks against without saying why.
    """
    _refuse(desk, asked, called, by)
    ranked = ranking(desk, asked, at, facts)
    _refuse_called(ranked, called)
    bureau, matter = asked.matter.bureau, asked.matter
    request_id = series("callout", bureau, matter.matter_id)
    earlier = sorted(expert_drawbook.draws(desk.records, request_id=request_id), key=lambda one: one.sequence)
    content = {
        "code": asked.code,
        "words": storable(asked.words.strip()),
        "division": asked.division,
        "fields": list(asked.fields),
        "called": [{"seat": one.field, "despite": storable(one.despite.strip())} for one in called],
        "called_by": by,
    }
    if earlier and _same(desk, earlier[-1], content, called):
        return earlier[-1]

    def make(draw_id: str, sequence: int) -> Opening:
        key = new_key()
        paper = sign_document(
            {
                "document": CALLOUT,
                "draw_id": draw_id,
                "sequence": sequence,
                "is_draw": False,
                "bureau": bureau,
                **content,
                "called": _told(key, ranked, called),
                "ranking": [_line(key, one) for one in ranked],
                "called_at": write_time(at),
            },
            desk.signer,
        )
        told = {"request": request_id, "sequence": sequence, "reason": asked.code, "called": len(called)}
        seats = [NewSeat(one.expert_id, opaque_id(key, one.expert_id), one.field, 0) for one in called]
        return Opening(
            title=storable(matter.title.strip()),
            held_on=matter.on,
            key_sealed=desk.vault.seal(draw_id, DRAW_KEY, key),
            detail={"kind": "callout", "home": True, "matter": matter_key(matter.matter_id)},
            papers=[NewPaper("callout", "", paper, "draw-called", told)],
            state="called",
            seats=seats,
        )

    return expert_draws.open_draw(
        desk.records,
        request_id=request_id,
        bureau=bureau,
        at=at,
        by=by,
        replaces=earlier[-1].draw_id if earlier else "",
        reason=f"{asked.code}: {content['words']}",
        make=make,
    )


def _refuse(desk: Desk, asked: CallOut, called: Sequence[Called], by: str) -> None:
    if asked.code not in draw_reasons("callout") or not (asked.words.strip() and by.strip()):
        codes = "、".join(draw_reasons("callout"))
        raise BadRequest(
            f"应急征调须有征调人、原因代码（{codes}）和说明", f"a call-out needs its caller, a code ({codes}) and words"
        )
    fields = [one.field for one in called]
    if asked.matter.bureau not in desk.plays or not asked.fields or not set(asked.fields) <= set(specialties()):
        raise BadRequest("征调单位或专业有误", "the bureau or a field of the call-out is not known")
    ids = {one.expert_id for one in called}
    if not called or len(ids) < len(called) or not set(fields) <= set(asked.fields):
        raise BadRequest("被征调人为空、重复或专业不符", "nobody is called, somebody twice, or for another field")


def _refuse_called(ranked: Sequence[Ranked], called: Sequence[Called]) -> None:
    places = {one.expert.expert_id: one for one in ranked}
    for one in called:
        known = places.get(one.expert_id)
        if known is None or one.field not in known.fields:
            raise BadRequest(
                f"{one.expert_id} 没有专业 {one.field}", f"{one.expert_id} does not have field {one.field}"
            )
        if known.reasons and not one.despite.strip():
            told = "、".join(known.reasons)
            raise BadRequest(
                f"{one.expert_id} 有不宜征调的情形（{told}），仍要征调须写明理由",
                f"{told} speaks against calling {one.expert_id}: say why in spite of it",
            )


def _same(desk: Desk, draw: Draw, content: Mapping[str, Any], called: Sequence[Called]) -> bool:
    paper = papers_of(desk, draw.draw_id, "callout")[""]
    key = desk.vault.open_(draw.draw_id, DRAW_KEY, draw.key_sealed)
    mine = {**content, "called": [{"id": opaque_id(key, one.expert_id), "seat": one.field} for one in called]}
    kept = {**paper, "called": [{"id": one["id"], "seat": one["seat"]} for one in paper["called"]]}
    return all(kept[name] == value for name, value in mine.items())


def _told(key: str, ranked: Sequence[Ranked], called: Sequence[Called]) -> list[dict[str, Any]]:
    places = {one.expert.expert_id: place for place, one in enumerate(ranked, 1)}
    return [
        {
            "id": opaque_id(key, one.expert_id),
            "seat": one.field,
            "rank": places[one.expert_id],
            "despite": storable(one.despite.strip()),
        }
        for one in called
    ]


def _line(key: str, one: Ranked) -> dict[str, Any]:
    return {
        "id": opaque_id(key, one.expert.expert_id),
        "fields": list(one.fields),
        "distance": one.distance,
        "uses": one.uses,
        "reasons": list(one.reasons),
    }
