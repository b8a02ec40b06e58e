"""What the documents tell a maintainer to write is tried here, word for word."""

import datetime as dt
import re
import shutil
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from schemas.contracts import tables
from schemas.files import SCHEMAS
from schemas.layouts import read_layout
from schemas.loaders import bureaus, find_parameter, parameters, stations
from schemas.rules import read_rules

ROOT = Path(__file__).parents[2]
ARROW = {
    "string": pa.string(),
    "float64": pa.float64(),
    "int32": pa.int32(),
    "int8": pa.int8(),
    "timestamp": pa.timestamp("us", "UTC"),
    "bool": pa.bool_(),
    "date": pa.date32(),
}


def blocks(name: str, language: str) -> list[str]:
    """Give the fenced blocks of one language in a document."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.fixture
def facts(tmp_path):
    """Copy the facts, so that a document's line can be added to them."""
    copy = tmp_path / "schemas"
    shutil.copytree(SCHEMAS, copy, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    return copy


@pytest.fixture
def demo_tables(tmp_path, monkeypatch):
    """Stand beside a ``demo-home`` with one air table after a correction: 31 became 33 on 2026-04-15."""
    monkeypatch.chdir(tmp_path)
    first, second = (dt.datetime(2026, 4, day, tzinfo=dt.UTC) for day in (13, 15))
    row = {"station_id": "1414A", "bureau": "beibei", "parameter": "PM2.5", "averaging_period": "1h", "flag": 1}
    row |= {"period_start": dt.datetime(2026, 4, 6, tzinfo=dt.UTC), "month": "2026-04"}
    rows = [
        row | {"value": 31.0, "recorded_from": first, "recorded_until": second},
        row | {"value": 33.0, "recorded_from": second},
    ]
    columns = tables()["air_observation"].columns
    schema = pa.schema([(column.name, ARROW[column.type]) for column in columns])
    assert {"recorded_until", *rows[0]} <= set(schema.names)
    write_deltalake(
        "demo-home/tables/air_observation", pa.Table.from_pylist(rows, schema=schema), partition_by=["month"]
    )


def test_the_pollutant_of_the_document_is_one_row(facts):
    (row,) = blocks("docs/add-a-pollutant.md", "csv")
    path = facts / "vocabularies" / "parameters.csv"
    path.write_bytes(path.read_bytes().rstrip() + b"\n" + row.encode())
    assert parameters(facts)["Geosmin"].unit == "mg/L"
    assert find_parameter("water", "GSM(ng/L)", root=facts).parameter == "Geosmin"
    assert find_parameter("soil", "土臭素", root=facts) is None


def test_the_bureau_of_the_document_is_a_folder(tmp_path):
    folder = tmp_path / "suining"
    folder.mkdir()
    (folder / "bureau.toml").write_text(*blocks("docs/add-a-bureau.md", "toml"), encoding="utf-8")
    (folder / "stations.csv").write_text(*blocks("docs/add-a-bureau.md", "csv"), encoding="utf-8")
    assert bureaus(tmp_path)["suining"].division == "510900"
    assert [station.station_id for station in stations("suining", tmp_path)] == ["SNW01", "SNQ01"]


def test_the_layout_of_the_document_is_read(tmp_path):
    (text,) = blocks("docs/add-a-layout.md", "toml")
    path = tmp_path / "duanmian_monthly.toml"
    path.write_text(text, encoding="utf-8")
    layout = read_layout(path, "mianyang")
    assert layout.columns["section_id"] == "断面编号"
    assert {result.parameter for result in layout.results} == {"NH3-N", "CODMn"}
    names = tables()["water_result"].names
    assert set(layout.columns) | set(layout.fixed) | set(layout.optional) <= {*names, "section_name"}


def test_the_rule_of_the_document_is_read_and_its_code_is_free(tmp_path, facts):
    (text,) = blocks("docs/add-a-rule.md", "toml")
    path = facts / "rules" / "water_result.toml"
    path.write_text(path.read_text(encoding="utf-8") + "\n" + text, encoding="utf-8")
    rule = next(rule for rule in read_rules(path) if rule.code == "WATER-091")
    assert rule.where == {"parameter": ("WaterTemp",)}
    assert rule.arguments == {"low": 0, "high": 40}


def test_reading_the_tables_works_as_written(demo_tables):
    names: dict[str, object] = {}
    for block in blocks("docs/reading-the-tables.md", "python"):
        exec(compile(block, "docs/reading-the-tables.md", "exec"), names)
    assert names["wide"].to_numpy().tolist() == [[33.0]]
    assert str(names["wide"].index.tz) == "Asia/Shanghai"
    assert names["known"]["value"].tolist() == [31.0]
    assert names["daily"].rows() == [("1414A", dt.date(2026, 4, 6), 33.0, 1)]
    assert names["rows"].values.tolist() == [["beibei", "PM2.5", 1, 33.0]]


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_the_readme_reads_the_table_with_pandas_and_polars(readme, demo_tables, capsys):
    for block in blocks(readme, "python"):
        exec(compile(block, readme, "exec"), {})
    printed = capsys.readouterr().out
    assert printed.count("33.0") == 2
    assert "31.0" not in printed


def test_every_link_between_documents_leads_somewhere():
    generated = {"docs/data-dictionary.md", "docs/rules.md", "docs/alarms.md"}
    for page in [ROOT / "README.md", ROOT / "README.zh-CN.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            path = (page.parent / target).resolve()
            assert path.exists() or path.relative_to(ROOT).as_posix() in generated, f"{page.name}: {target}"
