"""Strata of an inspection draw as plain rules: which object belongs to which, and how many of it are drawn.

A condition names one kind of fact and plain values; nothing is evaluated. Objects are plain values here, as they stand
in a frozen list, so that whoever does a draw again needs nothing else.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from math import ceil
from typing import Any

from credit_registry.nothing import KINDS
from schemas.files import once
from schemas.ratings import rating_schemes

SHARE = re.compile(r"[0-9]{1,3}(\.[0-9]{1,4})?%")


def _one_of(values: Iterable[str], wanted: Any) -> bool:
    return bool(set(values) & set(wanted))


def _own_rating(subject: Mapping[str, Any], condition: Mapping[str, Any]) -> bool:
    wanted = condition["own_rating"]
    return _one_of(subject["own_levels"], wanted) or subject["register"] in wanted


def _foreign_rating(subject: Mapping[str, Any], condition: Mapping[str, Any]) -> bool:
    return _one_of(subject["foreign_levels"], condition["foreign_rating"])


def _fact_is(subject: Mapping[str, Any], condition: Mapping[str, Any]) -> bool:
    return subject["facts"].get(condition["fact"], "") in condition["is"]


def _fact_at_least(subject: Mapping[str, Any], condition: Mapping[str, Any]) -> bool:
    written = subject["facts"].get(condition["fact"], "")
    return written != "" and int(written) >= condition["at_least"]


def _penalties(subject: Mapping[str, Any], condition: Mapping[str, Any]) -> bool:
    since = condition["penalties_since"]
    return sum(day >= since for day in subject["penalty_dates"]) >= condition["at_least"]


CONDITIONS: dict[frozenset[str], Callable[[Mapping[str, Any], Mapping[str, Any]], bool]] = {
    frozenset({"own_rating"}): _own_rating,
    frozenset({"foreign_rating"}): _foreign_rating,
    frozenset({"fact", "is"}): _fact_is,
    frozenset({"fact", "at_least"}): _fact_at_least,
    frozenset({"penalties_since", "at_least"}): _penalties,
}
"""Kinds of condition, by the names they are written with."""


def stratum_of(strata: Iterable[Mapping[str, Any]], subject: Mapping[str, Any]) -> str:
    """Give the code of the first stratum an object (as plain values) belongs to, ``""`` where it fits none."""
    return next((str(stratum["code"]) for stratum in strata if _fits(stratum, subject)), "")


def _fits(stratum: Mapping[str, Any], subject: Mapping[str, Any]) -> bool:
    met = [CONDITIONS[frozenset(condition)](subject, condition) for condition in stratum.get("all", ())]
    some = [CONDITIONS[frozenset(condition)](subject, condition) for condition in stratum.get("any", ())]
    return all(met) and (any(some) if "any" in stratum else True)


def wanted_number(stratum: Mapping[str, Any], size: int) -> int:
    """Give how many of a stratum of ``size`` are drawn: its count, or its share rounded up.

    >>> wanted_number({"share": "25%"}, 9), wanted_number({"count": 5}, 3)
    (3, 3)
    """
    if "count" in stratum:
        return min(int(stratum["count"]), size)
    return min(ceil(size * Fraction(stratum["share"].removesuffix("%")) / 100), size)


def stratum_fault(stratum: Mapping[str, Any]) -> tuple[str, str] | None:
    """Say what of a stratum cannot be, in both languages; None where all is sound."""
    unknown = set(stratum) - {"code", "title", "share", "count", "all", "any", "reason"}
    if unknown:
        return f"不认识 {sorted(unknown)}", f"does not know {sorted(unknown)}"
    if ("share" in stratum) == ("count" in stratum) or not _is_quota(stratum):
        return '应有 share（如 "25%"）或 count 之一', 'needs either share (as "25%") or count'
    if "any" in stratum and not stratum["any"]:
        return "any 为空，任何对象都不会入层", "any is empty: nothing would ever fit"
    for condition in (*stratum.get("all", ()), *stratum.get("any", ())):
        if frozenset(condition) not in CONDITIONS or not _sound(condition):
            known = "; ".join(" + ".join(sorted(names)) for names in CONDITIONS)
            return f"不认识条件 {condition}，可用：{known}", f"does not know the condition {condition}; known: {known}"
    if unknown_levels := _unknown_levels(stratum):
        return f"没有这样的等级：{unknown_levels}", f"no scheme has the levels {unknown_levels}"
    return None


def _is_quota(stratum: Mapping[str, Any]) -> bool:
    if "count" in stratum:
        return type(stratum["count"]) is int and stratum["count"] >= 0
    share = stratum["share"]
    return isinstance(share, str) and bool(SHARE.fullmatch(share)) and Fraction(share[:-1]) <= 100


def _sound(condition: Mapping[str, Any]) -> bool:
    lists = all(
        isinstance(condition[name], list) and condition[name] and all(isinstance(v, str) for v in condition[name])
        for name in ("own_rating", "foreign_rating", "is")
        if name in condition
    )
    number = type(condition.get("at_least", 1)) is int
    return lists and number and ("penalties_since" not in condition or is_day(condition["penalties_since"]))


def _unknown_levels(stratum: Mapping[str, Any]) -> list[str]:
    """Give the levels a stratum names that no scheme has: such a rule would never fit, and nobody would notice."""
    levels = {title for titles in _level_words().values() for title in titles}
    conditions = (*stratum.get("all", ()), *stratum.get("any", ()))
    own = {word for one in conditions for word in one.get("own_rating", ())} - levels - {*KINDS, "none_in_force"}
    return sorted(own | ({word for one in conditions for word in one.get("foreign_rating", ())} - levels))


@once
def _level_words() -> dict[str, list[str]]:
    """Give for each way to write a level (``警示``) the names levels have in the schemes (``环保警示企业``)."""
    found: dict[str, set[str]] = {}
    for scheme in rating_schemes().values():
        for level in scheme.levels:
            for word in (level.level_zh, *level.aliases):
                found.setdefault(word, set()).add(level.level_zh)
    return {word: sorted(titles) for word, titles in found.items()}


def in_full(value: Any) -> Any:
    """Give the strata of a plan with the levels of their conditions by their full names."""
    if isinstance(value, list):
        return [in_full(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    return {
        key: sorted({title for word in inner for title in _level_words().get(word, [word])})
        if key in ("own_rating", "foreign_rating")
        and isinstance(inner, list)
        and all(isinstance(w, str) for w in inner)
        else in_full(inner)
        for key, inner in value.items()
    }


def is_day(text: Any) -> bool:
    """Tell whether a value is a day written as ``2026-12-31``."""
    try:
        return isinstance(text, str) and len(text) == 10 and bool(dt.date.fromisoformat(text))
    except ValueError:
        return False


def usable(name: str) -> bool:
    """Tell whether a name may stand in a ticket: not blank, nothing at its ends, no ``|``."""
    return bool(name) and "|" not in name and name == name.strip()
