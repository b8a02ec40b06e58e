"""What a rating is on a day: its state, since when, and why.

The row says what the bureau sent; messages told later, newer results, the calendar and the fate of the penalties it is
built on change it. Source: reference on credit schemes §5 and §7.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

from credit_registry.dossier import Dossier, Penalty, Rating
from credit_registry.penalties import (
    DAY,
    PenaltyState,
    china_day,
    folded_key,
    may_tell,
    same_key,
    taken_out,
    told,
)
from schemas.files import SCHEMAS
from schemas.ratings import RatingLevel, find_level, rating_schemes
from schemas.states import find_rating_state

__all__ = [
    "PenaltyState",
    "State",
    "banded",
    "by_veto",
    "level_of",
    "may_tell",
    "rating_state",
    "same_key",
    "score_differs",
]
__all__ += ["ATTENTION_RANK", "OUT_OF_VIEW"]

STALE_AFTER_YEARS = 3
"""A result is stale from 1 January of the rated year + 3: a default of this project, neither scheme sets an expiry."""
ATTENTION_RANK = 3
"""Levels from this rank on (警示, 不良; C, D; 黄, 红, 黑) come of violations and call for attention."""
FINAL = ("final", "adjusted")
DECIDED = ("final", "adjusted", "repaired", "superseded")
"""States of a row that was final once: such a result supersedes the older ones even where it is repaired."""
OUT_OF_VIEW = ("withdrawn", "revoked", "repaired")
"""States in which a rating is neither shown nor used on either side; it is counted as withheld."""


@dataclass(frozen=True, slots=True)
class State:
    """The effective state of a rating; ``reasons`` are codes of ``recognition_reasons.csv``, the deciding one first."""

    state: str
    reasons: tuple[str, ...]
    since: date | None


def published_since(rating: Rating) -> date:
    """Give the day from which a rating counts as published.

    Where its day is not told: 1 January after the rated year, or the day it was recorded here if that is earlier.
    """
    return rating.published_date or min(date(rating.rated_year + 1, 1, 1), china_day(rating.recorded_from))


def family(scheme: str) -> str:
    """Give the newest edition a scheme was superseded by: all editions of one scheme are one family.

    Examples
    --------
    >>> family("CQ-2017"), family("CQ-2021"), family("某办法")
    ('CQ-2021', 'CQ-2021', '某办法')
    """
    known = rating_schemes()
    while scheme in known and known[scheme].superseded_by:
        scheme = known[scheme].superseded_by
    return scheme


def tier_of(rating: Rating) -> str:
    """Give the tier as one word (``市级`` is ``市``, ``区级`` and ``县`` are ``区县``); the issuer where it is blank."""
    return _tier(rating.tier) or folded_key(rating.issuer)


@lru_cache(maxsize=256)
def _tier(text: str) -> str:
    word = folded_key(text).removesuffix("级")
    return "区县" if word in ("区", "县") else word


def level_of(rating: Rating) -> RatingLevel | None:
    """Find the level in the vocabulary; None for a scheme or a level it does not have."""
    return _level(rating.scheme, rating.level_code or rating.level_text)


@lru_cache(maxsize=1024)
def _level(scheme: str, text: str) -> RatingLevel | None:
    return find_level(scheme, text)


def has_level(rating: Rating) -> bool:
    """Whether a level was given at all: ``不评定`` where a level should stand is none."""
    text = rating.level_text.strip()
    return bool(rating.level_code or text) and find_rating_state(text) != "not_rated"


def banded(scheme: str, score: float, root: Path = SCHEMAS) -> RatingLevel | None:
    """Find the level whose band holds a score: ``score_min <= score < score_max``.

    Examples
    --------
    >>> banded("CQ-2021", 99.5).level_zh, banded("X-SN", 90).level_zh
    ('环保良好企业', 'A')
    """
    known = rating_schemes(root).get(scheme)
    for level in known.levels if known else ():
        low, high = level.score_min, level.score_max
        if (low, high) != (None, None) and (low is None or low <= score) and (high is None or score < high):
            return level
    return None


def score_differs(rating: Rating) -> bool:
    """Whether the score lies in the band of another level than the one given."""
    level = level_of(rating)
    band = banded(rating.scheme, rating.score) if rating.score is not None else None
    return level is not None and band is not None and band.level_code != level.level_code


def by_veto(rating: Rating) -> bool:
    """Whether the level came of a veto: one is named, or the score alone would have given a better level."""
    level = level_of(rating)
    band = banded(rating.scheme, rating.score) if rating.score is not None else None
    return bool(rating.veto.strip()) or (level is not None and band is not None and band.rank < level.rank)


def rating_state(rating: Rating, dossier: Dossier, on: date) -> State:
    """Tell what a rating is on a day, in the light of everything else the dossier holds.

    Every reason that holds is listed; the one that weighs most decides the state.
    """
    found = [*_from_messages(rating, dossier, on), *_from_row(rating, on)]
    found += _from_newer(rating, dossier, on)
    found += _from_basis(rating, dossier, on)
    found += _from_calendar(rating, on)
    if not found:
        return State(rating.state if rating.state in FINAL else "final", (), published_since(rating))
    found.sort(key=lambda one: _WEIGHT.index(one[0]))
    reasons = tuple(dict.fromkeys(reason for reason, _ in found))
    first, since = found[0]
    return State(_STATE_OF.get(first, first.replace("-", "_")), reasons, since)


_WEIGHT = (
    "withdrawn",
    "revoked",
    "repaired",
    "not-rated",
    "not-yet-published",
    "preliminary",
    "superseded",
    "suspended",
    "objected",
    "basis-changed",
    "expired",
    "stale",
)
_STATE_OF = {"not-yet-published": "preliminary", "suspended": "objected", "expired": "stale"}
_Found = list[tuple[str, date | None]]

_RATING_MESSAGES = {"withdrawal": "withdrawn", "annulment": "revoked", "repair": "repaired"}


def _from_messages(rating: Rating, dossier: Dossier, on: date) -> _Found:
    """Read the messages in their order: a confirmation or a closed objection ends what was open before it."""
    ended: tuple[str, date | None] | None = None
    objected: tuple[str, date | None] | None = None
    suspended: tuple[str, date | None] | None = None
    for one in told(rating, dossier.messages, on):
        if one.kind in _RATING_MESSAGES:
            ended = (_RATING_MESSAGES[one.kind], one.effective)
        elif one.kind == "objection":
            objected = ("objected", one.effective)
        elif one.kind == "suspension":
            suspended = ("suspended", one.effective)
        elif one.kind == "objection-closed":
            objected = None
        elif one.kind == "confirmation":
            ended = objected = suspended = None
    return [one for one in (ended, objected, suspended) if one is not None]


def _from_row(rating: Rating, on: date) -> _Found:
    row = {"preliminary": "preliminary", "objected": "objected", "repaired": "repaired", "revoked": "revoked"}
    row |= {"superseded": "superseded", "not_rated": "not-rated"}
    day = rating.published_date or china_day(rating.recorded_from)
    found: _Found = [(row[rating.state], day)] if rating.state in row else []
    if rating.state not in row and not has_level(rating):
        found.append(("not-rated", day))
    if on < published_since(rating):
        found.append(("not-yet-published", None))
    return found


def _from_newer(rating: Rating, dossier: Dossier, on: date) -> _Found:
    days = [published_since(other) for other in dossier.ratings if _supersedes(other, rating, dossier, on)]
    return [("superseded", min(days))] if days else []


def _supersedes(other: Rating, rating: Rating, dossier: Dossier, on: date) -> bool:
    return (
        other.rated_year > rating.rated_year
        and (other.bureau, other.uscc, other.site) == (rating.bureau, rating.uscc, rating.site)
        and family(other.scheme) == family(rating.scheme)
        and tier_of(other) == tier_of(rating)
        and other.state in DECIDED
        and has_level(other)
        and published_since(other) <= on
        and not {"withdrawn", "revoked"} & {reason for reason, _ in _from_messages(other, dossier, on)}
    )


def _from_calendar(rating: Rating, on: date) -> _Found:
    found: _Found = []
    if rating.valid_until is not None and on > rating.valid_until:
        found.append(("expired", rating.valid_until + DAY))
    first = date(rating.rated_year + STALE_AFTER_YEARS, 1, 1)
    if on >= first:
        found.append(("stale", first))
    return found


def _from_basis(rating: Rating, dossier: Dossier, on: date) -> _Found:
    """Find penalties the rating is built on that are no longer in force and were not answered by its issuer."""
    days = []
    for penalty in dossier.penalties:
        changed = taken_out(penalty, dossier.messages, on)
        if changed is None or not _built_on(rating, penalty, changed[1]):
            continue
        if not _answered(rating, dossier, on, changed[1]):
            days.append(changed[1])
    return [("basis-changed", min(days))] if days else []


def _built_on(rating: Rating, penalty: Penalty, gone: date) -> bool:
    if penalty.uscc != rating.uscc or not rating.uscc:
        return False
    if penalty.decision_number and folded_key(penalty.decision_number) in folded_key(f"{rating.remark} {rating.veto}"):
        return True
    level = level_of(rating)
    days = [day for day in (penalty.act_date, penalty.decision_date) if day is not None]
    return (
        level is not None
        and level.rank >= ATTENTION_RANK
        and any(day.year == rating.rated_year for day in days)
        and (rating.published_date is None or rating.published_date < gone)
    )


def _answered(rating: Rating, dossier: Dossier, on: date, gone: date) -> bool:
    """Whether the issuer confirmed the rating, or adjusted it, once the penalty was gone."""
    if rating.state == "adjusted" and max(china_day(rating.recorded_from), rating.published_date or date.min) >= gone:
        return True
    return any(one.kind == "confirmation" and one.effective >= gone for one in told(rating, dossier.messages, on))
