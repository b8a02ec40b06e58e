"""Tries to log in: written down before they are looked at, so that many at once are counted like one after another.

A login is kept as its hash: people type passwords into the wrong field. What is older than two days is removed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, insert, select, update

from records import account_models as models
from records import chain
from records.accounts import Account, chain_hash
from records.store import Records

DAY = timedelta(days=1)
FAILED, PASSED = "failed", "passed"


@dataclass(frozen=True, slots=True)
class Tries:
    """The failures of one login at one step in the last day, oldest first; ``recent`` are those since it last passed."""

    day: tuple[datetime, ...]
    recent: tuple[datetime, ...]


def begin_try(
    records: Records, login: str, step: str, known: bool, at: datetime, wait: Callable[[Tries], datetime | None]
) -> tuple[int, datetime | None]:
    """Write a try down as failed, until :func:`pass_try` says otherwise, unless it has to wait.

    Returns
    -------
    (int, datetime or None)
        Number of the try, or 0 and the instant until which it must wait; then nothing was written.
    """
    t = models.login_try.c
    with records.database.write() as connection:
        mine = (t.login_sha256 == chain_hash(login), t.step == step, t.at > at - DAY)
        rows = connection.execute(select(t.at, t.outcome).where(*mine).order_by(t.id)).all()
        last = max((place for place, row in enumerate(rows) if row.outcome == PASSED), default=-1)
        failed = [(place, row.at) for place, row in enumerate(rows) if row.outcome == FAILED]
        day = tuple(moment for _, moment in failed)
        until = wait(Tries(day, tuple(moment for place, moment in failed if place > last)))
        if until is not None:
            return 0, until
        connection.execute(delete(models.login_try).where(t.at < at - 2 * DAY))
        values = {"step": step, "at": at, "outcome": FAILED, "known": "yes" if known else "no"}
        new = insert(models.login_try).values(login_sha256=chain_hash(login), **values).returning(t.id)
        return int(connection.execute(new).scalar_one()), None


def pass_try(records: Records, number: int) -> None:
    """Say that a try was right."""
    with records.database.write() as connection:
        connection.execute(update(models.login_try).where(models.login_try.c.id == number).values(outcome=PASSED))


def forget_try(records: Records, number: int) -> None:
    """Take back a try that could not be looked at."""
    with records.database.write() as connection:
        connection.execute(delete(models.login_try).where(models.login_try.c.id == number))


def forget_tries(records: Records, login: str) -> None:
    """Take back all tries of a login: its wait is over."""
    with records.database.write() as connection:
        connection.execute(delete(models.login_try).where(models.login_try.c.login_sha256 == chain_hash(login)))


def tell_refused(
    records: Records, account: Account | None, step: str, reason: str, at: datetime, window: timedelta, most: int
) -> None:
    """Put a refused login on the chain; of unknown names no more than ``most`` in a window, lest the chain be flooded."""
    t = models.login_try.c
    unknown = select(func.count()).where(t.known == "no", t.at > at - window)
    with records.database.write() as connection:
        if account is None and connection.execute(unknown).scalar_one() > most:
            return
        payload = {"account": account.account_id if account else "", "step": step, "reason": reason}
        chain.append(connection, "login-refused", at, account.bureau if account else None, None, payload)
