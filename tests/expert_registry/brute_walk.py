"""The rule of the walk once more, by trying everything: slow, short, and sharing nothing with the program."""

from __future__ import annotations

from itertools import combinations, permutations
from typing import Any


def placeable(people: list[dict[str, Any]], seats: list[str]) -> bool:
    """Whether all can sit at once, each on a seat of a specialty of theirs."""
    return len(people) <= len(seats) and any(
        all(seat in one["specialties"] for one, seat in zip(people, order, strict=False))
        for order in permutations(seats, len(people))
    )


def most_more(sitting: list, later: list, seats: list[str], most: int) -> int:
    """How many of those who come later could be placed beside those who sit."""
    for number in range(min(most, len(later), len(seats) - len(sitting)), 0, -1):
        if any(placeable([*sitting, *more], seats) for more in combinations(later, number)):
            return number
    return 0


def brute_walk(order: list[dict[str, Any]], request: dict[str, Any]) -> list[tuple[str, str]]:
    """Who is met in this order, each with ``""`` if taken or else the reason."""
    seats = [seat["specialty"] for seat in request["seats"] for _ in range(seat["number"])]
    quotas, own = request["quotas"], request["bureau"]
    sitting: list[dict[str, Any]] = []
    met = []
    for place, one in enumerate(order):
        if len(sitting) == len(seats):
            break
        later = [person for person in order[place + 1 :] if person["side"] != own]
        missing = quotas["other_side"] - len([person for person in sitting if person["side"] != own])
        colleagues = [person for person in sitting if person["employer"] == one["employer"] != ""]
        if not placeable([*sitting, one], seats):
            met.append((one["id"], "no-seat"))
        elif quotas["per_employer"] and len(colleagues) >= quotas["per_employer"]:
            met.append((one["id"], "employer-quota"))
        elif one["side"] == own and missing > 0 and (
            len(seats) - len(sitting) - 1 < missing
            or most_more([*sitting, one], later, seats, missing) < most_more(sitting, later, seats, missing)
        ):  # fmt: skip
            met.append((one["id"], "other-side"))
        else:
            sitting.append(one)
            met.append((one["id"], ""))
    return met
