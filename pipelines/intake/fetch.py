"""The client: asks a bureau's server and believes nothing that does not add up. The one door to httpx.

An answer comes as a file on the disk, with what is needed to ask again only for what changed. A request has one
deadline from the name to the last byte, a client one budget over all its requests and the pauses between them. What
may succeed a little later is tried again (stamina counts the tries and lets the pauses grow), a cut download goes on
where it was cut if the server names its state exactly. Proxies of the environment, cookies and redirects to another
server are not followed. Every request is noted for the record with its secrets hidden.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import httpx
import stamina

from pipelines.errors import (
    AddressRefused,
    AnswerTooLarge,
    BadAnswer,
    BadStatus,
    FetchError,
    RoadError,
    Stopped,
    Unreachable,
)
from pipelines.intake import answers
from pipelines.intake.address import Reach, Url, plain_name, read_url
from pipelines.intake.answers import Answer
from pipelines.intake.connect import Connections
from pipelines.intake.keys import Secret, key_header, mask, mask_headers
from pipelines.intake.sockets import Patience
from pipelines.intake.steady import until_steady
from pipelines.intake.tls import certificate_ends
from records.runs import Exchange

if TYPE_CHECKING:
    import httpcore

    from schemas.sources import Source

__all__ = ["Answer", "Caps", "Client", "Secret", "certificate_ends", "open_client", "post_json"]

AGENT = "gongzhi"
REDIRECTS = 3
LONGEST_PAUSE = 60.0
ONCE = frozenset({"headers-too-large", "bad-encoding"})
"""Trouble that may have been an accident of the line: tried again once, not more."""
TOLD_BYTES = 64 * 1024

for _name in ("httpx", "httpcore.http11"):  # they log addresses and headers as they are, keys included
    logging.getLogger(_name).addFilter(lambda record: False)


@dataclass(frozen=True, slots=True)
class Caps:
    """What a source may cost: seconds, bytes, tries."""

    seconds: float = 300.0
    """Deadline of one request, from the name to the last byte."""
    budget: float = 600.0
    """All requests and pauses of one client together."""
    bytes: int = 200 * 2**20
    inflated: int = 2**30
    attempts: int = 6
    retry_after: float = 300.0
    """The longest pause a server can ask for."""
    connect: float = 10.0
    idle: float = 60.0
    """Nothing at all may come for this long."""
    pause: float = 2.0
    """Before the second try; each further pause is twice as long."""


@dataclass(frozen=True, slots=True)
class _Ask:
    url: str
    etag: str
    modified: str
    item: str
    accept: tuple[str, ...]
    most: int | None


@dataclass(slots=True)
class _Note:
    """One exchange while it goes on."""

    status: int | None = None
    answer: list[tuple[str, str]] = field(default_factory=list)
    bytes: int = 0
    sha256: str | None = None
    error: str = ""


class Client:
    """Asks the servers of one source; made for one visit, used by one thread.

    Parameters
    ----------
    reach : Reach
        Hosts and private networks that may be asked.
    caps : Caps
        Limits of time and size.
    scratch : Path
        Folder for the answers; whoever asked takes or deletes them.
    clock : callable
        Gives the present instant, aware.
    auth, secret : optional
        ``bearer``, ``basic`` or ``header:NAME``; sent to ``own_host`` only (``""``: to every host of ``reach``).
    ca, certificate : Path, optional
        PEM files: the only root to trust; our certificate with its key.
    stopping : callable
        Asked a few times a second; True ends any request or pause with ``Stopped``.
    """

    def __init__(
        self,
        reach: Reach,
        caps: Caps,
        scratch: Path,
        clock: Callable[[], datetime],
        *,
        auth: str = "",
        secret: Secret | None = None,
        ca: Path | None = None,
        certificate: Path | None = None,
        stopping: Callable[[], bool] = lambda: False,
        own_host: str = "",
    ) -> None:
        self.exchanges: list[Exchange] = []
        self._reach = reach
        self._caps = caps
        self._scratch = scratch
        self._clock = clock
        self._auth, self._secret, self._own_host = auth, secret or Secret(), own_host
        self._hidden = self._secret.hidden
        self._certificate = certificate
        self._patience = Patience(stopping, caps.connect, caps.idle)
        self._connections = Connections(reach, self._patience, ca, certificate)
        self._http = _http(self._connections)
        self._spent = 0.0
        self._told: float | None = None

    def __enter__(self) -> Client:
        """Give the client; its connections are closed at the end."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self._connections.drop()
        self._http.close()

    def budget_left(self) -> float:
        """Seconds that requests and pauses of this client may still take."""
        return max(0.0, self._caps.budget - self._spent)

    def get(
        self,
        url: str,
        *,
        parameters: Sequence[tuple[str, str]] = (),
        etag: str = "",
        modified: str = "",
        item: str = "",
        accept: tuple[str, ...] = (),
        most: int | None = None,
    ) -> Answer:
        """Ask for an address until there is a steady answer, or an error.

        Parameters
        ----------
        url, parameters : str, pairs
            Address, and what is added to its query.
        etag, modified : str
            State already known; the answer may then be ``not_modified``.
        item : str
            Name under which the exchanges are noted.
        accept : tuple of str
            Media types asked for; a web page is refused unless ``text/html`` is among them.
        most : int, optional
            Bytes, packed or not, that this answer may have; by default those of ``caps``.

        Raises
        ------
        FetchError
            With a code of ``schemas/alarms.csv``.
        Stopped
            The service is stopping.
        """
        query = urlencode(parameters)
        text = f"{url}{'&' if '?' in url else '?'}{query}" if query else url
        began = time.monotonic()
        self._patience.budget = began + self.budget_left()
        try:
            ask = _Ask(text, "", "", item, accept, most)
            host = read_url(text, self._reach).host
            return until_steady(
                lambda etag, modified: self._try(replace(ask, etag=etag, modified=modified)),
                etag, modified, host, self._clock(),
            )  # fmt: skip
        finally:
            self._spent += time.monotonic() - began

    def _try(self, ask: _Ask) -> Answer:
        """Try until there is an answer, with growing pauses, or longer ones when the server asks for them."""
        handle, name = tempfile.mkstemp(prefix="answer-", dir=self._scratch)
        os.close(handle)
        part = answers.Part(Path(name))
        again = False
        tries = stamina.retry_context(
            on=lambda error: 0.0 if again else False,  # the pause is ours: it must end when the service stops
            attempts=self._caps.attempts,
            timeout=None,
            wait_initial=self._caps.pause,
            wait_max=LONGEST_PAUSE,
        )
        try:
            for attempt in tries:
                again = False
                with attempt:
                    try:
                        return self._follow(ask, part)
                    except FetchError as error:
                        worth = error.transient or (error.code in ONCE and attempt.num == 1)
                        again = worth and attempt.num < self._caps.attempts and self._pause(attempt.next_wait)
                        raise
        except BaseException:
            part.path.unlink(missing_ok=True)
            raise
        raise AssertionError("the last try answers or raises")

    def _pause(self, backoff: float) -> bool:
        """Wait before the next try; False when the budget does not allow it."""
        pause = backoff * random.uniform(1.0, 1.5)
        if self._told is not None:
            pause = max(pause, min(self._told, self._caps.retry_after))
        if time.monotonic() + pause >= self._patience.budget:
            return False
        self._patience.sleep(pause)
        return True

    def _follow(self, ask: _Ask, part: answers.Part) -> Answer:
        """Ask, and follow a redirect on the same server a few times."""
        text = ask.url
        for _ in range(REDIRECTS + 1):
            answer = self._request(text, ask, part)
            if isinstance(answer, Answer):
                return answer
            text = answer
        raise BadStatus(
            "redirect",
            f"{self._patience.host} 的转向超过 {REDIRECTS} 次；请核对网址",
            f"{self._patience.host} redirects more than {REDIRECTS} times; check the address",
        )

    def _request(self, text: str, ask: _Ask, part: answers.Part) -> Answer | str:
        """Ask once; gives the answer, or the address it was redirected to."""
        url = read_url(text, self._reach)
        address = self._begin(url, ask)
        sent = self._headers(url, ask, part)
        with self._noted(ask, text, sent) as note:
            if self._connections.speaks_unasked():
                raise self._connections.trailing()
            with self._http.stream("GET", address, headers=sent) as response:
                note.status, note.answer = response.status_code, list(response.headers.multi_items())
                headers = answers.joined(note.answer)
                self._told = answers.told_to_wait(headers, self._clock())
                answers.check_head(note.answer, url.host)
                if response.has_redirect_location:
                    return self._redirected(url, response)
                part.begin(response.status_code, headers, sent, url.host)
                if response.status_code != 304:
                    answers.refuse_page(answers.media_type(headers), b"", ask.accept, url.host)
                self._receive(response, part, note, self._most(ask), url.host)
            return self._finish(response.status_code, headers, ask, part, note, url.host)

    def _begin(self, url: Url, ask: _Ask) -> httpx.URL:
        """Set the deadline of a request, and refuse what cannot succeed."""
        self._patience.host, self._told = url.host, None
        self._patience.deadline = time.monotonic() + self._caps.seconds
        self._patience.most = 2 * self._most(ask) + 2**20
        if self._certificate is not None and url.scheme == "https":
            ends = certificate_ends(self._certificate)
            if ends <= self._clock():
                raise Unreachable(
                    "certificate-expired",
                    f"我方客户端证书 {self._certificate.name} 已于 {ends:%Y-%m-%d} 过期，无法访问 {url.host}；请更换",
                    f"our client certificate {self._certificate.name} expired on {ends:%Y-%m-%d}; replace it",
                )
        try:
            return httpx.URL(url.text)
        except httpx.InvalidURL as error:
            raise AddressRefused("url-refused", f"网址不能使用：{error}", f"the URL is refused: {error}") from error

    def _most(self, ask: _Ask) -> int:
        return self._caps.bytes if ask.most is None else min(ask.most, self._caps.bytes)

    def _headers(self, url: Url, ask: _Ask, part: answers.Part) -> dict[str, str]:
        """Give the headers of a request: what is known already, where to go on, and the key."""
        sent = {"user-agent": AGENT, "accept-encoding": "gzip"}
        sent |= {"accept": ", ".join((*ask.accept, "*/*;q=0.1")) if ask.accept else "*/*"}
        if part.validator and part.size:
            sent |= {"range": f"bytes={part.size}-", "if-range": part.validator}
        else:
            sent |= {"if-none-match": ask.etag} if ask.etag else {}
            sent |= {"if-modified-since": ask.modified} if ask.modified else {}
        return sent | (key_header(self._auth, self._secret, url.host) if self._own_host in ("", url.host) else {})

    def _redirected(self, url: Url, response: httpx.Response) -> str:
        """Check where an answer sends us: the same server, and nowhere else."""
        told = response.headers["location"]
        try:
            target = str(response.url.join(told).copy_with(fragment=None))
            new = read_url(target, self._reach)
        except (AddressRefused, httpx.InvalidURL, ValueError) as error:
            raise _elsewhere(url.host, told) from error
        upgraded = (url.scheme, url.port, new.scheme, new.port) == ("http", 80, "https", 443)
        if new.origin == url.origin or (new.host == url.host and upgraded):
            return target
        raise _elsewhere(url.host, told)

    def _receive(self, response: httpx.Response, part: answers.Part, note: _Note, most: int, host: str) -> None:
        """Write the body to the disk as it comes."""
        with part.path.open("ab") as file:
            size = file.tell()
            if (part.total or 0) > most:
                raise _too_large(host, most)
            for block in response.iter_raw():
                note.bytes += len(block)
                size += len(block)
                if size > most:
                    raise _too_large(host, most)
                file.write(block)

    def _finish(
        self, status: int, headers: dict[str, str], ask: _Ask, part: answers.Part, note: _Note, host: str
    ) -> Answer:
        """Make a file of what came, and say what it is."""
        skew = answers.skew(headers, self._clock())
        etag, modified = answers.validators(headers)
        kept = {name: value for name, value in headers.items() if name != "set-cookie"}
        media_type = answers.media_type(headers)
        if status == 304:
            part.path.unlink()
            state = etag or ask.etag, modified or ask.modified
            return Answer(None, True, status, kept, "", 0, *state, media_type, skew)
        part.check_whole(host)
        if part.encoding:
            most = self._caps.inflated if ask.most is None else min(ask.most, self._caps.inflated)
            answers.inflate(part, most, self._patience.slice, host)
        with part.path.open("rb") as file:
            answers.refuse_page(media_type, file.read(4096), ask.accept, host)
            file.seek(0)
            note.sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return Answer(part.path, False, 200, kept, note.sha256, part.size, etag, modified, media_type, skew)

    @contextmanager
    def _noted(self, ask: _Ask, text: str, sent: Mapping[str, str]) -> Iterator[_Note]:
        """Note an exchange whatever comes of it, without its secrets."""
        note, at, began = _Note(), self._clock(), time.monotonic()
        try:
            yield note
        except Stopped:
            note.error = "stopped"
            raise
        except RoadError as error:
            self._hide(error)
            note.error = f"{error.code}: {error.message_en}"
            if isinstance(error, BadAnswer | AnswerTooLarge):
                self._connections.drop()  # nothing more is believed of this connection
            raise
        finally:
            self.exchanges.append(
                Exchange(
                    item=ask.item,
                    method="GET",
                    url=mask(text, self._hidden),
                    at=at,
                    seconds=round(time.monotonic() - began, 6),
                    status=note.status,
                    request=mask_headers(list(sent.items()), self._hidden),
                    answer=mask_headers(note.answer, self._hidden),
                    bytes=note.bytes,
                    sha256=note.sha256,
                    error=note.error,
                )
            )

    def _hide(self, error: RoadError) -> None:
        """Take our secrets out of an error, should a server have sent one back."""
        error.message = mask(error.message, self._hidden)
        error.message_en = mask(error.message_en, self._hidden)
        error.args = (f"{error.message} / {error.message_en}",)


def open_client(
    source: Source,
    scratch: Path,
    clock: Callable[[], datetime],
    secret: Secret | None,
    stopping: Callable[[], bool] = lambda: False,
) -> Client:
    """Give the client of a declared source."""
    reach = Reach.of(source.url, source.hosts, source.networks)
    caps = Caps(seconds=source.seconds, bytes=source.megabytes * 2**20, inflated=source.inflated_megabytes * 2**20)
    return Client(
        reach,
        caps,
        scratch,
        clock,
        auth=source.auth if source.credentials else "",
        secret=secret,
        ca=source.folder / source.ca if source.ca else None,
        certificate=source.folder / source.certificate if source.certificate else None,
        stopping=stopping,
        own_host=plain_name(urlsplit(source.url).hostname or ""),
    )


def post_json(
    url: str, payload: dict[str, Any], *, reach: Reach, ca: Path | None = None, seconds: float = 15.0
) -> tuple[int, dict[str, Any]]:
    """Send a message to a robot's address; gives the status and the JSON object it answers, ``{}`` if it is none.

    Raises
    ------
    FetchError
        Not sent, or no answer; the address is not shown, it holds the robot's key.
    """
    read = read_url(url, reach)
    patience = Patience(lambda: False, seconds, seconds, read.host, time.monotonic() + seconds, most=2 * TOLD_BYTES)
    connections = Connections(reach, patience, ca, None)
    content = json.dumps(payload, ensure_ascii=False).encode()
    told = b""
    try:
        headers = {"content-type": "application/json; charset=utf-8"}
        with _http(connections) as http, http.stream("POST", url, content=content, headers=headers) as response:
            for block in response.iter_raw():
                told += block
                if len(told) > TOLD_BYTES:
                    raise _too_large(read.host, TOLD_BYTES)
    finally:
        connections.drop()
    try:
        answer = json.loads(told)
    except (ValueError, RecursionError):
        answer = {}
    return response.status_code, answer if isinstance(answer, dict) else {}


class _Transport(httpx.BaseTransport):
    """Hands httpx's requests to our own connections."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the body of the answer is still to be read."""
        url = request.url
        port = url.port or (443 if url.scheme == "https" else 80)
        address = (url.scheme, url.raw_host.decode("ascii"), port, url.raw_path)
        assert isinstance(request.stream, httpx.SyncByteStream)
        answer = self._connections.ask(request.method, address, request.headers.raw, request.stream)
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(self._connections, answer))


class _Body(httpx.SyncByteStream):
    """The body of an answer, judged at its end."""

    def __init__(self, connections: Connections, answer: httpcore.Response) -> None:
        self._connections = connections
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        return self._connections.body(self._answer)

    def close(self) -> None:
        """Give the connection back, or close it when the body was not read to its end."""
        self._answer.close()


def _http(connections: Connections) -> httpx.Client:
    """Make an httpx client that knows no environment, cookies, redirects or time-outs of its own."""
    return httpx.Client(
        transport=_Transport(connections),
        trust_env=False,
        follow_redirects=False,
        timeout=None,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        headers={"user-agent": AGENT, "accept-encoding": "gzip"},
    )


def _too_large(host: str, most: int) -> AnswerTooLarge:
    return AnswerTooLarge(
        "too-large",
        f"{host} 的内容超过该来源的上限（{most} 字节），已中断；确需更大请调整声明中的 megabytes",
        f"what {host} sends is above the limit of this source ({most} bytes); raise megabytes if it is right",
    )


def _elsewhere(host: str, target: str) -> AddressRefused:
    return AddressRefused(
        "redirect",
        f"{host} 把请求转向了另一台服务器（{target[:100]}），未跟随；请核对网址，确已迁移请修改声明",
        f"{host} redirects to another server ({target[:100]}); not followed, change the declaration if they moved",
    )
