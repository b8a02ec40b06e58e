"""Telling an expert list by its headings before anything of it is kept.

A list that is broken, or has a column nobody knows, is refused before anybody knows its layout; its bytes must not be
kept in clear all the same. So the headings of layouts with personal data are looked for in the bytes themselves, also
inside a workbook: a file that has all of them is such a list. Only the beginning is read: headings stand there.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

from schemas.layouts import Layout

BEGINNING = 1_000_000
ENCODINGS = ("utf-8", "gb18030", "utf-16-le", "utf-16-be")


def is_personal(path: Path, layouts: tuple[Layout, ...]) -> bool:
    """Tell whether a file has all headings of one of the layouts that hold personal data."""
    wanted = [one.recognise for one in layouts if one.personal and one.recognise]
    seen: set[str] = set()
    for data in _beginnings(path) if wanted else ():
        seen |= {word for words in wanted for word in words if any(word.encode(one) in data for one in ENCODINGS)}
    return any(set(words) <= seen for words in wanted)


def _beginnings(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield file.read(BEGINNING)
    if zipfile.is_zipfile(path):
        try:
            with zipfile.ZipFile(path) as packed:
                for name in packed.namelist()[:100]:
                    with packed.open(name) as member:
                        yield member.read(BEGINNING)
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, EOFError):
            return  # damaged or encrypted: the reader says so
