"""The chain of events: what any change does to it, many writers, many pages."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, text

from records import models
from records.chain import GENESIS, PAGE, canonical, link, sm3_hex, verify_chain
from records.seals import checkpoint, seal_day

DAY = timedelta(days=1)


@pytest.fixture
def ten(records, now):
    """A chain of ten events."""
    for number in range(10):
        records.append("looked-up", now, "beibei", None, {"line": number})
    return records


def change(records, *statements):
    with records.database.write() as connection:
        for statement in statements:
            connection.execute(text(statement))


def rewrite_from(records, first):
    """Hash the events from a number on anew, head and all, as somebody with rights on the database could."""
    with records.database.write() as connection:
        rows = connection.execute(models.event.select().order_by(models.event.c.seq)).all()
        connection.execute(models.event.delete())
        sha256 = sm3 = GENESIS
        for number, row in enumerate(rows, start=1):
            values = dict(row._mapping) | {"seq": number}
            if number >= first:
                values |= {"previous": sha256, "previous_sm3": sm3}
                told = [values[name] for name in ("seq", "at", "kind", "bureau", "batch_id", "payload")]
                values["sha256"], values["sm3"] = link(*told, sha256, sm3)
            connection.execute(insert(models.event).values(values))
            sha256, sm3 = values["sha256"], values["sm3"]
        connection.execute(models.chain_head.update().values(seq=len(rows), sha256=sha256, sm3=sm3))


def test_sm3_of_abc_is_the_vector_of_the_standard():
    assert sm3_hex(b"abc") == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"


def test_sm3_is_the_same_without_openssl(monkeypatch):
    def lacking(name, data=b""):
        raise ValueError(name)

    monkeypatch.setattr("records.chain.hashlib.new", lacking)
    assert sm3_hex(b"abc") == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"


def test_canonical_json_is_sorted_unescaped_and_without_blanks():
    assert canonical({"b": [1, None, True], "a": "点位"}) == '{"a":"点位","b":[1,null,true]}'


@pytest.mark.parametrize("value", [1.0, {"a": [0.5]}, {1: "a"}, float("nan"), b"x", {"a": {2}}])
def test_what_has_more_than_one_spelling_is_not_sealed(value):
    with pytest.raises(TypeError):
        canonical(value)


@given(st.dictionaries(st.text(), st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=20))))
def test_canonical_json_does_not_depend_on_the_order_of_the_keys(value):
    assert canonical(value) == canonical(dict(reversed(list(value.items()))))


def test_an_untouched_chain_is_whole(ten):
    report = verify_chain(ten)
    assert report.ok and report.events == 10 and report.first_bad is None and report.clock_back == ()


def test_an_empty_chain_is_whole(records):
    assert verify_chain(records).ok


def test_an_altered_event_is_named_whatever_was_altered(ten):
    for event in (ten.events(after=seq - 1, limit=1)[0] for seq in (1, 5, 10)):
        for column in ("payload", "kind", "bureau", "previous", "sha256", "sm3", "previous_sm3"):
            row = models.event.update().where(models.event.c.seq == event.seq)
            with ten.database.write() as connection:
                connection.execute(row.values({column: "f" * 40}))
            report = verify_chain(ten)
            assert not report.ok and report.first_bad == event.seq, (event.seq, column)
            assert f"{event.seq} 号" in report.reason_zh and str(event.seq) in report.reason_en
            with ten.database.write() as connection:
                connection.execute(row.values({column: getattr(event, column)}))
    assert verify_chain(ten).ok


def test_a_changed_time_is_named(ten, now):
    with ten.database.write() as connection:
        moved = now + timedelta(microseconds=1)
        connection.execute(models.event.update().where(models.event.c.seq == 4).values(at=moved))
    assert verify_chain(ten).first_bad == 4


@pytest.mark.parametrize("seq", [1, 5, 10])
def test_a_deleted_event_is_named(ten, seq):
    change(ten, f"DELETE FROM event WHERE seq = {seq}")
    assert verify_chain(ten).first_bad == seq


def test_a_cut_tail_is_named(ten):
    change(ten, "DELETE FROM event WHERE seq > 6")
    assert verify_chain(ten).first_bad == 7


def test_events_in_another_order_are_named(ten):
    change(
        ten,
        "UPDATE event SET seq = 99 WHERE seq = 3",
        "UPDATE event SET seq = 3 WHERE seq = 7",
        "UPDATE event SET seq = 7 WHERE seq = 99",
    )
    assert verify_chain(ten).first_bad == 3


def test_an_inserted_event_is_named(ten, now):
    with ten.database.write() as connection:
        row = connection.execute(models.event.select().where(models.event.c.seq == 10)).one()
        connection.execute(insert(models.event).values(dict(row._mapping) | {"seq": 11}))
    assert verify_chain(ten).first_bad == 11
    change(ten, "UPDATE event SET seq = seq + 100 WHERE seq >= 6", "UPDATE event SET seq = 6 WHERE seq = 111")
    assert verify_chain(ten).first_bad == 6


def test_an_event_replaced_by_one_with_its_own_right_hash_is_named(ten):
    before = ten.events(after=4, limit=1)[0]
    told = (before.at, before.kind, before.bureau, before.batch_id, '{"line":99}')
    sha256, sm3 = link(5, *told, before.previous, before.previous_sm3)
    values = {"payload": told[-1], "sha256": sha256, "sm3": sm3}
    with ten.database.write() as connection:
        connection.execute(models.event.update().where(models.event.c.seq == 5).values(values))
    assert verify_chain(ten).first_bad == 5


def test_a_head_that_was_set_back_is_noticed(ten):
    event = ten.events(after=7, limit=1)[0]
    change(ten, f"UPDATE chain_head SET seq = 8, sha256 = '{event.sha256}', sm3 = '{event.sm3}'")
    assert verify_chain(ten).first_bad == 9


def test_a_missing_head_is_noticed(ten):
    change(ten, "DELETE FROM chain_head")
    assert not verify_chain(ten).ok


def test_a_chain_hashed_anew_does_not_fit_its_seal(ten, signer, now):
    seal_day(ten, now.date(), now + DAY, signer)
    ten.append("looked-up", now + DAY)
    change(ten, "UPDATE event SET payload = '{}' WHERE seq = 3")
    rewrite_from(ten, 3)
    report = verify_chain(ten)
    assert not report.ok and report.first_bad == 1 and "10" in report.reason_en


def test_a_tail_cut_with_its_head_is_found_by_the_seal(ten, signer, now):
    seal_day(ten, now.date(), now + DAY, signer)
    event = ten.events(after=5, limit=1)[0]
    change(
        ten,
        "DELETE FROM event WHERE seq > 6",
        f"UPDATE chain_head SET seq = 6, sha256 = '{event.sha256}', sm3 = '{event.sm3}'",
    )
    assert verify_chain(ten).first_bad == 7


def test_a_chain_made_anew_with_its_seals_does_not_fit_the_checkpoint_of_the_other_bureau(ten, signer, now):
    seal_day(ten, now.date(), now + DAY, signer)
    held = checkpoint(ten)
    change(ten, "UPDATE event SET payload = '{}' WHERE seq = 3", "DELETE FROM seal")
    rewrite_from(ten, 3)
    seal_day(ten, now.date(), now + DAY, signer)
    assert verify_chain(ten).ok
    report = verify_chain(ten, checkpoints=[held])
    assert not report.ok and report.first_bad == 1


def test_a_clock_set_back_is_flagged_and_the_numbers_go_on(ten, now):
    ten.append("looked-up", now - DAY)
    report = verify_chain(ten)
    assert report.ok and report.events == 11 and report.clock_back == (11,)


def test_fifty_writers_make_no_fork(records, now):
    with ThreadPoolExecutor(50) as pool:
        places = list(pool.map(lambda i: records.append("looked-up", now, payload={"line": i}), range(200)))
    assert sorted(place.seq for place in places) == list(range(1, 201))
    assert verify_chain(records).ok and records.head().seq == 200


def test_a_chain_being_written_to_verifies_meanwhile(records, now):
    with ThreadPoolExecutor(4) as pool:
        writing = [pool.submit(records.append, "looked-up", now) for _ in range(100)]
        reports = [verify_chain(records) for _ in range(10)]
        for done in writing:
            done.result()
    assert all(report.ok for report in reports)


def test_a_chain_longer_than_a_page_verifies_to_its_end(records, now):
    sha256 = sm3 = GENESIS
    rows = []
    for seq in range(1, 2 * PAGE + 6):
        told = (seq, now, "published", "beibei", "b-20260401-0123456789ab", canonical({"rows": {"read": seq}}))
        made = link(*told, sha256, sm3)
        names = ("seq", "at", "kind", "bureau", "batch_id", "payload", "previous", "previous_sm3", "sha256", "sm3")
        rows.append(dict(zip(names, (*told, sha256, sm3, *made), strict=True)))
        sha256, sm3 = made
    with records.database.write() as connection:
        connection.execute(insert(models.event), rows)
        connection.execute(models.chain_head.update().values(seq=len(rows), sha256=sha256, sm3=sm3))
    assert verify_chain(records).events == 2 * PAGE + 5
    for seq in (PAGE + 1, PAGE, 1):
        change(records, f"UPDATE event SET kind = 'held' WHERE seq = {seq}")
        assert verify_chain(records).first_bad == seq
