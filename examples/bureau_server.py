"""A bureau's server to try against: the example deliveries of both bureaus, published in every style of source.

Standard library only. What is served is what the bureaus had published by ``--day``: a file of a day appears the
morning after, and the server of a later day has more, so that a night can be tried after night.

====================================  ============================================================================
``/mianyang/air/``                    directory listing: hourly air, a CSV a day; the correction and the packets
``/mianyang/files/``                  directory listing: soil, ratings, decisions
``/mianyang/water/latest.zip``        one address that changes in place: the water of the week so far
``/beibei/api/air``                   JSON, numbered pages with a declared total
``/beibei/api/penalty``               JSON, a cursor to the next page
``/beibei/api/water``                 JSON, the next page in the header ``Link``
``/beibei/files/``                    directory listing: soil, ratings
====================================  ============================================================================

All know ETag and 304, files also Last-Modified and Range; the APIs filter by ``since`` and ``until`` (days, both
included). With ``--token`` everything wants ``Authorization: Bearer …``.

Run: ``python examples/bureau_server.py --port 8800 --day 2026-04-08 --sources HOME/bureaus``.
"""

from __future__ import annotations

import argparse
import csv
import hmac
import io
import json
import re
import runpy
import threading
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from email.utils import format_datetime, parsedate_to_datetime
from hashlib import sha256
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

HERE = Path(__file__).resolve().parent
DELIVERIES = HERE / "deliveries"
CHINA = timezone(timedelta(hours=8))
MAKE = runpy.run_path(str(HERE / "make_deliveries.py"))
LAST = date(2026, 4, 13)
"""On this day all of the week has been published."""
PUBLISHED = {
    "beibei/土壤监测_2026年春季.xlsx": date(2026, 4, 11),
    "beibei/企业环境信用评价结果_2025年度.xlsx": date(2026, 3, 20),
    "mianyang/空气小时值_20260408_更正.csv": date(2026, 4, 13),
    "mianyang/土壤监测_2026年春季.csv": date(2026, 4, 12),
    "mianyang/企业环境信用评价结果_2025年度.csv": date(2026, 3, 31),
    "mianyang/企业环境信用评价结果_2025年度_补报.csv": date(2026, 4, 10),
    "mianyang/行政处罚_2026年4月.xlsx": date(2026, 4, 8),
}
"""Day on which a file appears; one whose name holds a day appears on the next."""
LISTINGS = {
    "/mianyang/air/": ("mianyang", r"空气小时值_.*\.csv|三水厂.*\.txt"),
    "/mianyang/files/": ("mianyang", r"土壤.*|企业.*|行政处罚.*"),
    "/beibei/files/": ("beibei", r"土壤.*|企业.*"),
}

Query = dict[str, str]
Record = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """What one request gets."""

    body: bytes
    media_type: str
    modified: datetime | None = None
    headers: tuple[tuple[str, str], ...] = ()
    status: HTTPStatus = HTTPStatus.OK

    @property
    def etag(self) -> str:
        return f'"{sha256(self.body).hexdigest()[:32]}"'


# --- what is published -----------------------------------------------------------------------------------------------


def appears(bureau: str, name: str) -> date:
    """Give the day on which a file appears."""
    known = PUBLISHED.get(f"{bureau}/{name}")
    if known:
        return known
    found = re.search(r"(\d{4})-?(\d\d)-?(\d\d)", name)
    if not found:
        raise LookupError(f"nothing says when {bureau}/{name} appears")
    return date(*map(int, found.groups())) + timedelta(days=1)


def files(listing: str, day: date) -> dict[str, Path]:
    """Give the files of a listing that have been published, by name."""
    bureau, pattern = LISTINGS[listing]
    found = (path for path in sorted((DELIVERIES / bureau).iterdir()) if re.fullmatch(pattern, path.name))
    return {path.name: path for path in found if appears(bureau, path.name) <= day}


def water_so_far(day: date) -> bytes:
    """Give Mianyang's water of the days before; after the week it is the delivery, byte for byte."""
    members = []
    with zipfile.ZipFile(DELIVERIES / "mianyang" / "地表水_2026年第15周.zip") as archive:
        for name in archive.namelist():
            header, *rows = csv.reader(io.StringIO(archive.read(name).decode("gb18030")))
            before = [row for row in rows if row[2] < f"{day}"]
            if before:
                members.append((name, MAKE["csv_bytes"]([header, *before], "gb18030")))
    return MAKE["stored_zip"](members)


def air_records(day: date) -> list[Record]:
    """Give Beibei's air of the days before, in the order of time."""
    return [MAKE["air_record"](row) for at, rows in MAKE["beibei_air_days"]().items() if at < day for row in rows]


def csv_records(name: str, column: str, day: date) -> list[Record]:
    """Give the rows of one of Beibei's CSVs that are of the days before; numbers are as written."""
    with (DELIVERIES / "beibei" / name).open(encoding="utf-8-sig", newline="") as file:
        return [row for row in csv.DictReader(file) if row[column] < f"{day}"]


def within(records: Sequence[Record], column: str, query: Query) -> list[Record]:
    """Keep the records from ``since`` to ``until``, both days included."""
    since, until = query.get("since", ""), query.get("until", "9999")
    return [record for record in records if since <= record[column][:10] <= until]


# --- the styles ------------------------------------------------------------------------------------------------------


def listing_page(path: str, found: dict[str, Path], bureau: str) -> Reply:
    """Write a listing as nginx does."""
    rows = "".join(
        f'<a href="{quote(name)}">{escape(name)}</a>  {appears(bureau, name):%d-%b-%Y} 09:00  {file.stat().st_size}\r\n'
        for name, file in found.items()
    )
    text = f"<html>\r\n<head><title>Index of {path}</title></head>\r\n<body>\r\n<h1>Index of {path}</h1><hr><pre>"
    text += f'<a href="../">../</a>\r\n{rows}</pre><hr></body>\r\n</html>\r\n'
    return Reply(text.encode(), "text/html; charset=utf-8")


def json_reply(data: object, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    return Reply(json.dumps(data, ensure_ascii=False).encode(), "application/json; charset=utf-8", headers=headers)


def air_api(day: date, query: Query) -> Reply:
    """Numbered pages: ``page`` from 1, ``size`` at most 100."""
    found = within(air_records(day), "监测时间", query)
    page, size = int(query.get("page", "1")), min(int(query.get("size", "50")), 100)
    rows = found[(page - 1) * size : page * size]
    return json_reply({"code": 0, "message": "成功", "data": {"total": len(found), "page": page, "rows": rows}})


def penalty_api(day: date, query: Query) -> Reply:
    """Two records at a time and a cursor, null at the end."""
    found = within(csv_records("行政处罚_2026年4月.csv", "决定日期", day), "决定日期", query)
    start = int(query.get("cursor", "c0").removeprefix("c"))
    following = f"c{start + 2}" if start + 2 < len(found) else None
    return json_reply({"items": found[start : start + 2], "next_cursor": following, "count": len(found)})


def water_api(day: date, query: Query) -> Reply:
    """A bare list; the next page stands in the header ``Link`` (RFC 8288)."""
    found = within(csv_records("地表水_2026年第15周.csv", "采样时间", day), "采样时间", query)
    start = int(query.get("offset", "0"))
    headers: tuple[tuple[str, str], ...] = ()
    if start + 10 < len(found):
        following = urlencode({**query, "offset": start + 10})
        headers = (("Link", f'</beibei/api/water?{following}>; rel="next"'),)
    return json_reply(found[start : start + 10], headers)


APIS: dict[str, Callable[[date, Query], Reply]] = {
    "/beibei/api/air": air_api,
    "/beibei/api/penalty": penalty_api,
    "/beibei/api/water": water_api,
}


def reply(path: str, query: Query, day: date) -> Reply:
    """Give what an address holds on a day."""
    folder, _, name = path.rpartition("/")
    if path in APIS:
        return APIS[path](day, query)
    if path in LISTINGS:
        return listing_page(path, files(path, day), LISTINGS[path][0])
    if path == "/mianyang/water/latest.zip" and day > date(2026, 4, 6):
        return Reply(water_so_far(day), "application/zip", morning(min(day, LAST)))
    found = files(f"{folder}/", day).get(name) if f"{folder}/" in LISTINGS else None
    if found is None:
        body = json.dumps({"code": 404, "message": "没有此文件"}, ensure_ascii=False).encode()
        return Reply(body, "application/json", status=HTTPStatus.NOT_FOUND)
    media_type = {".csv": "text/csv", ".txt": "text/plain"}.get(found.suffix, "application/octet-stream")
    return Reply(found.read_bytes(), media_type, morning(appears(LISTINGS[f"{folder}/"][0], name)))


def morning(day: date) -> datetime:
    return datetime.combine(day, time(9), CHINA)


# --- the server ------------------------------------------------------------------------------------------------------


class BureauServer(ThreadingHTTPServer):
    """Both bureaus on one loopback port; ``day`` may be changed while it runs."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        day: date = LAST,
        *,
        port: int = 0,
        token: str = "",
        host: str = "127.0.0.1",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__((host, port), Handler)
        self.day, self.token, self.clock = day, token, clock
        self.requests: list[tuple[str, int]] = []
        """Path and status of every request served."""

    @property
    def base_url(self) -> str:
        return f"http://{self.server_address[0]!s}:{self.server_port}"

    def __enter__(self) -> BureauServer:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    """GET and HEAD, with conditions and ranges."""

    protocol_version = "HTTP/1.1"
    # headers and body go out in two writes: without this each answer waits for the other side's delayed ACK
    disable_nagle_algorithm = True
    server: BureauServer

    def do_GET(self) -> None:
        self.answer(with_body=True)

    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def answer(self, *, with_body: bool) -> None:
        parts = urlsplit(self.path)
        token = self.server.token
        said = self.headers.get("Authorization", "").encode()
        if token and not hmac.compare_digest(said, f"Bearer {token}".encode()):
            headers = (("WWW-Authenticate", "Bearer"),)
            found = Reply(b'{"code": 401}', "application/json", None, headers, HTTPStatus.UNAUTHORIZED)
        else:
            try:
                found = reply(unquote(parts.path), dict(parse_qsl(parts.query)), self.server.day)
            except ValueError as error:  # page=abc
                body = json.dumps({"code": 400, "message": str(error)}).encode()
                found = Reply(body, "application/json", status=HTTPStatus.BAD_REQUEST)
        status, body, headers = self.conditioned(found)
        self.server.requests.append((self.path, int(status)))
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if with_body and status != HTTPStatus.NOT_MODIFIED:
            self.wfile.write(body)

    def conditioned(self, found: Reply) -> tuple[HTTPStatus, bytes, list[tuple[str, str]]]:
        """Apply If-None-Match, If-Modified-Since, Range and If-Range (RFC 9110)."""
        headers = [("Content-Type", found.media_type), *found.headers]
        if found.status != HTTPStatus.OK:
            return found.status, found.body, [*headers, ("Content-Length", str(len(found.body)))]
        headers.append(("ETag", found.etag))
        if found.modified:
            headers += [("Last-Modified", format_datetime(found.modified.astimezone(UTC), usegmt=True))]
            headers += [("Accept-Ranges", "bytes")]
        if self.is_known(found):
            return HTTPStatus.NOT_MODIFIED, b"", headers
        span = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if found.modified and span and self.headers.get("If-Range", found.etag) == found.etag:
            start, end = int(span[1]), min(int(span[2] or len(found.body)), len(found.body) - 1)
            if start > end:
                headers += [("Content-Range", f"bytes */{len(found.body)}"), ("Content-Length", "0")]
                return HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, b"", headers
            body = found.body[start : end + 1]
            headers += [("Content-Range", f"bytes {start}-{end}/{len(found.body)}"), ("Content-Length", str(len(body)))]
            return HTTPStatus.PARTIAL_CONTENT, body, headers
        return HTTPStatus.OK, found.body, [*headers, ("Content-Length", str(len(found.body)))]

    def is_known(self, found: Reply) -> bool:
        tags = self.headers.get("If-None-Match")
        if tags is not None:
            return "*" in tags or found.etag in {tag.strip().removeprefix("W/") for tag in tags.split(",")}
        since = self.headers.get("If-Modified-Since")
        if since is None or found.modified is None:
            return False
        try:
            return found.modified <= parsedate_to_datetime(since)
        except (TypeError, ValueError):
            return False

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Give the time of the server's own clock: a partner compares it with his."""
        moment = self.server.clock().astimezone(UTC) if timestamp is None else datetime.fromtimestamp(timestamp, UTC)
        return format_datetime(moment, usegmt=True)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the tokens of a query would stand in the log."""


# --- the sources that fit --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Told:
    """One source as it is declared."""

    name: str
    title: str
    kind: str
    path: str
    dataset: str = ""
    due: bool = False
    """Each day of the week is due on the second morning, at 06:00: it is published the morning before."""
    match: tuple[str, ...] = ()
    volume: tuple[int, int] | None = None
    may_be_empty: bool = False
    paging: dict[str, str | int] = field(default_factory=dict)


DAYS = {"since": "since", "until": "until", "format": "%Y-%m-%d"}
SOURCES = {
    "beibei": [
        Told(
            "air", "空气自动站小时值接口", "api", "/beibei/api/air", "air", True, volume=(400, 450),
            paging={"style": "page", "items": "data.rows", "total": "data.total", "size": "size", "page_size": 100, **DAYS},
        ),
        Told(
            "water", "地表水自动站接口", "api", "/beibei/api/water", "water", True,
            paging={"style": "next", "next": "Link", **DAYS},
        ),
        Told(
            "penalty", "行政处罚接口", "api", "/beibei/api/penalty", "penalty", may_be_empty=True,
            paging={
                "style": "cursor", "cursor": "cursor", "next": "next_cursor", "items": "items", "total": "count", **DAYS,
            },
        ),
        Told("files", "其他数据文件", "listing", "/beibei/files/"),
    ],
    "mianyang": [
        Told(
            "air", "空气自动站小时值文件", "listing", "/mianyang/air/", "air", True, ("空气小时值_*.csv", "*数采仪_*.txt"),
            volume=(400, 600),
        ),
        Told("water", "地表水周报（逐日更新）", "file", "/mianyang/water/latest.zip", "water", True),
        Told("files", "其他数据文件", "listing", "/mianyang/files/"),
    ],
}  # fmt: skip


def sources_toml(base_url: str, bureau: str, credentials: str = "") -> str:
    """Write the sources of a bureau for its ``sources.toml``; ``credentials`` names the secret that holds the token."""
    return "\n".join(_block(told, base_url, credentials) for told in SOURCES[bureau])


def _block(told: Told, base_url: str, credentials: str) -> str:
    facts: dict[str, object] = {
        "name": told.name, "title": told.title, "kind": told.kind, "url": base_url + told.path,
        "networks": ["127.0.0.0/8"], "source": "examples/bureau_server.py",
    }  # fmt: skip
    if told.match:
        facts["match"] = list(told.match)
    if told.dataset:
        facts["dataset"] = told.dataset
    if credentials:
        facts |= {"credentials": credentials, "auth": "bearer"}
    if told.volume:
        facts |= {"least": told.volume[0], "most": told.volume[1]}
    if told.may_be_empty:  # there are days without a decision
        facts["empty_is_fine"] = True
    lines = ["[[sources]]", *_lines(facts)]
    if told.due:
        lines += [
            "[sources.due]",
            'every = "day"',
            'by = "06:00"',
            "lag = 2",
            "since = 2026-04-06",
            "until = 2026-04-12",
        ]
    if told.paging:
        lines += ["[sources.paging]", *_lines(told.paging)]
    return "\n".join(lines) + "\n"


def _lines(facts: dict[str, Any]) -> list[str]:
    # JSON's texts, numbers and lists are TOML's too
    return [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in facts.items()]


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description="Serve the example deliveries as two bureaus would publish them.")
    parser.add_argument("--port", type=int, default=8800, help="0 takes a free one")
    parser.add_argument("--day", type=date.fromisoformat, default=LAST, help="serve what was published by this day")
    parser.add_argument("--token", default="", help="want this bearer token")
    parser.add_argument("--sources", type=Path, help="write BUREAU/sources.toml into this folder, HOME/bureaus")
    told = parser.parse_args()
    server = BureauServer(told.day, port=told.port, token=told.token)
    if told.sources:
        for bureau in SOURCES:
            (told.sources / bureau).mkdir(parents=True, exist_ok=True)
            text = sources_toml(server.base_url, bureau, "bureau-server" if told.token else "")
            (told.sources / bureau / "sources.toml").write_text(text, encoding="utf-8")
    print(server.base_url, flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


if __name__ == "__main__":
    main()
