"""A partner's server for the tests of the sources: real sockets, and content that a test may change at any time."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from pipelines.intake.address import Reach
from pipelines.intake.fetch import Caps, Client
from pipelines.intake.pull import Arrival, Look, Wanted, pull
from records.runs import Item
from schemas.sources import Paging, Source, Timetable, sources

NOW = datetime(2026, 4, 13, 1, tzinfo=UTC)
DAILY = Timetable("day", time(6), 1, None, None, None, None)
JSON = {"Content-Type": "application/json"}


@dataclass
class Page:
    """One answer; without an etag of its own the bytes make one."""

    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200
    conditional: bool = True


def page_of(data: Any, **headers: str) -> Page:
    return Page(json.dumps(data, ensure_ascii=False).encode(), JSON | headers)


Made = Callable[[dict[str, str]], Page]


class Shelf(ThreadingHTTPServer):
    """Serves ``pages`` by path; a page is bytes, a :class:`Page`, or a function of the query."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pages: dict[str, bytes | Page | Made] = {}
        self.asked: list[str] = []
        """Path and query of every request, with the status given."""

    def __enter__(self) -> Shelf:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client may hang up in the middle."""

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"

    def list(self, folder: str, files: dict[str, bytes]) -> None:
        """Serve a folder as nginx does; asked anew, it lists what ``files`` holds then."""

        def listing(_: dict[str, str]) -> Page:
            rows = "".join(f'<a href="{quote(name)}">{name}</a>\n' for name in files)
            text = f'<title>Index of {folder}</title><a href="../">../</a>\n{rows}'
            return Page(text.encode(), {"Content-Type": "text/html"}, conditional=False)

        self.pages[folder] = listing
        for name in files:
            self.pages.setdefault(folder + name, lambda _, name=name: Page(files[name]))  # type: ignore[misc]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Shelf

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        found = self.server.pages.get(unquote(parts.path), Page(b"{}", JSON, 404))
        page = found(dict(parse_qsl(parts.query))) if callable(found) else found
        page = Page(page) if isinstance(page, bytes) else page
        etag = page.headers.get("ETag", f'"{hashlib.sha256(page.body).hexdigest()[:16]}"')
        known = page.conditional and page.status == 200 and self.headers.get("If-None-Match") == etag
        status = 304 if known else page.status
        self.server.asked.append(f"{unquote(self.path)} {status}")
        self.send_response(status)
        for name, value in ({"Content-Type": "text/csv"} | page.headers).items():
            self.send_header(name, value)
        if page.conditional and page.status == 200 and "ETag" not in page.headers:
            self.send_header("ETag", etag)
        if status != 304:
            self.send_header("Content-Length", str(len(page.body)))
        self.end_headers()
        if status != 304:
            self.wfile.write(page.body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def make_source(**facts: Any) -> Source:
    """Make a source: the shipped folder of Beibei with other facts."""
    shipped = sources()[0]["beibei/inbox"]
    return dataclasses.replace(shipped, **{"name": "try", "path": "", "networks": ("127.0.0.0/8",)} | facts)


def make_paging(style: str, **facts: Any) -> Paging:
    plain = {
        "items": "", "total": "", "page": "page" if style == "page" else "", "first": 1, "size": "", "page_size": 100,
        "cursor": "", "next": "", "since": "", "until": "", "format": "%Y-%m-%d", "overlap_hours": 24,
    }  # fmt: skip
    return Paging(style=style, **plain | facts)


def make_client(url: str, scratch: Path, stopping: Callable[[], bool] = lambda: False) -> Client:
    scratch.mkdir(exist_ok=True)
    caps = Caps(attempts=2, pause=0.01, seconds=20, budget=60)
    return Client(Reach.of(url, (), ("127.0.0.0/8",)), caps, scratch, lambda: datetime.now(UTC), stopping=stopping)


@dataclass
class Bureau:
    """Visits one source again and again and remembers as the records do."""

    source: Source
    home: Path
    known: dict[str, Item] = field(default_factory=dict)
    now: datetime = NOW
    visits: int = 0
    look: Look = field(init=False)
    error: Exception | None = None
    stop_after: int | None = None

    def visit(self, wanted: Wanted | None = None, later: timedelta = timedelta(0)) -> dict[str, bytes]:
        """Visit; gives the bytes of what arrived, by name. An error is kept in ``error``."""
        self.now += later
        self.visits += 1
        scratch = self.home / f"scratch-{self.visits}"
        scratch.mkdir()
        self.look, self.error = Look(self.source), None
        got: dict[str, bytes] = {}
        self.arrivals: list[Arrival] = []

        def stopping() -> bool:
            return self.stop_after is not None and len(got) >= self.stop_after

        client = make_client(self.source.url, scratch, stopping) if self.source.url else None
        try:
            for arrival in pull(
                self.source, dict(self.known), wanted or Wanted(), self.look, client, self.home, scratch, self.now,
                stopping,
            ):  # fmt: skip
                got[arrival.name] = arrival.path.read_bytes()
                assert hashlib.sha256(got[arrival.name]).hexdigest() == arrival.item.sha256
                self.known[arrival.name] = dataclasses.replace(arrival.item, batches=("b1",))
                self.arrivals.append(arrival)
        except Exception as error:
            self.error = error
        finally:
            if client is not None:
                client.__exit__(None, None, None)
        self.known |= {item.name: item for item in self.look.steady}
        return got

    @property
    def code(self) -> str:
        return getattr(self.error, "code", repr(self.error))
