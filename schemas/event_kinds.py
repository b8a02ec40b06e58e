"""Kinds of events of the chain in words, and how far each reaches: ``vocabularies/event_kinds.csv``.

``reach`` says whose an event is that names no bureau: ``exchange``, both may see it; ``person``, the bureau of those it
names; ``bureau``, such an event names its bureau always. ``shown`` are the fields of an ``exchange`` event that both may
see, ``*`` for all. A kind that is not written down is shown to nobody whose bureau it does not name.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from schemas.files import SCHEMAS, once, read_rows

REACHES = ("bureau", "exchange", "person")
SUBJECTS = ("delivery", "account", "look", "credit", "expert", "draw", "audit", "system")


@dataclass(frozen=True, slots=True)
class EventKind:
    """One kind of event."""

    kind: str
    title_zh: str
    title_en: str
    subject: str
    reach: str
    shown: tuple[str, ...]
    source: str


@once
def event_kinds(root: Path = SCHEMAS) -> dict[str, EventKind]:
    """Read ``vocabularies/event_kinds.csv``: kind → what it is, in the order of the file."""
    columns = ("kind", "title_zh", "title_en", "subject", "reach", "shown", "source")
    found: dict[str, EventKind] = {}
    for row in read_rows(root / "vocabularies" / "event_kinds.csv", columns):
        kind, shown, reach = row.need("kind"), row.many("shown"), row.one_of("reach", REACHES)
        if kind in found or not shown or (reach != "exchange" and shown != ("*",)):
            raise row.fail(f"kind {kind!r} stands twice, shows nothing, or names fields although its bureau sees all")
        titles = (row.need("title_zh"), row.need("title_en"))
        found[kind] = EventKind(kind, *titles, row.one_of("subject", SUBJECTS), reach, shown, row.need("source"))
    return found
