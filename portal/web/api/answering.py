"""How the interface answers: JSON as it is meant to be read, marked so that nothing is sent twice, and not too often."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from inspect import iscoroutinefunction
from typing import Any, Literal, cast

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from portal.web.asking import ApiDoc, Ask, Route
from portal.web.errors import Problem, problem_of
from portal.web.rate import take

ROOT = "/api/v1"
JSON = "application/json"
Answer = Callable[[Ask], Response] | Callable[[Ask], Awaitable[Response]]


def offered(
    method: Literal["GET", "POST"],
    path: str,
    permission: str,
    answer: Answer,
    doc: ApiDoc,
    *,
    group: str = "general",
    takes: Literal["json", "stream"] = "json",
    most: int = 16 * 1024,
) -> Route:
    """Give the route of an address below ``/api/v1``; ``group`` is the bucket it takes from besides the general one."""
    return Route(method, f"{ROOT}{path}", permission, limited(answer, group), takes=takes, most=most, doc=doc)


def limited(answer: Answer, group: str) -> Answer:
    """Let an answer cost a token; what comes of it, an error too, tells how the caller stands."""
    if iscoroutinefunction(answer):
        flowing = cast(Callable[[Ask], Awaitable[Response]], answer)

        async def flow(ask: Ask) -> Response:
            told = _taken(ask, group)
            try:
                return _telling(await flowing(ask), told)
            except Exception as error:
                raise _explained(error, told) from error

        return flow
    plain = cast(Callable[[Ask], Response], answer)

    def give(ask: Ask) -> Response:
        told = _taken(ask, group)
        try:
            return _telling(plain(ask), told)
        except Exception as error:
            raise _explained(error, told) from error

    return give


def _taken(ask: Ask, group: str) -> Mapping[str, str]:
    told = take(ask, "general")
    return told if group == "general" else take(ask, group)


def _telling(response: Response, told: Mapping[str, str]) -> Response:
    response.headers.update(told)
    return response


def _explained(error: Exception, told: Mapping[str, str]) -> Exception:
    """Put the headers on an error that is an answer; what is broken stays what it is, for the log."""
    problem = problem_of(error)
    if problem.status >= 500 and problem is not error:
        return error
    problem.headers = dict(told) | problem.headers
    return problem


def told(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with JSON."""
    return Response(written(document), status, headers, JSON)


def marked(ask: Ask, document: Any) -> Response:
    """Answer with JSON that is sent only where the caller does not have it yet."""
    body = written(document)
    mark = mark_of(hashlib.sha256(body).hexdigest())
    return unchanged(ask, mark) or Response(body, 200, kept_by(mark), JSON)


def written(document: Any) -> bytes:
    """Write JSON: Chinese as it is, no number that is none."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace")  # half a character pair becomes the escape JSON has for it


def mark_of(text: str) -> str:
    """Give an ETag; weak, as the same content may be packed in other bytes."""
    return f'W/"{text[:40]}"'


def kept_by(mark: str) -> dict[str, str]:
    """Give the headers of an answer that need not be sent twice; caches on the way keep nothing (``no-store``) all the same."""
    return {"etag": mark, "vary": "accept, authorization, cookie"}


def unchanged(ask: Ask, mark: str) -> Response | None:
    """Give 304 where the caller has just this (RFC 9110 §13.1.2), else None."""
    said = [one.strip() for one in ask.headers.get("if-none-match", "").split(",")]
    if "*" in said or mark.removeprefix("W/") in (one.removeprefix("W/") for one in said):
        return Response(status_code=304, headers=kept_by(mark))
    return None


async def beside(work: Callable[[], Any]) -> Any:
    """Do what takes its time beside the loop that serves everybody."""
    return await run_in_threadpool(work)


def busy() -> Problem:
    """Tell that all places for heavy work are taken."""
    return Problem(503, headers={"retry-after": "30"})
