"""What the steps share about frames: columns of words, each word once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd


def coded(codes: Any, words: Sequence[str]) -> pd.Categorical:
    """Make a column of words from codes into a list of distinct words; ``-1`` is missing."""
    index: Any = pd.Index(list(words), dtype="str")
    made: Any = pd.Categorical.from_codes(np.asarray(codes), categories=index)
    return made  # type: ignore[no-any-return]


def constant(word: str, size: int) -> pd.Categorical:
    """Make a column that holds one word."""
    return coded(np.zeros(size, dtype=np.int8), [word])


def stacked(columns: Sequence[Any]) -> pd.Categorical:
    """Stack columns of words; the result knows the words of all."""
    # a column without a single word has categories of another kind, which do not stack
    worded = [c.rename_categories(c.categories.astype("str")) if c.categories.dtype != "str" else c for c in columns]
    made: Any = pd.api.types.union_categoricals(worded)
    return made  # type: ignore[no-any-return]


def texts_at(column: Any, positions: np.ndarray) -> np.ndarray:
    """Give the texts of a column at some positions, without touching the others; missing is blank."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        words = np.array([*(str(word) for word in column.cat.categories), ""], dtype=object)
        found: np.ndarray = words[column.cat.codes.to_numpy()[positions]]
        return found
    values = column.to_numpy()[positions]
    return np.array([_plain(value) for value in values.tolist()], dtype=object)


def _plain(value: object) -> str:
    if value is None or value != value:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)
