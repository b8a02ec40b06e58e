"""完整率: which slots came and are valid, a cell for each station and day, or for each day and hour of one station."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from starlette.responses import Response

from portal.statistics.figures import Ground, months_back, span_of
from portal.statistics.slots import CHINA, DAY, Counted, Span, count_slots, due_spans, first_days, midnight
from portal.web.asking import Ask
from portal.web.pages import page
from portal.web.statistics.overview import almanac, bureau_names
from schemas.statistics import DueSlots

MONTHS = 12
DATASET = "air"
LEFT, CELL_HEIGHT, CELL_WIDTH, TOP = 128, 26, 20, 22


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: how many slots are due, came and are valid; drawn as high as the share that is valid."""

    x: float
    y: float
    due: int
    received: int
    valid: int
    title: str

    @property
    def share(self) -> float:
        """The part that is valid."""
        return self.valid / self.due if self.due else 0.0

    @property
    def height(self) -> float:
        """How high it is drawn: a little can be seen, and so can a little that is lacking."""
        full = CELL_HEIGHT - 2
        return full if self.share == 1 else round(min(max(self.share * full, 2.0), full - 5), 1)

    @property
    def tone(self) -> str:
        """A word for its colour."""
        return "none" if not self.valid else "low" if self.share < 0.75 else "most" if self.share < 1 else "all"


@dataclass(frozen=True, slots=True)
class Strip:
    """Rows of cells with their names."""

    width: int
    height: int
    rows: tuple[tuple[str, str, float, tuple[Cell, ...]], ...]
    """Name, address behind it, place on the grid, cells."""
    columns: tuple[tuple[float, str], ...]


def completeness(ask: Ask) -> Response:
    """Show one month of one bureau."""
    months = months_back(ask.at, MONTHS)
    month = ask.query.get("month", "")
    month = month if month in months else months[-1]
    yesterday = ask.at.astimezone(CHINA).date() - DAY
    book = ask.site.once(almanac)
    ground = book.ground(midnight(span_of(months[0])[0]), ask.at)
    due = [slot for slot in ground.due if slot.dataset == DATASET]
    spans = due_spans(ground.stations, due, first_days(ground.deliveries, DATASET), yesterday)
    names = bureau_names(ask, {span.station.bureau for span in spans})
    bureau = ask.query.get("bureau", "")
    bureau = bureau if bureau in names else next(iter(names), "")
    own = [span for span in spans if span.station.bureau == bureau and span.days_in(*span_of(month))]
    station = next((span for span in own if span.station.station_id == ask.query.get("station", "")), None)
    drawn = _hours(ask, ground, due, station, month) if station else _days(ask, ground, due, own, month)
    return page(
        ask, "statistics/completeness.html",
        months=months, month=month, names=names, whose=bureau, station=station, strip=drawn,
        parameters=[slot.parameter for slot in due], cell_height=CELL_HEIGHT, cell_width=CELL_WIDTH, left=LEFT,
    )  # fmt: skip


def _days(ask: Ask, ground: Ground, due: Sequence[DueSlots], own: Sequence[Span], month: str) -> Strip:
    first, last = span_of(month)
    counted = {(one.station_id, one.day): one for one in _count(ground, due, own, month)}
    days = [first + n * DAY for n in range((last - first).days + 1)]
    rows = []
    for number, span in enumerate(own):
        a_day = sum(slot.hours_a_day for slot in due if span.station.kind in slot.kinds)
        there = {day: counted.get((span.station.station_id, day)) for day in days if span.first <= day <= span.last}
        cells = _cells({day.day - 1: (f"{day:%m-%d}", one) for day, one in there.items()}, a_day, number)
        link = f"?bureau={span.station.bureau}&month={month}&station={span.station.station_id}"
        rows.append((span.station.name_zh, link, float(TOP + number * CELL_HEIGHT), cells))
    columns = tuple((LEFT + (n + 0.5) * CELL_WIDTH, f"{day.day}") for n, day in enumerate(days))
    return Strip(LEFT + len(days) * CELL_WIDTH + 4, TOP + len(rows) * CELL_HEIGHT + 4, tuple(rows), columns)


def _hours(ask: Ask, ground: Ground, due: Sequence[DueSlots], span: Span, month: str) -> Strip:
    first, last = span_of(month)
    counted = {(one.day, one.hour): one for one in _count(ground, due, [span], month, by_hour=True)}
    a_slot = len([slot for slot in due if span.station.kind in slot.kinds])
    days = [first + n * DAY for n in range((last - first).days + 1)]
    rows = []
    for number, day in enumerate(day for day in days if span.first <= day <= span.last):
        hours = {hour: (f"{day:%m-%d} {hour:02}:00", counted.get((day, hour))) for hour in range(24)}
        rows.append((f"{day:%m-%d}", "", float(TOP + number * CELL_HEIGHT), _cells(hours, a_slot, number)))
    columns = tuple((LEFT + (hour + 0.5) * CELL_WIDTH, f"{hour}") for hour in range(24))
    return Strip(LEFT + 24 * CELL_WIDTH + 4, TOP + len(rows) * CELL_HEIGHT + 4, tuple(rows), columns)


def _cells(there: Mapping[int, tuple[str, Counted | None]], due: int, number: int) -> tuple[Cell, ...]:
    made = []
    for column, (title, one) in there.items():
        received, valid = (one.received, one.valid) if one else (0, 0)
        x, y = LEFT + column * CELL_WIDTH, TOP + number * CELL_HEIGHT
        made.append(Cell(x, y, due, received, valid, f"{title} {valid}/{due}"))
    return tuple(made)


def _count(
    ground: Ground, due: Sequence[DueSlots], spans: Sequence[Span], month: str, *, by_hour: bool = False
) -> list[Counted]:
    days: tuple[date, date] = span_of(month)
    return count_slots(ground.places, due, spans, ground.lost, days, by_hour=by_hour)
