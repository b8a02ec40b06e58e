"""Workbooks: what calamine does not tell is seen, and nothing becomes a silent blank."""

import datetime
import random
import re
import zipfile

import openpyxl
import pytest
import xlsxwriter
import xlwt

from pipelines.batch import RawBatch, ReadLimits, Sheet
from pipelines.errors import IntakeError, TooLarge, UnreadableFile
from pipelines.intake import Reader, kinds

ROOT = b'<r><x Type="http://x/officeDocument" Target="/xl/workbook.xml"/></r>'


@pytest.fixture
def take(tmp_path):
    """Read a workbook in this process."""

    def read(path, limits: ReadLimits | None = None) -> RawBatch:
        return kinds.read(path, path.name, tmp_path, limits or ReadLimits())

    return read


@pytest.fixture
def book(tmp_path):
    """Give an XlsxWriter workbook and the path it will have."""
    path = tmp_path / "book.xlsx"
    return xlsxwriter.Workbook(path), path


def grid(sheet: Sheet) -> list[list[str]]:
    return [list(row.values()) for row in sheet.cells.to_pylist()]


def marks(sheet: Sheet) -> list[tuple[int, int, str, str]]:
    return [(mark.row, mark.column, mark.kind, mark.text) for mark in sheet.marks]


def test_numbers_times_and_truths_are_written_shortest(take, book):
    out, path = book
    sheet = out.add_worksheet("数据")
    when = out.add_format({"num_format": "yyyy-mm-dd hh:mm"})
    sheet.write_row(0, 0, [35.0, 0.1, 0.14999999999999999, 1e-7, "0012"])
    sheet.write_datetime(1, 0, datetime.datetime(2020, 4, 1, 8, 0), when)
    sheet.write_number(1, 1, 43922 + (8 * 3600 - 0.003) / 86400, when)
    sheet.write_number(1, 2, 43922, when)
    sheet.write_boolean(1, 3, True)
    sheet.write_number(1, 4, 0.5, out.add_format({"num_format": "hh:mm"}))
    out.close()
    batch = take(path)
    assert (batch.kind, batch.sheets[0].name, batch.sheets[0].typed) == ("xlsx", "数据", True)
    assert grid(batch.sheets[0]) == [
        ["35", "0.1", "0.15", "0.0000001", "0012"],
        ["2020-04-01 08:00:00", "2020-04-01 08:00:00", "2020-04-01 00:00:00", "TRUE", "12:00:00"],
    ]


def test_numbers_whose_digits_are_lost_are_marked(take, book):
    out, path = book
    out.add_worksheet().write_row(0, 0, ["a", 915001091234567890.0, 999999999999999.0, 1e15])
    out.close()
    sheet = take(path).sheets[0]
    assert [(m[1], m[2]) for m in marks(sheet)] == [(1, "long-number"), (3, "long-number")]
    assert grid(sheet) == [["a", "915001091234568000", "999999999999999", "1000000000000000"]]


def test_true_and_one_in_a_column_stay_apart(take, book):
    out, path = book
    out.add_worksheet().write_column(0, 0, [True, 1, False, 0, "1"])
    out.close()
    assert [row[0] for row in grid(take(path).sheets[0])] == ["TRUE", "1", "FALSE", "0", "1"]


def test_error_cells_keep_their_text(take, shared):
    sheet = take(shared / "badfiles/xls_error_cells.xlsx").sheets[0]
    assert marks(sheet) == [
        (2, 3, "error-cell", "#N/A"),
        (3, 4, "error-cell", "#DIV/0!"),
        (4, 5, "error-cell", "#REF!"),
    ]
    assert [grid(sheet)[1][3], grid(sheet)[2][4], grid(sheet)[3][5]] == ["#N/A", "#DIV/0!", "#REF!"]


def test_formulas_are_told_by_kind(take, tmp_path):
    path = tmp_path / "formulas.xlsx"
    book = openpyxl.Workbook()
    book.active["A1"] = "x"
    book.active["B1"] = "=1+1"
    book.save(path)
    assert marks(take(path).sheets[0]) == [(1, 1, "formula-blank", "")]
    out = xlsxwriter.Workbook(path)
    sheet = out.add_worksheet()
    sheet.write_formula("A1", "=1+1", None, 2)
    sheet.write_formula("B1", "='[other.xlsx]Sheet1'!A1", None, 3)
    sheet.write_formula("C1", "=1/0", None, "#DIV/0!")
    out.close()
    sheet = take(path).sheets[0]
    assert grid(sheet) == [["2", "3", "#DIV/0!"]]
    assert marks(sheet) == [
        (1, 0, "formula", ""),
        (1, 1, "external-formula", ""),
        (1, 2, "error-cell", "#DIV/0!"),
        (1, 2, "formula", ""),
    ]


def test_external_links_and_dde_are_marked(take, shared):
    sheet = take(shared / "badfiles/xls_external_link.xlsx").sheets[0]
    assert marks(sheet) == [(5, 0, "external-formula", ""), (5, 3, "external-formula", "")]


def test_percent_cells_say_what_is_shown(take, shared, book):
    assert marks(take(shared / "badfiles/xls_percent.xlsx").sheets[0]) == [(2, 5, "percent", "85%")]
    out, path = book
    sheet = out.add_worksheet()
    sheet.write(0, 0, 0.1234, out.add_format({"num_format": "0.00%"}))
    sheet.write(0, 1, 0.5, out.add_format({"num_format": '0.0" %"'}))
    sheet.write(0, 2, 0.125, out.add_format({"num_format": "0.0%;[Red]-0.0%"}))
    out.close()
    assert marks(take(path).sheets[0]) == [(1, 0, "percent", "12.34%"), (1, 2, "percent", "12.5%")]


def test_hidden_sheets_are_named_and_not_read(take, book):
    out, path = book
    out.add_worksheet("数据").write(0, 0, "a")
    hidden = out.add_worksheet("旧数据")
    hidden.write(0, 0, "b")
    hidden.hide()
    out.close()
    batch = take(path)
    assert [sheet.name for sheet in batch.sheets] == ["数据"]
    assert [(note.what, note.where) for note in batch.normalised] == [("hidden-sheet", "旧数据")]


def test_merged_ranges_and_rows_are_numbered_as_in_excel(take, book):
    out, path = book
    sheet = out.add_worksheet()
    sheet.merge_range("B3:D4", "合并")
    sheet.write("B6", "x")
    out.close()
    sheet = take(path).sheets[0]
    # the range reaches over columns in which nothing is written
    assert sheet.merged == ((3, 1, 4, 3),)
    assert sheet.rows.tolist() == [3, 6]
    assert grid(sheet) == [["", "合并"], ["", "x"]]


def test_cells_of_a_prefixed_sheet_are_seen(take, book, tmp_path):
    out, path = book
    sheet = out.add_worksheet()
    sheet.write(0, 0, "a")
    sheet.write_formula(0, 1, "=1/0", None, "#DIV/0!")
    out.close()
    other = tmp_path / "prefixed.xlsx"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith("sheet1.xml"):
                data = re.sub(rb"<(/?)(\w)", rb"<\1x:\2", data).replace(b"<?x:xml", b"<?xml")
                data = data.replace(b'xmlns="http', b'xmlns:x="http', 1)
            new.writestr(name, data)
    assert [m[2] for m in marks(take(other).sheets[0])] == ["error-cell", "formula"]


def test_an_error_cell_without_address_is_refused(take, book, tmp_path):
    out, path = book
    out.add_worksheet().write_formula(0, 0, "=1/0", None, "#DIV/0!")
    out.close()
    other = tmp_path / "bare.xlsx"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b'<c r="A1"', b"<c"))
    with pytest.raises(UnreadableFile) as refusal:
        take(other)
    assert refusal.value.code == "hostile-workbook"


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ({"xl/workbook.xml": b"<workbook/>", "xl/vbaProject.bin": b"x"}, "macros"),
        ({"word/document.xml": b"<w/>"}, "file-type"),
        ({"xl/workbook.bin": b"x"}, "file-type"),
        ({"readme.txt": b"x"}, "file-type"),
        ({"xl/workbook.xml": b"<workbook/>", "_rels/.rels": b"<r/>"}, "hostile-workbook"),
        ({"xl/workbook.xml": b"<workbook", "_rels/.rels": ROOT}, "damaged"),
    ],
)
def test_what_is_no_plain_workbook_is_refused(take, tmp_path, parts, code):
    path = tmp_path / "other.xlsx"
    with zipfile.ZipFile(path, "w") as out:
        for name, data in parts.items():
            out.writestr(name, data)
    with pytest.raises(UnreadableFile) as refusal:
        take(path)
    assert refusal.value.code == code


def test_a_large_sheet_keeps_every_cell(take, book):
    out, path = book
    sheet = out.add_worksheet()
    for i in range(60_000):
        sheet.write_row(i, 0, [f"S{i}", i / 4])
    out.close()
    read = take(path).sheets[0]
    assert read.cells.num_rows == 60_000
    assert read.cells.column(0)[59_999].as_py() == "S59999"
    assert read.cells.column(1)[50_001].as_py() == "12500.25"
    with pytest.raises(TooLarge):
        take(path, ReadLimits(rows=50_000))


def old_book(path):
    """Write an xls with an error cell, a formula, a percentage and a merged title."""
    book = xlwt.Workbook(encoding="utf-8")
    sheet = book.add_sheet("数据")
    sheet.write_merge(0, 0, 0, 3, "标题")
    sheet.write(1, 0, "站点")
    sheet.row(1).set_cell_error(1, 0x2A)
    sheet.write(1, 2, xlwt.Formula("1+1"))
    sheet.write(1, 3, 0.85, xlwt.easyxf(num_format_str="0%"))
    book.add_sheet("旧").write(0, 0, "x")
    book.get_sheet(1).visibility = 1
    book.save(str(path))
    return path


def test_an_old_workbook_tells_errors_formulas_and_percentages(take, tmp_path):
    batch = take(old_book(tmp_path / "old.xls"))
    sheet = batch.sheets[0]
    assert (batch.kind, len(batch.sheets)) == ("xls", 1)
    assert grid(sheet)[1][:2] == ["站点", "#N/A"]
    assert grid(sheet)[1][3] == "0.85"
    # xlwt stores no result of a formula
    assert marks(sheet) == [
        (2, 1, "error-cell", "#N/A"),
        (2, 2, "formula-blank", ""),
        (2, 3, "percent", "85%"),
    ]
    assert sheet.merged == ((1, 0, 1, 3),)
    assert [note.what for note in batch.normalised] == ["hidden-sheet"]


def test_a_published_old_workbook_is_read(take, shared):
    batch = take(shared / "data/soil/cumcm2011A附件_数据.xls")
    assert [sheet.name for sheet in batch.sheets] == ["附件1", "附件2", "附件3"]
    assert grid(batch.sheets[1])[0][0] == "附件2. 8种主要重金属元素的浓度"


def test_a_grid_that_starts_below_and_right_of_a1_keeps_its_columns(take, book, tmp_path):
    out, path = book
    sheet = out.add_worksheet()
    sheet.write("C4", "x")
    sheet.write("D6", 1)
    out.close()
    old = xlwt.Workbook()
    sheet = old.add_sheet("a")
    sheet.write(3, 2, "x")
    sheet.write(5, 3, 1)
    old.save(str(tmp_path / "old.xls"))
    for place in (path, tmp_path / "old.xls"):
        sheet = take(place).sheets[0]
        assert sheet.rows.tolist() == [4, 6]
        assert grid(sheet) == [["", "", "x", ""], ["", "", "", "1"]]


def test_a_workbook_part_elsewhere_is_refused_not_half_looked_at(take, book, tmp_path):
    out, path = book
    out.add_worksheet().write_formula(0, 0, "=1/0", None, "#DIV/0!")
    out.close()
    other = tmp_path / "other.xlsx"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w") as new:
        for name in old.namelist():
            data = old.read(name).replace(b'Target="xl/workbook.xml"', b'Target="xl/workbook2.xml"')
            new.writestr(name.replace("workbook.xml", "workbook2.xml"), data)
        new.writestr("xl/workbook.xml", b"<workbook/>")
    with pytest.raises(UnreadableFile) as refusal:
        take(other)
    assert refusal.value.code == "hostile-workbook"


def test_a_looping_sector_chain_is_refused(take, tmp_path):
    path = old_book(tmp_path / "loop.xls")
    data = bytearray(path.read_bytes())
    table = (int.from_bytes(data[76:80], "little") + 1) * 512
    data[table : table + 4] = b"\0\0\0\0"
    path.write_bytes(data)
    with pytest.raises(UnreadableFile) as refusal:
        take(path)
    assert refusal.value.code == "damaged"


def test_damaged_old_workbooks_end_no_more_than_their_child(tmp_path):
    whole = old_book(tmp_path / "whole.xls").read_bytes()
    choice = random.Random(212)
    with Reader(ReadLimits(seconds=10), keep_warm=True) as reader:
        for i in range(25):
            data = bytearray(whole[: choice.randrange(600, len(whole))] if i % 5 == 0 else whole)
            for _ in range(choice.randrange(1, 40)):
                data[choice.randrange(8, len(data))] = choice.randrange(256)
            path = tmp_path / "damaged.xls"
            path.write_bytes(data)
            try:
                reader.read(path, "damaged.xls", tmp_path / str(i))
            except IntakeError as error:
                assert not [note for note in getattr(error, "__notes__", ()) if "Traceback" in note], error.__notes__
        path.write_bytes(whole)
        assert reader.read(path, "whole.xls", tmp_path / "good").sheets[0].cells.num_rows == 2
