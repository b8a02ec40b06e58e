"""Connections that cannot lead astray: to a host of the source, at an address that was checked, in our own words.

httpcore carries HTTP over our own sockets. The name is resolved once, here, and the connection goes to the very
addresses that were judged, so that a second answer of the resolver cannot lead elsewhere; TLS still verifies the name.
An answer that goes on after its end is not believed: what follows would be taken for the answer to the next request.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import httpcore

from pipelines.errors import AddressRefused, BadAnswer, Unreachable
from pipelines.intake.address import Reach, plain_name, resolve
from pipelines.intake.sockets import Patience, Wire, connect
from pipelines.intake.tls import tls_context, unreachable


class Backend(httpcore.NetworkBackend):
    """What httpcore opens its connections with."""

    def __init__(self, reach: Reach, patience: Patience, *, plain: bool) -> None:
        self._reach = reach
        self._patience = patience
        self._plain = plain

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Resolve once, check, and connect to the first address that answers."""
        if plain_name(host) not in self._reach.hosts:  # should httpx read an address otherwise than we do
            raise AddressRefused("url-refused", f"主机 {host} 不在允许之列", f"{host} is not a host of this source")
        slow = unreachable("dns", host, "域名解析超时", "resolving the name took too long")
        addresses = self._patience.run(lambda: resolve(host, port, self._reach, plain=self._plain), slow)
        for last, address in enumerate(addresses, 1 - len(addresses)):
            try:
                return cast(httpcore.NetworkStream, Wire(connect(address, port, host, self._patience), self._patience))
            except Unreachable:
                if last == 0:
                    raise
        raise unreachable("dns", host, "域名没有地址", "the name has no address")


class Connections:
    """The connections of one client, kept open between requests, in the words of our own errors."""

    def __init__(self, reach: Reach, patience: Patience, ca: Path | None, certificate: Path | None) -> None:
        self._reach = reach
        self._patience = patience
        self._files = ca, certificate
        self._pools: dict[str, httpcore.ConnectionPool] = {}

    def ask(
        self,
        method: str,
        url: tuple[str, str, int, bytes],
        headers: list[tuple[bytes, bytes]],
        content: Iterable[bytes],
    ) -> httpcore.Response:
        """Send a request and read the head of its answer; scheme, host, port and target make the address."""
        scheme, host, port, target = url
        address = httpcore.URL(scheme=scheme.encode(), host=host.encode(), port=port, target=target)
        with self._in_our_words():
            answer = self._pool(scheme).handle_request(
                httpcore.Request(method, address, headers=headers, content=content)
            )
        if self._patience.wire is not None:
            self._patience.wire.head_is_read()
        return answer

    def body(self, answer: httpcore.Response) -> Iterator[bytes]:
        """Give the body of an answer as it comes; bytes after its end make the whole of it untrustworthy."""
        with self._in_our_words():
            yield from answer.stream  # type: ignore[misc]
        wire = self._patience.wire
        if _left_over(answer) or (wire is not None and wire.speaks_unasked()):
            raise self.trailing()

    def speaks_unasked(self) -> bool:
        """Tell whether something more has come since the last answer ended."""
        return self._patience.wire is not None and self._patience.wire.speaks_unasked()

    def trailing(self) -> BadAnswer:
        """Give the error of an answer that goes on after its declared end."""
        return BadAnswer(
            "trailing-bytes",
            f"{self._patience.host} 的应答在声明的长度之后还有多余字节，内容不可信，已丢弃；请对方检查服务器或代理",
            f"{self._patience.host} sent more bytes than it declared; discarded, ask the sender to check the server",
        )

    def drop(self) -> None:
        """Close every connection; the next request opens a new one."""
        for pool in self._pools.values():
            pool.close()
        self._patience.wire = None

    def _pool(self, scheme: str) -> httpcore.ConnectionPool:
        if scheme not in self._pools:
            context = tls_context(*self._files, self._patience.host) if scheme == "https" else None
            backend = Backend(self._reach, self._patience, plain=scheme != "https")
            self._pools[scheme] = httpcore.ConnectionPool(context, max_connections=1, network_backend=backend)
        return self._pools[scheme]

    @contextmanager
    def _in_our_words(self) -> Iterator[None]:
        host = self._patience.host
        try:
            yield
        except httpcore.RemoteProtocolError as error:
            if self._patience.wire is not None and self._patience.wire.ended:
                raise unreachable("reset", host, "传输中途连接断开", "the connection ended before the answer") from None
            length = "Content-Length" in str(error)
            # h11's own text quotes what the server sent, keys and cookies among it
            raise BadAnswer(
                "wrong-length" if length else "bad-encoding",
                f"{host} 的应答不符合 HTTP 规范（{'长度声明矛盾' if length else '格式错误'}），已拒绝；请对方检查服务器",
                f"the answer of {host} is no valid HTTP ({'its lengths contradict' if length else 'malformed'}); refused",
            ) from None


def _left_over(answer: httpcore.Response) -> bytes:
    """Give what h11 holds beyond the end of the answer; httpcore has no public way to it, a test watches this one."""
    data, _ = answer.stream._stream._connection._h11_state.trailing_data  # type: ignore[union-attr]
    return bytes(data)
