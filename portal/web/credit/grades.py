"""The grade of an enterprise as a page shows it at a glance: a word, an icon and a tone; never the tone alone.

It is the worst level that counts for the one who asks (关注等级). Where nothing counts the words say which kind of
nothing it is, and nothing of it looks good.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from credit_registry.answers import compose
from credit_registry.errors import BadCode
from credit_registry.search import Hit
from credit_registry.wording import NOTHING, attention_in_words
from portal.boards import CHINA
from portal.credit_uses import Counter
from records.credit import messages_of

ICONS = {1: "check", 2: "dot", 3: "triangle", 4: "cross", 5: "cross"}
TONES = {1: "good", 2: "", 3: "warn", 4: "bad", 5: "bad"}
ORDER = {1: "best level", 2: "second level", 3: "third level, warning", 4: "lowest level", 5: "lowest level"}
NOTHING_EN = {
    "not_rated": "not rated",
    "no_record": "no record",
    "source_unavailable": "source unavailable",
    "withheld": "withheld",
}


@dataclass(frozen=True, slots=True)
class Grade:
    """A grade at a glance."""

    zh: str
    en: str
    icon: str
    tone: str


@dataclass(frozen=True, slots=True)
class Found:
    """A hit with its grade."""

    hit: Hit
    grade: Grade


def grade_of(document: Mapping[str, Any]) -> Grade:
    """Give the grade of an answer."""
    attention, ratings = document["attention"], document["ratings"]
    if attention["level"]:
        rank = int(attention["rank"] or 0)
        title = attention_in_words(attention)
        return Grade(title, f"{title} ({ORDER.get(rank, '?')})", ICONS.get(rank, "dot"), TONES.get(rank, ""))
    state = ratings["state"]
    if state == "found":  # rated, but nothing of it is in force here
        return Grade("无现行有效评价", "no rating in force", "question", "")
    return Grade(NOTHING.get(state, state), NOTHING_EN.get(state, state), "question", "")


def graded(counter: Counter, hits: Sequence[Hit]) -> list[Found]:
    """Give hits with their grades of today; the search is the one access, its trace is kept by who searched."""
    heard = messages_of(counter.records, [one.subject for one in hits])
    today = counter.at.astimezone(CHINA).date()

    def grade(hit: Hit) -> Grade:
        try:
            document, _ = compose(
                counter.desk.register, heard.get(hit.subject, []), hit.subject, counter.viewer, today, None,
                now=counter.at, editions=counter.desk.editions,
            )  # fmt: skip
        except BadCode:  # its source masked or miswrote the code: it can be found, but not be told apart
            return Grade("代码有误，不能认定", "bad code: cannot be told apart", "question", "")
        return grade_of(document)

    return [Found(hit, grade(hit)) for hit in hits]
