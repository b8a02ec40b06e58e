"""A download: what the form chose, made into a file by a child process and sent from a file that has no name any more.

The file is opened and its folder removed before the first byte leaves: whatever becomes of the connection, nothing
stays on the disk.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from pipelines.errors import PublishError
from portal.exports import MEDIA, Desk, ExportError, Handed, hand_out
from portal.web.asking import Ask, Site
from portal.web.errors import Problem
from portal.web.shared.chosen import read
from portal.web.shared.one_table import show

BLOCK = 256 * 1024
FOR_THE_LOG = ("damaged-log", "storage")
"""Errors of the shared tables whose words may name folders."""
WAIT = 20.0
"""Seconds a download waits for its turn."""


def download(ask: Ask) -> Response:
    """Give the chosen rows as a file, or the page again with what is wrong."""
    table = ask.path["table"]
    asked = read(ask, table)
    if ask.method == "HEAD" and not asked.faults:
        return Response(media_type=MEDIA[asked.form])
    if asked.choice is None or asked.faults:
        return show(ask, table, asked.faults, 422)
    choice = asked.choice
    try:
        return sent(ask, lambda folder: hand_out(desk_of(ask), ask.me, choice, asked.form, folder))
    except (ExportError, PublishError) as error:
        status = error.status if isinstance(error, ExportError) else 422
        if status >= 500 or error.code in FOR_THE_LOG:
            raise
        return show(ask, table, {"": ask.words(error.message, error.message_en)}, status)


def desk_of(ask: Ask) -> Desk:
    """Give where data are handed out."""
    return Desk(ask.site.places, ask.site.records, ask.site.clock)


def turns(site: Site) -> threading.BoundedSemaphore:
    """Let two files or answers be made at once; those of the reports have turns of their own."""
    return threading.BoundedSemaphore(2)


@contextmanager
def in_turn(ask: Ask) -> Iterator[None]:
    """Wait for a turn, and say so where it does not come."""
    held = ask.site.once(turns)
    if not held.acquire(timeout=WAIT):
        raise Problem(503, headers={"retry-after": "30"})
    try:
        yield
    finally:
        held.release()


def sent(ask: Ask, make: Callable[[Path], Handed]) -> Response:
    """Have a file made, few at a time, and send it."""
    with in_turn(ask), tempfile.TemporaryDirectory(prefix="gongzhi-export-") as folder:
        made = make(Path(folder))
        file, size = made.path.open("rb"), made.path.stat().st_size
    plain = f"{made.number}.{made.path.suffix.lstrip('.')}"
    named = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(made.name, safe='')}"
    headers = {"content-disposition": named, "content-length": str(size), "x-export-number": made.number}
    return StreamingResponse(_blocks(file), media_type=MEDIA[made.form], headers=headers)


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while block := file.read(BLOCK):
            yield block
