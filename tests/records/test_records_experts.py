from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import select, update

from records import expert_models as tables
from records import expert_pages as pages
from records.chain import verify_chain
from records.enterprise_ties import (
    EnterpriseHead,
    EnterpriseTie,
    add_enterprise_head,
    add_enterprise_tie,
    end_enterprise_tie,
    enterprise_heads,
    enterprise_ties,
)
from records.errors import IncompleteMessage
from records.expert_access import expert_accesses, record_access
from records.experts import ExpertRow, add_expert, change_expert, changes_hash, expert, set_state, writing
from records.models import event
from records.scripts import person_key
from records.sealing import Sealer


def row(now, order: int = 1, **more) -> ExpertRow:
    name = more.pop("name", f"样例{order:03d}")
    told = {
        "expert_id": f"e-{order:04d}", "bureau": "beibei", "name": name, "name_key": person_key(name),
        "employer": "示例大学", "employer_uscc": "", "title": "教授", "title_rank": "senior", "division": "500109",
        "state": "applied", "identity_kind": "resident", "identity_index": f"{order:064x}", "identity_sealed": "v1:aaa",
        "phone_sealed": "v1:bbb", "identity_mask": "9999**********0009", "phone_mask": "138****0001",
        "entered_at": now, "updated_at": now,
    }  # fmt: skip
    return ExpertRow(**(told | more))


def field(code: str) -> dict[str, str]:
    return {"code": code, "edition": "gz-2026-1", "raw": code}


def names(page: pages.Page) -> list[str]:
    return [one.name for one in page.experts]


def test_an_expert_is_kept_whole_with_its_change_and_event(records, now):
    one = row(now, term_end=date(2028, 1, 1))
    add_expert(records, one, {"specialty": [field("W01")]}, by="op", reason="申报")
    assert expert(records, one.expert_id) == one and expert(records, "e-none") is None
    [change] = pages.changes(records, one.expert_id)
    assert (change.kind, change.by, change.at, change.reason, change.before) == ("entered", "op", now, "申报", {})
    assert change.after["term_end"] == "2028-01-01" and change.after["specialty"] == [field("W01")]
    assert not {"identity_sealed", "phone_sealed", "identity_index"} & set(change.after)


def test_the_event_of_a_change_says_who_and_a_hash_and_no_name(records, now):
    add_expert(records, row(now), by="op")
    with records.database.read() as connection:
        [payload] = connection.execute(select(event.c.payload).where(event.c.kind == "expert-change")).scalars()
        kept = connection.execute(select(tables.expert_change)).mappings().all()
    assert '"expert":"e-0001"' in payload and "样例" not in payload and "v1:" not in payload
    assert changes_hash(kept) in payload, "the hash can be computed again from what is kept"


def test_an_altered_change_no_longer_fits_its_event(records, now):
    add_expert(records, row(now), by="op")
    with records.database.write() as connection:
        connection.execute(update(tables.expert_change).values(reason="anders"))
    with records.database.read() as connection:
        [payload] = connection.execute(select(event.c.payload).where(event.c.kind == "expert-change")).scalars()
        kept = connection.execute(select(tables.expert_change)).mappings().all()
    assert changes_hash(kept) not in payload


def test_an_error_inside_a_transaction_writes_nothing(records, now):
    with pytest.raises(RuntimeError), writing(records, "op", now) as pool:
        pool.add(row(now), {})
        pool.flush()
        raise RuntimeError
    assert expert(records, "e-0001") is None and verify_chain(records).events == 0


def test_a_change_tells_before_and_after_and_no_change_tells_nothing(records, now):
    add_expert(records, row(now), by="op")
    later = now + timedelta(days=1)
    values = {"title": "研究员", "phone_sealed": "v1:ccc"}
    changed = change_expert(records, "e-0001", values, by="op2", at=later)
    assert changed is not None and (changed.title, changed.updated_at, changed.entered_at) == ("研究员", later, now)
    change = pages.changes(records, "e-0001")[-1]
    assert (change.before, change.after) == ({"title": "教授"}, {"title": "研究员", "phone": "sealed anew"})
    change_expert(records, "e-0001", {"title": "研究员"}, by="op2", at=later)
    assert len(pages.changes(records, "e-0001")) == 2
    assert change_expert(records, "e-none", {"title": "x"}, by="op2", at=later) is None


def test_a_state_is_set_only_from_the_states_named(records, now):
    add_expert(records, row(now), by="op")
    assert set_state(records, "e-0001", "checked", by="op", at=now, only_from=["suspended"]) is None
    done = set_state(records, "e-0001", "checked", by="op", at=now, only_from=["applied"])
    assert done is not None and done.state == "checked"


@pytest.fixture
def pool(records, now):
    """Nine experts: two bureaus, three states, some fields; one erased."""
    with writing(records, "op", now) as writer:
        for order in range(1, 10):
            bureau = "beibei" if order % 2 else "mianyang"
            state = ("applied", "appointed", "suspended")[order % 3]
            one = row(now, order, bureau=bureau, state=state, employer=f"示例{order % 4}所")
            writer.add(
                one, {"specialty": [field("W01" if order < 4 else "A02"), *([field("H")] if order == 9 else [])]}
            )
        writer.add(row(now, 10, erased_at=now), {"specialty": [field("W01")]})
    return records


def test_pages_go_on_in_the_order_of_names_until_all_were_shown(pool):
    seen, after = [], None
    for _ in range(3):
        page = pages.experts(pool, limit=4, after=after)
        seen += names(page)
        after = page.after
    assert seen == [f"样例{n:03d}" for n in range(1, 10)] and after is None


def test_experts_of_one_name_are_all_shown_over_the_pages(records, now):
    with writing(records, "op", now) as writer:
        for order in range(5):
            writer.add(row(now, order, name="张三"), {})
    first = pages.experts(records, limit=3)
    second = pages.experts(records, limit=3, after=first.after)
    ids = [one.expert_id for one in (*first.experts, *second.experts)]
    assert ids == sorted(ids) and len(set(ids)) == 5


@pytest.mark.parametrize(
    ("chosen", "orders"),
    [
        ({"bureau": "beibei"}, [1, 3, 5, 7, 9]),
        ({"state": "appointed"}, [1, 4, 7]),
        ({"bureau": "mianyang", "state": "appointed"}, [4]),
        ({"specialty": "W01"}, [1, 2, 3]),
        ({"specialty": "W"}, [1, 2, 3]),
        ({"specialty": "A"}, [4, 5, 6, 7, 8, 9]),
        ({"specialty": "H"}, [9]),
        ({"specialty": "H01"}, []),
        ({"text": "样例00４"}, [4]),
        ({"text": "示例3"}, [3, 7]),
        ({"text": "e-0005"}, [5]),
        ({"text": "100%_"}, []),
        ({"text": "示例", "specialty": "W", "bureau": "beibei"}, [1, 3]),
    ],
)
def test_a_page_holds_what_was_chosen(pool, chosen, orders, monkeypatch):
    wanted = [f"样例{order:03d}" for order in orders]
    assert names(pages.experts(pool, **chosen)) == wanted and pages.count(pool, **chosen) == len(orders)
    monkeypatch.setattr(pages, "RARE", 0)  # the other way of finding a specialty
    assert names(pages.experts(pool, **chosen)) == wanted


def test_a_pool_is_loaded_with_all_that_is_told_of_each(pool, now):
    with writing(pool, "op", now) as writer:
        tie = {"kind": "declared_other", "uscc": "", "party": "甲", "matter": "", "since": None, "until": None}
        writer.tell("e-0001", "tie", tie | {"amount_fen": None, "detail": "", "source": "申报"})
        writer.tell("e-0001", "leave", {"since": date(2026, 5, 1), "until": date(2026, 5, 2), "reason": ""})
    found = pages.pool(pool, specialties=["W"])
    assert [one.expert_id for one in found.experts] == ["e-0001", "e-0002", "e-0003"]
    assert found.parts["tie"]["e-0001"][0].party == "甲" and found.parts["leave"]["e-0001"][0].until == date(2026, 5, 2)
    assert not any("sealed" in name or name == "identity_index" for name in found.experts[0]._mapping)
    assert [one.expert_id for one in pages.pool(pool, ids=["e-0004", "e-0010"]).experts] == ["e-0004"]
    assert len(pages.pool(pool, states=["appointed"], bureau="beibei").experts) == 2
    assert pages.pool(pool, specialties=[]).experts == []


def test_identity_indexes_are_given_for_those_who_are_there(pool):
    assert len(pages.identity_indexes(pool)) == 9
    assert pages.identity_indexes(pool, ["e-0002", "e-0010"]) == {"e-0002": f"{2:064x}"}


def test_a_look_is_recorded_with_its_fields_and_not_with_what_stood_in_them(records, now):
    told = {"by": "op", "role": "auditor", "unit": "北碚局", "kind": "open", "expert_id": "e-0001"}
    record_access(records, at=now, **told, fields=["phone", "identity", "phone"], purpose="核对 999999190001010009")
    record_access(
        records, at=now + timedelta(hours=1), **(told | {"kind": "list", "expert_id": ""}), purpose="年检", count=50
    )
    newest, oldest = expert_accesses(records)
    assert (oldest.fields, newest.count, newest.expert_id) == (["identity", "phone"], 50, "")
    assert [one.kind for one in expert_accesses(records, expert_id="e-0001")] == ["open"]
    assert expert_accesses(records, since=now + timedelta(minutes=1), by="op") == [newest]
    with records.database.read() as connection:
        payloads = connection.execute(select(event.c.payload).where(event.c.kind == "expert-access")).scalars().all()
    assert len(payloads) == 2 and "核对" not in payloads[0] and '"expert_id":"e-0001"' in payloads[0]


@pytest.mark.parametrize("wrong", [{"kind": "peek"}, {"by": " "}, {"purpose": ""}, {"role": ""}])
def test_a_look_without_who_or_why_is_refused(records, now, wrong):
    told = {"by": "op", "role": "auditor", "unit": "", "kind": "open", "purpose": "核对"}
    with pytest.raises(IncompleteMessage):
        record_access(records, at=now, **(told | wrong))
    assert expert_accesses(records) == []


def test_ties_of_enterprises_are_found_from_either_side_and_end(records, now):
    tie = EnterpriseTie("A1", "甲公司", "B1", "乙公司", "subsidiary", None, None, "公示系统", "op", now)
    number = add_enterprise_tie(records, tie)
    add_enterprise_tie(records, replace(tie, uscc="", name="丙公司", other_uscc="D1"))
    assert [one.id for one in enterprise_ties(records, ["B1"])] == [number]
    assert [one.name for one in enterprise_ties(records, ["zz"], ["丙公司"])] == ["丙公司"]
    assert end_enterprise_tie(records, number, date(2026, 1, 1), "op", now) and len(enterprise_ties(records)) == 2
    assert enterprise_ties(records, ["A1"])[0].until == date(2026, 1, 1)
    assert not end_enterprise_tie(records, 99, date(2026, 1, 1), "op", now)
    for wrong in ({"relation": "friend"}, {"source": ""}, {"since": date(2026, 2, 1), "until": date(2026, 1, 1)}):
        with pytest.raises(IncompleteMessage):
            add_enterprise_tie(records, replace(tie, **wrong))


def test_who_leads_an_enterprise_is_kept_and_its_event_names_nobody(records, now):
    head = EnterpriseHead("A1", "王样例", "legal_representative", None, None, "营业执照", "op", now)
    add_enterprise_head(records, head)
    assert [one.person for one in enterprise_heads(records, ["A1"])] == ["王样例"] and enterprise_heads(
        records, ["B"]
    ) == []
    with records.database.read() as connection:
        [payload] = connection.execute(select(event.c.payload).where(event.c.kind == "enterprise-head")).scalars()
    assert "王样例" not in payload
    with pytest.raises(IncompleteMessage):
        add_enterprise_head(records, replace(head, role="driver"))


def test_a_sealer_takes_whole_keys_only():
    with pytest.raises(ValueError, match="32"):
        Sealer(b"short")
