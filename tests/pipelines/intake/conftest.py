"""A hostile partner on the loopback, and clients that may talk to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from pipelines.intake.address import Reach
from pipelines.intake.fetch import Caps, Client
from tests.partner import Partner

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


@pytest.fixture
def partner() -> Iterator[Partner]:
    with Partner() as server:
        yield server


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Callable[..., Client]]:
    """Makes clients: caps by name, the rest as Client takes it; quick pauses, short waits."""
    made: list[Client] = []
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    names = Caps.__dataclass_fields__

    def make(hosts: frozenset[str] = HOSTS, networks: Any = LOOPBACK, **options: Any) -> Client:
        caps = {"pause": 0.01, "seconds": 20.0, "budget": 40.0} | {k: options.pop(k) for k in names if k in options}
        clock = options.pop("clock", lambda: datetime.now(UTC))
        made.append(Client(Reach(hosts, networks), Caps(**caps), scratch, clock, **options))
        return made[-1]

    yield make
    for one in made:
        one.__exit__(None, None, None)
    leftovers = {path.name for path in scratch.iterdir()}
    assert not {name for name in leftovers if name.endswith(".packed")}
