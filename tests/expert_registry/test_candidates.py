"""Who stands on a list, and as what: state, term, certificate, leave, cooling, late comers, doubles, consent, recusal."""

from __future__ import annotations

import dataclasses
from datetime import date

import pytest
from desk_home import (
    DAY,
    HELD,
    HOUR,
    LOOKER,
    PARTY,
    T0,
    asked,
    enter,
    fill,
    frozen,
    home,
    made_uscc,
    parts,
    published,
    row,
)

from expert_registry.draw import desk as desks
from expert_registry.draw import freezing, opening, protocol, rounds
from expert_registry.draw.candidates import both_places, persons, side_of
from expert_registry.errors import NeedsSecondPerson
from expert_registry.privacy.vault import DRAW_KEY
from expert_registry.roster.pool import load
from records import expert_drawbook, expert_listing
from schemas.expert_draw_facts import exclusions

ODD, EVEN = 101, 102
"""Numbers of an expert of Mianyang's and of Beibei's list."""


def listed(desk, expert_id, draw_id):
    """The entry of an expert in the frozen list: its reasons, or None where it is not there."""
    draw = expert_drawbook.draw(desk.records, draw_id)
    key = desk.vault.open_(draw_id, DRAW_KEY, draw.key_sealed)
    return protocol.entry(rounds.list_of(desk, draw), protocol.opaque_id(key, expert_id))


def reasons(desk, number, **more):
    found = listed(desk, f"e-{number:05d}", frozen(desk, **more))
    return None if found is None else found["reasons"]


CASES = {
    "appointed": (EVEN, {}, {}, []),
    "applied": (EVEN, {"state": "applied"}, {}, ["not_appointed"]),
    "publicised": (EVEN, {"state": "publicised"}, {}, ["not_appointed"]),
    "suspended": (EVEN, {"state": "suspended"}, {}, ["suspended"]),
    "removed and barred": (EVEN, {"state": "removed", "bar_until": HELD}, {}, ["barred", "left_pool"]),
    "bar ended the day before": (EVEN, {"state": "removed", "bar_until": HELD - DAY}, {}, ["left_pool"]),
    "expired": (EVEN, {"state": "expired"}, {}, ["left_pool"]),
    "term begins that day": (EVEN, {"term_start": HELD}, {}, []),
    "term begins the day after": (EVEN, {"term_start": HELD + DAY}, {}, ["term_not_covering"]),
    "term ends that day": (EVEN, {"term_end": HELD}, {}, []),
    "term ended the day before": (EVEN, {"term_end": HELD - DAY}, {}, ["term_not_covering"]),
    "no term told": (EVEN, {"term_end": None}, {}, ["term_not_covering"]),
    "certificate ends that day": (EVEN, {"certificate_until": HELD}, {}, []),
    "certificate ended the day before": (EVEN, {"certificate_until": HELD - DAY}, {}, ["certificate_ended"]),
    "leave ends that day": (EVEN, {}, {"leave": [(HELD - DAY, HELD)]}, ["on_leave"]),
    "leave ended the day before": (EVEN, {}, {"leave": [(HELD - 3 * DAY, HELD - DAY)]}, []),
    "leave begins that day": (EVEN, {}, {"leave": [(HELD, HELD + DAY)]}, ["on_leave"]),
    "leave begins the day after": (EVEN, {}, {"leave": [(HELD + DAY, HELD + DAY)]}, []),
    "no consent, own side": (EVEN, {}, {"consent": []}, []),
    "no consent, other side": (ODD, {}, {"consent": []}, ["no_sharing_consent"]),
    "consent revoked that day": (ODD, {}, {"consent": [(date(2025, 1, 1), HELD)]}, ["no_sharing_consent"]),
    "consent revoked the day after": (ODD, {}, {"consent": [(date(2025, 1, 1), HELD + DAY)]}, []),
    "consent given again": (ODD, {}, {"consent": [(date(2025, 1, 1), date(2025, 6, 1)), (HELD, None)]}, []),
    "entered at the cut-off": (EVEN, {"entered_at": T0 + HOUR - 30 * DAY}, {}, []),
    "entered after the cut-off": (EVEN, {"entered_at": T0 + HOUR - 30 * DAY + HOUR / 3600}, {}, ["late_entry"]),
    "works for the party": (
        EVEN, {"employer": PARTY.name, "employer_uscc": PARTY.uscc}, {}, ["employer_now"],
    ),
    "employer unreadable": (EVEN, {"employer": "***", "employer_uscc": ""}, {}, ["affiliation_unknown"]),
}  # fmt: skip


def told(more):
    """Days as the pool is told them."""
    found = {}
    for since, until in more.get("leave", ()):
        found.setdefault("leave", []).append({"since": since, "until": until, "reason": "出差"})
    if "consent" in more:
        found["consent"] = [
            {"kind": "sharing", "given_on": given, "revoked_on": revoked, "document": "同意书"}
            for given, revoked in more["consent"]
        ]
    return found


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_expert_stands_on_the_list_with_the_reasons_that_hold_on_the_day(records, tmp_path, name, database_url):
    number, fields, more, expected = CASES[name]
    fill(records)
    entered = fields.get("entered_at", T0 - 400 * DAY)
    enter(records, (row(number, **fields), parts(number, **told(more))), at=entered)
    assert reasons(home(records, tmp_path), number) == expected


def test_every_pool_reason_has_its_words():
    codes = {code for _, _, _, expected in CASES.values() for code in expected}
    codes |= {"cooling", "late_change", "possible_duplicate"}
    assert set(exclusions()) <= codes


def test_who_has_no_field_asked_for_is_not_on_the_list(records, tmp_path):
    fill(records)
    other = {"specialty": [{"code": "N01", "edition": "gz-2026-1", "raw": "噪声"}]}
    letter = {"specialty": [{"code": "W", "edition": "gz-2026-1", "raw": "水"}]}
    enter(records, (row(EVEN), parts(EVEN, **other)), (row(104), parts(104, **letter)))
    desk = home(records, tmp_path)
    draw_id = frozen(desk)
    assert listed(desk, f"e-{EVEN:05d}", draw_id) is None
    assert listed(desk, "e-00104", draw_id) is None, "a letter alone is no specialty below it"
    draw_id = frozen(desk, matter=dataclasses.replace(asked().matter, matter_id="水类"),
                     seats=(protocol.Seat("W", 3),), at=T0 + 3 * HOUR)  # fmt: skip
    assert listed(desk, "e-00104", draw_id)["specialties"] == ["W"]
    assert listed(desk, "e-00001", draw_id)["specialties"] == ["W"], "a field below the letter asked for counts"


@pytest.mark.parametrize("uses,expected", [(5, []), (6, ["cooling"])])
def test_the_cooling_limit_counts_twelve_months_to_the_day(records, tmp_path, uses, expected):
    fill(records, 40)
    desk = home(records, tmp_path)
    for turn in range(uses):
        held = HELD.replace(year=2025) + (1 + turn) * DAY
        at = T0.replace(year=2025) - 20 * DAY + turn * 5 * HOUR
        seat_on(desk, "e-00002", f"事项{turn}", held, at)
    seat_on(desk, "e-00002", "一年前", HELD.replace(year=2025), T0 - 200 * DAY)
    assert reasons(desk, 2) == expected


def seat_on(desk, expert_id, matter_id, held, at):
    """Give somebody a seat on an earlier meeting, by a call-out."""
    from expert_registry.draw.callout import Called, CallOut, call_out

    matter = dataclasses.replace(asked().matter, matter_id=matter_id, on=held)
    call = CallOut(matter, "water-incident", "测试用", "500109", ("W03",))
    return call_out(desk, call, [Called(expert_id, "W03", "任期未覆盖")], by="li", at=at)


def test_a_use_drawn_but_not_opened_counts_too(records, tmp_path):
    fill(records)
    desk = home(records, tmp_path, uses_per_year=1)
    draw_id = published(desk)
    assert expert_listing.seats_of(records, [draw_id]) == []
    at = T0 + 3 * DAY
    matter = dataclasses.replace(asked().matter, matter_id="另一事项")
    draw = desks.request(desk, asked(matter=matter), by="li", at=at)
    freezing.freeze(desk, draw.draw_id, by="wang", at=at)
    taken = [one.expert.expert_id for one in opening.names(desk, draw_id, LOOKER, T0 + 10 * DAY)]
    assert [listed(desk, one, draw.draw_id)["reasons"] for one in taken] == [["cooling"]] * 3
    cool = [one for one in rounds.list_of(desk, expert_drawbook.draw(records, draw.draw_id))["candidates"]
            if one["reasons"]]  # fmt: skip
    assert len(cool) == 3


def test_one_identity_number_in_both_lists_keeps_both_records_out_until_somebody_decided(records, tmp_path):
    fill(records)
    same = {"identity_index": "ab" * 32, "name": "何克斌", "name_key": "何克斌"}
    enter(records, (row(ODD, **same), parts(ODD)), (row(EVEN + 2, **same), parts(EVEN)))
    desk = home(records, tmp_path)
    draw_id = frozen(desk)
    assert listed(desk, f"e-{ODD:05d}", draw_id)["reasons"] == ["possible_duplicate"]
    assert listed(desk, f"e-{EVEN + 2:05d}", draw_id)["reasons"] == ["possible_duplicate"]


def test_a_merged_person_stands_once_with_what_is_told_under_both_records(records, tmp_path):
    fill(records)
    leave = {"leave": [{"since": HELD, "until": HELD, "reason": "出差"}]}
    enter(
        records,
        (row(EVEN), parts(EVEN)),
        (row(ODD, merged_into=f"e-{EVEN:05d}"), parts(ODD, **leave)),
    )
    desk = home(records, tmp_path)
    draw_id = frozen(desk)
    assert listed(desk, f"e-{ODD:05d}", draw_id) is None
    entry = listed(desk, f"e-{EVEN:05d}", draw_id)
    assert entry["reasons"] == ["on_leave"] and entry["side"] == "beibei", "on both lists: never of the other side"
    assert set(entry["specialties"]) == {"W03", "A03"}
    own = [opening.own_entry(desk, draw_id, f"e-{number:05d}", LOOKER, T0 + 10 * DAY) for number in (ODD, EVEN)]
    assert own[0] == own[1] and [one.code for one in own[0].reasons] == ["on_leave"]


def test_a_person_whose_living_record_has_another_field_is_found_by_the_merged_one(records, tmp_path):
    fill(records)
    other = {"specialty": [{"code": "N01", "edition": "gz-2026-1", "raw": "噪声"}]}
    enter(
        records,
        (row(EVEN), parts(EVEN, **other)),
        (row(104, merged_into=f"e-{EVEN:05d}"), parts(104)),
    )
    desk = home(records, tmp_path)
    assert listed(desk, f"e-{EVEN:05d}", frozen(desk))["specialties"] == ["W03"]


def test_the_side_is_the_list_and_outside_is_who_lives_in_neither_place(records):
    enter(
        records,
        (row(2), parts(2)),
        (row(4, division="510100"), parts(4)),
        (row(5, division="510100"), parts(5)),
        (row(6, division="500109"), parts(6)),
    )
    found = [side_of(one, "beibei", both_places()) for one in persons(load(records))]
    assert found == ["beibei", "outside", "mianyang", "beibei"]


def test_too_few_candidates_need_the_approval_of_who_confirms_and_the_count_stays_on_record(records, tmp_path):
    fill(records, 8)
    desk = home(records, tmp_path)
    draw = desks.request(desk, asked(), by="li", at=T0)
    for approves in ({}, {"few-candidates": " "}, {"redraw": "…"}):
        with pytest.raises(NeedsSecondPerson, match="few-candidates"):
            freezing.freeze(desk, draw.draw_id, by="wang", at=T0 + HOUR, approves=approves)
    assert expert_drawbook.draw(records, draw.draw_id).state == "requested"
    words = {"few-candidates": "该专业全市仅此数人"}
    freezing.freeze(desk, draw.draw_id, by="wang", at=T0 + HOUR, approves=words)
    paper = desks.paper_of(desk, draw.draw_id, "approval", "freeze")
    assert paper["counts"] == {"": 8, "W03": 6, "A03": 2} and paper["too_few"] == ["", "A03"]
    assert paper["approves"] == words and paper["approved_by"] == "wang"


def test_a_narrow_filter_shows_in_one_specialty_even_where_the_whole_is_enough(records, tmp_path):
    fill(records, 12)
    enter(records, *((row(n), parts(1)) for n in range(20, 30)))
    desk = home(records, tmp_path)
    seats = (protocol.Seat("W03", 1), protocol.Seat("A03", 2))
    draw = desks.request(desk, asked(seats=seats), by="li", at=T0)
    with pytest.raises(NeedsSecondPerson, match="A03 4"):
        freezing.freeze(desk, draw.draw_id, by="wang", at=T0 + HOUR)


def test_an_excluded_expert_sees_the_own_entry_with_the_evidence_and_the_look_is_recorded(records, tmp_path):
    from records.expert_access import expert_accesses

    fill(records)
    enter(records, (row(EVEN, employer=PARTY.name, employer_uscc=PARTY.uscc), parts(EVEN)))
    desk = home(records, tmp_path)
    draw_id = frozen(desk)
    entry = opening.own_entry(desk, draw_id, f"e-{EVEN:05d}", LOOKER, T0 + 10 * DAY)
    assert entry.listed and entry.status == "excluded" and [one.code for one in entry.reasons] == ["employer_now"]
    assert PARTY.name in entry.reasons[0].evidence
    assert not opening.own_entry(desk, draw_id, "e-99999", LOOKER, T0 + 10 * DAY).listed
    assert {one.expert_id for one in expert_accesses(records)} == {f"e-{EVEN:05d}", "e-99999"}
    papers = str([one.document for one in expert_drawbook.papers(records, draw_id) if one.kind != "request"])
    assert PARTY.name not in papers and "专家" not in papers


def test_two_fields_of_the_seats_and_one_employer_are_told_by_opaque_words(records, tmp_path):
    fill(records)
    both = {"specialty": [{"code": code, "edition": "gz-2026-1", "raw": code} for code in ("W03", "A03", "N01")]}
    firm = {"employer": "示例大学", "employer_uscc": made_uscc(901)}
    enter(records, (row(EVEN, **firm), parts(EVEN, **both)), (row(104, **firm), parts(104)))
    desk = home(records, tmp_path)
    draw_id = frozen(desk)
    first, second = (listed(desk, f"e-{n:05d}", draw_id) for n in (EVEN, 104))
    assert first["specialties"] == ["A03", "W03"] and first["employer"] == second["employer"]
    assert (
        len({one["employer"] for one in rounds.list_of(desk, expert_drawbook.draw(records, draw_id))["candidates"]})
        == 25
    )


def test_the_cross_bureau_rule_is_applied_by_configuration(records, tmp_path):
    fill(records, 40)
    desk = home(records, tmp_path, cross_bureau_rule="exclude-own-side", candidate_ratio=1)
    draw_id = frozen(desk)
    entries = rounds.list_of(desk, expert_drawbook.draw(records, draw_id))["candidates"]
    assert {(one["side"], tuple(one["reasons"])) for one in entries} == {
        ("beibei", ("other_bureau_rule",)),
        ("mianyang", ()),
    }


def test_a_person_who_gave_an_opinion_on_the_matter_is_out_of_its_redraw(records, tmp_path):
    from expert_registry.draw.requests import Redraw
    from records import expert_seats
    from records.expert_seats import SeatChange

    fill(records)
    desk = home(records, tmp_path)
    draw_id = published(desk)
    sitting = opening.names(desk, draw_id, LOOKER, T0 + 10 * DAY)
    told = {"draw_id": draw_id, "expert_id": sitting[0].expert.expert_id, "by": "sun", "code": "", "reason": ""}
    for state, before in (("invited", "drawn"), ("accepted", "invited"), ("attended", "accepted"),
                          ("opinion_signed", "attended"), ("replaced", "opinion_signed")):  # fmt: skip
        change = SeatChange(**told, at=T0 + 10 * DAY + HOUR, state=state, document="")
        expert_seats.change_seat(records, change, only_from=[before])
    again = Redraw(draw_id, "too-few-accepted", "两人谢绝")
    later = dataclasses.replace(asked(), opens_at=T0 + 14 * DAY)
    draw = desks.request(desk, later, by="li", at=T0 + 11 * DAY, redraw=again)
    freezing.freeze(desk, draw.draw_id, by="wang", at=T0 + 11 * DAY, approves={"redraw": "同意"})
    assert listed(desk, sitting[0].expert.expert_id, draw.draw_id)["reasons"] == ["prior_opinion_on_same_matter"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_list_of_four_thousand_is_frozen_and_drawn_from_in_seconds(records, tmp_path, database_url):
    """As many as two fields have in a pool of 100,000; the bound is far above what it takes (0.8 s and 0.3 s)."""
    import time

    enter(records, *((row(n), parts(n)) for n in range(1, 4_001)))
    desk = home(records, tmp_path)
    draw = desks.request(desk, asked(), by="li", at=T0)
    before = time.process_time()
    freezing.freeze(desk, draw.draw_id, by="wang", at=T0 + HOUR)
    assert time.process_time() - before < 8
    assert len(rounds.list_of(desk, expert_drawbook.draw(records, draw.draw_id))["candidates"]) == 4_000
