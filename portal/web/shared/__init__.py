"""共享数据: the catalogue, its dictionary, downloads, change lists and the SQL console."""

from __future__ import annotations

from collections.abc import Callable

from portal.exports.sweeping import keep_swept
from portal.web.asking import MenuItem, Room, Route, Site
from portal.web.shared import catalogue, console, one_table, taking

SQL_BYTES = 256 * 1024
"""A question of 20,000 characters as a form sends it: nine bytes for a Chinese one."""


def begin(site: Site) -> Callable[[], None]:
    """Keep the disk free of what killed downloads left."""
    return keep_swept()


ROOM = Room(
    routes=(
        Route("GET", "/catalogue", "catalogue.read", catalogue.catalogue),
        Route("GET", "/catalogue/datapackage.json", "catalogue.read", catalogue.datapackage),
        Route("GET", "/catalogue/dcat.jsonld", "catalogue.read", catalogue.dcat),
        Route("GET", "/catalogue/exports", "catalogue.read", catalogue.exported),
        Route("GET", "/catalogue/{table}", "catalogue.read", one_table.one),
        Route("GET", "/catalogue/{table}/changes", "catalogue.read", one_table.changed),
        Route("GET", "/catalogue/{table}/download", "catalogue.download", taking.download),
        Route("GET", "/query", "query.run", console.page_of),
        Route("POST", "/query", "query.run", console.run, most=SQL_BYTES),
        Route("POST", "/query/download", "query.run", console.download, most=SQL_BYTES),
    ),
    menu=(
        MenuItem("/catalogue", "共享数据", "Shared data", "catalogue.read"),
        MenuItem("/query", "SQL 查询", "SQL", "query.run"),
    ),
    begin=begin,
)
