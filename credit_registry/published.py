"""The one reader of the shared tables for the register: rows of all record times, as Arrow gives them.

It knows the tables by their contracts in ``schemas/tables`` only and opens them with deltalake, as any other reader
of the exchange could.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from credit_registry.errors import DamagedTable

TABLES = ("credit_rating", "penalty_decision", "enterprise_name")


@dataclass(frozen=True, slots=True)
class Edition:
    """Which table at which version; a rebuilt table has another ``identity`` and counts from 0 again."""

    table: str
    identity: str
    version: int


@dataclass(frozen=True, slots=True)
class Published:
    """One version of a shared table, opened for reading."""

    edition: Edition
    delta: DeltaTable

    def rows(self, columns: Sequence[str]) -> Iterator[list[tuple[Any, ...]]]:
        """Give the rows, closed ones too, in batches of plain values.

        Dates are ISO text, instants microseconds since 1970 UTC, what is missing is None.

        Raises
        ------
        DamagedTable
            A data file is missing or damaged.
        """
        try:
            for batch in self.delta.to_pyarrow_dataset().to_batches(columns=list(columns)):
                yield list(zip(*(_plain(column) for column in batch.columns), strict=True))
        except (DeltaError, pa.ArrowException, OSError) as error:
            raise _damaged(self.edition.table, error) from error


def open_published(
    table: str, tables_root: str | Path, storage_options: Mapping[str, str] | None = None
) -> Published | None:
    """Open the newest version of a shared table; None where nothing was published yet.

    Raises
    ------
    DamagedTable
        The log of the table cannot be read.
    """
    address = f"{str(tables_root).rstrip('/')}/{table}"
    try:
        delta = DeltaTable(address, storage_options=dict(storage_options) if storage_options else None)
    except TableNotFoundError:
        return None
    except (DeltaError, OSError) as error:
        raise _damaged(table, error) from error
    return Published(Edition(table, str(delta.metadata().id), int(delta.version())), delta)


def open_all(tables_root: str | Path, storage_options: Mapping[str, str] | None = None) -> dict[str, Published | None]:
    """Open all tables the register is built from."""
    return {table: open_published(table, tables_root, storage_options) for table in TABLES}


def _plain(column: pa.Array) -> list[Any]:
    if pa.types.is_date(column.type):
        return list(column.cast(pa.string()).to_pylist())
    if pa.types.is_timestamp(column.type):
        return list(column.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_pylist())
    return list(column.to_pylist())


def _damaged(table: str, error: Exception) -> DamagedTable:
    return DamagedTable(
        f"共享表 {table} 无法读取：{error}；请运行 gongzhi verify tables 核对，再用 gongzhi rebuild 重建；原有信用库保持不变",
        f"the shared table {table} cannot be read: {error}; run gongzhi verify tables, then gongzhi rebuild;"
        " the register built before stays as it is",
    )
