"""Reading the chain backwards, for who searches it; and who looked at the experts of a bureau."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import or_, select

from records import expert_models
from records.chain import Event
from records.expert_access import ACCESS_COLUMNS, ExpertAccess
from records.models import event
from records.store import Records

PAGE = 2_000
COLUMNS = tuple(event.c[one.name] for one in fields(Event))


@dataclass(frozen=True, slots=True)
class Stretch:
    """Which part of the chain: events before a number (0: all), of some kinds (none: all), in ``[since, until)``."""

    before: int = 0
    kinds: Collection[str] = ()
    since: datetime | None = None
    until: datetime | None = None


def backwards(records: Records, bureau: str, wanted: Stretch) -> Iterator[Event]:
    """Give the events of a bureau and those that name none, the newest first; a short transaction per page."""
    e = event.c
    chosen = [or_(e.bureau == bureau, e.bureau.is_(None))]
    chosen += [e.kind.in_(wanted.kinds)] if wanted.kinds else []
    chosen += [e.at >= wanted.since] if wanted.since is not None else []
    chosen += [e.at < wanted.until] if wanted.until is not None else []
    before = wanted.before
    while True:
        end = [e.seq < before] if before else []
        query = select(*COLUMNS).where(*chosen, *end).order_by(e.seq.desc()).limit(PAGE)
        with records.database.read() as connection:
            rows = connection.execute(query).all()
        for row in rows:
            yield Event(*row)
        if len(rows) < PAGE:
            return
        before = rows[-1].seq


def event_of(records: Records, number: int) -> Event | None:
    """Give one event by its number."""
    with records.database.read() as connection:
        row = connection.execute(select(*COLUMNS).where(event.c.seq == number)).one_or_none()
        return None if row is None else Event(*row)


def looks_at_experts(
    records: Records, bureau: str, since: datetime | None, until: datetime | None, limit: int
) -> list[ExpertAccess]:
    """List the looks at the experts of a bureau in ``[since, until)``, the newest first; a list shows those of both."""
    a, x = expert_models.expert_access.c, expert_models.expert.c
    chosen = [or_(a.expert_id == "", a.expert_id.in_(select(x.expert_id).where(x.bureau == bureau)))]
    chosen += [a.at >= since] if since is not None else []
    chosen += [a.at < until] if until is not None else []
    query = select(*ACCESS_COLUMNS).where(*chosen).order_by(a.at.desc(), a.id.desc()).limit(limit)
    with records.database.read() as connection:
        return [ExpertAccess(*row) for row in connection.execute(query)]
