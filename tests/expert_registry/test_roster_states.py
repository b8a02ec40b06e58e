from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from expert_registry.errors import IncompleteExpert, NoExpert, UnknownWord, WrongState
from expert_registry.people import Consent, Employment, Leave, Tie
from expert_registry.privacy.vault import Vault
from expert_registry.roster.declarations import (
    clear_tie,
    declare_employment,
    declare_tie,
    end_employment,
    give_consent,
    revoke_consent,
    set_practice,
    take_leave,
)  # fmt: skip
from expert_registry.roster.entry_rules import entry_notes
from expert_registry.roster.importing import RosterFacts, import_rows
from expert_registry.roster.life_cycle import expire, move, move_all
from expert_registry.roster.pool import load_one
from records import expert_pages as pages
from schemas.experts import PersonRow, expert_rules, expert_states

RULES = expert_rules()
WAY = {
    "applied": (), "checked": ("checked",), "publicised": ("checked", "publicised"),
    "appointed": ("checked", "publicised", "appointed"), "suspended": ("checked", "publicised", "appointed", "suspended"),
    "expired": ("checked", "publicised", "appointed", "expired"), "withdrawn": ("withdrawn",), "removed": ("removed",),
}  # fmt: skip


@pytest.fixture
def vault(tmp_path):
    return Vault.open(tmp_path / "vault", create=True)


@pytest.fixture
def somebody(records, vault, now):
    """Make an expert and lead it into a state."""
    count = iter(range(100, 999))

    def make(state: str = "applied") -> str:
        row = PersonRow(2, "张样例", f"E{next(count)}00001", "示例大学", "", "危废", "教授", "", None, "")
        facts = RosterFacts(RULES, "500109")
        expert_id = import_rows(records, vault, [row], "beibei", "op", now, facts).experts[2]
        for step in WAY[state]:
            move(records, expert_id, step, "op", now, RULES, reason="理由")
        return expert_id

    return make


@pytest.mark.parametrize("state", list(WAY))
def test_each_state_leads_where_the_facts_say_and_nowhere_else(records, somebody, state):
    later = datetime(2040, 1, 1, tzinfo=UTC)  # every bar is over
    for to, facts in expert_states().items():
        expert_id = somebody(state)
        if to in expert_states()[state].leads_to:
            assert move(records, expert_id, to, "op", later, RULES, reason="理由").expert.state == to
        else:
            with pytest.raises(WrongState, match=facts.state):
                move(records, expert_id, to, "op", later, RULES, reason="理由")
            assert load_one(records, expert_id).state == state


def test_an_appointment_has_the_usual_term_from_the_china_day(records, somebody):
    expert_id = somebody("publicised")
    one = move(records, expert_id, "appointed", "op", datetime(2026, 4, 1, 16, tzinfo=UTC), RULES).expert
    assert (one.term_start, one.term_end) == (date(2026, 4, 2), date(2029, 4, 1))


def test_a_given_term_is_kept_and_a_turned_one_refused(records, somebody, now):
    expert_id = somebody("publicised")
    with pytest.raises(IncompleteExpert):
        move(records, expert_id, "appointed", "op", now, RULES, term_start=date(2026, 5, 2), term_end=date(2026, 5, 1))
    days = {"term_start": date(2026, 5, 1), "term_end": date(2026, 5, 1)}
    assert move(records, expert_id, "appointed", "op", now, RULES, **days).expert.term_end == date(2026, 5, 1)


def test_after_a_suspension_the_term_goes_on(records, somebody, now):
    expert_id = somebody("suspended")
    before = load_one(records, expert_id)
    after = move(records, expert_id, "appointed", "op", datetime(2026, 9, 1, tzinfo=UTC), RULES).expert
    assert (after.term_start, after.term_end) == (before.term_start, before.term_end)


@pytest.mark.parametrize("to", ["suspended", "withdrawn", "removed"])
def test_leaving_needs_its_reason_and_every_move_its_person(records, somebody, now, to):
    expert_id = somebody("appointed")
    with pytest.raises(IncompleteExpert):
        move(records, expert_id, to, "op", now, RULES, reason=" ")
    with pytest.raises(IncompleteExpert):
        move(records, expert_id, to, " ", now, RULES, reason="理由")
    move(records, expert_id, to, "李四", now, RULES, reason="本人要求")
    last = pages.changes(records, expert_id)[-1]
    assert (last.by, last.at, last.kind, last.reason) == ("李四", now, "state", "本人要求")
    assert (last.before["state"], last.after["state"]) == ("appointed", to)


def test_a_removed_expert_applies_again_only_after_the_last_day_of_the_bar(records, somebody):
    expert_id = somebody("removed")
    assert load_one(records, expert_id).bar_until == date(2031, 4, 1)
    with pytest.raises(WrongState, match="2031-04-01"):
        move(records, expert_id, "applied", "op", datetime(2031, 4, 1, 15, 59, tzinfo=UTC), RULES)
    one = move(records, expert_id, "applied", "op", datetime(2031, 4, 1, 16, tzinfo=UTC), RULES).expert
    assert (one.state, one.bar_until, one.term_end) == ("applied", None, None)


def test_terms_end_by_themselves_after_their_last_china_day(records, somebody, now):
    expert_id, other = somebody("publicised"), somebody("publicised")
    move(records, expert_id, "appointed", "op", now, RULES, term_start=date(2026, 4, 1), term_end=date(2026, 4, 30))
    move(records, other, "appointed", "op", now, RULES)
    assert expire(records, "clock", datetime(2026, 4, 30, 15, 59, tzinfo=UTC)) == []
    assert expire(records, "clock", datetime(2026, 4, 30, 16, 0, tzinfo=UTC)) == [expert_id]
    assert (load_one(records, expert_id).state, load_one(records, other).state) == ("expired", "appointed")


def test_many_are_moved_all_or_none(records, somebody, now):
    good, bad = somebody("applied"), somebody("withdrawn")
    with pytest.raises(WrongState):
        move_all(records, [good, bad], "checked", "op", now, RULES)
    assert load_one(records, good).state == "applied"
    assert set(move_all(records, [good], "checked", "op", now, RULES)) == {good}


def test_an_unknown_state_or_expert_is_told(records, somebody, now):
    with pytest.raises(UnknownWord, match="retired"):
        move(records, somebody(), "retired", "op", now, RULES)
    with pytest.raises(NoExpert, match="e-none"):
        move(records, "e-none", "checked", "op", now, RULES)


@pytest.mark.parametrize(
    ("rank", "born", "practice", "certificate", "codes"),
    [
        ("senior", None, None, None, []),
        ("other", None, None, None, ["title-rank"]),
        ("cpa", None, None, None, []),
        ("senior", date(1960, 4, 2), None, None, []),  # 65, and 66 tomorrow
        ("senior", date(1960, 4, 1), None, None, ["age-limit"]),
        ("academician", date(1930, 1, 1), None, None, []),
        ("senior", None, date(2021, 4, 1), None, []),
        ("senior", None, date(2021, 4, 2), None, ["practice-years"]),
        ("senior", None, None, date(2026, 4, 1), []),
        ("senior", None, None, date(2026, 3, 31), ["certificate-expired"]),
    ],
)
def test_the_rules_of_entry_warn_from_their_day_on(rank, born, practice, certificate, codes):
    notes = entry_notes(rank, born, practice, certificate, date(2026, 4, 1), RULES)
    assert [note.code for note in notes] == codes


def test_the_rules_of_entry_are_parameters():
    strict = replace(RULES, age_limit=60, accepted_ranks=("senior",))
    assert len(entry_notes("associate", date(1960, 1, 1), None, None, date(2026, 4, 1), strict)) == 2


def test_declarations_are_added_ended_and_taken_back(records, somebody, now):
    expert_id = somebody()
    declare_employment(
        records, expert_id, Employment("示例公司", "", "director", date(2020, 1, 1), None, "本人申报"), "op", now
    )
    assert end_employment(records, expert_id, "示例公司", date(2025, 6, 30), "op", now) == 1
    tie = Tie(
        "adviser_or_contract_3y", "", "示例咨询公司", "", date(2024, 1, 1), None, 500000, "电话13800001234", "申报表"
    )
    declare_tie(records, expert_id, tie, "op", now)
    take_leave(records, expert_id, Leave(date(2026, 5, 1), date(2026, 5, 31), "出国"), "op", now)
    set_practice(records, expert_id, date(2010, 7, 1), "op", now)
    one = load_one(records, expert_id)
    assert [(w.role, w.until) for w in one.employments] == [("employee", None), ("director", date(2025, 6, 30))]
    assert [(t.amount_fen, t.detail) for t in one.ties] == [(500000, "电话138****1234")]
    assert one.leaves[0].until == date(2026, 5, 31) and one.practice_since == date(2010, 7, 1)
    with records.database.read() as connection:
        [row] = pages.parts(connection, [expert_id], ("tie",))["tie"][expert_id]
    clear_tie(records, expert_id, row.id, "op", now, "误报")
    assert load_one(records, expert_id).ties == ()
    assert pages.changes(records, expert_id)[-1].reason == "误报"


def test_a_consent_is_revoked_from_a_day_and_stays_on_record(records, somebody, now):
    expert_id = somebody()
    give_consent(records, expert_id, Consent("sharing", date(2026, 1, 1), None, "同意书"), "op", now)
    assert revoke_consent(records, expert_id, "sharing", date(2026, 4, 1), "op", now, "本人要求") == 1
    assert revoke_consent(records, expert_id, "sharing", date(2026, 4, 1), "op", now, "本人要求") == 0
    [one] = load_one(records, expert_id).consents
    assert (one.given_on, one.revoked_on) == (date(2026, 1, 1), date(2026, 4, 1))


@pytest.mark.parametrize(
    ("declare", "thing", "error"),
    [
        (declare_employment, Employment("甲", "", "friend", None, None, "x"), UnknownWord),
        (
            declare_employment,
            Employment("甲", "", "director", date(2026, 2, 1), date(2026, 1, 1), "x"),
            IncompleteExpert,
        ),
        (declare_employment, Employment("", "", "director", None, None, "x"), IncompleteExpert),
        (declare_employment, Employment("甲", "91500109MA5U0A0010", "director", None, None, "x"), IncompleteExpert),
        (declare_tie, Tie("rumour", "", "甲", "", None, None, None, "", "x"), UnknownWord),
        (declare_tie, Tie("kin_of_head", "", "甲", "", None, None, None, "", ""), IncompleteExpert),
        (give_consent, Consent("selling", date(2026, 1, 1), None, "x"), UnknownWord),
        (give_consent, Consent("sharing", date(2026, 1, 1), None, " "), IncompleteExpert),
        (take_leave, Leave(date(2026, 2, 1), date(2026, 1, 1), ""), IncompleteExpert),
    ],
)
def test_a_declaration_that_cannot_be_is_refused_and_leaves_nothing(records, somebody, now, declare, thing, error):
    expert_id = somebody()
    before = load_one(records, expert_id)
    with pytest.raises(error):
        declare(records, expert_id, thing, "op", now)
    assert load_one(records, expert_id) == before
