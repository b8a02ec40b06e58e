"""What is told of the experts of the pool: one writer through which every change goes, and the door to one expert.

A change of a person, with what came with it (fields, employments, ties, consents, leaves), is one transaction with a
row in ``expert_change`` and an event ``expert-change`` on the chain. The change says what stood before and after, never
a sealed text; the event holds numbers, kinds and a hash, never a name. An import writes many people under one event.
Lists and whole pools are read in ``records/expert_pages.py``; who looked, in ``records/expert_access.py``.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Table, bindparam, insert, select, update

from records import chain
from records import expert_models as models
from records.store import CHINA, Records, storable
from schemas.files import fold
from schemas.personal import without_numbers

SEALED = ("identity_sealed", "phone_sealed", "bank_sealed")
UNTOLD = (*SEALED, "identity_index", "updated_at", "name_key")
"""Columns whose contents never stand in a change."""
MANY = 5_000


@dataclass(frozen=True, slots=True)
class ExpertRow:
    """One row of ``expert``, sealed fields and all; ``merged_into`` names the number a person lives on under."""

    expert_id: str
    bureau: str
    name: str
    name_key: str
    employer: str
    employer_uscc: str
    title: str
    title_rank: str
    division: str
    state: str
    identity_kind: str
    identity_index: str
    identity_sealed: str = field(repr=False)
    phone_sealed: str = field(repr=False)
    identity_mask: str
    phone_mask: str
    entered_at: datetime
    updated_at: datetime
    term_start: date | None = None
    term_end: date | None = None
    bar_until: date | None = None
    certificate_until: date | None = None
    practice_since: date | None = None
    bank_sealed: str = field(default="", repr=False)
    remark: str = ""
    source_sha256: str = ""
    source_row: int = 0
    merged_into: str | None = None
    erased_at: datetime | None = None
    frozen_at: datetime | None = None


NAMES = tuple(one.name for one in fields(ExpertRow))
COLUMNS = tuple(models.expert.c[name] for name in NAMES)
PARTS: dict[str, Table] = {
    "specialty": models.expert_specialty,
    "employment": models.expert_employment,
    "tie": models.expert_tie,
    "consent": models.expert_consent,
    "leave": models.expert_leave,
}
"""What an expert has many of, by the word of its changes."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one expert: who, when, of what kind, what stood before and after, and why."""

    id: int
    expert_id: str
    at: datetime
    by: str
    kind: str
    before: dict[str, Any]
    after: dict[str, Any]
    reason: str


def new_expert_id(at: datetime) -> str:
    """Make the number of a new expert; it says nothing of the person."""
    return f"e-{at.astimezone(CHINA):%Y%m%d}-{secrets.token_hex(6)}"


def expert(records: Records, expert_id: str) -> ExpertRow | None:
    """Give one row, None where there is none."""
    with records.database.read() as connection:
        return row_of(connection, expert_id)


def row_of(connection: Connection, expert_id: str) -> ExpertRow | None:
    """Give one row inside the caller's transaction."""
    found = connection.execute(select(*COLUMNS).where(models.expert.c.expert_id == expert_id)).one_or_none()
    return ExpertRow(*found) if found is not None else None


class PoolWriter:
    """Gathers the changes of one transaction; :func:`writing` flushes them and puts their event on the chain."""

    def __init__(self, connection: Connection, by: str, at: datetime) -> None:
        self.connection = connection
        self.by = by
        self.at = at
        self._new: list[dict[str, Any]] = []
        self._updates: list[dict[str, Any]] = []
        self._parts: dict[str, list[dict[str, Any]]] = {name: [] for name in PARTS}
        self._changes: list[dict[str, Any]] = []

    def add(
        self, row: ExpertRow, parts: Mapping[str, Iterable[Mapping[str, Any]]], kind: str = "entered", reason: str = ""
    ) -> None:
        """Add an expert with its ``parts`` (columns of the tables in :data:`PARTS`, without number and time)."""
        values = _values(row)
        self._new.append(_storable(values))
        after = {
            name: _plain(value) for name, value in values.items() if name not in UNTOLD and value not in ("", None)
        }
        for name, given in parts.items():
            rows = [self._take(row.expert_id, name, one) for one in given]
            if rows:
                after[name] = rows
        self.note(row.expert_id, kind, {}, after, reason)

    def change(self, row: ExpertRow, values: Mapping[str, Any], kind: str, reason: str = "") -> bool:
        """Change columns of an expert who is there; False where nothing differs."""
        differing = {name: value for name, value in values.items() if getattr(row, name) != value}
        if not differing:
            return False
        told = [name for name in differing if name not in UNTOLD]
        before = {name: _plain(getattr(row, name)) for name in told}
        after = {name: _plain(differing[name]) for name in told}
        after |= {name.removesuffix("_sealed"): "sealed anew" for name in differing if name in SEALED}
        whole = _values(row) | differing | {"updated_at": self.at}
        self._updates.append(_storable(whole))
        self.note(row.expert_id, kind, before, after, reason)
        return True

    def tell(self, expert_id: str, part: str, values: Mapping[str, Any], reason: str = "") -> None:
        """Add one employment, tie, consent, leave or specialty."""
        self.note(expert_id, part, {}, self._take(expert_id, part, values), reason)

    def amend(self, part: str, row_id: int, values: Mapping[str, Any], reason: str = "") -> None:
        """Change one such row: an employment ends, a consent is revoked, a tie is cleared."""
        table = PARTS[part]
        self.flush()
        before = self.connection.execute(select(table).where(table.c.id == row_id)).one()._mapping
        self.connection.execute(update(table).where(table.c.id == row_id).values(**values))
        plain = {name: _plain(before[name]) for name in values}
        self.note(before["expert_id"], part, {"id": row_id} | plain, {n: _plain(v) for n, v in values.items()}, reason)

    def drop(self, part: str, expert_id: str, reason: str = "") -> None:
        """Remove all rows of one kind, where a new list replaces them (specialties)."""
        table = PARTS[part]
        self.flush()
        mine = table.c.expert_id == expert_id
        names = [column for column in table.c if column.name not in ("id", "expert_id", "told_at")]
        before = [
            {name: _plain(value) for name, value in row._mapping.items()}
            for row in self.connection.execute(select(*names).where(mine).order_by(table.c.id))
        ]
        if before:
            self.connection.execute(table.delete().where(mine))
            self.note(expert_id, part, {part: before}, {}, reason)

    def _take(self, expert_id: str, part: str, values: Mapping[str, Any]) -> dict[str, Any]:
        told = {"told_at": self.at} if "told_at" in PARTS[part].c else {}
        self._parts[part].append(_storable({"expert_id": expert_id, **told, **values}))
        return {name: _plain(value) for name, value in values.items()}

    def note(self, expert_id: str, kind: str, before: Mapping[str, Any], after: Mapping[str, Any], reason: str) -> None:
        """Keep a change that is not written here; ``before`` and ``after`` hold no sealed text."""
        change = {"expert_id": expert_id, "at": self.at, "by": self.by, "kind": kind}
        masked = without_numbers(reason)  # somebody may have written the number a person called from
        told = reason if masked == fold(reason) else masked
        self._changes.append(_storable(change | {"before": before, "after": after, "reason": told}))

    def flush(self) -> None:
        """Write what was gathered, but not yet the event."""
        if self._new:
            self.connection.execute(insert(models.expert), self._new)
        if self._updates:
            columns = [name for name in NAMES if name != "expert_id"]
            changed = update(models.expert).where(models.expert.c.expert_id == bindparam("expert_id_"))
            changed = changed.values({name: bindparam(f"{name}_") for name in columns})
            self.connection.execute(changed, [{f"{name}_": v for name, v in one.items()} for one in self._updates])
        for name, rows in self._parts.items():
            if rows:
                self.connection.execute(insert(PARTS[name]), rows)
                rows.clear()
        self._new.clear()
        self._updates.clear()

    def finish(self, bureau: str | None, payload: Mapping[str, Any]) -> None:
        """Write everything, the changes last, and their event."""
        self.flush()
        if not self._changes:
            return
        self.connection.execute(insert(models.expert_change), self._changes)
        ids = {change["expert_id"] for change in self._changes}
        told = {name: value for name, value in payload.items() if value not in ("", None)}
        told |= {"changes": len(self._changes), "by": self.by, "changes_sha256": changes_hash(self._changes)}
        told["kinds"] = dict(Counter(change["kind"] for change in self._changes))
        told |= {"expert": ids.pop()} if len(ids) == 1 else {"experts": len(ids)}
        chain.append(self.connection, "expert-change", self.at, bureau, None, told)


def changes_hash(changes: Iterable[Mapping[str, Any]]) -> str:
    """Hash changes in their order, as the chain keeps them: number, kind, before, after, reason of each."""
    digest = hashlib.sha256()
    for change in changes:
        parts = [change[name] for name in ("expert_id", "kind", "before", "after", "reason")]
        digest.update(chain.canonical(parts).encode("utf-8", "backslashreplace") + b"\n")
    return digest.hexdigest()


@contextmanager
def writing(
    records: Records, by: str, at: datetime, bureau: str | None = None, payload: Mapping[str, Any] | None = None
) -> Iterator[PoolWriter]:
    """Open the writer for one transaction; an error inside writes nothing at all."""
    with records.database.write() as connection:
        writer = PoolWriter(connection, by, at)
        yield writer
        writer.finish(bureau, payload or {})


def add_expert(
    records: Records,
    row: ExpertRow,
    parts: Mapping[str, Iterable[Mapping[str, Any]]] | None = None,
    *,
    by: str,
    reason: str = "",
) -> ExpertRow:
    """Add one expert; the moment is its ``entered_at``."""
    with writing(records, by, row.entered_at, row.bureau) as pool:
        pool.add(row, parts or {}, reason=reason)
    return row


def change_expert(
    records: Records,
    expert_id: str,
    values: Mapping[str, Any],
    *,
    by: str,
    at: datetime,
    kind: str = "corrected",
    reason: str = "",
    only_from: Sequence[str] | None = None,
) -> ExpertRow | None:
    """Change columns of one expert; None where there is no such expert, or its state is none of ``only_from``."""
    with writing(records, by, at) as pool:
        row = row_of(pool.connection, expert_id)
        if row is None or (only_from is not None and row.state not in only_from):
            return None
        pool.change(row, values, kind, reason)
    return expert(records, expert_id)


def set_state(
    records: Records,
    expert_id: str,
    state: str,
    *,
    by: str,
    at: datetime,
    reason: str = "",
    only_from: Sequence[str] | None = None,
    **values: Any,
) -> ExpertRow | None:
    """Bring an expert into a state with its days (``term_start``, ``term_end``, ``bar_until``)."""
    return change_expert(
        records,
        expert_id,
        {"state": state, **values},
        by=by,
        at=at,
        kind="state",
        reason=reason,
        only_from=only_from,
    )


def reseal(records: Records, anew: Callable[[str, str, str], str], by: str, at: datetime, key: str) -> int:
    """Give every sealed text to ``anew(owner, field, sealed)`` and keep what it gives back, all in one transaction."""
    e, d, s = models.expert.c, models.expert_draw.c, models.expert_draw_secret.c
    count = 0
    with records.database.write() as connection:
        columns = [e[name] for name in SEALED]
        changed: list[dict[str, str]] = []
        for row in connection.execute(select(e.expert_id, *columns)).all():
            fresh = [anew(row.expert_id, name.removesuffix("_sealed"), getattr(row, name)) for name in SEALED]
            differing = sum(new != getattr(row, name) for new, name in zip(fresh, SEALED, strict=True))
            if differing:
                count += differing
                changed.append({"owner": row.expert_id, **{f"{n}_": v for n, v in zip(SEALED, fresh, strict=True)}})
        statement = update(models.expert).where(e.expert_id == bindparam("owner"))
        statement = statement.values({name: bindparam(f"{name}_") for name in SEALED})
        if changed:
            connection.execute(statement, changed)
        for row in connection.execute(select(d.draw_id, d.key_sealed)).all():
            fresh_key = anew(row.draw_id, "key", row.key_sealed)
            if fresh_key != row.key_sealed:
                count += 1
                mine = update(models.expert_draw).where(d.draw_id == row.draw_id)
                connection.execute(mine.values(key_sealed=fresh_key))
        for row in connection.execute(select(s.draw_id, s.bureau, s.sealed)).all():
            fresh_secret = anew(row.draw_id, f"secret:{row.bureau}", row.sealed)
            if fresh_secret != row.sealed:
                count += 1
                mine = update(models.expert_draw_secret).where(s.draw_id == row.draw_id, s.bureau == row.bureau)
                connection.execute(mine.values(sealed=fresh_secret))
        chain.append(connection, "expert-resealed", at, None, None, {"by": by, "key": key, "texts": count})
    return count


def _values(row: ExpertRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in NAMES}  # not asdict, which copies every date of 100,000 people


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _storable(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: storable(value) if isinstance(value, str) else value for name, value in values.items()}
