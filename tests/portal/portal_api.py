"""Programs that ask the portal: keys of people, and clients that carry one."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from functools import cache
from typing import Any

import httpx
import jsonschema
from portal_web import LOCAL, Person, Town, Wire

from portal.access.keys import IssuedKey, issue_key, key_permissions
from portal.web.api import ROOM
from portal.web.openapi import document

DOCUMENT = document(ROOM.routes, secure=False)
"""What the interface says of itself."""


def issued(town: Town, person: Person, scopes: Collection[str] = (), days: int = 30) -> IssuedKey:
    """A key of somebody; without scopes it has all his role may give it."""
    wanted = scopes or key_permissions(frozenset({person.role}))
    at = town.clock.at
    return issue_key(town.gate, person.account_id, "tests", wanted, at + timedelta(days=days), "tests", at)


def program(town: Town, key: str = "") -> httpx.Client:
    """A program with a key, or a stranger."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return httpx.Client(transport=Wire(town.app), base_url=LOCAL, headers=headers)


def program_of(town: Town, bureau: str, role: str, *scopes: str) -> httpx.Client:
    """A program with a key of somebody in a role."""
    return program(town, issued(town, town.people[bureau, role], scopes).text)


def fits(told: httpx.Response, method: str, path: str) -> Any:
    """Hold an answer against what the document says of it, and give what it says."""
    said = DOCUMENT["paths"][f"/api/v1{path}"][method.lower()]["responses"]
    assert str(told.status_code) in said, (told.status_code, told.text)
    answer = said[str(told.status_code)]
    kind = told.headers.get("content-type", "").partition(";")[0]
    assert kind in {name.partition(";")[0] for name in answer.get("content", {})} or told.status_code == 304
    before_the_room = told.status_code in (
        400,
        401,
        403,
        404,
        408,
        413,
        414,
        415,
    )  # said by the guard, who counts nothing
    assert before_the_room or {"ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"} <= set(told.headers)
    if kind != "application/json":
        return told.content
    _validator(method.lower(), path, str(told.status_code)).validate(told.json())
    return told.json()


@cache
def _validator(method: str, path: str, status: str) -> jsonschema.Draft202012Validator:
    content = DOCUMENT["paths"][f"/api/v1{path}"][method]["responses"][status]["content"]
    schema = next(one["schema"] for name, one in content.items() if name.startswith("application/json"))
    whole = dict(schema) | {"components": DOCUMENT["components"]}
    jsonschema.Draft202012Validator.check_schema(whole)
    return jsonschema.Draft202012Validator(whole, format_checker=jsonschema.FormatChecker())
