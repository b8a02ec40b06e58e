"""Real published files: each is judged by a shipped layout or refused with words; what their papers call true holds."""

from __future__ import annotations

import csv
import json
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from stdnum.cn import uscc as stdnum_uscc

CNEMC, NOTICES = "cnemc", "notices"

ACCEPTED = {
    "air/aqistudy_daily_mianyang_20131231_20170131.csv": ("aqistudy_daily", 1128),
    "air/aqistudy_monthly_mianyang_201312_201701.csv": ("aqistudy_monthly", 39),
    "air/cnemc_hourly_20220820T15_slice.csv": ("cnemc_hourly_csv", 28),
    "air/cnemc_publish_live_20170707T16.geojson": ("cnemc_live_geojson", 1495),
    "air/cnemc_publish_live_20170707T16.xml": ("cnemc_live_xml", 1495),
    "air/hj212_packets_air.txt": ("hj212_air", 76),
    "air/pm25in_hourly_chongqing_20200402_20200408.csv": ("pm25in_hourly", 2880),
    "air/pm25in_hourly_mianyang_20200402_20200408.csv": ("pm25in_hourly", 396),
    "water/cnemc_water_realtime_raw_20260821T20_page1.json": ("cnemc_water_json", 480),
    "water/cnemc_water_wide_20260225_0900_cq_sc.csv": ("cnemc_water_wide", 140),
    "water/hj212_packets_water.txt": ("hj212_water", 91),
    "water/taihu_monthly_physicochemical_2007_2015.xlsx": ("taihu_monthly", 864),
    "soil/cumcm2011A附件_数据.xls": ("cumcm_2011a", 319),
    "credit/penalties_published.csv": ("penalties_published", 19),
    "credit/ratings_published.csv": ("ratings_published", 37),
}
"""File: the layout that takes it and the rows read."""

REFUSED = {
    "air/cumcm2019d_national_site_hourly_201811_201906.csv": ("no-header", "第 1 行已是数据（33、71、0.756"),
    "air/eea_legacy_station_metadata_first199.tsv": ("unknown-layout", "AirQualityStationEoICode"),
    "air/hj212_packets_air.sources.tsv": ("unknown-layout", "declared_length、actual_length"),
    "air/ontario_hourly_pm25_2020.csv": ("unknown-layout", "Fine particulate matter"),
    "air/openaq_latest_2020-09-17.csv": ("unknown-layout", "parameter、location、city"),
    "water/hj212_packets_water.sources.tsv": ("unknown-layout", "declared_length、actual_length"),
    "water/wqp_results_narrow_small.csv": ("unknown-layout", "OrganizationIdentifier"),
    "water/wqp_results_stf_fl_slice.csv": ("unknown-layout", "OrganizationIdentifier"),
    "soil/chorizonDL.csv": ("unknown-layout", "*ID、XCOO、YCOO"),
    "soil/chorizonDL_detection_limits.csv": ("unknown-layout", "column、detection_limit、unit"),
    "soil/jura_pred.csv": ("unknown-layout", "Xloc、Yloc"),
    "soil/meuse.csv": ("unknown-layout", "cadmium、copper"),
    "soil/trondelagO.csv": ("unknown-layout", "X.Loc_ID、LITHO"),
    "soil/original_rda/chorizonDL.rda": ("file-type", "xz 压缩包"),
    "soil/original_rda/meuse.rda": ("file-type", "gzip 压缩包"),
    "soil/original_rda/trondelagO.rda": ("file-type", "gzip 压缩包"),
    "soil/paper_tables/ChinaXiv-201711.02329V1_hebei_isatis_table1.html": ("file-type", ".html"),
    "soil/paper_tables/ChinaXiv-202104.00115V1_qinghai_lake_table2.html": ("file-type", ".html"),
    "soil/paper_tables/ChinaXiv-202106.00020V1_guangxi_flower_plots_table1.html": ("file-type", ".html"),
    "soil/paper_tables/ChinaXiv-202205.00008V1_guibei_mn_mine_table2.html": ("file-type", ".html"),
    "credit/agency_codes.csv": ("unknown-layout", "agency、code_from_index_no"),
    "credit/company_demo.txt": ("unknown-layout", "苏州利博优美网络服务有限公司"),
    "credit/company_suffix.txt": ("unknown-layout", "销售部"),
    "credit/name_variants.csv": ("unknown-layout", "canonical、variant"),
    "credit/old_registration_codes.csv": ("unknown-layout", "name、code_raw、kind"),
    "credit/rating_bands.csv": ("unknown-layout", "score_min_incl"),
    "credit/rating_counts.csv": ("unknown-layout", "total_stated"),
    "credit/uscc_bad_vectors.csv": ("unknown-layout", "input、expect"),
    "credit/uscc_codes_stdnum.csv": ("unknown-layout", "gb32100_ok"),
    "credit/uscc_named_cases.csv": ("unknown-layout", "name_raw、expect"),
}
"""File: the code of its refusal and the words of it that say what stood there."""


def sender(name: str) -> str:
    return NOTICES if name.startswith("credit/") else CNEMC


@pytest.fixture(scope="module")
def take(shared, walk):
    """Walk a published file by its name."""
    return lambda name: walk(shared / "data" / name, sender(name))


def raw_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def wide(frame: pd.DataFrame, index: str | list[str]) -> pd.DataFrame:
    return frame.pivot(index=index, columns="parameter", values="value")


def test_every_published_file_has_its_expected_end(shared):
    there = {
        str(path.relative_to(shared / "data"))
        for room in ("air", "water", "soil", "credit")
        for path in (shared / "data" / room).rglob("*")
        if path.is_file() and path.suffix != ".md"
    }
    assert there == set(ACCEPTED) | set(REFUSED)


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_published_file_is_taken_by_its_layout_whole(name, take):
    walked = take(name)
    assert walked.error is None, walked.error
    verdict = walked.verdict
    layout, rows = ACCEPTED[name]
    assert (walked.state, verdict.batch.layout.layout, verdict.row_counts["read"]) == ("accepted", layout, rows)
    counts = verdict.result_counts
    assert counts["read"] == counts["published"] + counts["quarantined"] + counts["repeated"]
    assert counts["published"] == len(walked.table) > 0
    key = [n for n in verdict.batch.table.key if n in walked.table]
    assert not walked.table.duplicated(key).any()


@pytest.mark.parametrize("name", REFUSED)
def test_a_published_file_nobody_knows_is_refused_with_what_stands_in_it(name, take):
    code, says = REFUSED[name]
    error = take(name).error
    assert error is not None
    assert error.code == code
    assert says in error.message
    if code != "file-type":
        assert error.row == 1 and error.message_en


@pytest.mark.parametrize("name", [n for n in ACCEPTED if n.startswith(("air/", "water/"))])
def test_what_a_publisher_derived_never_stands_among_what_was_measured(name, take):
    from schemas.loaders import parameters

    walked = take(name)
    derived = {"AQI", "水质类别", "空气质量指数", "排名", "AQI范围", "aqi", "city_rank"}
    means = re.compile(r"(_24h|8h|日均|最大|AQI|类别|排名)", re.IGNORECASE)
    columns = {c.letter: c.header for c in walked.verdict.batch.columns}
    swapped = "swapped-columns" in {note.what for note in walked.notes}
    for letter, parameter in set(zip(walked.table["source_column"], walked.table["parameter"], strict=True)):
        header = columns[letter]
        if parameters()[parameter].publisher:
            assert parameter.startswith("pub:")
        elif swapped and header.upper() in ("O3_24H", "O3_8H_24H"):
            assert parameter in ("O3", "O3_8h")
        else:
            assert header not in derived and not means.search(header), (header, parameter)


# -- air ----------------------------------------------------------------------------------------------------------------

XML, GEOJSON = "air/cnemc_publish_live_20170707T16.xml", "air/cnemc_publish_live_20170707T16.geojson"


def test_xml_and_geojson_of_one_hour_give_one_table(take):
    order = ["station_id", "parameter", "averaging_period"]
    one, other = (take(name).table.sort_values(order, ignore_index=True) for name in (XML, GEOJSON))
    lineage = ["batch_id", "source_row", "source_column"]
    pd.testing.assert_frame_equal(one.drop(columns=lineage), other.drop(columns=lineage))
    assert len(one) == 21793
    assert take(XML).verdict.result_counts == take(GEOJSON).verdict.result_counts


def test_the_hours_of_a_feed_that_stamps_the_end_begin_one_hour_before(take):
    frame = take(XML).table
    hours = frame[frame["averaging_period"] == "1h"]["period_start"].unique()
    assert [str(h) for h in hours] == ["2017-07-07 07:00:00"]
    days = frame[frame["parameter"] == "pub:PM10_24h"]["period_start"].unique()
    assert [str(h) for h in days] == ["2017-07-06 08:00:00"]


@pytest.mark.parametrize("name", [XML, GEOJSON, "air/cnemc_hourly_20220820T15_slice.csv"])
def test_the_swapped_ozone_columns_are_put_right(name, take):
    walked = take(name)
    table = wide(walked.table, "station_id").dropna(subset=["O3", "pub:O3_24h"])
    above = table.index[table["O3"] > table["pub:O3_24h"]].tolist()
    assert above == []
    assert len(table) == {XML: 1460, GEOJSON: 1460}.get(name, len(table)) > 20
    assert walked.noted("swapped-columns") == 2 * walked.verdict.row_counts["read"]
    cells = walked.table.set_index(["station_id", "parameter"])["source_column"]
    header = {c.letter: c.header for c in walked.verdict.batch.columns}
    assert {header[c].upper() for c in cells.xs("O3", level=1)} == {"O3_24H"}
    assert {header[c].upper() for c in cells.xs("pub:O3_24h", level=1)} == {"O3"}


def iaqi(breakpoints: list[tuple[float, float]], value: float) -> int:
    """Sub-index of one concentration (HJ 633-2012), rounded up; above the last break point the top of the scale."""
    for (low, start), (high, end) in zip(breakpoints, breakpoints[1:], strict=False):
        if value <= high:
            return math.ceil((end - start) / (high - low) * (value - low) + start)
    return int(breakpoints[-1][1])


def test_the_hourly_index_proves_which_column_is_the_ozone_hour(take):
    from schemas.files import SCHEMAS

    periods = {"PM2.5": "24h", "PM10": "24h", "SO2": "1h", "NO2": "1h", "CO": "1h", "O3": "1h"}
    points: dict[str, list[tuple[float, float]]] = {}
    for row in raw_rows(SCHEMAS / "standards/hj633-2012_breakpoints.csv"):
        if row["breakpoint"] and periods.get(row["parameter"]) == row["averaging_period"]:
            points.setdefault(row["parameter"], []).append((float(row["breakpoint"]), float(row["iaqi"])))
    table = wide(take(XML).table, "station_id").dropna(subset=[*periods, "pub:AQI"])

    def reproduced(ozone: str) -> int:
        return sum(
            max(iaqi(sorted(points[p]), row[ozone if p == "O3" else p]) for p in periods) == row["pub:AQI"]
            for _, row in table.iterrows()
        )

    assert len(table) == 1324
    assert reproduced("O3") == 1324
    assert reproduced("pub:O3_24h") < 800


def test_the_live_feed_keeps_its_silent_stations_as_missing(take):
    walked = take(XML)
    assert walked.verdict.batch.rows["place_id"].nunique() == 1495
    assert walked.verdict.result_counts["missing"] == 1495 * 15 - 21793
    assert walked.table["station_id"].nunique() == 1463
    assert "淮河道" in set(walked.table["station_name"]) and not any(" " in n for n in walked.table["station_name"])
    assert walked.noted("trimmed") == 24


def test_gases_of_2017_refer_to_273_k_and_of_2022_to_298_k(take):
    for name, gas, particle in ((XML, "273K", "273K"), ("air/cnemc_hourly_20220820T15_slice.csv", "298.15K", "actual")):
        frame = take(name).table
        assert set(frame.loc[frame["parameter"] == "SO2", "reference_state"]) == {gas}
        assert set(frame.loc[frame["parameter"] == "PM2.5", "reference_state"]) == {particle}
        assert set(frame.loc[frame["parameter"] == "pub:AQI", "reference_state"]) == {""}


def test_pm25in_repeats_are_told_once(take, shared):
    walked = take("air/pm25in_hourly_mianyang_20200402_20200408.csv")
    assert (walked.verdict.row_counts["repeated"], walked.verdict.row_counts["refused"]) == (20, 0)
    rows = raw_rows(shared / "data/air/pm25in_hourly_mianyang_20200402_20200408.csv")
    assert len(rows) == 396
    assert len({(r["Date"], r["Hour"], r["WatchPoint"]) for r in rows}) == 376
    assert set(walked.table["station_id"]) == {
        "绵阳市:富乐山",
        "绵阳市:市人大",
        "绵阳市:高新区自来水公司",
        "绵阳市:三水厂",
    }


def test_pm25in_not_a_number_is_missing(take, shared):
    name = "air/pm25in_hourly_chongqing_20200402_20200408.csv"
    rows = raw_rows(shared / "data" / name)
    fields = ("AQI", "PM2.5", "PM10", "CO", "NO2", "O3_1h", "O3_8h", "SO2")
    walked = take(name)
    assert walked.verdict.result_counts["missing"] == sum(r[f] in ("NaN", "", "_") for r in rows for f in fields)
    assert not {"高家花园", "解放碑", "杨家坪", "南泉"} & set(walked.table["station_name"])


def test_twins_are_flagged_and_not_merged_and_the_frozen_one_is_told(take):
    walked = take("air/pm25in_hourly_chongqing_20200402_20200408.csv")
    frame = walked.table
    assert {"缙云山", "缙云山(对照点)", "歇台子", "歇台子(启用161118)"} <= set(frame["station_name"])
    twins = set(walked.findings.loc[walked.findings["rule"] == "AIR-008", "value"])
    assert {"缙云山", "缙云山(对照点)", "歇台子", "歇台子(启用161118)"} <= twins and "天生" not in twins
    frozen = walked.findings[walked.findings["rule"] == "AIR-044"]
    stuck = {key.split()[0] for key in frozen["key"]}
    assert "重庆市:缙云山" in stuck and "重庆市:歇台子(启用161118)" in stuck
    mine = frame[(frame["station_name"] == "缙云山") & (frame["parameter"] == "PM2.5")]
    assert set(mine["value"]) == {31} and set(mine["flag"]) == {3}


def test_a_city_day_keeps_both_ends_of_its_range_and_a_rank_of_nought_is_none(take, shared):
    name = "air/aqistudy_daily_mianyang_20131231_20170131.csv"
    walked = take(name)
    frame = walked.table
    table = wide(frame, "source_row")
    assert (table["pub:AQI_low"] <= table["pub:AQI"]).all() and (table["pub:AQI"] <= table["pub:AQI_high"]).all()
    assert len(table) == 1128 and table["pub:city_rank"].isna().sum() == 74
    assert not (table["pub:city_rank"] == 0).any()
    assert all(name.startswith("pub:") for name in table.columns)
    first = (shared / "data" / name).read_text("utf-8-sig").splitlines()[0].split(",")
    assert table.iloc[0]["pub:AQI"] == float(first[2])
    assert walked.found("AIR-046") == []


# -- packets ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("medium", ["air", "water"])
def test_each_packet_is_judged_by_its_crc_and_noted_for_its_length(medium, take, shared):
    walked = take(f"{medium}/hj212_packets_{medium}.txt")
    with (shared / f"data/{medium}/hj212_packets_{medium}.sources.tsv").open(encoding="utf-8") as stream:
        sources = list(csv.DictReader(stream, delimiter="\t"))
    texts = (shared / f"data/{medium}/hj212_packets_{medium}.txt").read_text("ascii").splitlines()
    rows = walked.verdict.batch.rows
    grid = walked.raw.sheets[0].cells.to_pylist()[1:]
    numbers = walked.raw.sheets[0].rows.tolist()[1:]
    # the packets in order: a new one wherever the tail of lengths and sums, or the head, changes
    packet, last, at_of = -1, None, {}
    heads = [(t[2:6], re.search(r"&&([0-9A-Fa-f]{4})$", t)[1]) for t in texts]
    for number, row in zip(numbers, grid, strict=True):
        cells = list(row.values())
        tail = (cells[-4], cells[-2])
        if (tail, cells[:4]) != last:
            packet, last = packet + 1, (tail, cells[:4])
        at_of[number] = packet
        assert heads[packet] == tail
    assert packet + 1 == len(sources) == len(texts)
    for kind, field in (("crc_status", "crc_ok"), ("length_status", "length_ok")):
        told = {
            at_of[number]: word == ""
            for number, word in zip(rows["source_row"].tolist(), rows[kind].tolist(), strict=True)
        }
        assert told == {i: s[field] == "yes" for i, s in enumerate(sources)}, kind
    refused = {at_of[int(c.lstrip("A"))] for c in walked.found({"air": "AIR-028", "water": "WATER-028"}[medium])}
    assert refused == {i for i, s in enumerate(sources) if s["crc_ok"] == "no"}
    assert not {at_of[r] for r in walked.table["source_row"]} & refused


# -- water --------------------------------------------------------------------------------------------------------------


def test_the_publishers_json_shows_what_it_says(take, shared):
    name = "water/cnemc_water_realtime_raw_20260821T20_page1.json"
    walked = take(name)
    frame = walked.table
    page = json.loads((shared / "data" / name).read_text("utf-8"))
    body = page["tbody"]
    assert walked.verdict.batch.rows["place_id"].nunique() == len(body) == 480
    assert walked.noted("declared-total") == 1136
    plain = re.compile(r"<[^>]*>")
    shown = {
        (at + 2, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[i]): plain.sub("", str(cell)).strip()
        for at, row in enumerate(body)
        for i, cell in enumerate(row)
    }
    for row in frame.itertuples():
        text = shown[row.source_row, row.source_column]
        factor = 1000 if row.parameter == "Chla" and row.unit == "ug/L" else 1
        assert row.value == pytest.approx(float(text) * factor, rel=1e-12), row
    assert (
        walked.noted("missing-marker")
        == sum(text == "--" for text in shown.values()) + sum(r[4] == "-1" for r in body)
        == 1052 + 49 + 1
    )


def test_the_class_is_the_publishers_and_minus_one_is_none(take, shared):
    name = "water/cnemc_water_wide_20260225_0900_cq_sc.csv"
    rows = raw_rows(shared / "data" / name)
    walked = take(name)
    frame = walked.table
    classes = frame[frame["parameter"] == "pub:water_class"]
    assert len(rows) == 140 and frame["section_id"].nunique() == 138
    assert len(classes) == sum(r["水质类别"] != "-1" for r in rows) == 138
    assert set(classes["value"]) <= {1, 2, 3, 4, 5, 6}
    dashes = sum(value == "--" for r in rows for value in r.values())
    assert walked.verdict.result_counts["missing"] == dashes + 2
    assert {str(t)[:4] for t in frame["sample_time"]} == {"2026"}
    beibei = frame[frame["section_name"] == "北温泉"]
    raw = next(r for r in rows if r["断面名称"] == "北温泉")
    assert beibei.set_index("parameter")["value"]["NH3-N"] == float(
        raw["氨氮(mg/L)"] if "氨氮(mg/L)" in raw else raw["氨氮"]
    )


def test_taihu_nitrite_comes_in_micrograms_and_a_slash_is_missing(take, shared):
    import openpyxl

    name = "water/taihu_monthly_physicochemical_2007_2015.xlsx"
    walked = take(name)
    frame = walked.table
    sheet = openpyxl.load_workbook(shared / "data" / name, data_only=True).worksheets[0]
    header = [str(c.value) for c in sheet[1]]
    nitrite = header.index("亚硝酸盐氮(μg/L)")
    written = {r: row[nitrite].value for r, row in enumerate(sheet.iter_rows(min_row=2), 2)}
    mine = frame[frame["parameter"] == "NO2-N"]
    assert set(mine["unit"]) == {"mg/L"} and len(mine) > 800
    for row in mine.itertuples():
        assert row.value == pytest.approx(float(written[row.source_row]) / 1000, rel=1e-12)
    slashes = sum(cell.value == "/" for row in sheet.iter_rows(min_row=2) for cell in row)
    assert walked.verdict.result_counts["missing"] == walked.noted("missing-marker") == slashes == 14
    doc = frame[frame["parameter"] == "DOC"]
    assert doc["value"].max() == 851.953
    assert frame["section_id"].nunique() == 8


def test_taihu_outliers_are_told_by_their_colour(take):
    walked = take("water/taihu_monthly_physicochemical_2007_2015.xlsx")
    said = walked.verdict.batch.results["mark"].astype("str").value_counts().to_dict()
    assert (said["outlier"], said["abnormal"]) == (407, 212)
    assert len(walked.found("WATER-047")) == 407 + 212
    frame = walked.table
    flags = frame.set_index(["source_row", "source_column"])["flag"]
    assert {flags[int(cell[1:]), cell[0]] for cell in walked.found("WATER-047")} == {3}
    assert frame.loc[frame["parameter"] == "DOC"].set_index("value")["flag"][851.953] == 3


# -- soil ---------------------------------------------------------------------------------------------------------------


def test_the_city_soil_comes_in_milligrams_with_its_zones(take):
    walked = take("soil/cumcm2011A附件_数据.xls")
    frame = walked.table
    table = wide(frame, "point_id")
    first = next(point for point in table.index if point.rpartition(":")[2] == "1")
    assert (table.loc[first, "Cd_soil"], table.loc[first, "Hg_soil"]) == (0.1538, 0.266)
    highest = {"Hg_soil": 16.0, "Cu_soil": 2528.48, "Zn_soil": 3760.82, "Cr_soil": 920.84}
    assert {name: float(table[name].max()) for name in highest} == highest
    assert str(table["Hg_soil"].idxmax()).rpartition(":")[2] == "9"
    assert set(frame["unit"]) == {"mg/kg"} and table.shape == (319, 8)
    zones = frame.drop_duplicates("point_id")["land_use"].value_counts().to_dict()
    assert zones == {"生活区": 44, "工业区": 36, "山区": 66, "交通区": 138, "公园绿地区": 35}
    depths = frame[["depth_from_cm", "depth_to_cm"]].drop_duplicates().to_numpy().tolist()
    assert depths == [[0.0, 10.0]]
    text = frame.loc[(frame["point_id"] == first) & (frame["parameter"] == "Cd_soil"), "result_text"].item()
    assert text == "153.8"


# -- credit -------------------------------------------------------------------------------------------------------------


def test_published_ratings_keep_level_state_and_scheme_as_written(take, shared):
    walked = take("credit/ratings_published.csv")
    frame = walked.table.sort_values("source_row")
    rows = raw_rows(shared / "data/credit/ratings_published.csv")
    assert len(frame) == len(rows) == 37
    assert frame["level_text"].tolist() == [r["rating_raw"] for r in rows]
    assert frame["rated_year"].tolist() == [int(r["year"][:4]) for r in rows]
    assert set(frame["uscc_status"]) == {"none"} and set(frame["state"]) == {"final"}
    assert frame["scheme"].value_counts().to_dict() == {"企业环境信用评价": 32, "重点行业企业大气污染防治绩效评级": 5}


def test_published_penalties_tell_their_codes_and_fines(take, shared):
    walked = take("credit/penalties_published.csv")
    frame = walked.table.sort_values("source_row")
    rows = raw_rows(shared / "data/credit/penalties_published.csv")
    codes = [r["uscc_raw"].strip() for r in rows]
    expected = [
        "none" if not c else "masked" if "*" in c else "valid" if stdnum_uscc.is_valid(c) else "?" for c in codes
    ]
    assert frame["uscc_status"].tolist() == expected
    assert {word: expected.count(word) for word in set(expected)} == {"valid": 15, "none": 3, "masked": 1}
    assert frame["uscc"].tolist() == [c if e == "valid" else "" for c, e in zip(codes, expected, strict=True)]
    fines = dict(zip([r["fine_raw"] for r in rows], frame["fine_yuan"].tolist(), strict=True))
    assert fines["1万元"] == 10000 and fines["7,200.00元(大写:柒仟贰佰元整)"] == 7200
    assert sum(not np.isnan(v) for v in frame["fine_yuan"]) == 2
    assert frame["decision_number"].tolist() == ["".join(r["doc_no_raw"].split()) for r in rows]
    assert walked.found("PENALTY-013") == [f"H{at}" for at, word in enumerate(expected, 2) if word == "masked"]


# -- down the whole road ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_second_format_of_one_hour_changes_nothing(shared, gongzhi, home):
    first = gongzhi("submit", shared / "data" / XML, "--bureau", CNEMC, "--json", home=home)
    assert first.exit == 0, first.err
    [told] = first.objects
    [air] = [t for t in told["tables"] if t["table"] == "air_observation"]
    assert (air["added"], air["corrected"]) == (21793, 0)
    second = gongzhi("submit", shared / "data" / GEOJSON, "--bureau", CNEMC, "--json", home=home)
    assert second.exit == 0, second.err
    [told] = second.objects
    assert told["state"] == "published"
    for table in told["tables"]:
        assert (table["added"], table["corrected"]) == (0, 0), table
    [again] = [t for t in told["tables"] if t["table"] == "air_observation"]
    assert again["unchanged"] == 21793 and again["version"] == air["version"]


@pytest.mark.slow
def test_every_published_file_goes_down_the_whole_road(shared, gongzhi, home):
    for bureau in (CNEMC, NOTICES):
        files = [
            shared / "data" / name for name in ACCEPTED if sender(name) == bureau and not name.endswith(".geojson")
        ]
        ran = gongzhi("submit", *files, "--bureau", bureau, "--json", home=home)
        assert "Traceback" not in ran.err
        for told in ran.objects:
            assert told["state"] == "published", told["error"]
            assert sum(t["added"] for t in told["tables"][:1]) == told["results"]["published"]
