"""Deliveries as the statistics count them: the columns they need and no more, so that a year of them is read at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from records import models
from records.gap_models import gap
from records.runs import Run
from records.store import Records


@dataclass(frozen=True, slots=True)
class Delivery:
    """One batch, its course left out; fields as in :class:`records.store.BatchRecord`. ``dataset`` is blank if unknown."""

    batch_id: str
    bureau: str
    file_name: str
    received_at: datetime
    state: str
    dataset: str
    results: dict[str, int]
    tables: list[dict[str, Any]]
    covers: dict[str, list[int]]
    submitted_by: str


def deliveries(records: Records, since: datetime, until: datetime) -> list[Delivery]:
    """List what was received in ``[since, until)``, the oldest first."""
    b = models.batch.c
    dataset = func.coalesce(b.dataset, b.dataset_asked, "")
    columns = (
        b.batch_id, b.bureau, b.file_name, b.received_at, b.state, dataset, b.results, b.tables, b.covers, b.submitted_by,
    )  # fmt: skip
    query = select(*columns).where(b.received_at >= since, b.received_at < until).order_by(b.received_at, b.batch_id)
    with records.database.read() as connection:
        return [
            Delivery(*row[:6], row[6] or {}, row[7] or [], row[8] or {}, row[9]) for row in connection.execute(query)
        ]


def first_received(records: Records) -> dict[str, datetime]:
    """Tell when each bureau handed something in for the first time."""
    b = models.batch.c
    with records.database.read() as connection:
        rows = connection.execute(select(b.bureau, func.min(b.received_at)).group_by(b.bureau)).all()
    return {bureau: at for bureau, at in rows}


def newest_change(records: Records) -> tuple[int, ...]:
    """Give numbers that grow with every step of a batch, every publication and every word on missing results."""
    s, p = models.batch_state.c, models.publication.c
    questions = (
        select(func.coalesce(func.max(s.id), 0)),
        select(func.coalesce(func.max(p.sequence), 0)).where(p.finished_at.is_not(None)),
        select(func.coalesce(func.max(gap.c.id), 0)),
        select(func.count(gap.c.withdrawn_at)),
    )
    with records.database.read() as connection:
        return tuple(connection.execute(question).scalar_one() for question in questions)


def run_of(records: Records, run_id: int) -> Run | None:
    """Find one run of the ledger."""
    with records.database.read() as connection:
        row = connection.execute(select(models.run).where(models.run.c.run_id == run_id)).one_or_none()
    return None if row is None else Run(**row._mapping)
