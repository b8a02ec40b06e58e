"""统计: the rates of both bureaus by kind of data and month, what they mean, and the same as a file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from portal.statistics.almanac import Almanac
from portal.statistics.export import Cell, as_csv, as_workbook
from portal.statistics.figures import Ratio, Statistics
from portal.web.asking import Ask, Site
from portal.web.pages import bureau_of, china, page
from portal.web.statistics.charts import Bars, bars
from portal.web.statistics.handing_out import attachment
from portal.web.words import DATASETS
from schemas.statistics import Figure, figures

YEAR = "year"
UNKNOWN = ("未识别", "not recognised")
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@dataclass(frozen=True, slots=True)
class Shown:
    """One figure as a reader sees it: the value, and what stands above and below the line."""

    value: float | None
    text: str
    told: str
    open: int = 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reader chose."""

    month: str
    figure: str
    dataset: str

    def months(self, known: Statistics) -> tuple[str, ...]:
        """Give the months meant."""
        return known.months if self.month == YEAR else (self.month,)


def almanac(site: Site) -> Almanac:
    """Make what keeps the figures ready, once for the portal."""
    return Almanac(site.places, site.records)


def overview(ask: Ask) -> Response:
    """Show the figures."""
    known = ask.site.once(almanac).statistics(ask.at)
    wanted = chosen(ask, known)
    months, defined = wanted.months(known), figures()
    rows = [
        (bureau, dataset, {code: shown(known.of(bureau, dataset, months, code), one) for code, one in defined.items()},
         known.deliveries_in(bureau, dataset, months))
        for bureau, dataset in known.places(months)
        if not wanted.dataset or dataset == wanted.dataset
    ]  # fmt: skip
    names = bureau_names(ask, {row[0] for row in rows} | {ask.me.bureau})
    own = {code: shown(_total(known, ask.me.bureau, wanted, code), one) for code, one in defined.items()}
    trend = _trend(known, wanted, names)
    return page(
        ask, "statistics/overview.html",
        known=known, wanted=wanted, defined=defined, rows=rows, names=names, own=own, trend=trend,
        datasets=DATASETS, unknown=UNKNOWN, present=_datasets(known), deliveries=ask.may("batch.read", ask.me.bureau).ok,
    )  # fmt: skip


def export(ask: Ask) -> Response:
    """Give the figures of all twelve months as a file."""
    known = ask.site.once(almanac).statistics(ask.at)
    form = ask.address.rpartition(".")[2]
    head = ["单位", "数据类型", "月份", "指标", "分子", "分母", "数值", "计量单位", "未更正份数"]
    rows: list[list[Cell]] = []
    for bureau, dataset in known.places(known.months):
        for month in known.months:
            for code, one in figures().items():
                ratio = known.of(bureau, dataset, (month,), code)
                if ratio.below or ratio.open:
                    value = None if ratio.value is None else ratio.value * (100 if one.unit == "percent" else 1)
                    unit = "%" if one.unit == "percent" else "小时"
                    title = DATASETS.get(dataset, UNKNOWN)[0]
                    rows.append(
                        [
                            _name(ask, bureau),
                            title,
                            month,
                            one.title_zh,
                            ratio.above,
                            ratio.below,
                            value,
                            unit,
                            ratio.open,
                        ]
                    )
    name = f"报送统计_{known.months[0]}_{known.months[-1]}.{form}"
    if form == "csv":
        return attachment(as_csv(head, rows), "text/csv; charset=utf-8", name)
    notes: list[list[Cell]] = [["指标", "分子", "分母", "计入", "说明", "依据"]]
    notes += [
        [one.title_zh, one.numerator_zh, one.denominator_zh, one.counted_zh, one.note_zh, one.source]
        for one in figures().values()
    ]
    notes.append(["统计时间（北京时间）", china(known.counted_at), "导出人", f"{ask.me.name}（{ask.me.bureau}）"])
    return attachment(as_workbook("报送统计", head, rows, notes), XLSX, name)


def chosen(ask: Ask, known: Statistics) -> Wanted:
    """Read what the reader chose; what is not there is as if not chosen."""
    month, figure, dataset = (ask.query.get(name, "") for name in ("month", "figure", "dataset"))
    month = month if month == YEAR or month in known.months else known.months[-1]
    return Wanted(
        month, figure if figure in figures() else "transmission_validity", dataset if dataset in DATASETS else ""
    )


def shown(ratio: Ratio, figure: Figure) -> Shown:
    """Write a figure: percent cut (never rounded up to 100), hours to one place.

    >>> from schemas.statistics import figures
    >>> shown(Ratio(9999, 10000), figures()["timely"]).text
    '99.9%'
    """
    if ratio.value is None:
        return Shown(None, "–", "", ratio.open)
    if figure.unit == "hours":
        return Shown(ratio.value, f"{ratio.value:.1f} h", f"{ratio.below:g}", ratio.open)
    text = f"{math.floor(ratio.value * 1000 + 1e-9) / 10:.1f}%"
    return Shown(ratio.value, text, f"{ratio.above:g}/{ratio.below:g}", ratio.open)


def bureau_names(ask: Ask, codes: set[str]) -> dict[str, str]:
    """Name bureaus, the reader's own first."""
    return {code: _name(ask, code) for code in sorted(codes, key=lambda code: (code != ask.me.bureau, code))}


def _name(ask: Ask, code: str) -> str:
    known = bureau_of(ask, code)
    return ask.words(known.name_zh, known.name_en) if known else code


def _datasets(known: Statistics) -> list[str]:
    return [code for code in DATASETS if code in {dataset for _, dataset in known.places(known.months)}]


def _total(known: Statistics, bureau: str, wanted: Wanted, figure: str, months: Sequence[str] = ()) -> Ratio:
    total = Ratio()
    for one, dataset in known.places(known.months):
        if one == bureau and wanted.dataset in ("", dataset):
            found = known.of(bureau, dataset, months or wanted.months(known), figure)
            total.add(found.above, found.below)
            total.open += found.open
    return total


@dataclass(frozen=True, slots=True)
class Trend:
    """One figure by month, a column for each bureau; drawn where there is anything."""

    rows: tuple[tuple[str, tuple[Shown, ...]], ...]
    bureaus: tuple[str, ...]
    drawn: Bars | None


def _trend(known: Statistics, wanted: Wanted, names: Mapping[str, str]) -> Trend:
    figure = figures()[wanted.figure]
    present = {bureau for bureau, _ in known.places(known.months)}
    codes = [code for code in names if code in present]
    columns = [
        [shown(_total(known, code, wanted, wanted.figure, (month,)), figure) for month in known.months]
        for code in codes
    ]
    percent = figure.unit == "percent"
    titles = [
        [f"{month} {names[code]} {cell.text}" for month, cell in zip(known.months, column, strict=True)]
        for code, column in zip(codes, columns, strict=True)
    ]
    series = [[cell.value for cell in column] for column in columns]
    drawn = None
    if any(value is not None for one in series for value in one):
        drawn = bars(known.months, series, titles, top=1.0 if percent else None, percent=percent)
    rows = tuple((month, tuple(column[n] for column in columns)) for n, month in enumerate(known.months))
    return Trend(rows, tuple(names[code] for code in codes), drawn)
