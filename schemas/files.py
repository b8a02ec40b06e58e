"""Reading of fact files: strict CSV and TOML, and the one folding of text.

A fact that cannot be right stops the start, with its file and line. A text is folded alike wherever the exchange
compares texts: full-width forms become ASCII, invisible characters go, the ends are trimmed. This is not NFKC, which
makes 10³ into 103.
"""

from __future__ import annotations

import csv
import datetime as dt
import inspect
import re
import tomllib
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

SCHEMAS = Path(__file__).parent

_P = ParamSpec("_P")
_T = TypeVar("_T")


def once(load: Callable[_P, _T]) -> Callable[_P, _T]:
    """Load once for each set of arguments, whether a default was written out or not."""
    signature = inspect.signature(load)
    loaded: dict[object, Any] = {}

    @wraps(load)
    def from_memory(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        call = (args, tuple(kwargs.items()))
        if call not in loaded:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            full = tuple(bound.arguments.items())
            if full not in loaded:
                loaded[full] = load(*args, **kwargs)
            loaded[call] = loaded[full]
        found: _T = loaded[call]
        return found

    return from_memory


# Unicode 15 general category Cf: zero-width, bidirectional and other invisible controls.
_INVISIBLE = (
    (0xAD, 0xAD),
    (0x600, 0x605),
    (0x61C, 0x61C),
    (0x6DD, 0x6DD),
    (0x70F, 0x70F),
    (0x890, 0x891),
    (0x8E2, 0x8E2),
    (0x180E, 0x180E),
    (0x200B, 0x200F),
    (0x202A, 0x202E),
    (0x2060, 0x2064),
    (0x2066, 0x206F),
    (0xFEFF, 0xFEFF),
    (0xFFF9, 0xFFFB),
    (0x110BD, 0x110BD),
    (0x110CD, 0x110CD),
    (0x13430, 0x1343F),
    (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A),
    (0xE0001, 0xE0001),
    (0xE0020, 0xE007F),
)
_BLANKS = (0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000)
_FOLD: dict[int, str | None] = {
    **{code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)},
    **dict.fromkeys(_BLANKS, " "),
    **{code: None for first, last in _INVISIBLE for code in range(first, last + 1)},
}


class MalformedFact(ValueError):
    """A fact file says something that cannot be; message ``file:line: reason``."""

    def __init__(self, file: Path | str, line: int, reason: str) -> None:
        self.file = Path(file)
        self.line = line
        self.reason = reason
        super().__init__(f"{self.file}:{line}: {reason}")


def fold(text: str) -> str:
    """Fold one text: full-width to ASCII, invisible characters out, blanks to space, ends trimmed.

    Examples
    --------
    >>> fold("　ＰＭ２.５（μg/m³）")
    'PM2.5(μg/m³)'
    """
    return (text if text.isascii() else text.translate(_FOLD)).strip()


def read_text(path: Path) -> str:
    """Read a fact file as strict UTF-8 (a leading byte order mark is allowed)."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MalformedFact(path, 0, f"cannot be read: {error.strerror}") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedFact(path, data[: error.start].count(b"\n") + 1, "not UTF-8") from error


def read_csv(path: Path, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> list[tuple[int, dict[str, str]]]:
    """Read a CSV of facts as text.

    Parameters
    ----------
    path : Path
        File with a header row, RFC 4180.
    required, optional : tuple of str
        Columns that must, and that may, be there; every other column is refused.

    Returns
    -------
    list of (line, row)
        Line of the file where the row starts, and its cells as written (trimmed) by column name. An absent
        optional column reads as ``""``.

    Raises
    ------
    MalformedFact
        Not UTF-8, a column missing, unknown or twice, or a row with another number of fields.
    """
    reader = csv.reader(read_text(path).splitlines(keepends=True), strict=True)
    rows: list[tuple[int, dict[str, str]]] = []
    header: list[str] | None = None
    start = 1
    try:
        for cells in reader:
            line, start = start, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if header is None:
                header = _checked_header(path, line, cells, required, optional)
                continue
            if len(cells) != len(header):
                raise MalformedFact(path, line, f"{len(cells)} fields, the header has {len(header)}")
            row = dict.fromkeys(optional, "")
            row.update(zip(header, (cell.strip() for cell in cells), strict=True))
            rows.append((line, row))
    except csv.Error as error:
        raise MalformedFact(path, start, f"not CSV: {error}") from error
    if header is None:
        raise MalformedFact(path, 1, "empty: no header row")
    return rows


def _checked_header(
    path: Path, line: int, cells: list[str], required: tuple[str, ...], optional: tuple[str, ...]
) -> list[str]:
    header = [cell.strip() for cell in cells]
    for name in header:
        if header.count(name) > 1:
            raise MalformedFact(path, line, f"column {name!r} stands twice")
        if name not in required and name not in optional:
            raise MalformedFact(path, line, f"unknown column {name!r}; known: {', '.join(required + optional)}")
    for name in required:
        if name not in header:
            raise MalformedFact(path, line, f"column {name!r} is missing; present: {', '.join(header)}")
    return header


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file of facts; a syntax error becomes :class:`MalformedFact` with its line."""
    text = read_text(path)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"at line (\d+)", str(error))
        raise MalformedFact(path, int(at[1]) if at else text.count("\n") + 1, f"not TOML: {error}") from error


def line_of(path: Path, *keys: str) -> int:
    """Find the line of a key of a TOML file, for messages; 1 where it cannot be found.

    Parameters
    ----------
    path : Path
        The TOML file.
    *keys : str
        Names from the outside in: ``line_of(path, "columns", "period_start")``. A table header, a key, or a name
        within an inline table or an array is looked for, each from the line of the one before.
    """
    lines = read_text(path).splitlines()
    at = 0
    for key in keys:
        name = rf"[\"']?{re.escape(key)}[\"']?"
        patterns = (rf"^\s*\[\[?\s*(?:.*\.)?{name}\s*\]\]?", rf"^\s*{name}\s*[=.]", rf"(?<!\w){re.escape(key)}(?!\w)")
        for pattern in patterns:
            found = next((n for n in range(at, len(lines)) if re.search(pattern, lines[n])), None)
            if found is not None:
                at = found
                break
    return at + 1 if lines else 1


class Row:
    """One row of a CSV of facts, with casts that refuse and name the place."""

    __slots__ = ("cells", "file", "line")

    def __init__(self, file: Path, line: int, cells: dict[str, str]) -> None:
        self.file = file
        self.line = line
        self.cells = cells

    def __getitem__(self, name: str) -> str:
        return self.cells[name]

    def fail(self, reason: str) -> MalformedFact:
        """Make the error of this row."""
        return MalformedFact(self.file, self.line, reason)

    def need(self, name: str) -> str:
        """Give a cell that must not be blank."""
        if not self.cells[name]:
            raise self.fail(f"{name} is missing")
        return self.cells[name]

    def one_of(self, name: str, allowed: tuple[str, ...]) -> str:
        """Give a cell of a closed list."""
        if self.cells[name] not in allowed:
            raise self.fail(f"{name} {self.cells[name]!r} is not one of {', '.join(map(repr, allowed))}")
        return self.cells[name]

    def many(self, name: str) -> tuple[str, ...]:
        """Give the parts of a ``|`` list; blank is none."""
        parts = tuple(part.strip() for part in self.cells[name].split("|")) if self.cells[name] else ()
        if "" in parts:
            raise self.fail(f"{name} has an empty part: {self.cells[name]!r}")
        return parts

    def number(self, name: str) -> float | None:
        """Give a number, ``None`` where blank."""
        text = self.cells[name]
        return self._number(name, text) if text else None

    def _number(self, name: str, text: str) -> float:
        if not re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", text):
            raise self.fail(f"{name} {text!r} is not a number")
        return float(text)

    def factors(self, name: str) -> dict[str, float]:
        """Give a ``|`` list of ``name=number``."""
        found: dict[str, float] = {}
        for part in self.many(name):
            key, equals, value = part.rpartition("=")
            if not equals or not key.strip():
                raise self.fail(f"{name}: {part!r} is not of the form unit=factor")
            if key.strip() in found:
                raise self.fail(f"{name}: {key.strip()!r} stands twice")
            found[key.strip()] = self._number(name, value.strip())
        return found

    def date(self, name: str) -> dt.date | None:
        """Give a date ``YYYY-MM-DD``, ``None`` where blank."""
        text = self.cells[name]
        if not text:
            return None
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            try:
                return dt.date.fromisoformat(text)
            except ValueError:
                pass
        raise self.fail(f"{name} {text!r} is not a date YYYY-MM-DD")

    def period(self, since: str, until: str) -> tuple[dt.date | None, dt.date | None]:
        """Give two dates, the first not after the second."""
        first, last = self.date(since), self.date(until)
        if first and last and first > last:
            raise self.fail(f"{since} {first} is after {until} {last}")
        return first, last

    def span(self, low: str, high: str) -> tuple[float | None, float | None]:
        """Give two numbers, the first not above the second."""
        first, last = self.number(low), self.number(high)
        if first is not None and last is not None and first > last:
            raise self.fail(f"{low} {first:g} is above {high} {last:g}")
        return first, last

    def yes(self, name: str) -> bool:
        """Give ``yes`` or ``no`` (blank is no)."""
        return self.one_of(name, ("", "no", "yes")) == "yes"


def read_rows(path: Path, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> list[Row]:
    """Read a CSV of facts as :class:`Row`; see :func:`read_csv`."""
    return [Row(path, line, cells) for line, cells in read_csv(path, required, optional)]


def layout_files(folder: Path) -> list[Path]:
    """Give the layouts of a folder of facts: every TOML but the bureau's own, its sources and ``_…``."""
    others = ("bureau.toml", "sources.toml")
    return sorted(p for p in folder.glob("*.toml") if p.name not in others and not p.name.startswith("_"))
