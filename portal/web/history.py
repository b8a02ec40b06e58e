"""报送历史: filings and deliveries of the caller's bureau, one of them with its course and findings, and its files (U8).

Receipt, error list and annotated workbook are made by the functions the command line uses. What belongs to another
bureau is answered as if it did not exist.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from starlette.responses import Response

from portal.deadlines import late_by, own_sources
from portal.filing import findings_of_filing, make_report
from portal.filing.beginning import PERIOD
from portal.reporting import findings_of, write_report
from portal.web.asking import Ask
from portal.web.filing.downloads import CSV, XLSX, give, made
from portal.web.filing.following import events
from portal.web.filing.groups import LONGEST_TEXT, sort_findings
from portal.web.filing.listing import lines
from portal.web.filing.receipts import corrections, gaps_of, own_delivery
from portal.web.filing.words import FILING_STATES, OPEN, delivery_state
from portal.web.pages import page
from portal.web.words import CLASSES, DATASETS
from portal.words import SEVERITIES, STATES
from records.batch_pages import BatchPage, Wanted, batch_page
from records.filings import Filing, WantedFilings, filing_of_batch, filings
from records.keys import KeyRing
from records.receipts import receipt_document, write_receipt
from records.store import BatchRecord

PER_PAGE = 25
MOST_FOR_LATE = 2000
"""Deliveries looked through for late ones: lateness is not kept, it follows from the timetables in force."""
KNOWN_STATES = ("received", "held", "published", "refused")
DRAFT_STATES = ("queued", "checking", "checked", "in_review", "returned", "failed", "withdrawn")


@dataclass(frozen=True, slots=True)
class Row:
    """A delivery in the list."""

    batch: BatchRecord
    filing: Filing | None
    state: tuple[str, str]
    tone: str
    late: datetime | None
    period: str


def history(ask: Ask) -> Response:
    """List deliveries and filings, filtered."""
    ask.need("batch.read", ask.me.bureau)
    asked = {
        name: ask.query.get(name, "").strip()[:LONGEST_TEXT] for name in ("state", "dataset", "q", "period", "late")
    }
    state = asked["state"] if asked["state"] in KNOWN_STATES + DRAFT_STATES else ""
    dataset = asked["dataset"] if asked["dataset"] in DATASETS else ""
    period = asked["period"] if PERIOD.fullmatch(asked["period"]) and "W" not in asked["period"] else ""
    number, late = _page_number(ask.query.get("page", "1")), asked["late"] == "1"
    wanted = Wanted(ask.me.bureau, state if state in KNOWN_STATES else "", dataset, asked["q"], period)
    drafts = _drafts(ask, state, wanted)
    found, rows = _deliveries(ask, wanted, number, late) if state not in DRAFT_STATES else (BatchPage((), 0), [])
    kept = {"state": state, "dataset": dataset, "q": wanted.text, "period": period, "late": "1" if late else ""}
    return page(
        ask, "batches.html",
        found=found, rows=rows, drafts=list(lines(ask, drafts)), wanted=wanted, state=state, late=late, number=number,
        pages=max(1, math.ceil(found.total / PER_PAGE)),
        query=urlencode({name: value for name, value in kept.items() if value}),
        states={code: STATES[code] for code in KNOWN_STATES} | {code: FILING_STATES[code] for code in DRAFT_STATES},
        datasets=DATASETS, may_upload=ask.may("batch.check", ask.me.bureau).ok,
    )  # fmt: skip


def _drafts(ask: Ask, state: str, wanted: Wanted) -> tuple[Filing, ...]:
    """Give the filings that belong on the page: those of a state asked for, else what is on its way."""
    if state in KNOWN_STATES or wanted.period:
        return ()
    asked = (state,) if state else OPEN if not wanted.text and not wanted.dataset else ()
    if not asked and not wanted.text and not wanted.dataset:
        return ()
    chosen = WantedFilings(wanted.bureau, states=asked or OPEN, dataset=wanted.dataset, text=wanted.text)
    return filings(ask.site.records, chosen, 0, PER_PAGE).filings


def _deliveries(ask: Ask, wanted: Wanted, number: int, late: bool) -> tuple[BatchPage, list[Row]]:
    """Give a page of deliveries; of late ones where only these are asked for."""
    own = tuple(own_sources(ask.site.places, wanted.bureau).values())
    if not late:
        found = batch_page(ask.site.records, wanted, (number - 1) * PER_PAGE, PER_PAGE)
        return found, [_row(ask, batch, late_by(batch, own)) for batch in found.batches]
    seen = batch_page(ask.site.records, wanted, 0, MOST_FOR_LATE).batches
    behind = [(batch, by) for batch in seen if (by := late_by(batch, own)) is not None]
    shown = behind[(number - 1) * PER_PAGE : number * PER_PAGE]
    return BatchPage(tuple(batch for batch, _ in shown), len(behind)), [_row(ask, batch, by) for batch, by in shown]


def _row(ask: Ask, batch: BatchRecord, late: datetime | None) -> Row:
    filing = filing_of_batch(ask.site.records, batch.batch_id)
    state, tone = delivery_state(batch, filing)
    days = sorted(batch.covers)
    covered = "" if not days else days[0] if len(days) == 1 else f"{days[0]} – {days[-1]}"
    return Row(batch, filing, state, tone, late, filing.period if filing and filing.period else covered)


def one(ask: Ask) -> Response:
    """Show one delivery: how it went, its counts, what it changed, and its findings by rule."""
    batch = own_delivery(ask, "batch.read")
    filing = filing_of_batch(ask.site.records, batch.batch_id)
    state, tone = delivery_state(batch, filing)
    frame = findings_of_filing(ask.site.places, filing) if filing else findings_of(ask.site.places, batch)
    found = sort_findings(frame, ask.words, ask.query.get("rule", ""), ask.query.get("q", ""))
    return page(
        ask, "batch.html",
        batch=batch, filing=filing, state=state, tone=tone, went=list(course(ask, batch, filing)), found=found,
        classes=CLASSES, severities=SEVERITIES, datasets=DATASETS, corrections=corrections(ask, batch), gaps=gaps_of(batch),
        takes=ask.may("batch.download", batch.bureau).ok, raw=ask.may("batch.raw", batch.bureau).ok,
        corrigible=batch.state == "published" and ask.may("batch.correct", batch.bureau).ok,
    )  # fmt: skip


def course(ask: Ask, batch: BatchRecord, filing: Filing | None) -> Iterator[tuple[datetime, tuple[str, str], str, str]]:
    """Give the course of a delivery in order: what people did with its filing, and the states of the batch."""
    told = [(event.at, event.words, event.by, event.note) for event in events(ask, filing)] if filing else []
    steps = ask.site.records.states(batch.batch_id)
    told += [(step.at, STATES.get(step.state, (step.state, step.state)), "", "") for step in steps]
    yield from sorted(told, key=lambda entry: entry[0])


def receipt(ask: Ask) -> Response:
    """Give the signed receipt."""
    batch = own_delivery(ask, "batch.download")
    records, keys = ask.site.records, KeyRing.open(ask.site.places.keys)
    text = write_receipt(receipt_document(*records.batch_on_chain(batch.batch_id), keys.current()))
    return give(text.encode(), "application/json", f"{batch.receipt_number}.json")


def error_list(ask: Ask) -> Response:
    """Give all findings as CSV."""
    batch = own_delivery(ask, "batch.download")
    return give(_made(ask, batch, "findings.csv"), CSV, f"{batch.receipt_number}-错误清单.csv")


def annotated(ask: Ask) -> Response:
    """Give the upload with its cells coloured and explained."""
    batch = own_delivery(ask, "batch.download")
    return give(_made(ask, batch, "annotated.xlsx"), XLSX, f"{batch.receipt_number}-标注.xlsx")


def _made(ask: Ask, batch: BatchRecord, name: str) -> bytes:
    filing = filing_of_batch(ask.site.records, batch.batch_id)
    places, records = ask.site.places, ask.site.records
    if filing is not None:  # one that waits for a reviewer has been checked, not walked
        return made(ask, name, lambda target: make_report(places, records, filing, target))
    return made(ask, name, lambda target: write_report(places, records, batch, target))


def _page_number(text: str) -> int:
    return min(max(int(text), 1), 100_000) if text.isascii() and text.isdigit() and len(text) < 7 else 1
