"""The result of a draw: signed, complete, and made anew from its own papers by whoever doubts it.

``draw`` makes it, ``replace`` adds a replacement to it (a new edition of the same document), ``recompute`` makes all
of it but the signature again from the list, the papers, the public values and the times in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from expert_registry.day_words import in_china
from expert_registry.draw.papers import (
    KeyBook,
    Paper,
    PublicValue,
    check_commitments,
    check_links,
    check_opening,
    check_reveals,
    seating,
)
from expert_registry.draw.protocol import FIRST_ROUND, PROTOCOL, check_list, mixed_link, seed
from expert_registry.draw.selection import Walk, walk
from expert_registry.draw.shapes import SIGNED, TIME, check_shape
from expert_registry.errors import BadDraw
from records.keys import Signer, sign_document
from records.models import write_time

DRAW = "gongzhi-expert-draw/1"
ASSURANCES = ("one-home", "two-homes")


def draw(
    frozen: Mapping[str, Any],
    commitments: Mapping[str, Mapping[str, Any]],
    reveals: Mapping[str, Mapping[str, Any]],
    public_value: PublicValue,
    *,
    bureau: str,
    assurance: str,
    at: datetime,
    signer: Signer,
    keys: KeyBook | None = None,
) -> Paper:
    """Draw, and sign the publication.

    Parameters
    ----------
    reveals : mapping of bureau to paper
        Of those who revealed in time; for one that is missing the fallback decides and an incident is written down.
    public_value : PublicValue
        Of the public source, or of the fallback where somebody did not reveal.
    bureau : str
        Who publishes (with its key).
    assurance : {"one-home", "two-homes"}
        ``one-home``: the secrets of both bureaus were made on one machine, for exercises.

    Raises
    ------
    BadDraw
        A paper does not fit; which, and how.
    """
    body = _first_round(frozen, commitments, reveals, public_value.as_json(), write_time(at), keys or KeyBook())
    return sign_document(_finish(body, bureau, assurance), signer)


def replace(
    publication: Mapping[str, Any],
    opening: Mapping[str, Any],
    links: Mapping[str, Mapping[str, Any]],
    public_value: PublicValue | None = None,
    *,
    bureau: str,
    at: datetime,
    signer: Signer,
    keys: KeyBook | None = None,
) -> Paper:
    """Give the next edition of a publication, with one replacement more.

    ``public_value`` is that of the opening's fallback source, only where a bureau gave no link in time. The publication
    itself is not checked again here; :func:`expert_registry.draw.verification.verify` does that.
    """
    value = None if public_value is None else public_value.as_json()
    entry = _replacement(publication, opening, links, value, write_time(at), keys or KeyBook())
    kept = {name: part for name, part in publication.items() if name not in SIGNED}
    body = {**kept, "replacements": [*publication["replacements"], entry]}
    return sign_document(_finish(body, bureau, publication["assurance"]), signer)


def recompute(document: Mapping[str, Any], keys: KeyBook) -> Paper:
    """Make a publication again from its own papers, without its signature; every paper is checked on the way."""
    given = (document["list"], document["commitments"], document["reveals"], document["public_value"])
    body = _first_round(*given, document["drawn_at"], keys)
    for entry in document["replacements"]:
        papers = (entry["opening"], entry["links"], entry["public_value"])
        body["replacements"].append(_replacement(body, *papers, entry["drawn_at"], keys))
    return _finish(body, document["bureau"], document["assurance"])


def ever_drawn(publication: Mapping[str, Any]) -> set[str]:
    """Give the ids of all who were taken in this draw, those replaced too: none of them is drawn again."""
    return {one["id"] for part in (publication, *publication["replacements"]) for one in part["taken"]}


def _first_round(
    frozen: Mapping[str, Any],
    commitments: Mapping[str, Mapping[str, Any]],
    reveals: Mapping[str, Mapping[str, Any]],
    public_value: Mapping[str, Any],
    drawn_at: str,
    keys: KeyBook,
) -> Paper:
    check_list(frozen)
    check_commitments(frozen, commitments, keys)
    check_reveals(frozen, commitments, reveals, keys)
    silent = [bureau for bureau in frozen["bureaus"] if bureau not in reveals]
    source = commitments[frozen["bureaus"][0]]["fallback_source" if silent else "public_source"]
    _check_value(public_value, source, drawn_at)
    L = commitments[frozen["bureaus"][0]]["list_hash"]
    made = seed(frozen, L, {bureau: paper["secret"] for bureau, paper in reveals.items()}, public_value["value"])
    walked = walk(frozen, made, FIRST_ROUND)
    return {
        "document": DRAW,
        "protocol": PROTOCOL,
        "draw_id": frozen["draw_id"],
        "list": dict(frozen),
        "list_hash": L,
        "commitments": {bureau: dict(paper) for bureau, paper in commitments.items()},
        "reveals": {bureau: dict(paper) for bureau, paper in reveals.items()},
        "public_value": dict(public_value),
        "incidents": [{"kind": "no-reveal", "bureau": bureau, "round": 0} for bureau in silent],
        "seed": made,
        **_told(walked),
        "replacements": [],
        "drawn_at": drawn_at,
    }


def _replacement(
    publication: Mapping[str, Any],
    opening: Mapping[str, Any],
    links: Mapping[str, Mapping[str, Any]],
    public_value: Mapping[str, Any] | None,
    drawn_at: str,
    keys: KeyBook,
) -> Paper:
    check_opening(publication, opening, keys)
    check_links(publication, opening, links, keys)
    frozen, number = publication["list"], opening["round"]
    silent = [bureau for bureau in frozen["bureaus"] if bureau not in links]
    if bool(silent) != (public_value is not None):
        raise BadDraw(
            "备用公开值只在有单位未按期给出链环时使用，且此时必须有",
            "a fallback value is used where a bureau gave no link in time, then always, else never",
        )
    if public_value is not None:
        _check_value(public_value, opening["fallback_source"], drawn_at)
    _check_drawn_after(drawn_at, opening["opened_at"], *(paper["revealed_at"] for paper in links.values()))
    told = {bureau: paper["link"] for bureau, paper in links.items()}
    link = mixed_link(frozen, number, told, public_value["value"] if public_value else "")
    staying = [{**one, "id": ""} if one["id"] == opening["out"] else one for one in seating(publication)]
    walked = walk(frozen, publication["seed"], link, staying=staying, out=ever_drawn(publication), most=1)
    return {
        "opening": dict(opening),
        "links": {bureau: dict(paper) for bureau, paper in links.items()},
        "public_value": None if public_value is None else dict(public_value),
        "incidents": [{"kind": "no-link", "bureau": bureau, "round": number} for bureau in silent],
        "link": link,
        **_told(walked),
        "drawn_at": drawn_at,
    }


def _told(walked: Walk) -> dict[str, Any]:
    return {
        "order": list(walked.order),
        "taken": list(walked.taken),
        "skipped": list(walked.skipped),
        "unfilled": list(walked.unfilled),
        "seating": list(walked.seating),
    }


def _check_value(value: Mapping[str, Any], source: Mapping[str, Any], drawn_at: str) -> None:
    check_shape("public_value", value)
    if not value["value"] or value["source"] != source["name"] or value["observed_at"] < source["due"]:
        raise BadDraw(
            f"公开值须出自 {source['name']} 且不早于 {in_china(source['due'])}（北京时间）",
            f"the public value must be of {source['name']} and not before {in_china(source['due'])} China time",
        )
    _check_drawn_after(drawn_at, value["observed_at"])


def _check_drawn_after(drawn_at: str, *times: str) -> None:
    if not isinstance(drawn_at, str) or not TIME.fullmatch(drawn_at) or drawn_at < max(times):
        raise BadDraw("抽取时间早于所依据的文书", "it was drawn before the papers it rests on")


def _finish(body: Paper, bureau: str, assurance: str) -> Paper:
    commitments = body["commitments"]
    if bureau not in commitments:
        raise BadDraw(f"{bureau} 不是参与单位，不能发布", f"{bureau} takes no part and cannot publish")
    shared = len({paper["public_key"] for paper in commitments.values()}) < len(commitments)
    if assurance not in ASSURANCES or (shared and assurance != "one-home"):
        raise BadDraw(
            "各方用同一密钥签名，只能标明 one-home", "bureaus that sign with one key can only be told as one-home"
        )
    return {**body, "bureau": bureau, "assurance": assurance}
