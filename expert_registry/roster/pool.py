"""The pool as the rooms of the registry see it: experts with all that is told of them, without a sealed field."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from expert_registry.errors import NoExpert
from expert_registry.people import Consent, Employment, Expert, Leave, Specialty, Tie
from records import expert_pages
from records.experts import ExpertRow, expert
from records.store import Records


def load(
    records: Records,
    *,
    ids: Collection[str] | None = None,
    specialties: Collection[str] | None = None,
    bureau: str | None = None,
    states: Collection[str] | None = None,
) -> list[Expert]:
    """Load experts in the order of their numbers, each condition a further restriction; no condition is the pool.

    Parameters
    ----------
    specialties : collection of str
        Codes; one of the first level stands for all below it.
    """
    found = expert_pages.pool(records, ids=ids, specialties=specialties, bureau=bureau, states=states)
    parts = found.parts
    names = [column.name for column in expert_pages.SHOWN]
    return [
        Expert(
            **dict(zip(names, row, strict=True)),
            specialties=tuple(
                Specialty(one.code, one.edition, one.raw) for one in parts["specialty"].get(row.expert_id, ())
            ),
            employments=tuple(_employment(one) for one in parts["employment"].get(row.expert_id, ())),
            ties=tuple(_tie(one) for one in parts["tie"].get(row.expert_id, ())),
            consents=tuple(
                Consent(one.kind, one.given_on, one.revoked_on, one.document)
                for one in parts["consent"].get(row.expert_id, ())
            ),
            leaves=tuple(Leave(one.since, one.until, one.reason) for one in parts["leave"].get(row.expert_id, ())),
        )
        for row in found.experts
    ]


def load_one(records: Records, expert_id: str) -> Expert:
    """Load one expert.

    Raises
    ------
    NoExpert
    """
    found = load(records, ids=[expert_id])
    if not found:
        raise unknown(expert_id)
    return found[0]


def unknown(expert_id: str) -> NoExpert:
    """Make the error for a number nobody has."""
    return NoExpert(
        f"专家库中没有编号 {expert_id} 的专家，请核对编号", f"no expert of the pool has the number {expert_id}"
    )


def find(records: Records, expert_id: str) -> ExpertRow:
    """Give the row of an expert, sealed fields and all.

    Raises
    ------
    NoExpert
    """
    row = expert(records, expert_id)
    if row is None or row.erased_at is not None:
        raise unknown(expert_id)
    return row


def _employment(row: Any) -> Employment:
    return Employment(row.employer, row.uscc, row.role, row.since, row.until, row.source)


def _tie(row: Any) -> Tie:
    return Tie(row.kind, row.uscc, row.party, row.matter, row.since, row.until, row.amount_fen, row.detail, row.source)
