"""Rows of the shared tables as the judge hands them over: text as categoricals, times naive UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.publish import Committed, publish_table
from schemas.contracts import Table, tables

AIR = tables()["air_observation"]
WATER = tables()["water_result"]
CREDIT = tables()["credit_rating"]
T0 = datetime(2026, 4, 20, tzinfo=UTC)
_RECORD_TIME = ("recorded_from", "recorded_until")
_USUAL = {
    "bureau": "beibei",
    "parameter": "PM2.5",
    "averaging_period": "1h",
    "stage": "received",
    "unit": "ug/m3",
    "flag": 1,
    "source_row": 2,
    "source_column": "D",
}


def frame_of(table: Table, rows: list[dict[str, object]], batch_id: str = "b1") -> pd.DataFrame:
    """Make a frame in the shape of a contract; what a row does not say is blank or missing."""
    columns: dict[str, object] = {}
    for column in table.columns:
        if column.name in _RECORD_TIME:
            continue
        values = [row.get(column.name, _USUAL.get(column.name)) for row in rows]
        if column.name == "batch_id":
            values = [batch_id] * len(rows)
        if column.type == "string":
            words = ["" if value is None else str(value) for value in values]
            columns[column.name] = pd.Categorical(words, categories=pd.Index(sorted(set(words)), dtype="str"))
        elif column.type == "timestamp":
            columns[column.name] = np.array(values, dtype="datetime64[us]")
        elif column.type == "date":
            columns[column.name] = np.array(values, dtype="datetime64[s]")
        elif column.type == "float64":
            columns[column.name] = np.array([np.nan if v is None else v for v in values], dtype=np.float64)
        else:
            columns[column.name] = np.array(values, dtype=column.type)
    return pd.DataFrame(columns)


def air(station: str, hour: int, value: float | None, **more: object) -> dict[str, object]:
    """One hour of air, counted from 2026-04-01 00:00 China Standard Time."""
    start = datetime(2026, 3, 31, 16) + timedelta(hours=hour)
    month = f"{start + timedelta(hours=8):%Y-%m}"
    return {
        "station_id": station, "period_start": start, "value": value, "result_text": "" if value is None else f"{value:g}", "month": month, **more
    }  # fmt: skip


def publish(
    root: Path | str,
    rows: list[dict[str, object]],
    batch_id: str,
    at: int = 0,
    table: Table = AIR,
    lock: Path | None = None,
) -> Committed:
    """Publish rows ``at`` minutes after T0."""
    return publish_table(
        frame_of(table, rows, batch_id),
        table,
        str(root),
        batch_id=batch_id,
        recorded_at=T0 + timedelta(minutes=at),
        lock_dir=lock or Path(str(root).removeprefix("file://")).parent / "locks",
    )
