"""Journeys of a file in a real browser, checked by the portal's own workers: from the form to the receipt, and back."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
from playwright.sync_api import Page, expect
from portal_browser import WIDTHS, at_ease, sign_in, tab
from portal_filings import CLEAN, example
from portal_web import PASSWORD, Served

from portal.access import accounts
from portal.web.sessions import SESSION
from records.filings import Filing, filing

DAY = "空气小时值_2026-04-07.xlsx"
PENALTY = "行政处罚_2026年4月.csv"
MADE = iter(range(1, 100))
MOVING = ("queued", "checking", "handing_in")


def workbook(spoil: Callable[[openpyxl.worksheet.worksheet.Worksheet], None] | None = None) -> bytes:
    """A day of Beibei nobody sent before, spoilt where a test wants it."""
    book = openpyxl.load_workbook(io.BytesIO(example("beibei", DAY)))
    book.properties.title = f"{next(MADE)}"
    if spoil:
        spoil(book.worksheets[0])
    return saved(book)


def saved(book: openpyxl.Workbook) -> bytes:
    out = io.BytesIO()
    book.save(out)
    book.close()
    return out.getvalue()


def clean_csv() -> bytes:
    return example("mianyang") + f"注：浏览器第{next(MADE)}份\r\n".encode("gb18030")


def as_one(page: Page, served: Served, role: str, bureau: str = "beibei") -> None:
    token = served.town.session(served.town.people[bureau, role])
    page.context.add_cookies([{"name": SESSION, "value": token, "url": served.url}])


def choose(page: Page, name: str, content: bytes) -> None:
    page.locator("#file").set_input_files({"name": name, "mimeType": "application/octet-stream", "buffer": content})


def judged(page: Page, served: Served) -> Filing:
    """Wait until a worker is done with the file whose page is open."""
    page.wait_for_url(re.compile(r"/filings/F[A-Z2-7]+"))
    return done_with(served, re.search(r"/filings/(F[A-Z2-7]+)", page.url)[1])


def done_with(served: Served, number: str) -> Filing:
    until = time.monotonic() + 60
    while (found := filing(served.town.records, number)).state in MOVING:
        assert time.monotonic() < until, f"no worker is done with it: {found.state} {found.stage}"
        time.sleep(0.1)
    return found


@pytest.mark.parametrize("width", WIDTHS)
def test_a_newcomer_has_his_receipt_after_eight_clicks(chromium, served, width):
    login = f"first-file-{width}"
    issued = accounts.add(served.town.gate, login, "新来的", "mianyang", ["uploader"], "tests", served.town.clock.at)
    with tab(chromium, served, WIDTHS[width]) as page:
        page.add_init_script(
            "addEventListener('pointerdown', () => { sessionStorage.clicks = 1 + Number(sessionStorage.clicks || 0); })"
        )
        page.goto("/login")
        sign_in(page, login, issued.password)
        page.get_by_label("一次性口令").fill(issued.password)
        page.get_by_label("新口令").fill(PASSWORD)
        page.get_by_label("再输入一次").fill(PASSWORD)
        page.get_by_role("button", name="保存并继续").click()
        page.locator("main").get_by_role("link", name="上传数据").click()
        expect(page).to_have_url(re.compile("/filings/new"))
        at_ease(page, f"{width}-upload")
        choose(page, CLEAN["mianyang"], clean_csv())
        expect(page.locator("#chosen li")).to_have_count(1)
        page.get_by_role("button", name="上传", exact=True).click()
        made = judged(page, served)
        page.get_by_role("link", name="提交", exact=True).click()  # the page came round to it by itself
        expect(page).to_have_url(re.compile("/hand-in"))
        at_ease(page, f"{width}-hand-in")
        page.get_by_label("我已核对以上内容").check()
        page.get_by_role("button", name="提交", exact=True).click()
        expect(page.get_by_role("heading", name="回执编号")).to_be_visible()
        assert 6 < int(page.evaluate("sessionStorage.clicks")) + 1 <= 8, "the choice of the file is one more"
        done_with(served, made.filing_id)
        page.goto(f"/receipts/{filing(served.town.records, made.filing_id).receipt}")
        expect(page.locator("h1")).to_contain_text("已发布")
        expect(page.get_by_role("link", name="缺测说明", exact=True).last).to_be_visible()
        at_ease(page, f"{width}-receipt")


def test_a_faulty_workbook_is_mended_from_its_annotated_copy_and_passes(chromium, served, tmp_path):
    def spoil(sheet):
        sheet["D10"], sheet["E12"] = "3O", "未知"

    with tab(chromium, served, WIDTHS["desk"]) as page:
        as_one(page, served, "uploader")
        page.goto("/filings/new?dataset=air&purpose=check")
        choose(page, "有错.xlsx", workbook(spoil))
        page.get_by_role("button", name="上传", exact=True).click()
        assert judged(page, served).blocking == 2
        expect(page.get_by_role("heading", name="问题清单")).to_be_visible(timeout=15_000)
        expect(page.get_by_role("tab", name="必须修改")).to_have_attribute("aria-selected", "true")
        expect(page.locator("#part-confirm")).to_be_hidden()
        at_ease(page, "desk-findings")
        with page.expect_download() as waiting:
            page.get_by_role("link", name="下载标注后的 Excel").click()
        path = tmp_path / "标注.xlsx"
        waiting.value.save_as(path)
        page.get_by_role("link", name="修改后重新上传").click()
        expect(page.get_by_label("仅预检")).to_be_checked()
        choose(page, "改好.xlsx", mended(path))
        page.get_by_role("button", name="上传", exact=True).click()
        page.wait_for_url(re.compile(r"/filings/F"))
        found = judged(page, served)
        assert (found.blocking, found.error) == (0, None)
        expect(page.locator("#headline")).to_contain_text("需修改 0", timeout=15_000)


def mended(path: Path) -> bytes:
    """The annotated copy with its two cells put right, as a person would."""
    book = openpyxl.load_workbook(path)
    told = {cell.value: cell for row in book.worksheets[0].iter_rows() for cell in row if cell.value in ("3O", "未知")}
    assert len(told) == 2
    told["3O"].value, told["未知"].value = 30, 60
    return saved(book)


def test_without_scripts_a_file_gets_its_receipt_all_the_same(chromium, served):
    forgotten = "status of 422"  # the browser's word on a form that misses its tick
    with tab(chromium, served, WIDTHS["telephone"], known=forgotten, java_script_enabled=False) as page:
        page.goto("/filings/new?dataset=air")
        sign_in(page, "uploader-mianyang")
        choose(page, "无脚本.csv", clean_csv())
        page.get_by_role("button", name="上传", exact=True).click()
        made = judged(page, served)
        page.goto(f"/filings/{made.filing_id}")
        page.get_by_role("link", name="提交", exact=True).click()
        page.get_by_role("button", name="提交", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("没有打勾")
        page.get_by_label("我已核对以上内容").check()
        page.get_by_role("button", name="提交", exact=True).click()
        expect(page.get_by_role("heading", name="回执编号")).to_be_visible()
        assert done_with(served, made.filing_id).state == "published"


def test_a_reviewer_returns_a_file_and_approves_the_next(chromium, served):
    for way in ("return", "approve"):
        with tab(chromium, served, WIDTHS["telephone"]) as page:
            as_one(page, served, "uploader")
            page.goto("/filings/new?dataset=penalty")
            choose(page, f"处罚-{way}.csv", example("beibei", PENALTY) + b"\r\n" * (50 + next(MADE)))
            page.get_by_role("button", name="上传", exact=True).click()
            made = judged(page, served)
            page.goto(f"/filings/{made.filing_id}/hand-in")
            for box in page.locator("fieldset.confirm input[type=checkbox]").all():
                box.check()
            page.get_by_label("我已核对以上内容").check()
            page.get_by_role("button", name="提交", exact=True).click()
            expect(page.locator("h1")).to_contain_text("待审核")
            as_one(page, served, "reviewer")
            page.goto("/reviews")
            at_ease(page, "telephone-reviews")
            page.get_by_role("link", name=f"处罚-{way}.csv").click()
            expect(page).to_have_url(re.compile("/reviews/F"))
            at_ease(page, "telephone-review")
            if way == "return":
                page.get_by_label("退回原因").select_option("incomplete")
                page.get_by_label("说明（填报人会看到）").fill("缺少第 3 份决定书")
                page.get_by_role("button", name="退回", exact=True).click()
                expect(page.get_by_role("status").first).to_contain_text("已退回")
                as_one(page, served, "uploader")
                page.goto("/")
                page.get_by_role("link", name="处罚-return.csv").first.click()
                expect(page.get_by_text("缺少第 3 份决定书").first).to_be_visible()
                at_ease(page, "telephone-returned")
            else:
                page.get_by_role("button", name="通过", exact=True).click()
                expect(page.get_by_role("status").first).to_contain_text("已通过")
                assert done_with(served, made.filing_id).state == "published"


def test_a_file_nobody_knows_leads_to_its_layout(chromium, served):
    text = f"测点名,采样时段,细颗粒物浓度,值班员{next(MADE)}\n天生,2026年04月06日03时,35,甲\n"
    with tab(chromium, served, WIDTHS["telephone"]) as page:
        as_one(page, served, "uploader")
        page.goto("/filings/new?purpose=check")
        choose(page, "日报.csv", text.encode())
        page.get_by_role("button", name="上传", exact=True).click()
        made = judged(page, served)
        page.goto(f"/filings/{made.filing_id}")
        expect(page.locator(".note.bad")).to_contain_text("配置一次格式")
        at_ease(page, "telephone-unknown-layout")
        page.locator("main").get_by_role("link", name="配置格式", exact=True).click()
        expect(page).to_have_url(re.compile(rf"/studio/{made.filing_id}"))
