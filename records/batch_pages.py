"""The deliveries of one bureau as a page shows them: chosen, counted, a page at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Text, and_, cast, func, or_, select

from records import models
from records.store import BatchRecord, Records


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which deliveries of a bureau; a blank chooses all. ``text`` is part of a file name, receipt or batch number.

    ``period`` is a month or day (``2026-04``, ``2026-04-08``) some of whose results are in the delivery.
    """

    bureau: str
    state: str = ""
    dataset: str = ""
    text: str = ""
    period: str = ""


@dataclass(frozen=True, slots=True)
class BatchPage:
    """One page, the newest first, and how many there are in all."""

    batches: tuple[BatchRecord, ...]
    total: int


def batch_page(records: Records, wanted: Wanted, offset: int, limit: int) -> BatchPage:
    """Give ``limit`` deliveries from the ``offset``-th on."""
    b = models.batch.c
    chosen = _chosen(wanted)
    with records.database.read() as connection:
        total = connection.execute(select(func.count()).select_from(models.batch).where(*chosen)).scalar_one()
        order = (b.received_at.desc(), b.batch_id.desc())
        numbers = connection.scalars(
            select(b.batch_id).where(*chosen).order_by(*order).offset(offset).limit(limit)
        ).all()
    return BatchPage(tuple(records.batch(number) for number in numbers), total)


def batches_before(
    records: Records, wanted: Wanted, mark: tuple[datetime, str] | None, limit: int
) -> tuple[BatchRecord, ...]:
    """Give deliveries, the newest first, from behind a mark on: (received_at, batch_id) of the last one seen.

    What comes in meanwhile shifts nothing, as it would with a page number.
    """
    b = models.batch.c
    chosen = _chosen(wanted)
    if mark is not None:
        chosen.append(or_(b.received_at < mark[0], and_(b.received_at == mark[0], b.batch_id < mark[1])))
    order = (b.received_at.desc(), b.batch_id.desc())
    with records.database.read() as connection:
        numbers = connection.scalars(select(b.batch_id).where(*chosen).order_by(*order).limit(limit)).all()
    return tuple(records.batch(number) for number in numbers)


def results_since(records: Records, bureau: str, since: datetime) -> dict[str, int]:
    """Add up what a bureau delivered since an instant: files, and results read, published and quarantined."""
    b = models.batch.c
    told = dict.fromkeys(("files", "refused", "read", "published", "quarantined"), 0)
    with records.database.read() as connection:
        for state, results in connection.execute(
            select(b.state, b.results).where(b.bureau == bureau, b.received_at >= since)
        ):
            told["files"] += 1
            told["refused"] += state == "refused"
            for name in ("read", "published", "quarantined"):
                told[name] += int(results.get(name) or 0)
    return told


def _chosen(wanted: Wanted) -> list[ColumnElement[bool]]:
    b = models.batch.c
    chosen: list[ColumnElement[bool]] = [b.bureau == wanted.bureau]
    if wanted.state:
        chosen.append(b.state == wanted.state)
    if wanted.dataset:
        chosen.append(func.coalesce(b.dataset, b.dataset_asked) == wanted.dataset)
    if wanted.period:  # covers is an object with a key for each day
        chosen.append(cast(b.covers, Text).contains(f'"{wanted.period}', autoescape=True))
    if wanted.text:
        holds = (
            column.contains(wanted.text, autoescape=True) for column in (b.file_name, b.receipt_number, b.batch_id)
        )
        chosen.append(or_(*holds))
    return chosen
