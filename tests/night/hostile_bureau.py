"""What a bureau publishes at the one source of a trouble, decently served by a server of its own until a night is not.

A night brings the day before. Water comes in three files of a section each (``listing``) or in one file that grows
(``file``); air comes as six results an hour from an API with numbered pages and a total (``page``) or links to the next
page (``next``). The slot of a source is the minute of its water or the hour of its air, so that no two of them publish
the same.
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
NIGHTS = 3
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
             "数值": (night + 1) * (number + 1), "单位": unit},
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


def pages(rows: Sequence[str], more: int = 0, slips: int = 0) -> Behaviour:
    """All pages; the total says so many more, and in the first readings the order slips by one after the first page."""
    readings = 0

    def behave(talk: Talk) -> None:
        nonlocal readings
        number = number_of(talk)
        readings += number == 1
        start = (number - 1) * PAGE - (number > 1 and readings <= slips)
        following = f"/api?page={number + 1}" if start + PAGE < len(rows) else ""
        page(rows[start : start + PAGE], len(rows) + more, following)(talk)

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
    night: int = 0
    elsewhere: dict[str, str | None] = field(default_factory=dict)
    """Where its name leads in the place of this machine; None: nowhere."""

    @property
    def key(self) -> str:
        return f"mianyang/try{self.number:02}"

    def lines(self, section: str, night: int) -> list[str]:
        return [line(f"MYW0{section}", night, self.slot)]

    def name(self, section: str) -> str:
        """The path of a file of the newest night."""
        return f"/try/{day_of(self.night):%Y%m%d}-{section}.csv"

    def body(self, section: str = "") -> bytes:
        """The file of a section of the newest night, or the one that grows."""
        if section:
            return water(self.lines(section, self.night))
        return water(one for night in range(self.night + 1) for two in SECTIONS for one in self.lines(two, night))

    def items(self) -> list[str]:
        return [item for night in range(self.night + 1) for item in air(night, self.slot)]

    def serve(self, night: int) -> None:
        """Put in place what is out by then, and be decent."""
        self.night = night
        self.elsewhere.clear()
        if self.tls:
            self.tls.shown = self.tls.good
        if self.kind == "listing":
            for section in SECTIONS:
                self.partner.script(self.name(section), document(self.body(section)))
            self.partner.script("/try/", self.index())
        elif self.kind == "file":
            self.partner.script("/latest.csv", document(self.body()))
        else:
            self.partner.script("/api", pages(self.items()))

    def index(self) -> Behaviour:
        return listing(
            f"{day_of(night):%Y%m%d}-{section}.csv" for night in range(self.night + 1) for section in SECTIONS
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
