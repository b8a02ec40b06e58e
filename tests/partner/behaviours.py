"""How a server may answer: politely, wrongly, slowly, for ever."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from email.utils import formatdate

from tests.partner.server import Behaviour, Talk


def head(status: str = "200 OK", **headers: object) -> bytes:
    """The head of an answer; ``_`` in a name stands for ``-``, None leaves a header out."""
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items() if value is not None]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode("latin-1")


def answer(body: bytes, status: str = "200 OK", **headers: object) -> Behaviour:
    """A whole answer with its right length."""
    return lambda talk: talk.send(head(status, **({"Content_Length": len(body)} | headers)) + body)


def status(code: int, **headers: object) -> Behaviour:
    return answer(b"", f"{code} Nothing", **headers)


def redirect(target: str, code: int = 302) -> Behaviour:
    return status(code, Location=target)


def raw(*pieces: bytes, every: float = 0.0, close: bool = True) -> Behaviour:
    """Exactly these bytes, with a pause after each piece."""

    def behave(talk: Talk) -> None:
        for piece in pieces:
            talk.send(piece)
            if every:
                talk.wait(every)
        if close:
            talk.close()

    return behave


def slow(content: bytes, size: int, every: float) -> Behaviour:
    """Bytes in drips."""
    return lambda talk: talk.drip(content, size, every)


def endless(start: bytes, pieces: Callable[[], Iterable[bytes]]) -> Behaviour:
    """A beginning and then pieces until the other side gives up."""

    def behave(talk: Talk) -> None:
        talk.send(start)
        for piece in pieces():
            talk.send(piece)
            if talk.over.is_set():
                break
        talk.close()

    return behave


def silent(seconds: float) -> Behaviour:
    """Nothing at all."""

    def behave(talk: Talk) -> None:
        talk.wait(seconds)
        talk.close()

    return behave


def cut(behaviour: Behaviour, after: int, *, rst: bool = False) -> Behaviour:
    """Another behaviour whose answer is cut after so many bytes."""

    class Cut(Talk):
        left = after

        def send(self, *pieces: bytes) -> None:
            for piece in pieces:
                self.sock.sendall(piece[: self.left])
                self.left -= min(self.left, len(piece))

    def behave(talk: Talk) -> None:
        shorter = Cut(talk.request, talk.sock, talk.over, talk.count)
        behaviour(shorter)
        if rst:
            talk.wait(0.05)
            talk.reset()
        talk.close()

    return behave


@dataclass
class Document:
    """A file as a decent server gives it: ETag, Last-Modified, Range, If-Range, 304; ``body`` may be replaced."""

    body: bytes
    media_type: str = "text/csv"
    modified: float = 1_775_000_000.0
    etag: str | None = None
    """None: made of the bytes; ``""``: none sent."""
    ranges: bool = True

    def tag(self) -> str:
        return f'"{hashlib.sha256(self.body).hexdigest()[:16]}"' if self.etag is None else self.etag

    def __call__(self, talk: Talk) -> None:
        body, tag, request = self.body, self.tag(), talk.request
        headers: dict[str, object] = {
            "Content_Type": self.media_type,
            "Date": formatdate(usegmt=True),
            "Last_Modified": formatdate(self.modified, usegmt=True),
            "ETag": tag or None,
            "Accept_Ranges": "bytes" if self.ranges else "none",
        }
        known = request.header("if-none-match")
        if (known and known == tag) or (not known and request.header("if-modified-since") == headers["Last_Modified"]):
            talk.send(head("304 Not Modified", **headers))
            return
        asked = request.header("range")
        if asked and self.ranges and request.header("if-range") in (tag, headers["Last_Modified"]):
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            headers["Content_Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
            talk.send(head("206 Partial Content", **headers, Content_Length=len(body) - start), body[start:])
            return
        talk.send(head(**headers, Content_Length=len(body)), body)


def document(body: bytes, media_type: str = "text/csv") -> Document:
    return Document(body, media_type)


def chunks(*pieces: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + end


def bomb(inflated: int) -> bytes:
    """A gzip file of zeros, of several members so that it is quickly made."""
    size = min(inflated, 2**24)
    return gzip.compress(bytes(size), 9, mtime=0) * (inflated // size)


def gzipped(body: bytes, **headers: object) -> Behaviour:
    return answer(gzip.compress(body, mtime=0), Content_Encoding="gzip", **headers)
