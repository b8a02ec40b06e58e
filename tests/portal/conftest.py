"""What the tests of the faces share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from portal_home import new_home

from pipelines.batch import Places
from records.store import Records


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A home just made."""
    return new_home(tmp_path)


@pytest.fixture
def kept(places: Places) -> Iterator[Records]:
    """Its records."""
    with Records.open(places.database_url) as opened:
        yield opened
