"""When the names of a panel may be seen, and by whom it is written down that they were.

A result holds opaque ids only, and so do the records: who sits is joined to a name when the names are opened, not before
``opens_at``; a look that came too early is written down too. An excluded expert may see the own entry with the evidence,
an auditor gets the key with which every id of the list can be told.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from expert_registry.day_words import in_china
from expert_registry.draw import protocol
from expert_registry.draw.candidates import Reason
from expert_registry.draw.desk import Desk, latest, paper_of, papers_of
from expert_registry.draw.freezing import EXCLUSIONS
from expert_registry.draw.papers import seating
from expert_registry.draw.rounds import list_of
from expert_registry.errors import NotYet, WrongState
from expert_registry.people import Expert
from expert_registry.privacy.vault import DRAW_KEY
from expert_registry.roster.pool import load
from records import expert_drawbook, expert_draws, expert_listing
from records.expert_access import record_access
from records.expert_draws import Draw, NewPaper, NewSeat
from records.models import read_time, write_time


@dataclass(frozen=True, slots=True)
class Looker:
    """Who looks, in which role and for what."""

    by: str
    role: str
    unit: str
    purpose: str


@dataclass(frozen=True, slots=True)
class Sitting:
    """One who was drawn: with the seat, the round (0, or the number of the replacement), and whether still seated."""

    expert: Expert
    opaque_id: str
    seat: str
    round: int
    seated: bool


@dataclass(frozen=True, slots=True)
class OwnEntry:
    """What a list says of one expert; not ``listed``: no specialty asked for."""

    listed: bool
    status: str
    specialties: tuple[str, ...]
    reasons: tuple[Reason, ...]


def names(desk: Desk, draw_id: str, looker: Looker, at: datetime) -> list[Sitting]:
    """Give who was drawn, in the order they were taken; the look is recorded for each.

    Raises
    ------
    NotYet
        Before ``opens_at``; the attempt is recorded.
    WrongState
        Nothing is published.
    """
    draw = expert_drawbook.draw(desk.records, draw_id)
    document = _published(desk, draw)
    _refuse_early(desk, draw, document, looker, at)
    drawn = _drawn(document)
    known = _people(desk, draw, document, set(drawn))
    seats = [NewSeat(known[one], one, seat, number) for one, (seat, number) in drawn.items()]
    edition = str(len(document["replacements"]))
    if edition not in papers_of(desk, draw_id, "opened"):
        body = {"draw_id": draw_id, "opened_by": looker.by, "opened_at": write_time(at), "names": len(seats)}
        paper = NewPaper("opened", edition, body, "draw-opened", {"names": len(seats)})
        expert_draws.add_papers(desk.records, draw_id, [paper], at=at, by=looker.by, seats=seats)
    people = {one.expert_id: one for one in load(desk.records, ids=[one.expert_id for one in seats])}
    for one in seats:
        _record(desk, looker, at, draw_id, one.expert_id, ("name", "employer", "seat"))
    now = {one["id"] for one in seating(document)}
    return [
        Sitting(people[one.expert_id], one.opaque_id, one.seat, one.round, one.opaque_id in now)
        for one in seats
        if one.expert_id in people  # erased on request: the draw keeps the opaque id alone
    ]


def own_entry(desk: Desk, draw_id: str, expert_id: str, looker: Looker, at: datetime) -> OwnEntry:
    """Give an expert's own entry of a list, with what shows each reason.

    Raises
    ------
    NotYet
        Before ``opens_at``: who is told of being eligible could be found out about.
    """
    draw = expert_drawbook.draw(desk.records, draw_id)
    frozen = list_of(desk, draw)
    _refuse_early(desk, draw, {"list": frozen}, looker, at)
    _record(desk, looker, at, draw_id, expert_id, ("entry",))
    key, lives_on = _key(desk, draw), expert_listing.merges(desk.records).get(expert_id, expert_id)
    ids = [protocol.opaque_id(key, one, frozen["hash"]) for one in (expert_id, lives_on)]
    found = next((one for one in (protocol.entry(frozen, opaque) for opaque in ids) if one is not None), None)
    if found is None:
        return OwnEntry(False, "", (), ())
    sealed = paper_of(desk, draw_id, "exclusions")["sealed"]
    evidence = json.loads(desk.vault.open_(draw_id, EXCLUSIONS, sealed))
    reasons = tuple(Reason(*one) for one in evidence.get(found["id"], ()))
    return OwnEntry(True, found["status"], tuple(found["specialties"]), reasons)


def release_key(desk: Desk, draw_id: str, looker: Looker, at: datetime) -> str:
    """Give the key of the opaque ids to an auditor, once the draw has ended.

    Raises
    ------
    WrongState
        The draw goes on, or the role is not that of an auditor.
    NotYet
        Before ``opens_at``.
    """
    draw = expert_drawbook.draw(desk.records, draw_id)
    if draw.state not in ("published", "abandoned") or looker.role != "auditor":
        raise WrongState(
            f"{draw_id} 的密钥只在结束后交给审计人员", f"the key of {draw_id} is given to auditors once it has ended"
        )
    if draw.list_hash:
        _refuse_early(desk, draw, {"list": list_of(desk, draw)}, looker, at)
    _record(desk, looker, at, draw_id, "", ("key",))
    return _key(desk, draw)


def _published(desk: Desk, draw: Draw) -> dict[str, Any]:
    if draw.state != "published" or draw.bureau not in desk.plays:
        raise WrongState(
            f"{draw.draw_id} 现为 {draw.state}，名单由 {draw.bureau} 在公布后公开",
            f"{draw.draw_id} is {draw.state}; {draw.bureau} opens the names after publication",
        )
    return latest(desk, draw.draw_id)


def _refuse_early(desk: Desk, draw: Draw, document: dict[str, Any], looker: Looker, at: datetime) -> None:
    opens_at = read_time(document["list"]["request"]["opens_at"])
    if at < opens_at:
        record_access(
            desk.records, at=at, by=looker.by, role=looker.role, unit=looker.unit, kind="draw", count=0,
            purpose=f"{draw.draw_id} 公开前（未予显示）：{looker.purpose}",
        )  # fmt: skip
        raise NotYet(
            f"{draw.draw_id} 的名单在 {in_china(opens_at)}（北京时间）前密封，本次查看已留痕",
            f"the names of {draw.draw_id} stay sealed until {in_china(opens_at)} China time; this look was recorded",
        )


def _drawn(document: dict[str, Any]) -> dict[str, tuple[str, int]]:
    """Give the ids of all who were taken, with their round and their seat: who sits now may have changed seats since."""
    found: dict[str, tuple[str, int]] = {}
    for number, part in enumerate((document, *document["replacements"])):
        found |= {one["id"]: (one["seat"], number) for one in part["taken"]}
    return found | {one["id"]: (one["seat"], found[one["id"]][1]) for one in seating(document) if one["id"]}


def _people(desk: Desk, draw: Draw, document: dict[str, Any], wanted: set[str]) -> dict[str, str]:
    key, algorithm = _key(desk, draw), document["list"]["hash"]
    everybody = expert_listing.expert_ids(desk.records)
    return {opaque: name for name in everybody if (opaque := protocol.opaque_id(key, name, algorithm)) in wanted}


def _key(desk: Desk, draw: Draw) -> str:
    if not draw.key_sealed:
        raise WrongState(f"{draw.draw_id} 的密钥已过保存期限", f"the key of {draw.draw_id} is past its term")
    return desk.vault.open_(draw.draw_id, DRAW_KEY, draw.key_sealed)


def _record(desk: Desk, looker: Looker, at: datetime, draw_id: str, expert_id: str, fields: tuple[str, ...]) -> None:
    record_access(
        desk.records, at=at, by=looker.by, role=looker.role, unit=looker.unit, kind="draw", expert_id=expert_id,
        fields=fields, purpose=f"{draw_id}：{looker.purpose}",
    )  # fmt: skip
