"""The reading child's own functions, and its wire, without the child."""

from __future__ import annotations

from pathlib import Path

from pipelines.batch import RawBatch
from pipelines.disk import digest
from pipelines.intake import kinds, wire
from pipelines.intake.read import Reader


class HereReader(Reader):
    """Reads in this process what a child would read in its own."""

    def start(self) -> None:
        pass

    def read(self, path: Path, name: str, scratch: Path) -> RawBatch:
        scratch.mkdir(parents=True, exist_ok=True)
        wire.write(kinds.read(path, name, scratch, self.limits), scratch)
        return wire.load(scratch, name, digest(path))
