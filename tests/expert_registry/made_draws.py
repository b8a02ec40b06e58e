"""Draws made at random from a number, whole with papers, silent bureaus and replacements; always the same for it."""

from __future__ import annotations

import hashlib
import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from expert_registry.draw import papers, publication
from expert_registry.draw.papers import PublicSource, PublicValue
from expert_registry.draw.protocol import Candidate, Seat, Secret, Terms, freeze
from records.keys import SigningKey

T0 = datetime(2026, 10, 8, 1, tzinfo=UTC)
BUREAUS = ("beibei", "mianyang")
FIELDS = ("AIR", "EIA", "SOIL", "WAT-02")


def at(hours: float) -> datetime:
    return T0 + timedelta(hours=hours)


def key(word: str) -> SigningKey:
    return SigningKey(Ed25519PrivateKey.from_private_bytes(hashlib.sha256(word.encode()).digest()))


KEYS = {bureau: key(bureau) for bureau in BUREAUS}
TRUSTED = {bureau: (signer.public_key,) for bureau, signer in KEYS.items()}
FIRST, FALLBACK = PublicSource("体彩排列5 第26268期", at(12)), PublicSource("体彩排列5 第26269期", at(36))


def word(*parts: object) -> str:
    return hashlib.sha256("/".join(str(part) for part in parts).encode()).hexdigest()


def secrets(number: object) -> dict[str, Secret]:
    return {bureau: Secret(word(number, bureau, "s"), word(number, bureau, "c")) for bureau in BUREAUS}


def terms(*seats: Seat, per_employer: int = 0, other_side: int = 0, odd: bool = False, links: int = 4) -> Terms:
    return Terms(
        "某化工园区应急预案咨询", "beibei", date(2026, 10, 20), seats, per_employer, other_side, odd,
        at(-48), at(240), at(6), links,
    )  # fmt: skip


def person(
    name: object, specialties: str = "AIR", side: str = "beibei", employer: str = "", reasons: str = ""
) -> Candidate:
    opaque = word("employer", employer) if employer else ""
    return Candidate(word("id", name), side, opaque, tuple(specialties.split()), tuple(reasons.split()))


def frozen_list(asked: Terms, people: list[Candidate], number: object = 1, **more: Any) -> dict[str, Any]:
    told = {
        "draw_id": f"beibei-2026-{number}",
        "request_id": f"R-{number}",
        "bureaus": BUREAUS,
        "rules_edition": "2026-1",
    }
    return freeze(asked, people, at=at(0), **{**told, **more})


def commitments(frozen: dict[str, Any], number: object = 1) -> dict[str, Any]:
    told = {"public_source": FIRST, "fallback_source": FALLBACK}
    return {
        bureau: papers.commit(frozen, bureau, secret, at=at(1), signer=KEYS[bureau], **told)
        for bureau, secret in secrets(number).items()
    }


def reveals(
    frozen: dict[str, Any], committed: dict[str, Any], number: object = 1, silent: tuple[str, ...] = ()
) -> dict:
    return {
        bureau: papers.reveal(frozen, committed, bureau, secret, at=at(2), signer=KEYS[bureau])
        for bureau, secret in secrets(number).items()
        if bureau not in silent
    }


def whole(
    frozen: dict[str, Any], number: object = 1, value: str = "", silent: tuple[str, ...] = (), **more: Any
) -> dict:
    """A draw from its list to its publication."""
    committed = commitments(frozen, number)
    revealed = reveals(frozen, committed, number, silent)
    source = FALLBACK if silent else FIRST
    seen = PublicValue(source.name, value or word(number, "value")[:5], source.due)
    told = {"bureau": "beibei", "assurance": "two-homes", "at": at(40), "signer": KEYS["beibei"]}
    return publication.draw(frozen, committed, revealed, seen, **{**told, **more})


def replaced(drawn: dict[str, Any], out: str, number: object = 1, silent: tuple[str, ...] = ()) -> dict[str, Any]:
    """The next edition, with one person replaced."""
    n = len(drawn["replacements"]) + 1
    hour = 40 + 20 * n
    source = PublicSource(f"体彩排列5 第{26300 + n}期", at(hour + 8))
    opening = papers.open_replacement(
        drawn, "beibei", out, "declined_ill", fallback_source=source, links_by=at(hour + 4), at=at(hour),
        signer=KEYS["beibei"],
    )  # fmt: skip
    links = {
        bureau: papers.give_link(drawn, opening, bureau, secret, at=at(hour + 1), signer=KEYS[bureau])
        for bureau, secret in secrets(number).items()
        if bureau not in silent
    }
    value = PublicValue(source.name, "40817", at(hour + 9)) if silent else None
    return publication.replace(drawn, opening, links, value, bureau="beibei", at=at(hour + 10), signer=KEYS["beibei"])


def random_list(number: int) -> dict[str, Any]:
    chance = random.Random(number)
    seats = [Seat(field, chance.randint(1, 3)) for field in chance.sample(FIELDS, chance.randint(1, 3))]
    total = sum(seat.number for seat in seats)
    people = []
    for n in range(chance.randint(total, 4 * total)):
        fields = chance.sample([seat.specialty for seat in seats], chance.randint(1, len(seats)))
        side = chance.choice((*BUREAUS, "outside"))
        reasons = "" if chance.random() < 0.8 else chance.choice(("on_leave", "employer_3y on_leave", "cooling"))
        people.append(person((number, n), " ".join(fields), side, chance.choice(("", "u1", "u2", "u3", "u4")), reasons))
    asked = terms(
        *seats, per_employer=chance.randint(0, 2), other_side=chance.randint(0, total), odd=total % 2 == 1,
        links=chance.randint(2, 5),
    )  # fmt: skip
    later = (
        {"sequence": 2, "replaces": "beibei-2026-0", "reason": "首次抽取后三人因病不能到会"}
        if chance.random() < 0.2
        else {}
    )
    return frozen_list(asked, people, number, algorithm=chance.choice(("sha256",) * 4 + ("sm3",)), **later)


def random_draw(number: int) -> dict[str, Any]:
    """The draw of a number: list, both papers or fewer, up to two replacements."""
    chance = random.Random(number + 10_000_000)
    silent = chance.choice(((), (), (), ("beibei",), ("mianyang",), BUREAUS))
    drawn = whole(random_list(number), number, silent=silent)
    for _ in range(chance.choice((0, 0, 1, 2))):
        sitting = [one["id"] for one in papers.seating(drawn) if one["id"]]
        if sitting:
            drawn = replaced(drawn, chance.choice(sitting), number, chance.choice(((), (), ("mianyang",))))
    return drawn
