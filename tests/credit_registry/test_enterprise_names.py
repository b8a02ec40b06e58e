"""Names are folded, cut and spelt alike, however somebody wrote them."""

import pytest

from credit_registry.names import folded, pinyin, plain, readings, sounds
from credit_registry.parts import cut, parts, skips


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("福建奮安不銹鋼有限公司", "福建奋安不锈钢有限公司"),
        ("閩侯閩興編織品有限公司", "闽侯闽兴编织品有限公司"),
        ("三雷（重庆）汽车零部件有限公司", "三雷(重庆)汽车零部件有限公司"),
        ("三雷【重庆】汽车零部件有限公司", "三雷(重庆)汽车零部件有限公司"),
        ("重庆恒嘉再生资源综合利用有限公司 \u00a0", "重庆恒嘉再生资源综合利用有限公司"),
        ("重庆 恒嘉\u200b再生资源综合利用有限公司", "重庆恒嘉再生资源综合利用有限公司"),
        ("ｔｃｌ集团", "TCL集团"),
    ],
)
def test_spellings_of_one_name_fold_alike(written, canonical):
    assert folded(written) == folded(canonical) == canonical


def test_brackets_do_not_make_another_name():
    assert plain("天津云上畅游科技合伙企业（有限合伙）") == "天津云上畅游科技合伙企业有限合伙"


@pytest.mark.parametrize(
    ("name", "regions", "core", "suffix", "branch"),
    [
        ("绵阳京东方光电科技有限公司", ("绵阳",), "京东方光电科技", "有限公司", ""),
        ("四川省绵阳市涪城区宏达电子厂", ("四川省", "绵阳市", "涪城区"), "宏达电子", "厂", ""),
        ("三雷（重庆）汽车零部件有限公司", ("重庆",), "三雷汽车零部件", "有限公司", ""),
        ("福建奋安不锈钢有限公司(仓山区)", ("仓山区", "福建"), "奋安不锈钢", "有限公司", ""),
        ("宏达电子（重庆北碚）有限公司", ("重庆", "北碚"), "宏达电子", "有限公司", ""),
        ("天津云上畅游科技合伙企业（有限合伙）", ("天津",), "云上畅游科技", "合伙企业", ""),
        ("遵义高原建筑工程有限公司重庆分公司", ("遵义",), "高原建筑工程", "有限公司", "重庆分公司"),
        ("福州创源同方水务有限公司(连坂污水处理厂)", ("福州",), "创源同方水务", "有限公司", "连坂污水处理厂"),
        ("福建华东水务有限公司江阴污水处理厂", ("福建",), "华东水务", "有限公司", "江阴污水处理厂"),
        ("宏达电子绵阳", ("绵阳",), "宏达电子", "", ""),
    ],
)
def test_a_name_is_cut_into_its_parts(name, regions, core, suffix, branch):
    found = parts(name)
    assert (found.regions, found.core, found.suffix, found.branch) == (regions, core, suffix, branch)


@pytest.mark.parametrize(
    ("name", "core"),
    [
        ("天津和平电子有限公司", "和平电子"),
        ("长春药业(绵阳)", "长春药业"),
        ("重庆电子有限公司", "重庆电子"),
        ("绵阳", "绵阳"),
    ],
)
def test_a_region_that_would_leave_no_brand_stays_one(name, core):
    assert parts(name).core == core


@pytest.mark.parametrize(
    "text", ["", "(", "()", "）（", "公司", "有限公司", "重庆", "、，", "厂", "(有限合伙)", "🏭", "𠮷野家"]
)
def test_no_text_is_too_odd_to_be_cut(text):
    found = cut(folded(text))
    assert all("(" not in part and ")" not in part for part in (found.core, found.branch, found.aside))
    assert isinstance(parts(text).brand, str) and isinstance(pinyin(text)[0], frozenset)


def test_the_trade_is_told_from_the_brand():
    found = parts("重庆宏达环保科技有限公司")
    assert (found.brand, found.industry) == ("宏达", "环保科技")


def test_brackets_that_hold_neither_place_nor_form_stand_aside():
    found = cut(folded("沙伯（中国）塑料有限公司"))
    assert (found.core, found.aside, found.compared) == ("沙伯塑料", "中国", "沙伯塑料中国")


def test_every_reading_of_a_character_is_spelt():
    initials, full = pinyin("重庆长虹")
    assert {"cqch", "cqzh"} <= initials
    assert {"chongqingchanghong", "chongqingzhanghong", "zhongqingchanghong"} <= full


def test_readings_are_toneless_the_usual_first():
    known = readings()
    assert known["重"][:2] == ("zhong", "chong") and known["绿"][0] == "lv" and known["厦"] == ("sha", "xia")
    assert all(sound.isascii() and sound.isalnum() for sound in sounds())
    assert len(sounds()) < 512, "nine bits of a key hold a sound"


def test_one_wrong_character_keeps_a_skipping_pair():
    assert set(skips("宏达电子科技")) & set(skips("宏大电子科技")) == {"宏*电"}
    assert skips("宏达") == skips("") == [] and skips("宏达电") == ["宏*电"]
