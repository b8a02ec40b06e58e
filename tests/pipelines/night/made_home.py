"""A home with batches as the road leaves them: upload, records, findings, shared rows; made without the reading child."""

from __future__ import annotations

import hashlib
import importlib
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pipelines.batch import Places
from pipelines.publish import publish_table
from pipelines.publish.content import content_hash
from pipelines.publish.store import open_table
from portal.home import make_home
from records.chain import sm3_hex
from records.store import BatchRecord, DataFile, Records
from schemas.contracts import tables

sys.path.append(str(Path(__file__).parents[1] / "publish"))
rows = importlib.import_module("made_rows")

NOW = datetime(2026, 4, 7, 18, 30, tzinfo=UTC)
"""02:30 of 8 April in China."""
AIR = tables()["air_observation"]


@dataclass
class Home:
    places: Places
    records: Records
    now: datetime = NOW
    given: int = 0

    def clock(self) -> datetime:
        return self.now

    def begin(self, size: int = 3) -> tuple[BatchRecord, Any]:
        """Hand in a batch and write its rows to the table, without telling the records that they are out."""
        self.given += 1
        number, places, records = self.given, self.places, self.records
        data = f"{places.home.name} {number}".encode() * 40
        sha256 = hashlib.sha256(data).hexdigest()
        kept = places.uploads / sha256[:2] / sha256
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(data)
        batch, _ = records.receive("beibei", f"{number}.csv", sha256, sm3_hex(data), len(data), self.now, "cli", "r1")
        folder = places.batches / batch.batch_id
        folder.mkdir(parents=True)
        (folder / "findings.csv").write_text(f"rule\n{number}\n", encoding="utf-8")
        records.advance(batch.batch_id, "read", self.now, dataset="air", layout="air_template")
        records.advance(batch.batch_id, "judged", self.now)
        publication = records.begin_publication(batch.batch_id, self.now)
        frame = rows.frame_of(AIR, [rows.air(f"S{s}", number, number + s) for s in range(size)], batch.batch_id)
        done = publish_table(
            frame, AIR, places.tables, batch_id=batch.batch_id, recorded_at=publication.recorded_at,
            lock_dir=places.home / "locks",
        )  # fmt: skip
        return batch, done

    def give(self, size: int = 3) -> BatchRecord:
        """One batch, all the way."""
        batch, done = self.begin(size)
        files = [DataFile(f.table, f.path, f.sha256, f.bytes) for f in done.files_added]
        retired = [(AIR.table, path) for path in done.files_removed]
        return self.records.finish_publication(batch.batch_id, [done.change.as_json()], files, self.now, retired)

    def content(self) -> str:
        return content_hash(AIR, self.places.tables)

    def version(self) -> int:
        shared = open_table(AIR, self.places.tables)
        assert shared is not None
        return shared.version

    def data_files(self) -> list[Path]:
        """Data files of the newest version."""
        shared = open_table(AIR, self.places.tables)
        assert shared is not None and shared.folder is not None
        return [shared.folder / file.path for file in shared.files]

    def later(self, **more: float) -> None:
        self.now += timedelta(**more)


def places_of(folder: Path, url: str | None = None) -> Places:
    return Places(folder, url or f"sqlite:///{folder / 'records.db'}", str(folder / "tables"))


def open_home(folder: Path, url: str | None = None, now: datetime = NOW) -> Home:
    places = places_of(folder, url)
    list(make_home(places, now))
    return Home(places, Records.open(places.database_url), now)


def flip(path: Path) -> None:
    """Turn one bit of a file round."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
