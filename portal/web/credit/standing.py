"""Who stands at the credit desk: the open register, why a session asks, and how much it has asked today.

Nothing is looked at before the purpose is known: it is asked for once in a session and kept by the server, and every
look-up is traced with it. The unit is the bureau of the session, whatever a form says.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from urllib.parse import urlencode

from credit_registry.trace import Asker, checked
from portal.boards import CHINA
from portal.credit import asker_of, watch
from portal.credit_open import OpenRegister
from portal.credit_uses import Counter
from portal.web.asking import Ask, Site
from portal.web.errors import Problem
from portal.web.pages import bureau_of
from portal.web.rate import buckets
from records.credit_desk import Errand, errand_of, uses
from schemas.api_rules import Rate
from schemas.credit_facts import purposes
from schemas.trace_limits import trace_limits


class NoErrand(Exception):
    """The session has not yet said why it asks."""


@dataclass(frozen=True, slots=True)
class Moment:
    """As of when, as an address says it."""

    day: date | None = None
    known: str | None = None

    @property
    def query(self) -> str:
        """Give it as the tail of an address."""
        said = {"on": self.day.isoformat() if self.day else "", "known": self.known or ""}
        return urlencode({name: text for name, text in said.items() if text})


def open_register(site: Site) -> OpenRegister:
    """Make the register all pages share; see ``Site.once``."""
    return OpenRegister(site.places, site.records)


def register_of(ask: Ask) -> OpenRegister:
    """Give the register all pages share."""
    return ask.site.once(open_register)


def errand(ask: Ask) -> Errand:
    """Give why the session asks.

    Raises
    ------
    NoErrand
    """
    found = errand_of(ask.site.records, ask.me.session_id)
    if found is None or found.purpose not in purposes():
        raise NoErrand
    return found


def asker(ask: Ask, why: Errand) -> Asker:
    """Say who asks, and why."""
    return checked(asker_of(ask.me.login, unit_of(ask), why.certificate, why.purpose, why.plan))


def unit_of(ask: Ask) -> str:
    """Give the unit of whoever asks: the full name of the bureau of the session."""
    known = bureau_of(ask, ask.me.bureau)
    return known.name_zh if known else ask.me.bureau


@contextmanager
def counter(ask: Ask) -> Iterator[Counter]:
    """Stand before the open register.

    Raises
    ------
    NoErrand
    """
    who = asker(ask, errand(ask))
    with register_of(ask).desk() as desk:
        yield Counter(desk, who, ask.me.bureau, ask.at)


def moment(ask: Ask) -> Moment:
    """Read as of when somebody asks, from the address or the form.

    Raises
    ------
    Problem
        It is no day, or the day lies in the future for what is known.
    """
    said = ask.form if ask.method == "POST" else ask.query
    on, known = (_day(said.get(name, ""), zh, en) for name, zh, en in (("on", "有效日", "valid on"), ("known", "所知至", "known at")))  # fmt: skip
    if known is not None and known > ask.at.astimezone(CHINA).date():
        raise Problem(
            422, "future", "“所知至”：不能晚于今天。请改为今天或以前的日期", "known at: it cannot lie in the future"
        )
    return Moment(on, known.isoformat() if known else None)


def _day(text: str, zh: str, en: str) -> date | None:
    if not text.strip():
        return None
    try:
        return date.fromisoformat(text.strip()[:10])
    except ValueError:
        raise Problem(
            422,
            "no-day",
            f"“{zh}”：不是日期。请写成 2026-04-14 的样子",
            f"{en}: this is no day; write it like 2026-04-14",
        ) from None


# -- how much -----------------------------------------------------------------------------------------------------


def keep_pace(ask: Ask, limit: str, seconds: int) -> None:
    """Let nobody ask faster than a limit allows.

    Raises
    ------
    Problem
        429, with how long to wait.
    """
    who = f"address:{ask.client}" if ask.caller is None else f"account:{ask.caller.account_id}"
    most = trace_limits()[limit].value
    token = ask.site.once(buckets).take(limit, who, Rate(most, seconds), ask.at)
    if not token.ok:
        raise Problem(
            429, "too-many", f"请求过于频繁：{seconds} 秒内最多 {most} 次。请在 {token.wait} 秒后再试",
            f"too many requests: at most {most} in {seconds} s; try again in {token.wait} s",
            {"retry-after": str(token.wait)},
        )  # fmt: skip


def refuse_scraping(ask: Ask, limit: str) -> None:
    """Refuse who has reached a daily limit; it ends with the China day.

    Raises
    ------
    Problem
    """
    rule = trace_limits()[limit]
    seen = uses(ask.site.records, ask.me.login, rule.kinds, _midnight(ask.at))
    if (seen.shown if rule.unit == "lines" else seen.times) >= rule.value:
        raise Problem(
            429, limit,
            f"今日已达上限（{rule.value}）：{rule.meaning_zh}。请明日再查；确有需要请用接口或联系管理员",
            f"the limit of today is reached ({rule.value}): {rule.meaning_en}",
        )  # fmt: skip


def look_for_bulk_use(ask: Ask) -> None:
    """Open the alarm of bulk use where this user has just passed its figure; the keeper looks for all others."""
    limits = trace_limits()
    most, since = limits["bulk-lookups"], ask.at - timedelta(minutes=limits["bulk-window"].value)
    if uses(ask.site.records, ask.me.login, most.kinds, since, without_plan=True).times > most.value:
        watch(ask.site.places, ask.site.records, ask.at)


def _midnight(at: datetime) -> datetime:
    day = at.astimezone(CHINA).date()
    return datetime.combine(day, time(), CHINA).astimezone(UTC)
