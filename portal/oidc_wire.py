"""The other side of single sign-on over HTTP: what the provider says of itself, its keys, and the code for a token.

Short answers only, no redirects, no proxies of the environment; every address is https, or of this machine like the
provider itself where one is tried out.
"""

from __future__ import annotations

import json
import threading
import time
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx

from portal.access.errors import AccessError
from portal.access.oidc import Attempt
from portal.settings import LOOPBACK, OidcSettings

SECONDS = 10.0
MOST_BYTES = 512 * 1024
FRESH_SECONDS = 3600.0
RETRY_SECONDS = 60.0
"""How long keys just fetched are believed to be all there are."""


class ProviderTrouble(AccessError):
    """The provider cannot be reached, or says what makes no sense."""

    code = "oidc-trouble"

    def __init__(self, why: str) -> None:
        super().__init__(
            "统一身份认证暂时不可用，请稍后再试，或用口令登录",
            "single sign-on cannot be used now: try again later, or sign in with your password",
        )
        self.why = why


class Provider:
    """One provider, with what it said of itself in the last hour."""

    def __init__(self, settings: OidcSettings) -> None:
        self.settings = settings
        self._turn = threading.Lock()
        self._told: dict[str, tuple[float, dict[str, Any]]] = {}

    def address_for(self, attempt: Attempt, back: str) -> str:
        """Give the address a browser is sent to."""
        asked = {
            "response_type": "code", "client_id": self.settings.client_id, "redirect_uri": back,
            "scope": self.settings.scopes, "state": attempt.state, "nonce": attempt.nonce,
            "code_challenge": attempt.challenge, "code_challenge_method": "S256",
        }  # fmt: skip
        place = self._endpoint("authorization_endpoint")
        return f"{place}{'&' if '?' in place else '?'}{urlencode(asked)}"

    def token_for(self, code: str, attempt: Attempt, back: str) -> str:
        """Change a code for an identity token.

        Raises
        ------
        ProviderTrouble
        """
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back,
            "code_verifier": attempt.verifier,
        }
        told = self._ask("POST", self._endpoint("token_endpoint"), form)
        token = told.get("id_token")
        if not isinstance(token, str):
            raise ProviderTrouble("no id_token")
        return token

    def keys(self, *, anew: bool = False) -> dict[str, Any]:
        """Give the keys tokens are signed with; ``anew`` fetches them again where that was not just done."""
        return self._kept(self._endpoint("jwks_uri"), RETRY_SECONDS if anew else FRESH_SECONDS)

    def _endpoint(self, name: str) -> str:
        place = self.settings.issuer.rstrip("/") + "/.well-known/openid-configuration"
        told = self._kept(place, FRESH_SECONDS)
        if told.get("issuer") != self.settings.issuer:
            raise ProviderTrouble(f"the issuer calls itself {told.get('issuer')!r}")
        return self._safe(str(told.get(name, "")))

    def _safe(self, address: str) -> str:
        parts = urlsplit(address)
        local = urlsplit(self.settings.issuer).hostname in LOOPBACK and parts.hostname in LOOPBACK
        if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and local)):
            raise ProviderTrouble(f"not a safe address: {address!r}")
        return address

    def _kept(self, address: str, seconds: float) -> dict[str, Any]:
        with self._turn:
            at, told = self._told.get(address, (float("-inf"), {}))
            if time.monotonic() - at > seconds:
                told = self._ask("GET", self._safe(address))
                self._told[address] = time.monotonic(), told
            return told

    def _ask(self, method: str, address: str, form: dict[str, str] | None = None) -> dict[str, Any]:
        secret = httpx.BasicAuth(self.settings.client_id, self.settings.secret) if form is not None else None
        body = bytearray()
        try:
            with (
                httpx.Client(timeout=SECONDS, follow_redirects=False, trust_env=False) as client,
                client.stream(
                    method, address, data=form, auth=secret, headers={"accept": "application/json"}
                ) as answer,
            ):
                for part in answer.iter_bytes():
                    body += part
                    if len(body) > MOST_BYTES:
                        raise ProviderTrouble("the answer is too long")
                if answer.status_code != 200:
                    raise ProviderTrouble(f"{method} {urlsplit(address).path}: {answer.status_code}")
            told = json.loads(body)
        except (httpx.HTTPError, ValueError) as error:
            raise ProviderTrouble(f"{type(error).__name__} {error}") from error
        if not isinstance(told, dict):
            raise ProviderTrouble("the answer is no object")
        return told
