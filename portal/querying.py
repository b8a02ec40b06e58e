"""Query and changes: Arrow from the shared tables to a person or a program."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from pipelines.batch import Places
from portal.words import say

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS = ("table", "csv", "json", "parquet")


def print_query(places: Places, sql: str, as_of: str | None, format: str, output: Path | None) -> None:
    """Answer one SELECT."""
    from pipelines.publish.reading import query

    _check(format)
    _give(query(sql, places.tables, as_of), format, output)


def print_changes(places: Places, table: str, since: int | None, format: str) -> None:
    """List the changes of one table."""
    from pipelines.publish.changes import changes
    from schemas.loaders import tables

    _check(format)
    if table not in tables():
        _stop(f"没有数据表 {table}；有：{'、'.join(tables())}", f"no table {table}; there are {', '.join(tables())}")
    _give(changes(tables()[table], places.tables, -1 if since is None else since), format, None)


def _check(format: str) -> None:
    if format not in FORMATS:
        _stop(f"没有格式 {format}；可选：{'、'.join(FORMATS)}", f"no format {format}; there are {', '.join(FORMATS)}")


def _stop(zh: str, en: str) -> NoReturn:
    print(say(zh, en), file=sys.stderr)
    raise typer.Exit(2)


def _give(found: pa.Table, format: str, output: Path | None) -> None:
    if format == "parquet":
        if output is None:
            _stop("parquet 请用 -o 指明文件", "name a file with -o for parquet")
        import pyarrow.parquet as pq

        pq.write_table(found, output, compression="zstd", write_page_checksum=True)
        return
    text = {"table": _table, "csv": _csv, "json": _json}[format](found)
    if output is not None:
        output.write_text(text, encoding="utf-8-sig" if format == "csv" else "utf-8")
    else:
        sys.stdout.write(text)


def _table(found: pa.Table) -> str:
    from portal.show import plain_table

    rows = [tuple(row.values()) for row in found.to_pylist()]
    return "".join(line + "\n" for line in plain_table(found.column_names, rows))


def _csv(found: pa.Table) -> str:
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(found.column_names)
    for row in found.to_pylist():
        writer.writerow(["" if value is None else value for value in row.values()])
    return text.getvalue()


def _json(found: pa.Table) -> str:
    def plain(value: Any) -> str:
        return value.isoformat() if hasattr(value, "isoformat") else str(value)

    return json.dumps(found.to_pylist(), ensure_ascii=False, default=plain) + "\n"
