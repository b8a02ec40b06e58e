"""The plan of an inspection draw (双随机): strata as plain rules, and the lists the draw is made from.

A plan is a TOML file of the bureau (``docs/inspection-draw.md``). Its strata are tried in order and an object belongs
to the first whose rule it meets: every condition of ``all`` and, where there is ``any``, at least one of these. A
condition names one kind of fact and plain values; nothing is evaluated. A rating of the other bureau counts only in
``foreign_rating``, only while it is recognised, so that the enterprise can be told why it was in that stratum.

Sources: 国办发〔2024〕54号 (plan, yearly cap, no inspection outside one's own area), 排污许可管理条例 Art. 25 (frequency
follows permit class and credit), 行政处罚法 Art. 42 (at least two officers).
"""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from credit_registry.errors import BadDraw
from credit_registry.nothing import FOUND
from credit_registry.strata import in_full, is_day, stratum_fault, stratum_of, usable
from schemas.files import fold

KIND = "gongzhi-inspection-plan/1"
OBJECT_HEADERS = {"对象编号": "object_id", "对象名称": "name", "本年已查次数": "visits", "年度上限": "cap"}
OFFICER_HEADERS = {"执法证号": "officer_id", "姓名": "name", "证件有效期至": "valid_until"}
RECUSAL_HEADERS = {"执法证号": "officer_id", "对象编号": "object_id", "回避原因": "reason"}
LEAST_OFFICERS = 2
"""行政处罚法 Art. 42: no fewer than two officers."""


@dataclass(frozen=True, slots=True)
class InspectionObject:
    """One object of the list, with what was known of it when the list was frozen.

    ``register`` says what the register answered of the own bureau's ratings (``rated``, ``none_in_force``, ``not_rated``,
    ``no_record``, ``source_unavailable``, ``withheld``); own levels are there only for ``rated``. ``foreign_levels`` are
    the shared levels of recognised ratings of the other bureau. ``cap`` -1 means the cap of the plan.
    """

    object_id: str
    name: str
    facts: dict[str, str] = field(default_factory=dict)
    visits: int = 0
    cap: int = -1
    register: str = "no_record"
    own_levels: tuple[str, ...] = ()
    foreign_levels: tuple[str, ...] = ()
    penalty_dates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Officer:
    """One officer who may be drawn, with the certificate's last day."""

    officer_id: str
    name: str
    valid_until: str


@dataclass(frozen=True, slots=True)
class Recusal:
    """One officer who may not visit one object (``*``: none at all), and why."""

    officer_id: str
    object_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan as it was read; ``raw`` goes into the frozen list as it is."""

    title: str
    plan: str
    bureau: str
    last_day: str
    cap: int
    replace_skipped: bool
    officers_per_visit: int
    most_visits: int
    strata: tuple[dict[str, Any], ...]
    raw: dict[str, Any]


def with_answer(item: InspectionObject, document: Mapping[str, Any], bureau: str) -> InspectionObject:
    """Give an object with what the register answered ``bureau`` on it (``gongzhi-credit-answer/1``).

    Own ratings in force and recognised ones of the other bureau, by their Chinese names; penalties in view by the
    decision date, or by the day they became known where no date is written: an undated one is not left out.
    """
    ratings = document["ratings"]
    used = [line for line in ratings["lines"] if line["recognised"]]
    own = {line["level"] for line in used if line["own"]}
    foreign = {line["shared_level_title"] for line in used if not line["own"] and line["shared_level_title"]}
    said = {one["bureau"]: one["state"] for one in ratings["by_bureau"]}.get(bureau, "source_unavailable")
    return replace(
        item,
        register="rated" if own else "none_in_force" if said == FOUND else said,
        own_levels=tuple(sorted(own)),
        foreign_levels=tuple(sorted(foreign)),
        penalty_dates=tuple(
            sorted(line["decision_date"] or line["recorded_from"][:10] for line in document["penalties"]["lines"])
        ),
    )


def read_plan(text: str, where: str = "plan") -> Plan:
    """Read a plan.

    Raises
    ------
    BadDraw
        Something is missing, unknown or cannot be; the message names it.
    """
    try:
        raw = in_full(_plain(tomllib.loads(text)))
    except tomllib.TOMLDecodeError as error:
        raise BadDraw(f"{where} 不是有效的 TOML：{error}", f"{where} is no TOML: {error}") from error
    try:
        officers = raw["officers"]
        plan = Plan(
            title=raw["title"],
            plan=raw["plan"],
            bureau=raw["bureau"],
            last_day=raw["last_day"],
            cap=raw["cap"],
            replace_skipped=raw["replace_skipped"],
            officers_per_visit=officers["per_visit"],
            most_visits=officers["most_visits"],
            strata=tuple(raw["strata"]),
            raw=raw,
        )
    except (KeyError, TypeError) as error:
        raise BadDraw(f"{where} 缺少 {error}", f"{where} lacks {error}") from error
    _check_plan(plan, where)
    return plan


def load_plan(path: Path) -> Plan:
    """Read the plan in a file."""
    try:
        return read_plan(path.read_text("utf-8"), path.name)
    except (OSError, UnicodeDecodeError) as error:
        raise BadDraw(f"不能读取 {path.name}：{error}", f"cannot read {path.name}: {error}") from error


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, dt.date) else value


def _check_plan(plan: Plan, where: str) -> None:
    def refuse(zh: str, en: str) -> None:
        raise BadDraw(f"{where}：{zh}", f"{where}: {en}")

    if plan.raw.get("document") != KIND:
        refuse(f"document 应为 {KIND}", f"document must be {KIND}")
    for name in ("cap", "officers_per_visit", "most_visits"):
        number = getattr(plan, name)
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            refuse(f"{name} 应为非负整数，现为 {number!r}", f"{name} must be a whole number from 0, not {number!r}")
    if plan.officers_per_visit < LEAST_OFFICERS:
        refuse("每次检查不得少于两名执法人员", "a visit needs at least two officers")
    if not is_day(plan.last_day):
        refuse(f"last_day 不是日期：{plan.last_day!r}", f"last_day is no date: {plan.last_day!r}")
    codes = [stratum.get("code") for stratum in plan.strata]
    if not codes or len(set(codes)) != len(codes) or not all(isinstance(code, str) and usable(code) for code in codes):
        refuse(f"层代码缺失或重复：{codes}", f"codes of strata are missing or repeated: {codes}")
    for stratum in plan.strata:
        if fault := stratum_fault(stratum):
            refuse(f"层 {stratum['code']}：{fault[0]}", f"stratum {stratum['code']}: {fault[1]}")


def objects_of_rows(rows: Iterable[Mapping[str, str]]) -> list[InspectionObject]:
    """Make the objects of a list as read from a spreadsheet; columns beside the four known ones become facts."""
    return [
        InspectionObject(
            row["object_id"],
            row["name"],
            {key: value for key, value in row.items() if key not in OBJECT_HEADERS.values()},
            _number(row["visits"] or "0", "本年已查次数", row["object_id"]),
            _number(row["cap"] or "-1", "年度上限", row["object_id"]),
        )
        for row in _renamed(rows, OBJECT_HEADERS)
    ]


def officers_of_rows(rows: Iterable[Mapping[str, str]]) -> list[Officer]:
    """Make the officers of a list as read from a spreadsheet."""
    officers = [Officer(r["officer_id"], r["name"], r["valid_until"][:10]) for r in _renamed(rows, OFFICER_HEADERS)]
    for officer in officers:
        if not is_day(officer.valid_until):
            raise BadDraw(
                f"执法人员 {officer.officer_id} 的证件有效期不是日期（YYYY-MM-DD）：{officer.valid_until!r}",
                f"officer {officer.officer_id}: the last day of the certificate is no date: {officer.valid_until!r}",
            )
    return officers


def recusals_of_rows(rows: Iterable[Mapping[str, str]]) -> list[Recusal]:
    """Make the recusals of a list as read from a spreadsheet."""
    return [Recusal(r["officer_id"], r["object_id"], r["reason"]) for r in _renamed(rows, RECUSAL_HEADERS)]


def _renamed(rows: Iterable[Mapping[str, str]], headers: Mapping[str, str]) -> list[dict[str, str]]:
    renamed = []
    for row in rows:
        folded = {fold(name): fold(value) for name, value in row.items()}
        missing = [header for header in headers if header not in folded]
        if missing:
            raise BadDraw(
                f"名单缺少列 {'、'.join(missing)}；现有 {'、'.join(folded)}",
                f"the list lacks the columns {', '.join(missing)}; it has {', '.join(folded)}",
            )
        renamed.append({headers.get(name, name): value for name, value in folded.items()})
    return renamed


def _number(text: str, header: str, object_id: str) -> int:
    if not (text.isascii() and text.lstrip("-").isdigit()):
        raise BadDraw(
            f"对象 {object_id} 的{header}不是整数：{text}", f"object {object_id}: {header} is no whole number: {text}"
        )
    return int(text)


def check_lists(
    plan: Plan, objects: Iterable[InspectionObject], officers: Iterable[Officer], recusals: Iterable[Recusal]
) -> None:
    """Refuse lists that could be drawn from in two ways: repeated or unusable identifiers, facts that are no numbers."""
    for what, ids in (
        ("对象编号 / object id", [item.object_id for item in objects]),
        ("执法证号 / officer id", [item.officer_id for item in officers]),
    ):
        seen: set[str] = set()
        for one in ids:
            if not usable(one) or one in seen:
                raise BadDraw(
                    f"{what} 为空、重复或含有“|”：{one!r}", f"{what} is blank, repeated or holds '|': {one!r}"
                )
            seen.add(one)
    for recusal in recusals:
        if not recusal.reason:
            raise BadDraw(
                f"{recusal.officer_id} 对 {recusal.object_id} 的回避没有写明原因",
                f"the recusal of {recusal.officer_id} for {recusal.object_id} gives no reason",
            )
    conditions = [one for stratum in plan.strata for one in (*stratum.get("all", ()), *stratum.get("any", ()))]
    for item in objects:
        for condition in conditions:
            fact = condition.get("fact")
            if fact is not None and fact not in item.facts:
                raise BadDraw(
                    f"对象名单缺少计划所用的列“{fact}”（{item.object_id}）",
                    f"the list of objects lacks the column {fact!r} the plan uses ({item.object_id})",
                )
            if fact is not None and "at_least" in condition:
                _number(item.facts[fact] or "0", fact, item.object_id)


def plain_object(item: InspectionObject, plan: Plan) -> dict[str, Any]:
    """Write an object as plain values, with its cap and its stratum."""
    subject = {
        **asdict(item),
        "cap": plan.cap if item.cap < 0 else item.cap,
        "own_levels": list(item.own_levels),
        "foreign_levels": list(item.foreign_levels),
        "penalty_dates": list(item.penalty_dates),
    }
    return {**subject, "stratum": stratum_of(plan.strata, subject)}
