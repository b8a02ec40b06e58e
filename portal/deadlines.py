"""What a bureau owes by when, as its pages need it: the open period of each kind of data, and who came late."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta

from pipelines.awaited import REACH, DueState, expected
from pipelines.batch import Places
from pipelines.board import Board, board, china_day, midnight
from records.store import BatchRecord, Records
from schemas.sources import Source, sources
from schemas.timetables import Due

DAYS = timedelta(days=7)


def own_sources(places: Places, bureau: str) -> dict[str, Source]:
    """Give the sources of a bureau that are switched on, by their key."""
    found, _ = sources(places.site_facts if places.site_facts.is_dir() else None)
    return {key: source for key, source in found.items() if source.bureau == bureau and source.enabled}


def own_board(records: Records, own: Mapping[str, Source], now: datetime) -> Board:
    """Give the board of a bureau's sources, of the last week."""
    return board(records, own, china_day(now - DAYS), china_day(now), now)


def open_periods(seen: Board, own: Mapping[str, Source]) -> dict[str, DueState]:
    """Give for each kind of data the period to report next: the last one if it is missing, else the coming one."""
    found: dict[str, DueState] = {}
    for key, source in own.items():
        if not source.dataset or source.timetable is None:
            continue
        last = seen.newest.get(key)
        waits = [due for cell in seen.cells if cell.source == key for due in cell.dues if due.state == "pending"]
        due = last if last is not None and last.state == "missing" else min(waits, key=lambda d: d.at, default=None)
        known = found.get(source.dataset)
        if due is not None and (known is None or due.at < known.at):
            found[source.dataset] = due
    return found


def late_by(batch: BatchRecord, own: Iterable[Source]) -> datetime | None:
    """Give the deadline a delivery missed: that of the newest period it covers, of any timetable for its kind of data.

    A delivery that names no days (a register) cannot be placed by itself; nothing is said of it.
    """
    days = [day for day, (came, _, _) in batch.covers.items() if came]
    if not days:
        return None
    newest = date.fromisoformat(max(days))
    for source in own:
        if source.timetable is not None and source.dataset == batch.dataset:
            at = midnight(newest)
            until = at + timedelta(days=REACH[source.timetable.every] + source.timetable.lag)
            due = next((one for one in expected(source.timetable, at, until) if _holds(one, newest)), None)
            if due is not None and batch.received_at > due.at:
                return due.at
    return None


def _holds(due: Due, day: date) -> bool:
    return due.first <= day <= due.last and due.hour in (None, 23)
