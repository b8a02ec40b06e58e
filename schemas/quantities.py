"""What is measured and in which unit: ``parameters.csv``, ``units.csv``, ``qualifiers.csv``, ``flags.csv``.

Names are resolved within one medium: 镉 of water and 镉 of soil are two parameters with other units and limits.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from schemas.files import SCHEMAS, Row, fold, once, read_rows

MEDIA = ("air", "water", "soil")


@dataclass(frozen=True, slots=True)
class Unit:
    """One row of ``units.csv``; ``base = value * factor + offset`` within its dimension, no factor: not convertible."""

    unit: str
    symbol: str
    name_zh: str
    dimension: str
    factor: float | None
    offset: float
    aliases: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Parameter:
    """One row of ``parameters.csv`` or ``publisher_parameters.csv``."""

    parameter: str
    name_zh: str
    name_en: str
    medium: str
    unit: str
    hj_codes: tuple[str, ...]
    hj_codes_2005: tuple[str, ...]
    hj_code_note: str
    hj_unit: str
    cas: str
    aliases: tuple[str, ...]
    basis: str
    """Counted as: ``N`` for 氨氮 (以N计); blank where it does not matter."""
    factors: dict[str, float]
    """Further unit → factor to the canonical unit, true under all conditions."""
    state_factors: dict[str, float]
    """Mixing ratio unit → factor, true at ``state_temperature`` and 101.325 kPa only."""
    state_temperature: float | None
    plausible_min: float | None
    plausible_max: float | None
    plausible_basis: str
    detection_limit: float | None
    detection_limit_unit: str
    detection_limit_method: str
    molar_mass: float | None
    averaging_period: str | None
    publisher: bool
    """Derived by a publisher (AQI, 24 h mean, 水质类别): kept apart from what is measured."""
    note: str
    source: str
    evidence: str
    verified: int | None


@dataclass(frozen=True, slots=True)
class Qualifier:
    """One row of ``qualifiers.csv``: how a result stands to its number."""

    qualifier: str
    name_zh: str
    name_en: str
    censored: bool
    source: str


@dataclass(frozen=True, slots=True)
class Flag:
    """One row of ``flags.csv`` (QARTOD)."""

    flag: int
    name: str
    name_zh: str
    meaning_zh: str
    meaning_en: str
    source: str


_PARAMETER_COLUMNS = (
    "parameter",
    "name_zh",
    "name_en",
    "medium",
    "unit",
    "aliases",
    "plausible_min",
    "plausible_max",
    "source",
)
_PARAMETER_OPTIONAL = (
    "hj_codes",
    "hj_codes_2005",
    "hj_code_note",
    "hj_unit",
    "cas",
    "basis",
    "factors",
    "state_factors",
    "state_temperature",
    "plausible_basis",
    "detection_limit",
    "detection_limit_unit",
    "detection_limit_method",
    "molar_mass",
    "averaging_period",
    "note",
    "evidence",
    "verified",
)


@once
def units(root: Path = SCHEMAS) -> dict[str, Unit]:
    """Read ``vocabularies/units.csv``: unit code → unit."""
    path = root / "vocabularies" / "units.csv"
    found: dict[str, Unit] = {}
    taken: dict[str, str] = {}
    columns = ("unit", "symbol", "name_zh", "dimension", "factor", "offset", "aliases", "source")
    for row in read_rows(path, columns):
        unit = row.need("unit")
        if unit in found:
            raise row.fail(f"unit {unit!r} stands twice")
        factor = row.number("factor")
        if factor is not None and factor <= 0:
            raise row.fail(f"factor {row['factor']} of {unit!r} is not positive")
        aliases = row.many("aliases")
        for name in (unit, *aliases):
            holder = taken.setdefault(_unit_key(name), unit)
            if holder != unit:
                raise row.fail(f"unit {unit!r}: {name!r} already means {holder!r}")
        found[unit] = Unit(
            unit,
            row["symbol"],
            row.need("name_zh"),
            row.need("dimension"),
            factor,
            row.number("offset") or 0.0,
            aliases,
            row.need("source"),
        )
    return found


_UNIT_SIGNS = str.maketrans(
    {"µ": "u", "μ": "u", "³": "3", "²": "2", "¹": "1", "⁻": "-", "−": "-", "–": "-", "•": "·", "∙": "·", "⋅": "·"}
    | {"^": None, "˙": "·", "∕": "/", "÷": "/", "₃": "3"}
    | {
        "㎥": "m3",
        "㎎": "mg",
        "㎍": "ug",
        "㎏": "kg",
        "㎝": "cm",
        "㎜": "mm",
        "㎡": "m2",
        "㏄": "mL",
        "ℓ": "L",
        "㎖": "mL",
    }
)


def _unit_key(text: str) -> str:
    key = re.sub(r"\s+", "", fold(text).translate(_UNIT_SIGNS))
    if len(key) > 2 and key[0] in "([" and key[-1] in ")]" and not re.search(r"[()\[\]]", key[1:-1]):
        key = key[1:-1]
    power = re.fullmatch(r"([^\d·:*.-]+?)[·:*.]?(kg|g|L|l|m|cm|100g)-([1-3])", key)
    if power:
        key = f"{power[1]}/{power[2]}{power[3] if power[3] != '1' else ''}"
    return key


@once
def _unit_index(root: Path) -> tuple[dict[str, Unit], dict[str, Unit | None]]:
    exact: dict[str, Unit] = {}
    loose: dict[str, Unit | None] = {}
    for unit in units(root).values():
        for name in (unit.unit, *unit.aliases):
            key = _unit_key(name)
            exact[key] = unit
            low = key.casefold()
            loose[low] = unit if loose.get(low, unit) is unit else None
    return exact, loose


def find_unit(text: str, root: Path = SCHEMAS) -> Unit | None:
    """Find a unit as somebody wrote it; a blank text is the unit of a dimensionless number.

    Capitals count first (mS is not MS); where they decide nothing they may differ.

    Examples
    --------
    >>> [find_unit(text).unit for text in ("μg/㎥", "毫克/升", "mg·kg-1", "uS/cm", "℃")]
    ['ug/m3', 'mg/L', 'mg/kg', 'uS/cm', 'degC']
    """
    exact, loose = _unit_index(root)
    key = _unit_key(text) or "-"
    return exact.get(key) or loose.get(key.casefold())


@once
def parameters(root: Path = SCHEMAS) -> dict[str, Parameter]:
    """Read the parameters measured and those derived by publishers: key → parameter."""
    found: dict[str, Parameter] = {}
    names: dict[tuple[str, bool, str], str] = {}
    codes: dict[tuple[str, str], str] = {}
    for file, publisher in (("parameters.csv", False), ("publisher_parameters.csv", True)):
        for row in read_rows(root / "vocabularies" / file, _PARAMETER_COLUMNS, _PARAMETER_OPTIONAL):
            parameter = _parameter(row, publisher, root)
            if parameter.parameter in found:
                raise row.fail(f"parameter {parameter.parameter!r} stands twice")
            for name in _names(parameter):
                key = (parameter.medium, publisher, _name_key(name))
                holder = names.setdefault(key, parameter.parameter)
                if holder != parameter.parameter:
                    raise row.fail(f"{parameter.medium}: name {name!r} already means {holder!r}")
            for code in (*parameter.hj_codes, *parameter.hj_codes_2005):
                holder = codes.setdefault((parameter.medium, code), parameter.parameter)
                if holder != parameter.parameter:
                    raise row.fail(f"{parameter.medium}: code {code!r} already means {holder!r}")
            found[parameter.parameter] = parameter
    return found


def _parameter(row: Row, publisher: bool, root: Path) -> Parameter:
    key = row.need("parameter")
    if publisher != key.startswith("pub:"):
        raise row.fail(f"parameter {key!r}: 'pub:' marks what a publisher derived, in publisher_parameters.csv only")
    unit = _known_unit(row, "unit", row.need("unit"), root)
    low, high = row.span("plausible_min", "plausible_max")
    factors, state_factors = row.factors("factors"), row.factors("state_factors")
    for name, factor in factors.items():
        other = _known_unit(row, "factors", name, root)
        if factor <= 0:
            raise row.fail(f"factors: {name}={factor:g} is not positive")
        if other.dimension == unit.dimension and other.factor and unit.factor:
            expected = other.factor / unit.factor
            if abs(factor - expected) > 1e-4 * expected:
                raise row.fail(f"factors: {name}={factor:g}, but units.csv gives {expected:g} to {unit.unit}")
    for name in state_factors:
        if _known_unit(row, "state_factors", name, root).dimension != "mixing-ratio":
            raise row.fail(f"state_factors: {name!r} is no mixing ratio")
    temperature = row.number("state_temperature")
    if bool(state_factors) != (temperature is not None):
        raise row.fail("state_factors and state_temperature go together")
    limit = row.number("detection_limit")
    if limit is not None:
        _known_unit(row, "detection_limit_unit", row.need("detection_limit_unit"), root)
    verified = row.number("verified")
    return Parameter(
        parameter=key,
        name_zh=row.need("name_zh"),
        name_en=row.need("name_en"),
        medium=row.one_of("medium", MEDIA),
        unit=unit.unit,
        hj_codes=row.many("hj_codes"),
        hj_codes_2005=row.many("hj_codes_2005"),
        hj_code_note=row["hj_code_note"],
        hj_unit=row["hj_unit"],
        cas=row["cas"],
        aliases=row.many("aliases"),
        basis=row["basis"],
        factors=factors,
        state_factors=state_factors,
        state_temperature=temperature,
        plausible_min=low,
        plausible_max=high,
        plausible_basis=row["plausible_basis"],
        detection_limit=limit,
        detection_limit_unit=row["detection_limit_unit"],
        detection_limit_method=row["detection_limit_method"],
        molar_mass=row.number("molar_mass"),
        averaging_period=row["averaging_period"] or None,
        publisher=publisher,
        note=row["note"],
        source=row.need("source"),
        evidence=row["evidence"],
        verified=None if verified is None else int(verified),
    )


def _known_unit(row: Row, column: str, name: str, root: Path) -> Unit:
    unit = units(root).get(name)
    if unit is None:
        raise row.fail(f"{column}: unknown unit {name!r}; add it to units.csv")
    return unit


def _names(parameter: Parameter) -> tuple[str, ...]:
    return (parameter.parameter, parameter.name_zh, parameter.name_en, *parameter.aliases)


_NAME_SIGNS = str.maketrans("₀₁₂₃₄₅₆₇₈₉₊₋【】〔〕｛｝–—−‐‑～〜", "0123456789+-[][]{}-----~~")


def _name_key(text: str) -> str:
    return re.sub(r"\s+", "", fold(text).translate(_NAME_SIGNS)).casefold()


@once
def _name_index(root: Path) -> dict[tuple[str, bool, str], Parameter]:
    return {
        (parameter.medium, parameter.publisher, _name_key(name)): parameter
        for parameter in parameters(root).values()
        for name in _names(parameter)
    }


def find_parameter(medium: str, text: str, *, publisher: bool = False, root: Path = SCHEMAS) -> Parameter | None:
    """Find a parameter of one medium by key, name or alias as somebody wrote it.

    Capitals, blanks, widths and subscripts do not count. A bracket at the end may repeat the name (``氨氮(NH3-N)``),
    name the unit (``氨氮(mg/L)``) or the basis it is counted as anyway (``氨氮（以N计）``); a bracket that says
    anything else makes another quantity (``臭氧(日最大8小时)``), which is not guessed.

    Parameters
    ----------
    medium : str
        ``air``, ``water`` or ``soil``.
    text : str
        The name as written.
    publisher : bool
        Look among what publishers derived (``pub:…``) instead.

    Examples
    --------
    >>> find_parameter("water", "镉").parameter, find_parameter("soil", "镉").parameter
    ('Cd', 'Cd_soil')
    >>> find_parameter("water", "氨氮（以N计）").parameter
    'NH3-N'
    """
    index = _name_index(root)
    key = _name_key(text)
    whole = index.get((medium, publisher, key))
    if whole is not None:
        return whole
    split = re.fullmatch(r"([^()\[\]]+|.+?[)\]][^()\[\]]*)[(\[]([^()]*(?:\([^()]*\))?)[)\]]", key)
    if split is None:
        return None
    found = find_parameter(medium, split[1], publisher=publisher, root=root)
    if found is None:
        return None
    inner = split[2]
    basis = re.fullmatch(r"以(.+)计", inner)
    if basis is not None:
        return found if found.basis and basis[1] == _name_key(found.basis) else None
    same = index.get((medium, publisher, inner)) is found
    return found if same or (inner and find_unit(inner, root) is not None) else None


@once
def _code_index(root: Path) -> dict[str, tuple[Parameter, ...]]:
    index: dict[str, tuple[Parameter, ...]] = {}
    for parameter in parameters(root).values():
        for code in (*parameter.hj_codes, *parameter.hj_codes_2005):
            index[code.casefold()] = (*index.get(code.casefold(), ()), parameter)
    return index


def parameter_by_hj_code(code: str, medium: str | None = None, root: Path = SCHEMAS) -> Parameter | None:
    """Find a parameter by its HJ 212-2017, HJ 524, HJ 525 or HJ/T 212-2005 code; ``None`` if unknown or ambiguous."""
    found = [p for p in _code_index(root).get(fold(code).casefold(), ()) if medium in (None, p.medium)]
    return found[0] if len(found) == 1 else None


def conversion(parameter: Parameter, unit: Unit, root: Path = SCHEMAS) -> tuple[float, float] | None:
    """Give (factor, offset) from a unit to the parameter's own, or ``None`` where there is no way.

    ``canonical = value * factor + offset``. Mixing ratios have no way here: they need a reference state
    (:attr:`Parameter.state_factors`).
    """
    own = units(root)[parameter.unit]
    if unit.unit == own.unit:
        return 1.0, 0.0
    if unit.dimension == own.dimension and unit.factor is not None and own.factor is not None:
        return float(f"{unit.factor / own.factor:.15g}"), (unit.offset - own.offset) / own.factor
    if unit.unit in parameter.factors:
        return parameter.factors[unit.unit], 0.0
    return None


def nearest(text: str, names: Iterable[str], n: int = 3) -> list[str]:
    """List the names that look most like a text, best first, for messages."""
    by_key = {_name_key(name): name for name in names}
    return [by_key[key] for key in difflib.get_close_matches(_name_key(text), by_key, n=n, cutoff=0.5)]


@once
def qualifiers(root: Path = SCHEMAS) -> dict[str, Qualifier]:
    """Read ``vocabularies/qualifiers.csv``; the blank qualifier is a plain number."""
    found: dict[str, Qualifier] = {}
    for row in read_rows(
        root / "vocabularies" / "qualifiers.csv", ("qualifier", "name_zh", "name_en", "censored", "source")
    ):
        if row["qualifier"] in found:
            raise row.fail(f"qualifier {row['qualifier']!r} stands twice")
        found[row["qualifier"]] = Qualifier(
            row["qualifier"], row.need("name_zh"), row.need("name_en"), row.yes("censored"), row.need("source")
        )
    return found


@once
def flags(root: Path = SCHEMAS) -> dict[int, Flag]:
    """Read ``vocabularies/flags.csv``: QARTOD flag → meaning."""
    found: dict[int, Flag] = {}
    columns = ("flag", "name", "name_zh", "meaning_zh", "meaning_en", "source")
    for row in read_rows(root / "vocabularies" / "flags.csv", columns):
        flag = int(row.one_of("flag", ("1", "2", "3", "4", "9")))
        if flag in found:
            raise row.fail(f"flag {flag} stands twice")
        found[flag] = Flag(
            flag, row.need("name"), row.need("name_zh"), row.need("meaning_zh"), row.need("meaning_en"), row["source"]
        )
        row.need("source")
    return found
