"""Putting a night together: what a failed run, a missing secret and a page that cannot be written lead to."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from portal_home import MORNING

from pipelines.errors import NotAllowed
from pipelines.intake.pull import Wanted
from portal.nightly import _beside, deliver_outbox, night_of, secret_of_source, sync_now, tell_failure
from portal.settings import read_night_settings
from records.alarms import alarms, outbox
from records.errors import LeaseLost
from records.lease import Contender, fenced
from records.runs import begin_run, finish_run, runs


def test_a_failed_run_is_an_alarm_at_once_and_is_told(places, kept, caplog):
    settings = replace(read_night_settings(places.home, {}), backups=None)
    run = begin_run(kept, "night", "2026-04-09", "scheduled", MORNING, MORNING, "h:1:2", 1)
    failed = finish_run(kept, run.run_id, "failed", MORNING, {}, {"message": "磁盘已满", "message_en": "disk full"})
    tell_failure(places, kept, failed, MORNING)
    (alarm,) = alarms(kept)
    assert (alarm.code, alarm.source) == ("run-failed", "") and "磁盘已满" in alarm.message
    with caplog.at_level(logging.WARNING, "gongzhi.notify"):
        deliver_outbox(places, kept, settings, MORNING)
    assert "磁盘已满" in caplog.text and outbox(kept, MORNING + timedelta(days=1)) == []


def test_a_secret_that_is_missing_or_readable_by_all_is_a_refusal_that_says_so(places):
    settings = read_night_settings(places.home, {})
    with pytest.raises(NotAllowed, match="没有名为 beibei-air 的密钥"):
        secret_of_source("beibei-air", settings)
    settings.secrets.write_text('[beibei-air]\ntoken = "t"\n', encoding="utf-8")
    settings.secrets.chmod(0o644)
    with pytest.raises(NotAllowed, match="chmod 600") as caught:
        secret_of_source("beibei-air", settings)
    assert caught.value.code == "unauthorised" and not caught.value.transient
    settings.secrets.chmod(0o600)
    assert secret_of_source("beibei-air", settings).token == "t"


def test_a_night_whose_page_cannot_be_written_is_still_a_night(places, kept, caplog):
    (places.home / "nights").write_text("in the way", encoding="utf-8")
    settings = replace(read_night_settings(places.home, {}), backups=None)
    summary, well, faults = sync_now(places, kept, settings, lambda: MORNING, lambda source: True, Wanted())
    assert well and not faults and summary["sources"]["failed"] == 0
    assert "夜报未能写出" in caplog.text
    assert [run.state for run in runs(kept)] == ["done"]


def test_a_run_that_breaks_is_kept_as_failed(places, kept):
    settings = replace(read_night_settings(places.home, {}), backups=None)

    def broken(source: object) -> bool:
        raise ZeroDivisionError("by us")

    with pytest.raises(ZeroDivisionError):
        sync_now(places, kept, settings, lambda: MORNING, broken, Wanted())
    (run,) = runs(kept)
    assert (run.state, run.error["code"]) == ("failed", "ZeroDivisionError")


def test_a_road_whose_lease_is_gone_may_not_publish(places, kept):
    first = Contender(kept, "night", "h:1:2")
    lease = first.try_take(MORNING)
    assert lease is not None
    with night_of(places, fenced(kept, lease), read_night_settings(places.home, {}), lambda: MORNING) as night:
        night.road.confirm()
        first.release(lease, MORNING)
        assert Contender(kept, "night", "h:3:4").try_take(MORNING) is not None
        with pytest.raises(LeaseLost):
            night.road.confirm()


def test_what_runs_beside_runs_once_at_a_time_and_may_fail(caplog):
    go, calls = threading.Event(), []

    def call() -> None:
        calls.append(1)
        assert go.wait(5)
        raise OSError("no mail")

    start = _beside(call)
    began = time.monotonic()
    for _ in range(3):
        start()
    assert time.monotonic() - began < 1 and len(calls) == 1
    go.set()
    while not caplog.records:
        time.sleep(0.01)
    time.sleep(0.05)
    start()
    while len(calls) < 2:
        time.sleep(0.01)
