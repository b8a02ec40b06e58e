"""Journeys through the statistics in a real browser: rates, a series one looks into, the strip, the map, an alarm."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from portal_browser import MEASURED, WIDTHS, at_ease, sign_in, tab
from portal_objects import alarm_of

PAGES = (
    "/statistics", "/statistics/completeness", "/statistics/completeness?station=1414A", "/statistics/grades", "/map",
    "/alarms", "/runs", "/sources", "/docs", "/changes?table=air_observation", "/night",
)  # fmt: skip
SERIES = "/statistics/series?station=beibei/BBQ03&parameter=SO2/1h&days=7&until=2026-04-08"


@pytest.mark.parametrize("width", WIDTHS)
def test_a_reviewer_follows_a_figure_to_its_definition_its_month_and_the_deliveries(chromium, served, width):
    """D1."""
    with tab(chromium, served, WIDTHS[width]) as page:
        page.goto("/statistics")
        sign_in(page, "reviewer-beibei")
        expect(page.get_by_role("heading", name="报送统计")).to_be_visible()
        page.get_by_role("link", name="怎样计算：一次校验通过率").click()
        page.locator("#f-first_pass summary").click()
        expect(page.get_by_text("首次报送的份数")).to_be_visible()
        page.get_by_label("趋势图指标").select_option("first_pass")
        page.get_by_label("数据类型").select_option("air")
        page.get_by_role("button", name="查看").click()
        expect(page).to_have_url(re.compile("figure=first_pass"))
        page.get_by_text("图中数字").click()
        expect(page.get_by_role("region", name="逐月数字")).to_be_visible()
        at_ease(page, f"{width}-statistics-figure")
        with page.expect_download() as waiting:
            page.get_by_role("link", name="导出 Excel").click()
        assert waiting.value.suggested_filename.startswith("报送统计_") and waiting.value.suggested_filename.endswith(
            "xlsx"
        )
        page.get_by_role("link", name=re.compile("份，查看报送历史")).first.click()
        expect(page).to_have_url(re.compile(r"/batches\?dataset=air"))


@pytest.mark.parametrize(("width", "scheme"), [("telephone", "dark"), ("desk", "light")])
def test_every_page_of_the_room_is_at_ease(chromium, served, width, scheme):
    alarm_of(served.town, "beibei")
    with tab(chromium, served, WIDTHS[width], color_scheme=scheme) as page:
        page.goto("/login")
        sign_in(page, "reviewer-beibei")
        for path in PAGES:
            page.goto(path)
            at_ease(page, f"{width}-{scheme}-{re.sub(r'[^a-z0-9]+', '-', path.strip('/').lower())}")


@pytest.mark.parametrize(("width", "scheme"), [("telephone", "dark"), ("desk", "light")])
def test_a_series_is_drawn_by_the_script_and_keeps_its_table(chromium, served, width, scheme):
    with tab(chromium, served, WIDTHS[width], color_scheme=scheme) as page:
        page.goto(SERIES)
        sign_in(page, "inspector-beibei")
        expect(page.locator("#live canvas")).to_be_visible()
        expect(page.locator("#still")).to_have_count(0)
        expect(page.locator(".u-legend")).to_contain_text("可疑")
        expect(page.locator("section[aria-labelledby=numbers] table")).to_contain_text("2026-04-08")
        expect(page.get_by_text("缺测 1 处")).to_be_visible()
        if width == "desk":  # a value under the pointer is told in words
            page.locator("#live .u-over").hover(position={"x": 200, "y": 60})
            expect(page.locator(".u-legend")).to_contain_text(re.compile(r"04/08 \d\d:\d\d"))
        at_ease(page, f"{width}-{scheme}-series")
        page.emulate_media(color_scheme="dark" if scheme == "light" else "light")
        expect(page.locator("#live canvas")).to_have_count(1)


def test_without_scripts_the_series_is_the_drawing_of_the_server(chromium, served):
    with tab(chromium, served, WIDTHS["telephone"], java_script_enabled=False) as page:
        page.goto(SERIES)
        sign_in(page, "inspector-beibei")
        expect(page.locator("#still polyline.line").first).to_be_visible()
        page.get_by_label("监测项目").select_option("O3/1h")
        page.get_by_role("button", name="查看").click()
        expect(page.get_by_role("heading", name=re.compile("臭氧 O3"))).to_be_visible()


@pytest.mark.parametrize("width", WIDTHS)
def test_the_map_leads_to_a_series_and_the_strip_to_its_hours(chromium, served, width):
    with tab(chromium, served, WIDTHS[width]) as page:
        page.goto("/map")
        sign_in(page, "inspector-mianyang")
        page.get_by_role("link", name=re.compile("^富乐山 PM2.5")).first.click()
        expect(page.get_by_role("heading", name=re.compile("富乐山"))).to_be_visible()
        page.get_by_role("navigation", name="统计与看板").get_by_role("link", name="完整率").click()
        page.get_by_role("link", name="富乐山", exact=True).click()
        expect(page.get_by_role("heading", name=re.compile("富乐山 逐时"))).to_be_visible()
        at_ease(page, f"{width}-strip-hours")


def test_an_alarm_is_ended_by_hand(chromium, served):
    number = alarm_of(served.town, "mianyang")
    with tab(chromium, served, WIDTHS["telephone"]) as page:
        page.goto("/alarms")
        sign_in(page, "reviewer-mianyang")
        one = page.locator(f"#alarm-{number}")
        one.get_by_text("办结（须写明核实结果）").click()
        one.get_by_label("核实结果").fill("已向本人核实，系专项检查，今后注明计划编号。")
        at_ease(page, "telephone-alarm-note")
        one.get_by_role("button", name="办结").click()
        expect(page.get_by_role("status")).to_contain_text("已办结")
        expect(one).to_have_count(0)
        page.get_by_role("link", name="近三个月已解除的").click()
        expect(page.locator(f"#alarm-{number}")).to_contain_text("系专项检查")


@pytest.mark.parametrize("width", MEASURED)
def test_no_page_of_the_room_scrolls_sideways(chromium, served, width):
    with tab(chromium, served, (width, 800)) as page:
        page.goto("/login")
        sign_in(page, "reviewer-mianyang")
        for path in (*PAGES, SERIES, *(f"{path.partition('?')[0]}?lang=en" for path in PAGES[:6])):
            page.goto(path)
            assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), path
