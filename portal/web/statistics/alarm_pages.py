"""告警: what is amiss at the own bureau and at the exchange, and ending what only a person ends."""

from __future__ import annotations

from datetime import timedelta

from starlette.responses import Response

from portal.nightly import channels_of
from portal.web.asking import Ask, see
from portal.web.errors import Problem
from portal.web.pages import page
from records.alarms import Alarm, alarms, handle
from records.errors import NotHandled
from schemas.alarms import alarm_kinds

CLOSED_SHOWN = timedelta(days=90)
MOST = 200
LONGEST_NOTE = 500


def alarm_list(ask: Ask, fault: str = "", note: str = "", at: int = 0) -> Response:
    """List open alarms, or with ``state=closed`` those of the last three months that are gone."""
    closed = ask.query.get("state") == "closed"
    every = alarms(ask.site.records, open_only=not closed, since=ask.at - CLOSED_SHOWN if closed else None)
    found = [one for one in every if one.bureau in ("", ask.me.bureau) and (one.closed_at is not None) == closed]
    kinds = alarm_kinds()
    return page(
        ask, "statistics/alarms.html", status=422 if fault else 200,
        found=found[:MOST], total=len(found), closed=closed, kinds=kinds, fault=fault, note=note, wrong=at,
        waits={one.alarm_id for one in found if one.closed_at is None and one.code in kinds and kinds[one.code].handled},
        may_handle=ask.may("alarm.handle", ask.me.bureau).ok, done=ask.query.get("done") == "1",
    )  # fmt: skip


def end_alarm(ask: Ask) -> Response:
    """End an alarm of the own bureau with a note, as ``gongzhi alarms --handled`` does."""
    alarm = _open_alarm(ask)
    ask.need("alarm.handle", alarm.bureau or ask.me.bureau)  # the exchange's own alarms are everybody's
    if alarm.detail.get("user") in (ask.me.account_id, ask.me.login, ask.me.name):
        raise Problem(
            403, "own-alarm", "告警涉及您本人，须由他人办结", "the alarm is about you; somebody else must end it"
        )
    note = ask.form.get("note", "").strip()
    if not note or len(note) > LONGEST_NOTE:
        fault = ask.words(
            f"核实结果：{'未填写' if not note else '过长'}。请写明核实了什么、结论如何（不超过 {LONGEST_NOTE} 字）。",
            f"what came of it: {'missing' if not note else 'too long'}. Say what was looked into (at most {LONGEST_NOTE}).",
        )
        return alarm_list(ask, fault, note[:LONGEST_NOTE], alarm.alarm_id)
    others = [one for one in alarms(ask.site.records, source=alarm.source) if one.bureau != alarm.bureau]
    if others:  # the same source never speaks for two bureaus; should it, neither ends the other's
        raise Problem(
            409, "shared-source", "该来源另有其他单位的告警，不能在此办结", "another bureau has alarms of it, too"
        )
    channels = [channel.name for channel in channels_of(ask.site.places)]
    try:
        handle(ask.site.records, alarm.source, f"{ask.me.name}（{ask.me.account_id}）", note, ask.at, channels)
    except NotHandled as error:
        raise Problem(409, error.code, error.message, error.message_en) from error
    return see("/alarms", done="1")


def _open_alarm(ask: Ask) -> Alarm:
    """Find the alarm an address names."""
    number = ask.path["alarm"]
    if number.isascii() and number.isdigit():
        for one in alarms(ask.site.records):
            if one.alarm_id == int(number):
                return one
    raise Problem(404)
