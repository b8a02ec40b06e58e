"""Accounts and their roles: every change is one transaction with an event ``account-change`` on the chain.

The event names the account by its number and says what was done, never a name, a login or a hash. What makes an open
session untrue (disabling, other roles, another password or second factor) ends it in the same transaction.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from records import account_models as models
from records import chain
from records.account_sessions import end_sessions
from records.errors import LoginTaken, UnknownAccount
from records.store import CHINA, Records, storable


@dataclass(frozen=True, slots=True)
class Account:
    """One account; ``one_time_until`` is set while its password is a one-time one, ``factor_at`` once a code fitted."""

    account_id: str
    login: str
    name: str
    bureau: str
    password_hash: str = field(repr=False)
    password_at: datetime
    one_time_until: datetime | None
    factor_sealed: str = field(repr=False)
    factor_at: datetime | None
    factor_step: int
    disabled_at: datetime | None
    made_at: datetime
    made_by: str
    roles: frozenset[str] = frozenset()


COLUMNS = tuple(models.account.c[one.name] for one in fields(Account) if one.name != "roles")


def new_account_id(at: datetime) -> str:
    """Make the number of a new account; it says nothing of the person."""
    return f"u-{at.astimezone(CHINA):%Y%m%d}-{secrets.token_hex(6)}"


def add_account(
    records: Records,
    *,
    login: str,
    name: str,
    bureau: str,
    roles: Collection[str],
    password_hash: str,
    one_time_until: datetime | None,
    by: str,
    at: datetime,
) -> Account:
    """Keep a new account.

    Raises
    ------
    LoginTaken
    """
    made = Account(
        new_account_id(at), login, storable(name), bureau, password_hash, at, one_time_until, "", None, -1, None, at, by
    )
    values = {one.name: getattr(made, one.name) for one in fields(Account) if one.name != "roles"}
    try:
        with records.database.write() as connection:
            connection.execute(insert(models.account).values(**values))
            _write_roles(connection, made.account_id, roles, by, at)
            _tell(connection, made, "added", by, at, {"roles": sorted(roles)})
    except IntegrityError as error:
        raise LoginTaken(f"登录名 {login} 已被使用，请换一个", f"the login {login} is taken; choose another") from error
    return account(records, made.account_id)


def account(records: Records, account_id: str) -> Account:
    """Give an account by its number.

    Raises
    ------
    UnknownAccount
    """
    with records.database.read() as connection:
        return account_of(connection, account_id)


def find_login(records: Records, login: str) -> Account | None:
    """Give the account of a login, None where nobody has it."""
    with records.database.read() as connection:
        found = connection.execute(select(*COLUMNS).where(models.account.c.login == login)).one_or_none()
        return None if found is None else _with_roles(connection, found)


def accounts(records: Records, bureau: str | None = None) -> list[Account]:
    """List accounts by login, of one bureau or all."""
    query = select(*COLUMNS).order_by(models.account.c.bureau, models.account.c.login)
    if bureau is not None:
        query = query.where(models.account.c.bureau == bureau)
    role = models.account_role.c
    with records.database.read() as connection:
        roles: dict[str, set[str]] = {}
        for row in connection.execute(select(role.account_id, role.role)):
            roles.setdefault(row.account_id, set()).add(row.role)
        return [_account(row, roles.get(row.account_id, set())) for row in connection.execute(query)]


def set_password(
    records: Records,
    account_id: str,
    password_hash: str,
    change: str,
    by: str,
    at: datetime,
    until: datetime | None,
    *,
    keys_too: bool = False,
) -> None:
    """Keep another password and end every session; with ``until`` it is a one-time password, good until then.

    With ``keys_too`` every API key is revoked in the same transaction.
    """
    values = {"password_hash": password_hash, "password_at": at, "one_time_until": until}
    told: dict[str, Any] = {}
    with changing(records, account_id, change, by, at, told) as connection:
        connection.execute(_row(account_id).values(**values))
        end_sessions(connection, account_id, at, change)
        if keys_too:
            k = models.api_key.c
            alive = update(models.api_key).where(k.account_id == account_id, k.revoked_at.is_(None))
            told["keys_revoked"] = connection.execute(alive.values(revoked_at=at)).rowcount


def set_hash(records: Records, account_id: str, old: str, new: str) -> None:
    """Put a stronger hash of the same password in place of the old one, unless it was changed meanwhile."""
    with records.database.write() as connection:
        connection.execute(_row(account_id).where(models.account.c.password_hash == old).values(password_hash=new))


def set_disabled(records: Records, account_id: str, disabled: bool, by: str, at: datetime, reason: str) -> None:
    """Close or open an account; closed, its sessions end and its keys are dead."""
    told = {"reason_sha256": chain_hash(reason)} if reason else {}
    with changing(records, account_id, "disabled" if disabled else "enabled", by, at, told) as connection:
        connection.execute(_row(account_id).values(disabled_at=at if disabled else None))
        end_sessions(connection, account_id, at, "disabled")


def set_roles(records: Records, account_id: str, roles: Collection[str], by: str, at: datetime) -> None:
    """Give an account these roles and no others; its sessions end."""
    with records.database.write() as connection:
        found = account_of(connection, account_id)
        if found.roles == frozenset(roles):
            return
        connection.execute(delete(models.account_role).where(models.account_role.c.account_id == account_id))
        _write_roles(connection, account_id, roles, by, at)
        end_sessions(connection, account_id, at, "roles")
        _tell(connection, found, "roles", by, at, {"roles": sorted(roles), "before": sorted(found.roles)})


def set_factor(records: Records, account_id: str, sealed: str, codes: Collection[str], by: str, at: datetime) -> None:
    """Keep the sealed secret of a second factor with its recovery codes (hashes), or take it away where blank."""
    with changing(records, account_id, "factor-on" if sealed else "factor-off", by, at) as connection:
        values = {"factor_sealed": sealed, "factor_at": at if sealed else None, "factor_step": -1}
        connection.execute(_row(account_id).values(**values))
        _write_codes(connection, account_id, codes)
        end_sessions(connection, account_id, at, "factor")


def set_recovery_codes(records: Records, account_id: str, codes: Collection[str], by: str, at: datetime) -> None:
    """Put new recovery codes (hashes) in place of all old ones."""
    with changing(records, account_id, "recovery-codes", by, at) as connection:
        _write_codes(connection, account_id, codes)


def use_factor_step(records: Records, account_id: str, step: int) -> bool:
    """Use the code of a step of time; False where it, or a later one, was used before."""
    newer = _row(account_id).where(models.account.c.factor_step < step)
    with records.database.write() as connection:
        return connection.execute(newer.values(factor_step=step)).rowcount == 1


def use_recovery_code(records: Records, account_id: str, sha256: str, at: datetime) -> bool:
    """Use a recovery code; False where there is none such, or it was used before. It is told on the chain."""
    code = models.recovery_code.c
    mine = (code.account_id == account_id, code.sha256 == sha256, code.used_at.is_(None))
    with records.database.write() as connection:
        used = connection.execute(update(models.recovery_code).where(*mine).values(used_at=at)).rowcount == 1
        if used:
            _tell(connection, account_of(connection, account_id), "recovery-used", account_id, at, {})
    return used


def recovery_codes_left(records: Records, account_id: str) -> int:
    """Count the recovery codes that were not used."""
    code = models.recovery_code.c
    unused = select(func.count()).where(code.account_id == account_id, code.used_at.is_(None))
    with records.database.read() as connection:
        return int(connection.execute(unused).scalar_one())


@contextmanager
def changing(
    records: Records, account_id: str, change: str, by: str, at: datetime, told: dict[str, Any] | None = None
) -> Iterator[Connection]:
    """Change an account in one transaction, with its event on the chain.

    Raises
    ------
    UnknownAccount
    """
    with records.database.write() as connection:
        found = account_of(connection, account_id)
        yield connection
        _tell(connection, found, change, by, at, told or {})


def account_of(connection: Connection, account_id: str) -> Account:
    """Give an account inside the caller's transaction."""
    found = connection.execute(select(*COLUMNS).where(models.account.c.account_id == account_id)).one_or_none()
    if found is None:
        raise UnknownAccount(f"没有账户 {account_id}", f"there is no account {account_id}")
    return _with_roles(connection, found)


def chain_hash(text: str) -> str:
    """Hash a free text, which the chain never holds itself."""
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def _tell(connection: Connection, one: Account, change: str, by: str, at: datetime, more: dict[str, Any]) -> None:
    payload = {"account": one.account_id, "change": change, "by": by} | more
    chain.append(connection, "account-change", at, one.bureau, None, payload)


def _with_roles(connection: Connection, row: Any) -> Account:
    role = models.account_role.c
    roles = connection.execute(select(role.role).where(role.account_id == row.account_id)).scalars()
    return _account(row, roles)


def _account(row: Any, roles: Iterable[str]) -> Account:
    return Account(**row._mapping, roles=frozenset(roles))


def _write_roles(connection: Connection, account_id: str, roles: Collection[str], by: str, at: datetime) -> None:
    rows = [{"account_id": account_id, "role": role, "given_at": at, "given_by": by} for role in sorted(set(roles))]
    if rows:
        connection.execute(insert(models.account_role), rows)


def _write_codes(connection: Connection, account_id: str, codes: Collection[str]) -> None:
    connection.execute(delete(models.recovery_code).where(models.recovery_code.c.account_id == account_id))
    if codes:
        connection.execute(
            insert(models.recovery_code), [{"account_id": account_id, "sha256": one} for one in sorted(set(codes))]
        )


def _row(account_id: str) -> Any:
    return update(models.account).where(models.account.c.account_id == account_id)
