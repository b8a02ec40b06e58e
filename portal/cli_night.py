"""The commands of the night: sync, schedule, board, alarms, sources, backup, restore."""

from __future__ import annotations

import json
import logging
import sys
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from portal.cli import CST, Exit, Home, Json, app, data, now, places_of, records_of, stop, words
from portal.settings import read_night_settings
from portal.words import say

if TYPE_CHECKING:
    from schemas.sources import Source

Day = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d"], help=say("日期，如 2026-04-07", "day, e.g. 2026-04-07"))
]
OneBureau = Annotated[str | None, typer.Option("--bureau", "-b", help=say("只看一个单位", "one bureau only"))]


def _log_to_stderr() -> None:
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    for noisy in ("httpx", "httpcore", "apscheduler", "great_expectations"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _today() -> date:
    return now().astimezone(CST).date()


def _as_day(moment: datetime | None, otherwise: date) -> date:
    return otherwise if moment is None else moment.date()


@app.command(
    help=say(
        "同步：现在就访问各来源并走完全程；给出日期时只补缺的",
        "visit the sources now and walk what is new; with days, fetch only what is missing",
    )
)
def sync(
    bureau: OneBureau = None,
    source: Annotated[str | None, typer.Option("--source", "-s", help=say("来源名称", "name of a source"))] = None,
    day: Annotated[
        datetime | None,
        typer.Option("--date", formats=["%Y-%m-%d"], help=say("一天（数据的日期）", "one day of data")),
    ] = None,
    since: Day = None,
    until: Day = None,
    force: Annotated[
        bool, typer.Option("--force", help=say("不问是否有变化，全部重取", "fetch all again, changed or not"))
    ] = False,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Do one night now, or a part of it.

    Without options: every source, and the nightly chores. Exit 0 all well, 1 something was refused, failed or empty,
    3 broken.

    Example: gongzhi sync --bureau mianyang --since 2026-04-01 --until 2026-04-07
    """
    from pipelines.intake.pull import Wanted
    from portal.nightly import sync_now

    first, last = (day, day) if day else (since, until)
    if (first is None) != (last is None) or (day and (since or until)):
        stop(
            Exit.USE,
            "请用 --date 一天，或同时用 --since 与 --until",
            "name one day with --date, or both --since and --until",
        )
    if first and last and first > last:
        stop(Exit.USE, "--since 晚于 --until", "--since is after --until")
    wanted = Wanted(first=first.date() if first else None, last=last.date() if last else None, force=force)
    _log_to_stderr()
    with records_of(home) as (places, records):
        settings = read_night_settings(places.home)
        pick = _picked(places, bureau, source)
        summary, well, faults = sync_now(places, records, settings, now, pick, wanted)
    for fault in faults:
        words(say(f"来源声明有误：{fault}", f"malformed source: {fault}"))
    if as_json:
        data(json.dumps(summary, ensure_ascii=False))
    else:
        for line in _summary_lines(summary):
            data(line)
    raise typer.Exit(Exit.DONE if well else Exit.REFUSED)


def _picked(places: Any, bureau: str | None, name: str | None) -> Any:
    """Give the question whether a source is meant, or None for all; refuse a name nobody has."""
    if bureau is None and name is None:
        return None
    from portal.nightly import site_of
    from schemas.sources import sources

    def meant(source: Source) -> bool:
        return (bureau is None or source.bureau == bureau) and (name is None or name in (source.name, source.key))

    found, _ = sources(site_of(places))
    if not any(meant(one) for one in found.values()):
        stop(
            Exit.USE,
            f"没有这样的来源；有：{'、'.join(found) or '无'}",
            f"there is no such source; there are: {', '.join(found) or 'none'}",
        )
    return meant


def _summary_lines(summary: dict[str, Any]) -> list[str]:
    s, r = summary["sources"], summary["results"]
    bad = [name for name, chore in summary["chores"].items() if not chore["ok"]]
    return [
        say(
            f"来源：新 {s['new']}，无变化 {s['unchanged']}，零行 {s['empty']}，失败 {s['failed']}，暂停 {s['skipped']}",
            f"sources: new {s['new']}, unchanged {s['unchanged']}, empty {s['empty']}, failed {s['failed']}, skipped {s['skipped']}",
        ),
        say(
            f"文件 {summary['files']}，结果 {r['read']}：发布 {r['published']}，隔离 {r['quarantined']}",
            f"files {summary['files']}, results {r['read']}: published {r['published']}, quarantined {r['quarantined']}",
        ),
        *([say(f"例行失败：{'、'.join(bad)}", f"chores failed: {', '.join(bad)}")] if bad else []),
        *(say(f"告警 {one}", f"alarm {one}") for one in summary["alarms"]),
    ]


@app.command(
    help=say(
        "常驻服务：每夜与每小时自动同步，SIGTERM 即停", "the service: syncs every night and hour, stops on SIGTERM"
    )
)
def schedule(home: Home = None) -> None:
    """Run the clock until told to stop; what was left is taken up at the next start.

    Example: gongzhi schedule --home /var/lib/gongzhi
    """
    from portal.channels import read_channels
    from portal.nightly import run_service

    _log_to_stderr()
    with records_of(home) as (places, records):
        settings = read_night_settings(places.home)
        _, faults = read_channels(places.home / "notify.toml")
        if faults:
            stop(Exit.USE, f"通知渠道声明有误：{faults[0]}", f"a malformed channel: {faults[0]}")
        run_service(places, records, settings, now)


@app.command(help=say("看板：来源 × 日期，到了什么、缺什么", "source by day: what came and what did not"))
def board(
    since: Day = None, until: Day = None, bureau: OneBureau = None, as_json: Json = False, home: Home = None
) -> None:
    """Show the board, the last week unless days are named.

    Example: gongzhi board --since 2026-04-01 --until 2026-04-30
    """
    from pipelines.board import board as look
    from portal.boards import board_lines
    from portal.nightly import site_of
    from schemas.sources import sources

    last = _as_day(until, _today())
    first = _as_day(since, last - timedelta(days=6))
    if first > last:
        stop(Exit.USE, "--since 晚于 --until", "--since is after --until")
    with records_of(home) as (places, records):
        found, faults = sources(site_of(places))
        chosen = {key: one for key, one in found.items() if bureau is None or one.bureau == bureau}
        seen = look(records, chosen, first, last, now())
    if as_json:
        data(json.dumps(seen.as_json(), ensure_ascii=False))
        return
    for line in board_lines(seen):
        data(line)
    for fault in faults:
        words(say(f"来源声明有误：{fault}", f"malformed source: {fault}"))


@app.command(help=say("告警：现在有什么不对，该做什么", "what is amiss now, and what to do"))
def alarms(
    every: Annotated[bool, typer.Option("--all", help=say("连同已解除的", "also those that are gone"))] = False,
    handled: Annotated[
        str | None,
        typer.Option(
            "--handled", metavar="SOURCE", help=say("办结须由人办结的告警", "end one that waits for a person")
        ),
    ] = None,
    author: Annotated[str, typer.Option("--author", help=say("经办人", "who looked into it"))] = "",
    reason: Annotated[str, typer.Option("--reason", help=say("核实结果", "what came of it"))] = "",
    limit: Annotated[int, typer.Option("--limit")] = 100,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """List alarms; exit 1 where one is open. Some end only when a person looked into them: ``--handled SOURCE``.

    Example: gongzhi alarms --all
    """
    from dataclasses import asdict

    from portal.boards import alarm_lines
    from portal.nightly import channels_of
    from records.alarms import alarms as kept
    from records.alarms import handle

    with records_of(home) as (places, records):
        if handled is not None:
            handle(records, handled, author, reason, now(), [channel.name for channel in channels_of(places)])
            words(say(f"已办结 {handled} 的告警", f"the alarms of {handled} are handled"))
        found = kept(records, open_only=not every, limit=limit)
    if as_json:
        for alarm in found:
            data(json.dumps(asdict(alarm), ensure_ascii=False, default=lambda value: value.isoformat()))
    else:
        for line in alarm_lines(found):
            data(line)
    raise typer.Exit(Exit.REFUSED if any(alarm.closed_at is None for alarm in found) else Exit.DONE)


@app.command(help=say("来源：从哪里取、何时应报、上次如何", "where data are fetched, when due, how it went last"))
def sources(bureau: OneBureau = None, as_json: Json = False, home: Home = None) -> None:
    """List the sources, malformed declarations with file and line; exit 1 where there is one.

    Example: gongzhi sources --bureau beibei
    """
    from pipelines.board import board as look
    from portal.boards import source_json, source_lines
    from portal.nightly import site_of
    from records.vitals import last_visits
    from schemas.sources import sources as declared

    with records_of(home) as (places, records):
        known, faults = declared(site_of(places))
        found = {key: one for key, one in known.items() if bureau is None or one.bureau == bureau}
        last = last_visits(records)
        lag = look(records, found, _today(), _today(), now()).lag
    if as_json:
        for key, one in found.items():
            data(json.dumps(source_json(one, last.get(key), lag.get(key)), ensure_ascii=False))
        for fault in faults:
            data(json.dumps({"malformed": str(fault), "file": str(fault.file), "line": fault.line}, ensure_ascii=False))
    else:
        for line in source_lines(found, faults, last, lag):
            data(line)
    raise typer.Exit(Exit.REFUSED if faults else Exit.DONE)


@app.command(help=say("备份整个数据目录，并以试恢复核验", "back up the whole home, proved by a trial restore"))
def backup(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help=say("备份目录（默认 GONGZHI_BACKUPS）", "folder of backups"))
    ] = None,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Back up while work goes on, then restore the copy beside and look whether it is whole.

    Example: gongzhi backup -o /srv/backups
    """
    from pipelines.backup import back_up, verify_backup

    with records_of(home) as (places, records):
        target = output.expanduser().resolve() if output else read_night_settings(places.home).backups
        if target is None:
            stop(
                Exit.USE,
                "备份已关闭（GONGZHI_BACKUPS=none）；请用 -o 指明目录",
                "backups are off; name a folder with -o",
            )
        made = back_up(places, records, target, now())
        faults = [*made.damaged, *verify_backup(made.folder, target)]
    if as_json:
        told = {"folder": str(made.folder), "files": made.files, "bytes": made.bytes, "new_files": made.new_files}
        data(json.dumps({**told, "new_bytes": made.new_bytes, "faults": faults}, ensure_ascii=False))
    else:
        data(
            say(
                f"{made.folder}：{made.files} 个文件，新增 {made.new_files} 个、{made.new_bytes} 字节",
                f"{made.folder}: {made.files} files, {made.new_files} new, {made.new_bytes} bytes",
            )
        )
        for place in made.left_out:
            words(say(f"不在备份中：{place}", f"not in the backup: {place}"))
        for fault in faults:
            words(fault)
        words(
            say("试恢复核验通过", "the trial restore is whole")
            if not faults
            else say("备份有问题", "the backup is faulty")
        )
    raise typer.Exit(Exit.BROKEN if faults else Exit.DONE)


@app.command(help=say("把备份恢复到一个新的数据目录", "bring a backup back into a new home"))
def restore(
    folder: Annotated[Path, typer.Argument(metavar="BACKUP", exists=True, file_okay=False)], home: Home = None
) -> None:
    """Restore a backup into an empty or new home and an empty database; every file is checked on the way.

    Example: gongzhi restore backups/2026-04-07T023112 --home restored
    """
    from pipelines.backup import restore as bring_back

    places = places_of(home)
    manifest = bring_back(folder, places, now())
    words(
        say(
            f"已恢复到 {places.home}：{len(manifest.files)} 个文件，证据链到第 {manifest.facts['seq']} 号事件；请运行 gongzhi verify",
            f"restored to {places.home}: {len(manifest.files)} files, chain up to event {manifest.facts['seq']};"
            " now run gongzhi verify",
        )
    )
