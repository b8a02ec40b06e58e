"""A filing as its page shows it: how far it is (U3), what the check found (U4), and its files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from portal.filing import findings_of_filing, make_report
from portal.web.asking import Ask
from portal.web.errors import Problem
from portal.web.filing.choosing import filing_desk
from portal.web.filing.downloads import CSV, XLSX, give, made
from portal.web.filing.groups import sort_findings
from portal.web.filing.summarising import dataset_words, results_of, rows_of
from portal.web.filing.words import FILING_STATES, MOVING, NO_LAYOUT, stages_of, state_tone, state_words
from portal.web.pages import page
from portal.web.words import CLASSES
from portal.words import SEVERITIES
from records.accounts import accounts
from records.filings import WORKER, Filing, filing, filing_events, queue_place
from schemas.filing_rules import return_reasons

SLOWEST = 10_000
"""Milliseconds between two questions of a page that waits; it begins with a second."""
GROWTH = 1.25
COURSE = {
    "queued": ("上传完成，开始排队", "uploaded and queued"),
    "checking": ("开始校验", "the check began"),
    "checked": ("校验完成", "checked"),
    "in_review": ("已提交，等待审核", "handed in, waits for review"),
    "handing_in": ("已提交，开始发布", "handed in, being published"),
}
"""Words of the course, where they are not those of the state."""


@dataclass(frozen=True, slots=True)
class Event:
    """One step of a filing."""

    at: datetime
    words: tuple[str, str]
    by: str
    note: str


def own_filing(ask: Ask, permission: str) -> Filing:
    """Find the filing an address names, if the caller may see it."""
    found = filing(ask.site.records, ask.path["filing"])
    ask.need(permission, found.bureau)
    return found


def one(ask: Ask) -> Response:
    """Show a filing: its way while it moves, then its findings."""
    found = own_filing(ask, "batch.read")
    moving = found.state in MOVING
    asked = _count(ask.query.get("n", ""))
    values = moving_values(ask, found, asked) if moving else findings_values(ask, found)
    return page(
        ask, "filing/one.html",
        filing=found, state=state_words(found), tone=state_tone(found), moving=moving, told=_told(ask),
        events=list(events(ask, found)), **values,
    )  # fmt: skip


def progress(ask: Ask) -> Response:
    """Tell the page how far a filing is; when it moves no more the page is to be loaded anew."""
    found = own_filing(ask, "batch.read")
    if found.state not in MOVING:
        target = f"/receipts/{found.receipt}" if found.receipt and found.handed_in_at else f"/filings/{found.filing_id}"
        return Response(status_code=200, headers={"hx-redirect": target})
    return page(ask, "filing/progress.html", **moving_values(ask, found, _count(ask.query.get("n", ""))), filing=found,
                state=state_words(found))  # fmt: skip


def moving_values(ask: Ask, found: Filing, asked: int) -> dict[str, Any]:
    """Give what the progress of a filing shows; ``asked`` is how often the page asked before."""
    place = queue_place(ask.site.records, found.filing_id)
    since = found.handed_in_at if found.state == "handing_in" and found.handed_in_at else found.created_at
    return {
        "stages": stages_of(found), "place": place, "rows": rows_of(found).get("read", 0), "asked": asked,
        "delay": min(SLOWEST, round(1000 * GROWTH ** min(asked, 20))),
        "seconds": max(0, int((ask.at - since).total_seconds())),
    }  # fmt: skip


def findings_values(ask: Ask, found: Filing) -> dict[str, Any]:
    """Give what the check found, and what may be done now."""
    rows, results = rows_of(found), results_of(found)
    frame = findings_of_filing(ask.site.places, found)
    may = may_hand_in(ask, found)
    no_layout = found.state == "checked" and (found.error or {}).get("code") in NO_LAYOUT
    return {
        "rows": rows, "results": results, "dataset": dataset_words(ask, found),
        "headline": headline(ask, found), "found": sort_findings(frame, ask.words, ask.query.get("rule", ""), ask.query.get("q", "")),
        "classes": CLASSES, "severities": SEVERITIES, "draft": found.state == "checked",
        "can_hand_in": may, "hand_in_words": hand_in_words(ask, found) if may else "",
        "no_layout": no_layout, "can_lay_out": no_layout and ask.may("layout.write", found.bureau).ok,
        "can_withdraw": found.state == "checked" and ask.may("batch.submit", found.bureau).ok,
        "again": urlencode({
            name: value for name, value in (
                ("dataset", found.dataset), ("period", found.period), ("corrects", found.corrects), ("reason", found.reason),
                ("purpose", "check" if found.purpose == "check" else ""),
            ) if value
        }),
        "decision": _reason(ask, found), "decision_text": found.decision_text,
    }  # fmt: skip


def headline(ask: Ask, found: Filing) -> str:
    """Say in words what the check found."""
    rows = rows_of(found)
    if not rows:
        return ""
    mend = rows["partial"] + rows["refused"]
    said = ask.words(
        f"共 {rows['read']:,} 行：通过 {rows['clean']:,}，需修改 {mend:,}，请确认 {found.to_confirm:,} 处",
        f"{rows['read']:,} rows: {rows['clean']:,} pass, {mend:,} to be mended, {found.to_confirm:,} to confirm",
    )
    return said + (
        ask.words(f"，重复 {rows['repeated']:,}", f", {rows['repeated']:,} repeated") if rows["repeated"] else ""
    )


def may_hand_in(ask: Ask, found: Filing) -> bool:
    """Say whether a filing can be handed in by the caller: whole, or without its bad rows where the rules allow."""
    ready = found.state == "checked" and found.purpose == "file" and not found.error
    some = results_of(found).get("published", 0) > 0
    whole = not found.blocking or filing_desk(ask).rules.review.partial
    return ready and some and whole and ask.may("batch.submit", found.bureau).ok


def hand_in_words(ask: Ask, found: Filing) -> str:
    """Give the words of the button: all rows, or those that are left."""
    rows = rows_of(found)
    if not found.blocking:
        return ask.words("提交", "Hand in")
    rest = rows["clean"] + rows["partial"]
    return ask.words(f"提交其余 {rest:,} 行", f"Hand in the other {rest:,} rows")


def events(ask: Ask, found: Filing) -> Iterator[Event]:
    """Give the course of a filing."""
    names = {one.account_id: one.name for one in accounts(ask.site.records, found.bureau)}
    names[WORKER] = ask.words("系统", "the exchange")
    reasons = return_reasons()
    for event in filing_events(ask.site.records, found.filing_id):
        words = FILING_STATES.get(event.state, (event.state, event.state))
        reason = reasons.get(event.note)
        note = ask.words(reason.title_zh, reason.title_en) if reason else event.note
        yield Event(event.at, COURSE.get(event.state, words), names.get(event.by, event.by), note)


def annotated(ask: Ask) -> Response:
    """Give a copy of the file with its cells coloured and explained."""
    found = own_filing(ask, "batch.download")
    return give(_made(ask, found, "annotated.xlsx"), XLSX, f"{Path(found.file_name).stem}-标注.xlsx")


def error_list(ask: Ask) -> Response:
    """Give all findings as CSV."""
    found = own_filing(ask, "batch.download")
    return give(_made(ask, found, "findings.csv"), CSV, f"{Path(found.file_name).stem}-错误清单.csv")


def _made(ask: Ask, found: Filing, name: str) -> bytes:
    if found.state in ("queued", "checking", "withdrawn"):
        raise Problem(409, "not-checked", "文件还没有校验完，或已撤回", "the file is not checked yet, or was withdrawn")
    return made(ask, name, lambda target: make_report(ask.site.places, ask.site.records, found, target))


def _reason(ask: Ask, found: Filing) -> str:
    reason = return_reasons().get(found.decision)
    return ask.words(reason.title_zh, reason.title_en) if reason else found.decision


def _told(ask: Ask) -> str:
    said = {"withdrawn": ("已撤回。", "Withdrawn.")}
    return ask.words.of(said, ask.query["told"]) if ask.query.get("told") in said else ""


def _count(text: str) -> int:
    return min(int(text), 1000) if text.isascii() and text.isdigit() and len(text) < 5 else 0
