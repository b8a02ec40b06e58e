"""A home that lives through a plan: the real service, ledger, records and tables, under a clock that is set by hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from here_reader import HereReader
from home_model import OpenGate
from month_plan import CHINA, SPECS, Plan, Spec, at
from month_server import TOKEN, BureauServer, address_of

from pipelines.batch import Places
from pipelines.board import Board, board
from pipelines.intake.fetch import Secret
from pipelines.night import Night, run_hour, run_night
from pipelines.schedule import Job, Service, Work, hourly, nightly
from pipelines.slots import Slot
from pipelines.sync import Road
from portal.home import make_home
from records.runs import Run, runs
from records.store import Records
from schemas.sources import sources

LATER = timedelta(minutes=1)
"""How long after its slot a run begins."""
PATIENCE = 60.0


class StillGate(OpenGate):
    """An open gate that has no pages to build."""

    def build_docs(self, since: datetime) -> int:
        return 0


class World:
    """A home, two servers and a service, from the first day of a plan to the noon after its last.

    ``whole``: days on which the real gate and the real reading child are at work.
    """

    def __init__(self, plan: Plan, folder: Path, whole: Collection[date] = ()) -> None:
        self.plan, self.whole = plan, whole
        self.now = at(plan.first)
        self.places = Places(folder, f"sqlite:///{folder / 'records.db'}", str(folder / "tables"))
        list(make_home(self.places, self.now))
        self.records = Records.open(self.places.database_url)
        self.servers = {bureau: BureauServer(bureau, plan, self.clock) for bureau in ("beibei", "mianyang")}
        self.jobs = [
            Job("night", self._since_the_start(nightly(at(plan.first, "02:00").time())), self._at_work(run_night)),
            Job("hour", self._since_the_start(hourly(20), self._hours), self._at_work(run_hour)),
        ]
        self.declared: set[str] | None = None
        self.worked = threading.Event()
        self.service: _Serving | None = None

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        self._pause()
        for server in self.servers.values():
            server.close()
        self.records.close()

    def clock(self) -> datetime:
        return self.now.astimezone(UTC)

    def steps(self) -> Iterator[datetime]:
        """Go from one moment that matters to the next; gives each when all that is due then has been done."""
        for moment in self.moments():
            self.now = moment
            self._put_in_place()
            if self.plan.is_paused(moment):
                self._pause()
                continue
            if self.service is None:
                self.service = _Serving(self.records, self.jobs, self.clock)
            self._wait()
            yield moment

    def moments(self) -> list[datetime]:
        """The slots, each a minute late, and the ends of pauses."""
        end = at(self.plan.last + timedelta(days=1), "12:00")
        found = {slot + LATER for job in self.jobs for _, slot in job.slots(self.now, end)}
        return sorted(found | {until for _, until in self.plan.paused})

    def board(self, since: date, until: date) -> Board:
        return board(self.records, self._sources(), since, until, self.clock())

    # -- the exchange -------------------------------------------------------------------------------------------------

    def _since_the_start(
        self, slots: Callable[[datetime, datetime], list[Slot]], hours: Callable[[date], Collection[int]] | None = None
    ) -> Callable[[datetime, datetime], list[Slot]]:
        """Keep the slots of this plan, and of an hourly job those of the hours that matter."""

        def chosen(since: datetime, until: datetime) -> list[Slot]:
            found = [(name, moment.astimezone(CHINA)) for name, moment in slots(max(since, at(self.plan.first)), until)]
            return [
                (name, moment.astimezone(UTC)) for name, moment in found
                if hours is None or moment.hour in hours(moment.date())
            ]  # fmt: skip

        return chosen

    def _hours(self, day: date) -> Collection[int]:
        return self.plan.busy.get(day, self.plan.hours)

    def _at_work(self, walk: Callable[[Night, Run], dict[str, Any]]) -> Callable[[Work], dict[str, Any]]:
        def work(work: Work) -> dict[str, Any]:
            try:
                with self._road(work.records) as road:
                    return walk(Night(road, self._sources(), secret=_secret, stopping=work.stopping), work.run)
            finally:
                self.worked.set()

        return work

    def _road(self, records: Records) -> Road:
        road = Road(self.places, self.clock, records, submitted_by="night", leads=True)
        if self.now.date() not in self.whole:
            road.reader, road.gate = HereReader(road.limits), StillGate(self.places.docs)
        return road

    def _sources(self) -> Any:
        found, faults = sources(self.places.site_facts)
        assert not faults and set(found) == set(SPECS)
        return found

    def _pause(self) -> None:
        if self.service is not None:
            self.service.end()
            self.service = None

    def _wait(self) -> None:
        """Wait until the newest slot of each job has been done."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            self.worked.clear()
            if all(self._is_done(job) for job in self.jobs):
                return
            if self.worked.wait(0.3):  # to ask the ledger all the time would cost the service half of its time
                time.sleep(0.01)  # it has yet to enter the end of the run
        raise AssertionError(f"{self.now}: {[run for run in runs(self.records, limit=3)]}")

    def _is_done(self, job: Job) -> bool:
        slots = job.slots(at(self.plan.first), self.clock())
        newest = runs(self.records, job.name, limit=1)
        if not slots or (newest and newest[0].slot == slots[-1][0] and newest[0].state == "done"):
            return True
        assert not newest or newest[0].state != "failed", newest[0].error
        return False

    # -- the bureaus --------------------------------------------------------------------------------------------------

    def _put_in_place(self) -> None:
        """Lay the files of the watched folders, and declare what is switched on and off."""
        for key in (key for key, spec in SPECS.items() if spec.kind == "folder"):
            folder = self.places.home / "inbox" / SPECS[key].bureau
            folder.mkdir(parents=True, exist_ok=True)
            for name, file in self.plan.listed(key, self.now).items():
                if not (folder / name).exists():
                    (folder / name).write_bytes(file.body)
        off = {key for key in SPECS if self.plan.is_off(key, self.now)}
        if off != self.declared:
            self.declared = off
            for bureau, server in self.servers.items():
                told = [self._block(spec, server) for spec in SPECS.values() if spec.bureau == bureau]
                path = self.places.site_facts / bureau / "sources.toml"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("\n".join(block for block in told if block), encoding="utf-8")

    def _block(self, spec: Spec, server: BureauServer) -> str:
        if spec.kind == "folder":  # shipped
            return ""
        told = [
            "[[sources]]", f'name = "{spec.name}"', f'kind = "{spec.kind}"', f'url = "{address_of(server, spec.key)}"',
            f'dataset = "{spec.dataset}"', 'networks = ["127.0.0.0/8"]', 'credentials = "month"', 'source = "a test"',
            f"enabled = {str(not self.plan.is_off(spec.key, self.now)).lower()}",
        ]  # fmt: skip
        told += [f"least = {spec.least}"] * bool(spec.least)
        told += [f"most = {spec.most}"] * bool(spec.most)
        told += [f"stale_hours = {spec.stale_hours}"] * bool(spec.stale_hours)
        if spec.every:
            told += [
                "[sources.due]",
                f'every = "{spec.every}"',
                f'by = "{spec.by}"',
                f"since = {self.plan.since(spec)}",
            ]
            told += [f"day = {spec.day}"] if spec.day else ["lag = 1"]
        if spec.kind == "api":
            told += [
                "[sources.paging]", 'style = "page"', 'items = "rows"', 'total = "total"', 'size = "size"',
                'since = "since"', 'until = "until"',
            ]  # fmt: skip
        return "\n".join(told) + "\n"


class _Serving:
    """The service in a thread of its own, as long as the exchange is on."""

    def __init__(self, records: Records, jobs: list[Job], clock: Callable[[], datetime]) -> None:
        self.stop = threading.Event()
        service = Service(records, jobs, clock, tick=0.05, lease_seconds=30.0)
        self.thread = threading.Thread(target=service.serve, args=(self.stop,), daemon=True)
        self.thread.start()

    def end(self) -> None:
        self.stop.set()
        self.thread.join(15)
        assert not self.thread.is_alive()


def _secret(name: str) -> Secret:
    assert name == "month"
    return Secret(token=TOKEN)
