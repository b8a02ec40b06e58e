"""The four kinds of nothing, and why none of them is a clean record.

*Not rated*, *no record*, *source unavailable* and *withheld* are kept apart wherever an answer is shown; what is not
known is never shown as good.
"""

from __future__ import annotations

from collections.abc import Iterable

FOUND = "found"
KINDS = {
    "not_rated": (
        "未参评：企业为该来源所知，但没有现行评价；不等于良好",
        "not rated: the source knows the enterprise but holds no rating in force; this is not a good level",
    ),
    "no_record": (
        "未查到记录：来源正常，其中没有该主体的此类记录；不等于没有问题",
        "no record found: the source answers and holds nothing of this kind; this does not say all is well",
    ),
    "source_unavailable": (
        "来源不可用：该来源尚未接入或从未送达，有无记录未知",
        "source unavailable: it is not connected or never delivered; whether there are records is unknown",
    ),
    "withheld": (
        "不予展示：有记录，因修复、撤回等依法不展示，只给件数",
        "withheld: there are records that the law keeps out of view after repair or withdrawal; only their number is told",
    ),
}
NOT_CLEAN = (
    "空白不代表信用良好或没有违法记录，请结合“未知事项”一栏阅读",
    "a blank is no clean record: read it together with what is not known",
)
_GRAVITY = ("withheld", "source_unavailable", "not_rated", "no_record")


def told(state: str) -> dict[str, str]:
    """Give a state with its words, ready for JSON; ``found`` needs none."""
    zh, en = KINDS.get(state, ("", ""))
    return {"state": state, "message": zh, "message_en": en}


def together(states: Iterable[str]) -> str:
    """Give one state for several: ``found`` where anything was, else the one that leaves most open.

    Examples
    --------
    >>> together(["no_record", "source_unavailable"]), together(["no_record", "found"]), together([])
    ('source_unavailable', 'found', 'source_unavailable')
    """
    seen = set(states)
    if FOUND in seen:
        return FOUND
    return next((state for state in _GRAVITY if state in seen), "source_unavailable")
