"""The seats of a draw after the names were opened: who is invited, who comes, and every change of it.

A seat is made by ``records/expert_draws.py`` when the names may be known. Here it goes from state to state; each change
is a row of its own that is never altered, and an event ``expert-seat`` in the same transaction. The event holds the
opaque id of the draw, the state, the code and the row's hash: neither a name nor the number of an expert.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from records import chain
from records.chain import CLOCK_SLACK, canonical
from records.errors import IllegalState, UnknownSeat
from records.expert_draws import read_draw
from records.expert_models import expert_seat, expert_seat_change
from records.models import write_time
from records.store import Records, storable


@dataclass(frozen=True, slots=True)
class Seat:
    """One seat of one draw and the person on it; ``round`` is 0, or the number of the replacement."""

    draw_id: str
    expert_id: str
    opaque_id: str
    seat: str
    round: int
    held_on: date
    state: str
    state_at: datetime


@dataclass(frozen=True, slots=True)
class SeatChange:
    """One change of a seat: into which state, under which code, why, and the document that shows it."""

    draw_id: str
    expert_id: str
    at: datetime
    by: str
    state: str
    code: str
    reason: str
    document: str


SEAT = tuple(expert_seat.c[one.name] for one in fields(Seat))
CHANGE = tuple(expert_seat_change.c[one.name] for one in fields(SeatChange))


def seat(records: Records, draw_id: str, expert_id: str) -> Seat:
    """Give a seat.

    Raises
    ------
    UnknownSeat
    """
    with records.database.read() as connection:
        return read_seat(connection, draw_id, expert_id)


def read_seat(connection: Connection, draw_id: str, expert_id: str) -> Seat:
    """Give a seat inside a transaction."""
    mine = (expert_seat.c.draw_id == draw_id, expert_seat.c.expert_id == expert_id)
    row = connection.execute(select(*SEAT).where(*mine)).one_or_none()
    if row is None:
        raise UnknownSeat(
            f"{expert_id} 在 {draw_id} 中没有席位，或名单尚未公开",
            f"{expert_id} has no seat in {draw_id}, or its names were not opened yet",
        )
    return Seat(*row)


def seats(
    records: Records, *, draw_ids: Collection[str] | None = None, expert_ids: Collection[str] | None = None
) -> list[Seat]:
    """List seats by draw, round and opaque id."""
    s = expert_seat.c
    query = select(*SEAT).order_by(s.draw_id, s.round, s.opaque_id)
    if draw_ids is not None:
        query = query.where(s.draw_id.in_(sorted(draw_ids)))
    if expert_ids is not None:
        query = query.where(s.expert_id.in_(sorted(expert_ids)))
    with records.database.read() as connection:
        return [Seat(*row) for row in connection.execute(query)]


def change_seat(records: Records, change: SeatChange, *, only_from: Collection[str]) -> Seat:
    """Bring a seat into another state, or give the code of its state anew.

    A change that stands already, word for word but for its time, is not written again: a step repeated after a stop
    leaves one row.

    Raises
    ------
    UnknownSeat
    IllegalState
        The seat is in none of the states ``only_from``, its draw was abandoned, or the clock was set back.
    """
    place = {"draw_id": change.draw_id, "expert_id": change.expert_id}
    with records.database.write() as connection:
        before = read_seat(connection, **place)
        if before.state == change.state and _stands(connection, change):
            return before
        draw = read_draw(connection, change.draw_id)
        _refuse(before, change, only_from, draw.state)
        values = stored(asdict(change))
        connection.execute(insert(expert_seat_change).values(**values))
        mine = update(expert_seat).where(*(expert_seat.c[name] == value for name, value in place.items()))
        connection.execute(mine.values(state=change.state, state_at=change.at))
        told = {"draw": change.draw_id, "id": before.opaque_id, "state": change.state, "code": change.code}
        chain.append(connection, "expert-seat", change.at, draw.bureau, None, told | {"sha256": row_hash(values)})
        return read_seat(connection, **place)


def stored(values: Mapping[str, Any]) -> dict[str, Any]:
    """Give a row as the database takes it."""
    return {name: storable(one) if isinstance(one, str) else one for name, one in values.items()}


def row_hash(values: Mapping[str, Any]) -> str:
    """Hash a row as its event on the chain keeps it."""
    plain = {name: _plain(value) for name, value in values.items()}
    return hashlib.sha256(canonical(plain).encode()).hexdigest()


def seat_changes(
    records: Records, *, draw_ids: Collection[str] | None = None, expert_ids: Collection[str] | None = None
) -> list[SeatChange]:
    """List the changes of seats in the order they were told."""
    c = expert_seat_change.c
    query = select(*CHANGE).order_by(c.id)
    if draw_ids is not None:
        query = query.where(c.draw_id.in_(sorted(draw_ids)))
    if expert_ids is not None:
        query = query.where(c.expert_id.in_(sorted(expert_ids)))
    with records.database.read() as connection:
        return [SeatChange(*row) for row in connection.execute(query)]


def _stands(connection: Connection, change: SeatChange) -> bool:
    c = expert_seat_change.c
    mine = (c.draw_id == change.draw_id, c.expert_id == change.expert_id)
    last = connection.execute(select(*CHANGE).where(*mine).order_by(c.id.desc()).limit(1)).one_or_none()
    told = ("state", "code", "reason", "document", "by")
    return last is not None and all(getattr(last, name) == getattr(change, name) for name in told)


def _refuse(before: Seat, change: SeatChange, only_from: Collection[str], draw_state: str) -> None:
    if draw_state == "abandoned":
        raise IllegalState(f"{change.draw_id} 已中止", f"{change.draw_id} was abandoned")
    if before.state not in only_from:
        raise IllegalState(
            f"{change.expert_id} 在 {change.draw_id} 中现为 {before.state}，不能转为 {change.state}",
            f"{change.expert_id} is {before.state} in {change.draw_id}, which cannot become {change.state}",
        )
    if change.at < before.state_at - CLOCK_SLACK:
        raise IllegalState(
            f"本机时间 {change.at.isoformat()} 早于上一步 {before.state_at.isoformat()}，请校准时钟",
            f"this clock says {change.at.isoformat()}, before the last step at {before.state_at.isoformat()}",
        )


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return write_time(value)
    return value.isoformat() if isinstance(value, date) else value
