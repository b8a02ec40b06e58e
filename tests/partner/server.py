"""The server of the partner: one thread a connection, keep-alive, no politeness; see the package."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, Lock, Thread
from typing import Any


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    at: float
    connection: int

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    def header(self, name: str) -> str:
        return dict(self.headers).get(name, "")


@dataclass
class Talk:
    """One request, and the means to answer it."""

    request: Request
    sock: socket.socket
    over: Event
    count: int
    """How often this path was asked for, this time included."""
    open: bool = True
    notes: dict[str, Any] = field(default_factory=dict)

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.sock.sendall(piece)

    def drip(self, content: bytes, size: int, every: float) -> None:
        """Send slowly; ends early when the partner is closed."""
        for start in range(0, len(content), size):
            self.sock.sendall(content[start : start + size])
            if self.over.wait(every):
                break

    def wait(self, seconds: float) -> None:
        self.over.wait(seconds)

    def close(self) -> None:
        self.open = False

    def reset(self) -> None:
        """Cut the connection with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.open = False


Behaviour = Callable[[Talk], None]


class Partner:
    """A server on the loopback; use as a context manager."""

    def __init__(self, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", name: str | None = None) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self._tls = tls
        self._name = name or (f"[{host}]" if ":" in host else host)
        self._scripts: dict[str, list[Behaviour]] = {}
        self._counts: dict[str, int] = {}
        self._lock = Lock()
        self._over = Event()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.port: int = self._listener.getsockname()[1]
        self._threads = [Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> Partner:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for sock in self._open:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    def url(self, path: str = "/") -> str:
        return f"{'https' if self._tls else 'http'}://{self._name}:{self.port}{path}"

    def script(self, path: str, *behaviours: Behaviour) -> None:
        """Say how to answer a path (``*``: any other), one request after the other; the last one repeats."""
        with self._lock:
            self._scripts[path] = list(behaviours)
            self._counts[path] = 0

    def asked(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path == path]

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            thread = Thread(target=self._serve, args=(sock, self.connections), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        with self._lock:
            self._open.add(sock)
        try:
            # whatever becomes of the connection is the client's matter to judge
            with contextlib.suppress(OSError, ValueError):  # ValueError: closed by us at the end
                if self._tls is not None:
                    with self._lock:
                        self._open.discard(sock)
                    sock = self._tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
                    with self._lock:
                        self._open.add(sock)
                    if not _shake_hands(sock):
                        return
                talk: Talk | None = None
                while (request := _read(sock, number)) is not None and not self._over.is_set():
                    talk = self._answer(request, sock)
                    if not talk.open:
                        break
                if talk is not None and isinstance(sock, ssl.SSLSocket) and not talk.notes.get("ragged"):
                    sock = sock.unwrap()
        finally:
            with self._lock:
                self._open.discard(sock)
            sock.close()

    def _answer(self, request: Request, sock: socket.socket) -> Talk:
        with self._lock:
            self.requests.append(request)
            path = request.path if request.path in self._scripts else "*"
            script = self._scripts.get(path)
            self._counts[path] = count = self._counts.get(path, 0) + 1
        talk = Talk(request, sock, self._over, count)
        if script is None:
            talk.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        else:
            script[min(count, len(script)) - 1](talk)
        return talk


def _shake_hands(sock: ssl.SSLSocket) -> bool:
    """As decent servers do, stay until a refused client has read why: an early close would wipe the alert out."""
    try:
        sock.do_handshake()
    except ssl.SSLError:
        sock.shutdown(socket.SHUT_WR)
        sock.settimeout(5)
        while sock.recv(65536):
            pass
        return False
    return True


def _read(sock: socket.socket, connection: int) -> Request | None:
    """Read a request; our own client is well behaved, so a plain reader will do."""
    head = b""
    while b"\r\n\r\n" not in head:
        block = sock.recv(65536)
        if not block:
            return None
        head += block
    head, _, body = head.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = tuple((name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines))
    length = int(dict(headers).get("content-length", "0"))
    while len(body) < length:
        body += sock.recv(65536)
    method, target, _ = first.split(" ", 2)
    return Request(method, target, headers, body, time.monotonic(), connection)


def server_context(issued: Any, *, wants: Any = None) -> ssl.SSLContext:
    """Make a TLS context of a certificate of trustme; ``wants``: the authority a client certificate must come from."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued.configure_cert(context)
    if wants is not None:
        wants.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
