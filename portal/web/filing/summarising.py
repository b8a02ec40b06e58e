"""The summary of a filing (U6, R1): days, parameters against what was published before, and how whole it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from pipelines.batch import ROW_COUNTS
from portal.last_published import far_off, last_ranges
from portal.web.asking import Ask
from portal.web.words import DATASETS
from records.filings import Filing
from schemas.quantities import parameters


@dataclass(frozen=True, slots=True)
class ParameterLine:
    """One parameter of a filing; numbers as they are shown."""

    name: str
    count: int
    low: str
    high: str
    unit: str
    before: str
    far: bool


@dataclass(frozen=True, slots=True)
class DayLine:
    """One day of a filing; ``hours`` is empty for data that is not hourly."""

    day: str
    read: int
    out: int
    hours: tuple[bool, ...]


def rows_of(filing: Filing) -> dict[str, int]:
    """Give the counts of rows, or nothing where the file was not read."""
    rows = filing.summary.get("rows") or {}
    return {name: int(rows.get(name, 0)) for name in ROW_COUNTS} if rows.get("read") else {}


def results_of(filing: Filing) -> dict[str, int]:
    """Give the counts of results."""
    return {name: int(count) for name, count in (filing.summary.get("results") or {}).items()}


def dataset_words(ask: Ask, filing: Filing) -> str:
    """Give the words of a filing's kind of data: as recognised, else as asked."""
    return ask.words.of(DATASETS, filing.summary.get("dataset") or filing.dataset)


def summary_values(ask: Ask, filing: Filing) -> dict[str, Any]:
    """Give what ``filing/summary.html`` shows."""
    results = results_of(filing)
    due = results.get("read", 0) + results.get("missing", 0)
    days = list(day_lines(filing))
    return {
        "filing": filing, "dataset": dataset_words(ask, filing),
        "rows": rows_of(filing) or dict.fromkeys(ROW_COUNTS, 0), "results": results, "days": days,
        "whole": 100 * results.get("read", 0) // due if due else None,
        "parameters": parameter_lines(ask, filing, days[0].day if days else ""),
    }  # fmt: skip


def day_lines(filing: Filing) -> list[DayLine]:
    """Give a line for each day the data are of."""
    covers: Mapping[str, Any] = filing.summary.get("covers") or {}
    hourly = (filing.summary.get("dataset") or filing.dataset) == "air"
    return [
        DayLine(day, int(read), int(out), tuple(bool(int(mask) >> hour & 1) for hour in range(24)) if hourly else ())
        for day, (read, out, mask) in sorted(covers.items())
    ]


def parameter_lines(ask: Ask, filing: Filing, first: str) -> list[ParameterLine]:
    """Give a line for each parameter, beside its range in the days before."""
    told = filing.summary.get("parameters") or []
    known, zh = parameters(), ask.words.language == "zh"
    dataset = str(filing.summary.get("dataset") or filing.dataset)
    names = [str(one["parameter"]) for one in told]
    before = last_ranges(ask.site.places, dataset, filing.bureau, date.fromisoformat(first), names) if first else {}
    lines = []
    for one in told:
        fact, low, high = known.get(one["parameter"]), one.get("low"), one.get("high")
        span = before.get(one["parameter"])
        lines.append(
            ParameterLine(
                name=f"{fact.name_zh if zh else fact.name_en} {one['parameter']}" if fact else str(one["parameter"]),
                count=int(one.get("count") or 0),
                low=_plain(low), high=_plain(high), unit=str(one.get("unit") or ""),
                before=f"{_plain(span[0])} – {_plain(span[1])}" if span else "",
                far=span is not None and any(value is not None and far_off(value, *span) for value in (low, high)),
            )
        )  # fmt: skip
    return lines


def _plain(value: float | None) -> str:
    return "–" if value is None else f"{value:.6g}"
