"""The steps of a draw at the desk: who may do them, what they leave on record, what they give when asked for again."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from desk_home import (
    ASKED_BY,
    BOTH,
    DAY,
    FALLBACK,
    HELD,
    HOUR,
    LOOKER,
    PUBLIC,
    T0,
    VALUE,
    asked,
    commit,
    committed,
    fill,
    frozen,
    home,
    published,
    revealed,
)  # fmt: skip

from expert_registry.draw import desk as desks
from expert_registry.draw import freezing, opening, protocol, replacing, rounds
from expert_registry.draw.papers import PublicSource, PublicValue
from expert_registry.draw.verification import verify
from expert_registry.errors import BadDraw, BadRequest, NeedsSecondPerson, NotYet, WrongState
from records import expert_drawbook, expert_listing
from records.chain import verify_chain
from records.expert_access import expert_accesses


@pytest.fixture
def desk(records, tmp_path):
    fill(records)
    return home(records, tmp_path)


def test_a_draw_goes_from_its_request_to_a_published_file_anybody_can_check(desk):
    draw_id = published(desk)
    document = rounds.publish(desk, draw_id, by="wang", at=T0 + 34 * HOUR)
    assert draw_id == "beibei-2026-0001"
    assert verify(document).ok and verify(document, desk.keys.trusted).trusted
    assert len(document["taken"]) == 3 and document["unfilled"] == [] and document["assurance"] == "one-home"
    assert document["list"]["request"]["quotas"] == {"per_employer": 1, "other_side": 1, "odd": True}
    kinds = [event.kind for event in desk.records.events() if event.kind.startswith("draw-")]
    assert kinds == ["draw-requested", *["draw-frozen"] * 3, *["draw-committed"] * 2, *["draw-revealed"] * 2,
                     "draw-drawn", "draw-published"]  # fmt: skip
    assert verify_chain(desk.records).ok and expert_drawbook.check_numbers(desk.records) == []
    assert expert_drawbook.draw(desk.records, draw_id).state == "published"


def test_the_chain_of_a_draw_holds_no_name_no_expert_and_no_secret(desk):
    draw_id = published(desk)
    secrets = [rounds.secret_of(desk, draw_id, bureau) for bureau in BOTH]
    told = "".join(event.payload for event in desk.records.events() if event.kind.startswith("draw-"))
    assert "专家" not in told and "e-000" not in told and "涂料" not in told
    assert all(one.value not in told and one.chain_start not in told for one in secrets)


def test_a_secret_lies_sealed_in_the_database(desk, database_url, tmp_path):
    draw_id = committed(desk)
    secret = rounds.secret_of(desk, draw_id, "beibei")
    sealed = expert_drawbook.sealed_secret(desk.records, draw_id, "beibei")
    papers = json.dumps([one.document for one in expert_drawbook.papers(desk.records, draw_id)])
    assert sealed.startswith("v1:") and secret.value not in papers and secret.chain_start not in papers
    if database_url.startswith("sqlite"):
        data = (tmp_path / "records.db").read_bytes()
        assert secret.value.encode() not in data and secret.chain_start.encode() not in data


@pytest.mark.parametrize("name", ["li", " LI ", "ｌｉ"])
def test_who_asked_can_neither_freeze_nor_run_nor_stop_a_draw_whose_secrets_are_out(desk, name):
    draw = desks.request(desk, asked(), by=ASKED_BY, at=T0)
    with pytest.raises(NeedsSecondPerson):
        freezing.freeze(desk, draw.draw_id, by=name, at=T0 + HOUR)
    freezing.freeze(desk, draw.draw_id, by="wang", at=T0 + HOUR)
    for bureau in BOTH:
        commit(desk, draw.draw_id, bureau)
        rounds.reveal(desk, draw.draw_id, bureau, by="wang", at=T0 + 3 * HOUR) if bureau == "mianyang" else None
    rounds.reveal(desk, draw.draw_id, "beibei", by="wang", at=T0 + 3 * HOUR)
    with pytest.raises(NeedsSecondPerson):
        rounds.run(desk, draw.draw_id, VALUE, by=name, at=T0 + 32 * HOUR)
    with pytest.raises(NeedsSecondPerson):
        desks.abandon(desk, draw.draw_id, "meeting-cancelled", "会议取消", by=name, at=T0 + 32 * HOUR)


def test_a_step_asked_for_again_gives_what_stands(desk):
    draw = desks.request(desk, asked(), by="li", at=T0)
    assert desks.request(desk, asked(), by="li", at=T0 + HOUR) == draw
    first = freezing.freeze(desk, draw.draw_id, by="wang", at=T0 + HOUR)
    assert freezing.freeze(desk, draw.draw_id, by="zhao", at=T0 + 2 * HOUR) == first
    paper = commit(desk, draw.draw_id, "beibei")
    assert commit(desk, draw.draw_id, "beibei", T0 + 4 * HOUR) == paper
    commit(desk, draw.draw_id, "mianyang")
    shown = [rounds.reveal(desk, draw.draw_id, bureau, by="wang", at=T0 + 5 * HOUR) for bureau in BOTH]
    assert [rounds.reveal(desk, draw.draw_id, one, by="wang", at=T0 + 90 * HOUR) for one in BOTH] == shown
    made = rounds.run(desk, draw.draw_id, VALUE, by="wang", at=T0 + 32 * HOUR)
    other = PublicValue(PUBLIC.name, "01 02 03", PUBLIC.due)
    assert rounds.run(desk, draw.draw_id, other, by="wang", at=T0 + 40 * HOUR) == made
    assert len(desk.records.events()) == len({event.sha256 for event in desk.records.events()})
    before = desk.records.head()
    rounds.publish(desk, draw.draw_id, by="wang", at=T0 + 41 * HOUR)
    after = desk.records.head()
    rounds.publish(desk, draw.draw_id, by="wang", at=T0 + 42 * HOUR)
    assert after.seq == before.seq + 1 and desk.records.head() == after


def test_a_bureau_cannot_change_its_sources_after_it_committed(desk):
    draw_id = frozen(desk)
    commit(desk, draw_id, "beibei")
    other = PublicSource("另一期", PUBLIC.due)
    with pytest.raises(WrongState, match="不得更换"):
        rounds.commit(
            desk, draw_id, "beibei", public_source=other, fallback_source=FALLBACK, by="wang", at=T0 + 3 * HOUR
        )
    with pytest.raises(BadDraw, match="公开来源不同"):
        rounds.commit(
            desk, draw_id, "mianyang", public_source=other, fallback_source=FALLBACK, by="w", at=T0 + 3 * HOUR
        )


def test_steps_out_of_their_order_are_refused(desk):
    draw = desks.request(desk, asked(), by="li", at=T0)
    with pytest.raises(WrongState):
        commit(desk, draw.draw_id, "beibei")
    freezing.freeze(desk, draw.draw_id, by="wang", at=T0 + HOUR)
    with pytest.raises(WrongState):
        rounds.reveal(desk, draw.draw_id, "beibei", by="wang", at=T0 + 2 * HOUR)
    with pytest.raises(WrongState):
        rounds.run(desk, draw.draw_id, VALUE, by="wang", at=T0 + 32 * HOUR)
    with pytest.raises(WrongState):
        rounds.publish(desk, draw.draw_id, by="wang", at=T0 + 32 * HOUR)
    with pytest.raises(WrongState):
        opening.names(desk, draw.draw_id, LOOKER, T0 + 20 * DAY)


def test_names_stay_sealed_until_they_may_be_seen_and_every_look_is_recorded(desk):
    draw_id = published(desk)
    assert expert_listing.seats_of(desk.records, [draw_id]) == []
    with pytest.raises(NotYet):
        opening.names(desk, draw_id, LOOKER, T0 + 10 * DAY - HOUR)
    assert [(one.by, one.count) for one in expert_accesses(desk.records)] == [("sun", 0)]
    seen = opening.names(desk, draw_id, LOOKER, T0 + 10 * DAY)
    assert len(seen) == 3 and all(one.seated and one.round == 0 for one in seen)
    key = opening.release_key(desk, draw_id, replace(LOOKER, role="auditor"), T0 + 11 * DAY)
    assert [protocol.opaque_id(key, one.expert.expert_id) for one in seen] == [one.opaque_id for one in seen]
    assert [row.held_on for row in expert_listing.seats_of(desk.records, [draw_id])] == [HELD] * 3
    looked = {one.expert_id for one in expert_accesses(desk.records) if one.count and one.expert_id}
    assert looked == {one.expert.expert_id for one in seen}
    assert opening.names(desk, draw_id, LOOKER, T0 + 12 * DAY) == seen
    assert protocol.unknown_ids(rounds.publish(desk, draw_id, by="w", at=T0 + 12 * DAY)["list"], key,
                                expert_listing.expert_ids(desk.records)) == ()  # fmt: skip


def test_only_an_auditor_gets_the_key_and_only_of_a_draw_that_ended(desk):
    draw_id = revealed(desk)
    auditor = replace(LOOKER, role="auditor")
    with pytest.raises(WrongState):
        opening.release_key(desk, draw_id, auditor, T0 + 20 * DAY)
    rounds.run(desk, draw_id, VALUE, by="wang", at=T0 + 32 * HOUR)
    rounds.publish(desk, draw_id, by="wang", at=T0 + 33 * HOUR)
    with pytest.raises(WrongState):
        opening.release_key(desk, draw_id, LOOKER, T0 + 20 * DAY)
    with pytest.raises(NotYet):
        opening.release_key(desk, draw_id, auditor, T0 + 9 * DAY)


def test_a_replacement_needs_a_coded_reason_both_links_and_another_person(desk):
    draw_id = published(desk)
    first = opening.names(desk, draw_id, LOOKER, T0 + 10 * DAY)
    out, later = first[0].expert.expert_id, T0 + 11 * DAY
    source = PublicSource("福利彩票双色球第2026050期", later + 3 * DAY)
    told = {"fallback_source": source, "by": "sun", "at": later}
    with pytest.raises(BadDraw, match="编码的原因"):
        replacing.open_vacancy(desk, draw_id, out, "somebody-better", **told)
    with pytest.raises(WrongState):
        replacing.give_link(desk, draw_id, "beibei", by="wang", at=later)
    paper = replacing.open_vacancy(desk, draw_id, out, "declined", **told)
    assert replacing.open_vacancy(desk, draw_id, out, "declined", **told) == paper
    with pytest.raises(WrongState):
        replacing.open_vacancy(desk, draw_id, first[1].expert.expert_id, "ill", **told)
    replacing.give_link(desk, draw_id, "beibei", by="wang", at=later + HOUR)
    with pytest.raises(WrongState, match="mianyang"):
        replacing.replace(desk, draw_id, by="wang", at=later + 2 * HOUR)
    link = replacing.give_link(desk, draw_id, "mianyang", by="wang", at=later + 2 * HOUR)
    assert replacing.give_link(desk, draw_id, "mianyang", by="wang", at=later + 3 * HOUR) == link
    with pytest.raises(NeedsSecondPerson):
        replacing.replace(desk, draw_id, by="Sun", at=later + 3 * HOUR)
    made = replacing.replace(desk, draw_id, by="wang", at=later + 3 * HOUR)
    assert verify(made, desk.keys.trusted).ok and len(made["replacements"]) == 1
    now = opening.names(desk, draw_id, LOOKER, later + DAY)
    assert [one.expert.expert_id for one in now[:3]] == [one.expert.expert_id for one in first]
    assert [one.seated for one in now] == [False, True, True, True] and now[3].round == 1
    assert verify_chain(desk.records).ok and expert_drawbook.check_numbers(desk.records) == []


def test_a_used_up_chain_ends_the_replacements(records, tmp_path):
    fill(records)
    desk = home(records, tmp_path, chain_links=1)
    draw_id = published(desk)
    seen, later = opening.names(desk, draw_id, LOOKER, T0 + 10 * DAY), T0 + 11 * DAY
    source = PublicSource("第2026050期", later + 3 * DAY)
    replacing.open_vacancy(desk, draw_id, seen[0].expert.expert_id, "ill", fallback_source=source, by="sun", at=later)
    for bureau in BOTH:
        replacing.give_link(desk, draw_id, bureau, by="wang", at=later)
    replacing.replace(desk, draw_id, by="wang", at=later)
    with pytest.raises(BadDraw, match="须另行抽取"):
        replacing.open_vacancy(
            desk, draw_id, seen[1].expert.expert_id, "ill", fallback_source=source, by="sun", at=later + HOUR
        )


def test_an_abandoned_draw_stays_with_its_number_and_says_how_far_it_had_come(desk):
    draw_id = revealed(desk)
    with pytest.raises(BadDraw, match="原因代码"):
        desks.abandon(desk, draw_id, "no-friend-drawn", "…", by="wang", at=T0 + 32 * HOUR)
    desks.abandon(desk, draw_id, "meeting-cancelled", "会议取消", by="wang", at=T0 + 32 * HOUR)
    paper = desks.paper_of(desk, draw_id, "abandoned")
    assert paper["state_before"] == "revealed" and paper["code"] == "meeting-cancelled"
    assert [one.draw_id for one in expert_drawbook.draws(desk.records)] == [draw_id]
    with pytest.raises(WrongState):
        rounds.run(desk, draw_id, VALUE, by="wang", at=T0 + 33 * HOUR)
    other = desks.request(desk, asked("另一事项"), by="li", at=T0 + 34 * HOUR)
    assert other.draw_id == "beibei-2026-0002"


def test_numbers_run_by_bureau_and_china_year(desk):
    late = asked("年末事项", opens_at=T0 + 500 * DAY)
    late = replace(late, matter=replace(late.matter, on=HELD.replace(year=2027)))
    first = desks.request(desk, asked("甲"), by="li", at=T0)
    second = desks.request(desk, asked("乙"), by="li", at=T0)
    beijing_new_year = T0.replace(month=12, day=31, hour=16)
    third = desks.request(desk, late, by="li", at=beijing_new_year)
    assert [one.draw_id for one in (first, second, third)] == [
        "beibei-2026-0001", "beibei-2026-0002", "beibei-2027-0001",
    ]  # fmt: skip


def test_a_request_of_a_bureau_is_taken_in_its_own_home(records, tmp_path):
    desk = home(records, tmp_path, plays=("mianyang",))
    with pytest.raises(BadRequest):
        desks.request(desk, asked(), by="li", at=T0)
