"""The servers of two bureaus on loopback: they serve a plan as it stands at a simulated instant."""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from month_plan import LATEST, SPECS, Plan, timedelta

TOKEN = "key-of-the-month"
LOGIN = b"<html><head><title>login</title></head><form><input type=password name=p></form></html>"
PAGE = 20


class BureauServer(ThreadingHTTPServer):
    """One bureau: ``/<name>/`` a listing or a file in place, ``/<name>`` an API; wants a bearer token."""

    daemon_threads = True

    def __init__(self, bureau: str, plan: Plan, clock: Callable[[], datetime]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.bureau, self.plan, self.clock = bureau, plan, clock
        self.served = 0
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that hung up."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def close(self) -> None:
        self.shutdown()
        self.server_close()
        self.thread.join()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: BureauServer

    def do_GET(self) -> None:
        self.server.served += 1
        plan, now = self.server.plan, self.server.clock()
        parts = urlsplit(self.path)
        _, name, *rest = unquote(parts.path).split("/")
        key = f"{self.server.bureau}/{name}"
        how = plan.outage(key, now)
        if how == "cut":
            self.close_connection = True
        elif how == "500":
            self.say(500, b"{}", "application/json")
        elif how == "401" or self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.say(401, b"{}", "application/json")
        elif how == "login":
            self.say(200, LOGIN, "text/html; charset=utf-8")
        elif key not in SPECS:
            self.say(404, b"{}", "application/json")
        elif SPECS[key].kind == "api":
            self.api(dict(parse_qsl(parts.query)), how == "empty", now)
        else:
            self.file(key, rest[0] if rest else "", now)

    def api(self, query: dict[str, str], empty: bool, now: datetime) -> None:
        """Numbered pages with a declared total, of the days from ``since`` to ``until``."""
        found = [
            row for row in self.server.plan.known_rows(now)
            if not empty and query["since"] <= f"{row.hour:%Y-%m-%d}" <= query["until"]
        ]  # fmt: skip
        start = (int(query["page"]) - 1) * PAGE
        rows = ",".join(row.text for row in found[start : start + PAGE])
        body = f'{{"total": {json.dumps(len(found))}, "rows": [{rows}]}}'
        self.say(200, body.encode(), "application/json; charset=utf-8")

    def file(self, key: str, name: str, now: datetime) -> None:
        found = self.server.plan.listed(key, now)
        if not name:
            links = "".join(f'<a href="{quote(one)}">{escape(one)}</a>\r\n' for one in found)
            page = (
                f"<html><head><title>Index of /</title></head><body><h1>Index of /</h1><pre>{links}</pre></body></html>"
            )
            self.say(200, page.encode(), "text/html; charset=utf-8")
        elif name not in found:
            self.say(404, b"{}", "application/json")
        else:
            body, modified = found[name].body, found[name].at
            tag = f'"{hashlib.md5(body).hexdigest()}"'
            headers = {"ETag": tag, "Last-Modified": format_datetime(modified.astimezone(UTC), usegmt=True)}
            known = self.headers.get("If-None-Match") == tag
            self.say(304 if known else 200, b"" if known else body, "text/csv", headers)

    def say(self, status: int, body: bytes, media_type: str, headers: dict[str, str] | None = None) -> None:
        self.send_response_only(status)
        now = self.server.clock() + timedelta(seconds=self.server.plan.skew(self.server.bureau, self.server.clock()))
        told = {
            "Date": format_datetime(now.astimezone(UTC), usegmt=True),
            "Content-Type": media_type,
            **(headers or {}),
        }
        if status != 304:
            told["Content-Length"] = str(len(body))
        for name, value in told.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def address_of(server: BureauServer, key: str) -> str:
    name = SPECS[key].name
    return server.url + {"api": f"/{name}", "file": f"/{name}/{LATEST}"}.get(SPECS[key].kind, f"/{name}/")
