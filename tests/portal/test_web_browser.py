"""Journeys through the portal in a real browser: the door, the desk, one delivery, the account."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from portal_browser import MEASURED, WIDTHS, at_ease, sign_in, tab
from portal_web import PASSWORD

from portal.access import accounts


@pytest.mark.parametrize("width", WIDTHS)
def test_a_newcomer_signs_in_chooses_a_password_and_reads_his_desk(chromium, served, width):
    """U0 and U1."""
    login = f"newcomer-{width}"
    issued = accounts.add(served.town.gate, login, "新来的", "mianyang", ["uploader"], "tests", served.town.clock.at)
    with tab(chromium, served, WIDTHS[width], known="status of 401") as page:  # the browser's word on a refused login
        page.goto("/")
        expect(page).to_have_url(re.compile(r"/login$"))
        expect(page.get_by_label("账号")).to_be_focused()
        at_ease(page, f"{width}-login")
        show = page.get_by_role("button", name="显示")
        show.click()
        assert page.get_by_label("口令").get_attribute("type") == "text"
        show.click()
        sign_in(page, login, "a wrong password")
        expect(page.get_by_role("alert")).to_contain_text("密码不正确")
        at_ease(page, f"{width}-refused")
    with tab(chromium, served, WIDTHS[width]) as page:
        page.goto("/batches")
        sign_in(page, login, issued.password)
        expect(page.get_by_role("heading", name="首次登录：修改口令")).to_be_visible()
        at_ease(page, f"{width}-first-password")
        page.get_by_label("一次性口令").fill(issued.password)
        page.get_by_label("新口令").fill(PASSWORD)
        page.get_by_label("再输入一次").fill(PASSWORD)
        page.get_by_role("button", name="保存并继续").click()
        expect(page).to_have_url(re.compile(r"/batches$"))
        page.get_by_role("link", name="工作台").click()
        expect(page.get_by_role("heading", name="工作台")).to_be_visible()
        expect(page.get_by_text("发布的结果")).to_be_visible()
        at_ease(page, f"{width}-desk")
        page.get_by_role("button", name="退出").click()
        expect(page.get_by_text("您已退出")).to_be_visible()


@pytest.mark.parametrize("width", WIDTHS)
def test_an_uploader_finds_a_delivery_its_findings_and_its_workbook(chromium, served, width):
    """U8."""
    with tab(chromium, served, WIDTHS[width]) as page:
        page.goto("/login")
        sign_in(page, "uploader-beibei")
        page.get_by_role("link", name="报送历史", exact=True).click()
        expect(page).to_have_url(re.compile(r"/batches$"))
        at_ease(page, f"{width}-batches")
        page.get_by_label("状态").select_option("refused")
        expect(page.locator("#list")).to_contain_text("共 1 条")
        expect(page).to_have_url(re.compile(r"state=refused"))  # the list alone was fetched, the address follows
        page.get_by_label("状态").select_option("")
        page.get_by_role("searchbox").fill("空气小时值")
        page.get_by_role("button", name="查询").click()
        expect(page.locator("#list")).to_contain_text("共 1 条")
        page.get_by_role("link", name="空气小时值_2026-04-08.xlsx").click()
        expect(page.get_by_role("heading", name="问题清单")).to_be_visible()
        at_ease(page, f"{width}-batch")
        with page.expect_download() as waiting:
            page.get_by_role("link", name="标注后的 Excel").click()
        assert waiting.value.suggested_filename.endswith("标注.xlsx")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_board_and_account_are_at_ease_by_day_and_by_night(chromium, served, width, scheme):
    with tab(chromium, served, WIDTHS[width], color_scheme=scheme) as page:
        page.goto("/login")
        sign_in(page, "reviewer-mianyang")
        for name in ("night", "account", "batches", ""):
            page.goto(f"/{name}")
            at_ease(page, f"{width}-{scheme}-{name or 'desk'}")
        page.goto("/account")
        page.locator("#password").fill(PASSWORD)
        page.get_by_role("button", name="启用").click()
        expect(page.get_by_role("img", name="第二因素的二维码")).to_be_visible()
        at_ease(page, f"{width}-{scheme}-enrol")


@pytest.mark.parametrize("width", MEASURED)
def test_no_page_scrolls_sideways_at_any_width(chromium, served, width):
    with tab(chromium, served, (width, 800)) as page:
        page.goto("/login")
        sign_in(page, "uploader-beibei")
        for path in ("/", "/batches", "/night", "/account", "/?lang=en", "/night?lang=en"):
            page.goto(path)
            assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), path


def test_without_scripts_the_same_journey_goes(chromium, served):
    with tab(chromium, served, WIDTHS["telephone"], java_script_enabled=False) as page:
        page.goto("/batches")
        sign_in(page, "uploader-beibei")
        page.get_by_label("状态").select_option("refused")
        page.get_by_role("button", name="查询").click()
        expect(page.locator("#list")).to_contain_text("共 1 条")
        page.get_by_role("button", name="退出").click()
        expect(page.get_by_text("您已退出")).to_be_visible()


def test_the_keyboard_alone_reaches_the_content_and_the_way_out(chromium, served):
    with tab(chromium, served, WIDTHS["desk"]) as page:
        page.goto("/login")
        page.keyboard.type("uploader-beibei")
        page.keyboard.press("Tab")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="工作台")).to_be_visible()
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="跳到正文")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("#main")).to_be_focused()
        page.goto("/night")
        for _ in range(4):
            page.keyboard.press("Tab")
        expect(page.get_by_role("button", name="退出")).to_be_focused()


def test_a_policy_violation_would_be_seen(chromium, served):
    """The watch of these tests itself: what the policy forbids is refused by the browser, and heard."""
    with pytest.raises(AssertionError, match="CSP|Content Security Policy"):
        with tab(chromium, served, WIDTHS["desk"]) as page:
            page.goto("/login")
            page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color:red\">x</p>')")
            page.wait_for_timeout(200)
