"""The judge: severities do what they say, counts add up, waivers excuse, findings name their place."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.batch import FINDING_COLUMNS
from schemas.rules import SEVERITIES

AIR = {
    "站点编码": "1414A", "站点名称": "缙云山", "监测时间": "2026-04-01 08:00", "PM2.5(μg/m3)": "35", "PM10(μg/m3)": "60",
    "SO2(μg/m3)": "6", "NO2(μg/m3)": "20", "CO(mg/m3)": "0.6", "O3(μg/m3)": "80", "备注": "",
}  # fmt: skip
CREDIT = {
    "企业名称": "北碚测试甲化工有限公司", "统一社会信用代码": "91500109MA5U0A001F", "评价年度": "2025", "评价等级": "环保良好企业",
    "公布日期": "2026-03-01", "有效期至": "2027-02-28",
}  # fmt: skip


def test_a_refused_row_takes_all_its_results_and_no_other_row(judged):
    verdict = judged([AIR | {"站点编码": "9999X", "站点名称": ""}, AIR])
    assert verdict.row_counts == {"read": 2, "clean": 1, "partial": 0, "refused": 1, "repeated": 0}
    assert verdict.result_counts["published"] == 6 and verdict.result_counts["quarantined"] == 6
    assert set(verdict.quarantined["source_row"]) == {2} and set(verdict.quarantined["rules"]) == {"AIR-004"}


def test_a_refused_value_leaves_the_other_cells_of_its_row(judged):
    verdict = judged([AIR | {"O3(μg/m3)": "8O"}])
    assert verdict.row_counts["partial"] == 1 and verdict.result_counts["published"] == 5
    [kept] = verdict.quarantined.to_dict("records")
    assert (kept["source_column"], kept["result_text"], kept["rules"], kept["parameter"]) == (
        "I",
        "8O",
        "AIR-016",
        "O3",
    )


def test_a_flag_is_published_as_suspect_and_the_rest_as_passed(judged):
    verdict = judged([AIR | {"PM2.5(μg/m3)": "61"}])
    names = verdict.batch.results["parameter"].astype("str").to_numpy()[verdict.positions]
    assert dict(zip(names, verdict.flag.tolist(), strict=True)) == {
        "PM2.5": 3, "PM10": 1, "SO2": 1, "NO2": 1, "CO": 1, "O3": 1,
    }  # fmt: skip


def test_what_no_range_could_test_is_not_evaluated(judged):
    row = {"water": "BBW01", "时间": "2026-04-01 08:00", "因子": "总磷", "数值": "0.01L", "单位": "mg/L"}
    assert judged([row]).flag.tolist() == [2]


def test_a_file_with_nothing_to_publish_is_refused(judged):
    verdict = judged([AIR | {"站点编码": "9999X", "站点名称": ""}])
    assert (verdict.state, verdict.result_counts["published"]) == ("refused", 0)


def test_a_file_of_repeats_only_beside_a_first_is_accepted(judged):
    verdict = judged([AIR, AIR, AIR])
    assert verdict.state == "accepted"
    assert verdict.row_counts == {"read": 3, "clean": 1, "partial": 0, "refused": 0, "repeated": 2}
    assert verdict.result_counts["repeated"] == 12 and verdict.result_counts["published"] == 6


def test_one_bad_rating_refuses_the_whole_list(judged):
    verdict = judged(
        [CREDIT, CREDIT | {"企业名称": "北碚测试乙建材有限公司", "统一社会信用代码": "91500109MA5U0A0010"}]
    )
    assert verdict.state == "refused" and verdict.result_counts["published"] == 0
    assert verdict.row_counts == {"read": 2, "clean": 1, "partial": 0, "refused": 1, "repeated": 0}
    assert sorted(verdict.quarantined["rules"]) == ["BATCH", "CREDIT-013"]


def test_findings_are_most_severe_first_and_then_by_row(judged):
    rows = [AIR | {"监测时间": f"2026-04-01 0{at}:00", "PM2.5(μg/m3)": "61", "O3(μg/m3)": "x"} for at in (1, 2, 5)]
    findings = judged(rows).findings
    assert tuple(findings.columns) == FINDING_COLUMNS
    ranks = [SEVERITIES.index(word) for word in findings["severity"]]
    assert ranks == sorted(ranks)
    assert findings.loc[findings["rule"] == "AIR-016", "row"].tolist() == [2, 3, 4]


def test_a_finding_names_place_value_and_what_was_expected(judged):
    found = judged([AIR | {"O3(μg/m3)": "8O"}]).findings.iloc[0].to_dict()
    assert (found["row"], found["column"], found["header"], found["value"]) == (2, "I", "O3(μg/m3)", "8O")
    assert found["key"] == "1414A 2026-04-01T08:00+08:00"
    assert "字母 O" in found["message"] and found["expected"] and found["message_en"] and found["clause"]


def waiver(rule="AIR-040", station="1414A", since=(2026, 3, 1), until=(2026, 5, 1)):
    return SimpleNamespace(
        rule=rule, station=station, since=datetime(*since, tzinfo=UTC), until=datetime(*until, tzinfo=UTC)
    )


def test_a_waiver_excuses_one_rule_at_one_station_in_its_period(judged):
    rows = [AIR | {"PM2.5(μg/m3)": "61"}, AIR | {"PM2.5(μg/m3)": "61", "站点编码": "1416A", "站点名称": "天生"}]
    verdict = judged(rows, waivers=[waiver()])
    assert verdict.findings.loc[verdict.findings["rule"] == "AIR-040", "row"].tolist() == [3]
    assert verdict.waived == 1 and len(verdict.exempt["AIR-040"]) == 1


@pytest.mark.parametrize(
    "other", [waiver(rule="AIR-045"), waiver(station="1416A"), waiver(since=(2026, 4, 2)), waiver(until=(2026, 3, 31))]
)
def test_a_waiver_of_something_else_excuses_nothing(other, judged):
    verdict = judged([AIR | {"PM2.5(μg/m3)": "61"}], waivers=[other])
    assert verdict.waived == 0 and "AIR-040" in set(verdict.findings["rule"])


CELL = st.sampled_from(["35", "61", "-11", "-1", "99999", "", "/", "8O", "0.004L", "未检出", "5*", "1.2×10^2", "<3"])
TIME = st.sampled_from(["2026-04-01 08:00", "2026-04-01 09:00", "2026-04-01 24:00", "昨天", "", "2099-01-01", "1/4/26"])
PLACE = st.sampled_from(["1414A", "1416A", "BBQ03", "1878A", "9999X", ""])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(PLACE, TIME, CELL, CELL, CELL), min_size=1, max_size=8))
def test_counts_add_up_whatever_comes(judged, records):
    rows = [
        AIR | {"站点编码": place, "站点名称": "", "监测时间": time, "PM2.5(μg/m3)": a, "PM10(μg/m3)": b, "O3(μg/m3)": c}
        for place, time, a, b, c in records
    ]
    verdict = judged(rows)
    results, counted = verdict.result_counts, verdict.row_counts
    assert results["read"] == results["published"] + results["quarantined"] + results["repeated"]
    assert (
        counted["read"] == counted["clean"] + counted["partial"] + counted["refused"] + counted["repeated"] == len(rows)
    )
    assert results["read"] + results["missing"] == 6 * len(rows)
    assert len(verdict.quarantined) == results["quarantined"] and len(verdict.positions) == results["published"]
    assert (verdict.quarantined["rules"] != "").all()
