"""What an address with a number means, and how a delivery is told: a filing on its way, and the batch it became.

One document for both, under whatever number it is asked for: the filing's from the moment a file is handed in, the
receipt's or the batch's afterwards.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from portal.web.api.answering import ROOT
from portal.web.api.shapes import (
    MAYBE_MOMENT,
    MAYBE_OPEN,
    MAYBE_TEXT,
    MAYBE_WHOLE,
    MOMENT,
    TEXT,
    WHOLE,
    YES,
    by_name,
    one_of,
    thing,
)
from portal.web.asking import Ask
from portal.web.errors import Problem
from records.filings import Filing, filing, filing_of_batch, queue_place
from records.store import BatchRecord, storable

LONGEST_NUMBER = 80
STATES = (
    "queued", "checking", "checked", "handing_in", "in_review", "received", "read", "judged", "held", "published",
    "refused", "returned", "withdrawn", "failed", "repeated",
)  # fmt: skip
ENDED = ("published", "refused", "returned", "withdrawn", "failed", "repeated")
"""States after which nothing more happens."""
AWAITS_A_PERSON = ("in_review", "held")


def number_in(ask: Ask) -> str:
    """Give the number an address names; what cannot be one is not there."""
    said = ask.path["number"]
    if len(said) > LONGEST_NUMBER or storable(said) != said:
        raise Problem(404)
    return said


def is_filing(number: str) -> bool:
    """Tell the number of a filing from that of a receipt or batch."""
    return number.startswith("F")


def own_filing(ask: Ask, permission: str) -> Filing:
    """Find the filing an address names, if the caller may see it."""
    found = filing(ask.site.records, number_in(ask))
    ask.need(permission, found.bureau)
    return found


def own_delivery(ask: Ask, permission: str) -> BatchRecord:
    """Find the batch an address names by any of its numbers, if the caller may see it.

    Raises
    ------
    Problem
        The filing it names was not handed in yet (409), or never will be.
    """
    number = number_in(ask)
    if is_filing(number):
        number = own_filing(ask, permission).batch_id
        if not number:
            raise Problem(
                409, "not-handed-in", "报送：尚未提交，没有回执。请在提交后再取",
                "this filing was not handed in: it has no receipt yet",
            )  # fmt: skip
    found = ask.site.records.batch(number)
    ask.need(permission, found.bureau)
    return found


def both_of(ask: Ask, permission: str) -> tuple[Filing | None, BatchRecord | None]:
    """Find filing and batch of the number an address names; at least one of them is there."""
    if is_filing(number_in(ask)):
        came = own_filing(ask, permission)
        return came, ask.site.records.batch(came.batch_id) if came.batch_id else None
    batch = own_delivery(ask, permission)
    return filing_of_batch(ask.site.records, batch.batch_id), batch


def delivery_document(ask: Ask, came: Filing | None, batch: BatchRecord | None) -> dict[str, Any]:
    """Tell of a delivery: who, what, how far it is, what came of it, and where to go on."""
    base = _of_filing(ask, came) if came is not None else {}
    if batch is not None:
        base = _of_batch(batch) | {"state": batch.state} | base | _outcome(batch)
    number = base["receipt"] or base["filing"]
    only_checked = (base["state"], base["purpose"]) == ("checked", "check")
    return base | {
        "number": number,
        "ended": base["state"] in ENDED or only_checked,
        "awaits_a_person": base["state"] in AWAITS_A_PERSON or (base["state"], base["purpose"]) == ("checked", "file"),
        "links": {
            "self": f"{ROOT}/batches/{number}", "findings": f"{ROOT}/batches/{number}/findings",
            "receipt": f"{ROOT}/receipts/{base['receipt']}" if base["receipt"] else None,
        },
    }  # fmt: skip


def _of_filing(ask: Ask, came: Filing) -> dict[str, Any]:
    """Tell what only a filing has, and what it has before there is a batch."""
    return {
        "filing": came.filing_id, "receipt": came.receipt or None, "batch": came.batch_id or None,
        "bureau": came.bureau, "submitted_by": came.login, "purpose": came.purpose, "state": came.state,
        "stage": came.stage, "place": queue_place(ask.site.records, came.filing_id) if came.state == "queued" else 0,
        "file_name": came.file_name, "bytes": came.bytes, "sha256": came.sha256, "sm3": came.sm3,
        "dataset": came.summary.get("dataset") or came.dataset or None, "layout": came.summary.get("layout") or None,
        "period": came.period, "corrects": came.corrects or None, "received_at": came.created_at.isoformat(),
        "changed_at": came.updated_at.isoformat(), "published_at": None, "rows": came.summary.get("rows") or {},
        "results": came.summary.get("results") or {},
        "findings": {"total": came.findings_total, "must": came.blocking, "confirm": came.to_confirm},
        "error": came.error,
    }  # fmt: skip


def _of_batch(batch: BatchRecord) -> dict[str, Any]:
    """Tell of a delivery that nobody handed in through the portal: the night brought it, or the command line."""
    return {
        "filing": None, "receipt": batch.receipt_number, "batch": batch.batch_id, "bureau": batch.bureau,
        "submitted_by": batch.submitted_by, "purpose": None, "stage": "", "place": 0, "file_name": batch.file_name,
        "bytes": batch.bytes, "sha256": batch.sha256, "sm3": batch.sm3, "period": "", "corrects": None,
        "received_at": batch.received_at.isoformat(), "changed_at": _moment(batch.recorded_at), "findings": None,
    }  # fmt: skip


def _outcome(batch: BatchRecord) -> dict[str, Any]:
    """Tell what the road made of it."""
    return {
        "receipt": batch.receipt_number, "batch": batch.batch_id, "dataset": batch.dataset, "layout": batch.layout,
        "rows": batch.rows, "results": batch.results, "published_at": _moment(batch.recorded_at), "error": batch.error,
    }  # fmt: skip


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


COUNTS = {"type": ["object", "null"], "properties": {"total": WHOLE, "must": WHOLE, "confirm": WHOLE}}
DELIVERY = thing(
    number=TEXT, filing=MAYBE_TEXT, receipt=MAYBE_TEXT, batch=MAYBE_TEXT, bureau=TEXT, submitted_by=TEXT,
    purpose={"enum": ["file", "check", "straight", None]}, state=one_of(STATES), stage=TEXT, place=WHOLE,
    file_name=TEXT, bytes=WHOLE, sha256=TEXT, sm3=TEXT, dataset=MAYBE_TEXT, layout=MAYBE_TEXT, period=TEXT,
    corrects=MAYBE_TEXT, received_at=MOMENT, changed_at=MAYBE_MOMENT, published_at=MAYBE_MOMENT, rows=by_name(WHOLE),
    results=by_name(WHOLE), findings=COUNTS,
    error=MAYBE_OPEN, ended=YES, awaits_a_person=YES,
    links=thing(self=TEXT, findings=TEXT, receipt=MAYBE_TEXT),
)  # fmt: skip
"""The schema of :func:`delivery_document`."""
FINDING = thing(
    rule=TEXT, severity=TEXT, sheet=MAYBE_TEXT, row=MAYBE_WHOLE, column=MAYBE_TEXT, header=MAYBE_TEXT, key=MAYBE_TEXT,
    value=MAYBE_TEXT, expected=MAYBE_TEXT, message=TEXT, message_en=MAYBE_TEXT, clause=MAYBE_TEXT,
)  # fmt: skip
