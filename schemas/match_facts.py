"""What speaks for and against two records being one person: ``vocabularies/match_evidence.csv``.

Points only put the surer proposals first; a person decides each. ``grounds`` marks what is enough, beside the same name,
to propose a pair at all: two people of one name and nothing else in common are two people.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from schemas.files import SCHEMAS, once, read_rows


@dataclass(frozen=True, slots=True)
class MatchEvidence:
    """One sign for (points above 0) or against two records being one person."""

    code: str
    points: int
    grounds: bool
    title_zh: str
    title_en: str
    source: str


@once
def match_evidence(root: Path = SCHEMAS) -> dict[str, MatchEvidence]:
    """Read ``vocabularies/match_evidence.csv``: code → sign, in the order they are told.

    Examples
    --------
    >>> match_evidence()["identity_same"].grounds, match_evidence()["name_same"].grounds
    (True, False)
    """
    columns = ("code", "points", "grounds", "title_zh", "title_en", "source")
    found: dict[str, MatchEvidence] = {}
    for row in read_rows(root / "vocabularies" / "match_evidence.csv", columns):
        code, points = row.need("code"), row.need("points")
        if code in found or not re.fullmatch(r"-?\d{1,2}", points):
            raise row.fail(f"code {code!r} stands twice, or points {points!r} are no whole number up to 99")
        words = (row.need("title_zh"), row.need("title_en"), row.need("source"))
        found[code] = MatchEvidence(code, int(points), row.yes("grounds"), *words)
    return found
