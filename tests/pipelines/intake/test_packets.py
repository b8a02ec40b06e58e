"""HJ 212 packets: official vectors, real packets, packets as they are really met."""

import csv
import json

import pytest

from pipelines.batch import ReadLimits, Sheet
from pipelines.intake import kinds
from pipelines.intake.packets import HEADERS, crc, read_flag

SAMPLE = "QN=20240601085857223;ST=32;CN=1011;PW=123456;MN=010000A8900016F000169DC0;Flag=9;CP=&&&&"


def wrap(segment: str, declared: str | None = None) -> str:
    return f"##{len(segment):04d}{segment}{declared or format(crc(segment.encode()), '04X')}"


@pytest.fixture
def take(tmp_path):
    """Read text as packets: the rows as dicts, and the sheet."""

    def read(text: str) -> tuple[list[dict[str, str]], Sheet]:
        path = tmp_path / "source"
        path.write_text(text, encoding="utf-8", newline="")
        batch = kinds.read(path, "packets.txt", tmp_path, ReadLimits())
        assert batch.kind == "hj212"
        header, *rows = [list(row.values()) for row in batch.sheets[0].cells.to_pylist()]
        assert tuple(header) == HEADERS
        return [dict(zip(header, row, strict=True)) for row in rows], batch.sheets[0]

    return read


def test_the_vectors_of_the_standards_hold(shared):
    with (shared / "reference/test_vectors.csv").open(encoding="utf-8") as stream:
        vectors = [row for row in csv.DictReader(stream) if row["domain"] == "hj212"]
    assert len(vectors) >= 9
    for row in vectors:
        given, expected = json.loads(row["input"]), json.loads(row["expected"])
        if row["function"] == "crc":
            segment = given["segment"]
            assert {"length": len(segment), "crc": f"{crc(segment.encode()):04X}"} == expected, row["id"]
        else:
            assert read_flag(given["flag"])._asdict() == expected, row["id"]


@pytest.mark.parametrize("medium", ["air", "water"])
def test_length_and_crc_of_real_packets_are_counted_apart(shared, tmp_path, medium):
    path = shared / f"data/{medium}/hj212_packets_{medium}.txt"
    with path.with_name(f"hj212_packets_{medium}.sources.tsv").open(encoding="utf-8") as stream:
        sources = list(csv.DictReader(stream, delimiter="\t"))
    batch = kinds.read(path, path.name, tmp_path, ReadLimits())
    rows = [tuple(row.values())[-4:] for row in batch.sheets[0].cells.to_pylist()[1:]]
    packets = [now for before, now in zip([None, *rows], rows, strict=False) if now != before]
    assert packets == [
        (f"{int(s['declared_length']):04d}", s["actual_length"], s["declared_crc"], s["computed_crc"]) for s in sources
    ]
    assert not batch.sheets[0].broken


def test_an_item_gives_one_row_for_each_kind_of_value(take):
    segment = (
        "QN=20260305020502000;ST=22;CN=2061;PW=123456;MN=510703000000000000000001;Flag=5;CP=&&DataTime=20260305010000;"
        "a34004-Avg=42.6,a34004-Min=40.0,a34004-Flag=N;a05024-Avg=55.3,a05024-Flag=M&&"
    )
    rows, _ = take(wrap(segment) + "\r\n")
    assert [(r["监测因子编码"], r["数据类型"], r["数值"], r["数据标记"]) for r in rows] == [
        ("a34004", "Avg", "42.6", "N"),
        ("a34004", "Min", "40.0", "N"),
        ("a05024", "Avg", "55.3", "M"),
    ]
    assert {(r["设备编码"], r["系统编码"], r["命令编码"], r["数据时间"], r["版本"]) for r in rows} == {
        ("510703000000000000000001", "22", "2061", "20260305010000", "HJ 212-2017")
    }


def test_packets_are_found_glued_and_with_visible_line_ends(take):
    rows, sheet = take(wrap(SAMPLE) + wrap(SAMPLE) + "\\r\\n" + wrap(SAMPLE, "ffff") + "\r\n")
    assert [r["声明CRC"] for r in rows] == ["2200", "2200", "ffff"]
    assert [r["计算CRC"] for r in rows] == ["2200"] * 3
    assert sheet.rows.tolist() == [1, 2, 3, 4]


def test_a_packet_without_items_gives_one_row(take):
    rows, _ = take(wrap(SAMPLE))
    assert [(r["监测因子编码"], r["数值"], r["版本"]) for r in rows] == [("", "", "HJ 212-2025")]


def test_an_encrypted_packet_is_named_not_guessed(take):
    rows, _ = take("##0087QN=1;ST=31;CN=2051;MN=A;Flag=9;CP=&&{0xE4,0x3E,0x00}&&2200")
    assert [(r["数据类型"], r["数值"]) for r in rows] == [("encrypted", "")]


def test_packet_numbers_and_resending_are_kept(take):
    rows, _ = take(wrap("ST=22;CN=2011;MN=A;Flag=10;PNUM=2;PNO=1;RF=1;CP=&&DataTime=1;a-Rtd=1&&"))
    assert [(r["版本"], r["包数"], r["包号"], r["重发"]) for r in rows] == [("HJ 212-2025", "2", "1", "1")]


def test_a_packet_cut_off_is_reported_not_lost(take):
    rows, sheet = take(wrap(SAMPLE) + "\r\n##0100QN=2024;ST=22;CP=&&a-Rtd=1\r\n" + wrap(SAMPLE))
    assert len(rows) == 2
    assert [(line.row, line.text) for line in sheet.broken] == [(3, "##0100QN=2024;ST=22;CP=&&a-Rtd=1")]
    assert sheet.rows.tolist() == [1, 2, 4]
