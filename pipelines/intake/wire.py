"""How a :class:`pipelines.batch.RawBatch` crosses from the reading child to its parent: Arrow files and one JSON.

Cells, broken lines and marks are Arrow files, which the parent maps into memory without a copy.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipelines import errors
from pipelines.batch import BrokenLine, CellMark, Normalisation, RawBatch, Sheet

ANSWER = "answer.json"
ANSWER_BYTES = 64 * 2**20


def write(batch: RawBatch, scratch: Path) -> None:
    """Write a batch into a folder; the answer file comes last."""
    import pyarrow as pa

    sheets = []
    for i, sheet in enumerate(batch.sheets):
        _save(sheet.cells.append_column("row", pa.array(sheet.rows, pa.int32())), scratch / f"cells-{i}.arrow")
        _save(_table(sheet.broken, BROKEN), scratch / f"broken-{i}.arrow")
        _save(_table(sheet.marks, MARKS), scratch / f"marks-{i}.arrow")
        sheets.append({"name": sheet.name, "typed": sheet.typed, "merged": sheet.merged})
    answer = {
        "kind": batch.kind,
        "encoding": batch.encoding,
        "sheets": sheets,
        "normalised": [asdict(note) for note in batch.normalised],
    }
    (scratch / ANSWER).write_text(json.dumps(answer, ensure_ascii=False), encoding="utf-8")


def write_error(error: errors.RoadError, scratch: Path) -> None:
    """Write a refusal into a folder."""
    answer = {"error": {"type": type(error).__name__, **error.as_json()}}
    (scratch / ANSWER).write_text(json.dumps(answer, ensure_ascii=False), encoding="utf-8")


def load(scratch: Path, file: str, sha256: str) -> RawBatch:
    """Load what the child wrote, or raise what it raised.

    Raises
    ------
    IntakeError
        As the child named it.
    OSError, ValueError, KeyError
        The child did not finish its answer.
    """
    with (scratch / ANSWER).open(encoding="utf-8") as stream:
        answer = json.loads(stream.read(ANSWER_BYTES))
    if refusal := answer.get("error"):
        kind = getattr(errors, refusal.pop("type"))
        raise kind(refusal.pop("code"), refusal.pop("message"), refusal.pop("message_en"), **refusal)
    sheets = tuple(_load_sheet(scratch, i, facts) for i, facts in enumerate(answer["sheets"]))
    notes = tuple(Normalisation(**note) for note in answer["normalised"])
    return RawBatch(file, sha256, answer["kind"], answer["encoding"], sheets, notes)


BROKEN = (("row", "int32"), ("fields", "int32"), ("expected", "int32"), ("text", "string"))
MARKS = (("row", "int32"), ("column", "int32"), ("kind", "string"), ("text", "string"))


def _load_sheet(scratch: Path, i: int, facts: dict[str, Any]) -> Sheet:
    cells = _open(scratch / f"cells-{i}.arrow")
    broken = _open(scratch / f"broken-{i}.arrow").to_pydict()
    marks = _open(scratch / f"marks-{i}.arrow").to_pydict()
    return Sheet(
        name=facts["name"],
        cells=cells.drop_columns(["row"]),
        rows=cells.column("row").to_numpy(),
        typed=facts["typed"],
        broken=tuple(map(BrokenLine, *broken.values())),
        marks=tuple(map(CellMark, *marks.values())),
        merged=tuple((a, b, c, d) for a, b, c, d in facts["merged"]),
    )


def _table(items: tuple[Any, ...], columns: tuple[tuple[str, str], ...]) -> Any:
    import pyarrow as pa

    return pa.table({name: pa.array([getattr(item, name) for item in items], kind) for name, kind in columns})


def _save(table: Any, path: Path) -> None:
    import pyarrow as pa

    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def _open(path: Path) -> Any:
    import pyarrow as pa

    return pa.ipc.open_file(pa.memory_map(str(path))).read_all().combine_chunks()
