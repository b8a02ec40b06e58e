"""The SQL console: a question of an analyst, its answer as a table or as a file, and some to begin with."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from starlette.responses import Response

from pipelines.errors import PublishError
from portal.exports import Answer, ExportError, answer, answer_file
from portal.web.asking import Ask
from portal.web.pages import page
from portal.web.shared.taking import FOR_THE_LOG, desk_of, in_turn, sent
from portal.web.shared.wording import FORM_WORDS, cell, is_number
from schemas.contracts import tables
from schemas.export_rules import QUERY, export_rules

CELLS = 2_000
"""Cells of an answer on a page, so that it stays light; all of its rows are in the file."""


@dataclass(frozen=True, slots=True)
class Example:
    """A question to begin with."""

    zh: str
    en: str
    sql: str


EXAMPLES = (
    Example(
        "各点位各项目的小时值个数和均值", "hourly values by station and parameter",
        "SELECT station_id, station_name, parameter, count(*) AS n, round(avg(value), 2) AS mean\n"
        "FROM air_observation\nWHERE averaging_period = '1h' AND flag IN (1, 2)\n"
        "GROUP BY ALL ORDER BY station_id, parameter",
    ),
    Example(
        "按日统计 PM2.5（北京时间）", "PM2.5 by day (China time)",
        "SELECT bureau, period_start::DATE AS day, round(avg(value), 1) AS mean, max(value) AS highest\n"
        "FROM air_observation\nWHERE parameter = 'PM2.5' AND averaging_period = '1h'\nGROUP BY ALL ORDER BY day, bureau",
    ),
    Example(
        "断面水质：未检出与数值分开计数", "water: values and results below the limit",
        "SELECT section_name, parameter, count(value) AS with_value, count(*) FILTER (qualifier = '<') AS below_limit\n"
        "FROM water_result GROUP BY ALL ORDER BY section_name, parameter",
    ),
    Example(
        "各年度信用等级分布", "grades by year",
        "SELECT bureau, rated_year, level_text, count(*) AS enterprises\nFROM credit_rating\n"
        "GROUP BY ALL ORDER BY rated_year DESC, bureau, enterprises DESC",
    ),
    Example(
        "被更正过的记录", "rows that were corrected",
        "SELECT station_id, parameter, period_start, value, recorded_from, recorded_until\n"
        "FROM air_observation_history\nWHERE recorded_until IS NOT NULL\nORDER BY recorded_until DESC LIMIT 100",
    ),
    Example("一张表有哪些列", "the columns of a table", "DESCRIBE air_observation"),
)  # fmt: skip


def page_of(ask: Ask) -> Response:
    """Show the console; ``?example=2`` fills a question in, ``?table=station`` one about a table."""
    number, table = ask.query.get("example", ""), ask.query.get("table", "")
    sql = ""
    if number.isascii() and number.isdigit() and len(number) < 3 and 0 < int(number) <= len(EXAMPLES):
        sql = EXAMPLES[int(number) - 1].sql
    elif table in tables():
        sql = f"SELECT *\nFROM {table}\nLIMIT 100"
    return _shown(ask, sql, "")


def run(ask: Ask) -> Response:
    """Answer a question on the page."""
    sql, as_of = ask.form.get("sql", ""), ask.form.get("as_of", "").strip()

    def asked() -> Answer:
        with in_turn(ask), tempfile.TemporaryDirectory(prefix="gongzhi-query-") as scratch:
            return answer(desk_of(ask), ask.me, sql, as_of, Path(scratch))

    return _tried(ask, sql, as_of, lambda: _shown(ask, sql, as_of, asked()))


def download(ask: Ask) -> Response:
    """Answer a question as a file."""
    sql, as_of, form = ask.form.get("sql", ""), ask.form.get("as_of", "").strip(), ask.form.get("form", "csv")
    return _tried(
        ask, sql, as_of,
        lambda: sent(ask, lambda folder: answer_file(desk_of(ask), ask.me, sql, as_of, form, folder)),
    )  # fmt: skip


def _tried(ask: Ask, sql: str, as_of: str, make: Callable[[], Response]) -> Response:
    """Say what was wrong with a question beside the question."""
    try:
        return make()
    except (ExportError, PublishError) as error:
        status = error.status if isinstance(error, ExportError) else 422
        if status >= 500 or error.code in FOR_THE_LOG:
            raise
        return _shown(ask, sql, as_of, fault=ask.words(error.message, error.message_en), status=status)


def _shown(ask: Ask, sql: str, as_of: str, found: Answer | None = None, fault: str = "", status: int = 200) -> Response:
    rules = export_rules()
    given, shown = [], 0
    if found is not None:
        shown = min(found.rows.num_rows, rules.query.shown, max(20, CELLS // max(1, found.rows.num_columns)))
        given = list(zip(*(column.to_pylist() for column in found.rows.slice(0, shown).columns), strict=True))
    return page(
        ask, "shared/query.html", status,
        sql=sql, as_of=as_of, found=found, given=given, shown=shown, fault=fault, examples=EXAMPLES, cell=cell,
        is_number=is_number, tables=tables().values(), rules=rules.query, quota=rules.quotas[QUERY],
        forms={form: FORM_WORDS[form] for form in ("csv", "xlsx", "parquet")},
    )  # fmt: skip
