"""登录: account and password, the second factor, the first change of a one-time password, and 退出.

The steps and what they refuse are ``portal/access``; here they get pages. Each finished step gives the browser a new
token.
"""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from portal.access.errors import AccessError, DoorBusy, LoginRefused, MustWait, PasswordRefused
from portal.access.login import change_password, pass_code, sign_in, sign_out
from portal.access.sessions import SignedIn, caller_of
from portal.web.asking import Ask, see
from portal.web.pages import page
from portal.web.sessions import SESSION, VISIT, drop, keep

STEP_PAGES = {"code": "/second-factor", "change": "/first-password"}


def login_page(ask: Ask) -> Response:
    """Ask for account and password; who is signed in goes on."""
    caller = caller_of(ask.site.gate, ask.token, ask.at) if ask.token else None
    if caller is not None:
        return _on(caller.step, onward(ask, ask.query.get("next", "")))
    told = ask.words("您已退出。", "You are signed out.") if ask.query.get("out") else ""
    return _login(ask, told=told, following=ask.query.get("next", ""))


def login(ask: Ask) -> Response:
    """Take account and password."""
    name, password = ask.form.get("login", ""), ask.form.get("password", "")
    try:
        begun = sign_in(ask.site.gate, name, password, ask.at, address=ask.client, agent=ask.agent, replaces=ask.token)
    except AccessError as error:
        return _login(ask, error, name, following=ask.form.get("next", ""))
    return entered(ask, begun, onward(ask, ask.form.get("next", "")))


def code_page(ask: Ask) -> Response:
    """Ask for the code of the second factor; where it was given, or none is needed, go on."""
    if ask.me.step != "code":
        return see("/")
    return _code(ask, ask.query.get("next", ""))


def code(ask: Ask) -> Response:
    """Take the code."""
    try:
        begun = pass_code(ask.site.gate, ask.token, ask.form.get("code", ""), ask.at)
    except AccessError as error:
        return _code(ask, ask.form.get("next", ""), error)
    return entered(ask, begun, onward(ask, ask.form.get("next", "")))


def first_page(ask: Ask) -> Response:
    """Ask for a password of one's own."""
    if ask.me.step != "change":
        return see("/account")
    return _first(ask, ask.query.get("next", ""), {})


def first(ask: Ask) -> Response:
    """Take it."""
    begun, faults, status = changed(ask)
    following = ask.form.get("next", "")
    return _first(ask, following, faults, status) if begun is None else entered(ask, begun, onward(ask, following))


def logout(ask: Ask) -> Response:
    """End the session."""
    sign_out(ask.site.gate, ask.token, ask.at)
    response = see("/login", out="1")
    drop(response, SESSION, ask.site.settings.secure)
    drop(response, VISIT, ask.site.settings.secure)
    return response


def changed(ask: Ask) -> tuple[SignedIn | None, dict[str, str], int]:
    """Change the caller's password as the form says; else give what is wrong, by field, and the status."""
    old, new, again = (ask.form.get(name, "") for name in ("old", "new", "again"))
    if new != again:
        return None, {"again": ask.words("两次输入的新口令不同", "the two new passwords differ")}, 422
    try:
        return change_password(ask.site.gate, ask.token, old, new, ask.at), {}, 200
    except PasswordRefused as error:
        return None, {"new": said(ask, error)}, 422
    except LoginRefused:
        return None, {"old": ask.words("原口令不正确", "the old password is wrong")}, 422
    except AccessError as error:
        return None, {"": said(ask, error)}, status_of(error)


def said(ask: Ask, error: AccessError) -> str:
    """Give the words of a refusal."""
    return ask.words(error.message, error.message_en)


def status_of(error: AccessError) -> int:
    """Give the status of a refusal."""
    return 429 if isinstance(error, MustWait) else 503 if isinstance(error, DoorBusy) else 401


def onward(ask: Ask, wanted: str) -> str:
    """Give the page of ours to go on to; anything else that an address asks for is the desk."""
    path = wanted.partition("?")[0]
    plain = wanted.isascii() and wanted.isprintable() and "\\" not in wanted and "#" not in wanted
    return wanted if plain and any(known.match(path) for known in ask.site.pages) else "/"


def entered(ask: Ask, begun: SignedIn, target: str) -> Response:
    """Give the browser its new token, and the next step or page."""
    response = _on(begun.step, target)
    keep(response, SESSION, begun.token, ask.site.settings.secure)
    return response


def _on(step: str, target: str) -> RedirectResponse:
    if step in STEP_PAGES:
        return see(STEP_PAGES[step], next="" if target == "/" else target)
    return RedirectResponse(target, status_code=303)


def show_login(ask: Ask, error: AccessError, status: int = 0) -> Response:
    """Show the login page with what went wrong."""
    return _login(ask, error, status=status)


def _login(
    ask: Ask, error: AccessError | None = None, name: str = "", told: str = "", following: str = "", status: int = 0
) -> Response:
    status = status or (200 if error is None else status_of(error))
    fault = said(ask, error) if error else ""
    return page(
        ask, "login.html", status, fault=fault, told=told, login=name[:120], onward=onward(ask, following),
        oidc=ask.site.settings.oidc,
    )  # fmt: skip


def _code(ask: Ask, following: str, error: AccessError | None = None) -> Response:
    status = 200 if error is None else status_of(error)
    fault = said(ask, error) if error else ""
    return page(ask, "second_factor.html", status, fault=fault, onward=onward(ask, following))


def _first(ask: Ask, following: str, faults: dict[str, str], status: int = 200) -> Response:
    return page(ask, "first_password.html", status, faults=faults, onward=onward(ask, following))
