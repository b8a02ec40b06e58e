"""The page of missing hours: shown, explained, withdrawn, by the uploader of the bureau and nobody else."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from portal_browser import WIDTHS, at_ease, tab
from portal_web import MARK

from portal.web.sessions import SESSION
from records.gaps import gaps

SPAN = {"station": "1878A", "month": "2026-04", "since": "2026-04-08T01:00", "until": "2026-04-08T03:00"}


def test_an_uploader_explains_a_span_and_takes_it_back(town):
    browser = town.browser(town.session(town.people["mianyang", "uploader"]))
    page = browser.get("/gaps?station=1878A&month=2026-04")
    assert page.status_code == 200 and page.text.count("<rect") >= 24 and "1878A" in page.text
    refused = browser.post("/gaps", SPAN | {"reason": "stop", "text": ""})
    assert refused.status_code == 422 and "须写明依据" in refused.text and 'value="2026-04-08T01:00"' in refused.text
    done = browser.post("/gaps", SPAN | {"reason": "stop", "text": MARK})
    assert done.status_code == 303
    shown = browser.get(done.headers["location"]).text
    assert "已记录说明" in shown and MARK not in shown and "&lt;script&gt;" in shown
    number = re.search(r"/gaps/(\d+)/withdraw", shown)[1]
    foreign = town.browser(town.session(town.people["beibei", "uploader"]))
    assert foreign.post(f"/gaps/{number}/withdraw").status_code == 404
    assert MARK[:30] not in foreign.get("/gaps").text
    assert browser.post(f"/gaps/{number}/withdraw").status_code == 303
    day = town.clock.at
    assert [one for one in gaps(town.records, day.replace(day=1), day, "mianyang") if one.text == MARK] == []


def test_a_reviewer_reads_and_does_not_tell(town):
    browser = town.browser(town.session(town.people["mianyang", "reviewer"]))
    assert "填写说明" not in browser.get("/gaps").text
    assert browser.post("/gaps", SPAN | {"reason": "power"}).status_code == 403


@pytest.mark.parametrize("asked", ["station=nowhere", "month=2026-13", "month=1900-01", "since=%3Cscript%3E"])
def test_odd_questions_show_the_page(town, asked):
    told = town.browser(town.session(town.people["mianyang", "uploader"])).get(f"/gaps?{asked}")
    assert told.status_code == 200 and "<script>" not in told.text.replace("<script src", "")


@pytest.mark.parametrize("width", WIDTHS)
def test_the_strip_in_a_browser(chromium, served, width):
    """U5."""
    token = served.town.session(served.town.people["mianyang", "uploader"])
    with tab(chromium, served, WIDTHS[width]) as page:
        page.context.add_cookies([{"name": SESSION, "value": token, "url": served.url}])
        page.goto("/gaps?station=1878A&month=2026-04")
        at_ease(page, f"{width}-gaps")
        page.get_by_label("开始（含）").fill("2026-04-08T01:00")
        page.get_by_label("结束（不含）").fill("2026-04-08T04:00")
        page.get_by_label("校准、质控检查").check()
        page.get_by_role("button", name="保存说明").click()
        expect(page.get_by_role("status")).to_contain_text("已记录说明")
        at_ease(page, f"{width}-gaps-told")
