"""I2: one enterprise: the grade at a glance, every rating and penalty with its source, and what is not known.

The page shows the answer the command line gives, block by block, and leaves nothing of it out: reasons, both clocks,
facts no document confirms. Records without a code have an address of their own, by their whole name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from credit_registry.answers import is_name, read_subject
from credit_registry.errors import BadCode
from credit_registry.history import history
from credit_registry.wording import MESSAGE_KINDS, PENALTY_STATES, RATING_STATES, plain_number, table_title
from portal.credit_lines import STATES_EN
from portal.credit_uses import kept_by_name
from portal.web.asking import Ask, see
from portal.web.credit.grades import grade_of
from portal.web.credit.standing import (
    Moment,
    NoErrand,
    counter,
    errand,
    look_for_bulk_use,
    moment,
    refuse_scraping,
)
from portal.web.errors import Problem
from portal.web.pages import bureau_of, page
from records.errors import UnknownBatch
from records.store import BatchRecord
from schemas.credit_facts import purposes
from schemas.files import fold


def enterprise(ask: Ask) -> Response:
    """Show one enterprise, by its code."""
    text = fold(ask.path["enterprise"])
    if is_name(text):  # a name never opens a record
        return see("/credit", q=text)
    try:
        subject, _ = read_subject(text)
    except BadCode:
        return _shown(ask, text, f"/credit/enterprises/{quote(text, safe='')}")  # traced and refused there
    address = f"/credit/enterprises/{subject}"
    return _shown(ask, subject, address) if text == subject else see(address, **dict(ask.query))


def nameless(ask: Ask) -> Response:
    """Show what is kept under just a name, without a code."""
    name = fold(ask.query.get("name", ""))
    try:
        with counter(ask) as stood:
            if not name or not is_name(name) or not kept_by_name(stood.desk, name):
                return see("/credit", q=name)
    except NoErrand:
        return see("/credit", q=name)
    return _shown(ask, name, "/credit/nameless")


def _shown(ask: Ask, subject: str, address: str) -> Response:
    when, wants_history = moment(ask), "history" in ask.query
    refuse_scraping(ask, "daily-lookups")
    try:
        why = errand(ask)
        with counter(ask) as stood:
            document = stood.answer(subject, when, "history" if wants_history else "lookup")
            changes = history(stood.desk.register, subject, document)["timeline"] if wants_history else []
            behind = stood.desk.behind
    except NoErrand:
        return see("/credit", q=subject)
    except BadCode as error:
        raise Problem(422, "bad-code", error.message, error.message_en) from error
    look_for_bulk_use(ask)
    return page(
        ask, "credit/enterprise.html",
        document=document, subject=subject, address=address, when=when, why=why, purpose=purposes()[why.purpose],
        grade=grade_of(document), changes=changes, wants_history=wants_history, behind=behind,
        when_of=[datetime.fromisoformat(one["at"]) for one in changes],
        sources=_sources(ask, document), words=Wording(ask),
        query=when.query, slips=ask.may("credit.slip").ok and bool(document["identity"]["uscc"]),
        own_batches=ask.may("batch.read").ok, name=ask.query.get("name", ""), back=_back(when),
    )  # fmt: skip


def _back(when: Moment) -> bool:
    """Whether the page shows another day than today."""
    return when.day is not None or when.known is not None


class Wording:
    """Words for the codes of an answer, in the language of the page."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._bureaus: dict[str, str] = {}

    def bureau(self, code: str) -> str:
        """Name a bureau; a page names the same two many times."""
        if code not in self._bureaus:
            known = bureau_of(self._ask, code)
            self._bureaus[code] = self._ask.words(known.name_zh, known.name_en) if known else code
        return self._bureaus[code]

    def rating_state(self, code: str) -> str:
        """Name the state of a rating."""
        return self._ask.words(RATING_STATES.get(code, code), STATES_EN.get(code, code))

    def penalty_state(self, code: str) -> str:
        """Name the state of a penalty."""
        return self._ask.words(PENALTY_STATES.get(code, code), STATES_EN.get(code, code))

    def number(self, value: float) -> str:
        """Write a number as people do."""
        return plain_number(value)

    def message(self, kind: str) -> str:
        """Name the kind of a message."""
        return self._ask.words(MESSAGE_KINDS.get(kind, kind), kind)

    def table(self, name: str) -> str:
        """Name a shared table."""
        return self._ask.words(*table_title(name))


def _sources(ask: Ask, document: Mapping[str, Any]) -> dict[str, BatchRecord]:
    """Find the deliveries that the lines of an answer came with: file and receipt stand beside each."""
    ratings = document["ratings"]
    lines: Iterable[Mapping[str, Any]] = (*ratings["lines"], *ratings["earlier"], *document["penalties"]["lines"])
    found = {}
    for number in {str(one["batch_id"]) for one in lines}:
        try:
            found[number] = ask.site.records.batch(number)
        except UnknownBatch:  # restored tables may name deliveries whose records are gone
            continue
    return found
