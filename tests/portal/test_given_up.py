"""An alarm that ended though nothing came says so wherever ended alarms are shown, and is not called gone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from portal_home import MORNING

from pipelines.board import board
from portal.boards import alarm_lines
from portal.nightpage import night_document, render
from portal.words import say
from records.alarms import Trouble, alarms, tell
from schemas.sources import sources

AIR = Trouble("missing", "mianyang/inbox", "mianyang", "error", "应到未到（2026-04-01）", "missing (2026-04-01)")
OLD = Trouble("stale", "mianyang/inbox", "mianyang", "error", "数据过旧", "stale")


@pytest.fixture
def ended(kept):
    """Two alarms that are over: one given up, one recovered."""
    tell(kept, [AIR, OLD], {AIR.source}, MORNING - timedelta(hours=1), [])
    tell(kept, [], {AIR.source}, MORNING, [], given_up={(AIR.code, AIR.source): ["2026-04-01"]})
    return alarms(kept, open_only=False)


def test_the_list_of_alarms_tells_the_two_ends_apart(ended):
    lines = list(alarm_lines(ended))
    (given,) = [line for line in lines if say("未到，已转入缺报：2026-04-01", "never came: 2026-04-01") in line]
    (gone,) = [line for line in lines if say("解除", "gone") in line]
    assert given != gone
    marks = {line[0]: line for line in lines if not line.startswith(" ")}
    assert "[missing]" in marks["–"] and "[stale]" in marks["✓"]


def test_the_page_of_the_night_tells_the_two_ends_apart(ended, places, kept):
    found, _ = sources(None)
    day = MORNING.date() + timedelta(days=1)
    seen = board(kept, found, day, day, MORNING)
    page = render(night_document(kept, places, found, seen, {}, day, MORNING))
    assert "未到，已转入缺报：应到未到" in page and "始终未到：2026-04-01" in page
    assert "已解除：数据过旧" in page and "已解除：应到未到" not in page
