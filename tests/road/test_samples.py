"""Every shipped layout has a sample of its own, and the road makes of it exactly the rows that were read by eye."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.sync import Road
from tests.samples.expect import HERE, a_road, folder_of, sample_of, shipped, table_of, walk
from tests.samples.make_workbooks import make

LAYOUTS = {layout.layout: layout for layout in shipped()}
WORKBOOKS = ("credit_template", "cumcm_2011a", "taihu_monthly")


@pytest.fixture(scope="module")
def road() -> Iterator[Road]:
    """One road for all samples: its reader stays warm."""
    with a_road() as opened:
        yield opened


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_sample_of_a_layout_gives_its_expected_rows(name: str, road: Road) -> None:
    folder = folder_of(name)
    sender, layout = folder.parent.name, LAYOUTS[name]
    assert not layout.senders or sender in layout.senders
    verdict = walk(road, sample_of(folder), sender)
    assert verdict.batch.layout.layout == name
    expected = (folder / "expected.csv").read_text(encoding="utf-8")
    assert expected.count("\n") > 1, "the expected CSV holds no row"
    assert table_of(verdict) == expected


def test_no_folder_of_samples_is_left_without_its_layout() -> None:
    there = {path.parent.name for path in HERE.glob("*/*/expected.csv")}
    assert there == set(LAYOUTS)


@pytest.mark.parametrize("name", WORKBOOKS)
def test_the_script_makes_the_sample_workbooks_again(name: str, road: Road, tmp_path: Path) -> None:
    make(tmp_path)
    folder = folder_of(name, tmp_path)
    verdict = walk(road, sample_of(folder), folder.parent.name)
    assert table_of(verdict) == (folder_of(name) / "expected.csv").read_text(encoding="utf-8")


def test_both_forms_of_the_live_feed_give_the_same_values(road: Road) -> None:
    """XML and GeoJSON differ only in where a value stood."""
    tables = []
    for name in ("cnemc_live_xml", "cnemc_live_geojson"):
        folder = folder_of(name)
        lines = table_of(walk(road, sample_of(folder), folder.parent.name)).splitlines()
        tables.append(sorted(",".join(line.split(",")[2:]) for line in lines))
    assert tables[0] == tables[1]


def test_an_expected_csv_of_experts_holds_no_number_of_a_person() -> None:
    folder = folder_of("experts_template")
    sample = sample_of(folder).read_text(encoding="gb18030").splitlines()
    expected = (folder / "expected.csv").read_text(encoding="utf-8")
    for line in sample[1:]:
        name, identity, *_, phone, _ = line.split(",")
        assert not any(word in expected for word in (name, identity, identity[-4:], phone))
