"""Small vocabularies: reference states of air values, periods of HJ 212 commands, states of a rating."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from functools import lru_cache

from schemas.files import SCHEMAS, fold, read_rows


@dataclass(frozen=True, slots=True)
class ReferenceState:
    """To which state of the gas the concentrations of a phase refer, between two days (both included)."""

    phase: str
    since: dt.date | None
    until: dt.date | None
    state: str
    source: str


@lru_cache(maxsize=1)
def reference_states() -> tuple[ReferenceState, ...]:
    """Read ``vocabularies/reference_states.csv``."""
    path = SCHEMAS / "vocabularies" / "reference_states.csv"
    found = []
    for row in read_rows(path, ("phase", "since", "until", "state", "source")):
        since, until = row.period("since", "until")
        found.append(
            ReferenceState(
                row.one_of("phase", ("gas", "particle")), since, until, row.need("state"), row.need("source")
            )
        )
    return tuple(found)


@lru_cache(maxsize=1)
def message_periods() -> dict[str, str]:
    """Read ``vocabularies/message_periods.csv``: HJ 212 command → averaging period."""
    path = SCHEMAS / "vocabularies" / "message_periods.csv"
    return {
        row.need("command"): row.need("averaging_period")
        for row in read_rows(path, ("command", "averaging_period", "source"))
        if row.need("source")
    }


@lru_cache(maxsize=1)
def _rating_states() -> dict[str, str]:
    path = SCHEMAS / "vocabularies" / "rating_states.csv"
    found: dict[str, str] = {}
    for row in read_rows(path, ("state", "aliases", "source")):
        row.need("source")
        for name in (row.need("state"), *row.many("aliases")):
            if found.setdefault(_key(name), row["state"]) != row["state"]:
                raise row.fail(f"{name!r} already means {found[_key(name)]!r}")
    return found


def _key(text: str) -> str:
    return re.sub(r"\s+", "", fold(text)).lower()


def find_rating_state(text: str) -> str | None:
    """Find the state of a rating as somebody wrote it (``终评`` → ``final``)."""
    return _rating_states().get(_key(text))
