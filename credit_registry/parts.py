"""What a name is made of: region, brand, trade, legal form and branch (企业名称登记管理规定 §6).

People change the order of these parts and leave some out. A name is cut by the words of ``schemas``; both sides of a
comparison are cut by the same functions, so a cut that is wrong is wrong alike on both.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from credit_registry.names import folded
from schemas.divisions import division_path, divisions
from schemas.name_words import name_words

_Endings = dict[str, tuple[tuple[int, ...], frozenset[str]]]
_NONE: tuple[tuple[int, ...], frozenset[str]] = (), frozenset()
_NO_WORDS: tuple[tuple[str, ...], tuple[str, ...]] = (), ()
ZONE = 7
"""So far into a name a zone no list of divisions has may reach (两江新区, 科创区)."""
_BRACKETED = re.compile(r"\(([^()]*)\)")


@dataclass(frozen=True, slots=True)
class NameParts:
    """A folded name in its parts; what is not there is blank.

    Attributes
    ----------
    regions : tuple of str
        Region words in their order, as written.
    codes : frozenset of str
        Divisions these words may mean, without their trailing zeros (``51``, ``5107``, ``510703``).
    brand, industry : str
        The core in two, where the trade at its end is a known one.
    core : str
        Brand and trade as written, without regions, form and branch.
    suffix : str
        The legal form.
    branch : str
        What follows the legal form: a branch (``重庆分公司``) or a facility.
    """

    regions: tuple[str, ...]
    codes: frozenset[str]
    brand: str
    industry: str
    core: str
    suffix: str
    branch: str


@dataclass(frozen=True, slots=True)
class _Words:
    """The words of ``schemas``, laid out for cutting; each list longest first."""

    regions: dict[str, tuple[tuple[str, ...], tuple[str, ...]]]
    """First two characters → full names and names of provinces and cities; and short names of counties."""
    codes: dict[str, frozenset[str]]
    brief: dict[str, str]
    suffixes: _Endings
    branches: _Endings
    industries: _Endings
    trades: frozenset[str]


@lru_cache(maxsize=1)
def _words() -> _Words:
    codes: dict[str, set[str]] = defaultdict(set)
    sure: set[str] = set()
    short: set[str] = set()
    brief: dict[str, str] = {}
    for one in divisions():
        code = re.sub(r"(00){1,2}$", "", one.division)
        brief[folded(one.name_zh)] = folded(one.short_zh) or folded(one.name_zh)
        for word in filter(None, (folded(one.name_zh), folded(one.short_zh))):
            codes[word].add(code)
            (short if one.level == "county" and word == one.short_zh else sure).add(word)
    regions: dict[str, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for word in sorted(codes, key=len, reverse=True):
        if len(word) > 1:
            regions[word[:2]][word not in sure].append(word)
    known = name_words()
    return _Words(
        {head: (tuple(full), tuple(brief)) for head, (full, brief) in regions.items()},
        {word: frozenset(found) for word, found in codes.items()},
        brief,
        _by_last(known.suffixes),
        _by_last(known.branches),
        _by_last(known.industries),
        frozenset(map(folded, known.industries)),
    )


def _by_last(written: tuple[str, ...]) -> _Endings:
    """Lay words out by their last two characters: which lengths to try, longest first, and the words."""
    found: dict[str, set[str]] = defaultdict(set)
    for word in map(folded, written):
        found[word[-2:]].add(word)
    for last, words in found.items():
        words |= found.get(last[-1:], set())
    return {
        last: (tuple(sorted({len(word) for word in words}, reverse=True)), frozenset(words))
        for last, words in found.items()
    }


def parts(name: str) -> NameParts:
    """Cut a name into its parts.

    A province or city may stand at the front or the end under its short name; a county only under its full name or in
    brackets, because half of their short names are brands as well (和平, 长安, 新华). A cut that leaves no brand is
    taken back.

    Examples
    --------
    >>> found = parts("三雷（重庆）汽车零部件有限公司")
    >>> found.regions, found.core, found.suffix
    (('重庆',), '三雷汽车零部件', '有限公司')
    >>> parts("遵义高原建筑工程有限公司重庆分公司").branch
    '重庆分公司'
    """
    found, words = cut(folded(name)), _words()
    codes = frozenset().union(*(words.codes[word] for word in found.regions)) if found.regions else frozenset()
    industry = _ending(found.core, words.industries)
    brand = found.core[: len(found.core) - len(industry)]
    return NameParts(tuple(found.regions), codes, brand, industry, found.core, found.suffix, found.branch)


class Cut(NamedTuple):
    """A folded name, cut; ``aside`` is a zone no list has, or what stood in brackets and is neither region nor form."""

    regions: list[str]
    core: str
    suffix: str
    branch: str
    aside: str

    @property
    def compared(self) -> str:
        """What fuzzy search compares: all but regions and forms, and a form that tells a trade (水泥厂)."""
        telling = len(self.suffix) > 1 and "公司" not in self.suffix and "企业" not in self.suffix
        return self.core + (self.suffix if telling else "") + self.aside + self.branch


def cut(text: str) -> Cut:
    """Cut a folded name: :func:`parts` where there are a million of them."""
    words = _words()
    regions: list[str] = []
    branch = aside = ""
    if "(" in text or ")" in text:
        text, branch, aside = _open_brackets(text, words, regions)
    text, suffix, tail = _cut_form(text, words)
    text = _cut_regions(text, words, regions)
    zone = text.find("区", 1, ZONE) + 1
    if zone and _is_brand(text[zone:], words):
        text, aside = text[zone:], text[:zone] + aside
    return Cut(regions, text, suffix, tail + branch, aside)


def region_codes(word: str) -> frozenset[str]:
    """Give the divisions a region word may mean, without their trailing zeros; none for any other word."""
    return _words().codes.get(word, frozenset())


def brief_region(word: str) -> str:
    """Give a region word without its level (省, 市, 自治州)."""
    return _words().brief.get(word, word)


def has_form(text: str) -> bool:
    """Tell whether a folded name ends with a legal form, in brackets too, as only whole names do."""
    return bool(_ending(text.removesuffix(")"), _words().suffixes) or cut(text).suffix)


@lru_cache(maxsize=10_000)
def brief_regions(division: str) -> tuple[str, ...]:
    """Name a division from the province down in short words; nothing where nobody knows it."""
    return tuple(brief_region(folded(word)) for word in division_path(division)) if division else ()


def _open_brackets(text: str, words: _Words, regions: list[str]) -> tuple[str, str, str]:
    """Take brackets away: regions are noted, a form dropped, a facility at the end is a branch, the rest stands aside."""
    branch = ""
    last = 0
    kept, aside = [], []
    for found in _BRACKETED.finditer(text):
        inner = found[1]
        kept.append(text[last : found.start()])
        last = found.end()
        if inner and _ending(inner, words.suffixes) == inner:
            continue
        inner = _bracketed_regions(inner, words, regions)
        if inner and last == len(text) and _ending("".join(kept), words.suffixes):
            branch = inner
        else:
            aside.append(inner)
    kept.append(text[last:])
    outside = "".join(kept).replace("(", "").replace(")", "")
    return (outside, branch, "".join(aside)) if outside else ("".join(aside), branch, "")


def _bracketed_regions(inner: str, words: _Words, regions: list[str]) -> str:
    """Note the regions at the front of what stood in brackets, counties by their short names too; give the rest."""
    while inner:
        word = next((inner[:size] for size in range(len(inner), 1, -1) if inner[:size] in words.codes), "")
        if not word:
            break
        regions.append(word)
        inner = inner[len(word) :]
    return inner


def _cut_form(text: str, words: _Words) -> tuple[str, str, str]:
    """Give what stands before the legal form, the form, and what follows it."""
    at = text.find("公司")
    if 0 < at < len(text) - 2:
        head, tail = text[: at + 2], text[at + 2 :]
        if tail in words.codes:
            return head[: len(head) - len(_ending(head, words.suffixes))] + tail, "公司", ""
        suffix = _ending(head, words.suffixes)
        if suffix and len(head) > len(suffix):
            return head[: len(head) - len(suffix)], suffix, tail
    branch = _ending(text, words.branches)
    if branch and len(text) - len(branch) > 1:
        return text[: len(text) - len(branch)], "", branch
    suffix = _ending(text, words.suffixes)
    if len(text) - len(suffix) < 2:
        return text, "", ""
    return text[: len(text) - len(suffix)], suffix, ""


def _ending(text: str, known: _Endings) -> str:
    lengths, words = known.get(text[-2:]) or known.get(text[-1:], _NONE)
    for length in lengths:
        if text[-length:] in words:
            return text[-length:]
    return ""


def _cut_regions(text: str, words: _Words, regions: list[str]) -> str:
    """Cut region words off the front, then one off the end, as long as a brand is left."""
    while True:
        for word in words.regions.get(text[:2], _NO_WORDS)[0]:
            if text.startswith(word):
                break
        else:
            break
        if not _is_brand(text[len(word) :], words):
            break
        regions.append(word)
        text = text[len(word) :]
    for word in (text[-3:], text[-2:]):
        if word in words.codes and word in words.regions[word[:2]][0] and _is_brand(text[: -len(word)], words):
            regions.append(word)
            return text[: -len(word)]
    return text


def _is_brand(text: str, words: _Words) -> bool:
    return len(text) > 1 and text not in words.trades


def skips(core: str) -> list[str]:
    """Give the pairs that leave out the second and the third character of a core: a wrong character there keeps one.

    Two-character brands need them: a wrong second character spoils both pairs the brand is in.

    Examples
    --------
    >>> skips("宏达电子"), skips("宏大电子")
    (['宏*电', '达*子'], ['宏*电', '大*子'])
    """
    if len(core) > 3:
        return [f"{core[0]}*{core[2]}", f"{core[1]}*{core[3]}"]
    return [f"{core[0]}*{core[2]}"] if len(core) == 3 else []
