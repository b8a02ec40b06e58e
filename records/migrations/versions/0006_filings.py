"""Files of people on their way, the jobs of the workers, and the batches that wait for a second person."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from records.models import Moment

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("batch", sa.Column("review", sa.String(length=12), nullable=False, server_default=sa.text("''")))
    op.create_table(
        "filing",
        sa.Column("filing_id", sa.String(length=40), nullable=False),
        sa.Column("bureau", sa.String(length=40), nullable=False),
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("login", sa.String(length=60), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("sm3", sa.String(length=64), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("purpose", sa.String(length=12), nullable=False),
        sa.Column("dataset", sa.String(length=40), nullable=False),
        sa.Column("period", sa.String(length=10), nullable=False),
        sa.Column("corrects", sa.String(length=80), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.String(length=200)),
        sa.Column("recognised", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("stage", sa.String(length=12), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.Column("handed_in_at", Moment()),
        sa.Column("decided_at", Moment()),
        sa.Column("summary", sa.JSON(), nullable=False),
        sa.Column("findings_total", sa.Integer(), nullable=False),
        sa.Column("blocking", sa.Integer(), nullable=False),
        sa.Column("to_confirm", sa.Integer(), nullable=False),
        sa.Column("error", sa.JSON()),
        sa.Column("statement", sa.Boolean(), nullable=False),
        sa.Column("confirmations", sa.JSON(), nullable=False),
        sa.Column("batch_id", sa.String(length=40), nullable=False),
        sa.Column("receipt", sa.String(length=80), nullable=False),
        sa.Column("decided_by", sa.String(length=40), nullable=False),
        sa.Column("decision", sa.String(length=40), nullable=False),
        sa.Column("decision_text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("filing_id", name=op.f("pk_filing")),
        sa.UniqueConstraint("account_id", "idempotency_key", name=op.f("uq_filing_account_id")),
    )
    op.create_index("ix_filing_bureau_created", "filing", ["bureau", "created_at"], unique=False)
    op.create_index("ix_filing_account_created", "filing", ["account_id", "created_at"], unique=False)
    op.create_index("ix_filing_state", "filing", ["state"], unique=False)
    op.create_index("ix_filing_sha256", "filing", ["sha256"], unique=False)
    op.create_index("ix_filing_batch", "filing", ["batch_id"], unique=False)
    op.create_table(
        "filing_event",
        sa.Column("id", COUNTER, autoincrement=True, nullable=False),
        sa.Column("filing_id", sa.String(length=40), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("by", sa.String(length=120), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["filing_id"], ["filing.filing_id"], name=op.f("fk_filing_event_filing_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_filing_event")),
    )
    op.create_index(op.f("ix_filing_event_filing_id"), "filing_event", ["filing_id"], unique=False)
    op.create_table(
        "filing_job",
        sa.Column("job_id", COUNTER, autoincrement=True, nullable=False),
        sa.Column("filing_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("holder", sa.String(length=200), nullable=False),
        sa.Column("beat", sa.Integer(), nullable=False),
        sa.Column("made_at", Moment(), nullable=False),
        sa.Column("taken_at", Moment()),
        sa.Column("ended_at", Moment()),
        sa.ForeignKeyConstraint(["filing_id"], ["filing.filing_id"], name=op.f("fk_filing_job_filing_id")),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_filing_job")),
    )
    op.create_index(op.f("ix_filing_job_filing_id"), "filing_job", ["filing_id"], unique=False)
    op.create_index("ix_filing_job_state", "filing_job", ["state", "job_id"], unique=False)
