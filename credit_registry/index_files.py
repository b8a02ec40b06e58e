"""The files of the index: sorted keys and the pairs, written batch by batch from names that were already cut.

Half of the work of a build and none of the register's file, so :mod:`credit_registry.index_child` may do it elsewhere.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from credit_registry.fuzzy import PairsWriter
from credit_registry.index import KEYS, PAIRS
from credit_registry.keys import Keys, SoundKeys, checksum, text_keys, write_keys


class Batch(NamedTuple):
    """Names in the order of their rows, each in what is kept of it; the rows begin at ``first``."""

    first: int
    codes: list[str]
    names: list[str]
    """Folded and without brackets."""
    compared: list[str]
    words: list[str]
    spoken: list[str]
    """The fronts of all ways to begin a name; ``spoken_rows`` says whose."""
    spoken_rows: list[int]


class IndexFiles:
    """Writes the files of one index into a new folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._pairs = PairsWriter(folder / PAIRS)
        self._keys: dict[str, list[Keys]] = {name: [] for name in KEYS}
        self._sounding = SoundKeys()

    def add(self, batch: Batch) -> None:
        """Add names."""
        rows = range(batch.first, batch.first + len(batch.names))
        self._pairs.add(batch.first, batch.compared, batch.words)
        made = (
            text_keys(list(map(checksum, batch.codes)), rows),
            text_keys(list(map(checksum, batch.names)), rows),
            *self._sounding.pack(batch.spoken, np.asarray(batch.spoken_rows, np.uint64)),
        )
        for name, keys in zip(KEYS, made, strict=True):
            self._keys[name].append(keys)

    def close(self) -> None:
        """Write what is left; the index is whole then."""
        for name, keys in self._keys.items():
            write_keys(self.folder / f"{name}.npy", np.concatenate([np.zeros(0, np.uint64), *keys]))
        self._pairs.close()

    def abandon(self) -> None:
        """Let go of an index that will not be finished; nothing to end here."""
