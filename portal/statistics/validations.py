"""Validations before publication: what the gate found of a batch, read from what it keeps for the Data Docs.

The Data Docs themselves load styles and scripts from elsewhere, which our pages must not. Here the same results are
given as plain values, for a page of our own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pipelines.batch import Places


@dataclass(frozen=True, slots=True)
class Expectation:
    """One expectation of a suite and how it went."""

    kind: str
    column: str
    rules: str
    ok: bool
    checked: int | None
    unexpected: int | None


@dataclass(frozen=True, slots=True)
class Suite:
    """The expectations on one view of what was about to go out."""

    name: str
    ok: bool
    expectations: tuple[Expectation, ...]


@dataclass(frozen=True, slots=True)
class Validation:
    """One run of the gate on one batch."""

    batch_id: str
    at: datetime
    table: str
    suites: tuple[Suite, ...]

    @property
    def ok(self) -> bool:
        """Whether every suite held."""
        return all(suite.ok for suite in self.suites)

    @property
    def count(self) -> int:
        """How many expectations were looked at."""
        return sum(len(suite.expectations) for suite in self.suites)

    @property
    def failed(self) -> int:
        """How many did not hold."""
        return sum(not one.ok for suite in self.suites for one in suite.expectations)


def validations_of(places: Places, batch_id: str) -> list[Validation]:
    """Read the runs on one batch, the newest first; older ones than the night keeps are gone."""
    found = sorted((places.docs / "runs").glob(f"*/{batch_id}.json"), reverse=True)
    return [_read(path) for path in found]


def _read(path: Path) -> Validation:
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    suites = tuple(
        Suite(name, bool(told["success"]), tuple(_expectation(one) for one in told["results"]))
        for name, told in record["results"].items()
    )
    return Validation(record["batch"], datetime.fromisoformat(record["at"]), record["table"], suites)


def _expectation(told: dict[str, Any]) -> Expectation:
    said, seen = told["expectation_config"], told.get("result") or {}
    asked = said.get("kwargs") or {}
    column = asked.get("column") or "、".join(asked.get("column_list") or ())[:200]
    return Expectation(
        kind=str(said["type"]).removeprefix("expect_"),
        column=str(column),
        rules=str((said.get("meta") or {}).get("rules", "")),
        ok=bool(told["success"]),
        checked=seen.get("element_count"),
        unexpected=seen.get("unexpected_count"),
    )
