"""Rows of a shared table for people and programs: chosen, in order, a batch at a time, of one version.

The order is that of the contract (partition, sort columns, key), so that a page after a page of the same version is
one list. A partition is sorted by itself: what a download needs in memory does not grow with the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from typing import Any

import pyarrow as pa

from pipelines.errors import PublishError
from pipelines.publish.datafiles import arrow_schema
from pipelines.publish.reading import CHINA, as_known, asking, scan_of, stamp
from pipelines.publish.store import LiveFile, Shared, damaged_file, open_table
from schemas.contracts import Table
from schemas.export_rules import export_rules

BATCH_ROWS = 65_536
MEMORY = "700MB"


@dataclass(frozen=True, slots=True)
class RowFilter:
    """What is wanted of a table; nothing named means everything. Days are of China, both ends count."""

    bureaus: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """A filter on one table, some of its columns, as on record at a time, of one version."""

    table: Table
    wanted: RowFilter = RowFilter()
    columns: tuple[str, ...] = ()
    as_of: datetime | None = None
    version: int | None = None
    """The newest unless told."""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns given, in the order of the contract."""
        return tuple(name for name in self.table.names if not self.columns or name in self.columns)

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of what is given."""
        whole = arrow_schema(self.table)
        return pa.schema([whole.field(name) for name in self.names])


def check(choice: Choice) -> None:
    """Refuse a column or a filter the table does not have.

    Raises
    ------
    PublishError
        ``unknown-column`` or ``unknown-filter``.
    """
    strange = [name for name in choice.columns if name not in choice.table.names]
    if strange:
        raise PublishError(
            "unknown-column",
            f"数据表 {choice.table.table} 没有列 {'、'.join(strange)[:100]}；有：{'、'.join(choice.table.names)}",
            f"{choice.table.table} has no column {', '.join(strange)[:100]}; it has {', '.join(choice.table.names)}",
        )
    columns = export_rules().filters[choice.table.table]
    wanted = choice.wanted
    asked = {
        "place": bool(wanted.places), "parameter": bool(wanted.parameters), "subject": bool(wanted.subjects),
        "day": wanted.since is not None or wanted.until is not None,
    }  # fmt: skip
    for name, there in asked.items():
        if there and not getattr(columns, name):
            words = {"place": "点位", "parameter": "监测项目", "subject": "统一社会信用代码", "day": "日期"}
            raise PublishError(
                "unknown-filter",
                f"数据表 {choice.table.table} 不能按{words[name]}筛选；请去掉这一条件",
                f"{choice.table.table} cannot be filtered by {name}; leave it out",
            )


def count(choice: Choice, tables_root: str) -> int:
    """Count the rows of a choice."""
    with _opened(choice, tables_root) as (ask, parts):
        return sum(_counted(ask, part) for part in parts)


def batches(
    choice: Choice, tables_root: str, limit: int | None = None, offset: int = 0, newest_first: bool = False
) -> Iterator[pa.RecordBatch]:
    """Give the rows of a choice in order, a batch at a time.

    Parameters
    ----------
    newest_first : bool
        By the day column, the newest first (or by record time where the table has none), instead of the order of the
        contract.
    """
    schema, left = choice.schema, limit
    with _opened(choice, tables_root, newest_first) as (ask, parts):
        for part in parts:
            if left == 0:
                return
            if offset:
                there = _counted(ask, part)
                if there <= offset:
                    offset -= there
                    continue
            bounds = ("" if left is None else f" LIMIT {left}") + (f" OFFSET {offset}" if offset else "")
            offset = 0
            found = ask(f"SELECT {', '.join(choice.names)} {part.source} ORDER BY {part.order}{bounds}")
            for batch in found.to_arrow_reader(BATCH_ROWS):
                if left is not None:
                    left -= batch.num_rows
                yield _as(batch, schema)


def rows(choice: Choice, tables_root: str, limit: int, offset: int = 0, newest_first: bool = False) -> pa.Table:
    """Give a page of the rows of a choice, as one table."""
    return pa.Table.from_batches(batches(choice, tables_root, limit, offset, newest_first), choice.schema)


# -- how it is asked ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Part:
    """The rows of one partition: where they are, and their order."""

    source: str
    order: str


@contextmanager
def _opened(
    choice: Choice, tables_root: str, newest_first: bool = False
) -> Iterator[tuple[Callable[[str], Any], list[_Part]]]:
    """Open a connection, and the parts of a choice."""
    check(choice)
    shared = open_table(choice.table, tables_root, version=choice.version)
    with asking(MEMORY) as ask:
        yield ask, [] if shared is None else list(_parts(shared, choice, newest_first))


def _counted(ask: Callable[[str], Any], part: _Part) -> int:
    return int(ask(f"SELECT count(*) {part.source}").fetchall()[0][0])


def _parts(shared: Shared, choice: Choice, newest_first: bool) -> Iterator[_Part]:
    conditions = " AND ".join(_conditions(choice))
    by_partition = sorted(_touched(shared, choice), key=lambda file: file.partition or "")
    if newest_first:
        by_partition.reverse()
    order = _newest(choice.table) if newest_first else _order(choice.table)
    for _, files in groupby(by_partition, key=lambda file: file.partition):
        chosen = list(files)
        for file in shared.broken():
            if file in chosen:
                raise damaged_file(f"{choice.table.table}/{file.path}")
        yield _Part(f"FROM {scan_of(shared, chosen)} WHERE {conditions}", order)


def _order(table: Table) -> str:
    return ", ".join(f"{name} NULLS FIRST" for name in dict.fromkeys((*table.sort, *table.key, "recorded_from")))


def _newest(table: Table) -> str:
    first = export_rules().filters[table.table].day or "recorded_from"
    return f"{first} DESC NULLS LAST, {_order(table)}"


def _conditions(choice: Choice) -> Iterator[str]:
    columns, wanted = export_rules().filters[choice.table.table], choice.wanted
    yield "recorded_until IS NULL" if choice.as_of is None else as_known(choice.as_of)
    for looked_at, values in (
        (("bureau",), wanted.bureaus), ((columns.place, columns.place_name), wanted.places),
        ((columns.parameter,), wanted.parameters), ((columns.subject, columns.subject_name), wanted.subjects),
    ):  # fmt: skip
        if values:
            yield "(" + " OR ".join(f"{column} IN ({_texts(values)})" for column in looked_at if column) + ")"
    if columns.day:
        instant = choice.table.column(columns.day).type == "timestamp"
        since, until = wanted.since, wanted.until
        if since is not None:
            yield f"{columns.day} >= {stamp(_midnight(since)) if instant else _date(since)}"
        if until is not None and instant and until < date.max:
            yield f"{columns.day} < {stamp(_midnight(until + timedelta(days=1)))}"
        elif until is not None:
            yield f"{columns.day} <= {stamp(_midnight(until)) if instant else _date(until)}"


def _midnight(day: date) -> datetime:
    if day.year < 2:  # the first day of all has no instant before it in UTC
        return datetime.min.replace(tzinfo=UTC)
    return datetime.combine(day, time(), CHINA)


def _date(day: date) -> str:
    return f"DATE '{day.isoformat()}'"


def _texts(values: Iterable[str]) -> str:
    return ", ".join("'" + value.replace("\0", "").replace("'", "''") + "'" for value in values)


def _touched(shared: Shared, choice: Choice) -> list[LiveFile]:
    """Leave out data files that the log says hold nothing of these days or senders."""
    day, wanted = export_rules().filters[choice.table.table].day, choice.wanted

    def holds(file: LiveFile) -> bool:
        low, high = file.low.get(day), file.high.get(day)
        if day and wanted.since is not None and high is not None and _day(high) < wanted.since:
            return False
        if day and wanted.until is not None and low is not None and _day(low) > wanted.until:
            return False
        first, last = file.low.get("bureau"), file.high.get("bureau")
        alone = first is not None and first == last
        return not (alone and wanted.bureaus and first not in wanted.bureaus)

    return [file for file in shared.files if holds(file)]


def _day(value: Any) -> date:
    if isinstance(value, datetime):
        return value.astimezone(CHINA).date() if value.tzinfo else (value.replace(tzinfo=UTC)).astimezone(CHINA).date()
    return value if isinstance(value, date) else date.fromisoformat(str(value)[:10])


def _as(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Give a batch the types of the contract: instants in UTC, as they are kept."""
    return pa.RecordBatch.from_arrays(
        [column.cast(field.type) for column, field in zip(batch.columns, schema, strict=True)], schema=schema
    )
