"""The inspector's journeys in a real browser: from the open page to the grade, the slip, a list; a phone first."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect
from portal_browser import MEASURED, WIDTHS, at_ease, sign_in, tab
from portal_credit import enterprise, name_of, slip_of

from records.credit import accesses


@pytest.fixture(autouse=True)
def a_moment_later(served):
    """The clock of a test stands still; what one may ask in a second or a minute begins anew with every test."""
    served.town.clock.at += timedelta(minutes=2)


def begin(page: Page, login: str = "inspector-beibei") -> int:
    """Sign in and say why; gives the taps that took after the login."""
    page.goto("/credit")
    sign_in(page, login)
    page.get_by_text("检查前核查").click()
    page.get_by_role("button", name="开始查询").click()
    expect(page.get_by_role("searchbox")).to_be_focused()
    return 2


def test_on_a_phone_the_grade_is_three_taps_and_some_typing_away(chromium, served):
    """I1 and UIX-07: the purpose, the button, the name typed; the candidate shows the grade, a third tap the record."""
    name, code = name_of(served.town, enterprise(served.town)), enterprise(served.town)
    with tab(chromium, served, WIDTHS["telephone"]) as page:
        page.goto("/credit")
        sign_in(page, "inspector-beibei")
        expect(page.get_by_role("button", name="开始查询")).to_be_visible()
        at_ease(page, "telephone-credit-why")
        taps = begin_signed_in(page)
        page.keyboard.type(name[:6])
        hit = page.locator("a.hit", has_text=name)
        expect(hit).to_contain_text(code[-6:])
        expect(hit.locator(".grade")).to_have_text(re.compile(r"环保\S\S企业|未参评|无现行"))
        expect(hit.locator(".grade svg")).to_have_count(1)
        at_ease(page, "telephone-credit-hits")
        hit.click()
        taps += 1
        expect(page.get_by_role("heading", level=1)).to_have_text(name)
        expect(page.locator(".verdict .grade").first).to_be_in_viewport()
        assert taps <= 3
        at_ease(page, "telephone-credit-enterprise")
        page.go_back()
        expect(page.get_by_role("searchbox")).to_have_value(name[:6])
        expect(page.locator("a.hit", has_text=name)).to_be_visible()


def begin_signed_in(page: Page) -> int:
    page.get_by_text("检查前核查").click()
    page.get_by_role("button", name="开始查询").click()
    expect(page.get_by_role("searchbox")).to_be_focused()
    return 2


def test_arrows_walk_through_the_candidates_and_enter_opens_one(chromium, served):
    with tab(chromium, served, WIDTHS["desk"]) as page:
        begin(page)
        page.keyboard.type("示例")
        expect(page.locator("a.hit").nth(1)).to_be_visible()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        expect(page.locator("a.hit").nth(1)).to_be_focused()
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowUp")
        expect(page.get_by_role("searchbox")).to_be_focused()
        page.keyboard.press("ArrowDown")
        wanted = page.locator("a.hit").first.get_attribute("href")
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(re.escape(str(wanted)) + "$"))


def test_an_older_answer_that_comes_late_is_not_shown(chromium, served):
    """CRD-04: the answer to the first text is held back until the second one has come."""
    name = name_of(served.town, enterprise(served.town))
    with tab(chromium, served, WIDTHS["desk"]) as page:
        begin(page)
        held = []
        page.route(re.compile(r"/credit/suggest\?q=%E4%B8%8D"), lambda route: held.append(route))
        page.keyboard.type("不会有的名字")
        expect(page.locator("#hits")).to_have_attribute("data-busy", "yes")
        page.get_by_role("searchbox").fill(name)
        expect(page.locator("a.hit", has_text=name)).to_be_visible()
        for route in held:
            try:
                route.fulfill(body="<p>stale</p>", content_type="text/html")
            except Exception:  # the page gave that question up: what is wanted
                continue
        page.wait_for_timeout(300)
        expect(page.locator("a.hit", has_text=name)).to_be_visible()
        assert held and "stale" not in page.locator("#hits").inner_text()


def test_typing_fast_asks_once_and_every_question_is_on_record(chromium, served):
    """CRD-05: keys that follow each other within 250 ms are one question."""
    town = served.town
    with tab(chromium, served, WIDTHS["desk"]) as page:
        begin(page, "reviewer-mianyang")
        before = len(accesses(town.records, user="reviewer-mianyang"))
        page.keyboard.type("shili", delay=40)
        expect(page.locator("#hits")).not_to_be_empty()
        page.wait_for_timeout(400)
        asked = accesses(town.records, user="reviewer-mianyang")
        assert len(asked) - before == 1
        assert (asked[0].kind, asked[0].purpose) == ("search", "pre-inspection")


def test_what_is_not_found_is_not_said_to_be_clean(chromium, served):
    with tab(chromium, served, WIDTHS["telephone"]) as page:
        begin(page)
        page.keyboard.type("鑫龘靐齉")
        expect(page.locator("#hits")).to_contain_text("未找到不表示“无不良记录”")
        at_ease(page, "telephone-credit-not-found")


@pytest.mark.parametrize("width", WIDTHS)
def test_a_slip_is_made_taken_home_and_checked_by_a_stranger(chromium, served, width):
    """I4 and I5."""
    code = enterprise(served.town)
    with tab(chromium, served, WIDTHS[width]) as page:
        begin(page)
        page.goto(f"/credit/enterprises/{code}")
        page.get_by_role("button", name="生成查询单").click()
        expect(page.get_by_role("heading", name="查询单已开具")).to_be_visible()
        at_ease(page, f"{width}-credit-slip")
        with page.expect_download() as waiting:
            page.get_by_role("link", name="下载 PDF").click()
        assert waiting.value.suggested_filename.endswith(".pdf")
        printed = page.locator(".big").inner_text()
    with tab(chromium, served, WIDTHS[width]) as page:
        page.goto("/verify/slip")
        at_ease(page, f"{width}-credit-check")
        page.get_by_label("验证码").fill(printed.lower().replace("-", " "))
        page.get_by_role("button", name="核验").click()
        expect(page.get_by_role("status")).to_contain_text("有效")
        expect(page.locator("main")).to_contain_text(code)
        assert "inspector-beibei" not in page.content()
        at_ease(page, f"{width}-credit-checked")


@pytest.mark.parametrize("width", WIDTHS)
def test_a_pasted_list_is_screened_mended_and_taken_home(chromium, served, width):
    """I3."""
    town = served.town
    code, name = enterprise(town), name_of(town, enterprise(town))
    with tab(chromium, served, WIDTHS[width]) as page:
        begin(page)
        page.get_by_role("link", name="批量核查").click()
        at_ease(page, f"{width}-credit-screen")
        page.get_by_label("粘贴名单").fill(f"{code}\n{name[:5]}\n没有这一家企业\n{code[:-1]}?\n\n{name}")
        page.get_by_role("button", name="开始核查").click()
        expect(page.get_by_role("heading", name="共 6 行")).to_be_visible(timeout=60_000)
        texts = page.locator("ol.rows > li").all_inner_texts()
        assert [int(re.match(r"\d+", one)[0]) for one in texts] == [1, 2, 3, 4, 5, 6]
        at_ease(page, f"{width}-credit-screening")
        with page.expect_download() as waiting:
            page.get_by_role("link", name="下载 Excel").click()
        assert waiting.value.suggested_filename.endswith(".xlsx")
        page.get_by_role("link", name="逐行改正").click()
        at_ease(page, f"{width}-credit-mending")
        page.get_by_label("第 3 行：改写").fill(name)
        page.get_by_role("button", name="重新核查").click()
        expect(page.get_by_role("heading", name="（更正）")).to_be_visible(timeout=60_000)
        expect(page.locator("ol.rows > li").nth(2)).to_contain_text("重复行")


def test_without_scripts_the_same_journey_goes(chromium, served):
    code, name = enterprise(served.town), name_of(served.town, enterprise(served.town))
    with tab(chromium, served, WIDTHS["telephone"], java_script_enabled=False) as page:
        page.goto("/credit")
        sign_in(page, "inspector-mianyang")
        page.get_by_label("许可", exact=True).check()
        page.get_by_role("button", name="开始查询").click()
        page.get_by_role("searchbox").fill(name)
        page.get_by_role("button", name="查询", exact=True).click()
        expect(page).to_have_url(re.compile(r"/credit\?q="))  # a name opens nothing, not even a whole one
        page.locator("a.hit").first.click()
        expect(page.get_by_role("heading", level=1)).to_have_text(name)
        page.goto("/credit")
        page.get_by_role("searchbox").fill(f" {code[:8]} {code[8:]} ")
        page.get_by_role("button", name="查询", exact=True).click()
        expect(page).to_have_url(re.compile(f"/credit/enterprises/{code}$"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_all_pages_are_at_ease_by_day_and_by_night(chromium, served, width, scheme):
    code = enterprise(served.town)
    with tab(chromium, served, WIDTHS[width], color_scheme=scheme) as page:
        begin(page)
        for name, path in {
            "found": "/credit?q=示例", "record": f"/credit/enterprises/{code}?history=1", "looks": "/credit/looks",
            "slip": f"/credit/slips/{slip_of(served.town, 'beibei')}", "english": f"/credit/enterprises/{code}?lang=en",
        }.items():  # fmt: skip
            page.goto(path)
            at_ease(page, f"{width}-{scheme}-credit-{name}")


@pytest.mark.parametrize("width", MEASURED)
def test_no_page_scrolls_sideways_at_any_width(chromium, served, width):
    code = enterprise(served.town)
    with tab(chromium, served, (width, 800)) as page:
        begin(page)
        for path in (
            "/credit?q=示例",
            f"/credit/enterprises/{code}",
            "/credit/looks",
            "/credit/screen",
            "/verify/slip",
        ):
            page.goto(path)
            assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), path
