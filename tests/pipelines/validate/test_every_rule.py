"""Every rule fires where it should, on the cells it should, and stays silent where it should.

One case a rule: rows that break it, the cells it must name, and rows beside which it must say nothing.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pytest

from pipelines.intake.packets import crc
from schemas.rules import Rule, all_rules

Row = dict[str, str]
AIR: Row = {
    "站点编码": "1414A", "站点名称": "缙云山", "监测时间": "2026-04-01 08:00", "PM2.5(μg/m3)": "35", "PM10(μg/m3)": "60",
    "SO2(μg/m3)": "6", "NO2(μg/m3)": "20", "CO(mg/m3)": "0.6", "O3(μg/m3)": "80", "备注": "",
}  # fmt: skip
WATER: Row = {
    "断面编码": "BBW01", "断面名称": "北温泉", "采样时间": "2026-04-01 08:00", "水温(℃)": "16.5", "pH": "7.8",
    "溶解氧(mg/L)": "8.1", "高锰酸盐指数(mg/L)": "2.3", "氨氮(mg/L)": "0.21", "总磷(mg/L)": "0.06", "备注": "",
}  # fmt: skip
SOIL: Row = {
    "点位编码": "BBS01", "点位名称": "静观镇农田1", "采样日期": "2026-04-01", "采样深度上(cm)": "0", "采样深度下(cm)": "20",
    "土地利用": "农田", "pH": "6.8", "镉(mg/kg)": "0.2", "汞(mg/kg)": "0.05", "砷(mg/kg)": "8", "铅(mg/kg)": "25",
    "铬(mg/kg)": "60", "铜(mg/kg)": "22", "镍(mg/kg)": "28", "锌(mg/kg)": "70", "备注": "",
}  # fmt: skip
CREDIT: Row = {
    "企业名称": "北碚测试甲化工有限公司", "统一社会信用代码": "91500109MA5U0A001F", "评价年度": "2025", "评价等级": "环保良好企业",
    "公布日期": "2026-03-01", "有效期至": "2027-02-28", "得分": "85", "评价办法": "", "状态": "", "一票否决情形": "",
}  # fmt: skip
PENALTY: Row = {
    "当事人名称": "北碚测试甲化工有限公司", "统一社会信用代码": "91500109MA5U0A001F", "决定书文号": "碚环罚〔2026〕1号",
    "违法事实": "超标排放", "处罚依据": "水污染防治法", "处罚内容": "罚款", "罚款金额(元)": "20000", "违法行为日期": "2026-01-10",
    "决定日期": "2026-03-01", "处罚机关": "北碚区生态环境局", "修复状态": "",
}  # fmt: skip
EXPERT: Row = {
    "姓名": "张三丰", "证件号码": "11010119900307803X", "工作单位": "测试大学", "单位统一社会信用代码": "91500109MA5U0A001F",
    "专业领域": "大气", "职称": "教授", "手机号": "13800000000", "证书有效期至": "2027-12-31",
}  # fmt: skip
ROWS: Row = {"air": "1414A", "时间": "2026-04-01 08:00", "因子": "PM2.5", "数值": "35", "单位": "μg/m3", "标记": ""}
FEED: Row = {
    "TimePoint": "2026-04-01T08:00:00", "StationCode": "1414A", "Longitude": "106.4", "Latitude": "29.8", "Area": "重庆市",
    "PositionName": "缙云山", "AQI": "50", "PM2_5": "35", "PM2_5_24h": "30", "PM10": "60", "PM10_24h": "55", "SO2": "6",
    "SO2_24h": "6", "NO2": "20", "NO2_24h": "21", "CO": "0.6", "CO_24h": "0.6", "O3": "80", "O3_24h": "100", "O3_8h": "70",
    "O3_8h_24h": "90",
}  # fmt: skip
CITY: Row = {
    "Date": "20260401", "Hour": "08", "WatchPoint": "缙云山", "AQI": "50", "Level": "优", "PrimaryPollution": "", "PM2.5": "35",
    "PM10": "60", "CO": "0.6", "NO2": "20", "O3_1h": "80", "O3_8h": "70", "SO2": "6",
}  # fmt: skip
RIVER: Row = {
    "省份": "重庆市", "流域": "长江流域", "断面名称": "北温泉", "监测时间": "04-01 08:00", "水质类别": "2", "水温(℃)": "16.5",
    "pH(无量纲)": "7.8", "溶解氧(mg/L)": "8.1", "电导率(μS/cm)": "350", "浊度(NTU)": "8", "高锰酸盐指数(mg/L)": "2.3",
    "氨氮(mg/L)": "0.21", "总磷(mg/L)": "0.06", "总氮(mg/L)": "1.2", "叶绿素α(mg/L)": "0.002", "藻密度(cells/L)": "1000",
}  # fmt: skip

LAKE: Row = {
    "台站代码": "THL", "年份": "2007", "月份": "1", "观测站代码": "THL00", "透明度(m)": "0.4", "水深(m)": "3.1", "水温(℃)": "5.6",
    "电导率(μs/cm)": "630", "悬浮质(mg/L)": "19", "溶解氧(mg/L)": "9.9", "pH": "8.1", "硅酸盐(mg/L)": "1.8", "磷酸盐(mg/L)": "0.01",
    "亚硝酸盐氮(μg/L)": "54", "硝酸盐氮(mg/L)": "1.5", "氨态氮(mg/L)": "0.3", "化学需氧量(mg/L)": "5", "总磷(mg/L)": "0.1",
    "总氮(mg/L)": "6.7", "溶解性总有机碳(mg/L)": "8", "备注": "",
}  # fmt: skip


def packet(
    body: str = "a34004-Avg=35,a34004-Flag=N", system: str = "22", sum_: str | None = None, longer: int = 0
) -> str:
    """One HJ 212 packet of hourly values of a device."""
    segment = f"QN=20260401080500000;ST={system};CN=2061;PW=1;MN=1414A;Flag=5;CP=&&DataTime=20260401080000;{body}&&"
    if body.startswith("{"):
        segment = segment.replace("DataTime=20260401080000;", "")
    return f"##{len(segment) + longer:04d}{segment}{sum_ or format(crc(segment.encode()), '04X')}\r\n"


PH = "w01001-Avg=7.8,w01001-Flag=N"
RIVER_PACKET = packet(PH, "21")


@dataclass(frozen=True)
class Case:
    """Rows (changes of a base) that break a rule, the cells it names, and rows that keep it."""

    base: Row
    breaks: tuple[Any, ...]
    cells: tuple[str, ...]
    keeps: tuple[Any, ...] = ({},)
    bureau: str = "beibei"
    marks: tuple[tuple[int, int, str, str], ...] = ()
    name: str = "upload.csv"
    history: tuple[tuple[str, str, float], ...] = ()

    def rows(self, changes: tuple[Any, ...]) -> Any:
        if any(isinstance(change, str) for change in changes):
            return "".join(changes)
        return [self.base | change for change in changes]


def hours(count: int, **changes: Any) -> tuple[Row, ...]:
    """Hours in succession; a change may be a function of the number of the hour."""
    begin = pd.Timestamp("2026-04-01")
    return tuple(
        {"监测时间": str(begin + pd.Timedelta(hours=at))[:16]}
        | {key: value(at) if callable(value) else value for key, value in changes.items()}
        for at in range(count)
    )


def other(key: str, rows: tuple[Row, ...], form: str) -> tuple[Row, ...]:
    """The same rows with their time under another header and format."""
    return tuple(
        {k: v for k, v in row.items() if k != "监测时间"} | {key: pd.Timestamp(row["监测时间"]).strftime(form)}
        for row in rows
    )


def measured(base: Row, prefix: str, foreign: str, gone: str, letters: str, long: Row) -> dict[str, Case]:
    """Cases of the rules that air, water and soil share; ``letters`` are place, time and one result."""
    place, time, cell = (list(base)["ABCDEFGHIJKLMNOP".index(letter)] for letter in letters)
    names = list(base)
    at = names.index(cell)
    p, t, c = (f"{letter}2" for letter in letters)

    def marked(kind: str, text: str = "") -> Case:
        return Case(base, ({cell: text},), (c,), marks=((2, at, kind, ""),))

    broken = ",".join(names) + "\n" + ",".join([*base.values(), "x", "y"]) + "\n" + ",".join(base.values()) + "\n"
    return {
        f"{prefix}-001": Case(base, (broken,), ("2",)),
        f"{prefix}-002": Case(base, ({},), ("A2",), marks=((2, names.index(time), "error-cell", "#N/A"),)),
        f"{prefix}-003": Case(base, ({place: "", names[1]: ""}, {}), (p,)),
        f"{prefix}-004": Case(base, ({place: "9999X", names[1]: "没有"}, {}), (p,)),
        f"{prefix}-005": Case(base, ({place: foreign, names[1]: ""}, {}), (p,)),
        f"{prefix}-006": Case(base, ({place: gone, names[1]: ""}, {}), (p,), ({place: gone, names[1]: "", time: "2025-10-01 08:00"},)),
        f"{prefix}-007": Case(base, ({names[1]: "别处"},), (p,)),
        f"{prefix}-009": Case(base, ({time: ""}, {}), (t,)),
        f"{prefix}-010": Case(base, ({time: "昨天"}, {}), (t,)),
        f"{prefix}-011": Case(base, ({time: "1/4/20"}, {}), (t,)),
        f"{prefix}-012": Case(base, ({time: "2026-02-30"}, {}), (t,)),
        f"{prefix}-013": Case(base, ({time: "2026-04-11"}, {}), (t,), ({time: "2026-04-10"},)),
        f"{prefix}-014": Case(base, ({time: "1999-12-31"}, {}), (t,), ({time: "2000-01-01"},)),
        f"{prefix}-015": Case(base, ({}, {cell: "1.5"}), (c, c.replace("2", "3")), ({}, {})),
        f"{prefix}-016": Case(base, ({cell: "35O"},), (c,), ({cell: "1.2×10^-1"},)),
        f"{prefix}-017": marked("error-cell", "#N/A"),
        f"{prefix}-018": marked("formula-blank"),
        f"{prefix}-019": marked("external-formula", "1"),
        f"{prefix}-020": marked("long-number", "1"),
        f"{prefix}-021": marked("percent", "0.35"),
        f"{prefix}-022": Case(base, ({cell: "0.5*"},), (c,), ({cell: "0.5"},)),
        f"{prefix}-023": Case(long, ({"单位": "怪"}, {}), ("D2",), ({"单位": long["单位"]},)),
        f"{prefix}-024": Case(long, ({"单位": "dB(A)" if prefix == "AIR" else "m/s"}, {}), ("D2",)),
        f"{prefix}-026": Case(long, ({"因子": "燃素"}, {}), ("D2",)),
    }  # fmt: skip


def rows_of(parameter: str, value: str, unit: str) -> Row:
    """One result a row, of another medium."""
    return {key: text for key, text in ROWS.items() if key != "air"} | {"因子": parameter, "数值": value, "单位": unit}


WATER_ROWS = {"water": "BBW01"} | rows_of("氨氮", "0.2", "mg/L")
SOIL_ROWS = {"soil": "BBS01"} | rows_of("镉", "0.2", "mg/kg")
NORMAL = {"PM10(μg/m3)": lambda at: str(60 + at % 5), "PM2.5(μg/m3)": lambda at: str(30 + at % 5)}
TAGS = {"NO2(μg/m3)": lambda at: str(20 + at % 3), "O3(μg/m3)": lambda at: str(80 + at % 7)}
TWIN = {"站点编码": "1416A", "站点名称": "天生"}


def feed_day(mean: str) -> tuple[Row, ...]:
    """24 hours of PM10 between 60 and 64, the last with a 24 h mean."""
    rows = hours(24, PM10=lambda at: str(60 + at % 5), PM10_24h=lambda at: mean if at == 23 else "")
    return other("TimePoint", rows, "%Y-%m-%dT%H:%M:%S")


def rounds(count: int, **changes: Any) -> tuple[Row, ...]:
    """Rounds of a river station, four hours apart."""
    begin = pd.Timestamp("2026-03-01")
    return tuple(
        {"采样时间": str(begin + pd.Timedelta(hours=4 * at))[:16]}
        | {key: value(at) if callable(value) else value for key, value in changes.items()}
        for at in range(count)
    )


LIVE = {
    "水温(℃)": lambda at: f"{16 + at % 3 / 10:.1f}", "溶解氧(mg/L)": lambda at: f"{8 + at % 4 / 10:.1f}",
    "高锰酸盐指数(mg/L)": lambda at: f"{2 + at % 3 / 10:.1f}",
}  # fmt: skip
FENGGU, FUTIAN = {"断面编码": "MYW01", "断面名称": "丰谷"}, {"断面编码": "MYW02", "断面名称": "福田坝"}

CASES: dict[str, Case] = {
    **measured(AIR, "AIR", "1878A", "1428A", "ACD", ROWS),
    **measured(WATER, "WATER", "MYW01", "BBW09", "ACH", WATER_ROWS),
    **measured(SOIL, "SOIL", "MYS01", "BBS09", "ACH", SOIL_ROWS),
    # air
    "AIR-008": Case(CITY, ({}, {"WatchPoint": "缙云山（对照点）"}), ("C2", "C3"), ({}, {"WatchPoint": "天生"}), "cnemc",
                    name="chongqing.csv"),
    "AIR-025": Case(
        {"站点编码": "1414A", "监测时间": "2026-04-01 08:00", "因子": "SO2", "数值": "10", "单位": "μg/m3"},
        ({"单位": "ppb"}, {"监测时间": "2026-04-01 09:00"}), ("D2",),
    ),
    "AIR-027": Case({}, (packet("{0x01,0x02}"), packet()), ("L2",), (packet(),), "cnemc", name="a.txt"),
    "AIR-028": Case({}, (packet(sum_="0000"), packet()), ("A2",), (packet(),), "cnemc", name="a.txt"),
    "AIR-029": Case({}, (packet(longer=1),), ("A2",), (packet(),), "cnemc", name="a.txt"),
    "AIR-030": Case({}, (packet(system="32"), packet()), ("B2",), (packet(),), "cnemc", name="a.txt"),
    "AIR-031": Case({}, (packet("a34004-Avg=35,a34004-Flag=D"), packet()), ("L2",), (packet(),), "cnemc", name="a.txt"),
    "AIR-032": Case({}, (packet("a34004-Avg=35,a34004-Flag=S"),), ("L2",), (packet(),), "cnemc", name="a.txt"),
    "AIR-033": Case(AIR, ({"PM2.5(μg/m3)": "20001"},), ("D2",), ({"PM2.5(μg/m3)": "20000"},)),
    "AIR-034": Case(AIR, ({"PM2.5(μg/m3)": "2001"},), ("D2",), ({"PM2.5(μg/m3)": "2000"},)),
    "AIR-035": Case(AIR, ({"SO2(μg/m3)": "0.005"},), ("F2",), ({"SO2(μg/m3)": "0.6"},), history=(("1414A", "SO2", 6.0),)),
    "AIR-036": Case(AIR, ({"监测时间": "2026-04-01 08:30"},), tuple(f"{c}2" for c in "DEFGHI")),
    "AIR-037": Case(AIR, ({"SO2(μg/m3)": "-11"},), ("F2",), ({"SO2(μg/m3)": "-10"},)),
    "AIR-038": Case(AIR, ({"SO2(μg/m3)": "-1"},), ("F2",), ({"SO2(μg/m3)": "0"},)),
    "AIR-039": Case(AIR, ({"CO(mg/m3)": "101"},), ("H2",), ({"CO(mg/m3)": "100"},)),
    "AIR-040": Case(AIR, ({"PM2.5(μg/m3)": "61"},), ("D2",), ({"PM2.5(μg/m3)": "60"},)),
    "AIR-041": Case(FEED, ({"O3": "101"},), ("R2",), ({"O3": "100"},), "cnemc"),
    "AIR-042": Case(FEED, feed_day("65"), ("K25",), feed_day("64"), "cnemc"),
    "AIR-043": Case(FEED, feed_day("59"), ("K25",), feed_day("60"), "cnemc"),
    "AIR-044": Case(AIR, hours(6, **NORMAL | TAGS | {"PM10(μg/m3)": "60"}), tuple(f"E{row}" for row in range(2, 8)),
                    hours(5, **NORMAL | TAGS | {"PM10(μg/m3)": "60"})),
    "AIR-045": Case(AIR, hours(3, **{"PM10(μg/m3)": lambda at: "301" if at == 1 else "60"}), ("E3",),
                    hours(3, **{"PM10(μg/m3)": lambda at: "300" if at == 1 else "60"})),
    "AIR-046": Case(AIR, (hours(4)[0], hours(4)[2]), ("C3",), hours(4, **NORMAL)),
    "AIR-047": Case(AIR, (*hours(12, **NORMAL), *hours(12, **NORMAL | TWIN)), tuple(f"A{row}" for row in range(2, 26)),
                    (*hours(11, **NORMAL), *hours(11, **NORMAL | TWIN))),
    # water
    "WATER-008": Case(RIVER, ({}, {"断面名称": "北温泉（新）"}), ("C2", "C3"), ({}, {"断面名称": "麻柳嘴"}), "cnemc"),
    "WATER-033": Case(WATER, ({"氨氮(mg/L)": "100001"},), ("H2",), ({"氨氮(mg/L)": "100"},)),
    "WATER-034": Case(WATER, ({"溶解氧(mg/L)": "26"},), ("F2",), ({"溶解氧(mg/L)": "25"},)),
    "WATER-035": Case(WATER, ({"总磷(mg/L)": "60"},), ("I2",), ({"总磷(mg/L)": "0.6"},), history=(("BBW01", "TP", 0.06),)),
    "WATER-036": Case(WATER, ({"pH": "14.1"},), ("E2",), ({"pH": "14"},)),
    "WATER-037": Case(WATER, ({"溶解氧(mg/L)": "35.1"},), ("F2",), ({"溶解氧(mg/L)": "35"},)),
    "WATER-038": Case(WATER, ({"水温(℃)": "51"},), ("D2",), ({"水温(℃)": "50"},)),
    "WATER-039": Case(WATER, ({"氨氮(mg/L)": "-0.1"},), ("H2",), ({"氨氮(mg/L)": "0"},)),
    "WATER-040": Case(WATER | {"总氮(mg/L)": "0.5"}, ({"氨氮(mg/L)": "0.6"},), ("H2",), ({"氨氮(mg/L)": "0.5"},)),
    "WATER-041": Case(WATER | {"化学需氧量(mg/L)": "8"}, ({"高锰酸盐指数(mg/L)": "9"},), ("G2",), ({"高锰酸盐指数(mg/L)": "8"},)),
    "WATER-042": Case(WATER | {"化学需氧量(mg/L)": "8", "五日生化需氧量(mg/L)": "2"}, ({"五日生化需氧量(mg/L)": "9"},), ("L2",)),
    "WATER-043": Case(WATER, ({"氨氮(mg/L)": "未检出"},), ("H2",), ({"氨氮(mg/L)": "0.025L"},)),
    "WATER-044": Case(WATER, rounds(12, **LIVE | {"溶解氧(mg/L)": "8.1"}), tuple(f"F{row}" for row in range(2, 14)),
                      rounds(11, **LIVE | {"溶解氧(mg/L)": "8.1"})),
    "WATER-045": Case(WATER, rounds(3, **{"高锰酸盐指数(mg/L)": lambda at: "51" if at == 1 else "5"}), ("G3",),
                      rounds(3, **{"高锰酸盐指数(mg/L)": lambda at: "50" if at == 1 else "5"})),
    "WATER-046": Case(WATER, (*rounds(12, **LIVE | FENGGU), *rounds(12, **LIVE | FUTIAN)),
                      tuple(f"A{row}" for row in range(2, 26)),
                      (*rounds(11, **LIVE | FENGGU), *rounds(11, **LIVE | FUTIAN)), "mianyang"),
    "WATER-027": Case({}, (packet("{0x01,0x02}", "21"), RIVER_PACKET), ("L2",), (RIVER_PACKET,), "cnemc", name="w.txt"),
    "WATER-028": Case({}, (packet(PH, "21", "0000"), RIVER_PACKET), ("A2",), (RIVER_PACKET,), "cnemc", name="w.txt"),
    "WATER-029": Case({}, (packet(PH, "21", longer=1),), ("A2",), (RIVER_PACKET,), "cnemc", name="w.txt"),
    "WATER-030": Case({}, (packet(PH, "32"), RIVER_PACKET), ("B2",), (RIVER_PACKET,), "cnemc", name="w.txt"),
    "WATER-031": Case({}, (packet("w01001-Avg=7,w01001-Flag=F", "21"), RIVER_PACKET), ("L2",), (RIVER_PACKET,), "cnemc",
                      name="w.txt"),
    "WATER-032": Case({}, (packet("w01001-Avg=7,w01001-Flag=T", "21"),), ("L2",), (RIVER_PACKET,), "cnemc", name="w.txt"),
    "WATER-047": Case(
        LAKE, ({}, {"月份": "2"}), ("N2", "O3"), ({}, {"月份": "2"}), "cnemc",
        marks=((2, 13, "font-colour", "00B050"), (3, 14, "font-colour", "FF0000"), (3, 12, "font-colour", "0070C0")),
    ),
    # soil
    "SOIL-033": Case(SOIL, ({"镉(mg/kg)": "99999"},), ("H2",), ({"镉(mg/kg)": "9"},)),
    "SOIL-034": Case(SOIL, ({"镉(mg/kg)": "2001"},), ("H2",)),
    "SOIL-035": Case(SOIL, ({"镉(mg/kg)": "101"},), ("H2",), ({"镉(mg/kg)": "0.3"},), history=(("BBS01", "Cd_soil", 0.2),)),
    "SOIL-036": Case(SOIL, ({"pH": "15"},), ("G2",), ({"pH": "14"},)),
    "SOIL-037": Case(SOIL, ({"镉(mg/kg)": "-0.1"},), ("H2",), ({"镉(mg/kg)": "0"},)),
    "SOIL-038": Case(SOIL, ({"采样深度上(cm)": "表层"}, {}), ("D2",)),
    "SOIL-039": Case(SOIL, ({"采样深度下(cm)": "深层"}, {}), ("E2",)),
    "SOIL-040": Case(SOIL, ({"采样深度上(cm)": ""}, {}), ("D2",)),
    "SOIL-041": Case(SOIL, ({"采样深度上(cm)": "20", "采样深度下(cm)": "0"}, {}), ("E2",)),
    "SOIL-042": Case(SOIL, ({"采样深度下(cm)": "1001"},), ("E2",), ({"采样深度下(cm)": "1000"},)),
    "SOIL-043": Case(SOIL, ({"采样深度上(cm)": "-1"}, {}), ("D2",)),
    "SOIL-044": Case(SOIL | {"六价铬(mg/kg)": "1"}, ({"六价铬(mg/kg)": "61"},), ("Q2",), ({"六价铬(mg/kg)": "60"},)),
    "SOIL-045": Case(SOIL, ({"汞(mg/kg)": "ND"},), ("I2",), ({"汞(mg/kg)": "0.002L"},)),
}  # fmt: skip


def registered(base: Row, prefix: str, letters: str) -> dict[str, Case]:
    """Cases of the rules on names and codes that ratings and penalties share."""
    name, code = list(base)[0], list(base)[1]
    n, c = "A2", "B2"
    texts = ",".join(base) + "\n" + ",".join([*base.values(), "x", "y"]) + "\n" + ",".join(base.values()) + "\n"
    numbers = dict(zip(["failing", "pilot", "malformed", "masked", "resident-id", "permit", "registration",
                        "organisation", "none"], letters.split(), strict=True))  # fmt: skip
    codes = {
        "failing": "91500109MA5U0A0010", "pilot": "91350211M0000XUF46", "malformed": "9150010", "masked": "91430102**********",
        "resident-id": "11010119900307803X", "permit": "91500110MAACATRW37001Q", "registration": "440800000014935",
        "organisation": "19437573-1", "none": "",
    }  # fmt: skip
    return {
        f"{prefix}-001": Case(base, (texts,), ("2",)),
        f"{prefix}-002": Case(base, ({},), (n,), marks=((2, 1, "error-cell", "#N/A"),)),
        f"{prefix}-004": Case(base, ({name: ""},), (n,)),
        f"{prefix}-005": Case(base, ({name: "甲"},), (n,), ({name: "甲乙"},)),
        f"{prefix}-006": Case(base, ({name: "测" * 121},), (n,), ({name: "测" * 120},)),
        f"{prefix}-007": Case(base, ({name: "ACME Ltd"},), (n,)),
        f"{prefix}-008": Case(base, ({name: "北碚\u202e测试公司"},), (n,)),
        f"{prefix}-009": Case(base, ({name: "北碚\ue000测试公司"},), (n,)),
        **{f"{prefix}-{numbers[kind]}": Case(base, ({code: codes[kind]},), (c,)) for kind in numbers},
    }


CASES |= registered(CREDIT, "CREDIT", "013 014 015 016 017 018 019 020 021") | {
    "CREDIT-003": Case(CREDIT, ({}, {"评价等级": "环保诚信企业"}), ("A2", "A3"), ({}, {})),
    "CREDIT-010": Case(CREDIT, ({}, {"统一社会信用代码": "91500109MA5U0A002J"}), ("A2", "A3"),
                       ({}, {"企业名称": "北碚测试乙建材有限公司", "统一社会信用代码": "91500109MA5U0A002J"})),
    "CREDIT-011": Case(CREDIT, ({}, {"企业名称": "北碚测试乙建材有限公司", "评价年度": "2024"}), ("A2", "A3"),
                       ({}, {"评价年度": "2024"})),
    "CREDIT-012": Case(CREDIT, ({"统一社会信用代码": "11500226MB1511945B"},), ("B2",)),
    "CREDIT-022": Case(CREDIT, ({"评价等级": ""},), ("D2",)),
    "CREDIT-023": Case(CREDIT, ({"评价等级": "优秀"},), ("D2",), ({"评价等级": "环保 良好"},)),
    "CREDIT-024": Case(
        {"scheme": "某地办法", "year": "2024", "stage": "终评", "region": "某省某市", "county_raw": "", "enterprise_name_raw": "某地测试有限公司",
         "rating_raw": "甲级", "colour_raw": "", "score_raw": "", "source": "网页"},
        ({},), ("G2",), ({"scheme": "CQ-2021", "rating_raw": "环保良好企业"},), "notices"),
    "CREDIT-025": Case(CREDIT, ({"评价办法": "没有的办法"},), ("H2",)),
    "CREDIT-026": Case(CREDIT, ({"评价办法": "CQ-2017", "得分": ""},), ("H2",), ({"评价办法": "CQ-2021"},)),
    "CREDIT-027": Case(CREDIT, ({"评价办法": "SC-2019", "得分": ""},), ("H2",)),
    "CREDIT-028": Case(CREDIT, ({"评价年度": ""},), ("C2",)),
    "CREDIT-029": Case(CREDIT, ({"评价年度": "20255"},), ("C2",), ({"评价年度": "2025年度"},)),
    "CREDIT-030": Case(CREDIT, ({"评价年度": "2004"},), ("C2",)),
    "CREDIT-031": Case(CREDIT, ({"评价年度": "2027"},), ("C2",), ({"评价年度": "2026"},)),
    "CREDIT-032": Case(CREDIT, ({"公布日期": "去年"},), ("E2",)),
    "CREDIT-033": Case(CREDIT, ({"公布日期": "1/3/26"},), ("E2",)),
    "CREDIT-034": Case(CREDIT, ({"公布日期": "2026-02-30"},), ("E2",)),
    "CREDIT-035": Case(CREDIT, ({"公布日期": ""},), ("E2",)),
    "CREDIT-036": Case(CREDIT, ({"公布日期": "2026-04-12"},), ("E2",), ({"公布日期": "2026-04-10"},)),
    "CREDIT-037": Case(CREDIT, ({"公布日期": "2024-12-31"},), ("E2",), ({"公布日期": "2025-01-01"},)),
    "CREDIT-038": Case(CREDIT, ({"有效期至": "明年"},), ("F2",)),
    "CREDIT-039": Case(CREDIT, ({"有效期至": "1/3/27"},), ("F2",)),
    "CREDIT-040": Case(CREDIT, ({"有效期至": "2027-02-30"},), ("F2",)),
    "CREDIT-041": Case(CREDIT, ({"有效期至": "2026-02-28"},), ("F2",), ({"有效期至": "2026-03-01"},)),
    "CREDIT-042": Case(CREDIT, ({"有效期至": "2036-03-31"},), ("F2",), ({"有效期至": "2036-03-01"},)),
    "CREDIT-043": Case(CREDIT, ({"得分": "八十五"},), ("G2",)),
    "CREDIT-044": Case(CREDIT, ({"得分": "59"},), ("D2",), ({"得分": "80"},)),
    "CREDIT-045": Case(CREDIT, ({"得分": "95", "评价等级": "环保不良企业", "一票否决情形": "篡改监测数据"},), ("D2",),
                       ({"得分": "59", "评价等级": "环保不良企业", "一票否决情形": "篡改监测数据"},)),
    "CREDIT-046": Case(CREDIT, ({"状态": "好像"},), ("I2",), ({"状态": "终评"},)),
}  # fmt: skip

CASES |= registered(PENALTY, "PENALTY", "010 011 012 013 014 015 016 017 018") | {
    "PENALTY-003": Case(PENALTY, ({}, {"罚款金额(元)": "30000"}), ("A2", "A3"), ({}, {})),
    "PENALTY-019": Case(PENALTY, ({"决定书文号": ""},), ("C2",)),
    "PENALTY-020": Case(PENALTY, ({"违法行为日期": "去年"},), ("H2",)),
    "PENALTY-021": Case(PENALTY, ({"违法行为日期": "1/3/26"},), ("H2",)),
    "PENALTY-022": Case(PENALTY, ({"违法行为日期": "2026-02-30"},), ("H2",)),
    "PENALTY-023": Case(PENALTY, ({"决定日期": "去年"},), ("I2",)),
    "PENALTY-024": Case(PENALTY, ({"决定日期": "1/3/26"},), ("I2",)),
    "PENALTY-025": Case(PENALTY, ({"决定日期": "2026-02-30"},), ("I2",)),
    "PENALTY-026": Case(PENALTY, ({"决定日期": ""},), ("I2",)),
    "PENALTY-027": Case(PENALTY, ({"决定日期": "(发布日期)2026-03-01"},), ("I2",)),
    "PENALTY-028": Case(PENALTY, ({"决定日期": "2026-04-12"},), ("I2",), ({"决定日期": "2026-04-10"},)),
    "PENALTY-029": Case(PENALTY, ({"违法行为日期": "2026-03-02"},), ("H2",), ({"违法行为日期": "2026-03-01"},)),
    "PENALTY-030": Case(PENALTY, ({"违法行为日期": "2021-01-01"},), ("H2",), ({"违法行为日期": "2021-03-02"},)),
    "PENALTY-031": Case(PENALTY, ({"罚款金额(元)": "若干"},), ("G2",), ({"罚款金额(元)": "1万元"},)),
    "PENALTY-032": Case(PENALTY, ({"罚款金额(元)": "-1"},), ("G2",), ({"罚款金额(元)": "0"},)),
    "PENALTY-033": Case(PENALTY, ({"罚款金额(元)": "100000001"},), ("G2",), ({"罚款金额(元)": "1亿元"},)),
}  # fmt: skip

CASES |= {
    "EXPERT-001": Case(EXPERT, (",".join(EXPERT) + "\n" + ",".join([*EXPERT.values(), "x", "y"]) + "\n"
                                + ",".join(EXPERT.values()) + "\n",), ("2",)),
    "EXPERT-002": Case(EXPERT, ({},), ("A2",), marks=((2, 1, "long-number", ""),)),
    "EXPERT-003": Case(EXPERT, ({"姓名": ""},), ("A2",)),
    "EXPERT-004": Case(EXPERT, ({"姓名": "张"},), ("A2",), ({"姓名": "张三"},)),
    "EXPERT-005": Case(EXPERT, ({"证件号码": ""},), ("B2",)),
    "EXPERT-006": Case(EXPERT, ({"证件号码": "110101199003078030"},), ("B2",)),
    "EXPERT-007": Case(EXPERT, ({"证件号码": "E12345678"},), ("B2",)),
    "EXPERT-008": Case(EXPERT, ({"手机号": "1380000"},), ("G2",), ({"手机号": ""},)),
    "EXPERT-009": Case(EXPERT, ({"专业领域": ""},), ("E2",)),
    "EXPERT-010": Case(EXPERT, ({"单位统一社会信用代码": "91500109MA5U0A0010"},), ("D2",)),
    "EXPERT-011": Case(EXPERT, ({"单位统一社会信用代码": "9150"},), ("D2",)),
    "EXPERT-012": Case(EXPERT, ({"证书有效期至": "明年"},), ("H2",)),
    "EXPERT-013": Case(EXPERT, ({"证书有效期至": "2026-04-01"},), ("H2",), ({"证书有效期至": "2026-12-31"},)),
}  # fmt: skip

RULES = {rule.code: rule for rule in all_rules()}


def test_every_rule_has_a_case():
    assert set(CASES) == set(RULES)


def named(verdict: Any, code: str) -> list[str]:
    mine = verdict.findings[verdict.findings["rule"] == code]
    return [f"{column or ''}{row}" for column, row in zip(mine["column"], mine["row"], strict=True)]


def judge_case(judged: Any, case: Case, changes: tuple[Any, ...], marks: Any = ()) -> Any:
    more: dict[str, Any] = {"marks": marks, "name": case.name}
    if case.history:
        more["history"] = pd.DataFrame(case.history, columns=["place_id", "parameter", "median"])
    return judged(case.rows(changes), case.bureau, **more)


@pytest.mark.parametrize("code", RULES)
def test_a_rule_fires_on_its_cells(code, judged):
    case, rule = CASES[code], RULES[code]
    verdict = judge_case(judged, case, case.breaks, case.marks)
    assert named(verdict, code) == list(case.cells)
    mine = verdict.findings[verdict.findings["rule"] == code].iloc[0]
    assert mine["message"].startswith(rule.message_zh) and mine["message_en"].startswith(rule.message_en)
    assert mine["severity"] == rule.severity and mine["clause"] == rule.source
    assert_effect(verdict, rule, [int(cell.lstrip("ABCDEFGHIJKLMNOPQRSTU")) for cell in case.cells])


def assert_effect(verdict: Any, rule: Rule, rows: list[int]) -> None:
    """A severity does what it says to the rows named, and to no other by itself."""
    batch = verdict.batch
    source = batch.rows["source_row"].to_numpy()
    out = set(source[batch.results["row"].to_numpy()[verdict.positions]].tolist()) if len(batch.results) else set()
    if rule.severity == "refuse_row":
        assert not out & set(rows) and verdict.row_counts["refused"] >= len(set(rows))
    elif rule.severity == "refuse_value":
        assert verdict.result_counts["quarantined"] >= len(rows)
        assert rule.code in "|".join(verdict.quarantined["rules"])
    elif rule.severity == "flag" and verdict.state == "accepted" and out & set(rows):
        flags = verdict.flag[[source[r] in rows for r in batch.results["row"].to_numpy()[verdict.positions]]]
        assert 3 in flags


@pytest.mark.parametrize("code", RULES)
def test_a_rule_is_silent_where_it_is_kept(code, judged):
    case = CASES[code]
    verdict = judge_case(judged, case, case.keeps)
    assert named(verdict, code) == []
    assert len(verdict.batch.rows) == (1 if any(isinstance(k, str) for k in case.keeps) else len(case.keeps))


@pytest.mark.parametrize("base", [AIR, WATER, SOIL, CREDIT, PENALTY, EXPERT], ids=lambda row: next(iter(row)))
def test_a_good_row_has_no_finding(base, judged):
    verdict = judged([base])
    assert verdict.findings["rule"].tolist() == []
    assert verdict.state == "accepted" and verdict.row_counts["clean"] == 1


def test_counts_add_up_for_every_broken_case(judged):
    for code in ("AIR-001", "AIR-015", "WATER-039", "SOIL-038", "CREDIT-003"):
        case = CASES[code]
        verdict = judge_case(judged, case, case.breaks, case.marks)
        rows, results = verdict.row_counts, verdict.result_counts
        assert rows["read"] == rows["clean"] + rows["partial"] + rows["refused"] + rows["repeated"], code
        assert results["read"] == results["published"] + results["quarantined"] + results["repeated"], code


def test_a_case_is_not_lost_when_a_rule_is_renamed():
    assert len(CASES) >= 60 and all(dataclasses.is_dataclass(case) for case in CASES.values())
