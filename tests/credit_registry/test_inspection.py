"""The inspection draw: strata, commitment, uniform draw, caps, officers, and doing it again from its own document."""

from __future__ import annotations

import copy
import hashlib
import json
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from made_credit import FIRM, HOUR, T0, penalty, publish, rating

from credit_registry.answers import compose
from credit_registry.errors import BadDraw
from credit_registry.inspection import commit, commitment, draw, freeze, list_sha256, ticket, verify_draw
from credit_registry.inspection_plan import (
    InspectionObject,
    Officer,
    Recusal,
    load_plan,
    objects_of_rows,
    officers_of_rows,
    plain_object,
    read_plan,
    with_answer,
)
from credit_registry.register import Register
from credit_registry.store import build
from credit_registry.strata import wanted_number
from records.keys import KeyRing, SigningKey, sign_document

PROJECT = Path(__file__).resolve().parents[2]
EXAMPLE = PROJECT / "examples/inspection/plan-2026q4.toml"
AT = datetime(2026, 10, 8, 1, tzinfo=UTC)
LATER = datetime(2026, 10, 9, 1, tzinfo=UTC)
SECRETS = {"beibei": "11" * 32, "mianyang": "22" * 32}
OFFICERS = [Officer(f"F{number}", f"执法员{number}", "2028-05-31") for number in range(6)]

FACTS = {"投诉属实次数": "", "排污许可管理类别": "登记管理"}

SMALL = """
document = "gongzhi-inspection-plan/1"
title = "试"
plan = "试〔2026〕1号"
bureau = "beibei"
last_day = 2026-12-31
cap = 2
replace_skipped = {replace}
[officers]
per_visit = 2
most_visits = {most}
[[strata]]
code = "all"
title = "全部"
{quota}
"""


def small_plan(quota: str = "count = 3", *, replace: bool = False, most: int = 0):
    return read_plan(SMALL.format(quota=quota, replace=str(replace).lower(), most=most))


def objects(count: int, **more) -> list[InspectionObject]:
    return [InspectionObject(f"E{number:02}", f"企业{number}", **more) for number in range(count)]


@pytest.fixture
def signer(tmp_path) -> SigningKey:
    return KeyRing.open(tmp_path / "keys", create=True).current()


def whole_draw(signer, plan, items, officers=OFFICERS, recusals=(), secrets=SECRETS, public="", **more) -> dict:
    frozen = freeze(plan, items, officers, recusals, draw_id="d-1", register_version="v1", at=AT, **more)
    hashes = {bureau: commitment("d-1", list_sha256(frozen), bureau, secret) for bureau, secret in secrets.items()}
    committed = commit(frozen, hashes, public_source="体彩" if public else "", at=AT, signer=signer)
    return draw(committed, secrets, public_value=public, at=LATER, signer=signer)


def stratum(plan, **facts) -> str:
    return plain_object(InspectionObject("X", "某厂", **facts), plan)["stratum"]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"register": "rated", "own_levels": ("环保警示企业",)}, "special"),
        ({"register": "rated", "foreign_levels": ("环保不良企业",)}, "special"),
        ({"register": "rated", "own_levels": ("环保诚信企业",), "penalty_dates": ("2025-10-01",)}, "special"),
        ({"register": "rated", "own_levels": ("环保诚信企业",), "penalty_dates": ("2025-09-30",)}, "ordinary"),
        ({"facts": {"投诉属实次数": "3"}}, "special"),
        ({"facts": {"投诉属实次数": "2", "排污许可管理类别": "重点管理"}}, "key"),
        ({"facts": {"排污许可管理类别": "简化管理"}, "register": "not_rated"}, "ordinary"),
        ({"register": "source_unavailable"}, "ordinary"),
    ],
)
def test_an_object_belongs_to_the_first_stratum_whose_rule_it_meets(facts, expected):
    assert stratum(load_plan(EXAMPLE), **facts) == expected


def test_a_foreign_rating_enters_a_stratum_only_where_its_rule_names_it():
    text = EXAMPLE.read_text("utf-8").replace('    { foreign_rating = ["警示", "不良"] },\n', "")
    assert stratum(read_plan(text), register="rated", foreign_levels=("环保不良企业",)) == "ordinary"


def test_a_level_may_be_written_short_and_stands_in_full_in_the_frozen_plan():
    (first, *_) = load_plan(EXAMPLE).strata
    assert set(first["any"][0]["own_rating"]) >= {"环保警示企业", "环保不良企业"}


def test_an_object_that_is_not_rated_can_be_named_by_a_rule_and_is_never_taken_for_good():
    plan = read_plan(SMALL.format(replace="false", most=0, quota="count = 1\nall = [{ own_rating = ['not_rated'] }]"))
    assert stratum(plan, register="not_rated") == "all" and stratum(plan, register="no_record") == ""


@pytest.mark.parametrize(
    ("quota", "size", "expected"),
    [("25%", 9, 3), ("25%", 8, 2), ("100%", 7, 7), ("0%", 7, 0), ("33.3%", 1000, 333), ("0.1%", 1, 1)],
)
def test_a_share_is_rounded_up(quota, size, expected):
    assert wanted_number({"share": quota}, size) == expected


def test_a_count_is_never_more_than_there_are(signer):
    result = whole_draw(signer, small_plan("count = 5"), objects(3))
    assert result["strata"][0]["wanted"] == 3 and len(result["visits"]) == 3


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("count = 3", "count = 3\nshare = '5%'", "count"),
        ("count = 3", "share = 0.25", "share"),
        ("count = 3", "share = '101%'", "share"),
        ("count = 3", "count = 3\nwhere = 'score > 3'", "where"),
        ("count = 3", "count = 3\nany = []", "any"),
        ("count = 3", "count = 3\nall = [{ own_rating = '警示' }]", "own_rating"),
        ("count = 3", "count = 3\nall = [{ rating = ['警示'] }]", "rating"),
        ("count = 3", "count = 3\nall = [{ own_rating = ['警视'] }]", "levels"),
        ("count = 3", "count = 3\nall = [{ foreign_rating = ['not_rated'] }]", "levels"),
        ("per_visit = 2", "per_visit = 1", "two officers"),
        ("cap = 2", "cap = -1", "cap"),
        ("last_day = 2026-12-31", "last_day = '明年'", "last_day"),
        ("cap = 2", "", "cap"),
        ('code = "all"', 'code = "a|b"', "codes"),
        ("plan/1", "plan/2", "document"),
    ],
)
def test_a_plan_that_cannot_be_is_refused_by_name(old, new, word):
    text = SMALL.format(quota="count = 3", replace="false", most=0)
    assert old in text
    with pytest.raises(BadDraw) as refused:
        read_plan(text.replace(old, new))
    assert word in refused.value.message_en


def test_the_list_of_a_spreadsheet_becomes_objects_with_their_facts():
    row = {"对象编号": "９１500109MA5UXXXX0A ", "对象名称": "某厂", "本年已查次数": "2", "年度上限": "", "风险": "高"}
    assert objects_of_rows([row]) == [InspectionObject("91500109MA5UXXXX0A", "某厂", {"风险": "高"}, visits=2)]
    with pytest.raises(BadDraw, match="年度上限"):
        objects_of_rows([{"对象编号": "1", "对象名称": "某厂", "本年已查次数": "2"}])
    with pytest.raises(BadDraw, match="两次"):
        objects_of_rows([{**row, "本年已查次数": "两次"}])
    with pytest.raises(BadDraw, match="有效期"):
        officers_of_rows([{"执法证号": "F1", "姓名": "甲", "证件有效期至": "明年"}])


@pytest.mark.parametrize("twice", [objects(2) + objects(1), [InspectionObject("a|b", "某厂")]])
def test_a_list_that_names_an_object_twice_or_oddly_is_refused(signer, twice):
    with pytest.raises(BadDraw, match="object id"):
        whole_draw(signer, small_plan(), twice)


def test_the_same_secrets_give_the_same_draw_and_others_another(signer):
    first, again = (whole_draw(signer, small_plan("count = 10"), objects(100)) for _ in range(2))
    other = whole_draw(signer, small_plan("count = 10"), objects(100), secrets={**SECRETS, "mianyang": "33" * 32})
    drawn = [[one["object_id"] for one in result["strata"][0]["drawn"]] for result in (first, again, other)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_the_order_of_the_lists_as_given_does_not_matter(signer):
    plan, items = small_plan(), objects(20)
    assert whole_draw(signer, plan, items) == whole_draw(signer, plan, items[::-1], OFFICERS[::-1])


def test_tickets_can_be_computed_by_hand(signer):
    result = whole_draw(signer, small_plan(), objects(20))
    frozen = result["commitment"]["list"]
    text = json.dumps(frozen, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    list_hash = hashlib.sha256(text.encode()).hexdigest()
    seed = hashlib.sha256(f"d-1|{list_hash}|{'11' * 32}|{'22' * 32}|".encode()).hexdigest()
    order = sorted((hashlib.sha256(f"{seed}|all|E{n:02}".encode()).hexdigest(), f"E{n:02}") for n in range(20))
    assert [one["object_id"] for one in result["strata"][0]["drawn"]] == [name for _, name in order[:3]]


def test_every_object_has_the_same_chance():
    # 3 of 20 without replacement, 20,000 seeds: chi square, 19 degrees of freedom, 0.1 % point 43.8
    plan = small_plan().raw
    frozen = {"plan": plan, "objects": [plain_object(item, small_plan()) for item in objects(20)]}
    from credit_registry.inspection import _draw_stratum

    seen: Counter[str] = Counter()
    for number in range(20_000):
        drawn = _draw_stratum(plan["strata"][0], frozen, hashlib.sha256(str(number).encode()).hexdigest())["drawn"]
        seen.update(one["object_id"] for one in drawn)
    expected = 20_000 * 3 / 20
    chi_square = sum((seen[f"E{n:02}"] - expected) ** 2 / expected for n in range(20)) * 19 / 17
    assert sum(seen.values()) == 60_000 and chi_square < 43.8


def test_an_object_at_its_cap_is_skipped_in_writing_and_nobody_takes_its_place_unasked(signer):
    full = [InspectionObject(f"E{n:02}", "企业", visits=2) for n in range(20)]
    result = whole_draw(signer, small_plan("count = 3"), full)["strata"][0]
    assert result["drawn"] == [] and len(result["skipped"]) == 3
    assert {(one["reason"], one["visits"], one["cap"], one["replaced_by"]) for one in result["skipped"]} == {
        ("cap-reached", 2, 2, "")
    }


def test_where_the_plan_says_so_the_next_ticket_takes_the_place_of_a_skip(signer):
    items = [InspectionObject(f"E{n:02}", "企业", visits=2 * (n % 2)) for n in range(20)]
    result = whole_draw(signer, small_plan("count = 5", replace=True), items)
    order = [name for _, name in sorted((ticket(result["seed"], "all", f"E{n:02}"), f"E{n:02}") for n in range(20))]
    free = [name for name in order if int(name[1:]) % 2 == 0]
    stratum = result["strata"][0]
    drawn, skipped = ([one["object_id"] for one in stratum[part]] for part in ("drawn", "skipped"))
    last = max(order.index(name) for name in drawn)
    assert sorted(drawn) == sorted(free[:5]) and sorted(skipped) == sorted(set(order[: last + 1]) - set(drawn))
    assert skipped and all(one["replaced_by"] in order[5 : last + 1] for one in stratum["skipped"])


def test_the_cap_of_an_object_goes_before_that_of_the_plan_and_nought_means_none(signer):
    items = [InspectionObject("E1", "一", visits=9, cap=0), InspectionObject("E2", "二", visits=2, cap=3)]
    assert len(whole_draw(signer, small_plan("count = 2"), items)["visits"]) == 2


def test_each_visit_has_two_officers_and_no_recused_one(signer):
    recusals = [Recusal("F0", "*", "借调"), Recusal("F1", "E01", "亲属在该企业任职")]
    late = [*OFFICERS, Officer("F9", "证件到期", "2026-12-30")]
    visits = whole_draw(signer, small_plan("count = 20"), objects(20), late, recusals)["visits"]
    assert all(len(set(one["officers"])) == 2 and one["missing"] == 0 for one in visits)
    assert not {"F0", "F9"} & {officer for one in visits for officer in one["officers"]}
    assert "F1" not in next(one for one in visits if one["object_id"] == "E01")["officers"]
    reasons = {skip["reason"] for one in visits for skip in one["skipped"]}
    assert reasons == {"recused", "certificate-ends"}


def test_officers_who_have_enough_visits_are_passed_over_and_a_lack_is_said(signer):
    visits = whole_draw(signer, small_plan("count = 4", most=1), objects(4), OFFICERS[:4])["visits"]
    load = Counter(officer for one in visits for officer in one["officers"])
    assert max(load.values()) == 1 and sum(one["missing"] for one in visits) == 4
    assert all(len(one["officers"]) + one["missing"] == 2 for one in visits)


def test_a_recusal_without_a_reason_is_refused(signer):
    with pytest.raises(BadDraw, match="no reason"):
        whole_draw(signer, small_plan(), objects(3), recusals=[Recusal("F0", "E00", "")])


def test_a_new_draw_names_the_old_one_and_why(signer):
    with pytest.raises(BadDraw, match="reason"):
        whole_draw(signer, small_plan(), objects(3), replaces="d-0")
    result = whole_draw(signer, small_plan(), objects(3), replaces="d-0", reason="名单漏列一家")
    assert result["commitment"]["list"]["replaces"] == "d-0"


@pytest.mark.parametrize(
    ("secrets", "public", "assurance"),
    [
        (SECRETS, "", "two-parties"),
        (SECRETS, "0719", "two-parties-and-public-value"),
        ({"beibei": "11" * 32}, "0719", "one-party-and-public-value"),
        ({"beibei": "11" * 32}, "", "one-party"),
    ],
)
def test_the_result_says_what_its_fairness_rests_on(signer, secrets, public, assurance):
    assert whole_draw(signer, small_plan(), objects(5), secrets=secrets, public=public)["assurance"] == assurance


def test_another_secret_than_the_committed_one_is_refused(signer):
    frozen = freeze(small_plan(), objects(5), OFFICERS, (), draw_id="d", register_version="v", at=AT)
    hashes = {bureau: commitment("d", list_sha256(frozen), bureau, secret) for bureau, secret in SECRETS.items()}
    committed = commit(frozen, hashes, public_source="", at=AT, signer=signer)
    with pytest.raises(BadDraw, match="mianyang"):
        draw(committed, {**SECRETS, "mianyang": "44" * 32}, at=LATER, signer=signer)
    with pytest.raises(BadDraw, match="must reveal"):
        draw(committed, {"beibei": "11" * 32}, at=LATER, signer=signer)
    with pytest.raises(BadDraw, match="public"):
        draw(committed, SECRETS, public_value="7", at=LATER, signer=signer)
    with pytest.raises(BadDraw, match="changed"):
        draw({**committed, "public_source": "体彩"}, SECRETS, public_value="7", at=LATER, signer=signer)


def test_a_draw_is_done_again_from_its_own_file(signer):
    result = json.loads(json.dumps(whole_draw(signer, load_plan(EXAMPLE), objects(30, facts=FACTS), public="0719")))
    check = verify_draw(result, {signer.key_id: signer.public_key})
    assert check.ok and "5" in check.reason_en
    assert not verify_draw(result, {}).ok


def tampered(result: dict, change: str) -> None:
    inner = result["commitment"]["list"]
    if change == "drawn":
        result["strata"][0]["drawn"][0]["object_id"] = "E99"
    elif change == "object added":
        inner["objects"].append({**inner["objects"][0], "object_id": "E99"})
    elif change == "stratum":
        inner["objects"][0]["stratum"] = ""
    elif change == "officer":
        result["visits"][0]["officers"].reverse()
    elif change == "skip":
        result["strata"][0]["skipped"].append({"object_id": "E00"})
    elif change == "secret":
        result["secrets"]["beibei"] = "55" * 32
    elif change == "seed":
        result["seed"] = "00" * 32
    elif change == "rule":
        inner["plan"]["strata"][0]["count"] = 4
    elif change == "time":
        result["drawn_at"] = "2026-10-07T00:00:00+00:00"
    elif change == "gone":
        del result["strata"]
    elif change == "kind":
        result["document"] = "gongzhi-draw/2"


CHANGES = ["drawn", "object added", "stratum", "officer", "skip", "secret", "seed", "rule", "time", "gone", "kind"]


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_result_does_not_verify(signer, change):
    result = copy.deepcopy(whole_draw(signer, small_plan(), objects(20)))
    tampered(result, change)
    assert not verify_draw(result).ok


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_result_does_not_verify_even_when_its_keeper_signs_it_anew(signer, change):
    result = copy.deepcopy(whole_draw(signer, small_plan(), objects(20)))
    tampered(result, change)
    check = verify_draw(sign_document({k: v for k, v in result.items() if k != "signature"}, signer))
    assert not check.ok and check.reason_zh and check.reason_en


def test_a_file_that_is_no_draw_is_said_to_be_none():
    assert not verify_draw({}).ok and not verify_draw({"commitment": []}).ok


def test_the_ticket_of_the_description_is_right():
    text = (PROJECT / "docs/inspection-draw.md").read_text("utf-8")
    assert (
        ticket("00", "key", "E01") in text and ticket("00", "key", "E01") == hashlib.sha256(b"00|key|E01").hexdigest()
    )


def test_a_list_without_a_column_the_plan_uses_is_refused(signer):
    with pytest.raises(BadDraw, match="排污许可管理类别"):
        whole_draw(signer, load_plan(EXAMPLE), objects(3, facts={"投诉属实次数": "0"}))
    with pytest.raises(BadDraw, match="几次"):
        whole_draw(signer, load_plan(EXAMPLE), objects(3, facts={**FACTS, "投诉属实次数": "几次"}))


@pytest.fixture
def answered(tmp_path):
    def ask(viewer: str, *rows: dict) -> dict:
        for number, row in enumerate(rows):
            publish(tmp_path / "tables", [row], batch_id=f"b{number}", hours=number)
        build(tmp_path / "tables", tmp_path / "credit", T0 + 24 * HOUR)
        with Register.open(tmp_path / "credit") as register:
            return compose(register, (), FIRM, viewer, date(2026, 10, 8), None, now=AT)[0]

    return ask


BAD = {"level_code": "BL", "level_text": "环保不良企业"}


@pytest.mark.parametrize(
    ("viewer", "more", "expected"),
    [
        ("beibei", BAD, ("rated", ("环保不良企业",), ())),
        ("mianyang", BAD, ("source_unavailable", (), ("环保不良企业",))),
        ("mianyang", {**BAD, "state": "preliminary"}, ("source_unavailable", (), ())),
        ("beibei", {**BAD, "state": "preliminary"}, ("none_in_force", (), ())),
        ("beibei", {"state": "not_rated", "level_code": "", "level_text": "不评定"}, ("not_rated", (), ())),
    ],
)
def test_an_object_takes_only_ratings_that_count_from_the_register(answered, viewer, more, expected):
    found = with_answer(InspectionObject(FIRM, "某厂"), answered(viewer, rating(**more)), viewer)
    assert (found.register, found.own_levels, found.foreign_levels) == expected


def test_an_object_takes_penalties_in_view_from_the_register_dated_or_not(answered):
    undated = penalty("碚环罚〔2025〕2号", decision_date=None)
    found = with_answer(
        InspectionObject(FIRM, "某厂"), answered("beibei", penalty("碚环罚〔2025〕1号"), undated), "beibei"
    )
    assert found.penalty_dates == ("2025-10-31", "2026-04-01") and found.register != "rated"
