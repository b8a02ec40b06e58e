"""What filing works with: the home and its rules, a file that came in, and what its sender wants."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipelines.batch import Places
from records.store import Records
from schemas.filing_rules import FilingRules, filing_rules


@dataclass(frozen=True, slots=True)
class FilingDesk:
    """A home, its records, and how files come into it."""

    places: Places
    records: Records
    rules: FilingRules

    @property
    def site(self) -> Path | None:
        """Facts of this home."""
        return site_of(self.places)


@dataclass(frozen=True, slots=True)
class Incoming:
    """A file on this disk that belongs to nobody yet; whoever begins a filing with it takes it away."""

    path: Path
    file_name: str
    bytes: int
    sha256: str
    sm3: str

    def drop(self) -> None:
        """Remove it; nothing happens where it went already."""
        self.path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Wish:
    """What the sender wants of his file.

    ``purpose``: ``file``, ``check`` (only judged, never handed in), ``straight`` (handed in once checked). A blank
    ``dataset`` is recognised. ``period`` is shown, not judged. ``corrects`` is the receipt number of a published delivery,
    with the ``reason``.
    """

    purpose: str = "file"
    dataset: str = ""
    period: str = ""
    corrects: str = ""
    reason: str = ""
    idempotency_key: str = ""


def open_desk(places: Places, records: Records) -> FilingDesk:
    """Make the desk of a home by its rules."""
    return FilingDesk(places, records, filing_rules(site_of(places)))


def site_of(places: Places) -> Path | None:
    """Give the folder of a home's own facts, None where it has none."""
    return places.site_facts if places.site_facts.is_dir() else None
