"""Files that leave the portal: named as RFC 6266 wants, made in a folder of their own, few at a time."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from starlette.responses import FileResponse, Response

from portal.web.asking import Ask
from portal.web.errors import Problem

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CSV = "text/csv; charset=utf-8"
WAIT = 20.0
"""Seconds to wait for one of the few that read workbooks."""


def disposition(name: str) -> str:
    """Name a download, for old programs in ASCII and for all others as it is."""
    plain = (
        "".join(c if c.isascii() and c.isprintable() and c not in '"\\/' else "_" for c in name).strip("_ ")
        or "download"
    )
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def give(content: bytes, kind: str, name: str) -> Response:
    """Answer with a file that is made."""
    return Response(content, media_type=kind, headers={"content-disposition": disposition(name)})


def give_stored(path: Path, name: str) -> Response:
    """Answer with a file as it is kept; never shown by the browser, whatever it holds."""
    if not path.is_file():
        raise Problem(404)
    return FileResponse(
        path, media_type="application/octet-stream", headers={"content-disposition": disposition(name)}
    )  # fmt: skip


def made(ask: Ask, name: str, make: Callable[[Path], None]) -> bytes:
    """Make a file; few at a time, as a workbook is read by a child process."""
    if not ask.site.heavy.acquire(timeout=WAIT):
        raise Problem(503, headers={"retry-after": "30"})
    try:
        with tempfile.TemporaryDirectory(prefix="gongzhi-report-") as scratch:
            target = Path(scratch) / name
            make(target)
            return target.read_bytes()
    finally:
        ask.site.heavy.release()
