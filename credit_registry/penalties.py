"""What was told of a record, and what a penalty is on a day.

Only who decided may take back, repair, suspend or confirm (谁认定、谁修复); anybody may tell of an objection. How long a
penalty is public depends on its class and runs from the day of the decision. Sources: reference on credit schemes §5;
信用修复管理办法 (NDRC order 36).
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from types import MappingProxyType

from credit_registry.dossier import Dossier, Penalty, Rating
from records.credit import Message
from schemas.credit_facts import RepairClass, find_penalty_state, repair_classes_on
from schemas.files import fold
from schemas.places import bureaus

CHINA = timezone(timedelta(hours=8))
DAY = timedelta(days=1)
OPEN_PENALTY = ("published", "minimum-period")
"""States in which a penalty is shown; in every other one it is counted as withheld."""


@dataclass(frozen=True, slots=True)
class PenaltyState:
    """The state of a penalty on a day.

    Attributes
    ----------
    state : str
        ``published``, ``minimum-period`` (published, repair not possible yet), ``expired``, ``repaired``,
        ``withdrawn``, ``suspended`` or ``annulled``.
    published_until : date or None
        Last day it is public; None where no rule or no decision date tells. For an unclassified penalty the longest
        period any class has: an outer bound.
    class_ : str
        ``minor``, ``ordinary``, ``serious`` or ``unclassified``.
    since : date or None
        From which day it is no longer in force, where it is not.
    """

    state: str
    published_until: date | None
    class_: str
    since: date | None

    @property
    def in_view(self) -> bool:
        """Whether it may be shown and used."""
        return self.state in OPEN_PENALTY


def china_day(at: datetime) -> date:
    """Give the China day of an instant."""
    return at.astimezone(CHINA).date()


def same_key(one: str, other: str) -> bool:
    """Compare two keys as people write them: widths, blanks and kinds of brackets do not count."""
    return folded_key(one) == folded_key(other)


_PLAIN = {**dict.fromkeys(map(ord, "〔[【﹝"), "("), **dict.fromkeys(map(ord, "〕]】﹞"), ")")}


@lru_cache(maxsize=4096)
def folded_key(text: str) -> str:
    """Fold a text for comparison: blanks go, every kind of bracket is round, capitals."""
    return "".join(fold(text).split()).translate(_PLAIN).upper()


@lru_cache(maxsize=1)
def _feeds() -> frozenset[str]:
    return frozenset(code for code, one in bureaus().items() if one.kind == "feed")


def may_tell(message: Message, sender: str) -> bool:
    """Whether a bureau may tell this of a record: its sender; for what a feed transcribed, any bureau."""
    return message.kind == "objection" or message.bureau == sender or sender in _feeds()


def told(record: Rating | Penalty, messages: Iterable[Message], on: date) -> list[Message]:
    """Give the messages that hold for a record on a day, the latest last."""
    target = "rating" if isinstance(record, Rating) else "penalty"
    found = [
        one
        for one in messages
        if one.target == target
        and one.uscc in (record.uscc, record.subject)
        and same_key(one.key, record.key)
        and one.effective <= on
        and may_tell(one, record.bureau)
    ]
    return sorted(found, key=lambda one: (one.effective, one.made_at))


def months_later(day: date, months: int) -> date:
    """Add calendar months; the day is cut to the length of the month.

    Examples
    --------
    >>> months_later(date(2026, 11, 30), 3)
    datetime.date(2027, 2, 28)
    """
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def penalty_state(penalty: Penalty, messages: Iterable[Message], on: date) -> PenaltyState:
    """Tell what a penalty is on a day.

    Examples
    --------
    Under Order 36 the class decides how long it is public; a message of its bureau decides before that.
    """
    classes = repair_classes_on(on)
    known = _class_of(penalty, classes)
    most = known.max_months if known else max((one.max_months for one in classes), default=None)
    until = months_later(penalty.decision_date, most) - DAY if penalty.decision_date and most is not None else None
    name = known.code if known else "unclassified"
    changed = taken_out(penalty, messages, on)
    if changed is not None:
        return PenaltyState(changed[0], until, name, changed[1])
    if until is not None and on > until:
        return PenaltyState("expired", until, name, until + DAY)
    if known and penalty.decision_date and on < months_later(penalty.decision_date, known.min_months):
        return PenaltyState("minimum-period", until, name, None)
    return PenaltyState("published", until, name, None)


def _class_of(penalty: Penalty, classes: Sequence[RepairClass]) -> RepairClass | None:
    text = folded_key(penalty.remark) + folded_key(penalty.repair_state) + folded_key(penalty.decision_kind)
    return next((one for one in reversed(classes) if any(folded_key(name) in text for name in one.aliases)), None)


_PENALTY_MESSAGES = {
    "repair": "repaired",
    "withdrawal": "withdrawn",
    "suspension": "suspended",
    "annulment": "annulled",
    "confirmation": None,
}


def taken_out(penalty: Penalty, messages: Iterable[Message], on: date) -> tuple[str, date] | None:
    """Say what took a penalty out of force, and from which day; the last word counts."""
    last = next((one for one in reversed(told(penalty, messages, on)) if one.kind in _PENALTY_MESSAGES), None)
    if last is not None:
        state = _PENALTY_MESSAGES[last.kind]
        return (state, last.effective) if state else None
    written = find_penalty_state(penalty.repair_state)
    if written in (None, "published"):
        return None
    return str(written), china_day(penalty.recorded_from)


def penalties_in_view(
    dossier: Dossier, on: date, barred: Mapping[tuple[str, str, str], str] = MappingProxyType({})
) -> tuple[tuple[tuple[Penalty, PenaltyState], ...], dict[str, int]]:
    """Give the penalties that may be shown on a day with their states, and how many are withheld by state.

    A decision of a later day than ``on`` is neither shown nor counted: it was not made yet. What is repaired or expired
    as far as is known now stays out of view for an earlier ``on`` too, and what is ``barred`` for an earlier ``known``
    (:mod:`credit_registry.barred`): nobody may look around a repair.
    """
    shown, withheld = [], dict[str, int]()
    today = max(on, china_day(dossier.known))
    for penalty in dossier.penalties:
        if (penalty.decision_date or penalty.act_date or date.min) > on:
            continue
        since = barred.get(("penalty", penalty.bureau, penalty.key), "")
        now, state = (penalty_state(penalty, dossier.messages, day) for day in (today, on))
        if now.in_view and state.in_view and not since:
            shown.append((penalty, state))
        else:
            why = since or (now if state.in_view else state).state
            withheld[why] = withheld.get(why, 0) + 1
    return tuple(shown), withheld
