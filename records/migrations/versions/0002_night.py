"""The night: lease, runs, visits, exchanges, items, alarms, notices; what a batch covers and the layout asked for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from records.models import Moment

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def counter() -> sa.types.TypeEngine:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column(
        "batch", sa.Column("layout_asked", sa.String(length=80), nullable=False, server_default=sa.text("''"))
    )
    op.add_column("batch", sa.Column("covers", sa.JSON(none_as_null=True), nullable=True))
    op.create_index("ix_batch_received_at", "batch", ["received_at"], unique=False)
    op.create_table(
        "lease",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("holder", sa.String(length=200), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("beat", sa.BigInteger(), nullable=False),
        sa.Column("taken_at", Moment(), nullable=False),
        sa.Column("beat_at", Moment(), nullable=False),
        sa.Column("asked_by", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )
    op.create_table(
        "run",
        sa.Column("run_id", counter(), autoincrement=True, nullable=False),
        sa.Column("job", sa.String(length=40), nullable=False),
        sa.Column("slot", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("holder", sa.String(length=200), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", Moment(), nullable=False),
        sa.Column("started_at", Moment(), nullable=False),
        sa.Column("finished_at", Moment(), nullable=True),
        sa.Column("summary", sa.JSON(), nullable=False),
        sa.Column("error", sa.JSON(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_run")),
        sa.UniqueConstraint("job", "slot", name=op.f("uq_run_job")),
    )
    op.create_index("ix_run_job_due", "run", ["job", "due_at"], unique=False)
    op.create_index("ix_run_state", "run", ["state"], unique=False)
    op.create_table(
        "visit",
        sa.Column("visit_id", counter(), autoincrement=True, nullable=False),
        sa.Column("run_id", counter(), nullable=False),
        sa.Column("source", sa.String(length=120), nullable=False),
        sa.Column("bureau", sa.String(length=40), nullable=False),
        sa.Column("started_at", Moment(), nullable=False),
        sa.Column("finished_at", Moment(), nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("message_en", sa.Text(), nullable=False),
        sa.Column("seen", sa.Integer(), nullable=False),
        sa.Column("arrived", sa.Integer(), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("batches", sa.JSON(), nullable=False),
        sa.Column("skew_seconds", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["run.run_id"], name=op.f("fk_visit_run_id")),
        sa.PrimaryKeyConstraint("visit_id", name=op.f("pk_visit")),
        sa.UniqueConstraint("run_id", "source", name=op.f("uq_visit_run_id")),
    )
    op.create_index("ix_visit_source_started", "visit", ["source", "started_at"], unique=False)
    op.create_index("ix_visit_started_at", "visit", ["started_at"], unique=False)
    op.create_table(
        "exchange",
        sa.Column("exchange_id", counter(), autoincrement=True, nullable=False),
        sa.Column("visit_id", counter(), nullable=False),
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("method", sa.String(length=12), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.visit_id"], name=op.f("fk_exchange_visit_id")),
        sa.PrimaryKeyConstraint("exchange_id", name=op.f("pk_exchange")),
    )
    op.create_index(op.f("ix_exchange_visit_id"), "exchange", ["visit_id"], unique=False)
    op.create_index(op.f("ix_exchange_at"), "exchange", ["at"], unique=False)
    op.create_table(
        "exchange_batch",
        sa.Column("batch_id", sa.String(length=40), nullable=False),
        sa.Column("exchange_id", counter(), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.batch_id"], name=op.f("fk_exchange_batch_batch_id")),
        sa.ForeignKeyConstraint(["exchange_id"], ["exchange.exchange_id"], name=op.f("fk_exchange_batch_exchange_id")),
        sa.PrimaryKeyConstraint("batch_id", "exchange_id", name=op.f("pk_exchange_batch")),
    )
    op.create_index(op.f("ix_exchange_batch_exchange_id"), "exchange_batch", ["exchange_id"], unique=False)
    op.create_table(
        "item",
        sa.Column("source", sa.String(length=120), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("modified", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("first_seen", Moment(), nullable=False),
        sa.Column("last_seen", Moment(), nullable=False),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.Column("batches", sa.JSON(), nullable=False),
        sa.Column("mark", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("source", "name", name=op.f("pk_item")),
    )
    op.create_table(
        "alarm",
        sa.Column("alarm_id", counter(), autoincrement=True, nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("source", sa.String(length=120), nullable=False),
        sa.Column("bureau", sa.String(length=40), nullable=False),
        sa.Column("severity", sa.String(length=12), nullable=False),
        sa.Column("opened_at", Moment(), nullable=False),
        sa.Column("last_at", Moment(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("closed_at", Moment(), nullable=True),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("message_en", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("told_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("alarm_id", name=op.f("pk_alarm")),
    )
    op.create_index("ix_alarm_source_code", "alarm", ["source", "code"], unique=False)
    op.create_index("ix_alarm_closed_at", "alarm", ["closed_at"], unique=False)
    op.create_table(
        "notice",
        sa.Column("event_id", sa.String(length=40), nullable=False),
        sa.Column("channel", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("made_at", Moment(), nullable=False),
        sa.Column("alarms", sa.JSON(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try", Moment(), nullable=True),
        sa.Column("delivered_at", Moment(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", "channel", name=op.f("pk_notice")),
    )
    op.create_index(op.f("ix_notice_next_try"), "notice", ["next_try"], unique=False)
