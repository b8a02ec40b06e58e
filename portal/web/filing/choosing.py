"""上传 step 1: what kind of data, which period, which files; limits are told before anything is chosen (U2, U9)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from starlette.responses import Response

from pipelines.sync import SUFFIXES
from portal.deadlines import open_periods, own_board, own_sources
from portal.filing import FilingDesk, Wish, open_desk
from portal.filing.beginning import PERIOD
from portal.template import write_template
from portal.web.asking import Ask, Site
from portal.web.errors import Problem
from portal.web.filing.downloads import XLSX, give, made
from portal.web.pages import CHINA, china_day, page, size
from portal.web.words import DATASETS, DUES
from records.filings import Filing
from records.store import BatchRecord
from schemas.templates import read_template

SENT = ("air", "water", "soil", "credit", "penalty")
"""What is uploaded here; expert lists hold personal data and have a door of their own."""
LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class Card:
    """One kind of data to choose, with its open period."""

    dataset: str
    title: str
    period: str
    due: str


def filing_desk(ask: Ask) -> FilingDesk:
    """Give what the actions on filings need."""
    return ask.site.once(_made_desk)


def _made_desk(site: Site) -> FilingDesk:
    return open_desk(site.places, site.records)


def new(ask: Ask) -> Response:
    """Show the form; an address may fill it in."""
    ask.need("batch.check", ask.me.bureau)
    asked = {
        name: ask.query.get(name, "")[:LONGEST_REASON].strip() for name in ("dataset", "period", "corrects", "reason")
    }
    wish = Wish(
        purpose="check" if ask.query.get("purpose") == "check" else "file",
        dataset=asked["dataset"] if asked["dataset"] in SENT else "", period=asked["period"], corrects=asked["corrects"],
        reason=asked["reason"], idempotency_key="",
    )  # fmt: skip
    return form(ask, wish)


def form(ask: Ask, wish: Wish, faults: Mapping[str, str] | None = None, begun: Sequence[Filing] = ()) -> Response:
    """Draw the form with what was wished and what is wrong with it."""
    corrects = corrected(ask, wish.corrects)
    found = cards(ask)
    if corrects is not None:
        wish = replace(wish, dataset=corrects.dataset or "")
    elif not wish.dataset and "dataset" not in ask.query and not faults:
        urgent = next((card for card in found if card.due), None)
        wish = replace(wish, dataset=urgent.dataset if urgent else "")
    if not wish.period and not faults and "period" not in ask.query:
        wish = replace(wish, period=next((card.period for card in found if card.dataset == wish.dataset), ""))
    limits = filing_desk(ask).rules.limits
    return page(
        ask, "filing/new.html", 422 if faults else 200,
        cards=found, wish=wish, corrects=corrects, faults=faults or {}, begun=begun, key=secrets.token_urlsafe(24),
        most=limits.file_bytes, most_files=limits.files, suffixes=SUFFIXES, may_submit=ask.may("batch.submit", ask.me.bureau).ok,
        limits=ask.words(
            f"支持 .xlsx、.xls、.csv、.json、.zip；单个不超过 {size(limits.file_bytes)}，一次不超过 {limits.files} 个；"
            "文本文件的编码为 UTF-8 或 GBK",
            f".xlsx, .xls, .csv, .json, .zip; at most {size(limits.file_bytes)} each and {limits.files} at once; "
            "text is UTF-8 or GBK",
        ),
    )  # fmt: skip


def cards(ask: Ask) -> list[Card]:
    """Give the kinds of data, each with the period that is open; where no timetable says, the month that is going on."""
    own = own_sources(ask.site.places, ask.me.bureau)
    due = open_periods(own_board(ask.site.records, own, ask.at), own)
    month = ask.at.astimezone(CHINA).strftime("%Y-%m")
    found = []
    for dataset in SENT:
        one = due.get(dataset)
        said = (
            f"{one.period} {ask.words.of(DUES, one.state)} · {ask.words('截止', 'by')} {china_day(one.at)}"
            if one
            else ""
        )
        found.append(Card(dataset, ask.words.of(DATASETS, dataset), one.period[:10] if one else month, said))
    return [*found, Card("", ask.words("自动识别", "find out"), month, "")]


def corrected(ask: Ask, receipt: str) -> BatchRecord | None:
    """Find the delivery a correction is for; another bureau's is not there."""
    if not receipt:
        return None
    batch = ask.site.records.batch(receipt)
    ask.need("batch.correct", batch.bureau)
    return batch


def period_fault(ask: Ask, period: str) -> str:
    """Say what is wrong with a period as written, if anything."""
    if PERIOD.fullmatch(period):
        return ""
    return ask.words(
        f"报送期间：“{period[:20]}”不是有效的期间。请写成 2026-04 或 2026-04-08，或留空。",
        f"Period: “{period[:20]}” is none. Write 2026-04 or 2026-04-08, or leave it empty.",
    )


def template(ask: Ask) -> Response:
    """Give the blank workbook of a kind of data, with the bureau's own stations and levels to choose from."""
    dataset = ask.path["dataset"]
    if dataset not in SENT:
        raise Problem(404)
    facts = ask.site.places.site_facts

    def make(target: Path) -> None:
        write_template(dataset, target, ask.me.bureau, facts if facts.is_dir() else None)

    edition = read_template(dataset).edition
    return give(made(ask, "template.xlsx", make), XLSX, f"{DATASETS[dataset][0]}报送模板_{edition}.xlsx")
