"""Facts of the expert pool: its parameters, the states of an expert, and what an expert list brings in.

A parameter stands once in ``expert_rules.toml`` with its source; a home may replace its value by a block of the same
name in its own ``expert_rules.toml``. The file and :class:`ExpertRules` name the same parameters, or nothing starts.
Fields, titles and the words for them are in ``schemas/specialties.py``; what each role may see of an expert in
``schemas/expert_views.py``.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from schemas.files import SCHEMAS, MalformedFact, line_of, once, read_rows, read_toml

CONSENTS = ("sharing", "publication", "bank")


@dataclass(frozen=True, slots=True)
class ExpertRules:
    """The parameters of the pool, each as ``expert_rules.toml`` explains it."""

    edition: str
    age_limit: int
    age_exempt_ranks: tuple[str, ...]
    accepted_ranks: tuple[str, ...]
    practice_years: int
    term_years: int
    bar_years: int
    candidate_ratio: int
    entry_cutoff_days: int
    uses_per_year: int
    panel_least: int
    per_employer: int
    other_side_percent: int
    cross_bureau_rule: str
    """``off`` or ``exclude-own-side``."""
    draw_hash: str
    """``sha256`` or ``sm3``."""
    reveal_hours: int
    chain_links: int
    answer_hours: int
    appraisal_days: int
    removal_refusals: int
    removal_poor: int
    removal_poor_months: int
    retention_draw_years: int
    retention_access_years: int
    retention_left_years: int
    sources: Mapping[str, str] = field(compare=False, repr=False)
    """Parameter → the text its value comes from."""


@once
def expert_rules(root: Path = SCHEMAS, site: Path | None = None) -> ExpertRules:
    """Read ``expert_rules.toml``, with the values a home replaces (``site``, its folder of facts)."""
    path = root / "expert_rules.toml"
    raw = read_toml(path)
    names = [one.name for one in fields(ExpertRules) if one.name not in ("edition", "sources")]
    blocks = {name: block for name, block in raw.items() if isinstance(block, dict)}
    if wrong := sorted(set(names) ^ set(blocks)):
        raise MalformedFact(path, line_of(path, wrong[0]), f"parameters {', '.join(wrong)} are missing or not known")
    origin = dict.fromkeys(names, path)
    edition = str(raw["edition"])
    own = site / "expert_rules.toml" if site is not None else None
    if own is not None and own.is_file():
        for name, block in read_toml(own).items():
            if name not in blocks or not isinstance(block, dict):
                raise MalformedFact(own, line_of(own, name), f"{name!r} is no parameter of the pool")
            blocks[name] = blocks[name] | {"source": ""} | block
            origin[name] = own
        edition += "+site"
    values = {name: _value(origin[name], name, blocks[name]) for name in names}
    return ExpertRules(edition=edition, **values, sources={name: blocks[name]["source"] for name in names})


def _value(path: Path, name: str, block: Mapping[str, Any]) -> Any:
    value, line = block.get("value"), line_of(path, name)
    if not str(block.get("source", "")).strip():
        raise MalformedFact(path, line, f"{name} has no source")
    wanted = next(str(one.type) for one in fields(ExpertRules) if one.name == name)
    if wanted == "int":
        fits = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    elif wanted == "str":
        fits = isinstance(value, str) and value in block.get("choices", ())
    else:
        fits = isinstance(value, list) and all(isinstance(one, str) for one in value)
    if not fits:
        raise MalformedFact(path, line, f"{name}: {value!r} is not a value it may have")
    return tuple(value) if isinstance(value, list) else value


@dataclass(frozen=True, slots=True)
class ExpertState:
    """A state of the life cycle, where it leads, and what a move into it must bring."""

    state: str
    title_zh: str
    title_en: str
    leads_to: tuple[str, ...]
    needs: tuple[str, ...]
    """Of ``reason``, ``term`` (first and last day; the default term where none is given), ``bar``."""
    drawable: bool
    in_pool: bool
    """Whether one in this state belongs to the pool; who left it is kept only as long as the rules say."""


@once
def expert_states(root: Path = SCHEMAS) -> dict[str, ExpertState]:
    """Read ``vocabularies/expert_states.csv``: state → what it allows."""
    columns = ("state", "title_zh", "title_en", "leads_to", "needs", "drawable", "in_pool", "source")
    rows = read_rows(root / "vocabularies" / "expert_states.csv", columns)
    known = {row["state"] for row in rows}
    found: dict[str, ExpertState] = {}
    for row in rows:
        state, leads_to, needs = row.need("state"), row.many("leads_to"), row.many("needs")
        if state in found or not set(leads_to) <= known or not set(needs) <= {"reason", "term", "bar"}:
            raise row.fail(f"state {state!r} stands twice, leads to no state, or needs what nobody can bring")
        titles = (row.need("title_zh"), row.need("title_en"))
        found[state] = ExpertState(state, *titles, leads_to, needs, row.yes("drawable"), row.yes("in_pool"))
    return found


@dataclass(frozen=True, slots=True)
class ExpertRole:
    """What an expert is or was to an employer or enterprise."""

    role: str
    title_zh: str
    title_en: str
    source: str


@once
def expert_roles(root: Path = SCHEMAS) -> dict[str, ExpertRole]:
    """Read ``vocabularies/expert_roles.csv``: the roles of an employment."""
    found: dict[str, ExpertRole] = {}
    for row in read_rows(root / "vocabularies" / "expert_roles.csv", ("role", "title_zh", "title_en", "source")):
        role = row.need("role")
        if role in found:
            raise row.fail(f"role {role!r} stands twice")
        found[role] = ExpertRole(role, row.need("title_zh"), row.need("title_en"), row.need("source"))
    return found


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One accepted row of an expert list, folded, with the personal numbers in clear.

    It lives in memory only, from the reading to the vault: nothing of it that is hidden from ``repr`` may be logged,
    kept in a file or told in a message.
    """

    row: int
    name: str = field(repr=False)
    identity: str = field(repr=False)
    employer: str = field(repr=False)
    employer_uscc: str
    specialty: str
    title: str
    phone: str = field(repr=False)
    certificate_until: dt.date | None
    remark: str = field(repr=False)


def birth_date(identity: str) -> dt.date | None:
    """Read the birth date out of a resident identity number (GB 11643), None from any other text.

    Examples
    --------
    >>> birth_date("000000190001010009"), birth_date("000000190013010009")
    (datetime.date(1900, 1, 1), None)
    """
    text = identity[6:14] if re.fullmatch(r"\d{17}[\dX]", identity) else ""
    text = "19" + identity[6:12] if re.fullmatch(r"\d{15}", identity) else text
    try:
        return dt.date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None


def add_years(day: dt.date, years: int) -> dt.date:
    """Move a day by whole years; 29 February falls on 28 where the year has none.

    Examples
    --------
    >>> add_years(dt.date(2024, 2, 29), 3)
    datetime.date(2027, 2, 28)
    """
    year = day.year + years
    return day.replace(year=year, day=min(day.day, calendar.monthrange(year, day.month)[1]))


def full_years(since: dt.date, on: dt.date) -> int:
    """Count whole years from one day to another, as an age is counted.

    Examples
    --------
    >>> full_years(dt.date(1961, 4, 2), dt.date(2026, 4, 1))
    64
    """
    return on.year - since.year - ((on.month, on.day) < (since.month, since.day))
