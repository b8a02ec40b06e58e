"""Pairs of experts that may be one person: what was proposed, what a person decided, which records point to which.

A pair stands once, with the codes of its evidence; nothing of the person is in it. Each decision is a change of both
experts (kind ``match``) and part of the event the change is chained with; a whole look through the pool is one event
``expert-match``. ``lapsed`` is a proposal that no longer holds and nobody decided.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, or_, select, update

from records import chain
from records import expert_models as models
from records.experts import PoolWriter
from records.store import CHINA, Records, storable

STATES = ("proposed", "same", "different", "lapsed")


@dataclass(frozen=True, slots=True)
class Match:
    """A pair and its state; ``kept`` is the record that goes on where it was decided to be the same person."""

    match_id: str
    first: str
    second: str
    score: int
    evidence: list[str]
    state: str
    made_at: datetime
    decided_at: datetime | None
    decided_by: str
    reason: str
    kept: str


@dataclass(frozen=True, slots=True)
class Compared:
    """What of an expert is compared; identity and telephone only as hash and masks."""

    expert_id: str
    bureau: str
    name: str
    employer: str
    employer_uscc: str
    identity_index: str
    identity_mask: str
    phone_mask: str
    merged_into: str | None


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a look through the pool changed: pairs new or open again, with other evidence, no longer proposed."""

    new: int
    changed: int
    lapsed: int


_MATCH = tuple(models.expert_match.c[one.name] for one in fields(Match))
_COMPARED = tuple(models.expert.c[one.name] for one in fields(Compared))


def compared(records: Records) -> list[Compared]:
    """Give every expert who is not erased, with what is compared."""
    e = models.expert.c
    with records.database.read() as connection:
        rows = connection.execute(select(*_COMPARED).where(e.erased_at.is_(None)).order_by(e.expert_id))
        return [Compared(*row) for row in rows]


def matches(records: Records, state: str | None = None, expert_id: str | None = None) -> list[Match]:
    """List pairs, the surest first; of one state, or of one expert."""
    m = models.expert_match.c
    query = select(*_MATCH).order_by(m.score.desc(), m.first, m.second)
    if state is not None:
        query = query.where(m.state == state)
    if expert_id is not None:
        query = query.where(or_(m.first == expert_id, m.second == expert_id))
    with records.database.read() as connection:
        return [Match(*row) for row in connection.execute(query)]


def match(records: Records, match_id: str) -> Match | None:
    """Give one pair, None where there is none."""
    with records.database.read() as connection:
        return match_of(connection, match_id)


def match_of(connection: Connection, match_id: str) -> Match | None:
    """Give one pair inside the caller's transaction."""
    found = connection.execute(select(*_MATCH).where(models.expert_match.c.match_id == match_id)).one_or_none()
    return Match(*found) if found is not None else None


def decided_of(connection: Connection) -> list[Match]:
    """Give the decided pairs in the order they were decided."""
    m = models.expert_match.c
    query = select(*_MATCH).where(m.state.in_(("same", "different"))).order_by(m.decided_at, m.match_id)
    return [Match(*row) for row in connection.execute(query)]


def merged_of(connection: Connection) -> dict[str, str]:
    """Give every record that points to another one."""
    e = models.expert.c
    rows = connection.execute(select(e.expert_id, e.merged_into).where(e.merged_into.is_not(None)))
    return {row.expert_id: row.merged_into for row in rows}


def keep_proposals(
    records: Records, found: Iterable[tuple[str, str, int, Sequence[str]]], by: str, at: datetime
) -> Refreshed:
    """Keep what was proposed (first, second, score, evidence) as the whole of what is proposed now.

    A pair nobody decided that is not among them lapses; one that lapsed, or was decided ``different`` and is proposed
    again, is open again. What was decided to be the same person is left alone.
    """
    wanted = {(first, second): (score, list(evidence)) for first, second, score, evidence in found}
    with records.database.write() as connection:
        there = {(one.first, one.second): one for one in (Match(*row) for row in connection.execute(select(*_MATCH)))}
        new = [_new(pair, *wanted[pair], at) for pair in sorted(wanted.keys() - there.keys())]
        again = [one for pair, one in there.items() if pair in wanted and one.state in ("lapsed", "different")]
        changed = [
            one
            for pair, one in there.items()
            if one.state == "proposed" and pair in wanted and (one.score, one.evidence) != wanted[pair]
        ]
        lapsed = [one for pair, one in there.items() if one.state == "proposed" and pair not in wanted]
        if new:
            connection.execute(insert(models.expert_match), new)
        _update(
            connection,
            [(one.match_id, "proposed", *wanted[one.first, one.second]) for one in (*again, *changed)]
            + [(one.match_id, "lapsed", one.score, one.evidence) for one in lapsed],
        )
        done = Refreshed(len(new) + len(again), len(changed), len(lapsed))
        if new or again or changed or lapsed:
            told = {"new": done.new, "changed": done.changed, "lapsed": done.lapsed, "by": by}
            ids = sorted([str(one["match_id"]) for one in new] + [one.match_id for one in (*again, *changed, *lapsed)])
            told["matches_sha256"] = hashlib.sha256("\n".join(ids).encode()).hexdigest()
            chain.append(connection, "expert-match", at, None, None, told)
    return done


def _new(pair: tuple[str, str], score: int, evidence: list[str], at: datetime) -> dict[str, object]:
    made = {"match_id": f"x-{at.astimezone(CHINA):%Y%m%d}-{secrets.token_hex(6)}", "first": pair[0], "second": pair[1]}
    blank = {"decided_at": None, "decided_by": "", "reason": "", "kept": ""}
    return made | {"score": score, "evidence": evidence, "state": "proposed", "made_at": at} | blank


def _update(connection: Connection, rows: Sequence[tuple[str, str, int, list[str]]]) -> None:
    """Set state, score and evidence of pairs nobody has decided (any more)."""
    if not rows:
        return
    m = models.expert_match
    values = {
        "state": bindparam("_state"),
        "score": bindparam("_score"),
        "evidence": bindparam("_evidence", type_=m.c.evidence.type),
    }
    statement = (
        update(m)
        .where(m.c.match_id == bindparam("_match"))
        .values(**values, decided_at=None, decided_by="", reason="", kept="")
    )
    connection.execute(
        statement, [{"_match": i, "_state": state, "_score": score, "_evidence": e} for i, state, score, e in rows]
    )


def set_decision(pool: PoolWriter, match: Match, state: str, reason: str, kept: str) -> None:
    """Write a decision, or take it back (``proposed``), as a change of both experts."""
    m = models.expert_match
    open_again = state == "proposed"
    values = {
        "state": state,
        "decided_at": None if open_again else pool.at,
        "decided_by": "" if open_again else storable(pool.by),
        "reason": "" if open_again else storable(reason),
        "kept": kept,
    }
    pool.connection.execute(update(m).where(m.c.match_id == match.match_id).values(**values))
    for one, other in ((match.first, match.second), (match.second, match.first)):
        before = {"match": match.match_id, "other": other, "state": match.state, "kept": match.kept}
        pool.note(one, "match", before, before | {"state": state, "kept": kept}, reason)
