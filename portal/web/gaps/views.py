"""The page of missing hours: one station and month, hour by hour, and the form that explains a span."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby

from starlette.responses import Response

from portal.gaps import CHINA, DAY, BadGap, Hour, explain, missing_spans, strip_of
from portal.nightly import site_of
from portal.statistics.figures import months_back, span_of
from portal.statistics.slots import midnight
from portal.web.asking import Ask, see
from portal.web.errors import Problem
from portal.web.pages import page
from records.gaps import gap_of, gaps, withdraw_gap
from records.statistics import deliveries
from schemas.gap_reasons import gap_reasons
from schemas.places import Station, stations
from schemas.statistics import due_slots

MONTHS = 13
BEFORE = timedelta(days=400)
"""How long before the month the first delivery of a bureau is looked for."""
STATES = {
    "whole": ("齐全", "whole"),
    "partial": ("部分缺", "partly missing"),
    "missing": ("缺测", "missing"),
    "told": ("已说明", "explained"),
    "stop": ("停运", "stopped"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One day of the strip."""

    day: date
    hours: tuple[Hour, ...]


def strip(ask: Ask) -> Response:
    """Show the hours of a station in a month."""
    return _page(ask)


def told(ask: Ask) -> Response:
    """Take what a person says about a span."""
    ask.need("batch.explain", ask.me.bureau)
    try:
        kept = explain(ask.site.records, ask.me.bureau, own_stations(ask), ask.form, ask.me.account_id, ask.at)
    except BadGap as error:
        return _page(ask, {error.place: ask.words(error.message, error.message_en)})
    return see("/gaps", station=kept.station_id, month=f"{kept.since.astimezone(CHINA):%Y-%m}", done="told")


def withdrawn(ask: Ask) -> Response:
    """Withdraw what was said."""
    number = ask.path["gap"]
    if not (number.isascii() and number.isdigit() and len(number) < 16):
        raise Problem(404)
    found = gap_of(ask.site.records, int(number))
    ask.need("batch.explain", found.bureau)
    withdraw_gap(ask.site.records, found.id, ask.me.account_id, ask.at)
    return see("/gaps", station=found.station_id, month=f"{found.since.astimezone(CHINA):%Y-%m}", done="withdrawn")


def own_stations(ask: Ask) -> dict[str, Station]:
    """Give the stations of the caller's bureau at which hours are due."""
    kinds = {(slot.medium, kind) for slot in due_slots() for kind in slot.kinds}
    found = stations(ask.me.bureau, site_of(ask.site.places))
    return {one.station_id: one for one in found if (one.medium, one.kind) in kinds}


def _page(ask: Ask, faults: Mapping[str, str] | None = None) -> Response:
    asked = {**ask.query, **ask.form}
    known = own_stations(ask)
    station = known.get(asked.get("station", "")) or next(iter(known.values()), None)
    months = months_back(ask.at, MONTHS)
    month = asked.get("month") if asked.get("month") in months else months[-1]
    first, last = span_of(str(month))
    words = gaps(ask.site.records, midnight(first), midnight(last + DAY), ask.me.bureau)
    hours: list[Hour] = []
    if station is not None:
        came = deliveries(ask.site.records, midnight(first) - BEFORE, ask.at + timedelta(seconds=1))
        hours = strip_of(ask.site.places, station, due_slots(), came, words, (first, last), ask.at)
    done = {
        "told": ("已记录说明。", "The explanation is kept."),
        "withdrawn": ("已撤回说明。", "The explanation is withdrawn."),
    }.get(asked.get("done", ""))
    return page(
        ask, "gaps/strip.html", 422 if faults else 200,
        known=known, station=station, months=months, month=month, faults=faults or {}, states=STATES,
        rows=[Row(day, tuple(part)) for day, part in groupby(hours, key=lambda hour: hour.at.date())],
        spans=list(reversed(missing_spans(hours))), words=[one for one in words if station and one.station_id == station.station_id],
        counts={state: sum(hour.state == state for hour in hours) for state in STATES}, total=len(hours),
        reasons=gap_reasons(), tells=ask.may("batch.explain", ask.me.bureau).ok, stamp=_stamp,
        said={name: asked.get(name, "") for name in ("since", "until", "reason", "text")},
        told=ask.words(*done) if done else "",
    )  # fmt: skip


def _stamp(at: datetime) -> str:
    """Write an hour as a form takes it."""
    return f"{at.astimezone(CHINA):%Y-%m-%dT%H:%M}"
