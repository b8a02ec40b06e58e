"""Taking data out: which rows, in which order, in which form, how many a day, and what stands on the chain of it."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
from portal_home import MORNING, new_home

from pipelines.batch import Places
from pipelines.errors import PublishError
from pipelines.publish.reading import query
from pipelines.publish.rows import Choice, RowFilter, batches, count, rows
from portal.access.caller import Caller
from portal.exports import (
    Desk,
    ExportFailed,
    ExportNote,
    QuotaReached,
    TooManyRows,
    UnknownForm,
    choose,
    etag_of,
    hand_out,
    package,
    record,
    shelf,
    table_of,
    table_rows,
    take_rows,
    uses,
    version_of,
    write_rows,
)
from portal.exports import handing_out as handing
from portal.exports.choosing import chosen_json, read_choice
from portal.exports.sweeping import OLDEST, PAUSE, sweep
from records.alarms import alarms
from records.chain import verify_chain
from records.export_log import Wish, begin_export, exports, fail_export, finish_export, used_on
from records.store import Records
from schemas.contracts import tables
from schemas.export_rules import Quota, export_rules
from schemas.files import SCHEMAS, MalformedFact

NOW = MORNING + timedelta(hours=6)
AIR = "air_observation"


@pytest.fixture
def desk(town) -> Desk:
    return Desk(town.places, town.records, town.clock)


@pytest.fixture
def li(town) -> Caller:
    """Somebody new, who has taken nothing today."""
    mark = f"a-{threading.get_native_id()}-{datetime.now(UTC).timestamp()}"
    return Caller(mark, "李＝1", "beibei", frozenset({"inspector"}), False, "s", "session", frozenset(), mark[:40])


@pytest.fixture
def own(tmp_path: Path, database_url: str) -> Iterator[Desk]:
    """A desk over a home of its own, on either database."""
    places = replace(new_home(tmp_path), database_url=database_url)
    with Records.open(database_url, create=True) as records:
        yield Desk(places, records, lambda: NOW)


# -- rows ---------------------------------------------------------------------------------------------------------


def test_pages_of_one_version_are_one_list(town):
    whole = table_rows(town.places, AIR, limit=5000)
    version = version_of(town.places, AIR)
    parts = [table_rows(town.places, AIR, limit=301, offset=start, version=version) for start in range(0, 1500, 301)]
    assert whole.num_rows == 1000 and pa.concat_tables(parts).equals(whole)
    order = [tuple(row[name] for name in table_of(AIR).sort) for row in whole.to_pylist()]
    assert order == sorted(order)


@pytest.mark.parametrize(
    ("wanted", "sql"),
    [
        (RowFilter(bureaus=("beibei",)), "bureau = 'beibei'"),
        (RowFilter(parameters=("O3", "PM2.5")), "parameter IN ('O3', 'PM2.5')"),
        (RowFilter(places=("1414A", "富乐山")), "station_id = '1414A' OR station_name = '富乐山'"),
        (RowFilter(since=date(2026, 4, 8), until=date(2026, 4, 8)), "period_start::DATE = '2026-04-08'"),
        (RowFilter(since=date(2026, 4, 9)), "period_start >= '2026-04-09 00:00:00+08'"),
        (RowFilter(until=date(2026, 4, 7)), "period_start < '2026-04-08 00:00:00+08'"),
        (RowFilter(bureaus=("'; DROP TABLE x; --",)), "false"),
        (RowFilter(since=date.min, until=date.max), "true"),
    ],
)
def test_a_filter_gives_what_the_same_question_in_sql_gives(town, wanted, sql):
    asked = query(f"SELECT count(*) AS n FROM {AIR} WHERE {sql}", town.places.tables).column("n")[0].as_py()
    choice = choose(town.places, AIR, wanted)
    assert count(choice, town.places.tables) == asked == rows(choice, town.places.tables, 5000).num_rows


def test_columns_come_in_the_order_of_the_contract_with_its_types(town):
    found = table_rows(town.places, AIR, columns=("value", "period_start", "station_id"), limit=3)
    assert found.column_names == ["station_id", "period_start", "value"]
    assert found.schema.field("period_start").type == pa.timestamp("us", "UTC")


def test_rows_are_those_on_record_at_a_time(town):
    before = table_rows(town.places, AIR, as_of=MORNING - timedelta(days=1))
    after = table_rows(town.places, AIR, as_of=MORNING + timedelta(hours=1), limit=5000)
    assert before.num_rows == 0 and after.num_rows == 1000


def test_the_newest_come_first_where_that_is_asked(town):
    newest = (
        rows(choose(town.places, AIR), town.places.tables, 20, newest_first=True).column("period_start").to_pylist()
    )
    assert newest == sorted(newest, reverse=True)
    assert newest[0] == query(f"SELECT max(period_start) AS m FROM {AIR}", town.places.tables).column("m")[0].as_py()


@pytest.mark.parametrize(
    ("table", "wanted", "columns", "code"),
    [
        ("station", RowFilter(since=date(2026, 4, 8)), (), "unknown-filter"),
        ("credit_rating", RowFilter(parameters=("O3",)), (), "unknown-filter"),
        (AIR, RowFilter(subjects=("x",)), (), "unknown-filter"),
        (AIR, RowFilter(), ("value", "1; DROP"), "unknown-column"),
    ],
)
def test_what_a_table_does_not_have_is_refused(town, table, wanted, columns, code):
    with pytest.raises(PublishError) as told:
        table_rows(town.places, table, wanted, columns)
    assert told.value.code == code and told.value.message.isprintable()


def test_a_table_nobody_published_to_is_empty_and_an_unknown_one_unknown(town):
    assert table_rows(town.places, "soil_result").num_rows == 0
    with pytest.raises(UnknownForm):
        table_rows(town.places, "experts")


def test_a_choice_told_in_json_is_the_same_choice(town):
    wanted = RowFilter(("beibei",), ("1414A",), ("O3",), (), date(2026, 4, 1), date(2026, 4, 9))
    choice = choose(town.places, AIR, wanted, ("value",), MORNING)
    assert read_choice(json.loads(json.dumps(chosen_json(choice)))) == choice


def test_a_mark_changes_with_the_question_and_the_version(town, own):
    assert etag_of(town.places, AIR, RowFilter(), 10) == etag_of(town.places, AIR, RowFilter(), 10)
    marks = {
        etag_of(town.places, AIR, RowFilter(), 10), etag_of(town.places, AIR, RowFilter(("beibei",)), 10),
        etag_of(town.places, AIR, RowFilter(), 11), etag_of(own.places, AIR, RowFilter(), 10),
        etag_of(town.places, "station", RowFilter(), 10),
    }  # fmt: skip
    assert len(marks) == 5


# -- files --------------------------------------------------------------------------------------------------------

HOSTILE = [
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    "  =1",
    "＝1",
    "\u200b=1",
    '=HYPERLINK("http://evil.example")',
    "-5",
    "缙云山",
]
NOTE = ExportNote("X000007", (("编号", "number", "X000007"), ("领取人", "requester", "=cmd|' /C calc'!A0")))


def hostile() -> pa.Table:
    """Texts a spreadsheet would compute, with a number and an instant beside them."""
    n = len(HOSTILE)
    at = datetime(2026, 4, 8, 0, 30, tzinfo=UTC)
    return pa.table(
        {
            "text": HOSTILE, "value": pa.array([-1.5] + [None] * (n - 1)), "at": pa.array([at] * n, pa.timestamp("us", "UTC")),
            "day": pa.array([date(2026, 4, 8)] * n),
        }
    )  # fmt: skip


def test_no_formula_leaves_in_a_workbook(tmp_path):
    """WEB-22."""
    path, told = tmp_path / "x.xlsx", hostile()
    assert write_rows(told.to_batches(), told.schema, "xlsx", path, NOTE) == len(HOSTILE)
    with zipfile.ZipFile(path) as inside:
        for name in inside.namelist():
            assert (
                b"<f>" not in inside.read(name)
                and b"<f " not in inside.read(name)
                and b"hyperlink" not in inside.read(name)
            )
    book = openpyxl.load_workbook(path)
    kinds = {cell.data_type for sheet in book.worksheets for line in sheet.iter_rows() for cell in line if cell.value}
    assert kinds == {"s", "n", "d"} and book.sheetnames == ["数据", "说明"]
    assert [cell.value for cell in book["数据"]["A"]][1:] == HOSTILE
    assert book["数据"]["C2"].value == datetime(2026, 4, 8, 8, 30) and book["数据"]["B2"].value == -1.5
    assert "X000007" in [cell.value for cell in book["说明"]["C"]]


def test_no_text_of_a_csv_is_computed_and_numbers_stay_numbers(tmp_path):
    path, told = tmp_path / "x.csv", hostile()
    write_rows(told.to_batches(), told.schema, "csv", path, NOTE)
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    lines = list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))
    texts = [line[0] for line in lines[1:]]
    assert texts == ["'" + text for text in HOSTILE[:-2]] + ["-5", "缙云山"]
    assert lines[1][1:] == ["-1.5", "2026-04-08T08:30:00+08:00", "2026-04-08", "X000007"] and lines[0][-1] == "export"


def test_the_note_travels_in_parquet_and_arrow(tmp_path):
    told = hostile()
    for form in ("parquet", "arrow"):
        write_rows(told.to_batches(), told.schema, form, tmp_path / form, NOTE)
    with pa.OSFile(str(tmp_path / "arrow"), "rb") as source:
        stream = pa.ipc.open_stream(source).read_all()
    for read in (pq.read_table(tmp_path / "parquet"), stream):
        assert read.column("text").to_pylist() == HOSTILE
        assert read.schema.metadata[b"gongzhi.export"] == b"X000007"
        assert read.schema.metadata[b"gongzhi.requester"].startswith(b"=cmd")


@pytest.mark.parametrize("form", ["parquet", "csv", "xlsx", "json", "arrow"])
def test_every_form_of_a_table_holds_all_its_rows(desk, li, tmp_path, form):
    made = hand_out(desk, li, choose(desk.places, "credit_rating"), form, tmp_path)
    there = {
        "parquet": lambda: pq.read_table(made.path).num_rows,
        "csv": lambda: len(made.path.read_text(encoding="utf-8-sig").splitlines()) - 1,
        "xlsx": lambda: openpyxl.load_workbook(made.path)["数据"].max_row - 1,
        "json": lambda: len(json.loads(made.path.read_text())),
        "arrow": lambda: pa.ipc.open_stream(made.path.read_bytes()).read_all().num_rows,
    }[form]()
    assert there == made.rows == 8


# -- quota, record, chain -----------------------------------------------------------------------------------------


def test_an_export_tells_who_took_what_under_which_terms_and_stands_on_the_chain(desk, li, tmp_path):
    wanted = RowFilter(bureaus=("beibei",), since=date(2026, 4, 8))
    made = hand_out(desk, li, choose(desk.places, AIR, wanted), "parquet", tmp_path)
    told = {key.decode(): value.decode() for key, value in pq.read_schema(made.path).metadata.items()}
    assert told["gongzhi.number"] == told["gongzhi.export"] == made.number
    assert li.login in told["gongzhi.requester"] and "李＝1" in told["gongzhi.requester"]
    assert "beibei" in told["gongzhi.filter"] and "2026-04-08" in told["gongzhi.filter"]
    assert told["gongzhi.rows"] == "431" and told["gongzhi.version"] == str(version_of(desk.places, AIR))
    assert export_rules().licence.text_zh in told["gongzhi.terms"] and "北碚" in told["gongzhi.source"]
    entry = exports(desk.records, "beibei", li.account_id)[0]
    assert (entry.number, entry.rows, entry.state, entry.what) == (made.number, 431, "done", AIR)
    event = next(one for one in desk.records.events(limit=None) if f'"{made.number}"' in one.payload)
    payload = json.loads(event.payload)
    assert event.kind == "export" and event.bureau == "beibei" and payload["account"] == li.account_id
    assert (
        payload["sha256"] == entry.sha256
        and payload["rows"] == 431
        and payload["chosen"]["filters"]["bureaus"] == ["beibei"]
    )
    assert "李" not in event.payload and verify_chain(desk.records).ok


def small(monkeypatch: pytest.MonkeyPatch, rows_a_day: int, percent: int = 50) -> None:
    """Let a day have few rows."""
    rules = export_rules()
    less = {name: replace(quota, rows_a_day=rows_a_day, alarm_percent=percent) for name, quota in rules.quotas.items()}
    monkeypatch.setattr(handing, "export_rules", lambda: replace(rules, quotas=less))


def test_the_day_has_so_many_rows_and_who_asks_for_more_is_told_and_told_of(desk, li, tmp_path, monkeypatch):
    """R39, AUZ-12."""
    small(monkeypatch, 20)
    choice = choose(desk.places, "credit_rating")
    take_rows(desk, li, choice, "json", 5)
    assert not [one for one in alarms(desk.records) if one.source == f"export/{li.login}"]
    hand_out(desk, li, choice, "csv", tmp_path)
    opened = [one for one in alarms(desk.records) if one.source == f"export/{li.login}"]
    assert (
        [one.code for one in opened] == ["bulk-export"] and opened[0].bureau == "beibei" and "65 %" in opened[0].message
    )
    with pytest.raises(QuotaReached, match="今日已导出 13 行"):
        hand_out(desk, li, choice, "csv", tmp_path)
    seen = next(one for one in alarms(desk.records) if one.source == f"export/{li.login}")
    assert seen.count == 2 and "被拒绝" in seen.message
    used = {use.quota.name: use.used for use in uses(desk, li)}
    assert used["enterprise"] == 13 and used["monitoring"] == 0
    tomorrow = Desk(desk.places, desk.records, lambda: desk.clock() + timedelta(days=1))
    assert hand_out(tomorrow, li, choice, "json", tmp_path).rows == 8


def test_a_file_too_long_for_its_form_is_refused_before_anything_is_counted(desk, li, tmp_path, monkeypatch):
    rules = export_rules()
    short = {**rules.formats, "xlsx": replace(rules.formats["xlsx"], most_rows=999)}
    monkeypatch.setattr(handing, "export_rules", lambda: replace(rules, formats=short))
    with pytest.raises(TooManyRows, match="所选 1,000 行"):
        hand_out(desk, li, choose(desk.places, AIR), "xlsx", tmp_path)
    with pytest.raises(UnknownForm):
        hand_out(desk, li, choose(desk.places, AIR), "exe", tmp_path)
    assert exports(desk.records, "beibei", li.account_id) == []


def test_an_export_that_fails_gives_its_rows_back(own, li, tmp_path):
    wish = Wish(li.account_id, li.login, "beibei", "page", "monitoring", AIR, "csv", {}, 60)
    number, used = begin_export(own.records, wish, 100, NOW)
    assert (number > 0, used) == (True, 0) and begin_export(own.records, wish, 100, NOW) == (0, 60)
    fail_export(own.records, number, "died")
    assert used_on(own.records, li.account_id, "monitoring", NOW) == 0
    again, _ = begin_export(own.records, wish, 100, NOW)
    finish_export(own.records, again, 55, 10, "0" * 64, NOW)
    fail_export(own.records, again, "too late")  # what left has left
    assert used_on(own.records, li.account_id, "monitoring", NOW) == 55
    assert [one.state for one in exports(own.records, "beibei")] == ["done", "failed"]
    assert exports(own.records, "mianyang") == []


def test_the_day_of_a_quota_is_that_of_china(own, li):
    late = datetime(2026, 4, 8, 15, 59, tzinfo=UTC)  # 23:59 there
    wish = Wish(li.account_id, li.login, "beibei", "page", "monitoring", AIR, "csv", {}, 1)
    begin_export(own.records, wish, 10, late)
    assert used_on(own.records, li.account_id, "monitoring", late) == 1
    assert used_on(own.records, li.account_id, "monitoring", late + timedelta(minutes=2)) == 0


def test_many_exports_at_once_never_pass_the_quota(own, li):
    wish = Wish(li.account_id, li.login, "beibei", "api", "monitoring", AIR, "csv", {}, 30)
    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(lambda _: begin_export(own.records, wish, 100, NOW)[0], range(16)))
    assert sum(number > 0 for number in given) == 3
    assert used_on(own.records, li.account_id, "monitoring", NOW) == 90


# -- the shelf and the facts --------------------------------------------------------------------------------------


def test_the_shelf_tells_rows_senders_and_terms(town):
    found = shelf(town.places)
    assert list(found) == list(tables()) and found[AIR].status["rows"] == 1000
    assert {code for code, _ in found[AIR].senders} == {"beibei", "mianyang"} and found[
        "soil_result"
    ].recorded_at is None
    assert shelf(town.places) is found
    told = package(town.places)
    assert told["licenses"][0]["name"] == export_rules().licence.name
    assert {one["table"] for one in told["resources"]} == set(tables())
    rights = [one["dct:accessRights"] for one in record(town.places)["dcat:dataset"]]
    assert rights and all("履行职责" in one[0]["@value"] for one in rights)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("rows_a_day = 200_000", "rows_a_day = 0"),
        ("rows_a_day = 200_000", 'rows_a_day = "many"'),
        ('"enterprise_name"]', '"enterprise_name", "station"]'),
        ('"penalty_decision", "enterprise_name"]', '"penalty_decision"]'),
        ('day = "sample_time"', 'day = "sampled"'),
        ("alarm_percent = 50", "alarm_percent = 101"),
        ("[query]", "[query]\nextra = 1"),
        ("[notes.tables.station]", "[notes.tables.stations]"),
    ],
)
def test_rules_that_do_not_fit_the_tables_do_not_start(tmp_path, old, new):
    text = (SCHEMAS / "export_rules.toml").read_text(encoding="utf-8")
    assert old in text
    root = tmp_path / "schemas"
    root.mkdir()
    for name in ("tables", "vocabularies"):
        (root / name).symlink_to(SCHEMAS / name)
    (root / "export_rules.toml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(MalformedFact):
        export_rules(root)


def test_every_table_counts_toward_one_quota():
    assert {export_rules().quota_of(name).name for name in tables()} == {"monitoring", "enterprise"}
    assert isinstance(export_rules().quotas["query"], Quota)


def test_rows_come_a_batch_at_a_time(town, monkeypatch):
    monkeypatch.setattr("pipelines.publish.rows.BATCH_ROWS", 2048)
    sizes = [batch.num_rows for batch in batches(Choice(table_of(AIR)), town.places.tables)]
    assert sum(sizes) == 1000 and max(sizes) <= 2048


def test_places_of_a_home_without_tables_give_nothing(own: Desk):
    places: Places = own.places
    assert version_of(places, "air_observation") is None and table_rows(places, "air_observation").num_rows == 0


# -- the process that makes it ------------------------------------------------------------------------------------

WRITES = """
import sys
from pathlib import Path
from portal.export_child import write_only_below
inside, outside = Path(sys.argv[1]), Path(sys.argv[2])
held = write_only_below(inside)
(inside / "new").write_text("x")
for attempt in (lambda: (outside / "kept").write_text("x"), lambda: (outside / "new").touch(), lambda: (outside / "kept").unlink()):
    try:
        attempt()
        print("written")
    except PermissionError:
        print("refused")
print(held, (outside / "kept").exists() and (outside / "kept").read_text())
"""


def test_the_process_writes_below_its_scratch_folder_only(tmp_path):
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir(), outside.mkdir()
    (outside / "kept").write_text("kept")
    told = subprocess.run(
        [sys.executable, "-c", WRITES, str(inside), str(outside)], capture_output=True, text=True, check=True
    )
    held = told.stdout.splitlines()[-1].startswith("True")
    assert (inside / "new").exists()
    if held:  # a kernel with Landlock; without it DuckDB's own lock stands alone
        assert told.stdout.split()[:3] == ["refused"] * 3 and (outside / "kept").read_text() == "kept"
    else:
        assert told.stdout.split()[:2] == ["written"] * 2


def test_a_process_that_dies_fails_the_export_and_counts_nothing(desk, li, tmp_path):
    choice = choose(desk.places, AIR)
    (tmp_path / "export.csv").mkdir()  # nothing can be written there
    with pytest.raises(ExportFailed):
        hand_out(desk, li, choice, "csv", tmp_path)
    assert [one.state for one in exports(desk.records, "beibei", li.account_id)] == ["failed"]
    assert all(use.used == 0 for use in uses(desk, li))


def test_what_a_killed_portal_left_is_gone_within_the_hour(tmp_path):
    """R40."""
    for name, age in (("gongzhi-export-old", 3100), ("gongzhi-query-new", 10), ("other", 9999)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "x").write_text("x")
        os.utime(folder, (1_000_000 - age, 1_000_000 - age))
    assert sweep(tmp_path, 1_000_000.0) == ["gongzhi-export-old"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gongzhi-query-new", "other"]
    assert OLDEST + PAUSE < 3600
