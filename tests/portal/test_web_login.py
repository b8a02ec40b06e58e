"""Signing in over the pages: each step, what is refused and how, and what a session is worth afterwards."""

from __future__ import annotations

import itertools
import re
from datetime import timedelta
from typing import Any

import pytest
from portal_web import MARK, PASSWORD, Browser, Person, Town, hidden, open_town

from portal.access import accounts
from portal.access.keys import issue_key
from portal.web.sessions import SESSION, cookie_name

numbers = itertools.count()


@pytest.fixture
def somebody(town: Town, clock: Any) -> Person:
    """A person of this test alone."""
    return town.person("beibei", "uploader", login=f"login-test-{next(numbers)}")


def flags(told: Any) -> str:
    return next(line for line in told.headers.get_list("set-cookie") if line.startswith((SESSION + "=", "__Host-")))


def test_the_first_sign_in_leads_to_a_password_of_ones_own_and_nowhere_else(town, clock):
    """U0, whole: one-time password, refused choices, the page that was wanted."""
    issued = accounts.add(town.gate, f"new-{next(numbers)}", "新来的", "beibei", ["uploader"], "tests", clock.at)
    browser = town.browser()
    told = browser.sign_in(issued.account.login, issued.password, "/batches?state=refused")
    assert told.status_code == 303 and told.headers["location"] == "/first-password?next=%2Fbatches%3Fstate%3Drefused"
    for path in ("/", "/batches", "/account", "/night"):
        assert browser.get(path).headers["location"].startswith("/first-password")
    first = browser.get(told.headers["location"])
    fields = hidden(first.text)
    assert fields["next"] == "/batches?state=refused" and "新来的" in first.text
    for new, again, said in (
        (PASSWORD, PASSWORD + "x", "两次输入的新口令不同"), ("password123", "password123", ""), ("短", "短", ""),
        (issued.password, issued.password, ""),
    ):  # fmt: skip
        told = browser.post("/first-password", fields | {"old": issued.password, "new": new, "again": again})
        assert told.status_code == 422 and 'aria-invalid="true"' in told.text and said in told.text
        assert PASSWORD not in told.text and issued.password not in told.text
        assert "<title>出错：" in told.text
    before = browser.token
    told = browser.post("/first-password", fields | {"old": issued.password, "new": PASSWORD, "again": PASSWORD})
    assert told.status_code == 303 and told.headers["location"] == "/batches?state=refused"
    assert browser.token != before and browser.get("/batches").status_code == 200
    assert town.browser(before).get("/").headers["location"].startswith("/login")


def test_a_sign_in_gives_a_new_token_and_the_old_one_is_dead(town, somebody):
    """AUT-09, AUT-10: fixation, entropy, flags."""
    planted = town.session(town.person("mianyang", "inspector", login=f"planted-{next(numbers)}"))
    browser = town.browser()
    page = browser.get("/login")
    browser.keep(SESSION, planted)  # somebody else's live session, slipped in while the page was open
    fields = hidden(page.text) | {"login": somebody.login, "password": PASSWORD}
    assert browser.post("/login", fields, csrf=fields["csrf"]).status_code == 303
    assert browser.token != planted and browser.get("/api/v1/me").json()["bureau"] == "beibei"
    assert town.browser(planted).get("/").headers["location"].startswith("/login")
    stranger = town.browser("f" * 43)
    told = stranger.sign_in(somebody.login)
    assert told.status_code == 303 and stranger.token not in ("", "f" * 43) and len(stranger.token) >= 43
    line = flags(told)
    assert "HttpOnly" in line and "SameSite=lax" in line and "Path=/" in line and "Domain" not in line


def test_over_https_the_cookie_is_bound_to_this_host(town, somebody):
    opened = open_town(town.places, ADDRESS="https://gongzhi.example")
    opened.clock.at = town.clock.at
    browser = opened.browser()
    told = browser.sign_in(somebody.login)
    assert told.status_code == 303
    lines = told.headers.get_list("set-cookie")
    assert any(line.startswith(cookie_name(SESSION, True) + "=") for line in lines)
    assert all("Secure" in line and "HttpOnly" in line and line.startswith("__Host-") for line in lines)
    assert browser.get("/").status_code == 200
    opened.records.close()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_whatever_is_wrong_is_told_alike(town, somebody, language):
    """AUT-04: neither status nor words tell an unknown account from a wrong password or a disabled account."""
    gone = town.person("beibei", "inspector", login=f"gone-{next(numbers)}")
    accounts.disable(town.gate, gone.login, "tests", town.clock.at)
    told = []
    for login, password in (("nobody-at-all", PASSWORD), (somebody.login, "wrong password"), (gone.login, PASSWORD)):
        browser = town.browser()
        browser.get("/login", params={"lang": language})
        answer = browser.sign_in(login, password)
        text = re.sub(r'name="(csrf|login)"[^>]*>|value="[^"]*"|id="login"[^>]*', "", answer.text)
        told.append((answer.status_code, text.replace(login, "")))
    assert len(set(told)) == 1 and told[0][0] == 401
    assert browser.token == ""


def test_after_five_failures_the_wait_is_told_and_it_ends(town, somebody, clock):
    """AUT-01 as the page shows it."""
    browser = town.browser()
    assert [browser.sign_in(somebody.login, f"guess number {n}").status_code for n in range(5)] == [401] * 5
    told = browser.sign_in(somebody.login)
    assert told.status_code == 429 and re.search(r"\d", re.search(r'role="alert"><p>(.*?)</p>', told.text)[1])
    clock.at += timedelta(minutes=16)
    assert browser.sign_in(somebody.login).status_code == 303


def test_the_second_factor_is_asked_for_before_anything_is_shown(town, somebody, clock):
    """AUT-19 over the pages: a code once, recovery codes once, no page in between."""
    totp, codes = town.enrol(somebody)
    browser = town.browser()
    told = browser.sign_in(somebody.login, onward="/night")
    assert told.headers["location"] == "/second-factor?next=%2Fnight"
    assert browser.get("/").headers["location"].startswith("/second-factor")
    asked = browser.get("/second-factor?next=%2Fnight")
    assert 'autocomplete="one-time-code"' in asked.text
    fields, before = hidden(asked.text), browser.token
    assert browser.post("/second-factor", fields | {"code": "000000"}).status_code == 401
    code = totp.at(clock.at)
    told = browser.post("/second-factor", fields | {"code": code})
    assert told.status_code == 303 and told.headers["location"] == "/night" and browser.token != before
    assert browser.get("/api/v1/me").json()["second_factor"] is True
    assert town.browser(before).get("/").headers["location"].startswith("/login")
    again = town.browser()
    again.sign_in(somebody.login)
    assert again.post("/second-factor", {"code": code}).status_code == 401
    assert again.post("/second-factor", {"code": codes[0]}).status_code == 303
    third = town.browser()
    third.sign_in(somebody.login)
    assert third.post("/second-factor", {"code": codes[0]}).status_code == 401


def test_signing_out_ends_the_session_at_once(town, somebody):
    """AUT-11."""
    browser = town.browser(somebody.token)
    told = browser.post("/logout")
    assert told.headers["location"] == "/login?out=1" and browser.token == ""
    assert "您已退出" in browser.get("/login?out=1").text
    assert town.browser(somebody.token).get("/").headers["location"].startswith("/login")


def test_disabling_and_another_role_hold_from_the_next_request_on(town, somebody, clock):
    """AUT-11, AUT-13."""
    browser = town.browser(somebody.token)
    assert browser.get("/batches").status_code == 200
    accounts.set_roles(town.gate, somebody.login, ["inspector"], "tests", clock.at)
    told = browser.get("/batches")
    assert told.status_code in (303, 403)
    browser = town.browser()
    browser.sign_in(somebody.login)
    assert browser.get("/batches").status_code == 403 and browser.get("/").status_code == 200
    accounts.disable(town.gate, somebody.login, "tests", clock.at)
    assert browser.get("/").headers["location"].startswith("/login")


@pytest.mark.parametrize(("later", "alive"), [(timedelta(minutes=28), True), (timedelta(minutes=31), False)])
def test_a_session_nobody_uses_ends(town, somebody, clock, later, alive):
    browser = town.browser(town.session(somebody))
    clock.at += later
    told = browser.get("/night?lang=en")
    assert (told.status_code == 200) is alive
    if not alive:
        assert told.headers["location"] == "/login?next=%2Fnight%3Flang%3Den"


def test_a_session_ends_after_twelve_hours_however_busy(town, somebody, clock):
    browser = town.browser(town.session(somebody))
    for _ in range(35):
        clock.at += timedelta(minutes=20)
        assert browser.get("/api/v1/me").status_code == 200
    clock.at += timedelta(minutes=21)
    assert browser.get("/api/v1/me").status_code == 401


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil.example", "https://evil.example", "/\\evil.example", "/batches/../..//evil", "javascript:alert(1)",
        "/login", "/logout", "/static/0/app.css", "/api/v1/me", "/nowhere", "/batches#x", "/batches\r\nset-cookie: a=b",
        "/batches?" + MARK, "\u2215\u2215evil", "",
    ],
)  # fmt: skip
def test_a_sign_in_leads_to_pages_of_ours_only(town, somebody, wanted):
    """WEB-08."""
    told = town.browser().sign_in(somebody.login, onward=wanted)
    place = told.headers["location"]
    assert told.status_code == 303 and (place == "/" or place.startswith("/batches?")) and "\n" not in place
    assert town.browser(somebody.token).get("/login", params={"next": wanted}).headers["location"] == place


@pytest.mark.parametrize("wanted", ["/batches", "/batches?q=%E5%B7%B4", "/night", "/account", "/batches/Rbeibei-1-A"])
def test_a_sign_in_leads_back_to_the_page_that_was_wanted(town, somebody, wanted):
    assert town.browser().sign_in(somebody.login, onward=wanted).headers["location"] == wanted


def test_a_stale_login_page_says_what_to_do(town, somebody):
    told = town.browser().post("/login", {"login": somebody.login, "password": PASSWORD}, csrf="0" * 64)
    assert told.status_code == 403 and "刷新" in told.text


def test_a_script_of_a_page_is_told_to_go_to_the_login(town):
    told = town.browser().get("/batches", headers={"hx-request": "true"})
    assert told.status_code == 401 and told.headers["hx-redirect"] == "/login"


# -- the account page -----------------------------------------------------------------------------------------


def test_a_new_password_ends_all_other_sessions(town, somebody):
    here, there = town.browser(town.session(somebody)), town.browser(town.session(somebody))
    assert (
        here.post(
            "/account/password", {"old": "wrong wrong", "new": "嘉陵江畔 2026 春", "again": "嘉陵江畔 2026 春"}
        ).status_code
        == 422
    )
    fields = {"old": PASSWORD, "new": "嘉陵江畔 2026 春", "again": "嘉陵江畔 2026 春"}
    told = here.post("/account/password", fields)
    assert told.headers["location"] == "/account?done=password"
    assert "口令已修改" in here.get("/account?done=password").text
    assert there.get("/").headers["location"].startswith("/login")
    assert town.browser().sign_in(somebody.login, "嘉陵江畔 2026 春").status_code == 303


def test_enrolling_shows_a_code_for_the_eye_and_the_camera_and_the_recovery_codes_once(town, somebody, clock):
    import pyotp

    here, there = town.browser(town.session(somebody)), town.browser(town.session(somebody))
    assert here.post("/account/second-factor", {"password": "wrong wrong"}).status_code == 422
    offered = here.post("/account/second-factor", {"password": PASSWORD})
    assert offered.status_code == 200 and "<svg" in offered.text
    secret = re.search(r'<p class="code">([A-Z2-7 ]+)</p>', offered.text)[1].replace(" ", "")
    fields = hidden(offered.text)
    assert fields["offer"] and secret not in fields["offer"]
    wrong = here.post("/account/second-factor/confirm", fields | {"code": "000000"})
    assert wrong.status_code == 422 and 'role="alert"' in wrong.text
    kept = here.post("/account/second-factor/confirm", fields | {"code": pyotp.TOTP(secret).at(clock.at)})
    codes = re.findall(r"<li>([a-z2-7]{4}(?:-[a-z2-7]{4}){3})</li>", kept.text)
    assert kept.status_code == 200 and len(codes) >= 8
    seen = here.get("/account")
    assert "已启用" in seen.text and not any(code in seen.text for code in codes)
    assert there.get("/").headers["location"].startswith("/login")
    renewed = here.post("/account/recovery-codes", {"codes-password": PASSWORD})
    assert renewed.status_code == 200 and not any(code in renewed.text for code in codes)


def test_the_other_sessions_can_be_ended(town, somebody):
    here, there = town.browser(town.session(somebody)), town.browser(town.session(somebody))
    assert "结束其他会话" in here.get("/account").text
    assert here.post("/account/sessions").headers["location"] == "/account?done=sessions"
    assert here.get("/account").status_code == 200 and there.get("/account").status_code == 303


# -- keys -----------------------------------------------------------------------------------------------------


def test_a_key_opens_the_addresses_for_programs_within_its_scope_until_it_ends(town, somebody, clock):
    """AUT-17, over HTTP."""
    browser, end = Browser(town), clock.at + timedelta(days=1)
    keys = {
        scope: issue_key(town.gate, somebody.account_id, "数采", [scope], end, "tests", clock.at).text
        for scope in ("board.read", "batch.read")
    }

    def ask(key: str, path: str = "/api/v1/me") -> Any:
        return browser.get(path, headers={"authorization": f"Bearer {key}"})

    told = ask(keys["board.read"])
    assert told.status_code == 200 and told.json()["kind"] == "key" and told.json()["scopes"] == ["board.read"]
    assert ask(keys["batch.read"]).status_code == 403 and ask("gz_nonsense").status_code == 401
    assert ask(keys["board.read"], "/night").status_code == 303  # a key is no session
    clock.at = end - timedelta(seconds=1)
    assert ask(keys["board.read"]).status_code == 200
    clock.at = end
    assert ask(keys["board.read"]).status_code == 401
