"""Registers: names and codes folded and never corrected; levels within their scheme; personal numbers masked."""

import pytest

from pipelines.standardise.registers import name_status, read_fine

CREDIT = {
    "企业名称": "北碚测试甲化工有限公司", "统一社会信用代码": "91500109MA5U0A001F", "评价年度": "2025", "评价等级": "环保良好企业",
    "公布日期": "2026-03-01", "有效期至": "2027-02-28",
}  # fmt: skip
EXPERT = {
    "姓名": "张三丰", "证件号码": "11010119900307803X", "工作单位": "测试大学", "单位统一社会信用代码": "", "专业领域": "大气",
    "职称": "教授", "手机号": "13812345678", "证书有效期至": "2027-12-31",
}  # fmt: skip


def first(batch, *names: str) -> tuple:
    return tuple(batch.rows[name].iloc[0] for name in names)


@pytest.mark.parametrize(
    "code", ["91500109MA5U0A001F", " 91500109ma5u0a001f ", "９１５００１０９MA5U0A001F", "91500109-MA5U0A001F"]
)
def test_a_code_is_folded_and_kept_as_written_beside(code, standard):
    assert first(standard([CREDIT | {"统一社会信用代码": code}]), "uscc", "uscc_status") == (
        "91500109MA5U0A001F",
        "valid",
    )


def test_a_code_that_fails_is_told_and_never_corrected(standard):
    batch = standard([CREDIT | {"统一社会信用代码": "91500109MA5U0A0010"}])
    assert first(batch, "uscc", "uscc_status", "uscc_text") == ("", "failing", "91500109MA5U0A0010")


def test_a_resident_number_leaves_only_its_mask(standard):
    batch = standard([CREDIT | {"统一社会信用代码": "11010119900307803X"}])
    assert first(batch, "uscc_status", "uscc_text") == ("resident-id", "110***********803X")
    assert not any("19900307" in str(text) for text in batch.rows.to_numpy().ravel())


@pytest.mark.parametrize(
    ("level", "code"),
    [("环保诚信企业", "CX"), ("环保诚信", "CX"), ("环保 良好", "LH"), ("绿牌", "CX"), ("环保不良企业", "BL")],
)
def test_a_level_is_found_in_the_scheme_in_force(level, code, standard):
    batch = standard([CREDIT | {"评价等级": level}])
    assert first(batch, "scheme", "level_code", "level_text", "level_status") == ("CQ-2021", code, level, "")


def test_the_scheme_follows_the_bureau_and_the_year(standard):
    assert first(standard([CREDIT], "mianyang"), "scheme") == ("SC-2019",)
    assert first(standard([CREDIT | {"评价年度": "2018"}]), "scheme") == ("CQ-2017",)


def test_an_open_sender_keeps_a_native_level(standard):
    head = "scheme,year,stage,region,county_raw,enterprise_name_raw,rating_raw,colour_raw,score_raw,source\n"
    text = head + "某办法,2024年第一批,终评,某省,,某地测试有限公司,甲级,,,网页\n"
    batch = standard(text, "notices")
    assert first(batch, "scheme", "level_code", "level_status", "rated_year") == ("某办法", "甲级", "native", 2024)


def test_the_same_record_twice_is_repeated_and_another_content_a_conflict(standard):
    assert standard([CREDIT, CREDIT]).rows["repeat_status"].astype("str").tolist() == ["", "repeated"]
    other = CREDIT | {"评价等级": "环保警示企业"}
    assert standard([CREDIT, other]).rows["repeat_status"].astype("str").tolist() == ["conflict", "conflict"]


@pytest.mark.parametrize(
    ("text", "yuan"),
    [("20000", 20000), ("1万元", 10000), ("7,200.00元(大写:柒仟贰佰元整)", 7200), ("1.5亿元", 1.5e8), ("人民币3,000元整", 3000),
     ("２万元", 20000), ("若干", None), ("1万2千元", None)],
)  # fmt: skip
def test_a_fine_is_read_in_yuan(text, yuan):
    assert read_fine(text) == yuan


@pytest.mark.parametrize(
    ("name", "status"),
    [("", "missing"), ("甲", "too-short"), ("测" * 121, "too-long"), ("测" * 120, ""), ("NA", "no-han"), ("北碚\ue000公司", "private"),
     ("北碚\u202e公司", "control"), ("<script>测试公司", ""), ("三雷(重庆)汽车零部件有限公司", "")],
)  # fmt: skip
def test_a_name_says_what_is_wrong_with_it(name, status):
    assert name_status(name) == status


def test_an_expert_list_leaves_only_masks(standard):
    batch = standard([EXPERT])
    assert first(batch, "name_text", "identity_text", "phone_text") == ("张**", "110***********803X", "138****5678")
    texts = {str(text) for text in batch.rows.to_numpy().ravel()}
    assert not texts & {"张三丰", "11010119900307803X", "13812345678"}
    assert first(batch, "identity_status", "phone_status", "specialty_status") == ("", "", "")


def test_an_identity_number_with_a_wrong_last_digit_fails(standard):
    assert first(standard([EXPERT | {"证件号码": "110101199003078030"}]), "identity_status") == ("failing",)
    assert first(standard([EXPERT | {"证件号码": "护照E1234567"}]), "identity_status") == ("other",)


def test_a_date_with_a_remark_is_read_and_told(standard):
    row = {
        "当事人名称": "北碚测试甲化工有限公司", "统一社会信用代码": "91500109MA5U0A001F", "决定书文号": "綦环改〔2026〕 3号", "违法事实": "",
        "处罚依据": "", "处罚内容": "", "罚款金额(元)": "/", "违法行为日期": "", "决定日期": "(页面日期)2026-03-01", "处罚机关": "", "修复状态": "",
    }  # fmt: skip
    batch = standard([row])
    assert first(batch, "decision_status", "decision_number", "fine_status") == ("qualified", "綦环改〔2026〕3号", "")
