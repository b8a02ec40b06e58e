"""Whose scale: rating schemes and their levels.

``vocabularies/rating_schemes.csv`` has one row per edition of a scheme, ``rating_levels.csv`` one per level of it. A
``?`` behind a date of the source means that the date is not confirmed: it stands in a ``…_note`` as the source has it,
the date beside it is our reading. What else no document confirms the column ``unconfirmed`` names; a scheme or level
tells all of it (:attr:`Scheme.unconfirmed`), so that it can be said wherever the fact is shown. ``effective_until`` is
the last day.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from pathlib import Path

from schemas.files import SCHEMAS, Row, fold, once, read_rows
from schemas.unconfirmed import read_unconfirmed

VETO = ("yes", "no", "unconfirmed", "")


@dataclass(frozen=True, slots=True)
class RatingLevel:
    """One level of one scheme; a score fits when ``score_min <= score < score_max``."""

    scheme: str
    level_code: str
    level_zh: str
    rank: int
    """1 is the best."""
    colour: str
    colour_of_national_measure: bool
    """The local text gives only the name; the colour is that of the national measure."""
    score_min: float | None
    score_max: float | None
    veto_lands_here: str
    aliases: tuple[str, ...]
    also_unconfirmed: tuple[str, ...]
    confidence: str
    source: str

    @property
    def unconfirmed(self) -> tuple[str, ...]:
        """Give what of this level no document confirms: codes of ``unconfirmed_facts.csv``."""
        veto = ("veto",) if self.veto_lands_here == "unconfirmed" else ()
        return (*self.also_unconfirmed, *veto, *(("colour",) if self.colour_of_national_measure else ()))


@dataclass(frozen=True, slots=True)
class Scheme:
    """One edition of a rating scheme; without levels where its text was not readable."""

    scheme: str
    jurisdiction: str
    division: str
    subject_type: str
    edition: str
    title_zh: str
    doc_no: str
    issued_on: str
    """As the source has it, ``?`` where not confirmed."""
    effective_from: dt.date | None
    effective_until: dt.date | None
    effective_from_note: str
    effective_until_note: str
    first_rated_year: int | None
    last_rated_year: int | None
    superseded_by: str
    rated_period: str
    issuing_tiers: tuple[str, ...]
    draft: bool
    also_unconfirmed: tuple[str, ...]
    aliases: tuple[str, ...]
    levels: tuple[RatingLevel, ...]
    source: str

    @property
    def unconfirmed(self) -> tuple[str, ...]:
        """Give what of the scheme itself no document confirms; a date nobody knows is not confirmed either."""
        holds = {
            "draft": self.draft,
            "issued_on": not self.issued_on or "?" in self.issued_on,
            "effective_from": self.effective_from is None or "?" in self.effective_from_note,
            "effective_until": "?" in self.effective_until_note,
            "levels": not self.levels,
        }
        return (*self.also_unconfirmed, *(fact for fact, is_so in holds.items() if is_so))

    @property
    def confirmed(self) -> bool:
        """Whether every fact of the scheme, and of each of its levels, is confirmed."""
        return not self.unconfirmed and not any(level.unconfirmed for level in self.levels)


_SCHEME_COLUMNS = (
    "scheme",
    "jurisdiction",
    "division",
    "subject_type",
    "edition",
    "title_zh",
    "doc_no",
    "issued_on",
    "effective_from",
    "effective_from_note",
    "effective_until",
    "effective_until_note",
    "first_rated_year",
    "last_rated_year",
    "superseded_by",
    "rated_period",
    "issuing_tiers",
    "draft",
    "aliases",
    "unconfirmed",
    "source",
)
_LEVEL_COLUMNS = (
    "scheme",
    "level_code",
    "level_zh",
    "rank",
    "colour",
    "colour_of_national_measure",
    "score_min",
    "score_max",
    "veto_lands_here",
    "aliases",
    "unconfirmed",
    "confidence",
    "source",
)


@once
def rating_schemes(root: Path = SCHEMAS) -> dict[str, Scheme]:
    """Read the schemes with their levels: scheme code → scheme."""
    rows = read_rows(root / "vocabularies" / "rating_schemes.csv", _SCHEME_COLUMNS)
    levels = _levels(root, {row["scheme"] for row in rows})
    found: dict[str, Scheme] = {}
    for row in rows:
        code = row.need("scheme")
        if code in found:
            raise row.fail(f"scheme {code!r} stands twice")
        since, until = row.period("effective_from", "effective_until")
        first, last = _year(row, "first_rated_year"), _year(row, "last_rated_year")
        if first and last and first > last:
            raise row.fail(f"first_rated_year {first} is after last_rated_year {last}")
        if not re.fullmatch(r"\d{6}", row["division"]):
            raise row.fail(f"division {row['division']!r} has not 6 digits")
        found[code] = Scheme(
            scheme=code,
            jurisdiction=row.need("jurisdiction"),
            division=row["division"],
            subject_type=row.one_of("subject_type", ("polluter", "monitoring_agency")),
            edition=row["edition"],
            title_zh=row.need("title_zh"),
            doc_no=row["doc_no"],
            issued_on=row["issued_on"],
            effective_from=since,
            effective_until=until,
            effective_from_note=row["effective_from_note"],
            effective_until_note=row["effective_until_note"],
            first_rated_year=first,
            last_rated_year=last,
            superseded_by=row["superseded_by"],
            rated_period=row["rated_period"],
            issuing_tiers=row.many("issuing_tiers"),
            draft=row.yes("draft"),
            also_unconfirmed=read_unconfirmed(row, root),
            aliases=row.many("aliases"),
            levels=tuple(levels.get(code, ())),
            source=row.need("source"),
        )
    for row in rows:
        if row["superseded_by"] and row["superseded_by"] not in found:
            raise row.fail(f"superseded_by {row['superseded_by']!r} is not in the list")
    return found


def _year(row: Row, name: str) -> int | None:
    if row[name] and not re.fullmatch(r"(19|20)\d\d", row[name]):
        raise row.fail(f"{name} {row[name]!r} is not a year")
    return int(row[name]) if row[name] else None


def _levels(root: Path, known: set[str]) -> dict[str, list[RatingLevel]]:
    found: dict[str, list[RatingLevel]] = {}
    names: dict[tuple[str, str], str] = {}
    for row in read_rows(root / "vocabularies" / "rating_levels.csv", _LEVEL_COLUMNS):
        scheme, code = row.need("scheme"), row.need("level_code")
        if scheme not in known:
            raise row.fail(f"scheme {scheme!r} is not in rating_schemes.csv")
        rank = row.need("rank")
        if not rank.isdigit():
            raise row.fail(f"rank {rank!r} is not a number")
        low, high = row.span("score_min", "score_max")
        others = found.setdefault(scheme, [])
        for other in others:
            if other.level_code == code or other.rank == int(rank):
                raise row.fail(f"level {code!r} or rank {rank} stands twice in {scheme}")
            if _bands_overlap((low, high), (other.score_min, other.score_max)):
                raise row.fail(f"score band of {code!r} overlaps that of {other.level_code!r}")
        for name in (code, row.need("level_zh"), *row.many("aliases")):
            holder = names.setdefault((scheme, _level_key(name)), code)
            if holder != code:
                raise row.fail(f"{scheme}: name {name!r} already means {holder!r}")
        others.append(
            RatingLevel(
                scheme=scheme,
                level_code=code,
                level_zh=row["level_zh"],
                rank=int(rank),
                colour=row["colour"],
                colour_of_national_measure=row.yes("colour_of_national_measure"),
                score_min=low,
                score_max=high,
                veto_lands_here=row.one_of("veto_lands_here", VETO),
                aliases=row.many("aliases"),
                also_unconfirmed=read_unconfirmed(row, root),
                confidence=row["confidence"],
                source=row.need("source"),
            )
        )
    return {scheme: sorted(levels, key=lambda level: level.rank) for scheme, levels in found.items()}


def _bands_overlap(one: tuple[float | None, float | None], other: tuple[float | None, float | None]) -> bool:
    if one == (None, None) or other == (None, None):
        return False
    low = max(band[0] if band[0] is not None else float("-inf") for band in (one, other))
    high = min(band[1] if band[1] is not None else float("inf") for band in (one, other))
    return low < high


def _level_key(text: str) -> str:
    return re.sub(r"\s+", "", fold(text)).upper()


_TIER = re.compile(r"^(省级|市级|区县级|区级|县级|州级|自治区级)")


def find_level(scheme: str, text: str, root: Path = SCHEMAS) -> RatingLevel | None:
    """Find a level of one scheme as somebody wrote it; a tier before it (``区级环保诚信企业``) does not count.

    Examples
    --------
    >>> find_level("CQ-2021", "区级环保诚信企业").level_code, find_level("SC-2019", "蓝牌").level_code
    ('CX', 'LH')
    """
    known = rating_schemes(root).get(scheme)
    if known is None:
        return None
    key = _level_key(text)
    for wanted in (key, _TIER.sub("", key)):
        for level in known.levels:
            if wanted in (_level_key(name) for name in (level.level_code, level.level_zh, *level.aliases)):
                return level
    return None


def find_scheme(text: str, rated_year: int | None = None, root: Path = SCHEMAS) -> Scheme | None:
    """Find a scheme by code, document number, title or alias.

    Editions may bear one title; the rated year then says which. ``None`` if unknown or still ambiguous.
    """
    key = _scheme_key(text)
    if not key:
        return None
    found = [
        scheme
        for scheme in rating_schemes(root).values()
        if key
        in {_scheme_key(name) for name in (scheme.scheme, scheme.doc_no, scheme.title_zh, *scheme.aliases) if name}
    ]
    if len(found) > 1 and rated_year is not None:
        found = [scheme for scheme in found if _in_force(scheme, rated_year)]
    return found[0] if len(found) == 1 else None


def _scheme_key(text: str) -> str:
    folded = re.sub(r"[\s《》「」『』]", "", fold(text)).upper()
    return re.sub(r"[〔\[(【﹝]", "(", re.sub(r"[〕\])】﹞]", ")", folded))


def scheme_in_force(division: str, when: int | dt.date, root: Path = SCHEMAS) -> Scheme | None:
    """Find the scheme for polluters in a division (6 digits) for a rated year, or in force on a day.

    The nearest jurisdiction that has one wins: district, city, province, nation. Drafts, and schemes whose levels
    nobody could read, are in nobody's force here.

    Examples
    --------
    >>> scheme_in_force("500109", 2023).scheme, scheme_in_force("510700", 2022).scheme
    ('CQ-2021', 'SC-2019')
    """
    for prefix in dict.fromkeys((division, division[:4] + "00", division[:2] + "0000", "000000")):
        fitting = [
            scheme
            for scheme in rating_schemes(root).values()
            if scheme.division == prefix
            and scheme.levels
            and not scheme.draft
            and scheme.subject_type == "polluter"
            and _in_force(scheme, when)
        ]
        if fitting:
            return max(fitting, key=lambda s: (s.effective_from or dt.date.min, s.first_rated_year or 0))
    return None


def _in_force(scheme: Scheme, when: int | dt.date) -> bool:
    if isinstance(when, dt.date):
        if scheme.effective_from is None:
            return False
        return scheme.effective_from <= when <= (scheme.effective_until or dt.date.max)
    if scheme.first_rated_year is None:
        return False
    return scheme.first_rated_year <= when <= (scheme.last_rated_year or 9999)
