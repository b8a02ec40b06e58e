"""The tables of the portal's accounts, sessions and keys; they stand in the same metadata as all others.

No password, token, key or recovery code stands here, only what recognises it again: argon2id of a password, SHA-256 of
what we drew ourselves with 80 bits or more. The secret of a second factor is sealed (``records/sealing.py``).
"""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Index, String, Table, Text

from records.expert_models import metadata as metadata
from records.models import Counter, Moment

account = Table(
    "account",
    metadata,
    Column("account_id", String(40), primary_key=True),
    Column("login", String(60), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("bureau", String(40), nullable=False, index=True),
    Column("password_hash", Text, nullable=False),
    Column("password_at", Moment, nullable=False),
    Column("one_time_until", Moment),
    Column("factor_sealed", Text, nullable=False),
    Column("factor_at", Moment),
    Column("factor_step", BigInteger, nullable=False),
    Column("disabled_at", Moment),
    Column("made_at", Moment, nullable=False),
    Column("made_by", String(120), nullable=False),
)

account_role = Table(
    "account_role",
    metadata,
    Column("account_id", ForeignKey("account.account_id"), primary_key=True),
    Column("role", String(40), primary_key=True),
    Column("given_at", Moment, nullable=False),
    Column("given_by", String(120), nullable=False),
)

recovery_code = Table(
    "recovery_code",
    metadata,
    Column("account_id", ForeignKey("account.account_id"), primary_key=True),
    Column("sha256", String(64), primary_key=True),
    Column("used_at", Moment),
)

session = Table(
    "session",
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    Column("session_id", String(40), nullable=False, unique=True),
    Column("account_id", ForeignKey("account.account_id"), nullable=False, index=True),
    Column("started_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    Column("ends_at", Moment, nullable=False, index=True),
    Column("factor_at", Moment),
    Column("address", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("ended_at", Moment),
    Column("ended_why", String(20), nullable=False),
)

api_key = Table(
    "api_key",
    metadata,
    Column("key_id", String(40), primary_key=True),
    Column("account_id", ForeignKey("account.account_id"), nullable=False, index=True),
    Column("prefix", String(20), nullable=False, unique=True),
    Column("secret_sha256", String(64), nullable=False),
    Column("title", Text, nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("made_at", Moment, nullable=False),
    Column("made_by", String(120), nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("revoked_at", Moment),
    Column("used_at", Moment),
)

login_try = Table(
    "login_try",
    metadata,
    Column("id", Counter, primary_key=True, autoincrement=True),
    Column("login_sha256", String(64), nullable=False),
    Column("step", String(12), nullable=False),
    Column("at", Moment, nullable=False, index=True),
    Column("outcome", String(12), nullable=False),
    Column("known", String(3), nullable=False),
    Index("ix_login_try_login", "login_sha256", "step", "id"),
)
