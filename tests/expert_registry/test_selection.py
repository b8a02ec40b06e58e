"""The walk along the tickets: seats, quotas, reasons, replacements; the same as by trying everything."""

from __future__ import annotations

from collections import Counter

import pytest
from brute_walk import brute_walk
from made_draws import frozen_list, person, random_list, terms, word

from expert_registry.draw.protocol import FIRST_ROUND, Seat, digest
from expert_registry.draw.selection import in_order, walk


def in_this_order(people, asked, **more):
    """Walk with a seed that brings the people in the order given; found by trying."""
    frozen = frozen_list(asked, people)
    wanted = [one.id for one in people if not one.reasons]
    for number in range(20_000):
        seed = digest("sha256", str(number))
        if [one for _, one in in_order("sha256", seed, FIRST_ROUND, wanted)] == wanted:
            return walk(frozen, seed, FIRST_ROUND, **more)
    raise AssertionError("no seed gives this order")


def names(people):
    return {one.id: number for number, one in enumerate(people)}


def told(people, walked):
    short = names(people)
    return [short[one["id"]] for one in walked.taken], {short[one["id"]]: one["reason"] for one in walked.skipped}


def test_the_smallest_tickets_are_taken_and_the_walk_ends_with_the_last_seat():
    people = [person(n) for n in range(5)]
    walked = in_this_order(people, terms(Seat("AIR", 3)))
    assert told(people, walked) == ([0, 1, 2], {})
    assert len(walked.order) == 5 and walked.unfilled == ()
    assert [one["ticket"] for one in walked.taken] == sorted(one["ticket"] for one in walked.taken)


def test_an_excluded_person_has_no_ticket():
    people = [person(0, reasons="on_leave"), person(1), person(2)]
    walked = in_this_order(people, terms(Seat("AIR", 2)))
    assert walked.order == (people[1].id, people[2].id)


def test_a_person_with_two_specialties_moves_so_that_no_seat_is_lost():
    """The first could keep the only seat of the second; the second still sits, the first moves."""
    people = [person(0, "AIR SOIL"), person(1, "AIR"), person(2, "SOIL")]
    walked = in_this_order(people, terms(Seat("AIR", 1), Seat("SOIL", 1)))
    assert told(people, walked) == ([0, 1], {})
    assert [one["seat"] for one in walked.taken] == ["SOIL", "AIR"]
    assert walked.seating == ({"seat": "AIR", "id": people[1].id}, {"seat": "SOIL", "id": people[0].id})


def test_who_fits_no_seat_any_more_is_passed_over_in_writing():
    people = [person(0, "AIR"), person(1, "AIR"), person(2, "SOIL")]
    walked = in_this_order(people, terms(Seat("AIR", 1), Seat("SOIL", 1)))
    assert told(people, walked) == ([0, 2], {1: "no-seat"})


def test_a_second_person_of_one_employer_is_passed_over():
    people = [person(0, employer="u"), person(1, employer="u"), person(2), person(3)]
    assert told(people, in_this_order(people, terms(Seat("AIR", 3), per_employer=1))) == (
        [0, 2, 3],
        {1: "employer-quota"},
    )
    assert told(people, in_this_order(people, terms(Seat("AIR", 3), per_employer=2)))[0] == [0, 1, 2]


def test_a_blank_employer_and_no_quota_count_for_nothing():
    people = [person(n) for n in range(3)]
    assert told(people, in_this_order(people, terms(Seat("AIR", 3), per_employer=1)))[0] == [0, 1, 2]


def test_seats_are_kept_for_the_other_side():
    people = [person(0), person(1), person(2), person(3, side="mianyang")]
    walked = in_this_order(people, terms(Seat("AIR", 3), other_side=1))
    assert told(people, walked) == ([0, 1, 3], {2: "other-side"})


def test_who_is_of_neither_bureau_counts_as_the_other_side():
    people = [person(0), person(1), person(2), person(3, side="outside")]
    assert told(people, in_this_order(people, terms(Seat("AIR", 3), other_side=1)))[0] == [0, 1, 3]


def test_the_seat_that_the_other_side_can_take_is_the_one_kept():
    """Of the other side only AIR is there, so the own side may have SOIL but not the only AIR."""
    people = [person(0, "AIR"), person(1, "AIR", "mianyang"), person(2, "SOIL")]
    walked = in_this_order(people, terms(Seat("AIR", 1), Seat("SOIL", 1), other_side=1))
    assert told(people, walked) == ([1, 2], {0: "other-side"})


def test_seats_nobody_can_take_are_said_to_be_empty():
    people = [person(0), person(1), person(2, "SOIL")]
    walked = in_this_order(people, terms(Seat("AIR", 2), Seat("SOIL", 2), other_side=2))
    assert told(people, walked) == ([0, 1], {2: "other-side"})
    assert walked.unfilled == ("SOIL", "SOIL") and walked.seating[2:] == ({"seat": "SOIL", "id": ""},) * 2


def test_where_nobody_qualifies_all_seats_stay_empty():
    walked = walk(frozen_list(terms(Seat("AIR", 3)), []), "00", FIRST_ROUND)
    assert walked.unfilled == ("AIR",) * 3 and walked.order == walked.taken == walked.skipped == ()


def test_a_replacement_takes_one_and_nobody_twice_and_the_others_keep_their_seats():
    people = [person(n) for n in range(6)]
    frozen = frozen_list(terms(Seat("AIR", 3)), people)
    first = walk(frozen, word("s"), FIRST_ROUND)
    staying = [{**first.seating[0], "id": ""}, *first.seating[1:]]
    drawn = {one["id"] for one in first.taken}
    second = walk(frozen, word("s"), word("r"), staying=staying, out=drawn, most=1)
    assert len(second.taken) == 1 and second.taken[0]["id"] not in drawn
    assert second.seating[1:] == first.seating[1:] and second.seating[0]["id"] == second.taken[0]["id"]
    assert set(second.order) == {one.id for one in people} - drawn


def test_equal_tickets_are_ordered_by_id():
    assert in_order("sha256", "s", "0", ["b", "a", "b"])[0:3] == sorted(in_order("sha256", "s", "0", ["a", "b", "b"]))


@pytest.mark.parametrize("chunk", range(4))
def test_the_walk_is_that_of_trying_everything(chunk):
    reasons = Counter()
    for number in range(1000 * chunk, 1000 * chunk + 150):
        frozen = random_list(number)
        if sum(seat["number"] for seat in frozen["request"]["seats"]) > 5:
            continue
        people = {one["id"]: one for one in frozen["candidates"]}
        walked = walk(frozen, word(number), FIRST_ROUND)
        taken = {one["id"] for one in walked.taken}
        passed = {one["id"]: one["reason"] for one in walked.skipped}
        expected = brute_walk([people[one] for one in walked.order], frozen["request"])
        assert {one for one, why in expected if not why} == taken, number
        assert {one: why for one, why in expected if why} == passed, number
        reasons.update(passed.values())
    assert set(reasons) == {"no-seat", "employer-quota", "other-side"}
