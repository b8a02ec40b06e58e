"""The hash chain of events: each event holds the hash of the one before it, in SHA-256 and in SM3.

What is hashed is the hash before, in hex, then the event as a JSON list (number, time, kind, bureau, batch,
payload) without blanks in UTF-8; the payload is canonical JSON: keys sorted, no blanks, whole numbers only.
The numbers run 1, 2, 3 … without a gap, whatever the clock does. The head row says how far the chain goes, so
that a cut tail is found; seals and the checkpoints held by the other bureau find a chain made anew as a whole.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, insert, select, update

from records.models import chain_head, event, write_time

if TYPE_CHECKING:
    from records.store import Records

GENESIS = "0" * 64
CLOCK_SLACK = timedelta(seconds=60)
PAGE = 10_000


@dataclass(frozen=True, slots=True)
class Event:
    """One link of the chain."""

    seq: int
    at: datetime
    kind: str
    bureau: str | None
    batch_id: str | None
    payload: str
    previous: str
    sha256: str
    previous_sm3: str
    sm3: str


@dataclass(frozen=True, slots=True)
class ChainPosition:
    """A place in the chain: after event ``seq`` it had these hashes."""

    seq: int
    sha256: str
    sm3: str


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What checking the chain found."""

    ok: bool
    events: int
    first_bad: int | None
    reason_zh: str
    reason_en: str
    seals: int = 0
    clock_back: tuple[int, ...] = ()
    """Events stamped more than a minute before the one before them: the clock was set back there."""


def canonical(value: Any) -> str:
    """Write a value as canonical JSON.

    Raises
    ------
    TypeError
        A number that is not whole, a key that is not text, or a value JSON does not know.
    """
    _refuse_inexact(value)
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _refuse_inexact(value: Any) -> None:
    # not by recursion: the list of a draw has a hundred thousand values and is hashed again and again
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict) or isinstance(one, Mapping):  # a dict is known without asking its abstract class
            for key in one:
                if type(key) is not str and not isinstance(key, str):
                    raise TypeError(f"a key must be text: {key!r}")
            waiting.extend(inner for inner in one.values() if type(inner) is not str)
        elif isinstance(one, list | tuple):
            waiting.extend(inner for inner in one if type(inner) is not str)
        elif one is not None and not isinstance(one, str | int):
            raise TypeError(f"only text, whole numbers, true, false and null can be sealed: {one!r}")


class Sm3:
    """SM3 (GB/T 32905) as ``hashlib`` would have it: from OpenSSL, or from cryptography where that lacks it."""

    def __init__(self, data: bytes = b"") -> None:
        self._hash: Any
        try:
            self._hash = hashlib.new("sm3", data)
        except ValueError:
            from cryptography.hazmat.primitives import hashes

            self._hash = hashes.Hash(hashes.SM3())
            self._hash.update(data)

    def update(self, data: bytes) -> None:
        """Take further bytes."""
        self._hash.update(data)

    def hexdigest(self) -> str:
        """Give the digest in lower-case hex; the object is spent."""
        return str(self._hash.hexdigest() if hasattr(self._hash, "hexdigest") else self._hash.finalize().hex())


def sm3_hex(data: bytes) -> str:
    """SM3 of some bytes."""
    return Sm3(data).hexdigest()


def link(
    seq: int,
    at: datetime,
    kind: str,
    bureau: str | None,
    batch_id: str | None,
    payload: str,
    previous: str,
    previous_sm3: str,
) -> tuple[str, str]:
    """Hash one event onto the hashes before it: SHA-256 and SM3."""
    body = [seq, write_time(at), kind, bureau, batch_id, payload]
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return hashlib.sha256(previous.encode() + text).hexdigest(), sm3_hex(previous_sm3.encode() + text)


def append(
    connection: Connection,
    kind: str,
    at: datetime,
    bureau: str | None = None,
    batch_id: str | None = None,
    payload: Mapping[str, Any] | None = None,
) -> ChainPosition:
    """Append an event inside the caller's write transaction."""
    head = connection.execute(select(chain_head.c.seq, chain_head.c.sha256, chain_head.c.sm3)).one()
    text = canonical(payload or {})
    seq = head.seq + 1
    sha256, sm3 = link(seq, at, kind, bureau, batch_id, text, head.sha256, head.sm3)
    connection.execute(
        insert(event).values(
            seq=seq,
            at=at,
            kind=kind,
            bureau=bureau,
            batch_id=batch_id,
            payload=text,
            previous=head.sha256,
            sha256=sha256,
            previous_sm3=head.sm3,
            sm3=sm3,
        )
    )
    connection.execute(update(chain_head).values(seq=seq, sha256=sha256, sm3=sm3))
    return ChainPosition(seq, sha256, sm3)


def walk(records: Records, after: int = 0) -> Iterator[tuple[list[Row[Any]], ChainPosition]]:
    """Read the chain after a number page by page, each with the head at that moment; the last page is empty.

    The head is read before the page, so that an event appended meanwhile is on a later page, and a short
    transaction per page never keeps a writer waiting.
    """
    while True:
        with records.database.read() as connection:
            head = connection.execute(select(chain_head.c.seq, chain_head.c.sha256, chain_head.c.sm3)).one_or_none()
            rows = connection.execute(select(event).where(event.c.seq > after).order_by(event.c.seq).limit(PAGE)).all()
        yield list(rows), ChainPosition(*head) if head is not None else ChainPosition(-1, "", "")
        if not rows:
            return
        after = rows[-1].seq


def verify_chain(
    records: Records,
    trusted_keys: Mapping[str, str] | None = None,
    checkpoints: Iterable[Mapping[str, Any]] = (),
    after: ChainPosition | None = None,
) -> ChainReport:
    """Check every event, the head and the seals, and name the first number that is wrong.

    Parameters
    ----------
    records : Records
        The exchange.
    trusted_keys : mapping of key id to public key, optional
        Keys the seals may be signed with; without it any key whose signature fits is taken.
    checkpoints : iterable of documents
        Checkpoints kept outside, as :func:`records.seals.checkpoint` gave them: they find a chain that was made
        anew together with its seals by somebody who holds the key.
    after : ChainPosition, optional
        A place that was found whole before: only the events after it are checked.
    """
    from records.seals import check_seals  # cryptography is slow to import and only verifying needs it

    kept = check_seals(records, trusted_keys, checkpoints)
    good = after or ChainPosition(0, GENESIS, GENESIS)
    anchors = {seq: place for seq, place in kept.anchors.items() if seq > good.seq or not seq}
    sealed = good.seq
    before: datetime | None = None
    back: list[int] = []

    def report(first_bad: int | None, zh: str, en: str) -> ChainReport:
        return ChainReport(first_bad is None, good.seq, first_bad, zh, en, kept.seals, tuple(back))

    for rows, head in walk(records, good.seq):
        for row in rows:
            fault = _fault(row, good)
            if fault is not None:
                return report(*fault)
            good = ChainPosition(row.seq, row.sha256, row.sm3)
            if before is not None and row.at < before - CLOCK_SLACK:
                back.append(row.seq)
            before = row.at
            anchor = anchors.pop(row.seq, good)
            if anchor != good:
                return report(
                    sealed + 1,
                    f"第 {sealed + 1} 至 {row.seq} 号事件与封存时不同，此段记录曾被重写",
                    f"events {sealed + 1} to {row.seq} are not those that were sealed; they were rewritten",
                )
            if anchor is not good:
                sealed = row.seq
        if not rows and head != good:
            if head.seq > good.seq:
                return report(
                    good.seq + 1,
                    f"第 {good.seq + 1} 号起的事件缺失（应有 {head.seq} 条）",
                    f"the events from {good.seq + 1} on are missing (there should be {head.seq})",
                )
            return report(
                max(min(head.seq + 1, good.seq), 1),
                f"链尾记录（第 {head.seq} 号）与最后一条事件（第 {good.seq} 号）不符",
                f"the head (number {head.seq}) does not fit the last event (number {good.seq})",
            )
    if any(anchor.seq for anchor in anchors.values()):
        last = max(anchors)
        return report(
            good.seq + 1,
            f"第 {good.seq + 1} 号起的事件缺失（曾封存到第 {last} 号）",
            f"the events from {good.seq + 1} on are missing (number {last} was sealed)",
        )
    if kept.bad is not None:
        return report(*kept.bad)
    return report(None, f"共 {good.seq} 条事件，链完整", f"{good.seq} events, the chain is whole")


def _fault(row: Row[Any], good: ChainPosition) -> tuple[int, str, str] | None:
    """Say what is wrong with the event that should follow ``good``."""
    expected = good.seq + 1
    if row.seq != expected:
        return expected, f"第 {expected} 号事件缺失", f"event {expected} is missing"
    told = (row.sha256, row.sm3)
    fields = (row.seq, row.at, row.kind, row.bureau, row.batch_id, row.payload)
    if link(*fields, row.previous, row.previous_sm3) != told:
        return expected, f"第 {expected} 号事件被改动", f"event {expected} was altered"
    if (row.previous, row.previous_sm3) != (good.sha256, good.sm3):
        # This event is whole in itself, so the one before it is not the one it was linked to.
        bad = max(good.seq, 1)
        return bad, f"第 {bad} 号事件被替换", f"event {bad} was replaced"
    return None
