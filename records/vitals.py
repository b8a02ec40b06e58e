"""What health and metrics ask of the records: whether they can be written, and how much of everything there is."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select, update

from records import models
from records.runs import Visit
from records.store import Records


def probe(records: Records) -> None:
    """Write for true, and change nothing: the head of the chain is set to what it is."""
    head = models.chain_head.c
    with records.database.write() as connection:
        connection.execute(update(models.chain_head).where(head.id == 1).values(seq=head.seq))


def run_counts(records: Records) -> dict[tuple[str, str], int]:
    """Count all runs by job and state."""
    r = models.run.c
    with records.database.read() as connection:
        rows = connection.execute(select(r.job, r.state, func.count()).group_by(r.job, r.state)).all()
    return {(job, state): count for job, state, count in rows}


def batch_counts(records: Records) -> dict[str, int]:
    """Count all batches by state."""
    b = models.batch.c
    with records.database.read() as connection:
        return {state: count for state, count in connection.execute(select(b.state, func.count()).group_by(b.state))}


def outbox_waiting(records: Records) -> int:
    """Count the notices that still have to be delivered."""
    n = models.notice.c
    with records.database.read() as connection:
        waiting = select(func.count()).where(n.delivered_at.is_(None), n.next_try.is_not(None))
        return int(connection.execute(waiting).scalar_one())


def last_visits(records: Records) -> dict[str, Visit]:
    """Give the newest visit of each source."""
    v = models.visit.c
    newest = select(func.max(v.visit_id)).group_by(v.source)
    with records.database.read() as connection:
        rows = connection.execute(select(models.visit).where(v.visit_id.in_(newest))).all()
    return {row.source: Visit(**row._mapping) for row in rows}


def last_successes(records: Records) -> dict[str, datetime]:
    """Tell when each source last answered as it should."""
    v = models.visit.c
    query = select(v.source, func.max(v.finished_at)).where(v.state.in_(("new", "unchanged"))).group_by(v.source)
    with records.database.read() as connection:
        return {source: at for source, at in connection.execute(query) if at is not None}
