"""Reading as the rest of the road sees it: a file goes in, a :class:`pipelines.batch.RawBatch` comes out.

The reading itself happens in a child process of its own for every file (``child.py``), started in advance so that
nobody waits for it, with limits of memory and time. Nothing here looks into the bytes further than the container.
"""

from __future__ import annotations

import hashlib
import json
import os
import select
import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import IO

import pipelines
from pipelines.batch import RawBatch, ReadLimits
from pipelines.errors import ReaderDied, TooLarge, UnreadableFile
from pipelines.intake import sniff, wire
from pipelines.intake.container import Container

HEAD = 4096
TRIES = 3
GRACE = 0.1


class Reader:
    """Reads files one at a time, each in a child process of its own.

    Parameters
    ----------
    limits : ReadLimits
        What one file may cost.
    python : str
        Interpreter for the children.
    keep_warm : bool
        Start the next child right after each file, so that the next file need not wait.
    """

    def __init__(self, limits: ReadLimits, python: str = sys.executable, keep_warm: bool = False) -> None:
        self.limits = limits
        self.python = python
        self.keep_warm = keep_warm
        self._standby: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start a child in advance; it imports its libraries and waits."""
        with self._lock:
            if self._standby is None or self._standby.poll() is not None:
                self._standby = self._spawn()

    def close(self) -> None:
        """End the waiting child."""
        with self._lock:
            child, self._standby = self._standby, None
        if child is not None:
            _end(child)

    def read(self, path: Path, name: str, scratch: Path) -> RawBatch:
        """Read one file.

        Parameters
        ----------
        path : Path
            The bytes, kept unchanged.
        name : str
            Name as uploaded, for the kind and the messages.
        scratch : Path
            Folder for the child's output, made if missing; the grids stay mapped from there, so keep it as long as
            the batch is used (on Linux its files may be unlinked).

        Returns
        -------
        RawBatch

        Raises
        ------
        IntakeError
            The file is refused; ``ReaderDied`` if it ended the child or took too long.
        """
        size = path.stat().st_size
        if not size:
            raise UnreadableFile("empty", "文件为空（0 字节）；请重新导出后再交", "the file is empty (0 bytes)")
        if size > self.limits.file_bytes:
            raise TooLarge(
                "file-size",
                f"文件为 {size // 2**20} MiB，上限为 {self.limits.file_bytes // 2**20} MiB；请拆分后再交",
                f"the file has {size // 2**20} MiB, at most {self.limits.file_bytes // 2**20} are read; split it",
            )
        scratch.mkdir(parents=True, exist_ok=True)
        (scratch / wire.ANSWER).unlink(missing_ok=True)
        taken = None
        for _ in range(TRIES):
            child = self._take()
            try:
                taken = self._serve(child, path, name, scratch)
            finally:
                _end(child)
                (scratch / "text").unlink(missing_ok=True)
            if taken is not None:
                break
        if self.keep_warm:
            self.start()
        code, sha256 = taken or (-1, "")
        try:
            # the answer comes last and whole: with it there, how the child ended no longer matters
            return wire.load(scratch, name, sha256)
        except (OSError, ValueError, KeyError) as error:
            raise _died(code, scratch) from error

    def _take(self) -> subprocess.Popen[bytes]:
        with self._lock:
            child, self._standby = self._standby, None
        if child is not None and child.poll() is None:
            return child
        if child is not None:
            _end(child)
        return self._spawn()

    def _serve(self, child: subprocess.Popen[bytes], path: Path, name: str, scratch: Path) -> tuple[int, str] | None:
        """Give a child its job and wait; None if it had died before it took the job."""
        job = {
            "path": str(path.resolve()),
            "name": name,
            "scratch": str(scratch.resolve()),
            "limits": asdict(self.limits),
        }
        assert child.stdin is not None and child.stdout is not None
        deadline = time.monotonic() + self.limits.seconds
        try:
            child.stdin.write(json.dumps(job).encode() + b"\n")
            child.stdin.close()
        except BrokenPipeError:
            return None
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        try:
            # the child writes one byte when it has the job; after that the pipe ends with the child itself
            if _wait(child.stdout, deadline) and not os.read(child.stdout.fileno(), 1):
                return None
            _wait(child.stdout, deadline)
            return child.wait(max(deadline - time.monotonic(), 0) + GRACE), sha256
        except subprocess.TimeoutExpired:
            raise ReaderDied(
                "reading-time",
                f"文件无法解析：{self.limits.seconds:g} 秒内未能读完；请在 Excel 中打开确认后另存，或拆分后再交",
                f"the file could not be read within {self.limits.seconds:g} seconds; save it again or split it",
            ) from None

    def _spawn(self) -> subprocess.Popen[bytes]:
        home = Path(pipelines.__file__).resolve().parent.parent
        environment = {
            "PATH": os.defpath,
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(home),
            "PYTHONDONTWRITEBYTECODE": os.environ.get("PYTHONDONTWRITEBYTECODE", ""),
            "ARROW_DEFAULT_MEMORY_POOL": "system",
            "ARROW_IO_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "MALLOC_ARENA_MAX": "2",
        }
        return subprocess.Popen(
            [self.python, "-P", "-m", "pipelines.intake.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )


def _wait(pipe: IO[bytes], deadline: float) -> bool:
    """Wait for a byte or the end of a pipe; tell whether it came in time."""
    waiting = select.poll()
    waiting.register(pipe, select.POLLIN)
    return bool(waiting.poll(max(deadline - time.monotonic(), 0) * 1000))


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.kill()
    child.wait()
    if child.stdout is not None:
        child.stdout.close()
    if child.stdin is not None and not child.stdin.closed:
        try:
            child.stdin.close()
        except BrokenPipeError:
            pass


def _died(code: int, scratch: Path) -> ReaderDied:
    error = ReaderDied(
        "reader-died",
        "文件无法解析：读取程序异常中止，文件可能已损坏；请在 Excel 中打开确认后另存为 xlsx 或 CSV，再重新上传",
        f"the file cannot be parsed: it ended the reading process (code {code}); it may be damaged, save it again",
    )
    trace = scratch / "traceback.txt"
    if trace.exists():
        error.add_note(trace.read_text(encoding="utf-8"))
    return error


def unpack(path: Path, name: str, limits: ReadLimits, scratch: Path) -> list[tuple[str, Path]]:
    """Give the data files of a plain zip; any other file is its own only member.

    Parameters
    ----------
    path, name
        The file, and its name as uploaded.
    limits : ReadLimits
        Entries, inflated bytes and ratio allowed.
    scratch : Path
        Folder for the members, which are stored under numbers, never under their names.

    Returns
    -------
    list of (str, Path)
        Name and bytes of each member, in the order of the archive.

    Raises
    ------
    IntakeError
        Hostile, encrypted, nested, damaged or too large.
    """
    with path.open("rb") as file:
        if sniff.sniff(file.read(HEAD), name) != "zip":
            return [(name, path)]
    with Container(path, limits) as container:
        if "[Content_Types].xml" in container.names() or "mimetype" in container.names():
            return [(name, path)]
        scratch.mkdir(parents=True, exist_ok=True)
        members = []
        for i, entry in enumerate(container.entries):
            label = PurePosixPath(_member_name(entry).replace("\\", "/")).name
            if entry.is_dir() or label.startswith((".", "~$")) or entry.filename.startswith("__MACOSX/"):
                continue
            target = scratch / f"member-{i}"
            with target.open("wb") as out:
                for piece in container.pieces(entry):
                    out.write(piece)
            _refuse_nested(target, label)
            members.append((label, target))
    if not members:
        raise UnreadableFile("empty-archive", "压缩包内没有数据文件；请检查后重新打包", "no data file in the archive")
    return members


def _refuse_nested(member: Path, label: str) -> None:
    with member.open("rb") as file:
        plain = file.read(4) == b"PK\x03\x04" and sniff.extension(label) not in ("xlsx", "xlsm")
    if plain and "[Content_Types].xml" not in zipfile.ZipFile(member).namelist():
        raise UnreadableFile(
            "nested-archive",
            f"压缩包内的“{label}”又是压缩包；请只打包一层",
            f"'{label}' inside the archive is an archive again; pack one level only",
        )


def _member_name(entry: zipfile.ZipInfo) -> str:
    """Give the name of a member, UTF-8 as declared or GBK as Chinese Windows writes it."""
    if entry.flag_bits & 0x800:
        return entry.filename
    raw = entry.filename.encode("cp437", "replace")
    for codec in ("utf-8", "gb18030"):
        try:
            return raw.decode(codec)
        except UnicodeDecodeError:
            continue
    return entry.filename
