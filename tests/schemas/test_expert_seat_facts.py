"""The facts of what follows a draw fit each other, and a malformed file is refused."""

from __future__ import annotations

import shutil

import pytest

from schemas.expert_draw_facts import draw_reasons
from schemas.expert_seat_facts import appraisal_grades, decline_reasons, minutes_views, seat_states, walk_words
from schemas.expert_views import ROLES
from schemas.experts import expert_rules
from schemas.files import SCHEMAS, MalformedFact


def changed(tmp_path, name: str, old: str, new: str):
    """A copy of the vocabularies with one text changed."""
    shutil.copytree(SCHEMAS / "vocabularies", tmp_path / "vocabularies")
    path = tmp_path / "vocabularies" / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return tmp_path


def test_every_seat_can_come_to_an_end_and_every_state_is_reached():
    states = seat_states()
    reached, ends = {"drawn"}, {name for name, one in states.items() if not one.leads_to}
    for _ in states:
        reached |= {after for name in reached for after in states[name].leads_to}
    assert reached == set(states) and ends == {"declined", "absent", "replaced"}


def test_only_the_code_that_says_so_is_unexplained_and_each_opens_a_replacement():
    reasons = decline_reasons()
    assert [one.code for one in reasons.values() if not one.explained] == ["unexplained"]
    assert {one.vacancy for one in reasons.values()} <= set(draw_reasons("vacancy"))
    assert [one.code for one in appraisal_grades().values() if one.poor] == ["poor"]


def test_each_role_has_a_view_of_each_part_and_only_the_authorised_see_reasons():
    views = minutes_views()
    assert all(tuple(roles) == ROLES for roles in views.values())
    allowed = {role for role in ROLES if views["excluded"][role] == "yes"}
    assert allowed == {role for role in ROLES if views["skipped"][role] == "yes"} == {
        "organiser", "auditor", "pool_staff"
    }  # fmt: skip
    assert {"no-seat", "employer-quota", "other-side", "no-reveal", "no-link"} <= set(walk_words())
    assert expert_rules().answer_hours > 0


@pytest.mark.parametrize(
    ("name", "old", "new", "load"),
    [
        ("expert_seat_states.csv", "invited|replaced", "invited|nowhere", seat_states),
        ("expert_seat_states.csv", ",vacancy,", ",something,", seat_states),
        ("expert_decline_reasons.csv", "yes,ill,", "yes,somebody-better,", decline_reasons),
        ("expert_decline_reasons.csv", "no,declined,", "perhaps,declined,", decline_reasons),
        ("expert_appraisal_grades.csv", "fair,合格,fair,no", "good,合格,fair,no", appraisal_grades),
        ("expert_minutes_views.csv", "order,yes", "order,perhaps", minutes_views),
        ("expert_walk_words.csv", "employer-quota", "no-seat", walk_words),
    ],
)
def test_a_malformed_file_is_refused(tmp_path, name, old, new, load):
    with pytest.raises(MalformedFact):
        load(changed(tmp_path, name, old, new))


def test_without_a_poor_grade_no_rule_of_removal_could_work(tmp_path):
    with pytest.raises(ValueError, match="no poor grade"):
        appraisal_grades(changed(tmp_path, "expert_appraisal_grades.csv", "poor,差,poor,yes", "poor,差,poor,no"))
