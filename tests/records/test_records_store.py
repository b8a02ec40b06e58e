"""Batches on their road, the order of publications, what is remembered of tables, files and verdicts."""

import hashlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from records.chain import verify_chain
from records.errors import IllegalState, UnknownBatch
from records.store import DataFile, Records

PROJECT = Path(__file__).resolve().parents[2]
MINUTE = timedelta(minutes=1)
AIR = {"table": "air_observation", "version": 3, "added": 136, "corrected": 0, "unchanged": 0}


def test_a_received_file_is_found_by_its_id_and_by_its_receipt(records, hand_in, now):
    batch, repeated = hand_in("1414A,35")
    assert not repeated
    assert batch.state == "received" and batch.bureau == "beibei" and batch.bytes == 8
    assert batch.sha256 == hashlib.sha256(b"1414A,35").hexdigest()
    assert batch.received_at == now and batch.received_at.tzinfo == UTC
    assert records.batch(batch.batch_id) == records.batch(batch.receipt_number) == batch


def test_a_number_nobody_has_is_refused_by_name(records):
    with pytest.raises(UnknownBatch, match="b-20260401-000000000000"):
        records.batch("b-20260401-000000000000")


def test_receipt_numbers_cannot_be_counted_up(hand_in):
    numbers = [hand_in(f"file {i}")[0].receipt_number for i in range(20)]
    assert len({number.rsplit("-")[-1] for number in numbers}) == 20
    assert numbers != sorted(numbers)
    assert all(number.startswith("Rbeibei-20260401-") for number in numbers)


def test_the_same_bytes_give_the_first_receipt_and_an_event(records, hand_in):
    first, _ = hand_in("1414A,35")
    second, repeated = hand_in("1414A,35")
    assert repeated and second == first
    assert [event.kind for event in records.events(batch_id=first.batch_id)] == ["received", "repeated"]


def test_the_same_bytes_of_another_bureau_are_another_batch(hand_in):
    ours, _ = hand_in("1414A,35", bureau="beibei")
    theirs, repeated = hand_in("1414A,35", bureau="mianyang")
    assert not repeated and theirs.batch_id != ours.batch_id


def test_a_refused_file_is_tried_again_only_under_new_rules(records, hand_in, now):
    first, _ = hand_in("1414A,35")
    records.advance(first.batch_id, "refused", now, error={"code": "unknown-column"})
    assert hand_in("1414A,35") == (records.batch(first.batch_id), True)
    second, repeated = hand_in("1414A,35", rules="sha256:two")
    assert not repeated and second.batch_id != first.batch_id
    assert [batch.batch_id for batch in records.batches_of_hash(first.sha256)] == [second.batch_id, first.batch_id]


def test_a_file_refused_as_another_dataset_is_tried_again(records, hand_in, now):
    wrong, _ = hand_in("1414A,35", dataset="water")
    records.advance(wrong.batch_id, "refused", now, error={"code": "unknown-layout"})
    right, repeated = hand_in("1414A,35")
    assert not repeated
    records.advance(right.batch_id, "read", now, dataset="air")
    assert hand_in("1414A,35", dataset="air") == (records.batch(right.batch_id), True)


def test_the_layout_asked_for_is_kept_beside_the_layout_found(records, hand_in, now):
    batch, _ = hand_in("1414A,35", layout_asked="air_hourly")
    assert (batch.layout_asked, batch.layout) == ("air_hourly", None)
    read = records.advance(batch.batch_id, "read", now, layout="air_template")
    assert (read.layout_asked, read.layout) == ("air_hourly", "air_template")
    assert '"layout_asked":"air_hourly"' in records.events()[0].payload
    assert hand_in("1414A,35", layout_asked="water") == (read, True), "the same bytes are a repeat"
    assert hand_in("else")[0].layout_asked is None


def test_what_a_batch_covers_is_kept(records, hand_in, judged, now):
    assert hand_in("else")[0].covers == {}
    batch = judged()
    covers = {"2026-03-31": [24, 23, (1 << 24) - 1], "2026-04-01": [1, 0, 0]}
    records.begin_publication(batch.batch_id, now)
    assert records.finish_publication(batch.batch_id, [], [], now, covers=covers).covers == covers
    assert records.batch(batch.batch_id).covers == covers


def test_batches_are_found_by_when_they_came_and_who_brought_them(records, now):
    def take(number: int, by: str) -> str:
        at = now + number * MINUTE
        return records.receive("beibei", "a.csv", f"{number:064}", "0" * 64, 1, at, by, "r")[0].batch_id

    names = ["night:beibei/air", "op-1", "night:beibei/water", "night_beibei/air"]
    came = [take(number, by) for number, by in enumerate(names)]
    assert [batch.batch_id for batch in records.batches_between(now, now + 2 * MINUTE)] == came[:2]
    found = records.batches_between(now, now + 9 * MINUTE, "night:beibei/")
    assert [batch.batch_id for batch in found] == [came[0], came[2]]
    assert len(records.batches_between(now, now + 9 * MINUTE, "night_")) == 1


def test_a_hundred_repeats_at_once_make_one_batch(records, hand_in):
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: hand_in("1414A,35"), range(100)))
    assert len({batch.batch_id for batch, _ in answers}) == 1
    assert sum(not repeated for _, repeated in answers) == 1
    assert len(records.batches()) == 1
    assert len(records.events()) == 100
    assert verify_chain(records).ok


def test_names_that_no_database_takes_are_kept_as_escapes(records, now):
    batch, _ = records.receive("beibei", "a\0b\udcff.csv", "0" * 64, "0" * 64, 0, now, "op", "r")
    assert records.batch(batch.batch_id).file_name == "a\\x00b\\udcff.csv"
    records.advance(batch.batch_id, "refused", now, error={"code": "x", "message": "值 '\ud800\0' 有误"})
    assert records.batch(batch.batch_id).error["message"].startswith("值 '")


def test_each_state_is_kept_with_its_time(records, judged, now):
    batch = judged()
    records.begin_publication(batch.batch_id, now)
    records.finish_publication(batch.batch_id, [AIR], [], now + MINUTE)
    assert [(change.state, change.at) for change in records.states(batch.batch_id)] == [
        ("received", now),
        ("read", now),
        ("judged", now),
        ("published", now + MINUTE),
    ]
    assert [event.kind for event in records.events()] == ["received", "read", "judged", "published"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((), "judged"),
        ((), "published"),
        (("read",), "published"),
        (("read",), "received"),
        (("read", "judged"), "read"),
        (("refused",), "read"),
        (("read", "judged", "refused"), "published"),
    ],
)
def test_a_state_cannot_be_skipped_or_taken_back(records, hand_in, now, before, after):
    batch, _ = hand_in()
    for state in before:
        records.advance(batch.batch_id, state, now)
    with pytest.raises(IllegalState, match=after):
        records.advance(batch.batch_id, after, now)
    assert len(records.events()) == 1 + len(before)


def test_the_same_state_again_makes_no_second_event(records, hand_in, now):
    batch, _ = hand_in()
    first = records.advance(batch.batch_id, "read", now, layout="air_template")
    assert records.advance(batch.batch_id, "read", now + MINUTE, layout="air_template") == first
    assert records.advance(batch.batch_id, "read", now + MINUTE) == first
    assert len(records.events()) == 2 and len(records.states(batch.batch_id)) == 2


def test_judged_again_after_a_crash_under_new_rules_keeps_the_new_counts(records, judged, now):
    batch = judged()
    again = records.advance(batch.batch_id, "judged", now, rows={"read": 1, "clean": 0}, rules_hash="sha256:two")
    assert again.rows == {"read": 1, "clean": 0} and again.rules_hash == "sha256:two"
    assert [event.kind for event in records.events()] == ["received", "read", "judged", "judged"]


def test_a_refused_batch_keeps_what_it_was_refused_for(records, hand_in, now):
    batch, _ = hand_in()
    error = {"code": "unknown-column", "message": "未知列", "message_en": "unknown", "row": None, "column": "N"}
    records.advance(batch.batch_id, "refused", now, error=error)
    assert records.advance(batch.batch_id, "refused", now, error={"code": "other"}).error == error


def test_a_field_no_batch_has_is_a_mistake_of_the_caller(records, hand_in, now):
    batch, _ = hand_in()
    with pytest.raises(TypeError, match="colour"):
        records.advance(batch.batch_id, "read", now, colour="red")
    assert records.batch(batch.batch_id).state == "received"


def test_a_time_without_zone_is_refused(records, hand_in):
    batch, _ = hand_in()
    with pytest.raises(Exception, match="without zone"):
        records.advance(batch.batch_id, "read", datetime(2026, 4, 1))
    assert records.batch(batch.batch_id).state == "received"


def test_times_come_back_in_utc_to_the_microsecond(records, hand_in):
    batch, _ = hand_in()
    china = datetime(2026, 4, 1, 8, 0, 0, 123456, timezone(timedelta(hours=8)))
    records.advance(batch.batch_id, "read", china)
    at = records.states(batch.batch_id)[-1].at
    assert at == china and at.tzinfo == UTC and at.microsecond == 123456


def test_batches_on_the_road_are_taken_up_oldest_first(records, hand_in, judged, now):
    done = judged("done")
    records.begin_publication(done.batch_id, now)
    records.finish_publication(done.batch_id, [], [], now)
    held = judged("held")
    records.advance(held.batch_id, "held", now)
    left = [judged("judged").batch_id, hand_in("received")[0].batch_id]
    assert sorted(batch.batch_id for batch in records.unfinished()) == sorted(left)
    assert [batch.batch_id for batch in records.batches(state="held")] == [held.batch_id]


def test_publications_are_numbered_and_later_than_each_other_though_the_clock_goes_back(records, judged, now):
    batches = [judged(text) for text in ("a", "b", "c")]
    clock = [now, now - MINUTE, now - MINUTE]
    made = [records.begin_publication(batch.batch_id, at) for batch, at in zip(batches, clock, strict=True)]
    assert [publication.sequence for publication in made] == [1, 2, 3]
    assert [publication.recorded_at - now for publication in made] == [timedelta(microseconds=i) for i in range(3)]


def test_a_publication_begun_twice_keeps_its_place(records, judged, now):
    batch = judged()
    first = records.begin_publication(batch.batch_id, now)
    assert records.begin_publication(batch.batch_id, now + MINUTE) == first
    assert records.batch(batch.batch_id).sequence == 1
    assert records.publications() == [] and records.publications(unfinished=True) == [first]


def test_publications_begun_at_once_get_one_place_each(records, judged, now):
    batches = [judged(f"file {i}").batch_id for i in range(12)]
    with ThreadPoolExecutor(12) as pool:
        made = list(pool.map(lambda batch: records.begin_publication(batch, now), batches * 2))
    assert sorted({publication.sequence for publication in made}) == list(range(1, 13))
    assert len({publication.recorded_at for publication in made}) == 12


def test_only_a_judged_batch_is_published(records, hand_in, now):
    batch, _ = hand_in()
    with pytest.raises(IllegalState, match="received"):
        records.begin_publication(batch.batch_id, now)
    with pytest.raises(IllegalState, match="never begun"):
        records.finish_publication(batch.batch_id, [AIR], [], now)


def test_a_finished_publication_keeps_versions_and_files_and_is_finished_once(records, judged, now):
    batch = judged()
    begun = records.begin_publication(batch.batch_id, now)
    old = DataFile("air_observation", "month=2026-04/old.parquet", "a" * 64, 10)
    new = DataFile("air_observation", "month=2026-04/new.parquet", "b" * 64, 20)
    records.add_files([old], now)
    retired = [("air_observation", old.path)]
    done = records.finish_publication(batch.batch_id, [AIR], [new], now + MINUTE, retired=retired)
    assert done.state == "published" and done.tables == [AIR] and done.recorded_at == begun.recorded_at
    assert records.files("air_observation") == [new]
    assert records.files(retired=True) == [new, old]
    assert [(v.version, v.added, v.batch_id) for v in records.table_versions("air_observation")] == [
        (3, 136, batch.batch_id)
    ]
    nothing = {**AIR, "added": 0, "unchanged": 136}
    assert records.finish_publication(batch.batch_id, [nothing], [], now) == done
    assert len(records.events()) == 4


def test_a_failed_finish_leaves_nothing_behind(records, judged, now):
    batch = judged()
    records.begin_publication(batch.batch_id, now)
    broken = DataFile("air_observation", "x.parquet", "c" * 64, None)
    with pytest.raises(Exception, match="(?i)null"):
        records.finish_publication(batch.batch_id, [AIR], [broken], now)
    assert records.batch(batch.batch_id).state == "judged"
    assert records.files() == [] and records.table_versions() == [] and len(records.events()) == 3


def test_publications_are_listed_in_order_after_a_number(records, judged, now):
    batches = [judged(text).batch_id for text in ("a", "b", "c")]
    for batch in batches:
        records.begin_publication(batch, now)
    for batch in reversed(batches):
        records.finish_publication(batch, [], [], now)
    assert [publication.batch_id for publication in records.publications()] == batches
    assert [publication.sequence for publication in records.publications(after=1)] == [2, 3]


def test_both_verdicts_stay_when_a_batch_is_judged_under_new_rules(records, judged, now):
    batch = judged()
    records.add_verdict(batch.batch_id, "sha256:one", now, {"read": 2, "clean": 2}, {"read": 4}, "one.parquet")
    records.add_verdict(batch.batch_id, "sha256:two", now + MINUTE, {"read": 2, "clean": 1}, {"read": 4})
    records.add_verdict(batch.batch_id, "sha256:two", now + MINUTE, {"read": 2, "clean": 1}, {"read": 4})
    kept = records.verdicts(batch.batch_id)
    assert [(v.rules_hash, v.rows["clean"], v.findings_path) for v in kept] == [
        ("sha256:one", 2, "one.parquet"),
        ("sha256:two", 1, None),
    ]
    assert [event.kind for event in records.events(after=3)] == ["verdict", "verdict"]


def test_the_records_open_without_alembic_and_cryptography_once_they_are_set_up(records, database_url):
    code = (
        "import sys; from records.store import Records; Records.open(sys.argv[1]).unfinished();"
        "print([name for name in ('alembic', 'cryptography', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, database_url], capture_output=True, text=True, check=True, cwd=PROJECT
    )
    assert done.stdout.strip() == "[]"


def test_two_openings_see_the_same_records(records, database_url, hand_in):
    batch, _ = hand_in()
    with Records.open(database_url) as other:
        assert other.batch(batch.batch_id) == batch
