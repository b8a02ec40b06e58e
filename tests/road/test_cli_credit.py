"""The commands of the credit register as inspectors use them: real processes, a real home, every kind of nothing."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from conftest import PROJECT, Ran, run_gongzhi

from credit_registry.nothing import KINDS
from credit_registry.trace import Asker, trace
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


def run(home: Path, *words: str | Path, **more: Any) -> Ran:
    return run_gongzhi("credit", *words, home=home, **{**WHO, **more})


def deliver(home: Path, bureau: str, *names: str) -> None:
    files = [path for name in names for path in sorted((DELIVERIES / bureau).glob(name)) if "补报" not in path.name]
    assert files
    ran = run_gongzhi("submit", *files, "-b", bureau, home=home)
    assert ran.exit == 0, ran.err


@pytest.fixture(scope="module")
def both(empty_home, tmp_path_factory) -> Path:
    """A home with the ratings and penalties of both bureaus; the penalty of one enterprise is repaired."""
    home = Path(shutil.copytree(empty_home, tmp_path_factory.mktemp("credit") / "home"))
    for bureau in ("beibei", "mianyang"):
        deliver(home, bureau, "企业环境信用评价结果*", "行政处罚*")
    ran = run(
        home, "message", "repair", BEIBEI_ONLY, "--penalty", PENALTY, "--reason", "已整改", "--document", "修复1号",
        "--author", "王工", "--unit", "beibei",
    )  # fmt: skip
    assert ran.exit == 0, ran.err
    return home


@pytest.fixture(scope="module")
def one_sided(empty_home, tmp_path_factory) -> Path:
    """A home to which only Beibei sent anything."""
    home = Path(shutil.copytree(empty_home, tmp_path_factory.mktemp("half") / "home"))
    deliver(home, "beibei", "企业环境信用评价结果*")
    return home


@pytest.fixture(scope="module")
def known_unrated(both, tmp_path_factory) -> Path:
    """Beibei penalised an enterprise it never rated."""
    folder = tmp_path_factory.mktemp("unrated")
    home = Path(shutil.copytree(both, folder / "home", symlinks=True))
    head = (DELIVERIES / "beibei" / "行政处罚_2026年4月.csv").read_text(encoding="utf-8-sig").splitlines()[0]
    row = f"重庆钰普科技有限公司,{UNRATED},碚环罚〔2026〕9009号,扬尘,《中华人民共和国大气污染防治法》第一百一十七条,罚款,10000"
    row += ",2026-02-03,2026-04-02,重庆市北碚区生态环境局,未修复"
    (folder / "p.csv").write_text(f"{head}\n{row}\n", encoding="utf-8")
    ran = run_gongzhi("submit", folder / "p.csv", "-b", "beibei", "-d", "penalty", home=home)
    assert ran.exit == 0, ran.out + ran.err
    return home


def by_bureau(document: dict[str, Any], block: str) -> dict[str, str]:
    return {one["bureau"]: one["state"] for one in document[block]["by_bureau"]}


def test_a_look_up_says_what_counts_and_why(both):
    ran = run(both, "lookup", BOTH)
    assert ran.exit == 0, ran.err
    assert "环保良好企业 86" in ran.out and "cy-2026-1" in ran.out and "未签署" in ran.out
    assert "关注等级：JS" in ran.out and "绵环罚〔2026〕9003号" in ran.out
    english = run(both, "lookup", BOTH, lang="en")
    assert "attention: JS" in english.out and "What is not known" in english.out
    (document,) = run(both, "lookup", BOTH, "--json").objects
    assert [(one["bureau"], one["own"], one["recognised"]) for one in document["ratings"]["lines"]] == [
        ("beibei", False, True), ("mianyang", True, True),
    ]  # fmt: skip
    assert re.fullmatch(r"q-\d{8}-[0-9a-f]{12}", document["query"]["id"])


# -- every kind of nothing ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def nothings(both, one_sided, known_unrated) -> dict[str, tuple[Path, str, str, str]]:
    """Where each kind of nothing is met: home, code, block and bureau; for no data at all see below."""
    return {
        "not_rated": (known_unrated, UNRATED, "ratings", "beibei"),
        "no_record": (both, UNKNOWN, "ratings", "beibei"),
        "withheld": (both, BEIBEI_ONLY, "penalties", "beibei"),
        "source_unavailable": (one_sided, BEIBEI_ONLY, "ratings", "mianyang"),
    }


@pytest.mark.parametrize("kind", ["not_rated", "no_record", "withheld", "source_unavailable"])
def test_each_kind_of_nothing_is_told_on_the_terminal_in_json_on_the_slip_and_in_excel(nothings, kind, tmp_path):
    home, code, block, bureau = nothings[kind]
    words = KINDS[kind][0]
    shown = run(home, "lookup", code)
    assert f"{bureau}：{words}" in shown.out, shown.err
    (document,) = run(home, "lookup", code, "--json").objects
    assert by_bureau(document, block)[bureau] == kind
    assert document["unknown"]["message"].startswith("空白不代表信用良好")

    ran = run(home, "slip", code, "-o", tmp_path / "s.json")
    assert ran.exit == 0, ran.err
    slip = json.loads((tmp_path / "s.json").read_text(encoding="utf-8"))
    assert by_bureau(slip["answer"], block)[bureau] == kind

    (tmp_path / "l.csv").write_text(f"统一社会信用代码,企业名称\n{code},某公司\n", encoding="utf-8")
    run(home, "screen", tmp_path / "l.csv", "-o", tmp_path / "o.xlsx")
    cells = [
        str(cell.value)
        for row in openpyxl.load_workbook(tmp_path / "o.xlsx").worksheets[0].iter_rows(min_row=2)
        for cell in row
    ]
    said = {"no_record": "未查"}.get(kind, words)
    assert any(said in text for text in cells), cells
    assert all(text not in ("None", "") for text in cells[-4:]), "no cell about records is blank"


def test_a_home_without_any_data_never_says_that_nothing_was_found(empty_home, tmp_path):
    home = Path(shutil.copytree(empty_home, tmp_path / "home"))
    shown = run(home, "lookup", BOTH)
    assert shown.exit == 1
    assert "来源正常" not in shown.out.split("【4")[0] and "来源不可用" in shown.out
    (document,) = run(home, "lookup", BOTH, "--json").objects
    assert document["state"] == "source_unavailable" and document["attention"]["level"] is None
    (found,) = run(home, "search", "示例", "--json").objects
    assert (found["state"], found["candidates"]) == ("source_unavailable", [])
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
    fuzzy = run(both, "lookup", "涪滨包装")
    assert fuzzy.exit == 1 and BOTH in fuzzy.out and "按名称只列候选" in fuzzy.err and "【2" not in fuzzy.out
    assert run(both, "search", "涪滨包装").exit == 0
    assert run(both, "search", "slfbbz", "--json").objects[0]["candidates"][0]["matched"] == "pinyin_initials"


def test_the_whole_present_name_of_one_enterprise_opens_it_and_says_so(both):
    ran = run(both, "lookup", "四川示例涪滨包装有限公司")
    assert ran.exit == 0 and BOTH in ran.out and "完全一致" in ran.err


# -- who asks, and who looked ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "environment", "said"),
    [
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
    told = run_gongzhi("alarms", "--json", home=home).objects
    (alarm,) = [one for one in told if one["code"] == "bulk-lookups"]
    assert alarm["source"] == "credit/gao" and "51" in alarm["message"]


# -- papers ---------------------------------------------------------------------------------------------------


def test_a_slip_verifies_off_line_and_is_updated_after_a_correction(both, tmp_path):
    home = Path(shutil.copytree(both, tmp_path / "home", symlinks=True))
    slip = tmp_path / "s.json"
    assert run(home, "slip", BOTH, "-o", slip).exit == 0
    assert run_gongzhi("verify", "slip", slip, home=home).exit == 0
    assert run_gongzhi("verify", "slip", slip).exit == 0, "nothing but the document"
    key = "SC-2019|绵阳市生态环境局|市级|2025|"
    more = ("--reason", "企业申诉", "--document", "异议1号", "--author", "王工")
    assert run(home, "message", "objection", BOTH, "--rating", key, *more).exit == 0
    assert run_gongzhi("backup", "-o", tmp_path / "backups", home=home).exit == 0
    assert list((tmp_path / "backups").glob("*/credit/slips/q-*.json")), "slips given out are in the backup"
    after = run_gongzhi("verify", "slip", slip, home=home)
    assert after.exit == 1 and "已更新" in after.out
    slip.write_text(slip.read_text(encoding="utf-8").replace("71", "91", 1), encoding="utf-8")
    forged = run_gongzhi("verify", "slip", slip)
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
    assert run_gongzhi("credit", "draw", "--verify", result).exit == 0
    result.write_text(result.read_text(encoding="utf-8").replace("91500109MAYY00018G", "91500109MAYY00026B"), "utf-8")
    assert run_gongzhi("credit", "draw", "--verify", result).exit == 1
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


@pytest.fixture
def parties(both, empty_home, tmp_path) -> tuple[Party, Party]:
    """Beibei with its data and Mianyang, each with a home and a key of its own."""
    beibei = Path(shutil.copytree(both, tmp_path / "beibei", symlinks=True))
    mianyang = tmp_path / "mianyang"
    assert run_gongzhi("init", "--home", mianyang).exit == 0
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
        assert run_gongzhi("credit", "draw", "--verify", result).exit == 0, "nothing but the result"
        results.append(json.loads(result.read_text(encoding="utf-8")))
    for name in ("seed", "strata", "visits", "commitment", "secrets", "outside_all_strata"):
        assert results[0][name] == results[1][name], name
    assert results[0]["assurance"] == "two-parties" and results[0]["visits"]
    assert set(results[0]["secrets"]) == {"beibei", "mianyang"}

    forged = changed(beibei.folder / "beibei.json", visits=[])
    assert run_gongzhi("credit", "draw", "--verify", forged).exit == 1


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
        assert run_gongzhi("verify", "chain", home=party.home).exit == 0


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
    assert first.objects == again.objects and first.objects[0]["version"].startswith("r2.p2.")
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
