"""Handing files in, and what becomes of them: states and findings, under the number of the filing or of the receipt."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pandas as pd
from starlette.responses import Response

from portal.filing import FilingDesk, Wish, begin, findings_of_filing, open_desk
from portal.reporting import findings_of
from portal.web.api.answering import JSON, beside, offered, told
from portal.web.api.deliveries import DELIVERY, FINDING, both_of, delivery_document
from portal.web.api.questions import choice, cursor, number, onward, switch, text, wrong
from portal.web.api.shapes import CURSOR, NEXT, TEXT, WHOLE, limit, many, one_of, thing, words
from portal.web.api.shapes import switch as on_or_off
from portal.web.asking import ApiDoc, Ask, Site
from portal.web.errors import Problem
from portal.web.history import KNOWN_STATES
from portal.web.incoming import receive_upload
from portal.web.words import CLASS_OF, DATASETS
from records.batch_pages import Wanted, batches_before
from records.filings import Filing, WantedFilings, filing_of_batch, filings
from records.store import BatchRecord
from schemas.api_rules import api_rules

PAGES = api_rules().pages
LONGEST_KEY = 200
SEVERITIES = tuple(CLASS_OF)


async def hand_in(ask: Ask) -> Response:
    """Take the bytes of one file: judged and, unless only checked, handed in at once by a worker."""
    ask.need("batch.submit", ask.me.bureau)
    checks = switch(ask, "check")
    if checks:
        ask.need("batch.check", ask.me.bureau)
    return await _taken(ask, "check" if checks else "straight")


async def check(ask: Ask) -> Response:
    """Take the bytes of one file to be judged only."""
    ask.need("batch.check", ask.me.bureau)
    return await _taken(ask, "check")


async def _taken(ask: Ask, purpose: str) -> Response:
    wish = _wish(ask, purpose)
    found, _ = await receive_upload(ask)
    if len(found) != 1:
        for one in found:
            one.drop()
        raise Problem(
            422,
            "one-file",
            f"请求内容：应为一个文件，现为 {len(found)} 个。请每次发送一个",
            "send one file in each request",
        )
    at = ask.site.clock()  # a slow upload ends long after it began
    came = await beside(lambda: begin(ask.site.once(filing_desk), ask.me, found[0], wish, at))
    document = await beside(lambda: delivery_document(ask, *_so_far(ask, came)))
    headers = {"location": document["links"]["self"], "retry-after": "1"}
    return told(document, 202, headers)


def filing_desk(site: Site) -> FilingDesk:
    """Make the desk files come in at; see ``Site.once``."""
    return open_desk(site.places, site.records)


def _so_far(ask: Ask, came: Filing) -> tuple[Filing, BatchRecord | None]:
    return came, ask.site.records.batch(came.batch_id) if came.batch_id else None


def _wish(ask: Ask, purpose: str) -> Wish:
    """Read what is wanted of a file, before its first byte."""
    corrects = text(ask, "corrects", most=80)
    if corrects:
        ask.need("batch.correct", ask.me.bureau)
    key = ask.headers.get("idempotency-key", "")
    if len(key) > LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise wrong(
            "Idempotency-Key", f"应为不超过 {LONGEST_KEY} 个 ASCII 字符", f"at most {LONGEST_KEY} ASCII characters"
        )
    reason = text(ask, "reason", most=500)
    return Wish(purpose, choice(ask, "dataset", DATASETS), text(ask, "period", most=10), corrects, reason, key.strip())


def batches(ask: Ask) -> Response:
    """List the deliveries of the caller's bureau, the newest first."""
    bureau, records = ask.me.bureau, ask.site.records
    ask.need("batch.read", bureau)
    most = number(ask, "limit", PAGES.entries, PAGES.most_entries)
    wanted = Wanted(bureau, choice(ask, "state", KNOWN_STATES), choice(ask, "dataset", DATASETS), text(ask, "q"))
    place = cursor(ask, str, str)
    mark = None if place is None else (_instant(ask, place[0]), str(place[1]))
    found = batches_before(records, wanted, mark, most + 1)
    last = found[most - 1] if len(found) > most else None
    return told(
        {
            "batches": [
                delivery_document(ask, filing_of_batch(records, one.batch_id), one) for one in found[:most]
            ],
            "next": None if last is None else onward(ask, last.received_at.isoformat(), last.batch_id),
        }
    )  # fmt: skip


def under_way(ask: Ask) -> Response:
    """List what was sent through the portal or this interface, drafts and checks among it, the newest first."""
    bureau, records = ask.me.bureau, ask.site.records
    ask.need("batch.read", bureau)
    most = number(ask, "limit", PAGES.entries, PAGES.most_entries)
    wanted = WantedFilings(bureau, state=choice(ask, "state", FILING_STATES), dataset=choice(ask, "dataset", DATASETS))
    (start,) = cursor(ask, int) or (0,)
    found = filings(records, wanted, start, most)
    return told(
        {
            "filings": [delivery_document(ask, one, None) for one in found.filings],
            "total": found.total,
            "next": onward(ask, start + most) if found.total > start + most else None,
        }
    )


def state(ask: Ask) -> Response:
    """Tell how far a delivery is."""
    document = delivery_document(ask, *both_of(ask, "batch.read"))
    waiting = {} if document["ended"] or document["awaits_a_person"] else {"retry-after": "1"}
    return told(document, headers=waiting)


def findings(ask: Ask) -> Response:
    """List what the rules found, the most severe first."""
    came, batch = both_of(ask, "batch.read")
    severity, rule = choice(ask, "severity", SEVERITIES), text(ask, "rule", most=40)
    most = number(ask, "limit", PAGES.entries, PAGES.most_entries)
    (start,) = cursor(ask, int) or (0,)
    if batch is not None:
        frame = findings_of(ask.site.places, batch)
    else:
        assert came is not None, "a number names one of both"
        frame = findings_of_filing(ask.site.places, came)
    chosen = frame[_chosen(frame, severity, rule)]
    part = chosen.iloc[start : start + most]
    return told(
        {
            "findings": json.loads(part.to_json(orient="records", force_ascii=False)),
            "total": len(chosen),
            "next": onward(ask, start + most) if len(chosen) > start + most else None,
        }
    )


def _chosen(frame: pd.DataFrame, severity: str, rule: str) -> Any:
    wanted = pd.Series(True, index=frame.index)
    if severity:
        wanted &= frame["severity"] == severity
    if rule:
        wanted &= frame["rule"] == rule
    return wanted


def _instant(ask: Ask, said: str) -> datetime:
    """Read the instant of a cursor back."""
    try:
        at = datetime.fromisoformat(said)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise wrong("cursor", "不是本接口给出的。请沿用上一页的 next", "was not given out here; follow 'next'")
    return at


FILING_STATES = (
    "queued", "checking", "checked", "handing_in", "in_review", "published", "refused", "held", "returned",
    "withdrawn", "failed", "repeated",
)  # fmt: skip
NUMBER = {"number": {"type": "string", "description": "filing, receipt or batch number"}}
LISTED = {"limit": limit(PAGES.entries, PAGES.most_entries), "cursor": CURSOR}
ABOUT_A_FILE = {
    "name": words("name of the file, with its ending"),
    "dataset": one_of(DATASETS, "recognised where it is not said"),
    "period": words("2026, 2026-04 or 2026-04-08: shown, not judged"),
}
CORRECTION = {
    "corrects": words("receipt number of the delivery it corrects; a second person approves that"),
    "reason": words("why it is corrected"),
}
FILE = {"type": "string", "format": "binary", "description": "xlsx, xls, csv, txt, json, xml or zip"}
ACCEPTED = {
    "Location": words("where its state is told"),
    "Retry-After": words("seconds until asking is worth while", WHOLE),
}
ROUTES = (
    offered(
        "POST", "/batches", "batch.submit", hand_in,
        ApiDoc(
            "Hand a file in: its bytes as they are; judged and handed in by a worker, the state is told at `Location`",
            query={**ABOUT_A_FILE, **CORRECTION, "check": on_or_off("judge it only, as /checks does")},
            body=FILE,
            answers={JSON: DELIVERY},
            status=202,
            headers=ACCEPTED,
        ),
        group="heavy",
        takes="stream",
    ),
    offered(
        "POST", "/checks", "batch.check", check,
        ApiDoc(
            "Have a file judged without handing it in",
            query=ABOUT_A_FILE,
            body=FILE,
            answers={JSON: DELIVERY},
            status=202,
            headers=ACCEPTED,
        ),
        group="heavy",
        takes="stream",
    ),
    offered(
        "GET", "/batches", "batch.read", batches,
        ApiDoc(
            "Deliveries of the own bureau, the newest first, those of the night and of the command line among them",
            query={
                "state": one_of(KNOWN_STATES), "dataset": one_of(DATASETS),
                "q": words("part of a file name, receipt or batch number"), **LISTED,
            },
            answers={JSON: thing(batches=many(DELIVERY), next=NEXT)},
        ),
    ),
    offered(
        "GET", "/filings", "batch.read", under_way,
        ApiDoc(
            "What people and programs of the own bureau sent through the portal: drafts, checks, and what is on its way",
            query={"state": one_of(FILING_STATES), "dataset": one_of(DATASETS), **LISTED},
            answers={JSON: thing(filings=many(DELIVERY), total=WHOLE, next=NEXT)},
        ),
    ),
    offered(
        "GET", "/batches/{number}", "batch.read", state,
        ApiDoc("How far a delivery is, and what came of it", path=NUMBER, answers={JSON: DELIVERY}),
    ),
    offered(
        "GET", "/batches/{number}/findings", "batch.read", findings,
        ApiDoc(
            "What the rules found, the most severe first, with sheet, row and column as Excel numbers them",
            path=NUMBER,
            query={"severity": one_of(SEVERITIES), "rule": TEXT, **LISTED},
            answers={JSON: thing(findings=many(FINDING), total=WHOLE, next=NEXT)},
        ),
    ),
)  # fmt: skip
