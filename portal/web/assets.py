"""Style, script and picture files, read once at the start and served from memory under a name that holds their hash.

No path of a request ever reaches the disk, and a name that names its content may be cached for good.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

STATIC = Path(__file__).parent / "static"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file; ``address`` is where pages find it."""

    name: str
    address: str
    media_type: str
    content: bytes


@cache
def assets(folder: Path = STATIC) -> dict[str, Asset]:
    """Read every file a page may ask for, by its name."""
    found = {}
    for path in sorted(folder.iterdir()):
        if path.suffix in TYPES:
            content = path.read_bytes()
            mark = hashlib.sha256(content).hexdigest()[:16]
            address = f"/static/{mark}/{path.name}"
            found[path.name] = Asset(path.name, address, TYPES[path.suffix], content)
    return found


def at_address(mark: str, name: str) -> Asset | None:
    """Find the file a request names, mark and all."""
    asset = assets().get(name)
    return asset if asset is not None and asset.address == f"/static/{mark}/{name}" else None
