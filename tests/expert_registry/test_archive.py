"""The archive sheet of a draw, and the figures of pool and draws."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest
from after_home import MEETING, OPEN, opened, tell, used
from desk_home import DAY, HOUR, T0, asked, enter, fill, home, parts, published, row

from expert_registry import figures
from expert_registry.draw import desk as desks
from expert_registry.draw.papers import PublicSource
from expert_registry.errors import WrongState
from expert_registry.panel import afterwards, archive
from records import expert_drawbook
from records.keys import check_signature
from schemas.experts import add_years

YEAR = (date(2026, 1, 1), date(2026, 12, 31))


@pytest.fixture
def desk(records, tmp_path):
    fill(records)
    return home(records, tmp_path)


def finish(desk, draw_id, ids):
    for expert_id in ids:
        tell(desk, draw_id, expert_id, "invited", "accepted")
        tell(desk, draw_id, expert_id, "attended", "opinion_signed", at=MEETING, document=f"意见 {expert_id[-1]}")


def test_an_archive_names_every_paper_and_how_each_seat_ended_but_nobody(desk):
    draw_id, ids = opened(desk)
    with pytest.raises(WrongState, match="drawn"):
        archive.archive(desk, draw_id, by="qian", at=OPEN)
    finish(desk, draw_id, ids)
    afterwards.appraise(desk, draw_id, ids[0], "by-user", "good", by="zhou", at=MEETING)
    afterwards.pay(desk, draw_id, ids[0], 80_000, paid_on=date(2026, 4, 20), payer="局", by="qian", at=MEETING)
    sheet = archive.archive(desk, draw_id, by="qian", at=MEETING + DAY)
    assert [one["state"] for one in sheet["seats"]] == ["opinion_signed"] * 3 and sheet["appraisals_missing"] == 5
    assert sheet["keep_until"] == add_years(date(2026, 4, 20), desk.rules.retention_draw_years).isoformat()
    kept = expert_drawbook.papers(desk.records, draw_id)
    assert [one["sha256"] for one in sheet["papers"]] == [one.sha256 for one in kept if one.kind != "archive"]
    text = json.dumps(sheet, ensure_ascii=False)
    assert check_signature(sheet).valid and not any(one in text for one in (*ids, "专家", "示例研究院"))
    assert next(one for one in sheet["seats"] if one["paid_fen"])["grades"] == {"by-user": "good"}


def test_an_archive_is_made_again_only_where_something_was_told_since(desk):
    draw_id, ids = opened(desk)
    finish(desk, draw_id, ids)
    first = archive.archive(desk, draw_id, by="qian", at=MEETING + DAY)
    assert archive.archive(desk, draw_id, by="sun", at=MEETING + 2 * DAY) == first
    tell(desk, draw_id, ids[0], "replaced", at=MEETING + 3 * DAY, code="recusal-found", reason="事后发现")
    second = archive.archive(desk, draw_id, by="qian", at=MEETING + 4 * DAY)
    assert (first["edition"], second["edition"]) == (0, 1) and expert_drawbook.check_numbers(desk.records) == []
    assert {one["code"] for one in second["seats"]} == {"", "recusal-found"}


def test_a_draw_that_goes_on_or_whose_names_nobody_opened_is_not_archived_an_abandoned_one_is(desk):
    draw_id = published(desk)
    with pytest.raises(WrongState, match="尚未公开"):
        archive.archive(desk, draw_id, by="qian", at=MEETING + DAY)
    other = desks.request(desk, asked("另一事项"), by="li", at=T0 + 40 * HOUR)
    with pytest.raises(WrongState, match="尚不能归档"):
        archive.archive(desk, other.draw_id, by="qian", at=MEETING)
    desks.abandon(desk, other.draw_id, "matter-withdrawn", "撤回", by="li", at=T0 + 41 * HOUR)
    assert archive.archive(desk, other.draw_id, by="qian", at=MEETING)["state"] == "abandoned"


# -- figures -----------------------------------------------------------------------------------------------------------


def test_the_pool_is_counted_by_bureau_state_title_region_and_field(records, tmp_path):
    enter(
        records,
        (row(2), parts(2)),
        (row(4, title_rank="associate", division=""), parts(4)),
        (row(6, state="suspended"), parts(6, specialty=[
            {"code": code, "edition": "gz-2026-1", "raw": code} for code in ("W03", "A03")])),
        (row(8, state="removed"), parts(8)),
        (row(10, merged_into="e-00002"), parts(10)),
        (row(1), parts(1)),
    )  # fmt: skip
    pool = figures.figures(home(records, tmp_path), *YEAR, at=T0)["bureaus"]["beibei"]["pool"]
    assert pool == {
        "in_pool": 3,
        "drawable": 2,
        "by_state": {"appointed": 2, "removed": 1, "suspended": 1},
        "by_title": {"associate": 1, "senior": 2},
        "by_region": {"unknown": 1, "500109": 2},
        "by_specialty": {"A03": 1, "W03": 3},
    }


def test_uses_and_the_share_of_the_other_side_are_counted_without_naming_anybody(desk):
    used(desk, date(2026, 4, 2), "e-00002", "accepted")
    used(desk, date(2026, 4, 4), "e-00002", "accepted")
    used(desk, date(2026, 4, 6), "e-00001", "accepted")
    used(desk, date(2026, 4, 8), "e-00004", "declined", code="ill")
    told = figures.figures(desk, *YEAR, at=T0)
    beibei, mianyang = (told["bureaus"][one] for one in ("beibei", "mianyang"))
    assert beibei["uses"] == {"total": 2, "experts_used": 1, "most": 2, "experts_by_uses": {"0": 11, "2": 1}}
    assert mianyang["uses"]["experts_by_uses"] == {"0": 11, "1": 1}
    assert beibei["other_side"] == {"seats": 3, "from_other_side": 1, "percent": 33}
    assert mianyang["other_side"] == {"seats": 0, "from_other_side": 0, "percent": None}
    assert beibei["draws"]["callouts"] == {"water-incident": 4} and "e-0000" not in json.dumps(told)
    assert (
        figures.figures(desk, date(2026, 4, 5), date(2026, 4, 6), at=T0)["bureaus"]["beibei"]["other_side"]["seats"]
        == 1
    )


def test_waiting_times_run_from_the_request_to_the_draw_to_the_first_yes(desk):
    draw_id, (first, second, third) = opened(desk)
    tell(desk, draw_id, first, "invited", "accepted", at=OPEN)
    tell(desk, draw_id, second, "invited", "accepted", at=OPEN + timedelta(minutes=61))
    tell(desk, draw_id, third, "invited", at=OPEN)
    waits = figures.figures(desk, *YEAR, at=T0)["bureaus"]["beibei"]["waiting_hours"]
    assert waits["request_to_draw"] == {"number": 1, "median": 32, "p90": 32, "longest": 32}
    assert waits["draw_to_accepted"] == {"number": 2, "median": 208, "p90": 210, "longest": 210}
    assert waits["request_to_accepted"]["longest"] == 242


def test_draws_are_counted_with_the_abandoned_redrawn_and_replaced_ones(desk):
    draw_id, (first, *_) = opened(desk)
    tell(desk, draw_id, first, "invited")
    tell(desk, draw_id, first, "declined", code="ill")
    source = PublicSource("第2026050期", OPEN + 6 * DAY)
    afterwards.open_vacancy(desk, draw_id, first, fallback_source=source, by="sun", at=OPEN)
    again = desks.Redraw(draw_id, "request-changed", "席位增加")
    newer = desks.request(desk, asked(opens_at=OPEN + DAY), by="li", at=OPEN + HOUR, redraw=again)
    desks.abandon(desk, newer.draw_id, "request-wrong", "专业有误", by="li", at=OPEN + 2 * HOUR)
    told = figures.figures(desk, *YEAR, at=T0)["bureaus"]["beibei"]["draws"]
    assert told == {
        "requested": 2, "by_state": {"abandoned": 1, "published": 1}, "abandoned": {"request-wrong": 1},
        "redrawn": {"request-changed": 1}, "replacements": {"ill": 1}, "callouts": {},
    }  # fmt: skip
    assert (
        figures.figures(desk, date(2025, 1, 1), date(2025, 12, 31), at=T0)["bureaus"]["beibei"]["draws"]["requested"]
        == 0
    )
