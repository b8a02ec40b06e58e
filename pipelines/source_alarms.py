"""What is wrong with one source: visits that fail, periods that lack, batches that were refused, content too old.

A source that failed five times in a row is left alone but for one try in six hours (reliability R28).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from pipelines.awaited import follow
from pipelines.board import LOOKBACK, NIGHT, Board, Cell, midnight
from records.alarms import Trouble
from records.runs import Visit, visits
from records.store import BatchRecord, Records
from schemas.alarms import alarm_kinds
from schemas.sources import Source
from schemas.timetables import periods_of

FAILURES = 5
HALF_OPEN = timedelta(hours=6)
ENOUGH = 50
"""Visits in which five failures and the skips between them are found."""
RECENT = timedelta(days=7)
ENDS = (1, 7, 30)
"""Days before the end of a certificate at which the words change."""


def trouble(code: str, source: Source | None, zh: str, en: str, **detail: Any) -> Trouble:
    """Make a trouble of a code of ``alarms.csv``, which says how bad it is."""
    kinds = alarm_kinds()
    kind = kinds.get(code) or kinds["visit-failed"]
    key, bureau = (source.key, source.bureau) if source else ("", "")
    return Trouble(kind.code, key, bureau, kind.severity, zh, en, detail)


def of_source(
    records: Records, source: Source, cells: Sequence[Cell], seen: Board, held: BatchRecord | None, now: datetime
) -> Iterator[Trouble]:
    """Give what is wrong with a source; its cells are in the order of days."""
    if not source.enabled:
        yield trouble("disabled", source, f"{source.title}已停用，不取数也不检查", f"{source.key} is switched off")
        return
    yield from _of_visits(records, source, seen.last.get(source.key), now)
    yield from _of_dues(source, cells, seen, now)
    yield from _of_batches(source, cells, held)
    lag = seen.lag.get(source.key)
    if source.stale_hours is not None and (lag is None or lag > source.stale_hours):
        age_zh = "从未收到已接收的数据" if lag is None else f"最新数据已是 {lag:.0f} 小时以前"
        age_en = "nothing was ever accepted" if lag is None else f"the newest content is {lag:.0f} hours old"
        yield trouble(
            "stale", source, f"{source.title}：{age_zh}（上限 {source.stale_hours:g} 小时）",
            f"{source.key}: {age_en} (limit {source.stale_hours:g} h)", hours=lag and round(lag, 1),
        )  # fmt: skip


def _of_visits(records: Records, source: Source, last: Visit | None, now: datetime) -> Iterator[Trouble]:
    if last is None or last.state not in ("failed", "skipped"):
        return
    before = visits(records, source=source.key, limit=ENOUGH)
    failed = next((visit for visit in before if visit.state == "failed"), last)
    row = _failures_in_a_row(before)
    if row >= FAILURES:
        yield trouble(
            "circuit-open", source, f"{source.title}已连续 {row} 次访问失败，改为每六小时试一次",
            f"{source.key}: {row} visits in a row failed; it is tried once in six hours", failures=row,
        )  # fmt: skip
    yield trouble(
        failed.code, source, f"{source.title}：{failed.message}", f"{source.key}: {failed.message_en}",
        visit=failed.visit_id, error=failed.code,
    )  # fmt: skip


def _failures_in_a_row(of_source: Sequence[Visit]) -> int:
    """Count the failures at the end of the visits, given the newest first; what was not tried does not count."""
    count = 0
    for visit in of_source:
        if visit.state in ("skipped", "running"):
            continue
        if visit.state != "failed":
            break
        count += 1
    return count


def circuit_open(of_source: Sequence[Visit], now: datetime) -> bool:
    """Say whether a source is to be left alone: five failures in a row, the last less than six hours ago.

    The visits are given the newest first.
    """
    if _failures_in_a_row(of_source) < FAILURES:
        return False
    last = next(visit for visit in of_source if visit.state == "failed")
    return now - (last.finished_at or last.started_at) < HALF_OPEN


def circuits_open(records: Records, now: datetime) -> set[str]:
    """Give the keys of the sources that are to be left alone now."""
    lately = {visit.source for visit in visits(records, since=now - 2 * HALF_OPEN) if visit.state == "failed"}
    return {key for key in lately if circuit_open(visits(records, source=key, limit=ENOUGH), now)}


def _of_dues(source: Source, cells: Sequence[Cell], seen: Board, now: datetime) -> Iterator[Trouble]:
    newest = seen.newest.get(source.key)
    lately = [(cell, due) for cell in cells for due in cell.dues if now - RECENT < due.at <= now]
    lacking: dict[str, list[str]] = {}
    for cell, due in lately:
        if due.state == "missing":
            code = {"empty": "no-rows", "unchanged": "unchanged"}.get(cell.state, "missing")
            lacking.setdefault(code, []).append(due.period)
    if newest is not None and newest.state == "missing" and newest.at <= now - RECENT:
        lacking.setdefault("missing", []).append(newest.period)
    if source.timetable is None and cells and cells[-1].state == "empty":
        lacking["no-rows"] = [cells[-1].day.isoformat()]
    for code, periods in lacking.items():
        kind, which = alarm_kinds()[code], _some(periods)
        yield trouble(
            code, source, f"{source.title}：{kind.title_zh}（{which}）", f"{source.key}: {kind.title_en} ({which})",
            periods=periods,
        )  # fmt: skip
    if newest is not None and newest.state == "late" and newest.received_at is not None:
        delay = (newest.received_at - newest.at).total_seconds() / 3600
        yield trouble(
            "late", source, f"{source.title}：{newest.period} 迟到 {delay:.1f} 小时",
            f"{source.key}: {newest.period} came {delay:.1f} h late", periods=[newest.period],
        )  # fmt: skip
    if newest is not None and newest.batch_id is not None and not newest.refused:
        yield from _of_volume(source, newest.period, newest.results)


def _of_volume(source: Source, period: str, results: int) -> Iterator[Trouble]:
    for code, limit, beyond in (
        ("volume-low", source.least, source.least is not None and results < source.least),
        ("volume-high", source.most, source.most is not None and results > source.most),
    ):
        if beyond:
            yield trouble(
                code, source, f"{source.title}：{period} 有 {results} 条结果，声明为{'至少' if code[-1] == 'w' else '至多'} {limit} 条",
                f"{source.key}: {period} has {results} results, declared {'least' if code[-1] == 'w' else 'most'} {limit}",
                period=period, results=results,
            )  # fmt: skip


def _of_batches(source: Source, cells: Sequence[Cell], held: BatchRecord | None) -> Iterator[Trouble]:
    last = next((cell for cell in reversed(cells) if cell.files), None)
    if last is not None and (last.batches_refused or (last.refused and not last.accepted)):
        yield trouble(
            "refused", source,
            f"{source.title}：{last.day} 收到 {last.files} 个文件，退回 {last.batches_refused} 个，{last.refused} 条结果未通过",
            f"{source.key}: of {last.files} files of {last.day} {last.batches_refused} were refused, "
            f"{last.refused} results did not pass",
            day=last.day.isoformat(),
        )  # fmt: skip
    if held is not None:
        yield trouble(
            "held", source, f"{source.title}：批次 {held.batch_id} 暂存，未发布",
            f"{source.key}: batch {held.batch_id} is held", batch=held.batch_id,
        )  # fmt: skip


def of_certificate(source: Source, end: datetime, now: datetime) -> Iterator[Trouble]:
    """Warn before the client certificate of a source ends."""
    left = (end - now).total_seconds() / 86400
    step = next((days for days in ENDS if left <= days), None)
    if left <= 0:
        yield trouble(
            "certificate-expired", source, f"{source.title}：客户端证书已于 {end:%Y-%m-%d} 过期",
            f"{source.key}: the client certificate ended on {end:%Y-%m-%d}", ends=end.isoformat(),
        )  # fmt: skip
    elif step is not None:
        yield trouble(
            "certificate-ends", source, f"{source.title}：客户端证书将在 {step} 天内到期（{end:%Y-%m-%d}）",
            f"{source.key}: the client certificate ends within {step} days ({end:%Y-%m-%d})", ends=end.isoformat(),
        )  # fmt: skip


def lacking(records: Records, chosen: Sequence[Source], first: date, last: date) -> set[str]:
    """Name the sources that lack a period of these days; without a timetable, a day nothing was accepted of."""
    now = midnight(last) + 400 * timedelta(days=1)
    came: dict[str, list[BatchRecord]] = {}
    for batch in records.batches_between(midnight(first) - LOOKBACK, now, NIGHT):
        came.setdefault(batch.submitted_by.removeprefix(NIGHT), []).append(batch)
    return {source.key for source in chosen if _lacks(source, came.get(source.key, []), first, last, now)}


def _lacks(source: Source, batches: Sequence[BatchRecord], first: date, last: date, now: datetime) -> bool:
    if source.timetable is not None:
        states = follow(periods_of(source.timetable, first, last), batches, now, source.kind)
        return any(due.batch_id is None or due.refused for due in states)
    there = {day for batch in batches if batch.state == "published" for day, told in batch.covers.items() if told[1]}
    days = {(first + timedelta(days=n)).isoformat() for n in range((last - first).days + 1)}
    return not days <= there


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" +{len(names) - 3}" if len(names) > 3 else "")
