"""The command line as people and programs use it: exit codes, JSON, both languages, data and words kept apart."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from conftest import Ran, run_gongzhi

HEADER = "站点编码,站点名称,监测时间,PM2.5(μg/m3),PM10(μg/m3),SO2(μg/m3),NO2(μg/m3),CO(mg/m3),O3(μg/m3),备注"
GOOD = "1414A,缙云山,2026-04-0{day} 0{hour}:00,{value},6{hour},6,2{hour},0.6,8{hour},"

OUTCOME = [
    "file", "sha256", "bureau", "dataset", "layout", "encoding", "state", "batch_id", "receipt", "rules", "rows", "results",
    "tables", "findings", "normalised", "error",
]  # fmt: skip
ROWS = ["read", "clean", "partial", "refused", "repeated"]
RESULTS = ["read", "published", "quarantined", "repeated", "missing", "censored", "flagged"]
FINDING = ["rule", "severity", "sheet", "row", "column", "header", "key", "value", "expected", "message", "message_en"]
TABLE = ["table", "version", "added", "corrected", "unchanged"]
ERROR = ["code", "message", "message_en", "row", "column"]


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join([HEADER, *lines]) + "\n", encoding="gb18030")
    return path


def hours(day: int, value: int = 35, count: int = 4) -> list[str]:
    return [GOOD.format(day=day, hour=hour, value=value + hour) for hour in range(count)]


@dataclass
class Story:
    """A home into which five files were handed in, and what was said of each."""

    home: Path
    folder: Path
    first: Ran
    second: Ran
    told: dict[str, dict[str, Any]] = field(default_factory=dict)
    between: str = ""

    def run(self, *words: str | Path, **more: Any) -> Ran:
        return run_gongzhi(*words, home=self.home, **more)


@pytest.fixture(scope="module")
def story(empty_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("story")
    home = Path(shutil.copytree(empty_home, folder / "home"))
    good = write(folder / "good.csv", *hours(1))
    partly = write(
        folder / "partly.csv",
        *hours(2, count=2),
        GOOD.format(day=2, hour=3, value="3O"),
        hours(2)[2].replace("1414A", "1878A"),
    )
    refused = folder / "refused.csv"
    refused.write_text("甲,乙\n1,2\n", encoding="utf-8")
    first = run_gongzhi("submit", good, partly, refused, "-b", "beibei", "--json", home=home)
    time.sleep(1.1)
    between = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
    time.sleep(1.1)
    changed = [line.replace(",36,", ",46,") for line in hours(1)]
    corrected = write(folder / "corrected.csv", *changed)
    again = Path(shutil.copy(good, folder / "again.csv"))
    second = run_gongzhi("submit", corrected, again, "-b", "beibei", "--json", home=home)
    story = Story(home, folder, first, second, between=between)
    story.told = {one["file"]: one for one in (*first.objects, *second.objects)}
    assert set(story.told) == {"good.csv", "partly.csv", "refused.csv", "corrected.csv", "again.csv"}, (
        first.err + second.err
    )
    return story


def in_order(keys: list[str], expected: list[str]) -> bool:
    """The keys of the design stand in its order; others may stand between them."""
    return [key for key in keys if key in expected] == expected


# -- check and submit ---------------------------------------------------------------------------------------------------


def test_the_json_of_a_file_has_the_keys_of_the_design_in_their_order(story):
    for one in story.told.values():
        assert in_order(list(one), OUTCOME)
        assert list(one["rows"]) == ROWS and list(one["results"]) == RESULTS
        for finding in one["findings"]:
            assert in_order(list(finding), FINDING)
        for table in one["tables"]:
            assert list(table) == TABLE
        for note in one["normalised"]:
            assert list(note)[0] == "what" and isinstance(note["count"], int)
        if one["error"] is not None:
            assert in_order(list(one["error"]), ERROR)


def test_each_file_ends_as_it_should_and_the_exit_code_tells(story):
    assert {name: one["state"] for name, one in story.told.items()} == {
        "good.csv": "published", "partly.csv": "published", "refused.csv": "refused", "corrected.csv": "published",
        "again.csv": "repeated",
    }  # fmt: skip
    assert (story.first.exit, story.second.exit) == (1, 0)


def test_a_published_file_says_what_changed(story):
    good, corrected = story.told["good.csv"]["tables"][0], story.told["corrected.csv"]["tables"][0]
    assert good == {"table": "air_observation", "version": good["version"], "added": 24, "corrected": 0, "unchanged": 0}
    assert (corrected["added"], corrected["corrected"], corrected["unchanged"]) == (0, 1, 23)
    assert corrected["version"] > good["version"]


def test_a_partly_refused_file_names_its_rows_and_cells(story):
    one = story.told["partly.csv"]
    assert one["rows"] == {"read": 4, "clean": 2, "partial": 1, "refused": 1, "repeated": 0}
    found = {(f["rule"], f["row"], f["column"]) for f in one["findings"] if f["severity"].startswith("refuse")}
    assert found == {("AIR-016", 4, "D"), ("AIR-005", 5, "A")}
    assert one["encoding"] == "GB18030" and one["layout"] == "air_template" and one["error"] is None


def test_a_refused_file_says_why_and_is_kept_with_a_receipt(story):
    one = story.told["refused.csv"]
    assert one["error"]["code"] == "unknown-layout" and one["error"]["row"] == 1
    assert re.search("[一-鿿]", one["error"]["message"]) and "甲" in one["error"]["message_en"]
    assert one["receipt"] and one["batch_id"] and one["tables"] == []


def test_the_same_bytes_again_get_the_first_receipt(story):
    good, again = story.told["good.csv"], story.told["again.csv"]
    for key in ("sha256", "batch_id", "receipt", "rules", "rows", "results", "tables"):
        assert again[key] == good[key], key


def test_data_goes_to_stdout_and_words_to_stderr(story):
    assert story.first.err == "" and all(line.startswith("{") for line in story.first.out.splitlines())
    ran = run_gongzhi("batches")
    assert ran.exit == 2 and ran.out == "" and "GONGZHI_HOME" in ran.err


def test_a_check_keeps_nothing(story, tmp_path):
    before = sorted(str(p) for p in story.home.rglob("*") if p.is_file())
    ran = story.run("check", story.folder / "partly.csv", "-b", "beibei", "--json")
    [one] = ran.objects
    assert ran.exit == 1 and one["state"] == "accepted"
    assert one["batch_id"] is None and one["receipt"] is None and one["tables"] == []
    assert one["rows"] == story.told["partly.csv"]["rows"] and one["rules"] == story.told["partly.csv"]["rules"]
    assert sorted(str(p) for p in story.home.rglob("*") if p.is_file()) == before


def test_a_check_needs_no_home(tmp_path):
    ran = run_gongzhi(
        "check", write(tmp_path / "a.csv", *hours(1)), "-b", "beibei", cwd=tmp_path, PYTHONDONTWRITEBYTECODE="1"
    )
    assert ran.exit == 0 and "可以提交" in ran.out
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.parametrize(
    ("words", "exit", "zh", "en"),
    [
        (["check", "a.csv", "-b", "nobody"], 1, "不认识的报送单位", "unknown bureau"),
        (["check", "a.csv"], 2, "", ""),
        (["check", "missing.csv", "-b", "beibei"], (1, 2), "", ""),
        (["template", "noise", "-o", "t.xlsx"], 2, "没有数据集", "no data set"),
        (["verify", "everything"], 2, "不能核验", "cannot verify"),
        (["waive", "AIR-999", "-b", "beibei", "--station", "1414A", "--since", "2026-04-01", "--until", "2026-04-30", "--reason", "x",
          "--author", "y", "--expires", "2026-12-31"], 2, "没有规则", "no rule"),
        (["report", "b-20260101-000000000000"], 2, "批次", "batch"),
    ],
)  # fmt: skip
def test_wrong_use_and_refusal_have_their_exit_codes_in_both_languages(words, exit, zh, en, home, tmp_path):
    write(tmp_path / "a.csv", *hours(1))
    for lang, says in (("zh", zh), ("en", en)):
        ran = run_gongzhi(*words, home=home, lang=lang, cwd=tmp_path)
        assert ran.exit in (exit if isinstance(exit, tuple) else (exit,)), ran.err
        assert says in ran.out + ran.err and "Traceback" not in ran.err


def test_a_broken_home_exits_with_three(home):
    (home / "records.db").write_bytes(b"no database at all, but long enough to be read as one" * 100)
    ran = run_gongzhi("batches", home=home)
    assert ran.exit == 3 and "Traceback" not in ran.err and ran.err.strip()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_command_helps_in_its_language(lang):
    from typer.main import get_command

    from portal.cli import app

    ran = run_gongzhi("--help", lang=lang)
    assert ran.exit == 0
    for name in get_command(app).commands:
        assert name in ran.out
    chinese = len(re.findall("[一-鿿]", ran.out))
    assert chinese > 100 if lang == "zh" else chinese == 0, ran.out


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_what_is_told_of_a_file_is_in_one_language(lang, story):
    ran = story.run("check", story.folder / "partly.csv", story.folder / "refused.csv", "-b", "beibei", lang=lang)
    told = re.sub("[“\"'].*?[”\"']|甲.*?乙|甲|乙", "", ran.out)
    words = ("退回", "应为") if lang == "zh" else ("refused", "rows 4: clean 2, partial 1, refused 1")
    assert all(word in ran.out for word in words)
    if lang == "zh":
        assert "row " not in told and "quarantined" not in told and "flagged" not in told
    else:
        assert "退回" not in told and "隔离" not in told


# -- receipts, batches, reports -----------------------------------------------------------------------------------------


def test_batches_are_listed_newest_first(story):
    ran = story.run("batches", "--json")
    assert ran.exit == 0
    listed = ran.objects
    assert [b["file_name"] for b in listed] == ["corrected.csv", "refused.csv", "partly.csv", "good.csv"]
    assert [b["state"] for b in story.run("batches", "--state", "refused", "--json").objects] == ["refused"]
    assert story.run("batches", "--bureau", "mianyang", "--json").objects == []
    assert "corrected.csv" in story.run("batches").out


def test_a_receipt_verifies_off_line_and_a_changed_one_does_not(story, tmp_path):
    ran = story.run("receipt", story.told["good.csv"]["receipt"])
    assert ran.exit == 0
    path = tmp_path / "receipt.json"
    path.write_text(ran.out, encoding="utf-8")
    good = story.folder / "good.csv"
    assert run_gongzhi("verify", "receipt", path, "--file", good).exit == 0
    assert story.run("verify", "receipt", path, "--file", good).exit == 0
    other = run_gongzhi("verify", "receipt", path, "--file", story.folder / "partly.csv")
    assert other.exit == 1 and other.out.strip()
    path.write_text(
        ran.out.replace(story.told["good.csv"]["sha256"], story.told["partly.csv"]["sha256"]), encoding="utf-8"
    )
    changed = run_gongzhi("verify", "receipt", path)
    assert changed.exit == 1
    assert run_gongzhi("verify", "receipt", tmp_path / "none.json").exit == 1


def test_a_report_as_csv_has_every_finding(story, tmp_path):
    batch = story.told["partly.csv"]["batch_id"]
    ran = story.run("report", batch, "-o", tmp_path / "r.csv")
    assert ran.exit == 0 and ran.out == "" and "r.csv" in ran.err
    rows = list(csv.reader(io.StringIO((tmp_path / "r.csv").read_text("utf-8-sig"))))
    assert len(rows) == 1 + len(story.told["partly.csv"]["findings"])
    assert any("AIR-016" in row and "3O" in row for row in rows)


def test_a_report_as_workbook_is_the_uploaders_table_with_its_cells_explained(story, tmp_path):
    import openpyxl

    batch = story.told["partly.csv"]["batch_id"]
    assert story.run("report", batch, "-o", tmp_path / "r.xlsx").exit == 0
    sheet = openpyxl.load_workbook(tmp_path / "r.xlsx").worksheets[0]
    header = [str(c.value) for c in sheet[1]]
    assert header[:10] == HEADER.split(",") and {"错误说明", "说明（填报人填写）"} <= set(header)
    cell = sheet["D4"]
    assert cell.value == "3O" and cell.comment is not None and "AIR-016" in cell.comment.text
    assert cell.fill.fill_type == "solid"
    assert "AIR-016" in str(sheet.cell(4, header.index("错误说明") + 1).value) or "不是数值" in str(
        sheet.cell(4, header.index("错误说明") + 1).value
    )


def test_a_report_without_output_lists_the_findings(story):
    ran = story.run("report", story.told["partly.csv"]["receipt"], "--json")
    assert [f["rule"] for f in ran.objects] == [f["rule"] for f in story.told["partly.csv"]["findings"]]
    assert "不认识的格式" in story.run("report", story.told["refused.csv"]["batch_id"]).out


# -- reading what is shared ---------------------------------------------------------------------------------------------


def test_tables_tell_versions_and_sizes(story):
    ran = story.run("tables", "--json")
    found = {row["table"]: row for row in json.loads(ran.out)}
    assert found["air_observation"]["version"] == story.told["corrected.csv"]["tables"][0]["version"]
    assert "air_observation" in story.run("tables").out


def test_a_query_sees_what_is_current_and_what_was_known_then(story):
    sql = "select value from air_observation where parameter = 'PM2.5' and period_start = '2026-04-01 01:00:00+08'"
    now = story.run("query", sql, "-f", "json")
    assert now.exit == 0, now.err
    assert json.loads(now.out) == [{"value": 46.0}]
    then = story.run("query", sql, "--as-of", story.between, "-f", "json")
    assert json.loads(then.out) == [{"value": 36.0}]
    before = story.run("query", sql, "--as-of", "2020-01-01", "-f", "json")
    assert json.loads(before.out) == []
    history = story.run("query", sql.replace("from air_observation", "from air_observation_history"), "-f", "csv")
    assert sorted(history.out.split()[1:]) == ["36.0", "46.0"]


def test_a_query_only_reads(story, tmp_path):
    for sql in (
        "drop view air_observation",
        f"copy (select 1) to '{tmp_path / 'out.csv'}'",
        "select * from read_csv('/etc/passwd')",
        "select 1; select 2",
        "select * from no_such_table",
    ):
        ran = story.run("query", sql)
        assert ran.exit in (1, 2) and ran.out == "" and "Traceback" not in ran.err and ran.err.strip(), sql
    assert not (tmp_path / "out.csv").exists()


def test_a_query_goes_into_parquet_and_csv(story, tmp_path):
    import pyarrow.parquet as pq

    assert story.run("query", "select * from air_observation", "-f", "parquet", "-o", tmp_path / "a.parquet").exit == 0
    assert pq.read_table(tmp_path / "a.parquet").num_rows == 24 + 17
    assert story.run("query", "select 1 as a", "-f", "parquet").exit == 2
    assert story.run("query", "select 1 as a", "-f", "xml").exit == 2
    assert story.run("query", "select '静观' as a", "-f", "csv").out == "a\n静观\n"


def test_changes_are_those_since_a_version(story):
    first = story.told["good.csv"]["tables"][0]["version"]
    ran = story.run(
        "changes", "air_observation", "--since", str(story.told["partly.csv"]["tables"][0]["version"]), "-f", "json"
    )
    assert ran.exit == 0, ran.err
    [change] = [row for row in json.loads(ran.out)]
    assert change["change"] == "corrected" and change["batch_id"] == story.told["corrected.csv"]["batch_id"]
    everything = json.loads(story.run("changes", "air_observation", "-f", "json").out)
    assert sum(row["change"] == "added" for row in everything) == 24 + 17 and first >= 0
    assert story.run("changes", "noise").exit == 2


# -- evidence -----------------------------------------------------------------------------------------------------------


def test_the_chain_and_the_tables_verify(story):
    ran = story.run("verify", "--json")
    assert ran.exit == 0 and json.loads(ran.out)["ok"] is True
    assert story.run("verify", "chain").exit == 0 and story.run("verify", "tables").exit == 0


def test_a_flipped_bit_in_a_table_is_found(story, tmp_path):
    home = Path(shutil.copytree(story.home, tmp_path / "home"))
    path = max((home / "tables/air_observation").rglob("*.parquet"), key=lambda p: p.stat().st_size)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    ran = run_gongzhi("verify", "tables", home=home)
    assert ran.exit == 1 and path.name in ran.out
    assert run_gongzhi("verify", "chain", home=home).exit == 0


def test_a_rebuild_gives_the_same_tables(story, tmp_path):
    home = Path(shutil.copytree(story.home, tmp_path / "home"))
    ran = run_gongzhi("rebuild", home=home)
    assert ran.exit == 0, ran.out + ran.err
    assert "air_observation" in ran.out and not (home / "tables.rebuilt").exists()
    upload = max((home / "uploads").rglob("*"), key=lambda p: (p.is_file(), p.stat().st_size))
    upload.unlink()
    ran = run_gongzhi("rebuild", home=home)
    assert ran.exit == 1 and "缺失" in ran.out


def test_the_doctor_looks_at_home_and_surroundings(story, tmp_path):
    ran = story.run("doctor")
    assert ran.exit == 0 and "✗" not in ran.out and "221" in ran.out or "条规则" in ran.out
    assert run_gongzhi("doctor").exit == 0
    assert run_gongzhi("doctor", home=tmp_path / "nowhere").exit == 3


# -- the rest -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dataset", ["air", "water", "soil", "credit", "penalty", "experts"])
def test_a_template_is_taken_back_by_its_own_layout(dataset, tmp_path):
    path = tmp_path / "t.xlsx"
    ran = run_gongzhi("template", dataset, "-o", path, "-b", "beibei")
    assert ran.exit == 0 and path.exists() and ran.out == ""
    [told] = run_gongzhi("check", path, "-b", "beibei", "--json").objects
    assert told["layout"] in (f"{dataset}_template", None)
    assert told["results"]["published"] == 0 and "Traceback" not in str(told)


def test_a_draft_of_a_layout_can_be_put_in_the_home_and_used(home, tmp_path):
    path = tmp_path / "month.csv"
    path.write_text(
        "断面编码,断面,采样日期,氨氮(mg/L),总磷(mg/L)\nBBW01,北温泉,2026-04-01,0.21,0.06\nBBW01,北温泉,2026-04-02,0.22,0.05\n",
        encoding="utf-8",
    )
    ran = run_gongzhi("propose", path, "-b", "beibei", "-d", "water", home=home)
    assert ran.exit == 0 and "[results]" in ran.out and "NH3-N" in ran.out
    folder = home / "bureaus/beibei"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "month.toml").write_text(ran.out, encoding="utf-8")
    [told] = run_gongzhi("check", path, "-b", "beibei", "--json", home=home).objects
    assert (told["layout"], told["results"]["published"]) == ("month", 4), told


def test_an_expert_list_is_checked_and_never_kept(home, tmp_path):
    path = tmp_path / "experts.csv"
    path.write_text(
        "姓名,证件号码,工作单位,单位统一社会信用代码,专业领域,职称,手机号,证书有效期至\n"
        "张三丰,110101199003078030,测试大学,,大气,教授,13812345678,2027-12-31\n",
        encoding="utf-8",
    )
    ran = run_gongzhi("check", path, "-b", "beibei", "--json", home=home)
    assert ran.exit == 1 and "EXPERT-006" in ran.out
    assert "110101199003078030" not in ran.out and "13812345678" not in ran.out
    ran = run_gongzhi("submit", path, "-b", "beibei", "--json", home=home)
    assert ran.exit == 1 and ran.objects[0]["error"]["code"] == "no-roster"
    kept = b"".join(p.read_bytes() for p in home.rglob("*") if p.is_file())
    assert b"110101199003078030" not in kept and b"13812345678" not in kept


def test_the_records_work_on_either_database(database_url, tmp_path):
    home = tmp_path / "home"
    known = {"home": home, "GONGZHI_DATABASE_URL": database_url}
    assert run_gongzhi("init", **known).exit == 0
    dust = write(tmp_path / "dust.csv", "1414A,缙云山,2026-04-01 00:00,90,60,6,20,0.6,80,")
    before = run_gongzhi("check", dust, "-b", "beibei", "--json", **known).objects[0]
    assert [f["rule"] for f in before["findings"]] == ["AIR-040"]
    words = ["waive", "AIR-040", "-b", "beibei", "--station", "1414A", "--since", "2026-03-31", "--until", "2026-04-30"]
    ran = run_gongzhi(*words, "--reason", "沙尘", "--author", "张工", "--expires", "2099-12-31", **known)
    assert ran.exit == 0, ran.err
    ran = run_gongzhi("submit", dust, "-b", "beibei", "--json", **known)
    [told] = ran.objects
    assert ran.exit == 0 and told["findings"] == [] and told["results"]["flagged"] == 0
    [listed] = run_gongzhi("batches", "--json", **known).objects
    assert (listed["batch_id"], listed["receipt_number"]) == (told["batch_id"], told["receipt"])
    receipt = tmp_path / "receipt.json"
    receipt.write_text(run_gongzhi("receipt", told["receipt"], **known).out, encoding="utf-8")
    assert run_gongzhi("verify", "receipt", receipt, "--file", dust, **known).exit == 0
    assert run_gongzhi("verify", **known).exit == 0
    assert run_gongzhi("rebuild", **known).exit == 0
    assert run_gongzhi("doctor", **known).exit == 0
    if not database_url.startswith("sqlite"):
        assert not (home / "records.db").exists()


def test_a_day_is_sealed_and_the_chain_verifies_against_it(story, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(story.home, home)
    sealed = run_gongzhi("seal", "--day", "2026-11-23", home=home)
    document = json.loads(sealed.out)
    assert sealed.exit == 0 and (document["number"], document["day"]) == (1, "2026-11-23")
    assert run_gongzhi("verify", "chain", home=home).exit == 0


def test_a_batch_is_judged_again_and_both_verdicts_stay(story, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(story.home, home)
    batch = json.loads(run_gongzhi("batches", "--json", "--state", "published", home=home).out.splitlines()[0])
    again = json.loads(run_gongzhi("judge", batch["batch_id"], "--json", home=home).out)
    assert again["state"] == "accepted" and again["rows"] == batch["rows"] and again["batch_id"] == batch["batch_id"]
    assert json.loads(run_gongzhi("batches", "--json", home=home).out.splitlines()[0])["state"] == batch["state"]
