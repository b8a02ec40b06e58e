"""Credit asked by programs: a code gives the answer, a name candidates, a list its lines; every use is kept."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import urlencode

import pytest
from portal_api import fits, issued, program, program_of

from portal.web.api.credit import MOST_LINES
from portal.web.credit import standing
from records.credit import accesses
from schemas.trace_limits import trace_limits

LOOKUP, SEARCH, SCREEN = "/credit/lookup", "/credit/search", "/credit/screen"
CODE = "91510703MAYY00018W"
"""Rated by both bureaus in the examples."""


@pytest.fixture(scope="module", autouse=True)
def register(town):
    """The register of the deliveries, as the keeper beside the pages has it."""
    town.app.state.site.once(standing.open_register).keep_up(town.clock.at)


@pytest.fixture
def asks(town):
    return program_of(town, "beibei", "inspector")


def get(asks, path, **asked):
    return asks.get(f"/api/v1{path}?{urlencode({name: value for name, value in asked.items() if value})}")


def traced(town, login="inspector-beibei"):
    return [one for one in accesses(town.records) if one.user == login]


def test_a_code_gives_what_both_bureaus_have(town, asks):
    before = len(traced(town))
    told = fits(get(asks, LOOKUP, code=CODE, purpose="pre-inspection", plan="渝检2026-7"), "get", LOOKUP)
    assert told["document"] == "gongzhi-credit-answer/1" and told["state"] == "found"
    assert {one["bureau"] for one in told["ratings"]["by_bureau"]} == {"beibei", "mianyang"} and told["ratings"][
        "lines"
    ]
    (kept,) = [one for one in traced(town) if one.access_id == told["query"]["id"]]
    assert len(traced(town)) == before + 1
    assert (kept.user, kept.purpose, kept.plan, kept.uscc) == ("inspector-beibei", "pre-inspection", "渝检2026-7", CODE)
    assert told["query"]["viewer"] == "beibei"


def test_a_name_opens_no_record_also_where_it_is_the_only_one(town, asks):
    name = fits(get(asks, LOOKUP, code=CODE, purpose="pre-inspection"), "get", LOOKUP)["identity"]["name"]
    told = fits(get(asks, LOOKUP, name=name, purpose="pre-inspection"), "get", LOOKUP)
    assert told["document"] == "gongzhi-credit-candidates/1"
    assert CODE in {one["uscc"] for one in told["candidates"]}
    assert not {"ratings", "penalties"} & set(told)


def test_the_bureau_is_that_of_the_key(town):
    other = program_of(town, "mianyang", "inspector")
    told = fits(
        get(other, LOOKUP, code=CODE, purpose="pre-inspection", unit="beibei", viewer="beibei", bureau="beibei"),
        "get",
        LOOKUP,
    )
    assert told["query"]["viewer"] == "mianyang" and told["query"]["user"] == "inspector-mianyang"


def test_candidates_are_listed_by_search(asks):
    told = fits(get(asks, SEARCH, q="涪滨", purpose="pre-inspection", limit=3), "get", SEARCH)
    assert 0 < len(told["candidates"]) <= 3
    assert fits(get(asks, SEARCH, q="不存在的名字啊", purpose="pre-inspection"), "get", SEARCH)["state"] in (
        "no_record",
        "candidates",
    )


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"code": CODE}, "incomplete-request"),
        ({"code": CODE, "purpose": "curiosity"}, "unknown-purpose"),
        ({"code": CODE, "purpose": "random-check"}, "incomplete-request"),
        ({"code": "91510703MAYY00018X", "purpose": "permit"}, "bad-code"),
        ({"purpose": "permit"}, "wrong-parameter"),
        ({"code": CODE, "name": "x", "purpose": "permit"}, "wrong-parameter"),
        ({"code": "四川示例涪滨包装有限公司", "purpose": "permit"}, "wrong-parameter"),
        ({"name": CODE, "purpose": "permit"}, "wrong-parameter"),
        ({"code": CODE, "purpose": "permit", "on": "2026-13-01"}, "wrong-parameter"),
        ({"code": CODE, "purpose": "permit", "known": "2099-01-01"}, "incomplete-request"),
        ({"name": "x" * 201, "purpose": "permit"}, "wrong-parameter"),
    ],
)
def test_what_is_missing_or_wrong_is_told_and_nothing_is_shown(asks, asked, code):
    told = get(asks, LOOKUP, **asked)
    assert fits(told, "get", LOOKUP)["error"]["code"] == code and told.status_code == 422


def test_a_list_is_screened_line_by_line(town, asks):
    lines = [CODE, "", "四川示例涪滨包装有限公司", "91510703MAYY00018X", "没有这家公司吧", CODE.lower()]
    body = {"lines": lines, "purpose": "random-check", "plan": "北碚抽〔2026〕4号", "name": "名单"}
    told = fits(asks.post(f"/api/v1{SCREEN}", json=body), "post", SCREEN)
    assert [one["status"] for one in told["lines"]][:2] == ["hit", "blank"] and len(told["lines"]) == len(lines)
    assert [one["line"] for one in told["lines"]] == [1, 2, 3, 4, 5, 6]
    assert (told["lines"][2]["status"], told["lines"][3]["status"], told["lines"][5]["status"]) == (
        "duplicate",
        "bad_code",
        "duplicate",
    )
    assert sum(told["counts"].values()) == len(lines) and told["lines"][0]["summary"]["ratings"]
    (kept,) = [one for one in traced(town) if one.access_id == told["screening"]]
    assert (kept.kind, kept.plan) == ("screen", "北碚抽〔2026〕4号")
    assert list((town.places.home / "credit" / "screenings").glob(f"*{told['screening']}*"))


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"lines": [CODE]}, "incomplete-request"),
        ({"lines": [], "purpose": "permit"}, "bad-list"),
        ({"lines": ["", " "], "purpose": "permit"}, "bad-list"),
        ({"lines": ["x"] * (MOST_LINES + 1), "purpose": "permit"}, "wrong-parameter"),
        ({"lines": ["x" * 201], "purpose": "permit"}, "wrong-parameter"),
        ({"lines": [1], "purpose": "permit"}, "wrong-parameter"),
        ({"lines": "x", "purpose": "permit"}, "wrong-parameter"),
        ({"lines": ["x"], "purpose": 5}, "wrong-parameter"),
        ({"lines": ["x"], "purpose": "permit", "on": "gestern"}, "wrong-parameter"),
        ([], "wrong-parameter"),
        (None, "wrong-parameter"),
    ],
)
def test_a_list_that_cannot_be_screened_is_refused(asks, body, code):
    told = asks.post(f"/api/v1{SCREEN}", content=json.dumps(body), headers={"content-type": "application/json"})
    assert fits(told, "post", SCREEN)["error"]["code"] == code and told.status_code == 422


@pytest.mark.parametrize(("scopes", "path"), [(("board.read", "credit.screen"), LOOKUP), (("credit.screen",), SEARCH)])
def test_a_key_for_lists_looks_nobody_up(town, scopes, path):
    told = get(program_of(town, "beibei", "inspector", *scopes), path, code=CODE, q=CODE, purpose="permit")
    assert told.status_code == 403


def test_an_uploader_s_key_never_reaches_credit(town):
    """AUZ-05."""
    asks = program_of(town, "beibei", "uploader")
    assert get(asks, LOOKUP, code=CODE, purpose="permit").status_code == 403
    assert asks.post(f"/api/v1{SCREEN}", json={"lines": [CODE], "purpose": "permit"}).status_code == 403


def test_a_program_reaches_the_limit_of_the_day(town, monkeypatch):
    """AUZ-12: pages and programs of one person count together."""
    few = {name: replace(one, value=2) if name == "daily-lookups" else one for name, one in trace_limits().items()}
    monkeypatch.setattr(standing, "trace_limits", lambda: few)
    asks = program(town, issued(town, town.person("beibei", "inspector", login="reads-on")).text)
    seen = [get(asks, LOOKUP, code=CODE, purpose="permit").status_code for _ in range(3)]
    assert seen == [200, 200, 429]
    refused = get(asks, LOOKUP, code=CODE, purpose="permit")
    assert fits(refused, "get", LOOKUP)["error"]["code"] == "daily-lookups"


def test_a_name_of_an_enterprise_is_text(asks):
    for q in ("' OR 1=1", "%", "_", "*", "AND OR NOT", 'a"b', "\\", "(", "+", "91*", "😀", "\u202e绵阳"):
        assert get(asks, SEARCH, q=q, purpose="permit").status_code in (200, 422)


def test_a_list_of_too_many_bytes_is_not_read(asks):
    body = json.dumps({"lines": ["x" * 200] * 12_000, "purpose": "permit"}).encode()
    told = asks.post(f"/api/v1{SCREEN}", content=body, headers={"content-type": "application/json"})
    assert fits(told, "post", SCREEN)["error"]["code"] == "too-large" and told.status_code == 413
