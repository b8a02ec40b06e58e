"""A recognised grid to rows and results: wide and long, headers with units, joined and further columns, notes."""

import math

import pytest

from pipelines.errors import MissingColumn, UnknownColumn

AIR = {
    "站点编码": "1414A", "站点名称": "缙云山", "监测时间": "2026-04-01 08:00", "PM2.5(μg/m3)": "35", "PM10(μg/m3)": "60",
    "SO2(μg/m3)": "6", "NO2(μg/m3)": "20", "CO(mg/m3)": "0.6", "O3(μg/m3)": "80", "备注": "",
}  # fmt: skip


def values(batch) -> dict[str, float]:
    return dict(zip(batch.results["parameter"].astype("str"), batch.results["value"].tolist(), strict=True))


def noted(batch, what: str) -> list[tuple[int, str]]:
    return [(note.count, note.where) for note in batch.normalised if note.what == what]


def test_a_wide_row_gives_one_result_a_parameter(standard):
    batch = standard([AIR])
    assert values(batch) == {"PM2.5": 35, "PM10": 60, "SO2": 6, "NO2": 20, "CO": 0.6, "O3": 80}
    assert set(batch.results["averaging_period"].astype("str")) == {"1h"}
    assert (len(batch.rows), batch.missing) == (1, 0)


def test_a_blank_cell_is_missing_and_counted_apart(standard):
    batch = standard([AIR | {"PM2.5(μg/m3)": "", "O3(μg/m3)": "—"}])
    assert "PM2.5" not in values(batch) and batch.missing == 2
    assert [n.what_zh for n in batch.normalised] == ["缺测标记“—”按缺测处理（未测或不适用）"]


def test_what_was_written_stays_beside_what_was_understood(standard):
    batch = standard([AIR | {"PM2.5(μg/m3)": " ３５ "}])
    first = batch.results.iloc[0]
    assert (first["value"], first["result_text"]) == (35, " ３５ ")
    assert noted(batch, "full-width") == [(1, "D2")] and noted(batch, "trimmed") == [(1, "D2")]


def test_a_unit_in_the_header_is_converted_and_told(standard):
    row = {k.replace("CO(mg/m3)", "CO(μg/m3)"): v for k, v in AIR.items()} | {"CO(μg/m3)": "600"}
    batch = standard([row])
    assert values(batch)["CO"] == 0.6
    assert [n.what_zh for n in batch.normalised if n.what == "unit"] == ["单位换算 μg/m3 → mg/m3"]


def test_a_further_column_of_a_known_parameter_is_taken(standard):
    assert values(standard([AIR | {"一氧化氮(μg/m3)": "3"}]))["NO"] == 3


def test_an_unknown_column_is_named_with_the_nearest(standard):
    with pytest.raises(UnknownColumn) as refusal:
        standard([AIR | {"PM2.5浓度值": "3"}])
    assert "K 列" in refusal.value.message and "PM2.5浓度值" in refusal.value.message


def test_a_lacking_column_is_named(standard):
    with pytest.raises(MissingColumn, match="O3"):
        standard([{k: v for k, v in AIR.items() if not k.startswith("O3")}])


def test_notes_totals_and_example_rows_are_no_data(standard):
    batch = standard(
        [
            AIR | {"站点编码": "示例：1414A"},
            AIR,
            AIR | {"监测时间": "2026-04-01 09:00"},
            {"站点编码": "合计", "PM2.5(μg/m3)": "70"},
        ]
    )
    assert batch.rows["source_row"].tolist() == [3, 4]
    assert noted(batch, "footer-row") == [(1, "第 5 行")] and len(noted(batch, "example-row")) == 1


def test_a_blank_row_between_records_keeps_the_numbers(standard):
    text = (
        "\n".join(
            [",".join(AIR), ",".join(AIR.values()), ",,,,,,,,,", ",".join(AIR.values()).replace("08:00", "09:00")]
        )
        + "\n"
    )
    assert standard(text).rows["source_row"].tolist() == [2, 4]


def test_a_record_of_other_length_is_a_row_without_results(standard):
    text = (
        ",".join(AIR)
        + "\n"
        + ",".join(AIR.values())
        + "\n"
        + "1414A，缙云山\n"
        + ",".join(AIR.values()).replace("08:00", "09:00")
        + "\n"
    )
    batch = standard(text)
    broken = batch.rows[batch.rows["record_status"] == "broken"]
    assert broken["source_row"].tolist() == [3] and "全角逗号" in broken["place_hint"].item()
    assert set(batch.results["row"]) == {0, 1}


def test_a_file_whose_every_record_is_broken_is_judged_not_crashed(standard):
    line = ",".join([*AIR.values(), "多", "余"])
    batch = standard("\n".join([",".join(AIR), line, line]) + "\n")
    assert batch.rows["record_status"].astype("str").tolist() == ["broken", "broken"] and len(batch.results) == 0


def test_one_result_a_row_is_read_with_its_own_unit(standard):
    base = {"water": "BBW01", "时间": "2026-04-01 08:00", "因子": "氨氮", "数值": "0.21", "单位": "mg/L", "标记": "N"}
    batch = standard(
        [base, base | {"因子": "镉", "数值": "0.8", "单位": "μg/L"}, base | {"因子": "总磷", "数值": "0.01L"}]
    )
    assert values(batch)["NH3-N"] == 0.21 and values(batch)["Cd"] == 0.0008 and math.isnan(values(batch)["TP"])
    assert batch.results["detection_limit"].tolist()[2] == 0.01


def test_a_converted_limit_is_in_the_canonical_unit_too(standard):
    base = {"water": "BBW01", "时间": "2026-04-01 08:00", "因子": "镉", "数值": "0.5L", "单位": "μg/L"}
    assert standard([base]).results["detection_limit"].tolist() == [0.0005]


def test_the_city_comes_from_the_file_name_where_the_feed_has_none(standard):
    text = "Date,Hour,WatchPoint,AQI,Level,PrimaryPollution,PM2.5,PM10,CO,NO2,O3_1h,O3_8h,SO2\n20200402,08,富乐山,50,优,,35,60,0.6,20,80,70,6\n"
    batch = standard(text, "cnemc", name="pm25in_hourly_mianyang_20200402.csv")
    assert batch.rows["place_id"].astype("str").tolist() == ["绵阳市:富乐山"]
    with pytest.raises(MissingColumn, match="城市"):
        standard(text, "cnemc", name="data_2020.csv")


def test_swapped_columns_are_exchanged_within_their_dates_only(standard):
    head = (
        "timepoint,stationcode,longitude,latitude,area,positionname,primarypollutant,aqi,pm10,pm10_24h,pm2_5,pm2_5_24h,"
        "o3,o3_24h,o3_8h,o3_8h_24h,no2,no2_24h,so2,so2_24h,co,co_24h\n"
    )
    row = "{},1421A,1,2,重庆市,茶园,,43,15,47,6,13,142,135,94,94,8,48,6,7,0.3,0.5\n"
    batch = standard(head + row.format("2022-12-31T15:00:00") + row.format("2023-01-01T15:00:00"), "cnemc")
    ozone = batch.results[batch.results["parameter"] == "O3"]
    assert ozone["value"].tolist() == [135, 142]
    letters = [batch.columns[c].letter for c in ozone["column"]]
    assert letters == ["N", "M"]


def test_an_answer_of_the_uploader_is_read_back(standard):
    batch = standard([AIR | {"错误说明": "超出合理范围", "说明（填报人填写）": "沙尘天气"}])
    assert batch.answers == {(2, ""): "沙尘天气"}


def test_a_unit_written_in_the_cell_wins_and_is_named(standard):
    batch = standard([AIR | {"PM2.5(μg/m3)": "0.035 mg/m3", "PM10(μg/m3)": "60μg/m³"}])
    assert values(batch)["PM2.5"] == 35 and values(batch)["PM10"] == 60
    assert [count for count, _ in noted(batch, "unit-in-cell")] == [1, 1]


def test_a_unit_in_the_cell_that_does_not_convert_refuses_the_value(standard):
    batch = standard([AIR | {"PM2.5(μg/m3)": "35ppb", "CO(mg/m3)": "0.6%"}])
    status = dict(zip(batch.results["parameter"].astype("str"), batch.results["status"].astype("str"), strict=True))
    assert status["PM2.5"] == "unit-inconvertible" and status["CO"] == "unit-inconvertible"
    assert math.isnan(values(batch)["PM2.5"])


def test_a_number_in_another_notation_is_read_and_named(standard):
    batch = standard([AIR | {"PM2.5(μg/m3)": "1.2×10^2", "PM10(μg/m3)": "1,050", "O3(μg/m3)": "−5"}])
    assert (values(batch)["PM2.5"], values(batch)["PM10"], values(batch)["O3"]) == (120, 1050, -5)
    assert noted(batch, "notation") == [(3, "")]


def test_totals_and_signatures_below_the_records_are_no_records(standard):
    footer = dict.fromkeys(AIR, "")
    batch = standard(
        [
            AIR,
            footer | {"站点编码": "合计", "PM2.5(μg/m3)": "35"},
            footer | {"站点编码": "填报人：张三", "监测时间": "审核人：李四"},
        ]
    )
    assert len(batch.rows) == 1 and noted(batch, "footer-row")[0][0] == 2


def test_a_row_of_units_below_the_header_is_part_of_it(standard):
    names = {key: key.split("(")[0] for key in AIR}
    header = {names[key]: value for key, value in AIR.items()}
    units = dict.fromkeys(header, "") | {
        "PM2.5": "mg/m3",
        "PM10": "(μg/m3)",
        "SO2": "μg/m3",
        "NO2": "μg/m3",
        "CO": "mg/m3",
        "O3": "μg/m3",
    }
    batch = standard([units, header | {"PM2.5": "0.035"}])
    assert len(batch.rows) == 1 and values(batch)["PM2.5"] == 35
