"""Versions of a delivery: the file as it was handed in, and what it changed in the shared tables (U8, U9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from pipelines.intake.receive import kept_path
from portal.web.asking import Ask
from portal.web.filing.downloads import give_stored
from portal.web.filing.receipts import own_delivery
from portal.web.pages import page
from records.store import BatchRecord
from schemas.contracts import Table

CHANGES = 500
"""Changed rows shown of a table."""


@dataclass(frozen=True, slots=True)
class Part:
    """What a delivery did to one table; ``rows`` are the first of ``total``, corrections before the rest."""

    table: Table
    told: Mapping[str, Any]
    rows: tuple[tuple[Mapping[str, Any], str], ...]
    total: int


def changed(ask: Ask) -> Response:
    """Show what a delivery changed, old value and new."""
    batch = own_delivery(ask, "batch.read")
    return page(ask, "filing/changes.html", batch=batch, parts=[part_of(ask, batch, told) for told in batch.tables])


def part_of(ask: Ask, batch: BatchRecord, told: Mapping[str, Any]) -> Part:
    """Give the changes of one table that a delivery made."""
    from pipelines.publish.changes import changes
    from pipelines.publish.reading import rows_of
    from schemas.loaders import tables

    table = tables()[str(told["table"])]
    frame = changes(table, ask.site.places.tables, int(told["version"]) - 1)
    own = [row for row in rows_of(frame) if row["batch_id"] == batch.batch_id]
    own.sort(key=lambda row: row["change"] == "added")
    keys = [name for name in table.key if name != "bureau"]
    shown = ((row, " ".join(str(row[name]) for name in keys if row[name] is not None)) for row in own[:CHANGES])
    return Part(table, told, tuple(shown), len(own))


def raw(ask: Ask) -> Response:
    """Give the file as it was handed in, byte by byte."""
    batch = own_delivery(ask, "batch.raw")
    return give_stored(kept_path(ask.site.places.uploads, batch.sha256), batch.file_name)
