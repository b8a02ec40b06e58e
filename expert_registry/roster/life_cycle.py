"""The life cycle of an expert: applied → checked → publicised → appointed → suspended → expired, withdrawn or removed.

Which state leads where, and what a move must bring, is data (``expert_states.csv``). Every move has its person, moment
and reason in the records. The rules of entry warn on the way in; they hinder nobody whom the people in charge take.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from expert_registry.errors import IncompleteExpert, UnknownWord, WrongState
from expert_registry.people import Expert
from expert_registry.privacy.vault import IDENTITY, Vault
from expert_registry.roster.entry_rules import Note, entry_notes
from expert_registry.roster.pool import load_one, unknown
from records.expert_pages import ended_terms
from records.experts import ExpertRow, PoolWriter, row_of, writing
from records.store import CHINA, Records
from schemas.experts import ExpertRules, add_years, birth_date, expert_states

ENTRY = ("checked", "publicised", "appointed")
"""Moves on which the rules of entry are looked at."""


@dataclass(frozen=True, slots=True)
class Moved:
    """An expert after a move, and what the rules of entry say."""

    expert: Expert
    warnings: tuple[Note, ...]


def move(
    records: Records,
    expert_id: str,
    to: str,
    by: str,
    at: datetime,
    rules: ExpertRules,
    *,
    reason: str = "",
    term_start: date | None = None,
    term_end: date | None = None,
    bar_until: date | None = None,
    vault: Vault | None = None,
) -> Moved:
    """Bring an expert into another state.

    Parameters
    ----------
    term_start, term_end : date, optional
        First and last day of an appointment; by default the day of the move, and the usual term.
    bar_until : date, optional
        Last day on which a removed expert may not apply; by default as long as the rules say.
    vault : Vault, optional
        With it the age is looked at too.

    Raises
    ------
    NoExpert, UnknownWord, WrongState, IncompleteExpert
    """
    with writing(records, by, at) as pool:
        warnings = _move(pool, expert_id, to, rules, reason, term_start, term_end, bar_until, vault)
    return Moved(load_one(records, expert_id), tuple(warnings))


def move_all(
    records: Records,
    ids: Iterable[str],
    to: str,
    by: str,
    at: datetime,
    rules: ExpertRules,
    *,
    reason: str = "",
    term_start: date | None = None,
    term_end: date | None = None,
    bar_until: date | None = None,
    vault: Vault | None = None,
) -> dict[str, tuple[Note, ...]]:
    """Bring many experts into a state, all or none; gives the warnings by number. See :func:`move`."""
    with writing(records, by, at) as pool:
        return {
            expert_id: tuple(_move(pool, expert_id, to, rules, reason, term_start, term_end, bar_until, vault))
            for expert_id in ids
        }


def expire(records: Records, by: str, at: datetime) -> list[str]:
    """Let every appointment end whose last day (in China) is over; gives the numbers."""
    today = at.astimezone(CHINA).date()
    with writing(records, by, at) as pool:
        rows = ended_terms(pool.connection, today)
        for row in rows:
            pool.change(row, {"state": "expired"}, "state", "聘期届满 / the term is over")
    return [row.expert_id for row in rows]


def _move(
    pool: PoolWriter,
    expert_id: str,
    to: str,
    rules: ExpertRules,
    reason: str,
    term_start: date | None,
    term_end: date | None,
    bar_until: date | None,
    vault: Vault | None,
) -> list[Note]:
    row = row_of(pool.connection, expert_id)
    if row is None or row.erased_at is not None:
        raise unknown(expert_id)
    today = pool.at.astimezone(CHINA).date()
    _refuse_way(row, to, today)
    state = expert_states()[to]
    if not pool.by.strip() or ("reason" in state.needs and not reason.strip()):
        raise IncompleteExpert(
            f"转为“{state.title_zh}”须写明经办人和理由", f"a move to {to} needs who does it and the reason"
        )
    values: dict[str, object] = {"state": to}
    if "term" in state.needs:
        values |= _term(row, today, rules, term_start, term_end)
    if "bar" in state.needs:
        values["bar_until"] = bar_until or add_years(today, rules.bar_years)
    if to == "applied":
        values |= {"term_start": None, "term_end": None, "bar_until": None}
    pool.change(row, values, "state", reason)
    pool.flush()
    if to not in ENTRY:
        return []
    born = birth_date(vault.open_(expert_id, IDENTITY, row.identity_sealed)) if vault is not None else None
    return entry_notes(row.title_rank, born, row.practice_since, row.certificate_until, today, rules)


def _refuse_way(row: ExpertRow, to: str, today: date) -> None:
    states = expert_states()
    if to not in states:
        raise UnknownWord(
            f"不认识的状态 {to!r}，应为 {'、'.join(states)}", f"unknown state {to!r}; states: {', '.join(states)}"
        )
    if row.frozen_at is not None and to not in ("withdrawn", "removed", "expired"):
        raise WrongState(
            f"{row.expert_id} 的个人信息已停止使用，解除后方可变更状态",
            f"{row.expert_id} is frozen: only kept, until somebody unfreezes the record",
        )
    here = states[row.state]
    if to not in here.leads_to:
        allowed = "、".join(states[one].title_zh for one in here.leads_to)
        raise WrongState(
            f"{row.expert_id} 现为“{here.title_zh}”，不能转为“{states[to].title_zh}”，可转为：{allowed}",
            f"{row.expert_id} is {here.state} and cannot become {to}; it can become {', '.join(here.leads_to)}",
        )
    if row.bar_until is not None and today <= row.bar_until and to in ("applied", "appointed"):
        raise WrongState(
            f"{row.expert_id} 已被移出，{row.bar_until} 前（含当日）不得再入库",
            f"{row.expert_id} was removed and may not enter again through {row.bar_until}",
        )


def _term(row: ExpertRow, today: date, rules: ExpertRules, start: date | None, end: date | None) -> dict[str, object]:
    """Days of a term: given, or kept after a suspension, or the usual term from today."""
    if (
        row.state == "suspended"
        and start is None
        and end is None
        and row.term_end is not None
        and row.term_end >= today
    ):
        return {}
    first = start or today
    last = end or add_years(first, rules.term_years) - timedelta(days=1)
    if last < first:
        raise IncompleteExpert(f"聘期截止日 {last} 早于起始日 {first}", f"the term ends on {last}, before {first}")
    return {"term_start": first, "term_end": last}
