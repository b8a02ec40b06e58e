"""Tables of text: field counts are checked, rows keep their number, nothing shifts."""

import csv
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.batch import ReadLimits, Sheet
from pipelines.errors import TooLarge, UnreadableFile
from pipelines.intake import delimited
from pipelines.intake.text import decode


@pytest.fixture
def table(tmp_path):
    """Read text as a table: sheet and the codes of the notes."""

    def read(text: str, limits: ReadLimits | None = None) -> tuple[Sheet, dict[str, int]]:
        limits = limits or ReadLimits()
        source = tmp_path / "source"
        source.write_bytes(text.encode())
        sheet, notes = delimited.read(decode(source, tmp_path / "text", limits), limits)
        return sheet, {note.what: note.count for note in notes}

    return read


def rows(sheet: Sheet) -> list[tuple[int, list[str]]]:
    return [(int(row), list(values.values())) for row, values in zip(sheet.rows, sheet.cells.to_pylist(), strict=True)]


def test_quoted_line_breaks_do_not_count_as_rows(table):
    sheet, _ = table('a,b,c\n1,"x\ny, z",3\n4,5,6\n')
    assert rows(sheet) == [(1, ["a", "b", "c"]), (2, ["1", "x\ny, z", "3"]), (3, ["4", "5", "6"])]


def test_blank_lines_count_as_rows_and_are_left_out(table):
    sheet, notes = table("a,b\n\n1,2\n  \n,\n3,4\n\n\n")
    assert rows(sheet) == [(1, ["a", "b"]), (3, ["1", "2"]), (6, ["3", "4"])]
    assert notes["blank-row"] >= 2
    assert not sheet.broken


@pytest.mark.parametrize("mark", ["\t", ";"])
def test_another_delimiter_is_recognised_and_named(table, mark):
    sheet, notes = table(f"a{mark}b{mark}c\n1{mark}2,5{mark}3\n4{mark}5{mark}6\n")
    assert rows(sheet)[1] == (2, ["1", "2,5", "3"])
    assert notes == {"delimiter": 1}


def test_titles_above_and_closing_lines_below_are_kept_padded(table):
    sheet, _ = table("北碚区小时值\n单位：μg/m3\na,b,c\n1,2,3\n4,5,6\n制表人：张三\n")
    assert rows(sheet) == [
        (1, ["北碚区小时值", "", ""]),
        (2, ["单位：μg/m3", "", ""]),
        (3, ["a", "b", "c"]),
        (4, ["1", "2", "3"]),
        (5, ["4", "5", "6"]),
        (6, ["制表人：张三", "", ""]),
    ]


def test_short_and_long_records_are_broken_with_their_rows(table):
    sheet, _ = table("a,b,c,d\n1,2,3,4\n1,2\n1,2,3,4,5\n5,6,7,8\n")
    assert [row for row, _ in rows(sheet)] == [1, 2, 5]
    assert [(line.row, line.fields, line.expected, line.text) for line in sheet.broken] == [
        (3, 2, 4, "1,2"),
        (4, 5, 4, "1,2,3,4,5"),
    ]


def test_a_last_record_that_was_cut_off_is_broken_not_padded(table):
    sheet, _ = table("a,b,c,d\n1,2,3,4\n5,6,7,8\n9,10,11")
    assert [line.row for line in sheet.broken] == [4]


def test_full_width_commas_break_their_rows_only(table):
    sheet, _ = table("a,b,c\n1,2,3\n4，5，6\n7,8,9\n")
    assert [row for row, _ in rows(sheet)] == [1, 2, 4]
    assert sheet.broken[0].text == "4，5，6"


def test_one_more_field_in_every_record_breaks_all_and_shifts_none(table):
    sheet, _ = table("a,b,c\n" + "1,2,3,4\n" * 5)
    assert rows(sheet) == [(1, ["a", "b", "c"])]
    assert [line.row for line in sheet.broken] == [2, 3, 4, 5, 6]


def test_one_field_less_in_every_record_breaks_all(table):
    sheet, _ = table("a,b,c,d\n" + "1,2,3\n" * 5)
    assert rows(sheet) == [(1, ["a", "b", "c", "d"])]
    assert len(sheet.broken) == 5


@pytest.mark.parametrize("text", ["a,b,\n1,2,\n3,4,\n", "a,b\n1,2,\n3,4,\n", "a,b\n1,2\n3,4,\n"])
def test_trailing_commas_are_dropped_and_noted(table, text):
    sheet, notes = table(text)
    assert rows(sheet) == [(1, ["a", "b"]), (2, ["1", "2"]), (3, ["3", "4"])]
    assert notes["trailing-comma"] >= 1


def test_a_named_column_without_values_stays(table):
    sheet, notes = table("a,b,备注\n1,2,\n3,4,\n")
    assert sheet.cells.num_columns == 3
    assert notes == {}


def test_texts_that_look_missing_stay_texts(table):
    sheet, _ = table("a,b\nNA,null\n,NaN\nTRUE,#N/A\n0012,１２\n")
    assert [values for _, values in rows(sheet)][1:] == [
        ["NA", "null"], ["", "NaN"], ["TRUE", "#N/A"], ["0012", "１２"]
    ]  # fmt: skip


def test_a_quotation_mark_never_closed_is_refused_with_its_row(table):
    with pytest.raises(UnreadableFile) as refusal:
        table('a,b\n1,2\n3,"open\n' + "5,6\n" * 100)
    assert (refusal.value.code, refusal.value.row) == ("open-quote", 3)


def test_a_quotation_mark_never_closed_in_a_large_file_is_refused(table):
    with pytest.raises(UnreadableFile) as refusal:
        table('a,b\n1,2\n3,"open\n' + "5,6\n" * 3_000_000, ReadLimits(rows=10_000_000))
    assert (refusal.value.code, refusal.value.row) == ("open-quote", 3)


def test_one_column_is_a_table_too(table):
    sheet, _ = table("企业名称\n甲公司\n\n乙公司\n")
    assert rows(sheet) == [(1, ["企业名称"]), (2, ["甲公司"]), (4, ["乙公司"])]


def test_nothing_but_blanks_is_refused(table):
    with pytest.raises(UnreadableFile, match="没有数据行"):
        table("\n \n\u3000\n,,\n")


def test_rows_are_limited(table):
    table("a,b\n" + "1,2\n" * 100, ReadLimits(rows=100))
    with pytest.raises(TooLarge):
        table("a,b\n" + "1,2\n" * 101, ReadLimits(rows=100))


CELL = st.text(st.characters(exclude_characters="\0\t;\x02", exclude_categories=["Cs"]), max_size=8)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.integers(2, 6).flatmap(lambda n: st.lists(st.lists(CELL, min_size=n, max_size=n), min_size=1, max_size=12)))
def test_no_cell_changes_between_writing_and_reading(table, grid):
    header = [f"列{i}" for i in range(len(grid[0]))]
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerows([header, *grid])
    sheet, _ = table(out.getvalue())
    expected = [(1, header)] + [(i, row) for i, row in enumerate(grid, 2) if any(cell.strip() for cell in row)]
    assert rows(sheet) == expected
    assert not sheet.broken
