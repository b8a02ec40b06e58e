"""What a sample should give: ``python -m tests.samples.expect LAYOUT`` prints it, to be read against the sample.

The CSV holds the rows that would be published, in the order of the file: instants in China Standard Time, numbers as
Python writes them, columns that are blank throughout left out, and the sender and the batch, which the folder and the
upload say. Expert lists are not published: theirs holds what was found of each row, by masks and statuses only.
"""

from __future__ import annotations

import csv
import io
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from pipelines.batch import Places, Verdict
from pipelines.sync import Road, judge_file, scratch_of
from pipelines.validate.shapes import publishable
from schemas.layouts import Layout, layouts
from schemas.loaders import bureaus

HERE = Path(__file__).parent
RECEIVED = datetime(2026, 11, 23, tzinfo=UTC)
SAID_ELSEWHERE = ("bureau", "batch_id")


def shipped() -> list[Layout]:
    """Every layout that is shipped: the public ones and those of each bureau."""
    return [*layouts(), *(layout for bureau in bureaus() for layout in layouts(bureau) if layout.bureau)]


def folder_of(layout: str, under: Path = HERE) -> Path:
    """The folder ``<sender>/<layout>`` of a layout; there must be one."""
    found = sorted(under.glob(f"*/{layout}"))
    assert len(found) == 1, f"{layout}: one folder tests/samples/<sender>/{layout}/ is expected, there are {len(found)}"
    return found[0]


def sample_of(folder: Path) -> Path:
    """The sample in a folder; its name may go on where the layout reads the name (``sample_绵阳.csv``)."""
    found = sorted(folder.glob("sample*"))
    assert len(found) == 1, f"{folder.name}: one sample.<ext> is expected, there are {len(found)}"
    return found[0]


@contextmanager
def a_road() -> Iterator[Road]:
    """A road of an empty home, at a fixed time."""
    with tempfile.TemporaryDirectory() as home:
        with Road(Places(Path(home), "", str(Path(home, "tables"))), lambda: RECEIVED, warm=True) as road:
            yield road


def walk(road: Road, sample: Path, sender: str) -> Verdict:
    """Walk a sample as far as the verdict."""
    with scratch_of(road) as scratch:
        _, verdict, _ = judge_file(road, sample, sample.name, bureaus()[sender], None, RECEIVED, scratch)
    return verdict


def table_of(verdict: Verdict) -> str:
    """Write what a verdict lets out as CSV."""
    if verdict.batch.dataset == "experts":
        return _csv(_statuses(verdict))
    frame = publishable(verdict, "")
    frame = frame.drop(columns=[*SAID_ELSEWHERE])
    names = ["source_row", *(["source_column"] if "source_column" in frame else [])]
    frame = frame[[*names, *(n for n in frame if n not in names)]]
    rows = [[_text(value) for value in row] for row in frame.astype(object).itertuples(index=False, name=None)]
    filled = [at for at, name in enumerate(frame) if name in names or any(row[at] for row in rows)]
    order = sorted(rows, key=lambda row: (int(row[0]), len(row[1]), row[1:]))
    return _csv([[str(frame.columns[at]) for at in filled], *([row[at] for at in filled] for row in order)])


def _statuses(verdict: Verdict) -> list[list[str]]:
    """Give what was found of each row of an expert list."""
    rows = verdict.batch.rows
    day = pd.to_datetime(rows["certificate_until"].where(rows["certificate_status"] == ""), unit="us").dt.as_unit("us")
    rows = rows.assign(certificate_until=(day + timedelta(hours=8)).dt.strftime("%Y-%m-%d"))
    states = [str(name) for name in rows if str(name).endswith("_status")]
    shown = ["source_row", *states, "specialty_text", "certificate_until"]
    rules = verdict.findings.groupby("row")["rule"].agg(lambda found: " ".join(sorted(found)))
    said = [rules.get(row, "") for row in rows["source_row"].tolist()]
    lines = rows[shown].astype(object).itertuples(index=False, name=None)
    return [
        [*shown, "rules", "batch"],
        *([*map(_text, line), rule, verdict.state] for line, rule in zip(lines, said, strict=True)),
    ]


def _text(value: Any) -> str:
    """Write one value as it stands in the expected CSV."""
    if value is None or value is pd.NaT or value != value:
        return ""
    if isinstance(value, pd.Timestamp):
        if value.unit == "s":
            return value.date().isoformat()
        return (value + timedelta(hours=8)).strftime("%Y-%m-%dT%H:%M:%S.%f").removesuffix(".000000") + "+08:00"
    return repr(float(value)) if isinstance(value, float) else str(value)


def _csv(rows: Iterable[Iterable[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


if __name__ == "__main__":
    with a_road() as shared_road:
        for name in sys.argv[1:]:
            place = folder_of(name)
            print(table_of(walk(shared_road, sample_of(place), place.parent.name)), end="")
