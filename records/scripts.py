"""How a name is written: the one way names of enterprises and of persons are compared, whatever script and width.

Widths, brackets, blanks and traditional characters are folded one character for one, so both sides of a comparison meet
whatever the dictionary says of a phrase. Nothing here knows how a name sounds: 何 and 贺 stay two names.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from schemas.files import fold
from schemas.name_words import name_words
from schemas.person_names import name_marks

_CJK = range(0x4E00, 0xA000)
_COPIES = (range(0x2E80, 0x2FE0), range(0xF900, 0xFB00), range(0x2F800, 0x2FA20))
"""Radicals and compatibility ideographs, as texts copied from a PDF or an old Korean code have them for the usual ones."""


def folded(name: str) -> str:
    """Write the name of an enterprise in the one way names are compared.

    Examples
    --------
    >>> folded("三雷（重慶） 汽車零部件有限公司")
    '三雷(重庆)汽车零部件有限公司'
    """
    return name if _settled().fullmatch(name) else name.translate(_characters())


def plain(name: str) -> str:
    """Fold the name of an enterprise and drop its brackets: by this two spellings are the same name."""
    return folded(name).replace("(", "").replace(")", "")


def person_key(name: str) -> str:
    """Write a person's name in the one way names of persons are compared: by this two spellings are the same name.

    Blanks, every kind of middle dot, widths, capitals and traditional script do not count; a note in brackets does.

    Examples
    --------
    >>> person_key("歐陽　 明"), person_key("阿依古丽・买买提") == person_key("阿依古丽·买买提"), person_key("⽂明")
    ('欧阳明', True, '文明')
    >>> person_key("何克斌") == person_key("贺克斌")
    False
    """
    return name.translate(_persons())


class _Characters(dict[int, str]):
    """One character for one, worked out when first met: so a million names need one look per character."""

    def __init__(self, known: dict[str, str]) -> None:
        super().__init__()
        self.known = known

    def __missing__(self, code: int) -> str:
        written = fold(chr(code)).upper()
        self[code] = new = "".join(self.known.get(one, one) for one in self.known.get(chr(code), written))
        return new


@lru_cache(maxsize=1)
def _settled() -> re.Pattern[str]:
    """Match names that are folded as they stand, which nearly all are: a glance instead of a look at every character."""
    known = _characters()
    usual = map(chr, (*_CJK, *range(ord("0"), ord("9") + 1), *range(ord("A"), ord("Z") + 1), *map(ord, "()")))
    return re.compile(f"[{re.escape(''.join(one for one in usual if known[ord(one)] == one))}]*")


class _Persons(_Characters):
    """The same for names of persons, which also come with copies of characters; the usual one is compared."""

    def __missing__(self, code: int) -> str:
        if any(code in block for block in _COPIES):
            usual = unicodedata.normalize("NFKC", chr(code))
            self[code] = new = "".join(self.known.get(one, one) for one in usual)
            return new
        return super().__missing__(code)


@lru_cache(maxsize=1)
def _simple() -> dict[str, str]:
    """Traditional to simplified, where one character becomes one."""
    from opencc import OpenCC

    written = list(map(chr, _CJK))
    simple = OpenCC("t2s").convert("\n".join(written)).split("\n")
    return {old: new for old, new in zip(written, simple, strict=True) if old != new and len(new) == 1}


@lru_cache(maxsize=1)
def _characters() -> _Characters:
    """Traditional to simplified, widths and brackets to one kind, quotes, dots and blanks away."""
    words = name_words()
    return _Characters(_simple() | words.brackets | words.marks)


@lru_cache(maxsize=1)
def _persons() -> _Persons:
    """Traditional to simplified, widths and brackets to one kind, dots and blanks away."""
    return _Persons(_simple() | name_words().brackets | dict.fromkeys(name_marks(), ""))
