"""What a sender's values used to be, so that a result a thousand times off its history is noticed."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa

from pipelines.publish.reading import asking, scan_of
from pipelines.publish.store import open_table
from schemas.contracts import Table

if TYPE_CHECKING:
    import pandas as pd

DAYS = 60
SAMPLE_ROWS = 1_000_000


def history_medians(
    table: Table,
    tables_root: str,
    bureau: str,
    since: datetime | date | None = None,
    storage_options: dict[str, str] | None = None,
) -> pd.DataFrame:
    """Give the median of each place and parameter in a sender's current rows.

    Parameters
    ----------
    since : optional
        Rows from here on; by default the last 60 days of what the sender has there. Of more than a million rows,
        every n-th is taken.

    Returns
    -------
    DataFrame, shape (n, 3)
        ``place_id``, ``parameter``, ``median`` in the canonical unit; empty where nothing is known.
    """
    shared = open_table(table, tables_root, storage_options)
    clock = next((c.name for c in table.columns if c.name in table.key and c.type in ("timestamp", "date")), None)
    place = next((name for name in table.names if name in ("station_id", "section_id", "point_id")), None)
    files = []
    if shared is not None and clock and place and "value" in table.names:
        files = [f for f in shared.files if _holds(f.low.get("bureau"), bureau, f.high.get("bureau"))]
        newest = max((f.high[clock] for f in files if f.high.get(clock) is not None), default=None)
        if since is None and newest is not None:
            since = newest - timedelta(days=DAYS)
        files = [f for f in files if since is None or f.high.get(clock) is None or f.high[clock] >= since]
    if shared is None or not files:
        return _empty().to_pandas()
    step = 1 + sum(file.rows for file in files) // SAMPLE_ROWS
    kind = "DATE" if table.column(str(clock)).type == "date" else "TIMESTAMPTZ"
    asked = pa.table({"bureau": [bureau], "since": [since.isoformat() if since is not None else None]})
    with asking(asked=asked) as ask_for:
        answer = ask_for(
            f"""SELECT {place} AS place_id, parameter, median(value) AS median FROM {scan_of(shared, files)}
            WHERE bureau = (SELECT bureau FROM asked) AND {clock} >= (SELECT since::{kind} FROM asked)
              AND recorded_until IS NULL AND value IS NOT NULL AND source_row % {step} = 0
            GROUP BY 1, 2 ORDER BY 1, 2"""
        ).to_arrow_table()
    return answer.to_pandas()


def _holds(low: str | None, bureau: str, high: str | None) -> bool:
    return low is None or high is None or low <= bureau <= high


def _empty() -> pa.Table:
    return pa.table({"place_id": pa.array([], pa.string()), "parameter": pa.array([], pa.string()),
                     "median": pa.array([], pa.float64())})  # fmt: skip
