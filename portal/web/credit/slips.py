"""I4: the query slip, signed and on one page; I5: the page on which anybody checks one by its code.

The public page shows of a genuine slip what the slip shows, without who asked. Where a record has changed since, its
content is left out: what was repaired or withdrawn must not be shown any longer, and how it changed is told to nobody
who leaves no trace.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from markupsafe import Markup
from starlette.responses import Response

from credit_registry.answers import is_name
from credit_registry.errors import BadCode
from credit_registry.paper import page_of, print_slip, qr_text
from portal.credit_lists import check_slip, keys_of
from portal.credit_uses import issue_slip, slip_file
from portal.web.asking import Ask, see
from portal.web.credit.standing import (
    NoErrand,
    counter,
    keep_pace,
    look_for_bulk_use,
    moment,
    refuse_scraping,
    register_of,
)
from portal.web.errors import Problem
from portal.web.pages import page
from records.credit_desk import IssuedSlip, find_slip
from records.paper import qr_code
from schemas.files import fold

CHECK = "/verify/slip"
ROOM = 40
"""Most lines of ratings and penalties on the page."""
_MISTAKEN = str.maketrans("OIL", "011")
"""Crockford's base 32 has none of these letters: who reads a slip aloud, or types it, means the digits."""
_SLIP = re.compile(r"q-\d{8}-[0-9a-f]{12}")


def make(ask: Ask) -> Response:
    """Look the enterprise up once more and issue the slip."""
    code, when = fold(ask.path["enterprise"]), moment(ask)
    if is_name(code):
        raise Problem(422, "no-code", "查询单只凭统一社会信用代码开具", "a slip is made for a code only")
    refuse_scraping(ask, "daily-lookups")
    try:
        with counter(ask) as stood:
            made, _ = issue_slip(stood, code, when)
    except NoErrand:
        return see("/credit", q=code)
    except BadCode as error:
        raise Problem(422, "bad-code", error.message, error.message_en) from error
    look_for_bulk_use(ask)
    return see(f"/credit/slips/{made['slip_id']}")


def slip(ask: Ask) -> Response:
    """Show an issued slip, and how to take it along."""
    kept, document = own_slip(ask)
    code = qr_code(qr_text(document, check_address(ask)))
    return page(
        ask, "credit/slip.html", kept=kept, shown=page_of(document, room=ROOM), document=document, qr=Markup(code)
    )


def slip_pdf(ask: Ask) -> Response:
    """Give the slip as one page of PDF."""
    kept, document = own_slip(ask)
    if not ask.site.heavy.acquire(timeout=20):
        raise Problem(503, headers={"retry-after": "30"})
    try:
        paper = print_slip(document, address=check_address(ask))
    finally:
        ask.site.heavy.release()
    return file_answer(paper, "application/pdf", f"查询单-{kept.slip_id}.pdf")


def slip_json(ask: Ask) -> Response:
    """Give the signed slip."""
    kept, _ = own_slip(ask)
    text = slip_file(ask.site.places.home, kept.slip_id).read_bytes()
    return file_answer(text, "application/json", f"查询单-{kept.slip_id}.json")


def own_slip(ask: Ask) -> tuple[IssuedSlip, Mapping[str, Any]]:
    """Find the slip an address names; one of another bureau does not exist for the caller."""
    kept = find_slip(ask.site.records, slip_id=ask.path["slip"])
    if kept is None or kept.bureau != ask.me.bureau:
        raise Problem(404)
    return kept, _read(ask, kept.slip_id)


def file_answer(content: bytes, kind: str, name: str) -> Response:
    """Give a file to take home."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "", name) or "download"
    named = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    return Response(content, media_type=kind, headers={"content-disposition": named})


def check_address(ask: Ask) -> str:
    """Where the QR code of a slip leads: the public page, or nowhere while the portal has no public address."""
    return f"{ask.site.settings.address}{CHECK}" if ask.site.settings.address else ""


# -- the public page ----------------------------------------------------------------------------------------------


def check(ask: Ask) -> Response:
    """Check a slip by its code, or by number and code as the QR code says them; no login."""
    text = ask.query.get("code", "")
    number = ask.path.get("slip", "")
    if not text.strip() and not number:
        return page(ask, "credit/check.html", asked="", outcome=None, kept=None, shown=None, changes=0)
    keep_pace(ask, "slip-checks-a-minute", 60)
    code = as_code(text)
    kept = _issued(ask, number, code)
    if kept is None:
        return page(ask, "credit/check.html", asked=text[:40], outcome="unknown", kept=None, shown=None, changes=0)
    path = slip_file(ask.site.places.home, kept.slip_id)
    with register_of(ask).desk() as desk:
        found = check_slip(path, keys_of(ask.site.places.keys), desk, ask.at)
    shown = page_of(_read(ask, kept.slip_id), room=ROOM) if found.status == "valid" else None
    return page(
        ask, "credit/check.html", asked=code, outcome=found.status, kept=kept, shown=shown, changes=len(found.changes)
    )


def _issued(ask: Ask, number: str, code: str) -> IssuedSlip | None:
    """Find a slip whose file is there; a number alone proves nothing."""
    if not code or (number and not _SLIP.fullmatch(number)):
        return None
    kept = find_slip(ask.site.records, slip_id=number) if number else find_slip(ask.site.records, code=code)
    if kept is None or not hmac.compare_digest(kept.verification_code, code):
        return None
    return kept if slip_file(ask.site.places.home, kept.slip_id).is_file() else None


def as_code(text: str) -> str:
    """Read a code as people type it: any case, with or without hyphens and blanks; blank where it is none.

    Examples
    --------
    >>> as_code(" 7w75 s82t mgrl-69nv "), as_code("７W75S82TMGR169NV"), as_code("7W75")
    ('7W75-S82T-MGR1-69NV', '7W75-S82T-MGR1-69NV', '')
    """
    bare = re.sub(r"[\s\-‐‑–—]+", "", fold(text[:200])).upper().translate(_MISTAKEN)
    if not re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{16}", bare):
        return ""
    return "-".join(bare[place : place + 4] for place in range(0, 16, 4))


def _read(ask: Ask, slip_id: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(slip_file(ask.site.places.home, slip_id).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        raise Problem(404) from None
    return found
