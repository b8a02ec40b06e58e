"""The blocks of an answer: plain values ready for JSON, each with the kind of nothing it is where it is empty."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from credit_registry.barred import Barred, marked
from credit_registry.dossier import Dossier, Penalty
from credit_registry.lines import day, instant, message_line, name_line, penalty_line, rating_line
from credit_registry.nothing import FOUND, NOT_CLEAN, together, told
from credit_registry.recognition import Assessment, Verdict, penalties_in_view
from credit_registry.register import Register
from credit_registry.sources import of_table
from credit_registry.states import PenaltyState
from schemas.credit_facts import recognition_reasons
from schemas.crosswalks import Crosswalk
from schemas.divisions import division_path
from schemas.identifiers import Uscc, read_uscc
from schemas.trace_limits import not_connected

EARLIER = {"superseded"}
IN_PROGRESS = {"objection", "objection-closed", "suspension", "confirmation"}


@dataclass(frozen=True, slots=True)
class View:
    """Who looks, on which day, what is left out of view, and what only bears a mark (``since``)."""

    viewer: str
    on: date
    left_out: Barred
    since: Barred


def shown_out_of_view(ratings: dict[str, Any], penalties: dict[str, Any]) -> int:
    """Count the lines a reviewer sees although they are out of view by now."""
    return sum(bool(one["out_of_view"]) for one in (*ratings["lines"], *ratings["earlier"], *penalties["lines"]))


def identity_block(dossier: Dossier | None, subject: str, read: Uscc, sources: list[dict[str, Any]]) -> dict[str, Any]:
    """Say who the enterprise is, and whether anybody knows it."""
    uscc = (dossier.uscc if dossier else "") or read.code
    names = dossier.names if dossier else ()
    if dossier:
        state = FOUND
    else:
        state = "no_record" if any(one["state"] == FOUND for one in sources) else "source_unavailable"
    return told(state) | {
        "uscc": uscc,
        "uscc_status": read_uscc(uscc).status if uscc else "none",
        "uscc_reason": read_uscc(uscc).reason_zh if uscc else "没有代码，只按名称登记，不能跨单位认定",
        "uscc_reason_en": read_uscc(uscc).reason_en
        if uscc
        else "no code: kept by name only, recognised by nobody else",
        "subject": dossier.subject if dossier else subject,
        "name": names[0].name if names else "",
        "names": [name_line(one) for one in names],
        "registered_division": uscc[2:8],
        "registered_place": "".join(division_path(uscc[2:8])) if uscc else "",
        "sites": _sites(dossier),
        "branch_note": "分支机构、母子公司各按自己的代码，互不继承",
        "branch_note_en": "branches, parents and subsidiaries stand each for itself; nothing is inherited",
    }


def _sites(dossier: Dossier | None) -> list[str]:
    rated = {one.site for one in dossier.ratings} if dossier else set()
    punished = {one.site for one in dossier.penalties} if dossier else set()
    return sorted((rated | punished) - {""})


def ratings_block(
    found: Assessment | None, dossier: Dossier | None, sources: list[dict[str, Any]], view: View
) -> dict[str, Any]:
    """List the ratings that may be shown, those superseded apart, and what each bureau does not have."""
    verdicts = found.verdicts if found else ()
    hidden = [one for one in verdicts if not _may_see(one)]
    lines = [marked(rating_line(one), one.rating, view.since) for one in verdicts if _may_see(one)]
    newest_first = sorted(lines, key=lambda one: (-one["rated_year"], one["bureau"], one["issuer"], one["site"]))
    current = [one for one in newest_first if one["state"] not in EARLIER]
    withheld = Counter(one.rating.bureau for one in hidden)
    by_bureau = []
    for source in of_table(sources, "ratings"):
        mine = [one for one in current if one["bureau"] == source["bureau"]]
        rated = [one for one in mine if one["state"] != "not_rated"]
        state = _state_of(
            source, bool(rated), withheld[source["bureau"]], bool(mine) or _knows(dossier, source["bureau"])
        )
        newest = max((one["rated_year"] for one in rated), default=None)
        by_bureau.append(
            {"bureau": source["bureau"], **told(state), "count": len(rated), "withheld": withheld[source["bureau"]]}
            | {"newest_rated_year": newest, **_missing_years(newest, view.on)}
        )
    return told(together(one["state"] for one in by_bureau)) | {
        "by_bureau": by_bureau,
        "lines": current,
        "earlier": [one for one in newest_first if one["state"] in EARLIER],
        "withheld": len(hidden),
    }


def _may_see(verdict: Verdict) -> bool:
    """Whether a rating is shown: not where the law takes it out of view, nor where the other side marked it secret."""
    return verdict.in_view and (verdict.own or verdict.code != "secret-mark")


def _missing_years(newest: int | None, on: date) -> dict[str, str | None]:
    """Say that the last completed year has no rating: an older one must not pass for it."""
    if newest is None or newest >= on.year - 1:
        return {"year_note": None, "year_note_en": None}
    years = str(on.year - 1) if newest == on.year - 2 else f"{newest + 1}–{on.year - 1}"
    return {
        "year_note": f"{years} 年度未见评价（未参评或尚未公布），不等于良好",
        "year_note_en": f"no rating for {years} is here (not rated, or not yet published); this is not a good level",
    }


def penalties_block(dossier: Dossier | None, sources: list[dict[str, Any]], view: View) -> dict[str, Any]:
    """List the penalties that may be shown, and what each bureau does not have."""
    lines, by_bureau = [], []
    for source in of_table(sources, "penalties"):
        shown, hidden = _penalties_of(dossier, source["bureau"], view)
        mine = [
            marked(penalty_line(one, state, own=one.bureau == view.viewer, on=view.on), one, view.since)
            for one, state in shown
        ]
        state = _state_of(source, bool(mine), sum(hidden.values()), False)
        by_bureau.append(
            {"bureau": source["bureau"], **told(state), "count": len(mine), "withheld": sum(hidden.values())}
        )
        lines += mine
    newest_first = sorted(lines, key=lambda one: (one["decision_date"] or "", one["decision_number"]), reverse=True)
    return told(together(one["state"] for one in by_bureau)) | {
        "by_bureau": by_bureau,
        "lines": newest_first,
        "withheld": sum(one["withheld"] for one in by_bureau),
    }


def _penalties_of(
    dossier: Dossier | None, bureau: str, view: View
) -> tuple[tuple[tuple[Penalty, PenaltyState], ...], dict[str, int]]:
    if dossier is None:
        return (), {}
    mine = tuple(one for one in dossier.penalties if one.bureau == bureau)
    return penalties_in_view(replace(dossier, penalties=mine), view.on, view.left_out)


def _state_of(source: dict[str, Any], shown: bool, withheld: int, known: bool) -> str:
    if shown:
        return FOUND
    if withheld:
        return "withheld"
    if source["state"] != FOUND:
        return "source_unavailable"
    return "not_rated" if known else "no_record"


def _knows(dossier: Dossier | None, bureau: str) -> bool:
    return bureau in owners_of(dossier)


def in_progress_block(
    dossier: Dossier | None, ratings: dict[str, Any], penalties: dict[str, Any], sources: list[dict[str, Any]]
) -> dict[str, Any]:
    """List objections, suspensions and confirmations of records in view; where no source ever sent, nothing is known."""
    seen = {("rating", one["key"]) for one in (*ratings["lines"], *ratings["earlier"])}
    seen |= {("penalty", one["key"]) for one in penalties["lines"]}
    heard = dossier.messages if dossier else ()
    lines = [message_line(one) for one in heard if one.kind in IN_PROGRESS and (one.target, one.key) in seen]
    none = "no_record" if any(one["state"] == FOUND for one in sources) else "source_unavailable"
    return told(FOUND if lines else none) | {"lines": lines}


def namesakes_of(register: Register | None, dossier: Dossier | None) -> list[str]:
    """List names of this enterprise under which there are records without a code: perhaps its own, perhaps not."""
    if register is None or dossier is None or not dossier.uscc:
        return []
    return sorted({one for name in dossier.names for one in register.namesakes(name.name)})


def unknown_block(
    sources: list[dict[str, Any]], ratings: dict[str, Any], penalties: dict[str, Any], namesakes: list[str]
) -> dict[str, Any]:
    """Say what this system does not know."""
    return {
        "namesakes": namesakes,
        "message": NOT_CLEAN[0],
        "message_en": NOT_CLEAN[1],
        "sources": sources,
        "not_connected": [
            {"code": one.code, "title": one.title_zh, "title_en": one.title_en, **told("source_unavailable")}
            for one in not_connected()
        ],
        "withheld": {
            "ratings": ratings["withheld"],
            "penalties": penalties["withheld"],
            "message": "依法修复、撤回、撤销或公示期满的记录不展示，只计件数",
            "message_en": "records repaired, withdrawn, annulled or past their publication are left out by law; only counted",
        },
    }


def as_of_block(
    register: Register | None, book: Crosswalk | None, on: date, moment: datetime, known: datetime | None
) -> dict[str, Any]:
    """Say on which day, as known when, from which data and under which crosswalk edition."""
    used = (
        {
            "edition": book.edition, "title": book.title_zh, "title_en": book.title_en, "status": book.status,
            "signed_on": day(book.signed_on), "signatories": list(book.signatories),
        }
        if book
        else None
    )  # fmt: skip
    return {
        "on": day(on),
        "known": instant(moment),
        "known_is_now": known is None,
        "version": register.version if register else "",
        "made_at": instant(register.made_at) if register else None,
        "edition": book.edition if book else None,
        "crosswalk": used,
        "query_id": None,
    }


def attention_block(found: Assessment | None) -> dict[str, Any]:
    """Say the worst level in force and whether incentives may follow; nothing in force is never good."""
    level = found.attention_level if found else None
    reason = recognition_reasons()[found.incentive_code if found else "incentive-none"]
    return {
        "level": level,
        "rank": found.attention_rank if found else None,
        "flagged": found.flagged if found else None,
        "from": found.attention_from if found and level else None,
        "message": "" if level else "没有可据以判断的现行评价；不等于良好",
        "message_en": "" if level else "no rating in force to judge by; this is not a good level",
        "incentive": bool(found and found.incentive),
        "incentive_code": reason.code,
        "incentive_message": reason.meaning_zh,
        "incentive_message_en": reason.meaning_en,
    }


def owners_of(dossier: Dossier | None) -> set[str]:
    """Give the bureaus that hold anything on an enterprise."""
    if dossier is None:
        return set()
    rated, punished = {one.bureau for one in dossier.ratings}, {one.bureau for one in dossier.penalties}
    return rated | punished | {one.bureau for one in dossier.names}
