"""Accounts and keys of the own bureau: what ``gongzhi users`` does, for an administrator with his second factor.

A one-time password and a key are drawn into the answer of the form that made them, once; they are kept nowhere.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from starlette.responses import Response

from portal.access import accounts as making
from portal.access.errors import AccessError
from portal.access.keys import is_good, issue_key, key_permissions, revoke_key
from portal.web.asking import Ask, see
from portal.web.errors import Problem
from portal.web.pages import page
from records import accounts as kept
from records.account_keys import key_of, keys_of
from records.account_sessions import sessions_of
from records.accounts import Account
from records.errors import LoginTaken, UnknownAccount
from schemas.permissions import permissions, portal_roles

LONGEST = 200
DONE = {
    "roles": ("角色已更改，此人的会话都已结束。", "The roles are changed; all sessions of this person have ended."),
    "closed": ("账户已停用，会话与密钥立即失效。", "The account is closed; its sessions and keys are dead."),
    "open": ("账户已恢复。", "The account is open again."),
    "revoked": ("密钥已吊销。", "The key is revoked."),
}


def listed(ask: Ask) -> Response:
    """List the accounts."""
    ask.need("users.read", ask.me.bureau)
    return _list(ask)


def add(ask: Ask) -> Response:
    """Make an account, and show its one-time password."""
    ask.need("users.manage", ask.me.bureau)
    login, name = (ask.form.get(field, "").strip()[:LONGEST] for field in ("login", "name"))
    chosen = _chosen(ask, "role-")
    try:
        issued = making.add(ask.site.gate, login, name, ask.me.bureau, chosen, ask.me.account_id, ask.at)
    except (AccessError, LoginTaken) as error:
        fault = ask.words(error.message, error.message_en)
        return _list(ask, 422, {"": fault}, {"login": login, "name": name, "roles": chosen})
    return _once(ask, issued.account, password=issued.password)


def one(ask: Ask) -> Response:
    """Show one account."""
    found = _own(ask, "users.read")
    return _one(ask, found, told=ask.words(*DONE.get(ask.query.get("done", ""), ("", ""))))


def roles(ask: Ask) -> Response:
    """Give other roles."""
    found = _own(ask, "users.manage")
    chosen = _chosen(ask, "role-")
    try:
        making.set_roles(ask.site.gate, found.login, chosen, ask.me.account_id, ask.at)
    except AccessError as error:
        return _one(ask, found, 422, {"": ask.words(error.message, error.message_en)})
    return see(_address(found), done="roles")


def state(ask: Ask) -> Response:
    """Close an account, or open it again."""
    found = _own(ask, "users.manage")
    closing = ask.form.get("to") != "open"
    reason = ask.form.get("reason", "").strip()[:LONGEST]
    act = making.disable if closing else making.enable
    try:
        act(ask.site.gate, found.login, ask.me.account_id, ask.at, reason)
    except AccessError as error:
        return _one(ask, found, 422, {"": ask.words(error.message, error.message_en)})
    return see(_address(found), done="closed" if closing else "open")


def reset(ask: Ask) -> Response:
    """Give a new one-time password, and show it."""
    found = _own(ask, "users.manage")
    factor = ask.form.get("second_factor") == "yes"
    try:
        issued = making.reset(ask.site.gate, found.login, ask.me.account_id, ask.at, second_factor=factor)
    except AccessError as error:
        return _one(ask, found, 422, {"": ask.words(error.message, error.message_en)})
    return _once(ask, issued.account, password=issued.password)


def issue(ask: Ask) -> Response:
    """Issue a key, and show it."""
    found = _own(ask, "users.manage")
    days, title = ask.form.get("days", ""), ask.form.get("title", "")[:LONGEST]
    ends = ask.at + timedelta(days=int(days) if days.isascii() and days.isdigit() and len(days) < 5 else 0)
    chosen = _chosen(ask, "scope-")
    try:
        made = issue_key(ask.site.gate, found.account_id, title, chosen, ends, ask.me.account_id, ask.at)
    except AccessError as error:
        return _one(ask, found, 422, {"": ask.words(error.message, error.message_en)})
    return _once(ask, found, key=made)


def revoke(ask: Ask) -> Response:
    """Revoke a key."""
    key = key_of(ask.site.records, ask.path["api_key"])
    if key is None:
        raise Problem(404)
    owner = kept.account(ask.site.records, key.account_id)
    ask.need("users.manage", owner.bureau)
    revoke_key(ask.site.gate, key.key_id, ask.me.account_id, ask.at)
    return see(_address(owner), done="revoked")


def _own(ask: Ask, permission: str) -> Account:
    """Find the account an address names, if it is of the caller's bureau."""
    try:
        found = kept.account(ask.site.records, ask.path["account"])
    except UnknownAccount:
        raise Problem(404) from None
    ask.need(permission, found.bureau)
    return found


def _chosen(ask: Ask, prefix: str) -> list[str]:
    return [name.removeprefix(prefix) for name, value in ask.form.items() if name.startswith(prefix) and value]


def _address(found: Account) -> str:
    return f"/system/accounts/{found.account_id}"


def _list(ask: Ask, status: int = 200, faults: dict[str, str] | None = None, typed: Any = None) -> Response:
    return page(
        ask, "office/accounts.html", status,
        people=kept.accounts(ask.site.records, ask.me.bureau), roles=portal_roles(), faults=faults or {},
        typed=typed or {"login": "", "name": "", "roles": []}, manages=ask.may("users.manage", ask.me.bureau),
        days=ask.site.gate.rules.password.one_time_days,
    )  # fmt: skip


def _one(ask: Ask, found: Account, status: int = 200, faults: dict[str, str] | None = None, told: str = "") -> Response:
    gate, idle = ask.site.gate, ask.site.gate.rules.session.idle
    alive = [
        session
        for session in sessions_of(gate.records, found.account_id)
        if session.ended_at is None and ask.at < min(session.ends_at, session.seen_at + idle)
    ]
    keys = [(key, is_good(key, found, ask.at)) for key in keys_of(gate.records, found.account_id)]
    return page(
        ask, "office/account.html", status,
        person=found, roles=portal_roles(), keys=keys, sessions=alive, faults=faults or {}, told=told,
        scopes={name: permissions()[name] for name in sorted(key_permissions(found.roles))},
        manages=ask.may("users.manage", found.bureau), mine=found.account_id == ask.me.account_id,
        longest=gate.rules.key.longest_days, left=kept.recovery_codes_left(gate.records, found.account_id),
    )  # fmt: skip


def _once(ask: Ask, found: Account, password: str = "", key: Any = None) -> Response:
    return page(ask, "office/once.html", person=found, password=password, key=key)
