"""统一身份认证 against a provider that really runs: what of its answer is believed, and that nobody gets an account by it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jws, jwt
from joserfc.jwk import OctKey, RSAKey
from portal_home import new_home
from portal_web import Clock, Town

from portal.access import accounts
from portal.access.oidc import GOOD_FOR
from portal.settings import WrongSetting, read_portal_settings
from portal.web.app import make_app

CLIENT, SECRET = "gongzhi-portal", "client-secret-of-the-tests"
Change = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass
class Identity:
    """A provider: one person is signed in there already; ``claims`` and ``sign`` are bent by the tests."""

    clock: Clock
    login: str = ""
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}))
    shown: RSAKey | None = None
    change: Change = staticmethod(lambda claims: claims)
    sign: Callable[[Identity, dict[str, Any]], str] | None = None
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    issuer: str = ""
    down: bool = False

    def authorise(self, asked: dict[str, str]) -> str:
        """What the browser of the person gets: the address to go back to."""
        assert (asked["client_id"], asked["response_type"]) == (CLIENT, "code")
        assert asked["code_challenge_method"] == "S256" and "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        return f"{asked['redirect_uri']}?code={code}&state={asked['state']}"

    def token(self, form: dict[str, str], authorization: str) -> dict[str, Any] | None:
        """Change a code for a token, once, for who knows secret and verifier."""
        asked = self.codes.pop(form.get("code", ""), None)
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        fits = asked is not None and asked["code_challenge"] == challenge.rstrip(b"=").decode()
        if asked is None or not fits or authorization != f"Basic {basic}":
            return None
        assert form["redirect_uri"] == asked["redirect_uri"]
        now = int(self.clock.at.timestamp())
        claims = {
            "iss": self.issuer, "aud": CLIENT, "sub": "person-1", "iat": now, "exp": now + 300,
            "nonce": asked["nonce"], "preferred_username": self.login,
        }  # fmt: skip
        claims = self.change(claims)
        signed = self.sign(self, claims) if self.sign else jwt.encode({"alg": "RS256", "kid": "one"}, claims, self.key)
        return {"id_token": signed, "access_token": "unused", "token_type": "Bearer"}

    def answer(self, method: str, path: str, form: dict[str, str], authorization: str) -> dict[str, Any] | None:
        """Answer one address."""
        if self.down:
            return None
        if path == "/.well-known/openid-configuration":
            names = {"authorization_endpoint": "authorise", "token_endpoint": "token", "jwks_uri": "keys"}
            return {"issuer": self.issuer} | {name: f"{self.issuer}/{place}" for name, place in names.items()}
        if path == "/keys":
            return {"keys": [(self.shown or self.key).as_dict(private=False)]}
        return self.token(form, authorization) if (method, path) == ("POST", "/token") else None


@pytest.fixture
def identity() -> Iterator[Identity]:
    """A provider on a port of this machine."""
    made = Identity(Clock())

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            form = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
            fields = {name: values[0] for name, values in parse_qs(form).items()}
            told = made.answer(self.command, self.path, fields, self.headers.get("authorization", ""))
            body = json.dumps(told or {"error": "invalid_grant"}).encode()
            self.send_response(400 if told is None else 200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, format: str, *args: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.issuer = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield made
        server.shutdown()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return new_home(tmp_path_factory.mktemp("oidc"))


@pytest.fixture
def door(home: Any, identity: Identity) -> Iterator[Town]:
    """A portal whose ``portal.toml`` names the provider."""
    block = f'[oidc]\nissuer = "{identity.issuer}"\nclient_id = "{CLIENT}"\nsecret = "oidc"\n'
    (home.home / "portal.toml").write_text(block, "utf-8")
    file = home.home / "secrets.toml"
    file.write_text(f'[oidc]\ntoken = "{SECRET}"\n', "utf-8")
    file.chmod(0o600)
    settings = read_portal_settings(environment={"GONGZHI_PORTAL_WORKERS": "1"}, home=home.home)
    opened = Town(home, settings, identity.clock, make_app(home, settings, identity.clock))
    number = len(list(accounts.kept.accounts(opened.records)))
    identity.login = f"somebody{number}"
    opened.people["beibei", "uploader"] = opened.person("beibei", "uploader", login=identity.login)
    yield opened
    opened.records.close()


def through(door: Town, identity: Identity, browser: Any = None, onward: str = "") -> Any:
    """Go to the provider and come back."""
    browser = browser or door.browser()
    told = browser.get("/login/oidc", params={"next": onward} if onward else {})
    assert told.status_code == 303 and told.headers["location"].startswith(f"{identity.issuer}/authorise?"), told.text
    asked = {name: values[0] for name, values in parse_qs(urlsplit(told.headers["location"]).query).items()}
    return browser.get(identity.authorise(asked).removeprefix(browser.origin))


def test_somebody_with_an_account_is_in_and_goes_where_he_wanted(door, identity):
    browser = door.browser()
    assert 'href="/login/oidc?next=' in browser.get("/login").text
    told = through(door, identity, browser, "/batches")
    assert told.status_code == 303 and told.headers["location"] == "/batches"
    assert identity.login in browser.get("/account").text
    login = next(one for one in reversed(list(door.records.events(limit=None))) if one.kind == "login")
    assert '"oidc"' in login.payload and login.bureau == "beibei"


def test_what_another_site_asks_to_go_on_to_is_not_followed(door, identity):
    for onward in ("//evil.example/x", "https://evil.example/", "/login/oidc"):
        assert through(door, identity, onward=onward).headers["location"] == "/"


def test_who_has_no_account_gets_none_and_a_closed_one_stays_closed(door, identity):
    before = len(accounts.kept.accounts(door.records))
    mine, identity.login = identity.login, "stranger"
    assert through(door, identity).status_code == 401
    accounts.disable(door.gate, mine, "tests", door.clock.at)
    identity.login = mine
    told = through(door, identity)
    assert told.status_code == 401 and "没有可用的账户" in told.text
    assert len(accounts.kept.accounts(door.records)) == before


def test_our_second_factor_and_the_first_password_are_asked_for_all_the_same(door, identity):
    person = door.people["beibei", "uploader"]
    door.enrol(person)
    assert through(door, identity).headers["location"].startswith("/second-factor")
    accounts.reset(door.gate, person.login, "tests", door.clock.at, second_factor=True)
    assert through(door, identity).headers["location"].startswith("/first-password")


def unsigned(identity: Identity, claims: dict[str, Any]) -> str:
    parts = ({"alg": "none"}, claims)
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."


def with_the_public_key(identity: Identity, claims: dict[str, Any]) -> str:
    """HMAC with what everybody knows: the classic confusion of algorithms."""
    header, payload = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
                       for part in ({"alg": "HS256", "kid": "one"}, claims))  # fmt: skip
    mac = hashlib.sha256  # the key is the PEM of the public key, as a careless verifier would take it
    import hmac

    signature = hmac.new(identity.key.as_pem(private=False), f"{header}.{payload}".encode(), mac).digest()
    return f"{header}.{payload}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def with_another_key(identity: Identity, claims: dict[str, Any]) -> str:
    stranger = RSAKey.generate_key(2048, {"kid": "one"})
    return jwt.encode({"alg": "RS256", "kid": "one"}, claims, stranger)


def of_the_shared_secret(identity: Identity, claims: dict[str, Any]) -> str:
    key = OctKey.import_key(SECRET.ljust(32, "-"))
    return jws.serialize_compact({"alg": "HS256", "kid": "one"}, json.dumps(claims).encode(), key)


@pytest.mark.parametrize("sign", [unsigned, with_the_public_key, with_another_key, of_the_shared_secret])
def test_a_token_the_provider_did_not_sign_is_refused(door, identity, sign):
    identity.sign = sign
    told = through(door, identity)
    assert told.status_code == 401 and "未能通过核验" in told.text


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://other.example"}, {"aud": "another-client"}, {"aud": [CLIENT, "another"]},
        {"aud": [CLIENT, "another"], "azp": "another"}, {"azp": "another"}, {"nonce": "x"}, {"nonce": None},
        {"exp": 1}, {"exp": None}, {"iat": None}, {"sub": None}, {"preferred_username": None},
        {"preferred_username": ["a", "b"]}, {"preferred_username": ""},
    ],
    ids=str,
)  # fmt: skip
def test_a_token_that_says_what_does_not_fit_is_refused(door, identity, change):
    identity.change = lambda claims: {name: value for name, value in (claims | change).items() if value is not None}
    browser = door.browser()
    assert through(door, identity, browser).status_code == 401
    assert browser.get("/").headers["location"].startswith("/login")


def test_an_answer_belongs_to_the_browser_that_asked_and_runs_out(door, identity):
    browser = door.browser()
    told = browser.get("/login/oidc")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(told.headers["location"]).query).items()}
    back = identity.authorise(asked).removeprefix(browser.origin)
    assert door.browser().get(back).status_code == 401  # somebody else's browser: login forgery
    for state in ("", "x", "é.é", asked["state"][:-2]):
        assert browser.get("/login/oidc/return", params={"code": "c", "state": state}).status_code == 401
    door.clock.at += GOOD_FOR * 1.1
    assert browser.get(back).status_code == 401
    door.clock.at -= GOOD_FOR * 1.1
    assert browser.get("/login/oidc/return", params={"error": "<b>no</b>", "state": asked["state"]}).status_code == 401
    assert browser.get(back).status_code == 303
    assert browser.get(back).status_code in (401, 503)  # a code is good once


def test_keys_the_provider_changed_are_fetched_again_and_a_provider_that_is_away_is_said(door, identity):
    assert through(door, identity).status_code == 303
    identity.down = True
    told = door.browser().get("/login/oidc")  # what it said of itself is known for an hour
    asked = {name: values[0] for name, values in parse_qs(urlsplit(told.headers["location"]).query).items()}
    browser = door.browser()
    told = browser.get("/login/oidc")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(told.headers["location"]).query).items()}
    told = browser.get(identity.authorise(asked).removeprefix(browser.origin))
    assert told.status_code == 503 and "暂时不可用" in told.text and SECRET not in told.text
    identity.down = False


def test_the_secret_never_reaches_the_browser(door, identity):
    browser = door.browser()
    told = browser.get("/login/oidc")
    assert SECRET not in str(told.headers) and SECRET not in repr(door.settings)
    assert re.search(r"[?&]code_challenge=[A-Za-z0-9_-]{43}&", told.headers["location"])
    assert "code_verifier" not in told.headers["location"]


def test_without_the_block_there_is_no_such_door(town):
    browser = town.browser()
    assert browser.get("/login/oidc").status_code == 404 and browser.get("/login/oidc/return").status_code == 404
    assert "/login/oidc" not in browser.get("/login").text


@pytest.mark.parametrize(
    "block",
    [
        'issuer = "http://id.example.cn"\nclient_id = "c"\nsecret = "oidc"',
        'issuer = "https://id.example.cn"\nclient_id = "c"',
        'issuer = "https://id.example.cn"\nclient_id = "c"\nsecret = "no-such-secret"',
        'issuer = "https://id.example.cn"\nclient_id = "c"\nsecret = "oidc"\nregister = "yes"',
    ],
)
def test_a_wrong_block_stops_the_start(tmp_path, block):
    (tmp_path / "portal.toml").write_text(f"[oidc]\n{block}\n", "utf-8")
    with pytest.raises(WrongSetting):
        read_portal_settings(environment={}, home=tmp_path)
