"""Put a night together: road, sources, secrets, page and messages, for the service and for one run at the terminal."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.batch import Places
from pipelines.errors import NotAllowed, RoadError
from portal.boards import CHINA
from portal.channels import Channel, read_channels
from portal.settings import NightSettings, WrongSetting, read_secret
from records.alarms import Trouble, tell
from records.runs import Run, begin_run, finish_run, interrupted, visits
from schemas.alarms import alarm_kinds
from schemas.sources import sources

if TYPE_CHECKING:
    from pipelines.intake.fetch import Secret
    from pipelines.intake.pull import Wanted
    from pipelines.night import Night
    from pipelines.schedule import Job, Work
    from pipelines.stint import Stint
    from records.store import Records
    from schemas.files import MalformedFact
    from schemas.sources import Source

MANUAL = "sync"
"""The job of runs begun at the terminal; each has a slot of its own."""
REGISTER_FAILED = "register-failed"
PAGE_DAYS = 14
CATCH_UP = timedelta(days=7)
WAITING = "夜间任务正在运行，等它结束 / the night is at work, waiting for its end"

Clock = Callable[[], datetime]
log = logging.getLogger("gongzhi.night")


def site_of(places: Places) -> Path | None:
    """Give the facts of a home, if it has some."""
    return places.site_facts if places.site_facts.is_dir() else None


def channels_of(places: Places) -> tuple[Channel, ...]:
    """Give the channels of a home; a malformed one is told in the log, where the operator looks for silence."""
    found, faults = read_channels(places.home / "notify.toml")
    for fault in faults:
        log.error("通知渠道声明有误 / a malformed channel: %s", fault)
    return found


@contextmanager
def night_of(
    places: Places,
    records: Records,
    settings: NightSettings,
    clock: Clock,
    *,
    stopping: Callable[[], bool] = lambda: False,
    leads: bool = False,
) -> Iterator[Night]:
    """Make everything a night needs, and end its children afterwards.

    ``records`` are fenced where a lease is held: then a commit of a table first asks whether it still is.
    """
    from pipelines.night import Night
    from pipelines.sync import Road

    def confirm() -> None:
        with records.database.write():  # the guard of fenced records raises LeaseLost
            pass

    found, faults = sources(site_of(places))
    with Road(places, clock, records, submitted_by="night", warm=True, confirm=confirm, leads=leads) as road:
        yield Night(
            road,
            found,
            faults,
            secret=lambda name: secret_of_source(name, settings),
            stopping=stopping,
            channels=[channel.name for channel in channels_of(places)],
            backups=settings.backups,
            told=lambda summary: write_page(places, records, found, summary, clock()),
            beside=lambda: beside_run(places, clock()),
        )


def secret_of_source(name: str, settings: NightSettings) -> Secret:
    """Find the secret a source names; to ask without it would only earn a refusal that names no cause."""
    try:
        found = read_secret(name, settings.secrets)
    except WrongSetting as error:
        raise NotAllowed("unauthorised", error.message, error.message_en) from error
    if found is None:
        raise NotAllowed(
            "unauthorised",
            f"没有名为 {name} 的密钥：写入 {settings.secrets} 或环境变量（见 docs/settings.md）",
            f"there is no secret named {name}: put it into {settings.secrets} or the environment",
        )
    return found


def beside_run(places: Places, now: datetime) -> list[Trouble]:
    """Bring the credit register up to what the run published; give what went wrong."""
    from portal.credit import refresh_after_night

    return refresh_after_night(places, now)


def write_page(
    places: Places, records: Records, found: dict[str, Source], summary: dict[str, Any], now: datetime
) -> None:
    """Write the page of the day; a night without its page is still a night."""
    from pipelines.board import board
    from portal.nightpage import write_night

    today = now.astimezone(CHINA).date()
    try:
        seen = board(records, found, today - timedelta(days=PAGE_DAYS - 1), today, now)
        path = write_night(records, places, found, seen, summary, now)
    except Exception:
        log.exception("夜报未能写出 / the page of the night was not written")
    else:
        log.info("夜报 / the page of the night: %s", path)


def deliver_outbox(places: Places, records: Records, settings: NightSettings, now: datetime) -> None:
    """Send the messages that wait, by the channels as they are declared now."""
    from portal.notify import deliver

    deliver(records, channels_of(places), now, lambda name: read_secret(name, settings.secrets))


# -- the service ----------------------------------------------------------------------------------------------


def service_jobs(places: Places, settings: NightSettings, clock: Clock) -> list[Job]:
    """Give the jobs of the service: the night, and what is asked every hour."""
    from pipelines.night import run_hour, run_night
    from pipelines.schedule import Job
    from pipelines.slots import hourly, nightly

    def at_work(walk: Callable[[Night, Run], dict[str, Any]]) -> Callable[[Work], dict[str, Any]]:
        def work(work: Work) -> dict[str, Any]:
            with night_of(places, work.records, settings, clock, stopping=work.stopping, leads=True) as night:
                return walk(night, work.run)

        return work

    return [
        Job("night", nightly(settings.at), at_work(run_night), catch_up=CATCH_UP),
        Job("hour", hourly(settings.hour_minute), at_work(run_hour), catch_up=CATCH_UP),
    ]


def run_service(places: Places, records: Records, settings: NightSettings, clock: Clock) -> None:
    """Serve until SIGTERM or SIGINT; a run that finds no safe point in time is left to the next start.

    Raises
    ------
    RoadError
        A run hangs beyond its limit: whoever started the process must start it again.
    """
    from pipelines.schedule import Service
    from portal.service import Watch, serve_health

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    service = Service(
        records,
        service_jobs(places, settings, clock),
        clock,
        between=_beside(lambda: deliver_outbox(places, records, settings, clock())),
        failures=lambda run: tell_failure(places, records, run, clock()),
    )
    watch = Watch(places, records, service.status, clock, settings.backups, settings.metrics_token)
    health = serve_health(settings.bind, watch) if settings.bind else None
    try:
        service.serve(stop)
    finally:
        if health is not None:
            health.shutdown()
            health.server_close()
    _leave_nobody_waiting()


def _beside(call: Callable[[], None]) -> Callable[[], None]:
    """Make a call that runs in a thread of its own, one at a time: a mail server that hangs must not hold the clock."""
    turn = threading.Lock()

    def run() -> None:
        try:
            call()
        except Exception:
            log.exception("通知未能送出 / the messages were not sent")
        finally:
            turn.release()

    def start() -> None:
        if turn.acquire(blocking=False):
            threading.Thread(target=run, daemon=True, name="outbox").start()

    return start


def _leave_nobody_waiting() -> None:
    """End at once where work hangs: the interpreter would wait for its threads, the ledger need not."""
    if any(thread.name.startswith("run-") for thread in threading.enumerate()):
        logging.shutdown()
        sys.stderr.flush()
        os._exit(0)


def tell_failure(places: Places, records: Records, run: Run, now: datetime) -> None:
    """Open the alarm of a failed run at once; the next run that ends well closes it."""
    error = run.error or {}
    zh = f"任务 {run.job} {run.slot} 失败：{error.get('message', '')}"
    en = f"run {run.job} {run.slot} failed: {error.get('message_en', '')}"
    trouble = Trouble("run-failed", "", "", alarm_kinds()["run-failed"].severity, zh, en, {"run": run.run_id})
    tell(records, [trouble], (), now, [channel.name for channel in channels_of(places)])


# -- one run at the terminal ----------------------------------------------------------------------------------


def sync_now(
    places: Places,
    records: Records,
    settings: NightSettings,
    clock: Clock,
    pick: Callable[[Source], bool] | None,
    wanted: Wanted,
) -> tuple[dict[str, Any], bool, Sequence[MalformedFact]]:
    """Do one night now, or visit only the sources picked; give the summary, whether all is well, and what is malformed.

    It takes the lease of the night: a service that is idle gives way, one at work is waited for.
    """
    from pipelines.night import run_night, run_once
    from pipelines.schedule import LEASE
    from pipelines.stint import stint_now

    kind = "manual" if wanted.first is None else "backfill"
    with stint_now(records, LEASE, clock, waiting=lambda: log.info("%s", WAITING)) as stint:
        run = _begin_manual(stint, kind, clock())
        try:
            with night_of(
                places, stint.records, settings, clock, stopping=lambda: not stint.held(), leads=True
            ) as night:
                if pick is None and wanted.first is None and not wanted.force:
                    summary = run_night(night, run)
                else:
                    chosen = [s for s in night.sources.values() if (s.enabled if pick is None else pick(s))]
                    summary = run_once(night, run, chosen, wanted)
                finish_run(stint.records, run.run_id, "done", clock(), summary)
                return summary, went_well(night, summary) and not night.faults, night.faults
        except BaseException as error:
            finish_run(records, run.run_id, "failed", clock(), {}, _told(error))
            raise
        finally:
            deliver_outbox(places, records, settings, clock())


def _begin_manual(stint: Stint, kind: str, now: datetime) -> Run:
    """Enter a run with a slot of its own; those of commands that were killed end here."""
    for left in interrupted(stint.records, stint.lease.fence):
        if left.job == MANUAL:
            finish_run(stint.records, left.run_id, "failed", now, {}, _killed())
    slot = now.astimezone(CHINA).strftime("%Y-%m-%dT%H:%M:%S.%f")
    run = begin_run(stint.records, MANUAL, slot, kind, now, now, stint.lease.holder, stint.lease.fence)
    assert run is not None, "a slot by the microsecond"
    return run


def _told(error: BaseException) -> dict[str, Any]:
    if isinstance(error, RoadError):
        return error.as_json()
    return {"code": type(error).__name__, "message": str(error), "message_en": str(error)}


def _killed() -> dict[str, str]:
    return {"code": "interrupted", "message": "命令被中断", "message_en": "the command was interrupted"}


def went_well(night: Night, summary: dict[str, Any]) -> bool:
    """Tell whether all sources answered, all that came went through whole, and all chores were done."""
    seen = visits(night.records, run_id=summary["run"])
    answered = all(
        visit.state in ("new", "unchanged") or (visit.state == "empty" and night.sources[visit.source].empty_is_fine)
        for visit in seen
    )
    whole = all(night.records.batch(number).state == "published" for number in summary["batches"])
    done = all(chore["ok"] for chore in summary["chores"].values())
    built = REGISTER_FAILED not in summary["alarms"]
    return answered and whole and done and built and not summary["results"]["quarantined"]
