"""Finding an enterprise by what somebody typed: its code, a name old or new, pinyin, or something like a name.

What is typed exactly is looked up exactly and ends the search; everything else gives a ranked list, each hit with the
field that matched and how well, and nothing here ever chooses for the person who asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from credit_registry.index import FOLDER, Named, NameIndex
from credit_registry.keys import SYLLABLES, syllables_range
from credit_registry.names import folded, plain, readings, spoken
from credit_registry.parts import has_form, skips
from credit_registry.ranking import Asked, Likeness, ranked
from credit_registry.sounding import goes_on, spelt
from credit_registry.spelling import combined, sound_numbers
from schemas.divisions import division_path
from schemas.identifiers import read_uscc

CANDIDATES = 250
"""Names the pairs give for ranking; names that sound alike come on top."""
NEARBY = 60
SCANNED = 2_000
LEAST = 45.0
"""What scores less shares a trade or a character with the text and is not worth showing."""
ENOUGH = 70.0
"""Where nothing scores so much, the names that begin like a short brand are looked through as well."""
WHOLE = 5
"""Characters of the shortest name without a legal form that may end the search."""
SAME = 1_000
"""Names kept under one checksum: those of one code, or one common name of enterprises without a code."""
SPELT = 50
"""Names looked at for one spelling."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One enterprise that was found.

    Attributes
    ----------
    name, current_name : str
        The name that matched, and the name it bears today.
    matched_field : str
        ``code``, ``name`` and ``former_name`` (the same, but for widths, brackets, blanks and script),
        ``pinyin_initials``, ``pinyin``, or ``fuzzy`` for a name that contains or resembles what was typed.
    score : float
        100 is the same; below, how near, comparable within one list.
    region : str
        Place of registration, from the province down.
    """

    uscc: str
    subject: str
    name: str
    current_name: str
    matched_field: str
    score: float
    why_zh: str
    why_en: str
    region: str


class Finder:
    """Searches one built register; threads share it.

    Parameters
    ----------
    folder : Path
        The folder of ``register.db``.
    """

    def __init__(self, folder: Path) -> None:
        # Held by its own path: when ``current`` moves on, the files of one build still belong together.
        place = folder.resolve()
        self.index = NameIndex(place / "register.db", place / FOLDER)

    def close(self) -> None:
        """Let the files go."""
        self.index.close()

    def find(self, text: str, limit: int = 10) -> list[Hit]:
        """Find enterprises, best first, each once; at most ``limit``."""
        bare = plain(text)
        if not bare or limit < 1:
            return []
        exact = self._by_code(text) or self._by_name(bare)
        if exact and (exact[0].matched_field == "code" or self._is_whole(bare, text)):
            return exact[:limit]
        found = [*exact, *self._by_sound(bare, limit), *self._by_likeness(text, limit)]
        best: dict[str, Hit] = {}
        for hit in sorted(found, key=lambda one: -one.score):
            best.setdefault(hit.subject, hit)
        return [self._today(hit) for hit in list(best.values())[:limit]]

    # -- exactly ----------------------------------------------------------------------------------------------------

    def _by_code(self, text: str) -> list[Hit]:
        code = read_uscc(text).code
        if not code:
            return []
        named = [one for one in self._of(code) if one.uscc == code]
        named.sort(key=lambda one: one.former)
        why = "统一社会信用代码一致", "the code is the same"
        return [self._today(_hit(one, "code", 100.0, *why)) for one in named[:1]]

    def _by_name(self, bare: str) -> list[Hit]:
        named = [one for one in self.index.named(self.index.names.of(bare, SAME)) if plain(one.name) == bare]
        hits: dict[str, Hit] = {}
        for one in sorted(named, key=lambda one: one.former):
            hits.setdefault(one.subject, self._today(_same_name(one)))
        return list(hits.values())

    def _is_whole(self, bare: str, text: str) -> bool:
        """Tell whether a text that is a name is no part of another: it ends with a form, or no longer name has it."""
        return has_form(folded(text)) or (len(bare) >= WHOLE and not goes_on(self.index, bare, SPELT))

    def _of(self, code: str) -> list[Named]:
        return self.index.named(self.index.codes.of(code, SAME))

    def _today(self, hit: Hit) -> Hit:
        """Say which name the enterprise bears today, where a former one matched."""
        if hit.current_name:
            return hit
        current = [
            one.name for one in self._of(hit.uscc or hit.subject) if one.subject == hit.subject and not one.former
        ]
        return replace(hit, current_name=current[0] if current else hit.name)

    # -- by sound ---------------------------------------------------------------------------------------------------

    def _by_sound(self, bare: str, limit: int) -> Iterator[Hit]:
        letters = bare.lower().replace("ü", "v").replace("-", "").replace("`", "")
        if not re.fullmatch(r"[a-z0-9]{2,60}", letters):
            return
        for named, field, share in spelt(self.index, letters, max(SPELT, 2 * limit)):
            if field == "pinyin_initials":
                why = f"拼音首字母 {letters}", f"the initials begin with {letters}"
                yield _hit(named, field, 60 + 30 * share, *why)
            else:
                why = f"全拼以 {letters} 开头", f"the full pinyin begins with {letters}"
                yield _hit(named, field, 65 + 34 * share, *why)

    # -- by likeness ------------------------------------------------------------------------------------------------

    def _by_likeness(self, text: str, limit: int) -> list[Hit]:
        asked = Asked.read(text)
        # its first pair as well: the character between may be the one that is missing
        skipped = [*skips(asked.core), "*".join(asked.core[:2])]
        rows = self.index.pairs.rows(asked.compared, skipped, asked.words, max(CANDIDATES, 2 * limit))
        rows += self._sounding(asked.core[:SYLLABLES], NEARBY)
        most = 3 * limit
        found = ranked(asked, self.index.named(rows), most)
        if len(asked.core) <= SYLLABLES and (not found or found[0].score < ENOUGH):
            found = ranked(asked, self.index.named([*rows, *self._scan(asked)]), most)
        return [_resembling(one) for one in found[:most] if one.contains or one.score >= LEAST]

    def _sounding(self, text: str, most: int) -> list[int]:
        """Give the rows of names whose front sounds like a text: the commonest slip is another character of one sound."""
        sound = spoken(text)
        if len(sound) < 2:
            return []
        rows: list[int] = []
        for numbers in combined([[sound_numbers()[one] for one in many] for many in sound[:SYLLABLES]], 4):
            rows += self.index.syllables.rows(*syllables_range(numbers, numbers[-1]), most)
        return rows

    def _scan(self, asked: Asked) -> list[int]:
        """Look through the names that begin with the region and the first character, or with that character alone."""
        front = [readings()[one] for one in asked.core[:1] if one in readings()]
        if not front:
            return []
        rows: list[int] = []
        for start in (*(spoken(word)[:3] for word in asked.words[:1]), []):
            for numbers in combined([[sound_numbers()[one] for one in many] for many in [*start, *front]], 4):
                rows += self.index.syllables.rows(*syllables_range(numbers, numbers[-1]), SCANNED)
        return rows[:SCANNED]


# -- what a hit says ------------------------------------------------------------------------------------------------


def _hit(named: Named, field: str, score: float, why_zh: str, why_en: str) -> Hit:
    region = _region(named.division)
    current = "" if named.former else named.name
    return Hit(named.uscc, named.subject, named.name, current, field, round(score, 1), why_zh, why_en, region)


@lru_cache(maxsize=10_000)
def _region(division: str) -> str:
    return "".join(division_path(division)) if division else ""


def _same_name(named: Named) -> Hit:
    if named.former:
        return _hit(named, "former_name", 99.5, "曾用名称一致", "a former name is the same")
    return _hit(named, "name", 100.0, "名称一致", "the name is the same")


def _resembling(found: Likeness) -> Hit:
    zh, en = (
        ("名称中含有所查文字", "the name contains the text") if found.contains else ("名称相近", "the name is alike")
    )
    if found.sounds:
        zh, en = "名称读音相近", "the name sounds alike"
    if found.named.former:
        zh, en = f"曾用{zh}", f"former name: {en}"
    if found.region is not None:
        zh += "，地区一致" if found.region == 1 else "，地区不尽一致" if found.region else "，地区不一致"
        en += ", region " + ("agrees" if found.region == 1 else "agrees in part" if found.region else "differs")
    return _hit(found.named, "fuzzy", found.score, f"{zh}（{found.score:.0f} 分）", f"{en} ({found.score:.0f})")
