"""Deliveries of a bureau a page at a time, on each kind of database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from records.batch_pages import Wanted, batches_before

NOON = datetime(2026, 4, 9, 4, tzinfo=UTC)


def receive(records, bureau, n, at):
    digest = f"{n:064x}"
    return records.receive(bureau, f"{n}.csv", digest, digest, 10, at, "tests", "rules")[0]


def walked(records, wanted, limit):
    """All pages, each from behind the last one of the page before."""
    found, mark = [], None
    while page := batches_before(records, wanted, mark, limit):
        found += page
        mark = (page[-1].received_at, page[-1].batch_id)
    return found


def test_pages_hold_each_delivery_once_also_those_of_one_moment(records):
    made = [receive(records, "beibei", n, NOON + timedelta(seconds=n // 4)) for n in range(10)]
    receive(records, "mianyang", 99, NOON)
    wanted = Wanted("beibei")
    for limit in (1, 3, 4, 20):
        found = walked(records, wanted, limit)
        assert sorted(one.batch_id for one in found) == sorted(one.batch_id for one in made)
        assert [one.received_at for one in found] == sorted((one.received_at for one in made), reverse=True)


def test_what_comes_in_meanwhile_shifts_nothing(records):
    for n in range(4):
        receive(records, "beibei", n, NOON + timedelta(seconds=n))
    first = batches_before(records, Wanted("beibei"), None, 2)
    receive(records, "beibei", 50, NOON + timedelta(hours=1))
    then = batches_before(records, Wanted("beibei"), (first[-1].received_at, first[-1].batch_id), 10)
    assert [one.file_name for one in (*first, *then)] == ["3.csv", "2.csv", "1.csv", "0.csv"]


def test_the_choice_holds_on_every_page(records):
    for n in range(6):
        receive(records, "beibei", n, NOON + timedelta(seconds=n))
    assert [one.file_name for one in walked(records, Wanted("beibei", text="3.csv"), 2)] == ["3.csv"]
    assert walked(records, Wanted("beibei", state="refused"), 2) == []
