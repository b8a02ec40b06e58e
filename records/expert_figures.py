"""Counts over the pool and its uses, made by the database: no name and no number of an expert comes out of here."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, and_, func, select

from records.expert_listing import NOT_USED
from records.expert_models import (
    expert,
    expert_draw,
    expert_draw_paper,
    expert_seat,
    expert_seat_change,
    expert_specialty,
)
from records.store import Records

ALIVE = and_(expert.c.erased_at.is_(None), expert.c.merged_into.is_(None))
"""Merged records are counted under the one their person lives on, erased ones nowhere."""


def pool_counts(records: Records, column: str, states: Collection[str]) -> list[tuple[str, str, int]]:
    """Count experts in some states by bureau and a column of ``expert``: (bureau, value, number)."""
    c = expert.c[column]
    query = select(expert.c.bureau, c, func.count()).where(ALIVE, expert.c.state.in_(sorted(states)))
    with records.database.read() as connection:
        return [(row[0], row[1], row[2]) for row in connection.execute(query.group_by(expert.c.bureau, c))]


def specialty_counts(records: Records, states: Collection[str]) -> list[tuple[str, str, int]]:
    """Count experts in some states by bureau and field, one with two fields in both: (bureau, code, number)."""
    e, s = expert.c, expert_specialty.c
    query = (
        select(e.bureau, s.code, func.count(s.expert_id.distinct()))
        .join(expert, e.expert_id == s.expert_id)
        .where(ALIVE, e.state.in_(sorted(states)))
        .group_by(e.bureau, s.code)
    )
    with records.database.read() as connection:
        return [(row[0], row[1], row[2]) for row in connection.execute(query)]


def use_counts(records: Records, since: date, until: date) -> list[tuple[str, str, str, int]]:
    """Count uses by bureau of the draw, bureau of the expert, and expert's number, on meetings of a period."""
    s, d, e = expert_seat.c, expert_draw.c, expert.c
    query = (
        select(d.bureau, e.bureau, s.expert_id, func.count())
        .join(expert_draw, d.draw_id == s.draw_id)
        .join(expert, e.expert_id == s.expert_id)
        .where(s.held_on >= since, s.held_on <= until, s.state.not_in(NOT_USED), d.state != "abandoned")
        .group_by(d.bureau, e.bureau, s.expert_id)
    )
    with records.database.read() as connection:
        return [(row[0], row[1], row[2], row[3]) for row in connection.execute(query)]


def draw_times(records: Records, since: datetime, until: datetime) -> list[Row[Any]]:
    """Give the draws asked for in ``[since, until)``: number, bureau, when asked for, when drawn (None if never)."""
    d, p = expert_draw.c, expert_draw_paper.c
    first = and_(p.draw_id == d.draw_id, p.kind == "draw", p.part == "0")
    query = (
        select(d.draw_id, d.bureau, d.state, d.sequence, d.reason, d.detail, d.requested_at, p.at.label("drawn_at"))
        .outerjoin(expert_draw_paper, first)
        .where(d.requested_at >= since, d.requested_at < until)
        .order_by(d.draw_id)
    )
    with records.database.read() as connection:
        return list(connection.execute(query))


def first_acceptances(records: Records, since: datetime) -> dict[tuple[str, str], datetime]:
    """Give when each seat was accepted first, of those accepted from an instant on: (draw, opaque id) → instant."""
    c, s = expert_seat_change.c, expert_seat.c
    mine = and_(s.draw_id == c.draw_id, s.expert_id == c.expert_id)
    query = (
        select(c.draw_id, s.opaque_id, func.min(c.at).label("at"))
        .join(expert_seat, mine)
        .where(c.state == "accepted", c.at >= since)
        .group_by(c.draw_id, s.opaque_id)
    )
    with records.database.read() as connection:
        return {(row.draw_id, row.opaque_id): row.at for row in connection.execute(query)}
