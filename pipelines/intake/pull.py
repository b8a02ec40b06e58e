"""One visit: what a source has that we have not, whatever its kind; what is new is given out file by file.

News is told by the hash of the bytes, never by the source's times. What came before a trouble is given out before the
trouble is raised: one broken file must not keep the others away, a dead server ends the visit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta, timezone
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes, urlsplit

from pipelines.errors import BadAnswer, FetchError, Stopped, TooSlow, Unreachable
from pipelines.intake import folder, listing, paging
from pipelines.intake.names import safe_name, speaks_of, text_of
from pipelines.intake.sniff import EXTENSIONS
from pipelines.intake.verbatim import decode_page, read_json
from records.runs import Exchange, Item
from schemas.sources import Source

if TYPE_CHECKING:
    from pipelines.intake.fetch import Answer, Client

CHINA = timezone(timedelta(hours=8))
PAYLOAD = "payload"
"""Name of the one item of an API."""
ROUNDS = 3
"""How often a listing is read in one visit while new files keep coming."""
FAILURES = 3
"""After so many broken files in a row it is the server that is broken."""
LOOK_BACK = {"month": timedelta(days=70), "year": timedelta(days=800)}
"""How far an API is asked back at the first visit and at the weekly compare; 35 days otherwise."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a visit is for: news, or the days from ``first`` to ``last``."""

    first: date | None = None
    last: date | None = None
    force: bool = False
    """Nothing is asked conditionally and everything is an arrival."""
    full: bool = False
    """The weekly compare: old items are asked for too, young ones without conditions."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A file with bytes we have not seen, in our scratch folder; its name there is the sender's, made safe."""

    name: str
    path: Path
    item: Item
    exchanges: list[Exchange]
    parts: tuple[Path, ...] = ()
    """The answers as they came, where the file was put together from several."""


@dataclass
class Look:
    """What a visit saw beside its arrivals; grows while the visit goes on."""

    source: Source
    seen: int = 0
    requests: int = 0
    bytes: int = 0
    empty: bool = False
    skew_seconds: float | None = None
    steady: list[Item] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)


@dataclass(frozen=True)
class _Visit:
    """Everything one visit works with."""

    source: Source
    known: Mapping[str, Item]
    wanted: Wanted
    look: Look
    client: Client | None
    home: Path
    scratch: Path
    now: datetime
    stopping: Callable[[], bool]
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def room(self) -> Path:
        """Make a folder for one file, so that two files of one name do not meet."""
        path = self.scratch / f"{next(self.numbers):06d}"
        path.mkdir(parents=True)
        return path

    def check(self) -> None:
        """Leave at a safe point when the service stops."""
        if self.stopping():
            raise Stopped

    @property
    def is_backfill(self) -> bool:
        """Days were named."""
        return self.wanted.first is not None or self.wanted.last is not None

    @property
    def days(self) -> tuple[date, date]:
        """The days named, open ends closed."""
        return self.wanted.first or date(1970, 1, 1), self.wanted.last or self.now.astimezone(CHINA).date()


def pull(
    source: Source,
    known: Mapping[str, Item],
    wanted: Wanted,
    look: Look,
    client: Client | None,
    home: Path,
    scratch: Path,
    now: datetime,
    stopping: Callable[[], bool],
) -> Iterator[Arrival]:
    """Visit one source and give what is new; ``look`` holds what was seen beside it.

    Raises
    ------
    FetchError
        After everything that came has been given.
    Stopped
    """
    visit = _Visit(source, known, wanted, look, client, home, scratch, now, stopping)
    yield from {"listing": _listing, "api": _api, "file": _file, "folder": _folder}[source.kind](visit)


# -- the four kinds -----------------------------------------------------------------------------------------------


def _listing(visit: _Visit) -> Iterator[Arrival]:
    """Read the listing and its files, and the listing again while that brings anything."""
    source, look = visit.source, visit.look
    done: set[str] = set()
    failed: dict[str, FetchError] = {}
    refused: tuple[str, ...] = ()
    for _ in range(ROUNDS):
        found = _read_listing(visit)
        refused = found.refused
        look.seen, look.empty = max(look.seen, len(found.files)), not (found.files or look.seen)
        # what could not be read and is no longer listed was withdrawn meanwhile
        again = {name for name in failed if name in found.files}
        todo = [name for name in found.files if name in again or (name not in done and _is_asked(visit, name))]
        failed.clear()
        done.update(todo)
        brought = 0
        for arrival in _each(todo, partial(_listed, visit, found.files), failed):
            brought += 1
            yield arrival
        if not brought and not (failed.keys() - again):
            break
    if failed:
        raise next(iter(failed.values()))
    if refused:
        raise BadAnswer(
            "bad-listing",
            f"{source.key}：目录中有无法接收的文件名：{'、'.join(map(repr, refused[:5]))}；请对方改名",
            f"{source.key}: names that no file may have: {', '.join(map(repr, refused[:5]))}; have them renamed",
        )


def _listed(visit: _Visit, files: Mapping[str, str], name: str) -> Arrival | None:
    return _fetch(visit, name, files[name])


def _read_listing(visit: _Visit) -> listing.Listing:
    source, look = visit.source, visit.look
    answer, exchanges = _get(
        visit, source.url, parameters=source.parameters, accept=listing.MEDIA_TYPES, most=listing.LISTING_BYTES
    )
    look.exchanges += exchanges
    assert answer.path is not None
    try:
        return listing.read_listing(answer.path.read_bytes(), source.url, source.match)
    finally:
        answer.path.unlink()


def _is_asked(visit: _Visit, name: str) -> bool:
    """Tell whether a listed name is asked for: new ones always, known ones while they are young enough to change."""
    old, wanted = visit.known.get(name), visit.wanted
    if old is None:
        return True
    if visit.is_backfill:
        return speaks_of(name, *visit.days)
    return wanted.full or wanted.force or _is_young(visit, old)


def _is_young(visit: _Visit, old: Item) -> bool:
    return visit.now - max(old.first_seen, old.changed_at) < timedelta(days=visit.source.recheck_days)


def _file(visit: _Visit) -> Iterator[Arrival]:
    """Read the one address whose content changes in place."""
    visit.look.seen = 1
    name = text_of(unquote_to_bytes(urlsplit(visit.source.url).path)).rpartition("/")[2]
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    arrival = _fetch(visit, name if ending and ending in EXTENSIONS else visit.source.name, visit.source.url)
    if arrival:
        yield arrival


def _folder(visit: _Visit) -> Iterator[Arrival]:
    """Copy what is new in the watched folder."""
    source, look, wanted = visit.source, visit.look, visit.wanted
    files = folder.look_in(visit.home / source.path, source.match)
    look.seen, look.empty = len(files), not files
    asked = []
    for one in files:
        old = visit.known.get(one.name)
        again = wanted.full or wanted.force or (visit.is_backfill and speaks_of(one.name, *visit.days))
        if old is None or again or old.mark != one.mark:
            asked.append(one)
    failed: dict[str, FetchError] = {}
    rested = {one.name: one for one in folder.at_rest(asked, visit.scratch, folder.SETTLE, visit.stopping)}
    yield from _each(list(rested), partial(_copied, visit, rested), failed)
    if failed:
        raise next(iter(failed.values()))


def _copied(visit: _Visit, files: Mapping[str, folder.Seen], name: str) -> Arrival | None:
    one = files[name]
    path = visit.room() / safe_name(one.name)
    digest = folder.copy(one, path, visit.source.megabytes * 2**20, visit.stopping)
    if digest is None:  # still changing: the next visit takes it
        path.unlink(missing_ok=True)
        return None
    visit.look.bytes += one.mark["size"]
    item = _item(visit, one.name, digest, one.mark["size"], mark=dict(one.mark))
    return _given(visit, item, path, [])


def _api(visit: _Visit) -> Iterator[Arrival]:
    """Ask an API for the days that matter; all pages become one file."""
    visit.look.seen = 1
    if visit.source.paging is None:
        arrival = _fetch(visit, PAYLOAD, visit.source.url, of_api=True)
    else:
        arrival = _paged(visit)
    if arrival:
        yield arrival


def _paged(visit: _Visit) -> Arrival | None:
    source, look, room = visit.source, visit.look, visit.room()
    assert source.paging is not None
    since, until = _span(visit)
    exchanges: list[Exchange] = []

    def ask(url: str, parameters: paging.Parameters) -> Answer:
        visit.check()
        answer, made = _get(
            visit, url, parameters=parameters, item=PAYLOAD, accept=paging.MEDIA_TYPES, most=paging.PAGE_BYTES
        )
        exchanges.extend(made)
        return answer

    try:
        pages = paging.read_pages(source, source.parameters + paging.days(source.paging, since, until), ask, room)
    except BaseException:
        look.exchanges += exchanges
        raise
    if not pages.items:
        look.exchanges += exchanges
        look.seen, look.empty = 0, True
        return None
    path = pages.path.rename(room / _payload_name(visit, since, until))
    # an answer to named days says nothing of the time up to which all is known
    old = visit.known.get(PAYLOAD)
    mark = {"until": visit.now.isoformat()} if not visit.is_backfill else dict(old.mark) if old else {}
    item = _item(visit, PAYLOAD, pages.sha256, pages.bytes, mark=mark)
    return _given(visit, item, path, exchanges, pages.parts)


def _span(visit: _Visit) -> tuple[datetime | None, datetime]:
    """Give the time to ask for: from the last success less the overlap, or named days; ends are a day too far.

    The first visit begins where the timetable does; a source that has none, a register, is asked for everything.

    Whether a partner counts the last day in is not told by anybody; what comes twice changes nothing.
    """
    source, wanted, old = visit.source, visit.wanted, visit.known.get(PAYLOAD)
    assert source.paging is not None
    first, last = visit.days
    until = datetime.combine(last + timedelta(days=1), time(), CHINA)
    if visit.is_backfill:
        return datetime.combine(first, time(), CHINA), until
    table = source.timetable
    back = visit.now - LOOK_BACK.get(table.every if table else "", timedelta(days=35))
    if old is not None and "until" in old.mark:
        overlap = timedelta(hours=source.paging.overlap_hours)
        recent = datetime.fromisoformat(old.mark["until"]) - overlap
        return (min(back, recent) if wanted.full or wanted.force else recent), until
    if table is None:
        return None, until
    return (datetime.combine(table.since, time(), CHINA) if table.since else back), until


def _payload_name(visit: _Visit, since: datetime | None, until: datetime) -> str:
    end = visit.now if until > visit.now else until - timedelta(days=1)
    days = (moment.astimezone(CHINA).strftime("%Y%m%d") for moment in (since, end) if moment)
    return f"{visit.source.name}-{'_'.join(days)}.json"


# -- one thing ----------------------------------------------------------------------------------------------------


def _fetch(visit: _Visit, name: str, url: str, *, of_api: bool = False) -> Arrival | None:
    """Ask for one thing, on condition that it changed; None where it has not."""
    visit.check()
    source, look, wanted, old = visit.source, visit.look, visit.wanted, visit.known.get(name)
    asked: dict[str, Any] = {"parameters": source.parameters, "item": name}
    if old is not None and not wanted.force and not (wanted.full and _is_young(visit, old)):
        asked |= {"etag": old.etag, "modified": old.modified}
    if of_api:
        asked |= {"accept": paging.MEDIA_TYPES, "most": paging.PAGE_BYTES}
    answer, exchanges = _get(visit, url, **asked)
    if answer.not_modified:
        assert old is not None
        look.steady.append(replace(old, last_seen=visit.now))
        look.exchanges += exchanges
        return None
    assert answer.path is not None
    if of_api:
        try:
            look.empty = _is_empty(answer.path)
        except FetchError:
            look.exchanges += exchanges
            raise
    if look.empty:
        answer.path.unlink()
        look.exchanges += exchanges
        look.seen = 0
        return None
    ours = f"{source.name}-{visit.now.astimezone(CHINA):%Y%m%d}.json" if of_api else safe_name(name)
    path = answer.path.rename(visit.room() / ours)
    item = _item(visit, name, answer.sha256, path.stat().st_size, etag=answer.etag, modified=answer.modified)
    return _given(visit, item, path, exchanges)


def _is_empty(path: Path) -> bool:
    """Tell whether a JSON answer holds no record: an empty list, or an object with one and no list of records."""
    data = read_json(decode_page(path.read_bytes()))
    if not isinstance(data, dict):
        return not data
    lists, inner = [], [data]
    while inner:
        values = [value for one in inner for value in one.values()]
        lists += [value for value in values if isinstance(value, list)]
        inner = [value for value in values if isinstance(value, dict)]
    return not all(lists) and not any(isinstance(one, dict | list) for entry in lists for one in entry)


def _item(
    visit: _Visit, name: str, sha256: str, size: int, *, etag: str = "", modified: str = "", mark: Any = None
) -> Item:
    old, now = visit.known.get(name), visit.now
    same = old is not None and old.sha256 == sha256
    return Item(
        source=visit.source.key,
        name=name,
        etag=etag,
        modified=modified,
        size=size,
        sha256=sha256,
        first_seen=old.first_seen if old else now,
        last_seen=now,
        changed_at=old.changed_at if old and same else now,
        batches=old.batches if old and same else (),
        mark=mark or {},
    )


def _given(
    visit: _Visit, item: Item, path: Path, exchanges: list[Exchange], parts: tuple[Path, ...] = ()
) -> Arrival | None:
    """Give out what is new; the bytes of what we have already go."""
    old = visit.known.get(item.name)
    if visit.wanted.force or old is None or old.sha256 != item.sha256:
        return Arrival(item.name, path, replace(item, batches=()), exchanges, parts)
    visit.look.steady.append(item)
    visit.look.exchanges += exchanges
    for spent in (path, *parts):
        spent.unlink()
    return None


def _each(names: list[str], take: Callable[[str], Arrival | None], failed: dict[str, FetchError]) -> Iterator[Arrival]:
    """Take one after the other; broken ones are kept for later, a dead or closed server is raised at once."""
    in_a_row = 0
    for name in names:
        try:
            arrival = take(name)
        except FetchError as error:
            in_a_row += 1
            dead = isinstance(error, TooSlow) or (isinstance(error, Unreachable) and error.code != "folder-unreadable")
            if dead or error.code == "unauthorised" or in_a_row == FAILURES:
                raise
            failed[name] = error
            continue
        in_a_row = 0
        if arrival:
            yield arrival


def _get(visit: _Visit, url: str, **asked: Any) -> tuple[Answer, list[Exchange]]:
    """Ask the client; what it sent and got is counted, and kept even where it ends in an error."""
    client, look = visit.client, visit.look
    assert client is not None, "only a folder is read without a client"
    try:
        answer = client.get(url, **asked)
    except BaseException:
        look.exchanges += _taken(client, look)
        raise
    if answer.skew_seconds is not None:
        look.skew_seconds = answer.skew_seconds
    return answer, _taken(client, look)


def _taken(client: Client, look: Look) -> list[Exchange]:
    made = list(client.exchanges)
    client.exchanges.clear()
    look.requests += len(made)
    look.bytes += sum(one.bytes for one in made)
    return made
