"""What changed in a shared table, publication by publication.

Nothing is kept for it: record time in the rows says what a publication opened and closed, and the log says which
publication made which version.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from pipelines.publish.datafiles import INSTANT, RECORD_TIME, arrow_schema
from pipelines.publish.reading import asking, content_of, same_keys, scan_of, stamp
from pipelines.publish.store import LiveFile, open_table
from schemas.contracts import Table

COUNTS = ("added", "corrected", "unchanged")


def publications(
    table: Table, tables_root: str, since_version: int = -1, storage_options: dict[str, str] | None = None
) -> list[dict[str, Any]]:
    """List the publications after a version, in order: version, recorded_at, batch_id and how many rows of which kind."""
    shared = open_table(table, tables_root, storage_options)
    if shared is None:
        return []
    return [
        {
            "version": version,
            "recorded_at": datetime.fromisoformat(noted["recorded_at"]),
            "batch_id": noted["batch_id"],
            **{name: int(noted[name]) for name in COUNTS},
        }
        for version, noted in shared.publications(since_version)
    ]


def changes(
    table: Table,
    tables_root: str,
    since_version: int = -1,
    storage_options: dict[str, str] | None = None,
    *,
    only: int | None = None,
    limit: int | None = None,
    offset: int = 0,
) -> pa.Table:
    """List every row that publications after a version added, corrected or withdrew.

    Parameters
    ----------
    only : int, optional
        The one version that is wanted.
    limit, offset : int, optional
        A part of the list; of a large publication the whole list costs its whole text.

    Returns
    -------
    Table, shape (n, …)
        ``version``, ``recorded_at``, ``batch_id``, ``change`` (``added``, ``corrected``, ``withdrawn``), the key
        columns, for results ``old_value``, ``new_value``, ``old_result_text`` and ``new_result_text``, and
        ``differs``: of a correction each column that differs, ``flag: 1 → 3``. In order of version and key.
    """
    noted = publications(table, tables_root, since_version if only is None else only - 1, storage_options)
    if only is not None:
        noted = [entry for entry in noted if entry["version"] == only]
    shared = open_table(table, tables_root, storage_options)
    published = pa.table(
        {
            "version": pa.array([entry["version"] for entry in noted], pa.int64()),
            "recorded_at": pa.array([entry["recorded_at"] for entry in noted], INSTANT),
            "batch_id": pa.array([entry["batch_id"] for entry in noted], pa.string()),
        }
    )
    keys = ", ".join(table.key)
    shown = [name for name in ("value", "result_text") if name in table.names]
    old_new = "".join(f", c.{name} AS old_{name}, o.{name} AS new_{name}" for name in shown)
    differing = ", ".join(
        f"CASE WHEN o.{name} IS DISTINCT FROM c.{name} THEN '{name}: ' || coalesce(c.{name}::VARCHAR, '') || ' → ' "
        f"|| coalesce(o.{name}::VARCHAR, '') END"
        for name in content_of(table)
    )
    differing = differing or "NULL"  # a table that is all key is never corrected
    first = min((entry["recorded_at"] for entry in noted), default=datetime.max.replace(tzinfo=UTC))
    files = [] if shared is None else [file for file in shared.files if _touched(file, first)]
    rows = "SELECT * FROM empty"
    if shared is not None and files:
        then = f"{'>=' if only is None else '='} {stamp(first)}"
        rows = f"SELECT * FROM {scan_of(shared, files)} WHERE recorded_from {then} OR recorded_until {then}"
    part = (f"LIMIT {limit} " if limit is not None else "") + f"OFFSET {offset}"
    with asking(p=published, empty=arrow_schema(table).empty_table()) as ask_for:
        return ask_for(
            f"""WITH r AS ({rows}),
            o AS (SELECT p.version, r.* FROM r JOIN p ON r.recorded_from = p.recorded_at),
            c AS (SELECT p.version, r.* FROM r JOIN p ON r.recorded_until = p.recorded_at),
            b AS (SELECT coalesce(o.version, c.version) AS version,
                  CASE WHEN c.version IS NULL THEN 'added' WHEN o.version IS NULL THEN 'withdrawn'
                       ELSE 'corrected' END AS change,
                  {", ".join(f"coalesce(o.{name}, c.{name}) AS {name}" for name in table.key)}{old_new},
                  CASE WHEN o.version IS NULL OR c.version IS NULL THEN '' ELSE concat_ws('; ', {differing}) END AS differs
                  FROM o FULL JOIN c ON o.version = c.version AND {same_keys(table, "o", "c")})
            SELECT b.version, p.recorded_at, p.batch_id, b.* EXCLUDE (version) FROM b JOIN p ON b.version = p.version
            ORDER BY b.version, {keys} {part}"""
        ).to_arrow_table()


def _touched(file: LiveFile, first: datetime) -> bool:
    """Whether rows of a file may have been opened or closed since."""
    if "recorded_from" not in file.high:
        return True
    return any((file.high.get(name) or first) >= first for name in RECORD_TIME if file.nulls.get(name) != file.rows)
