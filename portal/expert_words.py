"""The expert pool as a person reads it: lists, one expert, reasons, draws, seats, figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from expert_registry.roster.entry_rules import Note
from portal.expert_import import BroughtIn
from portal.expert_rounds import shown
from portal.show import outcome_lines, plain_table
from portal.words import say
from schemas.expert_draw_facts import exclusions
from schemas.expert_seat_facts import seat_states
from schemas.experts import expert_states
from schemas.match_facts import match_evidence
from schemas.recusal_facts import recusal_reasons
from schemas.specialties import employer_types, specialties

COLUMNS = {
    "expert_id": ("编号", "number"), "name": ("姓名", "name"), "employer": ("工作单位", "employer"),
    "employer_type": ("单位类型", "kind of employer"), "employer_uscc": ("单位代码", "code of employer"),
    "title": ("职称", "title"), "title_rank": ("职称等级", "rank"), "specialties": ("专业", "specialties"),
    "division": ("地区", "region"), "state": ("状态", "state"), "bureau": ("所属", "list of"),
    "term_end": ("聘期至", "term until"), "certificate_until": ("证书至", "certificate until"),
    "identity": ("证件号码", "identity number"), "phone": ("电话", "telephone"), "bank": ("银行账户", "bank account"),
    "remark": ("备注", "remark"), "merged_into": ("并入", "merged into"),
}  # fmt: skip
LISTED = (
    "expert_id",
    "name",
    "employer",
    "employer_type",
    "title",
    "specialties",
    "state",
    "term_end",
    "bureau",
    "bank",
    "merged_into",
)
STATES = {
    "requested": ("已申请", "requested"), "frozen": ("名单已冻结", "frozen"), "committed": ("已承诺", "committed"),
    "revealed": ("已揭示", "revealed"), "drawn": ("已抽取", "drawn"), "published": ("已公布", "published"),
    "abandoned": ("已中止", "abandoned"), "called": ("应急征调", "call-out"),
}  # fmt: skip
PARTS = {
    "employments": ("任职", "employment"), "ties": ("关系申报", "ties"), "consents": ("同意", "consents"),
    "leaves": ("请假", "leave"), "changes": ("变更", "changes"), "looks": ("查看留痕", "looks"),
}  # fmt: skip
STATUS = {
    "eligible": ("可以抽取：没有回避或不能抽取的理由", "may be drawn: nothing stands against it"),
    "excluded": ("不能抽取", "cannot be drawn"),
    "not_asked": ("所请求的专业中没有这位专家的专业", "has none of the specialties asked for"),
}


def import_lines(one: BroughtIn) -> Iterator[str]:
    """Describe one list that came in; nothing of a person."""
    if one.report is None or one.receipt is None or one.matches is None:
        yield from outcome_lines(one.outcome)
        return
    yield f"✓ {one.outcome.file}  {say('已入库', 'taken in')}"
    report, again = one.report, say("（此前已收）", " (kept before)") if one.receipt.repeated else ""
    yield say(f"  回执 {one.receipt.receipt}{again}", f"  receipt {one.receipt.receipt}{again}")
    yield say(
        f"  新增 {report.new}，更新 {report.updated}，未变 {report.unchanged}，退回 {len(report.refused)}",
        f"  {report.new} new, {report.updated} updated, {report.unchanged} unchanged, {len(report.refused)} refused",
    )
    for note in report.refused:
        yield say(f"  ✗ 第 {note.row} 行：{note.message}", f"  ✗ row {note.row}: {note.message_en}")
    counted = Counter((note.code, note.message, note.message_en) for note in report.warnings)
    for (code, zh, en), number in counted.most_common():
        rows = [str(note.row) for note in report.warnings if (note.code, note.message) == (code, zh)]
        some = joined(rows[:8]) + ("…" if len(rows) > 8 else "")
        yield say(f"  · {zh} ×{number}（第 {some} 行）", f"  · {en} ×{number} (rows {some})")
    if report.same_elsewhere or one.matches.new:
        yield say(
            f"  疑似同一人 {one.matches.new} 对新提出，核定前不参加抽取：gongzhi experts match list",
            f"  {one.matches.new} new pairs may be one person; until decided not drawn: gongzhi experts match list",
        )


def list_lines(people: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Lay experts out, with the columns the role sees."""
    columns = [name for name in LISTED if any(name in one for one in people)]
    if columns:
        rows = [tuple(_cell(name, one.get(name)) for name in columns) for one in people]
        yield from plain_table([say(*COLUMNS[name]) for name in columns], rows)


def expert_lines(document: Mapping[str, Any]) -> Iterator[str]:
    """Describe one expert."""
    for name, value in document["expert"].items():
        yield f"{say(*COLUMNS[name])}: {_cell(name, value)}"
    if document.get("merged_into"):
        yield say(f"与 {document['merged_into']} 为同一人", f"one person with {document['merged_into']}")
    for part, title in PARTS.items():
        if document.get(part):
            yield f"{say(*title)}:"
            for one in document[part]:
                yield "  " + _plain_line(one)


def _plain_line(one: Mapping[str, Any]) -> str:
    return "  ".join(f"{name}={value}" for name, value in one.items() if value not in (None, "", [], {}))


def _cell(name: str, value: Any) -> str:
    if name == "specialties":
        return joined(f"{code} {_field(code)}".strip() for code in value or ())
    if name == "state" and value in expert_states():
        return state_word(value)
    if name == "employer_type" and value in employer_types():
        return say(employer_types()[value].title_zh, employer_types()[value].title_en)
    return "" if value is None else str(value)


def _field(code: str) -> str:
    known = specialties().get(code)
    return say(known.title_zh, known.title_en) if known else ""


def joined(texts: Iterable[str]) -> str:
    """Write texts one after the other."""
    return say("、", ", ").join(texts)


def state_word(state: str) -> str:
    """Give the title of a state of an expert."""
    return say(expert_states()[state].title_zh, expert_states()[state].title_en)


def note_lines(noted: Mapping[str, Sequence[Note]]) -> Iterator[str]:
    """Tell what the rules of entry say of experts, each rule once."""
    found: dict[tuple[str, str], list[str]] = {}
    for expert_id, notes in noted.items():
        for note in notes:
            found.setdefault((note.message, note.message_en), []).append(expert_id)
    for (zh, en), ids in found.items():
        some = joined(ids[:5]) + ("…" if len(ids) > 5 else "")
        yield say(f"提示：{zh} ×{len(ids)}（{some}）", f"note: {en} ×{len(ids)} ({some})")


@cache
def reason_word(code: str) -> str:
    """Give the title of a reason why somebody cannot be drawn."""
    known = recusal_reasons().get(code) or exclusions().get(code)
    return say(known.title_zh, known.title_en) if known else code


def reason_lines(document: Mapping[str, Any]) -> Iterator[str]:
    """Say why somebody may not sit."""
    yield f"{document['expert']} · {document['asked']}: {say(*STATUS[document['status']])}"
    for one in document["reasons"]:
        yield f"  ✗ {one['code']} {reason_word(one['code'])}: {say(one['evidence'], one['evidence_en'])}"


def match_lines(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """List pairs with what speaks for and against them."""
    for one in found:
        kept = say(f"，保留 {one['kept']}", f", kept {one['kept']}") if one["kept"] else ""
        yield f"{one['match_id']}  {one['score']}  {one['state']}{kept}"
        for person in one["experts"]:
            told = ("expert_id", "bureau", "name", "employer", "title", "identity", "phone")
            yield "    " + "  ".join(str(person[name]) for name in told if person.get(name))
        signs = [match_evidence()[code] for code in one["evidence"]]
        yield "    " + say("；", "; ").join(say(sign.title_zh, sign.title_en) for sign in signs)
    if not found:
        yield say("没有配对", "there are no pairs")


def draw_table(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """List draws and call-outs."""
    rows = [
        (one["draw_id"], say(*STATES[one["state"]]), one["held_on"], one["sequence"], one["replaces"], one["requested_by"],
         one["title"])
        for one in found
    ]  # fmt: skip
    head = say("编号,状态,会议日,次序,接替,申请人,事项", "draw,state,meeting,sequence,replaces,asked by,title")
    yield from plain_table(head.split(","), rows)


def draw_lines(document: Mapping[str, Any]) -> Iterator[str]:
    """Describe a draw as it stands."""
    yield f"{document['draw_id']}  {say(*STATES[document['state']])}  {document['title']}"
    if document["replaces"]:
        yield say(
            f"  第 {document['sequence']} 次，接替 {document['replaces']}（{document['reason']}）",
            f"  sequence {document['sequence']}, replaces {document['replaces']} ({document['reason']})",
        )
    if "counts" in document:
        able, out = (document["counts"][name] for name in ("eligible", "excluded"))
        seats = joined(f"{one['specialty']}×{one['number']}" for one in document["wanted"])
        yield say(
            f"  席位 {seats}；可抽取 {able} 人，不能抽取 {out} 人；名单哈希 {document['list_hash']}",
            f"  seats {seats}; {able} can be drawn, {out} cannot; list hash {document['list_hash']}",
        )
        for code, number in document["excluded"].items():
            yield f"    {code} {reason_word(code)} ×{number}"
    for name, title in (("public_source", ("公开来源", "source")), ("fallback_source", ("备用来源", "fallback"))):
        if document[name]:
            yield f"  {say(*title)}: {document[name]['name']}  {shown(document[name]['due'])}"
    if "result" in document:
        yield from _result_lines(document["result"])


def _result_lines(result: Mapping[str, Any]) -> Iterator[str]:
    mode = {"one-home": ("单机（演练）", "one home (exercise)"), "two-homes": ("双机", "two homes")}[
        result["assurance"]
    ]
    yield say(f"  种子 {result['seed']}；{mode[0]}", f"  seed {result['seed']}; {mode[1]}")
    for seat in result["seating"]:
        told = seat["id"][:16] if seat["id"] else say("空缺", "empty")
        yield f"    {seat['seat']} {_field(seat['seat'])}: {told}"
    if result["replacements"]:
        yield say(f"  已递补 {result['replacements']} 次", f"  {result['replacements']} replaced")
    for one in result["incidents"]:
        yield say(
            f"  ! {one['bureau']} 第 {one['round']} 轮 {one['kind']}",
            f"  ! {one['bureau']} round {one['round']}: {one['kind']}",
        )


def seat_lines(seats: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """List who was drawn and how each seat stands."""
    rows = [
        (one["seat"], one["round"], one.get("expert_id", one["id"][:12]), one.get("name", say("（不公开）", "(not shown)")),
         one.get("employer", ""), one.get("phone", ""), _seat_state(one["seat_state"]))
        for one in seats
    ]  # fmt: skip
    head = say("席位,轮次,编号,姓名,工作单位,电话,状态", "seat,round,number,name,employer,telephone,state")
    yield from plain_table(head.split(","), rows)


def _seat_state(state: str) -> str:
    known = seat_states()[state]
    return say(known.title_zh, known.title_en)


def due_lines(due: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """List appraisals that are missing."""
    rows = [
        (
            one["draw_id"],
            one["expert"],
            one["kind"],
            one["last_day"],
            say("已逾期", "overdue") if one["overdue"] else "",
        )
        for one in due
    ]
    yield from plain_table(say("编号,专家,种类,期限,", "draw,expert,kind,by,").split(","), rows)


def rank_lines(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """List who might be called, the first to be called first."""
    rows = [
        (place, one.get("expert_id", ""), one.get("name", ""), one.get("phone", ""), joined(one["fields"]),
         one["distance"], one["uses"], joined(map(reason_word, one["reasons"])))
        for place, one in enumerate(found, 1)
    ]  # fmt: skip
    head = say("次序,编号,姓名,电话,专业,距离,使用,不宜征调", "rank,number,name,telephone,fields,distance,uses,against")
    yield from plain_table(head.split(","), rows)
