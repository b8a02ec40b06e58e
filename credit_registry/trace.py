"""The trace of using the register: who asks must say why, every use is kept, and bulk use without a plan is told.

What is asked is on record before the answer is given. The owner of a record sees who looked at it
(:func:`readers`); what looks like trawling is given as a dict and becomes an alarm in the portal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from credit_registry.errors import IncompleteRequest, UnknownPurpose
from records.credit import Access, accesses, record_access
from schemas.credit_facts import find_purpose, purposes
from schemas.files import fold
from schemas.trace_limits import trace_limits

if TYPE_CHECKING:
    from records.store import Records

COUNTED_BY_LINE = ("screen", "export", "draw")
"""Kinds of access that show many enterprises at once; of the others each is one."""

NO_PLAN = "other"
"""The purpose whose plan is only a reason in words: it excuses no bulk use."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, and why; ``viewer`` of an answer is the bureau of the unit."""

    user: str
    unit: str
    certificate: str
    purpose: str
    plan: str


def checked(asker: Asker) -> Asker:
    """Give the asker with the code of the purpose, also where its title was written.

    Raises
    ------
    IncompleteRequest
        No user, unit or purpose, or no plan number where the purpose needs one.
    UnknownPurpose
    """
    asker = Asker(**{name: fold(text) for name, text in asdict(asker).items()})
    known = purposes()
    titles = "、".join(f"{one.title_zh}({one.code})" for one in known.values())
    codes = ", ".join(known)
    if not (asker.user and asker.unit):
        raise IncompleteRequest(
            "查询须写明查询人和单位（--unit 或 GONGZHI_UNIT）",
            "a look-up needs its user and unit (--unit or GONGZHI_UNIT)",
        )
    if not asker.purpose:
        raise IncompleteRequest(
            f"查询须写明目的（--purpose 或 GONGZHI_PURPOSE）：{titles}",
            f"a look-up needs its purpose (--purpose or GONGZHI_PURPOSE): {codes}",
        )
    purpose = find_purpose(asker.purpose)
    if purpose is None:
        raise UnknownPurpose(
            f"没有查询目的“{asker.purpose}”；可选：{titles}", f"no purpose {asker.purpose!r}; there are {codes}"
        )
    if purpose.needs_plan and not asker.plan:
        raise IncompleteRequest(
            f"目的为“{purpose.title_zh}”时须用 --plan 写明{purpose.plan_zh}",
            f"for the purpose {purpose.code} name with --plan: {purpose.plan_en}",
        )
    return replace(asker, purpose=purpose.code)


def trace(
    records: Records,
    asker: Asker,
    kind: str,
    asked: str,
    *,
    at: datetime,
    version: str,
    result: str,
    uscc: str = "",
    owners: Collection[str] = (),
    count: int = 0,
) -> Access:
    """Keep one use of the register; the purpose is checked first."""
    return record_access(
        records, at=at, **asdict(checked(asker)), kind=kind, asked=asked, uscc=uscc, owners=owners,
        version=version, result=result, count=count,
    )  # fmt: skip


def readers(
    records: Records,
    bureau: str,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """List who looked at the records of a bureau, the newest first, ready for JSON."""
    known = purposes()
    found = accesses(records, owner=bureau, since=since, until=until, limit=limit)
    return [
        asdict(one)
        | {"at": one.at.isoformat(), "purpose_zh": known[one.purpose].title_zh if one.purpose in known else one.purpose}
        for one in found
    ]


def bulk_use(
    records: Records, now: datetime, looked_into: Mapping[str, datetime] | None = None
) -> list[dict[str, Any]]:
    """Find users who looked at more enterprises without a plan than allowed, within the window that ends now.

    Parameters
    ----------
    looked_into : mapping of user to datetime, optional
        Until when the looks of a user were looked into: they are not counted again.

    Returns
    -------
    list of dict
        ``user``, ``unit``, ``count``, ``limit``, ``minutes``, ``newest`` (access), ``message``, ``message_en``.
    """
    limits = trace_limits()
    most, window = limits["bulk-lookups"], limits["bulk-window"].value
    looks = [
        one
        for one in accesses(records, since=now - timedelta(minutes=window), until=now + timedelta(microseconds=1))
        if one.kind in most.kinds
        and (not one.plan or one.purpose == NO_PLAN)
        and not (looked_into and one.user in looked_into and one.at <= looked_into[one.user])
    ]
    seen: Counter[str] = Counter()
    for one in looks:
        seen[one.user] += max(one.count, 1) if one.kind in COUNTED_BY_LINE else 1
    newest = {one.user: one for one in reversed(looks)}
    return [_trawl(newest[user], count, most.value, window) for user, count in seen.items() if count > most.value]


def _trawl(newest: Access, count: int, most: int, minutes: int) -> dict[str, Any]:
    return {
        "user": newest.user, "unit": newest.unit, "count": count, "limit": most, "minutes": minutes,
        "newest": newest.access_id,
        "message": f"{newest.unit} 的 {newest.user} 在 {minutes} 分钟内未凭计划查看 {count} 家企业（上限 {most}）",
        "message_en": f"{newest.user} of {newest.unit} looked at {count} enterprises in {minutes} minutes"
        f" without a plan (limit {most})",
    }  # fmt: skip
