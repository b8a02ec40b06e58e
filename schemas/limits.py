"""Standards and what they say, each edition for itself: ``standards/``.

``timeline.csv`` lists every standard with its dates; each edition of limits is one CSV of its own
(``gb3095-2012.csv``); AQI break points and levels and the rules on validity and evaluation stand beside them. A new
edition is a new file, an old one only gets its ``until``. Numbers are decimals: limits are compared, never rounded in
binary. These facts are carried here; they are evaluated after publication, with the limit in force at the sample time.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from schemas.files import SCHEMAS, MalformedFact, Row, once, read_rows
from schemas.quantities import parameters, units

CATEGORIES = (
    "class1",
    "class2",
    "class3",
    "class4",
    "class5",
    "limit",
    "screening",
    "intervention",
    "screening_class1",
    "screening_class2",
    "intervention_class1",
    "intervention_class2",
)
DIRECTIONS = ("<=", ">=", "range", "rule")


@dataclass(frozen=True, slots=True)
class Standard:
    """One row of ``timeline.csv``. ``until`` is the last day; a ``…_note`` has the date as the source writes it."""

    standard: str
    title_zh: str
    scope: str
    published: str
    since: dt.date | None
    since_note: str
    until: dt.date | None
    until_note: str
    replaced_by: str
    note: str
    source: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Bound:
    """The allowed numbers of one category, both ends included; an absent end is open."""

    low: Decimal | None
    high: Decimal | None


@dataclass(frozen=True, slots=True)
class Limit:
    """One row of an edition: an item under one condition, with a bound per category (class 1 … intervention).

    ``parameter`` is our key, blank where the exchange has none for the item. A category without a number has no limit.
    """

    standard: str
    phase: str
    table: str
    item_no: str
    item: str
    item_zh: str
    item_en: str
    parameter: str
    averaging_period: str
    water_body: str
    land_use: str
    ph_above: Decimal | None
    ph_to: Decimal | None
    direction: str
    bounds: dict[str, Bound]
    unit: str
    reference_state: str
    assessed: bool
    since: dt.date
    until: dt.date | None
    note: str
    source: str
    evidence: str


@dataclass(frozen=True, slots=True)
class AqiBreakpoint:
    """One break point of the individual index; none: the footnote has no value at this level."""

    standard: str
    parameter: str
    averaging_period: str
    iaqi: int
    breakpoint: Decimal | None
    unit: str
    used_in: str
    above_top_rule: str
    since: dt.date
    until: dt.date | None
    note: str
    source: str
    evidence: str


@dataclass(frozen=True, slots=True)
class AqiLevel:
    """One level of the index with its words and colour."""

    standard: str
    level: int
    level_zh: str
    category_zh: str
    category_en: str
    colour_zh: str
    aqi_min: int
    aqi_max: int | None
    rgb: str
    cmyk: str
    source: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Provision:
    """One sentence of a standard on validity, index, evaluation or soil, in plain words and a value."""

    provision: str
    topic: str
    standard: str
    since: dt.date | None
    until: dt.date | None
    subject: str
    statistic: str
    statement: str
    value: str
    unit: str
    note: str
    source: str
    evidence: str


@once
def standards(root: Path = SCHEMAS) -> dict[str, Standard]:
    """Read ``standards/timeline.csv``: standard → its dates."""
    columns = ("standard", "title_zh", "scope", "published", "since", "since_note", "until", "until_note")
    found: dict[str, Standard] = {}
    more = ("replaced_by", "note", "source", "evidence")
    for row in read_rows(root / "standards" / "timeline.csv", columns + more):
        name = row.need("standard")
        if name in found:
            raise row.fail(f"standard {name!r} stands twice")
        since, until = row.period("since", "until")
        found[name] = Standard(
            standard=name,
            title_zh=row.need("title_zh"),
            scope=row.need("scope"),
            published=row["published"],
            since=since,
            since_note=row["since_note"],
            until=until,
            until_note=row["until_note"],
            replaced_by=row["replaced_by"],
            note=row["note"],
            source=row.need("source"),
            evidence=row["evidence"],
        )
    return found


def _decimal(row: Row, name: str, text: str | None = None) -> Decimal | None:
    text = row[name] if text is None else text
    if not text:
        return None
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        try:
            return Decimal(text)
        except InvalidOperation:
            pass
    raise row.fail(f"{name} {text!r} is not a decimal number")


def _since(row: Row) -> tuple[dt.date, dt.date | None]:
    row.need("since")
    since, until = row.period("since", "until")
    assert since is not None
    return since, until


def _whole(row: Row, name: str) -> int:
    if not re.fullmatch(r"\d+", row.need(name)):
        raise row.fail(f"{name} {row[name]!r} is not a whole number")
    return int(row[name])


_LIMIT_COLUMNS = (
    "standard",
    "phase",
    "table",
    "item_no",
    "item",
    "item_zh",
    "item_en",
    "parameter",
    "direction",
    "unit",
    "since",
    "until",
    "note",
    "source",
    "evidence",
)
_LIMIT_OPTIONAL = (
    "averaging_period",
    "water_body",
    "land_use",
    "ph_above",
    "ph_to",
    "reference_state",
    "assessed",
    *CATEGORIES,
)


def limit_editions(root: Path = SCHEMAS) -> tuple[str, ...]:
    """List the editions that have a file of limits."""
    return tuple(sorted(edition for edition in standards(root) if _edition_file(edition, root).is_file()))


def _edition_file(edition: str, root: Path) -> Path:
    return root / "standards" / f"{edition.lower().replace(' ', '').replace('/', '_')}.csv"


@once
def limits(edition: str, root: Path = SCHEMAS) -> tuple[Limit, ...]:
    """Read the limits of one edition, e.g. ``GB 3095-2012``.

    Raises
    ------
    MalformedFact
        The file is missing, a row names an unknown unit or parameter, a number or date cannot be read, or one item
        has two rows under the same condition.
    """
    path = _edition_file(edition, root)
    if not path.is_file():
        raise MalformedFact(path, 0, f"no limits of {edition!r}; known: {', '.join(limit_editions(root))}")
    found: dict[tuple[object, ...], Limit] = {}
    for row in read_rows(path, _LIMIT_COLUMNS, _LIMIT_OPTIONAL):
        limit = _limit(row, edition, root)
        key = (
            limit.phase,
            limit.table,
            limit.item_zh,
            limit.averaging_period,
            limit.water_body,
            limit.land_use,
            limit.ph_above,
            limit.ph_to,
            limit.since,
            tuple(limit.bounds),
        )
        if key in found:
            raise row.fail(f"item {limit.item_zh!r} stands twice under the same condition")
        found[key] = limit
    return tuple(found.values())


def _limit(row: Row, edition: str, root: Path) -> Limit:
    if row["standard"] != edition:
        raise row.fail(f"standard {row['standard']!r} in the file of {edition!r}")
    if row.need("unit") not in units(root):
        raise row.fail(f"unknown unit {row['unit']!r}")
    if row["parameter"] and row["parameter"] not in parameters(root):
        raise row.fail(f"unknown parameter {row['parameter']!r}")
    direction = row.one_of("direction", DIRECTIONS)
    since, until = _since(row)
    low, high = _decimal(row, "ph_above"), _decimal(row, "ph_to")
    if low is not None and high is not None and low >= high:
        raise row.fail(f"ph_above {low} is not below ph_to {high}")
    return Limit(
        standard=edition,
        phase=row["phase"],
        table=row["table"],
        item_no=row["item_no"],
        item=row["item"],
        item_zh=row.need("item_zh"),
        item_en=row["item_en"],
        parameter=row["parameter"],
        averaging_period=row["averaging_period"],
        water_body=row["water_body"],
        land_use=row["land_use"],
        ph_above=low,
        ph_to=high,
        direction=direction,
        bounds={name: _bound(row, name, direction) for name in CATEGORIES if row[name]},
        unit=row["unit"],
        reference_state=row["reference_state"],
        assessed=row.yes("assessed"),
        since=since,
        until=until,
        note=row["note"],
        source=row.need("source"),
        evidence=row["evidence"],
    )


def _bound(row: Row, name: str, direction: str) -> Bound:
    if direction == "range":
        low_text, tilde, high_text = row[name].partition("~")
        low, high = _decimal(row, name, low_text), _decimal(row, name, high_text)
        if not tilde or low is None or high is None:
            raise row.fail(f"{name} {row[name]!r} is not of the form low~high")
        if low > high:
            raise row.fail(f"{name}: {low} is above {high}")
        return Bound(low, high)
    if direction == "rule":
        raise row.fail(f"{name} has a number, but the direction is 'rule'")
    value = _decimal(row, name)
    return Bound(value, None) if direction == ">=" else Bound(None, value)


@once
def aqi_breakpoints(edition: str, root: Path = SCHEMAS) -> tuple[AqiBreakpoint, ...]:
    """Read the break points of one edition of HJ 633, rising within each parameter and averaging period."""
    path = root / "standards" / f"{_edition_file(edition, root).stem}_breakpoints.csv"
    columns = ("standard", "parameter", "averaging_period", "iaqi", "breakpoint", "unit", "used_in", "above_top_rule")
    found: list[AqiBreakpoint] = []
    for row in read_rows(path, (*columns, "since", "until", "note", "source", "evidence")):
        if row["standard"] != edition:
            raise row.fail(f"standard {row['standard']!r} in the file of {edition!r}")
        if row["parameter"] not in parameters(root):
            raise row.fail(f"unknown parameter {row['parameter']!r}")
        if row["unit"] not in units(root):
            raise row.fail(f"unknown unit {row['unit']!r}")
        since, until = _since(row)
        point = AqiBreakpoint(
            standard=edition,
            parameter=row["parameter"],
            averaging_period=row.need("averaging_period"),
            iaqi=_whole(row, "iaqi"),
            breakpoint=_decimal(row, "breakpoint"),
            unit=row["unit"],
            used_in=row["used_in"],
            above_top_rule=row["above_top_rule"],
            since=since,
            until=until,
            note=row["note"],
            source=row.need("source"),
            evidence=row["evidence"],
        )
        before = [p for p in found if (p.parameter, p.averaging_period) == (point.parameter, point.averaging_period)]
        for other in before:
            numbers = point.breakpoint is not None and other.breakpoint is not None
            if other.iaqi >= point.iaqi or (numbers and other.breakpoint >= point.breakpoint):  # type: ignore[operator]
                raise row.fail(f"break points of {point.parameter} {point.averaging_period} do not rise")
        found.append(point)
    return tuple(found)


@once
def aqi_levels(edition: str, root: Path = SCHEMAS) -> tuple[AqiLevel, ...]:
    """Read the levels of one edition of HJ 633; each begins where the one before ends."""
    path = root / "standards" / f"{_edition_file(edition, root).stem}_levels.csv"
    columns = ("standard", "level", "level_zh", "category_zh", "category_en", "colour_zh", "aqi_min", "aqi_max")
    found: list[AqiLevel] = []
    for row in read_rows(path, (*columns, "rgb", "cmyk", "source", "evidence")):
        if row["standard"] != edition:
            raise row.fail(f"standard {row['standard']!r} in the file of {edition!r}")
        if not re.fullmatch(r"#[0-9A-F]{6}", row["rgb"]):
            raise row.fail(f"rgb {row['rgb']!r} is not #RRGGBB")
        level = AqiLevel(
            standard=edition,
            level=_whole(row, "level"),
            level_zh=row.need("level_zh"),
            category_zh=row.need("category_zh"),
            category_en=row.need("category_en"),
            colour_zh=row.need("colour_zh"),
            aqi_min=_whole(row, "aqi_min"),
            aqi_max=_whole(row, "aqi_max") if row["aqi_max"] else None,
            rgb=row["rgb"],
            cmyk=row["cmyk"],
            source=row.need("source"),
            evidence=row["evidence"],
        )
        if found and (found[-1].aqi_max is None or level.aqi_min != found[-1].aqi_max + 1):
            raise row.fail(f"level {level.level} does not begin where level {found[-1].level} ends")
        found.append(level)
    return tuple(found)


@once
def provisions(topic: str, root: Path = SCHEMAS) -> tuple[Provision, ...]:
    """Read the provisions on one topic: ``air_validity``, ``aqi``, ``surface_water``, ``soil``."""
    path = root / "standards" / f"provisions_{topic}.csv"
    columns = ("provision", "standard", "since", "until", "subject", "statistic", "statement", "value", "unit")
    found: dict[str, Provision] = {}
    for row in read_rows(path, (*columns, "note", "source", "evidence")):
        code = row.need("provision")
        if code in found:
            raise row.fail(f"provision {code!r} stands twice")
        since, until = row.period("since", "until")
        found[code] = Provision(
            provision=code,
            topic=topic,
            standard=row["standard"],
            since=since,
            until=until,
            subject=row["subject"],
            statistic=row["statistic"],
            statement=row.need("statement"),
            value=row["value"],
            unit=row["unit"],
            note=row["note"],
            source=row.need("source"),
            evidence=row["evidence"],
        )
    return tuple(found.values())
