"""The rules of entry: title, age, years of practice, certificate. They warn; who is taken in, a person decides."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from schemas.experts import ExpertRules, full_years


@dataclass(frozen=True, slots=True)
class Note:
    """Something to look at or correct, for one row of a list (0: for an expert of the pool); it names nobody."""

    row: int
    code: str
    message: str
    message_en: str

    def as_json(self) -> dict[str, object]:
        """Give it as plain values."""
        return {"row": self.row, "code": self.code, "message": self.message, "message_en": self.message_en}


def entry_notes(
    title_rank: str,
    born: date | None,
    practice_since: date | None,
    certificate_until: date | None,
    on: date,
    rules: ExpertRules,
    row: int = 0,
) -> list[Note]:
    """Say which rules of entry an expert does not meet on a day; what is not known is not judged."""
    notes = []
    if title_rank not in rules.accepted_ranks:
        notes.append(Note(row, "title-rank", "职称未达到入库要求", "the title does not reach the rank for entry"))
    exempt = title_rank in rules.age_exempt_ranks
    if born is not None and not exempt and full_years(born, on) > rules.age_limit:
        zh, en = f"年龄超过 {rules.age_limit} 周岁", f"older than {rules.age_limit} years"
        notes.append(Note(row, "age-limit", zh, en))
    if practice_since is not None and full_years(practice_since, on) < rules.practice_years:
        zh = f"从事本专业不满 {rules.practice_years} 年"
        notes.append(Note(row, "practice-years", zh, f"less than {rules.practice_years} years in the field"))
    if certificate_until is not None and certificate_until < on:
        notes.append(Note(row, "certificate-expired", "专家证书已过期", "the certificate has expired"))
    return notes
