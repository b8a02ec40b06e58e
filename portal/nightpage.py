"""The night as one readable page: what came, what changed, what was refused and why, what is still amiss.

One page a day of China, ``nights/<day>.html``, with the same in JSON beside it; every run of that day writes both anew,
so the page in the morning and the page at noon are the same page. It asks nothing of the network: its style stands in
it. Everything a sender wrote is escaped.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.batch import RESULT_COUNTS, ROW_COUNTS, Places
from portal.boards import CHINA, SEVERITIES, STATES, VISITS, by_source
from portal.show import shorten
from portal.words import SEVERITIES as REFUSALS
from portal.words import STATES as BATCHES

if TYPE_CHECKING:
    from pipelines.board import Board
    from records.alarms import Alarm
    from records.runs import Visit
    from records.store import BatchRecord, Records
    from schemas.sources import Source

KIND = "gongzhi-night/1"
TEMPLATES = Path(__file__).parent / "templates"
DAYS = 14
RULES = 8
"""Kinds of refusals shown of one file."""
SHOWN = ("rule", "severity", "message", "message_en", "sheet", "row", "column", "header", "value", "expected")


def write_night(
    records: Records,
    places: Places,
    found: Mapping[str, Source],
    board: Board,
    summary: Mapping[str, Any],
    now: datetime,
) -> Path:
    """Write page and JSON of the day ``now`` lies in; give the page's path."""
    day = now.astimezone(CHINA).date()
    told = night_document(records, places, found, board, summary, day, now)
    folder = places.home / "nights"
    folder.mkdir(exist_ok=True)
    _replace(folder / f"{day}.json", json.dumps(told, ensure_ascii=False, indent=1))
    return _replace(folder / f"{day}.html", render(told))


def night_document(
    records: Records, places: Places, found: Mapping[str, Source], board: Board, summary: Mapping[str, Any], day: date,
    now: datetime,
) -> dict[str, Any]:  # fmt: skip
    """Gather what the page tells; times are UTC in ISO form, counts are of the whole day."""
    from records.alarms import alarms
    from records.runs import visits
    from records.seals import checkpoint

    since = datetime.combine(day, time(), CHINA).astimezone(UTC)
    seen = visits(records, since=since, until=since + timedelta(days=1))
    brought = [records.batch(number) for number in dict.fromkeys(n for visit in seen for n in visit.batches)]
    batches = [_batch(places, batch) for batch in brought if batch.received_at >= since]
    closed = [alarm for alarm in alarms(records, open_only=False, since=since) if alarm.closed_at is not None]
    return {
        "document": KIND,
        "day": day.isoformat(),
        "made_at": now.isoformat(),
        "run": {name: summary.get(name) for name in ("job", "slot", "kind", "started_at", "finished_at", "files")},
        "sources": [_source(key, found.get(key), group) for key, group in _by_source(seen).items()],
        "batches": batches,
        "results": {name: sum(batch["results"][name] for batch in batches) for name in RESULT_COUNTS},
        "tables": _tables(brought, since),
        "alarms": {"open": [_alarm(a) for a in alarms(records)], "closed": [_alarm(a) for a in closed]},
        "board": _board(board, found),
        "chores": dict(summary.get("chores") or _chores(records, since)),
        "checkpoint": checkpoint(records),
    }


def render(told: Mapping[str, Any]) -> str:
    """Give the page of a document as HTML."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from schemas.alarms import alarm_kinds

    kitchen = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    kitchen.filters |= {"age": _age, "china": _china, "shorten": shorten, "size": _size}
    words = {"states": STATES, "visits": VISITS, "severities": SEVERITIES, "refusals": REFUSALS, "batches": BATCHES}
    return kitchen.get_template("night.html").render(night=told, words=words, kinds=alarm_kinds())


def _chores(records: Records, since: datetime) -> dict[str, Any]:
    """Give the chores of the day's night: a run of an hour has none of its own."""
    from records.runs import runs

    for run in runs(records, since=since - timedelta(days=1), limit=60):
        if run.finished_at is not None and run.finished_at >= since and run.summary.get("chores"):
            return dict(run.summary["chores"])
    return {}


def _by_source(seen: Iterable[Visit]) -> dict[str, list[Visit]]:
    found: dict[str, list[Visit]] = {}
    for visit in sorted(seen, key=lambda v: (v.bureau, v.source, v.started_at)):
        found.setdefault(visit.source, []).append(visit)
    return found


def _source(key: str, declared: Source | None, day: Sequence[Visit]) -> dict[str, Any]:
    """Tell of one source what its visits of the day came to; a later look that found no more takes nothing away."""
    last, arrived = day[-1], sum(visit.arrived for visit in day)
    state = "new" if arrived and last.state in ("unchanged", "empty") else last.state
    return {
        "source": key, "bureau": last.bureau, "title": declared.title if declared else key, "state": state,
        "fine": declared is not None and declared.empty_is_fine,
        "code": last.code, "message": last.message, "message_en": last.message_en, "visits": len(day),
        "at": last.started_at.isoformat(), "arrived": arrived,
        "requests": sum(v.requests for v in day), "bytes": sum(v.bytes for v in day),
        "batches": list(dict.fromkeys(number for v in day for number in v.batches)),
    }  # fmt: skip


def _batch(places: Places, batch: BatchRecord) -> dict[str, Any]:
    return {
        "batch_id": batch.batch_id, "receipt": batch.receipt_number, "bureau": batch.bureau, "file": batch.file_name,
        "dataset": batch.dataset, "state": batch.state, "received_at": batch.received_at.isoformat(),
        "rows": dict.fromkeys(ROW_COUNTS, 0) | batch.rows, "results": dict.fromkeys(RESULT_COUNTS, 0) | batch.results,
        "tables": batch.tables, "error": batch.error,
        "refused": _refused(places, batch),
    }  # fmt: skip


def _refused(places: Places, batch: BatchRecord) -> list[dict[str, Any]]:
    """Count what stopped rows and values of a file, rule by rule, each with its first place."""
    folder = places.batches / batch.batch_id
    if (
        not (batch.results.get("quarantined") or batch.rows.get("refused"))
        or not (folder / "findings.parquet").exists()
    ):
        return []
    from pipelines.validate.keep import findings

    frame = findings(folder)
    frame = frame[frame["severity"].astype("str").str.startswith("refuse")]
    counts = Counter(frame["rule"].astype("str"))
    first = frame.drop_duplicates("rule")[list(SHOWN)].to_dict("records")
    told: list[dict[str, Any]] = [{str(name): _plain(value) for name, value in one.items()} for one in first]
    for one in told:
        one |= {"count": counts[one["rule"]], "row": int(one["row"] or 0)}
    return sorted(told, key=lambda one: -one["count"])[:RULES]


def _plain(value: Any) -> str:
    """Give a cell of a frame as text; what is missing is empty."""
    return "" if value is None or value != value else str(value)


def _tables(brought: Sequence[BatchRecord], since: datetime) -> list[dict[str, Any]]:
    """Add up what the day's batches did to each shared table."""
    found: dict[str, Counter[str]] = {}
    for batch in brought:
        for change in batch.tables if batch.received_at >= since else []:
            counts = found.setdefault(str(change["table"]), Counter())
            counts.update({name: int(change[name]) for name in ("added", "corrected", "unchanged")})
            counts["version"] = max(counts["version"], int(change["version"]))
    return [
        {"table": table, **{name: counts[name] for name in ("version", "added", "corrected", "unchanged")}}
        for table, counts in sorted(found.items())
    ]


def _alarm(alarm: Alarm) -> dict[str, Any]:
    return json.loads(json.dumps(asdict(alarm), default=_iso))


def _iso(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime | date) else str(value)


def _board(board: Board, found: Mapping[str, Source]) -> dict[str, Any]:
    days = sorted({cell.day for cell in board.cells})[-DAYS:]
    rows = []
    for key, cells in by_source(board.cells).items():
        strip = [
            None if (c := cells.get(day)) is None else {
                "day": day.isoformat(), "state": c.state, "expected": c.expected, "received": c.received,
                "late": c.late, "missing": c.missing, "files": c.files, "accepted": c.accepted, "refused": c.refused,
            }
            for day in days
        ]  # fmt: skip
        title = found[key].title if key in found else key
        rows.append({"source": key, "title": title, "lag_hours": board.lag.get(key), "cells": strip})
    return {"days": [day.isoformat() for day in days], "rows": rows}


def _china(text: str | None) -> str:
    return "" if not text else datetime.fromisoformat(text).astimezone(CHINA).strftime("%Y-%m-%d %H:%M")


def _age(lag_hours: float | None) -> str:
    if lag_hours is None:
        return "–"
    return f"{lag_hours:.0f} 小时" if lag_hours < 96 else f"{lag_hours / 24:.0f} 天"


def _size(count: int) -> str:
    return (
        f"{count / 2**20:.1f} MB" if count >= 2**20 else f"{count / 2**10:.1f} kB" if count >= 2**10 else f"{count} B"
    )


def _replace(path: Path, text: str) -> Path:
    """Write a file whole or not at all."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    new.write_text(text, encoding="utf-8", newline="\n")
    os.replace(new, path)
    return path
