"""Words of the shared data: forms of files, filters, cells as people read them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from portal.exports.errors import ExportError
from portal.show import shorten
from portal.web.errors import Problem
from portal.web.pages import china
from portal.web.words import Words

FORM_WORDS = {
    "parquet": ("Parquet", "Parquet"),
    "csv": ("CSV", "CSV"),
    "xlsx": ("Excel", "Excel"),
    "json": ("JSON", "JSON"),
    "arrow": ("Arrow", "Arrow"),
    "page": ("页面", "page"),
}
FACES = {"page": ("网页下载", "page"), "api": ("接口", "API"), "query": ("SQL 查询", "SQL")}
STATES = {
    "done": ("已导出", "given out"),
    "begun": ("进行中", "being made"),
    "failed": ("未完成", "not made"),
}
FILTERS = {
    "bureaus": ("报送单位", "sender"),
    "places": ("点位", "place"),
    "parameters": ("监测项目", "parameter"),
    "subjects": ("企业", "enterprise"),
    "since": ("自", "since"),
    "until": ("至", "until"),
}
LONGEST = 160


def filter_words(words: Words, chosen: Mapping[str, Any]) -> str:
    """Tell in a line what an export was of."""
    if "sql" in chosen:
        return shorten(" ".join(str(chosen["sql"]).split()), LONGEST)
    told = [
        f"{words(*FILTERS[name])} {'、'.join(value) if isinstance(value, list) else value}"
        for name, value in chosen.get("filters", {}).items()
        if name in FILTERS
    ]
    if chosen.get("as_of"):
        told.append(f"{words('截至', 'as of')} {china(datetime.fromisoformat(chosen['as_of']))}")
    return shorten("；".join(told) or words("全部", "everything"), LONGEST)


def cell(value: Any) -> str:
    """Write a value as a person reads it in a table."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return china(value) if value.tzinfo else value.isoformat(" ", "seconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return f"{value:.10g}" if math.isfinite(value) else str(value)
    return shorten(str(value), LONGEST)


def is_number(value: Any) -> bool:
    """Whether a value is set to the right."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def as_problem(error: ExportError) -> Problem:
    """Say an error of the exports as an answer."""
    return Problem(error.status, error.code, error.message, error.message_en)
