"""Tickets in order, and the walk along them: who is taken, who is passed over and why.

The walk is greedy and can be done by hand. A person is taken if

(a) all seated together with this one can be placed on seats they qualify for (those seated may move to another seat
    they qualify for), so that a seat is never lost to the order in which people came (reason ``no-seat``);
(b) fewer than ``per_employer`` of those seated have the same employer (``employer-quota``; a blank one never counts);
(c) the seats kept for the other side stay in reach: enough seats stay free for those still missing, and with this
    person as many of the other side who come later can be placed as without (``other-side``; asked of the own side only).

(a) alone fills every seat that can be filled. With quotas a seat may stay empty that another choice would have filled;
it is said in ``unfilled`` and never mended by hand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from expert_registry.draw.protocol import ticket


@dataclass(frozen=True, slots=True)
class Walk:
    """What one round gave, in the words of the publication."""

    order: tuple[str, ...]
    """All who could be taken in this round, by ticket."""
    taken: tuple[dict[str, str], ...]
    """``id``, ``ticket``, ``seat`` (specialty sat on when the round ended), in the order taken."""
    skipped: tuple[dict[str, str], ...]
    """``id``, ``ticket``, ``reason``, in the order passed."""
    unfilled: tuple[str, ...]
    """The seats left empty, by specialty."""
    seating: tuple[dict[str, str], ...]
    """``seat``, ``id`` of every seat in the order of the request; a blank id is an empty seat."""


@dataclass(slots=True)
class Panel:
    """The seats, and who sits where; ``None`` where nobody does."""

    seats: list[str]
    people: list[Mapping[str, Any] | None] = field(default_factory=list)

    def free(self) -> int:
        """Count the empty seats."""
        return self.people.count(None)

    def seated(self) -> list[Mapping[str, Any]]:
        """Give those who sit."""
        return [one for one in self.people if one is not None]

    def copy(self) -> Panel:
        """Give another with the same people."""
        return Panel(self.seats, list(self.people))

    def place(self, person: Mapping[str, Any]) -> bool:
        """Seat a person, moving others where that is the only way; nothing changes where there is none."""
        return self._settle(person, set())

    def _settle(self, person: Mapping[str, Any], tried: set[int]) -> bool:
        fitting = [n for n, seat in enumerate(self.seats) if seat in person["specialties"]]
        for n in fitting:
            if self.people[n] is None:
                self.people[n] = person
                return True
        for n in fitting:
            if n not in tried:
                tried.add(n)
                occupant = self.people[n]
                if occupant is not None and self._settle(occupant, tried):
                    self.people[n] = person
                    return True
        return False


def walk(
    frozen: Mapping[str, Any],
    seed: str,
    round_word: str,
    *,
    staying: Sequence[Mapping[str, str]] = (),
    out: Collection[str] = (),
    most: int | None = None,
) -> Walk:
    """Walk the tickets of one round.

    Parameters
    ----------
    round_word : str
        ``"0"``, or r_n for the replacement number n.
    staying : sequence of ``{"seat", "id"}``, optional
        Every seat with who keeps it; a blank id is an empty one. Without it all are empty.
    out : collection of ids
        Those who cannot be taken any more: all who were drawn before in this draw.
    most : int, optional
        How many are taken at most; without it until every seat is filled.
    """
    people = {one["id"]: one for one in frozen["candidates"] if one["status"] == "eligible"}
    order = in_order(frozen["hash"], seed, round_word, (one for one in people if one not in out))
    request = frozen["request"]
    seats = [seat["specialty"] for seat in request["seats"] for _ in range(seat["number"])]
    panel = Panel(seats, [people.get(one["id"]) for one in staying] or [None] * len(seats))
    ahead = Counter(tuple(people[one]["specialties"]) for _, one in order if _is_other(people[one], request))
    taken: list[dict[str, str]] = []
    skipped: list[dict[str, str]] = []
    for drawn, opaque in order:
        if not panel.free() or len(taken) == most:
            break
        person = people[opaque]
        if _is_other(person, request):
            ahead[tuple(person["specialties"])] -= 1
        trial = panel.copy()
        reason = why_not(person, panel, trial, request, ahead)
        if reason:
            skipped.append({"id": opaque, "ticket": drawn, "reason": reason})
        else:
            panel = trial
            taken.append({"id": opaque, "ticket": drawn})
    sitting = [(seat, one["id"] if one else "") for seat, one in zip(panel.seats, panel.people, strict=True)]
    seat_of = {opaque: seat for seat, opaque in sitting}
    return Walk(
        order=tuple(opaque for _, opaque in order),
        taken=tuple({**one, "seat": seat_of[one["id"]]} for one in taken),
        skipped=tuple(skipped),
        unfilled=tuple(seat for seat, opaque in sitting if not opaque),
        seating=tuple({"seat": seat, "id": opaque} for seat, opaque in sitting),
    )


def in_order(algorithm: str, seed: str, round_word: str, ids: Iterable[str]) -> list[tuple[str, str]]:
    """Give ``(ticket, id)``, smallest ticket first, equal tickets by id."""
    return sorted((ticket(algorithm, seed, round_word, opaque), opaque) for opaque in ids)


def why_not(
    person: Mapping[str, Any],
    panel: Panel,
    trial: Panel,
    request: Mapping[str, Any],
    ahead: Mapping[tuple[str, ...], int],
) -> str:
    """Say why a person is passed over, or ``""``; ``trial``, a copy of ``panel``, then has the person seated.

    ``ahead`` counts those of the other side who come later, by their specialties.
    """
    quotas = request["quotas"]
    if not trial.place(person):
        return "no-seat"
    same = sum(1 for one in panel.seated() if person["employer"] and one["employer"] == person["employer"])
    if quotas["per_employer"] and same >= quotas["per_employer"]:
        return "employer-quota"
    missing = quotas["other_side"] - sum(1 for one in panel.seated() if _is_other(one, request))
    if missing > 0 and not _is_other(person, request):
        if trial.free() < missing or _reach(trial, ahead, missing) < _reach(panel, ahead, missing):
            return "other-side"
    return ""


def _reach(panel: Panel, ahead: Mapping[tuple[str, ...], int], most: int) -> int:
    """Count how many of those ahead could still be placed, up to ``most``; whom one asks first makes no difference."""
    trial, placed = panel.copy(), 0
    for specialties, number in ahead.items():
        for _ in range(min(number, most - placed)):
            if not trial.place({"specialties": specialties}):
                break
            placed += 1
    return placed


def _is_other(person: Mapping[str, Any], request: Mapping[str, Any]) -> bool:
    return bool(person["side"] != request["bureau"])
