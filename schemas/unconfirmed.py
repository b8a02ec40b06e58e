"""What a fact of ours rests on no document we have read: it is marked in the data and said wherever it is shown.

A row of schemes, levels or acts names such facts in its column ``unconfirmed``; the words for them stand in
``vocabularies/unconfirmed_facts.csv``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from schemas.files import SCHEMAS, Row, once, read_rows


@dataclass(frozen=True, slots=True)
class UnconfirmedFact:
    """One kind of fact that may be unconfirmed, with its words."""

    fact: str
    title_zh: str
    title_en: str
    source: str


@once
def unconfirmed_facts(root: Path = SCHEMAS) -> dict[str, UnconfirmedFact]:
    """Read ``vocabularies/unconfirmed_facts.csv``: fact → its words."""
    found: dict[str, UnconfirmedFact] = {}
    for row in read_rows(root / "vocabularies" / "unconfirmed_facts.csv", ("fact", "title_zh", "title_en", "source")):
        fact = row.need("fact")
        if fact in found:
            raise row.fail(f"fact {fact!r} stands twice")
        found[fact] = UnconfirmedFact(fact, row.need("title_zh"), row.need("title_en"), row.need("source"))
    return found


def read_unconfirmed(row: Row, root: Path = SCHEMAS) -> tuple[str, ...]:
    """Give the facts a row names in its column ``unconfirmed``; one without words is refused."""
    named = row.many("unconfirmed")
    for fact in named:
        if fact not in unconfirmed_facts(root):
            raise row.fail(f"unconfirmed fact {fact!r} is not in unconfirmed_facts.csv")
    return named
