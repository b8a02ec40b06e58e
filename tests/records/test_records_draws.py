"""The book of the draws: numbers without a gap, papers written once, states in their order."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import delete, insert, update

from records import expert_drawbook as book
from records import expert_draws as draws
from records.chain import verify_chain
from records.errors import IllegalState, UnknownDraw
from records.expert_models import expert_draw, expert_draw_paper, expert_draw_secret
from records.store import Records

AT = datetime(2026, 4, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def paper(kind="list", part="", told=None, **document):
    return draws.NewPaper(kind, part, document or {"x": 1}, "draw-frozen", told or {})


def opened(records, request="r-1", at=AT, replaces="", bureau="beibei", fail=False):
    def make(draw_id, sequence):
        if fail:
            raise RuntimeError("stopped")
        body = {"draw": draw_id, "sequence": sequence}
        first = draws.NewPaper("request", "", body, "draw-requested", {"request": request})
        return draws.Opening("涪江", date(2026, 4, 20), "sealed", {"kind": "draw", "home": True}, [first])

    return draws.open_draw(
        records, request_id=request, bureau=bureau, at=at, by="li", replaces=replaces,
        reason="too-few-accepted: …" if replaces else "", make=make,
    )  # fmt: skip


def test_numbers_run_by_bureau_and_year_and_a_failed_request_takes_none(records):
    first = opened(records)
    with pytest.raises(RuntimeError):
        opened(records, "r-2", fail=True)
    numbers = [opened(records, f"r-{n}", bureau=bureau).draw_id for n, bureau in ((3, "beibei"), (4, "mianyang"))]
    assert [first.draw_id, *numbers] == ["beibei-2026-0001", "beibei-2026-0002", "mianyang-2026-0001"]
    assert book.check_numbers(records) == [] and verify_chain(records).ok


def test_many_at_once_get_every_number_once(records, database_url):
    def ask(name):
        with Records.open(database_url) as mine:
            for n in range(4):
                opened(mine, f"r-{name}-{n}")

    threads = [threading.Thread(target=ask, args=(name,)) for name in range(5)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(one.number for one in book.draws(records)) == list(range(1, 21))
    assert book.check_numbers(records) == [] and verify_chain(records).ok


def test_a_further_draw_of_a_request_names_the_newest_one(records):
    first = opened(records)
    for wrong in ("", "beibei-2026-0009"):
        with pytest.raises(IllegalState):
            opened(records, replaces=wrong)
    second = opened(records, replaces=first.draw_id)
    with pytest.raises(IllegalState):
        opened(records, replaces=first.draw_id)
    assert (second.sequence, second.replaces) == (2, first.draw_id)
    assert [one.sequence for one in book.draws(records, request_id="r-1")] == [1, 2]


def test_a_clock_set_back_opens_nothing_and_writes_nothing(records):
    first = opened(records)
    opened(records, "r-2", at=AT - timedelta(seconds=30))
    with pytest.raises(IllegalState):
        opened(records, "r-3", at=AT - HOUR)
    with pytest.raises(IllegalState):
        draws.add_papers(records, first.draw_id, [paper()], at=AT - HOUR, by="wang")
    assert len(book.papers(records, first.draw_id)) == 1


def test_a_paper_is_written_once_with_its_hash_on_the_chain(records):
    first = opened(records)
    draws.add_papers(records, first.draw_id, [paper(x=1)], at=AT + HOUR, by="wang", state="frozen", list_hash="ab")
    before = records.head()
    again = draws.add_papers(records, first.draw_id, [paper(x=1)], at=AT, by="zhao", state="frozen")
    assert records.head() == before and (again.state, again.list_hash) == ("frozen", "ab")
    with pytest.raises(IllegalState, match="不得改写"):
        draws.add_papers(records, first.draw_id, [paper(x=2)], at=AT + HOUR, by="wang")
    event = records.events()[-1]
    assert draws.paper_hash({"x": 1}) in event.payload and event.kind == "draw-frozen"
    assert book.papers(records, first.draw_id, "list")[0].by == "wang"


def test_papers_secret_and_state_come_together_or_not_at_all(records):
    first = opened(records)
    bad = paper("exclusions", x=1.5)
    with pytest.raises(TypeError):
        draws.add_papers(
            records, first.draw_id, [paper(), bad], at=AT, by="w", state="frozen", secret=("beibei", "v1:x")
        )
    assert book.draw(records, first.draw_id).state == "requested"
    assert [one.kind for one in book.papers(records, first.draw_id)] == ["request"]
    assert book.sealed_secret(records, first.draw_id, "beibei") is None
    draws.add_papers(records, first.draw_id, [paper()], at=AT, by="w", secret=("beibei", "v1:x"))
    assert book.sealed_secret(records, first.draw_id, "beibei") == "v1:x"


def test_states_go_only_where_they_lead(records):
    first = opened(records)
    for state in ("committed", "drawn", "published", "called"):
        with pytest.raises(IllegalState):
            draws.add_papers(records, first.draw_id, [], at=AT, by="w", state=state)
    draws.add_papers(records, first.draw_id, [], at=AT, by="w", state="abandoned")
    for state in set(draws.MOVES) - {"abandoned"}:
        with pytest.raises(IllegalState):
            draws.add_papers(records, first.draw_id, [], at=AT, by="w", state=state)
    with pytest.raises(UnknownDraw):
        book.draw(records, "beibei-2026-0099")


def test_a_draw_paper_or_number_that_was_meddled_with_is_found(records):
    names = [opened(records, f"r-{n}").draw_id for n in range(3)]
    d, p = expert_draw.c, expert_draw_paper.c
    with records.database.write() as connection:
        connection.execute(delete(expert_draw_paper).where(p.draw_id == names[1]))
        connection.execute(delete(expert_draw).where(d.draw_id == names[1]))
        changed = {"draw": names[0], "sequence": 2}
        connection.execute(update(expert_draw_paper).where(p.draw_id == names[0]).values(document=changed))
        values = {"draw_id": names[2], "kind": "list", "part": "", "at": AT, "by": "x", "sha256": "0" * 64}
        connection.execute(insert(expert_draw_paper).values(**values, document={}))
    assert book.check_numbers(records) == [
        "beibei-2026-0002 is missing",
        "beibei-2026-0001 request  is not the paper the chain knows",
        "beibei-2026-0002 request  is not the paper the chain knows",
        "beibei-2026-0003 list  is unknown to the chain",
    ]


def test_the_newest_draw_cannot_disappear_either(records):
    for n in range(2):
        opened(records, f"r-{n}")
    with records.database.write() as connection:
        for table in (expert_draw_paper, expert_draw_secret, expert_draw):
            connection.execute(delete(table).where(table.c.draw_id == "beibei-2026-0002"))
    assert book.check_numbers(records) == ["beibei-2026-0002 request  is not the paper the chain knows"]


def test_a_draw_of_the_other_bureau_keeps_its_number_and_leaves_no_gap_here(records):
    opening = draws.Opening("滨江", date(2026, 4, 20), "", {"kind": "draw", "home": False}, [paper()], "frozen", "ab")
    told = {"request_id": "r-9", "sequence": 1, "bureau": "mianyang", "requested_by": "", "replaces": "", "reason": ""}
    kept = draws.keep_foreign(records, draw_id="mianyang-2026-0007", at=AT, by="courier", opening=opening, **told)
    again = draws.keep_foreign(
        records, draw_id="mianyang-2026-0007", at=AT, by="x", opening=replace(opening, title="另"), **told
    )
    assert kept == again and (kept.number, kept.state, kept.title) == (7, "frozen", "滨江")
    assert book.check_numbers(records) == []
    for wrong in ("mianyang-2026-7", "beibei-2026-0001", "mianyang-x-0001", "mianyang"):
        with pytest.raises(IllegalState):
            draws.keep_foreign(records, draw_id=wrong, at=AT, by="x", opening=opening, **told)
