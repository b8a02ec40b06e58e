"""What a night does to the credit register: built of what it published, or an alarm and the old one in place."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from portal_home import MORNING, hand_in

from credit_registry.errors import DamagedTable
from credit_registry.register import Register, current
from pipelines.batch import Places
from pipelines.intake.pull import Wanted
from portal.credit import folder_of, refresh
from portal.nightly import sync_now
from portal.settings import read_night_settings
from records.alarms import alarms
from records.store import Records

RATINGS = "企业环境信用评价结果_2025年度.xlsx"
PENALTIES = "行政处罚_2026年4月.csv"
RATED = "91500109MAYY00050U"
LATER = datetime(2026, 4, 30, 18, 30, tzinfo=UTC)
"""The night after the deliveries of April 2026."""


@pytest.fixture
def night(places: Places, kept: Records):
    """Run one night now; give its summary and whether all was well."""
    at = [LATER]

    def run() -> tuple[dict, bool]:
        at[0] += timedelta(days=1)
        settings = replace(read_night_settings(places.home, {}), backups=None)
        summary, well, faults = sync_now(places, kept, settings, lambda: at[0], lambda source: True, Wanted())
        assert not faults
        return summary, well

    return run


def in_use(places: Places) -> Path | None:
    return current(folder_of(places))


def test_a_night_that_publishes_ratings_builds_the_register_of_them(places, kept, night):
    assert in_use(places) is None and MORNING < LATER
    hand_in(places, "beibei", RATINGS)
    summary, well = night()
    assert well and [kept.batch(number).state for number in summary["batches"]] == ["published"]
    first = in_use(places)
    with Register.open(folder_of(places)) as register:
        rated = register.dossier(RATED)
        assert [one.rated_year for one in rated.ratings] == [2025] and rated.penalties == ()

    assert night()[1] and in_use(places) == first, "a night with nothing new builds nothing"

    hand_in(places, "beibei", PENALTIES)
    assert night()[1]
    assert in_use(places) != first
    with Register.open(folder_of(places)) as register:
        assert len(register.dossier(RATED).penalties) == 1


def test_a_rebuild_that_fails_is_an_alarm_and_the_old_register_stays(places, kept, night):
    hand_in(places, "beibei", RATINGS)
    assert night()[1]
    before = in_use(places)
    log = Path(places.tables) / "credit_rating" / "_delta_log"
    newest = max(log.glob("*.json"))
    whole = newest.read_bytes()
    newest.write_bytes(b"{ damaged")

    summary, well = night()
    assert not well and "register-failed" in summary["alarms"]
    (alarm,) = [one for one in alarms(kept) if one.code == "register-failed"]
    assert alarm.closed_at is None and "credit_rating" in alarm.message and "stays in use" in alarm.message_en
    assert in_use(places) == before
    with Register.open(folder_of(places)) as register:
        assert register.dossier(RATED).ratings

    night()
    (alarm,) = [one for one in alarms(kept) if one.code == "register-failed"]
    assert alarm.closed_at is None and alarm.count == 2, "one alarm as long as it lasts"

    newest.write_bytes(whole)
    summary, well = night()
    assert well and "register-failed" in summary["recovered"]


def test_a_rating_changed_by_hand_in_the_shared_files_is_never_taken_over(places, kept, night):
    hand_in(places, "beibei", RATINGS)
    assert night()[1]
    before = in_use(places)
    file = next(Path(places.tables, "credit_rating").rglob("*.parquet"))
    whole = file.read_bytes()
    rows = pq.ParquetFile(file).read()
    at = rows.schema.get_field_index("level_text")
    better = pa.array(["环保诚信企业"] * len(rows)).cast(rows.schema.field(at).type)
    pq.write_table(rows.set_column(at, rows.schema.field(at), better), file)
    hand_in(places, "beibei", PENALTIES)  # else nothing is built anew

    summary, well = night()
    assert not well and "register-failed" in summary["alarms"] and in_use(places) == before
    (alarm,) = [one for one in alarms(kept) if one.code == "register-failed"]
    assert file.name in alarm.message and "gongzhi rebuild" in alarm.message

    file.write_bytes(whole)
    assert night()[1] and in_use(places) != before


def test_a_file_the_exchange_did_not_publish_is_never_taken_over(places, kept, night):
    hand_in(places, "beibei", RATINGS)
    assert night()[1]
    table = DeltaTable(str(Path(places.tables, "credit_rating")))
    write_deltalake(table, table.to_pyarrow_table(), mode="append")

    with pytest.raises(DamagedTable, match="哈希不符"):
        refresh(places, LATER)
