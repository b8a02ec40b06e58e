"""The catalogue: what lies on the shelf, in words and for programs; and who took what of it."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import Response

from portal.exports import package, record, shelf, uses
from portal.web.asking import Ask
from portal.web.pages import page
from portal.web.shared.taking import desk_of
from portal.web.shared.wording import FACES, FORM_WORDS, STATES, filter_words
from records.export_log import exports
from schemas.contracts import tables
from schemas.export_rules import export_rules

LISTED = 100


def catalogue(ask: Ask) -> Response:
    """Show every shared table, how much is in it, and the terms."""
    found = sorted(shelf(ask.site.places).values(), key=lambda one: not one.status["rows_history"])
    return page(
        ask, "shared/catalogue.html",
        found=found, licence=export_rules().licence, uses=uses(desk_of(ask), ask.me),
        takes=ask.may("catalogue.download").ok, asks=ask.may("query.run").ok,
    )  # fmt: skip


def datapackage(ask: Ask) -> Response:
    """Give the Data Package of the shared tables."""
    return _json(package(ask.site.places), "application/json")


def dcat(ask: Ask) -> Response:
    """Give the DCAT record of the shared tables."""
    return _json(record(ask.site.places), "application/ld+json")


def exported(ask: Ask) -> Response:
    """List what the caller took out; who audits his bureau sees what everybody of it did."""
    everybody = ask.may("audit.read", ask.me.bureau).ok
    mine = "" if everybody else ask.me.account_id
    titles = {name: (one.title_zh, one.title_en) for name, one in tables().items()}
    return page(
        ask, "shared/exports.html",
        found=exports(ask.site.records, ask.me.bureau, mine, LISTED), everybody=everybody, titles=titles,
        uses=uses(desk_of(ask), ask.me), forms=FORM_WORDS, faces=FACES, states=STATES, most=LISTED,
        told=lambda one: filter_words(ask.words, one.chosen),
    )  # fmt: skip


def _json(told: dict[str, Any], kind: str) -> Response:
    text = json.dumps(told, ensure_ascii=False, indent=1, default=str) + "\n"
    return Response(text.encode(), media_type=kind)
