"""What two bureaus publish over some weeks, and all that goes wrong: the plan a simulated month is played from.

The server serves it, the truth is worked out from it; neither knows the other. All moments are times of China.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from random import Random

CHINA = timezone(timedelta(hours=8))
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
FIRM, CREDIT_CODE = "绵阳涪江造纸有限公司", "91510700MA6200001"


@dataclass(frozen=True)
class Spec:
    """A source as it is declared; ``every`` "" has no timetable."""

    key: str
    kind: str
    dataset: str = ""
    every: str = ""
    by: str = "06:00"
    day: int | None = None
    least: int = 0
    most: int = 0
    stale_hours: float = 0.0
    pull: str = "night"

    @property
    def bureau(self) -> str:
        return self.key.partition("/")[0]

    @property
    def name(self) -> str:
        return self.key.partition("/")[2]


SPECS = {
    one.key: one
    for one in (
        Spec("mianyang/air", "listing", "air", "day", least=12, most=16, stale_hours=60.0),
        Spec("mianyang/water", "file", "water", "week", "12:00", day=2),
        Spec("mianyang/credit", "listing", "credit", "month", "12:00", day=10),
        Spec("mianyang/files", "listing", "soil"),
        Spec("mianyang/inbox", "folder", pull="hour"),
        Spec("beibei/air", "api", "air", "hour", "00:20", least=1, most=1, stale_hours=36.0),
        Spec("beibei/water", "listing", "water", "day"),
        Spec("beibei/soil", "listing", "soil", "month", "12:00", day=5),
        Spec("beibei/inbox", "folder", pull="hour"),
    )
}
LATEST = "latest.csv"


def at(day: date, clock: str = "00:00") -> datetime:
    return datetime.combine(day, time.fromisoformat(clock), CHINA)


@dataclass(frozen=True)
class File:
    """One state of a file, from ``at`` until the next of its name; ``told``: day → results read and passed."""

    at: datetime
    source: str
    name: str
    body: bytes
    told: dict[date, tuple[int, int]] = field(default_factory=dict)
    verdict: str = "published"
    """published | refused | unreadable"""
    of: date | None = None
    """First day of the period it is meant for, where it does not say so itself."""

    @property
    def results(self) -> tuple[int, int]:
        if not self.told:  # a register has one row, an unreadable file none
            return (1, 1) if self.verdict == "published" else (0, 0)
        return sum(read for read, _ in self.told.values()), sum(went for _, went in self.told.values())


@dataclass(frozen=True)
class Row:
    """One hour of the API: when it begins, when it is published."""

    hour: datetime
    at: datetime

    @property
    def text(self) -> str:
        told = {
            "站点编码": "1414A", "站点名称": "缙云山", "监测时间": f"{self.hour:%Y-%m-%d %H:%M}", "因子": "PM2.5",
            "数值": 20 + self.hour.hour + self.hour.day, "单位": "μg/m3",
        }  # fmt: skip
        return json.dumps(told, ensure_ascii=False)


@dataclass(frozen=True)
class Outage:
    """A source answers otherwise for some time: 500 | 401 | login | cut | empty."""

    source: str
    since: datetime
    until: datetime
    how: str


@dataclass(frozen=True)
class Skew:
    """The clock of a bureau's server is wrong by some seconds."""

    bureau: str
    since: datetime
    until: datetime
    seconds: int


Span = tuple[datetime, datetime]


@dataclass
class Plan:
    """Everything that happens from the first day to the last."""

    first: date
    last: date
    hours: tuple[int, ...] = (10, 18)
    """Hours of the day in which the exchange runs its hourly job, at 20 past."""
    busy: dict[date, tuple[int, ...]] = field(default_factory=dict)
    files: list[File] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)
    skews: list[Skew] = field(default_factory=list)
    disabled: dict[str, list[Span]] = field(default_factory=dict)
    paused: list[Span] = field(default_factory=list)
    """The exchange itself is off."""

    def days(self, since: date | None = None) -> list[date]:
        first = since or self.first
        return [first + n * DAY for n in range((self.last - first).days + 1)]

    def listed(self, source: str, now: datetime) -> dict[str, File]:
        """What a source holds, by name."""
        found: dict[str, File] = {}
        for file in sorted(self.files, key=lambda file: file.at):
            if file.source == source and file.at <= now:
                found[file.name] = file
        return dict(sorted(found.items()))

    def known_rows(self, now: datetime) -> list[Row]:
        return [row for row in self.rows if row.at <= now]

    def outage(self, source: str, now: datetime) -> str:
        return next((o.how for o in self.outages if o.source == source and o.since <= now < o.until), "")

    def skew(self, bureau: str, now: datetime) -> int:
        return next((s.seconds for s in self.skews if s.bureau == bureau and s.since <= now < s.until), 0)

    def is_off(self, source: str, now: datetime) -> bool:
        return any(since <= now < until for since, until in self.disabled.get(source, ()))

    def is_paused(self, now: datetime) -> bool:
        return any(since <= now < until for since, until in self.paused)

    def since(self, spec: Spec) -> date:
        """The first day a timetable speaks of."""
        return self.first.replace(day=1) if spec.every == "month" else self.first


# -- what stands in the files -----------------------------------------------------------------------------------------

AIR = "站点编码,站点名称,监测时间,PM2.5(μg/m3),PM10(μg/m3),SO2(μg/m3),NO2(μg/m3),CO(mg/m3),O3(μg/m3)"
AIR_HOURS = (0, 6, 12, 18)
WATER = "断面编码,断面名称,采样时间,水温(℃),pH,溶解氧(mg/L),高锰酸盐指数(mg/L),氨氮(mg/L),总磷(mg/L)"
SOIL = (
    "点位编码,点位名称,采样日期,采样深度上(cm),采样深度下(cm),土地利用,pH,镉(mg/kg),汞(mg/kg),砷(mg/kg),铅(mg/kg),"
    "铬(mg/kg),铜(mg/kg),镍(mg/kg),锌(mg/kg)"
)
CREDIT = "企业名称,统一社会信用代码,评价年度,评价等级,公布日期,有效期至"


def lines(header: str, rows: Iterable[str]) -> bytes:
    return "\n".join([header, *rows, ""]).encode()


def air_file(day: date, when: datetime, how: str = "good") -> File:
    """Two stations at four hours: 16 results; good | short | wild | wrong | blank | other."""
    stations = {"wrong": ("9999X", "9998X"), "short": ("1878A",), "blank": ()}.get(how, ("1878A", "1879A"))
    names = {"1878A": "富乐山", "1879A": "市人大"}
    rows = [
        f"{code},{names.get(code, '无此站')},{day} {hour:02}:00,"
        f"{50000 if how == 'wild' and not hour else 30 + hour + day.day + (how == 'other')},,,,,{50 + hour}"
        for code in stations
        for hour in AIR_HOURS
    ]
    read = 8 * len(stations)
    went = {"wild": read - 2, "wrong": 0}.get(how, read)
    return _file("mianyang/air", f"空气小时值_{day:%Y%m%d}.csv", AIR, rows, day, when, how, (read, went))


def water_file(day: date, when: datetime, how: str = "good") -> File:
    """One section at two times: 4 results; good | short | wild | wrong | blank | other."""
    hours = {"short": (8,), "blank": ()}.get(how, (8, 12))
    code = "ZZ01" if how == "wrong" else "BBW01"
    rows = [
        f"{code},,{day} {hour:02}:00,,{15 if how == 'wild' and hour == 8 else 7.5},,,"
        f"{0.3 + day.day / 100 + (how == 'other'):.2f},"
        for hour in hours
    ]
    read = 2 * len(hours)
    went = {"wild": read - 1, "wrong": 0}.get(how, read)
    return _file("beibei/water", f"断面_{day:%Y%m%d}.csv", WATER, rows, day, when, how, (read, went))


def _file(
    source: str,
    name: str,
    header: str,
    rows: Sequence[str],
    day: date,
    when: datetime,
    how: str,
    results: tuple[int, int],
) -> File:
    if how == "blank":  # the header alone, in bytes of its own
        return File(when, source, name, lines(header, [""] * (day.toordinal() % 97)), {}, "unreadable", day)
    verdict = "refused" if how == "wrong" else "published"
    return File(when, source, name, lines(header, rows), {day: results}, verdict, day)


def week_file(monday: date, when: datetime) -> File:
    """The water of a week at the one address: a result on each of three days."""
    days = [monday + n * DAY for n in (0, 2, 4)]
    rows = [f"MYW01,丰谷,{day} 08:00,,7.4,,,,{0.05 + day.day / 1000:.3f}" for day in days]
    return File(when, "mianyang/water", LATEST, lines(WATER, rows), {day: (2, 2) for day in days})


def credit_file(month: date, when: datetime) -> File:
    rows = [f"{FIRM},{CREDIT_CODE + _check_digit()},{month.year - 1},环保良好企业,{month:%Y-%m-%d},"]
    return File(when, "mianyang/credit", f"信用评价_{month:%Y%m}.csv", lines(CREDIT, rows), of=month)


def _check_digit() -> str:
    from stdnum.cn import uscc

    return str(uscc.calc_check_digit(CREDIT_CODE))


def soil_file(source: str, point: str, day: date, when: datetime) -> File:
    rows = [f"{point},,{day},0,20,水田,7.1,0.2,,,,,,,"]
    return File(when, source, f"土壤_{day:%Y%m}.csv", lines(SOIL, rows), {day: (2, 2)})


def copy_of(file: File, source: str, name: str, when: datetime) -> File:
    """The same bytes once more under another name."""
    return File(when, source, name, file.body, file.told, file.verdict, file.of)


# -- weeks without trouble --------------------------------------------------------------------------------------------

DAILY: dict[str, Callable[..., File]] = {"mianyang/air": air_file, "beibei/water": water_file}


def calm(first: date, last: date) -> Plan:
    """All is published in time and whole: a day at 01:00 of the next, a week on Monday, a month on its third day."""
    plan = Plan(first, last)
    for day in plan.days():
        plan.files += [make(day, at(day + DAY, "01:00")) for make in DAILY.values()]
        plan.rows += [Row(hour, hour + HOUR + timedelta(minutes=5)) for hour in (at(day) + n * HOUR for n in range(24))]
        if day.weekday() == 0:
            plan.files.append(week_file(day - 7 * DAY, at(day, "08:00")))
        if day.day == 3:
            month = (day - 5 * DAY).replace(day=1)
            plan.files += [
                credit_file(month, at(day, "08:00")),
                soil_file("beibei/soil", "BBS01", month + 9 * DAY, at(day, "09:00")),
            ]
    before, start = first.replace(day=1) - DAY, at(first - DAY)
    monday = first - (first.weekday() + 7) * DAY
    plan.files += [
        week_file(monday, start), credit_file(before.replace(day=1), start),
        soil_file("mianyang/files", "MYS01", before, start), soil_file("beibei/soil", "BBS02", before, start),
    ]  # fmt: skip
    return plan


def change(plan: Plan, source: str, day: date, *states: File) -> None:
    """Put other states of a day's file in the place of the calm one; none: it never comes."""
    plan.files = [file for file in plan.files if not (file.source == source and file.of == day)] + list(states)


# -- weeks of chance --------------------------------------------------------------------------------------------------

KINDS = ("missing", "hours late", "days late", "corrected", "blank", "wild", "short", "replaced", "copied")


def trouble_by_chance(plan: Plan, dice: Random, source: str, days: Sequence[date], odds: float) -> list[str]:
    """Give some days of a daily source a trouble each, drawn by the dice; tells which."""
    make, told = DAILY[source], []
    for day in days:
        if dice.random() >= odds:
            continue
        kind, due = dice.choice(KINDS), at(day + DAY, "01:00")
        states = {
            "missing": [],
            "hours late": [make(day, due + dice.randint(6, 20) * HOUR)],
            "days late": [make(day, due + dice.randint(1, 3) * DAY + dice.randint(0, 20) * HOUR)],
            "corrected": [make(day, due, "wrong"), make(day, due + dice.randint(2, 60) * HOUR)],
            "blank": [make(day, due, "blank")],
            "wild": [make(day, due, "wild")],
            "short": [make(day, due, "short")],
            "replaced": [make(day, due), make(day, due + dice.randint(2, 100) * HOUR, "other")],
            "copied": [make(day, due)],
        }[kind]
        if kind == "copied":
            name = f"副本_{day:%Y%m%d}.csv"
            plan.files.append(copy_of(make(day, due), source, name, due + dice.randint(0, 60) * HOUR))
        change(plan, source, day, *states)
        told.append(f"{day} {source} {kind}")
    return told


def outages_by_chance(plan: Plan, dice: Random, sources: Sequence[str], odds: float) -> list[str]:
    """Let servers fail for some hours now and then."""
    told = []
    for source in sources:
        for day in plan.days():
            if dice.random() < odds:
                since = at(day) + dice.randint(0, 23) * HOUR
                how = dice.choice(("500", "401", "login", "cut"))
                plan.outages.append(Outage(source, since, since + dice.randint(1, 30) * HOUR, how))
                told.append(f"{since:%Y-%m-%d %H:00} {source} {how}")
    return told
