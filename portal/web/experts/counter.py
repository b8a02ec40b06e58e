"""Who stands before the pool: the office of a request, and what every page of the room shares.

The role in which somebody looks comes from the account, never from the page: pool staff, or an auditor, who says why he
looks and, since he sees numbers in clear, has passed his second factor.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from expert_registry.errors import (
    ExpertError,
    IncompleteExpert,
    NeedsSecondPerson,
    NotYet,
    NoVaultKey,
    SealBroken,
    WrongState,
)
from portal.expert_desk import POOL_STAFF, Office, office_of
from portal.expert_requests import read_instant
from portal.web.asking import Ask
from records.errors import IllegalState, IncompleteMessage
from schemas.files import fold
from schemas.personal import without_numbers

ROLES = {"expert_manager": POOL_STAFF, "auditor": "auditor"}
"""What a role of the portal is in the pool, the first that fits; who only confirms sees nobody."""
ORGANISER = "organiser"
LONGEST = 120
"""Characters of a short text of a form or an address."""
OURS = (ExpertError, IllegalState, IncompleteMessage)
UNSAFE = (NoVaultKey, SealBroken)
"""Their words name folders of the home: they are for the log alone."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a step was not done, in the words of the reader, and the status of the answer."""

    words: str
    status: int


def office(ask: Ask, purpose: str = "", role: str = "") -> Office:
    """Open the registry for the caller."""
    role = role or role_of(ask)
    site = ask.site
    return office_of(site.places, site.records, ask.me.login, ask.at, role, ask.me.bureau, purpose)


def role_of(ask: Ask) -> str:
    """Say which role the caller has in the pool."""
    return next((told for name, told in ROLES.items() if name in ask.me.roles), ORGANISER)


def purpose_of(ask: Ask) -> str:
    """Give why the caller looks, as the address says it."""
    return said(ask, "purpose")


def must_say_why(ask: Ask) -> bool:
    """Say whether the caller has to say first why he looks; for an auditor only a second factor opens the numbers."""
    return role_of(ask) != POOL_STAFF and not (purpose_of(ask) and ask.me.second_factor)


def said(ask: Ask, name: str, longest: int = LONGEST) -> str:
    """Give a short text of the address."""
    return ask.query.get(name, "").strip()[:longest]


def told(ask: Ask, name: str, longest: int = 500) -> str:
    """Give a text of the form."""
    return ask.form.get(name, "").strip()[:longest]


def free_text(text: str) -> str:
    """Mask long numbers in what somebody wrote; a text without any stays as it was written."""
    masked = without_numbers(text)
    return text if masked == fold(text) else masked


def day_of(ask: Ask, name: str) -> date | None:
    """Read a day of the form, None where none is given.

    Raises
    ------
    IncompleteExpert
    """
    text = told(ask, name, 20)
    if not text:
        return None
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        raise _no_day(text)
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _no_day(text) from None


def instant_of(ask: Ask, name: str) -> datetime | None:
    """Read a time of the form (China time), None where none is given.

    Raises
    ------
    BadRequest
    """
    text = told(ask, name, 30)
    return read_instant(text) if text else None


def tried(ask: Ask, act: Callable[[], object]) -> Fault | None:
    """Do a step; what hinders it is told in words, what is broken goes on to the log."""
    try:
        act()
    except UNSAFE:
        raise
    except OURS as error:
        status = 409 if isinstance(error, WrongState | NeedsSecondPerson | NotYet | IllegalState) else 422
        return Fault(ask.words(error.message, error.message_en), status)
    return None


def same_person(login: str, other: str) -> bool:
    """Say whether two user names are one person's, however they are written."""
    return fold(login).casefold() == fold(other).casefold()


def _no_day(text: str) -> IncompleteExpert:
    return IncompleteExpert(f"日期“{text}”不存在。请改为 2026-06-10 的写法", f"{text!r} is no day; write 2026-06-10")
