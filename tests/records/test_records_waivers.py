"""Waivers, answers and releases: each has a reason, an author and an end."""

from dataclasses import replace
from datetime import timedelta

import pytest

from records.chain import verify_chain
from records.errors import IncompleteWaiver
from records.waivers import (
    Answer,
    Release,
    Waiver,
    answers,
    end_waiver,
    grant_waiver,
    release_results,
    releases,
    save_answers,
    waivers,
)

DAY = timedelta(days=1)


@pytest.fixture
def flood(now):
    """A waiver for a flood week at one section."""
    return Waiver("WATER-031", "beibei", "BBW01", now - 7 * DAY, now, "洪水期浊度异常", "chief", now + 30 * DAY, now)


def test_a_waiver_is_in_force_from_when_it_is_made_until_it_expires(records, flood, now):
    kept = grant_waiver(records, flood)
    assert replace(kept, id=None) == flood and kept.id is not None
    assert waivers(records, at=now) == [kept]
    assert waivers(records, at=now - DAY) == [] and waivers(records, at=now + 30 * DAY) == []
    assert waivers(records, bureau="mianyang") == [] and waivers(records, rule="WATER-031") == [kept]


def test_a_waiver_can_be_ended_once(records, flood, now):
    kept = grant_waiver(records, flood)
    end_waiver(records, kept.id, "chief", now + DAY)
    assert waivers(records, at=now + 2 * DAY) == [] and len(waivers(records)) == 1
    with pytest.raises(IncompleteWaiver, match=str(kept.id)):
        end_waiver(records, kept.id, "chief", now + 2 * DAY)
    assert [event.kind for event in records.events()] == ["waiver-granted", "waiver-ended"]


@pytest.mark.parametrize(
    "wrong",
    [{"reason": " "}, {"author": ""}, {"until": "since"}, {"expires": "created_at"}],
    ids=lambda w: next(iter(w)),
)
def test_a_waiver_without_reason_author_or_end_is_refused(records, flood, wrong):
    name, value = next(iter(wrong.items()))
    broken = replace(flood, **{name: getattr(flood, value, value)})
    with pytest.raises(IncompleteWaiver):
        grant_waiver(records, broken)
    assert waivers(records) == [] and records.events() == []


def test_an_answer_is_found_by_the_value_it_explains_and_replaced_by_a_newer(records, hand_in, now):
    batch, _ = hand_in()
    first = Answer("beibei", "AIR-041", "1414A 2026-04-01T04:00+08:00", "O3", "380", "臭氧污染过程", "op", None, now)
    assert save_answers(records, [first]) == 1
    assert save_answers(records, [first]) == 0
    second = replace(first, text="已复核仪器", batch_id=batch.batch_id, created_at=now + DAY)
    assert save_answers(records, [second, replace(first, value="390")]) == 2
    kept = answers(records, "beibei")
    assert kept[("AIR-041", first.key, "O3", "380")] == second and len(kept) == 2
    assert answers(records, "mianyang") == {}


def test_a_long_value_and_key_can_be_answered(records, now):
    long = Answer("beibei", "AIR-041", "点" * 5000, "标题" * 500, "值" * 5000, "长", "op", None, now)
    assert save_answers(records, [long]) == 1
    assert list(answers(records, "beibei").values()) == [long]


def test_a_release_names_reviewer_and_reason_and_is_kept_once(records, judged, now):
    batch = judged()
    wanted = [Release(batch.batch_id, 15, "D", "原始记录核对无误", "reviewer", now)]
    assert release_results(records, wanted) == 1
    assert release_results(records, wanted) == 0
    assert [replace(kept, id=None) for kept in releases(records, batch.batch_id)] == wanted
    with pytest.raises(IncompleteWaiver):
        release_results(records, [replace(wanted[0], source_row=16), replace(wanted[0], source_row=17, reason="")])
    assert len(releases(records, batch.batch_id)) == 1


def test_the_chain_holds_no_free_text(records, flood, judged, now):
    grant_waiver(records, flood)
    batch = judged()
    release_results(records, [Release(batch.batch_id, 15, "D", "张三 13800138000", "reviewer", now)])
    save_answers(records, [Answer("beibei", "AIR-041", "k", "h", "v", "李四 500109199001011234", "op", None, now)])
    said = "".join(event.payload for event in records.events())
    assert not any(word in said for word in ("洪水", "张三", "13800138000", "李四", "空气.csv"))
    assert verify_chain(records).ok
