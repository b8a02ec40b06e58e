"""Sessions of the portal: found by the SHA-256 of their token, dead at once when ended.

A row stays for a while after its end, so that an account can see where it was used; then it is removed. How long a
session lives is the caller's business; this module only holds what is true of it.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from records import account_models as models
from records import chain
from records.store import CHINA, Records, storable

MOST_TEXT = 300


@dataclass(frozen=True, slots=True)
class Session:
    """One session; ``factor_at`` is set where the second factor was passed in it."""

    token_sha256: str = field(repr=False)
    session_id: str
    account_id: str
    started_at: datetime
    seen_at: datetime
    ends_at: datetime
    factor_at: datetime | None
    address: str
    agent: str
    ended_at: datetime | None
    ended_why: str


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose a session is, as the account stands now."""

    login: str
    name: str
    bureau: str
    one_time: bool
    factor: bool
    disabled: bool
    roles: frozenset[str]


COLUMNS = tuple(models.session.c[one.name] for one in fields(Session))


def new_session(
    token_sha256: str,
    account_id: str,
    at: datetime,
    ends_at: datetime,
    factor_at: datetime | None,
    address: str,
    agent: str,
) -> Session:
    """Make a session that begins now; address and agent are kept for its holder to see, cut to what is sensible."""
    place, program = (storable(text)[:MOST_TEXT] for text in (address, agent))
    number = f"s-{at.astimezone(CHINA):%Y%m%d}-{secrets.token_hex(6)}"
    return Session(token_sha256, number, account_id, at, at, ends_at, factor_at, place, program, None, "")


def start_session(
    records: Records, session: Session, bureau: str, how: str, remove_before: datetime, replaces: str = ""
) -> bool:
    """Keep a session with its event ``login``; the one it replaces (by its token's hash) ends with it.

    False, and nothing is kept, where the replaced session had ended already or its account was disabled meanwhile.
    """
    s = models.session.c
    with records.database.write() as connection:
        if replaces and not _end(connection, (s.token_sha256 == replaces,), session.started_at, "renewed"):
            return False
        a = models.account.c
        if connection.execute(select(a.disabled_at).where(a.account_id == session.account_id)).scalar_one() is not None:
            return False
        connection.execute(delete(models.session).where(s.ends_at < remove_before))
        connection.execute(
            insert(models.session).values(**{one.name: getattr(session, one.name) for one in fields(Session)})
        )
        payload = {"account": session.account_id, "session": session.session_id, "how": how}
        chain.append(connection, "login", session.started_at, bureau, None, payload)
    return True


def find_session(records: Records, token_sha256: str) -> tuple[Session, Holder] | None:
    """Give the session of a token, ended or not, with its holder as he stands now."""
    a, role = models.account.c, models.account_role.c
    held = (a.login, a.name, a.bureau, a.one_time_until, a.factor_at, a.disabled_at)
    query = select(*COLUMNS, *held).join_from(models.session, models.account)
    with records.database.read() as connection:
        row = connection.execute(query.where(models.session.c.token_sha256 == token_sha256)).one_or_none()
        if row is None:
            return None
        roles = connection.execute(select(role.role).where(role.account_id == row.account_id)).scalars()
        login, name, bureau, one_time, factor, disabled = row[len(COLUMNS) :]
        truths = (one_time is not None, factor is not None, disabled is not None)
        holder = Holder(login, name, bureau, truths[0], truths[1], truths[2], frozenset(roles))
    return Session(*row[: len(COLUMNS)]), holder


def touch_session(records: Records, token_sha256: str, at: datetime) -> None:
    """Write down that a session was used; never back in time, never one that has ended."""
    s = models.session.c
    mine = update(models.session).where(s.token_sha256 == token_sha256, s.ended_at.is_(None), s.seen_at < at)
    with records.database.write() as connection:
        connection.execute(mine.values(seen_at=at))


def sessions_of(records: Records, account_id: str) -> list[Session]:
    """List the sessions of an account, the newest first, those that ended too."""
    s = models.session.c
    query = select(*COLUMNS).where(s.account_id == account_id).order_by(s.started_at.desc(), s.session_id)
    with records.database.read() as connection:
        return [Session(*row) for row in connection.execute(query)]


def end_session(records: Records, account_id: str, session_id: str, at: datetime, why: str) -> bool:
    """End one session of an account, with an event ``logout``; False where there is none open of this number."""
    s = models.session.c
    with records.database.write() as connection:
        ended = _end(connection, (s.account_id == account_id, s.session_id == session_id), at, why)
        if ended:
            payload = {"account": account_id, "session": session_id, "why": why}
            chain.append(connection, "logout", at, None, None, payload)
    return ended > 0


def end_other_sessions(records: Records, account_id: str, keep: str, at: datetime) -> int:
    """End all sessions of an account but the one named; gives how many."""
    s = models.session.c
    with records.database.write() as connection:
        ended = _end(connection, (s.account_id == account_id, s.session_id != keep), at, "others")
        if ended:
            payload = {"account": account_id, "kept": keep, "why": "others", "ended": ended}
            chain.append(connection, "logout", at, None, None, payload)
    return ended


def end_sessions(connection: Connection, account_id: str, at: datetime, why: str) -> int:
    """End every session of an account inside the caller's transaction."""
    return _end(connection, (models.session.c.account_id == account_id,), at, why)


def forget_sessions(records: Records) -> None:
    """Remove every session: in a restored copy those would live again that had ended since it was made."""
    with records.database.write() as connection:
        connection.execute(delete(models.session))


def _end(connection: Connection, which: tuple[Any, ...], at: datetime, why: str) -> int:
    still = update(models.session).where(models.session.c.ended_at.is_(None), *which)
    return connection.execute(still.values(ended_at=at, ended_why=why)).rowcount
