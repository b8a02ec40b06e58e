"""The expert pool, its people and what is told of them, and its draws."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from records.models import Moment

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def counter() -> sa.types.TypeEngine:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "enterprise_head",
        sa.Column("id", counter(), autoincrement=True, nullable=False),
        sa.Column("uscc", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("since", sa.Date()),
        sa.Column("until", sa.Date()),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("by", sa.String(length=120), nullable=False),
        sa.Column("told_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enterprise_head")),
    )
    op.create_index(op.f("ix_enterprise_head_uscc"), "enterprise_head", ["uscc"], unique=False)
    op.create_table(
        "enterprise_tie",
        sa.Column("id", counter(), autoincrement=True, nullable=False),
        sa.Column("uscc", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("other_uscc", sa.Text(), nullable=False),
        sa.Column("other_name", sa.Text(), nullable=False),
        sa.Column("relation", sa.String(length=20), nullable=False),
        sa.Column("since", sa.Date()),
        sa.Column("until", sa.Date()),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("by", sa.String(length=120), nullable=False),
        sa.Column("told_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enterprise_tie")),
    )
    op.create_index(op.f("ix_enterprise_tie_other_uscc"), "enterprise_tie", ["other_uscc"], unique=False)
    op.create_index(op.f("ix_enterprise_tie_uscc"), "enterprise_tie", ["uscc"], unique=False)
    op.create_table(
        "expert",
        sa.Column("expert_id", sa.String(length=40), nullable=False),
        sa.Column("bureau", sa.String(length=40), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        sa.Column("employer", sa.Text(), nullable=False),
        sa.Column("employer_uscc", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("title_rank", sa.String(length=20), nullable=False),
        sa.Column("division", sa.String(length=12), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("term_start", sa.Date()),
        sa.Column("term_end", sa.Date()),
        sa.Column("bar_until", sa.Date()),
        sa.Column("certificate_until", sa.Date()),
        sa.Column("practice_since", sa.Date()),
        sa.Column("identity_kind", sa.String(length=20), nullable=False),
        sa.Column("identity_index", sa.String(length=64), nullable=False),
        sa.Column("identity_sealed", sa.Text(), nullable=False),
        sa.Column("phone_sealed", sa.Text(), nullable=False),
        sa.Column("bank_sealed", sa.Text(), nullable=False),
        sa.Column("identity_mask", sa.String(length=40), nullable=False),
        sa.Column("phone_mask", sa.String(length=40), nullable=False),
        sa.Column("remark", sa.Text(), nullable=False),
        sa.Column("source_sha256", sa.String(length=64), nullable=False),
        sa.Column("source_row", sa.Integer(), nullable=False),
        sa.Column("entered_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.Column("merged_into", sa.String(length=40)),
        sa.Column("erased_at", Moment()),
        sa.Column("frozen_at", Moment()),
        sa.PrimaryKeyConstraint("expert_id", name=op.f("pk_expert")),
    )
    op.create_index(op.f("ix_expert_employer_uscc"), "expert", ["employer_uscc"], unique=False)
    alone = ["identity_index", "merged_into", "erased_at", "expert_id"]
    op.create_index("ix_expert_identity", "expert", alone, unique=False)
    page = ["name_key", "expert_id", "employer", "bureau", "state", "erased_at"]
    op.create_index("ix_expert_page", "expert", page, unique=False)
    op.create_table(
        "expert_access",
        sa.Column("id", counter(), autoincrement=True, nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("by", sa.String(length=120), nullable=False),
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("expert_id", sa.String(length=40), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_expert_access")),
    )
    op.create_index(op.f("ix_expert_access_at"), "expert_access", ["at"], unique=False)
    op.create_index(op.f("ix_expert_access_expert_id"), "expert_access", ["expert_id"], unique=False)
    op.create_table(
        "expert_appraisal",
        sa.Column("id", counter(), autoincrement=True, nullable=False),
        sa.Column("draw_id", sa.String(length=40), nullable=False),
        sa.Column("expert_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("grade", sa.String(length=20), nullable=False),
        sa.Column("remark", sa.Text(), nullable=False),
        sa.Column("by", sa.String(length=120), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_expert_appraisal")),
        sa.UniqueConstraint("draw_id", "expert_id", "kind", name=op.f("uq_expert_appraisal_draw_id")),
    )
    op.create_index(op.f("ix_expert_appraisal_draw_id"), "expert_appraisal", ["draw_id"], unique=False)
    op.create_index(op.f("ix_expert_appraisal_expert_id"), "expert_appraisal", ["expert_id"], unique=False)
    op.create_table(
        "expert_draw",
        sa.Column("draw_id", sa.String(length=40), nullable=False),
        sa.Column("request_id", sa.String(length=40), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("bureau", sa.String(length=40), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("held_on", sa.Date(), nullable=False),
        sa.Column("requested_at", Moment(), nullable=False),
        sa.Column("requested_by", sa.String(length=120), nullable=False),
        sa.Column("replaces", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("list_hash", sa.String(length=64), nullable=False),
        sa.Column("key_sealed", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("draw_id", name=op.f("pk_expert_draw")),
        sa.UniqueConstraint("bureau", "year", "number", name=op.f("uq_expert_draw_bureau")),
        sa.UniqueConstraint("request_id", "sequence", name=op.f("uq_expert_draw_request_id")),
    )
    op.create_index(op.f("ix_expert_draw_request_id"), "expert_draw", ["request_id"], unique=False)
    op.create_table(
        "expert_draw_secret",
        sa.Column("draw_id", sa.String(length=40), nullable=False),
        sa.Column("bureau", sa.String(length=40), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("made_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("draw_id", "bureau", name=op.f("pk_expert_draw_secret")),
    )
    op.create_table(
        "expert_fee",
        sa.Column("id", counter(), autoincrement=True, nullable=False),
        sa.Column("draw_id", sa.String(length=40), nullable=False),
        sa.Column("expert_id", sa.String(length=40), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("paid_on", sa.Date(), nullable=False),
        sa.Column("payer", sa.Text(), nullable=False),
        sa.Column("by", sa.String(length=120), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_expert_fee")),
    )
    op.create_index(op.f("ix_expert_fee_draw_id"), "expert_fee", ["draw_id"], unique=False)
    op.create_index(op.f("ix_expert_fee_expert_id"), "expert_fee", ["expert_id"], unique=False)
    op.create_table(
        "expert_seat_change",
        sa.Column("id", counter(), autoincrement=True, nullable=False),
        sa.Column("draw_id", sa.String(length=40), nullable=False),
        sa.Column("expert_id", sa.String(length=40), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("by", sa.String(length=120), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_expert_seat_change")),
    )
    op.create_index("ix_expert_seat_change_draw", "expert_seat_change", ["draw_id", "expert_id"], unique=False)
    op.create_index(op.f("ix_expert_seat_change_expert_id"), "expert_seat_change", ["expert_id"], unique=False)
    op.create_table(
        "expert_change",
        sa.Column("id", counter(), autoincrement=True, nullable=False),
        sa.Column("expert_id", sa.String(length=40), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("by", sa.String(length=120), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("after", sa.JSON(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["expert_id"], ["expert.expert_id"], name=op.f("fk_expert_change_expert_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_expert_change")),
    )
    op.create_index("ix_expert_change_at", "expert_change", ["at", "kind"], unique=False)
    op.create_index(op.f("ix_expert_change_expert_id"), "expert_change", ["expert_id"], unique=False)
    op.create_table(
        "expert_consent",
        sa.Column("id", counter(), autoincrement=True, nullable=False),
        sa.Column("expert_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("given_on", sa.Date(), nullable=False),
        sa.Column("revoked_on", sa.Date()),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("told_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["expert_id"], ["expert.expert_id"], name=op.f("fk_expert_consent_expert_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_expert_consent")),
    )
    op.create_index(op.f("ix_expert_consent_expert_id"), "expert_consent", ["expert_id"], unique=False)
    op.create_table(
        "expert_draw_paper",
        sa.Column("id", counter(), autoincrement=True, nullable=False),
        sa.Column("draw_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("part", sa.String(length=60), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("by", sa.String(length=120), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["draw_id"], ["expert_draw.draw_id"], name=op.f("fk_expert_draw_paper_draw_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_expert_draw_paper")),
        sa.UniqueConstraint("draw_id", "kind", "part", name=op.f("uq_expert_draw_paper_draw_id")),
    )
    op.create_table(
        "expert_employment",
        sa.Column("id", counter(), autoincrement=True, nullable=False),
        sa.Column("expert_id", sa.String(length=40), nullable=False),
        sa.Column("employer", sa.Text(), nullable=False),
        sa.Column("uscc", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.Column("since", sa.Date()),
        sa.Column("until", sa.Date()),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("told_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["expert_id"], ["expert.expert_id"], name=op.f("fk_expert_employment_expert_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_expert_employment")),
    )
    op.create_index(op.f("ix_expert_employment_expert_id"), "expert_employment", ["expert_id"], unique=False)
    op.create_index(op.f("ix_expert_employment_uscc"), "expert_employment", ["uscc"], unique=False)
    op.create_table(
        "expert_leave",
        sa.Column("id", counter(), autoincrement=True, nullable=False),
        sa.Column("expert_id", sa.String(length=40), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("told_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["expert_id"], ["expert.expert_id"], name=op.f("fk_expert_leave_expert_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_expert_leave")),
    )
    op.create_index(op.f("ix_expert_leave_expert_id"), "expert_leave", ["expert_id"], unique=False)
    op.create_table(
        "expert_match",
        sa.Column("match_id", sa.String(length=40), nullable=False),
        sa.Column("first", sa.String(length=40), nullable=False),
        sa.Column("second", sa.String(length=40), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("made_at", Moment(), nullable=False),
        sa.Column("decided_at", Moment()),
        sa.Column("decided_by", sa.String(length=120), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("kept", sa.String(length=40), nullable=False, server_default=sa.text("''")),
        sa.ForeignKeyConstraint(["first"], ["expert.expert_id"], name=op.f("fk_expert_match_first")),
        sa.ForeignKeyConstraint(["second"], ["expert.expert_id"], name=op.f("fk_expert_match_second")),
        sa.PrimaryKeyConstraint("match_id", name=op.f("pk_expert_match")),
        sa.UniqueConstraint("first", "second", name=op.f("uq_expert_match_first")),
    )
    op.create_index(op.f("ix_expert_match_second"), "expert_match", ["second"], unique=False)
    op.create_index(op.f("ix_expert_match_state"), "expert_match", ["state"], unique=False)
    op.create_table(
        "expert_proposal",
        sa.Column("proposal_id", sa.String(length=40), nullable=False),
        sa.Column("expert_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("cause", sa.String(length=40), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("made_at", Moment(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("decided_at", Moment()),
        sa.Column("decided_by", sa.String(length=120), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["expert_id"], ["expert.expert_id"], name=op.f("fk_expert_proposal_expert_id")),
        sa.PrimaryKeyConstraint("proposal_id", name=op.f("pk_expert_proposal")),
    )
    op.create_index(op.f("ix_expert_proposal_expert_id"), "expert_proposal", ["expert_id"], unique=False)
    op.create_table(
        "expert_seat",
        sa.Column("draw_id", sa.String(length=40), nullable=False),
        sa.Column("expert_id", sa.String(length=40), nullable=False),
        sa.Column("opaque_id", sa.String(length=64), nullable=False),
        sa.Column("seat", sa.String(length=12), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("held_on", sa.Date(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("state_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["draw_id"], ["expert_draw.draw_id"], name=op.f("fk_expert_seat_draw_id")),
        sa.ForeignKeyConstraint(["expert_id"], ["expert.expert_id"], name=op.f("fk_expert_seat_expert_id")),
        sa.PrimaryKeyConstraint("draw_id", "expert_id", name=op.f("pk_expert_seat")),
    )
    op.create_index(op.f("ix_expert_seat_expert_id"), "expert_seat", ["expert_id"], unique=False)
    op.create_index("ix_expert_seat_held_on", "expert_seat", ["held_on"], unique=False)
    op.create_table(
        "expert_specialty",
        sa.Column("id", counter(), autoincrement=True, nullable=False),
        sa.Column("expert_id", sa.String(length=40), nullable=False),
        sa.Column("code", sa.String(length=12), nullable=False),
        sa.Column("edition", sa.String(length=40), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["expert_id"], ["expert.expert_id"], name=op.f("fk_expert_specialty_expert_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_expert_specialty")),
    )
    op.create_index(op.f("ix_expert_specialty_code"), "expert_specialty", ["code"], unique=False)
    op.create_index("ix_expert_specialty_expert", "expert_specialty", ["expert_id", "code"], unique=False)
    op.create_table(
        "expert_tie",
        sa.Column("id", counter(), autoincrement=True, nullable=False),
        sa.Column("expert_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("uscc", sa.Text(), nullable=False),
        sa.Column("party", sa.Text(), nullable=False),
        sa.Column("matter", sa.Text(), nullable=False),
        sa.Column("since", sa.Date()),
        sa.Column("until", sa.Date()),
        sa.Column("amount_fen", sa.BigInteger()),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("told_at", Moment(), nullable=False),
        sa.Column("cleared_at", Moment()),
        sa.ForeignKeyConstraint(["expert_id"], ["expert.expert_id"], name=op.f("fk_expert_tie_expert_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_expert_tie")),
    )
    op.create_index(op.f("ix_expert_tie_expert_id"), "expert_tie", ["expert_id"], unique=False)
