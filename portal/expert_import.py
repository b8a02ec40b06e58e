"""Bring expert lists into the pool: read and judged as any delivery, kept sealed, and looked through for one person twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from expert_registry.roster import matching
from expert_registry.roster.importing import ImportReport, RosterFacts, TakenOver, import_rows
from expert_registry.roster.uploads import Receipt, keep_upload
from pipelines.batch import Outcome
from pipelines.sync import Road, read_experts
from portal.expert_desk import Office
from records.expert_matches import Refreshed
from schemas.places import bureaus


@dataclass(frozen=True)
class BroughtIn:
    """One list: what judging it found, and where it was accepted its receipt, what changed, and the matches to decide."""

    outcome: Outcome
    receipt: Receipt | None = None
    report: ImportReport | None = None
    matches: Refreshed | None = None

    @property
    def good(self) -> bool:
        """Whether every row of it went in."""
        return self.report is not None and not self.report.refused

    def as_json(self) -> dict[str, Any]:
        """Give it as plain values, without anything personal."""
        told: dict[str, Any] = {"outcome": self.outcome.as_json()}
        if self.report is not None and self.receipt is not None and self.matches is not None:
            told["receipt"] = {"receipt": self.receipt.receipt, "sha256": self.receipt.sha256, "sm3": self.receipt.sm3}
            told["import"] = self.report.as_json()
            told["matches"] = {"new": self.matches.new, "changed": self.matches.changed, "lapsed": self.matches.lapsed}
        return told


def bring_in(
    office: Office, files: Sequence[Path], bureau: str, term: tuple[str, date, date] | None
) -> Iterator[BroughtIn]:
    """Read, judge and import lists one after the other."""
    known = bureaus(office.places.site_facts)
    with Road(office.places, lambda: office.at, office.records, submitted_by=office.by) as road:
        for path in files:
            receipt: Receipt | None = None
            for outcome, rows in read_experts(road, path, bureau):
                if outcome.state != "accepted":
                    yield BroughtIn(outcome)
                    continue
                if receipt is None:
                    receipt = keep_upload(
                        office.records, office.vault, office.uploads, path.read_bytes(), bureau, office.by, office.at
                    )
                report = import_rows(
                    office.records, office.vault, rows, bureau, office.by, office.at,
                    RosterFacts(office.rules, known[bureau].division), sha256=receipt.sha256,
                    taken_over=TakenOver(*term) if term else None,
                )  # fmt: skip
                yield BroughtIn(outcome, receipt, report, matching.refresh(office.records, office.by, office.at))
