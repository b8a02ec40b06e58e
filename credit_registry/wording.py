"""Chinese words for the codes of an answer, as they stand on a slip or in a workbook; an unknown code stands as it is.

Only the bureaus' people read these pages, so they are Chinese; the JSON beside them holds the codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from credit_registry.nothing import FOUND, KINDS
from schemas.places import bureaus

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
TABLES = {"credit_rating": "信用评价", "penalty_decision": "行政处罚"}
TARGETS = {"rating": "评价", "penalty": "处罚"}
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
    """Give the attention level, or that there is nothing to judge by."""
    return str(attention["level"] or attention["message"])


@lru_cache(maxsize=64)
def bureau_name(code: str) -> str:
    """Give the name of a bureau by its code, the code where it is not known here."""
    known = bureaus().get(code)
    return known.name_zh if known else code
