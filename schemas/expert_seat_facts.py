"""Facts of what follows a draw: the states of a seat, why somebody declines, the grades of an appraisal, who sees what.

A code of a state is asked for by its column ``code``: ``decline`` a reason of ``expert_decline_reasons.csv``
(``decline?`` where one may follow later), ``vacancy`` a reason of the step ``vacancy`` in ``expert_draw_reasons.csv``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from schemas.expert_draw_facts import Worded, draw_reasons
from schemas.expert_views import ROLES
from schemas.files import SCHEMAS, once, read_rows

CODES = ("", "decline", "decline?", "vacancy")
MINUTES_SHOWINGS = ("yes", "seated", "count", "no")
"""All of it; only those who still have their seat; only how many; nothing."""


@dataclass(frozen=True, slots=True)
class SeatState:
    """A state of a seat, where it leads, and which code it needs."""

    state: str
    title_zh: str
    title_en: str
    leads_to: tuple[str, ...]
    code: str


@once
def seat_states(root: Path = SCHEMAS) -> dict[str, SeatState]:
    """Read ``vocabularies/expert_seat_states.csv``: state → what it allows."""
    columns = ("state", "title_zh", "title_en", "leads_to", "code", "source")
    rows = read_rows(root / "vocabularies" / "expert_seat_states.csv", columns)
    known = {row["state"] for row in rows}
    found: dict[str, SeatState] = {}
    for row in rows:
        state, leads_to = row.need("state"), row.many("leads_to")
        if state in found or not set(leads_to) <= known:
            raise row.fail(f"state {state!r} stands twice or leads to no state")
        titles = (row.need("title_zh"), row.need("title_en"))
        found[state] = SeatState(state, *titles, leads_to, row.one_of("code", CODES))
    return found


@dataclass(frozen=True, slots=True)
class DeclineReason:
    """Why an expert declines, is silent or does not come; ``vacancy`` is the code of the replacement it opens."""

    code: str
    title_zh: str
    title_en: str
    explained: bool
    vacancy: str
    source: str


@once
def decline_reasons(root: Path = SCHEMAS) -> dict[str, DeclineReason]:
    """Read ``vocabularies/expert_decline_reasons.csv``: code → reason."""
    columns = ("code", "title_zh", "title_en", "explained", "vacancy", "source")
    found: dict[str, DeclineReason] = {}
    for row in read_rows(root / "vocabularies" / "expert_decline_reasons.csv", columns):
        code, vacancy = row.need("code"), row.need("vacancy")
        if code in found or vacancy not in draw_reasons("vacancy", root):
            raise row.fail(f"reason {code!r} stands twice or opens no replacement")
        explained = row.one_of("explained", ("yes", "no")) == "yes"
        titles = (row.need("title_zh"), row.need("title_en"))
        found[code] = DeclineReason(code, *titles, explained, vacancy, row.need("source"))
    return found


@dataclass(frozen=True, slots=True)
class Grade(Worded):
    """A grade of an appraisal; a ``poor`` one counts towards a removal."""

    poor: bool


@once
def appraisal_grades(root: Path = SCHEMAS) -> dict[str, Grade]:
    """Read ``vocabularies/expert_appraisal_grades.csv``: grade → what it says, the best first."""
    columns = ("grade", "title_zh", "title_en", "poor", "source")
    found: dict[str, Grade] = {}
    for row in read_rows(root / "vocabularies" / "expert_appraisal_grades.csv", columns):
        grade = row.need("grade")
        if grade in found:
            raise row.fail(f"grade {grade!r} stands twice")
        words = (row.need("title_zh"), row.need("title_en"), row.need("source"))
        found[grade] = Grade(grade, *words, row.one_of("poor", ("yes", "no")) == "yes")
    if not any(one.poor for one in found.values()):
        raise ValueError("expert_appraisal_grades.csv has no poor grade")
    return found


@once
def minutes_views(root: Path = SCHEMAS) -> dict[str, dict[str, str]]:
    """Read ``vocabularies/expert_minutes_views.csv``: part of the minutes → role → one of :data:`MINUTES_SHOWINGS`."""
    found: dict[str, dict[str, str]] = {}
    for row in read_rows(root / "vocabularies" / "expert_minutes_views.csv", ("part", *ROLES, "source")):
        part = row.need("part")
        if part in found:
            raise row.fail(f"part {part!r} stands twice")
        found[part] = {role: row.one_of(role, MINUTES_SHOWINGS) for role in ROLES}
    return found


@once
def walk_words(root: Path = SCHEMAS) -> dict[str, Worded]:
    """Read ``vocabularies/expert_walk_words.csv``: why the walk passed somebody over, and what an incident is."""
    found: dict[str, Worded] = {}
    for row in read_rows(root / "vocabularies" / "expert_walk_words.csv", ("code", "title_zh", "title_en", "source")):
        code = row.need("code")
        if code in found:
            raise row.fail(f"code {code!r} stands twice")
        found[code] = Worded(code, row.need("title_zh"), row.need("title_en"), row.need("source"))
    return found
