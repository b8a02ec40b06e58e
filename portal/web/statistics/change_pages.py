"""变更清单 and 入库复核: what publications did to the shared tables, and what the gate found before each of them."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from pipelines.publish.changes import changes, publications
from pipelines.publish.reading import rows_of
from portal.statistics.validations import validations_of
from portal.web.asking import Ask
from portal.web.desk import BATCH_TONES
from portal.web.errors import Problem
from portal.web.pages import page
from portal.web.words import DATASETS
from portal.words import STATES
from records.batch_pages import Wanted, batch_page
from records.errors import UnknownBatch
from schemas.contracts import Table, tables

VERSIONS = 60
ROWS = 200
PER_PAGE = 25
NUMBER = 64
KINDS = {"added": ("新增", "added"), "corrected": ("更正", "corrected"), "withdrawn": ("撤回", "withdrawn")}


def change_lists(ask: Ask) -> Response:
    """List what changed: the versions of a table, the rows of one version, or what one own delivery did."""
    known = tables()
    number = ask.query.get("batch", "").strip()[:NUMBER]
    table = known.get(ask.query.get("table", ""))
    version = _number(ask.query.get("version", ""))
    did = _did(ask, number) if number else []
    noted = publications(table, ask.site.places.tables) if table is not None else []
    chosen = next((one for one in noted if one["version"] == version), None)
    rows = _rows(ask, table, version) if table is not None and chosen is not None else []
    return page(
        ask, "statistics/changes.html",
        tables=known, table=table, versions=noted[::-1][:VERSIONS], total=len(noted), chosen=chosen,
        rows=rows[:ROWS], count=len(rows), number=number, did=did, kinds=KINDS,
        own=_own(ask, noted[-VERSIONS:]), batches=ask.may("batch.read", ask.me.bureau).ok,
    )  # fmt: skip


def _did(ask: Ask, number: str) -> list[Any]:
    """List what an own delivery did to the tables; one that is not there or not ours did nothing we tell of."""
    try:
        batch = ask.site.records.batch(number)
    except UnknownBatch:
        return []
    return ask.site.records.table_versions(batch_id=batch.batch_id) if ask.may("batch.read", batch.bureau).ok else []


def _rows(ask: Ask, table: Table, version: int) -> list[dict[str, Any]]:
    """Give the changes of one version; few at a time, as the rows of all later ones are looked at."""
    if not ask.site.heavy.acquire(timeout=20):
        raise Problem(503, headers={"retry-after": "30"})
    try:
        found = changes(table, ask.site.places.tables, version - 1)
    finally:
        ask.site.heavy.release()
    here = found.filter([one == version for one in found.column("version").to_pylist()])
    return list(rows_of(here))


def _own(ask: Ask, noted: list[dict[str, Any]]) -> set[str]:
    """Name the deliveries among these that the reader may open."""
    if not ask.may("batch.read", ask.me.bureau).ok:
        return set()
    found = set()
    for one in noted:
        try:
            if ask.site.records.batch(one["batch_id"]).bureau == ask.me.bureau:
                found.add(one["batch_id"])
        except UnknownBatch:  # of a table brought from elsewhere
            continue
    return found


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else -1


def validation_list(ask: Ask) -> Response:
    """List the own deliveries that came as far as the gate, with what it said."""
    ask.need("batch.read", ask.me.bureau)
    number = max(_number(ask.query.get("page", "1")), 1)
    found = batch_page(ask.site.records, Wanted(ask.me.bureau, "published"), (number - 1) * PER_PAGE, PER_PAGE)
    rows = [(batch, next(iter(validations_of(ask.site.places, batch.batch_id)), None)) for batch in found.batches]
    return page(
        ask, "statistics/validations.html",
        rows=rows, number=number, pages=max(1, -(-found.total // PER_PAGE)), total=found.total, datasets=DATASETS,
    )  # fmt: skip


def validation(ask: Ask) -> Response:
    """Show what the gate found of one own delivery, expectation by expectation."""
    batch = ask.site.records.batch(ask.path["number"])
    ask.need("batch.read", batch.bureau)
    runs = validations_of(ask.site.places, batch.batch_id)
    return page(
        ask, "statistics/validation.html",
        batch=batch, runs=runs, states=STATES, tones=BATCH_TONES,
    )  # fmt: skip
