"""What a bureau publishes at the one source of a trouble, decently served by a server of its own until a night is not.

The first two nights bring the day before. Water comes in files of a section each (``listing``), one in the first night
and three in the second, or in one file that grows (``file``); air comes as six results an hour from an API with
numbered pages and a total (``page``) or links to the next page (``next``). The slot of a source is the minute of its
water or the hour of its air, so that no two of them publish the same. Most sources begin in the second night.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta, timezone
from urllib.parse import parse_qsl

import trustme

from tests.partner import Partner, Talk, server_context
from tests.partner.behaviours import Document, answer, document
from tests.partner.server import Behaviour

CHINA = timezone(timedelta(hours=8))
FIRST = date(2026, 4, 6)
"""The first day, a Monday: none of the nights is that of the weekly compare."""
NIGHTS, DAYS = 3, 2
"""After the night of the trouble no more days come: what comes in the last one was missed."""
SECTIONS = ("1", "2", "3")
FACTORS = (("PM2.5", "μg/m3"), ("PM10", "μg/m3"), ("SO2", "μg/m3"), ("NO2", "μg/m3"), ("CO", "mg/m3"), ("O3", "μg/m3"))
PAGE = 4
WATER = "断面编码,断面名称,采样时间,水温(℃),pH,溶解氧(mg/L),高锰酸盐指数(mg/L),氨氮(mg/L),总磷(mg/L)"
KINDS = {
    "listing": 'kind = "listing"\ndataset = "water"\nurl = "{url}/try/"',
    "file": 'kind = "file"\ndataset = "water"\nurl = "{url}/latest.csv"',
    "page": 'kind = "api"\ndataset = "air"\nurl = "{url}/api"',
    "next": 'kind = "api"\ndataset = "air"\nurl = "{url}/api"',
}
PAGING = {
    "page": f'[sources.paging]\nstyle = "page"\nitems = "rows"\ntotal = "total"\nsize = "size"\npage_size = {PAGE}',
    "next": '[sources.paging]\nstyle = "next"\nitems = "rows"\nnext = "next"',
}


def day_of(night: int) -> date:
    return FIRST + timedelta(days=night)


def sections(night: int) -> tuple[str, ...]:
    return SECTIONS if night else SECTIONS[:1]


def water(lines: Iterable[str]) -> bytes:
    return "\n".join([WATER, *lines, ""]).encode()


def line(place: str, night: int, minute: int) -> str:
    """One sample; the name of the section is written, in characters that GBK and UTF-8 write differently."""
    name = {"MYW01": "丰谷", "BBW01": "北温泉"}.get(place, "")
    return f"{place},{name},{day_of(night)} 08:{minute:02},,7.5,,,0.{night + 1}{minute:02},"


def air(night: int, hour: int) -> list[str]:
    """The items of a night, as an API writes them."""
    return [
        json.dumps(
            {"站点编码": "1878A", "站点名称": "富乐山", "监测时间": f"{day_of(night)} {hour:02}:00", "因子": factor,
             "数值": 5 + (7 * hour + 11 * number + 3 * night) % 19, "单位": unit},
            ensure_ascii=False,
        )
        for number, (factor, unit) in enumerate(FACTORS)
    ]  # fmt: skip


# -- answers ----------------------------------------------------------------------------------------------------------


def listing(names: Iterable[str]) -> Behaviour:
    links = "".join(f'<a href="{name}">{name}</a>\n' for name in names)
    return answer(f"<title>Index of /try/</title><pre>{links}</pre>".encode(), Content_Type="text/html")


def said(text: str | bytes) -> Behaviour:
    body = text.encode() if isinstance(text, str) else text
    return answer(body, Content_Type="application/json; charset=utf-8")


def page(rows: Sequence[str], total: int, following: str = "") -> Behaviour:
    return said(f'{{"total": {total}, "next": {json.dumps(following or None)}, "rows": [{",".join(rows)}]}}')


def number_of(talk: Talk) -> int:
    return int(dict(parse_qsl(talk.request.query)).get("page", "1"))


def pages(rows: Sequence[str], more: int = 0, slips: int = 0, slow_total: bool = False) -> Behaviour:
    """All pages; the total says so many more, or one less on the very first page.

    In the first readings, as many as it ``slips``, the order changes after a page: one item comes twice, one not at all.
    """
    readings = 0

    def behave(talk: Talk) -> None:
        nonlocal readings
        number = number_of(talk)
        readings += number == 1
        start, end = (number - 1) * PAGE, number * PAGE
        found = rows[start:end]
        if number > 1 and readings <= slips:
            found = [rows[start - 1], *found[1:]]
        total = len(rows) + more - (slow_total and readings == number == 1)
        page(found, total, f"/api?page={number + 1}" if end < len(rows) else "")(talk)

    return behave


# -- the bureau -------------------------------------------------------------------------------------------------------


class Turncoat:
    """A TLS server whose certificate can be changed while it runs."""

    def __init__(self) -> None:
        self.authority = trustme.CA()
        self.good = server_context(self.authority.issue_cert("localhost"))
        self.shown = self.good
        self.door = server_context(self.authority.issue_cert("localhost"))
        self.door.sni_callback = self._show

    def _show(self, sock: ssl.SSLObject, *_: object) -> None:
        sock.context = self.shown


@dataclass
class Bureau:
    """One source and its server; ``night`` is the newest one whose data is out."""

    number: int
    slot: int
    kind: str
    partner: Partner
    tls: Turncoat | None = None
    first: int = 0
    """The night in which the source begins."""
    night: int = 0
    elsewhere: dict[str, str | None] = field(default_factory=dict)
    """Where its name leads in the place of this machine; None: nowhere."""

    @property
    def key(self) -> str:
        return f"mianyang/try{self.number:02}"

    def nights(self) -> range:
        """The nights whose data is out."""
        return range(self.first, self.night + 1)

    def lines(self, section: str, night: int) -> list[str]:
        return [line(f"MYW0{section}", night, self.slot)]

    def name(self, section: str) -> str:
        """The path of a file of the newest night."""
        return f"/try/{day_of(self.night):%Y%m%d}-{section}.csv"

    def body(self, section: str = "") -> bytes:
        """The file of a section of the newest night, or the one that grows."""
        if section:
            return water(self.lines(section, self.night))
        return water(one for night in self.nights() for two in sections(night) for one in self.lines(two, night))

    def items(self) -> list[str]:
        return [item for night in self.nights() for item in air(night, self.slot)]

    def serve(self, night: int) -> None:
        """Put in place what is out by then, and be decent."""
        self.night = min(night, DAYS - 1)
        self.elsewhere.clear()
        if self.tls:
            self.tls.shown = self.tls.good
        if self.kind == "listing":
            for section in sections(self.night):
                self.partner.script(self.name(section), document(self.body(section)))
            self.partner.script("/try/", self.index())
        elif self.kind == "file":
            self.partner.script("/latest.csv", document(self.body()))
        else:
            self.partner.script("/api", pages(self.items()))

    def index(self) -> Behaviour:
        return listing(
            f"{day_of(night):%Y%m%d}-{section}.csv" for night in self.nights() for section in sections(night)
        )

    @property
    def path(self) -> str:
        """What a trouble befalls: the second file of the newest night, the one file, the API."""
        return {"listing": self.name("2"), "file": "/latest.csv"}.get(self.kind, "/api")

    def decent(self) -> Behaviour:
        """The decent answer at that place."""
        if self.kind in ("page", "next"):
            return pages(self.items())
        return document(self.body("2" if self.kind == "listing" else ""))


class Replaced:
    """A file that is another one each time it is asked for, so many times; then it stands still."""

    def __init__(self, last: bytes, times: int) -> None:
        self.last, self.times, self.asked = last, times, 0

    def __call__(self, talk: Talk) -> None:
        self.asked += 1
        body = self.last
        if self.asked <= self.times:
            body = self.last.replace(b",7.5,", f",7.{self.asked % 10},".encode())
            body += b"\n" * self.asked
        Document(body)(talk)
