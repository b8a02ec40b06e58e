"""Whole files as bureaus send them, made together with the truth about them.

The truth is worked out here, from the numbers the generator chose and from small tables of its own, never by the code
under test: which cells hold a result, which results may go out, with what value, limit and place, and how many rows
and results the file has. A file is made from a source of choices (``random.Random``, or hypothesis' own, which
shrinks), so that the same makers serve properties, sequences and crashes.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from random import Random

import xlsxwriter
from stdnum.cn import uscc as usccs

CST = timezone(timedelta(hours=8))
BUREAUS = ("mianyang", "beibei")
MEASURED = ("air", "water", "soil")
REGISTERED = ("credit", "penalty")
DATASETS = (*MEASURED, *REGISTERED)
TABLES = {
    "air": "air_observation",
    "water": "water_result",
    "soil": "soil_result",
    "credit": "credit_rating",
    "penalty": "penalty_decision",
}
ENCODINGS = ("utf-8", "utf-8-sig", "gb18030", "utf-16")
DELIMITERS = (",", "\t", ";")
FULL_WIDTH = {ord(c): ord(c) + 0xFEE0 for c in "0123456789.-+<>ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


@dataclass(frozen=True)
class Measured:
    """A parameter as a bureau writes it: names, units with their factors, what is plausible and what never is."""

    parameter: str
    name: str
    units: tuple[tuple[str, str], ...]
    canonical: str
    low: str
    high: str
    wild: str
    """A value no rule lets pass, in the canonical unit."""


_AIR = (("μg/m3", "1"), ("μg/m³", "1"), ("mg/m3", "1000"))
_WATER = (("mg/L", "1"), ("μg/L", "0.001"))
_SOIL = (("mg/kg", "1"), ("μg/kg", "0.001"), ("ng/g", "0.001"))
PARAMETERS = {
    "air": (
        Measured("PM2.5", "PM2.5", _AIR, "ug/m3", "1", "400", "50000"),
        Measured("PM10", "PM10", _AIR, "ug/m3", "1", "900", "120000"),
        Measured("SO2", "SO2", _AIR, "ug/m3", "1", "300", "70000"),
        Measured("NO2", "NO2", _AIR, "ug/m3", "1", "300", "50000"),
        Measured("CO", "CO", (("mg/m3", "1"), ("μg/m3", "0.001")), "mg/m3", "0.1", "20", "2000"),
        Measured("O3", "O3", _AIR, "ug/m3", "1", "400", "50000"),
    ),
    "water": (
        Measured("WaterTemp", "水温", (("℃", "1"),), "degC", "0", "35", "60"),
        Measured("pH", "pH", (("", "1"), ("无量纲", "1")), "-", "5", "9", "15"),
        Measured("DO", "溶解氧", _WATER, "mg/L", "2", "14", "400"),
        Measured("CODMn", "高锰酸盐指数", _WATER, "mg/L", "0.5", "20", "1500"),
        Measured("NH3-N", "氨氮", _WATER, "mg/L", "0.025", "5", "3000"),
        Measured("TP", "总磷", _WATER, "mg/L", "0.01", "1", "300"),
    ),
    "soil": (
        Measured("pH_soil", "pH", (("", "1"), ("无量纲", "1")), "-", "4", "9", "15"),
        Measured("Cd_soil", "镉", _SOIL, "mg/kg", "0.01", "10", "30000"),
        Measured("Hg_soil", "汞", _SOIL, "mg/kg", "0.01", "10", "30000"),
        Measured("As_soil", "砷", _SOIL, "mg/kg", "0.1", "100", "300000"),
        Measured("Pb_soil", "铅", _SOIL, "mg/kg", "1", "500", "600000"),
        Measured("Cr_soil", "铬", _SOIL, "mg/kg", "1", "500", "300000"),
        Measured("Cu_soil", "铜", _SOIL, "mg/kg", "1", "500", "600000"),
        Measured("Ni_soil", "镍", _SOIL, "mg/kg", "1", "500", "300000"),
        Measured("Zn_soil", "锌", _SOIL, "mg/kg", "1", "500", "600000"),
    ),
}
FURTHER = {
    "air": (
        Measured("NO", "NO", _AIR, "ug/m3", "1", "300", "70000"),
        Measured("RH", "相对湿度", (("%", "1"),), "%", "5", "100", "2000"),
    ),
    "water": (
        Measured("COD", "化学需氧量", _WATER, "mg/L", "4", "60", "30000"),
        Measured("TN", "总氮", _WATER, "mg/L", "0.05", "10", "3000"),
        Measured("Cu", "铜", _WATER, "mg/L", "0.001", "1", "200"),
    ),
    "soil": (Measured("Co_soil", "钴", _SOIL, "mg/kg", "0.1", "50", "300000"),),
}
PERIOD = {"air": "1h", "water": "", "soil": ""}
PLACES = {
    ("mianyang", "air"): {"1878A": "富乐山", "1879A": "市人大", "1880A": "高新区自来水公司", "1881A": "三水厂"},
    ("mianyang", "water"): {"MYW01": "丰谷", "MYW02": "福田坝", "MYW03": "平武水文站"},
    ("mianyang", "soil"): {"MYS01": "涪城区农田1", "MYS02": "游仙区农田1"},
    ("beibei", "air"): {"1414A": "缙云山", "1416A": "天生", "BBQ03": "静观"},
    ("beibei", "water"): {"BBW01": "北温泉"},
    ("beibei", "soil"): {"BBS01": "静观镇农田1", "BBS02": "静观镇农田2"},
}
LEFT = ("1428A", "蔡家", date(2025, 11, 5))
"""A station that was Beibei's until a day."""
HEADS = {"air": ("站点编码", "站点名称"), "water": ("断面编码", "断面名称"), "soil": ("点位编码", "点位名称")}
TIME = {"air": "监测时间", "water": "采样时间", "soil": "采样日期"}
DEPTHS = ("采样深度上(cm)", "采样深度下(cm)")
MISSING = ("", " ", "-", "--", "—", "/", "NA", "-999", "9999", "*", "缺测")
UNREADABLE = ("35O", "4. 122", "见附件", "12..5", "1_000", "٣٥", "inf", "nan", "0x1F", "3,5", "未测", "#N/A")
BAD_TIMES = (
    "2026-02-30 08:00",
    "04/05/2026 08:00",
    "八点",
    "",
    "2099-01-01 00:00",
    "1999-12-31 23:00",
    "2026-04-01 25:00",
)
TITLES = ("环境质量监测数据报送表", "填报单位：监测站", "单位：见表头")
FOOTERS = ("审核人：张三", "注：本表为例行监测", "合计")
FIRMS = tuple(
    (f"{word}有限公司", body + usccs.calc_check_digit(body))
    for word, body in (
        ("绵阳涪江造纸", "91510700MA6200001"),
        ("北碚缙云电镀", "91500109MA5U00002"),
        ("三台丘陵水泥", "91510722595000003"),
        ("江油李白化工", "91510781711000004"),
        ("静观花木", "91500109203000005"),
    )
)
LEVELS = ("环保诚信企业", "环保良好企业", "环保警示企业", "环保不良企业")


@dataclass(frozen=True)
class Cell:
    """A result as written, and what it means in the unit of its header."""

    text: str
    value: Decimal | None = None
    qualifier: str = ""
    limit: Decimal | None = None
    status: str = ""
    refused: bool = False
    plain: bool = False
    """A workbook may hold it as a number."""

    @property
    def content(self) -> tuple[object, ...]:
        """What two results under one key must share to be the same result."""
        return (self.value, self.qualifier, self.limit, self.status)


@dataclass(frozen=True)
class Line:
    """One record of the file.

    ``key`` is what identifies its results (or itself); ``refused``: it has no usable identity. A line ``broken`` has
    another number of fields than the header.
    """

    texts: dict[str, str]
    key: tuple[object, ...] = ()
    refused: bool = False
    results: dict[str, Cell] = field(default_factory=dict)
    record: tuple[object, ...] = ()
    moment: datetime | None = None
    broken: bool = False


@dataclass(frozen=True)
class Going:
    """What must go out from one cell (or from one record of a register)."""

    key: tuple[object, ...]
    content: tuple[object, ...]
    repeated: bool = False
    """The same result stands in the file again."""


@dataclass(frozen=True)
class Delivery:
    """What a bureau has to say, before it is written down: headers, records, and what each means."""

    bureau: str
    dataset: str
    headers: tuple[str, ...]
    lines: tuple[Line, ...]
    measured: dict[str, tuple[Measured, Decimal]]
    """Column header → parameter, and factor of its unit."""


@dataclass(frozen=True)
class Made:
    """A file and the truth about it.

    Attributes
    ----------
    going : dict of (int, str) to Going
        By row as Excel numbers it and column letter (for registers the letter is ``""``): exactly what goes out.
    stopped : set of (int, str)
        Where a result stands that must not go out.
    read, refused_rows, results_read, missing : int
        Rows of the file, those without usable identity (None: some record of a register, which stops them all),
        cells with a result, cells without.
    notes : dict of str to int
        What the report must name, and how often.
    """

    name: str
    data: bytes
    delivery: Delivery
    going: dict[tuple[int, str], Going]
    stopped: frozenset[tuple[int, str]]
    read: int
    refused_rows: int | None
    results_read: int
    missing: int
    notes: dict[str, int]


# -- what a cell may hold ------------------------------------------------------------------------------------------


def plain_text(number: Decimal) -> str:
    """Write a number without exponent and trailing zeros."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def number_in(rng: Random, one: Measured, factor: Decimal) -> Decimal:
    """Choose a plausible number, as it stands under a header with this factor."""
    low, high = (int(Decimal(end) * 1000) for end in (one.low, one.high))
    number = Decimal(rng.randint(low, high)).scaleb(-3).quantize(Decimal(10) ** -rng.choice((0, 1, 3)))
    written = max(number, Decimal(one.low)) / factor
    return Decimal("9998") if written == 9999 else Decimal(plain_text(written))


def value_cell(rng: Random, one: Measured, factor: Decimal) -> Cell:
    """Write a number in one of the ways it is written."""
    number = number_in(rng, one, factor)
    text = plain_text(number)
    way = rng.choice(("plain", "plain", "plain", "zeros", "wide", "padded", "sign", "power", "thousands", "marked"))
    match way:
        case "zeros":
            return Cell(text + ("0" if "." in text else ".0"), number)
        case "wide":
            return Cell(text.translate(FULL_WIDTH), number)
        case "padded":
            return Cell(rng.choice((" {}", "{} ", "\u3000{}", "\u00a0{} ")).format(text), number)
        case "sign":
            return Cell("+" + text, number)
        case "power":
            shifted = plain_text(number.scaleb(-1))
            return Cell(rng.choice(("{}E+01", "{}×10^1", "{}e1", "{}×10¹")).format(shifted), number)
        case "thousands":
            return Cell(f"{number:,f}", number)
        case "marked":
            return Cell(text + rng.choice("*#"), number, status="marked")
    return Cell(text, number, plain=True)


def result_cell(rng: Random, one: Measured, factor: Decimal, *, good: bool = False) -> Cell:
    """Write a result, or what stands where there is none."""
    kind = rng.choice(("value",) * 9 + ("censored", "above", "missing") + (() if good else ("bad",)))
    if kind == "value":
        return value_cell(rng, one, factor)
    number = number_in(rng, one, factor)
    text = plain_text(number)
    if kind == "missing":
        return Cell(rng.choice(MISSING), status="missing")
    if kind == "above":
        sign = rng.choice((">", "＞", "≥"))
        return Cell(sign + text, number, ">=" if sign == "≥" else ">")
    if kind == "censored":
        form = rng.choice(("{}L", "<{}", "＜{}", "{} L", "ND({})", "未检出({})", "未检出", "ND", "{}l"))
        return Cell(form.format(text), None, "<", number if "{}" in form else None)
    if rng.choice((True, True, False)):
        return Cell(rng.choice(UNREADABLE), status="unreadable", refused=True)
    wild = rng.choice((Decimal(one.wild), Decimal(one.wild if one.parameter == "RH" else -50))) / factor
    return Cell(plain_text(wild), wild, refused=True, plain=True)


# -- what a record may be ------------------------------------------------------------------------------------------


def stamp(rng: Random, moment: datetime, dataset: str) -> str:
    """Write an instant of China Standard Time in one of the ways it is written."""
    if dataset == "soil":
        return moment.strftime(rng.choice(("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日", "%Y%m%d")))
    if moment.hour == 0 and rng.choice((True, False)):
        return (moment - timedelta(days=1)).strftime("%Y-%m-%d 24:00")
    if rng.choice((False,) * 9 + (True,)):
        return moment.replace(tzinfo=CST).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    forms = ("%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y年%m月%d日%H时", "%Y%m%d%H%M")
    return moment.strftime(rng.choice(forms))


def _place(rng: Random, bureau: str, dataset: str, *, good: bool) -> tuple[str, str, str, bool]:
    """Choose a place: code and name as written, the code meant, and whether the record is refused for it."""
    own = PLACES[bureau, dataset]
    code = rng.choice(tuple(own))
    name = own[code]
    way = rng.choice(("code",) * 8 + ("lower", "by-name", "wide", "renamed") + (() if good else ("unknown", "foreign")))
    match way:
        case "lower":
            return code.lower(), name, code, False
        case "by-name":
            return "", name, code, False
        case "wide":
            return code.translate(FULL_WIDTH), name, code, False
        case "renamed":
            return code, name + "（启用20220628）", code, False
        case "unknown":
            return rng.choice(("9999X", "ZZ01", "")), "无此站", "", True
        case "foreign":
            other = "beibei" if bureau == "mianyang" else "mianyang"
            far = rng.choice(tuple(PLACES[other, dataset]))
            return far, PLACES[other, dataset][far], "", True
    return code, name, code, False


def _depths(rng: Random, *, good: bool) -> tuple[tuple[str, str], tuple[object, ...], bool]:
    if not good and rng.choice((False,) * 7 + (True,)):
        bad = (("", "20"), ("abc", "20"), ("0", "二十"), ("20", "0"), ("-5", "20"), ("<20", "40"))
        return rng.choice(bad), (None, None), True
    top = rng.choice((0, 20))
    return (str(top), str(top + 20)), (float(top), float(top + 20)), False


def measured_line(
    rng: Random, bureau: str, dataset: str, measured: dict[str, tuple[Measured, Decimal]], *, good: bool
) -> Line:
    """Make one record of monitoring."""
    id_header, name_header = HEADS[dataset]
    code, name, place, refused = _place(rng, bureau, dataset, good=good)
    moment = datetime(2026, rng.choice((3, 4)), rng.choice((1, 2)), rng.choice((0, 8, 9)))
    if dataset == "soil":
        moment = moment.replace(hour=0)
    if bureau == "beibei" and dataset == "air" and rng.choice((False,) * 11 + (True,)):
        code, name, place = LEFT[0], LEFT[1], LEFT[0]
        moment = datetime(2025, 11, rng.choice((5,) if good else (5, 6)), 8)
        refused = moment.date() > LEFT[2]
    text = stamp(rng, moment, dataset)
    readable = good or not rng.choice((False,) * 9 + (True,))
    if not readable:
        text, refused = rng.choice(BAD_TIMES), True
    texts = {id_header: code, name_header: name, TIME[dataset]: text, "备注": rng.choice(("", "", "复测", " 复测"))}
    depth: tuple[object, ...] = ()
    if dataset == "soil":
        written, depth, wrong = _depths(rng, good=good)
        texts |= {DEPTHS[0]: written[0], DEPTHS[1]: written[1], "土地利用": rng.choice(("水田", "旱地", "园地"))}
        refused = refused or wrong
    results = {header: result_cell(rng, one, factor, good=good) for header, (one, factor) in measured.items()}
    instant = moment.replace(tzinfo=CST).astimezone(UTC) if readable else None
    return Line(texts, (place, instant, *depth), refused, results, moment=moment if readable else None)


def again(rng: Random, line: Line, measured: dict[str, tuple[Measured, Decimal]]) -> Line:
    """Repeat a record, word for word or with one result changed."""
    if not line.results or rng.choice((True, False)):
        return line
    header = rng.choice(tuple(line.results))
    one, factor = measured[header]
    return replace(line, results={**line.results, header: result_cell(rng, one, factor)})


def measured_delivery(
    rng: Random, bureau: str, dataset: str, *, good: bool = False, most: int = 5, plain_headers: bool = False
) -> Delivery:
    """Make a delivery of monitoring results; ``good`` leaves out what would be refused, and repeats."""
    measured: dict[str, tuple[Measured, Decimal]] = {}
    further = [one for one in FURTHER[dataset] if rng.choice((False, False, True))]
    for one in (*PARAMETERS[dataset], *further):
        unit, factor = one.units[0] if plain_headers else rng.choice(one.units)
        measured[f"{one.name}({unit})" if unit else one.name] = (one, Decimal(factor))
    lines: list[Line] = []
    for _ in range(rng.randint(1, most)):
        if lines and not good and rng.choice((False,) * 4 + (True,)):
            lines.append(again(rng, rng.choice(lines), measured))
            continue
        line = measured_line(rng, bureau, dataset, measured, good=good)
        if not good or line.key not in [other.key for other in lines]:
            lines.append(line)
    headers = [*HEADS[dataset], TIME[dataset], *(DEPTHS if dataset == "soil" else ())]
    headers += ["土地利用"] if dataset == "soil" else []
    headers += [*measured, "备注"]
    if rng.choice((False, True)):
        headers.insert(0, "序号")
    return Delivery(bureau, dataset, tuple(headers), tuple(lines), measured)


def _day(rng: Random, year: int) -> tuple[str, date]:
    day = date(year, rng.choice((1, 3)), rng.choice((5, 15)))
    return day.strftime(rng.choice(("%Y-%m-%d", "%Y/%m/%d", "%Y年%m月%d日", "%Y%m%d"))), day


def rating_line(rng: Random, *, good: bool) -> Line:
    """Make one record of the rating list."""
    name, code = rng.choice(FIRMS)
    year = rng.choice((2023, 2024))
    published, day = _day(rng, year + 1)
    texts = {
        "企业名称": rng.choice((name, name, f" {name}")),
        "统一社会信用代码": rng.choice((code, code, code.lower(), code.translate(FULL_WIDTH))),
        "评价年度": rng.choice((str(year), f"{year}年")),
        "评价等级": rng.choice(LEVELS),
        "公布日期": published,
        "有效期至": "",
        "备注": "",
        "得分": rng.choice(("", "85", "92.5")),
    }
    score = float(texts["得分"]) if texts["得分"] else None
    refused = False
    if not good and rng.choice((False,) * 9 + (True,)):
        refused = True
        header, text = rng.choice(
            (("企业名称", ""), ("统一社会信用代码", code[:-1] + ("0" if code[-1] != "0" else "1")),
             ("评价年度", "去年"), ("评价等级", "还可以"), ("公布日期", "2025-02-30"), ("得分", "九十"))
        )  # fmt: skip
        texts[header] = text
    record = (name, code, year, texts["评价等级"], score, day)
    return Line(texts, (code, year), refused, record=record)


def penalty_line(rng: Random, *, good: bool) -> Line:
    """Make one record of the penalty list."""
    name, code = rng.choice(FIRMS)
    number = f"川环罚〔2026〕{rng.randint(1, 6)}号"
    decided, day = _day(rng, 2026)
    fine, yuan = rng.choice((("20000", 20000.0), ("5万元", 50000.0), ("12,500.50", 12500.5), ("", None)))
    texts = {
        "当事人名称": name,
        "统一社会信用代码": code,
        "决定书文号": rng.choice((number, number.replace("〕", "〕 "))),
        "违法事实": rng.choice(("超标排放", "未验先投")),
        "处罚依据": "环境保护法",
        "处罚内容": "罚款",
        "罚款金额(元)": fine,
        "违法行为日期": "2025-11-02",
        "决定日期": decided,
        "处罚机关": "生态环境局",
        "修复状态": rng.choice(("未修复", "已修复")),
    }
    refused = False
    if not good and rng.choice((False,) * 9 + (True,)):
        refused = True
        header, text = rng.choice(
            (("当事人名称", ""), ("统一社会信用代码", "91510700"), ("罚款金额(元)", "若干"), ("决定日期", "2026/13/01"),
             ("违法行为日期", "2026-09-09"))
        )  # fmt: skip
        texts[header] = text
    record = (name, code, number, texts["违法事实"], yuan, day, texts["修复状态"])
    return Line(texts, (code, number), refused, record=record)


def registered_delivery(rng: Random, bureau: str, dataset: str, *, good: bool = False, most: int = 5) -> Delivery:
    """Make a list of ratings or penalties."""
    make = rating_line if dataset == "credit" else penalty_line
    lines: list[Line] = []
    for _ in range(rng.randint(1, most)):
        if lines and not good and rng.choice((False,) * 7 + (True,)):
            lines.append(rng.choice(lines))
            continue
        line = make(rng, good=good)
        if line.key not in [other.key for other in lines] or (not good and rng.choice((False, False, True))):
            lines.append(line)
    return Delivery(bureau, dataset, tuple(lines[0].texts), tuple(lines), {})


def delivery(rng: Random, *, good: bool = False, bureau: str | None = None, dataset: str | None = None) -> Delivery:
    """Make a delivery of any data set of either bureau."""
    bureau, dataset = bureau or rng.choice(BUREAUS), dataset or rng.choice(DATASETS)
    if dataset in REGISTERED:
        return registered_delivery(rng, bureau, dataset, good=good)
    return measured_delivery(rng, bureau, dataset, good=good)


# -- writing it down -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Form:
    """How a delivery is written: kind of file, encoding, delimiter, what stands above, between and below."""

    kind: str = "csv"
    encoding: str = "utf-8"
    delimiter: str = ","
    titles: tuple[str, ...] = ()
    footers: tuple[str, ...] = ()
    blanks: frozenset[int] = frozenset()
    broken: int | None = None
    numbers: bool = False
    newline: str = "\r\n"


def form(rng: Random, lines: int, *, whole: bool = False) -> Form:
    """Choose a form; ``whole`` leaves out broken lines."""
    kind = rng.choice(("csv", "csv", "csv", "xlsx"))
    return Form(
        kind,
        rng.choice(ENCODINGS),
        rng.choice(DELIMITERS),
        TITLES[: rng.randint(0, 3)],
        tuple(rng.sample(FOOTERS, rng.randint(0, 2))),
        frozenset(at for at in range(lines) if rng.choice((False,) * 5 + (True,))),
        rng.randint(0, lines) if kind == "csv" and not whole and rng.choice((False,) * 5 + (True,)) else None,
        rng.choice((False, True)),
        rng.choice(("\r\n", "\n")),
    )


def letter(position: int) -> str:
    """Column letter of a position from 0, below Z."""
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[position]


def write(one: Delivery, how: Form, name: str = "报送") -> Made:
    """Write a delivery down, and work the truth out."""
    grid: list[list[str]] = [[title] for title in how.titles]
    grid.append(list(one.headers))
    at_row: list[tuple[int, Line]] = []
    broken = 0
    for at, line in enumerate(one.lines):
        if at in how.blanks:
            grid.append([""] if at % 2 else [""] * len(one.headers))
        if how.broken == at:
            grid.append(_broken_line(line, one.headers))
            broken += 1
        grid.append([_text(line, header, at) for header in one.headers])
        at_row.append((len(grid), line))
    grid += [[footer] for footer in how.footers]
    data = _workbook(one, grid, at_row, how) if how.kind == "xlsx" else _table(grid, how)
    made = _truth(one, at_row, broken)
    made.notes.update(
        {"title-rows": len(how.titles), "footer-row": len(how.footers)} | _changed(one, at_row) | _units(one, at_row)
    )
    if how.kind == "csv" and how.delimiter != ",":
        made.notes["delimiter"] = 1
    made.notes["blank-row"] = len(how.blanks & set(range(len(one.lines))))
    return replace(made, name=f"{name}.{how.kind}", data=data)


def _text(line: Line, header: str, at: int) -> str:
    if header == "序号":
        return str(at + 1)
    return line.results[header].text if header in line.results else line.texts[header]


def _broken_line(line: Line, headers: tuple[str, ...]) -> list[str]:
    """Give a record with fields too many, none of them empty or with the look of a closing line."""
    return [_text(line, header, 0).strip() or "x" for header in headers] + ["多", "余"]


def _table(grid: list[list[str]], how: Form) -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=how.delimiter, lineterminator=how.newline).writerows(grid)
    return out.getvalue().encode(how.encoding)


def _workbook(one: Delivery, grid: list[list[str]], at_row: list[tuple[int, Line]], how: Form) -> bytes:
    out = io.BytesIO()
    lines = dict(at_row)
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        sheet = book.add_worksheet("数据")
        dated = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        for row, texts in enumerate(grid):
            line = lines.get(row + 1)
            for column, text in enumerate(texts):
                header = one.headers[column] if column < len(one.headers) else ""
                cell = line.results.get(header) if line else None
                if cell is not None and text == "#N/A":
                    sheet.write_formula(row, column, "=NA()", None, "#N/A")
                elif cell is not None and cell.plain and how.numbers:
                    sheet.write_number(row, column, float(text))
                elif line and line.moment and how.numbers and header == TIME.get(one.dataset):
                    sheet.write_datetime(row, column, line.moment, dated)
                elif text:
                    sheet.write_string(row, column, text)
    return out.getvalue()


# -- the truth -----------------------------------------------------------------------------------------------------


def _truth(one: Delivery, at_row: list[tuple[int, Line]], broken: int) -> Made:
    found = _measured_truth(one, at_row) if one.measured else _registered_truth(one, at_row)
    going, stopped, results_read, missing = found
    refused: int | None = sum(line.refused for _, line in at_row) + broken
    if one.dataset in REGISTERED and (refused or stopped):
        going, refused = {}, None
        stopped = {(row, "") for row, _ in at_row}
    return Made("", b"", one, going, frozenset(stopped), len(at_row) + broken, refused, results_read, missing, {})


def _measured_truth(
    one: Delivery, at_row: list[tuple[int, Line]]
) -> tuple[dict[tuple[int, str], Going], set[tuple[int, str]], int, int]:
    """Tell what goes out: of results under one key the first if all say the same, none if they differ."""
    by_key: dict[tuple[object, ...], list[tuple[int, str, Line, Cell]]] = defaultdict(list)
    stopped: set[tuple[int, str]] = set()
    results_read = missing = 0
    for row, line in at_row:
        for header, cell in line.results.items():
            place = (row, letter(one.headers.index(header)))
            if cell.status == "missing":
                missing += 1
                continue
            results_read += 1
            if line.refused:
                stopped.add(place)
            else:
                by_key[*line.key, one.measured[header][0].parameter].append((*place, line, cell))
    going: dict[tuple[int, str], Going] = {}
    for key, group in by_key.items():
        contents = {cell.content for *_, cell in group}
        if len(contents) > 1 or group[0][3].refused:
            stopped |= {(row, column) for row, column, *_ in group}
            continue
        row, column, line, cell = group[0]
        parameter, factor = one.measured[one.headers["ABCDEFGHIJKLMNOPQRSTUVWXYZ".index(column)]]
        value = None if cell.value is None else float(cell.value * factor)
        limit = None if cell.limit is None else float(cell.limit * factor)
        content = (value, cell.qualifier, limit, parameter.canonical, cell.text)
        going[row, column] = Going((one.bureau, *key), content, len(group) > 1)
    return going, stopped, results_read, missing


def _registered_truth(
    one: Delivery, at_row: list[tuple[int, Line]]
) -> tuple[dict[tuple[int, str], Going], set[tuple[int, str]], int, int]:
    by_key: dict[tuple[object, ...], list[tuple[int, Line]]] = defaultdict(list)
    for row, line in at_row:
        by_key[line.key].append((row, line))
    going: dict[tuple[int, str], Going] = {}
    stopped: set[tuple[int, str]] = set()
    for key, group in by_key.items():
        if len({line.record for _, line in group}) > 1 or any(line.refused for _, line in group):
            stopped |= {(row, "") for row, _ in group}
        else:
            going[group[0][0], ""] = Going((one.bureau, *key), group[0][1].record, len(group) > 1)
    return going, stopped, len(at_row), 0


def _changed(one: Delivery, at_row: list[tuple[int, Line]]) -> dict[str, int]:
    """Count the cells that reading must change, by kind."""
    trimmed = wide = 0
    for _, line in at_row:
        for header in one.headers:
            text = "" if header == "序号" else _text(line, header, 0)
            trimmed += text != text.strip(" \t\r\n\u3000\u00a0")
            wide += any("\uff01" <= c <= "\uff5e" for c in text)
    return {"trimmed": trimmed, "full-width": wide}


def _units(one: Delivery, at_row: list[tuple[int, Line]]) -> dict[str, int]:
    return {"unit": len(at_row) * sum(factor != 1 for _, factor in one.measured.values())}
