"""Who looked at our records: credit look-ups, looks at experts, downloads of shared data."""

from __future__ import annotations

from datetime import timedelta

from starlette.responses import Response

from portal.trail import Question, search
from portal.web.asking import Ask
from portal.web.audit.trail import day_of, eyes
from portal.web.pages import page
from records.credit import accesses
from records.event_search import looks_at_experts

SHOWN = 300
DAYS = 30
TABS = {
    "credit": ("企业信用", "credit records"),
    "experts": ("专家库", "experts"),
    "exports": ("下载", "downloads"),
}
KINDS = {
    "lookup": ("查询", "look-up"), "search": ("搜索", "search"), "history": ("历史", "history"),
    "screen": ("批量核查", "screening"), "slip": ("查询单", "slip"), "draw": ("抽取", "draw"),
    "export": ("导出", "export"), "list": ("列表", "list"), "show": ("查看", "one expert"),
    "open": ("打开密封字段", "sealed fields opened"), "minutes": ("记录单", "minutes"),
}  # fmt: skip


def looks(ask: Ask) -> Response:
    """Show one of the three lists, of the last month unless another time is asked for."""
    bureau, records = ask.me.bureau, ask.site.records
    ask.need("audit.read", bureau)
    tab = ask.query.get("tab", "")
    tab = tab if tab in TABS else "credit"
    fields = {name: ask.query.get(name, "").strip()[:20] for name in ("since", "until")}
    since = day_of(ask, fields["since"]) or (None if any(fields.values()) else ask.at - timedelta(days=DAYS))
    until = day_of(ask, fields["until"])
    until = None if until is None else until + timedelta(days=1)
    reader = eyes(ask)
    credit = accesses(records, owner=bureau, since=since, until=until, limit=SHOWN) if tab == "credit" else []
    experts = looks_at_experts(records, bureau, since, until, SHOWN) if tab == "experts" else []
    asked = Question(kind="export", since=since, until=until)
    exports = search(records, reader, asked, SHOWN).lines if tab == "exports" else ()
    return page(
        ask, "audit/looks.html",
        tab=tab, kinds_of_looks=TABS, kinds=KINDS, fields=fields, credit=credit, experts=experts, exports=exports,
        most=SHOWN, reader=reader, days=DAYS,
    )  # fmt: skip
