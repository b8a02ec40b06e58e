"""What a sender's values used to be, so that a result a thousand times off its history is noticed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa

from pipelines.publish.reading import CHINA, asking, scan_of
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
    known: datetime | None = None,
    storage_options: dict[str, str] | None = None,
) -> pd.DataFrame:
    """Give the median of each place and parameter in a sender's current rows.

    Parameters
    ----------
    since : optional
        Rows from here on (a naive time is UTC, a date begins in China); by default the last 60 days of what the
        sender has there. Of more than a million rows, every n-th is taken.

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
    if shared is None or not files:
        return _empty().to_pandas()
    kind = "DATE" if table.column(str(clock)).type == "date" else "TIMESTAMPTZ"
    asked = pa.table({"bureau": [bureau], "known": [known.isoformat() if known is not None else None]})
    current = """bureau = (SELECT bureau FROM asked) AND value IS NOT NULL AND CASE
        WHEN (SELECT known FROM asked) IS NULL THEN recorded_until IS NULL
        ELSE recorded_from <= (SELECT known::TIMESTAMPTZ FROM asked)
         AND (recorded_until IS NULL OR recorded_until > (SELECT known::TIMESTAMPTZ FROM asked)) END"""
    with asking(asked=asked) as ask_for:
        rows = f"SELECT * FROM {scan_of(shared, files)} WHERE {current}"
        seen = ask_for(f"SELECT max({clock}) AS newest, count(*) AS rows FROM ({rows})").to_arrow_table().to_pylist()[0]
        if seen["newest"] is None:
            return _empty().to_pandas()
        start = since if since is not None else seen["newest"] - timedelta(days=DAYS)
        step = 1 + seen["rows"] // SAMPLE_ROWS
        answer = ask_for(
            f"""SELECT {place} AS place_id, parameter, median(value) AS median FROM ({rows})
            WHERE {clock} >= '{start.isoformat()}'::{kind} AND source_row % {step} = 0
            GROUP BY 1, 2 ORDER BY 1, 2"""
        ).to_arrow_table()
    return answer.to_pandas()


def _like(since: datetime | date | None, newest: datetime | date | None) -> datetime | date | None:
    """Bring a start to the type of a table's clock."""
    if since is None or newest is None:
        return since
    if isinstance(newest, datetime):
        if isinstance(since, datetime):
            return since if since.tzinfo is not None else since.replace(tzinfo=UTC)
        return datetime(since.year, since.month, since.day, tzinfo=CHINA)
    return since.astimezone(CHINA).date() if isinstance(since, datetime) else since


def _holds(low: str | None, bureau: str, high: str | None) -> bool:
    return low is None or high is None or low <= bureau <= high


def _empty() -> pa.Table:
    return pa.table({"place_id": pa.array([], pa.string()), "parameter": pa.array([], pa.string()),
                     "median": pa.array([], pa.float64())})  # fmt: skip
