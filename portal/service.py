"""Health and metrics of ``gongzhi schedule`` over HTTP, for whoever watches it.

``/health/live`` says that the process answers; ``/health/ready`` tries to write to the database and the store and tells
of lease, runs, sources, backup and chain: 503 where the exchange cannot work, 200 with ``degraded`` where somebody should
look; ``/metrics`` is for Prometheus. Details and metrics need the token, or an address of this machine only. A request
has a few seconds and a few kilobytes, and what it costs to answer is paid once in fifteen seconds.
"""

from __future__ import annotations

import hmac
import io
import ipaddress
import json
import logging
import queue
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pipelines.backup import newest_backup
from pipelines.batch import Places
from pipelines.board import board
from portal.boards import CHINA
from records.alarms import alarms
from records.runs import runs
from records.store import Records
from records.vitals import batch_counts, last_successes, outbox_waiting, probe, run_counts
from schemas.sources import sources

HEAD_BYTES, HEAD_SECONDS = 16 * 1024, 5.0
CONNECTIONS = 32
FRESH_SECONDS = 15.0
PROBE_SECONDS = 5.0
BACKUP_AGE, NIGHT_AGE = timedelta(hours=50), timedelta(hours=26)
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

log = logging.getLogger("gongzhi.health")


@dataclass
class Watch:
    """What is watched; ``status`` is that of the service."""

    places: Places
    records: Records
    status: Callable[[], dict[str, Any]]
    clock: Callable[[], datetime]
    backups: Path | None = None
    token: str = ""
    seen: dict[str, Any] = field(default_factory=dict)
    seen_at: float = float("-inf")
    turn: threading.Lock = field(default_factory=threading.Lock)

    def look(self) -> dict[str, Any]:
        """Give what was seen in the last seconds, or look again."""
        with self.turn:
            if time.monotonic() - self.seen_at > FRESH_SECONDS:
                self.seen, self.seen_at = look(self), time.monotonic()
            return self.seen


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at; a ``vital`` one that fails makes the exchange unready."""

    name: str
    ok: bool
    vital: bool
    message: str
    message_en: str

    def as_json(self) -> dict[str, Any]:
        """Give the check for JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


def look(watch: Watch) -> dict[str, Any]:
    """Look at everything once: the answer of ``/health/ready``, with the figures of ``/metrics``."""
    now = watch.clock()
    told: dict[str, Any] = {"at": now.isoformat(), "figures": {}}
    checks = [_tried("database", "数据库可写", "the database can be written", lambda: probe(watch.records))]
    checks.append(_tried("store", "数据目录可写", "the store can be written", lambda: _probe_store(watch.places)))
    if checks[0].ok:
        try:
            checks += _checks_of_records(watch, told, now)
        except Exception as error:  # whatever it is, the caller gets an answer
            log.exception("健康检查读不到记录 / health cannot read the records")
            said = f"{type(error).__name__} {error}".splitlines()[0]
            checks.append(Check("records", False, True, f"记录不可读：{said}", f"the records cannot be read: {said}"))
    failed = [check for check in checks if not check.ok]
    told["state"] = "ready" if not failed else "unready" if any(check.vital for check in failed) else "degraded"
    told["checks"] = [check.as_json() for check in checks]
    return told


def _tried(name: str, zh: str, en: str, attempt: Callable[[], None]) -> Check:
    """Try something in a thread: a disk or a database that hangs must not hang the answer."""
    done: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()

    def run() -> None:
        try:
            attempt()
            done.put(None)
        except Exception as error:
            done.put(error)

    threading.Thread(target=run, daemon=True, name=f"probe-{name}").start()
    try:
        error = done.get(timeout=PROBE_SECONDS)
    except queue.Empty:
        error = TimeoutError(f"{PROBE_SECONDS:g} s")
    if error is None:
        return Check(name, True, True, zh, en)
    said = f"{type(error).__name__} {error}".splitlines()[0]
    return Check(name, False, True, f"{zh}：否（{said}）", f"{en}: no ({said})")


def _probe_store(places: Places) -> None:
    for folder in (places.home, Path(places.tables)):
        if "://" in str(folder) or ":/" in str(folder) or not folder.is_dir():
            continue
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".probe-") as stream:
            stream.write(b"probe")
            stream.flush()
    if shutil.disk_usage(places.home).free < 64 * 2**20:
        raise OSError("less than 64 MB free")


def _checks_of_records(watch: Watch, told: dict[str, Any], now: datetime) -> Iterator[Check]:
    status = watch.status()
    found, _ = sources(watch.places.site_facts if watch.places.site_facts.is_dir() else None)
    today = now.astimezone(CHINA).date()
    lag = board(watch.records, found, today, today, now).lag
    still_open = alarms(watch.records)
    backup = None if watch.backups is None else newest_backup(watch.backups)
    night = next((run for run in runs(watch.records, "night", limit=7) if run.state in ("done", "failed")), None)
    told |= {
        "schedule": status,
        "sources": {key: {"age_hours": lag.get(key), "enabled": source.enabled} for key, source in found.items()},
        "alarms": [f"{alarm.code} {alarm.source}".strip() for alarm in still_open],
        "last_backup": None if backup is None else backup.isoformat(),
    }
    told["figures"] = {
        "lag": lag,
        "success": last_successes(watch.records),
        "alarms": [alarm.code for alarm in still_open],
        "runs": run_counts(watch.records),
        "seconds": {
            run.job: (run.finished_at - run.started_at).total_seconds()
            for run in (
                next((r for r in runs(watch.records, job, limit=5) if r.finished_at), None) for job in status["last"]
            )
            if run is not None and run.finished_at is not None
        },
        "outbox": outbox_waiting(watch.records),
        "leader": status["leader"],
        "backup": backup,
        "batches": batch_counts(watch.records),
    }
    yield Check("alarms", not still_open, False, f"未解除的告警 {len(still_open)} 条", f"{len(still_open)} open alarms")
    if watch.backups is not None:
        fresh = backup is not None and now - backup < BACKUP_AGE
        yield Check("backup", fresh, False, f"最近备份 {backup or '无'}", f"last backup {backup or 'none'}")
    if night is not None:
        well = night.state == "done" and now - night.due_at < NIGHT_AGE
        yield Check(
            "night", well, False, f"最近一夜 {night.slot} {night.state}", f"last night {night.slot} {night.state}"
        )
        chain = (night.summary.get("chores") or {}).get("chain")
        if chain is not None:
            yield Check("chain", bool(chain["ok"]), True, str(chain["message"]), str(chain["message_en"]))


# -- metrics --------------------------------------------------------------------------------------------------


class _Figures(Collector):
    """Turns what was seen into metrics."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.told = told

    def collect(self) -> Iterator[Metric]:
        yield _gauge(
            "check", "1 where a health check is well", "name", {c["name"]: c["ok"] for c in self.told["checks"]}
        )
        figures = self.told["figures"]
        if not figures:
            return
        ages = {key: hours * 3600 for key, hours in figures["lag"].items() if hours is not None}
        yield _gauge("source_age_seconds", "Age of the newest accepted data", "source", ages)
        times = {key: at.timestamp() for key, at in figures["success"].items()}
        yield _gauge("source_last_success_timestamp_seconds", "Last visit that went well", "source", times)
        codes = {code: figures["alarms"].count(code) for code in set(figures["alarms"])}
        yield _gauge("alarms_open", "Open alarms", "code", codes)
        runs_ = CounterMetricFamily("gongzhi_runs", "Runs in the ledger", labels=["job", "state"])
        for (job, state), count in figures["runs"].items():
            runs_.add_metric([job, state], count)
        yield runs_
        yield _gauge("run_seconds", "How long the last run took", "job", figures["seconds"])
        yield _gauge("batches", "Batches in the records", "state", figures["batches"])
        yield GaugeMetricFamily("gongzhi_outbox_waiting", "Notices to be delivered", value=figures["outbox"])
        yield GaugeMetricFamily("gongzhi_leader", "1 where this process holds the lease", value=int(figures["leader"]))
        if figures["backup"] is not None:
            at = figures["backup"].timestamp()
            yield GaugeMetricFamily("gongzhi_last_backup_timestamp_seconds", "Time of the last backup", value=at)


def _gauge(name: str, meaning: str, label: str, values: dict[str, Any]) -> GaugeMetricFamily:
    made = GaugeMetricFamily(f"gongzhi_{name}", meaning, labels=[label])
    for key, value in sorted(values.items()):
        made.add_metric([key], float(value))
    return made


def metrics_text(told: dict[str, Any]) -> bytes:
    """Give what was seen in the text form of Prometheus."""
    registry = CollectorRegistry()
    registry.register(_Figures(told))
    return generate_latest(registry)


# -- the server -----------------------------------------------------------------------------------------------


class HealthServer(ThreadingHTTPServer):
    """Answers in threads of its own; too many at once are turned away."""

    daemon_threads = True
    request_queue_size = 16

    def __init__(self, address: tuple[str, int], watch: Watch) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.watch = watch
        self.open = bool(watch.token) or _is_loopback(address[0])
        self._places = threading.BoundedSemaphore(CONNECTIONS)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Hand a connection to a thread, if there is a place."""
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, and give the place back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say in the log what broke; a caller that went away is no error."""
        log.debug("健康检查连接出错 / a health request broke", exc_info=True)

    def allowed(self, authorization: str) -> bool:
        """Tell whether a caller may see details."""
        if not self.watch.token:
            return self.open
        return hmac.compare_digest(authorization.encode(), f"Bearer {self.watch.token}".encode())


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Handler(BaseHTTPRequestHandler):
    server: HealthServer
    server_version, sys_version = "gongzhi", ""
    timeout = HEAD_SECONDS

    def handle(self) -> None:
        """Read one request head, within its time and size, and answer it."""
        head = _read_head(self.connection)
        if head:
            self.rfile = io.BytesIO(head)  # type: ignore[assignment]
            self.handle_one_request()

    def do_GET(self) -> None:
        """Answer the three addresses there are."""
        path, watch = self.path.partition("?")[0], self.server.watch
        allowed = self.server.allowed(self.headers.get("Authorization", ""))
        if path == "/health/live":
            self._answer(200, {"state": "live"})
        elif path == "/health/ready":
            told = {name: value for name, value in watch.look().items() if name != "figures"}
            self._answer(503 if told["state"] == "unready" else 200, told if allowed else {"state": told["state"]})
        elif path == "/metrics" and allowed:
            self._send(200, METRICS_TYPE, metrics_text(watch.look()))
        elif path == "/metrics":
            self._error(401, "unauthorised", "需要令牌：Authorization: Bearer", "a bearer token is needed")
        else:
            self._error(404, "not-found", "没有这个地址", "there is no such address")

    do_HEAD = do_GET

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer a malformed request as JSON, without repeating what it said."""
        self._error(code, "bad-request", "请求无法处理", "the request cannot be served")

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the probes of every few seconds out of the log."""

    def _error(self, status: int, code: str, zh: str, en: str) -> None:
        self._answer(status, {"error": {"code": code, "message": zh, "message_en": en}})

    def _answer(self, status: int, told: dict[str, Any]) -> None:
        text = json.dumps(told, ensure_ascii=False, default=str)
        self._send(status, "application/json; charset=utf-8", text.encode())

    def _send(self, status: int, media_type: str, body: bytes) -> None:
        self.send_response(status)
        headers = {"Content-Type": media_type, "Content-Length": str(len(body)), "Cache-Control": "no-store"}
        headers |= {"X-Content-Type-Options": "nosniff", "Connection": "close"}
        if status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _read_head(connection: socket.socket) -> bytes:
    """Read up to the blank line; nothing where it takes too long or is too large."""
    head, end = b"", time.monotonic() + HEAD_SECONDS
    while b"\r\n\r\n" not in head and b"\n\n" not in head:
        left = end - time.monotonic()
        if left <= 0 or len(head) > HEAD_BYTES:
            return b""
        connection.settimeout(left)
        try:
            block = connection.recv(4096)
        except OSError:
            return b""
        if not block:
            return b""
        head += block
    connection.settimeout(HEAD_SECONDS)
    return head if len(head) <= HEAD_BYTES else b""


def serve_health(address: tuple[str, int], watch: Watch) -> HealthServer:
    """Start answering in a thread; the caller shuts it down."""
    server = HealthServer(address, watch)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True, name="health").start()
    log.info("健康检查 / health at http://%s:%d", *server.server_address[:2])
    return server
