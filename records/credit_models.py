"""The tables of the credit desk of the portal: what a session asks for, and which slips were issued.

They stand in the same metadata as all others. A slip itself is a signed file; the row finds it by its printed code.
"""

from __future__ import annotations

from sqlalchemy import Column, String, Table, Text

from records.models import Moment
from records.models import metadata as metadata

credit_errand = Table(
    "credit_errand",
    metadata,
    Column("session_id", String(40), primary_key=True),
    Column("purpose", String(40), nullable=False),
    Column("plan", Text, nullable=False),
    Column("certificate", Text, nullable=False),
    Column("at", Moment, nullable=False, index=True),
)

credit_slip = Table(
    "credit_slip",
    metadata,
    Column("slip_id", String(40), primary_key=True),
    Column("verification_code", String(19), nullable=False, unique=True),
    Column("bureau", String(40), nullable=False, index=True),
    Column("user", Text, nullable=False),
    Column("issued_at", Moment, nullable=False),
)
