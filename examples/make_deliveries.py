"""Write a week of deliveries of both bureaus, as they would send them.

Stations and river sections are real places; every value, enterprise, decision and person is invented (enterprise
and expert names say 示例 or 样例). The troubles planted on purpose are listed in ``examples/README.md``.

The same bytes come out on every machine: random numbers are seeded, times are fixed, and workbooks and zips are
stored without compression, because the bytes of a deflate stream depend on the zlib that wrote them.

Run: ``python examples/make_deliveries.py [FOLDER]`` (default ``examples/deliveries``).
"""

from __future__ import annotations

import csv
import io
import json
import math
import random
import sys
import zipfile
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path

import xlsxwriter

SEED = 20260406
FIRST = date(2026, 4, 6)
DAYS = [FIRST + timedelta(days=n) for n in range(7)]
ZIP_TIME = (2026, 4, 13, 9, 0, 0)

AIR = ["PM2.5(μg/m3)", "PM10(μg/m3)", "SO2(μg/m3)", "NO2(μg/m3)", "CO(mg/m3)", "O3(μg/m3)"]
AIR_HEADERS = ["站点编码", "站点名称", "监测时间", *AIR, "备注"]
PM25, PM10, SO2, NO2, CO, O3 = range(6)
WATER = ["水温(℃)", "pH", "溶解氧(mg/L)", "高锰酸盐指数(mg/L)", "氨氮(mg/L)", "总磷(mg/L)"]
WATER_HEADERS = ["断面编码", "断面名称", "采样时间", *WATER]
METALS = ["镉(mg/kg)", "汞(mg/kg)", "砷(mg/kg)", "铅(mg/kg)", "铬(mg/kg)", "铜(mg/kg)", "镍(mg/kg)", "锌(mg/kg)"]
SOIL_HEADERS = [
    "点位编码",
    "点位名称",
    "采样日期",
    "采样深度上(cm)",
    "采样深度下(cm)",
    "土地利用",
    "pH",
    *METALS,
    "备注",
]
CREDIT_HEADERS = [
    *("企业名称", "统一社会信用代码", "评价年度", "评价等级", "得分", "评价办法", "评价机关", "评价层级"),
    *("一票否决情形", "公布日期", "有效期至", "备注"),
]
PENALTY_HEADERS = [
    *("当事人名称", "统一社会信用代码", "决定书文号", "违法事实", "处罚依据", "处罚内容", "罚款金额(元)"),
    *("违法行为日期", "决定日期", "处罚机关", "修复状态"),
]
EXPERT_HEADERS = ["姓名", "证件号码", "工作单位", "单位统一社会信用代码", "专业领域", "职称", "手机号", "证书有效期至"]

MIANYANG_AIR = [
    ("1878A", "富乐山", 0.9),
    ("1879A", "市人大", 1.1),
    ("1880A", "高新区自来水公司", 1.0),
    ("1881A", "三水厂", 1.05),
]
BEIBEI_AIR = [("1414A", "缙云山", 0.8), ("1416A", "天生", 1.1), ("BBQ03", "静观", 0.95)]
MIANYANG_WATER = [
    ("MYW01", "丰谷", (16.2, 8.1, 9.4, 1.3, 0.06, 0.052, 1.21)),
    ("MYW02", "福田坝", (14.8, 8.2, 9.8, 1.0, 0.04, 0.030, 1.02)),
    ("MYW03", "平武水文站", (11.6, 8.3, 9.9, 0.6, 0.03, 0.012, 0.66)),
    ("MYW04", "北川通口", (13.4, 8.2, 9.6, 0.8, 0.03, 0.022, 0.97)),
]
BEIBEI_WATER = [("BBW01", "北温泉", (17.1, 8.2, 9.9, 1.8, 0.05, 0.055, 1.72))]
BEIBEI_SOIL = [
    ("BBS01", "静观镇农田1", "水田"),
    ("BBS02", "静观镇农田2", "旱地"),
    ("BBS03", "柳荫镇农田1", "水田"),
    ("BBS04", "三圣镇农田1", "旱地"),
    ("BBS05", "金刀峡镇果园1", "果园"),
    ("BBS06", "澄江镇农田1", "旱地"),
]
MIANYANG_SOIL = [
    ("MYS01", "涪城区农田1", "水田"),
    ("MYS02", "游仙区农田1", "水田"),
    ("MYS03", "安州区农田1", "旱地"),
    ("MYS04", "三台县农田1", "旱地"),
    ("MYS05", "盐亭县果园1", "果园"),
    ("MYS06", "江油市农田1", "水田"),
]

# --- codes -----------------------------------------------------------------------------------------------------------


def uscc(head: str, division: str, serial: int) -> str:
    """Make an invented code with valid GB 11714 and GB 32100 check characters.

    >>> uscc("91", "500109", 1)
    '91500109MAYY00018G'
    """
    organisation = f"MAYY{serial:04d}"
    base36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    weights = (3, 7, 9, 10, 5, 8, 4, 2)
    rest = 11 - sum(base36.index(c) * w for c, w in zip(organisation, weights, strict=True)) % 11
    code = head + division + organisation + {10: "X", 11: "0"}.get(rest, str(rest))
    base31 = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    total = sum(base31.index(c) * pow(3, n, 31) for n, c in enumerate(code))
    return code + base31[-total % 31]


def identity_number(born: str, serial: int) -> str:
    """Make an invented identity number: no place has the code 999999, the GB 11643 check character is right."""
    body = f"999999{born}{serial:03d}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return body + "10X98765432"[sum(int(c) * w for c, w in zip(body, weights, strict=True)) % 11]


def hj212_crc(segment: bytes) -> str:
    """Give the check of HJ 212 annex A, four hex digits.

    >>> device = b"MN=010000A8900016F000169DC0;Flag=5;"
    >>> hj212_crc(b"QN=20160801085857223;ST=32;CN=1062;PW=100000;" + device + b"CP=&&RtdInterval=30&&")
    '1C80'
    """
    register = 0xFFFF
    for byte in segment:
        register = (register >> 8) ^ byte
        for _ in range(8):
            register = (register >> 1) ^ 0xA001 if register & 1 else register >> 1
    return f"{register:04X}"


# --- files -----------------------------------------------------------------------------------------------------------


def csv_bytes(rows: Iterable[Sequence[object]], encoding: str) -> bytes:
    """Write rows as Excel on Windows saves a CSV: CRLF, quotes only where needed."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode(encoding)


def stored_zip(members: Iterable[tuple[str, bytes]]) -> bytes:
    """Pack members without compression and with one fixed time."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members:
            entry = zipfile.ZipInfo(name, ZIP_TIME)
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, content)
    return target.getvalue()


def xlsx_bytes(name: str, fill: Callable[[xlsxwriter.Workbook, xlsxwriter.worksheet.Worksheet], None]) -> bytes:
    """Make a workbook of one sheet; ``fill`` writes it."""
    target = io.BytesIO()
    book = xlsxwriter.Workbook(target, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({"created": datetime(*ZIP_TIME), "author": "gongzhi examples"})
    fill(book, book.add_worksheet(name))
    book.close()
    with zipfile.ZipFile(target) as archive:
        return stored_zip((entry.filename, archive.read(entry)) for entry in archive.infolist())


def plain_xlsx(name: str, rows: Sequence[Sequence[object]]) -> bytes:
    """Make a workbook with one header row; dates become date cells, texts stay texts."""

    def fill(book: xlsxwriter.Workbook, sheet: xlsxwriter.worksheet.Worksheet) -> None:
        bold, day = book.add_format({"bold": True}), book.add_format({"num_format": "yyyy-mm-dd"})
        for r, row in enumerate(rows):
            for c, value in enumerate(row):
                if isinstance(value, date):
                    sheet.write_datetime(r, c, datetime.combine(value, time()), day)
                elif isinstance(value, str):
                    sheet.write_string(r, c, value, bold if r == 0 else None)
                else:
                    sheet.write(r, c, value)
        sheet.set_column(0, len(rows[0]) - 1, 14)

    return xlsx_bytes(name, fill)


# --- air -------------------------------------------------------------------------------------------------------------


def wander(rng: random.Random, n: int, width: float) -> list[float]:
    """Give a slowly wandering series around 0 (first-order autoregression)."""
    level, out = 0.0, []
    for _ in range(n):
        level = 0.85 * level + (rng.random() + rng.random() - 1.0) * width
        out.append(level)
    return out


def peaks(hour: int, *at: tuple[int, float]) -> float:
    """Give 1 plus a bump of the given height around each hour."""
    return 1.0 + sum(height * math.exp(-((((hour - h + 12) % 24 - 12) / 3.0) ** 2)) for h, height in at)


def unfrozen(series: list[float], step: float) -> list[float]:
    """Move every third equal neighbour by one step: a live instrument does not stand still."""
    for n in range(2, len(series)):
        if series[n] == series[n - 1] == series[n - 2]:
            series[n] = round(series[n] + (step if n % 2 else -step), 1)
    return series


def air_series(station: str, scale: float) -> list[list[float]]:
    """Make the week of one station: six lists of 168 hourly values."""
    rng = random.Random(f"{SEED}/{station}")
    n = 24 * len(DAYS)
    dust, traffic, sun = wander(rng, n, 0.22), wander(rng, n, 0.25), wander(rng, n, 0.18)
    out: list[list[float]] = [[] for _ in AIR]
    for i in range(n):
        hour = i % 24
        fine = max(6.0, 34 * scale * peaks(hour, (9, 0.35), (22, 0.3)) * (1 + dust[i]))
        out[PM25].append(round(fine))
        out[PM10].append(round(fine * (1.45 + 0.15 * rng.random()) + 4))
        out[SO2].append(round(max(2.0, 7 * scale * peaks(hour, (11, 0.5)) * (1 + traffic[i] + 0.5 * rng.random()))))
        out[NO2].append(round(max(5.0, 24 * scale * peaks(hour, (8, 0.6), (20, 0.8)) * (1 + traffic[i]))))
        out[CO].append(round(max(0.2, 0.6 * scale * peaks(hour, (8, 0.4), (21, 0.4)) * (1 + 0.6 * traffic[i])), 1))
        out[O3].append(round(max(4.0, 46 / scale * peaks(hour, (15, 1.6)) * (1 + sun[i]))))
    steps = [1.0, 1.0, 1.0, 1.0, 0.1, 1.0]
    return [unfrozen(series, step) for series, step in zip(out, steps, strict=True)]


def written(value: float, parameter: int) -> str:
    """Write a value as the instrument's software does: CO with one decimal, the others whole."""
    return f"{value:.1f}" if parameter == CO else f"{value:.0f}"


def full_width(text: str) -> str:
    """Write digits as a Chinese input method in full-width mode does."""
    return "".join(chr(ord(c) + 0xFEE0) for c in text)


def air_rows(stations: Sequence[tuple[str, str, float]]) -> dict[tuple[date, str, int], list[str]]:
    """Make the rows of a week as text, by day, station and hour."""
    rows = {}
    for code, name, scale in stations:
        series = air_series(code, scale)
        for d, day in enumerate(DAYS):
            for hour in range(24):
                values = [written(series[p][24 * d + hour], p) for p in range(6)]
                rows[day, code, hour] = [code, name, f"{day} {hour:02d}:00", *values, ""]
    return rows


def mianyang_air() -> dict[str, bytes]:
    """Make GB18030 CSVs, one a day, with title rows and a note below; and one HJ 212 file."""
    rows = air_rows(MIANYANG_AIR)
    d6, d7, d8, d9, _, _, d12 = DAYS
    cell = 3  # first value column

    rows[d6, "1879A", 10][cell + PM25] = "35O"
    for parameter in (PM25, PM10, NO2):
        row = rows[d6, "1880A", 16]
        row[cell + parameter] = full_width(row[cell + parameter])
    rows[d7, "1880A", 11][cell + PM25 : cell + PM10 + 1] = ["58", "41"]
    rows[d8, "1878A", 5][cell + O3] = "-999"
    for hour in range(2, 10):
        rows[d9, "1881A", hour][cell + NO2] = "37"

    days = {day: [rows[day, code, hour] for hour in range(24) for code, _, _ in MIANYANG_AIR] for day in DAYS}
    midnight = rows[d8, "1880A", 0]  # the clerk booked it on the day before
    days[d8] = [row for row in days[d8] if row is not midnight]
    days[d7].append([*midnight[:2], f"{d7} 24:00", *midnight[3:]])
    days[DAYS[4]].insert(40, ["1414A", "缙云山", f"{DAYS[4]} 10:00", "27", "44", "6", "19", "0.5", "71", ""])
    days[DAYS[5]].insert(58, list(days[DAYS[5]][57]))
    days[d12] = [row for row in days[d12] if row[0] != "1881A"]  # line down, delivered as packets below

    def report(day: date, body: Sequence[Sequence[str]], title: str, filled: datetime) -> bytes:
        blank = [""] * (len(AIR_HEADERS) - 1)
        head = [
            [title, *blank],
            ["填报单位：绵阳市生态环境局", *blank],
            [f"填报时间：{filled:%Y-%m-%d %H:%M}", *blank],
            AIR_HEADERS,
        ]
        return csv_bytes([*head, *body, ["注：-999为仪器校准、维护时段", *blank]], "gb18030")

    title = "绵阳市环境空气自动监测小时值报表"
    out = {
        f"空气小时值_{day:%Y%m%d}.csv": report(
            day, body, title, datetime.combine(day + timedelta(days=1), time(9, 10 + n))
        )
        for n, (day, body) in enumerate(days.items())
    }
    corrected = [list(row) for row in days[d8]]
    for code, hour, parameter, value in (
        ("1878A", 14, PM25, "41"),
        ("1879A", 14, PM10, "77"),
        ("1881A", 20, NO2, "52"),
    ):
        row = next(r for r in corrected if r[0] == code and r[2] == f"{d8} {hour:02d}:00")
        if row[cell + parameter] == value:
            raise ValueError(f"the correction of {code} at {hour} h changes nothing")
        row[cell + parameter] = value
    out[f"空气小时值_{d8:%Y%m%d}_更正.csv"] = report(d8, corrected, f"{title}（更正）", datetime(2026, 4, 13, 10, 5))
    out[f"三水厂数采仪_{d12:%Y%m%d}.txt"] = packets(d12, [rows[d12, "1881A", hour] for hour in range(24)])
    return out


def packets(day: date, rows: Sequence[Sequence[str]]) -> bytes:
    """Make HJ 212-2017 hour packets of one station; DataTime is the start of the hour."""
    codes = ["a34004", "a34002", "a21026", "a21004", "a21005", "a05024"]
    out = []
    for hour, row in enumerate(rows):
        start = datetime.combine(day, time(hour))
        items = ";".join(
            f"{code}-Avg={value},{code}-Flag={'M' if hour == 3 and code == 'a21026' else 'N'}"
            for code, value in zip(codes, row[3:9], strict=True)
        )
        sent = start + timedelta(hours=1, minutes=2, seconds=5)
        segment = (
            f"QN={sent:%Y%m%d%H%M%S}000;ST=22;CN=2061;PW=123456;MN=51070300000000000001881A;Flag=5;"
            f"CP=&&DataTime={start:%Y%m%d%H%M%S};{items}&&"
        ).encode("ascii")
        crc = hj212_crc(segment)
        if hour == 13:
            crc = f"{int(crc, 16) ^ 0x0101:04X}"  # damaged on the line
        out.append(f"##{len(segment):04d}".encode() + segment + crc.encode() + b"\r\n")
    return b"".join(out)


def beibei_air_days() -> dict[date, list[list[str]]]:
    """Make the rows of each day as text, with what is planted among them."""
    rows = air_rows(BEIBEI_AIR)
    for d, day in enumerate(DAYS):  # the instruments are checked in turn, before dawn
        row = rows[day, BEIBEI_AIR[d % 3][0], 4]
        row[3 + d % 6], row[9] = "—", "仪器校准"
    rows[DAYS[3], "1416A", 9][3 + CO] = "600"
    days = {day: [rows[day, code, hour] for hour in range(24) for code, _, _ in BEIBEI_AIR] for day in DAYS}
    # an old list of stations: 蔡家 left the territory on 2025-11-06
    days[DAYS[2]].insert(30, ["1428A", "蔡家", f"{DAYS[2]} 10:00", "31", "52", "7", "24", "0.6", "58", ""])
    return days


def air_record(row: Sequence[str]) -> dict[str, object]:
    """Write a row as an object: a value that was not measured is null."""
    return {
        header: (None if text in ("", "—") else float(text)) if header in AIR else text
        for header, text in zip(AIR_HEADERS, row, strict=True)
    }


def beibei_air() -> dict[str, bytes]:
    """Make workbooks with a merged two-row header, one a day; the last day as JSON."""
    days = beibei_air_days()

    def workbook(day: date) -> bytes:
        def fill(book: xlsxwriter.Workbook, sheet: xlsxwriter.worksheet.Worksheet) -> None:
            head = book.add_format({"bold": True, "border": 1, "align": "center", "valign": "vcenter"})
            stamp = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
            for c in (0, 1, 2, 9):
                sheet.merge_range(0, c, 1, c, AIR_HEADERS[c], head)
            sheet.merge_range(0, 3, 0, 8, "监测项目", head)
            sheet.write_row(1, 3, AIR, head)
            sheet.set_column(0, 9, 15)
            sheet.freeze_panes(2, 0)
            for r, row in enumerate(days[day], start=2):
                sheet.write_string(r, 0, row[0])
                sheet.write_string(r, 1, row[1])
                sheet.write_datetime(r, 2, datetime.fromisoformat(row[2]), stamp)
                for c in range(3, 9):
                    if row[:3] == ["BBQ03", "静观", f"{DAYS[4]} 15:00"] and c == 3 + O3:
                        sheet.write_formula(r, c, "=NA()", None, "#N/A")
                    elif row[c] == "—":
                        sheet.write_string(r, c, row[c])
                    else:
                        sheet.write_number(r, c, float(row[c]))
                if row[9]:
                    sheet.write_string(r, 9, row[9])

        return xlsx_bytes("小时值", fill)

    out = {f"空气小时值_{day}.xlsx": workbook(day) for day in DAYS[:-1]}
    records = [air_record(row) for row in days[DAYS[-1]]]
    lines = ",\n".join(json.dumps(record, ensure_ascii=False) for record in records)
    out[f"空气小时值_{DAYS[-1]}.json"] = f"[\n{lines}\n]\n".encode()
    return out


# --- water -----------------------------------------------------------------------------------------------------------


def water_rows(sections: Sequence[tuple[str, str, tuple[float, ...]]]) -> dict[tuple[str, datetime], list[str]]:
    """Make four-hourly values of a week: the six of the template and total nitrogen."""
    rows = {}
    for code, name, usual in sections:
        rng = random.Random(f"{SEED}/{code}")
        drift = [wander(rng, 42, width) for width in (0.02, 0.004, 0.02, 0.08, 0.15, 0.1, 0.03)]
        for i in range(42):
            at = datetime.combine(FIRST, time()) + timedelta(hours=4 * i)
            values = [u * (1 + series[i]) for u, series in zip(usual, drift, strict=True)]
            decimals = (1, 2, 2, 2, 3, 3, 2)
            texts = [f"{v:.{n}f}" for v, n in zip(values, decimals, strict=True)]
            rows[code, at] = [code, name, f"{at:%Y-%m-%d %H:%M}", *texts, ""]
    return rows


def beibei_water() -> dict[str, bytes]:
    """Make one UTF-8 CSV (with BOM) of the section 北温泉."""
    rows = water_rows(BEIBEI_WATER)
    rows["BBW01", datetime(2026, 4, 8, 12)][4] = "15.0"
    for hour in (0, 4):
        row = rows["BBW01", datetime(2026, 4, 10, hour)]
        row[7], row[9], row[10] = "--", "--", "试剂更换"
    return {"地表水_2026年第15周.csv": csv_bytes([[*WATER_HEADERS, "总氮(mg/L)", "备注"], *rows.values()], "utf-8-sig")}


def mianyang_water() -> dict[str, bytes]:
    """Make one zip: the automatic stations of the week and the monthly samples of the laboratory."""
    rows = water_rows(MIANYANG_WATER)
    rows["MYW02", datetime(2026, 4, 7, 16)][7] = "1.860"  # above the total nitrogen of the same hour
    row = rows["MYW03", datetime(2026, 4, 9, 8)]
    row[3:10], row[10] = ["--"] * 7, "停电"
    rows["MYW04", datetime(2026, 4, 11, 20)][6] = "--"
    automatic = csv_bytes([[*WATER_HEADERS, "总氮(mg/L)", "备注"], *rows.values()], "gb18030")
    header = [*WATER_HEADERS, "总氮(mg/L)", "化学需氧量(mg/L)", "六价铬(mg/L)", "备注"]
    laboratory = [
        "MYW01,丰谷,2026-04-08 09:40,15.8,8.0,9.1,1.6,0.084,0.05,1.18,8,0.004L,",
        "MYW02,福田坝,2026-04-08 10:50,14.6,8.1,9.6,1.2,0.041,0.03,1.05,6,0.004L,",
        "MYW03,平武水文站,2026-04-09 11:20,11.2,8.2,10.1,0.7,未检出,0.01L,0.63,4L,0.004L,",
        "MYW04,北川通口,2026-04-09 15:10,13.1,8.2,9.7,0.9,0.025L,0.02,0.94,5,--,六价铬样品瓶破损",
    ]
    samples = [line.split(",") for line in laboratory]
    members = [
        ("地表水自动站_2026年第15周.csv", automatic),
        ("地表水手工监测_2026年4月.csv", csv_bytes([header, *samples], "gb18030")),
    ]
    return {"地表水_2026年第15周.zip": stored_zip(members)}


# --- soil ------------------------------------------------------------------------------------------------------------


def soil_rows(points: Sequence[tuple[str, str, str]], day: date) -> list[list[object]]:
    """Make two depths at each point; metals in mg/kg, below the detection limit as ``0.01L``."""
    rows: list[list[object]] = []
    usual = (0.22, 0.07, 6.4, 27.0, 66.0, 26.0, 31.0, 82.0)
    for code, name, land_use in points:
        rng = random.Random(f"{SEED}/{code}")
        acidity = 5.6 + 2.4 * rng.random()
        here = [u * (0.7 + 0.6 * rng.random()) for u in usual]
        for top, bottom, share in ((0, 20, 1.0), (20, 40, 0.82)):
            values = [v * share * (0.95 + 0.1 * rng.random()) for v in here]
            texts = [f"{v:.{n}f}" for v, n in zip(values, (2, 3, 2, 1, 0, 0, 0, 0), strict=True)]
            if land_use == "果园" and top == 20:
                texts[0] = "0.01L"
            rows.append([code, name, day, str(top), str(bottom), land_use, f"{acidity + top / 100:.2f}", *texts, ""])
    return rows


# --- enterprises, decisions, people ----------------------------------------------------------------------------------

SHARED_FIRM = ("四川示例涪滨包装有限公司", uscc("91", "510703", 1))


def beibei_credit() -> dict[str, bytes]:
    """Make the list of the Chongqing scheme (CQ-2021)."""
    rule, issuer, tier = "渝环规〔2021〕7号", "重庆市北碚区生态环境局", "区县级"
    firms = [
        ("重庆示例缙岭玻璃有限公司", uscc("91", "500109", 1), "环保诚信企业", "103", ""),
        ("重庆示例温塘水泥有限公司", uscc("91", "500109", 2), "环保良好企业", "99.5", ""),
        ("重庆示例静观食品有限公司", uscc("91", "500109", 3), "环保良好企业", "88", ""),
        ("重庆示例天府医药股份有限公司", uscc("91", "500109", 4), "环保良好企业", "84", ""),
        ("重庆示例澄江电镀有限公司", uscc("91", "500109", 5), "环保警示企业", "72", ""),
        ("重庆示例三圣纸业有限公司", uscc("91", "500109", 6), "环保不良企业", "54", ""),
        ("重庆示例柳荫养殖有限公司", uscc("91", "500109", 7), "环保诚信企业", "100", ""),
        (*SHARED_FIRM, "环保良好企业", "86", "北碚分厂"),
    ]
    body = [
        [name, code, "2025", level, score, rule, issuer, tier, "", "2026-03-20", "2027-03-19", note]
        for name, code, level, score, note in firms
    ]
    return {"企业环境信用评价结果_2025年度.xlsx": plain_xlsx("2025年度", [CREDIT_HEADERS, *body])}


def mianyang_credit() -> dict[str, bytes]:
    """Make the list of the Sichuan scheme (SC-2019), and a supplement with a damaged code."""
    rule, issuer, tier = "四川省企业环境信用评价指标及计分方法（2019年版）", "绵阳市生态环境局", "市级"
    firms = [
        (*SHARED_FIRM, "环保警示", "71", ""),
        ("绵阳示例芙蓉电子有限公司", uscc("91", "510703", 2), "环保诚信", "100", ""),
        ("绵阳示例游仙建材有限公司", uscc("91", "510704", 3), "环保良好", "91", ""),
        ("绵阳示例安州化工有限公司", uscc("91", "510705", 4), "环保不良", "92", "非法倾倒危险废物"),
        ("三台示例郪江酒业有限公司", uscc("91", "510722", 5), "环保良好", "87.5", ""),
        ("江油示例窦圌特钢有限公司", uscc("91", "510781", 6), "环保警示", "66", ""),
        ("北川示例通口水电有限公司", uscc("91", "510726", 7), "环保诚信", "101", ""),
        ("平武示例涪源矿业有限公司", uscc("91", "510727", 8), "环保不良", "48", ""),
    ]

    def listed(entries: Sequence[tuple[str, str, str, str, str]], day: str) -> bytes:
        body = [
            [name, code, "2025", level, score, rule, issuer, tier, veto, day, "2027-03-31", ""]
            for name, code, level, score, veto in entries
        ]
        return csv_bytes([CREDIT_HEADERS, *body], "gb18030")

    good = uscc("91", "510725", 9)
    bad = good[:-1] + ("0" if good[-1] != "0" else "1")
    supplement = [
        ("梓潼示例七曲蜂业有限公司", uscc("91", "510725", 10), "环保良好", "85", ""),
        ("梓潼示例潼江纺织有限公司", bad, "环保良好", "83", ""),
    ]
    return {
        "企业环境信用评价结果_2025年度.csv": listed(firms, "2026-03-31"),
        "企业环境信用评价结果_2025年度_补报.csv": listed(supplement, "2026-04-09"),
    }


WATER_LAW = "《中华人民共和国水污染防治法》"
AIR_LAW = "《中华人民共和国大气污染防治法》"
WASTE_LAW = "《中华人民共和国固体废物污染环境防治法》"


def beibei_penalties() -> dict[str, bytes]:
    """Make the decisions of Beibei, UTF-8 with BOM."""
    plating = ("重庆示例澄江电镀有限公司", uscc("91", "500109", 5))
    cement = ("重庆示例温塘水泥有限公司", uscc("91", "500109", 2))
    paper = ("重庆示例三圣纸业有限公司", uscc("91", "500109", 6))
    cases = [
        (
            *plating,
            1,
            "电镀废水总铬超标排放",
            f"{WATER_LAW}第八十三条第二项",
            "180000",
            "2026-01-15",
            "2026-03-30",
            "未修复",
        ),
        (
            *cement,
            2,
            "露天堆放物料未采取防尘措施",
            f"{AIR_LAW}第一百一十七条第二项",
            "12,000.00",
            "2026-02-03",
            "2026-04-02",
            "已修复",
        ),
        (
            *paper,
            3,
            "未建立危险废物管理台账",
            f"{WASTE_LAW}第一百一十二条",
            "100000",
            "2026-02-20",
            "2026-04-08",
            "未修复",
        ),
    ]
    rows = [
        [
            name,
            code,
            f"碚环罚〔2026〕900{n}号",
            act,
            law,
            "罚款",
            fine,
            acted,
            decided,
            "重庆市北碚区生态环境局",
            repair,
        ]
        for name, code, n, act, law, fine, acted, decided, repair in cases
    ]
    return {"行政处罚_2026年4月.csv": csv_bytes([PENALTY_HEADERS, *rows], "utf-8-sig")}


def mianyang_penalties() -> dict[str, bytes]:
    """Make the decisions of Mianyang as a workbook with date cells and number cells."""
    chemicals = ("绵阳示例安州化工有限公司", uscc("91", "510705", 4))
    steel = ("江油示例窦圌特钢有限公司", uscc("91", "510781", 6))
    cases = [
        (
            *chemicals,
            1,
            "非法倾倒危险废物",
            f"{WASTE_LAW}第一百一十二条",
            600000,
            date(2025, 11, 12),
            date(2026, 3, 18),
            "未修复",
        ),
        (
            *steel,
            2,
            "未保证自动监测设备正常运行",
            f"{AIR_LAW}第一百条",
            50000,
            date(2026, 1, 8),
            date(2026, 4, 3),
            "已修复",
        ),
        (
            *SHARED_FIRM,
            3,
            "挥发性有机废气未经收集直接排放",
            f"{AIR_LAW}第一百零八条",
            60000,
            date(2026, 1, 22),
            date(2026, 4, 7),
            "未修复",
        ),
    ]
    rows = [
        [name, code, f"绵环罚〔2026〕900{n}号", act, law, "罚款", fine, acted, decided, "绵阳市生态环境局", repair]
        for name, code, n, act, law, fine, acted, decided, repair in cases
    ]
    return {"行政处罚_2026年4月.xlsx": plain_xlsx("行政处罚", [PENALTY_HEADERS, *rows])}


def experts(people: Sequence[tuple[str, str, str, str, str, str]], serial: int) -> list[list[object]]:
    """Make an expert list; every person, number and telephone is invented."""
    return [
        [name, identity_number(born, serial + n), unit, code, field, title, f"1380000{serial + n:04d}", "2028-12-31"]
        for n, (name, born, unit, code, field, title) in enumerate(people)
    ]


WASTE_WATER, WASTE_GAS = "工业废水与园区污水治理", "工业废气与VOCs治理"
BOTH_LISTS = ("何样例", "19000116", 107)
"""Name, birth and serial of the expert who is in both lists; 贺样例 of Mianyang only sounds the same."""


def advisers(told: str, division: str, first: int) -> list[tuple[str, str, str, str, str, str]]:
    """Make experts of industrial water and air, each of an institute of their own."""
    place = {"500109": "重庆", "510703": "绵阳"}[division]
    return [
        (
            f"{name}样例",
            f"190001{n + 15:02d}",
            f"{place}示例{name}氏研究所",
            uscc("12", division, first + n),
            field,
            "教授",
        )
        for n, (name, field) in enumerate(
            (one[0], WASTE_GAS if one[1] == "气" else WASTE_WATER) for one in told.split()
        )
    ]


def beibei_experts() -> dict[str, bytes]:
    """Make Beibei's experts as a workbook."""
    school, institute = ("西南示例大学", uscc("12", "500109", 21)), ("重庆示例环境科学研究院", uscc("12", "500109", 22))
    people = [
        ("林样例", "19700312", *school, "流域水环境管理与规划", "教授"),
        ("程样例", "19751108", *school, "PM2.5与臭氧协同控制/源解析", "教授"),
        ("蒲样例", "19680625", *institute, "农用地安全利用", "正高级工程师"),
        ("冉样例", "19790419", *institute, "自动监测与数据质量", "正高级工程师"),
        ("向样例", "19720930", "重庆示例律师事务所", uscc("31", "500109", 23), "生态环境法律与执法", "一级律师"),
        *advisers("谭水 何水 游水 万水 邹气 龚气", "500109", 41),
    ]
    return {"专家名册_2026年.xlsx": plain_xlsx("专家名册", [EXPERT_HEADERS, *experts(people, 101)])}


def mianyang_experts() -> dict[str, bytes]:
    """Make Mianyang's experts as a GB18030 CSV."""
    school, firm = (
        ("绵阳示例科技大学", uscc("12", "510704", 31)),
        ("四川示例环境咨询有限公司", uscc("91", "510703", 32)),
    )
    people = [
        ("罗样例", "19690217", *school, "入河排污口与总磷管控", "教授"),
        ("苟样例", "19770803", *school, "工业废气与VOCs治理", "教授"),
        ("敬样例", "19740522", *firm, "建设用地调查与风险评估", "正高级工程师"),
        ("母样例", "19811214", *firm, "环境信用与信息披露", "高级工程师"),
        ("胥样例", "19660901", "绵阳示例核技术研究所", uscc("12", "510703", 33), "辐射环境与核技术利用", "研究员"),
        *advisers("贺水 安水 蹇水 仲水 青气 代气", "510703", 51),
        ("谌样例", "19000127", "四川示例涪滨包装有限公司", uscc("91", "510703", 1), WASTE_WATER, "高级工程师"),
        (BOTH_LISTS[0], BOTH_LISTS[1], "重庆示例何氏研究所", uscc("12", "500109", 42), WASTE_WATER, "教授"),
    ]
    rows = experts(people, 201)
    rows[-1][1] = identity_number(*BOTH_LISTS[1:])
    return {"专家名册_2026年.csv": csv_bytes([EXPERT_HEADERS, *rows], "gb18030")}


# --- all -------------------------------------------------------------------------------------------------------------


def deliveries() -> dict[str, bytes]:
    """Give every file of the week by its path below the deliveries folder."""
    soil_b: list[Sequence[object]] = [SOIL_HEADERS, *soil_rows(BEIBEI_SOIL, date(2026, 4, 9))]
    soil_m: list[Sequence[object]] = [SOIL_HEADERS, *soil_rows(MIANYANG_SOIL, date(2026, 4, 10))]
    beibei = {
        **beibei_air(),
        **beibei_water(),
        "土壤监测_2026年春季.xlsx": plain_xlsx("土壤", soil_b),
        **beibei_credit(),
        **beibei_penalties(),
        **beibei_experts(),
    }
    mianyang = {
        **mianyang_air(),
        **mianyang_water(),
        "土壤监测_2026年春季.csv": csv_bytes(soil_m, "gb18030"),
        **mianyang_credit(),
        **mianyang_penalties(),
        **mianyang_experts(),
    }
    return {
        f"{bureau}/{name}": content
        for bureau, files in (("beibei", beibei), ("mianyang", mianyang))
        for name, content in files.items()
    }


def main(folder: Path) -> None:
    """Write the deliveries into a folder."""
    for name, content in deliveries().items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "deliveries")
