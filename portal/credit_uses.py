"""What somebody does before the opened register: look up, search, screen a list, issue a slip.

The command line, the pages and the interface for programs ask these same functions; every use is traced here. A name
never opens a record: whoever asks by name gets a list, also where one enterprise bears just that name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from portal.boards import CHINA
from portal.credit import Desk

if TYPE_CHECKING:
    from credit_registry.screening import Screening
    from credit_registry.search import Hit
    from credit_registry.trace import Asker
    from records.credit import Access
    from records.store import Records

CANDIDATES = "gongzhi-credit-candidates/1"
SLIPS, SCREENINGS = "credit/slips", "credit/screenings"


class AsOf(Protocol):
    """As of when: valid on a day (None: today), as known at an instant or day as written (None: now)."""

    @property
    def day(self) -> date | None:
        """The day an answer must be valid on."""

    @property
    def known(self) -> str | None:
        """As known then."""


@dataclass(frozen=True)
class Counter:
    """Who stands before the opened register."""

    desk: Desk
    asker: Asker
    viewer: str
    at: datetime

    @property
    def records(self) -> Records:
        """The records of the home."""
        return self.desk.records

    def day(self, when: AsOf) -> date:
        """The day an answer must be valid on."""
        return when.day or self.at.astimezone(CHINA).date()

    def note(self, kind: str, asked: str, result: str, count: int = 0, owners: tuple[str, ...] = ()) -> Access:
        """Keep one use that gives no single answer."""
        from credit_registry.trace import trace

        return trace(
            self.records, self.asker, kind, asked,
            at=self.at, version=self.desk.version, result=result, count=count, owners=owners,
        )  # fmt: skip

    def answer(self, code: str, when: AsOf, kind: str) -> dict[str, Any]:
        """Answer and trace one look-up."""
        from credit_registry.answers import answer
        from portal.credit import read_known

        return answer(
            self.desk.register, self.records, code, self.viewer, self.day(when),
            read_known(when.known, self.at), self.asker, now=self.at, kind=kind, editions=self.desk.editions,
        )  # fmt: skip

    def sources(self) -> list[dict[str, Any]]:
        """Every source an answer to this viewer rests on, with its last record, also those that never came."""
        from credit_registry.answers import sources_of

        return sources_of(self.desk.register, self.desk.editions, self.viewer, self.at)


def kept_by_name(desk: Desk, name: str) -> bool:
    """Tell whether there are records under just this name that bear no code."""
    dossier = desk.register.dossier(name) if desk.register else None
    return dossier is not None and not dossier.uscc


# -- searching --------------------------------------------------------------------------------------------------------


def search(counter: Counter, text: str, kind: str, limit: int = 10) -> tuple[list[Hit], dict[str, Any]]:
    """List candidates with what matched, and keep the trace; give the hits, and the document of them."""
    desk = counter.desk
    hits = desk.finder.find(text, limit) if desk.finder else []
    state = "candidates" if hits else "no_record" if desk.finder and desk.has_data else "source_unavailable"
    return hits, _document(counter, counter.note(kind, text, state, len(hits)), state, hits)


def _document(counter: Counter, kept: Access, state: str, hits: Sequence[Hit]) -> dict[str, Any]:
    from credit_registry.nothing import told

    register = counter.desk.register
    return {
        "document": CANDIDATES,
        **told(state),
        "query": {
            "id": kept.access_id, "at": kept.at.isoformat(), "kind": kept.kind, "asked": kept.asked,
            "version": kept.version, "made_at": register.made_at.isoformat() if register else None,
        },
        "sources": counter.sources(),
        "candidates": [
            {
                "uscc": one.uscc, "subject": one.subject, "name": one.name, "current_name": one.current_name,
                "matched": one.matched_field, "score": round(one.score, 1), "why": one.why_zh, "why_en": one.why_en,
                "region": one.region,
            }
            for one in hits
        ],
    }  # fmt: skip


# -- slips ------------------------------------------------------------------------------------------------------------


def issue_slip(counter: Counter, code: str, when: AsOf) -> tuple[dict[str, Any], str]:
    """Look up, make the signed slip and keep a copy in the home; give the slip, and its text as kept."""
    from credit_registry.slip import make_slip
    from credit_registry.wording import bureau_name
    from records.credit_desk import IssuedSlip, add_slip
    from records.keys import KeyRing

    document = counter.answer(code, when, "slip")
    places = counter.desk.places
    made = make_slip(document, KeyRing.open(places.keys).current(), counter.at, issuer=bureau_name(counter.viewer))
    text = json.dumps(made, ensure_ascii=False, sort_keys=True, indent=2) + "\n"
    kept = slip_file(places.home, made["slip_id"])
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(text, encoding="utf-8")
    row = IssuedSlip(made["slip_id"], made["verification_code"], counter.viewer, counter.asker.user, counter.at)
    add_slip(counter.records, row)
    return made, text


def slip_file(home: Path, slip_id: str) -> Path:
    """Where the copy of a slip stands."""
    return home / SLIPS / f"{slip_id}.json"


# -- screening --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GivenList:
    """A list to screen: its name, the SHA-256 of the file as it came, and its lines with their numbers."""

    name: str
    sha256: str
    lines: Sequence[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Screened:
    """What a screening gave: its number, the lines, what it rests on, and the workbook kept of it."""

    number: str
    found: Screening
    facts: Mapping[str, str]
    workbook: bytes


def screen_list(counter: Counter, given: GivenList, when: AsOf, *, most: int | None = None) -> Screened:
    """Screen a list, and keep the signed result.

    Raises
    ------
    BadList
        Nothing but blank lines, or more than ``most``.
    NoRegister
        Nobody ever sent anything: nothing found would say nothing.
    """
    from credit_registry.screening import MOST_LINES, screen
    from credit_registry.workbook import keep, workbook_of
    from portal.credit import read_known
    from portal.credit_lists import answering
    from records.keys import KeyRing

    desk, moment = counter.desk, read_known(when.known, counter.at)
    answer: Callable[[str], dict[str, Any]] = answering(desk, counter.viewer, counter.day(when), moment, counter.at)
    assert desk.finder is not None, "answering() refuses where there is no register"
    found = screen(given.lines, desk.finder, answer, most=most or MOST_LINES)
    hits = found.counts["hit"]
    kept = counter.note("screen", given.name, "found" if hits else "no_record", hits, found.owners)
    facts = _facts(counter, kept.access_id, when, moment or counter.at, given)
    book = workbook_of(found, facts)
    signer = KeyRing.open(desk.places.keys).current()
    keep(desk.places.home / SCREENINGS, kept.access_id, found, book, {"facts": facts}, signer, counter.at)
    return Screened(kept.access_id, found, facts, book)


def _facts(counter: Counter, number: str, when: AsOf, known: datetime, given: GivenList) -> dict[str, str]:
    """What a screening rests on, as it stands on the last sheet."""
    from credit_registry.wording import moment, source_in_words
    from schemas.credit_facts import purposes

    asker = counter.asker
    return {
        "核查编号": number, "查询人": asker.user, "单位": asker.unit, "执法证号": asker.certificate or "—",
        "目的": purposes()[asker.purpose].title_zh, "计划编号": asker.plan or "—", "查询时间": moment(counter.at),
        "有效日": counter.day(when).isoformat(), "所知至": moment(known), "数据版本": counter.desk.version,
        "来源": "\n".join(source_in_words(one) for one in counter.sources()),
        "名单文件": given.name, "名单 SHA-256": given.sha256,
    }  # fmt: skip
