"""地图: stations and sections of both bureaus along the rivers, drawn by us, with what was measured there last."""

from __future__ import annotations

from starlette.responses import Response

from portal.statistics.drawn_map import sheet, spots
from portal.web.asking import Ask
from portal.web.pages import page
from portal.web.statistics.overview import bureau_names
from schemas.maps import positions, rivers, views
from schemas.places import stations


def drawn_map(ask: Ask) -> Response:
    """Show the map and the table that says the same."""
    facts = ask.site.places.site_facts
    found = spots(ask.site.places, stations(site=facts if facts.is_dir() else None), positions(), ask.at)
    return page(
        ask, "statistics/map.html",
        sheets=[sheet(view, found, rivers()) for view in views()], spots=found,
        names=bureau_names(ask, {spot.station.bureau for spot in found}),
    )  # fmt: skip
