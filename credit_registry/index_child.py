"""The files of a large index, written by a process of its own while this one cuts the next names.

The child is told the folder and fed batches through its standard input; only a last word tells it to finish, and only
its own last word, after every file was written, tells that it did. A pipe that ends early, on either side, leaves an
index that nobody takes: the build fails and the register in use stays.
"""

from __future__ import annotations

import marshal
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from queue import Full, Queue
from threading import Thread
from typing import BinaryIO

import credit_registry
from credit_registry.errors import IndexFailed
from credit_registry.index_files import Batch, IndexFiles

DONE = b"done\n"
PLAIN = 2
"""Format of marshal that looks for no text it wrote before; both ends are the same interpreter."""
LENGTH = 8
"""Bytes before each message that tell how long it is."""
LAST = b""
AHEAD = 4
"""Batches that may wait for the child: enough that neither process waits for the other's slow one."""
_WORDS = 2_000
"""Last bytes of what the child said on its way out that go with the error."""


class ChildFiles:
    """What :class:`~credit_registry.index_files.IndexFiles` does, done by a child."""

    def __init__(self, folder: Path) -> None:
        # a new interpreter, not a fork: the service that builds has threads and open connections
        self._said = tempfile.TemporaryFile()
        self._waiting: Queue[bytes] = Queue(AHEAD)
        self._broken = False
        self.child = subprocess.Popen(
            [sys.executable, "-P", "-m", "credit_registry.index_child", str(folder.resolve())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env=_environment(),
            start_new_session=True,
        )
        self._feeder = Thread(target=self._feed, daemon=True)
        self._feeder.start()

    def add(self, batch: Batch) -> None:
        """Hand names over."""
        self._send(batch)

    def close(self) -> None:
        """Have the child finish and wait for it."""
        self._send(None)
        self._feeder.join()
        child = self.child
        assert child.stdin is not None and child.stdout is not None
        try:
            child.stdin.close()
            answer = child.stdout.read()
        except BrokenPipeError:
            raise self._failed() from None
        if answer != DONE or child.wait() != 0:
            raise self._failed()
        self._let_go()

    def abandon(self) -> None:
        """End the child; the folder is the business of whoever gave it."""
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()
        while self._feeder.is_alive():  # its pipe is broken now: it only takes what still waits, up to a last word
            with suppress(Full):
                self._waiting.put(LAST, timeout=0.1)
        self._let_go()

    def _send(self, what: Batch | None) -> None:
        """Leave a batch to the feeder, that the next one is cut while the child takes this one in."""
        if self._broken:
            raise self._failed()
        self._waiting.put(LAST if what is None else marshal.dumps(tuple(what), PLAIN))

    def _feed(self) -> None:
        pipe = self.child.stdin
        assert pipe is not None
        while True:
            data = self._waiting.get()
            if not self._broken:
                try:
                    pipe.write(len(data).to_bytes(LENGTH) + data)
                    pipe.flush()
                except (OSError, ValueError):
                    self._broken = True
            if data == LAST:
                return

    def _failed(self) -> IndexFailed:
        code = self.child.wait()
        self._said.seek(max(0, os.fstat(self._said.fileno()).st_size - _WORDS))
        error = IndexFailed(
            "检索索引未能建成，信用库仍为原来的版本；请查看剩余内存和磁盘后重新运行 gongzhi credit refresh",
            f"the search index was not finished (its process ended with code {code}); the register in use stays, "
            "look at free memory and disk and run gongzhi credit refresh again",
        )
        if words := self._said.read().decode(errors="replace").strip():
            error.add_note(words)
        return error

    def _let_go(self) -> None:
        for pipe in (self.child.stdin, self.child.stdout, self._said):
            try:
                if pipe is not None:
                    pipe.close()
            except BrokenPipeError:
                pass  # what was not yet sent to a child that is dead


def _environment() -> dict[str, str]:
    return {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(Path(credit_registry.__file__).resolve().parent.parent),
        "PYTHONDONTWRITEBYTECODE": os.environ.get("PYTHONDONTWRITEBYTECODE", ""),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def _received(pipe: BinaryIO) -> bytes:
    """Take one message; the last one is blank.

    Raises
    ------
    EOFError
        The feeding process died: no last word, no index.
    """
    head = pipe.read(LENGTH)
    data = pipe.read(int.from_bytes(head)) if len(head) == LENGTH else b""
    if len(head) < LENGTH or len(data) < int.from_bytes(head):
        raise EOFError("the names ended before their last word")
    return data


def main() -> None:
    """Write the index the standard input tells of."""
    import gc

    gc.disable()  # millions of small texts, none in a cycle
    files = IndexFiles(Path(sys.argv[1]))
    while data := _received(sys.stdin.buffer):
        files.add(Batch(*marshal.loads(data)))
    files.close()
    sys.stdout.buffer.write(DONE)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
