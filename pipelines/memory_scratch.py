"""A scratch folder for files that hold personal data: in memory where the system has such a place, never on a disk.

The reading child hands its grids over as files. For an expert list these stand in the system's folder of shared memory,
for the owner only, locked by the walk that made them; a folder whose walk was killed is removed by the next walk. Where
there is no such place, or too little room, the home's own scratch folder is used, and emptied as soon as the grids are
mapped.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")
PREFIX = "gongzhi-walk-"
ROOM = 64 * 2**20
PER_BYTE = 16
"""Bytes of room asked for each byte of a file: a workbook grows when it is read."""


@contextmanager
def memory_scratch(size: int, otherwise: Path, place: Path = SHARED_MEMORY) -> Iterator[Path]:
    """Give a folder for a file of some bytes; it is gone afterwards.

    Parameters
    ----------
    otherwise : Path
        Folder used where memory offers none.
    """
    fits = place.is_dir() and os.access(place, os.W_OK) and shutil.disk_usage(place).free > ROOM + PER_BYTE * size
    if fits:
        sweep(place)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX if fits else "walk-", dir=place if fits else otherwise))
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def sweep(place: Path = SHARED_MEMORY) -> int:
    """Remove our folders whose walk is no more; gives how many."""
    gone = 0
    for folder in place.glob(f"{PREFIX}*"):
        with suppress(OSError):  # another walk was faster, or it is another user's
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
                gone += 1
            finally:
                os.close(handle)
    return gone


def empty(folder: Path) -> None:
    """Remove the files of a folder that others have mapped already."""
    for path in folder.iterdir():
        if path.is_file():
            path.unlink(missing_ok=True)
