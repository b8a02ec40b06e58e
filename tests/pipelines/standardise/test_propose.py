"""Drafted layouts: what is recognised, what is left open, and that a confirmed draft is a layout."""

import tomllib

import numpy as np
import pyarrow as pa
import pytest

from pipelines.batch import RawBatch, Sheet
from pipelines.errors import UnknownColumn
from pipelines.intake.recognise import recognise
from pipelines.standardise.propose import propose
from schemas.files import MalformedFact
from schemas.header_words import header_words
from schemas.layouts import layouts, read_layout


def sheet(rows, name=None, **more):
    width = max(len(row) for row in rows)
    columns = {
        f"c{at}": pa.array([row[at] if at < len(row) else "" for row in rows]).dictionary_encode()
        for at in range(width)
    }
    return Sheet(name, pa.table(columns), np.arange(1, len(rows) + 1, dtype="int32"), **more)


def batch(*sheets, kind="csv", file="断面周报.csv"):
    return RawBatch(file, "0" * 64, kind, "UTF-8", sheets)


WATER = batch(
    sheet(
        [
            ["绵阳市断面周报"],
            ["序号", "监测断面", "采样日期", "氨氮(mg/L)", "总磷（毫克/升）", "pH值", "藻类密度(个/L)", "采样人"],
            ["1", "丰谷", "2026年4月2日", "0.025L", "0.06", "7.8", "—", "李四"],
            ["2", "福田坝", "2026/4/2", "0.31", "-", "7.9", "—", "李四"],
        ]
    )
)


def confirmed(text, site, bureau, **changes):
    """Settle the draft as a person would, save it as a layout of the site, and give the bureau's layouts."""
    for old, new in changes.values():
        assert old in text
        text = text.replace(old, new)
    folder = site / bureau
    folder.mkdir(parents=True)
    (folder / "draft.toml").write_text(text, "utf-8")
    return layouts(bureau, site)


def test_headers_units_times_and_markers_are_taken_from_the_file():
    draft = tomllib.loads(propose(WATER, "mianyang"))
    assert (draft["dataset"], draft["table"]) == ("water", "water_result")
    assert draft["columns"] == {"section_name": "监测断面"}
    assert draft["time"]["column"] == "采样日期"
    assert draft["time"]["formats"] == ["%Y/%m/%d", "%Y年%m月%d日"]
    assert draft["results"]["NH3-N"] == {"column": "氨氮(mg/L)", "unit": "mg/L"}
    assert draft["results"]["TP"] == {"column": "总磷(毫克/升)", "unit": "mg/L"}
    assert draft["ignore"] == ["序号"]
    assert draft["missing"] == ["", "-", "—"]
    assert draft["fixed"] == {"stage": "received", "kind": "manual"}


def test_what_is_not_recognised_is_a_todo_and_stays_unmapped(tmp_path):
    text = propose(WATER, "mianyang")
    todo = next(line for line in text.splitlines() if "采样人" in line)
    assert todo.startswith("# TODO") and "李四" in todo
    with pytest.raises(UnknownColumn, match="采样人"):
        recognise(WATER, confirmed(text, tmp_path, "mianyang"))


def test_a_confirmed_draft_is_the_layout_of_the_site_and_reads_the_file(tmp_path):
    text = propose(WATER, "mianyang")
    known = confirmed(text, tmp_path, "mianyang", ignore=('["序号"]', '["序号", "采样人"]'))
    assert known[0].layout == "draft" and known[0].bureau == "mianyang"
    (found,), _ = recognise(WATER, known)
    assert found.layout.layout == "draft" and found.header_row == 2
    assert {column.parameter for column in found.columns if column.parameter} >= {"NH3-N", "TP", "pH"}


@pytest.mark.parametrize("dataset", ["air", "water", "soil", "credit", "penalty", "experts"])
def test_a_template_is_drafted_back_without_anything_left_open_but_the_stamp(tmp_path, dataset):
    layout = next(one for one in layouts() if one.layout == f"{dataset}_template")
    time = layout.time.columns if layout.time and layout.time.columns else ()
    headers = [*layout.columns.values(), *time, *(result.column for result in layout.results)]
    row = ["2026-04-01" if "日期" in h or "有效期" in h else "2026-04-01 08:00" if h in time else "1" for h in headers]
    raw = batch(sheet([headers, row, row]))
    text = propose(raw, "beibei", dataset)
    drafted = read_layout(_saved(tmp_path / "draft.toml", text), "beibei")
    assert drafted.columns == layout.columns
    assert drafted.time is not None and drafted.time.columns == tuple(time)
    assert [(r.parameter, r.column, r.unit) for r in drafted.results] == [
        (r.parameter, r.column, r.unit) for r in layout.results
    ]
    assert drafted.all_or_nothing == layout.all_or_nothing
    open_lines = [line for line in text.splitlines() if "TODO" in line and not line.startswith(("# Draft", "# 格式"))]
    assert all(line.startswith(("stamp", "period")) for line in open_lines)
    (found,), _ = recognise(raw, (drafted,))
    assert found.layout is drafted


def _saved(path, text):
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize("dataset", ["air", "water", "soil", "credit", "penalty", "experts"])
def test_the_dataset_is_found_by_its_words(dataset):
    layout = next(one for one in layouts() if one.layout == f"{dataset}_template")
    time = layout.time.columns if layout.time else ()
    headers = [*layout.columns.values(), *time, *(result.column for result in layout.results)]
    draft = tomllib.loads(propose(batch(sheet([headers, ["1"] * len(headers)])), "beibei"))
    assert draft["dataset"] == dataset


def test_two_row_merged_headers_are_joined(tmp_path):
    rows = [
        ["站点编码", "监测时间", "监测项目", ""],
        ["", "", "PM2.5(μg/m3)", "CO(mg/m3)"],
        ["1414A", "2026-04-01 00:00", "35", "0.6"],
    ]
    raw = batch(sheet(rows, "小时值", merged=((1, 0, 2, 0), (1, 1, 2, 1), (1, 2, 1, 3))), kind="xlsx")
    text = propose(raw, "beibei")
    draft = tomllib.loads(text)
    assert list(draft["results"]) == ["PM2.5", "CO"] and draft["columns"] == {"station_id": "站点编码"}
    (found,), _ = recognise(raw, (read_layout(_saved(tmp_path / "d.toml", text), "beibei"),))
    assert found.header_row == 2


def test_units_below_the_parameter_are_joined_to_it(tmp_path):
    rows = [["点位编号", "采样日期", "镉", "pH"], ["", "", "μg/g", "无量纲"], ["BBS01", "2026-04-01", "0.2", "6.1"]]
    text = propose(batch(sheet(rows)), "beibei", "soil")
    draft = tomllib.loads(text)
    assert draft["results"]["Cd_soil"] == {"column": "镉(μg/g)", "unit": "ug/g"}
    (found,), _ = recognise(batch(sheet(rows)), (read_layout(_saved(tmp_path / "d.toml", text), "beibei"),))
    assert found.first == 2


def test_one_result_per_row_becomes_a_long_layout(tmp_path):
    rows = [
        ["站点编码", "监测时间", "监测项目", "监测值", "单位"],
        ["1414A", "2026-04-01 00:00", "PM2.5", "35", "μg/m³"],
    ]
    text = propose(batch(sheet(rows)), "beibei", "air")
    drafted = read_layout(_saved(tmp_path / "d.toml", text), "beibei")
    assert (drafted.long.parameter, drafted.long.value, drafted.long.unit) == ("监测项目", "监测值", "单位")


def test_day_and_hour_in_two_columns_are_joined():
    rows = [
        ["站点编码", "日期", "小时", "PM2.5(μg/m3)"],
        ["1414A", "20260401", "24", "35"],
        ["1414A", "20260402", "1", "36"],
    ]
    text = propose(batch(sheet(rows)), "beibei")
    time = tomllib.loads(text)["time"]
    assert time["columns"] == ["日期", "小时"] and time["formats"] == ["%Y%m%d %H"] and time["hour24"] is True
    assert "24:00" in text


def test_stamps_no_format_reads_are_named():
    rows = [["站点编码", "监测时间", "PM2.5(μg/m3)"], ["1414A", "01/04/2026 08:00", "35"]]
    text = propose(batch(sheet(rows)), "beibei")
    assert any("TODO" in line and "01/04/2026 08:00" in line for line in text.splitlines())


def test_stamps_without_a_year_are_read_before_the_day_of_receipt():
    rows = [["断面名称", "监测时间", "pH"], ["丰谷", "04-01 08:00", "7.8"]]
    time = tomllib.loads(propose(batch(sheet(rows)), "mianyang"))["time"]
    assert time["formats"] == ["%m-%d %H:%M"] and time["year"] == "received"


def test_a_unit_that_is_missing_or_does_not_convert_is_a_todo():
    rows = [["站点编码", "监测时间", "PM10", "SO2(mg/kg)"], ["1414A", "2026-04-01 00:00", "35", "1"]]
    lines = propose(batch(sheet(rows)), "beibei", "air").splitlines()
    assert "没有单位" in next(line for line in lines if line.startswith('"PM10"'))
    assert "不能换算" in next(line for line in lines if line.startswith('"SO2"'))


def test_a_second_column_of_one_parameter_is_a_todo():
    rows = [["站点编码", "监测时间", "PM10(μg/m3)", "可吸入颗粒物(μg/m3)"], ["1414A", "2026-04-01 00:00", "35", "1"]]
    text = propose(batch(sheet(rows)), "beibei")
    assert list(tomllib.loads(text)["results"]) == ["PM10"]
    assert any("TODO" in line and "可吸入颗粒物" in line for line in text.splitlines())


def test_without_a_header_the_columns_wait_for_names():
    rows = [["1414A", "2026-04-01 00:00", "35", "0.6"], ["1416A", "2026-04-01 00:00", "36", "0.7"]]
    text = propose(batch(sheet(rows)), "beibei", "air")
    draft = tomllib.loads(text)
    assert draft["reader"]["header"] == "none" and draft["reader"]["columns"] == ["列1", "列2", "列3", "列4"]
    assert "像是时间的列：列2" in text


def test_nothing_known_lists_every_column_as_open():
    rows = [["alpha", "beta"], ["x", "y"]]
    text = propose(batch(sheet(rows)), "beibei")
    assert tomllib.loads(text)["recognise"] == ["alpha", "beta"]
    assert sum("TODO: 列“" in line for line in text.splitlines()) == 2


def test_other_sheets_are_named_and_side_sheets_passed_over():
    data = sheet([["站点编码", "监测时间", "PM10(μg/m3)"], ["1414A", "2026-04-01 00:00", "35"]], "数据")
    raw = batch(sheet([["怎么填"]], "填表说明"), sheet([["联系人", "电话"]], "通讯录"), data, kind="xlsx")
    text = propose(raw, "beibei")
    assert tomllib.loads(text)["reader"]["sheets"] == ["数据"]
    assert '# ignore_sheets = ["通讯录"]' in text.splitlines()


def test_hostile_texts_cannot_break_out_of_the_draft():
    bad = 'x"\n[judge]\nall_or_nothing = false\x7f#'
    rows = [["站点编码", "监测时间", "PM10(μg/m3)", bad], ["1414A", "2026-04-01 00:00", "35", "\n[evil]\x01"]]
    draft = tomllib.loads(propose(batch(sheet(rows), file=f"{bad}.csv"), "beibei"))
    assert "judge" not in draft and "evil" not in draft
    rows = [[f"PM10({bad})", "站点编码\n"], ["1", "2"]]
    assert "judge" not in tomllib.loads(propose(batch(sheet(rows), file=f"{bad}.csv"), "beibei", "air"))


def test_a_file_without_cells_and_an_unknown_dataset_are_refused():
    with pytest.raises(ValueError, match="no cells"):
        propose(batch(), "beibei")
    with pytest.raises(ValueError, match="noise"):
        propose(WATER, "mianyang", "noise")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("[air]", "[noise]", "unknown dataset"),
        ('hour         = ["小时"', 'hour         = ["时间"', "stands for"),
        ('words = ["序号"', "words = [1", "list of words"),
        ("source =", "#", "'source' is missing"),
    ],
)
def test_malformed_header_words_are_refused(tmp_path, old, new, reason):
    from schemas.files import SCHEMAS

    text = (SCHEMAS / "layouts" / "_header_words.toml").read_text("utf-8")
    assert old in text
    (tmp_path / "layouts").mkdir()
    (tmp_path / "layouts" / "_header_words.toml").write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(MalformedFact, match=reason):
        header_words("air", tmp_path)
