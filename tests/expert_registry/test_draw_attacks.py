"""The attacks of the rule book (section 5) on the desk: each is tried, and shows or fails."""

from __future__ import annotations

import copy
import dataclasses
import json

import pytest
from desk_home import (
    BOTH,
    DAY,
    FALLBACK,
    FALLBACK_VALUE,
    HOUR,
    LOOKER,
    PUBLIC,
    T0,
    VALUE,
    asked,
    commit,
    committed,
    enter,
    fill,
    frozen,
    home,
    parts,
    published,
    revealed,
    row,
)
from sqlalchemy import delete, update

from expert_registry.draw import desk as desks
from expert_registry.draw import freezing, opening, protocol, replacing, rounds
from expert_registry.draw.papers import PublicSource, PublicValue
from expert_registry.draw.requests import Redraw
from expert_registry.draw.verification import verify
from expert_registry.errors import BadDraw, BadRequest, NeedsSecondPerson, WrongState
from records import expert_drawbook, experts
from records.errors import IllegalState
from records.expert_models import expert_draw, expert_draw_paper


@pytest.fixture
def desk(records, tmp_path):
    fill(records)
    return home(records, tmp_path)


def candidates(desk, draw_id):
    return rounds.list_of(desk, expert_drawbook.draw(desk.records, draw_id))["candidates"]


# -- no reveal -----------------------------------------------------------------------------------------------------


def test_who_does_not_reveal_gains_nothing_the_fallback_decides_and_the_incident_stands(desk):
    draw_id = committed(desk)
    rounds.reveal(desk, draw_id, "beibei", by="wang", at=T0 + 3 * HOUR)
    with pytest.raises(WrongState, match="mianyang"):
        rounds.run(desk, draw_id, VALUE, by="wang", at=T0 + 20 * HOUR)
    with pytest.raises(BadDraw):
        rounds.run(desk, draw_id, VALUE, by="wang", at=T0 + 32 * HOUR)
    with pytest.raises(BadDraw):
        rounds.reveal(desk, draw_id, "mianyang", by="he", at=T0 + 26 * HOUR)
    made = rounds.run(desk, draw_id, FALLBACK_VALUE, by="wang", at=T0 + 62 * HOUR)
    assert made["incidents"] == [{"kind": "no-reveal", "bureau": "mianyang", "round": 0}]
    assert made["public_value"]["source"] == FALLBACK.name and len(made["taken"]) == 3
    assert verify(made, desk.keys.trusted).ok
    told = [event.payload for event in desk.records.events() if event.kind == "draw-drawn"]
    assert json.loads(told[0])["incidents"] == ["mianyang"]


def test_the_public_value_falls_due_after_the_last_reveal_so_that_silence_is_chosen_blind(desk):
    draw_id = frozen(desk)
    early = PublicSource("今日开奖", T0 + 20 * HOUR)
    with pytest.raises(BadDraw):
        rounds.commit(
            desk, draw_id, "beibei", public_source=early, fallback_source=FALLBACK, by="wang", at=T0 + 2 * HOUR
        )


def test_who_keeps_silent_again_and_again_is_named(desk):
    for turn in range(2):
        at = T0 + turn * 5 * DAY
        told = asked(matter=dataclasses.replace(asked().matter, matter_id=f"事项{turn}"),
                     opens_at=at + 10 * DAY)  # fmt: skip
        draw = desks.request(desk, told, by="li", at=at)
        freezing.freeze(desk, draw.draw_id, by="wang", at=at)
        public, fallback = (PublicSource(f"{name}{turn}", at + n * DAY) for name, n in (("甲", 2), ("乙", 3)))
        for bureau in BOTH:
            rounds.commit(
                desk, draw.draw_id, bureau, public_source=public, fallback_source=fallback, by="wang", at=at + HOUR
            )
        rounds.reveal(desk, draw.draw_id, "beibei", by="wang", at=at + 2 * HOUR)
        value = PublicValue(fallback.name, "01 02 03", fallback.due)
        rounds.run(desk, draw.draw_id, value, by="wang", at=at + 4 * DAY)
        assert rounds.repeaters(desk, T0) == ({} if turn == 0 else {"mianyang": 2})
    assert [len(told) for told in rounds.incidents(desk, T0).values()] == [2]
    assert rounds.incidents(desk, T0 + 30 * DAY) == {}


def test_a_bureau_that_never_commits_can_only_stop_a_draw_visibly(desk):
    draw_id = frozen(desk)
    commit(desk, draw_id, "beibei")
    desks.abandon(desk, draw_id, "other-side-silent", "逾期未承诺", by="wang", at=T0 + 2 * DAY)
    assert rounds.incidents(desk, T0) == {"mianyang": [f"{draw_id} no-commitment"]}


# -- the list ------------------------------------------------------------------------------------------------------


def change_paper(desk, draw_id, kind, change):
    """What somebody does who can write to the database."""
    paper = copy.deepcopy(desks.papers_of(desk, draw_id, kind)[""])
    change(paper)
    p = expert_draw_paper.c
    with desk.records.database.write() as connection:
        connection.execute(update(expert_draw_paper).where(p.draw_id == draw_id, p.kind == kind).values(document=paper))
    return paper


def drop_one(paper):
    paper["candidates"].pop()


def exclude_one(paper):
    paper["candidates"][0] |= {"status": "excluded", "reasons": ["on_leave"]}


@pytest.mark.parametrize("change", [drop_one, exclude_one])
def test_a_list_changed_after_a_commitment_stops_the_draw(desk, change):
    draw_id = frozen(desk)
    commit(desk, draw_id, "beibei")
    paper = change_paper(desk, draw_id, "list", change)
    with pytest.raises(BadDraw, match="名单被改动过"):
        commit(desk, draw_id, "mianyang")
    with desk.records.database.write() as connection:  # and the hash with it
        mine = expert_draw.c.draw_id == draw_id
        connection.execute(update(expert_draw).where(mine).values(list_hash=protocol.list_hash(paper)))
    with pytest.raises(BadDraw, match="名单被改动过"):
        commit(desk, draw_id, "mianyang")
    assert expert_drawbook.check_numbers(desk.records) == [f"{draw_id} list  is not the paper the chain knows"]


def test_a_false_exclusion_shows_to_the_one_it_concerns_and_is_in_the_hash(desk):
    draw_id = revealed(desk)
    entry = opening.own_entry(desk, draw_id, "e-00001", LOOKER, T0 + 10 * DAY)
    assert entry.status == "eligible" and entry.reasons == ()
    before = rounds.list_of(desk, expert_drawbook.draw(desk.records, draw_id))
    changed = copy.deepcopy(before)
    exclude_one(changed)
    assert protocol.list_hash(changed) != protocol.list_hash(before)


def test_padding_the_pool_just_before_puts_nobody_on_the_list(records, desk):
    """New people, people appointed in a hurry and people given the field in a hurry are listed, and excluded."""
    old = {"specialty": [{"code": "N01", "edition": "gz-2026-1", "raw": "噪声"}]}
    enter(records, (row(200, state="publicised"), parts(200)), (row(202), parts(202, **old)))
    friends = [(row(n, entered_at=T0 - DAY), parts(n)) for n in range(300, 310)]
    enter(records, *friends, at=T0 - DAY)
    experts.set_state(records, "e-00200", "appointed", by="staff", at=T0 - DAY)
    with experts.writing(records, "staff", T0 - DAY) as pool:
        pool.tell("e-00202", "specialty", {"code": "W03", "edition": "gz-2026-1", "raw": "废水"})
    entries = candidates(desk, frozen(desk))
    told = [code for one in entries for code in one["reasons"]]
    assert (told.count("late_entry"), told.count("late_change")) == (10, 2)
    assert sum(one["status"] == "eligible" for one in entries) == 24


def test_a_renewed_term_is_no_padding(records, desk):
    experts.set_state(records, "e-00001", "appointed", by="staff", at=T0 - DAY, term_end=T0.date() + 900 * DAY)
    assert all(one["reasons"] == [] for one in candidates(desk, frozen(desk)))


# -- drawing until it pleases --------------------------------------------------------------------------------------


def test_drawing_until_it_pleases_is_refused_and_what_was_drawn_cannot_be_lost(desk):
    first = published(desk)
    for by in ("li", "wang"):
        with pytest.raises(BadRequest):
            desks.request(desk, asked(), by=by, at=T0 + 2 * DAY)
    again = Redraw(first, "too-few-accepted", "两人谢绝")
    draw = desks.request(desk, asked(), by="li", at=T0 + 2 * DAY, redraw=again)
    with pytest.raises(NeedsSecondPerson):
        freezing.freeze(desk, draw.draw_id, by="wang", at=T0 + 2 * DAY)
    with desk.records.database.write() as connection:  # somebody cleans up behind himself
        for table in (expert_draw_paper, expert_draw):
            connection.execute(delete(table).where(table.c.draw_id == first))
    assert f"{first} is missing" in expert_drawbook.check_numbers(desk.records)
    assert f"{first} request  is not the paper the chain knows" in expert_drawbook.check_numbers(desk.records)


def test_another_public_value_is_not_tried_after_the_first(desk):
    draw_id = published(desk)
    first = desks.latest(desk, draw_id)
    other = PublicValue(PUBLIC.name, "01 02 03 04 05 06 + 07", PUBLIC.due + 2 * HOUR)
    assert rounds.run(desk, draw_id, other, by="zhao", at=T0 + 40 * HOUR) == first


def test_a_second_commitment_or_secret_of_a_bureau_is_never_taken(desk):
    draw_id = frozen(desk)
    first, sealed = commit(desk, draw_id, "beibei"), expert_drawbook.sealed_secret(desk.records, draw_id, "beibei")
    assert commit(desk, draw_id, "beibei", T0 + 5 * HOUR) == first
    assert expert_drawbook.sealed_secret(desk.records, draw_id, "beibei") == sealed
    forged = {**first, "commitment": "00" * 32}
    from records import expert_draws

    with pytest.raises(IllegalState, match="不得改写"):
        expert_draws.add_papers(
            desk.records, draw_id, [rounds.committed("beibei", forged)], at=T0 + 6 * HOUR, by="wang"
        )


# -- clock games ---------------------------------------------------------------------------------------------------


def test_a_clock_set_back_is_refused(desk):
    draw_id = frozen(desk)
    with pytest.raises(IllegalState, match="请校准时钟"):
        desks.abandon(desk, draw_id, "request-wrong", "有误", by="wang", at=T0 - DAY)
    with pytest.raises(BadDraw):
        commit(desk, draw_id, "beibei", T0 - DAY)
    with pytest.raises(IllegalState, match="请校准时钟"):
        desks.request(desk, asked(matter=dataclasses.replace(asked().matter, matter_id="乙")), by="li", at=T0 - DAY)


def test_a_value_seen_before_it_fell_due_or_after_now_is_refused(desk):
    draw_id = revealed(desk)
    for seen, at in ((PUBLIC.due - HOUR, T0 + 40 * HOUR), (T0 + 50 * HOUR, T0 + 40 * HOUR)):
        with pytest.raises(BadDraw):
            rounds.run(desk, draw_id, PublicValue(PUBLIC.name, "1", seen), by="wang", at=at)
    with pytest.raises(BadDraw):
        rounds.run(desk, draw_id, PublicValue("另一期", "1", PUBLIC.due), by="wang", at=T0 + 40 * HOUR)


def test_names_do_not_open_because_somebody_says_it_is_later_than_it_was(desk):
    draw_id = published(desk)
    opening.names(desk, draw_id, LOOKER, T0 + 10 * DAY)
    opened = [event.at for event in desk.records.events() if event.kind == "draw-opened"]
    assert opened == [T0 + 10 * DAY], "the time somebody claimed is on the chain"


# -- bias, and other forms of the same list ------------------------------------------------------------------------


def test_two_desks_with_the_same_papers_draw_the_same_panel(desk):
    draw_id = revealed(desk)
    given = [desks.papers_of(desk, draw_id, kind) for kind in ("commitment", "reveal")]
    from expert_registry.draw import publication

    frozen_list = desks.paper_of(desk, draw_id, "list")
    shuffled = json.loads(json.dumps(dict(reversed(frozen_list.items())), ensure_ascii=True))
    more = {"bureau": "beibei", "assurance": "one-home", "signer": desk.signer}
    mine = rounds.run(desk, draw_id, VALUE, by="wang", at=T0 + 32 * HOUR)
    other = publication.draw(shuffled, *given, VALUE, at=T0 + 50 * HOUR, **more)
    assert [other[name] for name in ("list_hash", "seed", "taken")] == [
        mine[name] for name in ("list_hash", "seed", "taken")
    ]


def test_another_unicode_form_of_a_title_gives_the_same_words_in_the_list(desk):
    written = {"Ame\u0301lioration 评估": "Am\u00e9lioration 评估"}
    for number, (given, kept) in enumerate(written.items()):
        matter = dataclasses.replace(asked().matter, matter_id=f"题目{number}", title=given)
        draw = desks.request(desk, asked(matter=matter), by="li", at=T0)
        freezing.freeze(desk, draw.draw_id, by="wang", at=T0)
        assert desks.paper_of(desk, draw.draw_id, "list")["request"]["title"] == kept


def test_a_hint_who_should_replace_whom_has_nowhere_to_go(desk):
    """The substitute depends on links nobody gave away before; another link is refused, another cause changes nobody."""
    draw_id = published(desk)
    seen, later = opening.names(desk, draw_id, LOOKER, T0 + 10 * DAY), T0 + 11 * DAY
    source = PublicSource("第2026050期", later + 3 * DAY)
    told = {"fallback_source": source, "by": "sun", "at": later}
    with pytest.raises(BadDraw, match="现无席位"):
        replacing.open_vacancy(desk, draw_id, "e-99999", "ill", **told)
    replacing.open_vacancy(desk, draw_id, seen[0].expert.expert_id, "ill", **told)
    replacing.give_link(desk, draw_id, "beibei", by="wang", at=later)
    with pytest.raises(BadDraw):
        replacing.replace(desk, draw_id, by="wang", at=later + 2 * DAY)
    value = PublicValue(source.name, "11 12 13", source.due + HOUR)
    made = replacing.replace(desk, draw_id, by="wang", at=later + 4 * DAY, value=value)
    assert made["replacements"][0]["incidents"] == [{"kind": "no-link", "bureau": "mianyang", "round": 1}]
    assert verify(made, desk.keys.trusted).ok
    assert rounds.incidents(desk, T0) == {"mianyang": [f"{draw_id} no-link 1"]}
