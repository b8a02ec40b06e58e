"""Kinds of check: pure comparisons, True where the row is fine; missing values are not their business."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

Check = Callable[[pd.Series, dict[str, Any]], np.ndarray]
CHECKS: dict[str, Check] = {}


def check(function: Check) -> Check:
    """Register a kind of check under its name."""
    CHECKS[function.__name__] = function
    return function


def _by_word(column: pd.Series, fine: Callable[[str], bool]) -> np.ndarray:
    """Judge each distinct text once."""
    if not isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype("category")
    words = [bool(fine(str(word))) for word in column.cat.categories] + [True]
    return np.array(words, dtype=bool)[column.cat.codes.to_numpy()]


@check
def one_of(column: pd.Series, arguments: dict[str, Any]) -> np.ndarray:
    """The text is one of ``values``."""
    values = set(arguments["values"])
    return _by_word(column, lambda word: word in values)


@check
def none_of(column: pd.Series, arguments: dict[str, Any]) -> np.ndarray:
    """The text is none of ``values``."""
    values = set(arguments["values"])
    return _by_word(column, lambda word: word not in values)


@check
def matches(column: pd.Series, arguments: dict[str, Any]) -> np.ndarray:
    """The text matches ``pattern`` from its beginning."""
    pattern = re.compile(arguments["pattern"])
    return _by_word(column, lambda word: pattern.match(word) is not None)


@check
def present(column: pd.Series, arguments: dict[str, Any]) -> np.ndarray:
    """There is a value."""
    return column.notna().to_numpy()


@check
def within(column: pd.Series, arguments: dict[str, Any]) -> np.ndarray:
    """The number lies between ``low`` and ``high``, both included."""
    value = column.to_numpy(dtype=float)
    low, high = arguments.get("low"), arguments.get("high")
    fine = np.ones(len(value), dtype=bool)
    with np.errstate(invalid="ignore"):
        if low is not None:
            fine &= ~(value < low)
        if high is not None:
            fine &= ~(value > high)
    return fine


@check
def not_above(column: pd.Series, arguments: dict[str, Any]) -> np.ndarray:
    """The number is not above ``factor`` times the column ``other`` (given as ``other_values``)."""
    value = column.to_numpy(dtype=float)
    other = np.asarray(arguments["other_values"], dtype=float) * float(arguments.get("factor", 1.0))
    with np.errstate(invalid="ignore"):
        return ~(value > other)
