"""Receipts: the signed document of a delivery as it stands, and the checking of one that somebody was given."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from portal.web.api.answering import JSON, kept_by, mark_of, offered, told, unchanged
from portal.web.api.deliveries import own_delivery
from portal.web.api.shapes import ETAG, MAYBE_TEXT, MOMENT, OPEN, TEXT, WHOLE, YES, by_name, many, thing
from portal.web.asking import PUBLIC, ApiDoc, Ask
from portal.web.errors import Problem
from records.keys import KeyRing
from records.receipts import KIND, receipt_document, receipt_on_chain, verify_receipt, write_receipt
from schemas.api_rules import api_rules


def receipt(ask: Ask) -> Response:
    """Give the signed receipt in its exact text form, as ``gongzhi verify receipt`` takes it."""
    batch = own_delivery(ask, "batch.download")
    records = ask.site.records
    signer = KeyRing.open(ask.site.places.keys).current()
    batch, place = records.batch_on_chain(batch.batch_id)
    mark = mark_of(f"{place.sha256}{signer.key_id}")
    known = unchanged(ask, mark)
    if known is not None:
        return known
    text = write_receipt(receipt_document(batch, place, signer))
    return Response(text.encode(), 200, kept_by(mark), JSON)


def verify(ask: Ask) -> Response:
    """Check a receipt: its signature against the keys of this exchange, and whether its event stands on the chain."""
    if not isinstance(ask.body, dict):
        raise Problem(
            422, "no-receipt", "请求内容：不是回执。请原样发送回执 JSON", "the body is no receipt: send its JSON"
        )
    report = verify_receipt(ask.body, KeyRing.open(ask.site.places.keys).public_keys())
    on_chain = report.ok and receipt_on_chain(ask.site.records, ask.body)
    ok = report.ok and report.trusted and on_chain
    said = (report.reason_zh, report.reason_en)
    if report.ok and not on_chain:
        said = ("回执的签名有效，但证据链上没有这一事件", "the signature is valid, but its event is not on the chain")
    return told(
        {
            "valid": ok,
            "number": _text(report.number),
            "key_id": _text(report.key_id),
            "trusted": report.trusted,
            "on_chain": on_chain,
            "message": said[0],
            "message_en": said[1],
        }  # fmt: skip
    )


def _text(value: Any) -> str | None:
    return value[:100] if isinstance(value, str) else None


RECEIPT = thing(
    document={"const": KIND}, number=TEXT, batch_id=TEXT, received_at=MOMENT, bureau=TEXT, submitted_by=TEXT,
    file_name=TEXT, sha256=TEXT, sm3=TEXT, bytes=WHOLE, state=TEXT, dataset=MAYBE_TEXT, layout=MAYBE_TEXT, rules=TEXT,
    rows=by_name(WHOLE), results=by_name(WHOLE), tables=many(OPEN), recorded_at=MAYBE_TEXT, error=MAYBE_TEXT,
    chain=thing(seq=WHOLE, sha256=TEXT, sm3=TEXT), key_id=TEXT, signature=TEXT,
)  # fmt: skip
ROUTES = (
    offered(
        "GET", "/receipts/{number}", "batch.download", receipt,
        ApiDoc(
            "The signed receipt of a delivery, as it stands; to be kept byte for byte",
            path={"number": {"type": "string", "description": "receipt, batch or filing number"}},
            answers={JSON: RECEIPT},
            headers=ETAG,
        ),
    ),
    offered(
        "POST", "/verify/receipt", PUBLIC, verify,
        ApiDoc(
            "Check a receipt: its signature, and its place on the chain of evidence; needs no login",
            body={"type": "object", "description": "the receipt as it was given out"},
            answers={
                JSON: thing(
                    valid=YES, number=MAYBE_TEXT, key_id=MAYBE_TEXT, trusted=YES, on_chain=YES, message=TEXT,
                    message_en=TEXT,
                )
            },
        ),
        most=api_rules().bodies.receipt_bytes,
    ),
)  # fmt: skip
