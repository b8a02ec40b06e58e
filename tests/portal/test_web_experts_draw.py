"""E2: a draw from page to page, two persons and two bureaus, and anybody who does it again."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pypdf
import pytest
from portal_experts import (
    BEGUN,
    DAY,
    FIRST,
    FORM,
    HOUR,
    OTHER,
    SECOND,
    SOURCES,
    VALUE,
    Pool,
    ask,
    done,
    go_on,
    hand_in,
    open_pool,
    other_home,
    words_of,
)

from expert_registry.draw.callout import Called, CallOut, call_out
from expert_registry.draw.rounds import commit as promise
from expert_registry.draw.verification import verify
from expert_registry.people import Matter
from portal.expert_desk import office_of
from portal.expert_keys import trust_key
from portal.expert_rounds import sources_told
from records import expert_drawbook
from records.expert_seats import seats

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    made = open_pool(tmp_path_factory.mktemp("pool"))
    yield made
    made.town.records.close()


@pytest.fixture(autouse=True)
def morning(pool):
    pool.town.clock.at = BEGUN


@pytest.fixture(scope="module")
def ready(pool):
    """A published draw of its own matter."""
    pool.town.clock.at = BEGUN
    draw_id = ask(pool.sit_down(*FIRST), matter="示例〔2026〕1号")
    go_on(pool, draw_id)
    return draw_id


def test_a_published_draw_is_done_again_by_anybody_from_the_downloaded_file(pool, ready, tmp_path):
    stranger = pool.town.browser()
    listed = stranger.get("/public/draws")
    assert listed.status_code == 200 and ready in listed.text
    shown = stranger.get(f"/public/draws/{ready}")
    assert shown.status_code == 200 and "自己复算" in shown.text
    file, program = tmp_path / f"{ready}.json", tmp_path / "verify_draw.py"
    told = stranger.get(f"/public/draws/{ready}/draw.json")
    assert told.headers["content-disposition"] == f'attachment; filename="{ready}.json"'
    file.write_bytes(told.content)
    program.write_bytes(stranger.get("/public/draws/verify_draw.py").content)
    command = re.search(r"<pre>(python verify_draw.py [^<]+)</pre>", shown.text)[1].split()
    run = subprocess.run(
        [sys.executable, "-I", program, *command[2:]], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert (run.returncode, run.stdout.split()[0]) == (0, "OK"), run.stdout + run.stderr
    document = json.loads(file.read_text("utf-8"))
    document["order"] = document["order"][::-1]
    file.write_text(json.dumps(document), "utf-8")
    run = subprocess.run([sys.executable, "-I", program, file.name], cwd=tmp_path, capture_output=True, timeout=60)
    assert run.returncode == 1


def test_who_asks_can_neither_freeze_draw_nor_end_it(pool):
    """EXP-01: a second person, in the page's words and in the registry's."""
    asks, draw_id = pool.sit_down(*FIRST), ask(pool.sit_down(*FIRST), matter="示例〔2026〕2号")
    page = asks.get(f"/draws/{draw_id}")
    assert "冻结名单</button>" not in page.text and "须由另一人办理" in page.text
    for step, form in (("freeze", {}), ("abandon", {"code": "request-wrong", "words": "写错了"})):
        answer = asks.post(f"/draws/{draw_id}/{step}", form)
        assert answer.status_code == 409 and "须由另一人办理" in words_of(answer)
    go_on(pool, draw_id, until="revealed")
    pool.town.clock.at += 5 * DAY
    answer = pool.sit_down(*FIRST).post(f"/draws/{draw_id}/run", VALUE)
    assert answer.status_code == 409 and "须由另一人办理" in words_of(answer)
    assert expert_drawbook.draw(pool.town.records, draw_id).state == "revealed"


def test_each_bureau_answers_for_itself_and_names_the_same_sources(pool):
    draw_id = ask(pool.sit_down(*FIRST), matter="示例〔2026〕3号")
    go_on(pool, draw_id, until="frozen")
    first, other = pool.sit_down(*FIRST), pool.sit_down(*OTHER)
    assert first.post(f"/draws/{draw_id}/commit", {}).status_code == 422  # no sources yet
    done(first.post(f"/draws/{draw_id}/commit", SOURCES | {"bureau": "mianyang"}))
    kept = [one.part for one in expert_drawbook.papers(pool.town.records, draw_id, "commitment")]
    assert kept == ["beibei"]  # the part is that of the session, whatever the form says
    page = other.get(f"/draws/{draw_id}")
    assert SOURCES["source"] in page.text and 'name="source"' not in page.text
    done(other.post(f"/draws/{draw_id}/commit", SOURCES | {"source": "另一个来源"}))
    papers = expert_drawbook.papers(pool.town.records, draw_id, "commitment")
    assert {one.document["public_source"]["name"] for one in papers} == {SOURCES["source"]}
    assert {(one.part, one.by) for one in papers} == {
        ("beibei", "expert_manager-beibei"), ("mianyang", "expert_manager-mianyang"),
    }  # fmt: skip


def test_nobody_plays_both_bureaus_even_with_one_name_on_the_command_line(pool):
    draw_id = ask(pool.sit_down(*FIRST), matter="示例〔2026〕4号")
    go_on(pool, draw_id, until="frozen")
    done(pool.sit_down(*FIRST).post(f"/draws/{draw_id}/commit", SOURCES))
    at = pool.town.clock.at
    desk = office_of(pool.town.places, pool.town.records, "EXPERT_MANAGER-beibei ", at).desk
    source, fallback = sources_told(desk, draw_id)
    promise(
        desk, draw_id, "mianyang", public_source=source, fallback_source=fallback, by="Expert_Manager-beibei", at=at
    )  # fmt: skip
    answer = pool.sit_down(*FIRST).post(f"/draws/{draw_id}/reveal")
    assert answer.status_code == 409 and "同一人不能代表双方" in words_of(answer)


def test_the_other_bureau_sees_the_draw_and_neither_parties_nor_reasons(pool, ready):
    """EXP-25: reasons of exclusions are role-limited."""
    own, peer = pool.sit_down(*FIRST).get(f"/draws/{ready}").text, pool.sit_down(*OTHER).get(f"/draws/{ready}").text
    assert "重庆示例涂料有限公司" in own and "排除原因仅申请单位与审计可见" not in own
    assert "重庆示例涂料有限公司" not in peer and "排除原因仅申请单位与审计可见" in peer
    assert expert_drawbook.draw(pool.town.records, ready).list_hash in peer
    for step in ("freeze", "run", "publish", "abandon", "seats/invite", "replacement"):
        assert pool.sit_down(*OTHER).post(f"/draws/{ready}/{step}", {}).status_code == 404


def test_of_a_draw_that_goes_on_the_public_sees_numbers_hashes_and_no_title(pool):
    draw_id = ask(pool.sit_down(*FIRST), matter="示例〔2026〕5号", title="尚不公开的事项")
    stranger = pool.town.browser()
    for state in ("frozen", "committed"):
        shown = stranger.get(f"/public/draws/{draw_id}").text + stranger.get("/public/draws").text
        assert (
            draw_id in shown and "尚不公开的事项" not in shown and "重庆示例" not in shown and "reviewer" not in shown
        )
        go_on(pool, draw_id, until=state) if state == "frozen" else None
    shown = stranger.get(f"/public/draws/{draw_id}").text
    assert expert_drawbook.draw(pool.town.records, draw_id).list_hash in shown and "尚不公开的事项" not in shown
    assert stranger.get(f"/public/draws/{draw_id}/draw.json").status_code == 404
    assert stranger.get("/public/draws/beibei-2026-9999").status_code == 404


def test_a_matter_is_drawn_for_again_with_a_reason_and_the_approval_of_another(pool):
    """EXP-01."""
    draw_id = ask(pool.sit_down(*FIRST), matter="示例〔2026〕6号")
    ended = {"code": "meeting-cancelled", "words": "改期，联系 13800005678"}
    done(pool.sit_down(*SECOND).post(f"/draws/{draw_id}/abandon", ended))
    paper = expert_drawbook.papers(pool.town.records, draw_id, "abandoned")[0].document
    assert paper["words"] == "改期,联系 138****5678" and paper["abandoned_by"] == "reviewer-beibei"
    first = pool.sit_down(*FIRST)
    form = first.get(f"/draws/new?replaces={draw_id}").text
    assert "示例〔2026〕6号" in form and "重庆示例涂料有限公司" in form
    again = {"matter": "示例〔2026〕6号", "replaces": draw_id, "redraw_code": "request-changed"}
    hidden = first.post("/draws/new", again | {"redraw_words": ""})
    assert hidden.status_code == 422
    number = ask(first, **again, redraw_words="会议改期")
    refused = pool.sit_down(*SECOND).post(f"/draws/{number}/freeze", {})
    assert refused.status_code == 409 and "须由确认人写明理由批准" in words_of(refused)
    done(pool.sit_down(*SECOND).post(f"/draws/{number}/freeze", {"again": "会议改期属实"}))
    public = pool.town.browser().get(f"/public/draws/{number}").text
    assert draw_id in public and "事项或席位要求变更" in public and "会议改期" not in public
    assert pool.sit_down(*OTHER).get(f"/draws/new?replaces={draw_id}").status_code == 404


def test_what_is_missing_in_a_request_is_named_and_the_rest_is_kept(pool):
    first = pool.sit_down(*FIRST)
    answer = first.post("/draws/new", {"title": "只有名称", "seat1": "W03", "number1": "2"})
    assert answer.status_code == 422 and "请填写：事项编号" in words_of(answer) and 'value="只有名称"' in answer.text
    for wrong, words in (
        ({"number1": "3"}, "单数"), ({"seat2": "W03"}, "同一专业"), ({"number1": "二"}, "不是整数"),
        ({"held_on": "2026-02-30"}, "不存在"), ({"opens_at": "明天"}, "时间应写作"), ({"held_on": "2026-05-01"}, "须在申请之后"),
        ({"party1_uscc": "915001", "party1_name": ""}, "没有 915001 的名称"), ({"purpose": "statutory-eia"}, "法定"),
    ):  # fmt: skip
        answer = first.post("/draws/new", FORM | {"matter": "示例〔2026〕错"} | wrong)
        assert answer.status_code == 422 and words in words_of(answer), (wrong, words_of(answer)[:300])


def test_too_few_candidates_are_told_and_approved_in_words(tmp_path):
    """EXP-02."""
    small = open_pool(tmp_path, range(1, 8))
    draw_id = ask(small.sit_down(*FIRST))
    refused = small.sit_down(*SECOND).post(f"/draws/{draw_id}/freeze", {})
    assert refused.status_code == 409 and "候选人不足席位的 3 倍" in words_of(refused)
    done(small.sit_down(*SECOND).post(f"/draws/{draw_id}/freeze", {"few": "专业人少，双方同意"}))
    small.town.records.close()


def test_names_are_sealed_until_their_time_and_phones_open_for_a_purpose(pool, ready):
    """EXP-18."""
    pool.town.clock.at = BEGUN + 6 * DAY
    early = pool.sit_down(*FIRST).get(f"/draws/{ready}/seats")
    assert early.status_code == 409 and "本次查看已留痕" in words_of(early) and "样例" not in early.text
    pool.town.clock.at = BEGUN + 10 * DAY
    first = pool.sit_down(*FIRST)
    shown = first.get(f"/draws/{ready}/seats")
    assert shown.status_code == 200 and len(re.findall("样例\\d+", shown.text)) >= 3
    assert first.post(f"/draws/{ready}/seats/phones", {}).status_code == 422
    assert first.post(f"/draws/{ready}/seats/phones", {"purpose": "发送邀请"}).status_code == 200
    assert pool.sit_down(*SECOND).get(f"/draws/{ready}/seats").status_code == 403
    assert pool.sit_down(*OTHER).get(f"/draws/{ready}/seats").status_code == 404


def test_seats_go_from_invitation_to_appraisal_and_one_is_replaced(pool):
    town, draw_id = pool.town, ask(pool.sit_down(*FIRST), matter="示例〔2026〕8号")
    go_on(pool, draw_id)
    town.clock.at = BEGUN + 10 * DAY
    first = pool.sit_down(*FIRST)
    assert first.get(f"/draws/{draw_id}/seats").status_code == 200
    done(first.post(f"/draws/{draw_id}/seats/invite", {"document": "邀请函〔2026〕7号"}))
    out, *others = [one.expert_id for one in seats(town.records, draw_ids=[draw_id])]

    def tell(expert: str, state: str, **more: str):
        return pool.sit_down(*FIRST).post(f"/draws/{draw_id}/seats/answer", {"expert": expert, "state": state} | more)

    assert tell(out, "declined").status_code == 422  # without a reason
    done(tell(out, "declined", code="ill", reason="住院"))
    for one in others:
        done(tell(one, "accepted"))
    fallback = {"expert": out, "source": "福利彩票双色球第2026070期", "due": "2026-06-18T21:15"}
    taken = pool.sit_down(*FIRST).post(f"/draws/{draw_id}/seats/vacancy", fallback | {"expert": others[0]})
    assert taken.status_code == 409 and "席位并未空出" in words_of(taken)
    done(pool.sit_down(*FIRST).post(f"/draws/{draw_id}/seats/vacancy", fallback))
    for who in (FIRST, OTHER):
        done(pool.sit_down(*who).post(f"/draws/{draw_id}/link"))
    same = pool.sit_down(*FIRST).post(f"/draws/{draw_id}/replacement")
    assert same.status_code == 409 and "须由另一人办理" in words_of(same)
    done(pool.sit_down(*SECOND).post(f"/draws/{draw_id}/replacement"))
    document = town.browser().get(f"/public/draws/{draw_id}/draw.json").json()
    assert verify(document).ok and len(document["replacements"]) == 1
    town.clock.at = BEGUN + 18 * DAY
    assert tell(others[0], "attended").status_code == 303
    done(tell(others[0], "opinion_signed", document="意见〔2026〕1号"))
    grade = {"expert": others[0], "kind": "by-user", "grade": "poor"}
    assert pool.sit_down(*FIRST).post(f"/draws/{draw_id}/seats/appraise", grade).status_code == 422
    done(pool.sit_down(*FIRST).post(f"/draws/{draw_id}/seats/appraise", grade | {"reason": "迟到"}))
    shown = words_of(pool.sit_down(*FIRST).get(f"/draws/{draw_id}/seats"))
    assert "迟到" in shown and "待评，期限 2026-06-30" in shown


def test_the_minutes_are_a_pdf_with_what_the_role_may_see(pool, ready):
    """EXP-26."""
    pool.town.clock.at = BEGUN + 10 * DAY
    own = pool.sit_down(*FIRST).get(f"/draws/{ready}/minutes.pdf")
    assert own.status_code == 200 and own.content.startswith(b"%PDF-")
    text = "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(own.content)).pages)
    assert "样例" in text and "verify_draw.py" in text
    asked = pool.sit_down(*OTHER).get(f"/draws/{ready}/minutes.pdf")
    assert asked.status_code == 200 and "请先写明查看目的" in asked.text
    peer = pool.sit_down(*OTHER).get(f"/draws/{ready}/minutes.pdf?purpose=存档")
    text = "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(peer.content)).pages)
    assert "样例" not in text and ready in text
    assert "请先写明查看目的" in pool.sit_down(*SECOND).get(f"/draws/{ready}/minutes.pdf").text
    confirmer = pool.sit_down(*SECOND).get(f"/draws/{ready}/minutes.pdf?purpose=存档")
    text = "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(confirmer.content)).pages)
    assert "样例" not in text and ready in text


def test_why_somebody_may_not_sit_is_told_before_the_freeze_and_after_the_names_open(pool, ready):
    fill_tie = {"kind": "declared_other", "party": "重庆示例涂料有限公司", "source": "申报表", "reason": "合作"}
    draw_id = ask(pool.sit_down(*FIRST), matter="示例〔2026〕9号")
    done(pool.sit_down(*FIRST).post("/experts/e-00004/tie", fill_tie))
    now = pool.sit_down(*FIRST).get(f"/experts/recusal?draw={draw_id}&expert=e-00004")
    assert now.status_code == 200 and "申报的其他关系" in words_of(now) and "按现在的情况试算" in words_of(now)
    may = pool.sit_down(*FIRST).get(f"/experts/recusal?draw={draw_id}&expert=e-00008")
    assert "可以抽取" in words_of(may)
    pool.town.clock.at = BEGUN + 6 * DAY
    sealed = pool.sit_down(*FIRST).get(f"/experts/recusal?draw={ready}&expert=e-00008")
    assert sealed.status_code == 409 and "前密封" in words_of(sealed)
    pool.town.clock.at = BEGUN + 10 * DAY
    assert pool.sit_down(*FIRST).get(f"/experts/recusal?draw={ready}&expert=e-00008").status_code == 200
    assert pool.sit_down(*OTHER).get(f"/experts/recusal?draw={ready}&expert=e-00008").status_code == 404


def test_a_bureau_that_keeps_silent_is_replaced_by_the_fallback_and_named(pool):
    draw_id = ask(pool.sit_down(*FIRST), matter="示例〔2026〕10号")
    go_on(pool, draw_id, until="committed")
    done(pool.sit_down(*FIRST).post(f"/draws/{draw_id}/reveal"))
    early = pool.sit_down(*SECOND).post(f"/draws/{draw_id}/run", VALUE)
    assert early.status_code == 409 and "尚未揭示" in words_of(early)
    pool.town.clock.at += 8 * DAY
    late = pool.sit_down(*OTHER).post(f"/draws/{draw_id}/reveal")
    assert late.status_code == 422
    done(pool.sit_down(*SECOND).post(f"/draws/{draw_id}/run", VALUE))
    done(pool.sit_down(*FIRST).post(f"/draws/{draw_id}/publish"))
    public = words_of(pool.town.browser().get(f"/public/draws/{draw_id}"))
    assert "绵阳市生态环境局：未按期揭示" in public and SOURCES["fallback"] in public
    assert verify(pool.town.browser().get(f"/public/draws/{draw_id}/draw.json").json()).ok


def test_a_draw_ended_after_its_publication_keeps_its_public_file(pool):
    draw_id = ask(pool.sit_down(*FIRST), matter="示例〔2026〕13号")
    go_on(pool, draw_id)
    before = pool.town.browser().get(f"/public/draws/{draw_id}/draw.json").content
    done(pool.sit_down(*SECOND).post(f"/draws/{draw_id}/abandon", {"code": "meeting-cancelled", "words": "会议取消"}))
    shown = words_of(pool.town.browser().get(f"/public/draws/{draw_id}"))
    assert "已中止" in shown and "会议取消" in shown
    assert pool.town.browser().get(f"/public/draws/{draw_id}/draw.json").content == before


def test_no_name_of_the_pool_is_on_a_page_of_who_may_not_see_it(pool, ready, caplog):
    caplog.set_level("DEBUG", "gongzhi")
    pool.town.clock.at = BEGUN + 10 * DAY
    for who in (
        SECOND,
        OTHER,
        ("mianyang", "reviewer"),
        ("beibei", "uploader"),
        ("beibei", "inspector"),
        ("beibei", "administrator"),
    ):
        for path in (
            "/draws",
            f"/draws/{ready}",
            f"/draws/{ready}/seats",
            f"/public/draws/{ready}",
            f"/public/draws/{ready}/draw.json",
        ):
            told = pool.sit_down(*who).get(path)
            assert "样例" not in told.text and "e-000" not in told.text, (who, path)
    assert "样例" not in caplog.text


def test_a_call_out_stands_among_the_draws_and_its_seats_are_kept(pool):
    at = pool.town.clock.at
    desk = office_of(pool.town.places, pool.town.records, "周局", at, unit="beibei")
    matter = Matter("示例应急〔2026〕1号", "示例支流泡沫异常", BEGUN.date(), "beibei")
    asked = CallOut(matter, "water-incident", "断面出现泡沫", "510703", ("W03",))
    made = call_out(desk.desk, asked, [Called("e-00010", "W03")], by="周局", at=at, facts=desk.facts(matter))
    page = words_of(pool.sit_down(*FIRST).get(f"/draws/{made.draw_id}"))
    assert "应急征调" in page and "席位与姓名" in page
    assert "样例10" in pool.sit_down(*FIRST).get(f"/draws/{made.draw_id}/seats").text
    assert "应急征调" in words_of(pool.town.browser().get(f"/public/draws/{made.draw_id}"))
    assert "编号连续，全部文书与证据链一致" in words_of(pool.sit_down(*FIRST).get("/draws?check=1"))


def test_two_homes_hand_each_other_their_papers_as_files(tmp_path):
    """Where the other bureau has a home of its own, its papers come and go as files, and each home plays one part."""
    here = open_pool(tmp_path / "here")
    there = other_home(tmp_path / "there")
    for one, bureau, other in ((here, "mianyang", there), (there, "beibei", here)):
        desk = office_of(one.town.places, one.town.records, "tests", BEGUN)
        key = office_of(other.town.places, other.town.records, "tests", BEGUN).desk.signer.public_key
        trust_key(desk, bureau, key)

    def carry(source: Pool, who: tuple[str, str], target: Pool, whom: tuple[str, str]) -> None:
        target.town.clock.at = source.town.clock.at = max(source.town.clock.at, target.town.clock.at)
        told = source.sit_down(*who).get(f"/draws/{draw_id}/papers.json")
        assert told.status_code == 200
        done(hand_in(target.sit_down(*whom), "/draws/exchange", "papers.json", told.content))

    draw_id = ask(here.sit_down(*FIRST))
    here.town.clock.at += HOUR
    done(here.sit_down(*SECOND).post(f"/draws/{draw_id}/freeze", {}))
    done(here.sit_down(*FIRST).post(f"/draws/{draw_id}/commit", SOURCES))
    stray = here.sit_down(*OTHER).post(f"/draws/{draw_id}/commit", {})
    assert stray.status_code == 422 and "不代表 mianyang" in words_of(stray)
    carry(here, FIRST, there, OTHER)
    done(there.sit_down(*OTHER).post(f"/draws/{draw_id}/commit", {}))
    carry(there, OTHER, here, FIRST)
    done(here.sit_down(*FIRST).post(f"/draws/{draw_id}/reveal"))
    carry(here, FIRST, there, OTHER)
    done(there.sit_down(*OTHER).post(f"/draws/{draw_id}/reveal"))
    carry(there, OTHER, here, FIRST)
    here.town.clock.at += 5 * DAY
    done(here.sit_down(*SECOND).post(f"/draws/{draw_id}/run", VALUE))
    done(here.sit_down(*FIRST).post(f"/draws/{draw_id}/publish"))
    carry(here, FIRST, there, OTHER)
    document = here.town.browser().get(f"/public/draws/{draw_id}/draw.json").json()
    assert document["assurance"] == "two-homes" and verify(document).ok
    bad = hand_in(here.sit_down(*FIRST), "/draws/exchange", "x.json", b'{"papers": 1.5}')
    assert bad.status_code == 422
    for one in (here, there):
        one.town.records.close()
