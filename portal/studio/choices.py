"""What a person decided of a file nobody knows, as the fields of a page say it; nothing is taken for granted.

Every column must be given a meaning or left out on purpose; the stamp of a period and its length are asked for and have
no default, for a wrong one shifts every value by an hour and nobody sees it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipelines.standardise.propose import PLACES, Sketch
from portal.studio.errors import Undecided
from schemas.files import SCHEMAS, fold
from schemas.header_words import header_words
from schemas.layouts import DATASETS, MEDIA, Layout, read_layout
from schemas.loaders import conversion, parameters, tables, units

IGNORE = "ignore"
OTHER_FORMAT = "other-format"
PERIODS = ("1h", "8h", "24h", "")
STAMPS = ("begin", "end")
_NAME = re.compile(r"[a-z][a-z0-9_]{2,40}")


@dataclass(frozen=True, slots=True)
class ColumnChoice:
    """One column: its header, what it means (as :class:`SketchColumn` writes it), and the unit of a result."""

    header: str
    means: str
    unit: str


@dataclass(frozen=True, slots=True)
class Choices:
    """A layout, decided."""

    dataset: str
    name: str
    title: str
    columns: tuple[ColumnChoice, ...]
    formats: tuple[str, ...]
    stamp: str
    period: str
    hour24: bool
    missing: tuple[str, ...]

    def header_of(self, means: str) -> str:
        """Give the header of the column with a meaning, blank where there is none."""
        return next((column.header for column in self.columns if column.means == means), "")


def template_of(dataset: str) -> Layout:
    """Give the exchange template of a dataset, which says what a layout of it must hold."""
    return read_layout(SCHEMAS / "layouts" / f"{dataset}_template.toml")


def fields_of(dataset: str) -> dict[str, str]:
    """Give the identity columns a layout of a dataset may name, with their Chinese titles; the needed ones first."""
    template = template_of(dataset)
    titles = {column.name: column.title_zh for column in tables()[template.table].columns}
    more = [name for name in header_words(dataset).fields if name in titles and name not in template.columns]
    return {name: template.columns.get(name) or titles.get(name, name) for name in (*template.columns, *more)}


def units_of(dataset: str) -> dict[str, str]:
    """Give the units some parameter of a dataset's medium converts from, with their symbols."""
    medium = MEDIA.get(dataset)
    known = [one for one in parameters().values() if one.medium == medium]
    return {
        code: unit.symbol or code
        for code, unit in units().items()
        if any(conversion(one, unit) is not None for one in known)
    }


def read_choices(form: Mapping[str, str], sketch: Sketch) -> Choices:
    """Read the fields of the page.

    Raises
    ------
    Undecided
        Something is open or contradictory; the field is named.
    """
    dataset = form.get("dataset", "")
    if dataset not in DATASETS or dataset == "experts":
        raise Undecided("dataset", "数据类型：尚未选择。请选一种", "choose the type of data")
    name = form.get("name", "").strip()
    if not _NAME.fullmatch(name):
        raise Undecided(
            "name", f"格式名“{name[:40]}”：须为小写字母开头的字母、数字、下划线，3 至 41 个字符。请改写，如 monthly_water",
            "the name must be 3 to 41 lower-case letters, digits and underscores, a letter first",
        )  # fmt: skip
    columns = tuple(_columns(form, sketch, dataset))
    choices = Choices(
        dataset=dataset,
        name=name,
        title=form.get("title", "").strip()[:120] or name,
        columns=columns,
        formats=_formats(form, sketch),
        stamp=form.get("stamp", ""),
        period=form.get("period", "?"),
        hour24=form.get("hour24") == "yes",
        missing=tuple(dict.fromkeys(("", *(fold(text) for text in form.get("missing", "").split())))),
    )
    _check(choices)
    return choices


def _columns(form: Mapping[str, str], sketch: Sketch, dataset: str) -> Iterator[ColumnChoice]:
    allowed = units_of(dataset)
    for at, column in enumerate(sketch.columns):
        means, unit = form.get(f"means-{at}", ""), form.get(f"unit-{at}", "")
        if not means:
            raise Undecided(
                f"means-{at}", f"第 {at + 1} 列“{column.header}”：还没有说明含义。请选择，不需要的列选“忽略”",
                f"column {at + 1} {column.header!r}: choose what it means, or ignore it",
            )  # fmt: skip
        if not column.header and means != IGNORE:
            raise Undecided(
                f"means-{at}", f"第 {at + 1} 列没有列名，不能使用。请在原文件补上列名，或选“忽略”",
                f"column {at + 1} has no header: give it one in the file, or ignore it",
            )  # fmt: skip
        if means.startswith("result."):
            _check_unit(at, column.header, means.removeprefix("result."), unit, allowed)
        yield ColumnChoice(column.header, means, unit)


def _check_unit(at: int, header: str, parameter: str, unit: str, allowed: Mapping[str, str]) -> None:
    known = parameters().get(parameter)
    if known is None or unit not in allowed or conversion(known, units()[unit]) is None:
        said = allowed.get(unit, "")
        own = units()[known.unit].symbol if known is not None else ""
        raise Undecided(
            f"unit-{at}",
            f"第 {at + 1} 列“{header}”：" + (f"单位 {said} 不能换算为 {own}" if said else "还没有选择单位") + "。请选择表中数值实际的单位",
            f"column {at + 1} {header!r}: " + (f"{said} does not convert to {own}" if said else "choose its unit"),
        )  # fmt: skip


def _formats(form: Mapping[str, str], sketch: Sketch) -> tuple[str, ...]:
    chosen = [known for at, known in enumerate(sketch.known_formats) if form.get(f"format-{at}") == "yes"]
    other = form.get(OTHER_FORMAT, "").strip()
    if other:
        if "%" not in other or len(other) > 60:
            raise Undecided(
                OTHER_FORMAT, f"时间写法“{other[:60]}”：看不懂。请用 %Y %m %d %H %M 表示，如 %Y/%m/%d %H:%M",
                "write the time format with %Y %m %d %H %M",
            )  # fmt: skip
        chosen.append(other)
    if not chosen:
        raise Undecided("format-0", "时间写法：尚未选择。请至少选一种", "choose at least one way times are written")
    return tuple(chosen)


def _check(choices: Choices) -> None:
    """See that nothing stands twice, nothing needed is missing and the time is settled."""
    seen: dict[str, int] = {}
    for at, column in enumerate(choices.columns):
        if column.means != IGNORE and column.means in seen:
            raise Undecided(
                f"means-{at}", f"第 {seen[column.means] + 1} 列与第 {at + 1} 列含义相同。请把其中一列选为“忽略”",
                f"columns {seen[column.means] + 1} and {at + 1} mean the same: ignore one",
            )  # fmt: skip
        seen.setdefault(column.means, at)
    template = template_of(choices.dataset)
    needed = [f"columns.{name}" for name in template.columns]
    places = [f"columns.{name}" for name in PLACES.get(choices.dataset, ())]
    if any(place in seen for place in places):
        needed = [name for name in needed if name not in places]
    for name in needed:
        if name not in seen:
            title = template.columns[name.removeprefix("columns.")]
            raise Undecided(
                "means-0", f"还没有任何一列是“{title}”。请指明是哪一列", f"no column is {title!r}: say which one is"
            )
    if choices.dataset in MEDIA:
        _check_series(choices, seen)


def _check_series(choices: Choices, seen: Mapping[str, int]) -> None:
    if "time" not in seen:
        raise Undecided("means-0", "还没有任何一列是时间。请指明是哪一列", "no column is the time: say which one is")
    results = any(means.startswith("result.") for means in seen)
    long = {means for means in seen if means.startswith("long.")}
    if results == bool(long) or (long and not {"long.parameter", "long.value"} <= long):
        raise Undecided(
            "means-0", "请指明监测项目的列：每个项目一列，或“监测项目名称”与“监测数值”各一列，两种只能用一种",
            "say which columns are results: one column a parameter, or one of names and one of values, not both",
        )  # fmt: skip
    if choices.stamp not in STAMPS:
        raise Undecided(
            "stamp", "时间约定：请说明时间是时段的开始还是结束；选错会使全部数据错开一个时段",
            "say whether a time is the beginning or the end of its period",
        )  # fmt: skip
    if choices.period not in PERIODS:
        raise Undecided("period", "平均时间：尚未选择。请选择", "choose the averaging period")
