"""The protocol ``draw/1``: the frozen list, its hash, and the secrets two bureaus commit to. No database, no clock.

How the rooms follow each other (``docs/draw-protocol.md`` has it for other teams, with test vectors):

1. ``protocol.freeze`` makes the list; ``protocol.list_hash`` its hash L.
2. each bureau: ``protocol.new_secret``, then ``papers.commit``; both name the same public source and a later fallback.
3. each bureau: ``papers.reveal``, once it holds both commitments and before ``reveal_by``.
4. ``publication.draw`` walks the tickets (``selection``) and gives the signed ``gongzhi-expert-draw/1``.
5. a replacement: ``papers.open_replacement``, each bureau ``papers.give_link``, then ``publication.replace``.
6. anybody: ``verification.verify``, or ``docs/verify_draw.py`` alone.

Whatever enters a hash joined by ``|`` is hex or matches ``[A-Za-z0-9-]+``; free text is hashed first. Instants are
texts of fixed width (:func:`records.models.write_time`), so that later is greater.

Sources: RFC 3797 (list first, entropy fixed in advance) and its revision (hash chain for replacements), Rivest's
consistent sampling (tickets).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets as randomness
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from expert_registry.draw.shapes import check_shape
from expert_registry.errors import BadDraw
from records.chain import canonical, sm3_hex
from records.models import write_time

PROTOCOL = "draw/1"
LIST = "gongzhi-expert-list/1"
FIRST_ROUND = "0"
MOST_LINKS = 1000


@dataclass(frozen=True, slots=True)
class Seat:
    """So many seats for a specialty."""

    specialty: str
    number: int


@dataclass(frozen=True, slots=True)
class Terms:
    """What is asked for; it stands in the list as ``request``.

    ``per_employer`` is the most from one employer (0: no limit); ``other_side`` the number of seats that are kept for
    those whose side is not ``bureau``; ``cutoff`` the time until which somebody must have entered the pool;
    ``opens_at`` the time before which no names are shown; ``links`` how many replacements the chain allows.
    """

    title: str
    bureau: str
    held_on: date
    seats: tuple[Seat, ...]
    per_employer: int
    other_side: int
    odd: bool
    cutoff: datetime
    opens_at: datetime
    reveal_by: datetime
    links: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """One person of the list: eligible without ``reasons``, excluded with them (codes, never words).

    ``id`` and ``employer`` are opaque (:func:`opaque_id`, :func:`opaque_employer`); a blank employer counts for no
    quota. ``side`` is a bureau's code or another word (``outside``); ``specialties`` are those codes of the seats asked
    for that the person has.
    """

    id: str
    side: str
    employer: str
    specialties: tuple[str, ...]
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Secret:
    """What a bureau keeps to itself: 32 random bytes for the seed and 32 to start its chain, both in hex."""

    value: str = field(repr=False)
    chain_start: str = field(repr=False)


def digest(algorithm: str, text: str) -> str:
    """Hash a text in UTF-8 with ``sha256`` or ``sm3``: 64 digits of lower-case hex."""
    if algorithm == "sm3":
        return sm3_hex(text.encode())
    if algorithm != "sha256":
        raise BadDraw(f"未知的杂凑算法 {algorithm!r}", f"unknown hash {algorithm!r}; sha256 and sm3 are known")
    return hashlib.sha256(text.encode()).hexdigest()


def paper_hash(algorithm: str, paper: Mapping[str, Any]) -> str:
    """Hash a document: its canonical JSON, signature included where it has one."""
    return digest(algorithm, canonical(paper))


def list_hash(frozen: Mapping[str, Any]) -> str:
    """Give L, the hash of a frozen list by the algorithm it names."""
    return paper_hash(frozen["hash"], frozen)


def new_key() -> str:
    """Make the key of a draw's opaque ids (32 bytes, hex); it is kept sealed and later given to auditors."""
    return randomness.token_hex(32)


def opaque_id(key: str, expert_id: str, algorithm: str = "sha256") -> str:
    """Give the id under which an expert stands in the list of one draw: HMAC of the number, 64 digits of hex."""
    return _hmac(key, f"expert|{expert_id}", algorithm)


def opaque_employer(key: str, employer: str, algorithm: str = "sha256") -> str:
    """Give the word under which an employer stands in the list, ``""`` for none; pass its USCC or its folded name."""
    return _hmac(key, f"employer|{employer}", algorithm) if employer else ""


def _hmac(key: str, text: str, algorithm: str) -> str:
    if algorithm == "sha256":
        return hmac.new(bytes.fromhex(key), text.encode(), "sha256").hexdigest()
    if algorithm != "sm3":
        raise BadDraw(f"未知的杂凑算法 {algorithm!r}", f"unknown hash {algorithm!r}; sha256 and sm3 are known")
    # RFC 2104 by hand: hmac would need SM3 inside hashlib, which not every OpenSSL has
    block = bytes.fromhex(key).ljust(64, b"\0")
    inner = sm3_hex(bytes(byte ^ 0x36 for byte in block) + text.encode())
    return sm3_hex(bytes(byte ^ 0x5C for byte in block) + bytes.fromhex(inner))


def unknown_ids(frozen: Mapping[str, Any], key: str, expert_ids: Iterable[str]) -> tuple[str, ...]:
    """Give the ids of a list that are nobody's, for an auditor who holds the key: padding shows here."""
    known = {opaque_id(key, expert_id, frozen["hash"]) for expert_id in expert_ids}
    return tuple(one["id"] for one in frozen["candidates"] if one["id"] not in known)


def entry(frozen: Mapping[str, Any], opaque: str) -> dict[str, Any] | None:
    """Give one person's own entry, with the reasons of an exclusion; ``None``: not on the list."""
    return next((dict(one) for one in frozen["candidates"] if one["id"] == opaque), None)


def freeze(
    terms: Terms,
    candidates: Iterable[Candidate],
    *,
    draw_id: str,
    request_id: str,
    bureaus: Collection[str],
    rules_edition: str,
    at: datetime,
    sequence: int = 1,
    replaces: str = "",
    reason: str = "",
    algorithm: str = "sha256",
) -> dict[str, Any]:
    """Write the list a draw is made from, in the form that is hashed.

    Parameters
    ----------
    bureaus : collection of codes
        Who commits and reveals: the two of them, the one that asks among them.
    sequence, replaces, reason :
        The first draw of a request is number 1 and replaces none; each further one names the draw before it and why.

    Raises
    ------
    BadDraw
        Something does not have its form, stands twice, or does not fit the terms.
    """
    frozen = {
        "document": LIST,
        "protocol": PROTOCOL,
        "hash": algorithm,
        "draw_id": draw_id,
        "request_id": request_id,
        "sequence": sequence,
        "replaces": replaces,
        "reason": one_form(reason),
        "bureaus": sorted(bureaus),
        "request": _request(terms),
        "rules_edition": rules_edition,
        "frozen_at": write_time(at),
        "candidates": [_candidate(one) for one in sorted(candidates, key=lambda one: one.id)],
    }
    _check_terms(terms)
    check_list(frozen)
    return frozen


def _check_terms(terms: Terms) -> None:
    """Refuse what no bureau should ask for, though a draw of it could be done again."""
    fields = [seat.specialty for seat in terms.seats]
    if not fields or len(set(fields)) < len(fields) or min(seat.number for seat in terms.seats) < 1:
        raise BadDraw("每个专业须列一次且不少于一席", "each specialty is asked for once, with one seat or more")
    if terms.links > MOST_LINKS:
        raise BadDraw(f"链长不得超过 {MOST_LINKS}", f"a chain has at most {MOST_LINKS} links")


def one_form(text: str) -> str:
    """Give free text in its one form: without blanks at the ends, Unicode NFC."""
    return unicodedata.normalize("NFC", text.strip())


def _request(terms: Terms) -> dict[str, Any]:
    return {
        "title": one_form(terms.title),
        "bureau": terms.bureau,
        "held_on": terms.held_on.isoformat(),
        "seats": [{"specialty": seat.specialty, "number": seat.number} for seat in terms.seats],
        "quotas": {"per_employer": terms.per_employer, "other_side": terms.other_side, "odd": terms.odd},
        "cutoff": write_time(terms.cutoff),
        "opens_at": write_time(terms.opens_at),
        "reveal_by": write_time(terms.reveal_by),
        "links": terms.links,
    }


def _candidate(one: Candidate) -> dict[str, Any]:
    return {
        "id": one.id,
        "side": one.side,
        "employer": one.employer,
        "specialties": sorted(set(one.specialties)),
        "status": "excluded" if one.reasons else "eligible",
        "reasons": sorted(set(one.reasons)),
    }


def check_list(frozen: Mapping[str, Any]) -> None:
    """Refuse a list that is not in its one form, or whose parts do not fit each other.

    Raises
    ------
    BadDraw
        Naming the part.
    """
    check_shape("list", frozen)
    first = frozen["sequence"] == 1
    if frozen["sequence"] < 1 or any(bool(frozen[name]) == first for name in ("replaces", "reason")):
        raise BadDraw(
            "首次抽取不替代其他抽取；重新抽取须写明所替代的编号和原因",
            "a first draw replaces none; a further one names the draw it replaces and the reason",
        )
    bureaus, request = frozen["bureaus"], frozen["request"]
    if len(bureaus) != 2 or not _in_order(bureaus) or request["bureau"] not in bureaus:
        raise BadDraw(
            f"参与单位须为两个、按代码排列并包括申请单位：{'、'.join(bureaus)}",
            f"two bureaus take part, sorted, the asking one among them: {', '.join(bureaus)}",
        )
    if not max(request["cutoff"], frozen["frozen_at"]) == frozen["frozen_at"] <= request["reveal_by"]:
        raise BadDraw("入库截止、冻结、揭示期限的先后不对", "cut-off, freeze and reveal_by are not in this order")
    seats = [seat["specialty"] for seat in request["seats"] for _ in range(seat["number"])]
    quotas = request["quotas"]
    if quotas["other_side"] > len(seats) or (quotas["odd"] and not len(seats) % 2):
        raise BadDraw(
            f"席位与名额规则不符：{len(seats)} 席，他方 {quotas['other_side']} 席",
            f"seats and quotas do not fit: {len(seats)} seats, {quotas['other_side']} for the other side, odd where asked",
        )
    _check_candidates(frozen["candidates"], set(seats))


def _check_candidates(candidates: Sequence[Mapping[str, Any]], wanted: set[str]) -> None:
    if not _in_order([one["id"] for one in candidates]):
        raise BadDraw("候选人须按编号排列且不得重复", "the candidates are not sorted by id, or one stands twice")
    for one in candidates:
        eligible = one["status"] == "eligible"
        fits = set(one["specialties"]) <= wanted and _in_order(one["specialties"]) and _in_order(one["reasons"])
        if not fits or eligible == bool(one["reasons"]):
            raise BadDraw(
                f"候选人 {one['id'][:16]} 的专业、状态与原因不相符",
                f"candidate {one['id'][:16]}: specialties, status and reasons do not fit each other",
            )


def _in_order(words: Sequence[str]) -> bool:
    return all(before < after for before, after in zip(words, words[1:], strict=False))


def new_secret() -> Secret:
    """Make a bureau's secret; it goes into the vault before anything is committed."""
    return Secret(randomness.token_hex(32), randomness.token_hex(32))


def commitment(algorithm: str, draw_id: str, list_hash: str, bureau: str, value: str) -> str:
    """Give the hash by which a bureau commits to its secret value."""
    return digest(algorithm, "|".join((PROTOCOL, draw_id, list_hash, bureau, value)))


def chain_link(algorithm: str, chain_start: str, links: int, number: int) -> str:
    """Give link ``number`` of a bureau's chain of ``links``: the start hashed ``links - number`` times; 0 is the tip.

    Raises
    ------
    BadDraw
        The chain has no such link: it is used up, and a further replacement needs a new draw.
    """
    if not 0 <= number <= links:
        raise BadDraw(
            f"哈希链只有 {links} 环，没有第 {number} 环；须另行抽取",
            f"the chain has {links} links and no link {number}; a new draw is needed",
        )
    return hashed(algorithm, chain_start, links - number)


def hashed(algorithm: str, text: str, times: int) -> str:
    """Hash a text so many times over, each time the hex of the time before."""
    for _ in range(times):
        text = digest(algorithm, text)
    return text


def seed(frozen: Mapping[str, Any], list_hash: str, values: Mapping[str, str], public_value: str) -> str:
    """Give the seed: ``H(draw_id|L|s_A|s_B|H(public value))``; a bureau that did not reveal has ``""``."""
    algorithm = frozen["hash"]
    told = [values.get(bureau, "") for bureau in frozen["bureaus"]]
    return digest(algorithm, "|".join((frozen["draw_id"], list_hash, *told, digest(algorithm, public_value))))


def mixed_link(frozen: Mapping[str, Any], number: int, links: Mapping[str, str], fallback_value: str) -> str:
    """Give r_n: ``H(link|n|link_A|link_B)``; the link of a bureau that gave none is ``H(fallback value)``."""
    algorithm = frozen["hash"]
    given = [links.get(bureau) or digest(algorithm, fallback_value) for bureau in frozen["bureaus"]]
    return digest(algorithm, "|".join(("link", str(number), *given)))


def ticket(algorithm: str, seed: str, round_word: str, opaque: str) -> str:
    """Give a person's ticket in a round: ``H(seed|round|id)``, the round ``0`` or r_n; the smallest comes first."""
    return digest(algorithm, "|".join((seed, round_word, opaque)))
