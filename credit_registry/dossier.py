"""What the register holds on one subject: ratings, penalties, names, and the messages told of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from records.credit import Message

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Rating:
    """One row of the shared table ``credit_rating``; texts are blank where the source says nothing."""

    bureau: str
    uscc: str
    uscc_status: str
    subject: str
    name: str
    scheme: str
    issuer: str
    tier: str
    county: str
    rated_year: int
    site: str
    level_code: str
    level_text: str
    colour: str
    score: float | None
    veto: str
    state: str
    published_date: date | None
    valid_until: date | None
    remark: str
    batch_id: str
    source_row: int
    recorded_from: datetime
    recorded_until: datetime | None

    @property
    def key(self) -> str:
        """What messages call it by: ``scheme|issuer|tier|rated_year|site``."""
        return "|".join((self.scheme, self.issuer, self.tier, str(self.rated_year), self.site))


@dataclass(frozen=True, slots=True)
class Penalty:
    """One row of the shared table ``penalty_decision``."""

    bureau: str
    uscc: str
    subject: str
    name: str
    decision_number: str
    decision_kind: str
    violation: str
    legal_basis: str
    penalty_text: str
    fine_yuan: float | None
    act_date: date | None
    decision_date: date | None
    authority: str
    site: str
    repair_state: str
    remark: str
    batch_id: str
    source_row: int
    recorded_from: datetime
    recorded_until: datetime | None

    @property
    def key(self) -> str:
        """What messages call it by: its decision number."""
        return self.decision_number


@dataclass(frozen=True, slots=True)
class Name:
    """A name an enterprise bears or bore; the days are known only where a source tells them."""

    name: str
    since: date | None
    until: date | None
    bureau: str
    source: str


@dataclass(frozen=True, slots=True)
class Dossier:
    """Everything the register holds on one subject, as known at an instant.

    Ratings run from the newest rated year to the oldest, penalties from the newest decision to the oldest, names
    from the one borne last to the oldest; ``names[0]`` is the current one.
    """

    uscc: str
    subject: str
    names: tuple[Name, ...]
    ratings: tuple[Rating, ...]
    penalties: tuple[Penalty, ...]
    messages: tuple[Message, ...]
    known: datetime


@dataclass(frozen=True, slots=True)
class Borne:
    """One sign that a name was borne: told ``since`` a day, or ``seen`` on a day, in a row recorded then."""

    name: str
    since: date | None
    seen: date | None
    bureau: str
    source: str
    recorded_from: datetime


def names_of(signs: Iterable[Borne]) -> tuple[Name, ...]:
    """Order the names of one subject, the current one first.

    A name ends the day before the next one that has a known first day. Where no first day is known, the name seen
    last is the current one: the newest rating or decision says more than the newest upload.
    """
    signs = list(signs)
    firsts = sorted({sign.since for sign in signs if sign.since})
    by_name: dict[str, list[Borne]] = {}
    for sign in signs:
        by_name.setdefault(sign.name, []).append(sign)
    spans = [_span(group, firsts) for group in by_name.values()]
    return tuple(name for _, name in sorted(spans, key=lambda span: span[0], reverse=True))


def _span(signs: Sequence[Borne], firsts: Sequence[date]) -> tuple[tuple[date, datetime, str], Name]:
    """Give one name with its days, and what it is ordered by."""
    since = min((sign.since for sign in signs if sign.since), default=None)
    days = [day for sign in signs for day in (sign.since, sign.seen) if day]
    start = since or min(days, default=date.min)
    until = next((first - DAY for first in firsts if first > start), None)
    last = min(max(days, default=date.min), until or date.max)
    best = min(signs, key=lambda sign: (sign.since is None, sign.recorded_from, sign.bureau))
    name = Name(best.name, since, until, best.bureau, best.source)
    return (last, max(sign.recorded_from for sign in signs), best.name), name


def signs_of_ratings(ratings: Iterable[Rating]) -> list[Borne]:
    """Tell which names ratings bear, and when."""
    return [
        Borne(r.name, None, r.published_date or date(r.rated_year, 12, 31), r.bureau, "credit_rating", r.recorded_from)
        for r in ratings
    ]


def signs_of_penalties(penalties: Iterable[Penalty]) -> list[Borne]:
    """Tell which names penalties bear, and when."""
    return [
        Borne(p.name, None, p.decision_date or p.act_date, p.bureau, "penalty_decision", p.recorded_from)
        for p in penalties
    ]
