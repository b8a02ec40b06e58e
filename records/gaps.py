"""What a bureau says about missing results: why, of which station, from when until when. Never altered, only withdrawn.

Each telling and withdrawal stands on the chain (kinds ``gap-told``, ``gap-withdrawn``).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import insert, select, update

from records import chain
from records.errors import UnknownGap
from records.gap_models import gap
from records.store import Records


@dataclass(frozen=True, slots=True)
class Told:
    """What is told: the hours of a station in ``[since, until)`` are missing for a reason (``gap_reasons.csv``)."""

    bureau: str
    dataset: str
    station_id: str
    since: datetime
    until: datetime
    reason: str
    text: str
    proof_name: str = ""
    proof_sha256: str = ""


@dataclass(frozen=True, slots=True)
class Gap(Told):
    """What was told, by whom (an account) and when; a withdrawn one counts no more."""

    id: int = 0
    told_by: str = ""
    told_at: datetime | None = None
    withdrawn_by: str = ""
    withdrawn_at: datetime | None = None


COLUMNS = tuple(gap.c[each.name] for each in fields(Gap))


def tell_gap(records: Records, told: Told, by: str, at: datetime) -> Gap:
    """Keep what a person tells."""
    values = {each.name: getattr(told, each.name) for each in fields(Told)}
    with records.database.write() as connection:
        number = connection.execute(
            insert(gap).values(**values, told_by=by, told_at=at, withdrawn_by="").returning(gap.c.id)
        ).scalar_one()
        payload = values | {
            "gap": number, "by": by, "since": told.since.isoformat(), "until": told.until.isoformat(),
        }  # fmt: skip
        chain.append(connection, "gap-told", at, told.bureau, None, payload)
    return gap_of(records, number)


def gap_of(records: Records, number: int) -> Gap:
    """Find one.

    Raises
    ------
    UnknownGap
    """
    with records.database.read() as connection:
        row = connection.execute(select(*COLUMNS).where(gap.c.id == number)).one_or_none()
    if row is None:
        raise UnknownGap(f"没有编号为 {number} 的缺测说明", f"there is no word on missing results numbered {number}")
    return Gap(**row._mapping)


def gaps(records: Records, since: datetime, until: datetime, bureau: str = "", *, withdrawn: bool = False) -> list[Gap]:
    """List what was told about any hour of ``[since, until)``, the earliest first; of one bureau, or of all."""
    wanted = [gap.c.since < until, gap.c.until > since]
    if bureau:
        wanted.append(gap.c.bureau == bureau)
    if not withdrawn:
        wanted.append(gap.c.withdrawn_at.is_(None))
    with records.database.read() as connection:
        rows = connection.execute(select(*COLUMNS).where(*wanted).order_by(gap.c.since, gap.c.id)).all()
    return [Gap(**row._mapping) for row in rows]


def withdraw_gap(records: Records, number: int, by: str, at: datetime) -> Gap:
    """Withdraw what was told; a second time changes nothing."""
    with records.database.write() as connection:
        found = connection.execute(
            update(gap)
            .where(gap.c.id == number, gap.c.withdrawn_at.is_(None))
            .values(withdrawn_by=by, withdrawn_at=at)
            .returning(gap.c.bureau)
        ).one_or_none()
        if found is not None:
            chain.append(connection, "gap-withdrawn", at, found.bureau, None, {"gap": number, "by": by})
    return gap_of(records, number)
