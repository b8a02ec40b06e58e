"""What the name of a sender's file tells: whether it is wanted, whether it is finished, which days it speaks of.

Names come as bytes in whatever encoding the sender's system has; they are text here, UTF-8 first and GB18030 else, and
are never used as a path before :func:`safe_name` has had them.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from fnmatch import fnmatchcase

UNFINISHED = ("*.part", "*.partial", "*.tmp", "*.temp", "*.crdownload", "*.filepart", "~$*", ".*")
"""Names that programs give to a file they still write, and hidden ones."""
NAME_BYTES = 200
_FOREIGN = re.compile(r"[\u0100-\u036f\u0400-\u07ff]")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f/\\\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def text_of(name: bytes) -> str:
    r"""Read a name that may be UTF-8 or GB18030; what is neither keeps its bytes as ``\xNN``.

    A short Chinese name in GBK can happen to be UTF-8 of letters no bureau uses (小时值 would be Cyrillic and Hebrew):
    it is Chinese.

    Examples
    --------
    >>> text_of("小时值.csv".encode()), text_of("小时值.csv".encode("gbk")), text_of("5μg.csv".encode())
    ('小时值.csv', '小时值.csv', '5μg.csv')
    """
    try:
        text = name.decode("utf-8")
    except UnicodeDecodeError:
        return name.decode("gb18030") if _is_gb(name) else name.decode("utf-8", "backslashreplace")
    return name.decode("gb18030") if _FOREIGN.search(text) and _is_gb(name) else text


def _is_gb(name: bytes) -> bool:
    try:
        return bool(name.decode("gb18030"))
    except UnicodeDecodeError:
        return False


def is_plain(name: str) -> bool:
    """Tell whether a name can be kept as it is: no separators, controls or invisible marks, and not too long."""
    return name not in ("", ".", "..") and not _UNSAFE.search(name) and len(name.encode()) <= 255


def is_finished(name: str) -> bool:
    """Tell whether a file is done, by its name.

    Examples
    --------
    >>> is_finished("a.csv"), is_finished("a.csv.part"), is_finished("~$a.xlsx"), is_finished(".a.csv.Xy12")
    (True, False, False, False)
    """
    return not _fits(name, UNFINISHED)


def is_wanted(name: str, match: Sequence[str]) -> bool:
    """Tell whether a finished file fits one of the patterns, all if there is none; case counts for nothing.

    Examples
    --------
    >>> is_wanted("AIR_1.CSV", ("air_*.csv",)), is_wanted("air.xlsx", ("*.csv",)), is_wanted("x.zip", ())
    (True, False, True)
    """
    return is_finished(name) and (not match or _fits(name, match))


def _fits(name: str, patterns: Sequence[str]) -> bool:
    folded = name.casefold()
    return any(fnmatchcase(folded, pattern.casefold()) for pattern in patterns)


def safe_name(name: str) -> str:
    """Make a name that is safe as a file of ours: one component, visible, at most 200 bytes, its extension kept.

    Examples
    --------
    >>> safe_name("../../etc/passwd"), safe_name("空气 1.csv"), safe_name("..")
    ('.._.._etc_passwd', '空气 1.csv', '_')
    """
    plain = _UNSAFE.sub("_", name).strip() or "_"
    if plain in (".", ".."):
        return "_"
    stem, dot, ending = plain.rpartition(".")
    tail = f".{ending}" if dot and stem and len(ending.encode()) <= 16 else ""
    head = plain[: len(plain) - len(tail)].encode()[: NAME_BYTES - len(tail.encode())]
    return head.decode("utf-8", "ignore") + tail


def speaks_of(name: str, first: date, last: date) -> bool:
    """Tell whether a name holds a day, week, month or year that meets the days from ``first`` to ``last``.

    Examples
    --------
    >>> week = date(2026, 4, 6), date(2026, 4, 12)
    >>> speaks_of("空气小时值_20260408_更正.csv", *week), speaks_of("空气小时值_2026-04-13.xlsx", *week)
    (True, False)
    >>> speaks_of("行政处罚_2026年4月.csv", *week), speaks_of("地表水_2026年第15周.zip", *week), speaks_of("a.csv", *week)
    (True, True, False)
    """
    return any(start <= last and end >= first for start, end in days_in(name))


def days_in(name: str) -> list[tuple[date, date]]:
    """Give the first and last day of every period that a name holds; what is read as a day is not read again.

    Examples
    --------
    >>> days_in("土壤_2026年4月8日.csv")
    [(datetime.date(2026, 4, 8), datetime.date(2026, 4, 8))]
    """
    return list(_periods(name))


def _periods(name: str) -> Iterator[tuple[date, date]]:
    for pattern, read in _FORMS:
        for found in pattern.finditer(name):
            try:
                yield read(*map(int, found.groups()))
            except ValueError:  # 20261399 is a number, no day
                continue
        name = pattern.sub("|", name)


def _day(year: int, month: int, day: int) -> tuple[date, date]:
    return date(year, month, day), date(year, month, day)


def _week(year: int, week: int) -> tuple[date, date]:
    monday = date.fromisocalendar(year, week, 1)
    return monday, monday + timedelta(days=6)


def _month(year: int, month: int) -> tuple[date, date]:
    return date(year, month, 1), date(year, month, monthrange(year, month)[1])


def _year(year: int) -> tuple[date, date]:
    return date(year, 1, 1), date(year, 12, 31)


_Y = r"(?<!\d)((?:19|20)\d\d)"
_FORMS: tuple[tuple[re.Pattern[str], Callable[..., tuple[date, date]]], ...] = (
    # an hour or a time of day may follow the eight digits: 2026040803, 20260408123000
    (re.compile(_Y + r"(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=\D|$|(?:[01]\d|2[0-4])(?:[0-5]\d){0,2}(?:\D|$))"), _day),
    (re.compile(_Y + r"[-_./年](\d{1,2})[-_./月](\d{1,2})日?(?!\d)"), _day),
    (re.compile(_Y + r"(?:年?第|-?W)(\d{1,2})(?:周|(?!\d))"), _week),
    (re.compile(_Y + r"[-_./年](\d{1,2})月?(?!\d)"), _month),
    (re.compile(_Y + r"(0[1-9]|1[0-2])(?!\d)"), _month),
    (re.compile(_Y + r"年?度?(?!\d)"), _year),
)
