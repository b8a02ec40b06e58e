"""What a hostile partner does in a night, and what must come of it; a row each of ``test_hostile_nights``."""

from __future__ import annotations

import json
import ssl
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import repeat
from pathlib import Path

import trustme
from hostile_bureau import PAGE, SECTIONS, Bureau, Replaced, listing, number_of, page, pages, said

from tests.partner import Talk, server_context
from tests.partner.behaviours import (
    answer,
    bomb,
    chunks,
    cut,
    document,
    endless,
    head,
    raw,
    redirect,
    silent,
    slow,
    status,
)
from tests.partner.server import Behaviour

KEY_OF_SOURCE = "canary-7f3a9c51d2e84b06"
"""The secret of every source here; it may stand nowhere but in a request."""
CLOCK = datetime(2026, 4, 7, 18, tzinfo=UTC)
"""The time a server says it has when it asks us to wait until then."""
CSV = {"Content_Type": "text/csv; charset=utf-8"}
LOGIN = b"<!DOCTYPE html><html><title>login</title><form><input type=password></form></html>"
Misbehave = Callable[[Bureau], None]


@dataclass(frozen=True)
class Trouble:
    """A trouble of one night.

    ``code`` "" is endured: all comes in that very night. ``lost``: sections that do not come in it, "*" is everything.
    ``longer``: seconds the visit takes at least. ``by``: when a period is due; later than the night by default.
    ``named``: its server has a name of its own. ``known``: there was a good night before.
    """

    what: str
    kind: str
    put: Misbehave
    code: str = ""
    lost: str = ""
    longer: float = 0.0
    by: str = "06:00"
    state: str = ""
    tls: bool = False
    named: bool = False
    known: bool = False

    @property
    def visited(self) -> str:
        return self.state or ("failed" if self.code else "new")


def here(*behaviours: Behaviour | None) -> Misbehave:
    """Answer at the place of the trouble, one request after the other; None is the decent answer."""

    def put(bureau: Bureau) -> None:
        bureau.partner.script(bureau.path, *(one or bureau.decent() for one in behaviours))

    return put


def made(make: Callable[[Bureau], Behaviour]) -> Misbehave:
    """Answer at the place of the trouble what is made of the bureau's own content."""
    return lambda bureau: bureau.partner.script(bureau.path, make(bureau))


def door(*behaviours: Behaviour) -> Misbehave:
    """Answer in the place of the listing."""
    return lambda bureau: bureau.partner.script("/try/", *behaviours)


def leads(address: str | None) -> Misbehave:
    """Let the name lead to another address, None: nowhere."""
    return lambda bureau: bureau.elsewhere.update({bureau.partner.url().split("/")[2].split(":")[0]: address})


def body(bureau: Bureau) -> bytes:
    return bureau.body("2" if bureau.kind == "listing" else "")


def cut_once(bureau: Bureau) -> None:
    """Cut the answer in the middle of the file, and give the rest when it is asked for."""
    bureau.partner.script(bureau.path, cut(bureau.decent(), 400), bureau.decent())


def document_as(text: str, kind: str = "text/csv; charset=utf-8") -> Callable[[Bureau], Behaviour]:
    """The decent file in another encoding than its server says."""
    return lambda bureau: document(body(bureau).decode().encode(text), kind)


def declared(change: int) -> Callable[[Bureau], Behaviour]:
    """A length that is wrong by so many bytes."""
    return lambda bureau: raw(head(**CSV, Content_Length=len(body(bureau)) + change) + body(bureau))


def both_lengths(bureau: Bureau) -> Behaviour:
    return raw(
        head(**CSV, Content_Length=len(body(bureau)), Transfer_Encoding="chunked") + chunks(body(bureau)), close=False
    )


def two_lengths(bureau: Bureau) -> Behaviour:
    first = head(**CSV, Content_Length=len(body(bureau)))[:-2]
    return raw(first + b"Content-Length: 7\r\n\r\n" + body(bureau))


def forever(first: bytes, piece: bytes) -> Behaviour:
    return endless(first, lambda: repeat(piece))


def certificate(**facts: object) -> Misbehave:
    """Show another certificate of the same authority."""

    def put(bureau: Bureau) -> None:
        assert bureau.tls is not None
        host = str(facts.get("host", "localhost"))
        dates = {name: value for name, value in facts.items() if name != "host"}
        bureau.tls.shown = server_context(bureau.tls.authority.issue_cert(host, **dates))  # type: ignore[arg-type]

    return put


def self_signed(bureau: Bureau) -> None:
    own = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "own.pem"
        own.private_key_pem.write_to_path(path)
        own.cert_pem.write_to_path(path, append=True)
        context.load_cert_chain(path)
    assert bureau.tls is not None
    bureau.tls.shown = context


def instead(*rows: str) -> Callable[[Bureau], Behaviour]:
    """An API that gives these items after its own, on one page."""

    def make(bureau: Bureau) -> Behaviour:
        items = [*bureau.items(), *rows]
        return said(f'{{"total": {len(items)}, "rows": [{",".join(items)}]}}')

    return make


def same_page(bureau: Bureau) -> Behaviour:
    """Give the first page whatever is asked."""
    items = bureau.items()
    return page(items[:PAGE], len(items), "/api?page=2")


def circle(bureau: Bureau) -> Behaviour:
    """Let the second page lead back to the first."""
    items = bureau.items()
    found = [page(items[:PAGE], len(items), "/api?page=2"), page(items[PAGE : 2 * PAGE], len(items), "/api")]
    return lambda talk: found[min(number_of(talk), 2) - 1](talk)


def no_end(bureau: Bureau) -> Behaviour:
    """Give ever new items, and always a next page."""

    def behave(talk: Talk) -> None:
        number = number_of(talk)
        page([json.dumps({"n": number, "pad": "x" * 100_000})], 0, f"/api?page={number + 1}")(talk)

    return behave


def withdrawn(bureau: Bureau) -> None:
    """Take a file away and publish it under another name, between the listing and the file."""
    names = [f"{name.rpartition('/')[2]}" for name in map(bureau.name, SECTIONS)]
    later = bureau.name("2").replace("-2", "-2b")
    bureau.partner.script("/try/", listing(names), listing([names[0], names[2], later.rpartition("/")[2]]))
    bureau.partner.script(bureau.name("2"), status(404))
    bureau.partner.script(later, document(bureau.body("2")))


def grows(bureau: Bureau) -> None:
    """Publish the last file only while the others are read."""
    names = [name.rpartition("/")[2] for name in map(bureau.name, SECTIONS)]
    bureau.partner.script("/try/", listing(names[:2]), listing(names))


def lying(bureau: Bureau) -> None:
    """Say 304 for ever."""
    known = document(body(bureau)).tag()
    bureau.partner.script(
        bureau.path,
        lambda talk: talk.send(head("304 Not Modified", ETag=talk.request.header("if-none-match") or known)),
    )


def key_in_address(talk: Talk) -> None:
    """Send our own key back, in an address and in headers."""
    key = talk.request.header("authorization").removeprefix("Bearer ")
    assert key == KEY_OF_SOURCE
    status(302, Location=f"https://elsewhere.example/?token={key}", X_Seen=key, Set_Cookie=f"k={key}")(talk)


def key_in_head(talk: Talk) -> None:
    key = talk.request.header("authorization")
    answer(f"no entry with {key}".encode(), f"403 not with {key}", X_Seen=key, WWW_Authenticate=f'Bearer e="{key}"')(
        talk
    )


def with_lines(lines: Iterable[tuple[str, object]]) -> Callable[[Bureau], Behaviour]:
    return lambda bureau: answer(body(bureau), **CSV, **dict(lines))


DRIP = b"HTTP/1.1 200 OK\r\nX-Slow: " + b"." * 1000
THOUSAND = [(f"X-{number}", number) for number in range(1000)]
COOKIE = [("Set_Cookie", "c=" + "x" * 80_000)]
LATER = format_datetime(CLOCK + timedelta(seconds=1), usegmt=True)
TROUBLES = (
    Trouble("429, wait 1 s", "listing", here(status(429, Retry_After=1), None), longer=0.9, known=True),
    Trouble(
        "429, wait until",
        "file",
        here(status(429, Retry_After=LATER, Date=format_datetime(CLOCK, usegmt=True)), None),
        longer=0.9,
    ),
    Trouble("429 for ever", "listing", here(status(429, Retry_After=1)), "rate-limited", "2"),
    Trouble("a storm of 500", "file", here(status(500), status(503), None)),
    Trouble("500 for ever", "listing", here(status(500)), "server-error", "2", known=True),
    Trouble("502 at the door", "listing", door(status(502)), "server-error", "*"),
    Trouble("a head in drips", "listing", here(slow(DRIP, 1, 0.1)), "too-slow", "23", known=True),
    Trouble(
        "a body in drips",
        "listing",
        here(lambda talk: talk.drip(head(**CSV, Content_Length=999) + b"." * 999, 1, 0.05)),
        "too-slow",
        "23",
    ),
    Trouble("cut, then whole", "file", cut_once, known=True),
    Trouble("cut for ever", "listing", here(cut(answer(b"x" * 5000, **CSV), 300, rst=True)), "reset", "23"),
    Trouble("longer than sent", "listing", made(declared(+9)), "reset", "23"),
    Trouble("shorter than sent", "file", made(declared(-9)), "trailing-bytes", "*"),
    Trouble("length in two ways", "file", made(both_lengths), "wrong-length", "*"),
    Trouble("two lengths", "file", made(two_lengths), "wrong-length", "*"),
    Trouble("a bomb of 1 GB", "listing", here(answer(bomb(2**30), Content_Encoding="gzip")), "inflates-too-much", "2"),
    Trouble("bytes for ever", "file", here(forever(head(**CSV, Connection="close"), b"1," * 2**15)), "too-large", "*"),
    Trouble("redirect to metadata", "file", here(redirect("http://169.254.169.254/latest/")), "redirect", "*"),
    Trouble("redirect to loopback", "file", here(redirect("http://localhost:9/bait")), "redirect", "*"),
    Trouble("redirect in a circle", "file", made(lambda b: redirect(b.path)), "redirect", "*"),
    Trouble("redirect with our key", "file", here(key_in_address), "redirect", "*"),
    Trouble("a certificate of nobody", "file", self_signed, "tls", "*", tls=True, known=True),
    Trouble("a certificate of another", "file", certificate(host="other.example"), "tls", "*", tls=True),
    Trouble(
        "a certificate of last year",
        "file",
        certificate(not_after=datetime.now(UTC) - timedelta(days=1)),
        "certificate-expired",
        "*",
        tls=True,
    ),
    Trouble("DNS to a private address", "file", leads("10.66.0.1"), "address-refused", "*", named=True, known=True),
    Trouble("DNS to metadata", "file", leads("169.254.169.254"), "address-refused", "*", named=True),
    Trouble("DNS to nothing", "file", leads(None), "dns", "*", named=True),
    Trouble("connection refused", "file", leads("127.0.0.3"), "connect", "*", named=True),
    Trouble("401", "listing", door(status(401)), "unauthorised", "*"),
    Trouble("403 with our key", "listing", door(key_in_head), "forbidden", "*"),
    Trouble("404", "listing", here(status(404)), "not-found", "2", known=True),
    Trouble("a login page for a file", "listing", here(answer(LOGIN, **CSV)), "wrong-type", "2"),
    Trouble(
        "a login page for a listing",
        "listing",
        door(answer(LOGIN, Content_Type="text/html")),
        "bad-listing",
        "*",
        known=True,
    ),
    Trouble("a login page for an API", "page", here(answer(LOGIN, Content_Type="text/html")), "wrong-type", "*"),
    Trouble("a name twice in JSON", "page", made(instead('{"数值": 1, "数值": 2}')), "bad-json", "*"),
    Trouble("NaN in JSON", "page", made(instead('{"数值": NaN}')), "bad-json", "*"),
    Trouble("deep JSON", "next", made(instead("[" * 5000 + "]" * 5000)), "bad-json", "*"),
    Trouble("half a JSON", "next", here(said('{"rows": [{"站点编码": "1878A"')), "bad-json", "*", known=True),
    Trouble("a file renamed under way", "listing", withdrawn),
    Trouble("a file more under way", "listing", grows),
    Trouble("the same page again", "page", made(same_page), "paging-loop", "*", known=True),
    Trouble("the next page is the first", "next", made(circle), "paging-loop", "*"),
    Trouble("pages without end", "next", made(no_end), "paging-endless", "*"),
    Trouble("a total too high", "page", made(lambda b: pages(b.items(), more=3)), "total-mismatch", "*", known=True),
    Trouble("a total that changes under way", "page", made(lambda b: pages(b.items(), slow_total=True))),
    Trouble("an order that slips once", "page", made(lambda b: pages(b.items(), slips=1))),
    Trouble("an order that slips", "page", made(lambda b: pages(b.items(), slips=99)), "total-mismatch", "*"),
    Trouble("an empty day", "page", made(lambda b: pages([])), "no-rows", "*", by="01:00", state="empty", known=True),
    Trouble("replaced while read", "file", made(lambda b: Replaced(b.body(), 1))),
    Trouble(
        "replaced each time", "file", made(lambda b: Replaced(b.body(), 99)), "changed-while-read", "*", known=True
    ),
    Trouble("GBK said to be UTF-8", "file", made(document_as("gbk"))),
    Trouble(
        "JSON in GBK said to be UTF-8",
        "next",
        made(lambda b: said(f'{{"rows": [{",".join(b.items())}]}}'.encode("gbk"))),
    ),
    Trouble("a thousand headers", "file", made(with_lines(THOUSAND)), "headers-too-large", "*"),
    Trouble("a cookie of 80 KB", "file", made(with_lines(COOKIE)), "headers-too-large", "*"),
    Trouble("304 for ever", "file", lying, "unchanged", "*", by="01:00", state="unchanged", known=True),
    Trouble("says nothing", "listing", here(silent(30.0)), "read-timeout", "23"),
    Trouble("says nothing at the door", "listing", door(silent(30.0)), "read-timeout", "*"),
)
