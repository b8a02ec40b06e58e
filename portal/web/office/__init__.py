"""系统: accounts, keys, sources, rules, back-ups and jobs (A2); and what whoever watches the portal asks it."""

from __future__ import annotations

from portal.web.asking import PUBLIC, MenuItem, Room, Route
from portal.web.office import accounts, health, overview

ROOM = Room(
    routes=(
        Route("GET", "/system", "system.read", overview.overview),
        Route("GET", "/system/rules", "system.read", overview.rules),
        Route("GET", "/system/settings", "system.read", overview.settings),
        Route("GET", "/system/accounts", "users.read", accounts.listed),
        Route("POST", "/system/accounts", "users.manage", accounts.add),
        Route("GET", "/system/accounts/{account}", "users.read", accounts.one),
        Route("POST", "/system/accounts/{account}/roles", "users.manage", accounts.roles),
        Route("POST", "/system/accounts/{account}/state", "users.manage", accounts.state),
        Route("POST", "/system/accounts/{account}/reset", "users.manage", accounts.reset),
        Route("POST", "/system/accounts/{account}/keys", "users.manage", accounts.issue),
        Route("POST", "/system/keys/{api_key}/revoke", "users.manage", accounts.revoke),
        Route("GET", "/health/ready", PUBLIC, health.ready),
        Route("GET", "/metrics", PUBLIC, health.metrics),
    ),
    menu=(MenuItem("/system", "系统", "System", "system.read"),),
)
