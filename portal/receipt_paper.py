"""Print a receipt as PDF: one A4 page, black only, with the code that leads to the public page (U7)."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from portal.receipt_words import moment, next_step, receipt_facts, state_of, verification_text
from records.filings import Filing
from records.paper import print_page
from records.store import BatchRecord
from schemas.contacts import Contact

TEMPLATE = Path(__file__).parent / "templates" / "receipt.typ"
TITLE = "数据报送回执"


def print_receipt(
    batch: BatchRecord,
    filing: Filing | None,
    bureau: str,
    contact: Contact | None,
    address: str,
    at: datetime,
    replaced: str = "",
) -> bytes:
    """Print a receipt as it stands at an instant.

    Raises
    ------
    NoChineseFont
    """
    values = {
        "title": TITLE,
        "bureau": bureau,
        "number": batch.receipt_number,
        "state": state_of(batch, filing, _chinese),
        "facts": [list(fact) for fact in receipt_facts(batch, filing, bureau, _chinese, replaced=replaced)],
        "following": next_step(batch, filing, contact, _chinese),
        "notes": [
            f"本页反映 {moment(at)} 的状态；以网上核验结果为准。",
            "核验：扫描二维码，或在“核验回执”页输入编号和 SHA-256；已签名的回执 JSON 可脱机核验（gongzhi verify receipt）。",
        ],
    }
    return print_page(TEMPLATE, [values], qr_text=verification_text(batch, address), at=at)


def _chinese(zh: str, en: str) -> str:
    return zh
