"""Periods that are told no more although they never came: their alarm ends, but nothing has recovered.

A period is told for a week (``source_alarms.py``). Each judgement carries on which of the periods an alarm named have
lapsed since, so that its end says what it is: the trouble is over, or nobody waits for it any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from pipelines.board import Board
from records.alarms import Alarm, Trouble

CODES = ("missing", "no-rows", "unchanged")
GIVEN_UP = "given_up"


def carry_lapsed(
    troubles: Sequence[Trouble], still_open: Sequence[Alarm], seen: Board
) -> tuple[list[Trouble], dict[tuple[str, str], list[str]]]:
    """Note on each trouble which periods its alarm told before and gave up; give those whose alarm ends so.

    Parameters
    ----------
    troubles : sequence of Trouble
        What is wrong now.
    still_open : sequence of Alarm
        As the last judgement left them.
    seen : Board
        Says which periods came.
    """
    lapsed = _lapsed(troubles, still_open, seen)
    carried = [
        replace(one, detail=one.detail | {GIVEN_UP: lapsed[one.code, one.source]})
        if (one.code, one.source) in lapsed
        else one
        for one in troubles
    ]
    found = {(one.code, one.source) for one in troubles}
    return carried, {key: periods for key, periods in lapsed.items() if key not in found}


def _named(alarm: Alarm) -> Iterator[str]:
    yield from dict.fromkeys((*alarm.detail.get(GIVEN_UP, ()), *alarm.detail.get("periods", ())))


def _lapsed(troubles: Sequence[Trouble], still_open: Sequence[Alarm], seen: Board) -> dict[tuple[str, str], list[str]]:
    told = {(one.source, period) for one in troubles for period in one.detail.get("periods", ())}
    state = {(cell.source, due.period): due.state for cell in seen.cells for due in cell.dues}
    found = {}
    for alarm in still_open:
        if alarm.code not in CODES or alarm.source not in seen.newest:  # nothing is expected of it any more
            continue
        silent = [(alarm.source, period) for period in _named(alarm) if (alarm.source, period) not in told]
        # what lies before the days of the board was told until now, so it never came
        if periods := [one[1] for one in silent if state.get(one, "missing") == "missing"]:
            found[alarm.code, alarm.source] = periods
    return found
