"""What people do with a filing once it was checked: hand it in, take it back, approve it, send it back.

Each asks first whose filing it is: to another bureau it does not exist. Everything else is decided in the one
transaction that moves it (``records/filings.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pipelines.batch import ReadLimits
from pipelines.errors import UnreadableFile
from pipelines.intake.receive import keep
from portal.access.caller import Caller, allowed, may_approve
from portal.filing import drafts
from portal.filing.beginning import facts_now
from portal.filing.desk import FilingDesk
from portal.filing.errors import GoneDraft, NotPermitted, NotReady, WrongWish
from records import filings
from records.errors import UnknownFiling
from records.filings import DRAFTS, HANDED_IN, Filing, HandIn
from records.store import Records
from schemas.filing_rules import FilingRules, return_reasons

REST = "rest"
"""Key of the confirmation that rows with errors stay out and only the others are handed in."""
STATEMENT = "statement"
WITHDRAWN = {
    "code": "withdrawn-by-submitter", "message": "报送单位已撤回，未发布", "message_en": "withdrawn by who handed it in",
    "row": None, "column": None,
}  # fmt: skip


def own_filing(desk: FilingDesk, caller: Caller, filing_id: str) -> Filing:
    """Give a filing of the caller's bureau.

    Raises
    ------
    UnknownFiling
        There is none, or it is another bureau's.
    """
    found = filings.filing(desk.records, filing_id)
    if found.bureau != caller.bureau:
        raise UnknownFiling(f"没有报送 {filing_id}", f"there is no filing {filing_id}")
    return found


def hand_in(
    desk: FilingDesk,
    caller: Caller,
    filing_id: str,
    *,
    statement: bool,
    confirmations: Mapping[str, str],
    at: datetime,
) -> Filing:
    """Hand a checked filing in: its receipt exists when this returns. Asked again it gives the same filing.

    ``confirmations`` gives a reason for each rule that flagged something and, under :data:`REST`, for leaving the refused
    rows out; see :func:`wanted_for`.

    Raises
    ------
    NotReady
        The statement or a reason is missing, or the file cannot be handed in at all.
    UnknownFiling, IllegalState, GoneDraft
    """
    found = own_filing(desk, caller, filing_id)
    if found.state in HANDED_IN and found.batch_id:
        return found
    _see_ready(desk.rules, found, statement, confirmations)
    given = {name: text.strip() for name, text in confirmations.items() if name in wanted_for(found)}
    return deliver(desk, found, caller.account_id, at, statement=statement, confirmations=given)


def wanted_for(filing: Filing) -> tuple[str, ...]:
    """Name what wants a reason before a checked filing is handed in: codes of rules, and :data:`REST`."""
    flagged = tuple(group["rule"] for group in filing.summary.get("groups", ()) if group["severity"] == "flag")
    return (*flagged, REST) if filing.blocking else flagged


def deliver(
    desk: FilingDesk, found: Filing, by: str, at: datetime, *, statement: bool, confirmations: Mapping[str, str]
) -> Filing:
    """Keep the bytes for good and make the batch, without asking whether it is ready."""
    member = found.summary.get("member")
    dataset = str(found.summary.get("dataset") or found.dataset)
    try:
        kept = keep(drafts.bytes_of(desk.places, found), desk.places.uploads, ReadLimits().file_bytes)
    except (GoneDraft, UnreadableFile, FileNotFoundError):
        again = filings.filing(desk.records, found.filing_id)  # somebody else handed it in at this moment
        if again.state in HANDED_IN and again.batch_id:
            return again
        raise
    what = HandIn(
        file_name=member["name"] if member else found.file_name,
        sha256=kept.sha256,
        sm3=kept.sm3,
        bytes=kept.size,
        facts=facts_now(desk, found.bureau, at),
        container=found.sha256 if member else None,
        review=desk.rules.needs_review(dataset, found.corrects),
        statement=statement,
        confirmations=confirmations,
    )
    return filings.hand_in(desk.records, found.filing_id, what, by, at)


def withdraw(desk: FilingDesk, caller: Caller, filing_id: str, at: datetime) -> Filing:
    """Take a filing back as long as nobody has decided on it; asked again, it stays withdrawn.

    Raises
    ------
    UnknownFiling, IllegalState
    """
    found = own_filing(desk, caller, filing_id)
    back = filings.withdraw(desk.records, found.filing_id, WITHDRAWN, caller.account_id, at, "")
    drafts.drop(desk.places, filing_id)
    return back


def recheck(desk: FilingDesk, caller: Caller, filing_id: str, dataset: str, at: datetime) -> Filing:
    """Check a draft again, as a file of this dataset: its bureau has a layout for it now.

    Raises
    ------
    UnknownFiling, IllegalState
    """
    own_filing(desk, caller, filing_id)
    return filings.recheck(desk.records, filing_id, dataset, caller.account_id, at)


def approve(desk: FilingDesk, caller: Caller, filing_id: str, at: datetime) -> Filing:
    """Let what was handed in be published; never one's own.

    Raises
    ------
    NotPermitted, UnknownFiling, IllegalState
    """
    _see_reviewer(desk, caller, own_filing(desk, caller, filing_id))
    return filings.approve(desk.records, filing_id, caller.account_id, at)


def send_back(desk: FilingDesk, caller: Caller, filing_id: str, code: str, text: str, at: datetime) -> Filing:
    """Return what was handed in, with a code of ``return_reasons.csv`` and words where the code needs them.

    Raises
    ------
    WrongWish, NotPermitted, UnknownFiling, IllegalState
    """
    found = own_filing(desk, caller, filing_id)
    _see_reviewer(desk, caller, found)
    reason = return_reasons().get(code)
    if reason is None:
        raise WrongWish("退回原因：未选择。请从列表中选择", f"the reason is one of {', '.join(return_reasons())}")
    if reason.needs_text and not text.strip():
        raise WrongWish("退回说明：未填写。请写明要改什么", "this reason needs words: say what to change")
    error = {
        "code": "returned-by-reviewer",
        "message": f"审核退回：{reason.title_zh}。{text.strip()}".removesuffix("。") + "。请修改后重新上传",
        "message_en": f"returned by the reviewer: {reason.title_en}. {text.strip()}".strip(),
        "row": None,
        "column": None,
    }
    return filings.send_back(desk.records, filing_id, code, text.strip(), error, caller.account_id, at)


def waiting_for_review(records: Records, bureau: str) -> list[Filing]:
    """List the filings of a bureau that wait for a reviewer, the one due first first (all have equally long)."""
    return filings.in_review(records, bureau)


def _see_ready(rules: FilingRules, found: Filing, statement: bool, confirmations: Mapping[str, str]) -> None:
    if found.purpose == "check":
        raise NotReady("本文件仅作预检，不能提交；请在上传时不勾选“仅预检”", "this file was only to be checked")
    if found.state in DRAFTS and found.state != "checked":
        raise NotReady("文件尚在校验，请稍候", "the file is still being checked")
    if found.state != "checked":
        raise NotReady(
            "该报送已结束（撤回或未能处理），不能提交；请重新上传", "this filing has ended: send the file again"
        )
    if found.error or (found.blocking and not rules.review.partial):
        raise NotReady(
            "本文件有必须修改的问题，不能提交；请修改后重新上传",
            "the file has errors that must be mended: send it again",
        )
    missing = tuple(name for name in wanted_for(found) if not str(confirmations.get(name, "")).strip())
    missing = missing if statement else (STATEMENT, *missing)
    if missing:
        raise NotReady(
            "提交前须核对：请勾选“我已核对”，并逐项说明待确认的问题",
            f"before handing in: tick the statement and explain what was flagged ({', '.join(missing)})",
            missing,
        )


def _see_reviewer(desk: FilingDesk, caller: Caller, found: Filing) -> None:
    dataset = str(found.summary.get("dataset") or found.dataset)
    decisions = [
        allowed(caller, desk.rules.reviewer_needs(dataset), found.bureau),
        may_approve(caller, found.account_id),
    ]
    if found.batch_id:  # a colleague may have handed in what this person sent
        decisions.append(may_approve(caller, desk.records.batch(found.batch_id).submitted_by))
    for decision in decisions:
        if not decision.ok:
            raise NotPermitted(decision)
