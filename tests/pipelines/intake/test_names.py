"""Names of senders' files: made safe, read for their days."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.intake.names import NAME_BYTES, days_in, is_plain, safe_name, text_of


@given(st.text())
def test_a_safe_name_is_one_visible_component_of_bounded_length(name):
    safe = safe_name(name)
    assert is_plain(safe)
    assert len(safe.encode()) <= NAME_BYTES
    assert safe_name(safe) == safe


def test_a_long_name_keeps_its_extension():
    assert safe_name("长" * 300 + ".csv").endswith("长.csv")


@given(st.binary())
def test_any_bytes_are_a_name_that_can_be_written(name):
    assert bool(text_of(name).encode()) == bool(name)


@given(st.dates(date(1990, 1, 1), date(2099, 12, 31)))
def test_a_day_is_found_in_every_usual_form(day):
    forms = ["%Y%m%d", "%Y-%m-%d", "%Y_%m_%d", "%Y.%m.%d", "%Y年%m月%d日", "%Y%m%d03", "%Y%m%d235959"]
    assert {tuple(days_in(f"空气_{day.strftime(form)}.csv")) for form in forms} == {((day, day),)}
    month = days_in(f"x{day:%Y%m}.csv")
    assert month == days_in(f"x{day.year}年{day.month}月.csv")
    assert month[0][0].day == 1 and (month[0][1] + timedelta(days=1)).day == 1
    week = day.isocalendar()
    (first, last), *_ = days_in(f"第{week.year}年第{week.week}周")
    assert first <= day <= last
    assert days_in(f"{day.year}年度") == [(date(day.year, 1, 1), date(day.year, 12, 31))]


@pytest.mark.parametrize("name", ["a.csv", "1881A.csv", "20261399.csv", "123456789012.csv", "GB3838-2002x0.csv"])
def test_numbers_that_are_no_dates_are_none(name):
    assert all(first.year == 2002 for first, _ in days_in(name))
