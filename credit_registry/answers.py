"""The answer to a look-up: seven blocks of plain values, and beside each what is not known.

Document ``gongzhi-credit-answer/1`` (``docs/credit-json.md``): who the enterprise is, ratings, penalties, what is in
progress, supervision, what this system does not know, and as of when. A list that is empty says by its ``state`` which
of the four kinds of nothing it is (:mod:`credit_registry.nothing`). What is asked is traced before it is answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from credit_registry.barred import NOTHING_BARRED, barred
from credit_registry.blocks import (
    View,
    as_of_block,
    attention_block,
    identity_block,
    in_progress_block,
    namesakes_of,
    owners_of,
    penalties_block,
    ratings_block,
    shown_out_of_view,
    unknown_block,
)
from credit_registry.dossier import Dossier
from credit_registry.errors import BadCode
from credit_registry.lines import instant
from credit_registry.nothing import together, told
from credit_registry.penalties import china_day
from credit_registry.recognition import as_known, assess
from credit_registry.register import Register
from credit_registry.sources import sources_of
from credit_registry.trace import Asker, checked, trace
from records.credit import Message, messages
from schemas.credit_facts import purposes
from schemas.crosswalks import Crosswalk, crosswalk_in_force, crosswalks
from schemas.files import fold
from schemas.identifiers import Uscc, read_uscc

if TYPE_CHECKING:
    from records.store import Records

__all__ = ["ANSWER", "Asker", "answer", "compose", "is_name", "read_subject", "sources_of"]

ANSWER = "gongzhi-credit-answer/1"
OUT_OF_VIEW_SHOWN = "found-out-of-view"
"""Result of a traced look-up that showed a reviewer what is out of view by now."""
REVIEWED = ("lookup", "history")
"""Kinds of access that may show what is out of view by now; papers and lists are passed on and never do."""


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
        review = kind in REVIEWED and purposes()[asker.purpose].shows_repaired
        document, dossier = compose(
            register, messages(records, subject), code, viewer, on, known, now=now, editions=editions, review=review
        )
    except BadCode:
        trace(records, asker, kind, code, at=now, version=version, result="bad_code")
        raise
    shown = len(document["ratings"]["lines"]) + len(document["penalties"]["lines"])
    kept = trace(
        records, asker, kind, code, at=now, version=version,
        result=OUT_OF_VIEW_SHOWN if document["as_of"]["out_of_view"] else document["state"],
        uscc=read.code, owners=owners_of(dossier), count=shown,
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
    review: bool = False,
) -> tuple[dict[str, Any], Dossier | None]:
    """Make the document without asking who asks (``query`` is null), and give the dossier behind it.

    Parameters
    ----------
    heard : sequence of Message
        All messages told so far, also where ``known`` is earlier: what was repaired since is out of view.
    review : bool
        Show that too, marked: for who reviews a decision made then.

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
    sources = sources_of(register, books, viewer, moment)
    since = NOTHING_BARRED
    if register is not None and dossier is not None and known is not None:
        since = barred(dossier, register.dossier(subject, None, heard), max(on, china_day(now)))
    view = View(viewer, on, NOTHING_BARRED if review else since, since)
    found = assess(dossier, viewer, books, on, moment, view.left_out) if dossier else None
    ratings = ratings_block(found, dossier, sources, view)
    penalties = penalties_block(dossier, sources, view)
    state = together([ratings["state"], penalties["state"]])
    return {
        "document": ANSWER,
        "state": state,
        "query": None,
        "identity": identity_block(dossier, subject, read, sources),
        "ratings": ratings,
        "penalties": penalties,
        "in_progress": in_progress_block(dossier, ratings, penalties, sources),
        "supervision": told("source_unavailable") | {"lines": []},
        "unknown": unknown_block(sources, ratings, penalties, namesakes_of(register, dossier)),
        "as_of": as_of_block(register, crosswalk_in_force(books, on, moment), on, moment, known)
        | {"out_of_view": shown_out_of_view(ratings, penalties)},
        "attention": attention_block(found),
    }, dossier
