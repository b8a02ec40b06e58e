"""After the draw: invited, accepted or declined with a coded reason, attended, opinion signed, appraised, paid.

What may follow what, and which code a state needs, is data (``expert_seat_states.csv``). Nobody is passed over by the
clock: ``no_answer`` counts only after the time to answer, ``absent`` and ``attended`` not before the day of the meeting.
Who declines, stays silent or does not come under a code opens a replacement of that code; nothing else does.

A use is appraised once by the user unit and once of the organiser, from the meeting on; one told after the last day of
the term is kept and shown as late, and does not count towards a removal. Fees hold no bank data: free texts are kept with
every long number masked.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from expert_registry.day_words import in_china
from expert_registry.draw import replacing
from expert_registry.draw.desk import Desk, papers_of
from expert_registry.draw.papers import PublicSource
from expert_registry.errors import IncompleteExpert, NotYet, UnknownWord, WrongState
from records import expert_appraisals, expert_drawbook, expert_seats
from records.expert_appraisals import APPRAISAL_KINDS, Appraisal, Fee
from records.expert_seats import Seat, SeatChange
from records.store import CHINA
from schemas.expert_draw_facts import draw_reasons
from schemas.expert_seat_facts import SeatState, appraisal_grades, decline_reasons, seat_states
from schemas.experts import ExpertRules
from schemas.personal import without_numbers

USED = ("attended", "opinion_signed")
"""States of a seat that are a use to be appraised and paid."""
LEFT = ("declined", "no_answer", "absent", "replaced")
"""States of a seat that is free for somebody else."""


@dataclass(frozen=True, slots=True)
class Due:
    """An appraisal that is still missing, with the last day of its term."""

    draw_id: str
    expert_id: str
    kind: str
    last_day: date


def tell(
    desk: Desk,
    draw_id: str,
    expert_id: str,
    state: str,
    *,
    by: str,
    at: datetime,
    code: str = "",
    reason: str = "",
    document: str = "",
) -> Seat:
    """Bring a seat into a state; told again in the same words it stays as it is.

    Parameters
    ----------
    code : str
        Why, as the state asks for it; ``no_answer`` and ``absent`` may get theirs later, see :func:`explain`.
    document : str
        What shows it: the invitation, the answer, the signed opinion (which must be named).

    Raises
    ------
    UnknownSeat, UnknownWord, WrongState, NotYet, IncompleteExpert
    """
    states = seat_states()
    if state not in states:
        raise UnknownWord(f"没有席位状态 {state}：{'、'.join(states)}", f"no state {state!r}: {', '.join(states)}")
    before = expert_seats.seat(desk.records, draw_id, expert_id)
    change = _change(before, states[state], by, at, code, reason, document)
    sources = [one.state for one in states.values() if state in one.leads_to]
    if before.state not in (*sources, state):
        raise WrongState(
            f"{expert_id} 现为“{states[before.state].title_zh}”，不能转为“{states[state].title_zh}”",
            f"{expert_id} is {before.state} in {draw_id}, which cannot become {state}",
        )
    _refuse_early(desk.rules, before, state, at)
    if before.state == "no_answer" and state == "accepted" and _given_away(desk, before):
        raise WrongState(
            f"{expert_id} 逾期未答复后已启动递补，不能再接受",
            f"{expert_id} answered too late: the seat is being given to another",
        )
    return expert_seats.change_seat(desk.records, change, only_from=sources)


def explain(
    desk: Desk, draw_id: str, expert_id: str, code: str, reason: str, *, by: str, at: datetime, document: str = ""
) -> Seat:
    """Give the reason of a refusal, silence or absence that had none, or another one than was told; both stay on record.

    Raises
    ------
    UnknownSeat, UnknownWord, WrongState, IncompleteExpert
    """
    before = expert_seats.seat(desk.records, draw_id, expert_id)
    state = seat_states()[before.state]
    if not state.code.startswith("decline") or not code:
        raise WrongState(
            f"{expert_id} 现为“{state.title_zh}”，没有需要说明的理由",
            f"{expert_id} is {before.state}: there is nothing to explain",
        )
    change = _change(before, state, by, at, code, reason, document)
    return expert_seats.change_seat(desk.records, change, only_from=[before.state])


def vacancy_code(desk: Desk, draw_id: str, expert_id: str) -> str:
    """Give the code under which a seat is free for a replacement.

    Raises
    ------
    WrongState
        The person still has the seat.
    """
    seat = expert_seats.seat(desk.records, draw_id, expert_id)
    if seat.state not in LEFT:
        title = seat_states()[seat.state]
        raise WrongState(
            f"{expert_id} 现为“{title.title_zh}”，席位并未空出；先记录谢绝、未答复、未到场或替换及其原因",
            f"{expert_id} is {seat.state}: the seat is not free; first record why it is",
        )
    code = last_code(desk, seat)
    if seat.state == "replaced":
        return code
    if seat.state == "declined":
        return decline_reasons()[code].vacancy
    return {"no_answer": "no-answer", "absent": "absent"}[seat.state]


def last_code(desk: Desk, seat: Seat) -> str:
    """Give the code that was last told of a seat, blank where none was."""
    told = expert_seats.seat_changes(desk.records, draw_ids=[seat.draw_id], expert_ids=[seat.expert_id])
    return told[-1].code if told else ""


def open_vacancy(
    desk: Desk, draw_id: str, expert_id: str, *, fallback_source: PublicSource, by: str, at: datetime
) -> dict[str, Any]:
    """Open the replacement of somebody whose seat is free, under the code that stands on record.

    Raises
    ------
    WrongState, BadDraw
        See :func:`vacancy_code` and :func:`expert_registry.draw.replacing.open_vacancy`.
    """
    code = vacancy_code(desk, draw_id, expert_id)
    return replacing.open_vacancy(desk, draw_id, expert_id, code, fallback_source=fallback_source, by=by, at=at)


def appraise(
    desk: Desk, draw_id: str, expert_id: str, kind: str, grade: str, *, by: str, at: datetime, remark: str = ""
) -> Appraisal:
    """Appraise one use: ``by-user`` the user unit on the expert, ``of-organiser`` the expert on the organiser.

    Raises
    ------
    UnknownWord
        No such kind or grade.
    WrongState
        The expert did not attend.
    IncompleteExpert
        Nobody signs it, or a poor grade has no words: whom it may cost the place must be able to answer it.
    """
    grades = appraisal_grades()
    if kind not in APPRAISAL_KINDS or grade not in grades:
        raise UnknownWord(
            f"评价种类应为 {'、'.join(APPRAISAL_KINDS)}，等次应为 {'、'.join(grades)}",
            f"the kind is one of {', '.join(APPRAISAL_KINDS)}, the grade one of {', '.join(grades)}",
        )
    if not by.strip() or (grades[grade].poor and not remark.strip()):
        raise IncompleteExpert("评价须写明评价人；评为“差”须写明理由", "an appraisal is signed; a poor one says why")
    _refuse_unused(desk, draw_id, expert_id)
    return expert_appraisals.add_appraisal(
        desk.records, Appraisal(draw_id, expert_id, kind, grade, without_numbers(remark.strip()), by.strip(), at)
    )


def term(held_on: date, rules: ExpertRules) -> date:
    """Give the last day (in China) on which a use is appraised in time."""
    return held_on + timedelta(days=rules.appraisal_days)


def in_time(appraisal: Appraisal, held_on: date, rules: ExpertRules) -> bool:
    """Tell whether an appraisal was told within its term."""
    return appraisal.at.astimezone(CHINA).date() <= term(held_on, rules)


def due(desk: Desk, draw_ids: list[str] | None = None) -> list[Due]:
    """List the appraisals that are still missing, the oldest term first; the caller sees which are overdue."""
    told = {(one.draw_id, one.expert_id, one.kind) for one in expert_appraisals.appraisals(desk.records)}
    missing = [
        Due(seat.draw_id, seat.expert_id, kind, term(seat.held_on, desk.rules))
        for seat in expert_seats.seats(desk.records, draw_ids=draw_ids)
        for kind in APPRAISAL_KINDS
        if seat.state in USED and (seat.draw_id, seat.expert_id, kind) not in told
    ]
    return sorted(missing, key=lambda one: (one.last_day, one.draw_id, one.expert_id, one.kind))


def pay(
    desk: Desk, draw_id: str, expert_id: str, amount_fen: int, *, paid_on: date, payer: str, by: str, at: datetime
) -> Fee:
    """Record what was paid for a use, in fen; a correction is a negative amount.

    Raises
    ------
    IncompleteExpert
        No amount, payer or person, or a day to come.
    WrongState
        The expert did not attend.
    """
    if not amount_fen or not payer.strip() or not by.strip() or paid_on > at.astimezone(CHINA).date():
        raise IncompleteExpert(
            "费用须有金额、支付单位、经办人和已到的支付日期", "a fee has an amount, a payer, a person and a day gone by"
        )
    _refuse_unused(desk, draw_id, expert_id)
    fee = Fee(draw_id, expert_id, amount_fen, paid_on, without_numbers(payer.strip()), by.strip(), at)
    return expert_appraisals.add_fee(desk.records, fee)


def _change(seat: Seat, state: SeatState, by: str, at: datetime, code: str, reason: str, document: str) -> SeatChange:
    """Make a change, after looking that it has who, which code and why."""
    codes = {"": ("",), "vacancy": tuple(draw_reasons("vacancy")), "decline": tuple(decline_reasons())}
    allowed = codes[state.code.rstrip("?")] + (("",) if state.code.endswith("?") else ())
    if code not in allowed:
        told = "、".join(one for one in allowed if one) or "（无）"
        raise UnknownWord(
            f"“{state.title_zh}”的原因代码应为 {told}，所写的是 {code or '（无）'}",
            f"the code of {state.state} is one of {told}, not {code!r}",
        )
    needs_words = code == "other" or state.state == "replaced"
    if not by.strip() or (needs_words and not reason.strip()):
        raise IncompleteExpert("须写明经办人；此原因须有说明", "this needs who does it, and words for this reason")
    if state.state == "opinion_signed" and not document.strip():
        raise IncompleteExpert("须写明已签署意见的文号或编号", "name the signed opinion")
    texts = (without_numbers(reason.strip()), without_numbers(document.strip()))
    return SeatChange(seat.draw_id, seat.expert_id, at, by.strip(), state.state, code, *texts)


def _refuse_early(rules: ExpertRules, seat: Seat, state: str, at: datetime) -> None:
    if state == "no_answer" and seat.state == "invited":
        over = seat.state_at + timedelta(hours=rules.answer_hours)
        if at < over:
            raise NotYet(
                f"答复期限为 {in_china(over)}，此前不能记为逾期未答复",
                f"there is time to answer until {in_china(over)} China time",
            )
    if state in ("attended", "absent") and at.astimezone(CHINA).date() < seat.held_on:
        raise NotYet(f"会议日为 {seat.held_on}，尚未到期", f"the meeting is on {seat.held_on}")


def _refuse_unused(desk: Desk, draw_id: str, expert_id: str) -> None:
    seat = expert_seats.seat(desk.records, draw_id, expert_id)
    if seat.state not in USED:
        title = seat_states()[seat.state]
        raise WrongState(
            f"{expert_id} 在 {draw_id} 中现为“{title.title_zh}”，没有可评价或付费的使用",
            f"{expert_id} is {seat.state} in {draw_id}: there is no use to appraise or pay",
        )


def _given_away(desk: Desk, seat: Seat) -> bool:
    if expert_drawbook.draw(desk.records, seat.draw_id).state == "called":
        return False
    return any(one["out"] == seat.opaque_id for one in papers_of(desk, seat.draw_id, "vacancy").values())
