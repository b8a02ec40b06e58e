"""Small vocabularies: reference states of air values, periods of HJ 212 commands, states of a rating, missing markers."""

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


@dataclass(frozen=True, slots=True)
class MissingMarker:
    """What a marker says about why there is no value; whether it is a marker at all is said by the layout."""

    marker: str
    reason: str
    name_zh: str
    name_en: str
    source: str


@lru_cache(maxsize=1)
def missing_markers() -> dict[str, MissingMarker]:
    """Read ``vocabularies/missing_markers.csv``: folded marker → why the value is missing."""
    path = SCHEMAS / "vocabularies" / "missing_markers.csv"
    found: dict[str, MissingMarker] = {}
    for row in read_rows(path, ("marker", "reason", "name_zh", "name_en", "source")):
        marker = MissingMarker(
            row["marker"], row.need("reason"), row.need("name_zh"), row.need("name_en"), row.need("source")
        )
        if found.setdefault(_key(marker.marker), marker) is not marker:
            raise row.fail(f"marker {marker.marker!r} stands twice")
    return found


def missing_reason(text: str) -> MissingMarker | None:
    """Find why a cell that holds a marker has no value.

    Examples
    --------
    >>> missing_reason("-1").name_en
    'not monitored'
    """
    return missing_markers().get(_key(text))
