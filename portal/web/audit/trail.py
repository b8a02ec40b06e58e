"""The search: by person, object, kind and time, a page at a time, never further than the own bureau."""

from __future__ import annotations

import json
from datetime import date, datetime, time, timedelta
from urllib.parse import urlencode

from starlette.responses import Response

from portal.trail import Question, Reader, one, reader_of, search
from portal.web.asking import Ask
from portal.web.errors import Problem
from portal.web.pages import CHINA, page
from records.accounts import accounts
from schemas.event_kinds import event_kinds

PER_PAGE = 50
LONGEST = 120
EARLIEST, LATEST = 1970, 9000
"""Years that can still be counted on from, in any zone of time."""
SUBJECTS = {
    "delivery": ("报送", "deliveries"),
    "account": ("账户与登录", "accounts and logins"),
    "look": ("查看与下载", "looks and downloads"),
    "credit": ("信用", "credit"),
    "expert": ("专家库", "experts"),
    "draw": ("随机抽取", "draws"),
    "audit": ("审计", "audit"),
    "system": ("系统运行", "the system"),
}
FACTS = {
    "account": ("账户", "account"), "change": ("变更", "change"), "by": ("经办", "by"), "roles": ("角色", "roles"),
    "before": ("原为", "before"), "session": ("会话", "session"), "how": ("方式", "how"), "step": ("步骤", "step"),
    "reason": ("原因", "reason"), "user": ("人员", "user"), "unit": ("单位", "unit"), "purpose": ("目的", "purpose"),
    "plan": ("计划", "plan"), "uscc": ("企业代码", "enterprise"), "owners": ("被查单位", "owners"),
    "count": ("条数", "count"), "rows": ("行", "rows"), "results": ("结果", "results"), "sha256": ("SHA-256", "SHA-256"),
    "receipt": ("回执", "receipt"), "bytes": ("字节", "bytes"), "submitted_by": ("提交人", "handed in by"),
    "dataset": ("数据类型", "data"), "layout": ("格式", "layout"), "key": ("密钥", "key"), "scopes": ("权限", "scopes"),
    "expires": ("到期", "expires"), "job": ("任务", "job"), "slot": ("时段", "slot"), "state": ("状态", "state"),
    "code": ("代码", "code"), "source": ("来源", "source"), "severity": ("级别", "severity"), "kind": ("种类", "kind"),
    "expert_id": ("专家编号", "expert"), "fields": ("字段", "fields"), "role": ("角色", "role"),
    "table": ("数据表", "table"), "tables": ("数据表", "tables"), "format": ("格式", "format"), "ok": ("结果", "ok"),
    "seq": ("至第几号", "up to"), "error": ("错误", "error"), "why": ("原因", "why"), "result": ("结果", "result"),
}  # fmt: skip
"""Fields of an event in words; others are shown under their own name."""


def trail(ask: Ask) -> Response:
    """Show what the question finds."""
    ask.need("audit.read", ask.me.bureau)
    asked, fields = question(ask)
    reader = eyes(ask)
    found = search(ask.site.records, reader, asked, PER_PAGE)
    return page(
        ask, "audit/trail.html",
        found=found, fields=fields, query=urlencode({name: value for name, value in fields.items() if value}),
        kinds=event_kinds(), subjects=SUBJECTS, people=accounts(ask.site.records, ask.me.bureau), facts=FACTS,
    )  # fmt: skip


def one_event(ask: Ask) -> Response:
    """Show one event, with its place in the chain."""
    text = ask.path["event"]
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0
    line = one(ask.site.records, eyes(ask), number)
    if line is None:
        raise Problem(404)
    whole = json.dumps(line.facts, ensure_ascii=False, indent=2, sort_keys=True)
    return page(ask, "audit/event.html", line=line, whole=whole, facts=FACTS)


def eyes(ask: Ask) -> Reader:
    """Give whose eyes read."""
    return reader_of(ask.site.records, ask.me.bureau, ask.site.gate.bureaus)


def question(ask: Ask) -> tuple[Question, dict[str, str]]:
    """Read the question from the address; give it with the fields as they are kept in the form."""
    fields = {
        name: ask.query.get(name, "").strip()[:LONGEST] for name in ("who", "what", "subject", "kind", "since", "until")
    }
    fields["subject"] = fields["subject"] if fields["subject"] in SUBJECTS else ""
    fields["kind"] = fields["kind"] if fields["kind"] in event_kinds() else ""
    since, until = day_of(ask, fields["since"]), day_of(ask, fields["until"])
    before = ask.query.get("before", "")
    asked = Question(
        fields["who"], fields["what"], fields["subject"], fields["kind"],
        since, None if until is None else until + timedelta(days=1),
        int(before) if before.isascii() and before.isdigit() and len(before) < 16 else 0,
    )  # fmt: skip
    return asked, fields


def day_of(ask: Ask, text: str) -> datetime | None:
    """Read a day of China as the instant it begins."""
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
        if not EARLIEST <= day.year <= LATEST:
            raise ValueError(text)
        return datetime.combine(day, time(), CHINA)
    except ValueError:
        raise Problem(
            400, "wrong-day", f"日期：“{text[:20]}”不是有效日期。请改为 YYYY-MM-DD",
            f"date: {text[:20]!r} is no day; write YYYY-MM-DD",
        ) from None  # fmt: skip
