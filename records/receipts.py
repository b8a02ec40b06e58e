"""The receipt: a signed document that says what was taken in, what became of it, and where that stands on the chain.

It verifies without the exchange: the public key of the exchange and the file itself are enough. Its text form is
exact, so that one changed byte is seen, be it only a blank.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from records.chain import ChainPosition, Sm3
from records.keys import Signer, Verifier, check_signature, sign_document
from records.models import write_time

if TYPE_CHECKING:
    from records.store import BatchRecord, Records

KIND = "gongzhi-receipt/1"


@dataclass(frozen=True, slots=True)
class ReceiptReport:
    """What checking a receipt found.

    ``trusted`` is False where no trusted keys were given: the signature fits the key the receipt itself names, and
    whose key that is remains to be asked. ``file_matches`` is None where no file was given.
    """

    ok: bool
    number: str | None
    key_id: str | None
    trusted: bool
    file_matches: bool | None
    reason_zh: str
    reason_en: str


def receipt_document(batch: BatchRecord, place: ChainPosition, signer: Signer) -> dict[str, Any]:
    """Make the signed receipt of a batch as it stands; ``Records.batch_on_chain`` gives both."""
    body = {
        "document": KIND,
        "number": batch.receipt_number,
        "batch_id": batch.batch_id,
        "received_at": write_time(batch.received_at),
        "bureau": batch.bureau,
        "submitted_by": batch.submitted_by,
        "file_name": batch.file_name,
        "sha256": batch.sha256,
        "sm3": batch.sm3,
        "bytes": batch.bytes,
        "container_sha256": batch.container_sha256,
        "state": batch.state,
        "dataset": batch.dataset,
        "layout": batch.layout,
        "rules": batch.rules_hash,
        "rows": batch.rows,
        "results": batch.results,
        "tables": batch.tables,
        "recorded_at": None if batch.recorded_at is None else write_time(batch.recorded_at),
        "error": None if batch.error is None else batch.error.get("code"),
        "chain": {"seq": place.seq, "sha256": place.sha256, "sm3": place.sm3},
    }
    return sign_document(body, signer)


def write_receipt(document: Mapping[str, Any]) -> str:
    """Write a receipt in its exact text form, for a file."""
    return json.dumps(document, ensure_ascii=False, sort_keys=True, indent=2) + "\n"


def verify_receipt(
    document: Mapping[str, Any] | str | bytes,
    trusted_keys: Mapping[str, str] | None = None,
    file: Path | None = None,
    verifiers: Mapping[str, Verifier] | None = None,
) -> ReceiptReport:
    """Check a receipt off line, and the file it is for where there is one.

    Parameters
    ----------
    document : mapping, str or bytes
        The receipt; as text or bytes it must be exactly what :func:`write_receipt` wrote.
    trusted_keys : mapping of key id to public key, optional
        Keys the receipt may be signed with.
    file : Path, optional
        The file it is said to be for.
    verifiers : mapping of algorithm to Verifier, optional
        For algorithms other than Ed25519.
    """
    if isinstance(document, str | bytes):
        receipt = _read_exact(document)
        if receipt is None:
            return ReceiptReport(
                False,
                None,
                None,
                False,
                None,
                "不是一份原样的回执（文字被改动过）",
                "this is not a receipt as it was written (its text was changed)",
            )
        return verify_receipt(receipt, trusted_keys, file, verifiers)
    number, key_id = document.get("number"), document.get("key_id")
    if document.get("document") != KIND:
        return ReceiptReport(False, None, None, False, None, "不是回执", "this is not a receipt")
    check = check_signature(document, trusted_keys, verifiers)
    if not check.valid:
        return ReceiptReport(False, number, key_id, False, None, check.reason_zh, check.reason_en)
    if file is not None and not _same_file(document, file):
        return ReceiptReport(
            False, number, key_id, check.trusted, False,
            f"回执不属于文件 {file.name}：内容摘要不符", f"the receipt is not for {file.name}: its hash differs",
        )  # fmt: skip
    zh, en = "回执有效", "the receipt is valid"
    if not check.trusted:
        zh, en = f"{zh}；签名密钥 {key_id} 请与交换平台公布的核对", f"{en}; compare key {key_id} with the published one"
    return ReceiptReport(True, number, key_id, check.trusted, None if file is None else True, zh, en)


def receipt_on_chain(records: Records, document: Mapping[str, Any]) -> bool:
    """Say whether the event a receipt names stands on the chain with the same hashes."""
    place = document["chain"]
    found = records.events(after=place["seq"] - 1, limit=1)
    return bool(found) and (found[0].seq, found[0].sha256, found[0].sm3) == (
        place["seq"],
        place["sha256"],
        place["sm3"],
    )


def _read_exact(text: str | bytes) -> dict[str, Any] | None:
    """Read a receipt that is exactly as :func:`write_receipt` writes it, else give None."""
    try:
        text = text.decode() if isinstance(text, bytes) else text
        document = json.loads(text)
        exact = isinstance(document, dict) and write_receipt(document) == text
    except (ValueError, RecursionError):
        return None
    return document if exact else None


def _same_file(document: Mapping[str, Any], file: Path) -> bool:
    sha256, sm3, size = hashlib.sha256(), Sm3(), 0
    with file.open("rb") as stream:
        while block := stream.read(2**20):
            sha256.update(block)
            sm3.update(block)
            size += len(block)
    return (document.get("sha256"), document.get("sm3"), document.get("bytes")) == (
        sha256.hexdigest(),
        sm3.hexdigest(),
        size,
    )
