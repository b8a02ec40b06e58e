"""What an answer of a server must be before it is believed: its head, its length, its packing, its kind.

Everything here is judged without a connection. A rule of thumb of the exchange turned into checks: an answer whose
length is said twice, whose packing nobody asked for, or which is a web page where data is due, is no data.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

from pipelines.errors import AnswerTooLarge, BadAnswer, BadStatus, FetchError, NotAllowed
from pipelines.intake.sockets import too_much_head

BLOCK = 64 * 1024
HEADER_LINES = 200
STRONG_AGE = timedelta(seconds=60)
"""A Last-Modified this much older than the answer names one state of a file (RFC 9110 §8.8.2.2)."""

_HTML = re.compile(rb"(?is)(?:\s|<!--.*?-->|<\?xml[^>]*\?>)*<(?:!doctype\s+html|html|head|body)\b")
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")

Headers = Mapping[str, str]
"""Headers of an answer by lower-case name; repeated ones joined by ``, ``."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer that can be trusted, or the word that nothing changed."""

    path: Path | None
    not_modified: bool
    status: int
    headers: dict[str, str] = field(repr=False)
    """As they came, by lower-case name: a link to the next page may hold a token that must stay whole."""
    sha256: str
    bytes: int
    etag: str
    modified: str
    media_type: str
    skew_seconds: float | None


@dataclass(slots=True)
class Part:
    """What has come of one answer so far, on disk as it came; a later try may go on from here."""

    path: Path
    validator: str = ""
    """Strong ETag, or a Last-Modified that is as good; ``""``: the download cannot be resumed."""
    total: int | None = None
    encoding: str = ""

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self.path.stat().st_size if self.path.exists() else 0

    def begin(self, status: int, headers: Headers, sent: Headers, host: str) -> None:
        """Judge by the status whether a whole answer begins here, or one that was cut goes on."""
        if status == 206 and "range" in sent:
            self._go_on(headers, host)
        elif status == 200:
            self.path.unlink(missing_ok=True)
            self.validator, self.encoding = strong_validator(headers), encoding_of(headers)
            self.total = declared_length(headers)
        elif status == 416 and "range" in sent:
            self.validator = ""
            raise BadAnswer(
                "wrong-length",
                f"{host} 的文件比已下载的部分还短，已丢弃并从头下载",
                f"the file at {host} is shorter than what had come; read again from the beginning",
                transient=True,
            )
        elif status != 304 or not {"if-none-match", "if-modified-since"} & set(sent):
            raise bad_status(status, host)

    def check_whole(self, host: str) -> None:
        """Refuse what is not as long as it was declared."""
        if self.total in (None, self.size):
            return
        self.validator = ""
        raise BadAnswer(
            "wrong-length",
            f"{host} 声明 {self.total} 字节，实收 {self.size} 字节，已丢弃",
            f"{host} declared {self.total} bytes, {self.size} came; discarded",
            transient=True,
        )

    def _go_on(self, headers: Headers, host: str) -> None:
        """Refuse a part that is not the one asked for; it is asked for again from the beginning."""
        found = _CONTENT_RANGE.fullmatch(headers.get("content-range", ""))
        fits = found is not None and int(found[1]) == self.size and int(found[2]) >= int(found[1])
        if found is not None and found[3] != "*":
            total = int(found[3])
            fits = fits and int(found[2]) == total - 1 and self.total in (None, total)
            self.total = total
        etag = headers.get("etag", "")
        same = not etag or not self.validator.startswith('"') or etag == self.validator
        if fits and same and encoding_of(headers) == self.encoding:
            return
        self.validator = ""
        told = headers.get("content-range", "")[:60]
        raise BadAnswer(
            "wrong-length",
            f"{host} 续传的部分与所要的不符（Content-Range: {told!r}），已丢弃并从头下载",
            f"{host} sent another part than asked for (Content-Range: {told!r}); read again from the beginning",
            transient=True,
        )


def check_head(headers: Sequence[tuple[str, str]], host: str) -> None:
    """Refuse a head with too many lines, or one that says its length in two ways."""
    if len(headers) > HEADER_LINES:
        raise too_much_head(host)
    names = {name.lower() for name, _ in headers}
    if {"content-length", "transfer-encoding"} <= names:
        raise BadAnswer(
            "wrong-length",
            f"{host} 的应答同时带有 Content-Length 与 Transfer-Encoding，长度不可信，已拒绝；请对方检查代理服务器",
            f"{host} declares its length in two ways (Content-Length and Transfer-Encoding); refused",
        )


def bad_status(status: int, host: str) -> FetchError:
    """Give the error of a status that is no answer to what was asked."""
    if status in (401, 403):
        return NotAllowed(
            "unauthorised" if status == 401 else "forbidden",
            f"{host} 不接受我方密钥（{status}），不再重试；请向对方核对密钥是否有误或已被撤销",
            f"{host} does not accept our key ({status}); not tried again, ask whether it is wrong or was withdrawn",
        )
    code, words, words_en = {
        404: ("not-found", "资源不存在，请核对网址", "there is nothing at this address"),
        410: ("not-found", "资源已被移除，请核对网址", "what was at this address is gone"),
        429: ("rate-limited", "请求过于频繁，被限流", "too many requests"),
    }.get(status, ("bad-status", "应答状态不是所要的数据", "not the data asked for"))
    if status >= 500:
        code, words, words_en = "server-error", "对方服务出错，已有数据不受影响；请联系对方", "their server fails"
    transient = status >= 500 or status in (408, 425, 429)
    return BadStatus(code, f"{host}：{words}（{status}）", f"{host}: {words_en} ({status})", transient=transient)


def declared_length(headers: Headers) -> int | None:
    """Give the declared length of the body as sent."""
    text = headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() else None


def encoding_of(headers: Headers) -> str:
    """Give the packing of the body, ``""`` for none."""
    return headers.get("content-encoding", "").strip().lower().removeprefix("identity")


def strong_validator(headers: Headers) -> str:
    """Give what names exactly these bytes, so that a cut download may go on; ``""`` if there is nothing."""
    if headers.get("accept-ranges", "").strip().lower() == "none":
        return ""
    etag = headers.get("etag", "")
    if etag.startswith('"'):
        return etag
    date = http_date(headers.get("date", ""))
    return headers["last-modified"] if not etag and date and settled(headers, date) else ""


def settled(headers: Headers, now: datetime) -> bool:
    """Tell whether the file is older than its last change is precise: in the same second it could change unseen."""
    modified = http_date(headers.get("last-modified", ""))
    return modified is not None and (http_date(headers.get("date", "")) or now) - modified >= STRONG_AGE


def http_date(text: str) -> datetime | None:
    """Read a date of HTTP; None for one that cannot be read."""
    try:
        read = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def validators(headers: Headers) -> tuple[str, str]:
    """Give ETag and Last-Modified as they are to be sent back; what cannot be is left out."""
    etag, modified = headers.get("etag", ""), headers.get("last-modified", "")
    fits = len(etag) <= 200 and all("\x21" <= char <= "\x7e" for char in etag)
    return etag if fits else "", modified if len(modified) <= 40 and http_date(modified) else ""


def joined(headers: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Give headers by lower-case name, repeated ones joined."""
    found: dict[str, str] = {}
    for name, value in headers:
        name = name.lower()
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def media_type(headers: Headers) -> str:
    """Give the declared kind of the body, without its parameters."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def has_length(headers: Headers) -> bool:
    """Tell whether the end of the body is marked, so that a cut one is noticed."""
    return "content-length" in headers or "transfer-encoding" in headers


def skew(headers: Headers, now: datetime) -> float | None:
    """Give the seconds by which the server's clock is ahead of ours; None where it does not tell."""
    date, age = http_date(headers.get("date", "")), headers.get("age", "0")
    if date is None or not age.isascii() or not age.isdigit():
        return None
    return (date - now).total_seconds() + min(int(age), 10**9)


def told_to_wait(headers: Headers, now: datetime) -> float | None:
    """Give the seconds of Retry-After, written as seconds or as a date by the server's own clock."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text), 10**9))
    until = http_date(text)
    return max(0.0, (until - (http_date(headers.get("date", "")) or now)).total_seconds()) if until else None


def refuse_page(declared: str, start: bytes, accept: Sequence[str], host: str) -> None:
    """Refuse a web page where data is due, by its declared type and by its first bytes."""
    page = declared in ("text/html", "application/xhtml+xml") or _HTML.match(start.removeprefix(b"\xef\xbb\xbf"))
    if page and "text/html" not in accept:
        raise BadAnswer(
            "wrong-type",
            f"{host} 发来的是网页而不是数据（可能是登录页或维护公告）；请在浏览器中打开网址核对，并联系对方",
            f"{host} sent a web page, not data (a login or maintenance page?); look at the address, ask the sender",
        )


def inflate(part: Part, most: int, check: Callable[[], object], host: str) -> None:
    """Unpack gzip in place, block by block and counted as it grows; any other packing was not asked for."""
    encoding, packed = part.encoding, part.path.with_suffix(".packed")
    if encoding not in ("gzip", "x-gzip"):
        raise _badly_packed(
            host, f"未请求的压缩方式 {encoding[:40]!r}", f"the encoding {encoding[:40]!r} was not asked for"
        )
    part.path.rename(packed)
    try:
        _unpack(packed, part.path, most, check, host)
    finally:
        packed.unlink()


def _unpack(packed: Path, into: Path, most: int, check: Callable[[], object], host: str) -> None:
    grown = 0
    unpacker = zlib.decompressobj(31)
    with packed.open("rb") as source, into.open("wb") as target:
        while data := source.read(BLOCK):
            while data:
                check()
                if unpacker.eof:  # a gzip file may be several, one after the other
                    unpacker = zlib.decompressobj(31)
                try:
                    block = unpacker.decompress(data, BLOCK)
                except zlib.error as error:
                    raise _badly_packed(
                        host, f"压缩数据损坏（{error}）", f"the packed data is damaged ({error})"
                    ) from error
                data = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
                grown += target.write(block)
                if grown > most:
                    raise AnswerTooLarge(
                        "inflates-too-much",
                        f"{host} 的压缩内容解压后超过 {most} 字节（收到 {packed.stat().st_size} 字节），已中断",
                        f"{host}: {packed.stat().st_size} packed bytes unpack to more than {most}; cut off",
                    )
    if not unpacker.eof:
        raise _badly_packed(host, "压缩数据不完整", "the packed data is cut short")


def _badly_packed(host: str, words: str, words_en: str) -> BadAnswer:
    return BadAnswer(
        "bad-encoding",
        f"{host}：{words}；请对方检查服务器的压缩设置",
        f"{host}: {words_en}; ask the sender to correct it",
    )
