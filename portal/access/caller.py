"""Who asks, and whether he may: the one place where a permission is decided; closed unless the facts open it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from schemas.permissions import Permission, permissions


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks; made from a session or a key and nothing else, the bureau above all.

    ``step`` is what the login still misses: ``change`` (one-time password), ``code`` (second factor), blank: nothing.
    ``scopes`` are the permissions of a key, already without those its owner lacks; empty for a session.
    """

    account_id: str
    name: str
    bureau: str
    roles: frozenset[str]
    second_factor: bool
    session_id: str
    kind: Literal["session", "key"]
    scopes: frozenset[str] = frozenset()
    login: str = ""
    step: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """Yes or no, and why not.

    ``code``: ``unknown-caller`` (log in first), ``change`` and ``code`` (finish the login first), ``second-factor``
    (pass or enrol it first), ``forbidden``, ``foreign`` (another bureau's), ``own-submission``.
    """

    ok: bool
    reason_zh: str = ""
    reason_en: str = ""
    code: str = ""


YES = Decision(True)
_NO = {
    "unknown-caller": ("请先登录", "log in first"),
    "change": ("请先修改一次性密码", "change the one-time password first"),
    "code": ("请先输入第二因素验证码", "give the code of the second factor first"),
    "second-factor": ("此操作需要第二因素验证，请先启用或输入验证码", "this needs the second factor: enrol or pass it first"),
    "forbidden": ("您的角色没有此权限", "your role does not have this permission"),
    "foreign": ("这是另一单位的内容，不能访问", "this belongs to another bureau"),
    "own-submission": ("不能审核本人提交的内容，请由他人审核", "nobody approves what he handed in himself; ask a colleague"),
}  # fmt: skip


def allowed(caller: Caller | None, permission: str, owner: str | None = None) -> Decision:
    """Say whether the caller may use a permission, on what ``owner`` (a bureau) has where that is named.

    Without an owner the answer is for the route alone; whoever then shows an object, or a list of them, asks again
    with its owner, or lists those of ``caller.bureau`` only. A permission nobody wrote down is never given.
    """
    if caller is None:
        return _no("unknown-caller")
    wanted = permissions().get(permission)
    if wanted is None:
        return _no("forbidden")
    if caller.step and caller.step not in wanted.during:
        return _no(caller.step if caller.step in _NO else "forbidden")
    if not has(caller, wanted):
        return _no("forbidden")
    if wanted.second_factor and not caller.second_factor:
        return _no("second-factor")
    if owner is not None and not reaches(caller, wanted, owner):
        return _no("foreign")
    return YES


def has(caller: Caller, wanted: Permission) -> bool:
    """Say whether role, and scope of the key, give a permission."""
    by_role = bool(caller.roles & wanted.roles)
    return by_role and (caller.kind == "session" or (wanted.key and wanted.permission in caller.scopes))


def reaches(caller: Caller, wanted: Permission, owner: str) -> bool:
    """Say whether a permission of the caller reaches what a bureau owns."""
    return wanted.scope == "any" or (wanted.scope == "own" and bool(owner) and owner == caller.bureau)


def may_approve(caller: Caller, submitted_by: str) -> Decision:
    """Refuse who approves his own submission; what nobody is known to have handed in is not approved either.

    ``submitted_by`` is the number of an account, or the user name of the command line, which is held against the login.
    """
    mine = {caller.account_id.casefold(), caller.login.casefold()}
    return _no("own-submission") if not submitted_by.strip() or submitted_by.strip().casefold() in mine else YES


def _no(code: str) -> Decision:
    return Decision(False, *_NO[code], code)
