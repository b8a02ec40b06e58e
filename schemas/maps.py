"""The schematic map: lines of rivers, places without coordinates, and what is shown of it. Our own drawing, not surveyed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from schemas.files import SCHEMAS, Row, once, read_rows


@dataclass(frozen=True, slots=True)
class River:
    """A line from the source downwards; ``points`` are longitude, latitude and the place they lie near."""

    river: str
    name_zh: str
    name_en: str
    points: tuple[tuple[float, float, str], ...]


@dataclass(frozen=True, slots=True)
class View:
    """A part of the map; a blank bureau is all of them."""

    view: str
    title_zh: str
    title_en: str
    bureau: str
    west: float
    east: float
    south: float
    north: float


def _degrees(row: Row, name: str, most: float) -> float:
    found = row.number(name)
    if found is None or abs(found) > most:
        raise row.fail(f"{name} {row[name]!r} is no number of degrees")
    return found


@once
def rivers(root: Path = SCHEMAS) -> tuple[River, ...]:
    """Read ``maps/rivers.csv``, points in the order of the river."""
    columns = ("river", "name_zh", "name_en", "order", "longitude", "latitude", "near", "source")
    found: dict[str, River] = {}
    for row in read_rows(root / "maps" / "rivers.csv", columns):
        point = (_degrees(row, "longitude", 180), _degrees(row, "latitude", 90), row["near"])
        before = found.get(row.need("river"))
        points = (*(before.points if before else ()), point)
        if row["order"] != str(len(points)):
            raise row.fail(f"order {row['order']!r} should be {len(points)}")
        row.need("source")
        found[row["river"]] = River(row["river"], row.need("name_zh"), row.need("name_en"), points)
    return tuple(found.values())


@once
def positions(root: Path = SCHEMAS) -> dict[tuple[str, str], tuple[float, float]]:
    """Read ``maps/positions.csv``: where the drawing puts places that have no coordinates, by bureau and code."""
    found = {}
    for row in read_rows(root / "maps" / "positions.csv", ("bureau", "station_id", "longitude", "latitude", "source")):
        row.need("source")
        key = (row.need("bureau"), row.need("station_id"))
        if key in found:
            raise row.fail(f"{key[1]!r} stands twice")
        found[key] = (_degrees(row, "longitude", 180), _degrees(row, "latitude", 90))
    return found


@once
def views(root: Path = SCHEMAS) -> tuple[View, ...]:
    """Read ``maps/views.csv``."""
    columns = ("view", "title_zh", "title_en", "bureau", "west", "east", "south", "north", "source")
    found = []
    for row in read_rows(root / "maps" / "views.csv", columns):
        row.need("source")
        west, east = _degrees(row, "west", 180), _degrees(row, "east", 180)
        south, north = _degrees(row, "south", 90), _degrees(row, "north", 90)
        if west >= east or south >= north:
            raise row.fail("west lies not west of east, or south not south of north")
        found.append(
            View(row.need("view"), row.need("title_zh"), row.need("title_en"), row["bureau"], west, east, south, north)
        )
    return tuple(found)
