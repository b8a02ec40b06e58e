"""The search index of one register: a table of names, sorted keys for what is typed exactly, and the fuzzy index.

It is built once into a new folder, in one pass over the names, and only read from then on. ``search_name`` in the
register file holds every name an enterprise bears or bore; ``search/`` beside it holds the keys and the fuzzy index.
"""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from threading import Lock

import numpy as np

from credit_registry.fuzzy import Pairs, PairsWriter
from credit_registry.keys import (
    MOST_ROWS,
    Keys,
    SortedKeys,
    SoundKeys,
    checksum,
    text_keys,
    write_keys,
)
from credit_registry.names import folded
from credit_registry.parts import Cut, brief_region, brief_regions, cut, skips

Row = tuple[str, str, str, bool, str]
"""Code (blank if none), subject, name, whether it is a former name, division (blank if unknown)."""
FOLDER = "search"
_BATCH = 50_000
_TEXTS = ("codes", "names")
_SOUNDS = ("initials", "syllables")
_TABLE = """
create table search_name (
    id integer primary key, uscc text not null, subject text, name text not null, former integer not null,
    division integer
) strict
"""


@dataclass(frozen=True, slots=True)
class Named:
    """One name of one enterprise."""

    row: int
    uscc: str
    subject: str
    name: str
    former: bool
    division: str


def build_index(rows: Iterable[Row], register_db: sqlite3.Connection, folder: Path) -> int:
    """Build the index of all names; gives their number.

    Parameters
    ----------
    rows : iterable of (uscc, subject, name, is_former, division)
        Every name once; ``uscc`` and ``division`` may be blank.
    register_db : sqlite3.Connection
        The register file being built; gets the table ``search_name``.
    folder : Path
        The folder of that file; gets ``search/``.
    """
    with _no_collection():
        return _build(rows, register_db, folder / FOLDER)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Stop looking for cycles: millions of small texts and tuples are made, none in a cycle, and the search takes a third."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _build(rows: Iterable[Row], register_db: sqlite3.Connection, target: Path) -> int:
    pairs = PairsWriter(target / "pairs")
    collected: dict[str, list[Keys]] = {name: [] for name in _TEXTS + _SOUNDS}
    sounding = SoundKeys()
    register_db.execute(_TABLE)
    number = 0
    for batch in _batches(rows):
        if number + len(batch) > MOST_ROWS:
            raise OverflowError(f"more than {MOST_ROWS} names do not fit the keys")
        _add(batch, number, pairs, collected, sounding)
        register_db.executemany("insert into search_name values (?, ?, ?, ?, ?, ?)", _stored(batch, number))
        number += len(batch)
    register_db.commit()
    for name, keys in collected.items():
        write_keys(target / f"{name}.npy", np.concatenate([np.zeros(0, np.uint64), *keys]))
    pairs.close()
    return number


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    rest = iter(rows)
    while batch := list(islice(rest, _BATCH)):
        yield batch


def _stored(batch: Sequence[Row], first: int) -> Iterator[tuple[int, str, str | None, str, int, int | None]]:
    for row, (uscc, subject, name, former, division) in enumerate(batch, first):
        place = int(division[:6]) if division[:6].isdecimal() and division[:6] != uscc[2:8] else None
        yield row, uscc, None if subject == uscc else subject, name, int(former), place


def _add(
    batch: Sequence[Row], first: int, pairs: PairsWriter, collected: dict[str, list[Keys]], sounding: SoundKeys
) -> None:
    names, codes = [], []
    spoken, spoken_rows = [], []
    for row, (uscc, subject, name, _, division) in enumerate(batch, first):
        text = folded(name)
        found = cut(text)
        bare = text.replace("(", "").replace(")", "") if "(" in text or ")" in text else text
        words = [*map(brief_region, found.regions), _places(division[:6]), *skips(found.core)]
        pairs.add(row, found.compared, " ".join(words))
        names.append(checksum(bare))
        codes.append(checksum(uscc or subject))
        for way in beginnings(bare, found):
            spoken.append(way)
            spoken_rows.append(row)
    rows = range(first, first + len(batch))
    collected["codes"].append(text_keys(codes, rows))
    collected["names"].append(text_keys(names, rows))
    initials, syllables = sounding.pack(spoken, np.asarray(spoken_rows, np.uint64))
    collected["initials"].append(initials)
    collected["syllables"].append(syllables)


@lru_cache(maxsize=10_000)
def _places(division: str) -> str:
    return " ".join(brief_regions(division))


def beginnings(bare: str, found: Cut) -> list[str]:
    """Give where a person may begin to spell a name: at its front, at the brand, at the region without 省 or 市.

    Examples
    --------
    >>> beginnings("绵阳市宏达电子有限公司", cut("绵阳市宏达电子有限公司"))
    ['绵阳市宏达电子有限公司', '宏达电子有限公司', '绵阳宏达电子有限公司']
    """
    at = bare.find(found.core)
    brand = bare[at:] if at >= 0 else found.core
    ways = [bare]
    if at:
        ways.append(brand)
        region = brief_region(found.regions[0]) if found.regions else ""
        if region and not bare.startswith(region + found.core):
            ways.append(region + brand)
    return [one if one.isalnum() else "".join(filter(str.isalnum, one)) for one in ways]


class NameIndex:
    """An index, opened for reading; threads share it."""

    def __init__(self, register_db: Path, folder: Path) -> None:
        self.pairs = Pairs(folder / "pairs")
        self.codes, self.names, self.initials, self.syllables = (
            SortedKeys(folder / f"{name}.npy") for name in _TEXTS + _SOUNDS
        )
        self._file = sqlite3.connect(f"{register_db.as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False)
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
