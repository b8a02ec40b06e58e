"""One table of a TOML file, taken key by key: what has the wrong type, and what nobody asked for, is refused by line."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from schemas.files import MalformedFact


class Block:
    """One table of facts, with casts that refuse and name the place."""

    __slots__ = ("fail", "raw")

    def __init__(self, raw: Any, fail: Callable[[str, str], MalformedFact]) -> None:
        self.raw: dict[str, Any] = raw
        self.fail = fail
        """Makes the error of a key, with its line."""

    def only(self, known: Collection[str]) -> None:
        """Refuse keys nobody knows."""
        for key in self.raw:
            if key not in known:
                raise self.fail(key, f"unknown key {key!r}; known: {', '.join(sorted(known))}")

    def text(self, key: str, default: str | None = None) -> str:
        """Give a text; without a default it must be there and not be blank."""
        value = self.raw.get(key, default)
        if value is None or (default is None and value == ""):
            raise self.fail(key, f"{key!r} is missing")
        if not isinstance(value, str):
            raise self.fail(key, f"{key} is a text in quotes, not {value!r}")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Give a list of texts that are not blank; empty where absent."""
        value = self.raw.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
            raise self.fail(key, f"{key} is a list of texts that are not blank, not {value!r}")
        return tuple(value)

    def one_of(self, key: str, allowed: tuple[str, ...], default: str | None = None) -> str:
        """Give a text of a closed list."""
        value = self.text(key, default)
        if value not in allowed:
            raise self.fail(key, f"{key} {value!r} is none of {', '.join(allowed)}")
        return value

    def yes(self, key: str, default: bool) -> bool:
        """Give true or false."""
        value = self.raw.get(key, default)
        if not isinstance(value, bool):
            raise self.fail(key, f"{key} is true or false, not {value!r}")
        return value

    def number(self, key: str, low: float, high: float) -> float | None:
        """Give a number between two bounds; None where absent."""
        value = self.raw.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise self.fail(key, f"{key} is a number from {low:g} to {high:g}, not {value!r}")
        return float(value)

    def whole(self, key: str, low: int, high: int) -> int | None:
        """Give a whole number between two bounds; None where absent."""
        value = self.raw.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.fail(key, f"{key} is a whole number from {low} to {high}, not {value!r}")
        return value

    def clock(self, key: str, default: dt.time) -> dt.time:
        """Give a time of day, written ``"06:30"`` or as a TOML time."""
        value = self.raw.get(key, default)
        if isinstance(value, str) and re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
            return dt.time.fromisoformat(value)
        if isinstance(value, dt.time):
            return value
        raise self.fail(key, f'{key} is a time of day such as "06:30", not {value!r}')

    def date(self, key: str) -> dt.date | None:
        """Give a date, written ``"2026-04-01"`` or as a TOML date; None where absent."""
        value = self.raw.get(key)
        if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
            try:
                return dt.date.fromisoformat(value)
            except ValueError:
                pass
        if value is None or (isinstance(value, dt.date) and not isinstance(value, dt.datetime)):
            return value
        raise self.fail(key, f"{key} is a date such as 2026-04-01, not {value!r}")


def line_in_block(path: Path, table: str, number: int, *keys: str) -> int:
    """Find the line of a key within the n-th ``[[table]]`` of a file (from 0); of the block itself where it has none."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        return 0
    heads = [n for n, line in enumerate(lines) if re.match(rf"\s*\[\[\s*{table}\s*\]\]", line)]
    if number >= len(heads):
        return 1
    at, end = heads[number], heads[number + 1] if number + 1 < len(heads) else len(lines)
    for key in keys:
        pattern = rf"\s*(\[\s*{table}\.)?[\"']?{re.escape(key)}[\"']?\s*[]=.]"
        at = next((n for n in range(at, end) if re.match(pattern, lines[n])), at)
    return at + 1
