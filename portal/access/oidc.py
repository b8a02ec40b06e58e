"""Signing in at a provider the bureaus trust (OpenID Connect Core 1.0): what is asked, and what of the answer is believed.

The authorization code flow with PKCE (RFC 7636). All that must be remembered between the two halves is made from the
secret in the visitor's cookie and stands in ``state``: nothing is kept here, and nobody's answer fits another browser.
Nobody gets an account this way: the claim names the login of one that an administrator made. A second factor of ours
is asked for all the same, and a one-time password must be changed first.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NoReturn

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from portal.access import sessions
from portal.access.checking import refuse
from portal.access.errors import LoginRefused
from portal.access.gate import Gate
from portal.access.login import fold_login, sign_out
from portal.access.sessions import SignedIn
from portal.access.throttling import counted_address
from portal.settings import OidcSettings
from records import accounts

ALGORITHMS = ["RS256", "PS256", "ES256"]
"""Of an identity token; never ``none``, never one whose key both sides know."""
GOOD_FOR = timedelta(minutes=10)
LEEWAY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt: what goes to the provider, what only we know, and where to go on to afterwards."""

    state: str
    nonce: str
    verifier: str
    onward: str

    @property
    def challenge(self) -> str:
        """Give what the provider is told of the verifier (S256)."""
        return _b64(hashlib.sha256(self.verifier.encode()).digest())


def begin(visit: str, onward: str, at: datetime) -> Attempt:
    """Begin an attempt of the visitor who has this secret."""
    told = _b64(json.dumps([secrets.token_urlsafe(16), int(at.timestamp()), onward]).encode())
    return _attempt(visit, told, onward)


def read_state(visit: str, state: str, at: datetime) -> Attempt:
    """Find the attempt an answer belongs to.

    Raises
    ------
    LoginRefused
        It is none of this visitor, or too old.
    """
    told, _, _ = state.partition(".")
    if not visit or not hmac.compare_digest(_state(visit, told).encode(), state.encode("utf-8", "replace")):
        _stale()
    _, begun, onward = json.loads(base64.urlsafe_b64decode(told + "=" * (-len(told) % 4)))
    if not timedelta() <= at - datetime.fromtimestamp(begun, at.tzinfo) <= GOOD_FOR:
        _stale()
    return _attempt(visit, told, onward)


def login_in(token: str, keys: Mapping[str, Any], settings: OidcSettings, nonce: str, at: datetime) -> str:
    """Verify an identity token and give the login it names.

    Raises
    ------
    LoginRefused
        The signature, issuer, audience, nonce or time is not right, or the claim is missing.
    """
    try:
        claims = jwt.decode(token, KeySet.import_key_set(dict(keys)), algorithms=ALGORITHMS).claims  # type: ignore[arg-type]
        registry = jwt.JWTClaimsRegistry(
            now=int(at.timestamp()), leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": settings.issuer}, aud={"essential": True, "value": settings.client_id},
            exp={"essential": True}, iat={"essential": True}, sub={"essential": True},
            nonce={"essential": True, "value": nonce},
        )  # fmt: skip
        registry.validate(claims)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise _unverified() from error
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if (several or "azp" in claims) and claims.get("azp") != settings.client_id:
        raise _unverified()
    login = claims.get(settings.claim)
    if not isinstance(login, str) or not login:
        raise _unverified()
    return login


def sign_in_as(
    gate: Gate, login: str, at: datetime, *, address: str = "", agent: str = "", replaces: str = ""
) -> SignedIn:
    """Begin a session of the account the provider named.

    Raises
    ------
    LoginRefused
        There is no such account, or it is closed.
    MustWait
    """
    found = accounts.find_login(gate.records, fold_login(login))
    with counted_address(gate, address, at):
        if found is None or found.disabled_at is not None:
            refuse(gate, found, "oidc", "unknown" if found is None else "disabled", at)
    if replaces:
        sign_out(gate, replaces, at)
    step = sessions.step_of(found.one_time_until is not None, found.factor_at is not None, False)
    return sessions.begin(gate, found.account_id, found.bureau, step, at, "oidc", address=address, agent=agent)


def _attempt(visit: str, told: str, onward: str) -> Attempt:
    return Attempt(_state(visit, told), _mac(visit, "nonce", told), _mac(visit, "verifier", told), onward)


def _state(visit: str, told: str) -> str:
    return f"{told}.{_mac(visit, 'state', told)}"


def _mac(visit: str, what: str, told: str) -> str:
    return _b64(hmac.new(visit.encode(), f"gongzhi oidc {what} {told}".encode(), hashlib.sha256).digest())


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _stale() -> NoReturn:
    raise LoginRefused(
        "此次登录已失效或不是从本浏览器发起，请重新登录",
        "this attempt ran out or began in another browser: sign in again",
    )


def _unverified() -> LoginRefused:
    return LoginRefused(
        "统一身份认证的答复未能通过核验，请重试；仍不行请联系系统管理员",
        "the answer of the identity provider could not be verified; try again, or ask your administrator",
    )
