"""The OpenAPI 3.1 document of the interface for programs, made from the table of routes; nothing in it is written twice.

What a route's ``ApiDoc`` does not say follows from the guard: the errors it may give, the keys that open it, the headers
every answer carries.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from portal.web.asking import PUBLIC, ApiDoc, Route
from portal.web.errors import SAID
from portal.web.guard import TOKEN_HEADER
from portal.web.sessions import SESSION, cookie_name
from schemas.permissions import permissions

EDITION = "3.1.0"
STREAM = "application/octet-stream"
_PARAMETER = re.compile(r"\{([a-z_]+)\}")
RATE_HEADERS = {
    "RateLimit-Limit": "requests the bucket holds",
    "RateLimit-Remaining": "requests left in it",
    "RateLimit-Reset": "seconds until it is full again",
}
SENT = {
    "Idempotency-Key": "one for each file, of at most 200 characters: sent again with it, the file is handed in once",
    "Content-Disposition": "attachment; filename*=UTF-8''…, the name of the file, unless ?name= gives it",
}
"""Headers beside a body that is a file."""
ERROR = {
    "type": "object",
    "description": "the one shape of every error, of unknown addresses too",
    "required": ["error"],
    "additionalProperties": False,
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "message_en", "number"],
            "properties": {
                "code": {"type": "string", "description": "stays the same under the same meaning"},
                "message": {"type": "string", "description": "Chinese: place, problem, remedy"},
                "message_en": {"type": "string"},
                "number": {"type": "string", "description": "to be told to the administrator: it stands in the log"},
            },
        }
    },
}
EXAMPLE = {"error": {"code": SAID[404][0], "message": SAID[404][1], "message_en": SAID[404][2], "number": "0F1E2D3C4B"}}


def document(routes: Iterable[Route], secure: bool) -> dict[str, Any]:
    """Describe the routes that have an ``ApiDoc``; ``secure``: the portal is served over https."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        if route.doc is not None:
            paths.setdefault(route.path, {})[route.method.lower()] = operation(route, route.doc)
    return {
        "openapi": EDITION,
        "info": {
            "title": "共治 gongzhi",
            "version": "1",
            "summary": "What two ecology bureaus hand in, and what they share",
            "description": "Bearer keys are issued by the administrator of a bureau; the bureau of a request is that of"
            " its key. Instants are ISO 8601 with a zone, days are China days. New parts may come into an answer; a part"
            " never changes its meaning.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": {"Error": ERROR},
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "gz_…, an API key"},
                "session": {"type": "apiKey", "in": "cookie", "name": cookie_name(SESSION, secure)},
                "csrf": {"type": "apiKey", "in": "header", "name": TOKEN_HEADER, "description": "beside a session"},
            },
        },
    }


def operation(route: Route, doc: ApiDoc) -> dict[str, Any]:
    """Describe one method of one address."""
    subject = route.path.split("/")[3]
    told: dict[str, Any] = {
        "operationId": operation_id(route),
        "summary": doc.summary,
        "tags": [subject],
        "parameters": list(_parameters(route, doc)),
        "responses": {str(doc.status): _success(doc)} | dict(_failures(route, doc)),
        "security": _security(route),
    }
    if route.permission != PUBLIC:
        wanted = permissions()[route.permission]
        told["x-permission"] = wanted.permission
        told["description"] = f"Needs `{wanted.permission}` ({wanted.title_zh}): {wanted.title_en}."
    if route.method == "POST":
        kind = STREAM if route.takes == "stream" else "application/json"
        told["requestBody"] = {"required": True, "content": {kind: {"schema": doc.body or {}}}}
    return told


def operation_id(route: Route) -> str:
    """Name an operation: ``getBatchesNumberFindings``."""
    parts = re.findall(r"[a-z0-9]+", route.path.removeprefix("/api/v1"))
    return route.method.lower() + "".join(part.capitalize() for part in parts)


def _parameters(route: Route, doc: ApiDoc) -> Iterator[dict[str, Any]]:
    for name in _PARAMETER.findall(route.path):
        yield _parameter(name, "path", dict(doc.path.get(name, {"type": "string"})) | {"required": True})
    for name, schema in doc.query.items():
        yield _parameter(name, "query", schema)
    for name, says in (SENT if route.takes == "stream" else {}).items():
        yield _parameter(name, "header", {"type": "string", "description": says})


def _parameter(name: str, place: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a parameter; ``required`` and ``description`` stand outside its schema, a list goes with commas."""
    bare = {key: value for key, value in schema.items() if key not in ("required", "description")}
    told: dict[str, Any] = {"name": name, "in": place, "schema": bare}
    if schema.get("required") is True:
        told["required"] = True
    if "description" in schema:
        told["description"] = schema["description"]
    if bare.get("type") == "array":
        told |= {"style": "form", "explode": False}
    return told


def _success(doc: ApiDoc) -> dict[str, Any]:
    headers = {name: {"schema": dict(schema)} for name, schema in doc.headers.items()} | _rates()
    content = {kind: {"schema": schema} for kind, schema in doc.answers.items()}
    return {"description": doc.summary, "headers": headers, "content": content}


def _rates() -> dict[str, Any]:
    return {name: {"description": says, "schema": {"type": "integer"}} for name, says in RATE_HEADERS.items()}


def _failures(route: Route, doc: ApiDoc) -> Iterator[tuple[str, dict[str, Any]]]:
    if "ETag" in doc.headers:
        yield "304", {"description": "unchanged since the answer with this ETag"}
    for status in sorted(failing(route, doc)):
        words = SAID.get(status, ("", "", ""))
        said = f"{words[1]} / {words[2]}" if words[1] else "见 code 与 message / see code and message"
        content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}, "example": EXAMPLE}}
        headers = {"Retry-After": {"schema": {"type": "integer"}}} if status in (429, 503) else {}
        yield str(status), {"description": said, "headers": headers, "content": content}


def failing(route: Route, doc: ApiDoc) -> set[int]:
    """Give the statuses of the errors an address may answer with."""
    found = {400, 414, 422, 429, 500, 503}
    found |= set() if route.permission == PUBLIC else {401, 403}
    found |= {404} if _PARAMETER.search(route.path) else set()
    found |= {406} if len(doc.answers) > 1 else set()
    found |= {408, 413, 415} if route.method == "POST" else set()
    found |= {409, 507} if route.takes == "stream" and route.method == "POST" else set()
    return found


def _security(route: Route) -> list[dict[str, list[str]]]:
    if route.permission == PUBLIC:
        return []
    beside: dict[str, list[str]] = {"csrf": []} if route.method == "POST" else {}
    return (
        [{"key": []}, {"session": []} | beside] if permissions()[route.permission].key else [{"session": []} | beside]
    )
