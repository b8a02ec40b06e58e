"""The tables are read through views of whole versions, and through nothing else."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from made_rows import AIR, T0, WATER, air, publish

from pipelines.errors import PublishError
from pipelines.publish.reading import ask, current, moment, query, write
from pipelines.publish.store import DataFile, scrub, tables_status
from schemas.contracts import tables

PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Air of two months, one value corrected."""
    publish(tmp_path / "tables", [air("1414A", hour, hour) for hour in (0, 1, 2, 720, 721)], "b1")
    publish(tmp_path / "tables", [air("1414A", 1, 9.5)], "b2", at=60)
    return tmp_path / "tables"


def test_tables_nobody_published_to_are_empty_with_their_columns(tmp_path):
    with current(str(tmp_path / "nothing-yet")) as connection:
        for table in tables().values():
            for name in (table.table, f"{table.table}_history"):
                found = connection.sql(f"SELECT * FROM {name}").to_arrow_table()
                assert (found.num_rows, tuple(found.column_names)) == (0, table.names)


def test_columns_have_the_same_types_empty_or_not(root, tmp_path):
    full = query("DESCRIBE air_observation", str(root)).to_pylist()
    assert query("DESCRIBE air_observation", str(tmp_path / "nothing-yet")).to_pylist() == full
    assert [row["column_name"] for row in full] == list(AIR.names)


def test_a_view_has_the_current_rows_and_history_has_all(root):
    count = "SELECT count(*) AS n, sum(value) AS total FROM air_observation"
    assert query(count, str(root)).to_pylist() == [{"n": 5, "total": 0 + 9.5 + 2 + 720 + 721}]
    assert query(f"{count}_history", str(root)).to_pylist() == [{"n": 6, "total": 0 + 1 + 9.5 + 2 + 720 + 721}]


@pytest.mark.parametrize(
    ("as_of", "total"),
    [("2026-04-20T08:00", 1444.0), ("2026-04-20T08:59:59", 1444.0), ("2026-04-20T09:00", 1452.5),
     ("2026-04-20 00:59:59Z", 1444.0), ("2026-04-21", 1452.5), ("2026-04-19", None)],
)  # fmt: skip
def test_as_of_takes_dates_and_times_and_means_china_where_no_zone_stands(root, as_of, total):
    found = query("SELECT sum(value) AS total FROM air_observation", str(root), as_of=as_of)
    assert found.to_pylist() == [{"total": total}]


def test_a_time_that_is_none_is_named(root):
    with pytest.raises(PublishError, match="昨天") as wrong:
        query("SELECT 1", str(root), as_of="昨天")
    assert wrong.value.code == "wrong-time"
    assert moment(T0) == T0


def test_days_are_days_in_china(root):
    sql = (
        "SELECT date_trunc('day', period_start)::DATE AS day, count(*) AS n FROM air_observation GROUP BY 1 ORDER BY 1"
    )
    assert [(str(r["day"]), r["n"]) for r in query(sql, str(root)).to_pylist()] == [
        ("2026-04-01", 3),
        ("2026-05-01", 2),
    ]


@pytest.mark.parametrize(
    "sql",
    ["WITH a AS (SELECT 1 AS x) SELECT x FROM a", "FROM water_result", "DESCRIBE air_observation", "SHOW TABLES",
     "SUMMARIZE air_observation", "EXPLAIN SELECT 1", "VALUES (1)", "SELECT 1;", "-- a remark\nSELECT 1"],
)  # fmt: skip
def test_reading_statements_are_answered(root, sql):
    query(sql, str(root))


@pytest.mark.parametrize(
    "sql",
    ["", "-- nothing", "SELECT 1; SELECT 2", "CREATE TABLE t AS SELECT 1", "DROP VIEW air_observation", "SET threads = 1",
     "COPY (SELECT 1) TO '{out}'", "ATTACH '{out}'", "EXPORT DATABASE '{out}'", "INSTALL httpfs", "PRAGMA database_list",
     "SELECT * FROM read_text('/etc/hostname')", "SELECT * FROM glob('/etc/*')", "SELECT * FROM '{stray}'",
     "SELECT * FROM read_parquet('{stray}')", "SELECT * FROM read_csv('https://example.org/x.csv')",
     "INSERT INTO air_observation SELECT * FROM air_observation", "CALL pragma_version()"],
)  # fmt: skip
def test_what_writes_or_reaches_outside_the_tables_is_refused(root, tmp_path, sql):
    stray = tmp_path / "stray.parquet"
    pq.write_table(query("SELECT 1 AS secret", str(root)), stray)
    with pytest.raises(PublishError) as refused:
        query(sql.format(out=tmp_path / "out", stray=stray), str(root))
    assert refused.value.code in ("query-refused", "query-wrong")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "sql",
    [
        "WITH x AS (COPY (SELECT 1) TO '{file}' (USE_TMP_FILE false)) SELECT 1",
        "WITH x AS MATERIALIZED (COPY (SELECT 1) TO '{file}' (USE_TMP_FILE false)) SELECT * FROM x",
        "EXPLAIN COPY (SELECT 1) TO '{file}' (USE_TMP_FILE false)",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{file}' (USE_TMP_FILE false)",
        "/* 说明 */ explain -- x\n analyse copy (select 1) to '{file}' (use_tmp_file false)",
        "EXPLAIN ANALYZE WITH x AS (COPY (SELECT 1) TO '{file}' (USE_TMP_FILE false)) SELECT 1",
        "EXPLAIN (ANALYZE) COPY (SELECT 1) TO '{file}' (USE_TMP_FILE false)",
        "FROM query('WITH x AS (COPY (SELECT 1) TO ''{file}'' (USE_TMP_FILE false)) SELECT 1')",
        "EXPLAIN ANALYZE CREATE TABLE x AS SELECT 1",
    ],
)
def test_no_question_lays_itself_over_a_data_file(root, sql):
    """DuckDB may write what it may read: the list of allowed files does not say how."""
    file = next(root.rglob("*.parquet"))
    before = file.read_bytes()
    with pytest.raises(PublishError) as refused:
        query(sql.format(file=file), str(root))
    assert refused.value.code in ("query-refused", "query-wrong") and file.read_bytes() == before


@pytest.mark.parametrize(
    "sql",
    ["EXPLAIN SELECT 1", "explain /* x */ analyze SELECT count(*) FROM air_observation", "SELECT 'COPY' AS copy;"],
)
def test_a_plan_of_a_reading_question_is_told(root, sql):
    assert query(sql, str(root)).num_rows == 1


def test_an_answer_is_cut_where_that_is_asked(root):
    with current(str(root)) as connection:
        assert ask(connection, "FROM range(100000000)", 5000).num_rows == 5000
        assert ask(connection, "DESCRIBE air_observation", 3).num_rows == 3
        assert ask(connection, "SELECT 1 WHERE false", 3).column_names == ["1"]


def test_variables_of_our_own_code_are_no_tables(root):
    tables_root = str(root)  # noqa: F841 - a name DuckDB would find if it looked at Python variables
    frame = query("SELECT 1 AS secret", str(root))  # noqa: F841
    with pytest.raises(PublishError, match="frame"):
        query("SELECT * FROM frame", str(root))


def test_a_wrong_query_says_what_and_names_the_tables(root):
    with pytest.raises(PublishError, match="water_result") as wrong:
        query("SELECT * FROM air", str(root))
    assert wrong.value.code == "query-wrong"
    with pytest.raises(PublishError, match="stationid"):
        query("SELECT stationid FROM air_observation", str(root))
    with pytest.raises(PublishError, match="SELEC"):
        query("SELEC 1", str(root))


def test_an_answer_is_written_as_csv_json_and_parquet(root):
    answer = query(
        "SELECT station_id, period_start, value, detection_limit, {'a': period_start::DATE} AS s"
        " FROM air_observation ORDER BY period_start LIMIT 2",
        str(root),
    )
    made = {}
    for form in ("csv", "json", "parquet"):
        target = io.BytesIO()
        write(answer, form, target)
        made[form] = target.getvalue()
    rows = list(csv.reader(io.StringIO(made["csv"].decode())))
    assert rows[0] == ["station_id", "period_start", "value", "detection_limit", "s"]
    assert rows[2][:4] == ["1414A", "2026-04-01T01:00:00+08:00", "9.5", ""]
    assert json.loads(made["json"])[1] == {
        "station_id": "1414A", "period_start": "2026-04-01T01:00:00+08:00", "value": 9.5, "detection_limit": None,
        "s": {"a": "2026-04-01"},
    }  # fmt: skip
    assert pq.read_table(io.BytesIO(made["parquet"])).column("value").to_pylist() == [0, 9.5]


def test_the_docs_way_with_duckdb_over_the_files_of_the_log(root):
    import duckdb

    files = DeltaTable(str(root / "air_observation")).file_uris()
    found = duckdb.sql(
        "SELECT month, count(*) AS n FROM read_parquet(?, hive_partitioning = true, hive_types = {month: VARCHAR})"
        " WHERE recorded_until IS NULL GROUP BY ALL ORDER BY ALL",
        params=[files],
    ).to_arrow_table()
    assert found.to_pylist() == [{"month": "2026-04", "n": 3}, {"month": "2026-05", "n": 2}]


def test_a_question_needs_no_pandas():
    program = (
        "import sys; from pipelines.publish.reading import query; query('SELECT 1', 'nowhere');"
        "import pipelines.publish.store; print('pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr


def test_the_state_of_the_tables(root):
    found = {entry["table"]: entry for entry in tables_status(str(root))}
    assert found["water_result"]["version"] is None
    air_state = found["air_observation"]
    assert (air_state["version"], air_state["rows"], air_state["rows_history"], air_state["files"]) == (2, 5, 6, 3)
    assert (air_state["last_batch"], air_state["recorded_at"]) == ("b2", (T0 + timedelta(minutes=60)).isoformat())
    assert air_state["since"].isoformat() == "2026-03-31T16:00:00+00:00"
    assert air_state["until"].isoformat() == "2026-04-30T17:00:00+00:00"


def files_of(root: Path, month: str) -> list[Path]:
    return [Path(uri) for uri in DeltaTable(str(root / "air_observation")).file_uris() if month in uri]


@pytest.mark.parametrize("harm", ["truncated", "missing", "huge", "empty"])
def test_a_damaged_file_is_named_and_the_rest_is_served(root, shared, harm):
    water = {"section_id": "BBW01", "parameter": "NH3N", "sample_time": T0.replace(tzinfo=None), "month": "2026-04"}
    publish(root, [water], "b3", table=WATER, at=61)
    bad = files_of(root, "month=2026-05")[0]
    if harm == "truncated":
        bad.write_bytes(bad.read_bytes()[:-40])
    elif harm == "huge":  # 200 KB that become 2 GB
        shutil.copy(shared / "badfiles" / "sto_huge_metadata.parquet", bad)
    elif harm == "empty":
        bad.write_bytes(b"")
    else:
        bad.unlink()
    for sql in ("SELECT * FROM air_observation", "SELECT count(*) FROM air_observation", "FROM air_observation_history",
                "SELECT value FROM air_observation WHERE station_id = 'none'",
                "SELECT value FROM air_observation WHERE month = '2026-05'"):  # fmt: skip
        with pytest.raises(PublishError, match=bad.name) as told:
            query(sql, str(root))
        assert told.value.code == "damaged-file"
    april = query("SELECT count(*) AS n FROM air_observation WHERE month = '2026-04'", str(root)).to_pylist()
    assert april == [{"n": 3}]
    assert query("SELECT count(*) AS n FROM water_result", str(root)).to_pylist() == [{"n": 1}]
    with pytest.raises(PublishError, match=bad.name):
        publish(root, [air("1414A", 720, 1)], "b4", at=62)
    publish(root, [air("1414A", 0, 1)], "b5", at=63)


def test_a_damaged_log_is_named(root):
    for entry in (root / "air_observation" / "_delta_log").glob("*.json"):
        entry.write_bytes(entry.read_bytes()[:30])
    with pytest.raises(PublishError, match="air_observation") as told:
        query("SELECT 1", str(root))
    assert told.value.code == "damaged-log"


def test_the_scrub_finds_every_flipped_bit(tmp_path):
    root = tmp_path / "tables"
    done = publish(root, [air("1414A", hour, hour) for hour in range(200)], "b1")
    file = done.files_added[0]
    path = root / "air_observation" / file.path
    sound = path.read_bytes()
    assert scrub(str(root), done.files_added) == []
    found = 0
    for n in range(100):
        place = (n * 7919) % (len(sound) * 8)
        data = bytearray(sound)
        data[place // 8] ^= 1 << (place % 8)
        path.write_bytes(data)
        found += scrub(str(root), done.files_added) == [(file, "hash")]
    assert found == 100
    path.write_bytes(sound + b"x")
    assert scrub(str(root), done.files_added) == [(file, "size")]
    assert scrub(str(root), [DataFile("air_observation", "month=2026-04/gone.parquet", "", 1)])[0][1] == "missing"
