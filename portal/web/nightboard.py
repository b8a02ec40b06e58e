"""夜间看板: both bureaus' sources by day, as ``gongzhi board`` shows them, and what is amiss."""

from __future__ import annotations

from datetime import timedelta

from starlette.responses import Response

from pipelines.board import board, china_day
from portal.boards import STATES, VISITS, by_source
from portal.web.asking import Ask
from portal.web.desk import own_alarms
from portal.web.pages import age, bureau_of, page
from records.runs import runs
from schemas.alarms import alarm_kinds
from schemas.sources import sources

DAYS = 10
TONES = {
    "failed": "bad", "missing": "bad", "empty": "bad", "refused": "bad", "unchanged": "warn", "late": "warn",
    "partial": "warn", "ok": "good",
}  # fmt: skip


def night(ask: Ask) -> Response:
    """Show the board of the last days."""
    records, facts = ask.site.records, ask.site.places.site_facts
    found, _ = sources(facts if facts.is_dir() else None)
    today = china_day(ask.at)
    days = [today - timedelta(days=n) for n in reversed(range(DAYS))]
    seen = board(records, found, days[0], today, ask.at)
    names = {code: bureau_of(ask, code) for code in sorted({source.bureau for source in found.values()})}
    nights = [run for run in runs(records, "night", limit=10) if run.finished_at is not None]
    return page(
        ask, "night.html",
        days=days, rows=by_source(seen.cells), found=found, last=seen.last,
        names={code: ask.words(known.name_zh, known.name_en) if known else code for code, known in names.items()},
        ages={key: age(ask.words, seen.lag.get(key)) for key in found},
        states=STATES, visits=VISITS, tones=TONES, alarms=own_alarms(ask), kinds=alarm_kinds(),
        ran=nights[0] if nights else None,
    )  # fmt: skip
