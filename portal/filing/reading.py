"""What a filing is shown with: its findings and its annotated copy, before it is handed in and after."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.batch import Places
from portal import reporting
from portal.filing.drafts import bytes_of, folder_of
from records.filings import Filing
from records.store import Records

if TYPE_CHECKING:
    import pandas as pd


def findings_of_filing(places: Places, filing: Filing) -> pd.DataFrame:
    """Give the findings of a filing: those of its batch once there are any, else those of its check."""
    batch, draft = places.batches / filing.batch_id, folder_of(places, filing.filing_id)
    return reporting.findings_in(batch if filing.batch_id and reporting.has_findings(batch) else draft)


def make_report(places: Places, records: Records, filing: Filing, output: Path) -> None:
    """Write all findings as CSV (``.csv``), or the sender's file with its cells coloured and explained (``.xlsx``).

    Raises
    ------
    GoneDraft, RoadError
    """
    frame = findings_of_filing(places, filing)
    if output.suffix.lower() == ".csv":
        reporting.write_list(frame, output)
        return
    member = filing.summary.get("member")
    upload = reporting.Upload(
        filing.bureau, bytes_of(places, filing), member["name"] if member else filing.file_name,
        filing.summary.get("layout") or "", filing.dataset,
    )  # fmt: skip
    reporting.annotate(places, records, upload, frame, output)
