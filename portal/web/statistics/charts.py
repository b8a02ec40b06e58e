"""Charts laid out on the server: where bars, lines and cells stand on the grid of an SVG; templates only write it down."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from portal.statistics.series import SUSPECT, LimitLine, Point, with_gaps
from portal.statistics.slots import CHINA, DAY, midnight

LEFT, RIGHT, TOP, BOTTOM = 52, 14, 16, 34
MOST_DRAWN = 1440
"""Values drawn of a longer series: of each stretch the lowest and the highest."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on an axis with its words."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar; ``kind`` numbers the series, which are told apart by filling, not by colour alone."""

    x: float
    y: float
    width: float
    height: float
    kind: int
    title: str


@dataclass(frozen=True, slots=True)
class Bars:
    """Groups of bars side by side."""

    width: int
    height: int
    bars: tuple[Bar, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class Dot:
    """A mark on a line."""

    x: float
    y: float
    title: str


@dataclass(frozen=True, slots=True)
class LimitStroke:
    """A limit while it was in force."""

    x1: float
    x2: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Curve:
    """A series over time; a gap in the data is a gap between ``lines``."""

    width: int
    height: int
    lines: tuple[str, ...]
    suspects: tuple[Dot, ...]
    censored: tuple[Dot, ...]
    limits: tuple[LimitStroke, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]


def steps(highest: float, count: int = 4) -> list[float]:
    """Give round numbers from 0 to at least the highest.

    >>> steps(0.9), steps(135), steps(0)
    ([0.0, 0.25, 0.5, 0.75, 1.0], [0.0, 50.0, 100.0, 150.0], [0.0, 1.0])
    """
    if highest <= 0:
        return [0.0, 1.0]
    rough = highest / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    return [round(step * n, 12) for n in range(math.ceil(highest / step - 1e-9) + 1)]


def bars(
    groups: Sequence[str], series: Sequence[Sequence[float | None]], titles: Sequence[Sequence[str]], *,
    top: float | None = None, width: int = 720, height: int = 240, percent: bool = False,
) -> Bars:  # fmt: skip
    """Lay groups of bars out; a value that is None has no bar."""
    values = [value for one in series for value in one if value is not None]
    levels = steps(top if top is not None else max(values, default=1.0))
    room, tall = (width - LEFT - RIGHT) / max(len(groups), 1), height - TOP - BOTTOM
    wide = min(room * 0.76 / max(len(series), 1), 44)
    made = []
    for kind, one in enumerate(series):
        for number, value in enumerate(one):
            if value is not None:
                long = tall * value / levels[-1]
                x = LEFT + room * (number + 0.5) + wide * (kind - len(series) / 2)
                made.append(
                    Bar(_r(x), _r(TOP + tall - long), _r(wide * 0.92), _r(max(long, 1)), kind % 3, titles[kind][number])
                )
    across = tuple(Tick(_r(LEFT + room * (n + 0.5)), text) for n, text in enumerate(groups))
    up = tuple(Tick(_r(TOP + tall * (1 - level / levels[-1])), _level(level, percent)) for level in levels)
    return Bars(width, height, tuple(made), across, up)


def curve(
    found: Sequence[Point], limits: Sequence[LimitLine], period: str, days: tuple[date, date], words: Sequence[str],
    width: int = 760, height: int = 280,
) -> Curve:  # fmt: skip
    """Lay a series out; ``words`` say *suspect* and *below the detection limit*."""
    opens, ends = midnight(days[0]), midnight(days[1] + DAY)
    bounds = [end for limit in limits for end in (limit.low, limit.high) if end is not None]
    values = [point.value for point in found if point.value is not None]
    levels = steps(max([*values, *bounds], default=1.0))
    tall, long = height - TOP - BOTTOM, width - LEFT - RIGHT

    def x(at: datetime) -> float:
        return _r(LEFT + long * ((at - opens) / (ends - opens)))

    def y(value: float) -> float:
        return _r(TOP + tall * (1 - value / levels[-1]))

    def dots(chosen: Iterable[Point], word: str) -> tuple[Dot, ...]:
        return tuple(
            Dot(
                x(one.at), y(one.value), f"{one.at.astimezone(CHINA):%m-%d %H:%M} {one.text or f'{one.value:g}'} {word}"
            )
            for one in chosen
            if one.value is not None
        )

    strokes = tuple(
        LimitStroke(x(midnight(limit.first)), x(midnight(limit.last + DAY)), y(end), f"{limit.standard} {end:g}")
        for limit in limits
        for end in (limit.low, limit.high)
        if end is not None
    )
    return Curve(
        width, height,
        lines=tuple(" ".join(f"{x(p.at)},{y(p.value or 0)}" for p in part) for part in _parts(found, period)),
        suspects=dots((one for one in found if one.flag in SUSPECT), words[0]),
        censored=dots((one for one in found if one.text), words[1]),
        limits=strokes,
        across=tuple(Tick(x(midnight(day)), f"{day:%m-%d}") for day in _some_days(*days)),
        up=tuple(Tick(y(level), f"{level:g}") for level in levels),
    )  # fmt: skip


def _parts(found: Sequence[Point], period: str) -> list[list[Point]]:
    """Cut a series at its gaps; a stretch of one value stays, as a dot of its line."""
    parts: list[list[Point]] = [[]]
    for point in with_gaps(found, period):
        if point is None or point.value is None:
            parts.append([])
        else:
            parts[-1].append(point)
    return [_thinned(part, len(found)) for part in parts if part]


def _thinned(part: list[Point], all_of_them: int) -> list[Point]:
    """Keep of each stretch of a long series its lowest and its highest value."""
    stretch = 2 * math.ceil(all_of_them / MOST_DRAWN)
    if stretch <= 2:
        return part
    kept = []
    for start in range(0, len(part), stretch):
        piece = part[start : start + stretch]
        ends = {id(one): one for one in (min(piece, key=_height), max(piece, key=_height))}
        kept += sorted(ends.values(), key=lambda one: one.at)
    return kept


def _height(point: Point) -> float:
    return point.value or 0.0


def _some_days(first: date, last: date) -> list[date]:
    """Choose at most eight days for an axis."""
    step = max(1, math.ceil(((last - first).days + 1) / 8))
    return [first + n * timedelta(days=step) for n in range(((last - first).days) // step + 1)]


def _level(level: float, percent: bool) -> str:
    return f"{level * 100:g}%" if percent else f"{level:g}"


def _r(value: float) -> float:
    return round(value, 1)
