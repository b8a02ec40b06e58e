"""What may leave the exchange, and how much of it: ``export_rules.toml``, checked against the table contracts.

Quotas are counted by person and China day; licence and notes travel with every file that leaves.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from schemas.contracts import Table, tables
from schemas.files import SCHEMAS, MalformedFact, line_of, once, read_toml

FORMATS = ("parquet", "csv", "xlsx", "json", "arrow")
QUERY = "query"
"""The quota of answers of the SQL console."""


@dataclass(frozen=True, slots=True)
class Quota:
    """How many rows of a group of tables one person may take out on one day."""

    name: str
    title_zh: str
    title_en: str
    tables: tuple[str, ...]
    rows_a_day: int
    alarm_percent: int

    @property
    def alarm_rows(self) -> int:
        """From how many rows on the administrators are told."""
        return max(1, self.rows_a_day * self.alarm_percent // 100)


@dataclass(frozen=True, slots=True)
class Format:
    """A form a file may have, and the most rows of one."""

    name: str
    title_zh: str
    title_en: str
    most_rows: int


@dataclass(frozen=True, slots=True)
class QueryRules:
    """What one question of the SQL console may cost and give."""

    seconds: int
    memory_mb: int
    rows: int
    shown: int
    characters: int


@dataclass(frozen=True, slots=True)
class FilterColumns:
    """The column of a table each filter looks at, a place or subject by code or name; blank: the table has none."""

    place: str
    place_name: str
    parameter: str
    subject: str
    subject_name: str
    day: str


@dataclass(frozen=True, slots=True)
class Licence:
    """The terms all exports stand under."""

    name: str
    title_zh: str
    title_en: str
    text_zh: str
    text_en: str


@dataclass(frozen=True, slots=True)
class Note:
    """What is to be known of a table, or of what one sender gives."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class ExportRules:
    """All of it."""

    quotas: dict[str, Quota]
    formats: dict[str, Format]
    query: QueryRules
    filters: dict[str, FilterColumns]
    licence: Licence
    table_notes: dict[str, Note]
    sender_notes: dict[str, Note]

    def quota_of(self, table: str) -> Quota:
        """Give the quota a table counts toward."""
        return next(quota for quota in self.quotas.values() if table in quota.tables)


@once
def export_rules(root: Path = SCHEMAS) -> ExportRules:
    """Read ``export_rules.toml``.

    Raises
    ------
    MalformedFact
        A block or value is missing or unknown, a table has no quota or two, or a filter names no column of its table.
    """
    path = root / "export_rules.toml"
    raw = read_toml(path)
    wanted = {"source", "quotas", "formats", "query", "filters", "licence", "notes"}
    if set(raw) != wanted or set(raw["notes"]) != {"tables", "senders"}:
        raise MalformedFact(path, 1, f"blocks are {', '.join(sorted(wanted))}, with notes.tables and notes.senders")
    known = tables(root)
    rules = ExportRules(
        quotas={name: _block(path, name, Quota, block, name=name) for name, block in raw["quotas"].items()},
        formats={name: _block(path, name, Format, block, name=name) for name, block in raw["formats"].items()},
        query=_block(path, "query", QueryRules, raw["query"]),
        filters={name: _block(path, name, FilterColumns, block) for name, block in raw["filters"].items()},
        licence=_block(path, "licence", Licence, raw["licence"]),
        table_notes={name: _block(path, name, Note, block) for name, block in raw["notes"]["tables"].items()},
        sender_notes={name: _block(path, name, Note, block) for name, block in raw["notes"]["senders"].items()},
    )
    _fits(path, rules, known)
    return rules


def _block(path: Path, name: str, kind: type, raw: dict[str, Any], /, **given: Any) -> Any:
    """Read one block: every field there, of its type, nothing else; whole numbers are above 0."""
    wanted = {one.name: str(one.type) for one in fields(kind) if one.name not in given}
    if set(raw) != set(wanted) | {"source"} or not raw["source"]:
        raise MalformedFact(path, line_of(path, name), f"[{name}] takes {', '.join(wanted)} and source")
    for key, kind_of in wanted.items():
        value = raw[key]
        fits = {
            "int": type(value) is int and value > 0,
            "str": isinstance(value, str) and (bool(value) or kind is FilterColumns),
            "tuple[str, ...]": isinstance(value, list) and all(isinstance(one, str) for one in value),
        }[kind_of]
        if not fits:
            raise MalformedFact(
                path, line_of(path, name, key), f"[{name}] {key} is no {kind_of}, or nothing: {value!r}"
            )
    return kind(**given, **{key: tuple(raw[key]) if isinstance(raw[key], list) else raw[key] for key in wanted})


def _fits(path: Path, rules: ExportRules, known: dict[str, Table]) -> None:
    counted = [table for quota in rules.quotas.values() for table in quota.tables]
    if sorted(counted) != sorted(known) or QUERY not in rules.quotas:
        raise MalformedFact(path, line_of(path, "quotas"), f"each table stands in one quota, and there is [{QUERY}]")
    for quota in rules.quotas.values():
        if quota.alarm_percent > 100:
            raise MalformedFact(path, line_of(path, quota.name, "alarm_percent"), "alarm_percent is at most 100")
    if set(rules.formats) != set(FORMATS) or set(rules.filters) != set(known) or set(rules.table_notes) != set(known):
        raise MalformedFact(path, 1, f"formats are {', '.join(FORMATS)}; every table has filters and a note")
    for name, filters in rules.filters.items():
        for one in fields(filters):
            column = getattr(filters, one.name)
            if column and column not in known[name].names:
                raise MalformedFact(path, line_of(path, name, one.name), f"{name} has no column {column!r}")
