"""Papers from and to the other bureau's home: a signed file with what it may know of a draw, checked paper by paper.

The other home needs no roster: the list with its opaque ids and the commitment to it are enough to take part. What stands
already is never replaced: another list, another commitment under the same number is refused. The home that draws takes a
reveal or link in only before its time is up by its own clock, whatever the paper says of itself; in the other home one
that came late is an incident, since who draws could have waited for the public value before revealing. A result that
leaves out what this home revealed is refused: the bureaus then compare what each of them has on its chain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from expert_registry.day_words import in_china
from expert_registry.draw import papers, protocol
from expert_registry.draw.desk import ABANDONED, Desk, latest, papers_of
from expert_registry.draw.replacing import linked, opened
from expert_registry.draw.rounds import committed, list_of, revealed, settle
from expert_registry.draw.shapes import check_shape
from expert_registry.draw.verification import verify
from expert_registry.errors import BadDraw
from records import expert_drawbook, expert_draws
from records.errors import UnknownDraw
from records.expert_draws import Draw, NewPaper, Opening
from records.keys import check_signature, sign_document
from records.models import write_time

PACKET = "gongzhi-expert-exchange/1"
KINDS = ("list", "commitment", "reveal", "draw", "vacancy", "link", "abandoned")
"""What the other bureau may have, in the order it is taken in; a request names people, it stays at home."""


def export(desk: Desk, draw_id: str, bureau: str, at: datetime) -> dict[str, Any]:
    """Give all papers of a draw the other bureau may have, signed by this home."""
    if bureau not in desk.plays:
        raise BadDraw(f"本系统不代表 {bureau}", f"this home does not play the part of {bureau}")
    kept = [one for one in expert_drawbook.papers(desk.records, draw_id) if one.kind in KINDS]
    if not kept:
        raise BadDraw(f"{draw_id} 尚未冻结名单", f"the list of {draw_id} is not frozen yet")
    body = {
        "document": PACKET,
        "draw_id": draw_id,
        "bureau": bureau,
        "sent_at": write_time(at),
        "papers": [{"kind": one.kind, "part": one.part, "document": one.document} for one in kept],
    }
    return sign_document(body, desk.signer)


def take_in(desk: Desk, packet: Mapping[str, Any], *, by: str, at: datetime) -> Draw:
    """Take in the papers of the other bureau; what is here already changes nothing.

    Raises
    ------
    BadDraw
        The file or a paper in it is not good; which, and how. Papers before it were taken in.
    IllegalState
        A paper of the same place stands already and says otherwise.
    """
    _check_packet(desk, packet)
    by_kind: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in KINDS}
    for one in packet["papers"]:
        by_kind[one["kind"]][one["part"]] = dict(one["document"])
    draw_id = str(packet["draw_id"])
    try:
        draw = expert_drawbook.draw(desk.records, draw_id)
    except UnknownDraw:
        draw = _keep(desk, draw_id, by_kind, by, at)
    for part, frozen in by_kind["list"].items():
        told = {"list_hash": protocol.list_hash(frozen)}
        expert_draws.add_papers(
            desk.records, draw_id, [NewPaper("list", part, frozen, "draw-frozen", told)], at=at, by=by
        )
    steps: dict[str, Callable[[Desk, Draw, str, dict[str, Any], datetime], NewPaper]] = {
        "commitment": _commitment, "reveal": _reveal, "draw": _edition, "vacancy": _vacancy, "link": _link,
        "abandoned": _abandoned,
    }  # fmt: skip
    for kind, check in steps.items():
        here = papers_of(desk, draw_id, kind)
        for part, paper in sorted(by_kind[kind].items(), key=lambda item: (len(item[0]), item[0])):
            if here.get(part) != paper:
                new = check(desk, draw, part, paper, at)
                state = {"draw": None, "abandoned": "abandoned"}.get(kind)
                expert_draws.add_papers(desk.records, draw_id, [new], at=at, by=by, state=state)
                draw = settle(desk, draw_id)
                if kind == "draw" and draw.state in ("committed", "revealed"):
                    draw = expert_draws.add_papers(desk.records, draw_id, [], at=at, by=by, state="drawn")
    return draw


def _check_packet(desk: Desk, packet: Mapping[str, Any]) -> None:
    names = {"document", "draw_id", "bureau", "sent_at", "papers", "algorithm", "key_id", "public_key", "signature"}
    if set(packet) != names or packet["document"] != PACKET or packet["bureau"] in desk.plays:
        raise BadDraw("不是对方的交换文件", "this is no exchange file of the other bureau")
    _check_key(desk, packet, str(packet["bureau"]))
    for one in packet["papers"]:
        if set(one) != {"kind", "part", "document"} or one["kind"] not in KINDS:
            raise BadDraw("交换文件含有未知的文书", "the exchange file holds an unknown paper")


def _check_key(desk: Desk, document: Mapping[str, Any], bureau: str) -> None:
    check = check_signature(document, None, desk.verifiers)
    known = (desk.keys.trusted or {}).get(bureau, ())
    if not check.valid or document["public_key"] not in known:
        raise BadDraw(
            f"交换文件不是用 {bureau} 的密钥签名的：{check.reason_zh or '密钥不受信任'}",
            f"the file is not signed with a key of {bureau}: {check.reason_en or 'the key is not trusted'}",
        )


def _keep(desk: Desk, draw_id: str, by_kind: Mapping[str, Mapping[str, Any]], by: str, at: datetime) -> Draw:
    """Keep a draw that is new here, from its list and the commitment of the bureau that asks."""
    frozen = by_kind["list"].get("")
    if frozen is None:
        raise BadDraw("文件中没有候选名单", "the file holds no list")
    protocol.check_list(frozen)
    bureau = frozen["request"]["bureau"]
    if frozen["draw_id"] != draw_id or bureau in desk.plays or set(frozen["bureaus"]) != set(desk.bureaus):
        raise BadDraw(
            f"名单不是对方此次抽取（{draw_id}）的", f"the list is not of a draw of the other bureau ({draw_id})"
        )
    L, first = protocol.list_hash(frozen), by_kind["commitment"].get(bureau)
    if first is None:
        raise BadDraw(f"文件中没有 {bureau} 对名单的承诺", f"the file holds no commitment of {bureau} to the list")
    _check_committed(desk, L, bureau, first)
    return expert_draws.keep_foreign(
        desk.records,
        draw_id=draw_id,
        request_id=frozen["request_id"],
        sequence=frozen["sequence"],
        bureau=bureau,
        requested_by="",
        replaces=frozen["replaces"],
        reason=frozen["reason"],
        at=at,
        by=by,
        opening=Opening(
            title=frozen["request"]["title"],
            held_on=date.fromisoformat(frozen["request"]["held_on"]),
            key_sealed="",
            detail={"kind": "draw", "home": False},
            papers=[NewPaper("list", "", frozen, "draw-frozen", {"list_hash": L}), committed(bureau, first)],
            state="frozen",
            list_hash=L,
        ),
    )


def _check_committed(desk: Desk, list_hash: str, bureau: str, paper: Mapping[str, Any]) -> None:
    check_shape("commitment paper", paper)
    papers.check_signed(paper, bureau, {}, desk.keys)
    if (paper["bureau"], paper["list_hash"]) != (bureau, list_hash):
        raise BadDraw(
            f"{bureau} 承诺的不是这份名单，名单被改动过", f"{bureau} committed to another list: it was changed"
        )


def _commitment(desk: Desk, draw: Draw, bureau: str, paper: dict[str, Any], at: datetime) -> NewPaper:
    _check_committed(desk, draw.list_hash, bureau, paper)
    frozen, all_ = list_of(desk, draw), {**papers_of(desk, draw.draw_id, "commitment"), bureau: paper}
    if set(all_) == set(frozen["bureaus"]):
        papers.check_commitments(frozen, all_, desk.keys)
    return committed(bureau, paper)


def _reveal(desk: Desk, draw: Draw, bureau: str, paper: dict[str, Any], at: datetime) -> NewPaper:
    frozen = list_of(desk, draw)
    _refuse_late(desk, draw, bureau, at, frozen["request"]["reveal_by"])
    papers.check_reveals(frozen, papers_of(desk, draw.draw_id, "commitment"), {bureau: paper}, desk.keys)
    return revealed(bureau, paper)


def _edition(desk: Desk, draw: Draw, part: str, paper: dict[str, Any], at: datetime) -> NewPaper:
    check = verify(paper, desk.keys.trusted, desk.verifiers)
    if not check.ok:
        raise BadDraw(f"{draw.draw_id}：{check.reason_zh}", f"{draw.draw_id}: {check.reason_en}")
    mine = {kind: papers_of(desk, draw.draw_id, kind) for kind in ("commitment", "reveal", "draw")}
    fits = paper["list_hash"] == draw.list_hash and str(len(paper["replacements"])) == part
    fits = fits and all(paper["commitments"].get(name) == one for name, one in mine["commitment"].items())
    fits = fits and all(one["seed"] == paper["seed"] for one in mine["draw"].values())
    if not fits:
        raise BadDraw("结果与本机所存的名单、承诺或先前结果不符", "the result does not fit the papers this home holds")
    own = {name: one for name, one in mine["reveal"].items() if name in desk.plays}
    if any(paper["reveals"].get(name) != one for name, one in own.items()):
        raise BadDraw(
            "结果漏掉了本单位按期揭示的秘密数，请双方核对各自的链上记录",
            "the result leaves out what this bureau revealed; both compare what their chains hold",
        )
    told = {"list_hash": draw.list_hash, "seed": paper["seed"]}
    return NewPaper("draw", part, paper, "draw-drawn" if part == "0" else "draw-replaced", told)


def _vacancy(desk: Desk, draw: Draw, part: str, paper: dict[str, Any], at: datetime) -> NewPaper:
    document = latest(desk, draw.draw_id)
    done = _done(document, paper)
    if done is None:
        papers.check_opening(document, paper, desk.keys)
    elif done["opening"] != paper:
        raise BadDraw("与已完成的递补不符", "it is not the opening of the replacement that was drawn")
    return opened(paper)


def _link(desk: Desk, draw: Draw, part: str, paper: dict[str, Any], at: datetime) -> NewPaper:
    document = latest(desk, draw.draw_id)
    done = _done(document, paper)
    if done is not None:
        if done["links"].get(paper["bureau"]) != paper:
            raise BadDraw("与已完成的递补不符", "it is not a link of the replacement that was drawn")
        return linked(paper)
    opening = papers_of(desk, draw.draw_id, "vacancy").get(str(paper["round"]))
    if opening is None:
        raise BadDraw("没有对应的递补", "there is no opening for this link")
    _refuse_late(desk, draw, paper["bureau"], at, opening["links_by"])
    papers.check_links(document, opening, {paper["bureau"]: paper}, desk.keys)
    return linked(paper)


def _done(document: Mapping[str, Any], paper: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Give the replacement a paper belongs to, where it was drawn already and stands in the result."""
    number, entries = paper["round"], document["replacements"]
    return entries[number - 1] if 0 < number <= len(entries) else None


def _abandoned(desk: Desk, draw: Draw, part: str, paper: dict[str, Any], at: datetime) -> NewPaper:
    _check_key(desk, paper, draw.bureau)
    if (paper["document"], paper["draw_id"]) != (ABANDONED, draw.draw_id):
        raise BadDraw("不是此次抽取的中止文书", "this is no abandonment of this draw")
    return NewPaper("abandoned", part, paper, "draw-abandoned", {"reason": paper["code"]})


def _refuse_late(desk: Desk, draw: Draw, bureau: str, at: datetime, until: str) -> None:
    if draw.bureau not in desk.plays:
        return  # this home does not draw: that the paper came late is an incident here, see rounds.incidents
    if write_time(at) > until:
        raise BadDraw(
            f"{bureau} 的文书到达时已过期限 {in_china(until)}",
            f"the paper of {bureau} came after its time, {in_china(until)}",
        )
