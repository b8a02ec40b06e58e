"""The credit desk of the portal over HTTP, among a hundred thousand rated enterprises: candidates as one types, and records.

The portal runs as ``gongzhi serve`` does, in a process of its own; several inspectors with sessions ask it, first one
after the other, then ten at once. Every question is traced before it is answered, as always; the times are those of
whole answers on the wire. Limits per second hold here too: nobody asks faster than a person may.
"""

from __future__ import annotations

import json
import random
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil  # type: ignore[import-untyped]

from benchmarks.cases import GONGZHI, Bench, inside, told
from benchmarks.enterprises import SLIPS, SOUNDING, Enterprise, enterprises, percentile, slips
from benchmarks.measure import Figure, run
from schemas.identifiers import read_uscc

NUMBER, QUICK = 100_000, 5_000
ASKED, QUICK_ASKED = 600, 60
INSPECTORS = 20
AT_ONCE = 10
TITLE = re.compile(r"<title>(.*?)</title>|<code>([A-Za-z0-9-]+)</code>")
PACE = 0.125
"""Seconds between two questions of one inspector: eight a second, below the limit."""


def credit_desk(bench: Bench) -> Iterator[Figure]:
    """Build a home, serve it, ask it."""
    number, asked = (QUICK, QUICK_ASKED) if bench.quick else (NUMBER, ASKED)
    home = bench.home()
    try:
        made = run([sys.executable, "-m", "benchmarks.screenings", "build", str(home), str(number), "200"])
        if made.code:
            yield inside("credit desk", made, [])
            return
        done = run([sys.executable, "-m", "benchmarks.credit_desk", str(home), str(number), str(asked)])
        for name, one in (told(done) or {"credit desk": {"p50": 0.0, "p95": 0.0, "note": ""}}).items():
            yield inside(f"{name}, p95, {number:,} enterprises", done, [one["p95"] / 1000], note=one["note"])
    finally:
        bench.drop(home)


# -- in a process of its own ----------------------------------------------------------------------------------------


def ask(home: str, number: int, asked: int) -> dict[str, Any]:
    """Serve a home and ask it for candidates and records."""
    invented = list(enterprises(number))
    texts = _texts(invented, asked)
    draw = random.Random(5)
    codes = [one.uscc for one in draw.sample([one for one in invented if read_uscc(one.uscc).code], asked)]
    with _served(Path(home)) as (url, pid), _inspectors(Path(home), url) as people:
        for person in people:  # the first answers open the register and load the tables of readings
            person.get("/credit/suggest", params={"q": "重庆"})
        served = psutil.Process(pid)
        search = [{"path": "/credit/suggest", "params": {"q": text}} for text in texts]
        record = [{"path": f"/credit/enterprises/{code}", "params": {}} for code in codes]
        return {
            "candidates over HTTP": _timed(served, people, search, 1),
            f"candidates over HTTP, {AT_ONCE} at once": _timed(served, people, search, AT_ONCE),
            "record of an enterprise over HTTP": _timed(served, people, record, 1),
            f"record of an enterprise over HTTP, {AT_ONCE} at once": _timed(served, people, record, AT_ONCE),
        }


def _texts(invented: list[Enterprise], asked: int) -> list[str]:
    """Make what inspectors type: fragments of names, whole ones, codes, and every way to get a name wrong."""
    draw = random.Random(3)
    kinds = list(SLIPS)
    wrong = [text for n, kind in enumerate(kinds) for text, _ in slips(draw.sample(invented, asked // len(kinds) + 1), kind, n)]  # fmt: skip
    parts = [one.name[:length] for one in draw.sample(invented, asked // 3) for length in (2, 4, 8)]
    sounds = [text for kind in SOUNDING for text, _ in slips(draw.sample(invented, asked // 6), kind, 7)]
    texts = [*wrong, *parts, *sounds, *(one.uscc for one in draw.sample(invented, asked // 10))]
    draw.shuffle(texts)
    return texts[:asked]


def _timed(
    served: psutil.Process, people: list[httpx.Client], questions: list[dict[str, Any]], at_once: int
) -> dict[str, Any]:
    """Ask all questions, ``at_once`` people at a time, each at his pace."""
    wall: list[float] = []
    used = sum(served.cpu_times()[:2])

    def go(place: int) -> None:
        person = people[place]
        for question in questions[place::at_once] if at_once > 1 else questions:
            began = time.perf_counter()
            answer = (person if at_once > 1 else next(turn)).get(question["path"], params=question["params"])
            took = time.perf_counter() - began
            if answer.status_code != 200:
                raise SystemExit(f"{question}: {answer.status_code} {TITLE.findall(answer.text)}")
            wall.append(took)
            if at_once > 1:
                time.sleep(max(0.0, PACE - took))

    turn = _in_turn(people)
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(go, range(at_once)))
    p50, p95, p99 = (percentile(wall, share) for share in (50, 95, 99))
    processor = (sum(served.cpu_times()[:2]) - used) / len(wall) * 1000
    note = f"{len(wall)} asked, p50 {p50:.1f} p95 {p95:.1f} p99 {p99:.1f} ms, processor of the portal {processor:.1f} ms each"
    return {"p50": p50, "p95": p95, "note": note}


def _in_turn(people: list[httpx.Client]) -> Iterator[httpx.Client]:
    while True:
        yield from people


@contextmanager
def _served(home: Path) -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    said = (home / "serve.log").open("wb")
    served = subprocess.Popen([str(GONGZHI), "serve", "--port", str(port), "--home", str(home)], stdout=said, stderr=said)  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(lambda: httpx.get(f"{url}/health/live", trust_env=False).status_code == 200, served)
        yield url, served.pid
    finally:
        served.terminate()
        served.wait(30)
        said.close()


def _wait(ready: Callable[[], bool], served: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        if served.poll() is not None:
            raise SystemExit("the portal ended at its start; see serve.log")
        try:
            if ready():
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise SystemExit("the portal did not answer within a minute")


@contextmanager
def _inspectors(home: Path, url: str) -> Iterator[list[httpx.Client]]:
    """People with sessions who have said why they ask."""
    from portal.access import accounts, sessions
    from portal.access.gate import open_gate
    from portal.access.login import change_password, sign_in
    from portal.settings import read_settings
    from portal.web.asking import csrf_token
    from records.store import Records

    places = read_settings({}).places(home)
    assert places is not None
    people = []
    with Records.open(places.database_url) as records:
        gate, at = open_gate(places, records), datetime.now(UTC)
        for number in range(INSPECTORS):
            issued = accounts.add(gate, f"bench-{number}", "检查员", "beibei", ["inspector"], "benchmark", at)
            begun = sign_in(gate, issued.account.login, issued.password, at)
            change_password(gate, begun.token, issued.password, f"缙云山下 嘉陵江 {number}", at)
            token = sessions.begin(gate, issued.account.account_id, "beibei", "", at, "benchmark").token
            person = httpx.Client(base_url=url, cookies={"gongzhi": token}, trust_env=False, timeout=60)
            data = {"csrf": csrf_token(token), "purpose": "random-check", "plan": "2026-04", "certificate": ""}
            answer = person.post("/credit/errand", data=data, headers={"origin": url})
            if answer.status_code != 303:
                raise SystemExit(f"errand: {answer.status_code} {TITLE.findall(answer.text)}")
            people.append(person)
    try:
        yield people
    finally:
        for person in people:
            person.close()


CASES = {"credit-desk": credit_desk}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(ask(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])), ensure_ascii=False) + "\n")
