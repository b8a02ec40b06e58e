"""Columns of text, each distinct text once.

A column is codes into a list of texts as written; what is done to a text is done once per distinct text, and counted
by how many cells hold it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from pipelines.batch import Normalisation, Sheet
from pipelines.frames import coded
from schemas.files import fold

_FOLDS = {
    "full-width": "全角字符转为半角",
    "invisible": "去除不可见字符",
    "trimmed": "去除首尾空白",
}


PLACES_NAMED = 10
"""Cells named of each kind of change."""


@dataclass
class Changes:
    """What folding changed: how many cells of each kind, and the first of them."""

    counts: Counter[str] = field(default_factory=Counter)
    places: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


def _fold_kinds(text: str, folded: str) -> list[str]:
    """Name what folding did to a text."""
    kinds = []
    if text != text.strip(" \t\r\n\u3000\u00a0"):
        kinds.append("trimmed")
    if any("\uff01" <= c <= "\uff5e" for c in text):
        kinds.append("full-width")
    if len(folded) < len(text.strip(" \t\r\n\u3000\u00a0")):
        kinds.append("invisible")
    return kinds or ["full-width"]


class TextColumn:
    """Texts of one column for the records kept.

    Attributes
    ----------
    codes : ndarray of int32, shape (n,)
    texts : list of str
        Distinct texts as written.
    """

    __slots__ = ("__dict__", "codes", "texts")

    def __init__(self, codes: np.ndarray, texts: list[str]) -> None:
        self.codes = codes
        self.texts = texts

    @classmethod
    def of(cls, sheet: Sheet, position: int, keep: np.ndarray, first: int) -> TextColumn:
        """Take one column of a sheet; a merged range gives its text to all its rows."""
        column = sheet.cells.column(position).combine_chunks()
        codes = column.indices.to_numpy(zero_copy_only=False).astype(np.int32, copy=False)
        texts = column.dictionary.to_pylist()
        spans = [m for m in sheet.merged if m[1] <= position <= m[3] and m[2] > m[0]]
        if spans:
            codes = codes.copy()
            top_of = {int(number): at for at, number in enumerate(sheet.rows.tolist())}
            for top, left, bottom, _right in spans:
                at = top_of.get(top)
                if at is None or at < first:
                    continue
                source = sheet.cells.column(left).combine_chunks()
                text = source.dictionary[source.indices[at].as_py()].as_py()
                if text not in texts:
                    texts = [*texts, text]
                inside = (sheet.rows >= top) & (sheet.rows <= bottom)
                codes[inside] = texts.index(text)
        return cls(codes[keep], texts)

    @classmethod
    def constant(cls, text: str, size: int) -> TextColumn:
        """Make a column that holds one text."""
        return cls(np.zeros(size, dtype=np.int32), [text])

    @classmethod
    def joined(cls, columns: list[TextColumn], separator: str = " ") -> TextColumn:
        """Join columns cell by cell, working on the distinct combinations."""
        result = columns[0]
        for other in columns[1:]:
            pair = result.codes.astype(np.int64) * len(other.texts) + other.codes
            distinct, codes = np.unique(pair, return_inverse=True)
            left, right = np.divmod(distinct, len(other.texts))
            texts = [
                f"{fold(result.texts[a])}{separator}{fold(other.texts[b])}" for a, b in zip(left, right, strict=True)
            ]
            result = cls(codes.astype(np.int32), texts)
        return result

    @cached_property
    def folded(self) -> list[str]:
        """Distinct texts, folded."""
        return [fold(text) for text in self.texts]

    @cached_property
    def counts(self) -> np.ndarray:
        """Cells that hold each distinct text."""
        return np.bincount(self.codes, minlength=len(self.texts))

    def blank(self) -> np.ndarray:
        """Tell which cells hold nothing."""
        return np.array([not text for text in self.folded], dtype=bool)[self.codes]

    def category(self, convert: Callable[[str], str] | None = None) -> pd.Categorical:
        """Give the folded (or converted) texts as a categorical."""
        words = self.folded if convert is None else [convert(text) for text in self.folded]
        return categorical(words, self.codes)

    def written(self) -> pd.Categorical:
        """Give the texts as written."""
        return coded(self.codes, self.texts)

    def fold_notes(self, tally: Changes, letter: str, rows: np.ndarray) -> None:
        """Count the cells that folding changed and name the first of them."""
        for at, (text, folded) in enumerate(zip(self.texts, self.folded, strict=True)):
            if text == folded or not self.counts[at]:
                continue
            kinds = _fold_kinds(text, folded)
            for kind in kinds:
                tally.counts[kind] += int(self.counts[at])
            if any(len(tally.places[kind]) < PLACES_NAMED for kind in kinds):
                cells = [f"{letter}{rows[i]}" for i in np.flatnonzero(self.codes == at)[:PLACES_NAMED].tolist()]
                for kind in kinds:
                    tally.places[kind] = [*tally.places[kind], *cells][:PLACES_NAMED]


def categorical(words: list[str], codes: np.ndarray) -> pd.Categorical:
    """Make a categorical from words that may repeat."""
    index = {word: at for at, word in enumerate(dict.fromkeys(words))}
    remap = np.fromiter((index[word] for word in words), dtype=np.int32, count=len(words))
    return coded(remap[codes] if len(words) else codes, list(index))


def notes_of(tally: Changes) -> list[Normalisation]:
    """Turn counted foldings into what a report names."""
    return [
        Normalisation(kind, _FOLDS[kind], count, "、".join(tally.places[kind]))
        for kind, count in sorted(tally.counts.items())
        if count
    ]
