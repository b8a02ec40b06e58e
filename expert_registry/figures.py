"""Figures of the pool and its draws for both bureaus, as JSON: who is in it, who is used, how long it takes, what failed.

They hold counts only. A number of an expert, let alone a name, is in none of them; how evenly people are used is said as
so many experts with so many uses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from expert_registry.draw import rounds
from expert_registry.draw.desk import Desk
from records import expert_drawbook, expert_figures
from records.models import write_time
from records.store import CHINA
from schemas.experts import expert_states
from schemas.specialties import edition

FIGURES = "gongzhi-expert-figures/1"
GROUPS = {"by_title": "title_rank", "by_region": "division"}


def figures(desk: Desk, since: date, until: date, *, at: datetime) -> dict[str, Any]:
    """Give the figures of all bureaus.

    Parameters
    ----------
    since, until : date
        First and last day (in China) of the period: of the requests for draws, of the meetings for uses. The pool is
        counted as it is now.
    """
    start, end = _instant(since), _instant(until + timedelta(days=1))
    draws = expert_figures.draw_times(desk.records, start, end)
    uses = expert_figures.use_counts(desk.records, since, until)
    pool, waits = _pool(desk), _waits(desk, draws, start)
    return {
        "document": FIGURES,
        "since": since.isoformat(),
        "until": until.isoformat(),
        "made_at": write_time(at),
        "specialties_edition": edition(),
        "bureaus": {
            bureau: {
                "pool": pool[bureau],
                "uses": _uses(uses, bureau, pool[bureau]["drawable"]),
                "other_side": _other_side(uses, bureau),
                "waiting_hours": waits[bureau],
                "draws": _draws(desk, bureau, draws),
            }
            for bureau in desk.bureaus
        },
        "incidents": {bureau: sorted(told) for bureau, told in rounds.incidents(desk, start).items()},
    }


def _instant(day: date) -> datetime:
    return datetime.combine(day, time(), CHINA).astimezone(UTC)


def _pool(desk: Desk) -> dict[str, dict[str, Any]]:
    """Count the pool; title, region and field of those who belong to it, the state of everybody ever entered."""
    states = expert_states()
    inside = [name for name, state in states.items() if state.in_pool]
    by_state = expert_figures.pool_counts(desk.records, "state", states)
    grouped = {name: expert_figures.pool_counts(desk.records, column, inside) for name, column in GROUPS.items()}
    grouped["by_specialty"] = expert_figures.specialty_counts(desk.records, inside)
    found = {}
    for bureau in desk.bureaus:
        told = {state: number for owner, state, number in by_state if owner == bureau}
        found[bureau] = {
            "in_pool": sum(number for state, number in told.items() if states[state].in_pool),
            "drawable": sum(number for state, number in told.items() if states[state].drawable),
            "by_state": dict(sorted(told.items())),
            **{
                name: {value or "unknown": number for owner, value, number in sorted(rows) if owner == bureau}
                for name, rows in grouped.items()
            },
        }
    return found


def _uses(rows: Sequence[tuple[str, str, str, int]], bureau: str, drawable: int) -> dict[str, Any]:
    """Say how the uses fall on the experts of a bureau, by whichever side they were drawn."""
    each: Counter[str] = Counter()
    for _, owner, expert_id, number in rows:
        if owner == bureau:
            each[expert_id] += number
    spread = Counter(each.values())
    return {
        "total": each.total(),
        "experts_used": len(each),
        "most": max(each.values(), default=0),
        "experts_by_uses": {"0": max(drawable - len(each), 0), **{str(n): spread[n] for n in sorted(spread)}},
    }


def _other_side(rows: Sequence[tuple[str, str, str, int]], bureau: str) -> dict[str, Any]:
    """Say how many of the seats a bureau drew went to experts of the other list."""
    total = sum(number for drawer, _, _, number in rows if drawer == bureau)
    other = sum(number for drawer, owner, _, number in rows if drawer == bureau and owner != bureau)
    return {"seats": total, "from_other_side": other, "percent": round(100 * other / total) if total else None}


def _waits(desk: Desk, draws: Sequence[Any], since: datetime) -> dict[str, dict[str, Any]]:
    accepted = expert_figures.first_acceptances(desk.records, since)
    found = {}
    for bureau in desk.bureaus:
        mine = {one.draw_id: one for one in draws if one.bureau == bureau and one.drawn_at is not None}
        seated = [(mine[draw_id], at) for (draw_id, _), at in accepted.items() if draw_id in mine]
        found[bureau] = {
            "request_to_draw": _spread(one.drawn_at - one.requested_at for one in mine.values()),
            "draw_to_accepted": _spread(at - one.drawn_at for one, at in seated),
            "request_to_accepted": _spread(at - one.requested_at for one, at in seated),
        }
    return found


def _spread(waits: Iterable[timedelta]) -> dict[str, Any]:
    """Give number, median, 90th percentile (both by nearest rank) and longest, in whole hours begun."""
    hours = sorted(-(-wait // timedelta(hours=1)) for wait in waits)
    if not hours:
        return {"number": 0, "median": None, "p90": None, "longest": None}
    rank = {name: hours[max(-(-len(hours) * part // 100), 1) - 1] for name, part in (("median", 50), ("p90", 90))}
    return {"number": len(hours), **rank, "longest": hours[-1]}


def _draws(desk: Desk, bureau: str, draws: Sequence[Any]) -> dict[str, Any]:
    mine = [one for one in draws if one.bureau == bureau]
    drawn = {one.draw_id for one in mine if one.detail.get("kind") == "draw"}
    redrawn = [one for one in mine if one.draw_id in drawn and one.sequence > 1]
    return {
        "requested": len(drawn),
        "by_state": _counted(one.state for one in mine if one.draw_id in drawn),
        "abandoned": _counted(_told(desk, "abandoned", "code", drawn)),
        "redrawn": _counted(one.reason.partition(":")[0] for one in redrawn),
        "replacements": _counted(_told(desk, "vacancy", "cause", drawn)),
        "callouts": _counted(one.reason.partition(":")[0] for one in mine if one.detail.get("kind") == "callout"),
    }


def _told(desk: Desk, kind: str, name: str, draw_ids: set[str]) -> list[str]:
    papers = expert_drawbook.papers_of_kind(desk.records, kind, datetime.min.replace(tzinfo=UTC))
    return [paper.document[name] for paper in papers if paper.draw_id in draw_ids]


def _counted(codes: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(codes).items()))
