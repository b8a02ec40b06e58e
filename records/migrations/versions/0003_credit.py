"""The credit register: what the bureaus tell each other of its records, and who looked at whose."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from records.models import Moment

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def counter() -> sa.types.TypeEngine:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "credit_message",
        sa.Column("id", counter(), autoincrement=True, nullable=False),
        sa.Column("message_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("bureau", sa.String(length=40), nullable=False),
        sa.Column("uscc", sa.Text(), nullable=False),
        sa.Column("target", sa.String(length=12), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("effective", sa.Date(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("author", sa.String(length=120), nullable=False),
        sa.Column("made_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_message")),
        sa.UniqueConstraint("message_id", name=op.f("uq_credit_message_message_id")),
    )
    op.create_index(op.f("ix_credit_message_uscc"), "credit_message", ["uscc"], unique=False)
    op.create_table(
        "access",
        sa.Column("id", counter(), autoincrement=True, nullable=False),
        sa.Column("access_id", sa.String(length=40), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("certificate", sa.Text(), nullable=False),
        sa.Column("purpose", sa.String(length=40), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("uscc", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access")),
        sa.UniqueConstraint("access_id", name=op.f("uq_access_access_id")),
    )
    op.create_index(op.f("ix_access_at"), "access", ["at"], unique=False)
    op.create_index("ix_access_user_at", "access", ["user", "at"], unique=False)
    op.create_table(
        "access_owner",
        sa.Column("bureau", sa.String(length=40), nullable=False),
        sa.Column("access_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["access_id"], ["access.access_id"], name=op.f("fk_access_owner_access_id")),
        sa.PrimaryKeyConstraint("bureau", "access_id", name=op.f("pk_access_owner")),
    )
    op.create_index(op.f("ix_access_owner_access_id"), "access_owner", ["access_id"], unique=False)
