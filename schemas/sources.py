"""Sources: where a bureau publishes, what is due there and by when, as ``[[sources]]`` of TOML files.

They stand in ``bureaus/<bureau>/bureau.toml``, shipped or of a site, or in a ``sources.toml`` beside it, which is no
part of the rules a batch is judged by. A site's source replaces the shipped one of the same name. A declaration that
cannot be right is given back, not raised: one bureau's mistake must not keep the others' data away. Secrets never stand
here, only their names. ``docs/add-a-source.md`` describes the keys.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from schemas.blocks import Block, line_in_block
from schemas.files import SCHEMAS, MalformedFact, read_toml
from schemas.layouts import DATASETS, layout_names
from schemas.places import bureaus, stamp
from schemas.web import host_trouble, network_trouble, url_trouble

KINDS = ("listing", "api", "file", "folder")
EVERY = ("hour", "day", "week", "month", "year")
PULLS = ("night", "hour")
STYLES = ("single", "page", "cursor", "next")
FILES = ("bureau.toml", "sources.toml")
SECRET_KEYS = {
    "token", "password", "passwd", "pwd", "secret", "access_token", "client_secret", "api_key", "apikey", "app_key",
    "appkey", "app_secret", "appsecret", "key", "user", "username",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Timetable:
    """What is due: one delivery for each period, and by when; times and days are those of China."""

    every: str
    by: dt.time
    """Time of day by which a period must be there; of an hourly one only the minute counts."""
    lag: int
    """Days after the period's last day; an hourly period is due ``lag`` days after its end (0: at once)."""
    day: int | None
    """Instead of ``lag``. week: weekday (1 is Monday) of the week after; month, year: day of the month."""
    month: int | None
    """year: month of the following year in which ``day`` lies."""
    since: dt.date | None
    until: dt.date | None
    """Only periods that lie wholly within these two days (both included) count."""


@dataclass(frozen=True, slots=True)
class Paging:
    """How an API gives its items, and how it is asked for a part of them; paths are dotted, ``""`` is the top level."""

    style: str
    """``single`` answer | ``page`` numbers | ``cursor`` of the next page | link to the ``next`` page."""
    items: str
    total: str
    page: str
    first: int
    size: str
    page_size: int
    cursor: str
    next: str
    since: str
    until: str
    format: str
    overlap_hours: int
    """``since`` asks from the newest known instant less this, because what is late is not told by its time."""


@dataclass(frozen=True, slots=True)
class Source:
    """One place where a bureau publishes something."""

    bureau: str
    name: str
    title: str
    kind: str
    url: str
    path: str
    match: tuple[str, ...]
    dataset: str | None
    layout: str | None
    enabled: bool
    pull: str
    credentials: str
    auth: str
    hosts: tuple[str, ...]
    networks: tuple[str, ...]
    ca: str
    certificate: str
    parameters: tuple[tuple[str, str], ...]
    paging: Paging | None
    timetable: Timetable | None
    stale_hours: float | None
    least: int | None
    most: int | None
    empty_is_fine: bool
    recheck_days: int
    seconds: float
    megabytes: int
    inflated_megabytes: int
    folder: Path
    """Where the declaring TOML lies; ``ca`` and ``certificate`` are relative to it."""
    source: str

    @property
    def key(self) -> str:
        """Name of this source among those of all bureaus."""
        return f"{self.bureau}/{self.name}"


Found = tuple[dict[str, Source], tuple[MalformedFact, ...]]


def sources(site: Path | None = None, root: Path = SCHEMAS) -> Found:
    """Every source by key, those of the site over the shipped ones, and the declarations that cannot be right."""
    found, faults = _sources(site, root, stamp(site), stamp(root / "bureaus"), stamp(root))
    return dict(found), faults


@lru_cache(maxsize=16)
def _sources(site: Path | None, root: Path, *_stamps: object) -> Found:
    found: dict[str, Source] = {}
    faults: list[MalformedFact] = []
    known: set[str] = set()
    for folder in (root / "bureaus", site):
        if folder is None or not folder.is_dir():
            continue
        known |= {path.parent.name for path in folder.glob("*/bureau.toml")}
        for path in sorted(folder.glob("*/")):
            named: set[str] = set()
            for file in FILES:
                _read_file(path / file, known, site, root, named, found, faults)
    try:
        bureaus(site, root)
    except MalformedFact as fault:
        if str(fault) not in map(str, faults):
            faults.append(fault)
    return dict(sorted(found.items())), tuple(faults)


def _read_file(
    path: Path,
    known: set[str],
    site: Path | None,
    root: Path,
    named: set[str],
    found: dict[str, Source],
    faults: list[MalformedFact],
) -> None:
    """Read the sources of one file; ``named`` are those its folder has declared already."""
    if not path.is_file():
        return
    try:
        raw = read_toml(path)
        if path.name == "sources.toml" and set(raw) - {"sources"}:
            raise MalformedFact(path, 1, f"only [[sources]] may stand here, not {', '.join(set(raw) - {'sources'})}")
    except MalformedFact as fault:
        faults.append(fault)
        return
    blocks = raw.get("sources", [])
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        faults.append(MalformedFact(path, 1, "each source stands under [[sources]]"))
        return
    for number, entry in enumerate(blocks):

        def fail(key: str, reason: str, number: int = number, table: str = "") -> MalformedFact:
            keys = (table, key) if table else (key,)
            return MalformedFact(path, line_in_block(path, "sources", number, *keys), reason)

        key = f"{path.parent.name}/{entry.get('name')}"
        try:
            if key in named:
                raise fail("name", f"source {entry['name']!r} stands twice")
            named.add(key)
            # A wrong declaration of a site does not bring back the shipped one: the site wanted it otherwise.
            found.pop(key, None)
            if path.parent.name not in known:
                raise fail("name", f"there is no bureau {path.parent.name!r}; it needs a bureau.toml")
            found[key] = _source(path, entry, fail, layout_names(path.parent.name, site, root))
        except MalformedFact as fault:
            faults.append(fault)


_KEYS = {
    "name", "title", "kind", "url", "path", "match", "dataset", "layout", "enabled", "pull", "credentials", "auth",
    "hosts", "networks", "ca", "certificate", "parameters", "paging", "due", "stale_hours", "least", "most",
    "empty_is_fine", "recheck_days", "seconds", "megabytes", "inflated_megabytes", "source",
}  # fmt: skip
_WEB_KEYS = (
    "url", "credentials", "auth", "hosts", "networks", "ca", "certificate", "parameters", "paging", "recheck_days",
    "seconds",
)  # fmt: skip


def _source(path: Path, raw: dict[str, Any], fail: Any, layouts: set[str]) -> Source:
    block = Block(raw, fail)
    for key in raw:
        if key in SECRET_KEYS:
            raise fail(
                key, f'{key!r} does not belong here; put it under a name into secrets.toml: credentials = "name"'
            )
    block.only(_KEYS)
    name = block.text("name")
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", name):
        raise fail("name", f"name {name!r} is not lower-case ASCII (letters, digits, - and _, at most 40)")
    kind = block.one_of("kind", KINDS)
    dataset, layout = block.raw.get("dataset"), block.raw.get("layout")
    if dataset is not None:
        block.one_of("dataset", DATASETS)
    if layout is not None and layout not in layouts:
        raise fail("layout", f"layout {layout!r} is not one of this bureau: {', '.join(sorted(layouts))}")
    least, most = block.whole("least", 0, 10**9), block.whole("most", 0, 10**9)
    if least is not None and most is not None and least > most:
        raise fail("least", f"least {least} is above most {most}")
    megabytes = block.whole("megabytes", 1, 512) or 200
    inflated = block.whole("inflated_megabytes", 1, 4096) or 1024
    if "match" in raw and kind not in ("listing", "folder"):
        raise fail("match", f"match chooses among the names of a listing or folder; this is of kind {kind!r}")
    if kind == "folder":
        _check_folder(block)
    else:
        _check_web(block, kind)
    networks, recheck = block.texts("networks"), block.whole("recheck_days", 0, 400)
    credentials = block.text("credentials", "")
    return Source(
        bureau=path.parent.name,
        name=name,
        title=block.text("title", name),
        kind=kind,
        url=block.text("url", ""),
        path=block.text("path", ""),
        match=block.texts("match"),
        dataset=dataset,
        layout=layout,
        enabled=block.yes("enabled", True),
        pull=block.one_of("pull", PULLS, "night"),
        credentials=credentials,
        auth=block.text("auth", "bearer" if credentials else ""),
        hosts=block.texts("hosts"),
        networks=networks,
        ca=block.text("ca", ""),
        certificate=block.text("certificate", ""),
        parameters=_parameters(block),
        paging=_paging(raw["paging"], fail) if "paging" in raw else None,
        timetable=_timetable(raw["due"], fail) if "due" in raw else None,
        stale_hours=block.number("stale_hours", 0.1, 24 * 800),
        least=least,
        most=most,
        empty_is_fine=block.yes("empty_is_fine", False),
        recheck_days=14 if recheck is None else recheck,
        seconds=block.number("seconds", 1, 3600) or 300.0,
        megabytes=megabytes,
        inflated_megabytes=inflated,
        folder=path.parent,
        source=block.text("source"),
    )


def _check_folder(block: Block) -> None:
    for key in _WEB_KEYS:
        if key in block.raw:
            raise block.fail(key, f"a folder has no {key!r}")
    path = block.text("path")
    if ".." in Path(path).parts or "\0" in path:
        raise block.fail("path", f"path {path!r} is absolute, or lies below the home (no '..')")


def _check_web(block: Block, kind: str) -> None:
    if "path" in block.raw:
        raise block.fail("path", f"only a folder has a path; a source of kind {kind!r} has a url")
    networks = block.texts("networks")
    for network in networks:
        trouble = network_trouble(network)
        if trouble:
            raise block.fail("networks", trouble)
    url = block.text("url")
    trouble = url_trouble(url, networks)
    if trouble:
        raise block.fail("url", trouble)
    if _secret_words(url.partition("?")[2]):
        raise block.fail("url", f"url holds {_secret_words(url.partition('?')[2])!r}; put the secret into secrets.toml")
    if kind == "listing" and not url.endswith("/"):
        raise block.fail("url", f"the url of a listing ends in '/': {url + '/'!r}?")
    for host in block.texts("hosts"):
        trouble = host_trouble(host, networks)
        if trouble:
            raise block.fail("hosts", trouble)
    if "paging" in block.raw and kind != "api":
        raise block.fail("paging", f"only an api has paging; this is of kind {kind!r}")
    _check_auth(block)


def _secret_words(query: str) -> str:
    names = (part.partition("=")[0].lower().replace("-", "_") for part in query.split("&"))
    return next((name for name in names if name in SECRET_KEYS - {"key", "user", "username"}), "")


def _check_auth(block: Block) -> None:
    credentials, auth = block.text("credentials", ""), block.text("auth", "")
    if auth and not credentials:
        raise block.fail("auth", "auth needs credentials, the name of a secret")
    looks_secret = re.fullmatch(r"[0-9a-f-]{24,}|[^:]*:.*", credentials)
    if credentials and (looks_secret or not re.fullmatch(r"[a-z][a-z0-9_-]{0,39}", credentials)):
        # The text is not repeated: it may be the secret itself.
        told = "credentials is the name of a secret (lower-case letters, digits, - and _), never the secret itself"
        raise block.fail("credentials", f"{told}; put it into secrets.toml under such a name")
    if auth and not re.fullmatch(r"bearer|basic|header:[A-Za-z0-9!#$%&'*+.^_`|~-]+", auth):
        raise block.fail("auth", f"auth is bearer, basic or header:<name>, not {auth!r}")
    if auth.lower() in {f"header:{name}" for name in ("host", "content-length", "transfer-encoding", "connection")}:
        raise block.fail("auth", f"{auth!r} is a header of the connection itself")


def _parameters(block: Block) -> tuple[tuple[str, str], ...]:
    raw = block.raw.get("parameters", {})
    if not isinstance(raw, dict) or not all(isinstance(value, str) for value in raw.values()):
        raise block.fail("parameters", 'parameters is a table of texts: { station = "1234" }')
    for name in raw:
        if _secret_words(name):
            raise block.fail("parameters", f"parameter {name!r} looks like a secret; use 'credentials' and 'auth'")
    return tuple(raw.items())


def _paging(raw: Any, fail: Any) -> Paging:
    def refuse(key: str, reason: str) -> MalformedFact:
        error: MalformedFact = fail(key, reason, table="paging")
        return error

    if not isinstance(raw, dict):
        raise refuse("", "paging is a table: [sources.paging]")
    block = Block(raw, refuse)
    block.only(Paging.__slots__)
    style = block.one_of("style", STYLES)
    for key in {"cursor": ("cursor", "next"), "next": ("next",)}.get(style, ()):
        block.text(key)
    page = block.text("page", "page") if style == "page" else block.text("page", "")
    if style == "page" and not page:
        raise refuse("page", "page is the query parameter of the page number")
    first, size, overlap = (
        block.whole("first", 0, 1),
        block.whole("page_size", 1, 100_000),
        block.whole("overlap_hours", 0, 24 * 400),
    )
    form = block.text("format", "%Y-%m-%d")
    if not re.search(r"%[YFs]", form):
        raise refuse("format", f'format {form!r} holds no year; it is written as strftime does: "%Y-%m-%d %H:%M"')
    return Paging(
        style=style,
        items=block.text("items", ""),
        total=block.text("total", ""),
        page=page,
        first=1 if first is None else first,
        size=block.text("size", ""),
        page_size=size or 100,
        cursor=block.text("cursor", ""),
        next=block.text("next", ""),
        since=block.text("since", ""),
        until=block.text("until", ""),
        format=form,
        overlap_hours=24 if overlap is None else overlap,
    )


def _timetable(raw: Any, fail: Any) -> Timetable:
    def refuse(key: str, reason: str) -> MalformedFact:
        error: MalformedFact = fail(key, reason, table="due")
        return error

    if not isinstance(raw, dict):
        raise refuse("", "due is a table: [sources.due]")
    block = Block(raw, refuse)
    block.only(Timetable.__slots__)
    every = block.one_of("every", EVERY)
    lag, day, month = block.whole("lag", 0, 400), block.whole("day", 1, 31), block.whole("month", 1, 12)
    if lag == 0 and every != "hour":
        raise refuse("lag", "lag is at least 1: the first day after the period; before it has ended nothing is due")
    if day is not None and (lag is not None or every in ("hour", "day")):
        raise refuse("day", "day goes with week, month or year, and without lag")
    if every == "week" and day is not None and day > 7:
        raise refuse("day", f"day of a week is 1 (Monday) to 7, not {day}")
    if (month is not None) != (every == "year" and day is not None):
        raise refuse("month" if month else "day", "month and day go together, and only with year")
    # A leap day is capped to the 28th in other years; the 30th of February never is.
    if month is not None and day is not None and day > calendar.monthrange(2000, month)[1]:
        raise refuse("day", f"month {month} has no day {day}")
    since, until = block.date("since"), block.date("until")
    if since and until and since > until:
        raise refuse("since", f"since {since} is after until {until}")
    by = block.clock("by", dt.time(0, 0) if every == "hour" else dt.time(6, 0))
    return Timetable(every, by, (0 if every == "hour" else 1) if lag is None else lag, day, month, since, until)
