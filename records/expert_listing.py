"""What a candidate list must know of the pool beyond each person: merged and doubtful records, late changes, uses."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select

from records.expert_models import expert, expert_change, expert_draw, expert_match, expert_seat, expert_seat_change
from records.store import Records

NOT_USED = ("declined", "no_answer", "absent", "replaced")
"""States of a seat that are no use of the expert."""


def merges(records: Records) -> dict[str, str]:
    """Give every record that was merged, with the one its person lives on under."""
    e = expert.c
    with records.database.read() as connection:
        rows = connection.execute(select(e.expert_id, e.merged_into).where(e.merged_into.is_not(None)))
        return {row.expert_id: row.merged_into for row in rows}


def doubtful(records: Records) -> set[str]:
    """Give the records that may be one person with another: a match not decided, or one identity number in two.

    Two records of one identity number are doubtful also where nobody looked for matches yet; merged ones, and pairs
    somebody decided about, are not.
    """
    m, e = expert_match.c, expert.c
    alive = (e.merged_into.is_(None), e.erased_at.is_(None), e.identity_index != "")
    twice = select(e.identity_index).where(*alive).group_by(e.identity_index).having(func.count() > 1)
    with records.database.read() as connection:
        pairs = connection.execute(select(m.first, m.second, m.state)).all()
        rows = connection.execute(
            select(e.identity_index, e.expert_id).where(*alive, e.identity_index.in_(twice)).order_by(e.expert_id)
        )
        same: dict[str, list[str]] = {}
        for row in rows:
            same.setdefault(row.identity_index, []).append(row.expert_id)
    decided = {frozenset((one.first, one.second)) for one in pairs if one.state != "proposed"}
    found = {name for one in pairs if one.state == "proposed" for name in (one.first, one.second)}
    for group in same.values():
        found |= {a for a in group for b in group if a != b and frozenset((a, b)) not in decided}
    return found


def late_changes(records: Records, since: datetime) -> dict[str, datetime]:
    """Give who was given another field, or appointed, after an instant, with the time of the last such change.

    A renewed term changes the days, not the state, and is none.
    """
    c = expert_change.c
    found: dict[str, datetime] = {}
    with records.database.read() as connection:
        query = select(c.expert_id, c.at, c.kind, c.after).where(c.at > since, c.kind.in_(("specialty", "state")))
        for row in connection.execute(query.order_by(c.at)):
            if row.after and (row.kind == "specialty" or row.after.get("state") == "appointed"):
                found[row.expert_id] = row.at
    return found


def uses(records: Records, since: date, until: date) -> dict[str, int]:
    """Count the seats of each expert on meetings from one day to another, both included; abandoned draws do not count."""
    s, d = expert_seat.c, expert_draw.c
    query = (
        select(s.expert_id, func.count())
        .join(expert_draw, d.draw_id == s.draw_id)
        .where(s.held_on >= since, s.held_on <= until, s.state.not_in(NOT_USED), d.state != "abandoned")
        .group_by(s.expert_id)
    )
    with records.database.read() as connection:
        return {row[0]: row[1] for row in connection.execute(query)}


def seats_of(records: Records, draw_ids: Collection[str]) -> list[Any]:
    """Give the seats of some draws, with their persons and states."""
    s = expert_seat.c
    query = select(expert_seat).where(s.draw_id.in_(sorted(draw_ids))).order_by(s.draw_id, s.round, s.opaque_id)
    with records.database.read() as connection:
        return list(connection.execute(query))


def opined(records: Records, draw_ids: Collection[str]) -> set[str]:
    """Give who signed an opinion in some draws, those replaced afterwards too."""
    c = expert_seat_change.c
    query = select(c.expert_id).where(c.draw_id.in_(sorted(draw_ids)), c.state == "opinion_signed")
    with records.database.read() as connection:
        return set(connection.execute(query).scalars())


def expert_ids(records: Records) -> list[str]:
    """List the numbers of all experts, those merged or erased too: one of them is behind every id of a list."""
    with records.database.read() as connection:
        return list(connection.execute(select(expert.c.expert_id).order_by(expert.c.expert_id)).scalars())
