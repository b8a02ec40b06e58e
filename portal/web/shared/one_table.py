"""One shared table: its dictionary, its newest rows, the form of a download, and what publications changed in it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response

from pipelines.publish.changes import changes, publications
from pipelines.publish.rows import rows
from portal.exports import Shelved, choose, shelf
from portal.web.asking import Ask, Site
from portal.web.errors import Problem
from portal.web.pages import page
from portal.web.shared.chosen import COLUMN, FIELDS, FORMS
from portal.web.shared.wording import cell, is_number
from schemas.export_rules import export_rules
from schemas.quantities import parameters

SAMPLE = 10
LISTED, ROWS = 50, 100
HIDDEN = ("batch_id", "source_row", "source_column", "recorded_from", "recorded_until", "month", "unit_text")
"""Columns of lineage that the sample leaves out; they are in the dictionary and in every download."""
CHANGES = {
    "added": ("新增", "added", "good"),
    "corrected": ("更正", "corrected", "warn"),
    "withdrawn": ("撤回", "withdrawn", "bad"),
}


@dataclass(frozen=True, slots=True)
class Samples:
    """The newest rows of each table, as of its version."""

    kept: dict[str, tuple[int | None, list[list[Any]]]] = field(default_factory=dict)
    looking: threading.Lock = field(default_factory=threading.Lock)


def keep_samples(site: Site) -> Samples:
    """Begin with none."""
    return Samples()


def one(ask: Ask) -> Response:
    """Show one table."""
    return show(ask, ask.path["table"], {}, 200)


def show(ask: Ask, name: str, faults: Mapping[str, str], status: int) -> Response:
    """Show one table, with what is wrong in the form of its download."""
    found = _shelved(ask, name)
    filters = export_rules().filters[name]
    medium = name.partition("_")[0]
    return page(
        ask, "shared/table.html", status,
        one=found, table=found.table, licence=export_rules().licence, filters=filters, faults=faults,
        said={field: ask.query.get(field, "") for field in FIELDS}, column=COLUMN,
        ticked={field.removeprefix(COLUMN) for field in ask.query if field.startswith(COLUMN)},
        shown=_shown(found), sample=_sample(ask, found), cell=cell, is_number=is_number,
        takes=ask.may("catalogue.download").ok, asks=ask.may("query.run").ok,
        forms=FORMS, rules=export_rules().formats,
        known=[p for p in parameters().values() if p.medium == medium] if filters.parameter else [],
        quota=export_rules().quota_of(name),
    )  # fmt: skip


def changed(ask: Ask) -> Response:
    """List the publications into a table, the newest first; of one of them the rows it changed."""
    found = _shelved(ask, ask.path["table"])
    made = list(reversed(publications(found.table, ask.site.places.tables)))
    wanted = ask.query.get("version", "")
    known = {str(entry["version"]): entry for entry in made}
    if wanted and wanted not in known:
        raise Problem(404)
    told = _changes_of(ask, found, known[wanted]) if wanted else None
    return page(
        ask, "shared/changes.html",
        one=found, table=found.table, made=made[:LISTED], total=len(made), chosen=known.get(wanted), told=told,
        kinds=CHANGES, cell=cell, is_number=is_number, most=ROWS,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Changed:
    """The rows one publication changed, as far as they are shown."""

    columns: list[str]
    rows: list[dict[str, Any]]
    total: int


def _changes_of(ask: Ask, found: Shelved, entry: Mapping[str, Any]) -> Changed:
    part = changes(found.table, ask.site.places.tables, only=int(entry["version"]), limit=ROWS)
    columns = [name for name in part.column_names if name not in ("version", "recorded_at", "batch_id", "change")]
    told = entry["added"] + entry["corrected"]  # what was withdrawn is not counted there
    return Changed(columns, part.to_pylist(), max(told, part.num_rows))


def _shelved(ask: Ask, name: str) -> Shelved:
    found = shelf(ask.site.places).get(name)
    if found is None:
        raise Problem(404)
    return found


def _shown(found: Shelved) -> list[Any]:
    return [column for column in found.table.columns if column.name not in HIDDEN]


def _sample(ask: Ask, found: Shelved) -> list[list[Any]]:
    """Give the newest rows, read again only when the table has a new version."""
    samples, version = ask.site.once(keep_samples), found.status["version"]
    with samples.looking:
        kept = samples.kept.get(found.table.table)
        if kept is None or kept[0] != version:
            choice = choose(
                ask.site.places, found.table.table, columns=[c.name for c in _shown(found)], version=version
            )
            newest = rows(choice, ask.site.places.tables, SAMPLE, newest_first=True)
            values = [list(row.values()) for row in newest.to_pylist()]
            samples.kept[found.table.table] = kept = (version, values)
        return kept[1]
