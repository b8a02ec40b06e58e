"""The example deliveries: always the same bytes, codes that hold, troubles where they are said to be."""

import csv
import io
import json
import runpy
import zipfile
from itertools import groupby
from pathlib import Path

import pytest
import python_calamine
from stdnum.cn import ric, uscc

from schemas.identifiers import read_uscc
from schemas.loaders import stations

EXAMPLES = Path(__file__).parents[2] / "examples"
MAKE = runpy.run_path(str(EXAMPLES / "make_deliveries.py"))
MADE: dict[str, bytes] = MAKE["deliveries"]()


def grid(name: str) -> list[list[object]]:
    """Read one CSV or workbook of the deliveries."""
    content = MADE[name]
    if name.endswith(".xlsx"):
        return python_calamine.load_workbook(io.BytesIO(content)).get_sheet_by_index(0).to_python()
    encoding = "utf-8-sig" if content.startswith(b"\xef\xbb\xbf") else "gb18030"
    return list(csv.reader(io.StringIO(content.decode(encoding))))


def records(name: str, first: str) -> list[dict[str, object]]:
    """Read the rows below the header row that starts with ``first``."""
    rows = grid(name)
    at = next(n for n, row in enumerate(rows) if row[0] == first)
    return [dict(zip(rows[at], row, strict=True)) for row in rows[at + 1 :] if not str(row[0]).startswith("注")]


def mianyang_air(day: str) -> list[dict[str, object]]:
    return records(f"mianyang/空气小时值_{day}.csv", "站点编码")


def test_the_committed_files_are_what_the_script_makes_byte_for_byte():
    folder = EXAMPLES / "deliveries"
    committed = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert sorted(committed) == sorted(MADE)
    assert [name for name in MADE if committed[name] != MADE[name]] == []


def test_a_second_run_makes_the_same_bytes():
    assert MAKE["deliveries"]() == MADE


def test_the_deliveries_stay_small():
    assert sum(map(len, MADE.values())) < 600_000


@pytest.mark.parametrize(
    ("name", "first", "column"),
    [
        ("beibei/企业环境信用评价结果_2025年度.xlsx", "企业名称", "统一社会信用代码"),
        ("mianyang/企业环境信用评价结果_2025年度.csv", "企业名称", "统一社会信用代码"),
        ("beibei/行政处罚_2026年4月.csv", "当事人名称", "统一社会信用代码"),
        ("mianyang/行政处罚_2026年4月.xlsx", "当事人名称", "统一社会信用代码"),
        ("beibei/专家名册_2026年.xlsx", "姓名", "单位统一社会信用代码"),
        ("mianyang/专家名册_2026年.csv", "姓名", "单位统一社会信用代码"),
    ],
)
def test_every_code_is_valid(name, first, column):
    codes = [str(row[column]) for row in records(name, first)]
    assert len(codes) >= 3
    assert [code for code in codes if not uscc.is_valid(code)] == []
    assert {read_uscc(code).status for code in codes} == {"valid"}


def test_the_supplement_holds_one_damaged_code():
    rows = records("mianyang/企业环境信用评价结果_2025年度_补报.csv", "企业名称")
    assert [read_uscc(str(row["统一社会信用代码"])).status for row in rows] == ["valid", "failing"]


def test_one_firm_is_rated_by_both_sides_and_one_fell_by_veto():
    there = records("mianyang/企业环境信用评价结果_2025年度.csv", "企业名称")
    here = records("beibei/企业环境信用评价结果_2025年度.xlsx", "企业名称")
    both = {row["统一社会信用代码"] for row in here} & {row["统一社会信用代码"] for row in there}
    assert len(both) == 1
    veto = [(row["得分"], row["评价等级"]) for row in there if row["一票否决情形"]]
    assert veto == [("92", "环保不良")]


@pytest.mark.parametrize("name", ["beibei/专家名册_2026年.xlsx", "mianyang/专家名册_2026年.csv"])
def test_experts_are_invented_people_with_numbers_of_no_place(name):
    for row in records(name, "姓名"):
        number = str(row["证件号码"])
        assert number.startswith("999999")
        assert ric.calc_check_digit(number) == number[-1]
        assert str(row["手机号"]).startswith("1380000")


def test_stations_sections_and_points_are_those_of_the_bureaus():
    for bureau in ("beibei", "mianyang"):
        known = {station.station_id: station.name_zh for station in stations(bureau)}
        used = {
            (code, name) for table in ("AIR", "WATER", "SOIL") for code, name, _ in MAKE[f"{bureau.upper()}_{table}"]
        }
        assert {(code, known.get(code)) for code, _ in used} == used


def test_the_values_of_live_instruments_do_not_stand_still():
    planted = []
    for day in ("20260406", "20260407", "20260408", "20260409", "20260410", "20260411", "20260412"):
        rows = mianyang_air(day)
        for code in ("1878A", "1879A", "1880A", "1881A"):
            for parameter in MAKE["AIR"]:
                series = [row[parameter] for row in rows if row["站点编码"] == code]
                longest = max((len(list(run)) for _, run in groupby(series)), default=0)
                if longest > 5:
                    planted.append((day, code, parameter, longest))
    assert planted == [("20260409", "1881A", "NO2(μg/m3)", 8)]


def test_mianyang_air_holds_the_troubles_the_readme_lists():
    first = {(row["站点编码"], row["监测时间"]): row for row in mianyang_air("20260406")}
    assert first["1879A", "2026-04-06 10:00"]["PM2.5(μg/m3)"] == "35O"
    assert not str(first["1880A", "2026-04-06 16:00"]["PM10(μg/m3)"]).isascii()
    second = mianyang_air("20260407")
    assert second[-1]["监测时间"] == "2026-04-07 24:00"
    above = [row for row in second if int(str(row["PM2.5(μg/m3)"])) > int(str(row["PM10(μg/m3)"]))]
    assert [(row["站点编码"], row["监测时间"]) for row in above] == [("1880A", "2026-04-07 11:00")]
    assert [row["站点编码"] for row in mianyang_air("20260410") if row["站点编码"] == "1414A"] == ["1414A"]
    texts = [tuple(row.values()) for row in mianyang_air("20260411")]
    assert len(texts) - len(set(texts)) == 1


def test_the_correction_changes_three_values_and_nothing_else():
    before, after = mianyang_air("20260408"), mianyang_air("20260408_更正")
    changed = [
        (old["站点编码"], header)
        for old, new in zip(before, after, strict=True)
        for header in old
        if old[header] != new[header]
    ]
    assert changed == [("1878A", "PM2.5(μg/m3)"), ("1879A", "PM10(μg/m3)"), ("1881A", "NO2(μg/m3)")]
    assert [row["O3(μg/m3)"] for row in before].count("-999") == 1


def test_beibei_air_has_two_header_rows_and_its_troubles():
    head, parameters = grid("beibei/空气小时值_2026-04-08.xlsx")[:2]
    assert head[:4] == ["站点编码", "站点名称", "监测时间", "监测项目"]
    assert parameters[3:9] == MAKE["AIR"]
    assert "1428A" in [row[0] for row in grid("beibei/空气小时值_2026-04-08.xlsx")]
    assert max(float(row[7]) for row in grid("beibei/空气小时值_2026-04-09.xlsx")[2:] if row[7] != "—") == 600
    with zipfile.ZipFile(io.BytesIO(MADE["beibei/空气小时值_2026-04-10.xlsx"])) as book:
        assert book.read("xl/worksheets/sheet1.xml").count(b't="e"') == 1


def test_the_json_day_is_a_list_of_objects_with_the_headers_of_the_template():
    rows = json.loads(MADE["beibei/空气小时值_2026-04-12.json"])
    assert len(rows) == 72
    assert {tuple(row) for row in rows} == {tuple(MAKE["AIR_HEADERS"])}


def test_one_of_24_packets_has_a_wrong_check():
    lines = MADE["mianyang/三水厂数采仪_20260412.txt"].split(b"\r\n")[:-1]
    assert len(lines) == 24
    assert all(int(line[2:6]) == len(line) - 10 for line in lines)
    wrong = [n for n, line in enumerate(lines) if MAKE["hj212_crc"](line[6:-4]) != line[-4:].decode()]
    assert wrong == [13]


def test_the_check_of_packets_is_that_of_the_standard():
    segment = b"QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;Flag=5;CP=&&RtdInterval=30&&"
    assert MAKE["hj212_crc"](segment) == "1C80"


def test_the_zip_holds_two_water_files_with_what_laboratories_write():
    with zipfile.ZipFile(io.BytesIO(MADE["mianyang/地表水_2026年第15周.zip"])) as archive:
        texts = [archive.read(name).decode("gb18030") for name in archive.namelist()]
    assert len(texts) == 2
    assert all(word in "".join(texts) for word in ("0.004L", "未检出", "--", "总氮(mg/L)", "化学需氧量(mg/L)"))
    automatic = list(csv.DictReader(io.StringIO(texts[0])))
    above = [
        row for row in automatic if "--" not in row.values() and float(row["氨氮(mg/L)"]) > float(row["总氮(mg/L)"])
    ]
    assert [(row["断面编码"], row["采样时间"]) for row in above] == [("MYW02", "2026-04-07 16:00")]
