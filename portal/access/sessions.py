"""Sessions: a token of 256 bits that only its holder has, and the caller it stands for at this moment."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from portal.access.caller import Caller
from portal.access.errors import LoginRefused
from portal.access.gate import Gate
from records import account_sessions as kept
from records.account_sessions import Holder, Session

TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session just begun: its token, to be given to the browser once, and what the login still misses."""

    token: str = field(repr=False)
    session_id: str
    account_id: str
    step: str


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session as its holder may see it; ``current`` is the one he looks with."""

    session_id: str
    started_at: datetime
    seen_at: datetime
    ends_at: datetime
    second_factor: bool
    address: str
    agent: str
    current: bool


def token_hash(token: str) -> str:
    """Give what is kept of a token."""
    return hashlib.sha256(token.encode("utf-8", "backslashreplace")).hexdigest()


def step_of(one_time: bool, factor: bool, passed: bool) -> str:
    """Say what a login still misses: first the code, then another password than the one-time one."""
    if factor and not passed:
        return "code"
    return "change" if one_time else ""


def live(gate: Gate, token: str, at: datetime) -> tuple[Session, Holder] | None:
    """Give the session of a token and its holder, None where it is unknown, ended, too old or unused for too long."""
    found = kept.find_session(gate.records, token_hash(token)) if token else None
    if found is None:
        return None
    session, holder = found
    dead = session.ended_at is not None or holder.disabled
    late = at >= session.ends_at or at >= session.seen_at + gate.rules.session.idle
    return None if dead or late else found


def caller_of(gate: Gate, token: str, at: datetime) -> Caller | None:
    """Give the caller of a token as his account stands now, and count this as a use; None: log in first.

    The use is written down once a minute, so a session may be found idle up to a minute early, never late.
    """
    found = live(gate, token, at)
    if found is None:
        return None
    session, holder = found
    if at >= session.seen_at + timedelta(seconds=gate.rules.session.touch_seconds):
        kept.touch_session(gate.records, session.token_sha256, at)
    passed = session.factor_at is not None
    return Caller(
        account_id=session.account_id,
        name=holder.name,
        bureau=holder.bureau,
        roles=holder.roles,
        second_factor=passed,
        session_id=session.session_id,
        kind="session",
        login=holder.login,
        step=step_of(holder.one_time, holder.factor, passed),
    )


def begin(
    gate: Gate,
    account_id: str,
    bureau: str,
    step: str,
    at: datetime,
    how: str,
    *,
    address: str = "",
    agent: str = "",
    factor_at: datetime | None = None,
    ends_at: datetime | None = None,
    replaces: str = "",
) -> SignedIn:
    """Begin a session; the one it replaces (hash of its token) ends with it.

    Raises
    ------
    LoginRefused
        The replaced session, or the account, was closed meanwhile.
    """
    rules = gate.rules.session
    token = secrets.token_urlsafe(TOKEN_BYTES)
    end = ends_at or at + rules.life(step != "code")
    session = kept.new_session(token_hash(token), account_id, at, end, factor_at, address, agent)
    old = at - timedelta(days=rules.kept_days)
    if not kept.start_session(gate.records, session, bureau, how, old, replaces):
        raise LoginRefused("会话已结束，请重新登录", "the session has ended; log in again")
    return SignedIn(token, session.session_id, account_id, step)


def open_sessions(gate: Gate, caller: Caller, at: datetime) -> list[OpenSession]:
    """List the sessions of the caller's account that are open now, the newest first."""
    idle = gate.rules.session.idle
    return [
        OpenSession(
            one.session_id, one.started_at, one.seen_at, one.ends_at, one.factor_at is not None,
            one.address, one.agent, one.session_id == caller.session_id,
        )
        for one in kept.sessions_of(gate.records, caller.account_id)
        if one.ended_at is None and at < one.ends_at and at < one.seen_at + idle
    ]  # fmt: skip


def end_session(gate: Gate, caller: Caller, session_id: str, at: datetime) -> bool:
    """End one session of the caller's own account; False where it has none open of this number."""
    return kept.end_session(gate.records, caller.account_id, session_id, at, "logout")


def end_others(gate: Gate, caller: Caller, at: datetime) -> int:
    """End all other sessions of the caller's account; gives how many."""
    return kept.end_other_sessions(gate.records, caller.account_id, caller.session_id, at)
