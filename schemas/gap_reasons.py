"""Why results of a station are missing, as ``vocabularies/gap_reasons.csv`` lists it.

A reason with ``stop`` declares that nothing was due: such hours leave both sides of the completeness.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from schemas.files import SCHEMAS, once, read_rows


@dataclass(frozen=True, slots=True)
class GapReason:
    """One reason; ``needs_text``: it says nothing without words."""

    reason: str
    title_zh: str
    title_en: str
    stop: bool
    needs_text: bool
    source: str


@once
def gap_reasons(root: Path = SCHEMAS) -> dict[str, GapReason]:
    """Read the reasons, in the order they are offered."""
    columns = ("reason", "title_zh", "title_en", "stop", "needs_text", "source")
    found: dict[str, GapReason] = {}
    for row in read_rows(root / "vocabularies" / "gap_reasons.csv", columns):
        name = row.need("reason")
        if name in found:
            raise row.fail(f"reason {name!r} stands twice")
        stop, text = (row.one_of(column, ("yes", "no")) == "yes" for column in ("stop", "needs_text"))
        found[name] = GapReason(name, row.need("title_zh"), row.need("title_en"), stop, text, row.need("source"))
    return found
