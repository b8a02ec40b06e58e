"""The browser's side of a session: cookies, and the secret of those who are not signed in yet.

The session cookie holds a token whose hash alone the records know. Over https its name begins with ``__Host-``, so that
no other host of the domain can set it; plain http exists on this machine's own address only.
"""

from __future__ import annotations

import re
import secrets

from starlette.requests import Request
from starlette.responses import Response

from portal.web.words import COOKIE as LANGUAGE_COOKIE

SESSION, VISIT = "gongzhi", "gongzhi-visit"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,128}")
YEAR = 365 * 24 * 3600


def cookie_name(name: str, secure: bool) -> str:
    """Give the name a cookie has here."""
    return f"__Host-{name}" if secure else name


def token_in(request: Request, name: str, secure: bool) -> str:
    """Read a token from a cookie; blank where there is none or it cannot be one."""
    said = request.cookies.get(cookie_name(name, secure), "")
    return said if _TOKEN.fullmatch(said) else ""


def new_visit() -> str:
    """Make the secret that the forms of a visitor hang on."""
    return secrets.token_urlsafe(32)


def keep(response: Response, name: str, token: str, secure: bool) -> None:
    """Give the browser a token until it is closed; the server decides how long it lives."""
    response.set_cookie(cookie_name(name, secure), token, path="/", secure=secure, httponly=True, samesite="lax")


def drop(response: Response, name: str, secure: bool) -> None:
    """Take a token back."""
    response.delete_cookie(cookie_name(name, secure), path="/", secure=secure, httponly=True, samesite="lax")


def keep_language(response: Response, language: str, secure: bool) -> None:
    """Remember the chosen language."""
    response.set_cookie(LANGUAGE_COOKIE, language, max_age=YEAR, path="/", secure=secure, httponly=True, samesite="lax")
