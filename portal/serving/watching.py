"""Health and figures of the portal, for whoever watches it; looked at by the same checks as ``gongzhi schedule``."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any

from pipelines.batch import Places
from portal.service import Watch, metrics_text
from portal.serving.logs import Tally
from portal.settings import PortalSettings, WrongSetting, read_night_settings
from records.runs import runs
from records.store import Records

JOBS = ("night", "hour", "delivery", "sync")


def make_watch(places: Places, records: Records, settings: PortalSettings, clock: Callable[[], datetime]) -> Watch:
    """Make what looks."""
    backups = None
    with suppress(WrongSetting):
        backups = read_night_settings(places.home).backups
    return Watch(places, records, lambda: _status(records), clock, backups, settings.metrics_token)


def may_see(token: str, authorization: str, client: str) -> bool:
    """Say whether a caller may see more than the state: with the token, or, where none is set, from this machine."""
    if token:
        return hmac.compare_digest(authorization.encode(), f"Bearer {token}".encode())
    with suppress(ValueError):
        return ipaddress.ip_address(client).is_loopback
    return False


def figures(watch: Watch, tally: Tally) -> bytes:
    """Give all figures in the text form of Prometheus: those of the exchange, then those of the pages."""
    return metrics_text(watch.look()) + "\n".join(_of_pages(tally)).encode() + b"\n"


def _of_pages(tally: Tally) -> Iterator[str]:
    counts, seconds, inside = tally.told()
    yield "# HELP gongzhi_requests_total Requests answered by the portal"
    yield "# TYPE gongzhi_requests_total counter"
    for (method, status), count in sorted(counts.items()):
        yield f'gongzhi_requests_total{{method="{method}",status="{status}"}} {count}'
    yield "# HELP gongzhi_request_seconds_total Time spent on them"
    yield "# TYPE gongzhi_request_seconds_total counter"
    yield f"gongzhi_request_seconds_total {seconds:.3f}"
    yield "# HELP gongzhi_requests_open Requests being answered"
    yield "# TYPE gongzhi_requests_open gauge"
    yield f"gongzhi_requests_open {inside}"


def _status(records: Records) -> dict[str, Any]:
    """Tell of the night's jobs what the records know of them; this process leads nothing."""
    last = {name: next(iter(runs(records, name, limit=1)), None) for name in JOBS}
    return {"leader": False, "last": {name: run.state for name, run in last.items() if run is not None}}
