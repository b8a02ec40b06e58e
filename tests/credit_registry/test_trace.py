"""The trace: purposes, who looked at whose records, and bulk use outside a plan."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from credit_registry.errors import IncompleteRequest, UnknownPurpose
from credit_registry.trace import Asker, bulk_use, checked, readers, trace
from records.chain import verify_chain
from schemas.credit_facts import purposes
from schemas.files import MalformedFact
from schemas.trace_limits import not_connected, trace_limits

NOW = datetime(2026, 11, 23, 4, tzinfo=UTC)
LI = Asker("li", "mianyang", "川A0001", "pre-inspection", "")
MINUTE = timedelta(minutes=1)


def look(records: Any, times: int = 1, asker: Asker = LI, at: datetime = NOW, **more: Any) -> None:
    given = {"kind": "lookup", "asked": "91500227MA5U6NWC04", "version": "r1", "result": "found"} | more
    for _ in range(times):
        trace(records, asker, at=at, **given)


@pytest.mark.parametrize("code", list(purposes()))
def test_a_purpose_is_taken_by_its_code_and_its_title(code):
    wanted = Asker("li", "beibei", "", code, "计划1")
    assert checked(wanted) == wanted
    assert checked(Asker("li", "beibei", "", purposes()[code].title_zh, "计划1")) == wanted


def test_a_random_check_names_its_plan_and_an_unknown_purpose_is_refused_with_the_list():
    with pytest.raises(IncompleteRequest, match="双随机计划编号"):
        checked(Asker("li", "beibei", "", "随机抽查", " "))
    with pytest.raises(UnknownPurpose, match="检查前核查"):
        checked(Asker("li", "beibei", "", "看看", ""))


def test_a_bureau_sees_who_looked_at_its_records_and_not_at_others(records):
    look(records, owners=["beibei"], count=2)
    look(records, owners=["mianyang"])
    look(records, at=NOW + MINUTE, owners=["beibei", "mianyang"])
    found = readers(records, "beibei")
    assert [(one["at"], one["owners"]) for one in found] == [
        ((NOW + MINUTE).isoformat(), ["beibei", "mianyang"]),
        (NOW.isoformat(), ["beibei"]),
    ]
    assert (found[0]["user"], found[0]["purpose_zh"]) == ("li", "检查前核查")
    assert len(readers(records, "beibei", until=NOW + MINUTE)) == 1
    assert verify_chain(records).ok and verify_chain(records).events == 3


def test_fifty_looks_in_an_hour_are_use_and_one_more_is_bulk(records):
    look(records, 50)
    assert bulk_use(records, NOW + MINUTE) == []
    look(records)
    (found,) = bulk_use(records, NOW + MINUTE)
    assert (found["user"], found["count"], found["limit"], found["minutes"]) == ("li", 51, 50, 60)
    assert bulk_use(records, NOW + timedelta(minutes=61)) == []


def test_what_was_looked_into_is_not_counted_again(records):
    look(records, 51)
    assert bulk_use(records, NOW, {"li": NOW}) == []
    assert [one["count"] for one in bulk_use(records, NOW, {"li": NOW - MINUTE})] == [51]
    assert [one["count"] for one in bulk_use(records, NOW, {"wang": NOW})] == [51]


def test_a_plan_excuses_and_a_mere_reason_does_not(records):
    look(records, 51, Asker("li", "mianyang", "", "random-check", "抽4号"))
    assert bulk_use(records, NOW) == []
    look(records, 51, Asker("wang", "mianyang", "", "other", "好奇"))
    assert [one["user"] for one in bulk_use(records, NOW)] == ["wang"]


def test_a_list_counts_by_its_lines_and_a_search_does_not_count(records):
    look(records, 60, kind="search")
    assert bulk_use(records, NOW) == []
    look(records, kind="screen", count=51)
    assert [one["count"] for one in bulk_use(records, NOW)] == [51]


def test_looks_of_two_people_are_not_added(records):
    look(records, 30)
    look(records, 30, Asker("wang", "mianyang", "", "review", ""))
    assert bulk_use(records, NOW) == []


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("bulk-lookups,50,", "bulk-lookups,0,", "whole number above 0"),
        ("bulk-window,60", "bulk-lookups,60", "stands twice"),
        ("source-old,400", "sauce-old,400", "is not used"),
    ],
)
def test_malformed_limits_stop_the_start(tmp_path, old, new, reason):
    folder = tmp_path / "vocabularies"
    folder.mkdir()
    text = (Path(__file__).parents[2] / "schemas/vocabularies/trace_limits.csv").read_text(encoding="utf-8")
    assert old in text
    (folder / "trace_limits.csv").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(MalformedFact, match=reason):
        trace_limits(tmp_path)


def test_what_is_not_read_is_named():
    assert {"supervision", "permits", "credit-china"} <= {one.code for one in not_connected()}
