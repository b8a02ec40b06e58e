"""A person decides whether two records are one person, and may take it back.

``same`` leaves both records as they are and lets the one that is not kept point to the one that is (``merged_into``), of
three and more straight to the one that is kept of all; ``undo`` takes that back. Decisions that contradict each other (A
is B, B is C, A is not C) are refused.
"""

from __future__ import annotations

from datetime import datetime

from expert_registry.errors import IncompleteExpert, NoExpert, WrongState
from records import expert_matches as kept
from records.experts import PoolWriter, row_of, writing
from records.store import Records
from schemas.experts import expert_states


def decide(
    records: Records, match_id: str, decision: str, by: str, at: datetime, reason: str, keep: str | None = None
) -> kept.Match:
    """Decide on a pair: ``same`` (the record in the pool, else the older one, is kept unless ``keep`` names it) or not.

    Raises
    ------
    NoExpert
        No such pair.
    WrongState
        It is decided already, or the decision contradicts another one.
    IncompleteExpert
        No reason, no person, a decision nobody knows, or ``keep`` is neither of the two.
    """
    if decision not in ("same", "different") or not by.strip() or not reason.strip():
        raise IncompleteExpert(
            "核定须写明结论（same 同一人、different 不同人）、经办人和理由",
            "a decision on a pair needs same or different, who decides, and a reason",
        )
    with writing(records, by, at, payload={"match": match_id, "decision": decision}) as pool:
        match = _match(pool, match_id)
        if match.state != "proposed":
            raise _decided_already(match)
        chosen = _kept(pool, match, keep) if decision == "same" else ""
        kept.set_decision(pool, match, decision, reason, chosen)
        _regroup(pool, reason)
    return kept.match(records, match_id) or match


def undo(records: Records, match_id: str, by: str, at: datetime, reason: str) -> kept.Match:
    """Take a decision back: the pair is open again, records merged by it stand alone again; history stays.

    Raises
    ------
    NoExpert, WrongState, IncompleteExpert
    """
    if not by.strip() or not reason.strip():
        raise IncompleteExpert("撤销核定须写明经办人和理由", "to take a decision back, say who and why")
    with writing(records, by, at, payload={"match": match_id, "decision": "undone"}) as pool:
        match = _match(pool, match_id)
        if match.state not in ("same", "different"):
            raise WrongState(
                f"配对 {match_id} 尚未核定（现为 {match.state}），无从撤销",
                f"the pair {match_id} is not decided (it is {match.state}): there is nothing to take back",
            )
        kept.set_decision(pool, match, "proposed", reason, "")
        _regroup(pool, reason)
    return kept.match(records, match_id) or match


def _match(pool: PoolWriter, match_id: str) -> kept.Match:
    found = kept.match_of(pool.connection, match_id)
    if found is None:
        raise NoExpert(f"没有编号 {match_id} 的疑似重复配对", f"there is no pair with the number {match_id}")
    return found


def _decided_already(match: kept.Match) -> WrongState:
    return WrongState(
        f"配对 {match.match_id} 现为 {match.state}，只有待核定（proposed）的配对可以核定；如需更改请先撤销",
        f"the pair {match.match_id} is {match.state}; only a proposed one is decided: undo the decision first",
    )


def _kept(pool: PoolWriter, match: kept.Match, keep: str | None) -> str:
    """Choose which record goes on: the one asked for, else one that can be drawn, else the older one."""
    pair = (match.first, match.second)
    if keep is not None and keep not in pair:
        raise IncompleteExpert(
            f"保留的记录应为 {pair[0]} 或 {pair[1]}，不是 {keep}", f"keep {pair[0]} or {pair[1]}, not {keep}"
        )
    rows = [row for row in (row_of(pool.connection, one) for one in pair) if row is not None]
    usual = min(rows, key=lambda row: (not expert_states()[row.state].drawable, row.entered_at, row.expert_id))
    return keep or usual.expert_id


def _regroup(pool: PoolWriter, reason: str) -> None:
    """Let every record point to the one that is kept of its person, as all decisions together say."""
    decided = kept.decided_of(pool.connection)
    roots: dict[str, str] = {}

    def root(one: str) -> str:
        while one in roots:
            one = roots[one]
        return one

    for match in decided:
        first, second = root(match.first), root(match.second)
        if match.state == "same" and first != second:
            winner = root(match.kept)
            roots[second if winner == first else first] = winner
    for match in decided:
        if match.state == "different" and root(match.first) == root(match.second):
            raise WrongState(
                f"与已有核定矛盾：配对 {match.match_id} 已定为不同人（{match.first}、{match.second}），请先撤销其一",
                f"this contradicts {match.match_id}, decided to be two persons ({match.first}, {match.second});"
                " undo one of the two",
            )
    wanted = {one: root(one) for one in roots}
    before = kept.merged_of(pool.connection)
    for one in sorted({*wanted, *before}):
        row = row_of(pool.connection, one) if wanted.get(one) != before.get(one) else None
        if row is not None:
            pool.change(row, {"merged_into": wanted.get(one)}, "merged" if one in wanted else "unmerged", reason)
