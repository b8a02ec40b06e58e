"""审核 without scripts: the queue by deadline, who decides on what, and what the sender hears of it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from portal_filings import begun, example, settle
from portal_web import Browser, Town

from portal.access import accounts
from portal.access.caller import Caller
from portal.access.sessions import caller_of
from portal.filing import hand_in, open_desk
from records.filings import Filing, filing
from records.store import BatchRecord

CREDIT = "企业环境信用评价结果_2025年度.xlsx"
PENALTY = "行政处罚_2026年4月.csv"
MADE = iter(range(1, 1000))


def of(town: Town, role: str = "reviewer", bureau: str = "beibei", *, factor: bool = False) -> Browser:
    return town.browser(town.session(town.people[bureau, role], second_factor=factor))


def me(town: Town, role: str, bureau: str = "beibei") -> Caller:
    found = caller_of(town.gate, town.session(town.people[bureau, role]), town.clock.at)
    assert found is not None
    return found


def content_of(name: str) -> bytes:
    """A penalty list nobody sent before; a workbook takes a byte more at its end."""
    return example("beibei", name) + (b"\r\n" * next(MADE) if name.endswith(".csv") else b" " * next(MADE))


def waiting(town: Town, name: str = PENALTY, **wish: str) -> Filing:
    """A filing of the uploader of Beibei that waits for its reviewer."""
    made = begun(town, town.people["beibei", "uploader"], name, content_of(name), **wish)
    settle(town)
    caller, desk = me(town, "uploader"), open_desk(town.places, town.records)
    flagged = [group["rule"] for group in filing(town.records, made.filing_id).summary["groups"]]
    given = dict.fromkeys(flagged, "已核对原始记录")
    hand_in(desk, caller, made.filing_id, statement=True, confirmations=given, at=town.clock.at)
    settle(town)
    waits = filing(town.records, made.filing_id)
    assert waits.state == "in_review" and waits.receipt
    return waits


def batch_of(town: Town, one: Filing) -> BatchRecord:
    return town.records.batch(one.receipt)


def shown(told: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", told.text))


def test_the_queue_stands_by_deadline_and_says_what_is_overdue(town, clock):
    late, clock.at = waiting(town), clock.at + timedelta(days=2)
    soon = waiting(town)
    clock.at += timedelta(days=1, hours=1)
    browser = of(town)
    text = browser.get("/reviews").text
    assert 0 < text.index(late.filing_id) < text.index(soon.filing_id)
    line = text[text.index(late.filing_id) : text.index(soon.filing_id)]
    assert "已过期" in line and "已过期" not in text[text.index(soon.filing_id) :].partition("</tr>")[0]
    assert "份报送等待审核" in browser.get("/").text
    assert "份报送等待审核" not in of(town, "auditor").get("/").text


def test_approved_it_goes_out_and_a_second_click_changes_nothing(town):
    made, browser = waiting(town), of(town)
    page = shown(browser.get(f"/reviews/{made.filing_id}"))
    assert made.sha256 in page and "数据将复核并发布" in page
    assert not batch_of(town, made).tables, "nothing went out before somebody looked"
    told = browser.post(f"/reviews/{made.filing_id}/approve")
    assert told.status_code == 303 and "已通过" in browser.get(told.headers["location"]).text
    settle(town)
    assert browser.post(f"/reviews/{made.filing_id}/approve").status_code == 303
    done = filing(town.records, made.filing_id)
    assert done.state == "published" and batch_of(town, made).state == "published"
    assert done.decided_by == town.people["beibei", "reviewer"].account_id != done.account_id
    assert made.filing_id not in browser.get("/reviews").text
    assert "已不在待审核状态" in browser.get(f"/reviews/{made.filing_id}").text


def test_nobody_decides_on_what_he_sent_himself(town):
    """R11: a person with both roles sees his own in the queue and cannot decide."""
    both = town.person("beibei", "uploader", login=f"both-{next(MADE)}")
    made = waiting(town)
    own = begun(town, both, PENALTY, content_of(PENALTY))
    settle(town)
    caller = caller_of(town.gate, town.session(both), town.clock.at)
    assert caller is not None
    hand_in(
        open_desk(town.places, town.records), caller, own.filing_id, statement=True, confirmations={}, at=town.clock.at
    )
    accounts.set_roles(town.gate, both.login, ["uploader", "reviewer"], "tests", town.clock.at)
    browser = town.browser(town.session(both))
    assert "本人提交，须他人审核" in browser.get("/reviews").text
    page = browser.get(f"/reviews/{own.filing_id}").text
    assert f'action="/reviews/{own.filing_id}/approve"' not in page
    for act, form in (("approve", {}), ("return", {"code": "wrong-file"})):
        assert browser.post(f"/reviews/{own.filing_id}/{act}", form).status_code == 403
    assert filing(town.records, own.filing_id).state == "in_review"
    assert browser.post(f"/reviews/{made.filing_id}/approve").status_code == 303, "another's he may"


def test_returned_wants_a_reason_of_the_list_and_words_where_it_says_so(town):
    made, browser = waiting(town), of(town)
    address = f"/reviews/{made.filing_id}/return"
    for form, field in (
        ({}, "code"), ({"code": "because"}, "code"), ({"code": "suspect-values"}, "text"), ({"code": "other", "text": "  "}, "text"),
    ):  # fmt: skip
        told = browser.post(address, form)
        assert told.status_code == 422 and f'id="{field}-why"' in told.text, form
    assert filing(town.records, made.filing_id).state == "in_review"
    told = browser.post(address, {"code": "suspect-values", "text": "第 2 行罚款金额 <b>多写</b>一位"})
    assert told.status_code == 303 and "已退回" in browser.get(told.headers["location"]).text
    assert filing(town.records, made.filing_id).state == "returned" and batch_of(town, made).state == "refused"
    sender = of(town, "uploader")
    assert f'/filings/{made.filing_id}"' in sender.get("/").text, "it stands on his desk"
    page = sender.get(f"/filings/{made.filing_id}").text
    for said in ("审核退回", "数值可疑，须核实原始记录", "&lt;b&gt;多写&lt;/b&gt;", "修改后重新上传"):
        assert said in page, said
    assert browser.post(f"/reviews/{made.filing_id}/approve").status_code == 409
    settle(town)
    assert filing(town.records, made.filing_id).state == "returned"


def test_ratings_of_enterprises_want_the_second_factor(town):
    """R11: permission rating.review."""
    made = waiting(town, CREDIT)
    plain = of(town)
    assert plain.get(f"/reviews/{made.filing_id}").status_code == 200
    assert f'action="/reviews/{made.filing_id}/approve"' not in plain.get(f"/reviews/{made.filing_id}").text
    for act, form in (("approve", {}), ("return", {"code": "wrong-file"})):
        assert plain.post(f"/reviews/{made.filing_id}/{act}", form).status_code == 403
    assert filing(town.records, made.filing_id).state == "in_review"
    sure = of(town, factor=True)
    assert f'action="/reviews/{made.filing_id}/approve"' in sure.get(f"/reviews/{made.filing_id}").text
    assert sure.post(f"/reviews/{made.filing_id}/approve").status_code == 303
    settle(town)
    assert filing(town.records, made.filing_id).state == "published"


def test_what_the_other_bureau_sent_is_as_if_it_were_not_there(town):
    """AUZ-02, AUZ-06."""
    made, foreign = waiting(town), of(town, bureau="mianyang", factor=True)
    assert foreign.get(f"/reviews/{made.filing_id}").status_code == 404
    for act in ("approve", "return"):
        assert foreign.post(f"/reviews/{made.filing_id}/{act}", {"code": "wrong-file"}).status_code == 404
    assert made.filing_id not in foreign.get("/reviews").text
    assert filing(town.records, made.filing_id).state == "in_review"


@pytest.mark.parametrize("role", ["uploader", "auditor", "inspector", "administrator"])
def test_only_reviewers_have_a_queue(town, role):
    assert of(town, role).get("/reviews").status_code == 403
