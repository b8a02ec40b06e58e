"""Questions of ours on the rows of a shared table that are on record now; files known to be damaged are left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from pipelines.batch import Places
from pipelines.publish.datafiles import arrow_schema
from pipelines.publish.reading import asking, scan_of
from pipelines.publish.store import open_table
from schemas.contracts import tables

Ask = Callable[[str], list[tuple[Any, ...]]]
"""Takes a question, gives its rows."""


@contextmanager
def current_rows(
    places: Places, name: str, months: tuple[str, str] | None = None, **frames: pa.Table
) -> Iterator[tuple[Ask, str]]:
    """Open a shared table: what answers a question, and the clause that stands for its current rows in one.

    Parameters
    ----------
    months : tuple of str, optional
        First and last month that is wanted; of a table kept by month other files are not opened.
    frames
        What questions may name beside the table: values of callers go here, never into the text of a question.

    Raises
    ------
    PublishError
        A data file turned out to be damaged.
    """
    table = tables()[name]
    shared = open_table(table, places.tables)
    files = []
    if shared is not None:
        broken = shared.broken()
        files = [file for file in shared.files if file not in broken and _within(file.partition, months)]
    source = scan_of(shared, files) if shared is not None and files else "nothing"
    clause = f"(SELECT * FROM {source} WHERE recorded_until IS NULL)"
    with asking(**frames, nothing=arrow_schema(table).empty_table()) as ask_for:
        yield (lambda question: _rows(ask_for(question).to_arrow_table())), clause


def _rows(answer: pa.Table) -> list[tuple[Any, ...]]:
    """Give the rows of an answer, instants in UTC."""
    columns = [
        (column.cast(pa.timestamp("us", "UTC")) if pa.types.is_timestamp(column.type) else column).to_pylist()
        for column in answer.columns
    ]
    return list(zip(*columns, strict=True))


def _within(partition: str | None, months: tuple[str, str] | None) -> bool:
    return partition is None or months is None or months[0] <= partition <= months[1]
