"""Read what an office writes for a panel: the matter with its parties, the seats, or an emergency, as a TOML file.

Times without a zone are China time. What is not known of the file is refused by name, so that a slip in a word does not
drop a party from the recusal.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from expert_registry.draw.callout import CallOut
from expert_registry.draw.protocol import Seat
from expert_registry.draw.requests import PanelRequest, Redraw
from expert_registry.errors import BadRequest
from expert_registry.people import Matter, Party
from records.store import CHINA

MATTER = {"matter": str, "title": str, "bureau": str, "held_on": date, "parties": list, "authors": list,
          "supervisors": list, "upheld": list}  # fmt: skip
PANEL = {"purpose": str, "opens_at": (datetime, str), "seats": dict, "other_side": int, "redraw": dict}
EMERGENCY = {"code": str, "words": str, "division": str, "fields": list}
PARTY = {"uscc": str, "name": str, "former_names": list, "other_codes": list, "heads": list}
REDRAW = {"replaces": str, "code": str, "words": str}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of a panel as a file says it."""

    request: PanelRequest
    redraw: Redraw


def read_panel(path: Path) -> Asked:
    """Read the request of a panel.

    Raises
    ------
    BadRequest
        No such file as this; which word, and what was expected.
    """
    return panel_of(path, _loaded(path))


def panel_of(path: Path, told: Mapping[str, Any]) -> Asked:
    """Read the request of a panel from what a file, or the form named by ``path``, says.

    Raises
    ------
    BadRequest
    """
    needed = ("matter", "title", "bureau", "held_on", "purpose", "opens_at", "seats")
    raw = _checked(path, told, {**MATTER, **PANEL}, needed)
    wrong = [name for name, number in raw["seats"].items() if not isinstance(number, int) or isinstance(number, bool)]
    if wrong:
        raise _wrong(path, f"seats.{wrong[0]}", "人数", "a number of seats")
    redraw = _table(path, "redraw", raw.get("redraw", {}), REDRAW)
    asked = PanelRequest(
        _matter(path, raw),
        raw["purpose"],
        tuple(Seat(code, number) for code, number in raw["seats"].items()),
        _instant(path, raw["opens_at"]),
        raw.get("other_side", 0),
    )
    return Asked(asked, Redraw(**redraw))


def read_callout(path: Path) -> CallOut:
    """Read an emergency.

    Raises
    ------
    BadRequest
    """
    needed = ("matter", "title", "bureau", "held_on", "code", "words", "fields")
    raw = _checked(path, _loaded(path), {**MATTER, **EMERGENCY}, needed)
    return CallOut(_matter(path, raw), raw["code"], raw["words"], raw.get("division", ""), tuple(raw["fields"]))


def read_instant(text: str) -> datetime:
    """Read a time of the command line or a file; without a zone it is China time.

    Raises
    ------
    BadRequest

    Examples
    --------
    >>> read_instant("2026-06-08 21:15").isoformat()
    '2026-06-08T13:15:00+00:00'
    """
    try:
        if not re.match(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d", text):
            raise ValueError(text)
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadRequest(
            f"时间应写作 2026-06-08 21:15（北京时间），现为“{text}”", f"a time is 2026-06-08 21:15, not {text!r}"
        ) from error
    return (at if at.tzinfo else at.replace(tzinfo=CHINA)).astimezone(UTC)


def _instant(path: Path, told: datetime | str) -> datetime:
    if isinstance(told, datetime):
        return (told if told.tzinfo else told.replace(tzinfo=CHINA)).astimezone(UTC)
    return read_instant(told)


def _loaded(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, OSError) as error:
        raise BadRequest(f"不能读取 {path.name}：{error}", f"cannot read {path.name}: {error}") from error


def _checked(path: Path, raw: Mapping[str, Any], known: Mapping[str, Any], needed: tuple[str, ...]) -> dict[str, Any]:
    found = _table(path, "", raw, known)
    if missing := [name for name in needed if found.get(name) in (None, "")]:
        raise BadRequest(f"{path.name} 缺少 {'、'.join(missing)}", f"{path.name} lacks {', '.join(missing)}")
    if isinstance(found["held_on"], datetime):
        raise _wrong(path, "held_on", "日期，如 2026-06-10", "a day, 2026-06-10")
    return found


def _table(path: Path, where: str, raw: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    for name, value in raw.items():
        place = f"{where}.{name}" if where else name
        if name not in known:
            raise _wrong(path, place, f"可用的词 {'、'.join(known)}", f"one of {', '.join(known)}")
        if not isinstance(value, known[name]) or isinstance(value, bool):
            kind = known[name] if isinstance(known[name], type) else known[name][0]
            raise _wrong(path, place, f"{kind.__name__} 类型的值", f"a {kind.__name__}")
        if isinstance(value, list) and name not in ("parties", "authors"):
            if not all(isinstance(one, str) for one in value):
                raise _wrong(path, place, "文字的列表", "a list of texts")
    return dict(raw)


def _matter(path: Path, raw: Mapping[str, Any]) -> Matter:
    parties, authors = (tuple(_party(path, side, one) for one in raw.get(side, [])) for side in ("parties", "authors"))
    supervisors, upheld = (tuple(raw.get(name, ())) for name in ("supervisors", "upheld"))
    return Matter(raw["matter"], raw["title"], raw["held_on"], raw["bureau"], parties, authors, supervisors, upheld)


def _party(path: Path, side: str, raw: Any) -> Party:
    if not isinstance(raw, dict):
        raise _wrong(path, side, f"写作 [[{side}]] 的一段", f"a block [[{side}]]")
    told = _table(path, side, raw, PARTY)
    if not (told.get("uscc") or told.get("name")):
        raise _wrong(path, side, "uscc 或 name", "uscc or name")
    lists = {name: tuple(told.get(name, ())) for name in ("former_names", "other_codes", "heads")}
    return Party(told.get("uscc", ""), told.get("name", ""), **lists)


def _wrong(path: Path, place: str, zh: str, en: str) -> BadRequest:
    return BadRequest(f"{path.name} 的 {place} 有误：应为{zh}", f"{path.name}: {place} must be {en}")
