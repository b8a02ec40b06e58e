"""One night: every source is visited, what is new goes down the road, and what came of it is judged.

Sources are pulled by a few threads, two at most to one host, while this one thread walks what they bring, so that a
slow bureau does not hold up the other. A source is one visit of the run's ledger: a run taken up after a crash passes
over the visits that are finished, and what was acknowledged before the crash is a repeat. Nothing is judged from what
a source says of its own times: news is new bytes, and whether a period came is read from the rows.
"""

from __future__ import annotations

import contextlib
import logging
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from queue import Empty, Full, Queue
from threading import BoundedSemaphore, Event
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pipelines import alarms, chores
from pipelines.batch import Outcome
from pipelines.board import board
from pipelines.errors import FetchError, OurFault, RoadError, Stopped
from pipelines.intake.fetch import certificate_ends, open_client
from pipelines.intake.pull import PAYLOAD, Arrival, Look, Wanted, pull
from pipelines.intake.receive import keep
from pipelines.lapsed import GIVEN_UP, carry_lapsed
from pipelines.sync import NIGHT, Road, renew_catalogue, resume, scratch_of, submit
from records.alarms import Alarm, Trouble, tell
from records.alarms import alarms as open_alarms
from records.errors import RecordsError
from records.runs import (
    Exchange,
    FinishedVisit,
    Item,
    Run,
    Visit,
    all_items,
    begin_visits,
    finish_visits,
    save_arrival,
    save_looks,
    visits,
)
from schemas.files import MalformedFact
from schemas.sources import Source

if TYPE_CHECKING:
    from pipelines.intake.fetch import Secret
    from records.store import Records

CHINA = timezone(timedelta(hours=8))
PULLERS = 4
PER_HOST = 2
WAITING = 32
"""Arrivals that may wait on the disk for the one thread that walks."""
DONE = "done"

log = logging.getLogger("gongzhi.night")


@dataclass
class Night:
    """What a night needs from outside."""

    road: Road
    sources: Mapping[str, Source]
    faults: Sequence[MalformedFact] = ()
    secret: Callable[[str], Secret | None] = field(default=lambda name: None)
    stopping: Callable[[], bool] = field(default=lambda: False)
    channels: Sequence[str] = ("log",)
    backups: Path | None = None
    told: Callable[[dict[str, Any]], None] = field(default=lambda summary: None)
    """Called at the end of a run with its summary: pages and messages are the portal's."""
    beside: Callable[[], Sequence[Trouble]] = field(default=lambda: ())
    """Brings up to date what is built on the shared tables, before the alarms are judged; gives what went wrong."""

    def __post_init__(self) -> None:
        self.road.progress = self.check
        self.road.catalogue_later = True

    def check(self, step: str = "") -> None:
        """Leave at a safe point when the service stops: between two files, and between two steps of one."""
        if self.stopping():
            raise Stopped

    @property
    def records(self) -> Records:
        """The records, fenced by the lease of the run."""
        return self.road.kept


@dataclass
class Tally:
    """One visit while it goes on."""

    source: Source
    visit: Visit
    look: Look
    arrived: int = 0
    batches: list[str] = field(default_factory=list)
    error: RoadError | None = None


def run_night(night: Night, run: Run) -> dict[str, Any]:
    """Visit every source, do the nightly chores, judge the alarms; give the summary of the run."""
    sunday = _day(run.due_at).isoweekday() == 7
    chosen = [source for source in night.sources.values() if source.enabled]
    return _run(night, run, chosen, Wanted(full=sunday), nightly=True)


def run_hour(night: Night, run: Run) -> dict[str, Any]:
    """Visit what is due by the hour, and what is still awaited or failed at its last visit; judge the alarms."""
    now = night.road.clock()
    awaited = {
        cell.source
        for cell in board(night.records, night.sources, _day(now) - timedelta(days=3), _day(now), now).cells
        if cell.pending or cell.missing or cell.state == "failed"
    }
    chosen = [s for s in night.sources.values() if s.enabled and (s.pull == "hour" or s.key in awaited)]
    return _run(night, run, chosen, Wanted(), nightly=False)


def run_once(night: Night, run: Run, chosen: Sequence[Source], wanted: Wanted) -> dict[str, Any]:
    """Visit chosen sources now; a range of days is asked of those only where one of its periods is missing."""
    if wanted.first is not None and wanted.last is not None and not wanted.force:
        lacking = alarms.lacking(night.records, chosen, wanted.first, wanted.last)
        chosen = [source for source in chosen if source.key in lacking]
    return _run(night, run, chosen, wanted, nightly=False)


def _run(night: Night, run: Run, chosen: Sequence[Source], wanted: Wanted, *, nightly: bool) -> dict[str, Any]:
    began = night.road.clock()
    late = [outcome.batch_id for outcome in resume(night.road)]
    visit_all(night, run, chosen, wanted)
    _renew_catalogue(night)
    done = {chore.name: chore.as_json() for chore in _chores(night, run, wanted.full)} if nightly else {}
    told = judge_alarms(night, done)
    summary = {
        "run": run.run_id, "job": run.job, "slot": run.slot, "kind": run.kind, "attempts": run.attempts,
        "started_at": began.isoformat(), "finished_at": night.road.clock().isoformat(), "taken_up": late,
        **_totals(night, run), "chores": done,
        **_alarms_told(told),
    }  # fmt: skip
    night.told(summary)
    return summary


def _alarms_told(told: Sequence[Alarm]) -> dict[str, list[str]]:
    """Name the alarms that are open, those that are over, and those whose periods never came."""
    ends: dict[str, list[str]] = {"alarms": [], "recovered": [], "given_up": []}
    for alarm in told:
        end = "alarms" if alarm.closed_at is None else "given_up" if alarm.detail.get(GIVEN_UP) else "recovered"
        ends[end].append(f"{alarm.code} {alarm.source}".strip())
    return ends


def _renew_catalogue(night: Night) -> None:
    """Bring the catalogue up to what was published; where it cannot be written the night goes on, the next run tries."""
    night.road.confirm()
    try:
        renew_catalogue(night.road)
    except (RoadError, OSError) as error:
        log.error("目录未能更新 / the catalogue was not written: %s", error)


def _totals(night: Night, run: Run) -> dict[str, Any]:
    """Add up what the ledger has of a run, so that one taken up after a crash tells what an undisturbed one tells."""
    seen = visits(night.records, run_id=run.run_id)
    states = Counter(visit.state for visit in seen)
    numbers = list(dict.fromkeys(number for visit in reversed(seen) for number in visit.batches))
    results: Counter[str] = Counter(dict.fromkeys(("read", "published", "quarantined"), 0))
    for number in numbers:
        batch = night.records.batch(number)
        if batch.received_at >= run.started_at:  # a repeat was counted when it first came
            results.update({name: batch.results.get(name, 0) for name in results})
    return {
        "sources": {state: states[state] for state in ("new", "unchanged", "empty", "failed", "skipped")},
        "files": sum(visit.arrived for visit in seen),
        "batches": numbers,
        "results": dict(results),
    }


def _chores(night: Night, run: Run, full: bool) -> Iterator[chores.Chore]:
    road = night.road
    yield from chores.chores(
        night.records, road.places, road.clock, gate=lambda: _gate_of(road), backups=night.backups,
        stopping=night.stopping, confirm=road.confirm, day=_day(run.due_at) - timedelta(days=1), full=full,
    )  # fmt: skip


def _gate_of(road: Road) -> Any:
    road.start(gate=True)
    return road.gate


def judge_alarms(night: Night, done: Mapping[str, Mapping[str, Any]]) -> list[Alarm]:
    """Hold the board and the chores against what was expected; open, keep and close alarms."""
    now = night.road.clock()
    seen = board(night.records, night.sources, _day(now) - timedelta(days=31), _day(now), now)
    found = alarms.troubles(night.records, night.sources, night.faults, seen, done, now, _certificates(night))
    found += night.beside()
    still_open = open_alarms(night.records)
    found, given_up = carry_lapsed(found, still_open, seen)
    # alarms of a source that was taken out of the declarations are over too
    judged = {*night.sources, "", *(alarm.source for alarm in still_open)}
    return tell(night.records, found, judged, now, night.channels, given_up=given_up)


def _certificates(night: Night) -> dict[str, datetime]:
    """Say when our client certificates end; one that cannot be read is told by the visit that needs it."""
    ends = {}
    for source in night.sources.values():
        if source.certificate and source.enabled:
            with contextlib.suppress(FetchError):
                ends[source.key] = certificate_ends(source.folder / source.certificate)
    return ends


# -- visits ---------------------------------------------------------------------------------------------------


def visit_all(night: Night, run: Run, chosen: Sequence[Source], wanted: Wanted) -> None:
    """Visit sources, both bureaus in turn; what arrives is walked here, one file after another."""
    records, now = night.records, night.road.clock()
    begun = begin_visits(records, run.run_id, [(s.key, s.bureau) for s in chosen], now)
    tripped = alarms.circuits_open(records, now) if not wanted.force else set()
    known = all_items(records)
    todo = []
    for source in _in_turn(chosen):
        visit = begun[source.key]
        if visit.state != "running":
            continue
        if source.key in tripped:
            finish_visits(records, [_skipped(visit)], now)
            continue
        if _has_answered(visit, source, known):
            finish_visits(records, [_finished(Tally(source, visit, Look(source, seen=1)))], now)
            continue
        todo.append(Tally(source, visit, Look(source)))
    with scratch_of(night.road) as scratch:
        _walk_as_they_come(night, todo, known, wanted, scratch)


def _has_answered(visit: Visit, source: Source, known: Mapping[str, Mapping[str, Item]]) -> bool:
    """Tell whether an API gave its answer in this visit before a crash; asked for the time since, it gives another."""
    answer = known.get(source.key, {}).get(PAYLOAD) if source.kind == "api" else None
    return answer is not None and answer.last_seen >= visit.started_at


def _in_turn(chosen: Sequence[Source]) -> list[Source]:
    """Interleave the bureaus, so that a long list of one does not stand before the other's."""
    queues: dict[str, list[Source]] = defaultdict(list)
    for source in chosen:
        queues[source.bureau].append(source)
    longest = max(map(len, queues.values()), default=0)
    return [queue[n] for n in range(longest) for queue in queues.values() if n < len(queue)]


def _walk_as_they_come(
    night: Night, todo: list[Tally], known: Mapping[str, Mapping[str, Item]], wanted: Wanted, scratch: Path
) -> None:
    inbox: Queue[tuple[Tally, Arrival | Exception | str]] = Queue(maxsize=WAITING)
    halt = Event()
    hosts: dict[str, BoundedSemaphore] = defaultdict(lambda: BoundedSemaphore(PER_HOST))
    turns = {tally.source.key: hosts[urlsplit(tally.source.url).netloc or tally.source.key] for tally in todo}

    def stopping() -> bool:
        return halt.is_set() or night.stopping()

    def put(tally: Tally, what: Arrival | Exception | str) -> None:
        while not stopping():
            with contextlib.suppress(Full):
                inbox.put((tally, what), timeout=0.2)
                return

    def bring(tally: Tally, number: int) -> None:
        folder = scratch / f"source-{number}"
        folder.mkdir()
        try:
            with turns[tally.source.key]:
                for arrival in _pull(night, tally, known.get(tally.source.key, {}), wanted, folder, stopping):
                    put(tally, arrival)
        except Exception as error:
            put(tally, error)
        put(tally, DONE)

    quiet: list[Tally] = []
    with ThreadPoolExecutor(PULLERS) as pool:
        try:
            for number, tally in enumerate(todo):
                pool.submit(bring, tally, number)
            waiting = len(todo)
            while waiting:
                night.check()
                try:
                    tally, what = inbox.get(timeout=0.2)
                except Empty:
                    continue
                if isinstance(what, Arrival):
                    try:
                        _take(night, tally, what)
                    except Exception as error:
                        tally.error = _as_error(error)
                elif isinstance(what, Exception):
                    tally.error = _as_error(what)
                else:
                    waiting -= 1
                    if tally.arrived:
                        _finish(night, [tally])
                    else:
                        quiet.append(tally)
        finally:
            halt.set()
            pool.shutdown(wait=True, cancel_futures=True)
    _finish(night, quiet)


def _pull(
    night: Night,
    tally: Tally,
    known: Mapping[str, Item],
    wanted: Wanted,
    folder: Path,
    stopping: Callable[[], bool],
) -> Iterator[Arrival]:
    source, clock = tally.source, night.road.clock
    home = night.road.places.home
    if source.kind == "folder":
        yield from pull(source, known, wanted, tally.look, None, home, folder, clock(), stopping)
        return
    secret = night.secret(source.credentials) if source.credentials else None
    with open_client(source, folder, clock, secret, stopping) as client:
        yield from pull(source, known, wanted, tally.look, client, home, folder, clock(), stopping)


def _take(night: Night, tally: Tally, arrival: Arrival) -> None:
    """Walk one arrival down the road, and remember that it came only when it has been acknowledged."""
    road, source = night.road, tally.source
    outcomes: list[Outcome] = []
    try:
        for part in arrival.parts:  # what was read to make this file is evidence too
            keep(part, road.places.uploads, road.limits.file_bytes)
        for outcome in submit(
            road, arrival.path, source.bureau, source.dataset,
            layout=source.layout, submitted_by=f"{NIGHT}{source.key}",
        ):  # fmt: skip
            outcomes.append(outcome)
    finally:
        arrival.path.unlink(missing_ok=True)
    batches = [outcome.batch_id for outcome in outcomes if outcome.batch_id]
    for outcome in outcomes:
        if outcome.batch_id is None and outcome.error is not None:
            tally.error = FetchError(
                str(outcome.error["code"]), str(outcome.error["message"]), str(outcome.error["message_en"])
            )
    tally.arrived += 1
    tally.batches += batches
    if batches:
        item = replace(arrival.item, batches=tuple(batches))
        save_arrival(night.records, tally.visit, item, arrival.exchanges, batches, road.clock())


def _finish(night: Night, tallies: Iterable[Tally]) -> None:
    """Write the ends of visits, many in one transaction."""
    ended = list(tallies)
    if not ended:
        return
    now = night.road.clock()
    looks: list[tuple[Visit, Sequence[Item], Sequence[Exchange]]] = [
        (t.visit, t.look.steady, t.look.exchanges) for t in ended if t.look.steady or t.look.exchanges
    ]
    if looks:
        save_looks(night.records, looks, now)
    finish_visits(night.records, [_finished(tally) for tally in ended], now)


def _finished(tally: Tally) -> FinishedVisit:
    look, error = tally.look, tally.error
    arrived = max(tally.arrived, tally.visit.arrived)  # before a crash, and since
    state = "new" if arrived else "empty" if look.empty and not tally.source.empty_is_fine else "unchanged"
    return FinishedVisit(
        visit_id=tally.visit.visit_id,
        state=state if error is None else "failed",
        code="" if error is None else error.code,
        message="" if error is None else error.message,
        message_en="" if error is None else error.message_en,
        seen=look.seen,
        arrived=arrived,
        requests=look.requests,
        bytes=look.bytes,
        batches=tuple(tally.batches),
        skew_seconds=look.skew_seconds,
    )


def _skipped(visit: Visit) -> FinishedVisit:
    return FinishedVisit(
        visit_id=visit.visit_id,
        state="skipped",
        code="circuit-open",
        message="连续五次失败，暂停访问，每六小时试一次",
        message_en="five failures in a row: left alone, tried once in six hours",
    )


def _as_error(error: Exception) -> RoadError:
    """Give an error a place in the record; what is not the source's fault ends the run instead."""
    if isinstance(error, Stopped | RecordsError):
        raise error
    if isinstance(error, RoadError):
        return error
    fault = OurFault(
        "our-fault",
        f"程序内部错误（{type(error).__name__}：{error}），本次访问未完成，下次再试",
        f"an error of ours ({type(error).__name__}: {error}): the visit was not finished and will be tried again",
    )
    fault.add_note("".join(traceback.format_exception(error)))
    return fault


def _day(at: datetime) -> date:
    return at.astimezone(CHINA).date()
