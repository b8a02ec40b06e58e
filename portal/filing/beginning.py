"""A file that came in becomes a filing: whose it is, what he wants of it, and whether it may be kept at all."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from pipelines.intake.personal import is_personal
from pipelines.sync import Road, facts_in_force
from portal.access.caller import Caller
from portal.filing import drafts
from portal.filing.desk import FilingDesk, Incoming, Wish
from portal.filing.errors import ExpertList, WrongWish
from records.errors import UnknownBatch
from records.filings import PURPOSES, Allowance, Filing, NewFiling, add_filing, day_in_china, new_filing_id
from schemas.layouts import DATASETS, layouts
from schemas.loaders import bureaus

PERIOD = re.compile(r"|\d{4}|\d{4}-\d{2}|\d{4}-\d{2}-\d{2}|\d{4}-W\d{2}")
LONGEST_REASON = 500
LONGEST_KEY = 200


def begin(desk: FilingDesk, caller: Caller, incoming: Incoming, wish: Wish, at: datetime) -> Filing:
    """Take a file as a filing of the caller's bureau and queue its check.

    The same bytes for the same purpose, not handed in yet, are the same filing; so is what comes with the same
    idempotency key. ``incoming`` is gone afterwards, whatever happens.

    Raises
    ------
    WrongWish, ExpertList, QuotaReached, KeyUsed
    """
    number = new_filing_id()
    try:
        _see_wish(desk, caller, wish)
        if wish.dataset == "experts" or is_personal(incoming.path, layouts(caller.bureau, desk.site)):
            raise ExpertList
        drafts.adopt(desk.places, number, incoming)
        made, new = add_filing(desk.records, _new(number, caller, incoming, wish), _allowance(desk, caller, at), at)
    except BaseException:
        drafts.drop(desk.places, number)
        raise
    finally:
        incoming.drop()
    if not new:
        drafts.drop(desk.places, number)
    return made


def facts_now(desk: FilingDesk, bureau: str, at: datetime) -> str:
    """Give the hash of the facts a file of a bureau is judged by now."""
    road = Road(desk.places, lambda: at, desk.records)
    return facts_in_force(road, bureaus(desk.site)[bureau], at)


def _new(number: str, caller: Caller, incoming: Incoming, wish: Wish) -> NewFiling:
    return NewFiling(
        number, caller.bureau, caller.account_id, caller.login, caller.name, incoming.file_name, incoming.sha256,
        incoming.sm3, incoming.bytes, wish.purpose, wish.dataset, wish.period, wish.corrects, wish.reason.strip(),
        wish.idempotency_key,
    )  # fmt: skip


def _allowance(desk: FilingDesk, caller: Caller, at: datetime) -> Allowance:
    quota, same = desk.rules.quota, timedelta(hours=desk.rules.drafts.same_hours)
    facts = facts_now(desk, caller.bureau, at)
    return Allowance(day_in_china(at), quota.files_a_day, quota.bytes_a_day, at - same, facts)


def _see_wish(desk: FilingDesk, caller: Caller, wish: Wish) -> None:
    if wish.purpose not in PURPOSES:
        raise WrongWish("报送用途：无法识别。请重新选择", f"the purpose is one of {', '.join(PURPOSES)}")
    if wish.dataset and wish.dataset not in DATASETS:
        raise WrongWish("数据类型：无法识别。请重新选择", f"the dataset is one of {', '.join(DATASETS)}")
    if not PERIOD.fullmatch(wish.period):
        raise WrongWish(
            "报送期间：格式不对。请写成 2026-04 或 2026-04-08", "the period is written 2026, 2026-04 or 2026-04-08"
        )
    if len(wish.reason) > LONGEST_REASON or len(wish.idempotency_key) > LONGEST_KEY:
        raise WrongWish(
            f"更正原因：超过 {LONGEST_REASON} 字。请写短一些", f"the reason has more than {LONGEST_REASON} characters"
        )
    if wish.corrects:
        _see_correction(desk, caller, wish)


def _see_correction(desk: FilingDesk, caller: Caller, wish: Wish) -> None:
    if not wish.reason.strip():
        raise WrongWish("更正原因：未填写。请写明更正的原因", "a correction says why")
    try:
        corrected = desk.records.batch(wish.corrects)
    except UnknownBatch:
        corrected = None
    if corrected is None or corrected.bureau != caller.bureau or corrected.state != "published":
        raise WrongWish(
            "被更正的回执：本单位没有这一已发布的报送。请核对回执编号",
            "no published delivery of this bureau has this receipt",
        )
