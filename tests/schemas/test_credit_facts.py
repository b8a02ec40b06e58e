"""Facts of the credit register: crosswalk editions, divisions, words of names, reasons, purposes, repair, acts."""

from __future__ import annotations

import dataclasses
import datetime as dt
import shutil
from pathlib import Path

import pytest

from schemas.credit_facts import (
    find_penalty_state,
    find_purpose,
    legal_acts,
    legal_basis,
    purposes,
    recognition_reasons,
    repair_classes,
    repair_classes_on,
    secrecy_marks,
)
from schemas.crosswalks import crosswalk_in_force, crosswalks, read_crosswalk
from schemas.divisions import division_path, divisions, find_division, region_words
from schemas.files import SCHEMAS, MalformedFact
from schemas.name_words import name_words
from schemas.places import bureaus, regions

SHIPPED = SCHEMAS / "crosswalks" / "cy-2026-1.toml"
CODE = "中华人民共和国生态环境法典"


def changed(tmp_path: Path, *changes: tuple[str, str], name: str = "cy-2026-1") -> Path:
    """The shipped edition with some words replaced, each of which must be there."""
    text = SHIPPED.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = tmp_path / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


SIGNED = (
    'status      = "draft"\nsignatories = []',
    'status = "signed"\nsigned_on = 2026-10-15\nsignatories = ["甲", "乙"]',
)


def test_the_shipped_edition_is_a_proposal_nobody_signed():
    (shipped,) = crosswalks()
    assert (shipped.edition, shipped.status, shipped.signed) == ("cy-2026-1", "draft", False)
    assert shipped.signed_on is None and shipped.signatories == ()
    assert "未签署" in shipped.title_zh and "unsigned" in shipped.title_en


def test_the_shipped_edition_is_the_table_of_the_reference():
    rows = [(m.from_level, m.by, m.to_level, m.relation) for m in crosswalks()[0].mappings]
    assert rows == [
        ("CX", "any", "CX", "close"),
        ("LH", "any", "LH", "close"),
        ("JS", "any", "JS", "close"),
        ("BL", "score", "BL", "close"),
        ("BL", "veto", "BL", "broader"),
    ]
    assert {(m.from_scheme, m.to_scheme) for m in crosswalks()[0].mappings} == {("CQ-2021", "SC-2019")}


def test_every_issuer_of_the_edition_is_one_its_bureau_may_send():
    known = bureaus()
    for issuer in crosswalks()[0].issuers:
        assert {issuer.name, *issuer.aliases} & set(known[issuer.bureau].issuers)
        assert set(issuer.schemes) <= set(known[issuer.bureau].schemes)


def test_a_site_adds_a_signed_edition_that_goes_before_the_draft(tmp_path):
    path = changed(tmp_path, SIGNED, ('"cy-2026-1"', '"cy-2026-2"'), ("2026-01-01", "2026-07-01"), name="cy-2026-2")
    both = crosswalks(tmp_path)
    assert [one.edition for one in both] == ["cy-2026-1", "cy-2026-2"]
    assert crosswalk_in_force(both, dt.date(2026, 7, 1)).edition == "cy-2026-2"
    assert crosswalk_in_force(both, dt.date(2026, 6, 30)).edition == "cy-2026-1"
    before = dt.datetime(2026, 10, 14, 15, 59, 59, tzinfo=dt.UTC)  # 23:59:59 of 14 October in China
    assert crosswalk_in_force(both, dt.date(2026, 7, 1), before).edition == "cy-2026-1"
    assert crosswalk_in_force(both, dt.date(2026, 7, 1), before + dt.timedelta(seconds=1)).edition == "cy-2026-2"
    path.unlink()
    assert [one.edition for one in crosswalks(tmp_path)] == ["cy-2026-1"], "what was read is not kept past the file"


def test_of_two_signed_editions_the_one_that_began_last_is_in_force():
    (shipped,) = crosswalks()
    signed = dataclasses.replace(shipped, status="signed", signed_on=dt.date(2026, 1, 1), signatories=("甲",))
    newer = dataclasses.replace(signed, edition="a", valid_from=dt.date(2026, 6, 1))
    assert crosswalk_in_force((newer, signed, shipped), dt.date(2026, 6, 1)) == newer
    assert crosswalk_in_force((newer, signed, shipped), dt.date(2026, 5, 31)) == signed
    assert crosswalk_in_force((newer, signed, shipped), dt.date(2025, 12, 31)) is None


def test_a_signed_edition_goes_before_a_draft_that_began_later():
    (draft,) = crosswalks()
    signed = dataclasses.replace(
        draft, status="signed", signed_on=dt.date(2025, 1, 1), signatories=("甲",), valid_from=dt.date(2025, 1, 1)
    )
    assert crosswalk_in_force((draft, signed), draft.valid_from) == signed


def test_a_row_for_veto_goes_before_one_for_any():
    (shipped,) = crosswalks()
    veto = next(row for row in shipped.mappings if row.by == "veto")
    either = dataclasses.replace(veto, by="any", relation="none")
    for rows in ((veto, either), (either, veto)):
        edition = dataclasses.replace(shipped, mappings=rows)
        assert edition.mapping("CQ-2021", "BL", True, ("SC-2019",)).relation == "broader"
        assert edition.mapping("CQ-2021", "BL", False, ("SC-2019",)).relation == "none"


def test_an_edition_that_stands_twice_is_refused(tmp_path):
    shutil.copy(SHIPPED, tmp_path)
    with pytest.raises(MalformedFact, match="stands twice"):
        crosswalks(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('status      = "draft"', 'status = "signed"', "signed_on and signatories"),
        ("signatories = []", 'signatories = ["甲"]', "signed_on and signatories"),
        ('edition     = "cy-2026-1"', 'edition = "cy-2026-9"', "is called cy-2026-9.toml"),
        ("valid_from  = 2026-01-01", "valid_from = 2026-01-01\nvalid_until = 2025-12-31", "is before valid_from"),
        ('relation    = "close"', 'relation = "equal"', "none of close, broader, none"),
        ('from_level  = "CX"', 'from_level = "AA"', "no level 'AA'"),
        ('from_level  = "LH"', 'from_level = "CX"', "mapped twice"),
        ('to_scheme   = "SC-2019"', 'to_scheme = "SC-2030"', "not in rating_schemes.csv"),
        ("aliases = []", 'aliases = []\nseal = "x"', "unknown key 'seal'"),
        ('"四川省生态环境厅"', '"重庆市生态环境局"', "stands twice"),
        ('schemes = ["CQ-2021"]', 'schemes = ["CQ-9999"]', "not in rating_schemes.csv"),
    ],
)
def test_an_edition_that_cannot_be_right_is_refused_by_line(tmp_path, old, new, words):
    with pytest.raises(MalformedFact, match=words) as refused:
        read_crosswalk(changed(tmp_path, (old, new)))
    assert refused.value.line > 0


def test_levels_of_another_type_of_subject_cannot_be_mapped(tmp_path):
    facts = tmp_path / "schemas"
    shutil.copytree(SCHEMAS / "vocabularies", facts / "vocabularies")
    levels = facts / "vocabularies" / "rating_levels.csv"
    levels.write_text(levels.read_text("utf-8") + "SC-MON-DRAFT,CX,诚信机构,1,,,,,no,,,draft,x\n", encoding="utf-8")
    path = changed(tmp_path, ('to_scheme   = "SC-2019"', 'to_scheme = "SC-MON-DRAFT"'))
    with pytest.raises(MalformedFact, match="types of subject"):
        read_crosswalk(path, facts)


def test_the_divisions_are_the_whole_country():
    today = [one for one in divisions() if one.until is None]
    assert len({one.division for one in today if one.level == "province"}) == 34
    assert 2700 < len([one for one in today if one.level == "county"]) < 3200


def test_the_regions_of_the_exchange_are_in_the_divisions():
    for region in regions():
        if len(region.division) == 6:
            assert find_division(region.division).name_zh == region.name_zh


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("内蒙古自治区", "内蒙古"),
        ("北川羌族自治县", "北川"),
        ("阿坝藏族羌族自治州", "阿坝"),
        ("双江拉祜族佤族布朗族傣族自治县", "双江"),
        ("鄂温克族自治旗", "鄂温克"),
        ("神农架林区", "神农架"),
        ("两江新区", "两江"),
        ("大兴安岭地区", "大兴安岭"),
        ("管城回族区", "管城"),
        ("忠县", ""),
        ("西林区", "西林"),
    ],
)
def test_a_short_name_leaves_out_what_kind_of_place_it_is(name, short):
    assert {one.short_zh for one in divisions() if one.name_zh == name} == {short}


def test_a_code_is_read_by_its_year():
    assert [find_division("500110", year).name_zh for year in (2005, 2011, 2026)] == ["万盛区", "綦江区", "綦江区"]
    assert find_division("500110", 1990) is None and find_division("999999") is None
    assert find_division("110103").name_zh == "崇文区", "a code that is gone still has its last name"
    assert division_path("510724") == ("四川省", "绵阳市", "安县")
    assert division_path("469025") == ("海南省", "白沙黎族自治县")


def test_words_of_regions_find_codes_of_today_first():
    words = region_words()
    assert words["绵阳"][0] == "510700" and words["江油"][0] == "510781"
    assert not {"郊区", "城区", "矿区", "市辖区", "县"} & set(words)
    assert min(map(len, words)) == 2


def test_words_of_names_come_longest_first():
    words = name_words()
    for kind in (words.suffixes, words.branches, words.industries):
        assert [len(word) for word in kind] == sorted(map(len, kind), reverse=True)
    assert {"有限公司", "有限责任公司", "股份有限公司", "厂"} <= set(words.suffixes)
    assert {"分公司", "支公司"} <= set(words.branches)
    assert not set(words.branches) & set(words.suffixes), "a branch is another enterprise, never a mere suffix"
    assert words.brackets["（"] == "(" and words.marks["·"] == ""


def test_a_purpose_is_found_by_code_or_title():
    assert [one.title_zh for one in purposes().values()] == ["检查前核查", "随机抽查", "许可", "会商", "复核", "其他"]
    assert find_purpose(" 检查前核查 ").code == "pre-inspection" and find_purpose("PERMIT").code == "permit"
    assert find_purpose("好奇") is None and find_purpose("") is None
    assert find_purpose("random-check").needs_plan and not find_purpose("review").needs_plan


def test_a_reason_says_whether_it_recognises():
    reasons = recognition_reasons()
    assert {code for code, one in reasons.items() if one.kind == "verdict" and one.recognised} == {
        "own", "recognised", "recognised-broader", "same-scheme",
    }  # fmt: skip
    assert all(one.recognised is None for one in reasons.values() if one.kind == "note")


def test_the_page_on_recognition_explains_every_code():
    page = (SCHEMAS.parent / "docs" / "recognition.md").read_text(encoding="utf-8")
    for one in recognition_reasons().values():
        assert f"| `{one.code}` | {one.title_zh} |" in page and one.meaning_en in page, one.code


def test_the_periods_of_order_36():
    periods = {one.title_zh: (one.min_months, one.max_months) for one in repair_classes()}
    assert periods == {"轻微": (0, 3), "一般": (3, 12), "严重": (12, 36)}
    assert repair_classes_on(dt.date(2026, 3, 31)) == () and len(repair_classes_on(dt.date(2026, 4, 1))) == 3


def test_states_of_a_penalty_are_read_as_whole_words():
    assert find_penalty_state(" 已修复 ") == "repaired" and find_penalty_state("不予修复") == "published"
    assert find_penalty_state("修复材料已收到") is None and find_penalty_state("") is None


def test_trade_secrets_are_no_secrecy_mark():
    assert "工作秘密" in secrecy_marks() and not [mark for mark in secrecy_marks() if mark in "商业秘密"]


def test_the_code_replaced_ten_acts():
    replaced = {one.act for one in legal_acts() if one.replaced_by == CODE}
    assert len(replaced) == 10
    assert {one.until for one in legal_acts() if one.replaced_by == CODE} == {dt.date(2026, 8, 14)}


def test_a_legal_basis_is_read_with_both_editions():
    text = (
        "违反《中华人民共和国水污染防治法》第三十九条，依据《水污染防治法》第八十三条第三项、《行政处罚法》第三十三条"
    )
    water, procedure = legal_basis(text, dt.date(2017, 12, 1), dt.date(2026, 8, 20), dt.date(2026, 9, 1))
    assert (water.at_act.edition, water.at_decision, water.repealed_by) == ("2008修订", None, CODE)
    assert procedure.at_decision.edition == "2021修订" and procedure.repealed_by == ""
    assert water.articles[0] == "第三十九条"
    assert legal_basis(text, None, None, dt.date(2026, 8, 14))[0].repealed_by == ""
    assert legal_basis("某市条例第三条", None, None, dt.date(2026, 9, 1)) == ()
