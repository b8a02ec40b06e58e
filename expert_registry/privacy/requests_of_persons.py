"""What an expert may ask for, whichever bureau they turn to (PIPL Art. 20): correct, freeze, delete, end a consent.

A person is one, however many records the lists of both bureaus made of them: each act reaches all records merged into
one. To see everything is in ``dossier.py``. Deletion overwrites the person and leaves the draws: there a number without
a person remains. It is put off, and the record frozen instead, while a draw that is under way may seat the person, while
a seat has not come to its end, and while a bar to re-entry runs (Art. 47: then keep and protect, nothing else).

Kept lists are sealed as they came and nobody may alter them: every list of the bureaus in which the person may stand
goes with them. Its receipt, with the hashes, stays on the chain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from expert_registry.draw import protocol
from expert_registry.errors import IncompleteExpert, NoExpert, NotYet, UnknownWord, WrongState
from expert_registry.privacy.vault import DRAW_KEY, IDENTITY, PHONE, Vault
from expert_registry.roster.declarations import revoke_consent
from expert_registry.roster.pool import find, unknown
from records import expert_drawbook, expert_erasure, expert_listing, expert_seats
from records import expert_pages as pages
from records.experts import ExpertRow, PoolWriter, expert, row_of, writing
from records.scripts import person_key
from records.store import CHINA, Records
from schemas.experts import birth_date, expert_states
from schemas.files import fold
from schemas.identifiers import read_division, read_uscc
from schemas.personal import mask_identity, mask_phone, without_numbers
from schemas.specialties import title_rank

TEXTS = ("name", "employer", "employer_uscc", "title", "remark", IDENTITY, PHONE)
DAYS = ("certificate_until", "practice_since")
UNDER_WAY = ("frozen", "committed", "revealed", "drawn")
OPEN_SEATS = ("drawn", "invited", "accepted", "attended")
LISTS = "expert-list"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a person cannot be deleted yet; ``until`` is known for a bar only."""

    code: str
    words: str
    words_en: str
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Erased:
    """What was deleted: the records, the lists that went with them; ``repeated``: it had been done before."""

    experts: tuple[str, ...]
    lists: tuple[str, ...]
    repeated: bool

    def as_json(self) -> dict[str, object]:
        """Give it as plain values; to be kept apart, so that it can be done again after an old backup comes back."""
        return {
            "document": "gongzhi-expert-erasure/1",
            "experts": list(self.experts),
            "lists": list(self.lists),
            "repeated": self.repeated,
        }


def records_of_person(records: Records, expert_id: str) -> tuple[str, ...]:
    """Give the numbers of all records decided to be one person, the one asked for among them.

    Raises
    ------
    NoExpert
    """
    if expert(records, expert_id) is None:
        raise unknown(expert_id)
    merges = expert_listing.merges(records)
    found, before = {expert_id}, set[str]()
    while found != before:
        before = set(found)
        found |= {name for pair in merges.items() if set(pair) & found for name in pair}
    return tuple(sorted(found))


def correct(
    records: Records, vault: Vault, expert_id: str, values: Mapping[str, Any], *, by: str, at: datetime, reason: str
) -> tuple[str, ...]:
    """Correct what is wrong of one record, with all that follows from it; gives the columns that changed.

    Parameters
    ----------
    values : mapping
        Of ``name``, ``employer``, ``employer_uscc``, ``title``, ``remark``, ``identity``, ``phone`` (texts),
        ``certificate_until`` and ``practice_since`` (days). An employer that was wrong was wrong in the employment it
        stands in too: that is corrected, not ended.

    Raises
    ------
    UnknownWord, IncompleteExpert, NoExpert
    WrongState
        The identity number is that of another record of the same bureau.
    """
    _refuse_unsigned(by, reason)
    if wrong := sorted(set(values) - {*TEXTS, *DAYS}):
        told = "、".join((*TEXTS, *DAYS))
        raise UnknownWord(f"不能更正 {'、'.join(wrong)}，可更正：{told}", f"cannot correct {wrong}; these can: {told}")
    find(records, expert_id)
    with writing(records, by, at) as pool:
        row = row_of(pool.connection, expert_id)
        assert row is not None
        told_now = _columns(row, vault, values)
        _refuse_taken(pool, row, told_now.get("identity_index", ""))
        changed = tuple(name for name, value in told_now.items() if getattr(row, name) != value)
        pool.change(row, told_now, "corrected", reason)
        if {"employer", "employer_uscc"} & set(changed):
            works = pages.parts(pool.connection, [expert_id], ("employment",))["employment"].get(expert_id, [])
            for one in works:
                if one.until is None and (one.employer, one.uscc) == (row.employer, row.employer_uscc):
                    new = {"employer": told_now.get("employer", row.employer)}
                    new["uscc"] = told_now.get("employer_uscc", row.employer_uscc)
                    pool.amend("employment", one.id, new, reason)
    return changed


def freeze(records: Records, expert_id: str, *, by: str, at: datetime, reason: str) -> tuple[str, ...]:
    """Only keep a person from now on: not shown, not drawn, not brought up to date; gives the records."""
    return _set_frozen(records, expert_id, at, by, at, reason)


def unfreeze(records: Records, expert_id: str, *, by: str, at: datetime, reason: str) -> tuple[str, ...]:
    """Take the freezing back."""
    return _set_frozen(records, expert_id, None, by, at, reason)


def _set_frozen(
    records: Records, expert_id: str, frozen_at: datetime | None, by: str, at: datetime, reason: str
) -> tuple[str, ...]:
    _refuse_unsigned(by, reason)
    ids = _living(records, expert_id)
    with writing(records, by, at) as pool:
        for one in ids:
            row = row_of(pool.connection, one)
            if row is not None and (row.frozen_at is None) != (frozen_at is None):
                expert_erasure.freeze(pool, row, frozen_at, reason)
    return ids


def end_consent(
    records: Records, expert_id: str, kind: str, on: date, *, by: str, at: datetime, reason: str
) -> tuple[int, tuple[str, ...]]:
    """Revoke a consent on all records of a person; gives how many, and the draws of other bureaus they still sit in.

    From that day there is no use that needs it; the bank account is forgotten at once. What was done before stands
    (PIPL Art. 15); who is seated already by consent to sharing decides, when asked, whether to decline.
    """
    _refuse_unsigned(by, reason)
    ids = _living(records, expert_id)
    count = sum(revoke_consent(records, one, kind, on, by, at, reason) for one in ids)
    open_ = [one for one in expert_seats.seats(records, expert_ids=ids) if one.state in OPEN_SEATS]
    homes = {row.bureau for one in ids if (row := expert(records, one)) is not None}
    away = {one.draw_id for one in open_ if expert_drawbook.draw(records, one.draw_id).bureau not in homes}
    return count, tuple(sorted(away)) if kind == "sharing" else ()


# -- deletion --------------------------------------------------------------------------------------------------------


def obstacles(records: Records, vault: Vault, expert_id: str, at: datetime) -> tuple[Obstacle, ...]:
    """Say why a person cannot be deleted now."""
    ids, today, found = records_of_person(records, expert_id), at.astimezone(CHINA).date(), []
    for row in (expert(records, one) for one in ids):
        if row is not None and row.bar_until is not None and row.bar_until >= today:
            zh = f"{row.expert_id} 已被移出，{row.bar_until} 前不得再入库，期满后删除"
            en = f"{row.expert_id} is barred through {row.bar_until}; deleted afterwards"
            found.append(Obstacle("barred", zh, en, row.bar_until))
    for seat in expert_seats.seats(records, expert_ids=ids):
        if seat.state in OPEN_SEATS and expert_drawbook.draw(records, seat.draw_id).state != "abandoned":
            zh, en = f"在 {seat.draw_id} 中的席位尚未结束（{seat.state}）", f"a seat in {seat.draw_id} is {seat.state}"
            found.append(Obstacle("seated", zh, en))
    for draw_id in _listed_in(records, vault, ids):
        zh, en = f"{draw_id} 的抽取尚未结束，名单中有此人", f"{draw_id} is under way and lists the person"
        found.append(Obstacle("listed", zh, en))
    return tuple(found)


def _listed_in(records: Records, vault: Vault, ids: tuple[str, ...]) -> list[str]:
    """Name the draws whose outcome is open, or whose names nobody opened, with the person on the list."""
    found = []
    editions, opened = (expert_drawbook.parts(records, kind) for kind in ("draw", "opened"))
    for draw in expert_drawbook.draws(records):
        sealed = draw.state == "published" and editions.get(draw.draw_id, set()) - opened.get(draw.draw_id, set())
        if draw.key_sealed and (draw.state in UNDER_WAY or sealed):
            frozen = expert_drawbook.papers(records, draw.draw_id, "list")[0].document
            key = vault.open_(draw.draw_id, DRAW_KEY, draw.key_sealed)
            mine = [protocol.entry(frozen, protocol.opaque_id(key, one, frozen["hash"])) for one in ids]
            if any(one is not None and one["status"] == "eligible" for one in mine):
                found.append(draw.draw_id)
    return found


def erase(
    records: Records, vault: Vault, expert_id: str, uploads: Path, *, by: str, at: datetime, reason: str
) -> Erased:
    """Delete a person; done before, it only looks that nothing was left behind.

    Raises
    ------
    NotYet
        There are obstacles; freeze the record instead.
    NoExpert, IncompleteExpert
    """
    _refuse_unsigned(by, reason)
    ids = records_of_person(records, expert_id)
    rows = [row for one in ids if (row := expert(records, one)) is not None]
    alive = [row for row in rows if row.erased_at is None]
    if alive:
        if standing := obstacles(records, vault, expert_id, at):
            raise NotYet(
                f"{expert_id} 暂不能删除，请先停止使用（freeze）：{'；'.join(one.words for one in standing)}",
                f"{expert_id} cannot be deleted yet, freeze it: {'; '.join(one.words_en for one in standing)}",
            )
        names = {name for row in alive for name in _names(records, row)}
        lists = {sha256 for row in alive for sha256 in lists_with(records, row)}
        state = {row.expert_id: "withdrawn" if expert_states()[row.state].in_pool else row.state for row in rows}
        expert_erasure.erase(
            records, ids, names=names, lists=lists, state=state, by=by, at=at, reason=_plain(reason, names)
        )
    gone = expert_erasure.erased_lists(records)
    for path in sorted(uploads.glob("*.sealed")) if uploads.is_dir() else ():
        if path.stem in gone:
            path.unlink()
    return Erased(ids, _lists_of(records, ids), not alive)


def lists_with(records: Records, row: ExpertRow) -> set[str]:
    """Give the hashes of the kept lists a person may stand in: all of the bureau since they came into the pool."""
    told = {str(side["source_sha256"]) for one in pages.changes(records, row.expert_id)
            for side in (one.before, one.after) if side.get("source_sha256")}  # fmt: skip
    first = row.entered_at - timedelta(days=1)
    later = {
        one["sha256"]
        for one in expert_erasure.events(records, LISTS)
        if one["event_bureau"] == row.bureau and one["event_at"] >= first
    }
    return {one for one in {*told, *later, row.source_sha256} if one}


def _lists_of(records: Records, ids: tuple[str, ...]) -> tuple[str, ...]:
    found = [
        one["lists"] for one in expert_erasure.events(records, expert_erasure.ERASED) if set(one["experts"]) & set(ids)
    ]
    return tuple(sorted({sha256 for lists in found for sha256 in lists}))


def _names(records: Records, row: ExpertRow) -> set[str]:
    sides = [side for one in pages.changes(records, row.expert_id) for side in (one.before, one.after)]
    return {row.name, row.name_key, *(str(side["name"]) for side in sides if side.get("name"))} - {""}


def _plain(text: str, names: set[str]) -> str:
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(name, expert_erasure.HIDDEN)
    return without_numbers(text)


# -- what follows from a correction ----------------------------------------------------------------------------------


def _columns(row: ExpertRow, vault: Vault, values: Mapping[str, Any]) -> dict[str, Any]:
    texts = {name: fold(str(value)) for name, value in values.items() if name in TEXTS}
    if not texts.get("name", "-") or not texts.get(IDENTITY, "-"):
        raise IncompleteExpert("姓名和证件号码不能更正为空白", "a name or identity number is not corrected to blank")
    found: dict[str, Any] = {name: texts[name] for name in ("name", "employer", "title") if name in texts}
    if "name" in texts:
        found["name_key"] = person_key(texts["name"])
    if "title" in texts:
        found["title_rank"] = title_rank(texts["title"])
    if "remark" in texts:
        found["remark"] = without_numbers(texts["remark"])
    if "employer_uscc" in texts:
        found |= _employer_code(row, texts["employer_uscc"])
    if IDENTITY in texts:
        number = texts[IDENTITY].replace(" ", "").upper()
        found |= {
            "identity_kind": "resident" if birth_date(number) else "other",
            "identity_mask": mask_identity(number),
        }
        if vault.index(number) != row.identity_index:
            found |= {"identity_index": vault.index(number)}
            found["identity_sealed"] = vault.seal(row.expert_id, IDENTITY, number)
    if PHONE in texts:
        number = texts[PHONE].replace(" ", "")
        found["phone_mask"] = mask_phone(number)
        if number != vault.open_(row.expert_id, PHONE, row.phone_sealed):
            found["phone_sealed"] = vault.seal(row.expert_id, PHONE, number)
    return found | {name: values[name] for name in DAYS if name in values}


def _employer_code(row: ExpertRow, text: str) -> dict[str, str]:
    uscc = read_uscc(text)
    if text and not uscc.usable:
        raise IncompleteExpert(f"统一社会信用代码有误：{uscc.reason_zh}", f"credit code: {uscc.reason_en}")
    division = read_division(uscc.code[2:8]) if uscc.usable else None
    return {"employer_uscc": uscc.code, "division": division or row.division}


def _refuse_taken(pool: PoolWriter, row: ExpertRow, index: str) -> None:
    others = pages.by_identity(pool.connection, [index]) if index else []
    if taken := [one.expert_id for one in others if one.bureau == row.bureau and one.expert_id != row.expert_id]:
        raise WrongState(
            f"该证件号码已是 {taken[0]} 的号码，请先核对是否同一人",
            f"this identity number is that of {taken[0]}: look whether they are one person first",
        )


def _living(records: Records, expert_id: str) -> tuple[str, ...]:
    ids = tuple(
        one for one in records_of_person(records, expert_id)
        if (row := expert(records, one)) is not None and row.erased_at is None
    )  # fmt: skip
    if not ids:
        raise unknown(expert_id)
    return ids


def _refuse_unsigned(by: str, reason: str) -> None:
    if not by.strip() or not reason.strip():
        raise IncompleteExpert(
            "须写明经办人和依据（本人申请、时间）", "this needs who does it, and the person's request"
        )


__all__ = ["Erased", "NoExpert", "Obstacle", "correct", "end_consent", "erase", "freeze", "obstacles", "unfreeze"]
