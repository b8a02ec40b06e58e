"""JSON and XML deliveries as grids."""

import json

import pytest

from pipelines.batch import RawBatch, ReadLimits, Sheet
from pipelines.errors import UnreadableFile, UnreadableText
from pipelines.intake import kinds


@pytest.fixture
def take(tmp_path):
    """Read text under a name."""

    def read(text: str, name: str = "data.json") -> RawBatch:
        path = tmp_path / "source"
        path.write_text(text, encoding="utf-8")
        return kinds.read(path, name, tmp_path, ReadLimits())

    return read


def grid(sheet: Sheet) -> list[list[str]]:
    return [list(row.values()) for row in sheet.cells.to_pylist()]


def test_numbers_keep_the_digits_as_written(take):
    batch = take('[{"code": "0012", "CO": 1.0, "n": 1, "id": 915001091234567890}, {"CO": 1e-5, "x": null, "ok": true}]')
    assert batch.kind == "json"
    assert grid(batch.sheets[0]) == [
        ["code", "CO", "n", "id", "x", "ok"],
        ["0012", "1.0", "1", "915001091234567890", "", ""],
        ["", "1e-5", "", "", "", "TRUE"],
    ]
    assert batch.sheets[0].rows.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    "text",
    [
        '{"data": [{"a": 1, "b": "x"}]}',
        '{"headers": ["a", "b"], "rows": [[1, "x"]]}',
        '[["a", "b"], [1, "x"]]',
        '{"code": 200, "data": {"list": [{"a": 1, "b": "x"}]}}',
    ],
)
def test_the_usual_shapes_are_tables(take, text):
    assert grid(take(text).sheets[0]) == [["a", "b"], ["1", "x"]]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('[{"a": NaN}]', "json-constant"),
        ('[{"a": -Infinity}]', "json-constant"),
        ('[{"a": 1, "a": 2}]', "json-twice"),
        ('[{"a": 1}', "damaged"),
        ('{"a": 1}', "json-shape"),
        ('[{"a": ' + "[" * 60 + "]" * 60 + "}]", "json-depth"),
        ("[[" * 50_000 + "]]" * 50_000, "json-depth"),
    ],
)
def test_what_is_no_table_is_refused(take, text, code):
    with pytest.raises(UnreadableFile) as refusal:
        take(text)
    assert refusal.value.code == code


@pytest.mark.parametrize(("text", "code"), [('[{"a": "x\\u0000"}]', "nul"), ('[{"a": "\\ud800"}]', "bad-text")])
def test_what_an_escape_smuggles_in_is_refused(take, text, code):
    with pytest.raises(UnreadableText) as refusal:
        take(text)
    assert refusal.value.code == code


def test_a_page_of_a_longer_answer_is_read_with_a_note(take):
    batch = take('{"total": 3, "data": [{"a": 1}]}')
    assert [(note.what, note.count) for note in batch.normalised] == [("declared-total", 2)]
    assert take('{"total": 1, "data": [{"a": 1}]}').normalised == ()


def test_the_surface_water_page_keeps_what_its_titles_say(shared, tmp_path):
    path = shared / "data/water/cnemc_water_realtime_raw_20260821T20_page1.json"
    batch = kinds.read(path, path.name, tmp_path, ReadLimits())
    cells = grid(batch.sheets[0])
    assert batch.kind == "cnemc-water-json"
    assert cells[0][:7] == ["省份", "流域", "断面名称", "监测时间", "水质类别", "水温(℃)", "pH(无量纲)"]
    assert cells[1][5] == "26.6（原始值：26.58）"
    assert cells[1][14] == "--"
    assert sum(cell == "--（当天质控不合格）" for row in cells for cell in row) == 49
    assert not any("<" in cell for row in cells for cell in row)
    assert [(note.what, note.count) for note in batch.normalised] == [("declared-total", 1616 - 480)]


def test_the_live_xml_and_geojson_of_one_hour_are_one_table(shared, tmp_path):
    tables = []
    for kind in ("xml", "geojson"):
        path = shared / f"data/air/cnemc_publish_live_20170707T16.{kind}"
        (tmp_path / kind).mkdir()
        batch = kinds.read(path, path.name, tmp_path / kind, ReadLimits())
        assert batch.kind == {"xml": "cnemc-xml", "geojson": "geojson"}[kind]
        assert batch.normalised == ()
        header, *rows = grid(batch.sheets[0])
        names = [name.lower() for name in header]
        tables.append({row[names.index("stationcode")]: dict(zip(names, row, strict=True)) for row in rows})
    xml, geo = tables
    assert len(xml) == 1495 and xml.keys() == geo.keys()
    for code, record in geo.items():
        for name in ("pm2_5", "pm10", "so2", "no2", "co", "o3", "o3_24h", "o3_8h", "timepoint"):
            assert record[name].replace("-;", "&mdash;") == xml[code][name], (code, name)
        assert float(record["longitude"]) == float(xml[code]["longitude"])


def test_entities_nobody_declared_stay_as_written(take):
    batch = take("<r><a><x>&mdash;</x><y>1 &amp; 2</y></a><a><x>3</x></a></r>", "feed.xml")
    assert batch.kind == "xml"
    assert grid(batch.sheets[0]) == [["x", "y"], ["&mdash;", "1 & 2"], ["3", ""]]


def test_nested_elements_are_named_by_their_path(take):
    batch = take("<r><a><p><q>1</q><q>2</q></p></a><a><p><q>3</q></p></a></r>", "feed.xml")
    assert grid(batch.sheets[0]) == [["p.q"], ["1\n2"], ["3"]]


def test_a_declared_total_is_compared(take):
    batch = take("<r><TotalCount>5</TotalCount><l><a><x>1</x></a><a><x>2</x></a></l></r>", "feed.xml")
    assert [note.count for note in batch.normalised] == [3]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('<!DOCTYPE r [<!ENTITY x "y">]><r><a><x>1</x></a></r>', "hostile-xml"),
        ("<r><a><x>1</x></a>", "damaged"),
        ("<r>text</r>", "xml-shape"),
    ],
)
def test_hostile_or_broken_xml_is_refused(take, text, code):
    with pytest.raises(UnreadableFile) as refusal:
        take(text, "feed.xml")
    assert refusal.value.code == code


def test_a_large_json_keeps_its_order(take):
    records = [{"i": i, "v": f"值{i % 7}"} for i in range(120_000)]
    sheet = take(json.dumps(records, ensure_ascii=False)).sheets[0]
    assert sheet.cells.num_rows == 120_001
    assert sheet.cells.column(0)[60_001].as_py() == "60000"
