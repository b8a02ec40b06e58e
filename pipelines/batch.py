"""What travels down the road.

``Upload → RawBatch → StandardBatch → Verdict → Publication``: one object per step, each made once and
not changed afterwards. Text comes as Arrow dictionary columns (each distinct text once), so that a step
works on the distinct texts and its cost does not grow with repetition.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    from schemas.layouts import Layout
    from schemas.loaders import Table


@dataclass(frozen=True, slots=True)
class Places:
    """Where a home keeps what; made by ``portal/settings.py``, an argument everywhere below."""

    home: Path
    database_url: str
    tables: str
    """Folder or ``s3://`` address of the shared tables."""

    @property
    def uploads(self) -> Path:
        """Kept uploads, unchanged, under their hash."""
        return self.home / "uploads"

    @property
    def batches(self) -> Path:
        """Findings, quarantine and the judged frame of each batch."""
        return self.home / "batches"

    @property
    def site_facts(self) -> Path:
        """Facts of this site (layouts, bureaus); they win over the shipped ones."""
        return self.home / "bureaus"

    @property
    def keys(self) -> Path:
        """Signing keys of this home."""
        return self.home / "keys"

    @property
    def docs(self) -> Path:
        """Data Docs of the gate."""
        return self.home / "data-docs"

    @property
    def catalogue(self) -> Path:
        """``datapackage.json`` and the DCAT record."""
        return self.home / "catalogue"


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """What one file may cost (reliability R8, R9)."""

    file_bytes: int = 512 * 2**20
    inflated_bytes: int = 1024 * 2**20
    inflated_ratio: int = 200
    ratio_from_bytes: int = 10 * 2**20
    rows: int = 2_000_000
    columns: int = 512
    line_bytes: int = 2**20
    cells: int = 40_000_000
    zip_entries: int = 1000
    memory_bytes: int = 1024 * 2**20
    seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Normalisation:
    """One kind of change made while reading, with how often it was made."""

    what: str
    """Stable code, e.g. ``full-width``, ``trimmed``, ``trailing-comma``, ``footer-row``."""
    what_zh: str
    count: int
    where: str = ""
    """First places, e.g. ``C5, C9``."""

    def as_json(self) -> dict[str, object]:
        """Give one entry of ``normalised``."""
        return {"what": self.what, "what_zh": self.what_zh, "count": self.count, "where": self.where}


@dataclass(frozen=True, slots=True)
class CellMark:
    """Something about a cell that its text does not say.

    ``kind``: ``error-cell`` (text is ``#N/A`` …), ``formula-blank`` (formula without stored value),
    ``formula`` (a formula that has a stored value), ``external-formula``, ``percent`` (percent number format),
    ``long-number`` (digits lost), ``font-colour`` (text is its ``RRGGBB``); a plain number is not marked.
    """

    row: int
    column: int
    kind: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class BrokenLine:
    """A record whose field count does not fit the file."""

    row: int
    fields: int
    expected: int
    text: str


@dataclass(frozen=True)
class Sheet:
    """One grid of text, as written.

    Attributes
    ----------
    cells : pyarrow.Table, shape (n, width)
        Columns ``c0, c1, …``, each ``dictionary<int32, string>``, never null; an empty cell is ``""``.
        The texts are as written: not trimmed, not folded.
    rows : ndarray of int32, shape (n,)
        The row of each record as Excel numbers it (a quoted line break does not count).
    typed : bool
        The source has cell types (a workbook): a bare number in a date column is an Excel serial.
    """

    name: str | None
    cells: pa.Table
    rows: np.ndarray
    typed: bool = False
    broken: tuple[BrokenLine, ...] = ()
    marks: tuple[CellMark, ...] = ()
    merged: tuple[tuple[int, int, int, int], ...] = ()
    """Merged ranges as (first row, first column, last row, last column), rows as Excel numbers, columns from 0."""


@dataclass(frozen=True)
class RawBatch:
    """A file read into grids of text."""

    file: str
    sha256: str
    kind: str
    """``csv``, ``xlsx``, ``xls``, ``json``, ``cnemc-xml``, ``geojson``, ``cnemc-water-json``, ``hj212``."""
    encoding: str | None
    sheets: tuple[Sheet, ...]
    normalised: tuple[Normalisation, ...] = ()


def letter(position: int) -> str:
    """Name a column as Excel does, counting from 0.

    Examples
    --------
    >>> letter(0), letter(25), letter(26), letter(16383)
    ('A', 'Z', 'AA', 'XFD')
    """
    name = ""
    position += 1
    while position:
        position, rest = divmod(position - 1, 26)
        name = chr(65 + rest) + name
    return name


@dataclass(frozen=True)
class HeaderColumn:
    """One column of the file as the layout understands it."""

    position: int
    letter: str
    header: str
    """As written (two-row headers joined)."""
    field: str | None = None
    """Column of the shared table it feeds."""
    parameter: str | None = None
    averaging_period: str | None = None
    unit_text: str | None = None
    ignored: bool = False


@dataclass(frozen=True)
class Recognised:
    """One sheet as one layout understands it."""

    sheet: Sheet
    layout: Layout
    columns: tuple[HeaderColumn, ...]
    header_row: int
    """Last header row as Excel numbers it; 0 without a header."""
    first: int
    """Position of the first record below the header."""
    joined: Sheet | None = None
    joined_columns: tuple[tuple[str, int], ...] = ()
    answer_column: int | None = None


@dataclass(frozen=True)
class StandardBatch:
    """A batch in the exchange's own words, before judgement.

    Attributes
    ----------
    rows : DataFrame, shape (n, …)
        One row per file row: ``source_row`` (int32), ``sheet``, the identity columns of the table
        (``station_id``, ``period_start`` …) and a ``*_status`` column for each that can fail
        (``""`` is fine; else ``missing``, ``unknown``, ``foreign``, ``unreadable``, ``ambiguous`` …).
    results : DataFrame, shape (m, …)
        One row per result written: ``row`` (position in ``rows``), ``column`` (position in ``columns``),
        ``parameter``, ``averaging_period``, ``value``, ``qualifier``, ``detection_limit``, ``unit``,
        ``result_text``, ``status``. Missing cells are not in it; ``missing`` counts them. For tables of
        records (ratings, penalties) one result per row.
    """

    dataset: str
    table: Table
    layout: Layout
    bureau: str
    rows: pd.DataFrame
    results: pd.DataFrame
    columns: tuple[HeaderColumn, ...]
    missing: int
    normalised: tuple[Normalisation, ...]
    answers: dict[tuple[int, str], str] = field(default_factory=dict)
    """Explanations of the uploader by (source row, column header)."""


FINDING_COLUMNS = (
    "rule",
    "severity",
    "sheet",
    "row",
    "column",
    "header",
    "key",
    "value",
    "expected",
    "message",
    "message_en",
    "clause",
)


@dataclass(frozen=True)
class Verdict:
    """What the judge decided on a batch.

    Attributes
    ----------
    state : str
        ``accepted`` (something or all may be published) or ``refused``.
    positions : ndarray of int64, shape (k,)
        Positions in ``batch.results`` of exactly the results that may go out; ``validate.shapes.publishable`` gives
        them the shape of the table contract.
    flag : ndarray of int8, shape (k,)
        Their QARTOD flags.
    quarantined : DataFrame
        The results that may not, with what was written and the codes of the rules that stopped them.
    findings : DataFrame
        Columns ``FINDING_COLUMNS``, most severe first.
    measure : object
        The measured features, for the gate.
    exempt : dict of str to ndarray
        Where a rule fails but is waived: positions (in rows or results, as the rule looks) by rule code.
    """

    state: str
    batch: StandardBatch
    positions: np.ndarray
    flag: np.ndarray
    quarantined: pd.DataFrame
    findings: pd.DataFrame
    row_counts: dict[str, int]
    result_counts: dict[str, int]
    waived: int
    measure: Any
    exempt: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TableChange:
    """What one publication did to one shared table."""

    table: str
    version: int
    added: int
    corrected: int
    unchanged: int

    def as_json(self) -> dict[str, object]:
        """Give one entry of ``tables``."""
        return {
            "table": self.table,
            "version": self.version,
            "added": self.added,
            "corrected": self.corrected,
            "unchanged": self.unchanged,
        }


@dataclass(frozen=True, slots=True)
class Publication:
    """A batch that went out."""

    batch_id: str
    recorded_at: datetime
    tables: tuple[TableChange, ...]


ROW_COUNTS = ("read", "clean", "partial", "refused", "repeated")
RESULT_COUNTS = ("read", "published", "quarantined", "repeated", "missing", "censored", "flagged")


@dataclass
class Outcome:
    """What the caller is told about one file; ``as_json`` is the object of design §10."""

    file: str
    sha256: str | None = None
    bureau: str | None = None
    dataset: str | None = None
    layout: str | None = None
    encoding: str | None = None
    state: str = "refused"
    batch_id: str | None = None
    receipt: str | None = None
    rules: str | None = None
    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ROW_COUNTS, 0))
    results: dict[str, int] = field(default_factory=lambda: dict.fromkeys(RESULT_COUNTS, 0))
    tables: list[dict[str, Any]] = field(default_factory=list)
    findings: list[dict[str, Any]] = field(default_factory=list)
    findings_total: int = 0
    normalised: list[dict[str, Any]] = field(default_factory=list)
    error: dict[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """Give the JSON object of ``check`` and ``submit``."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}
