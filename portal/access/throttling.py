"""How long a login must wait after failures: a few are free, then the wait grows; a day has an end to them too.

The count is per login, whether anybody has it or not, and per step: a right password does not clear wrong codes. What
must wait is not looked at and not counted, so that nobody can be kept out for good by knocking; an administrator's
reset clears the count at once. Beside it failures are counted per address, whichever logins they were for: who tries
one password on every name meets that count. A right password takes nothing back from it but its own try.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from ipaddress import IPv4Address, ip_address, ip_network
from typing import TYPE_CHECKING

from portal.access.errors import LoginRefused, MustWait
from records.login_tries import DAY, Tries, begin_try, forget_try
from schemas.access_rules import ThrottleRules

if TYPE_CHECKING:
    from portal.access.gate import Gate

CHINA = timedelta(hours=8)


def wait_until(tries: Tries, rules: ThrottleRules, now: datetime) -> datetime | None:
    """Say until when the next try must wait, None where it need not.

    Parameters
    ----------
    tries : Tries
        The failures of the last day, oldest first, and those of them since the login last passed.
    rules : ThrottleRules
        Free failures in a window, the growth of the wait, failures of a day.
    """
    waits = []
    if len(tries.day) >= rules.failures_a_day:
        waits.append(sorted(tries.day)[-rules.failures_a_day] + DAY)
    recent = [moment for moment in tries.recent if moment > now - rules.window]
    if len(recent) >= rules.free_failures:
        longest = timedelta(minutes=rules.longest_wait_minutes)
        grown = timedelta(seconds=rules.first_wait_seconds) * 2 ** (len(recent) - rules.free_failures)
        waits.append(min(max(recent), now) + min(grown, longest))
    until = max(waits, default=now)
    return until if until > now else None


def open_try(gate: Gate, login: str, step: str, known: bool, at: datetime) -> int:
    """Begin a try of a login at a step and give its number.

    Raises
    ------
    MustWait
    """
    return _begin(gate, login, step, known, at, gate.rules.throttle)


@contextmanager
def counted_address(gate: Gate, address: str, at: datetime) -> Iterator[None]:
    """Count what is tried inside against an address, unless it goes well or was not looked at.

    Raises
    ------
    MustWait
    """
    network = network_of(address)
    if not network:
        yield
        return
    number = _begin(gate, network, "address", True, at, gate.rules.throttle.of_address)
    try:
        yield
    except LoginRefused:
        raise
    except BaseException:
        forget_try(gate.records, number)
        raise
    forget_try(gate.records, number)


def network_of(address: str) -> str:
    """Give what is counted as one address: of the sixth version a whole /64, which one customer has; blank for none.

    Examples
    --------
    >>> network_of("192.0.2.7"), network_of("2001:db8:1:2:aaaa::1"), network_of("::ffff:192.0.2.7"), network_of("a name")
    ('192.0.2.7', '2001:db8:1:2::/64', '192.0.2.7', '')
    """
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    found = found if isinstance(found, IPv4Address) else found.ipv4_mapped or found
    return str(found) if isinstance(found, IPv4Address) else str(ip_network((found, 64), strict=False))


def _begin(gate: Gate, login: str, step: str, known: bool, at: datetime, rules: ThrottleRules) -> int:
    number, until = begin_try(gate.records, login, step, known, at, lambda tries: wait_until(tries, rules, at))
    if until is None:
        return number
    minutes = -(-(until - at) // timedelta(minutes=1))
    clock = f"{until + CHINA:%Y-%m-%d %H:%M:%S}"
    raise MustWait(
        f"失败次数过多，请等待约 {minutes} 分钟（至北京时间 {clock}）后再试；急需时请联系本单位系统管理员重置",
        f"too many failures; wait about {minutes} min, until {clock} China time, or ask your administrator for a reset",
        until,
    )
