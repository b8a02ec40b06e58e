"""How strict the door of the portal is: ``access_rules.toml``, held to floors, and the passwords nobody may have."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from schemas.files import SCHEMAS, MalformedFact, line_of, once, read_rows, read_toml

FLOORS = {
    "argon2": {"memory_kib": 19_456, "passes": 2, "lanes": 1, "at_once": 1, "queue_seconds": 1},
    "password": {"least": 10, "most": 64, "one_time_days": 1, "own_characters": 4, "fewest_kinds": 4},
    "throttle": {
        "free_failures": 1, "window_minutes": 15, "first_wait_seconds": 30, "longest_wait_minutes": 1,
        "failures_a_day": 5, "told_unknown": 1, "address_failures": 5, "address_a_day": 50,
    },
    "session": {"idle_minutes": 1, "hours": 1, "unfinished_minutes": 1, "touch_seconds": 1, "kept_days": 1},
    "second_factor": {"window": 0, "recovery_codes": 5},
    "key": {"longest_days": 1},
}  # fmt: skip
CEILINGS = {
    "throttle": {
        "free_failures": 5, "longest_wait_minutes": 15, "failures_a_day": 100, "address_failures": 200,
        "address_a_day": 5_000,
    },
    "session": {"idle_minutes": 30, "hours": 12, "touch_seconds": 60},
    "second_factor": {"window": 1},
}  # fmt: skip
"""Where less is stricter: R11 and R12."""


@dataclass(frozen=True, slots=True)
class Argon2Rules:
    """Cost of one hash, how many run at once, and how long others wait for their turn."""

    memory_kib: int
    passes: int
    lanes: int
    at_once: int
    queue_seconds: int


@dataclass(frozen=True, slots=True)
class PasswordRules:
    """Least and greatest length, how long a one-time password is good, and how much of its own a password has."""

    least: int
    most: int
    one_time_days: int
    own_characters: int
    fewest_kinds: int


@dataclass(frozen=True, slots=True)
class ThrottleRules:
    """Failures before the wait begins, how it grows, and how many failures a day has: of a login, and of an address."""

    free_failures: int
    window_minutes: int
    first_wait_seconds: int
    longest_wait_minutes: int
    failures_a_day: int
    told_unknown: int
    address_failures: int
    address_a_day: int

    @property
    def of_address(self) -> ThrottleRules:
        """The same rules with the figures of an address in place of those of a login."""
        return replace(self, free_failures=self.address_failures, failures_a_day=self.address_a_day)

    @property
    def window(self) -> timedelta:
        """The time in which failures are counted."""
        return timedelta(minutes=self.window_minutes)


@dataclass(frozen=True, slots=True)
class SessionRules:
    """How long a session lives: unused, at most, between its two steps; and how long its row is kept afterwards."""

    idle_minutes: int
    hours: int
    unfinished_minutes: int
    touch_seconds: int
    kept_days: int

    @property
    def idle(self) -> timedelta:
        """The time without use after which a session is dead."""
        return timedelta(minutes=self.idle_minutes)

    def life(self, finished: bool) -> timedelta:
        """Give the greatest age of a session."""
        return timedelta(hours=self.hours) if finished else timedelta(minutes=self.unfinished_minutes)


@dataclass(frozen=True, slots=True)
class FactorRules:
    """How many steps of half a minute a code may be early or late, and how many recovery codes there are."""

    window: int
    recovery_codes: int


@dataclass(frozen=True, slots=True)
class KeyRules:
    """How long an API key may be good."""

    longest_days: int


@dataclass(frozen=True, slots=True)
class AccessRules:
    """All of it."""

    argon2: Argon2Rules
    password: PasswordRules
    throttle: ThrottleRules
    session: SessionRules
    second_factor: FactorRules
    key: KeyRules


BLOCKS: dict[str, type] = {
    "argon2": Argon2Rules,
    "password": PasswordRules,
    "throttle": ThrottleRules,
    "session": SessionRules,
    "second_factor": FactorRules,
    "key": KeyRules,
}


@once
def access_rules(root: Path = SCHEMAS) -> AccessRules:
    """Read ``access_rules.toml``.

    Raises
    ------
    MalformedFact
        A block or value is missing or unknown, or weaker than its floor or ceiling allows.
    """
    path = root / "access_rules.toml"
    raw = read_toml(path)
    if set(raw) != {*BLOCKS, "source"}:
        raise MalformedFact(path, 1, f"blocks are {', '.join(BLOCKS)} and source, not {', '.join(raw)}")
    return AccessRules(**{name: _block(path, name, kind, raw[name]) for name, kind in BLOCKS.items()})


def _block(path: Path, name: str, kind: type, raw: dict[str, Any]) -> Any:
    wanted = {one.name for one in fields(kind)}
    if set(raw) != wanted | {"source"}:
        raise MalformedFact(path, line_of(path, name), f"[{name}] takes {', '.join(sorted(wanted))} and source")
    for key in wanted:
        value, low, high = raw[key], FLOORS[name][key], CEILINGS.get(name, {}).get(key)
        if type(value) is not int or value < low or (high is not None and value > high):
            bounds = f"at least {low}" + ("" if high is None else f", at most {high}")
            raise MalformedFact(path, line_of(path, name, key), f"{key} must be a whole number, {bounds}: {value!r}")
    return kind(**{key: raw[key] for key in wanted})


@once
def common_passwords(root: Path = SCHEMAS) -> frozenset[str]:
    """Read ``vocabularies/common_passwords.csv``: words no password may consist of, in small letters."""
    rows = read_rows(root / "vocabularies" / "common_passwords.csv", ("word", "source"))
    return frozenset(row.need("word").casefold() for row in rows)
