"""What each role may see of an expert, as data: one row per field, one column per role."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from schemas.files import SCHEMAS, once, read_rows

ROLES = ("public", "peer_before", "organiser", "finance", "auditor", "pool_staff")
"""The public; staff of the peer bureau before an expert accepts; the organiser after; who pays; auditors; pool staff."""
SHOWINGS = ("no", "clear", "mask", "consent", "bank")
"""Not at all; as it is; masked; with consent to publication; with consent to keep bank data."""


@dataclass(frozen=True, slots=True)
class FieldView:
    """How one field is shown to each role."""

    field: str
    shown: dict[str, str]
    source: str


@once
def expert_views(root: Path = SCHEMAS) -> dict[str, FieldView]:
    """Read ``vocabularies/expert_views.csv``: field → role → one of :data:`SHOWINGS`."""
    found: dict[str, FieldView] = {}
    for row in read_rows(root / "vocabularies" / "expert_views.csv", ("field", *ROLES, "source")):
        name = row.need("field")
        if name in found:
            raise row.fail(f"field {name!r} stands twice")
        found[name] = FieldView(name, {role: row.one_of(role, SHOWINGS) for role in ROLES}, row.need("source"))
    return found
