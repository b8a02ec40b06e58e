"""What is told of a use afterwards: appraisals, fees without bank data, and proposals to remove an expert.

Each row is written once with its event on the chain (``expert-appraisal``, ``expert-fee``, ``expert-proposal``); an
event holds codes, the opaque id of the draw and a hash. Only a proposal changes: a person decides it, once.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from typing import Any

from sqlalchemy import insert, select, update

from records import chain
from records.errors import IllegalState
from records.expert_models import expert_appraisal, expert_fee, expert_proposal
from records.expert_seats import read_seat, row_hash, seat_changes, stored
from records.models import event
from records.store import Records

APPRAISAL_KINDS = ("by-user", "of-organiser")
"""The user unit on the expert; the expert on the organiser."""


@dataclass(frozen=True, slots=True)
class Appraisal:
    """One appraisal of one use, by the user unit or of the organiser."""

    draw_id: str
    expert_id: str
    kind: str
    grade: str
    remark: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Fee:
    """What was paid to an expert for one use; a correction is a negative amount."""

    draw_id: str
    expert_id: str
    amount_fen: int
    paid_on: date
    payer: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposal to remove an expert; ``cause`` is refusals or poor appraisals, ``evidence`` says which."""

    proposal_id: str
    expert_id: str
    kind: str
    cause: str
    evidence: dict[str, Any]
    made_at: datetime
    state: str = "open"
    decided_at: datetime | None = None
    decided_by: str = ""
    reason: str = ""


APPRAISAL = tuple(expert_appraisal.c[one.name] for one in fields(Appraisal))
FEE = tuple(expert_fee.c[one.name] for one in fields(Fee))
PROPOSAL = tuple(expert_proposal.c[one.name] for one in fields(Proposal))


def add_appraisal(records: Records, told: Appraisal) -> Appraisal:
    """Write an appraisal; the same one told again is the one that stands.

    Raises
    ------
    UnknownSeat
    IllegalState
        This use was appraised already, with another grade or in other words.
    """
    a = expert_appraisal.c
    with records.database.write() as connection:
        seat = read_seat(connection, told.draw_id, told.expert_id)
        mine = (a.draw_id == told.draw_id, a.expert_id == told.expert_id, a.kind == told.kind)
        row = connection.execute(select(*APPRAISAL).where(*mine)).one_or_none()
        if row is not None:
            stands = Appraisal(*row)
            if (stands.grade, stands.remark, stands.by) != (told.grade, told.remark, told.by):
                raise IllegalState(
                    f"{told.draw_id} 对 {told.expert_id} 的评价已由 {stands.by} 作出，每次使用只评价一次",
                    f"{stands.by} has appraised {told.expert_id} for {told.draw_id}: one appraisal for each use",
                )
            return stands
        connection.execute(insert(expert_appraisal).values(**stored(asdict(told))))
        event = {"draw": told.draw_id, "id": seat.opaque_id, "kind": told.kind, "grade": told.grade}
        chain.append(
            connection, "expert-appraisal", told.at, None, None, event | {"sha256": row_hash(stored(asdict(told)))}
        )
    return told


def appraisals(
    records: Records, *, draw_ids: Collection[str] | None = None, expert_ids: Collection[str] | None = None
) -> list[Appraisal]:
    """List appraisals in the order they were told."""
    a = expert_appraisal.c
    query = select(*APPRAISAL).order_by(a.id)
    if draw_ids is not None:
        query = query.where(a.draw_id.in_(sorted(draw_ids)))
    if expert_ids is not None:
        query = query.where(a.expert_id.in_(sorted(expert_ids)))
    with records.database.read() as connection:
        return [Appraisal(*row) for row in connection.execute(query)]


def add_fee(records: Records, told: Fee) -> Fee:
    """Write a payment; the same one told again is the one that stands.

    Raises
    ------
    UnknownSeat
    IllegalState
        A correction takes away more than was paid.
    """
    f = expert_fee.c
    with records.database.write() as connection:
        seat = read_seat(connection, told.draw_id, told.expert_id)
        mine = (f.draw_id == told.draw_id, f.expert_id == told.expert_id)
        known = [Fee(*row) for row in connection.execute(select(*FEE).where(*mine).order_by(f.id))]
        for one in known:
            if (one.amount_fen, one.paid_on, one.payer) == (told.amount_fen, told.paid_on, told.payer):
                return one
        if told.amount_fen + sum(one.amount_fen for one in known) < 0:
            raise IllegalState("更正金额超过已付金额", "a correction takes away more than was paid")
        connection.execute(insert(expert_fee).values(**stored(asdict(told))))
        event = {"draw": told.draw_id, "id": seat.opaque_id, "sha256": row_hash(stored(asdict(told)))}
        chain.append(connection, "expert-fee", told.at, None, None, event)
    return told


def fees(records: Records, *, draw_ids: Collection[str] | None = None) -> list[Fee]:
    """List payments in the order they were told."""
    query = select(*FEE).order_by(expert_fee.c.id)
    if draw_ids is not None:
        query = query.where(expert_fee.c.draw_id.in_(sorted(draw_ids)))
    with records.database.read() as connection:
        return [Fee(*row) for row in connection.execute(query)]


def add_proposal(records: Records, proposal: Proposal) -> bool:
    """Write a proposal; False where it stands already, or another for the same cause is still open."""
    p = expert_proposal.c
    with records.database.write() as connection:
        same = (p.expert_id == proposal.expert_id, p.kind == proposal.kind, p.cause == proposal.cause)
        rows = connection.execute(select(p.proposal_id, p.state).where(*same)).all()
        if any(row.state == "open" or row.proposal_id == proposal.proposal_id for row in rows):
            return False
        connection.execute(insert(expert_proposal).values(**stored(asdict(proposal))))
        _event(connection, proposal, proposal.made_at)
    return True


def amend_proposal(records: Records, proposal_id: str, *, at: datetime, **values: Any) -> Proposal:
    """Decide a proposal or add to its evidence, while it is open.

    Raises
    ------
    IllegalState
        There is none of this number, or it was decided.
    """
    p = expert_proposal.c
    with records.database.write() as connection:
        row = connection.execute(select(*PROPOSAL).where(p.proposal_id == proposal_id)).one_or_none()
        if row is None or row.state != "open":
            now = "没有此建议 / no such proposal" if row is None else row.state
            raise IllegalState(f"建议 {proposal_id} 不能再更改（{now}）", f"{proposal_id} cannot be changed ({now})")
        connection.execute(update(expert_proposal).where(p.proposal_id == proposal_id).values(**stored(values)))
        changed = Proposal(*connection.execute(select(*PROPOSAL).where(p.proposal_id == proposal_id)).one())
        _event(connection, changed, at)
    return changed


def proposals(
    records: Records, *, state: str | None = None, expert_id: str | None = None, proposal_id: str | None = None
) -> list[Proposal]:
    """List proposals, the oldest first."""
    p = expert_proposal.c
    query = select(*PROPOSAL).order_by(p.made_at, p.proposal_id)
    for column, value in ((p.state, state), (p.expert_id, expert_id), (p.proposal_id, proposal_id)):
        if value is not None:
            query = query.where(column == value)
    with records.database.read() as connection:
        return [Proposal(*row) for row in connection.execute(query)]


def _event(connection: Any, proposal: Proposal, at: datetime) -> None:
    told = {"proposal": proposal.proposal_id, "expert": proposal.expert_id, "cause": proposal.cause}
    body = {"state": proposal.state, "sha256": row_hash(stored(asdict(proposal)))}
    chain.append(connection, "expert-proposal", at, None, None, told | body)


def check_afterwards(records: Records) -> list[str]:
    """Name every row about the seats, appraisals, fees and proposals that is not what the chain knows, and the reverse."""
    kept = {
        "expert-seat": [row_hash(asdict(one)) for one in seat_changes(records)],
        "expert-appraisal": [row_hash(asdict(one)) for one in appraisals(records)],
        "expert-fee": [row_hash(asdict(one)) for one in fees(records)],
        "expert-proposal": [row_hash(asdict(one)) for one in proposals(records)],
    }
    kinds = [*sorted(kept), "expert-erased"]
    query = select(event.c.kind, event.c.payload).where(event.c.kind.in_(kinds)).order_by(event.c.seq)
    told: dict[str, dict[str, str]] = {kind: {} for kind in kept}
    with records.database.read() as connection:
        for number, row in enumerate(connection.execute(query)):
            payload = json.loads(row.payload)
            if row.kind == "expert-erased":
                _take_erased(told, payload.get("rows", {}))
            else:  # of a proposal the last word counts
                told[row.kind][payload.get("proposal", str(number))] = payload["sha256"]
    faults = []
    for kind, hashes in kept.items():
        here, known = Counter(hashes), Counter(told[kind].values())
        faults += [f"{kind}: a row is not the one the chain knows ({one[:16]})" for one in (here - known).elements()]
        faults += [f"{kind}: a row the chain knows is gone ({one[:16]})" for one in (known - here).elements()]
    return faults


def _take_erased(told: dict[str, dict[str, str]], rows: dict[str, list[list[str]]]) -> None:
    """Let the hash of a row whose texts were emptied take the place of the one it had."""
    for kind, pairs in rows.items():
        for old, new in pairs:
            place = next((name for name, sha256 in told[kind].items() if sha256 == old), None)
            if place is not None:
                told[kind][place] = new
