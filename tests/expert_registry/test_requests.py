"""Which requests may be drawn for, and what belongs to one matter."""

from __future__ import annotations

import dataclasses

import pytest
from desk_home import DAY, HELD, HOUR, PARTY, T0, asked, fill, home, published

from expert_registry.draw import desk as desks
from expert_registry.draw import freezing
from expert_registry.draw.protocol import Seat
from expert_registry.draw.requests import Redraw, check_request, read_request, request_paper, seats_for_others, series
from expert_registry.errors import BadRequest, NeedsSecondPerson, StatutoryPanel, WrongState
from expert_registry.people import GroupMember, Matter, Party
from records import expert_drawbook
from schemas.expert_draw_facts import STEPS, draw_reasons, panel_purposes
from schemas.experts import expert_rules

BUREAUS, RULES = ("beibei", "mianyang"), expert_rules()
WRONG = {
    "an even panel": {"seats": (Seat("W03", 2), Seat("A03", 2))},
    "a panel of one": {"seats": (Seat("W03", 1),)},
    "no seats": {"seats": ()},
    "a seat of nobody": {"seats": (Seat("W03", 3), Seat("A03", 0))},
    "a negative seat": {"seats": (Seat("W03", 4), Seat("A03", -1))},
    "an unknown specialty": {"seats": (Seat("Q99", 3),)},
    "a specialty twice": {"seats": (Seat("W03", 2), Seat("W03", 1))},
    "an unknown purpose": {"purpose": "curiosity"},
    "names open at once": {"opens_at": T0},
    "more for the other side than seats": {"other_side": 4},
    "a bureau of neither place": {"matter": Matter("m", "事项", HELD, "chengdu")},
    "no number of the matter": {"matter": Matter(" ", "事项", HELD, "beibei")},
    "no title": {"matter": Matter("m", " ", HELD, "beibei")},
    "a meeting in the past": {"matter": Matter("m", "事项", T0.date() - DAY, "beibei")},
}


@pytest.mark.parametrize("name", WRONG)
def test_a_request_that_does_not_fit_is_refused_in_both_languages(name):
    with pytest.raises(BadRequest) as caught:
        check_request(asked(**WRONG[name]), BUREAUS, RULES, T0)
    assert caught.value.message and caught.value.message_en and caught.value.code == "bad-request"


def test_a_good_request_is_taken_and_the_day_itself_is_not_past():
    check_request(asked(), BUREAUS, RULES, T0)
    check_request(asked(matter=Matter("m", "事项", T0.date(), "beibei")), BUREAUS, RULES, T0)


@pytest.mark.parametrize(
    "more",
    [
        {"purpose": "statutory-eia"},
        {"matter": Matter("m", "某工业园区总体规划 规划环境影响报告书审查", HELD, "beibei")},
        {"matter": Matter("m", "规划环评审查小组", HELD, "beibei")},
    ],
)
def test_the_statutory_panel_is_refused_with_its_reason_and_source(more):
    with pytest.raises(StatutoryPanel, match="第九十二条.*Art. 92"):
        check_request(asked(**more), BUREAUS, RULES, T0)


def test_the_share_of_the_other_side_is_rounded_up():
    shares = [seats_for_others(asked(seats=(Seat("W03", n),)), RULES) for n in (3, 5, 7, 9)]
    assert shares == [1, 2, 3, 3]
    assert seats_for_others(asked(other_side=2), RULES) == 2


def test_a_request_is_read_back_from_its_paper_as_it_was():
    member = GroupMember("", "重庆示例控股有限公司", "parent", "年报")
    party = Party(PARTY.uscc, PARTY.name, ("旧名",), ("123",), (member,), ("周示例",))
    matter = Matter("m", "事项", HELD, "beibei", (party,), (PARTY,), ("beibei",), ("e-1",))
    told = asked(matter=matter, other_side=2)
    assert read_request(request_paper(told, "beibei-2026-0001", Redraw(), [], "li", T0)) == told


def test_a_matter_is_the_same_however_its_number_is_written_and_another_bureau_has_its_own_series():
    assert series("draw", "beibei", "渝碚环评〔2026〕7号") == series("draw", "beibei", " 渝碚环评〔２０２６〕 7号")
    assert series("draw", "beibei", "甲") != series("draw", "mianyang", "甲") != series("callout", "mianyang", "甲")


def test_every_purpose_and_every_step_has_its_words():
    assert (
        not panel_purposes()["statutory-eia"].allowed and sum(not one.allowed for one in panel_purposes().values()) == 1
    )
    assert all(draw_reasons(step) for step in STEPS)


@pytest.fixture
def desk(records, tmp_path):
    fill(records)
    return home(records, tmp_path)


def test_drawing_again_names_the_draw_before_with_a_coded_reason_and_is_approved_by_another(desk):
    first = published(desk)
    later = T0 + 3 * DAY
    again = dataclasses.replace(asked(" 渝碚环评〔2026〕7号"), opens_at=later + 5 * DAY)
    for redraw in (
        Redraw(),
        Redraw("beibei-2026-0009", "too-few-accepted", "两人谢绝"),
        Redraw(first, "", "不合适"),
        Redraw(first, "not-my-friend", "不合适"),
        Redraw(first, "too-few-accepted", "  "),
    ):
        with pytest.raises(BadRequest):
            desks.request(desk, again, by="li", at=later, redraw=redraw)
    draw = desks.request(desk, again, by="li", at=later, redraw=Redraw(first, "too-few-accepted", "两人谢绝"))
    assert (draw.sequence, draw.replaces, draw.draw_id) == (2, first, "beibei-2026-0002")
    with pytest.raises(NeedsSecondPerson, match="redraw"):
        freezing.freeze(desk, draw.draw_id, by="wang", at=later)
    with pytest.raises(NeedsSecondPerson):
        freezing.freeze(desk, draw.draw_id, by="li", at=later, approves={"redraw": "同意"})
    freezing.freeze(desk, draw.draw_id, by="wang", at=later, approves={"redraw": "同意"})
    frozen = desks.paper_of(desk, draw.draw_id, "list")
    assert (frozen["sequence"], frozen["replaces"], frozen["reason"]) == (2, first, "too-few-accepted: 两人谢绝")
    assert [one.draw_id for one in expert_drawbook.draws(desk.records, request_id=draw.request_id)] == [
        first,
        draw.draw_id,
    ]


def test_a_draw_that_goes_on_is_ended_before_the_matter_is_drawn_for_again(desk):
    draw = desks.request(desk, asked(), by="li", at=T0)
    redraw = Redraw(draw.draw_id, "request-changed", "席位调整")
    changed = asked(seats=(Seat("W03", 3),))
    with pytest.raises(WrongState):
        desks.request(desk, changed, by="li", at=T0 + HOUR, redraw=redraw)
    desks.abandon(desk, draw.draw_id, "request-wrong", "席位有误", by="li", at=T0 + HOUR)
    assert desks.request(desk, changed, by="li", at=T0 + 2 * HOUR, redraw=redraw).sequence == 2


def test_the_other_bureau_does_not_draw_for_the_same_matter_beside_it(desk):
    desks.request(desk, asked("甲"), by="li", at=T0)
    other = dataclasses.replace(asked("甲").matter, bureau="mianyang")
    with pytest.raises(BadRequest, match="beibei-2026-0001"):
        desks.request(desk, asked(matter=other), by="he", at=T0 + HOUR)


def test_an_earlier_draw_on_the_same_party_is_named_beside_a_matter_of_another_number(desk):
    first = desks.request(desk, asked("甲"), by="li", at=T0)
    matter = dataclasses.replace(asked().matter, matter_id="甲之二")
    second = desks.request(desk, asked(matter=matter), by="li", at=T0 + HOUR)
    assert desks.paper_of(desk, second.draw_id, "request")["related"] == [first.draw_id]
