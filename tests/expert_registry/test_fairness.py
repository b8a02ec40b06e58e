"""Everybody has the chance the rule gives: by counting draws, and against every possible order where there are quotas.

The seeds are fixed, so the figures are always the same; the bounds are the 0.1 % points of χ².
"""

from __future__ import annotations

from collections import Counter
from itertools import permutations

import pytest
from brute_walk import brute_walk
from made_draws import frozen_list, person, terms, word

from expert_registry.draw.protocol import FIRST_ROUND, Seat, digest
from expert_registry.draw.selection import walk

DRAWS = 20_000


def panels(frozen, draws=DRAWS, word_of_round=FIRST_ROUND):
    """Count who was taken together."""
    return Counter(
        frozenset(one["id"] for one in walk(frozen, digest("sha256", f"fair {number}"), word_of_round).taken)
        for number in range(draws)
    )


def chi_square(found: Counter, expected: dict) -> float:
    assert set(found) <= set(expected)
    return sum((found[one] - wanted) ** 2 / wanted for one, wanted in expected.items())


@pytest.mark.parametrize("round_word", [FIRST_ROUND, word("link")])
def test_each_of_twenty_experts_sits_equally_often_in_20000_draws(round_word):
    people = [person(number) for number in range(20)]
    found: Counter[str] = Counter()
    for panel, times in panels(frozen_list(terms(Seat("AIR", 3)), people), word_of_round=round_word).items():
        found.update(dict.fromkeys(panel, times))
    assert sum(found.values()) == 3 * DRAWS
    assert chi_square(found, {one.id: 3 * DRAWS / 20 for one in people}) < 43.8


def test_the_first_of_seven_is_not_favoured_as_a_remainder_would():
    people = [person(number) for number in range(7)]
    found = Counter(
        next(iter(panel)) for panel in panels(frozen_list(terms(Seat("AIR", 1)), people), 14_000).elements()
    )
    assert chi_square(found, {one.id: 2000 for one in people}) < 22.5


def test_neither_the_id_nor_the_place_in_the_list_helps():
    people = sorted((person(number) for number in range(20)), key=lambda one: one.id)
    found: Counter[str] = Counter()
    for panel, times in panels(frozen_list(terms(Seat("AIR", 3)), people)).items():
        found.update(dict.fromkeys(panel, times))
    low = sum(found[one.id] for one in people[:10])
    assert abs(low - 1.5 * DRAWS) < 4 * (DRAWS * 0.75 * 17 / 19) ** 0.5


QUOTAS = {
    "employer": (
        terms(Seat("AIR", 3), per_employer=1),
        [person(n, employer=who) for n, who in enumerate(("u", "u", "u", "v", "v", "w", ""))],
    ),
    "other side": (
        terms(Seat("AIR", 3), other_side=1),
        [person(n, side=side) for n, side in enumerate(("beibei",) * 5 + ("mianyang", "outside"))],
    ),
    "specialties": (
        terms(Seat("AIR", 1), Seat("SOIL", 2)),
        [person(n, fields) for n, fields in enumerate(("AIR", "AIR", "SOIL", "SOIL", "AIR SOIL", "AIR SOIL", "SOIL"))],
    ),
    "all together": (
        terms(Seat("AIR", 2), Seat("SOIL", 1), per_employer=1, other_side=1, odd=True),
        [
            person(0, "AIR", "beibei", "u"), person(1, "AIR SOIL", "beibei", "u"), person(2, "SOIL", "mianyang", "v"),
            person(3, "AIR", "mianyang", "v"), person(4, "AIR SOIL", "beibei", "w"), person(5, "SOIL", "beibei"),
            person(6, "AIR", "outside", "x"),
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("quotas", QUOTAS)
def test_with_quotas_panels_come_as_often_as_over_every_possible_order(quotas):
    """All 5,040 orders of seven people, walked by another program, give the exact chance of every panel."""
    asked, people = QUOTAS[quotas]
    frozen = frozen_list(asked, people)
    chances: Counter[frozenset[str]] = Counter(
        frozenset(one for one, why in brute_walk(list(order), frozen["request"]) if not why)
        for order in permutations(frozen["candidates"])
    )
    expected = {panel: times / 5040 * DRAWS for panel, times in chances.items()}
    assert min(expected.values()) > 5
    free = len(expected) - 1
    bound = free * (1 - 2 / (9 * free) + 3.09 * (2 / (9 * free)) ** 0.5) ** 3  # Wilson and Hilferty, 0.1 %
    assert chi_square(panels(frozen), expected) < bound
