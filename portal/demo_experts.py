"""The experts' part of the story: both rosters into the pool, one match decided, one draw in one home, done again.

Its clock runs ahead where the rules ask for time: thirty days after their entry experts may be drawn, a day to reveal,
names on the eve of the meeting. What is not in a delivery (appointment, consent) is told here as staff would tell it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from expert_registry.draw import freezing, rounds
from expert_registry.draw.desk import request
from expert_registry.draw.papers import PublicSource, PublicValue
from expert_registry.draw.verification import read, verify
from expert_registry.people import Consent
from expert_registry.roster import declarations, life_cycle, merging
from expert_registry.roster.pool import load
from pipelines.batch import Places
from portal.expert_desk import Office, office_of
from portal.expert_import import bring_in
from portal.expert_requests import read_instant, read_panel
from portal.expert_rounds import seats_shown, standing
from portal.expert_views import pairs
from portal.expert_words import draw_lines, import_lines, match_lines, seat_lines
from portal.words import say
from records import expert_drawbook
from records.store import Records

ROSTERS = ("beibei/专家名册_2026年.xlsx", "mianyang/专家名册_2026年.csv")
ASKS, CONFIRMS = "演示申请人", "演示确认人"
HOUR = timedelta(hours=1)


def draw_experts(places: Places, records: Records, examples: Path, clock: Callable[[], datetime]) -> Iterator[str]:
    """Tell the story and name the files."""
    if expert_drawbook.draws(records):
        yield say("== 专家库：此目录已演示过抽取 ==", "== the expert pool: this home has had its draw ==")
        return
    desk = office_of(places, records, ASKS, clock())
    yield say("== 专家库：两地名册入库，个人号码密封 ==", "== the expert pool: both rosters, numbers sealed ==")
    for name in ROSTERS:
        bureau, file = name.split("/")
        for one in bring_in(desk, [examples / "deliveries" / bureau / file], bureau, None):
            yield from import_lines(one)
    yield ""
    yield say(
        "同一人在两份名册里：由人核定，不自动合并", "one person in both lists: decided by a person, never merged alone"
    )
    found = pairs(desk, "proposed")
    yield from match_lines(found)
    for pair in found:
        merging.decide(records, pair["match_id"], "same", CONFIRMS, desk.at, "演示：核对证件一致")
    _appoint(desk)
    yield ""
    yield from _draw(places, records, examples / "experts" / "request.toml")


def _appoint(desk: Office) -> None:
    """Appoint everybody, with their consent to be told to the other side."""
    ids = [one.expert_id for one in load(desk.records)]
    for state in ("checked", "publicised", "appointed"):
        life_cycle.move_all(desk.records, ids, state, ASKS, desk.at, desk.rules)
    told = Consent("sharing", date(2026, 4, 14), None, "演示同意书")
    for one in ids:
        declarations.give_consent(desk.records, one, told, ASKS, desk.at)


def _draw(places: Places, records: Records, file: Path) -> Iterator[str]:
    asked = read_panel(file)
    begun = read_instant("2026-06-03 09:00")
    asks = office_of(places, records, ASKS, begun)
    confirms = replace(asks, by=CONFIRMS)
    matter = asks.complete(asked.request.matter)
    made = request(asks.desk, replace(asked.request, matter=matter), by=ASKS, at=begun)
    number, desk = made.draw_id, asks.desk
    yield say(f"== 抽取 {number}：{made.title} ==", f"== draw {number}: {made.title} ==")
    freezing.freeze(desk, number, by=CONFIRMS, at=begun + HOUR, facts=asks.facts(matter))
    source, fallback = (
        PublicSource(f"福利彩票双色球第{issue}期", read_instant(due))
        for issue, due in (("2026063", "2026-06-04 21:15"), ("2026064", "2026-06-07 21:15"))
    )
    for bureau in desk.plays:
        rounds.commit(
            desk, number, bureau, public_source=source, fallback_source=fallback, by=ASKS, at=begun + 2 * HOUR
        )
    for bureau in desk.plays:
        rounds.reveal(desk, number, bureau, by=ASKS, at=begun + 3 * HOUR)
    value = PublicValue(source.name, "03 09 11 20 28 31 + 07（示例）", source.due + HOUR)
    rounds.run(desk, number, value, by=CONFIRMS, at=value.observed_at + HOUR)
    document = rounds.publish(desk, number, by=ASKS, at=value.observed_at + 2 * HOUR)
    yield from draw_lines(standing(asks, number))
    for entry in document["skipped"]:
        yield say(f"  跳过 {entry['id'][:16]}：{entry['reason']}", f"  skipped {entry['id'][:16]}: {entry['reason']}")
    path = places.home / "experts" / f"{number}.json"
    path.write_text(json.dumps(document, ensure_ascii=False, sort_keys=True, indent=1) + "\n", encoding="utf-8")
    check = verify(read(path.read_bytes()))
    yield ("✓ " if check.ok else "✗ ") + say(check.reason_zh, check.reason_en)
    later = replace(confirms, at=asked.request.opens_at.astimezone(UTC))
    yield say("公开时间之后（查看留痕）：", "once the names may be seen (each look is recorded):")
    yield from seat_lines(seats_shown(later, number))
    yield say(
        f"公布文件 {path}；任何人复算：gongzhi experts verify {path}，或 python docs/verify_draw.py {path}",
        f"the published file is {path}; anybody: gongzhi experts verify {path}, or python docs/verify_draw.py {path}",
    )
