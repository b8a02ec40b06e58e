"""The shared tables: one TOML per table in ``tables/`` says its columns, types, units, key and meaning.

The store, the gate, the data dictionary and the catalogue are made from these files. A column that stands in two
tables has the same type in both.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.files import SCHEMAS, MalformedFact, line_of, once, read_toml
from schemas.quantities import units

TYPES = ("string", "float64", "int32", "int8", "date", "timestamp", "bool")
_TABLE_KEYS = {"title_zh", "title_en", "key", "partition", "sort", "source", "columns"}
_COLUMN_KEYS = {"name", "type", "unit", "nullable", "title_zh", "title_en", "meaning_zh", "meaning_en"}


@dataclass(frozen=True, slots=True)
class TableColumn:
    """One column of a shared table; timestamps are instants in UTC, microseconds."""

    name: str
    type: str
    unit: str | None
    nullable: bool
    title_zh: str
    title_en: str
    meaning_zh: str
    meaning_en: str


@dataclass(frozen=True, slots=True)
class Table:
    """One shared table. ``key`` is compared null-safe; of one key at most one row is current."""

    table: str
    title_zh: str
    title_en: str
    columns: tuple[TableColumn, ...]
    key: tuple[str, ...]
    partition: str | None
    sort: tuple[str, ...]
    source: str

    def column(self, name: str) -> TableColumn:
        """Give a column by name."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(column.name for column in self.columns)


@once
def tables(root: Path = SCHEMAS) -> dict[str, Table]:
    """Read every table contract: name → table."""
    found: dict[str, Table] = {}
    types: dict[str, tuple[str, str]] = {}
    for path in sorted((root / "tables").glob("*.toml")):
        table = _table(path, root)
        for column in table.columns:
            kind, holder = types.setdefault(column.name, (column.type, table.table))
            if kind != column.type:
                raise MalformedFact(
                    path, line_of(path, column.name), f"column {column.name!r} is {column.type}, in {holder} {kind}"
                )
        found[table.table] = table
    return found


def _table(path: Path, root: Path) -> Table:
    raw = read_toml(path)

    def refuse(reason: str, *at: str) -> MalformedFact:
        return MalformedFact(path, line_of(path, *at), reason)

    for key in raw:
        if key not in _TABLE_KEYS:
            raise refuse(f"unknown key {key!r}; known: {', '.join(sorted(_TABLE_KEYS))}", key)
    for key in ("title_zh", "title_en", "key", "sort", "source", "columns"):
        if not raw.get(key):
            raise refuse(f"{key!r} is missing", key)
    columns = tuple(_column(entry, path, root) for entry in raw["columns"])
    names = [column.name for column in columns]
    for name in names:
        if names.count(name) > 1:
            raise refuse(f"column {name!r} stands twice", name)
    partition = raw.get("partition")
    for key, wanted in (("key", raw["key"]), ("sort", raw["sort"]), ("partition", [partition] if partition else [])):
        for name in wanted:
            if name not in names:
                raise refuse(f"{key} names {name!r}, which is no column", key)
    return Table(
        table=path.stem,
        title_zh=raw["title_zh"],
        title_en=raw["title_en"],
        columns=columns,
        key=tuple(raw["key"]),
        partition=partition,
        sort=tuple(raw["sort"]),
        source=raw["source"],
    )


def _column(entry: dict[str, Any], path: Path, root: Path) -> TableColumn:
    name = str(entry.get("name", ""))

    def refuse(reason: str) -> MalformedFact:
        return MalformedFact(
            path, line_of(path, name) if name else line_of(path, "columns"), f"column {name!r}: {reason}"
        )

    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise refuse("a name is lower-case ASCII, digits and underscores")
    for key in entry:
        if key not in _COLUMN_KEYS:
            raise refuse(f"unknown key {key!r}")
    for key in ("type", "title_zh", "title_en", "meaning_zh", "meaning_en"):
        if not entry.get(key):
            raise refuse(f"{key!r} is missing")
    if entry["type"] not in TYPES:
        raise refuse(f"type {entry['type']!r} is none of {', '.join(TYPES)}")
    unit = entry.get("unit")
    if unit is not None and unit not in units(root):
        raise refuse(f"unit {unit!r} is not in units.csv")
    nullable = entry.get("nullable", False)
    if not isinstance(nullable, bool):
        raise refuse("nullable is true or false")
    return TableColumn(
        name,
        entry["type"],
        unit,
        nullable,
        entry["title_zh"],
        entry["title_en"],
        entry["meaning_zh"],
        entry["meaning_en"],
    )


def catalogue_hash(site: Path | None = None, root: Path = SCHEMAS) -> str:
    """Hash every fact and module under ``schemas/``, and the facts of the site: which rules a batch was judged by."""
    digest = hashlib.sha256()
    for label, folder in (("schemas", root), ("site", site)):
        if folder is None or not folder.is_dir():
            continue
        files = [p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
        # Where data are fetched from does not change how they are judged.
        files = [p for p in files if p.name != "sources.toml"]
        for path in sorted(files, key=lambda p: p.relative_to(folder).as_posix()):
            name = f"{label}/{path.relative_to(folder).as_posix()}".encode()
            data = path.read_bytes()
            digest.update(b"%d %d\n" % (len(name), len(data)) + name + b"\n" + data)
    return f"sha256:{digest.hexdigest()}"
