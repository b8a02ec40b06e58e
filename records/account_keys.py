"""API keys: found by their prefix, recognised by the SHA-256 of the rest, dead when revoked, expired or ownerless."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass, field, fields
from datetime import datetime

from sqlalchemy import insert, select, update

from records import account_models as models
from records.accounts import Account, account_of, changing
from records.store import CHINA, Records, storable


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key; ``scopes`` are the permissions it was given, of which its owner may have lost some since."""

    key_id: str
    account_id: str
    prefix: str
    secret_sha256: str = field(repr=False)
    title: str
    scopes: list[str]
    made_at: datetime
    made_by: str
    expires_at: datetime
    revoked_at: datetime | None
    used_at: datetime | None


COLUMNS = tuple(models.api_key.c[one.name] for one in fields(ApiKey))


def add_key(
    records: Records,
    *,
    account_id: str,
    prefix: str,
    secret_sha256: str,
    title: str,
    scopes: Collection[str],
    expires_at: datetime,
    by: str,
    at: datetime,
) -> ApiKey:
    """Keep a new key of an account.

    Raises
    ------
    UnknownAccount
    """
    number = f"k-{at.astimezone(CHINA):%Y%m%d}-{secrets.token_hex(6)}"
    made = ApiKey(
        number, account_id, prefix, secret_sha256, storable(title), sorted(scopes), at, by, expires_at, None, None
    )
    told = {"key": number, "scopes": made.scopes, "expires": expires_at.isoformat()}
    with changing(records, account_id, "key-issued", by, at, told) as connection:
        connection.execute(
            insert(models.api_key).values(**{one.name: getattr(made, one.name) for one in fields(ApiKey)})
        )
    return made


def find_key(records: Records, prefix: str) -> tuple[ApiKey, Account] | None:
    """Give the key of a prefix, dead or not, with its owner as he stands now."""
    with records.database.read() as connection:
        found = connection.execute(select(*COLUMNS).where(models.api_key.c.prefix == prefix)).one_or_none()
        return None if found is None else (ApiKey(*found), account_of(connection, found.account_id))


def key_of(records: Records, key_id: str) -> ApiKey | None:
    """Give a key by its number."""
    with records.database.read() as connection:
        found = connection.execute(select(*COLUMNS).where(models.api_key.c.key_id == key_id)).one_or_none()
        return None if found is None else ApiKey(*found)


def keys_of(records: Records, account_id: str | None = None) -> list[ApiKey]:
    """List the keys of an account, or of all, the newest first."""
    query = select(*COLUMNS).order_by(models.api_key.c.made_at.desc(), models.api_key.c.key_id)
    if account_id is not None:
        query = query.where(models.api_key.c.account_id == account_id)
    with records.database.read() as connection:
        return [ApiKey(*row) for row in connection.execute(query)]


def revoke_key(records: Records, key: ApiKey, by: str, at: datetime) -> None:
    """Revoke a key; one that was revoked before stays so."""
    k = models.api_key.c
    with changing(records, key.account_id, "key-revoked", by, at, {"key": key.key_id}) as connection:
        still = update(models.api_key).where(k.key_id == key.key_id, k.revoked_at.is_(None))
        connection.execute(still.values(revoked_at=at))


def touch_key(records: Records, key_id: str, at: datetime) -> None:
    """Write down that a key was used."""
    with records.database.write() as connection:
        connection.execute(update(models.api_key).where(models.api_key.c.key_id == key_id).values(used_at=at))
