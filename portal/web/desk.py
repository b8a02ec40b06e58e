"""工作台: what is to be done, how this period stands, and what is new (U1); from the records only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from starlette.responses import Response

from pipelines.awaited import DueState
from pipelines.board import Board
from portal.deadlines import DAYS, own_board, own_sources
from portal.filing import waiting_for_review
from portal.web.asking import Ask
from portal.web.filing.listing import Line, lines
from portal.web.filing.words import OPEN
from portal.web.pages import age, page
from portal.web.words import DATASETS, DUES
from portal.words import STATES
from records.alarms import Alarm, alarms
from records.batch_pages import Wanted, batch_page, results_since
from records.filings import WantedFilings, filings
from records.store import BatchRecord
from schemas.alarms import alarm_kinds
from schemas.sources import Source

SHOWN = 6
TO_DO = tuple(state for state in OPEN if state not in ("queued", "checking", "handing_in", "in_review"))
"""States of filings that wait for their sender."""
TONES = {"received": "good", "late": "warn", "missing": "bad", "pending": ""}
BATCH_TONES = {"published": "good", "refused": "bad", "held": "warn"}


@dataclass(frozen=True, slots=True)
class DueRow:
    """One source of the bureau: the last period due, the next one, and how whole the last days are."""

    source: str
    title: str
    dataset: str
    newest: DueState | None
    coming: DueState | None
    received: int
    expected: int
    lag: str

    @property
    def percent(self) -> int:
        """Say how much of what was due is there."""
        return 100 * self.received // self.expected if self.expected else 0


def desk(ask: Ask) -> Response:
    """Show the desk."""
    bureau, records, now = ask.me.bureau, ask.site.records, ask.at
    deliveries = ask.may("batch.read", bureau).ok
    own = own_sources(ask.site.places, bureau)
    seen = own_board(records, own, now)
    return page(
        ask, "desk.html", dues=DUES,
        rows=list(due_rows(ask, own, seen)),
        missing=[(own[key], due) for key, due in seen.newest.items() if due.state == "missing"],
        drafts=waiting_for_sender(ask) if deliveries else [],
        returned=refused_lately(ask) if deliveries else [],
        reviews=len(waiting_for_review(records, bureau)) if ask.may("batch.review", bureau).ok else 0,
        may_upload=ask.may("batch.check", bureau).ok,
        batches=batch_page(records, Wanted(bureau), 0, SHOWN).batches if deliveries else (),
        week=results_since(records, bureau, now - DAYS),
        alarms=own_alarms(ask), kinds=alarm_kinds(), deliveries=deliveries,
        states=STATES, tones=TONES, batch_tones=BATCH_TONES,
    )  # fmt: skip


def waiting_for_sender(ask: Ask) -> list[Line]:
    """Give the drafts and returned filings of the bureau, the newest first."""
    found = filings(ask.site.records, WantedFilings(ask.me.bureau, states=TO_DO), 0, SHOWN)
    return [one for one in lines(ask, found.filings) if one.filing.purpose != "check"]


def refused_lately(ask: Ask) -> list[BatchRecord]:
    """Give what was refused or held in the last days and did not come through a reviewer."""
    return [
        batch
        for state in ("refused", "held")
        for batch in batch_page(ask.site.records, Wanted(ask.me.bureau, state), 0, SHOWN).batches
        if batch.received_at >= ask.at - DAYS and not batch.review
    ]


def own_alarms(ask: Ask) -> list[Alarm]:
    """List open alarms of the caller's bureau, and those of the exchange itself."""
    return [alarm for alarm in alarms(ask.site.records) if alarm.bureau in ("", ask.me.bureau)]


def due_rows(ask: Ask, own: dict[str, Source], seen: Board) -> Iterator[DueRow]:
    """Give a row for each source that something is due from."""
    for key, source in own.items():
        if source.timetable is None:
            continue
        cells = [cell for cell in seen.cells if cell.source == key]
        waits = [due for cell in cells for due in cell.dues if due.state == "pending"]
        yield DueRow(
            source=key,
            title=source.title,
            dataset=ask.words.of(DATASETS, source.dataset),
            newest=seen.newest.get(key),
            coming=min(waits, key=lambda due: due.at, default=None),
            received=sum(cell.received for cell in cells),
            expected=sum(cell.received + cell.missing for cell in cells),
            lag=age(ask.words, seen.lag.get(key)),
        )
