"""One rating, penalty, message or source as one line of an answer: plain values ready for JSON.

Native words stand beside the shared ones; what a scheme's text leaves open is said, never filled in.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from schemas.credit_facts import LegalAct, LegalBasis, legal_basis, recognition_reasons
from schemas.ratings import RatingLevel, rating_schemes
from schemas.unconfirmed import unconfirmed_facts

if TYPE_CHECKING:
    from credit_registry.dossier import Name, Penalty
    from credit_registry.recognition import Verdict
    from credit_registry.states import PenaltyState
    from records.credit import Message


def rating_line(verdict: Verdict) -> dict[str, Any]:
    """Give a rating with its verdict: who rated what, the native level, whether it counts here, and why."""
    rating = verdict.rating
    scheme = rating_schemes().get(rating.scheme)
    level = _level(rating.scheme, rating.level_code)
    shared = _level(verdict.shared_scheme or "", verdict.shared_level or "")
    return {
        "key": rating.key,
        "bureau": rating.bureau,
        "own": verdict.own,
        "issuer": rating.issuer,
        "tier": rating.tier,
        "scheme": rating.scheme,
        "scheme_title": scheme.title_zh if scheme else rating.scheme,
        "scheme_confirmed": bool(scheme and scheme.confirmed),
        "unconfirmed": _unconfirmed((*(scheme.unconfirmed if scheme else ()), *(level.unconfirmed if level else ()))),
        "rated_year": rating.rated_year,
        "site": rating.site,
        "name_then": rating.name,
        "level_code": rating.level_code,
        "level": level.level_zh if level else rating.level_text,
        "level_text": rating.level_text,
        "colour": rating.colour,
        "score": rating.score,
        "veto": rating.veto,
        "state": verdict.state.state,
        "state_reasons": list(verdict.state.reasons),
        "state_since": day(verdict.state.since),
        "state_sent": rating.state,
        "published_date": day(rating.published_date),
        "valid_until": day(rating.valid_until),
        "recognised": verdict.recognised,
        "code": verdict.code,
        "message": verdict.message,
        "message_en": verdict.message_en,
        "relation": verdict.relation,
        "shared_scheme": verdict.shared_scheme,
        "shared_level": verdict.shared_level,
        "shared_level_title": shared.level_zh if shared else None,
        "effect": verdict.effect,
        "effect_en": verdict.effect_en,
        "edition": verdict.edition,
        "warnings": [_note_line(code) for code in verdict.notes],
        "remark": rating.remark,
        "batch_id": rating.batch_id,
        "source_row": rating.source_row,
        "recorded_from": instant(rating.recorded_from),
    }


def penalty_line(penalty: Penalty, state: PenaltyState, *, own: bool, on: date) -> dict[str, Any]:
    """Give a penalty with its state of publication, and the acts it names as editions."""
    acts = legal_basis(penalty.legal_basis, penalty.act_date, penalty.decision_date, on)
    return {
        "key": penalty.key,
        "bureau": penalty.bureau,
        "own": own,
        "decision_number": penalty.decision_number,
        "decision_kind": penalty.decision_kind,
        "authority": penalty.authority,
        "site": penalty.site,
        "name_then": penalty.name,
        "violation": penalty.violation,
        "legal_basis": penalty.legal_basis,
        "acts": [_act_line(one) for one in acts],
        "penalty_text": penalty.penalty_text,
        "fine_yuan": penalty.fine_yuan,
        "act_date": day(penalty.act_date),
        "decision_date": day(penalty.decision_date),
        "state": state.state,
        "published_until": day(state.published_until),
        "class": state.class_,
        "repair_state": penalty.repair_state,
        "remark": penalty.remark,
        "batch_id": penalty.batch_id,
        "source_row": penalty.source_row,
        "recorded_from": instant(penalty.recorded_from),
    }


def _act_line(basis: LegalBasis) -> dict[str, Any]:
    return {
        "act": basis.act,
        "articles": list(basis.articles),
        "edition_at_act": _edition(basis.at_act),
        "edition_at_decision": _edition(basis.at_decision),
        "repealed_by": basis.repealed_by,
        "unconfirmed": _unconfirmed(basis.unconfirmed),
    }


def _unconfirmed(facts: Iterable[str]) -> list[dict[str, str]]:
    """Name what no document confirms, so that it is read before it is cited."""
    known = unconfirmed_facts()
    return [{"fact": fact, "title": known[fact].title_zh, "title_en": known[fact].title_en} for fact in facts]


def _edition(act: LegalAct | None) -> str | None:
    return act.edition if act else None


def message_line(message: Message) -> dict[str, Any]:
    """Give a message without its free text: the reason is for the two bureaus' files, not for answers."""
    return {
        "message_id": message.message_id,
        "kind": message.kind,
        "bureau": message.bureau,
        "target": message.target,
        "key": message.key,
        "effective": day(message.effective),
        "document": message.document,
        "made_at": instant(message.made_at),
    }


def name_line(name: Name) -> dict[str, Any]:
    """Give a name with its days, null where no source tells them."""
    return {
        "name": name.name,
        "since": day(name.since),
        "until": day(name.until),
        "bureau": name.bureau,
        "source": name.source,
    }


def day(value: date | None) -> str | None:
    """Write a day, null where there is none."""
    return value.isoformat() if value is not None else None


def instant(value: datetime | None) -> str | None:
    """Write an instant, null where there is none."""
    return value.isoformat() if value is not None else None


def _level(scheme: str, code: str) -> RatingLevel | None:
    known = rating_schemes().get(scheme)
    return next((level for level in known.levels if level.level_code == code), None) if known else None


def _note_line(code: str) -> dict[str, str]:
    reason = recognition_reasons()[code]
    return {"code": code, "message": reason.meaning_zh, "message_en": reason.meaning_en}
