"""A publication adds, corrects or leaves alone; in one version, once, whoever else publishes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_rows import CREDIT, T0, WATER, air, publish

from pipelines.errors import PublishError
from pipelines.publish.reading import query
from pipelines.publish.store import tables_status
from schemas.contracts import tables

PROJECT = Path(__file__).resolve().parents[3]


def values(root: Path, as_of: object = None) -> dict[str, float]:
    """Station and hour of every current row → value."""
    sql = "SELECT bureau, station_id, period_start, value FROM air_observation"
    found = query(sql, str(root), as_of=as_of).to_pylist()  # type: ignore[arg-type]
    made = {f"{r['bureau']} {r['station_id']} {r['period_start']:%m-%dT%H}": r["value"] for r in found}
    assert len(made) == len(found), "one key has two current rows"
    return made


def counts(committed) -> tuple[int, int, int, int]:
    change = committed.change
    return change.version, change.added, change.corrected, change.unchanged


def test_the_first_publication_adds_everything(tmp_path):
    done = publish(tmp_path, [air("1414A", 0, 35), air("1414A", 1, 36), air("1414A", 800, 3)], "b1")
    assert counts(done) == (1, 3, 0, 0)
    assert values(tmp_path) == {"beibei 1414A 04-01T00": 35, "beibei 1414A 04-01T01": 36, "beibei 1414A 05-04T08": 3}
    assert {Path(file.path).parent.name for file in done.files_added} == {"month=2026-04", "month=2026-05"}
    for file in done.files_added:
        data = (tmp_path / "air_observation" / file.path).read_bytes()
        assert (file.sha256, file.bytes) == (hashlib.sha256(data).hexdigest(), len(data))


def test_a_table_has_the_columns_types_and_meanings_of_its_contract(tmp_path):
    for table in tables().values():
        row = {"month": "2026-04", "rated_year": 2025, "period_start": T0.replace(tzinfo=None)}
        row |= {"sample_time": row["period_start"], "sample_date": row["period_start"]}
        publish(tmp_path, [row], "b1", table=table)
        schema = DeltaTable(str(tmp_path / table.table)).schema()
        assert [field.name for field in schema.fields] == list(table.names)
        assert [field.nullable for field in schema.fields] == [column.nullable for column in table.columns]
        assert all(field.metadata["comment"] for field in schema.fields)


def test_a_correction_closes_the_old_row_and_opens_the_new_one_in_one_version(tmp_path):
    publish(tmp_path, [air("1414A", 0, 35), air("1414A", 1, 36)], "b1")
    done = publish(tmp_path, [air("1414A", 1, 63), air("1414A", 2, 37)], "b2", at=1)
    assert counts(done) == (2, 1, 1, 0)
    rows = query(
        "SELECT value, batch_id, recorded_from, recorded_until FROM air_observation_history"
        " WHERE period_start = '2026-04-01 01:00+08' ORDER BY recorded_from",
        str(tmp_path),
    ).to_pylist()
    assert [(r["value"], r["batch_id"], r["recorded_from"], r["recorded_until"]) for r in rows] == [
        (36, "b1", T0, T0 + timedelta(minutes=1)),
        (63, "b2", T0 + timedelta(minutes=1), None),
    ]
    assert len(done.files_removed) == 1 and len(done.files_added) == 2


def test_the_table_as_of_a_past_time_is_what_it_was(tmp_path):
    publish(tmp_path, [air("1414A", 0, 35)], "b1")
    publish(tmp_path, [air("1414A", 0, 53)], "b2", at=10)
    assert values(tmp_path, T0 - timedelta(minutes=1)) == {}
    assert values(tmp_path, T0) == values(tmp_path, T0 + timedelta(minutes=9)) == {"beibei 1414A 04-01T00": 35}
    assert values(tmp_path, T0 + timedelta(minutes=10)) == values(tmp_path) == {"beibei 1414A 04-01T00": 53}


def test_the_same_content_from_another_batch_row_and_column_is_no_change(tmp_path):
    publish(tmp_path, [air("1414A", 0, 35)], "b1")
    done = publish(tmp_path, [air("1414A", 0, 35, source_row=9, source_column="F")], "b2", at=1)
    assert counts(done) == (1, 0, 0, 1)
    assert done.files_added == done.files_removed == ()


@pytest.mark.parametrize(
    "change", [{"value": 35.1}, {"value": None}, {"result_text": "35.0"}, {"flag": 3}, {"qualifier": "<"},
               {"detection_limit": 3.0}, {"remark": "停电"}, {"station_name": "缙云山"}]
)  # fmt: skip
def test_any_difference_in_content_is_a_correction(tmp_path, change):
    publish(tmp_path, [air("1414A", 0, 35)], "b1")
    assert counts(publish(tmp_path, [air("1414A", 0, 35) | change], "b2", at=1)) == (2, 0, 1, 0)
    assert counts(publish(tmp_path, [air("1414A", 0, 35) | change], "b3", at=2)) == (2, 0, 0, 1)


def test_two_senders_of_one_station_do_not_touch_each_other(tmp_path):
    publish(tmp_path, [air("1414A", 0, 35)], "b1")
    assert counts(publish(tmp_path, [air("1414A", 0, 36, bureau="cnemc")], "b2", at=1)) == (2, 1, 0, 0)
    publish(tmp_path, [air("1414A", 0, 37)], "b3", at=2)
    assert values(tmp_path) == {"beibei 1414A 04-01T00": 37, "cnemc 1414A 04-01T00": 36}


def test_a_missing_depth_is_a_key_of_its_own(tmp_path):
    row = {"section_id": "BBW01", "parameter": "NH3N", "sample_time": T0.replace(tzinfo=None), "month": "2026-04"}
    publish(tmp_path, [row | {"value": 0.5}, row | {"value": 0.7, "depth_m": 0.5}], "b1", table=WATER)
    done = publish(tmp_path, [row | {"value": 0.6}, row | {"value": 0.7, "depth_m": 0.5}], "b2", at=1, table=WATER)
    assert counts(done) == (2, 0, 1, 1)
    found = query("SELECT depth_m, value FROM water_result ORDER BY 1 NULLS FIRST", str(tmp_path)).to_pylist()
    assert [(r["depth_m"], r["value"]) for r in found] == [(None, 0.6), (0.5, 0.7)]


def test_a_table_without_months_is_corrected_too(tmp_path):
    firm = {"subject": "91500109MA5U0000X1", "scheme": "CQ-2021", "rated_year": 2025, "level_code": "B"}
    publish(tmp_path, [firm], "b1", table=CREDIT)
    done = publish(tmp_path, [firm | {"level_code": "C"}], "b2", at=1, table=CREDIT)
    assert counts(done) == (2, 0, 1, 0)
    found = query("SELECT level_code FROM credit_rating", str(tmp_path)).to_pylist()
    assert found == [{"level_code": "C"}]


def test_publishing_a_batch_again_gives_the_same_answer_and_nothing_else(tmp_path):
    first = publish(tmp_path, [air("1414A", 0, 35)], "b1")
    second = publish(tmp_path, [air("1414A", 0, 53), air("1414A", 1, 54)], "b2", at=1)
    publish(tmp_path, [air("1414A", 0, 35)], "b3", at=2)
    assert publish(tmp_path, [air("1414A", 0, 35)], "b1") == first
    assert publish(tmp_path, [air("1414A", 0, 53), air("1414A", 1, 54)], "b2", at=1) == second
    assert values(tmp_path) == {"beibei 1414A 04-01T00": 35, "beibei 1414A 04-01T01": 54}
    assert tables_status(str(tmp_path))[0]["version"] == 3


def test_an_empty_frame_makes_the_table_and_no_rows(tmp_path):
    assert counts(publish(tmp_path, [], "b1")) == (0, 0, 0, 0)
    assert values(tmp_path) == {}


def test_one_key_twice_in_a_batch_is_refused(tmp_path):
    with pytest.raises(PublishError, match="1414A") as refused:
        publish(tmp_path, [air("1414A", 0, 35), air("1414A", 0, 36)], "b1")
    assert refused.value.code == "repeated-key"
    firm = {"subject": "91500109MA5U0000X1", "scheme": "CQ-2021", "rated_year": 2025}
    with pytest.raises(PublishError) as refused:  # sorted by columns outside the key
        publish(tmp_path, [firm | {"enterprise_name": "甲"}, firm | {"enterprise_name": "乙"}], "b2", table=CREDIT)
    assert refused.value.code == "repeated-key"
    assert values(tmp_path) == {}


def test_a_null_where_the_contract_allows_none_is_refused(tmp_path):
    with pytest.raises(PublishError, match="period_start") as refused:
        publish(tmp_path, [air("1414A", 0, 35, period_start=None)], "b1")
    assert refused.value.code == "null-in-column"


def test_an_overtaken_batch_is_filed_at_its_own_time(tmp_path):
    original, late, newer = (
        [air("1414A", 0, 1)],
        [air("1414A", 0, 2), air("1414A", 1, 2)],
        [air("1414A", h, 3) for h in (0, 1)],
    )
    for folder, order in ((tmp_path / "in-order", (0, 1, 2)), (tmp_path / "overtaken", (0, 2, 1))):
        for n in order:
            publish(folder / "tables", (original, late, newer)[n], f"b{n}", at=n)
    sql = "SELECT period_start, value, recorded_from, recorded_until FROM air_observation_history ORDER BY ALL"
    expected = query(sql, str(tmp_path / "in-order" / "tables")).to_pylist()
    assert query(sql, str(tmp_path / "overtaken" / "tables")).to_pylist() == expected
    assert [row["value"] for row in expected] == [1, 2, 3, 2, 3]


def test_files_are_sorted_checksummed_and_in_groups(tmp_path):
    rows = [air(station, hour, hour) for hour in range(50) for station in ("1416A", "1414A", "BBQ03")]
    done = publish(tmp_path, rows, "b1")
    path = tmp_path / "air_observation" / done.files_added[0].path
    table = pq.read_table(path, partitioning=None)
    keys = list(zip(table["station_id"].to_pylist(), table["period_start"].to_pylist(), strict=True))
    assert keys == sorted(keys)
    chunk = pq.read_metadata(path).row_group(0).column(0)
    assert chunk.compression == "ZSTD"
    assert chunk.statistics.has_min_max


def test_a_flipped_bit_in_a_page_is_noticed_by_a_reader_that_checks(tmp_path):
    done = publish(tmp_path, [air("1414A", hour, hour * 1.7) for hour in range(700)], "b1")
    path = tmp_path / "air_observation" / done.files_added[0].path
    column = next(c for c in range(20) if pq.read_metadata(path).schema.column(c).name == "value")
    chunk = pq.read_metadata(path).row_group(0).column(column)
    data = bytearray(path.read_bytes())
    data[chunk.dictionary_page_offset + chunk.total_compressed_size // 2] ^= 4
    path.write_bytes(data)
    with pytest.raises(OSError, match="CRC|checksum|Corrupt"):
        pq.read_table(path, page_checksum_verification=True, partitioning=None)


def test_readers_may_filter_after_a_correction(tmp_path):
    publish(tmp_path, [air("1414A", hour, hour) for hour in range(48)], "b1")
    publish(tmp_path, [air("1414A", hour, -1) for hour in range(10)], "b2", at=1)
    address = str(tmp_path / "air_observation")
    table = DeltaTable(address)
    frame = table.to_pandas(filters=[("month", "=", "2026-04"), ("station_id", "=", "1414A"), ("value", ">", 40)])
    assert sorted(frame["value"]) == [41, 42, 43, 44, 45, 46, 47]
    assert table.to_pyarrow_table(filters=[("parameter", "=", "PM2.5"), ("value", "=", -1.0)]).num_rows == 10
    lazy = pl.scan_delta(address).filter(pl.col("recorded_until").is_null(), pl.col("station_id") == "1414A")
    assert lazy.select(pl.len(), pl.col("value").sum()).collect().row(0) == (48, sum(range(10, 48)) - 10)


def test_pandas_alone_reads_current_rows_and_a_past_state(tmp_path):
    import pandas as pd

    publish(tmp_path, [air("1414A", hour, hour) for hour in range(3)], "b1")
    publish(tmp_path, [air("1414A", 1, 9)], "b2", at=5)
    data = DeltaTable(str(tmp_path / "air_observation")).to_pandas(filters=[("month", "=", "2026-04")])
    current = data[data["recorded_until"].isna()].sort_values("period_start")
    assert current["value"].tolist() == [0, 9, 2]
    then = pd.Timestamp(T0 + timedelta(minutes=1))
    known = data[(data["recorded_from"] <= then) & (data["recorded_until"].isna() | (data["recorded_until"] > then))]
    assert sorted(known["value"]) == [0, 1, 2]


def test_an_address_is_as_good_as_a_folder(tmp_path):
    root = f"file://{tmp_path}/bucket"
    (tmp_path / "bucket").mkdir()
    publish(root, [air("1414A", 0, 35), air("1414A", 1, 36)], "b1")
    assert counts(publish(root, [air("1414A", 1, 63), air("1414A", 2, 37)], "b2", at=1)) == (2, 1, 1, 0)
    assert query("SELECT value FROM air_observation ORDER BY 1", root).column("value").to_pylist() == [35, 37, 63]


PUBLISHER = """
import sys
from pathlib import Path
sys.path.insert(0, {here!r})
from made_rows import air, publish
root, name, lock = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
for n in range(6):
    at = n * 2 + (name == "two")
    publish(root, [air("1414A", hour, at * 100 + hour) for hour in range(n, n + 12)], f"{{name}}-{{n}}", at=at, lock=lock)
"""


@pytest.mark.parametrize("locks", [("same", "same"), ("one", "other")], ids=["one machine", "no lock in common"])
def test_two_processes_publishing_at_once_lose_nothing(tmp_path, locks):
    program = PUBLISHER.format(here=str(Path(__file__).parent))
    run = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "tables"), name, str(tmp_path / lock)], cwd=PROJECT
        )
        for name, lock in zip(("one", "two"), locks, strict=True)
    ]
    assert [process.wait(timeout=120) for process in run] == [0, 0]
    expected = {f"beibei 1414A 04-01T{hour:02d}": 0.0 for hour in range(17)}
    for at in range(12):
        for hour in range(at // 2, at // 2 + 12):
            expected[f"beibei 1414A 04-01T{hour:02d}"] = at * 100 + hour
    assert values(tmp_path / "tables") == expected
    history = query("SELECT batch_id, value FROM air_observation_history", str(tmp_path / "tables")).to_pylist()
    assert Counter(row["batch_id"] for row in history) == {f"{n}-{i}": 12 for n in ("one", "two") for i in range(6)}
    overlaps = query(
        "SELECT count(*) AS n FROM air_observation_history a JOIN air_observation_history b"
        " ON a.period_start = b.period_start AND a.recorded_from < b.recorded_from"
        " AND (a.recorded_until IS NULL OR a.recorded_until > b.recorded_from)",
        str(tmp_path / "tables"),
    )
    assert overlaps.to_pylist() == [{"n": 0}]


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, {here!r})
from made_rows import air, publish
from pipelines.errors import PublishError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    publish(Path(sys.argv[1]), [air("1414A", hour, hour * 1.3) for hour in range(200)], "b2", at=1)
except PublishError as error:
    print(error.code)
"""


@pytest.mark.parametrize("room", [0, 300, 5000])
def test_a_full_disk_leaves_the_old_version_and_no_litter(tmp_path, room):
    root = tmp_path / "tables"
    publish(root, [air("1414A", 0, 35)], "b1")
    before = sorted(path for path in root.rglob("*") if path.is_file())
    program = FULL_DISK.format(here=str(Path(__file__).parent))
    done = subprocess.run(
        [sys.executable, "-c", program, str(root), str(room)], cwd=PROJECT, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "storage\n", done.stderr
    assert values(root) == {"beibei 1414A 04-01T00": 35}
    assert sorted(path for path in root.rglob("*") if path.is_file()) == before
    again = publish(root, [air("1414A", hour, hour * 1.3) for hour in range(200)], "b2", at=1)
    assert counts(again) == (2, 199, 1, 0)


def test_an_unordered_batch_adds_the_row_that_is_new_and_not_the_one_that_stands(tmp_path):
    root = tmp_path / "tables"
    publish(root, [air("1414A", 2, 1.0)], "b0", at=0)
    done = publish(root, [air("1414A", 3, 1.0), air("1414A", 2, 1.0)], "b1", at=1)
    assert counts(done)[1:] == (1, 0, 1)
    assert values(root) == {"beibei 1414A 04-01T02": 1.0, "beibei 1414A 04-01T03": 1.0}


hours = st.dictionaries(st.integers(0, 5) | st.integers(738, 743), st.sampled_from([1.0, 2.0, None]), max_size=6)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.tuples(st.sampled_from(["beibei", "cnemc"]), hours), min_size=1, max_size=5))
def test_any_sequence_of_publications_reads_as_a_dictionary_would(tmp_path_factory, batches):
    root = tmp_path_factory.mktemp("model") / "tables"
    model: dict[tuple[str, int], float | None] = {}
    states = []
    for n, (bureau, told) in enumerate(batches):
        new = {(bureau, hour): value for hour, value in told.items()}
        expected = (
            sum(key not in model for key in new),
            sum(key in model and model[key] != value for key, value in new.items()),
            sum(key in model and model[key] == value for key, value in new.items()),
        )
        rows = [air("1414A", h, v, bureau=bureau) for h, v in told.items()]
        assert counts(publish(root, rows, f"b{n}", at=n))[1:] == expected
        model = model | new
        states.append(model)
    for n, state in enumerate(states):
        found = query(
            "SELECT bureau, date_diff('hour', TIMESTAMPTZ '2026-04-01 00:00+08', period_start) AS hour, value"
            " FROM air_observation", str(root), as_of=T0 + timedelta(minutes=n),
        ).to_pylist()  # fmt: skip
        assert {(r["bureau"], r["hour"]): r["value"] for r in found} == state
        assert len(found) == len(state)


def test_publishing_needs_no_environment(tmp_path):
    program = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n" + (
        "from pathlib import Path\nfrom made_rows import air, publish\n"
        f"print(publish(Path({str(tmp_path / 'tables')!r}), [air('1414A', 0, 35)], 'b1').change.added)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True
    )
    assert done.stdout == "1\n", done.stderr
