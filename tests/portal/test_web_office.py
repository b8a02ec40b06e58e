"""系统: accounts and keys of the own bureau, what an administrator cannot do, and the state of the whole."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pyotp
import pytest
from portal_browser import WIDTHS, at_ease, tab
from portal_home import new_home
from portal_web import MARK, PASSWORD, Browser, Person, Town, hidden, open_town, serving

from portal.service import Watch
from portal.settings import OidcSettings
from portal.web.app import make_app
from portal.web.office.health import watching
from records import accounts as kept
from records.account_keys import keys_of

METRICS_TOKEN = "metrics-token-of-the-tests"


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A portal of its own: here people are closed, reset and given other roles."""
    opened = open_town(new_home(tmp_path_factory.mktemp("office")))
    for bureau in ("beibei", "mianyang"):
        for role in ("administrator", "auditor", "uploader"):
            opened.people[bureau, role] = opened.person(bureau, role)
    yield opened
    opened.records.close()


def administrator(office: Town, bureau: str = "beibei") -> Browser:
    return office.browser(office.session(office.people[bureau, "administrator"], second_factor=True))


def somebody(office: Town, login: str, *roles: str) -> Person:
    """Somebody new of beibei, signed in."""
    return office.person("beibei", roles[0] if roles else "uploader", login=login)


def once(page: Any) -> str:
    """What a page shows this once."""
    found: list[str] = re.findall(r'<p class="once code" data-once>([^<]+)</p>', page.text)
    assert page.status_code == 200 and len(found) == 1, page.text[:500]
    return found[0]


def of(person: Person, act: str = "") -> str:
    return f"/system/accounts/{person.account_id}{act and '/' + act}"


# -- accounts -------------------------------------------------------------------------------------------------


def test_a_new_account_has_a_password_shown_once_that_opens_the_first_login_and_nothing_else(office):
    browser = administrator(office)
    told = browser.post("/system/accounts", {"login": "Wang.Gong", "name": MARK[:40], "role-uploader": "yes"})
    password, account = once(told), kept.find_login(office.records, "wang.gong")
    assert account.bureau == "beibei" and account.roles == {"uploader"} and "<script>alert" not in told.text
    assert told.headers["cache-control"] == "no-store"
    for path in ("/system/accounts", f"/system/accounts/{account.account_id}"):
        page = browser.get(path)
        assert page.status_code == 200 and password not in page.text and "待首次登录" in page.text
    newcomer = office.browser()
    assert newcomer.sign_in("wang.gong", password).headers["location"].startswith("/first-password")
    assert newcomer.get("/batches").headers["location"].startswith("/first-password")
    assert not any(password in one.payload for one in office.records.events(limit=None))


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"login": "both", "name": "甲", "role-administrator": "yes", "role-auditor": "yes"}, "不能由同一人担任"),
        ({"login": "none", "name": "甲"}, "没有角色"),
        ({"login": "odd", "name": "甲", "role-emperor": "yes"}, "没有角色 emperor"),
        ({"login": "有空 格", "name": "甲", "role-uploader": "yes"}, "登录名"),
        ({"login": "noname", "name": " ", "role-uploader": "yes"}, "姓名不能为空"),
        ({"login": "uploader-mianyang", "name": "甲", "role-uploader": "yes"}, ""),
    ],
)
def test_an_account_that_cannot_be_is_refused_in_words(office, form, words):
    before = len(kept.accounts(office.records))
    told = administrator(office).post("/system/accounts", form)
    assert told.status_code == 422 and 'role="alert"' in told.text and words in told.text
    assert len(kept.accounts(office.records)) == before and "data-once" not in told.text


def test_a_bureau_in_the_form_counts_for_nothing(office):
    once(administrator(office).post("/system/accounts", {
        "login": "smuggled", "name": "甲", "role-uploader": "yes", "bureau": "mianyang", "role": "administrator",
    }))  # fmt: skip
    made = kept.find_login(office.records, "smuggled")
    assert made.bureau == "beibei" and made.roles == {"uploader"}


def test_nobody_changes_closes_or_resets_himself(office):
    me, browser = office.people["beibei", "administrator"], administrator(office)
    forms = {"roles": {"role-uploader": "yes"}, "state": {"to": "closed"}, "reset": {}}
    for act, form in forms.items():
        told = browser.post(of(me, act), form)
        assert told.status_code == 422 and "另一位系统管理员" in told.text, act
    account = kept.account(office.records, me.account_id)
    assert account.roles == {"administrator"} and account.disabled_at is None and account.one_time_until is None
    assert "保存角色" not in browser.get(of(me)).text


def test_roles_that_exclude_each_other_are_refused_and_others_hold_at_once(office):
    person = somebody(office, "roles")
    browser, theirs = administrator(office), office.browser(person.token)
    told = browser.post(of(person, "roles"), {"role-administrator": "yes", "role-auditor": "yes"})
    assert told.status_code == 422 and "不能由同一人担任" in told.text
    assert kept.account(office.records, person.account_id).roles == {"uploader"}
    assert theirs.get("/batches").status_code == 200
    told = browser.post(of(person, "roles"), {"role-inspector": "yes"})
    assert told.status_code == 303 and "done=roles" in told.headers["location"]
    assert kept.account(office.records, person.account_id).roles == {"inspector"}
    assert theirs.get("/batches").status_code in (303, 403)


def test_a_closed_account_has_no_session_and_no_key_at_the_next_request(office):
    person = somebody(office, "closing")
    browser, theirs = administrator(office), office.browser(person.token)
    key = once(browser.post(of(person, "keys"), {"title": "站", "days": "30", "scope-board.read": "yes"}))
    program = {"authorization": f"Bearer {key}"}
    assert theirs.get("/").status_code == 200
    assert Browser(office).get("/api/v1/me", headers=program).status_code == 200
    told = browser.post(of(person, "state"), {"to": "closed", "reason": "离职"})
    assert told.status_code == 303
    assert theirs.get("/").headers["location"].startswith("/login")
    assert Browser(office).get("/api/v1/me", headers=program).status_code == 401
    assert office.browser().sign_in(person.login).status_code == 401
    assert browser.post(of(person, "state"), {"to": "open"}).status_code == 303
    assert office.browser().sign_in(person.login).status_code == 303


def test_a_reset_gives_another_password_ends_sessions_and_revokes_keys(office):
    person = somebody(office, "resetting")
    browser, theirs = administrator(office), office.browser(person.token)
    key = once(browser.post(of(person, "keys"), {"title": "站", "days": "30", "scope-board.read": "yes"}))
    password = once(browser.post(of(person, "reset")))
    assert theirs.get("/").headers["location"].startswith("/login")
    told = Browser(office).get("/api/v1/me", headers={"authorization": f"Bearer {key}"})
    assert told.status_code == 401 and keys_of(office.records, person.account_id)[0].revoked_at is not None
    assert office.browser().sign_in(person.login, PASSWORD).status_code == 401
    told = office.browser().sign_in(person.login, password)
    assert told.headers["location"].startswith("/first-password")


def test_a_reset_takes_the_second_factor_away_only_if_it_is_asked_for(office):
    person = somebody(office, "lost-phone")
    before = office.clock.at
    office.enrol(person)
    office.clock.at = before
    browser = administrator(office)
    once(browser.post(of(person, "reset")))
    assert kept.account(office.records, person.account_id).factor_at is not None
    once(browser.post(of(person, "reset"), {"second_factor": "yes"}))
    assert kept.account(office.records, person.account_id).factor_at is None


# -- keys -----------------------------------------------------------------------------------------------------


def test_a_key_is_shown_once_within_its_owners_permissions_and_dies_when_revoked(office):
    person, browser = somebody(office, "machine"), administrator(office)
    key = once(browser.post(of(person, "keys"), {"title": MARK[:40], "days": "30", "scope-board.read": "yes"}))
    page = browser.get(of(person))
    assert key not in page.text and "<script>alert" not in page.text and "board.read" in page.text
    program = {"authorization": f"Bearer {key}"}
    assert Browser(office).get("/api/v1/me", headers=program).json()["bureau"] == "beibei"
    issued = keys_of(office.records, person.account_id)[0]
    assert administrator(office, "mianyang").post(f"/system/keys/{issued.key_id}/revoke").status_code == 404
    assert Browser(office).get("/api/v1/me", headers=program).status_code == 200
    assert browser.post(f"/system/keys/{issued.key_id}/revoke").status_code == 303
    assert Browser(office).get("/api/v1/me", headers=program).status_code == 401
    assert browser.post("/system/keys/k-nobody/revoke").status_code == 404


@pytest.mark.parametrize(
    "form",
    [
        {"title": "站", "days": "30", "scope-users.manage": "yes"},
        {"title": "站", "days": "30", "scope-credit.release": "yes", "scope-board.read": "yes"},
        {"title": "站", "days": "30"},
        {"title": " ", "days": "30", "scope-board.read": "yes"},
        {"title": "站", "days": "0", "scope-board.read": "yes"},
        {"title": "站", "days": "9999", "scope-board.read": "yes"},
        {"title": "站", "days": "٣٠", "scope-board.read": "yes"},
    ],
)
def test_a_key_that_reaches_too_far_or_lasts_too_long_is_refused(office, form):
    person = office.people["beibei", "uploader"]
    told = administrator(office).post(of(person, "keys"), form)
    assert told.status_code == 422 and "data-once" not in told.text
    assert keys_of(office.records, person.account_id) == []


# -- whose accounts, and with what ----------------------------------------------------------------------------


def test_accounts_of_the_other_bureau_are_not_there(office):
    theirs, browser = office.people["mianyang", "uploader"], administrator(office)
    assert theirs.login not in browser.get("/system/accounts").text
    assert browser.get(of(theirs)).status_code == 404
    for act in ("roles", "state", "reset", "keys"):
        assert browser.post(of(theirs, act), {"role-auditor": "yes", "to": "closed"}).status_code == 404
    account = kept.account(office.records, theirs.account_id)
    assert account.roles == {"uploader"} and account.disabled_at is None and account.one_time_until is None


def test_without_the_second_factor_the_page_leads_to_enrolment_and_back(office):
    person = somebody(office, "new-admin", "administrator")
    browser, target = office.browser(person.token), of(office.people["beibei", "uploader"])
    told = browser.post(target + "/reset")
    assert told.status_code == 403 and "second-factor" in told.text and 'href="/account?next=' in told.text
    seen = browser.get(target)
    leads = re.search(r'href="(/account\?next=[^"#]+)#factor-title"', seen.text)
    assert leads and "重置并显示一次性密码" not in seen.text
    account = browser.get(leads[1])
    assert f'name="next" value="{target}"' in account.text
    offered = browser.post("/account/second-factor", {"password": PASSWORD, "next": target})
    secret = re.search(r'<p class="code">([A-Z2-7 ]+)</p>', offered.text)[1].replace(" ", "")
    code = pyotp.TOTP(secret).at(office.clock.at)
    done = browser.post("/account/second-factor/confirm", hidden(offered.text) | {"code": code})
    assert done.status_code == 200 and f'href="{target}"' in done.text
    assert "重置并显示一次性密码" in browser.get(target).text


def test_an_auditor_reads_the_accounts_and_changes_none(office):
    browser = office.browser(office.session(office.people["beibei", "auditor"], second_factor=True))
    page = browser.get("/system/accounts")
    assert page.status_code == 200 and 'action="/system/accounts"' not in page.text
    assert browser.post("/system/accounts", {"login": "x1", "name": "x", "role-uploader": "yes"}).status_code == 403
    uploader = office.browser(office.session(office.people["beibei", "uploader"], second_factor=True))
    for path in ("/system", "/system/accounts", "/system/rules", "/system/settings"):
        assert uploader.get(path).status_code == 403, path


# -- the state of the whole -----------------------------------------------------------------------------------


def test_overview_rules_and_settings_tell_the_state_and_no_secret(office):
    secret, inside = "oidc-secret-of-the-tests", "metrics-token-of-the-settings"
    told = OidcSettings("https://id.example.cn", "gongzhi", secret, "preferred_username", "openid", "统一", "sso")
    settings = replace(office.settings, oidc=told, metrics_token=inside)
    site = replace(office, settings=settings, app=make_app(office.places, settings, office.clock))
    try:
        pages = [administrator(site).get(f"/system{path}") for path in ("", "/rules", "/settings")]
        assert [page.status_code for page in pages] == [200, 200, 200]
        whole = "".join(page.text for page in pages)
        keys = [file.read_text("utf-8", "ignore").strip() for file in office.places.keys.glob("*.key")]
        assert "https://id.example.cn" in whole and "argon2id" in whole and "GB 3095" in whole
        assert secret not in whole and inside not in whole and not any(key and key in whole for key in keys)
        assert repr(secret) not in repr(settings) and inside not in repr(settings)
    finally:
        site.records.close()


# -- what whoever watches asks --------------------------------------------------------------------------------


def test_ready_is_200_while_it_can_be_written_and_503_where_it_cannot(office):
    told = Browser(office).get("/health/ready")
    assert told.status_code == 200 and told.json()["state"] in ("ready", "degraded")
    watch: Watch = office.app.state.site.once(watching)
    kept_home, gone = watch.places, office.places.home / "gone"
    try:
        watch.places, watch.seen_at = replace(kept_home, home=gone), float("-inf")
        told = Browser(office).get("/health/ready")
        assert told.status_code == 503 and told.json()["state"] == "unready"
    finally:
        watch.places, watch.seen_at = kept_home, float("-inf")


def test_figures_and_details_need_the_token(office):
    settings = replace(office.settings, metrics_token=METRICS_TOKEN)
    site = replace(office, settings=settings, app=make_app(office.places, settings, office.clock))
    try:
        browser, right = Browser(site), {"authorization": f"Bearer {METRICS_TOKEN}"}
        for wrong in ({}, {"authorization": METRICS_TOKEN}, {"authorization": f"Bearer {METRICS_TOKEN}x"}):
            told = browser.get("/metrics", headers=wrong)
            assert told.status_code == 401 and "gongzhi_" not in told.text
            assert set(browser.get("/health/ready", headers=wrong).json()) == {"state"}
        told = browser.get("/metrics", headers=right)
        assert told.status_code == 200 and 'gongzhi_check{name="database"} 1.0' in told.text
        assert {"state", "checks"} <= set(browser.get("/health/ready", headers=right).json())
    finally:
        site.records.close()


# -- in a browser ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", WIDTHS)
def test_an_administrator_makes_an_account_and_issues_a_key(chromium, office, width):
    """A2."""
    login = f"browser-{width}"
    scheme = "dark" if width == "telephone" else "light"
    opened = open_town(office.places)
    opened.people = office.people
    with serving(opened) as served, tab(chromium, served, WIDTHS[width], color_scheme=scheme) as page:
        token = office.session(office.people["mianyang", "administrator"], second_factor=True)
        page.context.add_cookies([{"name": "gongzhi", "value": token, "url": served.url}])
        page.goto("/system/accounts")
        page.get_by_label("姓名").fill("赵工")
        page.get_by_label("登录名").fill(login)
        page.get_by_role("checkbox", name="填报员").first.check()
        at_ease(page, f"{width}-accounts")
        page.get_by_role("button", name="建立并显示一次性密码").click()
        page.get_by_role("heading", name="一次性密码").wait_for()
        at_ease(page, f"{width}-account-once")
        page.get_by_role("link", name="回到账户").click()
        page.get_by_text("签发密钥", exact=True).click()
        at_ease(page, f"{width}-account-of")
        page.get_by_label("用途").fill("监测站")
        page.locator('input[name="scope-board.read"]').check()
        page.get_by_role("button", name="签发并显示密钥").click()
        page.get_by_role("heading", name="API 密钥").wait_for()
        for path in ("/system", "/system/rules", "/system/settings"):
            page.goto(path)
            at_ease(page, f"{width}-system{path.replace('/system', '').replace('/', '-')}")
