"""A batch's findings as lines, CSV, or the uploader's own workbook."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.batch import Places, ReadLimits
from portal.words import say

if TYPE_CHECKING:
    import pandas as pd

    from records.store import BatchRecord, Records


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that is given back with its findings written into it; a blank ``layout`` was not recognised."""

    bureau: str
    path: Path
    file_name: str
    layout: str
    dataset: str


def findings_of(places: Places, batch: BatchRecord) -> pd.DataFrame:
    """Give the findings of a batch as they were kept; none where it was refused before it was judged."""
    return findings_in(places.batches / batch.batch_id)


def has_findings(folder: Path) -> bool:
    """Say whether findings are kept in a folder."""
    from pipelines.validate.keep import FINDINGS

    return (folder / FINDINGS).exists()


def findings_in(folder: Path) -> pd.DataFrame:
    """Give the findings kept in a folder; none where there are none."""
    from pipelines.batch import FINDING_COLUMNS
    from pipelines.validate.keep import findings

    if has_findings(folder):
        return findings(folder)
    import pandas as pd

    return pd.DataFrame({name: pd.Series([], dtype="object") for name in FINDING_COLUMNS})


def findings_json(places: Places, batch: BatchRecord, as_json: bool) -> Iterator[str]:
    """Give the findings of a batch as lines; the error first where the file was refused whole."""
    frame = findings_of(places, batch)
    rows = json.loads(frame.to_json(orient="records", force_ascii=False))
    if as_json:
        for row in rows:
            yield json.dumps(row, ensure_ascii=False)
        return
    from portal.show import finding_lines

    if batch.error:
        yield say(batch.error["message"], batch.error["message_en"])
    yield from finding_lines(rows, len(rows), len(rows))
    if not rows and not batch.error:
        yield say("没有问题", "no findings")


def write_report(places: Places, records: Records, batch: BatchRecord, output: Path) -> None:
    """Write all findings as CSV, or the upload with its cells coloured and explained."""
    frame = findings_of(places, batch)
    if output.suffix.lower() == ".csv":
        write_list(frame, output)
        return
    from pipelines.intake.receive import kept_path

    path = kept_path(places.uploads, batch.sha256)
    upload = Upload(batch.bureau, path, batch.file_name, batch.layout or "", batch.dataset_asked or "")
    annotate(places, records, upload, frame, output)


def write_list(frame: pd.DataFrame, output: Path) -> None:
    """Write findings as CSV."""
    from pipelines.validate import report

    report.write_csv(frame, output)


def annotate(places: Places, records: Records, upload: Upload, frame: pd.DataFrame, output: Path) -> None:
    """Write a file as a workbook with its cells coloured and explained.

    The answers given before to the same finding on the same value are filled in again.
    """
    from pipelines.intake.read import Reader
    from pipelines.intake.recognise import recognise
    from pipelines.validate import report
    from records.waivers import answers
    from schemas.layouts import layouts

    known = answers(records, upload.bureau)
    given: dict[tuple[int, str], str] = {}
    for row, *key in zip(*(frame[n].tolist() for n in ("row", "rule", "key", "header", "value")), strict=True):
        answer = known.get((str(key[0]), str(key[1]), str(key[2] or ""), str(key[3])))
        if answer is not None:
            given[(int(row), "")] = answer.text
    site = places.site_facts if places.site_facts.is_dir() else None
    with tempfile.TemporaryDirectory() as scratch, Reader(ReadLimits()) as reader:
        raw = reader.read(upload.path, upload.file_name, Path(scratch))
        headers: dict[str | None, int] = {}
        if upload.layout:
            found, _ = recognise(raw, layouts(upload.bureau, site), upload.dataset or None)
            headers = {one.sheet.name: one.header_row for one in found}
        report.annotate(upload.path, raw, frame, given, output, headers)
