"""An answer of the credit register as lines for a terminal, in the language of the person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from credit_registry.wording import (
    MATCHED,
    MESSAGE_KINDS,
    PENALTY_STATES,
    RATING_STATES,
    STATUSES,
    attention_in_words,
    bureau_name,
    table_title,
)
from portal.boards import CHINA
from portal.show import plain_table
from portal.words import say

STATES_EN = {
    "objected": "under objection",
    "basis_changed": "basis changed, to be confirmed",
    "not_rated": "not rated",
    "minimum-period": "in its minimum period",
}
"""States whose code is no English word."""


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
    """Write the candidates of a search, each with what matched and how well, and what they were looked for in."""
    if found["candidates"]:
        yield from plain_table(*_candidates(found["candidates"]))
    else:
        yield _words(found)
    query = found["query"]
    yield from source_lines(found["sources"])
    yield say(
        f"数据版本 {query['version'] or '无'}（{local(query['made_at'])}），查询号 {query['id']}",
        f"data {query['version'] or 'none'} ({local(query['made_at'])}), query {query['id']}",
    )


def _candidates(found: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[tuple[str, ...]]]:
    head = say("代码,名称,匹配,说明,得分,登记地,现用名称", "code,name,matched,why,score,place,name today")
    rows: list[tuple[str, ...]] = [
        (
            one["uscc"] or say("（无代码）", "(no code)"),
            one["name"],
            say(MATCHED.get(one["matched"], one["matched"]), one["matched"]),
            say(one["why"], one["why_en"]),
            f"{one['score']:.1f}",
            one["region"],
            "" if one["current_name"] == one["name"] else one["current_name"],
        )
        for one in found
    ]
    return head.split(","), rows


def source_lines(sources: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Say of each source when it was last heard of; one that never came says so."""
    for one in sources:
        what = say(f"{bureau_name(one['bureau'])}{table_title(one['table'])[0]}", f"{one['bureau']} {one['table']}")
        yield f"  {what}{say('：', ': ')}{_last(one)}"


def _last(one: Mapping[str, Any]) -> str:
    if one["state"] != "found":
        return _words(one)
    if one["last_recorded"] is None:
        return say("该时刻之后另有更新", "there are newer records than were known then")
    old = say("，可能陈旧", ", perhaps out of date") if one["old"] else ""
    return _when(one) + old


def _when(one: Mapping[str, Any]) -> str:
    return say(
        f"最近记录 {local(one['last_recorded'])}（{one['age_days']} 天前），{one['rows']} 行",
        f"last record {local(one['last_recorded'])} ({one['age_days']} days ago), {one['rows']} rows",
    )


def history_lines(history: Mapping[str, Any]) -> Iterator[str]:
    """Write what changed when, then the answer as of then."""
    yield _head("0", "变动记录（按记录时间）", "What changed, by record time")
    for one in history["timeline"]:
        yield f"  {local(one['at'])}  {say(bureau_name(one['bureau']), one['bureau'])}  {say(one['message'], one['message_en'])}"
    if not history["timeline"]:
        yield "  " + _words(history)
    yield from answer_lines(history["answer"])


def screening_lines(told: Mapping[str, Any]) -> Iterator[str]:
    """Write how many lines of a list have each status, and what they were looked for in."""
    counts = ((say(STATUSES[status], status), str(count)) for status, count in told["counts"].items())
    yield from plain_table([say("状态", "status"), say("行数", "lines")], list(counts))
    yield from source_lines(told["sources"])
    yield say(
        f"数据版本 {told['version']}，核查编号 {told['screening']}",
        f"data {told['version']}, screening {told['screening']}",
    )


def draw_lines(made: Mapping[str, Any]) -> Iterator[str]:
    """Write what was committed to, or what was drawn; a revealed secret needs no words."""
    frozen = made.get("list") or made.get("commitment", {}).get("list")
    if frozen is None:
        return
    members = Counter(one["stratum"] for one in frozen["objects"])
    drawn = {one["code"]: len(one["drawn"]) for one in made.get("strata", ())}
    yield say(
        f"{frozen['draw_id']}：{frozen['plan']['title']}（{frozen['plan']['plan']}），数据版本 {frozen['register_version']}",
        f"{frozen['draw_id']}: {frozen['plan']['title']} ({frozen['plan']['plan']}), data {frozen['register_version']}",
    )
    head = say("层,名称,对象,抽取", "stratum,title,objects,drawn")
    rows = [
        (one["code"], one["title"], str(members[one["code"]]), str(drawn.get(one["code"], "—")))
        for one in frozen["plan"]["strata"]
    ]
    yield from plain_table(head.split(","), rows)
    if members[""]:
        yield say(f"不属于任何层的对象 {members['']} 个", f"{members['']} objects in no stratum")
    if "visits" in made:
        head = say("对象,名称,层,执法人员,缺", "object,name,stratum,officers,missing")
        visits = [
            (one["object_id"], one["name"], one["stratum"], "、".join(one["officers"]), str(one["missing"] or ""))
            for one in made["visits"]
        ]
        yield from plain_table(head.split(","), visits)


def reader_lines(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Write who looked at one's records."""
    head = say(
        "时间,查询号,人员,单位,证号,目的,计划,方式,主体,条数",
        "time,query,user,unit,certificate,purpose,plan,kind,subject,records",
    )
    rows = [
        (
            local(one["at"]), one["access_id"], one["user"], one["unit"], one["certificate"],
            say(one["purpose_zh"], one["purpose"]), one["plan"], one["kind"], one["uscc"] or one["asked"], one["count"],
        )
        for one in found
    ]  # fmt: skip
    yield from plain_table(head.split(","), rows)


def _head(number: str, zh: str, en: str) -> str:
    return f"【{number} {say(zh, en)}】"


def _words(block: Mapping[str, Any]) -> str:
    return say(block["message"], block["message_en"])


def _state(code: str, words: Mapping[str, str]) -> str:
    return say(words.get(code, code), STATES_EN.get(code, code))


def local(text: str | None) -> str:
    """Write an instant as China time, to the minute."""
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
            f" {one['level']}{score}  [{_state(one['state'], RATING_STATES)}]{' ' + one['site'] if one['site'] else ''}"
        )
        yield from _out_of_view(one)
        yield f"      {_words(one)} ({one['code']}{', ' + one['edition'] if one['edition'] else ''})"
        if one["edition"] and one["shared_level_title"]:
            shared = f"{one['shared_scheme']} {one['shared_level_title']}（{one['edition']}）"
            yield "      = " + say(f"对照等级：{shared}", f"shared level: {shared}")
        if one["veto"]:
            yield "      " + say(f"一票否决：{one['veto']}", f"veto: {one['veto']}")
        if one["effect"]:
            yield "      → " + say(one["effect"], one["effect_en"])
        yield from ("      ! " + _words(note) for note in one["warnings"])
        yield from _unconfirmed(one, "该办法未经核实的内容", "not confirmed of this scheme")
    if block["earlier"]:
        yield "  " + say(f"更早的评价 {len(block['earlier'])} 条", f"{len(block['earlier'])} earlier ratings")
    yield from _by_bureau(block)
    for one in block["by_bureau"]:
        if one["year_note"]:
            yield f"  {_sender(one['bureau'])}{say(one['year_note'], one['year_note_en'])}"
    yield "  " + _attention(attention, block["lines"])
    yield (
        "  " + say("联合激励：", "incentive: ") + say(attention["incentive_message"], attention["incentive_message_en"])
    )


def _attention(one: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> str:
    """Say the worst level that counts here, and whose it is."""
    if not one["level"]:
        return say("关注等级：", "attention: ") + _words(one)
    whose = next(
        (f"{rated['issuer']} {rated['rated_year']}" for rated in lines if one["from"].endswith(rated["key"])), ""
    )
    mark = say("，须关注", ", calls for attention") if one["flagged"] else ""
    return say(f"关注等级：{attention_in_words(one)}（{whose}）", f"attention: {one['level']} ({whose})") + mark


def _penalties(block: Mapping[str, Any]) -> Iterator[str]:
    yield _head("3", "行政处罚与决定", "Penalties and orders")
    for one in block["lines"]:
        fine = say(f"罚款 {one['fine_yuan']:g} 元", f"fine {one['fine_yuan']:g} yuan") if one["fine_yuan"] else ""
        state = _state(one["state"], PENALTY_STATES)
        what = f"{one['authority']} {one['decision_number']} {one['violation']} {fine}"
        yield f"  {one['decision_date'] or '?'} {what} [{state}]"
        yield from _out_of_view(one)
        for act in one["acts"]:
            gone = say(f"（已由《{act['repealed_by']}》取代）", f" (replaced by {act['repealed_by']})")
            edition = act["edition_at_act"] or act["edition_at_decision"] or "?"
            yield f"      {act['act']} {edition} {'、'.join(act['articles'])}{gone if act['repealed_by'] else ''}"
            yield from _unconfirmed(act, "未经核实，引用前请核对", "not confirmed, check before citing")
    yield from _by_bureau(block)


def _out_of_view(one: Mapping[str, Any]) -> Iterator[str]:
    if one["out_of_view"]:
        yield "      !! " + say(one["out_of_view_message"], one["out_of_view_message_en"])


def _unconfirmed(one: Mapping[str, Any], zh: str, en: str) -> Iterator[str]:
    facts = one["unconfirmed"]
    if facts:
        named = "、".join(fact["title"] for fact in facts), ", ".join(fact["title_en"] for fact in facts)
        yield "        ? " + say(f"{zh}：{named[0]}", f"{en}: {named[1]}")


def _sender(bureau: str) -> str:
    return say(f"{bureau_name(bureau)}：", f"{bureau}: ")


def _by_bureau(block: Mapping[str, Any]) -> Iterator[str]:
    for one in block["by_bureau"]:
        held = say(f"，另有 {one['withheld']} 条依法不展示", f", {one['withheld']} more withheld by law")
        words = say(f"{one['count']} 条", f"{one['count']} found") if one["state"] == "found" else _words(one)
        yield f"  {_sender(one['bureau'])}{words}{held if one['withheld'] else ''}"


def _in_progress(block: Mapping[str, Any]) -> Iterator[str]:
    yield _head("4", "异议、修复与调整", "In progress")
    for one in block["lines"]:
        kind = say(MESSAGE_KINDS.get(one["kind"], one["kind"]), one["kind"])
        yield f"  {one['effective']} {say(bureau_name(one['bureau']), one['bureau'])} {kind} {one['key']} {one['document']}"
    if not block["lines"]:
        yield "  " + _words(block)


def _unknown(block: Mapping[str, Any]) -> Iterator[str]:
    yield _head("6", "未知事项", "What is not known")
    yield "  " + _words(block)
    yield from source_lines(block["sources"])
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
        f"有效日 {one['on']}，所知至 {local(one['known'])}，数据版本 {one['version'] or '无'}（{local(one['made_at'])}）",
        f"valid on {one['on']}, known at {local(one['known'])}, data {one['version'] or 'none'} ({local(one['made_at'])})",
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
