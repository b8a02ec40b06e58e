"""Screening of a list before a campaign: each line of codes or names gets its status, in the order and number it came.

A line is a ``hit`` only where one enterprise bears just that code or name; whatever is merely like it is ``several``
and left to a person, even a single one: a name search never opens a record by itself. Lines of one enterprise are
answered once and the later ones say of which line they are a ``duplicate``. No cell about ratings or penalties is ever
blank: what is not known, and why, stands there in words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from credit_registry.errors import BadCode, BadList
from credit_registry.search import Finder, Hit
from credit_registry.wording import (
    MATCHED,
    PENALTY_STATES,
    RATING_STATES,
    STATUSES,
    attention_in_words,
    bureau_name,
    level_in_words,
    nothing_in_words,
    plain_number,
)
from schemas.files import fold
from schemas.identifiers import Uscc, read_uscc

MOST_LINES = 20_000
CANDIDATES = 5
EXACT = ("code", "name", "former_name")
_ONLY_CODE = re.compile(r"[0-9A-Za-z*\s:.·_-]*[0-9][0-9A-Za-z*\s:.·_-]*")
Answer = Callable[[str], Mapping[str, Any]]
"""Gives ``gongzhi-credit-answer/1`` for a code or a subject; raises BadCode."""


@dataclass(frozen=True, slots=True)
class Summary:
    """An answer in one row, in words; no field is ever blank."""

    ratings: str
    attention: str
    penalties: str
    withheld: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the list with what was found; ``first`` is the line it repeats, 0 for none."""

    line: int
    text: str
    status: str
    why: str = ""
    why_en: str = ""
    uscc: str = ""
    subject: str = ""
    name: str = ""
    matched: str = ""
    first: int = 0
    candidates: tuple[Hit, ...] = ()
    summary: Summary | None = None


@dataclass(frozen=True, slots=True)
class Screening:
    """The lines in the order they came."""

    lines: tuple[Line, ...]
    owners: tuple[str, ...]
    """Bureaus whose records were shown."""

    @property
    def counts(self) -> dict[str, int]:
        """How many lines have each status, all of them named."""
        seen = Counter(line.status for line in self.lines)
        return {status: seen[status] for status in STATUSES}


def screen(rows: Iterable[tuple[int, str]], finder: Finder, answer: Answer, *, most: int = MOST_LINES) -> Screening:
    """Screen a list.

    Parameters
    ----------
    rows : iterable of (line number, text)
        As read from the file; the numbers are kept.
    answer : callable
        Gives the answer document to a code or subject, untraced: a screening is one access.

    Raises
    ------
    BadList
        Nothing but blank lines, or more than ``most``.
    """
    given = list(rows)
    if len(given) > most:
        raise BadList(
            f"共 {len(given)} 行，最多 {most} 行，请分批核查",
            f"{len(given)} lines are more than {most}; split the list",
        )
    if not any(fold(text) for _, text in given):
        raise BadList("名单是空的", "the list is empty")
    desk = _Desk(finder, answer)
    return Screening(tuple(desk.line(number, text) for number, text in given), tuple(sorted(desk.owners)))


class _Desk:
    """Remembers what was already answered in one screening."""

    def __init__(self, finder: Finder, answer: Answer) -> None:
        self.finder = finder
        self.answer = answer
        self.owners: set[str] = set()
        self._of_text: dict[str, Line] = {}
        self._of_subject: dict[str, Line] = {}

    def line(self, number: int, text: str) -> Line:
        """Give one line."""
        folded = fold(text)
        if not folded:
            return Line(number, "", "blank", "空行", "blank line")
        read = read_uscc(folded)
        key = read.code or folded
        seen = self._of_text.get(key)
        if seen is None:
            found = self._looked_up(number, folded, read)
            seen = self._of_subject.get(found.subject)
            self._of_text[key] = seen or found
            if seen is None:
                if found.subject:
                    self._of_subject[found.subject] = found
                return found
        shown = read.text if read.status == "resident-id" else folded
        return replace(
            seen, line=number, text=shown, status="duplicate", first=seen.line, candidates=(),
            why=f"与第 {seen.line} 行重复（{STATUSES[seen.status]}）", why_en=f"repeats line {seen.line} ({seen.status})",
        )  # fmt: skip

    def _looked_up(self, number: int, text: str, read: Uscc) -> Line:
        if read.code or _ONLY_CODE.fullmatch(text) or read.status in ("masked", "resident-id"):
            found = self._by_code(number, text, read)
            if found is not None:
                return found
        return self._by_name(number, text)

    def _by_code(self, number: int, text: str, read: Uscc) -> Line | None:
        shown = read.text if read.status == "resident-id" else text
        hits = self.finder.find(read.code, limit=1) if read.code else []
        if hits and hits[0].matched_field == "code":
            return self._hit(number, shown, hits[0], (read.reason_zh, read.reason_en))
        if read.usable:
            why = "代码有效，库中没有这一企业的记录", "the code is valid, the register holds nothing of it"
            return self._nothing(number, shown, read.code, *why)
        if read.status == "none" or (read.status == "malformed" and len(text) < 15):
            return None  # a short word of letters or digits: pinyin, or a brand such as 3M
        return Line(number, shown, "bad_code", read.reason_zh, read.reason_en, summary=_not_asked("代码有误"))

    def _by_name(self, number: int, text: str) -> Line:
        hits = self.finder.find(text, limit=CANDIDATES)
        exact = [hit for hit in hits if hit.matched_field in EXACT]
        if len(exact) == 1:
            return self._hit(number, text, exact[0])
        if hits:
            what = f"{len(exact)} 个同名企业" if exact else f"没有同名企业，{len(hits)} 个相近名称"
            what_en = f"{len(exact)} enterprises of this name" if exact else f"none of this name, {len(hits)} like it"
            return Line(
                number, text, "several", f"{what}，请按代码确认", f"{what_en}; confirm by code",
                candidates=tuple(hits), summary=_not_asked("尚未确认是哪一家企业"),
            )  # fmt: skip
        why = "库中没有这一名称，也没有相近名称", "the register has no such name and none like it"
        return self._nothing(number, text, text, *why)

    def _hit(self, number: int, text: str, hit: Hit, also: tuple[str, str] = ("", "")) -> Line:
        name = hit.current_name or hit.name
        why = "；".join(filter(None, (hit.why_zh, also[0])))
        why_en = "; ".join(filter(None, (hit.why_en, also[1])))
        if hit.subject in self._of_subject:
            return Line(number, text, "hit", why, why_en, hit.uscc, hit.subject, name, hit.matched_field)
        document = self.answer(hit.uscc or hit.subject)
        self.owners |= {one["bureau"] for block in ("ratings", "penalties") for one in document[block]["lines"]}
        summary = summary_of(document)
        return Line(number, text, "hit", why, why_en, hit.uscc, hit.subject, name, hit.matched_field, summary=summary)

    def _nothing(self, number: int, text: str, asked: str, why: str, why_en: str) -> Line:
        try:
            document = self.answer(asked)
        except BadCode as error:
            return Line(number, text, "bad_code", error.message, error.message_en, summary=_not_asked("代码有误"))
        uscc = document["identity"]["uscc"]
        return Line(number, text, "none", why, why_en, uscc, summary=summary_of(document))


def _not_asked(why: str) -> Summary:
    words = f"未查询：{why}"
    return Summary(words, words, words, words)


def summary_of(document: Mapping[str, Any]) -> Summary:
    """Write an answer in one row of words: every bureau has its say, also the one that has nothing."""
    ratings, penalties = document["ratings"], document["penalties"]
    return Summary(
        _joined(ratings, _rating),
        attention_in_words(document["attention"]),
        _joined(penalties, _penalty),
        f"评价 {ratings['withheld']} 件，处罚 {penalties['withheld']} 件",
    )


def _joined(block: Mapping[str, Any], write: Callable[[Mapping[str, Any]], str]) -> str:
    said = [write(one) for one in block["lines"]]
    said += [f"{bureau_name(one['bureau'])}：{one['message']}" for one in block["by_bureau"] if one["message"]]
    said += [f"{bureau_name(one['bureau'])}：{one['year_note']}" for one in block["by_bureau"] if one.get("year_note")]
    return "\n".join(said) or nothing_in_words(block["state"])


def _rating(line: Mapping[str, Any]) -> str:
    verdict = "本方评价" if line["own"] else "认可" if line["recognised"] else "不认可"
    state = RATING_STATES.get(line["state"], line["state"])
    where = f"（{line['site']}）" if line["site"] else ""
    shared = f"（对照 {line['shared_scheme']} {line['shared_level_title']}）" if line["edition"] else ""
    level = f"{level_in_words(line)}{shared}"
    warned = "".join(f"；{one['message'].rstrip('。')}" for one in line["warnings"])
    said = f"{verdict}：{line['message'].rstrip('。')}{warned}"
    return f"{line['issuer']}{where} {line['rated_year']} 年度 {level}，{state}，{said}"


def _penalty(line: Mapping[str, Any]) -> str:
    fine = f"，罚款 {plain_number(line['fine_yuan'])} 元" if line["fine_yuan"] is not None else ""
    state = PENALTY_STATES.get(line["state"], line["state"])
    return f"{line['decision_number']}（{line['authority']}，{line['decision_date'] or '决定日期不详'}）{state}{fine}"


def how_matched(field: str) -> str:
    """Say in words what of an enterprise matched."""
    return MATCHED.get(field, field)
