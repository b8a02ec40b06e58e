"""What everybody may see of the draws, without signing in: every number, what is committed to, and the published files.

No vault is opened here and no person is named. Of a draw that goes on there is its number, its list's hash and the
commitments; its title and everything else come with the published file, which anybody can do again.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from starlette.responses import Response

from portal.web.asking import Ask
from portal.web.errors import Problem
from portal.web.experts.counter import said
from portal.web.experts.draw_page import PER_PAGE, page_start, result_of
from portal.web.experts.papers import as_file
from portal.web.experts.wording import DRAW_TONES, Wording
from portal.web.pages import page
from records import expert_drawbook
from records.expert_draws import Draw, Paper, paper_hash

SCRIPT = "verify_draw.py"


def draws(ask: Ask) -> Response:
    """List all draws and call-outs by their numbers, the newest first."""
    found = expert_drawbook.draws(ask.site.records)[::-1]
    start = page_start(said(ask, "page"))
    return page(
        ask, "experts/public_draws.html", draws=found[start : start + PER_PAGE], total=len(found), told=Wording(ask),
        tones=DRAW_TONES, number=start // PER_PAGE + 1, more=start + PER_PAGE < len(found), causes=cause_of,
        out=set(expert_drawbook.parts(ask.site.records, "published")),
    )  # fmt: skip


def draw(ask: Ask) -> Response:
    """Show what is public of one draw."""
    found = expert_drawbook.draw(ask.site.records, ask.path["draw"])
    papers = expert_drawbook.papers(ask.site.records, found.draw_id)
    document = _published(papers)
    frozen = document["list"] if document else None
    return page(
        ask, "experts/public_draw.html",
        draw=found, document=document, result=result_of(document) if document else None, told=Wording(ask),
        tones=DRAW_TONES, cause=cause_of(found), frozen=frozen, sha256=paper_hash(document) if document else "",
        counts=_counts(frozen["candidates"]) if frozen else None, script=_script() is not None,
        commitments=[one.document for one in papers if one.kind == "commitment"],
        published=next((one.at for one in papers if one.kind == "published"), None),
        ended=next((one.document for one in papers if one.kind == "abandoned"), None),
    )  # fmt: skip


def file(ask: Ask) -> Response:
    """Give the published file, its newest edition."""
    found = expert_drawbook.draw(ask.site.records, ask.path["draw"])
    document = _published(expert_drawbook.papers(ask.site.records, found.draw_id))
    if document is None:
        raise Problem(404)
    return as_file(document, f"{found.draw_id}.json")


def script(ask: Ask) -> Response:
    """Give the program that does a draw again with the standard library of Python alone."""
    text = _script()
    if text is None:
        raise Problem(404)
    headers = {"content-disposition": f'attachment; filename="{SCRIPT}"'}
    return Response(text, media_type="text/x-python; charset=utf-8", headers=headers)


def cause_of(draw: Draw) -> str:
    """Give the code of why a matter was drawn for again; the words beside it are in the published file alone."""
    return draw.reason.partition(":")[0].strip()


def _published(papers: Sequence[Paper]) -> dict[str, Any] | None:
    """Give the newest edition of what was published; a draw that was ended afterwards keeps its file."""
    editions = {int(one.part): one.document for one in papers if one.kind == "draw"}
    return editions[max(editions)] if any(one.kind == "published" for one in papers) else None


def _counts(candidates: list[dict[str, Any]]) -> dict[str, int]:
    told = [one["status"] for one in candidates]
    return {name: told.count(name) for name in ("eligible", "excluded")}


@cache
def _script() -> bytes | None:
    """Find the program: in the installed package, or in a checkout."""
    here = Path(__file__).parents[2]
    places = (here / SCRIPT, here.parent / "docs" / SCRIPT)
    return next((place.read_bytes() for place in places if place.is_file()), None)
