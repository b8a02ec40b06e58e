"""Stamps to instants: explicit formats, never a guess.

China Standard Time is +08:00, fixed (Asia/Shanghai has had summer time and local mean time, which no bureau meant).
Instants are int64 microseconds since 1970-01-01 UTC; ``NOT_A_TIME`` where there is none.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.files import fold

CST = dt.timezone(dt.timedelta(hours=8))
CST_MICROS = 8 * 3600 * 1_000_000
DAY = 86_400_000_000
NOT_A_TIME = np.iinfo(np.int64).min
PERIODS = {"1h": 3_600_000_000, "8h": 8 * 3_600_000_000, "24h": DAY}
"""Averaging periods of a fixed length."""

_ISO_FAST = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2})?$"
_ZONE = re.compile(r"^(?P<stamp>.+?)\s*(?P<zone>Z|[+-]\d{2}:?\d{2})$")
_AMBIGUOUS = re.compile(r"^\d{1,2}[/.\-年]\d{1,2}[/.\-月]\d{1,4}\b")
_SERIAL = re.compile(r"^\d{5}(\.\d+)?$")
_PARTS = {
    "%Y": r"(?P<Y>\d{4})",
    "%m": r"(?P<m>\d{1,2})",
    "%d": r"(?P<d>\d{1,2})",
    "%H": r"(?P<H>\d{1,2})",
    "%M": r"(?P<M>\d{1,2})",
    "%S": r"(?P<S>\d{1,2})",
    "%f": r"(?P<f>\d{1,6})",
}
_TIGHT = {
    "%m": r"(?P<m>\d{2})",
    "%d": r"(?P<d>\d{2})",
    "%H": r"(?P<H>\d{2})",
    "%M": r"(?P<M>\d{2})",
    "%S": r"(?P<S>\d{2})",
}


@dataclass(frozen=True)
class ReadTimes:
    """Times of distinct texts.

    ``micros``: int64; ``status``: ``""``, ``missing``, ``unreadable``, ``ambiguous``, ``impossible``; ``notes``: kind
    of reading that a report names (``hour24``, ``excel-serial``, ``zone``, ``year-added``) or ``""``.
    """

    micros: np.ndarray
    status: np.ndarray
    notes: np.ndarray


def _pattern(form: str) -> re.Pattern[str]:
    """Compile one explicit format; digits need not be padded where a separator stands between them."""
    tight = "%Y%m" in form
    text = re.escape(form.replace(" ", "\x00")).replace("\x00", r"\s+")
    for mark, group in _PARTS.items():
        text = text.replace(mark, _TIGHT.get(mark, group) if tight else group)
    return re.compile(rf"^{text}$")


def read_times(
    texts: list[str], formats: tuple[str, ...], *, typed: bool, hour24: bool, reference: dt.date | None = None
) -> ReadTimes:
    """Read distinct stamps.

    Parameters
    ----------
    texts : list of str
        As written.
    formats : tuple of str
        The layout's formats; ISO 8601 with a zone is always understood, a stamp without one is China Standard Time.
    typed : bool
        The texts come from typed cells: a five-digit number is an Excel serial date.
    hour24 : bool
        ``24:00`` is the next day's 00:00.
    reference : date, optional
        For formats without a year: the last year in which the stamp is not after this day.
    """
    size = len(texts)
    micros = np.full(size, NOT_A_TIME, dtype=np.int64)
    status = np.full(size, "unreadable", dtype=object)
    notes = np.full(size, "", dtype=object)
    patterns = [_pattern(form) for form in formats]
    slow = np.ones(size, dtype=bool)
    if any(form.startswith("%Y-%m-%d") and "%H:%M" in form for form in formats):
        array = pa.array(texts, pa.string())
        fast = pc.match_substring_regex(array, _ISO_FAST).to_numpy(zero_copy_only=False).astype(bool)
        if fast.any():
            try:
                read = pc.cast(array.filter(pa.array(fast)), pa.timestamp("us")).cast(pa.int64())
                micros[fast] = read.to_numpy(zero_copy_only=False) - CST_MICROS
                status[fast] = ""
                slow &= ~fast
            except pa.ArrowInvalid:
                pass
    for at in np.flatnonzero(slow):
        micros[at], status[at], notes[at] = _read_one(fold(texts[at]), patterns, typed, hour24, reference)
    return ReadTimes(micros, status, notes)


def _read_one(
    text: str, patterns: list[re.Pattern[str]], typed: bool, hour24: bool, reference: dt.date | None
) -> tuple[int, str, str]:
    if not text:
        return NOT_A_TIME, "missing", ""
    if typed and _SERIAL.match(text) and 20_000 <= float(text) <= 80_000:
        seconds = round(float(text) * 86_400)
        moment = dt.datetime(1899, 12, 30, tzinfo=CST) + dt.timedelta(seconds=seconds)
        return _micros(moment), "", "excel-serial"
    zone: dt.tzinfo = CST
    note = ""
    stamp = text
    zoned = _ZONE.match(text)
    if zoned and ("T" in text or ":" in zoned["stamp"]):
        stamp = zoned["stamp"]
        if zoned["zone"] != "Z":
            sign = -1 if zoned["zone"][0] == "-" else 1
            digits = zoned["zone"][1:].replace(":", "")
            zone = dt.timezone(sign * dt.timedelta(hours=int(digits[:2]), minutes=int(digits[2:])))
        else:
            zone = dt.UTC
        note = "zone"
    stamp = re.sub(r"^(\d{4}-\d{2}-\d{2})T(\d)", r"\1 \2", stamp)
    for pattern in patterns:
        match = pattern.match(stamp)
        if match:
            return _from_parts(match.groupdict(), zone, note, hour24, reference)
    if zoned:
        try:
            return _micros(dt.datetime.fromisoformat(stamp).replace(tzinfo=zone)), "", note
        except ValueError:
            return NOT_A_TIME, "unreadable", ""
    return NOT_A_TIME, "ambiguous" if _AMBIGUOUS.match(stamp) else "unreadable", ""


def _from_parts(
    parts: dict[str, str | None], zone: dt.tzinfo, note: str, hour24: bool, reference: dt.date | None
) -> tuple[int, str, str]:
    number = {name: int(text) if text else 0 for name, text in parts.items()}
    hour = number.get("H", 0)
    late = hour == 24 and not number.get("M") and not number.get("S")
    if late and not hour24:
        return NOT_A_TIME, "impossible", ""
    year = number.get("Y", 0)
    month, day = number.get("m", 1), number.get("d", 1)
    if "Y" not in parts:
        if reference is None:
            return NOT_A_TIME, "unreadable", ""
        year, note = reference.year, "year-added"
    micro = int((parts.get("f") or "0").ljust(6, "0")[:6])
    try:
        moment = dt.datetime(
            year, month, day, 0 if late else hour, number.get("M", 0), number.get("S", 0), micro, tzinfo=zone
        )
        if late:
            moment += dt.timedelta(days=1)
            note = "hour24"
        if "Y" not in parts and reference is not None and moment.date() > reference + dt.timedelta(days=1):
            moment = moment.replace(year=year - 1)
    except (ValueError, OverflowError):
        return NOT_A_TIME, "impossible", ""
    return _micros(moment), "", note


def _micros(moment: dt.datetime) -> int:
    return (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)


def minus_period(micros: np.ndarray, period: str) -> np.ndarray:
    """Give the beginning of a period from its end, for instants that are times."""
    if period not in PERIODS:
        return micros
    return np.where(micros == NOT_A_TIME, NOT_A_TIME, micros - PERIODS[period])


def local_text(micros: np.ndarray) -> np.ndarray:
    """Write instants as ``2026-04-01T04:00+08:00`` (empty where there is none)."""
    good = micros != NOT_A_TIME
    out = np.full(len(micros), "", dtype=object)
    if good.any():
        text = np.datetime_as_string((micros[good] + CST_MICROS).astype("datetime64[us]"), unit="m")
        out[good] = [t + "+08:00" for t in text]
    return out
