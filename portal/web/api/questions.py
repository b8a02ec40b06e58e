"""What a program asks with: parameters of the query read strictly, formats chosen, cursors taken back.

A wrong parameter is refused with its name and what would be right, never guessed at; one that is not known, ``bureau``
above all, changes nothing.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any
from urllib.parse import urlencode

from portal.web.asking import Ask
from portal.web.errors import Problem
from records.store import storable

LONGEST_TEXT = 200


def wrong(name: str, zh: str, en: str) -> Problem:
    """Refuse a parameter; the words say what would be right."""
    return Problem(422, "wrong-parameter", f"参数“{name}”：{zh}", f"parameter {name!r}: {en}")


def text(ask: Ask, name: str, *, most: int = LONGEST_TEXT) -> str:
    """Give a text, blank where there is none."""
    said = ask.query.get(name, "").strip()
    if len(said) > most:
        raise wrong(name, f"过长，最多 {most} 个字。请缩短", f"too long, at most {most} characters")
    if storable(said) != said:
        raise wrong(name, "含有不能使用的字符。请删去", "holds a character that cannot be used")
    return said


def number(ask: Ask, name: str, default: int, most: int, least: int = 1) -> int:
    """Give a whole number within bounds."""
    said = ask.query.get(name, "")
    if not said:
        return default
    if not (said.isascii() and said.isdigit() and len(said) < 10 and least <= int(said) <= most):
        raise wrong(name, f"应为 {least} 到 {most} 的整数。请改正", f"must be a whole number from {least} to {most}")
    return int(said)


def choice(ask: Ask, name: str, known: Collection[str]) -> str:
    """Give one of a list, blank where none is asked for."""
    said = ask.query.get(name, "")
    if said and said not in known:
        raise wrong(
            name, f"没有“{said[:40]}”。可选：{'、'.join(known)}", f"no {said[:40]!r}; there are {', '.join(known)}"
        )
    return said


def switch(ask: Ask, name: str) -> bool:
    """Say whether something is switched on."""
    return choice(ask, name, ("true", "false")) == "true"


def day(ask: Ask, name: str) -> date | None:
    """Give a day, None where there is none."""
    return read_day(ask.query.get(name, ""), name)


def read_day(said: str, name: str) -> date | None:
    """Read a day as 2026-04-14 and in no other way; None is blank."""
    if not said:
        return None
    try:
        found = date.fromisoformat(said)
    except ValueError:
        found = None
    if found is None or found.isoformat() != said or found.year < 1970:
        raise wrong(name, "不是日期。请写成 2026-04-14", "is no day; write 2026-04-14")
    return found


def form(ask: Ask, types: Mapping[str, str]) -> str:
    """Choose the format of an answer by ``?format=``, else by ``Accept``; the first one where anything will do.

    Raises
    ------
    Problem
        No such format (422), or none the caller takes (406).
    """
    said = choice(ask, "format", types)
    if said:
        return said
    accepted = [part.partition(";")[0].strip().lower() for part in ask.headers.get("accept", "").split(",")]
    for one in accepted:
        for name, kind in types.items():
            if one in (kind.partition(";")[0], "", "*/*", f"{kind.partition('/')[0]}/*"):
                return name
    listed = "、".join(types.values())
    raise Problem(
        406,
        "not-acceptable",
        f"Accept：没有所要的格式。可选：{listed}",
        f"Accept: there are {', '.join(types.values())}",
    )


def cursor(ask: Ask, *kinds: type) -> list[Any] | None:
    """Take back what :func:`onward` gave out; None on the first page.

    Raises
    ------
    Problem
        It is none of ours.
    """
    said = ask.query.get("cursor", "")
    if not said:
        return None
    try:
        found = json.loads(base64.urlsafe_b64decode(said.encode("ascii") + b"=="))
    except (ValueError, binascii.Error, RecursionError):
        found = None
    if not isinstance(found, list) or tuple(type(one) for one in found) != kinds or bad_figure(found):
        raise wrong(
            "cursor",
            "不是本接口给出的。请沿用上一页的 next",
            "was not given out here; follow 'next' of the page before",
        )
    return found


def bad_figure(found: Sequence[Any]) -> bool:
    """Say whether a number is none we would give out."""
    return any(type(one) is int and not -1 <= one < 2**53 for one in found)


def onward(ask: Ask, *place: Any, **also: str) -> str:
    """Give the address of the next page: this question from a place on."""
    said = base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")
    return f"{ask.address}?{urlencode(dict(ask.query) | also | {'cursor': said})}"
