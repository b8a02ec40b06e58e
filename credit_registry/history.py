"""What changed when on one enterprise, by record time, beside the answer as it is now.

Document ``gongzhi-credit-history/1``. Records out of view stay out: a repaired penalty has no history here either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

from credit_registry.dossier import Dossier, Penalty, Rating
from credit_registry.lines import instant
from credit_registry.nothing import together, told
from credit_registry.register import Register

HISTORY = "gongzhi-credit-history/1"
Record = Rating | Penalty
_FACTS = {
    "rating": ("name", "level_code", "level_text", "score", "veto", "state", "published_date", "valid_until"),
    "penalty": ("name", "decision_kind", "violation", "penalty_text", "fine_yuan", "decision_date", "repair_state"),
}


def history(register: Register | None, subject: str, answer: Mapping[str, Any]) -> dict[str, Any]:
    """Put the changes up to the ``known`` of an answer before it.

    Parameters
    ----------
    subject : str
        The code or subject that was answered.
    answer : mapping
        ``gongzhi-credit-answer/1``; what it withholds is left out of the changes as well.
    """
    known = datetime.fromisoformat(answer["as_of"]["known"])
    lines = list(_timeline(register, subject, answer, known)) if register else []
    state = "found" if lines else together([answer["state"]]) if answer["state"] != "found" else "no_record"
    return {
        "document": HISTORY,
        **told(state),
        "query": answer["query"],
        "timeline": sorted(lines, key=lambda one: (one["at"], one["target"], one["key"])),
        "answer": dict(answer),
    }


def _timeline(register: Register, subject: str, answer: Mapping[str, Any], known: datetime) -> Iterator[dict[str, Any]]:
    ratings, penalties = answer["ratings"], answer["penalties"]
    seen = {("rating", one["bureau"], one["key"]) for one in (*ratings["lines"], *ratings["earlier"])}
    seen |= {("penalty", one["bureau"], one["key"]) for one in penalties["lines"]}
    before: dict[tuple[str, str, str], Record] = {}
    for at in register.instants(subject):
        if at > known:
            break
        after = _records(register.dossier(subject, at))
        for key in sorted((before.keys() | after.keys()) & seen):
            yield from _change(at, key, before.get(key), after.get(key))
        before = after
    for one in answer["in_progress"]["lines"]:
        what = (f"消息 {one['kind']}（{one['document']}）", f"message {one['kind']} ({one['document']})")
        yield _line(one["made_at"], one["kind"], (one["target"], one["bureau"], one["key"]), *what)


def _records(dossier: Dossier | None) -> dict[tuple[str, str, str], Record]:
    if dossier is None:
        return {}
    rated: dict[tuple[str, str, str], Record] = {("rating", one.bureau, one.key): one for one in dossier.ratings}
    return rated | {("penalty", one.bureau, one.key): one for one in dossier.penalties}


def _change(
    at: datetime, key: tuple[str, str, str], before: Record | None, after: Record | None
) -> Iterator[dict[str, Any]]:
    when = instant(at) or ""
    if before is None and after is not None:
        yield _line(when, "recorded", key, f"登记 {_shown(after)}", f"recorded: {_shown(after)}")
    elif before is not None and after is None:
        yield _line(when, "closed", key, f"移出 {_shown(before)}", f"taken out: {_shown(before)}")
    elif before is not None and after is not None:
        changed = [name for name in _FACTS[key[0]] if getattr(before, name) != getattr(after, name)]
        for name in changed:
            then, now = _text(getattr(before, name)), _text(getattr(after, name))
            what = f"{_shown(after)} {name} {then} → {now}"
            yield _line(when, "corrected", key, f"更正 {what}", f"corrected: {what}")


def _shown(record: Record) -> str:
    if isinstance(record, Rating):
        return f"{record.rated_year} {record.issuer} {record.level_text or record.state}"
    return f"{record.decision_number} {record.decision_kind}"


def _text(value: str | float | date | None) -> str:
    return "—" if value in (None, "") else str(value)


def _line(at: str, what: str, key: tuple[str, str, str], zh: str, en: str) -> dict[str, Any]:
    target, bureau, name = key
    return {"at": at, "what": what, "bureau": bureau, "target": target, "key": name, "message": zh, "message_en": en}
