r"""The log of the portal: one event a line, as JSON, on stderr (R31).

Whatever a caller sent, a line stays a line: control and direction characters are escaped, and no event is longer than
8 KB. What looks like a password, key or token is struck out on its way. Of an address only the path is written, never
the query: people search for names.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import sys
import threading
import time
from collections import Counter
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

from starlette.types import ASGIApp, Message, Receive, Scope, Send

LONGEST_LINE = 8 * 1024
LONGEST_PATH = 300
QUIET = ("/static/", "/health/")
"""Begins the path of what is asked every few seconds, or with every page; only its failures are written."""
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"))
_NUMBER = re.compile(r"[A-Za-z0-9-]{8,64}")
_SECRET = re.compile(
    r"gz_[0-9a-f]{12}_[A-Za-z0-9_-]{20,}"
    r"|(?i:\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}"
    r"|(?i:\b(?:password|passwd|secret|token|code_verifier|client_secret|口令|密码))[\"']?\s*[=:：]\s*[\"']?[^\s\"',&;}]{1,200}"
    r"|(?i:(?:__Host-)?gongzhi(?:-visit)?=)[A-Za-z0-9_-]{20,128}"
)
_asked: ContextVar[str] = ContextVar("request", default="")

access = logging.getLogger("gongzhi.access")


class JsonLines(logging.Formatter):
    """Writes a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        told: dict[str, Any] = {"at": at, "level": record.levelname.lower(), "logger": record.name}
        if request := _asked.get():
            told["request"] = request
        told |= getattr(record, "facts", {})
        text = without_secrets(record.getMessage())
        trace = without_secrets(self.formatException(record.exc_info)) if record.exc_info else ""
        return _line(told, text, trace)


def without_secrets(text: str) -> str:
    """Strike out what looks like a secret.

    Examples
    --------
    >>> without_secrets("Authorization: Bearer abcdefgh12345 password=hunter22 ok")
    'Authorization: *** *** ok'
    """
    return _SECRET.sub("***", text)


def _line(told: dict[str, Any], text: str, trace: str) -> str:
    """Put a line together; where it is too long the trace is cut in its middle first, then the words at their end."""
    for room in (LONGEST_LINE, 4_000, 2_000, 900, 300, 100):
        half = room // 2
        shorter = trace if len(trace) <= room else f"{trace[:half]}\n…\n{trace[-half:]}"
        whole = told | {"message": text if len(text) <= room else text[:room] + "…"}
        line = escaped(json.dumps(whole | {"trace": shorter} if shorter else whole, ensure_ascii=False, default=str))
        if len(line.encode("utf-8", "backslashreplace")) <= LONGEST_LINE:
            return line
    return escaped(json.dumps({"level": told["level"], "logger": told["logger"], "message": "…"}))


def escaped(text: str) -> str:
    r"""Spell out what a terminal would obey: control and direction characters, lone halves of a pair.

    Examples
    --------
    >>> escaped("a\u202eb\x9bc 缙云山")
    'a\\u202eb\\u009bc 缙云山'
    """
    return "".join(c if c.isprintable() else "".join(f"\\u{unit:04x}" for unit in _units(c)) for c in text)


def _units(character: str) -> list[int]:
    """Give the UTF-16 units of a character, as JSON escapes them."""
    raw = character.encode("utf-16-be", "surrogatepass")
    return [int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw), 2)]


def log_as_json(stream: TextIO | None = None) -> None:
    """Send all logs of this process out as JSON lines."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for noisy in ("httpx", "httpcore", "apscheduler", "alembic", "multipart", "python_multipart"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.captureWarnings(True)


class Tally:
    """What the pages answered, counted for ``/metrics``."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, int]] = Counter()
        self._seconds = 0.0
        self._inside = 0

    def enter(self) -> None:
        """Count a request that came in."""
        with self._lock:
            self._inside += 1

    def leave(self, method: str, status: int, seconds: float) -> None:
        """Count its answer."""
        with self._lock:
            self._inside -= 1
            self._counts[method if method in METHODS else "OTHER", status] += 1
            self._seconds += seconds

    def told(self) -> tuple[dict[tuple[str, int], int], float, int]:
        """Give counts by method and status, the seconds in all, and how many are being answered."""
        with self._lock:
            return dict(self._counts), self._seconds, self._inside


class AccessLog:
    """ASGI middleware around all others: a number for each request, a line for each answer."""

    def __init__(self, app: ASGIApp, tally: Tally) -> None:
        self.app = app
        self.tally = tally

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, and write down how it went."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        number, begun, status, sent = _number_of(scope), time.monotonic(), 499, 0
        mark = _asked.set(number)

        async def carry(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", number.encode())]
            else:
                sent += len(message.get("body", b""))
            await send(message)

        self.tally.enter()
        try:
            await self.app(scope, receive, carry)
        except BaseException:
            status = 500 if status == 499 else status
            raise
        finally:
            seconds = time.monotonic() - begun
            self.tally.leave(scope["method"], status, seconds)
            _write(scope, status, seconds, sent)
            _asked.reset(mark)


def _number_of(scope: Scope) -> str:
    """Give the number of a request: that of the proxy, if it gave one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _NUMBER.fullmatch(text := value.decode("latin-1")):
            return text
    return secrets.token_hex(8)


def _write(scope: Scope, status: int, seconds: float, sent: int) -> None:
    path = str(scope.get("path", ""))
    if status < 400 and path.startswith(QUIET):
        return
    client = scope.get("client")
    facts = {
        "method": str(scope["method"])[:16], "path": path[:LONGEST_PATH], "status": status,
        "ms": round(1000 * seconds, 1), "bytes": sent, "client": client[0] if client else "",
        "account": scope.get("gongzhi.account", ""),
    }  # fmt: skip
    access.info("request", extra={"facts": facts})
