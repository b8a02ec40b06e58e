"""One small file of a form, read into memory and no further: what holds personal data must not touch a disk on its way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from portal.web.asking import Ask
from portal.web.errors import Problem
from portal.web.guard import TOKEN_HEADER, check_token

SECONDS = 60.0
FIELDS = 20
FRAME = 16 * 1024
"""Bytes the other fields of the form and its frame may take beside the file."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What came: the bytes of the file, its name as the browser gave it, and the other fields."""

    data: bytes
    name: str
    fields: dict[str, str]


async def one_file(ask: Ask, most: int) -> Sent:
    """Read a form with one file of at most ``most`` bytes, if it carries the token of its session.

    Raises
    ------
    Problem
        No form of ours (403), another shape (400), too large (413), too slow (408).
    """
    request = ask.request
    assert request is not None, "a route that takes a stream is given the request"
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        check_token(ask, request.headers.get(TOKEN_HEADER, ""))
        raise Problem(415)
    try:
        async with asyncio.timeout(SECONDS):
            sent = await _parsed(request, most)
    except TimeoutError:
        raise Problem(408) from None
    except (ClientDisconnect, MultiPartException):
        raise Problem(400) from None
    check_token(ask, sent.fields.pop("csrf", request.headers.get(TOKEN_HEADER, "")))
    return sent


async def _parsed(request: Request, most: int) -> Sent:
    said = request.headers.get("content-length", "0")
    if not (said.isascii() and said.isdigit()):
        raise Problem(400)
    if int(said) > most + FRAME:
        raise _too_large(most)
    parser = MultiPartParser(
        request.headers, _bounded(request, most), max_files=1, max_fields=FIELDS, max_part_size=FRAME
    )
    parser.spool_max_size = most + FRAME + 1  # what cannot grow past this never goes to a disk
    form = await parser.parse()
    try:
        fields = {name: value for name, value in form.multi_items() if isinstance(value, str)}
        for value in form.values():
            if isinstance(value, UploadFile):
                return Sent(await value.read(), value.filename or "", fields)
        return Sent(b"", "", fields)
    finally:
        await form.close()


async def _bounded(request: Request, most: int) -> AsyncGenerator[bytes, None]:
    count = 0
    async for part in request.stream():
        count += len(part)
        if count > most + FRAME:
            raise _too_large(most)
        yield part


def _too_large(most: int) -> Problem:
    number = most // 2**20
    return Problem(
        413,
        "too-large",
        f"文件超过 {number} MB，请拆分后分次上传",
        f"the file is larger than {number} MB: send it in parts",
    )
