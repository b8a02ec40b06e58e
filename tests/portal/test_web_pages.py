"""What the pages show of a home after a night, in both languages; marks stay marks."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import tomllib
import zipfile
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import openpyxl
import pytest
from portal_home import MORNING, new_home
from portal_web import BUREAUS, MARK, PASSWORD, Town, open_town, people_of

from portal.web import pages
from portal.web.app import ROUTES
from portal.web.assets import STATIC, assets, at_address
from records.batch_pages import BatchPage, Wanted, batch_page, results_since
from records.receipts import verify_receipt
from records.store import Records

VOID = {"meta", "link", "br", "img", "input", "path"}


class Page(HTMLParser):
    """Tags, attributes and visible text; complains of tags that are not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        self.text += data


def of(town: Town, bureau: str = "beibei", role: str = "uploader") -> Any:
    return town.browser(town.session(town.people[bureau, role]))


def batches(town: Town, bureau: str, state: str = "") -> BatchPage:
    return batch_page(town.records, Wanted(bureau, state), 0, 50)


def every_page(town: Town, language: str = "zh") -> list[tuple[str, Any]]:
    """Every page there is, with its answer: those of a caller, of a visitor, and those of forms."""
    browser, stranger = of(town), town.browser()
    for one in (browser, stranger):
        one.keep("gongzhi_lang", language)
    found = [("/login", stranger.get("/login")), ("/login failed", stranger.sign_in(MARK, MARK))]
    for batch in batches(town, "beibei").batches:
        found.append(("/batches/…", browser.get(f"/batches/{batch.receipt_number}")))
    for path in ("/", "/batches", "/night", "/account", "/batches?q=" + MARK.replace("#", ""), "/nowhere" + MARK):
        found.append((path, browser.get(path)))
    found.append(("enrol", browser.post("/account/second-factor", {"password": PASSWORD})))
    found.append(("faults", browser.post("/account/password", {"old": MARK, "new": MARK, "again": "x"})))
    return found


# -- 工作台 ---------------------------------------------------------------------------------------------------


def test_the_desk_tells_the_numbers_the_records_hold(town):
    page = Page(of(town, "mianyang").get("/").text)
    held = batches(town, "mianyang").batches
    published = sum(batch.results["published"] for batch in held)
    quarantined = sum(batch.results["quarantined"] for batch in held)
    assert (published, quarantined) == (569, 2)
    figures = re.sub(r"\s+", " ", page.text)
    assert f"{len(held)}近 7 天收到的文件" in figures and "569发布的结果" in figures and "2隔离的结果" in figures
    assert "1退回的文件" in figures and "绵阳市生态环境局" in figures and "（北京时间）" in figures
    refused = batches(town, "mianyang", "refused").batches[0]
    assert refused.file_name in page.text
    assert refused.error is None or refused.error["message"][:40] in page.text


def test_the_desk_shows_no_delivery_to_a_role_that_may_not_see_them(town):
    text = of(town, "mianyang", "inspector").get("/").text
    assert "工作台" in text and "最近报送" not in text and "/batches" not in text
    assert "补报" not in text.replace("绵阳市报送文件夹", "")


def test_the_desk_counts_what_is_due(town):
    """A timetable in the site's own declaration: what is missing is told, and by when the next is due."""
    folder = town.places.site_facts / "beibei"
    folder.mkdir(parents=True, exist_ok=True)
    declared = folder / "sources.toml"
    declared.write_text(
        '[[sources]]\nname = "watched"\ntitle = "日报投递"\nkind = "folder"\npath = "inbox/beibei-daily"\ndataset = "air"\n'
        'source = "tests"\n[sources.due]\nevery = "day"\nby = "09:00"\nlag = 1\n',
        encoding="utf-8",
    )
    try:
        page = Page(of(town).get("/").text)
        board = Page(of(town).get("/night").text)
    finally:
        declared.unlink()
    assert "日报投递" in page.text and "缺报" in page.text and re.search(r"\d\d-\d\d 09:00", page.text)
    meters = [attrs for tag, attrs in page.tags if tag == "meter"]
    assert meters and meters[0]["value"] == "0" and re.search(r"0/\d", page.text)
    assert "日报投递" in board.text and "缺报" in board.text


# -- 报送历史 -------------------------------------------------------------------------------------------------


def test_the_history_is_chosen_by_state_data_and_text(town):
    browser = of(town, "mianyang")
    air, credit = batches(town, "mianyang", "published").batches[0], batches(town, "mianyang", "refused").batches[0]
    for query, there, gone in (
        ("state=published", air, credit), ("state=refused", credit, air), ("dataset=air", air, credit),
        (f"q={air.receipt_number[-6:]}", air, credit), ("q=更正", air, credit),
    ):  # fmt: skip
        text = browser.get("/batches?" + query).text
        assert there.receipt_number in text and gone.receipt_number not in text and "共 1 条" in text
    assert "没有符合条件" in browser.get("/batches?q=%25%25").text
    assert "共 2 条" in browser.get("/batches?state=nonsense&dataset=%27--&page=-1").text


def test_a_delivery_shows_its_findings_by_rule_with_row_and_column(town):
    batch = batches(town, "beibei", "published").batches
    air = next(one for one in batch if one.dataset == "air")
    browser = of(town)
    page = Page(browser.get(f"/batches/{air.receipt_number}").text)
    assert air.sha256 in page.text and air.sm3 in page.text and "必须修改" in page.text
    summaries = [tag for tag, _ in page.tags if tag == "summary"]
    rows = list(
        csv.reader(io.StringIO(browser.get(f"/batches/{air.batch_id}/findings.csv").content.decode("utf-8-sig")))
    )
    assert len(summaries) >= 1 and len(rows) - 1 >= 1
    listed = re.search(r"问题清单 (\d+)", re.sub(r"\s+", " ", page.text))
    assert listed and int(listed[1]) == len(rows) - 1
    column = rows[0].index("行")
    assert rows[1][column] in page.text


def test_the_downloads_are_those_of_the_command_line(town, tmp_path):
    batch = batches(town, "beibei", "published").batches[0]
    browser = of(town)
    told = browser.get(f"/batches/{batch.receipt_number}/receipt.json")
    assert told.headers["content-disposition"].startswith("attachment") and told.json()["sha256"] == batch.sha256
    from records.keys import KeyRing

    report = verify_receipt(told.text, KeyRing.open(town.places.keys).public_keys())
    assert report.ok and report.trusted
    book = browser.get(f"/batches/{batch.receipt_number}/annotated.xlsx")
    assert "%E6%A0%87%E6%B3%A8.xlsx" in book.headers["content-disposition"]
    seen = openpyxl.load_workbook(io.BytesIO(book.content))
    assert seen.worksheets
    seen.close()
    assert zipfile.ZipFile(io.BytesIO(book.content)).testzip() is None


@pytest.mark.parametrize("part", ["", "/receipt.json", "/findings.csv", "/annotated.xlsx"])
def test_what_the_other_bureau_delivered_is_as_if_it_were_not_there(town, part):
    """AUZ-02."""
    foreign = batches(town, "mianyang").batches[0]
    for number in (foreign.receipt_number, foreign.batch_id):
        told, nothing = of(town).get(f"/batches/{number}{part}"), of(town).get(f"/batches/Rnothing-1-A{part}")
        assert told.status_code == nothing.status_code == 404
        same = [re.sub(r"<code>[0-9A-F]{10}</code>|value=\"[0-9a-f]{64}\"", "", one.text) for one in (told, nothing)]
        assert same[0] == same[1] and foreign.file_name not in told.text


# -- 夜间看板, languages, menus ------------------------------------------------------------------------------


def test_the_board_shows_both_bureaus(town):
    page = Page(of(town, role="inspector").get("/night").text)
    assert "北碚区生态环境局" in page.text and "绵阳市生态环境局" in page.text
    assert "北碚区报送文件夹" in page.text and "绵阳市报送文件夹" in page.text


def test_english_is_chosen_in_the_address_and_remembered(town):
    browser = of(town)
    first = browser.get("/?lang=en")
    assert '<html lang="en">' in first.text and "Sign out" in first.text
    assert '<html lang="en">' in browser.get("/batches").text
    assert "Deliveries" in browser.get("/batches").text
    assert '<html lang="zh-CN">' in browser.get("/batches?lang=zh").text
    assert 'href="?state=refused&amp;lang=en"' in browser.get("/batches?state=refused").text


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_page_is_whole_and_has_one_heading_a_language_and_a_way_to_skip(town, language):
    for path, told in every_page(town, language):
        page = Page(told.text)
        tags = [tag for tag, _ in page.tags]
        assert tags.count("h1") == 1 and tags.count("main") == 1 and "skip" in told.text, path
        assert ("html", {"lang": "zh-CN" if language == "zh" else "en"}) in page.tags


def test_the_menu_offers_what_the_role_may(town):
    seen = {
        role: re.findall(r'<a href="(/[a-z]*)"', of(town, role=role).get("/").text.partition("</nav>")[0])
        for role in ("uploader", "inspector", "administrator")
    }
    assert "/batches" in seen["uploader"]
    assert "/batches" not in seen["inspector"] and "/batches" not in seen["administrator"]


# -- marks ----------------------------------------------------------------------------------------------------


def test_marks_are_shown_as_text_on_every_page_and_every_template_was_drawn(town):
    """WEB-01…03: file names, header cells, sources, alarms, people's names, search terms, what is typed."""
    shown = 0
    pages.kitchen().cache.clear()
    for path, told in every_page(town):
        page = Page(told.text)
        assert told.status_code < 500, path
        scripts = [attrs for tag, attrs in page.tags if tag == "script"]
        assert all(attrs.get("src", "").startswith("/static/") for attrs in scripts)
        for tag, attrs in page.tags:
            assert not any(name.startswith("on") or name == "style" for name in attrs), (path, tag)
            assert not any(
                str(attrs.get(name) or "").startswith(("javascript:", "//", "http")) for name in ("href", "src")
            )
            assert tag != "img" or str(attrs["src"]).startswith("/static/")
        assert "49'" not in told.text
        shown += MARK[:20] in page.text
    assert shown >= 5
    visitors = town.person("mianyang", "reviewer", name=MARK[:50], login="marks")
    town.enrol(visitors)
    waiting = town.browser()
    waiting.sign_in(visitors.login)
    assert MARK[:20] in Page(waiting.get("/second-factor").text).text
    drawn = {key[1] for key in pages.kitchen().cache.keys()}
    rest = {path.name for path in pages.TEMPLATES.iterdir() if path.is_file()} - drawn  # those of rooms: in their tests
    assert rest <= {"first_password.html", "recovery_codes.html"}, "drawn with real people in test_web_login.py"


@pytest.mark.parametrize(
    "template", sorted(path.relative_to(pages.TEMPLATES).as_posix() for path in pages.TEMPLATES.rglob("*.*"))
)
def test_a_template_escapes_whatever_it_is_called(template):
    kitchen = pages.kitchen()
    assert template.endswith(".html") and kitchen.autoescape is True
    source = (pages.TEMPLATES / template).read_text(encoding="utf-8")
    assert not re.search(r"\|\s*safe|autoescape|style=|\son[a-z]+=|<style|javascript:", source)
    assert kitchen.from_string("{{ mark }}").render(mark=MARK).count("<") == 0


# -- files ----------------------------------------------------------------------------------------------------


def test_what_came_from_elsewhere_is_what_its_maker_gave_out():
    kept = tomllib.loads((STATIC / "vendored.toml").read_text(encoding="utf-8"))
    own = {"app.css", "app.js", "icon.svg", "vendored.toml"}
    rooms = {path.name for path in pages.TEMPLATES.iterdir() if path.is_dir()}
    own |= {path.name for path in STATIC.iterdir() if path.stem in rooms and path.suffix in (".css", ".js")}
    assert {path.name for path in STATIC.iterdir()} == own | set(kept)
    for name, told in kept.items():
        assert hashlib.sha256((STATIC / name).read_bytes()).hexdigest() == told["sha256"]
        assert told["version"] in told["source"] and told["licence"]


def test_the_files_are_small_and_ask_for_nothing_elsewhere():
    import gzip

    weights = {name: len(gzip.compress(one.content, mtime=0)) for name, one in assets().items()}
    assert (STATIC / "app.css").stat().st_size <= 30 * 1024 and sum(weights.values()) <= 60 * 1024
    for name in ("app.css", "app.js"):
        text = (STATIC / name).read_text(encoding="utf-8")
        assert not re.search(r"https?://|//[a-z]|@import|url\(", text.replace("// ", ""))


def test_a_file_is_found_under_its_own_mark_only():
    style = assets()["app.css"]
    _, _, mark, name = style.address.split("/")
    assert at_address(mark, name) is style
    assert at_address("0" * 16, name) is None and at_address(mark, "vendored.toml") is None
    assert at_address(mark, "../app.py") is None


def test_the_first_view_is_light(town):
    import gzip

    page = of(town).get("/").content
    weight = len(gzip.compress(page)) + sum(len(gzip.compress(one.content)) for one in assets().values())
    assert weight <= 150 * 1024


# -- both databases -------------------------------------------------------------------------------------------


def test_the_pages_work_over_either_database(tmp_path, database_url):
    made = new_home(tmp_path)
    places = replace(made, database_url=database_url)
    with Records.open(database_url, create=True) as records:
        assert results_since(records, "beibei", MORNING)["files"] == 0
    opened = open_town(places)
    people_of(opened)
    for bureau in BUREAUS:
        browser = of(opened, bureau)
        for route in ROUTES:
            if route.method == "GET" and route.path in ("/", "/batches", "/night", "/account"):
                assert browser.get(route.path).status_code == 200, route.path
        assert opened.browser().sign_in(opened.people[bureau, "uploader"].login).status_code == 303
    opened.records.close()
