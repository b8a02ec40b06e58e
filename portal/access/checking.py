"""Checking a password: counted before it is looked at, as slow for nobody's account as for somebody's, told in one sentence."""

from __future__ import annotations

from datetime import datetime
from typing import NoReturn

from portal.access.errors import DoorBusy, LoginRefused
from portal.access.gate import Gate
from portal.access.throttling import open_try
from records.accounts import Account
from records.login_tries import forget_try, pass_try, tell_refused


def check_password(gate: Gate, login: str, found: Account | None, password: str, at: datetime) -> None:
    """See that a password is the account's, counting failures; what is wrong is one sentence.

    Raises
    ------
    LoginRefused, MustWait, DoorBusy
    """
    number = open_try(gate, login, "password", found is not None, at)
    try:
        fits = gate.passwords.fits(password, found.password_hash if found else None)
    except DoorBusy:
        forget_try(gate.records, number)
        raise
    reason = _why_not(found, fits, at)
    if reason:
        refuse(gate, found, "password", reason, at)
    pass_try(gate.records, number)


def _why_not(found: Account | None, fits: bool, at: datetime) -> str:
    """Give the code for the chain of why a login is refused, blank where it is not."""
    if found is None:
        return "unknown"
    if not fits:
        return "wrong"
    if found.disabled_at is not None:
        return "disabled"
    return "one-time-expired" if found.one_time_until is not None and at >= found.one_time_until else ""


def refuse(gate: Gate, found: Account | None, step: str, reason: str, at: datetime) -> NoReturn:
    """Refuse a login; the reason goes on the chain, not to who asks."""
    rules = gate.rules.throttle
    tell_refused(gate.records, found, step, reason, at, rules.window, rules.told_unknown)
    if step == "oidc":
        raise LoginRefused(
            "此身份在本系统没有可用的账户，请联系本单位系统管理员",
            "this identity has no account that can be used here; ask your administrator",
        )
    if step == "code":
        raise LoginRefused("验证码不正确或已使用过", "the code is wrong or was used before")
    raise LoginRefused(
        "登录名或密码不正确，或账户不可用；一次性密码过期请联系本单位系统管理员",
        "wrong login or password, or the account cannot be used; for a stale one-time password ask your administrator",
    )
