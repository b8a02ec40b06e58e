"""How often one caller may ask: a bucket of tokens for each key, session or address, with the figures as data.

The buckets are in the memory of the one process that serves the portal; after a new start all are full. Addresses that
flood the portal are kept off by the proxy before it (``deploy/nginx.conf``).
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from portal.web.asking import Ask, Site
from portal.web.errors import Problem
from schemas.api_rules import Rate, api_rules


@dataclass(frozen=True, slots=True)
class Token:
    """What came of asking for one token: whether it was there, how many are left, seconds until one or all are there."""

    ok: bool
    rate: Rate
    left: int
    wait: int
    full: int

    @property
    def headers(self) -> dict[str, str]:
        """Tell the caller how he stands; one who must wait also how long."""
        told = {
            "ratelimit-limit": str(self.rate.most),
            "ratelimit-remaining": str(self.left),
            "ratelimit-reset": str(self.full),
        }
        return told if self.ok else told | {"retry-after": str(self.wait)}


class Buckets:
    """The buckets of all callers, the longest unused first; threads share them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._filled: OrderedDict[tuple[str, str], tuple[float, datetime]] = OrderedDict()
        self._one_at_a_time = threading.Lock()

    def take(self, group: str, who: str, rate: Rate, at: datetime) -> Token:
        """Take a token where there is one; a clock that was put back fills nothing."""
        a_second = rate.most / rate.seconds
        with self._one_at_a_time:
            held, seen = self._filled.pop((group, who), (float(rate.most), at))
            held = min(rate.most, held + max((at - seen).total_seconds(), 0.0) * a_second)
            ok = held >= 1
            held -= ok
            self._filled[group, who] = (held, max(at, seen))
            if len(self._filled) > self._most:
                self._filled.popitem(last=False)
        full = math.ceil((rate.most - held) / a_second)
        return Token(ok, rate, int(held), 0 if ok else max(math.ceil((1 - held) / a_second), 1), full)

    def __len__(self) -> int:
        """Count the buckets kept."""
        return len(self._filled)


def buckets(site: Site) -> Buckets:
    """Make the buckets of a portal; see ``Site.once``."""
    return Buckets(api_rules().callers)


def take(ask: Ask, group: str) -> Mapping[str, str]:
    """Take a token for a request; give the headers that tell how the caller stands.

    Raises
    ------
    Problem
        There is none: 429, with how long to wait.
    """
    kind, who = ("address", ask.client) if ask.caller is None else (ask.caller.kind, ask.caller.session_id)
    token = ask.site.once(buckets).take(group, f"{kind}:{who}", api_rules().rates[group][kind], ask.at)
    if token.ok:
        return token.headers
    raise Problem(
        429, "too-many",
        f"请求：过于频繁（每 {token.rate.seconds} 秒最多 {token.rate.most} 次）。请在 {token.wait} 秒后重试",
        f"requests: too many (at most {token.rate.most} in {token.rate.seconds} s). Try again in {token.wait} s",
        dict(token.headers),
    )  # fmt: skip
