"""How near a name is to what was asked: likeness of the cores, agreement of regions, branches kept apart.

Legal forms and regions are in nearly every name and would make all names alike, so the cores are compared without them
and the regions apart: what counts is whether the places agree, not how their words are written. Weights were set by
hand; ``benchmarks/lookups.py`` measures what they do to names that were got wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import LCSseq
from rapidfuzz.fuzz import partial_ratio, ratio
from rapidfuzz.process import cdist

from credit_registry.index import Named
from credit_registry.names import folded, spoken
from credit_registry.parts import brief_region, cut, region_codes

CORE, WHOLE, REGION = 0.78, 0.1, 10.0
"""Shares of the score: likeness of the cores and of the whole names, and points for regions that agree."""
PART, INSIDE = 0.93, 0.8
"""What likeness to a part of a name is worth: the part was asked for, or the name is a part of what was asked."""
SOUND = 80.0
"""Likeness of a core that begins with other characters of the same sound."""
BEGINS = 2.0
SHORTLIST = 64
"""Candidates that are cut and compared in full."""
APART = 12.0
"""Points lost where one is a branch and the other is not."""
UNKNOWN_REGION, WIDER_REGION = 0.5, 0.6


@dataclass(frozen=True, slots=True)
class Asked:
    """A text that is searched for, cut once."""

    text: str
    core: str
    compared: str
    words: tuple[str, ...]
    """Its regions in short words; ``regions`` are the divisions each may mean."""
    regions: tuple[frozenset[str], ...]
    branch: str
    sound: list[tuple[str, ...]]

    @classmethod
    def read(cls, text: str) -> Asked:
        """Cut a text."""
        whole = folded(text)
        found = cut(whole)
        words = tuple(map(brief_region, found.regions))
        return cls(
            whole,
            found.core,
            found.compared,
            words,
            tuple(map(region_codes, found.regions)),
            found.branch,
            spoken(found.core),
        )


@dataclass(frozen=True, slots=True)
class Likeness:
    """How near one name is, and in what."""

    named: Named
    score: float
    contains: bool
    sounds: bool
    """Other characters, but they sound alike; what the likeness of characters does not tell."""
    region: float | None
    """1 where all regions asked for agree, 0 where none does; nothing where none was asked for."""


def ranked(asked: Asked, candidates: Sequence[Named], most: int) -> list[Likeness]:
    """Order the nearest candidates; those alike in everything by name and code.

    Most candidates share a trade and nothing else: the characters they have in common with the text, in their order,
    tell the few that are worth cutting and comparing.
    """
    names = [folded(one.name) for one in candidates]
    near = 2 * _common(asked.compared, names) + _common("".join(asked.words) + asked.compared, names)
    chosen = np.argsort(-near, kind="stable")[: max(most, SHORTLIST)]
    found = [likeness(asked, candidates[place], names[place]) for place in chosen]
    return sorted(found, key=lambda one: (-one.score, len(one.named.name), one.named.name, one.named.uscc))


def _common(text: str, names: list[str]) -> NDArray[np.int32]:
    return cdist([text], names, scorer=LCSseq.similarity, dtype=np.int32)[0]


def likeness(asked: Asked, named: Named, text: str) -> Likeness:
    """Compare one name, and its folded text, with what was asked."""
    found = cut(text)
    compared = found.compared
    near = max(
        ratio(asked.core, found.core),
        # the part that is shorter is looked for in the other, whichever was asked
        (PART if len(asked.compared) <= len(compared) else INSIDE) * partial_ratio(asked.compared, compared),
    )
    region = _region(asked.regions, found.regions, named.division) if asked.regions else None
    alike = near < SOUND and _sounds_alike(asked.sound, found.core)
    if alike:
        near = SOUND
    score = CORE * near + WHOLE * ratio(asked.text, text) + REGION * (UNKNOWN_REGION if region is None else region)
    if found.core.startswith(asked.core):
        score += BEGINS
    if bool(found.branch) != bool(asked.branch):
        score -= APART
    return Likeness(named, max(0.0, min(score, 99.0)), asked.text in text, alike, region)


def _sounds_alike(sound: Sequence[tuple[str, ...]], core: str) -> bool:
    """Tell whether a core begins with the sounds asked for, character by character."""
    if not 1 < len(sound) <= len(core):
        return False
    return all(not set(one).isdisjoint(other) for one, other in zip(sound, spoken(core[: len(sound)]), strict=False))


def _region(asked: Sequence[frozenset[str]], words: Sequence[str], division: str) -> float:
    """Say how far the regions of a name, or else the place of its code, are those asked for."""
    codes = {code for word in words for code in region_codes(word)} | ({division} if division else set())
    if not codes:
        return UNKNOWN_REGION
    return sum(_agrees(wanted, codes) for wanted in asked) / len(asked)


def _agrees(wanted: frozenset[str], codes: set[str]) -> float:
    if any(code.startswith(one) for one in wanted for code in codes):
        return 1.0
    return WIDER_REGION if any(one.startswith(code) for one in wanted for code in codes) else 0.0
