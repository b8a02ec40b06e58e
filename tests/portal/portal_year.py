"""Homes made by hand for the statistics: batches put into the records, observations into the shared table, no road."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pandas as pd

from pipelines.batch import Places
from pipelines.publish.commit import publish_table
from records.store import Records
from schemas.contracts import tables

CHINA = timezone(timedelta(hours=8))
SIX = ("SO2", "NO2", "CO", "O3", "PM10", "PM2.5")
DAY = timedelta(days=1)
TEXTS = ("unit_text", "reference_state", "remark", "result_text")


def china(text: str) -> datetime:
    """An instant written in China time."""
    return datetime.fromisoformat(text).replace(tzinfo=CHINA)


def hours(*chosen: int) -> int:
    """The mask of some hours."""
    return sum(1 << hour for hour in chosen)


@dataclass
class Sent:
    """A delivery as the test wants it on record."""

    bureau: str
    name: str
    at: datetime
    state: str = "published"
    dataset: str | None = "air"
    results: dict[str, int] = field(default_factory=dict)
    covers: dict[str, list[int]] = field(default_factory=dict)
    changes: dict[str, int] = field(default_factory=dict)
    by: str = "somebody"


def put(records: Records, sent: Sent) -> str:
    """Bring a delivery along its states."""
    marked = f"{sent.bureau}{sent.name}{sent.at}".encode().hex()[-64:].rjust(64, "0")
    batch, _ = records.receive(sent.bureau, sent.name, marked, marked, 1, sent.at, sent.by, "rules")
    told = {"results": sent.results, "covers": sent.covers} | ({"dataset": sent.dataset} if sent.dataset else {})
    if sent.state == "refused":
        records.advance(batch.batch_id, "refused", sent.at, error={"code": "tests"}, **told)
        return batch.batch_id
    for state in ("read", "judged"):
        records.advance(batch.batch_id, state, sent.at, **told)
    records.begin_publication(batch.batch_id, sent.at)
    change = {"table": "air_observation", "version": 1, "added": 0, "corrected": 0, "unchanged": 0} | sent.changes
    records.finish_publication(batch.batch_id, [change] if sent.dataset == "air" else [], (), sent.at)
    return batch.batch_id


def observed(
    bureau: str, station: str, starts: Iterable[datetime], parameters: Iterable[str] = SIX, **more: Any
) -> Iterator[dict[str, Any]]:
    """Rows of the air table, every value 20."""
    for start in starts:
        for parameter in parameters:
            yield {
                "bureau": bureau, "station_id": station, "station_name": station, "parameter": parameter,
                "averaging_period": "1h", "period_start": start.astimezone(UTC), "stage": "received", "value": 20.0,
                "unit": "mg/m3" if parameter == "CO" else "ug/m3", "qualifier": "", "detection_limit": None, "flag": 1,
                "batch_id": "b-tests", "source_row": 1, "source_column": "A", **dict.fromkeys(TEXTS, ""),
                "month": f"{start.astimezone(CHINA):%Y-%m}", **more,
            }  # fmt: skip


def publish(places: Places, rows: Iterable[dict[str, Any]], batch_id: str, at: datetime) -> None:
    """Bring rows into the shared table of observations."""
    table = tables()["air_observation"]
    frame = pd.DataFrame(list(rows))
    for column in table.columns:
        if column.type == "string" and column.name in frame:
            frame[column.name] = frame[column.name].astype("category")
    frame["detection_limit"] = frame["detection_limit"].astype("float64")
    frame["flag"] = frame["flag"].astype("int8")
    frame["source_row"] = frame["source_row"].astype("int32")
    publish_table(frame, table, places.tables, batch_id=batch_id, recorded_at=at, lock_dir=places.home / "locks")


def day_hours(day: date, *chosen: int) -> list[datetime]:
    """Starts of hours of a day of China, all of them if none is named."""
    opens = datetime(day.year, day.month, day.day, tzinfo=CHINA)
    return [opens + timedelta(hours=hour) for hour in (chosen or range(24))]
