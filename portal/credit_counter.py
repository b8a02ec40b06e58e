"""Who stands before the opened register on the command line, and the candidates a name gives.

A name never opens a record: whoever asks by name gets a list, also where one enterprise bears just that name, with what
matched and how well, and asks again by code.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from portal.cli import CST, Exit, data, now, records_of, stop, words
from portal.credit_options import When, Who
from portal.settings import read_credit_settings, read_settings
from portal.words import say

if TYPE_CHECKING:
    from credit_registry.search import Hit
    from credit_registry.trace import Asker
    from portal.credit import Desk
    from records.credit import Access
    from records.store import Records

CANDIDATES = "gongzhi-credit-candidates/1"


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

    def day(self, when: When) -> date:
        """The day an answer must be valid on."""
        return when.day or self.at.astimezone(CST).date()

    def note(self, kind: str, asked: str, result: str, count: int = 0, owners: tuple[str, ...] = ()) -> Access:
        """Keep one use that gives no single answer."""
        from credit_registry.trace import trace

        return trace(
            self.records, self.asker, kind, asked,
            at=self.at, version=self.desk.version, result=result, count=count, owners=owners,
        )  # fmt: skip

    def answer(self, code: str, when: When, kind: str) -> dict[str, Any]:
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


@contextmanager
def counter_of(home: Path | None, who: Who) -> Iterator[Counter]:
    """Check who asks, open the newest register, and look for bulk use afterwards."""
    from credit_registry.trace import checked
    from portal.credit import asker_of, desk_of, viewer_of, watch

    default = read_credit_settings()
    given = (who.unit or default.unit, who.certificate or default.certificate, who.purpose or default.purpose, who.plan)
    asker = checked(asker_of(read_settings().user, *given))
    with records_of(home) as (places, records):
        viewer = viewer_of(asker.unit, places)
        with desk_of(places, records, now()) as desk:
            if desk.behind is not None:
                words(say(desk.behind.message, desk.behind.message_en))
                words(say("以下为上一次建立的信用库", "what follows comes from the register built before"))
            try:
                yield Counter(desk, asker, viewer, now())
            finally:
                watch(places, records, now())


def print_json(document: Mapping[str, Any]) -> None:
    """Give a document on one line."""
    data(json.dumps(document, ensure_ascii=False))


def asks_by_name(text: str) -> bool:
    """Tell whether a text is a name; ends with words where it is nothing at all."""
    from credit_registry.answers import is_name
    from schemas.files import fold

    if not fold(text):
        stop(Exit.USE, "请写明统一社会信用代码或企业名称", "name a code or an enterprise")
    return is_name(text)


def kept_by_name(counter: Counter, text: str) -> bool:
    """Tell whether there are records under just this name that bear no code."""
    register = counter.desk.register
    dossier = register.dossier(text) if register and asks_by_name(text) else None
    return dossier is not None and not dossier.uscc


def candidates(counter: Counter, text: str, kind: str, as_json: bool, limit: int = 10) -> bool:
    """List candidates with what matched, and keep the trace; give whether there is one."""
    from portal.credit_lines import hit_lines

    finder = counter.desk.finder
    hits = finder.find(text, limit) if finder else []
    state = "candidates" if hits else "no_record" if finder and counter.desk.has_data else "source_unavailable"
    document = _document(counter, counter.note(kind, text, state, len(hits)), state, hits)
    if as_json:
        print_json(document)
        return bool(hits)
    for line in hit_lines(document):
        data(line)
    if hits:
        words(_go_on(hits))
    return bool(hits)


def _go_on(hits: Sequence[Hit]) -> str:
    """Say how to go on from a list of candidates."""
    code = next((one.uscc for one in hits if one.uscc), "")
    said = [
        say("名称不是身份，只列候选，不打开记录。", "A name is no identity: candidates only, no record was opened.")
    ]
    if code:
        said.append(
            say(
                f"请核对名称和登记地后用代码查询，如：gongzhi credit lookup {code}",
                f"Check name and place, then ask by code, as: gongzhi credit lookup {code}",
            )
        )
    if not all(one.uscc for one in hits):
        said.append(
            say(
                "没有代码的记录：gongzhi credit lookup --no-code '名称全文'",
                "Records without a code: gongzhi credit lookup --no-code 'the whole name'",
            )
        )
    return "\n".join(said)


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
