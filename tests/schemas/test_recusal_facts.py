"""The facts of recusal and matching: codes, windows, words that are no employer, ties, signs."""

from __future__ import annotations

import shutil
from datetime import date, timedelta

import pytest

from schemas.files import SCHEMAS, MalformedFact
from schemas.match_facts import match_evidence
from schemas.person_names import name_marks
from schemas.recusal_facts import (
    employer_word,
    enterprise_relations,
    recusal_reasons,
    term_end,
    tie_kinds,
)


def test_the_reasons_of_the_rule_book_are_there_with_their_windows():
    reasons = recusal_reasons()
    assert [code for code, one in reasons.items() if one.months == 36] == [
        "employer_now",
        "employer_3y",
        "director_supervisor_3y",
        "shareholder_controller_3y",
        "author_of_the_reviewed_work",
        "adviser_or_contract_3y",
        "affiliation_unknown",
    ]
    assert reasons["prior_opinion_on_same_matter"].months is None and reasons["kin_of_head"].months == 0
    assert all(one.title_zh and one.title_en and one.meaning_zh and one.meaning_en for one in reasons.values())


def test_only_what_may_be_told_is_a_kind_of_tie():
    kinds = tie_kinds()
    assert "kin_of_head" in kinds and "affiliation_cleared" in kinds
    assert not {"head_namesake", "party_request_upheld", "affiliation_unknown", "other_bureau_rule"} & set(kinds)


def test_a_term_of_three_years_never_ends_in_another_month():
    day = date(2019, 1, 1)
    while day < date(2025, 1, 1):
        end = term_end(day, 36)
        assert (end.year, end.month) == (day.year + 3, day.month) and day.day - end.day in (0, 1)
        assert end.day == day.day or (end + timedelta(days=1)).day == 1
        day += timedelta(days=1)


@pytest.mark.parametrize(
    ("text", "kind"),
    [("退 休", "retired"), ("（离休）", "retired"), ("自由职业", "none"), ("", "unknown"), ("—", "unknown"), ("无", "unknown"),
     ("XX公司", "unknown"), ("某单位", "unknown"), ("大", "unknown"), ("Exxon示例", ""), ("示例科技大学", "")],
)  # fmt: skip
def test_what_stands_in_place_of_an_employer(text, kind):
    assert employer_word(text) == kind


def test_relations_lead_back():
    relations = enterprise_relations()
    assert all(relations[relations[code].inverse].inverse == code for code in relations)


@pytest.fixture
def root(tmp_path):
    shutil.copytree(SCHEMAS / "vocabularies", tmp_path / "vocabularies")
    return tmp_path


@pytest.mark.parametrize(
    ("file", "load", "line", "says"),
    [
        ("recusal_reasons.csv", recusal_reasons, "employer_now,reason,both,36,,a,b,c,d,e", "stands twice"),
        ("recusal_reasons.csv", recusal_reasons, "new_one,reason,both,soon,,a,b,c,d,e", "whole number"),
        ("recusal_reasons.csv", recusal_reasons, "new_one,clearance,decided,,,a,b,c,d,e", "names the reasons"),
        ("recusal_reasons.csv", recusal_reasons, "new_one,clearance,decided,,nobody,a,b,c,d,e", "names the reasons"),
        ("employer_words.csv", employer_word, "退休,none,x", "stands twice"),
        ("enterprise_relations.csv", enterprise_relations, "aunt,niece,no,a,b,c", "does not lead back"),
        ("match_evidence.csv", match_evidence, "new_one,many,yes,a,b,c", "whole number"),
        ("person_name_marks.csv", name_marks, "dot,a,b", "U+00B7"),
        ("person_name_marks.csv", name_marks, "U+00B7,a,b", "stands twice"),
    ],
)
def test_a_fact_that_cannot_be_is_refused_with_its_line(root, file, load, line, says):
    path = root / "vocabularies" / file
    text = path.read_text(encoding="utf-8")
    path.write_text(text + line + "\n", encoding="utf-8")
    with pytest.raises(MalformedFact, match=says.replace("+", r"\+")) as refused:
        load("x", root=root) if load is employer_word else load(root=root)
    assert refused.value.line == text.count("\n") + 1
