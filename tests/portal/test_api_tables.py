"""The catalogue, the tables, their rows and changes, asked by programs: filters, pages, formats, ETags."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from urllib.parse import quote

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
from portal_api import fits, issued, program, program_of

from pipelines.publish.reading import query
from portal.exports import handing_out
from records.export_log import exports
from schemas.api_rules import api_rules
from schemas.contracts import tables
from schemas.export_rules import export_rules

ROWS, CHANGES = "/tables/{table}/rows", "/tables/{table}/changes"
AIR = "/api/v1/tables/air_observation"


@pytest.fixture
def asks(town):
    return program_of(town, "beibei", "uploader")


def of(path, **asked):
    return path + "?" + "&".join(f"{name.strip('_')}={quote(str(value))}" for name, value in asked.items())


def all_pages(asks, path):
    found, seen = [], 0
    while path:
        told = fits(asks.get(path), "get", ROWS)
        found, path, seen = found + told["rows"], told["next"], seen + 1
    return found, seen


def test_the_catalogue_names_every_shared_table(asks):
    told = fits(asks.get("/api/v1/catalogue"), "get", "/catalogue")
    assert {one["table"] for one in told["resources"]} == set(tables())
    listed = fits(asks.get("/api/v1/tables"), "get", "/tables")["tables"]
    assert {one["table"] for one in listed} == set(tables())
    assert next(one for one in listed if one["table"] == "air_observation")["rows"] > 0


@pytest.mark.parametrize("name", list(tables()))
def test_each_table_has_its_dictionary(asks, name):
    told = fits(asks.get(f"/api/v1/tables/{name}"), "get", "/tables/{table}")
    assert [one["name"] for one in told["columns"]] == list(tables()[name].names)
    assert all(one["meaning_zh"] and one["meaning_en"] for one in told["columns"])


def test_a_page_after_a_page_is_the_whole_table(town, asks):
    whole, pages = all_pages(asks, of(f"{AIR}/rows", limit=200, columns="batch_id,source_row,source_column,parameter"))
    kept = query("SELECT batch_id, source_row, source_column, parameter FROM air_observation", town.places.tables)
    assert pages > 2 and len(whole) == kept.num_rows
    as_key = lambda row: (row["batch_id"], row["source_row"], row["source_column"], row["parameter"])  # noqa: E731
    assert sorted(map(as_key, whole), key=str) == sorted(map(as_key, kept.to_pylist()), key=str)


def test_filters_are_held_to_by_another_question(town, asks):
    rows, _ = all_pages(
        asks, of(f"{AIR}/rows", bureau="mianyang", parameter="PM25,SO2", since="2026-04-08", until="2026-04-08")
    )
    kept = query(
        "SELECT count(*) n FROM air_observation WHERE bureau = 'mianyang' AND parameter IN ('PM25', 'SO2') "
        "AND period_start >= '2026-04-08 00:00:00+08' AND period_start < '2026-04-09 00:00:00+08'",
        town.places.tables,
    )
    assert len(rows) == kept["n"][0].as_py() > 0
    assert {row["bureau"] for row in rows} == {"mianyang"} and {row["parameter"] for row in rows} <= {"PM25", "SO2"}


def test_every_format_holds_the_same_rows(asks):
    path = of(f"{AIR}/rows", limit=50, parameter="O3", columns="bureau,station_id,period_start,value,result_text")
    plain = fits(asks.get(path), "get", ROWS)["rows"]
    assert len(plain) == 50
    kinds = {
        "csv": "text/csv", "arrow": "application/vnd.apache.arrow.stream", "parquet": "application/vnd.apache.parquet",
    }  # fmt: skip
    for name, kind in kinds.items():
        by_name = asks.get(f"{path}&format={name}")
        by_header = asks.get(path, headers={"accept": f"text/html;q=0.1, {kind}"})
        assert by_name.headers["content-type"] == by_header.headers["content-type"]
        assert fits(by_name, "get", ROWS) and fits(by_header, "get", ROWS)
        assert by_name.headers["link"].endswith('>; rel="next"')
        if name == "csv":
            rows = list(csv.DictReader(io.StringIO(by_name.content.decode("utf-8-sig"))))
            assert len({row["export"] for row in rows}) == 1
            values = [(row["station_id"], float(row["value"]) if row["value"] else None) for row in rows]
        else:
            read = {"arrow": lambda b: pa.ipc.open_stream(b).read_all(), "parquet": pq.read_table}[name]
            table = read(pa.BufferReader(by_name.content))
            noted = table.schema.metadata
            assert b"uploader-beibei" in noted[b"gongzhi.requester"] and noted[b"gongzhi.licence"]
            values = list(zip(table["station_id"].to_pylist(), table["value"].to_pylist(), strict=True))
        assert values == [(row["station_id"], row["value"]) for row in plain]


@pytest.mark.parametrize(
    ("accept", "status"),
    [("application/json", 200), ("*/*", 200), ("text/*", 200), ("text/html", 406), ("image/png, x", 406)],
)
def test_the_accept_header_is_held_to(asks, accept, status):
    told = asks.get(of(f"{AIR}/rows", limit=1), headers={"accept": accept})
    assert told.status_code == status
    fits(told, "get", ROWS)


def test_what_did_not_change_is_not_sent_again(asks):
    path = of(f"{AIR}/rows", limit=5)
    mark = asks.get(path).headers["etag"]
    again = asks.get(path, headers={"if-none-match": mark})
    assert again.status_code == 304 and not again.content
    for other in (
        of(f"{AIR}/rows", limit=6),
        f"{path}&format=csv",
        f"{path}&as_of=2026-04-01",
        f"{AIR}/changes?limit=5",
    ):
        assert asks.get(other, headers={"if-none-match": mark}).status_code == 200


def test_the_table_as_it_was_before_anything_was_known_is_empty(asks):
    assert fits(asks.get(of(f"{AIR}/rows", as_of="2026-04-01")), "get", ROWS)["rows"] == []


def test_changes_tell_what_each_publication_did(asks):
    told = fits(asks.get(of(f"{AIR}/changes", limit=100000)), "get", CHANGES)
    assert {row["change"] for row in told["rows"]} <= {"added", "corrected", "withdrawn"} and told["rows"]
    assert fits(asks.get(of(f"{AIR}/changes", since=told["version"])), "get", CHANGES)["rows"] == []
    first = fits(asks.get(of(f"{AIR}/changes", limit=10)), "get", CHANGES)
    then = fits(asks.get(first["next"]), "get", CHANGES)
    assert first["rows"] + then["rows"] == told["rows"][:20]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/v1/tables/experts/rows", 404, "unknown-form"),
        ("/api/v1/tables/none", 404, "unknown-form"),
        (f"{AIR}/rows?limit=100001", 422, "wrong-parameter"),
        (f"{AIR}/rows?limit=-1", 422, "wrong-parameter"),
        (f"{AIR}/rows?format=xml", 422, "wrong-parameter"),
        (f"{AIR}/rows?columns=value,secret", 422, "wrong-parameter"),
        (f"{AIR}/rows?uscc=91500109MAYY00018G", 422, "unknown-filter"),
        (f"{AIR}/rows?since=0001-01-01", 422, "wrong-parameter"),
        (f"{AIR}/rows?as_of=0001-01-01", 422, "wrong-parameter"),
        (f"{AIR}/rows?as_of=9999-12-31T23:59:59", 422, "wrong-parameter"),
        (f"{AIR}/rows?as_of=yesterday", 422, "wrong-parameter"),
        (f"{AIR}/rows?cursor=x", 422, "wrong-parameter"),
        (f"{AIR}/rows?cursor=WzEwMDAwMDAsMF0", 422, "wrong-parameter"),  # version 1,000,000
        (f"{AIR}/rows?cursor=Wy0xLCJhIl0", 422, "wrong-parameter"),
        (f"{AIR}/rows?cursor=W3RydWUsMF0", 422, "wrong-parameter"),
        (f"{AIR}/rows?parameter=" + "a," * 60, 422, "wrong-parameter"),
        (f"{AIR}/rows?place=%00", 422, "wrong-parameter"),
        (f"{AIR}/changes?since=-1", 422, "wrong-parameter"),
    ],
)
def test_a_wrong_question_is_told_what_is_wrong(asks, path, status, code):
    told = asks.get(path)
    assert (told.status_code, told.json()["error"]["code"]) == (status, code)


@pytest.mark.parametrize("name", ["place", "parameter", "bureau", "columns"])
def test_quotes_in_a_filter_are_text(asks, name):
    told = asks.get(of(f"{AIR}/rows", **{name: "' OR 1=1 --"}))
    assert told.status_code == 422 if name == "columns" else told.json()["rows"] == []


def test_rows_taken_are_on_record_and_count_for_the_day(town):
    """R39, AUZ-12: each page is an export of its own, under its number; what did not change is none."""
    person = town.person("mianyang", "auditor", login="takes-some")
    asks = program(town, issued(town, person).text)
    path = of(f"{AIR}/rows", limit=7, parameter="NO2")
    told = asks.get(path)
    assert asks.get(path, headers={"if-none-match": told.headers["etag"]}).status_code == 304
    (kept,) = exports(town.records, "mianyang", person.account_id)
    assert told.json()["export"] == kept.number and kept.rows == len(told.json()["rows"]) == 7
    changed = asks.get(of(f"{AIR}/changes", limit=9)).json()
    assert {one.number for one in exports(town.records, "mianyang", person.account_id)} == {
        told.json()["export"], changed["export"],
    }  # fmt: skip
    assert told.headers["ratelimit-limit"] == str(api_rules().rates["heavy"]["key"].most)


def test_who_has_taken_his_rows_of_the_day_gets_no_more(town, asks, monkeypatch):
    rules = export_rules()
    few = {name: replace(one, rows_a_day=10) for name, one in rules.quotas.items()}
    monkeypatch.setattr(handing_out, "export_rules", lambda: replace(rules, quotas=few))
    person = town.person("beibei", "auditor", login="takes-much")
    asks = program(town, issued(town, person).text)
    assert asks.get(of(f"{AIR}/rows", limit=8)).status_code == 200
    for path in (of(f"{AIR}/rows", limit=8), of(f"{AIR}/changes", limit=11)):
        told = asks.get(path)
        assert told.status_code == 429 and told.json()["error"]["code"] == "quota-reached"
