"""The SQL console: one reading question on the shared tables, answered by a process that can be ended.

What a question may is decided by the door the command line uses (``pipelines/publish/reading.py``); here are the
limits of a person on a page: time, memory, rows. Personal data are not in the shared tables, so no question finds any.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.errors import PublishError
from pipelines.publish.reading import moment
from portal.access.caller import Caller
from portal.exports.errors import UnknownForm
from portal.exports.handing_out import ENDINGS, Desk, Handed, log_answer, note_lines
from portal.exports.working import work
from portal.exports.writing import ExportNote, write_rows
from schemas.export_rules import QueryRules, export_rules

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Answer:
    """What a question found; ``more`` says that there were more rows than may be given."""

    number: str
    rows: pa.Table
    more: bool
    seconds: float


def answer(desk: Desk, caller: Caller, sql: str, as_of: str, scratch: Path) -> Answer:
    """Answer a question for a page.

    Raises
    ------
    PublishError, QueryStopped, QuotaReached
    """
    found, more, seconds = _asked(desk, sql, as_of, scratch)
    number = log_answer(desk, caller, sql, as_of, "page", found.num_rows)
    return Answer(number, found, more, seconds)


def answer_file(desk: Desk, caller: Caller, sql: str, as_of: str, form: str, folder: Path) -> Handed:
    """Answer a question into a file.

    Raises
    ------
    UnknownForm, PublishError, QueryStopped, QuotaReached
    """
    if form not in ("parquet", "csv", "xlsx"):
        raise UnknownForm(
            f"没有格式 {form[:20]}；可选 parquet、csv、xlsx", f"no format {form[:20]}: parquet, csv, xlsx"
        )
    found, _, _ = _asked(desk, sql, as_of, folder)
    path = folder / f"answer.{ENDINGS[form]}"

    def made(number: str) -> Path:
        lines = (*note_lines(desk, caller, number, found.num_rows), ("查询语句", "sql", sql), ("截至", "as of", as_of))
        write_rows(found.to_batches(), found.schema, form, path, ExportNote(number, lines))
        return path

    number = log_answer(desk, caller, sql, as_of, form, found.num_rows, made)
    return Handed(number, path, found.num_rows, form, f"查询结果_{number}.{ENDINGS[form]}")


def _asked(desk: Desk, sql: str, as_of: str, scratch: Path) -> tuple[pa.Table, bool, float]:
    import pyarrow as pa

    rules = export_rules().query
    _check(sql, rules)
    if as_of:
        moment(as_of)  # said before a process is started
    job = {
        "kind": "question", "sql": sql, "as_of": as_of or None, "rows": rules.rows, "duckdb_mb": rules.memory_mb,
        "path": str(scratch / "answer.arrows"),
    }  # fmt: skip
    told = work(desk.places, scratch, job, rules.seconds, rules.memory_mb)
    with pa.OSFile(job["path"], "rb") as source, pa.ipc.open_stream(source) as reader:
        return reader.read_all(), bool(told["more"]), float(told["seconds"])


def _check(sql: str, rules: QueryRules) -> None:
    if not sql.strip():
        raise PublishError("query-refused", "请填写一条查询语句", "write a question")
    if len(sql) > rules.characters or "\0" in sql:
        raise PublishError(
            "query-refused",
            f"查询语句最长 {rules.characters:,} 个字符",
            f"a question has at most {rules.characters:,} characters",
        )
