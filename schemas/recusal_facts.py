"""Facts of recusal: the coded reasons and their windows, what clears them, words that are no employer, ties of enterprises.

Codes are public: a party may quote them, nobody gives one a new meaning. A *clearance* is told like a tie and lifts the
reasons it names for the party it names. A window is counted as 民法典 Arts 201–202 count a term: the day of the event
is left out, and the term ends with the corresponding day of its last month, or that month's last day where it has none.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from dataclasses import dataclass
from pathlib import Path

from schemas.files import SCHEMAS, Row, fold, once, read_rows

KINDS = ("reason", "clearance")
TOLD = ("declared", "computed", "both", "decided")
EMPLOYER_WORDS = ("none", "retired", "unknown")


@dataclass(frozen=True, slots=True)
class RecusalReason:
    """One code; ``months`` is how long it lasts after the relation ended: 0 only a present one counts, None for ever."""

    code: str
    kind: str
    told: str
    months: int | None
    clears: tuple[str, ...]
    """The reasons a clearance lifts."""
    title_zh: str
    title_en: str
    meaning_zh: str
    meaning_en: str
    source: str

    @property
    def may_be_told(self) -> bool:
        """Whether an expert or an office may tell it as a tie."""
        return self.told in ("declared", "both") or self.kind == "clearance"


@once
def recusal_reasons(root: Path = SCHEMAS) -> dict[str, RecusalReason]:
    """Read ``vocabularies/recusal_reasons.csv``: code → reason or clearance, in the order they are told.

    Examples
    --------
    >>> recusal_reasons()["employer_3y"].months, recusal_reasons()["namesake_cleared"].clears
    (36, ('head_namesake',))
    """
    columns = (
        *("code", "kind", "told", "months", "clears", "title_zh", "title_en", "meaning_zh", "meaning_en"),
        "source",
    )
    rows = read_rows(root / "vocabularies" / "recusal_reasons.csv", columns)
    reasons = {row["code"] for row in rows if row["kind"] == "reason"}
    found: dict[str, RecusalReason] = {}
    for row in rows:
        code, kind, clears = row.need("code"), row.one_of("kind", KINDS), row.many("clears")
        if not re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", code) or len(code) > 40 or code in found:
            raise row.fail(f"code {code!r} stands twice or is not up to 40 lower-case letters with underscores")
        if bool(clears) != (kind == "clearance") or not set(clears) <= reasons:
            raise row.fail(f"clears {row['clears']!r}: a clearance, and nothing else, names the reasons it lifts")
        told, words = row.one_of("told", TOLD), [row.need(name) for name in columns[5:]]
        found[code] = RecusalReason(code, kind, told, _months(row), clears, *words)
    return found


def _months(row: Row) -> int | None:
    if row["months"] == "ever":
        return None
    if not re.fullmatch(r"\d{0,3}", row["months"]):
        raise row.fail(f"months {row['months']!r} is neither a whole number nor 'ever'")
    return int(row["months"] or 0)


def tie_kinds(root: Path = SCHEMAS) -> tuple[str, ...]:
    """Give the codes a tie of an expert may bear: what may be declared or computed alike, and the clearances."""
    return tuple(code for code, reason in recusal_reasons(root).items() if reason.may_be_told)


def term_end(day: dt.date, months: int) -> dt.date:
    """Give the last day of a term of whole months counted from an event on ``day`` (民法典 Arts 201–202).

    Examples
    --------
    >>> term_end(dt.date(2024, 2, 29), 36), term_end(dt.date(2023, 8, 31), 36)
    (datetime.date(2027, 2, 28), datetime.date(2026, 8, 31))
    """
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return dt.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


@once
def _employer_words(root: Path = SCHEMAS) -> dict[str, str]:
    found: dict[str, str] = {}
    for row in read_rows(root / "vocabularies" / "employer_words.csv", ("word", "kind", "source")):
        word = row.need("word")
        row.need("source")
        if word in found:
            raise row.fail(f"{word!r} stands twice")
        found[word] = row.one_of("kind", EMPLOYER_WORDS)
    for row in read_rows(
        root / "vocabularies" / "missing_markers.csv", ("marker", "reason", "name_zh", "name_en", "source")
    ):
        found.setdefault(fold(row["marker"]), "unknown")
    return found


def employer_word(text: str, root: Path = SCHEMAS) -> str:
    """Tell what stands in place of an employer's name: ``none``, ``retired``, ``unknown``, or ``""`` for a name.

    Brackets around the word do not count; a text without two letters, or with a hidden part, names nobody.

    Examples
    --------
    >>> [employer_word(text) for text in ("（退休）", "自由职业", "/", "重庆***公司", "示例科技大学")]
    ['retired', 'none', 'unknown', 'unknown', '']
    """
    shown = re.sub(r"\s+", "", fold(text)).strip("()[]")
    known = _employer_words(root).get(shown)
    if known is not None:
        return known
    letters = sum(character.isalpha() for character in shown)
    return "unknown" if letters < 2 or re.search(r"[*?□�×]|(?<![A-Za-z])[xX]{2,}(?![A-Za-z])", shown) else ""


@dataclass(frozen=True, slots=True)
class EnterpriseRelation:
    """What an enterprise is to another one; ``same``: it is the same one under another name or code."""

    code: str
    inverse: str
    same: bool
    title_zh: str
    title_en: str
    source: str


@once
def enterprise_relations(root: Path = SCHEMAS) -> dict[str, EnterpriseRelation]:
    """Read ``vocabularies/enterprise_relations.csv``: code → relation; of each its inverse is there too.

    Examples
    --------
    >>> enterprise_relations()["parent"].inverse, enterprise_relations()["former_name"].same
    ('subsidiary', True)
    """
    columns = ("code", "inverse", "same", "title_zh", "title_en", "source")
    rows = read_rows(root / "vocabularies" / "enterprise_relations.csv", columns)
    inverses = {row["code"]: (row["inverse"], row["same"]) for row in rows}
    found: dict[str, EnterpriseRelation] = {}
    for row in rows:
        code, same = row.need("code"), row.one_of("same", ("yes", "no"))
        if code in found or inverses.get(row["inverse"]) != (code, same):
            raise row.fail(f"{code!r} stands twice, or its inverse {row['inverse']!r} does not lead back")
        words = (row.need("title_zh"), row.need("title_en"), row.need("source"))
        found[code] = EnterpriseRelation(code, row["inverse"], same == "yes", *words)
    return found
