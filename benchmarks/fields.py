"""The same field rules for everybody: taken from the template, the stations and ``parameters.csv``.

What a schema of fields can say, and no more: which columns must be filled, which codes there are, how a time and a
number are written, which numbers are plausible. The judge of the exchange checks all of that and also places and
their dates, units, repeated records, series, twins and fields against each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.deliveries import BUREAU, template
from schemas.loaders import parameters, stations

NUMBER = r"^-?[0-9]+(\.[0-9]+)?$"
TIME = r"^20[0-9]{2}-[0-1][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]$"


@dataclass(frozen=True, slots=True)
class Field:
    """What must hold in one column."""

    header: str
    kind: str
    """``text``, ``time`` or ``number``."""
    required: bool = False
    words: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None


def fields(site: Path) -> list[Field]:
    """Give the field rules of the template for one bureau."""
    layout, known = template(), parameters()
    assert layout.time is not None
    codes = tuple(station.station_id for station in stations(BUREAU, site))
    places = [Field(layout.columns["station_id"], "text", True, codes), Field(layout.columns["station_name"], "text")]
    numbers = [
        Field(r.column, "number", False, (), known[r.parameter].plausible_min, known[r.parameter].plausible_max)
        for r in layout.results
    ]
    return [*places, Field(layout.time.columns[0], "time", True), *numbers, Field(layout.optional["remark"], "text")]


def frictionless_schema(rules: list[Field]) -> dict[str, Any]:
    """Write the rules as a Table Schema."""
    kinds = {"text": {"type": "string"}, "number": {"type": "number"}}
    made = []
    for rule in rules:
        shape = kinds.get(rule.kind, {"type": "datetime", "format": "%Y-%m-%d %H:%M"})
        limits: dict[str, Any] = {"required": True} if rule.required else {}
        if rule.words:
            limits |= {"enum": list(rule.words), "pattern": "[0-9]{4}A"}
        if rule.kind == "number":
            limits |= {"minimum": rule.low, "maximum": rule.high}
        made.append({"name": rule.header, **shape, "constraints": limits})
    return {"fields": made, "missingValues": list(template().missing)}


def frame(path: Path, encoding: str, rules: list[Field]) -> pd.DataFrame:
    """Read the file as text, with a typed column ``…|number`` beside each number; missing is missing."""
    text = pd.read_csv(path, dtype=str, encoding=encoding, keep_default_na=False, na_values=list(template().missing))
    typed = {
        f"{r.header}|number": pd.to_numeric(text[r.header], "coerce").astype(float) for r in rules if r.kind == "number"
    }
    return text.assign(**typed)


def gx_expectations(rules: list[Field]) -> list[Any]:
    """Write the rules as native Great Expectations."""
    import great_expectations.expectations as e

    made: list[Any] = []
    for rule in rules:
        if rule.required:
            made.append(e.ExpectColumnValuesToNotBeNull(column=rule.header))
        if rule.words:
            made.append(e.ExpectColumnValuesToBeInSet(column=rule.header, value_set=list(rule.words)))
        if rule.kind != "text":
            pattern = TIME if rule.kind == "time" else NUMBER
            made.append(e.ExpectColumnValuesToMatchRegex(column=rule.header, regex=pattern))
        if rule.kind == "number":
            limits = {"min_value": rule.low, "max_value": rule.high}
            made.append(e.ExpectColumnValuesToBeBetween(column=f"{rule.header}|number", **limits))
    return made


def pandera_schema(rules: list[Field]) -> Any:
    """Write the rules as a pandera schema."""
    import pandera.pandas as pa

    columns = {}
    for rule in rules:
        checks = [pa.Check.isin(rule.words)] if rule.words else []
        if rule.kind != "text":
            checks.append(pa.Check.str_matches(TIME if rule.kind == "time" else NUMBER))
        columns[rule.header] = pa.Column(nullable=not rule.required, checks=checks)
        if rule.kind == "number":
            within = pa.Check.in_range(rule.low, rule.high)
            columns[f"{rule.header}|number"] = pa.Column(float, nullable=True, checks=[within])
    return pa.DataFrameSchema(columns)
