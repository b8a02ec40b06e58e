"""The chores of a night, after the sources: seal, checkpoint, pages, compaction, vacuum, scrub, chain, backup, space.

They run in this order, so that what is checked and copied is what the night left. One that fails is told and stops no
other. On a quiet night, when nothing came since a chore was last done, there is nothing for it to do.
"""

from __future__ import annotations

import json
import os
import shutil
import time
import traceback
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.backup import back_up, newest, newest_backup, verify_backup
from pipelines.batch import Places
from pipelines.disk import flush
from pipelines.errors import PublishError, RoadError, Stopped
from pipelines.manifest import damaged_files, read_manifest
from pipelines.publish.catalogue import is_current, write_catalogue
from pipelines.publish.compact import Compacted, compact, vacuum
from pipelines.publish.store import scrub
from records.chain import ChainPosition, verify_chain
from records.errors import LeaseLost, RecordsError
from records.keys import KeyRing
from records.receipts import write_receipt
from records.seals import checkpoint, seal_day
from schemas.contracts import Table, tables
from schemas.loaders import bureaus

if TYPE_CHECKING:
    from pipelines.validate.gate import Gate
    from records.store import DataFile, Records

DOCS_DAYS = 31
RECENT = timedelta(days=7)
SHARES = 7
"""Older data files are read once in so many nights."""
LEAST_FREE, LEAST_SHARE = 2 * 2**30, 0.05
BACKUP_AGE = timedelta(hours=36)
"""On quiet nights a backup may become this old: what keeps the house is worth a copy too."""
HOUSEKEEPING = frozenset({"run", "coalesced", "alarm-opened", "alarm-closed", "repeated", "restored"})
"""Events that bring nothing a chore would have to do again."""
SHOWN = 20
"""Names of damaged files told of one chore."""
DAMAGED = ("damaged-file", "damaged-log")
"""Errors that are no matter of upkeep: they are told as the scrub tells damage."""
STATE = "chores.json"


@dataclass(frozen=True, slots=True)
class Chore:
    """What became of one chore."""

    name: str
    ok: bool
    skipped: bool
    told: dict[str, Any]
    message: str
    message_en: str
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Give one entry of ``chores`` in the summary of a run."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Told:
    message: str
    message_en: str
    told: dict[str, Any] = field(default_factory=dict)
    ok: bool = True
    skipped: bool = False


@dataclass
class _Home:
    """What the chores work on; ``done`` tells up to which event each was last done."""

    records: Records
    places: Places
    clock: Callable[[], datetime]
    gate: Callable[[], Gate]
    backups: Path | None
    stopping: Callable[[], bool]
    confirm: Callable[[], None]
    day: date
    full: bool
    done: dict[str, Any]
    head: ChainPosition

    def news(self, name: str, kinds: Collection[str] = ()) -> bool:
        """Whether something came since the chore was last done (of these kinds, if named)."""
        seen = self.done.get(name)
        if self.full or not isinstance(seen, int) or seen > self.head.seq:
            return True
        since = {event.kind for event in self.records.events(after=seen, limit=None)} - HOUSEKEEPING
        return bool(since & set(kinds) if kinds else since)


def chores(
    records: Records,
    places: Places,
    clock: Callable[[], datetime],
    *,
    gate: Callable[[], Gate],
    backups: Path | None,
    stopping: Callable[[], bool],
    day: date,
    full: bool,
    confirm: Callable[[], None] = lambda: None,
) -> Iterator[Chore]:
    """Do the chores one by one and tell of each.

    Parameters
    ----------
    gate : callable
        Gives the gate's process; it is asked for only when pages are built.
    backups : Path, optional
        Where backups go; None: none are made.
    day : date
        The China day that has ended and is sealed.
    full : bool
        The weekly round: everything is done and read, whatever came.
    confirm : callable
        Called before each chore and before a table is committed; raises where this process may no longer write.

    Raises
    ------
    Stopped, LeaseLost
        Between two chores or within a long one; the next run does what is left.
    """
    state = places.home / STATE
    home = _Home(
        records, places, clock, gate, backups, stopping, confirm, day, full, _read_state(state), records.head()
    )
    for name, work in CHORES.items():
        if stopping():
            raise Stopped
        confirm()
        before = dict(home.done)
        began = time.monotonic()
        told = _try(work, home)
        if home.done != before:
            _write(state, json.dumps(home.done, sort_keys=True))
        seconds = round(time.monotonic() - began, 3)
        yield Chore(name, told.ok, told.skipped, told.told, told.message, told.message_en, seconds)


def _try(work: Callable[[_Home], _Told], home: _Home) -> _Told:
    try:
        return work(home)
    except (Stopped, LeaseLost):
        raise
    except (RoadError, RecordsError) as error:
        return _Told(error.message, error.message_en, {"code": error.code}, ok=False)
    except Exception as error:  # a bug or a full disk must not keep the other chores from being done
        said = f"{type(error).__name__}: {error}"
        return _Told(f"出错：{said}", f"failed: {said}", {"trace": traceback.format_exc()}, ok=False)


def _nothing(message: str, message_en: str) -> _Told:
    return _Told(message, message_en, skipped=True)


def _quiet() -> _Told:
    return _nothing("上次之后没有新内容", "nothing came since it was last done")


def _read_state(path: Path) -> dict[str, Any]:
    try:
        state = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):  # only spares work: without it everything is done
        return {}
    return state if isinstance(state, dict) else {}


def _write(path: Path, text: str) -> bool:
    """Write a file whole or not at all; False where it says so already."""
    if path.is_file() and path.read_text("utf-8") == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with open(part, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    flush(path.parent)
    return True


# -- evidence ------------------------------------------------------------------------------------------------------


def _seal(home: _Home) -> _Told:
    seal = seal_day(home.records, home.day, home.clock(), KeyRing.open(home.places.keys).current())
    return _Told(
        f"{seal.day} 已封存（第 {seal.number} 号，到第 {seal.seq} 条事件）",
        f"{seal.day} is sealed (number {seal.number}, up to event {seal.seq})",
        {"number": seal.number, "day": seal.day.isoformat(), "seq": seal.seq},
    )


def _checkpoint(home: _Home) -> _Told:
    """Write the newest seal for this home and for each bureau that takes part."""
    document = checkpoint(home.records)
    if document is None:
        return _nothing("还没有封存", "nothing is sealed yet")
    facts = home.places.site_facts if home.places.site_facts.is_dir() else None
    parties = sorted(code for code, bureau in bureaus(facts).items() if bureau.kind == "bureau")
    root, name = home.places.home / "checkpoints", f"{document['day']}.json"
    written = [_write(folder / name, write_receipt(document)) for folder in (root, *(root / code for code in parties))]
    told = {"day": document["day"], "seq": document["seq"], "bureaus": parties, "written": sum(written)}
    if not any(written):
        return _Told("检查点已经写过", "the checkpoint was written before", told, skipped=True)
    return _Told(
        f"{document['day']} 的检查点已写给 {len(parties)} 个单位",
        f"the checkpoint of {document['day']} is written for {len(parties)} bureaus",
        told,
    )


def _chain(home: _Home) -> _Told:
    """Check the events since the last check; on the weekly round, or after a fault, all of them."""
    seen = home.done.pop("chain", None)
    after = None
    if isinstance(seen, list) and not home.full and seen[0] <= home.head.seq:
        after = ChainPosition(*seen)
    keys = KeyRing.open(home.places.keys).public_keys()
    report = verify_chain(home.records, keys, after=after)
    first = after.seq + 1 if after is not None else 1
    told = {"events": report.events, "from": first, "seals": report.seals, "clock_back": list(report.clock_back)}
    if not report.ok:
        return _Told(report.reason_zh, report.reason_en, {**told, "first_bad": report.first_bad}, ok=False)
    home.done["chain"] = [home.head.seq, home.head.sha256, home.head.sm3]
    return _Told(report.reason_zh, report.reason_en, told)


def _docs(home: _Home) -> _Told:
    if not home.news("docs", ("published", "held")):
        return _nothing("上次之后没有发布", "nothing was published since they were built")
    runs = home.gate().build_docs(home.clock() - timedelta(days=DOCS_DAYS))
    home.done["docs"] = home.head.seq
    return _Told(f"数据质量页已更新，共 {runs} 次复核", f"Data Docs show {runs} runs of the gate", {"runs": runs})


# -- tables --------------------------------------------------------------------------------------------------------


def _compact(home: _Home) -> _Told:
    """Compact each table; one that is damaged stands in no other's way."""
    if not home.news("compact"):
        return _quiet()
    made: list[Compacted] = []
    faults: list[PublishError] = []
    for table in tables().values():
        if home.stopping():
            raise Stopped
        try:
            done = _compact_one(home, table)
        except PublishError as error:
            faults.append(error)
        else:
            made += [done] if done is not None else []
    if not any(fault.code == "damaged-log" for fault in faults):
        _renew_catalogue(home)
    told: dict[str, Any] = {"tables": [asdict(done) for done in made]}
    if faults:
        told["damaged"] = [fault.message_en for fault in faults if fault.code in DAMAGED]
        zh, en = "；".join(fault.message for fault in faults), "; ".join(fault.message_en for fault in faults)
        return _Told(f"其余表已合并；{zh}", f"the other tables are done; {en}", told, ok=False)
    if all(done.version is not None for done in made):
        home.done["compact"] = home.head.seq
    if not made:
        return _nothing("没有值得合并的小文件", "no small files worth compacting")
    before, after = sum(done.files_before for done in made), sum(done.files_after for done in made)
    return _Told(f"{before} 个小文件合并为 {after} 个", f"{before} small files became {after}", told)


def _renew_catalogue(home: _Home) -> None:
    """Write the catalogue where versions came since; on the weekly round in any case: facts on bureaus may have changed."""
    places = home.places
    if home.full or not is_current(places.tables, places.catalogue):
        write_catalogue(places.tables, places.catalogue, places.site_facts if places.site_facts.is_dir() else None)


def _compact_one(home: _Home, table: Table) -> Compacted | None:
    return compact(
        table, home.places.tables, home.records, home.places.home / "locks", home.clock(),
        confirm=home.confirm, stopping=home.stopping,
    )  # fmt: skip


def _vacuum(home: _Home) -> _Told:
    if not home.news("vacuum"):
        return _quiet()
    gone = {}
    for name, table in tables().items():
        if home.stopping():
            raise Stopped
        gone[name] = len(vacuum(table, home.places.tables))
    home.done["vacuum"] = home.head.seq
    count = sum(gone.values())
    return _Told(f"清除 {count} 个不再需要的文件", f"{count} files no longer needed were removed", {"files": gone})


def _scrub(home: _Home) -> _Told:
    """Compare data files with the hashes in the records: new ones every night, old ones in turn."""
    files = home.records.files()
    if not files:
        return _nothing("还没有数据文件", "there are no data files yet")
    chosen = files if home.full else [file for file in files if _due(home, file)]
    bad = scrub(home.places.tables, _watched(chosen, home.stopping))
    told = {"files": len(chosen), "of": len(files), "bad": [f"{f.table}/{f.path}: {why}" for f, why in bad[:SHOWN]]}
    if bad:
        names = [f"{f.table}/{f.path}" for f, _ in bad[:3]]
        return _Told(
            f"{len(bad)} 个数据文件损坏或缺失：{'、'.join(names)}；请从备份恢复或运行 gongzhi rebuild",
            f"{len(bad)} data files are damaged or missing: {', '.join(names)}; restore them or run gongzhi rebuild",
            told,
            ok=False,
        )
    return _Told(f"{len(chosen)} 个文件的校验和一致", f"the hashes of {len(chosen)} files agree", told)


def _due(home: _Home, file: DataFile) -> bool:
    if zlib.crc32(file.path.encode()) % SHARES == home.day.toordinal() % SHARES or "://" in home.places.tables:
        return True
    try:
        written = (Path(home.places.tables) / file.table / file.path).stat().st_mtime
    except OSError:  # a missing file is to be told
        return True
    return written > (home.clock() - RECENT).timestamp()


def _watched(files: Iterable[DataFile], stopping: Callable[[], bool]) -> Iterator[DataFile]:
    for file in files:
        if stopping():
            raise Stopped
        yield file


# -- copies and space ----------------------------------------------------------------------------------------------


def _backup(home: _Home) -> _Told:
    """Make a backup and verify it; what an earlier one has lost is copied anew."""
    if home.backups is None:
        return _nothing("没有设置备份位置", "no place for backups is set")
    last, made_at = newest(home.backups), newest_backup(home.backups)
    if last is not None and made_at is not None and home.clock() - made_at < BACKUP_AGE and not home.news("backup"):
        return _quiet()
    distrust: list[str] = []
    if last is not None and (home.full or home.done.pop("backup", None) is None):
        distrust = list(damaged_files(last, read_manifest(last), full=True, stopping=home.stopping))
    made = back_up(
        home.places, home.records, home.backups, home.clock(), stopping=home.stopping, distrust=frozenset(distrust)
    )
    faults = verify_backup(made.folder, home.backups, stopping=home.stopping)
    told = {
        "backup": made.folder.name, "files": made.files, "bytes": made.bytes, "new_files": made.new_files,
        "new_bytes": made.new_bytes, "left_out": list(made.left_out), "removed": list(made.removed),
        "copied_again": distrust[:SHOWN], "damaged": list(made.damaged[:SHOWN]), "faults": faults[:SHOWN],
    }  # fmt: skip
    if faults or made.damaged:
        first = faults[0] if faults else f"{made.damaged[0]} 已损坏 / {made.damaged[0]} is damaged"
        zh, en = first.split(" / ", 1)
        return _Told(f"备份有问题：{zh}", f"the backup is not sound: {en}", told, ok=False)
    home.done["backup"] = home.head.seq
    return _Told(
        f"备份 {made.folder.name} 已完成并试恢复：{made.files} 个文件，新复制 {made.new_files} 个",
        f"backup {made.folder.name} is made and was restored for a test: {made.files} files, {made.new_files} new",
        told,
    )


def _space(home: _Home) -> _Told:
    free = {"home": shutil.disk_usage(home.places.home)}
    if home.backups is not None and home.backups.is_dir():
        free["backups"] = shutil.disk_usage(home.backups)
    told = {name: {"free": usage.free, "total": usage.total} for name, usage in free.items()}
    least = min(free.values(), key=lambda usage: usage.free)
    gigabytes = least.free / 2**30
    if any(usage.free < LEAST_FREE or usage.free < LEAST_SHARE * usage.total for usage in free.values()):
        return _Told(
            f"磁盘只剩 {gigabytes:.1f} GB，请尽快清理或扩容",
            f"only {gigabytes:.1f} GB of disk are free; make room soon",
            told,
            ok=False,
        )
    return _Told(f"磁盘剩余 {gigabytes:.1f} GB", f"{gigabytes:.1f} GB of disk are free", told)


CHORES: dict[str, Callable[[_Home], _Told]] = {
    "seal": _seal,
    "checkpoint": _checkpoint,
    "docs": _docs,
    "compact": _compact,
    "vacuum": _vacuum,
    "scrub": _scrub,
    "chain": _chain,
    "backup": _backup,
    "space": _space,
}
