"""Keep what the judge found beside the batch: every finding and every quarantined result, as Parquet."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.batch import Verdict

FINDINGS, QUARANTINE = "findings.parquet", "quarantine.parquet"


def keep(verdict: Verdict, folder: Path) -> None:
    """Write findings and quarantine into the batch's folder, each all or nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in ((FINDINGS, verdict.findings), (QUARANTINE, verdict.quarantined)):
        temporary = folder / f".{name}.{os.getpid()}"
        table = pa.Table.from_pandas(frame.reset_index(drop=True), preserve_index=False)
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, folder / name)


def findings(folder: Path) -> pd.DataFrame:
    """Read the findings of a batch back."""
    frame: pd.DataFrame = pq.read_table(folder / FINDINGS, page_checksum_verification=True).to_pandas()
    return frame


def quarantine(folder: Path) -> pd.DataFrame:
    """Read the quarantined results of a batch back."""
    frame: pd.DataFrame = pq.read_table(folder / QUARANTINE, page_checksum_verification=True).to_pandas()
    return frame
