"""Handing files in by program: once, whatever is repeated; states and findings; receipts; nothing of the other bureau."""

from __future__ import annotations

import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from urllib.parse import quote

import pandas as pd
import pytest
from portal_api import fits, issued, program, program_of
from portal_home import DELIVERIES
from portal_web import LOCAL, open_town, people_of

from portal.filing import open_desk, work_off
from portal.home import make_home
from portal.settings import read_settings
from portal.web.asking import csrf_token
from records.batch_pages import Wanted, batch_page
from records.filings import WantedFilings, filings
from records.keys import KeyRing, sign_document
from records.receipts import verify_receipt
from schemas.filing_rules import filing_rules

GOOD = DELIVERIES / "mianyang" / "空气小时值_20260409.csv"
FAULTY = DELIVERIES / "mianyang" / "空气小时值_20260406.csv"
BATCH, FINDINGS, RECEIPT = "/batches/{number}", "/batches/{number}/findings", "/receipts/{number}"


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    """A portal of these tests alone: nothing was handed in yet."""
    from portal_home import MORNING

    places = read_settings({}).places(tmp_path_factory.mktemp("api") / "home")
    list(make_home(places, MORNING))
    opened = open_town(places)
    people_of(opened)
    yield opened
    opened.records.close()


@pytest.fixture
def asks(port):
    return program_of(port, "mianyang", "uploader")


numbers = itertools.count(1)


def good():
    """A file nobody handed in before: the same rows, with more blank lines at its end."""
    return GOOD.read_bytes() + b"\n" * next(numbers)


@pytest.fixture(scope="module")
def done(port):
    """A delivery that was handed in and published."""
    asks = program_of(port, "mianyang", "uploader")
    sent = send(asks, good()).json()
    work(port)
    told = fits(asks.get(sent["links"]["self"]), "get", BATCH)
    assert told["state"] == "published", told
    return told


def send(asks, content, name="空气小时值.csv", key="", path="/api/v1/batches", **asked):
    headers = {"content-type": "application/octet-stream"} | ({"idempotency-key": key} if key else {})
    asked = {"name": name} | asked
    tail = "&".join(f"{field}={quote(value)}" for field, value in asked.items())
    return asks.post(f"{path}?{tail}", content=content, headers=headers)


def work(port):
    work_off(open_desk(port.places, port.records), port.clock)


def test_a_file_is_handed_in_and_published(port, asks):
    told = send(asks, good(), GOOD.name)
    sent = fits(told, "post", "/batches")
    assert told.status_code == 202 and sent["state"] == "queued" and sent["place"] == 1 and not sent["ended"]
    assert told.headers["location"] == f"/api/v1/batches/{sent['filing']}" and sent["file_name"] == GOOD.name
    assert asks.get(f"/api/v1/receipts/{sent['filing']}").status_code == 409
    work(port)
    done = fits(asks.get(told.headers["location"]), "get", BATCH)
    assert (done["state"], done["ended"], done["dataset"]) == ("published", True, "air")
    assert done["rows"]["read"] > 0 and done["results"]["published"] > 0
    for number in (done["receipt"], done["batch"], done["filing"]):
        assert fits(asks.get(f"/api/v1/batches/{number}"), "get", BATCH) == done
    receipt = asks.get(done["links"]["receipt"])
    assert fits(receipt, "get", RECEIPT)["number"] == done["receipt"]
    assert verify_receipt(receipt.content).ok  # byte for byte as it was signed
    again = asks.get(done["links"]["receipt"], headers={"if-none-match": receipt.headers["etag"]})
    assert again.status_code == 304


def test_findings_come_in_pages_and_are_those_that_were_kept(port, asks):
    sent = send(asks, FAULTY.read_bytes() + b"\n" + FAULTY.read_bytes().splitlines()[5], FAULTY.name).json()
    work(port)
    done = fits(asks.get(sent["links"]["self"]), "get", BATCH)
    assert done["ended"] and done["findings"]["total"] > 1
    kept = pd.read_parquet(port.places.batches / done["batch"] / "findings.parquet")
    found, path = [], f"{sent['links']['findings']}?limit=1"
    while path:
        told = fits(asks.get(path), "get", FINDINGS)
        assert told["total"] == len(kept) and len(told["findings"]) == 1
        found, path = found + told["findings"], told["next"]
    assert [(one["rule"], one["row"], one["column"]) for one in found] == [
        (rule, row, column or None) if column is not None else (rule, row, None)
        for rule, row, column in zip(kept["rule"], kept["row"], kept["column"], strict=True)
    ]
    severity = found[0]["severity"]
    chosen = fits(asks.get(f"{sent['links']['findings']}?severity={severity}&rule={found[0]['rule']}"), "get", FINDINGS)
    assert chosen["total"] == sum((one["severity"], one["rule"]) == (severity, found[0]["rule"]) for one in found)


def test_a_check_keeps_nothing(port, asks):
    content = good()
    before = batch_page(port.records, Wanted("mianyang"), 0, 1).total
    for path, asked in (("/api/v1/checks", {}), ("/api/v1/batches", {"check": "true"})):
        sent = fits(send(asks, content, path=path, **asked), "post", path.removeprefix("/api/v1"))
        work(port)
        done = fits(asks.get(sent["links"]["self"]), "get", BATCH)
        assert (done["purpose"], done["state"], done["ended"], done["awaits_a_person"]) == (
            "check",
            "checked",
            True,
            False,
        )
        fits(asks.get(done["links"]["findings"]), "get", FINDINGS)
        assert asks.get(f"/api/v1/receipts/{done['filing']}").status_code == 409
    assert batch_page(port.records, Wanted("mianyang"), 0, 1).total == before


def test_what_nobody_can_read_is_refused_with_words(port, asks):
    sent = send(asks, "甲,乙\n1,2\n".encode(), "别的.csv").json()
    work(port)
    done = fits(asks.get(sent["links"]["self"]), "get", BATCH)
    assert (done["state"], done["ended"]) == ("refused", True) and done["error"]["message"]


@pytest.mark.parametrize(
    ("content", "name", "status"),
    [
        (b"", "a.csv", 422), (b"MZ\x90\x00" + b"x" * 5000, "a.csv", 422), (b"%PDF-1.7 " + b"x" * 50, "a.xlsx", 422),
        (b"a,b\n1,2\n", "a.exe", 422),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused_before_anybody_looks_at_it(asks, content, name, status):
    told = send(asks, content, name)
    assert told.status_code == status, told.text
    fits(told, "post", "/batches")


@pytest.mark.parametrize(
    "asked",
    [
        {"dataset": "gold"},
        {"check": "yes"},
        {"period": "April"},
        {"corrects": "Rnone", "reason": "x"},
        {"corrects": "Rnone"},
        {"dataset": "experts"},
    ],
)
def test_a_wrong_wish_is_refused(asks, asked):
    told = send(asks, b"a,b\n1,2\n", **asked)
    assert told.status_code == 422, told.text
    fits(told, "post", "/batches")


def test_two_files_in_one_request_are_refused_and_not_kept(port, asks):
    files = [("a", ("a.csv", b"a,b\n1,2\n")), ("b", ("b.csv", b"a,b\n1,2\n"))]
    before = filings(port.records, WantedFilings("mianyang"), 0, 1).total
    told = asks.post("/api/v1/batches", files=files)
    assert fits(told, "post", "/batches")["error"]["code"] == "one-file" and told.status_code == 422
    assert filings(port.records, WantedFilings("mianyang"), 0, 1).total == before
    assert not [path for path in (port.places.home / "drafts" / "incoming").rglob("*") if path.is_file()]


def test_more_bytes_than_a_file_may_have_are_not_read(port, asks):
    most = filing_rules().limits.file_bytes
    told = asks.post(
        "/api/v1/batches?name=a.csv",
        content=b"a,b\n",
        headers={"content-type": "text/csv", "content-length": str(most + 1)},
    )
    assert fits(told, "post", "/batches")["error"]["code"] == "too-large" and told.status_code == 413
    assert told.headers["connection"] == "close"


# -- once -----------------------------------------------------------------------------------------------------


def test_the_same_key_gives_the_same_answer_and_other_bytes_none(port, asks):
    content = good()
    first = send(asks, content, key="night-1").json()
    assert send(asks, content, key="night-1").json()["filing"] == first["filing"]
    other = send(asks, FAULTY.read_bytes() + b"\n\n\n", key="night-1")
    assert other.status_code == 409 and fits(other, "post", "/batches")["error"]["code"] == "key-used"
    work(port)
    again = fits(send(asks, content, key="night-1"), "post", "/batches")
    assert again["filing"] == first["filing"] and again["state"] in ("published", "repeated")
    colleague = program_of(port, "beibei", "uploader")
    assert send(colleague, FAULTY.read_bytes(), key="night-1").json()["filing"] != first["filing"]


@pytest.mark.parametrize("key", ["k" * 201, "\u00e9"])
def test_a_key_that_cannot_be_one_is_refused(asks, key):
    headers = {"idempotency-key": key.encode("latin-1"), "content-type": "text/csv"}
    told = asks.post("/api/v1/batches?name=a.csv", content=b"a,b\n1,2\n", headers=headers)
    assert fits(told, "post", "/batches")["error"]["code"] == "wrong-parameter"


def test_a_hundred_repeats_at_once_make_one_batch(port):
    """With a key and without one: the same bytes are the same filing until they are handed in."""
    content = good()
    person = port.people["mianyang", "uploader"]
    keys = [issued(port, person).text for _ in range(10)]
    before = batch_page(port.records, Wanted("mianyang"), 0, 1).total

    def once(n):
        told = send(program(port, keys[n % 10]), content, key="storm")
        while told.status_code == 429:  # more than a few at once: as a program does, it comes again
            assert told.json()["error"]["code"] == "uploads-at-once"
            told = send(program(port, keys[n % 10]), content, key="storm")
        return told

    with ThreadPoolExecutor(8) as crowd:
        told = list(crowd.map(once, range(100)))
    assert {one.status_code for one in told} == {202} and len({one.json()["filing"] for one in told}) == 1
    work(port)
    done = program(port, keys[0]).get(told[0].headers["location"]).json()
    assert done["state"] == "published", done
    assert batch_page(port.records, Wanted("mianyang"), 0, 1).total == before + 1
    assert filings(port.records, WantedFilings("mianyang", text=told[0].json()["filing"]), 0, 10).total == 1


# -- whose ----------------------------------------------------------------------------------------------------


def test_a_bureau_named_by_the_program_changes_nothing(port, asks):
    """AUZ-03."""
    sent = send(asks, good(), bureau="beibei").json()
    assert sent["bureau"] == "mianyang" and sent["submitted_by"] == "uploader-mianyang"


def test_lists_and_numbers_of_one_bureau_are_nothing_to_the_other(port, asks, done):
    other = program_of(port, "beibei", "reviewer")
    mine = fits(asks.get("/api/v1/filings?limit=500"), "get", "/filings")["filings"]
    assert mine and {one["bureau"] for one in mine} == {"mianyang"}
    assert "mianyang" not in other.get("/api/v1/filings?bureau=mianyang").text
    assert "mianyang" not in other.get("/api/v1/batches?bureau=mianyang&limit=500").text
    for one in mine[:3]:
        for number in filter(None, (one["filing"], one["receipt"], one["batch"])):
            for path in (f"/batches/{number}", f"/batches/{number}/findings", f"/receipts/{number}"):
                told = other.get(f"/api/v1{path}")
                assert told.status_code == 404 and told.json()["error"]["code"] == "not-found"


@pytest.mark.parametrize(
    "number", ["nowhere", "F", "F" + "A" * 26, "F%00", "%00", "R" * 500, "..", "b-20260101-000000000000"]
)
def test_what_does_not_exist_is_not_found(asks, number):
    for path in ("/batches/{}", "/batches/{}/findings", "/receipts/{}"):
        told = asks.get(f"/api/v1{path.format(number)}")
        assert told.status_code == 404 and told.json()["error"]["code"] == "not-found"


def test_deliveries_come_in_pages_that_new_ones_do_not_shift(port, asks, done):
    port.clock.at += timedelta(seconds=1)
    send(asks, good())
    work(port)
    whole = fits(asks.get("/api/v1/batches?limit=500"), "get", "/batches")
    assert whole["next"] is None and len(whole["batches"]) >= 2
    found, path = [], "/api/v1/batches?limit=1"
    while path:
        told = fits(asks.get(path), "get", "/batches")
        found, path = found + told["batches"], told["next"]
        if len(found) == 1:  # one comes in between two pages
            port.clock.at += timedelta(seconds=1)
            send(asks, good())
            work(port)
    assert [one["receipt"] for one in found] == [one["receipt"] for one in whole["batches"]]
    refused = fits(asks.get("/api/v1/batches?state=refused"), "get", "/batches")["batches"]
    assert {one["state"] for one in refused} <= {"refused"}
    for wrong in ("cursor=x", "cursor=WyJ4IiwieSJd", "state=none", "limit=501", "limit=x"):
        assert asks.get(f"/api/v1/batches?{wrong}").json()["error"]["code"] == "wrong-parameter"


@pytest.mark.parametrize(
    ("scopes", "path", "asked"),
    [
        (("batch.read", "batch.check"), "/api/v1/batches", {}),
        (("batch.read", "batch.submit"), "/api/v1/batches", {"check": "true"}),
        (("batch.read", "batch.submit"), "/api/v1/checks", {}),
        (("batch.submit", "batch.check"), "/api/v1/batches", {"corrects": "Rx", "reason": "x"}),
    ],
)
def test_a_key_with_fewer_scopes_hands_nothing_in(port, scopes, path, asked):
    told = send(program_of(port, "mianyang", "uploader", *scopes), b"a,b\n1,2\n", path=path, **asked)
    assert told.status_code == 403 and told.json()["error"]["code"] == "forbidden"


def test_a_session_hands_in_with_the_token_of_its_page_only(port):
    browser = port.browser(port.session(port.people["mianyang", "uploader"]))
    headers = {"origin": LOCAL, "content-type": "text/csv"}
    path = "/api/v1/batches?name=a.csv"
    for more in ({}, {"x-csrf-token": "0" * 64}):
        told = browser.client.post(path, content=b"a,b\n", headers=headers | more)
        assert told.status_code == 403 and told.json()["error"]["code"] == "stale-form"
    right = headers | {"x-csrf-token": csrf_token(browser.token)}
    assert browser.client.post(path, content=b"a,b\n1,2\n", headers=right).status_code == 202
    assert (
        browser.client.post(path, content=b"a,b\n1,2\n", headers=right | {"origin": "https://evil.example"}).status_code
        == 403
    )


# -- receipts of others ---------------------------------------------------------------------------------------

VERIFY = "/verify/receipt"


def verified(port, document):
    body, kind = json.dumps(document), {"content-type": "application/json"}  # half a character pair as its escape
    return fits(program(port).post(f"/api/v1{VERIFY}", content=body, headers=kind), "post", VERIFY)


def test_everybody_may_have_a_receipt_checked(port, asks, done):
    number = done["receipt"]
    document = asks.get(f"/api/v1/receipts/{number}").json()
    told = verified(port, document)
    assert (told["valid"], told["trusted"], told["on_chain"], told["number"]) == (True, True, True, number)
    assert verified(port, document | {"bytes": 1})["valid"] is False
    assert verified(port, document | {"number": "\ud800"})["valid"] is False


def test_a_receipt_we_signed_but_never_gave_out_is_not_valid(port, asks, done):
    """The signature alone is not believed: its event must stand on the chain."""
    document = asks.get(done["links"]["receipt"]).json()
    bare = {
        name: value
        for name, value in document.items()
        if name not in ("signature", "algorithm", "key_id", "public_key")
    }
    forged = sign_document(bare | {"chain": bare["chain"] | {"seq": 1}}, KeyRing.open(port.places.keys).current())
    told = verified(port, forged)
    assert (told["valid"], told["trusted"], told["on_chain"]) == (False, True, False)


@pytest.mark.parametrize(
    "document",
    [
        {}, {"document": "gongzhi-receipt/1"}, {"document": "gongzhi-receipt/1", "signature": "00", "public_key": "\ud800", "algorithm": "Ed25519"},
        {"document": ["gongzhi-receipt/1"], "number": {}, "chain": None},
    ],
)  # fmt: skip
def test_what_is_no_receipt_is_told_to_be_none(port, document):
    assert verified(port, document)["valid"] is False


def test_a_receipt_nested_without_end_breaks_nothing(port):
    for depth in (100, 900, 3000, 20_000):
        told = program(port).post(
            f"/api/v1{VERIFY}",
            content=b'{"document":"gongzhi-receipt/1","signature":"00","public_key":"00","algorithm":"Ed25519","a":'
            + b"[" * depth
            + b"]" * depth
            + b"}",
            headers={"content-type": "application/json"},
        )
        assert told.status_code in (200, 400), (depth, told.text)
    assert program(port).post(f"/api/v1{VERIFY}", json=[1]).status_code == 422
    big = json.dumps({"a": "x" * 70_000}).encode()
    assert (
        program(port).post(f"/api/v1{VERIFY}", content=big, headers={"content-type": "application/json"}).status_code
        == 413
    )
    assert (
        program(port).post(f"/api/v1{VERIFY}", content=b"{}", headers={"content-type": "text/plain"}).status_code == 415
    )
