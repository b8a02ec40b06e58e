"""Desks for the tests of filing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from filing_desk import tidied
from portal_home import new_home

from pipelines.batch import Places
from portal.filing import FilingDesk, open_desk
from records.store import Records


@pytest.fixture
def desk(places: Places, kept: Records) -> Iterator[FilingDesk]:
    """The desk of a home just made."""
    opened = open_desk(places, kept)
    yield opened
    tidied(opened)


@pytest.fixture(scope="module")
def shared_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilingDesk]:
    """One desk for all tests of a module, each with files of its own."""
    places = new_home(tmp_path_factory.mktemp("desk"))
    with Records.open(places.database_url) as opened:
        desk = open_desk(places, opened)
        yield desk
        tidied(desk)
