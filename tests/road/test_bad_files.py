"""Broken, odd and hostile files: each meets its ``must_happen``, within 10 seconds and 512 MB, by the command line."""

from __future__ import annotations

import csv
import datetime as dt
import json
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pytest

from schemas.files import fold

FOLDER = Path(__file__).resolve().parents[3] / "shared/badfiles"
WHOLE_ROWS = "refuse_row"
VALUES = "refuse_value"
LETTERS = "DEFGHI"
"""Columns of results in the template of hourly air values."""


def hour(text: str) -> dt.datetime:
    """An hour of Beijing time, as the tables keep it (UTC)."""
    return dt.datetime.fromisoformat(text + "+08:00").astimezone(dt.UTC).replace(tzinfo=None)


def starts(walked, row: int) -> set[dt.datetime]:
    frame = walked.table
    return set(frame.loc[frame["source_row"] == row, "period_start"].dt.to_pydatetime().tolist())


def value(walked, cell: str) -> float:
    frame = walked.table
    letter, row = cell.rstrip("0123456789"), int(cell.lstrip("ABCDEFGHIJ"))
    [found] = frame.loc[(frame["source_row"] == row) & (frame["source_column"] == letter), "value"].tolist()
    return float(found)


@dataclass(frozen=True)
class Case:
    """What one file must give."""

    bureau: str = "beibei"
    state: str = "accepted"
    error: str | None = None
    says: tuple[str, ...] = ()
    """Words of the Chinese message of the error, or of one finding."""
    refused: dict[str, set[int]] = field(default_factory=dict)
    published: int | None = None
    missing: int = 0
    found: dict[str, list[str]] = field(default_factory=dict)
    """Rules and the cells they name."""
    noted: dict[str, int] = field(default_factory=dict)
    then: Callable = field(default=lambda walked: None)
    exact: bool = True
    """Each value published is the number that stands in its cell, read here a second time."""


def refused(code: str, *says: str) -> Case:
    return Case(state="refused", error=code, says=says)


def air(rows: int, **more) -> Case:
    return Case(published=rows * 6 - more.pop("less", 0), **more)


def three_sites(walked) -> None:
    frame = walked.table
    assert sorted(set(zip(frame["station_id"], frame["station_name"], strict=True))) == [
        ("1414A", "缙云山"), ("1416A", "天生"), ("BBQ03", "静观"),
    ]  # fmt: skip
    where = {note.what: note.where for note in walked.notes}
    assert where == {"invisible": "B2", "trimmed": "A4、B3"}


def remark_keeps_its_line_break(walked) -> None:
    frame = walked.table
    remarks = set(frame.loc[frame["source_row"] == 4, "remark"])
    assert remarks == {"第一行\n第二行, 含逗号"}
    assert set(frame["source_row"]) == set(range(2, 26))


def no_name_or_time_among_values(walked) -> None:
    assert len(walked.table) == 0


def hours_of_serials(walked) -> None:
    assert [starts(walked, row) for row in range(2, 8)] == [{hour(f"2020-04-01T{h:02d}:00")} for h in range(6)]


def hours_of_texts(walked) -> None:
    assert [starts(walked, row) for row in range(2, 7)] == [{hour(f"2020-04-01T{h:02d}:00")} for h in range(5)]


def hours_of_noise(walked) -> None:
    assert [starts(walked, row) for row in range(2, 8)] == [{hour(f"2020-04-01T{h:02d}:00")} for h in range(7, 13)]


def next_day(walked) -> None:
    assert starts(walked, 4) == {hour("2026-04-02T00:00")}


def one_slot(walked) -> None:
    assert [starts(walked, row) for row in (2, 3, 4)] == [{hour("2026-04-01T00:00")}] * 3


def text_numbers(walked) -> None:
    assert [value(walked, cell) for cell in ("D2", "D4", "D5")] == [35, 37, 38]


def percent_is_flagged(walked) -> None:
    frame = walked.table
    [flag] = frame.loc[(frame["source_row"] == 2) & (frame["source_column"] == "F"), "flag"].tolist()
    assert (flag, value(walked, "F2")) == (3, 0.85)
    assert [(m.row, m.column, m.text) for m in walked.raw.sheets[0].marks if m.kind == "percent"] == [(2, 5, "85%")]


def no_placeholder_is_a_number(walked) -> None:
    frame = walked.table
    assert not {-999.0, 9999.0} & set(frame["value"])
    assert sorted(frame.loc[frame["source_column"] == "D", "source_row"]) == [12, 13]
    assert all("（" in note.what_zh for note in walked.notes)


def names_stay_texts(walked) -> None:
    named = walked.findings.loc[walked.findings["severity"] == WHOLE_ROWS, ["row", "value"]]
    assert sorted(named.itertuples(index=False, name=None)) == [(2, "NA"), (3, "None"), (5, "TRUE")]


def values_kept_and_flagged(walked) -> None:
    frame = walked.table
    [flag] = frame.loc[(frame["source_row"] == 2) & (frame["source_column"] == "D"), "flag"].tolist()
    assert (value(walked, "D2"), value(walked, "E2"), flag) == (90, 60, 3)


def two_firms(walked) -> None:
    frame = walked.table
    assert len(set(frame.loc[frame["source_row"].isin([2, 3]), "uscc"])) == 2
    assert set(frame.loc[frame["source_row"].isin([2, 3]), "enterprise_name"]) == {"北碚测试甲化工有限公司"}


def control_stripped(walked) -> None:
    assert not any("\u202e" in text for text in walked.table["enterprise_name"])
    assert not any("\u202e" in str(text) for text in walked.findings.to_numpy().ravel())


def markup_is_text(walked) -> None:
    assert "<script>alert(1)</script>测试公司" in set(walked.table["enterprise_name"])
    assert len(walked.table) == 8


def ranges_are_named(walked) -> None:
    expected = dict(zip(walked.findings["rule"], walked.findings["expected"], strict=True))
    assert {r: expected[r] for r in ("WATER-036", "WATER-037", "WATER-038")} == {
        "WATER-036": "0—14", "WATER-037": "0—35 mg/L", "WATER-038": "-2—50 ℃",
    }  # fmt: skip


def nothing_outside(walked) -> None:
    texts = [str(text) for text in (*walked.findings.to_numpy().ravel(), *walked.table.to_numpy().ravel())]
    assert not any("Sheet1!" in text or "calc" in text for text in texts)


CASES = {
    "enc_utf8_double_bom.csv": air(24, noted={"double-bom": 2}),
    "enc_utf16le_bom_tab.txt": air(24, noted={"delimiter": 1}),
    "enc_late_gbk.csv": refused("unknown-layout", "第 1 行", "code、time、pm25、note", "gongzhi template"),
    "enc_gbk_truncated.csv": refused("truncated", "第 25 行", "截断", "重新导出"),
    "enc_invisible_spaces.csv": air(6, noted={"invisible": 1, "trimmed": 2}, then=three_sites),
    "enc_bidi_override.csv": Case(
        published=4, found={"CREDIT-008": ["A2"]}, noted={"invisible": 1}, then=control_stripped
    ),
    "enc_lone_surrogate.csv": refused("bad-text", "第 4 行", "第 272 字节", "UTF-8"),
    "enc_empty.csv": refused("empty", "文件为空"),
    "enc_blank_lines.csv": refused("no-rows", "没有数据行"),
    "csv_semicolon.csv": air(24, noted={"delimiter": 1}),
    "csv_fullwidth_comma.csv": air(
        22, refused={WHOLE_ROWS: {4, 8}}, found={"AIR-001": ["4", "8"]}, says=("全角逗号",)
    ),
    "csv_all_rows_extra_field.csv": Case(
        state="refused", refused={WHOLE_ROWS: set(range(2, 26))}, published=0, says=("11 个字段，表头 10 个",),
        then=no_name_or_time_among_values,
    ),
    "csv_nul.csv": refused("nul", "第 2 行", "NUL", "重新导出"),
    "csv_embedded_newlines.csv": air(24, then=remark_keeps_its_line_break),
    "csv_no_header.csv": refused("no-header", "缺少表头", "第 1 行"),
    "csv_title_rows.csv": air(24, noted={"title-rows": 3}),
    "csv_dup_columns.csv": refused("repeated-column", "列名重复", "PM2.5(μg/m3)", "D 列"),
    "csv_missing_column.csv": refused("missing-column", "缺少列", "PM2.5(μg/m3)"),
    "csv_trailing_commas.csv": air(24, noted={"trailing-comma": 25}),
    "csv_tabs.csv": air(24, noted={"delimiter": 1}),
    "xls_xxe.xlsx": refused("hostile-workbook", "DOCTYPE", "另存为 xlsx"),
    "xls_xxe_props.xlsx": refused("hostile-workbook", "DOCTYPE", "另存为 xlsx"),
    "xls_external_link.xlsx": air(
        3, refused={WHOLE_ROWS: {5}, VALUES: {5}}, found={"AIR-019": ["D5"]}, missing=5, says=("引用外部文件",),
        then=nothing_outside,
    ),
    "xls_error_cells.xlsx": air(
        6, less=3, refused={VALUES: {2, 3, 4}}, found={"AIR-017": ["D2", "E3", "F4"]}, says=("错误值",)
    ),
    "xls_text_dates.xlsx": air(
        5, refused={WHOLE_ROWS: {7}}, found={"AIR-010": ["C7"]}, says=("不能识读",), then=hours_of_texts
    ),
    "xls_serial_general.xlsx": air(6, noted={"excel-serial": 6}, then=hours_of_serials),
    "xls_time_noise.xlsx": air(6, then=hours_of_noise),
    "xls_leading_zero.xlsx": Case(
        state="refused", refused={WHOLE_ROWS: set(range(2, 8))}, published=0,
        found={"AIR-004": [f"A{row}" for row in range(2, 8)]}, says=("登记的编码是 1414A", "前导零"),
    ),
    "xls_text_numbers.xlsx": air(
        6, less=1, refused={VALUES: {3}}, found={"AIR-016": ["D3"]}, noted={"trimmed": 2}, then=text_numbers
    ),
    "xls_percent.xlsx": Case(
        "mianyang", published=24, found={"WATER-021": ["F2"]}, says=("百分比格式",), then=percent_is_flagged
    ),
    "xls_old_template.xlsx": refused("old-template", "2019-01", "过旧", "gongzhi template"),
    "xls_csv_renamed.xlsx": air(24, noted={"renamed": 1}),
    "xls_bad_choice.xlsx": Case(
        state="refused", refused={WHOLE_ROWS: {3}}, published=0, found={"CREDIT-023": ["D3"]}, says=("等级之列",)
    ),
    "xls_format_tail.xlsx": air(6),
    "val_placeholders.csv": Case(
        published=62, missing=10, noted={"missing-marker": 10}, then=no_placeholder_is_a_number
    ),
    "val_name_na.csv": Case(
        state="refused", refused={WHOLE_ROWS: {2, 3, 5}}, published=0, found={"CREDIT-007": ["A2", "A3", "A5"]},
        then=names_stay_texts,
    ),
    "val_unit_1000.csv": air(
        12, less=12, refused={VALUES: set(range(2, 14))}, found={"AIR-039": [f"H{row}" for row in range(2, 14)]},
        says=("单位疑为 μg/m3",),
    ),
    "val_unit_unknown.csv": Case(
        state="refused", refused={VALUES: set(range(2, 7))}, published=0,
        found={"AIR-023": ["D4"], "AIR-024": ["D2", "D3", "D5", "D6"]}, says=("不作猜测",),
    ),
    "val_pm25_gt_pm10.csv": air(12, found={"AIR-040": ["D2"]}, then=values_kept_and_flagged),
    "val_ranges.csv": Case(
        "mianyang", published=32, refused={VALUES: {2, 3, 4, 5}},
        found={"WATER-036": ["E2", "E5"], "WATER-037": ["F3"], "WATER-038": ["D4"]}, then=ranges_are_named,
    ),
    "val_bad_dates.csv": air(
        8, refused={WHOLE_ROWS: {2, 3, 5, 6}}, found={"AIR-010": ["C6"], "AIR-012": ["C2", "C3", "C5"]},
        noted={"hour24": 1}, then=next_day,
    ),
    "val_ambiguous_dates.csv": air(
        9, refused={WHOLE_ROWS: {2, 3, 4}}, found={"AIR-011": ["C2", "C3", "C4"]}, says=("有歧义", "不作猜测")
    ),
    "val_out_of_window.csv": air(
        9, refused={WHOLE_ROWS: {2, 3, 4}}, found={"AIR-013": ["C2"], "AIR-014": ["C3", "C4"]}, says=("在将来",)
    ),
    "val_zones.csv": air(12, noted={"zone": 2}, then=one_slot),
    "val_foreign_site.csv": air(
        9, refused={WHOLE_ROWS: {11, 12, 13}}, found={"AIR-005": ["A11", "A12", "A13"]}, says=("绵阳市生态环境局",)
    ),
    "val_uscc_bad_check.csv": Case(
        state="refused", refused={WHOLE_ROWS: {2, 3}}, published=0, found={"CREDIT-013": ["B2", "B3"]},
        says=("校验位",),
    ),
    "val_same_name_two_codes.csv": Case(published=4, found={"CREDIT-010": ["A2", "A3"]}, then=two_firms),
    "val_rating_dates.csv": Case(
        state="refused", refused={WHOLE_ROWS: {2, 3, 4}}, published=0,
        found={"CREDIT-029": ["C4"], "CREDIT-036": ["E2"], "CREDIT-041": ["F2", "F3"]},
    ),
    "val_name_length.csv": Case(
        state="refused", refused={WHOLE_ROWS: {2, 3, 4}}, published=0,
        found={"CREDIT-005": ["A3"], "CREDIT-006": ["A2"], "CREDIT-007": ["A4"]},
    ),
    "upl_polyglot.xlsx": refused("file-type", "PNG 图片", "请交 xlsx"),
    "web_xss_names.csv": Case(published=8, then=markup_is_text),
    "sto_truncated.parquet": refused("file-type", "Parquet", "请交 xlsx"),
    "sto_huge_metadata.parquet": refused("file-type", "Parquet", "请交 xlsx"),
}  # fmt: skip


def manifest(shared: Path) -> dict[str, dict[str, str]]:
    with (shared / "badfiles/manifest.csv").open(encoding="utf-8") as stream:
        return {row["file"]: row for row in csv.DictReader(stream)}


def written(path: Path) -> dict[tuple[int, str], str]:
    """Cells of a table by row and column letter, read here a second time with other tools."""
    if zipfile.is_zipfile(path):
        import openpyxl

        with path.open("rb") as stream:
            sheet = openpyxl.load_workbook(stream, data_only=True, read_only=True).worksheets[0]
            rows: Iterable = [[None if c is None else str(c) for c in r] for r in sheet.iter_rows(values_only=True)]
    else:
        raw = path.read_bytes()
        text = raw.decode("utf-16" if raw[:2] == b"\xff\xfe" else "utf-8").lstrip("\ufeff")
        head = max(text.splitlines()[:6], key=lambda line: len(line.replace("\t", ",").replace(";", ",").split(",")))
        mark = max(",\t;", key=head.count)
        rows = csv.reader(text.splitlines(keepends=True), delimiter=mark)
    return {
        (number, "ABCDEFGHIJKL"[at]): cell
        for number, row in enumerate(rows, 1)
        for at, cell in enumerate(row[:12])
        if cell is not None
    }


def chinese(text: str) -> bool:
    return any("一" <= character <= "鿿" for character in text)


def test_every_file_of_the_manifest_has_a_case(shared):
    assert set(manifest(shared)) == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_a_bad_file_does_what_it_must(name, shared, walk):
    case, told = CASES[name], manifest(shared)[name]
    walked = walk(shared / "badfiles" / name, case.bureau)
    if case.error is not None:
        assert walked.error is not None, walked.findings
        assert walked.error.code == case.error
        assert chinese(walked.error.message) and walked.error.message_en
        for word in case.says:
            assert word in walked.error.message
        assert told["disposition"] in ("reject_file", "reject_rows", "either")
        return
    assert walked.error is None, walked.error
    assert walked.state == case.state
    assert walked.refused() == case.refused
    counts = walked.verdict.result_counts
    assert counts["published"] == len(walked.table) == case.published
    assert counts["missing"] == case.missing
    assert counts["read"] == counts["published"] + counts["quarantined"] + counts["repeated"]
    for rule, cells in case.found.items():
        assert walked.found(rule) == cells, rule
    for what, count in case.noted.items():
        assert walked.noted(what) == count, walked.notes
    findings = walked.findings
    assert all(chinese(text) for text in findings["message"]) and all(findings["message_en"])
    assert (findings["row"] >= 1).all()
    for word in case.says:
        assert any(word in text for text in findings["message"]), word
    case.then(walked)
    rows = walked.verdict.row_counts
    assert (
        rows["read"] == rows["clean"] + rows["partial"] + rows["refused"] + rows["repeated"] == int(told["data_rows"])
    )
    if told["disposition"] in ("accept", "accept_warn"):
        assert walked.state == "accepted"
        assert not case.refused or "D3 quarantined" in told["must_happen"]
        if told["disposition"] == "accept_warn":
            assert walked.notes or len(findings)


@pytest.mark.parametrize("name", [n for n, case in CASES.items() if case.published and case.error is None])
def test_no_value_differs_from_its_cell(name, shared, walk):
    walked = walk(shared / "badfiles" / name, CASES[name].bureau)
    frame, cells = walked.table, written(shared / "badfiles" / name)
    if "value" not in frame:
        field = {"A": "enterprise_name", "B": "uscc", "D": "level_text"}
        for row in frame.to_dict("records"):
            for letter, column in field.items():
                assert row[column] == fold(cells[row["source_row"], letter]), (row["source_row"], letter)
        return
    assert len(frame)
    for row in frame.to_dict("records"):
        assert row["value"] == float(cells[row["source_row"], row["source_column"]]), row
        if row["parameter"] != "CO":
            assert row["unit"] in ("ug/m3", "mg/L", "degC", "-")


def good_file(folder: Path) -> Path:
    path = folder / "good.csv"
    hours = pd.date_range("2026-04-03", periods=6, freq="h").strftime("%Y-%m-%d %H:%M")
    lines = ["站点编码,站点名称,监测时间,PM2.5(μg/m3),PM10(μg/m3),SO2(μg/m3),NO2(μg/m3),CO(mg/m3),O3(μg/m3),备注"]
    lines += [f"1414A,缙云山,{text},3{at},5{at},6,2{at},0.{at + 1},7{at}," for at, text in enumerate(hours)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def within_limits(ran) -> None:
    # work done, not time gone by: a machine that others use too may be slow, but a file may not cost more than this
    assert ran.cpu_seconds <= 10, f"{ran.cpu_seconds:.1f} s of {ran.seconds:.1f} s"
    assert ran.peak_mb <= 512, f"{ran.peak_mb:.0f} MB"
    assert "Traceback" not in ran.err


def companies() -> list[tuple[str, ...]]:
    """Files that go to the command line together: of one bureau, with the same exit code, a few at a time."""
    kinds: dict[tuple[str, bool], list[str]] = {}
    for name, case in CASES.items():
        partly = bool(case.error or case.refused or case.state == "refused")
        kinds.setdefault((case.bureau, partly), []).append(name)
    return [tuple(names[at : at + 6]) for names in kinds.values() for at in range(0, len(names), 6)]


@pytest.mark.slow
@pytest.mark.parametrize("names", companies(), ids=lambda names: names[0])
def test_bad_files_meet_their_limits_by_the_command_line(names, shared, walk, gongzhi, tmp_path):
    """All of a command together cost no more than one file may; after each, a good one goes through."""
    first, good = CASES[names[0]], good_file(tmp_path)
    files = [path for name in names for path in (shared / "badfiles" / name, good)]
    ran = gongzhi("check", *files, "--bureau", first.bureau, "--json")
    within_limits(ran)
    for name, told, after in zip(names, ran.objects[::2], ran.objects[1::2], strict=True):
        case, walked = CASES[name], walk(shared / "badfiles" / name, first.bureau)
        assert (told["file"], told["state"]) == (name, "refused" if case.error else case.state)
        if case.error:
            assert told["error"]["code"] == case.error and chinese(told["error"]["message"]), name
        else:
            assert told["rows"] == walked.verdict.row_counts and told["results"] == walked.verdict.result_counts, name
            assert [(f["rule"], f["row"], f["column"]) for f in told["findings"]] == [
                (f.rule, f.row, f.column) for f in walked.findings.itertuples()
            ], name
        if case.bureau == "beibei":
            assert after["state"] == "accepted" and after["results"]["published"] == 36, name
    if first.bureau == "beibei":
        assert ran.exit == (1 if first.error or first.refused or first.state == "refused" else 0)


def workbook(path: Path, rows: Iterable[bytes]) -> Path:
    """Write a minimal workbook whose sheet is the given pieces of XML."""
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    link = (
        f'<Relationships xmlns="{package}"><Relationship Id="rId1" Type="{relations}/%s" Target="%s"/></Relationships>'
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("[Content_Types].xml", "<Types/>")
        out.writestr("_rels/.rels", link % ("officeDocument", "xl/workbook.xml"))
        out.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns:r="{relations}"><sheets><sheet name="数据" sheetId="1" r:id="rId1"/></sheets></workbook>',
        )
        out.writestr("xl/_rels/workbook.xml.rels", link % ("worksheet", "worksheets/sheet1.xml"))
        with out.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            sheet.write(b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>')
            for piece in rows:
                sheet.write(piece)
            sheet.write(b"</sheetData></worksheet>")
    return path


def bomb(folder: Path) -> Path:
    row = b'<row r="1"><c r="A1" t="inlineStr"><is><t>aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa</t></is></c></row>'
    return workbook(folder / "bomb.xlsx", (row * 10_000 for _ in range(450)))


def corner(folder: Path) -> Path:
    first = b'<row r="1"><c r="A1" t="str"><v>a</v></c></row>'
    return workbook(folder / "corner.xlsx", [first, b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'])


def ten_million_rows(folder: Path) -> Path:
    path = folder / "rows.csv"
    with path.open("wb") as stream:
        for _ in range(100):
            stream.write(b"1414A,1,2\n" * 100_000)
    return path


def million_columns(folder: Path) -> Path:
    path = folder / "columns.csv"
    path.write_bytes(b",".join(b"c%d" % i for i in range(1_000_000)) + b"\n")
    return path


def long_line(folder: Path) -> Path:
    path = folder / "line.csv"
    path.write_bytes(b"x" * 60_000_000)
    return path


@pytest.mark.parametrize(
    ("make", "code", "says"),
    [
        (bomb, "inflated", "解压"),
        (corner, "too-many-cells", "表格范围过大"),
        (ten_million_rows, "too-many-rows", "2000000 行"),
        (million_columns, "too-many-columns", "512 列"),
        (long_line, "line-too-long", "第 1 行"),
    ],
)
def test_a_file_that_unpacks_to_something_huge_is_refused_in_its_limits(make, code, says, tmp_path, gongzhi):
    path = make(tmp_path)
    ran = gongzhi("check", path, good_file(tmp_path), "--bureau", "beibei", "--json")
    within_limits(ran)
    told, after = ran.objects
    assert ran.exit == 1
    assert told["state"] == "refused" and told["error"]["code"] == code
    assert says in told["error"]["message"]
    assert after["state"] == "accepted"


@pytest.mark.slow
def test_nothing_refused_reaches_the_tables(shared, walk, gongzhi, home):
    beibei = [shared / "badfiles" / name for name, case in CASES.items() if case.bureau == "beibei"]
    mianyang = [shared / "badfiles" / name for name, case in CASES.items() if case.bureau == "mianyang"]
    told = {}
    for bureau, files in (("beibei", beibei), ("mianyang", mianyang)):
        ran = gongzhi("submit", *files, "--bureau", bureau, "--json", home=home)
        assert ran.exit == 1 and "Traceback" not in ran.err
        told |= {one["file"]: one for one in ran.objects}
    assert set(told) == set(CASES)
    for name, case in CASES.items():
        assert told[name]["state"] == ("published" if case.published else "refused"), name
        assert told[name]["receipt"] and told[name]["batch_id"], name
    ran = gongzhi(
        "query", "select batch_id, count(*) n, count(distinct source_row) r from air_observation_history group by 1",
        "--format", "json", home=home,
    )  # fmt: skip
    assert ran.exit == 0, ran.err
    stored = {row["batch_id"]: row["n"] for row in json.loads(ran.out)}
    by_batch = {one["batch_id"]: one for one in told.values()}
    assert set(stored) <= {b for b, one in by_batch.items() if one["state"] == "published"}
    for batch, count in stored.items():
        [change] = [t for t in by_batch[batch]["tables"] if t["table"] == "air_observation"]
        assert count == change["added"] + change["corrected"] <= by_batch[batch]["results"]["published"]
    ran = gongzhi(
        "query",
        "select * from (select value, result_text from air_observation_history union all "
        "select value, result_text from water_result_history) "
        "where value in (-999, 9999) or result_text like '%O%' or result_text like '#%' or contains(result_text, '\ufffd')",
        "--format", "json", home=home,
    )  # fmt: skip
    assert ran.exit == 0 and json.loads(ran.out) == [], ran.out
    ran = gongzhi(
        "query", "select count(*) n from air_observation where value > 100 and unit = 'mg/m3'", "-f", "csv", home=home
    )
    assert ran.out.split() == ["n", "0"]
    ran = gongzhi("query", "select enterprise_name from credit_rating_history", "-f", "json", home=home)
    names = {row["enterprise_name"] for row in json.loads(ran.out)}
    assert not names & {"NA", "None", "TRUE", "甲"} and "<script>alert(1)</script>测试公司" in names
