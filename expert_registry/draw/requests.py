"""The request of a draw: what a panel is asked, its seats, and what makes a request one that may be drawn for.

A request belongs to its matter: asked again for the same matter it is a *redraw*, the next of one series, which names the
draw before it and a coded reason and needs the approval of a second person when its list is frozen. Draws on the same
parties are named beside it, so that a matter under another number does not hide the earlier ones.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from expert_registry.day_words import in_china
from expert_registry.draw.protocol import Seat
from expert_registry.errors import BadRequest, StatutoryPanel
from expert_registry.people import GroupMember, Matter, Party
from records.models import read_time, write_time
from records.store import CHINA, storable
from schemas.expert_draw_facts import draw_reasons, panel_purposes, refused_purpose
from schemas.experts import ExpertRules
from schemas.files import fold
from schemas.specialties import specialties

REQUEST = "gongzhi-expert-request/1"


@dataclass(frozen=True, slots=True)
class PanelRequest:
    """A panel asked for.

    ``purpose`` is a code of ``expert_purposes.csv``; ``opens_at`` the time before which nobody sees the names;
    ``other_side`` more seats for the other side than the rules keep for it, if so agreed.
    """

    matter: Matter
    purpose: str
    seats: tuple[Seat, ...]
    opens_at: datetime
    other_side: int = 0


@dataclass(frozen=True, slots=True)
class Redraw:
    """Why a matter is drawn for again: the draw before, a code of the step ``redraw``, and words."""

    replaces: str = ""
    code: str = ""
    words: str = ""


def series(kind: str, bureau: str, matter_id: str) -> str:
    """Give the number of all requests of a bureau for one matter; how the matter's number is spaced does not count.

    >>> series("draw", "beibei", "渝碚环 [2026] 7号") == series("draw", "beibei", "渝碚环［2026］7号 ")
    True
    """
    return "r-" + hashlib.sha256("|".join((kind, bureau, matter_key(matter_id))).encode()).hexdigest()[:24]


def matter_key(matter_id: str) -> str:
    """Fold the number of a matter: width, blanks and capitals do not make it another one."""
    return re.sub(r"\s+", "", fold(matter_id)).casefold()


def seats_for_others(request: PanelRequest, rules: ExpertRules) -> int:
    """Count the seats kept for the other side: the share of the rules rounded up, or more where so asked."""
    total = sum(seat.number for seat in request.seats)
    return max(-(-total * rules.other_side_percent // 100), request.other_side)


def check_request(request: PanelRequest, bureaus: Sequence[str], rules: ExpertRules, at: datetime) -> None:
    """Refuse a request that may not be drawn for, or lacks something.

    Raises
    ------
    StatutoryPanel
        The panel must come from the statutory pool.
    BadRequest
        Anything else that does not fit.
    """
    matter = request.matter
    refused = refused_purpose(request.purpose, matter.title)
    if refused is not None:
        raise StatutoryPanel(
            f"{refused.reason_zh}（依据：{refused.source}）", f"{refused.reason_en} ({refused.source})"
        )
    if request.purpose not in panel_purposes():
        known = "、".join(code for code, one in panel_purposes().items() if one.allowed)
        raise BadRequest(
            f"用途 {request.purpose!r} 未知，可用：{known}", f"purpose {request.purpose!r}; known: {known}"
        )
    if matter.bureau not in bureaus:
        raise BadRequest(f"{matter.bureau} 不是参与单位", f"{matter.bureau} takes no part in the pool")
    if not (matter_key(matter.matter_id) and matter.title.strip()):
        raise BadRequest("须写明事项编号和名称", "a request names its matter by number and title")
    _check_seats(request, rules)
    if request.opens_at <= at or matter.on < _day(at):
        raise BadRequest(
            f"会议日 {matter.on} 与公开时间 {in_china(request.opens_at)} 须在申请之后",
            f"the meeting on {matter.on} and the opening at {in_china(request.opens_at)} come after the request",
        )


def _check_seats(request: PanelRequest, rules: ExpertRules) -> None:
    total, codes = sum(seat.number for seat in request.seats), [seat.specialty for seat in request.seats]
    unknown = [code for code in codes if code not in specialties()]
    if unknown or len(set(codes)) < len(codes) or any(seat.number < 1 for seat in request.seats):
        raise BadRequest(
            f"席位的专业未知、重复或人数有误：{'、'.join(unknown or codes)}",
            f"the seats name an unknown specialty, one twice, or no number: {', '.join(unknown or codes)}",
        )
    if total < rules.panel_least or total % 2 == 0:
        raise BadRequest(
            f"专家组须为不少于 {rules.panel_least} 人的单数，现为 {total} 人（{rules.sources['panel_least']}）",
            f"a panel has an odd number of at least {rules.panel_least} seats, not {total}",
        )
    if seats_for_others(request, rules) > total:
        raise BadRequest("他方席位多于总席位", "more seats are kept for the other side than there are")


def check_redraw(redraw: Redraw) -> None:
    """Refuse a redraw without a coded reason in words."""
    if redraw.replaces and not (redraw.code in draw_reasons("redraw") and redraw.words.strip()):
        codes = "、".join(draw_reasons("redraw"))
        raise BadRequest(
            f"同一事项已抽取（{redraw.replaces}），重新抽取须给出原因代码（{codes}）和说明",
            f"the matter was drawn for in {redraw.replaces}: a redraw needs a reason code ({codes}) and words",
        )


def _day(at: datetime) -> date:
    return at.astimezone(CHINA).date()


# -- as a paper ----------------------------------------------------------------------------------------------------


def request_paper(
    request: PanelRequest, draw_id: str, redraw: Redraw, related: Sequence[str], by: str, at: datetime
) -> dict[str, Any]:
    """Write a request as a paper, whole: what the list is made from is what was asked for."""
    matter = asdict(request.matter) | {"on": request.matter.on.isoformat()}
    return {
        "document": REQUEST,
        "draw_id": draw_id,
        "purpose": request.purpose,
        "matter": _storable(matter),
        "seats": [{"specialty": seat.specialty, "number": seat.number} for seat in request.seats],
        "other_side": request.other_side,
        "opens_at": write_time(request.opens_at),
        "redraw": {"replaces": redraw.replaces, "code": redraw.code, "words": storable(redraw.words.strip())},
        "related": list(related),
        "requested_by": by,
        "requested_at": write_time(at),
    }


def read_request(paper: Mapping[str, Any]) -> PanelRequest:
    """Read what :func:`request_paper` wrote."""
    told = dict(paper["matter"])
    told |= {"on": date.fromisoformat(told["on"])}
    told |= {name: tuple(_party(one) for one in told[name]) for name in ("parties", "authors")}
    told |= {name: tuple(told[name]) for name in ("supervisors", "upheld")}
    seats = tuple(Seat(one["specialty"], one["number"]) for one in paper["seats"])
    return PanelRequest(Matter(**told), paper["purpose"], seats, read_time(paper["opens_at"]), paper["other_side"])


def _party(told: Mapping[str, Any]) -> Party:
    texts = {name: tuple(told[name]) for name in ("former_names", "other_codes", "heads")}
    return Party(**{**told, **texts, "group": tuple(GroupMember(**one) for one in told["group"])})


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Mapping):
        return {name: _storable(inner) for name, inner in value.items()}
    return [_storable(inner) for inner in value] if isinstance(value, list | tuple) else value
