"""The catalogue describes what is out, in forms other programs know."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from frictionless import Package, Schema
from made_rows import T0, WATER, air, publish

from pipelines.publish.catalogue import dictionary_markdown, is_current, write_catalogue
from pipelines.publish.store import newest_version, open_table
from schemas.contracts import tables

PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Air of two senders and water of one."""
    root = tmp_path / "tables"
    publish(root, [air("1414A", 0, 35)], "b1")
    publish(root, [air("1878A", 900, 35, bureau="mianyang")], "b2", at=1)
    water = {"section_id": "BBW01", "parameter": "NH3N", "sample_time": T0.replace(tzinfo=None), "month": "2026-04"}
    publish(root, [water], "b3", at=2, table=WATER)
    return root


def test_the_data_package_is_valid_and_has_every_table(root, tmp_path):
    write_catalogue(str(root), tmp_path / "catalogue")
    written = json.loads((tmp_path / "catalogue" / "datapackage.json").read_text(encoding="utf-8"))
    assert [error.note for error in Package.metadata_validate(written)] == []
    resources = {entry["table"]: entry for entry in written["resources"]}
    assert set(resources) == set(tables())
    for table in tables().values():
        schema = resources[table.table]["schema"]
        assert [error.note for error in Schema.metadata_validate(schema)] == []
        assert [field["name"] for field in schema["fields"]] == list(table.names)
        assert schema["primaryKey"] == [*table.key, "recorded_from"]
    assert resources["air_observation"]["version"] == 2
    assert resources["air_observation"]["rows"] == 2
    assert resources["soil_result"]["version"] is None
    assert {entry["bureau"] for entry in written["contributors"]} == {"beibei", "mianyang"}


def test_the_paths_of_the_data_package_find_the_files(root, tmp_path):
    write_catalogue(str(root), tmp_path / "catalogue")
    written = json.loads((tmp_path / "catalogue" / "datapackage.json").read_text(encoding="utf-8"))
    counts = {entry["table"]: len(list(root.glob(entry["path"]))) for entry in written["resources"]}
    assert counts == dict.fromkeys(tables(), 0) | {"air_observation": 2, "water_result": 1}


def test_the_dcat_record_names_publishers_time_and_place(root, tmp_path):
    write_catalogue(str(root), tmp_path / "catalogue")
    written = json.loads((tmp_path / "catalogue" / "catalogue.jsonld").read_text(encoding="utf-8"))
    found = {entry["dct:identifier"]: entry for entry in written["dcat:dataset"]}
    assert set(found) == {"air_observation", "water_result"}
    air_set = found["air_observation"]
    names = [
        name["@value"] for who in air_set["dct:publisher"] for name in who["foaf:name"] if name["@language"] == "zh"
    ]
    assert names == ["北碚区生态环境局", "绵阳市生态环境局"]
    assert [place["dct:identifier"] for place in air_set["dct:spatial"]] == ["500109", "510700"]
    assert air_set["dct:temporal"]["dcat:startDate"]["@value"] == "2026-03-31T16:00:00+00:00"
    assert air_set["dct:temporal"]["dcat:endDate"]["@value"] == "2026-05-08T04:00:00+00:00"
    prefixes = set(written["@context"])
    used = {key.split(":")[0] for entry in written["dcat:dataset"] for key in entry if ":" in key}
    assert used <= prefixes


def test_the_same_state_gives_the_same_bytes_and_no_litter(root, tmp_path):
    first = [path.read_bytes() for path in write_catalogue(str(root), tmp_path / "catalogue")]
    assert [path.read_bytes() for path in write_catalogue(str(root), tmp_path / "catalogue")] == first
    names = {path.name for path in (tmp_path / "catalogue").iterdir()}
    assert names == {"datapackage.json", "catalogue.jsonld", "data-dictionary.md"}


def test_a_catalogue_of_nothing_is_a_catalogue(tmp_path):
    write_catalogue(str(tmp_path / "nothing"), tmp_path / "catalogue")
    written = json.loads((tmp_path / "catalogue" / "datapackage.json").read_text(encoding="utf-8"))
    assert list(Package.metadata_validate(written)) == []


def test_the_data_dictionary_in_the_docs_is_current():
    kept = (PROJECT / "docs" / "data-dictionary.md").read_text(encoding="utf-8")
    assert kept == dictionary_markdown(), "write docs/data-dictionary.md again from dictionary_markdown()"


def test_the_data_dictionary_explains_every_column_in_both_languages():
    text = dictionary_markdown()
    for table in tables().values():
        section = text.split(f"## `{table.table}` ")[1].split("\n## ")[0]
        for column in table.columns:
            line = next(line for line in section.splitlines() if line.startswith(f"| `{column.name}` |"))
            assert column.meaning_zh in line and column.meaning_en in line


def test_a_catalogue_is_current_until_a_version_comes(root, tmp_path):
    folder = tmp_path / "catalogue"
    assert not is_current(str(root), folder)
    write_catalogue(str(root), folder)
    assert is_current(str(root), folder)
    publish(root, [air("1414A", 1, 36)], "b4", at=3)
    assert not is_current(str(root), folder)
    write_catalogue(str(root), folder)
    assert is_current(str(root), folder)
    (folder / "catalogue.jsonld").unlink()
    assert not is_current(str(root), folder)
    (folder / "datapackage.json").write_text("{", encoding="utf-8")
    assert not is_current(str(root), folder)


def test_the_newest_version_is_that_of_the_log_also_beyond_its_checkpoints(root):
    for number in range(60):
        publish(root, [air("1414A", 2 + number, 36)], f"c{number}", at=4 + number)
    assert list((root / "air_observation" / "_delta_log").glob("*.checkpoint.parquet"))
    for name, table in tables().items():
        shared = open_table(table, str(root))
        assert newest_version(table, str(root)) == (None if shared is None else shared.version), name
