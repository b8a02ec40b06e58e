"""Reading of the pool: a page of the list, many experts with all that is told of them, the changes of one.

A page stands in the order of names and goes on after the last one shown, so that page 2,000 costs no more than page 1.
Whole pools come in one query per table, whatever their number.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, false, func, or_, select, true

from records import expert_models as models
from records.experts import COLUMNS, MANY, PARTS, Change, ExpertRow
from records.scripts import person_key
from records.store import Records
from schemas.files import fold

HIDDEN = ("identity_sealed", "phone_sealed", "bank_sealed", "identity_index", "identity_kind", "name_key")
RARE = 3_000
"""A specialty fewer people have is looked up by itself."""
SHOWN = tuple(column for column in COLUMNS if column.name not in (*HIDDEN, "source_sha256", "source_row", "erased_at"))
"""Columns of an expert that are no sealed text and lead to none."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some experts in the order of their names; ``after`` asks for the next page, None at the end."""

    experts: tuple[ExpertRow, ...]
    after: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class Pool:
    """Many experts as rows of :data:`SHOWN`, and by their number what each has many of, in the order it was told."""

    experts: Sequence[Row[Any]]
    parts: dict[str, dict[str, list[Row[Any]]]]


def experts(
    records: Records,
    *,
    text: str = "",
    bureau: str | None = None,
    state: str | None = None,
    specialty: str | None = None,
    limit: int = 50,
    after: tuple[str, str] | None = None,
) -> Page:
    """Give a page of the pool.

    Parameters
    ----------
    text : str
        Stands in the name or the employer, or is the expert's number.
    specialty : str
        A code, or a code of the first level for all below it.
    after : (str, str)
        As the page before gave it.
    """
    e = models.expert.c
    with records.database.read() as connection:
        chosen = _chosen(connection, text, bureau, state, specialty)
        query = select(e.expert_id).where(chosen).order_by(e.name_key, e.expert_id).limit(limit + 1)
        if after is not None:
            query = query.where(e.name_key >= after[0])
            query = query.where(or_(e.name_key > after[0], e.expert_id > after[1]))
        # the numbers come out of the index alone; only what the page shows is fetched
        ids = [row.expert_id for row in connection.execute(query)]
        whole = select(*COLUMNS).where(e.expert_id.in_(ids[:limit])).order_by(e.name_key, e.expert_id)
        rows = [ExpertRow(*row) for row in connection.execute(whole)]
    more = len(ids) > limit
    return Page(tuple(rows), (rows[-1].name_key, rows[-1].expert_id) if more else None)


def count(
    records: Records,
    *,
    text: str = "",
    bureau: str | None = None,
    state: str | None = None,
    specialty: str | None = None,
) -> int:
    """Count the experts a page is cut from."""
    with records.database.read() as connection:
        chosen = _chosen(connection, text, bureau, state, specialty)
        query = select(func.count()).select_from(models.expert).where(chosen)
        return int(connection.execute(query).scalar_one())


def _chosen(
    connection: Connection, text: str, bureau: str | None, state: str | None, specialty: str | None
) -> ColumnElement[bool]:
    e = models.expert.c
    wanted: list[ColumnElement[bool]] = [e.erased_at.is_(None)]
    if bureau is not None:
        wanted.append(e.bureau == bureau)
    if state is not None:
        wanted.append(e.state == state)
    if specialty is not None:
        wanted.append(_in_field(connection, specialty))
    if text and person_key(text) and fold(text):
        name, place = person_key(text), fold(text)
        inside = func.strpos if connection.dialect.name == "postgresql" else func.instr  # LIKE takes four times as long
        wanted.append(or_(inside(e.name_key, name) > 0, inside(e.employer, place) > 0, e.expert_id == place))
    return and_(true(), *wanted)


def _in_field(connection: Connection, code: str) -> ColumnElement[bool]:
    """Choose by specialty: a rare one from its own index, a frequent one person by person along the list."""
    e, s = models.expert.c, models.expert_specialty.c
    some = _with_specialties([code]).limit(RARE + 1).subquery()
    if connection.execute(select(func.count()).select_from(some)).scalar_one() <= RARE:
        return e.expert_id.in_(_with_specialties([code]))
    return select(s.id).where(s.expert_id == e.expert_id, _below(code)).exists()


def _below(code: str) -> ColumnElement[bool]:
    """Choose a code, and those below a code of the first level."""
    s = models.expert_specialty.c
    return s.code == code if len(code) > 1 else or_(s.code == code, s.code.between(f"{code}00", f"{code}99"))


def _with_specialties(codes: Collection[str]) -> Select[tuple[str]]:
    return select(models.expert_specialty.c.expert_id).where(or_(false(), *map(_below, sorted(codes))))


def pool(
    records: Records,
    *,
    ids: Collection[str] | None = None,
    specialties: Collection[str] | None = None,
    bureau: str | None = None,
    states: Collection[str] | None = None,
) -> Pool:
    """Read experts with all that is told of them; who is erased is not there, who was merged is."""
    with records.database.read() as connection:
        if ids is None:
            chosen = _pool_query(specialties, bureau, states)
            rows = list(connection.execute(select(*SHOWN).where(chosen).order_by(models.expert.c.expert_id)))
            numbers_of = select(models.expert.c.expert_id).where(chosen)
            if specialties is not None and bureau is None and states is None:
                numbers_of = _with_specialties(specialties)  # the same people, without looking at them again
            return Pool(rows, {name: _grouped(connection, name, numbers_of) for name in PARTS})
        rows, numbers = [], sorted(set(ids))
        for some in _pieces(numbers):
            chosen = and_(models.expert.c.expert_id.in_(some), _pool_query(specialties, bureau, states))
            rows += connection.execute(select(*SHOWN).where(chosen).order_by(models.expert.c.expert_id)).all()
        return Pool(rows, parts(connection, numbers, PARTS))


def _pool_query(
    specialties: Collection[str] | None, bureau: str | None, states: Collection[str] | None
) -> ColumnElement[bool]:
    e = models.expert.c
    wanted: list[ColumnElement[bool]] = [e.erased_at.is_(None)]
    if specialties is not None:
        wanted.append(e.expert_id.in_(_with_specialties(specialties)))
    if bureau is not None:
        wanted.append(e.bureau == bureau)
    if states is not None:
        wanted.append(e.state.in_(sorted(states)))
    return and_(true(), *wanted)


def _grouped(connection: Connection, part: str, numbers: Any) -> dict[str, list[Row[Any]]]:
    table = PARTS[part]
    query = select(table).where(table.c.expert_id.in_(numbers)).order_by(table.c.id)
    if part == "tie":
        query = query.where(table.c.cleared_at.is_(None))
    found: dict[str, list[Row[Any]]] = {}
    for row in connection.execute(query):
        found.setdefault(row.expert_id, []).append(row)
    return found


def by_identity(connection: Connection, indexes: Sequence[str]) -> list[ExpertRow]:
    """Find experts of any bureau by the keyed hash of their identity number, inside the caller's transaction."""
    e = models.expert.c
    found: list[ExpertRow] = []
    for some in _pieces([index for index in indexes if index]):
        query = select(*COLUMNS).where(e.identity_index.in_(some), e.erased_at.is_(None)).order_by(e.expert_id)
        found += [ExpertRow(*row) for row in connection.execute(query)]
    return found


def ended_terms(connection: Connection, today: date) -> list[ExpertRow]:
    """Find the appointed whose last day was before a day, inside the caller's transaction."""
    e = models.expert.c
    query = select(*COLUMNS).where(e.state == "appointed", e.term_end < today).order_by(e.expert_id)
    return [ExpertRow(*row) for row in connection.execute(query)]


def identity_indexes(records: Records, ids: Collection[str] | None = None) -> dict[str, str]:
    """Give the keyed hash of the identity number of each expert who has one: number → hash."""
    e = models.expert.c
    query = select(e.expert_id, e.identity_index).where(e.erased_at.is_(None), e.identity_index != "")
    with records.database.read() as connection:
        if ids is None:
            return {row.expert_id: row.identity_index for row in connection.execute(query)}
        found: dict[str, str] = {}
        for some in _pieces(sorted(set(ids))):
            found |= {
                row.expert_id: row.identity_index for row in connection.execute(query.where(e.expert_id.in_(some)))
            }
        return found


def parts(connection: Connection, ids: Sequence[str], names: Collection[str]) -> dict[str, dict[str, list[Row[Any]]]]:
    """Give what experts have many of, by kind and number, inside the caller's transaction."""
    found: dict[str, dict[str, list[Row[Any]]]] = {name: {} for name in names}
    for some in _pieces(ids):
        for name in names:
            found[name] |= _grouped(connection, name, some)
    return found


def all_ties(connection: Connection, expert_id: str) -> list[Row[Any]]:
    """Give every tie told of one expert, the cleared ones too, for who may see all that is held."""
    t = models.expert_tie
    return list(connection.execute(select(t).where(t.c.expert_id == expert_id).order_by(t.c.id)))


def _pieces(numbers: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(numbers), MANY):
        yield numbers[start : start + MANY]


def changes(records: Records, expert_id: str) -> list[Change]:
    """Give the changes of one expert in their order."""
    c = models.expert_change.c
    columns = (c.id, c.expert_id, c.at, c.by, c.kind, c.before, c.after, c.reason)
    with records.database.read() as connection:
        return [
            Change(*row) for row in connection.execute(select(*columns).where(c.expert_id == expert_id).order_by(c.id))
        ]
