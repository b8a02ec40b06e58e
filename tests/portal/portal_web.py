"""The portal over a real home: a night's deliveries, people of both bureaus in every role, and browsers to ask with."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pyotp
from fastapi import FastAPI
from httpx import Response
from portal_home import MORNING, hand_in, new_home

from pipelines.batch import Places
from pipelines.intake.pull import Wanted
from portal.access import accounts, sessions
from portal.access.gate import Gate
from portal.access.login import change_password, sign_in
from portal.access.second_factor import begin_enrolment, confirm_enrolment
from portal.cli_serve import make_server
from portal.nightly import sync_now
from portal.settings import PortalSettings, read_night_settings, read_portal_settings
from portal.web.app import make_app
from portal.web.asking import csrf_token
from portal.web.sessions import SESSION, cookie_name
from records.alarms import Trouble, tell
from records.store import Records
from schemas.permissions import portal_roles

MARK = "</title></script><script>alert(1)</script><img src=//evil.example/x onerror=alert(2)>{{7*7}}'\""
"""What would break a page that does not escape; ``{{7*7}}`` must stay as it is, too."""
PASSWORD = "缙云山下 嘉陵江 42"
LOCAL = "http://127.0.0.1:8800"
T = TypeVar("T")
BUREAUS = ("beibei", "mianyang")


@dataclass
class Clock:
    """The time of the portal, moved by hand."""

    at: datetime = MORNING + timedelta(hours=6)

    def __call__(self) -> datetime:
        return self.at


@dataclass
class Person:
    """Somebody with an account, and the token of a session of his."""

    login: str
    bureau: str
    role: str
    account_id: str
    token: str = field(repr=False)


@dataclass
class Town:
    """A portal, its home, its clock and its people."""

    places: Places
    settings: PortalSettings
    clock: Clock
    app: FastAPI
    people: dict[tuple[str, str], Person] = field(default_factory=dict)

    @property
    def gate(self) -> Gate:
        return self.app.state.site.gate

    @property
    def records(self) -> Records:
        return self.app.state.site.records

    def browser(self, token: str = "") -> Browser:
        return Browser(self, token)

    def person(self, bureau: str, role: str, *, login: str = "", name: str = "") -> Person:
        """Make somebody who has chosen his password."""
        gate, at = self.gate, self.clock.at
        issued = accounts.add(
            gate, login or f"{role}-{bureau}", name or f"{bureau} {role}", bureau, [role], "tests", at
        )
        begun = sign_in(gate, issued.account.login, issued.password, at)
        begun = change_password(gate, begun.token, issued.password, PASSWORD, at)
        return Person(issued.account.login, bureau, role, issued.account.account_id, begun.token)

    def session(self, person: Person, *, second_factor: bool = False) -> str:
        """Begin a session of somebody, as if he had just signed in; with ``second_factor`` as if he had passed it."""
        at = self.clock.at
        begun = sessions.begin(
            self.gate, person.account_id, person.bureau, "", at, "tests", factor_at=at if second_factor else None
        )
        return begun.token

    def enrol(self, person: Person) -> tuple[pyotp.TOTP, list[str]]:
        """Give somebody a second factor; his session goes on."""
        offered = begin_enrolment(self.gate, person.token, PASSWORD, self.clock.at)
        totp = pyotp.TOTP(offered.secret)
        enrolled = confirm_enrolment(self.gate, person.token, offered.offer, totp.at(self.clock.at), self.clock.at)
        person.token = enrolled.signed_in.token
        self.clock.at += timedelta(seconds=60)  # the code of that moment is used up
        return totp, list(enrolled.recovery_codes)


_LOOPS = ThreadPoolExecutor(8, "loops of the tests")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a thread of its own: the one of the tests has a loop already while a browser is open."""
    return _LOOPS.submit(asyncio.run, coroutine).result()


class Wire(httpx.BaseTransport):
    """Hands a request to the portal in this process."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app

    def handle_request(self, request: httpx.Request) -> Response:
        async def ask() -> tuple[int, list[tuple[bytes, bytes]], bytes]:
            wire = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=("127.0.0.1", 50000))
            sent = httpx.Request(request.method, request.url, headers=request.headers, content=request.read())
            answer = await wire.handle_async_request(sent)
            return answer.status_code, answer.headers.raw, await answer.aread()

        status, headers, body = run(ask())
        return Response(status, headers=headers, content=body)


class Browser:
    """A browser without scripts: keeps cookies, sends forms as they stand on the page it saw."""

    def __init__(self, town: Town, token: str = "") -> None:
        self.town = town
        self.client = httpx.Client(transport=Wire(town.app), base_url=town.settings.address or LOCAL)
        if token:
            self.keep(cookie_name(SESSION, town.settings.secure), token)

    def keep(self, name: str, value: str) -> None:
        """Put a cookie of this host into the browser."""
        self.client.cookies.set(name, value, domain=self.client.base_url.host, path="/")

    @property
    def token(self) -> str:
        return self.client.cookies.get(cookie_name(SESSION, self.town.settings.secure)) or ""

    @property
    def origin(self) -> str:
        return self.town.settings.address or LOCAL

    def get(self, path: str, **more: object) -> Response:
        return self.client.get(path, **more)

    def post(
        self, path: str, data: dict[str, str] | None = None, *, csrf: str | None = None, **headers: str
    ) -> Response:
        """Send a form as a page of ours would."""
        fields = {"csrf": csrf_token(self.token) if csrf is None else csrf} | (data or {})
        return self.client.post(path, data=fields, headers={"origin": self.origin} | headers)

    def sign_in(self, login: str, password: str = PASSWORD, onward: str = "") -> Response:
        """Fill in the login page."""
        seen = self.get("/login", params={"next": onward} if onward else {})
        return self.post(
            "/login", hidden(seen.text) | {"login": login, "password": password}, csrf=hidden(seen.text)["csrf"]
        )


@dataclass
class Served:
    """The portal on a port of this machine."""

    town: Town
    address: tuple[str, int]

    @property
    def url(self) -> str:
        return f"http://{self.address[0]}:{self.address[1]}"


@contextmanager
def serving(town: Town) -> Iterator[Served]:
    """Run the portal as ``gongzhi serve`` does, in a thread."""
    server = make_server(town.app, town.settings)
    thread = threading.Thread(target=server.run)
    with socket.create_server(("127.0.0.1", 0)) as door:
        server.config.fd = door.fileno()
        thread.start()
        try:
            wait_for(door.getsockname())
            yield Served(town, door.getsockname())
        finally:
            server.should_exit = True
            thread.join(30)


def wait_for(address: tuple[str, int]) -> None:
    """Wait until the portal answers: a connection made before waits in the queue of the socket."""
    with httpx.Client(timeout=30, trust_env=False) as client:
        assert client.get(f"http://{address[0]}:{address[1]}/health/live").status_code == 200


def hidden(text: str) -> dict[str, str]:
    """The hidden fields of the last form on a page."""
    form = text.rpartition("<form")[2]
    return dict(
        (name, unescape(value))
        for name, value in re.findall(r'<input type="hidden" name="([a-z]+)" value="([^"]*)">', form)
    )


def open_town(places: Places, **environment: str) -> Town:
    """Start a portal over a home; ``environment`` names settings without their prefix. One worker is enough here."""
    named = {"WORKERS": "1"} | environment
    settings = read_portal_settings(environment={f"GONGZHI_PORTAL_{name}": value for name, value in named.items()})
    clock = Clock()
    return Town(places, settings, clock, make_app(places, settings, clock))


def lively_home(folder: Path) -> Places:
    """A home after one night: good, refused and hostile files of both bureaus, and an alarm with a hostile message."""
    places = new_home(folder)
    hand_in(places, "mianyang", "空气小时值_20260408_更正.csv")
    hand_in(places, "mianyang", "企业环境信用评价结果_2025年度_补报.csv")
    hand_in(places, "beibei", "空气小时值_2026-04-08.xlsx")
    hand_in(places, "beibei", "企业环境信用评价结果_2025年度.xlsx")
    (places.home / "inbox/beibei" / (MARK.replace("/", "∕") + ".csv")).write_text(f"{MARK},乙\n1,2\n", encoding="utf-8")
    with Records.open(places.database_url) as records:
        settings = replace(read_night_settings(places.home, {}), backups=None)
        sync_now(places, records, settings, lambda: MORNING, None, Wanted())
        tell(records, [Trouble(MARK[:40], MARK, "", "warning", MARK, MARK)], (), MORNING, ())
    return places


def people_of(town: Town) -> None:
    """Put somebody in every role into both bureaus; the names of some are hostile."""
    for bureau in BUREAUS:
        for role in portal_roles():
            name = MARK[:50] if role == "uploader" else ""
            town.people[bureau, role] = town.person(bureau, role, name=name)
