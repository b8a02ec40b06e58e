"""Nights: one with nothing new over many sources, one with a fortnight of files, against a server on this machine.

A night is ``gongzhi sync`` as a whole process, chores included. The server is a real one with entity tags, so that a
quiet night is what it is elsewhere: a conditional question a file, and no answer but 304.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from benchmarks.cases import GONGZHI, Bench, last_line_whole
from benchmarks.deliveries import BUREAU
from benchmarks.measure import Figure, Run, figure, run

FILES, LISTINGS, APIS = 130, 50, 20
"""Sources of the quiet night: single addresses, listings of two files, interfaces of one page."""
INBOXES = 2
"""Watched folders that every home has."""
FORTNIGHT, ROWS = 14, 10_000


class Server(ThreadingHTTPServer):
    """Serves bytes by path; a path that ends in a slash is a listing of what lies below it."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pages: dict[str, bytes] = {}

    def __enter__(self) -> Server:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def page(self, path: str) -> bytes | None:
        """Give what lies at a path."""
        if not path.endswith("/"):
            return self.pages.get(path)
        names = sorted(one.removeprefix(path) for one in self.pages if one.startswith(path))
        links = "".join(f'<a href="{quote(name)}">{name}</a>\n' for name in names)
        return f"<html><head><title>Index of {path}</title></head><body>\n{links}</body></html>".encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        """Answer a question, with 304 where nothing changed."""
        path = unquote(self.path.partition("?")[0])
        body = self.server.page(path)
        if body is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        known = self.headers.get("If-None-Match") == tag
        kind = "text/html" if path.endswith("/") else "application/json" if path.endswith(".json") else "text/csv"
        self.send_response(HTTPStatus.NOT_MODIFIED if known else HTTPStatus.OK)
        self.send_header("ETag", tag)
        if not known:
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if not known:
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""


def quiet_night(bench: Bench) -> Iterator[Figure]:
    """A night with nothing new over 200 sources; it must write no table version."""
    with Server() as server:
        home = bench.home()
        shutil.rmtree(home / "backups", ignore_errors=True)
        count = _many_sources(server, home, bench)
        first = _sync(home)
        yield _figure(f"first night, {count} sources of 24 rows", [first], 0, _brought(first, FILES + LISTINGS + APIS))
        before = _versions(home)
        made = figure(f"quiet night, {count} sources", bench.short_runs, lambda number: _sync(home), judge=_quiet)
        if _versions(home) != before:
            made.trouble = f"table versions before {before}, after {_versions(home)}"
        yield made
        bench.drop(home)


def fortnight(bench: Bench) -> Iterator[Figure]:
    """Fourteen new files of 10,000 rows: a night, and the same files handed in by one command."""
    paths = [bench.path(ROWS, "csv UTF-8", part) for part in range(FORTNIGHT)]
    rows = FORTNIGHT * ROWS
    with Server() as server:
        server.pages = {f"/air/{path.name}": path.read_bytes() for path in paths}

        def by_night(number: int) -> Run:
            home = bench.home()
            _declare(home, [_source(server, "air", "listing", "/air/")])
            done = _sync(home)
            bench.drop(home)
            return done

        def by_hand(number: int) -> Run:
            home = bench.home()
            done = run([GONGZHI, "submit", *paths, "--bureau", BUREAU, "--home", home, "--json"])
            bench.drop(home)
            return done

        yield figure(
            f"submit {FORTNIGHT} files of {ROWS:,} rows", bench.short_runs, by_hand, rows=rows, judge=_handed_in
        )
        yield figure(
            f"night with {FORTNIGHT} files of {ROWS:,} rows", bench.short_runs, by_night, rows=rows,
            judge=lambda done: _brought(done, 1, FORTNIGHT),
        )  # fmt: skip


def _many_sources(server: Server, home: Path, bench: Bench) -> int:
    """Publish small files that differ, and declare a source for each, or for two."""
    lines = bench.path(ROWS, "csv UTF-8").read_text("utf-8").splitlines()
    head, body = lines[0], lines[1:]
    parts = ["\r\n".join([head, *body[n : n + 24]]) + "\r\n" for n in range(0, len(body), 24)]
    told = []
    for number in range(FILES):
        server.pages[f"/file/{number}.csv"] = parts.pop().encode()
        told.append(_source(server, f"file-{number}", "file", f"/file/{number}.csv"))
    for number in range(LISTINGS):
        for name in ("a.csv", "b.csv"):
            server.pages[f"/listing-{number}/{name}"] = parts.pop().encode()
        told.append(_source(server, f"listing-{number}", "listing", f"/listing-{number}/"))
    for number in range(APIS):
        records = [dict(zip(head.split(","), line.split(","), strict=True)) for line in parts.pop().splitlines()[1:]]
        server.pages[f"/api/{number}.json"] = json.dumps(records, ensure_ascii=False).encode()
        told.append(_source(server, f"api-{number}", "api", f"/api/{number}.json"))
    _declare(home, told)
    return len(told)


def _source(server: Server, name: str, kind: str, path: str) -> str:
    url = f"http://127.0.0.1:{server.server_port}{path}"
    return (
        f'[[sources]]\nname = "{name}"\ntitle = "{name}"\nkind = "{kind}"\nurl = "{url}"\ndataset = "air"\n'
        'networks = ["127.0.0.0/8"]\nsource = "invented"\n'
    )


def _declare(home: Path, blocks: list[str]) -> None:
    (home / "bureaus" / BUREAU / "sources.toml").write_text("\n".join(blocks), "utf-8")


def _sync(home: Path) -> Run:
    return run([GONGZHI, "sync", "--home", home, "--json"])


def _summary(done: Run) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads(last_line_whole(done.out))
    except ValueError:
        return {}
    return told


def _brought(done: Run, sources: int, files: int | None = None) -> str:
    told = _summary(done)
    new = told.get("sources", {}).get("new")
    if new == sources and files in (None, told["files"]) and told["results"]["published"]:
        return ""
    return f"exit {done.code}: {told.get('sources')}, {told.get('files')} files: {done.err[-300:]}"


def _handed_in(done: Run) -> str:
    states = [json.loads(line)["state"] for line in done.out.splitlines() if line.startswith("{")]
    return "" if states == ["published"] * FORTNIGHT else f"exit {done.code}: {states}: {done.err[-300:]}"


def _quiet(done: Run) -> str:
    told = _summary(done)
    asked = told.get("sources", {}).get("unchanged", 0) - INBOXES
    return "" if asked == FILES + LISTINGS + APIS else f"exit {done.code}: {told.get('sources')}: {done.err[-300:]}"


def _versions(home: Path) -> int:
    return sum(1 for _ in (home / "tables").glob("*/_delta_log/*.json"))


def _figure(name: str, runs: list[Run], rows: int, trouble: str) -> Figure:
    return Figure(name, [one.seconds for one in runs], rows, max(one.peak for one in runs), trouble=trouble)


CASES = {"quiet-night": quiet_night, "fortnight": fortnight}
RATIOS = (
    (
        f"night / submit, per row, {FORTNIGHT} files of {ROWS:,} rows",
        f"night with {FORTNIGHT} files of {ROWS:,} rows",
        f"submit {FORTNIGHT} files of {ROWS:,} rows",
    ),
)
