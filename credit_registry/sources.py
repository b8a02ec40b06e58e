"""The sources of an answer: what each party sent of each table, how old it is, and what never came."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from credit_registry.lines import instant
from credit_registry.nothing import FOUND, told
from credit_registry.register import Register, SourceState
from schemas.crosswalks import Crosswalk
from schemas.trace_limits import trace_limits

TABLES = {"ratings": "credit_rating", "penalties": "penalty_decision"}
"""The shared table of each block."""


def sources_of(
    register: Register | None, books: Iterable[Crosswalk], viewer: str, moment: datetime
) -> list[dict[str, Any]]:
    """List each table of each party, also those that never came, with the age of the last record."""
    states = {(one.bureau, one.table): one for one in (register.sources() if register else ())}
    parties = {viewer} - {""} | {issuer.bureau for book in books for issuer in book.issuers}
    old = trace_limits()["source-old"].value
    found = []
    for bureau in sorted(parties | {bureau for bureau, _ in states}):
        for table in TABLES.values():
            one = states.get((bureau, table))
            there = one is not None and _there(register, one, moment)
            last = one.last_recorded if one and there and one.last_recorded <= moment else None
            age = (moment - last).days if last else None
            line: dict[str, Any] = {"bureau": bureau, "table": table}
            line |= told(FOUND if there else "source_unavailable")
            line |= {"last_recorded": instant(last), "age_days": age, "old": age is not None and age > old}
            found.append(line | {"rows": one.rows if one and there else 0})
    return found


def _there(register: Register | None, one: SourceState, moment: datetime) -> bool:
    """Whether a source had sent anything by an instant; one that took back all it sent still answers."""
    if one.last_recorded <= moment or register is None:
        return True
    return register.first_recorded().get((one.bureau, one.table), moment) <= moment


def of_table(sources: list[dict[str, Any]], block: str) -> list[dict[str, Any]]:
    """Give the sources of one block."""
    return [one for one in sources if one["table"] == TABLES[block]]
