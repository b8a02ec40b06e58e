"""Real worker processes, killed, left alone, hanging: each file ends once, and the next one goes through."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from filing_desk import NOON, air, begun, checked, handed_in, left_of

from pipelines.batch import Places
from pipelines.sync import Road, _held
from portal.filing import FilingDesk
from portal.filing.crew import WORKER, Crew
from portal.filing.drafts import FILE, folder_of
from portal.settings import WrongSetting, read_portal_settings
from records.chain import verify_chain
from records.filing_jobs import TAKEN, Job, open_jobs
from records.filings import filing, filing_events

PATIENCE = 90
"""Seconds until a test gives up waiting; the machine may be busy."""
HASTY = """
import dataclasses
from portal.filing import worker
opened = worker.open_desk
def hasty(places, records):
    desk = opened(places, records)
    rules = dataclasses.replace(desk.rules, workers=dataclasses.replace(desk.rules.workers, seconds=6, jobs=2))
    return dataclasses.replace(desk, rules=rules)
worker.open_desk = hasty
worker.main()
"""


def until(what: Callable[[], object], seconds: float = PATIENCE) -> object:
    """Wait for something; give it."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)
    return found


@contextmanager
def crew_of(desk: FilingDesk, count: int = 2, command: Sequence[str] = WORKER) -> Iterator[Crew]:
    crew = Crew(desk.places, count, lambda: NOON, command)
    crew.start()
    try:
        yield crew
    finally:
        crew.stop()


def taken(desk: FilingDesk, filing_id: str, after: str = "") -> Callable[[], Job | None]:
    """The job of a filing, once somebody other than ``after`` took it."""

    def look() -> Job | None:
        found = [one for one in open_jobs(desk.records) if one.filing_id == filing_id and one.state == TAKEN]
        return found[0] if found and found[0].holder != after else None

    return look


def pid_of(job: Job) -> int:
    return int(job.holder.split(":")[-2])


def ended(desk: FilingDesk, filing_id: str, *states: str) -> Callable[[], bool]:
    return lambda: filing(desk.records, filing_id).state in states


def stuck(desk: FilingDesk, filing_id: str) -> Path:
    """Put a pipe nobody writes to in the place of a draft: reading it never ends. Gives the file as it was."""
    draft = folder_of(desk.places, filing_id) / FILE
    aside = draft.with_name("aside")
    os.replace(draft, aside)
    os.mkfifo(draft)
    return aside


def test_a_worker_killed_in_the_middle_leaves_its_job_to_another_and_one_batch(desk):
    one = handed_in(desk, checked(desk, air(1)))
    road = Road(desk.places, lambda: NOON, desk.records)
    with crew_of(desk):
        with _held(road, one.batch_id):  # so that the walk stands still where it begins
            first = until(taken(desk, one.filing_id))
            os.kill(pid_of(first), signal.SIGKILL)
            since = time.monotonic()
            second = until(taken(desk, one.filing_id, first.holder))
            waited = time.monotonic() - since
        until(ended(desk, one.filing_id, "published"))
        until(lambda: not open_jobs(desk.records))
    assert second.tries == 2 and pid_of(second) != pid_of(first) and waited <= 5
    assert len(desk.records.batches()) == len(desk.records.publications()) == 1 and left_of(desk.places) == []
    assert [event.state for event in filing_events(desk.records, one.filing_id)].count("published") == 1
    assert verify_chain(desk.records).ok


def test_a_worker_killed_while_it_reads_leaves_the_file_to_be_judged_once(desk):
    one = begun(desk, air(2))
    aside = stuck(desk, one.filing_id)
    with crew_of(desk):
        first = until(taken(desk, one.filing_id))
        until(lambda: filing(desk.records, one.filing_id).state == "checking")
        os.replace(aside, aside.with_name(FILE))
        os.kill(pid_of(first), signal.SIGKILL)
        until(ended(desk, one.filing_id, "checked"))
    done = filing(desk.records, one.filing_id)
    assert done.error is None and done.summary["rows"]["read"] == 6
    assert [event.state for event in filing_events(desk.records, one.filing_id)] == ["queued", "checking", "checked"]


@pytest.mark.slow
def test_a_file_that_never_ends_fails_alone_after_three_tries(desk):
    """The hanging job is ended by the alarm of the system; the other worker goes on meanwhile."""
    endless, good = begun(desk, air(3)), begun(desk, air(4))
    stuck(desk, endless.filing_id)
    with crew_of(desk, command=(sys.executable, "-P", "-c", HASTY)):
        until(ended(desk, good.filing_id, "checked", "failed"))
        assert filing(desk.records, endless.filing_id).state == "checking"
        until(ended(desk, endless.filing_id, "failed"))
        later = begun(desk, air(5))
        until(ended(desk, later.filing_id, "checked", "failed"))
    given_up = filing(desk.records, endless.filing_id)
    assert given_up.error["code"] == "worker-died"
    assert {filing(desk.records, each.filing_id).state for each in (good, later)} == {"checked"}
    assert not open_jobs(desk.records)


def test_workers_go_when_the_crew_stops_and_when_the_portal_is_killed(places: Places):
    crew = Crew(places, 2, lambda: NOON)
    crew.start()
    working = until(lambda: crew.pids() if len(crew.pids()) == 2 else None)
    crew.stop()
    assert not [pid for pid in working if psutil.pid_exists(pid)]
    code = (
        "import sys, time; from pathlib import Path; from pipelines.batch import Places; from portal.filing.crew import Crew\n"
        "crew = Crew(Places(Path(sys.argv[1]), sys.argv[2], sys.argv[3]), 1); crew.start()\n"
        "while not crew.pids(): time.sleep(0.1)\n"
        "print(crew.pids()[0], flush=True); time.sleep(600)"
    )
    told = [sys.executable, "-c", code, str(places.home), places.database_url, places.tables]
    with subprocess.Popen(told, stdout=subprocess.PIPE, text=True) as portal:
        worker = int(portal.stdout.readline())
        portal.kill()
    until(lambda: not psutil.pid_exists(worker) or psutil.Process(worker).status() == psutil.STATUS_ZOMBIE)


@pytest.mark.parametrize(("said", "count"), [("", 2), ("0", 0), ("16", 16)])
def test_the_number_of_workers_is_a_setting(said, count):
    assert read_portal_settings(environment={"GONGZHI_PORTAL_WORKERS": said}).workers == count
    for wrong in ("17", "-1", "two", "２"):
        with pytest.raises(WrongSetting, match="GONGZHI_PORTAL_WORKERS"):
            read_portal_settings(environment={"GONGZHI_PORTAL_WORKERS": wrong})
