"""缺测说明: which due hours of a bureau's stations did not come, and what the bureau says about them.

What is due, and what came, is counted where the statistics count it; a span is a run of hours without any valid slot of
a station. Declared stops (``gap_reasons.csv``) leave both sides of the completeness there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone

from pipelines.batch import Places
from portal.statistics.slots import Span, count_slots, due_spans, first_days, midnight
from records.errors import RecordsError
from records.gaps import Gap, Told, gaps, tell_gap
from records.statistics import Delivery
from records.store import Records
from schemas.gap_reasons import gap_reasons
from schemas.places import Station
from schemas.statistics import DueSlots

CHINA = timezone(timedelta(hours=8))
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LONGEST = timedelta(days=92)
WORDS = 1000
"""Characters of an explanation."""
DATASET = "air"


class BadGap(RecordsError):
    """What is told about missing results cannot be; ``place`` is the field of the form."""

    code = "bad-gap"

    def __init__(self, place: str, message: str, message_en: str) -> None:
        super().__init__(message, message_en)
        self.place = place


@dataclass(frozen=True, slots=True)
class Hour:
    """One due hour of a station: how many of its slots are valid, of how many, and what was said if some are missing."""

    at: datetime
    valid: int
    due: int
    told: Gap | None

    @property
    def state(self) -> str:
        """Say how it stands: whole, partial, missing, told (missing and explained), stop (nothing was due)."""
        if self.told is not None and self.valid < self.due:
            return "stop" if gap_reasons()[self.told.reason].stop else "told"
        return "whole" if self.valid >= self.due else "partial" if self.valid else "missing"


@dataclass(frozen=True, slots=True)
class MissingSpan:
    """A run of hours ``[since, until)`` without a single valid slot; ``told`` where all of it is explained."""

    since: datetime
    until: datetime
    told: Gap | None

    @property
    def hours(self) -> int:
        """Count its hours."""
        return round((self.until - self.since) / HOUR)


def strip_of(
    places: Places, station: Station, due: Sequence[DueSlots], deliveries: Sequence[Delivery], told: Sequence[Gap],
    days: tuple[date, date], now: datetime,
) -> list[Hour]:  # fmt: skip
    """Give every due hour of a station on these days (ends included), the earliest first."""
    mine = [slot for slot in due if slot.dataset == DATASET and station.kind in slot.kinds]
    yesterday = now.astimezone(CHINA).date() - DAY
    spans = due_spans([station], mine, first_days(deliveries, DATASET), yesterday)
    counted = {
        datetime.combine(one.day, time(one.hour), CHINA): one
        for one in count_slots(places, mine, spans, (), days, by_hour=True)
    }
    return [
        Hour(at, one.valid if (one := counted.get(at)) else 0, len(mine), told_at(told, station.station_id, at))
        for at in _hours(spans, days)
    ]


def _hours(spans: Sequence[Span], days: tuple[date, date]) -> Iterator[datetime]:
    for span in spans:
        first, last = max(span.first, days[0]), min(span.last, days[1])
        at, end = midnight(first), midnight(last + DAY)
        while at < end:
            yield at.astimezone(CHINA)
            at += HOUR


def told_at(told: Sequence[Gap], station_id: str, at: datetime) -> Gap | None:
    """Find what was said about an hour of a station, the latest word first."""
    return next((gap for gap in reversed(told) if gap.station_id == station_id and gap.since <= at < gap.until), None)


def missing_spans(hours: Sequence[Hour]) -> list[MissingSpan]:
    """Put neighbouring hours without a valid slot, and with the same word on them, together."""
    found: list[MissingSpan] = []
    for hour in hours:
        if hour.valid:
            continue
        last = found[-1] if found else None
        if last is not None and last.until == hour.at and _same(last.told, hour.told):
            found[-1] = MissingSpan(last.since, hour.at + HOUR, last.told)
        else:
            found.append(MissingSpan(hour.at, hour.at + HOUR, hour.told))
    return found


def _same(one: Gap | None, other: Gap | None) -> bool:
    return (one.id if one else 0) == (other.id if other else 0)


def explain(
    records: Records, bureau: str, stations: Mapping[str, Station], form: Mapping[str, str], by: str, at: datetime,
    proof: tuple[str, str] = ("", ""),
) -> Gap:  # fmt: skip
    """Keep what a person says about missing hours, as the fields of a page say it; ``proof`` is a file's name and hash.

    Raises
    ------
    BadGap
    """
    station = stations.get(form.get("station", ""))
    if station is None:
        raise BadGap("station", "点位：不是本单位的点位。请从列表选择", "choose a station of your bureau")
    reason = gap_reasons().get(form.get("reason", ""))
    if reason is None:
        raise BadGap("reason", "原因：尚未选择。请选一种", "choose the reason")
    since, until = (_hour(name, form.get(name, "")) for name in ("since", "until"))
    if not since < until <= since + LONGEST or since > at:
        raise BadGap(
            "until", "起止时间：结束须晚于开始，最长 92 天，且不能从将来开始。请更正",
            "the end must come after the beginning, at most 92 days, not in the future",
        )  # fmt: skip
    text = form.get("text", "").strip()[:WORDS]
    if reason.needs_text and len(text) < 4:
        raise BadGap(
            "text", f"说明：选“{reason.title_zh}”时须写明依据（如批准文号）。请填写",
            f"say on what ground, for {reason.title_en!r}",
        )  # fmt: skip
    told = Told(bureau, DATASET, station.station_id, since, until, reason.reason, text, *proof)
    twin = [
        gap for gap in gaps(records, since, until, bureau)
        if (gap.station_id, gap.since, gap.until, gap.reason) == (told.station_id, since, until, told.reason)
    ]  # fmt: skip
    return twin[0] if twin else tell_gap(records, told, by, at)


def _hour(name: str, text: str) -> datetime:
    """Read an hour as a page sends it: ``2026-04-08T05:00``, China time."""
    try:
        at = datetime.fromisoformat(text.strip().replace(" ", "T"))
    except ValueError:
        at = None
    if at is None or at.tzinfo is not None or at.minute or at.second or at.microsecond:
        word = {"since": "开始时间", "until": "结束时间"}[name]
        raise BadGap(
            name, f"{word}“{text[:30]}”：不是整点时间。请改为 YYYY-MM-DD HH:00", "write the hour as YYYY-MM-DD HH:00"
        )
    return at.replace(tzinfo=CHINA)


def declared_stops(told: Sequence[Gap]) -> list[tuple[str, str, datetime, datetime]]:
    """Give bureau, station, since and until of what was declared as a stop."""
    return [(gap.bureau, gap.station_id, gap.since, gap.until) for gap in told if gap_reasons()[gap.reason].stop]
