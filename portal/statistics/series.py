"""One parameter at one place over time: values as published, what is suspect, and the limit in force on each day.

Of several stages of one result the last one counts (audited before received). A result below the detection limit is
drawn at that limit and said to be below it. Limits come from ``schemas/standards``: each edition for its own days.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pyarrow as pa

from pipelines.batch import Places
from portal.statistics.shared_rows import current_rows
from portal.statistics.slots import CHINA, DAY, midnight
from schemas.limits import Limit, limit_editions, limits

SUSPECT = frozenset({3, 4})
STEPS = {"1h": timedelta(hours=1), "24h": timedelta(hours=24)}
"""After how long the next value of such a mean is due: a longer wait is a gap."""
CATEGORIES = {"air": "class2", "water": "class3"}
"""Which limit is drawn: of a class of the standard, the one most places are held to."""


@dataclass(frozen=True, slots=True)
class Medium:
    """Where results of a medium stand."""

    table: str
    station: str
    name: str
    time: str
    period: str


MEDIA = {
    "air": Medium("air_observation", "station_id", "station_name", "period_start", "averaging_period"),
    "water": Medium("water_result", "section_id", "section_name", "sample_time", "''"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """A series one may choose."""

    medium: str
    bureau: str
    station_id: str
    station_name: str
    parameter: str
    period: str
    unit: str
    newest: datetime


@dataclass(frozen=True, slots=True)
class Point:
    """One value; ``text`` where it is not a plain number, ``value`` is then the limit it lies below or above."""

    at: datetime
    value: float | None
    text: str
    flag: int


@dataclass(frozen=True, slots=True)
class LimitLine:
    """A limit from one day to another, both included."""

    first: date
    last: date
    low: float | None
    high: float | None
    standard: str
    phase: str


@dataclass(frozen=True, slots=True)
class DayRow:
    """One day of a series in numbers."""

    day: date
    count: int
    low: float | None
    mean: float | None
    high: float | None
    suspect: int
    over: int


def lines(places: Places) -> list[Line]:
    """List every series there is in the shared tables, by medium, bureau, place and parameter."""
    found: list[Line] = []
    for medium, where in MEDIA.items():
        with current_rows(places, where.table) as (ask_for, table):
            rows = ask_for(
                f"""SELECT bureau, {where.station}, any_value({where.name}), parameter, {where.period}, any_value(unit),
                           max({where.time}) FROM {table} GROUP BY bureau, {where.station}, parameter, {where.period}
                    ORDER BY ALL"""
            )
        found += [Line(medium, *row) for row in rows]
    return found


def points(places: Places, line: Line, first: date, last: date) -> list[Point]:
    """Give the values of a series on the days ``[first, last]``, in order, each time once."""
    where = MEDIA[line.medium]
    wanted = pa.table(
        {
            "bureau": [line.bureau], "station": [line.station_id], "parameter": [line.parameter],
            "period": [line.period], "opens": pa.array([midnight(first)], pa.timestamp("us", "UTC")),
            "ends": pa.array([midnight(last + DAY)], pa.timestamp("us", "UTC")),
        }
    )  # fmt: skip
    with current_rows(places, where.table, (f"{first:%Y-%m}", f"{last:%Y-%m}"), wanted=wanted) as (ask_for, table):
        rows = ask_for(
            f"""SELECT t.{where.time}, arg_min(struct_pack(v := t.value, q := t.qualifier, d := t.detection_limit,
                       r := t.result_text, f := t.flag), t.stage)
                FROM {table} t JOIN wanted w ON t.bureau = w.bureau AND t.{where.station} = w.station
                  AND t.parameter = w.parameter AND {"t." if where.period != "''" else ""}{where.period} = w.period
                WHERE t.{where.time} >= w.opens AND t.{where.time} < w.ends
                GROUP BY ALL ORDER BY 1"""
        )
    return [_point(at, told) for at, told in rows]


def _point(at: datetime, told: dict[str, object]) -> Point:
    value, limit, sign = told["v"], told["d"], str(told["q"] or "")
    flag = int(str(told["f"]))
    if isinstance(value, float) and math.isfinite(value) and not sign:
        return Point(at, value, "", flag)
    drawn = limit if isinstance(limit, float) and math.isfinite(limit) else None
    text = f"{sign} {drawn:g}" if sign and drawn is not None else str(told["r"] or sign)
    return Point(at, drawn, text, flag)


def with_gaps(found: Iterable[Point], period: str) -> Iterator[Point | None]:
    """Put None where values are lacking, so that no line is drawn across."""
    step, before = STEPS.get(period), None
    for point in found:
        if step is not None and before is not None and point.at - before > step:
            yield None
        before = point.at
        yield point


def limit_lines(line: Line, first: date, last: date) -> list[LimitLine]:
    """Give the limits in force on the days ``[first, last]``, the oldest first."""
    category = CATEGORIES[line.medium]
    found = []
    for edition in limit_editions():
        for limit in limits(edition):
            if _is_for(limit, line) and category in limit.bounds and limit.since <= last:
                until = min(limit.until or last, last)
                if until >= first:
                    bound = limit.bounds[category]
                    low, high = (None if end is None else float(end) for end in (bound.low, bound.high))
                    found.append(LimitLine(max(limit.since, first), until, low, high, edition, limit.phase))
    return sorted(found, key=lambda each: (each.first, each.standard))


def _is_for(limit: Limit, line: Line) -> bool:
    same = limit.parameter == line.parameter and limit.unit == line.unit and not limit.land_use
    if line.medium == "air":
        return same and limit.averaging_period == line.period
    return same and limit.water_body in ("all", "river") and not limit.averaging_period


def days_of(found: Iterable[Point], limits_there: Iterable[LimitLine]) -> list[DayRow]:
    """Sum a series up by day of China, the newest first; suspect values are in the numbers and counted beside."""
    bounds = list(limits_there)
    by_day: dict[date, list[Point]] = {}
    for point in found:
        by_day.setdefault(point.at.astimezone(CHINA).date(), []).append(point)
    return [_day_row(day, by_day[day], bounds) for day in sorted(by_day, reverse=True)]


def _day_row(day: date, here: list[Point], bounds: list[LimitLine]) -> DayRow:
    values = [point.value for point in here if point.value is not None and not point.text]
    return DayRow(
        day=day,
        count=len(here),
        low=min(values, default=None),
        mean=math.fsum(values) / len(values) if values else None,
        high=max(values, default=None),
        suspect=sum(point.flag in SUSPECT for point in here),
        over=sum(_is_over(value, day, bounds) for value in values),
    )


def _is_over(value: float, day: date, bounds: Iterable[LimitLine]) -> bool:
    here = [each for each in bounds if each.first <= day <= each.last]
    return any(
        (each.high is not None and value > each.high) or (each.low is not None and value < each.low) for each in here
    )
