"""A file as an answer: taken home, never shown in the browser."""

from __future__ import annotations

from urllib.parse import quote

from starlette.responses import Response


def attachment(content: bytes, kind: str, name: str) -> Response:
    """Give a file under a name that may be Chinese."""
    plain = name.encode("ascii", "ignore").decode().replace('"', "") or "download"
    named = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    return Response(content, media_type=kind, headers={"content-disposition": named})
