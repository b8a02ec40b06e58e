"""Which rating counts for whom, on which day, as known when, and why: a pure function of what it is given.

A rating of the viewer's own bureau counts while it is in force. One of the other bureau counts as well if a crosswalk
edition in force maps its level, its authority is inside the agreement and sent it itself, and its code names the
enterprise beyond doubt. Every verdict bears a code of ``vocabularies/recognition_reasons.csv``; there is no silent no.
Both sides stand beside each other: nothing is averaged and nobody wins. Source: reference on credit schemes §7.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from credit_registry.barred import NOTHING_BARRED, Barred, name_of
from credit_registry.dossier import Dossier, Penalty, Rating
from credit_registry.penalties import china_day, penalties_in_view, penalty_state
from credit_registry.states import (
    ATTENTION_RANK,
    OUT_OF_VIEW,
    State,
    by_veto,
    level_of,
    rating_state,
    score_differs,
)
from schemas.credit_facts import recognition_reasons, secrecy_marks
from schemas.crosswalks import Crosswalk, Mapping, crosswalk_in_force
from schemas.files import fold
from schemas.ratings import find_level, rating_schemes

__all__ = ["Assessment", "State", "Verdict", "assess", "as_known", "penalties_in_view", "penalty_state"]

PENDING = ("final", "adjusted", "preliminary", "objected", "basis_changed")
"""States in which a rating that does not count still stands in the way of an incentive."""
_CODE_REASONS = {
    "valid": "",
    "pilot": "",
    "permit": "",
    "masked": "code-masked",
    "none": "code-missing",
    "registration": "code-missing",
    "organisation": "code-missing",
}
"""What the state of a code means here; every other one (failing, malformed, resident-id) is ``code-invalid``."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one rating is worth to the viewer.

    Attributes
    ----------
    rating, state : Rating, State
    own : bool
        Sent by the viewer.
    recognised : bool
        It is in force and counts.
    code, message, message_en : str
        Why, or why not.
    relation : str
        ``same``, ``close``, ``broader`` or ``none``.
    shared_scheme, shared_level : str
        Its counterpart in the viewer's scheme; its own for ``same``; blank for ``none``.
    effect, effect_en : str
        What may follow, as the crosswalk says; blank where nothing does.
    edition : str
        The crosswalk edition used; blank where none was needed.
    notes : tuple of str
        Further codes an inspector should see.
    in_view : bool
        False: withdrawn, revoked or repaired as far as is known now; it must not be shown, only counted.
    rank : int or None
        Rank of the level (of the shared one where mapped), 1 is the best; None where the vocabulary lacks it.
    """

    rating: Rating
    state: State
    own: bool
    recognised: bool
    code: str
    message: str
    message_en: str
    relation: str
    shared_scheme: str
    shared_level: str
    effect: str
    effect_en: str
    edition: str
    notes: tuple[str, ...]
    in_view: bool
    rank: int | None


@dataclass(frozen=True, slots=True)
class Assessment:
    """All ratings of one subject as one viewer may use them.

    ``attention_level`` is the worst shared level in force and ``attention_from`` says whose (``bureau|key``); None
    where no rating is in force, which is never a good level. ``edition_status`` is ``signed``, ``draft`` or blank.
    """

    verdicts: tuple[Verdict, ...]
    attention_level: str | None
    attention_from: str | None
    attention_rank: int | None
    incentive: bool
    incentive_code: str
    edition: str
    edition_status: str
    on: date
    known: datetime

    @property
    def flagged(self) -> bool:
        """Whether the worst level in force calls for attention (警示, 不良)."""
        return self.attention_rank is not None and self.attention_rank >= ATTENTION_RANK

    @property
    def withheld(self) -> int:
        """How many ratings must not be shown."""
        return sum(not one.in_view for one in self.verdicts)


def as_known(dossier: Dossier, known: datetime) -> Dossier:
    """Leave out what was recorded or told after an instant, or was already closed then."""
    ratings = tuple(one for one in dossier.ratings if _on_record(one, known))
    penalties = tuple(one for one in dossier.penalties if _on_record(one, known))
    messages = tuple(one for one in dossier.messages if one.made_at <= known)
    return replace(dossier, ratings=ratings, penalties=penalties, messages=messages, known=known)


def _on_record(row: Rating | Penalty, known: datetime) -> bool:
    return row.recorded_from <= known and (row.recorded_until is None or row.recorded_until > known)


def assess(
    dossier: Dossier,
    viewer: str,
    crosswalks: Sequence[Crosswalk],
    on: date,
    known: datetime,
    barred: Barred = NOTHING_BARRED,
) -> Assessment:
    """Judge every rating of a dossier for one viewer.

    Parameters
    ----------
    dossier : Dossier
    viewer : str
        Code of the bureau that asks.
    crosswalks : sequence of Crosswalk
        Every edition; the one in force is chosen by both clocks.
    on : date
        The China day on which the ratings should be valid.
    known : datetime
        The instant, aware: what came later is not considered.
    barred : mapping
        What is out of view by now though it was not then (:mod:`credit_registry.barred`): neither shown nor used.

    Returns
    -------
    Assessment
        One verdict for each rating, in the order of the dossier.
    """
    dossier = as_known(dossier, known)
    crosswalk = crosswalk_in_force(tuple(crosswalks), on, known)
    verdicts = tuple(_verdict(rating, dossier, viewer, crosswalk, on, barred) for rating in dossier.ratings)
    ranked = [one for one in verdicts if one.recognised and one.rank is not None]
    worst = max(ranked, key=lambda one: one.rank or 0, default=None)
    code = _incentive(verdicts, crosswalk)
    return Assessment(
        verdicts=verdicts,
        attention_level=worst.shared_level if worst else None,
        attention_from=f"{worst.rating.bureau}|{worst.rating.key}" if worst else None,
        attention_rank=worst.rank if worst else None,
        incentive=bool(recognition_reasons()[code].recognised),
        incentive_code=code,
        edition=crosswalk.edition if crosswalk else "",
        edition_status=crosswalk.status if crosswalk else "",
        on=on,
        known=known,
    )


def _incentive(verdicts: Sequence[Verdict], crosswalk: Crosswalk | None) -> str:
    """Incentives need every rating in force to be of the best level, and none below it still open."""
    in_force = [one for one in verdicts if one.recognised]
    if not in_force:
        return "incentive-none"
    if any(one.rank != 1 for one in in_force):
        return "incentive-not-all"
    if any(_pending(one) for one in verdicts):
        return "incentive-pending"
    unsigned = crosswalk is not None and not crosswalk.signed and any(one.edition for one in in_force)
    return "incentive-candidate-unsigned" if unsigned else "incentive-candidate"


def _pending(verdict: Verdict) -> bool:
    open_still = verdict.in_view and verdict.state.state in PENDING and verdict.code != "other-subject"
    not_there_yet = "not-yet-published" in verdict.state.reasons
    return open_still and not verdict.recognised and not not_there_yet and verdict.rank != 1


def _verdict(
    rating: Rating, dossier: Dossier, viewer: str, crosswalk: Crosswalk | None, on: date, barred: Barred
) -> Verdict:
    state = rating_state(rating, dossier, on)
    own = rating.bureau == viewer
    since = barred.get(name_of(rating), "")
    refused = _doubt(rating, dossier) or since or next(iter(state.reasons), "")
    mapping: Mapping | None = None
    code = refused or ("own" if own else _outside(rating, viewer, crosswalk))
    if not code and crosswalk is not None:
        code, mapping = _across(rating, viewer, crosswalk)
    reason = recognition_reasons()[code]
    same = code in ("own", "same-scheme")
    level = level_of(rating)
    if mapping is not None:
        level = find_level(mapping.to_scheme, mapping.to_level)
    edition = crosswalk.edition if crosswalk is not None and reason.recognised and not own else ""
    added_zh, added_en = _added(state, refused, crosswalk if edition else None)
    today = max(on, china_day(dossier.known))
    return Verdict(
        rating=rating,
        state=state,
        own=own,
        recognised=bool(reason.recognised),
        code=code,
        message=reason.meaning_zh + added_zh,
        message_en=reason.meaning_en + added_en,
        relation="same" if same else mapping.relation if mapping else "none",
        shared_scheme=rating.scheme if same else mapping.to_scheme if mapping else "",
        shared_level=(rating.level_code or rating.level_text) if same else mapping.to_level if mapping else "",
        effect=mapping.effect_zh if mapping else "",
        effect_en=mapping.effect_en if mapping else "",
        edition=edition,
        notes=_notes(rating, own, bool(reason.recognised), crosswalk if edition else None),
        in_view=not since and (state if today == on else rating_state(rating, dossier, today)).state not in OUT_OF_VIEW,
        rank=level.rank if level else None,
    )


def _doubt(rating: Rating, dossier: Dossier) -> str:
    """Say why a record cannot be taken at all, whoever sent it: it is marked secret, or whose it is is not sure."""
    if any(mark in fold(f"{rating.remark} {rating.veto}") for mark in map(fold, secrecy_marks())):
        return "secret-mark"
    reason = _CODE_REASONS.get(rating.uscc_status, "code-invalid")
    if reason or not rating.uscc:
        return reason or "code-missing"
    return "other-subject" if dossier.uscc and rating.uscc != dossier.uscc else ""


def _outside(rating: Rating, viewer: str, crosswalk: Crosswalk | None) -> str:
    """Say why a foreign rating in force lies outside the agreement."""
    if crosswalk is None:
        return "no-crosswalk"
    issuer = crosswalk.issuer(rating.issuer)
    if issuer is None:
        return "issuer-outside"
    if issuer.bureau != rating.bureau:
        return "transcribed"
    scheme, wanted = rating_schemes().get(rating.scheme), crosswalk.schemes_of(viewer)
    if scheme is not None and wanted and all(rating_schemes()[w].subject_type != scheme.subject_type for w in wanted):
        return "subject-type"
    if scheme is None or level_of(rating) is None:
        return "level-unknown"
    return "same-scheme" if rating.scheme in wanted else ""


def _across(rating: Rating, viewer: str, crosswalk: Crosswalk) -> tuple[str, Mapping | None]:
    level = level_of(rating)
    code = level.level_code if level else ""
    mapping = crosswalk.mapping(rating.scheme, code, by_veto(rating), crosswalk.schemes_of(viewer))
    if mapping is None or mapping.relation == "none":
        return "no-mapping", None
    return ("recognised" if mapping.relation == "close" else "recognised-broader"), mapping


def _added(state: State, refused: str, crosswalk: Crosswalk | None) -> tuple[str, str]:
    """Words behind the reason: since when, or under which edition."""
    if crosswalk is not None:
        zh = "" if crosswalk.signed else "，建议稿，未经签署"
        en = "" if crosswalk.signed else ", a proposal nobody signed"
        return f"（对照表 {crosswalk.edition}{zh}）", f" (crosswalk {crosswalk.edition}{en})"
    if refused and refused in state.reasons[:1] and state.since is not None:
        return f"（自 {state.since} 起）", f" (since {state.since})"
    return "", ""


def _notes(rating: Rating, own: bool, recognised: bool, crosswalk: Crosswalk | None) -> tuple[str, ...]:
    scheme, level = rating_schemes().get(rating.scheme), level_of(rating)
    flags = {
        "score-mismatch": score_differs(rating),
        "pilot-code": rating.uscc_status == "pilot",
        "scheme-unconfirmed": scheme is not None and not scheme.confirmed,
        "unsigned-crosswalk": crosswalk is not None and not crosswalk.signed,
        "effect-by-person": recognised and not own and level is not None and level.rank >= ATTENTION_RANK,
    }
    return tuple(code for code, holds in flags.items() if holds)
