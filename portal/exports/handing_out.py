"""Hand data out: counted against the day's quota first, then made by a child process, then on the record and the chain.

Nobody is refused silently: who uses much of his day's rows, or asks for more than there is left, opens an alarm that a
person has to look into.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.batch import Places
from pipelines.publish.reading import CHINA
from pipelines.publish.rows import Choice, count, rows
from portal.access.caller import Caller
from portal.exports.choosing import chosen_json
from portal.exports.errors import QuotaReached, TooManyRows, UnknownForm
from portal.exports.shelf import shelf
from portal.exports.working import work
from portal.exports.writing import ExportNote
from records.alarms import Trouble, tell
from records.export_log import Wish, begin_export, day_of, fail_export, finish_export, number_of, used_on
from records.store import Records
from schemas.alarms import alarm_kinds
from schemas.export_rules import QUERY, Quota, export_rules

if TYPE_CHECKING:
    import pyarrow as pa

ALARM = "bulk-export"
SECONDS = 180.0
MEMORY_MB = 1536
ENDINGS = {"parquet": "parquet", "csv": "csv", "xlsx": "xlsx", "json": "json", "arrow": "arrows"}


@dataclass(frozen=True, slots=True)
class Desk:
    """Where data are handed out."""

    places: Places
    records: Records
    clock: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Handed:
    """A file made for somebody; it is his who asked to take it from its folder, or to leave it there to be removed."""

    number: str
    path: Path
    rows: int
    form: str
    name: str


@dataclass(frozen=True, slots=True)
class Use:
    """How much of a quota somebody used today."""

    quota: Quota
    used: int

    @property
    def left(self) -> int:
        """Rows that may still be taken."""
        return max(0, self.quota.rows_a_day - self.used)

    @property
    def percent(self) -> int:
        """Share of the day's rows."""
        return min(100, 100 * self.used // self.quota.rows_a_day)


def hand_out(desk: Desk, caller: Caller, choice: Choice, form: str, folder: Path, face: str = "page") -> Handed:
    """Make a file of rows of a shared table in a folder of the caller's own.

    Raises
    ------
    UnknownForm, TooManyRows, QuotaReached, QueryStopped, ExportFailed, PublishError
    """
    rules = export_rules().formats
    if form not in rules:
        raise UnknownForm(
            f"没有格式 {form[:20]}；可选：{'、'.join(rules)}", f"no format {form[:20]}; {', '.join(rules)}"
        )
    wanted = count(choice, desk.places.tables)
    if wanted > rules[form].most_rows:
        raise TooManyRows(
            f"所选 {wanted:,} 行，{rules[form].title_zh}每个文件最多 {rules[form].most_rows:,} 行；"
            "请缩小日期或点位范围，或改用 Parquet",
            f"{wanted:,} rows are chosen, a file of {form} has at most {rules[form].most_rows:,}; "
            "narrow the days or stations, or take Parquet",
        )
    quota = export_rules().quota_of(choice.table.table)
    number = _set_aside(desk, caller, quota, choice.table.table, form, chosen_json(choice), wanted, face)
    path = folder / f"export.{ENDINGS[form]}"
    try:
        note = _note(desk, caller, choice, number_of(number), wanted)
        job = {
            "kind": "file", "choice": chosen_json(choice), "form": form, "path": str(path),
            "note": [note.number, note.lines],
        }  # fmt: skip
        made = int(work(desk.places, folder, job, SECONDS, MEMORY_MB)["rows"])
    except BaseException as error:
        fail_export(desk.records, number, type(error).__name__)
        raise
    _finish(desk, number, made, path)
    return Handed(number_of(number), path, made, form, f"{choice.table.title_zh}_{number_of(number)}.{ENDINGS[form]}")


def take_rows(
    desk: Desk, caller: Caller, choice: Choice, form: str, limit: int, offset: int = 0, face: str = "api"
) -> tuple[str, pa.Table]:
    """Give a page of rows to a program, with the number of the export: counted and on record as any other.

    Raises
    ------
    QuotaReached, PublishError
    """
    found = rows(choice, desk.places.tables, limit, offset)
    quota = export_rules().quota_of(choice.table.table)
    chosen = chosen_json(choice) | {"limit": limit, "offset": offset}
    number = _set_aside(desk, caller, quota, choice.table.table, form, chosen, found.num_rows, face)
    finish_export(desk.records, number, found.num_rows, found.nbytes, "", desk.clock())
    return number_of(number), found


def log_answer(
    desk: Desk,
    caller: Caller,
    sql: str,
    as_of: str,
    form: str,
    found: int,
    make: Callable[[str], Path] | None = None,
) -> str:
    """Count an answer of the SQL console and put it on record; give its number.

    ``make`` writes the file of the answer once it has its number.

    Raises
    ------
    QuotaReached
    """
    told = sql if len(sql) <= 2000 else sql[:2000] + "…"
    chosen = {
        "sql": told,
        "sha256": hashlib.sha256(sql.encode("utf-8", "backslashreplace")).hexdigest(),
        "as_of": as_of,
    }
    number = _set_aside(desk, caller, export_rules().quotas[QUERY], "sql", form, chosen, found, "query")
    if make is None:
        finish_export(desk.records, number, found, 0, "", desk.clock())
        return number_of(number)
    try:
        path = make(number_of(number))
    except BaseException as error:
        fail_export(desk.records, number, type(error).__name__)
        raise
    _finish(desk, number, found, path)
    return number_of(number)


def uses(desk: Desk, caller: Caller) -> list[Use]:
    """Say how much of each quota somebody used today."""
    at = desk.clock()
    return [
        Use(quota, used_on(desk.records, caller.account_id, name, at)) for name, quota in export_rules().quotas.items()
    ]


def note_lines(desk: Desk, caller: Caller, number: str, count_of: int) -> list[tuple[str, str, str]]:
    """Tell who took what when, under which terms: the lines every export has."""
    licence = export_rules().licence
    return [
        ("导出编号", "number", number),
        ("领取人", "requester", f"{caller.name}（{caller.login}）"),
        ("领取单位", "bureau", caller.bureau),
        ("导出时间", "exported at", desk.clock().astimezone(CHINA).isoformat(timespec="seconds")),
        ("行数", "rows", str(count_of)),
        ("使用条款", "licence", f"{licence.title_zh} / {licence.title_en} ({licence.name})"),
        ("条款内容", "terms", licence.text_zh),
        ("条款内容（英文）", "terms en", licence.text_en),
    ]


def _note(desk: Desk, caller: Caller, choice: Choice, number: str, wanted: int) -> ExportNote:
    shelved = shelf(desk.places)[choice.table.table]
    chosen = chosen_json(choice)
    filters = "；".join(f"{name} = {_words(value)}" for name, value in chosen["filters"].items())
    lines = [
        ("数据表", "table", f"{choice.table.title_zh} / {choice.table.title_en} ({choice.table.table})"),
        ("版本", "version", str(choice.version)),
        ("筛选", "filter", filters or "全部 / everything"),
        ("截至", "as of", _instant(choice.as_of)),
        ("数据来源", "source", shelved.sender_words[0]),
        *(("说明", f"note {place}", f"{note.zh} / {note.en}") for place, note in enumerate(shelved.notes, 1)),
    ]
    own, *rest = note_lines(desk, caller, number, wanted)
    return ExportNote(number, (own, *lines, *rest))


def _words(value: Any) -> str:
    return "、".join(map(str, value)) if isinstance(value, list) else str(value)


def _instant(at: datetime | None) -> str:
    return "最新 / newest" if at is None else at.astimezone(CHINA).isoformat(timespec="seconds")


def _set_aside(
    desk: Desk, caller: Caller, quota: Quota, what: str, form: str, chosen: Mapping[str, Any], wanted: int, face: str
) -> int:
    """Set rows of the day's quota aside; much of it, or more than is left, opens an alarm."""
    at = desk.clock()
    wish = Wish(caller.account_id, caller.login, caller.bureau, face, quota.name, what, form, chosen, wanted)
    number, used = begin_export(desk.records, wish, quota.rows_a_day, at)
    if not number or used < quota.alarm_rows <= used + wanted:
        _alarm(desk, caller, quota, used, wanted, bool(number), at)
    if number:
        return number
    raise QuotaReached(
        f"{quota.title_zh}：今日已导出 {used:,} 行，每人每日上限 {quota.rows_a_day:,} 行，本次 {wanted:,} 行超出；"
        "请缩小范围，或明日再导出；确有需要请联系管理员",
        f"{quota.title_en}: {used:,} rows taken today of {quota.rows_a_day:,}, {wanted:,} more are too many; "
        "narrow it, or come back tomorrow; ask the administrator where there is need",
    )


def _alarm(desk: Desk, caller: Caller, quota: Quota, used: int, wanted: int, given: bool, at: datetime) -> None:
    from portal.nightly import channels_of  # the whole night hangs on it, and an alarm is rare

    who, share = f"export/{caller.login}", 100 * (used + wanted) // quota.rows_a_day
    did = ("已导出", "took") if given else ("被拒绝", "was refused")
    tell(
        desk.records,
        [
            Trouble(
                ALARM, who, caller.bureau, alarm_kinds()[ALARM].severity,
                f"{caller.login} 在 {day_of(at)} {did[0]}{quota.title_zh}：此前 {used:,} 行，本次 {wanted:,} 行，"
                f"为每日上限的 {share} %",
                f"{caller.login} {did[1]} {quota.title_en} on {day_of(at)}: {used:,} rows before, {wanted:,} now, "
                f"{share} % of the day's quota",
                {"account": caller.account_id, "quota": quota.name, "day": day_of(at), "used": used, "wanted": wanted},
            )
        ],
        (), at, [channel.name for channel in channels_of(desk.places)],
    )  # fmt: skip


def _finish(desk: Desk, number: int, made: int, path: Path) -> None:
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    finish_export(desk.records, number, made, path.stat().st_size, sha256, desk.clock())
