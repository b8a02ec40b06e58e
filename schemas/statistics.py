"""What is counted: each figure with its definition, and which slots are due, as ``statistics.csv`` and ``due_slots.csv`` say.

The figures are computed in ``portal/statistics``; what a reader finds under ⓘ is the text of this file, so that the two
are changed together.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from schemas.files import SCHEMAS, once, read_rows
from schemas.places import STATION_KINDS
from schemas.quantities import MEDIA, parameters

UNITS = ("percent", "hours")
AVERAGING = ("1h",)


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: its names, what stands above and below the line, and into which month it counts."""

    figure: str
    unit: str
    title_zh: str
    title_en: str
    numerator_zh: str
    numerator_en: str
    denominator_zh: str
    denominator_en: str
    counted_zh: str
    counted_en: str
    note_zh: str
    note_en: str
    source: str


@dataclass(frozen=True, slots=True)
class DueSlots:
    """Slots due of one parameter at every station of these kinds; ``hours_a_day`` of them a day."""

    dataset: str
    medium: str
    parameter: str
    averaging_period: str
    hours_a_day: int
    kinds: tuple[str, ...]
    source: str


@once
def figures(root: Path = SCHEMAS) -> dict[str, Figure]:
    """Read ``vocabularies/statistics.csv``: figure → its definition, in the order they are shown."""
    columns = tuple(each.name for each in fields(Figure))
    found: dict[str, Figure] = {}
    for row in read_rows(root / "vocabularies" / "statistics.csv", columns):
        row.one_of("unit", UNITS)
        if row["figure"] in found:
            raise row.fail(f"figure {row['figure']!r} stands twice")
        found[row.need("figure")] = Figure(**{name: row.need(name) for name in columns})
    return found


@once
def due_slots(root: Path = SCHEMAS) -> tuple[DueSlots, ...]:
    """Read ``vocabularies/due_slots.csv``."""
    columns = tuple(each.name for each in fields(DueSlots))
    found = []
    for row in read_rows(root / "vocabularies" / "due_slots.csv", columns):
        if row["parameter"] not in parameters(root):
            raise row.fail(f"unknown parameter {row['parameter']!r}")
        row.one_of("medium", tuple(MEDIA))
        row.one_of("averaging_period", AVERAGING)
        kinds = row.many("kinds")
        if not kinds or set(kinds) - set(STATION_KINDS):
            raise row.fail(f"kinds {row['kinds']!r} are not among {', '.join(STATION_KINDS)}")
        hours = row.number("hours_a_day")
        if hours is None or hours != int(hours) or not 1 <= hours <= 24:
            raise row.fail(f"hours_a_day {row['hours_a_day']!r} is no whole number from 1 to 24")
        found.append(
            DueSlots(
                row.need("dataset"), row["medium"], row["parameter"], row["averaging_period"], int(hours), kinds,
                row.need("source"),
            )
        )  # fmt: skip
    return tuple(found)
