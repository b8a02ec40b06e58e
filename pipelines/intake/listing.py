"""Directory listings: what a web server says lies in a folder.

The pages of Apache, nginx, IIS, Caddy, lighttpd, Tomcat and Python's http.server are read by their links alone, nginx's
and Caddy's JSON by its names. Only files directly below the listing's own address count; times and sizes that a page
shows do not (they are the sender's). A page that is no listing, such as a login or maintenance page, is an error: taken
for an empty folder it would be silence.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, quote, quote_from_bytes, unquote_to_bytes, urljoin, urlsplit

from pipelines.errors import BadAnswer
from pipelines.intake.names import is_plain, is_wanted, text_of
from pipelines.intake.verbatim import decode_page, read_json

MEDIA_TYPES = ("text/html", "application/xhtml+xml", "application/json")
LISTING_BYTES = 16 * 2**20
ENTRIES = 50_000
_TITLE = re.compile(r"index of|directory listing|directory:|listing of|files within|目录列表|文件列表", re.IGNORECASE)
_SORT = re.compile(r"(?:\./)?\?(?:C=[NMSD]|sort=)")
_UNESCAPED = "/%:@!$&'()*+,;=~-._"


@dataclass(frozen=True, slots=True)
class Listing:
    """What one page lists."""

    files: dict[str, str]
    """Address by name, in the order of the names."""
    left: int
    """Subfolders and files that no pattern asks for."""
    refused: tuple[str, ...]
    """Wanted names that no file may have: with separators, controls or invisible marks."""


def read_listing(body: bytes, url: str, match: Sequence[str] = ()) -> Listing:
    """Read the page of a directory listing.

    Raises
    ------
    BadAnswer
        ``bad-listing``: the page is not one; ``bad-encoding``, ``bad-json``.

    Examples
    --------
    >>> page = b'<title>Index of /air/</title><a href="../">../</a> <a href="a%201.csv">a 1.csv</a> <a href="old/">old/</a>'
    >>> read_listing(page, "https://data.example/air/", ("*.csv",)).files
    {'a 1.csv': 'https://data.example/air/a%201.csv'}
    """
    text = decode_page(body)
    links = _of_json(text) if text.lstrip()[:1] in ("[", "{") else _of_html(text, url)
    files: dict[str, str] = {}
    refused: list[str] = []
    left = 0
    here = _Here.of(url)
    for count, link in enumerate(links):
        if count == ENTRIES:
            raise _bad(url, f"超过 {ENTRIES} 个条目", f"more than {ENTRIES} entries")
        place = _below(link, here)
        if place is None:
            continue
        name, address = place
        if name.endswith("/") or not is_wanted(name, match):
            left += 1
        elif not is_plain(name):
            refused.append(name)
        else:
            files.setdefault(name, address)
    return Listing(dict(sorted(files.items())), left, tuple(dict.fromkeys(refused)))


@dataclass(frozen=True, slots=True)
class _Here:
    """The listing's own address, taken apart."""

    url: str
    parts: SplitResult
    server: tuple[str, str | None, int | None]
    path: bytes

    @classmethod
    def of(cls, url: str) -> _Here:
        parts = urlsplit(url)
        path = unquote_to_bytes(parts.path)
        return cls(url, parts, (parts.scheme, parts.hostname, parts.port), path[: path.rindex(b"/") + 1])


def _below(link: str, here: _Here) -> tuple[str, str] | None:
    """Give name and address of what lies directly below the listing; a folder's name ends in "/"."""
    try:
        parts = urlsplit(urljoin(here.url, link.strip()))
        elsewhere = (parts.scheme, parts.hostname, parts.port) != here.server
    except ValueError:  # [::1 and the like
        return None
    if elsewhere or parts.query or parts.username:
        return None
    path = unquote_to_bytes(parts.path)
    name = text_of(path[len(here.path) :])
    if not path.startswith(here.path) or name.rstrip("/") in ("", ".", ".."):
        return None
    if "/" in name:
        return name.split("/")[0] + "/", ""
    # what the server escaped stays as it is, GBK included; what it did not is UTF-8, as a browser sends it
    return name, f"{parts.scheme}://{here.parts.netloc}{quote(parts.path, safe=_UNESCAPED)}"


# -- JSON ---------------------------------------------------------------------------------------------------------


def _of_json(text: str) -> Iterator[str]:
    """Give the entries of nginx's ``autoindex_format json`` and of Caddy's JSON as links."""
    entries = read_json(text)
    if not isinstance(entries, list) or not all(_is_entry(entry) for entry in entries):
        raise BadAnswer(
            "bad-listing",
            "返回的 JSON 不是目录列表；请检查该来源的地址是否正确",
            "the JSON is no directory listing; check the url of this source",
        )
    for entry in entries:
        folder = entry.get("is_dir") is True or entry.get("type") == "directory"
        name = entry["name"].removesuffix("/") if folder else entry["name"]
        yield "./" + quote_from_bytes(name.encode("utf-8", "surrogatepass"), safe="") + ("/" if folder else "")


def _is_entry(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("name"), str) and ("type" in entry or "is_dir" in entry)


# -- HTML ---------------------------------------------------------------------------------------------------------

# Tags are found by patterns that never look back: html.parser takes minutes for 100 KB of "<a <a <a" (CVE-2025-6069),
# and a partner's page must not hold up the night.
_TAG = re.compile(r"<(a|base|input|pre)\b([^<>]{0,8000})>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""([^\s"'<>/=]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'<>]+)))?""")
_HEADING = re.compile(r"<(?:title|h1)\b[^<>]{0,1000}>([^<]{0,1000})", re.IGNORECASE)


def _of_html(text: str, url: str) -> list[str]:
    """Give the links of a page that is a listing."""
    page = _without_comments(text)
    heading = html.unescape(" ".join(" ".join(_HEADING.findall(page)[:4]).split()))
    links, base, bare = [], url, False
    for tag, written in _TAG.findall(page):
        told = _attributes(written)
        match tag.lower():
            case "a" if told.get("href"):
                links.append(told["href"])
            case "base" if told.get("href"):
                base = urljoin(url, told["href"])
            case "pre":
                bare = not heading
            case "input" if told.get("type", "").lower() == "password":
                raise _no_listing(url, heading)
    if not _is_listing(heading, links, bare, url):
        raise _no_listing(url, heading)
    return links if base == url else [_joined(base, link) for link in links]


def _without_comments(text: str) -> str:
    first, *rest = text.split("<!--")
    return first + "".join(part.partition("-->")[2] for part in rest)


def _attributes(written: str) -> dict[str, str]:
    return {name.lower(): html.unescape(a or b or c) for name, a, b, c in _ATTRIBUTE.findall(written)}


def _joined(base: str, link: str) -> str:
    try:
        return urljoin(base, link)
    except ValueError:
        return ""


def _is_listing(heading: str, links: Sequence[str], bare: bool, url: str) -> bool:
    """Tell a listing by its heading, by its links for sorting, or (Go's) by a bare list without any heading."""
    path = text_of(unquote_to_bytes(urlsplit(url).path))
    if _TITLE.search(heading) or f" - {path}" in heading:
        return True
    if any(_SORT.match(link) for link in links):  # Caddy heads its page with the folder's name only
        return True
    return bare and all(_below(link, _Here.of(url)) for link in links)


def _no_listing(url: str, heading: str) -> BadAnswer:
    seen = heading[:60] or "没有标题"
    return _bad(url, f"返回的网页不是目录列表（标题“{seen}”）", f"the page is no directory listing ({seen!r})")


def _bad(url: str, message: str, message_en: str) -> BadAnswer:
    host = urlsplit(url).hostname or ""
    return BadAnswer(
        "bad-listing",
        f"{host}：{message}；请核对地址，确认对方开放目录列表且无需在网页上登录",
        f"{host}: {message_en}; check the url and that the server lists the folder without a login page",
    )
