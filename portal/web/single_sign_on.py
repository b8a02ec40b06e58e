"""统一身份认证: to the provider and back; off unless ``portal.toml`` names one."""

from __future__ import annotations

import logging

from starlette.responses import RedirectResponse, Response

from portal.access.errors import AccessError, LoginRefused
from portal.access.oidc import Attempt, begin, login_in, read_state, sign_in_as
from portal.oidc_wire import Provider, ProviderTrouble
from portal.settings import OidcSettings
from portal.web.asking import Ask, Site
from portal.web.errors import Problem, printable
from portal.web.security import own_address
from portal.web.sessions import VISIT, keep
from portal.web.signing_in import entered, onward, show_login

RETURN = "/login/oidc/return"

log = logging.getLogger("gongzhi.web")


def provider(site: Site) -> Provider:
    """Make the one provider of a portal."""
    settings = site.settings.oidc
    if settings is None:
        raise Problem(404)
    return Provider(settings)


def leave(ask: Ask) -> Response:
    """Send the browser to the provider."""
    there = ask.site.once(provider)
    attempt = begin(ask.visit, onward(ask, ask.query.get("next", "")), ask.at)
    try:
        response: Response = RedirectResponse(there.address_for(attempt, _back(ask)), status_code=303)
    except ProviderTrouble as error:
        return _troubled(ask, error)
    keep(response, VISIT, ask.visit, ask.site.settings.secure)
    return response


def come_back(ask: Ask) -> Response:
    """Take the answer of the provider."""
    there = ask.site.once(provider)
    try:
        attempt = read_state(ask.visit, ask.query.get("state", ""), ask.at)
        code = ask.query.get("code", "")
        if not code:  # the provider says why in words of its own, which are not repeated
            raise LoginRefused(
                "统一身份认证没有完成，请重试", "the sign-in was not completed at the provider; try again"
            )
        login = _login_of(there, there.settings, there.token_for(code, attempt, _back(ask)), attempt, ask)
        begun = sign_in_as(
            ask.site.gate, login, ask.at, address=ask.client, agent=ask.agent, replaces=ask.token
        )  # fmt: skip
    except ProviderTrouble as error:
        return _troubled(ask, error)
    except AccessError as error:
        return show_login(ask, error)
    return entered(ask, begun, onward(ask, attempt.onward))


def _login_of(there: Provider, settings: OidcSettings, token: str, attempt: Attempt, ask: Ask) -> str:
    """Verify the token, with the provider's keys fetched again where those known do not fit: it may have changed them."""
    try:
        return login_in(token, there.keys(), settings, attempt.nonce, ask.at)
    except LoginRefused:
        return login_in(token, there.keys(anew=True), settings, attempt.nonce, ask.at)


def _back(ask: Ask) -> str:
    return own_address(ask.site.settings.address, ask.headers.get("host", "")) + RETURN


def _troubled(ask: Ask, error: ProviderTrouble) -> Response:
    log.warning("统一身份认证 / single sign-on: %s", printable(error.why))
    return show_login(ask, error, 503)
