"""Font colours: told where a sheet uses them for a few cells, left alone where they are decoration."""

import pytest
import xlsxwriter

from pipelines.batch import ReadLimits
from pipelines.intake import kinds
from pipelines.intake.workbook import COLOURS


@pytest.fixture
def tinted(tmp_path):
    """Give the font-colour marks of a sheet whose first cells are red."""

    def read(red: int, colour: str = "#FF0000"):
        path = tmp_path / "book.xlsx"
        out = xlsxwriter.Workbook(path)
        sheet = out.add_worksheet()
        of_colour = out.add_format({"font_color": colour})
        for row in range(red + 5):
            sheet.write(row, 0, row, of_colour if row < red else None)
        sheet.write_blank(0, 1, None, of_colour)
        sheet.write(1, 2, "x")
        out.close()
        marks = kinds.read(path, path.name, tmp_path, ReadLimits()).sheets[0].marks
        return [(m.row, m.column, m.text) for m in marks if m.kind == "font-colour"]

    return read


def test_a_coloured_cell_with_a_value_is_told(tinted):
    assert tinted(2) == [(1, 0, "FF0000"), (2, 0, "FF0000")]


def test_black_is_no_colour(tinted):
    assert tinted(2, "#000000") == []


def test_colour_everywhere_is_decoration(tinted):
    assert len(tinted(COLOURS)) == COLOURS
    assert tinted(COLOURS + 1) == []


def test_a_coloured_cell_of_a_register_is_no_fault(judged):
    row = {
        "企业名称": "北碚测试甲化工有限公司", "统一社会信用代码": "91500109MA5U0A001F", "评价年度": "2025", "评价等级": "环保良好企业",
        "公布日期": "2026-03-01", "有效期至": "2027-02-28",
    }  # fmt: skip
    assert judged([row], marks=((2, 0, "font-colour", "FF0000"),)).findings["rule"].tolist() == []
