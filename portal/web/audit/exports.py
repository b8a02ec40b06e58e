"""The trail to take home: what the question found, as a workbook or CSV; that it was taken is on the chain."""

from __future__ import annotations

import tempfile
from pathlib import Path
from urllib.parse import quote

from starlette.responses import Response

from portal.trail import every
from portal.trail_export import write_trail
from portal.web.asking import Ask
from portal.web.audit.trail import eyes, question
from portal.web.errors import Problem
from portal.web.pages import china

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def as_csv(ask: Ask) -> Response:
    """Give it as CSV."""
    return _export(ask, "csv", "text/csv; charset=utf-8")


def as_xlsx(ask: Ask) -> Response:
    """Give it as a workbook."""
    return _export(ask, "xlsx", XLSX)


def _export(ask: Ask, form: str, kind: str) -> Response:
    ask.need("audit.read", ask.me.bureau)
    asked, fields = question(ask)
    if not ask.site.heavy.acquire(timeout=20):
        raise Problem(503, headers={"retry-after": "30"})
    try:
        with tempfile.TemporaryDirectory(prefix="gongzhi-trail-") as scratch:
            made = Path(scratch) / f"trail.{form}"
            about = f"共治审计记录 · {ask.me.bureau} · {ask.me.login} · {china(ask.at)}（北京时间）"
            count = write_trail(every(ask.site.records, eyes(ask), asked), made, about)
            content = made.read_bytes()
    finally:
        ask.site.heavy.release()
    told = {"by": ask.me.account_id, "rows": count, "format": form}
    told |= {name: value for name, value in fields.items() if value and name != "what"}  # what was typed may be a name
    ask.site.records.append("audit-export", ask.at, ask.me.bureau, payload=told)
    name = f"审计记录-{ask.me.bureau}-{ask.at:%Y%m%d%H%M}.{form}"
    named = f"attachment; filename=\"audit.{form}\"; filename*=UTF-8''{quote(name, safe='')}"
    return Response(content, media_type=kind, headers={"content-disposition": named})
