"""运行记录 and 来源: the runs of the night with what they saw, and how each source of data stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from starlette.responses import Response

from pipelines.awaited import DueState
from pipelines.board import board, china_day
from portal.boards import KINDS, PERIODS, VISITS
from portal.web.asking import Ask
from portal.web.errors import Problem
from portal.web.pages import age, page
from portal.web.statistics.overview import bureau_names
from portal.web.words import DATASETS, DUES
from records.runs import Run, Visit, runs, visits
from records.statistics import run_of
from records.vitals import last_successes, last_visits
from schemas.sources import Source, Timetable, sources

RUNS = 100
WEEK = timedelta(days=7)
RUN_STATES = {
    "running": ("进行中", "running"), "done": ("完成", "done"), "failed": ("失败", "failed"),
    "coalesced": ("并入", "coalesced"),
}  # fmt: skip
RUN_KINDS = {
    "scheduled": ("定时", "scheduled"), "catch-up": ("补做", "catch-up"), "manual": ("手动", "by hand"),
    "backfill": ("补取", "backfill"),
}  # fmt: skip
JOBS = {"night": ("夜间任务", "the night"), "hour": ("每小时同步", "the hour"), "sync": ("手动同步", "by hand")}
TONES = {"done": "good", "failed": "bad", "running": "warn", "new": "good", "skipped": "warn", "empty": "warn"}


@dataclass(frozen=True, slots=True)
class Health:
    """How a source stands: its last visit, its last good one, how old its data are, how often it failed of late."""

    source: Source
    due: str
    last: Visit | None
    success: datetime | None
    age: str
    failures: int
    looks: int
    newest: DueState | None


def history(ask: Ask) -> Response:
    """List the newest runs."""
    job = ask.query.get("job", "")
    found = runs(ask.site.records, job=job if job in JOBS else None, limit=RUNS)
    return page(
        ask, "statistics/runs.html",
        runs=found, job=job if job in JOBS else "", jobs=JOBS, states=RUN_STATES, kinds=RUN_KINDS, tones=TONES,
    )  # fmt: skip


def one_run(ask: Ask) -> Response:
    """Show one run: its visits and its chores. Deliveries and messages of the other bureau are not told."""
    run = _run(ask)
    seen = sorted(visits(ask.site.records, run_id=run.run_id), key=lambda one: (one.bureau, one.source))
    system = ask.may("system.read").ok
    chores = run.summary.get("chores") or {}
    return page(
        ask, "statistics/run.html",
        run=run, visits=seen, chores=chores if isinstance(chores, dict) else {}, system=system,
        own=ask.me.bureau, deliveries=ask.may("batch.read", ask.me.bureau).ok,
        names=bureau_names(ask, {one.bureau for one in seen}),
        jobs=JOBS, states=RUN_STATES, kinds=RUN_KINDS, tones=TONES, outcomes=VISITS,
    )  # fmt: skip


def health(ask: Ask) -> Response:
    """Show how each source stands."""
    facts = ask.site.places.site_facts
    found, faults = sources(facts if facts.is_dir() else None)
    return page(
        ask, "statistics/sources.html",
        rows=_health(ask, found), names=bureau_names(ask, {source.bureau for source in found.values()}),
        faults=len(faults), kinds=KINDS, outcomes=VISITS, tones=TONES, dues=DUES, datasets=DATASETS,
    )  # fmt: skip


def _health(ask: Ask, found: dict[str, Source]) -> list[Health]:
    records, now = ask.site.records, ask.at
    seen = board(records, found, china_day(now - WEEK), china_day(now), now)
    last, good = last_visits(records), last_successes(records)
    looks: dict[str, list[Visit]] = {}
    for visit in visits(records, since=now - WEEK):
        looks.setdefault(visit.source, []).append(visit)
    return [
        Health(
            source=source, due=_due(ask, source.timetable), last=last.get(key), success=good.get(key),
            age=age(ask.words, seen.lag.get(key)), failures=sum(one.state == "failed" for one in looks.get(key, ())),
            looks=len(looks.get(key, ())), newest=seen.newest.get(key),
        )
        for key, source in found.items()
    ]  # fmt: skip


def _due(ask: Ask, timetable: Timetable | None) -> str:
    """Say how often something is due, and by when."""
    if timetable is None:
        return "–"
    every = ask.words(*PERIODS[timetable.every])
    if timetable.every == "hour":
        return ask.words(f"{every}第 {timetable.by.minute} 分前", f"{every} by :{timetable.by.minute:02}")
    day = ""
    if timetable.month is not None:
        day = f"{timetable.month:02}-{timetable.day:02} "
    elif timetable.day is not None:
        day = ask.words(f"第 {timetable.day} 日 ", f"day {timetable.day} ")
    elif timetable.lag:
        day = ask.words(f"后 {timetable.lag} 日 ", f"+{timetable.lag} d ")
    return ask.words(f"{every}{day}{timetable.by:%H:%M} 前", f"{every} {day}by {timetable.by:%H:%M}")


def _run(ask: Ask) -> Run:
    number = ask.path["run"]
    found = (
        run_of(ask.site.records, int(number)) if number.isascii() and number.isdigit() and len(number) < 10 else None
    )
    if found is None:
        raise Problem(404)
    return found
