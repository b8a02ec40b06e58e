"""Files as they come in over HTTP: straight to the disk, counted, hashed, and refused as soon as that can be told.

The guard has found out who sends before the first byte of the body is read; the token of the form comes as header
``x-csrf-token``, or as the field ``csrf`` before the first file (a program with a key needs none). Nobody has to be fast:
a body may take as long as it likes while a byte comes every half minute. Whatever goes wrong, nothing stays on the disk.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import shutil
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import unquote

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from pipelines.errors import UnreadableFile
from pipelines.intake.sniff import sniff
from portal.filing.desk import Incoming, site_of
from portal.filing.drafts import new_part
from portal.filing.labels import safe_name
from portal.web.asking import Ask, Site
from portal.web.errors import Problem
from portal.web.forms import FORM_TYPE, read_form
from portal.web.guard import TOKEN_HEADER, check_token
from records.chain import Sm3
from schemas.filing_rules import FilingRules, UploadLimits, filing_rules

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MULTIPART = "multipart/form-data"
NAME_HEADER = "x-file-name"
BROWSER_MARKS = {"%22": '"', "%0D": "\r", "%0A": "\n"}
"""How browsers write the three characters that would end the name of a file in a form."""
PIECE = 256 * 1024
HEAD = 4096
PART_HEADERS = 8


@dataclass
class Arriving:
    """One file that is being written."""

    site: Site
    limits: UploadLimits
    name: str
    stream: IO[bytes]
    path: Path
    head: bytearray = field(default_factory=bytearray)
    looked: bool = False
    size: int = 0
    sha256: Any = field(default_factory=hashlib.sha256)
    sm3: Sm3 = field(default_factory=Sm3)

    def write(self, data: bytes) -> None:
        """Take a piece; what is no table of figures, or too long, ends here."""
        self.size += len(data)
        if self.size > self.limits.file_bytes:
            raise too_large(self.limits.file_bytes, self.name)
        if not self.looked:
            self.head += data[: HEAD - len(self.head)]
            if len(self.head) >= HEAD:
                self._look()
        self.sha256.update(data)
        self.sm3.update(data)
        self.stream.write(data)

    def end(self) -> Incoming:
        """Close the file; it is whole."""
        if not self.looked:
            self._look()
        self.stream.close()
        return Incoming(self.path, self.name, self.size, self.sha256.hexdigest(), self.sm3.hexdigest())

    def drop(self) -> None:
        """Close and remove what there is."""
        with suppress(OSError):  # what is still in the buffer may not fit on the disk either
            self.stream.close()
        self.path.unlink(missing_ok=True)

    def _look(self) -> None:
        self.looked = True
        try:
            sniff(bytes(self.head), self.name)
        except UnreadableFile as error:
            raise Problem(
                422, error.code, f"文件“{self.name}”：{error.message}", f"{self.name}: {error.message_en}"
            ) from None


class Desk:
    """How many requests of each account are coming in at this moment."""

    def __init__(self, site: Site) -> None:
        self.rules: FilingRules = filing_rules(site_of(site.places))
        self.lock = threading.Lock()
        self.busy: Counter[str] = Counter()

    @contextmanager
    def place(self, account: str) -> Iterator[None]:
        """Hold one of the places of an account.

        Raises
        ------
        Problem
            All are taken (429).
        """
        with self.lock:
            if self.busy[account] >= self.rules.limits.at_once:
                raise Problem(
                    429, "uploads-at-once", f"同时上传过多（上限 {self.rules.limits.at_once} 个）；请等前面的上传结束后再试",
                    f"more than {self.rules.limits.at_once} uploads at once: wait until one has ended",
                    {"retry-after": "30"},
                )  # fmt: skip
            self.busy[account] += 1
        try:
            yield
        finally:
            with self.lock:
                self.busy[account] -= 1


async def receive_upload(ask: Ask) -> tuple[list[Incoming], dict[str, str]]:
    """Read an upload: a form with files, or the bytes of one file with its name in a header or ``?name=``.

    Whoever gets the files begins filings with them, or drops them.

    Returns
    -------
    (list of Incoming, dict of str)
        The files, and the other fields of the form (of one named twice the last).

    Raises
    ------
    Problem
        400 malformed or cut, 403 without the token of the session, 408 silent, 413 too large, 422 no table of figures,
        429 too many at once, 507 the disk is full.
    """
    request = ask.request
    assert request is not None, "a route that takes a stream"
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == FORM_TYPE:
        check_token(ask, (await read_form(request, 16 * 1024)).get("csrf", ""))
        raise Problem(415, "no-file", "请求中没有文件。请选择文件后再上传", "there is no file in the request")
    trusted = ask.me.kind == "key"
    if not trusted and TOKEN_HEADER in request.headers:
        check_token(ask, request.headers[TOKEN_HEADER])
        trusted = True
    desk = ask.site.once(Desk)
    taker = _Form(ask, desk.rules, trusted) if kind == MULTIPART else _Bytes(ask, desk.rules, trusted)
    _see_room(ask.site, request, desk.rules.limits, taker.most)
    with desk.place(ask.me.account_id):
        return await _taken(request, desk.rules.limits, taker)


async def _taken(
    request: Request, limits: UploadLimits, taker: _Form | _Bytes
) -> tuple[list[Incoming], dict[str, str]]:
    try:
        await run_in_threadpool(taker.begin)
        async with aclosing(_pieces(request, limits, taker.most)) as pieces:
            async for piece in pieces:
                await run_in_threadpool(taker.write, piece)
        return await run_in_threadpool(taker.end)
    except BaseException as error:
        taker.drop()
        if isinstance(error, ClientDisconnect):
            raise Problem(400, "cut", "上传中断，未保存。请重新上传", "the upload was cut; nothing was kept") from None
        if isinstance(error, FormParserError):
            raise malformed() from None
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise disk_full() from None
        raise


async def _pieces(request: Request, limits: UploadLimits, most: int) -> AsyncGenerator[bytes]:
    """Give a body in pieces, the first one at once; a silence that is too long, or too many bytes, end it."""
    stream, held, total, wanted = request.stream().__aiter__(), bytearray(), 0, 1
    while True:
        try:
            async with asyncio.timeout(limits.silent_seconds):
                part = await anext(stream)
        except StopAsyncIteration:
            break
        except TimeoutError:
            raise Problem(
                408, "silent", f"网络中断：{limits.silent_seconds} 秒内没有收到数据，未保存。请检查网络后重新上传",
                f"nothing came for {limits.silent_seconds} s; nothing was kept, try again",
            ) from None  # fmt: skip
        total += len(part)
        if total > most:
            raise too_large(most)
        held += part
        if len(held) >= wanted:
            yield bytes(held)
            held.clear()
            wanted = PIECE
    if held:
        yield bytes(held)


def _see_room(site: Site, request: Request, limits: UploadLimits, most: int) -> None:
    """Refuse at once what says that it is too long, or what the disk has no room for."""
    said = request.headers.get("content-length", "0")
    if not said.isascii() or not said.isdigit():
        raise Problem(400)
    if int(said) > most:
        raise too_large(most)
    if shutil.disk_usage(site.places.home).free < int(said) + limits.spare_bytes:
        raise disk_full()


def too_large(most: int, name: str = "") -> Problem:
    """Say that a file, or all of a request, passes its limit."""
    what, what_en = (f"文件“{name}”", name) if name else ("上传的内容", "the upload")
    return Problem(
        413, "too-large", f"{what}：超过上限 {most // 2**20} MB。请拆分后再上传",
        f"{what_en} has more than {most // 2**20} MB: split it",
    )  # fmt: skip


def disk_full() -> Problem:
    """Say that there is no room left."""
    return Problem(
        507, "disk-full", "服务器存储空间不足，文件未保存。请稍后再试并告知管理员",
        "the disk of the server is full, nothing was kept: try again later and tell the administrator",
    )  # fmt: skip


def malformed() -> Problem:
    """Say that a form with files is not one."""
    return Problem(
        400, "bad-form", "上传的内容格式有误或不完整，未保存。请刷新页面后重新上传",
        "the form is malformed or incomplete, nothing was kept: reload the page and try again",
    )  # fmt: skip


class _Bytes:
    """The body is one file."""

    def __init__(self, ask: Ask, rules: FilingRules, trusted: bool) -> None:
        request = ask.request
        assert request is not None
        if not trusted:
            check_token(ask, "")
        _see_type(request.headers.get("content-type", ""), rules)
        self.most = rules.limits.file_bytes
        self._ask, self._limits = ask, rules.limits
        self._name = _said_name(request, ask)
        self._file: Arriving | None = None

    def begin(self) -> None:
        """Make the file."""
        self._file = _arriving(self._ask.site, self._limits, self._name)

    def write(self, data: bytes) -> None:
        """Take a piece of the body."""
        assert self._file is not None
        self._file.write(data)

    def end(self) -> tuple[list[Incoming], dict[str, str]]:
        """Give the file."""
        assert self._file is not None
        return [self._file.end()], {}

    def drop(self) -> None:
        """Leave nothing behind."""
        if self._file is not None:
            self._file.drop()


class _Form:
    """The body is a form with files: each goes to the disk as its part comes by."""

    def __init__(self, ask: Ask, rules: FilingRules, trusted: bool) -> None:
        request = ask.request
        assert request is not None
        self.most = rules.limits.request_bytes
        self._ask, self._rules, self._limits, self._trusted = ask, rules, rules.limits, trusted
        self._fields: dict[str, str] = {}
        self._files: list[Incoming] = []
        self._file: Arriving | None = None
        self._value = bytearray()
        self._name = ""
        self._parts, self._whole, self._skip = 0, False, False
        self._header: tuple[bytearray, bytearray] = (bytearray(), bytearray())
        self._headers: dict[str, bytes] = {}
        _, options = parse_options_header(request.headers.get("content-type", ""))
        if not options.get(b"boundary"):
            raise malformed()
        take: MultipartCallbacks = {
            "on_part_begin": self._part_begin, "on_part_data": self._part_data, "on_part_end": self._part_end,
            "on_header_field": self._header_field, "on_header_value": self._header_value,
            "on_header_end": self._header_end, "on_headers_finished": self._headers_end, "on_end": self._end,
        }  # fmt: skip
        try:
            self._parser = MultipartParser(
                options[b"boundary"], take, max_header_count=PART_HEADERS, max_header_size=rules.limits.header_bytes
            )
        except FormParserError:
            raise malformed() from None

    def begin(self) -> None:
        """Nothing is made before a file comes by."""

    def write(self, data: bytes) -> None:
        """Take a piece of the body."""
        self._parser.write(data)

    def end(self) -> tuple[list[Incoming], dict[str, str]]:
        """Give files and fields.

        Raises
        ------
        Problem
            The last boundary never came (400), or there was no token (403).
        """
        if not self._whole:
            raise malformed()
        if not self._trusted:
            check_token(self._ask, "")
        return self._files, self._fields

    def drop(self) -> None:
        """Leave nothing behind."""
        if self._file is not None:
            self._file.drop()
        for one in self._files:
            one.drop()

    def _part_begin(self) -> None:
        self._parts += 1
        if self._parts > self._limits.parts:
            raise Problem(
                400, "too-many-parts", f"上传的内容超过 {self._limits.parts} 项。请分几次上传",
                f"the form has more than {self._limits.parts} parts: send them in several requests",
            )  # fmt: skip
        self._headers, self._value = {}, bytearray()

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header[0].extend(data[start:end])

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._header[1].extend(data[start:end])

    def _header_end(self) -> None:
        name, value = self._header
        self._headers[bytes(name).decode("latin-1").strip().lower()] = bytes(value)
        self._header = (bytearray(), bytearray())

    def _headers_end(self) -> None:
        kind, options = parse_options_header(self._headers.get("content-disposition", b""))
        name = options.get(b"name", b"")
        if kind != b"form-data" or not name or len(name) > self._limits.name_bytes:
            raise malformed()
        self._name = _decoded(name)
        said = options.get(b"filename")
        if said is None:
            self._file, self._skip = None, False
            return
        self._skip = not said  # a field for a file, and none chosen
        if not self._skip:
            self._begin_file(_decoded(said))

    def _begin_file(self, said: str) -> None:
        if not self._trusted:
            check_token(self._ask, "")
        if len(self._files) >= self._limits.files:
            raise Problem(
                400, "too-many-files", f"一次最多上传 {self._limits.files} 个文件。请分几次上传",
                f"at most {self._limits.files} files at once: send them in several requests",
            )  # fmt: skip
        _see_type(self._headers.get("content-type", b"").decode("latin-1"), self._rules)
        for written, meant in BROWSER_MARKS.items():
            said = said.replace(written, meant)
        self._file = _arriving(self._ask.site, self._limits, said)

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._skip:
            return
        if self._file is not None:
            self._file.write(data[start:end])
            return
        self._value.extend(data[start:end])
        if len(self._value) > self._limits.field_bytes:
            raise Problem(
                400,
                "long-field",
                f"“{self._name[:40]}”：内容过长。请缩短后再试",
                f"{self._name[:40]} is too long: shorten it",
            )

    def _part_end(self) -> None:
        if self._file is not None:
            self._files.append(self._file.end())
            self._file = None
        elif not self._skip:
            self._field(_decoded(bytes(self._value)))
        self._skip = False

    def _field(self, value: str) -> None:
        if self._name == "csrf":
            check_token(self._ask, value)
            self._trusted = True
        else:
            self._fields[self._name] = value

    def _end(self) -> None:
        self._whole = True


def _arriving(site: Site, limits: UploadLimits, said: str) -> Arriving:
    path = new_part(site.places)
    return Arriving(site, limits, safe_name(said), path.open("xb"), path)


def _see_type(said: str, rules: FilingRules) -> None:
    kind = said.partition(";")[0].strip().lower()
    if kind and kind.startswith(rules.types.refused):
        raise Problem(
            422, "file-type", f"不接收类型为 {kind[:60]} 的文件。请上传 xlsx、xls、csv、txt、json、xml 或 zip",
            f"files of type {kind[:60]} are not taken: send xlsx, xls, csv, txt, json, xml or zip",
        )  # fmt: skip


def _said_name(request: Request, ask: Ask) -> str:
    """Find the name of a file whose body is all of a request."""
    _, options = parse_options_header(request.headers.get("content-disposition", ""))
    said = options.get(b"filename")
    if said:
        return _decoded(said)
    return unquote(request.headers.get(NAME_HEADER, "")) or ask.query.get("name", "")


def _decoded(raw: bytes) -> str:
    """Read a name or a value: UTF-8, as browsers send it, or GBK, as old programs do."""
    for codec in ("utf-8", "gb18030"):
        try:
            return raw.decode(codec)
        except UnicodeDecodeError:
            continue
    return raw.decode("utf-8", "replace")
