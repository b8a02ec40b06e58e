"""What is looked at before the portal opens its door (R32): where something is missing it says so and stays shut.

A home that is only untidy opens all the same, with words: an account whose one-time password has run out can do
nothing, and must not keep everybody else outside.
"""

from __future__ import annotations

import fcntl
import importlib.util
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from expert_registry.errors import ExpertError
from pipelines.batch import Places
from portal.access.gate import Gate, open_gate
from portal.settings import PortalSettings, WrongSetting, read_night_settings
from records.accounts import accounts
from records.errors import RecordsError
from records.keys import KeyRing
from records.store import Records

FREE_BYTES = 256 * 2**20
LEAST_PYTHON = (3, 11)
LEAST_SQLITE = (3, 35)
"""RETURNING, which the records use."""
ADMINISTRATOR = "administrator"


@dataclass(frozen=True, slots=True)
class Looked:
    """One thing looked at; a ``vital`` one that is not well keeps the portal shut."""

    name: str
    ok: bool
    vital: bool
    zh: str
    en: str


def look_before_opening(places: Places, settings: PortalSettings, now: datetime) -> Iterator[Looked]:
    """Look at everything the portal needs; what follows from something missing is not looked at."""
    yield _programs()
    yield from _tried("settings", lambda: read_night_settings(places.home), WrongSetting)
    disk = _disk(places)
    yield disk
    if not disk.ok:  # whatever follows would fail for the same reason
        return
    yield _lock(places)
    yield from _tried("keys", lambda: KeyRing.open(places.keys).current(), RecordsError)
    yield from _tried("font", _font, RecordsError)
    try:
        records = Records.open(places.database_url)
    except RecordsError as error:
        yield Looked("database", False, True, error.message, error.message_en)
        return
    with records:
        yield Looked("database", True, True, "数据库版本合适", "the database fits this program")
        gate = open_gate(places, records)
        yield from _vault(gate)
        yield from _people(gate, now)
    if settings.oidc is not None:
        yield _oidc_library()


def _programs() -> Looked:
    good = sys.version_info >= LEAST_PYTHON and sqlite3.sqlite_version_info >= LEAST_SQLITE
    told = f"Python {'.'.join(map(str, sys.version_info[:3]))}，SQLite {sqlite3.sqlite_version}"
    zh = told if good else f"{told}：过旧。请升级到 Python 3.11、SQLite 3.35 以上"
    en = told if good else f"{told}: too old; Python 3.11 and SQLite 3.35 are the least"
    return Looked("programs", good, True, zh, en)


def _tried(
    name: str, attempt: Callable[[], object], expected: type[RecordsError] | type[WrongSetting]
) -> Iterator[Looked]:
    try:
        attempt()
    except expected as error:
        yield Looked(name, False, True, error.message, error.message_en)
        return
    yield Looked(name, True, True, f"{name} 正常", f"{name}: good")


def _disk(places: Places) -> Looked:
    try:
        with tempfile.NamedTemporaryFile(dir=places.home, prefix=".probe-") as stream:
            stream.write(b"probe")
            stream.flush()
        free = shutil.disk_usage(places.home).free
    except OSError as error:
        why = error.strerror or str(error)
        return Looked(
            "disk", False, True, f"{places.home} 不可写：{why}。请检查属主与权限、剩余空间、是否只读挂载",
            f"{places.home} cannot be written: {why}; look at its owner and mode, at free space, at read-only mounts",
        )  # fmt: skip
    if free < FREE_BYTES:
        return Looked(
            "disk", False, True, f"{places.home} 只剩 {free / 2**20:.0f} MB，至少需要 {FREE_BYTES / 2**20:.0f} MB。请清理磁盘",
            f"only {free / 2**20:.0f} MB are free at {places.home}, {FREE_BYTES / 2**20:.0f} MB are the least",
        )  # fmt: skip
    return Looked("disk", True, True, f"{places.home} 可写，剩余 {free / 2**30:.1f} GB", f"{free / 2**30:.1f} GB free")


def _lock(places: Places) -> Looked:
    """Try the lock SQLite and the backup rely on; some network file systems grant it to everybody."""
    try:
        with tempfile.NamedTemporaryFile(dir=places.home, prefix=".probe-") as one, Path(one.name).open("rb") as two:
            fcntl.flock(one, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                fcntl.flock(two, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return Looked("lock", True, True, "文件锁有效", "file locks work")
    except OSError:
        pass
    return Looked(
        "lock", False, True, f"{places.home} 所在的文件系统不支持文件锁。请把数据目录放在本机磁盘上",
        f"the file system of {places.home} has no working locks; put the home on a local disk",
    )  # fmt: skip


def _font() -> object:
    from records.paper import font_of_pages

    return font_of_pages()


def _vault(gate: Gate) -> Iterator[Looked]:
    sealed = [one for one in accounts(gate.records) if one.factor_sealed]
    if not sealed and not gate.vault_folder.is_dir():
        return
    try:
        gate.vault()
    except ExpertError as error:
        yield Looked("vault", False, True, error.message, error.message_en)
        return
    yield Looked("vault", True, True, "第二因素与专家信息的密钥可用", "the key of sealed secrets can be used")


def _people(gate: Gate, now: datetime) -> Iterator[Looked]:
    """Look for passwords nobody ever changed, and for bureaus nobody administers."""
    known = [one for one in accounts(gate.records) if one.disabled_at is None]
    stale = [one.login for one in known if one.one_time_until is not None and one.one_time_until <= now]
    if stale:
        names = "、".join(stale[:8]) + ("……" if len(stale) > 8 else "")
        yield Looked(
            "one-time-passwords", False, False,
            f"{len(stale)} 个账户的一次性密码已过期，从未修改：{names}。请 gongzhi users reset 或 disable",
            f"the one-time password of {len(stale)} accounts ran out unchanged: {names}; reset or disable them",
        )  # fmt: skip
    for bureau in sorted(gate.bureaus):
        able = [one for one in known if one.bureau == bureau and ADMINISTRATOR in one.roles and one.login not in stale]
        if not able:
            yield Looked(
                "administrator", False, False,
                f"单位 {bureau} 没有可登录的系统管理员。请 gongzhi users add 或 reset",
                f"nobody can sign in as administrator of {bureau}; use gongzhi users add or reset",
            )  # fmt: skip


def _oidc_library() -> Looked:
    found = importlib.util.find_spec("joserfc") is not None
    zh = "统一身份认证可用" if found else "缺少软件包 joserfc，统一身份认证无法使用。请重新安装本程序"
    return Looked("oidc", found, True, zh, "single sign-on can be used" if found else "the package joserfc is missing")
