"""Verifying the chain beside the pages: one check at a time in a thread of its own, its result an event of the chain."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipelines.batch import Places
from records.chain import Event, verify_chain
from records.event_search import Stretch, backwards
from records.keys import KeyRing
from records.runs import runs
from records.store import Records

KIND = "chain-verified"

log = logging.getLogger("gongzhi.audit")


@dataclass(frozen=True, slots=True)
class Verified:
    """How far the chain was found whole, when and by whom; ``by`` is blank for the night."""

    at: datetime
    ok: bool
    seq: int
    by: str
    message: str
    message_en: str
    seconds: float | None = None


class ChainCheck:
    """The check of one portal."""

    def __init__(self, places: Places, records: Records, clock: Callable[[], datetime]) -> None:
        self.places = places
        self.records = records
        self.clock = clock
        self.last: Verified | None = None
        self._turn = threading.Lock()

    @property
    def running(self) -> bool:
        """Say whether a check goes on."""
        return self._turn.locked()

    def begin(self, by: str) -> bool:
        """Begin a check; False where one goes on already."""
        if not self._turn.acquire(blocking=False):
            return False
        threading.Thread(target=self._run, args=(by,), daemon=True, name="chain-check").start()
        return True

    def wait(self, seconds: float) -> None:
        """Wait for the check that goes on, but no longer than so."""
        if self._turn.acquire(timeout=seconds):
            self._turn.release()

    def _run(self, by: str) -> None:
        try:
            self.last = self.verify(by)
        except Exception:
            log.exception("证据链核验未能完成 / the chain could not be verified")
            self.last = Verified(
                self.clock(), False, 0, by, "核验未能完成，请看日志", "the check broke off; see the log"
            )
        finally:
            self._turn.release()

    def verify(self, by: str) -> Verified:
        """Verify the whole chain, and put on it that this was done."""
        begun = time.monotonic()
        ring = KeyRing(self.places.keys)
        report = verify_chain(self.records, ring.public_keys() if (self.places.keys / "current").exists() else None)
        at = self.clock()
        told: dict[str, Any] = {"ok": report.ok, "seq": report.events, "by": by}
        self.records.append(KIND, at, payload=told if report.ok else told | {"first_bad": report.first_bad})
        seconds = time.monotonic() - begun
        return Verified(at, report.ok, report.events, by, report.reason_zh, report.reason_en, seconds)

    def newest(self) -> Verified | None:
        """Give the newest check there was: one asked for here or elsewhere, or that of the night."""
        found = [one for one in (self.last, _told(self.records), _of_the_night(self.records)) if one is not None]
        return max(found, key=lambda one: one.at, default=None)


def _told(records: Records) -> Verified | None:
    event: Event | None = next(backwards(records, "", Stretch(kinds=(KIND,))), None)
    if event is None:
        return None
    told = json.loads(event.payload)
    bad = told.get("first_bad")
    zh = "链完整" if told["ok"] else f"第 {bad} 号事件有问题"
    en = "the chain is whole" if told["ok"] else f"event {bad} is wrong"
    return Verified(event.at, bool(told["ok"]), int(told["seq"]), str(told["by"]), zh, en)


def _of_the_night(records: Records) -> Verified | None:
    for run in runs(records, "night", limit=30):
        chore = (run.summary.get("chores") or {}).get("chain")
        if run.finished_at is not None and chore and not chore.get("skipped"):
            seq = int(chore.get("told", {}).get("events", 0))
            return Verified(
                run.finished_at, bool(chore["ok"]), seq, "", str(chore["message"]), str(chore["message_en"])
            )
    return None
