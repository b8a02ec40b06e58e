"""The map, reckoned: where the drawing puts stations, sections and rivers, and what was measured there last.

Positions are those of ``stations.csv``; a place without coordinates has one of our own schematic drawing and is marked
so. Nothing is fetched: there are no tiles.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from pipelines.batch import Places
from portal.statistics.series import MEDIA
from portal.statistics.shared_rows import current_rows
from schemas.maps import River, View
from schemas.places import Station

WIDTH = 360
MARGIN = 26
NEWEST_WITHIN = timedelta(days=400)
TOWNS = frozenset({"平武", "江油", "绵阳", "三台", "遂宁", "合川", "北碚", "重庆", "南充"})
SHOWN = {"air": ("PM2.5", "PM10", "O3", "NO2", "SO2", "CO"), "water": ("NH3-N", "TP", "CODMn", "DO", "pH")}
"""What is told of a place, in this order; the rest is in the series."""


@dataclass(frozen=True, slots=True)
class Newest:
    """One value as it stands at a place."""

    parameter: str
    at: datetime
    value: float | None
    qualifier: str
    detection_limit: float | None
    unit: str
    flag: int


@dataclass(frozen=True, slots=True)
class Spot:
    """One place with its newest values; without a position it is in the table only."""

    station: Station
    longitude: float | None
    latitude: float | None
    drawn: bool
    """The position is of our drawing, not of a list."""
    newest: tuple[Newest, ...]

    @property
    def at(self) -> datetime | None:
        """Time of the newest value."""
        return max((one.at for one in self.newest), default=None)


@dataclass(frozen=True, slots=True)
class Mark:
    """A spot on a sheet, and where its name stands."""

    spot: Spot
    x: float
    y: float
    label_x: float
    label_y: float
    anchor: str


@dataclass(frozen=True, slots=True)
class Stream:
    """A river on a sheet; the name stands at ``x``, ``y`` (none: it does not meet the sheet)."""

    river: River
    points: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Town:
    """A place for orientation, and where its name stands."""

    x: float
    y: float
    name: str
    label_x: float
    anchor: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """One drawing; all numbers are those of its own grid."""

    view: View
    width: int
    height: int
    marks: tuple[Mark, ...]
    streams: tuple[Stream, ...]
    towns: tuple[Town, ...]
    """Places for orientation whose names have room."""


@dataclass(frozen=True, slots=True)
class Box:
    """Room taken on a sheet."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box) -> bool:
        """Whether both want the same room."""
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )


def spots(
    places: Places,
    known: Sequence[Station],
    drawn: Mapping[tuple[str, str], tuple[float, float]],
    now: datetime,
) -> list[Spot]:
    """Give every air station and river section that stands today, with its newest values."""
    today: date = now.date()
    values = newest(places, now)
    found = []
    for station in known:
        if station.medium not in SHOWN or (station.until is not None and station.until < today):
            continue
        at = drawn.get((station.bureau, station.station_id))
        listed = station.longitude is not None and station.latitude is not None
        longitude, latitude = (station.longitude, station.latitude) if listed else at or (None, None)
        told = values.get((station.bureau, station.station_id), ())
        found.append(Spot(station, longitude, latitude, not listed and at is not None, _chosen(station.medium, told)))
    return found


def newest(places: Places, now: datetime) -> dict[tuple[str, str], list[Newest]]:
    """Read the newest result of each parameter at each place, hourly means of the air."""
    months = (f"{now - NEWEST_WITHIN:%Y-%m}", f"{now + timedelta(days=1):%Y-%m}")
    found: dict[tuple[str, str], list[Newest]] = {}
    for medium, where in MEDIA.items():
        hourly = "WHERE averaging_period = '1h'" if medium == "air" else ""
        with current_rows(places, where.table, months) as (ask_for, table):
            rows = ask_for(
                f"""SELECT bureau, {where.station}, parameter, max({where.time}),
                    arg_max(struct_pack(v := value, q := qualifier, d := detection_limit, u := unit, f := flag), {where.time})
                    FROM {table} {hourly} GROUP BY bureau, {where.station}, parameter ORDER BY ALL"""
            )
        for bureau, station, parameter, at, told in rows:
            one = Newest(parameter, at, told["v"], told["q"] or "", told["d"], told["u"], int(told["f"]))
            found.setdefault((bureau, station), []).append(one)
    return found


def _chosen(medium: str, told: Sequence[Newest]) -> tuple[Newest, ...]:
    by_name = {one.parameter: one for one in told}
    return tuple(by_name[name] for name in SHOWN[medium] if name in by_name)


def sheet(view: View, found: Sequence[Spot], rivers: Sequence[River]) -> Sheet:
    """Lay a view out; a degree of longitude is drawn as long as it is at this latitude."""
    scale = (WIDTH - 2 * MARGIN) / (view.east - view.west)
    stretch = 1 / math.cos(math.radians((view.north + view.south) / 2))
    height = round((view.north - view.south) * scale * stretch) + 2 * MARGIN

    def place(longitude: float, latitude: float) -> tuple[float, float]:
        x = MARGIN + (longitude - view.west) * scale
        y = MARGIN + (view.north - latitude) * scale * stretch
        return round(x, 1), round(y, 1)

    inside = [spot for spot in found if _inside(spot, view)]
    placed = [(spot, *place(spot.longitude or 0, spot.latitude or 0)) for spot in inside]
    taken = [Box(x - 8, y - 8, x + 8, y + 8) for _, x, y in placed]
    marks = tuple(_mark(spot, x, y, taken) for spot, x, y in placed)
    streams: list[Stream] = []
    towns: list[Town] = []
    named: set[str] = set()
    for river in rivers:
        line = [place(longitude, latitude) for longitude, latitude, _ in river.points]
        x, y = _name_of_river(line, height, taken)
        streams.append(Stream(river, " ".join(f"{a},{b}" for a, b in line), x, y))
    for river in rivers if not view.bureau else ():
        for longitude, latitude, near in river.points:
            x, y = place(longitude, latitude)
            wide = 12.0 * len(near)
            for side, left in (("start", x + 6), ("end", x - 6 - wide)):
                box = Box(left, y - 13, left + wide, y + 4)
                if near in TOWNS and near not in named and not any(box.meets(one) for one in taken):
                    taken.append(box)
                    named.add(near)
                    towns.append(Town(x, y, near, left if side == "start" else left + wide, side))
    return Sheet(view, WIDTH, height, marks, tuple(streams), tuple(towns))


def _inside(spot: Spot, view: View) -> bool:
    if spot.longitude is None or spot.latitude is None or (view.bureau and spot.station.bureau != view.bureau):
        return False
    if not view.bureau and spot.station.medium != "water":
        return False  # the air stations of a town would lie on one another: they have sheets of their own
    return view.west <= spot.longitude <= view.east and view.south <= spot.latitude <= view.north


def _mark(spot: Spot, x: float, y: float, taken: list[Box]) -> Mark:
    """Put a name where there is room: right, left, below or above; where there is none, to the right."""
    wide = max(13 * min(len(spot.station.name_zh), 8), 84 if spot.newest else 0)
    tall = 32 if spot.newest else 17
    places = [("start", x + 11, y - 9), ("end", x - 11 - wide, y - 9)]
    places += [("start", x - wide / 2, y + 8), ("start", x - wide / 2, y - 10 - tall)]
    places += [
        ("start", x + 11, y + 2),
        ("end", x - 11 - wide, y + 2),
        ("start", x + 11, y - 24),
        ("end", x - 11 - wide, y - 24),
    ]
    boxes = [(side, Box(left, top, left + wide, top + tall)) for side, left, top in places]
    free = [
        (side, box)
        for side, box in boxes
        if box.left >= 0 and box.right <= WIDTH and not any(box.meets(one) for one in taken)
    ]
    side, box = (free or boxes)[0]
    taken.append(box)
    at = box.left if side == "start" else box.right
    return Mark(spot, x, y, round(at, 1), round(box.top + 13, 1), side)


def _name_of_river(line: Sequence[tuple[float, float]], height: int, taken: list[Box]) -> tuple[float, float]:
    """Find room for the name along the line, from its middle outwards; far off the sheet where there is none."""
    seen = []
    for (x1, y1), (x2, y2) in zip(line[:-1], line[1:], strict=True):
        for part in range(1, 20):
            x, y = x1 + (x2 - x1) * part / 20, y1 + (y2 - y1) * part / 20
            if 12 < x < WIDTH - 70 and 24 < y < height - 12:
                seen.append((round(x, 1), round(y, 1)))
    middle = len(seen) // 2
    for number in sorted(range(len(seen)), key=lambda n: abs(n - middle)):
        x, y = seen[number]
        box = Box(x + 6, y - 14, x + 58, y + 5)
        if not any(box.meets(one) for one in taken):
            taken.append(box)
            return x, y
    return -999.0, -999.0
