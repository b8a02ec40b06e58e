"""What a backup is made of: a folder of files and ``manifest.json``, which names each with its size and SHA-256.

A file that is as it was in the backup before is linked to that backup's copy, never to the live file, so that damage
to the live one does not spread. The manifest is written last: a folder without one is no backup.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from pipelines.disk import digest, flush
from pipelines.errors import RoadError, Stopped

MANIFEST = "manifest.json"
KIND = "gongzhi-backup/1"
NAME = re.compile(r"\d{4}-\d\d-\d\dT\d{6}")
BLOCK = 2**20


class BackupError(RoadError):
    """A backup cannot be made, read or restored."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a backup; ``since`` is the backup that copied its bytes (later ones link them)."""

    path: str
    bytes: int
    sha256: str
    modified: int
    """Time of change of the live file, in nanoseconds since 1970."""
    mode: int
    since: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself; ``facts`` tells of what moment it is."""

    stamp: str
    made_at: datetime
    facts: dict[str, Any]
    files: dict[str, Entry]


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a backup.

    Raises
    ------
    BackupError
        ``no-backup``: there is none, or it is damaged.
    """
    try:
        raw = json.loads((folder / MANIFEST).read_text("utf-8"))
        if raw["document"] != KIND:
            raise ValueError(raw["document"])
        files = {entry[0]: Entry(*entry) for entry in raw["files"]}
        return Manifest(raw["stamp"], datetime.fromisoformat(raw["made_at"]), raw["facts"], files)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackupError(
            "no-backup",
            f"{folder} 不是完整的备份（清单缺失或损坏：{error}），请换用其他备份",
            f"{folder} is no whole backup (its manifest is missing or damaged: {error}); use another one",
        ) from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest and bring it, and every folder of the backup, to the disk."""
    document = {
        "document": KIND,
        "stamp": manifest.stamp,
        "made_at": manifest.made_at.isoformat(),
        "facts": manifest.facts,
        "files": [[getattr(e, name) for name in Entry.__slots__] for _, e in sorted(manifest.files.items())],
    }
    with open(folder / MANIFEST, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=None, separators=(",", ":"))
        file.flush()
        os.fsync(file.fileno())
    for place, _, _ in os.walk(folder):
        flush(Path(place))


def copy(source: Path, target: Path, mode: int) -> tuple[int, str]:
    """Copy a file to the disk; give the size and hash of what was read."""
    target.parent.mkdir(parents=True, exist_ok=True)
    sha256, size = hashlib.sha256(), 0
    with open(source, "rb") as read, open(target, "xb", opener=lambda path, flags: os.open(path, flags, mode)) as write:
        while block := read.read(BLOCK):
            sha256.update(block)
            size += len(block)
            write.write(block)
        write.flush()
        os.fsync(write.fileno())
    return size, sha256.hexdigest()


def link(source: Path, target: Path) -> bool:
    """Give a file a second name; False where the file system has none to give."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        return False
    return True


class Copier:
    """Takes live files into a new backup, beside the one before.

    Attributes
    ----------
    damaged : list of str
        Live files whose bytes are not what their name or the records say.
    """

    def __init__(
        self,
        folder: Path,
        stamp: str,
        before: tuple[Path, Manifest] | None,
        stopping: Callable[[], bool],
        distrust: Collection[str] = (),
    ) -> None:
        self.folder = folder
        self.stamp = stamp
        self.old = before[0] if before is not None else folder
        self.known = {p: e for p, e in before[1].files.items() if p not in distrust} if before is not None else {}
        self.stopping = stopping
        self.files: dict[str, Entry] = {}
        self.damaged: list[str] = []

    def take(self, source: Path, path: str, *, steady: bool, sha256: str | None = None) -> None:
        """Take one file; one that is gone meanwhile is left out.

        Parameters
        ----------
        steady : bool
            Such a file is never written again: with the same size and time of change it need not be read.
        sha256 : str, optional
            What the file must hold.
        """
        if self.stopping():
            raise Stopped
        with contextlib.suppress(FileNotFoundError):
            self._take(source, path, steady, sha256)

    def _take(self, source: Path, path: str, steady: bool, sha256: str | None) -> None:
        stat = source.stat()
        same = self.known.get(path)
        if same is not None:
            unread = steady and (same.bytes, same.modified) == (stat.st_size, stat.st_mtime_ns)
            if (unread or same.sha256 == digest(source)) and self._keep(same, stat.st_mtime_ns):
                return
        target = self.folder / path
        size, made = copy(source, target, stat.st_mode & 0o777)
        if sha256 not in (None, made):
            self.damaged.append(path)
            if same is not None and same.sha256 == sha256:
                target.unlink()
                if self._keep(same, same.modified):
                    return
                size, made = copy(source, target, stat.st_mode & 0o777)
        self.files[path] = Entry(path, size, made, stat.st_mtime_ns, stat.st_mode & 0o777, self.stamp)

    def made(self, path: str) -> None:
        """Enter a file that was made in the backup itself."""
        file = self.folder / path
        stat = file.stat()
        self.files[path] = Entry(path, stat.st_size, digest(file), stat.st_mtime_ns, stat.st_mode & 0o777, self.stamp)

    def _keep(self, entry: Entry, modified: int) -> bool:
        """Link the copy of the backup before, if it is there."""
        old = self.old / entry.path
        if not (old.is_file() and old.stat().st_size == entry.bytes and link(old, self.folder / entry.path)):
            return False
        self.files[entry.path] = replace(entry, modified=modified)
        return True


def damaged_files(folder: Path, manifest: Manifest, *, full: bool, stopping: Callable[[], bool]) -> Iterator[str]:
    """Find files of a backup that are not what its manifest says.

    Parameters
    ----------
    full : bool
        Read every file; else only those this backup copied itself, and see that the others are there.
    """
    for path, entry in manifest.files.items():
        if stopping():
            raise Stopped
        file = folder / path
        if not file.is_file() or file.stat().st_size != entry.bytes:
            yield path
        elif (full or entry.since == manifest.stamp) and digest(file) != entry.sha256:
            yield path


def backups(target: Path) -> list[Path]:
    """List the whole backups below a folder, the oldest first; one under another name is kept by somebody."""
    if not target.is_dir():
        return []
    return sorted(path.parent for path in target.glob(f"*/{MANIFEST}") if NAME.fullmatch(path.parent.name))


def prune(target: Path, day_of: Callable[[Path], datetime], *, daily: int, weekly: int, monthly: int) -> list[str]:
    """Remove backups but the newest of each of the last days, weeks and months; the newest of all always stays."""
    found = [(day_of(folder), folder) for folder in reversed(backups(target))]
    keep = {found[0][1]} if found else set()
    for form, count in (("%Y-%m-%d", daily), ("%G-W%V", weekly), ("%Y-%m", monthly)):
        newest: dict[str, Path] = {}
        for day, folder in found:
            newest.setdefault(day.strftime(form), folder)
        keep |= set(list(newest.values())[:count])
    removed = [folder for _, folder in found if folder not in keep]
    for folder in removed:  # under another name first: half of one must never look like a backup
        gone = folder.with_name(f".gone-{folder.name}")
        folder.rename(gone)
        shutil.rmtree(gone)
    return [folder.name for folder in removed]
