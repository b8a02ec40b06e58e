"""The papers of a draw, and what the protocol says to those who would bend it."""

from __future__ import annotations

import copy
import json
import unicodedata
from dataclasses import replace as changed

import pytest
from made_draws import (
    BUREAUS,
    FALLBACK,
    FIRST,
    KEYS,
    TRUSTED,
    at,
    commitments,
    frozen_list,
    key,
    person,
    replaced,
    reveals,
    secrets,
    terms,
    whole,
    word,
)

from expert_registry.draw import papers, publication
from expert_registry.draw.papers import KeyBook, PublicSource, PublicValue
from expert_registry.draw.protocol import (
    Seat,
    chain_link,
    digest,
    entry,
    list_hash,
    new_key,
    new_secret,
    opaque_id,
    unknown_ids,
)
from expert_registry.draw.verification import verify
from expert_registry.errors import BadDraw
from records.chain import canonical
from records.keys import sign_document

ASKED = terms(Seat("AIR", 3))
PEOPLE = [person(number) for number in range(9)]


@pytest.fixture
def frozen():
    return frozen_list(ASKED, PEOPLE)


def value_of(source: PublicSource, hours: float = 0) -> PublicValue:
    return PublicValue(source.name, "3 9 0 7 2", source.due if not hours else at(hours))


def draw_it(frozen, committed, revealed, value, **more):
    told = {"bureau": "beibei", "assurance": "two-homes", "at": at(40), "signer": KEYS["beibei"], **more}
    return publication.draw(frozen, committed, revealed, value, **told)


def refused(words: str):
    return pytest.raises(BadDraw, match=words)


# ── one side does not reveal ──────────────────────────────────────────────────────────────────────────────────────────


def test_where_a_bureau_keeps_silent_the_fallback_decides_and_the_incident_stays(frozen):
    made = whole(frozen, silent=("mianyang",))
    assert made["incidents"] == [{"kind": "no-reveal", "bureau": "mianyang", "round": 0}]
    assert made["public_value"]["source"] == FALLBACK.name and verify(made, TRUSTED).ok


def test_the_first_source_cannot_be_used_where_a_bureau_kept_silent(frozen):
    committed = commitments(frozen)
    revealed = reveals(frozen, committed, silent=("mianyang",))
    with refused("must be of"):
        draw_it(frozen, committed, revealed, value_of(FIRST))


def test_the_fallback_cannot_be_used_where_both_revealed(frozen):
    committed = commitments(frozen)
    with refused("must be of"):
        draw_it(frozen, committed, reveals(frozen, committed), value_of(FALLBACK))


def test_even_where_nobody_reveals_there_is_a_draw_nobody_could_foresee(frozen):
    made = whole(frozen, silent=BUREAUS)
    assert len(made["incidents"]) == 2 and len(made["taken"]) == 3 and verify(made, TRUSTED).ok


def test_a_public_value_that_is_known_before_the_reveals_end_cannot_be_named(frozen):
    early = PublicSource("已开奖的一期", at(5))
    with refused("times"):
        papers.commit(frozen, "beibei", secrets(1)["beibei"], public_source=early, fallback_source=FALLBACK, at=at(1),
                      signer=KEYS["beibei"])  # fmt: skip


def test_the_fallback_is_another_source_and_not_an_earlier_one(frozen):
    for first, later in ((FIRST, FIRST), (FALLBACK, FIRST)):
        with refused("times|another source"):
            papers.commit(frozen, "beibei", secrets(1)["beibei"], public_source=first, fallback_source=later, at=at(1),
                          signer=KEYS["beibei"])  # fmt: skip


def test_the_bureaus_must_name_the_same_sources(frozen):
    committed = commitments(frozen)
    other = changed(FIRST, name="福彩3D 第26268期")
    committed["mianyang"] = papers.commit(frozen, "mianyang", secrets(1)["mianyang"], public_source=other,
                                          fallback_source=FALLBACK, at=at(1), signer=KEYS["mianyang"])  # fmt: skip
    with refused("different sources"):
        reveals(frozen, committed)


def test_a_reveal_after_its_time_is_refused(frozen):
    committed = commitments(frozen)
    papers.reveal(frozen, committed, "beibei", secrets(1)["beibei"], at=at(6), signer=KEYS["beibei"])
    with refused("times"):
        papers.reveal(frozen, committed, "beibei", secrets(1)["beibei"], at=at(6.001), signer=KEYS["beibei"])


# ── secrets and commitments ───────────────────────────────────────────────────────────────────────────────────────────


def test_nobody_reveals_before_both_have_committed(frozen):
    committed = commitments(frozen)
    del committed["mianyang"]
    with refused("must commit"):
        reveals(frozen, committed)


def test_another_secret_than_the_one_committed_to_is_refused(frozen):
    committed = commitments(frozen)
    with refused("not what it committed to"):
        papers.reveal(frozen, committed, "beibei", new_secret(), at=at(2), signer=KEYS["beibei"])


def test_a_commitment_exchanged_after_the_other_revealed_is_found(frozen):
    """mianyang waits for the secret of beibei, then commits anew, with an early date, to one that suits it."""
    committed = commitments(frozen)
    theirs = reveals(frozen, committed, silent=("mianyang",))
    suits = new_secret()
    committed["mianyang"] = papers.commit(frozen, "mianyang", suits, public_source=FIRST, fallback_source=FALLBACK,
                                          at=at(1), signer=KEYS["mianyang"])  # fmt: skip
    mine = papers.reveal(frozen, committed, "mianyang", suits, at=at(3), signer=KEYS["mianyang"])
    with refused("was exchanged"):
        draw_it(frozen, committed, {**theirs, "mianyang": mine}, value_of(FIRST))


def test_a_commitment_signed_by_the_other_bureau_is_refused_where_keys_are_told(frozen):
    committed = commitments(frozen)
    body = {
        name: one for name, one in committed["mianyang"].items() if name not in ("signature", "public_key", "key_id")
    }
    committed["mianyang"] = sign_document(body, KEYS["beibei"])
    with refused("not signed with a key of mianyang"):
        papers.check_commitments(frozen, committed, KeyBook(TRUSTED))


def test_a_secret_does_not_show_in_a_log():
    assert word(1) not in repr(changed(new_secret(), value=word(1), chain_start=word(1)))
    assert len({new_secret().value for _ in range(9)} | {new_key() for _ in range(9)}) == 18


# ── the list ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_list_changed_after_the_commitments_is_found(frozen):
    made = whole(frozen)
    for change in (
        lambda one: one["candidates"].pop(),
        lambda one: one["request"].update(title="另一事项"),
        lambda one: one["candidates"][0].update(status="excluded", reasons=["cooling"]),
    ):
        other = copy.deepcopy(frozen)
        change(other)
        assert list_hash(other) != list_hash(frozen)
        with refused("was changed"):
            draw_it(other, made["commitments"], made["reveals"], value_of(FIRST))


def test_another_order_of_names_or_of_people_gives_the_same_list(frozen):
    again = frozen_list(ASKED, PEOPLE[::-1])
    turned = json.loads(json.dumps(dict(reversed(frozen.items())), ensure_ascii=True, indent=3))
    assert canonical(again) == canonical(frozen) == canonical(turned)
    assert list_hash(turned) == list_hash(frozen)


def test_the_same_words_in_another_unicode_form_give_the_same_list_or_are_refused(frozen):
    composed, apart = "Kjeldahl-Gerät é", unicodedata.normalize("NFD", "Kjeldahl-Gerät é")
    one, two = (frozen_list(changed(ASKED, title=title), PEOPLE) for title in (composed, f" {apart} "))
    assert list_hash(one) == list_hash(two)
    sneaked = copy.deepcopy(one)
    sneaked["request"]["title"] = apart
    with refused("NFC"):
        commitments(sneaked)


def test_a_person_cannot_stand_on_the_list_twice():
    with refused("twice"):
        frozen_list(ASKED, [*PEOPLE, PEOPLE[0]])


def test_an_excluded_person_finds_the_reason_in_the_frozen_list_and_it_cannot_be_taken_out_later():
    out = person("me", reasons="employer_3y cooling")
    frozen = frozen_list(ASKED, [*PEOPLE, out])
    own = entry(frozen, out.id)
    assert own and own["status"] == "excluded" and own["reasons"] == ["cooling", "employer_3y"]
    assert entry(frozen, word("nobody")) is None
    assert list_hash(frozen) != list_hash(frozen_list(ASKED, PEOPLE))
    made = whole(frozen)
    assert out.id not in made["order"]


def test_excluded_without_reason_and_eligible_with_one_are_refused(frozen):
    for change in (
        {"status": "excluded"},
        {"reasons": ["cooling"]},
        {"specialties": ["SOIL"]},
        {"reasons": ["b", "a"]},
    ):
        other = copy.deepcopy(frozen)
        other["candidates"][0].update(change)
        with refused("candidate"):
            commitments(other)


def test_entries_after_the_cut_off_cannot_be_let_in_by_a_later_cut_off():
    with refused("not in this order"):
        frozen_list(changed(ASKED, cutoff=at(1)), PEOPLE)


def test_an_auditor_with_the_key_finds_those_who_are_nobody():
    key_of_draw, known = new_key(), [f"E-{number}" for number in range(8)]
    people = [changed(PEOPLE[0], id=opaque_id(key_of_draw, expert_id)) for expert_id in (*known, "E-invented")]
    frozen = frozen_list(ASKED, people)
    assert unknown_ids(frozen, key_of_draw, known) == (opaque_id(key_of_draw, "E-invented"),)
    assert unknown_ids(frozen, key_of_draw, [*known, "E-invented"]) == ()


def test_a_person_has_another_id_in_every_draw():
    assert opaque_id(new_key(), "E-1") != opaque_id(new_key(), "E-1")


@pytest.mark.parametrize("bad", ["", "a|b", "a b", "抽取"])
def test_what_would_blur_a_hash_is_refused(bad):
    for name in ("draw_id", "request_id"):
        with refused(name):
            frozen_list(ASKED, PEOPLE, **{name: bad})
    with refused("candidates"):
        frozen_list(ASKED, [changed(PEOPLE[0], id=bad)])


def test_terms_that_do_not_fit_are_refused():
    for asked in (
        terms(),
        terms(Seat("AIR", 0)),
        terms(Seat("AIR", 2), Seat("AIR", 1)),
        terms(Seat("AIR", 2), odd=True),
        terms(Seat("AIR", 3), other_side=4),
        terms(Seat("AIR", 3), links=1001),
    ):
        with refused("."):
            frozen_list(asked, PEOPLE)


def test_two_bureaus_take_part_and_the_asking_one_is_one_of_them():
    for bureaus in (("beibei",), ("beibei", "beibei"), ("mianyang", "tongnan"), ("beibei", "mianyang", "tongnan")):
        with refused("bureaus"):
            frozen_list(ASKED, PEOPLE, bureaus=bureaus)


def test_an_unknown_hash_is_refused():
    for algorithm in ("md5", "sha1", "SHA256", ""):
        with refused("hash"):
            frozen_list(ASKED, PEOPLE, algorithm=algorithm)
        with refused("hash"):
            digest(algorithm, "x")


# ── again until it pleases ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_further_draw_names_the_one_before_it_and_why():
    again = {"sequence": 2, "replaces": "beibei-2026-1", "reason": "三人因病不能到会"}
    assert frozen_list(ASKED, PEOPLE, **again)["replaces"] == "beibei-2026-1"
    for lacking in ({"reason": " "}, {"replaces": ""}, {"sequence": 1}, {"sequence": 0}):
        with refused("."):
            frozen_list(ASKED, PEOPLE, **{**again, **lacking})


def test_the_same_papers_give_the_same_draw_again_and_again(frozen):
    made = [whole(frozen) for _ in range(3)]
    assert made[0] == made[1] == made[2]


def test_another_draw_id_gives_another_seed(frozen):
    other = frozen_list(ASKED, PEOPLE, draw_id="beibei-2026-2")
    assert whole(frozen)["seed"] != whole(other)["seed"]


# ── clocks ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_commitment_before_the_freeze_and_a_reveal_before_a_commitment_are_refused(frozen):
    with refused("times"):
        papers.commit(frozen, "beibei", secrets(1)["beibei"], public_source=FIRST, fallback_source=FALLBACK,
                      at=at(-0.01), signer=KEYS["beibei"])  # fmt: skip
    with refused("times"):
        papers.reveal(frozen, commitments(frozen), "beibei", secrets(1)["beibei"], at=at(0.99), signer=KEYS["beibei"])


def test_a_value_seen_before_it_was_due_and_a_draw_before_its_value_are_refused(frozen):
    committed = commitments(frozen)
    revealed = reveals(frozen, committed)
    with refused("not before"):
        draw_it(frozen, committed, revealed, value_of(FIRST, 11.99))
    with refused("before the papers"):
        draw_it(frozen, committed, revealed, value_of(FIRST), at=at(11.99))


def test_a_blank_public_value_is_refused(frozen):
    committed = commitments(frozen)
    with refused("public value"):
        draw_it(frozen, committed, reveals(frozen, committed), PublicValue(FIRST.name, "  ", FIRST.due))


def test_a_time_without_zone_is_refused():
    with pytest.raises(ValueError, match="zone"):
        frozen_list(changed(ASKED, reveal_by=at(6).replace(tzinfo=None)), PEOPLE)


# ── replacements ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_replacement_is_drawn_anew_and_not_the_next_on_the_list(frozen):
    nexts = []
    for number in range(12):
        made = whole(frozen, number)
        after = replaced(made, made["taken"][0]["id"], number)
        assert verify(after, TRUSTED).ok and len(after["replacements"]) == 1
        nexts.append(after["replacements"][0]["taken"][0]["id"] == made["order"][3])
    assert not all(nexts)


def test_a_link_not_given_is_replaced_by_the_later_value_and_the_incident_stays(frozen):
    made = whole(frozen)
    after = replaced(made, made["taken"][0]["id"], silent=("mianyang",))
    assert after["replacements"][0]["incidents"] == [{"kind": "no-link", "bureau": "mianyang", "round": 1}]
    assert verify(after, TRUSTED).ok
    then = replaced(after, papers.seating(after)[1]["id"])
    assert then["replacements"][1]["incidents"] == [] and verify(then, TRUSTED).ok


def test_who_was_drawn_once_is_never_drawn_again_in_this_draw(frozen):
    made = whole(frozen)
    for _ in range(4):
        made = replaced(made, papers.seating(made)[0]["id"])
    assert len(publication.ever_drawn(made)) == 7
    assert len({one["id"] for one in papers.seating(made)}) == 3 and verify(made, TRUSTED).ok


def test_when_the_chain_is_used_up_there_must_be_another_draw():
    made = whole(frozen_list(terms(Seat("AIR", 3), links=1), PEOPLE))
    made = replaced(made, papers.seating(made)[0]["id"])
    with refused("used up"):
        replaced(made, papers.seating(made)[0]["id"])


def test_when_nobody_is_left_the_seat_stays_empty_and_it_is_said():
    made = whole(frozen_list(ASKED, PEOPLE[:3]))
    after = replaced(made, papers.seating(made)[1]["id"])
    last = after["replacements"][0]
    assert last["taken"] == [] and last["unfilled"] == ["AIR"] and papers.seating(after)[1] == {"seat": "AIR", "id": ""}
    assert verify(after, TRUSTED).ok


def test_only_who_has_a_seat_can_be_replaced(frozen):
    made = whole(frozen)
    for nobody in (made["order"][-1], word("nobody")):
        with refused("no seat"):
            replaced(made, nobody)


def test_a_link_given_for_one_opening_serves_no_other(frozen):
    made = whole(frozen)
    sitting = papers.seating(made)
    source = PublicSource("体彩排列5 第26301期", at(60))
    told = {"fallback_source": source, "links_by": at(50), "at": at(41), "signer": KEYS["beibei"]}
    first, other = (papers.open_replacement(made, "beibei", one["id"], "ill", **told) for one in sitting[:2])
    links = {
        bureau: papers.give_link(made, first, bureau, secret, at=at(42), signer=KEYS[bureau])
        for bureau, secret in secrets(1).items()
    }
    assert verify(publication.replace(made, first, links, bureau="beibei", at=at(43), signer=KEYS["beibei"])).ok
    with refused("another opening"):
        publication.replace(made, other, links, bureau="beibei", at=at(43), signer=KEYS["beibei"])


def test_a_fallback_value_is_used_only_where_a_link_is_missing_and_then_always(frozen):
    made = whole(frozen)
    source = PublicSource("体彩排列5 第26301期", at(60))
    opening = papers.open_replacement(made, "mianyang", papers.seating(made)[0]["id"], "ill", fallback_source=source,
                                      links_by=at(50), at=at(41), signer=KEYS["mianyang"])  # fmt: skip
    links = {
        bureau: papers.give_link(made, opening, bureau, secret, at=at(42), signer=KEYS[bureau])
        for bureau, secret in secrets(1).items()
    }
    told = {"bureau": "beibei", "at": at(70), "signer": KEYS["beibei"]}
    with refused("never"):
        publication.replace(made, opening, links, PublicValue(source.name, "1", at(61)), **told)
    del links["mianyang"]
    with refused("never"):
        publication.replace(made, opening, links, **told)
    with refused("not before"):
        publication.replace(made, opening, links, PublicValue(source.name, "1", at(59)), **told)


def test_links_lead_to_the_tip_and_none_tells_the_next():
    start = word("start")
    assert chain_link("sha256", start, 16, 16) == start
    for algorithm in ("sha256", "sm3"):
        for number in range(1, 17):
            before, here = (chain_link(algorithm, start, 16, one) for one in (number - 1, number))
            assert digest(algorithm, here) == before
    for number in (-1, 17):
        with refused("no link"):
            chain_link("sha256", start, 16, number)


# ── who says so ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_bureaus_with_one_key_can_only_be_of_one_home(frozen):
    both = key("one machine")
    told = {"public_source": FIRST, "fallback_source": FALLBACK, "at": at(1), "signer": both}
    committed = {bureau: papers.commit(frozen, bureau, one, **told) for bureau, one in secrets(1).items()}
    revealed = {
        bureau: papers.reveal(frozen, committed, bureau, one, at=at(2), signer=both)
        for bureau, one in secrets(1).items()
    }
    with refused("one-home"):
        draw_it(frozen, committed, revealed, value_of(FIRST), signer=both)
    made = draw_it(frozen, committed, revealed, value_of(FIRST), signer=both, assurance="one-home")
    assert verify(made).ok and made["assurance"] == "one-home"


def test_only_a_bureau_of_the_draw_publishes_it(frozen):
    with refused("takes no part"):
        whole(frozen, bureau="tongnan")


def test_both_bureaus_get_the_same_result_each_for_itself(frozen):
    ours, theirs = whole(frozen), whole(frozen, bureau="mianyang", signer=KEYS["mianyang"], at=at(41))
    assert verify(theirs, TRUSTED).ok
    assert all(ours[name] == theirs[name] for name in ("seed", "order", "taken", "skipped", "list_hash"))


def test_a_draw_with_sm3_is_another_and_just_as_good(frozen):
    other = whole(frozen_list(ASKED, PEOPLE, algorithm="sm3"))
    assert verify(other, TRUSTED).ok and other["seed"] != whole(frozen)["seed"]
