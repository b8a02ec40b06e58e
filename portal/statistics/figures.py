"""The figures of the statistics page, by bureau, kind of data and month: the one place where they are computed.

Each is kept as what stands above and below the line (:class:`Ratio`), so that months, bureaus and kinds of data may be
added up, and a reader may compute it again. What they mean is said in ``schemas/vocabularies/statistics.csv``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from pipelines.batch import Places
from portal.statistics.punctuality import past_dues
from portal.statistics.slots import (
    CHINA,
    DAY,
    Counted,
    Key,
    Span,
    Stop,
    count_slots,
    due_spans,
    first_days,
    midnight,
    stopped_hours,
)
from portal.statistics.threads import JUDGED, threads
from records.statistics import Delivery
from schemas.places import Station
from schemas.sources import Source
from schemas.statistics import DueSlots

MENDING = "mending"


@dataclass(slots=True)
class Ratio:
    """What stands above and below the line; ``open`` counts uploads that wait to be mended."""

    above: float = 0
    below: float = 0
    open: int = 0

    @property
    def value(self) -> float | None:
        """The figure; None where there is nothing below the line."""
        return self.above / self.below if self.below else None

    def add(self, above: float, below: float) -> None:
        """Count more."""
        self.above += above
        self.below += below


@dataclass(frozen=True, slots=True)
class Place:
    """Where a figure stands: whose, of what, when (``2026-04``)."""

    bureau: str
    dataset: str
    month: str


@dataclass(frozen=True, slots=True)
class Statistics:
    """All figures of some months."""

    months: tuple[str, ...]
    counted_at: datetime
    ratios: Mapping[tuple[Place, str], Ratio]
    deliveries: Mapping[Place, int] = field(default_factory=dict)
    """How many deliveries came, by the month of receipt."""

    def of(self, bureau: str, dataset: str, months: Iterable[str], figure: str) -> Ratio:
        """Add a figure up over months."""
        total = Ratio()
        for month in months:
            found = self.ratios.get((Place(bureau, dataset, month), figure))
            if found is not None:
                total.add(found.above, found.below)
                total.open += found.open
        return total

    def deliveries_in(self, bureau: str, dataset: str, months: Iterable[str]) -> int:
        """Count what was received in some months."""
        return sum(self.deliveries.get(Place(bureau, dataset, month), 0) for month in months)

    def places(self, months: Sequence[str]) -> list[tuple[str, str]]:
        """List bureaus and kinds of data of which there is anything in these months."""
        found = {(place.bureau, place.dataset) for place, _ in self.ratios if place.month in months}
        return sorted(found | {(place.bureau, place.dataset) for place in self.deliveries if place.month in months})


@dataclass(frozen=True, slots=True)
class Ground:
    """What the figures are computed from, all of it given: facts, deliveries, slots quarantined."""

    places: Places
    sources: Mapping[str, Source]
    stations: Sequence[Station]
    due: Sequence[DueSlots]
    deliveries: Sequence[Delivery]
    lost: frozenset[Key]
    begun: Mapping[str, datetime]
    """When each bureau handed something in for the first time."""
    stops: Sequence[Stop] = ()


def months_back(now: datetime, count: int) -> tuple[str, ...]:
    """Name the last months up to the present one, the oldest first.

    >>> months_back(datetime(2026, 2, 1, 1, tzinfo=CHINA), 3)
    ('2025-12', '2026-01', '2026-02')
    """
    today = now.astimezone(CHINA).date()
    number = today.year * 12 + today.month - 1
    return tuple(f"{n // 12:04}-{n % 12 + 1:02}" for n in range(number - count + 1, number + 1))


def month_of(at: datetime) -> str:
    """Name the month of an instant in China."""
    return f"{at.astimezone(CHINA):%Y-%m}"


def span_of(month: str) -> tuple[date, date]:
    """Give the first and the last day of a month."""
    first = date.fromisoformat(f"{month}-01")
    return first, (first + 31 * DAY).replace(day=1) - DAY


def compute(ground: Ground, months: Sequence[str], now: datetime) -> Statistics:
    """Compute every figure of these months, given in order and without a gap."""
    ratios: dict[tuple[Place, str], Ratio] = defaultdict(Ratio)
    first = span_of(months[0])[0]
    for place, figure, above, below in _counts(ground, months, first, now):
        if place.month in months:
            ratios[place, figure].add(above, below)
    for thread in threads(ground.deliveries):
        place = Place(thread.first.bureau, thread.dataset, month_of(thread.first.received_at))
        if place.month in months:
            ratios[place, "first_pass"].add(thread.passed_at_first, 1)
            if not thread.passed_at_first:
                _add_mending(ratios[place, MENDING], thread.first.received_at, thread.mended_at)
    came: dict[Place, int] = defaultdict(int)
    for delivery in ground.deliveries:
        place = Place(delivery.bureau, delivery.dataset, month_of(delivery.received_at))
        came[place] += place.month in months
    return Statistics(tuple(months), now, dict(ratios), {place: n for place, n in came.items() if n})


def _add_mending(ratio: Ratio, sent: datetime, mended: datetime | None) -> None:
    if mended is None:
        ratio.open += 1
    else:
        ratio.add((mended - sent) / timedelta(hours=1), 1)


def _counts(
    ground: Ground, months: Sequence[str], first: date, now: datetime
) -> Iterator[tuple[Place, str, float, float]]:
    """Give everything that counts: where, for which figure, above and below the line."""
    for due in past_dues(ground.sources, ground.deliveries, ground.begun, midnight(first), now):
        yield Place(due.bureau, due.dataset, month_of(due.deadline)), "timely", due.in_time, 1
    by_slot = {slot.dataset for slot in ground.due}
    for dataset in sorted(by_slot):
        yield from _slot_counts(ground, dataset, months, first, now)
    for delivery in ground.deliveries:
        if delivery.dataset and delivery.dataset not in by_slot and delivery.state in JUDGED:
            told = delivery.results
            came = told.get("read", 0) - told.get("repeated", 0)
            valid = told.get("published", 0) - told.get("flagged", 0)
            yield Place(delivery.bureau, delivery.dataset, month_of(delivery.received_at)), "validity", valid, came


def _slot_counts(
    ground: Ground, dataset: str, months: Sequence[str], first: date, now: datetime
) -> Iterator[tuple[Place, str, float, float]]:
    due = [slot for slot in ground.due if slot.dataset == dataset]
    yesterday = now.astimezone(CHINA).date() - DAY
    spans = due_spans(ground.stations, due, first_days(ground.deliveries, dataset), yesterday)
    stops = [stop for stop in ground.stops if stop.dataset == dataset]
    counted = _by_month(count_slots(ground.places, due, spans, ground.lost, (first, yesterday), stops))
    for place, (expected, stopped) in _expected(spans, due, dataset, months, stops).items():
        received, valid, outside = counted.get((place.bureau, place.month), (0, 0, 0))
        yield place, "transmission", received, expected
        yield place, "validity", valid, received
        yield place, "transmission_validity", valid, expected
        yield place, "completeness", outside, expected - stopped


def _by_month(counted: Iterable[Counted]) -> dict[tuple[str, str], tuple[int, int, int]]:
    found: dict[tuple[str, str], tuple[int, int, int]] = {}
    for one in counted:
        key = (one.bureau, f"{one.day:%Y-%m}")
        received, valid, outside = found.get(key, (0, 0, 0))
        found[key] = (received + one.received, valid + one.valid, outside + one.outside_stops)
    return found


def _expected(
    spans: Iterable[Span], due: Sequence[DueSlots], dataset: str, months: Iterable[str], stops: Sequence[Stop]
) -> dict[Place, tuple[int, int]]:
    """Count the slots due, and those of them in stops, by bureau and month."""
    found: dict[Place, tuple[int, int]] = {}
    for span in spans:
        here = [slot for slot in due if span.station.kind in slot.kinds]
        a_day = sum(slot.hours_a_day for slot in here)
        for month in months:
            first, last = span_of(month)
            days = span.days_in(first, last)
            if days:
                place = Place(span.station.bureau, dataset, month)
                expected, stopped = found.get(place, (0, 0))
                hours = stopped_hours(stops, span, first, last)
                found[place] = (expected + days * a_day, stopped + hours * len(here))
    return found
