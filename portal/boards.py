"""The board, the alarms and the sources as a person reads them at the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from portal.show import plain_table, shorten
from portal.words import say, word

if TYPE_CHECKING:
    from pipelines.board import Board, Cell
    from records.alarms import Alarm
    from records.runs import Visit
    from schemas.files import MalformedFact
    from schemas.sources import Source, Timetable

CHINA = timezone(timedelta(hours=8))

STATES = {
    "failed": ("访问失败", "failed"),
    "missing": ("缺报", "missing"),
    "empty": ("零行", "empty"),
    "refused": ("退回", "refused"),
    "unchanged": ("应变未变", "unchanged"),
    "late": ("迟报", "late"),
    "partial": ("部分", "partial"),
    "pending": ("待报", "pending"),
    "ok": ("正常", "ok"),
    "quiet": ("无应报", "quiet"),
    "disabled": ("已停用", "disabled"),
}
"""States of a source on a day, worst first."""

VISITS = {
    "running": ("进行中", "running"),
    "new": ("有新数据", "new"),
    "unchanged": ("无变化", "unchanged"),
    "empty": ("零行", "empty"),
    "failed": ("失败", "failed"),
    "skipped": ("暂停访问", "skipped"),
}
SEVERITIES = {"warning": ("警告", "warning"), "error": ("错误", "error")}
KINDS = {
    "listing": ("目录", "listing"),
    "api": ("接口", "api"),
    "file": ("单个文件", "file"),
    "folder": ("文件夹", "folder"),
}
PERIODS = {
    "hour": ("每小时", "hourly"),
    "day": ("每天", "daily"),
    "week": ("每周", "weekly"),
    "month": ("每月", "monthly"),
    "year": ("每年", "yearly"),
}


def moment(at: datetime | None) -> str:
    """Write an instant in China time."""
    return "" if at is None else at.astimezone(CHINA).strftime("%m-%d %H:%M")


def hours(value: float | None) -> str:
    """Write an age."""
    if value is None:
        return "–"
    return (
        say(f"{value:.0f} 小时", f"{value:.0f} h") if value < 96 else say(f"{value / 24:.0f} 天", f"{value / 24:.0f} d")
    )


def cell_text(cell: Cell) -> str:
    """Say one cell: the state, what came of what was expected, and what was refused."""
    text = word(STATES, cell.state)
    if cell.expected:
        text += f" {cell.received}/{cell.expected}"
    elif cell.files:
        text += f" {cell.files}"
    return text + (f" ✗{cell.refused}" if cell.refused else "")


def by_source(cells: Sequence[Cell]) -> dict[str, dict[date, Cell]]:
    """Lay cells out by source and day."""
    found: dict[str, dict[date, Cell]] = {}
    for cell in cells:
        found.setdefault(cell.source, {})[cell.day] = cell
    return found


def board_lines(board: Board) -> Iterator[str]:
    """Print the board, a line for each source and a column for each day; the lag at the end."""
    rows = by_source(board.cells)
    days = sorted({cell.day for cell in board.cells})
    if not rows:
        yield say("没有来源；见 docs/add-a-source.md", "there are no sources; see docs/add-a-source.md")
        return
    head = [say("来源", "source"), *(f"{day:%m-%d}" for day in days), say("最新数据", "newest data")]
    lines = [
        (key, *(cell_text(cells[day]) if day in cells else "" for day in days), hours(board.lag.get(key)))
        for key, cells in rows.items()
    ]
    yield from plain_table(head, lines)
    yield say("数字：已到/应到；✗ 为隔离的结果数", "numbers: received/expected; ✗ counts quarantined results")


def alarm_lines(found: Sequence[Alarm]) -> Iterator[str]:
    """Print alarms, with what to do."""
    from schemas.alarms import alarm_kinds

    if not found:
        yield say("没有未解除的告警", "no open alarms")
    known = alarm_kinds()
    for alarm in found:
        kind = known.get(alarm.code)
        title = say(kind.title_zh, kind.title_en) if kind else alarm.code
        mark = (
            "–"
            if alarm.closed_at and alarm.detail.get("given_up")
            else "✓"
            if alarm.closed_at
            else "✗"
            if alarm.severity == "error"
            else "!"
        )
        yield f"{mark} {title} [{alarm.code}] {alarm.source}"
        yield f"  {say(alarm.message, alarm.message_en)}"
        since = say(
            f"自 {moment(alarm.opened_at)} 起，{alarm.count} 次", f"since {moment(alarm.opened_at)}, {alarm.count}×"
        )
        yield f"  {since}{alarm_end(alarm)}"
        if kind and not alarm.closed_at:
            yield f"  → {say(kind.remedy_zh, kind.remedy_en)}"


def alarm_end(alarm: Alarm) -> str:
    """Say how an alarm ended, if it did: its trouble is gone, or what was awaited never came."""
    if alarm.closed_at is None:
        return ""
    at = moment(alarm.closed_at)
    if lost := "、".join(alarm.detail.get("given_up", ())):
        return say(f"，{at} 未到，已转入缺报：{lost}", f", given up {at}, never came: {lost}")
    if done := alarm.detail.get("handled"):
        return say(
            f"，{at} {done['author']} 办结：{done['reason']}", f", {at} handled by {done['author']}: {done['reason']}"
        )
    return say(f"，{at} 解除", f", gone {at}")


def due_text(timetable: Timetable | None) -> str:
    """Say when a period must be there."""
    if timetable is None:
        return "–"
    text = word(PERIODS, timetable.every)
    if timetable.every == "hour":
        return say(f"{text}（第 {timetable.by.minute} 分前）", f"{text} by :{timetable.by.minute:02}")
    by = f"{timetable.by:%H:%M}"
    if timetable.month is not None:
        return say(
            f"{text} {timetable.month} 月 {timetable.day} 日 {by}",
            f"{text} {timetable.month:02}-{timetable.day:02} {by}",
        )
    if timetable.day is not None:
        return say(f"{text}第 {timetable.day} 日 {by}", f"{text} day {timetable.day} {by}")
    return say(f"{text}（后 {timetable.lag} 日）{by}", f"{text} +{timetable.lag} d {by}")


def source_lines(
    found: Mapping[str, Source],
    faults: Sequence[MalformedFact],
    last: Mapping[str, Visit],
    lag: Mapping[str, float | None],
) -> Iterator[str]:
    """Print the sources: kind, due, the last visit and the age of the newest data; malformed declarations after them."""
    head = say(
        "来源,名称,种类,应报,上次访问,结果,最新数据", "source,title,kind,due,last visit,outcome,newest data"
    ).split(",")
    rows = []
    for key, source in found.items():
        visit = last.get(key)
        outcome = "" if visit is None else word(VISITS, visit.state) + (f" {visit.code}" if visit.code else "")
        state = outcome if source.enabled else word(STATES, "disabled")
        rows.append(
            (
                key, shorten(source.title, 24), word(KINDS, source.kind), due_text(source.timetable),
                moment(visit.started_at if visit else None), state, hours(lag.get(key)),
            )
        )  # fmt: skip
    yield from plain_table(head, rows)
    for fault in faults:
        yield say(f"✗ 声明有误 {fault}", f"✗ malformed {fault}")


def source_json(source: Source, visit: Visit | None, lag: float | None) -> dict[str, Any]:
    """Give one source for a program; nothing of it is secret."""
    return {
        "source": source.key, "bureau": source.bureau, "title": source.title, "kind": source.kind,
        "enabled": source.enabled, "pull": source.pull, "url": source.url, "path": source.path,
        "dataset": source.dataset, "layout": source.layout, "due": due_text(source.timetable), "lag_hours": lag,
        "last_visit": None if visit is None else {
            "state": visit.state, "code": visit.code, "started_at": visit.started_at.isoformat(),
            "arrived": visit.arrived, "message": visit.message, "message_en": visit.message_en,
        },
    }  # fmt: skip
