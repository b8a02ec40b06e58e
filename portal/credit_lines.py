"""An answer of the credit register as lines for a terminal, in the language of the person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from portal.boards import CHINA
from portal.show import plain_table
from portal.words import say

STATES = {
    "preliminary": ("公示中", "preliminary"),
    "objected": ("异议中", "under objection"),
    "final": ("已确定", "final"),
    "adjusted": ("已调整", "adjusted"),
    "repaired": ("已修复", "repaired"),
    "revoked": ("已撤销", "revoked"),
    "superseded": ("已被取代", "superseded"),
    "stale": ("已过期（无更新结果）", "stale"),
    "not_rated": ("未参评", "not rated"),
    "basis_changed": ("依据已变，待确认", "basis changed, to be confirmed"),
    "withdrawn": ("已撤回", "withdrawn"),
    "published": ("公示中", "published"),
    "minimum-period": ("最短公示期内", "in its minimum period"),
    "suspended": ("暂停执行", "suspended"),
}


def answer_lines(answer: Mapping[str, Any]) -> Iterator[str]:
    """Write the seven blocks of an answer."""
    yield from _identity(answer["identity"])
    yield from _ratings(answer["ratings"], answer["attention"])
    yield from _penalties(answer["penalties"])
    yield from _in_progress(answer["in_progress"])
    yield _head("5", "监督检查", "Supervision")
    yield "  " + _words(answer["supervision"])
    yield from _unknown(answer["unknown"])
    yield from _as_of(answer["as_of"], answer["query"])


def hit_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """Write the candidates of a search, each with what matched."""
    if not found["candidates"]:
        yield _words(found)
        return
    head = say("代码,名称,现用名称,匹配,得分,登记地", "code,name,current name,matched,score,place")
    rows = [
        (
            one["uscc"] or say("（无代码）", "(no code)"), one["name"], one["current_name"],
            say(one["why"], one["why_en"]), f"{one['score']:.0f}", one["region"],
        )
        for one in found["candidates"]
    ]  # fmt: skip
    yield from plain_table(head.split(","), rows)


def history_lines(history: Mapping[str, Any]) -> Iterator[str]:
    """Write what changed when, then the answer as of then."""
    yield _head("0", "变动记录（按记录时间）", "What changed, by record time")
    for one in history["timeline"]:
        yield f"  {_local(one['at'])}  {one['bureau']}  {say(one['message'], one['message_en'])}"
    if not history["timeline"]:
        yield "  " + _words(history)
    yield from answer_lines(history["answer"])


def reader_lines(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Write who looked at one's records."""
    head = say(
        "时间,查询号,人员,单位,证号,目的,计划,方式,主体,条数",
        "time,query,user,unit,certificate,purpose,plan,kind,subject,records",
    )
    rows = [
        (
            _local(one["at"]), one["access_id"], one["user"], one["unit"], one["certificate"],
            say(one["purpose_zh"], one["purpose"]), one["plan"], one["kind"], one["uscc"] or one["asked"], one["count"],
        )
        for one in found
    ]  # fmt: skip
    yield from plain_table(head.split(","), rows)


def _head(number: str, zh: str, en: str) -> str:
    return f"【{number} {say(zh, en)}】"


def _words(block: Mapping[str, Any]) -> str:
    return say(block["message"], block["message_en"])


def _state(code: str) -> str:
    return say(*STATES.get(code, (code, code)))


def _local(text: str | None) -> str:
    from datetime import datetime

    return datetime.fromisoformat(text).astimezone(CHINA).strftime("%Y-%m-%d %H:%M") if text else "—"


def _identity(one: Mapping[str, Any]) -> Iterator[str]:
    yield _head("1", "主体", "Identity")
    yield f"  {one['name'] or one['subject']}  {one['uscc'] or say('（无代码）', '(no code)')}"
    if one["uscc_reason"]:
        yield "  " + say(one["uscc_reason"], one["uscc_reason_en"])
    if one["registered_place"]:
        yield "  " + say(f"代码登记地 {one['registered_place']}", f"place in the code {one['registered_place']}")
    for name in one["names"][1:]:
        days = f"（{name['since'] or '?'}–{name['until'] or '?'}）"
        yield "  " + say(f"曾用或其他名称 {name['name']}{days}", f"also called {name['name']} {days}")
    if one["message"]:
        yield "  " + _words(one)


def _ratings(block: Mapping[str, Any], attention: Mapping[str, Any]) -> Iterator[str]:
    yield _head("2", "现行评价", "Ratings")
    for one in block["lines"]:
        mark = ("✓" if one["recognised"] else "✗") if not one["own"] else "·"
        score = f" {one['score']:g}" if one["score"] is not None else ""
        yield (
            f"  {mark} {one['rated_year']} {one['issuer']}（{one['tier']}，{one['scheme']}）"
            f" {one['level']}{score}  [{_state(one['state'])}]{' ' + one['site'] if one['site'] else ''}"
        )
        yield f"      {_words(one)} ({one['code']}{', ' + one['edition'] if one['edition'] else ''})"
        if one["veto"]:
            yield "      " + say(f"一票否决：{one['veto']}", f"veto: {one['veto']}")
        if one["effect"]:
            yield "      → " + say(one["effect"], one["effect_en"])
        yield from ("      ! " + _words(note) for note in one["warnings"])
    if block["earlier"]:
        yield "  " + say(f"更早的评价 {len(block['earlier'])} 条", f"{len(block['earlier'])} earlier ratings")
    yield from _by_bureau(block)
    for one in block["by_bureau"]:
        if one["year_note"]:
            yield f"  {one['bureau']}：{say(one['year_note'], one['year_note_en'])}"
    if attention["level"]:
        where = attention["from"]
        mark = say("，须关注", ", calls for attention") if attention["flagged"] else ""
        yield (
            "  "
            + say(f"关注等级：{attention['level']}（{where}）", f"attention: {attention['level']} ({where})")
            + mark
        )
    else:
        yield "  " + say("关注等级：", "attention: ") + _words(attention)
    yield (
        "  " + say("联合激励：", "incentive: ") + say(attention["incentive_message"], attention["incentive_message_en"])
    )


def _penalties(block: Mapping[str, Any]) -> Iterator[str]:
    yield _head("3", "行政处罚与决定", "Penalties and orders")
    for one in block["lines"]:
        fine = say(f"罚款 {one['fine_yuan']:g} 元", f"fine {one['fine_yuan']:g} yuan") if one["fine_yuan"] else ""
        yield f"  {one['decision_date'] or '?'} {one['authority']} {one['decision_number']} {one['violation']} {fine} [{_state(one['state'])}]"
        for act in one["acts"]:
            gone = say(f"（已由《{act['repealed_by']}》取代）", f" (replaced by {act['repealed_by']})")
            edition = act["edition_at_act"] or act["edition_at_decision"] or "?"
            yield f"      {act['act']} {edition} {'、'.join(act['articles'])}{gone if act['repealed_by'] else ''}"
    yield from _by_bureau(block)


def _by_bureau(block: Mapping[str, Any]) -> Iterator[str]:
    for one in block["by_bureau"]:
        held = say(f"，另有 {one['withheld']} 条依法不展示", f", {one['withheld']} more withheld by law")
        words = say(f"{one['count']} 条", f"{one['count']} found") if one["state"] == "found" else _words(one)
        yield f"  {one['bureau']}：{words}{held if one['withheld'] else ''}"


def _in_progress(block: Mapping[str, Any]) -> Iterator[str]:
    yield _head("4", "异议、修复与调整", "In progress")
    for one in block["lines"]:
        yield f"  {one['effective']} {one['bureau']} {one['kind']} {one['key']} {one['document']}"
    if not block["lines"]:
        yield "  " + _words(block)


def _unknown(block: Mapping[str, Any]) -> Iterator[str]:
    yield _head("6", "未知事项", "What is not known")
    yield "  " + _words(block)
    for one in block["sources"]:
        last = say(
            f"最近记录 {_local(one['last_recorded'])}（{one['age_days']} 天前），{one['rows']} 行",
            f"last record {_local(one['last_recorded'])} ({one['age_days']} days ago), {one['rows']} rows",
        )
        if one["last_recorded"] is None:
            last = say("该时刻之后另有更新", "there are newer records than were known then")
        old = say("，可能陈旧", ", perhaps out of date") if one["old"] else ""
        yield f"  {one['bureau']} {one['table']}：{last + old if one['state'] == 'found' else _words(one)}"
    for one in block["not_connected"]:
        yield f"  {say(one['title'], one['title_en'])}：{_words(one)}"
    for name in block["namesakes"]:
        yield "  " + say(
            f"另有只写名称“{name}”、没有代码的记录，未并入本主体",
            f"records without a code bear the name {name!r}; not joined",
        )
    held = block["withheld"]
    if held["ratings"] or held["penalties"]:
        counts = say(
            f"评价 {held['ratings']}、处罚 {held['penalties']}：",
            f"ratings {held['ratings']}, penalties {held['penalties']}: ",
        )
        yield "  " + counts + _words(held)


def _as_of(one: Mapping[str, Any], query: Mapping[str, Any] | None) -> Iterator[str]:
    yield _head("7", "时点与版本", "As of")
    book = one["crosswalk"]
    yield "  " + say(
        f"有效日 {one['on']}，所知至 {_local(one['known'])}，数据版本 {one['version'] or '无'}（{_local(one['made_at'])}）",
        f"valid on {one['on']}, known at {_local(one['known'])}, data {one['version'] or 'none'} ({_local(one['made_at'])})",
    )
    if book:
        yield "  " + say(
            f"对照表 {book['edition']} {book['title']}", f"crosswalk {book['edition']}: {book['title_en']}"
        )
    else:
        yield "  " + say("没有生效的对照表", "no crosswalk is in force")
    if query:
        yield "  " + say(
            f"查询号 {query['id']}：{query['user']}，{query['unit']}，{query['purpose_zh']} {query['plan']}",
            f"query {query['id']}: {query['user']}, {query['unit']}, {query['purpose']} {query['plan']}",
        )
