"""The credit desk of the portal: why a session asks, and the slips that were issued, found by their code."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from records.models import Moment

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "credit_errand",
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("purpose", sa.String(length=40), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("certificate", sa.Text(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_credit_errand")),
    )
    op.create_index(op.f("ix_credit_errand_at"), "credit_errand", ["at"], unique=False)
    op.create_table(
        "credit_slip",
        sa.Column("slip_id", sa.String(length=40), nullable=False),
        sa.Column("verification_code", sa.String(length=19), nullable=False),
        sa.Column("bureau", sa.String(length=40), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("issued_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("slip_id", name=op.f("pk_credit_slip")),
        sa.UniqueConstraint("verification_code", name=op.f("uq_credit_slip_verification_code")),
    )
    op.create_index(op.f("ix_credit_slip_bureau"), "credit_slip", ["bureau"], unique=False)
