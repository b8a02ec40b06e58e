"""Where a draw stands and what comes next, for the command line and whoever listens to it."""

from __future__ import annotations

from datetime import date
from typing import Any

from expert_registry.draw.desk import Desk, latest, papers_of
from expert_registry.draw.opening import names
from expert_registry.draw.papers import PublicSource, seating
from expert_registry.errors import WrongState
from expert_registry.people import Expert
from expert_registry.privacy import masks
from expert_registry.roster.pool import find, load
from portal.expert_desk import Office
from records import expert_drawbook, expert_seats
from records.expert_draws import Draw
from records.expert_seats import Seat
from records.models import read_time
from records.store import CHINA

COUNTED = ("eligible", "excluded")
STEPS: dict[str, tuple[str, str]] = {
    "requested": (
        "下一步：由另一人冻结名单 experts draw freeze {0} --by 另一人",
        "next, by another person: experts draw freeze {0} --by NAME",
    ),
    "frozen": (
        "下一步：{missing} 作出承诺 experts draw commit {0}；双机模式再互送文书 experts draw export {0} -o 文件",
        "next: {missing} commits: experts draw commit {0}; between two homes then experts draw export {0} -o FILE",
    ),
    "committed": (
        "下一步：在 {reveal_by} 前揭示 experts draw reveal {0}；过期由备用来源决定",
        "next: reveal by {reveal_by}: experts draw reveal {0}; after that the fallback decides",
    ),
    "revealed": (
        "下一步：{source} 在 {due} 公布后，由申请人以外的人抽取 experts draw run {0} --value 数值 --by 另一人",
        "next: once {source} is out ({due}), by another person: experts draw run {0} --value VALUE --by NAME",
    ),
    "drawn": ("下一步：公布 experts draw publish {0}", "next: experts draw publish {0}"),
    "published": (
        "{opens_at} 起可看姓名 experts draw show {0} --names；邀请 experts invite {0}；记录 experts minutes {0} -o 记录.pdf",
        "names from {opens_at}: experts draw show {0} --names; experts invite {0}; experts minutes {0} -o FILE.pdf",
    ),
    "abandoned": ("已中止；编号与文书保留", "abandoned; its number and papers stay"),
    "called": ("已征调；登记邀请 experts invite {0}", "called; next: experts invite {0}"),
}


def listed(draw: Draw) -> dict[str, Any]:
    """Give a draw as a list shows it."""
    return {
        "draw_id": draw.draw_id,
        "kind": draw.detail.get("kind", "draw"),
        "state": draw.state,
        "bureau": draw.bureau,
        "title": draw.title,
        "held_on": draw.held_on.isoformat(),
        "sequence": draw.sequence,
        "replaces": draw.replaces,
        "reason": draw.reason,
        "requested_by": draw.requested_by,
        "requested_at": draw.requested_at.isoformat(),
        "list_hash": draw.list_hash,
    }


def standing(office: Office, draw_id: str) -> dict[str, Any]:
    """Say how far a draw has come: counts, papers, sources, times, seats by opaque id."""
    desk = office.desk
    draw = expert_drawbook.draw(office.records, draw_id)
    document = listed(draw)
    document["papers"] = [
        {"kind": one.kind, "part": one.part, "at": one.at.isoformat(), "by": one.by, "sha256": one.sha256}
        for one in expert_drawbook.papers(office.records, draw_id)
    ]
    frozen = papers_of(desk, draw_id, "list").get("")
    if frozen is not None:
        request, told = frozen["request"], [one["status"] for one in frozen["candidates"]]
        document["counts"] = {status: told.count(status) for status in COUNTED}
        document["missing"] = [one for one in frozen["bureaus"] if one not in papers_of(desk, draw_id, "commitment")]
        document |= {name: request[name] for name in ("opens_at", "reveal_by", "quotas")}
        document["wanted"] = request["seats"]
        document["excluded"] = papers_of(desk, draw_id, "approval").get("freeze", {}).get("excluded", {})
    for name in ("public_source", "fallback_source"):
        commitments = papers_of(desk, draw_id, "commitment")
        document[name] = next((paper[name] for paper in commitments.values()), None)
    document["revealed"] = sorted(papers_of(desk, draw_id, "reveal"))
    if papers_of(desk, draw_id, "draw"):
        result = latest(desk, draw_id)
        document["result"] = {
            "seed": result["seed"], "assurance": result["assurance"], "seating": seating(result),
            "incidents": [one for part in (result, *result["replacements"]) for one in part["incidents"]],
            "replacements": len(result["replacements"]), "skipped": len(result["skipped"]),
        }  # fmt: skip
    return document


def next_step(document: dict[str, Any]) -> tuple[str, str]:
    """Say what comes next."""
    source = document["public_source"] or {"name": "", "due": ""}
    told = {
        "missing": "、".join(document.get("missing", ())),
        "source": source["name"],
        "due": shown(source["due"]),
        "reveal_by": shown(document.get("reveal_by", "")),
        "opens_at": shown(document.get("opens_at", "")),
    }
    zh, en = STEPS[document["state"]]
    return zh.format(document["draw_id"], **told), en.format(document["draw_id"], **told)


def shown(time: str) -> str:
    """Show a time of a paper as China time."""
    return read_time(time).astimezone(CHINA).strftime("%Y-%m-%d %H:%M") if time else ""


def sources_told(desk: Desk, draw_id: str) -> list[PublicSource]:
    """Give the sources that the commitments made so far name; empty where there is none."""
    for paper in papers_of(desk, draw_id, "commitment").values():
        return [
            PublicSource(paper[name]["name"], read_time(paper[name]["due"]))
            for name in ("public_source", "fallback_source")
        ]
    return []


def deciding_source(desk: Desk, draw_id: str) -> str:
    """Name the source that decides: the fallback where a bureau did not reveal.

    Raises
    ------
    WrongState
        Nobody has committed.
    """
    told = sources_told(desk, draw_id)
    if not told:
        raise WrongState(f"{draw_id} 尚无承诺", f"nobody has committed to {draw_id}")
    return told[0 if set(papers_of(desk, draw_id, "reveal")) >= set(desk.bureaus) else 1].name


def seats_shown(office: Office, draw_id: str) -> list[dict[str, Any]]:
    """Give who was drawn and how each seat stands, as the role may see them; every look is recorded.

    Who organises has to reach those drawn: sealed telephone numbers are opened for a role that may see them.

    Raises
    ------
    NotYet, WrongState
        Before the names may be seen, or the role sees none.
    """
    on = office.at.astimezone(CHINA).date()
    if masks.visible(office.role, (), on).get("name") is None and office.role != "public":
        raise WrongState(f"角色 {office.role} 不见姓名", f"role {office.role} sees no names")
    if expert_drawbook.draw(office.records, draw_id).state != "called":
        names(office.desk, draw_id, office.looker(), office.at)
    seats = expert_seats.seats(office.records, draw_ids=[draw_id])
    people = {one.expert_id: one for one in load(office.records, ids=[one.expert_id for one in seats])}
    return [_seat(office, seat, people.get(seat.expert_id), on) for seat in seats]


def _seat(office: Office, seat: Seat, expert: Expert | None, on: date) -> dict[str, Any]:
    fields: dict[str, object] = {}
    if expert is not None:
        row = find(office.records, expert.expert_id)
        fields = masks.shown(expert, office.role, on, sealed=row, vault=office.vault)
        opened = masks.opened(fields, office.role)
        office.looked("open" if opened else "draw", {"name", "employer", "seat", *opened}, expert_id=expert.expert_id)
    told = {"id": seat.opaque_id, "seat": seat.seat, "round": seat.round, "seat_state": seat.state}
    return {**fields, **told, "since": seat.state_at.isoformat()}
