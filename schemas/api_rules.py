"""How much of the interface for programs one caller may have: ``api_rules.toml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from schemas.files import SCHEMAS, MalformedFact, line_of, once, read_toml

KINDS = ("key", "session", "address")
"""What a bucket may belong to."""
GROUPS = ("general", "heavy")


@dataclass(frozen=True, slots=True)
class Rate:
    """A bucket holds ``most`` tokens and fills up from empty within ``seconds``."""

    most: int
    seconds: int


@dataclass(frozen=True, slots=True)
class PageRules:
    """Entries of one answer, without a wish and at most."""

    entries: int
    most_entries: int
    rows: int
    most_rows: int
    days: int
    most_days: int
    hits: int
    most_hits: int


@dataclass(frozen=True, slots=True)
class BodyRules:
    """How much may be sent as JSON."""

    screen_lines: int
    screen_bytes: int
    receipt_bytes: int


@dataclass(frozen=True, slots=True)
class ApiRules:
    """All of it; ``rates`` by group and kind of caller, ``callers`` is how many buckets are kept."""

    rates: Mapping[str, Mapping[str, Rate]]
    callers: int
    pages: PageRules
    bodies: BodyRules


@once
def api_rules(root: Path = SCHEMAS) -> ApiRules:
    """Read ``api_rules.toml``.

    Raises
    ------
    MalformedFact
        A block or figure is missing or unknown, is no whole number above 0, or more is given unasked than at most.
    """
    path = root / "api_rules.toml"
    raw = read_toml(path)
    _same(path, "", raw, {"source", "rates", "callers", "pages", "bodies"})
    _same(path, "rates", raw["rates"], set(GROUPS))
    rates = {}
    for group, kinds in raw["rates"].items():
        _same(path, f"rates.{group}", kinds, set(KINDS))
        rates[group] = {kind: _figures(path, f"rates.{group}", Rate, kinds[kind]) for kind in KINDS}
    _same(path, "callers", raw["callers"], {"most"})
    pages = _figures(path, "pages", PageRules, raw["pages"])
    for name in ("entries", "rows", "days", "hits"):
        if getattr(pages, name) > getattr(pages, f"most_{name}"):
            raise MalformedFact(path, line_of(path, "pages", name), f"{name} is more than most_{name}")
    callers = _whole(path, "callers", "most", raw["callers"]["most"])
    return ApiRules(rates, callers, pages, _figures(path, "bodies", BodyRules, raw["bodies"]))


def _same(path: Path, block: str, raw: Mapping[str, Any], wanted: set[str]) -> None:
    if set(raw) != wanted:
        where = f"[{block}]" if block else "the file"
        line = line_of(path, block) if block else 1
        raise MalformedFact(path, line, f"{where} takes {', '.join(sorted(wanted))}, not {', '.join(raw)}")


def _figures(path: Path, block: str, kind: type, raw: Mapping[str, Any]) -> Any:
    _same(path, block, raw, {one.name for one in fields(kind)})
    return kind(**{name: _whole(path, block, name, value) for name, value in raw.items()})


def _whole(path: Path, block: str, name: str, value: Any) -> int:
    if type(value) is not int or value < 1:
        raise MalformedFact(path, line_of(path, block, name), f"{name} must be a whole number above 0: {value!r}")
    return value
