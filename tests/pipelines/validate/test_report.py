"""The report: findings as CSV and on the uploader's own workbook."""

import csv
import datetime as dt
import time
import zipfile

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pytest
import xlwt
from openpyxl.comments import Comment
from openpyxl.styles import Font, PatternFill
from python_calamine import CalamineWorkbook

from pipelines.batch import FINDING_COLUMNS, BrokenLine, RawBatch, Sheet
from pipelines.validate.notes import COLOURS, COMMENTS, SUMMARY_SHEET, SUMMARY_TITLE, gather
from pipelines.validate.report import annotate, neutralised, write_csv
from pipelines.workbook import new_workbook, put

HEADER = ["站点编码", "站点名称", "监测时间", "PM2.5(μg/m3)", "备注"]
ROWS = [
    ["1414A", "缙云山", "2026-04-01 00:00", "35", ""],
    ["1414A", "缙云山", "2026-04-01 01:00", "35O", "=1+1"],
    ["1414A", "缙云山", "2026-04-01 02:00", "9000", "http://example.org"],
]


def finding(**given):
    base = dict.fromkeys(FINDING_COLUMNS, "")
    base |= {
        "rule": "AIR-012",
        "severity": "refuse_value",
        "sheet": None,
        "row": 3,
        "column": "D",
        "header": "PM2.5(μg/m3)",
        "key": "1414A 2026-04-01T01:00+08:00",
        "value": "35O",
        "expected": "数字",
        "message": "不是数字，像是字母 O 误作数字 0",
        "message_en": "not a number",
    }
    return base | given


def findings(*given):
    return pd.DataFrame([finding(**one) for one in given], columns=list(FINDING_COLUMNS))


def sheet(rows, name=None, numbers=None, **more):
    width = max(len(row) for row in rows)
    columns = {
        f"c{at}": pa.array([row[at] if at < len(row) else "" for row in rows]).dictionary_encode()
        for at in range(width)
    }
    numbers = numbers if numbers is not None else range(1, len(rows) + 1)
    return Sheet(name, pa.table(columns), np.array(numbers, dtype="int32"), **more)


def batch(*sheets, kind="csv", file="air.csv"):
    return RawBatch(file, "0" * 64, kind, "UTF-8", sheets)


@pytest.fixture
def own_xlsx(tmp_path):
    """Make a bureau's xlsx: title row, merged header, formulas, a link, a comment and colours of its own."""
    book = openpyxl.Workbook()
    page = book.active
    page.title = "小时值"
    page["A1"] = "北碚区空气小时值"
    page.merge_cells("A1:E1")
    page.append(HEADER)
    page["A2"].font = Font(bold=True)
    page.append(["1414A", "缙云山", dt.datetime(2026, 4, 1), 35, None])
    page.append(["1414A", "缙云山", dt.datetime(2026, 4, 1, 1), "35O", '=HYPERLINK("http://example.org")'])
    page.append(["1414A", "缙云山", dt.datetime(2026, 4, 1, 2), 9000, "=1+1"])
    page["A3"].hyperlink = "http://example.org/x"
    page["D4"].comment = Comment("值班员：仪器检修", "zhang")
    page["A5"].fill = PatternFill("solid", start_color="FF00FF00")
    page.column_dimensions["C"].width = 33
    other = book.create_sheet("说明页")
    other["A1"] = "联系电话"
    path = tmp_path / "own.xlsx"
    book.save(path)
    return path


@pytest.fixture
def own_raw():
    rows = [["北碚区空气小时值"], HEADER, *ROWS]
    return batch(sheet(rows, "小时值"), sheet([["联系电话"]], "说明页"), kind="xlsx", file="own.xlsx")


OWN = (
    {"sheet": "小时值", "row": 4},
    {"sheet": "小时值", "row": 5, "severity": "flag", "rule": "AIR-020", "value": "9000"},
)


def formula_cells(path):
    """List formula and link parts of a workbook, by its XML and not by a library."""
    found = []
    with zipfile.ZipFile(path) as parts:
        for name in parts.namelist():
            text = parts.read(name)
            if name.startswith("xl/worksheets/") and name.endswith(".xml"):
                found += [name for sign in (b"<f>", b"<f ", b"<hyperlink") if sign in text]
            if "externalLink" in name:
                found.append(name)
    return found


def texts(path, title):
    return CalamineWorkbook.from_path(str(path)).get_sheet_by_name(title).to_python(skip_empty_area=False)


def test_csv_has_all_findings_most_severe_first_and_opens_in_excel(tmp_path):
    path = tmp_path / "findings.csv"
    frame = findings({"severity": "note", "row": 2}, {"severity": "flag", "column": "AA"}, {"severity": "flag"})
    frame = pd.concat([frame, findings({"severity": "refuse_batch", "row": None, "column": None})], ignore_index=True)
    write_csv(frame, path)
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(path.read_text("utf-8-sig").splitlines()))
    assert [row["级别"] for row in rows] == ["整份不收", "存疑", "存疑", "提示"]
    assert [row["列"] for row in rows] == ["", "D", "AA", "D"]
    assert [row["行"] for row in rows] == ["", "3", "3", "2"]
    assert rows[0]["说明（英文）"] == "not a number"


def test_csv_neutralises_formulas_and_keeps_numbers(tmp_path):
    path = tmp_path / "findings.csv"
    values = ["=cmd|' /C calc'!A0", "+86", "-1", "@SUM(A1)", "\t=1", "＝1+1", "缙云山"]
    write_csv(findings(*({"value": value, "row": at} for at, value in enumerate(values, start=2))), path)
    with path.open(encoding="utf-8-sig", newline="") as lines:
        got = [row["原值"] for row in csv.DictReader(lines)]
    assert got == ["'=cmd|' /C calc'!A0", "+86", "-1", "'@SUM(A1)", "'\t=1", "'＝1+1", "缙云山"]


def test_neutralised_leaves_the_given_series_alone():
    given = pd.Series(["=1"])
    neutralised(given)
    assert given.tolist() == ["=1"]


def test_csv_of_no_findings_is_a_header(tmp_path):
    write_csv(findings(), tmp_path / "none.csv")
    assert (tmp_path / "none.csv").read_text("utf-8-sig").splitlines() == [
        "级别,规则,工作表,行,列,列名,记录,原值,应为,说明,说明（英文）,依据"
    ]


def test_unknown_severity_is_refused():
    with pytest.raises(ValueError, match="fatal"):
        gather(findings({"severity": "fatal"}))


def test_own_workbook_keeps_its_layout_and_gets_colours_comments_and_columns(tmp_path, own_xlsx, own_raw):
    out = tmp_path / "out.xlsx"
    annotate(own_xlsx, own_raw, findings(*OWN), {(4, "PM2.5(μg/m3)"): "仪器检修"}, out, {"小时值": 2})
    book = openpyxl.load_workbook(out)
    assert book.sheetnames == ["小时值", "说明页", SUMMARY_SHEET]
    page = book["小时值"]
    assert page.column_dimensions["C"].width == 33 and page["A2"].font.bold
    assert page["D3"].value == 35 and page["C3"].value == dt.datetime(2026, 4, 1)
    assert page["D4"].fill.start_color.rgb == "FF" + COLOURS["refuse_value"]
    assert page["D5"].fill.start_color.rgb == "FF" + COLOURS["flag"]
    assert page["A5"].fill.start_color.rgb == "FF00FF00"
    assert "不是数字" in page["D4"].comment.text and page["D4"].comment.text.startswith("值班员：仪器检修")
    assert [page["F2"].value, page["G2"].value] == ["错误说明", "说明（填报人填写）"]
    assert page["F4"].value == "[AIR-012] D列 PM2.5(μg/m3)：不是数字，像是字母 O 误作数字 0"
    assert page["G4"].value == "仪器检修" and page["F3"].value is None
    assert formula_cells(out) == []


def test_own_workbook_writes_the_stored_value_of_a_formula(tmp_path, own_raw, shared):
    source = shared / "badfiles" / "xls_external_link.xlsx"
    before = CalamineWorkbook.from_path(str(source))
    title = before.sheet_names[0]
    raw = batch(sheet([["a"]], title), kind="xlsx")
    out = tmp_path / "out.xlsx"
    annotate(source, raw, findings({"sheet": title, "row": 2, "column": "A"}), {}, out, {title: 1})
    assert formula_cells(out) == []
    stored = texts(source, title)
    kept = [row[: len(stored[0])] for row in texts(out, title)]
    assert kept == stored


def test_annotating_an_annotated_workbook_replaces_the_columns_and_marks(tmp_path, own_xlsx, own_raw):
    first, second = tmp_path / "first.xlsx", tmp_path / "second.xlsx"
    annotate(own_xlsx, own_raw, findings(*OWN), {}, first, {"小时值": 2})
    book = openpyxl.load_workbook(first)
    book["小时值"]["D4"] = 35
    book["小时值"]["G5"] = "现场复测属实"
    book.save(first)
    annotate(first, own_raw, findings(OWN[1]), {(5, "PM2.5(μg/m3)"): "现场复测属实"}, second, {"小时值": 2})
    page = openpyxl.load_workbook(second)["小时值"]
    assert [cell.value for cell in page[2]] == [*HEADER, "错误说明", "说明（填报人填写）"]
    assert page["F4"].value is None and page["G5"].value == "现场复测属实"
    assert page["D4"].fill.fill_type is None
    assert page["D5"].comment.text.count("AIR-020") == 1
    assert openpyxl.load_workbook(second).sheetnames == ["小时值", "说明页", SUMMARY_SHEET]


def test_a_finding_in_a_merged_range_is_marked_on_its_first_cell(tmp_path, own_xlsx, own_raw):
    out = tmp_path / "out.xlsx"
    annotate(own_xlsx, own_raw, findings({"sheet": "小时值", "row": 1, "column": "C"}), {}, out, {"小时值": 2})
    page = openpyxl.load_workbook(out)["小时值"]
    assert "AIR-012" in page["A1"].comment.text


def test_a_format_only_tail_does_not_slow_the_report(tmp_path, shared):
    source = shared / "badfiles" / "xls_format_tail.xlsx"
    title = CalamineWorkbook.from_path(str(source)).sheet_names[0]
    started = time.monotonic()
    out = tmp_path / "out.xlsx"
    annotate(source, batch(sheet([["a"]], title), kind="xlsx"), findings({"sheet": title}), {}, out, {title: 1})
    assert time.monotonic() - started < 10
    assert "错误说明" in texts(out, title)[0]


def test_a_workbook_openpyxl_cannot_load_is_copied_and_says_so(tmp_path, own_raw):
    upload = tmp_path / "odd.xlsx"
    with zipfile.ZipFile(upload, "w") as parts:
        parts.writestr("xl/workbook.xml", "<workbook/>")
    out = tmp_path / "out.xlsx"
    annotate(upload, own_raw, findings(*OWN), {}, out, {"小时值": 2})
    assert texts(out, "小时值")[3][3] == "35O"
    assert any("副本" in str(cell) for row in texts(out, SUMMARY_SHEET) for cell in row)


def test_text_file_becomes_a_marked_copy_of_texts(tmp_path):
    out = tmp_path / "out.xlsx"
    raw = batch(sheet([HEADER, *ROWS], numbers=[1, 2, 3, 7]))
    given = findings({}, {"row": 7, "severity": "refuse_row", "column": "", "message": "站点不属于本单位"})
    annotate(tmp_path / "absent.csv", raw, given, {(7, "站点编码"): "已移交"}, out, {None: 1})
    page = openpyxl.load_workbook(out)["数据"]
    assert [cell.value for cell in page[1]] == [*HEADER, "错误说明", "说明（填报人填写）"]
    assert [cell.value for cell in page[3]][:5] == ROWS[1]
    assert page["E3"].data_type == "s" and page["E7"].hyperlink is None
    assert page["D3"].fill.start_color.rgb == "FF" + COLOURS["refuse_value"]
    assert "站点不属于本单位" in page["A7"].comment.text
    assert page["F7"].value == "[AIR-012] 本行：站点不属于本单位" and page["G7"].value == "已移交"
    assert page["A4"].value is None
    assert formula_cells(out) == []


def test_annotating_a_marked_copy_again_doubles_nothing(tmp_path):
    again = [*HEADER, "错误说明", "说明(填报人填写)"]
    rows = [[*row, "旧的说明", "属实"] for row in ROWS]
    raw = batch(sheet([again, *rows], "数据"), sheet([[SUMMARY_TITLE], ["文件", "x"]], SUMMARY_SHEET), kind="xls")
    out = tmp_path / "out.xlsx"
    annotate(tmp_path / "absent.xls", raw, findings({"sheet": "数据"}), {}, out, {"数据": 1})
    book = openpyxl.load_workbook(out)
    assert book.sheetnames == ["数据", SUMMARY_SHEET]
    page = book["数据"]
    assert [cell.value for cell in page[1]] == [*HEADER, "错误说明", "说明（填报人填写）"]
    assert [page[f"F{row}"].value for row in (2, 4)] == [None, None] and "不是数字" in page["F3"].value
    assert [page[f"G{row}"].value for row in (2, 3, 4)] == ["属实", "属实", "属实"]


def test_old_xls_becomes_an_xlsx_copy(tmp_path):
    book = xlwt.Workbook()
    page = book.add_sheet("小时值")
    for row, line in enumerate([HEADER, *ROWS]):
        for at, text in enumerate(line):
            page.write(row, at, text)
    upload = tmp_path / "old.xls"
    book.save(str(upload))
    out = tmp_path / "out.xlsx"
    raw = batch(sheet([HEADER, *ROWS], "小时值"), kind="xls", file="old.xls")
    annotate(upload, raw, findings({"sheet": "小时值"}), {}, out, {"小时值": 1})
    assert texts(out, "小时值")[2][:5] == ROWS[1]


def test_broken_lines_stand_in_their_place(tmp_path):
    broken = (BrokenLine(3, 1, 5, "1414A，缙云山，2026-04-01"),)
    raw = batch(sheet([HEADER, ROWS[0], ROWS[2]], numbers=[1, 2, 4], broken=broken))
    out = tmp_path / "out.xlsx"
    annotate(
        tmp_path / "absent.csv", raw, findings({"row": 3, "column": "", "message": "字段数不符"}), {}, out, {None: 1}
    )
    page = openpyxl.load_workbook(out)["数据"]
    assert page["A3"].value == "1414A，缙云山，2026-04-01" and "字段数不符" in page["F3"].value
    assert page["A4"].value == "1414A"


def test_values_of_one_packet_line_are_all_written(tmp_path):
    raw = batch(sheet([["设备", "数值"], ["d", "1"], ["d", "2"], ["d", "3"]], numbers=[1, 2, 2, 3]), kind="hj212")
    out = tmp_path / "out.xlsx"
    annotate(tmp_path / "absent.txt", raw, findings({"row": 3, "column": "B"}), {}, out, {None: 1})
    page = openpyxl.load_workbook(out)["数据"]
    assert [page[f"B{row}"].value for row in range(2, 5)] == ["1", "2", "3"]
    assert page["B4"].comment is not None and page["B3"].comment is None


def test_hostile_texts_stay_texts(tmp_path):
    hostile = ["\x01\x02控制", "\u202egnp.exe", "_x0041_", "a" * 40_000, "{=1+1}", "#N/A"]
    raw = batch(sheet([["甲"], *([text] for text in hostile)], "a'b[]:*?/\\" + "长" * 40), kind="xls")
    out = tmp_path / "out.xlsx"
    name = raw.sheets[0].name
    given = findings(
        *(
            {"sheet": name, "row": at, "column": "A", "message": text, "value": text}
            for at, text in enumerate(hostile, start=2)
        )
    )
    annotate(tmp_path / "absent.xls", raw, given, {}, out, {name: 1})
    page = openpyxl.load_workbook(out).worksheets[0]
    assert page["A2"].value == "‹U+0001›‹U+0002›控制" and page["A3"].value == "‹U+202E›gnp.exe"
    assert len(page["A5"].value) == 32_767
    assert {page[f"A{row}"].data_type for row in range(1, 8)} == {"s"}
    assert len(page["A5"].comment.text) == 1_000
    assert CalamineWorkbook.from_path(str(out)).get_sheet_by_index(0).to_python()[3][0] == "_x0041_"
    own = tmp_path / "own.xlsx"
    openpyxl.Workbook().save(own)
    given["sheet"] = "Sheet"
    annotate(own, batch(sheet([["甲"]], "Sheet"), kind="xlsx"), given, {(2, "甲"): "=1+1"}, out, {"Sheet": 1})
    page = openpyxl.load_workbook(out)["Sheet"]
    assert page["C2"].value == "=1+1" and page["C2"].data_type == "s"
    assert formula_cells(out) == []


def test_comments_beyond_the_limit_are_only_coloured_and_counted(tmp_path):
    rows = [HEADER, *(["1414A", "缙云山", "", "x", ""] for _ in range(COMMENTS + 3))]
    given = findings(*({"row": row} for row in range(2, COMMENTS + 5)))
    out = tmp_path / "out.xlsx"
    annotate(tmp_path / "absent.csv", batch(sheet(rows)), given, {}, out, {None: 1})
    with zipfile.ZipFile(out) as parts:
        assert parts.read("xl/comments1.xml").count(b"<comment ") == COMMENTS
    book = openpyxl.load_workbook(out, read_only=True)
    colours = {row[3].fill.start_color.rgb for row in book["数据"].iter_rows(min_row=2)}
    book.close()
    assert colours == {"FF" + COLOURS["refuse_value"]}
    assert any("另有 3 个单元格" in str(cell) for row in texts(out, SUMMARY_SHEET) for cell in row)


def test_summary_counts_every_rule_and_tells_what_could_not_be_placed(tmp_path):
    given = findings({}, {"row": 4}, {"rule": "AIR-001", "severity": "flag"}, {"sheet": "没有", "row": 9})
    whole = findings({"rule": "AIR-900", "severity": "refuse_batch", "row": None, "column": "", "message": "行数为零"})
    out = tmp_path / "out.xlsx"
    raw = batch(sheet([HEADER, *ROWS]), file="=air.csv")
    annotate(tmp_path / "absent.csv", raw, pd.concat([given, whole], ignore_index=True), {}, out, {None: 1})
    lines = texts(out, SUMMARY_SHEET)
    assert lines[0][0] == SUMMARY_TITLE and lines[1][1] == "=air.csv"
    counts = {line[0]: line[2] for line in lines[6:9]}
    assert counts == {"AIR-900": "1", "AIR-012": "3", "AIR-001": "1"}
    assert any("1 行的问题无法标注" in str(line[0]) for line in lines)
    assert any(line[1] == "行数为零" for line in lines if line[0] == "AIR-900")
    assert openpyxl.load_workbook(out)[SUMMARY_SHEET]["B2"].data_type == "s"


def test_nothing_is_left_at_the_target_when_writing_fails(tmp_path):
    raw = batch(sheet([HEADER, *ROWS]))
    (tmp_path / "out.xlsx").mkdir()
    with pytest.raises(OSError):
        annotate(tmp_path / "absent.csv", raw, findings({}), {}, tmp_path / "out.xlsx", {None: 1})
    with pytest.raises(RuntimeError, match="stopped"), new_workbook(tmp_path / "b.xlsx", rows_in_order=True) as book:
        put(book.add_worksheet(), 0, 0, "甲")
        raise RuntimeError("stopped")
    assert [path.name for path in tmp_path.iterdir()] == ["out.xlsx"]
