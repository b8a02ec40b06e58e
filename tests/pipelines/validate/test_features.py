"""Features: what a rule compares is measured first; missing means it does not apply."""

import math

import numpy as np
import pandas as pd
import pytest

from pipelines.validate.features import RESULT_FEATURES, ROW_FEATURES, Measure
from pipelines.validate.judge import check_rules
from schemas.rules import all_rules

AIR = {
    "站点编码": "1414A", "站点名称": "缙云山", "监测时间": "2026-04-01 08:00", "PM2.5(μg/m3)": "35", "PM10(μg/m3)": "60",
    "SO2(μg/m3)": "6", "NO2(μg/m3)": "20", "CO(mg/m3)": "0.6", "O3(μg/m3)": "80", "备注": "",
}  # fmt: skip


@pytest.fixture
def measure(standard):
    from datetime import UTC, datetime

    def make(rows, bureau="beibei", history=None, **more):
        return Measure(standard(rows, bureau, **more), datetime(2026, 4, 10, tzinfo=UTC), history)

    return make


def hour(at: int, **changes) -> dict[str, str]:
    return AIR | {"监测时间": f"2026-04-0{1 + at // 24} {at % 24:02d}:00"} | changes


def of(m: Measure, parameter: str, feature: str) -> list[float]:
    return m.column("result", feature).to_numpy()[m.block(parameter)].tolist()


def test_every_rule_names_a_column_or_a_feature_that_exists():
    check_rules()
    features = set(ROW_FEATURES) | set(RESULT_FEATURES)
    others = {rule.arguments["other"] for rule in all_rules() if "other" in rule.arguments}
    assert others <= features


def test_hours_ahead_count_from_the_clock(measure):
    assert measure([AIR | {"监测时间": "2026-04-10 10:00"}]).column("row", "hours_ahead").tolist() == [2.0]
    assert math.isnan(measure([AIR | {"监测时间": "昨天"}]).column("row", "hours_ahead").tolist()[0])


def test_the_same_sample_is_the_same_place_and_time(measure):
    rows = [
        hour(8, **{"PM10(μg/m3)": "60"}),
        hour(9, **{"PM10(μg/m3)": "70"}),
        hour(9, 站点编码="1416A", 站点名称="天生", **{"PM10(μg/m3)": ""}),
    ]
    got = of(measure(rows), "PM2.5", "pm10_same_time")
    assert got[:2] == [60, 70] and math.isnan(got[2])


def test_a_run_is_of_one_place_in_the_order_of_time(measure):
    rows = [hour(at, **{"PM10(μg/m3)": "60" if at in (1, 2, 3) else str(70 + at)}) for at in (3, 1, 0, 2, 4)]
    assert of(measure(rows), "PM10", "run_length") == [3, 3, 1, 3, 1]


def test_runs_of_two_places_do_not_join(measure):
    rows = [hour(1), hour(2), hour(1, 站点编码="1416A", 站点名称="天生"), hour(2, 站点编码="1416A", 站点名称="天生")]
    assert of(measure(rows), "PM10", "run_length") == [2, 2, 2, 2]


def test_a_spike_is_measured_against_the_greater_neighbour(measure):
    got = of(
        measure(
            [hour(0, **{"PM10(μg/m3)": "60"}), hour(1, **{"PM10(μg/m3)": "400"}), hour(2, **{"PM10(μg/m3)": "80"})]
        ),
        "PM10",
        "spike_ratio",
    )
    assert math.isnan(got[0]) and got[1] == 5 and math.isnan(got[2])


def test_a_spike_near_the_noise_is_none(measure):
    rows = [hour(0, **{"SO2(μg/m3)": "1"}), hour(1, **{"SO2(μg/m3)": "8"}), hour(2, **{"SO2(μg/m3)": "1"})]
    assert of(measure(rows), "SO2", "spike_ratio")[1] < 1


def test_a_gap_counts_hours_and_a_slip_of_the_year_is_none(measure):
    rows = [hour(0), hour(3), AIR | {"监测时间": "2099-01-01 00:00"}]
    got = measure(rows).column("row", "gap_hours").tolist()
    assert math.isnan(got[0]) and got[1] == 3 and math.isnan(got[2])


def test_days_have_no_hourly_gaps(measure):
    text = "绵阳,2013-12-31,100,90~110,良,60,80,10,1.0,20,50,0\n绵阳,2014-01-01,100,90~110,良,60,80,10,1.0,20,50,0\n"
    assert np.isnan(measure(text, "cnemc").column("row", "gap_hours")).all()


def test_the_ratio_to_history_needs_a_history(measure):
    history = pd.DataFrame([("1414A", "SO2", 6.0)], columns=["place_id", "parameter", "median"])
    assert of(measure([AIR], history=history), "SO2", "history_ratio") == [1.0]
    assert math.isnan(of(measure([AIR], history=history), "O3", "history_ratio")[0])
    assert math.isnan(of(measure([AIR]), "SO2", "history_ratio")[0])


def test_a_key_twice_is_repeated_once_or_in_conflict(measure):
    other = AIR | {"O3(μg/m3)": "81"}
    m = measure([AIR, AIR])
    assert m.column("result", "repeat_status").astype("str").tolist() == ["", "repeated"] * 6
    m = measure([AIR, other])
    assert m.column("result", "repeat_status").astype("str").to_numpy()[m.block("O3")].tolist() == ["conflict"] * 2


def test_the_plausible_multiple_is_of_the_upper_end(measure):
    from schemas.loaders import parameters

    high = parameters()["PM2.5"].plausible_max
    assert of(measure([AIR | {"PM2.5(μg/m3)": str(high * 2)}]), "PM2.5", "times_plausible") == [2.0]


def test_a_measure_does_not_change_its_batch(measure):
    m = measure([hour(at) for at in range(5)])
    before = m.batch.results.copy(deep=True), m.batch.rows.copy(deep=True)
    for name in RESULT_FEATURES:
        m.column("result", name)
    for name in ("hours_ahead", "local_year", "gap_hours", "twin_hours", "system_status"):
        m.column("row", name)
    pd.testing.assert_frame_equal(m.batch.results, before[0])
    pd.testing.assert_frame_equal(m.batch.rows, before[1])
