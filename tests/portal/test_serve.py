"""The portal as a process: what it looks at before it opens, what it writes down, how it ends, and the demo's portal."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from portal_home import new_home
from portal_web import PASSWORD, hidden

from pipelines.batch import Places
from portal import demo_serve
from portal.access.accounts import add, opened_doors
from portal.access.gate import open_gate
from portal.access.login import sign_in
from portal.cli import main
from portal.demo_serve import people, told_people
from portal.serving.logs import LONGEST_LINE
from records.accounts import accounts
from records.store import Records
from schemas.permissions import portal_roles

ROOT = Path(__file__).parents[2]
TOKEN = "figures-for-the-watch"
LEAVES_WITHIN = 10.0
GONGZHI = ("-c", "from portal.cli import main; main()")


@dataclass
class Running:
    """A portal of its own process."""

    process: subprocess.Popen[bytes]
    url: str
    said: Path
    logged: Path

    def browser(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, trust_env=False, timeout=30)

    def lines(self) -> list[str]:
        return self.logged.read_text(encoding="utf-8").splitlines()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as door:
        return int(door.getsockname()[1])


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GONGZHI_")}
    return kept | {"GONGZHI_LANG": "zh", "PYTHONUTF8": "1", "GONGZHI_PORTAL_WORKERS": "0"} | more


@contextmanager
def process(folder: Path, *command: str, port: int, **more: str) -> Iterator[Running]:
    """Run a portal until the block ends; it has to leave in time."""
    said, logged = folder / "said.txt", folder / "logged.txt"
    with said.open("wb") as out, logged.open("wb") as err:
        started = subprocess.Popen(
            [sys.executable, *command, "--port", str(port)], stdout=out, stderr=err, cwd=ROOT,
            env=environment(**more),
        )  # fmt: skip
        running = Running(started, f"http://127.0.0.1:{port}", said, logged)
        try:
            _wait(running)
            yield running
            begun = time.monotonic()
            started.send_signal(signal.SIGTERM)
            assert started.wait(LEAVES_WITHIN) == 0, logged.read_text()
            assert time.monotonic() - begun <= LEAVES_WITHIN
        finally:
            if started.poll() is None:
                started.kill()
                started.wait()


def _wait(running: Running) -> None:
    until = time.monotonic() + 60
    with running.browser() as client:
        while time.monotonic() < until and running.process.poll() is None:
            try:
                if client.get("/health/live").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
    raise AssertionError(running.logged.read_text())


@pytest.fixture
def refused(monkeypatch, capsys) -> Iterator[Callable[..., tuple[int, str]]]:
    """Ask for a portal that must not open, and give exit code and words; its port is taken, so that it cannot."""
    with socket.create_server(("127.0.0.1", 0)) as door:

        def ask(home: Path, *more: str, **variables: str) -> tuple[int, str]:
            for name in [name for name in os.environ if name.startswith("GONGZHI_")]:
                monkeypatch.delenv(name)
            for name, value in variables.items():
                monkeypatch.setenv(name, value)
            port = str(door.getsockname()[1])
            monkeypatch.setattr(sys, "argv", ["gongzhi", "serve", "--home", str(home), "--port", port, *more])
            with pytest.raises(SystemExit) as ended:
                main()
            said = capsys.readouterr().err
            assert "Traceback" not in said and port not in said
            return int(ended.value.code or 0), said

        yield ask


@pytest.fixture
def home(tmp_path: Path) -> Places:
    """A home whose portal would open; each test breaks it in its own way."""
    return new_home(tmp_path)


def test_a_home_without_keys_stays_shut(home, refused):
    shutil.rmtree(home.keys)
    code, said = refused(home.home)
    assert code == 3 and said.startswith("keys") and "gongzhi init" in said


def test_records_of_another_edition_stay_shut_and_say_what_to_do(home, refused):
    for revision, remedy in (("9999", r"升级|upgrade|update|newer"), ("0001", "gongzhi init")):
        with sqlite3.connect(home.home / "records.db") as database:
            database.execute("UPDATE alembic_version SET version_num = ?", (revision,))
        code, said = refused(home.home)
        assert code == 3 and said.startswith("database") and re.search(remedy, said), said


def test_records_that_are_no_database_stay_shut(home, refused):
    (home.home / "records.db").write_bytes(b"no database at all" * 1000)
    code, said = refused(home.home)
    assert code == 3 and "gongzhi doctor" in said


def test_without_a_font_of_chinese_characters_it_stays_shut(home, refused, monkeypatch):
    """As on a machine with other fonts only: none of those found is of a family that has the characters."""
    from records import fonts, paper

    monkeypatch.setattr(fonts, "FAMILIES", ())
    paper._chosen.cache_clear()
    code, said = refused(home.home)
    paper._chosen.cache_clear()
    assert code == 3 and said.startswith("font") and "fonts-noto-cjk" in said


def test_a_disk_that_takes_nothing_stays_shut(home):
    """The process may write no byte into any file, as on a full disk; root is held by it too."""
    shut = " ".join(("ulimit -f 0; exec", sys.executable, "-c", f"'{GONGZHI[1]}'", "serve", "--home", str(home.home)))
    told = subprocess.run(["bash", "-c", shut], capture_output=True, text=True, timeout=60, cwd=ROOT, env=environment())
    assert told.returncode == 3 and "disk" in told.stderr and "请检查属主与权限、剩余空间" in told.stderr
    assert "Traceback" not in told.stderr and not list(home.home.glob(".probe-*"))


def test_settings_that_cannot_be_are_wrong_use(home, refused):
    for more, variables, words in (
        (("--host", "0.0.0.0"), {}, "GONGZHI_PORTAL_ADDRESS"),
        ((), {"GONGZHI_PORTAL_WORKERS": "many"}, "GONGZHI_PORTAL_WORKERS"),
        ((), {"GONGZHI_PORTAL_BIND": "none"}, "GONGZHI_PORTAL_BIND"), ((), {"GONGZHI_NIGHT": "25:99"}, "GONGZHI_NIGHT"),
    ):  # fmt: skip
        code, said = refused(home.home, *more, **variables)
        assert code == 2 and words in said
    code, said = refused(home.home / "nowhere")
    assert code == 2 and "gongzhi init" in said


def test_a_taken_port_is_told(home):
    with socket.create_server(("127.0.0.1", 0)) as door:
        told = subprocess.run(
            [sys.executable, *GONGZHI, "serve", "--home", str(home.home), "--port", str(door.getsockname()[1])],
            capture_output=True, text=True, timeout=60, cwd=ROOT, env=environment(),
        )  # fmt: skip
    assert told.returncode == 3 and "端口可能已被占用" in told.stderr


def test_the_log_stays_one_json_object_a_line_whatever_is_asked(tmp_path, home):
    """R31: hostile addresses, names and browsers; no secret of anybody, and the number the caller was given is in it."""
    at = datetime.now(UTC)
    with Records.open(home.database_url) as records:
        gate = open_gate(home, records)
        issued = add(gate, "zhang.gong", "张工", "beibei", ["uploader"], "tests", at)
    with process(
        tmp_path, *GONGZHI, "serve", "--home", str(home.home), port=free_port(), GONGZHI_METRICS_TOKEN=TOKEN
    ) as running:
        with running.browser() as client:
            asked = client.get("/nothing%0d%0a{%22level%22:%22error%22}%1b[2J%e2%80%ae?password=hunter2hunter2")
            assert asked.status_code == 404
            number = asked.headers["x-request-id"]
            client.get("/" + "x" * 4000, headers={"user-agent": b"a\x9b31m" + b"b" * 9000})
            client.get("/login", headers={"x-request-id": "given-by-the-proxy-7"})
            client.get("/login", headers={"x-request-id": "bad\tnumber {}"})
            client.get("/api/v1/me", headers={"authorization": "Bearer gz_0123456789ab_" + "S" * 43})
            assert client.get("/metrics").status_code == 401
            figures = client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})
            assert figures.status_code == 200 and 'gongzhi_requests_total{method="GET",status="404"}' in figures.text
            wrong = hidden(client.get("/login").text) | {"login": "zhang.gong\nroot", "password": "wrong-hunter3"}
            assert client.post("/login", data=wrong, headers={"origin": running.url}).status_code == 401
            token = _signed_in(running, client, "zhang.gong", issued.password)
            assert client.get("/").status_code == 200
        with socket.create_connection((running.url[7:].split(":")[0], int(running.url.rpartition(":")[2]))) as raw:
            raw.sendall(b"GET /\x00\x1b[31m HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
            raw.recv(1000)
    text = running.logged.read_text(encoding="utf-8")
    for secret in ("hunter2", "hunter3", issued.password, PASSWORD, token, "S" * 43, TOKEN):
        assert secret not in text
    assert not [c for c in text if not c.isprintable() and c != "\n"]
    told = [json.loads(line) for line in text.splitlines()]
    assert all(len(line.encode()) <= LONGEST_LINE for line in text.splitlines())
    assert all({"at", "level", "logger", "message"} <= set(one) for one in told)
    answers = [one for one in told if one["logger"] == "gongzhi.access"]
    mine = [one for one in told if one.get("request") == number]
    assert {one["logger"] for one in mine} > {"gongzhi.access"}, "the problem and its answer carry one number"
    assert {one["request"] for one in answers} >= {"given-by-the-proxy-7"} and "bad" not in {
        o["request"] for o in answers
    }
    assert all(
        isinstance(one["ms"], float) and one["status"] >= 200 and one["client"] == "127.0.0.1" for one in answers
    )
    assert [one for one in answers if one["account"] == issued.account.account_id and one["path"] == "/"]


def _signed_in(running: Running, client: httpx.Client, login: str, password: str) -> str:
    """Sign in with a one-time password and choose another; gives the token of the session."""
    fields = hidden(client.get("/login").text) | {"login": login, "password": password}
    told = client.post("/login", data=fields, headers={"origin": running.url})
    assert told.status_code == 303 and told.headers["location"] == "/first-password"
    fields = hidden(client.get("/first-password").text) | {"old": password, "new": PASSWORD, "again": PASSWORD}
    told = client.post("/first-password", data=fields, headers={"origin": running.url})
    assert told.status_code == 303 and told.headers["location"] == "/"
    return client.cookies["gongzhi"]


def test_the_demos_portal_opens_with_a_printed_password_and_ends_when_told(tmp_path, home):
    """As ``make demo-serve`` does on a home that is there."""
    command = ("-m", "portal.demo_serve", "--home", str(home.home))
    with process(tmp_path, *command, port=free_port()) as running:
        said = running.said.read_text(encoding="utf-8")
        found = dict(
            re.findall(r"^(\S+\.(?:beibei|mianyang)) .* ([0-9a-z]{4}(?:-[0-9a-z]{4}){3})$", said, re.MULTILINE)
        )
        assert set(found) == {one["login"] for one in people()} and running.url in said
        with running.browser() as client:
            _signed_in(running, client, "uploader.beibei", found["uploader.beibei"])
            desk = client.get("/")
            assert desk.status_code == 200 and "周样例" in desk.text
        assert not [password for password in found.values() if password in running.logged.read_text()]
    with Records.open(home.database_url) as records:
        again = "\n".join(told_people(open_gate(home, records), datetime.now(UTC)))
    own = re.search("^uploader.beibei .*$", again, re.MULTILINE)
    assert own and ("已自行修改" in own[0] or "changed by its owner" in own[0])
    assert found["auditor.mianyang"] not in again, "a password nobody used is another one now"


def test_the_people_of_the_demo_hold_every_role_at_both_bureaus():
    assert {(one["bureau"], one["role"]) for one in people()} == {
        (bureau, role) for bureau in ("beibei", "mianyang") for role in portal_roles()
    }


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        (("--host", "0.0.0.0"), {}), (("--host", "192.0.2.1"), {"GONGZHI_PORTAL_ADDRESS": "https://gongzhi.example"}),
        ((), {"GONGZHI_PORTAL_BIND": "0.0.0.0:8800"}), ((), {"GONGZHI_PORTAL_ADDRESS": "https://gongzhi.example"}),
    ],
)  # fmt: skip
def test_the_demos_portal_opens_on_this_machine_only(home, arguments, variables, monkeypatch, capsys):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert demo_serve.main(["--home", str(home.home), *arguments]) == 2
    said = capsys.readouterr()
    assert said.err and said.out == ""
    with Records.open(home.database_url) as records:
        assert not {one["login"] for one in people()} & {one.login for one in accounts(records)}


def test_the_demos_passwords_count_from_today(tmp_path):
    """The demo's own clock stands months back: a password made by it would have run out before it was read."""
    home = new_home(tmp_path)
    today = datetime.now(UTC)
    with Records.open(home.database_url) as records:
        gate = open_gate(home, records)
        issued = opened_doors(gate, "tests", today)
        assert {one.account.bureau for one in issued} == set(gate.bureaus)
        for one in issued:
            assert sign_in(gate, one.account.login, one.password, today + timedelta(days=6)).step == "change"
