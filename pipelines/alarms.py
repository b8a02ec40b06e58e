"""What is wrong now: the board, the visits, the runs and the chores held against what was expected.

Silence is trouble too: nothing came, nothing changed, nobody ran. What each code means and what to do about it stands
in ``schemas/alarms.csv``; here is only decided whether it is so. Nothing is remembered between two judgements but by
the records: a trouble that is not found again is over.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from pipelines.board import NIGHT, Board, Cell
from pipelines.source_alarms import circuit_open as circuit_open
from pipelines.source_alarms import circuits_open as circuits_open
from pipelines.source_alarms import lacking as lacking
from pipelines.source_alarms import of_certificate, of_source, trouble
from records.alarms import Trouble
from records.runs import Run, clock_ahead, runs
from records.store import Records
from schemas.files import MalformedFact
from schemas.sources import Source

SKEW = 60.0
OVERDUE = timedelta(hours=26)
"""A night every 24 hours, and two for the night itself."""
NIGHTS = 16
"""Runs looked at: a week of nights merged into one, and the week before."""
SHOWN = 10
CHORE_CODES = {
    "seal": "seal-late", "checkpoint": "seal-late", "docs": "docs-failed", "compact": "upkeep-failed",
    "vacuum": "upkeep-failed", "scrub": "scrub-damaged", "chain": "chain-broken", "backup": "backup-failed",
    "space": "disk-space",
}  # fmt: skip


def troubles(
    records: Records,
    found: Mapping[str, Source],
    faults: Sequence[MalformedFact],
    seen: Board,
    chores: Mapping[str, Mapping[str, Any]],
    now: datetime,
    ends: Mapping[str, datetime] | None = None,
) -> list[Trouble]:
    """Give everything that is wrong now.

    Parameters
    ----------
    faults : sequence of MalformedFact
        Declarations that were left out.
    seen : Board
        The board up to today, of at least a week.
    chores : mapping
        What became of the chores, as in a run's summary; where none were done, those of the last night count.
    ends : mapping, optional
        When the client certificate of a source ends, by its key.
    """
    nights = runs(records, job="night", limit=NIGHTS)
    held = {batch.submitted_by.removeprefix(NIGHT): batch for batch in records.batches(limit=None, state="held")}
    by_source: dict[str, list[Cell]] = {}
    for cell in seen.cells:
        by_source.setdefault(cell.source, []).append(cell)
    told: list[Trouble] = []
    for key, source in found.items():
        told += of_source(records, source, by_source.get(key, []), seen, held.get(key), now)
    for key, end in (ends or {}).items():
        told += of_certificate(found[key], end, now)
    told += _of_facts(faults)
    told += _of_clock(records, seen, now)
    told += _of_runs(records, nights, now)
    told += _of_chores(chores, nights)
    return told


# -- the exchange itself --------------------------------------------------------------------------------------


def _of_facts(faults: Sequence[MalformedFact]) -> Iterator[Trouble]:
    if faults:
        places = [f"{fault.file.parent.name}/{fault.file.name}:{fault.line}: {fault.reason}" for fault in faults]
        yield trouble(
            "malformed-source", None, f"{len(faults)} 处来源声明有误，已跳过：{places[0]}",
            f"{len(faults)} declarations of sources are left out: {places[0]}", faults=places[:SHOWN],
        )  # fmt: skip


def _of_clock(records: Records, seen: Board, now: datetime) -> Iterator[Trouble]:
    skews = [v.skew_seconds for v in seen.last.values() if v.skew_seconds is not None and now - v.started_at < OVERDUE]
    skew, ahead = median(skews) if skews else 0.0, clock_ahead(records, now)
    if abs(skew) > SKEW:
        yield trouble(
            "clock", None, f"本机时钟与 {len(skews)} 个来源服务器相差 {abs(skew):.0f} 秒",
            f"this machine's clock differs from {len(skews)} servers by {abs(skew):.0f} s", skew_seconds=round(skew),
        )  # fmt: skip
    elif ahead > SKEW:
        yield trouble(
            "clock", None, f"记录中最新事件比现在晚 {ahead:.0f} 秒：时钟曾被拨快或现在过慢",
            f"the newest event on record lies {ahead:.0f} s in the future: the clock was or is wrong",
            ahead_seconds=round(ahead),
        )  # fmt: skip


def _of_runs(records: Records, nights: Sequence[Run], now: datetime) -> Iterator[Trouble]:
    hours = runs(records, job="hour", limit=2)
    for ledger in (nights, hours):
        last = next((run for run in ledger if run.state != "coalesced"), None)
        if last is None:
            continue
        if last.state == "failed":
            error = last.error or {}
            yield trouble(
                "run-failed", None, f"任务 {last.job} {last.slot} 失败：{error.get('message', '')}",
                f"job {last.job} {last.slot} failed: {error.get('message_en', '')}", run=last.run_id,
            )  # fmt: skip
        if last.attempts > 1:
            yield trouble(
                "run-interrupted", None, f"任务 {last.job} {last.slot} 曾中断，第 {last.attempts} 次接手",
                f"job {last.job} {last.slot} was interrupted; attempt {last.attempts}", run=last.run_id,
            )  # fmt: skip
    yield from _of_nights(records, nights, hours, now)


def _of_nights(records: Records, nights: Sequence[Run], hours: Sequence[Run], now: datetime) -> Iterator[Trouble]:
    """Tell that nobody runs the night, or that nobody did: while the exchange is off nobody judges, so it is told after."""
    done = [run for run in nights if run.state != "coalesced"]
    last_night = done[0].due_at if done else None
    if last_night is None and hours:  # the service runs, but no night ever did
        last_night = runs(records, job="hour", limit=None)[-1].due_at
    if last_night is not None and now - last_night > OVERDUE:
        age = (now - last_night).total_seconds() / 3600
        yield trouble(
            "night-missed", None, f"已 {age:.0f} 小时没有夜间任务运行",
            f"no nightly run for {age:.0f} hours", hours=round(age),
        )  # fmt: skip
    elif len(done) > 1 and done[0].started_at - done[1].due_at > OVERDUE:
        missed = [run.slot for run in reversed(nights) if run.due_at > done[1].due_at]
        age = (done[0].started_at - done[1].due_at).total_seconds() / 3600
        yield trouble(
            "night-missed", None, f"{age:.0f} 小时没有夜间任务运行，{'、'.join(missed)} 各夜未按时做，已一并补做",
            f"no nightly run for {age:.0f} hours: {', '.join(missed)} did not run in time, one run made up for all",
            hours=round(age), slots=missed,
        )  # fmt: skip


def _of_chores(chores: Mapping[str, Mapping[str, Any]], nights: Sequence[Run]) -> Iterator[Trouble]:
    """Tell of the chores of this night; between two nights, of the last one's."""
    summaries = [run.summary.get("chores") or {} for run in nights]
    done = [one for one in ([chores] if chores else []) + summaries if one]
    for name, code in CHORE_CODES.items():
        # A night reads only a share of the data files: damage is over when a later night has read them all.
        rounds: Collection[Mapping[str, Any]] = done if name == "scrub" else done[:1]
        for one in (each[name] for each in rounds if name in each):
            if not one["ok"]:
                code = "scrub-damaged" if one["told"].get("damaged") else code
                yield trouble(code, None, one["message"], one["message_en"], chore=name, **{"told": one["told"]})
                break
            if not one["skipped"] and one["told"].get("files") == one["told"].get("of"):
                break
