"""What publications changed, what the tables say, and what values used to be."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable
from made_rows import AIR, CREDIT, T0, WATER, air, publish

from pipelines.publish.changes import changes, publications
from pipelines.publish.content import content_hash
from pipelines.publish.history import history_medians
from schemas.contracts import tables


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three publications of air: two hours, a correction and an hour, nothing new and an hour of another month."""
    publish(tmp_path, [air("1414A", 0, 35), air("1414A", 1, 36)], "b1")
    publish(tmp_path, [air("1414A", 1, 63, flag=3), air("1414A", 2, 37)], "b2", at=1)
    publish(tmp_path, [air("1414A", 2, 37), air("1414A", 900, 5)], "b3", at=2)
    return tmp_path


def test_changes_are_listed_by_publication_with_old_and_new_value(root):
    found = changes(AIR, str(root)).to_pylist()
    told = [(r["version"], r["batch_id"], r["change"], r["old_value"], r["new_value"], r["differs"]) for r in found]
    assert told == [
        (1, "b1", "added", None, 35, ""),
        (1, "b1", "added", None, 36, ""),
        (2, "b2", "corrected", 36, 63, "value: 36.0 → 63.0; flag: 1 → 3; result_text: 36 → 63"),
        (2, "b2", "added", None, 37, ""),
        (3, "b3", "added", None, 5, ""),
    ]
    assert found[2]["recorded_at"] == T0 + timedelta(minutes=1)
    assert {name: found[2][name] for name in ("bureau", "station_id", "parameter", "stage")} == {
        "bureau": "beibei", "station_id": "1414A", "parameter": "PM2.5", "stage": "received",
    }  # fmt: skip


def test_changes_since_a_version_leave_out_what_came_before(root):
    assert [row["version"] for row in changes(AIR, str(root), 2).to_pylist()] == [3]
    assert changes(AIR, str(root), 3).num_rows == 0


def test_changes_of_one_version_or_a_part_of_the_list_are_the_same_rows(root):
    whole = changes(AIR, str(root)).to_pylist()
    assert [changes(AIR, str(root), only=n).to_pylist() for n in (1, 2, 3)] == [whole[:2], whole[2:4], whole[4:]]
    assert changes(AIR, str(root), only=9).num_rows == 0
    assert [row for n in range(3) for row in changes(AIR, str(root), limit=2, offset=2 * n).to_pylist()] == whole
    assert changes(WATER, str(root)).num_rows == 0


def test_a_row_closed_without_a_successor_is_withdrawn(root):
    table = DeltaTable(str(root / "air_observation"))
    at = (T0 + timedelta(minutes=1)).isoformat()
    table.update(updates={"recorded_until": f"TIMESTAMP '{at}'"}, predicate="value = 35")
    withdrawn = [row for row in changes(AIR, str(root), 1).to_pylist() if row["change"] == "withdrawn"]
    assert [(row["batch_id"], row["old_value"], row["new_value"]) for row in withdrawn] == [("b2", 35, None)]


def test_a_register_tells_which_columns_differ(tmp_path):
    firm = {"subject": "91500109MA5U0000X1", "scheme": "CQ-2021", "rated_year": 2025, "level_code": "B"}
    publish(tmp_path, [firm], "b1", table=CREDIT)
    publish(tmp_path, [firm | {"level_code": "C", "published_date": date(2026, 4, 1)}], "b2", at=1, table=CREDIT)
    found = changes(CREDIT, str(tmp_path), 1).to_pylist()
    assert [row["differs"] for row in found] == ["level_code: B → C; published_date:  → 2026-04-01"]


def test_publications_are_told_with_their_counts(root):
    assert publications(AIR, str(root), 1) == [
        {"version": 2, "recorded_at": T0 + timedelta(minutes=1), "batch_id": "b2", "added": 1, "corrected": 1,
         "unchanged": 0},
        {"version": 3, "recorded_at": T0 + timedelta(minutes=2), "batch_id": "b3", "added": 1, "corrected": 0,
         "unchanged": 1},
    ]  # fmt: skip
    assert publications(WATER, str(root)) == []


def test_the_content_hash_does_not_depend_on_files_and_versions(root, tmp_path_factory):
    before = content_hash(AIR, str(root))
    table = DeltaTable(str(root / "air_observation"))
    table.optimize.z_order(["value"])
    table.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)
    assert content_hash(AIR, str(root)) == before
    again = tmp_path_factory.mktemp("again")
    publish(again, [air("1414A", 1, 36), air("1414A", 0, 35)], "b1")
    publish(again, [air("1414A", 2, 37), air("1414A", 1, 63, flag=3)], "b2", at=1)
    assert content_hash(AIR, str(again)) != before
    publish(again, [air("1414A", 900, 5), air("1414A", 2, 37)], "b3", at=2)
    assert content_hash(AIR, str(again)) == before


@pytest.mark.parametrize(
    "other", [{"value": 35.0000001}, {"value": None}, {"result_text": "35.0"}, {"remark": "x"}, {"source_row": 3}]
)
def test_the_content_hash_notices_any_difference(tmp_path, other):
    publish(tmp_path / "one", [air("1414A", 0, 35)], "b1")
    publish(tmp_path / "two", [air("1414A", 0, 35) | other], "b1")
    assert content_hash(AIR, str(tmp_path / "one")) != content_hash(AIR, str(tmp_path / "two"))


def test_the_content_hash_of_a_table_without_rows_is_that_of_none(tmp_path):
    nothing = content_hash(AIR, str(tmp_path / "nowhere"))
    publish(tmp_path, [], "b1")
    assert content_hash(AIR, str(tmp_path)) == nothing
    assert len({content_hash(table, str(tmp_path)) for table in tables().values()}) == len(tables())


def test_history_gives_the_median_of_the_senders_current_rows(tmp_path):
    values = [10, 20, 30, 40, 1000]
    publish(tmp_path, [air("1414A", hour, value) for hour, value in enumerate(values)], "b1")
    publish(tmp_path, [air("1414A", 4, 50), air("1414A", 5, None)], "b2", at=1)
    publish(tmp_path, [air("1414A", 0, 999, bureau="cnemc")], "b3", at=2)
    found = history_medians(AIR, str(tmp_path), "beibei")
    assert found.to_dict("records") == [{"place_id": "1414A", "parameter": "PM2.5", "median": 30.0}]


def test_history_looks_back_sixty_days_from_the_newest_row_or_to_a_given_time(tmp_path):
    publish(tmp_path, [air("1414A", 0, 1), air("1414A", 24 * 50, 3), air("1414A", 24 * 70, 5)], "b1")
    assert history_medians(AIR, str(tmp_path), "beibei")["median"].tolist() == [4.0]
    assert history_medians(AIR, str(tmp_path), "beibei", since=date(2026, 1, 1))["median"].tolist() == [3.0]


def test_history_of_an_unknown_sender_or_table_is_empty(tmp_path):
    for found in (history_medians(AIR, str(tmp_path), "beibei"), history_medians(CREDIT, str(tmp_path), "beibei")):
        assert (len(found), list(found.columns)) == (0, ["place_id", "parameter", "median"])
    publish(tmp_path, [air("1414A", 0, 1)], "b1")
    assert len(history_medians(AIR, str(tmp_path), "mianyang")) == 0
