"""What experts and offices declare: employments, ties, consents, leaves, years of practice, a bank account.

A declaration is added, never overwritten: an employment ends, a consent is revoked, a tie is cleared with its day and
reason, and what stood before stays in the records. Revoking a consent ends the use, not the archive of what was done
while it held.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from expert_registry.errors import IncompleteExpert, UnknownWord
from expert_registry.people import Consent, Employment, Leave, Tie
from expert_registry.privacy.vault import BANK, Vault
from expert_registry.roster.pool import find, unknown
from records import expert_pages as pages
from records.experts import change_expert, row_of, writing
from records.store import Records
from schemas.experts import CONSENTS, expert_roles
from schemas.files import fold
from schemas.identifiers import read_uscc
from schemas.personal import without_numbers
from schemas.recusal_facts import tie_kinds


def declare_employment(records: Records, expert_id: str, work: Employment, by: str, at: datetime) -> None:
    """Add an employment, present or past; it does not change what the roster shows as the employer."""
    _refuse_word(work.role, tuple(expert_roles()), "任职身份", "role")
    _refuse_days(work.since, work.until)
    _refuse_blank(work.employer or work.uscc, work.source)
    code = _code(work.uscc)
    values = {"employer": fold(work.employer), "uscc": code, "role": work.role, "since": work.since}
    _tell(records, expert_id, "employment", values | {"until": work.until, "source": work.source}, by, at)


def end_employment(
    records: Records, expert_id: str, employer: str, until: date, by: str, at: datetime, reason: str = ""
) -> int:
    """Say on which day the work for an employer (name or code) ended; gives how many employments that were."""
    name, code = fold(employer), read_uscc(employer).code
    with writing(records, by, at) as pool:
        if row_of(pool.connection, expert_id) is None:
            raise unknown(expert_id)
        works = pages.parts(pool.connection, [expert_id], ("employment",))["employment"].get(expert_id, [])
        mine = [one for one in works if one.until is None and (one.employer == name or (code and one.uscc == code))]
        for one in mine:
            _refuse_days(one.since, until)
            pool.amend("employment", one.id, {"until": until}, reason)
    return len(mine)


def declare_tie(records: Records, expert_id: str, tie: Tie, by: str, at: datetime) -> None:
    """Add a tie to an enterprise, a work or a matter, or a clearance of one."""
    _refuse_word(tie.kind, tie_kinds(), "关系种类", "kind of tie")
    _refuse_days(tie.since, tie.until)
    _refuse_blank(tie.source)
    values = {
        "kind": tie.kind,
        "uscc": _code(tie.uscc),
        "party": fold(tie.party),
        "matter": fold(tie.matter),
        "since": tie.since,
        "until": tie.until,
        "amount_fen": tie.amount_fen,
        "detail": without_numbers(tie.detail),
        "source": tie.source,
    }
    _tell(records, expert_id, "tie", values, by, at)


def clear_tie(records: Records, expert_id: str, tie_id: int, by: str, at: datetime, reason: str) -> None:
    """Take back a tie that was told by mistake; it counts no more, and stays in the records."""
    _refuse_blank(reason)
    with writing(records, by, at) as pool:
        ties = pages.parts(pool.connection, [expert_id], ("tie",))["tie"].get(expert_id, [])
        if tie_id not in {one.id for one in ties}:
            raise UnknownWord(f"{expert_id} 没有编号 {tie_id} 的关系", f"{expert_id} has no tie {tie_id}")
        pool.amend("tie", tie_id, {"cleared_at": at}, reason)


def give_consent(records: Records, expert_id: str, consent: Consent, by: str, at: datetime) -> None:
    """Keep a consent with its day and document."""
    _refuse_word(consent.kind, CONSENTS, "同意的种类", "kind of consent")
    _refuse_blank(consent.document)
    _refuse_days(consent.given_on, consent.revoked_on)
    values = {"kind": consent.kind, "given_on": consent.given_on, "revoked_on": consent.revoked_on}
    _tell(records, expert_id, "consent", values | {"document": consent.document}, by, at)


def revoke_consent(
    records: Records, expert_id: str, kind: str, on: date, by: str, at: datetime, reason: str = ""
) -> int:
    """Revoke every consent of a kind from a day on; gives how many. Without consent the bank account is forgotten."""
    _refuse_word(kind, CONSENTS, "同意的种类", "kind of consent")
    with writing(records, by, at) as pool:
        row = row_of(pool.connection, expert_id)
        if row is None:
            raise unknown(expert_id)
        given = pages.parts(pool.connection, [expert_id], ("consent",))["consent"].get(expert_id, [])
        mine = [one for one in given if one.kind == kind and (one.revoked_on is None or one.revoked_on > on)]
        for one in mine:
            pool.amend("consent", one.id, {"revoked_on": max(on, one.given_on)}, reason)
        if kind == "bank" and row.bank_sealed:
            pool.change(row, {"bank_sealed": ""}, "bank-forgotten", reason)
    return len(mine)


def take_leave(records: Records, expert_id: str, leave: Leave, by: str, at: datetime) -> None:
    """Keep days on which an expert cannot be asked."""
    _refuse_days(leave.since, leave.until)
    values = {"since": leave.since, "until": leave.until, "reason": without_numbers(leave.reason)}
    _tell(records, expert_id, "leave", values, by, at)


def set_practice(records: Records, expert_id: str, since: date, by: str, at: datetime, reason: str = "") -> None:
    """Say since when an expert works in the field."""
    find(records, expert_id)
    change_expert(records, expert_id, {"practice_since": since}, by=by, at=at, reason=reason)


def set_bank(records: Records, vault: Vault, expert_id: str, account: str, by: str, at: datetime) -> None:
    """Seal a bank account; only with a consent for it (PIPL Art. 29), which the paying side shows."""
    find(records, expert_id)
    with records.database.read() as connection:
        given = pages.parts(connection, [expert_id], ("consent",))["consent"].get(expert_id, [])
    if not any(one.kind == "bank" and one.revoked_on is None for one in given):
        raise IncompleteExpert(
            f"{expert_id} 没有单独同意保存银行账户，请先登记同意书",
            f"{expert_id} gave no separate consent to keep a bank account; register it first",
        )
    sealed = vault.seal(expert_id, BANK, fold(account))
    change_expert(records, expert_id, {"bank_sealed": sealed}, by=by, at=at, kind="bank")


def _tell(records: Records, expert_id: str, part: str, values: Mapping[str, Any], by: str, at: datetime) -> None:
    if not by.strip():
        raise IncompleteExpert("须写明经办人", "who tells it is missing")
    with writing(records, by, at) as pool:
        row = row_of(pool.connection, expert_id)
        if row is None or row.erased_at is not None:
            raise unknown(expert_id)
        pool.tell(expert_id, part, values)


def _code(text: str) -> str:
    uscc = read_uscc(text)
    if text.strip() and not uscc.usable:
        raise IncompleteExpert(
            f"统一社会信用代码 {uscc.text!r} 有误：{uscc.reason_zh}", f"credit code {uscc.text!r}: {uscc.reason_en}"
        )
    return uscc.code


def _refuse_word(word: str, known: tuple[str, ...], zh: str, en: str) -> None:
    if word not in known:
        raise UnknownWord(
            f"不认识的{zh} {word!r}，应为 {'、'.join(known)}", f"unknown {en} {word!r}: {', '.join(known)}"
        )


def _refuse_blank(*texts: str) -> None:
    if not all(text.strip() for text in texts):
        raise IncompleteExpert(
            "申报须写明对象和依据（或理由）", "a declaration needs what it is about and its source or reason"
        )


def _refuse_days(since: date | None, until: date | None) -> None:
    if since is not None and until is not None and until < since:
        raise IncompleteExpert(f"截止日 {until} 早于起始日 {since}", f"the end {until} is before the beginning {since}")
