"""The parties of a matter: former names and codes, group, heads, as they count on the day."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from expert_registry.people import Employment, Expert, GroupMember, Matter, Party
from expert_registry.recusal.parties import facts_for, parties, party
from expert_registry.recusal.reasons import recusals
from records.enterprise_ties import EnterpriseHead, EnterpriseTie, add_enterprise_head, add_enterprise_tie
from records.experts import ExpertRow, add_expert
from schemas.experts import expert_rules
from schemas.identifiers import check_character, organisation_check

AT = datetime(2026, 4, 1, tzinfo=UTC)
DAY = date(2026, 4, 1)


def uscc(number: int, head: str = "91510703") -> str:
    body = f"{head}MAYY8{number:03d}"
    code = body + organisation_check(body[8:])
    return code + check_character(code)


PACK, PARENT, SISTER, GRANDCHILD, OLD, OWNED = (uscc(number) for number in range(1, 7))
STATE = uscc(7, "11510700")
OURS = Party(PACK, "四川示例涪滨包装有限公司")


def told(records, one, other, relation, since="", until="", source="年度报告", names=("", "")):
    days = [date.fromisoformat(day) if day else None for day in (since, until)]
    add_enterprise_tie(records, EnterpriseTie(one, names[0], other, names[1], relation, *days, source, "op-1", AT))


def group(records, on=DAY, wanted=OURS) -> dict[str, str]:
    return {member.uscc or member.name: member.relation for member in party(records, wanted, on).group}


def test_nothing_told_adds_nothing(records):
    assert parties(records, (OURS,), DAY) == (OURS,)


def test_a_group_is_walked_both_ways(records):
    told(records, PACK, PARENT, "parent", names=("", "四川示例控股有限公司"))
    told(records, PARENT, SISTER, "subsidiary", source="审计报告")
    told(records, PACK, "", "subsidiary", names=("", "重庆示例纸业有限公司"))
    told(records, "", GRANDCHILD, "subsidiary", names=("重庆示例纸业有限公司", ""))
    assert group(records) == {
        PARENT: "parent",
        SISTER: "same_control",
        "重庆示例纸业有限公司": "subsidiary",
        GRANDCHILD: "subsidiary",
    }
    assert group(records, wanted=Party(SISTER, "")) == {
        PARENT: "parent",
        PACK: "same_control",
        "重庆示例纸业有限公司": "same_control",
        GRANDCHILD: "same_control",
    }
    sister = next(one for one in party(records, OURS, DAY).group if one.uscc == SISTER)
    assert sister.source == "年度报告；审计报告"


def test_a_circle_of_ties_comes_to_an_end(records):
    told(records, PACK, PARENT, "parent")
    told(records, PARENT, SISTER, "parent")
    told(records, SISTER, PACK, "parent")
    assert set(group(records)) == {PARENT, SISTER}


@pytest.mark.parametrize(
    ("since", "until", "counts"),
    [
        ("2026-04-01", "", True),
        ("2026-04-02", "", False),
        ("", "2026-04-01", True),
        ("", "2023-04-01", True),
        ("", "2023-03-31", False),
    ],
)
def test_a_tie_counts_through_three_years_after_it_ended(records, since, until, counts):
    told(records, PACK, PARENT, "parent", since, until)
    assert (PARENT in group(records)) == counts


def test_a_former_name_or_code_is_one_for_ever(records):
    told(records, PACK, "", "former_name", until="2001-01-01", names=("", "绵阳示例纸箱厂"))
    told(records, OLD, PACK, "later_code", until="2016-01-01")
    told(records, OLD, SISTER, "subsidiary")
    found = party(records, OURS, DAY)
    assert found.former_names == ("绵阳示例纸箱厂",) and found.other_codes == (OLD,)
    assert [(one.uscc, one.relation) for one in found.group] == [(SISTER, "subsidiary")]


def test_enterprises_are_not_tied_through_the_state(records):
    told(records, PACK, STATE, "parent")
    told(records, STATE, OWNED, "subsidiary")
    assert set(group(records)) == {STATE}


@pytest.mark.parametrize(
    ("since", "until", "heads"),
    [
        ("2026-04-01", "", ("周示例",)),
        ("2026-04-02", "", ()),
        ("", "2026-04-01", ("周示例",)),
        ("", "2026-03-31", ()),
    ],
)
def test_the_heads_are_those_of_the_day(records, since, until, heads):
    days = [date.fromisoformat(day) if day else None for day in (since, until)]
    add_enterprise_head(records, EnterpriseHead(PACK, "周示例", "legal_representative", *days, "公示", "op-1", AT))
    assert party(records, OURS, DAY).heads == heads


def test_what_the_caller_knows_stays_and_leads_on(records):
    told(records, OLD, "", "former_name", names=("", "绵阳示例纸箱厂"))
    told(records, SISTER, GRANDCHILD, "subsidiary")
    known = Party(
        PACK, "四川示例涪滨包装有限公司", ("示例包装厂",), (OLD,), (GroupMember(SISTER, "x", "subsidiary", "y"),)
    )
    found = party(records, known, DAY)
    assert found.former_names == ("示例包装厂", "绵阳示例纸箱厂") and found.other_codes == (OLD,)
    assert [one.uscc for one in found.group] == [SISTER, GRANDCHILD]


def test_an_expert_of_the_group_is_found_by_a_name_the_pool_knows(records):
    """All of it together: the tie names a code, another expert's row tells which name has it, this one's has no code."""
    told(records, PACK, PARENT, "parent")
    blank = dict.fromkeys(
        ("title", "division", "identity_kind", "identity_index", "identity_sealed", "phone_sealed"), ""
    )
    row = ExpertRow(
        expert_id="e-1", bureau="beibei", name="赵示例", name_key="赵示例", employer="四川示例控股有限公司",
        employer_uscc=PARENT, title_rank="senior", state="appointed", identity_mask="", phone_mask="", entered_at=AT,
        updated_at=AT, **blank,
    )  # fmt: skip
    add_expert(records, row, by="op-1")
    facts = facts_for(records, expert_rules())
    matter = Matter("m-1", "示例", DAY, "mianyang", parties=parties(records, (OURS,), DAY))
    other = Expert(
        "e-2", "mianyang", "钱示例", "", "", "", "senior", "", "appointed", None, None, None, None, None, "", "", "",
        AT, AT, None, employments=(Employment("四川示例控股有限公司", "", "employee", None, date(2024, 1, 1), "本人"),),
    )  # fmt: skip
    found = recusals(other, matter, facts)
    assert [one.reason for one in found] == ["employer_3y", "affiliation_unknown"]
    assert "按名称查得的代码相同" in found[0].evidence and "母公司" in found[0].evidence
    assert facts.cross_bureau_rule == "off"
