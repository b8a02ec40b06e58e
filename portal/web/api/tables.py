"""What is shared: the catalogue, the tables with their dictionary, their rows and what changed in them.

Rows come in the order of the contract. The pages of one list are of one version of the table, whatever is published
meanwhile: the place to go on from names it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
from starlette.responses import Response

from pipelines.errors import PublishError
from pipelines.publish.changes import changes as changed_rows
from pipelines.publish.reading import moment, rows_of
from portal.exports import (
    MEDIA,
    Desk,
    ExportNote,
    RowFilter,
    choose,
    etag_of,
    package,
    shelf,
    table_of,
    take_rows,
    version_of,
    write_rows,
)
from portal.exports.handing_out import log_answer, note_lines
from portal.exports.shelf import Shelved
from portal.web.api.answering import JSON, busy, kept_by, marked, offered, unchanged, written
from portal.web.api.questions import cursor, day, form, number, onward, text, wrong
from portal.web.api.shapes import (
    CURSOR,
    DAY,
    ETAG,
    MAYBE_TEXT,
    MAYBE_WHOLE,
    NEXT,
    OPEN,
    TEXT,
    WHOLE,
    YES,
    limit,
    many,
    one_of,
    thing,
    words,
)
from portal.web.asking import ApiDoc, Ask
from portal.web.errors import Problem
from schemas.api_rules import api_rules
from schemas.contracts import Table
from schemas.contracts import tables as contracts

T = TypeVar("T")
PAGES = api_rules().pages
TYPES = {name: MEDIA[name] for name in ("json", "csv", "arrow", "parquet")}
"""Formats of rows, the first one where nothing is asked for."""
MOST_NAMES = 50
EARLIEST, LATEST = 1970, 9000
WAIT = 20.0
"""Seconds a question waits for its turn."""


def catalogue(ask: Ask) -> Response:
    """Give the catalogue as a Data Package: every table with its fields, senders and terms."""
    return marked(ask, package(ask.site.places))


def tables(ask: Ask) -> Response:
    """List the shared tables as they stand."""
    return marked(ask, {"tables": [_state(one) for one in shelf(ask.site.places).values()]})


def table(ask: Ask) -> Response:
    """Give one table: how it stands, and its dictionary."""
    found = table_of(ask.path["table"])
    columns = [
        {
            "name": one.name, "type": one.type, "unit": one.unit, "nullable": one.nullable, "title_zh": one.title_zh,
            "title_en": one.title_en, "meaning_zh": one.meaning_zh, "meaning_en": one.meaning_en,
        }
        for one in found.columns
    ]  # fmt: skip
    more = {"key": found.key, "partition": found.partition, "source": found.source, "columns": columns}
    return marked(ask, _state(shelf(ask.site.places)[found.table]) | more)


def rows(ask: Ask) -> Response:
    """Give rows of a table, filtered, as on record at a time, a page at a time."""
    found, kind = table_of(ask.path["table"]), form(ask, TYPES)
    wanted, columns, as_of = _filter(ask), _names(ask, "columns"), _as_of(ask)
    most = number(ask, "limit", PAGES.rows, PAGES.most_rows)
    version, start = _place(ask, found)
    if found.names and columns and not set(columns) <= set(found.names):
        raise wrong(
            "columns", f"数据表 {found.table} 的列：{'、'.join(found.names)}", f"columns: {', '.join(found.names)}"
        )
    mark = "W/" + etag_of(ask.site.places, found.table, version, start, most, kind, wanted, columns, as_of)
    known = unchanged(ask, mark)
    if known is not None:
        return known
    choice = choose(ask.site.places, found.table, wanted, columns, as_of, version)
    export, part = _asked(ask, lambda: take_rows(_desk(ask), ask.me, choice, kind, most, start))
    more = onward(ask, -1 if version is None else version, start + most) if part.num_rows == most else None
    return _given(ask, part, kind, mark, more, {"table": found.table, "version": version, "export": export})


def changes(ask: Ask) -> Response:
    """Give what publications after a version added, corrected and withdrew."""
    found, kind = table_of(ask.path["table"]), form(ask, TYPES)
    since = number(ask, "since", -1, 2**31, least=0)
    most = number(ask, "limit", PAGES.rows, PAGES.most_rows)
    (start,) = cursor(ask, int) or (0,)
    newest = version_of(ask.site.places, found.table)
    mark = "W/" + etag_of(ask.site.places, found.table, "changes", since, start, most, kind)
    known = unchanged(ask, mark)
    if known is not None:
        return known
    first = max(start, 0)
    found_rows = _asked(ask, lambda: changed_rows(found, ask.site.places.tables, since, limit=most + 1, offset=first))
    part = found_rows.slice(0, most)
    asked = f"changes of {found.table} since {since}, from {start}"
    export = log_answer(_desk(ask), ask.me, asked, "", kind, part.num_rows)
    more = onward(ask, first + most) if found_rows.num_rows > most else None
    return _given(ask, part, kind, mark, more, {"table": found.table, "version": newest, "export": export})


def _desk(ask: Ask) -> Desk:
    return Desk(ask.site.places, ask.site.records, ask.site.clock)


# -- what is asked ------------------------------------------------------------------------------------------------


def _filter(ask: Ask) -> RowFilter:
    return RowFilter(
        bureaus=_names(ask, "bureau"), places=_names(ask, "place"), parameters=_names(ask, "parameter"),
        subjects=_names(ask, "uscc"), since=day(ask, "since"), until=day(ask, "until"),
    )  # fmt: skip


def _names(ask: Ask, name: str) -> tuple[str, ...]:
    """Read a list with commas."""
    said = tuple(part.strip() for part in text(ask, name, most=2000).split(",") if part.strip())
    if len(said) > MOST_NAMES:
        raise wrong(name, f"最多 {MOST_NAMES} 项。请减少", f"at most {MOST_NAMES} of them")
    return said


def _as_of(ask: Ask) -> datetime | None:
    said = text(ask, "as_of", most=40)
    if not said:
        return None
    try:
        at = moment(said)
    except PublishError:
        at = None
    if at is None or not EARLIEST <= at.year <= LATEST:
        raise wrong(
            "as_of",
            "不是时间。请写成 2026-04-14 或 2026-04-14T12:00",
            "is no time; write 2026-04-14 or 2026-04-14T12:00",
        )
    return at


def _place(ask: Ask, found: Table) -> tuple[int | None, int]:
    """Give version and place to go on from; on the first page the newest version is pinned."""
    newest = version_of(ask.site.places, found.table)
    version, start = cursor(ask, int, int) or (newest, 0)
    if version is not None and version > (newest if newest is not None else -1):
        raise wrong(
            "cursor",
            "不是本接口给出的。请沿用上一页的 next",
            "was not given out here; follow 'next' of the page before",
        )
    return (None if version == -1 else version), max(start, 0)


def _asked(ask: Ask, question: Callable[[], T]) -> T:
    """Ask the tables, few at a time; say which of its faults is the caller's."""
    if not ask.site.heavy.acquire(timeout=WAIT):
        raise busy()
    try:
        return question()
    except PublishError as error:
        if error.code in ("unknown-column", "unknown-filter"):
            raise Problem(422, error.code, error.message, error.message_en) from error
        if ask.query.get("cursor"):  # data files of an old version are removed after a while
            raise Problem(
                422, "stale-cursor", "cursor：该版本的数据已清理。请从第一页重新取",
                "cursor: the files of that version are gone; begin with the first page again",
            ) from error  # fmt: skip
        raise
    finally:
        ask.site.heavy.release()


# -- what is given ------------------------------------------------------------------------------------------------


def _given(ask: Ask, part: pa.Table, kind: str, mark: str, more: str | None, about: dict[str, Any]) -> Response:
    """Give rows in a format; who took them, and under which terms, travels inside a file."""
    headers = kept_by(mark) | ({"link": f'<{more}>; rel="next"'} if more else {})
    if kind == "json":
        return Response(written(about | {"rows": list(rows_of(part)), "next": more}), 200, headers, JSON)
    headers["content-disposition"] = f'attachment; filename="{about["table"]}.{kind}"'
    lines = note_lines(_desk(ask), ask.me, about["export"], part.num_rows)
    return Response(packed(part, kind, ExportNote(about["export"], tuple(lines))), 200, headers, TYPES[kind])


def packed(part: pa.Table, kind: str, note: ExportNote) -> bytes:
    """Write rows as a file of a format."""
    with tempfile.TemporaryDirectory(prefix="gongzhi-rows-") as scratch:
        path = Path(scratch) / "rows"
        write_rows(part.to_batches(), part.schema, kind, path, note)
        return path.read_bytes()


def _state(one: Shelved) -> dict[str, Any]:
    """Tell how a table stands, who has rows in it, and what is to be known of it."""
    plain = {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in one.status.items()}
    notes = [{"zh": note.zh, "en": note.en} for note in one.notes]
    return plain | {"senders": [code for code, _ in one.senders], "notes": notes}


FILES: dict[str, Any] = {kind: {"type": "string", "format": "binary"} for name, kind in TYPES.items() if name != "json"}
STATE = {
    "table": TEXT, "title_zh": TEXT, "title_en": TEXT, "version": MAYBE_WHOLE, "files": WHOLE, "rows": WHOLE,
    "rows_history": WHOLE, "bytes": WHOLE, "last_batch": MAYBE_TEXT, "recorded_at": MAYBE_TEXT, "since": MAYBE_TEXT,
    "until": MAYBE_TEXT, "senders": many(TEXT), "notes": many(thing(zh=TEXT, en=TEXT)),
}  # fmt: skip
COLUMN = thing(
    name=TEXT, type=TEXT, unit=MAYBE_TEXT, nullable=YES, title_zh=TEXT, title_en=TEXT, meaning_zh=TEXT, meaning_en=TEXT
)
TABLE = {"table": one_of(contracts())}
FORMAT = one_of(TYPES, "goes before Accept; CSV is UTF-8 with BOM and made safe for spreadsheets")
ROWS = thing(table=TEXT, version=MAYBE_WHOLE, export=TEXT, rows=many(OPEN), next=NEXT)
LINK = {"Link": words('<…>; rel="next": the next page, where there is one')}


def _list(says: str) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "string"}, "maxItems": MOST_NAMES, "description": says}


ROUTES = (
    offered(
        "GET", "/catalogue", "catalogue.read", catalogue,
        ApiDoc(
            "All shared tables as a Data Package (Frictionless v1), with fields, versions and senders",
            answers={JSON: thing(profile=TEXT, name=TEXT, title=TEXT, resources=many(OPEN))},
            headers=ETAG,
        ),
    ),
    offered(
        "GET", "/tables", "catalogue.read", tables,
        ApiDoc("The shared tables as they stand", answers={JSON: thing(tables=many(thing(**STATE)))}, headers=ETAG),
    ),
    offered(
        "GET", "/tables/{table}", "catalogue.read", table,
        ApiDoc(
            "One table: how it stands, and its dictionary in both languages",
            path=TABLE,
            answers={
                JSON: thing(**STATE, key=many(TEXT), partition=MAYBE_TEXT, source=TEXT, columns=many(COLUMN))
            },
            headers=ETAG,
        ),
    ),
    offered(
        "GET", "/tables/{table}/rows", "catalogue.download", rows,
        ApiDoc(
            "Rows of a table, in the order of its contract; all pages of a list are of one version",
            path=TABLE,
            query={
                "columns": _list("these columns only"), "bureau": _list("whose rows"),
                "place": _list("stations, sections or points"), "parameter": _list("codes of parameters"),
                "uscc": _list("enterprises"), "since": words("first day", DAY), "until": words("last day", DAY),
                "as_of": words("as on record then: 2026-04-14 or 2026-04-14T12:00; now"),
                "limit": limit(PAGES.rows, PAGES.most_rows), "cursor": CURSOR, "format": FORMAT,
            },
            answers={JSON: ROWS, **FILES},
            headers={**ETAG, **LINK},
        ),
        group="heavy",
    ),
    offered(
        "GET", "/tables/{table}/changes", "catalogue.download", changes,
        ApiDoc(
            "What publications after a version added, corrected and withdrew; `version` is where to go on from next time",
            path=TABLE,
            query={
                "since": {"type": "integer", "minimum": 0, "maximum": 2**31, "description": "a version; from the first"},
                "limit": limit(PAGES.rows, PAGES.most_rows), "cursor": CURSOR, "format": FORMAT,
            },
            answers={JSON: ROWS, **FILES},
            headers={**ETAG, **LINK},
        ),
        group="heavy",
    ),
)  # fmt: skip
