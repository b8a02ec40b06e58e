"""Facts of the draws: what a panel may be for, why an expert is not on the list, and the coded reasons of a step.

Codes stand in the published lists and papers; nobody gives one another meaning. Reasons of recusal are in
``schemas/recusal_facts.py``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from schemas.files import SCHEMAS, fold, once, read_rows

STEPS = ("redraw", "abandon", "vacancy", "callout")


@dataclass(frozen=True, slots=True)
class PanelPurpose:
    """What a panel is for; one that is not allowed says why, and the words that give such a panel away."""

    code: str
    title_zh: str
    title_en: str
    allowed: bool
    words: tuple[str, ...]
    reason_zh: str
    reason_en: str
    source: str


@once
def panel_purposes(root: Path = SCHEMAS) -> dict[str, PanelPurpose]:
    """Read ``vocabularies/expert_purposes.csv``: code → purpose."""
    columns = ("code", "title_zh", "title_en", "allowed", "words", "reason_zh", "reason_en", "source")
    found: dict[str, PanelPurpose] = {}
    for row in read_rows(root / "vocabularies" / "expert_purposes.csv", columns):
        code, allowed = row.need("code"), row.one_of("allowed", ("yes", "no")) == "yes"
        if code in found:
            raise row.fail(f"purpose {code!r} stands twice")
        if allowed != (not row["reason_zh"]) or allowed != (not row["reason_en"]):
            raise row.fail("a purpose that is refused says why, in both languages; one that is allowed does not")
        titles, reasons = (row.need("title_zh"), row.need("title_en")), (row["reason_zh"], row["reason_en"])
        found[code] = PanelPurpose(code, *titles, allowed, row.many("words"), *reasons, row.need("source"))
    return found


def refused_purpose(code: str, title: str, root: Path = SCHEMAS) -> PanelPurpose | None:
    """Find the purpose for which a panel may not be drawn here: by its code, or by the words of the title.

    Examples
    --------
    >>> refused_purpose("joint-consultation", "某某工业园 规划环评审查小组").code
    'statutory-eia'
    >>> refused_purpose("joint-consultation", "涪江水质会商") is None
    True
    """
    plain = re.sub(r"\s", "", fold(title))
    for one in panel_purposes(root).values():
        if not one.allowed and (code == one.code or any(word in plain for word in one.words)):
            return one
    return None


@dataclass(frozen=True, slots=True)
class Worded:
    """A code with its words."""

    code: str
    title_zh: str
    title_en: str
    source: str


@once
def draw_reasons(step: str, root: Path = SCHEMAS) -> dict[str, Worded]:
    """Read the reasons of a step (``redraw``, ``abandon``, ``vacancy``, ``callout``) from ``expert_draw_reasons.csv``."""
    found: dict[str, Worded] = {}
    columns = ("code", "step", "title_zh", "title_en", "source")
    for row in read_rows(root / "vocabularies" / "expert_draw_reasons.csv", columns):
        if row.one_of("step", STEPS) != step:
            continue
        code = row.need("code")
        if code in found or not re.fullmatch(r"[a-z]+(-[a-z]+)*", code):
            raise row.fail(f"reason {code!r} stands twice or is not lower-case words with hyphens")
        found[code] = Worded(code, row.need("title_zh"), row.need("title_en"), row.need("source"))
    return found


@once
def exclusions(root: Path = SCHEMAS) -> dict[str, Worded]:
    """Read ``vocabularies/expert_exclusions.csv``: code → why an expert stands on a list but cannot be drawn."""
    found: dict[str, Worded] = {}
    for row in read_rows(root / "vocabularies" / "expert_exclusions.csv", ("code", "title_zh", "title_en", "source")):
        code = row.need("code")
        if code in found or not re.fullmatch(r"[a-z]+(_[a-z]+)*", code):
            raise row.fail(f"code {code!r} stands twice or is not lower-case words with underscores")
        found[code] = Worded(code, row.need("title_zh"), row.need("title_en"), row.need("source"))
    return found
