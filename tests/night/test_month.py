"""A whole month of two bureaus, simulated: real service, records and tables, real HTTP, injected trouble.

The plan says what each bureau publishes and what goes wrong (``month_by_hand.py``), the truth is worked out from the
plan alone (``month_truth.py``), and the board must equal it: each source, each day, each number. So must the alarms,
to the run: what opened when, when it was over, that one trouble was one alarm, and that there were no others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from datetime import date, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
import stamina
from month_by_hand import ALARMS, CELLS, FIRST, LAST, NEVER_CAME, march, month
from month_plan import CHINA, DAILY, DAY, calm, outages_by_chance, trouble_by_chance
from month_truth import Cells, Truth
from month_world import World

from pipelines.board import Board
from pipelines.lapsed import GIVEN_UP
from pipelines.publish.reading import query
from records.alarms import alarms, outbox
from records.chain import verify_chain
from records.runs import runs
from records.store import Records

OF_THIS_MACHINE = {"disk-space"}
"""How full a disk is belongs to no plan."""


@pytest.fixture(autouse=True)
def one_try() -> Iterator[None]:
    """The client's pauses between tries are real seconds; a simulated month has none to spare."""
    with stamina.set_testing(True):
        yield


def told(board: Board) -> Cells:
    """Give the board in the words of the truth."""
    found: Cells = {}
    for cell in board.cells:
        entry = {name: getattr(cell, name) for name in type(cell).__slots__}
        for name in ("source", "bureau", "title", "day"):
            del entry[name]
        entry["dues"] = [(due.period, due.state, due.refused) for due in cell.dues]
        found[cell.source, cell.day] = entry
    return found


def unlike(board: Cells, truth: Cells) -> list[str]:
    """Name each number in which they differ."""
    assert board.keys() == truth.keys()
    return [
        f"{source} {day} {name}: {board[source, day][name]!r}, in truth {cell[name]!r}"
        for (source, day), cell in truth.items()
        for name in cell
        if board[source, day][name] != cell[name]
    ]


def clock(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(CHINA).strftime("%Y-%m-%d %H:%M")


def opened(records: Records) -> list[tuple[Any, ...]]:
    """Every alarm there ever was."""
    return sorted(
        (a.code, a.source, clock(a.opened_at), clock(a.closed_at) or "", a.count, sorted(a.detail.get(GIVEN_UP, ())))
        for a in alarms(records, open_only=False)
        if a.code not in OF_THIS_MACHINE
    )


def should_open(truth: Truth) -> list[tuple[Any, ...]]:
    return sorted(
        (a.code, a.source, clock(a.opened), clock(a.closed) or "", a.count, sorted(a.lost)) for a in truth.alarms
    )


def live(world: World, looks: Collection[date] = ()) -> dict[datetime, Cells]:
    """Live through the plan; give the board at its end, and as it was at the first moment of some days."""
    seen: dict[datetime, Cells] = {}
    last = max(world.moments())
    for moment in world.steps():
        first_of_day = moment.date() not in {before.date() for before in seen}
        if moment == last or (moment.date() in looks and first_of_day):
            seen[moment] = told(world.board(world.plan.first, moment.date()))
    assert len(seen) == len(looks) + 1
    return seen


def check(world: World, truth: Truth, seen: dict[datetime, Cells]) -> None:
    """Hold everything the home remembers against the truth."""
    for moment, cells in seen.items():
        assert unlike(cells, truth.cells(world.plan.first, moment.date(), moment)) == [], moment
    assert opened(world.records) == should_open(truth)
    ledger = [
        (run.job, run.slot, run.kind, run.state, clock(run.due_at)) for run in runs(world.records, limit=None)
    ]  # fmt: skip
    assert sorted(ledger) == sorted(
        (run.job, run.slot, run.kind, "coalesced" if run.now is None else "done", clock(run.due_at))
        for run in truth.ledger
    )
    assert verify_chain(world.records).ok
    check_notices(world.records, truth)


def check_notices(records: Records, truth: Truth) -> None:
    """Each alarm was told when it opened, each day it lasted, and when it was over."""
    told: list[tuple[str, ...]] = []
    for notice in outbox(records, datetime(2100, 1, 1, tzinfo=CHINA)):
        about = [alarm for alarm in notice.alarms if alarm["code"] not in OF_THIS_MACHINE]
        told += [(notice.kind, alarm["code"], alarm["source"], str(clock(notice.made_at))) for alarm in about]
    wanted = [
        (kind, alarm.code, alarm.source, str(clock(moment)))
        for alarm in truth.alarms
        for kind, moments in (
            ("opened", alarm.told[:1]), ("reminder", alarm.told[1:]),
            ("given-up" if alarm.lost else "recovered", [alarm.closed] if alarm.closed else []),
        )
        for moment in moments
    ]  # fmt: skip
    assert sorted(told) == sorted(wanted)


def published(world: World) -> Counter[tuple[str, date]]:
    """Results in the shared tables, by table and day of sampling."""
    found: Counter[tuple[str, date]] = Counter()
    for table, column in (("air_observation", "period_start"), ("water_result", "sample_time")):
        frame = query(f"SELECT bureau, {column} AS at FROM {table}", world.places.tables).to_pandas()
        for bureau, moment in zip(frame["bureau"], frame["at"], strict=True):
            found[f"{bureau} {table}", moment.astimezone(CHINA).date()] += 1
    return found


def test_the_board_after_a_month_of_trouble_is_the_truth_day_by_day(tmp_path: Path) -> None:
    plan, chance = month()
    truth = Truth(plan)
    looks = [date(2026, 2, 27), march(4), march(9), march(14), march(18), march(20)]
    with World(plan, tmp_path / "home", whole={march(2)}) as world:
        seen = live(world, looks)
        print(f"\nby chance: {', '.join(chance)}")
        check(world, truth, seen)
        check_by_hand(seen[max(seen)], opened(world.records), published(world))


def check_by_hand(seen: Cells, there: list[tuple[Any, ...]], count: Counter[tuple[str, date]]) -> None:
    """Hold the month against what was written down by hand: cells, alarms, and rows of the shared tables."""
    for source, day, wanted in CELLS:
        assert {name: seen[source, day][name] for name in wanted} == wanted, f"{source} {day}"
    told = {(code, source, since[5:], until[5:] or None) for code, source, since, until, _, _ in there}
    assert [alarm for alarm in ALARMS if alarm not in told] == []
    lost = {(code, source): periods for code, source, _, until, _, periods in there if until and periods}
    assert NEVER_CAME.items() <= {key: (len(periods), periods[0]) for key, periods in lost.items()}.items()
    for day in (FIRST + n * DAY for n in range((LAST - FIRST).days + 1)):
        assert count["beibei air_observation", day] == (0 if day == march(3) else 24), day
    air = {day: count["mianyang air_observation", day] for day in (date(2026, 2, 22), march(1), march(3), march(8))}
    assert list(air.values()) == [0, 14, 0, 8]


@pytest.mark.parametrize(
    ("first", "last", "seed"),
    [(date(2028, 2, 26), date(2028, 3, 1), 29), (date(2026, 12, 29), date(2027, 1, 2), 53)],
    ids=["leap day", "turn of the year"],
)
def test_the_board_over_odd_ends_of_months_is_the_truth(tmp_path: Path, first: date, last: date, seed: int) -> None:
    plan, dice = calm(first, last), Random(seed)
    chance = [told for source in DAILY for told in trouble_by_chance(plan, dice, source, plan.days(), 0.5)]
    chance += outages_by_chance(plan, dice, ["mianyang/credit", "mianyang/files", "beibei/soil", "beibei/air"], 0.15)
    truth = Truth(plan)
    with World(plan, tmp_path / "home") as world:
        seen = live(world)
        print(f"\nby chance: {', '.join(chance)}")
        check(world, truth, seen)
