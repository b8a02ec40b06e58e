"""How a person spells a name: where the letters begin, what they may stand for, and whether a name is spelt by them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate

from credit_registry.names import folded, heard, plain, sounding, sounds
from credit_registry.parts import Cut, brief_region, cut

SPELLINGS = 12
LONGEST = 6
"""Letters of the longest syllable (zhuang)."""


def beginnings(bare: str, found: Cut) -> list[str]:
    """Give where a person may begin to spell a name: at its front, at the brand, at the region without 省 or 市.

    Examples
    --------
    >>> beginnings("绵阳市宏达电子有限公司", cut("绵阳市宏达电子有限公司"))
    ['绵阳市宏达电子有限公司', '宏达电子有限公司', '绵阳宏达电子有限公司']
    """
    core = found.core
    if not bare.isalnum():
        bare, core = _sounding(bare), _sounding(core)
    at = bare.find(core)
    if at == 0:
        return [bare]
    brand = bare[at:] if at > 0 else core
    region = brief_region(found.regions[0]) if found.regions else ""
    return [bare, brand, region + brand] if region and not bare.startswith(region + core) else [bare, brand]


def _sounding(text: str) -> str:
    return "".join(filter(str.isalnum, text))


def ways_to_say(name: str) -> Iterator[list[tuple[str, ...]]]:
    """Give the sounds of each of the :func:`beginnings`."""
    text = folded(name)
    for way in beginnings(plain(name), cut(text)):
        yield heard(way)


def glance(letters: str, name: str, *, initials: bool) -> float:
    """Give the share of a name as the letters spell it by its usual readings, from one of its characters on.

    Nearly every name a key leads to is spelt so, and this is twenty times faster than to cut it and try each reading;
    0 tells only that the others have to be tried.
    """
    first, whole = _usual()
    usual = [sound for character in plain(name) if (sound := (first if initials else whole).get(character))]
    at = "".join(usual).find(letters)
    if at < 0:
        return 0.0
    places = list(accumulate(map(len, usual), initial=0))
    start = bisect_left(places, at)
    if places[start] != at:
        return 0.0
    return (bisect_left(places, at + len(letters)) - start) / (len(usual) - start)


@lru_cache(maxsize=1)
def _usual() -> tuple[dict[str, str], dict[str, str]]:
    """The usual reading of each character: its initial, and all of it."""
    whole = {character: many[0] for character, many in sounding().items()}
    return {character: sound[0] for character, sound in whole.items()}, whole


def share_of_initials(letters: str, sound: Sequence[tuple[str, ...]]) -> float:
    """Give which share of a name its first initials are, 0 if they are not."""
    if len(letters) > len(sound):
        return 0.0
    for letter, many in zip(letters, sound, strict=False):
        if letter != many[0][0] and not any(one[0] == letter for one in many[1:]):
            return 0.0
    return len(letters) / len(sound)


def share_of_letters(letters: str, sound: Sequence[tuple[str, ...]]) -> float:
    """Give which share of a name is spelt by the letters, 0 if they spell something else; the last may be begun."""
    ends = {0}
    for number, many in enumerate(sound):
        after = set()
        for end in ends:
            for one in many:
                if letters.startswith(one, end):
                    after.add(end + len(one))
                if len(letters) - end <= len(one) and one.startswith(letters[end:]):
                    return (number + 1) / len(sound)
        if not after:
            return 0.0
        ends = after
    return 0.0


@lru_cache(maxsize=1)
def sound_numbers() -> dict[str, int]:
    """Give the number of each sound in the keys."""
    return {sound: number for number, sound in enumerate(sounds(), 1)}


def spellings(letters: str, most: int) -> list[tuple[list[int], int]]:
    """Cut letters into their first syllables in every way, longest syllables first; the last may be only begun.

    Returns
    -------
    list of (numbers, last)
        Numbers of the sounds, at most ``most``; the last stands for all from its number to ``last``.
    """
    found: list[tuple[list[int], int]] = []
    numbers = sound_numbers()

    def walk(at: int, taken: list[int]) -> None:
        if len(found) >= SPELLINGS:
            return
        rest = letters[at:]
        if len(taken) == most:
            found.append((taken, taken[-1]))
            return
        if len(rest) <= LONGEST and (begun := _begun().get(rest)):
            found.append(([*taken, begun[0]], begun[1]))
        for size in range(min(LONGEST, len(rest) - 1), 0, -1):
            number = numbers.get(rest[:size])
            # a consonant alone is a letter of the name (TCL), and such letters stand in front
            if number is not None and (size > 1 or rest[0] in "aeo" or at == len(taken)):
                walk(at + size, [*taken, number])

    walk(0, [])
    return found


@lru_cache(maxsize=1)
def _begun() -> dict[str, tuple[int, int]]:
    """Give for each beginning of a sound the first and the last that begin so."""
    found: dict[str, tuple[int, int]] = {}
    for sound, number in sound_numbers().items():
        for size in range(1, len(sound) + 1):
            first, _ = found.get(sound[:size], (number, number))
            found[sound[:size]] = first, number
    return found


def combined(choices: Iterable[Sequence[int]], most: int) -> list[list[int]]:
    """Choose one of each in every way, at most so many ways."""
    ways: list[list[int]] = [[]]
    for many in choices:
        ways = [[*way, one] for way in ways for one in many][:most]
    return ways
