"""核对并提交: the summary, what has to be confirmed, the statement, and the hand-in, which happens once (U6); 撤回."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from portal.filing import REST, findings_of_filing, hand_in, wanted_for, withdraw
from portal.filing.errors import NotReady
from portal.web.asking import Ask, see
from portal.web.filing.choosing import filing_desk
from portal.web.filing.following import hand_in_words, may_hand_in, own_filing
from portal.web.filing.groups import Group, sort_findings
from portal.web.filing.summarising import rows_of, summary_values
from portal.web.pages import page
from records.filings import Filing

LONGEST_WHY = 200
MOST = 64 * 1024
"""Bytes of the form: an explanation for each rule, in Chinese, percent-encoded."""
SURE = "已核对原始记录，数值属实"
"""What a tick without further words is kept as."""
LEFT_OUT = "有错误的行不提交，修改后另行报送"


def hand_in_page(ask: Ask) -> Response:
    """Show what is about to be handed in; what was handed in already has its receipt."""
    found = own_filing(ask, "batch.submit")
    if found.receipt:
        return see(f"/receipts/{found.receipt}")
    if not may_hand_in(ask, found):
        return see(f"/filings/{found.filing_id}")
    return _page(ask, found, {}, {})


def handed_in(ask: Ask) -> Response:
    """Hand a filing in; a second click, or a reload, gives the same receipt."""
    found = own_filing(ask, "batch.submit")
    if found.receipt:
        return see(f"/receipts/{found.receipt}")
    if not may_hand_in(ask, found):
        return see(f"/filings/{found.filing_id}")
    groups = to_confirm(ask, found)
    faults = _faults(ask, found, groups)
    if faults:
        return _page(ask, found, ask.form, faults)
    given = {rule: ask.form.get(f"why-{rule}", "").strip()[:LONGEST_WHY] or SURE for rule in wanted_for(found)}
    given |= {REST: LEFT_OUT} if found.blocking else {}
    try:
        done = hand_in(filing_desk(ask), ask.me, found.filing_id, statement=True, confirmations=given, at=ask.at)
    except NotReady as error:
        return _page(ask, found, ask.form, {"": ask.words(error.message, error.message_en)})
    return see(f"/receipts/{done.receipt}", again="1" if done.state == "repeated" else "")


def withdrawn(ask: Ask) -> Response:
    """Drop a draft, or take back what a reviewer has not looked at yet."""
    found = own_filing(ask, "batch.submit")
    done = withdraw(filing_desk(ask), ask.me, found.filing_id, ask.at)
    return see(f"/filings/{done.filing_id}", told="withdrawn")


def to_confirm(ask: Ask, found: Filing) -> tuple[Group, ...]:
    """Give what the person has to confirm, by rule."""
    return sort_findings(findings_of_filing(ask.site.places, found), ask.words).groups["confirm"]


def _faults(ask: Ask, found: Filing, groups: tuple[Group, ...]) -> dict[str, str]:
    faults = {}
    for group in groups:
        if ask.form.get(f"sure-{group.rule}") != "yes" and not ask.form.get(f"why-{group.rule}", "").strip():
            faults[f"sure-{group.rule}"] = ask.words(
                f"“{group.message}”：没有确认。请核对后打勾，或填写说明。",
                f"“{group.message}”: not confirmed. Tick it after looking, or explain.",
            )
    if found.blocking and ask.form.get("rest") != "yes":
        faults["rest"] = ask.words(
            "不提交的行：没有打勾。请确认有错误的行不提交，或修改后重新上传。",
            "Rows left out: not ticked. Agree that they stay out, or mend the file and send it again.",
        )
    if ask.form.get("statement") != "yes":
        faults["statement"] = ask.words(
            "提交声明：没有打勾。请核对内容后打勾。", "Statement: not ticked. Look at the summary, then tick it."
        )  # fmt: skip
    return faults


def _page(ask: Ask, found: Filing, form: Mapping[str, str], faults: Mapping[str, str]) -> Response:
    rows, groups = rows_of(found), to_confirm(ask, found)
    dataset = str(found.summary.get("dataset") or found.dataset)
    values: dict[str, Any] = summary_values(ask, found)
    return page(
        ask, "filing/hand_in.html", 422 if faults else 200,
        confirm=groups, faults=faults, stated=form.get("statement") == "yes",
        rest=form.get("rest") == "yes",
        given={one.rule: form.get(f"sure-{one.rule}") == "yes" for one in groups},
        whys={one.rule: form.get(f"why-{one.rule}", "") for one in groups},
        left_out=rows.get("partial", 0) + rows.get("refused", 0) if found.blocking else 0,
        hand_in_words=hand_in_words(ask, found), reviewed=filing_desk(ask).rules.needs_review(dataset, found.corrects),
        **values,
    )  # fmt: skip
