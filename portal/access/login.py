"""Logging in, step by step: account and password, then the code of the second factor, then another password.

Whatever is wrong is told in one sentence, and takes the same time: who asks does not learn which accounts there are.
Each finished step gives a new token; the old one is dead.
"""

from __future__ import annotations

from datetime import datetime

from portal.access import sessions
from portal.access.checking import check_password, refuse
from portal.access.errors import LoginRefused, PasswordRefused
from portal.access.gate import Gate
from portal.access.passwords import refuse_weak
from portal.access.second_factor import accepts
from portal.access.sessions import SignedIn
from portal.access.throttling import counted_address, open_try
from records import account_sessions, accounts
from records.account_sessions import Holder, Session
from records.accounts import Account
from records.login_tries import pass_try
from records.store import storable
from schemas.files import fold

MOST_LOGIN = 60


def fold_login(text: str) -> str:
    """Write a login as it is kept: half-width, small letters, no blanks around it, nothing a database does not take."""
    return storable(fold(text[: 4 * MOST_LOGIN]).casefold()[:MOST_LOGIN])


def sign_in(
    gate: Gate, login: str, password: str, at: datetime, *, address: str = "", agent: str = "", replaces: str = ""
) -> SignedIn:
    """Take account and password, and begin a session; ``step`` of the answer says what is still missing.

    ``replaces`` is the token the browser came with, if any: it is dead afterwards.

    Raises
    ------
    LoginRefused, MustWait, DoorBusy
    """
    typed = fold_login(login)
    found = accounts.find_login(gate.records, typed)
    with counted_address(gate, address, at):
        check_password(gate, typed, found, password, at)
    assert found is not None, "nobody's password never fits"
    if gate.passwords.is_old(found.password_hash):
        accounts.set_hash(gate.records, found.account_id, found.password_hash, gate.passwords.hash(password))
    if replaces:
        sign_out(gate, replaces, at)
    step = sessions.step_of(found.one_time_until is not None, found.factor_at is not None, False)
    return sessions.begin(gate, found.account_id, found.bureau, step, at, "password", address=address, agent=agent)


def pass_code(gate: Gate, token: str, code: str, at: datetime) -> SignedIn:
    """Take the code of the second factor, or a recovery code, and renew the session.

    Raises
    ------
    LoginRefused, MustWait
    """
    session, holder = _live(gate, token, at)
    found = accounts.account(gate.records, session.account_id)
    number = open_try(gate, found.login, "code", True, at)
    how = accepts(gate, found, code, at)
    if not how:
        refuse(gate, found, "code", "wrong", at)
    pass_try(gate.records, number)
    step = sessions.step_of(holder.one_time, True, True)
    return sessions.begin(
        gate, found.account_id, found.bureau, step, at, how, address=session.address, agent=session.agent,
        factor_at=at, replaces=session.token_sha256,
    )  # fmt: skip


def change_password(gate: Gate, token: str, old: str, new: str, at: datetime) -> SignedIn:
    """Take another password of the holder's own; every session ends, and this one goes on under a new token.

    Raises
    ------
    LoginRefused, MustWait, DoorBusy, PasswordRefused
    """
    session, holder = _live(gate, token, at)
    if sessions.step_of(holder.one_time, holder.factor, session.factor_at is not None) == "code":
        raise LoginRefused("请先输入第二因素验证码", "give the code of the second factor first")
    found = accounts.account(gate.records, session.account_id)
    check_password(gate, found.login, found, old, at)
    if new == old:
        raise PasswordRefused("新密码不能与原密码相同", "the new password must differ from the old one")
    refuse_weak(new, gate.rules.password, names_of(gate, found))
    hashed = gate.passwords.hash(new)
    accounts.set_password(gate.records, found.account_id, hashed, "password", found.account_id, at, None)
    return sessions.begin(
        gate, found.account_id, found.bureau, "", at, "change", address=session.address, agent=session.agent,
        factor_at=session.factor_at, ends_at=session.ends_at,
    )  # fmt: skip


def sign_out(gate: Gate, token: str, at: datetime) -> None:
    """End the session of a token, whatever step it is at; an unknown one is no error."""
    found = account_sessions.find_session(gate.records, sessions.token_hash(token))
    if found is not None:
        account_sessions.end_session(gate.records, found[0].account_id, found[0].session_id, at, "logout")


def names_of(gate: Gate, found: Account) -> list[str]:
    """List the names no password of an account may mostly consist of."""
    bureau = gate.bureaus.get(found.bureau)
    return [found.login, found.name, found.bureau, *((bureau.name_zh, *bureau.aliases) if bureau else ())]


def _live(gate: Gate, token: str, at: datetime) -> tuple[Session, Holder]:
    found = sessions.live(gate, token, at)
    if found is None:
        raise LoginRefused("会话已结束，请重新登录", "the session has ended; log in again")
    return found
