"""What is told of enterprises for recusal: who belongs to whose group, and who leads them. Rows are added and ended."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from typing import Any

from sqlalchemy import insert, or_, select, update

from records import chain
from records import expert_models as models
from records.errors import IncompleteMessage
from records.store import Records, storable
from schemas.recusal_facts import enterprise_relations

HEAD_ROLES = ("legal_representative", "head", "controller")


@dataclass(frozen=True, slots=True)
class EnterpriseTie:
    """Two enterprises, or two names or codes of one; ``relation`` is a code of ``enterprise_relations.csv``."""

    uscc: str
    name: str
    other_uscc: str
    other_name: str
    relation: str
    since: date | None
    until: date | None
    source: str
    by: str
    told_at: datetime
    id: int | None = None


@dataclass(frozen=True, slots=True)
class EnterpriseHead:
    """Who leads an enterprise, or did."""

    uscc: str
    person: str
    role: str
    since: date | None
    until: date | None
    source: str
    by: str
    told_at: datetime
    id: int | None = None


_TIE = tuple(models.enterprise_tie.c[one.name] for one in fields(EnterpriseTie))
_HEAD = tuple(models.enterprise_head.c[one.name] for one in fields(EnterpriseHead))


def add_enterprise_tie(records: Records, tie: EnterpriseTie) -> int:
    """Keep a tie between enterprises, with its event; gives its number.

    Raises
    ------
    IncompleteMessage
        A relation nobody knows, an end before the beginning, or no enterprise, source or author.
    """
    _refuse_incomplete(
        tie.relation in enterprise_relations(),
        tie.source,
        tie.by,
        tie.uscc or tie.name,
        tie.other_uscc or tie.other_name,
    )
    _refuse_turned(tie.since, tie.until)
    values = _values(asdict(tie))
    with records.database.write() as connection:
        number = _number(connection.execute(insert(models.enterprise_tie).values(**values)))
        told = {"tie": number, "uscc": tie.uscc, "other": tie.other_uscc, "relation": tie.relation, "by": tie.by}
        chain.append(connection, "enterprise-tie", tie.told_at, None, None, told)
    return number


def add_enterprise_head(records: Records, head: EnterpriseHead) -> int:
    """Keep who leads an enterprise, with its event, which does not name the person; gives its number."""
    _refuse_incomplete(head.role in HEAD_ROLES, head.source, head.by, head.uscc, head.person)
    _refuse_turned(head.since, head.until)
    with records.database.write() as connection:
        number = _number(connection.execute(insert(models.enterprise_head).values(**_values(asdict(head)))))
        told = {"head": number, "uscc": head.uscc, "role": head.role, "by": head.by}
        chain.append(connection, "enterprise-head", head.told_at, None, None, told)
    return number


def end_enterprise_tie(records: Records, number: int, until: date, by: str, at: datetime) -> bool:
    """Say on which day a tie ended; False where there is none of this number."""
    table = models.enterprise_tie
    with records.database.write() as connection:
        done = connection.execute(update(table).where(table.c.id == number).values(until=until)).rowcount
        if done:
            told = {"tie": number, "until": until.isoformat(), "by": by}
            chain.append(connection, "enterprise-tie", at, None, None, told)
    return bool(done)


def enterprise_ties(
    records: Records, usccs: Collection[str] | None = None, names: Collection[str] = ()
) -> list[EnterpriseTie]:
    """List the ties in which one of these enterprises stands on either side; without any, all."""
    t = models.enterprise_tie.c
    query = select(*_TIE).order_by(t.id)
    if usccs is not None:
        codes = sorted(code for code in usccs if code)
        called = sorted(name for name in names if name)
        query = query.where(
            or_(t.uscc.in_(codes), t.other_uscc.in_(codes), t.name.in_(called), t.other_name.in_(called))
        )
    with records.database.read() as connection:
        return [EnterpriseTie(*row) for row in connection.execute(query)]


def enterprise_heads(records: Records, usccs: Collection[str] | None = None) -> list[EnterpriseHead]:
    """List who leads these enterprises or did; without any, all."""
    h = models.enterprise_head.c
    query = select(*_HEAD).order_by(h.id)
    if usccs is not None:
        query = query.where(h.uscc.in_(sorted(code for code in usccs if code)))
    with records.database.read() as connection:
        return [EnterpriseHead(*row) for row in connection.execute(query)]


def _number(made: Any) -> int:
    return int(made.inserted_primary_key[0])


def _refuse_incomplete(known: bool, *texts: str) -> None:
    if not known or not all(text.strip() for text in texts):
        raise IncompleteMessage(
            "企业关联须写明双方、关系种类、依据和经办人",
            "what is told of enterprises needs both sides, a known kind, a source and an author",
        )


def _refuse_turned(since: date | None, until: date | None) -> None:
    if since is not None and until is not None and until < since:
        raise IncompleteMessage(
            f"截止日 {until} 早于起始日 {since}", f"the end {until} is before the beginning {since}"
        )


def _values(given: dict[str, object]) -> dict[str, object]:
    return {name: storable(value) if isinstance(value, str) else value for name, value in given.items() if name != "id"}
