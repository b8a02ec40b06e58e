"""The night's board and what is amiss, as ``gongzhi board --json`` and ``gongzhi alarms --json`` tell them."""

from __future__ import annotations

from datetime import timedelta

from starlette.responses import Response

from pipelines.board import STATES, board, china_day
from portal.web.api.answering import offered, told
from portal.web.api.questions import day, number, wrong
from portal.web.api.shapes import (
    DAY,
    MOMENT,
    OPEN,
    TEXT,
    WHOLE,
    by_name,
    limit,
    many,
    one_of,
    thing,
    words,
)
from portal.web.asking import ApiDoc, Ask
from portal.web.desk import own_alarms
from records.alarms import Alarm
from schemas.api_rules import api_rules
from schemas.sources import sources

PAGES = api_rules().pages
FARTHEST = timedelta(days=366 * 20)
"""How far from today the last day of a board may lie."""


def night_board(ask: Ask) -> Response:
    """Give the board of some days, both bureaus' sources."""
    span = number(ask, "days", PAGES.days, PAGES.most_days)
    today = china_day(ask.at)
    until = day(ask, "until") or today
    if until > today + timedelta(days=PAGES.most_days) or until < today - FARTHEST:
        raise wrong("until", "离今天太远。请改用近一些的日期", "is too far from today")
    facts = ask.site.places.site_facts
    found, _ = sources(facts if facts.is_dir() else None)
    return told(board(ask.site.records, found, until - timedelta(days=span - 1), until, ask.at).as_json())


def alarms(ask: Ask) -> Response:
    """List what is amiss with the caller's bureau and with the exchange itself."""
    return told({"alarms": [_alarm(one) for one in own_alarms(ask)]})


def _alarm(one: Alarm) -> dict[str, object]:
    return {
        "alarm": one.alarm_id, "code": one.code, "source": one.source, "bureau": one.bureau, "severity": one.severity,
        "opened_at": one.opened_at.isoformat(), "last_at": one.last_at.isoformat(), "count": one.count,
        "message": one.message, "message_en": one.message_en,
    }  # fmt: skip


CELL = thing(
    source=TEXT, bureau=TEXT, title=TEXT, day=DAY, state=one_of(STATES), expected=WHOLE, received=WHOLE, late=WHOLE,
    missing=WHOLE, pending=WHOLE, files=WHOLE, batches_refused=WHOLE, results_read=WHOLE, accepted=WHOLE, refused=WHOLE,
    empty=WHOLE, unchanged=WHOLE, failed=WHOLE, codes=many(TEXT), dues=many(OPEN),
)  # fmt: skip
ALARM = thing(
    alarm=WHOLE, code=TEXT, source=TEXT, bureau=TEXT, severity=one_of(("warning", "error")), opened_at=MOMENT,
    last_at=MOMENT, count=WHOLE, message=TEXT, message_en=TEXT,
)  # fmt: skip
ROUTES = (
    offered(
        "GET", "/board", "board.read", night_board,
        ApiDoc(
            "The board: each source of both bureaus by day, what was due and what came",
            query={"days": limit(PAGES.days, PAGES.most_days), "until": words("last day; today", DAY)},
            answers={
                "application/json": thing(
                    since=DAY, until=DAY, at=MOMENT, lag_hours=by_name({"type": ["number", "null"]}), cells=many(CELL)
                )
            },
        ),
    ),
    offered(
        "GET", "/alarms", "board.read", alarms,
        ApiDoc(
            "Open alarms of the own bureau and of the exchange, the newest first",
            answers={"application/json": thing(alarms=many(ALARM))},
        ),
    ),
)  # fmt: skip
