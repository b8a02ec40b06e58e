"""回执: at once after the hand-in, at an address that stays; on the page, on paper, and public by number and hash (U7)."""

from __future__ import annotations

from markupsafe import Markup
from starlette.responses import Response

from portal.receipt_paper import print_receipt
from portal.receipt_words import Fact, next_step, receipt_facts, verification_text
from portal.web.asking import Ask
from portal.web.errors import Problem
from portal.web.filing.downloads import WAIT, give
from portal.web.filing.following import moving_values
from portal.web.filing.words import MOVING, delivery_state, state_words
from portal.web.pages import bureau_of, page
from records.filings import Filing, WantedFilings, filing_of_batch, filings
from records.paper import qr_code
from records.store import BatchRecord
from schemas.contacts import Contact, contact_of

PDF = "application/pdf"


def receipt(ask: Ask) -> Response:
    """Show the receipt of a delivery, and how far it is."""
    batch = own_delivery(ask, "batch.read")
    filing = filing_of_batch(ask.site.records, batch.batch_id)
    moving = filing is not None and filing.state in MOVING
    state, tone = delivery_state(batch, filing)
    values = moving_values(ask, filing, _asked(ask)) | {"filing": filing} if moving and filing else {}
    return page(
        ask, "filing/receipt.html",
        batch=batch, again=bool(ask.query.get("again")), tone=tone, facts=facts_of(ask, batch, filing), moving=moving,
        told=told(ask, batch, filing), following=next_step(batch, filing, contact(ask, batch), ask.words),
        qr=Markup(qr_code(verification_text(batch, ask.site.settings.address))),
        takes=ask.may("batch.download", batch.bureau).ok, gaps=gaps_of(batch),
        corrigible=batch.state == "published" and ask.may("batch.correct", batch.bureau).ok,
        **(values | {"state": state_words(filing) if moving and filing else state}),
    )  # fmt: skip


def paper(ask: Ask) -> Response:
    """Give the receipt as PDF."""
    batch = own_delivery(ask, "batch.download")
    filing = filing_of_batch(ask.site.records, batch.batch_id)
    if not ask.site.heavy.acquire(timeout=WAIT):
        raise Problem(503, headers={"retry-after": "30"})
    try:
        made = print_receipt(
            batch, filing, bureau_title(ask, batch.bureau), contact(ask, batch), ask.site.settings.address, ask.at,
            replaced_by(ask, batch),
        )  # fmt: skip
    finally:
        ask.site.heavy.release()
    return give(made, PDF, f"回执_{batch.receipt_number}.pdf")


def gaps_of(batch: BatchRecord) -> str:
    """Give the address at which the missing hours of a published delivery of air are explained; blank for others."""
    if batch.state != "published" or batch.dataset != "air":
        return ""
    return f"/gaps?month={max(batch.covers)[:7]}" if batch.covers else "/gaps"


def own_delivery(ask: Ask, permission: str) -> BatchRecord:
    """Find the delivery an address names, if the caller may see it."""
    batch = ask.site.records.batch(ask.path["number"])
    ask.need(permission, batch.bureau)
    return batch


def facts_of(ask: Ask, batch: BatchRecord, filing: Filing | None) -> list[Fact]:
    """Give the lines of a receipt."""
    title = bureau_title(ask, batch.bureau)
    return receipt_facts(batch, filing, title, ask.words, replaced=replaced_by(ask, batch))


def replaced_by(ask: Ask, batch: BatchRecord) -> str:
    """Give the receipt of the newest correction in force; blank where there is none."""
    found = corrections(ask, batch)
    return next((one.receipt for one in found if one.state == "published"), "")


def corrections(ask: Ask, batch: BatchRecord) -> tuple[Filing, ...]:
    """List what was sent to correct a delivery, the newest first."""
    return filings(ask.site.records, WantedFilings(batch.bureau, corrects=batch.receipt_number), 0, 50).filings


def bureau_title(ask: Ask, code: str) -> str:
    """Give the name of a bureau."""
    known = bureau_of(ask, code)
    return ask.words(known.name_zh, known.name_en) if known else code


def contact(ask: Ask, batch: BatchRecord) -> Contact | None:
    """Give whom to ask about a delivery."""
    facts = ask.site.places.site_facts
    return contact_of(batch.bureau, facts if facts.is_dir() else None)


def told(ask: Ask, batch: BatchRecord, filing: Filing | None) -> str:
    """Say in one sentence what became of a delivery."""
    state = (
        filing.state if filing is not None and filing.state in ("in_review", "handing_in", "returned") else batch.state
    )
    quarantined = batch.results.get("quarantined", 0)
    if state == "published" and quarantined:
        return ask.words(
            f"已发布；其中 {quarantined} 个结果因错误被隔离，没有发布。",
            f"Published; {quarantined} results were quarantined and did not go out.",
        )
    said = {
        "in_review": ("已收到，正在等待审核。", "Received; it waits for a reviewer."),
        "handing_in": ("已收到，正在复核和发布。", "Received; it is being published."),
        "returned": ("审核人已退回，数据没有发布。", "The reviewer returned it; nothing was published."),
        "published": ("已发布，其他单位可以使用。", "Published; the other bureaus can use it."),
        "refused": ("已退回，数据没有发布。", "Refused; nothing was published."),
        "held": ("已收到，复核时搁置。", "Received; held by the gate."),
    }
    return ask.words(*said.get(state, ("已收到。", "Received.")))


def _asked(ask: Ask) -> int:
    text = ask.query.get("n", "")
    return min(int(text), 1000) if text.isascii() and text.isdigit() and len(text) < 5 else 0
