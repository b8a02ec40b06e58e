"""The expert lists as they came in: each is kept sealed under its hash, and its receipt is an event of the chain."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from expert_registry.errors import SealBroken
from expert_registry.privacy.vault import UPLOAD, Vault, write_private
from records.chain import sm3_hex
from records.store import CHINA, Records


@dataclass(frozen=True, slots=True)
class Receipt:
    """The proof of a list: its number, its hashes, and whether the same bytes were kept before."""

    receipt: str
    sha256: str
    sm3: str
    bytes: int
    repeated: bool


def keep_upload(
    records: Records, vault: Vault, folder: Path, data: bytes, bureau: str, by: str, at: datetime
) -> Receipt:
    """Seal a list into ``<folder>/<sha256>.sealed`` and put its receipt on the chain; the name of the file is not kept."""
    sha256, sm3 = hashlib.sha256(data).hexdigest(), sm3_hex(data)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{sha256}.sealed"
    repeated = path.exists()
    if not repeated:
        write_private(path, vault.seal_file(sha256, UPLOAD, data))
    number = base64.b32encode(secrets.token_bytes(7)).decode()[:10]
    receipt = f"E{bureau}-{at.astimezone(CHINA):%Y%m%d}-{number}"
    payload = {"receipt": receipt, "sha256": sha256, "sm3": sm3, "bytes": len(data), "by": by, "repeated": repeated}
    records.append("expert-list", at, bureau=bureau, payload=payload)
    return Receipt(receipt, sha256, sm3, len(data), repeated)


def open_upload(vault: Vault, folder: Path, sha256: str) -> bytes:
    """Open a kept list again; the caller records the look.

    Raises
    ------
    SealBroken
        Altered, or not the list of this hash.
    """
    data = vault.open_file(sha256, UPLOAD, (folder / f"{sha256}.sealed").read_bytes())
    if hashlib.sha256(data).hexdigest() != sha256:
        raise SealBroken(f"名单 {sha256} 的内容与其散列不符", f"the list {sha256} is not what its hash says")
    return data
