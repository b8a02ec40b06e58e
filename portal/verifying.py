"""Evidence and surroundings: receipts, chain, tables; and whether this machine can do the work."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.batch import Places
from portal.words import say

if TYPE_CHECKING:
    from records.store import Records


def verify_receipt_file(file: Path, upload: Path | None, places: Places | None) -> tuple[bool, list[str]]:
    """Check a receipt off line; against this home's keys where there is one."""
    from records.keys import KeyRing
    from records.receipts import verify_receipt

    trusted = None
    if places is not None and (places.keys / "current").exists():
        trusted = KeyRing.open(places.keys).public_keys()
    try:
        report = verify_receipt(file.read_bytes(), trusted, upload)
    except OSError as error:
        return False, [say(f"不能读取 {file}：{error.strerror}", f"cannot read {file}: {error.strerror}")]
    return report.ok, [say(report.reason_zh, report.reason_en)]


def verify_slip_file(file: Path, places: Places | None, now: datetime) -> tuple[bool, list[str]]:
    """Check a query slip off line; with a home, against its keys and whether what it shows is still so.

    What has changed is counted, not told: who wants to know it asks again, and leaves a trace.
    """
    from portal.credit import desk_of
    from portal.credit_lists import check_slip, keys_of
    from records.store import Records

    if not file.is_file():
        return False, [say(f"没有文件 {file}", f"there is no file {file}")]
    if places is None or not places.home.is_dir():
        check = check_slip(file, None, None, now)
    else:
        with Records.open(places.database_url) as records, desk_of(places, records, now) as desk:
            check = check_slip(file, keys_of(places.keys), desk, now)
    lines = [say(check.message, check.message_en)]
    if check.changes:
        count = len(check.changes)
        lines.append(say(f"有 {count} 处变化，请重新查询", f"{count} things changed; ask again"))
    return check.status == "valid", lines


def verify_records(places: Places, records: Records, what: str | None) -> tuple[bool, list[str]]:
    """Check the chain, the tables, or both."""
    ok, lines = True, []
    if what in (None, "chain"):
        from records.chain import verify_chain
        from records.keys import KeyRing

        keys = KeyRing.open(places.keys).public_keys() if (places.keys / "current").exists() else None
        report = verify_chain(records, keys)
        ok = ok and report.ok
        lines.append(
            say(f"证据链：{report.events} 条事件，完整", f"chain: {report.events} events, whole")
            if report.ok
            else say(f"证据链：{report.reason_zh}", f"chain: {report.reason_en}")
        )
    if what in (None, "tables"):
        from pipelines.publish.store import scrub

        files = records.files()
        bad = scrub(places.tables, files)
        ok = ok and not bad
        lines.append(
            say(f"数据表：{len(files)} 个文件的校验和一致", f"tables: the hashes of {len(files)} files agree")
            if not bad
            else say(
                f"数据表：损坏的文件 {'、'.join(f'{f.table}/{f.path}（{why}）' for f, why in bad)}",
                f"tables: damaged files {', '.join(f'{f.table}/{f.path} ({why})' for f, why in bad)}",
            )
        )
    return ok, lines


def examine(places: Places | None, now: datetime) -> Iterator[tuple[bool, str, str]]:
    """Look at what the road needs, one line each."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield sys.version_info >= (3, 11), f"Python {version}", f"Python {version}"
    yield (
        True,
        f"SQLite {sqlite3.sqlite_version}（回滚日志方式）",
        f"SQLite {sqlite3.sqlite_version} (rollback journal)",
    )
    yield _facts()
    if places is None:
        yield True, "未指明数据目录，只检查了环境", "no home named: only the surroundings were checked"
        return
    if not places.home.is_dir():
        yield False, f"{places.home} 不存在，请运行 gongzhi init", f"{places.home} is not there: run gongzhi init"
        return
    writable = os.access(places.home, os.W_OK)
    yield (
        writable,
        f"{places.home} {'可写' if writable else '不可写'}",
        f"{places.home} is {'' if writable else 'not '}writable",
    )
    free = shutil.disk_usage(places.home).free / 2**30
    yield free > 1, f"剩余空间 {free:.1f} GB", f"{free:.1f} GB free"
    yield from _records(places)


def _facts() -> tuple[bool, str, str]:
    from pipelines.validate.judge import check_rules
    from schemas.files import MalformedFact
    from schemas.layouts import layouts
    from schemas.loaders import bureaus, parameters, tables
    from schemas.rules import all_rules

    try:
        check_rules()
        counts = (len(parameters()), len(all_rules()), len(layouts()), len(bureaus()), len(tables()))
    except (MalformedFact, ValueError) as error:
        return False, f"事实文件有误：{error}", f"malformed facts: {error}"
    return (
        True,
        "事实：{} 个项目，{} 条规则，{} 种公共格式，{} 个报送单位，{} 张表".format(*counts),
        "facts: {} parameters, {} rules, {} public layouts, {} senders, {} tables".format(*counts),
    )


def _records(places: Places) -> Iterator[tuple[bool, str, str]]:
    from records.errors import RecordsError
    from records.keys import KeyRing
    from records.store import Records

    try:
        with Records.open(places.database_url) as records:
            faults = records.integrity()
            yield (
                not faults,
                "数据库完好" if not faults else f"数据库：{'；'.join(faults)}",
                "database is sound" if not faults else "; ".join(faults),
            )
            waiting = records.unfinished()
            yield (
                True,
                f"未完成的批次 {len(waiting)} 个（下次提交时自动续办）",
                f"{len(waiting)} unfinished batches (taken up at the next submit)",
            )
        key = KeyRing.open(places.keys).current()
        mode = (places.keys).stat().st_mode & 0o077
        yield mode == 0, f"签名密钥 {key.key_id}", f"signing key {key.key_id}"
    except RecordsError as error:
        yield False, error.message, error.message_en
