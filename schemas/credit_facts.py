"""Small facts of the credit register: why a rating counts or not, what a look-up is for, repair, acts, secrecy marks.

Reason codes are public: an inspector quotes them, ``docs/recognition.md`` explains them, nobody gives one a new
meaning. An act stands once per edition; a decision is read with the edition in force on the day of the act it punishes
and with the one in force when it was made (生态环境法典 art. 1057). Last days are included.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from pathlib import Path

from schemas.files import SCHEMAS, fold, once, read_rows
from schemas.unconfirmed import read_unconfirmed

PENALTY_STATES = ("published", "repaired", "withdrawn", "suspended", "annulled")


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason code with its words; ``kind`` is ``verdict``, ``note`` or ``incentive``."""

    code: str
    kind: str
    recognised: bool | None
    """Whether a rating under this code counts; None for a note."""
    title_zh: str
    title_en: str
    meaning_zh: str
    meaning_en: str
    source: str


@once
def recognition_reasons(root: Path = SCHEMAS) -> dict[str, Reason]:
    """Read ``vocabularies/recognition_reasons.csv``: code → reason."""
    columns = ("code", "kind", "recognised", "title_zh", "title_en", "meaning_zh", "meaning_en", "source")
    found: dict[str, Reason] = {}
    for row in read_rows(root / "vocabularies" / "recognition_reasons.csv", columns):
        code, kind = row.need("code"), row.one_of("kind", ("verdict", "note", "incentive"))
        if not re.fullmatch(r"[a-z]+(-[a-z]+)*", code) or code in found:
            raise row.fail(f"code {code!r} stands twice or is not lower-case words with hyphens")
        says = row.one_of("recognised", ("",) if kind == "note" else ("yes", "no"))
        words = (row.need("title_zh"), row.need("title_en"), row.need("meaning_zh"), row.need("meaning_en"))
        found[code] = Reason(code, kind, says == "yes" if says else None, *words, row.need("source"))
    return found


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a look-up may be for; ``plan_zh`` says what its plan number is.

    ``shows_repaired``: asked as known on an earlier day it shows what has been repaired or withdrawn since.
    """

    code: str
    title_zh: str
    title_en: str
    needs_plan: bool
    plan_zh: str
    plan_en: str
    shows_repaired: bool
    source: str


@once
def purposes(root: Path = SCHEMAS) -> dict[str, Purpose]:
    """Read ``vocabularies/purposes.csv``: code → purpose."""
    columns = ("code", "title_zh", "title_en", "needs_plan", "plan_zh", "plan_en", "shows_repaired", "source")
    found: dict[str, Purpose] = {}
    for row in read_rows(root / "vocabularies" / "purposes.csv", columns):
        code = row.need("code")
        if code in found:
            raise row.fail(f"purpose {code!r} stands twice")
        titles, plan = (row.need("title_zh"), row.need("title_en")), (row.need("plan_zh"), row.need("plan_en"))
        more = (row.yes("shows_repaired"), row.need("source"))
        found[code] = Purpose(code, *titles, row.yes("needs_plan"), *plan, *more)
    return found


def find_purpose(text: str, root: Path = SCHEMAS) -> Purpose | None:
    """Find a purpose by code or by either title.

    Examples
    --------
    >>> find_purpose("随机抽查").code, find_purpose("curiosity")
    ('random-check', None)
    """
    key = fold(text).lower()
    return next((one for one in purposes(root).values() if key in (one.code, one.title_zh, one.title_en)), None)


@dataclass(frozen=True, slots=True)
class RepairClass:
    """How long a class of dishonesty information is public, in months from the date of the deciding document."""

    code: str
    title_zh: str
    title_en: str
    aliases: tuple[str, ...]
    min_months: int
    max_months: int
    since: dt.date | None
    until: dt.date | None
    note: str
    source: str


@once
def repair_classes(root: Path = SCHEMAS) -> tuple[RepairClass, ...]:
    """Read ``vocabularies/repair_classes.csv``."""
    columns = (
        "code",
        "title_zh",
        "title_en",
        "aliases",
        "min_months",
        "max_months",
        "since",
        "until",
        "note",
        "source",
    )
    found = []
    for row in read_rows(root / "vocabularies" / "repair_classes.csv", columns):
        least, most = row.span("min_months", "max_months")
        if least is None or most is None or least != int(least) or most != int(most) or least < 0:
            raise row.fail("min_months and max_months are whole numbers, not below 0")
        titles = (row.need("code"), row.need("title_zh"), row.need("title_en"), row.many("aliases"))
        days = row.period("since", "until")
        found.append(RepairClass(*titles, int(least), int(most), *days, row["note"], row.need("source")))
    return tuple(found)


def repair_classes_on(on: dt.date, root: Path = SCHEMAS) -> tuple[RepairClass, ...]:
    """Give the classes in force on a day; none before Order 36."""
    return tuple(one for one in repair_classes(root) if (one.since or dt.date.min) <= on <= (one.until or dt.date.max))


@once
def _penalty_words(root: Path = SCHEMAS) -> dict[str, str]:
    found: dict[str, str] = {}
    for row in read_rows(root / "vocabularies" / "repair_states.csv", ("state", "aliases", "source")):
        state = row.one_of("state", PENALTY_STATES)
        row.need("source")
        for word in row.many("aliases"):
            if found.setdefault(_key(word), state) != state:
                raise row.fail(f"{word!r} already means {found[_key(word)]!r}")
    return found


def _key(text: str) -> str:
    return re.sub(r"\s+", "", fold(text)).lower()


def find_penalty_state(text: str, root: Path = SCHEMAS) -> str | None:
    """Find the state of a penalty as a bureau wrote it (``已修复``); None where the word is not known."""
    return _penalty_words(root).get(_key(text))


@once
def secrecy_marks(root: Path = SCHEMAS) -> tuple[str, ...]:
    """Read ``vocabularies/secrecy_marks.csv``."""
    rows = read_rows(root / "vocabularies" / "secrecy_marks.csv", ("mark", "name_en", "source"))
    return tuple(row.need("mark") for row in rows if row.need("source"))


@dataclass(frozen=True, slots=True)
class LegalAct:
    """One edition of an act."""

    act: str
    aliases: tuple[str, ...]
    edition: str
    since: dt.date
    until: dt.date | None
    replaced_by: str
    """The act that replaced this edition: itself in a newer edition, or another one."""
    unconfirmed: tuple[str, ...]
    """What of this edition we know from no document: ``edition``, ``since``, ``until``."""
    source: str


@once
def legal_acts(root: Path = SCHEMAS) -> tuple[LegalAct, ...]:
    """Read ``vocabularies/legal_acts.csv``: editions of one act must not overlap."""
    columns = ("act", "aliases", "edition", "since", "until", "replaced_by", "unconfirmed", "source")
    rows = read_rows(root / "vocabularies" / "legal_acts.csv", columns)
    names = {row["act"] for row in rows}
    found: list[LegalAct] = []
    for row in rows:
        since, until = row.period("since", "until")
        if since is None:
            raise row.fail("since is missing")
        if row["replaced_by"] and (row["replaced_by"] not in names or until is None):
            raise row.fail(f"replaced_by {row['replaced_by']!r} is not in the list, or until is missing")
        for other in found:
            if other.act == row["act"] and since <= (other.until or dt.date.max):
                raise row.fail(f"edition {row['edition']!r} overlaps {other.edition!r}")
        act, aliases, edition = row.need("act"), row.many("aliases"), row.need("edition")
        unconfirmed = read_unconfirmed(row, root)
        found.append(LegalAct(act, aliases, edition, since, until, row["replaced_by"], unconfirmed, row.need("source")))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class LegalBasis:
    """One act named in a decision, with the edition in force at the act and at the decision."""

    act: str
    articles: tuple[str, ...]
    at_act: LegalAct | None
    at_decision: LegalAct | None
    repealed_by: str
    """The act that stands in its place on the day asked about; blank where it is still in force."""

    @property
    def unconfirmed(self) -> tuple[str, ...]:
        """Give what of the editions named here no document confirms; to be checked before it is cited."""
        named = (one for one in (self.at_act, self.at_decision) if one is not None)
        return tuple(dict.fromkeys(fact for one in named for fact in one.unconfirmed))


def legal_basis(
    text: str, act_date: dt.date | None, decision_date: dt.date | None, on: dt.date, root: Path = SCHEMAS
) -> tuple[LegalBasis, ...]:
    """Read the acts a decision names, in the order of the text; acts nobody knows are left to the text itself.

    Examples
    --------
    >>> one, = legal_basis("《水污染防治法》第八十三条第二项", dt.date(2017, 6, 1), dt.date(2018, 3, 1), dt.date(2026, 9, 1))
    >>> one.at_act.edition, one.at_decision.edition, one.articles, one.repealed_by
    ('2008修订', '2017修正', ('第八十三条第二项',), '中华人民共和国生态环境法典')
    """
    folded = re.sub(r"\s+", "", fold(text))
    found = []
    for end, act in _named(folded, root):
        editions = [one for one in legal_acts(root) if one.act == act]
        following = re.match(
            r"[^《第;；。]*?((?:第[〇零一二三四五六七八九十百千\d]+[条款项目之]?[、,和及]?)+)", folded[end:]
        )
        articles = tuple(re.split(r"[、,和及]", following[1].rstrip("、,和及"))) if following else ()
        last = editions[-1]
        gone = last.replaced_by if last.until is not None and last.until < on else ""
        found.append(LegalBasis(act, articles, _edition(editions, act_date), _edition(editions, decision_date), gone))
    return tuple(found)


def _named(text: str, root: Path) -> list[tuple[int, str]]:
    """Find the acts named, the longest name at each place: where the first naming of each ends, and the act."""
    names = {_name_key(name): one.act for one in legal_acts(root) for name in (one.act, *one.aliases)}
    pattern = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    seen: dict[str, int] = {}
    for match in re.finditer(pattern, text):
        seen.setdefault(names[match[0]], match.end())
    return [(end, act) for act, end in seen.items()]


def _name_key(name: str) -> str:
    return re.sub(r"\s+", "", fold(name))


def _edition(editions: list[LegalAct], day: dt.date | None) -> LegalAct | None:
    if day is None:
        return None
    return next((one for one in editions if one.since <= day <= (one.until or dt.date.max)), None)
