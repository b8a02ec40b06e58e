"""What the tests of the faces share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from portal_browser import launched_browser
from portal_home import new_home, placed
from portal_web import Clock, Served, Town, lively_home, open_town, people_of, serving

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


@pytest.fixture(scope="session")
def first_town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    """A portal over a home after a night, with people; nobody works in it, it is copied."""
    opened = open_town(lively_home(tmp_path_factory.mktemp("first")))
    people_of(opened)
    opened.records.close()
    return opened


@pytest.fixture(scope="module")
def town(first_town: Town, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """The same in a home of this module alone; tests that change people make their own."""
    home = Path(shutil.copytree(first_town.places.home, tmp_path_factory.mktemp("town") / "home"))
    opened = open_town(placed(home))
    opened.people |= first_town.people
    yield opened
    opened.records.close()


@pytest.fixture
def clock(town: Town) -> Iterator[Clock]:
    """The clock of the portal, put right afterwards."""
    before = town.clock.at
    yield town.clock
    town.clock.at = before


@pytest.fixture(scope="module")
def served(town: Town) -> Iterator[Served]:
    """The same portal on a port, of this module alone."""
    opened = open_town(town.places)
    opened.clock.at, opened.people = town.clock.at, town.people
    with serving(opened) as running:
        yield running


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser, one for all tests of a process."""
    with launched_browser(tmp_path_factory.mktemp("fonts")) as launched:
        yield launched
