"""The month of two bureaus, with one trouble of each kind put in by hand and what must be seen of it.

2026-02-20 to 2026-03-22: the end of a short month and three ends of weeks are in it. The days that are left free take
troubles by chance.
"""

from __future__ import annotations

from datetime import date
from random import Random

from month_plan import (
    DAY,
    Outage,
    Plan,
    Skew,
    air_file,
    at,
    calm,
    change,
    copy_of,
    trouble_by_chance,
    water_file,
    week_file,
)

FIRST, LAST = date(2026, 2, 20), date(2026, 3, 22)
SEED = 20260220
AIR, WATER, WEEKLY, SOIL, API = "mianyang/air", "beibei/water", "mianyang/water", "beibei/soil", "beibei/air"


def march(day: int) -> date:
    return date(2026, 3, day)


def february(day: int) -> date:
    return date(2026, 2, day)


def month() -> tuple[Plan, list[str]]:
    """Give the plan, and what chance put into it."""
    plan = calm(FIRST, LAST)
    _daily_files(plan)
    _servers(plan)
    _other_sources(plan)
    free = [*plan.days()[:3], *(february(27) + n * DAY for n in range(5)), march(16)]
    return plan, trouble_by_chance(plan, Random(SEED), WATER, free, 0.6)


def _daily_files(plan: Plan) -> None:
    one = {day: at(day + DAY, "01:00") for day in plan.days()}
    change(plan, AIR, february(22))
    change(plan, AIR, february(24), air_file(february(24), at(february(25), "09:00")))
    day = february(26)
    change(plan, AIR, day, air_file(day, one[day], "wrong"), air_file(day, at(february(27), "15:00")))
    change(plan, AIR, march(1), air_file(march(1), one[march(1)], "wild"))
    change(plan, AIR, march(3), air_file(march(3), one[march(3)], "blank"))
    change(plan, AIR, march(8), air_file(march(8), one[march(8)], "short"))
    plan.files.append(copy_of(air_file(march(9), one[march(9)]), AIR, "空气小时值_20260309_副本.csv", at(march(11))))
    change(
        plan, AIR, march(12), air_file(march(12), one[march(12)]), air_file(march(12), at(march(14), "12:00"), "other")
    )


def _servers(plan: Plan) -> None:
    plan.outages += [
        Outage(WATER, at(february(25)), at(february(26)), "500"),
        Outage(AIR, at(march(6)), at(march(7)), "401"),
        Outage(WATER, at(march(13)), at(march(15)), "cut"),
        Outage(AIR, at(march(17)), at(march(18)), "login"),
        Outage(API, at(march(4)), at(march(5)), "empty"),
    ]
    plan.busy[march(14)] = (10, 12, 18)
    plan.skews += [
        Skew("beibei", at(february(28)), at(march(1)), 300),
        *(Skew(bureau, at(march(21)), at(march(22)), 300) for bureau in ("beibei", "mianyang")),
    ]
    plan.disabled = {
        WATER: [(at(march(8), "12:00"), at(march(10), "12:00"))],
        SOIL: [(at(march(18), "12:00"), at(LAST + 9 * DAY))],
    }
    plan.paused = [(at(march(18), "19:00"), at(march(20), "08:00"))]


def _other_sources(plan: Plan) -> None:
    plan.rows = [row for row in plan.rows if row.hour.date() != march(3)]
    plan.files = [file for file in plan.files if not (file.source == WEEKLY and file.at > at(march(3)))]
    plan.files.append(week_file(march(2), at(march(12), "08:00")))
    plan.files += [
        copy_of(week_file(february(2), at(FIRST)), "mianyang/inbox", "手工补报.csv", at(march(5), "15:00")),
        copy_of(water_file(march(10), at(march(11))), "beibei/inbox", "重复报送.csv", at(march(16), "09:00")),
    ]


Seen = dict[str, object]
CELLS: list[tuple[str, date, Seen]] = [
    # never published, on a Sunday
    (AIR, february(23), {"state": "missing", "expected": 1, "missing": 1, "received": 0, "files": 0}),
    # published at nine, due at six
    (AIR, february(25), {"state": "late", "received": 1, "late": 1, "missing": 0, "files": 1, "accepted": 16}),
    # of stations nobody knows; put right in the afternoon
    (AIR, february(27), {"state": "refused", "received": 1, "batches_refused": 1, "accepted": 0, "refused": 16}),
    (AIR, february(28), {"state": "ok", "files": 2, "accepted": 32, "refused": 0}),
    # two values out of bounds
    (AIR, march(2), {"state": "partial", "received": 1, "accepted": 14, "refused": 2}),
    # the header alone
    (AIR, march(4), {"state": "refused", "received": 1, "batches_refused": 1, "results_read": 0}),
    # the key was not taken for a day; what was due came the day after
    (AIR, march(6), {"state": "failed", "late": 1, "failed": 3, "codes": ("unauthorised",), "files": 0}),
    (AIR, march(7), {"state": "ok", "received": 1, "late": 0, "files": 2, "accepted": 32}),
    # half the stations
    (AIR, march(9), {"state": "ok", "accepted": 8}),
    # the same bytes under another name
    (AIR, march(11), {"state": "ok", "files": 1, "accepted": 16}),
    # a file of three days before, replaced
    (AIR, march(15), {"state": "ok", "files": 2, "accepted": 32}),
    # a login page in the place of the listing
    (AIR, march(17), {"state": "failed", "failed": 3, "codes": ("bad-listing",), "late": 1}),
    # two nights without the exchange
    (AIR, march(19), {"state": "late", "late": 1, "files": 0}),
    (AIR, march(20), {"state": "late", "late": 1, "files": 2, "accepted": 32}),
    (API, march(20), {"state": "late", "expected": 24, "received": 24, "late": 8, "missing": 0}),
    # a server that fails for a day, and one that is cut off for two: left alone once
    (WATER, february(25), {"state": "failed", "late": 1, "failed": 3, "codes": ("server-error",)}),
    (WATER, march(14), {"state": "failed", "late": 1, "failed": 3, "codes": ("circuit-open", "reset")}),
    # switched off for two days
    (WATER, march(9), {"state": "late", "late": 1, "files": 0, "failed": 0, "unchanged": 0}),
    (WATER, march(10), {"state": "late", "late": 1, "files": 2, "accepted": 8}),
    # switched off for good: it expects nothing any more, what had come stays
    (SOIL, march(19), {"state": "disabled", "expected": 0}),
    (SOIL, march(22), {"state": "disabled", "expected": 0}),
    # a day the API lost, and the day on which it had no rows at all
    (API, march(4), {"state": "empty", "expected": 24, "received": 1, "missing": 23, "files": 0, "empty": 3}),
    (API, march(5), {"state": "missing", "expected": 24, "received": 23, "missing": 1}),
    # the one address: a week that came two days late, a week that did not come
    (WEEKLY, march(3), {"state": "ok", "expected": 1, "received": 1, "late": 0, "accepted": 6}),
    (WEEKLY, march(10), {"state": "late", "expected": 1, "late": 1, "unchanged": 3}),
    (WEEKLY, march(17), {"state": "unchanged", "expected": 1, "missing": 1, "unchanged": 3}),
    ("mianyang/credit", march(10), {"state": "ok", "expected": 1, "received": 1, "late": 0}),
    ("mianyang/inbox", march(5), {"state": "ok", "expected": 0, "files": 1, "accepted": 6}),
    ("beibei/inbox", march(16), {"state": "quiet", "files": 0}),
]  # fmt: skip

ALARMS: list[tuple[str, str, str, str | None]] = [
    ("missing", AIR, "02-23 10:21", "03-02 10:21"),
    ("late", AIR, "02-25 10:21", "02-26 10:21"),
    ("refused", AIR, "02-27 02:01", "02-28 02:01"),
    ("refused", AIR, "03-04 02:01", "03-05 02:01"),
    ("unauthorised", AIR, "03-06 02:01", "03-07 02:01"),
    ("missing", AIR, "03-06 10:21", "03-07 02:01"),
    ("late", AIR, "03-07 02:01", "03-07 10:21"),
    ("volume-low", AIR, "03-09 10:21", "03-10 10:21"),
    ("bad-listing", AIR, "03-17 02:01", "03-18 02:01"),
    ("late", AIR, "03-20 08:00", "03-21 10:21"),
    ("server-error", WATER, "02-25 02:01", "02-26 02:01"),
    ("disabled", WATER, "03-08 18:21", "03-10 18:21"),
    ("reset", WATER, "03-13 02:01", "03-15 02:01"),
    ("circuit-open", WATER, "03-14 10:21", "03-15 02:01"),
    ("disabled", SOIL, "03-18 18:21", None),
    ("no-rows", API, "03-04 02:01", "03-12 02:01"),
    ("missing", API, "03-05 02:01", "03-12 02:01"),
    ("stale", API, "03-04 18:21", "03-05 02:01"),
    ("unchanged", WEEKLY, "03-10 18:21", "03-12 10:21"),
    ("late", WEEKLY, "03-12 10:21", "03-17 18:21"),
    ("unchanged", WEEKLY, "03-17 18:21", None),
    ("clock", "", "03-21 02:01", "03-22 02:01"),
    ("night-missed", "", "03-20 08:00", "03-21 02:01"),
]
NEVER_CAME = {
    ("missing", AIR): (1, "2026-02-22"),
    ("no-rows", API): (23, "2026-03-03T00"),
    ("missing", API): (1, "2026-03-03T23"),
}
"""Alarms that ended although what they told of never came: how many periods, and the first."""
