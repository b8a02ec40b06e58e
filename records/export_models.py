"""The table of what was taken out of the shared tables; it stands in the same metadata as all others."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Index, String, Table, Text

from records.filing_models import metadata as metadata
from records.models import Counter, Moment

export_log = Table(
    "export_log",
    metadata,
    Column("id", Counter, primary_key=True, autoincrement=True),
    Column("account_id", String(40), nullable=False),
    Column("login", String(60), nullable=False),
    Column("bureau", String(40), nullable=False),
    Column("at", Moment, nullable=False),
    Column("day", String(10), nullable=False),
    Column("face", String(12), nullable=False),
    Column("quota", String(20), nullable=False),
    Column("what", String(80), nullable=False),
    Column("form", String(12), nullable=False),
    Column("chosen", JSON, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("state", String(12), nullable=False),
    Column("note", Text, nullable=False),
    Index("ix_export_log_account_day", "account_id", "day", "quota"),
    Index("ix_export_log_bureau_at", "bureau", "at"),
)
