"""The days of a recusal: how long a relation bars, and how its days and amounts are written in the evidence.

What a term is, and on which day it ends, is said in ``expert_registry/recusal/reasons.py``.
"""

from __future__ import annotations

from datetime import date

from expert_registry.people import Tie
from schemas.recusal_facts import RecusalReason, term_end


def runs(since: date | None, until: date | None, on: date) -> bool:
    """Tell whether a relation holds on a day; both its days are included."""
    return (since is None or since <= on) and (until is None or until >= on)


def bars(reason: RecusalReason, since: date | None, until: date | None, on: date) -> date | None:
    """Give the last day a relation bars, ``date.max`` where it has no end, None where it does not bar on this day."""
    if since is not None and since > on:
        return None
    if until is None or reason.months is None:
        return date.max
    ended = max(until, since or until)
    last = term_end(ended, reason.months)
    return last if on <= last else None


def days_words(since: date | None, until: date | None) -> tuple[str, str]:
    """Write the days of a relation; nothing where neither is known."""
    if since is None and until is None:
        return "", ""
    if until is None:
        return f"{since}起", f"since {since}"
    if since is None:
        return f"至{until}止", f"until {until}"
    return f"{since}至{until}", f"from {since} to {until}"


def until_words(last: date) -> tuple[str, str]:
    """Write the last day a relation bars; nothing where there is none."""
    return ("", "") if last == date.max else (f"；回避至{last}（含当日）", f"; it bars through {last}")


def tie_words(tie: Tie) -> tuple[str, str]:
    """Write what a declaration says of itself: its detail, its source and the amount declared."""
    said = [one for one in (tie.detail, tie.source) if one]
    amount = [] if tie.amount_fen is None else [f"{tie.amount_fen // 100}.{tie.amount_fen % 100:02d}"]
    zh = "；".join([*said, *(f"金额 {one} 元" for one in amount)])
    en = "; ".join([*said, *(f"{one} yuan" for one in amount)])
    return (f"申报（{zh}）", f"declared ({en})") if zh else ("申报", "declared")
