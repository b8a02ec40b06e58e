"""Finding names by how they are spelt: initials or whole pinyin, from the front, from the brand, or the last one begun.

A key holds the first eight initials or four syllables. What is longer begins with a region shared by tens of thousands,
so the brand, which has keys of its own, is looked for further on: only rows that both the front and a later part of
the letters lead to are read and compared, and these are few.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from credit_registry.index import Named, NameIndex
from credit_registry.keys import INITIALS, MOST_ROWS, SYLLABLES, Keys, initials_range, syllables_range
from credit_registry.names import heard, plain, sounds
from credit_registry.spelling import glance, share_of_initials, share_of_letters, spellings, ways_to_say

LATEST = 14
"""Sounds of regions that may stand before the brand."""
FEW = 12
"""Rows that are sooner read than narrowed down."""
TELLING = 2_000
"""A part of the letters that leads to more names tells nothing."""
NOTHING = np.zeros(0, np.uint64)


def spelt(index: NameIndex, letters: str, most: int) -> Iterator[tuple[Named, str, float]]:
    """Give names that begin so, the field that matched, and which share of the name was spelt.

    Parameters
    ----------
    letters : str
        Lower-case letters and digits.
    most : int
        Names looked at for one way to read the letters.
    """
    yield from _fitting(index, _by_initials(index, letters, most), letters, "pinyin_initials")
    for rows in (_by_whole_spelling, _by_first_syllables):
        found = list(_fitting(index, rows(index, letters, most), letters, "pinyin"))
        yield from found
        if found:  # more was spelt than a key of syllables holds: those have nothing else
            return


def goes_on(index: NameIndex, bare: str, most: int) -> bool:
    """Tell whether a longer name has this one at one of its beginnings; so many of one sound may always."""
    rows = _by_initials(index, "".join(many[0][0] for many in heard(bare)), most)
    return len(rows) >= most or any(len(name) > len(bare) and bare in name for name in map(_plain, index.named(rows)))


def _plain(named: Named) -> str:
    return plain(named.name)


def _fitting(index: NameIndex, rows: list[int], letters: str, field: str) -> Iterator[tuple[Named, str, float]]:
    initials = field == "pinyin_initials"
    share_of = share_of_initials if initials else share_of_letters
    # so few initials stand in the key itself, where all digits are one: by some reading the name begins so
    sure = initials and len(letters) <= INITIALS and letters.isalpha()
    for named in index.named(rows):
        share = glance(letters, named.name, initials=initials)
        if not share and sure:
            share = min(1.0, len(letters) / len(named.name))
        elif not share:
            share = next(filter(None, (share_of(letters, way) for way in ways_to_say(named.name))), 0.0)
        if share:
            yield named, field, share


def _by_initials(index: NameIndex, letters: str, most: int) -> list[int]:
    """Give the rows of names that begin so, and where many do, because a region was spelt first, by the brand."""
    front, near = _front_and_near(index, letters, most)
    return list(map(int, (near if len(near) else front)[:most]))


def _by_whole_spelling(index: NameIndex, letters: str, most: int) -> list[int]:
    """Give the rows of names with the initials of the syllables the letters are, where these are many."""
    known = sounds()
    whole = (numbers for numbers, _ in spellings(letters, len(letters)) if len(numbers) > SYLLABLES)
    firsts = dict.fromkeys("".join(known[number - 1][0] for number in numbers) for numbers in whole)
    found = [_front_and_near(index, one, most) for one in firsts]
    # a wrong cut (xian for xi an) leads to the region's other names, and to none by the brand
    sure = [near for _, near in found if len(near)] or [front for front, _ in found]
    return [int(row) for one in sorted(sure, key=len) for row in one[:most]][:most]


def _front_and_near(index: NameIndex, letters: str, most: int) -> tuple[Keys, Keys]:
    """Give the rows that begin so, and those among them that a later part of the letters leads to as well."""
    longer = len(letters) > INITIALS
    (front,) = index.initials.spans([initials_range(letters)], MOST_ROWS if longer else most)
    if not longer or len(front) <= FEW:
        return front, front
    starts = range(1, min(len(letters) - SYLLABLES, LATEST) + 1)
    later = index.initials.spans([initials_range(letters[start:]) for start in starts], TELLING)
    near = np.sort(np.concatenate([NOTHING, *(rows for rows in later if len(rows) < TELLING)]))
    if not len(near):
        return front, near
    return front, front[near[np.minimum(np.searchsorted(near, front), len(near) - 1)] == front]


def _by_first_syllables(index: NameIndex, letters: str, most: int) -> list[int]:
    begun = [syllables_range(numbers, last) for numbers, last in spellings(letters, SYLLABLES)]
    found = sorted(index.syllables.spans(begun, most), key=len) if begun else []
    return [int(row) for one in found for row in one][:most]
