"""Stamps to instants: explicit formats, China Standard Time, nothing guessed."""

import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.standardise.times import DAY, NOT_A_TIME, local_text, minus_period, read_times

FORMS = ("%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y年%m月%d日%H时", "%Y%m%d%H%M", "%Y-%m-%d")


def read(*texts: str, typed: bool = False, hour24: bool = True, forms=FORMS, reference=None):
    got = read_times(list(texts), forms, typed=typed, hour24=hour24, reference=reference)
    return local_text(got.micros).tolist(), got.status.tolist(), got.notes.tolist()


@pytest.mark.parametrize(
    "text",
    [
        "2026-04-01 08:00", "2026-04-01 08:00:00", "2026/4/1 8:00", "2026年4月1日8时", "202604010800",
        "2026-04-01T08:00:00+08:00", "2026-04-01T00:00:00Z", "２０２６-04-01 08:00", " 2026-04-01  08:00 ",
        "2026-04-01 00:00:00+00:00",
    ],
)  # fmt: skip
def test_every_spelling_of_one_hour_is_one_instant(text):
    assert read(text)[0] == ["2026-04-01T08:00+08:00"]


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("", "missing"), ("昨天", "unreadable"), ("2026-02-30 00:00", "impossible"), ("2026-04-01 25:00", "impossible"),
        ("2026-13-01 00:00", "impossible"), ("1/4/20", "ambiguous"), ("04/05/2020 01:00", "ambiguous"),
        ("20-4-1", "ambiguous"), ("43922", "unreadable"), ("2026-04-01 08:60", "impossible"),
    ],
)  # fmt: skip
def test_what_is_no_time_says_why(text, status):
    times, statuses, _ = read(text)
    assert (times, statuses) == ([""], [status])


def test_twenty_four_is_the_next_day_where_the_layout_says_so():
    assert read("2026-04-01 24:00") == (["2026-04-02T00:00+08:00"], [""], ["hour24"])
    assert read("2026-04-01 24:00", hour24=False)[1] == ["impossible"]
    assert read("2026-04-01 24:30")[1] == ["impossible"]


def test_a_serial_is_a_date_only_in_a_typed_cell():
    assert read("43922.125", typed=True) == (["2020-04-01T03:00+08:00"], [""], ["excel-serial"])
    assert read("43922.20833333334", typed=True)[0] == ["2020-04-01T05:00+08:00"]
    assert read("43922.125")[1] == ["unreadable"]


def test_a_stamp_without_a_year_is_the_last_one_before_receipt():
    forms = ("%m-%d %H:%M",)
    day = dt.date(2026, 1, 2)
    assert read("12-31 23:00", "01-01 00:00", forms=forms, reference=day)[0] == [
        "2025-12-31T23:00+08:00",
        "2026-01-01T00:00+08:00",
    ]
    assert read("12-31 23:00", forms=forms)[1] == ["unreadable"]


def test_milliseconds_of_a_packet_are_read():
    got = read_times(["20160824003817000"], ("%Y%m%d%H%M%S%f", "%Y%m%d%H%M%S"), typed=False, hour24=False)
    assert local_text(got.micros).tolist() == ["2016-08-24T00:38+08:00"]


def test_the_beginning_of_a_period_is_its_end_less_its_length():
    micros = np.array([DAY, NOT_A_TIME])
    assert minus_period(micros, "24h").tolist() == [0, NOT_A_TIME]
    assert minus_period(micros, "").tolist() == [DAY, NOT_A_TIME]


def test_the_quick_way_and_the_slow_way_agree():
    texts = [f"2026-04-{day:02d} {hour:02d}:00" for day in range(1, 31) for hour in range(24)]
    quick = read_times(texts, FORMS, typed=False, hour24=True)
    slow = read_times([t.replace("-", "/") for t in texts], FORMS, typed=False, hour24=True)
    assert (quick.micros == slow.micros).all() and not any(quick.status) and not any(slow.status)


def test_one_impossible_stamp_among_good_ones_spoils_none():
    times, statuses, _ = read("2026-04-01 08:00", "2026-02-30 08:00", "2026-04-01 09:00")
    assert statuses == ["", "impossible", ""]
    assert times == ["2026-04-01T08:00+08:00", "", "2026-04-01T09:00+08:00"]


@given(st.text(max_size=20))
def test_no_text_raises(text):
    read_times([text], FORMS, typed=True, hour24=True, reference=dt.date(2026, 4, 1))
