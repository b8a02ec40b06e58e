"""How the interface for programs behaves whatever is asked: its document, its one error shape, keys, rates, ETags."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from portal_api import DOCUMENT, fits, issued, program, program_of
from portal_web import LOCAL
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from portal.access import accounts
from portal.web.app import ROUTES
from portal.web.asking import PUBLIC, csrf_token
from portal.web.openapi import document, operation_id
from portal.web.rate import Buckets
from schemas.api_rules import Rate, api_rules
from schemas.files import SCHEMAS, MalformedFact
from schemas.permissions import permissions

API = [route for route in ROUTES if route.path.startswith("/api/")]
SHAPE = {"code", "message", "message_en", "number"}


# -- the document ---------------------------------------------------------------------------------------------


def test_the_document_is_openapi_3_1():
    assert DOCUMENT["openapi"] == "3.1.0"
    assert [str(error) for error in OPENAPI_31_VALIDATOR.iter_errors(DOCUMENT)] == []


def test_every_address_for_programs_stands_in_the_document_and_no_other():
    assert all(route.doc is not None and route.path.startswith("/api/v1/") for route in API)
    assert {(path, method.upper()) for path, item in DOCUMENT["paths"].items() for method in item} == {
        (route.path, route.method) for route in API
    }
    names = [operation_id(route) for route in API]
    assert len(set(names)) == len(names)


def test_what_opens_an_address_is_told_as_the_guard_has_it():
    for route in API:
        told = DOCUMENT["paths"][route.path][route.method.lower()]
        if route.permission == PUBLIC:
            assert told["security"] == [] and "401" not in told["responses"]
            continue
        wanted = permissions()[route.permission]
        assert ({"key": []} in told["security"]) is wanted.key and told["x-permission"] == route.permission
        assert {"401", "403", "429"} <= set(told["responses"])
        assert any("session" in one and ("csrf" in one) is (route.method == "POST") for one in told["security"])


def test_everybody_may_read_the_document(town):
    told = program(town).get("/api/v1/openapi.json")
    assert fits(told, "get", "/openapi.json") == json.loads(json.dumps(DOCUMENT))
    assert document([], secure=True)["components"]["securitySchemes"]["session"]["name"].startswith("__Host-")


def test_what_did_not_change_is_not_sent_again(town):
    asks = program(town)
    first = asks.get("/api/v1/openapi.json")
    mark = first.headers["etag"]
    for said in (mark, mark.removeprefix("W/"), f'"x", {mark}', "*"):
        again = asks.get("/api/v1/openapi.json", headers={"if-none-match": said})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", mark)
    for said in ('"x"', "", mark[:-2]):
        assert asks.get("/api/v1/openapi.json", headers={"if-none-match": said}).status_code == 200


# -- one shape of errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v1/nowhere", 404, "not-found"),
        ("GET", "/api/v2/me", 404, "not-found"),
        ("GET", "/api/", 404, "not-found"),
        ("GET", "/api/v1/me/", 404, "not-found"),
        ("PUT", "/api/v1/me", 405, "wrong-method"),
        ("DELETE", "/api/v1/board", 405, "wrong-method"),
        ("OPTIONS", "/api/v1/openapi.json", 405, "wrong-method"),
        ("GET", "/api/v1/board?days=0", 422, "wrong-parameter"),
        ("GET", "/api/v1/board?days=1.5", 422, "wrong-parameter"),
        ("GET", "/api/v1/board?until=2026-02-30", 422, "wrong-parameter"),
        ("GET", "/api/v1/board?until=20260214", 422, "wrong-parameter"),
        ("GET", "/api/v1/board?until=9999-12-31", 422, "wrong-parameter"),
        ("GET", "/api/v1/me?" + "a" * 5000, 414, "too-long"),
        ("GET", "/api/v1/me?" + "&".join(f"a{n}=" for n in range(50)), 400, "bad-request"),
    ],
)
def test_every_error_has_the_one_shape(town, method, path, status, code):
    told = program_of(town, "beibei", "uploader").request(method, path)
    assert told.status_code == status and told.headers["content-type"] == "application/json"
    assert set(told.json()) == {"error"} and set(told.json()["error"]) == SHAPE
    assert told.json()["error"]["code"] == code
    assert ("allow" in told.headers) is (status == 405)


def test_a_method_that_is_not_taken_is_told_which_are(town):
    for route in API:
        if "{" not in route.path:
            told = program(town).request("PATCH", route.path)
            both = {one.method for one in API if one.path == route.path}
            assert set(told.headers["allow"].split(", ")) == both | ({"HEAD"} if "GET" in both else set())


# -- who asks -------------------------------------------------------------------------------------------------


def test_a_key_says_whose_it_is_and_what_it_may(town):
    told = fits(program_of(town, "mianyang", "uploader", "board.read", "batch.read").get("/api/v1/me"), "get", "/me")
    assert told["bureau"] == "mianyang" and told["kind"] == "key" and told["scopes"] == ["batch.read", "board.read"]
    assert told["second_factor"] is False


def test_a_key_dies_with_the_account(town):
    """AUT-13."""
    person = town.person("beibei", "uploader", login="goes-away")
    asks = program(town, issued(town, person).text)
    assert asks.get("/api/v1/me").status_code == 200
    accounts.disable(town.gate, "goes-away", "tests", town.clock.at)
    assert asks.get("/api/v1/me").status_code == 401


@pytest.mark.parametrize(
    "said", ["Bearer", "Bearer gz_0_0", "Basic eDp5", "gz_", "Bearer  ", "Bearer \u00e9", "Bearer " + "x" * 900]
)
def test_a_key_that_is_none_is_refused_although_a_session_is_there(town, said):
    """What names itself a program is judged as one: a cookie beside a bad key opens nothing."""
    browser = town.browser(town.session(town.people["beibei", "uploader"]))
    told = browser.client.get("/api/v1/me", headers={"authorization": said.encode("latin-1")})
    assert told.status_code == 401 and told.json()["error"]["code"] == "not-signed-in"


def test_a_session_asks_too(town):
    told = fits(town.browser(town.session(town.people["beibei", "uploader"])).get("/api/v1/me"), "get", "/me")
    assert told["kind"] == "session" and told["scopes"] == []


def test_a_key_opens_no_page(town):
    told = program_of(town, "beibei", "uploader").get("/batches")
    assert told.status_code == 303 and told.headers["location"].startswith("/login")


# -- how often ------------------------------------------------------------------------------------------------

NOON = datetime(2026, 4, 9, 4, tzinfo=UTC)


def test_a_bucket_gives_what_it_holds_and_fills_up_again():
    kept, rate = Buckets(10), Rate(3, 60)
    assert [kept.take("g", "a", rate, NOON).ok for _ in range(4)] == [True, True, True, False]
    refused = kept.take("g", "a", rate, NOON)
    assert (refused.left, refused.wait, refused.full) == (0, 20, 60)
    assert refused.headers["retry-after"] == "20"
    assert not kept.take("g", "a", rate, NOON + timedelta(seconds=19)).ok
    assert kept.take("g", "a", rate, NOON + timedelta(seconds=20)).ok
    assert kept.take("g", "a", rate, NOON + timedelta(seconds=300)).left == 2


def test_buckets_do_not_share_and_a_clock_put_back_fills_nothing():
    kept, rate = Buckets(10), Rate(1, 60)
    assert (
        kept.take("g", "a", rate, NOON).ok and kept.take("g", "b", rate, NOON).ok and kept.take("h", "a", rate, NOON).ok
    )
    assert not kept.take("g", "a", rate, NOON - timedelta(hours=9)).ok
    assert not kept.take("g", "a", rate, NOON + timedelta(seconds=30)).ok


def test_no_more_buckets_are_kept_than_there_may_be():
    kept, rate = Buckets(100), Rate(5, 60)
    for n in range(1000):
        kept.take("g", f"address:{n}", rate, NOON)
    assert len(kept) == 100


def test_who_asks_too_often_must_wait_and_others_need_not(town, clock):
    most = api_rules().rates["general"]["key"].most
    asks, other = (program_of(town, bureau, "uploader") for bureau in ("beibei", "mianyang"))
    seen = [asks.get("/api/v1/me") for _ in range(most)]
    assert {one.status_code for one in seen} == {200}
    assert [int(seen[n].headers["ratelimit-remaining"]) for n in (0, -1)] == [most - 1, 0]
    told = asks.get("/api/v1/me")
    assert fits(told, "get", "/me")["error"]["code"] == "too-many" and told.status_code == 429
    assert int(told.headers["retry-after"]) >= 1 and other.get("/api/v1/me").status_code == 200
    clock.at += timedelta(seconds=int(told.headers["retry-after"]))
    assert asks.get("/api/v1/me").status_code == 200


def test_an_error_costs_as_much_as_an_answer(town):
    asks = program_of(town, "beibei", "auditor")
    left = [int(asks.get("/api/v1/board?days=none").headers["ratelimit-remaining"]) for _ in range(3)]
    assert left == [left[0], left[0] - 1, left[0] - 2]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("key = { most = 600,", "key = { most = 0,"), ("most = 20000", 'most = "many"'), ("days = 10", "days = 100"),
        ("entries = 50", "entries = 50\nentry = 1"), ("[callers]", "[strangers]"), ("seconds = 60", "second = 60"),
    ],
)  # fmt: skip
def test_malformed_figures_do_not_start(tmp_path: Path, old, new):
    text = (SCHEMAS / "api_rules.toml").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "api_rules.toml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(MalformedFact):
        api_rules(tmp_path)


# -- the board ------------------------------------------------------------------------------------------------


def test_the_board_has_both_bureaus_and_as_many_days_as_asked(town):
    asks = program_of(town, "beibei", "uploader")
    told = fits(asks.get("/api/v1/board?days=3"), "get", "/board")
    assert len({cell["day"] for cell in told["cells"]}) == 3
    assert {cell["bureau"] for cell in told["cells"]} >= {"beibei", "mianyang"}
    assert fits(asks.get("/api/v1/board?until=2026-04-08&days=1"), "get", "/board")["until"] == "2026-04-08"


def test_alarms_are_those_of_the_own_bureau_and_of_the_exchange(town):
    for bureau in ("beibei", "mianyang"):
        told = fits(program_of(town, bureau, "reviewer").get("/api/v1/alarms"), "get", "/alarms")
        assert {one["bureau"] for one in told["alarms"]} <= {"", bureau} and told["alarms"]


def test_a_form_of_another_site_does_nothing(town):
    """A session's POST needs the page's token also here; a key needs none."""
    browser = town.browser(town.session(town.people["beibei", "inspector"]))
    for path in (route.path for route in API if route.method == "POST" and route.permission == "credit.screen"):
        for headers in ({}, {"origin": "https://evil.example"}, {"origin": LOCAL}):
            told = browser.client.post(path, json={}, headers=headers)
            assert told.status_code == 403 and told.json()["error"]["code"] in ("cross-site", "stale-form")
        right = {"origin": LOCAL, "x-csrf-token": csrf_token(browser.token)}
        assert browser.client.post(path, json={}, headers=right).status_code == 422
