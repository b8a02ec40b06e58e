"""Everything that is held on one person, for that person (PIPL Art. 45): as JSON, and as text one can read.

All records of the person are in it, with the numbers in clear, who looked at them and when, every change, every draw
whose list they stood on (once its names may be known) with the reasons, what was told of their uses, proposals with
their rule, and the lists they may stand in. Of other people it says nothing: of a match only that there is one. The look
is recorded as an export.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from expert_registry.draw import protocol
from expert_registry.draw.freezing import EXCLUSIONS
from expert_registry.privacy.requests_of_persons import LISTS, lists_with, records_of_person
from expert_registry.privacy.vault import BANK, DRAW_KEY, IDENTITY, PHONE, Vault
from records import expert_appraisals, expert_drawbook, expert_erasure, expert_matches, expert_seats
from records import expert_pages as pages
from records.expert_access import expert_accesses, record_access
from records.experts import PARTS, ExpertRow, expert
from records.models import read_time
from records.store import CHINA, Records

DOCUMENT = "gongzhi-expert-dossier/1"
FIELDS = (IDENTITY, PHONE, BANK)
SECRET = ("identity_sealed", "phone_sealed", "bank_sealed", "identity_index", "name_key")
NAMES: dict[str, str] = {
    "records": "登记信息", "expert_id": "编号", "bureau": "登记单位", "name": "姓名", "employer": "工作单位",
    "employer_uscc": "单位统一社会信用代码", "title": "职称", "title_rank": "职称等级", "division": "行政区划",
    "state": "状态", "term_start": "聘期起", "term_end": "聘期止", "bar_until": "不得再入库至",
    "certificate_until": "证书有效期至", "practice_since": "从业起始", "identity": "证件号码", "identity_kind": "证件种类",
    "identity_mask": "证件号码（遮蔽）", "phone": "手机号", "phone_mask": "手机号（遮蔽）", "bank": "银行账户", "remark": "备注",
    "source_sha256": "来源名单散列", "source_row": "来源名单行号", "entered_at": "入库时间", "updated_at": "更新时间",
    "merged_into": "并入编号", "erased_at": "删除时间", "frozen_at": "停止使用时间", "specialty": "专业领域",
    "employment": "任职经历", "tie": "申报的关系", "consent": "同意", "leave": "请假", "changes": "变更记录",
    "accesses": "查看记录", "draws": "抽取名单", "seats": "席位", "seat_changes": "席位变更", "appraisals": "评价",
    "fees": "费用", "proposals": "移出建议", "matches": "疑似重复配对", "lists": "收到的名单", "reasons": "排除原因",
    "by": "经办人", "at": "时间", "role": "角色", "unit": "单位", "kind": "种类", "fields": "字段", "purpose": "目的",
    "reason": "理由", "before": "此前", "after": "此后", "draw_id": "抽取编号", "title_": "事项", "status": "名单状态",
    "given_on": "同意日", "revoked_on": "撤回日", "document": "文件", "since": "起", "until": "止", "code": "代码",
    "raw": "原文", "edition": "版本", "grade": "等次", "amount_fen": "金额（分）", "paid_on": "支付日", "payer": "支付单位",
    "held_on": "会议日", "seat": "席位专业", "round": "轮次", "uscc": "统一社会信用代码", "party": "相关方",
    "matter": "事项编号", "detail": "说明", "source": "来源", "told_at": "登记时间", "cleared_at": "解除时间",
}  # fmt: skip
"""Words of the readable text; what has none keeps its English name."""


def dossier(
    records: Records, vault: Vault, expert_id: str, *, by: str, unit: str, at: datetime, reason: str
) -> dict[str, Any]:
    """Gather everything; the export is recorded for each record.

    Raises
    ------
    NoExpert
    """
    ids = records_of_person(records, expert_id)
    rows = [row for one in ids if (row := expert(records, one)) is not None]
    for row in rows:
        record_access(
            records, at=at, by=by, role="pool_staff", unit=unit, kind="export", expert_id=row.expert_id,
            fields=FIELDS, purpose=reason,
        )  # fmt: skip
    told: dict[str, Any] = {
        "document": DOCUMENT,
        "made_at": at,
        "made_by": by,
        "request": reason,
        "records": [_record(records, vault, row) for row in rows],
        "changes": [asdict(one) for row in rows for one in pages.changes(records, row.expert_id)],
        "accesses": [asdict(one) for row in rows for one in expert_accesses(records, expert_id=row.expert_id)],
        "draws": list(_draws(records, vault, ids, at)),
        "seats": [asdict(one) for one in expert_seats.seats(records, expert_ids=ids)],
        "seat_changes": [asdict(one) for one in expert_seats.seat_changes(records, expert_ids=ids)],
        "appraisals": [asdict(one) for one in expert_appraisals.appraisals(records, expert_ids=ids)],
        "fees": [asdict(one) for one in expert_appraisals.fees(records) if one.expert_id in ids],
        "proposals": [asdict(one) for each in ids for one in expert_appraisals.proposals(records, expert_id=each)],
        "matches": list(_matches(records, ids)),
        "lists": list(_lists(records, rows)),
    }
    plain: dict[str, Any] = json.loads(json.dumps(told, ensure_ascii=False, default=_plain))
    return plain


def _record(records: Records, vault: Vault, row: ExpertRow) -> dict[str, Any]:
    told = {name: value for name, value in asdict(row).items() if name not in SECRET}
    for name in FIELDS:
        told[name] = vault.open_(row.expert_id, name, getattr(row, f"{name}_sealed"))
    with records.database.read() as connection:
        parts = pages.parts(connection, [row.expert_id], PARTS)
        parts["tie"] = {row.expert_id: pages.all_ties(connection, row.expert_id)}
    for name, found in parts.items():
        rows = found.get(row.expert_id, [])
        told[name] = [{k: v for k, v in one._mapping.items() if k not in ("id", "expert_id")} for one in rows]
    return told


def _draws(records: Records, vault: Vault, ids: Iterable[str], at: datetime) -> Iterator[dict[str, Any]]:
    """Give the own entry of every list whose names may be known."""
    for draw in expert_drawbook.draws(records):
        papers = {one.kind: one.document for one in expert_drawbook.papers(records, draw.draw_id)}
        frozen = papers.get("list")
        if frozen is None or not draw.key_sealed or at < read_time(frozen["request"]["opens_at"]):
            continue
        key = vault.open_(draw.draw_id, DRAW_KEY, draw.key_sealed)
        opaque = [protocol.opaque_id(key, one, frozen["hash"]) for one in ids]
        evidence = json.loads(vault.open_(draw.draw_id, EXCLUSIONS, papers[EXCLUSIONS]["sealed"]))
        for entry in (found for one in opaque if (found := protocol.entry(frozen, one)) is not None):
            yield {
                "draw_id": draw.draw_id, "title_": draw.title, "held_on": draw.held_on, "state": draw.state,
                "status": entry["status"], "specialties": entry["specialties"], "reasons": evidence.get(entry["id"], []),
            }  # fmt: skip


def _matches(records: Records, ids: Iterable[str]) -> Iterator[dict[str, Any]]:
    for one in ids:
        for match in expert_matches.matches(records, expert_id=one):
            yield {"match_id": match.match_id, "state": match.state, "decided_at": match.decided_at}


def _lists(records: Records, rows: Iterable[ExpertRow]) -> Iterator[dict[str, Any]]:
    wanted = {sha256 for row in rows for sha256 in lists_with(records, row)}
    for one in expert_erasure.events(records, LISTS):
        if one["sha256"] in wanted:
            yield {"receipt": one["receipt"], "sha256": one["sha256"], "at": one["event_at"], "by": one["by"]}


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(CHINA).isoformat(timespec="seconds")
    assert isinstance(value, date)
    return value.isoformat()


def readable(told: Mapping[str, Any]) -> str:
    """Write a dossier as text: a heading for each part, a line for each thing that is known."""
    head = [
        "个人信息查阅件（个人信息保护法第四十五条）",
        f"制作：{told['made_at']}　经办人：{told['made_by']}　依据：{told['request']}",
        "共同处理者：参与共建专家库的各生态环境局；可向任何一方提出查阅、更正、删除（第二十条）。",
    ]
    body = [line for name in list(told)[4:] for line in _part(name, told[name])]
    return "\n".join([*head, *body]) + "\n"


def _part(name: str, rows: list[dict[str, Any]]) -> Iterator[str]:
    yield ""
    yield f"【{NAMES.get(name, name)}】{len(rows)} 条"
    for number, row in enumerate(rows, 1):
        yield f"{number}. " + "；".join(_words(row))


def _words(row: Mapping[str, Any]) -> Iterator[str]:
    for name, value in row.items():
        if value in ("", None, [], {}):
            continue
        yield f"{NAMES.get(name, name)}：{_text(value)}"


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "（" + "，".join(f"{NAMES.get(name, name)} {_text(one)}" for name, one in value.items()) + "）"
    return "、".join(map(_text, value)) if isinstance(value, list) else str(value)
