"""The signed papers two bureaus hand each other for a draw, and whether they fit the list and each other.

Commitment, reveal, the opening of a replacement, and a link. Every paper names what it belongs to by hash, so that
none can be moved to another draw, and none exchanged for another once the other bureau has answered it: a reveal
names the hashes of *all* commitments, a link that of its opening.

The public source must fall due after ``reveal_by``: then nobody who reveals, or keeps silent, knows it, and silence
gains nothing. Where a bureau did keep silent the fallback decides, due later still.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from expert_registry.draw.protocol import (
    Secret,
    chain_link,
    check_list,
    commitment,
    hashed,
    list_hash,
    one_form,
    paper_hash,
)
from expert_registry.draw.shapes import check_shape
from expert_registry.errors import BadDraw
from records.keys import Signer, Verifier, check_signature, sign_document
from records.models import write_time

COMMITMENT = "gongzhi-expert-commitment/1"
REVEAL = "gongzhi-expert-reveal/1"
OPENING = "gongzhi-expert-replacement/1"
LINK = "gongzhi-expert-link/1"

Paper = dict[str, Any]
Trusted = Mapping[str, Collection[str]]
"""The public keys each bureau may sign with, by bureau."""


@dataclass(frozen=True, slots=True)
class PublicSource:
    """A public value still to come (a lottery of a named day, a beacon's round) and when it falls due."""

    name: str
    due: datetime


@dataclass(frozen=True, slots=True)
class PublicValue:
    """What a public source said, as written there, and when it was seen."""

    source: str
    value: str
    observed_at: datetime

    def as_json(self) -> dict[str, str]:
        """Give it as it stands in the publication."""
        return {
            "source": one_form(self.source),
            "value": one_form(self.value),
            "observed_at": write_time(self.observed_at),
        }


@dataclass(frozen=True, slots=True)
class KeyBook:
    """Which keys count: those told beforehand; without them each bureau's is the key of its commitment."""

    trusted: Trusted | None = None
    verifiers: Mapping[str, Verifier] | None = None


def commit(
    frozen: Mapping[str, Any],
    bureau: str,
    secret: Secret,
    *,
    public_source: PublicSource,
    fallback_source: PublicSource,
    at: datetime,
    signer: Signer,
) -> Paper:
    """Sign a bureau's commitment to its secret and to its chain, for this list and no other; a bad list is refused."""
    check_list(frozen)
    algorithm, links, L = frozen["hash"], frozen["request"]["links"], list_hash(frozen)
    paper = {
        "document": COMMITMENT,
        "draw_id": frozen["draw_id"],
        "list_hash": L,
        "bureau": bureau,
        "commitment": commitment(algorithm, frozen["draw_id"], L, bureau, secret.value),
        "chain_tip": chain_link(algorithm, secret.chain_start, links, 0),
        "links": links,
        "public_source": _source(public_source),
        "fallback_source": _source(fallback_source),
        "committed_at": write_time(at),
    }
    signed = sign_document(paper, signer)
    _check_commitment(frozen, L, bureau, signed)
    return signed


def reveal(
    frozen: Mapping[str, Any],
    commitments: Mapping[str, Mapping[str, Any]],
    bureau: str,
    secret: Secret,
    *,
    at: datetime,
    signer: Signer,
    keys: KeyBook | None = None,
) -> Paper:
    """Sign a bureau's reveal; only with all commitments at hand, each good, and before ``reveal_by``.

    Raises
    ------
    BadDraw
        A commitment is missing or wrong, the secret is not the one committed to, or it is too late.
    """
    book = keys or KeyBook()
    check_commitments(frozen, commitments, book)
    paper = {
        "document": REVEAL,
        "draw_id": frozen["draw_id"],
        "bureau": bureau,
        "commitment_hashes": _hashes(frozen, commitments),
        "secret": secret.value,
        "revealed_at": write_time(at),
    }
    signed = sign_document(paper, signer)
    check_reveals(frozen, commitments, {bureau: signed}, book)
    return signed


def open_replacement(
    publication: Mapping[str, Any],
    bureau: str,
    out: str,
    cause: str,
    *,
    fallback_source: PublicSource,
    links_by: datetime,
    at: datetime,
    signer: Signer,
) -> Paper:
    """Sign the opening of the next replacement: who is out (opaque id), the coded cause, until when links are due.

    ``fallback_source`` is the public value that takes the place of a link not given in time; it falls due after
    ``links_by``.
    """
    paper = {
        "document": OPENING,
        "draw_id": publication["draw_id"],
        "list_hash": publication["list_hash"],
        "bureau": bureau,
        "round": len(publication["replacements"]) + 1,
        "out": out,
        "cause": cause,
        "fallback_source": _source(fallback_source),
        "opened_at": write_time(at),
        "links_by": write_time(links_by),
    }
    signed = sign_document(paper, signer)
    check_opening(publication, signed, KeyBook())
    return signed


def give_link(
    publication: Mapping[str, Any],
    opening: Mapping[str, Any],
    bureau: str,
    secret: Secret,
    *,
    at: datetime,
    signer: Signer,
    keys: KeyBook | None = None,
) -> Paper:
    """Sign a bureau's link for an opened replacement.

    Raises
    ------
    BadDraw
        The opening is not good, the chain is used up, the link does not lead to the tip, or it is too late.
    """
    book = keys or KeyBook()
    check_opening(publication, opening, book)
    frozen = publication["list"]
    paper = {
        "document": LINK,
        "draw_id": frozen["draw_id"],
        "bureau": bureau,
        "round": opening["round"],
        "opening_hash": paper_hash(frozen["hash"], opening),
        "link": chain_link(frozen["hash"], secret.chain_start, frozen["request"]["links"], opening["round"]),
        "revealed_at": write_time(at),
    }
    signed = sign_document(paper, signer)
    check_links(publication, opening, {bureau: signed}, book)
    return signed


def check_commitments(frozen: Mapping[str, Any], commitments: Mapping[str, Mapping[str, Any]], keys: KeyBook) -> None:
    """Refuse commitments that are not all there, not for this list, or that name other public sources."""
    if set(commitments) != set(frozen["bureaus"]):
        raise BadDraw(
            f"须由 {'、'.join(frozen['bureaus'])} 作出承诺，现有 {'、'.join(commitments) or '无'}",
            f"{', '.join(frozen['bureaus'])} must commit; there are {', '.join(commitments) or 'none'}",
        )
    L = list_hash(frozen)
    for bureau, paper in commitments.items():
        _check_commitment(frozen, L, bureau, paper)
        check_signed(paper, bureau, commitments, keys)
    for name in ("public_source", "fallback_source"):
        if len({str(sorted(paper[name].items())) for paper in commitments.values()}) > 1:
            raise BadDraw(f"各方写明的公开来源不同（{name}）", f"the bureaus name different sources ({name})")


def _check_commitment(frozen: Mapping[str, Any], L: str, bureau: str, paper: Mapping[str, Any]) -> None:
    check_shape("commitment paper", paper)
    _check_belongs(paper, COMMITMENT, frozen, bureau)
    if paper["list_hash"] != L:
        raise BadDraw(
            f"{bureau} 承诺的不是这份名单，名单被改动过",
            f"{bureau} committed to another list than this one: it was changed",
        )
    request = frozen["request"]
    if paper["links"] != request["links"]:
        raise BadDraw(f"{bureau} 承诺的链长不符", f"{bureau} committed to a chain of another length")
    first, second = paper["public_source"]["due"], paper["fallback_source"]["due"]
    _check_order(
        f"{bureau} commitment", frozen["frozen_at"], paper["committed_at"], request["reveal_by"], first, second
    )
    if paper["public_source"]["name"] == paper["fallback_source"]["name"]:
        raise BadDraw("备用公开来源须不同于公开来源", "the fallback must be another source than the first")


def check_reveals(
    frozen: Mapping[str, Any],
    commitments: Mapping[str, Mapping[str, Any]],
    reveals: Mapping[str, Mapping[str, Any]],
    keys: KeyBook,
) -> None:
    """Refuse a reveal that is not of this draw, not of these commitments (checked before), late, or of another secret."""
    latest = max(paper["committed_at"] for paper in commitments.values())
    for bureau, paper in reveals.items():
        check_shape("reveal paper", paper)
        _check_belongs(paper, REVEAL, frozen, bureau)
        check_signed(paper, bureau, commitments, keys)
        if dict(paper["commitment_hashes"]) != _hashes(frozen, commitments):
            raise BadDraw(
                f"{bureau} 揭示时所见的承诺书与现有的不同，承诺书被换过",
                f"{bureau} revealed for other commitments than these: one was exchanged",
            )
        _check_order(f"{bureau} reveal", latest, paper["revealed_at"], frozen["request"]["reveal_by"])
        told = commitments[bureau]
        made = commitment(frozen["hash"], frozen["draw_id"], told["list_hash"], bureau, paper["secret"])
        if made != told["commitment"]:
            raise BadDraw(f"{bureau} 揭示的值与其承诺不符", f"what {bureau} reveals is not what it committed to")


def check_opening(publication: Mapping[str, Any], opening: Mapping[str, Any], keys: KeyBook) -> None:
    """Refuse an opening that is not the next of this publication, or of somebody who has no seat."""
    frozen, earlier = publication["list"], publication["replacements"]
    check_shape("opening paper", opening)
    if opening["bureau"] not in frozen["bureaus"]:
        raise BadDraw(f"{opening['bureau']} 不是参与单位", f"{opening['bureau']} takes no part in this draw")
    _check_belongs(opening, OPENING, frozen, opening["bureau"])
    check_signed(opening, opening["bureau"], publication["commitments"], keys)
    if opening["list_hash"] != publication["list_hash"] or opening["round"] != len(earlier) + 1:
        raise BadDraw(f"第 {opening['round']} 次补抽不是接下来的一次", f"round {opening['round']} is not the next one")
    if opening["round"] > frozen["request"]["links"]:
        raise BadDraw("哈希链已用尽，须另行抽取", "the chain is used up; a new draw is needed")
    if opening["out"] not in {seat["id"] for seat in seating(publication)}:
        raise BadDraw(f"{opening['out'][:16]} 现无席位", f"{opening['out'][:16]} has no seat now")
    before = earlier[-1]["drawn_at"] if earlier else publication["drawn_at"]
    due = opening["fallback_source"]["due"]
    _check_order(f"opening {opening['round']}", before, opening["opened_at"], opening["links_by"], due)


def check_links(
    publication: Mapping[str, Any],
    opening: Mapping[str, Any],
    links: Mapping[str, Mapping[str, Any]],
    keys: KeyBook,
) -> None:
    """Refuse a link that is not for this opening, late, or does not lead to the tip that was committed to."""
    frozen, commitments = publication["list"], publication["commitments"]
    for bureau, paper in links.items():
        check_shape("link paper", paper)
        _check_belongs(paper, LINK, frozen, bureau)
        check_signed(paper, bureau, commitments, keys)
        if (paper["round"], paper["opening_hash"]) != (opening["round"], paper_hash(frozen["hash"], opening)):
            raise BadDraw(f"{bureau} 的链环不是为这次补抽给出的", f"the link of {bureau} is for another opening")
        _check_order(f"{bureau} link", opening["opened_at"], paper["revealed_at"], opening["links_by"])
        if hashed(frozen["hash"], paper["link"], paper["round"]) != commitments[bureau]["chain_tip"]:
            raise BadDraw(f"{bureau} 的链环与其承诺的链不符", f"the link of {bureau} is not of the chain committed to")


def check_signed(
    paper: Mapping[str, Any], bureau: str, commitments: Mapping[str, Mapping[str, Any]], keys: KeyBook
) -> None:
    """Refuse a paper whose signature does not fit, or that is signed with a key not of the bureau."""
    check = check_signature(paper, None, keys.verifiers)
    if not check.valid:
        raise BadDraw(
            f"{bureau}（{paper['document']}）：{check.reason_zh}", f"{bureau} ({paper['document']}): {check.reason_en}"
        )
    known = keys.trusted.get(bureau, ()) if keys.trusted is not None else (commitments[bureau]["public_key"],)
    if paper["public_key"] not in known:
        raise BadDraw(
            f"{paper['document']} 不是用 {bureau} 的密钥签名的（密钥 {paper['key_id']}）",
            f"{paper['document']} is not signed with a key of {bureau} (key {paper['key_id']})",
        )


def seating(publication: Mapping[str, Any]) -> list[dict[str, str]]:
    """Give every seat and who sits there now, as ``{"seat", "id"}`` in the request's order; a blank id is an empty seat."""
    last = publication["replacements"][-1] if publication["replacements"] else publication
    return list(last["seating"])


def _check_belongs(paper: Mapping[str, Any], document: str, frozen: Mapping[str, Any], bureau: str) -> None:
    told = (paper["document"], paper["draw_id"], paper["bureau"])
    if told != (document, frozen["draw_id"], bureau) or bureau not in frozen["bureaus"]:
        raise BadDraw(
            f"文书不属于此次抽取或此单位：{'、'.join(told)}", f"the paper is of something else: {', '.join(told)}"
        )


def _check_order(what: str, *times: str) -> None:
    if list(times) != sorted(times):
        raise BadDraw(f"{what}：时间先后不对 {' → '.join(times)}", f"{what}: the times do not follow each other")


def _hashes(frozen: Mapping[str, Any], commitments: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    return {bureau: paper_hash(frozen["hash"], commitments[bureau]) for bureau in frozen["bureaus"]}


def _source(source: PublicSource) -> dict[str, str]:
    return {"name": one_form(source.name), "due": write_time(source.due)}
