"""The bytes of filings under ``HOME/drafts``: one folder for each, and ``incoming`` for what is still being sent.

::

    drafts/incoming/<random>.part     while it comes in; what is older than an hour goes
    drafts/<filing>/file              as it came
    drafts/<filing>/member            the one file of a zip
    drafts/<filing>/findings.parquet  what the check found
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from datetime import datetime, timedelta
from pathlib import Path

from pipelines.batch import Places
from pipelines.disk import flush
from pipelines.intake.receive import kept_path
from portal.filing.desk import FilingDesk, Incoming
from portal.filing.errors import GoneDraft
from records.filings import WORKER, Filing, expired, known_filings, withdraw

FILE, MEMBER = "file", "member"
FINDINGS, QUARANTINE = "findings.parquet", "quarantine.parquet"
"""As ``pipelines.validate.keep`` calls them, which the pages do not import."""
ORPHAN_SECONDS = 3600
TOO_OLD = {
    "code": "expired",
    "message": "草稿逾期未提交，已自动撤回",
    "message_en": "the draft was not handed in in time",
}


def drafts_of(places: Places) -> Path:
    """Where the drafts of a home lie."""
    return places.home / "drafts"


def folder_of(places: Places, filing_id: str) -> Path:
    """Where one filing lies."""
    return drafts_of(places) / filing_id


def new_part(places: Places) -> Path:
    """Name a file for bytes that are about to come in."""
    folder = drafts_of(places) / "incoming"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder / f"{secrets.token_hex(16)}.part"


def adopt(places: Places, filing_id: str, incoming: Incoming) -> None:
    """Move what came in to its filing, and bring it to the disk."""
    folder = folder_of(places, filing_id)
    folder.mkdir(parents=True, mode=0o700)
    flush(incoming.path)
    os.replace(incoming.path, folder / FILE)
    flush(folder)
    flush(folder.parent)


def drop(places: Places, filing_id: str) -> None:
    """Remove all that lies of a filing."""
    shutil.rmtree(folder_of(places, filing_id), ignore_errors=True)


def drop_findings(places: Places, filing_id: str) -> None:
    """Remove what a check found; the file itself stays."""
    for name in (MEMBER, FINDINGS, QUARANTINE):
        (folder_of(places, filing_id) / name).unlink(missing_ok=True)


def bytes_of(places: Places, filing: Filing) -> Path:
    """Find the bytes that were judged: the draft's, or the upload it became.

    Raises
    ------
    GoneDraft
    """
    folder = folder_of(places, filing.filing_id)
    member = filing.summary.get("member")
    for path in (
        folder / (MEMBER if member else FILE),
        kept_path(places.uploads, (member or {}).get("sha256", filing.sha256)),
    ):
        if path.is_file():
            return path
    raise GoneDraft(
        "原文件已不再保存（已撤回或逾期），请重新上传",
        "the file is no longer kept (withdrawn or expired): send it again",
    )


def sweep(desk: FilingDesk, at: datetime, disk_time: datetime) -> int:
    """Remove what nobody needs: cut uploads, folders without a filing, drafts nobody handed in. Give how many went.

    ``at`` is the time of the filings, ``disk_time`` that of the files: the clock of the machine.
    """
    gone, now = 0, disk_time.timestamp()
    for part in (drafts_of(desk.places) / "incoming").glob("*.part"):
        if _older(part, now - desk.rules.drafts.incoming_minutes * 60):
            part.unlink(missing_ok=True)
            gone += 1
    folders = [one for one in drafts_of(desk.places).glob("F*") if one.is_dir() and _older(one, now - ORPHAN_SECONDS)]
    known = known_filings(desk.records, [one.name for one in folders])
    for folder in folders:
        if known.get(folder.name, "withdrawn") == "withdrawn":
            shutil.rmtree(folder, ignore_errors=True)
            gone += 1
    for old in expired(desk.records, at - timedelta(days=desk.rules.drafts.days)):
        if old.state == "checked":
            withdraw(desk.records, old.filing_id, TOO_OLD, WORKER, at, "expired")
        drop(desk.places, old.filing_id)
        gone += 1
    return gone


def _older(path: Path, than: float) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_mtime < than
    return False
