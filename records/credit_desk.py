"""What the credit desk of the portal remembers: why a session asks, which slips were issued, how much somebody looked.

The purpose of a session is kept here and not in the browser: every look-up is traced with it, so nobody but the person
who gave it may change it. It ends with the session and is removed two days later.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta

from sqlalchemy import delete, func, insert, select, update

from records import models
from records.credit_models import credit_errand, credit_slip
from records.store import Records, storable

KEPT = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Errand:
    """Why a session asks: the purpose, its plan or case, and the officer's certificate."""

    purpose: str
    plan: str
    certificate: str


@dataclass(frozen=True, slots=True)
class IssuedSlip:
    """A slip that was issued; ``user`` asked for it, ``bureau`` is his."""

    slip_id: str
    verification_code: str
    bureau: str
    user: str
    issued_at: datetime


@dataclass(frozen=True, slots=True)
class Uses:
    """How often somebody used the register, and how many records or enterprises that showed."""

    times: int
    shown: int


def keep_errand(records: Records, session_id: str, errand: Errand, at: datetime) -> None:
    """Remember why a session asks from now on."""
    e = credit_errand.c
    values = {name: storable(text) for name, text in asdict(errand).items()} | {"at": at}
    with records.database.write() as connection:
        connection.execute(delete(credit_errand).where(e.at < at - KEPT))
        changed = connection.execute(update(credit_errand).where(e.session_id == session_id).values(**values))
        if not changed.rowcount:
            connection.execute(insert(credit_errand).values(session_id=session_id, **values))


def errand_of(records: Records, session_id: str) -> Errand | None:
    """Give why a session asks, None where it has not said."""
    e = credit_errand.c
    asked = select(e.purpose, e.plan, e.certificate).where(e.session_id == session_id)
    with records.database.read() as connection:
        row = connection.execute(asked).first()
    return Errand(*row) if row else None


def add_slip(records: Records, slip: IssuedSlip) -> None:
    """Remember an issued slip by its code."""
    with records.database.write() as connection:
        connection.execute(insert(credit_slip).values(**asdict(slip) | {"user": storable(slip.user)}))


def find_slip(records: Records, *, slip_id: str | None = None, code: str | None = None) -> IssuedSlip | None:
    """Find an issued slip by its number or its verification code."""
    s = credit_slip.c
    wanted = s.slip_id == slip_id if slip_id is not None else s.verification_code == (code or "")
    with records.database.read() as connection:
        row = connection.execute(select(*(s[one.name] for one in fields(IssuedSlip))).where(wanted)).first()
    return IssuedSlip(*row) if row else None


def uses(records: Records, user: str, kinds: Collection[str], since: datetime, *, without_plan: bool = False) -> Uses:
    """Count what a user looked at since an instant; ``without_plan`` only what no plan stood behind."""
    a = models.access.c
    asked = select(func.count(), func.coalesce(func.sum(a.count), 0)).where(
        a.user == user, a.at >= since, a.kind.in_(kinds)
    )
    if without_plan:
        asked = asked.where(a.plan == "")
    with records.database.read() as connection:
        times, shown = connection.execute(asked).one()
    return Uses(int(times), int(shown))
