"""A watched folder: files a bureau puts on a disk of ours, taken when they are written to their end.

Nothing is moved or deleted there. A file is at rest when its inode has not changed for two seconds by the clock of
its own file system, or looks the same twice; its times prove nothing, programs set them. Only plain files directly in
the folder count, no hidden ones, no pipes, no links that lead out of it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from time import sleep

from pipelines.errors import AnswerTooLarge, FetchError, Stopped, Unreachable
from pipelines.intake.names import is_wanted, text_of

SETTLE = 2.0
BLOCK = 2**20
Mark = dict[str, int]


@dataclass(frozen=True, slots=True)
class Seen:
    """A file that lies in the folder."""

    name: str
    path: Path
    mark: Mark
    """Size, times and inode: while they stay the same, so does the content."""


def look_in(folder: Path, match: Sequence[str] = ()) -> list[Seen]:
    """List the files that are wanted, by name.

    Raises
    ------
    Unreachable
        ``folder-missing``, ``folder-unreadable``.
    """
    try:
        inside = folder.resolve(strict=True)
        entries = list(os.scandir(inside))
    except (FileNotFoundError, NotADirectoryError):
        raise Unreachable(
            "folder-missing",
            f"监视的文件夹 {folder} 不存在；请检查共享盘是否挂载，或新建该文件夹",
            f"the watched folder {folder} is not there; check the mount, or make it",
        ) from None
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, before Python 3.13
        raise _unreadable(folder, error) from error
    found = (_seen(entry, inside) for entry in entries)
    return sorted((one for one in found if one and is_wanted(one.name, match)), key=lambda one: one.name)


def _seen(entry: os.DirEntry[str], inside: Path) -> Seen | None:
    """Give a plain file; None for all else, and for what has gone."""
    path = Path(entry.path)
    try:
        if entry.is_symlink():
            path = path.resolve(strict=True)
            if not path.is_relative_to(inside):
                return None
        status = path.lstat()
    except (OSError, RuntimeError):
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return Seen(text_of(os.fsencode(entry.name)), path, _mark(status))


def _mark(status: os.stat_result) -> Mark:
    return {
        "size": status.st_size, "mtime_ns": status.st_mtime_ns, "ctime_ns": status.st_ctime_ns, "inode": status.st_ino,
    }  # fmt: skip


def at_rest(files: Sequence[Seen], scratch: Path, settle: float, stopping: Callable[[], bool]) -> list[Seen]:
    """Leave out the files that are still being written; wait for them ``settle`` seconds together, once."""
    if not files:
        return []
    now = _file_system_now(scratch)
    rested = {one.name for one in files if one.mark["ctime_ns"] <= now - settle * 1e9}
    if len(rested) < len(files):
        _wait(settle, stopping)
        rested |= {one.name for one in files if one.name not in rested and _still(one)}
    return [one for one in files if one.name in rested]


def _file_system_now(scratch: Path) -> int:
    """Ask the file system for its time: our own clock may be wrong, or a simulated one."""
    probe = scratch / ".probe"
    probe.touch()
    try:
        return probe.stat().st_ctime_ns
    finally:
        probe.unlink()


def _wait(seconds: float, stopping: Callable[[], bool]) -> None:
    for _ in range(max(1, round(seconds / 0.1))):
        if stopping():
            raise Stopped
        sleep(min(0.1, seconds))


def _still(one: Seen) -> bool:
    try:
        return _mark(one.path.lstat()) == one.mark
    except OSError:
        return False


def copy(one: Seen, target: Path, most: int, stopping: Callable[[], bool]) -> str | None:
    """Copy a file; give its SHA-256, None when it changed or went meanwhile.

    Raises
    ------
    AnswerTooLarge
        More than ``most`` bytes.
    Unreachable
        ``folder-unreadable``.
    """
    digest, size = sha256(), 0
    try:
        # never through a link put there since, and never waiting for a pipe's other end
        handle = os.open(one.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(one.path, error) from error
    with os.fdopen(handle, "rb") as source, target.open("xb") as file:
        if _mark(os.fstat(handle)) != one.mark:
            return None
        try:
            while block := source.read(BLOCK):
                if stopping():
                    raise Stopped
                size += len(block)
                if size > most:
                    raise _too_large(one, most)
                digest.update(block)
                file.write(block)
        except OSError as error:
            raise _unreadable(one.path, error) from error
        if size != one.mark["size"] or _mark(os.fstat(handle)) != one.mark:
            return None
    return digest.hexdigest()


def _unreadable(path: Path, error: OSError | RuntimeError) -> FetchError:
    reason = getattr(error, "strerror", None) or error
    return Unreachable(
        "folder-unreadable",
        f"无法读取 {path}：{reason}；请检查权限",
        f"cannot read {path}: {reason}; check the permissions",
    )


def _too_large(one: Seen, most: int) -> FetchError:
    return AnswerTooLarge(
        "too-large",
        f"文件 {one.name} 超过该来源的上限 {most >> 20} MB；请拆分文件，或调大 megabytes",
        f"{one.name} is larger than the {most >> 20} MB this source may send; split it, or raise megabytes",
    )
