"""缺测说明: the missing hours of the bureau's stations as a strip, and what it says about them (U5)."""

from __future__ import annotations

from portal.web.asking import MenuItem, Room, Route
from portal.web.gaps import views

ROOM = Room(
    routes=(
        Route("GET", "/gaps", "batch.read", views.strip),
        Route("POST", "/gaps", "batch.explain", views.told),
        Route("POST", "/gaps/{gap}/withdraw", "batch.explain", views.withdrawn),
    ),
    menu=(MenuItem("/gaps", "缺测说明", "Missing hours", "batch.read"),),
)
