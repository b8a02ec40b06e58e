"""Whether two names of employers may mean one: an abbreviation of the other (环科院), or a part of it (大学的学院)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from schemas.divisions import region_words

LEAST = 3
"""A shorter name is neither an abbreviation nor the front of another."""
ABBREVIATION = 6
"""A longer name is no abbreviation."""
_NUMBERS = frozenset("0123456789一二三四五六七八九十百")


@lru_cache(maxsize=100_000)
def without_region(name: str) -> str:
    """Cut region words off the front of a folded name, as long as something is left.

    Examples
    --------
    >>> without_region("四川省绵阳市示例环境科学研究院")
    '示例环境科学研究院'
    """
    words = region_words()
    while True:
        size = next((size for size in range(min(9, len(name) - 2), 1, -1) if name[:size] in words), 0)
        if not size:
            return name
        name = name[size:]


def alike(one: str, other: str) -> bool:
    """Tell whether two names without regions may mean the same employer, or one a part of the other.

    Examples
    --------
    >>> alike("环境科学研究院", "环科院"), alike("示例科技大学", "示例科技大学环境学院"), alike("示例大学", "他例大学")
    (True, True, False)
    """
    short, long = sorted((one, other), key=len)
    if len(short) < LEAST or short == long:
        return False
    return long.startswith(short) or (len(short) <= ABBREVIATION and _abbreviates(short, long))


def likely(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Give all pairs of these names that are alike, without trying every pair of them."""
    known = {name for name in names if len(name) >= LEAST}
    short: dict[str, list[str]] = {}
    for name in known:
        if len(name) <= ABBREVIATION:
            short.setdefault(name[0] + name[-1], []).append(name)
    for name in known:
        fronts = {name[:size] for size in range(LEAST, len(name))} & known
        brief = (one for one in short.get(name[0] + name[-1], ()) if _abbreviates(one, name))
        yield from ((one, name) for one in {*fronts, *brief})


def _abbreviates(short: str, long: str) -> bool:
    """Whether it leaves out a third of the other or more, but neither its ends nor its numbers."""
    if len(short) * 3 > len(long) * 2 or short[0] != long[0] or short[-1] != long[-1]:
        return False
    rest = iter(long)
    return all(sign in rest for sign in short) and _numbers(short) == _numbers(long)


def _numbers(name: str) -> list[str]:
    return [sign for sign in name if sign in _NUMBERS]
