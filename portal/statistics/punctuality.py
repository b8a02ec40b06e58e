"""What was due and came in time: the timetables of the sources, held against what was accepted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import cast

from pipelines.awaited import DueState, expected, follow
from records.statistics import Delivery
from records.store import BatchRecord
from schemas.sources import Source

NIGHT = "night:"


@dataclass(frozen=True, slots=True)
class Due:
    """One period of one source whose deadline is past."""

    bureau: str
    dataset: str
    source: str
    period: str
    deadline: datetime
    in_time: bool


def past_dues(
    found: Mapping[str, Source],
    deliveries: Sequence[Delivery],
    begun: Mapping[str, datetime],
    since: datetime,
    now: datetime,
) -> Iterator[Due]:
    """Say of each period with a deadline in ``[since, now]`` whether something accepted came for it in time.

    ``begun`` tells when a bureau handed something in for the first time: deadlines before are not held against it.
    """
    accepted = [one for one in map(_accepted, deliveries) if one is not None]
    for key, source in found.items():
        if source.timetable is None or not source.enabled:
            continue
        first = max(since, begun.get(source.bureau, since))
        own = [one for one in accepted if _brings(one, source, found)]
        for state in _states(source, own, since, now):
            if first <= state.at <= now:
                in_time = state.state == "received" and not state.refused
                yield Due(source.bureau, source.dataset or "", key, state.period, state.at, in_time)


def _states(source: Source, own: Iterable[Delivery], since: datetime, now: datetime) -> list[DueState]:
    assert source.timetable is not None
    awaited = expected(source.timetable, since, now)
    # ``follow`` reads nothing of a batch that a delivery has not got
    return follow(awaited, cast(Sequence[BatchRecord], list(own)), now, source.kind)


def _brings(delivery: Delivery, source: Source, found: Mapping[str, Source]) -> bool:
    """Whether a delivery may meet the dues of a source: its own visit brought it, or somebody handed such data in.

    What lay in a folder for all kinds of data was handed in, too.
    """
    if delivery.submitted_by.startswith(NIGHT):
        brought_by = found.get(delivery.submitted_by.removeprefix(NIGHT))
        if brought_by is None or brought_by.dataset is not None:
            return brought_by is not None and brought_by.key == source.key
        if brought_by.key == source.key:
            return True
    return delivery.bureau == source.bureau and bool(source.dataset) and delivery.dataset == source.dataset


def _accepted(delivery: Delivery) -> Delivery | None:
    """Leave of a delivery the days of which something was accepted; None if nothing was."""
    if delivery.state != "published":
        return None
    if not delivery.covers:
        return delivery
    kept = {day: told for day, told in delivery.covers.items() if told[1]}
    return replace(delivery, covers=kept) if kept else None
