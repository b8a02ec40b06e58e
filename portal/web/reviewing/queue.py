"""审核: the queue by deadline, one filing with what its sender confirmed, and the decision; never on one's own (R1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from starlette.responses import Response

from portal.access.caller import Decision, may_approve
from portal.filing import approve, findings_of_filing, send_back, waiting_for_review
from portal.filing.errors import WrongWish
from portal.web.asking import Ask, refusal, see
from portal.web.filing.choosing import filing_desk
from portal.web.filing.following import own_filing
from portal.web.filing.groups import sort_findings
from portal.web.filing.summarising import dataset_words, summary_values
from portal.web.filing.words import state_tone, state_words
from portal.web.pages import page
from portal.web.words import CLASSES
from portal.words import SEVERITIES
from records.filings import Filing
from schemas.filing_rules import return_reasons

LONGEST_TEXT = 500
TOLD = {
    "approved": ("已通过，正在发布。", "Approved; it is being published."),
    "returned": ("已退回，填报人会看到原因。", "Returned; the sender sees the reason."),
}


@dataclass(frozen=True, slots=True)
class Row:
    """A filing that waits."""

    filing: Filing
    dataset: str
    by: datetime
    over: bool
    own: bool


def queue(ask: Ask) -> Response:
    """List what waits for a reviewer of the caller's bureau, the most urgent first."""
    ask.need("batch.review", ask.me.bureau)
    rows = [row_of(ask, one) for one in waiting_for_review(ask.site.records, ask.me.bureau)]
    return page(
        ask,
        "reviewing/queue.html",
        rows=rows,
        told=ask.words.of(TOLD, ask.query["told"]) if ask.query.get("told") in TOLD else "",
    )


def row_of(ask: Ask, one: Filing) -> Row:
    """Give a line of the queue."""
    by = filing_desk(ask).rules.review_due(one.handed_in_at or one.created_at)
    return Row(one, dataset_words(ask, one), by, by < ask.at, not may_approve(ask.me, one.account_id).ok)


def show(ask: Ask) -> Response:
    """Show one filing to its reviewer."""
    return _page(ask, own_filing(ask, "batch.review"), {})


def approved(ask: Ask) -> Response:
    """Let a filing go out; a second click finds it decided."""
    found = own_filing(ask, "batch.review")
    if found.state != "in_review" and found.decision == "approved":
        return see("/reviews", told="approved")
    _see_may(ask, found)
    approve(filing_desk(ask), ask.me, found.filing_id, ask.at)
    return see("/reviews", told="approved")


def returned(ask: Ask) -> Response:
    """Send a filing back with a reason of the list."""
    found = own_filing(ask, "batch.review")
    _see_may(ask, found)
    code, text = ask.form.get("code", ""), ask.form.get("text", "").strip()[:LONGEST_TEXT]
    try:
        send_back(filing_desk(ask), ask.me, found.filing_id, code, text, ask.at)
    except WrongWish as error:
        field = "text" if code in return_reasons() else "code"
        return _page(ask, found, {field: ask.words(f"{error.message}。", f"{error.message_en}.")})
    return see("/reviews", told="returned")


def decision_on(ask: Ask, found: Filing) -> Decision:
    """Say whether the caller may decide on a filing, and why not."""
    wanted = ask.may(
        filing_desk(ask).rules.reviewer_needs(str(found.summary.get("dataset") or found.dataset)), found.bureau
    )
    return wanted if not wanted.ok else may_approve(ask.me, found.account_id)


def _see_may(ask: Ask, found: Filing) -> None:
    decision = decision_on(ask, found)
    if not decision.ok:
        raise refusal(decision)


def _page(ask: Ask, found: Filing, faults: Mapping[str, str]) -> Response:
    frame = findings_of_filing(ask.site.places, found)
    flagged = {group.rule: group for group in sort_findings(frame, ask.words).groups["confirm"]}
    decision = decision_on(ask, found)
    reasons = {code: (one.title_zh, one.title_en) for code, one in return_reasons().items()}
    return page(
        ask, "reviewing/one.html", 422 if faults else 200,
        state=state_words(found), tone=state_tone(found), faults=faults, waits=found.state == "in_review",
        confirmations=[(flagged[rule], said) for rule, said in found.confirmations.items() if rule in flagged],
        found=sort_findings(frame, ask.words, ask.query.get("rule", ""), ask.query.get("q", "")),
        classes=CLASSES, severities=SEVERITIES, refusal="" if decision.ok else ask.words(decision.reason_zh, decision.reason_en),
        reasons=reasons, code=ask.form.get("code", ""), text=ask.form.get("text", ""), **summary_values(ask, found),
    )  # fmt: skip
