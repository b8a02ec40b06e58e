"""Checking one filing: the road as far as the verdict, what was found kept beside the draft, and its figures."""

from __future__ import annotations

import contextlib
import shutil
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.batch import Outcome
from pipelines.sync import Road, check
from portal.filing import drafts
from portal.filing.errors import ExpertList
from records.filings import Filing

if TYPE_CHECKING:
    from pipelines.batch import Verdict

SEVERAL = {
    "code": "several-files",
    "message": "压缩包：内有多个数据文件。请解压后逐个选择上传（可一次选择多个文件）",
    "message_en": "the archive holds several data files: unpack it and send them one by one",
    "row": None,
    "column": None,
}


@dataclass
class Checked:
    """What a check found; ``dropped`` where the file may not stay: a list of experts, or several files in one."""

    values: dict[str, Any] = field(default_factory=dict)
    dropped: bool = False


def check_filing(road: Road, filing: Filing, facts: str) -> Checked:
    """Judge the draft of a filing and keep its findings beside it; ``facts`` is the hash of what it is judged by."""
    folder = drafts.folder_of(road.places, filing.filing_id)
    seen: dict[str, Any] = {}
    drafts.drop_findings(road.places, filing.filing_id)  # of an earlier check, under other rules or cut off

    def keep_it(name: str, member: Path, verdict: Verdict) -> None:
        from pipelines.validate.keep import keep

        road.progress("report")
        keep(verdict, folder)
        seen.update(figures(verdict))
        if member != folder / drafts.FILE:
            shutil.copyfile(member, folder / drafts.MEMBER)
            seen["member"] = {"name": name}

    with contextlib.closing(_outcomes(road, filing, folder, keep_it)) as outcomes:
        outcome, other = next(outcomes), next(outcomes, None)
    personal = any(one is not None and (one.error or {}).get("code") == ExpertList.code for one in (outcome, other))
    if personal or other is not None:
        drafts.drop(road.places, filing.filing_id)  # nothing of it can be handed in
        outcome.error = ExpertList().as_json() if personal else SEVERAL
        return Checked({"error": outcome.error, "stage": ""}, dropped=True)
    if "member" in seen:
        seen["member"]["sha256"] = outcome.sha256
    return Checked(_values(outcome, seen, facts))


def _outcomes(
    road: Road, filing: Filing, folder: Path, seen: Callable[[str, Path, Verdict], None]
) -> Generator[Outcome]:
    draft, dataset = folder / drafts.FILE, filing.dataset or None
    yield from check(road, draft, filing.bureau, dataset, name=filing.file_name, personal=False, seen=seen)


def _values(outcome: Outcome, seen: dict[str, Any], facts: str) -> dict[str, Any]:
    told = ("rows", "results", "normalised", "dataset", "layout", "encoding")
    groups = seen.get("groups", [])

    def count(fits: Callable[[str], bool]) -> int:
        return sum(group["count"] for group in groups if fits(group["severity"]))

    return {
        "summary": {name: getattr(outcome, name) for name in told} | {"rules": facts} | seen,
        "findings_total": outcome.findings_total,
        "blocking": count(lambda severity: severity.startswith("refuse")),
        "to_confirm": count(lambda severity: severity == "flag"),
        "error": outcome.error,
        "stage": "",
    }


def figures(verdict: Verdict) -> dict[str, Any]:
    """Sum a verdict up: findings by rule, days, places, and per parameter how many values between which bounds."""
    from pipelines.validate.shapes import covers

    found = verdict.findings
    counts = Counter(zip(found["rule"].tolist(), found["severity"].tolist(), strict=True))
    groups = [{"rule": rule, "severity": how, "count": number} for (rule, how), number in counts.items()]
    rows = verdict.batch.rows
    going = rows.iloc[verdict.batch.results["row"].to_numpy()[verdict.positions]]
    return {
        "groups": groups,
        "covers": {day: list(told) for day, told in sorted(covers(verdict).items())},
        "parameters": _parameters(verdict) if verdict.batch.layout.medium else [],
        "stations": _distinct(going, "place_id"),
        "enterprises": _distinct(going, "uscc"),
    }


def _distinct(rows: Any, name: str) -> int:
    return int(rows[name].nunique()) if name in rows else 0


def _parameters(verdict: Verdict) -> list[dict[str, Any]]:
    going = verdict.batch.results.iloc[verdict.positions]
    grouped = going.groupby(["parameter", "unit"], sort=True, observed=True)["value"]
    table = grouped.agg(["size", "min", "max"]).reset_index()
    columns = (table[name].tolist() for name in ("parameter", "unit", "size", "min", "max"))
    return [
        {"parameter": parameter, "unit": unit, "count": count, "low": _number(low), "high": _number(high)}
        for parameter, unit, count, low, high in zip(*columns, strict=True)
    ]


def _number(value: float) -> float | None:
    return None if value != value else float(value)
