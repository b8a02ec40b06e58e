"""Who took which rows out of the shared tables: counted against the day's quota before they leave, kept afterwards.

Rows are set aside under the writer lock before a file is made, so that many downloads at once are counted like one
after another. An export whose process died stays ``begun`` and its rows stay counted; one that failed gives them back.
What left stands on the chain (kind ``export``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta, timezone
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from records import chain
from records.export_models import export_log
from records.store import Records

CHINA = timezone(timedelta(hours=8))


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to take: ``face`` page, api or query; ``what`` a table; ``chosen`` filters, or the SQL."""

    account_id: str
    login: str
    bureau: str
    face: str
    quota: str
    what: str
    form: str
    chosen: Mapping[str, Any]
    rows: int


@dataclass(frozen=True, slots=True)
class Export:
    """One export; ``state``: begun, done, failed."""

    id: int
    account_id: str
    login: str
    bureau: str
    at: datetime
    day: str
    face: str
    quota: str
    what: str
    form: str
    chosen: dict[str, Any]
    rows: int
    bytes: int
    sha256: str
    state: str
    note: str

    @property
    def number(self) -> str:
        """The number people quote."""
        return number_of(self.id)


COLUMNS = tuple(export_log.c[each.name] for each in fields(Export))


def number_of(identity: int) -> str:
    """Write the number of an export, as it stands in the file.

    >>> number_of(42)
    'X000042'
    """
    return f"X{identity:06d}"


def day_of(at: datetime) -> str:
    """Give the China day a quota is counted by."""
    return at.astimezone(CHINA).date().isoformat()


def begin_export(records: Records, wish: Wish, most: int, at: datetime) -> tuple[int, int]:
    """Set rows aside for an export, where the day has so many left.

    Returns
    -------
    (int, int)
        Its identity, or 0 where the quota does not allow it and nothing was written; and the rows of the day before.
    """
    day = day_of(at)
    with records.database.write() as connection:
        used = _used(connection, wish.account_id, wish.quota, day)
        if used + wish.rows > most:
            return 0, used
        values = {each.name: getattr(wish, each.name) for each in fields(Wish)} | {"chosen": dict(wish.chosen)}
        new = insert(export_log).values(**values, at=at, day=day, bytes=0, sha256="", state="begun", note="")
        return int(connection.execute(new.returning(export_log.c.id)).scalar_one()), used


def finish_export(records: Records, identity: int, rows: int, size: int, sha256: str, at: datetime) -> None:
    """Say what an export came to, here and on the chain."""
    e = export_log.c
    with records.database.write() as connection:
        row = connection.execute(select(*COLUMNS).where(e.id == identity)).one()
        done = update(export_log).where(e.id == identity)
        connection.execute(done.values(rows=rows, bytes=size, sha256=sha256, state="done"))
        payload = {
            "export": number_of(identity), "account": row.account_id, "face": row.face, "what": row.what,
            "format": row.form, "chosen": row.chosen, "rows": rows, "bytes": size, "sha256": sha256,
        }  # fmt: skip
        chain.append(connection, "export", at, row.bureau, None, payload)


def fail_export(records: Records, identity: int, why: str) -> None:
    """Give the rows of an export back that never left."""
    failed = update(export_log).where(export_log.c.id == identity, export_log.c.state == "begun")
    with records.database.write() as connection:
        connection.execute(failed.values(rows=0, state="failed", note=why[:300]))


def used_on(records: Records, account_id: str, quota: str, at: datetime) -> int:
    """Count the rows of a person on the day of an instant."""
    with records.database.read() as connection:
        return _used(connection, account_id, quota, day_of(at))


def exports(records: Records, bureau: str, account_id: str = "", limit: int = 50) -> list[Export]:
    """List exports of a bureau, or of one person of it, the newest first."""
    e = export_log.c
    query = select(*COLUMNS).where(e.bureau == bureau).order_by(e.id.desc()).limit(limit)
    if account_id:
        query = query.where(e.account_id == account_id)
    with records.database.read() as connection:
        return [Export(*row) for row in connection.execute(query)]


def _used(connection: Connection, account_id: str, quota: str, day: str) -> int:
    e = export_log.c
    mine = (e.account_id == account_id, e.quota == quota, e.day == day)
    return int(connection.execute(select(func.coalesce(func.sum(e.rows), 0)).where(*mine)).scalar_one())
