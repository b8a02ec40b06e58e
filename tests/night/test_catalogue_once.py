"""The catalogue opens every table: of many files it is written once, and what a kill left out comes with the next run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from here_reader import HereReader
from home_model import home_at, let_pass

import pipelines.publish.catalogue as catalogue
from pipelines.intake import folder
from pipelines.intake.pull import Wanted
from pipelines.night import Night, run_once
from pipelines.publish.catalogue import is_current
from pipelines.sync import Road, renew_catalogue, submit
from portal.cli import _road
from records.runs import begin_run
from schemas.sources import sources

MORNING = datetime(2026, 4, 8, 18, 30, tzinfo=UTC)
DELIVERIES = Path(__file__).parents[2] / "examples" / "deliveries" / "mianyang"
FILES = [DELIVERIES / f"空气小时值_202604{day:02}.csv" for day in (6, 7)]


@pytest.fixture
def road(tmp_path: Path) -> Iterator[Road]:
    """A road in an empty home; files are read here, and the gate stands open."""
    home = tmp_path / "home"
    with home_at(home, f"sqlite:///{home / 'records.db'}", MORNING) as road:
        road.reader = HereReader(road.limits)
        let_pass(road)
        yield road


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Each writing of the catalogue, by the version of the air table it tells of; each is really done."""
    versions: list[int] = []
    write = catalogue.write_catalogue

    def writing(*args, **more):
        paths = write(*args, **more)
        package = json.loads(paths[-1].read_text("utf-8"))
        versions.append({one["table"]: one["version"] for one in package["resources"]}["air_observation"])
        return paths

    monkeypatch.setattr(catalogue, "write_catalogue", writing)
    monkeypatch.setattr(folder, "SETTLE", 0.05)
    return versions


def walk(road: Road) -> None:
    assert [one.state for path in FILES for one in submit(road, path, "mianyang")] == ["published"] * 2


def look_at_the_folders(road: Road) -> list[str]:
    """One run over the watched folders; gives the batches it brought."""
    found, _ = sources(road.site)
    run = begin_run(road.kept, "hour", "2026-04-09T02", "scheduled", MORNING, MORNING, "h:1:1", 1)
    assert run is not None
    return list(run_once(Night(road, found), run, list(found.values()), Wanted())["batches"])


def current(road: Road) -> bool:
    return is_current(road.places.tables, road.places.catalogue)


def test_a_file_alone_is_in_the_catalogue_at_once(road, written):
    walk(road)
    assert written == [1, 2] and current(road)


def test_many_files_are_in_it_at_their_end(road, written):
    road.catalogue_later = True
    walk(road)
    assert written == [] and not current(road)
    renew_catalogue(road)
    renew_catalogue(road)
    assert written == [2] and current(road)


def test_a_night_writes_it_once(road, written):
    inbox = road.places.home / "inbox" / "mianyang"
    inbox.mkdir(parents=True, exist_ok=True)
    for path in FILES:
        shutil.copy(path, inbox)
    assert len(look_at_the_folders(road)) == 2
    assert written == [2] and current(road)


def test_what_a_kill_left_out_is_written_by_the_next_run_though_nothing_comes(road, written):
    road.catalogue_later = True
    walk(road)
    assert look_at_the_folders(road) == []
    assert written == [2] and current(road)


def test_a_catalogue_that_cannot_be_written_ends_no_night(road, written, caplog):
    shutil.rmtree(road.places.catalogue)
    road.places.catalogue.write_text("in the way")
    assert look_at_the_folders(road) == []
    assert written == [] and "目录未能更新" in caplog.text


def test_only_many_files_in_one_command_have_their_children_started_ahead_and_one_catalogue(road):
    roads = [_road(road.places, road.kept, files=count) for count in (1, 2)]
    assert [(one.warm, one.catalogue_later) for one in roads] == [(False, False), (True, True)]
