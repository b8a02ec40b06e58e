"""Small factories for the tests of the records."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from records.chain import sm3_hex
from records.keys import KeyRing, SigningKey
from records.store import BatchRecord, Records


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    """Keys of a home."""
    return KeyRing.open(tmp_path / "keys", create=True)


@pytest.fixture
def signer(ring: KeyRing) -> SigningKey:
    """The key in use."""
    return ring.current()


@pytest.fixture
def hand_in(records: Records, now: datetime) -> Callable[..., tuple[BatchRecord, bool]]:
    """Hand a file with some text in."""

    def hand(text: str = "1414A,35", bureau: str = "beibei", rules: str = "sha256:one", **more: str):
        data = text.encode()
        return records.receive(
            bureau, "空气.csv", hashlib.sha256(data).hexdigest(), sm3_hex(data), len(data), now, "op-1", rules, **more
        )

    return hand


@pytest.fixture
def judged(records: Records, hand_in: Callable[..., tuple[BatchRecord, bool]], now: datetime):
    """A judged batch with some text."""

    def make(text: str = "1414A,35") -> BatchRecord:
        batch, _ = hand_in(text)
        records.advance(batch.batch_id, "read", now, dataset="air", layout="air_template", encoding="GB18030")
        return records.advance(
            batch.batch_id, "judged", now, rows={"read": 1, "clean": 1}, results={"read": 1, "published": 1}
        )

    return make
