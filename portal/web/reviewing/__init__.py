"""审核: what waits for a second pair of eyes (R1)."""

from __future__ import annotations

from portal.web.asking import MenuItem, Room, Route
from portal.web.reviewing import queue

ROOM = Room(
    routes=(
        Route("GET", "/reviews", "batch.review", queue.queue),
        Route("GET", "/reviews/{filing}", "batch.review", queue.show),
        Route("POST", "/reviews/{filing}/approve", "batch.review", queue.approved),
        Route("POST", "/reviews/{filing}/return", "batch.review", queue.returned),
    ),
    menu=(MenuItem("/reviews", "审核", "Review", "batch.review"),),
)
