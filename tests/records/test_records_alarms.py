"""Alarms: opened once, counted, told in groups, reminded of, recovered; the outbox never drops a notice."""

import json
from datetime import timedelta

import pytest

from records.alarms import Trouble, alarms, delivered, handle, not_delivered, outbox, tell
from records.chain import verify_chain
from records.errors import NotHandled

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
BOTH = ("log", "wecom")
AIR = Trouble(
    "missing", "beibei/air", "beibei", "error", "缺 4 月 1 日", "1 April is missing", {"days": ["2026-04-01"]}
)
WATER = Trouble("stale", "mianyang/water", "mianyang", "warning", "数据陈旧", "stale", {"hours": 30.5})
DISK = Trouble("disk-space", "", "", "error", "磁盘将满", "the disk is nearly full")
ALL = {"beibei/air", "mianyang/water", ""}


@pytest.fixture
def say(records, now):
    """Tell the troubles of a moment and give the notices this made, without their channels' twins."""
    known = set()

    def tell_them(*troubles, at=now, judged=ALL, channels=BOTH):
        tell(records, troubles, judged, at, channels)
        made = [one for one in outbox(records, at) if one.event_id not in known]
        known.update(one.event_id for one in made)
        return [(one.kind, one.channel, [alarm["code"] for alarm in one.alarms]) for one in made]

    return tell_them


def test_all_openings_of_a_moment_are_one_notice_a_channel(records, say, now):
    assert sorted(say(AIR, WATER, DISK)) == [
        ("opened", "log", ["missing", "stale", "disk-space"]),
        ("opened", "wecom", ["missing", "stale", "disk-space"]),
    ]
    one = outbox(records, now)[0]
    assert one.event_id == outbox(records, now)[1].event_id
    told = one.alarms[0]
    assert (told["source"], told["message"], told["detail"]) == ("beibei/air", "缺 4 月 1 日", {"days": ["2026-04-01"]})
    assert told["opened_at"] == "2026-04-01T00:00:00.000000Z" and told["closed_at"] is None


def test_what_lasts_is_counted_and_not_told_again(records, say, now):
    say(AIR)
    assert say(AIR, at=now + HOUR) == say(AIR, at=now + 23 * HOUR) == []
    (alarm,) = alarms(records)
    assert (alarm.count, alarm.opened_at, alarm.last_at) == (3, now, now + 23 * HOUR)


def test_the_words_of_an_alarm_are_the_newest(records, say, now):
    say(AIR)
    say(Trouble("missing", "beibei/air", "beibei", "error", "缺两日", "two days are missing", {"n": 2}), at=now + HOUR)
    (alarm,) = alarms(records)
    assert (alarm.message, alarm.message_en, alarm.detail) == ("缺两日", "two days are missing", {"n": 2})


def test_after_a_day_comes_one_reminder_of_all_that_lasts(say, now):
    say(AIR, WATER, channels=["log"])
    assert say(AIR, WATER, at=now + DAY, channels=["log"]) == [("reminder", "log", ["missing", "stale"])]
    assert say(AIR, WATER, at=now + DAY + 23 * HOUR, channels=["log"]) == []
    assert say(AIR, WATER, at=now + 2 * DAY, channels=["log"]) == [("reminder", "log", ["missing", "stale"])]


def test_an_opening_and_a_reminder_of_one_moment_are_two_notices(say, now):
    say(AIR, channels=["log"])
    made = say(AIR, WATER, at=now + DAY, channels=["log"])
    assert sorted(made) == [("opened", "log", ["stale"]), ("reminder", "log", ["missing"])]


def test_a_recovery_is_told_once_and_the_next_trouble_is_a_new_alarm(records, say, now):
    say(AIR, WATER, channels=["log"])
    assert say(at=now + HOUR, channels=["log"]) == [("recovered", "log", ["missing", "stale"])]
    assert say(at=now + 2 * HOUR, channels=["log"]) == [] and alarms(records) == []
    assert say(AIR, at=now + 3 * HOUR, channels=["log"]) == [("opened", "log", ["missing"])]
    closed, again = sorted(alarms(records, open_only=False, source="beibei/air"), key=lambda one: one.alarm_id)
    assert (closed.closed_at, again.closed_at, again.count) == (now + HOUR, None, 1)


def test_what_is_given_up_is_closed_and_told_apart_from_what_recovered(records, say, now):
    say(AIR, WATER, channels=["log"])
    lost = {("missing", "beibei/air"): ["2026-04-01"]}
    closed = tell(records, [], ALL, now + HOUR, ["log"], given_up=lost)
    assert [(one.code, one.detail.get("given_up")) for one in closed] == [("missing", ["2026-04-01"]), ("stale", None)]
    made = [(one.kind, [alarm["code"] for alarm in one.alarms]) for one in outbox(records, now + HOUR)]
    assert sorted(made) == [("given-up", ["missing"]), ("opened", ["missing", "stale"]), ("recovered", ["stale"])]
    payloads = [json.loads(event.payload) for event in records.events() if event.kind == "alarm-closed"]
    assert [payload.get("given_up") for payload in payloads] == [["2026-04-01"], None]
    assert verify_chain(records).ok


BULK = Trouble("bulk-lookups", "credit/li", "", "warning", "51 家", "51 of them")


def test_what_needs_a_person_ends_only_by_one(records, say, now):
    say(BULK, DISK)
    say(at=now + HOUR, judged=(*ALL, BULK.source))
    assert [one.code for one in alarms(records)] == ["bulk-lookups"]
    for source, author, reason in (
        ("credit/wang", "王工", "核实"),
        ("credit/li", " ", "核实"),
        ("credit/li", "王工", ""),
    ):
        with pytest.raises(NotHandled):
            handle(records, source, author, reason, now + HOUR, ["log"])
    (ended,) = handle(records, "credit/li", "王工", "年检", now + 2 * HOUR, ["log"])
    assert (ended.closed_at, ended.detail["handled"]) == (now + 2 * HOUR, {"author": "王工", "reason": "年检"})
    assert json.loads(records.events()[-1].payload)["handled"]["author"] == "王工"
    assert alarms(records) == [] and verify_chain(records).ok


def test_only_what_was_looked_at_recovers(records, say, now):
    say(AIR, WATER, DISK)
    say(at=now + HOUR, judged={"beibei/air"})
    assert {alarm.code for alarm in alarms(records)} == {"stale", "disk-space"}
    say(at=now + HOUR, judged={""})
    assert {alarm.code for alarm in alarms(records)} == {"stale"}


def test_a_trouble_told_twice_in_one_moment_is_one_alarm(records, now):
    twin = Trouble("missing", "beibei/air", "beibei", "error", "又缺", "again")
    (alarm,) = tell(records, [AIR, twin, AIR], ALL, now, BOTH)
    assert (alarm.count, alarm.message) == (1, "缺 4 月 1 日")
    assert len(outbox(records, now)) == 2


def test_tell_gives_what_it_touched(records, now):
    assert [alarm.count for alarm in tell(records, [AIR, WATER], ALL, now, BOTH)] == [1, 1]
    touched = tell(records, [AIR], {"mianyang/water"}, now + HOUR, BOTH)
    assert [(alarm.code, alarm.count, alarm.closed_at) for alarm in touched] == [
        ("missing", 2, None),
        ("stale", 1, now + HOUR),
    ]


def test_openings_and_closings_are_on_the_chain(records, say, now):
    say(AIR, DISK)
    say(AIR, at=now + HOUR)
    told = [(event.kind, event.bureau, json.loads(event.payload)["code"]) for event in records.events()]
    assert told == [
        ("alarm-opened", "beibei", "missing"),
        ("alarm-opened", None, "disk-space"),
        ("alarm-closed", None, "disk-space"),
    ]
    assert verify_chain(records).ok


def test_alarms_are_kept_where_there_is_no_channel(records, say):
    assert say(AIR, channels=[]) == []
    assert len(alarms(records)) == 1


def test_alarms_are_listed_by_time_newest_first(records, say, now):
    say(AIR)
    say(WATER, at=now + DAY)
    assert [alarm.code for alarm in alarms(records, open_only=False)] == ["stale", "missing"]
    assert [alarm.code for alarm in alarms(records, open_only=False, limit=1)] == ["stale"]
    assert [alarm.code for alarm in alarms(records, open_only=False, since=now + 2 * DAY)] == []
    assert [alarm.code for alarm in alarms(records, open_only=False, since=now + DAY)] == ["stale", "missing"]


def test_a_message_with_what_no_database_takes_is_kept_as_escapes(records, now):
    (alarm,) = tell(records, [Trouble("x", "", "", "error", "a\0b\udcff", "c\0", {"name": "a\udcff"})], ALL, now, BOTH)
    assert (alarm.message, alarm.message_en) == ("a\\x00b\\udcff", "c\\x00")


# -- the outbox ----------------------------------------------------------------------------------------------------------


def test_a_notice_stays_until_its_channel_took_it(records, say, now):
    say(AIR)
    assert outbox(records, now) == outbox(records, now)
    first = outbox(records, now)[0]
    delivered(records, first.event_id, first.channel, now)
    (other,) = outbox(records, now)
    assert other.channel != first.channel
    delivered(records, other.event_id, other.channel, now)
    assert outbox(records, now + DAY) == []


def test_a_failed_try_waits_longer_each_time(records, say, now):
    say(AIR, channels=["wecom"])
    at, waits = now, []
    for number in range(1, 10):
        (one,) = outbox(records, at)
        assert one.attempts == number - 1
        not_delivered(records, one.event_id, one.channel, at, f"503 number {number}")
        waits.append(next(wait for wait in range(1, 90) if outbox(records, at + wait * MINUTE)))
        at += waits[-1] * MINUTE
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert outbox(records, at)[0].last_error == "503 number 9"


def test_a_notice_is_given_up_only_after_a_week_of_tries(records, say, now):
    say(AIR, channels=["wecom"])
    at, tries = now, 0
    while waiting := outbox(records, at):
        not_delivered(records, waiting[0].event_id, "wecom", at, "down")
        tries, at = tries + 1, at + HOUR
    assert at - now == 7 * DAY + HOUR and tries == 7 * 24 + 1


def test_a_week_without_power_does_not_lose_a_notice(records, say, now):
    say(AIR, channels=["wecom"])
    (one,) = outbox(records, now + 30 * DAY)
    not_delivered(records, one.event_id, "wecom", now + 30 * DAY, "no network yet")
    assert len(outbox(records, now + 30 * DAY + MINUTE)) == 1


def test_a_clock_set_back_does_not_hold_a_notice_back(records, say, now):
    say(AIR, channels=["wecom"])
    (one,) = outbox(records, now + 400 * DAY)
    not_delivered(records, one.event_id, "wecom", now + 400 * DAY, "down")
    assert len(outbox(records, now)) == 1


def test_a_notice_that_came_late_is_not_put_off_again(records, say, now):
    say(AIR, channels=["wecom"])
    (one,) = outbox(records, now)
    delivered(records, one.event_id, "wecom", now)
    not_delivered(records, one.event_id, "wecom", now, "time-out")
    assert outbox(records, now + DAY) == []
