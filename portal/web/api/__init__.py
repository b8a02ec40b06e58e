"""The interface for programs, ``/api/v1``: what it offers is told by its OpenAPI document (``docs/api.md``).

Each module offers the addresses of one subject, and asks the same functions as the pages and the command line::

    me        who asks                              tables   catalogue, tables, their rows and changes
    batches   hand in, states, findings             credit   look-ups, candidates, screening
    receipts  signed receipts, and their checking   boards   the night's board, alarms
"""

from __future__ import annotations

from portal.web.api import batches, boards, credit, me, papers, receipts, tables
from portal.web.asking import Room

ROOM = Room(
    routes=tuple(
        route for subject in (batches, receipts, tables, credit, boards, me, papers) for route in subject.ROUTES
    )
)
