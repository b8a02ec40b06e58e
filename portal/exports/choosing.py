"""What of a shared table is wanted: the same rows for a page, a file and a program."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from pipelines.batch import Places
from pipelines.publish.rows import Choice, RowFilter, rows
from pipelines.publish.store import newest_version
from portal.exports.errors import UnknownForm
from schemas.contracts import Table, tables

if TYPE_CHECKING:
    import pyarrow as pa

EVERYTHING = RowFilter()
EDITION = 1
"""Raised when the same rows are written otherwise, so that nobody keeps an old answer for a new one."""


def table_of(name: str) -> Table:
    """Find a shared table.

    Raises
    ------
    UnknownForm
    """
    known = tables()
    if name not in known:
        raise UnknownForm(
            f"没有数据表 {name[:60]}；有：{'、'.join(known)}", f"no table {name[:60]}; there are {', '.join(known)}"
        )
    return known[name]


def choose(
    places: Places,
    table: str,
    wanted: RowFilter = EVERYTHING,
    columns: Sequence[str] = (),
    as_of: datetime | None = None,
    version: int | None = None,
) -> Choice:
    """Choose rows of a table; without a version the newest is pinned, so that count and rows are of one state."""
    found = table_of(table)
    pinned = newest_version(found, places.tables) if version is None else version
    return Choice(found, wanted, tuple(columns), as_of, pinned)


def table_rows(
    places: Places,
    table: str,
    wanted: RowFilter = EVERYTHING,
    columns: Sequence[str] = (),
    limit: int = 1000,
    offset: int = 0,
    as_of: datetime | None = None,
    version: int | None = None,
) -> pa.Table:
    """Give a page of rows, in the order of the contract.

    Pages of one list name the same ``version`` (see :func:`version_of`).

    Raises
    ------
    UnknownForm
        No such table.
    PublishError
        ``unknown-column``, ``unknown-filter``, ``damaged-file``.
    """
    return rows(choose(places, table, wanted, columns, as_of, version), places.tables, limit, offset)


def version_of(places: Places, table: str) -> int | None:
    """Give the newest version of a table; None where nobody published to it yet."""
    return newest_version(table_of(table), places.tables)


def etag_of(places: Places, table: str, *parts: Any) -> str:
    """Give a mark that changes when the table, or anything else of the question, does."""
    told = [EDITION, table, version_of(places, table), *parts]
    return '"' + hashlib.sha256(json.dumps(told, default=_plain, sort_keys=True).encode()).hexdigest()[:32] + '"'


def chosen_json(choice: Choice) -> dict[str, Any]:
    """Tell a choice in JSON: what the log, the chain and the writing process are told."""
    filters = {name: value for name, value in asdict(choice.wanted).items() if value}
    return {
        "table": choice.table.table,
        "filters": json.loads(json.dumps(filters, default=_plain)),
        "columns": list(choice.columns),
        "as_of": None if choice.as_of is None else choice.as_of.isoformat(),
        "version": choice.version,
    }


def read_choice(told: dict[str, Any]) -> Choice:
    """Read what :func:`chosen_json` told."""
    filters: dict[str, Any] = {
        name: date.fromisoformat(value) if name in ("since", "until") else tuple(value)
        for name, value in told["filters"].items()
    }
    as_of = None if told["as_of"] is None else datetime.fromisoformat(told["as_of"])
    return Choice(table_of(told["table"]), RowFilter(**filters), tuple(told["columns"]), as_of, told["version"])


def _plain(value: Any) -> Any:
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, RowFilter):
        return asdict(value)
    return str(value)
