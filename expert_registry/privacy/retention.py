"""What is past its term, and goes: people who left the pool, looks at people, keys of old draws.

The terms are parameters (``retention_left_years``, ``retention_access_years``, ``retention_draw_years``), counted to the
day. Nothing goes by itself: who is responsible looks at what is due and lets it go, and the records say so. Papers of
draws stay beyond their term until the archive of the bureau takes them; with their keys gone nobody who was listed and
not seated can be told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path

from expert_registry.errors import IncompleteExpert
from expert_registry.privacy import requests_of_persons
from expert_registry.privacy.vault import Vault
from records import expert_erasure
from records.store import CHINA, Records
from schemas.experts import ExpertRules, add_years, expert_states


@dataclass(frozen=True, slots=True)
class Due:
    """What is past its term on a day; ``waiting`` are people who left, with what hinders the deletion."""

    on: date
    experts: tuple[str, ...]
    waiting: Mapping[str, tuple[str, ...]]
    accesses: int
    accesses_before: datetime
    draws: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """Give it as plain values."""
        return {
            "on": self.on.isoformat(),
            "experts": list(self.experts),
            "waiting": {name: list(codes) for name, codes in self.waiting.items()},
            "accesses": self.accesses,
            "accesses_before": self.accesses_before.isoformat(),
            "draws": list(self.draws),
        }


def due(records: Records, vault: Vault, rules: ExpertRules, at: datetime) -> Due:
    """Say what is past its term; a day that ends a term still belongs to it."""
    today = at.astimezone(CHINA).date()
    gone = [one.state for one in expert_states().values() if not one.in_pool]
    left = [
        row.expert_id
        for row in expert_erasure.left_since(records, gone)
        if add_years(row.since.astimezone(CHINA).date(), rules.retention_left_years) < today
    ]
    waiting = {
        name: tuple(one.code for one in requests_of_persons.obstacles(records, vault, name, at)) for name in left
    }
    before = datetime.combine(add_years(today, -rules.retention_access_years), time(), CHINA)
    # a draw that was held on the day itself, so many years ago, is still within its term
    held = add_years(today, -rules.retention_draw_years)
    return Due(
        on=today,
        experts=tuple(name for name in left if not waiting[name]),
        waiting={name: codes for name, codes in waiting.items() if codes},
        accesses=expert_erasure.accesses_before(records, before),
        accesses_before=before,
        draws=tuple(expert_erasure.draws_with_keys(records, held)),
    )


def let_go(
    records: Records, vault: Vault, rules: ExpertRules, uploads: Path, *, by: str, at: datetime, reason: str
) -> Due:
    """Let go of all that is due; gives what it was. Stopped half way, it is simply asked for again."""
    if not by.strip() or not reason.strip():
        raise IncompleteExpert("清理须写明经办人和批准依据", "this needs who does it, and who approved it")
    found = due(records, vault, rules, at)
    for name in found.experts:
        requests_of_persons.erase(records, vault, name, uploads, by=by, at=at, reason=reason)
    expert_erasure.drop_accesses(records, found.accesses_before, by, at)
    expert_erasure.drop_draw_keys(records, found.draws, by, at)
    return found
