"""A pool of made-up experts behind the portal, people with their second factor, and a draw taken from page to page."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

from httpx import Response
from portal_home import new_home
from portal_web import BUREAUS, Browser, Town, open_town

from expert_registry.draw.desk import request
from expert_registry.draw.protocol import Seat
from expert_registry.draw.requests import PanelRequest
from expert_registry.people import Matter, Party
from portal.expert_desk import office_of
from portal.web.asking import csrf_token
from records import expert_drawbook
from records.expert_listing import expert_ids
from records.experts import ExpertRow, writing
from schemas.identifiers import check_character, organisation_check

BEGUN = datetime(2026, 6, 3, 1, tzinfo=UTC)
"""2026-06-03 09:00 in China."""
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HELD = date(2026, 6, 20)
FORM = {
    "matter": "渝碚环咨〔2026〕7号", "title": "示例园区废水治理方案咨询", "purpose": "project-advice",
    "held_on": "2026-06-20", "opens_at": "2026-06-12T09:00", "seat1": "W03", "number1": "2", "seat2": "A03",
    "number2": "1", "party1_name": "重庆示例涂料有限公司", "party1_heads": "周示例",
}  # fmt: skip
SOURCES = {
    "source": "福利彩票双色球第2026064期", "due": "2026-06-07T21:15", "fallback": "福利彩票双色球第2026066期",
    "fallback_due": "2026-06-09T21:15",
}  # fmt: skip
VALUE = {"value": "03 09 11 20 28 31 + 07"}


def made_uscc(number: int) -> str:
    """A code that passes its check, of no real enterprise."""
    body = f"91500109MAYY9{number:03d}"
    code = body + organisation_check(body[8:])
    return code + check_character(code)


def fill(town: Town, people: Iterable[int] = range(1, 31)) -> None:
    """Enter appointed experts, odd ones on the list of Mianyang, every third of them for air; the vault comes first."""
    entered = town.clock.at - 400 * DAY
    assert office_of(town.places, town.records, "tests", entered).vault.current == 1
    with writing(town.records, "tests", entered) as pool:
        for n in people:
            bureau = BUREAUS[n % 2]
            row: dict[str, Any] = {
                "expert_id": f"e-{n:05d}", "bureau": bureau, "name": f"样例{n}", "name_key": f"样例{n}",
                "employer": f"示例研究院{n}", "employer_uscc": made_uscc(n), "title": "教授", "title_rank": "senior",
                "division": "500109" if bureau == "beibei" else "510703", "state": "appointed",
                "identity_kind": "other", "identity_index": f"{n:064x}", "identity_sealed": "", "phone_sealed": "",
                "identity_mask": "", "phone_mask": "", "entered_at": entered, "updated_at": entered,
                "term_start": entered.date(), "term_end": date(2029, 2, 28),
            }  # fmt: skip
            code = "W03" if n % 3 else "A03"
            consent = {"kind": "sharing", "given_on": entered.date(), "revoked_on": None, "document": "同意书"}
            parts = {"specialty": [{"code": code, "edition": "gz-2026-1", "raw": code}], "consent": [consent]}
            pool.add(ExpertRow(**row), parts)


def ask_for_draw(town: Town, bureau: str) -> str:
    """A draw of a bureau, just asked for; the same one again and again."""
    kept = expert_drawbook.draws(town.records, bureau=bureau)
    if not kept:
        at = town.clock.at
        desk = office_of(town.places, town.records, "tests", at, unit=bureau).desk
        day = at.date() + 20 * DAY
        matter = Matter(f"示例〔2026〕{bureau}", "示例咨询", day, bureau, parties=(Party("", "重庆示例涂料有限公司"),))
        asked = PanelRequest(matter, "project-advice", (Seat("W03", 2), Seat("A03", 1)), at + 10 * DAY)
        kept = [request(desk, asked, by="tests", at=at)]
    return kept[0].draw_id


def expert_of(town: Town, bureau: str) -> str:
    """An expert on the list of a bureau; the pool is filled at the first."""
    if not expert_ids(town.records):
        fill(town, range(1, 5))
    return f"e-0000{2 if bureau == BUREAUS[0] else 1}"


@dataclass
class Pool:
    """A portal with a full pool, and browsers of those who work with it."""

    town: Town

    def sit_down(self, bureau: str, role: str, login: str = "") -> Browser:
        """A browser of somebody who passed his second factor; made at the first."""
        known = self.town.people.get((bureau, login or role))
        if known is None:
            known = self.town.person(bureau, role, login=login or f"{role}-{bureau}")
            self.town.people[bureau, login or role] = known
        return self.town.browser(self.town.session(known, second_factor=True))


def open_pool(folder: Path, people: Iterable[int] = range(1, 31)) -> Pool:
    """Make a home of its own with a pool, and open its portal on the morning of the draw."""
    folder.mkdir(exist_ok=True)
    town = open_town(new_home(folder))
    town.clock.at = BEGUN
    fill(town, people)
    return Pool(town)


def other_home(folder: Path) -> Pool:
    """The home of the other bureau: it needs no pool to take part."""
    folder.mkdir()
    town = open_town(new_home(folder))
    town.clock.at = BEGUN
    assert office_of(town.places, town.records, "tests", BEGUN).vault.current == 1
    return Pool(town)


def hand_in(browser: Browser, path: str, name: str, data: bytes, **fields: str) -> Response:
    """Send a form with one file."""
    told = {"csrf": csrf_token(browser.token)} | fields
    files = {"file": (name, data, "application/octet-stream")}
    return browser.client.post(path, data=told, files=files, headers={"origin": browser.origin})


def words_of(answer: Response) -> str:
    """The words of a page, without its marks."""
    return unescape(re.sub(r"<[^>]+>", " ", answer.text.split("<main", 1)[-1].split("</main>")[0]))


def ask(browser: Browser, **more: str) -> str:
    """Ask for a draw on its page; its number."""
    answer = browser.post("/draws/new", FORM | more)
    assert answer.status_code == 303, words_of(answer)
    return answer.headers["location"].partition("?")[0].rpartition("/")[2]


def done(answer: Response) -> Response:
    """What was taken by the page."""
    assert answer.status_code == 303, words_of(answer)
    return answer


SECOND, FIRST, OTHER = ("beibei", "reviewer"), ("beibei", "expert_manager"), ("mianyang", "expert_manager")
"""Who confirms, who asks, and the other bureau."""
STEPS = (
    ("frozen", SECOND, "freeze", {}, HOUR), ("", FIRST, "commit", SOURCES, HOUR), ("committed", OTHER, "commit", {}, HOUR),
    ("", FIRST, "reveal", {}, HOUR), ("revealed", OTHER, "reveal", {}, HOUR), ("drawn", SECOND, "run", VALUE, 5 * DAY),
    ("published", FIRST, "publish", {}, HOUR),
)  # fmt: skip


def go_on(pool: Pool, draw_id: str, until: str = "published") -> None:
    """Take a draw on, each step by whom it belongs to."""
    for state, who, step, form, wait in STEPS:
        pool.town.clock.at += wait
        done(pool.sit_down(*who).post(f"/draws/{draw_id}/{step}", form))
        if state == until:
            return
