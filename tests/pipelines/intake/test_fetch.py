"""The client against a partner that misbehaves, over real sockets: the right outcome, in time, nothing believed too soon."""

from __future__ import annotations

import gzip
import itertools
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, formatdate
from hashlib import sha256

import pytest

from pipelines.errors import (
    AddressRefused,
    AnswerTooLarge,
    BadAnswer,
    BadStatus,
    ChangedWhileRead,
    FetchError,
    NotAllowed,
    Stopped,
    TooSlow,
    Unreachable,
)
from pipelines.intake.address import Reach
from pipelines.intake.fetch import Client, Secret, open_client, post_json
from tests.partner import Partner, Talk
from tests.partner.behaviours import (
    Document,
    answer,
    bomb,
    chunks,
    cut,
    document,
    endless,
    gzipped,
    head,
    raw,
    redirect,
    silent,
    slow,
    status,
)

CSV = b"station,value\n" + b"A001,0.52\n" * 500
PLAIN = {"Content_Type": "text/csv"}


def failure(client: Client, url: str, kind: type[FetchError], code: str, within: float = 5.0, **options) -> FetchError:
    """The error of a request, which has both languages, names the host and came in time."""
    began = time.monotonic()
    with pytest.raises(kind) as error:
        client.get(url, **options)
    assert time.monotonic() - began < within
    assert error.value.code == code, error.value
    assert any("\u4e00" <= char <= "\u9fff" for char in error.value.message) and error.value.message_en.isascii()
    assert "127.0.0.1" in error.value.message or "localhost" in error.value.message
    assert not [path for path in client._scratch.iterdir()], "a failed answer leaves nothing behind"
    return error.value


# what a decent server does


def test_an_answer_comes_as_a_file_with_its_state(partner, client):
    partner.script("/a.csv", document(CSV))
    got = client().get(partner.url("/a.csv"), item="a.csv")
    assert got.path.read_bytes() == CSV and got.sha256 == sha256(CSV).hexdigest() and got.bytes == len(CSV)
    assert (got.status, got.not_modified, got.media_type) == (200, False, "text/csv")
    assert got.etag.startswith('"') and got.modified.endswith("GMT") and abs(got.skew_seconds) < 5


def test_what_is_known_already_costs_a_304_and_no_bytes(partner, client):
    partner.script("/a.csv", document(CSV))
    one = client()
    first = one.get(partner.url("/a.csv"))
    again = one.get(partner.url("/a.csv"), etag=first.etag, modified=first.modified)
    assert again.not_modified and again.path is None and again.status == 304 and again.etag == first.etag
    assert partner.connections == 1, "one connection serves all requests of a client"


def test_a_304_over_an_open_connection_takes_milliseconds(partner, client):
    partner.script("/a.csv", document(CSV))
    one = client()
    etag = one.get(partner.url("/a.csv")).etag
    times = []
    for _ in range(20):
        began = time.perf_counter()
        one.get(partner.url("/a.csv"), etag=etag)
        times.append(time.perf_counter() - began)
    assert min(times) < 0.02


def test_a_last_modified_alone_is_asked_for_and_kept(partner, client):
    partner.script("/a.csv", Document(CSV, etag=""))
    one = client()
    first = one.get(partner.url("/a.csv"))
    assert first.etag == "" and one.get(partner.url("/a.csv"), modified=first.modified).not_modified


def test_a_last_modified_of_this_very_second_is_not_relied_upon(partner, client):
    partner.script("/a.csv", Document(CSV, etag="", modified=time.time()))
    assert client().get(partner.url("/a.csv")).modified == ""
    assert partner.requests[1].header("if-modified-since"), "but it tells whether the file changed meanwhile"


def test_an_empty_file_is_an_answer(partner, client):
    partner.script("/a.csv", document(b""))
    got = client().get(partner.url("/a.csv"))
    assert got.path.read_bytes() == b"" and got.bytes == 0 and got.sha256 == sha256(b"").hexdigest()


def test_parameters_join_the_query_of_the_address(partner, client):
    partner.script("/api", answer(b"[]", Content_Type="application/json"))
    client().get(partner.url("/api?v=1"), parameters=[("since", "2026-04-08 00:00"), ("city", "北湄")])
    assert partner.requests[0].query == "v=1&since=2026-04-08+00%3A00&city=%E5%8C%97%E6%B9%84"


def test_a_packed_answer_is_unpacked_and_its_packed_bytes_counted(partner, client):
    partner.script("/a.csv", gzipped(CSV, **PLAIN))
    one = client()
    got = one.get(partner.url("/a.csv"))
    assert got.path.read_bytes() == CSV and got.bytes == len(CSV)
    assert one.exchanges[0].bytes == len(gzip.compress(CSV, mtime=0)) and one.exchanges[0].sha256 == got.sha256


def test_a_chunked_answer_ends_where_it_says(partner, client):
    partner.script("/a.csv", raw(head(**PLAIN, Transfer_Encoding="chunked") + chunks(CSV[:70], CSV[70:]), close=False))
    one = client()
    assert one.get(partner.url("/a.csv")).path.read_bytes() == CSV
    assert one.get(partner.url("/a.csv")).path.read_bytes() == CSV and partner.connections == 1


def test_an_ipv6_address_in_the_url_is_reached(client):
    with Partner(host="::1") as partner:
        partner.script("/a.csv", document(CSV))
        assert client().get(partner.url("/a.csv")).bytes == len(CSV)


def test_interim_answers_are_passed_over(partner, client):
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 3
    partner.script("/a.csv", raw(hints + head(**PLAIN, Content_Length=3) + b"a,b", close=False))
    assert client().get(partner.url("/a.csv")).bytes == 3


# NET-01, NET-03: told to wait, never working


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_429_waits_as_long_as_it_is_told(partner, client, form):
    told = "1" if form == "seconds" else format_datetime(datetime.now(UTC) + timedelta(seconds=1), usegmt=True)
    more = {} if form == "seconds" else {"Date": formatdate(usegmt=True)}
    partner.script("/a.csv", status(429, Retry_After=told, **more), document(CSV))
    got = client().get(partner.url("/a.csv"))
    waited = partner.requests[1].at - partner.requests[0].at
    assert got.bytes == len(CSV) and (0.9 if form == "seconds" else 0.0) <= waited < 4


def test_a_date_to_wait_for_is_read_by_the_servers_own_clock(partner, client):
    there = datetime.now(UTC) - timedelta(hours=8)
    told = format_datetime(there + timedelta(seconds=1), usegmt=True)
    partner.script("/a.csv", status(503, Retry_After=told, Date=format_datetime(there, usegmt=True)), document(CSV))
    client().get(partner.url("/a.csv"))
    assert 0.9 <= partner.requests[1].at - partner.requests[0].at < 4


def test_a_wait_is_capped(partner, client):
    partner.script("/a.csv", status(429, Retry_After="86400"), document(CSV))
    began = time.monotonic()
    assert client(retry_after=0.2).get(partner.url("/a.csv")).bytes == len(CSV)
    assert time.monotonic() - began < 4


def test_a_wait_beyond_the_budget_is_not_begun(partner, client):
    partner.script("/a.csv", status(429, Retry_After="120"))
    failure(client(budget=3.0), partner.url("/a.csv"), BadStatus, "rate-limited", within=2)
    assert len(partner.requests) == 1


def test_a_server_that_fails_for_ever_is_given_up(partner, client):
    partner.script("/a.csv", status(500))
    error = failure(client(), partner.url("/a.csv"), BadStatus, "server-error")
    assert len(partner.requests) == 6 and error.transient


def test_the_budget_ends_a_storm_of_500(partner, client):
    partner.script("/a.csv", status(500))
    one = client(budget=1.5, pause=0.3, attempts=100)
    failure(one, partner.url("/a.csv"), BadStatus, "server-error", within=4)
    assert len(partner.requests) < 6 and one.budget_left() < 1.5


def test_pauses_grow(partner, client):
    partner.script("/a.csv", *[status(500)] * 4, document(CSV))
    client(pause=0.1).get(partner.url("/a.csv"))
    at = [request.at for request in partner.requests]
    gaps = [later - earlier for earlier, later in itertools.pairwise(at)]
    assert gaps[0] >= 0.09 and gaps[1] >= 0.19 and gaps[2] >= 0.39 and gaps[3] >= 0.79


# NET-04: which of the ways not to answer


def test_a_closed_port_is_named(client):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert failure(client(), f"http://127.0.0.1:{port}/", Unreachable, "connect").transient


def test_a_connection_that_never_opens_is_named(client):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        crowd = []
        for _ in range(4):  # the queue of the listener is full: the next handshake is not answered
            waiting = socket.socket()
            waiting.setblocking(False)
            waiting.connect_ex(address)
            crowd.append(waiting)
        one = client(connect=0.4, attempts=2)
        failure(one, f"http://127.0.0.1:{address[1]}/", Unreachable, "connect-timeout")
        for waiting in crowd:
            waiting.close()


def test_a_server_that_says_nothing_is_named(partner, client):
    partner.script("/a.csv", silent(10))
    failure(client(idle=0.3, attempts=2), partner.url("/a.csv"), Unreachable, "read-timeout")
    assert len(partner.requests) == 2


@pytest.mark.parametrize("rst", [False, True])
def test_a_connection_cut_before_the_answer_is_tried_again(partner, client, rst):
    partner.script("/a.csv", cut(document(CSV), 0, rst=rst), document(CSV))
    assert client().get(partner.url("/a.csv")).bytes == len(CSV)


def test_a_name_that_does_not_resolve_is_named(client):
    one = client(hosts=frozenset({"nowhere.invalid"}), attempts=2)
    with pytest.raises(Unreachable) as error:
        one.get("https://nowhere.invalid/")
    assert error.value.code == "dns" and len(one.exchanges) == 2


def test_a_connection_closed_while_idle_is_opened_again(partner, client):
    def once(talk: Talk) -> None:
        answer(CSV, **PLAIN)(talk)
        talk.close()

    partner.script("/a.csv", once)
    one = client()
    for _ in range(3):
        assert one.get(partner.url("/a.csv")).bytes == len(CSV)
        time.sleep(0.2)
    assert partner.connections == 3 and not [exchange for exchange in one.exchanges if exchange.error]


# resuming


BIG = os.urandom(400_000)


@pytest.mark.parametrize("rst", [False, True])
def test_a_cut_download_goes_on_where_it_was_cut(partner, client, rst):
    whole = document(BIG)
    partner.script("/a.bin", cut(whole, 150_000), cut(whole, 100_000, rst=rst), whole)
    one = client()
    assert one.get(partner.url("/a.bin")).path.read_bytes() == BIG
    ranges = [request.header("range") for request in partner.requests]
    assert ranges[0] == "" and ranges[1].startswith("bytes=14") and len(set(ranges[:3])) == 3
    assert partner.requests[1].header("if-range") == whole.tag()
    assert sum(exchange.bytes for exchange in one.exchanges) <= len(BIG), "nothing was downloaded twice"


def test_a_file_replaced_between_two_tries_is_read_from_the_beginning(partner, client):
    whole = document(BIG)
    partner.script("/a.bin", cut(whole, 150_000), document(BIG[::-1]))
    assert client().get(partner.url("/a.bin")).path.read_bytes() == BIG[::-1]


@pytest.mark.parametrize("etag", ['W/"weak"', ""])
def test_without_a_strong_validator_a_cut_download_begins_again(partner, client, etag):
    weak = Document(BIG, etag=etag, modified=time.time() - 1)
    partner.script("/a.bin", cut(weak, 150_000), weak)
    assert client().get(partner.url("/a.bin")).path.read_bytes() == BIG
    assert not any(request.header("range") for request in partner.requests)


def test_an_old_last_modified_is_strong_enough_to_go_on(partner, client):
    dated = Document(BIG, etag="")
    partner.script("/a.bin", cut(dated, 150_000), dated)
    assert client().get(partner.url("/a.bin")).path.read_bytes() == BIG
    assert partner.requests[1].header("if-range").endswith("GMT")


@pytest.mark.parametrize(
    "told",
    ["bytes 0-399999/400000", "bytes 149999-399999/400000", "bytes 10-20/400000", "bytes */400000", "lines 1-2/3", ""],
)
def test_a_part_that_is_not_the_one_asked_for_is_thrown_away(partner, client, told):
    whole = document(BIG)

    def lie(talk: Talk) -> None:
        answer(BIG[:1000], "206 Partial Content", Content_Range=told, ETag=whole.tag())(talk)

    partner.script("/a.bin", cut(whole, 150_000), lie, whole)
    one = client()
    assert one.get(partner.url("/a.bin")).path.read_bytes() == BIG
    assert "wrong-length" in one.exchanges[1].error and partner.requests[2].header("range") == ""


def test_a_part_of_another_state_is_thrown_away(partner, client):
    whole = document(BIG)

    def other(talk: Talk) -> None:
        start = int(talk.request.header("range")[6:-1])
        told = f"bytes {start}-{len(BIG) - 1}/{len(BIG)}"
        answer(bytes(len(BIG) - start), "206 Partial Content", Content_Range=told, ETag='"other"')(talk)

    partner.script("/a.bin", cut(whole, 150_000), other, whole)
    assert client().get(partner.url("/a.bin")).path.read_bytes() == BIG


def test_a_file_that_became_shorter_than_what_came_is_read_again(partner, client):
    partner.script("/a.bin", cut(document(BIG), 150_000), status(416), document(BIG[:99]))
    assert client().get(partner.url("/a.bin")).path.read_bytes() == BIG[:99]


def test_a_packed_download_goes_on_in_its_packed_form(partner, client):
    packed = gzip.compress(BIG, mtime=0)
    tag = '"packed"'

    def behave(talk: Talk) -> None:
        start = int((talk.request.header("range") or "bytes=0-")[6:-1])
        told = {"Content_Range": f"bytes {start}-{len(packed) - 1}/{len(packed)}"} if start else {}
        line = "206 Partial Content" if start else "200 OK"
        answer(packed[start:], line, Content_Encoding="gzip", ETag=tag, **told)(talk)

    def same(talk: Talk) -> None:
        status(304, ETag=tag)(talk)

    partner.script("/a.bin", cut(behave, 150_000), behave, same)
    assert client().get(partner.url("/a.bin")).path.read_bytes() == BIG


# slow: P13


def test_a_body_in_drips_ends_at_the_deadline(partner, client):
    partner.script("/a.csv", slow(head(**PLAIN, Content_Length=len(CSV)) + CSV, 10, 0.05))
    error = failure(client(seconds=1.0), partner.url("/a.csv"), TooSlow, "too-slow", within=2.5)
    assert "seconds" in error.message


def test_a_head_in_drips_ends_at_the_deadline(partner, client):
    partner.script("/a.csv", slow(head(**PLAIN, X_Long="x" * 5000), 1, 0.05))
    failure(client(seconds=1.0), partner.url("/a.csv"), TooSlow, "too-slow", within=2.5)


def test_a_slow_handshake_ends_at_the_deadline(client):
    with socket.create_server(("127.0.0.1", 0)) as listener:  # accepts, and never says hello
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/"
        failure(client(connect=0.5, attempts=1), url, Unreachable, "connect-timeout", within=3)
        failure(client(seconds=0.5), url, TooSlow, "too-slow", within=3)


def test_the_budget_is_spent_over_several_requests(partner, client):
    partner.script("/a.csv", slow(head(**PLAIN, Content_Length=len(CSV)) + CSV, 10, 0.05))
    one = client(seconds=1.0, budget=1.6)
    failure(one, partner.url("/a.csv"), TooSlow, "too-slow", within=2.5)
    failure(one, partner.url("/a.csv"), TooSlow, "budget-spent", within=2)
    assert one.budget_left() == 0
    failure(one, partner.url("/a.csv"), TooSlow, "budget-spent", within=0.5)


@pytest.mark.parametrize("where", ["body", "head", "pause", "connect"])
def test_a_stopping_service_ends_a_request_at_once(partner, client, where):
    stop = threading.Event()
    partner.script("/body", slow(head(**PLAIN, Content_Length=len(CSV)) + CSV, 10, 0.05))
    partner.script("/head", silent(10))
    partner.script("/pause", status(503, Retry_After="30"))
    one = client(stopping=stop.is_set)
    threading.Timer(0.4, stop.set).start()
    began = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as mute, pytest.raises(Stopped):
        one.get(f"https://127.0.0.1:{mute.getsockname()[1]}/" if where == "connect" else partner.url(f"/{where}"))
    assert time.monotonic() - began < 2
    assert not list(one._scratch.iterdir())


# lengths: NET-13


def test_bytes_after_the_declared_length_are_refused(partner, client):
    partner.script("/a.csv", answer(CSV + b"more", **PLAIN, Content_Length=len(CSV)))
    one = client()
    failure(one, partner.url("/a.csv"), BadAnswer, "trailing-bytes")
    assert len(partner.requests) == 1


def test_a_hidden_second_answer_is_not_taken_for_the_next(partner, client):
    smuggled = head(**PLAIN, Content_Length=4) + b"evil"
    partner.script("/a.csv", answer(CSV + smuggled, **PLAIN, Content_Length=len(CSV)))
    partner.script("/b.csv", raw(head(**PLAIN, Transfer_Encoding="chunked") + chunks(CSV) + smuggled, close=False))
    partner.script("/c.csv", document(b"good"))
    one = client()
    failure(one, partner.url("/a.csv"), BadAnswer, "trailing-bytes")
    failure(one, partner.url("/b.csv"), BadAnswer, "trailing-bytes")
    assert one.get(partner.url("/c.csv")).path.read_bytes() == b"good"


def test_bytes_that_trail_in_later_are_refused_before_the_file_is_confirmed(partner, client):
    whole = document(CSV)

    def behave(talk: Talk) -> None:
        whole(talk)
        talk.send(b"late")

    partner.script("/a.csv", behave)
    failure(client(), partner.url("/a.csv"), BadAnswer, "trailing-bytes")


def test_bytes_that_come_between_two_requests_are_not_taken_for_an_answer(partner, client):
    def hesitate(talk: Talk) -> None:
        answer(CSV, **PLAIN)(talk)
        talk.wait(0.2)
        talk.send(head(**PLAIN, Content_Length=4) + b"evil")

    partner.script("/a.csv", hesitate)
    partner.script("/b.csv", document(b"good"))
    one = client()
    one.get(partner.url("/a.csv")).path.unlink()
    time.sleep(0.6)
    failure(one, partner.url("/b.csv"), BadAnswer, "trailing-bytes")
    assert one.get(partner.url("/b.csv")).path.read_bytes() == b"good"


def test_a_length_said_in_two_ways_is_refused(partner, client):
    both = head(**PLAIN, Content_Length=5, Transfer_Encoding="chunked") + chunks(b"hello")
    partner.script("/a.csv", raw(both, close=False))
    failure(client(), partner.url("/a.csv"), BadAnswer, "wrong-length")


def test_two_different_lengths_are_refused(partner, client):
    partner.script("/a.csv", raw(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"))
    failure(client(), partner.url("/a.csv"), BadAnswer, "wrong-length")


def test_a_body_shorter_than_declared_is_never_taken(partner, client):
    partner.script("/a.csv", raw(head(**PLAIN, Content_Length=len(CSV) + 1) + CSV))
    failure(client(), partner.url("/a.csv"), Unreachable, "reset")
    assert len(partner.requests) == 6


def test_chunks_without_their_end_are_never_taken(partner, client):
    partner.script("/a.csv", raw(head(**PLAIN, Transfer_Encoding="chunked") + chunks(CSV, end=b"")))
    failure(client(attempts=2), partner.url("/a.csv"), Unreachable, "reset")


def test_no_length_at_all_is_believed_when_it_comes_twice_the_same(partner, client):
    partner.script("/a.csv", raw(head(**PLAIN) + CSV))
    assert client().get(partner.url("/a.csv")).path.read_bytes() == CSV
    assert len(partner.requests) == 2


def test_no_length_at_all_and_another_end_each_time_is_refused(partner, client):
    partner.script("/a.csv", *[raw(head(**PLAIN, ETag='"x"') + CSV[:end]) for end in (900, 1800, 2700, 3600)])
    failure(client(), partner.url("/a.csv"), BadAnswer, "length-unclear")
    assert not any(request.header("if-none-match") for request in partner.requests)


@pytest.mark.parametrize("body", [b"zz\r\nhello\r\n0\r\n\r\n", b"5\r\nhelloXX0\r\n\r\n", b"-5\r\nhello\r\n0\r\n\r\n"])
def test_garbage_between_chunks_is_refused(partner, client, body):
    partner.script("/a.csv", raw(head(**PLAIN, Transfer_Encoding="chunked") + body, close=False))
    failure(client(), partner.url("/a.csv"), BadAnswer, "bad-encoding")
    assert len(partner.requests) == 2, "an accident of the line is tried once more"


def test_an_endless_chunk_extension_is_cut_off(partner, client):
    start = head(**PLAIN, Transfer_Encoding="chunked") + b"5;x="
    partner.script("/a.csv", endless(start, lambda: itertools.repeat(b"y" * 65536)))
    failure(client(), partner.url("/a.csv"), BadAnswer, "bad-encoding")


def test_chunks_that_are_mostly_extension_are_counted_as_they_come(partner, client):
    piece = b"1;" + b"x" * 4000 + b"\r\na\r\n"
    partner.script("/a.csv", endless(head(**PLAIN, Transfer_Encoding="chunked"), lambda: itertools.repeat(piece)))
    failure(client(bytes=100_000), partner.url("/a.csv"), AnswerTooLarge, "too-large", within=10)


# heads: NET-27


def test_a_head_of_200_kb_is_refused_and_tried_once_more_at_most(partner, client):
    partner.script("/a.csv", answer(b"x", **PLAIN, Set_Cookie="a=" + "b" * 200_000))
    failure(client(), partner.url("/a.csv"), BadAnswer, "headers-too-large")
    assert len(partner.requests) == 2


def test_a_thousand_headers_are_refused(partner, client):
    partner.script("/a.csv", answer(b"x", **{f"X_{number}": "y" for number in range(1000)}))
    failure(client(), partner.url("/a.csv"), BadAnswer, "headers-too-large")
    assert len(partner.requests) == 2


def test_a_storm_of_interim_answers_is_cut_off(partner, client):
    partner.script("/a.csv", endless(b"", lambda: itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)))
    failure(client(), partner.url("/a.csv"), BadAnswer, "headers-too-large")


@pytest.mark.parametrize("junk", [b"SSH-2.0-OpenSSH_9\r\n\r\n", b"HTTP/1.1 OK\r\n\r\n", b"\x00\xff" * 50 + b"\r\n\r\n"])
def test_what_is_no_http_is_refused(partner, client, junk):
    partner.script("/a.csv", raw(junk, close=False))
    failure(client(), partner.url("/a.csv"), BadAnswer, "bad-encoding")


def test_cookies_are_neither_kept_nor_sent_back(partner, client):
    partner.script("/a.csv", answer(CSV, **PLAIN, Set_Cookie="session=geheim; Path=/"))
    one = client()
    one.get(partner.url("/a.csv"))
    one.get(partner.url("/a.csv"))
    assert not any(request.header("cookie") for request in partner.requests)
    assert one.exchanges[0].answer["set-cookie"] == "***" and "geheim" not in repr(one.exchanges)


# packing


def test_a_gzip_bomb_is_cut_off(partner, client):
    partner.script("/a.csv", answer(bomb(64 * 2**20), **PLAIN, Content_Encoding="gzip"))
    failure(client(inflated=20 * 2**20), partner.url("/a.csv"), AnswerTooLarge, "inflates-too-much", within=10)
    assert len(partner.requests) == 1


def test_a_bomb_of_a_gigabyte_stays_within_memory(partner, tmp_path):
    """In a process of its own, whose greatest size is then known."""
    partner.script("/a.csv", answer(bomb(2**30), **PLAIN, Content_Encoding="gzip"))
    program = f"""
import resource, sys
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from pipelines.errors import AnswerTooLarge
from pipelines.intake.address import Reach
from pipelines.intake.fetch import Caps, Client
reach = Reach(frozenset({{"127.0.0.1"}}), (ip_network("127.0.0.0/8"),))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with Client(reach, Caps(inflated=256 * 2**20), Path({str(tmp_path)!r}), lambda: datetime.now(UTC)) as client:
    try:
        client.get({partner.url("/a.csv")!r})
    except AnswerTooLarge as error:
        print(error.code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    began = time.monotonic()
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    code, kilobytes = run.stdout.split()
    assert code == "inflates-too-much" and int(kilobytes) < 50_000 and time.monotonic() - began < 60
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("packed", "encoding"),
    [
        (gzip.compress(CSV)[:-20], "gzip"),
        (gzip.compress(CSV)[:-20] + bytes(20), "gzip"),
        (gzip.compress(CSV) + b"rubbish", "gzip"),
        (CSV, "gzip"),
        (b"", "gzip"),
        (gzip.compress(gzip.compress(CSV)), "gzip, gzip"),
        (CSV, "br"),
        (CSV, "deflate"),
        (CSV, "zstd"),
    ],
    ids=["cut", "damaged", "with more behind it", "not packed", "empty", "packed twice", "br", "deflate", "zstd"],
)
def test_a_packing_that_is_broken_or_was_not_asked_for_is_refused(partner, client, packed, encoding):
    partner.script("/a.csv", answer(packed, **PLAIN, Content_Encoding=encoding))
    failure(client(), partner.url("/a.csv"), BadAnswer, "bad-encoding")
    assert len(partner.requests) == 2


def test_a_gzip_of_several_members_is_read_whole(partner, client):
    packed = gzip.compress(CSV[:100]) + gzip.compress(CSV[100:])
    partner.script("/a.csv", answer(packed, **PLAIN, Content_Encoding="x-gzip"))
    assert client().get(partner.url("/a.csv")).path.read_bytes() == CSV


def test_more_bytes_than_a_source_may_send_are_not_read(partner, client):
    partner.script("/said.csv", answer(b"", **PLAIN, Content_Length=10**9))
    partner.script(
        "/unsaid.csv",
        endless(
            head(**PLAIN, Transfer_Encoding="chunked"), lambda: itertools.repeat(b"10000\r\n" + bytes(65536) + b"\r\n")
        ),
    )
    one = client(bytes=2**20)
    failure(one, partner.url("/said.csv"), AnswerTooLarge, "too-large")
    failure(one, partner.url("/unsaid.csv"), AnswerTooLarge, "too-large")
    assert sum(exchange.bytes for exchange in one.exchanges) < 2**21


def test_one_answer_may_be_allowed_less(partner, client):
    partner.script("/a.csv", answer(CSV, **PLAIN))
    partner.script("/b.csv", gzipped(CSV, **PLAIN))
    one = client()
    failure(one, partner.url("/a.csv"), AnswerTooLarge, "too-large", most=1000)
    failure(one, partner.url("/b.csv"), AnswerTooLarge, "inflates-too-much", most=1000)


# what it is: NET-14


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<!DOCTYPE html><html><body>login</body></html>", "text/csv"),
        (b"\xef\xbb\xbf\n <!-- hi -->\n<HTML><body>", "application/json"),
        (b'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml">', "application/xml"),
        ("系统维护中".encode(), "text/html; charset=utf-8"),
        (b"", "text/html"),
    ],
)
def test_a_web_page_instead_of_data_is_refused(partner, client, body, kind):
    partner.script("/a.csv", answer(body, Content_Type=kind))
    failure(client(), partner.url("/a.csv"), BadAnswer, "wrong-type")
    assert len(partner.requests) == 1


def test_a_packed_web_page_is_refused_too(partner, client):
    partner.script("/a.csv", gzipped(b"<html><body>login</body></html>", **PLAIN))
    failure(client(), partner.url("/a.csv"), BadAnswer, "wrong-type")


def test_a_web_page_is_taken_where_a_listing_is_asked_for(partner, client):
    partner.script("/", answer(b"<html><a href='a.csv'>a</a></html>", Content_Type="text/html"))
    assert client().get(partner.url("/"), accept=("text/html",)).media_type == "text/html"
    assert partner.requests[0].header("accept").startswith("text/html")


def test_the_charset_a_server_declares_is_not_acted_upon(partner, client):
    body = "站点,数值\n甲,1\n".encode("gbk")
    partner.script("/a.csv", answer(body, Content_Type="text/csv; charset=utf-8"))
    assert client().get(partner.url("/a.csv")).path.read_bytes() == body


# status


@pytest.mark.parametrize(("code", "word"), [(401, "unauthorised"), (403, "forbidden")])
def test_a_wrong_key_is_told_at_once_and_not_tried_again(partner, client, code, word):
    partner.script("/a.csv", status(code))
    error = failure(client(), partner.url("/a.csv"), NotAllowed, word)
    assert len(partner.requests) == 1 and not error.transient


@pytest.mark.parametrize(
    ("line", "code"), [(404, "not-found"), (410, "not-found"), (204, "bad-status"), (206, "bad-status"),
                       (304, "bad-status"), (400, "bad-status"), (300, "bad-status"), (418, "bad-status")]
)  # fmt: skip
def test_a_status_that_is_no_answer_is_not_tried_again(partner, client, line, code):
    partner.script("/a.csv", raw(head(f"{line} Nothing", Content_Length=None if line == 204 else 0), close=False))
    failure(client(), partner.url("/a.csv"), BadStatus, code)
    assert len(partner.requests) == 1


def test_a_timeout_told_by_the_server_is_tried_again(partner, client):
    partner.script("/a.csv", status(408), document(CSV))
    assert client().get(partner.url("/a.csv")).bytes == len(CSV)


# redirects


@pytest.mark.parametrize(
    "target",
    ["http://localhost:{port}/b.csv", "https://127.0.0.1:{port}/b.csv", "http://127.0.0.1:1/b.csv",
     "http://169.254.169.254/latest/", "http://evil.example/", "//evil.example/x", "file:///etc/passwd",
     "http://user:pw@127.0.0.1:{port}/b.csv", "http://[broken", "gopher://127.0.0.1/"],
)  # fmt: skip
def test_a_redirect_to_another_server_is_not_followed(partner, client, target):
    partner.script("/a.csv", redirect(target.format(port=partner.port)))
    partner.script("/b.csv", document(CSV))
    failure(client(), partner.url("/a.csv"), AddressRefused, "redirect")
    assert len(partner.requests) == 1


@pytest.mark.parametrize("target", ["/b.csv", "b.csv", "../b.csv?x=1#part", "http://127.0.0.1:{port}/b.csv"])
@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_on_the_same_server_is_followed(partner, client, target, code):
    partner.script("/a.csv", redirect(target.format(port=partner.port), code))
    partner.script("/b.csv", document(CSV))
    one = client()
    assert one.get(partner.url("/a.csv")).bytes == len(CSV)
    assert [exchange.status for exchange in one.exchanges[:2]] == [code, 200]


def test_redirects_in_a_circle_end(partner, client):
    partner.script("/a.csv", redirect("/b.csv"))
    partner.script("/b.csv", redirect("/a.csv"))
    failure(client(), partner.url("/a.csv"), BadStatus, "redirect")
    assert len(partner.requests) == 4


def test_a_redirect_to_a_login_page_is_seen_through(partner, client):
    partner.script("/a.csv", redirect("/login"))
    partner.script("/login", answer(b"<html>", Content_Type="text/html"))
    failure(client(), partner.url("/a.csv"), BadAnswer, "wrong-type")


# addresses: NET-07, NET-09, NET-23


def test_an_address_outside_the_declared_networks_is_not_connected_to(partner, client):
    one = client(networks=())
    with pytest.raises(AddressRefused):
        one.get(partner.url("/a.csv"))
    failure(
        one, partner.url("/a.csv").replace("http://127.0.0.1", "https://localhost"), AddressRefused, "address-refused"
    )
    assert partner.connections == 0


@pytest.mark.parametrize("url", ["http://[broken", "http://good@127.0.0.1/", "http://127.0.0.1/#x", "", "127.0.0.1"])
def test_an_address_that_cannot_be_read_is_refused_before_anything_is_sent(client, url):
    one = client()
    with pytest.raises(AddressRefused) as error:
        one.get(url)
    assert error.value.code == "url-refused" and not one.exchanges


def test_the_checked_address_is_the_one_connected_to(partner, client, monkeypatch):
    """A resolver that changes its mind (rebinding) is asked only once for a connection."""
    asked = []
    real = socket.getaddrinfo

    def rebinding(host, *args, **options):
        asked.append(host)
        return real("127.0.0.1" if len(asked) == 1 else "169.254.169.254", *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    partner.script("/a.csv", document(CSV))
    one = client(hosts=frozenset({"data.example.cn"}))
    url = partner.url("/a.csv").replace("127.0.0.1", "data.example.cn")
    assert one.get(url).bytes == len(CSV) and asked == ["data.example.cn"]
    assert partner.requests[0].header("host") == f"data.example.cn:{partner.port}"


def test_the_next_address_of_a_name_is_tried_when_the_first_does_not_answer(partner, client, monkeypatch):
    entries = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, partner.port)) for ip in ("127.9.9.9", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: entries)
    partner.script("/a.csv", document(CSV))
    assert client().get(partner.url("/a.csv")).bytes == len(CSV)


def test_proxies_of_the_environment_are_ignored(partner, client, monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
        monkeypatch.setenv(name.lower(), "http://127.0.0.1:1")
    partner.script("/a.csv", document(CSV))
    assert client().get(partner.url("/a.csv")).bytes == len(CSV)


# a file that changes while it is read


def test_a_file_replaced_after_it_was_read_is_read_again(partner, client):
    partner.script("/a.csv", document(CSV), document(CSV + b"B,1\n"))
    one = client()
    assert one.get(partner.url("/a.csv")).path.read_bytes() == CSV + b"B,1\n"
    assert len(list(one._scratch.iterdir())) == 1


def test_a_file_that_changes_each_time_is_not_taken(partner, client):
    partner.script("/a.csv", *[document(CSV + b"%d\n" % number) for number in range(9)])
    error = failure(client(), partner.url("/a.csv"), ChangedWhileRead, "changed-while-read")
    assert error.transient and len(partner.requests) == 4


def test_a_file_that_cannot_be_confirmed_is_not_taken(partner, client):
    partner.script("/a.csv", document(CSV), status(500))
    failure(client(attempts=2), partner.url("/a.csv"), BadStatus, "server-error")


def test_an_etag_that_changes_each_time_does_not_make_the_file_another(partner, client):
    partner.script("/a.csv", *[Document(CSV, etag=f'"{number}"', modified=number) for number in range(9)])
    assert client().get(partner.url("/a.csv")).path.read_bytes() == CSV
    assert len(partner.requests) == 2


# keys: NET-26


KEY = "sk-live-9f8e7d6c5b4a"


@pytest.mark.parametrize(
    ("auth", "secret", "header", "value"),
    [
        ("bearer", Secret(token=KEY), "authorization", f"Bearer {KEY}"),
        ("header:X-Api-Key", Secret(token=KEY), "x-api-key", KEY),
        ("basic", Secret(user="gz", password=KEY), "authorization", "Basic Z3o6c2stbGl2ZS05ZjhlN2Q2YzViNGE="),
    ],
)
def test_a_key_is_sent_and_shown_nowhere(partner, client, caplog, auth, secret, header, value):
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore.http11", "httpcore.connection", "stamina"):
        caplog.set_level(logging.DEBUG, logger=name)
    echo = {"X_Echo": value, "Set_Cookie": f"k={KEY}", "Content_Range": value}
    partner.script("/a.csv", answer(CSV, **PLAIN, **echo), status(500, **echo), status(403, **echo))
    one = client(auth=auth, secret=secret)
    url = partner.url(f"/a.csv?access_token={KEY}&sign={KEY}")
    one.get(url)
    with pytest.raises(NotAllowed) as error:
        one.get(url)
    assert partner.requests[0].header(header) == value
    shown = repr((one.exchanges, error.value, error.value.as_json(), secret, vars(error.value), one)) + caplog.text
    assert KEY not in shown and value not in shown
    assert one.exchanges[0].url.endswith("?access_token=***&sign=***")
    assert one.exchanges[0].request[header] == "***" and len(one.exchanges) == 3


def test_a_key_echoed_into_an_error_is_hidden(partner, client):
    partner.script("/a.csv", answer(CSV, Content_Encoding=KEY), redirect(f"http://evil.example/{KEY}"))
    one = client(auth="bearer", secret=Secret(token=KEY))
    with pytest.raises(FetchError) as error:
        one.get(partner.url("/a.csv"))
    assert KEY not in f"{error.value} {error.value.message} {one.exchanges}"


def test_a_missing_key_is_told_before_anything_is_sent(partner, client):
    for secret in (None, Secret(), Secret(token="秘密"), Secret(token="a\r\nb: c")):
        failure(client(auth="bearer", secret=secret), partner.url("/a.csv"), NotAllowed, "unauthorised")
    assert partner.connections == 0


def test_a_key_goes_to_the_sources_own_host_only(partner, client):
    partner.script("/a.csv", document(CSV))
    one = client(auth="bearer", secret=Secret(token=KEY), own_host="localhost")
    one.get(partner.url("/a.csv"))
    one.get(partner.url("/a.csv").replace("127.0.0.1", "localhost"))
    assert [bool(request.header("authorization")) for request in partner.requests] == [False, False, True, True]


# what is kept of it


def test_every_request_is_noted_whatever_came_of_it(partner, client):
    partner.script("/a.csv", status(503), cut(document(BIG), 1000), document(BIG))
    one = client()
    one.get(partner.url("/a.csv"), item="a.csv")
    notes = one.exchanges
    assert [note.status for note in notes] == [503, 200, 206, 304]
    assert [note.error.partition(":")[0] for note in notes] == ["server-error", "reset", "", ""]
    assert all(note.item == "a.csv" and note.method == "GET" and note.at.tzinfo and note.seconds >= 0 for note in notes)
    assert notes[2].sha256 == sha256(BIG).hexdigest() and notes[2].request["range"].startswith("bytes=")
    assert notes[2].answer["content-range"].endswith(f"/{len(BIG)}")


@pytest.mark.parametrize("hours", [-9, 0, 30])
def test_the_clock_of_the_server_is_compared_with_ours(partner, client, hours):
    now = datetime(2026, 4, 8, 16, tzinfo=UTC)
    date = format_datetime(now + timedelta(hours=hours), usegmt=True)
    partner.script("/a.csv", answer(CSV, **PLAIN, Date=date))
    partner.script("/none.csv", answer(CSV, **PLAIN, Date="yesterday"))
    one = client(clock=lambda: now)
    assert one.get(partner.url("/a.csv")).skew_seconds == hours * 3600
    assert one.get(partner.url("/none.csv")).skew_seconds is None


def test_a_link_with_a_token_stays_whole_for_the_caller_and_is_hidden_in_the_record(partner, client):
    link = "</api?page_token=abc123>; rel=next"
    partner.script("/api", answer(b"[]", Link=link, Set_Cookie="a=b"))
    one = client()
    got = one.get(partner.url("/api"))
    assert got.headers["link"] == link and "set-cookie" not in got.headers and "abc123" not in repr(got)
    assert "abc123" not in repr(one.exchanges)


def test_headers_that_cannot_be_sent_back_are_not_kept(partner, client):
    partner.script("/a.csv", answer(CSV, **PLAIN, ETag='"' + "x" * 5000 + '"', Last_Modified="soon"))
    got = client().get(partner.url("/a.csv"))
    assert got.etag == "" and got.modified == ""


# a client of a declared source, and messages


def test_a_declared_source_makes_its_client(partner, tmp_path):
    from schemas.sources import sources

    bureau = tmp_path / "bureaus" / "beibei"
    bureau.mkdir(parents=True)
    (bureau / "sources.toml").write_text(
        f"""# source: a test
[[sources]]
name = "air"
title = "空气"
kind = "file"
url = "{partner.url("/a.csv")}"
networks = ["127.0.0.0/8"]
credentials = "beibei-air"
auth = "bearer"
seconds = 7
megabytes = 1
source = "a test"
""",
        encoding="utf-8",
    )
    found, faults = sources(tmp_path / "bureaus")
    assert not faults
    partner.script("/a.csv", answer(bytes(2**20 + 1)), document(CSV))
    with open_client(found["beibei/air"], tmp_path, lambda: datetime.now(UTC), Secret(token=KEY)) as one:
        with pytest.raises(AnswerTooLarge):
            one.get(found["beibei/air"].url)
        assert one.get(found["beibei/air"].url).bytes == len(CSV)
    assert partner.requests[0].header("authorization") == f"Bearer {KEY}"


def robot(partner: Partner) -> Reach:
    return Reach.of(partner.url(), (), ("127.0.0.0/8",))


def test_a_message_is_posted_and_its_answer_read(partner):
    partner.script("/robot", answer('{"errcode": 0, "errmsg": "好"}'.encode(), Content_Type="application/json"))
    told = post_json(partner.url("/robot?key=geheim"), {"text": "夜间同步"}, reach=robot(partner))
    assert told == (200, {"errcode": 0, "errmsg": "好"})
    request = partner.requests[0]
    assert (request.method, request.query) == ("POST", "key=geheim") and "夜间同步".encode() in request.body
    assert request.header("content-type").startswith("application/json")


@pytest.mark.parametrize("body", [b"ok", b"[1]", b"", b"\xff", b"[" * 60000])
def test_an_answer_that_is_no_object_is_an_empty_one(partner, body):
    partner.script("/robot", answer(body, "200 OK"))
    assert post_json(partner.url("/robot"), {}, reach=robot(partner)) == (200, {})


def test_a_message_that_cannot_be_delivered_does_not_show_its_address(partner, caplog):
    caplog.set_level(logging.DEBUG)
    partner.script("/robot", silent(5))
    partner.script("/much", answer(bytes(200_000)))
    began = time.monotonic()
    for path, kind in (("/robot", FetchError), ("/much", AnswerTooLarge)):
        with pytest.raises(kind) as error:
            post_json(partner.url(f"{path}?key=geheim"), {}, reach=robot(partner), seconds=0.5)
        assert "geheim" not in f"{error.value}{caplog.text}"
    assert time.monotonic() - began < 4
    with pytest.raises(AddressRefused) as refused:
        post_json("http://oapi.dingtalk.com/robot/send?access_token=geheim", {}, reach=Reach(frozenset()))
    assert "geheim" not in str(refused.value)
    assert post_json(partner.url("/missing"), {}, reach=robot(partner))[0] == 404
