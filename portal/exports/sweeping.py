"""Remove what downloads left on the disk whose process died with the whole portal: nothing stays longer than an hour."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

PREFIXES = ("gongzhi-export-", "gongzhi-query-")
"""Scratch folders of downloads and questions; each is removed by whoever made it, unless he was killed."""
OLDEST = 3000.0
"""Seconds; with the pause between two sweeps that is less than an hour (R40)."""
PAUSE = 540.0


def sweep(folder: Path, now: float) -> list[str]:
    """Remove scratch folders that are too old to be in use; give their names."""
    removed = []
    for found in folder.iterdir():
        if found.name.startswith(PREFIXES) and found.is_dir() and not found.is_symlink():
            try:
                old = now - found.stat().st_mtime > OLDEST
            except FileNotFoundError:  # its maker was faster
                continue
            if old:
                shutil.rmtree(found, ignore_errors=True)
                removed.append(found.name)
    return removed


def keep_swept() -> Callable[[], None]:
    """Sweep now and then, until what is given back is called."""
    ended = threading.Event()

    def go_on() -> None:
        while True:
            sweep(Path(tempfile.gettempdir()), time.time())
            if ended.wait(PAUSE):
                return

    thread = threading.Thread(target=go_on, name="sweep-exports", daemon=True)
    thread.start()

    def end() -> None:
        ended.set()
        thread.join(10)

    return end
