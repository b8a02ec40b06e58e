"""A batch's findings as lines, CSV, or the uploader's own workbook."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.batch import Places, ReadLimits
from portal.words import say

if TYPE_CHECKING:
    import pandas as pd

    from records.store import BatchRecord, Records


def _findings(places: Places, batch: BatchRecord) -> pd.DataFrame:
    from pipelines.batch import FINDING_COLUMNS
    from pipelines.validate.keep import FINDINGS, findings

    folder = places.batches / batch.batch_id
    if (folder / FINDINGS).exists():
        return findings(folder)
    import pandas as pd

    return pd.DataFrame({name: pd.Series([], dtype="object") for name in FINDING_COLUMNS})


def findings_json(places: Places, batch: BatchRecord, as_json: bool) -> Iterator[str]:
    """Give the findings of a batch as lines; the error first where the file was refused whole."""
    frame = _findings(places, batch)
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
    """Write all findings as CSV, or the upload with its cells coloured and explained.

    The answers given before to the same finding on the same value are filled in again.
    """
    from pipelines.validate import report

    frame = _findings(places, batch)
    if output.suffix.lower() == ".csv":
        report.write_csv(frame, output)
        return
    from pipelines.intake.read import Reader
    from pipelines.intake.receive import kept_path
    from pipelines.intake.recognise import recognise
    from records.waivers import answers
    from schemas.layouts import layouts

    upload = kept_path(places.uploads, batch.sha256)
    known = answers(records, batch.bureau)
    given: dict[tuple[int, str], str] = {}
    for row, *key in zip(*(frame[n].tolist() for n in ("row", "rule", "key", "header", "value")), strict=True):
        answer = known.get((str(key[0]), str(key[1]), str(key[2] or ""), str(key[3])))
        if answer is not None:
            given[(int(row), "")] = answer.text
    site = places.site_facts if places.site_facts.is_dir() else None
    with tempfile.TemporaryDirectory() as scratch, Reader(ReadLimits()) as reader:
        raw = reader.read(upload, batch.file_name, Path(scratch))
        headers: dict[str | None, int] = {}
        if batch.layout:
            found, _ = recognise(raw, layouts(batch.bureau, site), batch.dataset_asked or None)
            headers = {one.sheet.name: one.header_row for one in found}
        report.annotate(upload, raw, frame, given, output, headers)
