"""The search index of one register, opened: a table of names, sorted keys for what is typed exactly, and the pairs.

:mod:`credit_registry.indexing` builds it once into a new folder; from then on it is only read. ``search_name`` in the
register file holds every name an enterprise bears or bore; ``search/`` beside it holds the keys and the fuzzy index.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from credit_registry.fuzzy import Pairs
from credit_registry.keys import SortedKeys

FOLDER, PAIRS = "search", "pairs"
KEYS = ("codes", "names", "initials", "syllables")
MAPPED = 1 << 30
"""Bytes of the register file that are read as memory: a look-up is a few pages anywhere in it."""


@dataclass(frozen=True, slots=True)
class Named:
    """One name of one enterprise."""

    row: int
    uscc: str
    subject: str
    name: str
    former: bool
    division: str


class NameIndex:
    """An index, opened for reading; threads share it."""

    def __init__(self, register_db: Path, folder: Path) -> None:
        self.pairs = Pairs(folder / PAIRS)
        self.codes, self.names, self.initials, self.syllables = (SortedKeys(folder / f"{name}.npy") for name in KEYS)
        self._file = sqlite3.connect(f"{register_db.as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False)
        self._file.execute(f"pragma mmap_size = {MAPPED}")
        self._lock = Lock()

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    def named(self, rows: Sequence[int]) -> list[Named]:
        """Give the names of these rows, in their order, each once."""
        wanted = list(dict.fromkeys(rows))
        found: dict[int, Named] = {}
        for start in range(0, len(wanted), 10_000):
            # Whole numbers of our own, so they may stand in the text: no limit of parameters, and faster.
            numbers = ",".join(map(str, wanted[start : start + 10_000]))
            with self._lock:
                lines = self._file.execute(f"select * from search_name where id in ({numbers})").fetchall()
            for row, uscc, subject, name, former, division in lines:
                place = uscc[2:8] if division is None else f"{division:06d}"
                found[row] = Named(row, uscc, uscc if subject is None else subject, name, bool(former), place)
        return [found[row] for row in wanted if row in found]
