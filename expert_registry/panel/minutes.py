"""The minutes of a draw: what a case file needs of it, for one role, as signed JSON; ``minutes_page.py`` prints them.

They repeat the published file in short and point to it by its hash, add who did which step, and join seats with persons
only where the role may see them: after ``opens_at``, through the same door as everybody who looks (the look is
recorded), and no more of a person than ``expert_views.csv`` shows to the role; to the public only with consent. Which
parts a role gets is data (``expert_minutes_views.csv``). An abandoned draw has minutes too: they say how far it came.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from expert_registry.draw import opening
from expert_registry.draw.desk import Desk, papers_of
from expert_registry.draw.opening import Looker
from expert_registry.draw.papers import seating
from expert_registry.errors import UnknownWord, WrongState
from expert_registry.people import Expert
from expert_registry.privacy import masks
from records import expert_drawbook, expert_seats
from records.expert_access import record_access
from records.expert_draws import Draw, paper_hash
from records.keys import sign_document
from records.models import read_time, write_time
from records.store import CHINA
from schemas.expert_seat_facts import minutes_views
from schemas.expert_views import ROLES

MINUTES = "gongzhi-expert-minutes/1"
PERSON = ("name", "employer", "title")
"""What minutes show of a person, as far as the role may see it."""
VERIFY = ("gongzhi experts verify {}.json", "python verify_draw.py {}.json")


def minutes(desk: Desk, draw_id: str, looker: Looker, at: datetime) -> dict[str, Any]:
    """Give the minutes of a draw as the role of the looker may have them, signed.

    Raises
    ------
    UnknownWord
        Nobody has this role.
    WrongState
        The draw has not come to its end, or is a call-out, which has its own paper.
    """
    if looker.role not in ROLES:
        raise UnknownWord(f"不认识的角色 {looker.role!r}", f"unknown role {looker.role!r}: {', '.join(ROLES)}")
    draw = expert_drawbook.draw(desk.records, draw_id)
    if draw.state not in ("published", "abandoned"):
        raise WrongState(
            f"{draw_id} 现为 {draw.state}，公布或中止后才有记录；应急征调以其自身文书为准",
            f"{draw_id} is {draw.state}; minutes are made once it is published or abandoned",
        )
    views = {part: roles[looker.role] for part, roles in minutes_views().items()}
    editions = papers_of(desk, draw_id, "draw")
    result = editions[str(max(map(int, editions)))] if editions else None
    persons = _persons(desk, draw, result, views, looker, at)
    body = {
        "document": MINUTES,
        "draw_id": draw_id,
        "role": looker.role,
        "state": draw.state,
        "bureau": draw.bureau,
        "bureaus": list(desk.bureaus),
        "title": draw.title,
        "held_on": draw.held_on.isoformat(),
        "sequence": draw.sequence,
        "replaces": draw.replaces,
        "reason": draw.reason,
        "list_hash": draw.list_hash,
        "steps": _steps(desk, draw_id, views["staff"] == "yes"),
        "abandonment": _abandonment(desk, draw_id),
        "names_shown": persons is not None,
        "result": None if result is None else _result(desk, draw, result, views, persons or {}),
        "made_at": write_time(at),
        "made_by": looker.unit,
    }
    return sign_document(body, desk.signer)


def _persons(
    desk: Desk, draw: Draw, result: Mapping[str, Any] | None, views: Mapping[str, str], looker: Looker, at: datetime
) -> dict[str, dict[str, str]] | None:
    """Give the persons by opaque id; None where the role, the time or the home does not allow it."""
    if result is None or draw.state != "published" or views["names"] == "no" or draw.bureau not in desk.plays:
        return None
    if at < read_time(result["list"]["request"]["opens_at"]):
        return None
    sitting = opening.names(desk, draw.draw_id, looker, at)
    record_access(
        desk.records, at=at, by=looker.by, role=looker.role, unit=looker.unit, kind="minutes", count=len(sitting),
        fields=PERSON, purpose=f"{draw.draw_id}：{looker.purpose}",
    )  # fmt: skip
    today = at.astimezone(CHINA).date()
    shown = [one for one in sitting if one.seated or views["names"] == "yes"]
    return {one.opaque_id: _shown(one.expert, looker.role, today) for one in shown}


def _shown(expert: Expert, role: str, on: date) -> dict[str, str]:
    seen = masks.shown(expert, role, on)
    return {name: str(seen[name]) for name in PERSON if name in seen}


def _steps(desk: Desk, draw_id: str, staff: bool) -> list[dict[str, str]]:
    return [
        {
            "kind": one.kind,
            "part": one.part,
            "at": write_time(one.at),
            "by": one.by if staff else "",
            "sha256": one.sha256,
        }
        for one in expert_drawbook.papers(desk.records, draw_id)
    ]


def _abandonment(desk: Desk, draw_id: str) -> dict[str, Any] | None:
    paper = papers_of(desk, draw_id, "abandoned").get("")
    return None if paper is None else {name: paper[name] for name in ("state_before", "code", "words", "silent")}


def _result(
    desk: Desk, draw: Draw, result: Mapping[str, Any], views: Mapping[str, str], persons: Mapping[str, Any]
) -> dict[str, Any]:
    frozen = result["list"]
    told = ("protocol", "hash", "rules_edition", "frozen_at")
    return {
        **{name: frozen[name] for name in told},
        "request": {name: value for name, value in frozen["request"].items() if name != "title"},
        "counts": _counts(frozen),
        "excluded": _excluded(frozen, views["excluded"]),
        "commitments": [
            {name: paper[name] for name in ("bureau", "commitment", "chain_tip", "committed_at", "key_id")}
            for _, paper in sorted(result["commitments"].items())
        ],
        "reveals": [
            {name: paper[name] for name in ("bureau", "secret", "revealed_at", "key_id")}
            for _, paper in sorted(result["reveals"].items())
        ],
        "public_value": result["public_value"],
        "incidents": [one for part in (result, *result["replacements"]) for one in part["incidents"]],
        "seed": result["seed"],
        "drawn_at": result["drawn_at"],
        "assurance": result["assurance"],
        "order": list(result["order"]) if views["order"] == "yes" else None,
        "taken": _taken(desk, draw, result, views["seats_after"] == "yes", persons),
        "unfilled": list((result["replacements"] or [result])[-1]["unfilled"]),
        "skipped": _skipped(result, views["skipped"]),
        "replacements": [
            {
                "round": one["opening"]["round"],
                "out": one["opening"]["out"],
                "cause": one["opening"]["cause"],
                "link": one["link"],
                "taken": [taken["id"] for taken in one["taken"]],
                "drawn_at": one["drawn_at"],
            }
            for one in result["replacements"]
        ],
        "sha256": paper_hash(result),
        "verify": [command.format(draw.draw_id) for command in VERIFY],
    }


def _counts(frozen: Mapping[str, Any]) -> dict[str, Any]:
    able = [one for one in frozen["candidates"] if one["status"] == "eligible"]
    return {
        "listed": len(frozen["candidates"]),
        "eligible": len(able),
        "eligible_other_side": sum(one["side"] != frozen["request"]["bureau"] for one in able),
        "by_specialty": dict(sorted(Counter(code for one in able for code in one["specialties"]).items())),
    }


def _excluded(frozen: Mapping[str, Any], how: str) -> dict[str, Any] | None:
    out = [one for one in frozen["candidates"] if one["status"] == "excluded"]
    if how == "no":
        return None
    reasons = Counter(code for one in out for code in one["reasons"]) if how == "yes" else {}
    return {"number": len(out), "by_reason": dict(sorted(reasons.items())) if how == "yes" else None}


def _skipped(result: Mapping[str, Any], how: str) -> dict[str, Any] | None:
    rounds = enumerate((result, *result["replacements"]))
    each = [{"round": number, **one} for number, part in rounds for one in part["skipped"]]
    if how == "no":
        return None
    return {"number": len(each), "each": each if how == "yes" else None}


def _taken(
    desk: Desk, draw: Draw, result: Mapping[str, Any], after: bool, persons: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Give all who were taken, with their seat, whether they still have it, and what may be shown of them."""
    now = {one["id"] for one in seating(result)}
    side = {one["id"]: one["side"] for one in result["list"]["candidates"]}
    states = {one.opaque_id: one.state for one in expert_seats.seats(desk.records, draw_ids=[draw.draw_id])}
    return [
        {
            **one,
            "round": number,
            "side": side[one["id"]],
            "seated": one["id"] in now,
            "person": persons.get(one["id"]),
            "state": states.get(one["id"], "") if after else "",
        }
        for number, part in enumerate((result, *result["replacements"]))
        for one in part["taken"]
    ]
