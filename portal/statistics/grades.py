"""How many enterprises have which grade, by bureau, scheme and year, as the ratings on record say."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.batch import Places
from portal.statistics.shared_rows import current_rows
from schemas.ratings import rating_schemes


@dataclass(frozen=True, slots=True)
class Grade:
    """One level with how many have it."""

    code: str
    title: str
    count: int


@dataclass(frozen=True, slots=True)
class Distribution:
    """The grades of one bureau under one scheme in one year, the best first."""

    bureau: str
    scheme: str
    year: int
    grades: tuple[Grade, ...]

    @property
    def total(self) -> int:
        """How many enterprises are rated."""
        return sum(grade.count for grade in self.grades)


def distributions(places: Places) -> list[Distribution]:
    """Count the ratings in force, every level of a known scheme named even if nobody has it; the newest year first."""
    with current_rows(places, "credit_rating") as (ask_for, table):
        rows = ask_for(
            f"""SELECT bureau, scheme, rated_year, level_code, any_value(level_text), count(DISTINCT subject)
                FROM {table} WHERE state IN ('final', 'adjusted', 'repaired') GROUP BY bureau, scheme, rated_year, level_code ORDER BY ALL"""
        )
    found: dict[tuple[str, str, int], dict[str, Grade]] = {}
    for bureau, scheme, year, code, text, count in rows:
        found.setdefault((bureau, scheme, year), {})[code] = Grade(code, str(text or code), count)
    made = [_distribution(*key, grades) for key, grades in found.items()]
    return sorted(made, key=lambda one: (-one.year, one.bureau, one.scheme))


def _distribution(bureau: str, scheme: str, year: int, counted: dict[str, Grade]) -> Distribution:
    levels = rating_schemes()[scheme].levels if scheme in rating_schemes() else ()
    known = {level.level_code for level in levels}
    ordered = sorted(levels, key=lambda level: level.rank)
    named = [
        Grade(level.level_code, level.level_zh, counted[level.level_code].count if level.level_code in counted else 0)
        for level in ordered
    ]
    return Distribution(bureau, scheme, year, (*named, *(one for code, one in counted.items() if code not in known)))
