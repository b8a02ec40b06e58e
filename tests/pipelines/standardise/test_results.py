"""Text to value: one parser of numbers; what is below the limit, missing or no number is told apart."""

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.standardise.results import compare_with_limit, read_number, read_results, statistic_value


def one(text: str, *missing: str) -> dict:
    return read_results(pd.Series([text]), ("", *missing)).iloc[0].to_dict()


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("35", 35), ("-0.5", -0.5), ("+7.80", 7.8), (".5", 0.5), ("5.", 5), ("1,234.5", 1234.5), ("1.2E+03", 1200),
        ("1.2e-3", 0.0012), ("1.2×10^3", 1200), ("1.2×10³", 1200), ("1.2*10^-3", 0.0012), ("2.4×10⁴", 24000),
        ("0.1", 0.1), ("0", 0),
    ],
)  # fmt: skip
def test_a_number_is_read_as_written(text, number):
    assert read_number(text) == number


@pytest.mark.parametrize(
    "text",
    [
        "35O",
        "4. 122",
        "1_000",
        "12,34",
        "1,2345",
        "0x1F",
        "inf",
        "nan",
        "NaN",
        "1e999",
        "三十五",
        "٣٥",
        "",
        ".",
        "-",
        "1 2",
        "3-5",
        "103⁴",
        "e5",
    ],
)
def test_what_is_no_number_is_none(text):
    assert read_number(text) is None


def test_ten_cubed_does_not_become_one_hundred_and_three():
    assert one("10³")["status"] == "unreadable"
    assert one("1×10³")["value"] == 1000


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("0.025L", 0.025), ("0.004 L", 0.004), ("0.004l", 0.004), ("L0.004", 0.004), ("<0.01", 0.01), ("＜0.05", 0.05),
        ("≤0.5", 0.5), ("〈0.01", 0.01), ("ND(0.01)", 0.01), ("未检出(0.01)", 0.01), ("未检出（0.01）", 0.01), ("0.01(ND)", 0.01),
        ("0.01（未检出）", 0.01), ("ND(<0.01)", 0.01), ("<1.3×10^-3", 0.0013), ("20L", 20),
    ],
)  # fmt: skip
def test_below_the_limit_has_no_value_but_its_limit(text, limit):
    got = one(text)
    assert (got["qualifier"], got["detection_limit"], got["status"]) == ("<", limit, "")
    assert math.isnan(got["value"])


@pytest.mark.parametrize("text", ["未检出", "ND", "nd", "N.D.", "低于检出限"])
def test_not_detected_without_a_limit_has_neither(text):
    got = one(text)
    assert got["qualifier"] == "<" and math.isnan(got["detection_limit"]) and math.isnan(got["value"])


@pytest.mark.parametrize(
    ("text", "sign", "value"), [(">24000", ">", 24000), ("≥24000", ">=", 24000), (">2.4×10^4", ">", 24000)]
)
def test_above_the_method_keeps_its_value(text, sign, value):
    got = one(text)
    assert (got["qualifier"], got["value"]) == (sign, value)


def test_a_marker_is_missing_only_where_the_layout_says_so():
    assert one("-999", "-999")["status"] == "missing"
    assert one("-999.0", "-999")["status"] == "missing"
    assert one("-999")["value"] == -999
    assert one("/", "/")["status"] == "missing"
    assert one("/")["status"] == "unreadable"
    assert math.isnan(one("9999", "9999")["value"])


def test_a_foot_note_sign_is_told_and_the_number_taken():
    assert (one("0.5*")["value"], one("0.5*")["status"]) == (0.5, "marked")
    assert one("*", "*")["status"] == "missing"


def test_a_remark_in_brackets_is_no_part_of_a_number():
    assert one("35（估算）")["status"] == "unreadable"
    assert one("35(估算)")["status"] == "unreadable"


def test_a_publishers_note_in_the_cell_does_not_change_what_is_shown():
    assert one("26.6（原始值：26.58）")["value"] == 26.6
    assert one("--（当天质控不合格）", "--")["status"] == "missing"


@pytest.mark.parametrize(
    ("text", "proposal"), [("35O", "350"), ("4. 122", "4.122"), ("1..2", "1.2"), ("l2", "12"), ("约0.5", "")]
)
def test_what_may_have_been_meant_is_proposed_and_not_taken(text, proposal):
    got = one(text)
    assert (got["status"], got["proposal"]) == ("unreadable", proposal)
    assert math.isnan(got["value"]) and math.isnan(got["detection_limit"])


def test_numbers_instead_of_text_are_refused():
    with pytest.raises(TypeError, match="digits as written"):
        read_results(pd.Series([0.5]))


def test_half_the_limit_enters_statistics_and_never_the_value():
    assert statistic_value("<", math.nan, 0.004) == 0.002
    assert statistic_value("", 0.5, math.nan) == 0.5
    assert math.isnan(statistic_value("<", math.nan, math.nan))


@pytest.mark.parametrize(
    ("text", "limit", "direction", "answer"),
    [
        ("0.04", 0.05, "<=", "meets"), ("0.06", 0.05, "<=", "exceeds"), ("5", 6, ">=", "exceeds"), ("7", 6, ">=", "meets"),
        ("0.05L", 0.05, "<=", "meets"), ("0.06L", 0.05, "<=", "undecidable"), ("0.5L", 2, ">=", "exceeds"),
        ("3L", 2, ">=", "undecidable"), (">24000", 20000, "<=", "exceeds"), (">24000", 30000, "<=", "undecidable"),
        (">24000", 24000, "<=", "exceeds"), ("≥24000", 24000, "<=", "undecidable"), (">8", 6, ">=", "meets"),
        ("ND", 0.05, "<=", "undecidable"),
    ],
)  # fmt: skip
def test_a_result_meets_exceeds_or_cannot_be_decided(text, limit, direction, answer):
    got = one(text)
    result = compare_with_limit(got["qualifier"], got["value"], got["detection_limit"], limit, direction)
    assert result == answer


@given(
    st.floats(min_value=-1e12, max_value=1e12, allow_nan=False).map(lambda v: f"{v:.6f}".rstrip("0").rstrip(".") or "0")
)
def test_every_plain_decimal_is_the_number_python_reads(text):
    assert one(text)["value"] == float(text)


@given(st.text(max_size=12))
def test_no_text_raises_and_what_is_not_understood_has_no_number(text):
    got = one(text)
    assert got["status"] in ("", "missing", "unreadable", "marked")
    if got["status"] in ("missing", "unreadable"):
        assert math.isnan(got["value"]) and math.isnan(got["detection_limit"])
