"""The credit register held open for many: one register and its search for all pages, the newest that was built.

Opening costs more than a look-up, so it is done once per register; a register never changes, a newer one takes its
place. Whoever is reading when that happens goes on with the one he has, which is closed after the last of them. The
keeper beside the pages builds the register anew where the shared tables have gone on, so that nobody waits for it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from credit_registry.errors import DamagedRegister, DamagedTable, NoRegister
from credit_registry.register import Register, current
from credit_registry.search import Finder
from credit_registry.store import outdated
from pipelines.batch import Places
from portal.credit import Desk, folder_of, refresh, watch
from records.store import Records

LOOKS_EVERY = 30.0
"""Seconds between two looks at the shared tables."""
WARMING = "重庆化工"
"""What is searched for once, so that tables of readings and files are in memory before somebody types."""
log = logging.getLogger("gongzhi.credit")


@dataclass
class _Opened:
    """One register, its search, and how many are reading it."""

    desk: Desk
    folder: Path
    readers: int = 0
    left: bool = False
    """A newer one took its place."""

    def close(self) -> None:
        if self.desk.finder is not None:
            self.desk.finder.close()
        if self.desk.register is not None:
            self.desk.register.close()


class OpenRegister:
    """The newest register of a home, open; any thread may take it."""

    def __init__(self, places: Places, records: Records) -> None:
        self.places = places
        self.records = records
        self.behind: DamagedTable | None = None
        """Why the register is older than the shared tables, where the keeper found that it is."""
        self._opened: _Opened | None = None
        self._one_at_a_time = threading.Lock()

    @contextmanager
    def desk(self) -> Iterator[Desk]:
        """Lend the register in use; without any the desk says that its sources are not available."""
        opened = self._take()
        if opened is None:
            yield Desk(self.places, self.records, None, self.behind)
            return
        try:
            yield opened.desk
        finally:
            self._give_back(opened)

    def close(self) -> None:
        """Let the register go, after its last reader."""
        with self._one_at_a_time:
            self._leave()

    def _take(self) -> _Opened | None:
        with self._one_at_a_time:
            built = current(folder_of(self.places))
            if built is not None and (self._opened is None or self._opened.folder != built):
                self._open()
            if self._opened is not None:
                self._opened.readers += 1
            return self._opened

    def _open(self) -> None:
        try:
            register = Register.open(folder_of(self.places))
        except NoRegister:  # gone since it was looked for
            return
        except DamagedRegister:
            if self._opened is None:
                raise
            log.exception("新的信用库无法打开，仍用原有的 / the new register cannot be opened, the one before stays")
            return
        desk = Desk(self.places, self.records, register, self.behind)
        desk.__dict__["finder"] = Finder(register.folder)  # here, not by the first two who ask at once
        self._leave()
        self._opened = _Opened(desk, register.folder)

    def _leave(self) -> None:
        """Take the register out of use; called with the lock held."""
        left, self._opened = self._opened, None
        if left is not None:
            left.left = True
            if not left.readers:
                left.close()

    def _give_back(self, opened: _Opened) -> None:
        with self._one_at_a_time:
            opened.readers -= 1
            if opened.left and not opened.readers:
                opened.close()

    # -- beside the pages ---------------------------------------------------------------------------------------------

    def keep_up(self, now: datetime) -> None:
        """Build the register anew where the shared tables have gone on, look for bulk use, and open what is newest."""
        try:
            if outdated(self.places.tables, folder_of(self.places)):
                refresh(self.places, now)
            self.behind = None
        except DamagedTable as error:
            self.behind = error
        watch(self.places, self.records, now)
        with self.desk() as desk:
            desk.behind = self.behind
            if desk.finder is not None:
                desk.finder.find(WARMING)


def begin_keeping(kept: OpenRegister, clock: Callable[[], datetime]) -> Callable[[], None]:
    """Start the keeper in a thread of its own; give what ends it and closes the register."""
    stopped = threading.Event()

    def go_on() -> None:
        while True:
            try:
                kept.keep_up(clock())
            except Exception:
                log.exception("信用库看护出错，下次再试 / the keeper of the register failed and tries again")
            if stopped.wait(LOOKS_EVERY):
                return

    thread = threading.Thread(target=go_on, name="credit-keeper", daemon=True)
    thread.start()

    def end() -> None:
        stopped.set()
        with suppress(RuntimeError):
            thread.join(LOOKS_EVERY)
        kept.close()

    return end
