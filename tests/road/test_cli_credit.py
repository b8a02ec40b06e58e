"""The commands of the credit register as inspectors use them: real processes, a real home, every kind of nothing."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pypdf
import pytest
from conftest import PROJECT, Ran
from warm_commands import Warm

from credit_registry.inspection import list_sha256
from credit_registry.nothing import KINDS
from credit_registry.trace import Asker, trace
from pipelines.batch import Places
from pipelines.sync import Road, submit
from records.chain import canonical
from records.credit import accesses
from records.keys import KeyRing, sign_document
from records.store import Records

DELIVERIES = PROJECT / "examples" / "deliveries"
BOTH = "91510703MAYY00018W"
"""Rated by both bureaus, penalised by Mianyang."""
BEIBEI_ONLY = "91500109MAYY00050U"
"""Rated 警示 and penalised by Beibei only."""
UNKNOWN = "91500109MAD84FQW8X"
UNRATED = "91500227MA5U6NWC04"
PENALTY = "碚环罚〔2026〕9001号"
WHO = {"GONGZHI_UNIT": "mianyang/执法支队", "GONGZHI_PURPOSE": "检查前核查", "GONGZHI_USER": "li"}


warm = Warm()


@pytest.fixture(scope="module", autouse=True)
def warmed() -> Iterator[None]:
    yield
    warm.close()


def run(home: Path, *words: str | Path, **more: str) -> Ran:
    return warm.run("credit", *words, home=home, **{**WHO, **more})


HEAD = "当事人名称,统一社会信用代码,决定书文号,违法事实,处罚依据,处罚内容,罚款金额(元),违法行为日期,决定日期,处罚机关,修复状态"
ACT = "《中华人民共和国大气污染防治法》第一百一十七条,罚款,10000,2026-02-03,2026-04-02,重庆市北碚区生态环境局,未修复"


@dataclass(frozen=True)
class Homes:
    """One home at three moments: only Beibei's ratings; what both bureaus sent; and another authority's penalty."""

    one_sided: Path
    both: Path
    without_code: Path


@pytest.fixture(scope="module")
def homes(warmed, empty_home, tmp_path_factory) -> Homes:
    folder = tmp_path_factory.mktemp("credit")
    home = Path(shutil.copytree(empty_home, folder / "home"))
    unrated, bare = folder / "行政处罚_又一件.csv", folder / "行政处罚_无代码.csv"
    unrated.write_text(f"{HEAD}\n重庆钰普科技有限公司,{UNRATED},碚环罚〔2026〕9009号,扬尘,{ACT}\n", encoding="utf-8")
    bare.write_text(f"{HEAD}\n某无码砖厂,,碚环罚〔2026〕9010号,扬尘,{ACT}\n", encoding="utf-8")
    places = Places(home, f"sqlite:///{home / 'records.db'}", str(home / "tables"))
    with (
        Records.open(places.database_url) as records,
        Road(places, lambda: datetime.now(UTC), records, warm=True) as road,
    ):
        road.start(gate=True)

        def deliver(bureau: str, files: list[Path], dataset: str | None = None) -> None:
            made = [one for path in files for one in submit(road, path, bureau, dataset)]
            assert [one.state for one in made] == ["published"] * len(files), made

        deliver("beibei", delivered("beibei", "企业环境信用评价结果*"))
        one_sided = Path(shutil.copytree(home, folder / "half", symlinks=True))
        deliver("beibei", delivered("beibei", "行政处罚*"))
        deliver("beibei", [unrated], "penalty")
        deliver("mianyang", delivered("mianyang", "企业环境信用评价结果*") + delivered("mianyang", "行政处罚*"))
        both = Path(shutil.copytree(home, folder / "both", symlinks=True))
        deliver("notices", [bare], "penalty")
    ran = run(
        both, "message", "repair", BEIBEI_ONLY, "--penalty", PENALTY, "--reason", "已整改", "--document", "修复1号",
        "--author", "王工", "--unit", "beibei",
    )  # fmt: skip
    assert ran.exit == 0, ran.err
    return Homes(one_sided, both, home)


def delivered(bureau: str, name: str) -> list[Path]:
    found = [path for path in sorted((DELIVERIES / bureau).glob(name)) if "补报" not in path.name]
    assert found
    return found


@pytest.fixture(scope="module")
def both(homes) -> Path:
    return homes.both


@pytest.fixture(scope="module")
def one_sided(homes) -> Path:
    """A home to which only Beibei sent anything."""
    return homes.one_sided


@pytest.fixture(scope="module")
def known_unrated(both) -> Path:
    """Beibei penalised an enterprise it never rated."""
    return both


def by_bureau(document: dict[str, Any], block: str) -> dict[str, str]:
    return {one["bureau"]: one["state"] for one in document[block]["by_bureau"]}


def test_a_look_up_says_what_counts_and_why(both):
    ran = run(both, "lookup", BOTH)
    assert ran.exit == 0, ran.err
    assert "环保良好企业 86" in ran.out and "cy-2026-1" in ran.out and "未签署" in ran.out
    assert "关注等级：环保警示企业（绵阳市生态环境局 2025），须关注" in ran.out and "绵环罚〔2026〕9003号" in ran.out
    english = run(both, "lookup", BOTH, lang="en")
    assert "attention: JS" in english.out and "What is not known" in english.out
    (document,) = run(both, "lookup", BOTH, "--json").objects
    assert [(one["bureau"], one["own"], one["recognised"]) for one in document["ratings"]["lines"]] == [
        ("beibei", False, True), ("mianyang", True, True),
    ]  # fmt: skip
    assert re.fullmatch(r"q-\d{8}-[0-9a-f]{12}", document["query"]["id"])


# -- every kind of nothing ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def withdrawn(both, tmp_path_factory) -> Path:
    """Beibei withdrew its rating of an enterprise it penalised and repaired."""
    home = Path(shutil.copytree(both, tmp_path_factory.mktemp("withdrawn") / "home", symlinks=True))
    (document,) = run(home, "lookup", BEIBEI_ONLY, "--json").objects
    (rated,) = document["ratings"]["lines"]
    ran = run(
        home, "message", "withdrawal", BEIBEI_ONLY, "--rating", rated["key"], "--reason", "重评", "--document", "撤1号",
        "--author", "王工", "--unit", "beibei",
    )  # fmt: skip
    assert ran.exit == 0, ran.err
    return home


@dataclass(frozen=True)
class Bare:
    """A home and an enterprise, and which kind of nothing each block holds for each bureau (``found`` where it does)."""

    home: Path
    code: str
    ratings: dict[str, str]
    penalties: dict[str, str]

    @property
    def said(self) -> list[tuple[str, str, str]]:
        """Block, bureau and kind of every nothing."""
        blocks = (("ratings", self.ratings), ("penalties", self.penalties))
        return [(block, b, kind) for block, kinds in blocks for b, kind in kinds.items() if kind != "found"]


def kinds(beibei: str, mianyang: str) -> dict[str, str]:
    return {"beibei": beibei, "mianyang": mianyang}


@pytest.fixture(scope="module")
def bares(both, one_sided, known_unrated, withdrawn, empty_home, tmp_path_factory) -> dict[str, Bare]:
    """Every kind of nothing in both blocks, and a home to which nobody ever sent anything."""
    nobody = Path(shutil.copytree(empty_home, tmp_path_factory.mktemp("nobody") / "home"))
    none, gone = "no_record", "source_unavailable"
    return {
        "unknown": Bare(both, UNKNOWN, kinds(none, none), kinds(none, none)),
        "unrated": Bare(known_unrated, UNRATED, kinds("not_rated", none), kinds("found", none)),
        "withdrawn": Bare(withdrawn, BEIBEI_ONLY, kinds("withheld", none), kinds("withheld", none)),
        "one-sided": Bare(one_sided, BEIBEI_ONLY, kinds("found", gone), kinds(gone, gone)),
        "nobody": Bare(nobody, UNKNOWN, kinds(gone, gone), kinds(gone, gone)),
    }


BARE = ("unknown", "unrated", "withdrawn", "one-sided", "nobody")
NAMES = {"beibei": "北碚区生态环境局", "mianyang": "绵阳市生态环境局"}
CLEAN = (
    "良好",
    "诚信",
    "守法",
    "合格",
    "优秀",
    "无违法",
    "无不良",
    "无处罚",
    "没有违法",
    "没有处罚",
    "没有问题",
    "信用正常",
)
DENIED = (
    "不等于良好", "不等于没有问题", "空白不代表信用良好或没有违法记录", "环保诚信企业", "环保良好企业",
)  # fmt: skip
"""Where a word of the clean may stand: in what denies it."""


def never_clean(text: str) -> None:
    """Refuse a text that calls an enterprise clean, of which nothing is known."""
    flat = re.sub(r"\s", "", text)
    for words in DENIED:
        flat = flat.replace(words, "")
    assert [word for word in CLEAN if word in flat] == []


def test_the_cases_hold_every_kind_of_nothing_in_both_blocks(bares):
    said = {(block, kind) for bare in bares.values() for block, _, kind in bare.said}
    assert tuple(bares) == BARE
    assert said == {(block, kind) for block in ("ratings", "penalties") for kind in KINDS} - {
        ("penalties", "not_rated")
    }


@pytest.mark.parametrize("name", BARE)
def test_each_kind_of_nothing_is_told_on_the_terminal_and_in_json(bares, name):
    bare = bares[name]
    shown, english = run(bare.home, "lookup", bare.code), run(bare.home, "lookup", bare.code, lang="en")
    parts = {
        "ratings": shown.out.split("【2")[1].split("【3")[0],
        "penalties": shown.out.split("【3")[1].split("【4")[0],
    }
    for block, bureau, kind in bare.said:
        assert f"{NAMES[bureau]}：{KINDS[kind][0]}" in parts[block], shown.out
        assert re.search(rf"{bureau}[:：] ?{re.escape(KINDS[kind][1])}", english.out), english.out
    (document,) = run(bare.home, "lookup", bare.code, "--json").objects
    for block, expected in (("ratings", bare.ratings), ("penalties", bare.penalties)):
        assert by_bureau(document, block) == expected
    assert document["unknown"]["message"].startswith("空白不代表信用良好")
    assert shown.exit == (0 if document["state"] == "found" else 1)
    if "found" not in bare.ratings.values():
        never_clean(shown.out)
        assert document["attention"]["level"] is None and not document["attention"]["incentive"]
        assert document["attention"]["flagged"] in (None, False) and "不等于良好" in document["attention"]["message"]


@pytest.mark.parametrize("name", BARE)
def test_each_kind_of_nothing_stands_on_the_slip_as_a_page_and_as_json(bares, name, tmp_path):
    bare = bares[name]
    ran = run(bare.home, "slip", bare.code, "-o", tmp_path / "s.pdf")
    assert ran.exit == 0, ran.err
    slip = json.loads((tmp_path / "s.json").read_text(encoding="utf-8"))
    assert by_bureau(slip["answer"], "ratings") == bare.ratings
    assert by_bureau(slip["answer"], "penalties") == bare.penalties
    page = re.sub(r"\s", "", "".join(one.extract_text() for one in pypdf.PdfReader(tmp_path / "s.pdf").pages))
    for _, bureau, kind in bare.said:
        assert re.sub(r"\s", "", f"{NAMES[bureau]}：{KINDS[kind][0]}") in page, page
    assert "空白不代表信用良好或没有违法记录" in page
    if "found" not in bare.ratings.values():
        never_clean(page)


@pytest.mark.parametrize("name", [name for name in BARE if name != "nobody"])
def test_each_kind_of_nothing_stands_in_the_workbook_and_no_cell_is_blank(bares, name, tmp_path):
    bare = bares[name]
    (tmp_path / "l.csv").write_text(f"统一社会信用代码,企业名称\n{bare.code},某公司\n", encoding="utf-8")
    ran = run(bare.home, "screen", tmp_path / "l.csv", "-o", tmp_path / "o.xlsx")
    assert (tmp_path / "o.xlsx").exists(), ran.err
    head, row = openpyxl.load_workbook(tmp_path / "o.xlsx").worksheets[0].iter_rows(values_only=True)
    cells = dict(zip(head, row, strict=True))
    columns = {"ratings": cells["信用评价"], "penalties": cells["行政处罚"]}
    for block, bureau, kind in bare.said:
        assert f"{NAMES[bureau]}：{KINDS[kind][0]}" in columns[block]
    assert all(cells[title].strip() not in ("", "None") for title in ("信用评价", "关注等级", "行政处罚", "不予展示"))
    if "found" not in bare.ratings.values():
        never_clean("".join(str(cells[title]) for title in ("状态", "说明", "信用评价", "关注等级", "行政处罚")))


def test_a_home_without_any_data_never_says_that_nothing_was_found(bares, tmp_path):
    home = bares["nobody"].home
    shown = run(home, "lookup", BOTH)
    assert shown.exit == 1
    assert "来源正常" not in shown.out.split("【4")[0] and "来源不可用" in shown.out
    (document,) = run(home, "lookup", BOTH, "--json").objects
    assert document["state"] == "source_unavailable" and document["attention"]["level"] is None
    (found,) = run(home, "search", "示例", "--json").objects
    assert (found["state"], found["candidates"]) == ("source_unavailable", [])
    (told,) = run(home, "history", BOTH, "--json").objects
    assert (told["state"], told["timeline"]) == ("source_unavailable", [])
    (tmp_path / "l.csv").write_text(f"企业名称\n{BOTH}\n", encoding="utf-8")
    ran = run(home, "screen", tmp_path / "l.csv", "-o", tmp_path / "o.xlsx")
    assert ran.exit == 3 and "查不到不等于没有记录" in ran.err and not (tmp_path / "o.xlsx").exists()


def test_an_enterprise_one_side_never_rated_is_not_rated_where_it_is_known(both):
    (document,) = run(both, "lookup", BEIBEI_ONLY, "--json", "--on", "2029-01-01").objects
    assert [one["state"] for one in document["ratings"]["lines"]] == ["stale"]
    assert document["attention"]["level"] is None


# -- names ----------------------------------------------------------------------------------------------------


def test_a_part_of_a_name_lists_candidates_with_what_matched_and_opens_nothing(both):
    ran = run(both, "lookup", "示例", "--json")
    assert ran.exit == 1
    (found,) = ran.objects
    assert found["document"] == "gongzhi-credit-candidates/1" and len(found["candidates"]) > 1
    assert all(one["matched"] and one["why"] and one["why_en"] for one in found["candidates"])
    fuzzy = run(both, "search", "涪滨包装")
    assert fuzzy.exit == 0 and BOTH in fuzzy.out and "名称中含有所查文字" in fuzzy.out
    assert run(both, "search", "slfbbz", "--json").objects[0]["candidates"][0]["matched"] == "pinyin_initials"


@pytest.mark.parametrize("command", ["lookup", "history", "slip"])
def test_a_name_never_opens_a_record_even_where_one_enterprise_bears_just_this_name(both, command, tmp_path):
    more = ("-o", tmp_path / "s.json") if command == "slip" else ()
    ran = run(both, command, "四川示例涪滨包装有限公司", *more)
    assert ran.exit == 1 and BOTH in ran.out and "名称一致" in ran.out and "【2" not in ran.out
    assert "不打开记录" in ran.err and f"gongzhi credit lookup {BOTH}" in ran.err
    assert not (tmp_path / "s.json").exists()
    with Records.open(f"sqlite:///{both / 'records.db'}") as records:
        (kept,) = accesses(records, limit=1)
    assert (kept.kind, kept.result, kept.uscc) == (command, "candidates", "")


def test_what_a_search_looked_in_is_told_with_it(both, one_sided):
    (found,) = run(one_sided, "search", "缙岭", "--json").objects
    states = {(one["bureau"], one["table"]): one["state"] for one in found["sources"]}
    assert states["beibei", "credit_rating"] == "found" and states["mianyang", "credit_rating"] == "source_unavailable"
    assert found["query"]["version"] and found["query"]["made_at"]
    shown = run(one_sided, "search", "没有的名字")
    assert "绵阳市生态环境局企业环境信用评价：来源不可用" in shown.out and found["query"]["version"] in shown.out


def test_a_record_without_a_code_is_opened_only_by_its_whole_name_and_only_where_that_is_asked(homes):
    home = homes.without_code
    listed = run(home, "lookup", "某无码砖厂")
    assert listed.exit == 1 and "--no-code" in listed.err, listed.out + listed.err
    opened = run(home, "lookup", "--no-code", "某无码砖厂")
    assert opened.exit == 0 and "9010" in opened.out
    assert run(home, "lookup", "--no-code", "某无码").exit == 1
    assert run(home, "lookup", "--no-code", "四川示例涪滨包装有限公司").exit == 1, "this one has a code"


# -- who asks, and who looked ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "environment", "said"),
    [
        (("lookup", "　"), {}, "企业名称"),
        (("slip", BOTH, "-o", "nowhere/s.pdf"), {}, "文件夹不存在"),
        (("slip", BOTH, "-o", "s.docx"), {}, ".pdf"),
        (("screen", __file__, "-o", "s.csv"), {}, ".xlsx"),
        (("lookup", BOTH), {"GONGZHI_PURPOSE": ""}, "--purpose"),
        (("lookup", BOTH), {"GONGZHI_UNIT": ""}, "--unit"),
        (("lookup", BOTH), {"GONGZHI_UNIT": "重庆市公安局"}, "不属于任何一方"),
        (("lookup", BOTH, "-p", "看看"), {}, "没有查询目的"),
        (("lookup", BOTH, "-p", "随机抽查"), {}, "--plan"),
        (("lookup", BOTH, "--known", "昨天"), {}, "--known"),
        (("lookup", BOTH, "--known", "2090-01-01"), {}, "不能晚于现在"),
        (("message", "repair", BOTH, "--reason", "a", "--document", "b", "--author", "c"), {}, "--rating"),
    ],
)
def test_wrong_use_is_told_and_ends_with_2(both, words, environment, said):
    ran = run(both, *words, **environment)
    assert (ran.exit, ran.out) == (2, "") and said in ran.err


def test_an_identity_number_is_masked_everywhere(both):
    ran = run(both, "lookup", "510703199001011231")
    assert ran.exit == 1 and "510703199001011231" not in ran.out + ran.err
    with Records.open(f"sqlite:///{both / 'records.db'}") as records:
        assert accesses(records, limit=1)[0].asked == "510***********1231"


def test_the_owner_sees_who_looked_at_its_records(both):
    run(both, "lookup", BEIBEI_ONLY, GONGZHI_USER="zhao", GONGZHI_CERTIFICATE="川A0007")
    (first, *_) = run(both, "readers", "--json", "--limit", "1", "--unit", "beibei").objects
    assert (first["user"], first["certificate"], first["uscc"], first["kind"]) == (
        "zhao",
        "川A0007",
        BEIBEI_ONLY,
        "lookup",
    )
    mine = run(both, "readers", "--json", "--unit", "mianyang").objects
    assert not any(one["uscc"] == BEIBEI_ONLY for one in mine), "Mianyang holds nothing on it"
    assert "zhao" in run(both, "readers", "--unit", "北碚区生态环境局").out


def test_only_who_sent_a_record_may_tell_of_its_repair(both):
    words = (
        "message",
        "repair",
        BOTH,
        "--penalty",
        "绵环罚[2026]9003号",
        "--reason",
        "a",
        "--document",
        "b",
        "--author",
        "c",
    )
    ran = run(both, *words, "--unit", "beibei")
    assert ran.exit == 2 and "谁认定、谁修复" in ran.err
    missing = run(
        both, "message", "repair", BOTH, "--penalty", "无此号", "--reason", "a", "--document", "b", "--author", "c"
    )
    assert missing.exit == 2 and "绵环罚〔2026〕9003号" in missing.err


def test_bulk_use_opens_an_alarm(both, tmp_path):
    home = Path(shutil.copytree(both, tmp_path / "home", symlinks=True))
    with Records.open(f"sqlite:///{home / 'records.db'}") as records:
        for _ in range(50):
            trace(
                records, Asker("gao", "mianyang", "", "review", ""), "lookup", BOTH, at=datetime.now(UTC), version="",
                result="found",
            )  # fmt: skip
    assert run(home, "lookup", BOTH, GONGZHI_USER="gao").exit == 0

    def open_ones() -> list[dict[str, Any]]:
        return [one for one in warm.run("alarms", "--json", home=home).objects if one["code"] == "bulk-lookups"]

    (alarm,) = open_ones()
    assert alarm["source"] == "credit/gao" and "51" in alarm["message"]
    ended = ("--handled", "credit/gao", "--author", "王工")
    assert warm.run("alarms", *ended, home=home).exit == 2, "nobody said what came of it"
    assert warm.run("alarms", *ended, "--reason", "年检核查，已补计划", home=home).exit == 0
    assert run(home, "lookup", BOTH, GONGZHI_USER="gao").exit == 0
    assert open_ones() == [], "what was looked into is not counted again"
    (shown,) = [one for one in warm.run("alarms", "--all", home=home).out.splitlines() if "办结" in one]
    assert "王工 办结：年检核查，已补计划" in shown
    assert warm.run("alarms", *ended, "--reason", "再来", home=home).exit == 2


# -- papers ---------------------------------------------------------------------------------------------------


def test_a_slip_verifies_off_line_and_is_updated_after_a_correction(both, other_home, tmp_path):
    home = Path(shutil.copytree(both, tmp_path / "home", symlinks=True))
    slip = tmp_path / "s.json"
    assert run(home, "slip", BOTH, "-o", slip).exit == 0
    assert warm.run("verify", "slip", slip, home=home).exit == 0
    assert warm.run("verify", "slip", slip).exit == 0, "nothing but the document"
    strange = warm.run("verify", "slip", slip, home=other_home)
    assert strange.exit == 1 and "不能确认" in strange.out and "公钥" in strange.out
    (tmp_path / "p.pdf").write_bytes(b"%PDF-1.7")
    assert "p.json" in warm.run("verify", "slip", tmp_path / "p.pdf", home=home).out
    key = "SC-2019|绵阳市生态环境局|市级|2025|"
    more = ("--reason", "企业申诉", "--document", "异议1号", "--author", "王工")
    assert run(home, "message", "objection", BOTH, "--rating", key, *more).exit == 0
    assert warm.run("backup", "-o", tmp_path / "backups", home=home).exit == 0
    assert list((tmp_path / "backups").glob("*/credit/slips/q-*.json")), "slips given out are in the backup"
    after = warm.run("verify", "slip", slip, home=home)
    assert after.exit == 1 and "已更新" in after.out
    slip.write_text(slip.read_text(encoding="utf-8").replace("71", "91", 1), encoding="utf-8")
    forged = warm.run("verify", "slip", slip)
    assert forged.exit == 1 and "无效" in forged.out


def test_a_draw_is_committed_drawn_and_done_again(both, tmp_path):
    (tmp_path / "o.csv").write_text(
        "对象编号,对象名称,本年已查次数,年度上限,排污许可管理类别,投诉属实次数\n"
        f"{BEIBEI_ONLY},澄江,0,,重点管理,0\n91500109MAYY00018G,缙岭,1,,一般,0\nP-1,某断面,0,,一般,0\n",
        encoding="utf-8",
    )
    (tmp_path / "f.csv").write_text(
        "执法证号,姓名,证件有效期至\nA1,张,2027-12-31\nA2,李,2027-12-31\nA3,王,2027-12-31\n", encoding="utf-8"
    )
    plan = PROJECT / "examples" / "inspection" / "plan-2026q4.toml"
    commitment, result = tmp_path / "c.json", tmp_path / "r.json"
    lists = ("--objects", tmp_path / "o.csv", "--officers", tmp_path / "f.csv")
    ran = run(both, "draw", plan, *lists, "--id", "D1", "-o", commitment, GONGZHI_UNIT="beibei")
    assert ran.exit == 0, ran.err
    frozen = json.loads(commitment.read_text(encoding="utf-8"))["list"]["objects"]
    assert {one["object_id"]: one["stratum"] for one in frozen}[BEIBEI_ONLY] == "special", "rated 警示"
    assert run(both, "draw", "--commitment", commitment, "-o", result).exit == 0
    assert warm.run("credit", "draw", "--verify", result).exit == 0
    assert warm.run("backup", "-o", tmp_path / "backups", home=both).exit == 0
    (secret,) = json.loads(result.read_text(encoding="utf-8"))["secrets"].values()
    assert [path for path in both.rglob("D1.secret") if path.read_text(encoding="ascii") == secret]
    kept = [path for path in (tmp_path / "backups").rglob("*") if path.is_file()]
    assert any(path.name == "D1.commitment" for path in kept)
    assert not any(secret.encode() in path.read_bytes() for path in kept), "who has a back-up knows no draw beforehand"
    result.write_text(result.read_text(encoding="utf-8").replace("91500109MAYY00018G", "91500109MAYY00026B"), "utf-8")
    assert warm.run("credit", "draw", "--verify", result).exit == 1
    again = run(both, "draw", plan, *lists, "--id", "D1", "-o", commitment, GONGZHI_UNIT="beibei")
    assert again.exit == 1 and "D1 在本数据目录已用过" in again.err


OBJECTS = f"""对象编号,对象名称,本年已查次数,年度上限,排污许可管理类别,投诉属实次数
{BEIBEI_ONLY},澄江,0,,重点管理,0
91500109MAYY00018G,缙岭,1,,一般,0
{BOTH},涪滨,0,,一般,0
P-1,某断面,0,,一般,0
"""
OFFICERS = "执法证号,姓名,证件有效期至\nA1,张,2027-12-31\nA2,李,2027-12-31\nA3,王,2027-12-31\n"


@dataclass(frozen=True)
class Party:
    """One bureau at a draw: its home, its folder of files, its key."""

    bureau: str
    home: Path
    folder: Path
    before: int = 0
    """Number of the last event its home already had: the home may be a copy of one that was drawn in."""

    @property
    def key(self) -> str:
        ring = KeyRing.open(self.home / "keys")
        return ring.current().public_key

    def draw(self, *words: str | Path, other: Party | None = None) -> Ran:
        trust = ("--key", other.key) if other else ()
        return run(self.home, "draw", *words, *trust, GONGZHI_UNIT=self.bureau)

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        with Records.open(f"sqlite:///{self.home / 'records.db'}") as records:
            found = records.events(after=self.before, limit=None)
        return [(one.kind, json.loads(one.payload)) for one in found if one.kind.startswith("draw-")]


@pytest.fixture(scope="module")
def other_home(warmed, tmp_path_factory) -> Path:
    """A home of its own key, just made, to copy from."""
    home = tmp_path_factory.mktemp("other") / "home"
    assert warm.run("init", "--home", home).exit == 0
    return home


@pytest.fixture
def parties(both, other_home, tmp_path) -> tuple[Party, Party]:
    """Beibei with its data and Mianyang, each with a home and a key of its own."""
    beibei = Path(shutil.copytree(both, tmp_path / "beibei", symlinks=True))
    mianyang = Path(shutil.copytree(other_home, tmp_path / "mianyang"))
    (tmp_path / "o.csv").write_text(OBJECTS, encoding="utf-8")
    (tmp_path / "f.csv").write_text(OFFICERS, encoding="utf-8")
    with Records.open(f"sqlite:///{beibei / 'records.db'}") as records:
        before = records.head().seq
    return Party("beibei", beibei, tmp_path, before), Party("mianyang", mianyang, tmp_path)


def committed_by_both(beibei: Party, mianyang: Party, *more: str) -> Path:
    first, joint = beibei.folder / "first.json", beibei.folder / "joint.json"
    plan = PROJECT / "examples" / "inspection" / "plan-2026q4.toml"
    lists = ("--objects", beibei.folder / "o.csv", "--officers", beibei.folder / "f.csv")
    for ran in (
        beibei.draw(plan, *lists, "--id", "D2", "-o", first, *more),
        mianyang.draw("--join", first, "-o", joint, other=beibei),
    ):
        assert ran.exit == 0, ran.err
    return joint


def changed(path: Path, **values: Any) -> Path:
    """Write a signed document anew with other values, its signature left as it was."""
    document = json.loads(path.read_text(encoding="utf-8")) | values
    copy = path.with_name(f"changed-{path.name}")
    copy.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    return copy


def wrongly_listed(path: Path, party: Party) -> Path:
    """Sign a list again in which an object stands in another stratum than the plan says, with its right hash."""
    document = json.loads(path.read_text(encoding="utf-8"))
    document["list"]["objects"][0]["stratum"] = "special"
    document["list_sha256"] = list_sha256(document["list"])
    del document["signature"]
    copy = path.with_name(f"wrong-{path.name}")
    signed = sign_document(document, KeyRing.open(party.home / "keys").current())
    copy.write_text(json.dumps(signed, ensure_ascii=False), encoding="utf-8")
    return copy


def test_a_lost_secret_has_a_way_out(parties):
    beibei, mianyang = parties
    joint = committed_by_both(beibei, mianyang)
    (beibei.home / "credit" / "draw-secrets" / "D2.secret").unlink()
    ran = beibei.draw("--reveal", joint, "-o", beibei.folder / "s.json", other=mianyang)
    assert ran.exit == 1 and "--replaces D2" in ran.err
    plan = PROJECT / "examples" / "inspection" / "plan-2026q4.toml"
    lists = ("--objects", beibei.folder / "o.csv", "--officers", beibei.folder / "f.csv")
    anew = ("--replaces", "D2", "--reason", "秘密数遗失", "-o", beibei.folder / "anew.json")
    assert beibei.draw(plan, *lists, "--id", "D2", *anew).exit == 1, "the id was used"
    assert beibei.draw(plan, *lists, "--id", "D3", *anew).exit == 0


def test_two_bureaus_draw_together_by_files_and_both_get_the_same(parties):
    beibei, mianyang = parties
    joint = committed_by_both(beibei, mianyang)
    for party, other in ((beibei, mianyang), (mianyang, beibei)):
        ran = party.draw("--reveal", joint, "-o", party.folder / f"{party.bureau}.secret.json", other=other)
        assert ran.exit == 0, ran.err
    results = []
    for party, other in ((beibei, mianyang), (mianyang, beibei)):
        result, told = party.folder / f"{party.bureau}.json", party.folder / f"{other.bureau}.secret.json"
        ran = party.draw("--commitment", joint, "--secret", told, "-o", result, other=other)
        assert ran.exit == 0, ran.err
        assert party.draw("--verify", result, other=other).exit == 0
        assert other.draw("--verify", result, other=party).exit == 0
        alone = other.draw("--verify", result)
        assert alone.exit == 0 and "重新计算一致" in alone.out and "没有核对签名人" in alone.err
        assert other.draw("--verify", result, other=other).exit == 1, "a named key must have signed"
        assert warm.run("credit", "draw", "--verify", result).exit == 0, "nothing but the result"
        results.append(json.loads(result.read_text(encoding="utf-8")))
    for name in ("seed", "strata", "visits", "commitment", "secrets", "outside_all_strata"):
        assert results[0][name] == results[1][name], name
    assert results[0]["assurance"] == "two-parties" and results[0]["visits"]
    assert set(results[0]["secrets"]) == {"beibei", "mianyang"}

    forged = changed(beibei.folder / "beibei.json", visits=[])
    assert warm.run("credit", "draw", "--verify", forged).exit == 1


def test_the_commitments_are_on_both_chains_before_anything_is_revealed_and_no_secret_is(parties):
    beibei, mianyang = parties
    joint = committed_by_both(beibei, mianyang)
    sha256 = hashlib.sha256(canonical(json.loads(joint.read_text(encoding="utf-8"))).encode()).hexdigest()
    secret = beibei.folder / "b.json"
    assert [payload["document_sha256"] for _, payload in mianyang.events()] == [sha256]
    assert sha256 not in str(beibei.events()) and len(beibei.events()) == 1
    assert beibei.draw("--reveal", joint, "-o", secret, other=mianyang).exit == 0
    assert [payload["document_sha256"] for _, payload in beibei.events()][-1] == sha256
    result = mianyang.folder / "r.json"
    assert mianyang.draw("--commitment", joint, "--secret", secret, "-o", result, other=beibei).exit == 0
    made = json.loads(result.read_text(encoding="utf-8"))
    assert [kind for kind, _ in mianyang.events()] == ["draw-committed", "draw-made"]
    assert mianyang.events()[-1][1]["result_sha256"] == hashlib.sha256(canonical(made).encode()).hexdigest()
    for party in parties:
        assert not any(one in str(party.events()) for one in made["secrets"].values())
        assert warm.run("verify", "chain", home=party.home).exit == 0


def test_a_draw_of_two_refuses_what_would_let_one_of_them_choose(parties):
    beibei, mianyang = parties
    joint = committed_by_both(beibei, mianyang, "--replaces", "D1", "--reason", "名单有误")
    first, secret, result = beibei.folder / "first.json", beibei.folder / "s.json", beibei.folder / "r.json"

    def refused(party: Party, *words: str | Path, other: Party | None, said: str) -> None:
        ran = party.draw(*words, "-o", result, other=other)
        assert ran.exit == 1 and said in ran.err and not result.exists(), ran.err

    refused(beibei, "--reveal", joint, other=None, said="--key")
    refused(beibei, "--reveal", first, other=None, said="对方尚未承诺")
    refused(beibei, "--join", joint, other=mianyang, said="beibei")
    refused(mianyang, "--join", first, other=beibei, said="已用过")
    refused(mianyang, "--join", changed(first, list_sha256="0" * 64), other=beibei, said="被改动过")
    (mianyang.home / "credit" / "draws" / "D2.list").unlink()  # as if it had not joined yet
    refused(mianyang, "--join", wrongly_listed(first, beibei), other=beibei, said="按方案的规则应为")
    refused(mianyang, "--reveal", changed(joint, public_source="彩票"), other=beibei, said="被改动过")
    refused(beibei, "--commitment", joint, other=mianyang, said="揭示")

    assert beibei.draw("--reveal", joint, "-o", secret, other=mianyang).exit == 0
    refused(mianyang, "--commitment", joint, "--secret", changed(secret, secret="0" * 64), other=beibei, said="改动过")

    # Mianyang, who now knows the secret of Beibei, signs a second commitment: Beibei's secret serves the first alone
    document = json.loads(joint.read_text(encoding="utf-8"))
    document["commitments"]["mianyang"] = "0" * 64
    second = beibei.folder / "second.json"
    signed = {name: value for name, value in document.items() if name != "signature"}
    signer = KeyRing.open(mianyang.home / "keys").current()
    second.write_text(json.dumps(sign_document(signed, signer), ensure_ascii=False), encoding="utf-8")
    refused(beibei, "--reveal", second, other=mianyang, said="另一份承诺书")
    assert document["list"]["replaces"] == "D1" and document["list"]["reason"] == "名单有误"


def test_the_list_of_a_draw_says_what_the_register_answered_the_bureau_of_the_plan(parties):
    beibei, mianyang = parties
    joint = json.loads(committed_by_both(beibei, mianyang).read_text(encoding="utf-8"))
    known = {one["object_id"]: one for one in joint["list"]["objects"]}
    assert known[BEIBEI_ONLY]["own_levels"] == ["环保警示企业"] and known[BEIBEI_ONLY]["register"] == "rated"
    assert known[BEIBEI_ONLY]["penalty_dates"] == [], "repaired: out of view"
    assert known[BOTH]["own_levels"] == ["环保良好企业"] and known[BOTH]["foreign_levels"] == ["环保警示企业"]
    assert len(known[BOTH]["penalty_dates"]) == 1
    assert (known["P-1"]["register"], known["P-1"]["own_levels"]) == ("no_record", []), "a place of its own number"


def test_an_enterprise_only_the_other_bureau_rates_is_not_rated_by_the_own_one(both, tmp_path):
    (tmp_path / "o.csv").write_text(OBJECTS, encoding="utf-8")
    (tmp_path / "f.csv").write_text(OFFICERS, encoding="utf-8")
    plan = (PROJECT / "examples" / "inspection" / "plan-2026q4.toml").read_text(encoding="utf-8")
    (tmp_path / "p.toml").write_text(plan.replace('bureau = "beibei"', 'bureau = "mianyang"'), encoding="utf-8")
    lists = ("--objects", tmp_path / "o.csv", "--officers", tmp_path / "f.csv")
    ran = run(both, "draw", tmp_path / "p.toml", *lists, "--id", "M1", "-o", tmp_path / "c.json")
    assert ran.exit == 0, ran.err
    objects = json.loads((tmp_path / "c.json").read_text(encoding="utf-8"))["list"]["objects"]
    (found,) = [one for one in objects if one["object_id"] == BEIBEI_ONLY]
    assert (found["register"], found["own_levels"]) == ("no_record", [])
    assert found["foreign_levels"]


@pytest.mark.parametrize("code", ["91500109MAYY00018Q", "510703199001011231"])
@pytest.mark.parametrize("command", ["lookup", "history"])
def test_a_refused_code_is_one_json_object_with_the_error(both, code, command):
    ran = run(both, command, code, "--json")
    assert ran.exit == 1
    (told,) = ran.objects
    assert set(told) == {"error"} and told["error"]["code"] == "bad-code"
    assert told["error"]["message"] in ran.err and told["error"]["message_en"]
    assert "510703199001011231" not in ran.out


def test_the_history_of_an_enterprise(both):
    ran = run(both, "history", BOTH, "--json")
    assert ran.exit == 0
    (found,) = ran.objects
    assert [(one["what"], one["bureau"]) for one in found["timeline"]] == [
        ("recorded", "beibei"), ("recorded", "mianyang"), ("recorded", "mianyang"),
    ]  # fmt: skip


def test_refresh_builds_anew_only_where_something_changed(both):
    first, again = run(both, "refresh", "--json"), run(both, "refresh", "--json")
    assert first.objects == again.objects and re.match(r"r2\.p\d+\.n\d+\.", first.objects[0]["version"])
    assert run(both, "refresh", "--force", "--json").objects[0]["made_at"] > first.objects[0]["made_at"]


def test_every_command_of_the_register_has_help_and_an_example_that_is_understood():
    from typer.main import get_command

    from portal.cli import app

    group = get_command(app).commands["credit"]
    assert set(group.commands) == {
        "lookup", "search", "history", "screen", "slip", "readers", "message", "refresh", "draw",
    }  # fmt: skip
    for name, command in group.commands.items():
        assert command.help, name
        examples = [
            line.strip() for line in command.callback.__doc__.splitlines() if line.strip().startswith("Example:")
        ]
        asked = shlex.split(examples[0].removeprefix("Example: gongzhi credit ").split(" > ")[0])
        known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        assert asked[0] == name and {word for word in asked[1:] if word.startswith("-")} <= known, name
