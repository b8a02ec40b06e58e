"""Templates drawn into pages: everything escaped, whatever the file is called, and a missing value is an error."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from portal.show import shorten
from portal.web.asking import Ask
from portal.web.assets import assets
from portal.web.words import Words
from schemas.places import Bureau

TEMPLATES = Path(__file__).parent / "templates"
CHINA = timezone(timedelta(hours=8))


@cache
def kitchen() -> Environment:
    """Make the environment all templates are drawn in."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"china": china, "china_day": china_day, "size": size, "shorten": shorten, "iso": iso}
    made.globals["asset"] = {name: one.address for name, one in assets().items()}
    return made


def page(
    ask: Ask, template: str, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any
) -> HTMLResponse:
    """Draw a page for a request."""
    frame = {
        "say": ask.words, "language": ask.words.language, "caller": ask.caller, "csrf": ask.csrf, "at": ask.at,
        "bureau": bureau_name(ask), "menu": _menu(ask), "here": ask.address, "other": _other_language(ask),
        "may": ask.may,
    }  # fmt: skip
    text = kitchen().get_template(template).render(frame | values)
    return HTMLResponse(text, status, headers)


def bureau_name(ask: Ask) -> str:
    """Give the name of the caller's bureau."""
    if ask.caller is None:
        return ""
    known = bureau_of(ask, ask.caller.bureau)
    return ask.words(known.name_zh, known.name_en) if known else ask.caller.bureau


def bureau_of(ask: Ask, code: str) -> Bureau | None:
    """Find a bureau among the shipped ones and those of the site."""
    from schemas.loaders import bureaus

    site = ask.site.places.site_facts
    return bureaus(site if site.is_dir() else None).get(code)


def _menu(ask: Ask) -> list[tuple[str, str]]:
    if ask.caller is None or ask.caller.step:
        return []
    return [(item.path, ask.words(item.zh, item.en)) for item in ask.site.menu if ask.may(item.permission).ok]


def _other_language(ask: Ask) -> str:
    """Give the same address in the other language."""
    wanted = "en" if ask.words.language == "zh" else "zh"
    asked = {name: value for name, value in ask.query.items() if name != "lang"} if ask.method == "GET" else {}
    return "?" + urlencode(asked | {"lang": wanted})


def china(at: datetime | None) -> str:
    """Write an instant in China time."""
    return "" if at is None else at.astimezone(CHINA).strftime("%Y-%m-%d %H:%M")


def china_day(at: datetime | None) -> str:
    """Write the month and day of an instant in China."""
    return "" if at is None else at.astimezone(CHINA).strftime("%m-%d %H:%M")


def iso(at: datetime) -> str:
    """Write an instant for programs."""
    return at.astimezone(CHINA).isoformat(timespec="seconds")


def size(count: int) -> str:
    """Write a number of bytes."""
    return (
        f"{count / 2**20:.1f} MB" if count >= 2**20 else f"{count / 2**10:.1f} kB" if count >= 2**10 else f"{count} B"
    )


def age(words: Words, lag_hours: float | None) -> str:
    """Write how old something is."""
    if lag_hours is None or math.isnan(lag_hours):
        return "–"
    if lag_hours < 96:
        return words(f"{lag_hours:.0f} 小时前", f"{lag_hours:.0f} h ago")
    return words(f"{lag_hours / 24:.0f} 天前", f"{lag_hours / 24:.0f} d ago")
