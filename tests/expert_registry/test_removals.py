"""Proposals to remove an expert: when the rules raise one, that they explain it, and that a person decides."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from after_home import used
from desk_home import DAY, T0, fill, home

from expert_registry.errors import IncompleteExpert, NeedsSecondPerson, UnknownWord, WrongState
from expert_registry.panel import afterwards, removals
from expert_registry.roster.pool import load_one
from records import expert_appraisals
from records.expert_appraisals import check_afterwards
from records.experts import change_expert

WHO = "e-00002"
NOON = T0 + 900 * DAY


@pytest.fixture
def desk(records, tmp_path):
    fill(records, 6)
    return home(records, tmp_path)


def day(number: int) -> date:
    return date(2026, 4, 2) + timedelta(days=10 * number)


def refuse(desk, *codes: str, start: int = 0, who: str = WHO) -> list[str]:
    """One invitation after the other, each declined under a code, or accepted where there is none."""
    return [
        used(desk, day(start + number), who, "declined", code=code, reason="…") if code
        else used(desk, day(start + number), who, "accepted")
        for number, code in enumerate(codes)
    ]  # fmt: skip


def poor(desk, on: date, *, grade: str = "poor", kind: str = "by-user", late: int = 0, who: str = WHO) -> str:
    """A use on a day, appraised on the same day or so many days later; at noon in China."""
    draw_id = used(desk, on, who, "accepted", "attended")
    at = datetime(on.year, on.month, on.day, 10, tzinfo=UTC) + timedelta(days=late)
    afterwards.appraise(desk, draw_id, who, kind, grade, by="zhou", at=at, remark="敷衍")
    return draw_id


@pytest.mark.parametrize(
    ("codes", "raised"),
    [
        (["unexplained"], 0),
        (["unexplained", "unexplained"], 1),
        (["unexplained", "ill"], 0),
        (["unexplained", "ill", "unexplained"], 0),
        (["unexplained", "", "unexplained"], 0),
        (["", "unexplained", "unexplained"], 1),
        (["unexplained", "unexplained", ""], 0),
        (["ill", "duty", "away"], 0),
    ],
)
def test_unexplained_refusals_in_a_row_raise_a_proposal(desk, codes, raised):
    draws = refuse(desk, *codes)
    made = removals.propose(desk, NOON)
    assert len(made) == raised
    if made:
        assert made[0].cause == "refusals" and made[0].expert_id == WHO
        assert [one["draw"] for one in made[0].evidence["uses"]] == draws[-2:]
    assert removals.propose(desk, NOON) == [] and load_one(desk.records, WHO).state == "appointed"


def test_silence_and_absence_are_refusals_until_they_are_explained(desk):
    silent = used(desk, day(0), WHO, "no_answer")
    absent = used(desk, day(1), WHO, "accepted", "absent")
    afterwards.explain(desk, silent, WHO, "force-majeure", "洪水断路", by="sun", at=T0 + 60 * DAY)
    assert removals.propose(desk, NOON) == []
    afterwards.explain(desk, silent, WHO, "unexplained", "经核实无此事", by="sun", at=T0 + 61 * DAY)
    (made,) = removals.propose(desk, NOON)
    assert [one["draw"] for one in made.evidence["uses"]] == [silent, absent]


def test_refusals_under_both_records_of_a_merged_person_count_together(desk):
    refuse(desk, "unexplained")
    refuse(desk, "unexplained", start=1, who="e-00004")
    assert removals.propose(desk, NOON) == []
    change_expert(desk.records, "e-00004", {"merged_into": WHO}, by="staff", at=NOON)
    assert [one.expert_id for one in removals.propose(desk, NOON)] == [WHO]


@pytest.mark.parametrize(("second", "raised"), [(date(2027, 4, 2), 1), (date(2027, 4, 3), 0), (date(2026, 4, 20), 1)])
def test_two_poor_appraisals_in_a_year_raise_a_proposal_and_the_day_of_the_anniversary_is_within(desk, second, raised):
    draws = [poor(desk, date(2026, 4, 2)), poor(desk, second)]
    made = removals.propose(desk, NOON)
    assert len(made) == raised
    assert all([one["draw"] for one in proposal.evidence["uses"]] == draws for proposal in made)


@pytest.mark.parametrize("more", [{"grade": "fair"}, {"kind": "of-organiser"}, {"late": 11}])
def test_a_fair_one_one_of_the_organiser_and_a_late_one_do_not_count(desk, more):
    poor(desk, day(0))
    poor(desk, day(1), **more)
    assert removals.propose(desk, NOON) == []


def test_an_appraisal_on_the_last_day_of_its_term_counts(desk):
    poor(desk, day(0))
    poor(desk, day(1), late=10)
    assert len(removals.propose(desk, NOON)) == 1


def test_a_proposal_says_why_and_that_a_person_decides(desk):
    draws = refuse(desk, "unexplained", "unexplained")
    (made,) = removals.propose(desk, NOON)
    told = removals.explain(desk, made.proposal_id)
    assert all(one in told.words and one in told.words_en for one in draws)
    assert (
        "第二十四条" in told.words
        and "Art. 24" in told.words_en
        and desk.rules.sources["removal_refusals"] in told.words
    )
    heard = removals.state_opinion(desk, made.proposal_id, "邀请发错邮箱", by="sun", at=NOON)
    assert (
        heard.evidence["statements"][0]["words"] == "邀请发错邮箱" and heard.evidence["uses"] == made.evidence["uses"]
    )


def test_a_person_upholds_or_dismisses_it_and_only_then_something_happens(desk):
    refuse(desk, "unexplained", "unexplained")
    (made,) = removals.propose(desk, NOON)
    told = {"by": "chief", "at": NOON, "reason": "两次无故拒绝"}
    for wrong in ({"by": " "}, {"reason": ""}):
        with pytest.raises(IncompleteExpert):
            removals.decide(desk, made.proposal_id, "upheld", **{**told, **wrong})
    with pytest.raises(UnknownWord):
        removals.decide(desk, made.proposal_id, "later", **told)
    with pytest.raises(WrongState):
        removals.decide(desk, "p-none", "upheld", **told)
    done = removals.decide(desk, made.proposal_id, "upheld", **told)
    expert = load_one(desk.records, WHO)
    assert (done.state, done.decided_by, expert.state) == (
        "upheld",
        "chief",
        "removed",
    ) and expert.bar_until is not None
    assert removals.decide(desk, made.proposal_id, "upheld", **told) == done
    with pytest.raises(WrongState):
        removals.decide(desk, made.proposal_id, "dismissed", **told)
    with pytest.raises(WrongState, match="not|不能|已"):
        removals.decide(desk, made.proposal_id, "dismissed", **told)
    assert removals.propose(desk, NOON) == [] and check_afterwards(desk.records) == []


def test_a_stop_between_removal_and_decision_is_gone_on_from(desk):
    refuse(desk, "unexplained", "unexplained")
    (made,) = removals.propose(desk, NOON)
    change_expert(desk.records, WHO, {"state": "removed", "bar_until": date(2033, 1, 1)}, by="chief", at=NOON)
    assert removals.decide(desk, made.proposal_id, "upheld", by="chief", at=NOON, reason="…").state == "upheld"


@pytest.mark.parametrize("name", ["zhou", " Zhou", "ＺＨＯＵ"])
def test_whoever_appraised_does_not_decide(desk, name):
    poor(desk, day(0))
    poor(desk, day(1))
    (made,) = removals.propose(desk, NOON)
    with pytest.raises(NeedsSecondPerson):
        removals.decide(desk, made.proposal_id, "upheld", by=name, at=NOON, reason="…")
    assert (
        removals.decide(desk, made.proposal_id, "dismissed", by="chief", at=NOON, reason="证据不足").state
        == "dismissed"
    )


def test_a_dismissed_proposal_comes_back_only_with_something_new(desk):
    refuse(desk, "unexplained", "unexplained")
    (made,) = removals.propose(desk, NOON)
    removals.decide(desk, made.proposal_id, "dismissed", by="chief", at=NOON, reason="情有可原")
    assert removals.propose(desk, NOON) == []
    refuse(desk, "unexplained", start=2)
    (again,) = removals.propose(desk, NOON)
    assert len(again.evidence["uses"]) == 3 and again.proposal_id != made.proposal_id
    assert [one.state for one in expert_appraisals.proposals(desk.records, expert_id=WHO)] == ["dismissed", "open"]
