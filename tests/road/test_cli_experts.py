"""The commands of the expert pool as its staff use them: rosters in, matches, recusal, draws in one home and between two.

Run in this process with a clock handed to the app: a draw takes days, and most of what is looked at is what stands
afterwards. How errors become words and exit codes is ``portal.cli``'s, asked here the same way.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import redirect_stderr
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from conftest import PROJECT, run_gongzhi
from typer.testing import CliRunner

from portal.cli import _explain, app

EXAMPLES = PROJECT / "examples"
ROSTERS = {
    "beibei": EXAMPLES / "deliveries/beibei/专家名册_2026年.xlsx",
    "mianyang": EXAMPLES / "deliveries/mianyang/专家名册_2026年.csv",
}
REQUEST = EXAMPLES / "experts/request.toml"
T0 = datetime(2026, 4, 14, 1, tzinfo=UTC)
ASKED = datetime(2026, 6, 3, 1, tzinfo=UTC)
"""More than thirty days after the rosters came in: 2026-06-03 09:00 in China."""
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
OPEN = datetime(2026, 6, 9, 1, 5, tzinfo=UTC)
SOURCES = (
    "--source", "双色球063期", "--due", "2026-06-04 21:15", "--fallback", "双色球064期", "--fallback-due", "2026-06-07 21:15",
)  # fmt: skip
DRAW = "beibei-2026-0001"
RATED = ("91500109MAYY00050U", "重庆示例澄江电镀有限公司")
"""An enterprise of the rating list that no expert works for."""


@dataclass
class Said:
    """What one command said and how it ended."""

    exit: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines() if line.startswith("{")]

    @property
    def one(self) -> dict[str, Any]:
        assert self.exit == 0, self.err
        (only,) = self.objects
        return only


@dataclass
class Staff:
    """Somebody at the command line of one home, with a clock of their own."""

    home: Path
    clock: datetime = T0
    env: dict[str, str] = field(default_factory=dict)

    def __call__(self, *words: str | Path, by: str = "", at: datetime | None = None) -> Said:
        self.clock = at or self.clock
        env = {"GONGZHI_HOME": str(self.home), "GONGZHI_USER": by or "张工", **self.env}
        runner = CliRunner()
        told = runner.invoke(app, ["experts", *map(str, words)], obj=lambda: self.clock, env=env)
        exit_, err = told.exit_code, told.stderr
        if told.exception is not None and not isinstance(told.exception, SystemExit):
            with redirect_stderr(StringIO()) as caught:
                exit_ = int(_explain(told.exception))
            err += caught.getvalue()
        return Said(exit_, told.stdout, err)

    def good(self, *words: str | Path, **more: Any) -> Said:
        said = self(*words, **more)
        assert said.exit == 0, (words, said.out, said.err)
        return said

    def people(self, **more: Any) -> dict[str, str]:
        """Numbers by name; of two records of one person the one of Beibei."""
        found = self.good("list", "--limit", "100", "--json", **more).objects
        return {one["name"]: one["expert_id"] for one in sorted(found, key=lambda one: one["bureau"], reverse=True)}


def make_pool(home: Path) -> Staff:
    """Both rosters in, the pair decided, everybody appointed, consents told."""
    staff = Staff(home)
    for bureau, path in ROSTERS.items():
        staff.good("import", path, "--bureau", bureau)
    (pair,) = staff.good("match", "list", "--json").objects
    staff.good("match", "decide", pair["match_id"], "same", "--reason", "证件核对一致")
    for before, state in (("applied", "checked"), ("checked", "publicised"), ("publicised", "appointed")):
        staff.good("state", state, "--every", before)
    staff.good("consent", "sharing", "--every", "appointed", "--document", "同意书1号")
    return staff


@pytest.fixture(scope="session")
def made_pool(empty_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = Path(shutil.copytree(empty_home, tmp_path_factory.mktemp("pool") / "home"))
    make_pool(home)
    return home


@pytest.fixture
def pool(made_pool: Path, tmp_path: Path) -> Staff:
    """A home with the pool of the examples, of this test alone."""
    return Staff(Path(shutil.copytree(made_pool, tmp_path / "home")))


def publish(staff: Staff, file: Path) -> dict[str, Any]:
    """One draw in one home, every step by its command; two persons."""
    staff.good("draw", "request", REQUEST, by="李工", at=ASKED)
    staff.good("draw", "freeze", DRAW, by="王工", at=ASKED + HOUR)
    staff.good("draw", "commit", DRAW, *SOURCES, at=ASKED + 2 * HOUR)
    staff.good("draw", "reveal", DRAW, at=ASKED + 3 * HOUR)
    staff.good("draw", "run", DRAW, "--value", "03 09 11 20 28 31 + 07", by="王工", at=ASKED + 2 * DAY)
    return staff.good("draw", "publish", DRAW, "-o", file, "--json", at=ASKED + 2 * DAY + HOUR).one


@pytest.fixture(scope="session")
def made_draw(made_pool: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = Path(shutil.copytree(made_pool, tmp_path_factory.mktemp("drawn") / "home"))
    publish(Staff(home), home / "result.json")
    return home


@pytest.fixture
def drawn(made_draw: Path, tmp_path: Path) -> Staff:
    """The same with one published draw, on the morning the names may be seen."""
    return Staff(Path(shutil.copytree(made_draw, tmp_path / "home")), OPEN)


# -- the roster ----------------------------------------------------------------------------------------------------


def test_a_list_goes_in_with_receipt_and_warnings_and_again_changes_nothing(home):
    staff = Staff(home)
    first = staff.good("import", ROSTERS["beibei"], "--bureau", "beibei", "--json").one
    assert first["import"]["new"] == 11 and first["receipt"]["receipt"].startswith("Ebeibei-20260414-")
    assert {note["code"] for note in first["import"]["warnings"]} == {"age-limit"}
    again = staff.good("import", ROSTERS["beibei"], "--bureau", "beibei", "--json").one
    assert (again["import"]["new"], again["import"]["unchanged"]) == (0, 11)
    sealed = list((home / "experts/uploads").glob("*.sealed"))
    assert [path.stem for path in sealed] == [first["receipt"]["sha256"]]
    assert (home / "vault").stat().st_mode & 0o077 == 0


def test_the_same_person_in_both_lists_is_proposed_by_the_import_and_the_namesake_by_sound_is_not(home):
    staff = Staff(home)
    staff.good("import", ROSTERS["beibei"], "--bureau", "beibei")
    told = staff.good("import", ROSTERS["mianyang"], "--bureau", "mianyang", "--json").one
    assert told["matches"]["new"] == 1
    (pair,) = staff.good("match", "list", "--json").objects
    assert {one["name"] for one in pair["experts"]} == {"何样例"} and "identity_same" in pair["evidence"]
    staff.good("match", "decide", pair["match_id"], "different", "--reason", "误会")
    assert staff("match", "decide", pair["match_id"], "same", "--reason", "再想想").exit == 1
    staff.good("match", "undo", pair["match_id"], "--reason", "证件核对一致")
    assert pair["match_id"] in staff.good("match", "list").out


def test_a_refused_list_leaves_nothing_of_it(home, tmp_path):
    bad = tmp_path / "专家名册.csv"
    bad.write_bytes(ROSTERS["mianyang"].read_bytes().replace("姓名".encode("gb18030"), "称呼".encode("gb18030")))
    said = Staff(home)("import", bad, "--bureau", "mianyang")
    assert said.exit == 1 and not (home / "experts").exists()
    assert Staff(home)("list").exit == 1


def test_an_appointment_made_before_is_taken_over(home):
    staff = Staff(home)
    assert staff("import", ROSTERS["beibei"], "-b", "beibei", "--appointed", "聘字1号").exit == 2
    staff.good("import", ROSTERS["beibei"], "-b", "beibei", "--appointed", "聘字1号", "--since", "2026-01-01",
               "--until", "2028-12-31")  # fmt: skip
    assert {one["state"] for one in staff.good("list", "--json").objects} == {"appointed"}


def test_each_role_sees_what_it_may_and_every_look_is_written_down(pool):
    number = pool.people()["林样例"]
    seen = {
        role: pool.good("show", number, "--role", role, "--purpose", "核对", "--json").one["expert"]
        for role in ("pool_staff", "organiser", "auditor", "finance", "peer_before", "public")
    }
    assert seen["pool_staff"]["phone"] == "138****0101" and seen["auditor"]["phone"] == "13800000101"
    assert "identity" not in seen["organiser"] and "name" not in seen["peer_before"] and seen["public"] == {}
    assert "999999" not in json.dumps(seen["finance"]) + json.dumps(seen["pool_staff"])
    looks = pool.good("show", number, "--looks", "--json").one["looks"]
    assert [one["role"] for one in looks if one["kind"] == "open"] == ["auditor", "organiser"]
    assert len(looks) == 7  # six above and this one; lists are recorded without a number
    assert pool("show", number, "--role", "auditor").exit == 2, "other roles say why"
    assert pool("show", number, "--role", "nobody", "--purpose", "x").exit == 2
    assert pool("list", "林样例", "--role", "peer_before", "-p", "x").exit == 2, "who sees no names finds none by name"


def test_the_list_goes_on_page_by_page(pool):
    first = pool.good("list", "--limit", "20", "--json")
    after = first.err.rsplit(" ", 1)[-1].strip()
    rest = pool.good("list", "--limit", "20", "--after", after, "--json")
    numbers = [one["expert_id"] for one in (*first.objects, *rest.objects)]
    assert len(numbers) == len(set(numbers)) == 24
    assert {one["name"] for one in pool.good("list", "-s", "W03", "-b", "beibei", "--json").objects} == {
        "谭样例", "何样例", "游样例", "万样例",
    }  # fmt: skip


def test_states_consents_leaves_and_work_are_told_and_stand_in_the_changes(pool):
    number = pool.people()["谭样例"]
    assert pool("state", "suspended", number).exit == 2, "a reason is needed"
    pool.good("state", "suspended", number, "--reason", "出国")
    assert pool("state", "publicised", number).exit == 1
    pool.good("leave", number, "--since", "2026-07-01", "--until", "2026-07-31", "--reason", "访学")
    pool.good("work", number, "示例涂料有限公司", "--as", "director", "--until", "2024-02-29", "--source", "申报表")
    pool.good("consent", "sharing", number, "--revoke", "--on", "2026-05-01", "--reason", "本人要求")
    assert pool("consent", "sharing", number, "--revoke", "--on", "2026-05-01").exit == 1, "nothing left to revoke"
    document = pool.good("show", number, "--changes", "--json").one
    assert document["expert"]["state"] == "suspended" and document["leaves"] and document["consents"][0]["revoked_on"]
    assert {"state", "leave", "employment", "consent"} <= {one["kind"] for one in document["changes"]}
    assert pool("show", "e-nobody").exit == 1 and pool("state", "checked").exit == 2


def test_a_bank_account_needs_consent_and_is_shown_to_finance_alone(pool, tmp_path):
    number, file = pool.people()["谭样例"], tmp_path / "account"
    file.write_text("6222000000000000001\n")
    assert pool("bank", number, file).exit == 2
    pool.good("consent", "bank", number, "--document", "同意书2号")
    pool.good("bank", number, file)
    told = {role: pool.good("show", number, "--role", role, "-p", "付费").out for role in ("finance", "pool_staff")}
    assert "6222000000000000001" in told["finance"] and "6222" not in told["pool_staff"]
    pool.good("keys", "rotate")
    assert "6222000000000000001" in pool.good("show", number, "--role", "finance", "-p", "付费").out
    assert pool.good("keys", "list", "--json").one["vault"] == "v2"


def test_lost_vault_keys_are_told_and_never_made_anew(pool):
    shutil.rmtree(pool.home / "vault")
    said = pool("show", "e-x")
    number = pool.people()["谭样例"]
    said = pool("show", number, "--role", "auditor", "-p", "核对")
    assert said.exit == 3 and not (pool.home / "vault").exists()


# -- recusal -------------------------------------------------------------------------------------------------------


def reasons(staff: Staff, number: str, *more: str | Path) -> list[str]:
    said = staff("recuse", number, *(more or (REQUEST,)), "--json", at=ASKED)
    assert said.exit in (0, 1), said.err
    return [one["code"] for one in said.objects[0]["reasons"]]


def test_recusal_tells_each_reason_and_a_clearance_is_for_pool_staff_with_a_reason(pool):
    people = pool.people()
    assert reasons(pool, people["谌样例"]) == ["employer_now"] and reasons(pool, people["谭样例"]) == []
    assert reasons(pool, people["游样例"]) == ["author_of_the_reviewed_work"]
    assert pool("recuse", people["向样例"], REQUEST, "--json").objects[0]["status"] == "not_asked"
    told = (people["游样例"], "affiliation_distinct", "--party", "重庆示例游氏研究所", "--source", "工商登记")
    assert pool("tie", *told).exit == 2, "no reason"
    assert pool("tie", *told, "--reason", "两家同名", "--role", "organiser").exit == 2, "not pool staff"
    pool.good("tie", *told, "--reason", "两家同名不同址")
    assert reasons(pool, people["游样例"]) == []
    (tie,) = pool.good("show", people["游样例"], "--json").one["ties"]
    pool.good("tie", people["游样例"], "--take-back", tie["id"], "--reason", "核实有误")
    assert reasons(pool, people["游样例"]) == ["author_of_the_reviewed_work"]


def test_what_is_told_of_enterprises_reaches_the_group(pool):
    people = pool.people()
    pool.good("enterprise", "91510703MAYY00018W", "--relation", "parent", "--other-name", "绵阳示例安氏研究所",
              "--other", "12510703MAYY00528F", "--source", "公示系统")  # fmt: skip
    assert reasons(pool, people["安样例"]) == ["employer_now"]
    pool.good("enterprise", "91510703MAYY00018W", "--head", "谭样例", "--source", "公示系统")
    assert reasons(pool, people["谭样例"]) == ["head_namesake"]
    assert pool("enterprise", "91510703MAYY00018W", "--source", "x").exit == 2


def test_names_of_a_party_come_from_the_credit_register(pool, tmp_path):
    """A party given by its code alone, an employer by its name alone: once the register has the name they meet."""
    people, file = pool.people(), tmp_path / "request.toml"
    text = REQUEST.read_text(encoding="utf-8").replace("91510703MAYY00018W", RATED[0])
    file.write_text(text.replace('name = "四川示例涪滨包装有限公司"', ""), encoding="utf-8")
    pool.good(
        "work", people["安样例"], RATED[1], "--since", "2025-01-01", "--until", "2025-12-31", "--source", "申报表"
    )
    assert reasons(pool, people["安样例"]) == ["affiliation_unknown"]
    assert pool("recuse", people["安样例"], file).exit == 1, "nobody knows the name of the party"
    ran = run_gongzhi(
        "submit", EXAMPLES / "deliveries/beibei/企业环境信用评价结果_2025年度.xlsx", "-b", "beibei", home=pool.home
    )
    assert ran.exit == 0, ran.err
    assert reasons(pool, people["安样例"], file) == ["employer_3y"]


# -- a draw in one home --------------------------------------------------------------------------------------------


def test_two_persons_are_needed_and_a_step_asked_for_again_gives_what_stands(pool, tmp_path):
    pool.good("draw", "request", REQUEST, by="李工", at=ASKED)
    assert pool.good("draw", "request", REQUEST, "--json", by="李工").one["draw_id"] == DRAW
    refused = pool("draw", "freeze", DRAW, "--by", " 李工 ", by="王工")
    assert refused.exit == 1 and "李工" in refused.err
    frozen = pool.good("draw", "freeze", DRAW, "--json", by="王工").one
    assert frozen["counts"] == {"eligible": 12, "excluded": 2}
    assert frozen["excluded"] == {"author_of_the_reviewed_work": 1, "employer_now": 1}
    assert pool("draw", "commit", DRAW).exit == 2, "the sources are not named"
    assert pool("draw", "commit", DRAW, *SOURCES[:4]).exit == 2
    pool.good("draw", "commit", DRAW, *SOURCES)
    pool.good("draw", "commit", DRAW)
    early = pool("draw", "run", DRAW, "--value", "1 2 3", by="王工")
    assert early.exit == 1, "nobody has revealed"
    pool.good("draw", "reveal", DRAW)
    assert pool("draw", "run", DRAW, by="王工").exit == 2
    assert pool("draw", "run", DRAW, "--value", "1 2 3", by="王工").exit == 1, "the source is not due"
    assert pool("draw", "run", DRAW, "--value", "1 2 3", by="李工", at=ASKED + 2 * DAY).exit == 1
    made = pool.good("draw", "run", DRAW, "--value", "1 2 3", "--json", by="王工").one
    again = pool.good("draw", "run", DRAW, "--value", "9 9 9", "--json", by="王工").one
    assert made["result"]["seed"] == again["result"]["seed"] and made["result"]["assurance"] == "one-home"


def test_the_published_file_verifies_without_a_home_and_as_the_script_says(drawn, tmp_path):
    file = drawn.home / "result.json"
    ran = run_gongzhi("experts", "verify", file, "--json", cwd=tmp_path, PYTHONPATH=str(PROJECT))
    assert (ran.exit, ran.objects[0]["ok"], ran.objects[0]["trusted"]) == (0, True, False)
    key = drawn.good("keys", "list", "--json").one["public_key"]
    keys = ("--key", f"beibei={key}", "--key", f"mianyang={key}")
    assert drawn.good("verify", file, *keys, "--json").one["trusted"] is True
    assert drawn("verify", file, "--key", f"beibei={'0' * 64}", "--key", f"mianyang={key}").exit == 1
    assert drawn("verify", file, "--key", "beibei").exit == 2
    changed = tmp_path / "changed.json"
    changed.write_text(file.read_text(encoding="utf-8").replace("03 09 11", "03 09 12"), encoding="utf-8")
    nothing = tmp_path / "nothing.json"
    nothing.write_text("[]")
    assert [drawn("verify", one).exit for one in (changed, nothing)] == [1, 1]
    script = [sys.executable, "-I", str(PROJECT / "docs/verify_draw.py")]
    ended = [subprocess.run([*script, one], capture_output=True, timeout=60).returncode for one in (file, changed)]
    assert ended == [0, 1]


def test_names_stay_sealed_until_their_time_and_the_early_look_is_written_down(drawn):
    early = drawn("draw", "show", DRAW, "--names", at=OPEN - HOUR, by="好奇")
    assert early.exit == 1 and "样例" not in early.out + early.err
    assert drawn("recuse", drawn.people()["谌样例"], "--draw", DRAW).exit == 1
    drawn.clock = OPEN
    assert reasons_of_entry(drawn) == ["employer_now"]
    seats = drawn.good("draw", "show", DRAW, "--names", "--role", "organiser", "-p", "邀请", "--json").one["seats"]
    assert len(seats) == 3 and all(one["phone"].startswith("1380000") and one["name"] for one in seats)
    assert drawn("draw", "show", DRAW, "--names", "--role", "peer_before", "-p", "x").exit == 1
    public = drawn.good("draw", "show", DRAW, "--names", "--role", "public", "-p", "公示", "--json").one["seats"]
    assert all("name" not in one for one in public), "nobody consented to publication"
    key = drawn("draw", "key", DRAW, "--purpose", "审计")
    assert key.exit == 0 and len(key.out.strip()) == 64
    assert drawn("draw", "key", DRAW, "--role", "organiser", "-p", "x").exit == 1


def reasons_of_entry(staff: Staff) -> list[str]:
    said = staff("recuse", staff.people()["谌样例"], "--draw", DRAW, "--json")
    assert said.exit == 1, said.err
    return [one["code"] for one in said.objects[0]["reasons"]]


def test_a_refusal_opens_a_replacement_and_the_rest_is_appraised_paid_and_archived(drawn, tmp_path):
    seats = drawn.good("draw", "show", DRAW, "--names", "--json").one["seats"]
    assert drawn.good("invite", DRAW, "--document", "邀请1号", "--json").one["invited"]
    assert drawn("invite", DRAW).exit == 1, "nobody waits"
    out, *others = [one["expert_id"] for one in seats]
    assert drawn("replace", "open", DRAW, out, "--source", "SSQ066", "--due", "2026-06-12 21:15").exit == 1
    assert drawn("answer", DRAW, out, "declined", "--code", "tired").exit == 2
    drawn.good("answer", DRAW, out, "declined", "--code", "ill", "--reason", "住院")
    drawn.good("replace", "open", DRAW, out, "--source", "SSQ066", "--due", "2026-06-12 21:15", by="孙工")
    drawn.good("replace", "link", DRAW)
    assert drawn("replace", "run", DRAW, by="孙工").exit == 1, "who opened it does not draw it"
    taken = drawn.good("replace", "run", DRAW, "--json", by="王工").one["taken"]
    assert len(taken) == 1
    file = tmp_path / "again.json"
    drawn.good("draw", "publish", DRAW, "-o", file)
    assert drawn("verify", file).exit == 0
    seats = drawn.good("draw", "show", DRAW, "--names", "--json").one["seats"]
    (new,) = [one["expert_id"] for one in seats if one["round"] == 1]
    drawn.good("invite", DRAW)
    for number in (new, *others):
        drawn.good("answer", DRAW, number, "accepted")
    assert drawn("archive", DRAW).exit == 1
    meeting = OPEN + DAY
    for number in (new, *others):
        assert drawn("answer", DRAW, number, "opinion_signed", "--document", "意见", at=meeting).exit == 1
        drawn.good("answer", DRAW, number, "attended")
        drawn.good("answer", DRAW, number, "opinion_signed", "--document", "意见书1号")
    due = drawn.good("appraise", "--json").objects
    assert len(due) == 6 and not any(one["overdue"] for one in due)
    assert drawn("appraise", DRAW, new, "poor").exit == 2, "a poor grade says why"
    for kind in ("by-user", "of-organiser"):
        for number in (new, *others):
            drawn.good("appraise", DRAW, number, "good", "--kind", kind, by="赵工")
    assert drawn("fee", DRAW, new, "八百", "--payer", "北碚局").exit == 2
    drawn.good("fee", DRAW, new, "800.50", "--payer", "北碚局", by="财务钱")
    assert drawn.good("appraise", "--json").objects == []
    assert "2036-06-10" in drawn.good("archive", DRAW, "-o", tmp_path / "归档.json").out
    told = drawn.good("stats", "--json").one["bureaus"]["beibei"]
    assert told["draws"]["requested"] == 1 and told["draws"]["replacements"] == {"ill": 1}
    assert told["other_side"]["seats"] == 3


def test_minutes_show_names_to_who_may_see_them(drawn, tmp_path):
    drawn.good("draw", "show", DRAW, "--names")
    page = tmp_path / "记录.pdf"
    drawn.good("minutes", DRAW, "-o", page, "--role", "organiser", "-p", "归档")
    assert page.read_bytes()[:5] == b"%PDF-"
    told = json.loads((tmp_path / "记录.minutes.json").read_text(encoding="utf-8"))
    assert told["names_shown"] and sum("name" in (one["person"] or {}) for one in told["result"]["taken"]) == 3
    plain = tmp_path / "公开.json"
    drawn.good("minutes", DRAW, "-o", plain, "--role", "public", "-p", "公开")
    assert "样例" not in plain.read_text(encoding="utf-8").replace("示例", "")
    assert drawn("minutes", DRAW, "-o", tmp_path / "x.doc").exit == 2


def test_a_draw_given_up_stays_visible_and_its_matter_is_drawn_again_only_with_reason_and_approval(pool, tmp_path):
    pool.good("draw", "request", REQUEST, by="李工", at=ASKED)
    pool.good("draw", "freeze", DRAW, by="王工")
    assert pool("draw", "abandon", DRAW, "--code", "no-reason", "--reason", "x").exit == 1
    pool.good("draw", "abandon", DRAW, "--code", "list-wrong", "--reason", "席位写错")
    assert pool("draw", "request", REQUEST, by="李工").exit == 1
    again = tmp_path / "again.toml"
    redraw = f'[redraw]\nreplaces = "{DRAW}"\ncode = "list-wrong"\nwords = "席位写错"\n'
    again.write_text(REQUEST.read_text(encoding="utf-8") + redraw, encoding="utf-8")
    second = pool.good("draw", "request", again, "--json", by="李工").one
    assert (second["draw_id"], second["sequence"], second["replaces"]) == ("beibei-2026-0002", 2, DRAW)
    assert pool("draw", "freeze", "beibei-2026-0002", by="王工").exit == 1
    pool.good("draw", "freeze", "beibei-2026-0002", "--approve-redraw", "情况属实", by="王工")
    assert [one["state"] for one in pool.good("draw", "list", "--json").objects] == ["abandoned", "frozen"]


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('purpose = "project-advice"', 'purpose = "statutory-eia"', 1),
        ("W03 = 2", "W03 = 1", 1),
        ("W03 = 2", 'W03 = "two"', 1),
        ("held_on = 2026-06-10", "held_on = 2026-06-10T09:00:00", 1),
        ("[[authors]]", "[[autors]]", 1),
        ("uscc =", "code =", 1),
        ("matter =", "[matter", 1),
        ("opens_at = 2026-06-09T09:00:00", 'opens_at = "tomorrow"', 1),
    ],
)
def test_a_request_that_does_not_fit_is_refused_by_name_and_takes_no_number(pool, tmp_path, old, new, code):
    file = tmp_path / "request.toml"
    text = REQUEST.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    said = pool("draw", "request", file, by="李工", at=ASKED)
    assert said.exit == code and said.err.strip() and "Traceback" not in said.err
    assert pool.good("draw", "list", "--json").objects == []


def test_too_few_candidates_need_approval_in_words(pool, tmp_path):
    file = tmp_path / "request.toml"
    file.write_text(REQUEST.read_text(encoding="utf-8").replace("W03 = 2\nA03 = 1", "W03 = 2\nA03 = 3"), "utf-8")
    pool.good("draw", "request", file, by="李工", at=ASKED)
    assert pool("draw", "freeze", DRAW, by="王工").exit == 1
    pool.good("draw", "freeze", DRAW, "--approve-few", "本地只有这些人", by="王工")


# -- a draw between two homes --------------------------------------------------------------------------------------


@pytest.fixture
def pair(pool: Staff, empty_home: Path, tmp_path: Path) -> tuple[Staff, Staff, Path]:
    """Beibei with the pool, Mianyang with an empty home; each trusts the other's key."""
    run = run_gongzhi("init", "--home", tmp_path / "other")  # a key of its own
    assert run.exit == 0, run.err
    other, file = Staff(tmp_path / "other"), tmp_path / "papers.json"
    keys = [one.good("keys", "list", "--json").one["public_key"] for one in (pool, other)]
    pool.good("keys", "trust", "mianyang", keys[1])
    other.good("keys", "trust", "beibei", keys[0])
    assert other.good("keys", "list", "--json").one["plays"] == ["mianyang"]
    return pool, other, file


def hand(sender: Staff, receiver: Staff, file: Path, at: datetime) -> dict[str, Any]:
    sender.good("draw", "export", DRAW, "-o", file, at=at)
    return receiver.good("draw", "import", file, "--json", at=at).one


def test_two_homes_draw_and_replace_by_handing_files(pair, tmp_path):
    here, there, file = pair
    here.good("draw", "request", REQUEST, by="李工", at=ASKED)
    here.good("draw", "freeze", DRAW, by="王工", at=ASKED + HOUR)
    here.good("draw", "commit", DRAW, *SOURCES)
    assert hand(here, there, file, ASKED + 2 * HOUR)["state"] == "frozen"
    assert "样例" not in file.read_text(encoding="utf-8").replace("示例", "")
    there.good("draw", "commit", DRAW, by="何工")
    assert hand(there, here, file, ASKED + 3 * HOUR)["state"] == "committed"
    for staff in (here, there):
        staff.good("draw", "reveal", DRAW, at=ASKED + 4 * HOUR)
    assert hand(there, here, file, ASKED + 5 * HOUR)["state"] == "revealed"
    here.good("draw", "run", DRAW, "--value", "1 2 3", by="王工", at=ASKED + 2 * DAY)
    here.good("draw", "publish", DRAW, "-o", tmp_path / "result.json")
    told = hand(here, there, file, ASKED + 3 * DAY)
    assert told["result"]["assurance"] == "two-homes" and there("verify", tmp_path / "result.json").exit == 0
    seats = here.good("draw", "show", DRAW, "--names", "--json", at=OPEN).one["seats"]
    out = seats[0]["expert_id"]
    here.good("invite", DRAW)
    here.good("answer", DRAW, out, "declined", "--code", "duty")
    here.good("replace", "open", DRAW, out, "--source", "SSQ066", "--due", "2026-06-12 21:15", by="孙工")
    here.good("replace", "link", DRAW)
    hand(here, there, file, OPEN + HOUR)
    there.good("replace", "link", DRAW)
    hand(there, here, file, OPEN + 2 * HOUR)
    here.good("replace", "run", DRAW, by="王工")
    here.good("draw", "publish", DRAW, "-o", tmp_path / "result.json")
    told = hand(here, there, file, OPEN + 3 * HOUR)
    assert told["result"]["replacements"] == 1 and told["result"]["incidents"] == []
    assert there("draw", "show", DRAW, "--names").exit == 1, "names are at the home that asked"


def test_who_keeps_silent_is_overtaken_by_the_fallback(pair):
    here, there, file = pair
    here.good("draw", "request", REQUEST, by="李工", at=ASKED)
    here.good("draw", "freeze", DRAW, by="王工", at=ASKED + HOUR)
    here.good("draw", "commit", DRAW, *SOURCES)
    hand(here, there, file, ASKED + 2 * HOUR)
    there.good("draw", "commit", DRAW)
    hand(there, here, file, ASKED + 3 * HOUR)
    here.good("draw", "reveal", DRAW, at=ASKED + 4 * HOUR)
    assert here("draw", "run", DRAW, "--value", "1 2 3", by="王工", at=ASKED + 20 * HOUR).exit == 1, "still in time"
    made = here.good("draw", "run", DRAW, "--value", "7 8 9", "--json", by="王工", at=ASKED + 5 * DAY).one
    assert [one["bureau"] for one in made["result"]["incidents"]] == ["mianyang"]
    assert "mianyang" in here.good("stats").out


def test_a_file_not_of_the_other_bureau_is_refused(pair, tmp_path):
    here, there, file = pair
    here.good("draw", "request", REQUEST, by="李工", at=ASKED)
    here.good("draw", "freeze", DRAW, by="王工")
    here.good("draw", "commit", DRAW, *SOURCES)
    here.good("draw", "export", DRAW, "-o", file)
    assert here("draw", "import", file).exit == 1
    file.write_text(file.read_text(encoding="utf-8").replace("示例工业园", "示例农业园"), encoding="utf-8")
    assert there("draw", "import", file).exit == 1 and there.good("draw", "list", "--json").objects == []
    assert there("keys", "trust", "mianyang", "00" * 32).exit == 2, "a home plays at least one part"
    assert there("keys", "trust", "mianyang", "no key").exit == 2


# -- the guide -----------------------------------------------------------------------------------------------------


def test_every_command_of_the_guide_exists_with_its_options():
    from typer.main import get_command

    text = (PROJECT / "docs/专家库工作指南.md").read_text(encoding="utf-8")
    lines = re.findall(r"\$ gongzhi (experts .*)", text) + re.findall(r"`(experts [a-z].*?)`", text)
    assert len(lines) > 50
    root: Any = get_command(app)
    for line in lines:
        command, words = root, shlex.split(line, comments=True)
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        assert not hasattr(command, "commands"), line
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("-")} <= known, line


# -- emergencies and removals --------------------------------------------------------------------------------------


def test_an_emergency_is_ranked_then_named_and_is_no_draw(pool):
    file = EXAMPLES / "experts/emergency.toml"
    ranked = pool.good("callout", file, "--json", at=ASKED).objects
    far = [one["distance"] for one in ranked if not one["reasons"]]
    assert far == sorted(far) and ranked[0]["division"] == "510703" and ranked[-1]["reasons"] == ["employer_now"]
    last = ranked[-1]["expert_id"]
    assert pool("callout", file, "--call", last).exit == 2
    assert pool("callout", file, "--call", f"{last}=W03", by="周局").exit == 1, "something speaks against it"
    told = ("--call", f"{last}=W03", "--despite", f"{last}=唯一了解管网的人", "--call", f"{ranked[0]['expert_id']}=W03")
    made = pool.good("callout", file, *told, "--json", by="周局").one
    assert made["draw_id"] == "mianyang-2026-0001"
    assert pool.good("draw", "list", "--json").objects[0]["kind"] == "callout"
    assert len(pool.good("invite", made["draw_id"], "--json").one["invited"]) == 2
    assert len(pool.good("draw", "show", made["draw_id"], "--names", "--json").one["seats"]) == 2


def test_two_unexplained_refusals_raise_a_proposal_that_a_person_decides(drawn):
    file = EXAMPLES / "experts/emergency.toml"
    number = drawn.people()["罗样例"]
    for time in range(2):
        text = file.read_text(encoding="utf-8").replace("〔2026〕1号", f"〔2026〕{time + 1}号")
        other = drawn.home / f"emergency{time}.toml"
        other.write_text(text, encoding="utf-8")
        made = drawn.good("callout", other, "--call", f"{number}=W06", "--json", by="周局").one["draw_id"]
        drawn.good("invite", made)
        drawn.good("answer", made, number, "declined", "--code", "unexplained")
    (one,) = drawn.good("proposals", "look", "--json").objects
    assert drawn.good("proposals", "look", "--json").objects == []
    drawn.good("proposals", "statement", one["proposal"], "邮件故障")
    (told,) = drawn.good("proposals", "list", "--json").objects
    assert told["evidence"]["statements"][0]["words"] == "邮件故障" and told["words"]
    assert drawn("proposals", "decide", one["proposal"], "upheld", "--reason", "x", by="张工").exit == 1
    drawn.good("proposals", "decide", one["proposal"], "dismissed", "--reason", "属实", by="周局")
    assert drawn.good("proposals", "list", "--json").objects == []


def test_terms_that_are_over_expire(pool):
    assert pool.good("expire", "--json").one["expired"] == []
    assert len(pool.good("expire", "--json", at=T0 + 1100 * DAY).one["expired"]) == 23, (
        "of two records of one person one"
    )


def test_a_command_without_a_home_says_how_to_name_one(tmp_path):
    ran = run_gongzhi("experts", "list", cwd=tmp_path, PYTHONPATH=str(PROJECT))
    assert ran.exit == 2 and "--home" in ran.err


def test_a_wrong_desk_file_is_told(pool):
    (pool.home / "bureaus/expert_desk.toml").write_text('plays = "beibei"\n')
    assert pool("list").exit == 2
    (pool.home / "bureaus/expert_desk.toml").write_text('plays = ["chengdu"]\n')
    assert pool("keys", "list").exit == 2
