"""Places: by code, by name with its drift; another bureau's and unknown ones are told; twins are not merged."""

import numpy as np
import pytest

from pipelines.standardise.places import base_name, name_key, resolve
from pipelines.standardise.text import TextColumn
from schemas.loaders import bureaus

STAMP = 1_775_000_000_000_000
"""2026-04-01 in China."""


def place(code=None, name=None, area=None, bureau="beibei", medium="air", stamp=STAMP):
    def column(text):
        return None if text is None else TextColumn(np.zeros(1, np.int32), [text])

    found = resolve(column(code), column(name), column(area), np.array([stamp]), bureaus()[bureau], medium)
    return found.ids[0], found.names[0], found.status[0], found.hints[0]


@pytest.mark.parametrize("code", ["1414A", " 1414A ", "1414a", "１４１４Ａ"])
def test_a_code_is_found_in_any_width_and_case(code):
    assert place(code, "缙云山")[:3] == ("1414A", "缙云山", "")


@pytest.mark.parametrize(
    "name", ["缙云山", " 缙云山　", "缙云山(对照点)", "缙云山（对照点）", "缙 云 山", "缙云山（启用20220628）"]
)
def test_a_name_is_found_with_its_drift(name):
    assert place(name=name)[:3] == ("1414A", "缙云山", "")


def test_a_name_that_is_not_that_of_the_code_is_told():
    assert place("1414A", "天生")[2:] == ("name-differs", "登记名称为“缙云山”")


def test_a_place_of_another_bureau_names_its_owner():
    assert place("1878A", "富乐山")[2:] == ("foreign", "1878A 属于 绵阳市生态环境局")


def test_an_unknown_code_gets_the_nearest_ones():
    assert place("1414B")[2] == "unknown" and "1414A" in place("1414B")[3]
    assert "登记的编码是 1414A" in place("1", "缙云山")[3] and "前导零" in place("1", "缙云山")[3]


def test_neither_code_nor_name_is_missing():
    assert place("", "")[2] == "missing"


def test_a_station_belongs_to_its_bureau_between_its_dates():
    day = 86_400_000_000
    last = 1_762_272_000_000_000  # 2025-11-05 00:00 in China
    assert place("1428A", stamp=last + 23 * day // 24)[2] == ""
    assert place("1428A", stamp=last + day)[2] == "outside"


def test_a_soil_point_under_the_bureaus_prefix_needs_no_list():
    assert place("BBS77", "新点", medium="soil")[:3] == ("BBS77", "新点", "")
    assert place("MYS01", medium="soil")[2] == "foreign"


def test_an_open_feed_brings_its_places_by_city_and_name():
    assert place(name="市人大", area="绵阳市", bureau="cnemc")[:3] == ("绵阳市:市人大", "市人大", "")
    assert place("9999X", "新站", "某市", bureau="cnemc")[:3] == ("9999X", "新站", "")


def test_twins_are_told_only_within_one_city():
    names = ["缙云山", "缙云山(对照点)", "天生"]
    column = TextColumn(np.arange(3, dtype=np.int32), names)
    areas = TextColumn(np.array([0, 0, 0], np.int32), ["重庆市"])
    found = resolve(None, column, areas, np.full(3, STAMP), bureaus()["cnemc"], "air")
    assert found.status.tolist() == ["twin", "twin", ""] and len(set(found.ids)) == 3
    apart = TextColumn(np.array([0, 1, 0], np.int32), ["重庆市", "绵阳市"])
    found = resolve(None, column, apart, np.full(3, STAMP), bureaus()["cnemc"], "air")
    assert found.status.tolist() == ["", "", ""]


def test_brackets_of_both_widths_are_remarks():
    assert base_name("歇台子（启用161118）") == base_name("歇台子(停运170928)") == "歇台子"
    assert name_key(" 市环保局　") == "市环保局"
    assert base_name("(全名在括号里)") == "(全名在括号里)"
