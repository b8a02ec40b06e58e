"""E1 and E2 in a real browser: two persons and two bureaus, each in a browser of their own, and a stranger who verifies."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import Page, expect
from portal_browser import MEASURED, WIDTHS, at_ease, tab
from portal_experts import (
    BEGUN,
    DAY,
    FIRST,
    HOUR,
    OTHER,
    SECOND,
    SOURCES,
    VALUE,
    Pool,
    ask,
    done,
    go_on,
    hand_in,
    open_pool,
)
from portal_home import DELIVERIES
from portal_web import Served, serving

from portal.web.sessions import SESSION


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    return open_pool(tmp_path_factory.mktemp("browsed"), range(1, 61))


@pytest.fixture(scope="module")
def portal(pool) -> Iterator[Served]:
    with serving(pool.town) as running:
        yield running


@pytest.fixture(scope="module")
def furnished(pool) -> str:
    """A published draw, a pair to decide and a tie; made beside the loop the browser runs in this thread."""

    def furnish() -> str:
        pool.town.clock.at = BEGUN
        draw_id = ask(pool.sit_down(*FIRST), matter="示例〔2026〕12号")
        go_on(pool, draw_id)
        pool.town.clock.at = BEGUN + 10 * DAY
        for who, name in ((FIRST, "beibei/专家名册_2026年.xlsx"), (OTHER, "mianyang/专家名册_2026年.csv")):
            told = hand_in(pool.sit_down(*who), "/experts/import", name, (DELIVERIES / name).read_bytes())
            assert told.status_code == 200
        tie = {"kind": "declared_other", "party": "示例", "source": "申报表"}
        done(pool.sit_down(*FIRST).post("/experts/e-00002/tie", tie))
        return draw_id

    with ThreadPoolExecutor(1) as aside:
        return aside.submit(furnish).result()


def sign_in(page: Page, pool: Pool, portal: Served, who: tuple[str, str]) -> None:
    """Give a tab a session of somebody who has just passed the second factor."""
    page.context.add_cookies([{"name": SESSION, "value": pool.sit_down(*who).token, "url": portal.url}])


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name).click()


def test_two_persons_and_two_bureaus_draw_a_panel_and_a_stranger_does_it_again(chromium, pool, portal, tmp_path):
    pool.town.clock.at = BEGUN
    with (
        tab(chromium, portal, WIDTHS["desk"]) as first, tab(chromium, portal, WIDTHS["telephone"]) as second,
        tab(chromium, portal, WIDTHS["desk"], java_script_enabled=False) as other, tab(chromium, portal, WIDTHS["telephone"]) as stranger,
    ):  # fmt: skip
        sign_in(first, pool, portal, FIRST)
        first.goto("/draws")
        at_ease(first, "desk-draws")
        first.get_by_role("link", name="申请抽取").click()
        for label, text in (
            ("事项编号", "渝碚环咨〔2026〕11号"), ("事项名称（将公布）", "示例园区废水治理方案咨询"), ("会议日", "2026-06-20"),
            ("姓名公开时间", "2026-06-12T09:00"), ("人数 1", "2"), ("人数 2", "1"),
        ):  # fmt: skip
            first.get_by_label(label, exact=True).fill(text)
        first.get_by_label("用途").select_option("project-advice")
        first.get_by_label("专业 1", exact=True).select_option("W03")
        first.get_by_label("专业 2", exact=True).select_option("A03")
        first.locator("#party1_name").fill("重庆示例涂料有限公司")
        at_ease(first, "desk-draw-new")
        press(first, "提交申请")
        expect(first.get_by_text("已提交申请，编号已定")).to_be_visible()
        expect(first.get_by_text("须由另一人办理这一步")).to_be_visible()
        address = first.url.partition("?")[0].removeprefix(portal.url)
        number = address.rpartition("/")[2]

        pool.town.clock.at += HOUR
        sign_in(second, pool, portal, SECOND)
        second.goto(address)
        at_ease(second, "telephone-draw-requested")
        press(second, "我是第二人，冻结名单")
        expect(second.get_by_text("名单已冻结，哈希已上链")).to_be_visible()
        at_ease(second, "telephone-draw-frozen")
        sign_in(first, pool, portal, FIRST)
        first.goto(address)
        for label, text in zip(("公开来源", "公布时间", "备用来源", "备用公布时间"), SOURCES.values(), strict=True):
            first.get_by_label(label, exact=True).fill(text)
        at_ease(first, "desk-draw-commit")
        press(first, "代表本单位承诺")
        expect(first.get_by_text("本单位已作出承诺")).to_be_visible()
        sign_in(other, pool, portal, OTHER)
        other.goto(address)
        press(other, "代表本单位承诺")
        at_ease_without_script(other)
        press(other, "代表本单位揭示")
        expect(other.get_by_text("本单位已揭示")).to_be_visible()
        first.goto(address)
        press(first, "代表本单位揭示")

        pool.town.clock.at += 5 * DAY
        sign_in(second, pool, portal, SECOND)
        second.goto(address)
        second.get_by_label("公开数值，照写").fill(VALUE["value"])
        press(second, "抽取")
        expect(second.get_by_role("heading", name="抽取结果")).to_be_visible()
        at_ease(second, "telephone-draw-drawn")
        sign_in(first, pool, portal, FIRST)
        first.goto(address)
        press(first, "复算并公布")
        expect(first.get_by_text("已复算一致并公布")).to_be_visible()
        first.get_by_text("抽签次序与略过原因").click()
        at_ease(first, "desk-draw-published")

        stranger.goto("/public/draws")
        at_ease(stranger, "telephone-public-draws")
        stranger.get_by_role("link", name=number).click()
        stranger.get_by_text("抽签次序与略过原因").click()
        at_ease(stranger, "telephone-public-draw")
        for name in ("下载公布文件 JSON", "下载复算程序"):
            with stranger.expect_download() as waiting:
                stranger.get_by_role("link", name=name).click()
            waiting.value.save_as(tmp_path / waiting.value.suggested_filename)
        command = stranger.locator("pre").inner_text().split()
        run = subprocess.run(
            [sys.executable, "-I", *command[1:]], cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
        assert run.returncode == 0 and run.stdout.startswith("OK"), run.stdout + run.stderr


def at_ease_without_script(page: Page) -> None:
    """Where no script runs a page still says what came of a step."""
    expect(page.get_by_text("本单位已作出承诺")).to_be_visible()


@pytest.mark.parametrize(("size", "scheme"), [("desk", "light"), ("telephone", "dark")])
def test_the_pages_of_the_pool_are_at_ease_by_day_and_by_night(chromium, pool, portal, furnished, size, scheme):
    pool.town.clock.at = BEGUN + 10 * DAY
    draw_id = furnished
    with tab(chromium, portal, WIDTHS[size], color_scheme=scheme) as page:
        sign_in(page, pool, portal, FIRST)
        for name, path in {
            "list": "/experts", "expert": "/experts/e-00002", "import": "/experts/import", "matches": "/experts/matches",
            "recusal": f"/experts/recusal?draw={draw_id}&expert=e-00004", "draw": f"/draws/{draw_id}",
            "seats": f"/draws/{draw_id}/seats", "exchange": "/draws/exchange", "draws": "/draws?check=1",
            "new": f"/draws/new?replaces={draw_id}", "english": "/experts?lang=en",
        }.items():  # fmt: skip
            page.goto(path)
            at_ease(page, f"{size}-{scheme}-experts-{name}")


@pytest.mark.parametrize("width", MEASURED)
def test_no_page_of_the_pool_scrolls_sideways(chromium, pool, portal, width):
    pool.town.clock.at = BEGUN + 10 * DAY
    with tab(chromium, portal, (width, 800)) as page:
        sign_in(page, pool, portal, FIRST)
        for path in (
            "/experts", "/experts/e-00003", "/draws", "/draws/new", "/public/draws", "/experts/import?lang=en",
            "/draws/new?lang=en",
        ):  # fmt: skip
            page.goto(path)
            assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), path
            assert len(page.content().encode()) < 150_000


def test_the_row_report_of_a_refused_list_is_shown_with_what_to_mend(chromium, pool, portal, tmp_path):
    pool.town.clock.at = BEGUN
    file = tmp_path / "名册.csv"
    file.write_text(
        "姓名,证件号码,工作单位,单位统一社会信用代码,专业领域,职称,手机号,证书有效期至,备注\n"
        "甲,123,示例研究院,,危废,教授,5,2028-12-31,\n",
        encoding="utf-8",
    )
    with tab(chromium, portal, WIDTHS["telephone"], known="status of 422") as page:
        sign_in(page, pool, portal, FIRST)
        page.goto("/experts/import")
        page.get_by_label("名册文件").set_input_files(file)
        press(page, "上传并导入")
        expect(page.get_by_text("未入库")).to_be_visible()
        expect(page.get_by_role("heading", name="逐行报告")).to_be_visible()
        at_ease(page, "telephone-experts-import-refused")
