"""The audit trail as an auditor of one bureau may read it: what is not of his bureau is not there.

An event is a bureau's when it names the bureau, or somebody of it, or says that its records were shown. What concerns
the exchange as a whole (a run of the night, a restored backup) both bureaus see, but only those fields of it that tell
nothing of the other one (``schemas/event_kinds.py``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from records import accounts as kept
from records.accounts import Account
from records.chain import Event
from records.event_search import Stretch, backwards, event_of
from records.store import Records
from schemas.event_kinds import event_kinds
from schemas.places import Bureau

WHO = ("account", "by", "user", "author", "submitted_by", "reviewer", "requester", "confirmed_by")
"""Fields of a payload that name who acted, by number or login."""
LOOKED_AT = 20_000
"""Events one question looks at; the answer says where the next one goes on."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is searched: somebody (number or login), a text in the event (a receipt, an enterprise), kinds, a time."""

    who: str = ""
    what: str = ""
    subject: str = ""
    kind: str = ""
    since: datetime | None = None
    until: datetime | None = None
    before: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """One event as it is shown; ``by`` names people of the bureau, others by their number alone."""

    event: Event
    title_zh: str
    title_en: str
    by: str
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """What was found; ``further`` is the number to go on before, 0 where the beginning of the chain was reached."""

    lines: tuple[Line, ...]
    further: int


@dataclass(frozen=True, slots=True)
class Reader:
    """Whose eyes: a bureau, its names, and its people by number and by login."""

    bureau: str
    names: frozenset[str]
    people: Mapping[str, Account] = field(repr=False)

    def name_of(self, number: str) -> str:
        """Give how a person is called here."""
        found = self.people.get(number)
        return f"{found.name}（{found.login}）" if found is not None else number


def reader_of(records: Records, bureau: str, known: Mapping[str, Bureau]) -> Reader:
    """Make the eyes of a bureau."""
    found = known.get(bureau)
    names = frozenset((bureau, *((found.name_zh, found.name_en, *found.aliases) if found is not None else ())))
    own = kept.accounts(records, bureau)
    return Reader(bureau, names, {one.account_id: one for one in own} | {one.login: one for one in own})


def search(records: Records, reader: Reader, asked: Question, most: int) -> Found:
    """Search the trail, the newest first."""
    lines: list[Line] = []
    looked, last = 0, 0
    for event in backwards(records, reader.bureau, Stretch(asked.before, _kinds(asked), asked.since, asked.until)):
        looked, last = looked + 1, event.seq
        line = shown(event, reader)
        if line is not None and _fits(line, reader, asked):
            lines.append(line)
        if len(lines) == most or looked == LOOKED_AT:
            return Found(tuple(lines), last)
    return Found(tuple(lines), 0)


def every(records: Records, reader: Reader, asked: Question) -> Iterator[Line]:
    """Give all that a question finds, for an export."""
    for event in backwards(records, reader.bureau, Stretch(asked.before, _kinds(asked), asked.since, asked.until)):
        line = shown(event, reader)
        if line is not None and _fits(line, reader, asked):
            yield line


def one(records: Records, reader: Reader, number: int) -> Line | None:
    """Give one event, None where there is none or it is not for these eyes."""
    event = event_of(records, number)
    return None if event is None else shown(event, reader)


def shown(event: Event, reader: Reader) -> Line | None:
    """Give an event as these eyes see it; None where they do not."""
    payload = _payload(event)
    known = event_kinds().get(event.kind)
    named = [payload[name] for name in WHO if isinstance(payload.get(name), str) and payload[name]]
    own = event.bureau == reader.bureau or (event.bureau is None and _concerns(payload, named, reader))
    if not own and (event.bureau is not None or known is None or known.reach != "exchange"):
        return None
    whole = known is None or known.shown == ("*",) or event.bureau == reader.bureau
    facts = payload if whole or known is None else {key: payload[key] for key in known.shown if key in payload}
    by = "、".join(dict.fromkeys(reader.name_of(name) for name in named if name in facts.values()))
    return Line(event, known.title_zh if known else "", known.title_en if known else "", by, facts)


def _payload(event: Event) -> dict[str, Any]:
    """Read what an event says; one that somebody spoilt must not hide the others from the auditor."""
    try:
        found = json.loads(event.payload)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"payload": event.payload}


def _concerns(payload: Mapping[str, Any], named: list[str], reader: Reader) -> bool:
    """Say whether an event that names no bureau is of this one all the same."""
    owners = payload.get("owners")
    return (
        any(name in reader.people for name in named)
        or (isinstance(owners, list) and reader.bureau in owners)
        or payload.get("unit") in reader.names
        or payload.get("bureau") == reader.bureau
    )


def _kinds(asked: Question) -> tuple[str, ...]:
    if asked.kind:
        return (asked.kind,)
    return tuple(kind for kind, one in event_kinds().items() if one.subject == asked.subject) if asked.subject else ()


def _fits(line: Line, reader: Reader, asked: Question) -> bool:
    if asked.who:
        person = reader.people.get(asked.who)
        names = {asked.who} if person is None else {person.account_id, person.login}
        if not names & {value for value in line.facts.values() if isinstance(value, str)}:
            return False
    if not asked.what:
        return True
    text = json.dumps(line.facts, ensure_ascii=False) + f" {line.event.batch_id or ''}"
    return asked.what.casefold() in text.casefold()
