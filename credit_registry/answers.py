"""The answer to a look-up: seven blocks of plain values, and beside each what is not known.

Document ``gongzhi-credit-answer/1`` (``docs/credit-json.md``): who the enterprise is, ratings, penalties, what is in
progress, supervision, what this system does not know, and as of when. A list that is empty says by its ``state`` which
of the four kinds of nothing it is (:mod:`credit_registry.nothing`). What is asked is traced before it is answered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from credit_registry.dossier import Dossier, Penalty
from credit_registry.errors import BadCode
from credit_registry.lines import day, instant, message_line, name_line, penalty_line, rating_line
from credit_registry.nothing import FOUND, NOT_CLEAN, together, told
from credit_registry.recognition import Assessment, Verdict, as_known, assess, penalties_in_view
from credit_registry.register import Register, SourceState
from credit_registry.states import PenaltyState
from credit_registry.trace import Asker, checked, trace
from records.credit import Message, messages
from schemas.credit_facts import purposes, recognition_reasons
from schemas.crosswalks import Crosswalk, crosswalk_in_force, crosswalks
from schemas.divisions import division_path
from schemas.files import fold
from schemas.identifiers import Uscc, read_uscc
from schemas.trace_limits import not_connected, trace_limits

if TYPE_CHECKING:
    from records.store import Records

__all__ = ["ANSWER", "Asker", "answer", "compose", "is_name", "read_subject"]

ANSWER = "gongzhi-credit-answer/1"
CHINA = timezone(timedelta(hours=8))
EARLIER = {"superseded"}
IN_PROGRESS = {"objection", "objection-closed", "suspension", "confirmation"}
TABLES = {"ratings": "credit_rating", "penalties": "penalty_decision"}


def answer(
    register: Register | None,
    records: Records,
    code: str,
    viewer: str,
    on: date,
    known: datetime | None,
    asked_by: Asker,
    *,
    now: datetime,
    kind: str = "lookup",
    editions: tuple[Crosswalk, ...] | None = None,
) -> dict[str, Any]:
    """Answer one look-up and keep its trace.

    Parameters
    ----------
    register : Register or None
        None where there is none: every source is then told to be unavailable.
    code : str
        A code, or the ``subject`` of an enterprise without one (its name as the register has it).
    on, known : date, datetime or None
        Valid on that China day, as known at that instant (None: now).

    Raises
    ------
    BadCode
        The text is no code; this too is traced.
    IncompleteRequest, UnknownPurpose
        Before anything is looked at.
    """
    asker = checked(asked_by)
    version = register.version if register else ""
    try:
        subject, read = read_subject(code)
        document, dossier = compose(
            register, messages(records, subject, known), code, viewer, on, known, now=now, editions=editions
        )
    except BadCode:
        trace(records, asker, kind, code, at=now, version=version, result="bad_code")
        raise
    shown = len(document["ratings"]["lines"]) + len(document["penalties"]["lines"])
    kept = trace(
        records, asker, kind, code, at=now, version=version, result=document["state"],
        uscc=read.code, owners=_owners(dossier), count=shown,
    )  # fmt: skip
    document["query"] = {
        "id": kept.access_id, "at": instant(now), "kind": kind, "asked": kept.asked, "viewer": viewer,
        **asdict(asker), "purpose_zh": purposes()[asker.purpose].title_zh,
    }  # fmt: skip
    document["as_of"]["query_id"] = kept.access_id
    return document


def is_name(text: str) -> bool:
    """Tell a name from what is, or would be, a code.

    Examples
    --------
    >>> is_name("绵阳京东方"), is_name("cqch"), is_name("91500109MA5U0000"), is_name("510703199001011231")
    (True, True, False, False)
    """
    read = read_uscc(text)
    return read.status == "none" or (read.status == "malformed" and sum(char.isdigit() for char in read.text) < 8)


def read_subject(text: str) -> tuple[str, Uscc]:
    """Read what a record is asked by: a code, or a name where the text is no attempt at one.

    Raises
    ------
    BadCode
        It would be a code but is none, or is a resident identity number.
    """
    read = read_uscc(text)
    if read.code:
        return read.code, read
    if is_name(text):
        return fold(text), read
    raise BadCode(f"“{read.text}”不是统一社会信用代码：{read.reason_zh}", f"{read.text!r} is no USCC: {read.reason_en}")


def compose(
    register: Register | None,
    heard: Sequence[Message],
    code: str,
    viewer: str,
    on: date,
    known: datetime | None,
    *,
    now: datetime,
    editions: tuple[Crosswalk, ...] | None = None,
) -> tuple[dict[str, Any], Dossier | None]:
    """Make the document without asking who asks (``query`` is null), and give the dossier behind it.

    Raises
    ------
    BadCode
        Also for a code with a wrong check character that the register does not hold.
    """
    subject, read = read_subject(code)
    moment = known or now
    books = crosswalks() if editions is None else editions
    dossier = register.dossier(subject, known, heard) if register else None
    dossier = as_known(dossier, moment) if dossier else None
    if read.status == "failing" and dossier is None:
        raise BadCode(
            f"{read.text} 不是有效的统一社会信用代码：{read.reason_zh}",
            f"{read.text} is no valid USCC: {read.reason_en}",
        )
    sources = _sources(register, books, viewer, moment)
    found = assess(dossier, viewer, books, on, moment) if dossier else None
    ratings = _ratings(found, dossier, sources, on)
    penalties = _penalties(dossier, viewer, sources, on)
    state = together([ratings["state"], penalties["state"]])
    return {
        "document": ANSWER,
        "state": state,
        "query": None,
        "identity": _identity(dossier, subject, read, sources),
        "ratings": ratings,
        "penalties": penalties,
        "in_progress": _in_progress(dossier, ratings, penalties),
        "supervision": told("source_unavailable") | {"lines": []},
        "unknown": _unknown(sources, ratings, penalties, _namesakes(register, dossier)),
        "as_of": _as_of(register, crosswalk_in_force(books, on, moment), on, moment, known),
        "attention": _attention(found),
    }, dossier


# -- the blocks -----------------------------------------------------------------------------------------------


def _identity(dossier: Dossier | None, subject: str, read: Uscc, sources: list[dict[str, Any]]) -> dict[str, Any]:
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


def _ratings(
    found: Assessment | None, dossier: Dossier | None, sources: list[dict[str, Any]], on: date
) -> dict[str, Any]:
    verdicts = found.verdicts if found else ()
    hidden = [one for one in verdicts if not _may_see(one)]
    lines = [rating_line(one) for one in verdicts if _may_see(one)]
    newest_first = sorted(lines, key=lambda one: (-one["rated_year"], one["bureau"], one["issuer"], one["site"]))
    current = [one for one in newest_first if one["state"] not in EARLIER]
    withheld = Counter(one.rating.bureau for one in hidden)
    by_bureau = []
    for source in _of_table(sources, "ratings"):
        mine = [one for one in current if one["bureau"] == source["bureau"]]
        rated = [one for one in mine if one["state"] != "not_rated"]
        state = _state_of(
            source, bool(rated), withheld[source["bureau"]], bool(mine) or _knows(dossier, source["bureau"])
        )
        newest = max((one["rated_year"] for one in rated), default=None)
        by_bureau.append(
            {"bureau": source["bureau"], **told(state), "count": len(rated), "withheld": withheld[source["bureau"]]}
            | {"newest_rated_year": newest, **_missing_years(newest, on)}
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


def _penalties(dossier: Dossier | None, viewer: str, sources: list[dict[str, Any]], on: date) -> dict[str, Any]:
    lines, by_bureau = [], []
    for source in _of_table(sources, "penalties"):
        shown, hidden = _penalties_of(dossier, source["bureau"], on)
        mine = [penalty_line(one, state, own=one.bureau == viewer, on=on) for one, state in shown]
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
    dossier: Dossier | None, bureau: str, on: date
) -> tuple[tuple[tuple[Penalty, PenaltyState], ...], dict[str, int]]:
    if dossier is None:
        return (), {}
    mine = tuple(one for one in dossier.penalties if one.bureau == bureau)
    return penalties_in_view(replace(dossier, penalties=mine), on)


def _state_of(source: dict[str, Any], shown: bool, withheld: int, known: bool) -> str:
    if shown:
        return FOUND
    if withheld:
        return "withheld"
    if source["state"] != FOUND:
        return "source_unavailable"
    return "not_rated" if known else "no_record"


def _knows(dossier: Dossier | None, bureau: str) -> bool:
    return bureau in _owners(dossier)


def _in_progress(dossier: Dossier | None, ratings: dict[str, Any], penalties: dict[str, Any]) -> dict[str, Any]:
    """List objections, suspensions and confirmations of records that are in view."""
    seen = {("rating", one["key"]) for one in (*ratings["lines"], *ratings["earlier"])}
    seen |= {("penalty", one["key"]) for one in penalties["lines"]}
    heard = dossier.messages if dossier else ()
    lines = [message_line(one) for one in heard if one.kind in IN_PROGRESS and (one.target, one.key) in seen]
    return told(FOUND if lines else "no_record") | {"lines": lines}


def _namesakes(register: Register | None, dossier: Dossier | None) -> list[str]:
    """List names of this enterprise under which there are records without a code: perhaps its own, perhaps not."""
    if register is None or dossier is None or not dossier.uscc:
        return []
    return sorted({one for name in dossier.names for one in register.namesakes(name.name)})


def _unknown(
    sources: list[dict[str, Any]], ratings: dict[str, Any], penalties: dict[str, Any], namesakes: list[str]
) -> dict[str, Any]:
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


def _as_of(
    register: Register | None, book: Crosswalk | None, on: date, moment: datetime, known: datetime | None
) -> dict[str, Any]:
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


def _attention(found: Assessment | None) -> dict[str, Any]:
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


# -- sources --------------------------------------------------------------------------------------------------


def _sources(
    register: Register | None, books: Iterable[Crosswalk], viewer: str, moment: datetime
) -> list[dict[str, Any]]:
    """List each table of each party, also those that never came, with the age of the last record."""
    states = {(one.bureau, one.table): one for one in (register.sources() if register else ())}
    parties = {viewer} | {issuer.bureau for book in books for issuer in book.issuers}
    old = trace_limits()["source-old"].value
    found = []
    for bureau in sorted(parties | {bureau for bureau, _ in states}):
        for table in TABLES.values():
            one = states.get((bureau, table))
            there = one is not None and _there(register, one, moment)
            last = one.last_recorded if one and there and one.last_recorded <= moment else None
            age = (moment - last).days if last else None
            line: dict[str, Any] = {"bureau": bureau, "table": table}
            line |= told(FOUND if there else "source_unavailable")
            line |= {"last_recorded": instant(last), "age_days": age, "old": age is not None and age > old}
            found.append(line | {"rows": one.rows if one and there else 0})
    return found


def _there(register: Register | None, one: SourceState, moment: datetime) -> bool:
    """Whether a source had sent anything by an instant; one that took back all it sent still answers."""
    if one.last_recorded <= moment or register is None:
        return True
    return register.first_recorded().get((one.bureau, one.table), moment) <= moment


def _of_table(sources: list[dict[str, Any]], block: str) -> list[dict[str, Any]]:
    return [one for one in sources if one["table"] == TABLES[block]]


def _owners(dossier: Dossier | None) -> set[str]:
    """Give the bureaus that hold anything on an enterprise."""
    if dossier is None:
        return set()
    rated, punished = {one.bureau for one in dossier.ratings}, {one.bureau for one in dossier.penalties}
    return rated | punished | {one.bureau for one in dossier.names}
