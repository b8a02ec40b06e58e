"""The pages of statistics, map, alarms, runs, sources, validations and changes: what they tell whom, and as what file."""

from __future__ import annotations

import csv
import io
import json
import re
from html import unescape
from typing import Any

import openpyxl
import pytest
from portal_objects import alarm_of, delivery
from portal_web import BUREAUS, MARK, Town
from test_web_pages import Page

from portal.web.statistics import ROOM
from portal.web.statistics.charts import steps
from records.alarms import Trouble, alarms, tell
from records.batch_pages import Wanted, batch_page
from records.runs import runs

PAGES = [
    route.path for route in ROOM.routes if route.method == "GET" and "{" not in route.path and "." not in route.path
]
STATION = "/statistics/series?station=mianyang/1878A&parameter=PM2.5/1h&days=7&until=2026-04-08"


def of(town: Town, bureau: str = "beibei", role: str = "reviewer") -> Any:
    return town.browser(town.session(town.people[bureau, role]))


def plain(text: str) -> str:
    """What a reader sees, blanks folded."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", text)))


def addresses(town: Town) -> list[str]:
    run = runs(town.records, limit=1)[0].run_id
    version = "/changes?table=air_observation&version=1"
    return [*PAGES, STATION, f"/runs/{run}", f"/docs/{delivery(town, 'beibei')}", "/changes?table=credit_rating", version,
            f"/changes?batch={delivery(town, 'beibei')}", "/statistics?month=year&figure=first_pass",
            "/statistics/completeness?station=1414A", "/alarms?state=closed"]  # fmt: skip


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_page_is_whole_light_and_without_styles_of_its_own(town, language):
    browser = of(town)
    browser.keep("gongzhi_lang", language)
    for path in addresses(town):
        told = browser.get(path)
        page = Page(told.text)  # complains of tags that are not closed
        tags = [tag for tag, _ in page.tags]
        assert told.status_code == 200 and tags.count("h1") == 1 and len(told.content) <= 150 * 1024, path
        assert not [one for _, attrs in page.tags for one in attrs if one == "style" or one.startswith("on")], path
        if language == "en":
            left = re.sub(
                r"<select.*?</select>|<table.*?</table>|<dl.*?</dl>", "", told.text.partition("<main")[2], flags=re.S
            )
            assert not re.search(r"[统计查看告警运行]{2}", left), path
        ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
        assert len(ids) == len(set(ids)), path


@pytest.mark.parametrize("query", ["?month=9999-99&dataset=x&figure=y", "?month=%27--", f"?figure={MARK}"])
def test_what_is_not_there_is_as_if_not_chosen(town, query):
    assert "2026-04" in of(town).get("/statistics" + query).text


@pytest.mark.parametrize(
    "path",
    ["/statistics/series?station=x/y&parameter=z&days=1e9&until=0001-01-01", "/statistics/completeness?bureau='&station=%00",
     "/statistics/grades?year=٢٠٢٥", "/changes?table=../x&version=-1&batch=%00", "/docs?page=-5", "/runs?job=' OR 1",
     f"/statistics/series?station={MARK}"],
)  # fmt: skip
def test_hostile_questions_are_answered_with_a_plain_page(town, path):
    told = of(town).get(path)
    assert told.status_code == 200 and "<script>alert" not in told.text


def test_rates_of_both_bureaus_are_seen_by_all_and_led_further_only_for_the_own(town):
    text = of(town, "mianyang", "uploader").get("/statistics").text
    seen = plain(text)
    assert "569/576" in seen and "431/432" in seen  # 绵阳 and 北碚: hourly slots of the 8th
    groups = text.split('scope="rowgroup"')
    assert "绵阳市" in groups[1] and '<a href="/batches?dataset=air">' in groups[1]
    assert "北碚区" in groups[2] and "/batches?dataset=" not in groups[2].partition("</table>")[0]
    inspector = of(town, "mianyang", "inspector").get("/statistics").text
    assert "/batches?dataset=" not in inspector and "569/576" in plain(inspector)


def test_each_figure_has_its_definition_and_the_chart_its_table(town):
    text = of(town).get("/statistics?figure=first_pass").text
    for code in (
        "timely",
        "transmission",
        "validity",
        "transmission_validity",
        "completeness",
        "first_pass",
        "mending",
    ):
        assert f'href="#f-{code}"' in text and f'<details id="f-{code}"' in text
    bars = re.findall(
        r'<rect class="bar kind-\d" x="[\d.]+" y="[\d.]+" width="[\d.]+" height="[\d.]+"><title>([^<]*)', text
    )
    table = plain(text.partition("图中数字</summary>")[2].partition("</table>")[0])
    assert bars and all(re.search(r"\d+\.\d%$", title) and title.split()[-1] in table for title in bars)


def test_the_files_hold_what_the_page_shows_and_no_formula(town):
    browser = of(town)
    told = browser.get("/statistics/export.csv")
    rows = list(csv.DictReader(io.StringIO(told.content.decode("utf-8-sig"))))
    air = next(
        row for row in rows if row["单位"].startswith("绵阳") and row["数据类型"] == "空气" and row["指标"] == "传输率"
    )
    assert (air["月份"], air["分子"], air["分母"], air["计量单位"]) == ("2026-04", "569", "576", "%")
    assert float(air["数值"]) == pytest.approx(100 * 569 / 576, abs=1e-3)
    book = browser.get("/statistics/export.xlsx")
    assert "attachment" in book.headers["content-disposition"] and "%E6%8A%A5" in book.headers["content-disposition"]
    seen = openpyxl.load_workbook(io.BytesIO(book.content))
    assert len(list(seen["报送统计"].rows)) == len(rows) + 1
    assert not [cell for sheet in seen.worksheets for row in sheet.iter_rows() for cell in row if cell.data_type == "f"]
    seen.close()


def test_a_series_is_told_as_a_drawing_a_table_and_numbers_for_a_script(town):
    browser = of(town)
    text = browser.get(STATION).text
    told = browser.get(STATION.replace("/series", "/series.json")).json()
    assert len(told["x"]) == len(told["value"]) == len(told["high"]) == 24 and set(told["suspect"]) == {None}
    assert told["x"][0] == 1775577600  # 2026-04-08T00:00+08:00
    drawn = re.findall(r'<polyline class="line" points="([^"]*)"', text)
    assert sum(len(points.split()) for points in drawn) == 24
    assert "2026-04-08" in plain(text) and "PM2.5" in text and "uplot" in text
    address = re.search(r'data-series="([^"]*)"', text)
    assert address and browser.get(address[1].replace("&amp;", "&")).json() == told


def test_a_gap_is_a_null_and_a_broken_line(town):
    path = "/statistics/series?station=beibei/BBQ03&parameter=SO2/1h&days=7&until=2026-04-08"
    told = of(town).get(path.replace("/series", "/series.json")).json()
    assert told["value"].count(None) == 1 and len(told["x"]) == 24
    text = of(town).get(path).text
    assert len(re.findall('class="line" points', text)) == 2 and "缺测 1 处" in plain(text)


def test_limits_are_those_of_the_time(town):
    path = "/statistics/series?station=mianyang/1878A&parameter=NO2/1h&days=92&until=2026-04-08"
    seen = plain(of(town).get(path).text)
    assert "GB 3095-2012 ≤ 200" in seen and "2026-02-28" in seen and "GB 3095-2026 ≤ 200" in seen


def test_the_strip_counts_slots_and_leads_to_the_hours(town):
    seen = plain(of(town).get("/statistics/completeness?bureau=mianyang").text)
    assert "富乐山 144 143 143 99.3% 04-08 143/144" in seen
    hours = plain(of(town).get("/statistics/completeness?bureau=mianyang&station=1880A").text)
    assert "04-08 144 138 138 95.8% 04-08 00:00 0/6" in hours
    assert "填写缺测说明" not in seen  # the other bureau's: nothing to explain here
    assert "填写缺测说明" in of(town, role="uploader").get("/statistics/completeness?bureau=beibei").text


def test_grades_are_counted_by_scheme_with_every_level_named(town):
    seen = plain(of(town, role="inspector").get("/statistics/grades").text)
    assert "环保诚信企业 2 25.0%" in seen and "环保良好企业 4 50.0%" in seen and "合计 8 100%" in seen
    assert "CQ-2021" in seen and "不宜直接相比" in seen


def test_the_map_says_in_a_table_what_it_draws_and_asks_nothing_elsewhere(town):
    text = of(town, role="inspector").get("/map").text
    page = Page(text)
    assert not re.search(r'(src|href)="(https?:)?//', text)
    drawn = {
        attrs["href"]
        for tag, attrs in page.tags
        if tag == "a" and "/statistics/series?station=" in (attrs["href"] or "")
    }
    table = text.partition("<tbody>")[2]
    assert drawn and all(str(link) in table for link in drawn)
    assert "1428A" not in text and "位置为示意" in text and "不可量测" in text  # 蔡家 left in November
    assert "PM2.5 " in plain(text) and text.count('<polyline class="river"') == 9


# -- alarms ---------------------------------------------------------------------------------------------------


@pytest.fixture
def waiting(town: Town) -> Any:
    """An alarm of 北碚 that only a person ends."""
    number = int(alarm_of(town, "beibei"))
    return next(one for one in alarms(town.records) if one.alarm_id == number)


def test_an_alarm_is_ended_with_a_note_by_who_may(town, waiting):
    browser = of(town)
    assert f'action="/alarms/{waiting.alarm_id}"' in browser.get("/alarms").text
    nothing = browser.post(f"/alarms/{waiting.alarm_id}", {"note": "  "})
    assert nothing.status_code == 422 and "未填写" in nothing.text and "<title>错误：" in nothing.text
    long = browser.post(f"/alarms/{waiting.alarm_id}", {"note": "长" * 501})
    assert long.status_code == 422 and "过长" in long.text
    done = browser.post(f"/alarms/{waiting.alarm_id}", {"note": MARK})
    assert done.status_code == 303 and done.headers["location"] == "/alarms?done=1"
    (ended,) = [one for one in alarms(town.records, open_only=False, source=waiting.source) if one.closed_at][:1]
    who = town.people["beibei", "reviewer"]
    assert ended.detail["handled"]["reason"] == MARK and who.account_id in ended.detail["handled"]["author"]
    event = next(one for one in reversed(town.records.events(limit=None)) if one.kind == "alarm-closed")
    assert json.loads(event.payload)["handled"]["author"].startswith("beibei reviewer")
    closed = browser.get("/alarms?state=closed")
    assert MARK[:20] in Page(closed.text).text and "<script>alert" not in closed.text
    assert browser.post(f"/alarms/{waiting.alarm_id}", {"note": "again"}).status_code == 404


def test_an_alarm_of_the_other_bureau_is_not_there_and_one_that_ends_by_itself_is_not_ended(town, waiting):
    foreign = of(town, "mianyang")
    assert waiting.source not in foreign.get("/alarms").text
    assert foreign.post(f"/alarms/{waiting.alarm_id}", {"note": "x"}).status_code == 404
    for number in ("0", "999999", "x", "٣", "-1", "1%20"):
        assert foreign.post(f"/alarms/{number}", {"note": "x"}).status_code == 404
    other = next(one for one in alarms(town.records) if one.code == "refused" and one.bureau == "mianyang")
    told = foreign.post(f"/alarms/{other.alarm_id}", {"note": "x"})
    assert told.status_code == 409 and "not-handled" in told.text
    assert other.alarm_id in {one.alarm_id for one in alarms(town.records)}


def test_nobody_ends_an_alarm_about_himself(town):
    me = town.people["beibei", "auditor"]
    trouble = Trouble("bulk-lookups", f"credit/{me.login}", "", "warning", "甲", "a", {"user": me.login})
    (alarm,) = tell(town.records, [trouble], (), town.clock.at, ())
    told = of(town, role="auditor").post(f"/alarms/{alarm.alarm_id}", {"note": "没事"})
    assert told.status_code == 403 and "own-alarm" in told.text
    assert of(town, role="reviewer").post(f"/alarms/{alarm.alarm_id}", {"note": "已核实"}).status_code == 303


# -- runs, sources, validations, changes ----------------------------------------------------------------------


def test_a_run_tells_messages_and_deliveries_of_the_own_bureau_only(town):
    run = runs(town.records, limit=1)[0].run_id
    own, foreign = (batch_page(town.records, Wanted(bureau), 0, 9).batches for bureau in BUREAUS)
    seen = of(town).get(f"/runs/{run}").text
    assert all(batch.batch_id in seen for batch in own) and not any(batch.batch_id in seen for batch in foreign)
    assert not any(batch.batch_id in of(town, role="inspector").get(f"/runs/{run}").text for batch in (*own, *foreign))
    for number in ("0", "x", "9" * 30, "1.0"):
        assert of(town).get(f"/runs/{number}").status_code == 404


def test_sources_tell_age_and_failures(town):
    seen = plain(of(town).get("/sources").text)
    assert "北碚区报送文件夹" in seen and "绵阳市报送文件夹" in seen and "有新数据" in seen
    assert "8 小时前" in seen and "0/1" in seen  # data up to midnight, asked at half past eight; one look, no failure


def test_a_validation_is_the_gates_own_and_seen_by_the_bureau_alone(town):
    number = delivery(town, "beibei")
    page = plain(of(town).get(f"/docs/{number}").text)
    assert "全部符合" in page and "column_values" in page
    listed = plain(of(town).get("/docs").text)
    assert "空气小时值_2026-04-08.xlsx" in listed and "更正.csv" not in listed
    assert of(town, "mianyang").get(f"/docs/{number}").status_code == 404
    assert of(town, role="inspector").get("/docs").status_code == 403
    refused = batch_page(town.records, Wanted("beibei", "refused"), 0, 1).batches[0]
    assert "没有复核结果" in plain(of(town).get(f"/docs/{refused.receipt_number}").text)


def test_changes_are_listed_by_table_by_version_and_by_own_batch(town):
    browser = of(town)
    listed = plain(browser.get("/changes?table=air_observation").text)
    assert "431 0 0" in listed and "569 0 0" in listed
    made = next(one for one in town.records.table_versions("air_observation") if one.added == 569)
    version = browser.get(f"/changes?table=air_observation&version={made.version}").text
    assert "共 569 行变化，列出前 200 行" in plain(version) and version.count("<tr><td>") == 200
    own, foreign = delivery(town, "beibei"), delivery(town, "mianyang")
    assert (
        "<h2" in browser.get(f"/changes?batch={own}").text
        and "没有这份报送" not in browser.get(f"/changes?batch={own}").text
    )
    assert "没有这份报送" in browser.get(f"/changes?batch={foreign}").text
    assert "没有这份报送" in browser.get("/changes?batch=nowhere").text
    batch = town.records.batch(foreign)
    assert f'href="/batches/{batch.batch_id}"' not in browser.get("/changes?table=air_observation").text


# -- charts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("highest", "last"), [(0, 1), (0.9, 1), (135, 150), (1000, 1000), (0.0031, 0.004), (7e6, 8e6)])
def test_an_axis_ends_at_a_round_number_not_far_above(highest, last):
    found = steps(highest)
    assert found[0] == 0 and found[-1] == pytest.approx(last) and 2 <= len(found) <= 6
