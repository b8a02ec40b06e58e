"""审计: who did what, who looked at our records, and whether the chain holds (A1)."""

from __future__ import annotations

from portal.web.asking import MenuItem, Room, Route
from portal.web.audit import chain, exports, looks, trail

ROOM = Room(
    routes=(
        Route("GET", "/audit", "audit.read", trail.trail),
        Route("GET", "/audit/events/{event}", "audit.read", trail.one_event),
        Route("GET", "/audit/events.csv", "audit.read", exports.as_csv),
        Route("GET", "/audit/events.xlsx", "audit.read", exports.as_xlsx),
        Route("GET", "/audit/looks", "audit.read", looks.looks),
        Route("GET", "/audit/chain", "chain.read", chain.chain),
        Route("POST", "/audit/chain", "chain.read", chain.verify),
    ),
    menu=(MenuItem("/audit", "审计", "Audit", "audit.read"),),
)
