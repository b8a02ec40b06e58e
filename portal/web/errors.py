"""What went wrong, said once for pages and programs alike: words, a code, and a number that stands in the log.

A page is answered with a page, ``/api/`` with ``{"error": {"code", "message", "message_en", "number"}}``. Nothing of the
inside (paths, versions, traces, SQL) is ever in an answer: it is in the log, under the number.
"""

from __future__ import annotations

import logging
import secrets
from typing import Any

from credit_registry.errors import DamagedRegister, NoRegister, RegistryError
from expert_registry.errors import ExpertError, NoExpert, NoVaultKey, SealBroken
from pipelines.errors import IntakeError, LayoutError, PublishError
from portal.exports.errors import ExportError
from portal.filing.errors import FilingError, GoneDraft, NotPermitted, NotReady
from records.errors import (
    BusyDatabase,
    IllegalState,
    KeyUsed,
    QuotaReached,
    TwoTongued,
    UnknownBatch,
    UnknownDraw,
    UnknownFiling,
    UnknownSeat,
)

LONGEST = 300
"""Characters of a caller's text that go into a line of the log."""

log = logging.getLogger("gongzhi.web")

SAID: dict[int, tuple[str, str, str]] = {
    400: ("bad-request", "请求无法理解", "the request cannot be understood"),
    401: ("not-signed-in", "请先登录", "please sign in first"),
    403: ("not-allowed", "您没有此项权限", "you may not do this"),
    404: ("not-found", "没有这个页面，或您无权查看", "there is no such page, or you may not see it"),
    405: ("wrong-method", "此地址不接受这种请求方式", "this address does not take this method"),
    408: ("too-slow", "请求内容未在时限内传完，请检查网络后重试", "the request did not arrive in time; try again"),
    411: ("no-length", "请求未说明长度", "the request does not say its length"),
    413: ("too-large", "请求内容过大", "the request is too large"),
    414: ("too-long", "地址过长", "the address is too long"),
    415: ("wrong-type", "请求内容的类型不对", "the request has the wrong type of content"),
    429: ("too-many", "请求过于频繁，请稍后再试", "too many requests; try again later"),
    500: ("broken", "系统出错，已记录；请把编号告诉管理员", "something broke and is on record; tell the administrator the number"),
    503: ("busy", "系统繁忙，请稍后再试", "the system is busy; try again later"),
}  # fmt: skip


STATUS: tuple[tuple[type[TwoTongued], int], ...] = (
    (KeyUsed, 409), (IllegalState, 409), (QuotaReached, 429), (NotReady, 409), (NotPermitted, 403), (GoneDraft, 410),
    (FilingError, 422), (NoRegister, 503), (DamagedRegister, 503), (RegistryError, 422),
    (ExpertError, 422),
)  # fmt: skip
"""Errors whose words are written for the person who asks, with their status; the first that fits."""


ASKED_WRONG = ("query-refused", "query-wrong", "wrong-time", "unknown-column", "unknown-filter")
"""Errors of the shared tables that are the question's fault; the others may name folders and are for the log."""


class Problem(Exception):
    """An answer that is an error; without words of its own it has those of its status."""

    def __init__(
        self,
        status: int,
        code: str = "",
        message: str = "",
        message_en: str = "",
        headers: dict[str, str] | None = None,
    ) -> None:
        known = SAID.get(status, SAID[400] if status < 500 else SAID[500])
        self.status = status
        self.code = code or known[0]
        self.message = message or known[1]
        self.message_en = message_en or known[2]
        self.headers = headers or {}
        self.number = secrets.token_hex(5).upper()
        super().__init__(f"{self.status} {self.code}")

    def as_json(self) -> dict[str, Any]:
        """Give the one shape of an error."""
        names = ("code", "message", "message_en", "number")
        return {"error": {name: getattr(self, name) for name in names}}


def problem_of(error: Exception) -> Problem:
    """Say what an error of ours means to the person in front of the page."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, UnknownBatch | UnknownFiling | NoExpert | UnknownDraw | UnknownSeat):
        return Problem(404)
    if isinstance(error, NoVaultKey | SealBroken):  # their words name folders: for the log alone
        return Problem(500)
    if isinstance(error, ExportError):
        return Problem(error.status, error.code, error.message, error.message_en)
    for kinds, status in STATUS:
        if isinstance(error, kinds):
            return Problem(status, error.code, error.message, error.message_en)
    if isinstance(error, PublishError) and error.code in ASKED_WRONG:
        return Problem(422, error.code, error.message, error.message_en)
    if isinstance(error, IntakeError | LayoutError):  # their words are written for the people who report
        return Problem(422, error.code, error.message, error.message_en)
    if isinstance(error, BusyDatabase):
        return Problem(503)
    return Problem(500)


def printable(text: str) -> str:
    """Make a caller's text fit for one line of a log: control characters spelt out, the end cut off."""
    spelt = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:LONGEST])
    return spelt[:LONGEST]


def note(problem: Problem, method: str, path: str, who: str, error: Exception | None = None) -> None:
    """Write a problem into the log under its number; the trace only where the fault is ours."""
    line = "%s %s %s %s %s"
    told = (problem.number, problem.status, printable(method), printable(path), printable(who))
    if problem.status >= 500:
        log.error(line, *told, exc_info=error)
    elif problem.status in (401, 404):
        log.info(line, *told)
    else:
        log.warning(line + " %s", *told, problem.code)
