"""The state of the whole: sources, jobs, back-ups, the rules in force and the settings; read only."""

from __future__ import annotations

import platform
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.responses import Response

from pipelines.backup import newest_backup
from pipelines.board import board, china_day
from portal.settings import NightSettings, WrongSetting, read_night_settings
from portal.web.asking import Ask
from portal.web.pages import age, page
from portal.web.words import DATASETS
from records.database import known_revisions
from records.runs import Run, runs
from records.vitals import last_successes, last_visits, outbox_waiting
from schemas.limits import standards
from schemas.rules import all_rules, rules_hash
from schemas.sources import sources as declared

RUNS = 30
JOBS = {
    "night": ("夜间任务", "the night"), "hour": ("每小时收取", "the hour"), "sync": ("手工运行", "run by hand"),
    "delivery": ("告警投递", "alarms delivered"),
}  # fmt: skip
RUN_STATES = {
    "running": ("进行中", "running", ""), "done": ("完成", "done", "good"), "failed": ("失败", "failed", "bad"),
    "coalesced": ("并入后一次", "taken together", "warn"),
}  # fmt: skip
KINDS = {
    "listing": ("网页目录", "listing"), "api": ("接口", "API"), "file": ("文件地址", "file"), "folder": ("文件夹", "folder"),
}  # fmt: skip
VISITS = {
    "new": ("有新数据", "new", "good"), "unchanged": ("无变化", "unchanged", "good"), "empty": ("空", "empty", "warn"),
    "failed": ("失败", "failed", "bad"), "skipped": ("跳过", "skipped", "warn"), "running": ("进行中", "running", ""),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class BackupState:
    """The newest back-up, and what its test restoration said."""

    folder: str
    made_at: datetime | None
    hours: float | None
    verified: tuple[bool, str, str] | None
    at: datetime | None

    @property
    def tone(self) -> str:
        """Say how good that is."""
        fresh = self.hours is not None and self.hours < 50
        return "good" if fresh and self.verified is not None and self.verified[0] else "bad" if not fresh else "warn"


def overview(ask: Ask) -> Response:
    """Show sources, jobs and back-ups."""
    records, site = ask.site.records, ask.site.places.site_facts
    found, wrong = declared(site if site.is_dir() else None)
    today = china_day(ask.at)
    lag = board(records, found, today, today, ask.at).lag
    ledger = runs(records, limit=RUNS)
    return page(
        ask, "office/overview.html",
        sources=found, wrong=len(wrong), visits=last_visits(records), successes=last_successes(records),
        ages={key: age(ask.words, lag.get(key)) for key in found}, ledger=ledger, jobs=JOBS, run_states=RUN_STATES,
        seconds={run.run_id: _seconds(run) for run in ledger}, visit_states=VISITS, source_kinds=KINDS,
        datasets=DATASETS, backup=_backup(ask), waiting=outbox_waiting(records), own=ask.me.bureau,
    )  # fmt: skip


def rules(ask: Ask) -> Response:
    """Show the rules in force and the editions of the standards behind them."""
    by_table: dict[str, list[Any]] = {}
    for rule in all_rules():
        by_table.setdefault(rule.table, []).append(rule)
    return page(
        ask, "office/rules.html", hash=rules_hash(), tables=by_table, editions=standards(), today=china_day(ask.at)
    )


def settings(ask: Ask) -> Response:
    """Show the settings; a secret is only said to be set."""
    night, portal = _night(ask), ask.site.settings
    say, places = ask.words, ask.site.places
    told = [
        (say("数据目录", "home"), "GONGZHI_HOME", str(places.home)),
        (say("数据库", "database"), "GONGZHI_DATABASE_URL", _database(places.database_url)),
        (say("数据库版本", "schema revision"), "", known_revisions()[-1]),
        (say("共享数据表", "shared tables"), "GONGZHI_TABLES", places.tables.partition("?")[0]),
        (say("监听地址", "listens on"), "GONGZHI_PORTAL_BIND", f"{portal.bind[0]}:{portal.bind[1]}"),
        (say("对外地址", "public address"), "GONGZHI_PORTAL_ADDRESS", portal.address or say("仅本机", "this machine only")),
        (say("可信代理", "trusted proxies"), "GONGZHI_PORTAL_PROXIES", "、".join(portal.proxies)),
        (say("统一身份认证", "single sign-on"), "portal.toml [oidc]", portal.oidc.issuer if portal.oidc else say("未启用", "off")),
    ]  # fmt: skip
    if night is not None:
        token = (
            say("已设置", "set") if night.metrics_token else say("未设置（仅本机可读）", "not set: this machine only")
        )
        told += [
            (say("夜间任务", "the night"), "GONGZHI_NIGHT", night.at.strftime("%H:%M")),
            (say("备份位置", "backups"), "GONGZHI_BACKUPS", str(night.backups or say("不备份", "none"))),
            (say("监控令牌", "metrics token"), "GONGZHI_METRICS_TOKEN", token),
        ]
    programs = [("Python", platform.python_version()), ("SQLite", sqlite3.sqlite_version)]
    return page(ask, "office/settings.html", told=told, programs=programs, access=ask.site.gate.rules)


def _night(ask: Ask) -> NightSettings | None:
    try:
        return read_night_settings(ask.site.places.home)
    except WrongSetting:  # the service of the night says so; here it must not cost the page
        return None


def _backup(ask: Ask) -> BackupState:
    night = _night(ask)
    folder = night.backups if night is not None else None
    made = newest_backup(folder) if folder is not None and folder.is_dir() else None
    hours = None if made is None else (ask.at - made).total_seconds() / 3600
    verified, at = None, None
    for run in runs(ask.site.records, limit=200):
        chore = (run.summary.get("chores") or {}).get("backup")
        if chore and not chore.get("skipped") and run.finished_at is not None:
            verified, at = (bool(chore["ok"]), str(chore["message"]), str(chore["message_en"])), run.finished_at
            break
    return BackupState(str(folder) if folder is not None else "", made, hours, verified, at)


def _seconds(run: Run) -> float | None:
    return None if run.finished_at is None else (run.finished_at - run.started_at).total_seconds()


def _database(url: str) -> str:
    """Name the kind of database; an address may hold a password."""
    return "SQLite" if url.startswith("sqlite") else "PostgreSQL"
