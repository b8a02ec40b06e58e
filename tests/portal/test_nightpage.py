"""The page of a night: made by a real night over real files, read back as a browser would."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from portal_home import MORNING, hand_in, new_home

from pipelines.batch import Places
from pipelines.board import board
from pipelines.intake.pull import Wanted
from portal.boards import STATES
from portal.nightly import sync_now
from portal.nightpage import night_document, render, write_night
from portal.settings import read_night_settings, read_settings
from records.alarms import Trouble, tell
from records.store import Records
from schemas.sources import sources

MARK = "</title><script>alert(1)</script><img src=//evil.example/x onerror=1>{{7*7}}'\""


class Page(HTMLParser):
    """Tags, attributes and visible text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@dataclass
class Story:
    places: Places
    summary: dict[str, Any]
    html: str
    told: dict[str, Any]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """One night: a good file, one that is refused, and one whose name is meant to break the page."""
    folder = tmp_path_factory.mktemp("night")
    places = new_home(folder)
    hand_in(places, "mianyang", "空气小时值_20260408_更正.csv")
    hand_in(places, "mianyang", "企业环境信用评价结果_2025年度_补报.csv")
    (places.home / "inbox/beibei").mkdir(parents=True, exist_ok=True)
    (places.home / "inbox/beibei" / (MARK.replace("/", "∕") + ".csv")).write_text("甲,乙\n1,2\n", encoding="utf-8")
    with Records.open(places.database_url) as records:
        settings = replace(read_night_settings(places.home, {}), backups=None)
        summary, well, _ = sync_now(places, records, settings, lambda: MORNING, None, Wanted())
    assert not well
    html, told = ((places.home / "nights" / f"2026-04-09.{kind}").read_text("utf-8") for kind in ("html", "json"))
    return Story(places, summary, html, json.loads(told))


def test_the_json_says_what_came_what_changed_and_what_was_refused(story):
    told = story.told
    assert (told["document"], told["day"], told["run"]["job"]) == ("gongzhi-night/1", "2026-04-09", "sync")
    arrived = {one["source"]: (one["state"], one["arrived"]) for one in told["sources"]}
    assert arrived == {"beibei/inbox": ("new", 1), "mianyang/inbox": ("new", 2)}
    states = {batch["dataset"] or batch["bureau"]: batch["state"] for batch in told["batches"]}
    assert states == {"air": "published", "credit": "refused", "beibei": "refused"}
    assert told["results"]["published"] == 569 and told["results"]["quarantined"] == 2
    air = next(one for one in told["tables"] if one["table"] == "air_observation")
    assert (air["added"], air["corrected"]) == (569, 0)
    credit = next(batch for batch in told["batches"] if batch["dataset"] == "credit")
    why = credit["refused"][0]
    assert (why["rule"], why["count"], why["row"], why["column"]) == ("CREDIT-013", 1, 3, "B")
    assert why["value"] == "91510725MAYY000930"


def test_the_page_shows_the_same_in_words(story):
    page = Page(story.html)
    for word in (
        "数据交换夜报 2026-04-09", "绵阳市报送文件夹", "空气小时值_20260408_更正.csv", "已发布", "569", "CREDIT-013",
        "首见  第 3 行 B 列 “91510725MAYY000930”", "air_observation", "被退回", "处置：", "检查点：2026-04-08",
        story.told["checkpoint"]["sha256"], "夜间例行",
    ):  # fmt: skip
        assert word in page.text, word


def test_the_page_asks_nothing_of_the_network(story):
    page = Page(story.html)
    assert not [tag for tag, _ in page.tags if tag in ("script", "link", "img", "iframe", "object", "base", "form")]
    assert not [
        a for _, attrs in page.tags for a in attrs if a in ("src", "href", "srcset", "action") or a.startswith("on")
    ]
    assert not re.search(r"url\(|@import|https?://", story.html)
    policy = next(attrs["content"] for tag, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"


def test_a_file_name_cannot_break_out_of_the_page(story):
    assert any("<script>" in batch["file"] for batch in story.told["batches"])
    page = Page(story.html)
    assert "alert(1)" in page.text and "{{7*7}}" in page.text
    assert [tag for tag, _ in page.tags].count("title") == 1


def test_every_text_of_the_document_is_escaped_wherever_it_stands(story):
    """Each text of the document in turn holds the mark, and none becomes a tag."""

    def marked(value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {key: marked(inner, key) for key, inner in value.items()}
        if isinstance(value, list):
            return [marked(inner, name) for inner in value]
        steered = (
            "state",
            "severity",
            "day",
            "days",
            "made_at",
            "started_at",
            "finished_at",
            "opened_at",
            "closed_at",
            "at",
        )
        return MARK if isinstance(value, str) and name not in steered else value

    told = marked(story.told)
    told["alarms"]["closed"] = told["alarms"]["open"]
    page = Page(render(told))
    assert page.text.count("alert(1)") > 30
    assert not [tag for tag, _ in page.tags if tag in ("script", "img")]
    assert not [a for _, attrs in page.tags for a in attrs if a.startswith("on")]


def test_the_strip_has_a_colour_and_a_word_for_every_state(story):
    for state, (zh, _) in STATES.items():
        told = json.loads(json.dumps(story.told))
        told["board"]["rows"][0]["cells"][0] |= {"state": state, "expected": 1}
        html = render(told)
        assert f'class="c s-{state}"' in html and f"--s-{state}:" in html
        assert state == "quiet" or zh in html


def test_it_is_made_for_light_and_dark_paper_and_telephone(story):
    for piece in ("prefers-color-scheme: dark", "@media print", "size: A4", "width=device-width", "overflow-x: auto"):
        assert piece in story.html
    assert not re.search(r"(?<!max-)(?<!min-)width:\s*\d{3,}px", story.html)


def test_a_later_run_of_the_day_keeps_what_the_night_brought(story, tmp_path):
    home = Path(shutil.copytree(story.places.home, tmp_path / "home"))
    places = read_settings({}).places(home)
    later = MORNING + timedelta(hours=5)
    with Records.open(places.database_url) as records:
        settings = replace(read_night_settings(home, {}), backups=None)
        sync_now(places, records, settings, lambda: later, lambda source: source.bureau == "mianyang", Wanted())
    told = json.loads((home / "nights" / "2026-04-09.json").read_text("utf-8"))
    mianyang = next(one for one in told["sources"] if one["source"] == "mianyang/inbox")
    assert (mianyang["visits"], mianyang["arrived"], mianyang["state"]) == (2, 2, "new")
    assert len(told["batches"]) == 3 and set(told["chores"]) == set(story.told["chores"]) != set()


def test_the_next_day_begins_empty_and_says_that_nobody_went(story, tmp_path):
    home = Path(shutil.copytree(story.places.home, tmp_path / "home"))
    places = read_settings({}).places(home)
    tomorrow = MORNING + timedelta(days=1)
    with Records.open(places.database_url) as records:
        found, _ = sources(places.site_facts)
        day = date(2026, 4, 10)
        told = night_document(
            records, places, found, board(records, found, day, day, tomorrow), {}, day, tomorrow
        )  # fmt: skip
    assert told["sources"] == [] and told["batches"] == [] and told["tables"] == []
    assert "今天没有访问任何来源" in Page(render(told)).text


def test_alarms_that_ended_today_are_told_as_gone(places, kept):
    gone = Trouble("missing", "beibei/inbox", "beibei", "error", "北碚 2026-04-07 未到", "has not come")
    tell(kept, [gone], (), MORNING - timedelta(days=1), [])
    tell(kept, [], {"beibei/inbox"}, MORNING, [])
    found, _ = sources(places.site_facts)
    seen = board(kept, found, date(2026, 4, 9), date(2026, 4, 9), MORNING)
    path = write_night(kept, places, found, seen, {}, MORNING)
    text = Page(path.read_text("utf-8")).text
    assert "已解除：应到未到" in text and "北碚 2026-04-07 未到" in text and "没有未解除的告警" in text


def test_the_day_is_that_of_china(places, kept):
    found, _ = sources(places.site_facts)
    for at, name in ((datetime(2026, 4, 8, 15, 59, tzinfo=UTC), "2026-04-08"), (MORNING, "2026-04-09")):
        seen = board(kept, found, date.fromisoformat(name), date.fromisoformat(name), at)
        assert write_night(kept, places, found, seen, {}, at).name == f"{name}.html"
    assert sorted(path.name for path in (places.home / "nights").iterdir()) == [
        "2026-04-08.html", "2026-04-08.json", "2026-04-09.html", "2026-04-09.json",
    ]  # fmt: skip
