"""A home for a test, and a plain-Python model of what its shared tables must hold: a dict by key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from generated_files import PARAMETERS, TABLES, Made

from pipelines.batch import Places
from pipelines.publish.reading import query
from pipelines.sync import Road
from pipelines.validate.gate import Gate
from portal.home import make_home
from records.store import Records

Key = tuple[object, ...]
PLACE = {"air": "station_id", "water": "section_id", "soil": "point_id"}
MOMENT = {"air": "period_start", "water": "sample_time", "soil": "sample_date"}
_RESULT = ("value", "qualifier", "detection_limit", "unit", "result_text")
KEYS = {
    "air": ("station_id", "period_start", "parameter"),
    "water": ("section_id", "sample_time", "parameter"),
    "soil": ("point_id", "sample_date", "depth_from_cm", "depth_to_cm", "parameter"),
    "credit": ("subject", "rated_year"),
    "penalty": ("subject", "decision_number"),
}
CONTENTS = {
    **dict.fromkeys(PARAMETERS, _RESULT),
    "credit": ("enterprise_name", "uscc", "rated_year", "level_text", "score", "published_date"),
    "penalty": (
        "party_name", "uscc", "decision_number", "violation", "fine_yuan", "decision_date", "repair_state",
    ),
}  # fmt: skip


class OpenGate(Gate):
    """A gate that lets everything pass and starts no process: for runs that ask about something else."""

    def start(self) -> None:
        pass

    def run(self, *_: object, **__: object) -> Any:
        return None


def let_pass(road: Road) -> None:
    """Put an open gate into a road."""
    road.gate = OpenGate(road.places.docs)


@contextmanager
def home_at(
    home: Path,
    database_url: str,
    now: datetime | Callable[[], datetime],
    *,
    gate: bool = False,
    records: str | None = "new",
) -> Iterator[Road]:
    """Make a home and open a road in it; without ``gate`` the gate stands open, without ``records`` it keeps nothing."""
    places = Places(home, database_url, str(home / "tables"))
    clock = now if callable(now) else lambda: now
    if records is None:
        home.mkdir(parents=True)
        with Road(places, clock) as road:
            yield road
        return
    list(make_home(places, clock()))
    with Records.open(database_url) as kept, Road(places, clock, kept, warm=gate) as road:
        if gate:
            road.start(gate=True)
        else:
            let_pass(road)
        yield road


def plain(value: Any) -> Any:
    """Give a value as the truth tells it: no NaN, instants in UTC, days as dates."""
    if value is None or value is pd.NaT or (isinstance(value, float) and value != value):
        return None
    if isinstance(value, pd.Timestamp):
        value = value.to_pydatetime()
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return value


def rows_of(dataset: str, frame: pd.DataFrame) -> list[tuple[Key, Key]]:
    """Give key and content of each row, in the words of the generator."""

    def cells(names: tuple[str, ...]) -> list[tuple[object, ...]]:
        columns = []
        for name in names:
            values = [plain(value) for value in frame[name].tolist()]
            if name == "sample_date":  # the generator tells a day as its midnight in China
                values = [midnight(value) for value in values]
            elif name.endswith("_date"):
                values = [value.date() if isinstance(value, datetime) else value for value in values]
            columns.append(values)
        return list(zip(*columns, strict=True))

    keys = cells(("bureau", *KEYS[dataset]))
    return list(zip(keys, cells(CONTENTS[dataset]), strict=True))


def midnight(day: Any) -> datetime:
    """The instant a day begins in China."""
    from generated_files import CST

    day = day.date() if isinstance(day, datetime) else day
    assert isinstance(day, date)
    return datetime(day.year, day.month, day.day, tzinfo=CST).astimezone(UTC)


class Model:
    """What must be on record: by data set and key, the contents in the order they came."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, Key], list[Key]] = {}
        self.states: list[dict[tuple[str, Key], Key]] = []
        """What is current after each publication."""

    def take(self, made: Made) -> None:
        """Publish a file; one of which nothing goes out changes nothing."""
        dataset = made.delivery.dataset
        for going in made.going.values():
            contents = self.known.setdefault((dataset, going.key), [])
            if not contents or contents[-1] != going.content:
                contents.append(going.content)
        if made.going:
            self.states.append(self.current())

    def current(self) -> dict[tuple[str, Key], Key]:
        """What is current now."""
        return {key: contents[-1] for key, contents in self.known.items()}

    def history(self) -> dict[tuple[str, Key], list[Key]]:
        """What was ever on record under each key, in order."""
        return self.known

    def published(self, road: Road, as_of: datetime | None = None) -> dict[tuple[str, Key], Key]:
        """What the shared tables of a home hold; a key that stands twice fails."""
        found: dict[tuple[str, Key], Key] = {}
        for dataset, table in TABLES.items():
            frame = query(f"SELECT * FROM {table}", road.places.tables, as_of).to_pandas()
            for key, content in rows_of(dataset, frame):
                assert (dataset, key) not in found, f"{table} holds {key} twice"
                found[dataset, key] = content
        return found

    def published_history(self, road: Road) -> dict[tuple[str, Key], list[Key]]:
        """What the shared tables ever held, in the order of record; the record times of a key must join.

        Rows that differ only in what the model does not know (flag, remark) count once.
        """
        found: dict[tuple[str, Key], list[Key]] = {}
        ends: dict[tuple[str, Key], Any] = {}
        for dataset, table in TABLES.items():
            sql = f"SELECT * FROM {table}_history ORDER BY recorded_from"
            frame = query(sql, road.places.tables).to_pandas()
            spans = zip(map(plain, frame["recorded_from"]), map(plain, frame["recorded_until"]), strict=True)
            for (key, content), (since, until) in zip(rows_of(dataset, frame), spans, strict=True):
                place = (dataset, key)
                assert ends.get(place, since) == since, f"{table}: the record of {key} has a gap or an overlap"
                ends[place] = until
                contents = found.setdefault(place, [])
                if not contents or contents[-1] != content:
                    contents.append(content)
        return found
