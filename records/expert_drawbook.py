"""What the book of the draws says: which there are, their papers, and whether one is missing.

Writing is in ``records/expert_draws.py``; what a candidate list is made from is read in ``records/expert_listing.py``.
"""

from __future__ import annotations

import json
from datetime import datetime

from sqlalchemy import select

from records.expert_draws import Draw, Paper, number_of, paper_hash, read_draw
from records.expert_models import expert_draw, expert_draw_paper, expert_draw_secret
from records.models import event
from records.store import Records

PAPER = tuple(expert_draw_paper.c[name] for name in ("draw_id", "kind", "part", "at", "by", "sha256", "document"))


def draw(records: Records, draw_id: str) -> Draw:
    """Find a draw by its number.

    Raises
    ------
    UnknownDraw
    """
    with records.database.read() as connection:
        return read_draw(connection, draw_id)


def draws(records: Records, *, request_id: str | None = None, bureau: str | None = None) -> list[Draw]:
    """List all draws and call-outs in the order of their numbers, the abandoned ones too."""
    d = expert_draw.c
    query = select(expert_draw).order_by(d.bureau, d.year, d.number)
    if request_id is not None:
        query = query.where(d.request_id == request_id)
    if bureau is not None:
        query = query.where(d.bureau == bureau)
    with records.database.read() as connection:
        return [Draw(**row._mapping) for row in connection.execute(query)]


def papers(records: Records, draw_id: str, kind: str | None = None) -> list[Paper]:
    """List the papers of a draw in the order they were written."""
    p = expert_draw_paper.c
    query = select(*PAPER).where(p.draw_id == draw_id).order_by(p.id)
    if kind is not None:
        query = query.where(p.kind == kind)
    with records.database.read() as connection:
        return [Paper(*row) for row in connection.execute(query)]


def papers_of_kind(records: Records, kind: str, since: datetime) -> list[Paper]:
    """List the papers of a kind over all draws from an instant on."""
    p = expert_draw_paper.c
    with records.database.read() as connection:
        query = select(*PAPER).where(p.kind == kind, p.at >= since).order_by(p.id)
        return [Paper(*row) for row in connection.execute(query)]


def parts(records: Records, kind: str) -> dict[str, set[str]]:
    """Give the parts of the papers of a kind, by draw, without reading the papers."""
    p = expert_draw_paper.c
    found: dict[str, set[str]] = {}
    with records.database.read() as connection:
        for row in connection.execute(select(p.draw_id, p.part).where(p.kind == kind)):
            found.setdefault(row.draw_id, set()).add(row.part)
    return found


def sealed_secret(records: Records, draw_id: str, bureau: str) -> str | None:
    """Give the sealed secret of a bureau, None where this home has none."""
    s = expert_draw_secret.c
    with records.database.read() as connection:
        found = connection.execute(select(s.sealed).where(s.draw_id == draw_id, s.bureau == bureau)).scalar()
        return None if found is None else str(found)


def check_numbers(records: Records) -> list[str]:
    """Name every draw that is missing from the numbers, and every paper that is not the one the chain knows."""
    faults = []
    kept = draws(records)
    for bureau, year in sorted({(one.bureau, one.year) for one in kept if one.detail.get("home", True)}):
        numbers = [one.number for one in kept if (one.bureau, one.year) == (bureau, year)]
        faults += [f"{number_of(bureau, year, n)} is missing" for n in range(1, max(numbers)) if n not in numbers]
    p, e = expert_draw_paper.c, event.c
    with records.database.read() as connection:
        rows = connection.execute(select(p.draw_id, p.kind, p.part, p.document))
        stored = {(row.draw_id, row.kind, row.part): paper_hash(row.document) for row in rows}
        told = connection.execute(select(e.payload).where(e.kind.like("draw-%")).order_by(e.seq)).scalars()
        for payload in (json.loads(text) for text in told):
            if "paper" in payload:  # the inspection draws of the credit register have events of such kinds too
                place = (payload["draw"], payload["paper"], payload["part"])
                if stored.pop(place, None) != payload["sha256"]:
                    faults.append(f"{' '.join(place)} is not the paper the chain knows")
    return faults + [f"{' '.join(place)} is unknown to the chain" for place in stored]
