"""A hash of what a shared table says, whatever its files and versions look like.

Two tables with the same rows have the same hash, before and after a compaction, a rebuild or a move to a bucket.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.publish.datafiles import arrow_schema
from pipelines.publish.reading import asking, scan_of
from pipelines.publish.store import Shared, open_table
from schemas.contracts import Table

CHUNK = 65_536


def content_hash(table: Table, tables_root: str, storage_options: dict[str, str] | None = None) -> str:
    """Hash all rows of a table, of every record time, in the order of key and record time (SHA-256).

    A table that does not exist has the hash of an empty one. Worked out partition by partition, so that memory
    does not grow with the table.
    """
    digest = hashlib.sha256(f"{table.table}\n{','.join(table.names)}\n".encode())
    shared = open_table(table, tables_root, storage_options)
    if shared is not None:
        for partition in sorted({file.partition or "" for file in shared.files}):
            _partition(digest, shared, partition)
    return f"sha256:{digest.hexdigest()}"


def _partition(digest: hashlib._Hash, shared: Shared, partition: str) -> None:
    table = shared.table
    files = [file for file in shared.files if (file.partition or "") == partition]
    names = ", ".join(table.names)
    order = ", ".join(f"{name} NULLS FIRST" for name in (*table.key, "recorded_from", "recorded_until", "batch_id"))
    rest: list[pa.RecordBatch] = []
    with asking() as ask_for:
        reader = ask_for(f"SELECT {names} FROM {scan_of(shared, files)} ORDER BY {order}").to_arrow_reader(CHUNK)
        schema = arrow_schema(table)
        for batch in reader:
            rest.append(batch)
            if sum(part.num_rows for part in rest) >= CHUNK:  # chunks of one size, however the rows arrive
                rows = pa.Table.from_batches(rest)
                _chunk(digest, rows.slice(0, CHUNK), schema)
                rest = rows.slice(CHUNK).to_batches()
        if rest:
            _chunk(digest, pa.Table.from_batches(rest), schema)


def _chunk(digest: hashlib._Hash, rows: pa.Table, schema: pa.Schema) -> None:
    digest.update(b"rows %d\n" % rows.num_rows)
    for field in schema:
        column = rows.column(field.name).combine_chunks().cast(field.type)
        digest.update(pc.is_valid(column).cast(pa.int8()).to_numpy().tobytes())
        if pa.types.is_string(field.type):
            words = column.fill_null("")
            digest.update(pc.binary_length(words).to_numpy().tobytes())
            _, offsets, text = words.buffers()
            bounds = np.frombuffer(offsets, dtype=np.int32)[words.offset : words.offset + len(words) + 1]
            digest.update(memoryview(text)[bounds[0] : bounds[-1]] if text is not None else b"")
        else:
            whole = column if pa.types.is_floating(field.type) else _integers(column)
            digest.update(whole.fill_null(0).to_numpy().tobytes())


def _integers(column: pa.Array) -> pa.Array:
    if pa.types.is_date32(column.type):
        column = column.cast(pa.int32())
    return column.cast(pa.int64())
