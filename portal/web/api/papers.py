"""The OpenAPI document itself, for everybody: it tells what there is, not what is in it."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from portal.web.api.answering import marked, offered
from portal.web.api.shapes import ETAG, OPEN, TEXT, thing
from portal.web.asking import PUBLIC, ApiDoc, Ask, Site
from portal.web.openapi import document


def openapi(ask: Ask) -> Response:
    """Give the document."""
    return marked(ask, ask.site.once(described))


def described(site: Site) -> dict[str, Any]:
    """Make the document of all routes; see ``Site.once``."""
    from portal.web.api import ROOM

    return document(ROOM.routes, site.settings.secure)


ROUTES = (
    offered(
        "GET", "/openapi.json", PUBLIC, openapi,
        ApiDoc(
            "This document",
            answers={"application/json": thing(openapi=TEXT, info=OPEN, paths=OPEN, components=OPEN)},
            headers=ETAG,
        ),
    ),
)  # fmt: skip
