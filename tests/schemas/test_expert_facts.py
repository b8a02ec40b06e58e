from __future__ import annotations

import shutil
from datetime import date

import pytest

from schemas.expert_views import ROLES, expert_views
from schemas.experts import add_years, expert_roles, expert_rules, expert_states, full_years
from schemas.files import SCHEMAS, MalformedFact
from schemas.specialties import (
    edition,
    employer_type,
    employer_types,
    find_specialty,
    specialties,
    split_specialties,
    title_rank,
    title_ranks,
)  # fmt: skip


@pytest.fixture
def root(tmp_path):
    """A copy of the facts that a test may spoil."""
    shutil.copytree(SCHEMAS / "vocabularies", tmp_path / "vocabularies")
    shutil.copy(SCHEMAS / "expert_rules.toml", tmp_path)
    return tmp_path


def spoil(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_every_parameter_has_its_source():
    rules = expert_rules()
    assert len(rules.sources) == 24 and all(rules.sources.values())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[age_limit]", "[age_limits]"),
        ("value = 65", "value = -65"),
        ("value = 65", 'value = "65"'),
        ("value = 65", "value = true"),
        ('value = "off"', 'value = "sometimes"'),
        ('value = ["academician"]', "value = [1]"),
        ('source = "Order 16 Art. 5"', 'source = " "'),
    ],
)
def test_a_parameter_that_cannot_be_stops_the_start(root, old, new):
    spoil(root / "expert_rules.toml", old, new)
    with pytest.raises(MalformedFact, match=r"expert_rules\.toml:\d+"):
        expert_rules(root)


def test_a_home_replaces_a_value_and_no_more(root, tmp_path):
    site = tmp_path / "site"
    site.mkdir()
    (site / "expert_rules.toml").write_text('[age_limit]\nvalue = 70\nsource = "agreement 2026"\n')
    own = expert_rules(root, site)
    assert (own.age_limit, own.term_years, own.edition) == (70, 3, expert_rules(root).edition + "+site")
    assert own.sources["age_limit"] == "agreement 2026"


@pytest.mark.parametrize(
    "text", ["[age_limit]\nvalue = 70\n", '[height]\nvalue = 1\nsource = "x"\n', "age_limit = 70\n"]
)
def test_a_home_cannot_bring_a_parameter_without_source_or_name(root, tmp_path, text):
    site = tmp_path / "site"
    site.mkdir()
    (site / "expert_rules.toml").write_text(text)
    with pytest.raises(MalformedFact, match="site"):
        expert_rules(root, site)


def test_every_state_can_be_reached_and_left():
    states = expert_states()
    assert list(states) == [
        "applied", "checked", "publicised", "appointed", "suspended", "expired", "withdrawn", "removed",
    ]  # fmt: skip
    reached = {to for state in states.values() for to in state.leads_to}
    assert reached == set(states) and all(state.leads_to for state in states.values())
    assert [state for state, facts in states.items() if facts.drawable] == ["appointed"]


def test_a_state_that_leads_nowhere_is_refused(root):
    spoil(root / "vocabularies/expert_states.csv", "checked|withdrawn|removed", "checked|gone")
    with pytest.raises(MalformedFact, match="applied"):
        expert_states(root)


def test_the_taxonomy_is_that_of_the_reference(shared):
    import csv

    with (shared / "reference/expert_specialties.csv").open(encoding="utf-8") as stream:
        reference = {row["code"]: row["level2_zh"] or row["level1_zh"] for row in csv.DictReader(stream)}
    assert {code: field.title_zh for code, field in specialties().items()} == reference
    assert edition() == "gz-2026-1"


def test_the_categories_of_published_pools_are_known(shared):
    import csv

    with (shared / "data/experts/specialty_categories.csv").open(encoding="utf-8") as stream:
        words = [row["category_raw"] for row in csv.DictReader(stream)]
    unknown = [word for word in words if find_specialty(word) is None]
    assert unknown == ["综合类", "专业类/行业环保", "普查及监测预警组", "禁产区划分组"], "these say no field"


@pytest.mark.parametrize("code", list(specialties()))
def test_a_field_is_found_by_code_and_by_name(code):
    field = specialties()[code]
    assert find_specialty(code.lower()) == field
    assert split_specialties(field.title_zh) == ((find_specialty(field.title_zh).code, field.title_zh),)


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("", ()),
        ("危废,危险废物", ("H01",)),
        ("W01 A02", ("W01", "A02")),
        ("大气/水环境", ("A", "W")),
        ("财务与绩效(注册会计师等)、 宣教", ("F04", "K")),
        ("专业类/土壤污染防治", ("S",)),
        ("茶艺/花艺", ("",)),
        ("危废\n遥感", ("H01", "I02")),
    ],
)
def test_a_cell_of_fields_is_split_where_lists_split_it(text, codes):
    found = tuple(code for code, _ in split_specialties(text))
    assert tuple({"K01": "K"}.get(code, code) if text.endswith("宣教") else code for code in found) == codes


def test_a_field_below_no_field_or_a_word_of_two_fields_is_refused(root):
    spoil(root / "vocabularies/specialties.csv", "W01,水生态环境", "W01,水环境")
    with pytest.raises(MalformedFact, match="W01"):
        specialties(root)


def test_a_word_of_two_fields_is_refused(root):
    with (root / "vocabularies/specialty_words.csv").open("a", encoding="utf-8") as stream:
        stream.write("危废,W01,x\n")
    with pytest.raises(MalformedFact, match="危废"):
        find_specialty("危废", root)


@pytest.mark.parametrize(
    ("title", "rank"),
    [
        ("教授", "senior"), ("副教授", "associate"), ("教授级高工", "senior"), ("高级工程师", "associate"),
        ("正高级工程师", "senior"), ("高级工程师（正高）", "senior"), ("工程师", "intermediate"), ("助理工程师", "other"),
        ("助理研究员", "intermediate"), ("研究员", "senior"), ("省生态环境所所长 研究员", "senior"), ("一级律师", "senior"),
        ("中国工程院院士/清华大学环境学院教授", "academician"), ("注册会计师", "cpa"), ("会计师", "intermediate"),
        ("环境影响评价工程师", "other"), ("处长", "other"), ("", "other"),
    ],
)  # fmt: skip
def test_a_title_has_the_rank_of_its_highest_word(title, rank):
    assert title_rank(title) == rank and rank in tuple(title_ranks())


def test_an_employer_is_told_by_its_code_before_its_name():
    assert employer_type("示例科技公司", "12500109MAYY002108") == "institution"
    assert employer_type("示例大学附属设计公司", "") == "enterprise"
    assert set(employer_types()) == {"authority", "institution", "association", "law_firm", "enterprise"}


def test_no_role_but_the_auditor_sees_everything_and_the_public_nothing_unasked():
    views = expert_views()
    assert {view.shown["auditor"] for view in views.values()} == {"clear"}
    assert {view.shown["public"] for view in views.values()} == {"no", "consent"}
    assert set(ROLES) == set(next(iter(views.values())).shown)
    sealed = {
        name: {role for role in ROLES if views[name].shown[role] == "clear"} for name in ("identity", "phone", "bank")
    }
    assert sealed == {"identity": {"auditor"}, "phone": {"organiser", "auditor"}, "bank": {"auditor"}}


def test_roles_of_employment_are_those_of_the_regulation():
    assert list(expert_roles()) == ["employee", "director", "supervisor", "shareholder", "controller"]


@pytest.mark.parametrize(
    ("since", "on", "years"),
    [
        (date(1961, 4, 1), date(2026, 4, 1), 65),
        (date(1961, 4, 2), date(2026, 4, 1), 64),
        (date(1960, 2, 29), date(2026, 2, 28), 65),
        (date(1960, 2, 29), date(2026, 3, 1), 66),
    ],
)
def test_whole_years_are_counted_to_the_day(since, on, years):
    assert full_years(since, on) == years


def test_years_are_added_to_leap_days():
    assert (add_years(date(2024, 2, 29), 4), add_years(date(2024, 2, 29), 1)) == (date(2028, 2, 29), date(2025, 2, 28))
