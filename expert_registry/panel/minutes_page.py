"""Print minutes: all words of the page from the signed JSON, no more, and the code that leads to the published file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from records.models import read_time
from records.paper import print_page
from records.store import CHINA
from schemas.expert_draw_facts import draw_reasons, exclusions
from schemas.expert_seat_facts import seat_states, walk_words
from schemas.loaders import bureaus
from schemas.recusal_facts import recusal_reasons
from schemas.specialties import specialties

TEMPLATE = Path(__file__).parent / "templates" / "minutes.typ"
STEPS = {
    "request": "申请", "list": "冻结名单", "counts": "候选人数", "approval": "第二人批准", "exclusions": "排除依据（密封）",
    "commitment": "承诺", "reveal": "揭示", "draw": "抽取", "published": "公布", "opened": "公开姓名", "vacancy": "启动递补",
    "link": "给出链环", "abandoned": "中止", "archive": "归档",
}  # fmt: skip
ROLES = {
    "public": "公开版", "peer_before": "对方单位（接受邀请前）", "organiser": "组织单位", "finance": "财务", "auditor": "审计",
    "pool_staff": "专家库管理",
}  # fmt: skip
STATES = {"published": "已公布", "abandoned": "已中止"}
ASSURANCES = {
    "one-home": "单机模式：各方秘密数由同一台机器生成，只适合演练",
    "two-homes": "双机模式：各方秘密数由各自系统生成",
}
UNNAMED = "（未公开）"


def print_minutes(minutes: Mapping[str, Any], *, folders: Sequence[Path] = (), address: str = "") -> bytes:
    """Print minutes as PDF; ``address`` is where the published files are, else the code holds number and hash.

    Raises
    ------
    NoChineseFont
    """
    at = read_time(minutes["made_at"])
    return print_page(TEMPLATE, [page_of(minutes)], qr_text=qr_text(minutes, address), at=at, folders=folders)


def qr_text(minutes: Mapping[str, Any], address: str = "") -> str:
    """Give what the QR code says: number and hash of the published file, or of the list where nothing was drawn."""
    told = minutes["result"]["sha256"] if minutes["result"] else minutes["list_hash"] or "NO-LIST"
    if address:
        return f"{address.rstrip('/')}/{minutes['draw_id']}?sha256={told}"
    return f"GONGZHI-DRAW/1 {minutes['draw_id'].upper()} {told.upper()}"


def page_of(minutes: Mapping[str, Any]) -> dict[str, Any]:
    """Give all words of the page."""
    result = minutes["result"]
    return {
        "title": "专家抽取记录",
        "draw_id": minutes["draw_id"],
        "issuer": _bureau(minutes["bureau"]),
        "head": _head(minutes),
        "steps": [("步骤", "时间（北京时间）", "经办", "文书哈希"), *map(_step, minutes["steps"])],
        "abandonment": _abandonment(minutes["abandonment"]),
        "parts": [] if result is None else _parts(minutes, result),
        "notes": _notes(minutes),
    }


def _head(minutes: Mapping[str, Any]) -> list[tuple[str, str]]:
    again = (
        f"第 {minutes['sequence']} 次，接 {minutes['replaces']}：{minutes['reason']}" if minutes["replaces"] else "首次"
    )
    return [
        ("事项", minutes["title"]),
        ("会议日", minutes["held_on"]),
        ("状态", STATES[minutes["state"]]),
        ("参与单位", "、".join(map(_bureau, minutes["bureaus"]))),
        ("同一事项抽取", again),
        ("名单哈希", minutes["list_hash"] or "（尚无名单）"),
        ("本件", f"{ROLES[minutes['role']]}，{_moment(minutes['made_at'])}制作"),
    ]


def _step(one: Mapping[str, str]) -> tuple[str, ...]:
    return (_step_words(one["kind"], one["part"]), _moment(one["at"]), one["by"] or "—", one["sha256"][:32] + "…")


def _step_words(kind: str, part: str) -> str:
    """Name a paper: of which bureau, or of which replacement (0 is the draw itself)."""
    number, _, bureau = part.partition("-")
    if kind in ("commitment", "reveal"):
        return f"{STEPS[kind]} {_bureau(part)}"
    if kind == "link":
        return f"{STEPS[kind]} {_bureau(bureau)}（递补 {number}）"
    if kind in ("draw", "opened", "vacancy") and part != "0":
        return f"{STEPS[kind]}（递补 {part}）"
    return STEPS.get(kind, kind)


def _abandonment(told: Mapping[str, Any] | None) -> list[str]:
    if told is None:
        return []
    silent = f"；未作承诺：{'、'.join(map(_bureau, told['silent']))}" if told["silent"] else ""
    return [
        f"{draw_reasons('abandon')[told['code']].title_zh}（中止前：{told['state_before']}）：{told['words']}{silent}"
    ]


def _parts(minutes: Mapping[str, Any], result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give the blocks of the result: each a head, some lines, pairs and a sheet, any of which may be empty."""
    return [
        _part("候选名单", lines=_candidates(result)),
        _part("承诺与揭示", pairs=_secrets(result)),
        _part("席位", sheet=_seats(result), widths=(12, 6, 6, 12, 13, 5, 9, 14), lines=_seat_lines(minutes, result)),
        _part("略过", lines=_skip_lines(result), sheet=_skips(result), widths=(4, 12, 12)),
        _part(
            "递补", sheet=_replacements(result), widths=(3, 12, 9, 12, 14), lines=_none(result["replacements"], "递补")
        ),
        _part("异常情况", lines=_incidents(result)),
    ]


def _part(head: str, **more: Any) -> dict[str, Any]:
    return {"head": head, "lines": [], "pairs": [], "sheet": [], "widths": [], **more}


def _candidates(result: Mapping[str, Any]) -> list[str]:
    counts, request, excluded = result["counts"], result["request"], result["excluded"]
    seats = "、".join(f"{_field(one['specialty'])} {one['number']} 席" for one in request["seats"])
    able = "、".join(f"{_field(code)} {number} 人" for code, number in counts["by_specialty"].items())
    quotas = request["quotas"]
    said = [
        f"席位：{seats}。同单位至多 {quotas['per_employer'] or '不限'}，另一方至少 {quotas['other_side']} 席。",
        f"列入名单 {counts['listed']} 人，可抽取 {counts['eligible']} 人（其中另一方 {counts['eligible_other_side']} 人）："
        f"{able}。名单冻结于 {_moment(result['frozen_at'])}，规则版本 {result['rules_edition']}，"
        f"规程 {result['protocol']}，哈希算法 {result['hash']}。",
    ]
    if excluded is not None:
        told = "、".join(f"{_reason(code)} {number}" for code, number in (excluded["by_reason"] or {}).items())
        said.append(f"排除 {excluded['number']} 人" + (f"，原因（一人可有多项）：{told}。" if told else "。"))
    return said


def _secrets(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    pairs = []
    for one in result["commitments"]:
        pairs += [(f"{_bureau(one['bureau'])} 承诺", one["commitment"]), ("链端", one["chain_tip"])]
    pairs += [(f"{_bureau(one['bureau'])} 揭示", one["secret"]) for one in result["reveals"]]
    value = result["public_value"]
    pairs.append(("公开值", f"{value['source']}：{value['value']}（{_moment(value['observed_at'])}）"))
    return [*pairs, ("种子", result["seed"]), ("抽取时间", _moment(result["drawn_at"])),
            ("可信程度", ASSURANCES[result["assurance"]])]  # fmt: skip


def _seats(result: Mapping[str, Any]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("席位", "报送方", "轮次", "匿名编号", "抽签值", "在席", "姓名", "单位、状态")]
    for one in result["taken"]:
        person, state = one["person"] or {}, seat_states()
        told = [
            person.get("employer", ""),
            person.get("title", ""),
            state[one["state"]].title_zh if one["state"] else "",
        ]
        rows.append(
            (
                _field(one["seat"]),
                _bureau(one["side"], short=True),
                "首轮" if one["round"] == 0 else f"递补 {one['round']}",
                _short(one["id"]),
                _short(one["ticket"]),
                "是" if one["seated"] else "否",
                person.get("name", UNNAMED),
                "，".join(filter(None, told)) or "—",
            )
        )
    return rows


def _seat_lines(minutes: Mapping[str, Any], result: Mapping[str, Any]) -> list[str]:
    empty = "、".join(f"{_field(code)} {number} 席" for code, number in Counter(result["unfilled"]).items())
    said = [f"未能补足：{empty}。"] if empty else []
    if not minutes["names_shown"]:
        said.append(f"姓名在 {_moment(result['request']['opens_at'])} 前密封；此后仅向有权角色或经本人同意显示。")
    return said


def _skip_lines(result: Mapping[str, Any]) -> list[str]:
    skipped = result["skipped"]
    return ["本角色不显示。"] if skipped is None else [f"按抽签次序略过 {skipped['number']} 人。"]


def _skips(result: Mapping[str, Any]) -> list[tuple[str, ...]]:
    each = (result["skipped"] or {}).get("each") or []
    rows = [(str(one["round"]), _short(one["id"]), walk_words()[one["reason"]].title_zh) for one in each]
    return [("轮次", "匿名编号", "原因"), *rows] if rows else []


def _replacements(result: Mapping[str, Any]) -> list[tuple[str, ...]]:
    rows = [
        (
            str(one["round"]),
            _short(one["out"]),
            draw_reasons("vacancy")[one["cause"]].title_zh if one["cause"] in draw_reasons("vacancy") else one["cause"],
            "、".join(map(_short, one["taken"])) or "名单已尽",
            _short(one["link"]),
        )
        for one in result["replacements"]
    ]
    return [("次", "离席", "原因", "递补", "链环"), *rows] if rows else []


def _incidents(result: Mapping[str, Any]) -> list[str]:
    said = [
        f"{_bureau(one['bureau'])}：{walk_words()[one['kind']].title_zh}（轮次 {one['round']}），由备用公开来源决定。"
        for one in result["incidents"]
    ]
    return said or ["无。"]


def _none(rows: Sequence[Any], word: str) -> list[str]:
    return [] if rows else [f"无{word}。"]


def _notes(minutes: Mapping[str, Any]) -> list[str]:
    result = minutes["result"]
    said = [f"本记录的签名密钥 {minutes['key_id']}；匿名编号、抽签值、链环全文见公布文件与同号 JSON。"]
    if result is not None:
        said = [
            f"公布文件 {minutes['draw_id']}.json，规范 JSON 的 SHA-256：{result['sha256']}",
            f"复核：{result['verify'][0]}，或只用标准库：{result['verify'][1]}；不需联网，不需密钥，任何人都可重算全部结果。",
            *said,
        ]
    return said


def _bureau(code: str, *, short: bool = False) -> str:
    known = bureaus().get(code)
    if known is None:
        return code
    return known.aliases[-1] if short and known.aliases else known.name_zh


def _field(code: str) -> str:
    known = specialties().get(code)
    return f"{code} {known.title_zh}" if known else code


def _reason(code: str) -> str:
    known = exclusions().get(code)
    recusal = recusal_reasons().get(code)
    return known.title_zh if known else recusal.title_zh if recusal else code


def _short(opaque: str) -> str:
    return opaque[:16] + "…"


def _moment(text: str) -> str:
    return read_time(text).astimezone(CHINA).strftime("%Y-%m-%d %H:%M")
