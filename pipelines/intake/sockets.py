"""Sockets that cannot hang: every wait is bounded, every byte counted, every error has words.

Each wait is cut into short slices, so that a deadline over the whole request (a time-out per read is none: P13 of the
stack) and a stopping service are noticed within a quarter of a second. The head of an answer is read in small bites
and may not pass 64 KB, interim answers included; the bytes of one answer are counted as they come, whatever the framing.
"""

from __future__ import annotations

import errno
import select
import socket
import ssl
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Thread
from typing import Any, TypeVar

from pipelines.errors import AnswerTooLarge, BadAnswer, Stopped, TooSlow, Unreachable
from pipelines.intake.tls import tls_trouble, unreachable

SLICE = 0.25
HEAD_BYTES = 64 * 1024
HEAD_BITE = 4096

T = TypeVar("T")


@dataclass(slots=True)
class Patience:
    """How long the request under way may still take, how much may come, and whether the service is stopping."""

    stopping: Callable[[], bool]
    connect: float
    idle: float
    host: str = ""
    deadline: float = float("inf")
    budget: float = float("inf")
    most: int = 0
    """Bytes that may come over the wire in answer to one request."""
    wire: Wire | None = None
    """The connection last written to."""

    def slice(self) -> float:
        """Give the next short wait; raises when nothing is left to wait for."""
        if self.stopping():
            raise Stopped
        left = min(self.deadline, self.budget) - time.monotonic()
        if left > 0:
            return min(left, SLICE)
        if self.budget <= self.deadline:
            raise TooSlow(
                "budget-spent",
                f"访问 {self.host} 的总时限（含重试）已用完；下次运行再试",
                f"the time for {self.host}, tries included, is spent; the next run tries again",
            )
        raise TooSlow(
            "too-slow",
            f"{self.host} 传输过慢，未在限定时间内传完；请对方检查服务器与网络，必要时调大声明中的 seconds",
            f"{self.host} did not finish within the deadline; ask the sender, or raise seconds in the declaration",
        )

    def sleep(self, seconds: float) -> None:
        """Wait, but not beyond the budget and not while the service is stopping."""
        until = time.monotonic() + seconds
        self.deadline = float("inf")
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, self.slice()))

    def run(self, work: Callable[[], T], otherwise: Unreachable) -> T:
        """Do what cannot be interrupted beside us, and stop waiting for it when the time is over."""
        future: Future[T] = Future()
        Thread(target=_settle, args=(future, work), daemon=True).start()
        until = time.monotonic() + self.connect
        while time.monotonic() < until:
            wait = self.slice()
            try:
                return future.result(wait)
            except TimeoutError:
                continue
        raise otherwise


def _settle(future: Future[T], work: Callable[[], T]) -> None:
    try:
        future.set_result(work())
    except Exception as error:  # handed to whoever waits
        future.set_exception(error)


def connect(address: str, port: int, host: str, patience: Patience) -> socket.socket:
    """Open a connection in slices."""
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = sock.connect_ex((address, port))
        if code == errno.EINPROGRESS and not _ready(sock, select.POLLOUT, patience):
            raise unreachable("connect-timeout", host, "连接超时", "the connection timed out")
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) if code == errno.EINPROGRESS else code
        if code:
            words = {errno.ECONNREFUSED: "拒绝连接"}.get(code, "无法连接")
            raise unreachable("connect", host, words, f"cannot connect to port {port}: {errno.errorcode.get(code)}")
    except BaseException:
        sock.close()
        raise
    return sock


def _ready(sock: socket.socket, event: int, patience: Patience) -> bool:
    poll = select.poll()
    poll.register(sock, event)
    until = time.monotonic() + patience.connect
    while time.monotonic() < until:
        if poll.poll(patience.slice() * 1000):
            return True
    return False


class Wire:
    """One connection, plain or TLS, read and written in slices and counted."""

    def __init__(self, sock: socket.socket, patience: Patience) -> None:
        self._sock = sock
        self._patience = patience
        self._head: int | None = 0
        self._came = 0
        self._closed = False
        self.ended = False
        """The other side has ended the connection."""

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what is there, within the deadline; small bites while the head of the answer is coming."""
        size = max_bytes if self._head is None else min(max_bytes, HEAD_BITE)
        data = self._patiently(lambda: self._sock.recv(size), "read-timeout", self._patience.idle)
        self.ended = not data
        self._came += len(data)
        if self._head is not None:
            self._head += len(data)
            if self._head > HEAD_BYTES:
                raise too_much_head(self._patience.host)
        elif self._came > self._patience.most:
            raise AnswerTooLarge(
                "too-large",
                f"{self._patience.host} 发来的字节超过上限（{self._patience.most} 字节），已中断",
                f"{self._patience.host} sent more than {self._patience.most} bytes; cut off",
            )
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send a request; from here the head of its answer is awaited."""
        self._patience.wire = self
        self._head, self._came = 0, 0
        view = memoryview(buffer)
        while view:
            rest = view
            sent = self._patiently(lambda rest=rest: self._sock.send(rest), "read-timeout", self._patience.idle)  # type: ignore[misc]
            view = view[sent:]

    def head_is_read(self) -> None:
        """From here on it is the body that comes."""
        self._head = None

    def speaks_unasked(self) -> bool:
        """Tell whether bytes lie here that belong to no answer; an end of the connection is noticed on the way."""
        if self.ended or self._closed:
            return False
        self._sock.settimeout(0)
        try:
            extra = self._sock.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError:
            extra = b""
        self.ended = True
        return bool(extra)

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> Wire:
        """Shake hands in slices; an end without TLS's own goodbye counts as a cut later on."""
        try:
            self._sock = ssl_context.wrap_socket(
                self._sock,
                server_hostname=server_hostname,
                do_handshake_on_connect=False,
                suppress_ragged_eofs=False,
            )
            handshake = self._sock.do_handshake
            self._patiently(handshake, "connect-timeout", self._patience.connect)
        except BaseException:
            self._sock.close()
            raise
        return self

    def close(self) -> None:
        """Close the connection."""
        self._closed = True
        self._sock.close()

    def get_extra_info(self, info: str) -> Any:
        """Tell httpcore whether the idle connection is still good, and its peer."""
        if info == "is_readable":
            return self.ended or self._closed or _readable(self._sock)
        return {"socket": self._sock, "wire": self}.get(info)

    def _patiently(self, action: Callable[[], T], code: str, idle: float) -> T:
        """Try an action again and again until it is done, too late, or an error."""
        host, until = self._patience.host, time.monotonic() + idle
        while True:
            self._sock.settimeout(self._patience.slice())
            try:
                return action()
            except TimeoutError as error:
                if error.errno is not None:  # the kernel gave the connection up
                    raise unreachable("reset", host, "连接中断", f"the connection was lost: {error}") from error
                if time.monotonic() >= until:
                    words = "在规定时间内没有发来数据" if code == "read-timeout" else "TLS 握手超时"
                    raise unreachable(code, host, words, "nothing came in time") from error
            except ssl.SSLError as error:
                raise tls_trouble(error, host) from error
            except OSError as error:
                raise unreachable("reset", host, "连接被对方中断", f"the connection was cut: {error}") from error


def _readable(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def too_much_head(host: str) -> BadAnswer:
    """Give the error of a head that is too long, has too many lines, or never ends."""
    return BadAnswer(
        "headers-too-large",
        f"{host} 的应答头过大（超过 64 KB 或 200 行），已拒绝；请对方检查其 Cookie 与应答头",
        f"the headers of {host} are too large (above 64 KB or 200 lines); ask the sender to correct them",
    )
