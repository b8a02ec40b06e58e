"""Filings on their way: drafts, files in the queue, files that wait for a reviewer; or just those of one upload."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from starlette.responses import Response

from portal.web.asking import Ask
from portal.web.filing.summarising import dataset_words
from portal.web.filing.words import MOVING, OPEN, state_tone, state_words
from portal.web.pages import page
from records.errors import UnknownFiling
from records.filings import Filing, WantedFilings, filing, filings, queue_place

SHOWN = 50
MOST_OF_ONE_UPLOAD = 40


@dataclass(frozen=True, slots=True)
class Line:
    """A filing as a line of a list."""

    filing: Filing
    state: tuple[str, str]
    tone: str
    dataset: str
    place: int


def listed(ask: Ask) -> Response:
    """List the filings of the caller's bureau that somebody has still to do something with."""
    ask.need("batch.read", ask.me.bureau)
    group = ask.query.get("group", "")
    if group:
        found = list(_of_upload(ask, group.split(".")[:MOST_OF_ONE_UPLOAD]))
        total = len(found)
    else:
        seen = filings(ask.site.records, WantedFilings(ask.me.bureau, states=OPEN), 0, SHOWN)
        found, total = list(seen.filings), seen.total
    return page(
        ask, "filing/list.html",
        filings=list(lines(ask, found)), total=total, group=bool(group), moving=any(one.state in MOVING for one in found),
        address=f"/filings?group={'.'.join(one.filing_id for one in found)}" if group else "/filings",
        may_upload=ask.may("batch.check", ask.me.bureau).ok,
    )  # fmt: skip


def lines(ask: Ask, found: Iterable[Filing]) -> Iterator[Line]:
    """Give filings as lines."""
    for one in found:
        place = queue_place(ask.site.records, one.filing_id) if one.state in ("queued", "handing_in") else 0
        yield Line(one, state_words(one), state_tone(one), dataset_words(ask, one), place)


def _of_upload(ask: Ask, numbers: Iterable[str]) -> Iterator[Filing]:
    """Give the filings an address names; what is another bureau's, or nobody's, is left out."""
    for number in numbers:
        try:
            found = filing(ask.site.records, number)
        except UnknownFiling:
            continue
        if found.bureau == ask.me.bureau:
            yield found
