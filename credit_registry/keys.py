"""Sorted 64-bit keys on disk: what is asked in front, the row of the name behind; a question is one or two bisections.

Eight bytes a name and question, mapped from the file, so opening costs nothing and all readers share the pages. A key
is 40 bits of what is asked (a checksum of a text, or the first sounds packed so that a prefix is a range) and 24 bits of
the row. A checksum may meet another, a packed sound is cut off: whoever asks looks at the rows it gets.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from credit_registry.names import readings, sounds

ROW_BITS = 24
MOST_ROWS = 1 << ROW_BITS
INITIALS, SYLLABLES = 8, 4
_INITIAL_BITS, _SYLLABLE_BITS = 5, 9
_ALTERNATIVES = 3
"""Readings beyond the most usual that are kept for one character."""

Keys = NDArray[np.uint64]


def checksum(text: str) -> int:
    """Give 32 bits that stand for a text."""
    return zlib.crc32(text.encode())


class SortedKeys:
    """One file of keys, opened for reading."""

    def __init__(self, path: Path) -> None:
        # a plain view of the mapped file: asking a memmap costs more than the bisection
        self.keys: Keys = np.asarray(np.load(path, mmap_mode="r"))

    def rows(self, low: int, high: int, most: int) -> list[int]:
        """Give the rows of the keys from ``low`` up to, not with, ``high``, at most so many, shortest first."""
        (found,) = self.spans([(low, high)], most)
        return list(map(int, found))

    def spans(self, ranges: Sequence[tuple[int, int]], most: int) -> list[Keys]:
        """Give the rows of several ranges, as :meth:`rows` does of one."""
        ends = np.searchsorted(self.keys, np.array(ranges, np.uint64) << np.uint64(ROW_BITS)).tolist()
        return [self.keys[first : min(last, first + most)] & np.uint64(MOST_ROWS - 1) for first, last in ends]

    def of(self, text: str, most: int) -> list[int]:
        """Give the rows kept under the checksum of a text."""
        key = checksum(text)
        return self.rows(key, key + 1, most)


def write_keys(path: Path, keys: Keys) -> None:
    """Sort keys, each once, and write them."""
    keys.sort()
    np.save(path, keys[np.flatnonzero(np.diff(keys, prepend=~keys[:1]))])


def text_keys(sums: Sequence[int], rows: Sequence[int]) -> Keys:
    """Make the keys of checksums."""
    return (np.asarray(sums, np.uint64) << np.uint64(ROW_BITS)) | np.asarray(rows, np.uint64)


# -- sound ----------------------------------------------------------------------------------------------------------


class SoundKeys:
    """Packs the beginnings of names, by initials and by whole syllables, each reading of each character."""

    def __init__(self) -> None:
        numbers = {sound: number for number, sound in enumerate(sounds(), 1)}
        self.syllables = np.zeros((_ALTERNATIVES + 1, 1 << 16), np.uint16)
        self.initials = np.zeros_like(self.syllables)
        for character, many in self._all():
            for place, sound in enumerate(many[: _ALTERNATIVES + 1]):
                self.syllables[place, ord(character)] = numbers[sound]
            firsts = dict.fromkeys(initial_number(sound[0]) for sound in many)
            for place, number in enumerate(list(firsts)[: _ALTERNATIVES + 1]):
                self.initials[place, ord(character)] = number

    @staticmethod
    def _all() -> Iterable[tuple[str, tuple[str, ...]]]:
        yield from readings().items()
        for code in range(128):
            if chr(code).isalnum():
                yield chr(code), (chr(code).lower(),)

    def pack(self, names: Sequence[str], rows: NDArray[np.uint64]) -> tuple[Keys, Keys]:
        """Give keys by initials and by syllables; ``names`` are without brackets and marks."""
        wide = np.array([name[:INITIALS] for name in names], f"U{INITIALS}").view(np.uint32)
        codes = wide.reshape(len(names), INITIALS)
        codes = np.where(codes < 1 << 16, codes, 0)
        return (
            _packed(self.initials, codes, rows, _INITIAL_BITS),
            _packed(self.syllables, codes[:, :SYLLABLES], rows, _SYLLABLE_BITS),
        )


def _packed(table: NDArray[np.uint16], codes: NDArray[np.uint32], rows: NDArray[np.uint64], bits: int) -> Keys:
    """Pack the usual reading, then once more for every other reading of every place; a silence ends the key."""
    usual = table[0][codes].astype(np.uint64)
    heard = np.logical_and.accumulate(usual > 0, axis=1)
    usual *= heard
    shifts = [np.uint64(bits * (codes.shape[1] - 1 - place)) for place in range(codes.shape[1])]
    keys = np.zeros(len(codes), np.uint64)
    for place, shift in enumerate(shifts):
        keys |= usual[:, place] << shift
    lines = np.arange(len(codes))
    for place, shift in enumerate(shifts):
        # a third reading only where there is a second, which few characters have
        several = heard[:, place] & (table[1][codes[:, place]] > 0)
        chosen = np.flatnonzero(several[lines])
        at = lines[chosen]
        added: list[tuple[Keys, NDArray[np.intp]]] = []
        for other in table[1:]:
            sound = other[codes[at, place]].astype(np.uint64)
            # unsigned wrap-around takes the usual reading out and puts the other in
            changed = keys[chosen] + ((sound - usual[at, place]) << shift)
            added.append((changed[sound > 0], at[sound > 0]))
        keys = np.concatenate([keys, *(one for one, _ in added)])
        lines = np.concatenate([lines, *(line for _, line in added)])
    return (keys << np.uint64(ROW_BITS)) | rows[lines]


def initial_number(letter: str) -> int:
    """Number a letter in five bits; all digits share one number.

    Examples
    --------
    >>> initial_number("a"), initial_number("z"), initial_number("7")
    (1, 26, 27)
    """
    return ord(letter) - 96 if letter.isalpha() else 27


def initials_range(letters: str) -> tuple[int, int]:
    """Give the range of keys of names whose initials begin so."""
    return _range([initial_number(letter) for letter in letters[:INITIALS]], INITIALS, _INITIAL_BITS)


def syllables_range(numbers: Sequence[int], last: int) -> tuple[int, int]:
    """Give the range of keys of names that begin with these sounds; the last may be any up to the number ``last``."""
    low, _ = _range(list(numbers), SYLLABLES, _SYLLABLE_BITS)
    _, high = _range([*numbers[:-1], last], SYLLABLES, _SYLLABLE_BITS)
    return low, high


def _range(numbers: list[int], width: int, bits: int) -> tuple[int, int]:
    low = 0
    for number in numbers:
        low = low << bits | number
    free = bits * (width - len(numbers))
    return low << free, (low + 1) << free
