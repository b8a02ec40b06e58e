"""E2 step 1: ask for a draw. The form says what the request file of the command line says, and is read by the same rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from starlette.responses import Response

from expert_registry.draw.desk import request
from expert_registry.errors import BadRequest
from portal.expert_requests import panel_of
from portal.web.asking import Ask, see
from portal.web.errors import Problem
from portal.web.experts.counter import Fault, day_of, free_text, office, said, told, tried
from portal.web.experts.wording import Wording
from portal.web.pages import page
from records import expert_drawbook
from records.expert_draws import Draw
from schemas.expert_draw_facts import draw_reasons, panel_purposes
from schemas.files import fold
from schemas.specialties import specialties

SEATS, PARTIES, AUTHORS = 5, 4, 2
"""Rows of the form; a matter that needs more is asked for with a file."""
NEEDED = {
    "matter": ("事项编号", "number of the matter"), "title": ("事项名称", "title"), "purpose": ("用途", "purpose"),
    "held_on": ("会议日", "day of the meeting"), "opens_at": ("姓名公开时间", "when the names open"),
}  # fmt: skip


def blank(ask: Ask) -> Response:
    """Show the form; for a redraw with what the draw before it was about."""
    before = said(ask, "replaces")
    values: dict[str, str] = {}
    if before:
        draw = expert_drawbook.draw(ask.site.records, before)
        ask.need("expert.draw", draw.bureau)
        values = {"replaces": before} | _as_form(ask, draw)
    return _page(ask, values)


def send(ask: Ask) -> Response:
    """Take the request; it gets its number and keeps it."""
    made: list[Draw] = []
    if before := told(ask, "replaces", 60):
        ask.need("expert.draw", expert_drawbook.draw(ask.site.records, before).bureau)
    fault = tried(ask, lambda: made.append(_request(ask)))
    return _page(ask, dict(ask.form), fault) if fault else see(f"/draws/{made[0].draw_id}", done="request")


def _request(ask: Ask) -> Draw:
    if missing := [names for name, names in NEEDED.items() if not told(ask, name)]:
        raise BadRequest(
            f"请填写：{'、'.join(zh for zh, _ in missing)}", f"please fill in: {', '.join(en for _, en in missing)}"
        )
    desk = office(ask)
    asked = panel_of(Path(ask.words("申请表", "the form")), _raw(ask))
    whole = replace(asked.request, matter=desk.complete(asked.request.matter))
    return request(desk.desk, whole, by=desk.by, at=desk.at, redraw=asked.redraw)


def _raw(ask: Ask) -> dict[str, Any]:
    """Give what the form says as a request file would say it."""
    raw: dict[str, Any] = {
        "matter": told(ask, "matter"), "title": free_text(told(ask, "title")), "bureau": ask.me.bureau,
        "purpose": told(ask, "purpose", 60), "held_on": day_of(ask, "held_on"), "opens_at": told(ask, "opens_at", 30),
        "seats": dict(_seats(ask)), "parties": _parties(ask, "party", PARTIES), "authors": _parties(ask, "author", AUTHORS),
        "supervisors": _lines(told(ask, "supervisors")), "upheld": _lines(told(ask, "upheld")),
        "other_side": _number(told(ask, "other_side", 4) or "0"),
    }  # fmt: skip
    if told(ask, "replaces"):
        words = free_text(told(ask, "redraw_words"))
        raw["redraw"] = {"replaces": told(ask, "replaces"), "code": told(ask, "redraw_code", 60), "words": words}
    return raw


def _seats(ask: Ask) -> list[tuple[str, int]]:
    rows = [(told(ask, f"seat{n}", 10), told(ask, f"number{n}", 4)) for n in range(1, SEATS + 1)]
    found = [(code, _number(number or "0")) for code, number in rows if code]
    if len({code for code, _ in found}) < len(found):
        raise BadRequest("同一专业请只写一行，人数合计在一起", "name each field in one row, with all its seats")
    if not found:
        raise BadRequest("请至少选一个专业并写明人数", "choose at least one field and its number of seats")
    return found


def _parties(ask: Ask, side: str, rows: int) -> list[dict[str, Any]]:
    found = []
    for number in range(1, rows + 1):
        name, uscc = told(ask, f"{side}{number}_name"), told(ask, f"{side}{number}_uscc", 40)
        if name or uscc:
            lists = {key: _lines(told(ask, f"{side}{number}_{key}")) for key in ("former_names", "heads")}
            found.append({"name": fold(name), "uscc": fold(uscc)} | {key: one for key, one in lists.items() if one})
    return found


def _lines(text: str) -> list[str]:
    for mark in "，,、；;":
        text = text.replace(mark, "\n")
    return [one.strip() for one in text.splitlines() if one.strip()]


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise BadRequest(f"人数“{text}”不是整数。请写阿拉伯数字", f"{text!r} is no whole number")
    return int(text)


def _as_form(ask: Ask, draw: Draw) -> dict[str, str]:
    """Fill the form with what a draw was asked for."""
    papers = expert_drawbook.papers(ask.site.records, draw.draw_id, "request")
    if not papers:
        raise Problem(404)
    paper: Mapping[str, Any] = papers[0].document
    matter = paper["matter"]
    values = {"matter": matter["matter_id"], "title": matter["title"], "purpose": paper["purpose"]}
    values |= {f"seat{n}": one["specialty"] for n, one in enumerate(paper["seats"][:SEATS], 1)}
    values |= {f"number{n}": str(one["number"]) for n, one in enumerate(paper["seats"][:SEATS], 1)}
    for side, key, rows in (("party", "parties", PARTIES), ("author", "authors", AUTHORS)):
        for n, one in enumerate(matter[key][:rows], 1):
            values |= {f"{side}{n}_{name}": one[name] for name in ("name", "uscc")}
            values |= {f"{side}{n}_{name}": "、".join(one[name]) for name in ("former_names", "heads")}
    return values | {name: "、".join(matter[name]) for name in ("supervisors", "upheld")}


def _page(ask: Ask, values: Mapping[str, str], fault: Fault | None = None) -> Response:
    desk = office(ask)
    return page(
        ask, "experts/new.html", fault.status if fault else 200,
        values=values, fault=fault, seats=range(1, SEATS + 1), told=Wording(ask), rules=desk.rules,
        sides=(("party", PARTIES), ("author", AUTHORS)), fields=specialties(), reasons=draw_reasons("redraw"),
        purposes={code: one for code, one in panel_purposes().items() if one.allowed},
    )  # fmt: skip
