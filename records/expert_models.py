"""The tables of the expert pool and its draws; they stand in the same metadata as all others.

Identity number, phone and bank account are kept sealed (AES-GCM, see ``expert_registry/privacy/vault.py``): here they are text
nobody can read without the key, and the identity number's keyed hash finds a person again. All else of a person that is
in these tables is what a list of the pool shows to those who may see it.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from records.credit_models import metadata as metadata
from records.models import Counter, Moment

expert = Table(
    "expert",
    metadata,
    Column("expert_id", String(40), primary_key=True),
    Column("bureau", String(40), nullable=False),
    Column("name", Text, nullable=False),
    Column("name_key", Text, nullable=False),
    Column("employer", Text, nullable=False),
    Column("employer_uscc", Text, nullable=False, index=True),
    Column("title", Text, nullable=False),
    Column("title_rank", String(20), nullable=False),
    Column("division", String(12), nullable=False),
    Column("state", String(12), nullable=False),
    Column("term_start", Date),
    Column("term_end", Date),
    Column("bar_until", Date),
    Column("certificate_until", Date),
    Column("practice_since", Date),
    Column("identity_kind", String(20), nullable=False),
    Column("identity_index", String(64), nullable=False),
    Column("identity_sealed", Text, nullable=False),
    Column("phone_sealed", Text, nullable=False),
    Column("bank_sealed", Text, nullable=False),
    Column("identity_mask", String(40), nullable=False),
    Column("phone_mask", String(40), nullable=False),
    Column("remark", Text, nullable=False),
    Column("source_sha256", String(64), nullable=False),
    Column("source_row", Integer, nullable=False),
    Column("entered_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("merged_into", String(40)),
    Column("erased_at", Moment),
    Column("frozen_at", Moment),
    # finds a person by the hash, and who is in the pool twice, without reading the rows themselves
    Index("ix_expert_identity", "identity_index", "merged_into", "erased_at", "expert_id"),
    # holds all a page of the list chooses by, in the order of the list: a search reads nothing else
    Index("ix_expert_page", "name_key", "expert_id", "employer", "bureau", "state", "erased_at"),
)

expert_specialty = Table(
    "expert_specialty",
    metadata,
    Column("id", Counter, primary_key=True, autoincrement=True),
    Column("expert_id", ForeignKey("expert.expert_id"), nullable=False),
    Column("code", String(12), nullable=False, index=True),
    Column("edition", String(40), nullable=False),
    Column("raw", Text, nullable=False),
    Index("ix_expert_specialty_expert", "expert_id", "code"),
)

expert_employment = Table(
    "expert_employment",
    metadata,
    Column("id", Counter, primary_key=True, autoincrement=True),
    Column("expert_id", ForeignKey("expert.expert_id"), nullable=False, index=True),
    Column("employer", Text, nullable=False),
    Column("uscc", Text, nullable=False, index=True),
    Column("role", String(40), nullable=False),
    Column("since", Date),
    Column("until", Date),
    Column("source", Text, nullable=False),
    Column("told_at", Moment, nullable=False),
)

expert_tie = Table(
    "expert_tie",
    metadata,
    Column("id", Counter, primary_key=True, autoincrement=True),
    Column("expert_id", ForeignKey("expert.expert_id"), nullable=False, index=True),
    Column("kind", String(40), nullable=False),
    Column("uscc", Text, nullable=False),
    Column("party", Text, nullable=False),
    Column("matter", Text, nullable=False),
    Column("since", Date),
    Column("until", Date),
    Column("amount_fen", BigInteger),
    Column("detail", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("told_at", Moment, nullable=False),
    Column("cleared_at", Moment),
)

expert_consent = Table(
    "expert_consent",
    metadata,
    Column("id", Counter, primary_key=True, autoincrement=True),
    Column("expert_id", ForeignKey("expert.expert_id"), nullable=False, index=True),
    Column("kind", String(20), nullable=False),
    Column("given_on", Date, nullable=False),
    Column("revoked_on", Date),
    Column("document", Text, nullable=False),
    Column("told_at", Moment, nullable=False),
)

expert_leave = Table(
    "expert_leave",
    metadata,
    Column("id", Counter, primary_key=True, autoincrement=True),
    Column("expert_id", ForeignKey("expert.expert_id"), nullable=False, index=True),
    Column("since", Date, nullable=False),
    Column("until", Date, nullable=False),
    Column("reason", Text, nullable=False),
    Column("told_at", Moment, nullable=False),
)

expert_change = Table(
    "expert_change",
    metadata,
    Column("id", Counter, primary_key=True, autoincrement=True),
    Column("expert_id", ForeignKey("expert.expert_id"), nullable=False, index=True),
    Column("at", Moment, nullable=False),
    Column("by", String(120), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("before", JSON, nullable=False),
    Column("after", JSON, nullable=False),
    Column("reason", Text, nullable=False),
    Index("ix_expert_change_at", "at", "kind"),
)

expert_match = Table(
    "expert_match",
    metadata,
    Column("match_id", String(40), primary_key=True),
    Column("first", ForeignKey("expert.expert_id"), nullable=False),
    Column("second", ForeignKey("expert.expert_id"), nullable=False, index=True),
    Column("score", Integer, nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("state", String(12), nullable=False, index=True),
    Column("made_at", Moment, nullable=False),
    Column("decided_at", Moment),
    Column("decided_by", String(120), nullable=False),
    Column("reason", Text, nullable=False),
    Column("kept", String(40), nullable=False, server_default=text("''")),
    UniqueConstraint("first", "second"),
)

expert_access = Table(
    "expert_access",
    metadata,
    Column("id", Counter, primary_key=True, autoincrement=True),
    Column("at", Moment, nullable=False, index=True),
    Column("by", String(120), nullable=False),
    Column("role", String(40), nullable=False),
    Column("unit", Text, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("expert_id", String(40), nullable=False, index=True),
    Column("fields", JSON, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("count", Integer, nullable=False),
)

expert_draw = Table(
    "expert_draw",
    metadata,
    Column("draw_id", String(40), primary_key=True),
    Column("request_id", String(40), nullable=False, index=True),
    Column("sequence", Integer, nullable=False),
    Column("bureau", String(40), nullable=False),
    Column("year", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", String(12), nullable=False),
    Column("title", Text, nullable=False),
    Column("held_on", Date, nullable=False),
    Column("requested_at", Moment, nullable=False),
    Column("requested_by", String(120), nullable=False),
    Column("replaces", String(40), nullable=False),
    Column("reason", Text, nullable=False),
    Column("list_hash", String(64), nullable=False),
    Column("key_sealed", Text, nullable=False),
    Column("detail", JSON, nullable=False),
    UniqueConstraint("bureau", "year", "number"),
    UniqueConstraint("request_id", "sequence"),
)

expert_draw_paper = Table(
    "expert_draw_paper",
    metadata,
    Column("id", Counter, primary_key=True, autoincrement=True),
    Column("draw_id", ForeignKey("expert_draw.draw_id"), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("part", String(60), nullable=False),
    Column("at", Moment, nullable=False),
    Column("by", String(120), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("document", JSON, nullable=False),
    UniqueConstraint("draw_id", "kind", "part"),
)

expert_draw_secret = Table(
    "expert_draw_secret",
    metadata,
    Column("draw_id", String(40), primary_key=True),
    Column("bureau", String(40), primary_key=True),
    Column("sealed", Text, nullable=False),
    Column("made_at", Moment, nullable=False),
)

expert_seat = Table(
    "expert_seat",
    metadata,
    Column("draw_id", ForeignKey("expert_draw.draw_id"), primary_key=True),
    Column("expert_id", ForeignKey("expert.expert_id"), primary_key=True, index=True),
    Column("opaque_id", String(64), nullable=False),
    Column("seat", String(12), nullable=False),
    Column("round", Integer, nullable=False),
    Column("held_on", Date, nullable=False),
    Column("state", String(20), nullable=False),
    Column("state_at", Moment, nullable=False),
    Index("ix_expert_seat_held_on", "held_on"),
)

expert_seat_change = Table(
    "expert_seat_change",
    metadata,
    Column("id", Counter, primary_key=True, autoincrement=True),
    Column("draw_id", String(40), nullable=False),
    Column("expert_id", String(40), nullable=False, index=True),
    Column("at", Moment, nullable=False),
    Column("by", String(120), nullable=False),
    Column("state", String(20), nullable=False),
    Column("code", String(40), nullable=False),
    Column("reason", Text, nullable=False),
    Column("document", Text, nullable=False),
    Index("ix_expert_seat_change_draw", "draw_id", "expert_id"),
)

expert_appraisal = Table(
    "expert_appraisal",
    metadata,
    Column("id", Counter, primary_key=True, autoincrement=True),
    Column("draw_id", String(40), nullable=False, index=True),
    Column("expert_id", String(40), nullable=False, index=True),
    Column("kind", String(20), nullable=False),
    Column("grade", String(20), nullable=False),
    Column("remark", Text, nullable=False),
    Column("by", String(120), nullable=False),
    Column("at", Moment, nullable=False),
    UniqueConstraint("draw_id", "expert_id", "kind"),
)

expert_fee = Table(
    "expert_fee",
    metadata,
    Column("id", Counter, primary_key=True, autoincrement=True),
    Column("draw_id", String(40), nullable=False, index=True),
    Column("expert_id", String(40), nullable=False, index=True),
    Column("amount_fen", BigInteger, nullable=False),
    Column("paid_on", Date, nullable=False),
    Column("payer", Text, nullable=False),
    Column("by", String(120), nullable=False),
    Column("at", Moment, nullable=False),
)

expert_proposal = Table(
    "expert_proposal",
    metadata,
    Column("proposal_id", String(40), primary_key=True),
    Column("expert_id", ForeignKey("expert.expert_id"), nullable=False, index=True),
    Column("kind", String(20), nullable=False),
    Column("cause", String(40), nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("made_at", Moment, nullable=False),
    Column("state", String(12), nullable=False),
    Column("decided_at", Moment),
    Column("decided_by", String(120), nullable=False),
    Column("reason", Text, nullable=False),
)

enterprise_tie = Table(
    "enterprise_tie",
    metadata,
    Column("id", Counter, primary_key=True, autoincrement=True),
    Column("uscc", Text, nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("other_uscc", Text, nullable=False, index=True),
    Column("other_name", Text, nullable=False),
    Column("relation", String(20), nullable=False),
    Column("since", Date),
    Column("until", Date),
    Column("source", Text, nullable=False),
    Column("by", String(120), nullable=False),
    Column("told_at", Moment, nullable=False),
)

enterprise_head = Table(
    "enterprise_head",
    metadata,
    Column("id", Counter, primary_key=True, autoincrement=True),
    Column("uscc", Text, nullable=False, index=True),
    Column("person", Text, nullable=False),
    Column("role", String(20), nullable=False),
    Column("since", Date),
    Column("until", Date),
    Column("source", Text, nullable=False),
    Column("by", String(120), nullable=False),
    Column("told_at", Moment, nullable=False),
)
