"""A home for the tests of the faces, and files to hand in."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

from pipelines.batch import Places
from portal.home import make_home
from portal.settings import read_settings

MORNING = datetime(2026, 4, 8, 18, 30, tzinfo=UTC)
"""2026-04-09 02:30 China Standard Time."""
DELIVERIES = Path(__file__).parents[2] / "examples" / "deliveries"


def new_home(folder: Path) -> Places:
    """Make a home."""
    places = placed(folder / "home")
    list(make_home(places, MORNING))
    return places


def placed(home: Path) -> Places:
    """Give the places of a home."""
    places = read_settings({}).places(home)
    assert places is not None
    return places


def hand_in(places: Places, bureau: str, name: str) -> Path:
    """Put an example delivery into the watched folder of a bureau."""
    folder = places.home / "inbox" / bureau
    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(DELIVERIES / bureau / name, folder / name))
