"""What a file may cost on its way in, how much a person may send, and what a second person looks at.

The facts are ``filing_rules.toml`` and ``vocabularies/return_reasons.csv``. A home may set its own ``[review]`` and
``[quota]`` in ``bureaus/filing_rules.toml``, each block whole: which data two bureaus look at twice is theirs to agree.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from schemas.files import SCHEMAS, MalformedFact, line_of, once, read_rows, read_toml
from schemas.layouts import DATASETS

OF_THE_HOME = ("review", "quota")


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """What one request may hold; bytes, seconds, counts."""

    file_bytes: int
    request_bytes: int
    files: int
    parts: int
    field_bytes: int
    name_bytes: int
    header_bytes: int
    silent_seconds: int
    at_once: int
    spare_bytes: int


@dataclass(frozen=True, slots=True)
class Quota:
    """What one account may send from midnight to midnight in China."""

    files_a_day: int
    bytes_a_day: int


@dataclass(frozen=True, slots=True)
class ReviewRules:
    """What waits for a second person; ``strict`` needs a reviewer with a second factor."""

    datasets: tuple[str, ...]
    strict: tuple[str, ...]
    corrections: bool
    partial: bool
    days: int


@dataclass(frozen=True, slots=True)
class DraftRules:
    """How long what nobody handed in is kept."""

    days: int
    incoming_minutes: int
    same_hours: int


@dataclass(frozen=True, slots=True)
class WorkerRules:
    """What a job may cost before its worker is ended, and a worker before it is replaced."""

    tries: int
    seconds: int
    silent_seconds: int
    jobs: int
    resident_mb: int


@dataclass(frozen=True, slots=True)
class TypeRules:
    """Declared types (or how they begin) that are refused."""

    refused: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FilingRules:
    """All of it."""

    limits: UploadLimits
    quota: Quota
    review: ReviewRules
    drafts: DraftRules
    workers: WorkerRules
    types: TypeRules

    def needs_review(self, dataset: str, corrects: str) -> bool:
        """Say whether a second person looks at a file before it is published."""
        return dataset in self.review.datasets or (bool(corrects) and self.review.corrections)

    def reviewer_needs(self, dataset: str) -> str:
        """Give the permission that whoever approves or returns a file of a dataset must have."""
        return "rating.review" if dataset in self.review.strict else "batch.review"

    def review_due(self, handed_in: datetime) -> datetime:
        """Give the instant until which a file handed in should be approved or returned."""
        return handed_in + timedelta(days=self.review.days)


@dataclass(frozen=True, slots=True)
class ReturnReason:
    """Why a reviewer sends a file back; ``needs_text`` where the code alone does not say what to do."""

    code: str
    title_zh: str
    title_en: str
    needs_text: bool
    source: str


BLOCKS: dict[str, type] = {
    "limits": UploadLimits,
    "quota": Quota,
    "review": ReviewRules,
    "drafts": DraftRules,
    "workers": WorkerRules,
    "types": TypeRules,
}


@once
def filing_rules(site: Path | None = None, root: Path = SCHEMAS) -> FilingRules:
    """Read ``filing_rules.toml``, and the blocks a home has of its own.

    Raises
    ------
    MalformedFact
    """
    path = root / "filing_rules.toml"
    raw = read_toml(path)
    if set(raw) != {*BLOCKS, "source"}:
        raise MalformedFact(path, 1, f"blocks are {', '.join(BLOCKS)} and source, not {', '.join(raw)}")
    blocks = {name: _block(path, name, kind, raw[name]) for name, kind in BLOCKS.items()}
    own = None if site is None else site / "filing_rules.toml"
    if own is not None and own.is_file():
        for name, block in read_toml(own).items():
            if name not in OF_THE_HOME:
                raise MalformedFact(own, line_of(own, name), f"a home sets {' and '.join(OF_THE_HOME)}, not {name}")
            blocks[name] = _block(own, name, BLOCKS[name], block)
    return FilingRules(**blocks)


def _block(path: Path, name: str, kind: type, raw: Any) -> Any:
    wanted = {one.name: str(one.type) for one in fields(kind)}
    if not isinstance(raw, dict) or set(raw) != {*wanted, "source"}:
        raise MalformedFact(path, line_of(path, name), f"[{name}] takes {', '.join(sorted(wanted))} and source")
    return kind(**{key: _value(path, name, key, wanted[key], raw[key]) for key in wanted})


def _value(path: Path, name: str, key: str, kind: str, value: Any) -> Any:
    line = line_of(path, name, key)
    if kind == "int":
        if type(value) is not int or value < 1:
            raise MalformedFact(path, line, f"{key} must be a whole number, at least 1: {value!r}")
        return value
    if kind == "bool":
        if type(value) is not bool:
            raise MalformedFact(path, line, f"{key} must be true or false: {value!r}")
        return value
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise MalformedFact(path, line, f"{key} must be a list of texts: {value!r}")
    if name == "review" and not set(value) <= set(DATASETS):
        raise MalformedFact(path, line, f"{key} names datasets, which are {', '.join(DATASETS)}: {value!r}")
    return tuple(value)


@once
def return_reasons(root: Path = SCHEMAS) -> dict[str, ReturnReason]:
    """Read ``vocabularies/return_reasons.csv``: code → why a file is sent back."""
    path = root / "vocabularies" / "return_reasons.csv"
    found: dict[str, ReturnReason] = {}
    for row in read_rows(path, ("code", "title_zh", "title_en", "needs_text", "source")):
        code = row.need("code")
        if code in found:
            raise row.fail(f"reason {code!r} stands twice")
        needs = row.one_of("needs_text", ("yes", "no")) == "yes"
        found[code] = ReturnReason(code, row.need("title_zh"), row.need("title_en"), needs, row.need("source"))
    return found
