"""After the draw: what may follow what, under which code, when; appraisals and fees; what the chain keeps of it."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from after_home import MEETING, OPEN, opened, tell, used
from desk_home import BOTH, DAY, HOUR, LOOKER, T0, fill, home

from expert_registry.draw import opening, replacing
from expert_registry.draw.papers import PublicSource
from expert_registry.errors import IncompleteExpert, NotYet, UnknownWord, WrongState
from expert_registry.panel import afterwards
from records import expert_appraisals, expert_listing, expert_seats
from records.chain import verify_chain
from records.errors import IllegalState, UnknownSeat
from records.expert_appraisals import check_afterwards
from schemas.expert_seat_facts import seat_states

LATER = PublicSource("福利彩票双色球第2026050期", OPEN + 6 * DAY)


@pytest.fixture
def desk(records, tmp_path):
    fill(records)
    return home(records, tmp_path)


@pytest.fixture
def panel(desk):
    """Number of a draw with open names, and its three experts."""
    return opened(desk)


def attended(desk, draw_id, expert_id):
    tell(desk, draw_id, expert_id, "invited", "accepted")
    tell(desk, draw_id, expert_id, "attended", at=MEETING)


# -- the seat ----------------------------------------------------------------------------------------------------------


def test_a_seat_goes_from_its_invitation_to_the_signed_opinion(desk, panel):
    draw_id, (first, *_) = panel
    attended(desk, draw_id, first)
    tell(desk, draw_id, first, "opinion_signed", at=MEETING + HOUR, document="意见 2026-11")
    told = expert_seats.seat_changes(desk.records, draw_ids=[draw_id])
    assert [one.state for one in told] == ["invited", "accepted", "attended", "opinion_signed"]
    assert expert_seats.seat(desk.records, draw_id, first).state == "opinion_signed" and told[-1].by == "sun"
    assert check_afterwards(desk.records) == [] and verify_chain(desk.records).ok


def test_every_step_that_is_not_in_the_table_is_refused(desk, panel):
    """From a fresh seat and from an accepted one, each state that does not follow."""
    draw_id, (first, second, _) = panel
    tell(desk, draw_id, second, "invited", "accepted")
    codes = {"decline": "ill", "vacancy": "ill", "": "", "decline?": ""}
    for expert_id, now in ((first, "drawn"), (second, "accepted")):
        for state in seat_states().values():
            if state.state not in (*seat_states()[now].leads_to, now):
                with pytest.raises(WrongState):
                    tell(
                        desk, draw_id, expert_id, state.state, at=MEETING, code=codes[state.code], reason="…",
                        document="x",
                    )  # fmt: skip
        assert expert_seats.seat(desk.records, draw_id, expert_id).state == now


def test_a_step_told_again_is_written_once_and_in_other_words_refused(desk, panel):
    draw_id, (first, *_) = panel
    tell(desk, draw_id, first, "invited")
    tell(desk, draw_id, first, "declined", at=OPEN + HOUR, code="duty", reason="授课")
    before = desk.records.head()
    tell(desk, draw_id, first, "declined", at=OPEN + 2 * HOUR, code="duty", reason="授课")
    assert desk.records.head() == before and len(expert_seats.seat_changes(desk.records)) == 2
    with pytest.raises(IllegalState):
        tell(desk, draw_id, first, "declined", at=OPEN + 2 * HOUR, code="ill")


def test_nobody_is_passed_over_before_the_time_to_answer_is_over(desk, panel):
    draw_id, (first, *_) = panel
    tell(desk, draw_id, first, "invited")
    over = OPEN + timedelta(hours=desk.rules.answer_hours)
    with pytest.raises(NotYet):
        tell(desk, draw_id, first, "no_answer", at=over - timedelta(seconds=1))
    tell(desk, draw_id, first, "no_answer", at=over)
    assert afterwards.vacancy_code(desk, draw_id, first) == "no-answer"


@pytest.mark.parametrize("state", ["absent", "attended"])
def test_nobody_attends_or_misses_a_meeting_before_its_day_in_china(desk, panel, state):
    draw_id, (first, *_) = panel
    tell(desk, draw_id, first, "invited", "accepted")
    midnight = MEETING.replace(day=19, hour=16)
    with pytest.raises(NotYet):
        tell(desk, draw_id, first, state, at=midnight - timedelta(seconds=1))
    tell(desk, draw_id, first, state, at=midnight)


def test_a_step_needs_its_code_its_words_and_its_document(desk, panel):
    draw_id, (first, second, _) = panel
    tell(desk, draw_id, first, "invited")
    for code in ("", "somebody-better", "declined"):
        with pytest.raises(UnknownWord):
            tell(desk, draw_id, first, "declined", code=code)
    with pytest.raises(UnknownWord):
        tell(desk, draw_id, first, "accepted", code="ill")
    with pytest.raises(UnknownWord):
        tell(desk, draw_id, first, "seated")
    with pytest.raises(IncompleteExpert):
        tell(desk, draw_id, first, "declined", code="other")
    with pytest.raises(IncompleteExpert):
        tell(desk, draw_id, first, "replaced", code="left-pool")
    with pytest.raises(IncompleteExpert):
        afterwards.tell(desk, draw_id, first, "accepted", by=" ", at=OPEN)
    attended(desk, draw_id, second)
    with pytest.raises(IncompleteExpert):
        tell(desk, draw_id, second, "opinion_signed", at=MEETING)


def test_a_seat_exists_only_once_the_names_were_opened_and_only_for_who_was_drawn(desk, panel):
    draw_id, ids = panel
    stranger = next(one for one in expert_listing.expert_ids(desk.records) if one not in ids)
    with pytest.raises(UnknownSeat):
        tell(desk, draw_id, stranger, "invited")


def test_a_clock_set_back_is_refused(desk, panel):
    draw_id, (first, *_) = panel
    tell(desk, draw_id, first, "invited", at=OPEN + 2 * DAY)
    with pytest.raises(IllegalState, match="时钟"):
        tell(desk, draw_id, first, "accepted", at=OPEN)


# -- replacements ------------------------------------------------------------------------------------------------------


def test_only_who_left_under_a_code_is_replaced_and_under_that_code(desk, panel):
    draw_id, (first, second, third) = panel
    with pytest.raises(WrongState, match="并未空出"):
        afterwards.open_vacancy(desk, draw_id, first, fallback_source=LATER, by="sun", at=OPEN)
    tell(desk, draw_id, first, "invited")
    tell(desk, draw_id, first, "declined", code="interest")
    tell(desk, draw_id, second, "invited", "accepted")
    tell(desk, draw_id, second, "replaced", code="consent-revoked", reason="本人撤回")
    tell(desk, draw_id, third, "invited", "accepted")
    tell(desk, draw_id, third, "absent", at=MEETING)
    codes = [afterwards.vacancy_code(desk, draw_id, one) for one in (first, second, third)]
    assert codes == ["recusal-found", "consent-revoked", "absent"]
    paper = afterwards.open_vacancy(desk, draw_id, first, fallback_source=LATER, by="sun", at=OPEN + HOUR)
    assert paper["cause"] == "recusal-found"
    for bureau in BOTH:
        replacing.give_link(desk, draw_id, bureau, by="wang", at=OPEN + 2 * HOUR)
    replacing.replace(desk, draw_id, by="wang", at=OPEN + 3 * HOUR)
    new = opening.names(desk, draw_id, LOOKER, OPEN + 4 * HOUR)[-1]
    assert new.round == 1 and new.expert.expert_id not in (first, second, third)
    tell(desk, draw_id, new.expert.expert_id, "invited", "accepted", at=OPEN + 5 * HOUR)


def test_a_late_yes_counts_only_while_nobody_is_drawn_instead(desk, panel):
    draw_id, (first, second, _) = panel
    tell(desk, draw_id, first, "invited")
    tell(desk, draw_id, second, "invited")
    tell(desk, draw_id, first, "no_answer", at=OPEN + 2 * DAY)
    tell(desk, draw_id, second, "no_answer", at=OPEN + 2 * DAY)
    tell(desk, draw_id, first, "accepted", at=OPEN + 2 * DAY)
    afterwards.open_vacancy(desk, draw_id, second, fallback_source=LATER, by="sun", at=OPEN + 2 * DAY)
    with pytest.raises(WrongState, match="已启动递补"):
        tell(desk, draw_id, second, "accepted", at=OPEN + 2 * DAY + HOUR)


def test_who_declined_is_no_use_and_who_accepted_is_one(desk, panel):
    draw_id, (first, second, _) = panel
    tell(desk, draw_id, first, "invited")
    tell(desk, draw_id, first, "declined", code="ill")
    tell(desk, draw_id, second, "invited", "accepted")
    uses = expert_listing.uses(desk.records, date(2026, 4, 1), date(2026, 4, 30))
    assert uses.get(first, 0) == 0 and uses[second] == 1


def test_a_reason_may_be_given_later_and_both_stay_on_record(desk, panel):
    draw_id, (first, second, _) = panel
    tell(desk, draw_id, first, "invited")
    with pytest.raises(WrongState):
        afterwards.explain(desk, draw_id, first, "ill", "…", by="sun", at=OPEN)
    tell(desk, draw_id, first, "no_answer", at=OPEN + 2 * DAY)
    seat = afterwards.explain(desk, draw_id, first, "ill", "住院，电话 13800005678", by="sun", at=OPEN + 3 * DAY)
    assert afterwards.last_code(desk, seat) == "ill" and seat.state == "no_answer"
    told = expert_seats.seat_changes(desk.records, expert_ids=[first])
    assert [one.code for one in told] == ["", "", "ill"] and "138****5678" in told[-1].reason
    with pytest.raises(WrongState):
        afterwards.explain(desk, draw_id, second, "ill", "…", by="sun", at=OPEN)


# -- appraisals and fees -----------------------------------------------------------------------------------------------


def test_a_use_is_appraised_once_by_the_user_and_once_of_the_organiser(desk, panel):
    draw_id, (first, second, _) = panel
    attended(desk, draw_id, first)
    told = {"by": "zhou", "at": MEETING + DAY}
    good = afterwards.appraise(desk, draw_id, first, "by-user", "good", **told)
    assert afterwards.appraise(desk, draw_id, first, "by-user", "good", **told) == good
    with pytest.raises(IllegalState, match="只评价一次"):
        afterwards.appraise(desk, draw_id, first, "by-user", "excellent", **told)
    assert [one.kind for one in afterwards.due(desk)] == ["of-organiser"]
    afterwards.appraise(desk, draw_id, first, "of-organiser", "fair", **told)
    assert afterwards.due(desk) == [] and len(expert_appraisals.appraisals(desk.records)) == 2
    with pytest.raises(WrongState):
        afterwards.appraise(desk, draw_id, second, "by-user", "good", **told)


def test_an_appraisal_needs_its_words_where_it_is_poor(desk, panel):
    draw_id, (first, *_) = panel
    attended(desk, draw_id, first)
    for kind, grade in (("by-user", "dreadful"), ("of-friend", "good")):
        with pytest.raises(UnknownWord):
            afterwards.appraise(desk, draw_id, first, kind, grade, by="zhou", at=MEETING)
    with pytest.raises(IncompleteExpert):
        afterwards.appraise(desk, draw_id, first, "by-user", "poor", by="zhou", at=MEETING)
    told = afterwards.appraise(
        desk, draw_id, first, "by-user", "poor", by="zhou", at=MEETING, remark="未到现场，联系 138 0000 5678"
    )
    assert "138****5678" in told.remark


def test_the_term_of_an_appraisal_ends_with_its_last_day_in_china(desk, panel):
    draw_id, (first, second, _) = panel
    last = date(2026, 4, 20) + timedelta(days=desk.rules.appraisal_days)
    end = MEETING.replace(day=last.day, hour=15, minute=59)
    seats = []
    for expert_id, at in ((first, end), (second, end + timedelta(minutes=1))):
        attended(desk, draw_id, expert_id)
        told = afterwards.appraise(desk, draw_id, expert_id, "by-user", "good", by="zhou", at=at)
        seats.append(afterwards.in_time(told, date(2026, 4, 20), desk.rules))
    assert seats == [True, False] and {one.last_day for one in afterwards.due(desk)} == {last}


def test_a_fee_holds_no_bank_number_and_a_correction_no_more_than_was_paid(desk, panel):
    draw_id, (first, second, _) = panel
    attended(desk, draw_id, first)
    told = {"paid_on": date(2026, 4, 25), "by": "qian", "at": MEETING + 6 * DAY}
    payer = "北碚区生态环境局 账号 6200000000000001234"
    fee = afterwards.pay(desk, draw_id, first, 80_000, payer=payer, **told)
    assert "6200" not in fee.payer and fee.payer.endswith("1234")
    assert afterwards.pay(desk, draw_id, first, 80_000, payer=payer, **told) == fee
    afterwards.pay(desk, draw_id, first, -30_000, payer="更正", **told)
    with pytest.raises(IllegalState):
        afterwards.pay(desk, draw_id, first, -50_001, payer="更正", **told)
    assert sum(one.amount_fen for one in expert_appraisals.fees(desk.records, draw_ids=[draw_id])) == 50_000
    with pytest.raises(WrongState):
        afterwards.pay(desk, draw_id, second, 1, payer="局", **told)
    with pytest.raises(IncompleteExpert):
        afterwards.pay(desk, draw_id, first, 0, payer="局", **told)
    with pytest.raises(IncompleteExpert):
        afterwards.pay(desk, draw_id, first, 1, payer="局", **{**told, "paid_on": date(2027, 1, 1)})


# -- what stays ---------------------------------------------------------------------------------------------------------


def test_the_chain_holds_no_name_no_number_of_an_expert_and_no_sum(desk, panel):
    draw_id, (first, *_) = panel
    attended(desk, draw_id, first)
    afterwards.appraise(desk, draw_id, first, "by-user", "poor", by="zhou", at=MEETING, remark="迟到两小时")
    afterwards.pay(desk, draw_id, first, 87_654, paid_on=date(2026, 4, 20), payer="某局", by="qian", at=MEETING + HOUR)
    kinds = ("expert-seat", "expert-appraisal", "expert-fee")
    told = "".join(event.payload for event in desk.records.events() if event.kind in kinds)
    assert told and not any(word in told for word in (first, "迟到", "87654", "某局"))
    assert check_afterwards(desk.records) == []


@pytest.mark.parametrize(
    "forged",
    [
        "UPDATE expert_seat_change SET code = 'ill' WHERE state = 'accepted'",
        "DELETE FROM expert_seat_change WHERE state = 'attended'",
        "UPDATE expert_appraisal SET grade = 'excellent'",
        "UPDATE expert_fee SET amount_fen = 1",
    ],
)
def test_a_row_changed_behind_the_chain_is_found(desk, panel, forged):
    from sqlalchemy import text

    draw_id, (first, *_) = panel
    attended(desk, draw_id, first)
    afterwards.appraise(desk, draw_id, first, "by-user", "fair", by="zhou", at=MEETING)
    afterwards.pay(desk, draw_id, first, 5, paid_on=date(2026, 4, 20), payer="局", by="qian", at=MEETING)
    assert check_afterwards(desk.records) == []
    with desk.records.database.write() as connection:
        connection.execute(text(forged))
    assert check_afterwards(desk.records)


def test_a_call_out_is_followed_like_a_draw_but_has_no_replacements(desk):
    draw_id = used(desk, date(2026, 4, 2), "e-00002", "accepted", "attended")
    assert expert_seats.seat(desk.records, draw_id, "e-00002").state == "attended"
    silent = used(desk, date(2026, 4, 5), "e-00004", "no_answer")
    tell(desk, silent, "e-00004", "accepted", at=T0 + 9 * DAY)
    assert expert_seats.seat(desk.records, silent, "e-00004").state == "accepted"
