"""People, files and a desk for the tests of filing."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from pathlib import Path

from portal_home import DELIVERIES, MORNING

from pipelines.batch import Places
from portal.access.caller import Caller
from portal.filing import FilingDesk, Incoming, Wish, begin, hand_in, wanted_for
from portal.filing.drafts import new_part
from portal.filing.jobs import Bench, clear, open_bench
from records.chain import sm3_hex
from records.filings import Filing, filing

NOON = MORNING + timedelta(hours=10)
HEADER = "站点编码,站点名称,监测时间,PM2.5(μg/m3),PM10(μg/m3),SO2(μg/m3),NO2(μg/m3),CO(mg/m3),O3(μg/m3),备注"


def somebody(number: str, *roles: str, bureau: str = "beibei", factor: bool = True) -> Caller:
    """A person of a bureau, signed in."""
    return Caller(number, f"{number} 工", bureau, frozenset(roles), factor, "s", "session", login=f"login-{number}")


UPLOADER = somebody("u-1", "uploader")
REVIEWER = somebody("u-2", "reviewer")
BOTH = somebody("u-3", "uploader", "reviewer")
FOREIGNER = somebody("u-4", "uploader", "reviewer", bureau="mianyang")


def incoming(places: Places, data: bytes, name: str = "空气.csv") -> Incoming:
    """Bytes as they stand on the disk once they came in."""
    path = new_part(places)
    path.write_bytes(data)
    return Incoming(path, name, len(data), hashlib.sha256(data).hexdigest(), sm3_hex(data))


def delivery(places: Places, name: str, bureau: str = "beibei") -> Incoming:
    """An example delivery, come in."""
    return incoming(places, (DELIVERIES / bureau / name).read_bytes(), name)


def air(day: int = 3, *, hours: int = 6, pm25: str = "3{}", pm10: str = "5{}") -> bytes:
    """Hourly values of one station on a day of April 2026."""
    rows = [
        f"1414A,缙云山,2026-04-{day:02d} {at:02d}:00,{pm25.format(at % 10)},{pm10.format(at % 10)},6,2{at % 10},0.5,7{at % 10},"
        for at in range(hours)
    ]
    return "\n".join([HEADER, *rows, ""]).encode()


def flagged(day: int = 3) -> bytes:
    """One hour with more PM2.5 than PM10: good enough to be published, and to be asked about."""
    return air(day).replace(b",30,50,", b",60,50,")


def begun(desk: FilingDesk, data: bytes, caller: Caller = UPLOADER, at: datetime = NOON, **wish: str) -> Filing:
    """A filing of some bytes."""
    return begin(desk, caller, incoming(desk.places, data), Wish(**wish), at)


def checked(desk: FilingDesk, data: bytes, caller: Caller = UPLOADER, at: datetime = NOON, **wish: str) -> Filing:
    """A filing of some bytes that was judged."""
    one = begun(desk, data, caller, at, **wish)
    worked(desk, at)
    return filing(desk.records, one.filing_id)


BENCHES: dict[Path, Bench] = {}
"""One for each home, kept warm from file to file."""


def worked(desk: FilingDesk, at: datetime = NOON) -> int:
    """Do what waits; give how many jobs that were."""
    bench = BENCHES.setdefault(desk.places.home, open_bench(desk, lambda: at))
    bench.clock = lambda: at
    return clear(bench)


def tidied(desk: FilingDesk) -> None:
    """End what was kept warm."""
    bench = BENCHES.pop(desk.places.home, None)
    if bench is not None:
        bench.close()


def handed_in(desk: FilingDesk, one: Filing, caller: Caller = UPLOADER, at: datetime = NOON) -> Filing:
    """A checked filing, handed in with all it wants."""
    given = dict.fromkeys(wanted_for(one), "已与原始记录核对")
    return hand_in(desk, caller, one.filing_id, statement=True, confirmations=given, at=at)


def left_of(places: Places) -> list[Path]:
    """Whatever lies under the drafts of a home."""
    return sorted(path for path in (places.home / "drafts").rglob("*") if path.is_file())
