"""Layouts: one TOML per file format, read into a :class:`Layout`.

Public layouts (the exchange templates and the public feeds) lie in ``schemas/layouts/``, those of one
bureau in ``schemas/bureaus/<bureau>/``, those of a site in its home under ``bureaus/<bureau>/``; the nearer one wins.
``docs/add-a-layout.md`` describes the keys.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from schemas.files import SCHEMAS, MalformedFact, layout_files, line_of, read_toml
from schemas.loaders import find_unit, parameters

DATASETS = ("air", "water", "soil", "credit", "penalty", "experts")
MEDIA = {"air": "air", "water": "water", "soil": "soil"}

_KEYS = {
    "title",
    "title_en",
    "dataset",
    "table",
    "source",
    "edition",
    "recognise",
    "ignore",
    "missing",
    "reader",
    "time",
    "fixed",
    "columns",
    "optional",
    "results",
    "long",
    "further",
    "swap",
    "judge",
    "join",
    "codes",
    "colours",
    "personal",
    "scheme",
    "senders",
    "required",
}


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """One parameter of a wide sheet."""

    parameter: str
    column: str
    unit: str | None
    period: str | None
    part: int | None = None
    """Which part of a range ``low~high`` is meant; none: the cell is one number."""
    missing: tuple[str, ...] = ()
    """Missing markers of this column alone."""


@dataclass(frozen=True, slots=True)
class LongColumns:
    """The columns of a sheet that has one result per row."""

    parameter: str
    value: str
    unit: str | None
    coding: str
    kind: str | None = None
    mark: str | None = None


@dataclass(frozen=True, slots=True)
class TimeColumn:
    """How the stamps of a layout are read."""

    columns: tuple[str, ...]
    formats: tuple[str, ...]
    stamp: str
    period: str
    hour24: bool
    year: str | None


@dataclass(frozen=True, slots=True)
class Swap:
    """Two columns the publisher is known to exchange, between two dates (both included)."""

    columns: tuple[str, str]
    since: dt.date
    until: dt.date
    source: str


@dataclass(frozen=True, slots=True)
class Join:
    """A second sheet that carries facts on the same records."""

    sheet: str
    on: str
    columns: dict[str, str]
    side_table: str | None
    """Header of a side table at the right that is no data; columns from its second standing on are left out."""


@dataclass(frozen=True, slots=True)
class Layout:
    """One file format."""

    layout: str
    bureau: str | None
    title: str
    title_en: str
    dataset: str
    table: str
    source: str
    edition: str | None
    recognise: tuple[str, ...]
    ignore: tuple[str, ...]
    missing: tuple[str, ...]
    kinds: tuple[str, ...]
    header: str
    names: tuple[str, ...]
    shape: tuple[str, ...]
    sheets: tuple[str, ...]
    ignore_sheets: tuple[str, ...]
    recognise_values: dict[str, tuple[str, ...]]
    """At least one row must hold one of these texts in this column."""
    time: TimeColumn | None
    fixed: dict[str, Any]
    columns: dict[str, str]
    optional: dict[str, str]
    results: tuple[ResultColumn, ...]
    long: LongColumns | None
    further: bool
    swaps: tuple[Swap, ...]
    join: Join | None
    codes: dict[str, dict[str, str]]
    colours: dict[str, str]
    """What the sender says by the colour of a cell's font: ``RRGGBB`` → mark of the result."""
    all_or_nothing: bool
    required: tuple[str, ...]
    personal: tuple[str, ...]
    senders: tuple[str, ...]
    path: Path

    @property
    def medium(self) -> str | None:
        """Medium whose aliases name the parameters; none for records."""
        return MEDIA.get(self.dataset)


def read_layout(path: Path, bureau: str | None = None) -> Layout:
    """Read one layout and refuse what does not fit.

    Raises
    ------
    MalformedFact
        A key is unknown, missing or of the wrong kind, or names a parameter or unit nobody knows.
    """
    raw = read_toml(path)

    def refuse(key: str, reason: str) -> MalformedFact:
        return MalformedFact(path, line_of(path, key), reason)

    for key in raw:
        if key not in _KEYS:
            raise refuse(key, f"unknown key {key!r}; known: {', '.join(sorted(_KEYS))}")
    for key in ("title", "dataset", "table", "source", "reader"):
        if not raw.get(key):
            raise refuse(key, f"{key!r} is missing")
    if raw["dataset"] not in DATASETS:
        raise refuse("dataset", f"dataset {raw['dataset']!r} is none of {', '.join(DATASETS)}")
    reader = raw["reader"]
    header = reader.get("header", "found")
    if header not in ("found", "none"):
        raise refuse("header", f"header is 'found' or 'none', not {header!r}")
    if header == "found" and not raw.get("recognise"):
        raise refuse("recognise", "'recognise' must list the headers that tell this layout")
    if header == "none" and len(reader.get("shape", ())) != len(reader.get("columns", ())):
        raise refuse("shape", "without a header 'columns' and 'shape' must be of one length")
    time = None
    if "time" in raw:
        t = raw["time"]
        time = TimeColumn(
            columns=tuple(t.get("columns", [t["column"]] if "column" in t else [])),
            formats=tuple(t.get("formats", ())),
            stamp=t.get("stamp", "begin"),
            period=t.get("period", ""),
            hour24=bool(t.get("hour24", False)),
            year=t.get("year"),
        )
        if time.stamp not in ("begin", "end"):
            raise refuse("stamp", f"stamp is 'begin' or 'end', not {time.stamp!r}")
        if not time.columns and raw["dataset"] in MEDIA and "sample_date" not in raw.get("fixed", {}):
            raise refuse("time", "'column' or 'columns' is missing under [time]")
    elif raw["dataset"] in MEDIA:
        raise refuse("time", "a monitoring layout needs [time]")
    known = parameters()
    results = []
    for name, spec in raw.get("results", {}).items():
        if name not in known:
            raise refuse(name, f"parameter {name!r} is not in vocabularies/parameters.csv")
        if spec.get("unit") is not None and find_unit(spec["unit"]) is None:
            raise refuse(name, f"unit {spec['unit']!r} is not in vocabularies/units.csv")
        results.append(
            ResultColumn(
                name,
                spec["column"],
                spec.get("unit"),
                spec.get("period"),
                spec.get("part"),
                tuple(spec.get("missing", ())),
            )
        )
    long = None
    if "long" in raw:
        spec = raw["long"]
        long = LongColumns(
            spec["parameter"],
            spec["value"],
            spec.get("unit"),
            spec.get("coding", "name"),
            spec.get("kind"),
            spec.get("mark"),
        )
    if raw["dataset"] in MEDIA and not results and long is None:
        raise refuse("results", "a monitoring layout needs [results] or [long]")
    swaps = tuple(
        Swap((s["columns"][0], s["columns"][1]), s["since"], s["until"], s["source"]) for s in raw.get("swap", ())
    )
    join = None
    if "join" in raw:
        j = raw["join"]
        join = Join(j["sheet"], j["on"], dict(j["columns"]), j.get("side_table"))
    return Layout(
        layout=path.stem,
        bureau=bureau,
        title=raw["title"],
        title_en=raw.get("title_en", raw["title"]),
        dataset=raw["dataset"],
        table=raw["table"],
        source=raw["source"],
        edition=raw.get("edition"),
        recognise=tuple(raw.get("recognise", ())),
        ignore=tuple(raw.get("ignore", ())),
        missing=tuple(raw.get("missing", ("",))),
        kinds=tuple(reader.get("kinds", ("csv", "xlsx", "xls", "json"))),
        header=header,
        names=tuple(reader.get("columns", ())),
        shape=tuple(reader.get("shape", ())),
        sheets=tuple(reader.get("sheets", ())),
        ignore_sheets=tuple(reader.get("ignore_sheets", ())),
        recognise_values={name: tuple(v) for name, v in reader.get("recognise_values", {}).items()},
        time=time,
        fixed=dict(raw.get("fixed", {})),
        columns=dict(raw.get("columns", {})),
        optional=dict(raw.get("optional", {})),
        results=tuple(results),
        long=long,
        further=bool(raw.get("further", {}).get("results", False)),
        swaps=swaps,
        join=join,
        codes={name: dict(codes) for name, codes in raw.get("codes", {}).items()},
        colours={colour.upper(): mark for colour, mark in raw.get("colours", {}).items()},
        all_or_nothing=bool(raw.get("judge", {}).get("all_or_nothing", False)),
        required=tuple(raw.get("required", ())),
        personal=tuple(raw.get("personal", ())),
        senders=tuple(raw.get("senders", ())),
        path=path,
    )


def layout_names(bureau: str, site: Path | None, root: Path = SCHEMAS) -> set[str]:
    """Name the layouts a bureau may send, without reading them."""
    folders = [root / "layouts", root / "bureaus" / bureau, *([site / bureau] if site is not None else [])]
    return {path.stem for folder in folders for path in layout_files(folder)}


def layouts(bureau: str | None = None, site: Path | None = None) -> tuple[Layout, ...]:
    """Give the layouts a bureau may send, the nearest first: of the site, of the bureau, public.

    Those of the site are read anew when one was saved, so that services that run on see it.
    """
    own = layout_files(site / bureau) if bureau and site is not None else ()
    mark = tuple((path.name, (told := path.stat()).st_mtime_ns, told.st_size) for path in own)
    return _layouts(bureau, site, mark)


@lru_cache(maxsize=16)
def _layouts(bureau: str | None, site: Path | None, mark: tuple[object, ...]) -> tuple[Layout, ...]:
    folders: list[tuple[Path, str | None]] = []
    if bureau and site is not None:
        folders.append((site / bureau, bureau))
    if bureau:
        folders.append((SCHEMAS / "bureaus" / bureau, bureau))
    folders.append((SCHEMAS / "layouts", None))
    found: dict[str, Layout] = {}
    for folder, owner in folders:
        for path in layout_files(folder):
            if path.stem not in found:
                layout = read_layout(path, owner)
                if bureau is None or not layout.senders or bureau in layout.senders:
                    found[path.stem] = layout
    return tuple(found.values())


@dataclass(frozen=True, slots=True)
class Habits:
    """Words every sheet may hold, whatever its layout (``schemas/layouts/_habits.toml``)."""

    footers: tuple[str, ...]
    error_column: str
    answer_column: str
    side_sheets: tuple[str, ...]
    header_rows: int
    edition_words: tuple[str, ...]
    unreadable_hints: dict[str, str]


@lru_cache(maxsize=1)
def habits() -> Habits:
    """Read the words every sheet may hold."""
    raw = read_toml(SCHEMAS / "layouts" / "_habits.toml")
    return Habits(
        footers=tuple(raw["footers"]),
        error_column=raw["error_column"],
        answer_column=raw["answer_column"],
        side_sheets=tuple(raw["side_sheets"]),
        header_rows=raw["header_rows"],
        edition_words=tuple(raw["edition_words"]),
        unreadable_hints=dict(raw.get("unreadable_hints", {})),
    )
