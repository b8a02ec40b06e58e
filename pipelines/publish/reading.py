"""Read the shared tables with DuckDB: each table a view of its current rows, ``<table>_history`` of all.

DuckDB is given the files that the log of a table names, never a folder, so a reader sees one whole version. A
connection for users' questions is locked: it can open these files and nothing else, and takes one reading statement.
"""

from __future__ import annotations

import csv
import io
import json
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, BinaryIO

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.errors import PublishError
from pipelines.publish.store import LiveFile, Shared, damaged_file, open_table
from schemas.contracts import Table, tables

CHINA = timezone(timedelta(hours=8))
FORMATS = ("table", "csv", "json", "parquet")
_DUCK = {
    "string": "VARCHAR",
    "float64": "DOUBLE",
    "int32": "INTEGER",
    "int8": "TINYINT",
    "bool": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMPTZ",
}
_WRITES = re.compile("COPY|INSERT|UPDATE|DELETE|MERGE|EXPORT|ATTACH|CREATE|ALTER|DROP|VACUUM", re.IGNORECASE)
"""What the plan of a statement that writes has among its operators."""
_LINEAGE = frozenset({"batch_id", "source_row", "source_column", "recorded_from", "recorded_until"})


# -- questions of users -------------------------------------------------------------------------------------------


def moment(text: str | datetime) -> datetime:
    """Read the time of ``--as-of``: a date or a date and time; without a zone it is China Standard Time.

    Examples
    --------
    >>> moment("2026-04-14T12:00").isoformat()
    '2026-04-14T12:00:00+08:00'
    """
    try:
        at = text if isinstance(text, datetime) else datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise PublishError(
            "wrong-time",
            f"时间 {text!r} 无法识别，请写成 2026-04-14 或 2026-04-14T12:00",
            f"{text!r} is no time; write 2026-04-14 or 2026-04-14T12:00",
        ) from error
    return at if at.tzinfo is not None else at.replace(tzinfo=CHINA)


def current(
    tables_root: str,
    as_of: str | datetime | None = None,
    storage_options: dict[str, str] | None = None,
    memory: str = "",
) -> duckdb.DuckDBPyConnection:
    """Open a locked connection on the shared tables.

    Parameters
    ----------
    as_of : optional
        The views show the rows on record at this time instead of those on record now.
    memory : str
        What the questions may take, as ``512MB``; most of the machine's unless told.

    Returns
    -------
    DuckDBPyConnection
        A view per table and one of all its rows, ``<table>_history``; a table nobody published to yet is empty.
        Times are shown in China Standard Time. The connection reads the tables' files and nothing else.
    """
    at = None if as_of is None else moment(as_of)
    connection = _connect(**({"memory_limit": memory} if memory else {}))
    allowed: list[str] = []
    for table in tables().values():
        shared = open_table(table, tables_root, storage_options)
        allowed += [str(shared.local(file.path)) for file in shared.files] if shared is not None else []
        _views(connection, table, shared, at)
    connection.execute(f"SET allowed_paths = [{_quoted(allowed)}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def query(
    sql: str,
    tables_root: str,
    as_of: str | datetime | None = None,
    storage_options: dict[str, str] | None = None,
) -> pa.Table:
    """Answer one question on the shared tables.

    Raises
    ------
    PublishError
        ``query-refused``: not exactly one reading statement, or it reaches outside the tables; ``query-wrong``:
        DuckDB does not understand it; ``damaged-file``: a data file cannot be read, and which.
    """
    with current(tables_root, as_of, storage_options) as connection:
        return ask(connection, sql)


def ask(connection: duckdb.DuckDBPyConnection, sql: str, most: int | None = None) -> pa.Table:
    """Answer one question on an open connection, with ``most`` rows at most; for the errors see :func:`query`."""
    try:
        if not _only_reads(connection, sql):
            raise PublishError(
                "query-refused",
                "只接受一条查询语句（SELECT、WITH、DESCRIBE、SHOW、SUMMARIZE、EXPLAIN），不能修改或写出",
                "one reading statement is taken (SELECT, WITH, DESCRIBE, SHOW, SUMMARIZE, EXPLAIN), nothing that writes",
            )
        relation = connection.sql(sql)
        return relation.to_arrow_table() if most is None else _first(relation.to_arrow_reader(2048), most)
    except duckdb.PermissionException as error:
        raise PublishError(
            "query-refused",
            f"查询只能读共享表，不能读其他文件或改设置：{_first_line(error)}",
            f"a query reads the shared tables only, no other file or setting: {_first_line(error)}",
        ) from error
    except duckdb.CatalogException as error:
        names = "、".join(tables())
        raise PublishError(
            "query-wrong",
            f"查询中有不认识的表、列或函数：{_first_line(error)}；可用的表：{names}，以及 <表名>_history",
            f"the query names something unknown: {_first_line(error)}; tables: {', '.join(tables())}, and <table>_history",
        ) from error
    except duckdb.Error as error:
        raise damaged(error) from error


def _first(reader: pa.RecordBatchReader, most: int) -> pa.Table:
    """Take rows until there are enough; what would come after them is never made."""
    taken: list[pa.RecordBatch] = []
    for batch in reader:
        taken.append(batch)
        if sum(one.num_rows for one in taken) >= most:
            break
    return pa.Table.from_batches(taken, reader.schema).slice(0, most)


def _only_reads(connection: duckdb.DuckDBPyConnection, sql: str) -> bool:
    """Whether a text is one statement that changes nothing.

    The files a connection may read it could also write: ``COPY`` inside a ``WITH``, and whatever ``EXPLAIN ANALYZE``
    runs, would lay itself over a shared data file. So the plan is looked at, not only the kind of the statement.
    """
    kinds = [statement.type for statement in connection.extract_statements(sql)]
    if kinds == [duckdb.StatementType.EXPLAIN]:
        sql = _explained(sql)
        kinds = [statement.type for statement in connection.extract_statements(sql)]
    if kinds != [duckdb.StatementType.SELECT]:
        return False
    plans = connection.sql(f"EXPLAIN (FORMAT json) {sql.strip().rstrip(';')}").fetchall()
    return not any(_WRITES.search(name) for _, plan in plans for name in _operators(json.loads(plan)))


def _explained(sql: str) -> str:
    """Give what follows EXPLAIN, and ANALYZE; with options in brackets it is no statement any more."""
    starts = [at for at, kind in duckdb.tokenize(sql) if kind != duckdb.token_type.comment]
    words = [sql.encode()[at:].decode() for at in starts[1:3]]
    return words[1] if len(words) == 2 and re.match(r"analy[sz]e\b", words[0], re.IGNORECASE) else words[0]


def _operators(plan: Any) -> Iterator[str]:
    for part in plan if isinstance(plan, list) else (plan,):
        yield str(part.get("name", ""))
        yield from _operators(part.get("children", []))


def damaged(error: Exception, otherwise: str = "query-wrong") -> PublishError:
    """Tell which data file an error of DuckDB is about, if it is about one."""
    found = re.search(r"([a-z_]+/(?:month=[0-9-]+/)?[^/\s\"']+\.parquet)", str(error))
    if found is not None:
        return damaged_file(found.group(1))
    said = _first_line(error)
    if otherwise == "storage":
        return PublishError(otherwise, f"共享表读取失败：{said}", f"the shared tables cannot be read: {said}")
    return PublishError(otherwise, f"查询无法执行：{said}", f"the query cannot be run: {said}")


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]


def _connect(**more: str) -> duckdb.DuckDBPyConnection:
    settings: dict[str, Any] = {
        "autoinstall_known_extensions": "false",
        "python_enable_replacements": "false",
        "temp_directory": "",
        "TimeZone": "Etc/GMT-8",
        **more,
    }
    return duckdb.connect(":memory:", config=settings)


@contextmanager
def asking(memory: str = "1500MB", **frames: pa.Table) -> Iterator[Callable[[str], duckdb.DuckDBPyRelation]]:
    """Open a connection for our own questions, with frames under these names; large sorts go to the disk.

    Raises
    ------
    PublishError
        ``damaged-file``: a data file cannot be read, and which; ``storage``: anything else.
    """
    with (
        tempfile.TemporaryDirectory(prefix="gongzhi-") as spill,
        _connect(temp_directory=spill, memory_limit=memory) as connection,
    ):
        for name, frame in frames.items():
            connection.register(name, frame)
        try:
            yield connection.sql
        except duckdb.Error as error:
            raise damaged(error, "storage") from error


def _quoted(words: Iterable[str]) -> str:
    return ", ".join("'" + word.replace("'", "''") + "'" for word in words)


def _scan(files: list[str], table: Table, *extra: str) -> str:
    options = ["hive_partitioning = true", f"hive_types = {{{table.partition}: VARCHAR}}"] if table.partition else []
    return f"read_parquet([{_quoted(files)}], {', '.join([*options, *extra, 'union_by_name = false'])})"


def _views(connection: duckdb.DuckDBPyConnection, table: Table, shared: Shared | None, at: datetime | None) -> None:
    parts = []
    if shared is not None:
        broken = shared.broken()
        whole = [file for file in shared.files if file not in broken]
        parts += [f"SELECT {', '.join(table.names)} FROM {scan_of(shared, whole)}"] if whole else []
        parts += [_out_of_order(table, file) for file in broken]
    if not parts:
        nothing = ", ".join(f"NULL::{_DUCK[column.type]} AS {column.name}" for column in table.columns)
        parts = [f"SELECT {nothing} WHERE false"]
    connection.execute(f"CREATE VIEW {table.table}_history AS {' UNION ALL '.join(parts)}")
    known = "recorded_until IS NULL" if at is None else as_known(at)
    connection.execute(f"CREATE VIEW {table.table} AS SELECT * FROM {table.table}_history WHERE {known}")


def _out_of_order(table: Table, file: LiveFile) -> str:
    """Stand in for a damaged file: a question that needs it fails and says so, one for another partition does not."""
    fails = f"error('damaged: {table.table}/{file.path}')"
    columns = [
        f"{_quoted([file.partition or ''])} AS {column.name}"
        if column.name == table.partition
        else f"{fails}::{_DUCK[column.type]} AS {column.name}"
        for column in table.columns
    ]
    return f"SELECT {', '.join(columns)} FROM range(1) WHERE {fails} IS NULL"


def as_known(at: datetime) -> str:
    """Give the condition for the rows on record at a time."""
    return f"recorded_from <= {stamp(at)} AND (recorded_until IS NULL OR recorded_until > {stamp(at)})"


def stamp(at: datetime) -> str:
    """Write an instant as SQL."""
    return f"TIMESTAMPTZ '{at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}+00:00'"


def write(answer: pa.Table, form: str, target: BinaryIO) -> None:
    """Write an answer as ``csv`` (UTF-8), ``json`` (a list of objects) or ``parquet``; times as +08:00."""
    if form == "parquet":
        buffer = io.BytesIO()  # a pipe cannot be sought
        pq.write_table(answer, buffer, compression="zstd")
        target.write(buffer.getbuffer())
    elif form == "json":
        target.write(b"[")
        for number, row in enumerate(rows_of(answer)):
            target.write(b",\n " if number else b"\n ")
            target.write(json.dumps(row, ensure_ascii=False).encode())
        target.write(b"\n]\n")
    elif form == "csv":
        text = io.TextIOWrapper(target, "utf-8", newline="", write_through=True)
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(answer.column_names)
        writer.writerows(["" if cell is None else cell for cell in row.values()] for row in rows_of(answer))
        text.detach()
    else:
        raise ValueError(f"{form!r} is none of csv, json, parquet")


def rows_of(answer: pa.Table) -> Iterable[dict[str, Any]]:
    """Give an answer row by row in words a person reads: instants in China Standard Time, to the second if whole."""
    for batch in answer.to_batches(max_chunksize=65536):
        names = [name for name in batch.schema.names]
        columns = [_readable(batch.column(i)) for i in range(batch.num_columns)]
        for cells in zip(*columns, strict=True) if columns else ():
            yield dict(zip(names, cells, strict=True))


def _readable(column: pa.Array) -> list[Any]:
    if pa.types.is_timestamp(column.type) and column.type.tz is not None:
        instants = column.cast(pa.timestamp(column.type.unit, "UTC")).to_pylist()
        return [None if at is None else at.astimezone(CHINA).isoformat() for at in instants]
    return [_plain(cell) for cell in column.to_pylist()]


def _plain(cell: Any) -> Any:
    if isinstance(cell, dict):
        return {name: _plain(value) for name, value in cell.items()}
    if isinstance(cell, list):
        return [_plain(value) for value in cell]
    if isinstance(cell, datetime | date):
        return cell.isoformat()
    if cell is None or isinstance(cell, str | int | bool):
        return cell
    if isinstance(cell, float):
        return cell if np.isfinite(cell) else str(cell)
    return str(cell)


# -- questions of the road ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Known:
    """What of an incoming frame is on record at its time.

    Attributes
    ----------
    same : ndarray of int64
        Positions of the frame whose key is on record with the same content.
    changed : ndarray of int64
        Positions whose key is on record with other content.
    stands : list of (str, int), as ``changed``
        Where the row on record stands: path of the data file, and row in it.
    until : dict of int to datetime
        Positions whose record ends because a later publication came first.
    """

    same: np.ndarray
    changed: np.ndarray
    stands: list[tuple[str, int]]
    until: dict[int, datetime]


def content_of(table: Table) -> list[str]:
    """Columns whose difference makes a correction: neither key nor lineage nor partition."""
    return [name for name in table.names if name not in _LINEAGE | {table.partition} | set(table.key)]


def same_keys(table: Table, one: str, other: str) -> str:
    """Give the condition that two rows have the same key, missing equal to missing."""
    return " AND ".join(
        f"{one}.{name} {'IS NOT DISTINCT FROM' if table.column(name).nullable else '='} {other}.{name}"
        for name in table.key
    )


def compare(shared: Shared, files: list[LiveFile], incoming: pa.Table, recorded_at: datetime) -> Known:
    """Look up the keys of a frame in the data files of one partition.

    The lineage of a row (batch, source row and column) and its partition are not content. Keys are compared
    null-safe. What is compared is the state of the table at ``recorded_at``: normally the current rows; when a later
    publication went first, the rows it found.

    Parameters
    ----------
    incoming : Table
        Columns of the contract without record time, and ``pos``, the position in the frame.
    """
    table = shared.table
    for file in shared.broken():
        if file in files:
            raise damaged_file(f"{table.table}/{file.path}")
    local = {str(shared.local(file.path)): file.path for file in files}
    content = content_of(table)
    at = stamp(recorded_at)
    same_key = same_keys(table, "f", "c")
    keys = ", ".join(table.key)
    digest = f"hash({', '.join(content)})" if content else "0"  # of a table that is all key, no row can differ
    scan = _scan(list(local), table, "filename = true", "file_row_number = true")
    with asking(incoming=incoming) as ask_for:
        answer = ask_for(
            f"""WITH f AS (SELECT pos, {keys}, {digest} AS content FROM incoming),
            c AS (SELECT {keys}, {digest} AS content, filename, file_row_number, recorded_until
                  FROM {scan} WHERE recorded_from < {at} AND (recorded_until IS NULL OR recorded_until > {at}))
            SELECT f.pos, f.content = c.content AS same,
                   CASE WHEN f.content <> c.content THEN c.filename END AS file,
                   CASE WHEN f.content <> c.content THEN c.file_row_number END AS row,
                   c.recorded_until AS until
            FROM f JOIN c ON {same_key}"""
        ).to_arrow_table()
        until = _instants(answer.select(["pos", "until"]))
        if any(file.high.get("recorded_from") is None or file.high["recorded_from"] > recorded_at for file in files):
            later = ask_for(
                f"""SELECT f.pos, min(c.recorded_from) AS until FROM incoming f
                JOIN (SELECT {keys}, recorded_from FROM {scan} WHERE recorded_from > {at}) c ON {same_key}
                GROUP BY f.pos"""
            ).to_arrow_table()
            until = {**_instants(later), **until}
    same = answer.column("same")
    changed = answer.filter(pc.invert(same))
    paths = [local[name] for name in changed.column("file").to_pylist()]
    return Known(
        same=answer.column("pos").filter(same).to_numpy(),
        changed=changed.column("pos").to_numpy(),
        stands=list(zip(paths, changed.column("row").to_pylist(), strict=True)),
        until=until,
    )


def _instants(answer: pa.Table) -> dict[int, datetime]:
    stopped = answer.filter(pc.is_valid(answer.column("until")))
    times = stopped.column("until").cast(pa.timestamp("us", "UTC")).to_pylist()
    return dict(zip(stopped.column("pos").to_pylist(), times, strict=True))


def scan_of(shared: Shared, files: list[LiveFile] | None = None) -> str:
    """Give the ``FROM`` clause over data files of an opened table (all of them unless named)."""
    chosen = shared.files if files is None else files
    return _scan([str(shared.local(file.path)) for file in chosen], shared.table)
