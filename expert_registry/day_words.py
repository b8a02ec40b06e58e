"""Times as people read them in messages: China time to the minute, whatever the papers hold."""

from __future__ import annotations

from datetime import datetime

from records.models import read_time
from records.store import CHINA


def in_china(at: datetime | str) -> str:
    """Write an instant, or one as papers hold it, in China time.

    Examples
    --------
    >>> in_china("2026-06-04T13:15:00.000000Z")
    '2026-06-04 21:15'
    """
    moment = read_time(at) if isinstance(at, str) else at
    return moment.astimezone(CHINA).strftime("%Y-%m-%d %H:%M")
