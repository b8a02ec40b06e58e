"""How a name is written and how it sounds: one way to write it, and all readings of its characters.

Widths, brackets, blanks and traditional characters are folded one character for one, so both sides of a comparison meet
whatever the dictionary says of a phrase. Sounds are toneless pinyin with every reading a character has in known phrases.
"""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from functools import cache, lru_cache

from records.scripts import folded as folded
from records.scripts import plain as plain
from schemas.divisions import region_words

READINGS = 2
"""A reading counts where so many phrases of pypinyin's dictionary have it, or one that names a region (六安)."""
_CJK = range(0x4E00, 0xA000)


# -- sound ----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def readings() -> dict[str, tuple[str, ...]]:
    """Give the toneless readings of every character, the most usual first; ü is written v."""
    from pypinyin.constants import PHRASES_DICT, PINYIN_DICT

    heard: dict[str, Counter[str]] = defaultdict(Counter)
    regions = region_words()
    for phrase, sounds in PHRASES_DICT.items():
        if len(phrase) == len(sounds):
            times = READINGS if phrase in regions else 1
            for character, sound in zip(phrase, sounds, strict=True):
                heard[character][_toneless(sound[0])] += times
    found = {}
    for code, many in PINYIN_DICT.items():
        if code in _CJK:
            count = heard[chr(code)]
            first = _toneless(many.split(",")[0])
            known = {first, *(sound for sound, times in count.items() if times >= READINGS)}
            found[chr(code)] = tuple(sorted(known, key=lambda sound: (-count[sound], sound)))
    return found


@cache
def _toneless(sound: str) -> str:
    letters = unicodedata.normalize("NFD", sound)
    letters = letters.replace("u\u0304\u0308", "v").replace("u\u0308", "v").replace("ê", "e")
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


@lru_cache(maxsize=1)
def sounds() -> tuple[str, ...]:
    """Give every syllable, letter and digit a name may sound of, in alphabetical order."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    return tuple(sorted({sound for many in readings().values() for sound in many} | set(letters)))


def spoken(name: str) -> list[tuple[str, ...]]:
    """Give the readings of each character that has a sound; a letter or digit sounds as itself."""
    return heard(plain(name))


def heard(text: str) -> list[tuple[str, ...]]:
    """Do what :func:`spoken` does for a text that is folded and has no brackets."""
    known = sounding()
    return [sound for character in text if (sound := known.get(character))]


@lru_cache(maxsize=1)
def sounding() -> dict[str, tuple[str, ...]]:
    """Give the readings of every character that may stand in a name; a letter or digit sounds as itself."""
    own = {chr(code): (chr(code).lower(),) for code in range(128) if chr(code).isalnum()}
    return own | readings()


def pinyin(name: str, most: int = 64) -> tuple[frozenset[str], frozenset[str]]:
    """Give all initials and all full spellings of a name, at most so many of each.

    Examples
    --------
    >>> initials, full = pinyin("重庆长虹")
    >>> sorted(initials), "chongqingchanghong" in full
    (['cqch', 'cqzh', 'zqch', 'zqzh'], True)
    """
    initials, full = [""], [""]
    for syllables in spoken(name):
        firsts = dict.fromkeys(sound[0] for sound in syllables)
        initials = [one + first for one in initials for first in firsts][:most]
        full = [one + sound for one in full for sound in syllables][:most]
    return frozenset(initials), frozenset(full)
