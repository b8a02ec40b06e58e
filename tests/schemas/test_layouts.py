"""Layouts: each shipped one is read; a malformed one is refused by file, line and reason."""

import pytest

from schemas.files import SCHEMAS, MalformedFact
from schemas.layouts import layouts, read_layout

GOOD = """title = "小时值"
dataset = "air"
table = "air_observation"
source = "a test"
recognise = ["编码"]
[reader]
kinds = ["csv"]
[time]
column = "时间"
formats = ["%Y-%m-%d"]
[columns]
station_id = "编码"
[results]
"PM2.5" = { column = "PM2.5", unit = "ug/m3" }
"""


@pytest.fixture
def layout(tmp_path):
    def make(text: str):
        path = tmp_path / "monthly.toml"
        path.write_text(text, encoding="utf-8")
        return read_layout(path, "beibei")

    return make


def test_the_shipped_layouts_are_those_the_exchange_promises():
    assert {one.layout for one in layouts()} == {
        "air_template", "air_long", "water_template", "soil_template", "credit_template", "penalty_template",
        "experts_template", "cnemc_live_xml", "cnemc_live_geojson", "cnemc_hourly_csv", "pm25in_hourly", "aqistudy_daily",
        "aqistudy_monthly", "cnemc_water_wide", "cnemc_water_json", "hj212_air", "hj212_water", "cumcm_2011a",
        "taihu_monthly", "ratings_published", "penalties_published",
    }  # fmt: skip


def test_a_good_layout_is_read(layout):
    one = layout(GOOD)
    assert (one.layout, one.bureau, one.medium, one.time.stamp) == ("monthly", "beibei", "air", "begin")
    assert (one.results[0].parameter, one.results[0].unit, one.missing) == ("PM2.5", "ug/m3", ("",))


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ('title = "小时值"\n', "", 1, "'title' is missing"),
        ('dataset = "air"', 'dataset = "noise"', 2, "dataset 'noise' is none of"),
        ("recognise", "recognize", 5, "unknown key 'recognize'"),
        ('recognise = ["编码"]\n', "", 1, "'recognise' must list"),
        ('"PM2.5" = {', '"PM25x" = {', 14, "parameter 'PM25x' is not in"),
        ('unit = "ug/m3"', 'unit = "furlong"', 14, "unit 'furlong' is not in"),
        ('[time]\ncolumn = "时间"\nformats = ["%Y-%m-%d"]\n', "", 1, "needs [time]"),
        ('formats = ["%Y-%m-%d"]', 'formats = ["%Y-%m-%d"]\nstamp = "middle"', 11, "stamp is 'begin' or 'end'"),
        ('[results]\n"PM2.5" = { column = "PM2.5", unit = "ug/m3" }\n', "", 1, "needs [results] or [long]"),
        ('source = "a test"\n', "", 1, "'source' is missing"),
    ],
)
def test_a_malformed_layout_is_refused_by_line_and_reason(old, new, line, reason, layout):
    assert old in GOOD
    with pytest.raises(MalformedFact) as refusal:
        layout(GOOD.replace(old, new))
    assert reason in refusal.value.reason and refusal.value.file.name == "monthly.toml"
    assert refusal.value.line == line


def test_a_bureau_may_send_only_what_is_meant_for_it():
    beibei, cnemc = ({one.layout for one in layouts(b)} for b in ("beibei", "cnemc"))
    assert "cnemc_live_xml" in cnemc - beibei and "air_template" in beibei
    assert {one.layout for one in layouts("notices")} >= {"ratings_published", "penalties_published"}


def test_a_layout_of_the_home_wins_over_the_shipped_one(tmp_path):
    folder = tmp_path / "beibei"
    folder.mkdir()
    (folder / "air_template.toml").write_text(GOOD, encoding="utf-8")
    (folder / "bureau.toml").write_text("", encoding="utf-8")
    mine = {one.layout: one for one in layouts("beibei", tmp_path)}
    assert mine["air_template"].title == "小时值" and mine["air_template"].path.is_relative_to(tmp_path)
    assert mine["water_template"].path.is_relative_to(SCHEMAS)


def test_a_swap_has_its_dates_and_its_proof():
    swaps = [swap for one in layouts() for swap in one.swaps]
    assert len(swaps) == 6
    for swap in swaps:
        assert swap.since < swap.until and swap.source
