"""审计: the search of the trail, what another bureau must not see of it, exports, looks, and the state of the chain."""

from __future__ import annotations

import csv
import io
import re
import time
from datetime import timedelta
from typing import Any

import openpyxl
import pytest
from portal_browser import WIDTHS, at_ease, sign_in, tab
from portal_home import new_home
from portal_web import MARK, Town, open_town
from sqlalchemy import text

from portal.trail import Question, reader_of, search
from portal.trail_check import ChainCheck
from portal.web.audit.exports import XLSX
from schemas.event_kinds import event_kinds

FORMULA = "=cmd|' /C calc'!A0"


def auditor(town: Town, bureau: str = "beibei") -> Any:
    return town.browser(town.session(town.people[bureau, "auditor"]))


def numbers(page: Any) -> list[int]:
    """The events of a page, in its order."""
    assert page.status_code == 200, page.text[:300]
    return [int(found) for found in re.findall(r'<td class="n"><a href="/audit/events/(\d+)">', page.text)]


def events(town: Town) -> dict[int, Any]:
    return {one.seq: one for one in town.records.events(limit=None)}


def china_day(at: Any) -> str:
    return f"{at + timedelta(hours=8):%Y-%m-%d}"


# -- the search -----------------------------------------------------------------------------------------------


def test_the_trail_is_searched_by_person_kind_subject_object_and_time(town):
    browser, kept = auditor(town), events(town)
    person = town.people["beibei", "uploader"]
    found = numbers(browser.get("/audit", params={"who": person.account_id}))
    assert found and found == sorted(found, reverse=True)
    assert all(person.account_id in kept[seq].payload for seq in found)
    assert numbers(browser.get("/audit", params={"who": person.login})) == found
    kinds = {kept[seq].kind for seq in numbers(browser.get("/audit", params={"kind": "published"}))}
    assert kinds == {"published"}
    subject = {kept[seq].kind for seq in numbers(browser.get("/audit", params={"subject": "delivery"}))}
    assert subject and {event_kinds()[kind].subject for kind in subject} == {"delivery"}
    published = next(one for one in kept.values() if one.kind == "published" and one.bureau == "beibei")
    found = numbers(browser.get("/audit", params={"what": published.batch_id}))
    assert published.seq in found and {kept[seq].batch_id for seq in found} == {published.batch_id}
    day, before = china_day(published.at), china_day(published.at - timedelta(days=1))
    within = {"kind": "published", "since": day, "until": day}
    assert published.seq in numbers(browser.get("/audit", params=within))
    assert numbers(browser.get("/audit", params={"kind": "published", "until": before})) == []


def test_the_pages_of_a_search_meet_without_gap_or_repetition(town, monkeypatch):
    monkeypatch.setattr("portal.web.audit.trail.PER_PAGE", 10)
    browser, seen, address = auditor(town), [], "/audit?subject=account"
    while address:
        page = browser.get(address)
        seen += numbers(page)
        onward = re.search(r'rel="next" href="([^"]+)"', page.text)
        address = onward[1].replace("&amp;", "&") if onward else ""
    reader = reader_of(town.records, "beibei", town.gate.bureaus)
    whole = search(town.records, reader, Question(subject="account"), 10_000)
    assert seen == [line.event.seq for line in whole.lines if line.event.seq <= seen[0]]
    assert len(seen) > 20


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01", "2026-02-30", "gestern", "٢٠٢٦-٠١-٠١"])
@pytest.mark.parametrize("place", ["/audit", "/audit/looks", "/audit/events.csv"])
def test_a_day_that_is_none_is_refused_in_words(town, place, day):
    told = auditor(town).get(place, params={"until": day})
    assert told.status_code == 400 and "wrong-day" in told.text


def test_odd_questions_find_nothing_and_break_nothing(town):
    browser = auditor(town)
    for asked in ({"what": MARK}, {"who": "nobody"}, {"what": "%_' OR 1=1 --"}):
        page = browser.get("/audit", params=asked)
        assert numbers(page) == [] and "没有符合条件的事件" in page.text and "<script>alert" not in page.text
    for asked in ({"kind": "no-such"}, {"subject": "'"}, {"before": "-1"}, {"before": "9" * 40}, {"before": "٣"}):
        assert browser.get("/audit", params=asked).status_code == 200


# -- whose events ---------------------------------------------------------------------------------------------


def test_an_auditor_reads_the_events_of_his_bureau_and_the_others_are_not_there(town):
    kept = events(town)
    theirs = [seq for seq, one in kept.items() if one.bureau == "mianyang"]
    browser = auditor(town)
    assert theirs
    for seq in theirs[:5] + theirs[-5:]:
        assert browser.get(f"/audit/events/{seq}").status_code == 404
        assert auditor(town, "mianyang").get(f"/audit/events/{seq}").status_code == 200
    for odd in ("0", "-1", str(max(kept) + 10_000), "9" * 30, "x", "１"):
        assert browser.get(f"/audit/events/{odd}").status_code == 404
    whole = numbers(browser.get("/audit", params={"who": town.people["mianyang", "uploader"].account_id}))
    assert whole == []
    for bureau, other in (("beibei", "mianyang"), ("mianyang", "beibei")):
        text = auditor(town, bureau).get("/audit/events.csv").text
        strangers = [one for (of, _), one in town.people.items() if of == other]
        found = [one.login for one in strangers if one.login in text]
        assert not found
        rows = {int(row[0]) for row in csv.reader(io.StringIO(text.lstrip("\ufeff"))) if row[0].isdigit()}
        assert rows and not any(kept[seq].bureau == other for seq in rows if seq in kept)


def test_of_a_run_for_both_an_auditor_sees_only_that_there_was_one(town):
    run = next(one for one in events(town).values() if one.kind == "run")
    for bureau in ("beibei", "mianyang"):
        page = auditor(town, bureau).get(f"/audit/events/{run.seq}")
        assert page.status_code == 200 and run.sha256 in page.text
        assert "&#34;summary" not in page.text and ("beibei" if bureau == "mianyang" else "mianyang") not in page.text


# -- exports --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def marked(town):
    """The trail with an event whose words would be a formula, and one that would be a script."""
    for word in (FORMULA, MARK, "+1+1", "@SUM(1)", "-2"):
        told = {"account": word, "change": word, "by": town.people["beibei", "auditor"].account_id}
        town.records.append("account-change", town.clock.at, "beibei", None, told)
    return town


def test_the_export_as_csv_holds_what_the_page_shows_and_no_cell_is_a_formula(marked):
    browser = auditor(marked)
    told = browser.get("/audit/events.csv", params={"kind": "account-change"})
    assert told.status_code == 200 and told.headers["content-type"].startswith("text/csv")
    assert "attachment" in told.headers["content-disposition"]
    rows = list(csv.reader(io.StringIO(told.text.lstrip("\ufeff"))))
    assert {row[2] for row in rows[1:]} == {"account-change"}
    cells = [cell for row in rows for cell in row]
    assert any(FORMULA in cell for cell in cells) and not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)
    assert [int(row[0]) for row in rows[1:51]] == numbers(browser.get("/audit", params={"kind": "account-change"}))


def test_the_export_as_a_workbook_is_text_in_every_cell(marked):
    told = auditor(marked).get("/audit/events.xlsx", params={"kind": "account-change"})
    assert told.status_code == 200 and told.headers["content-type"] == XLSX
    sheet = openpyxl.load_workbook(io.BytesIO(told.content)).active
    cells = [cell for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} == {"s"}
    assert any(FORMULA in cell.value for cell in cells) and any("</script><script>" in cell.value for cell in cells)
    assert not any(cell.hyperlink for cell in cells)


def test_an_export_is_on_the_chain_without_the_words_that_were_searched(town):
    browser = auditor(town)
    assert browser.get("/audit/events.csv", params={"what": "张三", "kind": "login"}).status_code == 200
    last = max((one for one in town.records.events(limit=None) if one.kind == "audit-export"), key=lambda one: one.seq)
    assert last.bureau == "beibei" and '"login"' in last.payload and "张三" not in last.payload
    assert town.people["beibei", "auditor"].account_id in last.payload


def test_marks_stay_marks_on_the_pages(marked):
    browser = auditor(marked)
    page = browser.get("/audit", params={"kind": "account-change"})
    seq = next(
        one.seq for one in marked.records.events(limit=None) if MARK[:8] in one.payload and one.bureau == "beibei"
    )
    for told in (page, browser.get(f"/audit/events/{seq}")):
        assert (
            "<script>alert(1)" not in told.text and "<img src=//evil" not in told.text and "&amp;lt;" not in told.text
        )


# -- looks ----------------------------------------------------------------------------------------------------


def test_the_looks_page_tells_who_looked_and_keeps_to_the_own_bureau(town):
    for bureau, other in (("beibei", "mianyang"), ("mianyang", "beibei")):
        reader, rows = town.people[bureau, "uploader"], {"table": "air_observation", "rows": 24}
        town.records.append("export", town.clock.at, bureau, None, rows | {"by": reader.account_id})
        told = auditor(town, bureau).get("/audit/looks?tab=exports")
        assert f"（{reader.login}）" in told.text and "air_observation" in told.text
        assert town.people[other, "uploader"].account_id not in told.text
        for tab_name in ("credit", "experts", "nonsense"):
            assert auditor(town, bureau).get("/audit/looks", params={"tab": tab_name}).status_code == 200


# -- the chain ------------------------------------------------------------------------------------------------


def chain_page(browser: Any) -> str:
    """Press the button, and give the page once the check has ended."""
    told = browser.post("/audit/chain")
    assert told.status_code == 303 and told.headers["location"] == "/audit/chain"
    end = time.monotonic() + 60
    while "正在核验" in (page := browser.get("/audit/chain")).text:
        assert time.monotonic() < end
        time.sleep(0.05)
    return page.text


def test_the_button_verifies_the_chain_and_the_page_says_up_to_which_event(town):
    browser = auditor(town)
    at_least = town.records.head().seq
    text = chain_page(browser)
    verified = next(one for one in reversed(list(town.records.events(limit=None))) if one.kind == "chain-verified")
    seq = int(re.search(r'"seq":\s*(\d+)', verified.payload)[1])
    assert seq >= at_least and re.search(rf'<span class="tag good">已验证至 #{seq}</span>', text)
    assert "（auditor-beibei）" in text and town.people["beibei", "auditor"].account_id in verified.payload
    other = auditor(town, "mianyang").get("/audit/chain").text
    assert f"#{seq}" in other and "（auditor-beibei）" not in other  # the state is both bureaus', the names are not


def test_two_checks_at_once_are_one(town):
    check = ChainCheck(town.places, town.records, town.clock)
    with check._turn:
        assert check.running and check.begin("x") is False
    assert check.running is False


def test_a_tampered_chain_names_the_first_bad_number_and_the_trail_stays_readable(tmp_path):
    opened = open_town(new_home(tmp_path))
    try:
        person = opened.person("beibei", "auditor")
        for number in range(10):
            opened.records.append("refused", opened.clock.at, "beibei", None, {"reason": f"line {number}"})
        bad = opened.records.head().seq - 4
        browser = opened.browser(opened.session(person))
        assert 'class="tag good">已验证至' in chain_page(browser)
        with opened.records.database.write() as connection:
            connection.execute(text("UPDATE event SET payload = 'spoilt {' WHERE seq = :seq"), {"seq": bad})
        page = chain_page(browser)
        assert f'<span class="tag bad">已验证至 #{bad - 1}</span>' in page and str(bad) in page
        assert f"第 {bad} 号" in page and 'class="tag good">已验证至' not in page
        assert bad in numbers(browser.get("/audit"))
        assert "spoilt {" in browser.get(f"/audit/events/{bad}").text
        newest = ChainCheck(opened.places, opened.records, opened.clock).newest()  # as after a restart
        assert newest is not None and not newest.ok and str(bad) in newest.message
    finally:
        opened.records.close()


# -- in a browser ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", WIDTHS)
def test_an_auditor_searches_opens_an_event_and_verifies_the_chain(chromium, served, width):
    """A1."""
    scheme = "dark" if width == "telephone" else "light"
    with tab(chromium, served, WIDTHS[width], color_scheme=scheme) as page:
        page.goto("/audit")
        sign_in(page, "auditor-mianyang")
        page.get_by_label("种类").select_option("published")
        page.get_by_role("button", name="查询").click()
        page.wait_for_url(re.compile(r"kind=published"))
        at_ease(page, f"{width}-audit")
        page.locator("#list tbody a").first.click()
        page.get_by_role("heading", name="在链上的位置").wait_for()
        at_ease(page, f"{width}-audit-event")
        page.goto("/audit/looks")
        at_ease(page, f"{width}-audit-looks")
        page.get_by_role("link", name="证据链", exact=True).first.click()
        page.get_by_role("button", name="立即核验").click()
        page.locator(".verified .tag.good").wait_for()
        at_ease(page, f"{width}-audit-chain")
