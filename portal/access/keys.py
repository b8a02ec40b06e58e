"""API keys: ``gz_<prefix>_<secret>``, shown once; what a key may is what it was given and its owner still may."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from portal.access.caller import Caller
from portal.access.errors import KeyRefused
from portal.access.gate import Gate
from portal.access.sessions import TOKEN_BYTES, token_hash
from records import account_keys as kept
from records.account_keys import ApiKey
from records.accounts import Account, account
from schemas.permissions import permissions

FORM = re.compile(r"gz_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key just issued; its text is shown once and kept nowhere."""

    key: ApiKey
    text: str = field(repr=False)


def issue_key(
    gate: Gate, account_id: str, title: str, scopes: Collection[str], expires_at: datetime, by: str, at: datetime
) -> IssuedKey:
    """Issue a key of an account for some permissions until an instant.

    Raises
    ------
    UnknownAccount
    KeyRefused
        A permission no key may have or the account lacks, no title, or an end that is past or too far off.
    """
    owner = account(gate.records, account_id)
    own = key_permissions(owner.roles)
    if not scopes or not set(scopes) <= own:
        wrong = "、".join(sorted(set(scopes) - own)) or "（空）"
        raise KeyRefused(
            f"此账户的密钥不能有权限 {wrong}；可选：{'、'.join(sorted(own)) or '无'}",
            f"a key of this account cannot have {wrong}; there are {', '.join(sorted(own)) or 'none'}",
        )
    days = gate.rules.key.longest_days
    if owner.disabled_at is not None or not title.strip() or not at < expires_at <= at + timedelta(days=days):
        raise KeyRefused(
            f"密钥须写明用途，账户须在用，到期日须在今后 {days} 天内",
            f"a key has a title, an account in use, and an end within {days} days from now",
        )
    prefix, secret = secrets.token_hex(6), secrets.token_urlsafe(TOKEN_BYTES)
    made = kept.add_key(
        gate.records, account_id=account_id, prefix=prefix, secret_sha256=token_hash(secret), title=title.strip(),
        scopes=scopes, expires_at=expires_at, by=by, at=at,
    )  # fmt: skip
    return IssuedKey(made, f"gz_{prefix}_{secret}")


def caller_of_key(gate: Gate, text: str, at: datetime) -> Caller | None:
    """Give the caller of a key as its owner's account stands now; None where it is unknown, revoked, expired or ownerless.

    The second factor is never passed by a key.
    """
    form = FORM.fullmatch(text)
    found = kept.find_key(gate.records, form[1]) if form else None
    if form is None or found is None or not hmac.compare_digest(found[0].secret_sha256, token_hash(form[2])):
        return None
    key, owner = found
    if not is_good(key, owner, at):
        return None
    if key.used_at is None or at >= key.used_at + timedelta(seconds=gate.rules.session.touch_seconds):
        kept.touch_key(gate.records, key.key_id, at)
    return Caller(
        account_id=owner.account_id,
        name=owner.name,
        bureau=owner.bureau,
        roles=owner.roles,
        second_factor=False,
        session_id=key.key_id,
        kind="key",
        scopes=frozenset(key.scopes) & key_permissions(owner.roles),
        login=owner.login,
    )


def is_good(key: ApiKey, owner: Account, at: datetime) -> bool:
    """Say whether a key works at an instant."""
    return key.revoked_at is None and at < key.expires_at and owner.disabled_at is None


def key_permissions(roles: frozenset[str]) -> frozenset[str]:
    """Give the permissions a key of somebody with these roles may have."""
    return frozenset(name for name, one in permissions().items() if one.key and one.roles & roles)


def revoke_key(gate: Gate, key_id: str, by: str, at: datetime) -> ApiKey:
    """Revoke a key.

    Raises
    ------
    KeyRefused
        There is none of this number.
    """
    key = kept.key_of(gate.records, key_id)
    if key is None:
        raise KeyRefused(f"没有密钥 {key_id}", f"there is no key {key_id}")
    kept.revoke_key(gate.records, key, by, at)
    return key
