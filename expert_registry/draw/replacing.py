"""Replacements: a coded reason opens one, both bureaus give the next link of their chains, and the walk goes on.

Nobody knows the substitute before both links are there, and a link is given only against a signed opening that says who is
out and why. Who opens a replacement does not draw it. Each replacement is a new edition of the published file.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from expert_registry.day_words import in_china
from expert_registry.draw import papers, publication
from expert_registry.draw.desk import Desk, latest, papers_of
from expert_registry.draw.papers import PublicSource, PublicValue
from expert_registry.draw.protocol import opaque_id
from expert_registry.draw.rounds import secret_of
from expert_registry.errors import BadDraw, NeedsSecondPerson, WrongState
from expert_registry.privacy.vault import DRAW_KEY
from records import expert_drawbook, expert_draws
from records.expert_draws import Draw, NewPaper
from records.models import write_time
from schemas.expert_draw_facts import draw_reasons
from schemas.files import fold


def open_vacancy(
    desk: Desk, draw_id: str, expert_id: str, code: str, *, fallback_source: PublicSource, by: str, at: datetime
) -> dict[str, Any]:
    """Open the next replacement, for somebody who sits and cannot; open already for the same person, it is given.

    Raises
    ------
    BadDraw
        No code of the vocabulary, nobody on a seat, or the chain is used up: then a new draw is needed.
    WrongState
        The result is not published, or another replacement is open.
    """
    draw = _published(desk, draw_id)
    if code not in draw_reasons("vacancy"):
        codes = "、".join(draw_reasons("vacancy"))
        raise BadDraw(f"递补须有编码的原因：{codes}", f"a replacement needs a coded reason: {codes}")
    document = latest(desk, draw_id)
    key = desk.vault.open_(draw_id, DRAW_KEY, draw.key_sealed)
    out, part = opaque_id(key, expert_id, document["list"]["hash"]), str(len(document["replacements"]) + 1)
    standing = papers_of(desk, draw_id, "vacancy").get(part)
    if standing is not None:
        if (standing["out"], standing["cause"]) != (out, code):
            raise WrongState(f"{draw_id} 另有递补在办", f"another replacement of {draw_id} is open")
        return standing
    paper = papers.open_replacement(
        document, draw.bureau, out, code, fallback_source=fallback_source,
        links_by=at + timedelta(hours=desk.rules.reveal_hours), at=at, signer=desk.signer,
    )  # fmt: skip
    expert_draws.add_papers(desk.records, draw_id, [opened(paper)], at=at, by=by)
    return paper


def opened(paper: dict[str, Any]) -> NewPaper:
    """Make the paper of an opening."""
    told = {"round": paper["round"], "out": paper["out"], "reason": paper["cause"]}
    return NewPaper("vacancy", str(paper["round"]), paper, "draw-vacancy", told)


def give_link(desk: Desk, draw_id: str, bureau: str, *, by: str, at: datetime) -> dict[str, Any]:
    """Sign the link of a bureau for the replacement that is open; given already, it is given again.

    Raises
    ------
    WrongState
        Nothing is open, or this home has no secret of the bureau.
    """
    document, opening, part = _open(desk, draw_id)
    there = papers_of(desk, draw_id, "link").get(f"{part}-{bureau}")
    if there is not None:
        return there
    secret = secret_of(desk, draw_id, bureau)
    paper = papers.give_link(document, opening, bureau, secret, at=at, signer=desk.signer, keys=desk.keys)
    expert_draws.add_papers(desk.records, draw_id, [linked(paper)], at=at, by=by)
    return paper


def linked(paper: dict[str, Any]) -> NewPaper:
    """Make the paper of a link."""
    told = {"round": paper["round"], "bureau": paper["bureau"]}
    return NewPaper("link", f"{paper['round']}-{paper['bureau']}", paper, "draw-link", told)


def replace(desk: Desk, draw_id: str, *, by: str, at: datetime, value: PublicValue | None = None) -> dict[str, Any]:
    """Draw the replacement that is open, as another person than opened it; gives the new edition of the file.

    ``value`` is that of the opening's fallback, only where a link is missing after its time.

    Raises
    ------
    WrongState
        Nothing is open, or a link is missing and still in time.
    NeedsSecondPerson
    """
    draw = _published(desk, draw_id)
    document, opening, part = _open(desk, draw_id)
    asked_by = next(one.by for one in expert_drawbook.papers(desk.records, draw_id, "vacancy") if one.part == part)
    if not by.strip() or fold(by).casefold() == fold(asked_by).casefold():
        raise NeedsSecondPerson(
            f"第 {part} 次递补由 {asked_by} 提出，须由另一人办理",
            f"{asked_by} opened replacement {part}: another draws it",
        )
    kept = papers_of(desk, draw_id, "link")
    bureaus = document["list"]["bureaus"]
    links = {bureau: kept[f"{part}-{bureau}"] for bureau in bureaus if f"{part}-{bureau}" in kept}
    missing = [bureau for bureau in bureaus if bureau not in links]
    if missing and write_time(at) <= opening["links_by"]:
        raise WrongState(
            f"{'、'.join(missing)} 尚未给出链环，期限 {in_china(opening['links_by'])}",
            f"{', '.join(missing)} has given no link; it is due by {in_china(opening['links_by'])} China time",
        )
    if value is not None and value.observed_at > at:
        raise BadDraw("公开值的观察时间晚于本机时间", "the value was seen ahead of this clock")
    made = publication.replace(
        document, opening, links, value, bureau=draw.bureau, at=at, signer=desk.signer, keys=desk.keys
    )
    entry = made["replacements"][-1]
    told = {"round": opening["round"], "out": opening["out"], "reason": opening["cause"], "link": entry["link"]}
    told["taken"] = len(entry["taken"])
    told["incidents"] = [one["bureau"] for one in entry["incidents"]]
    expert_draws.add_papers(desk.records, draw_id, [NewPaper("draw", part, made, "draw-replaced", told)], at=at, by=by)
    return made


def _published(desk: Desk, draw_id: str) -> Draw:
    draw = expert_drawbook.draw(desk.records, draw_id)
    if draw.state != "published" or draw.bureau not in desk.plays:
        raise WrongState(
            f"{draw_id} 现为 {draw.state}，递补须由 {draw.bureau} 在公布之后办理",
            f"{draw_id} is {draw.state}; {draw.bureau} replaces after publication",
        )
    return draw


def _open(desk: Desk, draw_id: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Give the newest edition, the opening that follows it, and its number."""
    document = latest(desk, draw_id)
    part = str(len(document["replacements"]) + 1)
    opening = papers_of(desk, draw_id, "vacancy").get(part)
    if opening is None:
        raise WrongState(f"{draw_id} 没有待办的递补", f"no replacement of {draw_id} is open")
    return document, opening, part
