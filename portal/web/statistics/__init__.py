"""统计与看板: rates, series, completeness, grades, the map, alarms, runs, sources, validations and changes (D1)."""

from __future__ import annotations

from portal.web.asking import MenuItem, Room, Route
from portal.web.statistics import (
    alarm_pages,
    change_pages,
    grade_pages,
    ledger_pages,
    map_page,
    measured,
    overview,
    strips,
)

ROOM = Room(
    routes=(
        Route("GET", "/statistics", "board.read", overview.overview),
        Route("GET", "/statistics/export.csv", "board.read", overview.export),
        Route("GET", "/statistics/export.xlsx", "board.read", overview.export),
        Route("GET", "/statistics/series", "board.read", measured.series),
        Route("GET", "/statistics/series.json", "board.read", measured.series_json),
        Route("GET", "/statistics/completeness", "board.read", strips.completeness),
        Route("GET", "/statistics/grades", "board.read", grade_pages.grades),
        Route("GET", "/map", "board.read", map_page.drawn_map),
        Route("GET", "/alarms", "board.read", alarm_pages.alarm_list),
        Route("POST", "/alarms/{alarm}", "alarm.handle", alarm_pages.end_alarm),
        Route("GET", "/runs", "board.read", ledger_pages.history),
        Route("GET", "/runs/{run}", "board.read", ledger_pages.one_run),
        Route("GET", "/sources", "board.read", ledger_pages.health),
        Route("GET", "/docs", "batch.read", change_pages.validation_list),
        Route("GET", "/docs/{number}", "batch.read", change_pages.validation),
        Route("GET", "/changes", "catalogue.read", change_pages.change_lists),
    ),
    menu=(
        MenuItem("/statistics", "统计", "Statistics", "board.read"),
        MenuItem("/alarms", "告警", "Alarms", "board.read"),
    ),
)
