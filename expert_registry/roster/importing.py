"""The roster: taking a bureau's expert list into the pool, row by row, again and again.

A person is found again by the keyed hash of the identity number within the same bureau: what the list says of them is
brought up to date, a blank cell takes nothing away, and the change stands in the records. A change of employer ends the
old employment on the day of the import and begins the new one on it: between the two the pool knows no better day, and
for recusal both count. The same number in the other bureau's list is told, to be decided by a person; nobody is merged
here.

The list goes in by pieces, each one transaction: a stop in the middle is mended by importing the list again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from expert_registry.errors import IncompleteExpert
from expert_registry.privacy.vault import IDENTITY, PHONE, Vault
from expert_registry.roster.entry_rules import Note, entry_notes
from records import expert_pages as pages
from records.experts import ExpertRow, PoolWriter, new_expert_id, writing
from records.scripts import folded, person_key
from records.store import CHINA, Records
from schemas.experts import ExpertRules, PersonRow, birth_date
from schemas.identifiers import Uscc, read_division
from schemas.identifiers import read_uscc as read_code
from schemas.personal import mask_identity, mask_phone, without_numbers
from schemas.specialties import edition, split_specialties, title_rank

PIECE = 2_000


@dataclass(frozen=True, slots=True)
class RosterFacts:
    """What an import is judged by: the parameters of the pool, and the division of the bureau itself."""

    rules: ExpertRules
    division: str


@dataclass(frozen=True, slots=True)
class TakenOver:
    """An appointment made before this pool: its document and last day; such experts come in as appointed."""

    document: str
    since: date
    until: date


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did, by rows of the list; ``same_elsewhere`` pairs an expert with one of another bureau."""

    bureau: str
    new: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: tuple[Note, ...] = ()
    warnings: tuple[Note, ...] = ()
    same_elsewhere: tuple[tuple[str, str], ...] = ()
    experts: dict[int, str] = field(default_factory=dict, repr=False)
    """Row of the list → number of the expert."""

    def as_json(self) -> dict[str, object]:
        """Give it as plain values, without anything personal."""
        return {
            "bureau": self.bureau,
            "new": self.new,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "refused": [note.as_json() for note in self.refused],
            "warnings": [note.as_json() for note in self.warnings],
            "same_elsewhere": [list(pair) for pair in self.same_elsewhere],
        }


def import_rows(
    records: Records,
    vault: Vault,
    rows: Iterable[PersonRow],
    bureau: str,
    by: str,
    at: datetime,
    facts: RosterFacts,
    *,
    sha256: str = "",
    taken_over: TakenOver | None = None,
) -> ImportReport:
    """Bring a bureau's list into the pool.

    Parameters
    ----------
    rows : iterable of PersonRow
        Rows the rules accepted, with the personal numbers in clear.
    sha256 : str
        Hash of the list, which stays beside each expert as its source.
    taken_over : TakenOver, optional
        The appointment new experts of this list already have; without it they come in as ``applied``.
    """
    if not by.strip() or (taken_over is not None and not taken_over.document.strip()):
        raise IncompleteExpert(
            "导入须写明经办人；接收已聘专家须写明聘任文件",
            "an import needs who does it; a taken-over appointment needs its document",
        )
    work = _Import(records, vault, bureau, by, at, facts, sha256, taken_over)
    one_each = list(work.without_repeats(rows))
    for start in range(0, len(one_each), PIECE):
        with writing(records, by, at, bureau, {"source_sha256": sha256, "piece": start // PIECE}) as pool:
            work.take(pool, one_each[start : start + PIECE])
    return replace(
        work.report,
        refused=tuple(sorted(work.refused, key=lambda note: note.row)),
        warnings=tuple(sorted(work.warnings, key=lambda note: note.row)),
        same_elsewhere=tuple(work.elsewhere),
    )


class _Import:
    """One import under way."""

    def __init__(
        self,
        records: Records,
        vault: Vault,
        bureau: str,
        by: str,
        at: datetime,
        facts: RosterFacts,
        sha256: str,
        taken_over: TakenOver | None,
    ) -> None:
        self.records, self.vault, self.bureau, self.by, self.at = records, vault, bureau, by, at
        self.facts, self.sha256, self.taken_over = facts, sha256, taken_over
        self.day = at.astimezone(CHINA).date()
        self.report = ImportReport(bureau)
        self.refused: list[Note] = []
        self.warnings: list[Note] = []
        self.elsewhere: list[tuple[str, str]] = []

    def without_repeats(self, rows: Iterable[PersonRow]) -> Iterator[tuple[str, PersonRow]]:
        """Give each person once, with the hash of the number; a second row that says otherwise is refused."""
        first: dict[str, PersonRow] = {}
        for row in rows:
            index = self.vault.index(row.identity)
            if not index:
                self._refuse(row.row, "no-identity", "缺少证件号码", "the identity number is missing")
            elif index not in first:
                first[index] = row
                yield index, row
            elif replace(row, row=first[index].row) == first[index]:
                self.report = replace(self.report, unchanged=self.report.unchanged + 1)
            else:
                zh = f"与第 {first[index].row} 行是同一证件号码而内容不同，请保留一行"
                en = f"the same identity number as row {first[index].row} with other contents; keep one of them"
                self._refuse(row.row, "same-person-twice", zh, en)

    def take(self, pool: PoolWriter, rows: Sequence[tuple[str, PersonRow]]) -> None:
        """Write one piece: what is there already is read under the lock of the same transaction."""
        known = pages.by_identity(pool.connection, [index for index, _ in rows])
        mine = {one.identity_index: one for one in known if one.bureau == self.bureau}
        others: dict[str, list[ExpertRow]] = {}
        for one in known:
            if one.bureau != self.bureau:
                others.setdefault(one.identity_index, []).append(one)
        parts = pages.parts(pool.connection, [one.expert_id for one in mine.values()], ("specialty", "employment"))
        new, updated = 0, 0
        for index, row in rows:
            barred = [one for one in (mine.get(index), *others.get(index, ())) if one is not None and self._barred(one)]
            if barred:
                zh = f"此人已被移出专家库，{barred[0].bar_until} 前不得再入库"
                en = f"this person was removed from the pool and may not enter before the end of {barred[0].bar_until}"
                self._refuse(row.row, "barred", zh, en)
                continue
            old = mine.get(index)
            if old is not None and old.frozen_at is not None:
                self._refuse(row.row, "frozen", "此人的个人信息已停止使用，未更新", "this person's record is frozen")
                continue
            if old is None:
                expert_id = self._add(pool, index, row)
                new += 1
            else:
                expert_id = old.expert_id
                updated += self._update(
                    pool, old, row, {name: found.get(expert_id, []) for name, found in parts.items()}
                )
            self.report.experts[row.row] = expert_id
            self.elsewhere += [(expert_id, one.expert_id) for one in others.get(index, ())]
            self._warn(row)
        unchanged = len(rows) - new - updated - sum(row.row not in self.report.experts for _, row in rows)
        self.report = replace(
            self.report,
            new=self.report.new + new,
            updated=self.report.updated + updated,
            unchanged=self.report.unchanged + unchanged,
        )

    def _barred(self, one: ExpertRow) -> bool:
        return one.state == "removed" and one.bar_until is not None and self.day <= one.bar_until

    def _refuse(self, row: int, code: str, zh: str, en: str) -> None:
        self.refused.append(Note(row, code, zh, en))

    def _warn(self, row: PersonRow) -> None:
        born = birth_date(row.identity)
        self.warnings += entry_notes(
            title_rank(row.title), born, None, row.certificate_until, self.day, self.facts.rules, row.row
        )
        for code, wording in split_specialties(row.specialty):
            if not code:
                zh = f"专业领域“{wording}”不在分类表中，请改写或增加对照"
                en = f"the specialty {wording!r} is not in the taxonomy; reword it or add a mapping"
                self.warnings.append(Note(row.row, "unmapped-specialty", zh, en))

    # -- new people --------------------------------------------------------------------------------------------

    def _add(self, pool: PoolWriter, index: str, row: PersonRow) -> str:
        expert_id = new_expert_id(self.at)
        took = self.taken_over
        expert = ExpertRow(
            expert_id=expert_id,
            bureau=self.bureau,
            state="appointed" if took is not None else "applied",
            identity_kind="resident" if birth_date(row.identity) is not None else "other",
            identity_index=index,
            identity_sealed=self.vault.seal(expert_id, IDENTITY, row.identity),
            identity_mask=mask_identity(row.identity),
            phone_sealed=self.vault.seal(expert_id, PHONE, row.phone),
            entered_at=self.at,
            updated_at=self.at,
            term_start=took.since if took is not None else None,
            term_end=took.until if took is not None else None,
            source_sha256=self.sha256,
            source_row=row.row,
            **_fields(row, self.facts.division),
        )
        parts: dict[str, list[dict[str, Any]]] = {"specialty": _specialties(row)}
        if row.employer or row.employer_uscc:
            parts["employment"] = [_employment(row, None, self.sha256)]
        kind, reason = ("taken-over", took.document) if took is not None else ("entered", "")
        pool.add(expert, parts, kind, reason)
        return expert_id

    # -- known people ------------------------------------------------------------------------------------------

    def _update(self, pool: PoolWriter, old: ExpertRow, row: PersonRow, parts: Mapping[str, list[Any]]) -> bool:
        told = {name: value for name, value in _fields(row, old.division).items() if value not in ("", None)}
        if not row.title:
            told.pop("title_rank")
        if person_key(old.name) != person_key(row.name):
            zh = "同一证件号码的姓名与库中不同，已按名单更新，请核对"
            self.warnings.append(
                Note(row.row, "name-changed", zh, "another name than the pool has for this identity number; check it")
            )
        if row.phone and row.phone != self.vault.open_(old.expert_id, PHONE, old.phone_sealed):
            told["phone_sealed"] = self.vault.seal(old.expert_id, PHONE, row.phone)
        moved = self._move_employer(pool, old, row, parts["employment"])
        fields = self._new_fields(pool, old.expert_id, row, parts["specialty"])
        differs = any(getattr(old, name) != value for name, value in told.items())
        if differs:
            told |= {"source_sha256": self.sha256, "source_row": row.row}
            pool.change(old, told, "imported")
        return differs or moved or fields

    def _move_employer(self, pool: PoolWriter, old: ExpertRow, row: PersonRow, works: Iterable[Any]) -> bool:
        """End the employment that is no more and begin the new one; a code that becomes known is written to it."""
        if not row.employer and not row.employer_uscc:
            return False
        code = read_uscc(row.employer_uscc).code
        current = [one for one in works if one.until is None and one.role == "employee"]
        if same := [one for one in current if _same_employer(one, row.employer, code)]:
            learnt = {"uscc": code} if code and not same[0].uscc else {}
            if row.employer and same[0].employer != row.employer:
                learnt["employer"] = row.employer
            if learnt:
                pool.amend("employment", same[0].id, learnt)
            return bool(learnt)
        listed = [one for one in current if _same_employer(one, old.employer, old.employer_uscc)]
        for one in listed:
            pool.amend("employment", one.id, {"until": self.day})
        pool.tell(old.expert_id, "employment", _employment(row, self.day if listed else None, self.sha256))
        return True

    def _new_fields(self, pool: PoolWriter, expert_id: str, row: PersonRow, had: Iterable[Any]) -> bool:
        wanted = _specialties(row)
        if not wanted or [{"code": o.code, "edition": o.edition, "raw": o.raw} for o in had] == wanted:
            return False
        pool.drop("specialty", expert_id)
        for one in wanted:
            pool.tell(expert_id, "specialty", one)
        return True


@lru_cache(maxsize=20_000)
def read_uscc(text: str) -> Uscc:
    """Read the code of an employer, each once: many experts have the same."""
    return read_code(text)


def _fields(row: PersonRow, otherwise: str) -> dict[str, Any]:
    """Columns of an expert that a row says, in their clean form."""
    uscc = read_uscc(row.employer_uscc)
    return {
        "name": row.name,
        "name_key": person_key(row.name),
        "employer": row.employer,
        "employer_uscc": uscc.code,
        "title": row.title,
        "title_rank": title_rank(row.title),
        "division": (read_division(uscc.code[2:8]) if uscc.usable else None) or otherwise,
        "certificate_until": row.certificate_until,
        "phone_mask": mask_phone(row.phone),
        "remark": without_numbers(row.remark),
    }


def _specialties(row: PersonRow) -> list[dict[str, Any]]:
    return [{"code": code, "edition": edition(), "raw": raw} for code, raw in split_specialties(row.specialty)]


def _employment(row: PersonRow, since: date | None, sha256: str) -> dict[str, Any]:
    code = read_uscc(row.employer_uscc).code
    source = f"专家名单 {sha256[:12]} 第 {row.row} 行".replace("  ", " ")
    return {"employer": row.employer, "uscc": code, "role": "employee", "since": since, "until": None, "source": source}


def _same_employer(work: Any, employer: str, code: str) -> bool:
    """One enterprise: by its code where both have one, else by its name."""
    if work.uscc and code:
        return bool(work.uscc == code)
    return not employer or folded(work.employer) == folded(employer)
