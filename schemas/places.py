"""Where and who: regions, bureaus and their stations.

``vocabularies/regions.csv`` is the division list with its dates; ``bureaus/<bureau>/bureau.toml`` and ``stations.csv``
say who sends and from which fixed places. A site keeps files of the same names under its own ``bureaus/<bureau>/``:
its ``bureau.toml`` replaces the shipped one, its stations replace or join the shipped ones. All ``until`` dates are
the last day that counts.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from schemas.files import SCHEMAS, MalformedFact, layout_files, line_of, once, read_rows, read_toml
from schemas.quantities import MEDIA
from schemas.ratings import rating_schemes

BUREAU_KINDS = ("bureau", "feed")
STATION_KINDS = ("national", "district", "section", "soil-point")


@dataclass(frozen=True, slots=True)
class Region:
    """One row of ``regions.csv``; the code is blank where nobody knows it yet."""

    division: str
    name_zh: str
    name_en: str
    level: str
    parent: str
    since: dt.date | None
    until: dt.date | None
    note: str
    source: str


@dataclass(frozen=True, slots=True)
class Bureau:
    """One sender: a bureau, or a feed that nobody signs for."""

    bureau: str
    name_zh: str
    name_en: str
    division: str
    kind: str
    open_stations: bool
    """Stations come with the data; otherwise only those of ``stations.csv`` are taken."""
    open_issuers: bool
    """Ratings and penalties of any authority are taken; their schemes stay native unless known."""
    soil_prefix: str
    """Soil points whose code begins so are taken without a row in ``stations.csv``; blank: none."""
    schemes: tuple[str, ...]
    """Rating schemes this bureau's ratings may follow, newest first."""
    issuers: tuple[str, ...]
    aliases: tuple[str, ...]
    layouts: tuple[str, ...]
    """Layouts of its own, by file stem; the public ones come on top."""
    source: str


@dataclass(frozen=True, slots=True)
class Station:
    """One fixed place of a bureau between two days: air station, river section or soil point."""

    station_id: str
    name_zh: str
    medium: str
    bureau: str
    kind: str
    longitude: float | None
    latitude: float | None
    since: dt.date | None
    until: dt.date | None
    aliases: tuple[str, ...]
    note: str
    source: str


@once
def regions(root: Path = SCHEMAS) -> tuple[Region, ...]:
    """Read ``vocabularies/regions.csv``."""
    columns = ("division", "name_zh", "name_en", "level", "parent", "since", "until", "note", "source")
    rows = read_rows(root / "vocabularies" / "regions.csv", columns)
    codes = {row["division"] for row in rows}
    seen: set[tuple[str, str, str]] = set()
    found = []
    for row in rows:
        code, parent = row["division"], row["parent"]
        if code and not re.fullmatch(r"\d{6}(\d{3})?", code):
            raise row.fail(f"division {code!r} has neither 6 nor 9 digits")
        if parent and parent not in codes:
            raise row.fail(f"parent {parent!r} is not in the list")
        if (code, row["name_zh"], row["since"]) in seen:
            raise row.fail(f"division {code or row['name_zh']!r} stands twice")
        seen.add((code, row["name_zh"], row["since"]))
        since, until = row.period("since", "until")
        level = row.one_of("level", ("province", "city", "county", "township"))
        found.append(
            Region(
                code,
                row.need("name_zh"),
                row["name_en"],
                level,
                parent,
                since,
                until,
                row["note"],
                row.need("source"),
            )
        )
    return tuple(found)


_BUREAU_KEYS = {
    "name_zh",
    "name_en",
    "division",
    "kind",
    "open_stations",
    "open_issuers",
    "soil_prefix",
    "schemes",
    "issuers",
    "aliases",
    "source",
    "sources",  # read by schemas/sources.py
}


def bureaus(site: Path | None = None, root: Path = SCHEMAS) -> dict[str, Bureau]:
    """Read every bureau, those of the site over the shipped ones: code → bureau."""
    return _bureaus(site, root, stamp(site), stamp(root / "bureaus"))


def stamp(folder: Path | None) -> tuple[tuple[str, int, int], ...]:
    """Name, time and size of the fact files one level down; what was read is remembered under it."""
    if folder is None or not folder.is_dir():
        return ()
    files = sorted(p for p in folder.glob("*/*") if p.suffix in (".toml", ".csv"))
    return tuple((str(p), p.stat().st_mtime_ns, p.stat().st_size) for p in files)


@lru_cache(maxsize=16)
def _bureaus(site: Path | None, root: Path, *_stamps: object) -> dict[str, Bureau]:
    found: dict[str, Bureau] = {}
    own: dict[str, tuple[str, ...]] = {}
    for folder in (root / "bureaus", site):
        if folder is None or not folder.is_dir():
            continue
        for path in sorted(folder.glob("*/")):
            stems = [file.stem for file in layout_files(path)]
            own[path.name] = (*own.get(path.name, ()), *(s for s in stems if s not in own.get(path.name, ())))
            if (path / "bureau.toml").is_file():
                found[path.name] = _bureau(path / "bureau.toml", root)
    return {code: _with_layouts(bureau, own[code]) for code, bureau in sorted(found.items())}


def _bureau(path: Path, root: Path) -> Bureau:
    raw: dict[str, Any] = read_toml(path)

    def refuse(key: str, reason: str) -> MalformedFact:
        return MalformedFact(path, line_of(path, key), reason)

    code = path.parent.name
    if not re.fullmatch(r"[a-z][a-z0-9_]*", code):
        raise MalformedFact(path, 1, f"bureau code {code!r}: the folder's name is lower-case ASCII")
    for key in raw:
        if key not in _BUREAU_KEYS:
            raise refuse(key, f"unknown key {key!r}; known: {', '.join(sorted(_BUREAU_KEYS))}")
    for key in ("name_zh", "name_en", "division", "kind", "source"):
        if not isinstance(raw.get(key), str) or not raw[key]:
            raise refuse(key, f"{key!r} is missing")
    if raw["kind"] not in BUREAU_KINDS:
        raise refuse("kind", f"kind {raw['kind']!r} is none of {', '.join(BUREAU_KINDS)}")
    if not re.fullmatch(r"\d{6}", raw["division"]):
        raise refuse("division", f"division {raw['division']!r} has not 6 digits")
    for key in ("open_stations", "open_issuers"):
        if not isinstance(raw.get(key, False), bool):
            raise refuse(key, f"{key} is true or false")
    for key in ("schemes", "issuers", "aliases"):
        if not isinstance(raw.get(key, []), list):
            raise refuse(key, f"{key} is a list")
    for scheme in raw.get("schemes", []):
        if scheme not in rating_schemes(root):
            raise refuse("schemes", f"scheme {scheme!r} is not in rating_schemes.csv")
    return Bureau(
        bureau=code,
        name_zh=raw["name_zh"],
        name_en=raw["name_en"],
        division=raw["division"],
        kind=raw["kind"],
        open_stations=raw.get("open_stations", False),
        open_issuers=raw.get("open_issuers", False),
        soil_prefix=raw.get("soil_prefix", ""),
        schemes=tuple(raw.get("schemes", ())),
        issuers=tuple(raw.get("issuers", ())),
        aliases=tuple(raw.get("aliases", ())),
        layouts=(),
        source=raw["source"],
    )


def _with_layouts(bureau: Bureau, layouts: tuple[str, ...]) -> Bureau:
    values = {name: getattr(bureau, name) for name in Bureau.__slots__}
    return Bureau(**(values | {"layouts": layouts}))


_STATION_COLUMNS = (
    "station_id",
    "name_zh",
    "medium",
    "kind",
    "longitude",
    "latitude",
    "since",
    "until",
    "aliases",
    "note",
    "source",
)


def stations(bureau: str | None = None, site: Path | None = None, root: Path = SCHEMAS) -> tuple[Station, ...]:
    """Read the stations of one bureau, or of all (to tell a foreign station from an unknown one).

    One code may stand in several rows, each with its dates.
    """
    every = _stations(site, root, stamp(site), stamp(root / "bureaus"))
    return every if bureau is None else tuple(station for station in every if station.bureau == bureau)


@lru_cache(maxsize=16)
def _stations(site: Path | None, root: Path, *_stamps: object) -> tuple[Station, ...]:
    found: dict[tuple[str, str, dt.date | None], Station] = {}
    for folder in (root / "bureaus", site):
        if folder is None or not folder.is_dir():
            continue
        for path in sorted(folder.glob("*/stations.csv")):
            found |= _stations_of(path)
    return tuple(found.values())


def _stations_of(path: Path) -> dict[tuple[str, str, dt.date | None], Station]:
    bureau = path.parent.name
    found: dict[tuple[str, str, dt.date | None], Station] = {}
    for row in read_rows(path, _STATION_COLUMNS):
        since, until = row.period("since", "until")
        longitude, latitude = row.number("longitude"), row.number("latitude")
        if (longitude is None) != (latitude is None):
            raise row.fail("longitude and latitude go together")
        if longitude is not None and not -180 <= longitude <= 180:
            raise row.fail(f"longitude {longitude:g} is not between -180 and 180")
        if latitude is not None and not -90 <= latitude <= 90:
            raise row.fail(f"latitude {latitude:g} is not between -90 and 90")
        station = Station(
            station_id=row.need("station_id"),
            name_zh=row.need("name_zh"),
            medium=row.one_of("medium", MEDIA),
            bureau=bureau,
            kind=row.one_of("kind", STATION_KINDS),
            longitude=longitude,
            latitude=latitude,
            since=since,
            until=until,
            aliases=row.many("aliases"),
            note=row["note"],
            source=row.need("source"),
        )
        for other in found.values():
            same = other.station_id == station.station_id
            if same and _overlap(other, station):
                raise row.fail(f"station {station.station_id!r} stands twice on the same days")
            names = {other.name_zh, *other.aliases} & {station.name_zh, *station.aliases}
            if not same and other.medium == station.medium and names and _overlap(other, station):
                raise row.fail(f"name {min(names)!r} already means {other.station_id!r}")
        found[(bureau, station.station_id, since)] = station
    return found


def _overlap(one: Station, other: Station) -> bool:
    starts = [s.since or dt.date.min for s in (one, other)]
    return max(starts) <= min(s.until or dt.date.max for s in (one, other))
