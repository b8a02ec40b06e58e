"""Facts → expectations: the rules and table contracts as Great Expectations configurations, written as plain data.

One configuration is a dict of ``type``, ``kwargs`` and ``meta``, as Great Expectations itself stores it; nothing here
imports it. ``native`` speaks of rows; the others speak of frames reduced to their extremes, whose cost does not grow with failures.
``meta["rules"]`` says, in one text, which rules (or which clause of the contract) an expectation stands for: Great
Expectations copies and checks ``meta`` hundreds of times a run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from schemas.loaders import Table
from schemas.rules import Rule

Config = dict[str, Any]
LOW, HIGH = "plausible_low", "plausible_high"
"""Columns with the bounds that parameters.csv gives for the parameter of each row."""
FAIL = 4
"""QARTOD: failed; with missing (9) never published."""
NOTHING = "\x00"
"""A word no column holds: a value set is never empty."""


def config(kind: str, rules: list[str], **kwargs: object) -> Config:
    """Write one expectation."""
    return {"type": f"expect_{kind}", "kwargs": kwargs, "meta": {"rules": " ".join(rules)}}


def scaled(rule: Rule) -> str:
    """Name the column a value may not exceed: ``other``, multiplied by ``factor`` where that is not one."""
    factor = float(rule.arguments.get("factor", 1.0))
    other = str(rule.arguments["other"])
    return other if factor == 1.0 else f"{other}*{factor:g}"


def native(rule: Rule, columns: Mapping[str, str], column: str | None = None) -> list[Config]:
    """Compile one rule to expectations on rows.

    Parameters
    ----------
    rule : Rule
    columns : mapping of str to str
        Columns of ``where`` and their names in the frame; a condition on one that is not there is none, as for the
        judge.
    column : str, optional
        Column that stands for the rule's own (``rule.column``).
    """
    name = column or rule.column
    terms = [_among(columns[key], values) for key, values in rule.where.items() if key in columns]
    scope: dict[str, Any] = {}
    if terms:
        scope["row_condition"] = terms[0] if len(terms) == 1 else {"type": "and", "conditions": terms}
    codes, arguments = [rule.code], rule.arguments
    pair = {"or_equal": True, "ignore_row_if": "either_value_is_missing", **scope}
    match rule.check:
        case "one_of":
            return [config("column_values_to_be_in_set", codes, column=name, value_set=arguments["values"], **scope)]
        case "none_of":
            return [
                config("column_values_to_not_be_in_set", codes, column=name, value_set=arguments["values"], **scope)
            ]
        case "within":
            return [config("column_values_to_be_between", codes, column=name, **_bounds(arguments), **scope)]
        case "present":
            return [config("column_values_to_not_be_null", codes, column=name, **scope)]
        case "matches":
            pattern = rf"\A(?:{arguments['pattern']})"
            return [config("column_values_to_match_regex", codes, column=name, regex=pattern, **scope)]
        case "not_above":
            return [_a_over_b(codes, scaled(rule), name, pair)]
        case "within_facts":
            return [_a_over_b(codes, name, LOW, pair), _a_over_b(codes, HIGH, name, pair)]
    raise ValueError(f"{rule.code}: no expectation for {rule.check!r}")


def _among(column: str, values: Iterable[str]) -> dict[str, Any]:
    return {"type": "comparison", "column": {"name": column}, "operator": "IN", "parameter": list(values)}


def _a_over_b(codes: list[str], a: str, b: str, options: dict[str, Any]) -> Config:
    return config("column_pair_values_a_to_be_greater_than_b", codes, column_A=a, column_B=b, **options)


def _bounds(arguments: dict[str, Any]) -> dict[str, float]:
    sides = {"min_value": arguments.get("low"), "max_value": arguments.get("high")}
    return {side: bound for side, bound in sides.items() if bound is not None}


def merged(configs: Iterable[Config]) -> tuple[list[Config], dict[str, dict[str, str]]]:
    """Join the ``none_of`` expectations on one column and scope: the cost of a small run is their number.

    Returns
    -------
    list of Config
    dict
        By ``meta["rules"]`` of each joined expectation: word → code of the rule that does not allow it.
    """
    kept: dict[object, list[Config]] = {}
    for number, one in enumerate(configs):
        joinable = one["type"] == "expect_column_values_to_not_be_in_set"
        scope = (one["kwargs"].get("column"), json.dumps(one["kwargs"].get("row_condition")))
        kept.setdefault(scope if joinable else number, []).append(one)
    joined, words = [], {}
    for group in kept.values():
        if len(group) == 1:
            joined += group
            continue
        rules = " ".join(one["meta"]["rules"] for one in group)
        words[rules] = {word: one["meta"]["rules"] for one in group for word in one["kwargs"]["value_set"]}
        kwargs = {**group[0]["kwargs"], "value_set": list(words[rules])}
        joined.append({"type": group[0]["type"], "kwargs": kwargs, "meta": {"rules": rules}})
    return joined, words


def extreme_within(code: str, column: str, bound: float, *, least: bool) -> list[Config]:
    """Expect the smallest value of a column not below, or its greatest not above a bound."""
    if least:
        return [config("column_min_to_be_between", [code], column=column, min_value=bound)]
    return [config("column_max_to_be_between", [code], column=column, max_value=bound)]


def counted(column: str, judged: int) -> list[Config]:
    """Expect counts to add up to what the judge let out."""
    return [config("column_sum_to_be_between", ["row-count"], column=column, min_value=judged, max_value=judged)]


def contract(table: Table, beside: list[str], rows: int | None, flags: list[int]) -> list[Config]:
    """Expect the shape of the shared table: its columns in order, nothing missing that must be there, the row count.

    Parameters
    ----------
    table : Table
        Publication adds the record time.
    beside : list of str
        Further columns of the frame, after those of the table.
    rows : int or None
        The judge's count; ``None`` where the frame does not hold all rows, whose number and keys are shown apart.
    flags : list of int
        Flags there are; what is published failed nothing and is not missing.
    """
    own = [column for column in table.columns if column.name not in ("recorded_from", "recorded_until")]
    names = [column.name for column in own]
    full = [column.name for column in own if not column.nullable]
    found = [
        config("table_columns_to_match_ordered_list", ["columns"], column_list=[*names, *beside]),
        config("rows_to_be_complete", [f"not-null:{name}" for name in full], column_list=full),
    ]
    if "flag" in names:
        known = [flag for flag in flags if flag < FAIL]
        found.append(config("column_values_to_be_in_set", ["flag"], column="flag", value_set=known))
    if rows is not None:
        found.append(config("table_row_count_to_equal", ["row-count"], value=rows))
        # a missing part of the key equals a missing part, as the store compares
        kind = "compound_columns_to_be_unique"
        found.append(config(kind, ["key"], column_list=list(table.key), ignore_row_if="never"))
    return found
