"""Make the sample workbooks: ``python -m tests.samples.make_workbooks`` writes them beside this script.

The values are invented, the forms are those of the layouts. Times are fixed, so that the same bytes come out again.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

import xlsxwriter
import xlwt  # type: ignore[import-untyped]

HERE = Path(__file__).parent
MADE = datetime(2026, 4, 1)
Rows = Sequence[Sequence[object]]

CREDIT: Rows = (
    ("北碚区企业环境信用评价结果（2025年度）",),
    (
        "企业名称", "统一社会信用代码", "评价年度", "评价等级", "公布日期", "有效期至", "得分", "评价办法", "评价机关",
        "评价层级", "状态", "一票否决情形", "备注",
    ),
    (
        "重庆示例环保科技有限公司", "91500109MAXX00015E", 2025, "环保诚信企业", date(2026, 3, 20), date(2027, 3, 19), 102,
        "重庆市企业环境信用评价办法", "北碚区生态环境局", "区级", "终评", "", "",
    ),
    (
        "重庆示例仪表有限公司", "91500109maxx000239", "2025年度", "良好", "2026年3月20日", "", 85.5, "", "北碚区生态环境局",
        "区级", "", "", "等级简写",
    ),
    (
        "重庆示例化工有限公司", "91500109MAXX000314", 2025, "红牌", date(2026, 3, 20), date(2027, 3, 19), 88, "",
        "北碚区生态环境局", "区级", "拟评", "篡改监测数据", "",
    ),
    (
        "重庆示例饲料有限公司", "9150****MAXX0004XU", 2025, "环保警示企业", date(2026, 3, 20), "", 95, "", "北碚区生态环境局",
        "区级", "", "", "代码已遮盖",
    ),
    (
        "重庆示例早期登记有限公司", "91500109M0XX001A10", 2019, "环保良好", "2020/6/1", "", "", "", "重庆市生态环境局",
        "市级", "", "", "",
    ),
    (
        "重庆示例饭店", "", 2025, "环保良好企业", date(2026, 3, 20), "", 80, "", "北碚区生态环境局", "区级", "信用修复", "",
        "",
    ),
)  # fmt: skip

SOIL: dict[str, Rows] = {
    "附件1": (
        ("附件1. 取样点位置及其所属功能区",),
        (),
        ("编号", "x(m)", "y(m)", "海拔(m)", "功能区", "", "功能区", ""),
        (1, 120, 640, 6, 4, "", 1, "生活区"),
        (2, 1405, 702, 14, 2, "", 2, "工业区"),
        (3, 1288, 1810, 31, 1, "", 3, "山区"),
        ("", "", "", "", "", "", 4, "交通区"),
        ("", "", "", "", "", "", 5, "公园绿地区"),
    ),
    "附件2": (
        ("附件2. 8种主要重金属元素的浓度",),
        (),
        (
            "编号", "As (μg/g)", "Cd (ng/g)", "Cr (μg/g)", "Cu (μg/g)", "Hg (ng/g)", "Ni (μg/g)", "Pb (μg/g)",
            "Zn (μg/g)",
        ),
        (1, 6.25, 160.5, 41.2, 19.75, 240, 17.5, 33.1, 70.4),
        (2, 7.5, 1203, 55, 301.2, 15800, 24, "-", 812.6),
        (3, "/", 98, 30.5, 14, 42, 12.1, 25.6, 51),
    ),
    "附件3": (
        ("附件3. 8种主要重金属元素的背景值",),
        (),
        ("元素", "平均值", "标准偏差", "范围"),
        ("Cd (ng/g)", 128, 31, "66~190"),
    ),
}  # fmt: skip

LAKE: Rows = (
    (
        "台站代码", "年份", "月份", "观测站代码", "透明度(m)", "水深(m)", "水温(℃)", "电导率(μs/cm)", "悬浮质(mg/L)",
        "溶解氧(mg/L)", "pH", "硅酸盐(mg/L)", "磷酸盐(mg/L)", "亚硝酸盐氮(μg/L)", "硝酸盐氮(mg/L)", "氨态氮(mg/L)",
        "化学需氧量(mg/L)", "总磷(mg/L)", "总氮(mg/L)", "溶解性总有机碳(mg/L)", "备注",
    ),
    (
        "THL", 2010, 1, "THL00", 0.35, 2.8, 4.9, 610, 22.5, 11.125, 8.05, 1.75, 0.012, 48.5, 1.625, 2.9, 5.4, 0.119, 5.75,
        9.25, "",
    ),
    (
        "THL", 2010, 1, "THL01", 0.4, "/", 5.1, 605, 20.25, "/", 8.1, 1.5, 0.0105, 50, 1.5, 6.125, 5.25, 0.125, 5.5, 8.875,
        "部分缺测",
    ),
)  # fmt: skip


def write_xlsx(path: Path, name: str, rows: Rows, titles: int = 0) -> None:
    """Write one sheet; a title row is merged over the width, a date becomes a date cell."""
    book = xlsxwriter.Workbook(path, {"strings_to_numbers": False, "strings_to_formulas": False})
    book.set_properties({"created": MADE, "author": "gongzhi samples"})
    sheet, day = book.add_worksheet(name), book.add_format({"num_format": "yyyy-mm-dd"})
    for number, row in enumerate(rows):
        if number < titles:
            sheet.merge_range(number, 0, number, len(rows[titles]) - 1, row[0])
            continue
        for at, value in enumerate(row):
            if isinstance(value, date):
                sheet.write_datetime(number, at, datetime(value.year, value.month, value.day), day)
            elif value != "":
                sheet.write(number, at, value)
    book.close()


def write_xls(path: Path, sheets: dict[str, Rows]) -> None:
    """Write sheets in the old format, each under a merged title."""
    book = xlwt.Workbook(encoding="utf-8")
    for name, rows in sheets.items():
        sheet = book.add_sheet(name)
        sheet.write_merge(0, 0, 0, 4, rows[0][0])
        for number, row in enumerate(rows[1:], start=1):
            for at, value in enumerate(row):
                if value != "":
                    sheet.write(number, at, value)
    target = io.BytesIO()
    book.save(target)
    path.write_bytes(target.getvalue())


def make(folder: Path) -> None:
    """Write every sample workbook under a folder, as ``<sender>/<layout>/sample.<ext>``."""
    for place in ("beibei/credit_template", "cnemc/cumcm_2011a", "cnemc/taihu_monthly"):
        (folder / place).mkdir(parents=True, exist_ok=True)
    write_xlsx(folder / "beibei/credit_template/sample.xlsx", "评价结果", CREDIT, titles=1)
    write_xls(folder / "cnemc/cumcm_2011a/sample.xls", SOIL)
    write_xlsx(folder / "cnemc/taihu_monthly/sample.xlsx", "Sheet1", LAKE)


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
