"""The process that reads the shared tables for one download or one question, and dies with it.

It is told its job as one JSON line, has no network and nothing in its environment, may write only below its scratch
folder (where the kernel knows Landlock), and has limits of memory and time: a question of a person, or a file of two
million rows, ends this process and no other. No answer tells where the tables lie.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

_CREATE, _ADD, _RESTRICT = 444, 445, 446
"""Landlock's system calls, the same on every architecture; Linux 5.13 and later."""
_WRITE_FILE, _REMOVE_MAKE, _TRUNCATE = 1 << 1, 0b1_1111_1111 << 4, 1 << 14
_BENEATH, _NO_NEW_PRIVILEGES = 1, 38
HIDDEN = "…"
"""Stands where an answer would tell where the tables lie."""


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32)]


def write_only_below(folder: Path) -> bool:
    """Give up every right to write outside a folder; whether the kernel took it."""
    kernel = ctypes.CDLL(None, use_errno=True)
    edition = kernel.syscall(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    if edition < 1:
        return False
    rights = ctypes.c_uint64(_WRITE_FILE | _REMOVE_MAKE | (_TRUNCATE if edition >= 3 else 0))
    rules = kernel.syscall(_CREATE, ctypes.byref(rights), ctypes.c_size_t(8), ctypes.c_uint32(0))
    if rules < 0:
        return False
    for place in (folder, Path("/dev/null")):
        held = os.open(place, os.O_PATH | os.O_CLOEXEC)
        mine = rights.value if place is folder else rights.value & (_WRITE_FILE | _TRUNCATE)
        kernel.syscall(_ADD, rules, _BENEATH, ctypes.byref(_Beneath(mine, held)), ctypes.c_uint32(0))
        os.close(held)
    kernel.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    return bool(kernel.syscall(_RESTRICT, rules, ctypes.c_uint32(0)) == 0)


def main() -> int:
    """Serve one job."""
    from pipelines.intake.child import leave_network, limit

    leave_network()
    job = json.loads(sys.stdin.readline())
    scratch = Path(job["scratch"])
    do = {"file": _file, "question": _question}[job["kind"]]
    from pipelines.errors import RoadError

    limit(job["memory_bytes"], job["seconds"] * (os.cpu_count() or 1), job["file_bytes"])
    write_only_below(scratch)
    try:
        answer = do(job)
    except RoadError as error:
        words = [text.replace(job["tables"], HIDDEN) for text in (error.message, error.message_en)]
        answer = {"stopped": "memory"} if "Out of Memory Error" in words[0] else {"error": [error.code, *words]}
    except MemoryError:
        answer = {"stopped": "memory"}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
    return 0


def _file(job: dict[str, Any]) -> dict[str, Any]:
    """Write the rows of a choice into a file."""
    from pipelines.publish.rows import batches
    from portal.exports.choosing import read_choice
    from portal.exports.writing import ExportNote, write_rows

    _begin(job)
    choice = read_choice(job["choice"])
    note = ExportNote(job["note"][0], tuple((zh, en, text) for zh, en, text in job["note"][1]))
    path = Path(job["path"])
    rows = write_rows(batches(choice, job["tables"]), choice.schema, job["form"], path, note, choice.table)
    return {"rows": rows}


def _question(job: dict[str, Any]) -> dict[str, Any]:
    """Answer a question into an Arrow file, at most as many rows as told and one more."""
    import pyarrow as pa

    from pipelines.publish.reading import ask, current

    _begin(job)
    begun = time.monotonic()
    with current(job["tables"], job["as_of"], memory=f"{job['duckdb_mb']}MB") as connection:
        found = ask(connection, job["sql"], job["rows"] + 1)
    taken = time.monotonic() - begun
    kept = _hidden(found.slice(0, job["rows"]), job["tables"])
    with pa.OSFile(job["path"], "wb") as sink, pa.ipc.new_stream(sink, kept.schema) as writer:
        writer.write_table(kept)
    return {"rows": kept.num_rows, "more": found.num_rows > job["rows"], "seconds": round(taken, 3)}


def _begin(job: dict[str, Any]) -> None:
    """Let the time of the job run from here on, with everything imported: at its end the process is gone."""
    signal.setitimer(signal.ITIMER_REAL, job["seconds"])


def _hidden(found: pa.Table, root: str) -> pa.Table:
    """Make an answer fit to be shown: no word on where the tables lie, and no value that only DuckDB can hold."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for place, field in enumerate(found.schema):
        column = found.column(place)
        if not pa.types.is_string(column.type) and not _plain(column):
            column = pa.chunked_array([_words(column)], pa.string())
        if pa.types.is_string(column.type):
            column = pc.replace_substring(column, root, HIDDEN)
        found = found.set_column(place, field.name, column)
    return found


def _plain(column: pa.ChunkedArray) -> bool:
    """Whether every face can show a column as it is: numbers, days and times of the calendar."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_date32(kind) or pa.types.is_timestamp(kind):
        try:
            column.to_pylist()
        except (ValueError, OverflowError):  # DuckDB knows the year 290000, and infinity
            return False
        return True
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)


def _words(column: pa.ChunkedArray) -> list[str | None]:
    import pyarrow as pa

    if pa.types.is_date32(column.type) or pa.types.is_timestamp(column.type):
        column = column.cast(pa.int32() if pa.types.is_date32(column.type) else pa.int64())
    return [None if one is None else str(one) for one in column.to_pylist()]


if __name__ == "__main__":
    # the answer is written and closed: the libraries' threads need not be taken down, which may itself go wrong
    os._exit(main())
