"""``/health/ready`` and ``/metrics``: the state to everybody, details and figures with the token only."""

from __future__ import annotations

import json

from starlette.responses import JSONResponse, Response

from portal.service import METRICS_TYPE, Watch
from portal.serving.logs import Tally
from portal.serving.watching import figures, make_watch, may_see
from portal.web.asking import Ask, Site
from portal.web.errors import Problem


def watching(site: Site) -> Watch:
    """Make what looks after a portal."""
    return make_watch(site.places, site.records, site.settings, site.clock)


def counting(site: Site) -> Tally:
    """Make what counts the answers of a portal."""
    return Tally()


def ready(ask: Ask) -> Response:
    """Say whether the exchange can work: 503 where it cannot."""
    told = {name: value for name, value in ask.site.once(watching).look().items() if name != "figures"}
    shown = told if _sees(ask) else {"state": told["state"]}
    text = json.loads(json.dumps(shown, default=str))
    return JSONResponse(text, 503 if told["state"] == "unready" else 200)


def metrics(ask: Ask) -> Response:
    """Give the figures."""
    if not _sees(ask):
        raise Problem(401, "unauthorised", "需要令牌：Authorization: Bearer", "a bearer token is needed",
                      {"www-authenticate": "Bearer"})  # fmt: skip
    body = figures(ask.site.once(watching), ask.site.once(counting))
    return Response(body, headers={"content-type": METRICS_TYPE})


def _sees(ask: Ask) -> bool:
    return may_see(ask.site.settings.metrics_token, ask.headers.get("authorization", ""), ask.client)
