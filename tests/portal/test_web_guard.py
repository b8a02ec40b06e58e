"""What holds for every address: who may, what an answer carries, whose form it is; generated from the table itself."""

from __future__ import annotations

import itertools
import logging
import re
import socket
from typing import Any

import pytest
from portal_objects import address, delivery, nowhere, owned
from portal_web import BUREAUS, LOCAL, MARK, open_town, run
from starlette.responses import Response
from starlette.routing import Route as Address

from portal.web import app as web_app
from portal.web.app import ROUTES, UndeclaredRoute, check_routes
from portal.web.asking import PUBLIC, Ask, Route, csrf_token
from portal.web.errors import printable
from portal.web.guard import Guarded
from portal.web.security import HEADERS, LONGEST_ADDRESS
from records.batch_pages import Wanted, batch_page
from schemas.permissions import permissions, portal_roles

POSTS = [
    route for route in ROUTES if route.method == "POST" and not (route.permission == PUBLIC and route.takes == "json")
]
"""All that change something for somebody; what strangers' programs send as JSON acts for nobody."""
CLOSED = [route for route in ROUTES if route.permission != PUBLIC]
name = lambda route: f"{route.method} {route.path}"  # noqa: E731


batch_of = delivery


# -- the table ------------------------------------------------------------------------------------------------


def test_every_route_declares_a_permission_the_facts_know():
    assert {route.permission for route in ROUTES} <= {PUBLIC, *permissions()}
    assert {route.path for route in ROUTES if route.permission == PUBLIC} == {
        "/health/live", "/static/{mark}/{name}", "/login", "/public/draws", "/public/draws/verify_draw.py",
        "/public/draws/{draw}", "/public/draws/{draw}/draw.json",
        "/health/ready", "/metrics", "/login/oidc", "/login/oidc/return", "/verify/receipt",
        "/verify/slip", "/verify/slip/{slip}", "/api/v1/openapi.json", "/api/v1/verify/receipt",
    }  # fmt: skip


def test_what_runs_is_the_table_and_nothing_else(town):
    assert {(route.path, *(route.methods - {"HEAD"}), route.permission) for route in town.app.routes} == {
        (route.path, route.method, route.permission) for route in ROUTES
    }


@pytest.mark.parametrize("permission", ["", "everything"])
def test_a_route_without_a_known_permission_does_not_start(town, monkeypatch, permission):
    stray = Route("GET", "/stray", permission, lambda ask: Response())
    monkeypatch.setattr(web_app, "ROUTES", (*ROUTES, stray))
    with pytest.raises(UndeclaredRoute, match="/stray"):
        web_app.make_app(town.places, town.settings, town.clock)


def test_a_route_put_in_beside_the_table_does_not_start(town):
    opened = open_town(town.places)
    opened.app.router.routes.append(Address("/beside", lambda request: Response()))
    with pytest.raises(UndeclaredRoute, match="/beside"):
        check_routes(opened.app)

    async def start() -> None:
        async with opened.app.router.lifespan_context(opened.app):
            pass

    with pytest.raises(UndeclaredRoute, match="/beside"):
        run(start())
    opened.records.close()


# -- who may --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", CLOSED, ids=name)
def test_nobody_comes_in_without_signing_in(town, route):
    """AUZ-10: an address alone opens nothing."""
    browser = town.browser()
    if route.method == "POST":
        told = browser.post(nowhere(route))
        assert told.status_code == 401 and "Set-Cookie" not in told.headers
    elif route.path.startswith("/api/"):
        told = browser.get(nowhere(route))
        assert told.status_code == 401 and told.json()["error"]["code"] == "not-signed-in"
    else:
        told = browser.get(nowhere(route))
        assert told.status_code == 303 and told.headers["location"].startswith("/login")


MATRIX = list(itertools.product(CLOSED, portal_roles(), BUREAUS))
REACHED = {200, 303, 400, 409, 422}
"""What an address answers to somebody who may: a page, the next one, or what is missing in the question."""


def code_in(told: Any) -> str:
    """The code of a refusal, on a page or in JSON."""
    if "json" in told.headers["content-type"]:
        return told.json()["error"]["code"]
    found = re.search(r"· \d{3} <code>([a-z-]+)<", told.text)
    return found[1] if found else ""


@pytest.mark.parametrize("factor", [False, True], ids=["password", "second-factor"])
def test_the_matrix_of_routes_roles_bureaus_and_objects_holds_no_surprise(town, factor):
    """AUZ-02, AUZ-05: own and foreign objects, each role of each bureau, each route of the table."""
    wrong, seen = [], 0
    things = {(route.path, bureau): address(town, route, bureau) for route in CLOSED for bureau in BUREAUS}
    tokens = {key: town.session(person, second_factor=factor) for key, person in town.people.items()}
    for route, role, bureau in MATRIX:
        wanted = permissions()[route.permission]
        may = role in wanted.roles and (factor or not wanted.second_factor)
        browser = town.browser(tokens[bureau, role])
        for owner in BUREAUS if owned(route) else (bureau,):
            path, seen = things[route.path, owner], seen + 1
            if not may:
                told = browser.get(path) if route.method == "GET" else browser.post(path, csrf="wrong")
                surprise = told.status_code != 403 or code_in(told) == "stale-form"
            elif owner != bureau:
                told = browser.get(path) if route.method == "GET" else send(browser, route, path)
                surprise = told.status_code != 404
            elif route.method == "GET":
                told = browser.get(path)
                surprise = told.status_code not in REACHED
            else:  # with a wrong token whoever may gets as far as the form, and no further
                told = browser.post(path, csrf="wrong")
                surprise = told.status_code != 403 or code_in(told) != "stale-form"
            if surprise:
                wrong.append((name(route), role, bureau, owner, told.status_code))
    assert not wrong
    assert seen == (len(CLOSED) + sum(map(owned, CLOSED))) * len(portal_roles()) * len(BUREAUS)


def send(browser: Any, route: Route, path: str) -> Any:
    """Send an empty form, or nothing at all, as a page of ours would."""
    if route.takes == "form":
        return browser.post(path)
    headers = {"origin": LOCAL, "x-csrf-token": csrf_token(browser.token)}
    if route.takes == "json":
        return browser.client.post(path, json={}, headers=headers)
    return browser.client.post(path, content=b"", headers=headers | {"content-type": "application/octet-stream"})


def test_a_bureau_named_by_the_caller_changes_nothing(town):
    """AUZ-03."""
    foreign = batch_of(town, "mianyang")
    browser = town.browser(town.session(town.people["beibei", "uploader"]))
    headers = {"x-bureau": "mianyang", "x-original-url": "/login", "x-http-method-override": "POST"}
    assert browser.get(f"/batches/{foreign}?bureau=mianyang", headers=headers).status_code == 404
    listed = browser.get("/batches?bureau=mianyang&q=Rmianyang", headers=headers)
    assert foreign not in listed.text and "共 0 条" in listed.text


def test_lists_counts_and_searches_know_nothing_of_the_other_bureau(town):
    """AUZ-06: neither rows nor counts."""
    browser = town.browser(town.session(town.people["beibei", "reviewer"]))
    own = batch_page(town.records, Wanted("beibei"), 0, 100)
    for path in ("/", "/batches", "/batches?q=%25", "/batches?q=_", "/batches?state=refused"):
        assert "Rmianyang" not in browser.get(path).text
    assert own.total == 3 and f"共 {own.total} 条" in browser.get("/batches").text


@pytest.mark.parametrize(
    "path",
    [
        "/batches/", "//batches", "/Batches", "/BATCHES/{0}", "/batches/{0}/", "/batches//{0}", "/batches/%2e%2e/{0}",
        "/batches/../batches/{0}", "/batches%2f{0}", "/batches/{0}%2freceipt.json", "/batches/{0}/receipt.json/x",
        "/static/../../settings.py", "/static/%2e%2e%2f%2e%2e/app.py", "/static/0/%2e%2e%2fapp.py", "/static/0/app.css",
        "/static/0/vendored.toml", "/docs", "/openapi.json", "/redoc", "/api/v1/nowhere",
    ],
)  # fmt: skip
def test_another_spelling_of_an_address_opens_nothing_more(town, path):
    """AUZ-14, WEB-11."""
    path = path.format(batch_of(town, "beibei"))
    told = town.browser().get(path)  # as a stranger: what exists sends him to the login, the rest is not there
    assert told.status_code in (303, 404) and "import" not in told.text
    assert told.status_code == 404 or told.headers["location"].startswith("/login")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "PROPFIND", "GETX"])
def test_no_other_method_is_taken(town, method):
    browser = town.browser(town.session(town.people["beibei", "uploader"]))
    for path in ("/", "/batches", "/login", "/account/password"):
        told = browser.client.request(method, path, headers={"origin": LOCAL})
        assert told.status_code == 405 and "<TRACE" not in told.text
    assert browser.get("/logout").status_code == 405


def test_a_head_question_has_headers_and_no_body(town):
    told = town.browser(town.session(town.people["beibei", "uploader"])).client.head("/batches")
    assert told.status_code == 200 and "text/html" in told.headers["content-type"]


# -- what every answer carries --------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["stranger", "uploader"])
@pytest.mark.parametrize("route", ROUTES, ids=name)
def test_every_answer_carries_the_headers(town, route, who):
    """AUT-22, AUZ-09 and the policy."""
    token = "" if who == "stranger" else town.session(town.people["beibei", "uploader"])
    browser = town.browser(token)
    path = address(town, route, "beibei")
    told = browser.post(path, csrf="wrong") if route.method == "POST" else browser.get(path)
    assert {key: told.headers.get(key) for key in HEADERS} == HEADERS
    assert told.headers["cache-control"] == "no-store"
    policy = told.headers["content-security-policy"]
    assert "unsafe" not in policy and "frame-ancestors 'none'" in policy and "default-src 'none'" in policy
    assert "strict-transport-security" not in told.headers and "server" not in told.headers


def test_what_never_changes_may_be_kept_and_nothing_else(town):
    browser = town.browser()
    page = browser.get("/login").text
    found = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    assert len(set(found)) == 4
    for path in found:
        told = browser.get(path)
        assert told.status_code == 200 and "immutable" in told.headers["cache-control"]
        assert {key: told.headers.get(key) for key in HEADERS} == HEADERS


def test_errors_outside_every_route_carry_the_headers_too(town):
    browser = town.browser()
    for told in (
        browser.get("/nowhere"), browser.get("/login", headers={"host": "evil.example"}),
        browser.get("/login?" + "a" * LONGEST_ADDRESS), browser.client.request("PUT", "/login"),
    ):  # fmt: skip
        assert told.status_code >= 400 and {key: told.headers.get(key) for key in HEADERS} == HEADERS


def test_over_https_the_browser_is_told_to_stay_there(town):
    opened = open_town(town.places, ADDRESS="https://gongzhi.example:8443")
    told = opened.browser().get("/login")
    assert told.status_code == 200 and told.headers["strict-transport-security"].startswith("max-age=31536000")
    assert opened.browser().get("/login", headers={"host": "127.0.0.1"}).status_code == 400
    opened.records.close()


# -- hosts, addresses, bodies ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "127.0.0.1@evil.example", "", "127.0.0.1:8800/x", "[::2]", "a b"]
)
def test_another_host_name_is_refused(town, host):
    """WEB-09."""
    told = town.browser().get("/login", headers={"host": host})
    assert told.status_code == 400 and "unknown-host" in told.text and "evil" not in told.text


@pytest.mark.parametrize("host", ["127.0.0.1:8800", "localhost:1", "LOCALHOST", "[::1]:8800"])
def test_this_machine_answers_to_its_own_names(town, host):
    assert town.browser().get("/login", headers={"host": host}).status_code == 200


def test_an_address_that_is_too_long_and_a_query_of_ten_thousand_fields_are_refused(town):
    """WEB-12."""
    browser = town.browser(town.session(town.people["beibei", "uploader"]))
    assert browser.get("/batches?" + "&".join("a" for n in range(10_000))).status_code == 414
    assert browser.get("/batches?" + "&".join(f"a{n}=" for n in range(100))).status_code == 400
    assert browser.get("/batches?page=99999999999999999999&q=" + "x" * 3000).status_code == 200


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"a" * 20_000, "application/x-www-form-urlencoded", 413),
        (b"a=1", "text/plain", 415),
        (b"a=1", "multipart/form-data; boundary=x", 415),
        (b'{"login":"a"}', "application/json", 415),
        (b"a=%ff%fe", "application/x-www-form-urlencoded", 400),
        ("账号=1".encode(), "application/x-www-form-urlencoded", 400),
        (b"&".join(b"a%d=1" % n for n in range(100)), "application/x-www-form-urlencoded", 400),
        (b"", "application/x-www-form-urlencoded", 403),
    ],
)
def test_a_body_that_is_no_form_of_ours_is_refused(town, body, kind, status):
    headers = {"origin": LOCAL, "content-type": kind}
    told = town.browser().client.post("/login", content=body, headers=headers)
    assert told.status_code == status


def ask_raw(app: Any, path: str, headers: dict[str, str], chunks: int) -> tuple[int, dict[str, str], int]:
    """Ask with a body in pieces; give the status, the headers and how many bytes of it were read."""
    taken, answer = 0, {}

    async def receive() -> dict[str, Any]:
        nonlocal taken
        taken += 64 * 1024
        return {"type": "http.request", "body": b"x" * 64 * 1024, "more_body": taken < chunks * 64 * 1024}

    async def send(message: dict[str, Any]) -> None:
        answer.update(message if message["type"] == "http.response.start" else {})

    raw = [(key.encode(), value.encode()) for key, value in ({"host": "127.0.0.1:8800"} | headers).items()]
    scope = {
        "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"", "headers": raw,
        "http_version": "1.1", "scheme": "http", "client": ("127.0.0.1", 5), "server": ("127.0.0.1", 1), "root_path": "",
    }  # fmt: skip
    run(app(scope, receive, send))
    return answer["status"], {k.decode(): v.decode() for k, v in answer["headers"]}, taken


@pytest.mark.parametrize("said", [{"content-length": str(300 * 2**20)}, {"transfer-encoding": "chunked"}])
@pytest.mark.parametrize("route", POSTS, ids=name)
def test_the_large_body_of_a_stranger_is_not_read(town, route, said):
    """R10: answered before 1 MB is read, and the connection is closed behind it."""
    headers = {"origin": LOCAL, "content-type": "application/x-www-form-urlencoded"} | said
    status, told, taken = ask_raw(town.app, nowhere(route), headers, 4800)
    assert status in (401, 413) and taken <= max(64 * 1024, route.most * 2) and told["connection"] == "close"


def test_the_body_of_a_stranger_is_answered_over_a_real_connection(served):
    """300 MB are announced; the answer comes while almost nothing was sent, and the rest is not taken."""
    host, port = served.address
    head = f"POST /account/password HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: {300 * 2**20}\r\n\r\n"
    with socket.create_connection((host, port), timeout=10) as connection:
        connection.sendall(head.encode() + b"x" * 1000)
        told = b""
        while part := connection.recv(65536):
            told += part
    assert told.startswith(b"HTTP/1.1 401 ") and b"connection: close" in told.lower()


# -- whose form it is -----------------------------------------------------------------------------------------

FORGED: dict[str, dict[str, str]] = {
    "another site": {"origin": "https://evil.example"},
    "a hidden origin": {"origin": "null"},
    "another port": {"origin": "http://127.0.0.1:9999"},
    "another scheme": {"origin": "https://127.0.0.1:8800"},
    "a name that begins alike": {"origin": LOCAL + ".evil.example"},
    "a referer elsewhere": {"origin": "", "referer": "https://evil.example/" + LOCAL},
    "nothing said": {"origin": ""},
}


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
@pytest.mark.parametrize("route", POSTS, ids=name)
def test_a_form_from_elsewhere_is_refused_although_it_holds_the_token(town, route, forged):
    browser = town.browser(half_way(town, route))
    browser.get("/login") if route.path == "/login" else None
    headers = {key: value for key, value in forged.items() if value}
    token = csrf_token(browser.token)
    told = browser.client.post(route.path, data={"csrf": token}, headers=headers)
    assert told.status_code == 403 and "cross-site" in told.text


@pytest.mark.parametrize("csrf", ["", "0" * 64, "牌"])
@pytest.mark.parametrize("route", POSTS, ids=name)
def test_a_form_without_the_token_of_its_session_is_refused(town, route, csrf):
    told = town.browser(half_way(town, route)).post(route.path, csrf=csrf)
    assert told.status_code == 403 and "stale-form" in told.text


@pytest.mark.parametrize("route", POSTS, ids=name)
def test_the_token_of_another_session_does_not_fit(town, route):
    """UIX-15: two users in two tabs do not send each other's forms."""
    other = csrf_token(town.session(town.people["mianyang", "uploader"]))
    told = town.browser(half_way(town, route)).post(route.path, csrf=other)
    assert told.status_code == 403 and "stale-form" in told.text


def half_way(town: Any, route: Route) -> str:
    """A session that is where a route wants it; for the code of a second factor one that still misses it."""
    if route.permission == "account.code":
        person = town.person("beibei", "reviewer", login=f"half-{town.clock.at:%H%M%S}-{next(numbers)}")
        town.enrol(person)
        return town.session(person)
    if route.permission == PUBLIC:
        return ""
    wanted = permissions()[route.permission]
    role = "uploader" if "uploader" in wanted.roles else min(wanted.roles)
    return town.session(town.people["beibei", role], second_factor=wanted.second_factor)


numbers = itertools.count()


def test_a_page_of_ours_is_believed_by_its_referer_where_no_origin_is_sent(town):
    browser = town.browser(town.session(town.people["beibei", "uploader"]))
    data = {"csrf": csrf_token(browser.token)}
    told = browser.client.post("/account/sessions", data=data, headers={"referer": LOCAL + "/account"})
    assert told.status_code == 303


# -- errors ---------------------------------------------------------------------------------------------------


def broken(ask: Ask) -> Response:
    raise RuntimeError("SELECT secret FROM /srv/inside/records.db")


@pytest.mark.parametrize("path", ["/batches/{number}", "/api/v1/me"])
def test_what_breaks_is_told_by_a_number_that_stands_in_the_log(town, caplog, path):
    """WEB-13."""
    opened = open_town(town.places)
    route = Route("GET", path, "board.read", broken)
    opened.app.router.routes.insert(0, Guarded(opened.app.state.site, route))
    with caplog.at_level(logging.ERROR, "gongzhi.web"):
        told = opened.browser(town.session(town.people["beibei", "uploader"])).get(path.replace("{number}", "x"))
    assert told.status_code == 500 and told.headers["cache-control"] == "no-store"
    assert not re.search(r"SELECT|records\.db|RuntimeError|Traceback|\.py|portal", told.text.split("<main")[-1])
    if path.startswith("/api/"):
        error = told.json()["error"]
        assert set(told.json()) == {"error"} and set(error) == {"code", "message", "message_en", "number"}
        number = error["number"]
    else:
        number = re.search(r"<code>([0-9A-F]{10})</code>", told.text)[1]
    (record,) = [one for one in caplog.records if number in one.getMessage()]
    assert record.exc_info and "RuntimeError" in caplog.text
    opened.records.close()


@pytest.mark.parametrize("path", ["/api/v1/nowhere", "/api/v1/me"])
def test_programs_get_errors_in_one_shape(town, path):
    told = town.browser().get(path).json()
    assert set(told) == {"error"} and set(told["error"]) == {"code", "message", "message_en", "number"}


def test_what_a_caller_writes_cannot_forge_a_line_of_the_log(town, caplog):
    """WEB-07."""
    with caplog.at_level(logging.INFO, "gongzhi.web"):
        town.browser().get("/x%0a2026 ERROR all is lost%1b[31m" + "y" * 2000)
    (line,) = [one.getMessage() for one in caplog.records if one.name == "gongzhi.web"]
    assert "\n" not in line and "\x1b" not in line and "\\n" in line and len(line) < 500
    assert len(printable("\u202e" * 10_000)) <= 300


def test_a_problem_page_shows_marks_as_text(town):
    told = town.browser().get("/" + MARK)
    assert told.status_code == 404 and "<script>alert" not in told.text
