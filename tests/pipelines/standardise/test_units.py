"""Units: our own factors; a scale that does not convert is refused."""

import pytest

from pipelines.standardise.units import Conversion, GasState, molar_volume, read_state, resolve, state_factor
from schemas.loaders import parameters


def way(parameter: str, unit: str, state: str = "") -> Conversion:
    return resolve(parameters()[parameter], unit, state)


@pytest.mark.parametrize(
    ("parameter", "unit", "written", "value"),
    [
        ("PM2.5", "mg/m3", 0.035, 35), ("CO", "μg/m3", 600, 0.6), ("NO2-N", "μg/L", 12.5, 0.0125), ("Cd_soil", "ng/g", 153.8, 0.1538),
        ("Hg_soil", "ng/g", 266, 0.266), ("EC", "mS/cm", 0.35, 350), ("NH3-N", "毫克/升", 0.5, 0.5), ("Cd_soil", "mg·kg-1", 0.2, 0.2),
    ],
)  # fmt: skip
def test_a_value_converts_to_fifteen_digits(parameter, unit, written, value):
    assert way(parameter, unit).apply(written) == value


@pytest.mark.parametrize(
    ("parameter", "unit", "status"),
    [
        ("PM2.5", "怪", "unknown"), ("PM2.5", "", "unknown"), ("PM2.5", "个/L", "inconvertible"), ("PM2.5", "ppb", "inconvertible"),
        ("SO2", "ppb", "needs-state"), ("Colour", "倍", "inconvertible"), ("PM2.5", "mg/L", "inconvertible"), ("pH", "", ""),
        ("PM2.5", "ug/m3", ""),
    ],
)  # fmt: skip
def test_what_does_not_convert_says_why(parameter, unit, status):
    assert way(parameter, unit).status == status


def test_a_conversion_goes_both_ways():
    there = way("O3", "ppb", "298.15K")
    assert there.undo(there.apply(75)) == pytest.approx(75, rel=1e-12)
    assert there.apply(75) == pytest.approx(147.15, rel=1e-4)
    assert not there.plain and way("O3", "ug/m3").plain


def test_a_state_of_the_gas_changes_its_concentration():
    assert molar_volume(273.15) == pytest.approx(22.414, abs=1e-3)
    assert state_factor(GasState(273), GasState(273)) == 1
    assert 100 * state_factor(GasState(273), GasState(303.15, 97.5)) == pytest.approx(86.6549, abs=1e-4)
    assert (read_state("273K"), read_state("actual"), read_state("")) == (GasState(273), None, None)


def test_a_bureau_that_records_the_state_may_send_ppb(standard):
    row = {"air": "1414A", "时间": "2026-04-01 08:00", "因子": "SO2", "数值": "10", "单位": "ppb"}
    results = standard([row]).results
    assert results["value"].tolist() == [pytest.approx(26.184, abs=1e-3)]
    assert (results["unit"].tolist(), results["unit_text"].tolist(), results["result_text"].tolist()) == (
        ["ug/m3"],
        ["ppb"],
        ["10"],
    )
