"""What a role sees of the pool: a page of the list, one expert, why somebody may not sit. Each look is written first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from expert_registry.draw.callout import CallOut, ranking
from expert_registry.draw.opening import own_entry
from expert_registry.draw.requests import PanelRequest
from expert_registry.errors import UnknownWord
from expert_registry.people import Expert
from expert_registry.privacy import masks
from expert_registry.recusal.reasons import RecusalFacts
from expert_registry.roster.pool import find, load, load_one
from portal.expert_desk import Office
from portal.expert_requests import read_panel
from records import expert_pages
from records.expert_access import expert_accesses
from records.expert_matches import matches
from records.store import CHINA

HISTORY_ROLES = ("pool_staff", "auditor")
"""Who sees employments, ties, consents, leaves and changes: those who keep them and those who check them."""
PERSONAL = {"name", "employer", "employer_uscc", "title", "identity", "phone", "bank", "remark", "division"}
"""Fields of a view that are told of a person, for the record of a look."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A page; ``after`` is the number to go on from, blank at the end."""

    people: list[dict[str, Any]]
    after: str


def page(
    office: Office, text: str, bureau: str | None, state: str | None, specialty: str | None, limit: int, after: str
) -> Shown:
    """Give a page of the pool as the role may see it.

    Raises
    ------
    UnknownWord
        No such role, or one that may not see names searches by them.
    """
    on = _today(office)
    if text and masks.visible(office.role, (), on).get("name") != "clear":
        raise UnknownWord(
            f"角色 {office.role} 不见姓名，不能按姓名或单位检索", f"role {office.role} sees no names: no search by them"
        )
    start = find(office.records, after) if after else None
    found = expert_pages.experts(
        office.records, text=text, bureau=bureau, state=state, specialty=specialty, limit=limit,
        after=(start.name_key, start.expert_id) if start else None,
    )  # fmt: skip
    people = {one.expert_id: one for one in load(office.records, ids=[row.expert_id for row in found.experts])}
    shown = [_listed(office, people[row.expert_id], on) for row in found.experts]
    fields = {name for one in shown for name in one} & PERSONAL
    office.looked("list", fields, count=len(shown))
    return Shown([one for one in shown if one], found.after[1] if found.after else "")


def _listed(office: Office, expert: Expert, on: date) -> dict[str, Any]:
    """Give one of a page; a merged record names the one it lives on under, and is nobody of its own without numbers."""
    fields = masks.shown(expert, office.role, on)
    if expert.merged_into is None:
        return fields
    return {**fields, "merged_into": expert.merged_into} if "expert_id" in fields else {}


def whole(office: Office, expert_id: str, *, changes: bool, looks: bool) -> dict[str, Any]:
    """Give one expert as the role may see them; who keeps or checks the pool sees what was told of them too."""
    expert, row = load_one(office.records, expert_id), find(office.records, expert_id)
    fields = masks.shown(expert, office.role, _today(office), sealed=row, vault=office.vault)
    opened = masks.opened(fields, office.role)
    office.looked("open" if opened else "show", ({*fields} & PERSONAL) | {*opened}, expert_id=expert_id)
    document: dict[str, Any] = {"role": office.role, "expert": fields}
    if office.role in HISTORY_ROLES:
        document |= _told(office, expert)
        if changes:
            document["changes"] = [_plain(asdict(one)) for one in expert_pages.changes(office.records, expert_id)]
        if looks:
            document["looks"] = [_plain(asdict(one)) for one in expert_accesses(office.records, expert_id=expert_id)]
    return document


def _told(office: Office, expert: Expert) -> dict[str, Any]:
    with office.records.database.read() as connection:
        ties = expert_pages.parts(connection, [expert.expert_id], ("tie",))["tie"].get(expert.expert_id, [])
    names = ("id", "kind", "uscc", "party", "matter", "since", "until", "amount_fen", "detail", "source")
    return {
        "term_start": _plain(expert.term_start),
        "bar_until": _plain(expert.bar_until),
        "merged_into": expert.merged_into,
        "specialties": [_plain(asdict(one)) for one in expert.specialties],
        "employments": [_plain(asdict(one)) for one in expert.employments],
        "ties": [{name: _plain(getattr(one, name)) for name in names} for one in ties],
        "consents": [_plain(asdict(one)) for one in expert.consents],
        "leaves": [_plain(asdict(one)) for one in expert.leaves],
    }


def why_not(office: Office, expert_id: str, file: Path | None, draw_id: str) -> dict[str, Any]:
    """Say why an expert may not sit: as a list made now would say it, or as a frozen one does."""
    if file is None:
        entry = own_entry(office.desk, draw_id, expert_id, office.looker(), office.at)
        reasons = [[one.code, one.evidence, one.evidence_en] for one in entry.reasons]
        status = entry.status if entry.listed else "not_asked"
        return _answer(expert_id, draw_id, status, entry.specialties, reasons)
    return would_sit(office, expert_id, read_panel(file).request)


def would_sit(office: Office, expert_id: str, asked: PanelRequest) -> dict[str, Any]:
    """Say why an expert may not sit, as a list made now would say it."""
    matter = office.complete(asked.matter)
    office.looked("show", {"recusal"}, expert_id=expert_id)
    cutoff = office.at - timedelta(days=office.rules.entry_cutoff_days)
    found = office.entry(expert_id, matter, asked.seats, cutoff)
    if found is None:
        return _answer(expert_id, matter.matter_id, "not_asked", (), [])
    told = [[one.code, one.evidence, one.evidence_en] for one in found.reasons]
    return _answer(expert_id, matter.matter_id, "excluded" if told else "eligible", found.candidate.specialties, told)


def _answer(expert_id: str, asked: str, status: str, fields: Iterable[str], reasons: list[list[str]]) -> dict[str, Any]:
    return {
        "expert": expert_id,
        "asked": asked,
        "status": status,
        "specialties": list(fields),
        "reasons": [dict(zip(("code", "evidence", "evidence_en"), one, strict=True)) for one in reasons],
    }


def _today(office: Office) -> date:
    return office.at.astimezone(CHINA).date()


def _plain(value: Any) -> Any:
    """Give days and times as text, through tables and lists."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, date | datetime) else value


def pairs(office: Office, state: str | None) -> list[dict[str, Any]]:
    """List pairs that may be one person, each side as the role may see it."""
    if masks.visible(office.role, (), _today(office)).get("expert_id") != "clear":
        raise UnknownWord(
            f"角色 {office.role} 不见专家编号，不能查看配对", f"role {office.role} sees no numbers of experts: no pairs"
        )
    found = matches(office.records, state)
    ids = {name for one in found for name in (one.first, one.second)}
    people = {one.expert_id: one for one in load(office.records, ids=ids)} if ids else {}
    shown = {name: masks.shown(one, office.role, _today(office)) for name, one in people.items()}
    office.looked("list", {name for one in shown.values() for name in one} & PERSONAL, count=len(shown))
    return [
        {**_plain(asdict(one)), "experts": [shown[name] for name in (one.first, one.second) if name in shown]}
        for one in found
    ]


def ranked(office: Office, asked: CallOut, facts: RecusalFacts, limit: int) -> list[dict[str, Any]]:
    """Rank experts for an emergency, each as the role may see them."""
    found = ranking(office.desk, asked, office.at, facts)[:limit]
    shown = [masks.shown(one.expert, office.role, _today(office)) for one in found]
    office.looked("list", {name for one in shown for name in one} & PERSONAL, count=len(shown))
    return [
        {**fields, "fields": list(one.fields), "distance": one.distance, "uses": one.uses, "reasons": list(one.reasons)}
        for one, fields in zip(found, shown, strict=True)
    ]
