"""The same person in both lists: what is proposed, what is not, decisions and taking them back."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations

import pytest

from expert_registry.errors import IncompleteExpert, NoExpert, WrongState
from expert_registry.roster.matching import Known, proposals, refresh
from expert_registry.roster.merging import decide, undo
from records import chain, expert_matches
from records.expert_matches import Compared, matches
from records.expert_pages import changes
from records.experts import ExpertRow, add_expert, change_expert, expert
from records.scripts import person_key

AT = datetime(2026, 4, 1, tzinfo=UTC)
CODE = "12510704MAYY00317E"


def one(number: int, name: str, employer: str = "示例科技大学", identity: str = "", **more: str) -> Compared:
    given = {"bureau": "beibei", "employer_uscc": "", "identity_mask": "", "phone_mask": "", "merged_into": None}
    return Compared(f"e-{number:06d}", name=name, employer=employer, identity_index=identity, **given | more)


def found(*people: Compared, known=None):
    return proposals(people, {each.expert_id: each.identity_index for each in people}, known)


def codes(*people: Compared) -> tuple[str, ...] | None:
    pairs = found(*people)
    return pairs[0].evidence if pairs else None


@pytest.mark.parametrize(
    ("written", "other"),
    [
        ("赵 示例", "赵示例"),
        ("趙示例", "赵示例"),
        ("阿依古丽·示例", "阿依古丽・示例"),
        ("阿依古丽．示例", "阿依古丽示例"),
        ("Ｓｈｉｌｉ", "shili"),
        ("赵\u200b示例", "赵示例"),
    ],
)
def test_a_name_is_the_same_but_for_how_it_is_written(written, other):
    assert codes(one(1, written), one(2, other, bureau="mianyang")) is not None


@pytest.mark.parametrize(("first", "second"), [("何克斌", "贺克斌"), ("赵示例", "赵示倒"), ("肖示例", "萧示例")])
def test_names_that_only_sound_or_look_alike_are_two_people(first, second):
    assert person_key(first) != person_key(second)
    same = {"employer_uscc": CODE, "phone_mask": "138****5678", "identity_mask": "5107**********1234"}
    assert codes(one(1, first, identity="a", **same), one(2, second, identity="b", **same)) is None


def test_the_same_identity_number_is_enough_and_another_name_is_told():
    assert codes(one(1, "何克斌", identity="a"), one(2, "贺克斌", "另一单位", identity="a")) == (
        "identity_same",
        "name_differs",
        "employer_differs",
    )
    both = found(one(1, "赵示例", identity="a"), one(2, "赵示例", identity="a"))
    assert both[0].score == 100 and both[0].evidence == ("identity_same", "name_same", "employer_name_same")


def test_two_people_of_one_name_are_not_proposed():
    assert codes(one(1, "张伟", "示例科技大学", "a"), one(2, "张伟", "四川示例化工设计院", "b")) is None


@pytest.mark.parametrize(
    ("first", "second", "sign"),
    [
        ({"employer_uscc": CODE, "employer": ""}, {"employer_uscc": CODE, "employer": ""}, "employer_code_same"),
        ({"employer": "示例科技大學"}, {"employer": "示例科技大学"}, "employer_name_same"),
        ({"employer": "四川省环境科学研究院"}, {"employer": "四川环科院"}, "employer_name_alike"),
        ({"employer": "示例科技大学"}, {"employer": "示例科技大学环境学院"}, "employer_name_alike"),
        ({"employer": "甲单位研究所", "identity_mask": "5107**********1234"},
         {"employer": "乙公司", "identity_mask": "5107**********1234"}, "identity_mask_same"),
        ({"employer": "甲单位研究所", "phone_mask": "138****5678"},
         {"employer": "乙公司", "phone_mask": "138****5678"}, "phone_mask_same"),
    ],
)  # fmt: skip
def test_one_name_and_something_else_in_common_is_proposed(first, second, sign):
    evidence = codes(one(1, "张伟", identity="a", **first), one(2, "张伟", identity="b", **second))
    assert evidence is not None and sign in evidence and "identity_differs" in evidence


def test_of_a_rare_name_without_an_identity_number_the_pair_is_proposed():
    assert "identity_unknown" in codes(one(1, "欧阳示例", "甲单位"), one(2, "欧阳示例", "乙单位", "b"))
    crowd = [one(n, "张伟", f"第{n}示例单位", f"id{n}") for n in range(3, 40)]
    assert found(one(1, "张伟", "甲单位"), *crowd) == []


def test_a_frequent_name_is_still_found_by_what_is_shared():
    crowd = [one(n, "张伟", f"第{n}示例单位", f"id{n}") for n in range(3, 200)]
    (pair,) = found(
        one(1, "张伟", "四川省环境科学研究院", "a"), one(2, "张伟", "四川环科院", "b", bureau="mianyang"), *crowd
    )
    assert (pair.first, pair.second) == ("e-000001", "e-000002")


def test_an_identity_number_of_a_crowd_is_a_placeholder():
    crowd = [one(n, f"示例{chr(0x4E00 + n)}", f"第{n}单位", "same") for n in range(30)]
    assert found(*crowd) == []


def test_a_decision_is_not_asked_for_again_unless_the_identity_numbers_became_the_same():
    pair = (one(1, "张伟", identity="a"), one(2, "张伟", identity="b"))
    key = ("e-000001", "e-000002")
    (proposal,) = found(*pair)
    assert found(*pair, known={key: Known("different", proposal.evidence)}) == []
    same = (pair[0], replace(pair[1], identity_index="a"))
    assert len(found(*same, known={key: Known("different", proposal.evidence)})) == 1
    assert found(*same, known={key: Known("same", proposal.evidence)}) == []
    assert found(pair[0], replace(pair[1], merged_into="e-000001")) == []


def test_long_lists_are_looked_through_whole():
    """Ten thousand on each side, of whom every tenth of the second list stands in the first one too."""
    chance = random.Random(5)
    family, given = "赵钱孙李周吴郑王冯陈", "示例明华伟强军芳敏静"
    people = [
        one(
            n,
            chance.choice(family) + chance.choice(given) + chance.choice(given),
            f"第{chance.randrange(5000)}示例环境研究院",
            f"id{n if n < 10_000 or n % 10 else n - 10_000}",
            phone_mask=f"138****{chance.randrange(10_000):04d}",
        )
        for n in range(20_000)
    ]
    pairs = found(*people)
    assert sum("identity_same" in pair.evidence for pair in pairs) == 1_000
    byhand = {
        (first.expert_id, second.expert_id)
        for group in by_name(people).values()
        for first, second in combinations(group, 2)
        if first.employer == second.employer or first.phone_mask == second.phone_mask
    }
    others = {(pair.first, pair.second) for pair in pairs if "identity_same" not in pair.evidence}
    assert others == byhand - {(pair.first, pair.second) for pair in pairs if "identity_same" in pair.evidence}


def by_name(people) -> dict[str, list[Compared]]:
    groups: dict[str, list[Compared]] = {}
    for each in people:
        groups.setdefault(each.name, []).append(each)
    return groups


# -- in the records -------------------------------------------------------------------------------------------------


def add(records, number: int, name: str = "张伟", identity: str = "", state: str = "appointed", **more):
    given = {
        "bureau": "beibei", "employer": "示例科技大学", "employer_uscc": CODE, "title": "教授", "title_rank": "senior",
        "division": "510704", "identity_kind": "resident", "identity_sealed": "", "phone_sealed": "",
        "identity_mask": "", "phone_mask": "", "entered_at": AT + timedelta(seconds=number), "updated_at": AT,
    }  # fmt: skip
    row = ExpertRow(
        expert_id=f"e-{number:06d}", name=name, name_key=person_key(name), identity_index=identity, state=state,
        **given | more,
    )  # fmt: skip
    return add_expert(records, row, by="op-1")


def three(records):
    """Three records of one name and employer: three pairs."""
    for number in (1, 2, 3):
        add(records, number, bureau="mianyang" if number == 2 else "beibei", identity=f"id{number}")
    refresh(records, "op-1", AT)
    return {(each.first[-1], each.second[-1]): each.match_id for each in matches(records)}


def merged(records) -> list[str | None]:
    return [(expert(records, f"e-00000{n}").merged_into or "")[-1:] or None for n in (1, 2, 3)]


def test_proposals_are_kept_with_codes_only(records):
    pairs = three(records)
    assert len(pairs) == 3 and {each.state for each in matches(records)} == {"proposed"}
    assert refresh(records, "op-1", AT) == expert_matches.Refreshed(0, 0, 0)
    assert "张伟" not in str(matches(records))
    change_expert(
        records, "e-000003", {"name": "章伟", "name_key": person_key("章伟")}, by="op-1", at=AT, reason="登记错误"
    )
    assert refresh(records, "op-1", AT) == expert_matches.Refreshed(0, 0, 2)
    assert {each.match_id for each in matches(records, "lapsed")} == {pairs["1", "3"], pairs["2", "3"]}
    change_expert(records, "e-000003", {"name": "张伟", "name_key": "张伟"}, by="op-1", at=AT, reason="更正撤回")
    assert refresh(records, "op-1", AT).new == 2 and len(matches(records, "proposed")) == 3
    assert chain.verify_chain(records).ok


def test_nothing_is_merged_before_somebody_decides(records):
    three(records)
    assert merged(records) == [None, None, None]


def test_the_same_person_points_to_the_record_that_is_kept_and_back(records):
    pairs = three(records)
    decided = decide(records, pairs["1", "2"], "same", "op-2", AT, "电话核实为同一人")
    assert (decided.state, decided.decided_by, decided.kept) == ("same", "op-2", "e-000001")
    assert merged(records) == [None, "1", None]
    kinds = [each.kind for each in changes(records, "e-000002")]
    assert kinds == ["entered", "match", "merged"] and [c.kind for c in changes(records, "e-000001")][-1] == "match"
    undo(records, pairs["1", "2"], "op-3", AT, "核实有误")
    assert merged(records) == [None, None, None] and len(matches(records, "proposed")) == 3
    assert [each.kind for each in changes(records, "e-000002")][-2:] == ["match", "unmerged"]
    assert changes(records, "e-000002")[1].after["state"] == "same", "what was decided before is still on record"


def test_the_record_to_keep_may_be_named_and_else_the_one_that_can_be_drawn_is(records):
    pairs = three(records)
    change_expert(records, "e-000001", {"state": "expired"}, by="op-1", at=AT)
    assert decide(records, pairs["1", "2"], "same", "op-2", AT, "核实").kept == "e-000002"
    assert decide(records, pairs["2", "3"], "same", "op-2", AT, "核实", keep="e-000003").kept == "e-000003"
    assert merged(records) == ["3", "3", None], "both point straight to the one that is kept of all three"
    undo(records, pairs["2", "3"], "op-2", AT, "有误")
    assert merged(records) == ["2", None, None]


def test_decisions_that_contradict_each_other_are_refused_and_change_nothing(records):
    pairs = three(records)
    decide(records, pairs["1", "2"], "same", "op-2", AT, "核实")
    decide(records, pairs["1", "3"], "different", "op-2", AT, "核实")
    with pytest.raises(WrongState, match=pairs["1", "3"]):
        decide(records, pairs["2", "3"], "same", "op-2", AT, "核实")
    assert merged(records) == [None, "1", None] and expert_matches.match(records, pairs["2", "3"]).state == "proposed"
    undo(records, pairs["1", "3"], "op-2", AT, "有误")
    decide(records, pairs["2", "3"], "same", "op-2", AT, "核实")
    with pytest.raises(WrongState):
        decide(records, pairs["1", "3"], "different", "op-2", AT, "核实")


def test_a_decision_needs_its_words_and_an_open_pair(records):
    pairs = three(records)
    match = pairs["1", "2"]
    with pytest.raises(NoExpert):
        decide(records, "x-none", "same", "op-2", AT, "核实")
    for decision, by, reason, keep in (
        ("perhaps", "op-2", "核实", None),
        ("same", " ", "核实", None),
        ("same", "op-2", "", None),
        ("same", "op-2", "核实", "e-000003"),
    ):
        with pytest.raises(IncompleteExpert):
            decide(records, match, decision, by, AT, reason, keep)
    with pytest.raises(WrongState):
        undo(records, match, "op-2", AT, "核实")
    decide(records, match, "different", "op-2", AT, "核实")
    with pytest.raises(WrongState):
        decide(records, match, "same", "op-2", AT, "核实")
    refresh(records, "op-1", AT)
    assert expert_matches.match(records, match).state == "different", "a look through the pool leaves decisions alone"
