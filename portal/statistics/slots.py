"""Due slots and what came of them: station × parameter × hour, from the shared tables and what was quarantined.

A slot counts once, however often it was sent; it is valid where what stands in the table is flagged as passed. Only
slots that were due are counted: of registered stations while they stood, from the bureau's first day of data to
yesterday. Days are those of China.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.batch import Places
from pipelines.validate.keep import QUARANTINE
from portal.statistics.shared_rows import current_rows
from records.statistics import Delivery
from schemas.places import Station
from schemas.statistics import DueSlots

CHINA = timezone(timedelta(hours=8))
DAY = timedelta(days=1)
INSTANT = pa.timestamp("us", "UTC")
TABLE = "air_observation"
Key = tuple[str, str, str, datetime]
"""Bureau, station, parameter, start of the hour."""


@dataclass(frozen=True, slots=True)
class Span:
    """The days ``[first, last]`` on which slots of a station are due."""

    station: Station
    first: date
    last: date

    def days_in(self, first: date, last: date) -> int:
        """Count its days within others, ends included."""
        return max((min(self.last, last) - max(self.first, first)).days + 1, 0)


@dataclass(frozen=True, slots=True)
class Counted:
    """Slots of one station on one day, or in the hour of it that begins at ``hour``."""

    bureau: str
    station_id: str
    day: date
    hour: int
    received: int
    valid: int
    outside_stops: int
    """Valid slots in hours for which no stop of the station was told."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Hours ``[since, until)`` in which a station stood still with leave, as its bureau told."""

    bureau: str
    dataset: str
    station_id: str
    since: datetime
    until: datetime


def stopped_hours(stops: Iterable[Stop], span: Span, first: date, last: date) -> int:
    """Count the hours of stops of a station on days of its span within ``[first, last]``; hours told twice count once."""
    opens, ends = midnight(max(first, span.first)), midnight(min(last, span.last) + DAY)
    hours: set[datetime] = set()
    for stop in stops:
        if (stop.bureau, stop.station_id) == (span.station.bureau, span.station.station_id):
            at = max(stop.since, opens).replace(minute=0, second=0, microsecond=0)
            while at < min(stop.until, ends):
                if at >= max(stop.since, opens):
                    hours.add(at)
                at += timedelta(hours=1)
    return len(hours)


def first_days(deliveries: Iterable[Delivery], dataset: str) -> dict[str, date]:
    """Give by bureau the first day of which something was accepted."""
    found: dict[str, date] = {}
    for delivery in deliveries:
        if delivery.dataset == dataset and delivery.state == "published":
            for day, told in delivery.covers.items():
                if told[1]:
                    at = date.fromisoformat(day)
                    found[delivery.bureau] = min(found.get(delivery.bureau, at), at)
    return found


def due_spans(
    known: Iterable[Station], due: Sequence[DueSlots], firsts: Mapping[str, date], yesterday: date
) -> list[Span]:
    """Give the days on which slots of registered stations are due."""
    kinds = {(slot.medium, kind) for slot in due for kind in slot.kinds}
    found = []
    for station in known:
        if (station.medium, station.kind) in kinds and station.bureau in firsts:
            first = max(firsts[station.bureau], station.since or date.min)
            last = min(yesterday, station.until or date.max)
            if first <= last:
                found.append(Span(station, first, last))
    return found


def quarantined(places: Places, delivery: Delivery, due: Sequence[DueSlots]) -> frozenset[Key]:
    """Read which due slots a delivery brought in vain."""
    path = places.batches / delivery.batch_id / QUARANTINE
    wanted = {(slot.parameter, slot.averaging_period) for slot in due}
    if not delivery.results.get("quarantined", 0) or not path.is_file():
        return frozenset()
    if "parameter" not in pq.read_schema(path).names:
        return frozenset()
    frame = pq.read_table(path, columns=["key", "parameter", "averaging_period"]).to_pandas()
    found = set()
    for key, parameter, period in frame.drop_duplicates().itertuples(index=False):
        station, _, written = str(key).rpartition(" ")
        if (parameter, period) in wanted and (at := _instant(written)) is not None:
            found.add((delivery.bureau, station, str(parameter), at))
    return frozenset(found)


def _instant(text: str) -> datetime | None:
    """Read the time in the key of a quarantined result; one that could not be read has no slot."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo is not None else None


def count_slots(
    places: Places,
    due: Sequence[DueSlots],
    spans: Sequence[Span],
    lost: Iterable[Key],
    days: tuple[date, date],
    stops: Iterable[Stop] = (),
    *,
    by_hour: bool = False,
) -> list[Counted]:
    """Count the due slots that came and those that are valid, by station and day (or hour) of these days."""
    first, last = days
    spans = [span for span in spans if span.days_in(first, last)]
    if not spans:
        return []
    frames = {
        "due": _due_frame(spans, first, last), "lost": _lost_frame(lost), "wanted": _wanted_frame(due),
        "stops": _stop_frame(stops),
    }  # fmt: skip
    hour = "hour(period_start)" if by_hour else "0"
    with current_rows(places, TABLE, (f"{first:%Y-%m}", f"{last:%Y-%m}"), **frames) as (ask_for, table):
        rows = ask_for(
            f"""WITH came AS (
                SELECT t.bureau, t.station_id, t.parameter, t.period_start, max(CAST(t.flag = 1 AS TINYINT)) AS valid
                FROM {table} t
                JOIN wanted w ON t.parameter = w.parameter AND t.averaging_period = w.averaging_period
                JOIN due d ON t.bureau = d.bureau AND t.station_id = d.station_id
                WHERE t.period_start >= d.opens AND t.period_start < d.ends
                GROUP BY ALL),
            also AS (
                SELECT l.bureau, l.station_id, l.parameter, l.period_start, 0 AS valid FROM lost l
                JOIN due d ON l.bureau = d.bureau AND l.station_id = d.station_id
                ANTI JOIN came c ON l.bureau = c.bureau AND l.station_id = c.station_id
                    AND l.parameter = c.parameter AND l.period_start = c.period_start
                WHERE l.period_start >= d.opens AND l.period_start < d.ends)
            SELECT bureau, station_id, CAST(period_start AS DATE) AS day, {hour} AS hour, count(*),
                   CAST(sum(valid) AS BIGINT), CAST(sum(CASE WHEN stopped THEN 0 ELSE valid END) AS BIGINT)
            FROM (SELECT e.*, EXISTS (SELECT 1 FROM stops s WHERE s.bureau = e.bureau AND s.station_id = e.station_id
                         AND e.period_start >= s.since AND e.period_start < s.until) AS stopped
                  FROM (SELECT * FROM came UNION ALL SELECT * FROM also) e)
            GROUP BY ALL ORDER BY ALL"""
        )
    return [Counted(*row) for row in rows]


def _due_frame(spans: Sequence[Span], first: date, last: date) -> pa.Table:
    return pa.table(
        {
            "bureau": pa.array([span.station.bureau for span in spans], pa.string()),
            "station_id": pa.array([span.station.station_id for span in spans], pa.string()),
            "opens": pa.array([midnight(max(span.first, first)) for span in spans], INSTANT),
            "ends": pa.array([midnight(min(span.last, last) + DAY) for span in spans], INSTANT),
        }
    )


def _lost_frame(lost: Iterable[Key]) -> pa.Table:
    frame = pd.DataFrame(sorted(set(lost)), columns=["bureau", "station_id", "parameter", "period_start"])
    schema = pa.schema(
        [("bureau", pa.string()), ("station_id", pa.string()), ("parameter", pa.string()), ("period_start", INSTANT)]
    )
    return pa.Table.from_pandas(frame, schema=schema, preserve_index=False)


def _stop_frame(stops: Iterable[Stop]) -> pa.Table:
    told = list(stops)
    return pa.table(
        {
            "bureau": pa.array([stop.bureau for stop in told], pa.string()),
            "station_id": pa.array([stop.station_id for stop in told], pa.string()),
            "since": pa.array([stop.since for stop in told], INSTANT),
            "until": pa.array([stop.until for stop in told], INSTANT),
        }
    )


def _wanted_frame(due: Sequence[DueSlots]) -> pa.Table:
    return pa.table(
        {
            "parameter": pa.array([slot.parameter for slot in due], pa.string()),
            "averaging_period": pa.array([slot.averaging_period for slot in due], pa.string()),
        }
    )


def midnight(day: date) -> datetime:
    """Give the instant at which a day of China begins."""
    return datetime.combine(day, time(0), CHINA).astimezone(UTC)
