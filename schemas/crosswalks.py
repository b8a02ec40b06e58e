"""Which level of one scheme stands for which of another: dated, signed editions under ``crosswalks/``.

A rating is never translated silently: an edition says how near two levels are (``close``, ``broader``, ``none``) and
what may follow, and a verdict names the edition it used. One row serves both directions. A *signed* edition is known
from the day it was signed; a *draft* is a proposal nobody signed, used only where no signed edition is in force and
always shown as such. A site adds its own editions in its folder ``crosswalks/``. ``valid_until`` is the last day.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from schemas.blocks import Block, line_in_block
from schemas.files import SCHEMAS, MalformedFact, fold, line_of, read_toml
from schemas.ratings import rating_schemes

STATUSES = ("draft", "signed")
RELATIONS = ("close", "broader", "none")
BY = ("any", "score", "veto")
CHINA = dt.timezone(dt.timedelta(hours=8))
_KEYS = (
    "edition", "title_zh", "title_en", "status", "signed_on", "signatories", "valid_from", "valid_until", "source",
    "mappings", "issuers",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mapping:
    """One level and its counterpart; ``by`` says whether it was reached by score or by veto."""

    from_scheme: str
    from_level: str
    by: str
    to_scheme: str
    to_level: str
    relation: str
    effect_zh: str
    effect_en: str
    note: str
    source: str

    def turned(self) -> Mapping:
        """Give the same row read in the other direction."""
        here, there = (self.from_scheme, self.from_level), (self.to_scheme, self.to_level)
        return Mapping(*there, self.by, *here, self.relation, self.effect_zh, self.effect_en, self.note, self.source)


@dataclass(frozen=True, slots=True)
class Issuer:
    """An authority inside the agreement, the bureau that sends its ratings, and the schemes it rates by."""

    name: str
    aliases: tuple[str, ...]
    bureau: str
    tier: str
    schemes: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Crosswalk:
    """One edition."""

    edition: str
    title_zh: str
    title_en: str
    status: str
    signed_on: dt.date | None
    signatories: tuple[str, ...]
    valid_from: dt.date
    valid_until: dt.date | None
    mappings: tuple[Mapping, ...]
    issuers: tuple[Issuer, ...]
    source: str

    @property
    def signed(self) -> bool:
        """Whether the bureaus signed it; else it is only a proposal."""
        return self.status == "signed"

    def issuer(self, name: str) -> Issuer | None:
        """Find an authority inside the agreement by its name as written."""
        key = _key(name)
        return next((one for one in self.issuers if key in (_key(name) for name in (one.name, *one.aliases))), None)

    def schemes_of(self, bureau: str) -> tuple[str, ...]:
        """Give the schemes the authorities of a bureau rate by."""
        return tuple(dict.fromkeys(s for one in self.issuers if one.bureau == bureau for s in one.schemes))

    def mapping(self, scheme: str, level: str, veto: bool, wanted: tuple[str, ...]) -> Mapping | None:
        """Find the row of a level, read towards one of the wanted schemes; a row for veto or score before one for any.

        Examples
        --------
        >>> edition = crosswalks()[0]
        >>> edition.mapping("SC-2019", "BL", True, ("CQ-2021",)).relation, edition.mapping("X-SN", "A", False, ("CQ-2021",))
        ('broader', None)
        """
        both = (row for one in self.mappings for row in (one, one.turned()))
        fitting = [
            row
            for row in both
            if (row.from_scheme, row.from_level) == (scheme, level)
            and row.to_scheme in wanted
            and row.by in ("any", "veto" if veto else "score")
        ]
        return min(fitting, key=lambda row: (row.by == "any", wanted.index(row.to_scheme)), default=None)


def _key(name: str) -> str:
    return re.sub(r"\s+", "", fold(name))


def crosswalks(site: Path | None = None, root: Path = SCHEMAS) -> tuple[Crosswalk, ...]:
    """Read every edition, those of the site (a folder of TOML files) beside the shipped ones, in order of edition."""
    return _crosswalks(site, root, _stamp(root / "crosswalks"), _stamp(site))


def _stamp(folder: Path | None) -> tuple[tuple[str, int, int], ...]:
    if folder is None or not folder.is_dir():
        return ()
    return tuple((str(p), p.stat().st_mtime_ns, p.stat().st_size) for p in sorted(folder.glob("*.toml")))


@lru_cache(maxsize=8)
def _crosswalks(site: Path | None, root: Path, *stamps: tuple[tuple[str, int, int], ...]) -> tuple[Crosswalk, ...]:
    found: dict[str, Crosswalk] = {}
    for path in (Path(name) for stamp in stamps for name, _, _ in stamp):
        edition = read_crosswalk(path, root)
        if edition.edition in found:
            raise MalformedFact(path, line_of(path, "edition"), f"edition {edition.edition!r} stands twice")
        found[edition.edition] = edition
    return tuple(found[name] for name in sorted(found))


def read_crosswalk(path: Path, root: Path = SCHEMAS) -> Crosswalk:
    """Read one edition and refuse what does not fit.

    Raises
    ------
    MalformedFact
        An unknown key, scheme or level; a signed edition without its day or signatories, a draft with them; a level
        mapped twice; an authority that stands twice.
    """
    raw = read_toml(path)
    top = Block(raw, lambda key, reason: MalformedFact(path, line_of(path, key), reason))
    top.only(_KEYS)
    status, signed_on, signatories = top.one_of("status", STATUSES), top.date("signed_on"), top.texts("signatories")
    if (status == "signed") != (signed_on is not None) or (status == "signed") != bool(signatories):
        raise top.fail("status", "a signed edition has signed_on and signatories, a draft has neither")
    since, until = top.date("valid_from"), top.date("valid_until")
    if since is None:
        raise top.fail("valid_from", "'valid_from' is missing")
    if until is not None and until < since:
        raise top.fail("valid_until", f"valid_until {until} is before valid_from {since}")
    if top.text("edition") != path.stem:
        raise top.fail("edition", f"the file of edition {raw['edition']!r} is called {raw['edition']}.toml")
    return Crosswalk(
        edition=raw["edition"],
        title_zh=top.text("title_zh"),
        title_en=top.text("title_en"),
        status=status,
        signed_on=signed_on,
        signatories=signatories,
        valid_from=since,
        valid_until=until,
        mappings=_mappings(path, raw, root),
        issuers=_issuers(path, raw, root),
        source=top.text("source"),
    )


def _blocks(path: Path, raw: dict[str, Any], table: str, keys: tuple[str, ...]) -> list[Block]:
    rows = raw.get(table, [])
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise MalformedFact(path, line_of(path, table), f"an edition has [[{table}]]")
    found = []
    for number, row in enumerate(rows):

        def refuse(key: str, reason: str, number: int = number) -> MalformedFact:
            return MalformedFact(path, line_in_block(path, table, number, key), reason)

        block = Block(row, refuse)
        block.only(keys)
        found.append(block)
    return found


def _mappings(path: Path, raw: dict[str, Any], root: Path) -> tuple[Mapping, ...]:
    found: list[Mapping] = []
    taken: set[tuple[str, str, str, str]] = set()
    schemes = rating_schemes(root)
    for block in _blocks(path, raw, "mappings", tuple(Mapping.__dataclass_fields__)):
        for side in ("from", "to"):
            scheme, level = block.text(f"{side}_scheme"), block.text(f"{side}_level")
            if scheme not in schemes:
                raise block.fail(f"{side}_scheme", f"scheme {scheme!r} is not in rating_schemes.csv")
            if level not in (one.level_code for one in schemes[scheme].levels):
                raise block.fail(f"{side}_level", f"{scheme} has no level {level!r} in rating_levels.csv")
        if schemes[block.text("from_scheme")].subject_type != schemes[block.text("to_scheme")].subject_type:
            raise block.fail("to_scheme", "levels of different types of subject do not compare")
        row = Mapping(
            from_scheme=block.text("from_scheme"),
            from_level=block.text("from_level"),
            by=block.one_of("by", BY),
            to_scheme=block.text("to_scheme"),
            to_level=block.text("to_level"),
            relation=block.one_of("relation", RELATIONS),
            effect_zh=block.text("effect_zh"),
            effect_en=block.text("effect_en"),
            note=block.text("note", ""),
            source=block.text("source"),
        )
        for one in (row, row.turned()):
            key = (one.from_scheme, one.from_level, one.by, one.to_scheme)
            if key in taken:
                raise block.fail("from_level", f"{one.from_scheme} {one.from_level} is mapped twice to {one.to_scheme}")
            taken.add(key)
        found.append(row)
    return tuple(found)


def _issuers(path: Path, raw: dict[str, Any], root: Path) -> tuple[Issuer, ...]:
    found: list[Issuer] = []
    names: set[str] = set()
    for block in _blocks(path, raw, "issuers", tuple(Issuer.__dataclass_fields__)):
        one = Issuer(
            block.text("name"),
            block.texts("aliases"),
            block.text("bureau"),
            block.text("tier"),
            block.texts("schemes"),
            block.text("source"),
        )
        for name in map(_key, (one.name, *one.aliases)):
            if name in names:
                raise block.fail("name", f"issuer {name!r} stands twice")
            names.add(name)
        for scheme in one.schemes:
            if scheme not in rating_schemes(root):
                raise block.fail("schemes", f"scheme {scheme!r} is not in rating_schemes.csv")
        found.append(one)
    return tuple(found)


def crosswalk_in_force(
    editions: tuple[Crosswalk, ...], on: dt.date, known: dt.datetime | None = None
) -> Crosswalk | None:
    """Find the edition in force on a day, as known at an instant (now, where none is given).

    A signed edition goes before a draft, then the one that began last.

    Examples
    --------
    >>> crosswalk_in_force(crosswalks(), dt.date(2026, 11, 23)).edition
    'cy-2026-1'
    """
    day = known.astimezone(CHINA).date() if known is not None else dt.date.max
    valid = [
        one
        for one in editions
        if one.valid_from <= on <= (one.valid_until or dt.date.max) and (one.signed_on or dt.date.min) <= day
    ]
    return max(valid, key=lambda one: (one.signed, one.valid_from, one.edition), default=None)
