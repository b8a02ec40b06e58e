"""The portal under load: a real server over a real home, browsing people, files sent at the same time.

Each person asks for a page, reads for a while (exponentially distributed) and asks for the next; what counts is the time
from the question to the last byte. The generator runs in this process, on the same cores as the server: what it costs
is part of the figures.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import socket
import statistics
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx

from benchmarks.cases import GONGZHI, Bench
from benchmarks.deliveries import BUREAU
from benchmarks.measure import Figure
from pipelines.batch import Places
from portal.access import accounts
from portal.access.gate import open_gate
from portal.access.login import change_password, sign_in
from portal.settings import read_settings
from portal.web.asking import csrf_token
from portal.web.sessions import SESSION
from records.filings import filing
from records.store import Records

PEOPLE, UPLOADS, UPLOAD_BYTES = 50, 10, 20 * 2**20
READS = 2.0
"""Mean seconds somebody reads a page."""
PASSWORD = "嘉陵江畔 测试 9182"
PAGES = {
    "uploader": ("/", "/batches", "/filings/new", "/gaps", "/night", "/statistics", "/catalogue"),
    "reviewer": ("/", "/batches", "/reviews", "/statistics", "/catalogue/air_observation", "/alarms"),
    "inspector": ("/", "/catalogue", "/night", "/map"),
    "auditor": ("/audit", "/audit/chain", "/batches", "/statistics"),
}
JUDGED = ("checked", "refused", "failed")


@dataclass
class Running:
    """A portal that runs, and who is signed in."""

    home: Path
    url: str
    records: Records
    tokens: dict[str, str] = field(default_factory=dict)

    def cookies(self, role: str) -> dict[str, str]:
        """Give the cookies of somebody in a role."""
        return {SESSION: self.tokens[role]}


@contextlib.contextmanager
def portal_of(home: Path) -> Iterator[Running]:
    """Serve a home on a free port until the end."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    places = read_settings().places(home)
    assert places is not None
    log = (home / "serve.log").open("wb")
    process = subprocess.Popen(
        [GONGZHI, "serve", "--home", str(home), "--port", str(port)], stdout=log, stderr=log, start_new_session=True
    )
    url = f"http://127.0.0.1:{port}"
    try:
        with Records.open(places.database_url) as records:
            running = Running(home, url, records)
            _wait(url, process, home)
            _people(running, places)
            yield running
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        log.close()


def _wait(url: str, process: subprocess.Popen[bytes], home: Path) -> None:
    for _ in range(400):
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/health/live", trust_env=False).status_code == 200:
                return
        assert process.poll() is None, (home / "serve.log").read_text()
        time.sleep(0.1)
    raise AssertionError("the portal does not answer: " + (home / "serve.log").read_text())


def _people(running: Running, places: Places) -> None:
    gate, now = open_gate(places, running.records), datetime.now(UTC)
    for role in PAGES:
        made = accounts.add(gate, f"{role}-bench", role, BUREAU, [role], "benchmarks", now)
        begun = sign_in(gate, made.account.login, made.password, now)
        running.tokens[role] = change_password(gate, begun.token, made.password, PASSWORD, now).token


# -- judged after the last byte -------------------------------------------------------------------------------


def judging(bench: Bench) -> Iterator[Figure]:
    """A file sent over HTTP: from the answer to its upload until its findings are there, workers warm."""
    home = bench.home()
    with portal_of(home) as running:
        _sent(running, bench.path(100, "csv UTF-8"))
        for rows, runs in ((10_000, bench.short_runs), (100_000, bench.long_runs)):
            if bench.quick and rows > 10_000:
                continue
            taken = [_sent(running, bench.path(rows, "csv UTF-8", part + 1)) for part in range(runs)]
            yield Figure(
                f"portal: {rows:,} rows judged after the last byte", seconds=taken, rows=rows, inside=True,
                load=os.getloadavg()[0],
            )  # fmt: skip
    bench.drop(home)


def _sent(running: Running, path: Path) -> float:
    """Send one file, wait until it is judged; give the seconds after its last byte."""
    token = running.tokens["uploader"]
    with httpx.Client(
        base_url=running.url, cookies=running.cookies("uploader"), timeout=120, trust_env=False
    ) as client:
        answer = client.post(
            "/filings", data={"csrf": csrf_token(token), "dataset": "air"}, headers={"origin": running.url},
            files={"file": (path.name, path.read_bytes(), "text/csv")},
        )  # fmt: skip
    assert answer.status_code == 303, answer.text[:2000]
    number, begun = answer.headers["location"].rpartition("/")[2], time.perf_counter()
    while filing(running.records, number).state not in JUDGED:
        time.sleep(0.02)
        assert time.perf_counter() - begun < 300, "not judged within five minutes"
    found = filing(running.records, number)
    assert found.error is None, found.error
    return time.perf_counter() - begun


# -- browsing while files are sent ----------------------------------------------------------------------------


def browsing(bench: Bench) -> Iterator[Figure]:
    """Fifty people browse for a minute, alone and while ten files of 20 MB are sent and judged."""
    home = bench.home()
    people, seconds = (10, 6) if bench.quick else (PEOPLE, 60)
    with portal_of(home) as running, tempfile.TemporaryDirectory() as folder:
        _sent(running, bench.path(10_000, "csv UTF-8"))
        yield from _told(asyncio.run(_browse(running, people, seconds, ())), f"{people} people browsing")
        size = UPLOAD_BYTES // (20 if bench.quick else 1)
        files = list(_large(bench, Path(folder), size))
        found = asyncio.run(_browse(running, people, seconds, files))
        yield from _told(found, f"{people} people browsing, {len(files)} uploads of {size / 2**20:.0f} MB")
    bench.drop(home)


@dataclass
class Heard:
    """What was measured: seconds by page, of the uploads, and answers that were none."""

    pages: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    uploads: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def _large(bench: Bench, folder: Path, size: int) -> Iterator[Path]:
    """Make files of at least so many bytes, each its own."""
    for number in range(UPLOADS):
        one = bench.path(100_000, "csv UTF-8", number + 50)
        head, _, body = one.read_bytes().partition(b"\n")
        path = folder / f"{number}.csv"
        with path.open("wb") as out:
            out.write(head + b"\n")
            while out.tell() < size:  # the same hours again: repeats, which must be judged like all others
                out.write(body[: size - out.tell()] if size - out.tell() < len(body) else body)
        yield path


async def _browse(running: Running, people: int, seconds: float, files: Sequence[Path]) -> Heard:
    heard = Heard()
    until = time.perf_counter() + seconds
    limits = httpx.Limits(max_connections=people + len(files) + 5)
    async with httpx.AsyncClient(base_url=running.url, timeout=120, trust_env=False, limits=limits) as client:
        jobs = [_person(client, running, list(PAGES)[n % len(PAGES)], n, until, heard) for n in range(people)]
        jobs += [_upload(client, running, path, heard) for path in files]
        await asyncio.gather(*jobs)
    return heard


async def _person(
    client: httpx.AsyncClient, running: Running, role: str, number: int, until: float, heard: Heard
) -> None:
    rng, cookie = random.Random(number), {"cookie": f"{SESSION}={running.tokens[role]}"}
    await asyncio.sleep(rng.random() * READS)
    while time.perf_counter() < until:
        page = rng.choice(PAGES[role])
        begun = time.perf_counter()
        answer = await client.get(page, headers=cookie)
        heard.pages[page].append(time.perf_counter() - begun)
        if answer.status_code != 200:
            heard.wrong.append(f"{page} {answer.status_code}")
        await asyncio.sleep(rng.expovariate(1 / READS))


async def _upload(client: httpx.AsyncClient, running: Running, path: Path, heard: Heard) -> None:
    token = running.tokens["uploader"]
    begun = time.perf_counter()
    answer = await client.post(
        "/filings", data={"csrf": csrf_token(token), "dataset": "air"},
        headers={"origin": running.url, "cookie": f"{SESSION}={token}"},
        files={"file": (path.name, path.read_bytes(), "text/csv")},
    )  # fmt: skip
    heard.uploads.append(time.perf_counter() - begun)
    if answer.status_code != 303:
        heard.wrong.append(f"upload {answer.status_code}")


def _told(heard: Heard, name: str) -> Iterator[Figure]:
    every = [taken for page in heard.pages.values() for taken in page]
    slowest = sorted(heard.pages, key=lambda page: -_share(heard.pages[page], 0.95))[:4]
    note = "; ".join(f"{page} p95 {_share(heard.pages[page], 0.95) * 1000:.0f} ms" for page in slowest)
    yield Figure(
        f"portal: {name}, p95 of a page", seconds=[_share(every, 0.95)], inside=True, load=os.getloadavg()[0],
        note=f"{len(every)} pages, p50 {statistics.median(every) * 1000:.0f} ms; {note}",
        trouble=", ".join(sorted(set(heard.wrong))[:5]),
    )  # fmt: skip
    if heard.uploads:
        yield Figure(f"portal: {name}, slowest upload answered", seconds=[max(heard.uploads)], inside=True)


def _share(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


CASES = {"portal-judging": judging, "portal-browsing": browsing}
