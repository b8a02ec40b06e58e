"""The pictures of the guide, taken on a home with the examples of both bureaus: ``make docs`` puts them into docs/pictures."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from portal_browser import PICTURES, tab
from portal_home import MORNING, hand_in, new_home
from portal_web import Served, Town, open_town, serving

from pipelines.intake.pull import Wanted
from portal.nightly import sync_now
from portal.settings import read_night_settings
from portal.web.sessions import SESSION
from records.filings import filing
from records.store import Records

EXAMPLES = Path(__file__).parents[2] / "examples" / "deliveries"
GUIDE = Path(__file__).parents[2] / "docs" / "门户使用指南.md"
TAKEN = PICTURES.parent / "guide"
DESK, PHONE = (1100, 720), (390, 760)
NAMES = {
    "uploader": "李晓燕", "reviewer": "王建国", "inspector": "张勇", "expert_manager": "刘敏", "auditor": "陈静",
    "administrator": "赵磊",
}  # fmt: skip
UNKNOWN = "测点名,采样时段,细颗粒物浓度,二氧化硫(ug/m3),值班员\n天生,2026年04月12日03时,35,12,甲\n天生,2026年04月12日04时,36,11,乙\n"


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A home after a night with a week of both bureaus."""
    places = new_home(tmp_path_factory.mktemp("guide"))
    for bureau in ("beibei", "mianyang"):
        for path in sorted((EXAMPLES / bureau).iterdir()):
            if "专家" not in path.name:
                hand_in(places, bureau, path.name)
    with Records.open(places.database_url) as records:
        settings = read_night_settings(places.home, {})
        sync_now(places, records, settings, lambda: MORNING + timedelta(days=4), None, Wanted())
    opened = open_town(places)
    opened.clock.at = MORNING + timedelta(days=4, hours=6)
    for bureau in ("beibei", "mianyang"):
        for role, name in NAMES.items():
            opened.people[bureau, role] = opened.person(bureau, role, login=f"{role}.{bureau}", name=name)
    yield opened
    opened.records.close()


@pytest.fixture(scope="module")
def portal(city: Town) -> Iterator[Served]:
    with serving(city) as running:
        yield running


def seen_by(page: Page, portal: Served, role: str, bureau: str = "beibei") -> None:
    token = portal.town.session(portal.town.people[bureau, role], second_factor=True)
    page.context.add_cookies([{"name": SESSION, "value": token, "url": portal.url}])


def take(page: Page, name: str) -> None:
    TAKEN.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=TAKEN / f"{name}.png", scale="css")


def settled(page: Page, portal: Served) -> str:
    """Wait until the workers have judged the file whose page is open; its number."""
    number = re.search(r"/filings/(F[A-Z2-7]+)", page.url)[1]
    until = time.monotonic() + 90
    while filing(portal.town.records, number).state in ("queued", "checking"):
        assert time.monotonic() < until, "no worker judged the file"
        page.wait_for_timeout(200)
    page.goto(f"/filings/{number}")
    return number


PAGES = [
    ("history", "uploader", "/batches", "报送历史"), ("gaps", "uploader", "/gaps?station=1414A&month=2026-04", "缺测说明"),
    ("review", "reviewer", "/reviews", "审核"), ("night", "reviewer", "/night", "夜间看板"),
    ("statistics", "reviewer", "/statistics", "报送统计"),
    ("series", "reviewer", "/statistics/series?station=beibei/1414A&parameter=O3/1h&days=7&until=2026-04-12", ""),
    ("map", "reviewer", "/map", "示意图"), ("catalogue", "reviewer", "/catalogue", "共享数据"),
    ("experts", "expert_manager", "/experts", "专家"), ("draws", "expert_manager", "/draws", "抽取"),
    ("audit", "auditor", "/audit", "审计"), ("accounts", "administrator", "/system/accounts", "账户"),
    ("credit-screen", "inspector", "/credit/screen", ""),
]  # fmt: skip


def test_every_picture_of_the_guide_is_taken(chromium, portal):
    """The journey the guide tells, page by page."""
    with tab(chromium, portal, DESK) as page:
        page.goto("/login")
        take(page, "login")
        seen_by(page, portal, "uploader")
        an_upload(page, portal)
        a_file_nobody_knows(page, portal)
        for name, role, address, heading in PAGES:
            seen_by(page, portal, role)
            page.goto(address)
            expect(page.get_by_role("heading", level=1)).to_contain_text(heading)
            take(page, name)
    with tab(chromium, portal, PHONE) as page:
        seen_by(page, portal, "inspector")
        an_enterprise(page)
    taken = {path.stem for path in TAKEN.glob("*.png")}
    assert shown() <= taken, f"the guide shows pictures nobody takes: {sorted(shown() - taken)}"


def test_every_picture_of_the_guide_is_in_the_documents_and_no_other():
    kept = {path.stem for path in (GUIDE.parent / "pictures").glob("*.png")}
    assert kept == shown(), "run make docs"


def shown() -> set[str]:
    """The pictures the guide shows."""
    return set(re.findall(r"\(pictures/([a-z-]+)\.png\)", GUIDE.read_text("utf-8")))


def an_upload(page: Page, portal: Served) -> None:
    page.goto("/")
    take(page, "desk")
    page.goto("/filings/new?dataset=air")
    take(page, "upload")
    data = (EXAMPLES / "beibei" / "空气小时值_2026-04-08.xlsx").read_bytes()
    page.locator("input[type=file]").set_input_files(
        {"name": "空气小时值_2026-04-08_补.xlsx", "mimeType": "application/octet-stream", "buffer": data + b" "}
    )
    page.get_by_role("button", name=re.compile("上传|校验")).last.click()
    page.wait_for_url(re.compile(r"/filings/F"))
    number = settled(page, portal)
    take(page, "result")
    page.goto(f"/filings/{number}/hand-in")
    take(page, "hand-in")
    published = page.context.request.get("/batches").text()
    receipt = re.search(r"Rbeibei-\d{8}-[A-Z2-7]{10}", published)
    assert receipt is not None
    page.goto(f"/receipts/{receipt[0]}")
    take(page, "receipt")


def a_file_nobody_knows(page: Page, portal: Served) -> None:
    page.goto("/filings/new?dataset=air&purpose=check")
    page.locator("input[type=file]").set_input_files(
        {"name": "日报.csv", "mimeType": "text/csv", "buffer": UNKNOWN.encode()}
    )
    page.get_by_role("button", name=re.compile("上传|校验")).last.click()
    page.wait_for_url(re.compile(r"/filings/F"))
    page.goto(f"/studio/{settled(page, portal)}")
    take(page, "studio")


def an_enterprise(page: Page) -> None:
    page.goto("/credit")
    page.get_by_text("检查前核查").click()
    page.get_by_role("button", name="开始查询").click()
    page.get_by_role("searchbox").fill("示例")
    expect(page.locator("#hits a").first).to_be_visible()
    take(page, "credit-search")
    page.locator("#hits a").first.click()
    take(page, "credit-enterprise")
