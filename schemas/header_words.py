"""Words over identity columns: what `propose` looks for when it drafts a layout for an unknown sheet."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from schemas.files import SCHEMAS, MalformedFact, line_of, read_toml
from schemas.layouts import DATASETS, layouts


@dataclass(frozen=True, slots=True)
class HeaderWords:
    """Header words by column of one dataset; ``time`` and ``hour`` are the columns stamps are read from."""

    fields: dict[str, tuple[str, ...]]
    long: dict[str, tuple[str, ...]]
    ignore: tuple[str, ...]


@lru_cache
def header_words(dataset: str, root: Path = SCHEMAS) -> HeaderWords:
    """Read the words of a dataset: headers of the shipped layouts first, then those of ``_header_words.toml``.

    Raises
    ------
    MalformedFact
        The file names an unknown dataset, holds something other than lists of words, or one word for two columns.
    """
    path = root / "layouts" / "_header_words.toml"
    raw = read_toml(path)
    if not raw.pop("source", ""):
        raise MalformedFact(path, 1, "'source' is missing")
    for section, columns in raw.items():
        if section not in (*DATASETS, "long", "ignore"):
            raise MalformedFact(path, line_of(path, section), f"unknown dataset {section!r}")
        seen: dict[str, str] = {}
        for column, words in columns.items():
            if not isinstance(words, list) or not all(isinstance(word, str) and word for word in words):
                raise MalformedFact(path, line_of(path, section, column), f"{column!r} must be a list of words")
            for word in words:
                if word in seen:
                    reason = f"{word!r} stands for {seen[word]!r} and {column!r}"
                    raise MalformedFact(path, line_of(path, section, column), reason)
                seen[word] = column
    fields: dict[str, list[str]] = {}
    for layout in layouts():
        if layout.dataset != dataset or layout.header == "none":
            continue
        for column, header in {**layout.columns, **layout.optional}.items():
            fields.setdefault(column, []).append(header)
        if layout.time and len(layout.time.columns) == 1:
            fields.setdefault("time", []).append(layout.time.columns[0])
    for column, words in raw.get(dataset, {}).items():
        fields.setdefault(column, []).extend(words)
    return HeaderWords(
        {column: tuple(dict.fromkeys(words)) for column, words in fields.items()},
        {column: tuple(words) for column, words in raw["long"].items()},
        tuple(raw["ignore"]["words"]),
    )
