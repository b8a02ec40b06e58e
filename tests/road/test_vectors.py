"""The vectors of the reference for censored results, units and packets hold, one test each."""

import csv
import json
import math
import re
from pathlib import Path

import pandas as pd
import pytest

from pipelines.intake.packets import crc, read_flag
from pipelines.standardise.results import compare_with_limit, read_results, statistic_value
from pipelines.standardise.units import GasState, mixing_ratio_factor, resolve, state_factor
from schemas.files import fold
from schemas.loaders import find_unit, parameters
from schemas.states import missing_reason

VECTORS = Path(__file__).resolve().parents[3] / "shared/reference/test_vectors.csv"
DOMAINS = ("censored", "unit", "hj212")


def vectors(domain: str, *functions: str) -> list:
    """The vectors of a domain; one that asks for the papers where they are not here."""
    if not VECTORS.exists():
        return [pytest.param(None, id="no-papers")]
    with VECTORS.open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["domain"] == domain and row["function"] in functions]
    return [pytest.param(row, id=row["id"]) for row in rows]


def parts(vector: dict[str, str]) -> tuple[dict, dict]:
    return json.loads(vector["input"]), json.loads(vector["expected"])


def number(text: str | None) -> float | None:
    return None if text is None else float(text)


def none_for_nan(value: float) -> float | None:
    return None if math.isnan(value) else value


MARKERS = ("", "-1", "/", "--", "NA", "-9999")
"""What a layout would have to list so that these vectors are missing: it alone decides."""


def read(raw: str) -> dict[str, object]:
    return read_results(pd.Series([raw]), MARKERS).iloc[0].to_dict()


def test_every_vector_of_the_three_domains_is_tried(shared):
    with (shared / "reference/test_vectors.csv").open(encoding="utf-8") as stream:
        there = [(row["domain"], row["function"]) for row in csv.DictReader(stream) if row["domain"] in DOMAINS]
    assert {domain: sum(d == domain for d, _ in there) for domain in DOMAINS} == {
        "censored": 23,
        "unit": 19,
        "hj212": 9,
    }
    assert set(there) == {
        ("censored", "parse"), ("censored", "compare"), ("unit", "convert"), ("hj212", "crc"), ("hj212", "flag"),
    }  # fmt: skip


@pytest.mark.parametrize("vector", vectors("censored", "parse"))
def test_a_result_is_read_as_its_vector_says(vector, shared):
    given, expected = parts(vector)
    got = read(given["raw"])
    if expected.get("error"):
        assert got["status"] == "unreadable"
        assert math.isnan(got["value"]) and math.isnan(got["detection_limit"])
    elif expected.get("missing"):
        assert got["status"] == "missing" and math.isnan(got["value"])
        if "reason" in expected:
            assert missing_reason(given["raw"]).name_en == expected["reason"]
    else:
        assert got["status"] == ""
        assert got["qualifier"] == {"=": ""}.get(expected["sign"], expected["sign"])
        if expected["sign"] == "<":
            assert none_for_nan(got["detection_limit"]) == number(expected["limit"])
            half = statistic_value("<", got["value"], got["detection_limit"])
            assert none_for_nan(half) == number(expected["statistic"])
            assert math.isnan(got["value"])
        else:
            assert got["value"] == number(expected["value"])


@pytest.mark.parametrize("vector", vectors("censored", "compare"))
def test_a_result_is_compared_with_a_limit_as_its_vector_says(vector, shared):
    given, expected = parts(vector)
    got = read(given["raw"])
    result = compare_with_limit(
        got["qualifier"], got["value"], got["detection_limit"], float(given["limit"]), given["direction"]
    )
    assert result == expected["result"]


STATE = re.compile(r"^ug/m3 (?:at (?P<k>[\d.]+) K(?:, (?P<p>[\d.]+) kPa)?|actual)$")


def state_of(unit: str, given: dict[str, str]) -> GasState | None:
    """The state a vector names in its unit: a temperature, or the actual one given beside."""
    match = STATE.match(unit)
    if match is None:
        return None
    if match["k"]:
        return GasState(float(match["k"]), float(match["p"] or 101.325))
    return GasState(float(given["temperature_K"]), float(given["pressure_kPa"]))


def convert(given: dict[str, str]) -> float | None:
    """Convert as the road does: from the unit written to that of the parameter, or back."""
    value, parameter = float(given["value"]), parameters()[given["pollutant"]]
    old, new = state_of(given["from"], given), state_of(given["to"], given)
    if old and new:
        return value * state_factor(old, new)
    state = f"{float(given['temperature_K']):g}K" if "temperature_K" in given else ""
    backwards = find_unit(given["from"]) == find_unit(parameter.unit) != find_unit(given["to"])
    way = resolve(parameter, given["to"] if backwards else given["from"], state)
    if way.status:
        return None
    return way.undo(value) if backwards else way.apply(value)


@pytest.mark.parametrize("vector", vectors("unit", "convert"))
def test_a_unit_converts_as_its_vector_says(vector, shared):
    given, expected = parts(vector)
    got = convert(given)
    if expected["value"] is None:
        assert got is None
        return
    tolerance = float(vector["tolerance"].removeprefix("rel "))
    assert got == pytest.approx(float(expected["value"]), rel=tolerance)


@pytest.mark.parametrize("gas", ["SO2", "NO2", "NO", "CO", "O3", "NH3", "H2S"])
def test_the_tabled_factor_of_a_gas_is_that_of_the_ideal_gas(gas):
    parameter = parameters()[gas]
    ideal = mixing_ratio_factor(parameter.molar_mass, GasState(parameter.state_temperature))
    per_unit = 1e-3 if parameter.unit == "mg/m3" else 1.0
    assert parameter.state_factors["ppb"] == pytest.approx(ideal * per_unit, rel=5e-4)


def test_a_mixing_ratio_needs_a_recorded_state_and_takes_the_one_recorded():
    sulphur = parameters()["SO2"]
    assert resolve(sulphur, "ppb").status == "needs-state"
    assert resolve(sulphur, "ppb", "actual").status == "needs-state"
    assert resolve(sulphur, "ppb", "298.15K").apply(10) == pytest.approx(26.184, rel=1e-4)
    assert resolve(sulphur, "ppb", "273K").apply(10) == pytest.approx(
        10 * 64.06 / (8.314462618 * 273 / 101.325), rel=5e-4
    )


@pytest.mark.parametrize("vector", vectors("hj212", "crc"))
def test_a_segment_has_the_length_and_crc_of_its_vector(vector, shared):
    given, expected = parts(vector)
    segment = given["segment"]
    assert {"length": len(segment), "crc": f"{crc(segment.encode()):04X}"} == expected


@pytest.mark.parametrize("vector", vectors("hj212", "flag"))
def test_a_flag_says_what_its_vector_says(vector, shared):
    given, expected = parts(vector)
    assert read_flag(given["flag"])._asdict() == expected


def test_the_markers_of_the_shipped_layouts_have_a_reason():
    from schemas.layouts import layouts

    unexplained = {
        (layout.layout, marker)
        for layout in layouts()
        for marker in (*layout.missing, *(m for spec in layout.results for m in spec.missing))
        if missing_reason(fold(marker)) is None
    }
    assert unexplained == {("aqistudy_daily", "0"), ("aqistudy_monthly", "0")}
