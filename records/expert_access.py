"""Who looked at an expert, in which role, at which fields and why; each look is an event ``expert-access``.

The event holds codes, the expert's number and a hash of the purpose, never a name; of the fields it says which, not
what stood in them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import insert, select

from records import chain
from records import expert_models as models
from records.credit import without_identities
from records.errors import IncompleteMessage
from records.store import Records, storable

ACCESS_KINDS = ("list", "show", "open", "export", "draw", "minutes")
"""A list, one expert as the role may see, sealed fields opened, an export, the names of a draw, its minutes."""


@dataclass(frozen=True, slots=True)
class ExpertAccess:
    """One look; ``expert_id`` is blank for a list, ``count`` says how many experts it showed."""

    id: int
    at: datetime
    by: str
    role: str
    unit: str
    kind: str
    expert_id: str
    fields: list[str]
    purpose: str
    count: int


ACCESS_COLUMNS = tuple(models.expert_access.c[one.name] for one in fields(ExpertAccess))


def record_access(
    records: Records,
    *,
    at: datetime,
    by: str,
    role: str,
    unit: str,
    kind: str,
    expert_id: str = "",
    fields: Collection[str] = (),
    purpose: str,
    count: int = 1,
) -> None:
    """Remember one look, and put it on the chain.

    Raises
    ------
    IncompleteMessage
        A kind nobody knows, or no user, role or purpose.
    """
    if kind not in ACCESS_KINDS or not (by.strip() and role.strip() and purpose.strip()):
        raise IncompleteMessage(
            "查看专家信息须写明种类、人员、角色和目的", "a look at an expert needs its kind, user, role and purpose"
        )
    values = {
        "at": at,
        "by": storable(by),
        "role": role,
        "unit": storable(unit),
        "kind": kind,
        "expert_id": storable(expert_id),
        "fields": sorted(set(fields)),
        "purpose": without_identities(purpose),
        "count": count,
    }
    told = {name: value for name, value in values.items() if name not in ("at", "purpose")}
    told["purpose_sha256"] = hashlib.sha256(str(values["purpose"]).encode()).hexdigest()
    with records.database.write() as connection:
        connection.execute(insert(models.expert_access).values(**values))
        chain.append(connection, "expert-access", at, None, None, told)


def expert_accesses(
    records: Records,
    *,
    expert_id: str | None = None,
    by: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int | None = None,
) -> list[ExpertAccess]:
    """List looks in ``[since, until)``, the newest first."""
    a = models.expert_access.c
    query = select(*ACCESS_COLUMNS).order_by(a.at.desc(), a.id.desc()).limit(limit)
    if expert_id is not None:
        query = query.where(a.expert_id == expert_id)
    if by is not None:
        query = query.where(a.by == by)
    if since is not None:
        query = query.where(a.at >= since)
    if until is not None:
        query = query.where(a.at < until)
    with records.database.read() as connection:
        return [ExpertAccess(*row) for row in connection.execute(query)]
