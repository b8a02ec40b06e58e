"""The tables of the records database, as SQLAlchemy Core sees them.

The migrations under ``records/migrations`` make them; a test holds both together. Times are aware UTC:
``timestamptz`` on PostgreSQL, text of fixed width on SQLite, so that both sort and compare alike.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    TIMESTAMP,
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine


def write_time(moment: datetime) -> str:
    """Write an aware time as fixed-width UTC text; this text is what the chain hashes."""
    if moment.tzinfo is None:
        raise ValueError(f"time without zone: {moment!r}")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


def read_time(text: str) -> datetime:
    """Read what :func:`write_time` wrote."""
    return datetime.fromisoformat(text[:-1]).replace(tzinfo=UTC)


class Moment(TypeDecorator[datetime]):
    """An aware instant, UTC, to the microsecond."""

    impl = String(27)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the type of the database at hand."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(TIMESTAMP(timezone=True))
        return dialect.type_descriptor(String(27))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Refuse a naive time, write an aware one."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"time without zone: {value!r}")
        return value if dialect.name == "postgresql" else write_time(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Give an aware UTC time."""
        if value is None:
            return None
        return read_time(value) if isinstance(value, str) else value.astimezone(UTC)


Counter = BigInteger().with_variant(Integer(), "sqlite")
"""An integer key that SQLite can number by itself."""

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

batch = Table(
    "batch",
    metadata,
    Column("batch_id", String(40), primary_key=True),
    Column("receipt_number", String(80), nullable=False, unique=True),
    Column("bureau", String(40), nullable=False),
    Column("file_name", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("sm3", String(64), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("state", String(12), nullable=False),
    Column("dataset_asked", String(40), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("dataset", String(40)),
    Column("layout", String(80)),
    Column("encoding", String(40)),
    Column("rules_hash", String(80), nullable=False),
    Column("rows", JSON, nullable=False),
    Column("results", JSON, nullable=False),
    Column("tables", JSON, nullable=False),
    Column("normalised", JSON, nullable=False),
    Column("error", JSON(none_as_null=True)),
    Column("container_sha256", String(64)),
    Column("submitted_by", String(120), nullable=False),
    Column("layout_asked", String(80), nullable=False, server_default=text("''")),
    Column("covers", JSON(none_as_null=True)),  # null in batches older than this column
    Column("review", String(12), nullable=False, server_default=text("''")),
    UniqueConstraint("bureau", "sha256", "dataset_asked", "attempt"),
    Index("ix_batch_bureau_received", "bureau", "received_at"),
    Index("ix_batch_state", "state"),
    Index("ix_batch_sha256", "sha256"),
    Index("ix_batch_received_at", "received_at"),
)

batch_state = Table(
    "batch_state",
    metadata,
    Column("id", Counter, primary_key=True, autoincrement=True),
    Column("batch_id", ForeignKey("batch.batch_id"), nullable=False, index=True),
    Column("state", String(12), nullable=False),
    Column("at", Moment, nullable=False),
)

publication = Table(
    "publication",
    metadata,
    Column("batch_id", ForeignKey("batch.batch_id"), primary_key=True),
    Column("sequence", BigInteger, nullable=False, unique=True),
    Column("recorded_at", Moment, nullable=False, unique=True),
    Column("finished_at", Moment),
)

table_version = Table(
    "table_version",
    metadata,
    Column("table_name", String(80), primary_key=True),
    Column("batch_id", ForeignKey("batch.batch_id"), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("added", BigInteger, nullable=False),
    Column("corrected", BigInteger, nullable=False),
    Column("unchanged", BigInteger, nullable=False),
)

data_file = Table(
    "data_file",
    metadata,
    Column("table_name", String(80), primary_key=True),
    Column("path", Text, primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("batch_id", ForeignKey("batch.batch_id")),
    Column("added_at", Moment, nullable=False),
    Column("retired_at", Moment),
)

verdict = Table(
    "verdict",
    metadata,
    Column("batch_id", ForeignKey("batch.batch_id"), primary_key=True),
    Column("rules_hash", String(80), primary_key=True),
    Column("judged_at", Moment, nullable=False),
    Column("rows", JSON, nullable=False),
    Column("results", JSON, nullable=False),
    Column("findings_path", Text),
)

event = Table(
    "event",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("bureau", String(40)),
    Column("batch_id", String(40), index=True),
    Column("payload", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("previous_sm3", String(64), nullable=False),
    Column("sm3", String(64), nullable=False),
    Index("ix_event_at", "at"),
)

chain_head = Table(
    "chain_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("sm3", String(64), nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)

seal = Table(
    "seal",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("day", String(10), nullable=False, index=True),
    Column("seq", BigInteger, nullable=False),
    Column("sealed_at", Moment, nullable=False),
    Column("document", Text, nullable=False),
)

waiver = Table(
    "waiver",
    metadata,
    Column("id", Counter, primary_key=True, autoincrement=True),
    Column("rule", String(40), nullable=False),
    Column("bureau", String(40), nullable=False),
    Column("station", String(80), nullable=False),
    Column("since", Moment, nullable=False),
    Column("until", Moment, nullable=False),
    Column("reason", Text, nullable=False),
    Column("author", String(120), nullable=False),
    Column("expires", Moment, nullable=False),
    Column("created_at", Moment, nullable=False),
    Index("ix_waiver_bureau_rule", "bureau", "rule"),
)

answer = Table(
    "answer",
    metadata,
    Column("identity", String(64), primary_key=True),
    Column("bureau", String(40), nullable=False, index=True),
    Column("rule", String(40), nullable=False),
    Column("key", Text, nullable=False),
    Column("header", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("author", String(120), nullable=False),
    Column("batch_id", ForeignKey("batch.batch_id")),
    Column("created_at", Moment, nullable=False),
)

release = Table(
    "release",
    metadata,
    Column("id", Counter, primary_key=True, autoincrement=True),
    Column("batch_id", ForeignKey("batch.batch_id"), nullable=False, index=True),
    Column("source_row", Integer, nullable=False),
    Column("source_column", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("reviewer", String(120), nullable=False),
    Column("created_at", Moment, nullable=False),
    UniqueConstraint("batch_id", "source_row", "source_column"),
)

lease = Table(
    "lease",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("holder", String(200), nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("beat", BigInteger, nullable=False),
    Column("taken_at", Moment, nullable=False),
    Column("beat_at", Moment, nullable=False),
    Column("asked_by", String(200), nullable=False),
)

run = Table(
    "run",
    metadata,
    Column("run_id", Counter, primary_key=True, autoincrement=True),
    Column("job", String(40), nullable=False),
    Column("slot", String(80), nullable=False),
    Column("kind", String(12), nullable=False),
    Column("state", String(12), nullable=False),
    Column("holder", String(200), nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Column("summary", JSON, nullable=False),
    Column("error", JSON(none_as_null=True)),
    UniqueConstraint("job", "slot"),
    Index("ix_run_job_due", "job", "due_at"),
    Index("ix_run_state", "state"),
)

visit = Table(
    "visit",
    metadata,
    Column("visit_id", Counter, primary_key=True, autoincrement=True),
    Column("run_id", ForeignKey("run.run_id"), nullable=False),
    Column("source", String(120), nullable=False),
    Column("bureau", String(40), nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Column("state", String(12), nullable=False),
    Column("code", String(40), nullable=False),
    Column("message", Text, nullable=False),
    Column("message_en", Text, nullable=False),
    Column("seen", Integer, nullable=False),
    Column("arrived", Integer, nullable=False),
    Column("requests", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("batches", JSON, nullable=False),
    Column("skew_seconds", Float),
    UniqueConstraint("run_id", "source"),
    Index("ix_visit_source_started", "source", "started_at"),
    Index("ix_visit_started_at", "started_at"),
)

exchange = Table(
    "exchange",
    metadata,
    Column("exchange_id", Counter, primary_key=True, autoincrement=True),
    Column("visit_id", ForeignKey("visit.visit_id"), nullable=False, index=True),
    Column("item", Text, nullable=False),
    Column("method", String(12), nullable=False),
    Column("url", Text, nullable=False),
    Column("at", Moment, nullable=False, index=True),
    Column("seconds", Float, nullable=False),
    Column("status", Integer),
    Column("request", JSON, nullable=False),
    Column("answer", JSON, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", String(64)),
    Column("error", Text, nullable=False),
)

exchange_batch = Table(
    "exchange_batch",
    metadata,
    Column("batch_id", ForeignKey("batch.batch_id"), primary_key=True),
    Column("exchange_id", ForeignKey("exchange.exchange_id"), primary_key=True, index=True),
)

item = Table(
    "item",
    metadata,
    Column("source", String(120), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("etag", Text, nullable=False),
    Column("modified", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("first_seen", Moment, nullable=False),
    Column("last_seen", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
    Column("batches", JSON, nullable=False),
    Column("mark", JSON, nullable=False),
)

alarm = Table(
    "alarm",
    metadata,
    Column("alarm_id", Counter, primary_key=True, autoincrement=True),
    Column("code", String(40), nullable=False),
    Column("source", String(120), nullable=False),
    Column("bureau", String(40), nullable=False),
    Column("severity", String(12), nullable=False),
    Column("opened_at", Moment, nullable=False),
    Column("last_at", Moment, nullable=False),
    Column("count", Integer, nullable=False),
    Column("closed_at", Moment),
    Column("message", Text, nullable=False),
    Column("message_en", Text, nullable=False),
    Column("detail", JSON, nullable=False),
    Column("told_at", Moment, nullable=False),
    Index("ix_alarm_source_code", "source", "code"),
    Index("ix_alarm_closed_at", "closed_at"),
)

notice = Table(
    "notice",
    metadata,
    Column("event_id", String(40), primary_key=True),
    Column("channel", String(80), primary_key=True),
    Column("kind", String(12), nullable=False),
    Column("made_at", Moment, nullable=False),
    Column("alarms", JSON, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_try", Moment, index=True),
    Column("delivered_at", Moment),
    Column("last_error", Text, nullable=False),
)

credit_message = Table(
    "credit_message",
    metadata,
    Column("id", Counter, primary_key=True, autoincrement=True),
    Column("message_id", String(40), nullable=False, unique=True),
    Column("kind", String(20), nullable=False),
    Column("bureau", String(40), nullable=False),
    Column("uscc", Text, nullable=False, index=True),
    Column("target", String(12), nullable=False),
    Column("key", Text, nullable=False),
    Column("effective", Date, nullable=False),
    Column("reason", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("author", String(120), nullable=False),
    Column("made_at", Moment, nullable=False),
)

access = Table(
    "access",
    metadata,
    Column("id", Counter, primary_key=True, autoincrement=True),
    Column("access_id", String(40), nullable=False, unique=True),
    Column("at", Moment, nullable=False, index=True),
    Column("user", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("certificate", Text, nullable=False),
    Column("purpose", String(40), nullable=False),
    Column("plan", Text, nullable=False),
    Column("kind", String(12), nullable=False),
    Column("asked", Text, nullable=False),
    Column("uscc", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("result", Text, nullable=False),
    Column("count", Integer, nullable=False),
    Index("ix_access_user_at", "user", "at"),
)

access_owner = Table(
    "access_owner",
    metadata,
    Column("bureau", String(40), primary_key=True),
    Column("access_id", ForeignKey("access.access_id"), primary_key=True, index=True),
)
