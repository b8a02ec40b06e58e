"""The shared data in a real browser: the shelf, a download, the console, on a telephone and at a desk."""

from __future__ import annotations

import io

import pyarrow.parquet as pq
import pytest
from playwright.sync_api import expect
from portal_browser import WIDTHS, at_ease, tab

from portal.web.sessions import SESSION, cookie_name

SIZES = sorted(WIDTHS)


def enter(page, served, role="reviewer"):
    """Come in as somebody who has signed in."""
    town = served.town
    token = town.session(town.people["beibei", role])
    page.context.add_cookies([{"name": cookie_name(SESSION, False), "value": token, "url": served.url}])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_shelf_a_table_and_its_changes_are_at_ease(chromium, served, size, scheme):
    with tab(chromium, served, WIDTHS[size], color_scheme=scheme) as page:
        enter(page, served)
        page.goto("/catalogue")
        expect(page.get_by_role("heading", name="共享数据", exact=True)).to_be_visible()
        at_ease(page, f"shared-catalogue-{size}-{scheme}")
        page.get_by_role("link", name="空气监测值").click()
        expect(page.get_by_role("heading", name="数据字典")).to_be_visible()
        page.get_by_text("只要部分列").click()
        at_ease(page, f"shared-table-{size}-{scheme}")
        page.get_by_role("link", name="变更记录").click()
        page.get_by_role("row").nth(1).get_by_role("link").click()
        expect(page.get_by_text("新增").first).to_be_visible()
        at_ease(page, f"shared-changes-{size}-{scheme}")


@pytest.mark.parametrize("size", SIZES)
def test_a_download_holds_what_was_chosen(chromium, served, size):
    with tab(chromium, served, WIDTHS[size]) as page:
        enter(page, served, "inspector")
        page.goto("/catalogue/air_observation")
        page.get_by_label("报送单位", exact=True).select_option("beibei")
        page.get_by_label("监测项目", exact=True).fill("臭氧")
        page.get_by_label("Parquet").check()
        with page.expect_download() as waited:
            page.get_by_role("button", name="下载").click()
        taken = pq.read_table(io.BytesIO(waited.value.path().read_bytes()))
        assert set(taken.column("parameter").to_pylist()) == {"O3"}
        assert set(taken.column("bureau").to_pylist()) == {"beibei"} and waited.value.suggested_filename.startswith(
            "空气"
        )
        page.goto("/catalogue/exports")
        expect(page.get_by_role("row").nth(1)).to_contain_text("O3")
        at_ease(page, f"shared-exports-{size}")


@pytest.mark.parametrize("size", SIZES)
def test_a_question_is_answered_and_a_wrong_one_explained(chromium, served, size):
    with tab(chromium, served, WIDTHS[size], known="422") as page:
        enter(page, served, "auditor")
        page.goto("/query")
        page.get_by_role("link", name="按日统计 PM2.5").click()
        page.get_by_label("查询语句").press("Control+Enter")
        expect(page.get_by_role("heading", name="结果")).to_be_visible()
        expect(page.get_by_role("cell", name="2026-04-08").first).to_be_visible()
        at_ease(page, f"shared-query-{size}")
        with page.expect_download() as waited:
            page.get_by_role("button", name="下载结果").click()
        assert waited.value.path().read_bytes().startswith(b"\xef\xbb\xbf")
        page.get_by_label("查询语句").fill("SELECT nonsense FROM air_observation")
        page.wait_for_timeout(1600)
        page.get_by_role("button", name="执行").click()
        expect(page.get_by_role("alert")).to_contain_text("nonsense")
        at_ease(page, f"shared-query-fault-{size}")


def test_all_of_it_works_without_scripts(chromium, served):
    with tab(chromium, served, WIDTHS["telephone"], java_script_enabled=False) as page:
        enter(page, served)
        page.goto("/query?example=6")
        page.get_by_role("button", name="执行").click()
        expect(page.get_by_role("cell", name="station_id")).to_be_visible()
        page.goto("/catalogue/station")
        page.get_by_label("CSV").check()
        with page.expect_download() as waited:
            page.get_by_role("button", name="下载").click()
        assert "station_id" in waited.value.path().read_text(encoding="utf-8-sig")
