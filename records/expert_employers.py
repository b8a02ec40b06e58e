"""Employers as the pool names them: every name with every code it stands beside, of today and before."""

from __future__ import annotations

from sqlalchemy import select, union

from records import expert_models as models
from records.store import Records


def employers(records: Records) -> list[tuple[str, str]]:
    """Give each pair of an employer's name and code once; pairs without a name or code are left out."""
    e, w = models.expert.c, models.expert_employment.c
    now = select(e.employer, e.employer_uscc).where(e.erased_at.is_(None), e.employer != "", e.employer_uscc != "")
    before = select(w.employer, w.uscc).where(w.employer != "", w.uscc != "")
    with records.database.read() as connection:
        return sorted((str(name), str(code)) for name, code in connection.execute(union(now, before)))
