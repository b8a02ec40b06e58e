"""One scheduler: which slots are due, how a run ends, and how the service stops; the clock is set by hand."""

from __future__ import annotations

import time as timing
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from threading import Event, Thread
from typing import Any

import pytest

from pipelines import schedule
from pipelines.errors import RoadError, Stopped
from pipelines.schedule import Job, Service, Work, hourly, nightly
from pipelines.slots import due, upcoming
from records.lease import Contender
from records.runs import Run, begin_run, runs
from records.store import Records

CHINA = timezone(timedelta(hours=8))
NIGHT = nightly(time(2))


def china(*numbers: int) -> datetime:
    return datetime(*numbers, tzinfo=CHINA).astimezone(UTC)  # type: ignore[arg-type]


# -- slots ---------------------------------------------------------------------------------------------------


def test_a_night_belongs_to_the_china_day_it_begins_on():
    assert NIGHT(china(2026, 4, 6, 12), china(2026, 4, 7, 12)) == [("2026-04-07", datetime(2026, 4, 6, 18, tzinfo=UTC))]


def test_a_slot_at_the_first_moment_is_past_and_one_at_the_last_has_come():
    at = china(2026, 4, 7, 2)
    assert NIGHT(at, at + timedelta(hours=5)) == []
    assert NIGHT(at - timedelta(seconds=1), at) == [("2026-04-07", at)]


def test_a_leap_day_has_its_night():
    names = [name for name, _ in NIGHT(china(2028, 2, 27, 12), china(2028, 3, 2, 12))]
    assert names == ["2028-02-28", "2028-02-29", "2028-03-01", "2028-03-02"]


def test_the_last_second_of_a_year_belongs_to_it():
    slots = nightly(time(23, 59, 59))
    at = china(2026, 12, 31, 23, 59, 59)
    assert slots(at - timedelta(seconds=1), at + timedelta(seconds=1)) == [("2026-12-31", at)]
    assert hourly(0)(at, at + timedelta(seconds=1)) == [("2027-01-01T00", china(2027, 1, 1))]


def test_a_year_has_as_many_nights_as_days_at_every_month_end():
    for year, days in ((2026, 365), (2028, 366)):
        found = NIGHT(china(year, 1, 1), china(year + 1, 1, 1))
        first = date(year, 1, 1)
        assert [name for name, _ in found] == [(first + timedelta(days=n)).isoformat() for n in range(days)]
        assert all(at.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S") == f"{name} 02:00:00" for name, at in found)


def test_hours_follow_one_another_over_midnight_and_month_end():
    found = hourly(5)(china(2028, 2, 29, 22, 5), china(2028, 3, 1, 1, 5))
    assert [name for name, _ in found] == ["2028-02-29T23", "2028-03-01T00", "2028-03-01T01"]
    assert found[0][1] == china(2028, 2, 29, 23, 5)


def test_summer_time_of_the_years_it_had_in_china_moves_no_slot():
    found = NIGHT(china(1990, 4, 14), china(1990, 4, 17))
    assert [at.hour for _, at in found] == [18, 18, 18]


WEEK = timedelta(days=7)


def test_a_first_start_owes_only_the_newest_slot():
    assert due(NIGHT, WEEK, set(), china(2026, 4, 7, 8)) == [("2026-04-07", china(2026, 4, 7, 2))]
    assert due(NIGHT, timedelta(hours=3), set(), china(2026, 4, 7, 8)) == []


def test_what_was_missed_is_owed_as_far_back_as_is_caught_up():
    found = due(NIGHT, WEEK, {"2026-03-20"}, china(2026, 4, 7, 8))
    assert [name for name, _ in found] == [f"2026-04-{day:02}" for day in range(1, 8)]


def test_a_clock_set_back_owes_nothing_again():
    known = {f"2026-04-{day:02}" for day in range(1, 8)}
    for now in (china(2026, 4, 7, 8), china(2026, 4, 7, 1), china(2026, 4, 3, 12)):
        assert due(NIGHT, WEEK, known, now) == []


def test_a_clock_that_ran_ahead_silences_nothing_when_it_is_right_again():
    known = {"2026-04-06", "2026-04-07", "2036-01-01"}
    assert due(NIGHT, WEEK, known, china(2026, 4, 8, 8)) == [("2026-04-08", china(2026, 4, 8, 2))]
    assert due(NIGHT, WEEK, {"2036-01-01"}, china(2026, 4, 8, 8)) == [("2026-04-08", china(2026, 4, 8, 2))]


def test_the_next_slot_is_found_however_far_it_is():
    assert upcoming(hourly(5), china(2026, 4, 7, 3, 4, 30)) == ("2026-04-07T03", china(2026, 4, 7, 3, 5))
    assert upcoming(NIGHT, china(2026, 4, 7, 3)) == ("2026-04-08", china(2026, 4, 8, 2))
    yearly = lambda since, until: [slot for slot in NIGHT(since, until) if slot[0].endswith("-01-01")]  # noqa: E731
    assert upcoming(yearly, china(2026, 4, 7, 3)) == ("2027-01-01", china(2027, 1, 1, 2))


# -- the service ---------------------------------------------------------------------------------------------


class Clock:
    """A wall clock set by hand."""

    def __init__(self) -> None:
        self.now = china(2026, 4, 7, 8)

    def __call__(self) -> datetime:
        return self.now


class Serving:
    """A service at work in a thread."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.stop = Event()
        self.failed: BaseException | None = None
        self.thread = Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        try:
            self.service.serve(self.stop)
        except BaseException as error:
            self.failed = error

    def end(self) -> float:
        """Stop, and tell the seconds it took."""
        began = timing.monotonic()
        self.stop.set()
        self.thread.join(15)
        assert not self.thread.is_alive()
        return timing.monotonic() - began


@pytest.fixture
def clock() -> Clock:
    return Clock()


Serve = Callable[..., Serving]


@pytest.fixture
def serve(records: Records, clock: Clock) -> Iterator[Serve]:
    """Start services with quick settings; what still serves at the end is stopped."""
    started: list[Serving] = []

    def start(*jobs: Job, **settings: Any) -> Serving:
        settings = {"tick": 0.05, "lease_seconds": 2.0, **settings}
        started.append(Serving(Service(records, jobs, clock, **settings)))
        return started[-1]

    yield start
    for serving in started:
        serving.end()


def until(true: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Wait until something is so, and give it."""
    end = timing.monotonic() + seconds
    while timing.monotonic() < end:
        if found := true():
            return found
        timing.sleep(0.02)
    raise AssertionError("it did not come about in time")


def ended(records: Records, slot: str) -> Callable[[], Run | None]:
    return lambda: next((run for run in runs(records) if run.slot == slot and run.state not in ("running",)), None)


def told(work: Work) -> dict[str, Any]:
    return {"slot": work.run.slot}


def test_a_missed_slot_runs_at_once_after_the_start(records, serve):
    began = timing.monotonic()
    serve(Job("night", NIGHT, told))
    run = until(ended(records, "2026-04-07"))
    assert (run.state, run.kind, run.summary, run.attempts) == ("done", "catch-up", {"slot": "2026-04-07"}, 1)
    assert timing.monotonic() - began < 10


def test_several_missed_slots_are_one_run_and_each_stands_in_the_ledger(records, serve, clock):
    first = serve(Job("night", NIGHT, told))
    until(ended(records, "2026-04-07"))
    first.end()
    clock.now += timedelta(days=4)
    serve(Job("night", NIGHT, told))
    until(ended(records, "2026-04-11"))
    until(lambda: len(runs(records)) == 5)
    states = {run.slot: run.state for run in runs(records)}
    assert states == {
        "2026-04-07": "done",
        "2026-04-08": "coalesced",
        "2026-04-09": "coalesced",
        "2026-04-10": "coalesced",
        "2026-04-11": "done",
    }


def test_a_slot_that_comes_while_serving_runs_on_schedule_and_once(records, serve, clock):
    serve(Job("night", NIGHT, told))
    until(ended(records, "2026-04-07"))
    clock.now = china(2026, 4, 8, 2, 0, 1)
    assert until(ended(records, "2026-04-08")).kind == "scheduled"
    for now in (china(2026, 4, 8, 1), china(2026, 4, 7, 9), china(2026, 4, 8, 3)):
        clock.now = now
        timing.sleep(0.4)
    assert [run.slot for run in runs(records)] == ["2026-04-08", "2026-04-07"]


def test_a_job_that_raises_is_recorded_as_failed_and_the_next_slot_runs(records, serve, clock):
    heard: list[Run] = []

    def work(work: Work) -> dict[str, Any]:
        if work.run.slot == "2026-04-07":
            raise RoadError("no-light", "停电", "no light")
        return {}

    serve(Job("night", NIGHT, work), failures=heard.append)
    run = until(ended(records, "2026-04-07"))
    assert run.state == "failed" and run.error["code"] == "no-light" and run.error["message"] == "停电"
    clock.now += timedelta(days=1)
    assert until(ended(records, "2026-04-08")).state == "done"
    assert [run.slot for run in heard] == ["2026-04-07"]


def test_a_fault_of_the_program_fails_the_run_and_names_itself(records, serve):
    serve(Job("night", NIGHT, lambda work: {"x": 1 / 0}))
    run = until(ended(records, "2026-04-07"))
    assert run.state == "failed" and "ZeroDivisionError" in run.error["message_en"]


def test_a_run_beyond_its_limit_is_told_to_stop_and_recorded_and_the_next_slot_runs(records, serve, clock):
    def work(work: Work) -> dict[str, Any]:
        if work.run.slot == "2026-04-07":
            until(work.stopping)
            raise Stopped
        return {}

    serve(Job("night", NIGHT, work, limit=timedelta(seconds=0.5)))
    run = until(ended(records, "2026-04-07"))
    assert run.state == "failed" and run.error["code"] == "too-long"
    clock.now += timedelta(days=1)
    assert until(ended(records, "2026-04-08")).state == "done"
    assert [run.attempts for run in runs(records)] == [1, 1]


def test_a_run_that_never_ends_ends_the_service_with_an_error(records, serve):
    hung = Event()
    serving = serve(Job("night", NIGHT, lambda work: {"x": hung.wait(60)}, limit=timedelta(seconds=0.3)), grace=0.3)
    until(lambda: serving.failed)
    assert isinstance(serving.failed, RoadError) and serving.failed.code == "worker-stuck"
    assert runs(records)[0].error["code"] == "too-long"
    hung.set()


def test_a_stop_ends_the_work_at_a_safe_point_and_the_next_start_takes_it_over(records, serve):
    begun = Event()

    def work(work: Work) -> dict[str, Any]:
        begun.set()
        if work.run.attempts == 1:
            until(work.stopping, 30)
            raise Stopped
        return {"attempts": work.run.attempts}

    serving = serve(Job("night", NIGHT, work))
    assert begun.wait(10)
    assert serving.end() < 2
    assert [(run.state, run.attempts) for run in runs(records)] == [("running", 1)]
    serve(Job("night", NIGHT, work))
    run = until(ended(records, "2026-04-07"))
    assert (run.state, run.attempts, run.summary) == ("done", 2, {"attempts": 2})
    assert len(runs(records)) == 1


def test_work_that_does_not_stop_is_left_within_ten_seconds_and_its_run_stays_open(records, serve):
    begun, hung = Event(), Event()

    def work(work: Work) -> dict[str, Any]:
        begun.set()
        hung.wait(60)
        return {}

    serving = serve(Job("night", NIGHT, work))
    assert begun.wait(10)
    assert serving.end() < 10
    assert runs(records)[0].state == "running"
    hung.set()


def test_a_stop_gives_the_lease_back_at_once(records, serve, clock):
    serving = serve(Job("night", NIGHT, told), lease_seconds=60.0)
    until(ended(records, "2026-04-07"))
    other = Contender(records, schedule.LEASE, "elsewhere:1:1", seconds=60.0)
    assert other.try_take(clock()) is None
    serving.end()
    assert other.try_take(clock()) is not None


def test_work_is_told_to_stop_before_the_lease_can_end_when_it_cannot_be_renewed(records, serve):
    begun, told_after = Event(), []

    def work(work: Work) -> dict[str, Any]:
        begun.set()
        if work.run.attempts == 1:
            asked = timing.monotonic()
            until(work.stopping)
            told_after.append(timing.monotonic() - asked)
            raise Stopped
        return {"fence": work.lease.fence}

    serve(Job("night", NIGHT, work))
    assert begun.wait(10)
    with records.database.write():  # another process sits in a write: no renewal comes through
        until(lambda: told_after)
        assert told_after[0] < 2.0
    run = until(ended(records, "2026-04-07"), 40)
    assert (run.state, run.attempts) == ("done", 2)


def test_a_worker_whose_lease_was_taken_can_write_nothing(records, serve, clock):
    lost: list[BaseException] = []
    begun, taken = Event(), Event()

    def work(work: Work) -> dict[str, Any]:
        begun.set()
        assert taken.wait(10)
        try:
            work.records.receive("beibei", "a.csv", "0" * 64, "0" * 64, 1, clock(), "night:x", "rules")
        except BaseException as error:
            lost.append(error)
            raise
        return {}

    serving = serve(Job("night", NIGHT, work), lease_seconds=60.0)
    assert begun.wait(10)
    stint = serving.service._stint
    assert stint is not None
    stint._contender.release(stint.lease, clock())
    assert Contender(records, schedule.LEASE, "elsewhere:1:1", seconds=60.0).try_take(clock()) is not None
    taken.set()
    until(lambda: lost)
    assert type(lost[0]).__name__ == "LeaseLost" and records.batches() == []
    until(lambda: not serving.service.status()["leader"])
    assert runs(records)[0].state == "running"


def test_an_interrupted_run_of_a_job_that_is_no_more_is_reported_and_not_kept_open(records, serve, clock):
    lease = Contender(records, schedule.LEASE, "elsewhere:1:1", seconds=60.0).try_take(clock())
    assert lease is not None
    begin_run(records, "weather", "2026-04-07", "scheduled", clock(), clock(), "elsewhere:1:1", lease.fence)
    Contender(records, schedule.LEASE, "elsewhere:1:1", seconds=60.0).release(lease, clock())
    heard: list[Run] = []
    serve(Job("night", NIGHT, told), failures=heard.append)
    until(ended(records, "2026-04-07"))
    until(lambda: heard)
    run = next(run for run in runs(records) if run.job == "weather")
    assert run.state == "failed" and run.error["code"] == "unknown-job"


def test_jobs_take_turns_and_never_run_at_once(records, serve):
    at_work: list[str] = []
    most: list[int] = []

    def work(work: Work) -> dict[str, Any]:
        at_work.append(work.run.job)
        most.append(len(at_work))
        timing.sleep(0.2)
        at_work.remove(work.run.job)
        return {}

    serve(Job("night", NIGHT, work), Job("hour", hourly(0), work, catch_up=timedelta(hours=3)))
    until(lambda: len([run for run in runs(records) if run.state == "done"]) == 2)
    assert most == [1, 1] and [run.job for run in runs(records)] == ["hour", "night"]


def test_what_is_done_between_the_runs_is_called_again_and_again_and_may_fail(records, serve, caplog):
    called: list[float] = []

    def between() -> None:
        called.append(timing.monotonic())
        raise OSError("no route to the mail server")

    serve(Job("night", NIGHT, told), between=between, pause=0.1)
    until(lambda: len(called) >= 3)
    assert until(ended(records, "2026-04-07")).state == "done"
    assert "no route to the mail server" in caplog.text


def test_one_who_stands_by_does_nothing_between(records, serve, clock):
    other = Contender(records, schedule.LEASE, "elsewhere:1:1", seconds=60.0)
    lease = other.try_take(clock())
    called: list[int] = []
    serving = serve(Job("night", NIGHT, told), between=lambda: called.append(1), pause=0.0, lease_seconds=60.0)
    timing.sleep(0.5)
    assert called == [] and runs(records) == [] and not serving.service.status()["leader"]
    other.release(lease, clock())
    until(ended(records, "2026-04-07"))
    until(lambda: called)


def test_the_status_tells_who_leads_what_runs_and_what_comes(records, serve):
    go = Event()
    serving = serve(Job("night", NIGHT, lambda work: {"waited": go.wait(10)}))
    status = until(lambda: (found := serving.service.status())["running"] and found)
    assert status["leader"] and status["fence"] >= 1 and status["holder"].count(":") == 2
    assert status["running"]["slot"] == "2026-04-07" and status["running"]["state"] == "running"
    assert status["next"] == {"night": {"slot": "2026-04-08", "at": china(2026, 4, 8, 2).isoformat()}}
    go.set()
    until(ended(records, "2026-04-07"))
    assert (
        until(lambda: (found := serving.service.status())["running"] is None and found)["last"]["night"]["state"]
        == "done"
    )


def test_a_jump_of_the_clock_is_said_in_the_log(records, serve, clock, caplog):
    serve(Job("night", NIGHT, told))
    until(ended(records, "2026-04-07"))
    clock.now += timedelta(hours=3)
    until(lambda: "the clock was set by +10800 s" in caplog.text)


# -- a run at the terminal beside the service -----------------------------------------------------------------


def test_an_idle_service_gives_way_to_a_process_that_asks_and_leads_again_afterwards(records, serve, clock):
    serving = serve(Job("night", NIGHT, told), lease_seconds=60.0)
    until(lambda: runs(records) and runs(records)[0].state == "done")
    first = serving.service.status()["fence"]
    other = Contender(records, schedule.LEASE, "elsewhere:1:1", seconds=60.0)
    assert other.try_take(clock()) is None
    other.ask()
    taken: list[Any] = []
    until(lambda: taken.append(other.try_take(clock())) or taken[-1] is not None)
    assert not serving.service.status()["leader"]
    other.release(taken[-1], clock())
    until(lambda: serving.service.status()["leader"])
    assert serving.service.status()["fence"] > taken[-1].fence > first


def test_a_service_at_work_does_not_give_way(records, serve, clock):
    begun, go = Event(), Event()

    def work(work: Work) -> dict[str, Any]:
        begun.set()
        assert go.wait(10)
        return {}

    serving = serve(Job("night", NIGHT, work), lease_seconds=60.0)
    assert begun.wait(10)
    other = Contender(records, schedule.LEASE, "elsewhere:1:1", seconds=60.0)
    other.ask()
    timing.sleep(0.5)
    assert other.try_take(clock()) is None and serving.service.status()["leader"]
    go.set()
    until(lambda: other.try_take(clock()) is not None)
    assert runs(records)[0].state == "done"


def test_one_that_asks_and_never_comes_does_not_silence_the_service(records, serve, clock, monkeypatch):
    monkeypatch.setattr(schedule, "WAY", 0.5)
    serving = serve(Job("night", NIGHT, told))
    until(lambda: serving.service.status()["leader"])
    Contender(records, schedule.LEASE, "elsewhere:1:1", seconds=60.0).ask()
    until(lambda: not serving.service.status()["leader"])
    until(lambda: serving.service.status()["leader"])
