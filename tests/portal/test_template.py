"""The exchange templates: headers, example, drop-downs, edition."""

import subprocess
import sys
import zipfile

import openpyxl
import pytest
from python_calamine import CalamineWorkbook

from portal.template import write_template
from schemas.files import MalformedFact
from schemas.identifiers import read_uscc
from schemas.layouts import DATASETS
from schemas.loaders import find_level, find_parameter, rating_schemes, stations
from schemas.templates import EXAMPLE_MARK, read_template

HEADERS = {
    "air": "站点编码, 站点名称, 监测时间, PM2.5(μg/m3), PM10(μg/m3), SO2(μg/m3), NO2(μg/m3), "
    "CO(mg/m3), O3(μg/m3), 备注",
    "water": "断面编码, 断面名称, 采样时间, 水温(℃), pH, 溶解氧(mg/L), "
    "高锰酸盐指数(mg/L), 氨氮(mg/L), 总磷(mg/L), 备注",
    "soil": "点位编码, 点位名称, 采样日期, 采样深度上(cm), 采样深度下(cm), 土地利用, pH, "
    "镉(mg/kg), 汞(mg/kg), 砷(mg/kg), "
    "铅(mg/kg), 铬(mg/kg), 铜(mg/kg), 镍(mg/kg), 锌(mg/kg), 备注",
    "credit": "企业名称, 统一社会信用代码, 评价年度, 评价等级, 公布日期, 有效期至, 备注",
    "penalty": "当事人名称, 统一社会信用代码, 决定书文号, 违法事实, 处罚依据, 处罚内容, 罚款金额(元), "
    "违法行为日期, 决定日期, "
    "处罚机关, 修复状态",
    "experts": "姓名, 证件号码, 工作单位, 单位统一社会信用代码, 专业领域, 职称, 手机号, 证书有效期至",
}


def written(tmp_path, dataset, bureau=None):
    out = tmp_path / f"{dataset}.xlsx"
    write_template(dataset, out, bureau)
    return openpyxl.load_workbook(out)


def drop_downs(book):
    """Give the offered texts of each column that has a list."""
    page, found = book.worksheets[0], {}
    for rule in page.data_validations.dataValidation:
        sheet, cells = rule.formula1.lstrip("=").replace("'", "").replace("$", "").split("!")
        header = page.cell(1, next(iter(rule.sqref.ranges)).min_col).value
        found[header] = [row[0].value for row in book[sheet][cells]]
    return found


@pytest.mark.parametrize("dataset", DATASETS)
def test_first_row_has_exactly_the_agreed_headers(tmp_path, dataset):
    page = written(tmp_path, dataset).worksheets[0]
    assert [cell.value for cell in page[1]] == HEADERS[dataset].split(", ")


@pytest.mark.parametrize("dataset", DATASETS)
def test_second_row_is_an_example_marked_as_one_and_the_rest_is_blank(tmp_path, dataset):
    page = written(tmp_path, dataset).worksheets[0]
    assert page["A2"].value.startswith(EXAMPLE_MARK)
    assert page.max_row == 2


@pytest.mark.parametrize("dataset", DATASETS)
def test_edition_stands_in_the_properties_and_on_the_help_sheet(tmp_path, dataset):
    book = written(tmp_path, dataset)
    edition = read_template(dataset).layout.edition
    assert book["填表说明"]["A2"].value == f"模板版本 {edition}"
    assert book.custom_doc_props["模板版本"].value == edition


def test_help_sheet_tells_meaning_unit_format_and_missing_markers_of_every_column(tmp_path):
    rows = CalamineWorkbook.from_path(str(tmp_path / "air.xlsx") if written(tmp_path, "air") else "")
    lines = rows.get_sheet_by_name("填表说明").to_python()
    top = next(at for at, line in enumerate(lines) if line[0] == "列名")
    told = {line[0]: line for line in lines[top + 1 :]}
    assert list(told) == HEADERS["air"].split(", ")
    assert told["CO(mg/m3)"][3] == "mg/m³" and "-999" in told["CO(mg/m3)"][6].split()
    assert told["站点编码"][5] == "是" and told["备注"][5] == ""


def test_credit_help_lists_the_columns_that_may_be_added(tmp_path):
    sheet = written(tmp_path, "credit")["填表说明"]
    added = [row[0].value for row in sheet.iter_rows() if row[5].value == "可增加的列"]
    assert added == ["得分", "评价办法", "评价机关", "评价层级", "状态", "一票否决情形"]


def test_stations_of_the_bureau_are_offered_and_those_that_left_are_not(tmp_path):
    offered = drop_downs(written(tmp_path, "air", "beibei"))
    assert {"1414A", "1416A", "BBQ03"} <= set(offered["站点编码"]) and "1428A" not in offered["站点编码"]
    assert "缙云山" in offered["站点名称"]
    water = drop_downs(written(tmp_path, "water", "mianyang"))
    assert set(water["断面编码"]) == {s.station_id for s in stations("mianyang") if s.medium == "water" and not s.until}


def test_without_a_bureau_no_station_is_offered(tmp_path):
    assert drop_downs(written(tmp_path, "air")) == {}


def test_levels_are_those_of_the_bureaus_scheme(tmp_path):
    offered = drop_downs(written(tmp_path, "credit", "mianyang"))["评价等级"]
    assert offered and all(find_level("SC-2019", text) for text in offered)
    assert len(offered) == len(rating_schemes()["SC-2019"].levels)
    everyone = drop_downs(written(tmp_path, "credit"))["评价等级"]
    assert set(offered) <= set(everyone)


def test_land_use_and_repair_state_are_offered(tmp_path):
    assert "水田" in drop_downs(written(tmp_path, "soil"))["土地利用"]
    assert drop_downs(written(tmp_path, "penalty"))["修复状态"] == ["未修复", "修复中", "已修复"]


def test_header_is_locked_and_the_rest_open(tmp_path):
    page = written(tmp_path, "air").worksheets[0]
    assert page.protection.sheet and not page.protection.formatColumns
    assert page["A1"].protection.locked
    assert not page["A2"].protection.locked and not page.column_dimensions["K"].protection.locked


@pytest.mark.parametrize("dataset", DATASETS)
def test_templates_hold_no_formula_and_no_link(tmp_path, dataset):
    write_template(dataset, tmp_path / "t.xlsx", "beibei")
    with zipfile.ZipFile(tmp_path / "t.xlsx") as parts:
        pages = [parts.read(name) for name in parts.namelist() if name.startswith("xl/worksheets/sheet")]
    assert pages and not any(sign in page for page in pages for sign in (b"<f>", b"<f ", b"<hyperlink"))


def test_example_codes_are_well_formed():
    for dataset in ("credit", "penalty", "experts"):
        examples = {column.header: column.example for column in read_template(dataset).columns}
        code = examples.get("统一社会信用代码") or examples["单位统一社会信用代码"]
        assert read_uscc(code).status == "valid"


def test_result_headers_name_the_parameter_they_are_read_as():
    for dataset in ("air", "water", "soil"):
        template = read_template(dataset)
        for result in template.layout.results:
            assert find_parameter(dataset, result.column).parameter == result.parameter


def test_unknown_dataset_and_bureau_are_refused(tmp_path):
    with pytest.raises(ValueError, match="noise"):
        write_template("noise", tmp_path / "t.xlsx")
    with pytest.raises(ValueError, match="chengdu"):
        write_template("air", tmp_path / "t.xlsx", "chengdu")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('header = "站点编码"', 'header = "站点代码"', "does not know it"),
        ('example = "1414A"', 'exemple = "1414A"', "unknown key 'exemple'"),
        ('choices = "stations"', 'choices = "sites"', "none of stations"),
        ('header = "PM10(μg/m3)"', 'header = "PM2.5(μg/m3)"', "stands twice"),
        ('[[column]]\nheader = "SO2(μg/m3)"\nexample = "8"\n', "", "needs the column 'SO2"),
        ('meaning_en = "remark"\n', "", "must say what to write"),
        ("source =", "sauce =", "unknown key 'sauce'"),
    ],
)
def test_a_malformed_template_is_refused_with_file_and_line(tmp_path, old, new, reason):
    import shutil

    from schemas.files import SCHEMAS

    for folder in ("layouts", "templates", "vocabularies"):
        shutil.copytree(SCHEMAS / folder, tmp_path / folder)
    path = tmp_path / "templates" / "air.toml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(MalformedFact, match=reason) as caught:
        read_template("air", tmp_path)
    assert caught.value.file == path and caught.value.line > 0


def test_a_template_needs_neither_pandas_nor_openpyxl(tmp_path):
    code = (
        "import sys; from pathlib import Path; from portal.template import write_template;"
        f"write_template('air', Path({str(tmp_path / 't.xlsx')!r}), 'beibei');"
        "print(sorted({'pandas', 'pyarrow', 'openpyxl', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
