"""Filing: a file of a person from the moment it came in to its receipt, without a word of HTTP.

``begin`` keeps it and queues its check; a worker (``worker.py``, kept running by ``crew.py``) judges it; ``hand_in`` makes
the delivery; where the rules ask for it a second person says yes (``approve``) or no (``send_back``); the worker publishes it.
"""

from __future__ import annotations

from portal.filing.actions import (
    REST,
    STATEMENT,
    approve,
    hand_in,
    own_filing,
    recheck,
    send_back,
    waiting_for_review,
    wanted_for,
    withdraw,
)
from portal.filing.beginning import begin
from portal.filing.desk import FilingDesk, Incoming, Wish, open_desk
from portal.filing.jobs import work_off
from portal.filing.reading import findings_of_filing, make_report

__all__ = [
    "REST",
    "STATEMENT",
    "FilingDesk",
    "Incoming",
    "Wish",
    "approve",
    "begin",
    "findings_of_filing",
    "hand_in",
    "make_report",
    "open_desk",
    "own_filing",
    "recheck",
    "send_back",
    "waiting_for_review",
    "wanted_for",
    "withdraw",
    "work_off",
]
