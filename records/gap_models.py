"""The table of what bureaus say about missing results (缺测说明); it stands in the same metadata as all others."""

from __future__ import annotations

from sqlalchemy import Column, Index, String, Table, Text

from records.export_models import metadata as metadata
from records.models import Counter, Moment

gap = Table(
    "gap",
    metadata,
    Column("id", Counter, primary_key=True, autoincrement=True),
    Column("bureau", String(40), nullable=False),
    Column("dataset", String(40), nullable=False),
    Column("station_id", String(60), nullable=False),
    Column("since", Moment, nullable=False),
    Column("until", Moment, nullable=False),
    Column("reason", String(40), nullable=False),
    Column("text", Text, nullable=False),
    Column("proof_name", Text, nullable=False),
    Column("proof_sha256", String(64), nullable=False),
    Column("told_by", String(120), nullable=False),
    Column("told_at", Moment, nullable=False),
    Column("withdrawn_by", String(120), nullable=False),
    Column("withdrawn_at", Moment),
    Index("ix_gap_bureau_since", "bureau", "since"),
)
