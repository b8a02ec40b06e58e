"""Receive: keep the upload unchanged under its hash, acknowledge it, give its receipt.

The bytes are copied and hashed (SHA-256 and SM3) in one pass, synced to disk, and only then acknowledged: a receipt
that was shown survives any crash, and its file with it.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipelines.batch import Places
from pipelines.disk import flush
from pipelines.errors import TooLarge, UnreadableFile
from records.chain import Sm3
from records.store import BatchRecord, Records

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Kept:
    """An upload kept unchanged."""

    path: Path
    sha256: str
    sm3: str
    size: int


def kept_path(uploads: Path, sha256: str) -> Path:
    """Where an upload of this hash lies."""
    return uploads / sha256[:2] / sha256


def keep(path: Path, uploads: Path, limit: int) -> Kept:
    """Copy an upload into the home, hashing it on the way.

    Raises
    ------
    UnreadableFile, TooLarge
        The file is not there, is no file, or passes the limit of bytes.
    """
    if not path.is_file():
        raise UnreadableFile("no-file", f"没有这个文件：{path.name}", f"no such file: {path.name}")
    if path.stat().st_size > limit:
        raise TooLarge(
            "file-too-large",
            f"文件 {path.stat().st_size / 2**20:.0f} MB，超过上限 {limit / 2**20:.0f} MB；请分成几个文件",
            f"the file has {path.stat().st_size / 2**20:.0f} MB, the limit is {limit / 2**20:.0f} MB; split it",
        )
    sha256, sm3, size = hashlib.sha256(), Sm3(), 0
    uploads.mkdir(parents=True, exist_ok=True)
    temporary = uploads / f".incoming-{secrets.token_hex(8)}"
    try:
        with path.open("rb") as source, temporary.open("wb") as target:
            while block := source.read(_BLOCK):
                sha256.update(block)
                sm3.update(block)
                size += len(block)
                target.write(block)
            target.flush()
            os.fsync(target.fileno())
        final = kept_path(uploads, sha256.hexdigest())
        final.parent.mkdir(exist_ok=True)
        os.replace(temporary, final)
        flush(final.parent)
        flush(uploads)
    finally:
        temporary.unlink(missing_ok=True)
    return Kept(final, sha256.hexdigest(), sm3.hexdigest(), size)


def receive(
    path: Path,
    name: str,
    bureau: str,
    places: Places,
    records: Records,
    now: datetime,
    *,
    submitted_by: str,
    facts: str,
    limit: int,
    dataset: str | None = None,
    layout: str | None = None,
    container: str | None = None,
) -> tuple[BatchRecord, bool]:
    """Keep one upload and acknowledge it.

    Returns
    -------
    (BatchRecord, bool)
        The batch, and whether the same bytes of the same bureau had come before.
    """
    kept = keep(path, places.uploads, limit)
    return records.receive(
        bureau,
        name,
        kept.sha256,
        kept.sm3,
        kept.size,
        now,
        submitted_by,
        facts,
        dataset=dataset,
        layout_asked=layout,
        container_sha256=container,
    )


def sweep(uploads: Path, older_than: float) -> int:
    """Remove copies that a crash left unfinished before ``older_than`` (seconds since 1970)."""
    count = 0
    for path in uploads.glob(".incoming-*"):
        if path.stat().st_mtime < older_than:
            path.unlink(missing_ok=True)
            count += 1
    return count
