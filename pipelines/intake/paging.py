"""The pages of a JSON API, read to their end and put together: every item once, word for word, and the sum right.

Three styles (numbered pages, a cursor, a link to the next page) and the single answer are walked alike. The sender's
order may change between two pages, so that an item comes twice and another not at all: items are told apart by their
bytes, and where a total is declared it must be reached exactly. A listing that changed while it was read is read again
from the beginning, twice at most. Items go to the disk as they come; memory holds one page and a digest of each item.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from hashlib import blake2b, file_digest, sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from pipelines.errors import BadAnswer, PagingTrouble
from pipelines.intake.verbatim import decode_page, items_at, read_json, value_at

if TYPE_CHECKING:
    from pipelines.intake.fetch import Answer
    from schemas.sources import Paging, Source

CHINA = timezone(timedelta(hours=8))
PAGE_BYTES = 16 * 2**20
PAGES = 10_000
ITEMS = 1_000_000
READINGS = 3
MEDIA_TYPES = ("application/json", "text/json", "text/plain", "application/octet-stream", "application/vnd.api+json")
_LINK = re.compile(r"<([^>]*)>([^<]*)")

Parameters = tuple[tuple[str, str], ...]
Ask = Callable[[str, Parameters], "Answer"]


@dataclass(frozen=True, slots=True)
class Pages:
    """What all pages together gave."""

    path: Path
    """One JSON array of the items, UTF-8."""
    sha256: str
    bytes: int
    items: int
    parts: tuple[Path, ...]
    """The pages as they came."""


@dataclass(frozen=True, slots=True)
class _Request:
    url: str
    parameters: Parameters


@dataclass(frozen=True, slots=True)
class _Page:
    data: Any
    items: list[str]
    total: int | None
    link: str


class _Changed(Exception):
    """The listing changed while it was read, or does not add up."""

    def __init__(self, declared: int, found: int) -> None:
        super().__init__(declared, found)
        self.declared, self.found = declared, found


@dataclass
class _Book:
    """The items of one reading, written as they come."""

    path: Path
    read: int = 0
    kept: int = 0
    written: dict[bytes, int] = field(default_factory=dict)

    def add(self, items: Sequence[str]) -> None:
        """Write the items that earlier pages did not hold; what stands twice in one page was written twice."""
        here: Counter[bytes] = Counter()
        with self.path.open("ab") as file:
            for item in items:
                content = item.encode()
                digest = blake2b(content, digest_size=16).digest()
                here[digest] += 1
                if here[digest] > self.written.get(digest, 0):
                    self.written[digest] = here[digest]
                    file.write((b",\n" if self.kept else b"[\n") + content)
                    self.kept += 1
        self.read += len(items)

    def close(self) -> None:
        """End the array."""
        with self.path.open("ab") as file:
            file.write(b"\n]\n" if self.kept else b"[]\n")


def read_pages(source: Source, parameters: Parameters, ask: Ask, folder: Path) -> Pages:
    """Read an API to its end.

    Parameters
    ----------
    source : Source
        Of kind ``api``, with paging.
    parameters : tuple of pairs
        What every first request says: fixed parameters and the filter of days.
    ask : callable
        Gives the answer to an address with parameters, as a file.
    folder : Path
        Takes the payload; ours alone.

    Raises
    ------
    PagingTrouble
        ``paging-loop``, ``paging-endless``; ``total-mismatch`` after three readings.
    BadAnswer
        ``bad-json``, ``bad-encoding``.
    """
    for reading in range(READINGS):
        try:
            return _read_once(source, parameters, ask, folder / f"reading-{reading}.json")
        except _Changed as changed:
            last = changed
    raise PagingTrouble(
        "total-mismatch",
        f"{source.key}：接口声明共 {last.declared} 条，实收 {last.found} 条，重读 {READINGS} 次仍不一致，未采用；"
        "请对方检查分页排序是否稳定",
        f"{source.key}: {last.declared} items declared, {last.found} found, {READINGS} times over; nothing was taken",
    )


def _read_once(source: Source, parameters: Parameters, ask: Ask, path: Path) -> Pages:
    paging = source.paging
    assert paging is not None
    book, parts, sizes, size = _Book(path), [], [], 0
    total: int | None = None
    seen: set[bytes] = set()
    asked: set[_Request] = set()
    request: _Request | None = _first(paging, source.url, parameters)
    while request is not None:
        if request in asked:
            raise _loop(source, len(asked))
        asked.add(request)
        answer = ask(request.url, request.parameters)
        page = _read_page(source, paging, answer)
        size += answer.bytes
        mark = sha256("\n".join(page.items).encode()).digest()
        if page.items and mark in seen:
            raise _loop(source, len(asked))
        seen.add(mark)
        if total is not None and page.total not in (None, total):
            raise _Changed(page.total or 0, book.read)
        total = total if page.total is None else page.total
        book.add(page.items)
        sizes.append(len(page.items))
        if answer.path is not None:
            parts.append(answer.path)
        if len(asked) >= PAGES or size > source.megabytes * 2**20 or book.kept > ITEMS:
            raise _endless(source, len(asked), size)
        request = _following(paging, request, page, sizes, book.read, total)
    if paging.total and total is None:
        raise _shape(source, f"没有声明总数的字段 {paging.total}", f"no declared total at {paging.total!r}")
    if total is not None and total != book.kept:
        raise _Changed(total, book.kept)
    book.close()
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    return Pages(path, digest, path.stat().st_size, book.kept, tuple(parts))


def _read_page(source: Source, paging: Paging, answer: Answer) -> _Page:
    text = decode_page(answer.path.read_bytes() if answer.path else b"")
    data = read_json(text)
    try:
        found = value_at(data, paging.items)
    except KeyError as missing:
        raise _shape(
            source, f"没有字段 {missing.args[0]}{_said(data)}", f"no {missing.args[0]!r}{_said(data)}"
        ) from None
    if not isinstance(found, list | None):
        raise _shape(source, f"字段 {paging.items or '（顶层）'} 不是列表", f"{paging.items or 'the top'} is no list")
    return _Page(data, list(items_at(text, paging.items)), _total(source, paging, data), answer.headers.get("link", ""))


def _total(source: Source, paging: Paging, data: Any) -> int | None:
    """Read the declared total; a page may leave it out, not all of them."""
    if not paging.total:
        return None
    try:
        told = value_at(data, paging.total)
    except KeyError:
        return None
    if told is None:
        return None
    if not isinstance(told, str) or not re.fullmatch(r"\d{1,12}", told):
        raise _shape(source, f"总数 {paging.total} 不是整数：{told!r:.40}", f"total {paging.total} is {told!r:.40}")
    return int(told)


# -- from page to page --------------------------------------------------------------------------------------------


def _first(paging: Paging, url: str, parameters: Parameters) -> _Request:
    asked = parameters
    if paging.style == "page":
        asked += ((paging.page, str(paging.first)),)
    if paging.size:
        asked += ((paging.size, str(paging.page_size)),)
    return _Request(url, asked)


def _following(
    paging: Paging, request: _Request, page: _Page, sizes: Sequence[int], read: int, total: int | None
) -> _Request | None:
    """Give the request after this one, None at the end."""
    if paging.style == "page":
        if not _goes_on(sizes, read, total):
            return None
        return _with(request, paging.page, str(paging.first + len(sizes)))
    if paging.style == "cursor":
        cursor = _told(page.data, paging.next)
        return _with(request, paging.cursor, cursor) if cursor else None
    if paging.style == "next":
        link = next_link(page.link) if paging.next == "Link" else _told(page.data, paging.next)
        return _Request(urljoin(request.url, link), ()) if link else None
    return None


def _goes_on(sizes: Sequence[int], read: int, total: int | None) -> bool:
    """Tell whether a numbered page follows; the size asked for says nothing, the server may give less at a time."""
    if not sizes[-1]:
        return False
    if total is not None:
        return read < total
    return len(sizes) == 1 or sizes[-1] >= sizes[0]


def _with(request: _Request, name: str, value: str) -> _Request:
    told = dict(request.parameters) | {name: value}
    return replace(request, parameters=tuple(told.items()))


def _told(data: Any, path: str) -> str:
    """Give a cursor or link as text; absent, null, false and blank mean the end."""
    try:
        value = value_at(data, path)
    except KeyError:
        return ""
    return value if isinstance(value, str) else ""


def next_link(header: str) -> str:
    """Find the next page in a ``Link`` header (RFC 8288).

    Examples
    --------
    >>> next_link('</a?p=1>; rel="first", </a?p=3,4>; title="x"; rel="last next"')
    '/a?p=3,4'
    >>> next_link('</a?p=1>; rel=prev')
    ''
    """
    for target, told in _LINK.findall(header):
        relation = re.search(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\s;,\"]+))", told, re.IGNORECASE)
        if relation and "next" in (relation[1] or relation[2]).lower().split():
            return str(target).strip()
    return ""


def days(paging: Paging, since: datetime | None, until: datetime | None) -> Parameters:
    """Write the filter of time as this API wants it, in China time."""
    told = ((paging.since, since), (paging.until, until))
    return tuple((name, _written(moment, paging.format)) for name, moment in told if name and moment is not None)


def _written(moment: datetime, form: str) -> str:
    # %s of the platform reads a time without its zone
    return moment.astimezone(CHINA).strftime(form.replace("%s", str(int(moment.timestamp()))))


# -- words --------------------------------------------------------------------------------------------------------


def _said(data: Any) -> str:
    """Show the names an unexpected answer has, and what its message says."""
    if not isinstance(data, dict):
        return ""
    words = next((f": {data[name]!s:.60}" for name in ("message", "msg", "error") if data.get(name)), "")
    return f" ({', '.join(list(data)[:8])}{words})"


def _shape(source: Source, message: str, message_en: str) -> BadAnswer:
    return BadAnswer(
        "bad-json",
        f"{source.key}：接口返回{message}；请核对该来源的 [sources.paging]，或请对方修正接口",
        f"{source.key}: {message_en} in the answer; check [sources.paging] of this source",
    )


def _loop(source: Source, pages: int) -> PagingTrouble:
    return PagingTrouble(
        "paging-loop",
        f"{source.key}：第 {pages} 页与前面的页重复，分页在打转，未采用；请对方检查分页参数",
        f"{source.key}: page {pages} repeats an earlier one; nothing was taken",
    )


def _endless(source: Source, pages: int, size: int) -> PagingTrouble:
    return PagingTrouble(
        "paging-endless",
        f"{source.key}：已读 {pages} 页、{size >> 20} MB 仍未结束，超出上限，未采用；请缩短查询时段或请对方检查分页",
        f"{source.key}: {pages} pages and {size >> 20} MB read without an end; nothing was taken",
    )
