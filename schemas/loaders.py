"""The one door to the facts: every loader and its dataclass, under one name.

Each loader reads its file once, refuses a malformed row by file, line and reason, and gives frozen dataclasses. What
belongs together stands in one module: ``quantities`` (units, parameters, qualifiers, flags), ``limits`` (standards and
their editions), ``ratings`` (schemes and levels), ``places`` (regions, bureaus, stations), ``contracts`` (shared
tables).
"""

from __future__ import annotations

from schemas.contracts import Table, TableColumn, catalogue_hash, tables
from schemas.limits import (
    AqiBreakpoint,
    AqiLevel,
    Bound,
    Limit,
    Provision,
    Standard,
    aqi_breakpoints,
    aqi_levels,
    limit_editions,
    limits,
    provisions,
    standards,
)
from schemas.places import Bureau, Region, Station, bureaus, regions, stations
from schemas.quantities import (
    Flag,
    Parameter,
    Qualifier,
    Unit,
    conversion,
    find_parameter,
    find_unit,
    flags,
    nearest,
    parameter_by_hj_code,
    parameters,
    qualifiers,
    units,
)
from schemas.ratings import RatingLevel, Scheme, find_level, find_scheme, rating_schemes, scheme_in_force

__all__ = [
    "AqiBreakpoint",
    "AqiLevel",
    "Bound",
    "Provision",
    "aqi_breakpoints",
    "aqi_levels",
    "provisions",
    "Bureau",
    "Flag",
    "Limit",
    "Parameter",
    "Qualifier",
    "RatingLevel",
    "Region",
    "Scheme",
    "Standard",
    "Station",
    "Table",
    "TableColumn",
    "Unit",
    "bureaus",
    "catalogue_hash",
    "conversion",
    "find_level",
    "find_parameter",
    "find_scheme",
    "find_unit",
    "flags",
    "limit_editions",
    "limits",
    "nearest",
    "parameter_by_hj_code",
    "parameters",
    "qualifiers",
    "rating_schemes",
    "regions",
    "scheme_in_force",
    "standards",
    "stations",
    "tables",
    "units",
]
