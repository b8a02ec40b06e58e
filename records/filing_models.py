"""The tables of filings: files of people on their way, what happened to them, and the jobs the workers take.

They stand in the same metadata as all others. A filing is no batch: it becomes one when it is handed in.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from records.account_models import metadata as metadata
from records.models import Counter, Moment

filing = Table(
    "filing",
    metadata,
    Column("filing_id", String(40), primary_key=True),
    Column("bureau", String(40), nullable=False),
    Column("account_id", String(40), nullable=False),
    Column("login", String(60), nullable=False),
    Column("person", Text, nullable=False),
    Column("file_name", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("sm3", String(64), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("purpose", String(12), nullable=False),
    Column("dataset", String(40), nullable=False),
    Column("period", String(10), nullable=False),
    Column("corrects", String(80), nullable=False),
    Column("reason", Text, nullable=False),
    Column("idempotency_key", String(200)),
    Column("recognised", String(40), nullable=False),
    Column("state", String(12), nullable=False),
    Column("stage", String(12), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("handed_in_at", Moment),
    Column("decided_at", Moment),
    Column("summary", JSON, nullable=False),
    Column("findings_total", Integer, nullable=False),
    Column("blocking", Integer, nullable=False),
    Column("to_confirm", Integer, nullable=False),
    Column("error", JSON(none_as_null=True)),
    Column("statement", Boolean, nullable=False),
    Column("confirmations", JSON, nullable=False),
    Column("batch_id", String(40), nullable=False),
    Column("receipt", String(80), nullable=False),
    Column("decided_by", String(40), nullable=False),
    Column("decision", String(40), nullable=False),
    Column("decision_text", Text, nullable=False),
    UniqueConstraint("account_id", "idempotency_key"),
    Index("ix_filing_bureau_created", "bureau", "created_at"),
    Index("ix_filing_account_created", "account_id", "created_at"),
    Index("ix_filing_state", "state"),
    Index("ix_filing_sha256", "sha256"),
    Index("ix_filing_batch", "batch_id"),
)

filing_event = Table(
    "filing_event",
    metadata,
    Column("id", Counter, primary_key=True, autoincrement=True),
    Column("filing_id", ForeignKey("filing.filing_id"), nullable=False, index=True),
    Column("at", Moment, nullable=False),
    Column("state", String(12), nullable=False),
    Column("by", String(120), nullable=False),
    Column("note", Text, nullable=False),
)

filing_job = Table(
    "filing_job",
    metadata,
    Column("job_id", Counter, primary_key=True, autoincrement=True),
    Column("filing_id", ForeignKey("filing.filing_id"), nullable=False, index=True),
    Column("kind", String(12), nullable=False),
    Column("state", String(12), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("holder", String(200), nullable=False),
    Column("beat", Integer, nullable=False),
    Column("made_at", Moment, nullable=False),
    Column("taken_at", Moment),
    Column("ended_at", Moment),
    Index("ix_filing_job_state", "state", "job_id"),
)
