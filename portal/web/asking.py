"""What a page is given: the site, and one request after the guard let it through."""

from __future__ import annotations

import hashlib
import hmac
import re
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeVar, cast
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from pipelines.batch import Places
from portal.access.caller import Caller, Decision, allowed
from portal.access.gate import Gate
from portal.settings import PortalSettings
from portal.web.errors import Problem
from portal.web.words import Words
from records.store import Records

T = TypeVar("T")
PUBLIC = "public"
"""Declared by a route that needs no login; every other route declares a permission."""


@dataclass(frozen=True, slots=True)
class Site:
    """What all pages share."""

    places: Places
    records: Records
    gate: Gate
    settings: PortalSettings
    clock: Callable[[], datetime]
    pages: tuple[re.Pattern[str], ...] = ()
    """Addresses of pages, for where a login may lead."""
    menu: tuple[MenuItem, ...] = ()
    heavy: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(2))
    """Held while a page starts a child process, such as the one that reads a workbook."""
    _made: dict[Callable[[Site], Any], Any] = field(default_factory=dict)
    _making: threading.RLock = field(default_factory=threading.RLock)

    def once(self, make: Callable[[Site], T]) -> T:
        """Give what a room makes once for the whole portal, such as the open index of names."""
        with self._making:
            if make not in self._made:
                self._made[make] = make(self)
            return cast(T, self._made[make])


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: who asks, for what, when.

    ``token`` is that of the session, ``visit`` stands in for it where nobody is signed in; on a public route there is
    no caller, whoever asks.
    """

    site: Site
    at: datetime
    method: str
    address: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    words: Words
    caller: Caller | None
    token: str
    visit: str
    client: str
    """Address of the caller, as the proxy tells it."""
    agent: str
    hurried: bool = False
    """A script of the page asks (htmx), not the browser itself."""
    form: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    """What a program sent as JSON."""
    request: Request | None = None
    """The request itself, where a route takes its body as a stream."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers of the request by name, in whatever letters."""

    @property
    def me(self) -> Caller:
        """Give the caller of a route that needs one."""
        if self.caller is None:
            raise Problem(401)
        return self.caller

    @property
    def csrf(self) -> str:
        """Give the token a form of this session carries."""
        return csrf_token(self.token if self.caller else self.visit)

    def may(self, permission: str, owner: str | None = None) -> Decision:
        """Say whether the caller may."""
        return allowed(self.caller, permission, owner)

    def need(self, permission: str, owner: str) -> None:
        """Stop who may not see what ``owner`` has; for him it does not exist."""
        decision = self.may(permission, owner)
        if not decision.ok:
            raise refusal(decision)


@dataclass(frozen=True, slots=True)
class ApiDoc:
    """What the OpenAPI document says of a route: plain JSON Schema, examples included.

    ``query`` maps the name of a parameter to its schema, ``body`` is the schema of what is sent (with ``takes`` of the
    route for its type), ``answers`` maps a media type to the schema of a success, ``status`` is that of a success,
    ``headers`` are those of its answer. A parameter that must be there has ``required`` in its schema.
    """

    summary: str
    query: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    path: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    answers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    status: int = 200
    headers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Route:
    """One line of the table: an address, who may, and what answers.

    ``takes`` is what a body holds: a ``form`` of fields, ``json``, or a ``stream`` that the answer reads by itself from
    ``ask.request`` (then it is a coroutine); ``most`` is how long fields or JSON may be, in bytes.
    """

    method: str
    path: str
    permission: str
    answer: Callable[[Ask], Response] | Callable[[Ask], Awaitable[Response]]
    takes: Literal["form", "json", "stream"] = "form"
    most: int = 16 * 1024
    doc: ApiDoc | None = None


@dataclass(frozen=True, slots=True)
class MenuItem:
    """A page the main menu leads to, for who has its permission."""

    path: str
    zh: str
    en: str
    permission: str


@dataclass(frozen=True, slots=True)
class Room:
    """A part of the portal: its addresses, its places in the menu, and what runs beside the pages while the portal does.

    ``begin`` is called when the portal starts and gives what ends it again.
    """

    routes: tuple[Route, ...]
    menu: tuple[MenuItem, ...] = ()
    begin: Callable[[Site], Callable[[], None]] | None = None


def csrf_token(token: str) -> str:
    """Derive the token of a session's forms; it does not give the session away."""
    return hmac.new(token.encode(), b"gongzhi form", hashlib.sha256).hexdigest()


def refusal(decision: Decision) -> Problem:
    """Say a refusal; that another bureau has something is not told."""
    if decision.code == "foreign":
        return Problem(404)
    status = 401 if decision.code in ("unknown-caller", "change", "code") else 403
    return Problem(status, decision.code if status == 403 else "", decision.reason_zh, decision.reason_en)


def see(address: str, **more: str) -> RedirectResponse:
    """Send the browser on to a page of ours, after a form or before a login."""
    tail = "&".join(f"{name}={quote(value, safe='')}" for name, value in more.items() if value)
    return RedirectResponse(f"{address}?{tail}" if tail else address, status_code=303)
