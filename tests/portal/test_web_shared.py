"""The pages of the shared data: what they show, what a download carries, and what a question of SQL cannot do."""

from __future__ import annotations

import gzip
import hashlib
import io
import re
from dataclasses import replace
from html import unescape
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import openpyxl
import pyarrow.parquet as pq
import pytest
from portal_web import MARK, Person, Town

from pipelines.errors import PublishError
from pipelines.publish.reading import ask, current
from portal.export_child import HIDDEN
from portal.exports import console
from portal.web import pages
from portal.web.assets import STATIC, assets
from records.export_log import exports
from schemas.contracts import tables
from schemas.export_rules import export_rules

AIR = "air_observation"
NUMBERS = count(1)


@pytest.fixture
def wang(town: Town) -> Person:
    """A reviewer of his own, who has taken nothing today."""
    return town.person("beibei", "reviewer", name=MARK[:50], login=f"wang{next(NUMBERS)}")


def of(town: Town, person: Person | None = None, role: str = "reviewer") -> Any:
    return town.browser(town.session(person or town.people["beibei", role]))


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


# -- pages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_shelf_shows_every_table_with_its_rows(town, language):
    text = of(town).get(f"/catalogue?lang={language}").text
    for one in tables().values():
        assert (one.title_zh if language == "zh" else one.title_en) in text and f'href="/catalogue/{one.table}"' in text
    assert "1,000" in text and export_rules().licence.name in text


@pytest.mark.parametrize("name", list(tables()))
def test_every_table_has_a_page_with_its_dictionary_and_terms(town, name):
    text = unescape(of(town).get(f"/catalogue/{name}").text)
    table = tables()[name]
    for column in table.columns:
        assert f"<code>{column.name}</code>" in text
    assert export_rules().table_notes[name].zh in text and "pd.read_parquet" in text


def test_the_newest_rows_are_shown_in_china_time_with_their_senders_words(town):
    text = plain(of(town).get(f"/catalogue/{AIR}").text)
    assert "2026-04-08 23:00" in text and "缙云山" in text


def test_what_does_not_exist_is_not_there(town):
    browser = of(town)
    for path in (
        "/catalogue/experts",
        "/catalogue/expert",
        f"/catalogue/{AIR}/changes?version=77",
        "/catalogue/..%2f..%2fx",
    ):
        assert browser.get(path).status_code == 404


def test_a_publication_shows_what_it_changed(town):
    browser = of(town)
    listed = browser.get(f"/catalogue/{AIR}/changes").text
    versions = re.findall(r'href="\?version=(\d+)"', listed)
    assert len(versions) == 2 and versions == sorted(versions, reverse=True)
    added = [plain(browser.get(f"/catalogue/{AIR}/changes?version={version}").text) for version in versions]
    assert all("新增" in text for text in added)
    assert sorted(int(re.search(r"共 (\d+) 行变化", text)[1]) for text in added) == [431, 569]


def test_every_template_of_the_room_is_drawn_and_marks_stay_marks(town, wang):
    """WEB-01, WEB-03: people's names, what is typed into filters, an answer, a question that is wrong."""
    browser, mark = of(town, wang), quote(MARK)
    pages.kitchen().cache.clear()
    answers = [
        browser.get("/catalogue"), browser.get(f"/catalogue/{AIR}?place={mark}&parameter={mark}&as_of={mark}"),
        browser.get(f"/catalogue/{AIR}/changes"), browser.get(f"/catalogue/{AIR}/download?form=csv&place={mark}"),
        browser.get("/catalogue/exports"), browser.post("/query", {"sql": MARK, "as_of": MARK}),
    ]  # fmt: skip
    for told in answers:
        assert told.status_code < 500 and "<script>alert" not in told.text and "<img src=//evil" not in told.text
    assert MARK in unescape(answers[1].text) and MARK in unescape(answers[5].text)
    assert "{{7*7}}" in unescape(answers[4].text)  # the filter of the export before
    drawn = {key[1] for key in pages.kitchen().cache.keys()}
    assert {f"shared/{path.name}" for path in (pages.TEMPLATES / "shared").iterdir()} <= drawn


def test_programs_find_the_package_and_the_record(town):
    browser = of(town, role="administrator")
    told = browser.get("/catalogue/datapackage.json")
    assert told.json()["licenses"] and "json" in told.headers["content-type"]
    assert browser.get("/catalogue/dcat.jsonld").headers["content-type"].startswith("application/ld+json")


def test_the_first_view_is_light(town):
    """≤ 150 KB, with the files it needs."""
    browser = of(town)
    for path in ("/catalogue", f"/catalogue/{AIR}", "/query", "/catalogue/credit_rating"):
        page = browser.get(path)
        needed = re.findall(r'(?:href|src)="/static/[0-9a-f]+/([^"]+)"', page.text)
        weight = len(gzip.compress(page.content)) + sum(
            len(gzip.compress(assets()[name].content)) for name in set(needed)
        )
        assert weight <= 150 * 1024 and len(page.content) <= 150 * 1024, path
    assert (STATIC / "shared.css").stat().st_size <= 8192 and (STATIC / "shared.js").stat().st_size <= 12288


# -- downloads ----------------------------------------------------------------------------------------------------


def test_a_download_carries_what_was_chosen_and_is_listed(town, wang):
    browser = of(town, wang)
    path = f"/catalogue/{AIR}/download?form=parquet&bureau=beibei&parameter=臭氧,PM2.5&place=缙云山&since=2026-04-08"
    told = browser.get(path + "&c.value=on&c.parameter=on&c.station_name=on")
    assert told.status_code == 200 and told.headers["content-type"] == "application/vnd.apache.parquet"
    assert int(told.headers["content-length"]) == len(told.content)
    assert "attachment" in told.headers["content-disposition"] and told.headers["cache-control"] == "no-store"
    taken = pq.read_table(io.BytesIO(told.content))
    assert taken.column_names == ["station_name", "parameter", "value"] and set(taken["parameter"].to_pylist()) == {
        "O3",
        "PM2.5",
    }
    assert set(taken["station_name"].to_pylist()) == {"缙云山"}
    assert taken.schema.metadata[b"gongzhi.requester"].decode() == f"{MARK[:50]}（{wang.login}）"
    entry = exports(town.records, "beibei", wang.account_id)[0]
    assert told.headers["x-export-number"] == entry.number and entry.sha256 == hashlib.sha256(told.content).hexdigest()
    listed = plain(browser.get("/catalogue/exports").text)
    assert entry.number in listed and "缙云山" in listed


def test_a_workbook_and_a_csv_come_from_the_same_form(town, wang):
    browser = of(town, wang)
    book = browser.get("/catalogue/credit_rating/download?form=xlsx&subject=重庆示例缙岭玻璃有限公司")
    seen = openpyxl.load_workbook(io.BytesIO(book.content))
    assert seen["数据"].max_row == 2 and seen["数据"]["A1"].value == "报送单位"
    assert any(wang.login in str(cell.value) for cell in seen["说明"]["C"])
    text = browser.get("/catalogue/station/download?form=csv").content
    number = exports(town.records, "beibei", wang.account_id)[0].number
    lines = text.decode("utf-8-sig").splitlines()
    assert len(lines) == 8 and all(line.endswith(f'"{number}"') for line in lines[1:])


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "格式：未选择"),
        ("form=exe", "格式：未选择"),
        ("form=csv&since=2026-02-30", "不是日期"),
        ("form=csv&since=0001-01-01", "不是日期"),
        ("form=csv&since=2026-04-09&until=2026-04-08", "早于开始日期"),
        ("form=csv&as_of=gestern", "不是时间"),
        ("form=csv&c.nothing=on", "没有列 nothing"),
        ("form=csv&subject=x", "不能按统一社会信用代码筛选"),
    ],
)
def test_a_mistake_in_the_form_is_said_on_the_page_and_nothing_is_counted(town, wang, query, said):
    told = of(town, wang).get(f"/catalogue/{AIR}/download?{query}&place={MARK.replace('#', '').replace('&', '')}")
    assert told.status_code == 422 and said in plain(told.text) and "<script>alert" not in told.text
    assert exports(town.records, "beibei", wang.account_id) == []


def test_asking_for_the_headers_alone_makes_no_file(town, wang):
    told = of(town, wang).client.head(f"/catalogue/{AIR}/download?form=csv")
    assert told.status_code == 200 and exports(town.records, "beibei", wang.account_id) == []


def test_nothing_stays_on_the_disk(town, wang, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert of(town, wang).get("/catalogue/station/download?form=xlsx").status_code == 200
    assert of(town, wang).post("/query", {"sql": "SELECT 1"}).status_code == 200
    assert list(tmp_path.iterdir()) == []


def test_who_may_not_download_is_offered_no_form(town):
    text = of(town, role="administrator").get(f"/catalogue/{AIR}").text
    assert "数据字典" in text and "/download" not in text and "/query" not in text


def test_an_auditor_sees_the_exports_of_his_bureau_and_nobody_elses(town, wang):
    of(town, wang).get("/catalogue/station/download?form=csv")
    number = exports(town.records, "beibei", wang.account_id)[0].number
    own, foreign = of(town, role="auditor"), town.browser(town.session(town.people["mianyang", "auditor"]))
    assert number in own.get("/catalogue/exports").text and wang.login in own.get("/catalogue/exports").text
    assert number not in foreign.get("/catalogue/exports").text
    assert number not in of(town, role="inspector").get("/catalogue/exports").text


# -- the console --------------------------------------------------------------------------------------------------


def test_a_question_is_answered_with_its_rows_and_its_number(town, wang):
    browser = of(town, wang)
    text = plain(
        browser.post("/query", {"sql": f"SELECT bureau, count(*) AS n FROM {AIR} GROUP BY ALL ORDER BY n"}).text
    )
    assert re.search(r"beibei 431 mianyang 569", text)
    entry = exports(town.records, "beibei", wang.account_id)[0]
    assert entry.number in text and (entry.face, entry.rows, entry.quota) == ("query", 2, "query")
    early = plain(browser.post("/query", {"sql": f"SELECT count(*) AS n FROM {AIR}", "as_of": "2026-04-01"}).text)
    assert re.search(r"结果 1 行 .* n 0 ", early)


def test_an_answer_is_taken_home_and_no_formula_with_it(town, wang):
    browser = of(town, wang)
    sql = "SELECT '=1+1' AS a, 1.5 AS b, DATE '2026-04-08' AS c, [1,2] AS d, TIMESTAMP '290000-01-01' AS e, 'x' AS a"
    told = browser.post("/query/download", {"sql": sql, "form": "csv"})
    assert "'=1+1" in told.content.decode("utf-8-sig") and "attachment" in told.headers["content-disposition"]
    book = browser.post("/query/download", {"sql": sql, "form": "xlsx"})
    seen = openpyxl.load_workbook(io.BytesIO(book.content))
    assert seen["数据"]["A2"].value == "=1+1" and seen["数据"]["A2"].data_type == "s"
    assert sql in [cell.value for cell in seen["说明"]["C"]]
    assert browser.post("/query/download", {"sql": sql, "form": "parquet"}).content[:4] == b"PAR1"
    assert browser.post("/query/download", {"sql": sql, "form": "exe"}).status_code == 404


def test_more_rows_than_may_be_given_are_cut_and_said(town, wang):
    text = plain(of(town, wang).post("/query", {"sql": "FROM range(100000000)"}).text)
    assert "10,000+ 行" in text and "结果超过上限" in text and "此处显示前 500" in text
    assert exports(town.records, "beibei", wang.account_id)[0].rows == 10_000


ATTACKS = [
    "SELECT * FROM read_csv('/etc/passwd')", "SELECT * FROM read_text('/etc/passwd')", "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM read_blob('/proc/self/environ')", "SELECT * FROM glob('/*')", "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM read_text('{home}/records.db')", "SELECT * FROM glob('{home}/*')", "SELECT getenv('PATH')",
    "COPY station TO '{home}/out.csv'", "COPY (SELECT 1) TO '{file}' (USE_TMP_FILE false)",
    "WITH x AS (COPY (SELECT 1) TO '{file}' (USE_TMP_FILE false)) SELECT 1",
    "WITH x AS MATERIALIZED (COPY (SELECT 1) TO '{file}' (USE_TMP_FILE false)) SELECT * FROM x",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{file}' (USE_TMP_FILE false)",
    "/* x */ explain analyse copy (select 1) to '{file}' (USE_TMP_FILE false)",
    "EXPLAIN ANALYZE WITH x AS (COPY (SELECT 1) TO '{file}' (USE_TMP_FILE false)) SELECT 1",
    "SELECT * FROM query('WITH x AS (COPY (SELECT 1) TO ''{file}'' (USE_TMP_FILE false)) SELECT 1')",
    "ATTACH '{home}/records.db'", "ATTACH '/tmp/x.db' AS y", "INSTALL httpfs", "LOAD httpfs", "PRAGMA database_list",
    "SET memory_limit = '100GB'", "RESET lock_configuration", "CALL enable_logging()", "SELECT 1; SELECT 2",
    "CREATE TABLE x AS SELECT 1", "EXPLAIN ANALYZE CREATE TABLE x AS SELECT 1", "DROP VIEW station", "DELETE FROM station",
    "INSERT INTO station SELECT * FROM station", "UPDATE station SET area = ''", "EXPORT DATABASE '{home}/x'",
    "SELECT * FROM 'https://evil.example/x.csv'", "SELECT * FROM duckdb_secrets()", "FROM expert", "FROM experts", "FROM account",
    "", "   ", "--", "SELECT", "\x00SELECT 1", "SELECT '" + "x" * 30_000 + "'",
]  # fmt: skip


def fingerprint(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith("records.db")
    }


PASSED_ON = [sql for sql in ATTACKS if sql.strip() and "\x00" not in sql and len(sql) < 1000]
"""Those that reach DuckDB."""
BY_HTTP = [
    sql for place, sql in enumerate(ATTACKS) if sql not in PASSED_ON or "{file}" in sql or place % 5 == 0
]  # each costs a process


def test_the_door_of_duckdb_refuses_every_attack(town):
    """In one process, as the command line asks."""
    file = next(Path(town.places.tables, AIR).rglob("*.parquet"))
    before = fingerprint(Path(town.places.tables))
    with current(town.places.tables, memory="512MB") as connection:
        for sql in PASSED_ON:
            with pytest.raises(PublishError):
                ask(connection, sql.format(home=town.places.home, file=file), 10)
    assert fingerprint(Path(town.places.tables)) == before and len(PASSED_ON) >= 35


@pytest.mark.parametrize("sql", BY_HTTP, ids=lambda sql: sql[:45].replace("/", "∕"))
def test_a_question_reads_the_shared_tables_and_nothing_else(town, wang, sql):
    home = town.places.home
    file = next(Path(town.places.tables, AIR).rglob("*.parquet"))
    before = fingerprint(Path(town.places.tables))
    told = of(town, wang).post("/query", {"sql": sql.format(home=home, file=file)})
    assert told.status_code == 422 and "查询未能执行" in told.text
    assert "root:" not in told.text and "PATH=" not in told.text
    assert fingerprint(Path(town.places.tables)) == before and exports(town.records, "beibei", wang.account_id) == []


def test_no_answer_tells_where_the_tables_lie(town, wang):
    browser = of(town, wang)
    for sql in (
        "SELECT current_setting('allowed_paths')", "SELECT sql FROM duckdb_views()", "SELECT name, value FROM duckdb_settings()",
        "SELECT * FROM parquet_metadata('{file}')", "EXPLAIN SELECT * FROM air_observation",
    ):  # fmt: skip
        file = next(Path(town.places.tables, AIR).rglob("*.parquet"))
        told = browser.post("/query", {"sql": sql.format(file=file)})
        answer = told.text.partition('id="answer"')[2].partition("</section>")[0]
        assert told.status_code == 200 and answer and str(town.places.tables) not in answer, sql
    assert HIDDEN in answer or "Read Parquet" in answer


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM range(10000000) a, range(10000000) b",
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t",
        "SELECT list(range) FROM range(2000000000)",
        "SELECT repeat('x', 2000000000)",
        "SELECT * FROM range(2000000000) ORDER BY hash(range)",
    ],
)
def test_a_question_that_takes_too_much_is_stopped_and_others_go_on(town, wang, sql, monkeypatch):
    rules = export_rules()
    monkeypatch.setattr(console, "export_rules", lambda: replace(rules, query=replace(rules.query, seconds=2)))
    browser = of(town, wang)
    told = browser.post("/query", {"sql": sql})
    assert told.status_code == 422 and re.search("超过 2 秒|内存超过上限", told.text)
    assert browser.post("/query", {"sql": "SELECT 42 AS n"}).status_code == 200


def test_no_question_finds_a_person(town, wang):
    """Experts are in no shared table, nor are accounts."""
    text = plain(of(town, wang).post("/query", {"sql": "SHOW TABLES"}).text)
    named = set(re.findall(r"\b[a-z]+(?:_[a-z]+)*\b", text.partition("结果 1")[2].partition("示例")[0])) - {"name", "s"}
    assert named == {*tables(), *(f"{name}_history" for name in tables())}
    columns = {column.name for table in tables().values() for column in table.columns}
    assert not columns & {"phone", "id_number", "expert_id", "login", "password_hash", "email", "bank_account"}


def test_a_question_typed_in_is_shown_as_text(town, wang):
    told = of(town, wang).post("/query", {"sql": f"SELECT '{MARK.replace(chr(39), '')}' AS \"<b>x</b>\""})
    assert told.status_code == 200 and "<script>alert" not in told.text and "<b>x</b>" not in told.text
    assert "{{7*7}}" in told.text.partition('id="answer"')[2]


@pytest.mark.parametrize("number", range(1, 7))
def test_every_example_is_answered(town, wang, number):
    browser = of(town, wang)
    text = browser.get(f"/query?example={number}").text
    sql = unescape(re.search(r"<textarea[^>]*>\n?(.*?)</textarea>", text, re.DOTALL)[1])
    assert sql.strip() and browser.post("/query", {"sql": sql.replace("\n", "\r\n")}).status_code == 200
