"""The emergency call-out: ranked, named, reasoned, signed, numbered beside the draws, and no draw."""

from __future__ import annotations

from datetime import date

import pytest
from desk_home import DAY, HELD, HOUR, PARTY, T0, asked, enter, home, made_uscc, parts, row

from expert_registry.draw import desk as desks
from expert_registry.draw.callout import Called, CallOut, call_out, ranking
from expert_registry.errors import BadRequest
from expert_registry.people import Matter
from records import expert_drawbook, expert_listing
from records.chain import verify_chain
from records.keys import check_signature

MATTER = Matter("应急-2026-3", "涪江某段水华", HELD, "beibei", parties=(PARTY,))
CALL = CallOut(MATTER, "water-incident", "下游取水口告急", "500109", ("W03", "X01"))
TWO = [{"code": code, "edition": "gz-2026-1", "raw": code} for code in ("W03", "X01")]


@pytest.fixture
def desk(records, tmp_path):
    leave = [{"since": HELD, "until": HELD, "reason": "出差"}]
    enter(
        records,
        (row(2, division="510703"), parts(2)),
        (row(4, division="500106"), parts(4)),
        (row(8, division="500109"), parts(8)),
        (row(10, division="510703"), parts(10, specialty=TWO)),
        (row(14, division="500109"), parts(14, specialty=TWO, leave=leave)),
        (row(16, division="500109", employer=PARTY.name, employer_uscc=PARTY.uscc), parts(16)),
        (row(20, division="", employer="示例单位", employer_uscc=made_uscc(20)), parts(20)),
        (row(22, division="500109", entered_at=T0 - DAY), parts(22)),
    )
    return home(records, tmp_path)


def test_experts_rank_by_fields_then_distance_and_who_cannot_come_stands_last_with_why(desk):
    ranked = ranking(desk, CALL, T0)
    order = [int(one.expert.expert_id[2:]) for one in ranked]
    assert order == [10, 8, 22, 4, 2, 20, 14, 16]
    assert [one.distance for one in ranked[:6]] == [3, 0, 0, 1, 3, 4]
    assert [one.reasons for one in ranked[6:]] == [("on_leave",), ("employer_now",)]


def test_a_call_out_is_numbered_signed_and_says_that_it_is_no_draw(desk):
    done = call_out(desk, CALL, [Called("e-00010", "X01"), Called("e-00008", "W03")], by="li", at=T0)
    assert (done.draw_id, done.state, done.detail["kind"]) == ("beibei-2026-0001", "called", "callout")
    paper = desks.paper_of(desk, done.draw_id, "callout")
    assert check_signature(paper).valid and paper["is_draw"] is False and paper["code"] == "water-incident"
    assert [(one["seat"], one["rank"]) for one in paper["called"]] == [("X01", 1), ("W03", 2)]
    assert "专家" not in str(paper) and "e-000" not in str(paper), "the paper has opaque ids"
    rows = expert_listing.seats_of(desk.records, [done.draw_id])
    assert {one.expert_id for one in rows} == {"e-00010", "e-00008"}
    assert expert_listing.uses(desk.records, date(2026, 4, 1), HELD) == {"e-00010": 1, "e-00008": 1}
    assert verify_chain(desk.records).ok and expert_drawbook.check_numbers(desk.records) == []
    assert desks.request(desk, asked(), by="li", at=T0 + HOUR).draw_id == "beibei-2026-0002"


def test_the_same_call_again_is_the_same_and_a_further_one_names_the_one_before(desk):
    called = [Called("e-00008", "W03")]
    first = call_out(desk, CALL, called, by="li", at=T0)
    assert call_out(desk, CALL, called, by="li", at=T0 + HOUR) == first
    second = call_out(desk, CALL, [Called("e-00004", "W03")], by="li", at=T0 + HOUR)
    assert (second.sequence, second.replaces) == (2, first.draw_id)


WRONG = {
    "no code": (CallOut(MATTER, "friend", "…", "500109", ("W03",)), [Called("e-00008", "W03")]),
    "no words": (CallOut(MATTER, "water-incident", " ", "500109", ("W03",)), [Called("e-00008", "W03")]),
    "nobody": (CALL, []),
    "twice": (CALL, [Called("e-00008", "W03"), Called("e-00008", "W03")]),
    "a field not asked for": (CALL, [Called("e-00008", "A03")]),
    "a field the person does not have": (CALL, [Called("e-00008", "X01")]),
    "somebody unknown": (CALL, [Called("e-99999", "W03")]),
    "on leave": (CALL, [Called("e-00014", "W03")]),
    "employed by the party": (CALL, [Called("e-00016", "W03", " ")]),
    "an unknown field": (CallOut(MATTER, "water-incident", "…", "500109", ("Q1",)), [Called("e-00008", "Q1")]),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_call_without_what_it_needs_is_refused(desk, name, database_url):
    call, called = WRONG[name]
    with pytest.raises(BadRequest):
        call_out(desk, call, called, by="li", at=T0)
    assert expert_drawbook.draws(desk.records) == []


def test_who_is_called_in_spite_of_a_reason_is_called_with_words_on_record(desk):
    done = call_out(desk, CALL, [Called("e-00014", "X01", "本人电话同意提前返回")], by="li", at=T0)
    paper = desks.paper_of(desk, done.draw_id, "callout")
    assert paper["called"][0]["despite"] == "本人电话同意提前返回"
    assert [one["reasons"] for one in paper["ranking"] if one["id"] == paper["called"][0]["id"]] == [["on_leave"]]
