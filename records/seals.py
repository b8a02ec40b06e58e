"""The daily seal: the head of the chain at the end of a day, signed.

Each seal names the one before it by its hash, so that none can be taken out. The newest seal is the checkpoint
that goes to both bureaus; a chain rewritten later, seals and all, no longer fits the checkpoints they hold.
Sealing may lag behind: intake never waits for it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select

from records.chain import GENESIS, ChainPosition, canonical
from records.keys import Signer, Verifier, check_signature, sign_document
from records.models import event, seal, write_time

if TYPE_CHECKING:
    from records.store import Records

CHINA = timezone(timedelta(hours=8))
KIND = "gongzhi-seal/1"


@dataclass(frozen=True, slots=True)
class Seal:
    """One seal; ``document`` is what was signed and its signature."""

    number: int
    day: date
    seq: int
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SealCheck:
    """What the seals and checkpoints say the chain must be: hashes by event number, and the first bad seal."""

    seals: int
    anchors: dict[int, ChainPosition]
    bad: tuple[int, str, str] | None


def seal_day(records: Records, day: date, now: datetime, signer: Signer) -> Seal:
    """Seal the chain as it stood at the end of a day of China Standard Time.

    A day sealed before stays as it is, unless events of that day came after; then it gets a further seal.
    """
    end = datetime.combine(day + timedelta(days=1), time(), CHINA)
    with records.database.write() as connection:
        seq = connection.execute(select(func.max(event.c.seq)).where(event.c.at < end)).scalar() or 0
        last = connection.execute(select(seal).order_by(seal.c.number.desc()).limit(1)).one_or_none()
        same = select(seal).where(seal.c.day == day.isoformat(), seal.c.seq >= seq).order_by(seal.c.number).limit(1)
        kept = connection.execute(same).one_or_none()
        if kept is not None:
            return _seal(kept)
        seq = max(seq, last.seq if last is not None else 0)
        found = connection.execute(select(event.c.sha256, event.c.sm3).where(event.c.seq == seq)).one_or_none()
        sha256, sm3 = found if found is not None else (GENESIS, GENESIS)
        body = {
            "document": KIND,
            "number": 1 if last is None else last.number + 1,
            "day": day.isoformat(),
            "seq": seq,
            "sha256": sha256,
            "sm3": sm3,
            "sealed_at": write_time(now),
            "previous": GENESIS if last is None else _digest(last.document),
        }
        document = sign_document(body, signer)
        connection.execute(
            insert(seal).values(
                number=body["number"], day=body["day"], seq=seq, sealed_at=now, document=canonical(document)
            )
        )
        return Seal(document["number"], day, seq, document)


def seals(records: Records) -> list[Seal]:
    """List the seals in order."""
    with records.database.read() as connection:
        return [_seal(row) for row in connection.execute(select(seal).order_by(seal.c.number))]


def checkpoint(records: Records) -> dict[str, Any] | None:
    """Give the newest seal as the document both bureaus keep, or None before the first seal."""
    kept = seals(records)
    return kept[-1].document if kept else None


def check_seals(
    records: Records,
    trusted_keys: Mapping[str, str] | None = None,
    checkpoints: Iterable[Mapping[str, Any]] = (),
    verifiers: Mapping[str, Verifier] | None = None,
) -> SealCheck:
    """Check signatures and order of the seals, and gather what they and the checkpoints say of the chain."""
    anchors: dict[int, ChainPosition] = {}
    bad: tuple[int, str, str] | None = None
    with records.database.read() as connection:
        rows = connection.execute(select(seal).order_by(seal.c.number)).all()
    previous = GENESIS
    for number, row in enumerate(rows, start=1):
        document = json.loads(row.document)
        told = (document.get("number"), document.get("day"), document.get("seq"), document.get("previous"))
        check = check_signature(document, trusted_keys, verifiers)
        if told != (number, row.day, row.seq, previous) or row.number != number:
            bad = bad or (
                max(row.seq, 1),
                f"第 {number} 号封存缺失或被改动",
                f"seal {number} is missing or was altered",
            )
        elif not check.valid:
            bad = bad or (
                max(row.seq, 1),
                f"第 {number} 号封存：{check.reason_zh}",
                f"seal {number}: {check.reason_en}",
            )
        else:
            anchors[row.seq] = ChainPosition(row.seq, document["sha256"], document["sm3"])
        previous = _digest(row.document)
    for document in checkpoints:
        check = check_signature(document, trusted_keys, verifiers)
        if document.get("document") != KIND or not check.valid:
            bad = bad or (1, f"检查点无效：{check.reason_zh}", f"a checkpoint is not valid: {check.reason_en}")
            continue
        place = ChainPosition(document["seq"], document["sha256"], document["sm3"])
        if anchors.setdefault(place.seq, place) != place:
            bad = bad or (
                max(place.seq, 1),
                f"第 {place.seq} 号事件的封存与所持检查点不同",
                f"the seal at event {place.seq} is not the checkpoint that was kept",
            )
            anchors[place.seq] = place
    return SealCheck(len(rows), anchors, bad)


def _digest(document: str) -> str:
    return hashlib.sha256(document.encode()).hexdigest()


def _seal(row: Any) -> Seal:
    return Seal(row.number, date.fromisoformat(row.day), row.seq, json.loads(row.document))
