"""One draw as it stands: what was asked, the list with its hash, both commitments, the result, and what comes next for whom.

Both bureaus see every draw, for both take part in it. What stays with the bureau that asks: whom the matter concerns, why
people were left out, the names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from expert_registry.draw.desk import latest, papers_of
from portal.access.caller import Decision
from portal.expert_desk import Office
from portal.expert_rounds import listed, sources_told, standing
from portal.web.asking import Ask
from portal.web.experts.counter import Fault, office, role_of, said, same_person
from portal.web.experts.wording import DRAW_TONES, Wording
from portal.web.pages import page
from records import expert_drawbook
from records.expert_draws import Draw
from schemas.expert_draw_facts import draw_reasons
from schemas.expert_seat_facts import minutes_views

ROAD = ("requested", "frozen", "committed", "revealed", "drawn", "published")
PER_PAGE = 50
TICKETS = 40
"""Tickets shown on the page, in their order; all are in the published file."""
DONE = {
    "request": ("已提交申请，编号已定。", "The request is made and has its number."),
    "freeze": ("名单已冻结，哈希已上链。", "The list is frozen, its hash is on the chain."),
    "commit": ("本单位已作出承诺。", "Your bureau has committed."),
    "reveal": ("本单位已揭示。", "Your bureau has revealed."),
    "run": ("已抽取。", "The panel is drawn."),
    "publish": ("已复算一致并公布。", "Done again with the same result, and published."),
    "abandon": ("已中止，编号与文书保留。", "Abandoned; its number and papers stay."),
    "vacancy": ("已启动递补。", "The replacement is open."),
    "link": ("本单位已给出链环。", "Your bureau has given its link."),
    "replace": ("已抽取递补人选，公布文件已是新版。", "The replacement is drawn; the published file is a new edition."),
    "import": ("对方文书已逐件核对并收入。", "The papers of the other bureau were checked and kept."),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class May:
    """What the caller may do about this draw now; ``factor`` says that only the second factor is missing."""

    freeze: bool = False
    commit: bool = False
    reveal: bool = False
    run: bool = False
    publish: bool = False
    abandon: bool = False
    link: bool = False
    replace: bool = False
    redraw: bool = False
    seats: bool = False
    exchange: bool = False
    factor: bool = False
    own_request: bool = False


def draws(ask: Ask) -> Response:
    """List all draws and call-outs: no number is missing, the abandoned stay."""
    records = ask.site.records
    found = expert_drawbook.draws(records)[::-1]
    start = page_start(said(ask, "page"))
    desk = office(ask)
    plays = desk.settings.plays or desk.bureaus
    return page(
        ask, "experts/draws.html",
        found=[listed(one) for one in found[start : start + PER_PAGE]], total=len(found), number=start // PER_PAGE + 1,
        more=start + PER_PAGE < len(found), tones=DRAW_TONES, told=Wording(ask), asks=ask.may("expert.draw", ask.me.bureau),
        faults=expert_drawbook.check_numbers(records) if said(ask, "check") else None,
        exchange=len(plays) < len(desk.bureaus) and ask.may("expert.commit", ask.me.bureau).ok,
    )  # fmt: skip


def page_start(number: str) -> int:
    """Say where a page of a list begins."""
    return (int(number) - 1) * PER_PAGE if re.fullmatch(r"[1-9]\d{0,4}", number) else 0


def draw(ask: Ask) -> Response:
    """Show a draw."""
    return shown(ask, ask.path["draw"])


def shown(ask: Ask, draw_id: str, fault: Fault | None = None) -> Response:
    """Show a draw, with what hindered the last step."""
    found = expert_drawbook.draw(ask.site.records, draw_id)
    desk = office(ask)
    document = standing(desk, draw_id)
    opening = _opening(desk, found)
    mine = found.bureau == ask.me.bureau
    return page(
        ask, "experts/draw.html", fault.status if fault else 200,
        draw=found, document=document, fault=fault, told=Wording(ask), tones=DRAW_TONES,
        road=ROAD, reached=ROAD.index(found.state) if found.state in ROAD else -1,
        may=_may(ask, desk, found, document, opening), mine=mine, done=ask.words(*DONE.get(said(ask, "done"), ("", ""))),
        request=_request_of(desk, draw_id) if mine else None, excluded=_excluded(ask, document, mine),
        commitments=papers_of(desk.desk, draw_id, "commitment"), sources=sources_told(desk.desk, draw_id),
        result=_result(desk, draw_id), opening=opening, links=_links(desk, draw_id, opening),
        abandoned=papers_of(desk.desk, draw_id, "abandoned").get(""), reasons=draw_reasons("abandon"),
        bureaus=desk.bureaus, plays=desk.desk.plays, role=role_of(ask),
        silent=[one for one in document.get("missing", ()) if one not in desk.desk.plays],
    )  # fmt: skip


def _may(ask: Ask, desk: Office, draw: Draw, document: dict[str, Any], opening: dict[str, Any] | None) -> May:
    """Say which steps the page offers; the guard and the registry decide again when one is taken."""
    asked_by_me = same_person(ask.me.login, draw.requested_by)
    named = ("expert.confirm", "expert.draw")
    confirm, act = (ask.may(permission, draw.bureau) for permission in named)
    part = ask.may("expert.commit", ask.me.bureau)
    second, state = confirm.ok and not asked_by_me, draw.state
    plays, apart = ask.me.bureau in desk.desk.plays, len(desk.desk.plays) < len(desk.bureaus)
    given = {one["part"] for one in document["papers"] if one["kind"] == "link"}
    return May(
        freeze=second and state == "requested",
        commit=part.ok and plays and state == "frozen" and ask.me.bureau in document.get("missing", ()),
        reveal=part.ok and plays and state == "committed" and ask.me.bureau not in document["revealed"],
        run=second and state in ("committed", "revealed"),
        publish=act.ok and state == "drawn",
        abandon=second and state not in ("abandoned", "called"),
        link=part.ok and plays and opening is not None and f"{opening['round']}-{ask.me.bureau}" not in given,
        replace=confirm.ok and opening is not None,
        redraw=act.ok and state in ("published", "abandoned") and draw.detail.get("kind") == "draw",
        seats=act.ok and state in ("published", "called"),
        exchange=part.ok and apart and bool(draw.list_hash),
        factor=any(_factor_only(one) for one in (confirm, act, part)),
        own_request=confirm.ok and asked_by_me and state in ("requested", "committed", "revealed"),
    )


def _factor_only(decision: Decision) -> bool:
    return decision.code == "second-factor"


def _request_of(desk: Office, draw_id: str) -> dict[str, Any] | None:
    return papers_of(desk.desk, draw_id, "request").get("")


def _excluded(ask: Ask, document: dict[str, Any], mine: bool) -> dict[str, int] | None:
    """Give the reasons of exclusions where the role may see them; counts alone are for everybody."""
    if "counts" not in document:
        return None
    role = role_of(ask) if mine else "peer_before"
    return dict(document["excluded"]) if minutes_views()["excluded"][role] == "yes" else None


def _opening(desk: Office, draw: Draw) -> dict[str, Any] | None:
    """Give the replacement that is open, if one is."""
    if draw.state != "published" or not papers_of(desk.desk, draw.draw_id, "draw"):
        return None
    part = str(len(latest(desk.desk, draw.draw_id)["replacements"]) + 1)
    return papers_of(desk.desk, draw.draw_id, "vacancy").get(part)


def _links(desk: Office, draw_id: str, opening: dict[str, Any] | None) -> list[str]:
    if opening is None:
        return []
    begins = f"{opening['round']}-"
    return [part.removeprefix(begins) for part in papers_of(desk.desk, draw_id, "link") if part.startswith(begins)]


def _result(desk: Office, draw_id: str) -> dict[str, Any] | None:
    """Give the newest edition as the page shows it: seats, and the tickets in their order with what became of each."""
    if not papers_of(desk.desk, draw_id, "draw"):
        return None
    return result_of(latest(desk.desk, draw_id))


def result_of(document: dict[str, Any]) -> dict[str, Any]:
    """Lay a published result out: who sits, the tickets of the first round in order, the replacements."""
    newest = (document["replacements"] or [document])[-1]
    taken = {one["id"]: one for one in document["taken"]}
    skipped = {one["id"]: one["reason"] for one in document["skipped"]}
    tickets = [
        {
            "place": place, "id": name, "seat": taken[name]["seat"] if name in taken else "",
            "reason": skipped.get(name, ""), "taken": name in taken,
        }
        for place, name in enumerate(document["order"], 1)
    ]  # fmt: skip
    return {
        "seed": document["seed"], "value": document["public_value"], "drawn_at": document["drawn_at"],
        "assurance": document["assurance"], "seating": newest["seating"], "unfilled": newest["unfilled"],
        "tickets": tickets[:TICKETS], "more": max(0, len(tickets) - TICKETS), "total": len(tickets),
        "replacements": document["replacements"], "edition": len(document["replacements"]) + 1,
        "incidents": [one for part in (document, *document["replacements"]) for one in part["incidents"]],
    }  # fmt: skip
