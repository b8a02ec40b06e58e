"""Minutes of a draw: what each role gets of it, as signed JSON and as a page."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import date

import pypdf
import pytest
from after_home import OPEN, opened, tell
from desk_home import BOTH, DAY, HOUR, LOOKER, T0, asked, enter, fill, home, parts, published, row

from expert_registry.draw import desk as desks
from expert_registry.draw import opening, replacing
from expert_registry.draw.papers import PublicSource
from expert_registry.errors import UnknownWord, WrongState
from expert_registry.panel import afterwards
from expert_registry.panel.minutes import minutes
from expert_registry.panel.minutes_page import print_minutes, qr_text
from records.expert_access import expert_accesses
from records.expert_draws import paper_hash
from records.keys import check_signature
from records.models import write_time

LATER = PublicSource("福利彩票双色球第2026050期", OPEN + 6 * DAY)


@pytest.fixture
def desk(records, tmp_path):
    fill(records)
    enter(records, (row(40, state="suspended"), parts(40)))
    return home(records, tmp_path)


def made(desk, draw_id, role="organiser", at=OPEN + DAY):
    return minutes(desk, draw_id, replace(LOOKER, role=role), at)


def page(document, **more) -> str:
    reader = pypdf.PdfReader(io.BytesIO(print_minutes(document, **more)))
    return "".join("".join(one.extract_text().split()) for one in reader.pages)


def consent(desk, expert_id):
    from records.experts import writing

    with writing(desk.records, "staff", T0) as pool:
        told = {"kind": "publication", "given_on": date(2026, 1, 1), "revoked_on": None, "document": "同意书"}
        pool.tell(expert_id, "consent", told)


def test_the_page_has_number_hashes_commitments_reveals_seed_and_the_command_to_verify(desk):
    draw_id = published(desk)
    document, result = made(desk, draw_id), desks.latest(desk, draw_id)
    text = page(document)
    told = [draw_id, result["list_hash"], result["seed"], paper_hash(result), f"gongzhiexpertsverify{draw_id}.json",
            f"verify_draw.py{draw_id}.json", "单机模式", "涂料园区废水治理方案咨询", "绵阳市生态环境局"]  # fmt: skip
    for bureau in BOTH:
        told += [result["commitments"][bureau][name] for name in ("commitment", "chain_tip")]
        told.append(result["reveals"][bureau]["secret"])
    assert [one for one in told if one not in text] == []
    assert check_signature(document).valid and document["result"]["sha256"] == paper_hash(result)


def test_names_stand_on_it_only_after_the_time_and_only_for_who_may_see_them(desk):
    draw_id = published(desk)
    early = made(desk, draw_id, at=OPEN - HOUR)
    assert not early["names_shown"] and "前密封" in page(early) and expert_accesses(desk.records) == []
    seen = opening.names(desk, draw_id, LOOKER, OPEN)
    names = [one.expert.name for one in seen]
    consent(desk, seen[0].expert.expert_id)
    for role, shown in (("organiser", 3), ("auditor", 3), ("public", 1), ("peer_before", 0)):
        document = made(desk, draw_id, role)
        text = json.dumps(document, ensure_ascii=False)
        assert sum(name in text for name in names) == shown, role
        assert sum(name in page(document) for name in names) == shown, role
    looks = [one for one in expert_accesses(desk.records) if one.kind == "minutes"]
    assert sorted(one.role for one in looks) == ["auditor", "organiser", "public"]


def test_no_number_of_an_expert_and_no_sealed_field_stands_in_minutes(desk):
    draw_id, ids = opened(desk)
    text = json.dumps(made(desk, draw_id, "auditor"), ensure_ascii=False)
    assert not any(one in text for one in ids) and "phone" not in text and "identity" not in text


def test_reasons_and_staff_are_only_for_the_authorised(desk):
    draw_id, _ = opened(desk)
    organiser, public, finance = (made(desk, draw_id, role) for role in ("organiser", "public", "finance"))
    assert organiser["result"]["excluded"] == {"number": 1, "by_reason": {"suspended": 1}}
    assert public["result"]["excluded"] == {"number": 1, "by_reason": None}
    assert finance["result"]["excluded"] is None and finance["result"]["order"] is None
    assert organiser["result"]["skipped"]["each"] is not None and public["result"]["skipped"]["each"] is None
    assert {one["by"] for one in public["steps"]} == {""} and "wang" in {one["by"] for one in organiser["steps"]}
    assert "暂停使用1" in page(organiser) and "暂停使用" not in page(public)


def test_each_skip_is_listed_with_its_reason(records, tmp_path):
    enter(records, *((row(n, employer_uscc=row(3 + n % 2).employer_uscc, employer=f"示例院{n % 2}"), parts(n))
                     for n in range(1, 19)))  # fmt: skip
    desk = home(records, tmp_path, candidate_ratio=1)
    draw_id = published(desk)
    document = made(desk, draw_id, "auditor", at=OPEN - HOUR)
    result = desks.latest(desk, draw_id)
    assert document["result"]["skipped"]["number"] == len(result["skipped"]) > 0
    assert "同单位名额已满" in page(document) and "未能补足" in page(document)


def test_a_replacement_stands_there_with_its_cause_and_the_public_does_not_learn_who_it_was(desk):
    draw_id, (first, *_) = opened(desk)
    consent(desk, first)
    tell(desk, draw_id, first, "invited")
    tell(desk, draw_id, first, "declined", code="ill")
    afterwards.open_vacancy(desk, draw_id, first, fallback_source=LATER, by="sun", at=OPEN)
    for bureau in BOTH:
        replacing.give_link(desk, draw_id, bureau, by="wang", at=OPEN)
    replacing.replace(desk, draw_id, by="wang", at=OPEN)
    organiser, public = made(desk, draw_id), made(desk, draw_id, "public")
    (told,) = organiser["result"]["replacements"]
    taken = organiser["result"]["taken"]
    assert told["cause"] == "ill" and told["out"] == taken[0]["id"] and told["taken"] == [taken[3]["id"]]
    assert [one["seated"] for one in taken] == [False, True, True, True]
    assert (taken[0]["state"], taken[1]["state"]) == ("declined", "drawn") and taken[0]["person"]
    assert public["result"]["taken"][0]["person"] is None and {one["state"] for one in public["result"]["taken"]} == {
        ""
    }
    text = page(organiser)
    assert "患病" in text and "递补1" in text and "谢绝" in text


def test_a_silent_bureau_is_told_as_an_incident(desk):
    from desk_home import FALLBACK_VALUE, committed

    from expert_registry.draw import rounds

    draw_id = committed(desk)
    rounds.reveal(desk, draw_id, "beibei", by="wang", at=T0 + 3 * HOUR)
    rounds.run(desk, draw_id, FALLBACK_VALUE, by="wang", at=T0 + 62 * HOUR)
    rounds.publish(desk, draw_id, by="wang", at=T0 + 62 * HOUR)
    document = made(desk, draw_id)
    assert document["result"]["incidents"] == [{"kind": "no-reveal", "bureau": "mianyang", "round": 0}]
    assert "绵阳市生态环境局：未按期揭示" in page(document)


def test_an_abandoned_draw_has_minutes_that_say_how_far_it_came(desk):
    draw = desks.request(desk, asked("另一事项"), by="li", at=T0)
    with pytest.raises(WrongState):
        made(desk, draw.draw_id)
    desks.abandon(desk, draw.draw_id, "matter-withdrawn", "当事方撤回", by="li", at=T0 + HOUR)
    document = made(desk, draw.draw_id)
    assert document["result"] is None and document["abandonment"]["state_before"] == "requested"
    text = page(document)
    assert "已中止" in text and "事项撤回" in text and "当事方撤回" in text and draw.draw_id in text


def test_a_role_nobody_has_is_refused(desk):
    draw_id = published(desk)
    with pytest.raises(UnknownWord):
        made(desk, draw_id, "minister")


def test_the_code_leads_to_the_published_file_by_its_hash_and_the_page_is_the_same_each_time(desk):
    document = made(desk, published(desk), "public", at=OPEN - HOUR)
    told = document["result"]["sha256"]
    assert qr_text(document) == f"GONGZHI-DRAW/1 BEIBEI-2026-0001 {told.upper()}"
    assert qr_text(document, "https://portal.example/draws/").endswith(f"/draws/beibei-2026-0001?sha256={told}")
    assert print_minutes(document) == print_minutes(json.loads(json.dumps(document)))
    assert document["made_at"] == write_time(OPEN - HOUR)
