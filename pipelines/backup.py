"""Backup of a whole home, its verification and its restoration.

The records are copied first, the shared tables after them, each at the newest version whose batches those records
know: what the copy of the records calls published is in the tables, and nothing is in the tables that it never heard
of. A home restored from a backup takes up what was under way as after a crash.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.batch import Places
from pipelines.disk import flush
from pipelines.errors import RoadError
from pipelines.manifest import (
    BackupError,
    Copier,
    Entry,
    Manifest,
    backups,
    copy,
    damaged_files,
    link,
    prune,
    read_manifest,
    write_manifest,
)
from pipelines.publish.store import open_table
from records.backup import address_of, is_free, snapshot, soundness
from records.backup import restore as restore_records
from records.chain import verify_chain
from records.keys import KeyRing
from records.store import Records
from schemas.contracts import tables

if TYPE_CHECKING:
    from pipelines.publish.store import Shared

CHINA = timezone(timedelta(hours=8))
STAMP = "%Y-%m-%dT%H%M%S"
STEADY = ("uploads", "batches")
"""Folders of a home whose files are written once."""
CREDIT = tuple(f"credit/{name}" for name in ("crosswalks", "draws", "screenings", "slips"))
"""What the credit register keeps, but for secrets of draws; the register itself is built from the tables again."""
EXPERTS = ("experts/uploads",)
"""Expert lists as they came in, sealed; the keys in ``vault`` are in no backup, or a stolen one could be read."""
READ = ("bureaus", "catalogue", "checkpoints", "keys", "nights", *CREDIT, *EXPERTS)
"""Folders whose files may change: they are read every time."""
RECORDS = "records.db"
DAILY, WEEKLY, MONTHLY = 7, 5, 12


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was made; ``damaged`` names live files that are not what they should be."""

    folder: Path
    files: int
    bytes: int
    new_files: int
    new_bytes: int
    left_out: tuple[str, ...]
    damaged: tuple[str, ...]
    removed: tuple[str, ...]


def newest(target: Path) -> Path | None:
    """Give the newest whole backup below a folder."""
    found = _before(target)
    return found[0] if found is not None else None


def newest_backup(target: Path) -> datetime | None:
    """When the newest backup below a folder was made, by its name alone."""
    found = backups(target)
    return _moment(found[-1]) if found else None


def _before(target: Path) -> tuple[Path, Manifest] | None:
    for folder in reversed(backups(target)):
        with suppress(BackupError):
            return folder, read_manifest(folder)
    return None


def back_up(
    places: Places,
    records: Records,
    target: Path,
    now: datetime,
    *,
    stopping: Callable[[], bool] = lambda: False,
    distrust: Collection[str] = (),
) -> Backup:
    """Copy everything a home cannot make again into ``<target>/<China time>/``, while work goes on.

    Parameters
    ----------
    distrust : collection of str
        Files whose copies in the backup before are damaged: they are copied anew.

    Raises
    ------
    BackupError
        ``backup-busy``: another backup into this folder is going on.
    Stopped
        Asked to stop; no half backup stays.
    """
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone(target):
        stamp = _free_stamp(target, now.astimezone(CHINA))
        for rest in (*target.glob(".part-*"), *target.glob(".gone-*"), *target.glob(".restored-*")):
            shutil.rmtree(rest)
        part = Path(tempfile.mkdtemp(prefix=".part-", dir=target))
        try:
            copier = Copier(part, stamp, _before(target), stopping, distrust)
            facts = _gather(copier, places, records)
            write_manifest(part, Manifest(stamp, now, facts, copier.files))
            part.rename(target / stamp)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
        flush(target)
        removed = prune(target, _moment, daily=DAILY, weekly=WEEKLY, monthly=MONTHLY)
    fresh = [entry for entry in copier.files.values() if entry.since == stamp]
    return Backup(
        target / stamp,
        len(copier.files),
        sum(entry.bytes for entry in copier.files.values()),
        len(fresh),
        sum(entry.bytes for entry in fresh),
        tuple(facts["left_out"]),
        tuple(copier.damaged),
        tuple(removed),
    )


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    handle = os.open(target / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BackupError(
                "backup-busy",
                f"另一个备份正在写入 {target}，请等它结束后再试",
                f"another backup into {target} is going on; try again when it has ended",
            ) from error
        yield
    finally:
        os.close(handle)


def _free_stamp(target: Path, at: datetime) -> str:
    while (target / at.strftime(STAMP)).exists():
        at += timedelta(seconds=1)
    return at.strftime(STAMP)


def _moment(folder: Path) -> datetime:
    return datetime.strptime(folder.name, STAMP).replace(tzinfo=CHINA)


def _gather(copier: Copier, places: Places, records: Records) -> dict[str, Any]:
    """Take everything into the new backup, the records first; say of what moment it is."""
    file = copier.folder / RECORDS
    snapshot(records, file)
    copier.made(RECORDS)
    with Records.open(address_of(file)) as kept:
        head = kept.head()
        versions = dict(_take_tables(copier, places, kept))
    for name in (*STEADY, *READ):
        for source in _files_below(places.home / name):
            path = f"{name}/{source.relative_to(places.home / name).as_posix()}"
            expected = source.name if name == "uploads" and len(source.name) == 64 else None
            copier.take(source, path, steady=name in STEADY, sha256=expected)
    for source in sorted(places.home.glob("*.toml")):
        copier.take(source, source.name, steady=False)
    left_out = [places.tables] if "://" in places.tables else []
    return {"seq": head.seq, "sha256": head.sha256, "tables": versions, "left_out": left_out}


def _files_below(folder: Path) -> Iterator[Path]:
    """Give the finished files below a folder; what is being written has a name with a dot."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and (Path(place) / name).is_file():
                yield Path(place) / name


def _take_tables(copier: Copier, places: Places, kept: Records) -> Iterator[tuple[str, int]]:
    """Take each local table at the newest version the copied records know, data files before the log."""
    if "://" in places.tables:
        return
    begun = {publication.batch_id for publication in kept.publications(unfinished=True)}
    finished = {publication.batch_id for publication in kept.publications()}
    hashes = {(file.table, file.path): file.sha256 for file in kept.files(retired=True)}
    for name, table in tables().items():
        shared = open_table(table, places.tables)
        if shared is None:
            continue
        version = _fitting(shared, begun, finished)
        shared = shared if version == shared.version else open_table(table, places.tables, version=version)
        assert shared is not None and shared.folder is not None
        for file in shared.files:
            copier.take(
                shared.folder / file.path,
                f"tables/{name}/{file.path}",
                steady=True,
                sha256=hashes.get((name, file.path)),
            )
        for path in shared.log_files():
            copier.take(shared.folder / path, f"tables/{name}/{path}", steady=True)
        yield name, version


def _fitting(shared: Shared, begun: set[str], finished: set[str]) -> int:
    """The newest version before any batch that began only after the records were copied."""
    version = shared.version
    for entry in shared.newest_first():
        batch = entry.get("batch_id")
        if batch in finished:
            break
        if batch is not None and batch not in begun:
            version = int(entry["version"]) - 1
    return version


# -- verification --------------------------------------------------------------------------------------------------


def verify_backup(
    folder: Path, scratch: Path, *, full: bool = False, stopping: Callable[[], bool] = lambda: False
) -> list[str]:
    """Restore a backup beside, and look whether it is whole and fits together; give what is wrong, in words.

    Parameters
    ----------
    full : bool
        Read every file again, also those that earlier backups copied.
    """
    try:
        manifest = read_manifest(folder)
    except BackupError as error:
        return [str(error)]
    faults = [_fault(path) for path in damaged_files(folder, manifest, full=full, stopping=stopping)]
    with tempfile.TemporaryDirectory(prefix=".restored-", dir=scratch) as place:
        home = Path(place)
        for path, entry in manifest.files.items():
            source = folder / path
            if source.is_file() and (path == RECORDS or not link(source, home / path)):
                copy(source, home / path, entry.mode)  # the records are opened, so they are copied
        return faults + (_examine(home, manifest) if RECORDS in manifest.files else [_fault(RECORDS)])


def _fault(path: str) -> str:
    return f"备份中的文件 {path} 缺失或损坏 / the file {path} of the backup is missing or damaged"


def _examine(home: Path, manifest: Manifest) -> list[str]:
    """Look at a restored home: records, chain, tables, and that all that was published is there."""
    faults = soundness(home / RECORDS)
    if faults:
        return [f"备份中的数据库：{word} / the database of the backup: {word}" for word in faults]
    faults = []
    with Records.open(address_of(home / RECORDS)) as records:
        keys = KeyRing.open(home / "keys").public_keys() if (home / "keys" / "current").exists() else None
        chain = verify_chain(records, keys)
        if not chain.ok:
            faults.append(f"备份中的证据链：{chain.reason_zh} / the chain of the backup: {chain.reason_en}")
        if not manifest.facts["left_out"]:
            faults += _examine_tables(home, manifest, records)
        faults += [
            _fault(f"uploads/{batch.sha256[:2]}/{batch.sha256}")
            for batch in records.batches(limit=None, state="published")
            if f"uploads/{batch.sha256[:2]}/{batch.sha256}" not in manifest.files
        ]
    return faults


def _examine_tables(home: Path, manifest: Manifest, records: Records) -> Iterator[str]:
    kept = {(file.table, file.path): file.sha256 for file in records.files(retired=True)}
    wrote = {(made.table, made.batch_id) for made in records.table_versions() if made.added or made.corrected}
    for name, table in tables().items():
        try:
            shared = open_table(table, str(home / "tables"))
        except RoadError as error:
            yield str(error)
            continue
        files = shared.files if shared is not None else []
        broken = {file.path for file in shared.broken()} if shared is not None else set()
        for file in files:
            path = f"tables/{name}/{file.path}"
            entry = manifest.files.get(path)
            if entry is None or file.path in broken or kept.get((name, file.path)) not in (None, entry.sha256):
                yield _fault(path)
        for batch in sorted(batch for made, batch in wrote if made == name):
            if shared is None or not shared.has(batch):
                yield f"备份的 {name} 中没有批次 {batch} / the batch {batch} is not in {name} of the backup"


# -- restoration ---------------------------------------------------------------------------------------------------


def restore(folder: Path, places: Places, now: datetime | None = None) -> Manifest:
    """Bring a backup back into an empty or new home and an empty database, each file checked on the way.

    Parameters
    ----------
    now : datetime, optional
        With it the restoration becomes an event of the chain.

    Raises
    ------
    BackupError
        ``restore-refused``: home, tables or database hold something; ``damaged-backup``: a file is not what the
        manifest says, and nothing was put in place.
    """
    manifest = read_manifest(folder)
    shared = Path(places.tables)
    _refuse_filled(places, shared)
    if "://" in places.tables and not manifest.facts["left_out"]:
        raise BackupError(
            "restore-refused",
            "备份中有共享表，须恢复到本机文件夹；请先不设 GONGZHI_TABLES，恢复后再移到对象存储",
            "the backup holds the shared tables; restore them into a local folder first, then move them to the bucket",
        )
    roots = {True: shared, False: places.home}
    try:
        for path, entry in manifest.files.items():
            inside = path.startswith("tables/")
            place = roots[inside] / ".restoring" / (path.removeprefix("tables/") if inside else path)
            _bring(folder / path, place, entry)
        staged = places.home / ".restoring" / RECORDS
        restore_records(staged, places.database_url)
        staged.unlink()
    except BaseException:
        for root in roots.values():
            shutil.rmtree(root / ".restoring", ignore_errors=True)
        raise
    for root in roots.values():
        _put_in_place(root)
    for private in (places.home, places.keys):
        private.chmod(0o750 if private == places.home else 0o700)
    if now is not None:
        with Records.open(places.database_url) as records:
            records.append("restored", now, payload={"backup": manifest.stamp, "seq": manifest.facts["seq"]})
    return manifest


def _refuse_filled(places: Places, shared: Path) -> None:
    filled = [str(root) for root in (places.home, shared) if root.exists() and any(root.iterdir())]
    if not filled and not is_free(places.database_url):
        filled = ["数据库 / the database"]
    if filled:
        raise BackupError(
            "restore-refused",
            f"{filled[0]} 不是空的；备份只恢复到新的或空的数据目录与数据库，请换一个位置或先移走原有内容",
            f"{filled[0]} is not empty; a backup is restored into a new or empty home and database only",
        )


def _bring(source: Path, target: Path, entry: Entry) -> None:
    try:
        whole = copy(source, target, entry.mode) == (entry.bytes, entry.sha256)
    except FileNotFoundError:
        whole = False
    if not whole:
        raise BackupError(
            "damaged-backup",
            f"{_fault(entry.path).split(' / ')[0]}，未恢复任何内容；请换用其他备份",
            f"{_fault(entry.path).split(' / ')[1]}; nothing was restored, use another backup",
        )
    os.utime(target, ns=(entry.modified, entry.modified))


def _put_in_place(root: Path) -> None:
    staged = root / ".restoring"
    if staged.is_dir():
        for path in sorted(staged.iterdir()):
            path.rename(root / path.name)
        staged.rmdir()
        flush(root)
