"""账户: one's own password, second factor and sessions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup
from starlette.responses import Response

from portal.access.errors import AccessError, LoginRefused
from portal.access.second_factor import begin_enrolment, confirm_enrolment, renew_recovery_codes
from portal.access.sessions import end_others, open_sessions
from portal.web.asking import Ask, csrf_token, see
from portal.web.pages import page
from portal.web.sessions import SESSION, keep
from portal.web.signing_in import changed, onward, said, status_of
from records.accounts import account as account_of
from schemas.permissions import portal_roles

DONE = {
    "password": ("口令已修改，其他会话都已结束。", "The password is changed; all other sessions have ended."),
    "sessions": ("其他会话都已结束。", "All other sessions have ended."),
}


def account(ask: Ask) -> Response:
    """Show the caller's account."""
    return _account(ask, told=ask.words(*DONE.get(ask.query.get("done", ""), ("", ""))))


def password(ask: Ask) -> Response:
    """Change the password."""
    begun, faults, status = changed(ask)
    if begun is None:
        return _account(ask, status, faults=faults)
    response = see("/account", done="password")
    keep(response, SESSION, begun.token, ask.site.settings.secure)
    return response


def others(ask: Ask) -> Response:
    """End all other sessions."""
    end_others(ask.site.gate, ask.me, ask.at)
    return see("/account", done="sessions")


def offer_factor(ask: Ask) -> Response:
    """Offer a new second factor, for a password."""
    try:
        offered = begin_enrolment(ask.site.gate, ask.token, ask.form.get("password", ""), ask.at)
    except AccessError as error:
        return _account(ask, _status(error), faults={"password": _password_fault(ask, error)})
    return _offer(ask, offered.offer, offered.uri, offered.secret)


def confirm_factor(ask: Ask) -> Response:
    """Keep the offered second factor once its first code fits, and show the recovery codes."""
    offer = ask.form.get("offer", "")
    try:
        enrolled = confirm_enrolment(ask.site.gate, ask.token, offer, ask.form.get("code", ""), ask.at)
    except AccessError as error:
        return _account(ask, _status(error), faults={"": said(ask, error)})
    response = _codes(ask, enrolled.recovery_codes, enrolled.signed_in.token)
    keep(response, SESSION, enrolled.signed_in.token, ask.site.settings.secure)
    return response


def new_codes(ask: Ask) -> Response:
    """Give new recovery codes, for a password."""
    try:
        codes = renew_recovery_codes(ask.site.gate, ask.token, ask.form.get("codes-password", ""), ask.at)
    except AccessError as error:
        return _account(ask, _status(error), faults={"codes-password": _password_fault(ask, error)})
    return _codes(ask, codes, ask.token)


def _password_fault(ask: Ask, error: AccessError) -> str:
    return ask.words("口令不正确", "the password is wrong") if isinstance(error, LoginRefused) else said(ask, error)


def _status(error: AccessError) -> int:
    """Give the status of a refusal within a session; 401 would say that there is none."""
    return 422 if status_of(error) == 401 else status_of(error)


def _account(ask: Ask, status: int = 200, told: str = "", faults: dict[str, str] | None = None) -> Response:
    known, mine = portal_roles(), account_of(ask.site.records, ask.me.account_id)
    roles = [ask.words(known[role].title_zh, known[role].title_en) for role in sorted(ask.me.roles) if role in known]
    return page(
        ask, "account.html", status,
        roles=roles, mine=mine, sessions=open_sessions(ask.site.gate, ask.me, ask.at), told=told, faults=faults or {},
        onward=_onward(ask),
    )  # fmt: skip


def _offer(ask: Ask, offer: str, uri: str, secret: str) -> Response:
    from records.paper import qr_code

    spelt = " ".join(secret[n : n + 4] for n in range(0, len(secret), 4))
    return page(ask, "enrol.html", offer=offer, secret=spelt, qr=Markup(qr_code(uri)), onward=_onward(ask))


def _codes(ask: Ask, codes: Sequence[str], token: str) -> Response:
    """Show recovery codes once; the page's forms belong to the session's new token."""
    values: dict[str, Any] = {"codes": codes, "csrf": csrf_token(token), "onward": _onward(ask)}
    return page(ask, "recovery_codes.html", **values)


def _onward(ask: Ask) -> str:
    """Give the page whoever enrols wanted to see, blank where he came for the account itself."""
    found = onward(ask, ask.form.get("next", "") or ask.query.get("next", ""))
    return "" if found == "/" else found
