"""Print a query slip: one A4 page as PDF, in black only, with the code in words and as a QR code.

The page shows what the signed JSON holds, no more; where not all lines fit on the page it says how many are left to
the JSON. How a page is set is in ``records/paper.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from credit_registry.wording import (
    LEFT_OUT,
    MESSAGE_KINDS,
    PENALTY_STATES,
    RATING_STATES,
    TARGETS,
    attention_in_words,
    bureau_name,
    level_in_words,
    moment,
    nothing_in_words,
    source_in_words,
)
from records.paper import print_page

TEMPLATE = Path(__file__).parent / "templates" / "slip.typ"
TITLE = "企业环境信用查询单"
LONGEST = 60
ROOM = (40, 24, 16, 12, 9, 7, 5, 4, 3, 2, 1, 0)
"""Most lines of ratings and of penalties to try, until the page is one."""
RATING_HEAD = ("报送", "评价机关", "年度", "办法", "原等级", "状态", "本方是否认可、理由", "对照等级")
PENALTY_HEAD = ("报送", "决定书文号", "行为日 / 决定日", "处罚机关", "违法事实", "罚款(元)", "状态")


def print_slip(slip: Mapping[str, Any], *, folders: Sequence[Path] = (), address: str = "") -> bytes:
    """Print a slip as PDF.

    Parameters
    ----------
    slip : mapping
        As :func:`credit_registry.slip.make_slip` made it.
    folders : sequence of Path
        Folders with fonts, beside those of the system.
    address : str
        Where the portal checks slips; the QR code then leads there, else it holds number and code.

    Raises
    ------
    NoChineseFont
        No font with Chinese characters is installed; names the Debian package.
    """
    editions = (page_of(slip, room=room) for room in ROOM)
    issued_at = datetime.fromisoformat(slip["issued_at"])
    return print_page(TEMPLATE, editions, qr_text=qr_text(slip, address), at=issued_at, folders=folders)


def qr_text(slip: Mapping[str, Any], address: str = "") -> str:
    """Give what the QR code says: an address to check at, or number and code for those who have the JSON."""
    if address:
        return f"{address.rstrip('/')}/{slip['slip_id']}?code={slip['verification_code']}"
    return f"GONGZHI-SLIP/1 {slip['slip_id'].upper()} {slip['verification_code']}"


def page_of(slip: Mapping[str, Any], *, room: int) -> dict[str, Any]:
    """Give all words of the page, with at most ``room`` lines of ratings and as many of penalties."""
    answer = slip["answer"]
    ratings, penalties = answer["ratings"], answer["penalties"]
    return {
        "title": TITLE,
        "issuer": slip["issuer"],
        "slip_id": slip["slip_id"],
        "issued_at": moment(datetime.fromisoformat(slip["issued_at"])),
        "code": slip["verification_code"],
        "asker": _asker(answer),
        "identity": _identity(answer["identity"]),
        "identity_words": [*_words(answer["identity"]), *_former(answer["identity"], room)],
        "rating_words": _block_words(ratings, "评价", room),
        "ratings": [RATING_HEAD, *(_rating(one) for one in ratings["lines"][:room])],
        "penalty_words": _block_words(penalties, "处罚", room),
        "penalties": [PENALTY_HEAD, *(_penalty(one) for one in penalties["lines"][:room])],
        "progress_words": _progress(answer, room),
        "unknown_words": _unknown(answer["unknown"]),
        "notes": [
            LEFT_OUT,
            "评价不平均、不合并；对方评价只作提示，不得自动作出处理。分支机构、母子公司各按自己的代码，互不继承。",
            f"核验：运行 gongzhi verify slip 加同号 JSON 文件（不需联网），或扫二维码核对验证码。签名密钥 {slip['key_id']}。",
        ],
    }


def _cut(text: Any, longest: int = LONGEST) -> str:
    text = str(text or "—")
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _asker(answer: Mapping[str, Any]) -> list[tuple[str, str]]:
    query, as_of = answer["query"], answer["as_of"]
    known = moment(datetime.fromisoformat(as_of["known"])) + ("，即查询时" if as_of["known_is_now"] else "")
    return [
        ("查询人", _cut(query["user"])),
        ("单位", _cut(query["unit"])),
        ("执法证号", _cut(query["certificate"])),
        ("查询目的", _cut(query["purpose_zh"])),
        ("计划或事由", _cut(query["plan"])),
        ("查询时间", moment(datetime.fromisoformat(query["at"]))),
        ("有效时点", str(as_of["on"])),
        ("所知时点", known),
        ("数据版本", _cut(as_of["version"])),
        ("对照表版本", _crosswalk(as_of)),
    ]


def _crosswalk(as_of: Mapping[str, Any]) -> str:
    used = as_of["crosswalk"]
    if used is None:
        return "该日没有有效的对照表"
    signed = f"{used['signed_on']} 签署" if used["status"] == "signed" else "建议稿，未经任何一方签署"
    return f"{used['edition']}（{signed}）"


def _identity(identity: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        ("名称", _cut(identity["name"] or identity["subject"])),
        ("统一社会信用代码", f"{identity['uscc'] or '无'} {identity['uscc_reason']}".strip()),
        ("登记地", _cut(identity["registered_place"])),
        ("场所", _cut("、".join(identity["sites"]))),
    ]


def _words(block: Mapping[str, Any]) -> list[str]:
    said = nothing_in_words(block["state"])
    return [said] if said else []


def _former(identity: Mapping[str, Any], room: int) -> list[str]:
    others = [one["name"] for one in identity["names"] if one["name"] != identity["name"]]
    more = f" 等 {len(others)} 个" if len(others) > max(room, 1) else ""
    return [f"曾用名或其他写法：{_cut('、'.join(others[: max(room, 1)]), 120)}{more}"] if others else []


def _block_words(block: Mapping[str, Any], title: str, room: int) -> list[str]:
    """Say for each bureau what it is that is not there, and how many lines the page has no room for."""
    said = [f"{bureau_name(one['bureau'])}：{one['message']}" for one in block["by_bureau"] if one["message"]]
    said += [f"{bureau_name(one['bureau'])}：{one['year_note']}" for one in block["by_bureau"] if one.get("year_note")]
    said += _words(block) if not said else []
    if block["withheld"]:
        said.append(f"另有{title} {block['withheld']} 件依法不予展示。")
    if block.get("earlier"):
        said.append(f"已被新年度取代的{title} {len(block['earlier'])} 条未列出，见同号 JSON 文件。")
    if len(block["lines"]) > room:
        said.append(f"共 {len(block['lines'])} 条，本页列出 {room} 条，其余见同号 JSON 文件。")
    return said


def _rating(line: Mapping[str, Any]) -> list[str]:
    verdict = "本方评价" if line["own"] else "认可" if line["recognised"] else "不认可"
    reason = "；".join(one.rstrip("。") for one in (line["message"], *(one["message"] for one in line["warnings"])))
    return [
        _cut(bureau_name(line["bureau"]), 12),
        _cut(line["issuer"] + (f"（{line['site']}）" if line["site"] else ""), 30),
        str(line["rated_year"]),
        line["scheme"],
        _cut(level_in_words(line), 40),
        RATING_STATES.get(line["state"], line["state"]),
        _cut(f"{verdict}：{reason}", 160),
        line["shared_level_title"] or line["shared_level"] or "—",
    ]


def _penalty(line: Mapping[str, Any]) -> list[str]:
    state = PENALTY_STATES.get(line["state"], line["state"])
    until = f"，至 {line['published_until']}" if line["published_until"] else ""
    return [
        _cut(bureau_name(line["bureau"]), 12),
        _cut(line["decision_number"], 40),
        f"{line['act_date'] or '—'} / {line['decision_date'] or '—'}",
        _cut(line["authority"], 24),
        _cut(line["violation"], 48),
        str(line["fine_yuan"] if line["fine_yuan"] is not None else "—"),
        state + until,
    ]


def _progress(answer: Mapping[str, Any], room: int) -> list[str]:
    lines = answer["in_progress"]["lines"]
    said = [
        f"{MESSAGE_KINDS.get(one['kind'], one['kind'])}（{TARGETS.get(one['target'], one['target'])} {_cut(one['key'])}）："
        f"{bureau_name(one['bureau'])}，{one['effective']} 起，{_cut(one['document'])}"
        for one in lines[: max(room, 1)]
    ]
    if len(lines) > len(said):
        said.append(f"共 {len(lines)} 项，其余见同号 JSON 文件。")
    said = said or [f"办理中的异议、暂停、确认：{nothing_in_words(answer['in_progress']['state'])}。"]
    attention = answer["attention"]
    return [
        *said,
        f"关注等级：{attention_in_words(attention)}" + ("（须关注）" if attention["flagged"] else ""),
        f"联合激励：{attention['incentive_message']}",
    ]


def _unknown(unknown: Mapping[str, Any]) -> list[str]:
    said = [source_in_words(one) for one in unknown["sources"]]
    missing = "、".join(one["title"] for one in unknown["not_connected"])
    same = "、".join(unknown["namesakes"])
    return [
        "；".join(said) + "。",
        *([f"未接入：{missing}。"] if missing else []),
        *([f"另有同名但没有代码的记录，可能属于也可能不属于本企业，未列入：{_cut(same)}。"] if same else []),
    ]
