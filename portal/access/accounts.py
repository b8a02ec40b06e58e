"""Making and keeping accounts: what an administrator does, at the portal or at the keyboard of the server.

A password is never chosen for somebody: an account begins with a one-time password that is shown once, ends after some
days, and must be changed at the first login. ``by`` is the number of the account that acts, or the user of the server.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from portal.access.errors import AccountRefused, RolesRefused
from portal.access.gate import Gate
from portal.access.login import fold_login
from portal.access.passwords import one_time_password
from records import accounts as kept
from records.accounts import Account
from records.login_tries import forget_tries
from schemas.permissions import portal_roles

LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{1,59}")
ADMINISTRATOR = "administrator"


@dataclass(frozen=True, slots=True)
class Issued:
    """An account with its one-time password, which is shown once and kept nowhere."""

    account: Account
    password: str = field(repr=False)


def add(gate: Gate, login: str, name: str, bureau: str, roles: Collection[str], by: str, at: datetime) -> Issued:
    """Make an account.

    Raises
    ------
    AccountRefused, RolesRefused, LoginTaken
    """
    typed = fold_login(login)
    if not LOGIN.fullmatch(typed) or not name.strip():
        raise AccountRefused(
            f"登录名“{login}”应为 2 至 60 个小写字母、数字、点、短横或下划线，姓名不能为空",
            f"the login {login!r} has 2 to 60 letters, digits, dots, hyphens or underscores, and there is a name",
        )
    if bureau not in gate.bureaus:
        raise AccountRefused(
            f"没有单位 {bureau}；可选：{'、'.join(gate.bureaus)}",
            f"no bureau {bureau}; there are {', '.join(gate.bureaus)}",
        )
    check_roles(roles)
    password = one_time_password()
    made = kept.add_account(
        gate.records, login=typed, name=name.strip(), bureau=bureau, roles=roles,
        password_hash=gate.passwords.hash(password), one_time_until=_one_time_until(gate, at), by=by, at=at,
    )  # fmt: skip
    return Issued(made, password)


def first_administrators(gate: Gate, by: str, at: datetime) -> list[Issued]:
    """Make an administrator for each bureau that never had one: neither bureau stands above the other."""
    served = {one.bureau for one in kept.accounts(gate.records) if ADMINISTRATOR in one.roles}
    free = {bureau: f"admin-{bureau}" for bureau in sorted(gate.bureaus) if bureau not in served}
    return [
        add(gate, login, "系统管理员", bureau, [ADMINISTRATOR], by, at)
        for bureau, login in free.items()
        if kept.find_login(gate.records, login) is None
    ]


def opened_doors(gate: Gate, by: str, at: datetime) -> list[Issued]:
    """Make first administrators, and give those who never signed in another one-time password: theirs may be lost."""
    made = first_administrators(gate, by, at)
    new = {one.account.login for one in made}
    unused = [
        one.login for one in kept.accounts(gate.records)
        if ADMINISTRATOR in one.roles and one.login not in new and one.one_time_until is not None and not one.disabled_at
    ]  # fmt: skip
    return made + [reset(gate, login, by, at) for login in unused]


def named(gate: Gate, login: str) -> Account:
    """Give the account of a login.

    Raises
    ------
    AccountRefused
        Nobody has it.
    """
    found = kept.find_login(gate.records, fold_login(login))
    if found is None:
        raise AccountRefused(f"没有登录名为 {login} 的账户", f"nobody has the login {login}")
    return found


def disable(gate: Gate, login: str, by: str, at: datetime, reason: str = "") -> Account:
    """Close an account at once: its sessions end, its keys are dead.

    Raises
    ------
    AccountRefused
        Nobody has this login, or it is one's own.
    """
    found = _anothers(gate, login, by)
    kept.set_disabled(gate.records, found.account_id, True, by, at, reason)
    return kept.account(gate.records, found.account_id)


def enable(gate: Gate, login: str, by: str, at: datetime, reason: str = "") -> Account:
    """Open a closed account again, with the password it had."""
    found = named(gate, login)
    kept.set_disabled(gate.records, found.account_id, False, by, at, reason)
    return kept.account(gate.records, found.account_id)


def reset(gate: Gate, login: str, by: str, at: datetime, *, second_factor: bool = False) -> Issued:
    """Give a new one-time password, end every wait and session, revoke every key; ``second_factor`` takes that away too.

    Raises
    ------
    AccountRefused
        Nobody has this login, or it is one's own: who is signed in changes his password himself.
    """
    found = _anothers(gate, login, by)
    password = one_time_password()
    hashed, until = gate.passwords.hash(password), _one_time_until(gate, at)
    kept.set_password(gate.records, found.account_id, hashed, "reset", by, at, until, keys_too=True)
    if second_factor:
        kept.set_factor(gate.records, found.account_id, "", (), by, at)
    forget_tries(gate.records, found.login)
    return Issued(kept.account(gate.records, found.account_id), password)


def set_roles(gate: Gate, login: str, roles: Collection[str], by: str, at: datetime) -> Account:
    """Give an account these roles and no others; it holds from the next request on, for its keys too.

    Raises
    ------
    AccountRefused
        Nobody has this login, or it is one's own: nobody gives himself a role.
    RolesRefused
    """
    found = _anothers(gate, login, by)
    check_roles(roles)
    kept.set_roles(gate.records, found.account_id, roles, by, at)
    return kept.account(gate.records, found.account_id)


def check_roles(roles: Collection[str]) -> None:
    """Refuse roles nobody knows, none at all, and two that exclude each other.

    Raises
    ------
    RolesRefused
    """
    known = portal_roles()
    unknown = sorted(set(roles) - set(known))
    if unknown or not roles:
        raise RolesRefused(
            f"没有角色 {'、'.join(unknown) or '（空）'}；可选：{'、'.join(known)}",
            f"no role {', '.join(unknown) or '(none)'}; there are {', '.join(known)}",
        )
    for role in sorted(set(roles)):
        against = sorted(set(known[role].excludes) & set(roles))
        if against:
            other = known[against[0]]
            raise RolesRefused(
                f"{known[role].title_zh}与{other.title_zh}不能由同一人担任",
                f"one person cannot be {known[role].title_en} and {other.title_en}",
            )


def _anothers(gate: Gate, login: str, by: str) -> Account:
    """Give the account of a login that is not the one who acts."""
    found = named(gate, login)
    if found.account_id == by:
        raise AccountRefused(
            "不能停用、重置本人账户或改变本人角色，请由另一位系统管理员办理；修改口令请到“账户”页",
            "nobody closes or resets his own account or changes his own roles: ask another administrator; "
            "one's own password is changed on the account page",
        )
    return found


def _one_time_until(gate: Gate, at: datetime) -> datetime:
    return at + timedelta(days=gate.rules.password.one_time_days)
