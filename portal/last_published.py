"""How high and low a bureau's values were shortly before, to hold a new file against."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import date, timedelta

from pipelines.batch import Places
from pipelines.board import midnight
from schemas.quantities import parameters

BEFORE = {"air": 7, "water": 60, "soil": 800}
"""Days looked back, by kind of data: some deliveries of the usual rhythm."""
_TABLES = {
    "air": ("air_observation", "period_start"),
    "water": ("water_result", "sample_time"),
    "soil": ("soil_result", "sample_date"),
}


def last_ranges(
    places: Places, dataset: str, bureau: str, first: date, asked: Iterable[str]
) -> dict[str, tuple[float, float]]:
    """Give the lowest and highest published value of each parameter in the days before ``first``."""
    from pipelines.publish.reading import query, rows_of

    known = parameters()
    wanted = [name for name in asked if name in known]
    if dataset not in _TABLES or not wanted or not bureau.isidentifier():
        return {}
    table, column = _TABLES[dataset]
    since, until = first - timedelta(days=BEFORE[dataset]), first
    low, high = (
        f"DATE '{day}'" if column == "sample_date" else f"TIMESTAMPTZ '{midnight(day).isoformat()}'" for day in (since, until)
    )  # fmt: skip
    listed = ", ".join(f"'{name}'" for name in wanted)
    found = query(
        f"SELECT parameter, min(value) AS low, max(value) AS high FROM {table} "
        f"WHERE bureau = '{bureau}' AND parameter IN ({listed}) AND {column} >= {low} AND {column} < {high} GROUP BY parameter",
        places.tables,
    )
    return {
        row["parameter"]: (float(row["low"]), float(row["high"]))
        for row in rows_of(found)
        if row["low"] is not None and not math.isnan(float(row["low"]))
    }


def far_off(value: float, low: float, high: float) -> bool:
    """Say whether a value lies further outside a range than the range is wide.

    >>> far_off(30, 10, 20), far_off(31, 10, 20), far_off(-1, 10, 20)
    (False, True, True)
    """
    width = max(high - low, abs(high) * 0.1)
    return value > high + width or value < low - width
