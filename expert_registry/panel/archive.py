"""The archive of a draw: one signed sheet that says what there is of it, how it ended, and how long it is kept.

It holds the number and hash of every paper, the seats under their opaque ids with their last state, grades and sums
paid, never a name. It is itself a paper of the draw: written again only where something was told since, then as the
next edition beside the earlier ones. What is still missing is said in it, and hinders the archive only where a seat has
not come to its end.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from expert_registry.draw.desk import Desk, latest, papers_of
from expert_registry.draw.papers import seating
from expert_registry.errors import IncompleteExpert, WrongState
from expert_registry.panel import afterwards
from records import expert_appraisals, expert_drawbook, expert_draws, expert_seats
from records.expert_draws import NewPaper
from records.expert_seats import Seat
from records.keys import sign_document
from records.models import write_time
from records.store import CHINA
from schemas.experts import add_years

ARCHIVE = "gongzhi-expert-archive/1"
ENDED = ("declined", "no_answer", "absent", "opinion_signed", "replaced")
UNCOMPARED = ("edition", "archived_at", "archived_by", "algorithm", "key_id", "public_key", "signature")


def archive(desk: Desk, draw_id: str, *, by: str, at: datetime) -> dict[str, Any]:
    """Archive a draw or call-out that has ended; nothing told since, the last archive sheet is given.

    Raises
    ------
    WrongState
        It goes on, or a seat has not come to its end; says which.
    """
    if not by.strip():
        raise IncompleteExpert("归档须写明经办人", "an archive names who made it")
    draw = expert_drawbook.draw(desk.records, draw_id)
    if draw.state not in ("published", "called", "abandoned"):
        raise WrongState(f"{draw_id} 现为 {draw.state}，尚不能归档", f"{draw_id} is {draw.state} and goes on")
    seats = expert_seats.seats(desk.records, draw_ids=[draw_id])
    if draw.state != "abandoned":
        _refuse_open(draw_id, seats, at)
        _refuse_sealed(desk, draw_id, seats) if draw.state == "published" else None
    editions = papers_of(desk, draw_id, "archive")
    body: dict[str, Any] = {
        "document": ARCHIVE,
        "draw_id": draw_id,
        "state": draw.state,
        "held_on": draw.held_on.isoformat(),
        "papers": _papers(desk, draw_id),
        "seats": [_seat(desk, one) for one in seats],
        "appraisals_missing": len(afterwards.due(desk, [draw_id])),
        "keep_until": add_years(draw.held_on, desk.rules.retention_draw_years).isoformat(),
    }
    last = editions.get(str(len(editions) - 1))
    if last is not None and {name: value for name, value in last.items() if name not in UNCOMPARED} == body:
        return last
    body |= {"edition": len(editions), "archived_by": by.strip(), "archived_at": write_time(at)}
    paper = sign_document(body, desk.signer)
    told = {"papers": len(body["papers"]), "seats": len(seats), "keep_until": body["keep_until"]}
    new = NewPaper("archive", str(len(editions)), paper, "draw-archived", told)
    expert_draws.add_papers(desk.records, draw_id, [new], at=at, by=by)
    return paper


def _papers(desk: Desk, draw_id: str) -> list[dict[str, str]]:
    return [
        {"kind": one.kind, "part": one.part, "sha256": one.sha256, "at": write_time(one.at)}
        for one in expert_drawbook.papers(desk.records, draw_id)
        if one.kind != "archive"
    ]


def _seat(desk: Desk, seat: Seat) -> dict[str, Any]:
    mine = {"draw_ids": [seat.draw_id], "expert_ids": [seat.expert_id]}
    grades = {one.kind: one.grade for one in expert_appraisals.appraisals(desk.records, **mine)}
    paid = [one for one in expert_appraisals.fees(desk.records, draw_ids=[seat.draw_id])]
    told = expert_seats.seat_changes(desk.records, **mine)
    return {
        "id": seat.opaque_id,
        "seat": seat.seat,
        "round": seat.round,
        "state": seat.state,
        "code": told[-1].code if told else "",
        "documents": [one.document for one in told if one.document],
        "grades": grades,
        "paid_fen": sum(one.amount_fen for one in paid if one.expert_id == seat.expert_id),
    }


def _refuse_open(draw_id: str, seats: list[Seat], at: datetime) -> None:
    open_ = [one for one in seats if one.state not in ENDED]
    if open_ or any(one.held_on > at.astimezone(CHINA).date() for one in seats):
        told = "、".join(sorted({one.state for one in open_})) or "会议未到期"
        raise WrongState(
            f"{draw_id} 尚有席位未结束（{told}）", f"{draw_id} has seats that have not come to their end ({told})"
        )


def _refuse_sealed(desk: Desk, draw_id: str, seats: list[Seat]) -> None:
    """A draw whose newest names nobody has opened has nobody invited."""
    now = {one["id"] for one in seating(latest(desk, draw_id)) if one["id"]}
    if not now <= {one.opaque_id for one in seats}:
        raise WrongState(f"{draw_id} 的名单尚未公开，无人受邀", f"the names of {draw_id} were not opened yet")
