"""Health and metrics over real sockets: what they say of a real home, and what they do with bad callers."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import time as clock_time
from datetime import timedelta
from typing import Any

import pytest
from portal_home import MORNING
from prometheus_client.parser import text_string_to_metric_families

from pipelines.backup import back_up
from pipelines.batch import Places
from pipelines.schedule import Job, Service
from pipelines.slots import nightly
from portal.service import CONNECTIONS, HEAD_BYTES, HealthServer, Watch, look, serve_health
from records.alarms import Trouble, tell
from records.runs import FinishedVisit, begin_run, begin_visits, finish_run, finish_visits
from records.store import Records

Asked = tuple[int, dict[str, str], bytes]
NIGHT = Job("night", nightly(clock_time(2, 30)), lambda work: {})


@pytest.fixture
def watch(places: Places, kept: Records) -> Watch:
    service = Service(kept, [NIGHT], lambda: MORNING)
    return Watch(places, kept, service.status, lambda: MORNING, places.home / "backups")


@pytest.fixture
def served(watch: Watch) -> Iterator[Callable[..., HealthServer]]:
    servers: list[HealthServer] = []

    def start(host: str = "127.0.0.1", token: str = "") -> HealthServer:
        watch.token = token
        servers.append(serve_health((host, 0), watch))
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def ask(server: HealthServer, path: str, method: str = "GET", **headers: str) -> Asked:
    with closing(http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)) as connection:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


def raw(server: HealthServer, data: bytes, seconds: float = 10.0) -> bytes:
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=seconds) as connection:
        connection.sendall(data)
        told = b""
        while block := connection.recv(65536):
            told += block
        return told


def ran(records: Records, state: str = "done", chores: dict[str, Any] | None = None) -> None:
    run = begin_run(records, "night", "2026-04-09", "scheduled", MORNING, MORNING, "h:1:2", 1)
    assert run is not None
    visits = begin_visits(records, run.run_id, [("beibei/inbox", "beibei")], MORNING)
    finish_visits(records, [FinishedVisit(visits["beibei/inbox"].visit_id, "unchanged")], MORNING)
    finish_run(records, run.run_id, state, MORNING + timedelta(seconds=90), {"chores": chores or {}})


def checks(told: dict[str, Any]) -> dict[str, bool]:
    return {check["name"]: check["ok"] for check in told["checks"]}


def test_a_live_process_says_so_to_anybody(served):
    status, headers, body = ask(served(token="t"), "/health/live")
    assert (status, json.loads(body)) == (200, {"state": "live"})
    assert headers["cache-control"] == "no-store" and headers["server"].strip() == "gongzhi"


def test_a_new_home_is_degraded_for_want_of_a_backup_but_works(served):
    status, _, body = ask(served(), "/health/ready")
    told = json.loads(body)
    assert (status, told["state"]) == (200, "degraded")
    assert checks(told) == {"database": True, "store": True, "alarms": True, "backup": False}
    assert told["sources"].keys() >= {"beibei/inbox", "mianyang/inbox"} and told["schedule"]["leader"] is False


def test_after_a_night_with_a_backup_all_is_ready(watch, kept, places):
    ran(kept, chores={"chain": {"ok": True, "message": "链完整", "message_en": "whole"}})
    back_up(places, kept, places.home / "backups", MORNING)
    told = look(watch)
    assert told["state"] == "ready" and checks(told)["chain"] and checks(told)["night"]
    assert told["last_backup"].startswith("2026-04-09T02:30:00")


@pytest.mark.parametrize(
    ("state", "chain", "expected"),
    [("failed", True, "degraded"), ("done", False, "unready")],
)
def test_a_failed_night_wants_a_look_and_a_broken_chain_is_the_end(watch, kept, state, chain, expected):
    ran(kept, state, {"chain": {"ok": chain, "message": "第 3 条被改动", "message_en": "event 3 was altered"}})
    told = look(watch)
    assert told["state"] == expected and checks(told)["night"] is (state == "done") and checks(told)["chain"] is chain


def test_a_night_and_a_backup_that_are_old_are_said(watch, kept, places):
    ran(kept)
    back_up(places, kept, places.home / "backups", MORNING)
    watch.clock = lambda: MORNING + timedelta(hours=60)
    assert {name for name, ok in checks(look(watch)).items() if not ok} == {"backup", "night"}


def test_a_database_that_cannot_be_written_is_unready_and_answers_in_time(served, places):
    server = served()
    with closing(sqlite3.connect(places.home / "records.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        status, _, body = ask(server, "/health/ready")
        assert time.monotonic() - began < 8
        other.execute("ROLLBACK")
    told = json.loads(body)
    assert (status, told["state"]) == (503, "unready") and not checks(told)["database"]


def test_a_database_that_is_gone_is_unready(watch, places):
    (places.home / "records.db").unlink()
    told = look(watch)
    assert told["state"] == "unready" and not checks(told)["database"] and told["figures"] == {}


def test_a_home_that_is_gone_is_unready(watch, places):
    places.home.rename(places.home.with_name("elsewhere"))
    assert look(watch)["state"] == "unready"
    shutil.rmtree(places.home, ignore_errors=True)


def test_many_questions_cost_one_look(watch, served, kept):
    server = served()
    first = json.loads(ask(server, "/health/ready")[2])
    tell(kept, [Trouble("missing", "beibei/inbox", "beibei", "error", "缺", "missing")], (), MORNING, [])
    assert json.loads(ask(server, "/health/ready")[2]) == first
    watch.seen_at -= 60
    assert json.loads(ask(server, "/health/ready")[2])["alarms"] == ["missing beibei/inbox"]


def test_metrics_are_what_the_records_hold(served, kept, places):
    ran(kept)
    tell(kept, [Trouble("missing", "beibei/inbox", "beibei", "error", "缺", "missing")], (), MORNING, ["log", "duty"])
    kept.receive("beibei", "a.csv", "0" * 64, "0" * 64, 1, MORNING, "test", "sha256:0")
    back_up(places, kept, places.home / "backups", MORNING)
    status, headers, body = ask(served(), "/metrics")
    assert status == 200 and headers["content-type"].startswith("text/plain; version=0.0.4")
    families = {family.name: family for family in text_string_to_metric_families(body.decode())}
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in families.values()
        for sample in family.samples
    }
    assert found["gongzhi_runs_total", "night", "done"] == 1 and found["gongzhi_run_seconds", "night"] == 90
    assert found["gongzhi_alarms_open", "missing"] == 1 and found["gongzhi_outbox_waiting",] == 2
    assert found["gongzhi_batches", "received"] == 1 and found["gongzhi_leader",] == 0
    assert found["gongzhi_source_last_success_timestamp_seconds", "beibei/inbox"] == MORNING.timestamp()
    assert found["gongzhi_last_backup_timestamp_seconds",] == MORNING.timestamp()
    assert found["gongzhi_check", "database"] == 1 and found["gongzhi_check", "alarms"] == 0


def test_with_a_token_only_its_bearer_sees_metrics_and_details(served):
    server = served(token="s3cret")
    status, headers, body = ask(server, "/metrics")
    assert (status, headers["www-authenticate"]) == (401, "Bearer")
    assert set(json.loads(body)["error"]) == {"code", "message", "message_en"}
    assert ask(server, "/metrics", Authorization="Bearer guessed")[0] == 401
    assert ask(server, "/metrics", Authorization="Bearer s3cret")[0] == 200
    assert set(json.loads(ask(server, "/health/ready")[2])) == {"state"}
    assert "sources" in json.loads(ask(server, "/health/ready", Authorization="Bearer s3cret")[2])


def test_without_a_token_a_public_address_shows_no_details(served):
    server = served("0.0.0.0")
    assert ask(server, "/metrics")[0] == 401
    assert set(json.loads(ask(server, "/health/ready")[2])) == {"state"}


@pytest.mark.parametrize("path", ["/", "/metrics/../health/live", "/%2e%2e/etc/passwd", "/health", "/metrics/"])
def test_no_other_address_leads_anywhere(served, path):
    status, _, body = ask(served(), path)
    assert status == 404 and json.loads(body)["error"]["code"] == "not-found" and b"passwd" not in body


def test_other_methods_are_refused_without_an_echo(served):
    told = raw(served(), b"BREW /<script> HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b" 501 " in told.splitlines()[0] and b"<script>" not in told and b"BREW" not in told


def test_a_head_question_has_no_body(served):
    told = raw(served(), b"HEAD /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
    assert told.startswith(b"HTTP/1.0 200") and told.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nX: " + b"a" * (HEAD_BYTES + 9000) + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 2900 + b"\r\n",
    ],
)
def test_a_head_that_is_too_large_is_not_answered(served, head):
    try:
        assert b"200" not in raw(served(), head)
    except ConnectionResetError:
        pass


def test_a_caller_that_drips_is_dropped_and_others_are_served(served):
    server = served()
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=20) as slow:
        began, gone = time.monotonic(), threading.Event()

        def drip() -> None:
            try:
                while not gone.wait(0.3):
                    slow.sendall(b"X")
            except OSError:
                pass

        thread = threading.Thread(target=drip)
        thread.start()
        assert ask(server, "/health/live")[0] == 200
        try:
            assert slow.recv(1) == b""
        except ConnectionResetError:
            pass
        took = time.monotonic() - began
        gone.set()
        thread.join()
    assert 4 < took < 8


def test_too_many_callers_at_once_are_turned_away_and_places_come_back(served):
    server = served()
    held = [socket.create_connection(("127.0.0.1", server.server_port), timeout=10) for _ in range(CONNECTIONS)]
    time.sleep(0.5)
    try:
        told = raw(server, b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
    except (ConnectionResetError, BrokenPipeError):
        told = b""
    assert told == b""
    for connection in held:
        connection.close()
    time.sleep(0.5)
    assert ask(server, "/health/live")[0] == 200
