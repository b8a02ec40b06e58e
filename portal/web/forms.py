"""Forms as they come in: read only as far as they may be long, in the time they may take, into plain text fields."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request

from portal.web.errors import Problem

FORM_SECONDS = 20.0
FIELDS = 60
BYTES_A_FIELD = 512
"""A form that may be longer may have more fields."""
FORM_TYPE = "application/x-www-form-urlencoded"
JSON_TYPE = "application/json"


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong with a form: a sentence for a field, or for the whole under a blank name."""

    by_field: dict[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Say whether there is any."""
        return bool(self.by_field)


async def read_form(request: Request, most: int) -> dict[str, str]:
    """Read the fields of a form of at most ``most`` bytes; of one named twice the last counts.

    Raises
    ------
    Problem
        Another type of content (415), too long (413), too slow (408), not text (400).
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM_TYPE:
        raise Problem(415)
    body = await _in_time(request, most)
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=max(FIELDS, most // BYTES_A_FIELD),
        )
    except ValueError:
        raise Problem(400) from None
    return dict(pairs)


async def read_json(request: Request, most: int) -> Any:
    """Read a JSON body of at most ``most`` bytes.

    Raises
    ------
    Problem
        Another type of content (415), too long (413), too slow (408), no JSON (400).
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON_TYPE:
        raise Problem(415)
    body = await _in_time(request, most)
    try:
        return json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise Problem(400, "no-json", "请求内容不是有效的 JSON", "the request is no valid JSON") from None


def _no_number(text: str) -> None:
    raise ValueError(text)


async def _in_time(request: Request, most: int) -> bytes:
    try:
        async with asyncio.timeout(FORM_SECONDS):
            return await _body(request, most)
    except TimeoutError:
        raise Problem(408) from None
    except ClientDisconnect:
        raise Problem(400) from None


async def _body(request: Request, most: int) -> bytes:
    """Read a body; what says, or turns out, to be too long is not read on."""
    said = request.headers.get("content-length", "0")
    if not said.isascii() or not said.isdigit():
        raise Problem(400)
    if int(said) > most:
        raise Problem(413)
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most:
            raise Problem(413)
    return bytes(body)
