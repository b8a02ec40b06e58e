"""The reading child: one process, one file, little memory, no network, nothing in its environment.

It imports what it needs, waits for one JSON line on standard input, reads that file and writes its answer into the
scratch folder. Whatever hostile bytes do to a parser, they end this process and no other.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
import traceback
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType

CLONE_NEWNET, CLONE_NEWUSER = 0x40000000, 0x10000000


class NoPandas(MetaPathFinder):
    """Keep pandas out: pyarrow imports it where it can, which costs a child half of its start, for nothing."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        """Refuse pandas, leave everything else to the other finders."""
        if fullname == "pandas":
            raise ModuleNotFoundError("pandas is not for reading children", name=fullname)


def leave_network() -> bool:
    """Move into a network namespace of our own that has no interface, where the kernel allows it."""
    flags = CLONE_NEWNET | (0 if os.geteuid() == 0 else CLONE_NEWUSER)
    return bool(ctypes.CDLL(None, use_errno=True).unshare(flags) == 0)


def limit(memory_bytes: int, seconds: float, file_bytes: int) -> None:
    """Set the limits of memory, time and written bytes; no core file."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = int(used.ru_utime + used.ru_stime + seconds) + 2
    for what, most in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))
    signal.alarm(int(seconds) + 5)


def main() -> int:
    """Serve one job."""
    leave_network()
    sys.meta_path.insert(0, NoPandas())
    from pipelines.batch import ReadLimits
    from pipelines.errors import IntakeError, TooLarge
    from pipelines.intake import kinds, wire

    line = sys.stdin.readline()
    if not line:
        return 0
    os.write(sys.stdout.fileno(), b".")
    job = json.loads(line)
    limits = ReadLimits(**job["limits"])
    scratch = Path(job["scratch"])
    limit(limits.memory_bytes, limits.seconds, 2 * limits.inflated_bytes)
    try:
        wire.write(kinds.read(Path(job["path"]), job["name"], scratch, limits), scratch)
    except IntakeError as error:
        wire.write_error(error, scratch)
    except MemoryError:
        wire.write_error(
            TooLarge(
                "memory",
                "文件内容过多，超过解析所允许的内存；请按时间段拆成几个文件后再交",
                "the file needs more memory than one file may cost; split it by period",
            ),
            scratch,
        )
    except Exception:
        (scratch / "traceback.txt").write_text(traceback.format_exc(), encoding="utf-8")
        return 3
    return 0


if __name__ == "__main__":
    # the answer is written and closed: the libraries' threads need not be taken down, which may itself go wrong
    os._exit(main())
