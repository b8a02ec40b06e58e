"""Chinese words for the codes of an answer, as they stand on a slip or in a workbook; an unknown code stands as it is.

Only the bureaus' people read these pages, so they are Chinese; the JSON beside them holds the codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

from credit_registry.nothing import FOUND, KINDS
from schemas.contracts import tables
from schemas.places import bureaus
from schemas.ratings import rating_schemes

CHINA = timezone(timedelta(hours=8))
RATING_STATES = {
    "preliminary": "公示中",
    "objected": "异议中",
    "final": "有效",
    "adjusted": "有效（已调整）",
    "repaired": "已修复",
    "revoked": "已撤销",
    "superseded": "已被新年度取代",
    "stale": "过期未更新",
    "expired": "有效期已过",
    "not_rated": "未参评",
    "basis_changed": "依据已变，待确认",
    "suspended": "暂停",
    "withdrawn": "已撤回",
}
PENALTY_STATES = {
    "published": "公示中",
    "minimum-period": "公示中（最短公示期内）",
    "expired": "公示期满",
    "repaired": "已修复",
    "withdrawn": "已撤回",
    "suspended": "暂缓执行",
    "annulled": "已撤销",
}
MESSAGE_KINDS = {
    "objection": "异议",
    "objection-closed": "异议办结",
    "repair": "信用修复",
    "withdrawal": "撤回",
    "suspension": "暂停",
    "annulment": "撤销",
    "confirmation": "确认",
}
TARGETS = {"rating": "评价", "penalty": "处罚"}
STATUSES = {
    "hit": "查到",
    "several": "有多个或相近企业，请确认",
    "none": "未查到企业",
    "bad_code": "代码有误",
    "duplicate": "重复行",
    "blank": "空行",
}
"""Statuses of a line of a screening."""
MATCHED = {
    "code": "代码",
    "name": "现用名",
    "former_name": "曾用名",
    "pinyin_initials": "拼音首字母",
    "pinyin": "拼音",
    "fuzzy": "相近",
}
NOTHING = {
    "not_rated": "未参评",
    "no_record": "未查到记录",
    "source_unavailable": "来源不可用",
    "withheld": "不予展示",
}
LEFT_OUT = "依法修复、撤回、撤销或公示期满的信息不展示，本单只计件数；空白不代表信用良好或没有违法记录。"


def nothing_in_words(state: str) -> str:
    """Give one kind of nothing as a sentence, ``""`` for what was found.

    >>> nothing_in_words("not_rated")[:4], nothing_in_words("found")
    ('未参评：', '')
    """
    return "" if state == FOUND else KINDS[state][0] if state in KINDS else state


def level_in_words(line: Mapping[str, Any]) -> str:
    """Give the native level of a rating with its score, and a veto where there was one."""
    level = line["level"] or line["level_text"] or RATING_STATES.get(line["state"], line["state"])
    parts = [f"得分 {plain_number(line['score'])}"] if line["score"] is not None else []
    parts += [f"一票否决：{line['veto']}"] if line["veto"] else []
    return f"{level}（{'；'.join(parts)}）" if parts else str(level)


def plain_number(value: Any) -> str:
    """Write a number as people do, without exponent; a text stays.

    >>> plain_number(95.5), plain_number(20000.0), plain_number("99.5")
    ('95.5', '20000', '99.5')
    """
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def attention_in_words(attention: Mapping[str, Any]) -> str:
    """Give the attention level by its title, or that there is nothing to judge by.

    >>> attention_in_words({"level": "JS"})
    '环保警示企业'
    """
    return level_title(attention["level"]) if attention["level"] else str(attention["message"])


@lru_cache(maxsize=64)
def level_title(code: str) -> str:
    """Give the title of a shared level by its code, the code where no scheme has it."""
    levels = (level for scheme in rating_schemes().values() for level in scheme.levels)
    return next((level.level_zh for level in levels if level.level_code == code), code)


@lru_cache(maxsize=64)
def bureau_name(code: str) -> str:
    """Give the name of a bureau by its code, the code where it is not known here."""
    known = bureaus().get(code)
    return known.name_zh if known else code


def table_title(table: str) -> tuple[str, str]:
    """Give the title of a shared table in both languages, its name where it is not known here."""
    known = tables().get(table)
    return (known.title_zh, known.title_en) if known else (table, table)


def moment(at: datetime) -> str:
    """Write an instant as China time to the minute."""
    return at.astimezone(CHINA).strftime("%Y-%m-%d %H:%M（北京时间）")


def source_in_words(one: Mapping[str, Any]) -> str:
    """Say of a source of an answer when it last recorded anything, or that it never came."""
    last = f"最近送达 {moment(datetime.fromisoformat(one['last_recorded']))}" if one["last_recorded"] else ""
    age = f"，已 {one['age_days']} 天" if one["old"] else ""
    return f"{bureau_name(one['bureau'])}{table_title(one['table'])[0]}：" + (
        last + age or "来源不可用，尚未接入或从未送达"
    )
