"""Building the index of one register: every name is cut once, stored in the register's file and handed on as keys.

A million and a half names are work for two processes: this one reads, cuts and stores, another makes keys and pairs of
what was cut (:mod:`credit_registry.index_child`). A small register is done sooner here than a process starts.
"""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path

from credit_registry.index import FOLDER
from credit_registry.index_child import ChildFiles
from credit_registry.index_files import Batch, IndexFiles
from credit_registry.keys import INITIALS, MOST_ROWS
from credit_registry.names import folded
from credit_registry.parts import brief_region, brief_regions, cut, skips
from credit_registry.spelling import beginnings

Row = tuple[str, str, str, bool, str]
"""Code (blank if none), subject, name, whether it is a former name, division (blank if unknown)."""
_BATCH = 20_000
LARGE = 100_000
"""Names from which a second process pays: its start costs a second or two of one core."""
_TABLE = """
create table search_name (
    id integer primary key, uscc text not null, subject text, name text not null, former integer not null,
    division integer
) strict
"""


def build_index(
    rows: Iterable[Row],
    register_db: sqlite3.Connection,
    folder: Path,
    *,
    large: int | None = None,
) -> int:
    """Build the index of all names; gives their number.

    Parameters
    ----------
    rows : iterable of (uscc, subject, name, is_former, division)
        Every name once; ``uscc`` and ``division`` may be blank.
    register_db : sqlite3.Connection
        The register file being built; gets the table ``search_name``.
    folder : Path
        The folder of that file; gets ``search/``.
    large : int, optional
        From so many names on a second process helps; by default ``LARGE``.

    Raises
    ------
    IndexFailed
        That process ended before its work; what it left is of no use.
    """
    rest = iter(rows)
    large = LARGE if large is None else large
    first = list(islice(rest, large))
    target = folder / FOLDER
    target.mkdir()
    files = ChildFiles(target) if len(first) >= large else IndexFiles(target)
    try:
        with _no_collection():
            number = _build(chain(first, rest), register_db, files)
        files.close()
    except BaseException:
        files.abandon()
        raise
    return number


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


def _build(rows: Iterator[Row], register_db: sqlite3.Connection, files: IndexFiles | ChildFiles) -> int:
    register_db.execute(_TABLE)
    number = 0
    while batch := list(islice(rows, _BATCH)):
        if number + len(batch) > MOST_ROWS:
            raise OverflowError(f"more than {MOST_ROWS} names do not fit the keys")
        files.add(_cut(batch, number))
        register_db.executemany("insert into search_name values (?, ?, ?, ?, ?, ?)", _stored(batch, number))
        number += len(batch)
    register_db.commit()
    return number


def _stored(batch: Sequence[Row], first: int) -> Iterator[tuple[int, str, str | None, str, int, int | None]]:
    for row, (uscc, subject, name, former, division) in enumerate(batch, first):
        place = int(division[:6]) if division[:6] != uscc[2:8] and division[:6].isdecimal() else None
        yield row, uscc, None if subject == uscc else subject, name, former, place


def _cut(batch: Sequence[Row], first: int) -> Batch:
    made = Batch(first, [uscc or subject for uscc, subject, *_ in batch], [], [], [], [], [])
    for row, (_, _, name, _, division) in enumerate(batch, first):
        text = folded(name)
        found = cut(text)
        bare = text.replace("(", "").replace(")", "") if "(" in text or ")" in text else text
        made.names.append(bare)
        made.compared.append(found.compared)
        made.words.append(" ".join((*map(brief_region, found.regions), _places(division[:6]), *skips(found.core))))
        for way in beginnings(bare, found):
            made.spoken.append(way[:INITIALS])
            made.spoken_rows.append(row)
    return made


@lru_cache(maxsize=1 << 17)
def _places(division: str) -> str:
    return " ".join(brief_regions(division))
