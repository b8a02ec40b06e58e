"""What the board and the alarms must say of a plan, worked out from the plan alone, in plain Python.

The runs are replayed: who is visited when, what lies there then, what of it is new. A due is a day, an hour, a week or
a month and the moment by which it must have come. None of our code is asked.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import cached_property
from statistics import median
from typing import Any

from month_plan import CHINA, DAY, HOUR, SPECS, File, Plan, Row, Spec, at

Cells = dict[tuple[str, date], dict[str, Any]]
CODES = {
    "500": "server-error", "401": "unauthorised", "cut": "reset",
    "login": {"listing": "bad-listing", "file": "wrong-type", "api": "wrong-type"},
}  # fmt: skip
WEEK = 7 * DAY


@dataclass(frozen=True)
class Due:
    """A period: its days, its hour if it is one, when it must have come."""

    period: str
    first: date
    last: date
    hour: int | None
    at: datetime


@dataclass(frozen=True)
class Came:
    """One batch."""

    at: datetime
    source: str
    verdict: str
    results: tuple[int, int]
    told: dict[tuple[date, int | None], tuple[int, int]]
    """Day, and hour where it matters: results read and passed."""
    of: date | None
    name: str = ""
    """Of the file; the API gives one thing."""


Told = dict[tuple[date, int | None], list[tuple[Came, tuple[int, int]]]]


@dataclass(frozen=True)
class Visit:
    at: datetime
    source: str
    state: str
    code: str = ""
    skew: int | None = None


@dataclass
class Alarm:
    code: str
    source: str
    opened: datetime
    count: int = 0
    closed: datetime | None = None
    told: list[datetime] = field(default_factory=list)
    """When it was told: at the opening, and again each day it lasts."""
    periods: set[str] = field(default_factory=set)
    """Those it names now."""
    lost: set[str] = field(default_factory=set)
    """Those it named, that are named no more and never came."""


@dataclass(frozen=True)
class Run:
    """One line of the ledger; ``now`` None: merged into another."""

    job: str
    slot: str
    kind: str
    due_at: datetime
    now: datetime | None


@dataclass
class Truth:
    """The replay of a plan."""

    plan: Plan
    came: dict[str, list[Came]] = field(default_factory=lambda: defaultdict(list))
    told: dict[str, Told] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    """The same by what they tell of."""
    visits: list[Visit] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    known: dict[str, dict[str, bytes]] = field(default_factory=lambda: defaultdict(dict))
    bytes_of: set[tuple[str, bytes]] = field(default_factory=set)
    api_until: datetime | None = None
    api_rows: list[Row] | None = None

    def __post_init__(self) -> None:
        for run in self.ledger:
            if run.now is not None:
                self._do(run)

    # -- who runs when ------------------------------------------------------------------------------------------------

    @cached_property
    def ledger(self) -> list[Run]:
        """The runs in the order they are done; those merged into one stand before it."""
        slots = sorted((moment, job) for job in ("night", "hour") for moment in self._slots(job))
        done: list[Run] = []
        waiting: list[tuple[datetime, str]] = []
        ends = sorted(until for _, until in self.plan.paused)
        for moment, job in slots:
            if self.plan.is_paused(moment + timedelta(minutes=1)):
                waiting.append((moment, job))
                continue
            if waiting:
                resumed = next(end for end in ends if end > waiting[-1][0])
                for each in ("night", "hour"):
                    mine = [slot for slot, name in waiting if name == each]
                    done += [_run(each, slot, "scheduled", None) for slot in mine[:-1]]
                    done += [_run(each, slot, "catch-up", resumed) for slot in mine[-1:]]
                waiting = []
            done.append(_run(job, moment, "scheduled", moment + timedelta(minutes=1)))
        return done

    def _slots(self, job: str) -> list[datetime]:
        plan, end = self.plan, at(self.plan.last + DAY, "12:00")
        found = []
        for day in [*plan.days(), plan.last + DAY]:
            clocks = ["02:00"] if job == "night" else [f"{hour:02}:20" for hour in plan.busy.get(day, plan.hours)]
            found += [at(day, clock) for clock in clocks]
        return [moment for moment in found if moment <= end]

    # -- one run ------------------------------------------------------------------------------------------------------

    def _do(self, run: Run) -> None:
        now = run.now
        assert now is not None
        awaited = self._awaited(now) if run.job == "hour" else set()
        for key, spec in SPECS.items():
            if self.plan.is_off(key, now) or not (run.job == "night" or spec.pull == "hour" or key in awaited):
                continue
            row = self._failures(key)
            if len(row) >= 5 and now - row[0].at < 6 * HOUR:
                self.visits.append(Visit(now, key, "skipped", "circuit-open"))
            else:
                self.visits.append(self._look(spec, now, run.job == "night" and now.isoweekday() == 7))
        self._judge(now)

    def _awaited(self, now: datetime) -> set[str]:
        """Sources of which something of the last days is due, or whose day ended in a failure."""
        days = [now.date() - n * DAY for n in range(4)]
        cells = self.cells(days[-1], days[0], now)
        return {
            key for (key, _), cell in cells.items() if cell["pending"] or cell["missing"] or cell["state"] == "failed"
        }

    def _failures(self, key: str) -> list[Visit]:
        """The failures up to now, the newest first; what was not tried does not count."""
        found = []
        for visit in reversed(self.visits):
            if visit.source == key and visit.state != "skipped":
                if visit.state != "failed":
                    break
                found.append(visit)
        return found

    def _look(self, spec: Spec, now: datetime, compare: bool) -> Visit:
        """Visit a source; on Sunday's night all that is not old is compared."""
        how = self.plan.outage(spec.key, now)
        if how in CODES:
            code = CODES[how]
            return Visit(now, spec.key, "failed", code if isinstance(code, str) else code[spec.kind])
        skew = None if spec.kind == "folder" else self.plan.skew(spec.bureau, now)
        if spec.kind == "api":
            return Visit(now, spec.key, self._look_at_rows(spec, now, how == "empty", compare), "", skew)
        listed, known, brought = self.plan.listed(spec.key, now), self.known[spec.key], False
        for name, file in listed.items():
            if known.get(name) != file.body:
                known[name], brought = file.body, True
                self._take_file(spec, file, now)
        # nothing lies in a watched folder on most days: that is declared to be fine
        state = "new" if brought else "unchanged" if listed or spec.kind in ("file", "folder") else "empty"
        return Visit(now, spec.key, state, "", skew)

    def _take_file(self, spec: Spec, file: File, now: datetime) -> None:
        if (spec.bureau, file.body) in self.bytes_of:
            return  # a repeat is no second batch
        self.bytes_of.add((spec.bureau, file.body))
        told = {(day, None): results for day, results in file.told.items()}
        self._take(Came(now, spec.key, file.verdict, file.results, told, file.of, file.name))

    def _take(self, one: Came) -> None:
        self.came[one.source].append(one)
        for place, results in one.told.items():
            self.told[one.source][place].append((one, results))

    def _look_at_rows(self, spec: Spec, now: datetime, empty: bool, compare: bool) -> str:
        """Ask from a day before the last answer that held something, on Sundays for five weeks, to the whole day."""
        first = self.plan.first if self.api_until is None or compare else (self.api_until - DAY).date()
        rows = [] if empty else [row for row in self.plan.known_rows(now) if row.hour.date() >= first]
        if not rows:
            return "empty"
        self.api_until = now
        if rows == self.api_rows:
            return "unchanged"
        self.api_rows = rows
        told = {(row.hour.date(), row.hour.hour): (1, 1) for row in rows}
        self._take(Came(now, spec.key, "published", (len(rows), len(rows)), told, None))
        return "new"

    # -- the board ----------------------------------------------------------------------------------------------------

    @cached_property
    def dues(self) -> dict[str, list[Due]]:
        """Everything the timetables name from the first day on."""
        return {key: self._dues(spec) for key, spec in SPECS.items()}

    def _dues(self, spec: Spec) -> list[Due]:
        found: list[Due] = []
        start, end = self.plan.since(spec), self.plan.last + 60 * DAY
        by = time.fromisoformat(spec.by)
        day = start
        while spec.every and day <= end:
            if spec.every == "hour":
                for hour in range(24):
                    over = at(day) + (hour + 1) * HOUR + DAY
                    found.append(Due(f"{day}T{hour:02}", day, day, hour, over + timedelta(minutes=by.minute)))
            elif spec.every == "day":
                found.append(Due(f"{day}", day, day, None, datetime.combine(day + DAY, by, CHINA)))
            elif spec.every == "week" and day.weekday() == 0:
                name = f"{day.isocalendar().year}-W{day.isocalendar().week:02}"
                after = day + WEEK + ((spec.day or 1) - 1) * DAY
                found.append(Due(name, day, day + 6 * DAY, None, datetime.combine(after, by, CHINA)))
            elif spec.every == "month" and day.day == 1:
                following = (day + 31 * DAY).replace(day=1)
                after = following.replace(day=spec.day or 1)
                found.append(Due(f"{day:%Y-%m}", day, following - DAY, None, datetime.combine(after, by, CHINA)))
            day += DAY
        return found

    def met(self, spec: Spec, due: Due, now: datetime) -> dict[str, Any]:
        """What became of a due: state, whether all of it was refused, how many results it has."""
        told = self.told[spec.key]
        days = (due.first + n * DAY for n in range((due.last - due.first).days + 1))
        dated = [(one, results, day) for day in days for one, results in told[day, due.hour] if one.at <= now]
        found = [one for one, _, _ in dated] or [
            one
            for one in self.came[spec.key]
            if one.at <= now and not one.told and one.of is not None and due.first <= one.of <= due.last
        ]
        if not found:
            return {"state": "pending" if due.at > now else "missing", "refused": False, "results": 0, "at": None}
        # what is sent again, corrected or within a longer answer, is no more than it was
        latest = {(one.name, day): results[0] for one, results, day in dated}
        read = sum(latest.values()) if dated else found[0].results[0]
        passed = sum(results[1] for one, results, _ in dated if one.verdict == "published")
        good = bool(passed) if dated else any(one.verdict == "published" for one in found)
        first = min(one.at for one in found)
        state = "received" if first <= due.at else "late"
        return {"state": state, "refused": not good, "results": read, "at": first}

    def cells(self, since: date, until: date, now: datetime) -> Cells:
        """The board of these days as it must stand at an instant."""
        return {
            (spec.key, since + n * DAY): cell
            for spec in SPECS.values()
            for n, cell in enumerate(self._cells_of(spec, since, until, now))
        }

    def _cells_of(self, spec: Spec, since: date, until: date, now: datetime) -> list[dict[str, Any]]:
        off = self.plan.is_off(spec.key, now)
        dues = [] if off else [due for due in self.dues[spec.key] if since <= due.at.date() <= until]
        met = [(due, self.met(spec, due, now)) for due in dues]
        cells = []
        for day in (since + n * DAY for n in range((until - since).days + 1)):
            came = [one for one in self.came[spec.key] if one.at.date() == day and one.at <= now]
            looks = [one for one in self.visits if one.source == spec.key and one.at.date() == day and one.at <= now]
            today = [(due, told) for due, told in met if due.at.date() == day]
            states, seen = Counter(told["state"] for _, told in today), Counter(one.state for one in looks)
            read, passed = (sum(one.results[n] for one in came) for n in (0, 1))
            cells.append({
                "state": _word(spec, off, today, looks, came, read - passed, passed),
                "expected": len(today), "received": states["received"] + states["late"], "late": states["late"],
                "missing": states["missing"], "pending": states["pending"], "files": len(came),
                "batches_refused": sum(one.verdict != "published" for one in came), "results_read": read,
                "accepted": passed, "refused": read - passed, "empty": seen["empty"], "unchanged": seen["unchanged"],
                "failed": seen["failed"], "codes": tuple(sorted({one.code for one in looks if one.code})),
                "dues": [(due.period, told["state"], told["refused"]) for due, told in today],
            })  # fmt: skip
        return cells

    # -- the alarms ---------------------------------------------------------------------------------------------------

    def _judge(self, now: datetime) -> None:
        named = {(code, key): periods for key, spec in SPECS.items() for code, periods in self._lacking(spec, now)}
        found = {trouble for spec in SPECS.values() for trouble in self._troubles(spec, now)}
        found |= self._clock(now) | self._missed_nights(now)
        there = {(alarm.code, alarm.source): alarm for alarm in self.alarms if alarm.closed is None}
        for trouble in sorted(found - there.keys()):
            there[trouble] = Alarm(*trouble, now)
            self.alarms.append(there[trouble])
        for trouble, alarm in there.items():
            self._see_what_is_lost(alarm, named, now)
            if trouble in found:
                alarm.count += 1
                if not alarm.told or now - alarm.told[-1] >= DAY:
                    alarm.told.append(now)
            else:
                alarm.closed = now

    def _see_what_is_lost(self, alarm: Alarm, named: dict[tuple[str, str], set[str]], now: datetime) -> None:
        """What was named, is named by nobody now and still lacks, is lost; unless nothing is expected any more."""
        before, alarm.periods = alarm.lost | alarm.periods, named.get((alarm.code, alarm.source), set())
        alarm.lost = set()
        if alarm.source in SPECS and not self.plan.is_off(alarm.source, now):
            others = {period for (_, key), periods in named.items() if key == alarm.source for period in periods}
            lacks = {
                due.period for due in self.dues[alarm.source]
                if due.at <= now and self.met(SPECS[alarm.source], due, now)["state"] == "missing"
            }  # fmt: skip
            alarm.lost = (before - others) & lacks

    def _missed_nights(self, now: datetime) -> set[tuple[str, str]]:
        """Told from the first run after a pause to the next night: of more than 26 hours nobody ran one."""
        nights = [run for run in self.ledger if run.job == "night" and run.now is not None and run.now <= now]
        late = len(nights) > 1 and nights[-1].now - nights[-2].due_at > 26 * HOUR  # type: ignore[operator]
        return {("night-missed", "")} if late else set()

    def _clock(self, now: datetime) -> set[tuple[str, str]]:
        last = {visit.source: visit for visit in self.visits}
        skews = [v.skew for v in last.values() if v.skew is not None and now - v.at < 26 * HOUR]
        return {("clock", "")} if skews and abs(median(skews)) > 60 else set()

    def _troubles(self, spec: Spec, now: datetime) -> set[tuple[str, str]]:
        if self.plan.is_off(spec.key, now):
            return {("disabled", spec.key)}
        codes = {*self._of_visits(spec.key), *self._of_dues(spec, now)}
        came = self.came[spec.key]
        if came:
            last = [one for one in came if one.at.date() == came[-1].at.date()]
            passed = sum(one.results[1] for one in last)
            if any(one.verdict != "published" for one in last) or (not passed and any(one.results[0] for one in last)):
                codes.add("refused")
        if spec.stale_hours:
            ends = [at(day) + (24 if hour is None else hour + 1) * HOUR for one in came if one.verdict == "published"
                    for (day, hour), told in one.told.items() if told[1]]  # fmt: skip
            if not ends or (now - max(ends)) / HOUR > spec.stale_hours:
                codes.add("stale")
        return {(code, spec.key) for code in codes}

    def _of_visits(self, key: str) -> set[str]:
        row = self._failures(key)
        return ({row[0].code} | ({"circuit-open"} if len(row) >= 5 else set())) if row else set()

    def _of_dues(self, spec: Spec, now: datetime) -> set[str]:
        """A period that lacks is told under the word for its day; the newest may be late, or short of results."""
        past = [due for due in self.dues[spec.key] if due.at <= now]
        if not past:
            return set()
        codes = {code for code, _ in self._lacking(spec, now)}
        newest = self.met(spec, past[-1], now)
        if newest["state"] == "late":
            codes.add("late")
        if newest["at"] is not None and not newest["refused"] and newest["results"] < spec.least:
            codes.add("volume-low")
        return codes

    def _lacking(self, spec: Spec, now: datetime) -> list[tuple[str, set[str]]]:
        """What lacks, by code: a period is told for a week, the newest until another is due."""
        past = [due for due in self.dues[spec.key] if due.at <= now]
        if not past or self.plan.is_off(spec.key, now):
            return []
        found: dict[str, set[str]] = defaultdict(set)
        cells = self.cells_of_days(spec, now)
        for due in past:
            if now - WEEK < due.at and self.met(spec, due, now)["state"] == "missing":
                code = {"empty": "no-rows", "unchanged": "unchanged"}.get(cells[due.at.date()], "missing")
                found[code].add(due.period)
        if past[-1].at <= now - WEEK and self.met(spec, past[-1], now)["state"] == "missing":
            found["missing"].add(past[-1].period)
        return sorted(found.items())

    def cells_of_days(self, spec: Spec, now: datetime) -> dict[date, str]:
        """The word for each day of the last week."""
        since = now.date() - WEEK
        return {since + n * DAY: cell["state"] for n, cell in enumerate(self._cells_of(spec, since, now.date(), now))}


def _run(job: str, slot: datetime, kind: str, now: datetime | None) -> Run:
    return Run(job, f"{slot:%Y-%m-%d}" if job == "night" else f"{slot:%Y-%m-%dT%H}", kind, slot, now)


def _word(
    spec: Spec, off: bool, dues: list[Any], looks: list[Visit], came: list[Came], quarantined: int, passed: int
) -> str:
    """The worst that is true of a day."""
    last = looks[-1].state if looks else ""
    states = {told["state"] for _, told in dues}
    if off and not looks and not came:
        return "disabled"
    if last in ("failed", "skipped"):
        return "failed"
    if "missing" in states:
        if last == "empty":
            return "empty"
        return "unchanged" if last == "unchanged" and spec.kind in ("file", "api") else "missing"
    if any(one.verdict != "published" for one in came) or any(told["refused"] for _, told in dues):
        return "refused"
    if quarantined and not passed:
        return "refused"
    for word in ("late", "pending"):
        if word == "pending" and quarantined:
            return "partial"
        if word in states:
            return word
    return "ok" if came or "received" in states else "quiet"
