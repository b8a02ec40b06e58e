"""The shield around every answer: who may be asked (hosts), how (length of addresses), and what every answer carries.

The policy lets pages load from this site only and run no script or style written into them; nobody may frame them.
What a person sees is never kept by a cache. A fault nobody caught is answered here, so that its answer has these
headers too.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from portal.web.errors import Problem, note

LONGEST_ADDRESS = 4096
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
STRICT_TRANSPORT = "max-age=31536000"
_HOST = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9.-]{1,253})(?::\d{1,5})?", re.IGNORECASE)

Say = Callable[[Request, Problem], Response]


class Shield:
    """ASGI middleware; ``say`` draws a problem as page or JSON."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str], secure: bool, say: Say) -> None:
        self.app = app
        self.hosts = hosts
        self.secure = secure
        self.say = say

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        begun = False

        async def carry(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                self._add(MutableHeaders(scope=message))
            await send(message)

        request = Request(scope)
        try:
            problem = self._refused(request)
            if problem is None:
                await self.app(scope, receive, carry)
                return
            note(problem, request.method, str(request.scope["path"]), _address(scope))
        except Exception as error:
            problem = Problem(500)
            note(problem, request.method, str(request.scope["path"]), _address(scope), error)
            if begun:
                raise
        await self.say(request, problem)(scope, receive, carry)

    def _refused(self, request: Request) -> Problem | None:
        if host_name(request.headers.get("host", "")) not in self.hosts:
            return Problem(400, "unknown-host", "此主机名不属于本系统", "this host name is not ours")
        raw = request.scope.get("raw_path") or b""
        if len(raw) + len(request.scope.get("query_string") or b"") > LONGEST_ADDRESS:
            return Problem(414)
        return None

    def _add(self, headers: MutableHeaders) -> None:
        for name, value in HEADERS.items():
            headers[name] = value
        headers.setdefault("cache-control", "no-store")
        if self.secure:
            headers["strict-transport-security"] = STRICT_TRANSPORT


def host_name(said: str) -> str:
    """Give the name in a ``Host`` header, without port and brackets; blank where it is none."""
    found = _HOST.fullmatch(said)
    return found[1].strip("[]").lower() if found else ""


def own_origin(request: Request, address: str) -> str:
    """Give the one origin from which a form of ours can come: the public address, or this machine's own."""
    return own_address(address, request.headers.get("host", ""))


def own_address(address: str, host: str) -> str:
    """Give the public address, or this machine's own under the name it was asked by."""
    return address or f"http://{host}".lower()


def comes_from_us(request: Request, address: str) -> bool:
    """Say whether a request that changes something was sent by a page of ours.

    Browsers say where a form stood (``Origin``); one that does not, and no ``Referer`` either, is not believed.
    """
    origin = request.headers.get("origin")
    if origin is None:
        found = re.match(r"https?://[^/?#]+", request.headers.get("referer", ""))
        origin = found[0] if found else ""
    return origin.lower() == own_origin(request, address)


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else "-"
